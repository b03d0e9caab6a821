"""Gates that code keeps in one map and cuts, where a paper writes a map for each: the form holds, a fault in it not."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_kinds import Kind, audit

from archcheck.findings import Verdict

GRU = """
blocks:
  net:
    where: x
    flow: |
      z = sigmoid({map}(x) + {map}(h))
      r = sigmoid({map}(x) + {map}(h))
      c = tanh({map}(x) + {map}(r * h))
      (1 - z) * h + z * c
"""
LSTM = """
blocks:
  net:
    where: x
    flow: |
      i = sigmoid(linear(x) + linear(h))
      f = sigmoid(linear(x) + linear(h))
      o = sigmoid(linear(x) + linear(h))
      c = f * c + i * tanh(linear(x) + linear(h))
      o * tanh(c)
"""

PACKED = (
    Kind(
        "convolutions of two gates in one, cut behind the sigmoid",
        GRU.format(map="conv"),
        """
        self.a, self.b = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 8, 3, padding=1)
    def forward(self, x, h):
        r, z = torch.sigmoid(self.a(torch.cat([x, h], 1))).split(8, dim=1)
        c = torch.tanh(self.b(torch.cat([x, {}], 1)))
        return (1 - z) * h + z * c
""",
        "r * h",
        "h",
        {"net": "Net"},
    ),
    Kind(
        "channels of images are cut, and not their rows",
        GRU.format(map="conv"),
        """
        self.a, self.b = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 8, 3, padding=1)
    def forward(self, x, h):
        r, z = self.a(torch.cat([x, h], 1)).chunk(2, {})
        r, z = r.sigmoid(), z.sigmoid()
        c = torch.tanh(self.b(torch.cat([x, r * h], 1)))
        return (1 - z) * h + z * c
""",
        "1",
        "2",
        {"net": "Net"},
    ),
    Kind(
        "four gates of a sum of two maps, and a state that is a tuple",
        LSTM,
        """
        self.a, self.b = nn.Linear(8, 32), nn.Linear(8, 32, bias=False)
    def forward(self, x, state):
        h, c = state
        f, i, g, o = (self.a(x) + self.b(h)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh({})
        return h, c
""",
        "c",
        "g",
        {"net": "Net"},
    ),
    Kind(
        "a number that is added to what has a bias is part of the bias",
        LSTM,
        """
        self.a = nn.Linear(16, 32, bias={})
    def forward(self, x, h, c):
        f, i, g, o = self.a(torch.cat([x, h], -1)).chunk(4, -1)
        c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c)
""",
        "True",
        "False",
        {"net": "Net"},
    ),
    Kind(
        "what a paper calls a gate is one minus the gate of the code, where it is learned",
        GRU.format(map="linear"),
        """
        self.a, self.b, self.c = nn.Linear(16, 8), nn.Linear(16, 8), nn.Linear(16, 8)
    def forward(self, x, h):
        j = torch.cat([x, h], -1)
        z, r = torch.sigmoid(self.a(j)), torch.sigmoid(self.{}(j))
        c = torch.tanh(self.c(torch.cat([x, r * h], -1)))
        return z * h + (1 - z) * c
""",
        "b",
        "a",  # whose sign is then not free, and which is no gate of its own
        {"net": "Net"},
    ),
    Kind(
        "factors and shifts that a claim takes as given, and code makes of a condition",
        """
blocks:
  net:
    where: x
    flow: |
      x = x + linear(relu(linear(x * (1 + s) + b)))
      x + linear(gelu(linear(x * (1 + s) + b)))
""",
        """
        self.m, self.n = nn.Linear(8, 8), nn.Linear(8, 8)
        self.a, self.b, self.c, self.d = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
    def forward(self, x, c):
        s, b = torch.tanh(self.m({})), self.n(F.silu(c))
        x = x + self.a(F.relu(self.b(x * (1 + s) + b)))
        return x + self.c(F.gelu(self.d(x * (1 + s) + b)))
""",
        "c",
        "x",
        {"net": "Net"},
    ),
    Kind(
        "a window of the size of the map is global pooling",
        'blocks: {net: {where: x, flow: \'conv(pool(relu(conv(x)), mode="mean", scope="global"))\'}}',
        """
        self.a, self.b = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
    def forward(self, x):
        x = F.relu(self.a(x))
        return self.b({}(x, (x.size(2), x.size(3))))
""",
        "F.avg_pool2d",
        "F.max_pool2d",
        {"net": "Net"},
    ),
    Kind(
        "the parts of a learned matrix are matrices",
        GRU.format(map="linear"),
        """
        self.w, self.u = nn.Parameter(torch.zeros(8, 24)), nn.Parameter(torch.zeros(8, 24))
        self.b = nn.Parameter(torch.zeros(24))
    def forward(self, x, h):
        own, of_r = torch.split(self.u, [16, 8], 1)
        zr, c = torch.split(x @ self.w + self.b, [16, 8], -1)
        z, r = torch.sigmoid(zr + h @ own).chunk(2, -1)
        c = torch.tanh(c + ({}) @ of_r)
        return (1 - z) * h + z * c
