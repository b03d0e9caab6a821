"""Audits of a whole file: what its classes have in common is told once, and what is left out is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.cli.audit import exit_code
from archcheck.errors import TargetError
from archcheck.findings import Report, Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

TOP = """
import torch
from torch import nn


class SelfOutput(nn.Module):
    def __init__(self, d=512):
        super().__init__()
        self.attention = nn.MultiheadAttention(d, 8)
        self.drop = nn.Dropout(0.1)
        self.norm = nn.LayerNorm(d)

    def forward(self, x):
        return self.norm(x + self.drop(self.attention(x, x, x)[0]))


class Output(nn.Module):
    def __init__(self, d=512):
        super().__init__()
        self.up = nn.Linear(d, 2048)
        self.down = nn.Linear(2048, d)
        self.drop = nn.Dropout(0.1)
        self.norm = nn.LayerNorm(d)

    def forward(self, x):
        return self.norm(x + self.drop(self.down(torch.relu(self.up(x)))))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attend = SelfOutput()
        self.feed = Output()

    def forward(self, x):
        return self.feed(self.attend(x))
"""
MODELS = """

class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Layer() for _ in range(6)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.head = nn.Linear(512, 2)

    def forward(self, x):
        return self.head(self.encoder(x))
"""
PRE = """

class PreLayer(nn.Module):
    def __init__(self, d=512):
        super().__init__()
        self.attention = nn.MultiheadAttention(d, 8)
        self.up = nn.Linear(d, 2048)
        self.down = nn.Linear(2048, d)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attention(y, y, y)[0]
        return x + self.down(torch.relu(self.up(self.norm2(x))))
"""
BROKEN = """

class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        raise RuntimeError("no GPU")

    def forward(self, x):
        return x
"""


def _checked(tmp_path: Path, text: str, jobs: int = 1) -> tuple[Report, ...]:
    file = tmp_path / "model.py"
    file.write_text(text)
    return check(Request(str(file)), "vaswani2017#encoder_layer", jobs=jobs)


def test_models_that_repeat_what_their_layer_says_are_named_beside_it(tmp_path: Path) -> None:
    (report,) = _checked(tmp_path, TOP + MODELS)
    assert report.target.endswith(":Encoder")  # it tells the count as well
    assert report.also == ("Layer", "Classifier")
    assert report.verdict is Verdict.HOLDS


def test_parts_of_a_layer_are_no_layers_that_lack_the_rest(tmp_path: Path) -> None:
    (report,) = _checked(tmp_path, TOP)
    assert [(one.what, one.why) for one in report.beside] == [
        ("SelfOutput", "it is a part of Layer"),
        ("Output", "it is a part of Layer"),
    ]


def test_a_class_that_lacks_a_sublayer_and_stands_alone_is_judged(tmp_path: Path) -> None:
    reports = _checked(tmp_path, TOP.partition("class Output")[0])
    assert [report.verdict for report in reports] == [Verdict.VIOLATED]


def test_a_class_that_lacks_a_sublayer_beside_one_that_has_all_is_not_passed_over(tmp_path: Path) -> None:
    alone = TOP.partition("class Output")[0].partition("class SelfOutput")[2].replace("self.norm(x + ", "(x + ")
    (report,) = _checked(tmp_path, TOP + "\n\nclass Lone" + alone)
    assert [(one.what, one.why.partition(":")[0]) for one in report.unjudged] == [
        ("Lone", "most of what the spec is about is in it, all of it in Layer")
    ]
    assert exit_code((report,), "fail") == 1


def test_layers_that_differ_are_told_apart(tmp_path: Path) -> None:
    reports = _checked(tmp_path, TOP + MODELS + PRE)
    assert [(report.target.rpartition(":")[2], report.verdict) for report in reports] == [
        ("Encoder", Verdict.HOLDS),
        ("PreLayer", Verdict.VIOLATED),
    ]
    assert reports[0].beside == ()
    assert {one.what for one in reports[-1].beside} == {"SelfOutput", "Output"}


def test_a_class_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (report,) = _checked(tmp_path, TOP + BROKEN)
    (broken,) = report.unjudged
    assert broken.what == "Broken"
    assert "could not be read to its end: RuntimeError: no GPU" in broken.why
    assert exit_code((report,), "warn") == 0
    assert exit_code((report,), "fail") == 1


@pytest.mark.parametrize("jobs", [2, 4])
def test_several_processes_say_the_same(tmp_path: Path, jobs: int) -> None:
    text = TOP + MODELS + PRE + BROKEN
    assert repr(_checked(tmp_path, text, jobs)) == repr(_checked(tmp_path, text))


def test_a_layer_whose_mask_the_model_makes_is_still_the_layer(tmp_path: Path) -> None:
    text = (
        (TOP + MODELS)
        .replace("nn.MultiheadAttention(d, 8)", "Attention(d)")
        .replace("self.attention(x, x, x)[0]", "self.attention(x, mask)")
    )
    for name in ("SelfOutput", "Layer"):
        head, _, tail = text.partition(f"class {name}(")
        text = head + f"class {name}(" + tail.replace("def forward(self, x)", "def forward(self, x, mask)", 1)
    text = text.replace("self.attend(x)", "self.attend(x, mask)").replace("x = layer(x)", "x = layer(x, mask)")
    text = text.replace("        for layer in", "        mask = torch.triu(torch.ones(9, 9), 1)\n        for layer in")
    text += """

