"""The parser on tensor2tensor as released: wheels from the package index, read and never imported."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from packages import unpacked

from archcheck.frontends.static.t2t import Find, LayerCodes, layer_codes, registered
from archcheck.ir.graph import Unknown

pytestmark = pytest.mark.packages
TRANSFORMER = "tensor2tensor.models.transformer"


def finder(root: Path) -> Find:
    def find(module: str) -> tuple[str, str] | None:
        stem = root.joinpath(*module.split("."))
        for file in (stem.with_name(stem.name + ".py"), stem / "__init__.py"):
            if file.is_file():
                return file.relative_to(root).as_posix(), file.read_text(encoding="utf-8")
        return None

    return find


def release(version: str) -> Path:
    return unpacked(f"tensor2tensor=={version}")


@pytest.mark.parametrize("version", ["1.0.1", "1.0.14", "1.1.3", "1.1.6"])
def test_before_the_codes_there_are_none(version: str) -> None:
    found = {each.name: each for each in registered(finder(release(version)), TRANSFORMER)}
    codes = layer_codes(found["transformer_base"])
    assert isinstance(codes, Unknown)
    assert "no layer codes" in codes.why
    assert all(each.unknowns == () for each in found.values())


# The default of each release, and the lines that set its codes: the paper's order until 1.2.4.
POST, PRE = "F d a n", "n F d a"
COMMON, MODEL = "tensor2tensor/layers/common_hparams.py", "tensor2tensor/models/transformer.py"
DEFAULTS = [
    ("1.1.7", POST, f"{COMMON}:81:7", f"{COMMON}:82:7", ["transformer_base"]),
    ("1.1.9", POST, f"{COMMON}:86:7", f"{COMMON}:87:7", ["transformer_base"]),
    ("1.2.0", POST, f"{COMMON}:92:7", f"{COMMON}:93:7", ["transformer_base"]),
    ("1.2.4", POST, f"{COMMON}:87:7", f"{COMMON}:88:7", ["transformer_base"]),
    ("1.2.5", PRE, f"{MODEL}:616:3", f"{MODEL}:617:3", ["transformer_base"]),
    ("1.2.9", PRE, f"{MODEL}:656:3", f"{MODEL}:657:3", ["transformer_base"]),
    ("1.4.2", PRE, f"{MODEL}:834:3", f"{MODEL}:835:3", ["transformer_base"]),
    ("1.6.6", PRE, f"{MODEL}:1521:3", f"{MODEL}:1522:3", ["transformer_base"]),
    ("1.10.0", PRE, f"{MODEL}:1365:3", f"{MODEL}:1366:3", ["transformer_base", "transformer_base_v3"]),
    ("1.12.0", PRE, f"{MODEL}:1431:3", f"{MODEL}:1432:3", ["transformer_base", "transformer_base_v3"]),
    ("1.15.7", PRE, f"{MODEL}:1845:3", f"{MODEL}:1846:3", ["transformer_base", "transformer_base_v3"]),
]


@pytest.mark.parametrize(("version", "signature", "pre", "post", "trail"), DEFAULTS)
def test_the_default_order_and_what_set_it(version: str, signature: str, pre: str, post: str, trail: list[str]) -> None:
    found = {each.name: each for each in registered(finder(release(version)), TRANSFORMER)}
    codes = layer_codes(found["transformer_base"])
    assert isinstance(codes, LayerCodes)
    assert codes.order == signature
    assert (str(codes.pre_setting.span), str(codes.post_setting.span)) == (pre, post)
    assert [step.function for step in codes.post_setting.trail] == trail
    assert all(step.span.file == MODEL for step in codes.post_setting.trail)
    base = found["transformer_base"].values
    sizes = ("hidden_size", "filter_size", "num_heads", "num_hidden_layers", "attention_dropout", "norm_type")
    assert [base[name].value for name in sizes] == [512, 2048, 8, 6, 0.0 if signature == POST else 0.1, "layer"]
    if signature == PRE:  # the paper's order stays under another name
        old = layer_codes(found["transformer_base_v1"])
        assert isinstance(old, LayerCodes)
        assert (old.pre, old.post, old.order) == ("none", "dan", POST)


@pytest.mark.parametrize("version", ["1.2.4", "1.2.5", "1.15.7"])
def test_every_set_of_the_transformer(version: str, golden: Callable[[str, str], None]) -> None:
    lines = []
    for each in registered(finder(release(version)), TRANSFORMER):
        codes = layer_codes(each)
        assert isinstance(codes, LayerCodes)
        lines.append(f"{each.name}: {codes.order}\n")
    golden(f"tensor2tensor-{version}.orders.txt", "".join(lines))


# Sets that cannot be made: their functions need an argument, or ask for an hparam that is not there.
BROKEN = {
    "1.2.5": set[str](),
    "1.15.7": {"mtr_lm_dense", "xmoe2_dense", "rlmb_dqn_rainbow_large_epsilon"},
}


@pytest.mark.parametrize("version", sorted(BROKEN))
def test_every_decorator_of_a_release_is_a_set(version: str) -> None:
    root = release(version)
    broken: set[object] = set()
    for file in sorted(root.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if "register_hparams" not in text or file.name.endswith("_test.py"):
            continue
        module = ".".join(file.relative_to(root).with_suffix("").parts)
        found = registered(finder(root), module)
        assert len(found) == _decorators(text), module
        broken.update(each.name for each in found if each.unknowns and isinstance(each.name, str))
    assert broken == BROKEN[version]


def _decorators(text: str) -> int:
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    names = (ast.unparse(decorator).split("(")[0] for node in functions for decorator in node.decorator_list)
    return sum(name == "registry.register_hparams" for name in names)
