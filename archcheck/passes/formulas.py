"""Evaluates ops on numbers, so that a formula is recognised by what it computes and not by how it is spelled.

A value is a list of floats (the features of one token, or sample points of an element-wise function) or a single
float (one number for each token: what a reduction over the features leaves). That random numbers agree with a formula
on every entry has, for the analytic functions that these ops compose, probability zero unless they are equal; what is
left is the tolerance, which is chosen below the distance between any two formulas that archcheck tells apart.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from archcheck.ir.graph import AttrValue, Op, Size, Unknown

Number = float | list[float]


class CannotEvaluate(Exception):
    """An op, or one of its attributes, has no value on numbers."""


_SIZES: ContextVar[Callable[[Size], int | None] | None] = ContextVar("sizes", default=None)


@contextmanager
def with_sizes(known: Callable[[Size], int | None]) -> Iterator[None]:
    """Formulas inside are evaluated on samples, of which `known` tells what a size is; None: it is another value's."""
    token = _SIZES.set(known)
    try:
        yield
    finally:
        _SIZES.reset(token)


def constant(value: AttrValue) -> float:
    """The number that an attribute states.

    An Unknown stands for a number that is as good as any other: small, positive and decided by its reason, so that a
    formula is recognised although, say, its epsilon could not be read.

    Raises:
        CannotEvaluate: the attribute is not a number.
    """
    if isinstance(value, Size) and (known := _SIZES.get()) is not None and (count := known(value)) is not None:
        return float(count**value.power)
    if isinstance(value, Unknown):
        return 1e-3 + zlib.crc32(value.why.encode()) / 2**32 * 1e-2
    if isinstance(value, int | float):
        return float(value)
    raise CannotEvaluate(f"{value!r} is not a number")


def _each(function: Callable[..., float], *operands: Number) -> Number:
    length = max((len(operand) for operand in operands if isinstance(operand, list)), default=0)
    if any(isinstance(operand, list) and len(operand) != length for operand in operands):
        raise CannotEvaluate("operands of different lengths")
    if not length:
        return _safe(function, *operands)
    rows = [operand if isinstance(operand, list) else [operand] * length for operand in operands]
    return [_safe(function, *row) for row in zip(*rows, strict=True)]


def _safe(function: Callable[..., float], *operands: object) -> float:
    try:
        result = function(*operands)
    except (ValueError, ZeroDivisionError):
        return math.nan
    except OverflowError:
        return math.inf
    return result if isinstance(result, float) else float(result) if isinstance(result, int) else math.nan


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def softplus(x: float) -> float:
    """log(1 + exp(x)), without overflow."""
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


_UNARY: dict[str, Callable[[float], float]] = {
    "identity": lambda x: x,
    "neg": lambda x: -x,
    "sqrt": math.sqrt,
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "exp": math.exp,
    "log": math.log,
    "abs": abs,
    "erf": math.erf,
    "sign": lambda x: float((x > 0) - (x < 0)),
    "relu": lambda x: max(x, 0.0),
    "relu2": lambda x: max(x, 0.0) ** 2,
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "sigmoid": sigmoid,
    "log_sigmoid": lambda x: -softplus(-x),
    "hard_sigmoid": lambda x: min(max(x / 6 + 0.5, 0.0), 1.0),
    "hard_swish": lambda x: x * min(max(x / 6 + 0.5, 0.0), 1.0),
    "tanh": math.tanh,
    "softsign": lambda x: x / (1 + abs(x)),
    "mish": lambda x: x * math.tanh(softplus(x)),
    "quick_gelu": lambda x: x * sigmoid(1.702 * x),
}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "expm1": math.expm1,
    "log1p": math.log1p,
    "erfc": math.erfc,
    "exp2": lambda x: 2.0**x,
    "log2": math.log2,
    "sinh": math.sinh,
    "cosh": math.cosh,
}
_BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "scale": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "maximum": max,
    "minimum": min,
}
_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}
REDUCTIONS = frozenset(("mean", "sum", "var", "std", "vector_norm"))
RESHAPING = frozenset(("reshape", "expand", "permute"))  # of one number for each token: nothing to move
EVALUATED = frozenset(
    (
        *_UNARY,
        *_BINARY,
        *REDUCTIONS,
        *RESHAPING,
        "elementwise",
        "pow",
        "clamp",
        "where",
        "compare",
        "l2_norm",
        "gelu",
        "silu",
        "softplus",
        "leaky_relu",
        "elu",
        "masked_fill",
    )
)


def gelu(x: float) -> float:
    """x times the normal distribution function."""
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def tanh_gelu(x: float) -> float:
    """The approximation of GELU by a hyperbolic tangent."""
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def evaluate(op: Op, operands: Sequence[Number]) -> Number:
    """The value of `op` on numbers.

    Args:
        op: of a kind in `EVALUATED`.
        operands: values of what it reads, in order.

    Raises:
        CannotEvaluate: the kind, or an attribute, has no value on numbers.
    """
    name = op.kind.name
    if not operands and (name in _UNARY or name in _BINARY or name in REDUCTIONS or name in RESHAPING):
        raise CannotEvaluate("what it reads is not known")
    if name in _UNARY:
        return _each(_UNARY[name], operands[0])
    if name in _BINARY:
        return _binary(op, operands)
    if name in REDUCTIONS:
        return _reduce(op, operands)
    if name in RESHAPING:
        if isinstance(operands[0], list):
            raise CannotEvaluate("features laid out anew")
        return operands[0]
    special = _SPECIAL.get(name)
    if special is None:
        raise CannotEvaluate(name)
    return special(op, operands)