""",
        "r * h",
        "z * h",
        {"net": "Net"},
    ),
)


@pytest.mark.parametrize("kind", PACKED, ids=lambda kind: kind.id)
def test_gates_in_one_map_are_maps_of_each(tmp_path: Path, kind: Kind) -> None:
    report, _ = audit(tmp_path, kind, kind.right)
    assert report.default.claims[0].verdict is Verdict.HOLDS, report.default.claims[0].findings
    report, _ = audit(tmp_path, kind, kind.wrong)
    assert report.default.claims[0].verdict is Verdict.VIOLATED


def test_a_map_that_is_also_read_whole_is_not_taken_apart(tmp_path: Path) -> None:
    """Its parts are then no maps of their own: what is made of them hangs together with the rest."""
    spec = "blocks: {net: {where: x, flow: 'sigmoid(linear(x)) * tanh(linear(x)) + sum(linear(x), axis=-1)'}}"
    code = """
        self.a, self.b = nn.Linear(8, 16), nn.Linear(8, 16)
    def forward(self, x):
        y = self.a(x)
        f, g = y.chunk(2, -1)
        return torch.sigmoid(f) * torch.tanh(g) + {}.sum(-1, keepdim=True)
"""
    report, _ = audit(tmp_path, Kind("whole", spec, code, "", "", {"net": "Net"}), "y")
    assert report.default.claims[0].verdict is not Verdict.HOLDS
    report, _ = audit(tmp_path, Kind("whole", spec, code, "", "", {"net": "Net"}), "self.b(x)")
    assert report.default.claims[0].verdict is Verdict.HOLDS


TURNED = "blocks: {net: {where: x, flow: '(1 - sigmoid(x)) * h + sigmoid(x) * tanh(linear(x))'}}"


@pytest.mark.parametrize(
    ("written", "verdict"),
    [("(1 - g) * h + g * c", Verdict.HOLDS), ("g * h + (1 - g) * c", Verdict.VIOLATED)],
)
def test_a_gate_that_learns_nothing_has_its_sign(tmp_path: Path, written: str, verdict: Verdict) -> None:
    code = """
        self.a = nn.Linear(8, 8)
    def forward(self, x, h):
        g, c = torch.sigmoid(x), torch.tanh(self.a(x))
        return {}
"""
    report, _ = audit(tmp_path, Kind("turned", TURNED, code, "", "", {"net": "Net"}), written)
    assert report.default.claims[0].verdict is verdict


LAID_OUT = (
    Kind(
        "what a convolution gives beside its input's length is cut off",
        "blocks: {net: {where: x, flow: relu(x + relu(conv(x)))}}",
        """
        self.a = nn.Conv1d(8, 8, 3, padding=2)
    def forward(self, x):
        return F.relu(x + {}(self.a(x)[:, :, 1:-1]))
""",
        "F.relu",
        "F.gelu",
        {"net": "Net"},
    ),
    Kind(
        "products in an index notation",
        "blocks: {net: {where: x, flow: '(q @ (k.T @ v)) / (q @ sum(k, axis=1))'}}",
        """
    def forward(self, q, k, v):
        z = 1 / torch.einsum("nlhd,nhd->nlh", q, k.sum(1))
        return torch.einsum("nlhd,nhmd,nlh->nlhm", q, {}, z)
""",
        'torch.einsum("nshd,nshm->nhmd", k, v)',
        'torch.einsum("nshd,nshm->nhmd", k.relu(), v)',
        {"net": "Net"},
    ),
)


@pytest.mark.parametrize("kind", LAID_OUT, ids=lambda kind: kind.id)
def test_a_layout_alone_is_no_alarm_and_hides_none(tmp_path: Path, kind: Kind) -> None:
    report, _ = audit(tmp_path, kind, kind.right)
    assert report.default.claims[0].verdict is Verdict.UNDETERMINED
    assert "layout" in report.default.claims[0].findings[0].message
    report, _ = audit(tmp_path, kind, kind.wrong)
    assert report.default.claims[0].verdict is Verdict.VIOLATED


def test_parts_of_a_map_of_unknown_width_may_be_the_maps_that_a_claim_writes(tmp_path: Path) -> None:
    kind = Kind(
        "",
        GRU.format(map="linear"),
        """
        self.x, self.n = nn.Linear(16, 24), nn.Linear(8, 8)
        self.h = nn.Parameter(torch.randn(8, 24))
    def forward(self, x, h):
        a, b, c = self.x(x).chunk(3, -1)
        both = h @ self.h[:, :16]
        r, z = torch.sigmoid(a + both[:, :8]), torch.sigmoid(b + both[:, 8:])
        n = torch.tanh(c + (r * h) @ self.h[:, 16:])
        return (1 - z) * h + z * n
""",
        "",
        "",
        {"net": "Net"},
    )
    report, _ = audit(tmp_path, kind, "")
    (claim,) = report.default.claims
    assert claim.verdict is Verdict.UNDETERMINED
    assert all(finding.verdict is Verdict.UNDETERMINED for finding in claim.findings)
