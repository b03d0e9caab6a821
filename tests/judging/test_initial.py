"""Claims about initial values, held against figures made by hand: what a trace would bring."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from initial_cases import HEAD, constant, judged, sample, subject

from archcheck.findings import ClaimResult, Verdict
from archcheck.ir.weights import Initial

BETA = (8 * 4) ** -0.25
PARTS = "feed_forward.linear, attention.value, attention.output"
DEEPNET = f"init: {{of: [{PARTS}], scheme: xavier_normal, gain: (8*N)**(-1/4)}}"


def deepnet(layers: int = 4, d: int = 64, beta: float = BETA) -> dict[str, Initial]:
    """The weights of `Model` as DeepNet starts them."""
    found: dict[str, Initial] = {}
    for number in range(layers):
        place = f"blocks.{number}"
        for name, gain in (("one", 1.0), ("two", 1.0), ("three", beta), ("four", beta)):
            add(found, sample(f"{place}.attention.{name}.weight", (d, d), gain / math.sqrt(d)))
            add(found, constant(f"{place}.attention.{name}.bias", (d,), 0))
        for name, shape in (("up", (4 * d, d)), ("down", (d, 4 * d))):
            add(found, sample(f"{place}.{name}.weight", shape, beta * math.sqrt(2 / (5 * d))))
            add(found, constant(f"{place}.{name}.bias", shape[:1], 0))
        add(found, constant(f"{place}.before.weight", (d,), 1))
        add(found, constant(f"{place}.before.bias", (d,), 0))
        add(found, constant(f"{place}.second.gamma", (d,), 1))
        add(found, constant(f"{place}.factor", (d,), 0))
    add(found, sample("tokens.weight", (100, d), 0.02))
    add(found, constant("last.weight", (d,), 1))
    return found


def add(to: dict[str, Initial], one: Initial) -> None:
    to[one.name] = one


@pytest.fixture(scope="module")
def weights() -> dict[str, Initial]:
    return deepnet()


def message(result: ClaimResult) -> str:
    (finding,) = result.findings
    return finding.message


def test_without_an_instance_nothing_is_known_and_the_report_says_how_to_know(tmp_path: Path) -> None:
    result = judged(subject(tmp_path), DEEPNET)
    assert result.verdict is Verdict.UNDETERMINED
    (finding,) = result.findings
    assert finding.rule == "not-determined"
    assert finding.message == f"the initial values of {PARTS} are not known from reading"
    assert "--trace" in finding.fix
    assert finding.places[0].span.line > 1  # of the class


def test_a_trace_without_values_is_not_told_to_be_a_reading(tmp_path: Path) -> None:
    read = subject(tmp_path)
    traced = replace(read, graph=replace(read.graph, origin=replace(read.graph.origin, frontend="trace")))
    result = judged(traced, DEEPNET)
    assert result.verdict is Verdict.UNDETERMINED
    assert result.findings[0].message.endswith("the trace made no instance with values")


@pytest.mark.parametrize(
    "claim",
    [
        DEEPNET,
        DEEPNET.replace("xavier_normal", "xavier"),
        "init: {of: [attention.query, attention.key], scheme: xavier_normal}",
        "init: {of: [attention.query], scheme: kaiming_normal, gain: 1}",
        "init: {of: feed_forward.first_linear, scheme: normal, std: (8*N)**(-1/4) * sqrt(2/(fan_in + fan_out))}",
        "init: {of: attention.query in layer, std: d**-0.5}",
        "init: {of: [attention.value, attention.output], ratio: (8*N)**(-1/4), to: [attention.query, attention.key]}",
        "init: {of: [attention, feed_forward.linear], bias: 0}",
        "init: {of: layer, bias: 0}",
        "init: {of: scale, weight: 0}",
        "init: {of: [residual.last_norm], weight: 1}",
        "init: {of: rms_norm, weight: 1}",
        "init: {of: embedding, scheme: normal, std: sigma}",
        "init: {of: embedding, scheme: truncated_normal, std: sigma}",  # torch's cuts nothing off
        "init: [{of: scale, weight: 0}, {of: embedding, std: 0.02}]",
    ],
)
def test_what_holds(tmp_path: Path, weights: dict[str, Initial], claim: str) -> None:
    result = judged(subject(tmp_path, initial=weights), claim)
    assert result.findings == ()
    assert result.verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (
            "init: {of: attention.value, scheme: xavier_normal}",
            "the weight of attention.value starts with standard deviation 0.05",
        ),
        (
            "init: {of: attention.query, scheme: xavier_uniform}",
            "not a uniform distribution up to 0.2165, in all 4 layers",
        ),
        (
            "init: {of: attention.value, ratio: 1, to: attention.query}",
            "the weight of attention.value starts with standard deviation 0.05",
        ),
        ("init: {of: scale, weight: 1e-4}", "the weight of scale starts with 0, not 0.0001, in all 4 layers"),
        ("init: {of: layer_norm, weight: 0}", "the weight of layer_norm starts with 1, not 0, in all 4 layers"),
        ("init: {of: embedding, weight: 0}", "the weight of embedding starts with values between -0.0"),
        ("init: {of: embedding, scheme: truncated_normal, std: 0.02, cut: 2}", "starts with standard deviation"),
        ("init: {of: feed_forward, bias: 1}", "the bias of feed_forward starts with 0, not 1, in all 4 layers"),
        ("init: {of: scale, std: 0.02}", "starts with the one value 0, not standard deviation 0.02, in all 4 layers"),
    ],
)
def test_what_does_not(tmp_path: Path, weights: dict[str, Initial], claim: str, said: str) -> None:
    result = judged(subject(tmp_path, initial=weights), claim)
    assert result.verdict is Verdict.VIOLATED
    assert said in result.findings[0].message
    assert all(finding.rule == "initial-values" for finding in result.findings)


def test_a_finding_names_the_layers_that_differ_the_line_and_the_sizes(
    tmp_path: Path, weights: dict[str, Initial]
) -> None:
    name = "blocks.2.attention.three.weight"
    result = judged(subject(tmp_path, initial={**weights, name: sample(name, (64, 64), 1 / 8)}), DEEPNET)
    (finding,) = result.findings
    assert finding.message.startswith("the weight of attention.value starts with standard deviation 0.12")
    assert finding.message.endswith("not 0.05256, in 1 of 4 layers")
    stated = "attention.value start with xavier normal, gain (8*N)**(-1/4)"
    assert finding.paper == f"The paper: {stated}, where N = 4, fan_in = 64, fan_out = 64."
    assert finding.code.startswith(f"In the code, {name} starts so: {name} has 4,096 entries between -0.4")
    assert finding.places[0].span.line == 16  # where the projections are called


def test_a_small_departure_shows_in_all_layers_together(tmp_path: Path, weights: dict[str, Initial]) -> None:
    names = [f"blocks.{number}.attention.one.weight" for number in range(4)]
    off = {**weights, **{name: sample(name, (64, 64), 1.085 / 8) for name in names}}
    result = judged(subject(tmp_path, initial=off), "init: {of: attention.query, scheme: xavier_normal}")
    assert "times the standard deviation that is stated, taken together" in message(result)
    wide = "init: {of: attention.query, scheme: xavier_normal, tolerance: 10%}"
    assert judged(subject(tmp_path, initial=off), wide).verdict is Verdict.HOLDS


def test_few_entries_tell_no_spread_but_a_value(tmp_path: Path, weights: dict[str, Initial]) -> None:
    few = {**weights, **{f"blocks.{n}.factor": sample(f"blocks.{n}.factor", (8,), 0.02) for n in range(4)}}
    result = judged(subject(tmp_path, initial=few), "init: {of: scale, std: 0.02}")
    assert result.verdict is Verdict.UNDETERMINED
    assert "blocks.0.factor has 8 entries, and a spread needs 64" in message(result)
    ones = {**weights, **{f"blocks.{n}.factor": constant(f"blocks.{n}.factor", (8,), 1) for n in range(4)}}
    assert judged(subject(tmp_path, initial=ones), "init: {of: scale, weight: 1}").verdict is Verdict.HOLDS


def test_many_small_tensors_tell_together(tmp_path: Path, weights: dict[str, Initial]) -> None:
    some = {f"blocks.{n}.factor": sample(f"blocks.{n}.factor", (32,), 0.02) for n in range(4)}
    claim = "init: {of: scale, std: 0.02}"
    assert judged(subject(tmp_path, initial={**weights, **some}), claim).verdict is Verdict.HOLDS


def test_a_smaller_copy_is_judged_at_its_own_sizes(tmp_path: Path) -> None:
    copy = deepnet(2, 32, (8 * 2) ** -0.25)
    assert judged(subject(tmp_path, initial=copy), DEEPNET).verdict is Verdict.HOLDS
    assert judged(subject(tmp_path, initial=copy), DEEPNET, N=4).verdict is Verdict.HOLDS  # N is what `repeat: N` says
    result = judged(subject(tmp_path, initial=copy), "init: {of: attention.query, std: d**-0.5}")
    assert result.verdict is Verdict.UNDETERMINED
    assert "a smaller copy, and what d is there is not told" in message(result)
    assert "fan_in" in result.findings[0].fix
    assert judged(subject(tmp_path, initial=copy), "init: {of: embedding, std: sigma}").verdict is Verdict.HOLDS


def test_the_layer_may_be_part_of_a_formula(tmp_path: Path, weights: dict[str, Initial]) -> None:
    names = {number: f"blocks.{number}.attention.four.weight" for number in range(4)}
    deeper = {name: sample(name, (64, 64), 0.1 / math.sqrt(number + 1)) for number, name in names.items()}
    claim = "init: {of: attention.output, std: 0.1/sqrt(layer)}"
    assert judged(subject(tmp_path, initial={**weights, **deeper}), claim).verdict is Verdict.HOLDS
    assert judged(subject(tmp_path, initial=weights), claim).verdict is Verdict.VIOLATED
    assert (
        judged(subject(tmp_path, initial=weights), "init: {of: embedding, std: 1/layer}").verdict
        is Verdict.UNDETERMINED
    )


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ("init: {of: cross_attention.value, weight: 0}", "Model holds no cross_attention.value that could be read"),
        ("init: {of: residual.last_conv, weight: 0}", "Model holds no residual.last_conv that could be read"),
        ("init: {of: layer_norm in other, weight: 1}", "other was not found in the code"),
        ("init: {of: embedding, bias: 0}", "the bias of embedding at tokens was not found"),
        ("init: {of: linear, weight: 0}", "the weight of linear at head was not found"),
        ("init: {of: scale, scheme: xavier}", "blocks.0.factor is no matrix, and xavier is about matrices"),
        ("init: {of: attention.query, std: 1/M}", "the spec gives no value for M"),
        ("init: {of: attention.query, std: 0 - 1}", "the formula gives a negative spread"),
        ("init: {of: attention.query, ratio: 1, to: scale}", "scale show no spread to compare with"),
    ],
)
def test_what_cannot_be_told(tmp_path: Path, weights: dict[str, Initial], claim: str, why: str) -> None:
    head = HEAD.replace("N: null", "N: null, M: null") + "  other: {where: x, flow: conv(x)}\n"
    result = judged(subject(tmp_path, initial=weights), claim, head)
    told = [finding for finding in result.findings if finding.verdict is Verdict.UNDETERMINED]
    assert why in " ".join(finding.message for finding in told)
    assert result.verdict is not Verdict.HOLDS


def test_thirds_of_one_matrix_are_told_apart(tmp_path: Path) -> None:
    def fused(number: int, value: float) -> Initial:
        name = f"blocks.{number}.attention.qkv.weight"
        thirds = tuple(sample(f"{name}[{at}/3]", (64, 64), std) for at, std in enumerate((0.02, 0.02, value), 1))
        return replace(sample(name, (192, 64), 0.02), thirds=thirds)

    rows = {f"blocks.{number}.attention.qkv.weight": fused(number, 0.01) for number in range(4)}
    model = subject(tmp_path, "OfFused", rows)
    assert judged(model, "init: {of: [attention.query, attention.key], std: 0.02}").verdict is Verdict.HOLDS
    assert judged(model, "init: {of: attention.value, std: 0.01}").verdict is Verdict.HOLDS
    result = judged(model, "init: {of: attention.value, std: 0.02}")
    assert result.verdict is Verdict.VIOLATED
    assert "blocks.0.attention.qkv.weight[3/3] has 4,096 entries" in result.findings[0].code


CUTS = {
    "y.chunk(3, -1)": True,
    "y.split(self.d, dim=-1)": True,
    "(y[..., :64], y[..., 64:128], y[..., 128:])": True,
    "y.reshape(b, n, 3, 4, 16).permute(2, 0, 3, 1, 4).unbind(0)": True,
    "y.view(b, n, 4, 48).transpose(1, 2).chunk(3, -1)": False,  # head by head
}


@pytest.mark.parametrize(("cut", "contiguous"), CUTS.items())
def test_a_matrix_is_cut_in_thirds_where_the_code_cuts_it_so(tmp_path: Path, cut: str, contiguous: bool) -> None:
    heads = "" if "view" in cut or "reshape" in cut else ".view(b, n, 4, 16).transpose(1, 2)"
    (tmp_path / "cut.py").write_text(f"""
