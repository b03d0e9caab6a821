"""Sizes of layers, from the shapes of the weights that their ops are called with; PyTorch's own layouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from archcheck.ir.graph import AttrValue, Op, attrs

Shape = tuple[int, ...]


def sized(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    """Ops as they were read, each with the sizes that its weights tell."""
    shapes: dict[str, Shape] = {}
    for op in ops:
        shape = op.attr("shape") if op.kind.name == "parameter" else None
        if isinstance(shape, tuple) and all(type(size) is int for size in shape):
            shapes[op.path] = shape  # type: ignore[assignment]
    return tuple(_sized(op, shapes) for op in ops)


def _sized(op: Op, shapes: Mapping[str, Shape]) -> Op:
    tell = _TOLD.get(op.kind.name)
    shape = shapes.get(op.reads[1].op) if tell is not None and len(op.reads) > 1 else None
    if tell is None or shape is None:
        return op
    held = {attr.name: attr.value for attr in op.attrs}
    return replace(op, attrs=attrs(**{**tell(op, shape), **held}))


def _linear(op: Op, shape: Shape) -> dict[str, AttrValue]:
    if len(shape) != 2:
        return {}
    return {"in_features": shape[1], "out_features": shape[0], "bias": len(op.reads) > 2}


def _embedding(op: Op, shape: Shape) -> dict[str, AttrValue]:
    return {"rows": shape[0], "dim": shape[1]} if len(shape) == 2 else {}


def _norm(op: Op, shape: Shape) -> dict[str, AttrValue]:
    return {"dim": shape[0]} if len(shape) == 1 else {}


def _conv(op: Op, shape: Shape) -> dict[str, AttrValue]:
    groups = op.attr("groups", 1)
    if len(shape) < 3 or type(groups) is not int:
        return {}
    given, read = shape[0], shape[1] * groups
    if op.kind.name == "conv_transpose":
        given, read = read, given
    kernel: AttrValue = shape[2] if len(set(shape[2:])) == 1 else shape[2:]
    told: dict[str, AttrValue] = {"in_features": read, "out_features": given, "kernel": kernel}
    return {**told, "bias": len(op.reads) > 2, "padding_mode": "zeros"}


_TOLD: dict[str, Callable[[Op, Shape], dict[str, AttrValue]]] = {
    "linear": _linear,
    "embedding": _embedding,
    "batch_norm": _norm,
    "group_norm": _norm,
    "conv": _conv,
    "conv_transpose": _conv,
}
