"""Definitions of the ops that reduce or run along an axis: means, lengths, softmax, norms of the layer tier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from archcheck.ir.graph import Unknown
from archcheck.proof.pointwise import real
from archcheck.proof.world import CannotEvaluate, DoesNotFit, Reader

if TYPE_CHECKING:
    from archcheck.proof.world import Array


def _over(reader: Reader, value: Array) -> tuple[tuple[int, ...], bool]:
    """The axes that go, and whether they stay with size 1."""
    axes = reader.axes(value.ndim)
    if isinstance(reader.op.attr("axis"), Unknown):
        raise CannotEvaluate("the axes of a reduction could not be read")
    return (tuple(range(value.ndim)) if axes is None else axes), reader.op.path not in reader.world.dropped


def reduction(reader: Reader, operands: Sequence[Array]) -> Array:
    """Sum, mean, product, extremes and Boolean reductions over axes."""
    import numpy as np

    axes, kept = _over(reader, operands[0])
    name = reader.op.kind.name
    if name == "reduce_logical":
        by = {"any": np.any, "all": np.all}.get(str(reader.op.attr("operator")))
        if by is None:
            raise CannotEvaluate("a Boolean reduction of an unknown kind")
        return np.asarray(by(operands[0] != 0, axis=axes, keepdims=kept))
    functions: dict[str, Callable[..., Array]] = {
        "sum": np.sum,
        "mean": np.mean,
        "prod": np.prod,
        "reduce_max": np.max,
        "reduce_min": np.min,
    }
    return np.asarray(functions[name](real(operands[0]), axis=axes, keepdims=kept))


def spread(reader: Reader, operands: Sequence[Array]) -> Array:
    """Variance or standard deviation, `correction` degrees of freedom taken off (1 is Bessel's)."""
    import numpy as np

    value = real(operands[0])
    axes, kept = _over(reader, value)
    count = int(np.prod([value.shape[axis] for axis in axes]))
    correction = reader.number("correction", 0.0)
    if count <= correction:
        raise DoesNotFit("fewer entries than degrees of freedom")
    variance = np.sum((value - np.mean(value, axis=axes, keepdims=True)) ** 2, axis=axes, keepdims=kept)
    variance = variance / (count - correction)
    return np.asarray(variance if reader.op.kind.name == "var" else np.sqrt(variance))


def vector_norm(reader: Reader, operands: Sequence[Array]) -> Array:
    """Length of order `p` along axes."""
    value = real(operands[0])
    axes, kept = _over(reader, value)
    return _length(value, axes, _order(reader), kept)


def _order(reader: Reader) -> float:
    return 2.0 if reader.op.attr("p") in (None, "fro", "euclidean") else reader.number("p")


def _length(value: Array, axes: tuple[int, ...], order: float, kept: bool) -> Array:
    import numpy as np

    if order == 2:
        return np.asarray(np.sqrt(np.sum(np.abs(value) ** 2, axis=axes, keepdims=kept)))
    if np.isinf(order):
        extreme = np.max if order > 0 else np.min
        return np.asarray(extreme(np.abs(value), axis=axes, keepdims=kept))
    return np.asarray(np.sum(np.abs(value) ** order, axis=axes, keepdims=kept) ** (1 / order))


def l2_norm(reader: Reader, operands: Sequence[Array]) -> Array:
    """A vector by its length, which is at least `eps`: torch.nn.functional.normalize."""
    import numpy as np

    value = real(operands[0])
    axes = reader.axes(value.ndim)
    if axes is None:
        raise CannotEvaluate("l2_norm does not say which axis it is about")
    return value / np.maximum(_length(value, axes, _order(reader), True), reader.number("eps", 0.0))


def softmax(reader: Reader, operands: Sequence[Array]) -> Array:
    """Exponentials by their sum along an axis; its logarithm."""
    import numpy as np

    value = real(operands[0])
    axis = reader.axis(value.ndim)
    shifted = value - np.max(value, axis=axis, keepdims=True)
    if reader.op.kind.name == "log_softmax":
        return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)))
    weights = np.exp(shifted)
    return np.asarray(weights / np.sum(weights, axis=axis, keepdims=True))


def logsumexp(reader: Reader, operands: Sequence[Array]) -> Array:
    """Logarithm of the sum of exponentials over axes."""
    import numpy as np

    value = real(operands[0])
    axes, kept = _over(reader, value)
    most = np.max(value, axis=axes, keepdims=True)
    found = np.log(np.sum(np.exp(value - most), axis=axes, keepdims=True)) + most
    return np.asarray(found if kept else np.squeeze(found, axis=axes))


def running(reader: Reader, operands: Sequence[Array]) -> Array:
    """Running sum or product along an axis."""
    import numpy as np

    value = real(operands[0])
    axis = reader.axis(value.ndim)
    if reader.op.attr("exclusive") is True:
        raise CannotEvaluate("a running sum without the entry itself")
    backward = reader.op.attr("reverse") is True
    value = np.flip(value, axis) if backward else value
    found = np.cumsum(value, axis=axis) if reader.op.kind.name == "cumsum" else np.cumprod(value, axis=axis)
    return np.flip(found, axis) if backward else np.asarray(found)


def extreme_place(reader: Reader, operands: Sequence[Array]) -> Array:
    """Index of the maximum or minimum."""
    import numpy as np

    value = real(operands[0])
    axis = reader.axis(value.ndim)
    kept = reader.op.path not in reader.world.dropped
    function = np.argmax if reader.op.kind.name == "argmax" else np.argmin
    return np.asarray(function(value, axis=axis, keepdims=kept))


def layer(reader: Reader, operands: Sequence[Array]) -> Array:
    """A norm of the layer tier that is called with its weights: statistics of the last axis, then scale and shift.

    Raises:
        CannotEvaluate: it is about other axes, or places its epsilon in a way of its own.
    """
    import numpy as np

    op = reader.op
    value = real(operands[0])
    dim = op.attr("dim")
    if isinstance(dim, tuple) and len(dim) != 1:
        raise CannotEvaluate(f"{op.kind.name} over several axes")
    if any(one.name in ("eps_place", "correction", "offset") for one in op.attrs) or op.attr("axis", -1) != -1:
        raise CannotEvaluate(f"{op.kind.name} within {op.kind.name}, of another form")
    if len(operands) == 1 and op.attr("elementwise_affine") is True:
        raise CannotEvaluate("the weights of a norm are not shown")
    centred = value - np.mean(value, axis=-1, keepdims=True) if op.kind.name == "layer_norm" else value
    eps = reader.number("eps", None if op.kind.name == "layer_norm" else 0.0)
    found = centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + eps)
    if len(operands) > 1:
        found = found * real(operands[1])
    return np.asarray(found + real(operands[2]) if len(operands) > 2 else found)
