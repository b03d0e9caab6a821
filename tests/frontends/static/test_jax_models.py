"""JAX: modules made while another runs, those that are filled late, transforms of functions, arrays' own methods."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.frontends.static.entry import Call, Run, run
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.machine import Machine
from archcheck.pipeline import describe
from archcheck.sweep import Request

HEAD = """
from functools import partial
import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import nnx, struct
import haiku as hk

"""


def read(folder: Path, code: str, symbol: str = "Model", *, training: bool = True, **arguments: str) -> Run:
    (folder / "model.py").write_text(HEAD + code)
    return run(Machine(Library([folder]), training=training), Call("model", symbol, arguments))


def kinds(found: Run) -> list[str]:
    assert not found.error, found.error
    return [op.kind.name for op in found.graph.ops if op.kind.name not in ("input", "parameter", "constant")]


def stated(found: Run, kind: str, attribute: str) -> list[object]:
    return [op.attr(attribute) for op in found.graph.ops if op.kind.name == kind]


COMPACT = """
class Model(nn.Module):
    width: int = 8
    rate: float = 0.5

    @nn.compact
    def __call__(self, x, deterministic: bool = True):
        layer = Inner(self.width)
        x = layer(layer(x))
        bias = self.param("bias", nn.initializers.zeros, (self.width,))
        return nn.Dropout(self.rate)(nn.Dense(4, name="head")(x) + bias, deterministic=deterministic)


class Inner(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.width)(nn.Dense(self.width, use_bias=False)(x))
"""


def test_parts_made_in_a_call_go_by_their_class_and_number_or_their_name(tmp_path: Path) -> None:
    found = read(tmp_path, COMPACT)
    assert kinds(found) == ["linear", "linear", "linear", "linear", "linear", "add", "dropout"]
    places = [op.path for op in found.graph.ops if op.kind.name == "linear"]
    assert len(set(places)) == 5
    weights = dict(found.weights)  # the second call uses the parts of the first
    assert sorted(weights) == [
        "Inner_0.Dense_0.bias", "Inner_0.Dense_0.kernel", "Inner_0.Dense_1.bias", "Inner_0.Dense_1.kernel",
        "bias", "head.bias", "head.kernel",
    ]  # fmt: skip


def test_a_field_is_set_as_a_constructor_argument_is(tmp_path: Path) -> None:
    assert stated(read(tmp_path, COMPACT, width="16"), "linear", "out_features") == [16, 16, 16, 16, 4]


def test_training_is_what_the_caller_says(tmp_path: Path) -> None:
    assert "dropout" not in kinds(read(tmp_path, COMPACT, training=False))
    assert "dropout" not in kinds(read(tmp_path, COMPACT, deterministic="True"))


def test_setup_runs_once_before_a_module_is_looked_into(tmp_path: Path) -> None:
    code = """
class Embedder(nn.Module):
    def setup(self):
        self.table = nn.Embed(100, 8)

    def __call__(self, ids):
        return self.table(ids)

    def decode(self, x):
        return self.table.attend(x)


class Model(nn.Module):
    def setup(self):
        self.embed = Embedder()

    def __call__(self, ids):
        return self.embed.decode(self.embed(ids))
"""
    found = read(tmp_path, code)
    assert kinds(found) == ["embedding", "permute", "matmul"]
    assert [op.attr("name") for op in found.graph.ops if op.kind.name == "parameter"] == ["embed.table.embedding"]


def test_a_scan_over_layers_makes_each_of_them(tmp_path: Path) -> None:
    code = """
class Layer(nn.Module):
    @nn.compact
    def __call__(self, x, mask):
        return nn.relu(nn.Dense(8)(x)), None


class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
        own = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}}
        layers = nn.scan(nn.remat(Layer), in_axes=nn.broadcast, length=3, **own)
        x, _ = layers(name="layers")(x, None)
        return x
"""
    assert kinds(read(tmp_path, code)) == ["linear", "relu"] * 3


def test_a_scan_with_one_set_of_weights_is_not_read_as_layers(tmp_path: Path) -> None:
    code = """
class Model(nn.Module):
    @nn.compact
    def __call__(self, carry, xs):
        cell = nn.scan(nn.Dense, variable_broadcast="params", split_rngs={"params": False}, in_axes=1, out_axes=1)
        return cell(8)(carry, xs)[0]
