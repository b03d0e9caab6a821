"""`archcheck spec new --from`: what is written reads like a spec, and holds of the code that it was written from."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixture_cases import Fixture, fixtures
from packages import unpacked

from archcheck.cli.entry import run
from archcheck.findings import Verdict
from archcheck.pipeline import check
from archcheck.spec import load
from archcheck.spec.new import Stated
from archcheck.starting import _block_name, _mistake, spec_text
from archcheck.sweep import Request

FIXTURES = [fixture for fixture, _ in fixtures()]


def holds(request: Request, folder: Path, *, exact: bool = False) -> str:
    """The blocks of a spec that is written from a target, after that it holds of it."""
    text = spec_text(request, key="made2020", exact=exact)
    file = folder / "made2020.yaml"
    file.write_text(text, encoding="utf-8")
    spec, _ = load(str(file))
    (report,) = check(request, str(file))
    verdicts = {claim.claim: claim.verdict for claim in report.default.claims}
    assert {block.id for block in spec.blocks} <= set(verdicts)
    assert set(verdicts.values()) == {Verdict.HOLDS}, text
    assert "archcheck cannot tell" not in text
    return text.partition("\nblocks:\n")[2].partition("\n# Statements")[0]


@pytest.mark.parametrize("fixture", FIXTURES, ids=[fixture.id for fixture in FIXTURES])
@pytest.mark.parametrize("exact", [False, True], ids=["plain", "exact"])
def test_it_holds_of_each_fixture(fixture: Fixture, exact: bool, tmp_path: Path) -> None:
    target = f"{fixture.folder / 'model.py'}:{fixture.symbol}"
    written = holds(Request(target, fixture.arguments, explore=False), tmp_path, exact=exact)
    assert written.count("flow:") >= 1
    if not exact:
        assert max(map(len, written.splitlines())) <= 120
        assert "eps=" not in written


LAYER = """\
  encoder_layer:
    where: TODO  # where the paper says it
    flow: |
      x = norm(x + dropout(self_attention(x), p=0.1))
      x = norm(x + dropout(feed_forward(x), p=0.1))
    widths: {self_attention.heads: 4}

  feed_forward:
    where: TODO  # where the paper says it
    flow: linear(relu(linear(x)))
    widths: {d_model: 128, d_ff: 512}
"""


def test_how_a_layer_is_written(tmp_path: Path) -> None:
    (fixture,) = [one for one in FIXTURES if one.id == "vaswani2017/handwritten_norm"]
    target = f"{fixture.folder / 'model.py'}:{fixture.symbol}"
    assert holds(Request(target, fixture.arguments, explore=False), tmp_path) == LAYER


GRU = """
import torch
from torch import nn


class GRUCell(nn.Module):
    def __init__(self, size=64, width=128):
        super().__init__()
        self.update = nn.Linear(size + width, width)
        self.reset = nn.Linear(size + width, width)
        self.candidate = nn.Linear(size + width, width)

    def forward(self, x, h):
        both = torch.cat([x, h], dim=-1)
        z = torch.sigmoid(self.update(both))
        r = torch.sigmoid(self.reset(both))
        n = torch.tanh(self.candidate(torch.cat([x, r * h], dim=-1)))
        return (1 - z) * h + z * n
