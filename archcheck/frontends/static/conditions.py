"""Operators, comparisons and truth over values of which some are tensors and some are not known."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from archcheck.frontends import dialects
from archcheck.frontends.static import bounds, contents, forks, sizes, speech, vectors
from archcheck.frontends.static.machine import Decision, Raised
from archcheck.frontends.static.opens import Expected, Open, Rank, Several, Shape, SizeOf, Told
from archcheck.frontends.static.sources import code_of
from archcheck.frontends.static.values import (
    Class,
    Data,
    Directory,
    External,
    Function,
    Inert,
    Instance,
    Layer,
    Method,
    ModuleValue,
    Native,
    Partial,
    Registry,
    Tensor,
    TensorMethod,
    Tensors,
    is_metadata,
    is_open,
    is_undecided,
    reason,
    shown,
)

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

ARITHMETIC: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("add", operator.add),
    ast.Sub: ("sub", operator.sub),
    ast.Mult: ("mul", operator.mul),
    ast.Div: ("div", operator.truediv),
    ast.Pow: ("pow", operator.pow),
    ast.MatMult: ("matmul", operator.matmul),
    ast.FloorDiv: ("floor_divide", operator.floordiv),
    ast.Mod: ("remainder", operator.mod),
    ast.BitAnd: ("logical", operator.and_),
    ast.BitOr: ("logical", operator.or_),
    ast.BitXor: ("logical", operator.xor),
    ast.LShift: ("shift", operator.lshift),
    ast.RShift: ("shift", operator.rshift),
}
SPECIAL: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.Pow: "pow", ast.MatMult: "matmul",
    ast.FloorDiv: "floordiv", ast.Mod: "mod", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
    ast.LShift: "lshift", ast.RShift: "rshift",
}  # fmt: skip


def binary(vm: Machine, op: type[ast.operator], left: Data, right: Data) -> Data:
    """`left op right`."""
    if isinstance(left, (Tensor, Tensors)) or isinstance(right, (Tensor, Tensors)):
        result = _tensor_binary(vm, op, left, right)
        result.data = vectors.combined(op, left, right)
        return result
    for receiver, other, prefix in ((left, right, ""), (right, left, "r")):
        if isinstance(receiver, Instance) and receiver.cls.lookup(f"__{prefix}{SPECIAL[op]}__"):
            return vm.call(vm.get(receiver, f"__{prefix}{SPECIAL[op]}__"), [other], {})
    left, right = _items(left), _items(right)
    if op is ast.Add and isinstance(left, Told) and isinstance(right, (tuple, list)):
        return (_laid_out(left), *right)  # `x.shape[:-1] + (heads, size)`
    if op is ast.Add and isinstance(right, Told) and isinstance(left, (tuple, list)):
        return (*left, _laid_out(right))
    if op is ast.Pow and isinstance(left, SizeOf) and isinstance(right, (int, float)):
        return left.to_the(right, vm.here())
    if isinstance(left, Rank) and type(right) is int and op in (ast.Add, ast.Sub):
        return left.shifted(right if op is ast.Add else -right)
    if isinstance(right, Rank) and type(left) is int and op is ast.Add:
        return right.shifted(left)
    for value in (left, right):
        if isinstance(value, Open):  # what is computed with a size is no size of that axis
            return Told(value.why, value.span, value.flag, value.metadata) if isinstance(value, SizeOf) else value
    if is_open(left) or is_open(right):
        return vm.open(f"{shown(left)} {op.__name__.lower()} {shown(right)} is not known")
    if bounds.result_too_large(op.__name__, left, right):
        return vm.open(f"{shown(left)} {op.__name__.lower()} {shown(right)} is too large to build")
    if op is ast.BitOr and (isinstance(left, (Class, Native)) or isinstance(right, (Class, Native))):
        return (left, right)  # a union of types, as isinstance reads it
    try:
        return ARITHMETIC[op][1](left, right)
    except (TypeError, ValueError, ArithmeticError) as error:
        return vm.open(f"{shown(left)} {op.__name__.lower()} {shown(right)}: {error}")


def _laid_out(value: Told) -> Several:
    return Several(value.why, value.span, value.flag, value.metadata)


def _items(value: Data) -> Data:
    return value.items if isinstance(value, Instance) and value.items is not None else value


def _tensor_binary(vm: Machine, op: type[ast.operator], left: Data, right: Data) -> Data:
    kind = ARITHMETIC[op][0]
    if op is ast.Add and (isinstance(left, (list, tuple)) or isinstance(right, (list, tuple))):
        return vm.opaque("a list plus a tensor", _tensors(left, right), "an operand is a list")
    tensors = _tensors(left, right)
    if len(tensors) == 2 and kind in ("add", "sub", "mul", "div", "pow", "matmul"):
        return vm.emit(kind, tensors)
    if kind in ("logical", "shift"):
        return vm.emit("logical", tensors, {"operator": SPECIAL[op]})
    reverse = isinstance(right, (Tensor, Tensors))
    constant = left if reverse else right
    if constant is None and len(tensors) == 1:  # another method puts a tensor there, or it fails
        missing = vm.opaque("operand", (), "it is None where a tensor must be given")
        return _tensor_binary(vm, op, missing, right) if reverse else _tensor_binary(vm, op, left, missing)
    beside: dict[str, Data] = {} if len(tensors) == 2 else {"by": constant}
    if kind == "remainder":
        return vm.emit("elementwise", tensors, {"function": "remainder", **beside})
    if kind == "floor_divide":
        turned = {"reverse": True} if reverse and beside else {}
        return vm.emit("div", tensors, {"rounding": "floor", **beside, **turned})
    if kind == "matmul":
        return vm.opaque("matmul", tensors, f"an operand is {shown(constant)}")
    if kind == "pow":
        return vm.emit("pow", tensors, {"base" if reverse else "exponent": constant})
    attributes: dict[str, Data] = {"by": constant}
    if reverse and kind in ("sub", "div"):
        attributes["reverse"] = True
    return vm.emit(kind, tensors, attributes)


def _tensors(*values: Data) -> list[Tensor | Tensors]:
    return [value for value in values if isinstance(value, (Tensor, Tensors))]


def unary(vm: Machine, op: type[ast.unaryop], value: Data) -> Data:
    """`op value`, `not` excepted."""
    if isinstance(value, (Tensor, Tensors)):
        if op is ast.USub:
            return vm.emit("neg", (value,))
        return value if op is ast.UAdd else vm.emit("logical", (value,), {"operator": "not"})
    if is_open(value):
        return vm.not_known(value, f"{shown(value)} is not known")
    if isinstance(value, Instance) and value.cls.lookup(_SIGN_METHODS[op]):
        return vm.call(vm.get(value, _SIGN_METHODS[op]), [], {})
    try:
        return SIGNS[op](value)
    except TypeError as error:
        return vm.open(str(error))


SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
_SIGN_METHODS = {ast.USub: "__neg__", ast.UAdd: "__pos__", ast.Invert: "__invert__"}
RELATIONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
MORE = 2  # what a size that is not known is taken for where it is held against 1, 0 or less
_EQUALITY = (ast.Eq, ast.NotEq)
_ACCELERATORS = ("cuda", "tpu", "xla", "mps", "npu", "xpu", "hpu", "mlu", "musa")  # of which a model needs none
_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def compare(vm: Machine, op: type[ast.cmpop], left: Data, right: Data) -> Data:
    """`left op right`: True, False, an Open value or a tensor."""
    if op in (ast.Is, ast.IsNot):
        return _identical(vm, left, right, op is ast.Is)
    if op in (ast.In, ast.NotIn):
        return _contains(vm, right, left, op is ast.In)
    if isinstance(left, Instance) and left.cls.lookup("__eq__") and op in (ast.Eq, ast.NotEq):
        equal = vm.call(vm.get(left, "__eq__"), [right], {})
        return equal if op is ast.Eq else unary_not(vm, equal)
    if isinstance(left, (Tensor, Tensors)) or isinstance(right, (Tensor, Tensors)):
        if (left is None or right is None or isinstance(left, str) or isinstance(right, str)) and op in (
            ast.Eq,
            ast.NotEq,
        ):
            return op is ast.NotEq
        relation = RELATIONS[op].__name__
        if isinstance(right, (Tensor, Tensors)) and not isinstance(left, (Tensor, Tensors)):
            left, right, relation = right, left, _MIRRORED.get(relation, relation)  # `0 < x` is `x > 0`
        stated = {} if isinstance(right, (Tensor, Tensors)) else {"by": right}
        return vm.emit("compare", _tensors(left, right), {"relation": relation, **stated})
    if isinstance(left, External) and isinstance(right, External) and op in (ast.Eq, ast.NotEq):
        return (left.name == right.name) == (op is ast.Eq)
    if op in _EQUALITY and {type(left), type(right)} == {External, Class}:
        cls, outside = (left, right) if isinstance(left, Class) else (right, left)
        return (dialects.canonical(f"{cls.file.module}.{cls.name}") == outside.name) == (op is ast.Eq)
    if op in _EQUALITY and (told := speech.is_mode(left, right)) is not None:
        return told == (op is ast.Eq)
    if op in (ast.Eq, ast.NotEq) and any(
        isinstance(v, External) and v.name.endswith("ModeKeys.TRAIN") for v in (left, right)
    ):
        vm.assume(f"the mode is {'TRAIN' if vm.training else 'EVAL'}")
        return vm.training == (op is ast.Eq)
    if (left is None or right is None) and isinstance(right if left is None else left, Told) and op in _EQUALITY:
        return op is ast.NotEq
    if op in _EQUALITY and isinstance(left, Shape) and isinstance(right, Shape) and sizes.differ(vm, left, right):
        return op is ast.NotEq
    for value, other, swapped in ((left, right, False), (right, left, True)):
        if isinstance(value, Open):
            why = f"{reason(left)} {_sign(op)} {reason(right)}"
            if isinstance(value, SizeOf) and value.power == 1 and type(other) is int and other <= 1:
                side = RELATIONS[op](other, MORE) if swapped else RELATIONS[op](MORE, other)
                return Expected(why, value.span, value.flag, value.metadata, bool(side))
            if value.metadata and op in _EQUALITY and isinstance(other, str) and other in _ACCELERATORS:
                return Expected(why, value.span, value.flag, value.metadata, side=op is ast.NotEq)
            return value.about(why)
    if isinstance(left, (External, TensorMethod)) or isinstance(right, (External, TensorMethod)):
        return vm.open(f"{shown(left)} {_sign(op)} {shown(right)} is not known", metadata=True)
    if bounds.has_many_parts(left) or bounds.has_many_parts(right):
        return vm.open("a comparison of values with very many parts", metadata=True)
    if op in _EQUALITY and isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        unknown = _undecided_part(left, right)
        if unknown is not None:
            return unknown.about(f"{shown(left)} {_sign(op)} {shown(right)}")
    try:
        result = RELATIONS[op](left, right)
    except TypeError as error:
        raise Raised("TypeError", str(error), vm.here()) from None
    return result if isinstance(result, bool) else vm.open(f"{shown(left)} {_sign(op)} {shown(right)}")


def _undecided_part(left: Sequence[Data], right: Sequence[Data]) -> Open | None:
    """An open part on which it depends whether two lists are equal; None where that is known."""
    unknown = next((part for part in (*left, *right) if isinstance(part, Open)), None)
    if unknown is None or any(isinstance(part, Several) for part in (*left, *right)):
        return unknown
    if len(left) != len(right):
        return None
    for one, other in zip(left, right, strict=True):
        if not isinstance(one, Open) and not isinstance(other, Open) and not _equal(one, other):
            return None  # whatever the others are
    return unknown


def _sign(op: type[ast.cmpop]) -> str:
    return {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}.get(op, op.__name__)


def _identical(vm: Machine, left: Data, right: Data, wanted: bool) -> Data:
    if right is None or left is None:
        value = left if right is None else right
        if isinstance(value, Told):
            return not wanted
        if isinstance(value, Open):
            return value.about(f"{value.why} is None" if wanted else f"{value.why} is not None")
        return (value is None) == wanted
    if isinstance(left, External) and isinstance(right, External):
        return (left.name == right.name) == wanted
    for value in (left, right):
        if isinstance(value, Open):
            return value
    if isinstance(left, (bool, int, str, type)) or isinstance(right, (bool, int, str, type)):
        return (type(left) is type(right) and left == right) == wanted
    return (left is right) == wanted


def _contains(vm: Machine, container: Data, item: Data, wanted: bool) -> Data:
    if isinstance(container, Instance):
        if container.cls.lookup("__contains__"):
            found = vm.call(vm.get(container, "__contains__"), [item], {})
            return found if wanted else unary_not(vm, found)
        if container.items is None and container.cls.lookup("__getitem__"):
            try:
                vm.item(container, item)
            except Raised:
                return not wanted
            return wanted
        container = container.items if container.items is not None else container.attributes
    if isinstance(container, Directory) and isinstance(item, str):
        if dialects.known(f"{container.name}.{item}"):
            return wanted
        return vm.open(f"whether {container.name} has {item}", metadata=True)
    if isinstance(container, Inert):
        return not wanted
    if isinstance(container, External) and container.name == "os.environ" and isinstance(item, str):
        vm.assume(f"the environment variable {item} is not set")
        return not wanted
    for value in (container, item):
        if isinstance(value, Open):
            return value.about(f"{reason(item)} in {reason(container)}")
    if (held := sizes.content(vm, container)) is not None and isinstance(item, (bool, int, float)):
        return (item in sizes.flat(held)) == wanted
    if isinstance(container, (External, Tensor, Tensors, Instance)):
        return vm.open(f"{shown(item)} in {shown(container)} is not known", metadata=True)
    try:
        if isinstance(container, Registry) and item not in container:
            vm.complete(container, item)
        found = (
            any(_equal(entry, item) for entry in container)
            if isinstance(container, (list, tuple))
            else item in container
        )
    except TypeError:
        return vm.open(f"{shown(item)} in {shown(container)} is not known")
    return found == wanted


def _equal(one: Data, other: Data) -> bool:
    if one is other:
        return True
    if isinstance(one, (Tensor, Tensors, Open)) or isinstance(other, (Tensor, Tensors, Open)):
        return False
    return not bounds.has_many_parts(one) and not bounds.has_many_parts(other) and bool(one == other)


def unary_not(vm: Machine, value: Data) -> Data:
    """`not value`, with three truths."""
    if isinstance(value, Expected):
        return value.turned()
    if isinstance(value, Open):
        return value.about(f"not {value.why}")
    value = contents.told(vm, value)
    chance = forks.by_chance(vm, value)
    if chance is not None:
        return not chance
    if is_undecided(value):
        return vm.open(f"not {shown(value)}", metadata=True)
    return not vm.truth(value)


def weightier(one: Data, other: Data, either: bool) -> Data:
    """Of two conditions that are not known the one that stands for both, of which either or each must be true: one that
    is about the architecture, and of two that are about sizes the one that decides."""
    if not is_metadata(one) or not is_metadata(other):
        return other if is_metadata(one) else one
    return one if _side(one) == either else other


def _side(value: Data) -> bool:
    """On which side a condition about a size, a type or a device is taken to be."""
    return isinstance(value, Expected) and value.side


def truth(vm: Machine, value: Data, test: ast.expr | None = None) -> bool:
    """Whether `value` counts as true; an open condition is decided, and the decision noted.

    A condition on a tensor's shape, type or device, or on the machine, is taken as false, one that holds a size against
    1 as it is for larger sizes, and listed as an assumption. Any other open condition is a fork: this run takes the
    side that its decisions say, or that same one.
    """
    if isinstance(value, Instance):
        return _instance_truth(vm, value)
    if isinstance(value, (Layer, Function, Method, Partial, Class, ModuleValue, Native, TensorMethod)):
        return True
    if isinstance(value, Inert):
        return False
    if isinstance(value, External) and not is_undecided(value):
        return True
    if not is_undecided(value):
        return bool(value)
    if isinstance(value, Shape):
        return True
    if (held := sizes.number(vm, value)) is not None:
        return bool(held)
    chance = forks.by_chance(vm, value)
    if chance is not None:
        return chance
    text = code_of(test)[:80] if test is not None else shown(value)
    place = vm.at(test) if test is not None and vm.frames else vm.here()
    expected = _side(value)
    if not isinstance(value, Open) or value.metadata:
        vm.notes.assumptions.setdefault(f"`{text}` is {str(expected).lower()} ({_decider(value)})", place)
        return expected
    vm.loaded.own()  # modules that are being evaluated hold what this run decides
    key = f"{value.flag or value.why}|{text}"
    if key in vm.decided:
        return vm.decided[key]
    position = len(vm.taken)
    chosen = vm.decisions[position] if position < len(vm.decisions) else expected
    vm.taken.append(Decision(value.flag or text, chosen, value.why, place))
    vm.decided[key] = chosen
    return chosen


def _decider(value: Data) -> str:
    if isinstance(value, Open):
        return value.why
    return "decided by a tensor's content" if isinstance(value, (Tensor, Tensors)) else f"decided by {shown(value)}"


def _instance_truth(vm: Machine, value: Instance) -> bool:
    for name in ("__bool__", "__len__"):
        if value.cls.lookup(name):
            return vm.truth(vm.call(vm.get(value, name), [], {}))
    return True if value.items is None else bool(value.items)
