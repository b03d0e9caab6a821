"""A spec tried on examples: code of which its writer knows whether it is what the paper states.

An example is judged as `archcheck audit` judges it, at the defaults of the code. What could not be judged is not as
expected, whatever was expected: neither that code holds nor that it departs is taken from silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from archcheck.errors import ArchcheckError
from archcheck.findings import ClaimResult, Verdict
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.spec import Spec, load
from archcheck.spec.build import read_examples
from archcheck.spec.guard import MAX_BYTES, read
from archcheck.spec.library import SUFFIXES, find, keys
from archcheck.spec.model import Example
from archcheck.spec.nodes import Mapping, Scalar
from archcheck.sweep import Progress, Request, silent


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of an example; `told` says what the code was found to be."""

    example: Example
    as_expected: bool
    told: str
    verdicts: tuple[tuple[str, str], ...] = ()  # claim -> verdict, of those that are meant


@dataclass(frozen=True, slots=True)
class Listed:
    """Examples with the spec that they are of; `reference` is how the spec is named."""

    reference: str
    spec: Spec
    examples: tuple[Example, ...]
    folder: Path


def listed(reference: str) -> Listed:
    """The examples that a spec lists, or a file beside one.

    Args:
        reference: a citation key, the path of a spec, or that of a file with `spec:` and `examples:`.

    Raises:
        SpecError: the file has mistakes.
        ArchcheckError: there is no such file, or it lists no examples.
    """
    path = find(reference)
    of = _spec_of(path)
    if not of:
        spec, _ = load(reference)
        if not spec.examples:
            hint = "list code that you know: examples: [{target: model.py:Layer, expects: holds}]"
            raise ArchcheckError(f"{spec.id} lists no examples", place=spec.file, hint=hint)
        return Listed(reference, spec, spec.examples, path.parent)
    name = of if of in keys() and not of.endswith(SUFFIXES) else str(path.parent / of)
    spec, _ = load(name)
    examples = read_examples(path.read_bytes(), path.as_posix(), spec)
    return Listed(name, spec, examples, path.parent)


def _spec_of(path: Path) -> str:
    """What a file of examples says under `spec:`; "" of a spec, and of what has mistakes, which loading it tells."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    root = read(data, path.as_posix()).root
    found = root.get("spec") if isinstance(root, Mapping) and root.get("archcheck") is None else None
    return found.text if isinstance(found, Scalar) else ""


def tried(found: Listed, progress: Progress = silent) -> Iterator[Trial]:
    """Each example judged, in the order of the list."""
    for example in found.examples:
        progress(example.target)
        yield _tried(example, found)


def _tried(example: Example, found: Listed) -> Trial:
    preset = Preset(example.preset, dict(example.sizes), dict(example.bind))
    request = Request(
        _target(example.target, found.folder),
        dict(example.arguments),
        example.mode == "train",
        explore=False,
        preset=preset,
    )
    try:
        reports = check(request, found.reference)
    except ArchcheckError as error:
        return Trial(example, False, f"it could not be judged: {error.problem}")
    claims = [claim for report in reports for claim in report.default.claims if not claim.advisory]
    return outcome(example, claims)


def outcome(example: Example, claims: Iterable[ClaimResult]) -> Trial:
    """What the verdicts of claims mean for an example.

    Code that holds does so in all the claims that are meant, or, where none is named, in all that could be judged; code
    that departs violates each claim that is named, or any.
    """
    meant = [claim for claim in claims if not example.of or claim.claim in example.of]
    verdicts = tuple((claim.claim, claim.verdict.value) for claim in meant)
    if lost := [name for name in example.of if name not in {claim.claim for claim in meant}]:
        return Trial(example, False, f"{', '.join(lost)} was not judged", verdicts)
    violated = [claim for claim in meant if claim.verdict is Verdict.VIOLATED]
    unsettled = [claim for claim in meant if claim.verdict is Verdict.UNDETERMINED]
    held = [claim for claim in meant if claim.verdict is Verdict.HOLDS]
    if example.holds:
        fine = bool(held) and not violated and not (example.of and unsettled)
        telling = [] if fine else violated or unsettled
    else:
        fine = bool(violated) and not (example.of and (held or unsettled))
        telling = violated if fine else unsettled or (held if example.of else [])
    return Trial(example, fine, _told(telling, held, unsettled), verdicts)


def _told(telling: list[ClaimResult], held: list[ClaimResult], unsettled: list[ClaimResult]) -> str:
    """What was found, in a line: the first claim that says something, and how many more do."""
    if telling:
        first = telling[0]
        why = f": {first.findings[0].message}" if first.findings else ""
        more = f" (and {len(telling) - 1} more)" if len(telling) > 1 else ""
        return f"{first.claim} {_SAID[first.verdict]}{why}{more}"
    if not held:
        return "nothing was judged"
    also = f", {len(unsettled)} undetermined" if unsettled else ""
    return f"{held[0].claim} holds{also}" if len(held) == 1 else f"{len(held)} claims hold{also}"


_SAID = {Verdict.HOLDS: "holds", Verdict.VIOLATED: "is violated", Verdict.UNDETERMINED: "is undetermined"}


def _target(target: str, folder: Path) -> str:
    """A target whose file stands beside the list; others are as they are."""
    place = target.rpartition(":")[0] or target
    if "==" in target or Path(place).is_absolute():
        return target
    return str(folder / target) if (folder / place).exists() else target
