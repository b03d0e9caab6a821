"""A tensor of one number is that number."""

import pytest

from archcheck.ir.text import dump, parse
from archcheck.ir.verify import verify
from archcheck.passes import canonicalise
from archcheck.passes.fold_numbers import FoldNumbers

FOLDED = {
    "%c = constant value=0.5\n%y = mul %x, %c": "mul %0 by=0.5",
    "%c = constant value=0.5\n%y = mul %c, %x": "mul %0 by=0.5",
    "%c = constant value=((2,),)\n%y = add %x, %c": "add %0 by=2",
    "%c = constant value=64\n%r = sqrt %c\n%y = div %x, %r": "div %0 by=8.0",
    "%c = constant value=4\n%r = rsqrt %c\n%y = mul %x, %r": "mul %0 by=0.5",
}
KEPT = [
    "%c = constant value=64\n%y = div %c, %x",
    "%c = constant value=0\n%y = div %x, %c",
    "%c = constant value=1.0\n%y = mul %x, %c",
    "%c = constant value=(1,2,)\n%y = mul %x, %c",
    "%c = constant value=0.5 shape=(3,4,)\n%y = mul %x, %c",
    "%c = constant value=unknown('a table')\n%y = mul %x, %c",
    "%c = constant value=True\n%y = mul %x, %c",
    "%c = constant value=-4\n%r = sqrt %c\n%y = mul %x, %r",
]


@pytest.mark.parametrize("text", FOLDED)
def test_a_number_is_folded(text: str) -> None:
    found = dump(verify(FoldNumbers().run(parse(f"%x = input\n{text}\n"))), places=False)
    assert found.splitlines()[1:] == [f"%1 = {FOLDED[text]}"]


@pytest.mark.parametrize("text", KEPT)
def test_anything_else_is_not(text: str) -> None:
    graph = parse(f"%x = input\n{text}\n")
    assert FoldNumbers().run(graph) is graph


def test_a_number_that_something_else_reads_stays() -> None:
    graph = parse("%x = input\n%c = constant value=2\n%y = mul %x, %c\n%z = concat %y, %c axis=0\n")
    assert [op.kind.name for op in FoldNumbers().run(graph).ops] == ["input", "constant", "mul", "concat"]


def test_the_scale_of_an_attention_may_be_written_with_a_tensor() -> None:
    text = (
        "%q = input\n%k = input\n%v = input\n%d = constant value=64\n%r = sqrt %d\n"
        "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%n = div %s, %r\n"
        "%p = softmax %n axis=-1\n%y = matmul %p, %v\n"
    )
    (attention,) = [op for op in canonicalise(verify(parse(text))).ops if op.kind.name == "attention"]
    assert attention.attr("scale") == 0.125
