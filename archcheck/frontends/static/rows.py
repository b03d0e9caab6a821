"""Library calls: arguments bound to the rows of the dialect tables, and the op recorded that a row stands for."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.dialects.table import BESIDE, IGNORED_KEYWORDS, Formula, LayerRow, Row
from archcheck.frontends.dialects.tensorflow_v1 import ONLY_V1
from archcheck.frontends.static import contents, inplace, numbers, sizes, vectors
from archcheck.frontends.static.libraries import TENSOR_METHODS
from archcheck.frontends.static.machine import flatten_tensors
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.signatures import bind, declared, fits, listed, operands, stated, unknown_operand
from archcheck.frontends.static.values import (
    INERT,
    Data,
    External,
    Function,
    Native,
    Scope,
    Tensor,
    TensorMethod,
    Tensors,
    is_open,
)
from archcheck.ir.graph import Op, Value

if TYPE_CHECKING:
    from archcheck.frontends.static.library import SourceFile
    from archcheck.frontends.static.machine import Machine

MOST_PARTS = 64  # of a tensor, above which a loop over them is read once
UNLISTED = object()  # no row and no formula bears this name
VIEWS = frozenset({"reshape", "permute", "select", "identity", "expand"})
_JOINING = frozenset({"concat", "stack"})
IDENTITY_LIKE = frozenset({"dropout", "stochastic_depth"})


def apply(vm: Machine, name: str, row: Row, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """What a call that `row` describes gives; `UNLISTED` where the row does not fit."""
    bound = bind(row.parameters, args, kwargs)
    if bound is None or not fits(bound, row.parameters, row.plain):
        return UNLISTED
    reads = operands(vm, row.parameters, bound, row.attrs.values())
    if row.kind == "concat" and not reads and (joined := _joined_sizes(bound)) is not None:
        return joined
    if reads and switched_off(vm, row, bound):
        return reads[0]
    if not reads and (number := numbers.computed(row, bound, args)) is not None:
        return number
    if not reads and any(parameter.reads and parameter.required for parameter in row.parameters):
        unknown = next(
            (part for p in row.parameters if p.reads for part in listed(bound[p.name]) if is_open(part)), None
        )
        if isinstance(unknown, Open):
            return unknown.about(unknown.within(f"{name} of "), vm.here())
        if unknown is not None:
            return vm.open(f"{name} of {unknown}", metadata=True)
    if not reads and any(parameter.reads and parameter.star for parameter in row.parameters):
        return vm.open(f"{name} of no tensor", metadata=True)
    if len(reads) == 1 and (turned := _reversed(vm, row, bound)) is not None:
        return turned
    if _joins_uncounted(row.kind, reads):
        return vm.opaque(name, reads, _UNCOUNTED)
    path = vm.emit_path(row.kind, reads, stated(row, row.parameters, bound), bound)
    if row.kind == "identity":
        sizes.cast(vm, path, name, (*args[1:], *kwargs.values()))
    return _result(vm, path, row, bound, reads)


def _reversed(vm: Machine, row: Row, bound: dict[str, Data]) -> Data:
    """What arithmetic on a number and a tensor gives, in this order: `subtract(1.0, x)`; None for any other call."""
    pair = [bound.get(parameter.name) for parameter in row.parameters if parameter.reads]
    if len(pair) != 2 or not isinstance(pair[0], (int, float)) or not isinstance(pair[1], Tensor):
        return None
    if row.kind in _ARITHMETIC and row.const.keys() <= {"rounding"}:
        from archcheck.frontends.static.conditions import binary

        operator = ast.FloorDiv if row.const.get("rounding") == "floor" else _ARITHMETIC[row.kind]
        return binary(vm, operator, pair[0], pair[1])
    if row.kind in ("maximum", "minimum"):
        return vm.emit(row.kind, [pair[1]], {"by": pair[0]})
    return None


_ARITHMETIC: dict[str, type[ast.operator]] = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "div": ast.Div, "pow": ast.Pow,
}  # fmt: skip


_UNCOUNTED = "how many tensors it joins is not known"


def _joins_uncounted(kind: str, reads: list[Tensor | Tensors]) -> bool:
    """Whether an op puts parts of a tensor together of which it is not known how many there are."""
    return kind in _JOINING and any(isinstance(read, Tensors) and not read.count for read in reads)


def _joined_sizes(bound: dict[str, Data]) -> list[Data] | None:
    """Lists of sizes joined into one, as `tf.concat([tf.shape(x)[:-1], [n, -1]], 0)` does; None where one is no list.

    A list that is not known stays one entry, as `(*x.shape[:-1], n, -1)` leaves it.
    """
    parts = next((value for value in bound.values() if isinstance(value, (list, tuple))), None)
    if parts is None or bound.get("axis") not in (0, -1):
        return None
    joined: list[Data] = []
    for part in parts:
        if isinstance(part, (list, tuple)):
            joined.extend(part)
        elif isinstance(part, Open) and part.metadata:
            joined.append(part)
        else:
            return None
    return joined


def switched_off(vm: Machine, row: Row | LayerRow, bound: dict[str, Data]) -> bool:
    """Whether the argument that says if a call does anything (`training=`) says no."""
    if not row.active:
        return False
    off = row.active.removeprefix("not ")
    active = bound.get(off)
    if off != row.active and isinstance(active, bool):
        return active
    return active is False or (active is None and not vm.training)


def _result(vm: Machine, path: str, row: Row, bound: dict[str, Data], reads: list[Tensor | Tensors]) -> Data:
    if row.outputs == 0:
        each = len(reads) if row.kind == "meshgrid" and all(isinstance(one, Tensor) for one in reads) else 0
        return Tensors(path, each or _parts(vm, path))
    if row.outputs > 1:
        parts = tuple(Tensor(Value(path, index)) for index in range(row.outputs))
        return NamedParts(parts, row.fields) if row.fields else parts
    first = reads[0] if reads and isinstance(reads[0], Tensor) else None
    result = Tensor(Value(path))
    changed = bound.get(row.parameters[0].name) if row.inplace and row.parameters else None
    if isinstance(changed, Tensor):  # `x.copy_(y)` reads y alone, and changes x
        from archcheck.frontends.static.statements import write

        write(vm, changed, result)
        return changed
    if row.kind in VIEWS and vm.inplace_sums and not row.fresh:
        result.base = first
    if row.kind in VIEWS and first is not None:
        result.learned = first.learned
    return inplace.settled(vm, bound, reads, activated(vm, row, bound, result))


def activated(vm: Machine, row: Row | LayerRow, arguments: dict[str, Data], result: Data) -> Data:
    """`result` behind the activation that a call names in its arguments, as Keras and `tf.layers` take it."""
    if "activation" not in row.attrs or "activation" in declared(row.kind):
        return result
    activation = arguments.get(row.attrs["activation"])
    if activation is None or activation == "linear":
        return result
    chosen = External(dialects.activation(activation)) if isinstance(activation, str) else activation
    return vm.call(chosen, [result], {})


def _parts(vm: Machine, path: str) -> int:
    """Into how many parts an op cuts a tensor, where it says so; 0 where it does not."""
    op = vm.recorder.by_path[path]
    if op.attr("unbind") is True:
        return _along(vm, op)
    sections = op.attr("sections")
    size = op.attr("size")
    for parts in (sections, size):
        if isinstance(parts, tuple):
            return len(parts)
    if isinstance(size, int) and size > 0:
        return -(-_along(vm, op, MOST_PARTS * size) // size)
    return sections if isinstance(sections, int) and not isinstance(sections, bool) and sections <= MOST_PARTS else 0


def _along(vm: Machine, op: Op, most: int = MOST_PARTS) -> int:
    """How many entries the operand of an op has along its axis; 0 where that is not known, or more than `most`."""
    axis = op.attr("axis", 0)
    size = sizes.along(vm, Tensor(op.reads[0]), axis) if op.reads and isinstance(axis, int) else None
    return size if size is not None and size <= most else 0


class NamedParts(tuple[Data, ...]):
    """Several tensors that also go by names, as `torch.topk(...).indices` does; `empty` are names without one."""

    names: tuple[str, ...]
    empty: frozenset[str] = frozenset()

    def __new__(cls, parts: tuple[Data, ...], names: tuple[str, ...]) -> NamedParts:
        made = super().__new__(cls, parts)
        made.names = names
        return made


def call_function(vm: Machine, name: str, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """A library function; `UNLISTED` where no table speaks of it."""
    if name.startswith("tensorflow.") and not name.startswith("tensorflow.compat.") and _is_release_1(vm.frame.file):
        older = f"tensorflow.compat.v1.{name.removeprefix('tensorflow.')}"
        if dialects.canonical(older) == older and (dialects.function(older) or dialects.formula(older)):
            name = older
    result = _by_tables(vm, name, args, kwargs)
    return vectors.told(vm, name[6:], args, kwargs, result) if name.startswith("torch.") else result


def _by_tables(vm: Machine, name: str, args: list[Data], kwargs: dict[str, Data]) -> Data:
    row = dialects.function(name)
    if row is not None:
        result = apply(vm, name, row, args, kwargs)
        if result is not UNLISTED:
            return result
    formula = dialects.formula(name)
    if formula is not None:
        return evaluate_formula(vm, formula, args, kwargs)
    if row is not None:
        tensors = list(flatten_tensors([args, kwargs]))
        if tensors:
            return vm.opaque(name, tensors, f"{name} is called in a way that its dialect row does not describe")
        return vm.open(f"{name}()", metadata=True)
    return UNLISTED


@cache
def _is_release_1(file: SourceFile) -> bool:
    """Whether a file is written for TensorFlow 1: it uses a name that release 2 does not have."""
    if "import tensorflow.compat.v1 as" in file.text:
        return True
    return bool(_ONLY_V1.search(file.text))


_ONLY_V1 = re.compile(r"\btf\.(?:" + "|".join(re.escape(name) for name in ONLY_V1) + ")")


def evaluate_formula(vm: Machine, formula: Formula, args: list[Data], kwargs: dict[str, Data]) -> Data:
    scope = Scope(vm.frame.file)
    scope.vars.update(FORMULA_NAMES)
    function = Function(formula.tree, scope, "lambda")
    function.defaults = [vm.evaluate(default, scope) for default in formula.tree.args.defaults]
    function.keyword_defaults = [None if d is None else vm.evaluate(d, scope) for d in formula.tree.args.kw_defaults]
    kept = {key: value for key, value in kwargs.items() if key not in IGNORED_KEYWORDS}
    function.formula = True
    binder = vm.call(function, args, kept)
    first = args[0] if args else None
    if formula.inplace and isinstance(first, Tensor) and isinstance(binder, Tensor):
        from archcheck.frontends.static.statements import write

        write(vm, first, binder)
        return first
    return binder


class _Ops:
    """`op` in a formula: its attributes are the op kinds."""


def op_of_kind(kind: str) -> Native:
    """The function that records an op of `kind`: positional arguments are read, keywords are stated."""

    def emit(vm: Machine, args: list[Data], kwargs: dict[str, Data]) -> Data:
        attributes = {key: value for key, value in kwargs.items() if value is not None and key not in BESIDE}
        beside = {key: value for key, value in kwargs.items() if key in BESIDE}
        reads = list(flatten_tensors(args))
        unknown = next((value for value in args if isinstance(value, Open)), None)
        if not reads and unknown is not None:
            return unknown.about(unknown.within(f"{kind} of "), vm.here())
        if reads and (args[0] is None or any(is_open(value) for value in args)):
            told = [unknown_operand(vm, one) if is_open(one) or one is args[0] is None else one for one in args]
            reads = list(flatten_tensors(told))
        if _joins_uncounted(kind, reads):
            return vm.opaque(kind, reads, _UNCOUNTED)
        return Tensor(Value(vm.emit_path(kind, reads, attributes, beside)))

    return Native(kind, emit)


def _weights(vm: Machine) -> Data:
    """What is loaded: it holds nothing that anything is built of."""
    vm.assume("no weights are loaded, and what they hold decides no layer")
    return INERT


OPS = _Ops()
FORMULA_NAMES: dict[str, Data] = {
    "torch": External("torch"),
    "copy": External("copy"),
    "inspect": External("inspect"),
    "math": External("math"),
    "tf": External("tensorflow"),
    "tensorflow": External("tensorflow"),
    "numpy": External("numpy"),
    "jax": External("jax"),
    "flax": External("flax"),
    "haiku": External("haiku"),
    "transformers": External("transformers"),
    "mesh_tensorflow": External("mesh_tensorflow"),
    "keras": External("keras"),
    "op": OPS,
    "named": Native("named", lambda vm, args, kwargs: NamedParts(tuple(kwargs.values()), tuple(kwargs))),
    "weights": Native("weights", lambda vm, args, kwargs: _weights(vm)),
    "unknown": Native("unknown", lambda vm, args, kwargs: vm.open(str(args[0]), metadata=True)),
}


def call_method(vm: Machine, method: TensorMethod, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """A method of a tensor."""
    native = TENSOR_METHODS.get(method.name)
    if native is not None:
        result = native(vm, method.tensor, args, kwargs)
        if result is not NotImplemented:
            return result
    data = method.tensor.data
    given = Tensor(method.tensor.value, data=data)  # as it is before the call
    result = _method_by_tables(vm, method, args, kwargs)
    return result if data is None else vectors.told(vm, method.name, [given, *args], kwargs, result)


def _method_by_tables(vm: Machine, method: TensorMethod, args: list[Data], kwargs: dict[str, Data]) -> Data:
    if dialects.is_metadata(method.name):
        return metadata(vm, method.name, method.tensor)
    row = dialects.method(method.name, vm.arrays)
    if row is not None:
        result = apply(vm, method.name, row, [method.tensor, *args], kwargs)
        if result is not UNLISTED:
            return result
    formula = dialects.method_formula(method.name, vm.arrays)
    if formula is not None:
        return evaluate_formula(vm, formula, [method.tensor, *args], kwargs)
    tensors = [method.tensor, *flatten_tensors([args, kwargs])]
    return vm.opaque(method.name, tensors, f"the tensor method {method.name} is not in the dialect")


def metadata(vm: Machine, name: str, tensor: Tensor) -> Data:
    """What a tensor tells about itself: known where sizes of inputs are, and never what decides an architecture."""
    if name in ("shape", "get_shape"):
        return sizes.shape_of(vm, tensor)
    if name == "dtype" and vm.inplace_sums and contents.holds_truths(vm, tensor.value):
        return External("torch.bool")
    if name.startswith("grad"):
        return Open(f"the {name} of a tensor", vm.here(), metadata=True)
    return sizes.told(vm, tensor, name)
