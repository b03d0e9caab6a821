"""Expressions of hparams functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from archcheck.frontends.static.t2t import calls, operators
from archcheck.frontends.static.t2t.data import Bound, Data, Frame, Function, HParams, same
from archcheck.frontends.static.t2t.heap import Signal
from archcheck.ir.graph import Unknown

if TYPE_CHECKING:
    import libcst as cst

    from archcheck.frontends.static.t2t.machine import Machine


def evaluate(vm: Machine, node: cst.BaseExpression, frame: Frame) -> Data:
    """The value of an expression."""
    handler = _HANDLERS.get(type(node).__name__)
    if handler is None:
        return vm.unknown(f"{type(node).__name__} expressions are not evaluated", node, frame)
    return handler(vm, node, frame)


def _literal(vm: Machine, node: cst.SimpleString, frame: Frame) -> Data:
    literals = frame.segment.literals
    if node not in literals:
        literals[node] = node.evaluated_value
    return literals[node]


def _number(vm: Machine, node: cst.Imaginary, frame: Frame) -> Data:
    return complex(node.value)


def _concatenated(vm: Machine, node: cst.ConcatenatedString, frame: Frame) -> Data:
    parts: list[Data] = []
    rest: cst.BaseExpression = node
    while type(rest).__name__ == "ConcatenatedString":
        both = cast("cst.ConcatenatedString", rest)
        parts.append(vm.evaluate(both.left, frame))
        rest = both.right
    parts.append(vm.evaluate(rest, frame))
    for part in parts:
        if isinstance(part, Unknown):
            return part
    if all(isinstance(part, bytes) for part in parts):
        return b"".join(cast("list[bytes]", parts))
    return "".join(str(part) for part in parts)


def _formatted(vm: Machine, node: cst.FormattedString, frame: Frame) -> Data:
    text: list[str] = []
    for part in node.parts:
        if type(part).__name__ == "FormattedStringText":
            text.append(_unescaped(cast("cst.FormattedStringText", part).value, raw="r" in node.start.lower()))
            continue
        field = cast("cst.FormattedStringExpression", part)
        value = vm.evaluate(field.expression, frame)
        if isinstance(value, Unknown):
            return value
        if field.format_spec or field.conversion or field.equal is not None or not isinstance(value, str | int | float):
            return vm.unknown("the format is not evaluated", node, frame)
        text.append(format(value))
    return "".join(text)


def _unescaped(text: str, *, raw: bool) -> str:
    text = text.replace("{{", "{").replace("}}", "}")
    if raw or "\\" not in text:
        return text
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")


def _name(vm: Machine, node: cst.Name, frame: Frame) -> Data:
    constant = _CONSTANTS.get(node.value, vm)
    return vm.lookup(node.value, frame) if constant is vm else constant


_CONSTANTS: dict[str, Data] = {"None": None, "True": True, "False": False}


def _attribute(vm: Machine, node: cst.Attribute, frame: Frame) -> Data:
    owner = vm.evaluate(node.value, frame)
    return vm.attribute(owner, node.attr.value, vm.span(node, frame))


def _call(vm: Machine, node: cst.Call, frame: Frame) -> Data:
    function = _callee(vm, node.func, frame)
    args: list[Data] = []
    kwargs: dict[str, Data] = {}
    places: dict[str, cst.CSTNode] = {}  # where each keyword stands
    problem = ""
    for argument in node.args:
        value = vm.evaluate(argument.value, frame)
        if argument.star == "*":
            items = operators.items(vm, value)
            problem = problem if items is not None else "its arguments are not known"
            args.extend(items if items is not None else [value])
        elif argument.star == "**":
            if isinstance(value, dict) and all(isinstance(key, str) for key in value):
                kwargs.update(cast("dict[str, Data]", value))
                places.update(dict.fromkeys(cast("dict[str, Data]", value), argument))
            else:
                problem = "its keyword arguments are not known"
                args.append(value)
        elif argument.keyword is not None:
            kwargs[argument.keyword.value] = value
            places[argument.keyword.value] = argument
        else:
            args.append(value)
    return calls.call(vm, function, args, kwargs, calls.Site(node, frame, places, problem))


def _callee(vm: Machine, node: cst.BaseExpression, frame: Frame) -> Data:
    """What is called. A method of the hparams object that is not known may do anything to it."""
    if type(node).__name__ == "Attribute":
        attribute = cast("cst.Attribute", node)
        owner = vm.evaluate(attribute.value, frame)
        if isinstance(owner, HParams) and attribute.attr.value not in owner.entries:
            return Bound(owner, attribute.attr.value)
        return vm.attribute(owner, attribute.attr.value, vm.span(node, frame))
    return vm.evaluate(node, frame)


def index(vm: Machine, node: cst.Subscript, frame: Frame) -> Data:
    """What stands between the brackets: a value, a slice of known bounds, or an Unknown."""
    values: list[Data] = []
    for element in node.slice:
        inner = element.slice
        if type(inner).__name__ == "Index":
            values.append(vm.evaluate(cast("cst.Index", inner).value, frame))
            continue
        cut = cast("cst.Slice", inner)
        bounds = [
            vm.evaluate(bound, frame) if bound is not None else None for bound in (cut.lower, cut.upper, cut.step)
        ]
        if not all(bound is None or isinstance(bound, int) for bound in bounds):
            return vm.unknown("the bounds of the slice are not known", node, frame)
        values.append(slice(*bounds))
    return values[0] if len(values) == 1 else tuple(values)


def _subscript(vm: Machine, node: cst.Subscript, frame: Frame) -> Data:
    owner = vm.evaluate(node.value, frame)
    where = index(vm, node, frame)
    for part in (owner, where):
        if isinstance(part, Unknown):
            return part
    try:
        if isinstance(owner, list | tuple | str | bytes) and isinstance(where, int | slice):
            return cast("Data", owner[where])
        if isinstance(owner, dict) and operators.hashable(where):
            return cast("Data", owner[where])
    except (IndexError, KeyError, ValueError) as error:
        return vm.unknown(f"{type(error).__name__}: {error}", node, frame)
    return vm.unknown("the item is not known", node, frame)


def _tuple(vm: Machine, node: cst.Tuple, frame: Frame) -> Data:
    found = _elements(vm, node, frame)
    return found if isinstance(found, Unknown) else tuple(found)


def _list(vm: Machine, node: cst.List, frame: Frame) -> Data:
    return _elements(vm, node, frame)


def _set(vm: Machine, node: cst.Set, frame: Frame) -> Data:
    found = _elements(vm, node, frame)
    if isinstance(found, Unknown):
        return found
    if all(operators.hashable(item) for item in found):
        return frozenset(found)
    return vm.unknown("the set holds what is not known", node, frame)


def _elements(vm: Machine, node: cst.Tuple | cst.List | cst.Set, frame: Frame) -> list[Data] | Unknown:
    found: list[Data] = []
    for element in node.elements:
        value = vm.evaluate(element.value, frame)
        if type(element).__name__ == "StarredElement":
            items = operators.items(vm, value)
            if items is None:
                return vm.unknown("what is unpacked here is not known", node, frame)
            found.extend(items)
        else:
            found.append(value)
    return found


def _dict(vm: Machine, node: cst.Dict, frame: Frame) -> Data:
    found: dict[Data, Data] = {}
    for element in node.elements:
        value = vm.evaluate(element.value, frame)
        if type(element).__name__ == "StarredDictElement":
            if not isinstance(value, dict):
                return vm.unknown("what is unpacked here is not known", node, frame)
            found.update(value)
            continue
        key = vm.evaluate(cast("cst.DictElement", element).key, frame)
        if isinstance(key, Unknown) or not operators.hashable(key):
            return vm.unknown("a key of the dict is not known", node, frame)
        found[key] = value
    return found


def _unary(vm: Machine, node: cst.UnaryOperation, frame: Frame) -> Data:
    return operators.unary(vm, type(node.operator).__name__, vm.evaluate(node.expression, frame), node, frame)


def _binary(vm: Machine, node: cst.BinaryOperation, frame: Frame) -> Data:
    left = vm.evaluate(node.left, frame)
    return operators.binary(vm, type(node.operator).__name__, left, vm.evaluate(node.right, frame), node, frame)


def _boolean(vm: Machine, node: cst.BooleanOperation, frame: Frame) -> Data:
    left = vm.evaluate(node.left, frame)
    counted = operators.truth(left)
    if isinstance(counted, bool):
        return vm.evaluate(node.right, frame) if counted is (type(node.operator).__name__ == "And") else left
    return _either(vm, counted, [lambda: left, lambda: vm.evaluate(node.right, frame)], node, frame)


def _conditional(vm: Machine, node: cst.IfExp, frame: Frame) -> Data:
    counted = operators.truth(vm.evaluate(node.test, frame))
    if isinstance(counted, bool):
        return vm.evaluate(node.body if counted else node.orelse, frame)
    both: list[Callable[[], Data]] = [lambda: vm.evaluate(node.body, frame), lambda: vm.evaluate(node.orelse, frame)]
    return _either(vm, counted, both, node, frame)


def _either(vm: Machine, why: Unknown, branches: list[Callable[[], Data]], node: cst.CSTNode, frame: Frame) -> Data:
    """What one of two expressions gives where it is open which of them is evaluated."""
    open_ = Unknown(f"it depends on a condition that is not known: {why.why}", vm.span(node, frame))
    values: list[Data] = []

    def trying(branch: Callable[[], Data]) -> Callable[[], Signal | None]:
        def run() -> None:
            values.append(branch())

        return run

    vm.heap.fork([trying(branch) for branch in branches], open_, vm.trail())
    return values[0] if all(same(value, values[0]) for value in values) else open_


def _comparison(vm: Machine, node: cst.Comparison, frame: Frame) -> Data:
    left = vm.evaluate(node.left, frame)
    for target in node.comparisons:
        right = vm.evaluate(target.comparator, frame)
        result = operators.compare(vm, type(target.operator).__name__, left, right, node, frame)
        if result is not True:
            return result
        left = right
    return True


def _lambda(vm: Machine, node: cst.Lambda, frame: Frame) -> Data:
    return Function(frame.module, "<lambda>", inner=(frame.segment, node), outer=frame)


def _comprehension(vm: Machine, node: cst.ListComp | cst.SetComp | cst.GeneratorExp, frame: Frame) -> Data:
    found: list[Data] = []
    scope = Frame(frame.function, frame.module, frame.segment, outer=frame)
    for why in _rounds(vm, node.for_in, scope):
        if why is not None:
            return why
        found.append(vm.evaluate(node.elt, scope))
    if type(node).__name__ == "SetComp":
        if all(operators.hashable(item) for item in found):
            return frozenset(found)
        return vm.unknown("the set holds what is not known", node, frame)
    return found


def _dict_comprehension(vm: Machine, node: cst.DictComp, frame: Frame) -> Data:
    found: dict[Data, Data] = {}
    scope = Frame(frame.function, frame.module, frame.segment, outer=frame)
    for why in _rounds(vm, node.for_in, scope):
        if why is not None:
            return why
        key = vm.evaluate(node.key, scope)
        if isinstance(key, Unknown) or not operators.hashable(key):
            return vm.unknown("a key of the dict is not known", node, frame)
        found[key] = vm.evaluate(node.value, scope)
    return found


def _rounds(vm: Machine, loop: cst.CompFor, scope: Frame) -> Iterator[Unknown | None]:
    """Each round of a comprehension, with its names bound in `scope`; an Unknown ends it."""
    from archcheck.frontends.static.t2t import statements

    value = vm.evaluate(loop.iter, scope)
    items = operators.items(vm, value)
    if items is None:
        yield value if isinstance(value, Unknown) else vm.unknown("what it runs over is not known", loop, scope)
        return
    for item in items:
        vm.step()
        statements.store(vm, loop.target, item, loop.target, scope)
        wanted: bool | Unknown = True
        for condition in loop.ifs:
            wanted = operators.truth(vm.evaluate(condition.test, scope))
            if wanted is not True:
                break
        if isinstance(wanted, Unknown):
            yield wanted
            return
        if not wanted:
            continue
        if loop.inner_for_in is not None:
            yield from _rounds(vm, loop.inner_for_in, scope)
        else:
            yield None


def _named(vm: Machine, node: cst.NamedExpr, frame: Frame) -> Data:
    from archcheck.frontends.static.t2t import statements

    value = vm.evaluate(node.value, frame)
    statements.store(vm, node.target, value, node, frame)
    return value


def _yield(vm: Machine, node: cst.Yield, frame: Frame) -> Data:
    frame.yields = True
    return vm.unknown("what is sent to a generator is not known", node, frame)


_HANDLERS: dict[str, Callable[[Machine, Any, Frame], Data]] = {
    "Attribute": _attribute,
    "BinaryOperation": _binary,
    "BooleanOperation": _boolean,
    "Call": _call,
    "Comparison": _comparison,
    "ConcatenatedString": _concatenated,
    "Dict": _dict,
    "DictComp": _dict_comprehension,
    "Float": _literal,
    "FormattedString": _formatted,
    "GeneratorExp": _comprehension,
    "IfExp": _conditional,
    "Imaginary": _number,
    "Integer": _literal,
    "Lambda": _lambda,
    "List": _list,
    "ListComp": _comprehension,
    "Name": _name,
    "NamedExpr": _named,
    "Set": _set,
    "SetComp": _comprehension,
    "SimpleString": _literal,
    "Subscript": _subscript,
    "Tuple": _tuple,
    "UnaryOperation": _unary,
    "Yield": _yield,
}
