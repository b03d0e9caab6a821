"""Python's builtins and the methods of its data, over values of which some are not known."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from archcheck.frontends.static import bounds, sizes
from archcheck.frontends.static.environment import import_by_name
from archcheck.frontends.static.inspection import INSPECTION, written
from archcheck.frontends.static.opens import Open, OpenRange, Rank
from archcheck.frontends.static.outcomes import Raised
from archcheck.frontends.static.values import (
    Args,
    Class,
    Data,
    External,
    Function,
    Handler,
    Instance,
    Kwargs,
    Native,
    Registry,
    Sentinel,
    Tensor,
    Tensors,
    is_metadata,
    is_open,
    is_undecided,
    reason,
    shown,
)

MOST_AXES = 16
if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


def _len(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    value = vm.iterate(args[0]) if isinstance(args[0], Class) and args[0].members else args[0]
    if isinstance(value, Instance):
        if value.cls.lookup("__len__"):
            return vm.call(vm.get(value, "__len__"), [], {})
        if value.items is not None:
            return len(value.items)
        return vm.open(f"the length of {shown(value)}")
    if isinstance(value, Tensor) and isinstance(value.data, list):
        return len(value.data)
    if isinstance(value, Tensor) and (size := sizes.along(vm, value, 0)) is not None:
        return size
    if isinstance(value, (Tensor, Tensors)):
        return vm.open("the length of a tensor", metadata=True)
    if is_open(value):
        return vm.open(f"the length of {reason(value)}", metadata=is_metadata(value))
    try:
        return len(value)
    except TypeError:
        return vm.open(f"the length of {shown(value)}")


def _converted(name: str) -> Handler:
    plain = getattr(builtins, name)

    def convert(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        if not args:
            return plain()
        value = args[0]
        if (held := sizes.number(vm, value)) is not None:
            return plain(held)
        if isinstance(value, (Tensor, Tensors)):
            return vm.open(f"{name} of a tensor", metadata=True)
        if isinstance(value, Instance) and name == "bool":
            return vm.truth(value)
        if isinstance(value, Open):
            return value
        if isinstance(value, (int, float, str, bool, bytes)) or (name == "str" and value is None):
            try:
                return plain(*args)
            except (ValueError, TypeError, OverflowError):
                return vm.open(f"{name}({shown(value)})")
        if name == "str" and (text := written(value)) is not None:
            return text
        return vm.truth(value) if name == "bool" else vm.open(f"{name}({shown(value)})")

    return convert


def _collected(name: str) -> Handler:
    plain = getattr(builtins, name)

    def collect(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        if not args:
            return plain()
        if is_metadata(args[0]):
            return args[0]
        try:
            return plain(vm.iterate(args[0]))
        except TypeError:
            return vm.open(f"a {name} of values that are not known")

    return collect


def _dict(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    made: dict[Data, Data] = {}
    for argument in args:
        source = argument.items if isinstance(argument, Instance) else argument
        if isinstance(source, dict):
            made.update(source)
        elif isinstance(source, (list, tuple)):
            made.update({pair[0]: pair[1] for pair in source if isinstance(pair, (list, tuple)) and len(pair) == 2})
        else:
            vm.unknown("dict", f"what {shown(argument)} holds is not known")
    made.update(kwargs)
    return vm.new_mapping(made)


def _range(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    args = [value if (held := sizes.number(vm, value)) is None else int(held) for value in args]
    if len(args) == 2 and all(isinstance(value, Rank) for value in args):
        return [args[0].shifted(at) for at in range(min(args[1].plus - args[0].plus, MOST_AXES))]
    unknown = next((value for value in args if is_undecided(value)), None)
    if unknown is not None:
        why = f"a range whose end is not known ({reason(unknown)})"
        if is_metadata(unknown) or not isinstance(unknown, Open):
            return vm.open(why, metadata=is_metadata(unknown))
        return OpenRange(why, vm.here(), unknown.flag)
    if not all(isinstance(value, int) for value in args):
        raise Raised("TypeError", f"range({', '.join(map(shown, args))})", vm.here())
    return range(*args)


def _enumerate(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    if is_metadata(args[0]):
        return args[0]  # not one pair: it is not known how many there are
    start = args[1] if len(args) > 1 else kwargs.get("start", 0)
    return list(enumerate(vm.iterate(args[0]), start if isinstance(start, int) else 0))


def _zip(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    columns = [None if is_open(value) else vm.iterate(value) for value in args]
    known = [len(column) for column in columns if column is not None]
    length = min(known, default=1)
    filled = [[vm.open("a part of something unknown")] * length if column is None else column for column in columns]
    return list(zip(*filled, strict=False))


def _map(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    columns = [vm.iterate(value) for value in args[1:]]
    return [vm.call(args[0], list(row), {}) for row in zip(*columns, strict=False)]


def _filter(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return [item for item in vm.iterate(args[1]) if vm.truth(item if args[0] is None else vm.call(args[0], [item], {}))]


def _sum(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    import ast

    from archcheck.frontends.static.conditions import binary

    total: Data = args[1] if len(args) > 1 else kwargs.get("start", 0)
    for item in vm.iterate(args[0]):
        plain_zero = isinstance(total, int) and total == 0 and isinstance(item, (Tensor, Tensors))
        total = item if plain_zero else binary(vm, ast.Add, total, item)
    return total


def _extreme(name: str) -> Handler:
    plain = getattr(builtins, name)

    def extreme(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        values = vm.iterate(args[0]) if len(args) == 1 else args
        values = [value if (held := sizes.number(vm, value)) is None else held for value in values]
        unknown = next((value for value in values if is_undecided(value)), None)
        if unknown is not None or "key" in kwargs:
            metadata = isinstance(unknown, (Tensor, Tensors)) or is_metadata(unknown)
            return vm.open(f"the {name} of values that are not known", metadata=metadata)
        if not values:
            return kwargs.get("default", vm.open(f"the {name} of nothing"))
        try:
            return plain(values)
        except TypeError:
            return vm.open(f"the {name} of values that do not compare")

    return extreme


def _every(stops_at: bool) -> Handler:
    def every(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        undecided: Data = None
        for item in vm.iterate(args[0]):
            if is_undecided(item):
                undecided = item
            elif vm.truth(item) == stops_at:
                return stops_at
        if undecided is None:
            return not stops_at
        return vm.not_known(undecided, "any or all of a tensor", metadata=True)

    return every


def _sorted(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    from archcheck.frontends.static.unsettled import ordered

    return ordered(vm, vm.iterate(args[0]), kwargs)


def _next(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    values = vm.iterate(args[0])
    if values:
        return values[0]
    return args[1] if len(args) > 1 else vm.open("the next of nothing")


def _number(name: str) -> Handler:
    plain = getattr(builtins, name)

    def number(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        if isinstance(args[0], (Tensor, Tensors)) and name in ("abs", "round"):
            return vm.emit(name, (args[0],), {"mode": "nearest"} if name == "round" else {})
        unknown = next((value for value in args if not isinstance(value, (int, float, complex))), None)
        if unknown is not None:
            return vm.not_known(unknown, f"{name}({shown(unknown)})", metadata=True)
        if bounds.number_too_large(name, args):
            return vm.open(f"{name} is too large to build", metadata=True)
        try:
            return plain(*args)
        except (TypeError, ValueError, ArithmeticError):
            return vm.open(f"{name} of {shown(args[0])}")

    return number


def _reversed(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return list(reversed(vm.iterate(args[0])))


def _iter(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return vm.iterate(args[0])


def _exception(name: str) -> Handler:
    return lambda vm, args, kwargs: vm.open(f"an exception {name}", metadata=True)


def _slice(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return slice(*args)


def _in_role(role: str) -> Handler:
    """`classmethod(f)`, where a decorator would do the same."""

    def made(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        value = next(iter(args or kwargs.values()), None)
        return value.again(role) if isinstance(value, Function) else value

    return made


def _text(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return vm.open("a text or a code")


def _nothing(vm: Machine, args: Args, kwargs: Kwargs) -> None:
    return None


def _beyond_reading(name: str) -> Handler:
    def stop(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        from archcheck.frontends.static.outcomes import OutOfFuel

        raise OutOfFuel(f"the code calls {name}, whose effect cannot be read")

    return stop


_HANDLERS: dict[str, Handler] = {
    **INSPECTION, "len": _len, "int": _converted("int"), "float": _converted("float"), "str": _converted("str"),
    "bool": _converted("bool"), "list": _collected("list"), "tuple": _collected("tuple"), "set": _collected("set"),
    "frozenset": _collected("frozenset"), "dict": _dict, "range": _range, "xrange": _range, "enumerate": _enumerate,
    "zip": _zip, "map": _map, "filter": _filter, "sum": _sum, "max": _extreme("max"), "min": _extreme("min"),
    "any": _every(True), "all": _every(False), "sorted": _sorted, "reversed": _reversed, "iter": _iter, "next": _next,
    "abs": _number("abs"), "round": _number("round"), "pow": _number("pow"), "divmod": _number("divmod"),
    "slice": _slice, "print": _nothing, "object": lambda vm, args, kwargs: Sentinel(),
    "id": lambda vm, args, kwargs: id(args[0]),
    "property": _in_role("property"), "staticmethod": _in_role("static"), "classmethod": _in_role("class"),
    "locals": lambda vm, args, kwargs: vm.open("the names of a scope"),
    **{name: _beyond_reading(name) for name in ("exec", "eval", "compile", "globals")}, "__import__": import_by_name,
    "complex": _number("complex"), "bytes": _text, "hash": _text, "ord": _text, "chr": _text,
    "format": _text, "delattr": _nothing, "super": _nothing, "input": _text, "open": _text, "long": _converted("int"),
    "basestring": _converted("str"), "unicode": _converted("str"),
}  # fmt: skip
_HANDLERS.update(
    (name, _exception(name))
    for name in vars(builtins)
    if isinstance(getattr(builtins, name), type) and issubclass(getattr(builtins, name), BaseException)
)

BUILTINS: dict[str, Data] = {name: Native(name, handler) for name, handler in _HANDLERS.items()}
BUILTINS["NotImplemented"] = External("builtins.NotImplemented")
BUILTINS["__name__"] = "module"
BUILTINS["__file__"] = "file"
BUILTINS["__debug__"] = False
BUILTINS["__doc__"] = ""

TYPES: dict[str, type] = {one.__name__: one for one in (str, bytes, int, float, list, tuple, dict, set, frozenset)}
CHANGES = {
    "append", "extend", "insert", "pop", "remove", "clear", "update", "setdefault", "add", "discard", "sort", "reverse",
    "popitem", "appendleft", "move_to_end",
}  # fmt: skip
LOOKS = {"get", "items", "keys", "values", "copy", "index", "count", "union", "intersection", "difference"}


def plain_method(owner: Data, name: str) -> Data:
    """A method or attribute of Python data; None where it has none of that name."""
    if isinstance(owner, Native) and owner.name in TYPES and name[:2] != "__" and hasattr(TYPES[owner.name], name):
        return _of_type(owner.name, name)
    if not isinstance(owner, (str, list, dict, tuple, set, frozenset, int, float, range, slice, bytes)):
        return None
    if isinstance(owner, tuple) and name in getattr(owner, "names", ()):
        return owner[owner.names.index(name)]  # type: ignore[attr-defined]
    if not hasattr(owner, name):
        if name in ("item", "tolist", "astype") and isinstance(
            owner, (int, float)
        ):  # an entry of a tensor of known numbers
            return Native(name, lambda vm, args, kwargs: owner)
        if name == "numel" and isinstance(owner, (tuple, list)):
            return Native(name, lambda vm, args, kwargs: vm.open("a count of elements", metadata=True))
        return None
    attribute = getattr(owner, name)
    if not callable(attribute):
        return attribute
    return Native(name, lambda vm, args, kwargs: _call_plain(vm, owner, name, attribute, args, kwargs))


def _of_type(kind: str, name: str) -> Native:
    """`str.lower`, as a function of a text; `dict.fromkeys`."""

    def call(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        if name == "fromkeys" and args:
            try:
                return dict.fromkeys(vm.iterate(args[0]), *args[1:2])
            except TypeError:
                return vm.open("a dict of keys that cannot be keys")
        if args and isinstance(args[0], (TYPES[kind], Instance)):
            return vm.call(vm.get(args[0], name), args[1:], kwargs)
        return vm.open(f"{kind}.{name}()", metadata=True)

    return Native(f"{kind}.{name}", call)


def _call_plain(vm: Machine, owner: Data, name: str, attribute: Any, args: Args, kwargs: Kwargs) -> Data:
    from archcheck.frontends.static.outcomes import Raised
    from archcheck.frontends.static.unsettled import is_unknown, ordered

    if isinstance(owner, (str, bytes)):
        if name == "join" and args and isinstance(args[0], dict):
            args = [list(args[0])]  # its keys, whatever stands under them
        unknown = next((value for value in [*args, *kwargs.values()] if not _is_plain(value)), None)
        if unknown is not None:
            return vm.not_known(unknown, f"a text made from {shown(unknown)}", metadata=True)
    elif name == "extend" and args:
        args = [vm.iterate(args[0])]
    elif name == "update" and args and isinstance(args[0], Instance):
        args = [args[0].items if args[0].items is not None else args[0].attributes]
    elif name == "sort" and isinstance(owner, list):
        owner[:] = ordered(vm, owner, kwargs)
        return None
    elif name in ("pop", "insert") and isinstance(owner, list) and args and is_unknown(args[0]):
        return _at_unknown(vm, owner, name, args)
    elif name in ("get", "pop", "setdefault", "index", "count") and args and isinstance(args[0], Open):
        return args[0].about(f"an entry at {args[0].why}", vm.here())
    if isinstance(owner, Registry) and name in LOOKS and not (args and _has(owner, args[0])):
        vm.complete(owner, args[0] if args else None)
    if name == "update" and args and is_open(args[0]):
        vm.unknown("dict", f"it is updated with {shown(args[0])}")
        return None
    if bounds.call_too_large(owner, name, [*args, *kwargs.values()]):
        return vm.open(f"{shown(owner)}.{name} is too large to build", metadata=True)
    try:
        result = attribute(*args, **kwargs)
    except (KeyError, IndexError, ValueError, OverflowError) as error:
        raise Raised(type(error).__name__, str(error), vm.here()) from None
    except (TypeError, AttributeError) as error:
        return vm.open(f"{shown(owner)}.{name}: {error}")
    return list(result) if name in ("items", "keys", "values") else result


def _at_unknown(vm: Machine, owner: list[Data], name: str, args: Args) -> Data:
    """`pop` and `insert` of a list at a place that is not known."""
    from archcheck.frontends.static.unsettled import unsettle

    why = f"{name} at a place that is not known"
    if name == "insert":
        owner.append(args[1] if len(args) > 1 else None)
    unsettle(vm, owner, why)
    return owner.pop() if name == "pop" and owner else None


def _has(owner: dict[Data, Data], key: Data) -> bool:
    try:
        return key in owner
    except TypeError:
        return False


def _is_plain(value: Data) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (str, int, float, bool, bytes))


def container_method(owner: Instance, name: str) -> Data:
    """A method of a container of modules, or of a class that extends dict or list."""
    if name not in CHANGES | LOOKS and not hasattr(owner.items, name):
        return None
    if name in ("__init__", "__setattr__", "__getattribute__", "__class__", "__dict__"):
        return None
    appends = name == "add" and isinstance(owner.items, list)  # keras.Sequential
    attribute = getattr(owner.items, "append" if appends else name, None)
    if attribute is None or not callable(attribute):
        return None

    def method(machine: Machine, args: Args, kwargs: Kwargs) -> Data:
        result = _call_plain(machine, owner.items, name, attribute, args, kwargs)
        if name in CHANGES:
            from archcheck.frontends.static.containers import number_items

            number_items(owner)
        return result

    return Native(name, method)
