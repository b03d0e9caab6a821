"""Evaluates the ops of a body on tensors of float64: each kind by its definition, or with the reason why there is none.

This is the second layer of meaning that the design asks for (random interpretation): two formulas that agree on random
tensors are equal but for a set of measure zero (Schwartz 1980; Gulwani and Necula 2003). Nothing here guesses: an
attribute that a definition does not know, or a number that could not be read, ends the evaluation with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from archcheck.ir.graph import Op, Value
from archcheck.proof import layouts, pointwise, products, reductions
from archcheck.proof.world import CannotEvaluate, DoesNotFit, Reader, World

if TYPE_CHECKING:
    from archcheck.proof.world import Array

Definition = Callable[[Reader, Sequence["Array"]], "Array | tuple[Array, ...]"]
# What an op makes of operands that are free: asked with the op, the free value, and the shapes of its other operands.
Free = Callable[[Op, Value, Sequence[tuple[int, ...]]], "Array"]

_TOLD = frozenset({"name", "frozen"})  # attributes that say nothing about the value
MOST_ELEMENTS = 1 << 22  # of one tensor: beyond this a proof costs more than it is worth


@cache
def definitions() -> Mapping[str, tuple[Definition, frozenset[str]]]:
    """Kind -> its definition, and the attributes that the definition knows."""
    table: dict[str, tuple[Definition, frozenset[str]]] = {}

    def define(definition: Definition, kinds: str, attributes: str = "") -> None:
        for kind in kinds.split():
            table[kind] = (definition, frozenset(attributes.split()))

    define(pointwise.one, " ".join(pointwise.unary()), "p axes alpha")
    define(pointwise.two, "add mul scale maximum minimum", "by")
    define(pointwise.two, "sub", "by reverse")
    define(pointwise.two, "div", "by reverse rounding")
    define(pointwise.elementwise, "elementwise", "function by")
    define(pointwise.power, "pow", "exponent base")
    define(pointwise.clamp, "clamp", "min max")
    define(pointwise.compare, "compare", "relation by")
    define(pointwise.logical, "logical", "operator")
    define(pointwise.where, "where", "yes no")
    define(pointwise.masked_fill, "masked_fill", "by")
    define(pointwise.lerp, "lerp", "weight")
    define(pointwise.rounded, "round", "mode")
    define(pointwise.activation, "gelu", "approximate")
    define(pointwise.activation, "silu softplus", "beta")
    define(pointwise.activation, "elu celu", "alpha")
    define(pointwise.activation, "leaky_relu", "slope")
    define(pointwise.glu, "glu", "activation swapped axis")
    define(pointwise.complex_number, "complex", "polar")
    define(pointwise.part, "real imag")
    define(reductions.reduction, "sum mean prod reduce_max reduce_min", "axis")
    define(reductions.reduction, "reduce_logical", "axis operator")
    define(reductions.spread, "var std", "axis correction")
    define(reductions.vector_norm, "vector_norm", "axis p")
    define(reductions.l2_norm, "l2_norm", "axis p eps")
    define(reductions.softmax, "softmax log_softmax", "axis")
    define(reductions.logsumexp, "logsumexp", "axis")
    define(reductions.running, "cumsum cumprod", "axis exclusive reverse")
    define(reductions.extreme_place, "argmax argmin", "axis")
    stated = "eps eps_place dim axis offset elementwise_affine bias"
    define(reductions.layer, "layer_norm", f"{stated} correction")
    define(reductions.layer, "rms_norm", stated)
    define(products.matmul, "matmul", "transpose_a transpose_b")
    define(products.matmul_add, "matmul_add", "alpha beta")
    define(products.einsum, "einsum", "equation")
    define(products.tensordot, "tensordot", "axes")
    define(products.outer, "outer")
    define(layouts.reshape, "reshape", "shape form axis end batch_apart")
    define(layouts.permute, "permute", "axes axis other_axis source destination batch_apart")
    define(layouts.expand, "expand", "repeats axis shape interleaved")
    define(layouts.select, "select", "index axis start length offset")
    define(layouts.concat, "concat", "axis")
    define(layouts.stack, "stack", "axis")
    define(layouts.split, "split", "axis sections size unbind")
    define(layouts.roll, "roll", "shift axis")
    define(layouts.flip, "flip", "axis")
    define(layouts.triangle, "triangle", "upper diagonal")
    define(layouts.as_real, "as_real", "inverse")
    define(layouts.constant, "constant", "value shape start end step steps")
    define(layouts.gather, "gather", "axis whole batch_axes coordinates")
    define(layouts.pad, "pad", "amount mode by")
    return table


REDUCING = frozenset(("sum", "mean", "var", "std", "prod", "vector_norm", "reduce_max", "reduce_min", "logsumexp"))
REDUCING |= {"reduce_logical", "argmax", "argmin"}


def undefined(ops: Sequence[Op]) -> str:
    """Why ops have no value on tensors: the first without a definition, or with an attribute that none knows; or ""."""
    for op in ops:
        if op.kind.name in ("parameter", "input"):
            continue
        if op.body:
            if why := undefined(op.body):
                return why
            continue
        row = definitions().get(op.kind.name)
        if row is None:
            return f"{op.kind.name} has no definition here"
        for one in op.attrs:
            if one.name not in row[1] | _TOLD and one.value is not None:
                return f"{op.kind.name} with the attribute {one.name} has no definition here"
    return ""


def evaluate(
    ops: Sequence[Op], given: Mapping[Value, Array], world: World, free: Free | None = None
) -> dict[Value, Array]:
    """The values of ops, from those that are given.

    Args:
        ops: in program order, each kind with a definition (`undefined`). What they hold in a body is evaluated too.
        given: values read from outside, and those of ops that are not to be evaluated: parameters.
        world: what stands for open numbers.
        free: makes a value that is read and not given, when it is read.

    Returns:
        What was given, and what each op gives.

    Raises:
        CannotEvaluate: a number could not be read.
        DoesNotFit: the ops cannot run on tensors of these sizes.
    """
    import numpy as np

    values = dict(given)

    def sizes(value: Value) -> tuple[int, ...] | None:
        found = values.get(value)
        return found.shape if found is not None else world.shapes.get(value)

    with np.errstate(all="ignore"):
        _run(ops, values, world, sizes, free)
    return values


def _run(
    ops: Sequence[Op],
    values: dict[Value, Array],
    world: World,
    sizes: Callable[[Value], tuple[int, ...] | None],
    free: Free | None,
) -> None:
    table = definitions()
    for op in ops:
        if Value(op.path) in values:
            continue
        if op.body:
            _run(op.body, values, world, sizes, free)
            for index, value in enumerate(op.results):
                values[Value(op.path, index)] = _given(value, values)
            continue
        row = table.get(op.kind.name)
        if row is None:
            raise CannotEvaluate(f"{op.kind.name} has no definition here")
        try:
            found = row[0](Reader(op, world, sizes), _operands(op, values, free))
        except (ValueError, IndexError) as error:  # numpy's words for sizes that do not go together
            raise DoesNotFit(str(error)) from None
        for index, array in enumerate(found if isinstance(found, tuple) else (found,)):
            if array.size > MOST_ELEMENTS:
                raise CannotEvaluate("a tensor with too many elements")
            values[Value(op.path, index)] = array


def _given(value: Value, values: Mapping[Value, Array]) -> Array:
    if value not in values:
        raise CannotEvaluate(f"{value.op} is read and not given")
    return values[value]


def _operands(op: Op, values: dict[Value, Array], free: Free | None) -> list[Array]:
    if free is not None:
        shapes = [values[value].shape for value in op.reads if value in values]
        for value in op.reads:
            if value not in values:
                values[value] = free(op, value, shapes)
    return [_given(value, values) for value in op.reads]
