"""Held against each other: what the static reader reads in transformers' code, and what ran when it was traced.

    python -m tests.agreement --python PYTHON [--keras | --timm] [--models] [--run] [--every N] [--check] [NAME ...]

PYTHON is the interpreter of an environment that holds torch and transformers, whose sources are read too. Whole models
are those of `MODEL_MAPPING` with the default configuration; layers are classes whose names end in Layer or Block; names
only choose what is compared. With `--keras`, PYTHON has tensorflow, keras and perhaps keras-hub: models are those of
keras.applications and keras-hub's backbones, layers those that keras-hub builds them of. With `--timm`, it has timm and
torchvision: one model of each module of timm that registers some. Each is run in the sandbox and
read with the same arguments, and the two graphs are aligned with nothing free. The table has a line for each that is
not the same: where the two part, which of them did not come to its end and why. Bars, for those that run: 97 % of the
layers and 85 % of the whole models are the same.
"""

from __future__ import annotations

import argparse
import ast
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from archcheck.errors import ArchcheckError
from archcheck.frontends.static.sizes import Sample
from archcheck.frontends.targets import Target, parse_target, resolve
from archcheck.frontends.trace.sandbox import Limits
from archcheck.frontends.trace.tracer import Running, Trace, Wanted, trace_many
from archcheck.sweep import Read, Request, of_trace, read_symbol
from archcheck.witnesses import Two, compared, default_graph, words
from tests import keras_targets

LAYERS, MODELS = 0.97, 0.85
SLOWEST = 60  # seconds that a comparison may take
AT_ONCE = 12  # targets that one process runs: importing torch and transformers costs more than most of them
SMALL = re.compile(r"(?:^|_)(?:pico|atto|femto|nano|tiny|small|mini|b0|s0|0|xxs|xs|s|t|[a-z]*(?:18|24|26|50))(?:_|$)")
RAN, NOT_BUILT = "ran", "not built"
SAME, DIFFERS, OPEN, STOPPED, NOT_RUN = "same", "differs", "open", "not read to its end", "not run"


@dataclass(frozen=True)
class Row:
    """What came of one class."""

    name: str
    outcome: str
    why: str = ""
    assumed: tuple[str, ...] = ()


def chosen(target: Target, models: bool, names: set[str]) -> list[Wanted]:
    """The classes that are compared."""
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
                found.append(Wanted(replace(target, source=source, symbol=name), source.module, name))
        source.release()
    return found


def families(target: Target, names: set[str]) -> list[Wanted]:
    """One model of each module that registers some, a small one where names tell; or those that are named."""
    found = []
    for source in target.files:
        entries = [
            entry for entry, roots in source.index.decorated if entry.kind == "def" and "register_model" in roots
        ]
        known = [entry.names[0] for entry in entries if not entry.names[0].startswith(("_", "test_"))]
        small = [name for name in known if SMALL.search(name)] or known
        taken = [name for name in known if name in names] if names else small[:1]
        found += [Wanted(replace(target, source=source, symbol=name), source.module, name) for name in taken]
        source.release()
    return found


def _mapped(target: Target) -> Iterator[str]:
    """Names of the classes that AutoModel builds, read from its table of pairs: a type, and a class or several."""
    mapping = next(source for source in target.files if source.shown.endswith("models/auto/modeling_auto.py"))
    for statement in ast.parse(mapping.text).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "MODEL_MAPPING_NAMES":
            assert isinstance(statement.value, ast.Call)
            for _, classes in ast.literal_eval(statement.value.args[0]):
                yield from (classes,) if isinstance(classes, str) else classes


def compare(one: Trace, wanted: Wanted) -> Row:
    """What was traced held against what is read."""
    symbol = wanted.symbol
    ran = of_trace(wanted.target, symbol, one)
    if error := ran.reading.variants[0].error:
        return Row(symbol, NOT_RUN, error)
    read = _read(wanted, dict(one.made), one.reading.given, one.sample)
    if isinstance(read, ArchcheckError):
        return Row(symbol, STOPPED, str(read))
    if error := read.reading.variants[0].error:
        return Row(symbol, STOPPED, error)
    graphs = default_graph(read), default_graph(ran)
    two = Two(read, ran, compared(*graphs))
    assumed = tuple(dict.fromkeys((*read.reading.assumptions, *ran.reading.assumptions)))
    differences = (*two.differences, *two.open)
    if not differences:
        return Row(symbol, SAME, assumed=assumed)
    unread = any(op.kind.name == "opaque" for graph in graphs for op in graph.walk()) or any(
        variant.unread for one in (read, ran) for variant in one.reading.variants
    )
    told = "; ".join(words(edit)[0] for edit in differences[:3])
    more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
    where = next((str(span) for edit in differences if (span := words(edit)[1]) is not None), "")
    outcome = OPEN if unread or two.open or len(read.reading.variants) > 1 else DIFFERS
    return Row(symbol, outcome, f"{told}{more} ({where})", assumed)


def _read(
    wanted: Wanted,
    made: dict[str, str],
    given: frozenset[str] | None,
    sample: Sample | None = None,
) -> Read | ArchcheckError:
    request = Request(wanted.target.ref.text, made, explore=False, given=given, sample=sample)
    try:
        return read_symbol(wanted.target, wanted.module, wanted.symbol, request)
    except ArchcheckError as error:
        return error


