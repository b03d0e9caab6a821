"""Streams: the synthetic blocks on which a reduction to residuals goes wrong, each with the signature it must get."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from blocks_in_text import Writer
from pass_asserts import assert_left, assert_pass, canonical, shown, signatures

from archcheck.passes.fold_residual import FoldResidual

PASS = FoldResidual()


def test_a_sum_of_a_value_and_a_branch_from_it_is_a_residual() -> None:
    assert_pass(
        PASS,
        "%x = input\n%a = attention %x heads=8\nadd %x, %a\n",
        "%x = input\nresidual %x:\n  attention %x heads=8\n",
    )


def test_a_branch_of_two_terms_ends_in_their_sum() -> None:
    assert_pass(
        PASS,
        "%x = input\n%a = self_attention %x\n%s = add %x, %a\n%f = feed_forward %x\nadd %s, %f\n",
        "%x = input\nresidual %x:\n  %a = self_attention %x\n  %f = feed_forward %x\n  add %a, %f\n",
    )


def test_what_a_branch_gives_to_others_comes_out_of_the_residual() -> None:
    assert_pass(
        PASS,
        "%x = input\n%k = linear %x\n%a = self_attention %k\n%y = add %x, %a\ngive %y, %k\n",
        "%x = input\n%y = residual %x:\n  %k = linear %x\n  %a = self_attention %k\n  give %a, %k\ngive %y, %y.1\n",
    )


def test_a_mask_that_layers_share_stays_outside() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %i = input name="positions"
        %n = layer_norm %x
        %m = embedding %i
        %a = self_attention %n, %m
        %y = add %x, %a
        %b = self_attention %y, %m
        add %y, %b
        """,
        """
        %x = input
        %i = input name="positions"
        %m = embedding %i
        %y = residual %x, %m:
          %n = layer_norm %x
          self_attention %n, %m
        residual %y, %m:
          self_attention %y, %m
        """,
    )


@pytest.mark.parametrize(
    ("why", "ops"),
    [
        ("nothing learned", "%r = relu %x\nadd %x, %r\n"),
        ("two inputs", "%y = input\n%f = linear %y\nadd %x, %f\n"),
        ("a mask", "%h = linear %x\n%m = embedding %x\n%s = add %h, %m\n%t = linear %s\nadd %t, %m\n"),
        ("an adapter beside a linear", "%a = linear %x\n%b = linear %x\n%c = linear %b\nadd %a, %c\n"),
        ("two streams", "%y = input\n%f = self_attention %x\n%a = add %x, %f\n%b = add %y, %f\nlinear %a\nlinear %b\n"),
        ("a difference", "%f = feed_forward %x\nsub %x, %f\n"),
        ("an interpolation", "%f = feed_forward %x\nlerp %x, %f weight=0.5\n"),
        ("twice the same", "add %x, %x\n"),
        ("joined", "%f = feed_forward %x\n%c = concat %x, %f axis=-1\nlinear %c\n"),
    ],
)
def test_near_misses_are_left(why: str, ops: str) -> None:
    assert_left(PASS, "%x = input\n" + ops)


def _layer(write: Writer, x: str, wrap: Callable[[Writer, str, Callable[[str], str]], str]) -> str:
    return wrap(write, wrap(write, x, write.attention), write.feed_forward)


def _post(write: Writer, x: str, f: Callable[[str], str]) -> str:
    return write.norm(write.add(x, write.op("dropout", f(x))))


def _pre(write: Writer, x: str, f: Callable[[str], str]) -> str:
    return write.add(x, write.op("dropout", f(write.norm(x))))


def _sandwich(write: Writer, x: str, f: Callable[[str], str]) -> str:
    return write.add(x, write.norm(f(write.norm(x))))


def _layer_scale(write: Writer, x: str, f: Callable[[str], str]) -> str:
    return write.add(write.op("mul", f(write.norm(x)), write.learned("gamma")), x)


def _rezero(write: Writer, x: str, f: Callable[[str], str]) -> str:
    return write.add(x, write.op("mul", write.learned("alpha"), f(x)))


def _deep_norm(write: Writer, x: str, f: Callable[[str], str]) -> str:
    return write.norm(write.add(write.op("mul", x, attrs="by=2.5"), f(x)))


