"""What tools leave of norms and weights that prepare a graph for inference: what is constant becomes one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archcheck.frontends.static import sizes
from archcheck.frontends.static.values import Tensor
from archcheck.frontends.tensorflow_graph.nodes import Held, Node, Stored
from archcheck.frontends.tensorflow_graph.patterns import NORMS
from archcheck.ir.graph import Op

if TYPE_CHECKING:
    from archcheck.frontends.tensorflow_graph.building import Builder

WHY = "a batch norm may have been folded into it, as tools do that prepare a frozen graph"
NOT_TOLD = "the file does not tell whether it is learned"
_SHIFTS = frozenset({"BiasAdd", "Add", "AddV2"})
_HIDES = 1e3  # no weight is as large: it hides scores


def may_be(builder: Builder, node: Node, given: Sequence[Any]) -> bool:
    """Whether a shift behind a convolution may be all that is left of a batch norm.

    A graph that was rewritten has batch norms that no convolution takes up as products of maps and vectors.
    """
    if not builder.told.frozen or builder.trains or len(given) != 2:
        return False
    learned = any(isinstance(one, Stored) or (isinstance(one, Tensor) and one.learned) for one in given)
    first = next((one for one in given if isinstance(one, Tensor) and not one.learned), None)
    if not learned or first is None or _is_normed(builder, node):
        return False
    by_path = builder.vm.recorder.by_path
    op = by_path[first.value.op]
    if node.op == "Mul" and builder.told.converted:
        dims = sizes.known(builder.vm, first)
        factor = next(sizes.known(builder.vm, builder.tensor(one)) for one in given if one is not first)
        if factor is None or sum(size != 1 for size in factor) != 1 or factor[-1] == 1:
            return False
        makers = [by_path[one.op] for one in op.reads] if op.kind.name in ("mul", "div") else []
        return (dims is None or len(dims) in (2, 4, 5)) and not _divides(op, *makers)
    if node.op not in _SHIFTS:
        return False
    if op.kind.name == "mul" and op.reads:  # scale and shift of a norm, worked out with its statistics
        op = by_path[op.reads[0].op]
    return op.kind.name in ("conv", "conv_transpose")


def _divides(*ops: Op) -> bool:
    """Whether one of these gives a root, or one over a root, as norms do."""
    return any(one.kind.name in ("rsqrt", "sqrt", "pow") for one in ops)


def may_be_shift(builder: Builder, node: Node) -> bool:
    """Whether what stands behind a convolution may be its shift, or what is left of a batch norm."""
    if not builder.told.frozen or builder.trains or builder.current is None:
        return False
    return any(one.op in _SHIFTS for one in builder.current.roles.readers(node.name))


def _is_normed(builder: Builder, node: Node) -> bool:
    readers = builder.current.roles.readers(node.name) if builder.current is not None else []
    return bool(readers) and all(one.op in NORMS for one in readers)


def is_mask(numbers: Held | None) -> bool:
    """Whether numbers say what is seen: they are zeros and ones, or hide what they are added to."""
    return numbers is not None and all(
        isinstance(one, (int, float)) and (one in (0, 1) or not abs(one) < _HIDES) for one in numbers.flat
    )
