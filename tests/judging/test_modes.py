"""Code in eval mode: an equation holds without its dropouts, and of dropout itself nothing is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import ClaimResult, ReadingResult, Variant, Verdict
from archcheck.ir.equivalences import NO_DROPOUT
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

SOURCE = """
from torch import nn
import torch.nn.functional as F

class Layer(nn.Module):
    def __init__(self, rate=0.1):
        super().__init__()
        self.attention = nn.MultiheadAttention(64, 4, dropout=0.1, batch_first=True)
        self.up, self.down = nn.Linear(64, 256), nn.Linear(256, 64)
        self.first, self.second = nn.LayerNorm(64), nn.LayerNorm(64)
        self.drop = nn.Dropout(rate)

    def attend(self, x):
        return self.attention(x, x, x, need_weights=False)[0]

    def feed(self, x):
        return self.down(F.relu(self.up(x)))

    def forward(self, x):
        x = self.first(x + self.drop(self.attend(x)))
        return self.second(x + self.drop(self.feed(x)))

class Bare(Layer):
    def forward(self, x):
        x = self.first(x + self.attend(x))
        return self.second(x + self.feed(x))

class Behind(Layer):
    def forward(self, x):
        x = self.first(self.drop(x + self.attend(x)))
        return self.second(self.drop(x + self.feed(x)))

class Pre(Layer):
    def forward(self, x):
        x = x + self.drop(self.attend(self.first(x)))
        return x + self.drop(self.feed(self.second(x)))

class Always(Layer):
    def forward(self, x):
        x = self.first(x + F.dropout(self.attend(x), 0.1))
        return self.second(x + F.dropout(self.feed(x), 0.1))

class SomeAlways(Layer):
    def forward(self, x):
        x = self.first(x + F.dropout(self.attend(x), 0.1))
        return self.second(x + self.drop(self.feed(x)))

class AlwaysBehind(Layer):
    def forward(self, x):
        x = self.first(F.dropout(x + self.attend(x), 0.1))
        return self.second(F.dropout(x + self.feed(x), 0.1))

class Functional(nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=0.1 if self.training else 0.0)
"""
LAYER = """
blocks:
  layer:
    where: Section 3
    flow: |
      x = layer_norm(x + dropout(self_attention(x)))
      x = layer_norm(x + dropout(feed_forward(x)))
