"""Calls: functions of the package, the hparams object, and what is known of built-ins and a few libraries."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archcheck.frontends.static.t2t import methods, operators, values
from archcheck.frontends.static.t2t.data import Bound, Class, Data, Frame, Function, HParams, Name, known
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Span

if TYPE_CHECKING:
    import libcst as cst

    from archcheck.frontends.static.t2t.machine import Machine


@dataclass(frozen=True, slots=True)
class Site:
    """Where a call stands: its node, the place of each keyword, and why its arguments are not all known, or ""."""

    node: cst.CSTNode
    frame: Frame
    places: dict[str, cst.CSTNode] = field(default_factory=dict)
    problem: str = ""

    def span(self, vm: Machine, keyword: str = "") -> Span:
        return vm.span(self.places.get(keyword, self.node), self.frame)


def call(vm: Machine, function: Data, args: list[Data], kwargs: dict[str, Data], site: Site) -> Data:
    """What a call gives. One that is not made leaves everything unknown that it was given and could change."""
    match function:
        case Unknown(why=why):
            return unread(vm, why, [*args, *kwargs.values()], site)
        case Name(qualified=qualified) if not _is_hparams(qualified):
            return _foreign(vm, qualified, args, kwargs, site)
        case Name() | Class() if _is_hparams(function.qualified):
            return _construct(vm, args, kwargs, site)
        case Bound(owner=owner, name=name):
            if site.problem:
                return unread(vm, f"{name} is called and {site.problem}", [owner, *args, *kwargs.values()], site)
            if isinstance(owner, HParams):
                return methods.call(vm, owner, name, args, kwargs, site)
            return values.call(vm, owner, name, args, kwargs, site)
        case Function(name=name):
            if site.problem:
                return unread(vm, f"{name} is called and {site.problem}", [function, *args, *kwargs.values()], site)
            return vm.call(function, args, kwargs, site)
        case Class():
            why = f"an object of class {function.node.name} is made"
            return unread(vm, why, [*args, *kwargs.values()], site)
        case _:
            return unread(vm, "what is called is not a function", [function, *args, *kwargs.values()], site)


def unread(vm: Machine, why: str, given: Sequence[Data], site: Site) -> Unknown:
    """The result of a call that is not made."""
    unknown = Unknown(why, site.span(vm))
    vm.spoil(list(given), unknown)
    return unknown


def _is_hparams(qualified: str) -> bool:
    return qualified == "HParams" or qualified.endswith(".HParams")


def _construct(vm: Machine, args: list[Data], kwargs: dict[str, Data], site: Site) -> Data:
    """`HParams(**kwargs)`; its one other argument, a model structure, is no hparam."""
    hparams = HParams()
    for name, value in kwargs.items():
        if name in ("hparam_def", "model_structure"):
            continue
        methods.declare(vm, hparams, name, value, site.span(vm, name))
    if site.problem or "hparam_def" in kwargs or args:
        vm.spoil([hparams], Unknown(site.problem or "they are taken from another object", site.span(vm)))
    return hparams


def bind(
    vm: Machine, params: cst.Parameters, args: list[Data], kwargs: dict[str, Data], inner: Frame, function: Function
) -> str:
    """Bind a function's parameters in its scope `inner`; gives why that is impossible, or ""."""
    left = dict(kwargs)
    rest = list(args)
    named = [*params.posonly_params, *params.params]
    defaults = Frame("", inner.module, inner.segment, outer=function.outer)
    for parameter in (*named, *params.kwonly_params):
        name = parameter.name.value
        if rest and parameter in named:
            inner.names[name] = rest.pop(0)
        elif name in left:
            inner.names[name] = left.pop(name)
        elif parameter.default is not None:
            inner.names[name] = vm.evaluate(parameter.default, defaults)
        else:
            return f"{function.name} is called without its argument {name}"
    if type(params.star_arg).__name__ == "Param":
        inner.names[params.star_arg.name.value] = tuple(rest)  # type: ignore[union-attr]
    elif rest:
        return f"{function.name} is called with too many arguments"
    if params.star_kwarg is not None:
        inner.names[params.star_kwarg.name.value] = dict(left)
    elif left:
        return f"{function.name} has no argument {next(iter(left))}"
    return ""


# ---- names outside the package


