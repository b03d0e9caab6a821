"""(case) -> findings: every edit of an alignment is explained once, in the field's words."""

from __future__ import annotations

from archcheck.findings import Finding
from archcheck.rules.case import Case, Example, Rule
from archcheck.rules.norm_placement import NormPlacement
from archcheck.rules.not_determined import NotDetermined
from archcheck.rules.wiring import Wiring

RULES: tuple[Rule, ...] = (
    NotDetermined(),  # first: of what could not be read nothing else may be said
    NormPlacement(),
    Wiring(),  # last: it takes whatever is left
)


def explain(case: Case) -> tuple[Finding, ...]:
    """All that is to be said about a case: each edit of its alignment in exactly one finding.

    Args:
        case: a claim held against a part of the code; its alignment holds the edits.

    Returns:
        Findings in the order of `RULES`; none where there are no edits.

    Raises:
        AssertionError: a rule explained an edit twice or one that it was not given, or left one over. A mistake of
            archcheck.
    """
    left = {id(edit): edit for edit in case.alignment.edits}
    findings: list[Finding] = []
    for rule in RULES:
        for finding in rule.explain(case, tuple(left.values())) if left else ():
            for edit in finding.edits:
                if left.pop(id(edit), None) is None:
                    raise AssertionError(f"{rule.id} explains an edit that is not its own: {edit}")
            if not finding.edits:
                raise AssertionError(f"{rule.id} has a finding without an edit: {finding.message}")
            findings.append(finding)
    if left:
        raise AssertionError(f"no rule explains {next(iter(left.values()))}")
    return tuple(findings)


__all__ = ["RULES", "Case", "Example", "Rule", "explain"]
