"""Weights that a paper shares: whether places of the module tree hold one and the same learned tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archcheck.findings import Finding, Verdict
from archcheck.judging import parts
from archcheck.spec.model import SameWeights

if TYPE_CHECKING:
    from archcheck.judging.judge import Judge, Subject

MOST_TOLD = 3  # tensors that a finding names
ANY = "*"

Tensors = Mapping[str, str]  # name within a module -> the first place of the tensor that stands there


def shared(judge: Judge, states: SameWeights, subject: Subject) -> list[Finding]:
    """What is to be said of places that a claim has share their weights: nothing where they do.

    Identity decides, as `Subject.weights` tells it: (place, first place of the same tensor, "" where a
    file does not tell which tensors are one). Modules that have a
    `weight` of their own share that one, since an embedding has no bias and a projection may; others, such as whole
    layers, share every tensor below them that they have in common.
    """
    held: dict[str, Tensors] = {}
    for place in states.places:
        module = judge.preset.pinned.get(place, place)
        found = _modules(module, dict(subject.weights))
        if not found:
            unbound = [place for place in states.places if place not in judge.preset.pinned]
            fix = f"bind each of the places to a module: {' '.join(f'--bind {place}=MODULE' for place in unbound)}"
            return [parts.untold(f"which module of {subject.symbol} is {place} is not told", fix)]
        held |= found if ANY in module else {place: next(iter(found.values()))}
    if len(held) < 2:
        message = f"{', '.join(states.places)} is one place in {subject.symbol}: it shares its weights with nothing"
        return [parts.untold(message, parts.AUDIT_THE_HOLDER)]
    common = set.intersection(*(set(tensors) for tensors in held.values()))
    compared = ["weight"] if "weight" in common else sorted(common)
    if not compared:
        return [parts.untold(f"{' and '.join(held)} have no learned tensor of one name, so that none can be compared")]
    if any(not tensors[name] for tensors in held.values() for name in compared):
        message = f"whether {' and '.join(held)} are one tensor is not told: a file may hold one under two names"
        return [parts.untold(message, "check the code that the file was exported from")]
    apart = [name for name in compared if len({tensors[name] for tensors in held.values()}) > 1]
    if not apart:
        return []
    rows = [f"{place} is {tensors[apart[0]]}" for place, tensors in held.items()]
    more = f"; so for {len(apart)} of {len(compared)} tensors" if len(compared) > 1 else ""
    return [
        Finding(
            "shared-weights",
            Verdict.VIOLATED,
            f"{' and '.join(states.places)} have weights of their own",
            "The paper shares one weight matrix between them."
            if compared == ["weight"]
            else "The paper shares their weights.",
            f"In the code, {', '.join(rows[:MOST_TOLD])}{', ...' if len(rows) > MOST_TOLD else ''}{more}.",
            "assign one module's weight to the other",
            parts.at(judge, subject.span),
        )
    ]


def _modules(place: str, weights: Mapping[str, str]) -> dict[str, Tensors]:
    """The modules or tensors at a place such as `encoder.embedding` or `layers[*].attention`, with what is below."""
    wanted = place.replace("[", ".").replace("]", "").split(".")
    found: dict[str, dict[str, str]] = {}
    for name, first in weights.items():
        steps = name.split(".")
        if len(steps) >= len(wanted) + (wanted[-1] == ANY) and all(map(_fits, wanted, steps)):
            below = ".".join(steps[len(wanted) :])
            found.setdefault(".".join(steps[: len(wanted)]), {})[below or "weight"] = first
    return dict(found)


def _fits(wanted: str, step: str) -> bool:
    return wanted in (ANY, step)
