"""Arguments of a traced call: what is given unasked, what is mended, and what a user is told when nothing helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")

from trace_sources import ask, model  # noqa: E402  # torch may be missing

from archcheck.frontends.trace.child import documented  # noqa: E402
from archcheck.frontends.trace.child.recipes import ids  # noqa: E402

if TYPE_CHECKING:
    from trace_sources import Sources


def _given(answer: Mapping[str, Any]) -> dict[str, list[int]]:
    """Shapes of the tensors that a call was given."""
    assert answer["error"] == "", answer["error"]
    return {name: answer["shapes"][answer["shape_of"][number]][0] for name, number in answer["inputs"]}


# ---- what is given unasked


def test_features_are_those_of_the_first_layer(traces: Sources) -> None:
    given = _given(
        traces.ask("class Model(nn.Sequential):\n    def __init__(self):\n        super().__init__(nn.Linear(24, 8))")
    )
    assert given["input"] == [2, 7, 24]


def test_ids_are_given_to_an_embedding_and_are_in_its_range(traces: Sources) -> None:
    body = "assert int(idx.max()) < 5 and len(set(idx.flatten().tolist())) > 1; return self.rows(idx)"
    answer = traces.ask(model(body, given="idx", rows="nn.Embedding(5, 8)"))
    assert _given(answer) == {"idx": [2, 7]}
    assert not answer["guesses"]  # the assertion was decided by the numbers


def test_only_what_the_call_needs_is_given(traces: Sources) -> None:
    answer = traces.ask("""
        class Model(nn.Module):
            def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None):
                return hidden_states.exp()
    """)
    assert list(_given(answer)) == ["hidden_states"]
    assert answer["assumed"] == []


@pytest.mark.parametrize(
    ("documentation", "shape"),
    [
        ("x (`torch.Tensor` of shape `(batch_size, sequence_length, 40)`): what is read.", [2, 7, 40]),
        ("x: (B, C, H, W) of pixels", [2, 3, 224, 224]),
        ("x (Tensor): tensor of shape (batch, 3 * 4 + 2)", [2, 14]),
        (":param x: of shape [batch_size, 11, 2 ** 3]", [2, 11, 8]),
    ],
)
def test_documented_axes_say_the_shape(traces: Sources, documentation: str, shape: list[int]) -> None:
    answer = traces.ask(f'''
        class Model(nn.Module):
            def forward(self, x):
                """Computes.

                {documentation}
                """
                return x.exp()
    ''')
    assert _given(answer) == {"x": shape}


def test_sizes_come_from_what_the_constructor_is_given(traces: Sources) -> None:
    source = """
        class Model(nn.Module):
            def __init__(self, image_size, patch_size):
                super().__init__()
                self.size = image_size
                self.patches = nn.Conv2d(1, 8, patch_size, patch_size)

            def forward(self, img):
                assert img.shape[-1] == self.size
                return self.patches(img)
    """
    answer = traces.ask(source, arguments={"image_size": "48", "patch_size": "16"})
    assert _given(answer) == {"img": [2, 1, 48, 48]}


def test_ids_differ_and_stay_below_the_vocabulary() -> None:
    found = ids(50, 2, 7)
    assert len(found.unique()) == 14
    assert found.min() >= 1
    assert found.max() < 50
    assert ids(2, 2, 7).max() < 2


def test_documentation_that_is_no_shape_is_left_alone() -> None:
    def call(x: Any, y: Any) -> None:
        """x: something (see the paper, section 3, for its axes and more)
        y (`int`, *optional*, defaults to 3): a number."""

    assert documented.shapes(call) == {}


# ---- what the exception says


def test_a_size_that_the_exception_tells_is_given(traces: Sources) -> None:
    answer = traces.ask(model("return self.norm(self.out(x))", norm="nn.LayerNorm(10)", out="nn.Linear(30, 10)"))
    assert _given(answer) == {"x": [2, 7, 30]}
    assert any("x is given [2, 7, 30]" in one for one in answer["assumed"])


def test_an_argument_without_which_the_call_fails_is_given_and_told(traces: Sources) -> None:
    answer = traces.ask("""
        class Model(nn.Module):
            def forward(self, hidden_states: Tensor, mask: Tensor | None = None, memory: Tensor | None = None):
                if memory is None:
                    raise ValueError("You must give memory")
                return hidden_states + memory
    """)
    assert list(_given(answer)) == ["hidden_states", "memory"]
    assert answer["assumed"] == ["called with memory, without which the call fails"]


def test_an_argument_is_found_where_none_is_used_in_an_inner_call(traces: Sources) -> None:
    answer = traces.ask("""
        class Inner(nn.Module):
            def forward(self, x, context):
                return x + context.mean()

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = Inner()

            def forward(self, x: Tensor, encoder_hidden_states: Tensor | None = None):
                return self.inner(x, encoder_hidden_states)
    """)
    assert list(_given(answer)) == ["x", "encoder_hidden_states"]


def test_what_turned_out_not_to_be_needed_is_not_given(traces: Sources) -> None:
    answer = traces.ask("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.out = nn.Linear(12, 4)

            def forward(self, x: Tensor, mask: Tensor | None = None):
                \"\"\"x: (B, N, 20)\"\"\"
                if x.shape[-1] != 12 and mask is None:
                    raise ValueError("without a mask")
                return self.out(x)
    """)
    assert _given(answer) == {"x": [2, 7, 12]}


