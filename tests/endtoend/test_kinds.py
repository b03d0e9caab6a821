"""Kinds of departures that are documented of public code, each in a few lines: the paper's form holds, the other not.

A line that ends in `# here` is where a finding must point, by its place or by the calls that lead to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from archcheck.findings import Report, Verdict
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Gate(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.down, self.up = nn.Conv2d(d, d // 4, 1), nn.Conv2d(d // 4, d, 1)

    def forward(self, x):
        s = F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.up(F.relu(self.down(s))))


def squash(x):
    return x / (1 + x.abs())


def conv5(i, o, k):
    return nn.Conv2d(i, o, k, padding=k // 2)


class Net(nn.Module):
"""


@dataclass(frozen=True)
class Kind:
    """A claim, code that does it and code that does not; `{}` in the code is where the two differ."""

    id: str
    spec: str
    code: str
    right: str
    wrong: str
    bind: dict[str, str] = field(default_factory=dict)


KINDS = (
    Kind(
        "count",
        "claims: [{id: a, where: x, count: {conv: 2}}]",
        """
        self.layers = nn.Sequential({})
    def forward(self, x):
        return self.layers(x)
""",
        "nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 5)",
        "nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)  # here\n",
    ),
    Kind(
        "extra_op",
        "blocks: {net: {where: x, flow: linear(relu(linear(x)))}}",
        """
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
    def forward(self, x):
        x = F.relu(self.a(x))
        {}
        return self.b(x)
""",
        "pass",
        "x = self.norm(x)  # here",
        {"net": "Net"},
    ),
    Kind(
        "missing_op",
        "blocks: {net: {where: x, flow: 'relu(batch_norm(conv(x)))'}}",
        """
        self.conv = nn.Conv2d(8, 8, 3)
        self.norm = nn.BatchNorm2d(8)  # named, and perhaps not called
    def forward(self, x):
        return F.relu({})
""",
        "self.norm(self.conv(x))",
        "self.conv(x))  # here\n        return (x",
        {"net": "Net"},
    ),
    Kind(
        "order of a part that the claim does not look into",
        "terms: {se: function}\nblocks: {net: {where: x, flow: 'conv(se(relu(conv(x))))'}}",
        """
        self.one, self.two, self.gate = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1), Gate(8)
    def forward(self, x):
        return {}
""",
        "self.two(self.gate(F.relu(self.one(x))))",
        "self.gate(self.two(F.relu(self.one(x))))  # here",
        {"net": "Net", "se": "Gate"},
    ),
    Kind(
        "sharing",
        "claims: [{id: a, where: x, own_weights: [feed_forward]}]",
        """
        def build():
            return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))
        self.first, self.second = build(), build()
        self.norm = nn.LayerNorm(8)
    def forward(self, x):
        x = self.norm(x + self.first(x))
        return x + {}
""",
        "self.second(x)",
        "self.first(x)  # here",
    ),
    Kind(
        "wrong_attribute, whatever the helper is called",
        "claims: [{id: a, where: x, path: input -> conv(kernel=1) -> relu -> conv(kernel=5) -> output}]",
        """
        self.reduce = nn.Conv2d(8, 4, 1)
        self.conv = conv5(4, 8, {})
    def forward(self, x):
        return self.conv(F.relu(self.reduce(x)))
""",
        "5)  # here\n        assert (True",
        "3)  # here\n        assert (True",
    ),
    Kind(
        "wrong_axis",
        "claims: [{id: a, where: x, attributes: {self_attention: {batch_first: true}}}]",
        """
        self.attention = nn.MultiheadAttention(8, 2{})
    def forward(self, x):
        return x + self.attention(x, x, x)[0]
""",
        ", batch_first=True",
        ")  # here\n        assert (True",
    ),
    Kind(
        "wrong_op",
        "claims: [{id: a, where: x, path: conv -> batch_norm -> relu -> output}]",
        """
        self.conv, self.norm = nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)
    def forward(self, x):
        return {}(self.norm(self.conv(x)))  # here
""",
        "F.relu",
        "F.leaky_relu",
    ),
    Kind(
        "wrong_wiring: a skip around the trunk",
        "terms: {trunk: function}\nblocks: {net: {where: x, flow: 'tanh(conv(trunk(conv(x))))'}}",
        """
        self.head, self.trunk, self.tail = nn.Conv2d(3, 8, 3), Gate(8), nn.Conv2d(8, 8, 1)
    def forward(self, x):
        x = self.head(x)
        y = self.tail(self.trunk(x))
        return torch.tanh({})
""",
        "y",
        "x + y)  # here\n        return (x",
        {"net": "Net", "trunk": "trunk"},
    ),
    Kind(
        "a function of the code's own, by its name",
        "terms: {f: function}\nblocks: {net: {where: x, flow: 'f(2 * linear(x))'}}",
        """
        self.map = nn.Linear(8, 8)
    def forward(self, x):
        return {}  # here
""",
        "squash(2 * self.map(x))",
        "2 * squash(self.map(x))",
        {"net": "Net", "f": "squash"},
    ),
)


