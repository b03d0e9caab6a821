"""Attention that code writes out: the form holds, and a fault in its layout, its scale or its weights does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_kinds import Kind, audit

from archcheck.findings import Verdict

LAYER = """
blocks:
  net:
    where: x
    flow: |
      x = layer_norm(x + self_attention(x))
      x = layer_norm(x + feed_forward(x))
"""
ATTENTION = """
sizes: {d_k: 16}
blocks:
  net:
    where: x
    flow: linear(attention(linear(x), linear(x), linear(x), scale=1/sqrt(d_k)))
"""

KINDS = (
    Kind(
        "the batch and the tokens exchanged by a reshape",
        ATTENTION,
        """
        self.qkv, self.out = nn.Linear(64, 192), nn.Linear(64, 64)
    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).reshape({}, 3, 4, 16).permute(2, 0, 3, 1, 4)
        y = (q @ k.transpose(-1, -2) / 4).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, d))
""",
        "b, t",
        "t, b",
        {"net": "Net"},
    ),
    Kind(
        "the same, where one of the two is not told",
        ATTENTION,
        """
        self.q, self.k, self.v, self.out = (nn.Linear(64, 64) for _ in range(4))
    def forward(self, x):
        b = x.size(0)
        q, k, v = (f(x).view({}, 4, 16).transpose(1, 2) for f in (self.q, self.k, self.v))
        y = (q @ k.transpose(-1, -2) / 4).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(b, -1, 64))
""",
        "b, -1",
        "-1, b",
        {"net": "Net"},
    ),
    Kind(
        "heads that an einsum lays out in front, with their scale and without",
        ATTENTION,
        """
        self.q, self.k, self.v, self.o = (nn.Parameter(torch.randn(64, 4, 16)) for _ in range(4))
    def forward(self, x):
        q, k, v = (torch.einsum("btd,dhk->bhtk", x, w) for w in (self.q, self.k, self.v))
        scores = torch.einsum("bhik,bhjk->bhij", q, k){}
        return torch.einsum("bhik,dhk->bid", torch.einsum("bhij,bhjk->bhik", scores.softmax(-1), v), self.o)
""",
        " / 16**0.5",
        "",
        {"net": "Net"},
    ),
    Kind(
        "a bias that is a vector of another op",
        LAYER,
        """
        self.attention, self.one = nn.MultiheadAttention(64, 4, batch_first=True), nn.LayerNorm(64)
        self.up, self.down = nn.Linear(64, 256), nn.Linear(256, 64, bias=False)
        self.gain, self.shift = nn.Parameter(torch.ones(64)), nn.Parameter(torch.zeros(64))
        self.other = nn.Parameter(torch.zeros(64))
    def forward(self, x):
        x = self.one(x + self.attention(x, x, x)[0])
        y = F.linear(F.relu(self.up(x)), self.down.weight, self.shift)
        return F.layer_norm(x + y, (64,), self.gain, {})
""",
        "self.other",
        "self.shift",
        {"net": "Net"},
    ),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_the_one_form_holds_and_the_other_departs(tmp_path: Path, kind: Kind) -> None:
    for written, verdict in ((kind.right, Verdict.HOLDS), (kind.wrong, Verdict.VIOLATED)):
        report, _ = audit(tmp_path, kind, written)
        (claim,) = report.default.claims
        assert claim.verdict is verdict, claim.findings


def test_what_makes_zeros_of_zeros_changes_nothing(tmp_path: Path) -> None:
    kind = Kind(
        "",
        "blocks: {net: {where: x, flow: relu(linear(x))}}",
        """
        self.map = nn.Linear(8, 8)
        self.register_buffer("low", torch.zeros(8))
    def forward(self, x):
        x = self.map(x)
        return torch.maximum(x, {})
""",
        "torch.tanh(torch.zeros_like(x))",
        "torch.tanh(self.low)",
        {"net": "Net"},
    )
    for written, verdict in ((kind.right, Verdict.HOLDS), (kind.wrong, Verdict.VIOLATED)):
        report, _ = audit(tmp_path, kind, written)
        (claim,) = report.default.claims
        assert (claim.verdict is Verdict.HOLDS) == (verdict is Verdict.HOLDS), claim.findings
