"""Classes as code composes them: inheritance, descriptors, dataclasses, containers and what modules register."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluator_sources import Sources, ops

from archcheck.frontends.static.library import Library, Root
from archcheck.frontends.static.reader import read


def test_super_follows_a_chain_of_bases(sources: Sources) -> None:
    text = """
        class A(nn.Module):
            def forward(self, x):
                return x + 1

        class B(A):
            def forward(self, x):
                return super().forward(x) * 2

        class C(B):
            def forward(self, x):
                return super(C, self).forward(x) - 3
        """
    assert sources.computes(text, "C") == "%1 = add %0 by=1\n%2 = mul %1 by=2\n%3 = sub %2 by=3"


def test_super_visits_a_diamond_in_c3_order(sources: Sources) -> None:
    text = """
        class Base(nn.Module):
            def forward(self, x):
                return x * 2

        class Left(Base):
            def forward(self, x):
                return super().forward(x * 3)

        class Right(Base):
            def forward(self, x):
                return super().forward(x * 5)

        class Model(Left, Right):
            def forward(self, x):
                return super().forward(x * 7)
        """
    assert sources.computes(text, "Model") == "%1 = mul %0 by=7\n%2 = mul %1 by=3\n%3 = mul %2 by=5\n%4 = mul %3 by=2"


def test_a_mixin_overrides_what_stands_behind_it(sources: Sources) -> None:
    text = """
        class Scale:
            def act(self, x):
                return x * self.k

        class Base(nn.Module):
            k = 4
            def act(self, x):
                return x
            def forward(self, x):
                return self.act(x)

        class Model(Scale, Base):
            k = 5
        """
    assert sources.computes(text, "Model") == "%1 = mul %0 by=5"


def test_class_and_static_methods(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            k = 2
            @classmethod
            def make(cls):
                return cls.k
            @staticmethod
            def shift(x, by):
                return x + by
            def forward(self, x):
                return self.shift(x * self.make(), 3)

        class Other(Model):
            k = 9
        """
    assert sources.computes(text, "Other") == "%1 = mul %0 by=9\n%2 = add %1 by=3"


