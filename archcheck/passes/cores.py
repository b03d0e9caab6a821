"""What a group of ops is: self-attention, a feed-forward, experts, a convolution, by what it computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archcheck.ir.graph import Attr, AttrValue, Op, Unknown, Value, attrs
from archcheck.ir.ops import OpKind
from archcheck.passes.heads import heads_of
from archcheck.passes.kinds import (
    ACTIVATIONS,
    ATTENTIONS,
    BEARING,
    BRANCH,
    CONV,
    CONVOLUTION,
    CONVS,
    CROSS_ATTENTION,
    FEED_FORWARD,
    LINEAR,
    MOE,
    NORMS,
    OPAQUE,
    PARTS,
    POOL,
    RECURRENCE,
    RECURRENT,
    SELF_ATTENTION,
    SOURCES,
    SSM,
    VIEWS,
    named,
)
from archcheck.passes.scope import Scope

_EXPERTS = named("scatter", "one_hot", "gather", "update", "gumbel_softmax")
_PROBABILITIES = named("sigmoid", "gumbel_softmax", "exp", "logsumexp")
_CHOICE = named("topk", "argmax", "sort")
_FURTHEST = 12  # ops between a choice of experts and the map that scores them
_SCORES = named("matmul", "einsum", "matmul_add")
_SAMPLED = named("grid_sample")
_CUTS = named("split", "select")
_GATES = named("glu")
_PLAIN = ("groups", "stride", "dilation")  # of a convolution that sees each token with its neighbours
_EMBEDDED = named("dropout", "scale", "stochastic_depth") | NORMS
_THROUGH = VIEWS | PARTS | _EMBEDDED | ACTIVATIONS | named("rope", "add", "concat", "update", "mul", "where")


@dataclass(frozen=True, slots=True)
class Core:
    """What a group of ops is, and what can be said about it."""

    kind: OpKind
    stated: dict[str, AttrValue]


def classify(scope: Scope, group: Sequence[int], entry: int) -> Core:
    """What the ops at the slots `group` are together.

    Args:
        scope: where they stand.
        group: their slots, in program order.
        entry: the giver of the value that flows in, a slot or a place outside.
    """
    ops = [scope.ops[slot] for slot in group]
    inner = [op for top in ops for op in _visible(top)]
    kinds = {op.kind for op in inner}
    attention = [slot for slot in group if scope.ops[slot].kind in ATTENTIONS]
    if attention:
        return _attention(scope, group, attention, entry)
    if kinds & ATTENTIONS:
        return Core(SELF_ATTENTION, {})
    linears = [op for op in inner if _is_map(op)]
    if _chooses_experts(kinds) and (len(linears) > 1 or OPAQUE in kinds or kinds & _SCORES):
        return Core(MOE, _experts(inner))
    if kinds & RECURRENT:
        return Core(RECURRENCE, {})
    if _is_scan(kinds):
        return Core(SSM, {})
    if _is_decay(kinds, linears):
        return Core(RECURRENCE, {})
    if _is_attention_spelled(kinds, inner):
        return Core(CROSS_ATTENTION if _reads_beside(scope, group, entry) else SELF_ATTENTION, {})
    if _is_wide_feed_forward(inner):
        return Core(FEED_FORWARD, _feed_forward(scope, group, inner))
    if _is_convolution(ops, inner):
        return Core(CONVOLUTION, _convolution(inner))
    # Tokens are weighed, by products or by weights that sum to one: no feed-forward works across them.
    mixes = bool(kinds & _SCORES) or any(kind.family == "softmax" for kind in kinds)
    if (
        len(linears) > 1
        and not mixes
        and (kinds & ACTIVATIONS or kinds & _GATES or _hidden_opaque(inner) or _gated(scope, group))
    ):
        return Core(FEED_FORWARD, _feed_forward(scope, group, inner))
    return Core(BRANCH, {})


def _visible(op: Op) -> Iterator[Op]:
    """`op` and, where it is a structure, what it holds; the primitives of a layer op do not count."""
    stack = [op]
    while stack:
        top = stack.pop()
        yield top
        if top.kind.tier.value == "structure":
            stack.extend(reversed(top.body))


# ---- attention


def _attention(scope: Scope, group: Sequence[int], attention: Sequence[int], entry: int) -> Core:
    """Self-attention where the keys come from what flows in, cross-attention where they come from elsewhere."""
    inside = set(group)
    main = attention[-1]
    op = scope.ops[main]
    cross = any(
        not _keys_from(scope, scope.ops[slot], inside, entry) and not _is_of_one_part(scope, scope.ops[slot])
        for slot in attention
    )
    stated: dict[str, AttrValue] = {attr.name: attr.value for attr in op.attrs if attr.name in _LIFTED}
    if stated.get("projected") is False:  # its projections stand beside it, within the sublayer
        del stated["projected"]
    for name, value in heads_of(scope, op, inside).items():
        stated.setdefault(name, value)
    query, key, values = [*(_norm_of(scope, value, inside) for value in op.reads[:3]), None, None, None][:3]
    if query is not None and key is not None and query != values:  # a norm of all three is that of a convolution
        stated["qk_norm"] = True
    return Core(CROSS_ATTENTION if cross else SELF_ATTENTION, stated)


_LIFTED = frozenset(
    (
        *("heads", "kv_heads", "head_dim", "scale", "causal", "dropout", "bias", "window", "softcap", "projected"),
        *("axis", "sink"),
    )
)


def _keys_from(scope: Scope, op: Op, inside: set[int], entry: int) -> bool:
    """Whether the keys or the values are computed from what flows in, or at least from nothing else that is given."""
    beside = False
    seen: set[int] = set()
    stack = [scope.giver(value) for value in op.reads[1:3]]
    whole = _whole_of(scope, entry)
    while stack:
        slot = stack.pop()
        if slot == entry:
            return True
        if slot in seen:
            continue
        seen.add(slot)
        if slot in inside:
            stack.extend(scope.givers(slot))
        elif slot >= 0 and _whole_of(scope, slot) == whole and _is_projected(scope, whole):
            return True  # keys and what flows in are parts of one projection
        else:
            beside = beside or slot < 0 or bool(scope.origins(slot) & scope.ON_INPUT)
    return not beside


def _is_of_one_part(scope: Scope, op: Op) -> bool:
    """Whether queries, keys and values are maps of one value, cut alike: attention within one window of it."""
    found = [_mapped(scope, value) for value in op.reads[:3]]
    return found[0] is not None and found.count(found[0]) == len(found)


def _mapped(scope: Scope, value: Value) -> tuple[Value, list[tuple[object, ...]]] | None:
    """What a learned map is of whose result a value is part of, and how the part is cut; None where it is of none."""
    cuts: list[tuple[object, ...]] = []
    while (slot := scope.giver(value)) >= 0 and scope.ops[slot].reads:
        op = scope.ops[slot]
        if op.kind is LINEAR or op.kind in CONVS:
            return op.reads[0], cuts
        if op.kind in _CUTS:
            cuts.append((value.index, op.kind, *((attr.name, attr.value) for attr in op.attrs)))
        elif op.kind not in VIEWS and op.kind not in NORMS and op.kind.name not in _ON_THE_WAY:
            return None
        value = op.reads[0]
    return None


_ON_THE_WAY = frozenset({"rope", "scale"})  # from a projection to the scores


def _whole_of(scope: Scope, slot: int) -> int:
    """Where a part of a value was cut from it; the slot itself where it is no part."""
    at = slot
    while at >= 0 and (scope.ops[at].kind in VIEWS or scope.ops[at].kind in _CUTS) and scope.ops[at].reads:
        at = scope.giver(scope.ops[at].reads[0])
    return at


def _is_projected(scope: Scope, slot: int) -> bool:
    """Whether a value comes out of a learned map, perhaps normalised: parts of a stream are tokens, and no keys."""
    while slot >= 0 and scope.ops[slot].kind in NORMS and scope.ops[slot].reads:
        slot = scope.giver(scope.ops[slot].reads[0])
    return slot >= 0 and (scope.ops[slot].kind is LINEAR or scope.ops[slot].kind in CONVS)


def _norm_of(scope: Scope, value: Value, inside: set[int]) -> int | None:
    """The norm of a query or key between its projection and the scores; None where there is none."""
    slot = scope.giver(value)
    while slot in inside:
        op = scope.ops[slot]
        if op.kind in NORMS:
            return slot
        if op.kind not in VIEWS and op.kind not in PARTS and op.kind.name not in ("rope", "concat", "scale", "dropout"):
            return None
        if not op.reads:
            return None
        slot = scope.giver(op.reads[-1] if op.kind.name == "concat" else op.reads[0])
    return None


def _is_attention_spelled(kinds: set[OpKind], inner: Sequence[Op]) -> bool:
    """Whether values are weighed by a softmax: of products with keys, or, sampled at places that the query tells, of
    weights that it tells too (Zhu et al., 2021, *Deformable DETR*, section 4.1)."""
    weighed = any(kind.family == "softmax" for kind in kinds)
    return weighed and (sum(op.kind in _SCORES for op in inner) > 1 or bool(kinds & _SAMPLED))


def _reads_beside(scope: Scope, group: Sequence[int], entry: int) -> bool:
    """Whether a learned map of the group reads something other than what flows in."""
    inside = set(group)
    for slot in group:
        op = scope.ops[slot]
        if op.kind is LINEAR and op.reads:
            giver = scope.giver(op.reads[0])
            while giver in inside and scope.ops[giver].kind in VIEWS | _EMBEDDED and scope.ops[giver].reads:
                giver = scope.giver(scope.ops[giver].reads[0])
            if giver not in inside and giver != entry:
                return True
    return False


# ---- experts, scans, convolutions


def _chooses_experts(kinds: set[OpKind]) -> bool:
    """Whether these kinds choose experts for tokens, by probabilities: what is nearest in a codebook is no expert."""
    likely = bool(kinds & _PROBABILITIES) or any(kind.family == "softmax" for kind in kinds)
    return any(kind.name == "routing" for kind in kinds) or bool(likely and kinds & _CHOICE and kinds & _EXPERTS)


def _is_scan(kinds: set[OpKind]) -> bool:
    """Whether these kinds are those of a state-space recurrence."""
    names = {kind.name for kind in kinds}
    return any(kind.family == "ssm" for kind in kinds) or (
        "exp" in names and ("softplus" in names or "cumsum" in names)
    )


def _is_decay(kinds: set[OpKind], linears: Sequence[Op]) -> bool:
    """Whether tokens are weighed by exponentials that are no softmax: a recurrence written as sums (RWKV, AFT)."""
    return any(kind.name == "exp" for kind in kinds) and len(linears) > 2


def _width_of(choice: Op, inner: Sequence[Op]) -> AttrValue:
    """Among how many experts a choice is made: the width of the map that scores them."""
    by_path = {op.path: op for op in inner}
    op = by_path.get(choice.reads[0].op) if choice.reads else None
    for _ in range(_FURTHEST):
        if op is None or op.kind is LINEAR or not op.reads:
            break
        op = by_path.get(op.reads[0].op)
    return op.attr("out_features") if op is not None and op.kind is LINEAR else None


def _experts(inner: Sequence[Op]) -> dict[str, AttrValue]:
    stated: dict[str, AttrValue] = {}
    for op in inner:
        if op.kind.name == "topk" and "k" not in stated and isinstance(op.attr("k"), int):
            stated["k"] = op.attr("k")
        if op.kind.name == "topk" and "experts" not in stated and isinstance(width := _width_of(op, inner), int):
            stated["experts"] = width
        if op.kind.name == "routing":
            stated.update({attr.name: attr.value for attr in op.attrs})
        if op.kind in ACTIVATIONS and op.kind.name != "sigmoid" and "activation" not in stated:
            stated["activation"] = op.kind.name
    return stated


def _size(op: Op, name: str = "kernel") -> int:
    """The longest side of a kernel in elements; 0 where it is not known."""
    size = op.attr(name)
    sizes = size if isinstance(size, tuple) else (size,)
    known = [side for side in sizes if isinstance(side, int)]
    return max(known) if len(known) == len(sizes) and known else 0


def _is_map(op: Op) -> bool:
    """Whether an op maps each token's features: a linear, or a convolution of kernel 1 in one group."""
    return op.kind is LINEAR or (op.kind in CONVS and _size(op) == 1 and op.attr("groups", 1) == 1)


