"""Evaluation of expressions."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from archcheck.frontends.static import bounds, conditions, contents, forks, names
from archcheck.frontends.static.opens import Open, OpenRange, Several
from archcheck.frontends.static.sources import code_of
from archcheck.frontends.static.values import (
    SCALARS,
    Data,
    Function,
    Instance,
    Native,
    Scope,
    Super,
    Tensor,
    is_metadata,
    is_open,
    is_undecided,
)
from archcheck.ir.span import Setting

if TYPE_CHECKING:
    from archcheck.frontends.static.loops import Comprehension
    from archcheck.frontends.static.machine import Machine


WIDE = re.compile(r"\d{4}")  # a width in a format that could make a text of any size
PLAIN = (bool, int, float, str, list, tuple, dict, set, type(None))


def evaluate(vm: Machine, node: ast.expr, scope: Scope) -> Data:
    """The value of `node` in `scope`."""
    return HANDLERS[type(node)](vm, node, scope)


def _constant(vm: Machine, node: ast.Constant, scope: Scope) -> Data:
    return node.value


def _name(vm: Machine, node: ast.Name, scope: Scope) -> Data:
    return names.load(vm, node.id, scope)


def _attribute(vm: Machine, node: ast.Attribute, scope: Scope) -> Data:
    owner = evaluate(vm, node.value, scope)
    if isinstance(owner, Instance):
        settings = owner.settings.get(node.attr)
        if settings is not None:
            vm.touch(settings)
    return vm.get(owner, node.attr)


def _subscript(vm: Machine, node: ast.Subscript, scope: Scope) -> Data:
    return vm.item(evaluate(vm, node.value, scope), evaluate(vm, node.slice, scope))


def _slice(vm: Machine, node: ast.Slice, scope: Scope) -> Data:
    return slice(*(None if part is None else evaluate(vm, part, scope) for part in (node.lower, node.upper, node.step)))


def elements(vm: Machine, nodes: list[ast.expr], scope: Scope) -> list[Data]:
    """The values of `nodes`, starred ones laid out."""
    found: list[Data] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            value = evaluate(vm, node.value, scope)
            if isinstance(value, Open):
                found.append(Several(value.why, value.span, value.flag, value.metadata))
            elif is_open(value):
                found.append(Several(f"what {value} holds", vm.here()))
            else:
                found.extend(vm.iterate(value))
        else:
            found.append(evaluate(vm, node, scope))
    return found


def _tuple(vm: Machine, node: ast.Tuple, scope: Scope) -> Data:
    made = tuple(elements(vm, node.elts, scope))
    # Python hashes every part of a tuple, as often as it is met.
    if not all(type(part) in SCALARS for part in made) and bounds.has_many_parts(made):
        return vm.open(f"a tuple of more than {bounds.MOST_PARTS:,} parts", metadata=True)
    return made


def _list(vm: Machine, node: ast.List, scope: Scope) -> Data:
    return elements(vm, node.elts, scope)


def _set(vm: Machine, node: ast.Set, scope: Scope) -> Data:
    return _hashed(vm, elements(vm, node.elts, scope))


def _hashed(vm: Machine, values: list[Data]) -> Data:
    try:
        return set(values)
    except TypeError:
        return vm.open("a set of values that are not known")


def _dict(vm: Machine, node: ast.Dict, scope: Scope) -> Data:
    found: dict[Data, Data] = {}
    for key, item in zip(node.keys, node.values, strict=True):
        value = evaluate(vm, item, scope)
        if key is None:
            inner = value.items if isinstance(value, Instance) else value
            if isinstance(inner, dict):
                found.update(inner)
            elif is_open(inner):
                vm.assume(f"`{{**{code_of(item)[:40]}}}` adds nothing")
            continue
        name = evaluate(vm, key, scope)
        try:
            found[name] = value
        except TypeError:
            vm.unknown("dict", "a key is not known")
    return vm.new_mapping(found)


def _joined(vm: Machine, node: ast.JoinedStr, scope: Scope) -> Data:
    text = ""
    for part in node.values:
        piece = _piece(vm, part, scope)
        if piece is None:
            return vm.open(f"the text {code_of(node)[:60]}")
        text += piece
    return text


def _piece(vm: Machine, part: ast.expr, scope: Scope) -> str | None:
    """One part of an f-string; None where it is not known."""
    if not isinstance(part, ast.FormattedValue):
        return str(part.value) if isinstance(part, ast.Constant) else None
    value = evaluate(vm, part.value, scope)
    form = "" if part.format_spec is None else evaluate(vm, part.format_spec, scope)
    if not isinstance(value, (str, int, float, type(None))) or not isinstance(form, str) or WIDE.search(form):
        return None
    try:
        return format(repr(value) if part.conversion == ord("r") else value, form)
    except (TypeError, ValueError):
        return None


def _lambda(vm: Machine, node: ast.Lambda, scope: Scope) -> Data:
    function = Function(node, scope, "lambda")
    function.defaults = [evaluate(vm, default, scope) for default in node.args.defaults]
    function.keyword_defaults = [None if item is None else evaluate(vm, item, scope) for item in node.args.kw_defaults]
    return function


def _conditional(vm: Machine, node: ast.IfExp, scope: Scope) -> Data:
    mark = len(vm.touched)
    vm.by_number = False
    test = evaluate(vm, node.test, scope)
    settings = vm.since(mark)
    chosen = node.body if vm.truth(forks.weighed(vm, test, node, scope), node.test) else node.orelse
    outer = vm.control
    if settings:
        vm.decide(settings)
    try:
        value = evaluate(vm, chosen, scope)
    finally:
        vm.control = outer
    vm.touch(settings)
    return value


def _named(vm: Machine, node: ast.NamedExpr, scope: Scope) -> Data:
    mark = len(vm.touched)
    value = evaluate(vm, node.value, scope)
    settings = vm.since(mark)
    names.store(scope, node.target.id, value, settings)
    vm.touch(settings)
    return value


def _boolean(vm: Machine, node: ast.BoolOp, scope: Scope) -> Data:
    """`and` and `or` with three truths: what is known may decide behind something that is not."""
    stops_at = isinstance(node.op, ast.Or)
    undecided: Data = None
    value: Data = None
    for part in node.values:
        value = contents.told(vm, evaluate(vm, part, scope))
        if is_undecided(value):
            undecided = value if undecided is None else conditions.weightier(undecided, value, stops_at)
            continue
        if vm.truth(value, part) == stops_at:
            if undecided is None:
                return value
            return stops_at if isinstance(value, bool) else undecided  # `rates or [0.0]`: one of the two, as a value
    return value if undecided is None else undecided


def _unary(vm: Machine, node: ast.UnaryOp, scope: Scope) -> Data:
    value = evaluate(vm, node.operand, scope)
    if isinstance(node.op, ast.Not):
        return conditions.unary_not(vm, contents.told(vm, value))
    return conditions.unary(vm, type(node.op), value)


def _binary(vm: Machine, node: ast.BinOp, scope: Scope) -> Data:
    left = evaluate(vm, node.left, scope)
    right = evaluate(vm, node.right, scope)
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        vm.frame.reach(node)
    return conditions.binary(vm, type(node.op), left, right)


def _compare(vm: Machine, node: ast.Compare, scope: Scope) -> Data:
    left = evaluate(vm, node.left, scope)
    undecided: Data = None
    for op, item in zip(node.ops, node.comparators, strict=True):
        right = evaluate(vm, item, scope)
        if isinstance(op, (ast.Is, ast.IsNot)) and isinstance(item, ast.Constant) and item.value is None:
            _note_absence(vm, node.left, scope)
        result = conditions.compare(vm, type(op), left, right)
        if result is False:
            return False
        if result is not True:
            undecided = result
        left = right
    return True if undecided is None else undecided


def _note_absence(vm: Machine, node: ast.expr, scope: Scope) -> None:
    """An argument of the entry whose absence is tested may be given in another run."""
    if isinstance(node, ast.Name):
        vm.notes.tested_for_none.setdefault(node.id, vm.at(node))
        vm.frame.absent[node.id] = None


def comprehension(vm: Machine, node: Comprehension, scope: Scope, found: Data, each: Callable[[Scope], None]) -> Data:
    """`found`, after running `each` in the scope of every combination that the `for` and `if` parts leave; something
    unknown where that is a long row that only computes numbers."""
    begun = loops.Work.of(vm)
    given_up: list[Data] = []
    bare: list[Open] = []  # sizes of which it is not known how many there are

    def descend(depth: int, inside: Scope) -> None:
        if depth == len(node.generators):
            vm.step()
            each(inside)
            return
        generator = node.generators[depth]
        mark = len(vm.touched)
        source = evaluate(vm, generator.iter, inside)
        if isinstance(source, Open) and is_metadata(source) and type(source) is not OpenRange and not bare:
            bare.append(source)
        items = vm.iterate(source)
        settings = vm.since(mark)
        rounds = source if isinstance(source, OpenRange) else None
        for item in items:
            if begun.is_long(vm):
                given_up.append(loops.gives_up(vm, node, scope))
            if given_up:
                return
            vm.step()
            nested = _inner(inside)
            statements.bind(vm, generator.target, item, nested, settings)
            with vm.within(rounds):
                if all(vm.truth(evaluate(vm, test, nested), test) for test in generator.ifs):
                    descend(depth + 1, nested)
        vm.touch(settings)

    descend(0, _inner(scope))
    if bare and isinstance(found, list) and all(isinstance(one, int) or is_metadata(one) for one in found):
        return vm.open(f"numbers for {bare[0].why}", metadata=True)
    return given_up[0] if given_up else found


def _inner(scope: Scope) -> Scope:
    nested = Scope(scope.file, scope)
    nested.cls, nested.self_value = scope.cls, scope.self_value
    return nested


def _list_comprehension(vm: Machine, node: ast.ListComp | ast.GeneratorExp, scope: Scope) -> Data:
    found: list[Data] = []
    return comprehension(vm, node, scope, found, lambda inside: found.append(evaluate(vm, node.elt, inside)))


def _set_comprehension(vm: Machine, node: ast.SetComp, scope: Scope) -> Data:
    found: list[Data] = []
    result = comprehension(vm, node, scope, found, lambda inside: found.append(evaluate(vm, node.elt, inside)))
    return _hashed(vm, found) if result is found else result


def _dict_comprehension(vm: Machine, node: ast.DictComp, scope: Scope) -> Data:
    found: dict[Data, Data] = {}

    def add(inside: Scope) -> None:
        key = evaluate(vm, node.key, inside)
        try:
            found[key] = evaluate(vm, node.value, inside)
        except TypeError:
            vm.unknown("dict", "a key is not known")

    result = comprehension(vm, node, scope, found, add)
    return vm.new_mapping(found) if result is found else result


def _call(vm: Machine, node: ast.Call, scope: Scope) -> Data:
    if isinstance(node.func, ast.Name) and node.func.id == "super":
        return _super(vm, node, scope)
    mark = len(vm.touched)
    function = evaluate(vm, node.func, scope)
    if isinstance(function, Native) and function.name in ("locals", "vars") and not (node.args or node.keywords):
        return dict(scope.vars)
    chosen = vm.since(mark)  # settings that decided which function this is
    args = elements(vm, node.args, scope) if node.args else []
    kwargs: dict[str, Data] = {}
    for keyword in node.keywords:
        value = evaluate(vm, keyword.value, scope)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
            continue
        inner = value.items if isinstance(value, Instance) else value
        if isinstance(inner, dict):
            kwargs.update({key: item for key, item in inner.items() if isinstance(key, str)})
        elif is_open(inner) and not is_metadata(inner):
            vm.assume(f"`{code_of(node.func)[:60]}` is given nothing by `**{code_of(keyword.value)[:40]}`")
    passed = vm.since(mark)
    frame = vm.frames[-1]
    frame.reach(node)
    frame.call = node
    if chosen:
        outer = vm.control
        vm.decide(chosen)
        try:
            result = _call_noting(vm, function, args, kwargs, node, scope, passed)
        finally:
            vm.control = outer
    else:
        result = _call_noting(vm, function, args, kwargs, node, scope, passed)
    if passed and isinstance(result, PLAIN):
        # Plain data made from settings depends on them. What a module is given decides its sizes, not that it stands
        # here; which module a function chose is told by the decisions on its way to `return`.
        vm.touch(passed)
    return result


def _call_noting(
    vm: Machine,
    function: Data,
    args: list[Data],
    kwargs: dict[str, Data],
    node: ast.Call,
    scope: Scope,
    passed: tuple[Setting, ...],
) -> Data:
    """Call, handing over which settings decided each argument."""
    vm.step()
    if isinstance(function, calls.BINDS) and (passed or _states_constants(node)):
        given = calls.argument_settings(vm, node, scope, passed)
        return calls.call(vm, function, args, kwargs, given)
    return calls.call(vm, function, args, kwargs)


def _states_constants(node: ast.Call) -> bool:
    return any(isinstance(keyword.value, ast.Constant) for keyword in node.keywords)


def settings_of(vm: Machine, node: ast.expr, scope: Scope) -> tuple[Setting, ...]:
    """The settings on which the names and attributes in `node` depend, without evaluating calls in it again."""
    found: dict[Setting, None] = {}
    for inner in _names_in(node):
        if isinstance(inner, ast.Name):
            if (at := _scope_of(inner.id, scope)) is not None:
                found.update(dict.fromkeys(at.settings.get(inner.id, ())))
        else:
            owner = _plain_owner(inner.value, scope)
            if isinstance(owner, Instance):
                found.update(dict.fromkeys(owner.settings.get(inner.attr, ())))
    return tuple(found)


def _names_in(node: ast.expr) -> tuple[ast.Name | ast.Attribute, ...]:
    """Names and dotted names in `node`; kept with the tree, since it is asked for at every call."""
    known: tuple[ast.Name | ast.Attribute, ...] | None = getattr(node, "names_in", None)
    if known is None:
        known = tuple(
            inner
            for inner in ast.walk(node)
            if isinstance(inner, ast.Name)
            or (isinstance(inner, ast.Attribute) and isinstance(inner.value, (ast.Name, ast.Attribute)))
        )
        node.names_in = known  # type: ignore[attr-defined]
    return known


def _scope_of(name: str, scope: Scope) -> Scope | None:
    """The scope, `scope` or one around it, that holds `name`."""
    at: Scope | None = scope
    while at is not None and name not in at.vars:
        at = at.parent
    return at


def _plain_owner(node: ast.expr, scope: Scope) -> Data:
    """The value of a dotted name, by look-up alone."""
    if isinstance(node, ast.Name):
        at = _scope_of(node.id, scope)
        return None if at is None else at.vars[node.id]
    if isinstance(node, ast.Attribute):
        owner = _plain_owner(node.value, scope)
        return owner.attributes.get(node.attr) if isinstance(owner, Instance) else None
    return None


def _super(vm: Machine, node: ast.Call, scope: Scope) -> Data:
    at: Scope | None = scope
    while at is not None and at.cls is None:
        at = at.parent
    if node.args:
        cls = evaluate(vm, node.args[0], scope)
        receiver = evaluate(vm, node.args[1], scope) if len(node.args) > 1 else at.self_value if at else None
        return Super(cls, receiver) if not is_open(cls) else cls
    if at is None or at.cls is None:
        return vm.open("super() outside of a method")
    return Super(at.cls, at.self_value)


def _yield(vm: Machine, node: ast.Yield, scope: Scope) -> None:
    _yielded(scope).append(None if node.value is None else evaluate(vm, node.value, scope))


def _yield_from(vm: Machine, node: ast.YieldFrom, scope: Scope) -> None:
    _yielded(scope).extend(vm.iterate(evaluate(vm, node.value, scope)))


def _yielded(scope: Scope) -> list[Data]:
    """What the generator that runs in `scope` has yielded."""
    at: Scope | None = scope
    while at is not None and at.yields is None:
        at = at.parent
    return [] if at is None or at.yields is None else at.yields


def _await(vm: Machine, node: ast.Await, scope: Scope) -> Data:
    return evaluate(vm, node.value, scope)


def _starred(vm: Machine, node: ast.Starred, scope: Scope) -> Data:
    return evaluate(vm, node.value, scope)


def _formatted(vm: Machine, node: ast.FormattedValue, scope: Scope) -> Data:
    return evaluate(vm, node.value, scope)


HANDLERS: dict[type[ast.expr], Callable[..., Data]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.JoinedStr: _joined,
    ast.FormattedValue: _formatted,
    ast.Lambda: _lambda,
    ast.IfExp: _conditional,
    ast.NamedExpr: _named,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Compare: _compare,
    ast.ListComp: _list_comprehension,
    ast.GeneratorExp: _list_comprehension,
    ast.SetComp: _set_comprehension,
    ast.DictComp: _dict_comprehension,
    ast.Call: _call,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.Await: _await,
    ast.Starred: _starred,
}  # each handler takes the node type that it is listed under

from archcheck.frontends.static import calls, loops, statements  # noqa: E402  # they import this module
