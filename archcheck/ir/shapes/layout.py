"""Shapes of the same entries under other axes: reshaped, permuted, repeated, shuffled between channels and space."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from archcheck.ir.shapes.dims import (
    Dims,
    Given,
    NotKnown,
    added,
    agreed,
    axes_of,
    axis_of,
    broadcast,
    each,
    is_open,
    known,
    replaced,
    size,
    sizes,
    times,
    total,
)

# ---- reshape


def _reshape(given: Given) -> Dims:
    form = given.get("form")
    if form is not None:
        rule = _FORMS.get(form) if isinstance(form, str) else None
        if rule is None:
            raise NotKnown
        return rule(given)
    if "shape" not in given.attrs:  # `x.view_as(y)`
        return given.shaped("other")
    asked = sizes(given.attrs["shape"])
    dims = given.operands[0] if given.operands else None
    if given.flag("batch_apart"):
        dims = given.operand()
        return (dims[0], *_filled(asked, dims[1:]))
    return _filled(asked, dims)


def _filled(asked: Dims, dims: Dims | None) -> Dims:
    """The sizes that are asked for, with the one that is left open computed from what is there."""
    entries = None if dims is None else total(dims)
    open_ = [at for at, one in enumerate(asked) if one is None or one == -1]
    stated = total(one for one in asked if one is not None and one != -1)
    if len(open_) == 1 and entries is not None and stated and entries % stated == 0:
        return replaced(asked, open_[0], entries // stated)
    if not open_ and entries is not None and entries != stated:
        raise NotKnown
    return tuple(None if one == -1 else one for one in asked)


def _squeeze(given: Given) -> Dims:
    dims = given.operand()
    axis = given.get("axis")
    every = axis is None or axis == ()  # `x.squeeze()` states that it is given no axes
    axes = range(len(dims)) if every else axes_of(axis, len(dims))
    gone = {at for at in axes if known(dims[at]) == 1}
    return tuple(one for at, one in enumerate(dims) if at not in gone)


def _unsqueeze(given: Given) -> Dims:
    dims = given.operand()
    axis = given.get("axis")
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    new = axes_of(axis, len(dims) + count)
    rest = iter(dims)
    return tuple(1 if at in new else next(rest) for at in range(len(dims) + count))


def _flatten(given: Given) -> Dims:
    dims = given.operand()
    if not dims:
        return (1,)
    first = axis_of(given.attrs.get("axis", 0), len(dims))
    last = axis_of(given.attrs.get("end", -1), len(dims))
    if first > last:
        raise NotKnown
    return (*dims[:first], total(dims[first : last + 1]), *dims[last + 1 :])


def _unflatten(given: Given) -> Dims:
    dims = given.operand()
    axis = given.axis(len(dims))
    return replaced(dims, axis, *_filled(sizes(given.get("shape")), (dims[axis],)))


_FORMS: dict[str, Callable[[Given], Dims]] = {
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "flatten": _flatten,
    "unflatten": _unflatten,
}

# ---- permute


def _permute(given: Given) -> Dims:
    dims = given.operand()
    if "axes" in given.attrs:
        axes = given.attrs["axes"]
        if axes == "reversed":
            return dims[::-1]
        if given.flag("batch_apart"):
            if not isinstance(axes, (tuple, list)):
                raise NotKnown
            axes = (0, *axes)
        order = axes_of(axes, len(dims))
    elif "other_axis" in given.attrs:
        if len(dims) < 2 and (given.get("axis"), given.get("other_axis")) == (0, 1):
            return dims  # `x.t()`
        one, other = given.axis(len(dims)), given.axis(len(dims), "other_axis")
        swapped = {one: other, other: one}
        order = tuple(swapped.get(at, at) for at in range(len(dims)))
    else:
        order = _moved(given, len(dims))
    if len(order) != len(dims):
        raise NotKnown
    return tuple(dims[at] for at in order)


def _moved(given: Given, rank: int) -> tuple[int, ...]:
    source, destination = (axes_of(given.get(name), rank) for name in ("source", "destination"))
    if len(source) != len(destination):
        raise NotKnown
    placed = dict(zip(destination, source, strict=True))
    rest = iter([at for at in range(rank) if at not in source])
    return tuple(placed[at] if at in placed else next(rest) for at in range(rank))


# ---- expand


def _expand(given: Given) -> tuple[Dims | None, ...]:
    if "shape" in given.attrs:
        return (_to_shape(given.operand(), sizes(given.attrs["shape"])),)
    if "repeats" in given.attrs or given.get("interleaved") is True:
        return (_repeated(given),)
    if given.takes("other"):  # `x.expand_as(y)`
        return (given.shaped("other"),)
    if len(given.operands) < 2:
        raise NotKnown
    # torch.broadcast_tensors
    return (broadcast(*(given.operand(at) for at in range(len(given.operands)))),) * given.outputs


def _to_shape(dims: Dims, asked: Dims) -> Dims:
    if len(asked) < len(dims):
        raise NotKnown
    own = (None,) * (len(asked) - len(dims)) + dims
    found: list[int | None] = []
    for at, (one, before) in enumerate(zip(asked, own, strict=True)):
        new = at < len(asked) - len(dims)
        if one == -1:
            if new:
                raise NotKnown
            found.append(before)
        elif one is None:  # it may be that -1; what is not 1 is what it was
            found.append(None if new or before == 1 else before)
        elif new or before in (None, 1, one):
            found.append(one)
        else:
            raise NotKnown
    return tuple(found)


def _repeated(given: Given) -> Dims:
    dims = given.operand()
    repeats = given.get("repeats")
    if given.get("interleaved") is True:
        return _interleaved(given, dims, repeats)
    if "axis" in given.attrs:  # Keras' RepeatVector
        at = axis_of(given.attrs["axis"], len(dims) + 1)
        return (*dims[:at], size(repeats), *dims[at:])
    counts = sizes(repeats)
    rank = max(len(counts), len(dims))
    own, counts = ((1,) * (rank - len(one)) + one for one in (dims, counts))
    return tuple(times(one, count) for one, count in zip(own, counts, strict=True))


def _interleaved(given: Given, dims: Dims, repeats: object) -> Dims:
    if "axis" not in given.attrs:
        if given.takes("dim", "axis") and given.argument("dim", "axis") is not None:
            raise NotKnown
        dims = (total(dims),)
    axis = axis_of(given.attrs.get("axis", 0), len(dims))
    if isinstance(repeats, (tuple, list)):
        counts = sizes(repeats)
        found = times(dims[axis], counts[0]) if len(counts) == 1 else added(*counts)
    elif size(repeats) is not None:
        found = times(dims[axis], size(repeats))
    else:  # a tensor says how often
        found = size(given.argument("output_size")) if given.takes("output_size") else None
    return replaced(dims, axis, found)


# ---- channels and space


def _pixel_shuffle(given: Given) -> Dims:
    dims = given.operand()
    if len(dims) < 3:
        raise NotKnown
    factor = size(given.get("factor"))
    last = given.flag("channels_last")
    if last and given.takes("data_format") and given.argument("data_format") != "NHWC":
        raise NotKnown
    *lead, channels, height, width = (*dims[:-3], dims[-1], *dims[-3:-1]) if last else dims
    if given.flag("inverse"):
        sides = [_divided(one, factor) for one in (height, width)]
        channels = times(channels, factor, factor)
    else:
        sides = [times(one, factor) for one in (height, width)]
        channels = _divided(channels, times(factor, factor))
    return (*lead, *sides, channels) if last else (*lead, channels, *sides)


def _divided(one: int | None, by: int | None) -> int | None:
    if one is None or by is None:
        return None
    if by <= 0 or one % by:
        raise NotKnown
    return one // by


def _as_real(given: Given) -> Dims:
    dims = given.operand()
    if not given.flag("inverse"):
        return (*dims, 2)
    if not dims or dims[-1] not in (None, 2):
        raise NotKnown
    return dims[:-1]


# ---- borders


_LAST = (None, "channels_last")  # how Keras says that features are the last axis


def _pad(given: Given) -> Dims:
    """Amounts are a flat list from the last axis on, as torch has it, or a pair for each axis, as TensorFlow has it.

    A single number or pair is that of the last axis in torch, of each axis in `keras.ops`, of space in Keras' layers:
    the arguments of the call tell which.
    """
    dims = given.operand()
    amount = given.get("amount")
    listed = amount if isinstance(amount, (tuple, list)) else ()
    if given.takes("data_format") and len(dims) > 2 and (given.arguments or {}).get("data_format") in _LAST:
        space = listed if listed else (amount,) * (len(dims) - 2)
        if len(space) != len(dims) - 2:
            raise NotKnown
        return (dims[0], *(added(one, *each(by, 2)) for one, by in zip(dims[1:-1], space, strict=True)), dims[-1])
    if listed and all(isinstance(one, (tuple, list)) for one in listed):
        if len(listed) != len(dims):
            raise NotKnown
        pairs = [each(one, 2) for one in listed]
        return tuple(added(one, *pair) for one, pair in zip(dims, pairs, strict=True))
    if given.takes("pad_width"):
        return tuple(added(one, *each(amount, 2)) for one in dims)
    if not (len(listed) > 3 or given.takes("pad", "padding")) or given.takes("data_format"):
        return (None,) * len(dims)
    if not listed:  # on all sides, of one axis, of two or of three
        return (*dims[:-3], *(None,) * len(dims[-3:]))
    if any(is_open(one) for one in listed):  # by amounts that tensors say, which may be for more axes than are listed
        return (None,) * len(dims)
    flat = sizes(listed)
    if len(flat) % 2 or len(flat) > 2 * len(dims):
        raise NotKnown
    found = list(dims)
    for at in range(len(flat) // 2):
        found[-1 - at] = added(dims[-1 - at], *flat[2 * at : 2 * at + 2])
    return tuple(found)


def _meshgrid(given: Given) -> tuple[Dims, ...]:
    shapes = [given.operand(at) for at in range(len(given.operands))]
    if len(shapes) < 2 or any(len(one) > 1 for one in shapes) or given.get("indexing") not in ("ij", "xy"):
        raise NotKnown
    grid = [one[0] if one else 1 for one in shapes]
    if given.get("indexing") == "xy":
        grid[:2] = grid[:2][::-1]
    return (tuple(grid),) * len(grid)


def joined(parts: list[Dims | None], axis: int) -> Dims:
    """Tensors one behind the other along an axis, which all of them have.

    Raises:
        NotKnown: nothing is known of any, or they do not fit.
    """
    some = [one for one in parts if one is not None]
    if not some:
        raise NotKnown
    others = agreed(*(replaced(one, axis, None) for one in some))
    along = None if len(some) < len(parts) else added(*(one[axis] for one in some))
    return replaced(others, axis, along)


def spans(cuts: tuple[int, ...], length: int) -> list[int]:
    """Sizes of the parts into which cuts at these places divide an axis, as NumPy counts them."""
    places = [min(max(cut + length if cut < 0 else cut, 0), length) for cut in cuts]
    return [max(end - start, 0) for start, end in pairwise([0, *places, length])]


ONE: dict[str, Callable[[Given], Dims]] = {
    "reshape": _reshape,
    "permute": _permute,
    "pixel_shuffle": _pixel_shuffle,
    "as_real": _as_real,
    "pad": _pad,
}
SEVERAL: dict[str, Callable[[Given], tuple[Dims | None, ...]]] = {"expand": _expand, "meshgrid": _meshgrid}
