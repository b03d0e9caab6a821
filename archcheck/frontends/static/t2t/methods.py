"""Methods of the hparams object, as `tf.contrib.training.HParams` and its copy in tensor2tensor define them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from archcheck.frontends.static.t2t.data import Data, Declared, HParams
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Span

if TYPE_CHECKING:
    from archcheck.frontends.static.t2t.calls import Site
    from archcheck.frontends.static.t2t.machine import Machine


class Refused(Exception):
    """The library would raise; `str()` says what."""


def call(vm: Machine, hparams: HParams, name: str, args: list[Data], kwargs: dict[str, Data], site: Site) -> Data:
    """What `hparams.<name>(*args, **kwargs)` gives and does."""
    from archcheck.frontends.static.t2t.calls import unread

    method = _METHODS.get(name)
    if method is None:
        return unread(vm, f"the method {name} of hparams is called, which is not read", [hparams, *args], site)
    function, parameters = method
    given = [*args, *(kwargs[parameter] for parameter in parameters[len(args) :] if parameter in kwargs)]
    fewest = _OPTIONAL.get(name, len(parameters))
    if len(given) != len(args) + len(kwargs) or not fewest <= len(given) <= len(parameters):
        return unread(vm, f"{name} is called with arguments that it does not take", [hparams, *args], site)
    try:
        return function(vm, hparams, given, site.span(vm))
    except Refused as error:
        vm.note(f"hparams.{name} refuses this: {error}", site.span(vm))
        return unread(vm, f"hparams.{name} refuses this: {error}", [hparams], site)


def declare(vm: Machine, hparams: HParams, name: str, value: Data, span: Span | None) -> None:
    """`hparams.add_hparam(name, value)`. The library refuses a name that has a value; here the last one stands."""
    before = hparams.entries.get(name)
    if before is not None and before.value is not None and not isinstance(before.value, Unknown):
        vm.note(f"hparams.add_hparam refuses {name!r}, which is set already", span)
    vm.heap.put(hparams.types, name, _declaration(vm, name, value, span))
    vm.set_hparam(hparams, name, value, span)


def _declaration(vm: Machine, name: str, value: Data, span: Span | None) -> Declared:
    if isinstance(value, list | tuple):
        if not value:
            vm.note(f"hparams.add_hparam refuses an empty list for {name!r}", span)
            return Declared(None, True)
        return Declared(_type(value[0]), True)
    return Declared(_type(value))


def _type(value: Data) -> type | None:
    return type(value) if isinstance(value, bool | int | float | str | bytes | dict | None) else None


def read(vm: Machine, hparams: HParams, name: str, default: Sequence[Data], span: Span | None) -> Data:
    """`hparams.<name>`, or the one value in `default` where there is none."""
    entry = hparams.entries.get(name)
    if entry is not None:
        return vm.heap.seen(entry.value)
    if hparams.rest:
        return hparams.rest["why"]
    if default:
        return default[0]
    vm.note(f"hparams.{name} is read before it is set", span)
    return Unknown(f"hparams.{name} is read before it is set", span)


def _add(vm: Machine, hparams: HParams, args: list[Data], span: Span) -> Data:
    name, value = args
    if not isinstance(name, str):
        vm.spoil([hparams], _unnamed(name, span))
        return None
    declare(vm, hparams, name, value, span)
    return None


def _set(vm: Machine, hparams: HParams, args: list[Data], span: Span) -> Data:
    name, value = args
    if not isinstance(name, str):
        vm.spoil([hparams], _unnamed(name, span))
        return None
    _put(vm, hparams, name, value, span)
    return None


def _put(vm: Machine, hparams: HParams, name: str, value: Data, span: Span) -> None:
    declared = hparams.types.get(name)
    if declared is None and not hparams.rest:
        raise Refused(f"there is no hparam {name!r}")
    if declared is not None and declared.type is not None and not isinstance(value, Unknown):
        if isinstance(value, list) is not declared.is_list:
            raise Refused(f"{name!r} is {'a list' if declared.is_list else 'no list'}")
        value = (
            [_cast(name, declared.type, item) for item in value]
            if isinstance(value, list)
            else _cast(name, declared.type, value)
        )
    vm.set_hparam(hparams, name, value, span)


def _cast(name: str, kind: type, value: Data) -> Data:
    """`value` as the type that the hparam was declared with."""
    if kind is type(None) or isinstance(value, Unknown) or type(value) is kind:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    raise Refused(f"{name!r} was declared as {kind.__name__}")


def _unnamed(name: Data, span: Span) -> Unknown:
    reason = f": {name.why}" if isinstance(name, Unknown) else ""
    return Unknown(f"an hparam is set whose name is not known{reason}", span)


def _delete(vm: Machine, hparams: HParams, args: list[Data], span: Span) -> Data:
    if not isinstance(args[0], str):
        vm.spoil([hparams], _unnamed(args[0], span))
        return None
    vm.heap.remove(hparams.entries, args[0])
    vm.heap.remove(hparams.types, args[0])
    return None


def _override(vm: Machine, hparams: HParams, args: list[Data], span: Span) -> Data:
    table = args[0]
    if isinstance(table, dict) and all(isinstance(name, str) for name in table):
        for name, value in table.items():
            _put(vm, hparams, str(name), value, span)
        return hparams
    vm.spoil([hparams], Unknown("they are overridden from values that are not known", span))
    return hparams


# One clause of `a=1,b=[2,3],c[0]=4`: a name, an index or none, and a single value or a list.
_CLAUSE = re.compile(
    r"(?P<name>[a-zA-Z][\w.]*)(?P<index>\[\s*\d+\s*\])?\s*=\s*(\[(?P<list>[^\]]*)\]|(?P<one>[^,\[]*))(,\s*|$)"
)


def _parse(vm: Machine, hparams: HParams, args: list[Data], span: Span) -> Data:
    text = args[0]
    if not isinstance(text, str):
        vm.spoil([hparams], Unknown("they are parsed from a text that is not known", span))
        return hparams
    position = 0
    found: dict[str, Data] = {}
    while position < len(text):
        clause = _CLAUSE.match(text, position)
        if clause is None:
            raise Refused(f"{text[position:][:40]!r} is not an assignment")
        position = clause.end()
        name = clause["name"]
        declared = hparams.types.get(name)
        if declared is None and not hparams.rest:
            raise Refused(f"there is no hparam {name!r}")
        if name in found:
            raise Refused(f"{name!r} is assigned twice")
        if declared is None or declared.type is None or clause["index"]:
            found[name] = Unknown(f"the type of {name} is not known", span)
        elif clause["list"] is not None:
            found[name] = [_parsed(name, declared.type, item) for item in re.split(r"[ ,]+", clause["list"]) if item]
        else:
            found[name] = _parsed(name, declared.type, clause["one"])
    for name, value in found.items():
        _put(vm, hparams, name, value, span)
    return hparams


_BOOLS = {"true": True, "True": True, "false": False, "False": False}


def _parsed(name: str, kind: type, text: str) -> Data:
    try:
        if kind is bool:
            return _BOOLS[text] if text in _BOOLS else bool(int(text))
        if kind in (int, float, str):
            value: Data = kind(text)
            return value
    except ValueError as error:
        raise Refused(f"{text!r} is no {kind.__name__}, which {name!r} was declared as") from error
    return Unknown(f"the type of {name} is not known")


def _parse_json(vm: Machine, hparams: HParams, args: list[Data], span: Span) -> Data:
    text = args[0]
    if isinstance(text, str) and len(text) < 100_000:
        try:
            return _override(vm, hparams, [json.loads(text)], span)
        except (ValueError, RecursionError) as error:
            raise Refused(f"the text is not JSON: {error}") from error
    return _override(vm, hparams, [None], span)


def _values(vm: Machine, hparams: HParams, args: list[Data], span: Span) -> Data:
    if hparams.rest:
        return hparams.rest["why"]
    open_ = Unknown("it is open whether this hparam exists", span)
    return {name: hparams.entries[name].value if name in hparams.entries else open_ for name in hparams.types}


def _get(vm: Machine, hparams: HParams, args: list[Data], span: Span) -> Data:
    if not isinstance(args[0], str):
        return _unnamed(args[0], span)
    if args[0] not in hparams.types and not hparams.rest:
        return args[1] if len(args) > 1 else None
    return read(vm, hparams, args[0], (), span)


_METHODS: dict[str, tuple[Callable[[Machine, HParams, list[Data], Span], Data], tuple[str, ...]]] = {
    "add_hparam": (_add, ("name", "value")),
    "set_hparam": (_set, ("name", "value")),
    "del_hparam": (_delete, ("name",)),
    "override_from_dict": (_override, ("values_dict",)),
    "parse": (_parse, ("values",)),
    "parse_json": (_parse_json, ("values_json",)),
    "values": (_values, ()),
    "get": (_get, ("key", "default")),
}
_OPTIONAL = {"get": 1}  # fewest arguments
NAMES = frozenset(_METHODS)
