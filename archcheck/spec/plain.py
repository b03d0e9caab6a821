"""A canonical graph of code -> what a person would state of it: no settings that papers leave to the framework.

    hidden_states = layer_norm(hidden_states + dropout(self_attention(hidden_states, head_dim=64, heads=12, ...)))
    x = norm(x + dropout(self_attention(x), p=0.1))            widths: {self_attention.heads: 12}

What is left out is free. Whether what is left still says what the code does is for the judge to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from archcheck.ir.graph import Attr, Op, OpGraph, Value
from archcheck.ir.ops import BY_NAME, Tier
from archcheck.spec.equations import flow_of

MAX_UNROLLED = 60  # ops that rounds of a repeat may come to, written one after another

_INLINE = frozenset({"convolution"})  # sublayers that papers write as the ops they hold
_OPERANDS = {"self_attention": 1, "cross_attention": 2, "feed_forward": 1, "moe": 1}  # what equations write of them
_WIDTHS = ("heads", "kv_heads", "d_model", "d_ff", "experts", "k", "window")
_STATED = frozenset(  # what papers state of a layer, where it is not the usual
    {
        *_WIDTHS,
        *("kernel", "stride", "dilation", "groups", "mode", "scope", "size", "p", "by", "causal", "gated"),
        *("activation", "axis", "axes", "approximate", "slope", "alpha", "beta", "swapped", "name", "units"),
        *("bidirectional", "layers", "inverse", "real", "start"),
    }
)
_USUAL = {
    **{"stride": 1, "dilation": 1, "groups": 1, "gated": False, "causal": False, "bidirectional": False},
    **{"layers": 1, "approximate": "none", "real": False, "inverse": False, "swapped": False},
}
_AXES_OF = frozenset({"softmax", "log_softmax", "glu", "fft", "gumbel_softmax"})  # layers whose axis is no detail


@dataclass(frozen=True, slots=True)
class Plain:
    """What one block states: its flow, the widths beside it, and the words that need a term."""

    flow: str
    widths: tuple[tuple[str, int], ...] = ()
    terms: tuple[tuple[str, str], ...] = ()
    feed_forward: Plain | None = None  # the block that says what feed_forward(x) is


def plainly(
    graph: OpGraph,
    norms: frozenset[str] | None = None,
    *,
    apart: bool = True,
    opened: bool = True,
    channels: bool = False,
) -> Plain:
    """What `graph` does, as a person would write it.

    Args:
        graph: in canonical form; a `repeat` in it is written out, round by round.
        norms: kinds of norms in the whole spec. One alone is called `norm` and told as a term.
        apart: what feed-forward sublayers hold is told by a block of its own.
        opened: branches of convolutions are written as what they hold.
        channels: how many channels convolutions give is stated, by which like rounds of a whole model are told apart.

    Raises:
        GraphError: it cannot be written as equations.
    """
    graph = unrolled(graph)
    norms = norms_of(graph) if norms is None else norms
    alias: dict[Value, Value] = {}
    ops = _opened(graph.ops, alias, _INLINE if opened else frozenset())
    inner = _feed_forward(ops, norms) if apart else None
    found = [op for op in _walk(ops) if op.kind.name in _OPERANDS]
    widths: dict[str, set[object]] = {}
    for op in found:
        for name in _WIDTHS:
            value = op.attr(name)
            if isinstance(value, int) and not isinstance(value, bool) and not _is_derived(op, name):
                widths.setdefault(f"{op.kind.name}.{name}", set()).add(value)
    beside = {name: value for name, values in widths.items() if len(values) == 1 for value in values}
    if inner is not None:
        beside = {name: value for name, value in beside.items() if not name.startswith("feed_forward.")}
    plain = tuple(_plain(op, norms, beside, inner is not None, channels) for op in ops)
    plain, results = _renamed(plain, graph.results, alias)
    flow = flow_of(_read_only(leading(OpGraph(plain, results, graph.origin))))
    terms = (("norm", next(iter(norms))),) if len(norms) == 1 and "norm(" in flow else ()
    return Plain(flow, tuple((name, value) for name, value in beside.items() if isinstance(value, int)), terms, inner)


def norms_of(graph: OpGraph) -> frozenset[str]:
    """The kinds of norms that equations about `graph` name."""
    return frozenset(op.kind.name for op in _walk(graph.ops, True) if op.kind.family == "norm")


def stream_of(graph: OpGraph) -> OpGraph:
    """`graph` with its first result alone, and the ops that lead to it."""
    return leading(replace(graph, results=graph.results[:1]))


def leading(graph: OpGraph) -> OpGraph:
    """`graph` with the ops that lead to its results, and no others."""
    needed = {value.op for value in graph.results}
    kept: list[Op] = []
    for op in reversed(graph.ops):
        if op.path in needed:
            kept.append(op)
            own = {inner.path for inner in op.walk()}
            for inner in op.walk():  # what a residual reads beside its stream, ops inside of it read
                reads = inner.reads[:1] if inner.kind.name == "residual" else inner.reads
                needed |= {value.op for value in (*reads, *inner.gives)} - own
    return replace(graph, ops=tuple(reversed(kept)))


# ---- what stands in which op


def _walk(ops: Iterable[Op], sublayers: bool = False) -> Iterable[Op]:
    """Ops in their order; of a sublayer what it holds only if it is written out."""
    for op in ops:
        yield op
        if op.body and (op.kind.name in ("residual", "repeat") or (sublayers and op.kind.name in _INLINE)):
            yield from _walk(op.body, sublayers)


def unrolled(graph: OpGraph) -> OpGraph:
    """`graph` with the rounds of its repeats one after another, where they are few."""
    ops: list[Op] = []
    alias: dict[Value, Value] = {}
    for op in graph.ops:
        count = op.attr("count")
        fits = isinstance(count, int) and count * len(list(_walk(op.body, True))) <= MAX_UNROLLED
        if op.kind.name != "repeat" or not isinstance(count, int) or not fits:
            ops.append(op)
            continue
        own = frozenset(inner.path for inner in op.walk()) - {op.path}
        streams = op.reads[: len(op.results)]
        given = streams
        for number in range(count):
            names = dict(zip(streams, given, strict=False))
            ops += [_copied(inner, names, own, f"{number}:") for inner in op.body]
            given = tuple(_moved(value, names, own, f"{number}:") for value in op.results)
        alias.update({Value(op.path, at): value for at, value in enumerate(given)})
    ops = [_reading(op, alias) for op in ops]
    return replace(graph, ops=tuple(ops), results=tuple(_follow(value, alias) for value in graph.results))


def _copied(op: Op, names: Mapping[Value, Value], own: frozenset[str], prefix: str) -> Op:
    return replace(
        op,
        path=prefix + op.path,
        reads=tuple(_moved(value, names, own, prefix) for value in op.reads),
        body=tuple(_copied(inner, names, own, prefix) for inner in op.body),
        gives=tuple(_moved(value, names, own, prefix) for value in op.gives),
    )


def _moved(value: Value, names: Mapping[Value, Value], own: frozenset[str], prefix: str) -> Value:
    return names.get(value) or (Value(prefix + value.op, value.index) if value.op in own else value)


def _opened(ops: Iterable[Op], alias: dict[Value, Value], kinds: frozenset[str]) -> tuple[Op, ...]:
    """`ops` with the bodies of sublayers of some kinds in their place, and without dropouts of rate 0."""
    found: list[Op] = []
    for op in ops:
        if op.kind.name in kinds and op.body:
            found += _opened(op.body, alias, kinds)
            alias.update({Value(op.path, at): value for at, value in enumerate(op.results)})
        elif op.kind.family == "dropout" and op.attr("p") == 0 and len(op.reads) == 1:
            alias[Value(op.path)] = op.reads[0]
        elif op.kind.name == "residual":
            found.append(replace(op, body=_opened(op.body, alias, kinds), gives=op.results))
        else:
            found.append(op)
    return tuple(found)


def _follow(value: Value, alias: Mapping[Value, Value]) -> Value:
    while value in alias:
        value = alias[value]
    return value


def _reading(op: Op, alias: Mapping[Value, Value]) -> Op:
    return replace(
        op,
        reads=tuple(_follow(value, alias) for value in op.reads),
        body=tuple(_reading(inner, alias) for inner in op.body),
        gives=tuple(_follow(value, alias) for value in op.gives),
    )


# ---- what is stated of an op


def _plain(op: Op, norms: frozenset[str], beside: Mapping[str, object], told: bool, channels: bool) -> Op:
    """`op` with what a person would write of it.

    Args:
        beside: widths that stand beside the flow.
        told: what a feed-forward holds is told by a block of its own.
    """
    if op.kind.name == "residual":
        return replace(op, body=tuple(_plain(inner, norms, beside, told, channels) for inner in op.body))
    kind = BY_NAME["norm"] if op.kind.family == "norm" and len(norms) == 1 and op.kind.name in norms else op.kind
    if op.kind.tier is Tier.PRIMITIVE:
        return op
    stated = tuple(attr for attr in op.attrs if _is_stated(op, attr) and f"{op.kind.name}.{attr.name}" not in beside)
    if channels and op.kind.family == "conv":
        stated = tuple(attr for attr in op.attrs if attr in stated or attr.name == "out_features")
    if kind.name == "norm" or (told and op.kind.name == "feed_forward"):
        stated = ()
    reads = op.reads[: _OPERANDS.get(op.kind.name, len(op.reads))]
    return replace(op, kind=kind, attrs=stated, reads=reads, body=())


def _is_stated(op: Op, attr: Attr) -> bool:
    if attr.name not in _STATED or (attr.name in _USUAL and _USUAL[attr.name] == _one(attr.value)):
        return False
    if attr.name == "axis":
        return op.kind.name in _AXES_OF
    if attr.name == "axes":
        return op.kind.name == "fft"
    if attr.name == "stride" and op.kind.name == "pool":  # where nothing is said it is the kernel's
        return _one(attr.value) != _one(op.attr("kernel"))
    return not _is_derived(op, attr.name)


def _one(value: object) -> object:
    """A size that is the same on every axis, as one number."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _is_derived(op: Op, name: str) -> bool:
    return name == "kv_heads" and op.attr("heads") == op.attr("kv_heads")


