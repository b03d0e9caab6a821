"""What a framework's function gives for plain numbers, where no tensor is read: `ops.sqrt(ops.cast(16, "float32"))`."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence

from archcheck.frontends.dialects.table import Row
from archcheck.frontends.static.values import Data

_ONE: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt,
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "log": math.log,
    "exp": math.exp,
    "sin": math.sin,
    "cos": math.cos,
    "tanh": math.tanh,
    "abs": abs,
    "neg": operator.neg,
}
_TWO: dict[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
    "maximum": max,
    "minimum": min,
}
_WHOLE = ("int", "uint", "bool")  # what a cast to these makes of a number is another number
MOST = 1e300


def computed(row: Row, bound: Mapping[str, Data], args: Sequence[Data]) -> float | None:
    """The number that a call of `row` gives; None where an argument that it reads is none, or there is no result."""
    reads = [parameter.name for parameter in row.parameters if parameter.reads]
    given = [one for name in reads if isinstance(one := bound.get(name), (int, float))]
    if not given or len(given) != len(reads):
        return None
    if row.kind == "identity":
        return None if any(_is_whole(value) for value in (*args, *bound.values())) else given[0]
    constant = row.const.get("exponent")
    try:
        if row.kind == "pow" and isinstance(constant, (int, float)) and len(given) == 1:
            found = given[0] ** constant
        elif row.const:
            return None
        elif len(given) == 1 and row.kind in _ONE:
            found = _ONE[row.kind](given[0])
        elif len(given) == 2 and row.kind in _TWO:
            found = _TWO[row.kind](given[0], given[1])
        else:
            return None
    except (ArithmeticError, ValueError):
        return None
    return found if isinstance(found, (int, float)) and abs(found) < MOST else None


def _is_whole(value: Data) -> bool:
    """Whether an argument names a type of whole numbers, as the second one of a cast may."""
    return not isinstance(value, (int, float)) and str(value).rpartition(".")[2].startswith(_WHOLE)
