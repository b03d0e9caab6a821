"""The torch tables against torch's own source, which is read and not imported."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from dialect_signatures import REQUIRED, listed, signature
from packages import unpacked

from archcheck.frontends import dialects
from archcheck.frontends.dialects.table import IGNORED_KEYWORDS
from archcheck.frontends.dialects.torch_classes import CLASSES
from archcheck.frontends.targets import parse_target, resolve
from archcheck.ir.text import dump
from archcheck.sweep import Request, read_symbol

pytestmark = pytest.mark.packages

LOSSES = "a loss is no part of an architecture"
RANDOM = "its windows are drawn at random; no claim speaks of it"
QUANTISED = "a kernel for quantised or grouped weights; opaque"
NO_CLASSES: dict[str, str] = {
    **dict.fromkeys(("FractionalMaxPool2d", "FractionalMaxPool3d"), RANDOM),
    **dict.fromkeys(
        ("RNNBase", "RNNCellBase"), "a base class of layers that are listed, with no computation of its own"
    ),
    "AdaptiveLogSoftmaxWithLoss": LOSSES,
    "Container": "removed from use since torch 0.4; a Module under another name",
    "LinearCrossEntropyOptions": "settings of a loss",
}
NO_FUNCTIONS: dict[str, str] = {
    **dict.fromkeys((f"fractional_max_pool{n}d{end}" for n in (2, 3) for end in ("", "_with_indices")), RANDOM),
    **dict.fromkeys(("grouped_mm", "scaled_mm", "scaled_grouped_mm"), QUANTISED),
    "linear_cross_entropy": LOSSES,
    "affine_grid": "coordinates from a matrix; opaque",
    "assert_int_or_pair": "a check of arguments",
}  # fmt: skip


@cache
def source(path: str) -> ast.Module:
    file = Path(unpacked("torch==2.13.0"), "torch", path)
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def classes() -> dict[str, ast.ClassDef]:
    folder = Path(unpacked("torch==2.13.0"), "torch", "nn", "modules")
    return {
        node.name: node
        for file in sorted(folder.glob("*.py"))
        if file.name != "_functions.py"  # autograd functions of the same names
        for node in source(f"nn/modules/{file.name}").body
        if isinstance(node, ast.ClassDef)
    }


def exported() -> list[str]:
    for node in source("nn/modules/__init__.py").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    raise AssertionError("torch.nn.modules has no __all__")


def method(name: str, wanted: str) -> ast.FunctionDef | None:
    """The method that a class runs, looked for in its bases; the first overload where it has several."""
    node = classes().get(name)
    if node is None:
        return None
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == wanted:
            return item
    for base in node.bases:
        found = method(ast.unparse(base), wanted)
        if found is not None:
            return found
    return None


def covered_class(name: str) -> bool:
    qualified = "torch.nn." + name
    return any(
        lookup(qualified)
        for lookup in (dialects.layer, dialects.formula, dialects.container, dialects.base_methods, dialects.spelled)
    )


def test_every_exported_class_is_listed_or_left_out_for_a_reason() -> None:
    missing = [name for name in exported() if not covered_class(name) and name not in NO_CLASSES and "Loss" not in name]
    assert missing == []


def test_no_class_is_both_listed_and_left_out() -> None:
    assert [name for name in NO_CLASSES if covered_class(name)] == []
    assert not set(NO_CLASSES) - set(exported()) - {"Container", "LinearCrossEntropyOptions"}


def layer_names() -> list[str]:
    return sorted(name.removeprefix("torch.nn.") for name in dialects.DIALECTS[0].layers)


@pytest.mark.parametrize("name", layer_names())
def test_constructor_parameters_are_those_of_the_source(name: str) -> None:
    row = dialects.layer("torch.nn." + name)
    assert row is not None
    init = method(name, "__init__")
    expected = [] if init is None else signature(init.args)
    if (
        init is not None
        and ("self", REQUIRED, False) not in expected
        and [p for p, _, _ in expected] == ["*args", "**kwargs"]
        and name != "Identity"
    ):
        assert name in ("Sigmoid", "Tanh", "LogSigmoid", "Softsign", "Softmax2d"), "Module's own constructor"
        expected = []
    assert listed(row.init_parameters) == expected


@pytest.mark.parametrize("name", layer_names())
def test_call_parameters_are_those_of_forward(name: str) -> None:
    row = dialects.layer("torch.nn." + name)
    forward = method(name, "forward")
    assert row is not None
    assert forward is not None
    assert listed(row.call_parameters) == signature(forward.args)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_spelled_class_has_the_methods_of_the_source_with_their_parameters(name: str) -> None:
    spelled = ast.parse(CLASSES[name]).body[0]
    assert isinstance(spelled, ast.ClassDef)
    for own in spelled.body:
        assert isinstance(own, ast.FunctionDef)
        found = method(name.removeprefix("torch.nn."), own.name)
        assert found is not None
        ignored = {"factory_kwargs", "device", "dtype"}
        expected = [one[0] for one in signature(found.args) if one[0] not in ignored]
        assert [one[0] for one in signature(own.args) if one[0] not in ignored] == expected


@pytest.mark.parametrize("name", ["TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer"])
@pytest.mark.parametrize("norm_first", ["False", "True"])
def test_a_spelled_class_computes_what_the_source_does(name: str, norm_first: str, tmp_path: Path) -> None:
    """The same canonical graph, names of modules and places apart."""
    file = tmp_path / "mine.py"
    file.write_text(f"import torch\nclass Mine(torch.nn.{name}):\n    pass\n", encoding="utf-8")
    arguments = {"norm_first": norm_first} | ({} if name == "Transformer" else {"d_model": "512", "nhead": "8"})
    own = canonical_text(f"{file}:Mine", arguments)
    path = Path(unpacked("torch==2.13.0"), "torch", "nn", "modules", "transformer.py")
    assert own == canonical_text(f"{path}:{name}", arguments)
    assert " linear " in own
    assert " residual " in own


def canonical_text(target: str, arguments: dict[str, str]) -> str:
    """A target's canonical graph, without names of modules and places in files."""
    found = resolve(parse_target(target))
    assert found.source is not None
    request = Request(target, arguments, explore=False)
    one = read_symbol(found, found.source.module, found.symbol, request)
    lines = dump(one.graphs[0]).splitlines()[1:]
    return "\n".join(re.sub(r"  @ .*", "", line) for line in lines)


