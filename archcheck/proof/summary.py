"""What the proofs of a graph come to: forms that are alike told once, with how often and where they stand."""

from __future__ import annotations

from collections.abc import Iterable

from archcheck.ir.span import Span
from archcheck.proof.explain import explain
from archcheck.proof.outcome import Outcome, Proof

_ORDER = (Outcome.DIFFERS, Outcome.NOT_PROVED, Outcome.CONFIRMED)


def summary(proofs: Iterable[Proof]) -> tuple[str, ...]:
    """Sentences on a graph's proofs: what is not the textbook's first, then what could not be proved."""
    found: dict[tuple[Outcome, str, str], tuple[int, Span | None]] = {}
    for proof in proofs:
        key = (proof.outcome, proof.kind, explain(proof))
        count, span = found.get(key, (0, proof.span))
        found[key] = (count + 1, span)
    told = sorted(found.items(), key=lambda one: _ORDER.index(one[0][0]))
    return tuple(
        f"{kind.replace('_', ' ')}{f' ({count} times)' if count > 1 else ''} {sentence}{f' ({span})' if span else ''}"
        for (_, kind, sentence), (count, span) in told
    )
