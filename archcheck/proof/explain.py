"""A proof in one sentence, for people."""

from __future__ import annotations

import math

from archcheck.proof.outcome import Outcome, Proof
from archcheck.shown import shown

_NAMES = {
    "rms_norm": "RMSNorm",
    "layer_norm": "LayerNorm",
    "l2_norm": "L2 normalisation",
    "gelu": "GELU",
    "quick_gelu": "x sigmoid(1.702 x)",
    "silu": "SiLU",
    "relu": "ReLU",
    "relu2": "squared ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "elu": "ELU",
    "selu": "SELU",
    "mish": "Mish",
    "rope": "rotary positions",
}


def named(text: str) -> str:
    """The name of a formula, its kind by the name that people know: "RMSNorm with 1 + weight"."""
    kind, space, rest = text.partition(" ")
    plain = kind.rstrip(",")
    return f"{_NAMES.get(plain, plain)}{kind[len(plain) :]}{space}{rest}"


def explain(proof: Proof) -> str:
    """What a proof says, as one sentence without a full stop.

    "computes RMSNorm with 1 + weight: equal to it within 3e-16 on 3 random draws; the textbook RMSNorm differs by up to
    1.4".
    """
    textbook = _NAMES.get(proof.kind, proof.kind)
    draws = f"{proof.draws} random draws"
    if proof.outcome is Outcome.CONFIRMED:
        name = named(proof.is_) if proof.is_ else textbook
        return f"computes {name}: equal to the textbook's within {proof.error:.1g} on {draws}"
    if proof.outcome is Outcome.NOT_PROVED:
        return shown(f"not proved to be {textbook}: {proof.why}")
    apart = f"differs by up to {proof.error:.2g}" if math.isfinite(proof.error) else "differs"
    if not proof.is_:
        return f"is not {textbook}: on {draws} it {apart}, and it is no near miss that has a name"
    return shown(
        f"computes {named(proof.is_)}: equal to it within {proof.near:.1g} on {draws}; the textbook {textbook} {apart}"
    )
