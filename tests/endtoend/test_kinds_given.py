"""What code has where an equation names any value, and what is changed in place; each in a few lines.

`{}` in the code is where what holds and what departs differ, as in test_kinds.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from test_kinds import Kind, audit

from archcheck.findings import Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

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


REPARAMETRISED = (
    Kind(
        "what is added before a convolution, in whatever way, is not stated",
        "blocks: {net: {where: x, flow: 'x + conv(relu(conv(x, kernel=3)), kernel=3)'}}",
        """
        self.a, self.b = nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3)
        self.pad = nn.{}
    def forward(self, x):
        return x + self.b(self.pad(F.relu(self.a(self.pad(x)))))
""",
        "ReflectionPad2d(1)",
        "Softplus()",
    ),
    Kind(
        "a convolution is made causal by what is cut off behind it, as much as it adds",
        "blocks: {net: {where: x, flow: 'x + relu(conv(x, dilation=2))'}}",
        """
        self.a = nn.Conv1d(8, 8, 3, padding=4, dilation=2)
    def forward(self, x):
        return x + F.{}(self.a(x)[:, :, :-4])
""",
        "relu",
        "gelu",
    ),
    Kind(
        "a gate may be turned around, and is then turned wherever it stands",
        "blocks: {net: {where: x, flow: 'z = sigmoid(linear(x) + linear(h))\\nn = tanh(linear(x) + linear(h))\\n"
        "(1 - z) * h + z * n'}}".replace("'", '"'),
        """
        self.a, self.b, self.c, self.d = (nn.Linear(8, 8) for _ in range(4))
    def forward(self, x, h):
        z = torch.sigmoid(self.a(x) + self.b(h))
        n = torch.tanh(self.c(x) + self.d(h))
        return z * h + {} * n
""",
        "(1 - z)",
        "z",
        {"net": "Net"},
    ),
    Kind(
        "parts of one tensor stand for the inputs of an equation",
        "blocks: {net: {where: x, flow: 'tanh(a) * sigmoid(b) + relu(c)'}}",
        """
    def forward(self, x):
        a, b, c = torch.chunk(x, 3, dim=1)
        return torch.tanh(a) * torch.sigmoid(b) + {}
""",
        "F.relu(c)",
        "torch.exp(c)",
        {"net": "Net"},
    ),
    Kind(
        "a product with a matrix goes before a map or behind it, but for a bias",
        "blocks: {net: {where: x, flow: relu((adj @ h) @ w)}}",
        """
        self.w = nn.Linear(8, 4, bias={})
    def forward(self, h, adj):
        return F.relu(torch.spmm(adj, self.w(h)))
""",
        "False",
        "True",
        {"net": "Net"},
    ),
)


@pytest.mark.parametrize("kind", REPARAMETRISED, ids=lambda kind: kind.id)
def test_what_is_the_same_family_of_functions_holds(tmp_path: Path, kind: Kind) -> None:
    report, _ = audit(tmp_path, kind, kind.right)
    assert report.default.claims[0].verdict is Verdict.HOLDS, report.default.claims[0].findings
    report, _ = audit(tmp_path, kind, kind.wrong)
    assert report.default.claims[0].verdict is Verdict.VIOLATED


def test_a_product_with_what_is_none_is_no_product_with_none(tmp_path: Path) -> None:
    """Another method puts a tensor there: what it is cannot be told here."""
    code = """
        self.w = None
    def forward(self, x):
        return torch.tanh(x + x * self.w)
"""
    kind = Kind("a", "claims: [{id: a, where: x, path: input -> mul(by=2) -> ... -> output}]", code, "", "")
    report, _ = audit(tmp_path, kind, "")
    assert report.default.claims[0].verdict is not Verdict.HOLDS


_WRITTEN = (
    ("tf.layers.dense(tf.tanh(x), 1)", Verdict.HOLDS),
    ("tf.tanh(tf.layers.dense(x, 1))", Verdict.VIOLATED),
)


def test_a_class_that_builds_its_graph_as_it_is_made_is_read(tmp_path: Path) -> None:
    code = """\
import tensorflow as tf


class Net:
    def __init__(self, size):
        x = tf.placeholder(tf.float32, [None, 7, size], name="x")
        score = {}
        self.weights = tf.nn.softmax(score, axis=1)
        self.out = tf.matmul(tf.transpose(x, [0, 2, 1]), self.weights)
"""
    spec = "archcheck: 1\nid: a2026\ntitle: A\nclaims: [{id: a, where: x, path: tanh -> linear -> softmax(axis=1)}]\n"
    (tmp_path / "spec.yaml").write_text(spec)
    for written, verdict in _WRITTEN:
        (tmp_path / "model.py").write_text(code.replace("{}", written))
        request = Request(f"{tmp_path / 'model.py'}:Net", {"size": "8"})
        (report,) = check(request, str(tmp_path / "spec.yaml"))
        assert report.default.claims[0].verdict is verdict
