"""Attributes of operations: sizes, rates, axes, kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.ir.graph import Unknown
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import alike, where
from archcheck.rules.view import SUBLAYER, subject
from archcheck.rules.words import called, sentence, shown_value

_WORDS = {
    "p": "rate",
    "dim": "width",
    "in_features": "input width",
    "out_features": "output width",
    "kv_heads": "count of key and value heads",
    "heads": "count of heads",
    "head_dim": "width of a head",
    "by": "constant",
    "d_ff": "hidden width",
    "d_model": "width",
    "qk_norm": "norm of queries and keys",
    "softcap": "bound of the scores",
    "sink": "sink, a score beside those of the keys",
}


class Attribute:
    """Says where an operation of the code has another attribute than the paper states.

    What it checks:
        Every attribute that the claim states: widths, epsilon, rates, kernels, strides, dilations, axes, bases. What
        the claim does not state is free. Whole numbers must be equal; others agree up to the rounding of papers.

    Why it matters:
        A softmax over the wrong axis, a dilation of 1 or a kernel of another size runs without an error and changes
        what is computed. An epsilon of 1e-12 in place of 1e-6 shows when a checkpoint is converted.

    Example:
        The paper:  conv(x, kernel=3, dilation=2)
        Departs:    conv(x, kernel=3)  (whose dilation is 1)
        Agrees:     conv(x, kernel=(3, 3), dilation=2)

    What it cannot see:
        An attribute that depends on a value which was not given: UNDETERMINED until it is given. An axis counted from
        the front against one counted from the back, where the rank is not known.

    Cites:
        Whatever the claim cites: the rule holds the code to the numbers of its paper.
    """

    id = "attribute"
    title = "an attribute of an operation: a width, a rate, an axis, a kernel"
    examples = (
        Example("%x = input\nconv %x kernel=3", "%x = input\nconv %x kernel=(3, 3,) stride=2", holds=True),
        Example(
            "%x = input\nsoftmax %x axis=-1",
            "%x = input\nsoftmax %x axis=-2",
            holds=False,
            message="the axis of softmax is -2, not -1",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each attribute and pair of values."""
        yield from explain_attributes(self.id, case, edits, lambda _: True)


def explain_attributes(
    rule: str, case: Case, edits: tuple[Edit, ...], wanted: Callable[[Edit], bool]
) -> Iterator[Finding]:
    """One finding for each attribute, kind of op and pair of values, places put together."""
    own = [edit for edit in edits if edit.kind is EditKind.CHANGED and edit.aspect.startswith("attr:") and wanted(edit)]
    for group in alike(own, _key):
        yield finding(rule, case, group, _told(case, group), names=True)


def _key(edit: Edit) -> tuple[object, ...]:
    """Equal for what a reader would call one difference: an attention's heads count for its sublayer too."""
    kind = subject(edit).kind
    of = "attention" if "attention" in kind.name else kind.name
    return (of, edit.aspect, repr(edit.stated), repr(edit.found))


def _told(case: Case, group: list[Edit]) -> Told:
    edit = group[0]
    op = subject(edit)
    attr = edit.aspect.partition(":")[2]
    name, what = called(op), _WORDS.get(attr, attr.replace("_", " "))
    places = "" if op.kind.family == SUBLAYER and not edit.also and len(group) == 1 else where(case, group)
    if places == f", in {name}":
        places = ""
    if edit.stated is None:
        return Told(
            f"{name} has a {what}{places}, {shown_value(edit.found)}",
            sentence(f"{name} has no {what}"),
            sentence(f"{name} has a {what}, {shown_value(edit.found)}"),
            f"leave out the {what}",
            f"{attr}={shown_value(edit.found)}",
        )
    stated, found = shown_value(edit.stated), shown_value(edit.found)
    if isinstance(edit.stated, bool) and isinstance(edit.found, bool) and not isinstance(edit.found, Unknown):
        yes, no = f"{name} is {what}" if attr in _ADJECTIVES else f"{name} has {attr}", ""
        no = yes.replace(" is ", " is not ", 1) if attr in _ADJECTIVES else f"{name} has {attr}=False"
        if attr in _THINGS:
            yes, no = f"{name} has a {what}", f"{name} has no {what}"
        stated, found = (yes, no) if edit.stated else (no, yes)
        fix = f"make {attr} {edit.stated}"
        return Told(f"{found}{places}", sentence(stated), sentence(found), fix, f"{attr}={edit.found}")
    return Told(
        f"the {what} of {name} is {found}, not {stated}{places}",
        sentence(f"the {what} of {name} is {stated}"),
        sentence(f"the {what} of {name} is {found}"),
        f"make the {what} {stated}",
        f"{attr}={found}",
    )


_THINGS = frozenset({"sink"})
_ADJECTIVES = frozenset({"causal", "bidirectional", "interleaved", "projected"})
