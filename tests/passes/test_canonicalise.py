from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from blocks_in_text import Writer
from hypothesis import given, settings
from hypothesis import strategies as st
from pass_asserts import canonical, shown, signatures

from archcheck.errors import PassError
from archcheck.ir.graph import Op, OpGraph, Value, attrs
from archcheck.ir.ops import BY_NAME
from archcheck.ir.text import dump, parse
from archcheck.ir.verify import verify
from archcheck.passes import CANONICAL, canonicalise

Wrap = Callable[[Writer, str, Callable[[str], str]], str]

WRAPS: dict[str, Wrap] = {
    "F d a n": lambda w, x, f: w.norm(w.add(x, w.op("dropout", f(x)))),
    "n F d a": lambda w, x, f: w.add(x, w.op("dropout", f(w.norm(x)))),
    "n F n a": lambda w, x, f: w.add(w.norm(f(w.norm(x))), x),
    "n F s a": lambda w, x, f: w.add(x, w.op("mul", f(w.norm(x)), w.learned())),
    "F S a n": lambda w, x, f: w.norm(w.add(w.op("mul", x, attrs="by=2"), f(x))),
    "n F": lambda w, x, f: f(w.norm(x)),
}
SUBLAYERS: dict[str, Callable[[Writer], Callable[[str], str]]] = {
    "self_attention": lambda w: w.attention,
    "ffn": lambda w: w.feed_forward,
    "gated": lambda w: w.gated,
}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(WRAPS)), st.sampled_from(sorted(SUBLAYERS))), min_size=1, max_size=6),
    st.booleans(),
)
def test_any_composition_is_read_and_stays_as_it_is(layers: list[tuple[str, str]], identities: bool) -> None:
    write = Writer()
    x = "%x"
    for wrap, sublayer in layers:
        x = WRAPS[wrap](write, x, SUBLAYERS[sublayer](write))
        x = write.op("identity", x) if identities else x
    write.op("linear", x)
    found = canonical(write.text())  # asserts that a second run changes nothing, and that the graph holds together
    assert parse(dump(found)) == found
    residuals = sum(op.kind.name == "residual" for op in _unrolled(found.ops))
    assert residuals == sum("a" in wrap.split() for wrap, _ in layers)


def _unrolled(ops: tuple[Op, ...]) -> list[Op]:
    found: list[Op] = []
    for op in ops:
        count = op.attr("count") if op.kind.name == "repeat" else 1
        assert isinstance(count, int)
        found += [op, *_unrolled(op.body)] * count
    return found


@pytest.mark.parametrize("wrap", sorted(set(WRAPS) - {"n F"}))
def test_a_claim_and_code_have_one_form(wrap: str) -> None:
    """A claim names its sublayers, code spells them: the streams are the same."""
    claim, code = Writer(), Writer()
    WRAPS[wrap](
        claim, WRAPS[wrap](claim, "%x", lambda x: claim.op("self_attention", x)), lambda x: claim.op("feed_forward", x)
    )
    WRAPS[wrap](code, WRAPS[wrap](code, "%x", code.attention), code.feed_forward)
    assert signatures(claim.text()) == signatures(code.text()) == [f"self_attention: {wrap}", f"ffn: {wrap}"]


class _Breaks:
    name = "break_it"

    def run(self, graph: OpGraph) -> OpGraph:
        return OpGraph((Op("1.relu", BY_NAME["relu"], (Value("nowhere"),)),))


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    with pytest.raises(PassError, match="break_it"):
        canonicalise(parse("%x = input\nrelu\n"), (*CANONICAL[:2], _Breaks()))


def test_an_empty_graph_has_a_canonical_form() -> None:
    assert canonicalise(OpGraph(())) == OpGraph(())


def test_names_of_passes_are_told_apart() -> None:
    assert len({step.name for step in CANONICAL}) == len(CANONICAL)


def test_spans_and_settings_survive() -> None:
    text = (
        '%x = input\n%f = linear %x\n%y = add %x, %f  @ path="layer/3.add" from=["m.py", 7, 3, 0, 0] '
        'because=[["post", "dan", null, []]]\n'
    )
    residual = canonicalise(parse(text)).ops[-1]
    assert (residual.path, str(residual.span), residual.because[0].name) == ("layer/3.residual", "m.py:7:3", "post")
    assert shown(canonicalise(parse(text)))


_ONE = (
    "linear relu gelu dropout layer_norm softmax sigmoid tanh identity reshape permute select exp neg rsqrt mean sum "
    "split function opaque stochastic_depth self_attention feed_forward embedding sqrt var logsumexp"
)
_TWO = "add add add add mul matmul sub div concat stack maximum"
_ALONG = frozenset(("mean", "sum", "softmax", "split", "var", "logsumexp"))


def _random_graph(draw: random.Random, size: int) -> OpGraph:
    """Any ops in any wiring: what no model computes, but a reader that guesses wrong may hand over."""
    ops = [Op(f"{number}.input", BY_NAME["input"]) for number in range(draw.randint(1, 3))]
    values = [Value(op.path) for op in ops]
    while len(ops) < size:
        reads = tuple(draw.choice(values[-8:] if draw.random() < 0.9 else values) for _ in range(3))
        choice = draw.random()
        stated = attrs()
        if choice < 0.1:
            kind, reads, stated = (
                ("parameter", (), attrs(name="w")) if choice < 0.08 else ("constant", (), attrs(value=0.5))
            )
        elif choice < 0.6:
            kind, reads = draw.choice(_ONE.split()), reads[:1]
            stated = attrs(axis=-1) if kind in _ALONG else stated
        elif choice < 0.68:
            kind, reads = draw.choice(["mul", "add", "scale", "div"]), reads[:1]
            stated = attrs(by=draw.choice([0.5, 1, 1e-6, 2]))
        elif choice < 0.95:
            kind, reads = draw.choice(_TWO.split()), reads[:2]
        else:
            kind = "attention"
        path = f"{len(ops)}.{kind}"
        ops.append(Op(path, BY_NAME[kind], reads, stated))
        values += [Value(path), Value(path, 1)] if kind == "split" else [Value(path)]
    results = dict.fromkeys([values[-1], *(draw.choice(values) for _ in range(draw.randint(0, 3)))])
    return OpGraph(tuple(ops), tuple(results))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(4, 60))
def test_whatever_is_handed_over_holds_together_and_is_folded_once(seed: int, size: int) -> None:
    graph = _random_graph(random.Random(seed), size)
    found = canonicalise(graph)
    assert canonicalise(found) == found
    for step in CANONICAL:
        once = verify(step.run(graph), step.name)
        assert step.run(once) == once, step.name
