"""A jaxpr as a flat list of equations: what calls another jaxpr is spelled out, what is constant is worked out.

A loop of a known number of rounds (`scan`) is spelled out round by round, as a model that is read is. What only running
would decide (`while`, `cond`) stays one equation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal

MOST_ROUNDS = 256  # of a loop that are spelled out
MOST_EQUATIONS = 500_000
MOST_WORKED_OUT = 4 * 1024**2  # entries of a constant
MOST_CHOSEN = 16  # entries of a mask, and of what one chooses, that are told as numbers
# what runs a jaxpr on what it is given; others hold one that joins two numbers, or is run for each part
_CALLS = frozenset({
    "jit", "pjit", "core_call", "closed_call", "named_call", "xla_call", "checkpoint", "remat", "remat2",
    "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "core_closed_call",
})  # fmt: skip
_INSIDE = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_LOOPS = frozenset({"while", "cond"})
_DRAWS = ("random_", "threefry", "rng_")
# what gives what it is given
_SAME = frozenset({
    "convert_element_type", "copy", "copy_p", "stop_gradient", "sharding_constraint", "optimization_barrier", "name",
    "reduce_precision", "mesh_cast", "pvary", "device_put", "layout_constraint",
})  # fmt: skip
_NUMBERS = frozenset("bifuc")


@dataclass(eq=False)
class Value:
    """What an equation gives.

    Args:
        shape: sizes in elements.
        dtype: its name.
        maker: the equation that gives it; None for what comes in.
        at: which of its results it is.
    """

    shape: tuple[int, ...]
    dtype: str
    maker: Equation | None = None
    at: int = 0


@dataclass(eq=False)
class Equation:
    """One equation.

    Args:
        name: of its primitive.
        params: as JAX tells them.
        reads: values and numbers (as arrays).
        gives: values.
        scope: the names around it.
        source: where it was written.
    """

    name: str
    params: dict[str, Any]
    reads: list[Any]
    gives: list[Value]
    scope: str
    source: Any


class Flat:
    """Spells out a jaxpr.

    Args:
        closed: with its constants.
        given: what comes in, for each of its variables.
    """

    def __init__(self) -> None:
        self.equations: list[Equation] = []

    def run(self, closed: Any, given: Sequence[Any], scope: str = "") -> list[Any]:
        """What a jaxpr gives for what it is given."""
        jaxpr = getattr(closed, "jaxpr", closed)
        held = [_constant(one) for one in getattr(closed, "consts", ())]
        values: dict[Any, Any] = dict(zip(jaxpr.constvars, held, strict=True))
        values |= dict(zip(jaxpr.invars, given, strict=True))

        def read(one: Any) -> Any:
            return np.asarray(one.val) if isinstance(one, Literal) else values[one]

        for eqn in jaxpr.eqns:
            reads = [read(one) for one in eqn.invars]
            found = self._one(eqn, reads, _joined(scope, str(eqn.source_info.name_stack)))
            values |= dict(zip(eqn.outvars, found, strict=True))
        return [read(one) for one in jaxpr.outvars]

    def _one(self, eqn: Any, reads: list[Any], scope: str) -> list[Any]:
        name = eqn.primitive.name
        if name in _SAME and len(reads) == len(eqn.outvars):
            if name == "convert_element_type" and isinstance(reads[0], np.ndarray):
                return [_constant(reads[0].astype(eqn.params["new_dtype"]))]
            return reads
        if name == "scan" and eqn.params["length"] <= MOST_ROUNDS:
            return self._scan(eqn, reads, scope)
        if name in _CALLS:
            inner = next((eqn.params[one] for one in _INSIDE if one in eqn.params), None)
            if (
                inner is not None
                and hasattr(getattr(inner, "jaxpr", inner), "eqns")
                and len(getattr(inner, "jaxpr", inner).invars) == len(reads)
            ):
                return self.run(inner, reads, scope)
        # what a mask says is told by how it is made: of a few tokens a window of many is all that there is
        out = eqn.outvars[0].aval
        hides = (name == "select_n" or str(out.dtype) == "bool") and out.size > MOST_CHOSEN
        if (
            not hides
            and all(isinstance(one, np.ndarray) for one in reads)
            and not name.startswith(_DRAWS)
            and name not in _LOOPS
        ):
            found = _worked_out(eqn, reads)
            if found is not None:
                return found
        return list(
            self.put(name, dict(eqn.params), reads, [one.aval for one in eqn.outvars], scope, eqn.source_info.traceback)
        )

    def put(
        self, name: str, params: dict[str, Any], reads: list[Any], avals: Sequence[Any], scope: str, source: Any
    ) -> list[Value]:
        """An equation that stays."""
        if len(self.equations) >= MOST_EQUATIONS:
            raise ValueError(f"it has more than {MOST_EQUATIONS:,} equations, with its loops spelled out")
        made = Equation(name, params, reads, [], scope, source)
        made.gives = [Value(tuple(one.shape), str(one.dtype), made, at) for at, one in enumerate(avals)]
        self.equations.append(made)
        return made.gives

    def _scan(self, eqn: Any, reads: list[Any], scope: str) -> list[Any]:
        """A loop over the first axis of what is given; what each round gives is put together."""
        params = eqn.params
        consts, carried = params["num_consts"], params["num_carry"]
        fixed, carry, rows = reads[:consts], reads[consts : consts + carried], reads[consts + carried :]
        body, length, source = params["jaxpr"], params["length"], eqn.source_info.traceback
        rounds = range(length - 1, -1, -1) if params["reverse"] else range(length)
        gathered: list[list[Any]] = [[] for _ in eqn.outvars[carried:]]
        for at in rounds:
            parts = [self._row(one, at, scope, source) for one in rows]
            found = self.run(body, [*fixed, *carry, *parts], scope)
            carry = found[:carried]
            for many, one in zip(gathered, found[carried:], strict=True):
                many.append(one)
        stacked = []
        for many, out in zip(gathered, eqn.outvars[carried:], strict=True):
            in_order = many[::-1] if params["reverse"] else many
            stacked += self.put("stack", {}, in_order, [out.aval], scope, source)
        return [*carry, *stacked]

    def _row(self, one: Any, at: int, scope: str, source: Any) -> Any:
        if isinstance(one, np.ndarray):
            return _constant(one[at])
        aval = jax.ShapeDtypeStruct(one.shape[1:], np.float32)
        (row,) = self.put("row", {"index": at}, [one], [aval], scope, source)
        row.dtype = one.dtype
        return row


def _joined(scope: str, own: str) -> str:
    return f"{scope}/{own}" if scope and own else scope or own


def _constant(value: Any) -> Any:
    """A number, or numbers, as an array; what has no numbers as a value that nothing gives."""
    dtype = getattr(value, "dtype", None)
    kind = getattr(dtype, "kind", "")
    if dtype is not None and (kind not in _NUMBERS and str(dtype) != "bfloat16"):
        return Value(tuple(value.shape), str(dtype))
    return np.asarray(value)


def _worked_out(eqn: Any, reads: list[Any]) -> list[Any] | None:
    """What an equation gives for numbers; None where that is much, or it cannot be told."""
    if any(getattr(one.aval, "size", MOST_WORKED_OUT + 1) > MOST_WORKED_OUT for one in eqn.outvars):
        return None
    try:
        found = eqn.primitive.bind(*[jax.numpy.asarray(one) for one in reads], **eqn.params)
    except Exception:
        return None
    many = found if eqn.primitive.multiple_results else [found]
    return [_constant(one) for one in many]


def readers_of(equations: Sequence[Equation]) -> dict[Value, list[Equation]]:
    """Who reads a value."""
    found: dict[Value, list[Equation]] = {}
    for equation in equations:
        for one in equation.reads:
            if isinstance(one, Value):
                found.setdefault(one, []).append(equation)
    return found


def needed(
    equations: Sequence[Equation], results: Sequence[Any], stop: Callable[[Equation], Sequence[Any]]
) -> set[int]:
    """The equations that results take, by identity; `stop` gives what one reads."""
    waiting = [one.maker for one in results if isinstance(one, Value) and one.maker is not None]
    found: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) not in found:
            found.add(id(one))
            waiting += [read.maker for read in stop(one) if isinstance(read, Value) and read.maker is not None]
    return found


def is_number(value: Any) -> bool:
    """Whether a value is one number that is known."""
    return isinstance(value, np.ndarray) and value.size == 1


def is_all(value: Any, number: float) -> bool:
    """Whether a value is this number everywhere."""
    if isinstance(value, Value):
        maker = value.maker
        return maker is not None and maker.name == "broadcast_in_dim" and is_all(maker.reads[0], number)
    return bool(value.size) and bool((value == number).all())
