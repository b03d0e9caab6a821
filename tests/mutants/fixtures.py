"""The fixtures in PyTorch, their mutants, and what archcheck says of each."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from archcheck.errors import ArchcheckError
from archcheck.findings import ClaimResult, Verdict
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

from .not_stated import NOT_STATED
from .operators import OPERATORS, Mutant, mutants
from .truth import Subject, Truth, compare

SMALL = {  # what of the large ones is run: arguments of the constructor, shapes of the inputs
    "touvron2023/by_hand": ({"dim": "64", "heads": "4", "hidden": "96"}, ((2, 5, 64), (5, 16), (5, 16))),
    "touvron2023/torch_layers": ({"width": "64", "heads": "4", "inner": "96"}, ((2, 5, 64), (5, 8))),
}
FIXTURES = Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True)
class Source:
    """A model that holds."""

    id: str
    text: str
    spec: str
    preset: Preset
    arguments: dict[str, str]
    subject: Subject  # as it is run
    departs: frozenset[str] = frozenset()  # claims that it does not fulfil, and is not meant to
    path: Path | None = None  # of the file, where it stands among others
    root: Path | None = None  # of the package that these are
    parts: frozenset[str] = frozenset()  # classes and functions of the file that are changed; empty: all


@dataclass(frozen=True)
class Outcome:
    """What was said of a mutant."""

    source: str
    mutant: Mutant
    truth: Truth
    verdict: str
    rules: frozenset[str]


def sources() -> Iterator[Source]:
    """The fixtures that torch runs."""
    for file in sorted(FIXTURES.glob("*/*/expect.yaml")):
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
        text = (file.parent / "model.py").read_text(encoding="utf-8")
        if "tensorflow" in text or "keras" in text:
            continue
        spec = told["spec"].partition("#")[0]
        preset = Preset(told.get("preset", ""), told.get("sizes", {}))
        numbers = [int(one) for one in re.findall(r"\b(?:64|128|256|512|768|1024|4096)\b", text)]
        id = file.parent.relative_to(FIXTURES).as_posix()
        arguments = told.get("arguments", {})
        run, inputs = SMALL.get(id, (arguments, ()))
        subject = Subject(told["target"], run, numbers[0] if numbers else 512, inputs)
        whole = bound(Source(id, text, spec, preset, arguments, subject))
        yield replace(whole, departs=departing(whole, text))


def bound(source: Source) -> Source:
    """The source with each block that holds bound to the part that it was found to be, as a gate keeps it: a part that
    is no longer like it is then that part still."""
    claims = {claim.claim: claim for claim in _claims(source, source.text)}
    for block, claim in claims.items():
        if claim.verdict is not Verdict.HOLDS or len(claim.bound) != 1 or claim.bound[0].block != block:
            continue
        pinned = {**source.preset.pinned, block: claim.bound[0].symbol}
        bound = replace(source, preset=replace(source.preset, pinned=pinned))
        told = {one.claim: one.verdict for one in _claims(bound, source.text)}
        if all(told.get(one) is before.verdict for one, before in claims.items()):
            source = bound
    return source


def judged(source: Source, operators: str = "") -> Iterator[Outcome]:
    """Every mutant that runs, with what it is and what is said of it.

    Args:
        operators: a pattern that the names of operators hold.
    """
    seen = {source.text}
    for mutant in mutants(source.text, [one for one in OPERATORS if re.search(operators, one.id)], source.parts):
        if mutant.text in seen:
            continue
        seen.add(mutant.text)
        if mutant.operator.id == "doubled" and (not source.preset.name or source.id in SMALL):
            continue  # no size is stated, or none of those that are given runs
        if (source.id, mutant.operator.id, mutant.was.partition("\n")[0]) in NOT_STATED:
            continue
        truth = compare(source.text, mutant.text, source.subject, renamed=mutant.operator.id == "swap arguments")
        if truth is Truth.BROKEN:
            continue
        verdict, rules = audit(source, mutant.text)
        yield Outcome(source.id, mutant, truth, verdict, rules)


def departing(source: Source, text: str) -> frozenset[str]:
    claims = _claims(source, text)
    return frozenset(claim.claim for claim in claims if claim.verdict is Verdict.VIOLATED)


def audit(source: Source, text: str) -> tuple[str, frozenset[str]]:
    """The worst verdict on what can be judged, and the rules that speak."""
    try:
        claims = [claim for claim in _claims(source, text) if claim.claim not in source.departs]
    except ArchcheckError as error:
        return f"ERROR {error.problem}"[:60], frozenset()
    verdicts = {claim.verdict for claim in claims}
    findings = [finding for claim in claims for finding in claim.findings]
    rules = frozenset(finding.rule for finding in findings if finding.verdict is Verdict.VIOLATED)
    if Verdict.VIOLATED in verdicts:
        return "VIOLATED", rules
    unsure = any(claim.bound and claim.verdict is Verdict.UNDETERMINED for claim in claims)
    return ("HOLDS" if Verdict.HOLDS in verdicts and not unsure else "UNDETERMINED"), rules


def _claims(source: Source, text: str) -> tuple[ClaimResult, ...]:
    with _written(source, text) as file:
        request = Request(f"{file}:{source.subject.symbol}", source.arguments, explore=False, preset=source.preset)
        (report,) = check(request, source.spec)
    return report.default.claims


@contextmanager
def _written(source: Source, text: str) -> Iterator[Path]:
    """The file with this text; where it stands among others, in a tree of links to them."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "model.py"
        if source.path is not None and source.root is not None:
            at, real = Path(folder) / source.root.name, source.root
            for part in source.path.relative_to(source.root).parts:
                at.mkdir()
                for entry in os.scandir(real):
                    if entry.name not in (part, "__pycache__"):
                        (at / entry.name).symlink_to(entry.path)
                at, real = at / part, real / part
        at.write_text(text, encoding="utf-8")
        yield at