class Attention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x, mask):
        q, k, v = (part(x).unflatten(-1, (8, -1)).transpose(1, 2) for part in (self.q, self.k, self.v))
        scores = q @ k.transpose(-2, -1) / 8.0
        weights = torch.softmax(scores.masked_fill(mask.bool(), -1e9), -1)
        return self.o((weights @ v).transpose(1, 2).flatten(-2))
"""
    reports = _checked(tmp_path, text)
    symbols = {bound.symbol for report in reports for claim in report.default.claims for bound in claim.bound}
    assert symbols == {"Layer"}


OPEN = """

class Stack(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.tokens, self.places = nn.Embedding(100, 512), nn.Embedding(128, 512)
        self.early, self.pool, self.head = nn.LayerNorm(512), nn.Linear(512, 512), nn.Linear(512, 2)
        self.layers = nn.ModuleList([Layer() for _ in range(config)])

    def forward(self, ids):
        x = self.early(self.tokens(ids) + self.places(torch.arange(9)))
        for layer in self.layers:
            x = layer(x)
        return self.head(torch.tanh(self.pool(x[:, 0])))
"""


def test_what_stands_around_a_stack_of_unknown_height_is_the_models(tmp_path: Path) -> None:
    (report,) = _checked(tmp_path, TOP + OPEN)
    assert report.verdict is Verdict.HOLDS
    assert report.also == ("Stack",)


def test_what_a_layer_does_beside_a_list_of_its_sublayers_is_its_own(tmp_path: Path) -> None:
    text = TOP.replace("self.attend = SelfOutput()", "self.parts = nn.ModuleList([SelfOutput(), Output()])").replace(
        "self.feed = Output()", "self.extra = nn.LayerNorm(512)"
    )
    text = text.replace("return self.feed(self.attend(x))", "return self.extra(self.parts[1](self.parts[0](x)))")
    (report,) = _checked(tmp_path, text)
    assert report.verdict is Verdict.VIOLATED


def test_layers_copied_from_one_are_as_many_as_there_are(tmp_path: Path) -> None:
    text = MODELS.replace("[Layer() for _ in range(6)]", "[copy.deepcopy(layer) for _ in range(6)]")
    text = text.replace("        self.layers =", "        layer = Layer()\n        self.layers =", 1)
    top = TOP.replace("nn.Linear(512, 2048)", "nn.Linear(512, 2048)").replace(
        "import torch\n", "import copy\nimport torch\n", 1
    )
    own = top.replace("self.down = nn.Linear(2048, d)", "self.w = nn.Parameter(torch.zeros(2048, d))")
    own = own.replace("self.down(torch.relu(self.up(x)))", "torch.relu(self.up(x)) @ self.w")
    (report,) = _checked(tmp_path, own + text)
    assert report.target.endswith(":Encoder")
    assert report.verdict is Verdict.HOLDS  # six times, none of them left out


def test_a_class_that_cannot_be_parsed_is_not_passed_over(tmp_path: Path) -> None:
    (report,) = _checked(tmp_path, TOP + "\n\nclass Later(nn.Module):\n    def forward(self, x:\n        return x\n")
    (later,) = report.unjudged
    assert later.what == "Later"
    assert "cannot parse" in later.why
    with pytest.raises(TargetError, match="cannot parse"):
        _checked(tmp_path, "class Later(:\n")
