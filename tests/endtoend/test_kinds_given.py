"""What code has where an equation names any value, and what is changed in place; each in a few lines.

`{}` in the code is where what holds and what departs differ, as in test_kinds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from tests.endtoend.test_kinds import Kind, audit

KINDS = (
    Kind(
        "a number stands for what scales a branch",
        "blocks: {net: {where: x, flow: x + beta * conv(relu(conv(x)))}}",
        """
        self.a, self.b = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
    def forward(self, x):
        return x + self.b(F.relu(self.a(x))){}
""",
        " * 0.1",
        "",
    ),
    Kind(
        "a learned vector stands for what scales a branch",
        "blocks: {net: {where: x, flow: x + gamma * conv(relu(conv(x)))}}",
        """
        self.a, self.b = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.g = nn.Parameter(torch.ones(8, 1, 1))
    def forward(self, x):
        return x + {}self.b(F.relu(self.a(x)))
""",
        "self.g * ",
        "",
    ),
    Kind(
        "a norm that is written out is that of the code, whose weights are learned",
        "blocks: {net: {where: x, flow: 'a / sqrt(mean(a * a, axis=-1) + eps) * g'}}",
        """
        self.g = nn.Parameter(torch.ones(8))
    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean({}, keepdim=True) + 1e-6) * self.g
""",
        "-1",
        "-2",
        {"net": "Net"},
    ),
    Kind(
        "two norms that a learned weight mixes",
        "blocks: {net: {where: x, flow: 'p = (a - mean(a, axis=2)) / sqrt(var(a, axis=2) + e)\\n"
        "q = (a - mean(a, axis=1)) / sqrt(var(a, axis=1) + e)\\nr * p + (1 - r) * q'}}".replace("'", '"'),
        """
        self.r = nn.Parameter(torch.ones(1, 8, 1))
    def forward(self, x):
        p = (x - x.mean(2, keepdim=True)) / torch.sqrt(x.var(2, keepdim=True) + 1e-5)
        q = (x - x.mean({}, keepdim=True)) / torch.sqrt(x.var({}, keepdim=True) + 1e-5)
        return self.r * p + (1 - self.r) * q
""",
        "1",
        "2",
        {"net": "Net"},
    ),
    Kind(
        "a residual behind an activation that works in place is that of its result",
        "blocks: {net: {where: x, flow: x + conv(relu(conv(relu(x))))}}",
        """
        self.body = nn.Sequential(nn.ReLU({}), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(True), nn.Conv2d(8, 8, 1))
    def forward(self, x):
        return self.body(x) + x
""",
        "False",
        "inplace=True",
    ),
    Kind(
        "so is one behind a function that does",
        "blocks: {net: {where: x, flow: x + conv(relu(x))}}",
        """
        self.a = nn.Conv2d(8, 8, 3, padding=1)
    def forward(self, x):
        y = F.relu(x{})
        return self.a(y) + x
""",
        "",
        ", inplace=True",
    ),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_the_one_form_holds_and_the_other_departs(tmp_path: Path, kind: Kind) -> None:
    report, _ = audit(tmp_path, kind, kind.right)
    assert report.default.claims[0].verdict is Verdict.HOLDS, report.default.claims[0].findings
    report, _ = audit(tmp_path, kind, kind.wrong)
    assert report.default.claims[0].verdict is Verdict.VIOLATED


def test_what_was_given_to_a_name_is_told_and_a_strict_claim_bars_it(tmp_path: Path) -> None:
    kind = KINDS[0]
    report, _ = audit(tmp_path, kind, kind.right)
    assert "beta = 0.1, the code's" in report.default.claims[0].equivalences
    strict = kind.spec.replace("where: x,", "where: x, strict: [constant as an input],")
    report, _ = audit(tmp_path, Kind(kind.id, strict, kind.code, kind.right, kind.wrong), kind.right)
    assert report.default.claims[0].verdict is Verdict.VIOLATED
