"""What code in eval mode does not show: dropout, which does nothing there.

An equation is held against such code without its dropouts: in that mode the two are one function, which is an
equivalence with a name. Of a claim about dropout itself the code shows nothing, so that it is UNDETERMINED: a dropout
that is there in train mode is missing as much as one that is there in none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from archcheck.align import EVERYTHING, Alignment, align
from archcheck.align.edits import Edit
from archcheck.findings import Finding, Place
from archcheck.ir.equivalences import NO_DROPOUT, unstated
from archcheck.ir.graph import Op, OpGraph
from archcheck.judging import parts
from archcheck.judging.binding import Expected
from archcheck.passes.kinds import DROPOUTS
from archcheck.spec.model import Path, What

RATE = "dropout"  # the attribute of an op that holds a dropout
FREE = frozenset(kind.name for kind in DROPOUTS)
STILL_THERE = frozenset(map(unstated, FREE))  # equivalences of an alignment that let a dropout be
_FIX = "judge it in train mode: --mode train, or a program that was saved in train mode"


def is_evaluated(graph: OpGraph) -> bool:
    """Whether it is of code in eval mode."""
    return graph.origin.mode == "eval"


def untold(what: str, places: tuple[Place, ...] = ()) -> Finding:
    """What of a claim does not follow from code in eval mode."""
    return parts.untold(f"{what} cannot be told in eval mode, in which dropout does nothing", _FIX, places)


def partly_told(symbol: str, block: str, places: tuple[Place, ...]) -> Finding:
    """Code in eval mode has dropouts, and not all those of a claim stand where it says: some may not show."""
    message = f"{symbol} has dropout in eval mode too, and does not show there whether it has all that {block} states"
    return parts.untold(message, _FIX, places)


def is_about_dropout(*whats: What | None) -> bool:
    """Whether a claim speaks of dropout, or of what stands beside or in it."""
    return any(what is not None and what.kind in DROPOUTS for what in whats)


def dropouts(ops: Iterable[Op]) -> list[Op]:
    """The dropouts among ops, at all depths."""
    return [inner for op in ops for inner in op.walk() if inner.kind in DROPOUTS]


def is_off(op: Op) -> bool:
    """Whether an op that may hold a dropout shows none, as it does where code passes a rate of 0 in eval mode.

    A layer that keeps its rate as a setting shows it in any mode.
    """
    rate = op.attr(RATE)
    return rate is None or rate == 0


def without_rates(
    alignment: Alignment, *, expected: bool = False, actual: bool = True
) -> tuple[Alignment, frozenset[str]]:
    """An alignment without what it says of rates that are off in eval mode; and how that is called, where it says any.

    Args:
        expected: whether the graph that it expects is of code in eval mode.
        actual: whether the other one is.
    """

    def is_rate(edit: Edit) -> bool:
        of = (edit.expected if expected else None, edit.actual if actual else None)
        return edit.aspect == f"attr:{RATE}" and any(op is not None and is_off(op) for op in of)

    kept = tuple(edit for edit in alignment.edits if not is_rate(edit))
    return replace(alignment, edits=kept), frozenset({NO_DROPOUT} if len(kept) < len(alignment.edits) else ())


def differ_in_dropout_alone(one: Expected, other: Expected) -> bool:
    """Whether two claims state the same of code in eval mode, and something else of it in train mode."""
    return (one.hides or other.hides) and not align(one.graph, other.graph, closed=EVERYTHING).edits


def shown(path: Path) -> Path | None:
    """What of a path code in eval mode shows: its other steps. None where it has no others.

    Where the code has not even these in their order, it has not the whole path either.
    """
    steps: list[What | None] = []
    for step in path.steps:
        if is_about_dropout(step) or (step is None and steps and steps[-1] is None):
            continue  # two gaps around a dropout are one
        steps.append(step)
    if all(step is None for step in steps):
        return None
    return replace(path, steps=tuple(steps), absent=tuple(what for what in path.absent if not is_about_dropout(what)))
