"""Which part of the code a block of the spec is about: found by structure, or pinned by the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from archcheck.describe.regions import Region, alone, as_graph, inside, region_of
from archcheck.frontends.static.reader import ModulePlace
from archcheck.ir.equivalences import JOINED
from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.ops import Tier, kind
from archcheck.judging.occurrences import EXACT, Occurrence, covers_most, search
from archcheck.judging.rewrites import Rewritten, rewritten
from archcheck.passes.structure import Sublayer, sublayers
from archcheck.passes.write_out import written_out

INPUT, LINEAR = kind("input"), kind("linear")
LOOSE = "by most of its sublayers"
BY_OPS = "by its ops"
NEARLY = "by most of its ops"
ATTENTION_SUBLAYERS = frozenset({"self_attention", "cross_attention"})


class Form(Enum):
    """What a block's claim is stated over."""

    LAYER = "a layer"  # residual streams around sublayers
    INSIDE = "the inside of a sublayer"
    OP = "one op"
    WIRING = "wiring"


@dataclass(frozen=True, slots=True)
class Target:
    """One part of the code that a claim is held against; in another spelling where `form` is given."""

    graph: OpGraph
    region: Region
    how: str
    form: Rewritten | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """A block's claim in canonical form, and what it is stated over.

    Of code in eval mode, `graph` is without the dropouts that the claim states; `hides` says that it states some.
    """

    graph: OpGraph
    form: Form
    sublayers: tuple[Sublayer, ...]
    kind: str  # of the one op, where the claim is about one
    hides: bool = False
    whole: OpGraph | None = None  # of the inside of a sublayer: with the sublayer around it

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(sublayer.kind for sublayer in self.sublayers)

    @property
    def is_hidden(self) -> bool:
        """Whether it states dropout and nothing else."""
        return self.hides and all(op.kind is INPUT for op in self.graph.ops)


def expectation(graph: OpGraph) -> Expected:
    """What a claim's canonical graph is stated over."""
    graph = replace(graph, ops=tuple(_silent(op) for op in graph.ops))
    ops = [op for op in graph.ops if op.kind is not INPUT]
    found = sublayers(graph.ops)
    if len(ops) == 1 and ops[0].kind.tier is Tier.STRUCTURE and ops[0].body and ops[0].kind.family == "sublayer":
        within = [op for op in ops[0].body if op.kind is not INPUT]
        if len(within) == 1 and within[0].kind.tier is Tier.LAYER:  # a formula: `softmax(q @ k.T) @ v` is an attention
            return Expected(alone(within[0]), Form.OP, found, within[0].kind.name)
        return Expected(as_graph(ops[0]), Form.INSIDE, found, ops[0].kind.name, whole=graph)
    if len(ops) == 1 and ops[0].kind.tier is Tier.LAYER:
        return Expected(graph, Form.OP, found, ops[0].kind.name)
    return Expected(graph, Form.LAYER if found else Form.WIRING, found, "")


def _silent(op: Op) -> Op:
    """`op` without `causal=False` where it was read off a formula: one that has no mask says nothing about masks, and
    a product with a weight nothing about a bias."""
    body = tuple(_silent(inner) for inner in op.body)
    if op.kind.name in ("attention", *ATTENTION_SUBLAYERS) and body and op.attr("causal") is False:
        return replace(op, body=body, attrs=tuple(attr for attr in op.attrs if attr.name != "causal"))
    if op.kind is LINEAR and body and op.attr("bias") is False:
        return replace(op, body=body, attrs=tuple(attr for attr in op.attrs if attr.name != "bias"))
    return replace(op, body=body) if body else op


def bind(
    expected: Expected,
    block: str,
    whole: OpGraph,
    layers: tuple[Region, ...],
    places: tuple[ModulePlace, ...],
    symbol: str,
    pinned: Mapping[str, str],
    taken: frozenset[int],
    meant: bool = False,
    others: Sequence[Occurrence] = (),
) -> tuple[Target, ...]:
    """The parts of the code that a block is about; none where structure does not tell, or the code does not show it.

    Args:
        pinned: block -> class, function or module path, as the user says it.
        taken: numbers of the layers that another block fits exactly.
        meant: whether the user says that the block is about the code, by naming both.
        others: where the paper's other equations are computed.
    """
    if expected.is_hidden:
        return ()
    if block in pinned:
        return tuple(_pinned(expected, pinned[block], whole, layers, places, symbol))
    found: Iterator[Target]
    if expected.form is Form.LAYER and is_written(expected):
        exact = tuple(_equation(expected, whole, places, symbol, False, others))
        near = [region for region in layers if _is_one(expected, region)]
        found = iter(exact) if exact else _layer(expected, tuple(near), taken)
    elif expected.form is Form.LAYER:
        found = _layer(expected, layers, taken)
    elif expected.form is Form.INSIDE:
        kinds = ATTENTION_SUBLAYERS if expected.kind in ATTENTION_SUBLAYERS else frozenset({expected.kind})
        regions = inside(whole, places, symbol, kinds)
        found = (Target(region.graph, region, "by its kind") for region in regions)
    elif expected.form is Form.OP:
        found = _single(expected.kind, whole, symbol)
    else:
        found = iter(())
    return tuple(found) or tuple(_equation(expected, whole, places, symbol, meant, others))


