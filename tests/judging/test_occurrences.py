"""Equations that no user has bound: where the code computes them, nearly computes them, and where that is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import ClaimResult, Verdict
from archcheck.ir.text import dump, parse
from archcheck.ir.verify import verify
from archcheck.judging import Preset
from archcheck.judging.occurrences import search
from archcheck.passes.write_out import written_out
from archcheck.pipeline import check
from archcheck.sweep import Request

GATE = """\
archcheck: 1
id: gate2026
title: A gate
blocks:
  gate:
    where: Equation 1
    flow: |
      g = sigmoid(linear(x) + linear(h))
      g * tanh(h)
"""
HEAD = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(d, d) for _ in range(4))
        self.norm = nn.LayerNorm(d)

    def forward(self, x, h):
        h = self.norm(self.c(h)).transpose(1, 2)
"""
RIGHT = """
        g = torch.sigmoid(self.a(x) + self.b(h))
        y = g * torch.tanh(h)
"""
WITHOUT = """
        g = self.a(x) + self.b(h)
        y = g * torch.tanh(h)
"""
ELSEWHERE = """
        g = torch.sigmoid(self.a(x) + self.b(x))
        y = g * torch.tanh(h)
"""
WITHIN = "        return torch.relu(self.d(torch.cat([y, x], 1)).mean(1).softmax(-1).cumsum(-1).exp())\n"


def judged(folder: Path, body: str, end: str = WITHIN, **preset: str) -> ClaimResult:
    (folder / "gate2026.yaml").write_text(GATE)
    (folder / "net.py").write_text(HEAD + body + end)
    (report,) = check(Request(f"{folder}/net.py:Net", preset=Preset(pinned=preset)), str(folder / "gate2026.yaml"))
    (claim,) = report.default.claims
    return claim


def test_an_equation_holds_where_it_is_computed_among_other_things(tmp_path: Path) -> None:
    claim = judged(tmp_path, RIGHT)
    assert claim.verdict is Verdict.HOLDS
    assert [(bound.symbol, bound.how) for bound in claim.bound] == [("Net", "by its ops")]


@pytest.mark.parametrize(
    ("body", "rule", "says"),
    [(WITHOUT, "activation", "sigmoid is missing"), (ELSEWHERE, "wiring", "linear reads the input x, not the input h")],
)
def test_where_it_is_nearly_computed_the_code_departs(tmp_path: Path, body: str, rule: str, says: str) -> None:
    """What is around it is no part of what is told."""
    claim = judged(tmp_path, body)
    assert claim.verdict is Verdict.VIOLATED
    assert [(bound.symbol, bound.how) for bound in claim.bound] == [("Net", "by most of its ops")]
    (finding,) = claim.findings
    assert finding.rule == rule
    assert says in finding.message


def test_a_place_that_is_computed_beside_one_that_nearly_is_may_be_either(tmp_path: Path) -> None:
    claim = judged(tmp_path, RIGHT + WITHOUT.replace("y =", "y = y +"))
    assert claim.verdict is Verdict.UNDETERMINED
    assert "nearly at another" in claim.findings[0].message
    assert [place.span.line for place in claim.findings[0].places if place.span] == [15, 18]


def test_two_places_that_are_near_are_none(tmp_path: Path) -> None:
    claim = judged(tmp_path, WITHOUT + ELSEWHERE.replace("y =", "y = y +").replace("x", "y"))
    assert claim.verdict is Verdict.UNDETERMINED
    assert "more than one place" in claim.findings[0].message


def test_what_is_done_with_most_of_a_part_may_be_no_part_of_the_equation(tmp_path: Path) -> None:
    """Whether `y + x` departs depends on whether the equation is about all that the class gives."""
    end = "        return y + x\n"
    claim = judged(tmp_path, RIGHT, end)
    assert claim.verdict is Verdict.UNDETERMINED
    assert "before it comes out" in claim.findings[0].message
    assert judged(tmp_path, RIGHT, end, gate="Net").verdict is Verdict.VIOLATED


def test_of_the_classes_of_a_file_those_are_judged_that_compute_it(tmp_path: Path) -> None:
    """Nobody says that the equation is about a class that nearly does."""
    (tmp_path / "gate2026.yaml").write_text(GATE)
    other = HEAD.replace("class Net", "class Other")
    (tmp_path / "net.py").write_text(HEAD + WITHOUT + WITHIN + other + RIGHT + WITHIN)
    (report,) = check(Request(f"{tmp_path}/net.py"), str(tmp_path / "gate2026.yaml"))
    assert report.verdict is Verdict.HOLDS
    assert [bound.symbol for bound in report.default.claims[0].bound] == ["Other"]
    assert [one.what for one in (*report.beside, *report.unjudged)] == ["Net"]


STACK = """\
%x = input
%n = repeat %x count=4:
  %r = residual %x:
    %a = layer_norm %x
    %f = feed_forward %a:
      %1 = linear %a
      %2 = relu
      %3 = linear
%y = sigmoid %n
give %y
"""


