"""What is recorded of calls, and what it becomes: printed graphs of small modules that ran on the meta device."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

from archcheck.frontends.targets import parse_target, resolve  # torch may be missing
from archcheck.frontends.trace.child.main import told
from archcheck.frontends.trace.replay import Replayed, replay
from archcheck.frontends.trace.tracer import Running, _tables, request_of
from archcheck.frontends.trace.wire import Failure, Recording, parse
from archcheck.ir.text import dump
from archcheck.passes import canonicalise

_NUMBERS = itertools.count()
_IMPORTS = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n"
Traced = Callable[..., tuple[Recording, Replayed]]


@pytest.fixture
def traced(tmp_path: Path) -> Traced:
    """Traces `Model` of a source in this process, and makes a graph of it."""

    def run(source: str, *, training: bool = True, cache: bool = True) -> tuple[Recording, Replayed]:
        file = tmp_path / f"recorded_{next(_NUMBERS)}.py"
        file.write_text(_IMPORTS + textwrap.dedent(source))
        target = resolve(parse_target(f"{file}:Model"))
        assert target.source is not None
        request = request_of(target, target.source.module, "Model", {}, Running(cache=cache), training)
        answer = json.dumps(told({**_tables(), **request})).encode()
        recording = parse(answer)
        assert not isinstance(recording, Failure), recording
        assert not recording.error, recording.error
        return recording, replay(recording, target.library, target.source, training)

    return run


def _graph(found: tuple[Recording, Replayed]) -> str:
    lines = dump(canonicalise(found[1].graph), places=False).splitlines()[1:]
    return "\n".join(lines)


def test_layers_are_recorded_whole_with_what_their_constructors_were_given(traced: Traced) -> None:
    found = traced("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.LayerNorm(8, eps=1e-3)
                self.linear = nn.Linear(8, 4, bias=False)
                self.drop = nn.Dropout(0.2)

            def forward(self, x):
                return self.drop(self.linear(self.norm(x)))
    """)
    assert _graph(found) == textwrap.dedent("""\
        %0 = input name='x'
        %1 = layer_norm %0 bias=True dim=8 elementwise_affine=True eps=0.001
        %2 = linear %1 bias=False in_features=8 out_features=4
        %3 = dropout %2 p=0.2
        give %3""")
    ops = [op for op in found[1].graph.walk() if op.kind.name != "input"]
    assert [op.span.line for op in ops if op.span] == [14, 14, 14]
    assert [op.path for op in ops] == ["norm/0.layer_norm", "linear/0.linear", "drop/0.dropout"]


def test_dropout_is_there_in_train_mode_only(traced: Traced) -> None:
    source = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(8, 8)

            def forward(self, x):
                return F.dropout(self.linear(x), 0.3, self.training)
    """
    assert "dropout" in _graph(traced(source))
    assert "dropout" not in _graph(traced(source, training=False))


def test_a_dropout_that_gives_its_input_is_no_part_of_the_residual(traced: Traced) -> None:
    found = traced("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(8, 8)

            def forward(self, x):
                y = F.dropout(x, 0.0, True)
                return x + self.linear(y)
    """)
    assert _graph(found) == textwrap.dedent("""\
        %0 = input name='x'
        %1 = residual %0:
          %2 = dropout %0 p=0.0
          %3 = branch %2:
            %4 = linear %2 bias=True in_features=8 out_features=8
        give %1""")


def test_what_is_changed_in_place_is_changed_under_all_its_names(traced: Traced) -> None:
    found = traced("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(8, 8)

            def forward(self, x):
                y = self.linear(x)
                z = y
                y.relu_()
                return z
    """)
    assert _graph(found) == textwrap.dedent("""\
        %0 = input name='x'
        %1 = linear %0 bias=True in_features=8 out_features=8
        %2 = relu %1
        give %2""")


def test_a_view_taken_before_shows_what_was_changed_in_place_after(traced: Traced) -> None:
    found = traced("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(8, 8)

            def forward(self, x):
                y = self.linear(x)
                first = y[:, 0]
                y.mul_(3)
                return first
    """)
    assert _graph(found) == textwrap.dedent("""\
        %0 = input name='x'
        %1 = linear %0 bias=True in_features=8 out_features=8
        %2 = scale %1 by=3
        %3 = select %2 index=(('slice',None,None,None,),0,)
        give %3""")


