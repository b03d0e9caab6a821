"""Operators as calls that the dialect tables list: what tells axes and shapes becomes numbers, windows are laid out as
other frameworks lay them out (`windows.py`), and what ONNX says in one operator and others in several is told in these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archcheck.frontends.onnx_model import windows
from archcheck.frontends.onnx_model.model import Node, Stored
from archcheck.frontends.onnx_model.numbers import Held
from archcheck.frontends.static import rows, sizes
from archcheck.frontends.static.opens import Open, Shape
from archcheck.frontends.static.values import Data, Tensor
from archcheck.ir.graph import Unknown, Value

if TYPE_CHECKING:
    from archcheck.frontends.onnx_model.building import Builder
    from archcheck.frontends.static.machine import Machine

_FUNCTIONAL = "torch.nn.functional."
_END = 2**31 - 1  # exporters write it, or more, for "to the end"
_PLACE = re.compile(r"[^\w.\-]")

# inputs that are one number, or a list of numbers, by their place
_SCALARS: dict[str, tuple[int, ...]] = {
    "TopK": (1,),
    "Trilu": (1,),
    "CumSum": (1,),
    "CumProd": (1,),
    "Clip": (1, 2),
    "Dropout": (1, 2),
}
_SCALARS |= {
    "OneHot": (1,),
    "Range": (0, 1, 2),
    "STFT": (1, 3),
    "HannWindow": (0,),
    "HammingWindow": (0,),
    "BlackmanWindow": (0,),
}
_LISTS: dict[str, tuple[int, ...]] = {"Tile": (1,), "ConstantOfShape": (0,), "OneHot": (2,)}
_LISTS |= dict.fromkeys(
    [f"Reduce{how}" for how in ("Sum", "Mean", "Prod", "Max", "Min", "LogSumExp", "L1", "L2", "SumSquare", "LogSum")],
    (1,),
)
_VARIADIC = {"Sum": "onnx.Add", "Mean": "onnx.Add", "Max": "onnx.Max", "Min": "onnx.Min"}


def place_of_name(name: str) -> str:
    """The module that holds a learned tensor of this name: texts with dots are places in a module tree."""
    return _PLACE.sub("_", name.rpartition(".")[0])[:512]


@dataclass(frozen=True, slots=True)
class Call:
    """An operator with what it is given.

    Args:
        builder: gives tensors.
        node: as the file tells it.
        name: under which the tables list it.
        given: its inputs; None for one that is left out.
        attributes: as told.
        opset: the version of ONNX's own operators.
    """

    builder: Builder
    node: Node
    name: str
    given: Sequence[Any]
    attributes: Mapping[str, Any]
    opset: int

    @property
    def vm(self) -> Machine:
        return self.builder.vm

    def operand(self, at: int) -> Data:
        """An input as the tables take it: a tensor, a number, or None."""
        one = self.given[at] if at < len(self.given) else None
        if isinstance(one, Held) and one.single and one.array.ndim <= 1:
            return one.only()
        if isinstance(one, Stored) and (factor := self.builder.factor(one, self.node, at)) is not None:
            return factor
        return None if one is None else self.builder.tensor(one)

    def tensor(self, at: int) -> Tensor:
        """An input that is a tensor."""
        return self.builder.tensor(self.given[at])

    def optional(self, at: int) -> Tensor | None:
        """An input that may be left out."""
        return self.tensor(at) if at < len(self.given) and self.given[at] is not None else None

    def number(self, at: int, name: str = "") -> Data:
        """An input that is numbers, or the attribute that older versions have for it: as lists; None if left out."""
        one = self.given[at] if at < len(self.given) else None
        if one is None:
            return self.attributes.get(name) if name else None
        if isinstance(one, Stored) and one.numbers is not None:
            one = one.numbers
        if isinstance(one, Held):
            return one.plain()
        if isinstance(one, Open):
            return one
        return self.vm.open("it is computed from a tensor", metadata=True)

    def scalar(self, at: int, name: str = "") -> Data:
        """An input that is one number."""
        found = self.number(at, name)
        while isinstance(found, list) and len(found) == 1:
            found = found[0]
        return found

    def listed(self, at: int, name: str = "") -> list[Any] | None:
        """An input that is a list of known numbers; None if it is left out, or not all of it is known."""
        found = self.number(at, name)
        if isinstance(found, (int, float)):
            return [found]
        return None if not isinstance(found, list) or any(isinstance(one, Open) for one in found) else found

    def rank(self, at: int = 0) -> int | None:
        """How many axes an input has; None where that is not known."""
        one = self.given[at]
        if isinstance(one, Stored):
            return len(one.shape)
        if isinstance(one, Held):
            return int(one.array.ndim)
        dims = sizes.known(self.vm, one) if isinstance(one, Tensor) else None
        return None if dims is None else len(dims)

    def does(self, name: str, *args: Data, **kwargs: Data) -> Data:
        """What a call of a listed function gives."""
        return rows.call_function(self.vm, name, list(args), kwargs)


def computed(call: Call) -> Data:
    """What an operator gives, or several; `UNLISTED` where no table speaks of it."""
    own = _OWN.get(call.node.op) if not call.node.domain else None
    if own is not None:
        return own(call)
    scalars, lists = _SCALARS.get(call.node.op, ()), _LISTS.get(call.node.op, ())
    args: list[Data] = []
    for at in range(len(call.given)):
        if at in scalars:
            args.append(_scalar_or_tensor(call, at))
        else:
            args.append(call.number(at) if at in lists else call.operand(at))
    if not call.node.domain and call.node.op in _VARIADIC and len(args) != 2:
        return _variadic(call, args)
    kwargs = {name: _plain(value) for name, value in call.attributes.items()}
    if not call.node.domain and call.node.op == "Mean":
        return _variadic(call, args)
    name = _VARIADIC.get(call.node.op, call.name) if not call.node.domain else call.name
    if (
        args
        and all(not isinstance(one, Tensor) for one in args)
        and call.given
        and any(one is not None for one in args)
    ):
        args[0] = args[0] if 0 in scalars or 0 in lists else call.tensor(0)
    return rows.call_function(call.vm, name, args, kwargs)


def _plain(value: Any) -> Data:
    if isinstance(value, Stored):
        return value.numbers.only() if value.numbers is not None and value.numbers.single else None
    return value


def _scalar_or_tensor(call: Call, at: int) -> Data:
    one = call.given[at]
    return one if isinstance(one, Tensor) and call.node.op == "Clip" else call.scalar(at)


def _variadic(call: Call, args: list[Data]) -> Data:
    found = args[0] if isinstance(args[0], Tensor) or len(args) > 1 else call.tensor(0)
    for one in args[1:]:
        found = call.does(_VARIADIC[call.node.op], found, one)
    if call.node.op == "Mean" and len(args) > 1:
        return call.does("onnx.Div", found, len(args))
    return call.does("onnx.Identity", found) if len(args) == 1 else found


# ---- parts and layouts


def _slice(call: Call) -> Data:
    starts, ends = call.number(1, "starts"), call.number(2, "ends")
    axes, steps = call.listed(3, "axes"), call.listed(4, "steps")
    tensor = call.tensor(0)
    if not isinstance(starts, list) or not isinstance(ends, list) or len(starts) != len(ends):
        index = call.vm.open("where it starts and ends is computed", metadata=True)
        return call.vm.emit(
            "select", (tensor,), {"index": index} | ({"axis": axes[0]} if axes and len(axes) == 1 else {})
        )
    axes, steps = axes or list(range(len(starts))), steps or [1] * len(starts)
    parts = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        first = None if start == 0 and step > 0 else start
        last = None if isinstance(end, int) and (end >= _END or (step < 0 and end <= -_END)) else end
        parts[int(axis)] = slice(
            first if not (step < 0 and isinstance(start, int) and start >= _END) else None,
            last,
            None if step == 1 else step,
        )
    rank = call.rank()
    if rank is not None:
        parts = {axis % rank: part for axis, part in parts.items()}
    if all(axis >= 0 for axis in parts):
        return call.vm.item(tensor, tuple(parts.get(at, slice(None)) for at in range(max(parts) + 1)))
    if all(axis < 0 for axis in parts):
        return call.vm.item(tensor, (..., *(parts.get(at, slice(None)) for at in range(min(parts), 0))))
    raise ValueError("axes from both ends of a tensor of which it is not known how many it has")


def _gather(call: Call) -> Data:
    axis = call.attributes.get("axis", 0)
    table, index = call.given[0], call.given[1]
    if isinstance(table, Shape):
        return call.vm.open("a part of a shape", metadata=True)
    if isinstance(index, Held) and not index.array.ndim and isinstance(index.only(), int):
        rank = call.rank()
        at = axis % rank if rank is not None else axis
        if at >= 0:
            return call.vm.item(call.tensor(0), (*[slice(None)] * at, index.only()))
        return call.does("torch.select", call.tensor(0), axis, index.only())
    if isinstance(table, Stored) and len(table.shape) == 2 and axis == 0:
        rows_of, chosen = call.tensor(0), call.tensor(1)
        if call.builder.marks.learned(table.name) is True or call.builder.depends(chosen.value):
            return call.does(f"{_FUNCTIONAL}embedding", chosen, rows_of)
        why = Unknown("the file does not tell whether the table is learned, which is not read by the input")
        return call.vm.emit("embedding", (chosen, rows_of), {"frozen": why})
    return call.vm.emit("gather", (call.tensor(0), call.tensor(1)), {"axis": axis, "whole": True})


def _split(call: Call) -> Data:
    axis, count = call.attributes.get("axis", 0), len(call.node.outputs)
    told = call.number(1, "split")
    if isinstance(told, list):
        return call.does("torch.split", call.tensor(0), told, axis)
    return call.does("torch.tensor_split" if told is None else "torch.chunk", call.tensor(0), count, axis)


def _squeeze(call: Call) -> Data:
    axes = call.number(1, "axes")
    tensor = call.tensor(0)
    if axes is None:
        return call.does("torch.squeeze", tensor)
    return call.does("torch.squeeze", tensor, axes[0] if isinstance(axes, list) and len(axes) == 1 else axes)


def _unsqueeze(call: Call) -> Data:
    axes, rank = call.listed(1, "axes"), call.rank()
    found: Data = call.tensor(0)
    if axes is None:
        return call.vm.emit("reshape", (call.tensor(0),), {"form": "unsqueeze", "axis": call.number(1)})
    if len(axes) > 1 and any(axis < 0 for axis in axes):
        if rank is None:
            return call.vm.emit("reshape", (call.tensor(0),), {"form": "unsqueeze", "axis": tuple(axes)})
        axes = [axis % (rank + len(axes)) for axis in axes]
    for axis in sorted(axes):
        found = call.does("torch.unsqueeze", found, axis)
    return found


def _reshape(call: Call) -> Data:
    vm, tensor = call.vm, call.tensor(0)
    shape = call.number(1, "shape")
    if not isinstance(shape, list):
        return vm.emit("reshape", (tensor,), {"shape": vm.open("its shape is computed from a tensor", metadata=True)})
    if not call.attributes.get("allowzero", 0):
        own = sizes.shape_of(vm, tensor)
        shape = [vm.item(own, at) if type(size) is int and size == 0 else size for at, size in enumerate(shape)]
    return call.does("torch.reshape", tensor, tuple(shape))


def _expand(call: Call) -> Data:
    shape, rank = call.number(1), call.rank()
    if isinstance(shape, list) and rank is not None:
        added = len(shape) - rank
        shape = [-1 if size == 1 and type(size) is int and at >= added else size for at, size in enumerate(shape)]
        shape = shape if added >= 0 else [-1] * -added + shape
    return call.vm.emit("expand", (call.tensor(0),), {"shape": tuple(shape) if isinstance(shape, list) else shape})


def _transpose(call: Call) -> Data:
    axes, rank = call.attributes.get("perm"), call.rank()
    if axes is None:
        if rank is None:
            return call.vm.emit(
                "permute", (call.tensor(0),), {"axes": call.vm.open("how many axes it has", metadata=True)}
            )
        axes = list(range(rank - 1, -1, -1))
    tensor = call.tensor(0)
    if len(_moved(axes)) == 2:
        return call.does("torch.transpose", tensor, *_moved(axes))
    return call.does("torch.permute", tensor, tuple(axes))


def _moved(axes: Sequence[int]) -> list[int]:
    """The axes that change their places."""
    return [at for at, axis in enumerate(axes) if at != axis]


def _attention(call: Call) -> Data:
    args = [call.optional(at) for at in range(len(call.given))]
    return rows.call_function(call.vm, call.name, list(args), dict(call.attributes))


def _grid_sample(call: Call) -> Data:
    told = dict(call.attributes)
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(word := str(told.get("mode", "bilinear")), word)
    attributes: dict[str, Data] = {"mode": mode, "padding_mode": told.get("padding_mode", "zeros")}
    attributes["align_corners"] = bool(told.get("align_corners", 0))
    return call.vm.emit("grid_sample", (call.tensor(0), call.tensor(1)), attributes)


def _top_k(call: Call) -> Data:
    largest = bool(call.attributes.get("largest", 1))
    path = call.vm.emit_path(
        "topk",
        (call.tensor(0),),
        {"k": call.scalar(1, "k"), "axis": call.attributes.get("axis", -1), "largest": largest},
    )
    return (Tensor(Value(path, 0)), Tensor(Value(path, 1)))


def _recurrence(call: Call) -> Data:
    told = dict(call.attributes)
    plain = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}[call.node.op]
    if told.get("activations") in (plain, plain * 2):
        del told["activations"]
    args = [call.optional(at) if at != 4 else None for at in range(len(call.given))]
    return rows.call_function(call.vm, call.name, list(args), told)


_OWN: dict[str, Callable[[Call], Data]] = {
    "Conv": windows.conv,
    "Gemm": windows.gemm,
    "ConvTranspose": windows.conv,
    "BatchNormalization": windows.batch_norm,
    **dict.fromkeys(
        ("MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), windows.pool
    ),
    "Resize": windows.resize,
    "Upsample": windows.resize,
    "Pad": windows.pad,
    "Slice": _slice,
    "Gather": _gather,
    "Split": _split,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Expand": _expand,
    "Transpose": _transpose,
    "Attention": _attention,
    "GridSample": _grid_sample,
    "TopK": _top_k,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrence),
}
