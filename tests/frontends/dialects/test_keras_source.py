"""The Keras table against Keras's own source, which is read and not imported."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from dialect_signatures import listed, signature
from packages import unpacked

from archcheck.frontends import dialects
from archcheck.frontends.dialects.keras_classes import CLASSES

pytestmark = pytest.mark.packages

IMAGES = "prepares data, outside the network"
NO_LAYERS: dict[str, str] = {
    **dict.fromkeys(
        ("Attention", "AdditiveAttention", "Dot"), "takes its operands in one list, in an order of its own"
    ),
    **dict.fromkeys(("RNN", "Bidirectional", "StackedRNNCells", "Wrapper"), "computes what another layer computes"),
    **dict.fromkeys(("GRUCell", "LSTMCell", "SimpleRNNCell"), "one step with its state in a list"),
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), "no kind in the vocabulary"),
    **dict.fromkeys(("GaussianDropout", "GaussianNoise"), "noise that is no dropout; no kind in the vocabulary"),
    "Cropping3D": "a slice whose bounds are the sizes less a number",
    **dict.fromkeys(("SpectralNormalization",), "changes with the call what another layer computes"),
    **dict.fromkeys(("InputLayer", "InputSpec"), "declares an input"),
    "Normalization": IMAGES,
}


@cache
def classes() -> dict[str, ast.ClassDef]:
    folder = Path(unpacked("keras==3.15.1"), "keras", "src", "layers")
    files = (file for file in sorted(folder.rglob("*.py")) if not file.name.endswith("_test.py"))
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in files if "preprocessing" not in file.parts)
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


def constructor(name: str) -> ast.FunctionDef | None:
    node = classes().get(name)
    if node is None or name == "Layer":
        return None
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return item
    return next((found for base in node.bases if (found := constructor(ast.unparse(base).rpartition(".")[2]))), None)


def layer_names() -> list[str]:
    keras = next(dialect for dialect in dialects.DIALECTS if dialect.name == "keras")
    return sorted(name.removeprefix("keras.layers.") for name in keras.layers)


def exported() -> list[str]:
    """Classes that `keras_export` publishes as layers."""
    return [
        name
        for name, node in classes().items()
        if any("keras.layers." in ast.unparse(decorator) for decorator in node.decorator_list)
    ]


@pytest.mark.parametrize("name", layer_names())
def test_constructor_parameters_are_those_of_the_source(name: str) -> None:
    row = dialects.layer("keras.layers." + name)
    assert row is not None
    if name not in classes():  # a name of older releases, for the same row
        assert row in [dialects.layer("keras.layers." + other) for other in classes()]
        return
    init = constructor(name)
    assert listed(row.init_parameters) == ([("**kwargs", None, False)] if init is None else signature(init.args))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_spelled_class_takes_the_arguments_of_the_source_in_their_order(name: str) -> None:
    spelled = ast.parse(CLASSES[name]).body[0]
    assert isinstance(spelled, ast.ClassDef)
    init = next(node for node in spelled.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    source = constructor(name.removeprefix("keras.layers."))
    assert source is not None
    own = [one for one in signature(init.args) if one[0] != "**kwargs"]
    assert own == [one for one in signature(source.args) if one[0] in {first for first, *_ in own}]


def test_every_layer_is_listed_or_left_out_for_a_reason() -> None:
    known = {name for name in exported() if dialects.known("keras.layers." + name)}
    assert sorted(set(exported()) - known - set(NO_LAYERS)) == []
    assert sorted(known & set(NO_LAYERS) - {"Wrapper"}) == []
    assert len(known) > 60
