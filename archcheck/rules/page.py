"""A rule's page: its docstring as text, with the sections that every page has."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from archcheck.errors import ArchcheckError
from archcheck.rules.case import Rule

SECTIONS = ("What it checks", "Why it matters", "Example", "What it cannot see", "Cites")


@dataclass(frozen=True, slots=True)
class Page:
    """What `archcheck explain RULE`, SARIF help and the HTML report show."""

    id: str
    title: str
    summary: str
    sections: tuple[tuple[str, str], ...]  # in the order of SECTIONS; text without the docstring's indentation

    def text(self) -> str:
        """The page as a terminal shows it, with a newline at the end."""
        parts = [f"{self.id}: {self.title}", self.summary]
        parts += [f"{name}\n" + _indented(body) for name, body in self.sections]
        return "\n\n".join(parts) + "\n"


def page(rule: Rule) -> Page:
    """The page of `rule`.

    Raises:
        ValueError: its docstring lacks a section, has one twice, in another order, or an empty one.
    """
    lines = inspect.cleandoc(type(rule).__doc__ or "").split("\n")
    heads = [number for number, line in enumerate(lines) if line.rstrip(":") in SECTIONS and line.endswith(":")]
    names = tuple(lines[number].rstrip(":") for number in heads)
    if names != SECTIONS:
        raise ValueError(f"the page of {rule.id} has the sections {names}, not {SECTIONS}")
    sections: list[tuple[str, str]] = []
    for name, start, end in zip(names, heads, [*heads[1:], len(lines)], strict=True):
        body = inspect.cleandoc("\n" + "\n".join(lines[start + 1 : end])).strip()
        if not body:
            raise ValueError(f"the page of {rule.id} says nothing under {name}")
        sections.append((name, body))
    summary = " ".join(line.strip() for line in lines[: heads[0]] if line.strip())
    if not summary:
        raise ValueError(f"the page of {rule.id} has no first line")
    return Page(rule.id, rule.title, summary, tuple(sections))


def find(id: str, rules: tuple[Rule, ...]) -> Rule:
    """The rule called `id`, of `rules`.

    Raises:
        ArchcheckError: there is none; the hint lists all.
    """
    for rule in rules:
        if rule.id == id:
            return rule
    raise ArchcheckError(f'no rule is called "{id}"', hint="the rules are " + ", ".join(rule.id for rule in rules))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.split("\n"))
