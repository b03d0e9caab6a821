"""An axis that a claim names by a word, and code by its number."""

from __future__ import annotations

import pytest

from archcheck.align import EditKind
from archcheck.align.agree import attributes
from archcheck.ir.graph import Op, attrs
from archcheck.ir.ops import kind


@pytest.mark.parametrize(
    ("name", "found"), [("sum", EditKind.UNKNOWN), ("mean", EditKind.UNKNOWN), ("softmax", EditKind.CHANGED)]
)
def test_which_axis_a_word_means_is_told_of_scores_alone(name: str, found: EditKind) -> None:
    stated = Op("a", kind(name), (), attrs(axis="keys"))
    code = Op("b", kind(name), (), attrs(axis=1))
    assert [edit.kind for edit in attributes(stated, code)] == [found]
    assert not list(attributes(stated, Op("b", kind(name), (), attrs(axis="keys"))))