def _is_convolution(ops: Sequence[Op], inner: Sequence[Op]) -> bool:
    """Whether convolutions make the group; one between two linears is part of a feed-forward."""
    wide = [number for number, op in enumerate(inner) if op.kind in CONVS and not _is_map(op)]
    if not wide:
        return False
    linears = [number for number, op in enumerate(inner) if op.kind is LINEAR]
    return len(linears) < 2 or wide[0] < linears[0] or wide[0] > linears[-1]


def _is_wide_feed_forward(inner: Sequence[Op]) -> bool:
    """Whether a feed-forward sees neighbours too: two convolutions over the tokens, to a wider hidden layer and back.

    FastSpeech (Ren et al., 2019), Section 3.1: the two linear maps of a Transformer's feed-forward become a
    convolutional network of two layers with an activation between.
    """
    maps = [number for number, op in enumerate(inner) if op.kind in CONVS or op.kind is LINEAR]
    if len(maps) != 2 or any(op.kind in NORMS or op.kind is POOL for op in inner):
        return False
    first, second = (inner[number] for number in maps)
    along = all(
        op.kind is CONV and op.attr("axes") == 1 and all(op.attr(name, 1) in (1, (1,)) for name in _PLAIN)
        for op in (first, second)
    )
    narrow, hidden = first.attr("in_features"), first.attr("out_features")
    widens = narrow < hidden if isinstance(narrow, int) and isinstance(hidden, int) else isinstance(hidden, Unknown)
    return (
        along
        and isinstance(narrow, int)
        and second.attr("out_features") == narrow
        and second.attr("in_features") == hidden
        and widens
        and any(op.kind in ACTIVATIONS for op in inner[maps[0] : maps[1]])
    )