def audit(folder: Path, kind: Kind, written: str) -> tuple[Report, set[int]]:
    source = HEAD + "    def __init__(self):\n        super().__init__()" + kind.code.replace("{}", written)
    (folder / "model.py").write_text(source)
    (folder / "spec.yaml").write_text(f"archcheck: 1\nid: a2026\ntitle: A\n{kind.spec}\n")
    request = Request(f"{folder / 'model.py'}:Net", preset=Preset(pinned=kind.bind))
    (report,) = check(request, str(folder / "spec.yaml"))
    here = {number for number, line in enumerate(source.splitlines(), 1) if line.rstrip().endswith("# here")}
    return report, here


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_the_form_of_the_paper_holds(tmp_path: Path, kind: Kind) -> None:
    report, _ = audit(tmp_path, kind, kind.right)
    assert [claim.verdict for claim in report.default.claims] == [Verdict.HOLDS], report.default.claims[0].findings


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_the_other_is_violated_where_it_departs(tmp_path: Path, kind: Kind) -> None:
    report, here = audit(tmp_path, kind, kind.wrong)
    (claim,) = report.default.claims
    assert claim.verdict is Verdict.VIOLATED
    told = {place.span.line for finding in claim.findings for place in finding.places}
    assert here & (told | {span.line for finding in claim.findings for span in finding.reached})


@pytest.mark.parametrize("kind", [kind for kind in KINDS if len(kind.bind) == 2], ids=lambda kind: kind.id)
@pytest.mark.parametrize("written", ["right", "wrong"])
def test_of_a_word_that_nothing_is_bound_to_nothing_is_said(tmp_path: Path, kind: Kind, written: str) -> None:
    unbound = Kind(kind.id, kind.spec, kind.code, kind.right, kind.wrong, {"net": "Net"})
    report, _ = audit(tmp_path, unbound, getattr(kind, written))
    assert report.default.claims[0].verdict is Verdict.UNDETERMINED


