"""Containers of modules: what is put into them, under which names, and what a call of one runs."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources, ops

RUN = "    def forward(self, x):\n        return self.parts(x)\n"
INIT = "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
KERAS = "import keras\n"


def kinds(text: str) -> list[str]:
    return [line.partition(" = ")[2].split()[0] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("built", "run", "expected"),
    [
        pytest.param(
            ["self.parts = nn.Sequential()", "self.parts.add_module('up', nn.ReLU())", "self.parts.append(nn.Tanh())"],
            ["return self.parts(x)"],
            ["relu", "tanh"],
            id="modules are added by name to a Sequential",
        ),
        pytest.param(
            ["self.parts = nn.Sequential(nn.ReLU(), nn.GELU())", "self.parts.add_module('1', nn.Tanh())"],
            ["return self.parts(x)"],
            ["relu", "tanh"],
            id="a number that is taken is replaced",
        ),
        pytest.param(
            ["self.parts = nn.Sequential(nn.ReLU(), nn.GELU())", "self.parts[0] = nn.Tanh()"],
            ["return self.parts(x)"],
            ["tanh", "gelu"],
            id="an item is replaced",
        ),
        pytest.param(
            ["self.parts = nn.ModuleDict({'a': nn.ReLU()})", "self.parts.add_module('b', nn.Tanh())"],
            ["for name in self.parts:", "    x = self.parts[name](x)", "return self.parts.b(x)"],
            ["relu", "tanh", "tanh"],
            id="modules are added by name to a ModuleDict",
        ),
        pytest.param(
            ["self.parts = nn.ModuleList()", "for i in range(2):", "    self.parts.add_module(str(i), nn.ReLU())"],
            ["for part in self.parts:", "    x = part(x)", "return self.parts[1](x)"],
            ["relu", "relu", "relu"],
            id="modules are added by number to a ModuleList",
        ),
        pytest.param(
            ["self.one, self.two = nn.ReLU(), nn.Tanh()"],
            ["for part in self._modules.values():", "    x = part(x)", "return self._modules['one'](x)"],
            ["relu", "tanh", "relu"],
            id="a module's modules by name",
        ),
        pytest.param(
            ["for name in ('one', 'two'):", "    self._modules[name] = nn.ReLU()"],
            ["return self.two(self.one(x))"],
            ["relu", "relu"],
            id="what is put among a module's modules is an attribute",
        ),
        pytest.param(
            ["self.parts = nn.Sequential()", "self.parts.one = nn.ReLU()", "self.parts.one = nn.Tanh()"],
            ["return self.parts(x)"],
            ["tanh"],
            id="an attribute that is set anew",
        ),
        pytest.param(
            ["self.parts = nn.Sequential()", "self.parts.one = nn.ReLU()", "self.parts.depth = 2"],
            ["return self.parts(x) * self.parts.depth"],
            ["relu", "mul"],
            id="an attribute that is no module",
        ),
    ],
)
def test_what_is_put_into_a_container_is_in_it(
    sources: Sources, built: list[str], run: list[str], expected: list[str]
) -> None:
    text = INIT + "".join(f"        {line}\n" for line in built)
    text += "    def forward(self, x):\n" + "".join(f"        {line}\n" for line in run)
    assert kinds(sources.computes(text, "Model")) == expected


PARTS = "        super().__init__()\n        self.one = nn.ReLU()\n        self.add_module('two', nn.Tanh())\n"


@pytest.mark.parametrize(
    ("base", "forward", "expected"),
    [
        ("Sequential", "", ["relu", "tanh"]),
        ("Sequential", "return super().forward(x) + x", ["relu", "tanh", "add"]),
        ("Sequential", "return self.two(x)", ["tanh"]),
        ("ModuleList", "for part in self: x = part(x)\n        return x", ["relu", "tanh"]),
        ("ModuleDict", "for _, part in self.items(): x = part(x)\n        return x", ["relu", "tanh"]),
        ("ModuleDict", "for name, part in self.named_children(): x = part(x)\n        return x", ["relu", "tanh"]),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_class_may_be_a_container_of_its_own_modules(
    sources: Sources, base: str, forward: str, expected: list[str], inside: bool
) -> None:
    text = f"class Parts(nn.{base}):\n    def __init__(self):\n{PARTS}"
    text += f"    def forward(self, x):\n        {forward}\n" if forward else ""
    text += INIT + "        self.parts = Parts()\n" + RUN
    assert kinds(sources.computes(text, "Model" if inside else "Parts")) == expected


def test_layers_are_added_to_a_keras_model(sources: Sources) -> None:
    text = """
        class Grown(keras.Sequential):
            def __init__(self):
                super().__init__([keras.layers.ReLU()])
                self.depth = keras.layers.LayerNormalization()
                self.add(keras.layers.Softmax())

        class Model(keras.Model):
            def __init__(self):
                super().__init__()
                self.parts = keras.Sequential()
                self.parts.add(keras.layers.ReLU())
                self.parts.add(Grown())

            def call(self, x):
                return self.parts(x)
        """
    assert kinds(sources.computes(text, "Model", top=KERAS)) == ["relu", "relu", "softmax"]


def test_a_method_that_no_base_has_is_not_known(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def forward(self, x):
                return x + super().shift()
        """
    [variant] = sources.read(text, "Model").variants
    assert "unknown('super().shift of Model, which no class that is read has'" in ops(variant)


def test_a_sequential_knows_its_modules_by_the_names_that_it_was_given(sources: Sources) -> None:
    text = """
        from collections import OrderedDict

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.parts = nn.Sequential(OrderedDict(one=nn.ReLU(), two=nn.Tanh()))
                self.parts.three = nn.GELU()

            def forward(self, x):
                return self.parts(self.parts.two(x))
        """
    assert kinds(sources.computes(text, "Model")) == ["tanh", "relu", "tanh", "gelu"]


def test_a_sequential_of_one_container_holds_that_container(sources: Sources) -> None:
    text = """
        class Dense(nn.Sequential):
            def forward(self, x):
                return torch.cat([x, super().forward(x)], 1)

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.parts = nn.Sequential(*[Dense(nn.ReLU())])

            def forward(self, x):
                return self.parts(x)
        """
    assert kinds(sources.computes(text, "Model")) == ["relu", "concat"]


def test_a_class_that_extends_a_layer_is_a_module_of_the_container(sources: Sources) -> None:
    text = """
        class Norm(nn.LayerNorm):
            def forward(self, x):
                return torch.relu(super().forward(x))

        class Model(nn.Sequential):
            def __init__(self):
                super().__init__()
                self.add_module("norm", Norm(4))
                self.at = [name for name, _ in self.named_children()].index("norm")

            def forward(self, x):
                return self[self.at](x)
        """
    assert kinds(sources.computes(text, "Model")) == ["layer_norm", "relu"]