def _scaled_branch(write: Writer, x: str, f: Callable[[str], str]) -> str:
    return write.norm(write.add(x, write.op("mul", f(x), attrs="by=2.5")))


def _from_norm(write: Writer, x: str, f: Callable[[str], str]) -> str:
    normed = write.norm(x)
    return write.add(f(normed), normed)


def _listed(write: Writer, x: str, f: Callable[[str], str]) -> str:
    return write.op("sum", write.op("stack", x, f(write.norm(x)), attrs="axis=0"), attrs="axis=0")


def _python_sum(write: Writer, x: str, f: Callable[[str], str]) -> str:
    return write.add(write.op("add", x, attrs="by=0"), f(write.norm(x)))


def _cast(write: Writer, x: str, f: Callable[[str], str]) -> str:
    return write.add(write.op("identity", f(write.norm(write.op("identity", x)))), write.op("identity", x))


def _reshaped(write: Writer, x: str, f: Callable[[str], str]) -> str:
    flat = write.op("reshape", write.norm(x), attrs="shape=(-1, 512,)")
    return write.add(x, write.op("reshape", f(flat), attrs="shape=(8, -1, 512,)"))


@pytest.mark.parametrize(
    ("wrap", "signature"),
    [
        (_post, "F d a n"),
        (_pre, "n F d a"),
        (_sandwich, "n F n a"),
        (_layer_scale, "n F s a"),
        (_rezero, "F s a"),
        (_deep_norm, "F S a n"),
        (_scaled_branch, "F s a n"),
        (_from_norm, "N F a"),
        (_listed, "n F a"),
        (_python_sum, "n F a"),
        (_cast, "n F a"),
        (_reshaped, "n F a"),
    ],
)
def test_a_layer_gets_its_signature(wrap: Callable[..., str], signature: str) -> None:
    write = Writer()
    _layer(write, "%x", wrap)
    assert signatures(write.text()) == [f"self_attention: {signature}", f"ffn: {signature}"]


def _parallel(write: Writer, terms: str) -> str:
    normed = write.norm("%x")
    values = {"x": "%x", "a": write.attention(normed), "f": write.feed_forward(normed)}
    left, right = terms.split("+", 1)
    if right.startswith("("):
        return write.add(values[left], write.add(*(values[term] for term in right.strip("()").split("+"))))
    return write.add(*(values[term] for term in terms.split("+")))


@pytest.mark.parametrize("terms", ["x+a+f", "a+f+x", "x+(a+f)", "a+x+f", "f+(a+x)"])
def test_parallel_branches_share_one_residual(terms: str) -> None:
    write = Writer()
    _parallel(write, terms)
    found = canonical(write.text())
    assert sorted(signatures(write.text())) == ["ffn: n F a", "self_attention: n F a"]
    assert [op.kind.name for op in found.ops] == ["input", "residual"]


def test_parallel_branches_with_norms_of_their_own() -> None:
    write = Writer()
    write.add("%x", write.attention(write.norm("%x")), write.feed_forward(write.norm("%x")))
    assert signatures(write.text()) == ["self_attention: n F a", "ffn: n F a"]


def test_two_streams_stay_flat_with_their_sublayers_folded() -> None:
    """Xie et al. 2023, ResiDual: one branch feeds a post-norm and a pre-norm stream."""
    write = Writer()
    a = write.attention("%x")
    x1 = write.norm(write.add("%x", a))
    y1 = write.add("%x", a)
    f = write.feed_forward(x1)
    x2 = write.norm(write.add(x1, f))
    write.add(x2, write.norm(write.add(y1, f)))
    found = canonical(write.text())
    assert not [op for op in found.walk() if op.kind.name == "residual"]
    assert [op.kind.name for op in found.ops if op.body] == ["self_attention", "feed_forward"]
    assert signatures(write.text()) == ["self_attention: F a n", "ffn: F a n"]


def test_a_wrong_source_of_the_skip_is_what_the_residual_reads_first() -> None:
    write = Writer()
    y = write.add("%x", write.attention(write.norm("%x")))
    write.add("%x", write.feed_forward(write.norm(y)))
    first, second = canonical(write.text()).ops[1:]
    assert [value.op for value in second.reads] == [first.reads[0].op, first.path]
    assert signatures(write.text()) == ["self_attention: n F a", "ffn: n F a"]