CONTROLS = (
    Kind(
        "a 1x1 convolution in a branch is a linear map",
        "blocks: {net: {where: x, flow: 'x + conv(gelu(conv(x, kernel=1)), kernel=1, out_features=8)'}}",
        """
        self.up, self.down = nn.Linear(8, 32), nn.Linear(32, {})
    def forward(self, x):
        return x + self.down(F.gelu(self.up(x)))
""",
        "8",
        "9",
        {"net": "Net"},
    ),
    Kind(
        "a dropout of rate zero drops nothing",
        "blocks: {net: {where: x, flow: 'linear(dropout(relu(linear(x))))'}}",
        """
        self.a, self.b, self.off, self.on = nn.Linear(8, 8), nn.Linear(8, 8), nn.Dropout({}), nn.Dropout(0.1)
    def forward(self, x):
        return self.off(self.b(self.on(F.relu(self.a(x)))))
""",
        "0.0",
        "0.5",
        {"net": "Net"},
    ),
    Kind(
        "a map of joined values is a sum of maps",
        """
blocks:
  net:
    where: x
    flow: |
      z = sigmoid(linear(x) + linear(h))
      c = tanh(linear(x) + linear(z * h))
      (1 - z) * h + z * c
""",
        """
        self.a, self.b = nn.Linear(16, 8), nn.Linear(16, 8)
    def forward(self, x, h):
        z = torch.sigmoid(self.a(torch.cat((x, h), -1)))
        c = torch.tanh(self.b(torch.cat((x, {}), -1)))
        return (1 - z) * h + z * c
""",
        "z * h",
        "h",
        {"net": "Net"},
    ),
    Kind(
        "values that are joined along another axis are not the features of one",
        "blocks: {net: {where: x, flow: relu(linear(x) + linear(h)) * linear(x)}}",
        """
        self.a, self.b = nn.Linear(16, 8), nn.Linear(8, 8)
    def forward(self, x, h):
        x, h = x.view(2, 5, 8), h.view(2, 5, 8)
        return F.relu(self.a(torch.cat((x, h), {}))) * self.b(x)
""",
        "-1",
        "-2",
        {"net": "Net"},
    ),
    Kind(
        "channels of joined images are those of each",
        "blocks: {net: {where: x, flow: 'tanh(conv(x, kernel=3) + conv(h, kernel=3)) * relu(conv(x, kernel=3))'}}",
        """
        self.a, self.b = nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
    def forward(self, x, h):
        return torch.tanh(self.a(torch.cat((x, h), {}))) * F.relu(self.b(x))
""",
        "-3",
        "-1",
        {"net": "Net"},
    ),
    Kind(
        "a map that is a convolution reads the axis behind the batch, and not the last",
        "blocks: {net: {where: x, flow: relu(linear(x) + linear(h)) * linear(x)}}",
        """
        self.a, self.b = nn.Conv1d(16, 8, 1), nn.Conv1d(8, 8, 1)
    def forward(self, x, h):
        return F.relu(self.a(torch.cat((x, h), {}))) * self.b(x)
""",
        "1",
        "-1",
        {"net": "Net"},
    ),
    Kind(
        "a learned vector is the bias of a map that has as many features",
        "blocks: {net: {where: x, flow: tanh(linear(x)) * sigmoid(x)}}",
        """
        self.a, self.b = nn.Linear(8, 8, bias=False), nn.Parameter(torch.zeros({}))
    def forward(self, x):
        return torch.tanh(self.a(x) + self.b) * torch.sigmoid(x)
""",
        "8",
        "1",
        {"net": "Net"},
    ),
    Kind(
        "a learned vector along the width is no bias of channels",
        "blocks: {net: {where: x, flow: 'tanh(conv(x, kernel=3)) * sigmoid(x)'}}",
        """
        self.a, self.b = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.Parameter(torch.zeros(8))
    def forward(self, x):
        return torch.tanh(self.a(x){}) * torch.sigmoid(x)
""",
        "",
        " + self.b",
        {"net": "Net"},
    ),
    Kind(
        "a small number is left out before a root, and not before a square",
        "blocks: {net: {where: x, flow: 'tanh(x ** 2) * sqrt(x)'}}",
        """
    def forward(self, x):
        return torch.tanh({} ** 2) * torch.sqrt(x + 1e-5)
""",
        "x",
        "(x + 1e-5)",
        {"net": "Net"},
    ),
    Kind(
        "a small number that keeps a quotient finite is no part of an equation",
        "blocks: {net: {where: x, flow: 'n = sum(x * x, axis=-1)\\nn / (1 + n) * x / sqrt(n)'}}".replace("'", '"'),
        """
        self.eps = {}
    def forward(self, x):
        n = (x ** 2).sum(-1, keepdim=True)
        return n / (1 + n) / torch.sqrt(n + self.eps) * x
""",
        "1e-7",
        "0.5",
        {"net": "Net"},
    ),
    Kind(
        "an axis that an index adds is a view",
        "blocks: {net: {where: x, flow: x + linear(relu(linear(e)))}}",
        """
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
    def forward(self, x, e):
        e = self.b(F.relu(self.a(e)))
        return x + e[{}]
""",
        "..., None",
        "..., 0, None",
        {"net": "Net"},
    ),
)


def test_whether_a_map_reads_the_axis_of_a_join_that_is_not_known_is_not_determined(tmp_path: Path) -> None:
    """Axis 1 is the last of two axes, and not of three: nothing here tells how many there are."""
    joined = next(kind for kind in CONTROLS if kind.id.startswith("a map of joined"))
    unsure = Kind(joined.id, joined.spec, joined.code.replace(", -1)", ", 1)"), joined.right, joined.wrong, joined.bind)
    report, _ = audit(tmp_path, unsure, unsure.right)
    assert report.default.claims[0].verdict is Verdict.UNDETERMINED


def test_an_equivalence_that_a_claim_rules_out_makes_nothing_equal(tmp_path: Path) -> None:
    joined = next(kind for kind in CONTROLS if kind.id.startswith("a map of joined"))
    strict = joined.spec.replace("    where: x", "    where: x\n    strict: [map of joined values as a sum of maps]")
    report, _ = audit(tmp_path, Kind(joined.id, strict, joined.code, joined.right, joined.wrong, joined.bind), "z * h")
    assert report.default.claims[0].verdict is Verdict.VIOLATED


@pytest.mark.parametrize("kind", CONTROLS, ids=lambda kind: kind.id)
def test_what_is_the_same_in_other_words_holds(tmp_path: Path, kind: Kind) -> None:
    report, _ = audit(tmp_path, kind, kind.right)
    assert report.default.claims[0].verdict is Verdict.HOLDS, report.default.claims[0].findings
    report, _ = audit(tmp_path, kind, kind.wrong)
    assert report.default.claims[0].verdict is Verdict.VIOLATED
