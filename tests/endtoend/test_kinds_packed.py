"""Gates that code keeps in one map and cuts, where a paper writes a map for each: the form holds, a fault in it not."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from tests.endtoend.test_kinds import Kind, audit

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
