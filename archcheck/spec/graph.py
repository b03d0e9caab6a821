"""A block of a spec -> the raw op graph that it states: the same form in which a frontend hands over code."""

from __future__ import annotations

from collections.abc import Mapping

from archcheck.ir.graph import OpGraph
from archcheck.ir.verify import verify
from archcheck.spec.flow import Lowering
from archcheck.spec.formula import Amount
from archcheck.spec.model import Spec
from archcheck.spec.problems import Problems
from archcheck.spec.words import Lexicon


def lexicon(spec: Spec, sizes: Mapping[str, Amount] | None = None) -> Lexicon:
    """The words of `spec` with the values of its sizes; `sizes` stand above the spec's own."""
    terms = {term.name: term for term in spec.terms}
    return Lexicon(terms, {block.id: block for block in spec.blocks}, spec.values(given=sizes))


def to_graph(spec: Spec, block_id: str, sizes: Mapping[str, Amount] | None = None) -> OpGraph:
    """What block `block_id` of `spec` states, as ops with their places in the spec.

    Residuals are plain adds and nothing is folded: the passes canonicalise claims and code alike. An op that is called
    by a kind of the vocabulary has no body; other blocks of the spec stand with their ops where they are called.

    Args:
        sizes: name -> value for sizes that the caller knows, above those of the spec. A number that needs a size that
            nobody knows is an Unknown with the reason.

    Raises:
        ArchcheckError: the spec has no such block.
        SpecError: under these sizes the block cannot be read.
    """
    block = spec.block(block_id)
    problems = Problems(spec.file, spec.lines)
    graph = Lowering(lexicon(spec, sizes), problems, block.id).graph(block)
    problems.raise_any()
    return verify(graph, f"spec {spec.id}#{block.id}")
