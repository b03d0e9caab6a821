"""`--trace` of Flax, Haiku and JAX: what ran in the sandbox is what is read, and what its equations say is told."""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from textwrap import dedent

import pytest
from jax_python import jax_python

from archcheck import pipeline
from archcheck.align import EditKind
from archcheck.findings import Verdict
from archcheck.frontends.targets import parse_target, resolve
from archcheck.frontends.trace.frameworks import JAX, TORCH, framework_of
from archcheck.frontends.trace.sandbox import Limits
from archcheck.frontends.trace.tracer import Running, TraceError
from archcheck.ir.graph import OpGraph
from archcheck.ir.text import dump
from archcheck.passes.drop_no_ops import DropNoOps
from archcheck.sweep import Read, Request
from archcheck.witnesses import compared, words

TWINS = Path(__file__).parents[1] / "static" / "jax_twins"
TOKENS = {"x": "2x7x512"}
GIVEN = {
    "PostNorm": TOKENS,
    "PreNorm": TOKENS,
    "Sandwich": TOKENS,
    "Parallel": TOKENS,
    "LlamaLike": {**TOKENS, "cos": "7x64", "sin": "7x64"},
    "Bottleneck": {"x": "2x32x32x256"},
    "BottleneckV15": {"x": "2x32x32x256"},
    "UNet": {},
}
MODELS = """
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
from jax import lax


class Layer(nn.Module):
    features: int = 8

    @nn.compact
    def __call__(self, x, train: bool = False):
        y = nn.Dense(self.features)(nn.LayerNorm()(x))
        y = nn.gelu(y, approximate=False)
        return x + nn.Dropout(0.25, deterministic=not train)(y)


class Words(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        return nn.log_softmax(nn.Dense(4)(nn.Embed(100, 8)(tokens)))


class Shared(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        table = nn.Embed(100, 8)
        return table.attend(table(tokens))


class Stack(nn.Module):
    @nn.compact
    def __call__(self, x):
        more = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}, "length": 3}
        step = nn.scan(lambda layer, x, _: (layer(x), None), **more)
        return step(Layer(name="layer"), x, None)[0]


class Huge(nn.Module):
    @nn.compact
    def __call__(self, x):
        for _ in range(8):
            x = nn.Dense(100_000, use_bias=False)(x)
        return x


class Wild(nn.Module):
    @nn.compact
    def __call__(self, x):
        y = lax.sort(x)
        y = y - lax.reduce(y, 0.0, lambda one, other: one * 2 + other, (1,))[:, None]
        y = lax.cond(y.sum() > 0, jnp.sin, jnp.cos, y)
        return lax.while_loop(lambda z: z.sum() < 9, lambda z: z + 1, y)


class Breaks(nn.Module):
    def __call__(self, x):
        return x @ jnp.ones((3, 3)) @ jnp.ones((5, 5))


class Mixer(hk.Module):
    def __call__(self, x, is_training):
        y = hk.Linear(8)(hk.LayerNorm(-1, True, True)(x))
        return x + hk.dropout(hk.next_rng_key(), 0.1, jax.nn.silu(y)) if is_training else x + jax.nn.silu(y)


def attention(q, k, v):
    scores = jnp.einsum("btd,bsd->bts", q, k) / jnp.sqrt(8.0)
    seen = jnp.tril(jnp.ones((7, 7), bool))
    return jnp.einsum("bts,bsd->btd", jax.nn.softmax(jnp.where(seen, scores, -1e30)), v)
"""

