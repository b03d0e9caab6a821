"""A change to a model that holds is told, and one that computes the same is not.

Run on two of the fixtures; `python -m tests.mutants` does it for all of them, in some minutes.
"""

from __future__ import annotations

import pytest

from .fixtures import judged, sources
from .operators import OPERATORS, mutants
from .truth import Truth

FEWEST = 20  # mutants of a fixture that run and differ


def test_each_operator_changes_something() -> None:
    texts = [source.text for source in sources()]
    used = {mutant.operator.id for text in texts for mutant in mutants(text, OPERATORS)}
    assert len(used) >= 15
    assert {operator.id for operator in OPERATORS} - used <= {"swap what is joined", "without a mask", "a layer fewer"}


@pytest.mark.parametrize("id", ["xiong2020/plain", "vaswani2017/decorators"])
def test_mutants_that_depart_are_violated_and_others_are_not(id: str) -> None:
    pytest.importorskip("torch")
    (source,) = [one for one in sources() if one.id == id]
    found = list(judged(source))
    departing = [one for one in found if one.truth is Truth.DIFFERS and one.mutant.operator.id != "shared weights"]
    assert len(departing) >= (FEWEST if id == "xiong2020/plain" else 1)
    assert [one.mutant for one in departing if one.verdict != "VIOLATED"] == []
    assert [one.mutant for one in departing if not one.rules & one.mutant.operator.rules] == []
    assert [one.mutant for one in found if one.truth is Truth.SAME and one.verdict == "VIOLATED"] == []
