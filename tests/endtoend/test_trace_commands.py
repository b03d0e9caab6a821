"""`--trace`, `--both`, `--prove` and their errors, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from torch_python import torch_python

from archcheck.cli.app import app as application

MODEL = """
import operator
import os

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width=32, heads=4):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))

    def forward(self, x):
        y = self.norm_1(x)
        x = x + self.attention(y, y, y)[0]
        return x + self.mlp(self.norm_2(x))


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.var(-1, keepdim=True, unbiased=False) + 1e-6)) + self.bias


class Hand(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.norm = Norm(width)
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return x + self.linear(self.norm(x))


class Fork(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(32, 32)

    def forward(self, x):
        if (self.linear(x) > 0).all():
            return x + torch.relu(self.linear(x))
        return x + self.linear(x)


class Hidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(32, 32)

    def forward(self, x):
        return x + self.linear(operator.methodcaller("relu")(x))


class Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(32, 32)

    def forward(self, x):
        return x + self.linear(torch.special.bessel_j0(x))


class Evil(nn.Module):
    def forward(self, x):
        open(os.path.expanduser("~/.bashrc")).read()
        return x


def make(width: int = 32) -> nn.Module:
    return Block(width)


instance = Block()
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    file = tmp_path / "model.py"
    file.write_text(MODEL)
    return str(file)


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(application, list(words), catch_exceptions=False, standalone_mode=False)
    code = result.return_value if isinstance(result.return_value, int) else result.exit_code
    return code, result.output


def _traced(*words: str) -> tuple[int, str]:
    return run(*words, "--python", str(torch_python()))


@pytest.mark.parametrize("symbol", ["Block", "make", "instance"])
def test_what_ran_is_described(model: str, symbol: str) -> None:
    code, text = _traced("describe", f"{model}:{symbol}", "--trace", "--format", "json")
    told = json.loads(text)
    assert code == 0
    assert told["frontend"] == "trace"
    (block,) = told["blocks"]
    assert [sublayer["signature"] for sublayer in block["sublayers"]] == ["n F a", "n F a"]


def test_both_witnesses_are_told_to_agree(model: str) -> None:
    code, text = _traced("audit", f"{model}:Block", "--spec", "xiong2020", "--both", "--format", "json")
    report = json.loads(text)
    claims = {claim["claim"]: claim["verdict"] for claim in report["variants"][0]["claims"]}
    assert claims["reading-and-running"] == "HOLDS"
    assert report["frontend"] == "static and trace"
    assert "process" in report["isolation"]
    assert code in (0, 1)


def _of_both(target: str) -> dict[str, Any]:
    """The claim that both witnesses saw one graph."""
    _, text = _traced("audit", target, "--spec", "xiong2020", "--both", "--format", "json")
    claims = json.loads(text)["variants"][0]["claims"]
    return next(claim for claim in claims if claim["claim"] == "reading-and-running")


def test_what_only_one_witness_knows_is_not_taken_for_agreement(model: str) -> None:
    claim = _of_both(f"{model}:Hidden")
    assert claim["verdict"] == "UNDETERMINED"
    hidden = next(finding for finding in claim["findings"] if "was not found out by reading" in finding["message"])
    assert "methodcaller" in hidden["message"]
    assert "methodcaller" in json.dumps(hidden["places"])


def test_a_call_that_no_dialect_lists_is_the_same_call_for_both(model: str) -> None:
    assert _of_both(f"{model}:Listed")["verdict"] == "HOLDS"


def test_an_argument_of_the_constructor_and_of_the_call_are_taken(model: str) -> None:
    code, text = _traced("describe", f"{model}:Block", "--trace", "--arg", "width=16", "--input", "x=3x5x16", "--graph")
    assert code == 0
    assert "in_features=16" in text


def test_a_near_miss_of_a_formula_is_named(model: str) -> None:
    pytest.importorskip("numpy")
    _, text = _traced("describe", f"{model}:Hand", "--trace", "--prove")
    assert "the mean taken off in the spread alone" in text.replace("\n", " ")


def test_what_was_guessed_is_listed(model: str) -> None:
    _, text = _traced("describe", f"{model}:Fork", "--trace")
    assert "without content was taken to give False" in text


def test_code_that_reaches_out_is_stopped_and_the_report_says_so(model: str) -> None:
    code, text = _traced("describe", f"{model}:Evil", "--trace", "--require-isolation", "2")
    assert code == 3
    assert "could not be read to its end: running it failed" in text


def test_isolation_without_a_number_is_all_of_it(model: str) -> None:
    words = ("describe", f"{model}:Block", "--trace", "--require-isolation")
    assert _traced(*words) == _traced(*words, "3")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trace", "--input", "z=2x3"], "the call has no such parameter\n  hint: it takes x"),
        (["--trace", "--input", "x=2x3:nothing"], "torch has no dtype 'nothing'"),
        (["--trace", "--arg", "depth=3"], "Block has no parameter depth"),
        (["--trace", "--arg", "width=wide"], "NameError"),
    ],
)
def test_what_cannot_be_run_is_one_clear_error(model: str, words: list[str], said: str) -> None:
    from archcheck.errors import ArchcheckError

    with pytest.raises(ArchcheckError, match=said):
        _traced("describe", f"{model}:Block", *words)


def test_nothing_is_run_unasked(model: str) -> None:
    from archcheck.errors import ArchcheckError

    with pytest.raises(ArchcheckError, match="nothing is run without --trace"):
        run("describe", f"{model}:Block", "--input", "x=2x3")


def test_a_file_is_not_run_as_a_whole(model: str) -> None:
    from archcheck.errors import ArchcheckError

    with pytest.raises(ArchcheckError, match="--trace runs one symbol"):
        run("describe", model, "--trace")


def test_where_running_fails_both_say_where_and_what_to_give(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    forward = "    def forward(self, x):\n        return x @ torch.zeros(x.shape[-1] + 1, 3)\n"
    file.write_text(f"import torch\n\n\nclass Model(torch.nn.Module):\n{forward}")
    claim = _of_both(f"{file}:Model")
    (finding,) = claim["findings"]
    assert finding["message"].startswith("running it failed: RuntimeError")
    assert "--input NAME=SHAPE" in finding["fix"]
    assert "x @ torch.zeros" in json.dumps(finding["places"])