"""
HOLDS, VIOLATED, UNDETERMINED = Verdict.HOLDS, Verdict.VIOLATED, Verdict.UNDETERMINED


def variant(folder: Path, symbol: str, rest: str, mode: str = "eval", pinned: str = "") -> Variant:
    model, spec = folder / "model.py", folder / "spec.yaml"
    model.write_text(SOURCE)
    spec.write_text(f"archcheck: 1\nid: a2026\ntitle: A\n{rest}")
    preset = Preset(pinned={pinned: symbol} if pinned else {})
    (report,) = check(Request(f"{model}:{symbol}", training=mode == "train", preset=preset), str(spec))
    return report.default


def judged(folder: Path, symbol: str, rest: str, mode: str = "eval", pinned: str = "") -> ClaimResult:
    return variant(folder, symbol, rest, mode, pinned).claims[0]


def claimed(folder: Path, symbol: str, claim: str, mode: str = "eval") -> ClaimResult:
    claims = f"claims:\n  - {{id: a, where: Section 1, {claim}}}\n"
    return variant(folder, symbol, LAYER + claims, mode).claims[-1]


# ---- equations


@pytest.mark.parametrize(
    ("symbol", "train", "evaluated"),
    [
        ("Layer", HOLDS, HOLDS),
        ("Bare", VIOLATED, HOLDS),
        ("Behind", VIOLATED, HOLDS),
        ("Pre", VIOLATED, VIOLATED),
        ("Always", HOLDS, HOLDS),
        ("SomeAlways", HOLDS, UNDETERMINED),
        ("AlwaysBehind", VIOLATED, UNDETERMINED),
    ],
)
def test_an_equation_is_held_against_code_in_eval_mode_without_its_dropouts(
    tmp_path: Path, symbol: str, train: Verdict, evaluated: Verdict
) -> None:
    found = judged(tmp_path, symbol, LAYER, "train")
    assert found.verdict is train
    assert NO_DROPOUT not in found.equivalences
    found = judged(tmp_path, symbol, LAYER)
    assert found.verdict is evaluated
    assert (NO_DROPOUT in found.equivalences) is (symbol != "Always")  # whose dropouts are all there


def test_what_else_departs_is_told_alone(tmp_path: Path) -> None:
    assert [finding.rule for finding in judged(tmp_path, "Pre", LAYER).findings] == ["norm-placement"]


def test_signatures_are_equations(tmp_path: Path) -> None:
    order = "blocks:\n  layer:\n    where: Section 3\n    order: {self_attention: F d p a n, feed_forward: F d p a n}\n"
    assert judged(tmp_path, "Layer", order).verdict is HOLDS
    assert judged(tmp_path, "Pre", order).verdict is VIOLATED


def test_a_dropout_that_is_there_in_eval_mode_may_be_one_of_those_that_a_closed_list_states(tmp_path: Path) -> None:
    closed = f"{LAYER}    only: [linear]\n"
    assert judged(tmp_path, "SomeAlways", closed, "train").verdict is HOLDS
    assert judged(tmp_path, "SomeAlways", closed).verdict is UNDETERMINED


def test_that_a_closed_list_has_no_dropout_holds_by_the_mode(tmp_path: Path) -> None:
    flow = "x = layer_norm(x + self_attention(x))\n      x = layer_norm(x + feed_forward(x))"
    closed = f"blocks:\n  layer:\n    where: Section 3\n    only: true\n    flow: |\n      {flow}\n"
    assert judged(tmp_path, "Layer", closed, "train").verdict is VIOLATED
    assert judged(tmp_path, "Always", closed).verdict is VIOLATED
    found = judged(tmp_path, "Layer", closed)
    assert found.verdict is HOLDS
    assert NO_DROPOUT in found.equivalences


@pytest.mark.parametrize(
    ("strict", "verdict"),
    [("true", UNDETERMINED), (f"[{NO_DROPOUT}]", UNDETERMINED), ("[fused projection]", HOLDS)],
)
def test_a_strict_claim_is_not_decided_by_the_mode(tmp_path: Path, strict: str, verdict: Verdict) -> None:
    assert judged(tmp_path, "Layer", f"{LAYER}    strict: {strict}\n").verdict is verdict


def test_a_block_of_dropout_alone_is_not_seen(tmp_path: Path) -> None:
    block = "blocks:\n  noise:\n    where: Section 3\n    flow: x = dropout(x)\n"
    for found in (judged(tmp_path, "Layer", block), judged(tmp_path, "Layer", block, pinned="noise")):
        assert found.verdict is UNDETERMINED
        assert [finding.message for finding in found.findings] == [
            "whether the code computes noise cannot be told in eval mode, in which dropout does nothing"
        ]


READINGS = """
readings:
  - id: behind
    where: Figure 1
    says: dropout behind the sum
    blocks: {layer: {order: {self_attention: F a d n, feed_forward: F a d n}}}
  - id: without
    where: Figure 1
    says: no dropout
    blocks: {layer: {order: {self_attention: F a n, feed_forward: F a n}}}
  - id: before
    where: Figure 1
    says: the norm first
    blocks: {layer: {order: {self_attention: n F d a, feed_forward: n F d a}}}
