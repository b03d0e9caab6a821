"""Numbers that a graph computes about its tensors: shapes, axes, pads, scales. They are worked out as Python would.

An entry is a number, or an `Open` value where it is a size that no file tells: so `Shape`, `Gather` and `Concat` in
front of a `Reshape` become what `x.view(*x.shape[:2], heads, -1)` is when code is read.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archcheck.frontends.bounded import MOST_ENTRIES as MOST
from archcheck.frontends.static import conditions, sizes
from archcheck.frontends.static.opens import Open, Shape
from archcheck.frontends.static.values import Data, Tensor

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Numbers that are known, or of which it is known what they are.

    Args:
        array: of NumPy, of objects: numbers, truths and `Open` values.
        real: whether they have fractions.
    """

    array: Any
    real: bool = False

    @property
    def single(self) -> bool:
        """Whether it is one number."""
        return bool(self.array.size == 1)

    def plain(self) -> Data:
        """As lists in lists; a number where it has no axes."""
        return self.array.tolist() if self.array.ndim else self.array.item()

    def only(self) -> Data:
        """The one number that it is."""
        return self.array.reshape(-1)[0]


def held(values: object, real: bool = False) -> Held:
    """Numbers in lists, as an array."""
    import numpy as np

    found = np.empty(_shape(values), dtype=object)
    if found.ndim:
        flat: list[Data] = []
        _flatten(values, found.ndim, flat)
        found.reshape(-1)[:] = flat if found.size != 1 else [flat[0]]
        return Held(found, real)
    found[()] = values
    return Held(found, real)


def _shape(values: object) -> tuple[int, ...]:
    if isinstance(values, (list, tuple)):
        return (len(values), *(_shape(values[0]) if values else ()))
    return ()


def _flatten(values: Any, depth: int, found: list[Data]) -> None:
    for one in values:
        if depth > 1:
            _flatten(one, depth - 1, found)
        else:
            found.append(one)


