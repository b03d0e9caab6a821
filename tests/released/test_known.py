"""Released code that papers of the library are known to agree with, or to depart from: the rows of known*.yaml.

Each row is judged as its command line judges it, at the defaults of the code; nothing of a release is imported or run.
"""

from __future__ import annotations

import pytest
from known_rows import ROWS, Row, meets, name, report, shown, told

from archcheck.findings import Verdict
from archcheck.spec import load
from archcheck.spec.known import known as table


@pytest.mark.parametrize("known", ROWS, ids=lambda known: f"{known.spec}-{known.target.rpartition(':')[2]}")
def test_a_row_names_claims_of_its_spec(known: Row) -> None:
    spec, block = load(known.spec)
    claims = {block.id} if block else {one.id for one in (*spec.blocks, *spec.claims)}
    assert {claim.partition(".")[0] for claim in known.expects} <= claims
    assert known.expects


@pytest.mark.packages
@pytest.mark.parametrize("at", range(len(ROWS)), ids=name)
def test_released_code_is_what_is_known_of_it(at: int) -> None:
    known = ROWS[at]
    found = {result.claim: result for result in report(at).default.claims if not result.advisory}
    wrong = [f"{claim} is not judged" for claim in known.expects if claim not in found]
    wrong += [
        f"not {expected}\n{shown(found[claim])}"
        for claim, expected in known.expects.items()
        if claim in found and not meets(found[claim], expected)
    ]
    wrong += [
        f"not in the table\n{shown(result)}"
        for claim, result in found.items()
        if result.verdict is Verdict.VIOLATED and claim not in known.expects
    ]
    assert not wrong, "\n".join([known.command, *wrong])
    shipped = [row for row in table() if row.command == known.command]
    assert sorted(shipped, key=str) == sorted(told(at), key=str), "python -m tests.released --write makes it anew"


def test_the_table_that_ships_has_a_row_for_each_that_is_known() -> None:
    told = {row.command for row in ROWS if any(one.verdict is not Verdict.UNDETERMINED for one in row.expects.values())}
    assert told <= {row.command for row in table()} <= {row.command for row in ROWS}
