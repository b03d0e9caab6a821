"""What is recorded of calls, and what it becomes: printed graphs of small modules that ran on the meta device."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")

from trace_sources import graph, model  # torch may be missing

if TYPE_CHECKING:
    from trace_sources import Sources

_LINEAR = "nn.Linear(8, 8)"


def test_layers_are_recorded_whole_with_what_their_constructors_were_given(traces: Sources) -> None:
    _, found = traces.trace(
        model(
            "return self.drop(self.linear(self.norm(x)))",
            norm="nn.LayerNorm(8, eps=1e-3)",
            linear="nn.Linear(8, 4, bias=False)",
            drop="nn.Dropout(0.2)",
        )
    )
    assert graph(found) == dedent("""\
        %0 = input name='x'
        %1 = layer_norm %0 bias=True dim=8 elementwise_affine=True eps=0.001
        %2 = linear %1 bias=False in_features=8 out_features=4
        %3 = dropout %2 p=0.2
        give %3""")
    ops = [op for op in found.graph.walk() if op.kind.name != "input"]
    assert [op.span.line for op in ops if op.span] == [13, 13, 13]
    assert [op.path for op in ops] == ["norm/0.layer_norm", "linear/0.linear", "drop/0.dropout"]


def test_dropout_is_there_in_train_mode_only(traces: Sources) -> None:
    source = model("return F.dropout(self.linear(x), 0.3, self.training)", linear=_LINEAR)
    assert "dropout" in traces.graph(source)
    assert "dropout" not in traces.graph(source, training=False)


def test_a_dropout_that_gives_its_input_is_no_part_of_the_residual(traces: Sources) -> None:
    assert traces.graph(model("return x + self.linear(F.dropout(x, 0.0, True))", linear=_LINEAR)) == dedent("""\
        %0 = input name='x'
        %1 = residual %0:
          %2 = dropout %0 p=0.0
          %3 = branch %2:
            %4 = linear %2 bias=True in_features=8 out_features=8
        give %1""")


def test_what_is_changed_in_place_is_changed_under_all_its_names(traces: Sources) -> None:
    body = """
        y = self.linear(x)
        z = y
        y.relu_()
        return z
    """
    assert traces.graph(model(body, linear=_LINEAR)) == dedent("""\
        %0 = input name='x'
        %1 = linear %0 bias=True in_features=8 out_features=8
        %2 = relu %1
        give %2""")


def test_a_view_taken_before_shows_what_was_changed_in_place_after(traces: Sources) -> None:
    body = """
        y = self.linear(x)
        first = y[:, 0]
        y.mul_(3)
        return first
    """
    assert traces.graph(model(body, linear=_LINEAR)) == dedent("""\
        %0 = input name='x'
        %1 = linear %0 bias=True in_features=8 out_features=8
        %2 = scale %1 by=3
        %3 = select %2 index=(('slice',None,None,None,),0,)
        give %3""")


def test_a_part_that_is_set_to_another_part_of_the_same_tensor_changes_the_whole_once(traces: Sources) -> None:
    """Both parts look at one memory, and only one of them is written into."""
    body = """
        whole = x * 2
        first = whole[0]
        first[1] = first[0]
        return whole
    """
    assert traces.graph(model(body)) == dedent("""\
        %0 = input name='x'
        %1 = scale %0 by=2
        %2 = select %1 index=0
        %3 = select %2 index=0
        %4 = update %2, %3 index=1
        %5 = update %1, %4
        give %5""")


def test_a_part_that_is_added_to_in_place_changes_the_whole_once(traces: Sources) -> None:
    body = """
        y = self.linear(x)
        y[:, 0] += 1
        return y
    """
    assert traces.graph(model(body, linear=_LINEAR)).count("update") == 1


def test_what_slips_by_is_an_opaque_op_and_never_silence(traces: Sources) -> None:
    body = """
        parts = torch.chunk(x @ table, 2, -1)
        whole = torch.cat(parts, -1)
        with torch._C.DisableTorchFunction():
            whole = whole + 1
        return torch.relu(whole)
    """
    found = traces.graph('table = torch.empty(8, 8, device="meta")\n\n' + model(body))
    assert found.count("opaque") == 2
    assert "it was made before, or by something that was not recorded" in found


def test_weights_that_are_one_are_told_by_identity(traces: Sources) -> None:
    recording, _ = traces.trace("""
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


def test_tables_that_constructors_compute_are_part_of_the_graph(traces: Sources) -> None:
    table = "nn.Buffer(1.0 / 10_000 ** (torch.arange(0, 8, 2) / 8))"
    found = traces.graph(model("return self.linear(x) * self.table", table=table, linear="nn.Linear(4, 4)"))
    assert "constant end=8 start=0 step=2 value='arange'" in found
    assert "pow" in found