def rows(targets: list[Wanted], python: Path) -> Iterator[Row]:
    """Every class that is compared, in order."""
    for at in range(0, len(targets), AT_ONCE):
        part = [_with_given(one) for one in targets[at : at + AT_ONCE]]
        for wanted, found in zip(part, traced(part, python), strict=True):
            try:
                with at_most(SLOWEST):
                    yield (
                        Row(wanted.symbol, NOT_RUN, found.problem)
                        if isinstance(found, ArchcheckError)
                        else compare(found, wanted)
                    )
            except TimeoutError:
                yield Row(wanted.symbol, STOPPED, f"comparing it took longer than {SLOWEST} s")
            assert wanted.target.source is not None
            wanted.target.library.release(wanted.target.source.path.parent)


def ran(targets: list[Wanted], python: Path) -> Iterator[Row]:
    """Every class, run with what turns out to be enough, and not read."""
    for at in range(0, len(targets), AT_ONCE):
        part = targets[at : at + AT_ONCE]
        for wanted, found in zip(part, _traced(part, python), strict=True):
            if isinstance(found, ArchcheckError):
                yield Row(wanted.symbol, NOT_BUILT, found.problem)
            elif found.recording.error:
                yield Row(wanted.symbol, NOT_RUN, found.recording.error)
            else:
                yield Row(wanted.symbol, RAN)


def _with_given(one: Wanted) -> Wanted:
    """With the optional arguments that the reader takes the call to need."""
    read = _read(one, {}, None)
    return one if isinstance(read, ArchcheckError) else replace(one, given=read.reading.given)


def traced(targets: list[Wanted], python: Path) -> list[Trace | ArchcheckError]:
    """What running them gave; what fails with the arguments that the reader wants is run with those that are enough."""
    found = _traced(targets, python)
    failed = [at for at, one in enumerate(found) if targets[at].given and _has_failed(one)]
    again = _traced([replace(targets[at], given=frozenset()) for at in failed], python) if failed else []
    for at, one in zip(failed, again, strict=True):
        if not _has_failed(one):
            found[at] = one
    return found


def _has_failed(one: Trace | ArchcheckError) -> bool:
    return isinstance(one, ArchcheckError) or bool(one.recording.error)


def _traced(targets: list[Wanted], python: Path) -> list[Trace | ArchcheckError]:
    limits = Limits(wall=len(targets) * 60 + 60, cpu=len(targets) * 60 + 60)
    try:
        return trace_many(targets, Running(python=python, limits=limits))
    except ArchcheckError as error:  # one of them has ended the process: each by itself
        return [_traced([one], python)[0] for one in targets] if len(targets) > 1 else [error]


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raises TimeoutError where what is within takes longer."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _count(found: Iterator[Row]) -> int:
    counts: Counter[str] = Counter()
    for row in found:
        counts[row.outcome] += 1
        if row.outcome != RAN:
            print(f"{row.outcome:<20} {row.name:<44} {row.why}", flush=True)
    built = counts[RAN] + counts[NOT_RUN]
    print(f"ran to the end: {counts[RAN]} of {built} that build, {counts[RAN] / max(built, 1):.1%}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="classes; all by default")
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--keras", action="store_true", help="Keras' models and layers instead of transformers'")
    parser.add_argument("--models", action="store_true", help="whole models instead of layers")
    parser.add_argument("--layers", action="store_true", help="layers, which is the default")
    parser.add_argument("--timm", action="store_true", help="models of timm instead, one of each family")
    parser.add_argument("--run", action="store_true", help="only run them, and count those that come to their end")
    parser.add_argument("--every", type=int, default=1, help="only every N-th class")
    parser.add_argument("--check", action="store_true", help="fail where the bar is missed")
    asked = parser.parse_args()
    if asked.keras:
        return _compared(keras_targets.chosen(_packages(asked.python), asked.models, set(asked.names)), asked)
    package = "timm" if asked.timm else "transformers"
    folders = sorted(asked.python.parent.parent.glob(f"lib/python3*/site-packages/{package}/models"))
    if not folders:
        parser.error(f"{asked.python} has no {package}")
    target = resolve(parse_target(str(folders[0])))
    names = set(asked.names)
    return _compared(families(target, names) if asked.timm else chosen(target, asked.models, names), asked)


def _packages(python: Path) -> Path:
    return next(python.parent.parent.glob("lib/python3*/site-packages"))


def _compared(targets: list[Wanted], asked: argparse.Namespace) -> int:
    counts: Counter[str] = Counter()
    silent = 0
    targets = targets[:: asked.every]
    if asked.run:
        return _count(ran(targets, asked.python))
    for row in rows(targets, asked.python):
        counts[row.outcome] += 1
        silent += row.outcome == DIFFERS and not row.assumed
        if row.outcome != SAME:
            print(f"{row.outcome:<20} {row.name:<44} {row.why}", flush=True)
    compared_count = sum(counts[one] for one in (SAME, DIFFERS, OPEN, STOPPED))
    share = counts[SAME] / max(compared_count, 1)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    print(f"the same: {counts[SAME]} of {compared_count} that ran, {share:.1%}; without an assumption: {silent} differ")
    return 1 if asked.check and share < (MODELS if asked.models or asked.timm else LAYERS) else 0


if __name__ == "__main__":
    sys.exit(main())
