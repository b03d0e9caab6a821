"""Judge each row of known*.yaml, and write the table that ships with the library.

    python -m tests.released [--write] [--only TEXT]

Without --write it prints what differs from specs/known.json. Releases are fetched where they are not there yet.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from known_rows import ROWS, told

from archcheck.spec.known import TABLE, Known, known, written
from archcheck.spec.library import library


def main() -> int:
    """1 where the table is not what is judged."""
    parser = argparse.ArgumentParser(prog="python -m tests.released", description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", default="", help="rows whose command holds this; the others stay as they are")
    options = parser.parse_args()
    before = known()
    rows: list[Known] = []
    for at, row in enumerate(ROWS):
        if options.only in row.command:
            rows += told(at)
            print(f"{at + 1} of {len(ROWS)}: {row.command}", file=sys.stderr)
        else:
            rows += [one for one in before if one.command == row.command]
    if options.write:
        (library() / TABLE).write_text(written(dict.fromkeys(rows)), encoding="utf-8")
        return 0
    gone, new = set(before) - set(rows), set(rows) - set(before)
    for sign, each in (("-", gone), ("+", new)):
        for one in sorted(each, key=str):
            print(sign, one.spec, one.claim, one.verdict, one.symbol, one.says)
    return int(bool(gone or new))


if __name__ == "__main__":
    sys.exit(main())