def _foreign(vm: Machine, qualified: str, args: list[Data], kwargs: dict[str, Data], site: Site) -> Data:
    short = qualified.removeprefix("builtins.").removeprefix("six.moves.")
    if qualified in _SILENT or any(qualified.startswith(prefix) for prefix in _LOGGING):
        return None
    given = [*args, *kwargs.values()]
    if short == "dict" and not site.problem:
        result = _dict(vm, args, kwargs, site)
        if result is not _NOT_UNDERSTOOD:
            return result
    special = _SPECIAL.get(short)
    if special is not None and not kwargs and not site.problem:
        result = special(vm, args, site)
        if result is not _NOT_UNDERSTOOD:
            return result
    pure = _PURE.get(short)
    if pure is None or site.problem:
        return unread(vm, f"{short} is called, which is not read" if pure is None else site.problem, given, site)
    for value in given:
        if isinstance(value, Unknown):
            return value
    if not all(known(value) for value in given) or _too_much(vm, short, args):
        return unread(vm, f"{short} is not evaluated on these values", given, site)
    try:
        result = pure(*args, **kwargs)
    except (ArithmeticError, TypeError, ValueError, MemoryError) as error:
        vm.note(f"Python raises {type(error).__name__}: {error}", site.span(vm))
        return Unknown(f"{type(error).__name__}: {error}", site.span(vm))
    return result


def _too_much(vm: Machine, name: str, args: list[Data]) -> bool:
    """Whether the result, or the work for it, would go beyond what is allowed."""
    if name in ("range", "xrange"):
        numbers = [arg for arg in args if isinstance(arg, int)]
        return len(numbers) < len(args) or _length(numbers) > vm.limits.items
    if name in ("pow", "math.pow", "round"):
        return any(isinstance(arg, int) and not isinstance(arg, bool) and abs(arg) > 1024 for arg in args[1:])
    return any(isinstance(arg, str | list | tuple | dict) and len(arg) > vm.limits.items for arg in args)


def _length(bounds: list[int]) -> float:
    """How many numbers `range(*bounds)` gives; 0 where it refuses its bounds."""
    try:
        return len(range(*bounds))
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return 0


_NOT_UNDERSTOOD = object()


def _pairs(vm: Machine, args: list[Data], site: Site) -> Data:
    if len(args) == 1 and isinstance(args[0], dict):
        return [(key, value) for key, value in args[0].items()]
    return _first_unknown(args)


def _keys(vm: Machine, args: list[Data], site: Site) -> Data:
    return list(args[0]) if len(args) == 1 and isinstance(args[0], dict) else _first_unknown(args)


def _dict_values(vm: Machine, args: list[Data], site: Site) -> Data:
    return list(args[0].values()) if len(args) == 1 and isinstance(args[0], dict) else _first_unknown(args)


def _first_unknown(args: list[Data]) -> Data:
    return next((arg for arg in args if isinstance(arg, Unknown)), _NOT_UNDERSTOOD)


def _listed(make: Callable[[list[Data]], Data]) -> Callable[[Machine, list[Data], Site], Data]:
    """A built-in that takes one iterable apart; what is in it need not be known."""

    def run(vm: Machine, args: list[Data], site: Site) -> Data:
        if not args:
            return make([])
        found = operators.items(vm, args[0])
        return make(found) if found is not None and len(args) == 1 else _first_unknown(args)

    return run


def _zip(vm: Machine, args: list[Data], site: Site) -> Data:
    columns = [operators.items(vm, arg) for arg in args]
    if any(column is None for column in columns):
        return _first_unknown(args)
    return list(zip(*(column for column in columns if column is not None), strict=False))


def _dict(vm: Machine, args: list[Data], kwargs: dict[str, Data], site: Site) -> Data:
    """`dict(**kwargs)`, `dict(other, **kwargs)`, `dict(pairs)`; values need not be known."""
    found: dict[Data, Data] = {}
    if args:
        source = args[0]
        pairs = list(source.items()) if isinstance(source, dict) else operators.items(vm, source)
        if pairs is None or len(args) > 1:
            return _first_unknown(args)
        for pair in pairs:
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not operators.hashable(pair[0]):
                return _NOT_UNDERSTOOD
            found[pair[0]] = pair[1]
    found.update(kwargs)
    return found


