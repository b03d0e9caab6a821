"""Layers that do not run by themselves are given what a model of their module gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")

if TYPE_CHECKING:
    from trace_sources import Sources

LAYER = """
    class Stage(nn.Module):
        def __init__(self, narrow, wide, stride, norm=None, act="relu"):
            super().__init__()
            self.conv = nn.Conv2d(narrow, wide, 3, stride=stride, padding=1)
            self.norm = norm or nn.BatchNorm2d(wide)
            self.act = act

        def forward(self, grid, scale, pair, causal=False, **rest):
            low, high = pair
            grid.add_(low)
            x = self.norm(self.conv(grid)) * scale + high
            return F.relu(x) if causal else torch.tanh(x)
"""
MODEL = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stages = nn.ModuleList(Stage(8 * n, 16 * n, stride=2) for n in (1, 2))

        def forward(self, grid: Tensor):
            x = torch.cat([grid, grid], 1)[:, :1].expand(-1, 8, -1, -1).clone()
            for stage in self.stages:
                same = torch.ones_like(x)
                x = stage(x, 3.0, (same, same[:, :1, ::2, ::2]), causal=True, other=1)
            return x.mean((-2, -1))
"""


SETS = "enumerate(self.stages):\n                stage.act = 'gelu'"


def _told(answer: dict[str, Any]) -> str:
    return " ".join(answer.get("assumed", ()))


def test_a_layer_is_built_and_called_as_in_its_model(traces: Sources) -> None:
    answer = traces.ask(f"{LAYER}\n{MODEL}", "Stage")
    assert answer["error"] == ""
    assert answer["symbol"] == "Stage"
    assert answer["made"] == {"narrow": "8", "wide": "16", "stride": "2", "scale": "3.0", "causal": "True"}
    assert [name for name, _ in answer["inputs"]] == ["grid", "pair[0]", "pair[1]"]
    assert "it is built and called as stages.0 is in Net, as it does not run by itself" in _told(answer)
    assert {place for place, *_ in answer["modules"]} == {"", "conv", "norm"}
    names = [answer["names"][call[0]].rpartition(".")[2] for call in answer["calls"] if not call[-1]]
    # and nothing of what the model does around it
    assert names == ["add_", "conv2d", "add_", "batch_norm", "mul", "add", "relu"]


def test_two_arguments_are_two_inputs_although_the_model_gives_one(traces: Sources) -> None:
    text = """
    class Mix(nn.Module):
        def __init__(self, gain):
            super().__init__()
            self.gain = gain

        def forward(self, left, right, how):
            return left - right * self.gain[how]

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = Mix({"a": 2.0})

        def forward(self, x):
            return self.mix(x, x, "a")
    """
    answer = traces.ask(text, "Mix")
    assert answer["made"] == {"gain": "{'a': 2.0}", "how": "'a'"}
    (_, left), (_, right) = answer["inputs"]
    assert left != right


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (("stride=2", "stride=2, norm=nn.Identity()"), "a module that only the model has"),
        (("causal=True", "causal=object()"), "an object without a literal"),
        (("(same, same[:, :1, ::2, ::2])", "(same, None)"), "a list that holds more than tensors, on which it fails"),
    ],
)
def test_what_cannot_be_said_outside_is_no_answer(traces: Sources, changed: tuple[str, str], why: str) -> None:
    answer = traces.ask(f"{LAYER}\n{MODEL.replace(*changed)}", "Stage")
    assert answer["error"] == "the argument narrow is not given", why  # as it was without the model
    assert answer["hint"] == "--arg narrow=EXPR gives it"


def test_what_the_model_changes_in_a_layer_is_told(traces: Sources) -> None:
    answer = traces.ask(
        f"{LAYER}\n{MODEL.replace('for stage in', 'for at, stage in').replace('self.stages:', SETS)}", "Stage"
    )
    assert answer["settings"] == [("act", "['relu']", "'gelu'")]


def test_what_the_user_gives_is_not_replaced(traces: Sources) -> None:
    answer = traces.ask(f"{LAYER}\n{MODEL}", "Stage", arguments={"narrow": "8"})
    assert answer["error"] == "the argument wide is not given"


def test_a_model_that_fails_is_no_witness(traces: Sources) -> None:
    failing = MODEL.replace("return x.mean((-2, -1))", "raise KeyError('never')")
    assert traces.ask(f"{LAYER}\n{failing}", "Stage")["error"] == "the argument narrow is not given"


def test_weights_and_buffers_are_the_layers_own(traces: Sources) -> None:
    text = """
    class Scaled(nn.Module):
        def __init__(self, sizes):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(sizes[0]))
            self.register_buffer("table", torch.arange(sizes[0]) * 2.0)

        def forward(self, x):
            return x * self.weight + self.table

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(10, 6)
            self.scaled = Scaled([6])

        def forward(self, input_ids):
            return self.scaled(self.embed(input_ids))
    """
    answer = traces.ask(text, "Scaled")
    assert [name for name, *_ in answer["weights"]] == ["weight", "table"]
    names = [answer["names"][call[0]].rpartition(".")[2] for call in answer["calls"]]
    assert names == ["arange", "mul", "mul", "add"]  # the table is made where the layer is built