def test_a_length_becomes_a_multiple(traces: Sources) -> None:
    answer = traces.ask("""
        class Model(nn.Module):
            def forward(self, waveform):
                if waveform.shape[-1] % 480:
                    raise ValueError("the length must be a multiple of 480")
                return waveform.view(waveform.shape[0], -1, 480)
    """)
    assert _given(answer) == {"waveform": [2, 16320]}


def test_another_layout_is_tried(traces: Sources) -> None:
    body = "batch, channels, samples = audio.shape; return self.first(audio)"
    answer = traces.ask(model(body, given="audio", first="nn.Conv1d(1, 4, 8)"))
    assert _given(answer) == {"audio": [2, 1, 16000]}


def test_a_mask_has_the_length_of_what_it_masks(traces: Sources) -> None:
    answer = traces.ask("""
        class Model(nn.Module):
            def forward(self, input_features: Tensor, input_features_mask: Tensor):
                \"\"\"
                input_features (`torch.Tensor` of shape `(batch_size, sequence_length, feature_dim)`): frames.
                input_features_mask (`torch.Tensor` of shape `(batch_size, sequence_length)`): which count.
                \"\"\"
                assert bool(input_features_mask.all())
                return input_features * input_features_mask[..., None]
    """)
    given = _given(answer)
    assert given["input_features"][:2] == given["input_features_mask"]
    assert not answer["guesses"]


# ---- content


def test_a_check_of_numbers_that_are_not_there_is_taken_to_pass(traces: Sources) -> None:
    answer = traces.ask("""
        class Model(nn.Module):
            def forward(self, x):
                assert x.isfinite().all(), "no numbers"
                if not (x.abs() < 100).all():
                    raise ValueError("too large")
                if x.isnan().any():
                    raise ValueError("no numbers")
                return x.exp()
    """)
    assert answer["error"] == ""
    assert [guess[2] for guess in answer["guesses"]] == ["True", "True", "False"]


