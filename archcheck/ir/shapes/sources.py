"""Shapes of tensors that are made from none: learned ones, constants, ranges, random numbers.

What is made like another tensor is told apart from a number of the same value by the arguments of the call alone.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor

from archcheck.ir.graph import Size
from archcheck.ir.shapes.dims import Dims, Given, NotKnown, Shaped, broadcast, is_number, size, sizes
from archcheck.ir.shapes.indexing import nested

_LIKE = ("self", "input", "tensor", "x")  # what rows call the tensor that another is made like
_WINDOWS = ("hann", "hamming", "bartlett", "blackman", "kaiser")


def _parameter(given: Given) -> Dims:
    return sizes(given.get("shape"))


def _constant(given: Given) -> Dims:
    if "shape" in given.attrs:
        return sizes(given.attrs["shape"])
    value = given.get("value")
    if isinstance(value, str) and (rule := _NAMED.get(value)) is not None:
        return rule(given)
    if given.takes("data", "s"):
        return _held(given.argument("data", "s"))
    if given.takes(*_LIKE):
        return given.shaped(*_LIKE)
    if given.takes("size", "shape", "dims") and any(
        given.argument(name) is not None for name in ("size", "shape", "dims") if given.takes(name)
    ):
        raise NotKnown  # a tensor says how large it is
    if isinstance(value, (tuple, list)) or given.takes("value"):
        return _held(value)
    raise NotKnown


def _held(value: object) -> Dims:
    """The shape of what is made from numbers in lists of lists.

    Raises:
        NotKnown: one of them may be more than a number.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (tuple, list)):
            waiting.extend(one)
        elif not is_number(one):
            raise NotKnown
    return nested(value)


def _range(given: Given) -> Dims:
    start, end, step = (given.attrs.get(name, default) for name, default in (("start", 0), ("end", None), ("step", 1)))
    numbers = [one for one in (start, end, step) if isinstance(one, (int, float)) and not isinstance(one, bool)]
    if len(numbers) < 3 or numbers[2] == 0:
        return (None,)
    first, last, by = numbers
    try:
        count = (last - first) / by
        found = floor(count) + 1 if given.get("value") == "range" else ceil(count)
    except (OverflowError, ValueError):  # an end that is infinite or no number
        return (None,)
    return (max(found, 0),)


def _identity(given: Given) -> Dims:
    if given.arguments is None or (given.takes("batch_shape") and given.argument("batch_shape") is not None):
        raise NotKnown
    rows = size(given.get("start"))
    return rows, size(given.attrs["end"]) if "end" in given.attrs else rows


def _steps(given: Given) -> Dims:
    for name in ("start", "end"):
        if name in given.attrs and not is_number(given.attrs[name]):
            raise NotKnown  # from one tensor to another
    if given.get("value") in ("linspace", "logspace") and not {"start", "end", "steps"} <= given.attrs.keys():
        raise NotKnown
    return (size(given.get("steps")),)


def _half_steps(given: Given) -> Dims:
    steps = size(given.get("steps"))
    return (None if steps is None else steps // 2 + 1,)


def _indices(given: Given) -> Dims:
    """Rows and columns of a triangle's entries."""
    rows, columns = size(given.get("start")), size(given.get("end"))
    offset = size(given.attrs.get("step", 0))
    if rows is None or columns is None or offset is None or rows > 4096:
        return 2, None
    if given.get("value") == "tril_indices":
        return 2, sum(min(max(row + offset + 1, 0), columns) for row in range(rows))
    return 2, sum(columns - min(max(row + offset, 0), columns) for row in range(rows))


_NAMED: dict[str, Callable[[Given], Dims]] = {
    "arange": _range,
    "range": _range,
    "identity": _identity,
    "linspace": _steps,
    "logspace": _steps,
    "fftfreq": _steps,
    "rfftfreq": _half_steps,
    "triu_indices": _indices,
    "tril_indices": _indices,
    **dict.fromkeys(_WINDOWS, _steps),
}


def _random(given: Given) -> Dims:
    distribution = given.get("distribution")
    shape = given.get("shape")
    if not isinstance(distribution, str):
        raise NotKnown
    if distribution == "multinomial":
        count = shape if "shape" in given.attrs else given.argument("num_samples")
        dims = given.operand()
        return (*dims[:-1], size(count)) if dims else dims
    if distribution == "gamma":  # tf.random_gamma has that of its parameters behind its own
        raise NotKnown
    if "shape" in given.attrs:
        return sizes(shape)
    if given.takes("bounds_and_size"):
        return _of_bounds(given.argument("bounds_and_size"))
    if given.takes("size") and given.argument("size") is not None:
        raise NotKnown
    if given.takes(*_LIKE) and isinstance(given.argument(*_LIKE), Shaped):
        return given.shaped(*_LIKE)
    if given.arguments is not None and given.operands and not given.takes(*_LIKE):
        return broadcast(*(given.operand(at) for at in range(len(given.operands))))
    raise NotKnown


def _of_bounds(value: object) -> Dims:
    """torch.randint(high, size), torch.randint(low, high, size)."""
    listed = [one for one in value if isinstance(one, (tuple, list))] if isinstance(value, (tuple, list)) else []
    if len(listed) != 1 or not isinstance(value, (tuple, list)):
        raise NotKnown
    if not all(is_number(one) or isinstance(one, (tuple, list, Size)) for one in value):
        raise NotKnown
    return sizes(listed[0])


ONE: dict[str, Callable[[Given], Dims]] = {"parameter": _parameter, "constant": _constant, "random": _random}
