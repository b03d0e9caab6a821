"""The textbook of attention: softmax(scale q k^T + bias) v over query, key and value heads, and near misses.

Cites: vaswani2017, equation 1, with section 3.2.3 for masks ("setting to minus infinity all values in the input of the
softmax which correspond to illegal connections"); ainslie2023, section 2.2, for heads that share keys; gemma2024
(Gemma 2), section 2, for scores bounded by cap * tanh(scores / cap); xiao2023, section 3, for a sink: one more score
that no value answers to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archcheck.proof.world import Array

_STATES = {"added": "", "scaled": "the scale on {} too", "subtracted": "{} subtracted", "ignored": "{} missing"}
_MOST_BIASES = 3  # of which every mixture is tried


@dataclass(frozen=True, slots=True)
class Given:
    """One draw, its axes in the order of `labels`: those of the batch, then queries or keys, then features.

    Args:
        query, key, value: [batch ..., queries, features], [batch ..., keys, features], [batch ..., keys, width].
        biases: what is added to the scores, [batch ..., queries, keys].
        hidden: which keys a query does not see, in the same axes.
        factors: what the scores are multiplied by.
        weighed: what the weights are multiplied by, behind the softmax.
        sinks: scores of one more key each, [batch ..., queries, 1].
    """

    query: Array
    key: Array
    value: Array
    biases: tuple[Array, ...] = ()
    hidden: tuple[Array, ...] = ()
    factors: tuple[Array, ...] = ()
    weighed: tuple[Array, ...] = ()
    sinks: tuple[Array, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """How scores become weights.

    Args:
        scale: factor on the scores.
        softcap: bound of the scores; 0 where there is none.
        axis: over which the weights sum to 1, as a place among the axes of the scores from the end: -1, the keys.
        words: how it departs from what is stated, part by part.
    """

    scale: float
    softcap: float = 0.0
    axis: int = -1
    biases: tuple[str, ...] = ()  # of each: 'added', 'scaled' too, 'subtracted' or 'ignored'; added where none is told
    mask: str = "hidden"
    cap_last: bool = False
    words: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """How it departs, in one phrase."""
        return " and ".join(self.words.values())

    def of(self, given: Given) -> Array:
        """The weighed values: [batch ..., queries, width]."""
        import numpy as np

        with np.errstate(all="ignore"):
            scores = given.query @ given.key.swapaxes(-1, -2)
            states = self.biases or ("added",) * len(given.biases)
            for bias, state in zip(given.biases, states, strict=True):
                scores = scores + bias if state == "scaled" else scores
            scores = scores * self.scale
            for factor in given.factors:
                scores = scores * factor
            if self.softcap and not self.cap_last:
                scores = self.softcap * np.tanh(scores / self.softcap)
            for bias, state in zip(given.biases, states, strict=True):
                if state in ("added", "subtracted"):
                    scores = scores + bias if state == "added" else scores - bias
            if self.softcap and self.cap_last:
                scores = self.softcap * np.tanh(scores / self.softcap)
            for mask in given.hidden:
                if self.mask in ("hidden", "inverted"):
                    scores = np.where(mask if self.mask == "hidden" else ~mask, -math.inf, scores)
                elif self.mask == "zero":
                    scores = np.where(mask, 0.0, scores)
            weights = _softmax(np.concatenate([scores, *given.sinks], axis=-1), self.axis)[..., : scores.shape[-1]]
            for mask in given.hidden:
                if self.mask == "behind":
                    weights = np.where(mask, 0.0, weights)
            for factor in given.weighed:
                weights = weights * factor
            return np.asarray(weights @ given.value)


def _softmax(scores: Array, axis: int) -> Array:
    import numpy as np

    weights = np.exp(scores - np.max(scores, axis=axis, keepdims=True))
    return np.asarray(weights / np.sum(weights, axis=axis, keepdims=True))


def forms(stated: Form, rank: int, features: int, biases: int) -> Iterator[Form]:
    """What is stated, then what departs from it in one way, then in two.

    Args:
        stated: the formula of the op.
        rank: count of axes of the scores.
        features: of a head.
        biases: how many tensors are added to the scores.
    """
    yield stated
    single = list(_departures(stated, rank, features, biases))
    for part, change, words in single:
        yield replace(stated, words={part: words}, **change)
    for (part, change, words), (other, more, too) in combinations(single, 2):
        if part != other:
            yield replace(stated, words={part: words, other: too}, **{**change, **more})


def _departures(stated: Form, rank: int, features: int, biases: int) -> Iterator[tuple[str, dict[str, Any], str]]:
    names = {-1: "the keys", -2: "the queries", -3: "the heads"}
    for axis in range(-1, -rank - 1, -1):
        if axis != stated.axis:
            yield "axis", {"axis": axis}, f"the softmax over {names.get(axis, 'the batch')}"
    root = math.sqrt(features)
    scales = {
        1.0: "no scale",
        1 / root: "the scale 1 / sqrt(head_dim)",
        1 / features: "the scale 1 / head_dim",
        root: "the scale sqrt(head_dim)",
        stated.scale**2: "the scale twice",
        math.sqrt(abs(stated.scale)): "the root of the scale",
        stated.scale / root: "1 / sqrt(head_dim) beside the scale",
        1 / stated.scale if stated.scale else 1.0: "a division by the scale",
        -stated.scale: "the sign of the scores turned",
    }
    for scale, words in scales.items():
        if not math.isclose(scale, stated.scale, rel_tol=1e-12):
            yield "scale", {"scale": scale}, words
    for states in product(_STATES, repeat=biases) if biases <= _MOST_BIASES else ():
        changed = [state for state in states if state != "added"]
        if changed:
            which = {state: f"{changed.count(state)} of {biases} biases" for state in changed}
            which = dict.fromkeys(changed, "the mask or bias") if biases == 1 else which
            yield "bias", {"biases": states}, " and ".join(_STATES[one].format(name) for one, name in which.items())
    yield "mask", {"mask": "ignored"}, "the mask missing"
    yield "mask", {"mask": "inverted"}, "the mask inverted: what it marks is seen"
    yield "mask", {"mask": "zero"}, "masked scores set to 0, which are still weighed"
    yield "mask", {"mask": "behind"}, "the mask behind the softmax, weights no longer summing to 1"
    if stated.softcap:
        yield "cap", {"softcap": 0.0}, "no bound of the scores"
        yield "cap", {"cap_last": True}, "the bound of the scores behind the mask"
