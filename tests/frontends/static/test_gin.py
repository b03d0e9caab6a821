"""gin: files are read as data, and functions and classes get what they bind."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from evaluator_sources import ops

from archcheck.errors import TargetError
from archcheck.frontends.static.gin import Configuration, load, parse
from archcheck.frontends.static.gin.syntax import Binding, Import, Include, Items, Macro, Reference, shown
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.reader import Reading, read

MODEL = """
import gin
import torch
from torch import nn
import torch.nn.functional as F


@gin.configurable
def norm(x, eps=1e-5):
    return F.layer_norm(x, (8,), eps=eps)


@gin.configurable
def activate(x, kind="relu"):
    return getattr(F, kind)(x)


@gin.configurable("gated", module="layers", denylist=["width"])
class Gate(nn.Module):
    def __init__(self, width=8, bias=gin.REQUIRED):
        super().__init__()
        self.inner = nn.Linear(8, width, bias=bias)

    def forward(self, x):
        return self.inner(x)


@gin.configurable
class Wide(Gate):
    pass


@gin.configurable
def stack(x, steps=gin.REQUIRED):
    for step in steps:
        x = step(x)
    return x


@gin.configurable
def flagged(x, twice=False):
    if twice:
        x = F.relu(x)
    return F.gelu(x)


def model(x):
    return stack(x)


def two(x):
    with gin.config_scope("first"):
        x = activate(x)
    return activate(x)


def gate(x):
    return Gate()(x)


def wide(x):
    return Wide()(x)
