"""Gated against plain feed-forward: whether one linear map multiplies another."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.ir.graph import Op
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import alike, consequences, where
from archcheck.rules.view import View, subject
from archcheck.rules.words import called

_PARTS = frozenset({"linear", "mul", "glu", "split", "select"})
_PLAIN = "linear(activation(linear(x)))"
_GATED = "linear(activation(linear(x)) * linear(x))"


class Gating:
    """Says where a feed-forward is gated in the code and plain in the paper, or the other way round.

    What it checks:
        Whether the hidden features of a feed-forward, or of an expert, are multiplied by a second linear map of the
        input (GLU, SwiGLU, GEGLU), fused into one map or not. Which activation the gate has is another rule's matter.

    Why it matters:
        A gated feed-forward has three weight matrices in place of two, so at the same width half as many parameters
        again, and reaches lower perplexity at equal size (shazeer2020): results of the two do not compare, and weights
        of the one do not load into the other.

    Example:
        The paper:  linear(silu(linear(x)) * linear(x))
        Departs:    linear(silu(linear(x)))
        Agrees:     g, h = split(linear(x)); linear(silu(g) * h)

    What it cannot see:
        A gate inside a fused kernel that the vocabulary does not know: UNDETERMINED until the kernel has an entry.

    Cites:
        dauphin2017; shazeer2020.
    """

    id = "gating"
    title = "a feed-forward is gated, or is not"
    examples = (
        Example(
            "%x = input\n%g = linear %x\n%u = linear %x\n%s = silu %g\n%h = mul %s, %u\nlinear %h",
            "%x = input\n%g = linear %x\n%s = silu %g\n%u = linear %x\n%h = mul %u, %s\nlinear %h bias=False",
            holds=True,
        ),
        Example(
            "%x = input\n%g = linear %x\n%u = linear %x\n%s = silu %g\n%h = mul %s, %u\nlinear %h",
            "%x = input\n%g = linear %x\n%s = silu %g\nlinear %s",
            holds=False,
            message="the feed-forward is not gated",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for all feed-forwards that gained a gate, one for those that lost it."""
        heads = [edit for edit in edits if edit.kind is EditKind.CHANGED and edit.aspect == "attr:gated"]
        told: set[int] = set()
        for group in alike(heads, lambda edit: (subject(edit).kind.name, edit.found)):
            own = list(group)
            holders = {op.path for edit in group for op in _ops(edit)}
            parts = [edit for edit in edits if id(edit) not in told and _is_part(case.view, edit, holders)]
            told.update(id(edit) for edit in parts)
            own += parts
            follow = [edit for edit in consequences(case, own, edits) if id(edit) not in told]
            told.update(id(edit) for edit in follow)
            yield finding(self.id, case, [*own, *follow], _told(case, group))
        for gate in _open_gates(case.view, [edit for edit in edits if id(edit) not in told]):
            follow = [edit for edit in consequences(case, gate, edits) if id(edit) not in told]
            told.update(id(edit) for edit in (*gate, *follow))
            yield finding(self.id, case, [*gate, *follow], _words("feed-forward", gate[0].actual is not None))


def _ops(edit: Edit) -> Iterator[Op]:
    for one, other in ((edit.expected, edit.actual), *edit.also):
        yield from (op for op in (one, other) if op is not None)


def _is_part(view: View, edit: Edit, holders: set[str]) -> bool:
    """Whether an edit is of the second map, or of the product, of one of the feed-forwards."""
    if edit.kind not in (EditKind.MISSING, EditKind.EXTRA) or subject(edit).kind.name not in _PARTS:
        return False
    index = view.actual if edit.actual is not None else view.expected
    inside = index.inside(subject(edit))
    return inside is not None and inside.path in holders


def _told(case: Case, group: list[Edit]) -> Told:
    name = called(subject(group[0]))
    places = where(case, group) if len(group) > 1 or group[0].also else ""
    return _words(name, group[0].found is True, places)


def _open_gates(view: View, edits: list[Edit]) -> Iterator[list[Edit]]:
    """Product and map of a gate, where the claim is about the inside of a feed-forward and no op holds them."""
    for product in edits:
        if product.kind not in (EditKind.MISSING, EditKind.EXTRA) or subject(product).kind.name != "mul":
            continue
        index = view.actual if product.actual is not None else view.expected
        if index.inside(subject(product)) is not None:
            continue
        factors = [index.giver(value) for value in subject(product).reads]
        maps = [
            edit
            for edit in edits
            if edit.kind is product.kind
            and subject(edit).kind.name == "linear"
            and any(factor is not None and factor.path == subject(edit).path for factor in factors)
        ]
        if len(maps) == 1 and any(factor is not None and factor.kind.family == "activation" for factor in factors):
            yield [product, *maps]


def _words(name: str, gated: bool, places: str = "") -> Told:
    forms = {True: f"gated: {_GATED}", False: f"plain: {_PLAIN}"}
    return Told(
        f"the {name} is {'gated' if gated else 'not gated'}{places}",
        f"The {name} is {forms[not gated]}.",
        f"The {name} is {forms[gated]}.",
        "take out the second linear map and the product" if gated else "multiply by a second linear map of the input",
        f"a {'gated' if gated else 'plain'} {name}",
    )
