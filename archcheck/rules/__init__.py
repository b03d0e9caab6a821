"""(case) -> findings: every edit of an alignment is explained once, in the field's words."""

from __future__ import annotations

from archcheck.findings import Finding
from archcheck.rules.activation import Activation
from archcheck.rules.attention_attributes import AttentionAttributes
from archcheck.rules.attribute import Attribute
from archcheck.rules.case import Case, Example, Rule
from archcheck.rules.dropout_placement import DropoutPlacement
from archcheck.rules.gating import Gating
from archcheck.rules.norm_kind import NormKind
from archcheck.rules.norm_placement import NormPlacement
from archcheck.rules.not_determined import NotDetermined
from archcheck.rules.operand_order import OperandOrder
from archcheck.rules.operations import Operations
from archcheck.rules.parallel_sublayers import ParallelSublayers
from archcheck.rules.position import Position
from archcheck.rules.repeat import Repeat
from archcheck.rules.residual import Residual
from archcheck.rules.residual_scale import ResidualScale
from archcheck.rules.sublayers import Sublayers
from archcheck.rules.wiring import Wiring

RULES: tuple[Rule, ...] = (
    NotDetermined(),  # first: of what could not be read nothing else may be said
    ParallelSublayers(),  # whole sublayers before what stands around them: it comes and goes with them
    Sublayers(),
    Residual(),  # before norms: a residual that starts at a norm's output shows as a norm that moved
    NormPlacement(),
    DropoutPlacement(),
    ResidualScale(),
    Gating(),  # before activations and plain operations: a gate brings a map and a product with it
    Activation(),
    NormKind(),
    Position(),
    Repeat(),
    AttentionAttributes(),
    Attribute(),  # attributes of whatever has no rule of its own
    OperandOrder(),
    Operations(),  # operations of whatever has no rule of its own
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
