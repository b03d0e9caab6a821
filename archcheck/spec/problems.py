"""Every mistake of a spec, collected while it is read and raised together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from archcheck.errors import ArchcheckError, SpecError, excerpt
from archcheck.ir.span import Span

SHOWN = 100  # mistakes in one message; a file with more of them is not a spec


@dataclass
class Problems:
    """Mistakes found in one file so far.

    Args:
        file: as its places name it.
        lines: its text, without newlines.
    """

    file: str
    lines: tuple[str, ...]
    found: dict[tuple[Span, str], str] = field(default_factory=dict)  # (where, what) -> hint

    def add(self, span: Span, problem: str, hint: str = "") -> None:
        """Note a mistake; the same one at the same place counts once."""
        self.found.setdefault((span, problem), hint)

    def error(self) -> SpecError:
        """Everything that was found, in file order."""
        order = sorted(self.found.items(), key=lambda row: (row[0][0].line, row[0][0].column))
        errors = [self._render(span, problem, hint) for (span, problem), hint in order[:SHOWN]]
        if len(order) > SHOWN:
            errors.append(ArchcheckError(f"and {len(order) - SHOWN} more mistakes", place=self.file))
        return SpecError(tuple(errors))

    def fail(self, span: Span, problem: str, hint: str = "") -> SpecError:
        """The error to raise for a mistake after which the rest of the file cannot be trusted."""
        self.add(span, problem, hint)
        return self.error()

    def raise_any(self) -> None:
        """Raise what was found, if anything was.

        Raises:
            SpecError: with every mistake.
        """
        if self.found:
            raise self.error()

    def _render(self, span: Span, problem: str, hint: str) -> ArchcheckError:
        line = self.lines[span.line - 1] if 0 < span.line <= len(self.lines) else ""
        width = span.end_column - span.column if span.end_line in (0, span.line) else len(line) - span.column + 1
        marked = excerpt(line, span.line, span.column, max(1, width)) if self.lines else ""
        return ArchcheckError(problem, place=str(span), excerpt=marked, hint=hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "..."?` for the nearest of `known`, or ""."""
    pool = sorted(set(known))
    lowered = {name.lower(): name for name in reversed(pool)}
    near = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return f'did you mean "{lowered[near[0]]}"?' if near else ""


def hints(*parts: str) -> str:
    """The parts that say something, as one hint."""
    said = "; ".join(part for part in parts if part)
    return said.replace("?; ", "? ")