"""


def test_readings_that_differ_in_dropout_alone_are_not_told_apart(tmp_path: Path) -> None:
    def verdicts(readings: tuple[ReadingResult, ...]) -> dict[str, Verdict]:
        return {reading.reading: reading.verdict for reading in readings}

    trained = variant(tmp_path, "Behind", LAYER + READINGS, "train")
    assert verdicts(trained.readings) == {"behind": HOLDS, "without": HOLDS, "before": VIOLATED}
    evaluated = variant(tmp_path, "Behind", LAYER + READINGS)
    assert verdicts(evaluated.readings) == {"behind": UNDETERMINED, "without": UNDETERMINED, "before": VIOLATED}


# ---- rates


ATTENTION = "blocks:\n  attention:\n    where: Equation 1\n    flow: y = attention(q, k, v, dropout=RATE)\n"


def test_a_rate_that_is_off_in_eval_mode_departs_from_none(tmp_path: Path) -> None:
    right, wrong = (ATTENTION.replace("RATE", rate) for rate in ("0.1", "0.3"))
    assert judged(tmp_path, "Functional", right, "train").verdict is HOLDS
    assert judged(tmp_path, "Functional", wrong, "train").verdict is VIOLATED
    for block in (right, wrong):
        found = judged(tmp_path, "Functional", block)
        assert found.verdict is HOLDS
        assert NO_DROPOUT in found.equivalences


def test_a_layer_shows_its_rate_in_any_mode(tmp_path: Path) -> None:
    assert judged(tmp_path, "Layer", ATTENTION.replace("RATE", "0.1")).verdict is HOLDS
    assert judged(tmp_path, "Layer", ATTENTION.replace("RATE", "0.3")).verdict is VIOLATED
    assert claimed(tmp_path, "Layer", "attributes: {attention: {dropout: 0.1}}").verdict is HOLDS
    assert claimed(tmp_path, "Layer", "attributes: {attention: {dropout: 0.3}}").verdict is VIOLATED


def test_a_claim_about_a_rate_that_is_off_is_undetermined(tmp_path: Path) -> None:
    for rate in ("0.1", "0.0"):
        found = claimed(tmp_path, "Functional", f"attributes: {{attention: {{dropout: {rate}}}}}")
        assert found.verdict is UNDETERMINED
        assert "eval mode" in found.findings[0].message


# ---- claims about dropout itself


@pytest.mark.parametrize("symbol", ["Layer", "Bare", "Always"])
@pytest.mark.parametrize(
    "claim",
    [
        "present: dropout",
        "present: dropout in layer",
        "present: dropout before layer",
        "present: layer_norm after dropout",
        "present: stochastic_depth",
        "absent: dropout",
        "absent: dropout in feed_forward",
        "count: {dropout: 2}",
        "count: {dropout in layer: 0}",
        "attributes: {dropout: {p: 0.1}}",
        "attributes: {dropout in layer: {p: 0.1}}",
        "path: self_attention -> dropout -> add -> layer_norm",
        "path: dropout -> add",
        "path: input -> ... -> dropout",
        "path: dropout -> dropout",
        "path: ... -> dropout -> ... -> layer_norm -> output",
        "path: self_attention -> add, absent: dropout",
        "init: {of: dropout, weight: 0}",
        "init: {of: linear in dropout, weight: 0}",
    ],
)
def test_a_claim_about_dropout_is_undetermined_with_the_reason(tmp_path: Path, symbol: str, claim: str) -> None:
    found = claimed(tmp_path, symbol, claim)
    assert found.verdict is UNDETERMINED
    if not claim.startswith("init"):  # of which reading shows nothing
        assert [finding.message.rpartition(" cannot be told ")[2] for finding in found.findings] == [
            "in eval mode, in which dropout does nothing"
        ]
        assert "--mode train" in found.findings[0].fix


@pytest.mark.parametrize(
    "path",
    [
        "feed_forward -> dropout -> layer_norm -> add",
        "relu -> dropout -> layer_norm",
        "gelu -> ... -> dropout -> ... -> output",
    ],
)
def test_a_path_that_lacks_more_than_dropout_is_not_there_in_any_mode(tmp_path: Path, path: str) -> None:
    expected = UNDETERMINED if "gelu" in path else VIOLATED  # the layer holds none: another may
    for mode in ("train", "eval"):
        found = claimed(tmp_path, "Layer", f"path: {path}", mode)
        assert found.verdict is expected
    assert all("dropout" not in finding.message for finding in found.findings)


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("path: self_attention -> add -> layer_norm", HOLDS),
        ("path: self_attention -> ... -> relu, only: [add, layer_norm, linear]", HOLDS),
        ("path: add -> self_attention", VIOLATED),
        ("count: {layer_norm: 2}", HOLDS),
        ("count: {layer_norm: 3}", VIOLATED),
        ("present: layer_norm", HOLDS),
        ("absent: rms_norm", HOLDS),
        ("attributes: {layer_norm: {eps: 1e-6}}", VIOLATED),
    ],
)
def test_other_claims_are_judged_as_in_train_mode(tmp_path: Path, claim: str, verdict: Verdict) -> None:
    for mode in ("train", "eval"):
        assert claimed(tmp_path, "Layer", claim, mode).verdict is verdict
