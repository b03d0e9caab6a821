"""Shapes of parts of tensors, and of tensors joined: split, concatenated, gathered, scattered."""

from __future__ import annotations

from collections.abc import Callable

from archcheck.ir.shapes.dims import (
    Dims,
    Given,
    NotKnown,
    axis_of,
    broadcast,
    either,
    is_open,
    replaced,
    size,
    sizes,
    total,
    truth,
)
from archcheck.ir.shapes.layout import joined, spans


def _concat(given: Given) -> Dims:
    """One operand alone may be a list of tensors that stands as one value: of how many is not known."""
    if given.spelled:  # `torch.vstack` and `einops.pack` give each tensor more axes first
        raise NotKnown
    parts = list(given.operands)
    rank = max((len(one) for one in parts if one is not None), default=0)
    if rank > 1:
        parts = [one for one in parts if one != (0,)]  # torch passes over empty tensors of one axis
    elif given.arguments is None:  # it may be such a formula
        raise NotKnown
    axis = axis_of(given.attrs.get("axis", 0), rank)
    found = joined(parts, axis)
    return found if len(given.operands) > 1 else replaced(found, axis, None)


def _stack(given: Given) -> Dims:
    """What differs in size is padded first by `pad_sequence`: only what is known of all is known of the result."""
    parts = [given.operand(at) for at in range(len(given.operands))]
    inner = either(*parts)
    axis = axis_of(given.attrs.get("axis", 0), len(inner) + 1)
    return (*inner[:axis], len(parts) if len(parts) > 1 else None, *inner[axis:])


# ---- split


def _split(given: Given) -> tuple[Dims, ...]:
    dims = given.operand()
    axis = axis_of(given.attrs.get("axis", 0), len(dims))
    if given.get("unbind") is True:
        return (replaced(dims, axis),) * given.outputs
    lengths = _lengths(given, dims[axis])
    return tuple(
        replaced(dims, axis, None if lengths is None else lengths[at])
        for at in range(given.outputs)
        if lengths is None or at < len(lengths)
    )


def _lengths(given: Given, length: int | None) -> Dims | None:
    """Sizes of the parts; None where they are not known."""
    if "size" in given.attrs:
        part = given.attrs["size"]
        if isinstance(part, (tuple, list)):
            return None if any(is_open(one) for one in part) else sizes(part)
        step = size(part)
        if step is None or step <= 0 or length is None:
            return None
        return _steps(length, step)
    sections = given.get("sections")
    if isinstance(sections, (tuple, list)):
        if any(is_open(one) for one in sections):
            return None
        return _cut(given, sizes(sections), length)
    count = size(sections)
    if count is None or count <= 0 or length is None:
        return None
    if length and length % count == 0:
        return (length // count,) * count
    if given.takes("chunks"):
        return _steps(length, -(-length // count))
    if given.takes("indices_or_sections"):
        return tuple(length // count + (at < length % count) for at in range(count))
    return None


def _steps(length: int, step: int) -> Dims:
    if not length or not step:
        return (0,)
    return tuple(min(step, length - start) for start in range(0, length, step))


def _cut(given: Given, listed: Dims, length: int | None) -> Dims | None:
    """Parts of the sizes that are listed, as TensorFlow has it, or cut at these places, as torch and Keras have it."""
    if given.takes("num_or_size_splits"):
        return tuple(None if one == -1 else one for one in listed)
    whole = tuple(one for one in listed if one is not None)
    if length is None or len(whole) < len(listed):
        return None
    if given.takes("indices_or_sections") or (sum(whole) != length and -1 not in whole):
        return tuple(spans(whole, length))
    return None


# ---- gather and scatter


def _gather(given: Given) -> Dims:
    dims, index = given.operand(), given.operand(1)
    shared = size(given.attrs.get("batch_axes", 0))
    if shared is None:
        raise NotKnown
    if given.get("coordinates") is True:
        named = index[-1] if index else None
        if named is None or shared + named > len(dims):
            raise NotKnown
        return (*index[:-1], *dims[shared + named :])
    if given.get("whole") is True:
        return _slices(given, dims, index, shared)
    if "axis" not in given.attrs:
        if given.takes("indices"):  # entries of what was made one axis first
            return (total(index),)
        raise NotKnown
    axis = given.axis(len(dims))
    if len(index) != len(dims):
        raise NotKnown
    if given.takes("index"):
        return index
    if given.takes("indices"):
        return replaced(broadcast(replaced(dims, axis, 1), replaced(index, axis, 1)), axis, index[axis])
    # torch.gather gives what the index has; torch.take_along_dim stretches it
    return tuple(
        one if at == axis or one != 1 or own == 1 else None
        for at, (one, own) in enumerate(zip(index, dims, strict=True))
    )


def _slices(given: Given, dims: Dims, index: Dims, shared: int) -> Dims:
    if "axis" not in given.attrs:
        if given.takes("axis") and given.argument("axis") is None:
            return index
        raise NotKnown
    axis = given.axis(len(dims))
    if not index and "batch_axes" not in given.attrs:  # of a single index torch leaves the axis, TensorFlow does not
        given.argument("index")
        index = (1,)
    if shared > min(axis, len(index)) or shared < 0:
        raise NotKnown
    return (*dims[:axis], *index[shared:], *dims[axis + 1 :])


def _scatter(given: Given) -> Dims:
    if given.get("coordinates") is True and len(given.operands) < 3:
        return sizes(given.argument("shape"))
    return given.operand()


def _update(given: Given) -> Dims:
    if given.get("index") == "mask" and len(given.operands) > 1:
        return broadcast(given.operand(), given.operand(1))
    return given.operand()


def _nonzero(given: Given) -> Dims:
    """One row for each place; what comes apart by axes is several tensors, which stand as one."""
    if truth(given.argument("as_tuple")) if given.takes("as_tuple") else not given.takes("input", "self"):
        raise NotKnown
    return (None, len(given.operand()))


def _one_hot(given: Given) -> Dims:
    dims = given.operand()
    classes = size(given.get("classes"))
    axis = axis_of(given.attrs.get("axis", -1), len(dims) + 1)
    return (*dims[:axis], None if classes is None or classes < 0 else classes, *dims[axis:])


ONE: dict[str, Callable[[Given], Dims]] = {
    "concat": _concat,
    "stack": _stack,
    "gather": _gather,
    "scatter": _scatter,
    "update": _update,
    "nonzero": _nonzero,
    "one_hot": _one_hot,
}
SEVERAL: dict[str, Callable[[Given], tuple[Dims | None, ...]]] = {"split": _split}
