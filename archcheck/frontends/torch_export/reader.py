"""`model.pt2`: an exported program as a reading, as the static reader and the tracer give it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from archcheck.errors import TargetError
from archcheck.frontends import dialects
from archcheck.frontends.saved import Loaded
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.reader import Reading, Unread, Variant
from archcheck.frontends.static.sources import SpelledFile
from archcheck.frontends.static.tree import ModulePlace
from archcheck.frontends.torch_export.archive import Archive
from archcheck.frontends.torch_export.aten import base_of
from archcheck.frontends.torch_export.contents import Content, of_archive, programs, refuse, within
from archcheck.frontends.torch_export.parsing import loaded, parse
from archcheck.frontends.torch_export.program import Node, Program, is_torchs
from archcheck.frontends.torch_export.recording import Saved, recording_of
from archcheck.frontends.torch_export.sites import sites
from archcheck.frontends.trace.replay import Places, replay
from archcheck.frontends.trace.wire import Site
from archcheck.ir.graph import Attr, Op, OpGraph, Origin
from archcheck.ir.span import Span

NAME = "torch_export"  # of this frontend
_UNTOLD = "no op of the file tells whether it was saved in train or in eval mode, and it is taken to be in eval mode"
_EVAL = "the program was saved in eval mode, in which dropout does nothing: save it in train mode to judge dropout"
_HIGHER = {
    "cond": "it runs one of two graphs, by what a tensor holds",
    **dict.fromkeys(("while_loop", "scan", "map_impl", "associative_scan"), "it runs a graph over and over"),
}
_SETTLED = frozenset({"_native_batch_norm_legit_no_training"})
_ACTIVE = frozenset({"native_dropout", "_native_batch_norm_legit_functional", "_native_batch_norm_legit"})
# op -> its argument that says whether it is active
_SWITCHES = {**dict.fromkeys(("dropout", "dropout_", "feature_dropout", "alpha_dropout"), 2), "lstm": 6, "gru": 6}
_SWITCHES |= {"batch_norm": 5, "native_batch_norm": 5}


def load(path: Path, library: Library, shown: str, choice: str = "", *, training: bool = True) -> Loaded:
    """The graph of an exported program; nothing of it runs, and nothing but JSON and plain numbers is read.

    Args:
        path: of the file.
        library: the sources among which its lines of code may lie.
        shown: how reports call the file.
        choice: which of several programs in it.
        training: the mode that is asked for, where the file is silent.

    Raises:
        TargetError: it is no such file, is refused, or makes no sense.
    """
    with Archive(path, shown) as archive:
        if (content := of_archive(archive)) is not Content.PROGRAM:
            raise refuse(content, shown)
        name, entry = _chosen(programs(archive), choice, shown)
        program = parse(archive.read(entry), shown)
        saved = _saved(archive, name, shown)
    mode, assumed = _mode(program, training)
    symbol = _symbol(program)
    recording = recording_of(program, symbol, saved, sites(library))
    replayed = replay(recording, library, SpelledFile(shown, ""), mode)
    ops = tuple(_reasoned(op) for op in replayed.graph.ops)
    origin = Origin(NAME, symbol, replayed.graph.origin.mode if replayed.graph.origin else "train")
    graph = OpGraph(ops, replayed.graph.results, origin)
    variant = Variant(
        when=(),
        default=True,
        graph=graph,
        unread=tuple(Unread(what, why, span) for (what, why), span in replayed.unread.items()),
        places=tuple(_places(program, Places(library), library)),
        weights=_weights(program, saved),
    )
    given = frozenset(word.partition("[")[0] for word, _ in program.inputs)
    assumptions = tuple(dict.fromkeys((*replayed.assumptions, *assumed)))
    reading = Reading(symbol, Span(shown, 1), (variant,), assumptions, (), given)
    return Loaded(reading, mode, replayed.shapes, recording)


def _reasoned(op: Op) -> Op:
    """An op that is given graphs, with the reason why it is opaque."""
    word = str(op.attr("name") or "").removeprefix("torch.ops.higher_order.")
    if op.kind.name != "opaque" or word == op.attr("name"):
        return op
    why = _HIGHER.get(word, "it runs graphs that it is given, in a way that is not read")
    kept = tuple(attr for attr in op.attrs if attr.name != "why")
    return replace(op, attrs=tuple(sorted((*kept, Attr("why", why)), key=lambda attr: attr.name)))


def _chosen(found: dict[str, str], choice: str, shown: str) -> tuple[str, str]:
    """The program of this name, or the only one."""
    if choice in found and choice:
        return choice, found[choice]
    names = ", ".join(sorted(found)[:8])
    if choice:
        hint = f"it holds {names}" if names else f"name the file alone: {shown}"
        raise TargetError(f'no program in it is called "{choice}"', place=shown, hint=hint)
    if len(found) > 1:
        raise TargetError("it holds several programs", place=shown, hint=f"name one: {shown}:NAME, of {names}")
    return next(iter(found.items()))


def _saved(archive: Archive, name: str, shown: str) -> Saved:
    """Which learned tensors are one, and the bytes of small constants; both may be missing."""
    inside = within(archive)

    def config(kind: str) -> dict[str, Any]:
        entry = inside.get(f"data/{kind}/{name}_{kind}_config.json") if name else None
        told = loaded(archive.read(entry), shown) if entry is not None else {}
        held = told.get("config")
        return {key: value for key, value in held.items() if isinstance(value, dict)} if isinstance(held, dict) else {}

    files: dict[object, list[str]] = {}
    for word, told in config("weights").items():
        meta = told.get("tensor_meta")
        if told.get("is_param") is True and isinstance(meta, dict) and isinstance(told.get("path_name"), str):
            files.setdefault((told["path_name"], repr(meta.get("sizes")), repr(meta.get("storage_offset"))), []).append(
                word
            )
    aliases = {word: tuple(words) for words in files.values() for word in words}
    constants = config("constants")

    def numbers(word: str) -> bytes | None:
        told = constants.get(word, {})
        entry = inside.get(f"data/constants/{told.get('path_name')}")
        if entry is None or told.get("use_pickle") is not False or archive.entries[entry].size > 4096:
            return None
        return archive.read(entry)

    held = {word: numbers(word) for word in constants}  # while the archive is open
    return Saved(aliases, held.get)


# ---- what the file says about itself


def _mode(program: Program, asked: bool) -> tuple[bool, list[str]]:
    """Whether it was saved in train mode, and what is assumed where nothing in it tells.

    Dropouts tell it before what else has a switch, since a norm may be frozen in train mode. One that is off tells that
    the mode was eval: code may leave another on in any mode, as `F.dropout(x)` does.
    """
    dropping: set[bool] = set()
    others: set[bool] = set()
    for node in _nodes(program):
        base = base_of(node.target)
        found = dropping if "dropout" in base else others
        at = _SWITCHES.get(base)
        if at is not None and len(node.args) > at and isinstance(node.args[at], bool):
            if base != "batch_norm" or node.args[3] is not None:  # without statistics it is in train mode always
                found.add(node.args[at])
        elif base in _ACTIVE:
            found.add(True)
        elif base in _SETTLED:
            found.add(False)
    if dropping or others:
        mode = all(dropping) if dropping else any(others)
        return mode, [] if mode else [_EVAL]
    if program.as_exported:
        return asked, []  # it has nothing that a mode changes
    return False, [_UNTOLD]


def _nodes(program: Program) -> Iterator[Node]:
    yield from program.graph.nodes
    for graph in program.graphs:
        yield from graph.nodes


def _symbol(program: Program) -> str:
    """The class of the whole model."""
    for node in program.graph.nodes:
        if node.modules and node.modules[0][0] == "":
            name = node.modules[0][1].rpartition(".")[2]
            return name if name.isidentifier() else "ExportedProgram"
    return "ExportedProgram"


def _weights(program: Program, saved: Saved) -> tuple[tuple[str, str], ...]:
    """Names of learned tensors -> the first name of each."""
    found: dict[str, str] = {}
    for name in program.parameters.values():
        names = saved.aliases.get(name, (name,))
        found |= dict.fromkeys(names, names[0])
    return tuple(sorted(found.items()))


# ---- places


def _places(program: Program, places: Places, library: Library) -> list[ModulePlace]:
    """The classes of the model, each at the first of its lines that computes something."""
    site = sites(library)
    found: dict[str, tuple[str, Site]] = {}
    for node in _nodes(program):
        own = [(path, cls) for path, cls in node.modules if not _is_layer(cls)]
        frames = [frame for frame in node.frames if not is_torchs(frame)]
        calls = [frame for frame in frames if frame.function.rpartition(".")[2] == "forward"]
        for at, (path, cls) in enumerate(own):
            if len(calls) == len(own):
                line = site([calls[at]])
            else:
                line = site(frames[:1] if at == 0 else frames[-1:]) if at in (0, len(own) - 1) else None
            if line is not None and (path not in found or line.line < found[path][1].line):
                found[path] = (cls.rpartition(".")[2], line)
    return [
        ModulePlace(path, name, span)
        for path, (name, line) in sorted(found.items())
        if name.isidentifier() and (span := places.span(line)) is not None
    ]


def _is_layer(cls: str) -> bool:
    """Whether a class is a layer or a container of torch, which is no part of the code that is looked at."""
    return dialects.layer(cls) is not None or dialects.container(cls) is not None


__all__ = ["NAME", "Loaded", "load"]
