"""`archcheck spec validate` says how a spec was understood, so that its writer sees a misunderstanding at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from archcheck.cli.app import app
from archcheck.spec import library, load
from archcheck.spec.build import read
from archcheck.understood import understood

SPEC = """\
archcheck: 1
id: made2026
title: Made
terms: {norm: rms_norm, mix: function}
sizes: {N: 6, heads: null}
presets: {base: {d_model: 512}, big: {d_model: 1024}}
blocks:
  layer:
    where: Figure 1
    order: {self_attention: n F d a, feed_forward: n F a}
    repeat: N
    widths: {self_attention.heads: heads}
    for: base
  feed_forward:
    where: Equation 2
    flow: linear(silu(linear(x)) * linear(x))
    only: [dropout]
  gate:
    where: Equation 3
    flow: |
      z = sigmoid(linear(x))
      h = (1 - z) * h + z * mix(x)
claims:
  - {id: final, where: Section 3, present: norm after layer, advisory: true}
"""
TOLD = """\
sizes: N = 6, heads = open, d_model = by preset

layer  Figure 1
  x -> rms_norm -> self_attention -> dropout -> add(x) = [a]
  [a] -> rms_norm -> feed_forward -> add([a])
  judged as a layer, found by its sublayers in this order: self_attention (n F d a), feed_forward (n F a)
  stands N times in a row
  heads of self_attention is heads
  stated for base only

feed_forward  Equation 2
  x -> linear -> silu = [a]
  x -> linear -> mul([a]) -> linear
  judged as what each feed_forward holds inside
  nothing else may stand there but dropout

gate  Equation 3
  x -> linear -> sigmoid = [a]
  [a] -> sub(by=1, reverse=True) -> mul(h) = [b]
  x -> "mix" -> mul([a]) -> add([b])
  judged as a layer, found by its sublayers in this order: a branch of another kind (F)

final  Section 3
  there is norm after layer
  reported, and never failing
"""


def test_what_each_claim_was_taken_to_state() -> None:
    assert "\n".join(understood(read(SPEC.encode(), "made.yaml"))).rstrip() + "\n" == TOLD


@pytest.mark.parametrize("key", library.keys())
def test_every_spec_of_the_library_is_told_whole(key: str) -> None:
    spec, _ = load(key)
    lines = list(understood(spec))
    for one in (*spec.blocks, *spec.claims):
        assert f"{one.id}  {one.citation.where}" in lines
    assert not any("?" in line.replace("=?", "") for line in lines if "->" in line)  # open sizes are


def test_the_command_tells_it(tmp_path: Path) -> None:
    file = tmp_path / "made2026.yaml"
    file.write_text(SPEC, encoding="utf-8")
    result = CliRunner().invoke(app, ["spec", "validate", str(file)], standalone_mode=False)
    assert result.output == f"{file}: 3 blocks, 1 claim, no mistakes\n\n{TOLD}\n"
    result = CliRunner().invoke(app, ["spec", "validate", "--no-explain", str(file)], standalone_mode=False)
    assert result.output == f"{file}: 3 blocks, 1 claim, no mistakes\n"