def _convolution(inner: Sequence[Op]) -> dict[str, AttrValue]:
    stated: dict[str, AttrValue] = {}
    wide = [op for op in inner if op.kind in CONVS and not _is_map(op)]
    if wide and wide[0].states("kernel"):
        stated["kernel"] = wide[0].attr("kernel")
    found = [op.kind.name for op in inner if op.kind in ACTIVATIONS]
    if found:  # a sigmoid among others is a gate's (gulati2020, section 2.2)
        stated["activation"] = next((name for name in found if name != "sigmoid"), found[0])
    return stated


# ---- feed-forward


def _hidden_opaque(inner: Sequence[Op]) -> bool:
    """Whether something that could not be read stands between two maps of one and the same value."""
    linears = [number for number, op in enumerate(inner) if _is_map(op)]
    return any(
        op.kind is OPAQUE and len(op.reads) == 1 and linears[0] < number < linears[-1]
        for number, op in enumerate(inner)
    )


def _gated(scope: Scope, group: Sequence[int]) -> bool:
    """Whether one learned map of the group multiplies another."""
    mapped: set[int] = set()
    for slot in group:
        op = scope.ops[slot]
        givers = scope.givers(slot)
        if op.kind in _GATES and any(giver in mapped for giver in givers):
            return True
        if op.kind.name == "mul" and len(givers) == 2 and all(giver in mapped for giver in givers):
            return True
        if _is_map(op) or (op.kind not in SOURCES and any(giver in mapped for giver in givers)):
            mapped.add(slot)
    return False