def test_a_part_that_is_added_to_in_place_changes_the_whole_once(traced: Traced) -> None:
    found = traced("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(8, 8)

            def forward(self, x):
                y = self.linear(x)
                y[:, 0] += 1
                return y
    """)
    assert _graph(found).count("update") == 1


def test_what_slips_by_is_an_opaque_op_and_never_silence(traced: Traced) -> None:
    found = traced("""
        table = torch.empty(8, 8, device="meta")

        class Model(nn.Module):
            def forward(self, x):
                parts = torch.chunk(x @ table, 2, -1)
                whole = torch.cat(parts, -1)
                with torch._C.DisableTorchFunction():
                    whole = whole + 1
                return torch.relu(whole)
    """)
    graph = _graph(found)
    assert graph.count("opaque") == 2
    assert "it was made before, or by something that was not recorded" in graph


def test_weights_that_are_one_are_told_by_identity(traced: Traced) -> None:
    recording, _ = traced("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = nn.Embedding(10, 8)
                self.out = nn.Linear(8, 10, bias=False)
                self.out.weight = self.embedding.weight

            def forward(self, ids):
                return self.out(self.embedding(ids))
    """)
    tensors = {weight.name: weight.tensor for weight in recording.weights}
    assert tensors["embedding.weight"] == tensors["out.weight"]


def test_tables_that_constructors_compute_are_part_of_the_graph(traced: Traced) -> None:
    found = traced("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("table", 1.0 / 10_000 ** (torch.arange(0, 8, 2) / 8))
                self.linear = nn.Linear(4, 4)

            def forward(self, x):
                return self.linear(x) * self.table
    """)
    graph = _graph(found)
    assert "constant end=8 start=0 step=2 value='arange'" in graph
    assert "pow" in graph


def test_numbers_of_indices_and_masks_are_real_and_answered(traced: Traced) -> None:
    found = traced("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(8, 8)

            def forward(self, x):
                mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
                if not mask.all():
                    x = torch.relu(x)
                for length in torch.tensor([1, 2]).tolist():
                    x = self.linear(x) * length
                return x
    """)
    graph = _graph(found)
    assert "relu" not in graph
    assert not [one for one in found[1].assumptions if "without content" in one]


def test_an_answer_that_is_guessed_is_told_with_its_place(traced: Traced) -> None:
    _, replayed = traced("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(8, 8)

            def forward(self, x):
                y = self.linear(x)
                if (y > 0).all():
                    y = torch.relu(y)
                return y
    """)
    (told_,) = [one for one in replayed.assumptions if "without content" in one]
    assert "bool" in told_
    assert ":13" in told_


@pytest.mark.parametrize("cache", [True, False])
def test_kept_shapes_change_nothing_that_is_recorded(traced: Traced, cache: bool) -> None:
    source = """
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.LayerNorm(8)
                self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)

            def forward(self, x):
                return x + self.down(F.gelu(self.up(self.norm(x)))) * x.softmax(-1)

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.blocks = nn.ModuleList(Block() for _ in range(4))

            def forward(self, x):
                for block in self.blocks:
                    x = block(x)
                return x
    """
    recording, replayed = traced(source, cache=cache)
    assert [call.name for call in recording.calls][:6] == [
        "torch.nn.LayerNorm", "torch.nn.Linear", "torch.nn.functional.gelu", "torch.nn.Linear",
        "torch.Tensor.softmax", "torch.Tensor.mul",
    ]  # fmt: skip
    assert "repeat %0 count=4" in _graph((recording, replayed))
    assert all(call.site is not None for call in recording.calls)


def test_numbers_are_taken_to_be_finite(traced: Traced) -> None:
    found = traced("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(8, 8)

            def forward(self, x):
                y = self.linear(x)
                if not torch.isfinite(y).all():
                    y = torch.clamp(y, -1e3, 1e3)
                return y
    """)
    assert "clamp" not in _graph(found)
    assert any("taken to give True" in one for one in found[1].assumptions)
