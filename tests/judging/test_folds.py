from __future__ import annotations

import pytest

from archcheck.align import align
from archcheck.describe.regions import as_graph
from archcheck.ir.graph import OpGraph
from archcheck.ir.text import parse
from archcheck.judging.folds import folds, other_forms
from archcheck.passes import canonicalise

CLAIM = "%x = input\nlinear %x\nrelu\n%o = linear\nadd %x, %o\n"
CODE = {
    "plain": (CLAIM, set()),
    "1x1 convolution as linear": (
        "%x = input\nconv %x axes=1 kernel=1\nrelu\n%o = conv axes=1 kernel=1\nadd %x, %o\n",
        None,
    ),
    "padding removed": (
        "%x = input\n%m = input\n%i = nonzero %m\ngather %x, %i\nlinear\nrelu\n%o = linear\n"
        "%s = scatter %i, %o\nadd %x, %s\n",
        None,
    ),
}


@pytest.mark.parametrize("name", CODE)
def test_a_fold_that_a_match_rests_on_has_its_name(name: str) -> None:
    text, wanted = CODE[name]
    expected, actual = _body(_canonical(CLAIM)), _body(_canonical(text))
    alignment = align(expected, actual)
    assert not alignment.edits
    assert folds(alignment, actual) == ({name} if wanted is None else wanted)


def _canonical(text: str) -> OpGraph:
    return canonicalise(parse(text))


def _body(graph: OpGraph) -> OpGraph:
    """The inside of the one sublayer of a graph."""
    (sublayer,) = [op for op in graph.walk() if op.kind.name == "feed_forward"]
    return as_graph(sublayer)


def test_a_fused_projection_and_a_module_have_theirs() -> None:
    claim = parse("%x = input\n%q = linear %x\n%k = linear %x\n%v = linear %x\n%a = attention %q, %k, %v\nlinear %a\n")
    fused = canonicalise(
        parse(
            "%x = input\n%f = linear %x out_features=12\n%p = split %f sections=3\n"
            "%a = attention %p, %p.1, %p.2\nlinear %a\n"
        )
    )
    module = canonicalise(parse("%x = input\nattention %x, %x, %x heads=2 out_features=4 projected=True\n"))
    for graph, name in ((fused, "fused projection"), (module, "attention with its projections in one call")):
        (attention,) = [op for op in graph.ops if op.kind.name == "self_attention"]
        code = OpGraph((graph.ops[0], *attention.body), attention.results)
        alignment = align(claim, code)
        assert not alignment.edits
        assert folds(alignment, code) == {name}


def test_a_claim_of_1x1_convolutions_is_met_by_linear_maps_and_by_convolutions() -> None:
    claim = parse("%x = input\nconv %x kernel=1\nrelu\nconv kernel=1\n")
    for text in (CLAIM, CODE["1x1 convolution as linear"][0]):
        actual = _body(_canonical(text))
        assert align(claim, actual).edits
        assert min(len(align(one, other).edits) for one, other in other_forms(claim, actual)) == 0


def test_a_claim_without_them_has_one_form_only() -> None:
    claim = parse("%x = input\nconv %x kernel=3\nlinear\n")
    assert not list(other_forms(claim, claim))


def test_a_claim_of_linear_maps_is_met_by_1x1_convolutions_and_by_no_others() -> None:
    claim = parse("%x = input\n%h = input\n%a = linear %x\n%b = linear %h\n%s = add %a, %b\nsigmoid %s\n")
    for kernel in (1, 3):
        code = f"%x = input\n%h = input\n%a = conv %x kernel={kernel}\n%b = conv %h kernel={kernel}\n"
        actual = _canonical(f"{code}%s = add %a, %b\nsigmoid %s\n")
        assert align(claim, actual).edits
        met = [(one, other) for one, other in other_forms(claim, actual) if not align(one, other).edits]
        assert len(met) == (kernel == 1)
