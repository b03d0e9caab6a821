"""Wiring: what feeds what, in chains of ops or of modules, where a model is more than a stack of residual sublayers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from archcheck.describe.regions import Region, stated, window
from archcheck.frontends.static.reader import ModulePlace
from archcheck.ir.graph import AttrValue, Op, OpGraph, Unknown, Value
from archcheck.passes.kinds import (
    ATTENTIONS,
    CONV,
    CONVOLUTION,
    CONVS,
    INPUT,
    LINEAR,
    NORMS,
    OPAQUE,
    POOL,
    RECURRENT,
    REPEAT,
    RESIDUAL,
    SOURCES,
    VIEWS,
)

MOST = 40  # ops; where there are more, modules are shown
DEEPEST = 4  # modules in modules that are looked at
MOST_WORDS = 12  # of what stands inside a residual or a repeat
_COUNTED = CONVS | ATTENTIONS | RECURRENT | {LINEAR, POOL}


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps that run one after the other.

    Attributes:
        name: by which others refer to its result: "a".
        steps: in words: "conv 3x3 stride 2", "batch norm", "concat axis 1", "encoder: Encoder".
        of: names of the chains and inputs that feed its first step, in order.
        line: of its first step; None where that stands nowhere.
    """

    name: str
    steps: tuple[str, ...]
    of: tuple[str, ...]
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Wiring:
    """Chains in the order in which they run, and the names of those that the model gives."""

    chains: tuple[Chain, ...]
    results: tuple[str, ...]


def wiring(graph: OpGraph, layers: Sequence[Region], places: Iterable[ModulePlace]) -> Wiring | None:
    """The wiring of a model; None where its sublayers tell most of what it computes.

    Args:
        graph: in canonical form.
        layers: what was recognised in it.
        places: where the classes of the code stand in the module tree.
    """
    sublayers = [sublayer for layer in layers for sublayer in layer.sublayers if sublayer.residual is not None]
    cores = [sublayer.core for sublayer in sublayers if sublayer.core is not None]
    told = sum(op.kind in _COUNTED for core in cores for op in core.walk())
    whole = sum(op.kind in _COUNTED for op in graph.walk())
    if not whole or 2 * told >= whole:
        return None
    nodes = _nodes(graph)
    if all(node.op.kind is INPUT for node in nodes):
        return None  # what it gives depends on nothing that it is given
    if len(nodes) <= MOST:
        return _chains(nodes)
    symbols = {place.path: place.symbol for place in places}
    # As deep as there is room for; elements of lists apart, where there is room for them.
    sights = [(depth, numbered) for numbered in (True, False) for depth in range(DEEPEST, 0, -1)]
    levels = [_modules(nodes, symbols, *sight) for sight in sights]
    return _chains(next((level for level in levels if len(level) <= MOST), levels[-1]))


@dataclass(slots=True)
class _Node:
    """An op, or the ops of a module that run one after the other."""

    op: Op
    words: str
    inputs: list[int] = field(default_factory=list)
    is_result: bool = False


def _nodes(graph: OpGraph) -> list[_Node]:
    """The ops that what is given depends on, and that depend on an input; views are left out."""
    ops = list(_flat(graph.ops))
    at = {op.path: op for op in ops}
    live: set[str] = set()
    waiting = [value.op for value in graph.results]
    while waiting:
        path = waiting.pop()
        if path not in live and path in at:
            live.add(path)
            waiting += [value.op for value in (*at[path].reads, *_given_by(at[path]))]
    node_of: dict[str, int] = {}  # op -> the node that gives what it gives
    nodes: list[_Node] = []
    for op in ops:
        if op.path not in live:
            continue
        if given := [node_of[value.op] for value in _given_by(op) if value.op in node_of]:
            node_of[op.path] = given[0]
            continue
        inputs = [node_of[value.op] for value in op.reads if value.op in node_of]
        if op.kind in VIEWS and inputs:
            node_of[op.path] = inputs[0]
        elif op.kind is INPUT or (inputs and op.kind not in SOURCES):
            node_of[op.path] = len(nodes)
            nodes.append(_Node(op, _words(op), list(dict.fromkeys(inputs))))
    for value in graph.results:
        if value.op in node_of:
            nodes[node_of[value.op]].is_result = True
    return nodes


def _flat(ops: Iterable[Op]) -> Iterator[Op]:
    """The ops of a graph; a branch of convolutions comes behind its own ops."""
    for op in ops:
        if op.kind is CONVOLUTION:
            yield from _flat(op.body)
        yield op


def _given_by(op: Op) -> tuple[Value, ...]:
    """The values that a branch of convolutions gives."""
    return op.results if op.kind is CONVOLUTION and op.body else ()