"""


def test_code_without_layers_is_written_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.py").write_text(GRU, encoding="utf-8")
    written = holds(Request(f"{tmp_path / 'model.py'}:GRUCell", explore=False), tmp_path)
    assert "gru_cell:" in written
    assert written.count("linear(") == 3
    (tmp_path / "other.py").write_text(GRU.replace("(1 - z) * h + z * n", "(1 - z) * n + r * h"), encoding="utf-8")
    assert run(["audit", f"{tmp_path / 'other.py'}:GRUCell", "--spec", str(tmp_path / "made2020.yaml")]) == 1
    assert "let product read the output of difference" in " ".join(capsys.readouterr().out.split())


TRANSFORMERS, TIMM, KERAS_HUB = "transformers==5.23.0", "timm==1.0.31", "keras-hub==0.32.0"
RELEASED = [
    (TRANSFORMERS, "transformers/models/bert/modeling_bert.py:BertLayer", {}),
    (TRANSFORMERS, "transformers/models/llama/modeling_llama.py:LlamaDecoderLayer", {}),
    (TRANSFORMERS, "transformers/models/gpt2/modeling_gpt2.py:GPT2Block", {}),
    (TRANSFORMERS, "transformers/models/whisper/modeling_whisper.py:WhisperDecoderLayer", {}),
    (TRANSFORMERS, "transformers/models/mixtral/modeling_mixtral.py:MixtralDecoderLayer", {}),
    (TRANSFORMERS, "transformers/models/convnext/modeling_convnext.py:ConvNextLayer", {"dim": "96"}),
    (TRANSFORMERS, "transformers/models/t5/modeling_t5.py:T5Block", {}),
    (TRANSFORMERS, "transformers/models/t5/modeling_t5.py:T5Block", {"has_relative_attention_bias": "True"}),
    (TRANSFORMERS, "transformers/models/mamba/modeling_mamba.py:MambaBlock", {"layer_idx": "0"}),
    (TRANSFORMERS, "transformers/models/swin/modeling_swin.py:SwinLayer",
     {"dim": "96", "input_resolution": "(56, 56)", "num_heads": "3"}),
    (TIMM, "timm/models/resnet.py:resnet18", {}),
    (TIMM, "timm/models/vision_transformer.py:Block", {"dim": "192", "num_heads": "3"}),
    (KERAS_HUB, "keras_hub/src/layers/modeling/transformer_encoder.py:TransformerEncoder",
     {"intermediate_dim": "256", "num_heads": "4"}),
    ("tensor2tensor==1.2.5", "tensor2tensor/models/transformer.py:transformer_decoder",
     {"hparams": "transformer_base()"}),
]  # fmt: skip


@pytest.mark.packages
@pytest.mark.parametrize(
    ("release", "target", "arguments"), RELEASED, ids=[row[1].rpartition(":")[2] for row in RELEASED]
)
def test_it_holds_of_released_classes(release: str, target: str, arguments: dict[str, str], tmp_path: Path) -> None:
    holds(Request(str(unpacked(release) / target), arguments, explore=False), tmp_path)


def test_what_could_not_be_read_is_told(tmp_path: Path) -> None:
    code = "import torch\n\n\ndef parts(x):\n    return torch.relu(torch.nowhere(x))\n"
    (tmp_path / "model.py").write_text(code, encoding="utf-8")
    text = spec_text(Request(f"{tmp_path / 'model.py'}:parts", explore=False), key="made2020")
    assert "    # what stands as opaque(...) could not be read: say what it is, or leave it out\n" in text


def test_what_no_equation_can_name_is_not_written() -> None:
    assert _mistake(Stated("a, b = x + relu(x)\na, b"), {}) == "one value for 2 names"
    assert _mistake(Stated("norm(x)"), {"norm": "rms_norm"}) == ""


@pytest.mark.parametrize(
    ("symbol", "block"),
    [("BertLayer", "bert_layer"), ("ViTLayer", "vit_layer"), ("GRUCell", "gru_cell"), ("my.GPT2Block", "gpt2_block")],
)
def test_names_of_blocks(symbol: str, block: str) -> None:
    assert _block_name(symbol) == block


@pytest.mark.packages
def test_what_is_not_judged_to_hold_says_why() -> None:
    """Queries and keys are made of two latents, each with a norm of its own: which sublayer that is cannot be told."""
    target = str(unpacked(TRANSFORMERS) / "transformers/models/deepseek_v3/modeling_deepseek_v3.py:DeepseekV3Attention")
    text = spec_text(Request(target, {}, explore=False), key="made2020")
    assert "    # archcheck cannot tell that the code does this: the cross-attention is missing" in text