def _feed_forward(ops: Iterable[Op], norms: frozenset[str]) -> Plain | None:
    """What the feed-forward sublayers hold, where all of them hold the same."""
    found = [op for op in _walk(ops) if op.kind.name == "feed_forward"]
    if not found or not all(op.body for op in found):
        return None
    stated = {_body(op, norms) for op in found}
    return stated.pop() if len(stated) == 1 else None


def _body(op: Op, norms: frozenset[str]) -> Plain:
    own = {inner.path for inner in op.walk()}
    read = dict.fromkeys(value.op for inner in op.body for value in inner.reads if value.op not in own)
    inputs = tuple(Op(path, BY_NAME["input"]) for path in read)
    found = plainly(OpGraph((*inputs, *op.body), op.results), norms)
    widths = tuple(
        (name, value)
        for name in ("d_model", "d_ff")
        if isinstance(value := op.attr(name), int) and not isinstance(value, bool)
    )
    return replace(found, widths=widths)


# ---- names


def _renamed(
    ops: tuple[Op, ...], results: tuple[Value, ...], alias: dict[Value, Value]
) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
    """The ops with what was opened or left out gone from what they read, and inputs named as papers name them."""
    ops = tuple(_reading(op, alias) for op in ops)
    results = tuple(_follow(value, alias) for value in results)
    return ops, results


def _read_only(graph: OpGraph) -> OpGraph:
    """`graph` with the inputs that something reads; one alone is x, and what a cross-attention reads is the memory."""
    read: dict[str, str] = {}
    for op in _walk(graph.ops):
        for at, value in enumerate(op.reads if op.kind.name != "residual" else ()):
            memory = op.kind.name == "cross_attention" and at == 1
            read[value.op] = "memory" if memory and read.get(value.op, "memory") == "memory" else "x"
    read.update({value.op: "x" for value in graph.results})
    inputs = [op for op in graph.ops if op.kind.name == "input" and op.path in read]
    streams = [op for op in inputs if read[op.path] == "x"]
    names = {op.path: read[op.path] for op in inputs if read[op.path] == "memory" or len(streams) == 1}
    if sum(name == "memory" for name in names.values()) > 1:
        names = {}
    renamed = [replace(op, attrs=(Attr("name", names[op.path]),)) if op.path in names else op for op in inputs]
    rest = tuple(op for op in graph.ops if op.kind.name != "input")
    return replace(graph, ops=(*renamed, *rest))
