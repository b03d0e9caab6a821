"""What tests of passes share: two printed graphs and one call."""

from __future__ import annotations

from archcheck.ir.graph import OpGraph
from archcheck.ir.text import dump, parse
from archcheck.ir.verify import verify
from archcheck.passes import CANONICAL, Pass, canonicalise
from archcheck.passes.structure import sublayers


def shown(graph: OpGraph) -> str:
    """A graph as a test writes it: without places, so that only values and attributes count."""
    return dump(graph, places=False)


def assert_pass(step: Pass, before: str, after: str) -> None:
    """`step` turns `before` into `after`, and changes nothing the second time."""
    found = verify(step.run(verify(parse(before), "test")), step.name)
    assert shown(found) == shown(parse(after))
    assert step.run(found) == found


def assert_left(step: Pass, before: str) -> None:
    """`step` leaves `before` alone: the near miss."""
    assert_pass(step, before, before)


def canonical(text: str, passes: tuple[Pass, ...] = CANONICAL) -> OpGraph:
    """The canonical form of a printed graph, after checking that it is canonical already."""
    found = canonicalise(parse(text), passes)
    assert shown(canonicalise(found, passes)) == shown(found)
    return verify(found, "canonicalise")


def signatures(text: str) -> list[str]:
    """The sublayers of a printed graph, as "kind: signature"."""
    return [f"{sublayer.kind}: {sublayer.signature}" for sublayer in sublayers(canonical(text))]
