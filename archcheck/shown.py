"""How text from outside is shown: one escaper for every sink that people read, and the width it takes there."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co"})
_ZERO_WIDTH = frozenset({"Mn", "Me"})


def shown(text: str) -> str:
    """`text` on one line, with every character that a reader would not see as itself written `\\u…`.

    That is: control characters (escape sequences, newlines, tabs), bidirectional and other format marks, line
    separators, lone surrogates, private-use characters and noncharacters. All else stays, the backslash too: what
    is escaped can no longer do anything, but the result is for reading, not for parsing back.

    Shows every name, path and source line that came from a spec, a model or a paper; markup of the sink itself
    (DOT, XML, Mermaid) is escaped on top of it.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if _is_hidden(char) else char for char in text)


def shown_prose(text: str) -> str:
    """As `shown`, for sentences: a line break and the blanks around it become one space."""
    return shown(" ".join(line.strip(" \t") for line in text.strip().split("\n")))


def cells(text: str) -> int:
    """How many columns of a terminal `text` takes: 2 for a wide East Asian character, 0 for a combining mark."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def pad(text: str, width: int) -> str:
    """`text` with blanks behind it up to `width` columns of a terminal."""
    return text + " " * max(0, width - cells(text))


def shorten(text: str, limit: int) -> str:
    """`text`, or its beginning and end around "…" where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def _is_hidden(char: str) -> bool:
    code = ord(char)
    return unicodedata.category(char) in _HIDDEN or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _cells(char: str) -> int:
    if unicodedata.category(char) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
