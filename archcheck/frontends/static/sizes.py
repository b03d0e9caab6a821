"""One call as a sample: how large its inputs are, and what those of whole numbers hold, as a run had them.

Code decides by both: how far a sequence is padded, how often a recurrence goes round, of what rank a mask is and
whether it masks anything, how many windows a grid has. With the inputs given, the sizes of all that is computed from
them follow, and so does what follows from whole numbers alone; what code asks of them has an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from archcheck.frontends.static.opens import Open, Rank, Several, Shape, Told
from archcheck.frontends.static.values import Data, External, Instance, Tensor, Tensors, is_metadata
from archcheck.ir.facts import Facts, Nested
from archcheck.ir.graph import Op, Size, Unknown, Value
from archcheck.ir.shapes import Dims, Shaped, shapes_of

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

Evaluate = Callable[[Value, Facts], Nested]  # what a value holds; None where that does not follow
Setting = tuple[str, tuple[Any, ...], Data]  # a field, the values that it had, and the one that it got


@dataclass(frozen=True, slots=True)
class Sample:
    """One call.

    Args:
        dims: sizes in elements, by the name of the input; a part of a list is "name[0]".
        held: what inputs hold, by name.
        settings: fields of configurations and modules that had to be set, as their defaults cannot be used.
        evaluate: works out what follows from it; None: nothing does.
    """

    dims: Mapping[str, Dims]
    held: Mapping[str, Nested] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    evaluate: Evaluate | None = None


_NOT_KNOWN = Unknown("not known")
_ONE = Size("one size")
_INDICES = ("index", "indices")  # in which what is not known may be anything
_SCALARS = frozenset({"by", "yes", "no", "min", "max"})


@dataclass(frozen=True, slots=True)
class _Noted:
    """An op whose shape is worked out when it is asked for."""

    kind: str
    attributes: Mapping[str, object]
    operands: tuple[Dims | None, ...]
    arguments: Mapping[str, object] | None


class Sizes:
    """The shapes of tensors, worked out op by op from those of the inputs, and what they hold.

    Args:
        sample: the call.
        by_path: the ops that are recorded.
    """

    def __init__(self, sample: Sample, by_path: Mapping[str, Op]) -> None:
        self.sample = sample
        self.by_path = by_path
        self._held: dict[Value, Nested] = {}  # by inputs
        self._contents: dict[Value, Nested] = {}
        self._dropped: set[str] = set()  # reductions whose axes go
        self._casts: dict[str, str] = {}
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
            self._given(path, name)
            return
        plain = {name: self._one(value, name not in _INDICES, self._unless_held) for name, value in attributes.items()}
        for name in _SCALARS & attributes.keys():
            if is_metadata(attributes[name]):
                plain[name] = 0.0  # a number all the same, such as the least of a dtype: it has no axes
        values = [_value(read) for read in reads]
        if kind == "select" and len(values) == 1 and values[0].op in self._inputs:
            part = f"{self._inputs[values[0].op]}[{plain.get('index')}]"
            if part in self.sample.dims:  # an input of several tensors, and one of them
                self._given(path, part)
                return
        known = [None if isinstance(read, Tensors) else self.shape(_value(read)) for read in reads]
        told = None
        if arguments is not None:
            told = {name: self._one(value, name not in _INDICES, self._shaped) for name, value in arguments.items()}
        self._ops[path] = _Noted(kind, plain, tuple(known), told)
        if told is not None and all(told.get(name) in (None, False) for name in ("keepdim", "keepdims", "keep_dims")):
            self._dropped.add(path)

    def _given(self, path: str, name: str) -> None:
        self._shapes[Value(path)] = self.sample.dims.get(name)
        if name in self.sample.held:
            self._held[Value(path)] = self.sample.held[name]

    def parts(self, value: Value) -> int:
        """How many tensors an input is a list of; 0 where it is none, or not one of tensors alone."""
        name, count = self._inputs.get(value.op), 0
        while name is not None and f"{name}[{count}]" in self.sample.dims:
            count += 1
        return count

    def cast(self, path: str, dtype: str) -> None:
        """Note that an op makes entries of a type out of its operand's; "" stands for any."""
        self._casts[path] = dtype

    def know(self, value: Value, dims: Dims) -> None:
        """Note the shape of a value that does not follow from what its op states."""
        self._shapes[value] = dims

    def content(self, value: Value) -> Nested:
        """What a tensor holds; None where that does not follow from what the inputs hold."""
        if value in self._held:
            return self._held[value]
        if self.sample.evaluate is None:
            return None
        if value not in self._contents:
            facts = Facts(self.by_path, self._held, frozenset(self._dropped), self._casts, self.shape)
            self._contents[value] = self.sample.evaluate(value, facts)
        return self._contents[value]

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

    def _shaped(self, tensor: Tensor) -> object:
        shape = self.shape(tensor.value)
        held = self.content(tensor.value) if shape == () else None
        return Shaped(shape) if held is None else held

    def _unless_held(self, tensor: Tensor) -> object:
        """A tensor among attributes: the number that it is, where that is known."""
        held = self.content(tensor.value) if self.shape(tensor.value) == () else None
        return _NOT_KNOWN if held is None else held

    def _one(self, value: Data, listed: bool, tensor: Callable[[Tensor], object], depth: int = 4) -> object:
        """An attribute or argument as the rules for shapes take it.

        Args:
            value: what the call is given.
            listed: whether a list is one of sizes, in which what is not known is one size, unless it is laid out
                uncounted.
            tensor: what stands for a tensor.
            depth: of lists in lists.
        """
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (list, tuple)) and depth:
            found = tuple(self._one(item, listed, tensor, depth - 1) for item in value)
            if not listed:
                return list(found) if isinstance(value, list) else found
            pairs = zip(value, found, strict=True)
            return tuple(
                _ONE if isinstance(item, Open) and not isinstance(item, Several) else one for item, one in pairs
            )
        if isinstance(value, slice):
            parts = (value.start, value.stop, value.step)
            return ("slice", *(self._one(part, listed, tensor, depth - 1) for part in parts))
        if value is Ellipsis:
            return "..."
        if isinstance(value, External):
            return value.name
        if isinstance(value, Tensor):
            return tensor(value)
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


