"""Vectors of known numbers that constructors compute with a framework: widths of stages, rates of stochastic depth.

While a model is built, code computes with small tensors what it builds: `torch.round(torch.log(widths / 8))`. Their
numbers are computed here, as those of lists are by the evaluator; a call of the model only records what it computes.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from archcheck.frontends.static.values import Args, Data, External, Kwargs, Tensor

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

MOST = 4096  # numbers of one vector
LARGEST = 2.0**53  # whole numbers up to here are exact in every float

Number = int | float
Held = Number | list[Number]  # what a tensor without an axis holds, or one with one axis

_OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,  # never large: it is a float
}
_PAIRS: dict[str, Callable[[Number, Number], Number]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": _OPERATORS[ast.Pow],
}
_EACH: dict[str, Callable[[Number], Number]] = {
    "round": lambda one: float(round(one)) if isinstance(one, float) else one,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "abs": abs,
    "neg": operator.neg,
}
_CASTS: dict[str, Callable[[Number], Number]] = {
    "int": int,
    "long": int,
    "float": float,
    "double": float,
    "cpu": lambda one: one,
    "detach": lambda one: one,
    "clone": lambda one: one,
}
_DTYPES: dict[str, Callable[[Number], Number]] = {
    **dict.fromkeys(("torch.float32", "torch.float", "torch.float64", "torch.double"), float),
    **dict.fromkeys(("torch.int64", "torch.long", "torch.int32", "torch.int"), int),
}
_OF_ALL: dict[str, Callable[[list[Number]], Number]] = {"max": max, "min": min, "sum": sum}


def held(value: Data) -> Held | None:
    """The numbers of a number, or of a tensor whose numbers are known."""
    numbers = value.data if isinstance(value, Tensor) else value
    if _is_number(numbers):
        return numbers  # type: ignore[no-any-return]
    known = isinstance(value, Tensor) and isinstance(numbers, list) and len(numbers) <= MOST
    return numbers if known and all(map(_is_number, numbers)) else None


def combined(op: type[ast.operator], left: Data, right: Data) -> Held | None:
    """What a tensor holds that an operator gives; None where that is not known."""
    compute = _OPERATORS.get(op)
    return None if compute is None else _pairwise(compute, left, right)


def computed(vm: Machine, name: str, args: Args, kwargs: Kwargs) -> Data:
    """What a function or a method of PyTorch gives that is given known numbers, while a model is built.

    Args:
        vm: the evaluation.
        name: of the function in `torch`, or of the method.
        args: what it is given by position, for a method with the tensor first.
        kwargs: what it is given by name.

    Returns:
        A tensor whose numbers are known, or several; NotImplemented where they are not.
    """
    if vm.invoked or vm.loading:
        return NotImplemented
    rest = {key for key in kwargs if key not in ("device", "dtype")}
    try:
        if name == "arange" and not rest:
            return _range(vm, args, kwargs)
        if name == "tensor" and len(args) == 1 and not rest:
            return _listed(vm, args[0], kwargs)
        first = held(args[0]) if args else None
        if first is None:
            return NotImplemented
        if name == "unique" and isinstance(first, list) and len(args) == 1:
            return _unique(vm, first, kwargs)
        if rest or len(args) > 2:
            return NotImplemented
        if name in _PAIRS and len(args) == 2 and any(isinstance(arg, Tensor) for arg in args):
            return _made(vm, _pairwise(_PAIRS[name], *args))
        if not isinstance(args[0], Tensor) or len(args) > 1:
            return NotImplemented
        if name in _EACH or name in _CASTS:
            compute = _EACH.get(name) or _CASTS[name]
            return _made(vm, [compute(one) for one in first] if isinstance(first, list) else compute(first))
        if name in _OF_ALL and isinstance(first, list) and first:
            return _made(vm, _OF_ALL[name](first))
    except (ArithmeticError, ValueError):
        return NotImplemented  # what torch gives there is no number either
    return NotImplemented


def _range(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    if not 1 <= len(args) <= 3 or not all(type(arg) is int for arg in args):
        return NotImplemented
    numbers = range(*args) if len(args) < 3 or args[2] else range(0)
    if not 0 < len(numbers[: MOST + 1]) <= MOST:
        return NotImplemented
    return _of_dtype(vm, list(numbers), kwargs)


def _listed(vm: Machine, data: Data, kwargs: Kwargs) -> Data:
    if not isinstance(data, (list, tuple)) or not 0 < len(data) <= MOST or not all(map(_is_number, data)):
        return NotImplemented
    return _of_dtype(
        vm, [float(one) for one in data] if any(type(one) is float for one in data) else list(data), kwargs
    )


def _of_dtype(vm: Machine, numbers: list[Number], kwargs: Kwargs) -> Data:
    dtype = kwargs.get("dtype")
    if dtype is None:
        return _made(vm, numbers)
    if not isinstance(dtype, External) or dtype.name not in _DTYPES:
        return NotImplemented
    return _made(vm, [_DTYPES[dtype.name](one) for one in numbers])


def _unique(vm: Machine, numbers: list[Number], kwargs: Mapping[str, Data]) -> Data:
    if not set(kwargs) <= {"sorted", "return_counts"}:
        return NotImplemented
    found = sorted(set(numbers))
    alone = _made(vm, found)
    if kwargs.get("return_counts", False) is not True:
        return alone
    return (alone, _made(vm, [numbers.count(one) for one in found]))


def _pairwise(compute: Callable[[Number, Number], Number], left: Data, right: Data) -> Held | None:
    one, other = held(left), held(right)
    if one is None or other is None:
        return None
    try:
        if not isinstance(one, list) and not isinstance(other, list):
            return _bounded(compute(one, other))
        count = len(one) if isinstance(one, list) else len(other) if isinstance(other, list) else 0
        firsts: Sequence[Number] = one if isinstance(one, list) else [one] * count
        seconds: Sequence[Number] = other if isinstance(other, list) else [other] * count
        if len(firsts) != len(seconds):
            return None
        return [_bounded(compute(first, second)) for first, second in zip(firsts, seconds, strict=True)]
    except (ArithmeticError, ValueError):
        return None


def _bounded(number: Number) -> Number:
    """Raises OverflowError where a whole number is larger than a tensor holds exactly."""
    if abs(number) > LARGEST and isinstance(number, int):
        raise OverflowError
    return number


def _made(vm: Machine, numbers: Held | None) -> Data:
    if numbers is None:
        return NotImplemented
    made = vm.emit("constant", (), {"value": tuple(numbers) if isinstance(numbers, list) else numbers})
    made.data = numbers
    return made


def _is_number(value: Data) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