"""
    assert kinds(read(tmp_path, code)) == ["opaque"]


FUNCTIONS = {
    "scan": ("jax.lax.scan(lambda h, at: (jnp.tanh(h), None), x, None, length=2)[0]", ["tanh", "tanh"]),
    "scan along a sequence": ("jax.lax.scan(lambda h, part: (h + part, h), jnp.zeros(3), x)[1]", ["opaque", "opaque"]),
    "fori_loop": ("jax.lax.fori_loop(0, 2, lambda at, h: jnp.exp(h), x)", ["exp", "exp"]),
    "while_loop": ("jax.lax.while_loop(lambda h: h.sum() > 0, jnp.exp, x)", ["opaque"]),
    "cond of an array": ("jax.lax.cond(x.sum() > 0, jnp.exp, jnp.tanh, x)", ["sum", "compare", "exp", "tanh", "where"]),
    "cond of a number": ("jax.lax.cond(3 > 2, jnp.exp, jnp.tanh, x)", ["exp"]),
    "jit": ("jax.jit(jnp.exp)(x)", ["exp"]),
    "checkpoint": ("jax.checkpoint(lambda y: jnp.exp(y))(x)", ["exp"]),
    "transpose": ("x.transpose(0, 2, 1)", ["permute"]),
    "at": ("x.at[0].set(1.0)", ["update"]),
    "at, added": ("x.at[:, 0].add(x[:, 1])", ["select", "select", "add", "update"]),
    "dot_general": ("jax.lax.dot_general(x, x, (((x.ndim - 1,), (0,)), ((), ())))", ["tensordot"]),
    "dot_general of other axes": ("jax.lax.dot_general(x, x, (((1,), (0,)), ((), ())))", ["opaque"]),
    "sum of some": ("jnp.sum(x, where=x > 0)", ["compare", "opaque"]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_jax(tmp_path: Path, name: str) -> None:
    expression, expected = FUNCTIONS[name]
    assert kinds(read(tmp_path, f"def f(x):\n    return {expression}\n", "f")) == expected


def test_methods_are_those_of_jax(tmp_path: Path) -> None:
    found = read(tmp_path, "def f(x):\n    return x.std(axis=-1), x.transpose(1, 0), x.T\n", "f")
    assert stated(found, "std", "correction") == [0]  # PyTorch's own takes one degree of freedom off
    assert stated(found, "permute", "axes") == [(1, 0), "reversed"]


def test_a_decorator_with_settings_is_not_passed_over(tmp_path: Path) -> None:
    code = """
@partial(jax.vmap, in_axes=1, out_axes=1)
def each(x):
    return jnp.exp(x)

@partial(jax.jit, static_argnums=(0,))
def f(x):
    return each(x)
"""
    found = kinds(read(tmp_path, code, "f"))
    assert found[1:-1] == ["exp"]
    assert len(found) == 3  # an entry is taken along the axis, and what is computed is stacked


def test_haiku_functions_make_their_modules(tmp_path: Path) -> None:
    code = """
class Block(hk.Module):
    def __init__(self, width, rate=0.1, name=None):
        super().__init__(name=name)
        self.width, self.rate = width, rate

    def __call__(self, x, is_training):
        norm = lambda y: hk.LayerNorm(-1, True, True)(y)
        h = norm(x)
        h = hk.MultiHeadAttention(8, 64, w_init_scale=1.0, model_size=self.width)(h, h, h)
        if is_training:
            h = hk.dropout(hk.next_rng_key(), self.rate, h)
        x = x + h
        h = hk.Linear(self.width)(jax.nn.gelu(hk.Linear(4 * self.width)(norm(x))))
        return x + hk.dropout(hk.next_rng_key(), self.rate, h)


def forward(x, is_training):
    for _ in range(4):
        x = Block(512)(x, is_training)
    return hk.LayerNorm(-1, True, True)(x)
"""
    (tmp_path / "model.py").write_text(HEAD + code)
    (block,) = describe(Request(f"{tmp_path / 'model.py'}:Block", {"width": "512"}, explore=False))
    assert [one.signature for one in block.default.layers[0].sublayers] == ["n F d a", "n F d a"]
    (whole,) = describe(Request(f"{tmp_path / 'model.py'}:forward", explore=False))
    assert [layer.repeat for layer in whole.default.layers] == [4]


def test_what_flax_means_by_its_defaults(tmp_path: Path) -> None:
    code = """