def entry(vm: Machine, shape: Shape, axes: tuple[int, ...]) -> Data:
    """One size of a shape: a number where it is that of the features, of which what made the tensor says how many, and
    of a learned tensor, which states its sizes."""
    here = vm.here()
    maker = vm.recorder.by_path.get(shape.of.op) if shape.of is not None else None
    stated = maker.attr("shape") if maker is not None and maker.kind.name == "parameter" else None
    if isinstance(stated, tuple) and axes and -len(stated) <= axes[0] < len(stated):
        size = stated[axes[0]]
        if type(size) is int:
            return size
    last = vm.recorder.widths.answer(shape.of, str(here)) if -1 in axes and shape.of is not None else None
    return shape.size(axes, here) if last is None else last


def differ(vm: Machine, one: Shape, other: Shape) -> bool:
    """Whether two tensors are shown to have different shapes, by their features or their channels."""
    if one.of is None or other.of is None:
        return False
    widths = vm.recorder.widths
    pairs = ((how(one.of), how(other.of)) for how in (widths.last, widths.channels))
    return any(None not in pair and pair[0] != pair[1] for pair in pairs)


def known(vm: Machine, tensor: Tensor) -> Dims | None:
    """The shape of a tensor, where sizes of inputs are given and it follows from them; None elsewhere."""
    return None if vm.sizes is None else vm.sizes.shape(tensor.value)


def content(vm: Machine, tensor: Data) -> Nested:
    """What a tensor holds, as `tolist` gives it; None where that is not known."""
    return vm.sizes.content(tensor.value) if vm.sizes is not None and isinstance(tensor, Tensor) else None


def flat(nested: Nested) -> Iterator[bool | int | float]:
    """The numbers that stand in lists of lists."""
    if isinstance(nested, list):
        for item in nested:
            yield from flat(item)
    else:
        yield nested


def number(vm: Machine, tensor: Data) -> bool | int | float | None:
    """The number that a tensor of one entry holds; None where there is none, or it is not known."""
    held = tensor.data if isinstance(tensor, Tensor) and tensor.data is not None else content(vm, tensor)
    while isinstance(held, list) and len(held) == 1:
        held = held[0]
    return held if isinstance(held, (bool, int, float)) else None


def along(vm: Machine, tensor: Tensor, axis: int) -> int | None:
    """How many entries a tensor has along an axis, or a list of tensors; None where that is not known."""
    if axis == 0 and vm.sizes is not None and (count := vm.sizes.parts(tensor.value)):
        return count
    dims = known(vm, tensor)
    if dims is None or not -len(dims) <= axis < len(dims):
        return vm.recorder.size_of(tensor.value.op, axis) if vm.inplace_sums and not tensor.value.index else None
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