def functional_names() -> set[str]:
    """What torch.nn.functional defines: its functions, and names bound to compiled ones."""
    found: set[str] = set()
    for node in source("nn/functional.py").body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, (ast.Call, ast.Name))
        ):
            found.add(node.targets[0].id)
    return {name for name in found if not name.startswith("_")}


def test_every_public_function_is_listed_or_left_out_for_a_reason() -> None:
    missing = sorted(
        name
        for name in functional_names()
        if dialects.function("torch.nn.functional." + name) is None
        and dialects.formula("torch.nn.functional." + name) is None
        and name not in NO_FUNCTIONS
        and "loss" not in name
    )
    assert missing == []
    assert len(functional_names()) > 100


def test_no_function_is_both_listed_and_left_out() -> None:
    assert [name for name in NO_FUNCTIONS if dialects.function("torch.nn.functional." + name)] == []
    assert set(NO_FUNCTIONS) <= functional_names()


def test_function_parameters_are_those_of_the_source() -> None:
    """For the functions that are written in Python; keywords that decide nothing are not listed in rows."""
    compared = 0
    for node in source("nn/functional.py").body:
        if not isinstance(node, ast.FunctionDef) or any(ast.unparse(d) == "_overload" for d in node.decorator_list):
            continue
        row = dialects.function("torch.nn.functional." + node.name)
        if row is None:
            continue
        expected = [entry for entry in signature(node.args) if entry[0] not in IGNORED_KEYWORDS]
        assert listed(row.parameters) == expected, node.name
        compared += 1
    assert compared > 50


def test_function_parameters_are_those_of_the_documentation() -> None:
    """Compiled functions have no source; the first line of their documentation is their signature."""
    compared = 0
    for name, parameters in documented().items():
        row = dialects.function("torch." + name)
        if row is None:
            continue
        names = [parameter.name for parameter in row.parameters if parameter.name not in IGNORED_KEYWORDS]
        assert names == parameters or name in OVERLOADED, f"{name}: {names} against {parameters}"
        compared += 1
    assert compared > 140


# The first line shows one overload of several; `true_divide` and `softmax` are documented under other names.
OVERLOADED = frozenset(
    {
        "all",
        "any",
        "argmax",
        "mean",
        "median",
        "nanmedian",
        "nansum",
        "normal",
        "prod",
        "scatter",
        "sum",
        "softmax",
        "trapz",
        "true_divide",
    }
)


def documented() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for call in ast.walk(source("_torch_docs.py")):
        if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "add_docstr" and len(call.args) > 1):
            continue
        text = call.args[1]
        while isinstance(text, ast.Call) and isinstance(text.func, ast.Attribute):  # r"""...""".format(...)
            text = text.func.value
        name = ast.unparse(call.args[0]).removeprefix("torch.")
        if not isinstance(text, ast.Constant):
            continue
        line = " ".join(str(text.value).split("->")[0].split()).replace("\\", "")
        try:
            written = ast.parse(f"def {line}: pass").body[0]
        except SyntaxError:
            continue
        if isinstance(written, ast.FunctionDef) and written.name == name.rpartition(".")[2]:
            found[name] = [p.lstrip("*") for p, _, _ in signature(written.args) if p not in IGNORED_KEYWORDS]
    return found
