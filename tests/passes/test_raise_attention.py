from __future__ import annotations

import pytest
from pass_asserts import assert_left, shown

from archcheck.ir.graph import Unknown
from archcheck.ir.text import parse
from archcheck.ir.verify import verify
from archcheck.passes.raise_attention import RaiseAttention

PASS = RaiseAttention()
INPUTS = '%q = input name="q"\n%k = input name="k"\n%v = input name="v"\n%m = input name="mask"\n'

FORMS = {
    "scaled scores": (
        "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%c = mul %s by=0.125\n%p = softmax %c axis=-1\n"
        "%d = dropout %p p=0.1\nmatmul %d, %v\n",
        "%0, %1, %2 dropout=0.1 scale=0.125",
    ),
    "scaled queries, transposed product, mask": (
        "%c = mul %q by=0.125\n%s = matmul %c, %k transpose_b=True\n%a = add %s, %m\n"
        "%p = softmax %a axis=-1\nmatmul %p, %v\n",
        "%0, %1, %2, %3 scale=0.125",
    ),
    "subscripts": (
        "%s = einsum %q, %k equation='bhid,bhjd->bhij'\n%c = div %s by=8\n%f = masked_fill %c, %m by=-1e9\n"
        "%p = softmax %f axis=-1\neinsum %p, %v equation='bhij,bhjd->bhid'\n",
        "%0, %1, %2, %3 scale=0.125",
    ),
    "bias and product in one": (
        "%t = permute %k axis=-2 other_axis=-1\n%s = matmul_add %m, %q, %t alpha=0.125\n"
        "%p = softmax %s axis=-1\nmatmul %p, %v\n",
        "%0, %1, %2, %3 scale=0.125",
    ),
    "where": (
        "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%w = where %m, %s no=-1e9\n"
        "%p = softmax %w axis=-1\n"
        "matmul %p, %v\n",
        "%0, %1, %2, %3 scale=1",
    ),
    "bounded scores": (
        "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%c = mul %s by=0.125\n"
        "%e = div %c by=50\n%h = tanh %e\n"
        "%l = mul %h by=50\n%p = softmax %l axis=-1\nmatmul %p, %v\n",
        "%0, %1, %2 scale=0.125 softcap=50",
    ),
    "keys come first": (
        "%s = einsum %k, %q equation='aecd,abcd->acbe'\n%p = softmax %s axis=-1\n"
        "einsum %p, %v equation='acbe,aecd->abcd'\n",
        "%0, %1, %2 scale=1",
    ),
    "queries come first": (
        "%s = einsum %q, %k equation='abcd,aecd->acbe'\n%p = softmax %s axis=-1\n"
        "einsum %p, %v equation='acbe,aecd->abcd'\n",
        "%0, %1, %2 scale=1",
    ),
    "another axis": (
        "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%p = softmax %s axis=1\nmatmul %p, %v\n",
        "%0, %1, %2 axis=1 scale=1",
    ),
    "the queries": (
        "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%p = softmax %s axis=-2\nmatmul %p, %v\n",
        "%0, %1, %2 axis=-2 scale=1",
    ),
    "the keys, whose scores were turned": (
        "%s = matmul %k, %q transpose_b=True\n%p = softmax %s axis=-2\n%t = permute %p axis=-2 other_axis=-1\n"
        "matmul %t, %v\n",
        "%0, %1, %2 scale=1",
    ),
    "the keys of three axes": (
        "%a = permute %q axes=(0, 2, 1,)\n%s = matmul %a, %k\n%p = softmax %s axis=2\nmatmul %p, %v\n",
        "%4, %1, %2 scale=1",
    ),
    "the queries of four axes": (
        "%a = permute %q axes=(0, 2, 1, 3,)\n%s = matmul %a, %k transpose_b=True\n%p = softmax %s axis=2\n"
        "matmul %p, %v\n",
        "%4, %1, %2 axis=2 scale=1",
    ),
    "the keys of four axes": (
        "%a = permute %q axes=(0, 2, 1, 3,)\n%s = matmul %a, %k transpose_b=True\n%p = softmax %s axis=3\n"
        "matmul %p, %v\n",
        "%4, %1, %2 scale=1",
    ),
    "queries that share the weights, by subscripts": (
        "%s = einsum %q, %k equation='bid,bjd->bij'\n%p = softmax %s axis=1\n%o = einsum %p, %v "
        "equation='bij,bjd->bid'\n",
        "%0, %1, %2 axis=1 scale=1",
    ),
    "by subscripts, counted from the front": (
        "%s = einsum %q, %k equation='ibnd,jbnd->bnij'\n%p = softmax %s axis=3\n%o = einsum %p, %v "
        "equation='bnij,jbnd->ibnd'\n",
        "%0, %1, %2 scale=1",
    ),
    "a sink": (
        '%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%w = parameter name="sinks"\n'
        "%c = concat %s, %w axis=-1\n%p = softmax %c axis=-1\n"
        "%d = select %p index=('...', ('slice', None, -1, None,),)\nmatmul %d, %v\n",
        "%0, %1, %2, %4 scale=1 sink=True",
    ),
    "a score of 0 that leads nowhere": (
        "%s = matmul %q, %k transpose_b=True\n%c = pad %s amount=(1, 0,) by=0.0\n%p = softmax %c axis=-1\n"
        "%d = select %p index=('...', ('slice', 1, None, None,),)\nmatmul %d, %v\n",
        "%0, %1, %2 scale=1 sink=True",
    ),
    "one more key, whose value is weighed": (
        "%s = matmul %q, %k transpose_b=True\n%c = concat %s, %m axis=-1\n%p = softmax %c axis=-1\nmatmul %p, %v\n",
        "%0, %1, %2, %3 scale=1",
    ),
    "keys in parts, each with its values": (
        "%s = matmul %q, %k transpose_b=True\n%u = matmul %q, %m transpose_b=True\n%c = concat %s, %u axis=-1\n"
        "%p = softmax %c axis=-1\n%d = select %p index=('...', ('slice', None, 64, None,),)\nmatmul %d, %v\n",
        "%0, %1, %2, %4 scale=1 "
        "sink=unknown('scores of other keys are joined to these, and their weights are cut off')",
    ),
    "some of the keys": (
        "%s = matmul %q, %k transpose_b=True\n%p = softmax %s axis=-1\n"
        "%d = select %p index=('...', ('slice', None, -1, None,),)\nmatmul %d, %v\n",
        "%0, %1, %2 scale=1",
    ),
    "the sign turned by a difference": (
        "%s = matmul %q, %k transpose_b=True\n%c = sub %m, %s\n%p = softmax %c axis=-1\nmatmul %p, %v\n",
        "%0, %1, %2, %3 scale=-1",
    ),
    "causal": (
        "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%o = constant value=1\n"
        "%u = triangle %o upper=True\n"
        "%f = masked_fill %s, %u by=-1e9\n%p = softmax %f axis=-1\nmatmul %p, %v\n",
        None,
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_spelling_is_attention(form: str) -> None:
    ops, wanted = FORMS[form]
    found = verify(PASS.run(parse(INPUTS + ops)), "raise_attention")
    line = next(line for line in shown(found).splitlines() if line.startswith("%") and "= attention" in line)
    if wanted is None:
        assert "causal=True" in line
    else:
        assert line.split(" = ", 1)[1] == f"attention {wanted}:"
    assert PASS.run(found) == found


@pytest.mark.parametrize(
    ("shape", "raised"),
    [
        ("(64, unknown('n'),)", False),
        ("(unknown('n'), 64,)", True),
        ("(4, 16, unknown('n'),)", False),
        ("(64, 1,)", True),
    ],
)
def test_features_that_a_reshape_puts_before_the_tokens_are_no_keys(shape: str, raised: bool) -> None:
    """`keys.reshape(batch, d, n)` for a transpose gives rows that hold parts of several tokens."""
    ops = (
        f"%l = linear %k out_features=64\n%t = reshape %l shape={shape}\n%s = matmul %q, %t\n"
        "%p = softmax %s axis=-1\nmatmul %p, %v\n"
    )
    found = [op.kind.name for op in PASS.run(parse(INPUTS + ops)).ops]
    assert ("attention" in found) is raised


def test_an_axis_from_the_front_is_that_of_the_keys_by_how_many_axes_there_are() -> None:
    ops = "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%p = softmax %s axis=2\nmatmul %p, %v\n"
    (attention,) = [op for op in PASS.run(parse(INPUTS + ops)).ops if op.kind.name == "attention"]
    assert isinstance(attention.attr("axis"), Unknown)


def test_heads_are_told_by_reshapes() -> None:
    def part(name: str, source: str, heads: int) -> str:
        return (
            f"%l{name} = linear %{source} out_features={heads * 64}\n"
            f"%r{name} = reshape %l{name} shape=(unknown('batch'), unknown('length'), -1, 64,)\n"
            f"%p{name} = permute %r{name} axis=1 other_axis=2\n"
        )

    found = PASS.run(
        parse(
            INPUTS
            + part("q", "q", 8)
            + part("k", "k", 2)
            + part("v", "v", 2)
            + "%t = permute %pk axis=-2 other_axis=-1\n"
            "%s = matmul %pq, %t\n%p = softmax %s axis=-1\nmatmul %p, %pv\n"
        )
    )
    (attention,) = [op for op in found.ops if op.kind.name == "attention"]
    assert {name: attention.attr(name) for name in ("heads", "kv_heads", "head_dim")} == {
        "heads": 8,
        "kv_heads": 2,
        "head_dim": 64,
    }


@pytest.mark.parametrize(("axis", "size", "heads"), [(-1, "(512,512,512,)", 8), (2, "(1,1,1,)", None)])
def test_what_is_cut_is_as_wide_as_its_heads_together(axis: int, size: str, heads: int | None) -> None:
    """A length where heads are looked for is no count of heads."""
    cut = f"%l = linear %q out_features=1536\n%c = split %l axis={axis} size={size}\n"
    parts = "".join(
        f"%r{at} = reshape %c{f'.{at}' if at else ''} shape=(1, -1, 8, 64,)\n"
        f"%p{at} = permute %r{at} axis=1 other_axis=2\n"
        for at in range(3)
    )
    found = PASS.run(
        parse(
            INPUTS
            + cut
            + parts
            + "%t = permute %p1 axis=-2 other_axis=-1\n%s = matmul %p0, %t\n%p = softmax %s axis=-1\nmatmul %p, %p2\n"
        )
    )
    (attention,) = [op for op in found.ops if op.kind.name == "attention"]
    assert attention.attr("heads") == heads


def test_probabilities_that_are_returned_stay_a_value() -> None:
    found = verify(
        PASS.run(
            parse(
                INPUTS + "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%p = softmax %s axis=-1\n"
                "%o = matmul %p, %v\ngive %o, %p\n"
            )
        ),
        "raise_attention",
    )
    assert shown(found).splitlines()[-1] == "give %4, %4.1"


@pytest.mark.parametrize(
    ("why", "ops"),
    [
        ("no softmax", "%s = matmul %q, %k transpose_b=True\nmatmul %s, %v\n"),
        ("a sigmoid", "%s = matmul %q, %k transpose_b=True\n%p = sigmoid %s\nmatmul %p, %v\n"),
        ("scores of one tensor", "%p = softmax %q axis=-1\nmatmul %p, %v\n"),
        ("no values", "%s = matmul %q, %k transpose_b=True\nsoftmax %s axis=-1\n"),
    ],
)
def test_near_misses_are_left(why: str, ops: str) -> None:
    assert_left(PASS, INPUTS + ops)


def test_maps_that_lay_out_heads_tell_how_many_there_are() -> None:
    """EinsumDense of keras, DenseGeneral of flax."""
    names = ("q", "k", "v")
    maps = "".join(
        f"%{one} = linear %x bias=False in_features=16 "
        f'out_features=16:\n  %m{one} = parameter name="{one}" shape=(16, 2, 8,)\n  einsum %x, %m{one} '
        "equation='btd,dnh->btnh'\n"
        for one in names
    )
    before = parse(
        "%x = input\n" + maps + "%s = einsum %q, %k equation='btnh,bsnh->bnts'\n%p = softmax %s axis=-1\n"
        "einsum %p, %v equation='bnts,bsnh->btnh'\n"
    )
    (found,) = (op for op in PASS.run(before).ops if op.kind.name == "attention")
    assert (found.attr("heads"), found.attr("kv_heads"), found.attr("head_dim")) == (2, 2, 8)
