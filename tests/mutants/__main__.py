"""Mutants of the fixtures, held against the specs that the fixtures fulfil.

    python -m tests.mutants [--only TEXT] [--list]

For each operator: how many mutants run and compute something else, how many of those are VIOLATED, UNDETERMINED and
HOLD; and of those that compute the same, how many are VIOLATED. With `--list`, a line for each that is not as it should
be. Needs torch.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter

from .fixtures import Outcome, judged, sources
from .released import released
from .truth import Truth


def main() -> int:
    """Print the table; 1 where a mutant that departs is not VIOLATED, or an equivalent one is."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--only", default="", help="fixtures whose id holds this")
    parser.add_argument("--released", action="store_true", help="layers of transformers, where it is installed")
    parser.add_argument("--operators", default="", help="operators whose name holds this")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    found: list[Outcome] = []
    for source in released() if options.released else sources():
        if re.search(options.only, source.id):
            for one in judged(source, options.operators):
                found.append(one)
                if options.list and (one.truth is Truth.DIFFERS) is not (one.verdict == "VIOLATED"):
                    print(_line(one), flush=True)
            print(f"{source.id}: {len(found)}", file=sys.stderr)
    table: dict[str, Counter[str]] = {}
    for one in found:
        row = table.setdefault(one.mutant.operator.id, Counter())
        row[f"{one.truth.name} {one.verdict}"] += 1
    total = Counter[str]()
    for name, row in table.items():
        total += row
        _print(name, row)
    _print("all", total)
    return 0


def _line(one: Outcome) -> str:
    change = f"{one.mutant.was[:60]!r} -> {one.mutant.now[:80]!r}"
    return f"{one.truth.name:8} {one.verdict:13} {one.source}:{one.mutant.line}: {one.mutant.operator.id}: {change}"


def _print(name: str, row: Counter[str]) -> None:
    departs = sum(count for key, count in row.items() if key.startswith("DIFFERS"))
    seen, holds = row["DIFFERS VIOLATED"], row["DIFFERS HOLDS"]
    equal = sum(count for key, count in row.items() if key.startswith("SAME"))
    told = f"{seen:5} violated, {row['DIFFERS UNDETERMINED']:4} undetermined, {holds:4} hold"
    print(f"{name:28} {departs:5} depart: {told}; {equal:4} are the same: {row['SAME VIOLATED']} violated")


if __name__ == "__main__":
    sys.exit(main())
