"""A layer that is handed its modules is read as a function of its package builds it."""

from __future__ import annotations

from textwrap import dedent

from evaluator_sources import Sources

from archcheck.frontends.static.library import Library
from archcheck.frontends.static.reader import read
from archcheck.ir.text import dump

LAYER = """
    class Layer(nn.Module):
        def __init__(self, attention, norm, width):
            super().__init__()
            self.attention, self.norm = attention, norm
            self.width = width

        def forward(self, x):
            return x + self.attention(self.norm(x))
    """
BUILDER = """
    import torch
    from torch import nn
    from {package}model import Layer

    def stack(width: int, count: int):
        layers = nn.ModuleList()
        for _ in range(count):
            layers.append(Layer(nn.Linear(width, width), norm=nn.RMSNorm(width), width=width))
        if width is None:
            raise ValueError
        return layers
    """


def test_the_function_that_builds_a_layer_says_what_it_is_handed(sources: Sources) -> None:
    own = LAYER + "\n    def unrelated():\n        return 1\n" + BUILDER.split("Layer\n", 1)[1]
    reading = sources.read(own, "Layer")
    (variant,) = reading.variants
    assert [op.kind.name for op in variant.graph.ops] == ["input", "rms_norm", "linear", "add"], dump(variant.graph)
    assert "it is built as model.stack does" in reading.assumptions


def test_what_is_given_counts_before_a_builder(sources: Sources) -> None:
    own = LAYER + BUILDER.split("Layer\n", 1)[1]
    reading = sources.read(own, "Layer", {"norm": "nn.LayerNorm(8)", "attention": "nn.Linear(8, 8)"})
    assert any(op.kind.name == "layer_norm" for op in reading.variants[0].graph.ops)


def test_without_a_builder_the_parts_stay_unread(sources: Sources) -> None:
    (variant,) = sources.read(LAYER, "Layer").variants
    assert sum(op.kind.name == "opaque" for op in variant.graph.ops) == 2


def test_a_layer_whose_constructor_stops_in_its_builder_is_not_taken_for_whole(sources: Sources) -> None:
    stops = LAYER.replace("self.width = width", "self.width = {}['absent']")
    (variant,) = sources.read(stops + BUILDER.split("Layer\n", 1)[1], "Layer").variants
    assert "KeyError" in variant.error


def test_a_way_on_which_a_part_refuses_its_arguments_is_no_way(sources: Sources) -> None:
    text = """
    class Part(nn.Module):
        def __init__(self, kind):
            super().__init__()
            if kind == "norm":
                self.inner = nn.LayerNorm(8)
            else:
                raise ValueError(kind)

        def forward(self, x):
            return self.inner(x)

    class Layer(nn.Module):
        def __init__(self, kind):
            super().__init__()
            self.part = Part(kind)

        def forward(self, x):
            return self.part(x)
    """
    (variant,) = sources.read(text, "Layer").variants
    assert [op.kind.name for op in variant.graph.ops] == ["input", "layer_norm"]


def test_a_file_of_comments_beside_the_class_builds_nothing(sources: Sources) -> None:
    sources.write("pkg/__init__.py", "")
    sources.write("pkg/notes.py", "# Layer(part) is built elsewhere\n")
    sources.write("pkg/layer.py", "from torch import nn\n" + dedent(LAYER))
    (variant,) = read(Library([sources.folder]), "pkg.layer", "Layer", {}).variants
    assert "opaque" in {op.kind.name for op in variant.graph.ops}