"""


def _read(folder: Path, gin: str, symbol: str, **files: str) -> Reading:
    (folder / "model.py").write_text(MODEL)
    (folder / "main.gin").write_text(dedent(gin))
    for name, text in files.items():
        (folder / f"{name}.gin").write_text(dedent(text))
    library = Library([folder])
    library.gin = load([str(folder / "main.gin")], library)
    return read(library, "model", symbol)


def _computes(folder: Path, gin: str, symbol: str, **files: str) -> str:
    [variant] = _read(folder, gin, symbol, **files).variants
    assert (variant.error, variant.unread) == ("", ())
    return ops(variant)


def _loaded(folder: Path, gin: str, **files: str) -> Configuration:
    for name, text in {"main": gin, **files}.items():
        (folder / f"{name}.gin").write_text(dedent(text))
    return load([str(folder / "main.gin")], Library([folder]))


# ---- the language


def test_statements_and_where_they_stand() -> None:
    text = "# said\nimport a.b\nfrom c import d\ninclude 'x.gin'\n\na/b/m.C.p = 'x' \\\n    'y'\nwidth = -3  # said\n"
    imported, other, included, binding, macro = parse(text, "m.gin")
    assert (imported, other) == (Import("a.b", imported.span), Import("c.d", other.span))
    assert included == Include("x.gin", included.span)
    assert isinstance(binding, Binding)
    assert (binding.scope, binding.selector, binding.parameter, binding.value) == ("a/b", "m.C", "p", "xy")
    assert str(binding.span) == "m.gin:6:1"
    assert isinstance(macro, Binding)
    assert (macro.selector, macro.parameter, macro.value, str(macro.span)) == ("width", "", -3, "m.gin:8:1")


def test_values() -> None:
    text = "a.b = [\n  @m.f,\n  @s/t/g(),\n  %w,\n  {'k': (1, 2.5), 2: (None,)},\n  (True),\n]\n"
    [binding] = parse(text, "m.gin")
    assert isinstance(binding, Binding)
    value = binding.value
    assert isinstance(value, Items)
    plain, called, macro, pairs, alone = value.items
    assert plain == Reference("", "m.f", False, plain.span)
    assert (called.scope, called.selector, called.called, called.span.line) == ("s/t", "g", True, 3)
    assert macro == Macro("w", macro.span)
    assert alone is True
    assert isinstance(pairs, Items)
    assert shown(value) == "[@m.f, @s/t/g(), %w, {'k': (1, 2.5), 2: (None,)}, True]"


def test_a_block_binds_one_parameter_a_line() -> None:
    found = parse("s/m.C:\n  a = 1\n  b = @f\nD.c = 2\n", "m.gin")
    assert [(one.scope, one.selector, one.parameter) for one in found] == [
        ("s", "m.C", "a"),
        ("s", "m.C", "b"),
        ("", "D", "c"),
    ]


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("a.b = 1 + 2\n", "m.gin:1:9", "one statement ends"),
        ("a.b = open('x')\n", "m.gin:1:7", "a value is missing"),
        ("a.b =\n", "m.gin:1:6", "a value is missing"),
        ("a.b = [1\n", "m.gin:2:1", "EOF"),
        ("a.b = @f(1)\n", "m.gin:1:10", "takes no arguments"),
        ("a.b = {1, 2}\n", "m.gin:1:9", "between a key and its value"),
        ("include x\n", "m.gin:1:9", "a string is missing"),
        ("  a.b = 1\n", "m.gin:1:1", "start of its line"),
        ("a.b = f'{x}'\n", "m.gin:1:7", ""),
        ("a.b = " + "[" * 200 + "]" * 200, "m.gin:1:108", "nest deeper"),
    ],
)
def test_what_is_no_gin_file_is_told_with_its_place(text: str, place: str, why: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse(text, "m.gin")
    assert why in str(caught.value)
    assert str(caught.value.place).rpartition(":")[0] == place.rpartition(":")[0]


# ---- files


def test_an_include_stands_where_it_is_written(tmp_path: Path) -> None:
    found = _loaded(tmp_path, "f.a = 1\ninclude 'inner.gin'\nf.b = 2\n", inner="f.a = 3\nf.b = 4\n")
    assert {name: one.value for name, one in found.of("m.f", ()).items()} == {"a": 3, "b": 2}
    assert found.files == ["main.gin", "inner.gin"]


def test_included_files_are_found_in_folders_around(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "big.gin").write_text("include 'models/base.gin'\n")
    (tmp_path / "models" / "base.gin").write_text("f.a = 1\n")
    found = load([str(tmp_path / "models" / "big.gin")], Library([tmp_path]))
    assert found.files == ["models/big.gin", "models/base.gin"]


def test_what_a_missing_file_may_bind_is_not_known(tmp_path: Path) -> None:
    found = _loaded(tmp_path, "f.a = 1\ninclude 'none.gin'\nf.b = 2\n")
    bound = found.of("f", ())
    assert found.unknown_from(bound["a"]) is not None
    assert found.unknown_from(bound["b"]) is None
    assert found.unknown_from(None) is not None


def test_an_include_may_not_lead_to_any_file_of_the_machine(tmp_path: Path) -> None:
    other = tmp_path / "other.gin"
    other.write_text("f.a = 1\n")
    inner = tmp_path / "project"
    inner.mkdir()
    assert [one.path for one in _loaded(inner, f"include '{other}'\n").missing] == [str(other)]


def test_includes_without_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="includes itself"):
        _loaded(tmp_path, "include 'inner.gin'\n", inner="include 'main.gin'\n")


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(TargetError, match=r"no gin file none\.gin"):
        load(["none.gin"], Library([]))


def test_a_scope_inside_counts_before_one_around(tmp_path: Path) -> None:
    found = _loaded(tmp_path, "a/b/f.x = 1\na/f.x = 2\nf.x = 3\nb/f.x = 4\nother.f.x = 5\n")
    values = {scopes: found.of("m.f", scopes)["x"].value for scopes in ((), ("a",), ("a", "b"), ("b",), ("c",))}
    assert values == {(): 3, ("a",): 2, ("a", "b"): 1, ("b",): 4, ("c",): 3}


# ---- what is called with it


def test_references_make_a_stack(tmp_path: Path) -> None:
    gin = "stack.steps = [@norm, @activate]\nactivate.kind = %kind\nkind = 'gelu'\nmodel.norm.eps = 1e-3\n"
    assert _computes(tmp_path, gin, "model") == _computes(tmp_path, gin.replace("%kind", "'gelu'"), "model")
    text = _computes(tmp_path, gin, "model")
    assert text.index("layer_norm") < text.index("gelu")
    assert "eps=0.001" in text


def test_order_is_that_of_the_file(tmp_path: Path) -> None:
    text = _computes(tmp_path, "stack.steps = [@activate, @norm]\n", "model")
    assert text.index("relu") < text.index("layer_norm")


def test_scopes_of_code_and_of_references(tmp_path: Path) -> None:
    gin = "first/activate.kind = 'gelu'\nactivate.kind = 'silu'\nstack.steps = [@first/activate, @activate]\n"
    for symbol in ("two", "model"):
        text = _computes(tmp_path, gin, symbol)
        assert text.index("gelu") < text.index("silu"), symbol


def test_a_class_is_built_with_what_is_bound(tmp_path: Path) -> None:
    assert "bias=False" in _computes(tmp_path, "layers.gated.bias = False\n", "gate")
    assert "bias=True" in _computes(tmp_path, "gated.bias = True\n", "gate")


def test_a_class_that_has_its_constructor_from_a_base_is_bound_by_its_own_name(tmp_path: Path) -> None:
    text = _computes(tmp_path, "gated.bias = False\nWide.bias = True\nWide.width = 16\n", "wide")
    assert "bias=True" in text
    assert "out_features=16" in text


def test_what_gin_may_not_bind_stays(tmp_path: Path) -> None:
    assert "out_features=8" in _computes(tmp_path, "gated.width = 16\ngated.bias = True\n", "gate")


def test_what_is_required_and_not_bound_is_not_known(tmp_path: Path) -> None:
    [variant] = _read(tmp_path, "f.x = 1\n", "gate").variants
    assert "bias=unknown('gated.bias is required and no gin file binds it'" in ops(variant)


@pytest.mark.parametrize("gin", ["stack.steps = [@norm]\ninclude 'none.gin'\n", "include 'none.gin'\n"])
def test_what_a_missing_file_may_bind_decides_nothing(tmp_path: Path, gin: str) -> None:
    [variant] = _read(tmp_path, gin, "model").variants
    assert variant.error or "layer_norm" not in ops(variant)


def test_a_parameter_that_is_not_there_is_refused(tmp_path: Path) -> None:
    [variant, *_] = _read(tmp_path, "stack.steps = [@norm]\nstack.stpes = 1\n", "model").variants
    assert "no parameter stpes" in variant.error or any("no parameter stpes" in one.why for one in variant.unread)


def test_a_binding_that_decides_is_told_with_its_line(tmp_path: Path) -> None:
    reading = _read(tmp_path, "\nflagged.twice = True\n", "flagged")
    [setting] = [one for one in reading.consulted if one.name == "flagged.twice"]
    assert (setting.value, str(setting.span)) == ("True", "main.gin:2:1")


def test_a_macro_of_itself_ends(tmp_path: Path) -> None:
    [variant] = _read(tmp_path, "stack.steps = %a\na = %b\nb = %a\n", "model").variants
    assert "layer_norm" not in ops(variant)


# ---- released packages


@pytest.mark.packages
@pytest.mark.parametrize(("release", "count"), [("t5==0.9.4", 70), ("mesh-tensorflow==0.1.21", 3)])
def test_every_gin_file_of_a_release_is_read(release: str, count: int) -> None:
    from packages import unpacked

    folder = unpacked(release)
    files = sorted(folder.rglob("*.gin"))
    assert len(files) == count
    for file in files:
        assert parse(file.read_text(), file.name) is not None
        load([str(file)], Library([folder]))
