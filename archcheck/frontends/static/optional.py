"""Optional arguments that a call of the target is given, so that the layers that were built are used.

An argument whose default is None, such as the encoder's output in a decoder layer, is given a tensor where that lets
the run reach its end, leaves less unread, or uses layers that are otherwise built and not used.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace

from archcheck.frontends.static.entry import Call, Run
from archcheck.frontends.static.machine import place_of
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

    if first.exhausted:
        return call, first
    if not first.offered:
        return _search(ask, plain, first)
    offered = (replace(plain, given=call.given | {first.offered}), first)
    if not first.error:
        offered = _search(ask, *offered)
        if _is_whole(offered[1]):
            return offered
    bare = ask(plain)
    if not first.error and first.offered in bare.machine.wanted:  # it does not go without, or without one like it
        instead = [name for name in bare.machine.wanted if name in bare.optional and name != first.offered]
        if all(lack(ask(replace(plain, given=call.given | {name}))) >= lack(first) for name in instead):
            return offered
    other = _search(ask, plain, bare)  # another argument may be what the call is about
    return other if lack(other[1]) < lack(offered[1]) else offered


def _search(once: Once, call: Call, first: Run) -> tuple[Call, Run]:
    best = first
    idle: set[str] = set()  # arguments that changed nothing
    names = [name for name in _ordered(first) if name not in call.arguments and name not in call.given][:MOST]
    while names and not _is_whole(best):
        wanted = [name for name in best.machine.wanted if name in names]
        given, again = _next(once, call, wanted, names, best, idle)
        if lack(again) >= lack(best) and wanted:
            given, again = _all_wanted(once, call, names, best)
        if lack(again) >= lack(best):
            others = [name for name in names if name not in wanted and name not in idle]
            if not best.error:
                others = _helping(once, call, others, best)
            given, again = _next(once, call, others, names, best, idle, first=not best.error)
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
    """Whether no argument could let more be read."""
    return _uses_all(one) and not (_stopped(one) and one.machine.wanted)


def _helping(once: Once, call: Call, names: list[str], before: Run) -> list[str]:
    """Those of these arguments with which more may be read: given all at once, but for those that exclude others."""
    together, apart = list(names), set[str]()
    unused = _places(before)
    while len(together) > 1:
        again = once(replace(call, given=call.given | set(together)))
        if not again.error and _stopped(again) <= _stopped(before):
            if unused <= _places(again):
                together = []
            break
        new = [name for name in again.machine.wanted if name in together]
        if not new:
            break  # what each would do is not known
        apart.update(new)
        together = [name for name in together if name not in apart]
    return [name for name in names if name in apart or name in together]


def _places(one: Run) -> set[str]:
    return {place_of(idle) for idle in one.idle}


def _next(
    once: Once, call: Call, tried: list[str], names: list[str], before: Run, idle: set[str], *, first: bool = False
) -> tuple[frozenset[str], Run]:
    """The argument to give next, with those that it takes to be read, and the run with it; none where none helps.

    It is that with which most layers are used: one that is handed in ready (an encoder's output) would keep the layers
    that compute it from being read. With `first`, it is the first that helps. `idle` learns those that change nothing.
    """
    chosen: frozenset[str] = frozenset()
    found = before
    for name in tried:
        given, again = frozenset({name}), once(replace(call, given=call.given | {name}))
        if again.error and not before.error:  # it may be wanted together with others
            more, again = _until_it_ends(once, replace(call, given=call.given | given), names, again)
            given |= more
        if lack(again) == lack(before):
            idle.add(name)
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
            for node, whose in self.ran.items():
                used = may_use(node)
                names |= used.others if whose is not None and whose not in cls.mro else used.own | used.others
            methods = (cls.lookup(name) for name in names)
            waiting = [one[1].node for one in methods if one is not None and isinstance(one[1], Function)]
            while waiting:
                new = mentions(waiting.pop()) - names
                names |= new
                methods = (cls.lookup(name) for name in new)
                waiting += [one[1].node for one in methods if one is not None and isinstance(one[1], Function)]
            found = self.known[cls] = frozenset(names)
        return found


@dataclass(frozen=True)
class Used:
    """Attributes that a function mentions: of the object that it is a method of, and of others."""

    own: frozenset[str]
    others: frozenset[str]


def may_use(node: ast.AST) -> Used:
    """Attributes that a function, which ran, would use with other arguments: not those that only its settings keep it
    from, as in `if self.has_dropout: x = self.dropout(x)`; kept with the tree."""
    known: Used | None = getattr(node, "may_use", None)
    if known is None:
        parameters = [one.arg for one in ast.walk(node) if isinstance(one, ast.arg)]
        myself = parameters[0] if parameters[:1] == ["self"] else ""
        decide = {*parameters} - {"self"}
        decide |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        own: set[str] = set()
        others: set[str] = set()
        waiting: list[tuple[ast.AST, bool | None]] = [(node, None)]  # with whether all conditions around are settings
        while waiting:
            at, settled = waiting.pop()
            if isinstance(at, ast.Attribute) and not settled:
                root = _root(at)
                if isinstance(at.value, ast.Name) and at.value.id == myself:
                    own.add(at.attr)
                elif not isinstance(root, ast.Name) or root.id == "self" or root.id in decide:
                    others.add(at.attr)  # not of a module: `nn.functional.dropout`
            if isinstance(at, (ast.If, ast.IfExp)):
                names = {one.id for one in ast.walk(at.test) if isinstance(one, ast.Name)}
                inside = settled is not False and not names & decide
                sides = [*_listed(at.body), *_listed(at.orelse)]
                waiting += [(at.test, settled), *((side, inside) for side in sides)]
            else:
                waiting += [(inner, settled) for inner in ast.iter_child_nodes(at)]
        known = node.may_use = Used(frozenset(own), frozenset(others))  # type: ignore[attr-defined]
    return known


def _root(node: ast.expr) -> ast.expr:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node


def _listed(side: ast.expr | list[ast.stmt]) -> list[ast.expr] | list[ast.stmt]:
    return side if isinstance(side, list) else [side]


def mentions(node: ast.AST) -> frozenset[str]:
    """Attributes that a function mentions; kept with the tree."""
    known: frozenset[str] | None = getattr(node, "mentions", None)
    if known is None:
        known = frozenset(inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute))
        node.mentions = known  # type: ignore[attr-defined]
    return known
