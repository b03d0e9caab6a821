"""Code on top of libraries whose sources are not at hand: what dialects spell of them."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources, ops

LAYER = """
class Mine(nn.TransformerEncoderLayer):
    def forward(self, x):
        x = x + self._sa_block(self.norm1(x), None, None)
        return x + self._ff_block(self.norm2(x))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 32, activation="gelu"), 2)

    def forward(self, x):
        return self.encoder(x)
"""
CONFIGURED = """
from transformers import PreTrainedModel, PretrainedConfig
from transformers.activations import ACT2FN
from transformers.modeling_outputs import BaseModelOutput


class Config(PretrainedConfig):
    def __init__(self, width=8, act="gelu_new", **kwargs):
        super().__init__(**kwargs)
        self.width, self.act = width, act


class Model(PreTrainedModel):
    def __init__(self, config: Config):
        super().__init__(config)
        self.linear = nn.Linear(self.config.width, 3)
        self.register_buffer("table", torch.ones(3))
        self.act = ACT2FN[config.act]
        self.post_init()

    def forward(self, x):
        if not self.config.output_attentions:
            x = self.act(self.linear(x.to(self.dtype)))
        return BaseModelOutput(last_hidden_state=x, hidden_states=None)


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Model(Config())

    def forward(self, x):
        found = self.inner(x)
        return found.last_hidden_state if found.hidden_states is None else found[1]
