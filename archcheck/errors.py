"""Exceptions that a user is meant to read: what is wrong, where, and the way out."""

from __future__ import annotations


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

    def render(self) -> str:
        """The message as a terminal shows it, without a trailing newline."""
        first = f"{self.place}: {self.problem}" if self.place else self.problem
        lines = [first]
        if self.excerpt:
            lines.append(self.excerpt.rstrip("\n"))
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class SpecError(ArchcheckError):
    """A spec cannot be read; `problems` holds every mistake found in it, in file order."""

    def __init__(self, problems: tuple[ArchcheckError, ...]) -> None:
        self.problems = problems
        super().__init__("\n\n".join(problem.render() for problem in problems))


class TargetError(ArchcheckError):
    """A target cannot be found or read as Python."""


class PassError(ArchcheckError):
    """A pass met a graph that it cannot canonicalise."""


class GraphError(ArchcheckError):
    """The readable form of a graph cannot be parsed, or a graph breaks its own invariants."""


def excerpt(line: str, number: int, column: int, width: int = 1) -> str:
    """One source line with a caret under `column`, laid out as in every archcheck message.

    Args:
        line: the text of the line, without its newline.
        number: its 1-based number.
        column: 1-based column of the first marked character.
        width: how many characters to mark, at least 1.
    """
    gutter = f"{number:>4} | "
    shown = line.rstrip("\n").replace("\t", " ")
    marks = "^" * max(1, min(width, max(1, len(shown) - column + 1)))
    return f"{gutter}{shown}\n     | {' ' * (column - 1)}{marks}"
