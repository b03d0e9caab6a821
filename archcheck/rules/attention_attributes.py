"""What an attention is: how many heads, masked or not, how its scores are scaled."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit
from archcheck.findings import Finding
from archcheck.rules.attribute import explain_attributes
from archcheck.rules.case import Case, Example
from archcheck.rules.view import subject


class AttentionAttributes:
    """Says where an attention has other heads, another mask or another scale than the paper states.

    What it checks:
        The attributes of attention and of attention sublayers that the claim states: heads, key and value heads, head
        width, scale of the scores, causal mask, window, norm of queries and keys, rate of dropout on the weights. An
        equation that says nothing of it has its softmax over the keys, no score beside theirs, and no bound on them.

    Why it matters:
        Scores that are not divided by the root of the head width grow with it and push the softmax into regions of
        small gradients (vaswani2017, section 3.2.1). A decoder without its mask reads the token it is to predict.
        Fewer key and value heads are another model with a smaller cache (ainslie2023).

    Example:
        The paper:  self_attention(x, heads=8, causal=True)
        Departs:    self_attention(x, heads=8)  (whose scores are not masked)
        Agrees:     softmax(q @ k.T / sqrt(d_k) + triangle of -inf) @ v, with 8 heads

    What it cannot see:
        A mask that is given from outside, since nothing in the code says what it holds: UNDETERMINED until the call
        that makes it is read.

    Cites:
        vaswani2017, section 3.2; shazeer2019; ainslie2023; xiao2023, section 3.
    """

    id = "attention-attributes"
    title = "heads, mask and scale of an attention"
    examples = (
        Example(
            "%x = input\nself_attention %x heads=8", "%x = input\nself_attention %x heads=8 causal=True", holds=True
        ),
        Example(
            "%x = input\nself_attention %x heads=8",
            "%x = input\nself_attention %x heads=16",
            holds=False,
            message="the count of heads of self-attention is 16, not 8",
        ),
        Example(
            "%x = input\nattention %x, %x, %x scale=1",
            "%x = input\nattention %x, %x, %x scale=1 sink=True",
            holds=False,
            message="attention has a sink, a score beside those of the keys",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each attribute and pair of values."""
        yield from explain_attributes(self.id, case, edits, lambda edit: "attention" in subject(edit).kind.name)
