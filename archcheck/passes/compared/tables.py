"""Tables of positions, as they stand before they are laid out beside what they are for."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import AttrValue, Op, OpGraph, Value
from archcheck.ir.ops import BY_NAME
from archcheck.passes.compared.tree import Tree
from archcheck.passes.kinds import CONSTANT, VIEWS, named

_OUTER = BY_NAME["outer"]
_EACH = named(
    *("identity", "cos", "sin", "exp", "neg", "scale", "mul", "add", "sub", "div", "pow", "concat", "stack", "log"),
    "select",
)
_STEPS = 24
_WHOLE = ("slice", None, None, None)


def rank(tree: Tree, value: Value, depth: int = _STEPS) -> int | None:
    """How many axes a table has that is made of ranges of numbers; None where that is not known."""
    op = tree.maker(value)
    if op is None or depth < 0 or value.index:
        return None
    if op.kind is CONSTANT:
        shape = op.attr("shape")
        return 1 if op.attr("value") == "arange" else len(shape) if isinstance(shape, tuple) else None
    if op.kind is _OUTER:
        return 2
    before = [rank(tree, one, depth - 1) for one in op.reads]
    known = [one for one in before if one is not None]
    if not known or len(known) < len(before):
        return None
    if op.kind.name == "select" or op.kind in VIEWS:
        added = _added(op, known[0])
        return known[0] + len(added) if added is not None else None
    return max(known) if op.kind in _EACH and op.kind.name != "stack" else None


def _added(op: Op, count: int) -> tuple[int, ...] | None:
    """The places of the axes of one entry that a view puts in, among those that it gives; None where it does more."""
    if op.kind.name == "identity":
        return ()
    if op.kind.name == "reshape" and op.attr("form") == "unsqueeze":
        axis = op.attr("axis")
        return (axis % (count + 1),) if isinstance(axis, int) and -count - 1 <= axis <= count else None
    if op.kind.name != "select" or op.states("axis") or op.states("start"):
        return None
    index = op.attr("index")
    rows = index if isinstance(index, tuple) and index[:1] != ("slice",) else (index,)
    if "..." in rows:
        at = rows.index("...")
        missing = count - sum(row is not None and row != "..." for row in rows)
        rows = (*rows[:at], *[_WHOLE] * missing, *rows[at + 1 :])
    if any(row is not None and row != _WHOLE for row in rows):
        return None
    rows = (*rows, *[_WHOLE] * (count - sum(row is not None for row in rows)))
    return tuple(at for at, row in enumerate(rows) if row is None)


def without_views(tree: Tree, value: Value, positions: int) -> Value | None:
    """A table of positions and features, without the axes of one entry by which it lies beside what it turns.

    Args:
        tree: where it stands.
        value: the table, as it is read.
        positions: the axis, from the end, at which the positions have to stand.

    Returns:
        None where they stand elsewhere, or that is not known.
    """
    views: list[Op] = []
    while (op := tree.maker(value)) is not None and not value.index and (_is_view(op)) and op.reads:
        views.append(op)
        value = op.reads[0]
    count = rank(tree, value)
    if count != 2:
        return None
    places = [0, 1]  # where positions and features stand
    for view in reversed(views):
        added = _added(view, count)
        if added is None:
            return None
        count += len(added)
        free = [at for at in range(count) if at not in added]
        places = [free[place] for place in places]
    return value if places[0] - count == positions and places[1] - count == -1 else None


def _is_view(op: Op) -> bool:
    return op.kind in VIEWS or (op.kind.name == "select" and _has_new(op.attr("index")))


def _has_new(index: AttrValue) -> bool:
    return isinstance(index, tuple) and None in index and index[:1] != ("slice",)


class SpellOuter:
    """Spell the product of a column and a row, `a[:, None] * b[None, :]`, as the outer product that it is."""

    name = "spell_outer"

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing changed."""
        tree = Tree(graph)
        changed = False
        for op in list(tree.ops.values()):
            if op.kind.name != "mul" or len(op.reads) != 2 or op.body:
                continue
            sides = [_line(tree, value) for value in op.reads]
            column = next((value for value, place in (one for one in sides if one) if place == 0), None)
            row = next((value for value, place in (one for one in sides if one) if place == 1), None)
            if column is not None and row is not None:
                tree.put(replace(op, kind=_OUTER, reads=(column, row), attrs=()))
                changed = True
        return tree.rebuilt() if changed else graph


def _line(tree: Tree, value: Value) -> tuple[Value, int] | None:
    """What a column (0) or a row (1) is made of: a line of numbers, and along which of two axes it lies."""
    op = tree.maker(value)
    if op is None or value.index or not op.reads:
        return None
    inner = op.reads[0]
    if rank(tree, inner) != 1:
        return (value, 1) if rank(tree, value) == 1 else None
    added = _added(op, 1) if _is_view(op) else None
    if added is None or len(added) != 1:
        return (value, 1) if rank(tree, value) == 1 else None
    return inner, 1 - added[0]
