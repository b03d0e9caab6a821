"""Released packages, held against papers and described: each question is asked once by a test worker."""

from __future__ import annotations

from functools import cache

from packages import unpacked

from archcheck.describe.description import Description
from archcheck.findings import ClaimResult, Report, Verdict
from archcheck.frontends.static.library import Library, Root
from archcheck.pipeline import check
from archcheck.pipeline import describe as describe_request
from archcheck.sweep import Request

HOLDS, VIOLATED, UNDETERMINED = Verdict.HOLDS, Verdict.VIOLATED, Verdict.UNDETERMINED


def audit(release: str, target: str, spec: str, **arguments: str) -> Report:
    """The report on one target of a release: `audit("torch==2.13.0", "torch/nn/modules/rnn.py:LSTM", "he2016")`."""
    return _audit(release, target, spec, tuple(sorted(arguments.items())))


@cache
def _audit(release: str, target: str, spec: str, arguments: tuple[tuple[str, str], ...]) -> Report:
    (report,) = check(Request(f"{unpacked(release)}/{target}", dict(arguments)), spec)
    return report


def describe(release: str, target: str, **arguments: str) -> Description:
    """What one target of a release is."""
    return _describe(release, target, tuple(sorted(arguments.items())))


@cache
def _describe(release: str, target: str, arguments: tuple[tuple[str, str], ...]) -> Description:
    (description,) = describe_request(Request(f"{unpacked(release)}/{target}", dict(arguments)))
    return description


@cache
def library(release: str) -> Library:
    """The sources of a release."""
    return Library([Root(unpacked(release))])


def claim(report: Report, name: str) -> ClaimResult:
    """A claim of the variant that stands when nothing is said."""
    return next(result for result in report.default.claims if result.claim == name)


def violated(report: Report) -> dict[str, list[str]]:
    """The violated claims of the default variant, each with the rules whose findings violate it."""
    return {
        result.claim: [finding.rule for finding in result.findings if finding.verdict is VIOLATED]
        for result in report.default.claims
        if result.verdict is VIOLATED
    }
