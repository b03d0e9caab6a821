"""What evaluation of hparams functions computes with.

Plain Python data stand for themselves: None, bool, int, float, complex, str, bytes, tuple, list, dict, frozenset. The
classes here stand for the rest, and `archcheck.ir.graph.Unknown` for what could not be found out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archcheck.frontends.static.t2t.source import Module, Segment
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Setting, Span, Step

if TYPE_CHECKING:
    import libcst as cst

Data = object

SCALARS = (type(None), bool, int, float, complex, str, bytes)


@dataclass(eq=False, slots=True)
class Frame:
    """A function that is running, or the scope of a comprehension inside it."""

    function: str  # "": the top level of a module
    module: Module
    segment: Segment
    names: dict[str, Data] = field(default_factory=dict)
    outer: Frame | None = None  # the scope in which the function was defined, if that is no module
    at: Span | None = None  # the call that it has reached
    trail: tuple[Step, ...] = ()  # the calls that led here, outermost first
    yields: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name outside what is read: a function, a class or a module of another package, or a built-in."""

    qualified: str


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function of the package: one that a module defines, found in its file when it is called, or a closure."""

    module: Module
    name: str
    top: ast.stmt | None = None  # the top-level statement that holds it
    node: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    inner: tuple[Segment, cst.FunctionDef | cst.Lambda] | None = None  # a closure
    outer: Frame | None = None  # the scope in which a closure was made

    @property
    def qualified(self) -> str:
        return f"{self.module.name}.{self.name}"


@dataclass(frozen=True, slots=True)
class Class:
    """A class of the package."""

    module: Module
    node: ast.ClassDef
    top: ast.stmt

    @property
    def qualified(self) -> str:
        return f"{self.module.name}.{self.node.name}"


@dataclass(frozen=True, slots=True)
class Bound:
    """A method taken from a value, not yet called."""

    owner: Data
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One hparam: its value, and what set it."""

    value: Data
    setting: Setting


@dataclass(frozen=True, slots=True)
class Declared:
    """What `add_hparam` remembers: the type of a value, or of a list's elements; None where that is open."""

    type: type | None
    is_list: bool = False


@dataclass(eq=False, slots=True)
class HParams:
    """tensor2tensor's hparams object: attributes, some of them declared by `add_hparam` or the constructor."""

    entries: dict[str, Entry] = field(default_factory=dict)
    types: dict[str, Declared] = field(default_factory=dict)  # of those that were declared
    rest: dict[str, Unknown] = field(default_factory=dict)  # "why": entries that are not listed may exist

    def copy(self) -> HParams:
        return HParams(dict(self.entries), dict(self.types), dict(self.rest))


def known(value: Data, limit: int = 10_000) -> bool:
    """Whether `value` is plain data without anything unknown or foreign in it."""
    stack: list[Data] = [value]
    while stack:
        limit -= 1
        item = stack.pop()
        if isinstance(item, SCALARS):
            continue
        if limit < 0:
            return False
        if isinstance(item, list | tuple | frozenset):
            stack.extend(item)
        elif isinstance(item, dict):
            stack.extend(item.keys())
            stack.extend(item.values())
        else:
            return False
    return True


def same(left: Data, right: Data, limit: int = 1_000) -> bool:
    """Whether two values are the same for all that follows: `1`, `1.0` and `True` differ."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and isinstance(right, float):
        return repr(left) == repr(right)  # NaN is NaN, and 0.0 is not -0.0
    if isinstance(left, (*SCALARS, Name, Bound, Class, Declared)):
        return left == right
    if limit < 0:
        return False
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(same(a, b, limit // 2) for a, b in zip(left, right, strict=True))
    # Two lists or dicts of equal content are two objects: a change to one does not change the other.
    return False


def reachable(values: Iterable[Data], limit: int = 10_000) -> list[HParams | list[Data] | dict[Data, Data]]:
    """Everything in `values`, or inside them, that code could change in place."""
    found: dict[int, HParams | list[Data] | dict[Data, Data]] = {}
    stack = list(values)
    while stack and limit > 0:
        limit -= 1
        item = stack.pop()
        if id(item) in found:
            continue
        match item:
            case HParams():
                found[id(item)] = item
                stack.extend(entry.value for entry in item.entries.values())
            case list():
                found[id(item)] = item
                stack.extend(item)
            case dict():
                found[id(item)] = item
                stack.extend(item.values())
            case tuple():
                stack.extend(item)
            case Bound(owner=owner):
                stack.append(owner)
            case Function(outer=Frame(names=names)):
                stack.extend(names.values())
            case _:
                pass
    return list(found.values())
