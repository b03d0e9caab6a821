"""Definitions of the ops that work element by element: arithmetic, comparisons, bounds, activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from archcheck.proof.world import CannotEvaluate, Reader

if TYPE_CHECKING:
    from archcheck.proof.world import Array

Unary = Callable[["Array"], "Array"]
Binary = Callable[["Array", "Array"], "Array"]


def real(value: Array) -> Array:
    """`value` for arithmetic: truth values and whole numbers become floats."""
    import numpy as np

    return value if value.dtype.kind in "fc" else value.astype(np.float64)


def erf(x: Array) -> Array:
    """The Gauss error function, element by element."""
    import math

    import numpy as np

    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x), dtype=np.float64)


def erfc(x: Array) -> Array:
    """1 - erf(x), exact in the tail."""
    import math

    import numpy as np

    return np.asarray(np.vectorize(math.erfc, otypes=[np.float64])(x), dtype=np.float64)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    import numpy as np

    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow."""
    import numpy as np

    return np.asarray(np.logaddexp(x, 0.0))


@cache
def unary() -> Mapping[str, Unary]:
    """Functions of one tensor, by kind."""
    import numpy as np

    return {
        "identity": lambda x: x,
        "dropout": lambda x: x,  # of a model that is used, not trained
        "stochastic_depth": lambda x: x,
        "neg": np.negative,
        "sqrt": np.sqrt,
        "rsqrt": lambda x: 1 / np.sqrt(x),
        "exp": np.exp,
        "log": np.log,
        "abs": np.abs,
        "erf": erf,
        "sin": np.sin,
        "cos": np.cos,
        "sign": np.sign,
        "relu": lambda x: np.maximum(x, 0.0),
        "relu2": lambda x: np.maximum(x, 0.0) ** 2,
        "relu6": lambda x: np.clip(x, 0.0, 6.0),
        "sigmoid": sigmoid,
        "log_sigmoid": lambda x: -softplus(-x),
        "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0.0, 1.0),
        "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0.0, 1.0),
        "tanh": np.tanh,
        "softsign": lambda x: x / (1 + np.abs(x)),
        "mish": lambda x: x * np.tanh(softplus(x)),
        "quick_gelu": lambda x: x * sigmoid(1.702 * x),
        "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0.0))),
    }


@cache
def functions() -> Mapping[str, Unary]:
    """Functions of one tensor that the vocabulary holds under one kind, `elementwise`, by name."""
    import numpy as np

    return {
        "expm1": np.expm1,
        "log1p": np.log1p,
        "exp2": np.exp2,
        "log2": np.log2,
        "log10": np.log10,
        "erfc": erfc,
        "sinh": np.sinh,
        "cosh": np.cosh,
        "tan": np.tan,
        "asin": np.arcsin,
        "acos": np.arccos,
        "atan": np.arctan,
        "asinh": np.arcsinh,
        "acosh": np.arccosh,
        "atanh": np.arctanh,
        "isnan": np.isnan,
        "isinf": np.isinf,
        "isfinite": np.isfinite,
        "conj": np.conj,
    }


@cache
def binary() -> Mapping[str, Binary]:
    """Functions of two tensors, by kind or, for `elementwise`, by name."""
    import numpy as np

    return {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "scale": np.multiply,
        "div": np.true_divide,
        "maximum": np.maximum,
        "minimum": np.minimum,
        "atan2": np.arctan2,
        "hypot": np.hypot,
        "copysign": np.copysign,
        "logaddexp": np.logaddexp,
        "logaddexp2": np.logaddexp2,
        "remainder": np.remainder,
        "fmod": np.fmod,
    }


@cache
def relations() -> Mapping[str, Binary]:
    """Relations and Boolean operators, by name."""
    import numpy as np

    return {
        "gt": np.greater,
        "ge": np.greater_equal,
        "lt": np.less,
        "le": np.less_equal,
        "eq": np.equal,
        "ne": np.not_equal,
        "and": np.logical_and,
        "or": np.logical_or,
        "xor": np.logical_xor,
    }


def one(reader: Reader, operands: Sequence[Array]) -> Array:
    """A function of one tensor."""
    return unary()[reader.op.kind.name](real(operands[0]))


def two(reader: Reader, operands: Sequence[Array]) -> Array:
    """A function of two tensors, or of one and a constant."""
    import numpy as np

    op = reader.op
    function = binary()[op.kind.name]
    if op.attr("by") == "learned":
        raise CannotEvaluate("a learned factor is not shown")
    other = operands[1] if len(operands) > 1 else np.float64(reader.number("by"))
    pair = (real(operands[0]), real(np.asarray(other)))
    found = function(*(reversed(pair) if op.attr("reverse") is True and len(operands) == 1 else pair))
    rounding = op.attr("rounding")
    if rounding is None:
        return found
    if rounding not in ("floor", "trunc"):
        raise CannotEvaluate(f"a quotient rounded by {rounding}")
    return np.floor(found) if rounding == "floor" else np.trunc(found)


def elementwise(reader: Reader, operands: Sequence[Array]) -> Array:
    """A function that has a name and no kind."""
    import numpy as np

    name = str(reader.op.attr("function"))
    if len(operands) == 1 and name in functions() and not reader.op.states("by"):
        return functions()[name](real(operands[0]))
    if name in binary() and (len(operands) == 2 or reader.op.states("by")):
        other = operands[1] if len(operands) == 2 else np.float64(reader.number("by"))
        return binary()[name](real(operands[0]), real(np.asarray(other)))
    raise CannotEvaluate(f"the function {name} has no definition here")


