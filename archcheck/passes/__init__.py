"""From the graph as it was written to its canonical form: what the pipeline runs, and why in this order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcheck.errors import GraphError, PassError
from archcheck.ir.graph import OpGraph
from archcheck.ir.verify import verify
from archcheck.passes.base import Pass, ScopePass, Together
from archcheck.passes.compared import as_compared
from archcheck.passes.drop_dropout import DropDropout
from archcheck.passes.drop_no_ops import DropNoOps
from archcheck.passes.drop_padding import DropPadding
from archcheck.passes.fold_numbers import FoldNumbers
from archcheck.passes.fold_pads import FoldPads
from archcheck.passes.fold_repeats import FoldRepeats
from archcheck.passes.fold_residual import FoldResidual
from archcheck.passes.fold_sublayers import FoldSublayers
from archcheck.passes.raise_activations import RaiseActivations
from archcheck.passes.raise_attention import RaiseAttention
from archcheck.passes.raise_linears import RaiseLinears
from archcheck.passes.raise_norms import RaiseNorms
from archcheck.passes.raise_pointwise import RaisePointwise
from archcheck.passes.raise_pools import RaisePools
from archcheck.passes.raise_rope import RaiseRope
from archcheck.passes.raise_scales import RaiseScales
from archcheck.passes.raise_softmax import RaiseSoftmax
from archcheck.passes.settle import Settle
from archcheck.passes.spell_projections import SpellProjections
from archcheck.passes.spell_rearrange import SpellRearrange
from archcheck.passes.split_fused import SplitFused

CANONICAL: tuple[Pass, ...] = (
    DropNoOps(),  # first: later patterns assume no cast or identity between two ops
    FoldNumbers(),  # then constants are attributes, wherever they were written
    SpellRearrange(),  # early: all that follows knows reshapes and permutations
    SpellProjections(),  # before linears, which take in the learned tensors that such a call may read
    RaiseLinears(),  # then what is learned: a product with a matrix is no product of scores, a weight no operand
    FoldPads(),  # behind linears, which give functional convolutions their weights
    RaiseNorms(),  # before activations: a bound on a variance is no ReLU
    RaiseActivations(),
    RaisePointwise(),  # behind norms and activations, through which it looks for what the positions are
    RaisePools(),  # behind norms, whose means are no pooling
    RaiseSoftmax(),
    RaiseRope(),  # before attention, whose queries and keys it turns
    SplitFused(),  # behind rotary positions, whose pieces are no parts; before attention, which reads parts
    DropPadding(),  # behind all that raises linear maps, norms and activations: it allows nothing else
    RaiseAttention(),  # before scales, which it takes in; before residuals, so that a mask on scores is no stream
    RaiseScales(),
    FoldResidual(),  # on raised ops: what is left of sums is streams
    FoldSublayers(),  # within the branches that residuals bound, then around what no residual bounds
    Settle(),  # what a constructor made for each layer joins the layer
    FoldRepeats(),  # last: it compares whole layers
)


# What the last passes fold may have hidden a stream, or a branch, from those before: one graph in a few thousand.
_AGAIN = CANONICAL[-4:-1]
_ROUNDS = 3

DESCRIBED: tuple[Pass, ...] = (DropNoOps(keep_factors=True), *CANONICAL[1:])

# Of a claim that is held against code in eval mode. First: the code was written down without its dropouts too.
EVALUATED: tuple[Pass, ...] = (DropDropout(), *CANONICAL)


def as_described(graph: OpGraph, canonical: OpGraph) -> OpGraph:
    """`canonical`, the canonical form of `graph`, with the factors of 1.0 on its branches, if there are any."""
    kept = any(
        op.kind.name in ("mul", "scale", "div") and op.attr("by") == 1 and len(op.reads) == 1 for op in graph.ops
    )
    return canonicalise(graph, DESCRIBED) if kept else canonical


def canonicalise(graph: OpGraph, passes: tuple[Pass, ...] = CANONICAL) -> OpGraph:
    """The canonical form of `graph`: the same for a claim and for code that computes what it claims.

    Args:
        graph: as a frontend or a spec gives it.
        passes: what to run, in order.

    Raises:
        PassError: a pass broke an invariant of graphs; the message names it. A mistake of archcheck.
    """
    found = graph
    for _ in range(_ROUNDS):
        for step in _fused(passes):
            found = step.run(found)
        settled = found
        for step in _AGAIN:
            settled = step.run(settled)
        if settled is found:
            break
        found = settled
    try:
        return verify(found, "canonicalise")
    except GraphError:
        _name_culprit(graph, passes)
        raise


def _fused(passes: Sequence[Pass]) -> Iterator[Pass]:
    """`passes` with neighbours together where one cannot hide a body from the next."""
    group: list[ScopePass] = []
    for step in passes:
        if isinstance(step, ScopePass) and not (group and group[-1].makes & step.enters):
            group.append(step)
            continue
        if group:
            yield Together(group)
        group = []
        if isinstance(step, ScopePass):
            group.append(step)
        else:
            yield step
    if group:
        yield Together(group)


def _name_culprit(graph: OpGraph, passes: Sequence[Pass]) -> None:
    """Run the passes one by one and say after which of them the graph is broken."""
    verify(graph, "the frontend")
    for step in passes:
        graph = step.run(graph)
        try:
            verify(graph, step.name)
        except GraphError as error:
            raise PassError(f"the pass {step.name} broke the graph: {error.problem}") from error


__all__ = ["CANONICAL", "EVALUATED", "Pass", "as_compared", "as_described", "canonicalise"]
