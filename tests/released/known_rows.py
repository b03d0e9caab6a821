"""The rows of known*.yaml: released code of which it is known how it stands to papers of the library."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from archcheck.findings import ClaimResult, Report, Verdict
from archcheck.frontends.releases import fetch
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.spec.known import Known
from archcheck.sweep import Request

TABLES = sorted(Path(__file__).parent.glob("known*.yaml"))
WORDS = {"holds": Verdict.HOLDS, "departs": Verdict.VIOLATED, "undetermined": Verdict.UNDETERMINED}
KEYS = {"spec", "target", "args", "bind", "gin", "preset", "sizes", "mode", "expects", "note"}


@dataclass(frozen=True)
class Expected:
    """The verdict on one claim; of a departure what is told, and the end of the place that is shown."""

    verdict: Verdict
    says: str = ""
    at: str = ""


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    spec: str  # citation key, with #block where one block is meant
    target: str
    expects: dict[str, Expected]
    args: dict[str, str] = field(default_factory=dict)
    bind: dict[str, str] = field(default_factory=dict)
    gin: tuple[str, ...] = ()
    preset: str = ""
    sizes: dict[str, float] = field(default_factory=dict)
    mode: str = "train"

    @property
    def command(self) -> str:
        """The command line that a reader types."""
        words = ["archcheck", "audit", self.target, "--spec", self.spec]
        words += [f"--gin={one}" for one in self.gin]
        for option, rows in (("arg", self.args), ("bind", self.bind), ("size", self.sizes)):
            words += [word for name, value in rows.items() for word in (f"--{option}", f"{name}={value}")]
        words += ["--preset", self.preset] if self.preset else []
        words += ["--mode", self.mode] if self.mode != "train" else []
        return shlex.join(words)


def row(data: dict[str, Any]) -> Row:
    """A row as the table writes it."""
    assert set(data) <= KEYS, f"no such keys: {set(data) - KEYS}"
    expects = {}
    for claim, told in data["expects"].items():
        if isinstance(told, str):
            expects[claim] = Expected(WORDS[told])
            assert told != "departs", f"{claim} departs: say what is told, and where: {{departs: words, at: file:line}}"
        else:
            assert set(told) == {"departs", "at"}, f"{claim}: {{departs: words, at: file:line}}"
            expects[claim] = Expected(Verdict.VIOLATED, told["departs"], told["at"])
    texts = {name: {key: str(value) for key, value in data.get(name, {}).items()} for name in ("args", "bind")}
    more = {name: data[name] for name in ("preset", "sizes", "mode") if name in data}
    return Row(data["spec"], data["target"], expects, **texts, gin=tuple(data.get("gin", ())), **more)


ROWS = [row(data) for table in TABLES for data in yaml.safe_load(table.read_text(encoding="utf-8"))]


def cache_folder() -> Path:
    from platformdirs import user_cache_path

    named = os.environ.get("ARCHCHECK_TEST_PACKAGES")
    return Path(named) if named else user_cache_path("archcheck") / "test-packages"


def in_cache(path: str) -> str:
    """A path of a release, in the cache that tests keep; others as they are."""
    release = re.match(r"([A-Za-z0-9._-]+)==([^/]+)/(.*)", path)
    if release is None:
        return path
    dist, version, inside = release.groups()
    return f"{fetch(dist, version, cache_dir=cache_folder())}/{inside}"


@cache
def report(at: int) -> Report:
    """What the command of a row reports."""
    known = ROWS[at]
    request = Request(
        in_cache(known.target),
        known.args,
        known.mode == "train",
        explore=False,
        preset=Preset(known.preset, known.sizes, known.bind),
        gin=tuple(in_cache(one) for one in known.gin),
    )
    (found,) = check(request, known.spec)
    return found


def shown(result: ClaimResult) -> str:
    """A claim with its findings, for a row that is not as expected."""
    lines = [f"{result.claim}: {result.verdict.value}"]
    for finding in result.findings:
        place = finding.places[0].span if finding.places else None
        lines.append(f"  {finding.message}" + (f"  {place.file}:{place.line}" if place else ""))
    return "\n".join(lines)


def meets(result: ClaimResult, expected: Expected) -> bool:
    """Whether a claim has the verdict, the words and the place that are expected."""
    if result.verdict is not expected.verdict:
        return False
    if expected.verdict is not Verdict.VIOLATED:
        return True
    return any(
        expected.says in finding.message
        and any(f"/{place.span.file}:{place.span.line}".endswith(f"/{expected.at}") for place in finding.places)
        for finding in result.findings
        if finding.verdict is Verdict.VIOLATED
    )


def name(at: int) -> str:
    known = ROWS[at]
    return f"{at}-{known.spec}-{known.target.rpartition(':')[2]}"


def told(at: int) -> list[Known]:
    """What the report of a row says of each claim that is the paper's own, where it is not open."""
    asked = ROWS[at]
    found = []
    for result in report(at).default.claims:
        if result.advisory or result.verdict is Verdict.UNDETERMINED or result.claim.endswith(".repeat"):
            continue
        wrong = next((one for one in result.findings if one.verdict is Verdict.VIOLATED), None)
        span = wrong.places[0].span if wrong is not None and wrong.places else None
        found.append(
            Known(
                asked.spec.partition("#")[0],
                result.claim,
                result.verdict.value,
                asked.target,
                asked.command,
                wrong.message if wrong is not None else "",
                f"{Path(span.file).name}:{span.line}" if span is not None else "",
            )
        )
    return found
