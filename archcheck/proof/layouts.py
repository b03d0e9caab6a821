"""Definitions of the ops that move data: other axes, another order, parts, and tensors joined."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from archcheck.ir.graph import AttrValue, Unknown
from archcheck.proof.pointwise import real
from archcheck.proof.world import CannotEvaluate, DoesNotFit, Reader, place

if TYPE_CHECKING:
    from archcheck.proof.world import Array


def reshape(reader: Reader, operands: Sequence[Array]) -> Array:
    """The same elements under other axes, as torch and numpy lay them out (row-major)."""
    import numpy as np

    op, value = reader.op, operands[0]
    form = op.attr("form")
    if form == "squeeze":
        axes = reader.axes(value.ndim)
        chosen = range(value.ndim) if axes is None else axes
        return np.squeeze(value, axis=tuple(axis for axis in chosen if value.shape[axis] == 1))
    if form == "unsqueeze":
        axis = reader.axis(value.ndim + 1)
        return np.expand_dims(value, axis)
    if form == "flatten":
        first = place(reader.whole("axis", 0), value.ndim)
        last = place(reader.whole("end", -1), value.ndim)
        if last < first:
            raise DoesNotFit("axes to flatten that end before they begin")
        return value.reshape(*value.shape[:first], math.prod(value.shape[first : last + 1]), *value.shape[last + 1 :])
    if form == "unflatten":
        axis = reader.axis(value.ndim)
        sizes = _sizes(reader, op.attr("shape"), value.shape[axis])
        return value.reshape(*value.shape[:axis], *sizes, *value.shape[axis + 1 :])
    if form is not None:
        raise CannotEvaluate(f"a reshape of the form {form}")
    if op.attr("batch_apart") is True:
        sizes = _sizes(reader, op.attr("shape"), math.prod(value.shape[1:]))
        return value.reshape(value.shape[0], *sizes)
    return value.reshape(_sizes(reader, op.attr("shape"), value.size))


def _sizes(reader: Reader, stated: AttrValue, total: int) -> tuple[int, ...]:
    """The sizes of a shape for `total` elements; one that is open, or -1, follows from the others.

    Raises:
        CannotEvaluate: several are open.
        DoesNotFit: the sizes make another number of elements.
    """
    if not isinstance(stated, tuple):
        if not isinstance(stated, int):
            raise CannotEvaluate("the shape of a reshape is not stated")
        stated = (stated,)
    rows = tuple(one for row in stated for one in (row if isinstance(row, tuple) else (row,)))
    sizes = [reader.size(row) for row in rows]
    left = [at for at, size in enumerate(sizes) if size is None or size == -1]
    if len(left) > 1:
        why = next((row.why for row in rows if isinstance(row, Unknown)), "no size is stated")
        raise CannotEvaluate(f"several sizes of a reshape could not be read: {why}")
    known = math.prod(size for at, size in enumerate(sizes) if size is not None and at not in left)
    if left:
        if not known or total % known:
            raise DoesNotFit("the sizes of a reshape do not divide its elements")
        sizes[left[0]] = total // known
    elif known != total:
        raise DoesNotFit("a reshape to another number of elements")
    return tuple(size for size in sizes if size is not None)


def permute(reader: Reader, operands: Sequence[Array]) -> Array:
    """Axes in another order."""
    import numpy as np

    op, value = reader.op, operands[0]
    behind = 1 if op.attr("batch_apart") is True else 0
    if op.states("source") and op.states("destination"):
        return np.moveaxis(value, reader.axes(value.ndim, "source") or (), reader.axes(value.ndim, "destination") or ())
    if op.attr("axes") == "reversed":
        return value.transpose()
    if op.states("axes"):
        axes = op.attr("axes")
        rows = axes if isinstance(axes, tuple) else (axes,)
        order = [reader.as_whole(row, "axes") for row in rows]
        order = [0, *order] if behind else order
        if len(order) != value.ndim:
            raise DoesNotFit("an order of another number of axes")
        return value.transpose([place(axis, value.ndim) for axis in order])
    if op.states("axis") and op.states("other_axis"):
        return value.swapaxes(place(reader.whole("axis"), value.ndim), place(reader.whole("other_axis"), value.ndim))
    raise CannotEvaluate("an order of axes that is not stated")


def expand(reader: Reader, operands: Sequence[Array]) -> Array:
    """A value repeated along axes: to a shape, a number of times, or each entry with its own copies."""
    import numpy as np

    op, value = reader.op, operands[0]
    if len(operands) != 1:
        raise CannotEvaluate("a count of repeats that is computed")
    if op.states("repeats"):
        repeats = op.attr("repeats")
        if op.attr("interleaved") is True:
            axis = reader.axis(value.ndim) if op.attr("axis") is not None else None
            return np.repeat(value, reader.whole("repeats"), axis=axis)
        if op.attr("axis") is not None:
            counts = [1] * value.ndim
            counts[reader.axis(value.ndim)] = reader.whole("repeats")
            return np.tile(value, counts)
        rows = repeats if isinstance(repeats, tuple) else (repeats,)
        return np.tile(value, [reader.as_whole(row, "repeats") for row in rows])
    shape = op.attr("shape")
    if not isinstance(shape, tuple) or len(shape) < value.ndim:
        raise CannotEvaluate("a shape to which a value is repeated could not be read")
    new = len(shape) - value.ndim
    sizes = []
    for at, row in enumerate(shape):
        size = reader.size(row)
        now = value.shape[at - new] if at >= new else 1
        if size is None and now == 1:
            raise CannotEvaluate("a size to which a value is repeated could not be read")
        sizes.append(now if size is None or size == -1 else size)
    return np.broadcast_to(value, sizes)


def select(reader: Reader, operands: Sequence[Array]) -> Array:
    """Part of a tensor: what indexing takes, one entry of an axis, or a run of entries."""
    import numpy as np

    op, value = reader.op, operands[0]
    if len(operands) != 1:
        raise CannotEvaluate("a part that is chosen by a tensor")
    if op.states("start") or op.states("length"):
        axis = reader.axis(value.ndim)
        start = reader.whole("start", 0)
        start = start + value.shape[axis] if start < 0 else start
        length = reader.whole("length", value.shape[axis] - start)
        if start + length > value.shape[axis]:
            raise DoesNotFit("a part that reaches over the end")
        return np.take(value, range(start, start + length), axis=axis)
    index = op.attr("index")
    if op.attr("axis") is not None:
        return np.asarray(np.take(value, reader.as_whole(index, "index"), axis=reader.axis(value.ndim)))
    if op.states("offset") or isinstance(index, str):
        raise CannotEvaluate("a part that goes by a name")
    rows = (index,) if not isinstance(index, tuple) or index[:1] == ("slice",) else index
    counter = iter(range(64))
    entries: Any = tuple([_entry(reader, row, counter) for row in rows])
    return np.asarray(value[entries])


def _entry(reader: Reader, row: AttrValue, counter: Iterator[int]) -> object:
    """One entry of an index; the open numbers in it are counted, each by its place."""
    if row == "...":
        return Ellipsis
    if row is None:
        return None
    if isinstance(row, tuple) and len(row) == 4 and row[0] == "slice":
        return slice(*(None if one is None else _bound(reader, one, counter) for one in row[1:]))
    if isinstance(row, Unknown) or (isinstance(row, int) and not isinstance(row, bool)):
        return _bound(reader, row, counter)
    raise CannotEvaluate("an index that could not be read")


def _bound(reader: Reader, row: AttrValue, counter: Iterator[int]) -> int:
    position = next(counter) if isinstance(row, Unknown) else 0
    return reader.as_whole(row, "index", position)


def open_bounds(index: AttrValue) -> int:
    """How many numbers of an index are open, as `select` counts them."""
    if isinstance(index, Unknown):
        return 1
    return sum(open_bounds(row) for row in index) if isinstance(index, tuple) else 0


def concat(reader: Reader, operands: Sequence[Array]) -> Array:
    """Tensors joined along an axis."""
    import numpy as np

    return np.concatenate(list(operands), axis=reader.axis(operands[0].ndim, 0))


def stack(reader: Reader, operands: Sequence[Array]) -> Array:
    """Tensors joined along a new axis."""
    import numpy as np

    return np.stack(list(operands), axis=reader.axis(operands[0].ndim + 1, 0))


def split(reader: Reader, operands: Sequence[Array]) -> tuple[Array, ...]:
    """A tensor cut into parts along an axis."""
    import numpy as np

    op, value = reader.op, operands[0]
    axis = reader.axis(value.ndim, 0)
    size = value.shape[axis]
    if op.attr("unbind") is True:
        return tuple(np.take(value, at, axis=axis) for at in range(size))
    if op.states("sections"):
        count = reader.whole("sections")
        if count < 1 or size % count:
            raise DoesNotFit("parts of different sizes")
        return tuple(np.split(value, count, axis=axis))
    stated = op.attr("size")
    if isinstance(stated, tuple):
        sizes = [reader.size(one) for one in stated]
        if any(one is None for one in sizes):
            raise CannotEvaluate("the sizes of parts could not be read")
        if sum(one for one in sizes if one is not None) != size:
            raise DoesNotFit("parts of another size together")
        ends = list(np.cumsum([one for one in sizes if one is not None])[:-1])
        return tuple(np.split(value, ends, axis=axis))
    length = reader.size(stated)
    if length is None:
        raise CannotEvaluate("the size of parts could not be read")
    if length < 1:
        raise DoesNotFit("parts without elements")
    return tuple(np.split(value, list(range(length, size, length)), axis=axis))


def roll(reader: Reader, operands: Sequence[Array]) -> Array:
    """Elements shifted around axes."""
    import numpy as np

    shift = reader.op.attr("shift")
    axes = reader.axes(operands[0].ndim)
    rows = shift if isinstance(shift, tuple) else (shift,)
    if axes is None or len(rows) != len(axes):
        raise CannotEvaluate("a shift that could not be read")
    return np.roll(operands[0], [reader.as_whole(row, "shift") for row in rows], axis=axes)


def flip(reader: Reader, operands: Sequence[Array]) -> Array:
    """Elements in reverse order along axes."""
    import numpy as np

    return np.flip(operands[0], reader.axes(operands[0].ndim))


def triangle(reader: Reader, operands: Sequence[Array]) -> Array:
    """Upper or lower triangle of the last two axes."""
    import numpy as np

    cut = np.triu if reader.op.attr("upper") is True else np.tril
    return np.asarray(cut(operands[0], reader.whole("diagonal", 0)))


def as_real(reader: Reader, operands: Sequence[Array]) -> Array:
    """Complex numbers as pairs along a new last axis, or such pairs as complex numbers."""
    import numpy as np

    value = operands[0]
    if reader.op.attr("inverse") is True:
        if value.shape[-1:] != (2,):
            raise DoesNotFit("no pairs")
        return np.asarray(value[..., 0] + 1j * value[..., 1])
    if value.dtype.kind != "c":
        raise DoesNotFit("no complex numbers")
    return np.stack([value.real, value.imag], axis=-1)


def constant(reader: Reader, operands: Sequence[Array]) -> Array:
    """What a constant holds: a number, alone or under a shape; a range; the unit matrix."""
    import numpy as np

    op = reader.op
    value = op.attr("value")
    if operands:
        raise CannotEvaluate("a constant that is computed")
    if value == "arange":
        return np.arange(reader.number("start", 0.0), reader.number("end"), reader.number("step", 1.0))
    if value == "linspace":
        return np.linspace(reader.number("start"), reader.number("end"), reader.whole("steps"))
    if value == "identity":
        rows = reader.whole("start")
        return np.eye(rows, reader.whole("end", rows))
    if isinstance(value, tuple):
        return np.asarray(_rows(value), dtype=np.float64)
    number = np.float64(reader.number("value"))
    shape = op.attr("shape")
    if shape is None:
        return np.asarray(number)
    rows_of = shape if isinstance(shape, tuple) else (shape,)
    sizes = [reader.size(row) for row in rows_of]
    if any(size is None for size in sizes):
        return np.asarray(number)  # the same number everywhere: it is repeated where it is used
    return np.full([size for size in sizes if size is not None], number)


def _rows(value: AttrValue) -> object:
    if isinstance(value, tuple):
        return [_rows(one) for one in value]
    if isinstance(value, (int, float)):
        return float(value)
    raise CannotEvaluate("a constant that could not be read")


def gather(reader: Reader, operands: Sequence[Array]) -> Array:
    """Entries chosen by an index tensor: whole slices of an axis, or one entry for each entry of the index."""
    import numpy as np

    op = reader.op
    if len(operands) != 2 or op.states("batch_axes") or op.states("coordinates"):
        raise CannotEvaluate("entries chosen in a way that has no definition here")
    axis = reader.axis(operands[0].ndim)
    index = operands[1].astype(np.int64)
    if op.attr("whole") is True:
        return np.take(operands[0], index, axis=axis)
    return np.take_along_axis(operands[0], index, axis=axis)


def pad(reader: Reader, operands: Sequence[Array]) -> Array:
    """One number added at the borders of all axes alike; other forms differ between frameworks."""
    import numpy as np

    amount = reader.op.attr("amount")
    if not isinstance(amount, int) or reader.op.attr("mode", "constant") != "constant":
        raise CannotEvaluate("a padding whose axes are not stated")
    return np.pad(real(operands[0]), amount, constant_values=reader.number("by", 0.0))
