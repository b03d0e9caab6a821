"""`model.pt`: a TorchScript archive as a reading: its code, put into Python's own words, read by the static reader."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from archcheck.errors import TargetError
from archcheck.frontends.saved import Loaded
from archcheck.frontends.static import reader as static
from archcheck.frontends.static.exports import similar
from archcheck.frontends.static.library import Library, Package
from archcheck.frontends.static.reader import Reading, Unread, Variant
from archcheck.frontends.static.sources import SourceFile, SpelledFile
from archcheck.frontends.static.tree import ModulePlace
from archcheck.frontends.torch_export.archive import Archive
from archcheck.frontends.torch_export.contents import Content, of_archive, refuse, within
from archcheck.frontends.torch_export.sites import sites
from archcheck.frontends.torch_script.lines import Lines
from archcheck.frontends.torch_script.pickles import Object, PickleError, loads
from archcheck.frontends.torch_script.sizes import sized
from archcheck.frontends.torch_script.writing import LIBRARY, PACKAGE, PROGRAM, Writer, Written
from archcheck.frontends.trace.replay import Places
from archcheck.ir.graph import AttrValue, Op, OpGraph, Origin, Unknown, attrs
from archcheck.ir.span import Setting, Span, Step

NAME = "torch_script"  # of this frontend
_EVAL = "the model was saved in eval mode, in which dropout does nothing: save it in train mode to judge dropout"
_TRACED = "it was traced: it tells the way that one call took, and not what code asked on that way"
_NOT_READ = "what the tensor holds is not read"
_PARTS = "parts of it were saved in another mode than the whole, and are read in that mode"

Moved = Callable[[Span | None], Span | None]


class _Files(Library):
    """A library of files that were written in memory."""

    def __init__(self, files: dict[str, SourceFile]) -> None:
        super().__init__(())
        self.files = files

    def _search(self, dotted: str) -> tuple[SourceFile | None, Package | None]:
        return self.files.get(dotted), Package(PACKAGE, None, ()) if dotted == PACKAGE else None


def load(path: Path, library: Library, shown: str, choice: str = "", *, training: bool = True) -> Loaded:
    """The graph of a TorchScript archive; nothing of it runs, and nothing is unpickled.

    Args:
        path: of the file.
        library: the sources among which its lines of code may lie.
        shown: how reports call the file.
        choice: a method of the model; "" for `forward`.
        training: the mode that is asked for, where the archive can be read in both.

    Raises:
        TargetError: it is no such file, is refused, or makes no sense.
    """
    with Archive(path, shown) as archive:
        if (content := of_archive(archive)) is not Content.TORCHSCRIPT:
            raise refuse(content, shown)
        inside = within(archive)
        model = _loaded(archive, inside, "data.pkl")
        if not isinstance(model, Object) or not isinstance(model.state, dict):
            raise TargetError("it holds no module", place=shown, hint="torch.jit.save(module, FILE) saves one")
        writer = Writer(archive, model, _loaded(archive, inside, "constants.pkl"), inside, training)
        try:
            symbol = writer.write()
        except RecursionError:
            raise archive.refused("its code or its objects nest too deeply") from None
        _check_method(writer, model, choice, shown)
        mode = training if writer.reads_mode else writer.mode()
        lines = Lines(archive, sites(library))
        moved = _moved(writer.program, shown, lines, Places(library))
        reading = _read(writer, f"{symbol}.{choice}" if choice else symbol, shown, training=mode)
        reading = _told(reading, writer.symbols, moved, shown)
    more = [*writer.assumed]
    if lines.traced:
        more.append(_TRACED)
    if not mode and not (writer.reads_mode and not training):
        more.append(_EVAL)
    if writer.frozen:
        more.append(_PARTS)
    reading = replace(reading, assumptions=tuple(dict.fromkeys((*reading.assumptions, *more))))
    return Loaded(reading, mode)


def _loaded(archive: Archive, inside: Mapping[str, str], name: str) -> Any:
    if name not in inside:
        return ()
    try:
        return loads(archive.read(inside[name]), name)
    except PickleError as error:
        raise archive.refused(str(error)) from None


def _check_method(writer: Writer, model: Object, choice: str, shown: str) -> None:
    node = writer.define(model.cls).node
    methods = [one.name for one in node.body if isinstance(one, ast.FunctionDef)]
    if (choice or "forward") not in methods:
        near = similar(choice, methods) or tuple(methods[:6])
        hint = f"it has {', '.join(near)}" if near else "it has no methods"
        raise TargetError(f'the model has no method "{choice or "forward"}"', place=shown, hint=hint)


def _read(writer: Writer, symbol: str, shown: str, *, training: bool) -> Reading:
    program = SourceFile(PROGRAM, Path(), shown, is_package=False)
    program.__dict__["text"] = writer.program.text  # the place of a cached property
    library = SpelledFile(LIBRARY, writer.library.text)
    files = _Files({PROGRAM: program, LIBRARY: library})
    return static.read(files, PROGRAM, symbol, training=training, explore=False)


# ---- places: lines of what was written → lines of what it was written from


def _moved(program: Written, shown: str, lines: Lines, places: Places) -> Moved:
    """A function that gives the place that stands for one in the file that was written."""
    known: dict[int, Span | None] = {}

    def moved(span: Span | None) -> Span | None:
        if span is None:
            return None
        if span.file == LIBRARY:
            return Span(shown, 1)
        if span.file != shown:
            return span
        if span.line not in known:
            origin = program.origins[span.line - 1] if 0 < span.line <= len(program.origins) else None
            site = lines.site(*origin) if origin is not None else None
            at = places.span(site) if site is not None else None
            if at is None and origin is not None:
                at = Span(origin[0].shown, getattr(origin[1], "lineno", 1))
            known[span.line] = at or Span(shown, 1)
        return known[span.line]

    return moved


def _told(reading: Reading, symbols: Mapping[str, str], moved: Moved, shown: str) -> Reading:
    """A reading in the words and places of the archive."""
    word = _words(symbols)
    variants = tuple(_variant(one, word, moved) for one in reading.variants)
    return replace(
        reading,
        symbol=word(reading.symbol),
        span=moved(reading.span) or Span(shown, 1),
        variants=variants,
        assumptions=tuple(word(text) for text in reading.assumptions),
        consulted=tuple(_setting(one, moved) for one in reading.consulted),
    )


def _words(symbols: Mapping[str, str]) -> Callable[[str], str]:
    def word(text: str) -> str:
        if "__" in text or PACKAGE in text:
            text = text.replace(f"{LIBRARY}.", "torch.").replace(f"{PROGRAM}.", "")
            for name in sorted(symbols, key=len, reverse=True):
                if name in text:
                    text = text.replace(name, symbols[name])
        return text

    return word


def _variant(one: Variant, word: Callable[[str], str], moved: Moved) -> Variant:
    graph = one.graph
    origin = Origin(NAME, word(graph.origin.entry), graph.origin.mode)
    return replace(
        one,
        graph=OpGraph(sized(tuple(_op(op, word, moved) for op in graph.ops)), graph.results, origin),
        unread=tuple(Unread(word(told.what), word(told.why), moved(told.span)) for told in one.unread),
        error=word(one.error),
        error_span=moved(one.error_span),
        places=tuple(
            ModulePlace(place.path, word(place.symbol), span)
            for place in one.places
            if place.span.file != LIBRARY and (span := moved(place.span)) is not None
        ),
    )


def _op(op: Op, word: Callable[[str], str], moved: Moved) -> Op:
    told = {one.name: _value(one.value, word, moved) for one in op.attrs}
    if op.kind.name == "constant" and told.get("value") == "uninitialised":
        told["value"] = Unknown(_NOT_READ, moved(op.span))  # only its shape was written
    return replace(
        op,
        attrs=attrs(**told),
        body=tuple(_op(inner, word, moved) for inner in op.body),
        span=moved(op.span),
        because=tuple(_setting(one, moved) for one in op.because),
    )


def _value(value: AttrValue, word: Callable[[str], str], moved: Moved) -> AttrValue:
    if isinstance(value, Unknown):
        return replace(value, why=word(value.why), span=moved(value.span))
    if isinstance(value, tuple):
        return tuple(_value(one, word, moved) for one in value)
    return word(value) if isinstance(value, str) else value


def _setting(one: Setting, moved: Moved) -> Setting:
    trail = tuple(Step(step.function, span) for step in one.trail if (span := moved(step.span)) is not None)
    return replace(one, span=moved(one.span), trail=trail)
