"""Held against each other: what the static reader reads in transformers' code, and what ran when it was traced.

    python -m tests.agreement --python PYTHON [--models | --layers] [--every N] [--check] [NAME ...]

PYTHON is the interpreter of an environment that holds torch and transformers, whose sources are read too. Whole models
are those of `MODEL_MAPPING` with the default configuration; layers are classes whose names end in Layer or Block; names
only choose what is compared. Each is run in the sandbox and read with the same arguments, and the two graphs are
aligned with nothing free. The table has a line for each that is not the same: where the two part, which of them did not
come to its end and why. Bars, for those that run: 97 % of the layers and 85 % of the whole models are the same.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from archcheck.errors import ArchcheckError
from archcheck.frontends.targets import Target, parse_target, resolve
from archcheck.frontends.trace.sandbox import Limits
from archcheck.frontends.trace.tracer import Running, Trace, trace_many
from archcheck.sweep import Read, Request, canonical, read_symbol
from archcheck.witnesses import Two, compared, words

LAYERS, MODELS = 0.97, 0.85
AT_ONCE = 12  # targets that one process runs: importing torch and transformers costs more than most of them
SAME, DIFFERS, OPEN, STOPPED, NOT_RUN = "same", "differs", "open", "not read to its end", "not run"


@dataclass(frozen=True)
class Row:
    """What came of one class."""

    name: str
    outcome: str
    why: str = ""
    assumed: tuple[str, ...] = ()


def chosen(target: Target, models: bool, names: set[str]) -> list[tuple[Target, str, str]]:
    """The classes that are compared: target, module, symbol."""
    endings = ("Model",) if models else ("Layer", "Block")
    wanted = set(_mapped(target)) if models else None
    found = []
    for source in target.files:
        if "/modeling_" not in source.shown:
            continue
        for entry in source.index.entries:
            name = entry.names[0] if entry.kind == "class" else ""
            if names and name not in names:
                continue
            if name and (names or (name in wanted if wanted is not None else name.endswith(endings))):
                found.append((replace(target, source=source, symbol=name), source.module, name))
        source.release()
    return found


def _mapped(target: Target) -> Iterator[str]:
    """Names of the classes that AutoModel builds, read from its table."""
    mapping = next(source for source in target.files if source.shown.endswith("models/auto/modeling_auto.py"))
    table = mapping.text[mapping.text.index("MODEL_MAPPING_NAMES") :]
    for line in table[: table.index("\n)")].splitlines():
        yield from re.findall(r'"(\w+)"\)?,?\)?$', line.strip().rstrip(",").rstrip(")") + "") or ()


def compare(one: Trace, target: Target, module: str, symbol: str) -> Row:
    """What was traced held against what is read."""
    ran = Read(target, symbol, one.reading, tuple(canonical(variant) for variant in one.reading.variants), "trace")
    if error := ran.reading.variants[0].error:
        return Row(symbol, NOT_RUN, error)
    request = Request(target.ref.text, one.made, explore=False, given=one.reading.given)
    try:
        read = read_symbol(target, module, symbol, request)
    except ArchcheckError as error:
        return Row(symbol, STOPPED, str(error))
    if error := read.reading.variants[0].error:
        return Row(symbol, STOPPED, error)
    two = Two(read, ran, compared(read.graphs[0], ran.graphs[0]))
    assumed = tuple(dict.fromkeys((*read.reading.assumptions, *ran.reading.assumptions)))
    differences = two.differences
    if not differences:
        return Row(symbol, SAME, assumed=assumed)
    unread = [op for graph in (read.graphs[0], ran.graphs[0]) for op in graph.walk() if op.kind.name == "opaque"]
    open_conditions = len(read.reading.variants) > 1
    told = "; ".join(words(edit)[0] for edit in differences[:3])
    more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
    where = next((str(span) for edit in differences if (span := words(edit)[1]) is not None), "")
    outcome = OPEN if unread or open_conditions else DIFFERS
    return Row(symbol, outcome, f"{told}{more} ({where})", assumed)


def rows(target: Target, models: bool, every: int, names: set[str], python: Path) -> Iterator[Row]:
    """Every class that is compared, in order."""
    targets = chosen(target, models, names)[::every]
    limits = Limits(wall=AT_ONCE * 60, cpu=AT_ONCE * 60)
    for at in range(0, len(targets), AT_ONCE):
        part = targets[at : at + AT_ONCE]
        try:
            traced = trace_many(part, Running(python=python, limits=limits))
        except ArchcheckError as error:  # one of them has ended the process: each by itself
            traced = [_alone(one, python) for one in part] if len(part) > 1 else [error]
        for (one, module, symbol), found in zip(part, traced, strict=True):
            if isinstance(found, ArchcheckError):
                yield Row(symbol, NOT_RUN, found.problem)
            else:
                yield compare(found, one, module, symbol)
            assert one.source is not None
            target.library.release(one.source.path.parent)


def _alone(one: tuple[Target, str, str], python: Path) -> Trace | ArchcheckError:
    try:
        return trace_many([one], Running(python=python, limits=Limits(wall=90)))[0]
    except ArchcheckError as error:
        return error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="classes; all by default")
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--models", action="store_true", help="whole models instead of layers")
    parser.add_argument("--layers", action="store_true", help="layers, which is the default")
    parser.add_argument("--every", type=int, default=1, help="only every N-th class")
    parser.add_argument("--check", action="store_true", help="fail where the bar is missed")
    asked = parser.parse_args()
    folders = sorted(asked.python.parent.parent.glob("lib/python3*/site-packages/transformers/models"))
    if not folders:
        parser.error(f"{asked.python} has no transformers")
    target = resolve(parse_target(str(folders[0])))
    counts: Counter[str] = Counter()
    silent = 0
    for row in rows(target, asked.models, asked.every, set(asked.names), asked.python):
        counts[row.outcome] += 1
        silent += row.outcome == DIFFERS and not row.assumed
        if row.outcome != SAME:
            print(f"{row.outcome:<20} {row.name:<44} {row.why}", flush=True)
    compared_count = sum(counts[one] for one in (SAME, DIFFERS, OPEN, STOPPED))
    share = counts[SAME] / max(compared_count, 1)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    print(f"the same: {counts[SAME]} of {compared_count} that ran, {share:.1%}; without an assumption: {silent} differ")
    return 1 if asked.check and share < (MODELS if asked.models else LAYERS) else 0


if __name__ == "__main__":
    sys.exit(main())