"""


def kinds(text: str) -> list[str]:
    return [line.split(" = ")[1].split()[0] for line in text.splitlines()]


def test_a_subclass_of_a_torch_layer_has_its_methods(sources: Sources) -> None:
    found = kinds(sources.computes(LAYER, "Mine", {"d_model": "8", "nhead": "2"}))
    assert found[:4] == ["layer_norm", "attention", "dropout", "add"]
    assert found[4:] == ["layer_norm", "linear", "relu", "dropout", "linear", "dropout", "add"]


def test_a_stack_of_torch_layers_is_read_without_torch(sources: Sources) -> None:
    found = kinds(sources.computes(LAYER, "Model"))
    assert found.count("attention") == 2
    assert found[:4] == ["attention", "dropout", "add", "layer_norm"]
    assert "gelu" in found


def test_models_on_transformers_are_read_without_it(sources: Sources) -> None:
    text = sources.computes(CONFIGURED, "Outer")
    assert kinds(text) == ["constant", "identity", "linear", "gelu"]
    assert "approximate='tanh'" in text
    assert "in_features=8" in text


@pytest.mark.parametrize(("word", "kind"), [("relu", "relu"), ("swish", "silu"), ("quick_gelu", "quick_gelu")])
def test_transformers_table_of_activations(sources: Sources, word: str, kind: str) -> None:
    text = f"from transformers.activations import ACT2FN\ndef f(x):\n    return ACT2FN['{word}'](x)\n"
    assert kinds(sources.computes(text)) == [kind]


def test_an_activation_that_the_table_lacks_is_not_known(sources: Sources) -> None:
    text = "from transformers.activations import ACT2FN\ndef f(x):\n    return ACT2FN['xyz'](x)\n"
    [variant] = sources.read(text).variants
    assert "opaque" in ops(variant)


def test_functions_of_whole_tensors_are_known(sources: Sources) -> None:
    text = """
        def f(x):
            values, places = torch.unique(x, return_inverse=True)
            middle = x.median(dim=1).values + torch.median(x)
            return torch.cross(values, places), middle, F.mse_loss(x, middle), torch.linalg.svd(x)[0]
        """
    found = sources.computes(text)
    for function in ("unique", "unique_inverse", "median", "cross", "mse_loss", "svd"):
        assert f"function='{function}'" in found


def test_a_size_is_never_none(sources: Sources) -> None:
    text = """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.kept = None
                self.length = None

            def forward(self, x):
                if x.shape[1] != self.length or self.kept.device != x.device:
                    self.length, self.kept = x.shape[1], torch.ones(3)
                return x * self.kept if x.size(0) is not None else x
        """
    assert kinds(sources.computes(text, "M")) == ["constant", "mul"]


def test_a_shape_with_sizes_behind_it_keeps_them(sources: Sources) -> None:
    found = sources.computes("def f(x):\n    return x.view(*(x.size()[:-1] + (4, 2)))\n")
    assert found.endswith(",4,2,)")


def test_a_configuration_may_want_one_argument(sources: Sources) -> None:
    text = """
        class Config:
            def __init__(self, size_or_file, width=8, act="relu", heads=2, drop=0.1):
                if isinstance(size_or_file, str):
                    self.__dict__.update(load(size_or_file))
                elif isinstance(size_or_file, int):
                    self.size, self.width, self.act = size_or_file, width, act
                else:
                    raise ValueError("a size or a file")

        class M(nn.Module):
            def __init__(self, config):
                super().__init__()
                self.linear = nn.Linear(config.width, config.width)
                self.act = {"relu": F.relu}[config.act]

            def forward(self, x):
                return self.act(self.linear(x))
        """
    [variant] = sources.read(text, "M").variants
    assert kinds(ops(variant)) == ["linear", "relu"]
    assert "in_features=8" in ops(variant)


def test_a_class_whose_base_is_not_read_runs_its_forward(sources: Sources) -> None:
    text = """
        from fastai_of_old import *

        class Mean(Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("axis_table", torch.ones(3))

            def forward(self, x):
                return (x * self.axis_table).mean(-1)

        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.mean = Mean()

            def forward(self, x):
                return self.mean(x)
        """
    reading = sources.read(text, "M")
    assert kinds(ops(reading.variants[0])) == ["constant", "mul", "mean"]
    assert any("calling a Mean runs its forward" in one for one in reading.assumptions)


def test_a_loop_over_a_parameter_sees_each_entry(sources: Sources) -> None:
    text = """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.memory = nn.Parameter(torch.randn(2, 4, 8))

            def forward(self, x):
                key, value = map(lambda t: t * 2, self.memory)
                return x @ key + value
        """
    assert kinds(sources.computes(text, "M"))[2:] == ["select", "select", "mul", "mul", "matmul", "add"]


def test_numbers_put_into_a_parameter_leave_it_learned(sources: Sources) -> None:
    text = """
        def spread(tensor):
            with torch.no_grad():
                tensor.uniform_(-1, 1)
                tensor.erfinv_()
                tensor.mul_(0.02)
                return tensor.clamp_(min=-2, max=2)

        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.table = nn.Parameter(torch.zeros(4, 8))
                spread(self.table)

            def forward(self, x):
                return x + self.table
        """
    assert sources.computes(text, "M").splitlines()[-1].startswith("%")
    [variant] = sources.read(text, "M").variants
    by_path = {op.path: op for op in variant.graph.ops}
    assert [by_path[value.op].kind.name for value in variant.graph.ops[-1].reads] == ["input", "parameter"]


def test_quotients_without_rest_and_remainders(sources: Sources) -> None:
    assert sources.computes("def f(x):\n    return x // 2\n") == "%1 = div %0 by=2 rounding='floor'"
    assert sources.computes("def f(x):\n    return 7 // x\n") == "%1 = div %0 by=7 reverse=True rounding='floor'"
    assert sources.computes("def f(x):\n    return x % 3\n") == "%1 = elementwise %0 by=3 function='remainder'"


def test_of_layers_in_any_number_of_dimensions_that_in_two_is_taken(sources: Sources) -> None:
    text = """
        class M(nn.Module):
            def __init__(self, dimensions):
                super().__init__()
                self.conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1](4, 8, 3)

            def forward(self, x):
                return self.conv(x)
        """
    reading = sources.read(text, "M")
    assert kinds(ops(reading.variants[0])) == ["conv"]
    assert any("Conv1d, Conv2d, Conv3d" in one for one in reading.assumptions)


def test_layers_of_different_kinds_are_not_chosen_among(sources: Sources) -> None:
    text = """
        class M(nn.Module):
            def __init__(self, which):
                super().__init__()
                self.norm = (nn.BatchNorm1d, nn.LayerNorm, nn.BatchNorm3d)[which](8)

            def forward(self, x):
                return self.norm(x)
        """
    assert kinds(ops(sources.read(text, "M").variants[0])) == ["opaque"]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("'a'", "Hashable", 1),
        ("[1]", "Hashable", 2),
        ("{}", "Mapping", 1),
        ("(1,)", "Collection", 1),
        ("3", "Sized", 2),
    ],
)
def test_plain_data_is_asked_for_its_abstract_classes(sources: Sources, value: str, kind: str, expected: int) -> None:
    text = f"""
        from collections.abc import {kind}

        def f(x):
            return x * (1 if isinstance({value}, {kind}) else 2) + 0.5
        """
    assert sources.computes(text).startswith(f"%1 = mul %0 by={expected}")


def test_a_package_that_is_imported_by_name_may_be_absent(sources: Sources) -> None:
    text = """
        def optional(name):
            try:
                return __import__(name), True
            except Exception:
                return None, False

        def f(x):
            found, is_there = optional("einops")
            lost, is_here = optional("no_such_package")
            return x * (2 if is_there and not is_here else 3)
        """
    assert sources.computes(text) == "%1 = mul %0 by=2"


def test_what_a_module_deletes_was_there_before(sources: Sources) -> None:
    text = """
        def versions():
            return {"full": 2}

        K = versions()["full"]
        del versions

        def f(x):
            return x * K
        """
    assert sources.computes(text) == "%1 = mul %0 by=2"


def test_a_decorator_may_give_a_class_another_base(sources: Sources) -> None:
    text = """
        class State:
            def factor(self):
                return 3

        def with_state(cls):
            cls.__bases__ = (State,) + tuple(base for base in cls.__bases__ if base != State)
            return cls

        @with_state
        class M(nn.Module):
            def forward(self, x):
                return x * self.factor()
        """
    assert sources.computes(text, "M") == "%1 = mul %0 by=3"


def test_a_parameter_is_taken_apart_along_any_axis_of_known_size(sources: Sources) -> None:
    text = """
        class M(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.pair = nn.Parameter(torch.randn(2, width))

            def forward(self, x):
                key, value = map(lambda t: t * 2, self.pair.unbind(dim=-2))
                return x * key + value
        """
    [variant] = sources.read(text, "M").variants
    assert kinds(ops(variant))[-5:] == ["split", "mul", "mul", "mul", "add"]


@pytest.mark.parametrize(("name", "factor"), [("scaled_dot_product_attention", 2), ("no_such_function_at_all", 3)])
def test_a_library_has_what_its_dialect_lists(sources: Sources, name: str, factor: int) -> None:
    text = f"def f(x):\n    return x * (2 if hasattr(F, '{name}') else 3)\n"
    reading = sources.read(text)
    assert ops(reading.variants[0]) == f"%1 = mul %0 by={factor}"
    assert bool(reading.assumptions) == (factor == 3)


def test_a_row_of_a_parameter_that_is_set_leaves_it_learned(sources: Sources) -> None:
    text = """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.table = nn.Parameter(torch.zeros(4, 8))
                self.table.data[0].zero_()

            def forward(self, x):
                return x + self.table
        """
    [variant] = sources.read(text, "M").variants
    by_path = {op.path: op for op in variant.graph.ops}
    assert [by_path[value.op].kind.name for value in variant.graph.ops[-1].reads] == ["input", "parameter"]


def test_what_is_spelled_stands_where_code_calls_or_extends_it(sources: Sources) -> None:
    for symbol, arguments in (("Mine", {"d_model": "8", "nhead": "2"}), ("Model", {})):
        [variant] = sources.read(LAYER, symbol, arguments).variants
        spans = [op.span for op in variant.graph.ops if op.kind.name not in ("input", "parameter") and op.span]
        assert spans
        assert {span.file for span in spans} == {"model.py"}
        assert all(span.line <= 2 + len(LAYER.splitlines()) + 2 for span in spans)


@pytest.mark.parametrize(
    ("config", "factor", "told"), [("Small()", 3, True), ("Small(use_cache=True)", 2, False), ("Off()", 3, False)]
)
def test_a_default_that_another_stands_in_for_is_told(sources: Sources, config: str, factor: int, told: bool) -> None:
    base = "class PreTrainedConfig:\n    width: int = 8\n"
    sources.write("transformers/__init__.py", "")
    sources.write("transformers/configuration_utils.py", f"from dataclasses import dataclass\n\n@dataclass\n{base}")
    text = """
        from dataclasses import dataclass
        from transformers.configuration_utils import PreTrainedConfig

        @dataclass
        class Small(PreTrainedConfig):
            use_cache: bool = True

        @dataclass
        class Off(PreTrainedConfig):
            use_cache: bool = False

        class M(nn.Module):
            def __init__(self, config):
                super().__init__()
                self.factor = 2 if config.use_cache else 3

            def forward(self, x):
                return x * self.factor
        """
    reading = sources.read(text, "M", {"config": config})
    assert ops(reading.variants[0]) == f"%1 = mul %0 by={factor}"
    assert ("use_cache is False, which is not its default" in reading.assumptions) is told


def test_weights_are_never_loaded_and_decide_no_layer(sources: Sources) -> None:
    text = """
        from huggingface_hub import hf_hub_download
        from safetensors.torch import load_file

        class Model(nn.Module):
            def __init__(self, pretrained=True):
                super().__init__()
                self.linear = nn.Linear(4, 4)
                if pretrained:
                    path = hf_hub_download("some--one/model", "weights")
                    state = load_file(path) if path.endswith("safetensors") else torch.load(path, map_location="cpu")
                    found = self.load_state_dict({name: value for name, value in state.items()}, strict=False)
                    if found.missing_keys:
                        print(found.missing_keys)

            def forward(self, x):
                return self.linear(x)
        """
    [variant] = sources.read(text, "Model").variants
    assert variant.error == ""
    assert ops(variant) == "%1 = linear %0 bias=True in_features=4 out_features=4"


STACKED = """
import torch
from torch import nn

class M(nn.Module):
    def __init__(self, d=4):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(2, 3 * d))

    def forward(self, x):
        one, two = (part for part in torch.tensor_split(self.bias, self.bias.shape[0]))
        return x * one + two
"""


def test_a_learned_tensor_tells_its_sizes(sources: Sources) -> None:
    found = sources.computes(STACKED, "M")
    assert kinds(found)[-3:] == ["split", "mul", "add"]
    assert "sections=2" in found
