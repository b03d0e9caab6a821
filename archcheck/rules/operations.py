"""Operations that are missing, added, moved or others, of whatever kind."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import alike, consequences, where
from archcheck.rules.outline import homes
from archcheck.rules.view import subject
from archcheck.rules.words import a, called, listed, sentence

_MANY = 3  # ways to differ in one place from which on one finding tells them all
_OWN = (EditKind.MISSING, EditKind.EXTRA, EditKind.MOVED)


class Operations:
    """Says which operation the code lacks, has besides, has in another place, or has another one for.

    What it checks:
        Every operation that the claim states and that no rule of its own speaks of: linear maps, convolutions,
        products, sums, concatenations, poolings, a paper's own word. An operation that the claim does not state counts
        as added where it stands on a path that the claim does state; a cast, a reshape or an unstated dropout does not.

    Why it matters:
        An operation that is missing, added or exchanged runs without an error wherever shapes agree, and what is
        trained and measured is then another network than the one described.

    Example:
        The paper:  y = concat(a, b); linear(y)
        Departs:    y = a + b; linear(y)
        Agrees:     linear(concat(a, b))

    What it cannot see:
        Operations inside code that could not be read: UNDETERMINED until it is read.

    Cites:
        humbatova2020 (a taxonomy of real faults in deep learning systems).
    """

    id = "operations"
    title = "an operation is missing, added, moved, or another one"
    examples = (
        Example(
            "%x = input\n%h = linear %x\nsoftmax %h",
            "%x = input\n%h = linear %x\n%r = reshape %h shape=(2, 3,)\nsoftmax %r",
            holds=True,
        ),
        Example(
            "%x = input\n%h = linear %x\nsoftmax %h",
            "%x = input\n%h = linear %x\n%g = linear %h\nsoftmax %g",
            holds=False,
            message="linear is added",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each kind and way to differ in a place; one for all where they are many."""
        own = [edit for edit in edits if edit.kind in _OWN or (edit.kind is EditKind.CHANGED and edit.aspect == "kind")]
        mine = {id(edit) for edit in own}
        told: set[int] = set()
        for home in alike(own, lambda edit: tuple(dict(homes(case.view, edit)))):
            kinds = alike(home, _key)
            for group in [home] if len(kinds) >= _MANY else kinds:
                words = _summed(case, kinds) if group is home and len(kinds) >= _MANY else _told(case, group)
                follow = [e for e in consequences(case, group, edits) if id(e) not in told and id(e) not in mine]
                told.update(id(edit) for edit in follow)
                yield finding(self.id, case, [*group, *follow], words, names=group[0].aspect == "kind")


def _summed(case: Case, kinds: list[list[Edit]]) -> Told:
    """What is to be said where hardly anything is as the paper has it: all of it at once."""
    said: dict[EditKind, list[str]] = {}
    for group in kinds:
        edit = group[0]
        name = called(subject(edit))
        if edit.kind is EditKind.CHANGED and edit.expected is not None:
            name = f"{name} for {called(edit.expected)}"
        said.setdefault(edit.kind, []).append(name)
    verbs = (
        (EditKind.MISSING, "{} missing"),
        (EditKind.EXTRA, "{} added"),
        (EditKind.MOVED, "{} moved"),
        (EditKind.CHANGED, "{} exchanged"),
    )
    parts = [form.format(listed(said[kind])) for kind, form in verbs if kind in said]
    places = where(case, [group[0] for group in kinds])
    paper = listed([called(e.expected) for group in kinds for e in group if e.expected is not None])
    code = listed([called(e.actual) for group in kinds for e in group if e.actual is not None])
    return Told(
        f"several operations differ{places}: {'; '.join(parts)}",
        sentence(f"the paper has {paper}" if paper else "the paper has none of them"),
        sentence(f"the code has {code}" if code else "the code has none of them"),
        "compute what the paper states, operation by operation",
        "what the code computes",
    )


def _key(edit: Edit) -> tuple[object, ...]:
    names = tuple(None if op is None else called(op) for op in (edit.expected, edit.actual))
    return (edit.kind, edit.aspect, names)


def _told(case: Case, group: list[Edit]) -> Told:
    edit = group[0]
    name, places = called(subject(edit)), where(case, group)
    if edit.kind is EditKind.MISSING:
        return Told(
            f"{name} is missing{places}",
            sentence(f"the paper has {a(name)}{between(edit)}"),
            "The code has none there.",
            f"add {name}{between(edit)}",
        )
    if edit.kind is EditKind.EXTRA:
        return Told(
            f"{name} is added{places}",
            f"The paper states no {name} there.",
            sentence(f"the code has {a(name)}{between(edit)}"),
            f"take out {name}",
            name,
        )
    if edit.kind is EditKind.MOVED:
        return Told(
            f"{name} stands in another place{places}",
            sentence(f"by the paper {name} stands{between(edit) or ' elsewhere'}"),
            sentence(f"the code has {name} in another place"),
            f"move {name}{between(edit)}",
        )
    stated = called(edit.expected) if edit.expected is not None else str(edit.stated)
    return Told(
        f"{name} stands where the paper has {stated}{places}",
        sentence(f"the paper has {a(stated)}"),
        sentence(f"the code has {a(name)}"),
        f"put {a(stated)} in its place",
        a(name),
    )


def between(edit: Edit) -> str:
    """Where in the code an edit stands: " between linear and softmax"."""
    if edit.before is not None and edit.after is not None:
        return f" between {called(edit.before)} and {called(edit.after)}"
    if edit.before is not None:
        return f" behind {called(edit.before)}"
    return f" before {called(edit.after)}" if edit.after is not None else ""
