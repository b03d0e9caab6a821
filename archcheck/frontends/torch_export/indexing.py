"""Indexing, which an exported program spells axis by axis, put together again: `x[:, 0]` is a slice and a select."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archcheck.frontends.torch_export.aten import base_of
from archcheck.frontends.torch_export.program import Frame, Node, innermost
from archcheck.frontends.trace.wire import Encoded

PARTS = frozenset({"slice", "select", "unsqueeze", "index"})
GET, SET = "__getitem__", "__setitem__"
MOST_STEPS = 96  # of one assignment
_WHOLE: Encoded = ["s", None, None, None]
_END = 2**63 - 1


def is_part(node: Node) -> bool:
    """Whether a node is a step of an indexing by square brackets, as far as its own name tells."""
    base = base_of(node.target)
    return base in PARTS - {"unsqueeze"} or (base == "unsqueeze" and node.function.startswith((GET, SET)))


def chain(nodes: Sequence[Node], at: int) -> int:
    """Behind how many nodes from `at` on the indexing ends that starts there: each reads what the one before gives."""
    first = nodes[at]
    end = at + 1
    while end < len(nodes):
        node, before = nodes[end], nodes[end - 1]
        same = node.function == first.function and node.place == first.place and node.frames == first.frames
        if not same or not first.function or not is_part(node) or not node.args or node.args[0] != before.given:
            break
        if base_of(before.target) == "index":
            break
        end += 1
    return end


def index_of(nodes: Sequence[Node], rank: int) -> Encoded:
    """The index that a chain of nodes computes, on a tensor with `rank` axes.

    Raises:
        ValueError: the nodes are no indexing of such a tensor.
    """
    entries: list[Encoded] = [_WHOLE] * rank
    axes = list(range(rank))  # of the tensor so far -> entry
    for node in nodes:
        base, args = base_of(node.target), [*node.args, *([None] * 5)]
        if base == "index":
            for axis, index in zip(axes, args[1][1:], strict=False):
                if index is not None:
                    entries[axis] = index
            continue
        axis = args[1] or 0
        if not isinstance(axis, int) or isinstance(axis, bool):
            raise ValueError("an axis is no number")
        size = len(axes) + (base == "unsqueeze")
        if not -size <= axis < size:
            raise ValueError("there is no such axis")
        axis %= size
        if base == "slice":
            start, end, step = args[2], args[3], args[4]
            cut: Encoded = [
                "s",
                start or None,
                None if end is None or end >= _END else end,
                None if step == 1 else step,
            ]
            if cut != _WHOLE and entries[axes[axis]] != _WHOLE:
                raise ValueError("an axis is cut twice")
            entries[axes[axis]] = cut if cut != _WHOLE else entries[axes[axis]]
        elif base == "select":
            if entries[axes[axis]] != _WHOLE:
                raise ValueError("an axis is cut and chosen from")
            entries[axes.pop(axis)] = args[2]
        else:
            place = axes[axis] if axis < len(axes) else len(entries)
            entries.insert(place, None)
            axes = [one + (one >= place) for one in axes]
            axes.insert(axis, place)
    return _short(entries, nodes[0].frames)


def _short(entries: list[Encoded], frames: Sequence[Frame]) -> Encoded:
    """The index as code writes it: axes at the end that stay whole are left out, and a tuple of one is that one.

    Whether axes at the start are written `...` or one by one is told by the line of code; where that shows no index,
    two or more of them at the start of an index of the last axis are taken for `...`.
    """
    to_the_end = bool(entries) and entries[-1] != _WHOLE
    while entries and entries[-1] == _WHOLE:
        entries.pop()
    if not entries:
        return ["e"]
    frame = innermost(frames)
    line = "" if frame is None else frame.text
    whole = next(at for at, entry in enumerate(entries) if entry != _WHOLE)
    if whole and to_the_end and ("[..." in line or (whole > 1 and "[:" not in line)):
        entries = [["e"], *entries[whole:]]
    return entries[0] if len(entries) == 1 else ["u", *entries]


def assignment(
    nodes: Sequence[Node], at: int, rank_of: Callable[[Encoded], int]
) -> tuple[int, Encoded, Encoded, Encoded] | None:
    """Where `x[index] = value` starts: the end of its nodes, x, the index and the value; None where it is none."""
    first = nodes[at]
    if not first.function.startswith(SET):
        return None
    end = at
    while end < len(nodes) and nodes[end].function == first.function and nodes[end].place == first.place:
        end += 1
        if end - at > MOST_STEPS:
            return None
    group = list(nodes[at:end])
    last = group[-1]
    value: Encoded = last.args[-1] if last.args else None
    steps = [node for node in group[:-1] if is_part(node)]
    for node in group[:-1]:
        copies = base_of(node.target) in ("lift_fresh_copy", "to", "_to_copy") and bool(node.args)
        if copies and node.given == value:
            value = node.args[0]
    base = base_of(last.target)
    try:
        if base == "index_put_" and len(last.args) >= 3:
            if steps:
                return None
            parts = [_WHOLE if part is None else part for part in last.args[1][1:]]
            return end, last.args[0], parts[0] if len(parts) == 1 else ["u", *parts], last.args[2]
        if base not in ("copy_", "fill_") or not steps:
            return None
        return end, steps[0].args[0], index_of(steps, rank_of(steps[0].args[0])), value
    except (ValueError, TypeError, IndexError):
        return None