def test_sizes_that_are_tensors_are_numbers(traces: Sources) -> None:
    answer = traces.ask("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("pad", torch.tensor(3))
                self.register_buffer("more", torch.tensor(5))

            def forward(self, x):
                assert F.pad(x, (0, self.pad)).shape[-1] == x.shape[-1] + 3
                return F.pad(x, (0, self.more)).view(x.shape[0], torch.div(x.shape[1], 1, rounding_mode="trunc"), -1)
    """)
    assert answer["error"] == ""
    assert not answer["guesses"]


@pytest.mark.parametrize(
    ("code", "guesses"),
    [
        ("torch.bincount((x > 0).long().flatten())", [("bincount", "as many entries as zeros would")]),
        ("x[:, : x.argmax()]", [("the bound of a slice", "1")]),
        (
            "torch.cat(x.split(x.argmax(-1)[0, :3].tolist(), dim=1), dim=1)",
            [("tolist", "[1, 1, 1]"), ("split", "parts that make the whole")],
        ),
    ],
)
def test_a_shape_that_depends_on_numbers_is_a_guess(traces: Sources, code: str, guesses: list[tuple[str, str]]) -> None:
    answer = traces.ask(model(f"return {code}"))
    assert answer["error"] == ""
    assert [(name, told) for name, _, told in answer["guesses"]] == guesses
    assert all(site >= 0 for _, site, _ in answer["guesses"])


def test_parts_that_code_states_are_not_made_to_fit(traces: Sources) -> None:
    answer = traces.ask(model("return x.split([1, 1, 1], dim=1)"), inputs={"x": "2x6x8"})
    assert "split_with_sizes expects" in answer["error"]


def test_what_a_failed_call_guessed_is_not_told(traces: Sources) -> None:
    answer = traces.ask("""
        class Model(nn.Module):
            def forward(self, x: Tensor, memory: Tensor | None = None):
                if memory is None and x.sum() > 3:
                    x = x * 2
                return x + memory
    """)
    assert list(_given(answer)) == ["x", "memory"]
    assert answer["guesses"] == []


# ---- what the user gives


@pytest.mark.parametrize(
    ("text", "shape", "dtype"),
    [
        ("3x5", [3, 5], "torch.float32"),
        ("3x5:int64", [3, 5], "torch.int64"),
        ("2x4:bfloat16", [2, 4], "torch.bfloat16"),
    ],
)
def test_a_shape_is_given(traces: Sources, text: str, shape: list[int], dtype: str) -> None:
    answer = traces.ask(model("return x * 2"), inputs={"x": text})
    assert answer["shapes"][answer["shape_of"][dict(answer["inputs"])["x"]]] == [shape, dtype]


def test_a_literal_is_given_beside_the_tensor(traces: Sources) -> None:
    source = model('assert name == "b" and times == 3; return x * times', given='x, times, name="a"')
    answer = traces.ask(source, inputs={"times": "3", "name": "'b'"})
    assert list(_given(answer)) == ["x"]


def test_what_the_user_gives_is_not_changed(traces: Sources) -> None:
    answer = traces.ask(model("return self.out(x)", out="nn.Linear(30, 10)"), inputs={"x": "2x7x31"})
    assert "31" in answer["error"]
    assert answer["stage"] == "run"


def test_an_input_that_is_no_parameter_names_those_there_are(traces: Sources) -> None:
    answer = traces.ask(model("return x", given="x, y=None"), inputs={"z": "3x4"})
    assert (answer["error"], answer["hint"]) == ("--input z: the call has no such parameter", "it takes x, y")


def test_an_input_that_is_no_shape_says_what_to_write(traces: Sources) -> None:
    answer = traces.ask(model("return x"), inputs={"x": "big"})
    assert answer["error"] == "--input x=big: this is no shape and no literal"
    assert answer["hint"].startswith("give a shape, as 2x7x64 or 2x7:int64")


def test_a_missing_constructor_argument_names_the_option(traces: Sources) -> None:
    answer = traces.ask("class Model(nn.Module):\n    def __init__(self, tokenizer):\n        super().__init__()")
    assert answer["error"] == "the argument tokenizer is not given"
    assert answer["hint"] == "--arg tokenizer=EXPR gives it"


def test_what_is_made_up_for_a_constructor_is_told_in_words_and_as_data(traces: Sources) -> None:
    answer = traces.ask(
        """
        class Model(nn.Module):
            def __init__(self, num_heads, d_model, eps):
                super().__init__()
                self.out = nn.Linear(d_model, num_heads)

            def forward(self, x):
                return self.out(x)
    """,
        arguments={"d_model": "12"},
    )
    assert answer["made"] == {"num_heads": "4", "eps": "1e-06"}
    assert "num_heads is 4, as it is not given" in answer["assumed"]


def test_the_call_that_got_furthest_is_told_when_nothing_helps(traces: Sources) -> None:
    answer = traces.ask(
        model("""
        y = x.exp().log().exp()
        raise RuntimeError("this never works")
    """)
    )
    assert answer["error"] == "RuntimeError: this never works"
    assert answer["at"][1:4] == ["Model.forward", 11, 8]
    assert len(answer["calls"]) == 3


# ---- torch's and transformers' own


def test_torchs_own_transformer_is_called() -> None:
    answer = ask("torch.nn", "Transformer", arguments={"d_model": "32", "nhead": "4", "num_encoder_layers": "1"})
    assert _given(answer)["src"][-1] == 32


def test_a_decoder_gets_ids_too() -> None:
    pytest.importorskip("transformers")
    arguments = {"config": "T5Config(vocab_size=50, d_model=16, d_kv=4, d_ff=32, num_layers=1, num_heads=4)"}
    answer = ask("transformers.models.t5.modeling_t5", "T5Model", arguments=arguments)
    assert list(_given(answer)) == ["input_ids", "decoder_input_ids"]
    assert "called with decoder_input_ids, without which the call fails" in answer["assumed"]


def test_patches_fit_their_grid() -> None:
    pytest.importorskip("transformers")
    place = "transformers.models.qwen2_5_vl"
    configs = {"config": [f"{place}.configuration_qwen2_5_vl", "Qwen2_5_VLVisionConfig"]}
    arguments = {"config": "Qwen2_5_VLVisionConfig(depth=1, fullatt_block_indexes=[0])"}
    answer = ask(
        f"{place}.modeling_qwen2_5_vl", "Qwen2_5_VisionTransformerPretrainedModel", arguments=arguments, configs=configs
    )
    assert _given(answer) == {"hidden_states": [16, 3 * 2 * 14 * 14], "grid_thw": [1, 3]}


# ---- what the code catches


CATCHING = """
    try:
        y = {tried}
    except Exception:
        y = x.exp()
    return y
"""


def test_code_that_goes_on_after_what_only_tracing_raises_has_not_come_to_its_end(traces: Sources) -> None:
    answer = traces.ask(model(CATCHING.format(tried="x * float(x.numpy().mean())")))
    assert answer["stage"] == "run"
    assert "torch.Tensor.numpy raised NoNumbersError: a tensor has no numbers while it is traced" in answer["error"]
    assert answer["at"][2] == 11


def test_code_that_goes_on_after_what_torch_raises_is_told(traces: Sources) -> None:
    answer = traces.ask(model(CATCHING.format(tried="x + x[..., :3]")))
    assert answer["error"] == ""
    ((name, site, why),) = answer["caught"]
    assert (name, answer["sites"][site][2]) == ("torch.Tensor.add", 11)
    assert why.startswith("RuntimeError: ")


def test_what_a_call_raised_that_was_mended_is_not_told(traces: Sources) -> None:
    answer = traces.ask(model("return self.out(x)", out="nn.Linear(30, 10)"))
    assert (answer["error"], answer["caught"]) == ("", [])


def test_a_configuration_that_refuses_to_tell_a_field_is_asked_for_others(traces: Sources) -> None:
    answer = traces.ask(
        """
        class Config:
            d_model = 24

            @property
            def hidden_size(self):
                raise RuntimeError("it differs from layer to layer")

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.config = Config()

            def forward(self, hidden_states):
                return hidden_states.exp()
        """
    )
    assert _given(answer) == {"hidden_states": [2, 7, 24]}
