"""Networks of convolutional layers, of which a paper draws a few: each layer is held against the figure that it is."""

from __future__ import annotations

from pathlib import Path

from archcheck.findings import ClaimResult, Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

SPEC = """\
archcheck: 1
id: a2026
title: A
terms: {norm: batch_norm}
sizes: {wide: null}
blocks:
  unit:
    where: Figure 1
    flow: |
      h = relu(norm(conv(x, kernel=1)))
      h = relu(norm(conv(h, kernel=3)))
      relu(x + norm(conv(h, kernel=1)))
  halving:
    where: Figure 2
    flow: |
      h = relu(norm(conv(x, kernel=1, stride=2)))
      h = relu(norm(conv(h, kernel=3, stride=1)))
      relu(norm(conv(x, kernel=1, stride=2)) + norm(conv(h, kernel=1)))
  widening:
    where: Figure 2
    flow: |
      h = relu(norm(conv(x, kernel=1, stride=1)))
      h = relu(norm(conv(h, kernel=3, stride=1)))
      relu(norm(conv(x, kernel=1, stride=1)) + norm(conv(h, kernel=1)))
  other:
    where: Figure 3
    flow: |
      h = relu(norm(conv(x, kernel=3)))
      relu(x + norm(conv(h, kernel=3)))
  stem:
    where: Figure 3
    flow: pool(relu(norm(conv(x, kernel=7, stride=2))), kernel=3, stride=2, mode=max)
"""
CODE = """\
import torch
from torch import nn


class Unit(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        d = cout // 4
        self.one, self.n1 = nn.Conv2d(cin, d, 1, stride=FIRST), nn.BatchNorm2d(d)
        self.two, self.n2 = nn.Conv2d(d, d, 3, stride=SECOND, padding=1), nn.BatchNorm2d(d)
        self.three, self.n3 = nn.Conv2d(d, cout, 1), nn.BatchNorm2d(cout)
        self.skip = nn.Identity()
        if stride != 1 or cin != cout:
            self.skip = nn.Sequential(nn.Conv2d(cin, cout, 1, stride=stride), nn.BatchNorm2d(cout))

    def forward(self, x):
        h = torch.relu(self.n1(self.one(x)))
        h = torch.relu(self.n2(self.two(h)))
        return torch.relu(self.skip(x) + self.n3(self.three(h)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.one = nn.Sequential(Unit(64, 256, 1), Unit(256, 256, 1), Unit(256, 256, 1))
        self.two = nn.Sequential(Unit(256, 512, 2), Unit(512, 512, 1))
        self.three = nn.Sequential(Unit(512, 1024, 2), Unit(1024, 1024, 1), Unit(1024, 1024, 1))
        self.head = nn.Linear(1024, 10)

    def forward(self, x):
        x = self.three(self.two(self.one(self.first(x))))
        return self.head(x.mean((2, 3)))
"""


def claims(folder: Path, code: str, spec: str = SPEC) -> dict[str, ClaimResult]:
    (folder / "net.py").write_text(code)
    (folder / "spec.yaml").write_text(spec)
    (report,) = check(Request(f"{folder / 'net.py'}:Net"), str(folder / "spec.yaml"))
    return {claim.claim: claim for claim in report.default.claims}


def verdicts(found: dict[str, ClaimResult]) -> dict[str, Verdict]:
    return {name: claim.verdict for name, claim in found.items()}


def test_each_layer_is_held_against_the_figure_that_it_is(tmp_path: Path) -> None:
    found = claims(tmp_path, CODE.replace("FIRST", "stride").replace("SECOND", "1"))
    assert verdicts(found) == dict.fromkeys(("unit", "halving", "widening", "stem"), Verdict.HOLDS) | {
        "other": Verdict.UNDETERMINED  # none of the layers is one, or nearly
    }
    assert "no part of Net computes it" in found["other"].findings[0].message


def test_layers_that_nearly_are_a_figure_depart_from_it_where_others_of_their_class_are_one(tmp_path: Path) -> None:
    found = claims(tmp_path, CODE.replace("FIRST", "1").replace("SECOND", "stride"))
    assert verdicts(found) == dict.fromkeys(("unit", "widening", "stem"), Verdict.HOLDS) | {
        "halving": Verdict.VIOLATED,
        "other": Verdict.UNDETERMINED,
    }
    told = {finding.message for finding in found["halving"].findings}
    assert told == {"the stride of convolution is 1, not 2", "the stride of convolution is 2, not 1"}


DEPTHWISE = """\
archcheck: 1
id: a2026
title: A
sizes: {wide: null}
blocks:
  unit:
    where: Figure 1
    flow: |
      h = relu(conv(x, kernel=1, out_features=wide))
      h = relu(conv(h, kernel=3, groups=wide))
      x + conv(h, kernel=1)
"""
INVERTED = """\
import torch
from torch import nn


class Unit(nn.Module):
    def __init__(self, d, more):
        super().__init__()
        self.up, self.down = nn.Conv2d(d, more * d, 1), nn.Conv2d(more * d, d, 1)
        self.each = nn.Conv2d(more * d, more * d, 3, padding=1, groups=GROUPS)

    def forward(self, x):
        return x + self.down(torch.relu(self.each(torch.relu(self.up(x)))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2)
        self.units = nn.Sequential(Unit(16, 4), Unit(16, 6))

    def forward(self, x):
        return self.units(self.stem(x))
"""


def test_a_size_that_is_left_open_is_the_codes_in_each_layer_and_one_number_there(tmp_path: Path) -> None:
    held = claims(tmp_path, INVERTED.replace("GROUPS", "more * d"), DEPTHWISE)["unit"]
    assert held.verdict is Verdict.HOLDS
    assert {"wide = 64, the code's", "wide = 96, the code's"} <= set(held.equivalences)
    departs = claims(tmp_path, INVERTED.replace("GROUPS", "2"), DEPTHWISE)["unit"]
    assert departs.verdict is Verdict.VIOLATED
    assert "the groups of convolution is 2, not 64" in {finding.message for finding in departs.findings}
