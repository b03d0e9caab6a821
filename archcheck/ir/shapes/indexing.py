"""Shapes of what an index takes, as torch has it: integers first, then slices, then index tensors, stretched together.

An attribute does not tell a list from a tuple, nor a tensor of integers from one of truths. Where that matters every
way in which an index may be meant is followed, and what they agree on is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from archcheck.ir.graph import Size
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
)

_MOST_WAYS = 4  # index tensors that may be of integers or of truths


def _select(given: Given) -> Dims:
    index = given.get("index")
    if index == "diagonal":
        return _diagonal(given)
    if index == "mask":
        return _masked(given)
    if "length" in given.attrs:
        return _narrow(given)
    if "axis" in given.attrs and "index" in given.attrs:  # torch.select
        dims = given.operand()
        return replaced(dims, given.axis(len(dims)))
    if "index" not in given.attrs:
        raise NotKnown
    return indexed(given.operand(), index, given.operands[1:])


def _diagonal(given: Given) -> Dims:
    dims = given.operand()
    offset = size(given.get("offset"))
    if offset is None and not given.takes("name"):
        raise NotKnown
    if given.takes("dim1", "axis1"):
        first = axis_of(given.argument("dim1", "axis1"), len(dims))
        second = axis_of(given.argument("dim2", "axis2"), len(dims))
    elif len(dims) == 2:
        first, second = 0, 1
    else:
        raise NotKnown
    rows, columns = dims[first], dims[second]
    rest = tuple(one for at, one in enumerate(dims) if at not in (first, second))
    if rows is None or columns is None:
        return (*rest, None)
    shift = offset or 0
    return (*rest, max(min(rows, columns - shift) if shift >= 0 else min(rows + shift, columns), 0))


def _masked(given: Given) -> Dims:
    """torch.masked_select gives one axis, tf.boolean_mask takes the mask's axes away."""
    dims, mask = given.operand(), given.operand(1)
    if given.takes("input", "self") or len(mask) == len(dims):
        return (None,)
    if not given.takes("tensor"):
        raise NotKnown
    axis = axis_of(given.attrs.get("axis", 0), len(dims))
    return (*dims[:axis], None, *dims[axis + len(mask) :])


def _narrow(given: Given) -> Dims:
    dims = given.operand()
    length = given.attrs["length"]
    if "axis" in given.attrs:
        return replaced(dims, given.axis(len(dims)), size(length))
    taken = sizes(length)  # tf.slice: -1 is all that is left
    starts = sizes(given.attrs["start"]) if "start" in given.attrs else (None,) * len(dims)
    if len(taken) != len(dims) or len(starts) != len(dims):
        raise NotKnown
    return tuple(
        (None if one is None or start is None else one - start) if wanted == -1 else wanted
        for one, start, wanted in zip(dims, starts, taken, strict=True)
    )


