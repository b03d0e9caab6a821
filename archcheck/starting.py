"""A spec that states what code does, judged against that very code before it is given out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from archcheck.describe.regions import layers
from archcheck.errors import ArchcheckError, GraphError, SpecError
from archcheck.findings import Verdict
from archcheck.ir.graph import OpGraph
from archcheck.pipeline import load_target, report_of
from archcheck.spec.build import read as read_spec
from archcheck.spec.new import Stated, exactly, starter
from archcheck.spec.plain import Plain, norms_of, plainly, stream_of
from archcheck.sweep import Progress, Read, Request, silent

FEED_FORWARD = "feed_forward"


@dataclass(frozen=True)
class _Part:
    """A part of what was read, which becomes a block."""

    read: Read
    graph: OpGraph
    repeat: int | None


def spec_text(
    request: Request, progress: Progress = silent, key: str = "", title: str = "", *, exact: bool = False
) -> str:
    """A spec that states the architecture of a target: layers where there are some, else all of it.

    Each block is judged against the code. One that does not hold as a person would write it is written with every
    attribute; where that is not judged to hold either, a comment says why.

    Args:
        exact: every attribute that the code tells is stated, to lock it.

    Raises:
        TargetError: the target cannot be found or read.
        ArchcheckError: nothing of it can be written as equations.
    """
    parts: dict[str, _Part] = {}
    for one in load_target(replace(request, explore=False), progress):
        variant, graph = one.reading.variants[0], one.graphs[0]
        found = layers(graph, variant.places, one.symbol, one.reading.span)
        for layer in found:
            times = layer.repeat if layer.op is not None and isinstance(layer.repeat, int) else None
            parts.setdefault(_block_name(layer.symbol), _Part(one, layer.graph, times))
        if not found:
            parts.setdefault(_block_name(one.symbol), _Part(one, graph, None))
    progress("writing it down")
    blocks, terms = _plain(parts) if not exact else ({}, {})
    errors: dict[str, str] = {}
    for name, part in parts.items():
        if name not in blocks:
            try:
                stated = exactly(part.graph, part.repeat)
            except GraphError as error:
                errors[name] = str(error)
                continue
            if why := _mistake(stated, {}):
                errors[name] = why
            else:
                blocks[name] = stated
    blocks = {name: blocks[name] for name in [*parts, FEED_FORWARD] if name in blocks}
    if not blocks:
        why = "; ".join(errors.values()) or "it computes nothing"
        raise ArchcheckError(f"{request.target} cannot be written as a spec: {why}", hint="name one of its layers")
    title = title or f"{request.target} as it is"
    key = key or "locked"

    def text() -> str:
        return starter(key, title=title, blocks=blocks, terms=terms)

    for name, why in _open(text(), parts, request).items():
        if name not in parts:  # the feed-forward's own block: what it says is not told for sure, and is left out
            blocks.pop(name, None)
            continue
        part = parts[name]
        blocks[name] = replace(blocks[name], notes=(_note(why),))
        for other in _others(part, blocks, terms):
            if not _reads(other, terms):
                continue
            before, blocks[name] = blocks[name], other
            if name not in _open(text(), parts, request):
                break
            blocks[name] = before
    for name, stated in blocks.items():
        if "opaque(" in stated.flow:
            note = "what stands as opaque(...) could not be read: say what it is, or leave it out"
            blocks[name] = replace(stated, notes=(*stated.notes, note))
    return text()


def _others(part: _Part, blocks: Mapping[str, Stated], terms: Mapping[str, str]) -> Iterator[Stated]:
    """Other ways to state a part, the shorter ones first."""
    norms = frozenset({terms["norm"]}) if "norm" in terms else frozenset()
    apart = FEED_FORWARD in blocks
    with suppress(GraphError):
        yield Stated.of(plainly(part.graph, norms, apart=apart, channels=True), part.repeat)
    with suppress(GraphError):
        yield Stated.of(plainly(part.graph, norms, apart=apart, opened=False), part.repeat)
    if len(part.graph.results) > 1:  # what comes out beside the stream is mostly handed on, and no equation of a paper
        with suppress(GraphError):
            yield Stated.of(plainly(stream_of(part.graph), norms, apart=apart), part.repeat)
    with suppress(GraphError):
        yield exactly(part.graph, part.repeat)


def _plain(parts: Mapping[str, _Part]) -> tuple[dict[str, Stated], dict[str, str]]:
    """Blocks as a person would write them, with the words that they use; those that cannot be are left out."""
    norms = frozenset(kind for part in parts.values() for kind in norms_of(part.graph))
    for apart in (FEED_FORWARD not in parts, False):
        found: dict[str, Plain] = {}
        for name, part in parts.items():
            for graph in (part.graph, stream_of(part.graph)):
                with suppress(GraphError):
                    one = plainly(graph, norms, apart=apart)
                    if _reads(Stated.of(one), dict(one.terms)):
                        found[name] = one
                        break
        inner = {plain.feed_forward for plain in found.values()} - {None}
        if len(inner) < 2:  # else they differ, and each says for itself what it is
            break
    blocks = {name: Stated.of(plain, parts[name].repeat) for name, plain in found.items()}
    terms = {word: meaning for plain in found.values() for word, meaning in plain.terms}
    for plain in inner:
        if plain is not None:
            blocks[FEED_FORWARD] = Stated.of(plain)
            terms |= dict(plain.terms)
    return blocks, terms


def _open(text: str, parts: Mapping[str, _Part], request: Request) -> dict[str, str]:
    """Blocks that do not hold of the code that they were written from, each with the reason."""
    spec = read_spec(text.encode(), "spec.yaml")
    found: dict[str, str] = {}
    for name in (block.id for block in spec.blocks):
        part = parts.get(name) or next(iter(parts.values()))
        report = report_of(part.read, spec, "spec.yaml", frozenset({name}), request)
        for claim in report.default.claims:
            if claim.verdict is not Verdict.HOLDS:
                why = claim.findings[0].message if claim.findings else "nothing was judged"
                found.setdefault(name, why)
    return found


def _reads(stated: Stated, terms: Mapping[str, str]) -> bool:
    """Whether equations say what was to be stated: some values that code gives side by side no equation can name."""
    return not _mistake(stated, terms)


def _mistake(stated: Stated, terms: Mapping[str, str]) -> str:
    try:
        read_spec(starter("one", blocks={"one": stated}, terms=terms).encode(), "spec.yaml")
    except SpecError as error:
        return error.problems[0].problem
    return ""


def _note(why: str) -> str:
    return f"archcheck cannot tell that the code does this: {' '.join(why.split())}"


def _block_name(symbol: str) -> str:
    """A class name as a block's name: "BertLayer" is bert_layer, "ViTLayer" vit_layer, "GRUCell" gru_cell."""
    between = r"(?<=[a-z0-9])(?=[A-Z][a-z]|[A-Z]{3})|(?<=[A-Z])(?=[A-Z][a-z])"
    return re.sub(between, "_", symbol.rpartition(".")[2]).lower()