class Model(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(nn.Conv(8, (3, 3))(x))
        return nn.gelu(nn.LayerNorm()(x))
"""
    found = read(tmp_path, code)
    assert stated(found, "batch_norm", "momentum") == [0.1]  # of the new statistics, as the vocabulary has it
    assert stated(found, "layer_norm", "eps") == [1e-06]
    assert stated(found, "gelu", "approximate") == ["tanh"]
    assert stated(found, "conv", "padding") == [1]
    assert stated(found, "conv", "channels_last") == [True]


def test_same_padding_that_depends_on_the_size_stays(tmp_path: Path) -> None:
    code = """
class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Conv(8, (3, 3), strides=2)(x)
"""
    assert stated(read(tmp_path, code), "conv", "padding") == ["same"]


GENERAL = """
class General(nn.Module):
    features: tuple
    axis: object = -1

    @nn.compact
    def __call__(self, x):
        axis = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        axis = tuple(at if at >= 0 else x.ndim + at for at in axis)
        kernel = self.param("kernel", nn.initializers.ones, (64,) * len(axis) + self.features)
        return jax.lax.dot_general(x, kernel, ((axis, tuple(range(len(axis)))), ((), ())))
"""


def test_a_general_product_with_a_learned_tensor_is_a_linear_map(tmp_path: Path) -> None:
    heads = read(tmp_path, GENERAL, "General", features="(8, 16)")
    assert kinds(heads) == ["linear", "reshape"]
    assert stated(heads, "linear", "out_features") == [128]
    assert stated(heads, "reshape", "shape")[0][1:] == (8, 16)  # type: ignore[index]
    assert kinds(read(tmp_path, GENERAL, "General", features="(8,)", axis="(-2, -1)")) == ["reshape", "linear"]
    assert kinds(read(tmp_path, GENERAL, "General", features="(8,)", axis="(1,)")) == ["opaque"]


TIED = """
class Tied(nn.Module):
    @nn.compact
    def __call__(self, ids):
        table = nn.Embed(100, 16)
        x = nn.Dense(16)(table(ids))
        return jax.lax.dot_general(x, table.embedding, (((x.ndim - 1,), (1,)), ((), ())))
"""


def test_a_product_with_the_rows_of_a_table_ties_it(tmp_path: Path) -> None:
    found = read(tmp_path, TIED, "Tied")
    assert kinds(found) == ["embedding", "linear", "matmul"]
    assert stated(found, "matmul", "transpose_b") == [True]
    assert stated(found, "parameter", "name") == ["Embed_0.embedding"]


def test_the_value_of_a_variable_is_the_tensor_that_it_holds(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
class Model(nnx.Module):
    def __init__(self, width, *, rngs):
        self.scale = nnx.Param(nnx.initializers.ones_init()(rngs.params(), (width,)))

    def __call__(self, x, past: Memory | None):
        if past is not None:
            x = x + past.keys
        scale = jnp.expand_dims(self.scale.value, axis=range(x.ndim - 1))
        return x * (1 + scale) * self.width

    @property
    def width(self):
        return self.scale.value.shape[0]
""",
        width="8",
    )
    assert kinds(found) == ["reshape", "add", "mul", "mul"]
    (view,) = [op for op in found.graph.ops if op.kind.name == "reshape"]
    assert len(view.reads) == 1


def test_an_argument_that_may_be_none_and_is_no_tensor_is_none(tmp_path: Path) -> None:
    source = """
class Model(nnx.Module):
    def __call__(self, x, mask: {}):
        if mask is not None:
            x = x + mask
        return jnp.exp(x)
"""
    assert kinds(read(tmp_path, source.format("jax.Array | None"))) == ["add", "exp"]
    assert kinds(read(tmp_path, source.format("Memory | None"))) == ["exp"]
    assert kinds(read(tmp_path, source.format("Optional[Memory]"))) == ["exp"]
    assert kinds(read(tmp_path, source.format("Memory"))) == ["add", "exp"]
