"""Definitions of the ops that multiply tensors: matrix products, Einstein sums, outer products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archcheck.proof.pointwise import real
from archcheck.proof.world import CannotEvaluate, DoesNotFit, Reader

if TYPE_CHECKING:
    from archcheck.proof.world import Array


def _turned(value: Array, turned: bool) -> Array:
    if turned and value.ndim < 2:
        raise DoesNotFit("a vector has no transpose")
    return value.swapaxes(-1, -2) if turned else value


def matmul(reader: Reader, operands: Sequence[Array]) -> Array:
    """Matrix product over the last axis of the first and the one before the last of the second."""
    op = reader.op
    first = _turned(real(operands[0]), op.attr("transpose_a") is True)
    second = _turned(real(operands[1]), op.attr("transpose_b") is True)
    return first @ second


def matmul_add(reader: Reader, operands: Sequence[Array]) -> Array:
    """beta times the first plus alpha times the matrix product of the second and third."""
    added, first, second = (real(one) for one in operands)
    return reader.number("beta", 1.0) * added + reader.number("alpha", 1.0) * (first @ second)


def einsum(reader: Reader, operands: Sequence[Array]) -> Array:
    """Sum of products by Einstein's convention."""
    import numpy as np

    equation = reader.op.attr("equation")
    if not isinstance(equation, str):
        raise CannotEvaluate("the subscripts of an einsum could not be read")
    return np.asarray(np.einsum(equation, *(real(one) for one in operands)))


def tensordot(reader: Reader, operands: Sequence[Array]) -> Array:
    """Sum of products over paired axes."""
    import numpy as np

    axes = reader.op.attr("axes")
    if isinstance(axes, int):
        return np.asarray(np.tensordot(real(operands[0]), real(operands[1]), axes=axes))
    if isinstance(axes, tuple) and len(axes) == 2:
        pairs = [[reader.as_whole(one, "axes") for one in (row if isinstance(row, tuple) else (row,))] for row in axes]
        return np.asarray(np.tensordot(real(operands[0]), real(operands[1]), axes=(pairs[0], pairs[1])))
    raise CannotEvaluate("the axes of a tensordot could not be read")


def outer(reader: Reader, operands: Sequence[Array]) -> Array:
    """Outer product of two vectors."""
    import numpy as np

    if any(one.ndim != 1 for one in operands):
        raise DoesNotFit(f"{reader.op.kind.name} of what is no vector")
    return np.multiply.outer(real(operands[0]), real(operands[1]))