def test_what_sublayers_hold_is_written_out() -> None:
    flat = written_out(verify(parse(STACK)))
    assert [op.kind.name for op in flat.ops] == [*("input", "layer_norm", "linear", "relu", "linear", "add", "sigmoid")]
    verify(flat)
    assert dump(written_out(flat)) == dump(flat)


def test_an_equation_is_found_across_the_bounds_of_sublayers() -> None:
    """The end of a branch, the sum and what follows the stack: three ops of three scopes."""
    found = search(
        verify(parse("%x = input\n%h = input\n%l = linear %x\n%a = add %l, %h\n%s = sigmoid %a\ngive %s\n")),
        parse(STACK),
    )
    assert found.exact
    (graph,) = found.graphs
    assert [op.kind.name for op in written_out(graph).ops if op.kind.name != "input"] == ["linear", "add", "sigmoid"]


def test_one_op_is_found_nowhere() -> None:
    assert not search(verify(parse("%x = input\n%s = sigmoid %x\ngive %s\n")), verify(parse(STACK))).graphs


AXES = """\
archcheck: 1
id: pool2026
title: Pooling by attention
blocks:
  pool:
    where: Equation 1
    flow: |
      a = softmax(tanh(linear(x)), axis=1)
      sum(a * x, axis=1)
"""


@pytest.mark.parametrize(
    ("told", "axis", "verdict"),
    [
        ("b, n, d = x.shape", -2, Verdict.HOLDS),
        ("b, n, d = x.shape", -1, Verdict.VIOLATED),
        ("", -1, Verdict.UNDETERMINED),
        ("", 2, Verdict.VIOLATED),
        ("", 1, Verdict.HOLDS),
    ],
)
def test_an_axis_from_the_end_is_known_where_the_axes_are_counted(
    tmp_path: Path, told: str, axis: int, verdict: Verdict
) -> None:
    (tmp_path / "pool2026.yaml").write_text(AXES)
    body = f"""
        {told}
        a = self.a(x).tanh().softmax({axis})
        return self.d((a * x).sum(1)).relu().exp().cumsum(-1).abs().log()
"""
    (tmp_path / "net.py").write_text(HEAD + body)
    (report,) = check(Request(f"{tmp_path}/net.py:Net"), str(tmp_path / "pool2026.yaml"))
    assert report.default.claims[0].verdict is verdict


BRANCH = """\
archcheck: 1
id: branch2026
title: A residual branch
blocks:
  branch:
    where: Equation 2
    flow: |
      y = relu(conv(x))
      y + relu(batch_norm(conv(y)))
"""
BRANCHES = """
import torch
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.a, self.b, self.out = nn.Conv2d(d, d, 3), nn.Conv2d(d, d, 3, padding=1), nn.Linear(d, d)
        self.norm = nn.BatchNorm2d(d)

    def forward(self, x):
        y = F.relu(self.a(x))
        y = y + {}
        return torch.tanh(self.out(y.mean((2, 3)))).softmax(-1).cumsum(-1).exp().abs()
"""


@pytest.mark.parametrize(
    ("branch", "verdict"),
    [("F.relu(self.norm(self.b(y)))", Verdict.HOLDS), ("self.norm(self.b(y))", Verdict.VIOLATED)],
)
def test_an_equation_with_a_residual_is_one_too(tmp_path: Path, branch: str, verdict: Verdict) -> None:
    (tmp_path / "branch2026.yaml").write_text(BRANCH)
    (tmp_path / "net.py").write_text(BRANCHES.format(branch))
    (report,) = check(Request(f"{tmp_path}/net.py:Net"), str(tmp_path / "branch2026.yaml"))
    assert report.default.claims[0].verdict is verdict


QUADRATIC = """
import tensorflow as tf

def layer(x):
    w, v, u = (tf.Variable(tf.random.normal([3, 3, 4, 8])) for _ in range(3))
    b, a, c = (tf.Variable(tf.zeros([{}])) for _ in range(3))
    conv = lambda t, m: tf.nn.conv2d(t, m, [1, 1, 1, 1], "SAME")
    return tf.nn.relu((conv(x, w) + b) * (conv(x, v) + a) + conv(x * x, u) + c)
"""


@pytest.mark.parametrize(("entries", "verdict"), [(8, Verdict.HOLDS), (1, Verdict.VIOLATED)])
def test_a_vector_for_each_channel_is_the_bias_of_a_convolution(tmp_path: Path, entries: int, verdict: Verdict) -> None:
    flow = "relu(conv(x) * conv(x) + conv(x * x))"
    (tmp_path / "gate2026.yaml").write_text(GATE[: GATE.index("flow")] + f"flow: {flow}\n")
    (tmp_path / "net.py").write_text(QUADRATIC.format(entries))
    (report,) = check(Request(f"{tmp_path}/net.py:layer"), str(tmp_path / "gate2026.yaml"))
    assert report.default.claims[0].verdict is verdict