def test_a_projection_shortcut_is_a_skip() -> None:
    """He et al. 2016, Equation 2."""
    write = Writer()
    skip = write.op("batch_norm", write.op("conv", "%x", attrs="kernel=1 stride=2"))
    inner = write.op("relu", write.op("batch_norm", write.op("conv", "%x", attrs="kernel=3 stride=2")))
    branch = write.op("batch_norm", write.op("conv", inner, attrs="kernel=3"))
    write.op("relu", write.add(branch, skip))
    assert signatures(write.text()) == ["conv: F n a"]


def test_gates_are_never_folded() -> None:
    write = Writer()
    branch = write.attention("%x")

    def gate(first: str, second: str) -> str:
        return write.op("sigmoid", write.add(write.op("linear", first), write.op("linear", second)))

    reset, update = gate(branch, "%x"), gate(branch, "%x")
    hidden = write.add(write.op("linear", branch), write.op("linear", write.op("mul", reset, "%x")))
    keep = write.op("sub", update, attrs="by=1 reverse=True")
    write.add(write.op("mul", keep, "%x"), write.op("mul", update, write.op("tanh", hidden)))
    assert not [op for op in canonical(write.text()).walk() if op.kind.name == "residual"]


def test_a_skip_that_is_concatenated_is_none_that_is_added() -> None:
    """Huang et al. 2017, Equation 2; Ronneberger et al. 2015, Figure 1."""
    write = Writer()
    x = "%x"
    for _ in range(3):
        x = write.op("concat", x, write.op("conv", write.op("relu", write.op("batch_norm", x)), attrs="kernel=3"))
    found = canonical(write.text())
    assert not [op for op in found.walk() if op.kind.name == "residual"]
    concatenated = [op for op in found.walk() if op.kind.name == "concat"]
    assert all(op.reads[0].op == before.path for before, op in pairwise([found.ops[0], *concatenated]))
    assert signatures(write.text()) == []


def test_hyper_connections_stay_flat_with_their_sublayer_folded() -> None:
    """Zhu et al. 2024, Equation 2: learned weights mix several streams into what a layer reads and what it adds to."""
    write = Writer()

    def mixed(streams: list[str]) -> str:
        return write.add(*[write.op("mul", one, write.learned()) for one in streams])

    streams = ["%x", "%x"]
    for branch in (write.attention, write.feed_forward):
        y = branch(write.norm(mixed(streams)))
        streams = [write.add(mixed(streams), write.op("mul", y, write.learned())) for _ in streams]
    found = canonical(write.text(*streams))
    assert not [op for op in found.walk() if op.kind.name == "residual"]
    assert [op.kind.name for op in found.ops if op.kind.name in ("self_attention", "feed_forward")] == [
        "self_attention",
        "feed_forward",
    ]
    assert all("n F s a" in one for one in signatures(write.text(*streams)))


def test_the_first_value_added_again_and_again_does_not_nest() -> None:
    write = Writer()
    x = "%x"
    for _ in range(4):
        x = write.add(write.add(x, write.feed_forward(write.norm(x))), "%x")
    found = canonical(write.text())
    assert [op.kind.name for op in found.ops] == ["input", "repeat"]
    assert [op.kind.name for op in found.ops[1].body] == ["residual", "add"]


def test_a_long_skip_around_inner_streams_holds_them() -> None:
    write = Writer()
    down = write.op("conv", "%x", attrs="kernel=3 stride=2")
    inner = write.add(down, write.feed_forward(write.norm(down)))
    write.add("%x", write.op("conv_transpose", inner, attrs="kernel=3"))
    (outer,) = canonical(write.text()).ops[1:]
    assert [op.kind.name for op in outer.body] == ["conv", "residual", "conv_transpose"]
    assert signatures(write.text()) == ["ffn: n F a", "other: F a"]


def test_a_thousand_layers_fold_to_one() -> None:
    write = Writer()
    x = "%x"
    for _ in range(1000):
        x = write.add(x, write.op("feed_forward", write.norm(x)))
    assert shown(canonical(write.text())).splitlines()[1] == "%1 = repeat %0 count=1000:"