def _feed_forward(scope: Scope, group: Sequence[int], inner: Sequence[Op]) -> dict[str, AttrValue]:
    gated = _gated(scope, group)
    stated: dict[str, AttrValue] = {"gated": gated}
    maps = [op for op in inner if _is_map(op)] or [op for op in inner if op.kind in CONVS]
    hidden = [op for op in inner if op.kind in ACTIVATIONS]
    if hidden:
        stated["activation"] = hidden[0].kind.name
    elif any(op.kind in _GATES for op in inner):
        stated["activation"] = next(op.attr("activation", "sigmoid") for op in inner if op.kind in _GATES)
    else:
        hidden = [op for op in inner if op.kind is OPAQUE]
        if hidden:
            name = hidden[0].attr("name")
            stated["activation"] = Unknown(f"{name} could not be read", hidden[0].span)
    if isinstance(width := maps[-1].attr("out_features"), int):
        stated["d_model"] = width
    hidden_width = maps[-1].attr("in_features")
    if not isinstance(hidden_width, int) and not gated:
        hidden_width = maps[0].attr("out_features")
    if isinstance(hidden_width, int):
        stated["d_ff"] = hidden_width
    return stated


def is_bearing(ops: Sequence[Op]) -> bool:
    """Whether any of the ops learns something or mixes tokens."""
    return any(op.kind in BEARING for op in ops)


def core_attrs(core: Core) -> tuple[Attr, ...]:
    """The attributes that a sublayer op states."""
    return attrs(**core.stated)
