"""What a saved file is, told by its content: a file's ending says what somebody called it."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

from archcheck.errors import TargetError
from archcheck.frontends.torch_export.archive import Archive, open_regular

WHOLE = "serialized_exported_program.json"  # of torch up to 2.6
_MODELS = "models/"
_EXPORT = "torch.export.save(torch.export.export(model, inputs), FILE.pt2) saves what is read; or name the Python file"


class Content(Enum):
    """What a file holds."""

    PROGRAM = "an exported program"
    TORCHSCRIPT = "a TorchScript archive"
    COMPILED = "a compiled program"
    CHECKPOINT = "pickled objects of torch"
    PICKLE = "a pickle"
    OTHER = "something else"


def content_of(path: Path, shown: str) -> Content:
    """What the file at `path` holds; only its first bytes are read, and the names in it where it is an archive.

    Raises:
        TargetError: it cannot be opened, or is an archive that is refused.
    """
    descriptor = open_regular(path, shown)
    try:
        start = os.pread(descriptor, 16, 0)
    finally:
        os.close(descriptor)
    if start[:2] == b"\x80\x02" or (start[:1] == b"\x80" and start[1:2] in (b"\x03", b"\x04", b"\x05")):
        return Content.PICKLE
    if start[:4] != b"PK\x03\x04":
        return Content.OTHER
    with Archive(path, shown) as archive:
        return of_archive(archive)


def of_archive(archive: Archive) -> Content:
    """What an archive holds, by the names of its entries."""
    inside = within(archive)
    if programs(archive):
        return Content.PROGRAM
    if any(name.startswith("data/aotinductor/") for name in inside):
        return Content.COMPILED
    if any(name.startswith("code/") for name in inside) and {"data.pkl", "constants.pkl"} & inside.keys():
        return Content.TORCHSCRIPT
    return Content.CHECKPOINT if "data.pkl" in inside else Content.OTHER


def within(archive: Archive) -> dict[str, str]:
    """Names inside the folder that torch puts all entries in -> their names in the archive."""
    folders = {name.partition("/")[0] for name in archive.entries}
    if len(folders) != 1 or any("/" not in name for name in archive.entries):
        return {name: name for name in archive.entries}
    return {name.partition("/")[2]: name for name in archive.entries}


def programs(archive: Archive) -> dict[str, str]:
    """The exported programs in an archive: their names, "" in the form that holds one alone -> their entries."""
    inside = within(archive)
    if WHOLE in inside:
        return {"": inside[WHOLE]}
    found = {}
    for name, entry in sorted(inside.items()):
        if name.startswith(_MODELS) and name.endswith(".json") and name.count("/") == 1:
            found[name[len(_MODELS) : -len(".json")]] = entry
    return found


def refuse(content: Content, shown: str) -> TargetError:
    """Why a file of this content is not read, and what is read instead."""
    if content is Content.COMPILED:
        why = "this file holds compiled code only, and no graph"
    else:
        why = "this file holds pickled objects: weights, not the code that uses them, and unpickling it would run code"
    return TargetError(why, place=shown, hint=_EXPORT)
