"""The fixtures: models with what archcheck must say about them, and twins of each that depart in one thing.

A fixture is a folder `fixtures/<paper>/<style>/` with a `model.py`, which is read and never imported, and an
`expect.yaml`:

    spec: vaswani2017#encoder_layer
    target: EncoderLayer                  # a name in model.py
    arguments: {width: "512"}             # as --arg takes them
    preset: base                          # as --preset takes it
    sizes: {N: 6}                         # as --size takes them
    claims: {encoder_layer: HOLDS}        # verdict of each claim that is looked at
    sublayers: {self_attention: F d a n}  # signatures of the part that the first claim is bound to, in order
    repeat: 6                             # how often that part stands in a row
    departures:
      norm-first:
        replace: {"old text": "new text"} # each occurs once in model.py
        claims: {encoder_layer: VIOLATED}
        rules: [norm-placement]           # of all findings of these claims, each once
        at: x + f(norm(x))                # text on the first line that a finding points at

A departure takes what it does not state from its fixture. `xfail` in either says why archcheck does not get it right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FIXTURES = Path(__file__).parents[2] / "fixtures"
KEYS = {"spec", "target", "arguments", "preset", "sizes", "claims", "sublayers", "repeat", "departures", "xfail"}
DEPARTURE_KEYS = {"replace", "spec", "arguments", "preset", "sizes", "claims", "rules", "at", "xfail"}


@dataclass(frozen=True)
class Fixture:
    """One model, or a twin of it."""

    id: str
    folder: Path
    spec: str
    symbol: str
    source: str
    arguments: dict[str, str]
    preset: str
    sizes: dict[str, float]
    claims: dict[str, str]
    sublayers: dict[str, str] = field(default_factory=dict)
    repeat: int = 1
    rules: tuple[str, ...] = ()
    at: str = ""
    xfail: str = ""


def fixtures() -> Iterator[tuple[Fixture, tuple[Fixture, ...]]]:
    """Every fixture with its departing twins, by path.

    Raises:
        AssertionError: a fixture is written wrongly: an unknown key, a text that is not there once.
    """
    for file in sorted(FIXTURES.glob("*/*/expect.yaml")):
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
        source = (file.parent / "model.py").read_text(encoding="utf-8")
        id = file.parent.relative_to(FIXTURES).as_posix()
        assert set(told) <= KEYS, f"{id}: {set(told) - KEYS}"
        own = Fixture(
            id,
            file.parent,
            told["spec"],
            told["target"],
            source,
            told.get("arguments", {}),
            told.get("preset", ""),
            told.get("sizes", {}),
            told["claims"],
            told.get("sublayers", {}),
            told.get("repeat", 1),
            xfail=told.get("xfail", ""),
        )
        yield own, tuple(_twin(own, name, said) for name, said in told.get("departures", {}).items())


def _twin(own: Fixture, name: str, said: dict[str, Any]) -> Fixture:
    id = f"{own.id}/{name}"
    assert set(said) <= DEPARTURE_KEYS, f"{id}: {set(said) - DEPARTURE_KEYS}"
    source = own.source
    for old, new in said.get("replace", {}).items():
        assert source.count(old) == 1, f"{id}: {source.count(old)} times in model.py: {old}"
        source = source.replace(old, new)
    assert source != own.source or said.get("arguments", own.arguments) != own.arguments, f"{id} departs in nothing"
    return Fixture(
        id,
        own.folder,
        said.get("spec", own.spec),
        own.symbol,
        source,
        said.get("arguments", own.arguments),
        said.get("preset", own.preset),
        said.get("sizes", own.sizes),
        said["claims"],
        rules=tuple(sorted(said["rules"])),
        at=said.get("at", ""),
        xfail=said.get("xfail", ""),
    )
