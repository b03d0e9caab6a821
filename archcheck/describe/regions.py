"""The parts of a canonical graph that a claim or a description can be about: layers, sublayers, single ops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from archcheck.frontends.static.reader import ModulePlace
from archcheck.ir.graph import Op, OpGraph, Unknown, Value
from archcheck.ir.ops import kind
from archcheck.ir.span import Span
from archcheck.ir.verify import free_values
from archcheck.passes.kinds import CONV, CONVS, POOL
from archcheck.passes.structure import Sublayer, sublayers

REPEAT, INPUT = kind("repeat"), kind("input")
WINDOWS = CONVS | {POOL}


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a graph, as a graph of its own.

    `place` is the module path that all its ops share, `symbol` the class or function that stands there, `op` the repeat
    or sublayer that it was taken from (None: the whole graph), `repeat` how often it stands in a row.
    """

    graph: OpGraph
    place: str
    symbol: str
    span: Span | None
    sublayers: tuple[Sublayer, ...]
    op: Op | None = None
    repeat: int | Unknown = 1
    unrolled: bool = False  # it holds elements of a list of modules that are not repeated: they differ

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its sublayers, in order."""
        return tuple(sublayer.kind for sublayer in self.sublayers)

    @property
    def signature(self) -> str:
        """Its sublayers with their signatures, in one line."""
        return "; ".join(f"{sublayer.kind}: {sublayer.signature}" for sublayer in self.sublayers)


def layers(graph: OpGraph, places: Iterable[ModulePlace], symbol: str, span: Span | None) -> tuple[Region, ...]:
    """The layers of a model: what is repeated, or the graph itself where its sublayers are not.

    Args:
        graph: in canonical form.
        places: where the classes of the code stand in the module tree.
        symbol: of the target, for ops that stand under no class.
        span: of the target.
    """
    by_path = {place.path: place for place in places}
    repeats = [op for op in graph.walk() if op.kind is REPEAT]
    found = [_region(op, by_path, symbol, span) for op in repeats]
    found = [region for region in found if region.sublayers]
    rest = tuple(op for op in graph.ops if op.kind is not REPEAT)
    outside = sublayers(rest)
    if outside:
        elements = _elements(outside)
        if elements:  # what stands around them is the model's: embeddings, heads
            rest = tuple(op for op in rest if element(op) in elements)
            outside = sublayers(rest)
        place = common_place(rest) if elements else ""
        found.insert(
            0,
            Region(
                _beside(graph, rest),
                place,
                _symbol(place, by_path, symbol),
                _span(place, by_path, span),
                outside,
                unrolled=bool(elements),
            ),
        )
    if repeats and outside and not is_stack(found):  # one layer, in which a part is repeated
        return (Region(graph, "", _symbol("", by_path, symbol), _span("", by_path, span), sublayers(graph)),)
    return tuple(found)


def is_stack(found: Sequence[Region]) -> bool:
    """Whether these are the layers of a model, and not one layer in which a part is repeated."""
    repeats = [region for region in found if region.op is not None]
    alone = len(repeats) == len(found)
    unrolled = any(region.unrolled for region in found)
    return unrolled or (bool(repeats) and (alone or any(len(region.sublayers) > 1 for region in repeats)))


def _elements(found: Iterable[Sublayer]) -> frozenset[str]:
    """The elements of a list of modules that are the layers of a model, which are not repeated: they differ, or it is
    not known how many there are. Empty where what stands beside the repeats is the layer itself."""
    places = Counter(element(sublayer.residual) for sublayer in found if sublayer.residual is not None)
    return frozenset() if not places or "" in places or min(places.values()) < 2 else frozenset(places)


def element(op: Op) -> str:
    """The first element of a list of modules in the place of an op: "layers.0" of "layers.0.attention/7.linear"."""
    parts = op.path.rpartition("/")[0].split(".")
    number = next((at for at, part in enumerate(parts) if part.isdecimal()), None)
    return "" if number is None else ".".join(parts[: number + 1])


def _beside(graph: OpGraph, rest: tuple[Op, ...]) -> OpGraph:
    """What stands beside the repeats of a graph, as a graph of its own: what a repeat gives is an input of it."""
    own = {op.path for op in rest}
    read = [value for op in graph.ops if op.path not in own for value in op.reads if value.op in own]
    results = tuple(dict.fromkeys([*(value for value in graph.results if value.op in own), *read]))
    inputs: dict[str, Op] = {}
    for value in free_values(rest, results):
        inputs.setdefault(value.op, Op(value.op, INPUT))
    return OpGraph((*inputs.values(), *rest), results, graph.origin)


STATED = ("activation", "heads", "kv_heads", "d_ff", "experts", "gated")


def stated(core: Op | None) -> tuple[tuple[str, int | str], ...]:
    """What a description says of a sublayer's core besides its kind: `heads`, `d_ff`, and whether it is gated."""
    found: list[tuple[str, int | str]] = []
    for name in STATED if core is not None else ():
        value = core.attr(name) if core is not None else None
        if value is True or (isinstance(value, (int, str)) and not isinstance(value, bool)):
            found.append((name, value))
    return tuple(found)


