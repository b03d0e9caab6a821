from __future__ import annotations

import pytest
from pass_asserts import assert_left, assert_pass, shown

from archcheck.ir.text import parse
from archcheck.ir.verify import verify
from archcheck.passes import canonicalise
from archcheck.passes.raise_activations import RaiseActivations

PASS = RaiseActivations()

FORMS = {
    "erf": (
        "%d = div %x by=1.4142135\n%e = erf %d\n%a = add %e by=1\n%h = mul %x by=0.5\nmul %h, %a\n",
        "gelu %0 approximate='none'",
    ),
    "erf, factor last": (
        "%d = mul %x by=0.70710678\n%e = erf %d\n%a = add %e by=1.0\n%h = mul %a, %x\nmul %h by=0.5\n",
        "gelu %0 approximate='none'",
    ),
    "tanh": (
        "%p = pow %x exponent=3.0\n%q = mul %p by=0.044715\n%a = add %x, %q\n"
        "%m = mul %a by=0.7978845608\n%t = tanh %m\n"
        "%o = add %t by=1.0\n%h = mul %x by=0.5\nmul %h, %o\n",
        "gelu %0 approximate='tanh'",
    ),
    "erf, to four digits": (
        "%d = div %x by=1.414\n%e = erf %d\n%a = add %e by=1.0\n%h = mul %x by=0.5\nmul %h, %a\n",
        "gelu %0 approximate='none'",
    ),
    "tanh, cube by products": (
        "%h = mul %x by=0.5\n%a = mul %x by=0.79788456\n%b = mul %x by=0.044715\n%c = mul %b, %x\n%d = add %c by=1\n"
        "%e = mul %a, %d\n%t = tanh %e\n%o = add %t by=1.0\nmul %h, %o\n",
        "gelu %0 approximate='tanh'",
    ),
    "quick": ("%h = mul %x by=1.702\n%s = sigmoid %h\nmul %x, %s\n", "quick_gelu %0"),
    "swish": ("%s = sigmoid %x\nmul %s, %x\n", "silu %0"),
    "swish with a factor": ("%h = mul %x by=1.5\n%s = sigmoid %h\nmul %s, %x\n", "silu %0 beta=1.5"),
    "squared": ("%r = relu %x\npow %r exponent=2\n", "relu2 %0"),
    "squared by a product": ("%r = relu %x\nmul %r, %r\n", "relu2 %0"),
    "clamp": ("clamp %x min=0\n", "relu %0"),
    "maximum": ("maximum %x by=0.0\n", "relu %0"),
    "where": ("%c = compare %x relation='gt' by=0\nwhere %c, %x no=0.0\n", "relu %0"),
    "bounded": ("clamp %x min=0 max=6\n", "relu6 %0"),
    "elu": (
        "%e = exp %x\n%m = sub %e by=1\n%a = mul %m by=0.7\n%c = compare %x relation='gt' by=0\nwhere %c, %x, %a\n",
        "elu %0 alpha=0.7",
    ),
    "softplus, the identity far out": (
        "%e = exp %x\n%a = add %e by=1\n%l = log %a\n%c = compare %x relation='gt' by=25.0\nwhere %c, %x, %l\n",
        "softplus %0",
    ),
    "leaky": ("%y = mul %x by=0.2\nmaximum %x, %y\n", "leaky_relu %0 slope=0.2"),
    "mish": ("%s = softplus %x\n%t = tanh %s\nmul %t, %x\n", "mish %0"),
    "softplus": ("%e = exp %x\n%a = add %e by=1\nlog %a\n", "softplus %0"),
    "sigmoid": ("%n = neg %x\n%e = exp %n\n%a = add %e by=1\ndiv %a by=1 reverse=True\n", "sigmoid %0"),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_spelling_is_the_activation_that_it_computes(form: str) -> None:
    ops, wanted = FORMS[form]
    found = verify(PASS.run(parse("%x = input\n" + ops)), "raise_activations")
    lines = [line for line in shown(found).splitlines() if not line.startswith("  ")]
    assert lines == ["%0 = input", f"%1 = {wanted}:"]
    assert PASS.run(found) == found


@pytest.mark.parametrize(
    ("why", "ops"),
    [
        ("another constant", "%d = div %x by=1.5\n%e = erf %d\n%a = add %e by=1\n%h = mul %x by=0.5\nmul %h, %a\n"),
        ("a sign", "%e = erf %x\n%a = sub %e by=1\nmul %x, %a\n"),
        ("two tensors", "%y = input\n%s = sigmoid %y\nmul %x, %s\n"),
        ("halves of one tensor", "split %x sections=2 axis=-1\n%s = sigmoid %1.1\nmul %1, %s\n"),
        ("a squared gate", "%s = sigmoid %x\nmul %s, %s\n"),
        ("a lower bound that is not zero", "clamp %x min=-1\n"),
        ("a floor, kept from 0", "clamp %x min=1e-12\n"),
        ("a floor, however small", "maximum %x by=1e-30\n"),
        ("a small number added", "%n = neg %x\n%s = tanh %n\nadd %s by=1e-06\n"),
        ("a gate that never closes", "%s = sigmoid %x\nadd %s by=1e-20\n"),
        ("too few digits", "%d = div %x by=1.41\n%e = erf %d\n%a = add %e by=1\n%h = mul %x by=0.5\nmul %h, %a\n"),
        ("three digits that are not the root of 2", "%d = div %x by=1.412\n%e = erf %d\nmul %x, %e\n"),
        ("a bound far out", "clamp %x min=0 max=30\n"),
        ("named already", "silu %x\n"),
        ("a factor that is not known", "%h = mul %x by=unknown('c')\n%s = sigmoid %h\nmul %x, %s\n"),
    ],
)
def test_near_misses_are_left(why: str, ops: str) -> None:
    assert_left(PASS, "%x = input\n" + ops)


def test_a_factor_behind_an_activation_stays() -> None:
    assert_pass(
        PASS,
        "%x = input\n%s = sigmoid %x\nmul %s, %x\nmul by=3\n",
        "%x = input\n%a = silu %x:\n  %s = sigmoid %x\n  mul %s, %x\nmul %a by=3\n",
    )


def test_a_small_number_behind_an_activation_stays() -> None:
    """DeepSeek-V4 keeps the weights of its streams from 0: the sigmoid is one, the sum is not."""
    assert_pass(
        PASS,
        "%x = input\n%n = neg %x\n%e = exp %n\n%a = add %e by=1\n%s = div %a by=1 reverse=True\nadd %s by=1e-06\n",
        "%x = input\n%s = sigmoid %x:\n  %n = neg %x\n  %e = exp %n\n  %a = add %e by=1\n  div %a by=1 reverse=True\n"
        "add %s by=1e-06\n",
    )


def test_a_factor_that_is_free_is_the_one_that_is_written() -> None:
    found = PASS.run(parse("%x = input\n%h = mul %x by=1.414\n%s = sigmoid %h\nmul %s, %x\n"))
    assert shown(found).splitlines()[1] == "%1 = silu %0 beta=1.414:"


def test_a_maximum_with_zeros_is_relu_in_either_order() -> None:
    for reads in ("%x, %z", "%z, %x"):
        graph = canonicalise(parse(f"%x = input\n%z = constant value=0\nmaximum {reads}\n"))
        (relu,) = [op for op in graph.ops if op.kind.name == "relu"]
        assert relu.reads[0].op == graph.ops[0].path