def test_numbers_of_indices_and_masks_are_real_and_answered(traces: Sources) -> None:
    body = """
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        if not mask.all():
            x = torch.relu(x)
        for length in torch.tensor([1, 2]).tolist():
            x = self.linear(x) * length
        return x
    """
    _, found = traces.trace(model(body, linear=_LINEAR))
    assert "relu" not in graph(found)
    assert not [one for one in found.assumptions if "without content" in one]


def test_an_answer_that_is_guessed_is_told_with_its_place(traces: Sources) -> None:
    body = """
        y = self.linear(x)
        if (y > 0).all():
            y = torch.relu(y)
        return y
    """
    _, found = traces.trace(model(body, linear=_LINEAR))
    (told_,) = [one for one in found.assumptions if "without content" in one]
    assert "bool" in told_
    assert ":12" in told_


@pytest.mark.parametrize("cache", [True, False])
def test_kept_shapes_change_nothing_that_is_recorded(traces: Sources, cache: bool) -> None:
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
    recording, replayed = traces.trace(source, cache=cache)
    assert [call.name for call in recording.calls][:6] == [
        "torch.nn.LayerNorm", "torch.nn.Linear", "torch.nn.functional.gelu", "torch.nn.Linear",
        "torch.Tensor.softmax", "torch.Tensor.mul",
    ]  # fmt: skip
    assert "repeat %0 count=4" in graph(replayed)
    assert all(call.site is not None for call in recording.calls)


def test_numbers_are_taken_to_be_finite(traces: Sources) -> None:
    body = """
        y = self.linear(x)
        if not torch.isfinite(y).all():
            y = torch.clamp(y, -1e3, 1e3)
        return y
    """
    _, found = traces.trace(model(body, linear=_LINEAR))
    assert "clamp" not in graph(found)
    assert any("taken to give True" in one for one in found.assumptions)


def test_a_layer_whose_sizes_follow_from_its_input_is_that_layer(traces: Sources) -> None:
    recording, found = traces.trace(model("return self.linear(x)", linear="nn.LazyLinear(8)"))
    assert "linear %0 bias=True in_features=64 out_features=8" in graph(found)
    assert {one.name: recording.shapes[one.tensor] for one in recording.weights} == {
        "linear.weight": (8, 64),
        "linear.bias": (8,),
    }


def test_what_an_object_with_slots_holds_comes_out_of_the_model(traces: Sources) -> None:
    source = "class Out:\n    __slots__ = ('a',)\n    def __init__(self, a):\n        self.a = a\n\n\n"
    assert traces.graph(source + model("return Out(x.exp())")).endswith("give %1")


TIED = """
    class Model(nn.Module):
        def __init__(self, words={words}):
            super().__init__()
            self.embedding = nn.Embedding(words, 64)
            self.out = nn.Linear(64, words, bias=False)
            self.out.weight = self.embedding.weight

        def forward(self, input_ids):
            return self.out(self.embedding(input_ids))

    built = Model()
"""


@pytest.mark.parametrize("words", [9, 2_000])
def test_weights_that_were_one_when_a_module_was_imported_stay_one(traces: Sources, words: int) -> None:
    answer = traces.ask(TIED.format(words=words), "built")
    numbers = {name: number for name, number, _ in answer["weights"]}
    assert numbers["embedding.weight"] == numbers["out.weight"]


def test_what_a_learned_number_is_before_training_decides_nothing_unsaid(traces: Sources) -> None:
    body = "return x.relu() if self.gate.item() == 0 else x.exp()"
    _, found = traces.trace(model(body, gate="nn.Parameter(torch.zeros(1))"))
    assert any(one.startswith("item of a tensor without content") for one in found.assumptions)


def test_a_loop_over_a_tensor_takes_entries_and_is_no_split(traces: Sources) -> None:
    _, found = traces.trace(
        model(
            """\
            for entry in (x.sum(-1) > 0).nonzero():
                x = x + self.linear(x[entry[0]])
            return x
        """,
            linear=_LINEAR,
        )
    )
    kinds = [op.kind.name for op in found.graph.walk()]
    assert "split" not in kinds
    assert kinds.count("select") == 3


def test_a_tensor_that_is_written_through_one_view_after_another_keeps_what_was_written(traces: Sources) -> None:
    _, found = traces.trace(
        model(
            """\
            whole = x.new_empty(*x.shape[:-1], 16)
            whole[..., :8].copy_(self.first(x))
            whole[..., 8:].copy_(self.second(x))
            return whole
        """,
            first=_LINEAR,
            second=_LINEAR,
        )
    )
    kinds = [op.kind.name for op in found.graph.walk()]
    assert "opaque" not in kinds
    assert kinds.count("update") == 2