def convolutions(core: Op | None) -> tuple[str, ...]:
    """The convolutions and pools of a sublayer in the order in which they run: "1x1", "3x3 stride 2 groups 32"."""
    found = core.walk() if core is not None and core.body else [core] if core is not None else []
    return tuple(window(op) for op in found if op.kind in WINDOWS)


def window(op: Op) -> str:
    """What a convolution or a pool is moved over, as papers write it: "3x3 stride 2 groups 32", "max pool 2x2"."""
    axes = op.attr("axes")
    size = op.attr("size")
    if op.kind is POOL and op.attr("kernel") is None:
        everything = op.attr("scope") == "global" or set(size if isinstance(size, tuple) else (size,)) == {1}
        to = "" if everything else f" to {_sizes(size, axes if isinstance(axes, int) else 1)}"
        return f"{'global ' if everything else ''}{op.attr('mode')} pool{to}"
    words = [_sizes(op.attr("kernel"), axes if isinstance(axes, int) else 1)]
    for name, usual in (("stride", 1), ("dilation", 1), ("groups", 1)):
        value = op.attr(name)
        if op.kind is POOL and name == "groups":
            continue
        if op.kind is POOL and name == "stride":  # where nothing is said it is the kernel's
            words += [] if value in (None, op.attr("kernel")) else [f"stride {_plain(value)}"]
            continue
        if name == "groups" and value == op.attr("in_features") and value != 1:
            words.append("depthwise")
        elif value is not None and set(value if isinstance(value, tuple) else (value,)) != {usual}:
            words.append(f"{name} {_plain(value)}")
    if op.kind is POOL:
        words.insert(0, f"{op.attr('mode')} pool")
    elif op.kind is not CONV:
        words.insert(0, "transposed")
    return " ".join(words)


def _sizes(kernel: object, axes: int) -> str:
    """A kernel as papers write it: 3x3; 1x7 where its axes differ."""
    sizes = kernel if isinstance(kernel, tuple) else (kernel,) * axes
    return "x".join(_plain(size) for size in sizes)


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return "x".join(_plain(part) for part in value) if len(set(value)) > 1 else _plain(value[0])
    return str(value) if isinstance(value, int | str) else "?"


def inside(graph: OpGraph, places: Iterable[ModulePlace], symbol: str, kinds: frozenset[str]) -> Iterator[Region]:
    """Every op of one of `kinds` that has a body, at any depth, as a graph of its own."""
    by_path = {place.path: place for place in places}
    for op in graph.walk():
        if op.kind.name in kinds and op.body:
            yield _region(op, by_path, symbol, op.span)


def as_graph(op: Op) -> OpGraph:
    """The body of `op` as a graph: what it reads from outside becomes its inputs."""
    inputs: dict[str, Op] = {}
    for value in free_values(op.body, op.results):
        inputs.setdefault(value.op, Op(value.op, INPUT))
    return OpGraph((*inputs.values(), *op.body), op.results)


def alone(op: Op) -> OpGraph:
    """A graph of `op` alone: what it reads becomes its inputs."""
    inputs = {value.op: Op(value.op, INPUT) for value in op.reads}
    return OpGraph((*inputs.values(), op), (Value(op.path),))


def region_of(graph: OpGraph, places: Iterable[ModulePlace], symbol: str, span: Span | None) -> Region:
    """A part of a graph that was cut out of it, under the class whose ops it holds."""
    by_path = {place.path: place for place in places}
    place = common_place(graph.ops)
    return Region(graph, place, _symbol(place, by_path, symbol), span, sublayers(graph.ops))


def _region(op: Op, by_path: dict[str, ModulePlace], symbol: str, span: Span | None) -> Region:
    count = op.attr("count")
    place = common_place(op.body)
    found = _above(place, by_path)
    return Region(
        as_graph(op),
        found.path if found is not None and found.path else place,
        _symbol(place, by_path, symbol),
        _span(place, by_path, span or op.span),
        sublayers(op.body),
        op,
        count if isinstance(count, (int, Unknown)) else 1,
    )


def common_place(ops: Iterable[Op]) -> str:
    """The longest module path under which all of `ops` stand.

    What they hold inside does not count: a mask or a table of rotary angles that a layer uses is made once, elsewhere.
    """
    places = [op.path.rpartition("/")[0].split(".") for op in ops if op.kind is not INPUT]
    shared = places[0] if places else []
    for parts in places[1:]:
        same = next((at for at, (one, other) in enumerate(zip(shared, parts, strict=False)) if one != other), None)
        shared = shared[: min(len(shared), len(parts)) if same is None else same]
    return ".".join(shared)


def _symbol(place: str, by_path: dict[str, ModulePlace], symbol: str) -> str:
    found = _above(place, by_path)
    return found.symbol if found else symbol


def _span(place: str, by_path: dict[str, ModulePlace], span: Span | None) -> Span | None:
    found = _above(place, by_path)
    return found.span if found else span


def _above(place: str, by_path: dict[str, ModulePlace]) -> ModulePlace | None:
    """The class at `place`, or the nearest one above it."""
    while True:
        if place in by_path:
            return by_path[place]
        if not place:
            return None
        place = place.rpartition(".")[0]
