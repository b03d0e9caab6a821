"""How large tensors are where the caller says how large the inputs are, as a run has it.

Code decides by sizes: how far a sequence is padded, how often a recurrence goes round, of what rank a mask is. With the
sizes of the inputs given, those of all that is computed from them follow, and what code asks of them has an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from archcheck.frontends.static.opens import Open, Shape, Told
from archcheck.frontends.static.values import Data, External, Tensor, Tensors, is_metadata
from archcheck.ir.graph import Unknown, Value
from archcheck.ir.shapes import Dims, Shaped, shapes_of

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

Given = Mapping[str, Dims]  # sizes in elements, by the name of the input; a part of a list is "name[0]"
_NOT_KNOWN = Unknown("not known")
_SCALARS = frozenset({"by", "yes", "no", "min", "max"})


@dataclass(frozen=True, slots=True)
class _Noted:
    """An op whose shape is worked out when it is asked for."""

    kind: str
    attributes: Mapping[str, object]
    operands: tuple[Dims | None, ...]
    arguments: Mapping[str, object] | None


class Sizes:
    """The shapes of tensors, worked out op by op from those of the inputs.

    Args:
        given: the shapes of the inputs.
    """

    def __init__(self, given: Given) -> None:
        self.given = given
        self._ops: dict[str, _Noted] = {}
        self._shapes: dict[Value, Dims | None] = {}
        self._inputs: dict[str, str] = {}  # path -> name

    def note(
        self,
        path: str,
        kind: str,
        reads: Iterable[Tensor | Tensors],
        attributes: Mapping[str, Data],
        arguments: Mapping[str, Data] | None = None,
    ) -> None:
        """An op was recorded, for a call with these arguments."""
        if kind == "input":
            name = str(attributes.get("name"))
            self._inputs[path] = name
            self._shapes[Value(path)] = self.given.get(name)
            return
        plain = self._plain(attributes)
        for name in _SCALARS & attributes.keys():
            if is_metadata(attributes[name]):
                plain[name] = 0.0  # a number all the same, such as the least of a dtype: it has no axes
        values = [_value(read) for read in reads]
        if kind == "select" and len(values) == 1 and values[0].op in self._inputs:
            part = f"{self._inputs[values[0].op]}[{plain.get('index')}]"
            if part in self.given:  # an input of several tensors, and one of them
                self._shapes[Value(path)] = self.given[part]
                return
        operands = tuple([self.shape(value) for value in values])
        self._ops[path] = _Noted(kind, plain, operands, None if arguments is None else self._plain(arguments))

    def shape(self, value: Value) -> Dims | None:
        """The shape of a value: entries along each axis, None for one that is not known; None as a whole where the
        number of axes is not."""
        if value not in self._shapes:
            found: tuple[Dims | None, ...] = ()
            if value.op in self._ops:
                op, outputs = self._ops[value.op], value.index + 1
                found = shapes_of(op.kind, op.attributes, op.operands, outputs, arguments=op.arguments)
            self._shapes[value] = found[value.index] if value.index < len(found) else None
        return self._shapes[value]

    def _plain(self, values: Mapping[str, Data]) -> dict[str, object]:
        return {name: self._one(value) for name, value in values.items()}

    def _one(self, value: Data, depth: int = 4) -> object:
        """An attribute or argument as the rules for shapes take it."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (list, tuple)) and depth:
            return tuple(self._one(item, depth - 1) for item in value)
        if isinstance(value, slice):
            return ("slice", *(self._one(item, depth - 1) for item in (value.start, value.stop, value.step)))
        if value is Ellipsis:
            return "..."
        if isinstance(value, External):
            return value.name
        if isinstance(value, Tensor):
            return Shaped(self.shape(value.value))
        return value.as_unknown() if isinstance(value, Open) else _NOT_KNOWN


def spelled(dims: Dims) -> str:
    """A shape as a report prints it: "2x7x?"."""
    return "x".join("?" if size is None else str(size) for size in dims) or "a number"


def _value(read: Tensor | Tensors) -> Value:
    return read.value if isinstance(read, Tensor) else Value(read.op)


def shape_of(vm: Machine, tensor: Tensor) -> Data:
    """`tensor.shape`: a tuple where the number of axes is known, with numbers where the sizes are."""
    shape = Shape("the shape of a tensor", vm.here(), metadata=True, of=tensor.value)
    dims = known(vm, tensor)
    if dims is None:
        return shape
    rank = len(dims)
    axes = [shape.size((at, at - rank), vm.here()) for at in range(rank)]
    return tuple(axis if size is None else size for size, axis in zip(dims, axes, strict=True))


def known(vm: Machine, tensor: Tensor) -> Dims | None:
    """The shape of a tensor, where sizes of inputs are given and it follows from them; None elsewhere."""
    return None if vm.sizes is None else vm.sizes.shape(tensor.value)


def along(vm: Machine, tensor: Tensor, axis: int) -> int | None:
    """How many entries a tensor has along an axis; None where that is not known."""
    dims = known(vm, tensor)
    if dims is None or not -len(dims) <= axis < len(dims):
        return vm.recorder.size_of(tensor.value.op, axis)
    return dims[axis]


def laid_out(vm: Machine, tensor: Tensor, own: Sequence[int | None], asked: Sequence[Data]) -> tuple[Data, ...]:
    """The sizes that a tensor is to have, those of the first axes as its own where they stay as they are.

    Code says `x.view(*x.shape[:-1], heads, size)`; of one call only numbers are left, which are those of one input.
    """
    found = list(asked)
    shape = Shape("the shape of a tensor", vm.here(), metadata=True, of=tensor.value)
    for at, (size, before) in enumerate(zip(found, own, strict=False)):
        if size != before or isinstance(size, bool) or not isinstance(size, int):
            break
        found[at] = shape.size((at,), vm.stands or vm.here())
    return tuple(found)


def told(vm: Machine, tensor: Tensor, name: str) -> Data:
    """What `tensor.dim()`, `tensor.numel()` and their like answer; an Open where that is not known."""
    dims = known(vm, tensor)
    if dims is not None and name in _RANK:
        return len(dims)
    if dims is not None and name in _COUNT and None not in dims:
        return prod(size for size in dims if size is not None)
    return Told(f"the {name} of a tensor", vm.here(), metadata=True)


_RANK, _COUNT = ("dim", "ndim", "ndimension"), ("numel", "nelement")
TOLD_WHEN_CALLED = ("size", "dim", "ndimension", *_COUNT)  # methods; the others are attributes
