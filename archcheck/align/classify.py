"""From a finished match to edits: every op without a counterpart, every aspect that differs, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from archcheck.align.agree import attributes, compatible
from archcheck.align.anchors import Matcher
from archcheck.align.edits import Edit, EditKind
from archcheck.align.flat import TOP, Side
from archcheck.align.fold import Placed
from archcheck.align.mending import settle
from archcheck.align.places import Key, Neighbours
from archcheck.align.wiring import Mismatch, Read, Wiring
from archcheck.ir.equivalences import AS_A_SUM, unstated
from archcheck.ir.graph import Op, Unknown
from archcheck.ir.ops import Tier

_TRIED = 8  # candidates for a move whose attributes are looked at


class Classifier:
    """Turns a match and its wiring into edits, with the places where they stand."""

    def __init__(self, match: Matcher, wiring: Wiring) -> None:
        self.match = match
        self.wiring = wiring
        self.near = Neighbours(match, wiring)
        self.expected: Side = match.expected
        self.actual: Side = match.actual
        self.moved: list[tuple[int, int]] = []
        self.placed: list[Placed] = []
        self._shut = self._blind_ops()
        self._gone: set[int] = set()  # moved ops of the claim ...
        self._taken: set[int] = set()  # ... and their places in the code
        self._explained: set[int] = set()  # opaque ops that stand for a missing one

    def run(self) -> list[Placed]:
        """All edits. Ops that stand in one place and differ in kind are matched on the way."""
        missing = list(self._open_expected())
        spare = list(self._open_actual())
        # what stands in one place, from the surest to the weakest
        at_first = len(missing)
        for key in (self.near.place, self.near.behind, self.near.before):
            missing, spare = self._replace(missing, spare, key, family=True)
        if len(missing) < at_first and settle(self.wiring):
            self.near.forget()
            missing, spare = list(self._open_expected()), list(self._open_actual())
        missing = self._hidden(missing, spare)
        missing, spare = self._move(missing, spare)
        missing, spare = self._replace(missing, spare, self.near.place, family=False)
        self.wiring.forget()
        mismatches = self.wiring.compare()
        spoken = self._spoken() if spare or self._has_free() else set()
        for node in missing:
            self._missing(node, EditKind.MISSING)
        for node in spare:
            if node in spoken:
                self._extra(node)
        for node, twin in self.moved:
            before, after = self.near.where(node)
            op, other = self.expected.ops[node], self.actual.ops[twin]
            self._add(node, twin, Edit(EditKind.MOVED, op, other, before=before, after=after))
            self._pair(node, twin)
        for node, twin in enumerate(self.match.to):
            if twin >= 0:
                self._pair(node, twin)
        for mismatch in mismatches:
            self._mismatch(mismatch)
        return self.placed

    def _context(self, node: int, twin: int) -> int:
        """What an edit stands in or behind, as a number that is the same in every layer."""
        side, at = (self.expected, node) if node >= 0 else (self.actual, twin)
        anchor = self.near.anchors(at, side is self.actual)[0]
        if anchor != TOP:
            return self.actual.token[anchor]
        return side.token[side.operands[at][0]] if at >= 0 and side.operands[at] else TOP

    # ---- what has no counterpart

    def _open_expected(self) -> Iterator[int]:
        side, to = self.expected, self.match.to
        for node, twin in enumerate(to):
            if twin < 0 and not side.source[node] and self._in_question(side, node, to):
                yield node

    def _open_actual(self) -> Iterator[int]:
        side, back = self.actual, self.match.back
        for node, twin in enumerate(back):
            if twin >= 0 or side.source[node] or side.classes[node] in self.match.free:
                continue
            if self._in_question(side, node, back):
                yield node

    def _in_question(self, side: Side, node: int, counterpart: list[int]) -> bool:
        """Whether `node` stands in a scope that was compared: not in one that is itself missing or left open."""
        home = side.home(node)
        if home == TOP:
            return True
        twin = counterpart[home]
        if twin < 0:
            return False
        pair = (home, twin) if side is self.expected else (twin, home)
        return self.match.looks_inside(*pair)

    def _has_free(self) -> bool:
        return any(number in self.match.free for number in self.actual.classes)

    def _blind_ops(self) -> set[int]:
        """Ops of the code that are opaque or hold an opaque one."""
        shut: set[int] = set()
        for node, op in enumerate(self.actual.ops):
            if op.kind.name == "opaque":
                while node != TOP and node not in shut:
                    shut.add(node)
                    node = self.actual.scope[node]  # noqa: PLW2901
        return shut

    # ---- replaced, hidden, moved

    def _replace(
        self, missing: list[int], spare: list[int], key: Callable[[int, bool], Key | None], *, family: bool
    ) -> tuple[list[int], list[int]]:
        """Match what stands in one place; with `family`, only kinds of one family."""
        if not missing or not spare:
            return missing, spare
        places: dict[Key, list[int]] = {}
        for node in spare:
            place = key(node, True)
            if place is not None and self.actual.ops[node].kind.name != "opaque":
                places.setdefault(place, []).append(node)
        left: list[int] = []
        for node in missing:
            place = key(node, False)
            there = places.get(place) if place is not None else None
            twin = next((other for other in there if self._like(node, other, family)), None) if there else None
            if twin is None or there is None:
                left.append(node)
            else:
                there.remove(twin)
                self.match.join(node, twin)
        self.wiring.forget()
        return left, [node for node in spare if self.match.back[node] < 0]

    def _like(self, node: int, other: int, family: bool) -> bool:
        kind, other_kind = self.expected.ops[node].kind, self.actual.ops[other].kind
        if not family:
            return (node in self.expected.inside) == (other in self.actual.inside)
        return kind is other_kind or (kind.family != "" and kind.family == other_kind.family)

    def _hidden(self, missing: list[int], spare: list[int]) -> list[int]:
        """Report as UNKNOWN what may stand in an opaque op at its place, or in a body that was not understood."""
        opaque = [node for node in spare if node in self._shut]
        by_place: dict[Key, int] = {}
        for node in opaque:
            for key in (self.near.behind(node, True), self.near.before(node, True)):
                if key is not None:
                    by_place.setdefault(key, node)
        blind = {node for node in self._shut if self._unclear(node)}
        left: list[int] = []
        for node in missing:
            keys = (self.near.behind(node, False), self.near.before(node, False))
            found = next((by_place[key] for key in keys if key is not None and key in by_place), None)
            if found is None and blind:
                near = {at for key in keys if key is not None for at in _flat(key[1:])}
                found = next((at for at in sorted(blind) if at in near), None)
            if found is None:
                left.append(node)
            else:
                self._missing(node, EditKind.UNKNOWN, found)
        return left

    def _unclear(self, node: int) -> bool:
        """Whether `node` holds an opaque op and was matched with an op that it may or may not be."""
        twin = self.match.back[node]
        if twin < 0 or node not in self.actual.inside:
            return False
        return not self.expected.ops[twin].kind.covers(self.actual.ops[node].kind)

    def _move(self, missing: list[int], spare: list[int]) -> tuple[list[int], list[int]]:
        """Pair ops of one kind that stand in different places: first those around the same sublayer."""
        if not missing or not spare:
            return missing, spare
        missing_anchors = {node: self.near.anchors(node, False) for node in missing}
        spare_anchors = {node: self.near.anchors(node, True) for node in spare}
        around = ((0, 0), (0, 1), (1, 0), (1, 1))
        for strict, ways in (*((True, ways) for ways in around), (True, None), *((False, ways) for ways in around)):
            buckets: dict[tuple[object, int], list[int]] = {}
            for node in spare:
                if node not in self._taken:
                    anchor = spare_anchors[node][ways[1]] if ways else 0
                    if ways is None or anchor != TOP:
                        buckets.setdefault((self._sort(self.actual, node, strict), anchor), []).append(node)
            for node in missing:
                if node in self._gone:
                    continue
                anchor = missing_anchors[node][ways[0]] if ways else 0
                bucket = buckets.get((self._sort(self.expected, node, strict), anchor), [])
                for twin in bucket[:_TRIED]:
                    if not strict or self._can_move(node, twin):
                        bucket.remove(twin)
                        self._gone.add(node)
                        self._taken.add(twin)
                        self.moved.append((node, twin))
                        break
        return [node for node in missing if node not in self._gone], [node for node in spare if node not in self._taken]

    def _sort(self, side: Side, node: int, strict: bool) -> object:
        """What must be the same for a move; a norm may be moved and replaced by another norm, which is two edits."""
        kind = side.ops[node].kind
        return side.classes[node] if strict or kind.family != "norm" else kind.family

    def _can_move(self, node: int, twin: int) -> bool:
        op, other = self.expected.ops[node], self.actual.ops[twin]
        return op.kind.covers(other.kind) and compatible(op, other)

    # ---- edits

    def _add(self, node: int, twin: int, edit: Edit) -> None:
        self.placed.append(Placed(node, twin, edit, self._context(node, twin)))

    def _missing(self, node: int, kind: EditKind, hidden: int | None = None) -> None:
        before, after = self.near.where(node)
        op = self.expected.ops[node]
        if hidden is None:
            self._add(node, -1, Edit(kind, op, before=before, after=after))
            return
        self._explained.add(hidden)
        why = self._why(hidden)
        other = self.actual.ops[hidden]
        self._add(node, hidden, Edit(kind, op, other, "kind", op.kind.name, why, before=before, after=after))

    def _extra(self, node: int) -> None:
        if node in self._explained:
            return
        before, after = self.near.around(node)
        op = self.actual.ops[node]
        if op.kind.family == "dropout" and op.attr("p") == 0 and not isinstance(op.attr("p"), bool):
            self.wiring.equivalences.add(unstated(op.kind.name))  # it drops nothing
            return
        if node in self._shut:
            edit = Edit(EditKind.UNKNOWN, None, op, "kind", None, self._why(node), before=before, after=after)
        else:
            edit = Edit(EditKind.EXTRA, None, op, before=before, after=after)
        self._add(-1, node, edit)

    def _why(self, node: int) -> Unknown:
        """Why nothing can be said of an opaque op, or of one that holds one."""
        side = self.actual
        while side.ops[node].kind.name != "opaque":
            node = next(inner for inner in side.inside[node] if inner in self._shut)
        op = side.ops[node]
        name, why = op.attr("name"), op.attr("why")
        said = "cannot be told apart from other operations" if why is None else str(getattr(why, "why", why))
        return Unknown(f"{name or 'an operation'}: {said}", op.span)

    def _pair(self, node: int, twin: int) -> None:
        """Kinds, attributes and bodies of two ops that were matched."""
        op, other = self.expected.ops[node], self.actual.ops[twin]
        if self.expected.source[node] and op.kind is not other.kind:
            return  # a value that the code makes for itself
        if op.kind is not other.kind and not op.kind.covers(other.kind):
            self._kinds(node, twin, op, other)
            return
        if other.kind.name == "opaque":
            self._add(node, twin, self._at(Edit(EditKind.UNKNOWN, op, other, "kind", None, self._why(twin)), twin))
            return
        if op.attrs or other.attrs:
            for edit in attributes(op, other):
                self._add(node, twin, self._at(edit, twin))
        if node in self.expected.inside and twin not in self.actual.inside:
            why = Unknown(f"the code does not show what is inside {other.kind.name}", other.span)
            self._add(node, twin, self._at(Edit(EditKind.UNKNOWN, op, other, "body", None, why), twin))

    def _kinds(self, node: int, twin: int, op: Op, other: Op) -> None:
        """Report a kind that differs; what other attributes it has says nothing more."""
        if {op.kind.name, other.kind.name} == {"residual", "add"}:
            self.wiring.equivalences.add(AS_A_SUM)
            return
        if twin in self._shut and op.kind.tier is Tier.STRUCTURE:
            edit = Edit(EditKind.UNKNOWN, op, other, "kind", op.kind.name, self._why(twin))
        else:
            edit = Edit(EditKind.CHANGED, op, other, "kind", op.kind.name, other.kind.name)
        self._add(node, twin, self._at(edit, twin))

    def _at(self, edit: Edit, twin: int) -> Edit:
        before, after = self.near.around(twin)
        return Edit(
            edit.kind, edit.expected, edit.actual, edit.aspect, edit.stated, edit.found, before=before, after=after
        )

    def _mismatch(self, mismatch: Mismatch) -> None:
        stated = self._words(self.expected, mismatch.stated)
        unread = self._unread_source(mismatch.found)
        found = self._words(self.actual, mismatch.found) if unread is None else self._why(unread)
        if not mismatch.output:
            op, other = self.expected.ops[mismatch.one], self.actual.ops[mismatch.other]
            if found is None and op.kind is not other.kind and not op.kind.covers(other.kind):
                return  # another kind reads less: that is said once
            open_ = self._are_constants_that_may_be_one(mismatch)
            kind = EditKind.UNKNOWN if open_ or unread is not None else EditKind.CHANGED
            edit = Edit(kind, op, other, f"reads:{mismatch.place}", stated, found)
            self._add(mismatch.one, mismatch.other, self._at(edit, mismatch.other))
            return
        giver = self.expected.ops[mismatch.stated[0]] if mismatch.stated else None
        given = self.actual.ops[mismatch.found[0]] if mismatch.found else None
        node = mismatch.stated[0] if mismatch.stated else mismatch.one
        twin = mismatch.found[0] if mismatch.found else mismatch.other
        holder = self.actual.ops[mismatch.other] if mismatch.other != TOP else None
        kind = EditKind.CHANGED if unread is None else EditKind.UNKNOWN
        edit = Edit(kind, giver, given, f"gives:{mismatch.place}", stated, found, before=given, after=holder)
        self._add(node, twin, edit)

    def _unread_source(self, found: Read | None) -> int | None:
        """An opaque op that reads nothing and of which a value may be computed: it may be any tensor."""
        side, back = self.actual, self.match.back
        stack, met = [found[0]] if found is not None else [], set[int]()
        while stack:
            node = stack.pop()
            if back[node] >= 0 or node in met:
                continue
            if side.ops[node].kind.name == "opaque" and not side.operands[node]:
                return node
            met.add(node)
            stack.extend(side.operands[node])
            if node in side.dissolved:
                stack.extend(side.results[node])
        return None

    def _are_constants_that_may_be_one(self, mismatch: Mismatch) -> bool:
        """Whether two constants are read that differ in nothing that is known of them."""
        if mismatch.stated is None or mismatch.found is None:
            return False
        one, other = self.expected.ops[mismatch.stated[0]], self.actual.ops[mismatch.found[0]]
        return one.kind is other.kind and one.kind.name == "constant" and compatible(one, other)

    @staticmethod
    def _words(side: Side, read: Read | None) -> str | None:
        """A value as a reader would call it."""
        if read is None:
            return None
        op = side.ops[read[0]]
        name = op.attr("name")
        if op.kind.name in ("input", "parameter") and isinstance(name, str):
            return f"the {op.kind.name} {name}"
        if side.source[read[0]]:
            return f"the {op.kind.name}"
        return f"output {read[1]} of {op.kind.name}" if read[1] else f"the output of {op.kind.name}"

    # ---- what the claim speaks of

    def _spoken(self) -> set[int]:
        """Ops of the code on a data path that the claim states; free ones among them are named as equivalences."""
        side, back = self.actual, self.match.back
        stack = list(side.results[TOP])
        stack.extend(twin for twin in self.match.to if twin >= 0)
        spoken: set[int] = set()
        while stack:
            node = stack.pop()
            if node in spoken:
                continue
            spoken.add(node)
            twin = back[node]
            if twin < 0:
                stack.extend(side.operands[node])
                if node in side.dissolved:
                    stack.extend(side.results[node])
                if side.classes[node] in self.match.free and not side.source[node]:
                    self.wiring.equivalences.add(unstated(side.ops[node].kind.name))
                continue
            if self.match.looks_inside(twin, node):
                stack.extend(side.results[node])
                if side.ops[node].kind.name == "residual":
                    stack.extend(side.operands[node][:1])
                continue
            if node in side.dissolved:
                stack.extend(side.results[node])
            stack.extend(self._stated_operands(twin, node))
        return spoken

    def _stated_operands(self, node: int, twin: int) -> Iterable[int]:
        found = self.actual.operands[twin]
        if len(self.expected.operands[node]) == len(found):
            return found
        stated, read, _ = self.wiring.wires(node, twin)
        return (other[0] for other in read if any(self.wiring.same(one, other) for one in stated))


def _flat(key: Key) -> Iterator[object]:
    for part in key:
        if isinstance(part, tuple):
            yield from part
        else:
            yield part
