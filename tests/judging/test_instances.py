"""From a model that torch makes to verdicts: what a traced process tells, under torch's own initialisers.

Torch runs in a process of its own, where nothing of archcheck can be imported: in this Python, or in the one that
$ARCHCHECK_TORCH_PYTHON names.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from initial_cases import instance, judged, subject

from archcheck.findings import Verdict

START = """
def start(model, n, scaled=True):  # Wang et al. 2022, Figure 2: encoder-only
    beta = (8 * n) ** -0.25 if scaled else 1
    for block in model.blocks:
        a = block.attention
        for one in (a.one, a.two):
            init.xavier_normal_(one.weight)
        for one in (a.three, a.four, block.up, block.down):
            init.xavier_normal_(one.weight, gain=beta)
"""
DEEPNET = (
    "init: {of: [feed_forward.linear, attention.value, attention.output], scheme: xavier_normal, gain: (8*N)**(-1/4)}"
)
RELATIVE = "init: {of: [attention.value, attention.output], ratio: (8*N)**(-1/4), to: [attention.query, attention.key]}"
GPT2 = "init: {of: [attention.output, feed_forward.output], scheme: normal, std: 0.02/sqrt(2*N)}"
ZERO = "init: {of: residual.last_norm, weight: 0}"


def verdict(folder: Path, code: str, symbol: str, *claims: str) -> list[Verdict]:
    model = subject(folder, symbol, instance(code)[0])
    return [judged(model, claim).verdict for claim in claims]


def test_deepnets_start(tmp_path: Path) -> None:
    good = verdict(tmp_path, START + "model = Model()\nstart(model, 4)", "Model", DEEPNET, RELATIVE)
    assert good == [Verdict.HOLDS] * 2
    plain = verdict(tmp_path, START + "model = Model()\nstart(model, 4, scaled=False)", "Model", DEEPNET, RELATIVE)
    assert plain == [Verdict.VIOLATED] * 2
    copy = verdict(tmp_path, START + "model = Model(2, 32)\nstart(model, 2)", "Model", DEEPNET, RELATIVE)
    assert copy == [Verdict.HOLDS] * 2


@pytest.mark.parametrize(
    ("symbol", "output", "value"),
    [
        ("OfFused", "b.attention.out.weight", "b.attention.qkv.weight[128:]"),
        ("OfTorch", "b.attention.inner.out_proj.weight", "b.attention.inner.in_proj_weight[128:]"),
    ],
)
def test_gpt2s_start_with_the_projections_in_one_matrix(tmp_path: Path, symbol: str, output: str, value: str) -> None:
    code = f"""
model = {symbol}()
for b in model.blocks:
    for weight in b.parameters():
        if weight.dim() > 1:
            init.normal_(weight, std=0.02)
    for weight in ({output}, b.down.weight):
        init.normal_(weight, std=0.02 / 8 ** 0.5)
