"""What comes out of the sandbox, checked: it was written by code that nobody here trusts.

Every number that names something must name something that is there, and every text is cut; what does not hold up is
an error that says so, never a guess.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archcheck.errors import ArchcheckError
from archcheck.ir.weights import Initial, by_name

VERSION = 1
MOST_CALLS = 2_000_000
MOST_TEXT = 4_096
MOST_DEPTH = 24
MOST_MADE = 64  # arguments of one constructor
MOST_LITERAL = 256  # characters
MOST_HELD = 16_384  # numbers in one axis of an input
MOST_AXES = 8

Encoded = Any  # None, a number, a text, or a tagged list: ["t", 3], ["u", 1, 2]
_TAGS = frozenset({"t", "u", "l", "d", "s", "e", "x"})


class WireError(ArchcheckError):
    """The traced process gave an answer that makes no sense."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a file, as the traced process names it; columns from 1, 0 where not known."""

    file: str
    function: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what, in which module, from where, on what; what it gives and what it writes into."""

    name: str
    place: str
    site: Site | None
    args: list[Encoded]
    kwargs: dict[str, Encoded]
    given: Encoded
    written: tuple[int, ...]
    views: tuple[tuple[int, int], ...]  # (what is given, what it is a view of)
    building: bool


@dataclass(frozen=True, slots=True)
class Weight:
    """A name in the module tree and the tensor that has it."""

    name: str
    tensor: int
    learned: bool


@dataclass(frozen=True, slots=True)
class Class:
    """A module of the model: where it stands, and of which class it is."""

    place: str
    module: str
    name: str
    file: str


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded."""

    symbol: str
    calls: tuple[Call, ...]
    inputs: tuple[tuple[str, int], ...]
    weights: tuple[Weight, ...]
    results: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]  # of each tensor, by its number
    modules: tuple[Class, ...]
    guesses: tuple[tuple[str, Site | None, str], ...]
    assumed: tuple[str, ...]  # in words
    given: tuple[str, ...]  # arguments of the call
    error: str  # why the call did not end, or gave nothing
    times: dict[str, float]
    initial: Mapping[str, Initial] | None = None  # what learned tensors hold, by every name; None: not asked for
    error_at: Site | None = None
    caught: tuple[tuple[str, Site | None, str], ...] = ()  # calls that raised what the code caught, where, and what
    note: str = ""  # on the instance that these are of
    made: Mapping[str, str] = field(default_factory=dict)  # constructor arguments that nobody gave, as literals
    # Fields that had to be set: name, the values that they had, and what they got.
    settings: tuple[tuple[str, tuple[Any, ...], Any], ...] = ()
    held: Mapping[int, Any] = field(default_factory=dict)  # whole numbers that inputs hold, as nested lists


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is nothing recorded.

    Attributes:
        why: in the user's words.
        stage: at which that was: "torch", "build", "time".
        hint: what to do about it, or "".
        at: the place in code that it comes from; None where there is none.
    """

    why: str
    stage: str
    hint: str = ""
    at: Site | None = None


def parse(data: bytes) -> Recording | Failure:
    """The answer of a traced process.

    Raises:
        WireError: it is no answer.
    """
    return _parsed(_loaded(data))


def parse_many(data: bytes, count: int) -> list[Recording | Failure | WireError]:
    """The answers of a traced process to `count` requests; one that makes no sense does not spoil the others.

    Raises:
        WireError: it is no answer, or one to another number of requests.
    """
    told = _loaded(data)
    many = told.get("many") if isinstance(told, dict) else None
    if not isinstance(many, list) or len(many) != count:
        raise WireError("the traced process gave another number of answers than was asked for")
    found: list[Recording | Failure | WireError] = []
    for one in many:
        try:
            found.append(_parsed(one))
        except WireError as error:
            found.append(error)
    return found


def _loaded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError("the traced process gave no readable answer", hint=str(error)[:200]) from None


def _parsed(told: Any) -> Recording | Failure:
    if not isinstance(told, dict) or told.get("version") != VERSION:
        raise WireError("the traced process gave an answer of another version")
    if "calls" not in told:
        return _failure(told)
    try:
        return _Parser(told).recording()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, SyntaxError) as error:
        raise WireError(f"the traced process gave an answer that makes no sense: {error!r}"[:300]) from None


def _failure(told: dict[str, Any]) -> Failure:
    why, stage, hint = (_text(told.get(name, ""), name) for name in ("error", "stage", "hint"))
    try:
        return Failure(why, stage, hint, _place(told.get("at")))
    except (TypeError, ValueError) as error:
        raise WireError(f"the traced process gave a failure that makes no sense: {error!r}"[:300]) from None


def _place(row: Any) -> Site | None:
    return None if row is None else _site(row)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise WireError(f"the traced process gave no text for {what}")
    return value[:MOST_TEXT]


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is no whole number")
    return value


def _literals(value: object) -> dict[str, str]:
    """Names with Python literals, or with a class that is made with nothing given: `NAME()`.

    They are given to the static reader, which runs nothing, and is to read nothing else.
    """
    if not isinstance(value, dict) or len(value) > MOST_MADE:
        raise ValueError(f"no table of at most {MOST_MADE} arguments")
    for name, text in value.items():
        if not name.isidentifier() or not isinstance(text, str) or len(text) > MOST_LITERAL:
            raise ValueError(f"{name[:80]!r} is no argument with a literal")
        if not (text.endswith("()") and text[:-2].isidentifier()):
            ast.literal_eval(text)
    return value


def _settings(value: object) -> tuple[tuple[str, tuple[Any, ...], Any], ...]:
    """Fields of configurations and modules: the values that they had, and the one that they got."""
    if not isinstance(value, list) or len(value) > MOST_MADE:
        raise ValueError(f"no list of at most {MOST_MADE} settings")
    found: list[tuple[str, tuple[Any, ...], Any]] = []
    for name, had, got in value:
        if not name.isidentifier() or len(had) > MOST_LITERAL or len(got) > MOST_LITERAL:
            raise ValueError(f"{name[:80]!r} is no field with literals")
        found.append((name, tuple(ast.literal_eval(had)), ast.literal_eval(got)))
    return tuple(found)


def _numbers(value: object, depth: int = MOST_AXES) -> Any:
    """Whole numbers and truths, in lists as `tolist` gives them."""
    if isinstance(value, (bool, int)):
        return value
    if not isinstance(value, list) or not depth or len(value) > MOST_HELD:
        raise ValueError("no list of whole numbers")
    return [_numbers(item, depth - 1) for item in value]


def _site(row: list[Any]) -> Site:
    file, function, *numbers = row
    line, column, end_line, end_column = (None if one is None else _whole(one) for one in numbers)
    if min(line or 0, column or 0, end_line or 0, end_column or 0) < 0:
        raise ValueError("a place before the file")
    return Site(
        _text(file, "a file"),
        _text(function, "a function"),
        line or 1,
        0 if column is None else column + 1,
        end_line or 0,
        0 if end_column is None else end_column + 1,
    )


class _Parser:
    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        kinds = [tuple(_whole(size) for size in size_and_kind[0]) for size_and_kind in told["shapes"]]
        self.shapes = tuple(kinds[_whole(at)] for at in told["shape_of"])
        self.sites = tuple(_site(row) for row in told["sites"])
        self.names = tuple(_text(name, "a name") for name in told["names"])
        self.places = tuple(_text(place, "a place") for place in told["places"])

    def recording(self) -> Recording:
        told = self.told
        if len(told["calls"]) > MOST_CALLS:
            raise ValueError(f"more than {MOST_CALLS:,} calls")
        times = {_text(name, "a time"): float(value) for name, value in told["times"].items()}
        return Recording(
            symbol=_text(told["symbol"], "the symbol"),
            calls=tuple(self._call(row) for row in told["calls"]),
            inputs=tuple((_text(name, "an input"), self._tensor(number)) for name, number in told["inputs"]),
            weights=tuple(
                Weight(_text(name, "a weight"), self._tensor(number), bool(learned))
                for name, number, learned in told["weights"]
            ),
            results=tuple(self._tensor(number) for number in told["results"]),
            shapes=self.shapes,
            modules=tuple(Class(*(_text(part, "a module") for part in row)) for row in told["modules"]),
            guesses=self._with_sites(told["guesses"], "a guess"),
            caught=self._with_sites(told["caught"], "an exception"),
            assumed=tuple(_text(one, "an assumption") for one in told["assumed"]),
            made=_literals(told["made"]),
            settings=_settings(told["settings"]),
            held={self._tensor(number): _numbers(value) for number, value in told["held"]},
            given=tuple(_text(one, "an argument") for one in told["given"]),
            error=_text(told["error"], "the error"),
            error_at=_place(told.get("at")),
            times=times,
            initial=None if told.get("initial") is None else by_name(told["initial"]["rows"]),
            note=_text((told.get("initial") or {}).get("note", ""), "a note"),
        )

    def _tensor(self, number: object) -> int:
        found = _whole(number)
        if not 0 <= found < len(self.shapes):
            raise ValueError(f"there is no tensor {found}")
        return found

    def _with_sites(self, rows: list[Any], what: str) -> tuple[tuple[str, Site | None, str], ...]:
        """Names, places and what is said of them."""
        return tuple((_text(name, what), self._at(site), _text(said, what)) for name, site, said in rows)

    def _at(self, site: object) -> Site | None:
        found = _whole(site)
        return self.sites[found] if found >= 0 else None

    def _call(self, row: list[Any]) -> Call:
        name, place, site, args, kwargs, given, written, views, building = row
        for arg in args:
            self._check(arg, 0)
        for key, value in (kwargs or {}).items():
            _text(key, "a keyword")
            self._check(value, 0)
        self._check(given, 0)
        return Call(
            self.names[_whole(name)],
            self.places[_whole(place)],
            self._at(site),
            args,
            kwargs or {},
            given,
            tuple(self._tensor(one) for one in written or ()),
            tuple(
                (self._tensor(one), self._tensor(of)) for one, of in views or () if one is not None and of is not None
            ),
            bool(building),
        )

    def _check(self, value: Encoded, depth: int) -> None:
        if type(value) is not list:
            if value is not None and not isinstance(value, (bool, int, float, str)):
                raise ValueError("a value has no tag")
            return
        if depth > MOST_DEPTH or not value or value[0] not in _TAGS:
            raise ValueError("a value nests too deeply, or has no tag")
        if value[0] == "t":
            self._tensor(value[1])
            return
        for item in value[1:]:
            self._check(item, depth + 1)


def decode(value: Encoded, tensor: Callable[[int], Any], other: Callable[[str], Any]) -> Any:
    """A value as Python data; `tensor` gives what stands for a tensor's number, `other` what for an object's name."""
    if type(value) is not list:
        return value
    tag = value[0]
    if tag == "t":
        return tensor(value[1])
    if tag == "u":
        return tuple([decode(item, tensor, other) for item in value[1:]])
    if tag == "l":
        return [decode(item, tensor, other) for item in value[1:]]
    if tag == "d":
        return {key: decode(item, tensor, other) for key, item in zip(value[1::2], value[2::2], strict=False)}
    if tag == "s":
        return slice(*[decode(item, tensor, other) for item in value[1:4]])
    if tag == "e":
        return ...
    return other(str(value[1]))
