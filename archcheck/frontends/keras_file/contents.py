"""The configuration in a file that Keras saved: JSON in a zip archive, in an attribute of an HDF5 file, or alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from archcheck.errors import TargetError
from archcheck.frontends.torch_export.archive import Archive, open_regular

MAX_TEXT = 64 * 1024**2  # bytes of JSON
_CONFIG = "config.json"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_NAME_THE_CODE = "name the Python file, or package.module, that builds the model"


def is_saved(path: Path, shown: str) -> bool:
    """Whether a file is to be read here: an archive, an HDF5 file, or JSON that says that it is a model.

    Raises:
        TargetError: it cannot be read.
    """
    if path.suffix.lower() != ".json":
        start = _start(path, shown)
        return start.startswith(b"PK") or start == _HDF5
    try:
        told = _json(_all(path, shown), shown)
    except TargetError:
        return False
    return _is_model(told)


def config_of(path: Path, shown: str) -> dict[str, Any]:
    """The configuration of the model in a file: `class_name`, `config`, perhaps `module` and `registered_name`.

    Raises:
        TargetError: it is no file of Keras, holds no model, is refused, or the package that reads it is missing.
    """
    start = _start(path, shown)
    if start.startswith(b"PK"):
        with Archive(path, shown) as archive:
            if _CONFIG not in archive.entries:
                raise TargetError(f"this archive holds no {_CONFIG}, as a saved model of Keras does", place=shown)
            told = _json(archive.read(_CONFIG), shown)
    elif start == _HDF5:
        told = _json(_attribute(path, shown), shown)
    else:
        told = _json(_all(path, shown), shown)
    if not _is_model(told):
        raise TargetError("the JSON in it is no configuration of a model", place=shown, hint=_NAME_THE_CODE)
    assert isinstance(told, dict)
    return told


def _is_model(told: object) -> bool:
    return (
        isinstance(told, dict)
        and isinstance(told.get("class_name"), str)
        and isinstance(told.get("config"), (dict, list))
    )


def _start(path: Path, shown: str) -> bytes:
    descriptor = open_regular(path, shown)
    try:
        return os.pread(descriptor, len(_HDF5), 0)
    finally:
        os.close(descriptor)


def _all(path: Path, shown: str) -> bytes:
    descriptor = open_regular(path, shown)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise TargetError(f"the file has more than {MAX_TEXT // 1024**2} MiB of JSON", place=shown)
    return data


def _attribute(path: Path, shown: str) -> bytes:
    """The attribute of an HDF5 file that holds the configuration; nothing else of the file is looked at."""
    try:
        import h5py
    except ImportError:
        hint = "install archcheck with the extra h5, which is h5py; or save the model as .keras"
        raise TargetError("reading a model in an HDF5 file needs h5py", place=shown, hint=hint) from None
    try:
        with h5py.File(path, "r") as file:
            attributes = file.attrs
            if "model_config" not in attributes:
                raise TargetError(
                    "this file holds weights, not the code that uses them", place=shown, hint=_NAME_THE_CODE
                )
            if attributes.get_id("model_config").get_storage_size() > MAX_TEXT:
                raise TargetError(f"its configuration has more than {MAX_TEXT // 1024**2} MiB", place=shown)
            told = attributes["model_config"]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError) as error:
        raise TargetError(f"the HDF5 file cannot be read: {str(error)[:200]}", place=shown) from None
    data = told.encode("utf-8", "surrogatepass") if isinstance(told, str) else told
    if not isinstance(data, bytes) or len(data) > MAX_TEXT:
        raise TargetError("its configuration is no text, or too much of it", place=shown)
    return data


def _json(data: bytes, shown: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError, MemoryError) as error:
        raise TargetError(f"the JSON in it cannot be read: {str(error)[:120]}", place=shown) from None


__all__ = ["config_of", "is_saved"]
