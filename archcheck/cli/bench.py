"""`archcheck bench CASES --sources FOLDER`: cases whose outcome is known, judged, and what was missed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archcheck.cli import options
from archcheck.cli.entry import HOLDS, NOTHING_JUDGED, VIOLATED

if TYPE_CHECKING:
    from archcheck.bench import Result, Tally


@click.command("bench")
@click.argument("cases", type=click.Path(path_type=Path))
@click.option(
    "--sources", required=True, type=click.Path(path_type=Path), metavar="FOLDER",
    help="Holds a folder for each source: OWNER+NAME, OWNER+NAME@COMMIT or PACKAGE==VERSION.",
)  # fmt: skip
@click.option("--only", multiple=True, metavar="ID", help="Judge this case and no other. Repeatable.")
@click.option("--format", "-f", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(cases: Path, sources: Path, only: tuple[str, ...], form: str) -> int:
    """Judge the CASES of a YAML list, each as `audit` would, and say what was missed and why.

    A case is {id, source, target, spec, expects: departs or matches, where}, and may have args, bind, preset, sizes,
    mode and claims. A departure is seen where a finding points into `where`. Nothing is imported or run. The exit code
    is 0 where every case whose source is there came out as it is known to be, 1 where one did not, 3 where no source
    is there.
    """
    from archcheck.bench import GOOD, Outcome, Tally, cases_of, run
    from archcheck.errors import ArchcheckError

    listed = cases_of(cases)
    if unknown := [name for name in only if name not in {case.id for case in listed}]:
        raise ArchcheckError(f"--only {unknown[0]}: no case is called so", place=str(cases))
    chosen = tuple(case for case in listed if not only or case.id in only)
    try:
        tally = run(chosen, sources, options.progress())
    finally:
        options.clear_progress()
    options.write(as_json(tally) if form == "json" else as_text(tally), None)
    counted = Tally(tuple(one for one in tally.results if one.outcome is not Outcome.ABSENT))
    if not counted.results:
        return NOTHING_JUDGED
    fine = counted.count(*GOOD) == len(counted.results) and not counted.alarms
    return HOLDS if fine else VIOLATED


def as_text(tally: Tally) -> str:
    """A line for each case that is not as it is known to be, then the sums."""
    from archcheck.bench import GOOD, Outcome

    lines = []
    for one in tally.results:
        if one.outcome not in GOOD:
            lines.append(f"{one.outcome.value:<18}  {one.case.id}: {one.why or 'every claim holds'}")
        lines += [f"{'false alarm':<18}  {one.case.id}, beside its claim: {alarm}" for alarm in one.alarms]
    lines += [""] if lines else []
    departing, matching = tally.judged(True), tally.judged(False)
    undetermined = tally.count(Outcome.UNDETERMINED)
    lines.append(f"departures seen  {_share(tally.count(Outcome.SEEN), departing)}")
    lines.append(f"false alarms     {_share(tally.alarms, departing + matching)}")
    lines.append(f"undetermined     {_share(undetermined, departing + matching)}")
    for outcome, said in (
        (Outcome.NOT_SEEN, "departures that hold"),
        (Outcome.ELSEWHERE, "violated elsewhere"),
        (Outcome.FAILED, "failed"),
        (Outcome.ABSENT, "sources absent, not counted"),
    ):
        if count := tally.count(outcome):
            lines.append(f"{said}: {count}")
    return "\n".join(lines) + "\n"


def _share(count: int, total: int) -> str:
    return f"{count} of {total}" + (f" ({count / total:.0%})" if total else "")


def as_json(tally: Tally) -> str:
    """All outcomes and the sums, in the order of the list."""
    from archcheck.bench import Outcome

    sums = {
        "departing": tally.judged(True),
        "matching": tally.judged(False),
        "seen": tally.count(Outcome.SEEN),
        "false_alarms": tally.alarms,
        "undetermined": tally.count(Outcome.UNDETERMINED),
        "holds": tally.count(Outcome.NOT_SEEN),
        "elsewhere": tally.count(Outcome.ELSEWHERE),
        "failed": tally.count(Outcome.FAILED),
        "absent": tally.count(Outcome.ABSENT),
    }
    rows = [_row(one) for one in tally.results]
    return json.dumps({"version": 1, "sums": sums, "cases": rows}, indent=2, ensure_ascii=False) + "\n"


def _row(one: Result) -> dict[str, object]:
    expects = "departs" if one.case.departs else "matches"
    row = {"id": one.case.id, "expects": expects, "outcome": one.outcome.value, "why": one.why}
    return {**row, "alarms": list(one.alarms)}
