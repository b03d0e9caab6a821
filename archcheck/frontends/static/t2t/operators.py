"""Operators on known values, within bounds: what would grow without end is an Unknown instead."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archcheck.frontends.static.t2t.data import SCALARS, Class, Data, Frame, Function, HParams, known
from archcheck.ir.graph import Unknown

if TYPE_CHECKING:
    import libcst as cst

    from archcheck.frontends.static.t2t.machine import Machine


def truth(value: Data) -> bool | Unknown:
    """Whether `value` counts as true."""
    if isinstance(value, Unknown):
        return value
    if isinstance(value, (*SCALARS, list, tuple, dict, frozenset)):
        return bool(value)
    if isinstance(value, HParams | Function | Class):
        return True
    return Unknown("it stands outside the package")


def hashable(value: Data) -> bool:
    """Whether `value` can be a key: known, and not to be changed."""
    if isinstance(value, tuple | frozenset):
        return all(hashable(item) for item in value)
    return isinstance(value, SCALARS)


def items(vm: Machine, value: Data) -> list[Data] | None:
    """What a loop over `value` gives, or None."""
    if isinstance(value, list | tuple | dict | str) and len(value) <= vm.limits.items:
        return list(value)
    return None


def binary(vm: Machine, name: str, left: Data, right: Data, node: cst.CSTNode, frame: Frame) -> Data:
    """`left <operator> right`, the operator under LibCST's name for it."""
    for side in (left, right):
        if isinstance(side, Unknown):
            return side
    apply = _BINARY.get(name)
    plain = isinstance(left, (*SCALARS, list, tuple, dict)) and isinstance(right, (*SCALARS, list, tuple, dict))
    if apply is None or not plain:
        return vm.unknown(f"the operator {name} is not evaluated on these values", node, frame)
    if name == "Modulo" and isinstance(left, str | bytes):
        return _formatted(vm, left, right, node, frame)
    if _grows(vm, name, left, right):
        return vm.unknown("the result is too large", node, frame)
    try:
        value: Data = apply(left, right)
    except (ArithmeticError, TypeError, ValueError) as error:
        vm.note(f"Python raises {type(error).__name__}: {error}", vm.span(node, frame))
        return vm.unknown(f"{type(error).__name__}: {error}", node, frame)
    return value


def _formatted(vm: Machine, left: Data, right: Data, node: cst.CSTNode, frame: Frame) -> Data:
    if not isinstance(left, str) or not known(right) or wide(left):
        return vm.unknown("the format is not evaluated", node, frame)
    try:
        return left % right
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        return vm.unknown(f"{type(error).__name__}: {error}", node, frame)


def wide(template: str) -> bool:
    """Whether a format may ask for a very wide field, or one whose width is an argument."""
    return "*" in template or re.search(r"\d{4}", template) is not None


def _grows(vm: Machine, name: str, left: Data, right: Data) -> bool:
    """Whether the result would go beyond what is kept."""
    bits = _bits(left), _bits(right)
    if name == "Power":
        exponent = right if isinstance(right, int) else 0
        return bits[0] * abs(exponent) > vm.limits.bits
    if name == "LeftShift":
        return not isinstance(right, int) or bits[0] + right > vm.limits.bits
    if name == "Multiply":
        for one, other in ((left, right), (right, left)):
            if isinstance(one, str | bytes | list | tuple) and isinstance(other, int):
                return len(one) * other > vm.limits.items
        return sum(bits) > vm.limits.bits
    if name == "Add" and isinstance(left, str | bytes | list | tuple) and isinstance(right, str | bytes | list | tuple):
        return len(left) + len(right) > vm.limits.items
    return max(bits) >= vm.limits.bits


def _bits(value: Data) -> int:
    return value.bit_length() if isinstance(value, int) else 0


def unary(vm: Machine, name: str, value: Data, node: cst.CSTNode, frame: Frame) -> Data:
    """`<operator> value`."""
    if isinstance(value, Unknown):
        return value
    if name == "Not":
        counted = truth(value)
        return not counted if isinstance(counted, bool) else counted
    if isinstance(value, int | float | complex):
        if name == "Minus":
            return -value
        if name == "Plus":
            return +value
        if name == "BitInvert" and isinstance(value, int):
            return ~value
    return vm.unknown(f"the operator {name} is not evaluated on this value", node, frame)


def compare(vm: Machine, name: str, left: Data, right: Data, node: cst.CSTNode, frame: Frame) -> Data:
    """`left <relation> right`: a bool or an Unknown."""
    if name in ("In", "NotIn") and isinstance(right, HParams):
        found = _declared(right, left)
        return found if isinstance(found, Unknown) else found is (name == "In")
    for side in (left, right):
        if isinstance(side, Unknown):
            return side
    if name in ("Is", "IsNot") and (left is None or right is None):
        other = right if left is None else left
        if isinstance(truth(other), bool):
            return (other is None) is (name == "Is")
    if name in ("In", "NotIn") and isinstance(right, dict) and hashable(left):
        return (left in right) is (name == "In")
    apply = _COMPARE.get(name)
    if apply is None or not known(left) or not known(right):
        return vm.unknown("the comparison is not evaluated on these values", node, frame)
    try:
        return bool(apply(left, right))
    except TypeError as error:
        return vm.unknown(f"TypeError: {error}", node, frame)


def _declared(hparams: HParams, name: Data) -> bool | Unknown:
    if isinstance(name, Unknown):
        return name
    if isinstance(name, str):
        declared = hparams.types.get(name)
        if declared is not None and declared.type is not None:
            return True
        if declared is None and not hparams.rest:
            return False
    return hparams.rest.get("why", Unknown("it is open which hparams are declared"))


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Subtract": operator.sub,
    "Multiply": operator.mul,
    "Divide": operator.truediv,
    "FloorDivide": operator.floordiv,
    "Modulo": operator.mod,
    "Power": operator.pow,
    "LeftShift": operator.lshift,
    "RightShift": operator.rshift,
    "BitAnd": operator.and_,
    "BitOr": operator.or_,
    "BitXor": operator.xor,
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "Equal": operator.eq,
    "NotEqual": operator.ne,
    "LessThan": operator.lt,
    "LessThanEqual": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEqual": operator.ge,
    "In": lambda left, right: left in right,
    "NotIn": lambda left, right: left not in right,
    "Is": lambda left, right: left is right if left is None or right is None else _singletons(left, right),
    "IsNot": lambda left, right: not (left is right if left is None or right is None else _singletons(left, right)),
}


def _singletons(left: Data, right: Data) -> bool:
    if isinstance(left, bool) and isinstance(right, bool):
        return left is right
    raise TypeError("identity of these values is up to the interpreter")
