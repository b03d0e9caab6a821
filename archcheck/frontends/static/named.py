"""Enumerations and named tuples: classes whose body says which instances there are, or which parts an instance has."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import (
    Class,
    Data,
    External,
    Function,
    Inert,
    Instance,
    Method,
    Native,
    Scope,
    shown,
)

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

AUTO = Inert()  # `enum.auto()`
TUPLES = ("typing.NamedTuple", "collections.namedtuple")


class TextMember(str):
    """A member of an enumeration whose members are texts; it is its value."""

    def __new__(cls, kind: Class, name: str, value: str) -> TextMember:
        made = super().__new__(cls, value)
        made.cls, made.name, made.value = kind, name, value
        return made

    cls: Class
    name: str
    value: str


class NumberMember(int):
    """A member of an enumeration whose members are numbers; it is its value."""

    def __new__(cls, kind: Class, name: str, value: int) -> NumberMember:
        made = super().__new__(cls, value)
        made.cls, made.name, made.value = kind, name, value
        return made

    cls: Class
    name: str
    value: int


def is_enum(cls: Class) -> bool:
    """Whether `cls` extends an enumeration."""
    return any(base.startswith("enum.") for base in cls.externals)


def make_members(cls: Class) -> None:
    """Put members in the place of the values that an enumeration's body assigns."""
    if not is_enum(cls):
        return
    mixed = _mixed_in(cls)
    for name, value in list(cls.scope.vars.items()):
        if name.startswith("_") or isinstance(value, (Function, Class, Method, Native, Open)):
            continue
        if value is AUTO:
            value = name.lower() if mixed is str else len(cls.members) + 1  # noqa: PLW2901
        same = next((member for member in cls.members.values() if _value_of(member) == value), None)
        cls.members[name] = cls.scope.vars[name] = _member(cls, name, value, mixed) if same is None else same


def _mixed_in(cls: Class) -> type | None:
    """The plain type that members also are: `class Kind(str, Enum)`, `StrEnum`, `IntEnum`, flags."""
    if any(base == "enum.StrEnum" for base in cls.externals):
        return str
    if any(base in ("enum.IntEnum", "enum.IntFlag", "enum.Flag") for base in cls.externals):
        return int
    natives = {base.name for one in cls.mro if isinstance(one, Class) for base in one.bases if isinstance(base, Native)}
    return str if "str" in natives else int if "int" in natives else None


def _member(cls: Class, name: str, value: Data, mixed: type | None) -> Data:
    if mixed is str and isinstance(value, str):
        return TextMember(cls, name, value)
    if mixed is int and isinstance(value, int):
        return NumberMember(cls, name, value)
    return Instance(cls, {"name": name, "value": value, "_name_": name, "_value_": value})


def _value_of(member: Data) -> Data:
    return member.attributes["value"] if isinstance(member, Instance) else member.value


def member_of(vm: Machine, cls: Class, value: Data) -> Data:
    """`Kind(value)`.

    Raises:
        Raised: ValueError, where no member has that value.
    """
    if isinstance(value, Open):
        return value.about(f"which {cls.name} {value.why} is", vm.here())
    for member in cls.members.values():
        if member is value or _value_of(member) == value:
            return member
    missing = cls.lookup("_missing_")
    if missing is not None and isinstance(missing[1], Function):
        found = vm.call(Method(missing[1], cls), [value], {})
        if found is not None:
            return found
    from archcheck.frontends.static.machine import Raised

    raise Raised("ValueError", f"{shown(value)} is no {cls.name}", vm.here())


def is_named_tuple(cls: Class) -> bool:
    """Whether instances of `cls` are tuples whose parts bear names."""
    return any(base in TUPLES for base in cls.externals)


def named_tuple(vm: Machine, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """The class that `collections.namedtuple` makes."""
    fields = args[1] if len(args) > 1 else kwargs.get("field_names")
    if isinstance(fields, str):
        fields = fields.replace(",", " ").split()
    if not isinstance(fields, (list, tuple)) or not all(isinstance(name, str) for name in fields):
        return vm.open("a named tuple whose fields are not known")
    scope = Scope(vm.frame.file)
    made = Class(str(args[0]), (External("collections.namedtuple"),), scope, None)
    for name in fields:
        node = ast.AnnAssign(ast.Name(name, ast.Store()), ast.Constant(None), None, 1)
        made.fields[name] = ast.copy_location(node, ast.Pass(lineno=vm.frame.line, col_offset=0))
    defaults = kwargs.get("defaults") or ()
    if isinstance(defaults, (list, tuple)) and defaults:
        scope.vars.update(zip(fields[-len(defaults) :], defaults, strict=True))
    return made
