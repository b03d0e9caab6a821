import math

import pytest

from archcheck.align.agree import EVERYTHING, Agreement, attributes, compatible, free_kinds, values
from archcheck.align.edits import EditKind
from archcheck.ir.graph import Op, Unknown, attrs
from archcheck.ir.ops import kind


@pytest.mark.parametrize(
    ("stated", "found", "name", "agreement"),
    [
        (8, 8, "", Agreement.AGREE),
        (8, 16, "", Agreement.DIFFER),
        (50257, 50258, "", Agreement.DIFFER),  # whole numbers are never close
        (0.7071, 1 / math.sqrt(2), "", Agreement.AGREE),
        (1e-5, 1e-6, "", Agreement.DIFFER),
        (0.1, 0.0, "", Agreement.DIFFER),
        (math.nan, math.nan, "", Agreement.AGREE),
        (3, (3, 3), "", Agreement.AGREE),
        ((3, 3), 3, "", Agreement.AGREE),
        ((3, 3), (3, 5), "", Agreement.DIFFER),
        ((3, 3), (3, 3, 3), "", Agreement.DIFFER),
        ((3, Unknown("?")), (3, 3), "", Agreement.UNKNOWN),
        ((3, Unknown("?")), (5, 3), "", Agreement.DIFFER),
        (-1, 2, "axis", Agreement.UNKNOWN),
        (-1, -1, "axis", Agreement.AGREE),
        (-1, -2, "axis", Agreement.DIFFER),
        ("tanh", "none", "", Agreement.DIFFER),
        (None, "relu", "", Agreement.DIFFER),
        (Unknown("?"), 3, "", Agreement.UNKNOWN),
        (3, Unknown("?"), "", Agreement.UNKNOWN),
    ],
)
def test_values(stated, found, name, agreement):
    assert values(stated, found, name) is agreement


def test_an_agreement_has_no_truth_value():
    with pytest.raises(TypeError, match="compare it"):
        bool(values(1, 1))


def norm(**stated):
    return Op("n", kind("layer_norm"), attrs=attrs(**stated))


def test_what_a_claim_does_not_state_is_not_checked():
    assert list(attributes(norm(), norm(eps=1e-5))) == []


def test_what_the_code_does_not_tell_is_unknown():
    (edit,) = attributes(norm(eps=1e-5), norm())
    assert (edit.kind, edit.aspect) == (EditKind.UNKNOWN, "attr:eps")
    assert isinstance(edit.found, Unknown)
    assert "does not tell eps" in edit.found.why


def test_attributes_that_differ():
    (edit,) = attributes(norm(eps=1e-5, dim=8), norm(eps=1e-6, dim=8))
    assert (edit.kind, edit.aspect, edit.stated, edit.found) == (EditKind.CHANGED, "attr:eps", 1e-5, 1e-6)
    assert not compatible(norm(eps=1e-5), norm(eps=1e-6))
    assert compatible(norm(eps=1e-5), norm(eps=Unknown("?")))


def test_names_of_inputs_are_words():
    one, other = (Op("x", kind("input"), attrs=attrs(name=name)) for name in ("x", "hidden_states"))
    assert list(attributes(one, other)) == []


def test_a_mention_closes_the_family():
    free = free_kinds([kind("stochastic_depth")], {"dropout", "stochastic_depth", "reshape", "input"}, ())
    assert free == {"reshape", "input"}


def test_only_closes_everything_but_sources():
    free = {"dropout", "stochastic_depth", "identity", "reshape", "permute", "expand", "input", "parameter", "constant"}
    assert free_kinds([], free, EVERYTHING) == {"input", "parameter", "constant"}
    assert "stochastic_depth" not in free_kinds([], free, {"dropout"})


def test_an_attention_that_says_nothing_of_it_weighs_keys() -> None:
    plain, over_queries = Op("a", kind("self_attention")), Op("b", kind("self_attention"), attrs=attrs(axis=-2))
    (edit,) = attributes(plain, over_queries)
    assert (edit.kind, edit.aspect, edit.stated, edit.found) == (EditKind.CHANGED, "attr:axis", "keys", -2)
    unread = Op("c", kind("attention"), attrs=attrs(axis=Unknown("it is not read")))
    (edit,) = attributes(Op("d", kind("attention")), unread)
    assert edit.kind is EditKind.UNKNOWN
    assert list(attributes(over_queries, over_queries)) == []


def test_an_equation_of_attention_has_no_score_beside_those_of_the_keys() -> None:
    plain, sunk = Op("a", kind("attention")), Op("b", kind("attention"), attrs=attrs(sink=True))
    (edit,) = attributes(plain, sunk)
    assert (edit.kind, edit.aspect, edit.stated, edit.found) == (EditKind.CHANGED, "attr:sink", False, True)
    (edit,) = attributes(plain, Op("c", kind("attention"), attrs=attrs(sink=Unknown("it is not read"))))
    assert edit.kind is EditKind.UNKNOWN
    assert list(attributes(sunk, sunk)) == []
    assert (
        list(attributes(Op("d", kind("self_attention")), Op("e", kind("self_attention"), attrs=attrs(sink=True)))) == []
    )


def test_an_equation_of_attention_has_no_bound_on_its_scores() -> None:
    plain = Op("a", kind("attention"))
    (edit,) = attributes(plain, Op("b", kind("attention"), attrs=attrs(softcap=50.0)))
    assert (edit.kind, edit.aspect, edit.stated, edit.found) == (EditKind.CHANGED, "attr:softcap", None, 50.0)
    assert list(attributes(plain, Op("c", kind("attention"), attrs=attrs(softcap=None)))) == []
    bounded = Op("d", kind("attention"), attrs=attrs(softcap=30.0))
    assert list(attributes(bounded, bounded)) == []


@pytest.mark.parametrize("name", ["conv", "pool"])
def test_a_window_that_stays_inside_adds_nothing(name: str) -> None:
    """`padding="valid"` of keras is `padding=0` of torch; what else is added is not the same."""
    inside, zero, both, one = (
        Op("x", kind(name), attrs=attrs(padding=padding)) for padding in ("valid", 0, (0, 0), (1, 0))
    )
    for left, right in ((inside, zero), (zero, inside), (inside, both), (both, inside)):
        assert not list(attributes(left, right))
    assert list(attributes(inside, one))
    assert list(attributes(Op("x", kind(name), attrs=attrs(padding="same")), zero))
    turned = (Op("x", kind("conv_transpose"), attrs=attrs(padding=padding)) for padding in ("valid", 0))
    assert list(attributes(*turned))  # its sizes may differ
