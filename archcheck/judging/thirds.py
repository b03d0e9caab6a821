"""Which third of one learned matrix the maps of queries, keys and values are, where code computes them at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from archcheck.ir.graph import Op, Value
from archcheck.ir.ops import BY_NAME
from archcheck.passes.kinds import VIEWS, named

SPLIT = BY_NAME["split"]
CUTS = named("split", "select")


def third_of(op: Op) -> tuple[int | None, bool]:
    """Which third of a learned matrix `op` is, where it is a part of one; and whether it is another part of it."""
    inside = {inner.path: inner for inner in op.body}
    value, _ = _through_views(op.results[0], inside) if op.results else (Value(""), [])
    cutter = inside.get(value.op)
    if cutter is None or cutter.kind not in CUTS:
        return None, False
    whole, views = _through_views(cutter.reads[0], inside)
    linear = inside.get(whole.op)
    outputs, own = (one.attr("out_features") if one is not None else None for one in (linear, op))
    if not isinstance(outputs, int) or not isinstance(own, int) or outputs != 3 * own:
        return None, True
    number = _third_of_axis(cutter, value) if views and _in_thirds(views, own) else None
    if not views:
        number = value.index if cutter.kind is SPLIT else _third_of_slice(cutter, own)
    return number, number is None


def _through_views(value: Value, inside: Mapping[str, Op]) -> tuple[Value, list[Op]]:
    """The value that `value` is another view of, and the views."""
    views: list[Op] = []
    while (giver := inside.get(value.op)) is not None and giver.kind in VIEWS and giver.reads:
        views.append(giver)
        value = giver.reads[0]
    return value, views


def _in_thirds(views: Iterable[Op], own: int) -> bool:
    """Whether features are laid out with an axis of three in front of all others: [.., 3, heads, head_dim].

    [.., heads, 3 * head_dim] is cut in three too, and no third of the matrix is a part of it.
    """
    shapes = [view.attr("shape") for view in views if view.kind.name == "reshape"]
    if len(shapes) != 1 or not isinstance(shapes[0], tuple) or list(shapes[0]).count(3) != 1:
        return False
    behind = shapes[0][shapes[0].index(3) + 1 :]
    sizes = [size for size in behind if isinstance(size, int)]
    return len(sizes) == len(behind) and (-1 in sizes or math.prod(sizes) == own)


def _third_of_axis(cutter: Op, value: Value) -> int | None:
    """Which entry of an axis of three a cut takes."""
    if cutter.kind is SPLIT:
        return value.index if cutter.attr("unbind") is True else None
    index = cutter.attr("index")
    picked = [one for one in (index if isinstance(index, tuple) else (index,)) if type(one) is int]
    return picked[0] % 3 if len(picked) == 1 and -3 <= picked[0] < 3 else None


def _third_of_slice(cutter: Op, own: int) -> int | None:
    """Which third a slice of the last axis takes."""
    start: object = cutter.attr("start", 0)
    index = cutter.attr("index")
    last = index[-1] if isinstance(index, tuple) and index else None
    if isinstance(last, tuple) and len(last) == 4 and last[0] == "slice" and last[3] in (None, 1):
        start = last[1] or 0
    elif not cutter.states("length"):
        return None
    if not isinstance(start, int):
        return None
    start %= 3 * own
    return start // own if start % own == 0 else None
