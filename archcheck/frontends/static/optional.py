"""Optional arguments that a call of the target is given, so that the layers that were built are used.

An argument whose default is None, such as the encoder's output in a decoder layer, is given a tensor where that lets
the run reach its end, leaves less unread, or uses layers that are otherwise built and not used.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from archcheck.frontends.static.entry import Call, Run
from archcheck.frontends.static.values import Class, Function, Instance, Layer

STOPPED = "reading it raised"  # how the reason begins for which a call is not read to its end
MOST = 12  # optional arguments that are tried
MOST_TOGETHER = 4  # that are only good together
Once = Callable[[Call], Run]
Lack = tuple[int, int, int, int, int]


def complete(once: Once, call: Call, first: Run) -> tuple[Call, Run]:
    """The call with the optional arguments that it needs, and its run.

    Args:
        once: makes a run.
        call: the call without them.
        first: its run, in which a call without any tensor may have been offered one.
    """
    plain = replace(call, offer=False) if first.offered else call
    known = {call.given | {first.offered} if first.offered else call.given: first}

    def ask(call: Call) -> Run:  # several ways of searching ask for the same
        if call.given not in known:
            known[call.given] = once(call)
        return known[call.given]

    if not first.offered:
        return _search(ask, plain, first)
    offered = (replace(plain, given=call.given | {first.offered}), first)
    if not first.error:
        offered = _search(ask, *offered)
        if _is_whole(offered[1]):
            return offered
    other = _search(ask, plain, ask(plain))  # another argument may be what the call is about
    return other if lack(other[1]) < lack(offered[1]) else offered


def _search(once: Once, call: Call, first: Run) -> tuple[Call, Run]:
    best = first
    names = [name for name in _ordered(first) if name not in call.arguments and name not in call.given][:MOST]
    while names and not _is_whole(best):
        wanted = [name for name in best.machine.wanted if name in names]
        given, again = _next(once, call, wanted, best)
        if lack(again) >= lack(best) and wanted:
            given, again = _all_wanted(once, call, names, best)
        if lack(again) >= lack(best):
            others = [name for name in names if name not in wanted]
            if not best.error and not _helps(once, call, others, best):
                break
            given, again = _next(once, call, others, best, first=not best.error)
        if lack(again) >= lack(best):
            break
        best, call = again, replace(call, given=call.given | given)
        names = [name for name in names if name not in given]
    return call, best


def _all_wanted(once: Once, call: Call, names: list[str], before: Run) -> tuple[frozenset[str], Run]:
    """Arguments that are wanted one after the other, until more is read than before: a rotation takes angles, then
    positions, and only with both is it whole."""
    given: frozenset[str] = frozenset()
    again = before
    while wanted := [name for name in again.machine.wanted if name in names and name not in given]:
        given |= {wanted[0]}
        again = once(replace(call, given=call.given | given))
        if lack(again) < lack(before):
            break
    return given, again


def _until_it_ends(once: Once, call: Call, names: list[str], before: Run) -> tuple[frozenset[str], Run]:
    """Arguments that are wanted, one by one, as long as the run gets further with them: images come with their sizes,
    and with the places that they take among the words."""
    given: frozenset[str] = frozenset()
    again = before
    while again.error and len(given) < MOST_TOGETHER:
        wanted = [name for name in again.machine.wanted if name in names and name not in call.given | given]
        further = again
        for name in wanted:
            one = once(replace(call, given=call.given | given | {name}))
            if lack(one) < lack(further):
                chosen, further = name, one
            if not one.error:
                break
        if further is again:
            break
        given, again = given | {chosen}, further
    return given, again


def lack(one: Run) -> Lack:
    """How far a run is from a whole reading: failed, layers built and not used, calls that stopped, ops not read; then
    how far it got. The layers of a call that stopped are not used either.

    Where a run fails for want of several arguments, the one with which it gets further is the right one to add.
    """
    if one.error:
        return (1, 0, 0, 0, -one.machine.steps)
    return (0, len(one.idle), _stopped(one), sum(op.kind.name == "opaque" for op in one.graph.ops), 0)


def _stopped(one: Run) -> int:
    """How many calls were not read to their end: it may have been for want of an argument."""
    return sum(op.kind.name == "opaque" and str(op.attr("why")).startswith(STOPPED) for op in one.graph.ops)


def _uses_all(one: Run) -> bool:
    return not one.error and not any(map(_Code(one).could_use, one.idle))


def _is_whole(one: Run) -> bool:
    return _uses_all(one) and not _stopped(one)


def _helps(once: Once, call: Call, names: list[str], before: Run) -> bool:
    """Whether more is read where all of these arguments are given: one run instead of one for each."""
    if not names or _is_whole(before):
        return False
    if len(names) == 1:
        return True
    again = once(replace(call, given=call.given | set(names)))
    if again.error or _stopped(again):
        return True  # some of them exclude each other: what each would do is not known
    return len(again.idle) < len(before.idle)


def _next(once: Once, call: Call, names: list[str], before: Run, *, first: bool = False) -> tuple[frozenset[str], Run]:
    """The argument to give next, with those that it takes to be read, and the run with it; none where none helps.

    It is that with which most layers are used: one that is handed in ready (an encoder's output) would keep the layers
    that compute it from being read. With `first`, it is the first that helps.
    """
    chosen: frozenset[str] = frozenset()
    found = before
    for name in names:
        given, again = frozenset({name}), once(replace(call, given=call.given | {name}))
        if again.error and not before.error:  # it may be wanted together with others
            more, again = _until_it_ends(once, replace(call, given=call.given | given), names, again)
            given |= more
        if lack(again) < lack(found):
            chosen, found = given, again
        if _is_whole(again) or (first and lack(again) < lack(before)):
            break
    return chosen, found


def _ordered(first: Run) -> list[str]:
    """Optional arguments, those first whose absence the code tests."""
    tested = [name for name in first.machine.notes.tested_for_none if name in first.optional]
    return tested + sorted(first.optional - set(tested))


class _Code:
    """What the functions that a run came through mention: a layer of another name is used by none of their branches."""

    def __init__(self, one: Run) -> None:
        self.ran = one.machine.ran
        self.known: dict[Class, frozenset[str]] = {}

    def could_use(self, idle: Instance | Layer) -> bool:
        """Whether code that ran, or that it may call, mentions the attribute that holds a layer which was not used."""
        if idle.owner is None:
            return True
        owner, name = idle.owner
        attribute = name.partition(".")[0]
        if attribute not in owner.attributes:
            return True
        if name == attribute and owner.attributes[name] is not idle:
            return False  # another took its place
        if not owner.used and owner.items is None:
            return False  # what decides is whether its owner is used
        return attribute in self.mentioned(owner.cls)

    def mentioned(self, cls: Class) -> frozenset[str]:
        """Attributes that code of this class mentions: that which ran, and the methods which it mentions."""
        found = self.known.get(cls)
        if found is None:
            names: set[str] = set()
            waiting = list(self.ran)
            while waiting:
                new = mentions(waiting.pop()) - names
                names |= new
                methods = (cls.lookup(name) for name in new)
                waiting += [one[1].node for one in methods if one is not None and isinstance(one[1], Function)]
            found = self.known[cls] = frozenset(names)
        return found


def mentions(node: ast.AST) -> frozenset[str]:
    """Attributes that a function mentions; kept with the tree."""
    known: frozenset[str] | None = getattr(node, "mentions", None)
    if known is None:
        known = frozenset(inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute))
        node.mentions = known  # type: ignore[attr-defined]
    return known
