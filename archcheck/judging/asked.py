"""Whether an op is one that a claim speaks of: of its kind, and with the attributes that the claim gives it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from archcheck.align.agree import Agreement, attributes
from archcheck.align.edits import Edit, EditKind
from archcheck.ir.graph import Attr, Op
from archcheck.spec import Spec
from archcheck.spec.formula import Amount
from archcheck.spec.graph import lexicon
from archcheck.spec.model import What
from archcheck.spec.problems import Problems
from archcheck.spec.words import what_attrs


@dataclass
class Asked:
    """What `conv(kernel=5)` asks of an op, under the sizes that are known."""

    spec: Spec
    values: Mapping[str, Amount]
    _known: dict[What, tuple[Attr, ...]] = field(default_factory=dict)

    def attrs(self, what: What) -> tuple[Attr, ...]:
        """The attributes that a claim states of `what`: its own, and those of its term."""
        if what.kind is None or what.kind.name == "function":
            return ()
        if what not in self._known:
            problems = Problems(self.spec.file, self.spec.lines)
            self._known[what] = what_attrs(what, lexicon(self.spec, self.values), problems)
            problems.raise_any()
        return self._known[what]

    def differences(self, what: What, op: Op) -> tuple[Edit, ...]:
        """The attributes in which an op of the kind of `what` is another, or of which that is not known."""
        stated = self.attrs(what)
        if not stated or what.kind is None:
            return ()
        names = {f"attr:{attr.name}" for attr in stated}
        found: Iterator[Edit] = attributes(Op("", what.kind, (), stated), op)
        return tuple(edit for edit in found if edit.aspect in names)

    def agrees(self, what: What, op: Op) -> Agreement:
        """Whether an op, the kind of which `what` covers, has the attributes that are asked for."""
        kinds = {edit.kind for edit in self.differences(what, op)}
        if EditKind.CHANGED in kinds:
            return Agreement.DIFFER
        return Agreement.UNKNOWN if kinds else Agreement.AGREE

    def sorted(self, what: What, ops: Iterable[Op]) -> tuple[list[Op], list[Op], list[Op]]:
        """Ops of the kind of `what`: those that are meant, those that may be, those that are not."""
        sure: list[Op] = []
        open_: list[Op] = []
        other: list[Op] = []
        for op in ops:
            agreement = self.agrees(what, op)
            (sure if agreement is Agreement.AGREE else open_ if agreement is Agreement.UNKNOWN else other).append(op)
        return sure, open_, other

    def why_open(self, what: What, op: Op) -> str:
        """The first attribute that is not known."""
        edit = next(edit for edit in self.differences(what, op) if edit.kind is EditKind.UNKNOWN)
        reason = getattr(edit.found, "why", "") or getattr(edit.stated, "why", "") or "it cannot be compared"
        return f"{edit.aspect.partition(':')[2]} of {op.kind.name.replace('_', ' ')} is not known: {reason}"


__all__ = ["Asked"]
