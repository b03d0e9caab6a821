"""Facts about a model that follow from its canonical graph: norms, activation, attention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from archcheck.describe.attention import attention_kinds
from archcheck.describe.fact import Fact
from archcheck.describe.positions import positions
from archcheck.describe.regions import Region, element, is_stack
from archcheck.ir.graph import AttrValue, Op, OpGraph, Unknown
from archcheck.ir.ops import kind
from archcheck.passes.kinds import named

NORMS = named("layer_norm", "rms_norm", "batch_norm", "group_norm", "instance_norm", "affine", "l2_norm")
ATTENTIONS = named("self_attention", "cross_attention")
SILENT = named("concat", "dropout", "stochastic_depth", "identity", "reshape", "permute", "select")
EMBEDDING, INPUT, LINEAR, MOE, PARAMETER, REPEAT, ROPE = map(
    kind, ("embedding", "input", "linear", "moe", "parameter", "repeat", "rope")
)
STREAMS = named("repeat", "residual")
UNSURE = (
    "opaque",
    "softmax",
    "matmul",
    "attention",
    "exp",
)  # a branch with these may be an attention that was not recognised
# What may stand between the norm of an embedding and the first layer.
MAPPING = SILENT | named("linear", "scale", "mul")

# Activations as corpora of architectures name them.
WORDS = {("gelu", "none"): "gelu_exact", ("gelu", "tanh"): "gelu_tanh"}


FACTS = (
    "final_norm",
    "embedding_norm",
    "activation",
    "ffn_gated",
    "attention",
    "qk_norm",
    "positions",
    "tie_embeddings",
)


def facts(
    graph: OpGraph, layers: tuple[Region, ...], weights: Mapping[str, str], tied: bool | None = None
) -> tuple[Fact, ...]:
    """Everything that the graph tells, in the order of `FACTS`.

    Args:
        graph: in canonical form.
        layers: its layers.
        weights: place of each learned tensor -> the first place that it has; empty where sharing is not known.
        tied: what the configuration says of input and output embeddings, for a target without the latter.
    """
    attention = _attention(layers)
    return (
        _final_norm(graph, layers),
        _embedding_norm(graph, layers),
        _activation(layers),
        _gated(layers),
        attention,
        _qk_norm(layers, attention),
        positions(graph, layers, _entry(graph)),
        _tied(graph, weights, tied),
    )


def _tied(graph: OpGraph, weights: Mapping[str, str], said: bool | None) -> Fact:
    """Whether the map to the vocabulary uses the embedding's own matrix (press2017).

    Where the target has no such map, or its library decides it in code that is not read, the configuration says so.
    """
    name = "tie_embeddings"
    tables = [op for op in graph.walk() if op.kind is EMBEDDING]
    if not tables:
        return Fact(name, said, "" if said is not None else "the target holds no embedding")
    if any(_uses_matrix(op, table) for op in graph.ops if op.kind is LINEAR for table in tables):
        return Fact(name, True)
    learned = {op.path for op in graph.ops if op.kind is PARAMETER}
    shared = {value for table in tables for value in table.reads if value.op in learned}
    if any(not shared.isdisjoint(op.reads) for op in graph.ops if op.kind is LINEAR):
        return Fact(name, True)
    tables_by_rows = {op.attr("rows"): op for op in tables if op.attr("rows") is not None}
    heads = [op for op in graph.ops if op.kind is LINEAR and op.attr("out_features") in tables_by_rows]
    if not heads:
        return Fact(name, said, "" if said is not None else "the target has no output embedding")
    if not weights:
        return Fact(name, said, "" if said is not None else "a library call that is not read may tie weights")
    if "" in weights.values():
        return Fact(name, said, "" if said is not None else "the file does not tell which tensors are tied")
    head = heads[-1]
    places = [op.path.rpartition("/")[0] for op in (tables_by_rows[head.attr("out_features")], head)]
    matrices = [weights.get(f"{place}.weight") for place in places]
    if None not in matrices:
        return Fact(name, matrices[0] == matrices[1])
    held = [{first for one, first in weights.items() if one.rpartition(".")[0] == place} for place in places]
    if not all(held):
        return Fact(name, None, "which weights the output embedding uses was not recognised")
    return Fact(name, not held[0].isdisjoint(held[1]))  # frameworks differ in what they call a matrix


def _uses_matrix(head: Op, table: Op) -> bool:
    """Whether a map is a product with the matrix of an embedding, read from the layer that holds it."""
    place = table.path.rpartition("/")[0]
    names = {f"{place}.{weight}" for weight in ("weight", "embeddings", "embedding")}
    return bool(place) and any(op.kind is PARAMETER and op.attr("name") in names for op in head.body)


def _cores(layers: Iterable[Region], *kinds: str) -> Iterator[Op]:
    for layer in layers:
        for sublayer in layer.sublayers:
            if sublayer.core is not None and (sublayer.kind in kinds or not kinds):
                yield sublayer.core


def _feed_forwards(layers: Iterable[Region]) -> list[Op]:
    """The feed-forward sublayers; where some stand in a residual, only those: a pooler or a head behind the stack is a
    feed-forward too, and says nothing of the layers."""
    held = [
        (sublayer.core, "a" in sublayer.signature.split())
        for layer in layers
        for sublayer in layer.sublayers
        if sublayer.core is not None and sublayer.kind in ("ffn", "moe")
    ]
    return [core for core, residual in held if residual] or [core for core, _ in held]


def _agreed(name: str, values: Iterable[bool | str], absent: str) -> Fact:
    found = list(dict.fromkeys(values))
    if not found:
        return Fact(name, None, absent)
    if len(found) > 1:
        return Fact(name, None, f"layers differ: {', '.join(str(value) for value in found)}")
    return Fact(name, found[0])


def _activation(layers: tuple[Region, ...]) -> Fact:
    return _agreed("activation", _activations(layers), "no feed-forward sublayer was recognised")


def _activations(layers: tuple[Region, ...]) -> Iterator[str]:
    # what a layer of convolutions computes between them stands for a feed-forward, where it has no other (he2016)
    for op in _feed_forwards(layers) or _cores(layers, "conv"):
        for inner in op.walk():
            if inner.kind.family == "activation" and inner.kind.name == op.attr("activation"):
                approximate = inner.attr("approximate")
                yield WORDS.get((inner.kind.name, str(approximate)), inner.kind.name)
                break


def _gated(layers: tuple[Region, ...]) -> Fact:
    cores = _feed_forwards(layers)
    values = [value for op in cores if isinstance(value := op.attr("gated"), bool)]
    values += [_has_gate(op) for op in cores if op.kind is MOE and not isinstance(op.attr("gated"), bool)]
    if not values:  # what a layer of convolutions computes between them stands for a feed-forward (he2016)
        values = [_has_gate(op) for op in _cores(layers, "conv")]
    return _agreed("ffn_gated", values, "no feed-forward sublayer was recognised")


def _has_gate(core: Op) -> bool:
    """Whether an activation is multiplied with a value beside it (shazeer2020)."""
    by_path = {op.path: op for op in core.walk()}
    activated = {op.path for op in by_path.values() if op.kind.family == "activation" and op.kind.name != "sigmoid"}
    for op in by_path.values():
        if op.kind.name == "glu":
            return True
        if op.kind.name == "mul" and len(op.reads) == 2:
            for one, other in (op.reads, op.reads[::-1]):
                if one.op in activated and not _comes_from(other.op, one.op, by_path):
                    return True
    return False


def _comes_from(path: str, source: str, by_path: Mapping[str, Op]) -> bool:
    """Whether the value at `path` is computed from that at `source`."""
    waiting, seen = [path], {path}
    while waiting:
        at = waiting.pop()
        if at == source:
            return True
        new = [value.op for value in (by_path[at].reads if at in by_path else ()) if value.op not in seen]
        seen.update(new)
        waiting += new
    return False


def _attention(layers: tuple[Region, ...]) -> Fact:
    kinds = list(attention_kinds(layers))
    if not kinds and layers:
        mixing = [s for layer in layers for s in layer.sublayers if s.kind in ("other", "ssm", "conv")]
        perhaps = any(inner.kind.name in UNSURE for s in mixing if s.core for inner in s.core.walk())
        if mixing and not perhaps:
            return Fact("attention", "none")
    return _agreed("attention", kinds, "no attention sublayer was recognised")


def _qk_norm(layers: tuple[Region, ...], attention: Fact) -> Fact:
    cores = list(_cores(layers, "self_attention")) or list(_cores(layers, "cross_attention"))
    values = [op.attr("qk_norm") is True for op in cores]
    if not values and attention.value == "none":
        return Fact("qk_norm", False)
    return _agreed("qk_norm", values, "no attention sublayer was recognised")


def _final_norm(graph: OpGraph, layers: tuple[Region, ...]) -> Fact:
    """Whether a norm stands behind the last layer."""
    if not is_stack(layers):
        why = "the target is one layer; what follows the last one is decided where it is used"
        return Fact("final_norm", None, why)
    last = [op for op in graph.ops if op.kind in STREAMS][-1]
    readers = _readers(graph, last)
    norms = [op for op in readers if op.kind in NORMS]
    post_norm = any(sublayer.signature.endswith("n") for layer in layers for sublayer in layer.sublayers)
    if post_norm and last.kind is not REPEAT:  # the first norm is the layer's own
        norms = [norm for own in norms for norm in _readers(graph, own) if norm.kind in NORMS]
    if norms:
        return Fact("final_norm", True)
    if any(op.kind.name == "opaque" for op in readers):
        return Fact("final_norm", None, "what follows the last layer could not be read")
    return Fact("final_norm", False)


def _readers(graph: OpGraph, op: Op) -> list[Op]:
    found: list[Op] = []
    waiting = [op.path]
    while waiting:
        path = waiting.pop()
        for reader in graph.ops:
            if any(value.op == path for value in reader.reads) and reader not in found:
                found.append(reader)
                if reader.kind in SILENT and not _is_pick(reader):
                    waiting.append(reader.path)
    return found


def _is_pick(op: Op) -> bool:
    """Whether one token is taken out: what follows is about that alone."""
    index = op.attr("index")
    parts = index if isinstance(index, tuple) else ()
    return op.kind.name == "select" and any(isinstance(part, int) for part in parts)


def _embedding_norm(graph: OpGraph, layers: tuple[Region, ...]) -> Fact:
    """Whether a norm stands between the embedding, or what the target is given in its place, and the first layer."""
    if not is_stack(layers):
        held = any(op.kind is EMBEDDING for op in graph.walk())
        why = "no stack of layers was recognised" if held else "the target holds no embedding"
        return Fact("embedding_norm", None, why)
    by_path = {op.path: op for op in graph.ops}
    at = by_path.get(_entry(graph))
    while at is not None and at.kind in MAPPING and at.reads:
        at = by_path.get(at.reads[0].op)
    if at is not None and at.kind.name == "opaque":
        return Fact("embedding_norm", None, "what precedes the first layer could not be read")
    return Fact("embedding_norm", at is not None and at.kind in NORMS)


def _entry(graph: OpGraph) -> str:
    """The path of the op whose value the first layer of a model reads; "" where there is none."""
    streams = [op for op in graph.ops if op.kind in STREAMS and op.reads]
    first = next((op for op in streams if op.kind is REPEAT or element(op)), streams[0] if streams else None)
    return first.reads[0].op if first is not None else ""


def plain(value: AttrValue) -> object:
    """An attribute as JSON holds it; what is not known is null."""
    if isinstance(value, Unknown):
        return None
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value