LAYER = """
%0 = parameter name='Dense_0.bias' shape=(8,)
%1 = parameter name='Dense_0.kernel' shape=(8,8,)
%2 = parameter name='LayerNorm_0.bias' shape=(8,)
%3 = parameter name='LayerNorm_0.scale' shape=(8,)
%4 = input name='x'
%5 = pow %4 exponent=2
%6 = mean %4 axis=-1
%7 = mean %5 axis=-1
%8 = pow %6 exponent=2
%9 = sub %7, %8
%10 = maximum %9 by=0.0
%11 = sub %4, %6
%12 = add %10 by=1e-06
%13 = rsqrt %12
%14 = mul %13, %3
%15 = mul %11, %14
%16 = add %15, %2
%17 = matmul %16, %1
%18 = add %17, %0
%19 = mul %18 by=0.5
%20 = neg %18
%21 = mul %20 by=0.70710677
%22 = elementwise %21 function='erfc'
%23 = mul %19, %22
%24 = dropout %23 p=0.25
%25 = add %4, %24
give %25
"""

Run = Callable[..., Read]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("jax")
    (found / "models.py").write_text(MODELS)
    return found


@pytest.fixture(scope="module")
def ran(folder: Path) -> Run:
    python = jax_python()

    def run(symbol: str, training: bool = True, file: Path | None = None, memory: int = 8 << 30, **inputs: str) -> Read:
        running = Running(python=python, inputs=inputs, limits=Limits(wall=120, cpu=120, memory=memory))
        (found,) = pipeline.load_target(
            Request(f"{file or folder / 'models.py'}:{symbol}", explore=False, running=running, training=training)
        )
        return found

    return run


def raw(found: Read) -> str:
    variant = found.reading.variants[0]
    assert not variant.error, variant.error
    return "\n".join(dump(DropNoOps().run(variant.graph), places=False).splitlines()[1:])


def graph(text: str) -> str:
    return dedent(text).strip("\n")


def kinds(found: OpGraph) -> set[str]:
    return {op.kind.name for op in found.walk()}


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("library", ["linen", "nnx"])
def test_what_runs_is_what_is_read(ran: Run, library: str, name: str) -> None:
    file = TWINS / f"{library}_twins.py"
    traced = ran(name, file=file, **GIVEN[name])
    assert not traced.reading.variants[0].error
    (read,) = pipeline.load_target(Request(f"{file}:{name}", explore=False))
    edits = compared(read.graphs[0], traced.graphs[0]).edits
    assert [words(edit)[0] for edit in edits if edit.kind is not EditKind.UNKNOWN] == []
    assert {op.kind.name for op in traced.graphs[0].walk() if op.kind.name == "opaque"} == set()


def test_a_difference_is_told(ran: Run) -> None:
    (read,) = pipeline.load_target(Request(f"{TWINS / 'linen_twins.py'}:PreNorm", explore=False))
    traced = ran("PostNorm", file=TWINS / "linen_twins.py", **TOKENS)
    assert [edit for edit in compared(read.graphs[0], traced.graphs[0]).edits if edit.kind is not EditKind.UNKNOWN]


def test_a_paper_is_held_against_what_ran(folder: Path) -> None:
    python = jax_python()
    with chdir(TWINS):
        for name, verdict in (("PostNorm", Verdict.HOLDS), ("PreNorm", Verdict.VIOLATED)):
            running = Running(python=python, inputs=TOKENS)
            (report,) = pipeline.check(
                Request(f"linen_twins.py:{name}", explore=False, running=running), "vaswani2017#encoder_layer"
            )
            assert report.verdict is verdict


def test_what_equations_spell_is_told_as_one_thing(ran: Run) -> None:
    """Statistics keep their axes, dropout is drawn, and every op stands in its module."""
    assert raw(ran("Layer", x="2x7x8")) == graph(LAYER)
    found = ran("Layer", x="2x7x8").graphs[0]
    assert {"residual", "layer_norm", "linear", "gelu", "dropout"} <= kinds(found)
    assert "dropout" not in raw(ran("Layer", False, x="2x7x8"))


def test_rows_of_a_table(ran: Run) -> None:
    found = ran("Words", tokens="2x7:int32")
    assert {"embedding", "linear", "log_softmax"} <= kinds(found.graphs[0])
    assert raw(found).splitlines()[2].startswith("%2 = parameter")


def test_a_table_that_is_read_twice_is_one(ran: Run) -> None:
    found = ran("Shared", tokens="2x7:int32").graphs[0]
    tables = [op for op in found.walk() if op.kind.name == "parameter"]
    assert [op.attr("name") for op in tables] == ["Embed_0.embedding"]


