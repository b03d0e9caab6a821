"""Where dropout and stochastic depth stand."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import alike, consequences
from archcheck.rules.placement import Group, clause, groups
from archcheck.rules.view import of, subject
from archcheck.rules.words import in_sublayers, kind_words, listed, sentence


class DropoutPlacement:
    """Says where dropout stands in another place than in the paper, is missing, or was added.

    What it checks:
        The place of each dropout, and of stochastic depth, relative to its sublayer and the residual add: only where
        the claim mentions it, since few equations write it down. The rate is an attribute.

    Why it matters:
        On the sublayer's output, before the add, dropout leaves the residual stream whole (vaswani2017, section 5.4;
        srivastava2014). Behind the add it drops parts of the stream itself, in every layer anew. It acts in training
        only, so no evaluation of a trained model shows the difference.

    Example:
        The paper:  x = norm(x + dropout(self_attention(x)))
        Departs:    x = norm(dropout(x + self_attention(x)))
        Agrees:     x = norm(dropout(self_attention(x)) + x)

    What it cannot see:
        Dropout in code that was read in evaluation mode, where it computes nothing and a claim holds without it (an
        equivalence that the report names): read it in training mode. Whether a rate is zero, where it depends on a
        configuration that was not given.

    Cites:
        srivastava2014; vaswani2017, section 5.4; huang2016.
    """

    id = "dropout-placement"
    title = "where dropout stands: moved, missing, added"
    examples = (
        Example(
            "%x = input\n%f = self_attention %x\nadd %x, %f",
            "%x = input\n%f = self_attention %x\n%d = dropout %f p=0.1\nadd %x, %d",
            holds=True,
        ),
        Example(
            "%x = input\n%f = self_attention %x\n%d = dropout %f\n%s = add %x, %d\nnorm %s",
            "%x = input\n%f = self_attention %x\n%s = add %x, %f\n%d = dropout %s\nnorm %d",
            holds=False,
            message="dropout moved from between the sublayer and the residual add to after the residual add",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for all sublayers to which the same happened."""
        every = of(
            edits,
            EditKind.MISSING,
            EditKind.EXTRA,
            EditKind.MOVED,
            where=lambda op: op.kind.family == "dropout",
        )
        told: set[int] = set()
        for own in alike(every, lambda edit: subject(edit).kind.name):
            kind = subject(own[0]).kind
            word = kind_words(kind)
            left = consequences(case, own, [edit for edit in edits if edit not in every])
            for group in groups(case, tuple(own), lambda op, kind=kind: op.kind is kind, word):  # type: ignore[misc]
                taken = [*group.edits.values(), *(edit for edit in left if id(edit) not in told)]
                told.update(id(edit) for edit in taken)
                yield finding(self.id, case, taken, _told(group, word))


def _told(group: Group, word: str) -> Told:
    lost, gained = (listed(slot.value for slot in slots) for slots in group.change)
    message = clause(group.change, word) + in_sublayers(group.names) + (f", {group.final}" if group.final else "")
    fix = f"move {word} to {lost}" if lost and gained else f"add {word} {lost}" if lost else f"take out {word} {gained}"
    return Told(
        message,
        sentence(f"{word} stands {lost}" if lost else f"the paper has no {word} {gained}"),
        sentence(f"{word} stands {gained}" if gained else f"the code has no {word} {lost}"),
        fix,
        f"{word} {gained}" if gained else f"no {word}",
    )
