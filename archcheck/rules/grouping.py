"""Edits that say the same of several places, put together so that one finding tells them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from itertools import chain

from archcheck.align.edits import Edit
from archcheck.ir.graph import Op
from archcheck.rules.case import Case
from archcheck.rules.outline import homes
from archcheck.rules.view import sides
from archcheck.rules.words import in_sublayers


def alike(edits: Iterable[Edit], key: Callable[[Edit], Hashable]) -> list[list[Edit]]:
    """`edits` in groups of equal `key`, in the order of the first of each."""
    groups: dict[Hashable, list[Edit]] = {}
    for edit in edits:
        groups.setdefault(key(edit), []).append(edit)
    return list(groups.values())


def where(case: Case, edits: Iterable[Edit]) -> str:
    """ ", in self-attention and feed-forward": the sublayers in or around which edits stand."""
    return in_sublayers(list(dict(chain.from_iterable(homes(case.view, edit) for edit in edits)).values()))


def consequences(case: Case, own: Iterable[Edit], edits: Iterable[Edit], *, whole: bool = False) -> list[Edit]:
    """Those of `edits` that only say what follows from `own`: what stands behind reads what stands before.

    Args:
        whole: the ops of `own` come or go with all that they hold.
    """
    own = list(own)
    expected, actual = (_paths(ops, whole) for ops in sides(own))
    mine = {id(edit) for edit in own}
    return [edit for edit in edits if id(edit) not in mine and case.view.follows(edit, expected, actual)]


def _paths(ops: Iterable[Op], whole: bool) -> set[str]:
    return {inner.path for op in ops for inner in (op.walk() if whole else (op,))}
