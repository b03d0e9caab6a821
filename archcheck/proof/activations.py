"""The textbook of element-wise functions: what each activation is, and which others it is mistaken for.

Cites: hendrycks2016 (GELU by the error function and by a hyperbolic tangent, section 2; x sigmoid(1.702 x), section 4);
ramachandran2017 (swish, x sigmoid(beta x)), elfwing2018 (SiLU); misra2019 (Mish); clevert2015 (ELU); klambauer2017
(SELU); so2021 (squared ReLU); howard2019 (hard swish).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from archcheck.proof.pointwise import erfc, sigmoid, softplus, unary
from archcheck.proof.world import CannotEvaluate

if TYPE_CHECKING:
    from archcheck.proof.world import Array

Function = Callable[["Array"], "Array"]

SQRT_2 = math.sqrt(2)
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715  # hendrycks2016, section 2
# Numbers that code writes out, often to a few digits.
EXACT = (SQRT_2, 1 / SQRT_2, SQRT_2_OVER_PI, 2 * SQRT_2_OVER_PI, CUBIC, CUBIC * SQRT_2_OVER_PI, 1.702, 1 / 6, 1 / 3)


def gelu(x: Array) -> Array:
    """x times the normal distribution function (hendrycks2016, section 2), exact in the lower tail."""
    return 0.5 * x * erfc(-x / SQRT_2)


def tanh_gelu(x: Array) -> Array:
    """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) (hendrycks2016, section 2), as x sigmoid(2 ...)."""
    return x * sigmoid(2 * SQRT_2_OVER_PI * (x + CUBIC * x**3))


def activation_of(kind: str, approximate: str = "none", stated: Mapping[str, float] | None = None) -> Function:
    """The function that an op of `kind` states.

    Args:
        kind: of the family `activation`.
        approximate: 'none' or 'tanh', of a GELU.
        stated: its other attributes: `beta`, `alpha`, `slope`.

    Raises:
        CannotEvaluate: it is no function of one tensor.
    """
    import numpy as np

    held = stated or {}
    if kind == "gelu":
        if approximate not in ("none", "tanh"):
            raise CannotEvaluate(f"GELU under the approximation {approximate}")
        return tanh_gelu if approximate == "tanh" else gelu
    if kind == "silu":
        beta = held.get("beta", 1.0)
        return lambda x: x * sigmoid(beta * x)
    if kind == "softplus":
        factor = held.get("beta", 1.0)
        return lambda x: softplus(factor * x) / factor
    if kind == "elu":
        alpha = held.get("alpha", 1.0)
        return lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))
    if kind == "celu":
        width = held.get("alpha", 1.0)
        return lambda x: np.where(x > 0, x, width * np.expm1(np.minimum(x, 0.0) / width))
    if kind == "leaky_relu":
        slope = held.get("slope", 0.01)
        return lambda x: np.where(x > 0, x, slope * x)
    found = unary().get(kind)
    if found is None:
        raise CannotEvaluate(f"the textbook has no formula for {kind}")
    return found


_PLAIN: tuple[str, ...] = (
    "relu",
    "relu2",
    "relu6",
    "silu",
    "quick_gelu",
    "sigmoid",
    "tanh",
    "softplus",
    "mish",
    "log_sigmoid",
)
_PLAIN += ("hard_swish", "hard_sigmoid", "softsign", "elu", "selu")


def named() -> Iterator[tuple[str, Function]]:
    """Every activation without a free number, under the name by which people know it."""
    yield "gelu (erf)", gelu
    yield "gelu (tanh)", tanh_gelu
    for kind in _PLAIN:
        yield kind, activation_of(kind)


def plain_name(name: str) -> str:
    """The activation of which `name` tells a near miss: "gelu (erf) without the factor 1/2" is of "gelu (erf)"."""
    kind, _, rest = name.partition(" ")
    return f"{kind} {rest.partition(' ')[0].rstrip(',')}" if kind == "gelu" else kind.rstrip(",")


def misspelled() -> Iterator[tuple[str, Function]]:
    """GELU and its kin with one part wrong."""
    import numpy as np

    from archcheck.proof.pointwise import erf

    yield "gelu (erf) without the division by sqrt(2)", lambda x: 0.5 * x * (1 + erf(x))
    yield "gelu (erf) without the factor 1/2", lambda x: 2 * gelu(x)
    yield "gelu (tanh) without the factor 1/2", lambda x: 2 * tanh_gelu(x)
    yield "gelu (erf) with the sign of erf turned", lambda x: x - gelu(x)
    yield "gelu (tanh) with the sign of tanh turned", lambda x: x - tanh_gelu(x)
    yield "gelu (tanh) without the cubic term", lambda x: x * sigmoid(2 * SQRT_2_OVER_PI * x)
    yield "gelu (tanh) with a square for the cube", lambda x: x * sigmoid(2 * SQRT_2_OVER_PI * (x + CUBIC * x**2))
    yield (
        "gelu (tanh) with sqrt(2 / pi) on the linear term alone",
        lambda x: x * sigmoid(2 * (SQRT_2_OVER_PI * x + CUBIC * x**3)),
    )
    yield (
        "gelu (tanh) without sqrt(2 / pi)",
        lambda x: 0.5 * x * (1 + np.tanh(x + CUBIC * x**3)),
    )
    yield "silu with the sign turned inside the sigmoid", lambda x: x * sigmoid(-x)
    yield "silu with the sigmoid squared", lambda x: x * sigmoid(x) ** 2


def _inverse_erf(value: float) -> float:
    """The number whose error function is `value`, between -5 and 5, by halving."""
    low, high = -5.0, 5.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < value else (low, middle)
    return (low + high) / 2


def fitted(points: Array, values: Array) -> Iterator[tuple[str, Function]]:
    """Activations whose free number is taken from the values at some points; each is then compared as a whole.

    Args:
        points: where the unknown function was evaluated; 1 and -1 are among them.
        values: what it gave there.
    """
    import numpy as np

    at = {float(point): float(value) for point, value in zip(points, values, strict=True)}
    high, low = at.get(1.0, math.nan), at.get(-1.0, math.nan)
    if 0 < high < 1:
        beta = math.log(high / (1 - high))
        yield f"silu with beta = {beta:.6g}", lambda x: x * sigmoid(beta * x)
        factor = _inverse_erf(2 * high - 1)
        yield f"gelu (erf) with the factor {factor:.6g} within, for 0.707107", lambda x: 0.5 * x * erfc(-x * factor)
    if -math.inf < low < 0:
        slope, alpha = -low, low / math.expm1(-1.0)
        yield f"leaky_relu with slope = {slope:.6g}", lambda x: np.where(x > 0, x, slope * x)
        yield f"elu with alpha = {alpha:.6g}", activation_of("elu", stated={"alpha": alpha})
    least, most = float(np.min(values)), float(np.max(values))
    for name, function in named():
        plain = function(points)
        zero = int(np.argmin(np.abs(points)))
        shift = float(values[zero] - plain[zero])
        if math.isfinite(shift) and shift:
            yield f"{name} plus {shift:.6g}", lambda x, shift=shift, function=function: function(x) + shift  # type: ignore[misc]
        peak = int(np.argmax(np.abs(plain) * (np.abs(points) <= 4)))
        if plain[peak] and math.isfinite(values[peak]) and values[peak]:
            factor = float(values[peak] / plain[peak])
            yield f"{name} times {factor:.6g}", lambda x, factor=factor, function=function: factor * function(x)  # type: ignore[misc]
        yield (
            f"{name}, kept between {least:.6g} and {most:.6g}",
            lambda x, function=function: np.clip(function(x), least, most),  # type: ignore[misc]
        )
        yield f"{name}, kept above {least:.6g}", lambda x, function=function: np.maximum(function(x), least)  # type: ignore[misc]
        yield f"{name}, kept below {most:.6g}", lambda x, function=function: np.minimum(function(x), most)  # type: ignore[misc]