def worked_out(vm: Machine, op: str, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held | Open | None:
    """What an operator gives whose inputs are numbers, or which asks for a shape; None where that is not worked out."""
    if op in ("Shape", "Size") and given and isinstance(given[0], Tensor):
        return _asked(vm, op, given[0], attributes)
    if given and isinstance(given[0], Open):
        return _part_of(vm, op, given, attributes)
    if op not in _RULES or not all(isinstance(one, Held) or one is None for one in given):
        return None
    try:
        found = _RULES[op](vm, given, attributes)
    except (ValueError, TypeError, IndexError, KeyError, ArithmeticError, AttributeError):
        return None
    return found if found is None or found.array.size <= MOST else None


def _asked(vm: Machine, op: str, tensor: Tensor, attributes: Mapping[str, Any]) -> Held | Open:
    shape = sizes.shape_of(vm, tensor)
    if not isinstance(shape, tuple):
        assert isinstance(shape, Open)
        return shape if op == "Shape" and not attributes else vm.open("the size of a tensor", metadata=True)
    if op == "Size":
        known = all(isinstance(size, int) for size in shape)
        return held(math.prod(shape)) if known else held(vm.open("the size of a tensor", metadata=True))
    return held(list(shape[attributes.get("start", 0) : attributes.get("end")]))


def _part_of(vm: Machine, op: str, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held | Open | None:
    """An entry of a shape of which not even the number of axes is known, or what is made of such an entry."""
    shape = given[0]
    if op in ("Cast", "Identity") and isinstance(shape, Open):
        return shape
    if op == "Gather" and isinstance(shape, Shape) and isinstance(given[1], Held):
        import numpy as np

        picked = np.empty(given[1].array.shape, dtype=object)
        flat = picked.reshape(-1)
        for place, index in enumerate(given[1].array.reshape(-1)):
            flat[place] = shape.size((int(index),), vm.here())
        return Held(picked)
    if op == "Slice" and isinstance(shape, Shape) and all(isinstance(one, Held) for one in given[1:3]):
        start, end = given[1].only(), given[2].only()
        if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= 64:
            return held([shape.size((at,), vm.here()) for at in range(start, end)])
    return None


Rule = Callable[["Machine", Sequence[Any], Mapping[str, Any]], "Held | None"]


def _pairwise(make: Callable[[Machine, Data, Data], Data]) -> Rule:
    def rule(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
        import numpy as np

        left, right = given[:2]
        found = np.frompyfunc(lambda one, other: make(vm, one, other), 2, 1)(left.array, right.array)
        array = np.empty(np.shape(found), dtype=object)
        array[...] = found
        return Held(array, left.real or right.real)

    return rule


def _each(make: Callable[[Machine, Data], Data], real: bool | None = None) -> Rule:
    def rule(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
        import numpy as np

        array = np.empty(given[0].array.shape, dtype=object)
        array[...] = np.frompyfunc(lambda one: one if isinstance(one, Open) else make(vm, one), 1, 1)(given[0].array)
        return Held(array, given[0].real if real is None else real)

    return rule


def _binary(operator: type[ast.operator]) -> Rule:
    return _pairwise(lambda vm, one, other: conditions.binary(vm, operator, one, other))


def _compared(operator: type[ast.cmpop]) -> Rule:
    return _pairwise(lambda vm, one, other: conditions.compare(vm, operator, one, other))


def _divided(vm: Machine, one: Data, other: Data) -> Data:
    whole = isinstance(one, int) and isinstance(other, int)
    if whole and one * other < 0:  # ONNX cuts off, and Python rounds down
        return -(abs(one) // abs(other))
    return conditions.binary(vm, ast.FloorDiv if whole else ast.Div, one, other)


def _power(vm: Machine, one: Data, other: Data) -> Data:
    if isinstance(one, Open) or isinstance(other, Open):
        return vm.open("a power of a size", metadata=True)
    return float(one) ** float(other) if isinstance(one, float) or isinstance(other, float) else one**other


def _cast(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
    real = attributes.get("to") in (1, 10, 11, 16)
    truth = attributes.get("to") == 9

    def one(_: Machine, value: Data) -> Data:
        return bool(value) if truth else float(value) if real else int(value)

    return _each(one, real)(vm, given, attributes)  # type: ignore[return-value]


def _axes(given: Sequence[Any], attributes: Mapping[str, Any]) -> list[int] | None:
    if len(given) > 1 and given[1] is not None:
        return [int(one) for one in given[1].array.reshape(-1)]
    return list(attributes["axes"]) if "axes" in attributes else None


def _unsqueezed(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
    import numpy as np

    return Held(np.expand_dims(given[0].array, tuple(_axes(given, attributes) or ())), given[0].real)


def _squeezed(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
    import numpy as np

    axes = _axes(given, attributes)
    return Held(np.squeeze(given[0].array, None if axes is None else tuple(axes)), given[0].real)


def _sliced(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
    def told(at: int, name: str) -> list[int] | None:
        if len(given) > at and given[at] is not None:
            return [int(one) for one in given[at].array.reshape(-1)]
        return list(attributes[name]) if name in attributes else None

    starts, ends = told(1, "starts") or [], told(2, "ends") or []
    axes, steps = told(3, "axes") or list(range(len(starts))), told(4, "steps") or [1] * len(starts)
    index: list[slice] = [slice(None)] * given[0].array.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = given[0].array.shape[axis]
        index[axis] = slice(start, None if step < 0 and end < -size else end, step)
    return Held(given[0].array[tuple(index)], given[0].real)


def _joined(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
    import numpy as np

    return Held(np.concatenate([one.array for one in given], attributes.get("axis", 1)), any(one.real for one in given))


def _gathered(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
    import numpy as np

    index = np.array(given[1].array.tolist(), dtype=np.int64)
    taken = np.take(given[0].array, index, axis=attributes.get("axis", 0))
    array = np.empty(np.shape(taken), dtype=object)
    array[...] = taken
    return Held(array, given[0].real)


def _reshaped(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
    shape = [int(one) for one in given[1].array.reshape(-1)]
    own = given[0].array.shape
    kept = not attributes.get("allowzero", 0)
    return Held(given[0].array.reshape([own[at] if not size and kept else size for at, size in enumerate(shape)]))


def _filled(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held | None:
    import numpy as np

    shape = [int(one) for one in given[0].array.reshape(-1)]
    if math.prod(shape) > MOST:
        return None
    value = attributes.get("value", 0.0)
    array = np.empty(shape, dtype=object)
    array[...] = value
    return Held(array, isinstance(value, float))


def _range(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held | None:
    start, limit, step = (one.only() for one in given)
    if any(not isinstance(one, int) for one in (start, limit, step)) or abs(limit - start) > MOST * abs(step):
        return None
    return held(list(range(start, limit, step)))


def _expanded(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held | None:
    import numpy as np

    shape = np.broadcast_shapes(given[0].array.shape, tuple(int(one) for one in given[1].array.reshape(-1)))
    return None if math.prod(shape) > MOST else Held(np.broadcast_to(given[0].array, shape).copy(), given[0].real)


def _chosen(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
    import numpy as np

    def one(test: Data, yes: Data, no: Data) -> Data:
        if isinstance(test, Open):
            same = type(yes) is type(no) and not isinstance(yes, Open) and yes == no
            return yes if same else vm.open("a size that a size decides", metadata=True)
        return yes if test else no

    found = np.frompyfunc(one, 3, 1)(*(part.array for part in given))
    array = np.empty(np.shape(found), dtype=object)
    array[...] = found
    return Held(array, given[1].real)


def _total(start: int, operator: type[ast.operator]) -> Rule:
    def rule(vm: Machine, given: Sequence[Any], attributes: Mapping[str, Any]) -> Held:
        import numpy as np

        if _axes(given, attributes) not in (None, [0], [-1]) or given[0].array.ndim > 1:
            raise ValueError("over axes")
        found: Data = start
        for one in given[0].array.reshape(-1):
            found = conditions.binary(vm, operator, found, one)
        array = np.empty((1,) if attributes.get("keepdims", 1) else (), dtype=object)
        array[...] = found
        return Held(array, given[0].real)

    return rule


_RULES: dict[str, Rule] = {
    "Add": _binary(ast.Add),
    "Sub": _binary(ast.Sub),
    "Mul": _binary(ast.Mult),
    "Mod": _binary(ast.Mod),
    "Div": _pairwise(_divided),
    "Pow": _pairwise(_power),
    "Equal": _compared(ast.Eq),
    "Less": _compared(ast.Lt),
    "Greater": _compared(ast.Gt),
    "LessOrEqual": _compared(ast.LtE),
    "GreaterOrEqual": _compared(ast.GtE),
    "And": _pairwise(lambda vm, one, other: vm.open("a truth") if _open(one, other) else bool(one and other)),
    "Or": _pairwise(lambda vm, one, other: vm.open("a truth") if _open(one, other) else bool(one or other)),
    "Max": _pairwise(lambda vm, one, other: vm.open("a size", metadata=True) if _open(one, other) else max(one, other)),
    "Min": _pairwise(lambda vm, one, other: vm.open("a size", metadata=True) if _open(one, other) else min(one, other)),
    "Not": _each(lambda vm, one: not one),
    "Neg": _each(lambda vm, one: -one),
    "Abs": _each(lambda vm, one: abs(one)),
    "Floor": _each(lambda vm, one: float(math.floor(one))),
    "Ceil": _each(lambda vm, one: float(math.ceil(one))),
    "Sqrt": _each(lambda vm, one: math.sqrt(one), True),
    "Reciprocal": _each(lambda vm, one: 1 / one, True),
    "Identity": _each(lambda vm, one: one),
    "Cast": _cast,
    "Unsqueeze": _unsqueezed,
    "Squeeze": _squeezed,
    "Slice": _sliced,
    "Concat": _joined,
    "Gather": _gathered,
    "Reshape": _reshaped,
    "ConstantOfShape": _filled,
    "Range": _range,
    "Expand": _expanded,
    "Where": _chosen,
    "ReduceProd": _total(1, ast.Mult),
    "ReduceSum": _total(0, ast.Add),
    "Shape": lambda vm, given, attributes: held(list(given[0].array.shape)),
    "Size": lambda vm, given, attributes: held(int(given[0].array.size)),
}


def _open(one: Data, other: Data) -> bool:
    return isinstance(one, Open) or isinstance(other, Open)