def test_a_loop_of_layers_is_spelled_out(ran: Run) -> None:
    found = raw(ran("Stack", x="2x7x8"))
    assert found.count("gelu") + found.count("erfc") == 3
    assert "shape=(3,8,8,)" in found


def test_no_weight_is_allocated(ran: Run) -> None:
    """80 billion numbers, of which four gigabytes would hold one in eighty."""
    found = ran("Huge", x="2x100000", memory=4 << 30)
    assert raw(found).count("matmul") == 8


def test_what_only_running_would_tell_is_opaque(ran: Run) -> None:
    found = raw(ran("Wild", x="2x7"))
    names = [f"jax.primitives.{name}" for name in ("sort", "reduce", "cond", "while")]
    assert all(f"name='{name}'" in found for name in names), found


def test_what_fails_says_where(ran: Run, folder: Path) -> None:
    variant = ran("Breaks", x="2x7x3").reading.variants[0]
    assert variant.error.startswith("running it failed: TypeError: dot_general requires contracting dimensions")
    assert variant.error_span is not None
    assert variant.error_span.line == 1 + MODELS.splitlines().index(
        "        return x @ jnp.ones((3, 3)) @ jnp.ones((5, 5))"
    )
    with pytest.raises(TraceError, match="has no parameter nothing"):
        pipeline.load_target(
            Request(
                f"{folder / 'models.py'}:Layer", {"nothing": "1"}, explore=False, running=Running(python=jax_python())
            )
        )


def test_haiku_is_transformed(ran: Run) -> None:
    trains, serves = (kinds(ran("Mixer", mode, x="2x7x8").graphs[0]) for mode in (True, False))
    assert {"layer_norm", "linear", "silu"} <= trains & serves
    assert "dropout" in trains - serves


def test_a_plain_function(ran: Run) -> None:
    found = ran("attention", q="2x7x8", k="2x7x8", v="2x7x8").graphs[0]
    (attention,) = (op for op in found.walk() if op.kind.name == "attention")
    assert attention.attr("scale") == pytest.approx(8**-0.5)
    assert attention.attr("causal") is True


@pytest.mark.parametrize("relation", ["ge", "gt", "le", "lt"])
@pytest.mark.parametrize("turned", [False, True])
def test_masks_are_told_by_how_they_are_made(ran: Run, folder: Path, relation: str, turned: bool) -> None:
    """A triangle of rows and columns keeps its diagonal, and a window that is wider than the input stays one."""
    rows, columns = "jnp.arange(5)[:, None] + 2", "jnp.arange(6)[None, :]"
    left, right = (columns, rows) if turned else (rows, columns)
    (folder / f"masks_{relation}_{turned}.py").write_text(
        "import jax.numpy as jnp\nimport operator\n\n\ndef mask(x):\n"
        f"    return jnp.where(operator.{relation}({left}, {right}), x, 0.0)\n"
    )
    found = ran("mask", file=folder / f"masks_{relation}_{turned}.py", x="5x6").reading.variants[0].graph
    (triangle,) = (op for op in found.walk() if op.kind.name == "triangle")
    place = [
        [getattr(operator, relation)(column, row + 2) if turned else getattr(operator, relation)(row + 2, column)
         for column in range(6)] for row in range(5)
    ]  # fmt: skip
    edge = triangle.attr("diagonal") or 0
    upper = triangle.attr("upper")
    assert isinstance(edge, int)
    told = [[column - row >= edge if upper else column - row <= edge for column in range(6)] for row in range(5)]
    assert told == place


def test_the_framework_is_told_by_imports(folder: Path, tmp_path: Path) -> None:
    assert framework_of(resolve(parse_target(str(folder / "models.py")))) is JAX
    (tmp_path / "other.py").write_text("import torch\nimport jax\n")
    assert framework_of(resolve(parse_target(str(tmp_path / "other.py")))) is TORCH
