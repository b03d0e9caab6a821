"""Batch norms as equations spell them: statistics of all axes but that of the features, or those that are kept.

Norms of features are recognised by what they compute, as in code of every framework; one over a batch is known by what
its statistics are taken of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from archcheck.frontends.trace.jax_child.equations import Equation, Value

if TYPE_CHECKING:
    from archcheck.frontends.trace.jax_child.telling import Teller, Told


def batch_norm(teller: Teller, one: Equation) -> Told | None:
    """`(x - mean) * (rsqrt(variance + eps) * scale) + shift`, which this equation ends; None for anything else."""
    shift: Value | None = None
    product: Equation | None = one
    if one.name == "add":
        found = _split(teller, one, lambda value: value in teller.learned)
        if found is None:
            return None
        shift, product = found[0], found[1].maker
    if product is None or product.name != "mul":
        return None
    for at in (0, 1):
        centred, inverse = (_maker(teller, product.reads[place]) for place in (at, 1 - at))
        if centred is None or inverse is None or centred.name != "sub":
            continue
        scale: Value | None = None
        if inverse.name == "mul":
            found = _split(teller, inverse, lambda value: value in teller.learned)
            if found is None:
                continue
            scale, inverse = found[0], _maker(teller, found[1])
        if inverse is None or inverse.name != "rsqrt":
            continue
        total = _maker(teller, inverse.reads[0])
        if total is None or total.name != "add":
            continue
        eps = next((other for other in total.reads if isinstance(other, np.ndarray) and other.size == 1), None)
        variance = next((other for other in total.reads if isinstance(other, Value)), None)
        x, mean = centred.reads
        if eps is None or variance is None or not isinstance(x, Value) or not isinstance(mean, Value):
            continue
        if _are_statistics(teller, x, teller.root(mean), teller.root(variance)):
            told = {"eps": eps, "scaled": scale is not None, "shifted": shift is not None, "dim": x.shape[-1]}
            return "jax.nn.batch_norm", [x, *[part for part in (scale, shift) if part is not None]], told
    return None


def _maker(teller: Teller, value: Any) -> Equation | None:
    return teller.root(value).maker if isinstance(value, Value) else None


def _split(teller: Teller, one: Equation, is_it: Any) -> tuple[Value, Value] | None:
    """The operand that is learned, and the other one."""
    for at in (0, 1):
        own, other = one.reads[at], one.reads[1 - at]
        if isinstance(own, Value) and isinstance(other, Value) and is_it(teller.root(own)):
            return teller.root(own), teller.root(other)
    return None


def _are_statistics(teller: Teller, x: Value, mean: Value, variance: Value) -> bool:
    if mean in teller.held and variance in teller.held:
        return len(mean.shape) == 1 == len(variance.shape) and mean.shape == x.shape[-1:]
    if not _is_mean(teller, mean, x) or len(x.shape) < 2:
        return False
    maker = variance.maker
    if maker is not None and maker.name == "max":  # rounding may have made it less than zero
        least = next((one for one in maker.reads if isinstance(one, np.ndarray)), None)
        inner = next((one for one in maker.reads if isinstance(one, Value)), None)
        if least is None or least.any() or inner is None:
            return False
        maker = teller.root(inner).maker
    if maker is None:
        return False
    if maker.name == "sub":
        squares, square = maker.reads
        return (
            isinstance(squares, Value)
            and _is_mean(teller, teller.root(squares), None, lambda given: _is_square(teller, given, x))
            and isinstance(square, Value)
            and _is_square(teller, square, mean)
        )

    def is_spread(given: Value) -> bool:
        """Whether it is the square of what is left when the mean is taken off."""
        own = given.maker
        read = own.reads[0] if own is not None and own.name in ("square", "integer_pow", "mul") else None
        centred = read.maker if isinstance(read, Value) and _is_square(teller, given, read) else None
        if centred is None or centred.name != "sub" or centred.reads[0] is not x:
            return False
        return isinstance(centred.reads[1], Value) and teller.root(centred.reads[1]) is mean

    return _is_mean(teller, variance, None, is_spread)


def _is_mean(teller: Teller, value: Value, x: Value | None, is_it: Any = None) -> bool:
    """Whether a value is the mean of another over all axes but the last."""
    maker = value.maker
    if maker is None or id(maker) not in teller.means:
        return False
    total = teller.root(maker.reads[0]).maker
    if total is None or tuple(total.params["axes"]) != tuple(range(len(total.reads[0].shape) - 1)):
        return False
    return total.reads[0] is x if x is not None else bool(is_it(total.reads[0]))


def _is_square(teller: Teller, value: Value, of: Value) -> bool:
    maker = teller.root(value).maker
    if maker is None:
        return False
    if maker.name == "mul":
        return all(isinstance(one, Value) and teller.root(one) is of for one in maker.reads)
    squares = maker.name == "square" or (maker.name == "integer_pow" and maker.params["y"] == 2)
    return squares and isinstance(maker.reads[0], Value) and teller.root(maker.reads[0]) is of
