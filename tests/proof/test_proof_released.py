"""Formulas in transformers as released: read by the static reader, raised by the passes, proved on random tensors."""

from __future__ import annotations

from collections import Counter

import pytest
from packages import unpacked

from archcheck.errors import ArchcheckError
from archcheck.frontends.static.library import Library, Root
from archcheck.frontends.static.reader import read
from archcheck.passes import canonicalise
from archcheck.proof import Outcome, Proof, confirm, explain

pytestmark = pytest.mark.packages

RELEASE = "transformers==5.23.0"
SYMBOLS = ("RMSNorm", "DecoderLayer", "EncoderLayer", "Attention", "MLP")
FILES = 110
CONFIRMED, DIFFERS, NOT_PROVED = Outcome.CONFIRMED, Outcome.DIFFERS, Outcome.NOT_PROVED

# What departs from the textbook as its source was read by hand, by the words that the proof has for it.
KNOWN_DEPARTURES = (
    "attention with the scale on",  # bros, xlnet: (q k^T + bias) / sqrt(d)
    "rope with the turned pairs laid out as features in halves",  # deepseek and its like
)


def proofs() -> list[tuple[str, Proof]]:
    """The proofs of all classes of the first files whose names end as those of norms and layers do."""
    library = Library([Root(unpacked(RELEASE))])
    found: list[tuple[str, Proof]] = []
    folder = unpacked(RELEASE) / "transformers" / "models"
    for file in sorted(folder.glob("*/modeling_*.py"))[:FILES]:
        module = f"transformers.models.{file.parent.name}.{file.stem}"
        source = library.module(module)
        assert source is not None
        for entry in source.index.entries:
            if entry.kind != "class" or not entry.names[0].endswith(SYMBOLS):
                continue
            try:
                reading = read(library, module, entry.names[0], training=False, explore=False)
            except ArchcheckError:
                continue
            graph = canonicalise(reading.variants[0].graph)
            found += [(f"{file.parent.name}.{entry.names[0]}", proof) for proof in confirm(graph)]
    return found


def test_what_passes_raise_in_released_code_is_what_they_say() -> None:
    """Of a hundred model files: nothing that was raised is another formula, but for those whose source is so."""
    found = proofs()
    assert len({name.partition(".")[0] for name, _ in found}) > 50
    counts = Counter((proof.kind, proof.outcome) for _, proof in found)
    norms = sum(counts["rms_norm", outcome] for outcome in Outcome)
    attentions = sum(counts["attention", outcome] for outcome in Outcome)
    assert norms > 100
    assert attentions > 100
    assert counts["rms_norm", CONFIRMED] > 0.95 * norms
    assert counts["attention", CONFIRMED] > 0.85 * attentions
    assert not counts["rms_norm", NOT_PROVED]
    strange = {
        f"{name}: {explain(proof)}"
        for name, proof in found
        if proof.outcome is DIFFERS and not proof.is_.startswith(KNOWN_DEPARTURES)
    }
    assert not strange
    assert all(proof.error < 1e-6 for _, proof in found if proof.outcome is CONFIRMED)
    assert all(proof.why for _, proof in found if proof.outcome is NOT_PROVED)
