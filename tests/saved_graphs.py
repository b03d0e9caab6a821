"""A graph that was saved, held against the code that was saved."""

from __future__ import annotations

from archcheck import pipeline
from archcheck.align import EditKind
from archcheck.align.edits import Edit
from archcheck.ir.graph import Op, OpGraph
from archcheck.sweep import Read, Request
from archcheck.witnesses import compared, words


def read(target: str, training: bool) -> Read:
    (found,) = pipeline.load_target(Request(target, explore=False, training=training))
    assert not found.reading.variants[0].error
    return found


def fed(graph: OpGraph) -> set[str]:
    """The ops that are computed from an input, at all depths."""
    found: set[str] = set()

    def visit(op: Op) -> None:
        for inner in op.body:
            visit(inner)
        reads = {value.op for value in op.reads}
        if op.kind.name == "input" or reads & found or any(inner.path in found for inner in op.body):
            found.add(op.path)

    for op in graph.ops:
        visit(op)
    return found


def differences(source: OpGraph, file: OpGraph, *, layouts: bool = True) -> list[str]:
    """What the two say differently of what is computed from the input: exporters work out the rest beforehand.

    Args:
        source: what the code says.
        file: what was exported.
        layouts: whether axes count that one lays out in an op of its own, and the other in a product.
    """
    left, right = fed(source), fed(file)

    def is_fed(edit: Edit) -> bool:
        sides = ((edit.expected, left), (edit.actual, right))
        if not edit.aspect.startswith("reads:"):
            return any(op is not None and op.path in known for op, known in sides)
        at = edit.aspect.removeprefix("reads:")
        return not at.isdigit() or any(op is None or op.reads[int(at)].op in known for op, known in sides)

    def counts(edit: Edit) -> bool:
        alone = edit.expected if edit.kind is EditKind.MISSING else edit.actual if edit.kind is EditKind.EXTRA else None
        laid_out = alone is not None and alone.kind.name in ("reshape", "permute") and not layouts
        return edit.kind is not EditKind.UNKNOWN and not laid_out and is_fed(edit)

    return [words(one)[0] for one in compared(source, file).edits if counts(one)]
