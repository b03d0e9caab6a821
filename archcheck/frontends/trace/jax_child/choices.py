"""Rows of tables, choices between values, and what is dropped at random, of which equations spell each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from archcheck.frontends.trace.jax_child.equations import Equation, Value, is_all, is_number

if TYPE_CHECKING:
    from archcheck.frontends.trace.jax_child.telling import Teller, Told


def gather(teller: Teller, one: Equation) -> Told | None:
    """Rows of a table; or one entry of an axis."""
    table, index = one.reads
    numbers, sizes = one.params["dimension_numbers"], one.params["slice_sizes"]
    if numbers.operand_batching_dims or len(numbers.collapsed_slice_dims) != 1:
        return None
    axis = numbers.collapsed_slice_dims[0]
    whole = all(size == own for at, (size, own) in enumerate(zip(sizes, table.shape, strict=True)) if at != axis)
    if tuple(numbers.start_index_map) != (axis,) or not whole:
        return None
    if isinstance(index, np.ndarray):
        chosen: Any = index.reshape(index.shape[:-1])
        if chosen.size == 1:
            at = int(chosen.reshape(-1)[0])
            return "jax.Array.__getitem__", [table, (*[slice(None)] * axis, at) if axis else at], {}
    else:
        chosen = _index(index, table.shape[axis])
        if chosen is None:
            return None
    rank = len(one.gives[0].shape)
    count = len(index.shape) - 1
    if tuple(numbers.offset_dims) != (*range(axis), *range(axis + count, rank)):
        return None
    if axis == 0 and table in teller.learned:
        return "jax.nn.rows", [table, chosen], {}
    return "jax.numpy.take", [table, chosen], {"axis": axis}


def _index(value: Value, rows: int) -> Value | None:
    """Which rows are named: without the axis behind it, and whether it counts from the end where it is negative."""
    maker = value.maker
    if value.shape[-1:] != (1,) or maker is None or maker.name not in ("broadcast_in_dim", "reshape", "concatenate"):
        return None
    if len(maker.reads) != 1 or not isinstance(maker.reads[0], Value) or maker.reads[0].shape != value.shape[:-1]:
        return None
    found: Value = maker.reads[0]
    choice = found.maker
    if choice is not None and choice.name == "select_n" and len(choice.reads) == 3:
        test, plain, counted = choice.reads
        below = test.maker if isinstance(test, Value) else None
        total = counted.maker if isinstance(counted, Value) else None
        if below is not None and total is not None and below.name == "lt" and total.name == "add":
            numbers = [one for one in total.reads if isinstance(one, np.ndarray)]
            if below.reads[0] is plain and plain in total.reads and numbers and is_all(numbers[0], rows):
                return plain if isinstance(plain, Value) else None
    return found


def select(teller: Teller, one: Equation) -> Told | None:
    if len(one.reads) != 3:
        return None
    test, no, yes = one.reads
    if isinstance(test, np.ndarray) and test.size == 1:
        return "jax.numpy.copy", [yes if test.reshape(-1)[0] else no], {}
    keep = _drawn(test)
    if keep is not None and is_all(no, 0) and isinstance(yes, Value) and yes.maker is not None:
        scaled = yes.maker
        if (
            scaled.name == "div"
            and is_number(scaled.reads[1])
            and math.isclose(float(scaled.reads[1]), keep, rel_tol=1e-5)
        ):
            return "jax.nn.dropped", [scaled.reads[0]], {"rate": round(1 - keep, 6), **_shared(test, yes.shape)}
    return "jax.numpy.where", [test, yes, no], {}


def dropped(one: Equation) -> Told | None:
    """`x * (mask / keep)`, with a mask that is drawn."""
    for at in (0, 1):
        given, factor = one.reads[at], one.reads[1 - at]
        axes = {}
        maker = factor.maker if isinstance(factor, Value) else None
        if maker is not None and maker.name == "broadcast_in_dim" and isinstance(maker.reads[0], Value):
            axes, factor = _shared(factor, one.gives[0].shape), maker.reads[0]
            maker = factor.maker
        if maker is None or maker.name != "div" or not is_number(maker.reads[1]) or not isinstance(given, Value):
            continue
        keep = _drawn(maker.reads[0])
        if keep is not None and math.isclose(float(maker.reads[1]), keep, rel_tol=1e-5):
            wide = zip(factor.shape, one.gives[0].shape, strict=True) if len(factor.shape) == len(given.shape) else ()
            shared = tuple(at for at, (size, whole) in enumerate(wide) if size == 1 != whole)
            more = axes or ({"axes": shared} if shared else {})
            return "jax.nn.dropped", [given], {"rate": round(1 - keep, 6), **more}
    return None


def dropped_and_scaled(one: Equation) -> Told | None:
    """`mask * x / keep`."""
    product = one.reads[0].maker if isinstance(one.reads[0], Value) else None
    if product is None or product.name != "mul" or not is_number(one.reads[1]):
        return None
    for at in (0, 1):
        mask, given = product.reads[at], product.reads[1 - at]
        keep = _drawn(mask)
        if keep is not None and isinstance(given, Value) and math.isclose(float(one.reads[1]), keep, rel_tol=1e-5):
            return "jax.nn.dropped", [given], {"rate": round(1 - keep, 6), **_shared(mask, given.shape)}
    return None


def log_softmax(teller: Teller, one: Equation) -> Told | None:
    """`s - log(sum(exp(s)))`, where s is x less the greatest of it."""
    shifted, logged = one.reads
    log = teller.root(logged).maker if isinstance(logged, Value) else None
    total = teller.root(log.reads[0]).maker if log is not None and log.name == "log" else None
    if total is None or total.name != "reduce_sum" or not isinstance(shifted, Value) or shifted.maker is None:
        return None
    powers = total.reads[0].maker
    taken = shifted.maker
    if powers is None or powers.name != "exp" or powers.reads[0] is not shifted or taken.name != "sub":
        return None
    x, most = taken.reads
    greatest = teller.root(most).maker if isinstance(most, Value) else None
    if greatest is None or greatest.name != "reduce_max" or greatest.reads[0] is not x:
        return None
    if greatest.params["axes"] != total.params["axes"] or len(total.params["axes"]) != 1:
        return None
    return "jax.nn.log_softmax", [x], {"axis": teller.axes(total)["axis"]}


def _drawn(value: Any) -> float | None:
    """With what probability a random truth holds: random numbers from 0 to 1 are less than that."""
    for _ in range(4):
        maker = value.maker if isinstance(value, Value) else None
        if maker is None:
            return None
        if maker.name == "lt":
            drawn, keep = maker.reads
            return (
                float(keep.reshape(-1)[0]) if isinstance(keep, np.ndarray) and keep.size and _is_random(drawn) else None
            )
        if maker.name not in ("broadcast_in_dim", "reshape"):
            return None
        value = maker.reads[0]
    return None


def _is_random(value: Any) -> bool:
    """Whether numbers from 0 to 1 are drawn: bits are made the fraction of a number from 1 on, and 1 is taken off."""
    steps = []
    for _ in range(12):
        maker = value.maker if isinstance(value, Value) else None
        if maker is None:
            return False
        if maker.name in ("random_bits", "threefry2x32"):
            return "bitcast_convert_type" in steps and "sub" in steps
        steps.append(maker.name)
        read = [one for one in maker.reads if isinstance(one, Value)]
        numbers = [one for one in maker.reads if isinstance(one, np.ndarray)]
        if len(read) != 1 or (maker.name in ("mul", "sub") and not is_all(numbers[0], 1)):
            return False
        if maker.name in ("add", "max") and not is_all(numbers[0], 0):
            return False
        value = read[0]
    return False


def _shared(test: Value, shape: tuple[int, ...]) -> dict[str, Any]:
    """Along which axes entries are dropped together."""
    maker = test.maker
    while maker is not None and maker.name in ("broadcast_in_dim", "reshape"):
        given = maker.reads[0]
        if not isinstance(given, Value):
            break
        if maker.name == "broadcast_in_dim" and len(given.shape) == len(shape):
            axes = tuple(at for at, size in enumerate(given.shape) if size == 1 and shape[at] != 1)
            if axes:
                return {"axes": axes}
        maker = given.maker
    return {}


# ---- masks


def triangle(one: Equation) -> Told | None:
    """A comparison of the numbers of rows with those of columns: a triangle; None for any other."""
    left, right = one.reads
    if not isinstance(left, np.ndarray) or not isinstance(right, np.ndarray) or len(one.gives[0].shape) < 2:
        return None
    shape = one.gives[0].shape
    rows, columns = shape[-2:]
    apart = np.broadcast_to(left.astype(np.int64) - right.astype(np.int64), shape)
    plain = np.arange(rows)[:, None] - np.arange(columns)[None, :]
    at = int(apart.reshape(-1)[0])
    if not (left.dtype.kind == right.dtype.kind == "i") or min(rows, columns) < 2:
        return None
    if (apart == plain + at).all():  # row - column + at
        if one.name in ("ge", "gt"):
            return "jax.numpy.tri", [rows, columns, at if one.name == "ge" else at - 1], {}
        upper = at if one.name == "le" else at + 1
    elif (apart == at - plain).all():  # column - row + at
        if one.name in ("le", "lt"):
            return "jax.numpy.tri", [rows, columns, -at if one.name == "le" else -at - 1], {}
        upper = -at if one.name == "ge" else 1 - at
    else:
        return None
    return "jax.nn.upper", [rows, columns, upper], {}
