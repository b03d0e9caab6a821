"""Definitions against what the frameworks document, on small numbers, and what has none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from archcheck.ir.graph import Op, Size, Value, attrs
from archcheck.ir.ops import KINDS, kind
from archcheck.ir.text import parse
from archcheck.proof.activations import gelu, tanh_gelu
from archcheck.proof.evaluate import definitions, evaluate, undefined
from archcheck.proof.world import CannotEvaluate, DoesNotFit, World

A = np.arange(24, dtype=np.float64).reshape(2, 3, 4) / 7 - 1


def value_of(text: str, *operands: np.ndarray) -> np.ndarray:
    """What the last op of a printed graph gives for its inputs."""
    graph = parse(text)
    inputs = [op for op in graph.ops if op.kind.name == "input"]
    given = {Value(op.path): array for op, array in zip(inputs, operands, strict=True)}
    return evaluate([op for op in graph.ops if op.kind.name != "input"], given, World())[Value(graph.ops[-1].path)]


ONE = {
    "add by=2": A + 2,
    "sub by=2 reverse=True": 2 - A,
    "div by=2 rounding='floor'": np.floor(A / 2),
    "pow exponent=2": A * A,
    "pow base=2": 2.0**A,
    "clamp min=-0.5 max=0.5": np.clip(A, -0.5, 0.5),
    "compare relation='gt' by=0": A > 0,
    "elementwise function='log1p'": np.log1p(A / 2 + 1),
    "mean axis=-1": A.mean(-1, keepdims=True),
    "sum": A.sum(keepdims=True),
    "var axis=(1,2,) correction=1": A.var((1, 2), keepdims=True, ddof=1),
    "std axis=0": A.std(0, keepdims=True),
    "vector_norm axis=-1": np.sqrt((A * A).sum(-1, keepdims=True)),
    "vector_norm axis=-1 p=1": np.abs(A).sum(-1, keepdims=True),
    "l2_norm axis=1 eps=5.0": A / np.maximum(np.sqrt((A * A).sum(1, keepdims=True)), 5.0),
    "softmax axis=1": np.exp(A) / np.exp(A).sum(1, keepdims=True),
    "logsumexp axis=-1": np.log(np.exp(A).sum(-1, keepdims=True)),
    "cumsum axis=-1 reverse=True": A[..., ::-1].cumsum(-1)[..., ::-1],
    "reduce_max axis=0": A.max(0, keepdims=True),
    "reshape shape=(2,-1,)": A.reshape(2, 12),
    "reshape shape=(2,unknown('n'),2,)": A.reshape(2, 6, 2),
    "reshape form='flatten' axis=1 end=-1": A.reshape(2, 12),
    "reshape form='unsqueeze' axis=-1": A[..., None],
    "reshape form='unflatten' axis=-1 shape=(2,2,)": A.reshape(2, 3, 2, 2),
    "permute axes=(2,0,1,)": A.transpose(2, 0, 1),
    "permute axis=0 other_axis=-1": A.swapaxes(0, -1),
    "permute source=0 destination=-1": np.moveaxis(A, 0, -1),
    "expand repeats=2 axis=1 interleaved=True": np.repeat(A, 2, 1),
    "expand shape=(5,2,3,4,)": np.broadcast_to(A, (5, 2, 3, 4)),
    "expand repeats=(1,2,1,)": np.tile(A, (1, 2, 1)),
    "select index=('...',('slice',None,2,None,),)": A[..., :2],
    "select index=('slice',0,None,2,)": A[0::2],
    "select index=(None,1,)": A[None, 1],
    "select axis=1 index=2": A[:, 2],
    "select axis=-1 start=1 length=2": A[..., 1:3],
    "roll shift=1 axis=-1": np.roll(A, 1, -1),
    "flip axis=(0,)": A[::-1],
    "triangle upper=True diagonal=1": np.triu(A, 1),
    "relu6": np.clip(A, 0, 6),
    "leaky_relu slope=0.1": np.where(A > 0, A, 0.1 * A),
    "elu alpha=2.0": np.where(A > 0, A, 2 * np.expm1(A)),
    "softplus beta=2": np.log1p(np.exp(2 * A)) / 2,
    "silu": A / (1 + np.exp(-A)),
    "glu axis=-1": A[..., :2] / (1 + np.exp(-A[..., 2:])),
    "dropout p=0.5": A,
    "layer_norm eps=1e-05": (A - A.mean(-1, keepdims=True)) / np.sqrt(A.var(-1, keepdims=True) + 1e-5),
}


@pytest.mark.parametrize("op", ONE)
def test_definitions_of_one_tensor(op: str) -> None:
    x = A / 2 + 1 if "log1p" in op else A
    assert_allclose(value_of(f"%x = input\n{op}\n", x), ONE[op], rtol=1e-13, atol=1e-14)


TWO = {
    "matmul %x, %y transpose_b=True": A @ A.swapaxes(-1, -2),
    "matmul %x, %y transpose_a=True": A.swapaxes(-1, -2) @ A,
    "einsum %x, %y equation='bsd,btd->bst'": A @ A.swapaxes(-1, -2),
    "concat %x, %y axis=-1": np.concatenate([A, A], -1),
    "stack %x, %y axis=-1": np.stack([A, A], -1),
    "where %x, %y no=-1.0": np.where(A != 0, A, -1.0),
    "masked_fill %x, %y by=3.0": np.where(A != 0, 3.0, A),
    "lerp %x, %y weight=0.25": A,
    "complex %x, %y": A + 1j * A,
    "maximum %x, %y": A,
    "tensordot %x, %y axes=3": np.tensordot(A, A, 3),
}


@pytest.mark.parametrize("op", TWO)
def test_definitions_of_two_tensors(op: str) -> None:
    assert_allclose(value_of(f"%x = input\n%y = input\n{op}\n", A, A), TWO[op], rtol=1e-13, atol=1e-14)


def test_parts_have_their_numbers() -> None:
    text = "%x = input\n%p = split %x {0}\nadd %p, %p.1\n"
    assert_allclose(value_of(text.format("sections=2 axis=-1"), A), A[..., :2] + A[..., 2:])
    assert_allclose(value_of(text.format("unbind=True axis=0"), A), A[0] + A[1])
    assert_allclose(value_of(text.format("size=(2,2,) axis=-1"), A), A[..., :2] + A[..., 2:])


def test_pairs_and_complex_numbers() -> None:
    pairs = A.reshape(2, 3, 2, 2)
    turned = value_of("%x = input\n%c = as_real %x inverse=True\nas_real %c\n", pairs)
    assert_allclose(turned, pairs)
    with pytest.raises(DoesNotFit):
        value_of("%x = input\nas_real %x inverse=True\n", A)


def test_constants() -> None:
    assert_allclose(value_of("%c = constant value='arange' start=0 end=6 step=2\nmul %c by=1.0\n"), [0, 2, 4])
    assert_allclose(value_of("%c = constant value=(1, 2.5,)\nmul %c by=2.0\n"), [2, 5])
    assert_allclose(value_of("%c = constant value=3 shape=(2,)\nmul %c by=2.0\n"), [6, 6])


@pytest.mark.parametrize(
    ("op", "why"),
    [
        ("add by=unknown('config.eps')", "by of add could not be read: config.eps"),
        ("softmax", "does not say which axis"),
        ("reshape shape=(unknown('a'),-1,2,)", "several sizes of a reshape could not be read: a"),
        ("mean axis=unknown('d')", "axis of mean could not be read: d"),
        ("select index='mask'", "goes by a name"),
        ("scale by='learned'", "not shown"),
    ],
)
def test_what_could_not_be_read_is_never_guessed(op: str, why: str) -> None:
    with pytest.raises(CannotEvaluate, match=why.replace("(", r"\(")):
        value_of(f"%x = input\n{op}\n", A)


@pytest.mark.parametrize("op", ["reshape shape=(5,-1,)", "mean axis=3", "split sections=3 axis=-1", "add %x, %x.1"])
def test_sizes_that_do_not_go_together(op: str) -> None:
    with pytest.raises((DoesNotFit, CannotEvaluate)):
        value_of(f"%x = input\n{op}\n", A)


def test_an_attribute_that_no_definition_knows_ends_the_evaluation() -> None:
    assert undefined(parse("%x = input\nsum %x axis=0 exclusive=True\n").ops).startswith("sum with the attribute")
    assert undefined(parse("%x = input\nfft %x\n").ops) == "fft has no definition here"


def test_a_size_of_a_known_value_is_a_number() -> None:
    half = Size("x.shape[-1] ** 0.5", None, (2, -1), 0.5, Value("x"))
    op = Op("y", kind("div"), (Value("x"),), attrs(by=half))
    assert_allclose(evaluate([op], {Value("x"): A}, World())[Value("y")], A / 2)
    other = Op("y", kind("div"), (Value("x"),), attrs(by=Size("z.shape[0]", None, (0,), 1.0, Value("z"))))
    with pytest.raises(CannotEvaluate):
        evaluate([other], {Value("x"): A}, World())
    assert_allclose(evaluate([other], {Value("x"): A}, World(shapes={Value("z"): (2, 5)}))[Value("y")], A / 2)


def test_definitions_know_only_attributes_of_the_vocabulary() -> None:
    declared = {one.name: {attr.name for attr in one.attrs} for one in KINDS}
    for name, (_, known) in definitions().items():
        assert known - {"p", "axes", "alpha"} <= declared[name], name


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=20))
def test_gelu_is_x_times_the_normal_distribution_function(points: list[float]) -> None:
    x = np.array(points)
    wanted = [point * 0.5 * math.erfc(-point / math.sqrt(2)) for point in points]
    assert_allclose(gelu(x), wanted, rtol=1e-12, atol=1e-300)
    assert np.max(np.abs(gelu(x) - tanh_gelu(x))) < 4.8e-4