def without(vm: Machine, entry: Data, whole: Tensor, axis: int) -> None:
    """Note that an entry has the shape of the whole without the axis along which it was taken."""
    dims = known(vm, whole)
    if vm.sizes is not None and dims is not None and isinstance(entry, Tensor):
        vm.sizes.know(entry.value, tuple(size for at, size in enumerate(dims) if at != axis % len(dims)))


def within(vm: Machine, stacked: Data, part: Tensor, axis: int, size: int | None) -> None:
    """Note that what is stacked has the shape of a part with one axis more."""
    dims = known(vm, part)
    if vm.sizes is not None and dims is not None and isinstance(stacked, Tensor):
        at = axis % (len(dims) + 1)
        vm.sizes.know(stacked.value, (*dims[:at], size, *dims[at:]))


def told(vm: Machine, tensor: Tensor, name: str) -> Data:
    """What `tensor.dim()`, `tensor.numel()` and their like answer; an Open where that is not known."""
    dims = known(vm, tensor)
    if dims is not None and name in _RANK:
        return len(dims)
    if dims is not None and name in _COUNT and None not in dims:
        return prod(size for size in dims if size is not None)
    if vm.arrays and name == "ndim":
        return Rank("the ndim of a tensor", vm.here(), metadata=True)
    return Told(f"the {name} of a tensor", vm.here(), metadata=True)


_RANK, _COUNT = ("dim", "ndim", "ndimension"), ("numel", "nelement")
TOLD_WHEN_CALLED = ("size", "dim", "ndimension", *_COUNT)  # methods; the others are attributes


def cast(vm: Machine, path: str, name: str, arguments: Iterable[Data]) -> None:
    """Note of which type entries are behind a call that is their identity but for that, where it may change it."""
    called = name.rpartition(".")[2]
    if vm.sizes is None or called in _KEEPING:
        return
    given = [one for part in arguments for one in (part if isinstance(part, tuple) else (part,))]
    if called not in _CONVERTING:
        given = [called]
    named = [_dtype(one) for one in given if not _is_device(one)]
    if not named:
        return  # a device, and no type
    types = [one for one in named if one is not None]
    vm.sizes.cast(path, types[0] if len(types) == 1 else "")


_KEEPING = frozenset({"clone", "detach", "detach_", "contiguous", "cpu", "cuda", "pin_memory", "numpy", "data"})
_KEEPING |= {"requires_grad_", "identity", "stop_gradient", "tolist", "item"}
_CONVERTING = frozenset({"to", "type", "cast", "saturate_cast", "astype", "asarray", "as_tensor"})  # as they are told
_DTYPES = {"half": "float16", "float": "float32", "double": "float64", "int": "int32", "long": "int64"}
_DTYPES |= {"short": "int16", "byte": "uint8", "char": "int8", "bool": "bool"}
_IS_DTYPE = re.compile(r"(?:to_)?(bool|u?int(?:8|16|32|64)|b?float(?:16|32|64))")


def _dtype(given: Data) -> str | None:
    """The type that an argument names; None where it names none."""
    name = given.name if isinstance(given, External) else given
    if not isinstance(name, str):
        return None
    last = name.rpartition(".")[2]
    found = _IS_DTYPE.fullmatch(_DTYPES.get(last, last))
    return found[1] if found else None


def _is_device(given: Data) -> bool:
    return isinstance(given, Told) and given.why == "the device of a tensor"


def _same(value: Data, other: Data) -> bool:
    """Whether a field is what it was in the run; a list may have become a tuple on its way through a file."""
    if isinstance(value, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(value) == len(other) and all(map(_same, value, other))
    return type(value) is type(other) and bool(value == other)


def settle(vm: Machine, value: Data, depth: int = 3) -> None:
    """Give fields the values that they had to get in the call that is the sample, where they are what they were: those
    of a configuration, of those that it holds and of their tables, or of a module."""
    if vm.sizes is None or not vm.sizes.sample.settings or not isinstance(value, (Instance, dict)):
        return
    from archcheck.frontends.static.attributes import attribute_map  # which needs sizes

    fields = value.attributes if isinstance(value, Instance) else value
    known_as = (attribute_map(value) if isinstance(value, Instance) else None) or {}
    for called, had, got in vm.sizes.sample.settings:
        name = known_as.get(called, called)
        if name in fields and (isinstance(fields[name], Open) or any(_same(fields[name], one) for one in had)):
            fields[name] = got
    for inner in list(fields.values()) if depth > 1 else ():
        settle(vm, inner, depth - 1)
