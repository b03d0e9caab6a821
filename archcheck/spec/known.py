"""What is known of released code: which claims of the library it fulfils, and from which it departs.

The table `known.json` ships with the specs. It is made by judging each row of the repository's lists anew
(`python -m tests.released --write`), so that nothing stands in it that archcheck does not say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from archcheck.spec.library import library

TABLE = "known.json"
HOLDS, DEPARTS = "HOLDS", "VIOLATED"


@dataclass(frozen=True, slots=True)
class Known:
    """One claim of a spec, and one piece of released code that was judged against it.

    Args:
        spec: citation key.
        claim: id of a block or claim.
        verdict: HOLDS or VIOLATED.
        target: the release, the file in it and the class or function.
        command: the command line that says so.
        says: what the finding tells, where the code departs.
        at: file:line of it.
    """

    spec: str
    claim: str
    verdict: str
    target: str
    command: str
    says: str = ""
    at: str = ""

    @property
    def symbol(self) -> str:
        """The release and the class or function: `timm==1.0.31 Bottleneck`."""
        file, _, symbol = self.target.rpartition(":")
        return f"{file.partition('/')[0]} {symbol}"


def known(spec: str = "") -> tuple[Known, ...]:
    """The table's rows, of one spec where it is given; none where the library has no table."""
    path = library() / TABLE
    if not path.is_file():
        return ()
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return tuple(Known(**row) for row in rows if spec in ("", row["spec"]))


def written(rows: Iterable[Known]) -> str:
    """The table's text, one row a line, sorted."""
    fields = Known.__slots__
    lines = sorted(
        json.dumps({name: value for name in fields if (value := getattr(row, name))}, ensure_ascii=False)
        for row in rows
    )
    return '{"rows": [\n  ' + ",\n  ".join(lines) + "\n]}\n"


def summary(spec: str) -> list[str]:
    """What is known of a spec, in lines: the code that holds, and each departure once, with where it was seen."""
    rows = known(spec)
    departed: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.verdict == DEPARTS:
            departed.setdefault((row.claim, row.says), []).append(row.symbol)
    holding = dict.fromkeys(row.symbol for row in rows if row.verdict == HOLDS)
    lines = [f"holds: {', '.join(holding)}"] if holding else []
    lines += [
        f"departs: {', '.join(dict.fromkeys(symbols))}: {claim}: {says}" for (claim, says), symbols in departed.items()
    ]
    return lines


__all__ = ["DEPARTS", "HOLDS", "TABLE", "Known", "known", "summary", "written"]