def power(reader: Reader, operands: Sequence[Array]) -> Array:
    """A power: of two tensors, of a tensor to a constant, of a constant to a tensor."""
    import numpy as np

    if len(operands) == 2:
        return np.power(real(operands[0]), real(operands[1]))
    if reader.has_number("base") and not reader.has_number("exponent"):
        return np.power(reader.number("base"), real(operands[0]))
    return np.power(real(operands[0]), reader.number("exponent"))


def clamp(reader: Reader, operands: Sequence[Array]) -> Array:
    """Bounds from below and above, constants or the operands behind the first."""
    import numpy as np

    found = real(operands[0])
    rest = list(operands[1:])
    for name, bound in (("min", np.maximum), ("max", np.minimum)):
        if reader.has_number(name):
            found = bound(found, reader.number(name))
        elif len(operands) == 3:
            found = bound(found, real(rest.pop(0)))
    if len(operands) == 2:
        raise CannotEvaluate("a bound that is a tensor, from below or from above")
    return found


def compare(reader: Reader, operands: Sequence[Array]) -> Array:
    """A relation, element by element."""
    import numpy as np

    name = str(reader.op.attr("relation"))
    if name not in relations():
        raise CannotEvaluate(f"the relation {name} has no definition here")
    other = operands[1] if len(operands) == 2 else np.float64(reader.number("by"))
    return relations()[name](operands[0], np.asarray(other))


def logical(reader: Reader, operands: Sequence[Array]) -> Array:
    """Boolean arithmetic."""
    import numpy as np

    name = str(reader.op.attr("operator"))
    if name == "not" and len(operands) == 1:
        return np.logical_not(operands[0])
    if name not in ("and", "or", "xor") or len(operands) != 2:
        raise CannotEvaluate(f"the operator {name} has no definition here")
    return relations()[name](operands[0], operands[1])


def where(reader: Reader, operands: Sequence[Array]) -> Array:
    """The second where the first is true, the third elsewhere; either may be a constant."""
    import numpy as np

    rest = list(operands[1:])
    if len(rest) + reader.has_number("yes") + reader.has_number("no") != 2:
        raise CannotEvaluate("of a choice between two values one is not shown")
    yes = np.float64(reader.number("yes")) if reader.has_number("yes") else real(rest.pop(0))
    no = np.float64(reader.number("no")) if reader.has_number("no") else real(rest.pop(0))
    return np.where(operands[0] != 0, yes, no)


def masked_fill(reader: Reader, operands: Sequence[Array]) -> Array:
    """The first with a constant, or a third operand, where the second is true."""
    import numpy as np

    if len(operands) < 2:
        raise CannotEvaluate("a mask that is not shown")
    filled = real(operands[2]) if len(operands) == 3 else np.float64(reader.number("by"))
    return np.where(operands[1] != 0, filled, real(operands[0]))


def lerp(reader: Reader, operands: Sequence[Array]) -> Array:
    """start + weight * (end - start)."""
    start, end = real(operands[0]), real(operands[1])
    return start + (real(operands[2]) if len(operands) == 3 else reader.number("weight")) * (end - start)


def rounded(reader: Reader, operands: Sequence[Array]) -> Array:
    """Rounded to whole numbers."""
    import numpy as np

    modes: dict[str, Unary] = {"nearest": np.round, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc}
    by = modes.get(str(reader.op.attr("mode")))
    if by is None:
        raise CannotEvaluate("rounding of an unknown kind")
    return np.asarray(by(real(operands[0])))


def activation(reader: Reader, operands: Sequence[Array]) -> Array:
    """Activations with an attribute, as the textbook has them."""
    from archcheck.proof.activations import activation_of

    stated = {one.name: reader.number(one.name) for one in reader.op.attrs if one.name != "approximate"}
    approximate = reader.op.attr("approximate", "none")
    return activation_of(reader.op.kind.name, str(approximate), stated)(real(operands[0]))


def glu(reader: Reader, operands: Sequence[Array]) -> Array:
    """Half of the features times the activation of the other half."""
    import numpy as np

    op = reader.op
    value = real(operands[0])
    axis = reader.axis(value.ndim, -1)
    if value.shape[axis] % 2:
        from archcheck.proof.world import DoesNotFit

        raise DoesNotFit("an odd number of features has no halves")
    first, second = np.split(value, 2, axis=axis)
    if op.attr("swapped") is True:
        first, second = second, first
    name = str(op.attr("activation", "sigmoid"))
    if name not in unary():
        raise CannotEvaluate(f"a gate under {name}")
    return np.asarray(first * unary()[name](second))


def complex_number(reader: Reader, operands: Sequence[Array]) -> Array:
    """A complex number of two real ones, or of a length and an angle."""
    import numpy as np

    first, second = real(operands[0]), real(operands[1])
    if reader.op.attr("polar") is True:
        return first * np.exp(1j * second)
    return first + 1j * second


def part(reader: Reader, operands: Sequence[Array]) -> Array:
    """The real or the imaginary part."""
    return operands[0].real if reader.op.kind.name == "real" else operands[0].imag
