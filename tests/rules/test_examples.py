"""Each rule's own examples and page."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from rule_cases import findings

import archcheck.judging
import archcheck.rules
from archcheck.errors import ArchcheckError
from archcheck.rules import RULES, Example, Rule
from archcheck.rules.claims import PAGES
from archcheck.rules.page import SECTIONS, find, page

EXAMPLES = [
    pytest.param(rule, example, id=f"{rule.id}-{'holds' if example.holds else 'violated'}-{number}")
    for rule in RULES
    for number, example in enumerate(rule.examples)
]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_the_example_is_judged_as_it_says(rule: Rule, example: Example) -> None:
    found = findings(example.claim, example.code)
    if example.holds:
        assert found == ()
        return
    assert [finding.rule for finding in found] == [rule.id]
    assert example.message
    assert example.message in found[0].message


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_has_examples_of_both_kinds_and_a_whole_page(rule: Rule) -> None:
    assert {example.holds for example in rule.examples} == {True, False}
    shown = page(rule)
    assert [name for name, _ in shown.sections] == list(SECTIONS)
    text = shown.text()
    assert text.startswith(f"{rule.id}: {rule.title}\n")
    assert all(len(line) <= 124 for line in text.splitlines())
    example = dict(shown.sections)["Example"]
    assert "The paper:" in example
    assert "Agrees:" in example


def test_a_rule_is_called_as_its_file() -> None:
    for rule in RULES:
        assert type(rule).__module__ == f"archcheck.rules.{rule.id.replace('-', '_')}"
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert ids[0] == "not-determined"
    assert ids[-1] == "wiring"


def test_an_unknown_rule_is_refused_with_a_list_of_all() -> None:
    assert find("residual", RULES).id == "residual"
    with pytest.raises(ArchcheckError, match="norm-placement"):
        find("norm-placment", RULES)


def test_a_page_without_a_section_is_refused() -> None:
    class Half:
        """Says something.

        What it checks:
            Something.
        """

        id = "half"
        title = "half a page"
        examples: tuple[Example, ...] = ()

        def explain(self, case: object, edits: object) -> list[archcheck.rules.Finding]:
            return []

    with pytest.raises(ValueError, match="sections"):
        page(Half())  # type: ignore[arg-type]


def test_each_finding_that_judging_makes_has_a_page() -> None:
    made = set()
    for file in Path(archcheck.judging.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                first = node.args[0]
                assert isinstance(first, ast.Constant)
                made.add(first.value)
    pages = {one.id for one in PAGES} | {rule.id for rule in RULES}
    assert made >= {one.id for one in PAGES}
    assert made <= pages
