"""What a rule is given, and what it must be: one claim held against one part of the code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from archcheck.align.edits import Alignment, Edit
from archcheck.findings import Finding, Place
from archcheck.ir.graph import OpGraph
from archcheck.ir.span import Span
from archcheck.rules.view import View


@dataclass(frozen=True)  # no slots: the view is made when a rule first asks for it
class Case:
    """One claim that states wiring, the part of the code it was held against, and how the two part.

    Args:
        claim: id of the claim.
        says: what it states, in one line.
        symbol: the class or function, or the place in the module tree, that it was held against.
        expected: the claim's graph, in canonical form.
        actual: the code's graph, in canonical form.
        alignment: pairs and edits between the two.
        place: gives the text of a span's line, so that findings can show it.
    """

    claim: str
    says: str
    symbol: str
    expected: OpGraph
    actual: OpGraph
    alignment: Alignment
    place: Callable[[Span], Place]

    @cached_property
    def view(self) -> View:
        """Both graphs as rules ask about them."""
        return View(self.expected, self.actual, self.alignment)


class Rule(Protocol):
    """Explains edits of one kind in the field's words.

    The class's docstring is the rule's page: What it checks. Why it matters. Example. What it cannot see. Cites.
    """

    @property
    def id(self) -> str:
        """As the file is called, with dashes: "norm-placement"."""

    @property
    def title(self) -> str:
        """One line, for lists."""

    @property
    def examples(self) -> tuple[Example, ...]:
        """At least one that holds and one that is violated."""

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """Findings for those of `edits` that this rule understands; each finding lists the edits that it explains."""


@dataclass(frozen=True, slots=True)
class Example:
    """A claim and code that it holds for or not, as graphs in their readable form; collected as a test."""

    claim: str  # printed raw graph, or a flow
    code: str  # printed raw graph
    holds: bool
    message: str = ""  # what the finding's first line must contain
