"""What makes graphs of code comparable with one another: layouts and settings that frameworks spell differently.

A claim has no layout and leaves out what is usual; only where two pieces of code are held against each other does it
matter that one lays out heads, or says of a convolution that it has one group, and the other does not.
"""

from __future__ import annotations

from archcheck.ir.graph import OpGraph
from archcheck.passes.base import Pass
from archcheck.passes.compared.channels import NameChannels
from archcheck.passes.compared.heads import FoldHeads
from archcheck.passes.compared.masks import FoldMasks
from archcheck.passes.compared.tables import SpellOuter
from archcheck.passes.compared.usual import DropUsual

COMPARED: tuple[Pass, ...] = (
    FoldMasks(),  # first: it looks into attentions, of which the next keeps no more than that they are such
    FoldHeads(),
    SpellOuter(),
    NameChannels(),
    DropUsual(),  # last: what passes state may be the usual
)


def as_compared(graph: OpGraph) -> OpGraph:
    """A graph in canonical form, as it is held against that of other code."""
    for step in COMPARED:
        graph = step.run(graph)
    return graph