def _enumerate(vm: Machine, args: list[Data], site: Site) -> Data:
    found = operators.items(vm, args[0]) if len(args) == 1 else None
    return [(number, item) for number, item in enumerate(found)] if found is not None else _first_unknown(args)


def _len(vm: Machine, args: list[Data], site: Site) -> Data:
    if len(args) == 1 and isinstance(args[0], str | bytes | list | tuple | dict | frozenset):
        return len(args[0])
    return _first_unknown(args)


def _getattr(vm: Machine, args: list[Data], site: Site) -> Data:
    if len(args) in (2, 3) and isinstance(args[0], HParams) and isinstance(args[1], str):
        return methods.read(vm, args[0], args[1], args[2:], site.span(vm))
    return _first_unknown(args)


def _hasattr(vm: Machine, args: list[Data], site: Site) -> Data:
    if len(args) == 2 and isinstance(args[0], HParams) and isinstance(args[1], str):
        if args[1] in args[0].entries or args[1] in methods.NAMES:
            return True
        return args[0].rest.get("why", False)
    return _first_unknown(args)


def _setattr(vm: Machine, args: list[Data], site: Site) -> Data:
    if len(args) == 3 and isinstance(args[0], HParams) and isinstance(args[1], str):
        vm.set_hparam(args[0], args[1], args[2], site.span(vm))
        return None
    return _NOT_UNDERSTOOD


def _copy(vm: Machine, args: list[Data], site: Site) -> Data:
    match args:
        case [HParams() as hparams]:
            return hparams.copy()
        case [list() as items]:
            return list(items)
        case [dict() as table]:
            return dict(table)
        case [None | bool() | int() | float() | str() as value]:
            return value
        case _:
            return _first_unknown(args)


def _deepcopy(vm: Machine, args: list[Data], site: Site) -> Data:
    """As `_copy`, where nothing inside can be changed."""
    inside: list[Data] = []
    match args:
        case [HParams() as hparams]:
            inside = [entry.value for entry in hparams.entries.values()]
        case [list() as items]:
            inside = items
        case [dict() as table]:
            inside = list(table.values())
        case _:
            pass
    if any(isinstance(value, list | dict | HParams) for value in inside):
        return _NOT_UNDERSTOOD
    return _copy(vm, args, site)


def _isinstance(vm: Machine, args: list[Data], site: Site) -> Data:
    match args:
        case [value, Name(qualified=qualified)] if known(value):
            kind = _TYPES.get(qualified.removeprefix("builtins.").removeprefix("six."))
            return isinstance(value, kind) if kind is not None else _NOT_UNDERSTOOD
        case _:
            return _first_unknown(args)


_TYPES: dict[str, type] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "string_types": str,
    "integer_types": int,
}
_SPECIAL: dict[str, Callable[[Machine, list[Data], Site], Data]] = {
    "copy.copy": _copy,
    "copy.deepcopy": _deepcopy,
    "enumerate": _enumerate,
    "getattr": _getattr,
    "hasattr": _hasattr,
    "isinstance": _isinstance,
    "len": _len,
    "list": _listed(list),
    "setattr": _setattr,
    "six.iteritems": _pairs,
    "six.iterkeys": _keys,
    "six.itervalues": _dict_values,
    "tuple": _listed(tuple),
    "reversed": _listed(lambda items: items[::-1]),
    "zip": _zip,
}


_PURE: dict[str, Callable[..., Data]] = {
    "abs": abs,
    "all": all,
    "any": any,
    "bool": bool,
    "float": float,
    "int": int,
    "math.ceil": math.ceil,
    "math.exp": math.exp,
    "math.floor": math.floor,
    "math.log": math.log,
    "math.log10": math.log10,
    "math.log2": math.log2,
    "math.pow": math.pow,
    "math.sqrt": math.sqrt,
    "max": max,
    "min": min,
    "pow": pow,
    "range": lambda *args: list(range(*args)),
    "round": round,
    "sorted": sorted,
    "str": str,
    "sum": sum,
    "xrange": lambda *args: list(range(*args)),
}
_SILENT = frozenset({"builtins.print", "warnings.warn"})
_LOGGING = ("logging.", "absl.logging.", "tensorflow.logging.", "tensorflow.compat.v1.logging.")