"""
    query = "init: {of: [attention.query, attention.key, attention.value], scheme: normal, std: 0.02}"
    assert verdict(tmp_path, code, symbol, GPT2, query) == [Verdict.HOLDS] * 2
    halved = code + f"    with torch.no_grad(): {value} *= 0.5\n"
    assert verdict(tmp_path, halved, symbol, GPT2, query) == [Verdict.HOLDS, Verdict.VIOLATED]


def test_a_residual_branch_that_starts_at_zero(tmp_path: Path) -> None:
    assert verdict(tmp_path, "model = Basic()\ninit.zeros_(model.n2.weight)", "Basic", ZERO) == [Verdict.HOLDS]
    assert verdict(tmp_path, "model = Basic()", "Basic", ZERO) == [Verdict.VIOLATED]
    last = "init: {of: residual.last_linear, weight: 0, bias: 0}"
    code = "model = Residual()\ninit.zeros_(model.down.weight); init.zeros_(model.down.bias)"
    assert verdict(tmp_path, code, "Residual", last) == [Verdict.HOLDS]
    assert verdict(tmp_path, "model = Residual()", "Residual", last) == [Verdict.VIOLATED]


@pytest.mark.parametrize(
    ("call", "claim"),
    [
        ("kaiming_normal_(w)", "scheme: kaiming_normal"),
        ("kaiming_normal_(w, mode='fan_out')", "scheme: kaiming_normal, fan: out"),
        ("kaiming_uniform_(w, a=5 ** 0.5)", "scheme: kaiming_uniform, gain: sqrt(1/3)"),
        ("xavier_uniform_(w, gain=0.5)", "scheme: xavier_uniform, gain: 0.5"),
        ("uniform_(w, -0.1, 0.1)", "bound: 0.1"),
        ("trunc_normal_(w, std=0.02)", "scheme: truncated_normal, std: 0.02"),
        ("trunc_normal_(w, std=0.02, a=-0.04, b=0.04)", "scheme: truncated_normal, std: 0.02, cut: 2"),
        ("constant_(w, 0.1)", "weight: 0.1"),
    ],
)
def test_torchs_initialisers_are_what_papers_call_them(tmp_path: Path, call: str, claim: str) -> None:
    code = f"model = Basic(32)\nfor w in (model.c1.weight, model.c2.weight): init.{call}"
    stated = f"init: {{of: conv, {claim}}}"
    others = ["init: {of: conv, scheme: normal, std: 0.02}", "init: {of: conv, weight: 0}"]
    assert verdict(tmp_path, code, "Basic", stated, *others) == [Verdict.HOLDS, Verdict.VIOLATED, Verdict.VIOLATED] or (
        "trunc_normal_(w, std=0.02)" in call  # which cuts nothing off
        and verdict(tmp_path, code, "Basic", stated, *others) == [Verdict.HOLDS, Verdict.HOLDS, Verdict.VIOLATED]
    )


def test_what_is_told_of_each_tensor() -> None:
    found, tied = instance("model = Model(2, 32)\nmodel.blocks[1].before = model.blocks[0].before")
    assert ["tokens.weight", "head.weight"] in tied
    assert ["blocks.0.before.weight", "blocks.1.before.weight"] in tied
    assert found["head.weight"] is found["tokens.weight"]
    assert found["head.weight"].name == "tokens.weight"
    up = found["blocks.0.up.weight"]
    assert (up.shape, up.count, up.fan_in, up.fan_out) == ((128, 32), 4096, 32, 128)
    assert up.layer == "torch.nn.modules.linear.Linear"
    assert (found["last.weight"].ones, found["last.bias"].zeros, found["last.weight"].fan_in) == (32, 32, 0)
    assert found["last.weight"].constant == 1
    assert found["blocks.0.second.gamma"].layer.endswith("Norm")


def test_what_has_no_values_gives_no_figures() -> None:
    found, tied = instance("""
with torch.device("meta"):
    model = Model(1, 32)
model.real = nn.Linear(2, 3, bias=False)
model.lazy = nn.LazyLinear(3)
model.made = nn.Parameter(torch.full((3,), float("nan")))
model.whole = nn.Parameter(torch.ones(3, dtype=torch.int64), requires_grad=False)
model.none = nn.Parameter(torch.zeros(0))
model.register_parameter("absent", None)
model.circle = nn.Module()
model.circle.back = model
""")
    assert list(found) == ["real.weight"]
    assert tied[0] == ["tokens.weight", "head.weight"]  # identity needs no values


def test_a_matrix_with_its_inputs_first() -> None:
    found, _ = instance("""
class Conv1D(nn.Module):  # transformers.pytorch_utils
    def __init__(self, nf, nx):
        super().__init__()
        self.nf, self.nx = nf, nx
        self.weight = nn.Parameter(torch.randn(nx, nf))

model = nn.Sequential(Conv1D(96, 32))
with torch.no_grad():
    model[0].weight[:, 64:] = 0
""")
    weight = found["0.weight"]
    assert (weight.fan_in, weight.fan_out) == (32, 96)
    assert [third.shape for third in weight.thirds] == [(32, 32)] * 3
    assert [third.constant for third in weight.thirds] == [None, None, 0]
    assert (weight.thirds[2].fan_in, weight.thirds[2].fan_out) == (32, 32)
