"""One gin file as statements: bindings, includes and imports, each with its place.

    scope/module.Class.parameter = value     a binding; several scopes stand before each other: a/b/Class.parameter
    name = value                             a macro, which a value refers to as %name
    scope/Class:                             a block of bindings of one function or class
      parameter = value
    include 'file.gin'                       import package.module

A value is a literal, a list, tuple or dict of values, `@scope/name` (a function or class), `@scope/name()` (what
calling it gives) or `%name`.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from archcheck.errors import TargetError
from archcheck.ir.span import Span

MOST_NESTED = 100  # brackets around a value

Scalar = bool | int | float | complex | str | bytes | None


@dataclass(frozen=True, slots=True)
class Reference:
    """`@scope/selector`, or `@scope/selector()` where it is called when it is used."""

    scope: str
    selector: str
    called: bool
    span: Span

    def __str__(self) -> str:
        return f"@{self.scope}{'/' if self.scope else ''}{self.selector}{'()' if self.called else ''}"


@dataclass(frozen=True, slots=True)
class Macro:
    """`%name`."""

    name: str
    span: Span

    def __str__(self) -> str:
        return f"%{self.name}"


@dataclass(frozen=True, slots=True)
class Items:
    """A list, a tuple or a dict, whose items are then pairs."""

    kind: type[list[object]] | type[tuple[object, ...]] | type[dict[object, object]]
    items: tuple[Value, ...]

    def __str__(self) -> str:
        if self.kind is dict:
            pairs = (one.items for one in self.items if isinstance(one, Items))
            return "{" + ", ".join(f"{shown(key)}: {shown(value)}" for key, value in pairs) + "}"
        inner = ", ".join(shown(one) for one in self.items)
        if self.kind is list:
            return f"[{inner}]"
        return f"({inner},)" if len(self.items) == 1 else f"({inner})"


Value = Scalar | Reference | Macro | Items


@dataclass(frozen=True, slots=True)
class Binding:
    """`scope/selector.parameter = value`; of a macro, `selector` is its name, with its scope, and `parameter` is ""."""

    scope: str
    selector: str
    parameter: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Include:
    """`include 'path'`."""

    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class Import:
    """`import module`, `from module import name`: where names that are referred to are defined."""

    module: str
    span: Span


Statement = Binding | Include | Import


def shown(value: Value) -> str:
    """A value as gin would write it."""
    return str(value) if isinstance(value, Reference | Macro | Items) else repr(value)


def parse(text: str, file: str) -> tuple[Statement, ...]:
    """The statements of a gin file.

    Args:
        text: its content.
        file: its name in spans and errors.

    Raises:
        TargetError: it is no gin file; the place is that of the first mistake.
    """
    return tuple(_Parser(text, file).statements())


_SKIPPED = frozenset({tokenize.COMMENT, tokenize.NL})
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_WORDS: dict[str, Scalar] = {"True": True, "False": False, "None": None}


class _Parser:
    """A token of lookahead over Python's tokens, which gin's are."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.depth = 0
        self.tokens = (
            token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in _SKIPPED
        )
        self.ended = (1, 0)
        self.token = self._next()

    # ---- tokens

    def _next(self) -> tokenize.TokenInfo:
        try:
            return next(self.tokens)
        except (tokenize.TokenError, SyntaxError) as error:
            line, column = _place_of(error)
            why = str(error.args[0]).partition(" (")[0]
            hint = (
                "a bracket or a string is not closed" if "EOF" in why else "indent only inside of blocks and brackets"
            )
            raise TargetError(f"not a gin file: {why}", place=f"{self.file}:{line}:{column}", hint=hint) from None

    def advance(self) -> tokenize.TokenInfo:
        token, self.ended = self.token, self.token.end
        self.token = self._next()
        return token

    def at(self, text: str) -> bool:
        return self.token.string == text and self.token.type in (tokenize.OP, tokenize.NAME)

    def take(self, text: str) -> bool:
        """Step over `text`, if it stands here."""
        if not self.at(text):
            return False
        self.advance()
        return True

    def need(self, text: str, what: str) -> None:
        if not self.take(text):
            self.fail(f'"{text}" is missing {what}')

    def name(self, what: str) -> str:
        if self.token.type != tokenize.NAME:
            self.fail(f"{what} is missing")
        return self.advance().string

    def fail(self, why: str, hint: str = "") -> NoReturn:
        line, column = self.token.start
        found = self.token.string.strip()
        found = f', not "{found[:40]}"' if found else ""
        hint = hint or "a line is `scope/Class.parameter = value`, `name = value`, `include 'file'` or `import module`"
        raise TargetError(f"not a gin file: {why}{found}", place=f"{self.file}:{line}:{column + 1}", hint=hint)

    def span(self, start: tuple[int, int]) -> Span:
        return Span(self.file, start[0], start[1] + 1, self.ended[0], self.ended[1] + 1)

    # ---- statements

    def statements(self) -> Iterator[Statement]:
        while self.token.type != tokenize.ENDMARKER:
            if self.token.type == tokenize.NEWLINE:
                self.advance()
                continue
            if self.token.type in (tokenize.INDENT, tokenize.DEDENT):
                self.fail("a statement begins at the start of its line")
            yield from self._statement()

    def _statement(self) -> Iterator[Statement]:
        start = self.token.start
        if self.at("include") or self.at("import") or self.at("from"):
            word = self.advance()
            if not self.at("=") and not self.at(".") and not self.at("/"):
                yield self._include(start) if word.string == "include" else self._import(word.string, start)
                self._end()
                return
            key = self._selector(word.string)
        else:
            key = self._selector()
        if self.take(":"):
            yield from self._block(key)
            return
        scope, _, name = key.rpartition("/")
        self.need("=", "behind a name")
        selector, _, parameter = name.rpartition(".")
        if not selector:
            scope, selector, parameter = "", key, ""
        value = self._value()
        yield Binding(scope, selector, parameter, value, self.span(start))
        self._end()

    def _include(self, start: tuple[int, int]) -> Include:
        path = self._string()
        if not isinstance(path, str) or not path:
            self.fail("include names a file in quotes")
        return Include(path, self.span(start))

    def _import(self, word: str, start: tuple[int, int]) -> Import:
        module = self._selector(words=".")
        if word == "from":
            self.need("import", "behind the module")
            module += f".{self.name('what is imported')}"
        if self.take("as"):
            self.name("a name")
        return Import(module, self.span(start))

    def _block(self, key: str) -> Iterator[Statement]:
        scope, _, selector = key.rpartition("/")
        if self.token.type != tokenize.NEWLINE:
            self.fail("a block begins on the next line")
        self.advance()
        if self.token.type != tokenize.INDENT:
            self.fail("a block is indented")
        self.advance()
        while self.token.type != tokenize.DEDENT:
            start = self.token.start
            parameter = self.name("a parameter")
            self.need("=", "behind a parameter")
            value = self._value()
            yield Binding(scope, selector, parameter, value, self.span(start))
            self._end()
        self.advance()

    def _end(self) -> None:
        if self.token.type not in (tokenize.NEWLINE, tokenize.ENDMARKER):
            self.fail("one statement ends before the next begins")
        if self.token.type == tokenize.NEWLINE:
            self.advance()

    def _selector(self, first: str = "", words: str = "./") -> str:
        """`a/b/module.Class.parameter`."""
        found = first or self.name("a name")
        while self.token.type == tokenize.OP and self.token.string in words:
            found += self.advance().string + self.name("a name")
        return found

    # ---- values

    def _value(self) -> Value:
        token = self.token
        start = token.start
        if token.type == tokenize.OP and token.string in _CLOSING:
            return self._items()
        if self.take("@"):
            scope, _, selector = self._selector().rpartition("/")
            called = self.take("(")
            if called:
                self.need(")", "behind a call, which takes no arguments")
            return Reference(scope, selector, called, self.span(start))
        if self.take("%"):
            return Macro(self._selector(), self.span(start))
        if token.type == tokenize.NAME and token.string in _WORDS:
            return _WORDS[self.advance().string]
        if token.type == tokenize.STRING:
            return self._string()
        sign = -1 if self.at("-") else 1
        if self.at("-") or self.at("+"):
            self.advance()
        if self.token.type == tokenize.NUMBER:
            number = self._literal(self.advance())
            assert isinstance(number, int | float | complex)
            return sign * number
        return self.fail(
            "a value is missing", "a value is a literal, @name, @name() or %name; gin evaluates no expressions"
        )

    def _items(self) -> Value:
        opening = self.advance().string
        closing = _CLOSING[opening]
        self.depth += 1
        if self.depth > MOST_NESTED:
            self.fail(f"its values nest deeper than {MOST_NESTED}")
        found: list[Value] = []
        comma = False
        while not self.at(closing):
            key = self._value()
            if opening == "{":
                self.need(":", "between a key and its value")
                key = Items(tuple, (key, self._value()))
            found.append(key)
            comma = self.take(",")
            if not comma and not self.at(closing):
                self.fail(f'"," or "{closing}" is missing')
        self.advance()
        self.depth -= 1
        if opening == "(" and len(found) == 1 and not comma:
            return found[0]
        kinds: dict[str, type] = {"[": list, "(": tuple, "{": dict}
        return Items(kinds[opening], tuple(found))

    def _string(self) -> Scalar:
        parts: list[Scalar] = []
        while self.token.type == tokenize.STRING:
            parts.append(self._literal(self.advance()))
        if not parts:
            self.fail("a string is missing")
        if all(isinstance(one, bytes) for one in parts):
            return b"".join(one for one in parts if isinstance(one, bytes))
        if not all(isinstance(one, str) for one in parts):
            self.fail("strings and bytes stand beside each other")
        return "".join(one for one in parts if isinstance(one, str))

    def _literal(self, token: tokenize.TokenInfo) -> Scalar:
        try:
            value: Scalar = ast.literal_eval(token.string)
        except (ValueError, SyntaxError, MemoryError):
            line, column = token.start
            place = f"{self.file}:{line}:{column + 1}"
            raise TargetError(f"not a gin file: {token.string[:40]} is no literal", place=place) from None
        return value


def _place_of(error: tokenize.TokenError | SyntaxError) -> tuple[int, int]:
    if isinstance(error, SyntaxError):
        return error.lineno or 1, error.offset or 1
    at: tuple[int, int] = error.args[1] if len(error.args) > 1 else (1, 0)
    return at[0], at[1] + 1


def walk(value: Value, then: Callable[[Value], None]) -> None:
    """`then` of a value and of all values in it."""
    then(value)
    if isinstance(value, Items):
        for one in value.items:
            walk(one, then)


__all__ = [
    "Binding",
    "Import",
    "Include",
    "Items",
    "Macro",
    "Reference",
    "Statement",
    "Value",
    "parse",
    "shown",
    "walk",
]
