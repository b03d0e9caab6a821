"""Which norm it is: layer norm, RMS norm, batch norm."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import alike, where
from archcheck.rules.words import a, called


class NormKind:
    """Says where the code normalises with another kind of norm than the paper.

    What it checks:
        The kind of each norm that stands where the paper has one: layer norm, RMS norm, batch norm, group norm. A norm
        that is spelled out in arithmetic counts as what it computes. Epsilon and width are attributes.

    Why it matters:
        Layer norm takes off the mean and divides by the deviation of each token's features (ba2016); RMS norm leaves
        the mean (zhang2019): weights of one do not fit the other. Batch norm depends on the other samples of the batch
        and computes something else in evaluation than in training (ioffe2015).

    Example:
        The paper:  x = layer_norm(x + f(x))
        Departs:    x = rms_norm(x + f(x))
        Agrees:     y = x + f(x); x = (y - mean(y)) / sqrt(var(y) + eps)

    What it cannot see:
        A norm whose statistics are computed by code that could not be read: UNDETERMINED until that code is read.
        A claim that says only "norm" is met by any.

    Cites:
        ba2016; zhang2019; ioffe2015; wu2018.
    """

    id = "norm-kind"
    title = "the kind of norm: layer norm, RMS norm, batch norm"
    examples = (
        Example(
            "%x = input\n%f = self_attention %x\n%s = add %x, %f\nnorm %s",
            "%x = input\n%f = self_attention %x\n%s = add %x, %f\nrms_norm %s",
            holds=True,
        ),
        Example(
            "%x = input\n%f = self_attention %x\n%s = add %x, %f\nlayer_norm %s",
            "%x = input\n%f = self_attention %x\n%s = add %x, %f\nrms_norm %s",
            holds=False,
            message="the norm is an RMS norm, not a layer norm",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each pair of kinds."""
        own = [edit for edit in edits if _is_own(edit)]
        for group in alike(own, lambda edit: (edit.stated, edit.found)):
            expected, actual = group[0].expected, group[0].actual
            assert expected is not None
            assert actual is not None
            stated, found = called(expected), called(actual)
            told = Told(
                f"the norm is {a(found)}, not {a(stated)}{where(case, group)}",
                f"The paper normalises with {a(stated)}.",
                f"The code normalises with {a(found)}.",
                f"normalise with {a(stated)}",
                a(found),
            )
            yield finding(self.id, case, group, told, names=True, exact=True)


def _is_own(edit: Edit) -> bool:
    ops = (edit.expected, edit.actual)
    return (
        edit.kind is EditKind.CHANGED
        and edit.aspect == "kind"
        and all(op is not None and op.kind.family == "norm" for op in ops)
    )
