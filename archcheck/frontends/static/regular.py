"""Regular expressions over texts that are known: `re.split`, `re.match` and the like.

Patterns come from the code that is read, and Python's engine cannot be interrupted: those are left out whose work may
grow faster than the texts allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants, _parser  # type: ignore[attr-defined]  # there is no public way to look at a pattern
from typing import TYPE_CHECKING, Any

from archcheck.frontends.static.values import Args, Class, Data, Handler, Instance, Kwargs, Native, Scope

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


MOST_WORK = 1_000_000  # steps: the length of the text to the power of the number of repetitions
MOST_LONG = 10_000  # characters of a pattern or a text
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)
FUNCTIONS = ("match", "fullmatch", "search", "split", "findall", "sub")


def _of_text(name: str) -> Handler:
    def call(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        texts = [*args, *(kwargs[key] for key in ("string", "repl") if key in kwargs)]
        unknown = next((value for value in texts if not isinstance(value, (str, int))), None)
        if unknown is not None:
            return vm.not_known(unknown, f"re.{name} of something that is no text", metadata=True)
        words = [value for value in texts if isinstance(value, str)]
        if not words or not _is_bounded(words[0], max((len(word) for word in words[1:]), default=0)):
            return vm.open(f"re.{name} with a pattern that may take very long", metadata=True)
        try:
            found: Any = getattr(re, name)(*args, **kwargs)
        except (re.error, TypeError, ValueError) as error:
            return vm.open(f"re.{name}: {error}", metadata=True)
        return _match(vm, found) if isinstance(found, re.Match) else found

    return call


def _match(vm: Machine, found: re.Match[str]) -> Instance:
    """A match, with its groups as items."""
    made = Instance(Class("Match", (), Scope(vm.frame.file), None), items=(found.group(0), *found.groups()))

    def group(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        return found.group(*args) if all(isinstance(arg, (int, str)) for arg in args) else vm.open("a group")

    made.attributes["group"] = Native("group", group)
    made.attributes["groups"] = Native("groups", lambda vm, args, kwargs: found.groups())
    made.attributes["groupdict"] = Native("groupdict", lambda vm, args, kwargs: found.groupdict())
    return made


def _compiled(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`re.compile`: the functions, with their first argument."""
    made = Instance(Class("Pattern", (), Scope(vm.frame.file), None))
    made.attributes["pattern"] = args[0] if args else None
    for name in FUNCTIONS:
        made.attributes[name] = Native(name, _bound(name, list(args[:1])))
    return made


def _bound(name: str, first: Args) -> Handler:
    return lambda vm, args, kwargs: REGULAR[f"re.{name}"](vm, [*first, *args], kwargs)


def _is_bounded(pattern: str, length: int) -> bool:
    """Whether matching takes no more than a bounded number of steps: no repetition in another, and few of them."""
    if len(pattern) > MOST_LONG or length > MOST_LONG:
        return False
    try:
        repeats = _repeats(_parser.parse(pattern))
    except (re.error, RecursionError, OverflowError):
        return True  # the engine says what is wrong with it
    return repeats is not None and max(length, 2) ** repeats <= MOST_WORK


def _repeats(parts: Iterable[Any], inside: bool = False) -> int | None:
    """How many repetitions a pattern has; None: one stands in another, or a group is referred to."""
    total = 0
    for code, value in parts:
        if code in (_constants.GROUPREF, _constants.GROUPREF_EXISTS):
            return None
        repeated = code in _REPEATS and value[1] != 1  # what may be left out is not repeated
        if repeated and inside:
            return None
        total += repeated
        for inner in _inner(value):
            more = _repeats(inner, inside or repeated)
            if more is None:
                return None
            total += more
    return total


def _inner(value: Any) -> Iterable[Any]:
    """The patterns in a part of a pattern."""
    if isinstance(value, _parser.SubPattern):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _inner(part)


REGULAR: dict[str, Handler] = {
    **{f"re.{name}": _of_text(name) for name in FUNCTIONS},
    "re.compile": _compiled,
    "re.escape": lambda vm, args, kwargs: re.escape(args[0]) if isinstance(args[0], str) else vm.open("a pattern"),
}
