"""Exceptions that a user is meant to read: what is wrong, where, and the way out."""

from __future__ import annotations

from functools import partial

from archcheck.shown import cells, shown, shown_prose

_WIDTH = 86  # of the source text in an excerpt, so that it fits a hundred columns with gutter and indentation


class ArchcheckError(Exception):
    """The spec, target or option is wrong; `str()` is the whole message.

    Args:
        problem: what is wrong, in the user's words, without a full stop.
        place: `file`, `file:line` or `file:line:column` (1-based), or "" where there is none.
        excerpt: source line and caret, ready to print, or "".
        hint: what to do about it, or "".
    """

    def __init__(self, problem: str, *, place: str = "", excerpt: str = "", hint: str = "") -> None:
        self.problem = problem
        self.place = place
        self.excerpt = excerpt
        self.hint = hint
        super().__init__(self.render())

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), self.problem, place=self.place, excerpt=self.excerpt, hint=self.hint), ()

    def render(self) -> str:
        """The message as a terminal shows it, without a trailing newline; nothing in it can steer the terminal."""
        problem = shown_prose(self.problem)
        lines = [f"{shown(self.place)}: {problem}" if self.place else problem]
        if self.excerpt:
            lines += [shown(line) for line in self.excerpt.rstrip("\n").split("\n")]
        if self.hint:
            lines.append(f"  hint: {shown_prose(self.hint)}")
        return "\n".join(lines)


class SpecError(ArchcheckError):
    """A spec cannot be read; `problems` holds every mistake found in it, in file order."""

    def __init__(self, problems: tuple[ArchcheckError, ...]) -> None:
        self.problems = problems
        super().__init__(f"{len(problems)} mistakes in the spec")

    def __reduce__(self) -> tuple[object, ...]:
        return SpecError, (self.problems,)

    def render(self) -> str:
        """Every mistake, with an empty line between two."""
        return "\n\n".join(problem.render() for problem in self.problems)


class TargetError(ArchcheckError):
    """A target cannot be found or read as Python."""


class NoModelError(TargetError):
    """A target is read, and is nothing that computes: a configuration, a tokenizer, a module."""


class PassError(ArchcheckError):
    """A pass met a graph that it cannot canonicalise."""


class GraphError(ArchcheckError):
    """The readable form of a graph cannot be parsed, or a graph breaks its own invariants."""


def excerpt(line: str, number: int, column: int, width: int = 1) -> str:
    """One source line with a caret under `column`, laid out as in every archcheck message.

    What is not printable is shown as `\\u…`, a tab as one blank, and of a long line only the part around the caret;
    the caret stays under its character.

    Args:
        line: the text of the line, without its newline.
        number: its 1-based number.
        column: 1-based column of the first marked character.
        width: how many characters to mark, at least 1.
    """
    text = line.rstrip("\r\n").replace("\t", " ")
    at = max(0, min(column - 1, len(text)))
    before, marked, after = shown(text[:at]), shown(text[at : at + max(1, width)]), shown(text[at + max(1, width) :])
    if len(before) + len(marked) + len(after) > _WIDTH:
        before = before if len(before) <= _WIDTH // 2 else "…" + before[len(before) - _WIDTH // 2 + 1 :]
        marked = marked if len(before) + len(marked) <= _WIDTH else marked[: _WIDTH - len(before) - 1] + "…"
        room = _WIDTH - len(before) - len(marked)
        after = after if len(after) <= room else after[: max(0, room - 1)] + "…"
    gutter = max(4, len(str(number)))
    caret = " " * cells(before) + "^" * max(1, cells(marked))
    return f"{number:>{gutter}} | {before}{marked}{after}\n{' ' * gutter} | {caret}"
