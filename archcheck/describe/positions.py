"""How a model knows the order of its tokens: by rotation, a bias on the scores, or a table added to the embedding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archcheck.describe.fact import Fact
from archcheck.describe.regions import Region
from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.ops import kind
from archcheck.passes.kinds import named

ADD, CONSTANT, CUMSUM, EMBEDDING, GATHER, PARAMETER, ROPE = map(
    kind, ("add", "constant", "cumsum", "embedding", "gather", "parameter", "rope")
)
WAVES = named("sin", "cos", "sinusoid")
# Between the sum of embeddings and the first layer.
PASSED = named(
    "dropout", "stochastic_depth", "identity", "reshape", "permute", "select", "expand", "linear", "scale", "mul",
    "layer_norm", "rms_norm",
)  # fmt: skip
FURTHEST = 60  # ops looked at behind an index or a table


def positions(graph: OpGraph, layers: tuple[Region, ...], entry: str) -> Fact:
    """Where positions enter.

    Args:
        graph: in canonical form.
        layers: its layers.
        entry: path of the op whose value the first layer reads.
    """
    cores = [
        sublayer.core
        for layer in layers
        for sublayer in layer.sublayers
        if sublayer.kind == "self_attention" and sublayer.core is not None
    ]
    if cores and all(any(inner.kind is ROPE for inner in op.walk()) for op in cores):
        return Fact("positions", "rope")
    kinds = {op.kind.name for op in graph.walk()}
    for name, word in (("alibi", "alibi"), ("relative_bias", "relative_bias"), ("sinusoid", "sinusoidal")):
        if name in kinds:
            return Fact("positions", word)
    by_path = {op.path: op for op in graph.walk()}
    summands = list(_summands(by_path, entry))
    for op in summands if len(summands) > 1 else ():
        if (found := _of_table(op, by_path)) is not None:
            return found
    for op in graph.walk():
        if op.kind is EMBEDDING and op not in summands and _is_distance(op, by_path):
            return Fact("positions", "relative_bias")
    if not any(op.kind is EMBEDDING for op in by_path.values()):
        return Fact("positions", None, "the target is one layer; positions enter where it is used")
    return Fact("positions", None, "how positions enter was not recognised")


def _summands(by_path: Mapping[str, Op], entry: str) -> Iterator[Op]:
    """The ops whose values are added up before the first layer."""
    waiting = [entry]
    seen: set[str] = set()
    while waiting:
        op = by_path.get(waiting.pop(0))
        if op is None or op.path in seen:
            continue
        seen.add(op.path)
        if op.kind is ADD and len(op.reads) == 2:
            waiting += [value.op for value in op.reads]
        elif op.kind in PASSED and op.reads:
            waiting.insert(0, op.reads[0].op)
        else:
            yield op


def _of_table(op: Op, by_path: Mapping[str, Op]) -> Fact | None:
    """What an op that is added to the embedding says about positions; None: nothing."""
    if any(one.kind in WAVES for one in _behind(op, by_path)):
        return Fact("positions", "sinusoidal")
    if op.kind is PARAMETER:
        return Fact("positions", "learned_absolute")
    if op.kind is EMBEDDING and _is_position(op, by_path):
        if op.attr("frozen") is True:
            return Fact("positions", None, "the positions are a table that is not learned, whose numbers were not read")
        return Fact("positions", "learned_absolute")
    return None


def _is_position(op: Op, by_path: Mapping[str, Op]) -> bool:
    """Whether an embedding is read by the number of the position: an index that counts up."""
    index = by_path.get(op.reads[0].op) if op.reads else None
    if index is None:
        return False
    return any(
        one.kind is CUMSUM or (one.kind is CONSTANT and one.attr("value") == "arange")
        for one in _behind(index, by_path)
    )


def _is_distance(op: Op, by_path: Mapping[str, Op]) -> bool:
    """Whether an embedding is read by how far two positions are apart (raffel2020)."""
    behind = list(_behind(by_path[op.reads[0].op], by_path)) if op.reads and op.reads[0].op in by_path else []
    return _is_position(op, by_path) and any(one.kind.name == "sub" for one in behind)


def _behind(op: Op, by_path: Mapping[str, Op]) -> Iterator[Op]:
    """`op` and what its value is computed from; of a look-up, only the table."""
    waiting, seen = [op], {op.path}
    while waiting and len(seen) < FURTHEST:
        one = waiting.pop()
        yield one
        reads = one.reads[:1] if one.kind is GATHER else one.reads
        for value in reads:
            found = by_path.get(value.op)
            if found is not None and found.path not in seen:
                seen.add(found.path)
                waiting.append(found)