def _equation(
    expected: Expected,
    whole: OpGraph,
    places: tuple[ModulePlace, ...],
    symbol: str,
    meant: bool,
    others: Sequence[Occurrence],
) -> Iterator[Target]:
    """Where an equation is computed; where it is meant to be, also where it nearly is, or the code as a whole."""
    if not is_written(expected):
        return
    equation = expected.whole or expected.graph
    found = search(equation, whole, others)
    form: Rewritten | None = None
    if not found.exact:
        for other in rewritten(written_out(equation), written_out(whole)):
            spelled = search(equation, other.graph, others)
            if spelled.exact or (form is None and spelled.graphs and JOINED in other.used):
                found, form = spelled, other
            if found.exact:
                break
    lines = {other.root.span for other in others if other.cost == EXACT}
    beside = any(op.span in lines for op in found.about)  # of one class: some of its layers are what the paper states
    if found.exact or (found.graphs and beside) or (len(found.graphs) == 1 and meant):
        how = BY_OPS if found.exact else NEARLY
        for graph in found.graphs:
            yield Target(graph, region_of(graph, places, symbol, None), how, form)
    elif meant and not found.why and covers_most(equation, whole):
        yield Target(whole, Region(whole, "", symbol, None, sublayers(whole.ops)), NEARLY)


def _layer(expected: Expected, layers: tuple[Region, ...], taken: frozenset[int]) -> Iterator[Target]:
    exact = [region for region in layers if fits(expected, region)]
    if exact:
        return (Target(region.graph, region, "by its sublayers") for region in exact)
    added = any(sublayer.ops("a") for sublayer in expected.sublayers)
    shares = [
        (_overlap(expected, region), region)
        for at, region in enumerate(layers)
        if at not in taken and (not added or any(sublayer.ops("a") for sublayer in region.sublayers))
    ]  # a bare attention or feed-forward is a part of a layer, not a layer that lacks the rest
    best = max((share for share, _ in shares), default=0.0)
    chosen = [region for share, region in shares if share == best and share >= 0.5]
    return (Target(region.graph, region, LOOSE) for region in chosen)


def _is_one(expected: Expected, region: Region) -> bool:
    """Whether a layer may be one of those that a claim states, and is not a network of many."""
    return len(region.sublayers) <= len(expected.sublayers) or covers_most(expected.graph, region.graph)


def is_equation(expected: Expected) -> bool:
    """Whether a claim states no layers around a stream, which are known by their sublayers, but what is computed."""
    return not any(sublayer.ops("a") for sublayer in expected.sublayers)


def is_written(expected: Expected) -> bool:
    """Whether a claim is best shown as an equation: no attention and no feed-forward stands in it under its name."""
    return is_equation(expected) or all(sublayer.kind in ("conv", "other") for sublayer in expected.sublayers)


def fits(expected: Expected, region: Region) -> bool:
    """Whether a layer has the sublayers that a claim states, in their order; what was not recognised fits any."""
    stated, found = expected.kinds, region.kinds
    if len(found) % len(stated):
        return False
    periods = [found[at : at + len(stated)] for at in range(0, len(found), len(stated))]
    return all(
        all(one == other or "other" in (one, other) for one, other in zip(stated, period, strict=True))
        for period in periods
    )


def _overlap(expected: Expected, region: Region) -> float:
    stated, found = list(expected.kinds), list(region.kinds)
    shared = sum(min(stated.count(name), found.count(name)) for name in set(stated))
    return shared / max(len(stated), len(found), 1)


def _single(kind_name: str, whole: OpGraph, symbol: str) -> Iterator[Target]:
    for op in whole.walk():
        if kind(kind_name).covers(op.kind):
            region = Region(alone(op), op.path.rpartition("/")[0], symbol, op.span, (), op)
            yield Target(region.graph, region, "by its kind")


def _pinned(
    expected: Expected,
    name: str,
    whole: OpGraph,
    layers: tuple[Region, ...],
    places: tuple[ModulePlace, ...],
    symbol: str,
) -> Iterator[Target]:
    how = f"by --bind {name}"
    matching = [region for region in layers if name in (region.symbol, region.place)]
    if matching:
        yield from (Target(region.graph, region, how) for region in matching)
        return
    if name == symbol:
        yield Target(whole, Region(whole, "", symbol, None, sublayers(whole.ops)), how)
        return
    paths = {place.path for place in places if name in (place.symbol, place.path)}
    for op in whole.walk():
        place = op.path.rpartition("/")[0]
        if op.body and any(place == path or place.startswith(f"{path}.") for path in paths) and _is_whole(op, paths):
            yield Target(as_graph(op), Region(as_graph(op), place, name, op.span, sublayers(op.body), op), how)


def _is_whole(op: Op, paths: set[str]) -> bool:
    """Whether all that `op` holds stands under one of `paths`."""
    return all(
        any((inner.path.rpartition("/")[0] + ".").startswith(f"{path}.") for path in paths)
        for outer in op.body
        for inner in outer.walk()
        if inner.kind is not INPUT
    )
