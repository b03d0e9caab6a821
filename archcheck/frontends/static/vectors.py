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


def told(vm: Machine, name: str, args: Args, kwargs: Kwargs, result: Data) -> Data:
    """What a function or a method of PyTorch gives, with its numbers where they are known while a model is built.

    Args:
        vm: the evaluation.
        name: of the function in `torch`, or of the method.
        args: what it is given by position, for a method with the tensor first.
        kwargs: what it is given by name.
        result: what it gives as far as its op tells.
    """
    if vm.invoked or vm.loading or vm.frames[0].fixed:
        return result
    try:
        found = _computed(name, args, kwargs)
    except (ArithmeticError, ValueError):
        return result  # what torch gives there is no number either
    if found is None:
        return result
    if isinstance(found, tuple):
        return tuple(_made(vm, one) for one in found)
    if not isinstance(result, Tensor) or any(result is arg for arg in args):
        return _made(vm, found)
    result.data = found
    return result


def _computed(name: str, args: Args, kwargs: Kwargs) -> Held | tuple[Held, ...] | None:
    """The numbers of what a call gives, or of all that it gives; None where they are not known."""
    rest = {key for key in kwargs if key not in ("device", "dtype")}
    if name == "arange" and not rest:
        return _range(args, kwargs)
    if name == "tensor" and len(args) == 1 and not rest:
        return _listed(args[0], kwargs)
    first = held(args[0]) if args else None
    if first is None:
        return None
    if name == "unique" and isinstance(first, list) and len(args) == 1:
        return _unique(first, kwargs)
    if rest or len(args) > 2:
        return None
    if name in _PAIRS and len(args) == 2 and any(isinstance(arg, Tensor) for arg in args):
        return _pairwise(_PAIRS[name], *args)
    if not isinstance(args[0], Tensor) or len(args) > 1:
        return None
    if name in _EACH or name in _CASTS:
        compute = _EACH.get(name) or _CASTS[name]
        return [compute(one) for one in first] if isinstance(first, list) else compute(first)
    if name in _OF_ALL and isinstance(first, list) and first:
        return _OF_ALL[name](first)
    return None


def _range(args: Args, kwargs: Kwargs) -> Held | None:
    if not 1 <= len(args) <= 3 or not all(type(arg) is int for arg in args):
        return None
    numbers = range(*args) if len(args) < 3 or args[2] else range(0)
    return _of_dtype(list(numbers), kwargs) if 0 < len(numbers[: MOST + 1]) <= MOST else None


def _listed(data: Data, kwargs: Kwargs) -> Held | None:
    if not isinstance(data, (list, tuple)) or not 0 < len(data) <= MOST or not all(map(_is_number, data)):
        return None
    return _of_dtype([float(one) for one in data] if any(type(one) is float for one in data) else list(data), kwargs)


def _of_dtype(numbers: list[Number], kwargs: Kwargs) -> Held | None:
    dtype = kwargs.get("dtype")
    if dtype is None:
        return numbers
    if not isinstance(dtype, External) or dtype.name not in _DTYPES:
        return None
    return [_DTYPES[dtype.name](one) for one in numbers]


def _unique(numbers: list[Number], kwargs: Mapping[str, Data]) -> Held | tuple[Held, ...] | None:
    if not set(kwargs) <= {"sorted", "return_counts"}:
        return None
    found = sorted(set(numbers))
    counted = kwargs.get("return_counts", False) is True
    return (found, [numbers.count(one) for one in found]) if counted else found


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


def _made(vm: Machine, numbers: Held) -> Tensor:
    made = vm.emit("constant", (), {"value": tuple(numbers) if isinstance(numbers, list) else numbers})
    made.data = numbers
    return made


def _is_number(value: Data) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
