"""How a model knows the order of its tokens: by rotation, a bias on the scores, or a table added to the embedding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import takewhile

from archcheck.describe.fact import Fact
from archcheck.describe.regions import Region, is_stack
from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.ops import kind
from archcheck.passes.kinds import named

(
    ADD,
    ATTENTION,
    CONCAT,
    CONSTANT,
    CONV,
    CUMSUM,
    EMBEDDING,
    GATHER,
    INPUT,
    LINEAR,
    OPAQUE,
    PARAMETER,
    RESIDUAL,
    ROPE,
    WHERE,
) = map(
    kind,
    (
        "add",
        "attention",
        "concat",
        "constant",
        "conv",
        "cumsum",
        "embedding",
        "gather",
        "input",
        "linear",
        "opaque",
        "parameter",
        "residual",
        "rope",
        "where",
    ),
)
LEARNED = named("parameter", "embedding", "linear")
CHOICES = named("compare", "triangle", "logical", "reduce_logical")  # what they give is no number
WAVES = named("sin", "cos", "sinusoid")
# Between the sum of embeddings and the first layer.
PASSED = named(
    "dropout", "stochastic_depth", "identity", "reshape", "permute", "select", "expand", "linear", "scale", "mul",
    "layer_norm", "rms_norm", "affine", "batch_norm", "update", "masked_fill",
)  # fmt: skip
LAID_OUT = named("dropout", "identity", "reshape", "permute", "select", "expand", "scale")
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
    by_path = {op.path: op for op in graph.walk()}
    kinds = {op.kind.name for op in by_path.values()}
    for name in ("alibi", "relative_bias"):
        if name in kinds:
            return Fact("positions", name)
    words = [word for core in cores if (word := of_scores(core, by_path)) is not None]
    if words:
        why = "a term is added to the scores of an attention that was not recognised"
        return Fact("positions", words[0]) if words[0] else Fact("positions", None, why)
    if "sinusoid" in kinds:
        return Fact("positions", "sinusoidal")
    summands = list(_summands(by_path, entry))
    for op in summands if len(summands) > 1 else ():
        if (found := _of_table(op, by_path)) is not None:
            return found
    if any(_is_convolved(op) for op in (by_path.get(entry), *summands) if op is not None):
        return Fact("positions", "convolutional")
    for layer in takewhile(lambda layer: not any("attention" in one for one in layer.kinds), layers):
        if any(_is_convolved(op) and _convolutions(op) == 1 for op in layer.graph.walk()):
            return Fact("positions", "convolutional")
    for op in graph.walk():
        if op.kind is EMBEDDING and op not in summands and _is_distance(op, by_path):
            return Fact("positions", "relative_bias")
    if not is_stack(layers):
        return Fact("positions", None, "the target is one layer; positions enter where it is used")
    before = [one for op in summands for one in _behind(op, by_path)] + [one for core in cores for one in core.walk()]
    if unread := next((op for op in before if op.kind is OPAQUE), None):
        return Fact("positions", None, f"they may enter in what was not read: {unread.attr('name')}")
    strange = any(op.kind in WAVES or (op.kind is EMBEDDING and op not in summands) for op in by_path.values())
    if strange or (len(summands) > 1 and not _are_known(summands)):
        return Fact("positions", None, "how positions enter was not recognised")
    if not summands or all(op.kind is INPUT for op in summands):
        return Fact("positions", None, "the target is given embedded tokens; positions may have been added before")
    return Fact("positions", "none")


def _are_known(summands: list[Op]) -> bool:
    """Whether none of the values that are added up before the first layer can hold positions: look-ups by tokens.

    What the target is given may: encodings come in beside the tokens.
    """
    return all(op.kind is EMBEDDING for op in summands)


def of_scores(core: Op, by_path: Mapping[str, Op]) -> str | None:
    """What is added to the scores of an attention and tells positions.

    relative_xl (dai2019, section 3.3), relative_key (shaw2018), relative_bias (raffel2020), alibi (press2021); "" for a
    term that is none of these; None: there is no term but masks.
    """
    attention = next((op for op in core.walk() if op.kind is ATTENTION), None)
    if attention is None:
        return None
    stream = {value.op for value in core.reads[:1]}
    for value in attention.reads[3:]:
        behind = list(numbers_behind(value.op, by_path, stream))
        kinds = {op.kind for op in behind}
        learned = bool(kinds & LEARNED)
        counted = any(op.kind is CUMSUM or (op.kind is CONSTANT and op.attr("value") == "arange") for op in behind)
        asked = any(op.path in stream for op in behind)  # the term depends on the query
        if kinds & WAVES and learned:
            return "relative_xl"
        if EMBEDDING in kinds and asked and counted:
            return "relative_key"
        read = OPAQUE not in kinds
        if learned and not asked and read and not any(op.kind is INPUT for op in behind):
            return "relative_bias"
        if counted and not learned and not asked and read:
            return "alibi"
        if learned or asked or counted or kinds & WAVES:
            return ""
    return None


def numbers_behind(path: str, by_path: Mapping[str, Op], stream: set[str]) -> Iterator[Op]:
    """What the numbers at `path` are computed from, up to the stream; which entries a mask hides is no number."""
    waiting, seen = [path], {path}
    while waiting and len(seen) < FURTHEST:
        op = by_path.get(waiting.pop())
        if op is None:
            continue
        yield op
        if op.path in stream or op.kind in CHOICES:
            continue
        reads = op.reads[1:] if op.kind is WHERE else op.reads[:1] if op.kind is GATHER else op.reads
        for value in reads:
            if value.op not in seen:
                seen.add(value.op)
                waiting.append(value.op)


def _is_convolved(op: Op) -> bool:
    """Whether a value is added to its own convolution (baevski2020, section 2)."""
    if op.kind is RESIDUAL:
        inner = [one for one in op.walk() if one.kind is not RESIDUAL]
        return any(one.kind is CONV for one in inner) and not any(one.kind in (ATTENTION, LINEAR) for one in inner)
    return False


def _convolutions(op: Op) -> int:
    return sum(one.kind is CONV for one in op.walk())


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
        elif op.kind is RESIDUAL and not _is_convolved(op):
            waiting += [value.op for value in (*op.reads[:1], *op.results)]
        elif op.kind in PASSED and op.reads:
            waiting.insert(0, op.reads[0].op)
        elif op.kind is CONCAT and (parts := [v.op for v in op.reads if not _is_learned(by_path, v.op)]):
            waiting[:0] = parts  # beside learned tokens, such as that of the class
        else:
            yield op


def _is_learned(by_path: Mapping[str, Op], path: str) -> bool:
    """Whether a value is a learned tensor as it is, laid out in some way."""
    op = by_path.get(path)
    for _ in range(FURTHEST):
        if op is None or op.kind not in LAID_OUT or not op.reads:
            break
        op = by_path.get(op.reads[0].op)
    return op is not None and op.kind is PARAMETER


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