def test_properties_and_their_setters(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self._k = 1
                self.k = 5
            @property
            def k(self):
                return self._k + 1
            @k.setter
            def k(self, value):
                self._k = value * 10
            def forward(self, x):
                return x * self.k
        """
    assert sources.computes(text, "Model") == "%1 = mul %0 by=51"


def test_a_dataclass_has_defaults_factories_and_a_post_init(sources: Sources) -> None:
    text = """
        from dataclasses import dataclass, field

        @dataclass
        class Config:
            width: int
            depth: int = 2
            scales: list = field(default_factory=lambda: [3, 4])
            doubled: int = field(default=0, init=False)
            def __post_init__(self):
                self.doubled = self.width * 2

        def f(x):
            config = Config(8)
            return x * config.width * config.depth * config.scales[1] * config.doubled
        """
    expected = "%1 = mul %0 by=8\n%2 = mul %1 by=2\n%3 = mul %2 by=4\n%4 = mul %3 by=16"
    assert sources.computes(text) == expected


def test_a_dataclass_inherits_fields_in_the_order_of_the_bases(sources: Sources) -> None:
    text = """
        from dataclasses import dataclass

        @dataclass
        class Base:
            a: int = 1
            b: int = 2

        @dataclass
        class Config(Base):
            b: int = 7
            c: int = 3

        def f(x):
            config = Config(5, c=9)
            return x * config.a * config.b * config.c
        """
    assert sources.computes(text) == "%1 = mul %0 by=5\n%2 = mul %1 by=7\n%3 = mul %2 by=9"


def test_each_dataclass_has_a_list_of_its_own(sources: Sources) -> None:
    text = """
        from dataclasses import dataclass, field

        @dataclass
        class Config:
            parts: list = field(default_factory=list)

        def f(x):
            one, other = Config(), Config()
            one.parts.append(1)
            return x * len(one.parts) + len(other.parts)
        """
    assert sources.computes(text) == "%1 = mul %0 by=1\n%2 = add %1 by=0"


def test_a_table_of_functions_is_looked_up(sources: Sources) -> None:
    text = """
        ACTIVATIONS = {"relu": F.relu, "twice": lambda x: x * 2}

        def f(x):
            return ACTIVATIONS["twice"](ACTIVATIONS.get("relu")(x))
        """
    assert sources.computes(text) == "%1 = relu %0\n%2 = mul %1 by=2"


def test_a_class_with_getitem_builds_what_is_looked_up(sources: Sources) -> None:
    text = """
        class Table(dict):
            def __getitem__(self, key):
                made, k = super().__getitem__(key)
                return made(k)

        class Times:
            def __init__(self, k):
                self.k = k
            def __call__(self, x):
                return x * self.k

        TABLE = Table({"times": (Times, 6)})

        def f(x):
            return TABLE["times"](x)
        """
    assert sources.computes(text) == "%1 = mul %0 by=6"


def test_special_methods_serve_operators(sources: Sources) -> None:
    text = """
        class Scale:
            def __init__(self, k):
                self.k = k
            def __add__(self, other):
                return Scale(self.k + other.k)
            def __eq__(self, other):
                return self.k == other.k
            def __len__(self):
                return self.k
            def __contains__(self, item):
                return item == self.k

        def f(x):
            both = Scale(2) + Scale(3)
            if both == Scale(5) and 5 in both and 4 not in both:
                return x * len(both)
            return x
        """
    assert sources.computes(text) == "%1 = mul %0 by=5"


def test_getattr_answers_for_what_is_absent(sources: Sources) -> None:
    text = """
        class Config:
            known = 2
            def __getattr__(self, name):
                if name == "made_up":
                    return 8
                raise AttributeError(name)

        def f(x):
            config = Config()
            return x * config.known * config.made_up * getattr(config, "absent", 3)
        """
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = mul %1 by=8\n%3 = mul %2 by=3"


ENUMS = """
    from enum import Enum, IntEnum, auto

    class Kind(Enum):
        SMALL = "s"
        BIG = "b"
        LARGE = "b"

    class Name(str, Enum):
        RELU = "relu"
        @classmethod
        def _missing_(cls, value):
            return cls.RELU

    class Size(IntEnum):
        ONE = auto()
        TWO = auto()

    def f(x):
        return x * (%s)
    """


@pytest.mark.parametrize(
    ("asked", "by"),
    [
        ("len(Kind.BIG.value + Kind.BIG.name)", 4),
        ("5 if Kind('b') is Kind.BIG else 1", 5),
        ("5 if Kind['BIG'] is Kind.LARGE else 1", 5),
        ("5 if Kind.BIG is Kind.SMALL else 1", 1),
        ("5 if Kind.BIG == 'b' else 1", 1),
        ("5 if Name.RELU == 'relu' else 1", 5),
        ("5 if Name('other') is Name.RELU else 1", 5),
        ("5 if isinstance(Kind.BIG, Kind) and isinstance(Name.RELU, str) else 1", 5),
        ("len([kind for kind in Kind]) + len(Kind)", 4),
        ("Size.TWO + Size(1)", 3),
        ("{Kind.BIG: 6}[Kind('b')]", 6),
    ],
)
def test_an_enum_has_members(sources: Sources, asked: str, by: int) -> None:
    assert sources.computes(ENUMS % asked) == f"%1 = mul %0 by={by}"


def test_a_value_that_no_member_has_raises(sources: Sources) -> None:
    [variant] = sources.read(ENUMS % "Kind('c')").variants
    assert variant.error == "ValueError: 'c' is no Kind"


def test_a_named_tuple_goes_by_names_and_by_position(sources: Sources) -> None:
    text = """
        from typing import NamedTuple
        from collections import namedtuple

        class Pair(NamedTuple):
            first: int
            second: int = 3

        Old = namedtuple("Old", ["one", "two"])

        def f(x):
            pair, old = Pair(2), Old(5, two=7)
            first, second = pair
            return x * first * pair.second * old.one * old[1]
        """
    expected = "%1 = mul %0 by=2\n%2 = mul %1 by=3\n%3 = mul %2 by=5\n%4 = mul %3 by=7"
    assert sources.computes(text) == expected


def test_a_module_list_is_looped_over_and_indexed(sources: Sources) -> None:
    text = """
        class Times(nn.Module):
            def __init__(self, k):
                super().__init__()
                self.k = k
            def forward(self, x):
                return x * self.k

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([Times(k) for k in (2, 3)])
                self.layers.append(Times(4))
                self.layers.extend([Times(5)])
            def forward(self, x):
                for layer in self.layers[1:]:
                    x = layer(x)
                return self.layers[-1](x) + len(self.layers)
        """
    expected = "%1 = mul %0 by=3\n%2 = mul %1 by=4\n%3 = mul %2 by=5\n%4 = mul %3 by=5\n%5 = add %4 by=4"
    assert sources.computes(text, "Model") == expected


def test_a_sequential_runs_its_items_in_turn(sources: Sources) -> None:
    text = """
        from collections import OrderedDict

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.one = nn.Sequential(nn.ReLU(), nn.Tanh())
                self.two = nn.Sequential(OrderedDict([("a", nn.Sigmoid()), ("b", nn.ReLU())]))
            def forward(self, x):
                return self.two(self.one(x))
        """
    assert sources.computes(text, "Model") == "%1 = relu %0\n%2 = tanh %1\n%3 = sigmoid %2\n%4 = relu %3"


def test_a_module_dict_is_indexed_by_key(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self, act="tanh"):
                super().__init__()
                self.acts = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})
                self.act = act
            def forward(self, x):
                return self.acts[self.act](x) if "relu" in self.acts else x
        """
    assert sources.computes(text, "Model") == "%1 = tanh %0"


def test_learned_tensors_bear_the_name_of_their_place(sources: Sources) -> None:
    text = """
        class Scale(nn.Module):
            def __init__(self):
                super().__init__()
                self.gain = nn.Parameter(torch.ones(4))
            def forward(self, x):
                return x * self.gain

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = Scale()
                self.register_parameter("shift", nn.Parameter(torch.zeros(4)))
            def forward(self, x):
                return self.scale(x) + self.shift
        """
    reading = sources.read(text, "Model")
    [variant] = reading.variants
    named = {op.path: op.attr("name") for op in variant.graph.ops if op.kind.name == "parameter"}
    assert sorted(named.values(), key=str) == ["scale.gain", "shift"]
    reads = {op.kind.name: [named.get(value.op) for value in op.reads] for op in variant.graph.ops}
    assert reads["mul"][1] == "scale.gain"
    assert reads["add"][1] == "shift"
    assert dict(variant.weights) == {"scale.gain": "scale.gain", "shift": "shift"}


def test_a_tied_weight_is_told_by_its_first_place(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = nn.Embedding(10, 4)
                self.out = nn.Linear(4, 10, bias=False)
                self.out.weight = self.embed.weight
            def forward(self, x):
                return self.out(self.embed(x))
        """
    [variant] = sources.read(text, "Model").variants
    weights = dict(variant.weights)
    assert weights["out.weight"] == weights["embed.weight"]
    [apart] = sources.read(text.replace("self.out.weight = self.embed.weight", "pass"), "Model").variants
    assert dict(apart.weights)["out.weight"] != dict(apart.weights)["embed.weight"]


def test_a_buffer_is_an_attribute(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("scale", torch.ones(3), persistent=False)
                self.register_buffer("nothing", None)
            def forward(self, x):
                return x if self.nothing is not None else x * self.scale
        """
    kinds = [line.split()[2] for line in sources.computes(text, "Model").splitlines()]
    assert kinds == ["constant", "mul"]


def test_training_decides_what_a_module_computes(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.drop = nn.Dropout(0.5)
            def forward(self, x):
                return self.drop(x) * 2 if self.training else self.drop(x) * 3
        """
    assert sources.computes(text, "Model") == "%1 = dropout %0 p=0.5\n%2 = mul %1 by=2"
    assert sources.computes(text, "Model", training=False) == "%1 = mul %0 by=3"


def test_a_method_may_be_the_target(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self, k=2):
                super().__init__()
                self.k = k
            def attend(self, x):
                return x * self.k
            def forward(self, x):
                return x
        """
    assert sources.computes(text, "Model.attend", {"k": "1 + 5"}) == "%1 = mul %0 by=6"


def test_the_text_of_a_class_holds_its_name(sources: Sources) -> None:
    text = """
        class GenerationMixin:
            pass

        class Base(nn.Module):
            pass

        class Model(Base, GenerationMixin):
            @classmethod
            def generates(cls):
                return "GenerationMixin" in str(cls.__bases__)
            def forward(self, x):
                bare = "GenerationMixin" in str(Base.__bases__) or "Mixin" in str(Base)
                return x * (2 if self.generates() else 3) * (5 if bare else 7)
        """
    assert sources.computes(text, "Model") == "%1 = mul %0 by=2\n%2 = mul %1 by=7"


def test_functions_may_be_made_of_the_code_of_others_and_put_into_classes(sources: Sources) -> None:
    text = (
        """
        import types

        class Base:
            k = 2
            @classmethod
            def factor(cls):
                """
        + "'The docs'"
        + """
                return cls.k

        def copied(function):
            if function.__doc__ is None:
                raise ValueError("it has no docs")
            return types.FunctionType(function.__code__, {}, name="again")

        class Other:
            k = 5

        Other.factor = classmethod(copied(Base.factor))
        Other.size = property(lambda self: self.k + 1)
        Other.three = staticmethod(lambda: 3)

        def f(x):
            return x * Other.factor() * Other().size * Other().three() * Base.factor()
        """
    )
    factors = [line.split("by=")[1] for line in sources.computes(text).splitlines()]
    assert factors == ["5", "6", "3", "2"]


def test_a_method_is_what_it_was_when_its_class_was_defined(sources: Sources) -> None:
    text = """
        def scaled(k):
            return lambda function: lambda self, x: function(self, x) * k

        class Model(nn.Module):
            k = 2
            def first(self, x, by=k):
                return x * by
            k = 3
            @scaled(k)
            def second(self, x):
                return x * 5
            def forward(self, x):
                return self.second(self.first(x))
            def second_too(self, x, wrong=nowhere_at_all):
                return x
        """
    factors = [line.split("by=")[1] for line in sources.computes(text, "Model").splitlines()]
    assert factors == ["2", "5", "3"]


def test_layers_tell_their_sizes_as_their_framework_keeps_them(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 8, kernel_size=5, stride=(2, 3))
            def forward(self, x):
                if hasattr(x, "not_of_tensors"):
                    return x
                return x * self.conv.kernel_size[1] * self.conv.stride[1] * self.conv.in_channels
        """
    reading = sources.read(text, "Model")
    assert [line.split("by=")[1] for line in ops(reading.variants[0]).splitlines()] == ["5", "3", "3"]
    assert "a tensor has no attribute not_of_tensors" in reading.assumptions


def test_a_class_hands_arguments_to_the_dataclass_that_it_extends(sources: Sources) -> None:
    text = """
        from dataclasses import dataclass

        @dataclass
        class Sizes:
            width: int
            times: int = 2

        class Wide(Sizes):
            def __init__(self, width, by=3):
                super().__init__(width * by)
                self.by = by

        def f(x):
            sizes = Wide(5)
            return x * sizes.width + sizes.times - sizes.by
        """
    assert sources.computes(text) == "%1 = mul %0 by=15\n%2 = add %1 by=2\n%3 = sub %2 by=3"


def test_a_bias_that_is_set_after_the_layer_was_built_counts(sources: Sources) -> None:
    text = """
        import torch
        from torch import nn

        class f(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Linear(4, 4, bias=False)
                self.b = nn.Linear(4, 4)
                self.a.bias = nn.Parameter(torch.zeros(4))
                self.b.bias = None

            def forward(self, x):
                return self.b(self.a(x))
        """
    linears = [line for line in sources.computes(text).splitlines() if " = linear " in line]
    assert ["bias=True" in line for line in linears] == [True, False]


def test_a_part_that_is_added_to_in_place_is_put_back_once(sources: Sources) -> None:
    text = """
        import torch

        def f(x):
            x[0] += 1
            return x
        """
    assert sources.computes(text) == "%1 = select %0 index=0\n%2 = add %1 by=1\n%3 = update %0, %2 index=0"


def test_an_object_is_nothing_but_itself(sources: Sources) -> None:
    text = """
    NOT_GIVEN = object()
    OTHER = object()

    def of(value=NOT_GIVEN):
        return "not given" if value is NOT_GIVEN else "given"

    def f(x):
        told = [of(), of(None), of(OTHER), of(NOT_GIVEN), bool(OTHER), OTHER == NOT_GIVEN]
        return torch.tanh(x) if told == ["not given", "given", "given", "not given", True, False] else x
    """
    assert sources.computes(text).endswith("tanh %0")


def test_a_configuration_that_its_own_code_refuses_is_not_used_half_made(sources: Sources) -> None:
    text = """
    from dataclasses import dataclass

    @dataclass
    class Config:
        width: int = 8
        depth: int = 1

        def __post_init__(self):
            if self.width % 3:
                raise ValueError("three goes into it")
            self.depth = 2

    def f(x):
        config = Config()
        for _ in range(config.depth):
            x = torch.tanh(x)
        return x
    """
    [variant] = sources.read(text, "f").variants
    assert variant.error == "ValueError: three goes into it"


def test_the_fields_of_a_dataclass_are_told_by_name(sources: Sources) -> None:
    text = """
    from dataclasses import dataclass, fields

    @dataclass
    class Base:
        width: int = 8

    @dataclass
    class Config(Base):
        depth: int = 1

    def f(x):
        names = [field.name for field in fields(Config)]
        return torch.tanh(x) if set(Config.__dataclass_fields__) == {"width", "depth"} and names[0] == "width" else x
    """
    assert sources.computes(text).endswith("tanh %0")


@pytest.mark.parametrize("name", ["PreTrainedConfig", "PretrainedConfig"])
def test_a_configuration_gets_what_its_library_sets_whether_it_is_a_dataclass_or_not(tmp_path: Path, name: str) -> None:
    """Release 5 of transformers makes configurations dataclasses; those before have constructors."""
    package = tmp_path / "transformers"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "configuration_utils.py").write_text(
        f"class {name}:\n    def __init__(self, **kwargs):\n        self._attn_implementation_internal = None\n"
    )
    (package / "model.py").write_text(
        "import torch\nfrom torch import nn\n"
        f"from .configuration_utils import {name}\n\n"
        f"class OwnConfig({name}):\n    def __init__(self, width=8, **kwargs):\n"
        "        super().__init__(**kwargs)\n        self.width = width\n\n"
        'KINDS = {"eager": torch.tanh, "other": torch.relu}\n\n'
        "class Model(nn.Module):\n    def __init__(self, config: OwnConfig):\n        super().__init__()\n"
        "        self.act = KINDS[config._attn_implementation_internal]\n\n"
        "    def forward(self, x):\n        return self.act(x)\n"
    )
    [variant] = read(Library([Root(tmp_path)]), "transformers.model", "Model").variants
    assert [op.kind.name for op in variant.graph.ops] == ["input", "tanh"]


def test_a_librarys_base_may_be_named_instead_of_super(sources: Sources) -> None:
    code = """
        class Turned(nn.LayerNorm):
            def __init__(self, width):
                nn.LayerNorm.__init__(self, normalized_shape=width, eps=1e-12)
            def forward(self, x):
                return nn.LayerNorm.forward(self, x.permute(0, 2, 1)).permute(0, 2, 1)

        class Model(nn.Module):
            def __init__(self):
                nn.Module.__init__(self)
                self.norm = Turned(8)
            def forward(self, x):
                return self.norm(x)
        """
    (norm,) = (op for op in sources.read(code, "Model").variants[0].graph.ops if op.kind.name == "layer_norm")
    assert (norm.attr("eps"), norm.attr("dim")) == (1e-12, 8)


def test_of_two_names_of_one_field_the_later_one_says_what_it_is(sources: Sources) -> None:
    """What Python does where attributes that are set are redirected by a table: `C().routed` is 288."""
    code = """
        from dataclasses import dataclass

        class Base:
            def __setattr__(self, key, value):
                super().__setattr__(super().__getattribute__("attribute_map").get(key, key), value)
            def __getattribute__(self, key):
                names = super().__getattribute__("attribute_map")
                return super().__getattribute__(names.get(key, key))

        @dataclass
        class C(Base):
            attribute_map = {"local": "routed", "width": "hidden"}
            local: int = 128
            routed: int = 288
            hidden: int = 16
            width: int = 32

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                c = C()
                d = C(local=3, hidden=5)
                self.a = nn.Linear(c.local, c.hidden)
                self.b = nn.Linear(d.local, d.width)
            def forward(self, x):
                return self.b(self.a(x))
        """
    linears = [op for op in sources.read(code, "Model").variants[0].graph.ops if op.kind.name == "linear"]
    assert [(op.attr("in_features"), op.attr("out_features")) for op in linears] == [(288, 32), (288, 32)]


def test_an_identity_gives_whatever_it_is_given(sources: Sources) -> None:
    code = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.same = nn.Identity()
            def forward(self, x, y=None):
                pair = self.same((x, 3))
                return torch.relu(pair[0]) if self.same(y) is None else x + y
        """
    assert [op.kind.name for op in sources.read(code, "Model").variants[0].graph.ops] == ["input", "relu"]


@pytest.mark.parametrize("layer", ["nn.LayerNorm(8, elementwise_affine=False)", "nn.InstanceNorm2d(8)"])
def test_what_is_not_affine_has_no_bias(sources: Sources, layer: str) -> None:
    code = f"""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = {layer}
            def forward(self, x):
                return self.norm(x)
        """
    (norm,) = (op for op in sources.read(code, "Model").variants[0].graph.ops if op.kind.family == "norm")
    assert (norm.attr("elementwise_affine"), norm.attr("bias")) == (False, False)
