from __future__ import annotations

from dataclasses import replace

import pytest
from pass_asserts import assert_left, shown

from archcheck.ir.graph import Attr, Op, OpGraph, Size, Unknown, Value, attrs
from archcheck.ir.ops import kind
from archcheck.ir.text import parse
from archcheck.ir.verify import verify
from archcheck.passes.formulas import CannotEvaluate, evaluate
from archcheck.passes.raise_norms import RaiseNorms

PASS = RaiseNorms()
SCALE = '%w = parameter name="w"\n%o = mul %n, %w\n'
SHIFT = '%b = parameter name="b"\n%o2 = add %o, %b\n'

FORMS = {
    "rms by pow and rsqrt": (
        "%p = pow %x exponent=2\n%m = mean %p axis=-1\n%e = add %m by=1e-06\n%r = rsqrt %e\n%n = mul %x, %r\n" + SCALE,
        "rms_norm elementwise_affine=True eps=1e-06",
    ),
    "rms by a product and a negative power": (
        "%p = mul %x, %x\n%m = mean %p axis=(-1,)\n%e = add %m by=1e-06\n%r = pow %e exponent=-0.5\n%n = mul %r, %x\n",
        "rms_norm elementwise_affine=False eps=1e-06",
    ),
    "rms by one plus the weight": (
        "%p = pow %x exponent=2\n%m = mean %p axis=-1\n%e = add %m by=1e-06\n%r = rsqrt %e\n%n = mul %x, %r\n"
        '%w = parameter name="w" shape=(768,)\n%v = add %w by=1.0\n%o = mul %n, %v\n',
        "rms_norm dim=768 elementwise_affine=True eps=1e-06 offset=1.0",
    ),
    "rms by l2 normalisation and the root of the width": (
        "%l = l2_norm %x axis=-1 eps=1e-12\n%n = mul %l by=22.627416997969522\n" + SCALE,
        "rms_norm dim=512 elementwise_affine=True eps=4.419417382415922e-14 eps_place='bound'",
    ),
    "rms by the sum of squares, bounded": (
        "%p = pow %x exponent=2\n%q = sum %p axis=-1\n%c = clamp %q min=0.0001\n%r = rsqrt %c\n%l = mul %x, %r\n"
        "%n = mul %l by=4.0\n",
        "rms_norm dim=16 elementwise_affine=False eps=6.25e-06 eps_place='bound_inside'",
    ),
    "rms by the sum of squares over their number": (
        "%p = pow %x exponent=2\n%q = sum %p axis=-1\n%m = div %q by=16\n%e = add %m by=0.0001\n%r = rsqrt %e\n"
        "%n = mul %x, %r\n",
        "rms_norm dim=16 elementwise_affine=False eps=0.0001",
    ),
    "rms by a bound of the root": (
        "%p = pow %x exponent=2\n%m = mean %p axis=-1\n%s = sqrt %m\n%c = clamp %s min=1e-05\n%n = div %x, %c\n",
        "rms_norm elementwise_affine=False eps=1e-05 eps_place='bound'",
    ),
    "rms by the length over the root of the width": (
        "%l = vector_norm %x axis=-1\n%s = mul %l by=0.04419417382415922\n%e = add %s by=1e-08\n%n = div %x, %e\n"
        + SCALE,
        "rms_norm dim=512 elementwise_affine=True eps=1e-08 eps_place='outside'",
    ),
    "layer norm by mean, product and root": (
        "%m = mean %x axis=-1\n%c = sub %x, %m\n%p = mul %c, %c\n%v = mean %p axis=-1\n%e = add %v by=1e-05\n"
        "%s = sqrt %e\n%n = div %c, %s\n" + SCALE + SHIFT,
        "layer_norm bias=True elementwise_affine=True eps=1e-05",
    ),
    "layer norm by var": (
        "%m = mean %x axis=-1\n%v = var %x axis=-1 correction=0\n%e = add %v by=1e-05\n%s = rsqrt %e\n"
        "%c = sub %x, %m\n%n = mul %c, %s\n" + SCALE + SHIFT,
        "layer_norm bias=True elementwise_affine=True eps=1e-05",
    ),
    "layer norm by the mean of squares": (
        "%p = pow %x exponent=2\n%q = mean %p axis=-1\n%m = mean %x axis=-1\n%mm = pow %m exponent=2\n"
        "%v = sub %q, %mm\n%e = add %v by=1e-05\n%r = rsqrt %e\n%c = sub %x, %m\n%n = mul %c, %r\n",
        "layer_norm bias=False elementwise_affine=False eps=1e-05",
    ),
    "layer norm by std, epsilon beside it, Bessel's correction": (
        "%m = mean %x axis=-1\n%c = sub %x, %m\n%v = std %x axis=-1 correction=1\n%e = add %v by=1e-06\n"
        '%w = parameter name="w"\n%g = mul %w, %c\n%o = div %g, %e\n' + SHIFT,
        "layer_norm bias=True correction=1 elementwise_affine=True eps=1e-06 eps_place='outside'",
    ),
    "layer norm without an epsilon": (
        "%m = mean %x axis=-1\n%c = sub %x, %m\n%v = std %x axis=-1 correction=0\n%n = div %c, %v\n",
        "layer_norm bias=False elementwise_affine=False eps=0.0",
    ),
    "layer norm over channels": (
        "%m = mean %x axis=1\n%c = sub %x, %m\n%p = pow %c exponent=2\n%v = mean %p axis=1\n%e = add %v by=1e-06\n"
        "%s = sqrt %e\n%n = div %c, %s\n",
        "layer_norm axis=1 bias=False elementwise_affine=False eps=1e-06",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_spelling_is_the_norm_that_it_computes(form: str) -> None:
    ops, norm = FORMS[form]
    found = verify(PASS.run(parse("%x = input\n" + ops + "linear\n")), "raise_norms")
    lines = [line for line in shown(found).splitlines() if not line.startswith("  ")]
    assert lines[1] == f"%1 = {norm.split()[0]} %0 {norm.partition(' ')[2]}:"
    assert len(lines) == 3
    assert PASS.run(found) == found


@pytest.mark.parametrize(
    ("why", "ops"),
    [
        ("added, not multiplied", "%p = pow %x exponent=2\n%m = mean %p axis=-1\n%r = rsqrt %m\nadd %x, %r\n"),
        ("a third power", "%p = pow %x exponent=3\n%m = mean %p axis=-1\n%r = rsqrt %m\nmul %x, %r\n"),
        ("over the batch", "%m = mean %x axis=0\n%v = std %x axis=0\n%c = sub %x, %m\ndiv %c, %v\n"),
        ("the mean added", "%m = mean %x axis=-1\n%v = std %x axis=-1\n%c = add %x, %m\ndiv %c, %v\n"),
        (
            "a scale for each head",
            "%w = parameter name='w' shape=(8,)\n%v = reshape %w shape=(1, 1, 8, 1,)\n%s = std %x axis=-1\n"
            "%m = mean %x axis=-1\n%c = sub %x, %m\n%n = mul %c, %v\ndiv %n, %s\n",
        ),
        ("over two axes", "%m = mean %x axis=(1, 2,)\n%v = std %x axis=(1, 2,)\n%c = sub %x, %m\ndiv %c, %v\n"),
        ("two tensors", "%y = input\n%p = pow %y exponent=2\n%m = mean %p axis=-1\n%r = rsqrt %m\nmul %x, %r\n"),
        ("divided by the variance", "%m = mean %x axis=-1\n%v = var %x axis=-1\n%c = sub %x, %m\ndiv %c, %v\n"),
    ],
)
def test_near_misses_are_left(why: str, ops: str) -> None:
    assert_left(PASS, "%x = input\n" + ops)


def test_the_norm_starts_at_the_value_that_the_stream_keeps() -> None:
    """Gemma multiplies embeddings before the first layer: the factor belongs to the stream, not to the norm."""
    found = PASS.run(
        parse(
            "%x = input\n%h = scale %x by=22.6\n%p = pow %h exponent=2\n%m = mean %p axis=-1\n%e = add %m by=1e-06\n"
            "%r = rsqrt %e\n%n = mul %h, %r\n%f = linear %n\nadd %h, %f\n"
        )
    )
    assert [op.kind.name for op in found.ops] == ["input", "scale", "rms_norm", "linear", "add"]


def test_an_epsilon_that_could_not_be_read_is_stated_as_unknown() -> None:
    found = PASS.run(
        parse(
            "%x = input\n%p = pow %x exponent=2\n%m = mean %p axis=-1\n%e = add %m by=unknown('config.eps')\n"
            "%r = rsqrt %e\n%n = mul %x, %r\n"
        )
    )
    assert shown(found).splitlines()[1] == "%1 = rms_norm %0 elementwise_affine=False eps=unknown('config.eps'):"


def test_two_norms_of_one_value_are_two() -> None:
    one = "%p{0} = pow %x exponent=2\n%m{0} = mean %p{0} axis=-1\n%r{0} = rsqrt %m{0}\n%n{0} = mul %x, %r{0}\n"
    found = PASS.run(parse("%x = input\n" + one.format(1) + one.format(2) + "%y = linear %n1\nadd %y, %n2\n"))
    assert [op.kind.name for op in found.ops] == ["input", "rms_norm", "rms_norm", "linear", "add"]


def test_norms_that_differ_in_the_sizes_of_their_weights_alone_differ() -> None:
    """Gemma 3 normalises tokens of 2304 features and heads of 256, both by 1 + w."""
    one = (
        "%p{0} = pow {1} exponent=2\n%m{0} = mean %p{0} axis=-1\n%e{0} = add %m{0} by=1e-06\n%r{0} = rsqrt %e{0}\n"
        '%n{0} = mul {1}, %r{0}\n%w{0} = parameter name="w{0}" shape=({2},)\n%v{0} = add %w{0} by=1.0\n'
        "%o{0} = mul %n{0}, %v{0}\n"
    )
    text = "%x = input\n" + one.format(1, "%x", 2304) + "%y = linear %o1\n" + one.format(2, "%y", 256)
    norms = [op for op in PASS.run(parse(text)).ops if op.kind.name == "rms_norm"]
    assert [op.attr("dim") for op in norms] == [2304, 256]
    assert [op.attr("offset") for op in norms] == [1.0, 1.0]


def test_a_bound_of_the_length_where_nothing_tells_the_number_of_features_is_unknown() -> None:
    """sqrt(d) * x / max(|x|, eps) is bounded at eps / sqrt(d), which is no number without d."""
    base = parse("%x = input\n%l = l2_norm %x axis=-1 eps=1e-05\n%n = mul %l by=4.0\n")
    tokens, length, product = base.ops
    root = Size("the root of the last size of x", None, (-1,), 0.5, Value(tokens.path))
    found = PASS.run(OpGraph((tokens, length, replace(product, attrs=(Attr("by", root),)))))
    assert isinstance(found.ops[-1].attr("eps"), Unknown)
    assert not found.ops[-1].states("dim")
    assert PASS.run(base).ops[-1].attr("eps") == 2.5e-06
    assert PASS.run(base).ops[-1].attr("dim") == 16


@pytest.mark.parametrize("name", ["maximum", "relu", "mean", "reshape"])
def test_an_op_of_which_no_operand_is_known_has_no_value(name: str) -> None:
    """What code computes of something that was not read has no operands: `maximum(positions, 0)`."""
    with pytest.raises(CannotEvaluate):
        evaluate(Op("op", kind(name), attrs=attrs(by=0) if name == "maximum" else ()), [])