def _modules(nodes: list[_Node], symbols: dict[str, str], depth: int, numbered: bool) -> list[_Node]:
    """The same with the ops of each part of the model as one, where they run one after the other."""
    grouped: list[list[int]] = []
    before = ""
    for number, node in enumerate(nodes):
        place = _part(node.op, depth, numbered)
        if place and place == before:
            grouped[-1].append(number)
        else:
            grouped.append([number])
        before = place
    group_of = {number: at for at, group in enumerate(grouped) for number in group}
    found: list[_Node] = []
    for at, group in enumerate(grouped):
        place = _part(nodes[group[0]].op, depth, numbered)
        few = ", ".join(nodes[number].words for number in group)
        symbol = symbols.get(place, "")
        words = few
        if place and (symbol or len(group) > 3):
            first = nodes[group[0]].op
            words = f"{_times(first) if len(group) == 1 else ''}{place}{symbol and f': {symbol}'}"
        inputs = [group_of[given] for number in group for given in nodes[number].inputs if group_of[given] != at]
        is_result = any(nodes[number].is_result for number in group)
        found.append(_Node(nodes[group[0]].op, words, list(dict.fromkeys(inputs)), is_result))
    return found


def _part(op: Op, depth: int, numbered: bool) -> str:
    """The part of the model in which an op stands, so deep: "stem", "blocks.3"; "" for the model itself."""
    words = op.path.rpartition("/")[0].split(".")
    end = 0
    for _ in range(depth):
        end += 1
        while numbered and end < len(words) and words[end].isdecimal():
            end += 1
    return ".".join(words[:end])


def _chains(nodes: list[_Node]) -> Wiring:
    readers = [0] * len(nodes)
    for node in nodes:
        for given in node.inputs:
            readers[given] += 1
    chain_of: dict[int, int] = {}
    chains: list[list[int]] = []
    for number, node in enumerate(nodes):
        (only,) = node.inputs if len(node.inputs) == 1 else (None,)
        goes_on = only is not None and readers[only] == 1 and nodes[only].op.kind is not INPUT
        if goes_on and only is not None and not nodes[only].is_result:
            chain_of[number] = chain_of[only]
            chains[chain_of[number]].append(number)
        else:
            chain_of[number] = len(chains)
            chains.append([number])
    names: list[str] = []
    inputs = {str(node.op.attr("name")) for node in nodes if node.op.kind is INPUT}
    letters = (letter for letter in _letters() if letter not in inputs)
    told: list[Chain] = []
    for chain in chains:
        first = nodes[chain[0]]
        if first.op.kind is INPUT:
            names.append(str(first.op.attr("name")))
            continue
        names.append(next(letters))
        steps = tuple(nodes[number].words for number in chain)
        of = tuple(names[chain_of[given]] for given in first.inputs)
        told.append(Chain(names[-1], steps, of, first.op.span.line if first.op.span is not None else None))
    results = dict.fromkeys(names[chain_of[number]] for number, node in enumerate(nodes) if node.is_result)
    return Wiring(tuple(told), tuple(results))


def _letters() -> Iterator[str]:
    """a, b, ... z, a1, b1, ..."""
    turn = 0
    while True:
        yield from (f"{chr(ord('a') + at)}{turn or ''}" for at in range(26))
        turn += 1


# ---- ops in words


def _words(op: Op) -> str:
    """An op as papers write it: "conv 3x3 stride 2", "linear 512 -> 10", "concat axis 1"."""
    name = op.kind.name.replace("_", " ")
    if op.kind is POOL:
        return window(op)
    if op.kind in CONVS:
        return f"conv {window(op)}" if op.kind is CONV else window(op).replace("transposed", "transposed conv", 1)
    if op.kind is LINEAR:
        sizes = [op.attr("in_features"), op.attr("out_features")]
        return f"linear {sizes[0]} -> {sizes[1]}" if all(isinstance(size, int) for size in sizes) else name
    if op.kind is OPAQUE:
        return f"? {op.attr('name')}"
    if op.kind in (RESIDUAL, REPEAT, CONVOLUTION) and op.body:
        return _body(op)
    axis, index = (op.attr("axis") if op.kind not in NORMS else None), op.attr("index")
    details = [str(index)] if isinstance(index, int) else []
    details += [f"axis {axis}"] if isinstance(axis, (int, tuple)) else []
    details += [f"by {op.attr('by')}"] if _is_plain(op.attr("by")) else []
    details += [str(value) for part, value in stated(op) if part == "activation"]
    return " ".join([name, *details])


def _body(op: Op) -> str:
    inside = [_words(one) for one in op.body if one.kind not in SOURCES and one.kind not in VIEWS]
    said = ", ".join(inside[:MOST_WORDS]) + (f", and {len(inside) - MOST_WORDS} more" if inside[MOST_WORDS:] else "")
    if op.kind is RESIDUAL:
        return f"residual ({said})"
    return f"{_times(op)}({said})" if op.kind is REPEAT else said


def _times(op: Op) -> str:
    count = op.attr("count")
    return f"{'n' if isinstance(count, Unknown) else count} x " if op.kind is REPEAT else ""


def _is_plain(value: AttrValue | Value) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)