def _binary(op: Op, operands: Sequence[Number]) -> Number:
    function = _BINARY[op.kind.name]
    if op.states("rounding"):
        raise CannotEvaluate("a rounded quotient")
    if len(operands) == 2:
        return _each(function, operands[0], operands[1])
    other = constant(op.attr("by"))
    if op.attr("reverse") is True:
        return _each(function, other, operands[0])
    return _each(function, operands[0], other)


def _reduce(op: Op, operands: Sequence[Number]) -> Number:
    values = operands[0]
    if not isinstance(values, list):
        raise CannotEvaluate("a second reduction")
    count = len(values)
    name = op.kind.name
    if name == "sum":
        return sum(values)
    if name == "mean":
        return sum(values) / count
    if name == "vector_norm":
        if op.attr("p", 2) not in (2, None, "fro"):
            raise CannotEvaluate("another length")
        return math.sqrt(sum(value * value for value in values))
    correction = op.attr("correction", 0)
    correction = int(correction) if isinstance(correction, int) else int(constant(correction))
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values) / (count - correction)
    return variance if name == "var" else math.sqrt(variance)


def _pow(op: Op, operands: Sequence[Number]) -> Number:
    if len(operands) == 2:
        return _each(math.pow, operands[0], operands[1])
    if op.states("base") and not op.states("exponent"):
        return _each(math.pow, constant(op.attr("base")), operands[0])
    return _each(math.pow, operands[0], constant(op.attr("exponent")))


def _clamp(op: Op, operands: Sequence[Number]) -> Number:
    low, high = op.attr("min"), op.attr("max")
    if len(operands) != 1:
        raise CannotEvaluate("bounds that are computed")
    low_value = -math.inf if low is None else constant(low)
    high_value = math.inf if high is None else constant(high)
    return _each(lambda x: min(max(x, low_value), high_value), operands[0])


def _compare(op: Op, operands: Sequence[Number]) -> Number:
    relation = _RELATIONS.get(str(op.attr("relation")))
    if relation is None:
        raise CannotEvaluate("relation")
    other: Number = operands[1] if len(operands) == 2 else constant(op.attr("by"))
    return _each(lambda a, b: float(relation(a, b)), operands[0], other)


def _where(op: Op, operands: Sequence[Number]) -> Number:
    rest = list(operands[1:])
    yes: Number = constant(op.attr("yes")) if op.states("yes") and len(operands) < 3 else rest.pop(0)
    no: Number = constant(op.attr("no")) if not rest else rest.pop(0)
    return _each(lambda condition, a, b: a if condition else b, operands[0], yes, no)


def _masked_fill(op: Op, operands: Sequence[Number]) -> Number:
    if len(operands) < 2:
        raise CannotEvaluate("a mask that is not known")
    other = constant(op.attr("by"))
    return _each(lambda x, condition: other if condition else x, operands[0], operands[1])


def _l2_norm(op: Op, operands: Sequence[Number]) -> Number:
    values = operands[0]
    if not isinstance(values, list) or op.attr("p", 2) not in (2, 2.0, None):
        raise CannotEvaluate("another length")
    length = math.sqrt(sum(value * value for value in values))
    length = max(length, constant(op.attr("eps", 0.0)))
    return [value / length for value in values]


def _elementwise(op: Op, operands: Sequence[Number]) -> Number:
    function = _FUNCTIONS.get(str(op.attr("function")))
    if function is None or len(operands) != 1:
        raise CannotEvaluate(str(op.attr("function")))
    return _each(function, operands[0])


def _gelu(op: Op, operands: Sequence[Number]) -> Number:
    return _each(tanh_gelu if op.attr("approximate") == "tanh" else gelu, operands[0])


def _silu(op: Op, operands: Sequence[Number]) -> Number:
    beta = constant(op.attr("beta", 1.0))
    return _each(lambda x: x * sigmoid(beta * x), operands[0])


def _softplus(op: Op, operands: Sequence[Number]) -> Number:
    beta = constant(op.attr("beta", 1.0))
    return _each(lambda x: softplus(beta * x) / beta, operands[0])


def _leaky_relu(op: Op, operands: Sequence[Number]) -> Number:
    slope = constant(op.attr("slope", 0.01))
    return _each(lambda x: x if x > 0 else slope * x, operands[0])


def _elu(op: Op, operands: Sequence[Number]) -> Number:
    alpha = constant(op.attr("alpha", 1.0))
    return _each(lambda x: x if x > 0 else alpha * math.expm1(x), operands[0])


_SPECIAL: dict[str, Callable[[Op, Sequence[Number]], Number]] = {
    "pow": _pow,
    "clamp": _clamp,
    "compare": _compare,
    "where": _where,
    "masked_fill": _masked_fill,
    "l2_norm": _l2_norm,
    "elementwise": _elementwise,
    "gelu": _gelu,
    "silu": _silu,
    "softplus": _softplus,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
}


def close(found: Sequence[float], wanted: Sequence[float], tolerance: float) -> bool:
    """Whether two lists of numbers agree, each entry within `tolerance` of the greater magnitude or of 1e-12."""
    return all(abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-12) for a, b in zip(found, wanted, strict=True))
