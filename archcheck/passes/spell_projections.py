"""Spells an attention that brings its projections along as three projections, the attention alone, and one more."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import AttrValue, Op, Value, attrs
from archcheck.passes.kinds import ATTENTION, LINEAR
from archcheck.passes.respell import Respelled, RespellPass
from archcheck.passes.scope import Paths, Scope

_OF_PROJECTIONS = frozenset({"projected", "projection_bias", "out_features", "key_features", "value_features"})


class SpellProjections(RespellPass):
    """Take the projections of query, key, value and output out of an attention that a framework computes as one.

    before                                              after
      %x = input                                          input
      attention %x, %x, %x heads=8 out_features=512       linear %0 in_features=512 out_features=512
                projected=True                            linear %0 in_features=512 out_features=512
                                                          linear %0 in_features=512 out_features=512
                                                          attention %1, %2, %3 head_dim=64 heads=8 kv_heads=8
                                                                    projected=False scale=0.125
                                                          linear in_features=512 out_features=512

    The scale is 1/sqrt(head_dim), which is what an attention with projections computes in every framework that has
    one. `projected=False` keeps in mind that the code has one call where these stand. Learned tensors among the
    operands are read by the last projection.

    Left alone: an attention with fewer than three operands, and learned operands whose sizes do not tell the width.

    Cites: vaswani2017, section 3.2.2.
    """

    name = "spell_projections"

    def applies(self, ops: tuple[Op, ...]) -> bool:
        """Whether an attention has projections."""
        return any(_is_projected(op) for op in ops)

    def respell(self, scope: Scope, paths: Paths) -> Respelled:
        """The spelled form of every attention with projections."""
        found = Respelled()
        for slot in scope.of_kinds({ATTENTION}):
            op = scope.ops[slot]
            if not _is_projected(op):
                continue
            learned = [value for value in op.reads[3:] if scope.origins_of(value) == Scope.ON_PARAMETER]
            sizes = _sizes(scope, op, learned)
            if sizes is not None:
                ops = _spelled(op, learned, sizes, paths)
                found.instead[slot] = ops
                found.names[Value(op.path)] = Value(ops[-1].path)
                found.names[Value(op.path, 1)] = Value(ops[-2].path, 1)  # the weights, where the call gives them too
        return found


def _is_projected(op: Op) -> bool:
    return op.kind is ATTENTION and op.attr("projected") is True and len(op.reads) > 2


_Sizes = dict[str, AttrValue]


def _sizes(scope: Scope, op: Op, learned: list[Value]) -> _Sizes | None:
    """The `width` of the model and whether projections have a `bias`, as far as told; None where they cannot be."""
    width, bias = op.attr("out_features"), op.attr("projection_bias")
    if learned:
        shapes = [maker.attr("shape") for value in learned if (maker := scope.maker(value)) is not None]
        told = [shape for shape in shapes if isinstance(shape, tuple)]
        matrices = [shape for shape in told if len(shape) == 2]
        widths = {shape[1] for shape in matrices if shape[0] in (shape[1], _times(shape[1], 3))}
        if len(told) == len(learned):
            if len(widths) != 1:
                return None
            width = widths.pop()
            bias = len(matrices) < len(told)
    return {"width": width if isinstance(width, int) else None, "bias": bias}


def _times(size: AttrValue, number: int) -> AttrValue:
    return size * number if isinstance(size, int) else None


def _spelled(op: Op, learned: list[Value], sizes: _Sizes, paths: Paths) -> tuple[Op, ...]:
    width = sizes["width"]
    heads, size = op.attr("heads"), op.attr("head_dim")
    stated = {attr.name: attr.value for attr in op.attrs if attr.name not in _OF_PROJECTIONS}
    if not isinstance(size, int) and isinstance(width, int) and isinstance(heads, int) and heads and not width % heads:
        size = width // heads
    projected: AttrValue = None
    keys: AttrValue = None
    if isinstance(size, int) and size > 0:
        stated |= {"head_dim": size, "scale": op.attr("scale", size**-0.5)}
        if isinstance(heads, int):
            stated.setdefault("kv_heads", heads)
            projected, keys = heads * size, _times(stated["kv_heads"], size)

    def linear(value: Value, read: AttrValue, given: AttrValue, *more: Value) -> Op:
        told = {"in_features": read, "out_features": given, "bias": sizes["bias"]}
        told = {name: one for name, one in told.items() if one is not None}
        return replace(op, path=paths.fresh(op.path, LINEAR), kind=LINEAR, reads=(value, *more), attrs=attrs(**told))

    query = linear(op.reads[0], width, projected)
    key = linear(op.reads[1], op.attr("key_features", width), keys)
    value = linear(op.reads[2], op.attr("value_features", width), keys if isinstance(width, int) else None)
    beside = [other for other in op.reads[3:] if other not in learned]
    if not beside:  # no mask is there to tell it of
        stated.pop("hides", None)
    alone = replace(
        op,
        path=paths.fresh(op.path, ATTENTION),
        reads=(*(Value(one.path) for one in (query, key, value)), *beside),
        attrs=attrs(**stated, projected=False),
    )
    out = linear(Value(alone.path), projected if isinstance(width, int) else None, width, *learned)
    return query, key, value, alone, out