# ---- an index in brackets


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Entries named by an index tensor or a list of integers, for the next axis."""

    dims: Dims
    most: int = -1  # the greatest of its integers, where they are listed
    least: int = 0


@dataclass(frozen=True, slots=True)
class _Mask:
    """Entries where a tensor of truths says yes, for as many axes as it has."""

    dims: Dims
    count: int | None = None  # of its yes


_Item = object  # int, Size, None, "...", a slice, _Chosen or _Mask


def indexed(dims: Dims, index: object, others: Sequence[Dims | None]) -> Dims:
    """The shape of `x[index]`.

    Args:
        dims: of x.
        index: as an attribute states it: integers, `("slice", start, stop, step)`, "...", None for a new axis, tuples
            for lists, an Unknown for a tensor.
        others: shapes of the tensors in the index, in their order.

    Raises:
        NotKnown: it does not follow how many axes are left.
    """
    found: list[Dims] = []
    for items in _readings(index):
        if sum(_unknowns(item) for item in items) != len(others):
            raise NotKnown  # one of them is no tensor
        tensors = iter(others)
        meant = [_meant(item, tensors) for item in items]
        if sum(len(ways) > 1 for ways in meant) > _MOST_WAYS:
            raise NotKnown
        for way in product(*meant):
            try:
                found.append(_taken(dims, way))
            except _DoesNotFit:
                continue
    return either(*found)


class _DoesNotFit(Exception):
    """An index cannot be meant in this way."""


def _is_slice(value: object) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 4 and isinstance(value[0], str) and value[0] == "slice"


def _readings(index: object) -> Iterator[Sequence[object]]:
    """The ways in which an index may be meant: a tuple of several, or one list."""
    if isinstance(index, list) or not isinstance(index, tuple) or _is_slice(index):
        yield (index,)
        return
    yield index
    if index and all(isinstance(item, (bool, int, Size)) for item in index):
        yield (index,)  # `x[[0, 1]]`, which is stated as `x[0, 1]` is


def _unknowns(item: object) -> int:
    """How many values in an index are not known, each of which may be a tensor."""
    if isinstance(item, (tuple, list)):
        return sum(_unknowns(part) for part in item)
    return int(is_open(item))


def _meant(item: object, tensors: Iterator[Dims | None]) -> Sequence[_Item]:
    """What an item may be: a tensor one of integers or one of truths."""
    if _is_slice(item):
        for _ in range(_unknowns(item)):
            next(tensors)
        return (item,)
    if isinstance(item, (tuple, list)):
        if _unknowns(item):
            raise NotKnown
        return (_of_list(item),)
    if is_open(item):
        shape = next(tensors)
        if shape is None:
            raise NotKnown
        return _Chosen(shape), _Mask(shape)
    if item is None or isinstance(item, (Size, str)) or size(item) is not None:
        return (item,)
    raise NotKnown


def _of_list(items: Sequence[object]) -> _Chosen | _Mask:
    dims = nested(items)
    flat = list(_leaves(items))
    if flat and all(isinstance(one, bool) for one in flat):
        return _Mask(dims, sum(one is True for one in flat))
    if not all(isinstance(one, Size) or size(one) is not None for one in flat):
        raise NotKnown
    numbers = [one for one in flat if isinstance(one, int)]
    return _Chosen(dims, max(numbers, default=-1), min(numbers, default=0))


def nested(value: object) -> tuple[int, ...]:
    """The shape of a list of lists of numbers.

    Raises:
        NotKnown: its rows differ in length.
    """
    if not isinstance(value, (tuple, list)):
        return ()
    inner = {nested(item) for item in value}
    if len(inner) > 1:
        raise NotKnown
    return (len(value), *(inner.pop() if inner else ()))


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _taken(dims: Dims, items: Sequence[_Item]) -> Dims:
    """The shape that an index gives that is meant in one way.

    Raises:
        _DoesNotFit: it cannot be meant so.
        NotKnown: it does not follow.
    """
    used = sum(_consumed(item) for item in items)
    dots = sum(isinstance(item, str) for item in items)
    if used > len(dims):
        raise _DoesNotFit
    if dots > 1:
        raise NotKnown
    laid: list[int | _Chosen | None] = []
    at = 0
    for item in (*items, *(() if dots else ("...",))):
        if isinstance(item, str):
            if item != "...":
                raise NotKnown
            laid += dims[at : at + len(dims) - used]
            at += len(dims) - used
        elif item is None:
            laid.append(1)
        elif isinstance(item, _Chosen) and item.dims:
            own = dims[at]
            if own is not None and not -own <= item.least <= item.most + 1 <= own:
                raise _DoesNotFit
            laid.append(item)
            at += 1
        elif isinstance(item, _Mask):
            laid += _axes_of_mask(item, dims[at : at + len(item.dims)])
            at += len(item.dims)
        else:
            laid += _basic(item, dims[at])
            at += 1
    return _arranged(laid)


def _consumed(item: _Item) -> int:
    """How many axes an item takes."""
    if isinstance(item, _Mask):
        return len(item.dims)
    return int(item is not None and not isinstance(item, str))


def _axes_of_mask(mask: _Mask, own: Dims) -> list[int | _Chosen | None]:
    """A mask is one list of places for each of its axes."""
    if any(one is not None and other is not None and one != other for one, other in zip(mask.dims, own, strict=True)):
        raise _DoesNotFit
    chosen = _Chosen((mask.count,))
    return [chosen] * max(len(mask.dims), 1)


def _basic(item: _Item, own: int | None) -> list[int | _Chosen | None]:
    """What an integer or a slice leaves of an axis."""
    if isinstance(item, (tuple, list)):
        return [sliced(own, *item[1:])]
    number = size(item)
    if number is not None and own is not None and not -own <= number < own:
        raise _DoesNotFit
    return []


def sliced(length: int | None, start: object, stop: object, step: object) -> int | None:
    """How many entries a slice takes of an axis; None where that is not known."""
    if step in (None, 1) and start in (None, 0) and stop is None:
        return length
    parts = [size(part) if part is not None else None for part in (start, stop, step)]
    if any(part is not None and found is None for part, found in zip((start, stop, step), parts, strict=True)):
        return None
    if parts[2] is not None and parts[2] <= 0:
        raise NotKnown
    if length is None:
        return None
    return len(range(length)[slice(*parts)])


def _arranged(laid: list[int | _Chosen | None]) -> Dims:
    """The axes in their order; those of index tensors stand where these do if they are neighbours, else in front."""
    places = [at for at, one in enumerate(laid) if isinstance(one, _Chosen)]
    if not places:
        return _plain(laid)
    try:
        common = broadcast(*(one.dims for one in laid if isinstance(one, _Chosen)))
    except NotKnown:
        raise _DoesNotFit from None
    first, last = places[0], places[-1]
    if last - first + 1 == len(places):
        return (*_plain(laid[:first]), *common, *_plain(laid[last + 1 :]))
    return (*common, *_plain(laid))


def _plain(laid: Sequence[int | _Chosen | None]) -> Dims:
    return tuple(one for one in laid if not isinstance(one, _Chosen))


ONE: dict[str, Callable[[Given], Dims]] = {"select": _select}
