"""What kind of attention a layer has: how many of its heads share keys and values, and how those are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archcheck.describe.regions import Region
from archcheck.ir.graph import AttrValue, Op, Unknown, Value
from archcheck.ir.ops import kind
from archcheck.passes.kinds import named

ATTENTION, LINEAR, LINEAR_ATTENTION, UPDATE = map(kind, ("attention", "linear", "linear_attention", "update"))
NORMS = named("layer_norm", "rms_norm", "l2_norm")
FURTHEST = 40  # ops between an operand of the attention and its projection


def attention_kinds(layers: tuple[Region, ...]) -> Iterator[str]:
    """The kind of each self-attention, where it follows: mha, gqa (ainslie2023), mqa (shazeer2019), mla (liu2024) or
    linear; where there is none, of each cross-attention."""
    sublayers = [sublayer for layer in layers for sublayer in layer.sublayers if sublayer.core is not None]
    cores = [one.core for one in sublayers if one.kind == "self_attention"]
    for core in cores or [one.core for one in sublayers if one.kind == "cross_attention"]:
        if core is not None and (found := _kind(core)):
            yield found


def _kind(core: Op) -> str:
    by_path = {op.path: op for op in core.walk()}
    if any(op.kind is LINEAR_ATTENTION for op in by_path.values()):
        return "linear"
    attention = next((op for op in by_path.values() if op.kind is ATTENTION and len(op.reads) >= 3), None)
    if attention is not None and _is_latent(attention, by_path):
        return "mla"
    heads, kv_heads = core.attr("heads"), core.attr("kv_heads")
    if isinstance(heads, int) and isinstance(kv_heads, int):
        return "mha" if heads == kv_heads else "mqa" if kv_heads == 1 else "gqa"
    if attention is None:
        return ""
    query, key = (_projection(value, by_path) for value in attention.reads[:2])
    if query is None or key is None:
        return "" if isinstance(kv_heads, int) else "mha"  # the attention holds its own projections
    return _by_widths(query.attr("out_features"), key.attr("out_features"), heads)


def _by_widths(query: AttrValue, key: AttrValue, heads: AttrValue) -> str:
    """What follows from how wide the projections are, in elements."""
    if isinstance(query, Unknown) and isinstance(key, Unknown):
        return "mha" if query.why == key.why else ""
    if not isinstance(query, int) or not isinstance(key, int):
        return "mha" if query is None and key is None else ""
    if query == key:
        return "mha"
    return "mqa" if isinstance(heads, int) and query // key == heads else "gqa"


def _projection(value: Value, by_path: Mapping[str, Op]) -> Op | None:
    """The linear map behind an operand of an attention."""
    op = by_path.get(value.op)
    for _ in range(FURTHEST):
        if op is None or op.kind is LINEAR:
            return op
        op = _before(op, by_path)
    return None


def _before(op: Op, by_path: Mapping[str, Op]) -> Op | None:
    """The op whose value `op` passes on; of a tensor that is filled part by part, the first part."""
    first = by_path.get(op.reads[0].op) if op.reads else None
    if op.kind is UPDATE and len(op.reads) > 1 and (first is None or first.kind is not UPDATE):
        return by_path.get(op.reads[1].op)
    return first


def _is_latent(attention: Op, by_path: Mapping[str, Op]) -> bool:
    """Whether keys and values are two maps of one compressed and normalised vector (deepseek-v2)."""
    sources = [_compressed(_projection(value, by_path), by_path) for value in attention.reads[1:3]]
    return sources[0] is not None and sources[0] is sources[1]


def _compressed(projection: Op | None, by_path: Mapping[str, Op]) -> Op | None:
    """The linear map behind the norm that a projection reads, where there is one."""
    op = by_path.get(projection.reads[0].op) if projection is not None and projection.reads else None
    normed = False
    for _ in range(FURTHEST):
        if op is None or op.kind is LINEAR:
            return op if normed else None
        normed = normed or op.kind in NORMS
        op = _before(op, by_path)
    return None
