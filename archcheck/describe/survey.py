"""A folder at once: a line for each class that holds a layer, and what could not be told, by what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archcheck.describe.description import Description, as_object
from archcheck.describe.regions import Region
from archcheck.findings import Undetermined
from archcheck.ir.graph import Unknown
from archcheck.ir.ops import kind
from archcheck.ir.span import Span

OPAQUE = kind("opaque")
NOT_ABOUT = ("the target is", "the target has", "the target holds")  # facts that are of another class
MOST_REASONS = 40  # that the text lists; JSON has all


@dataclass(frozen=True, slots=True)
class Entry:
    """One class of a folder.

    `layers` are its layers, each "12 x Layer: self_attention n F a; ffn n F a"; `complete` says that nothing unread
    stands in their sublayers. `why` is the reason for which the class could not be read, then there are no layers.
    `text` is the whole description, where it is asked for; `stopped` says that its reading came to no end.
    """

    name: str
    span: Span | None
    layers: tuple[str, ...] = ()
    complete: bool = False
    undetermined: tuple[Undetermined, ...] = ()
    why: str = ""
    description: str = ""  # as JSON
    text: str = ""
    stopped: bool = False

    @property
    def file(self) -> str:
        return self.span.file if self.span is not None else ""


def entry_of(name: str, span: Span | None, described: Description, text: str = "") -> Entry:
    """The entry of a class that was read."""
    default = described.default
    return Entry(
        name,
        span,
        tuple(_layer(layer) for layer in default.layers),
        all(is_complete(layer) for layer in default.layers),
        described.undetermined,
        description=json.dumps(as_object(described), ensure_ascii=False),
        text=text,
        stopped=bool(default.error),
    )


def unread(what: Undetermined) -> Entry:
    """The entry of a class that could not be read."""
    return Entry(what.what, what.span, undetermined=(what,), why=what.why)


def is_complete(layer: Region) -> bool:
    """Whether every sublayer of a layer was read: no letter is open, and nothing within is opaque."""
    for sublayer in layer.sublayers:
        if any(token.op.kind is OPAQUE for token in sublayer.tokens):
            return False
        if sublayer.core is not None and any(op.kind is OPAQUE for op in sublayer.core.walk()):
            return False
    return True


def _layer(layer: Region) -> str:
    times = "n x " if isinstance(layer.repeat, Unknown) else f"{layer.repeat} x " if layer.repeat > 1 else ""
    rows = [f"{sublayer.kind} {sublayer.signature}" for sublayer in layer.sublayers]
    folded: list[tuple[str, int]] = []
    for row in rows:
        if folded and folded[-1][0] == row:
            folded[-1] = (row, folded[-1][1] + 1)
        else:
            folded.append((row, 1))
    said = "; ".join(row if count == 1 else f"{count} times {row}" for row, count in folded)
    return f"{times}{layer.symbol}: {said}"


def as_text(target: str, entries: Sequence[Entry]) -> str:
    """The folder, file by file, and the summary."""
    read = [entry for entry in entries if not entry.why]
    lines = [target]
    file = ""
    for entry in read:
        if entry.file != file:
            file = entry.file
            lines += ["", file]
        where = f":{entry.span.line}" if entry.span is not None else ""
        mark = "" if entry.complete else "  (not all of it was read)"
        lines.append(f"  {entry.name}{where}{mark}")
        lines += [f"    {layer.removeprefix(f'{entry.name}: ')}" for layer in dict.fromkeys(entry.layers)]
    return "\n".join([*lines, "", *_summary(entries)]) + "\n"


def _summary(entries: Sequence[Entry]) -> list[str]:
    read = [entry for entry in entries if not entry.why]
    complete = sum(entry.complete for entry in read)
    share = f", {complete / len(read):.1%}" if read else ""
    lines = [f"{len(read)} classes hold a layer; {complete} of them were read whole{share}"]
    if len(entries) > len(read):
        more = len(entries) - len(read)
        lines.append(f"{more} {'classes' if more > 1 else 'class'} could not be read")
    found = reasons(entries)
    if found:
        lines += ["", "what could not be told, by the number of classes that it costs:"]
        lines += [f"  {len(held):5}  {why}  ({held[0]})" for why, held in found[:MOST_REASONS]]
        if len(found) > MOST_REASONS:
            lines.append(f"  and {len(found) - MOST_REASONS} more, which --format json lists")
    return lines


def reasons(entries: Iterable[Entry]) -> list[tuple[str, list[str]]]:
    """Why something could not be told, with the places where it arose, one for each class that it costs; the dearest
    first."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        told = [one for one in entry.undetermined if not one.why.startswith(NOT_ABOUT)]
        for text, place in {_reason(one): str(one.span or entry.span or entry.name) for one in told}.items():
            found.setdefault(text, []).append(place)
    return sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))


def _reason(one: Undetermined) -> str:
    return one.why if one.what in one.why else f"{one.what}: {one.why}"


def as_json(entries: Sequence[Entry]) -> str:
    """The descriptions of all classes, those that could not be read, and the reasons with their places."""
    data = {
        "version": 1,
        "descriptions": [json.loads(entry.description) for entry in entries if not entry.why],
        "unread": [
            {"class": entry.name, "place": str(entry.span or ""), "why": entry.why} for entry in entries if entry.why
        ],
        "reasons": [{"why": why, "classes": len(places), "places": places} for why, places in reasons(entries)],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def file_text(entries: Sequence[Entry]) -> str:
    """The descriptions of a file's classes."""
    return "\n".join(entry.text for entry in entries if not entry.why)


def file_json(entries: Sequence[Entry]) -> str:
    """The descriptions of a file's classes: one object for one, a list for several."""
    data = [json.loads(entry.description) for entry in entries if not entry.why]
    return json.dumps(data[0] if len(data) == 1 else data, indent=2, ensure_ascii=False) + "\n"
