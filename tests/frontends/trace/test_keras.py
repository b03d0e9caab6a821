"""`--trace` of Keras and TensorFlow: printed graphs of small models that ran in the sandbox, in two processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import keras_sources
import pytest
from tensorflow_python import tensorflow_python

from archcheck.errors import ArchcheckError
from archcheck.frontends.targets import parse_target, resolve
from archcheck.frontends.trace.frameworks import TENSORFLOW, TORCH, framework_of
from archcheck.frontends.trace.sandbox import Limits
from archcheck.frontends.trace.tracer import Running, Trace, Wanted, trace_many
from archcheck.ir.text import dump
from archcheck.passes import canonicalise
from archcheck.passes.drop_no_ops import DropNoOps

Run = Callable[[str], Trace | ArchcheckError]
_SYMBOLS = {
    "keras_models": ("Block", "Model", "functional", "Own", "Twice", "Huge", "Depthwise", "Breaks", "built"),
    "tensorflow_models": ("Block", "Branch", "Loop", "Counter", "Strange", "attention", "index"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("keras")
    (found / "keras_models.py").write_text(keras_sources.KERAS)
    (found / "tensorflow_models.py").write_text(keras_sources.TENSORFLOW)
    (found / "old_models.py").write_text(keras_sources.OLD)
    return found


def _wanted(folder: Path, module: str, *symbols: str) -> list[Wanted]:
    target = resolve(parse_target(str(folder / f"{module}.py")))
    return [Wanted(replace(target, symbol=one), module, one) for one in symbols]


@pytest.fixture(scope="module")
def ran(folder: Path) -> Run:
    """What running gave, by `module.symbol`; all of one module run in one process, when the first is asked for."""
    python = tensorflow_python()
    limits = Limits(wall=300, cpu=300, memory=8 << 30)
    known: dict[str, Trace | ArchcheckError] = {}

    def run(name: str) -> Trace | ArchcheckError:
        module = name.partition(".")[0]
        if name not in known:
            symbols = _SYMBOLS[module]
            found = trace_many(_wanted(folder, module, *symbols), Running(python=python, limits=limits))
            known.update({f"{module}.{symbol}": one for symbol, one in zip(symbols, found, strict=True)})
        return known[name]

    return run


def _graph(found: Trace | ArchcheckError, *, canonical: bool = True) -> str:
    assert isinstance(found, Trace), found
    variant = found.reading.variants[0]
    assert not variant.error, variant.error
    graph = canonicalise(variant.graph) if canonical else DropNoOps().run(variant.graph)
    return "\n".join(dump(graph, places=False).splitlines()[1:])


def test_layers_are_recorded_whole_with_what_their_constructors_were_given(ran: Run) -> None:
    assert _graph(ran("keras_models.Block"), canonical=False) == dedent("""\
        %0 = input name='x'
        %1 = layer_norm %0 axis=-1 bias=True elementwise_affine=True eps=1e-06
        %2 = attention %1, %1, %1 {attention}
        %3 = dropout %2 p=0.1
        %4 = add %0, %3
        %5 = layer_norm %4 axis=-1 bias=True elementwise_affine=True eps=1e-06
        %6 = linear %5 bias=True out_features=128
        %7 = gelu %6 approximate='none'
        %8 = linear %7 bias=True out_features=64
        %9 = dropout %8 p=0.1
        %10 = add %4, %9
        give %10""").format(
        attention="batch_first=True causal=False dropout=0.0 head_dim=16 heads=4 projected=True projection_bias=True"
    )


def test_ops_stand_where_the_code_is_and_in_the_layer_that_runs(ran: Run) -> None:
    found = ran("keras_models.Model")
    assert isinstance(found, Trace)
    source = keras_sources.KERAS.splitlines()
    told = {op.path: source[op.span.line - 1].strip() for op in found.reading.variants[0].graph.walk() if op.span}
    assert told["embed/0.embedding"] == "x = self.embed(token_ids) * 8.0 + 1e-5"
    assert told["1.mul"] == told["2.add"] == told["embed/0.embedding"]
    assert told["blocks.1.attention/0.attention"] == "x = x + self.drop(self.attention(h, h), training=training)"
    assert told["head/0.linear"] == "return self.head(x[:, 0])"
    names = {one.name for one in found.recording.weights if one.learned}
    assert {"embed.embeddings", "blocks.0.norm.gamma", "head.kernel"} <= names


def test_constants_are_the_numbers_that_the_code_says(ran: Run) -> None:
    text = _graph(ran("keras_models.Model"), canonical=False)
    assert "mul %1 by=8.0" in text
    assert "by=1e-05" in text
    assert "index=(('slice',None,None,None,),0,)" in text


def test_a_functional_model_shows_its_functions_and_where_they_are_written(ran: Run) -> None:
    found = ran("keras_models.functional")
    assert _graph(found, canonical=False) == dedent("""\
        %0 = input name='features'
        %1 = linear %0 bias=True out_features=32
        %2 = relu %1
        %3 = gelu %2 approximate='tanh'
        %4 = linear %3 bias=True out_features=64
        %5 = add %0, %4
        %6 = sub %5 by=1.0 reverse=True
        %7 = layer_norm %6 axis=-1 bias=True elementwise_affine=True eps=0.001
        give %7""")
    assert isinstance(found, Trace)
    source = keras_sources.KERAS.splitlines()
    lines = {op.kind.name: source[op.span.line - 1].strip() for op in found.reading.variants[0].graph.walk() if op.span}
    assert lines["gelu"] == "h = layers.Dense(width)(ops.gelu(h))"
    assert lines["sub"] == "return keras.Model(inputs, layers.LayerNormalization()(1.0 - (x + h)))"


def test_a_layer_with_a_function_of_the_models_own_is_followed_into_it(ran: Run) -> None:
    text = _graph(ran("keras_models.Own"))
    assert "quick_gelu" in text
    assert "linear" in text


def test_what_a_layer_hands_on_unchanged_is_a_value_of_its_own(ran: Run) -> None:
    assert _graph(ran("keras_models.Twice")) == dedent("""\
        %0 = input name='x'
        %1 = residual %0:
          %2 = dropout %0 p=0.0
          %3 = branch %2:
            %4 = linear %2 bias=True out_features=64
        give %1""")


def test_a_model_too_large_for_the_machine_is_traced_without_its_weights(ran: Run) -> None:
    found = ran("keras_models.Huge")
    assert _graph(found).count("linear") >= 1
    assert isinstance(found, Trace)
    shapes = [found.recording.shapes[one.tensor] for one in found.recording.weights]
    assert sum(one[0] * one[1] for one in shapes) > 40_000_000_000


def test_a_layer_that_is_spelled_takes_the_sizes_of_what_it_is_given(ran: Run) -> None:
    assert "groups=3" in _graph(ran("keras_models.Depthwise"))


def test_a_model_that_is_built_when_the_module_is_imported_is_traced(ran: Run) -> None:
    assert "dropout" in _graph(ran("keras_models.built"))


def test_why_a_call_failed_is_told_with_the_line(ran: Run) -> None:
    found = ran("keras_models.Breaks")
    assert isinstance(found, Trace)
    variant = found.reading.variants[0]
    assert "ValueError" in variant.error
    assert "no such thing" in variant.error
    assert variant.error_span is not None
    assert variant.error_span.line == 1 + keras_sources.KERAS.splitlines().index(
        '        raise ValueError("no such thing")'
    )


def test_a_module_of_tensorflow_with_functions_that_call_each_other(ran: Run) -> None:
    text = _graph(ran("tensorflow_models.Block"))
    assert text.splitlines()[:3] == [
        "%0 = input name='x'",
        "%1 = residual %0:",
        "  %2 = layer_norm %0 bias=True dim=64 elementwise_affine=True eps=1e-05:",
    ]
    assert "feed_forward %2 activation='gelu' d_ff=128 d_model=64 gated=False" in text
    assert "name='norm.scale'" in text


def test_both_sides_of_a_branch_are_told_and_what_decides(ran: Run) -> None:
    assert _graph(ran("tensorflow_models.Branch")) == dedent("""\
        %0 = input name='x'
        %1 = sum %0
        %2 = scale %0 by=2.0
        %3 = compare %1 by=0.0 relation='gt'
        %4 = where %3, %2, %0
        give %4""")


@pytest.mark.parametrize(
    ("symbol", "op", "why"),
    [
        ("Loop", "tensorflow.raw_ops.While", "a loop whose rounds a tensor decides"),
        ("Counter", "tensorflow.raw_ops.AssignAddVariableOp", "is not in the dialect"),
        ("Strange", "tensorflow.raw_ops.MatrixLogarithm", "is not in the dialect"),
    ],
)
def test_what_no_table_lists_is_opaque_with_a_reason(ran: Run, symbol: str, op: str, why: str) -> None:
    found = ran(f"tensorflow_models.{symbol}")
    text = _graph(found)
    assert isinstance(found, Trace)
    told = {one.what: one.why for one in found.reading.variants[0].unread}
    assert why in told[op.replace("While", "StatelessWhile") if op not in told else op]
    assert "opaque" in text


def test_a_variable_that_is_written_into_is_read_with_its_new_value(ran: Run) -> None:
    lines = _graph(ran("tensorflow_models.Counter")).splitlines()
    changed = next(line.split()[0] for line in lines if "opaque" in line)
    assert any("mul" in line and changed in line for line in lines)


def test_sizes_are_numbers_and_attention_is_found(ran: Run) -> None:
    assert "attention %0, %1, %2 scale=0.125" in _graph(ran("tensorflow_models.attention"))


def test_indices_are_those_of_the_code(ran: Run) -> None:
    text = _graph(ran("tensorflow_models.index"), canonical=False)
    assert "index=(('slice',None,None,None,),('slice',1,None,None,),None,('slice',None,None,2,),)" in text
    assert "index=('...',0,)" in text or "index=(Ellipsis,0,)" in text


@pytest.mark.parametrize(("norm_first", "order"), [(True, ["layer_norm", "linear"]), (False, ["linear", "layer_norm"])])
def test_the_older_keras_is_run_with_autograph(folder: Path, norm_first: bool, order: list[str]) -> None:
    python = tensorflow_python("tf_keras")
    (wanted,) = _wanted(folder, "old_models", "Block")
    (found,) = trace_many([replace(wanted, arguments={"norm_first": str(norm_first)})], Running(python=python))
    text = _graph(found)
    at = [text.index(f"= {one} ") for one in order]
    assert at == sorted(at)
    assert "where" in text
    assert "dropout" in text
    assert "feed_forward" in text


def test_which_framework_is_run_is_told_by_imports(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "parts.py").write_text("from keras import layers\n\nclass Part(layers.Layer): ...\n")
    (tmp_path / "package" / "model.py").write_text("from .parts import Part\n\nclass Model(Part): ...\n")
    (tmp_path / "other.py").write_text("import torch\nimport tensorflow\n\nclass Model(torch.nn.Module): ...\n")
    assert framework_of(resolve(parse_target(f"{tmp_path}/package/model.py:Model"))) is TENSORFLOW
    assert framework_of(resolve(parse_target(f"{tmp_path}/other.py:Model"))) is TORCH


def test_no_framework_is_imported_by_what_does_not_run_it(folder: Path) -> None:
    program = """
        import sys
        from archcheck.cli.app import app
        from archcheck.frontends.trace import frameworks, tracer
        try:
            app(["describe", sys.argv[1]])
        except SystemExit as ended:
            assert not ended.code, ended.code
        tracer.tables(frameworks.TENSORFLOW), tracer.tables(frameworks.TORCH)
        found = {"torch", "tensorflow", "keras", "tf_keras", "jax", "numpy"} & sys.modules.keys()
        assert not found, found
    """
    torch_model = folder / "torch_model.py"
    torch_model.write_text(
        "from torch import nn\n\nclass Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.linear = nn.Linear(2, 2)\n    def forward(self, x):\n        return self.linear(x)\n"
    )
    for target in (f"{torch_model}:Model", f"{folder}/keras_models.py:Block"):
        subprocess.run([sys.executable, "-c", dedent(program), target], check=True, capture_output=True, text=True)
