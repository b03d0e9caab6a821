"""JAX's transforms of functions: loops, conditions, mapping over an axis."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

from archcheck.frontends.static import sizes
from archcheck.frontends.static.machine import flatten_tensors
from archcheck.frontends.static.opens import Open, OpenRange, Rank, Several
from archcheck.frontends.static.values import Args, Data, External, Handler, Instance, Kwargs, Native, Tensor

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

MOST_ROUNDS = 512  # of a loop, above which it is not followed round by round
DEEPEST = 8  # levels of lists and dicts that a tree of arrays has


def mapped(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`vmap(f, in_dims, out_dims)`: calls `f` with an entry of each tensor that is mapped over, and stacks."""
    spelled = {"fun": "func", "in_axes": "in_dims", "out_axes": "out_dims"}
    given = {spelled.get(key, key): value for key, value in kwargs.items()}
    bound = dict(zip(("func", "in_dims", "out_dims"), args, strict=False)) | given
    function, in_dims, out_dims = bound.get("func"), bound.get("in_dims", 0), bound.get("out_dims", 0)
    if function is None:
        return Native("vmap", lambda vm, inner, more: mapped(vm, [inner[0]], {**given, **more}))

    def call(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        axes = list(in_dims) if isinstance(in_dims, (tuple, list)) else [in_dims] * len(args)
        if len(axes) != len(args) or not all(axis is None or type(axis) is int for axis in (*axes, out_dims)):
            tensors = list(flatten_tensors([args, kwargs]))
            return vm.opaque("vmap", tensors, "it maps over more than one axis of one tensor")
        entries: list[Data] = []
        size: int | None = None
        for arg, axis in zip(args, axes, strict=True):
            if axis is None or not isinstance(arg, Tensor):
                entries.append(arg)
                continue
            size = sizes.along(vm, arg, axis)
            entry = vm.call(External("torch.vmap.entry"), [arg, axis], {})
            sizes.without(vm, entry, arg, axis)
            entries.append(entry)
        result = vm.call(function, entries, kwargs)
        if not isinstance(result, Tensor):
            return vm.opaque("vmap", list(flatten_tensors([args, result])), "it gives more than one tensor")
        stacked = vm.call(External("torch.vmap.stacked"), [result, out_dims], {})
        sizes.within(vm, stacked, result, out_dims, size)
        return stacked

    return Native("mapped", call)


def _each(value: Data, change: Callable[[Tensor], Data], depth: int = DEEPEST) -> Data:
    """A tree of arrays with each of them changed."""
    if isinstance(value, Tensor):
        return change(value)
    if depth and isinstance(value, tuple):
        return tuple(_each(part, change, depth - 1) for part in value)
    if depth and isinstance(value, list):
        return [_each(part, change, depth - 1) for part in value]
    if depth and isinstance(value, dict):
        return {key: _each(part, change, depth - 1) for key, part in value.items()}
    return value


def _not_followed(vm: Machine, name: str, value: Data, others: Data, why: str) -> Data:
    """Each array of a tree as something that may be computed from all that went in."""
    reads = list(flatten_tensors([value, others]))
    return _each(value, lambda tensor: vm.opaque(name, reads, why))


def _scan(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`scan(f, init, xs, length)`: `f(carry, x)` gives the next carry and a `y` for each x."""
    names = ("f", "init", "xs", "length", "reverse", "unroll")
    bound = dict(zip(names, args, strict=False)) | kwargs
    function, carry, xs = bound.get("f"), bound.get("init"), bound.get("xs")
    tensors = [one for one in flatten_tensors(xs) if isinstance(one, Tensor)]
    count = bound.get("length")
    if count is None and tensors:
        count = sizes.along(vm, tensors[0], 0)
    if type(count) is int and count <= MOST_ROUNDS:
        order = range(count - 1, -1, -1) if bound.get("reverse") is True else range(count)
        ys: list[Data] = []
        for at in order:
            step = _each(xs, lambda tensor, at=at: vm.emit("select", (tensor,), {"index": at}))  # type: ignore[misc]
            carry, y = _pair(vm, vm.call(function, [carry, step], {}))
            ys.append(y)
        return carry, _stacked(vm, ys[::-1] if bound.get("reverse") is True else ys)
    if any(not tensor.learned for tensor in tensors):
        why = "a scan goes along a sequence, step by step"
        return _not_followed(vm, "jax.lax.scan", carry, xs, why), vm.opaque(
            "jax.lax.scan", list(flatten_tensors([carry, xs])), why
        )
    with vm.within(OpenRange("how often a scan goes round is not known", vm.here())):
        step = _each(xs, lambda tensor: vm.emit("select", (tensor,), {"index": vm.open("the step of a scan")}))
        carry, y = _pair(vm, vm.call(function, [carry, step], {}))
    return carry, _stacked(vm, [y])


def _pair(vm: Machine, value: Data) -> tuple[Data, Data]:
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return value[0], value[1]
    unknown = vm.open("what a step of a scan gives")
    return (value, unknown) if isinstance(value, Open) else (unknown, unknown)


def _stacked(vm: Machine, ys: list[Data]) -> Data:
    """What the steps gave, along a new first axis."""
    first = ys[0] if ys else None
    if isinstance(first, Tensor):
        return vm.emit("stack", [y for y in ys if isinstance(y, Tensor)], {"axis": 0})
    if isinstance(first, (tuple, list)):
        return tuple(_stacked(vm, [y[at] for y in ys if len(y) > at]) for at in range(len(first)))
    return first


def _fori(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`fori_loop(lower, upper, body, value)`."""
    bound = dict(zip(("lower", "upper", "body_fun", "init_val"), args, strict=False)) | kwargs
    lower, upper, body, value = (bound.get(name) for name in ("lower", "upper", "body_fun", "init_val"))
    if type(lower) is int and type(upper) is int and upper - lower <= MOST_ROUNDS:
        for at in range(lower, upper):
            value = vm.call(body, [at, value], {})
        return value
    with vm.within(OpenRange("how often a loop goes round is not known", vm.here())):
        return vm.call(body, [vm.open("the round of a loop"), value], {})


def _while(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`while_loop(cond, body, value)`: when it ends is decided by what arrays hold."""
    value = args[2] if len(args) > 2 else kwargs.get("init_val")
    why = "how often it goes round is decided by what arrays hold"
    return _not_followed(vm, "jax.lax.while_loop", value, None, why)


def _cond(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`cond(pred, true_fun, false_fun, *operands)`: where an array decides, each result is one of two."""
    bound = dict(zip(("pred", "true_fun", "false_fun"), args, strict=False)) | kwargs
    pred, operands = bound.get("pred"), [*args[3:]]
    if "operand" in kwargs:
        operands.append(kwargs["operand"])
    if not isinstance(pred, Tensor):
        return vm.call(bound.get("true_fun") if vm.truth(pred) else bound.get("false_fun"), operands, {})
    yes = vm.call(bound.get("true_fun"), operands, {})
    no = vm.call(bound.get("false_fun"), operands, {})
    return _chosen(vm, pred, yes, no)


def _chosen(vm: Machine, pred: Tensor, yes: Data, no: Data) -> Data:
    if isinstance(yes, Tensor) and isinstance(no, Tensor):
        return yes if yes.value == no.value else vm.emit("where", (pred, yes, no))
    if isinstance(yes, (tuple, list)) and isinstance(no, (tuple, list)) and len(yes) == len(no):
        return tuple(_chosen(vm, pred, one, other) for one, other in zip(yes, no, strict=True))
    if isinstance(yes, dict) and isinstance(no, dict) and yes.keys() == no.keys():
        return {key: _chosen(vm, pred, yes[key], no[key]) for key in yes}
    if type(yes) is type(no) and isinstance(yes, (int, float, str, type(None))) and yes == no:
        return yes
    reads = list(flatten_tensors([pred, yes, no]))
    return vm.opaque("jax.lax.cond", reads, "its two sides do not give arrays alike")


def _map(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`map(f, xs)`: each entry along the first axis."""
    return vm.call(mapped(vm, [args[0]], {}), [args[1]], {})


def _number(name: str) -> Handler:
    """A function of numbers where it is given some, of arrays otherwise."""

    def number(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        from archcheck.frontends.static import rows

        if args and not any(True for _ in flatten_tensors([args, kwargs])) and not isinstance(args[0], Instance):
            return vm.call(External(f"math.{name}"), args, {})
        return rows.call_function(vm, f"jax.numpy.{name}", args, kwargs)

    return number


def _axis_numbers(given: Data) -> tuple[int, ...] | None:
    """Numbers of axes; those that count from the rank are negative. None where they are not known."""
    parts = given if isinstance(given, (tuple, list)) else (given,)
    found = tuple(part.plus if isinstance(part, Rank) else part for part in parts)
    return found if all(type(part) is int for part in found) else None


def _rank(vm: Machine, tensor: Tensor) -> int | None:
    """How many axes a learned tensor has, where its shape is stated."""
    op = vm.recorder.by_path.get(tensor.value.op)
    while op is not None and op.kind.name in ("permute", "identity") and op.reads:
        op = vm.recorder.by_path.get(op.reads[0].op)
    shape = op.attr("shape") if op is not None and op.kind.name in ("parameter", "reshape") else None
    if shape is None and op is not None and op.kind.name == "parameter":
        place = str(op.attr("name")).rpartition(".")[0]
        tables = (one.path.rpartition("/")[0] for one in vm.recorder.ops if one.kind.name == "embedding")
        return 2 if place and place in tables else None  # the one tensor that a layer of rows has
    return len(shape) if isinstance(shape, tuple) else None


def _trailing(vm: Machine, tensor: Tensor, count: int) -> tuple[Data, ...]:
    """The sizes of a learned tensor behind its first axes, as far as they are stated; () where that is not known."""
    op = vm.recorder.by_path.get(tensor.value.op)
    while op is not None and op.kind.name == "identity" and op.reads:
        op = vm.recorder.by_path.get(op.reads[0].op)
    shape = op.attr("shape") if op is not None and op.kind.name in ("parameter", "reshape") else None
    return tuple(shape[count:]) if isinstance(shape, tuple) else ()


def _dot_general(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`dot_general(lhs, rhs, ((lhs_contract, rhs_contract), (lhs_batch, rhs_batch)))`: the last axes of one with the
    first of the other are a product; anything else is told apart by ranks that are not known."""
    bound = dict(zip(("lhs", "rhs", "dimension_numbers"), args, strict=False)) | kwargs
    lhs, rhs, numbers = bound.get("lhs"), bound.get("rhs"), bound.get("dimension_numbers")
    contract, batch = numbers if isinstance(numbers, (tuple, list)) and len(numbers) == 2 else (None, None)
    pairs = contract if isinstance(contract, (tuple, list)) and len(contract) == 2 else (None, None)
    read, taken = _axis_numbers(pairs[0]), _axis_numbers(pairs[1])
    plain = isinstance(batch, (tuple, list)) and not any(_axis_numbers(part) != () for part in batch)
    tensors = list(flatten_tensors([lhs, rhs]))
    if not plain or not read or taken is None or not (isinstance(lhs, Tensor) and isinstance(rhs, Tensor)):
        return vm.opaque("jax.lax.dot_general", tensors, "which axes it contracts is not known")
    count = len(read)
    last = read == tuple(range(-count, 0))
    if last and count == 1 and taken in ((1,), (-1,)) and _rank(vm, rhs) == 2:
        return vm.emit("matmul", (lhs, rhs), {"transpose_b": True})  # features with those of each row of a table
    if not last or taken != tuple(range(count)):
        return vm.opaque("jax.lax.dot_general", tensors, "it contracts other axes than the last with the first")
    rank = _rank(vm, rhs)
    if count == 1 and rank == 2:
        return vm.emit("matmul", (lhs, rhs))
    trailing = _trailing(vm, rhs, count)
    if rhs.learned and trailing:  # a linear map of flattened axes: its weight is a parameter that stands right there
        told = prod(trailing) if all(type(size) is int for size in trailing) else None
        x = lhs if count == 1 else vm.emit("reshape", (lhs,), {"form": "flatten", "axis": -count, "end": -1})
        stated = {"bias": False} if told is None else {"bias": False, "out_features": told}
        y = vm.emit("linear", (x,), stated)
        if len(trailing) == 1:
            return y
        shape = (Several("the shape of a tensor[:-1]", vm.here(), metadata=True), *trailing)
        return vm.emit("reshape", (y,), {"shape": shape})
    return vm.emit("tensordot", (lhs, rhs), {"axes": count})


_OF_NUMBERS = ("sqrt", "log", "exp", "log2", "floor", "ceil", "sin", "cos", "prod")
TRANSFORMS: dict[str, Handler] = {
    **dict.fromkeys(("torch.vmap", "torch.func.vmap", "jax.vmap"), mapped),
    "jax.lax.scan": _scan,
    "jax.lax.fori_loop": _fori,
    "jax.lax.while_loop": _while,
    "jax.lax.cond": _cond,
    "jax.lax.map": _map,
    "jax.lax.dot_general": _dot_general,
    **{f"jax.numpy.{name}": _number(name) for name in _OF_NUMBERS},
}