import torch
from torch import nn
import torch.nn.functional as F

class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.d = 64
        self.qkv, self.out = nn.Linear(64, 192), nn.Linear(64, 64)

    def forward(self, x):
        b, n, d = x.shape
        y = self.qkv(x)
        q, k, v = {cut}
        q, k, v = (m{heads} for m in (q, k, v))
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))
""")
    thirds = tuple(sample(f"qkv.weight[{at}/3]", (64, 64), 0.1 / at) for at in (1, 2, 3))
    rows = {"qkv.weight": replace(sample("qkv.weight", (192, 64), 0.07), thirds=thirds)}
    model = subject(tmp_path, "Cut", rows, "cut.py")
    for at, name in enumerate(("query", "key", "value"), 1):
        result = judged(model, f"init: {{of: attention.{name}, std: 0.1/{at}}}")
        assert result.verdict is (Verdict.HOLDS if contiguous else Verdict.UNDETERMINED)
    zero = {"qkv.weight": constant("qkv.weight", (192, 64), 0)}
    assert judged(replace(model, initial=zero), "init: {of: attention.value, weight: 0}").verdict is Verdict.HOLDS


@pytest.mark.parametrize(("symbol", "names"), [("Named", ["block1", "block2", "block3"]), ("Shared", ["block"])])
def test_rounds_without_a_list(tmp_path: Path, symbol: str, names: list[str]) -> None:
    def rows(values: list[float]) -> dict[str, Initial]:
        found: dict[str, Initial] = {}
        for name, value in zip(names, values, strict=True):
            add(found, constant(f"{name}.down.weight", (64, 256), value))
            add(found, sample(f"{name}.attention.four.weight", (64, 64), 0.1 / math.sqrt(3)))
        return found

    claim = "init: {of: feed_forward.output, weight: 0}"
    zeros = [0.0] * len(names)
    assert judged(subject(tmp_path, symbol, rows(zeros)), claim).verdict is Verdict.HOLDS
    assert judged(subject(tmp_path, symbol, rows([*zeros[1:], 1.0])), claim).verdict is Verdict.VIOLATED
    formula = "init: {of: attention.output, std: 0.1/sqrt(N)}"
    assert judged(subject(tmp_path, symbol, rows(zeros)), formula).verdict is Verdict.HOLDS


def test_a_convolutions_last_norm_and_free_factors(tmp_path: Path) -> None:
    rows = {f"n{n}.weight": constant(f"n{n}.weight", (8,), 2 - n) for n in (1, 2)}
    model = subject(tmp_path, "Basic", rows)
    assert judged(model, "init: {of: residual.last_norm, weight: 0}").verdict is Verdict.HOLDS
    assert judged(model, "init: {of: residual.first_norm, weight: 1}").verdict is Verdict.HOLDS
    assert judged(model, "init: {of: norm, weight: 0}").verdict is Verdict.VIOLATED
    rows = {
        "c2.weight": constant("c2.weight", (8, 8, 3, 3), 0),
        **{name: constant(name, (1,), value) for name, value in (("before", 0), ("behind", 0), ("times", 1))},
    }
    fixup = "init: [{of: convolution.output, weight: 0}, {of: scale, weight: 1}, {of: parameter, weight: 0}]"
    assert judged(subject(tmp_path, "Fixed", rows), fixup).verdict is Verdict.HOLDS
