"""Calls of torch on the meta device, for tests of shapes: what they give, and what the dialect's rows make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from types import SimpleNamespace
from typing import Any, cast

import torch

from archcheck.frontends import dialects
from archcheck.frontends.static import machine, signatures  # noqa: F401  # machine before its parts, which import it
from archcheck.frontends.static.machine import Machine, flatten_tensors
from archcheck.frontends.static.recorder import attr_value
from archcheck.frontends.static.values import Tensor
from archcheck.ir.graph import Value
from archcheck.ir.shapes import Dims, Shaped

# binding asks it for nothing but where an operand comes from, where all arguments are known
_NO_MACHINE = cast(Machine, SimpleNamespace(recorder=SimpleNamespace(by_path={})))


@dataclass(frozen=True)
class Ran:
    """An op that a call makes, and the shapes that torch gives; `arguments` as a frontend hands them over."""

    kind: str
    attrs: Mapping[str, object]
    operands: tuple[Dims | None, ...]
    arguments: Mapping[str, object] | None
    true: tuple[tuple[int, ...], ...]


def meta(*shape: int, dtype: Any = None) -> Any:
    """A tensor without content."""
    return torch.empty(shape, dtype=dtype, device="meta")


def ids(*shape: int) -> Any:
    """A tensor of integers without content."""
    return meta(*shape, dtype=torch.long)


def truths(*shape: int) -> Any:
    """A tensor of truths without content."""
    return meta(*shape, dtype=torch.bool)


class _Stand:
    """Archcheck's tensors for torch's, each with its shape."""

    def __init__(self) -> None:
        self.shapes: list[Dims] = []

    def of(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            self.shapes.append(tuple(value.shape))
            return Tensor(Value(str(len(self.shapes) - 1)))
        if type(value) in (list, tuple):
            return type(value)(self.of(item) for item in value)
        if isinstance(value, slice):
            return slice(self.of(value.start), self.of(value.stop), self.of(value.step))
        return str(value) if isinstance(value, torch.dtype) else value

    def dims(self, tensor: Any) -> Dims:
        return self.shapes[int(tensor.value.op)]

    def told(self, value: Any) -> object:
        """An argument as it is handed over."""
        if isinstance(value, Tensor):
            return Shaped(self.dims(value))
        return tuple(self.told(item) for item in value) if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True)
class Call:
    """A call that is made when a test asks for it."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    init: tuple[Any, ...] | None = None  # of a layer
    options: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        made = "" if self.init is None else _words(self.init, self.options or {})
        return f"{self.name}{made}{_words(self.args, self.kwargs)}"

    def run(self) -> Ran:
        """What it gives, and what the dialect makes of it."""
        if self.name == "[]":
            return _taken(*self.args)
        return _called(self) if self.init is None else _built(self)


def call(name: str, *args: Any, **kwargs: Any) -> Call:
    """A call of the function `name`, or of a tensor's method where the name begins with a dot."""
    return Call(name, args, kwargs)


def layer(name: str, *init: Any, **options: Any) -> Callable[..., Call]:
    """A layer that is built from these, to be called."""
    return lambda *args, **kwargs: Call(name, args, kwargs, init, options)


def item(tensor: Any, index: Any) -> Call:
    """`tensor[index]`."""
    return Call("[]", (tensor, index), {})


def _words(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    return f"({', '.join([*map(_word, args), *(f'{key}={_word(value)}' for key, value in kwargs.items())])})"


def _word(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return "x".join(map(str, value.shape)) or "one"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_word, value))}]"
    if isinstance(value, slice):
        return ":".join("" if part is None else _word(part) for part in (value.start, value.stop, value.step))
    return "..." if value is Ellipsis else str(value)


def _called(asked: Call) -> Ran:
    name, args, kwargs = asked.name, asked.args, asked.kwargs
    if name.startswith("."):
        true = getattr(args[0], name[1:])(*args[1:], **kwargs)
        row = dialects.method(name[1:])
    else:
        true = reduce(getattr, name.split("."), torch)(*args, **kwargs)
        row = dialects.function(f"torch.{name}")
    assert row is not None, name
    stand = _Stand()
    bound = signatures.bind(
        row.parameters, stand.of(list(args)), {key: stand.of(value) for key, value in kwargs.items()}
    )
    assert signatures.fits(bound, row.parameters, row.plain), name
    assert bound is not None
    attrs, reads = (
        signatures.stated(row, row.parameters, bound),
        signatures.operands(_NO_MACHINE, row.parameters, bound),
    )
    return _ran(row.kind, attrs, reads, bound, stand, true)


def _built(asked: Call) -> Ran:
    init, options = asked.init or (), dict(asked.options or {})
    row = dialects.layer(f"torch.nn.{asked.name}")
    assert row is not None, asked.name
    weighted = any(one.name == "device" for one in row.init_parameters)
    module = getattr(torch.nn, asked.name)(*init, **options, **({"device": "meta"} if weighted else {}))
    stand = _Stand()
    made = signatures.bind(row.init_parameters, list(init), options)
    given = signatures.bind(
        row.call_parameters, stand.of(list(asked.args)), {k: stand.of(v) for k, v in asked.kwargs.items()}
    )
    assert made is not None, asked.name
    assert given is not None, asked.name
    bound = {**made, **given}
    assert signatures.fits(bound, (*row.init_parameters, *row.call_parameters), row.plain), asked.name
    reads = signatures.ordered_operands(_NO_MACHINE, row, given)
    attrs = signatures.stated(row, row.init_parameters, bound)
    return _ran(row.kind, attrs, reads, bound, stand, module(*asked.args, **asked.kwargs))


def _taken(tensor: Any, index: Any) -> Ran:
    stand = _Stand()
    own, standing = stand.of(tensor), stand.of(index)
    reads = [own, *flatten_tensors(standing)]
    return _ran("select", {"index": standing}, reads, None, stand, tensor[index])


def _ran(kind: str, attrs: Mapping[str, Any], reads: list[Any], bound: Any, stand: _Stand, true: Any) -> Ran:
    told = None if bound is None else {key: stand.told(value) for key, value in bound.items()}
    stated = {key: attr_value(value) for key, value in attrs.items()}
    return Ran(kind, stated, tuple(stand.dims(read) for read in reads), told, tuple(_shapes(true)))


def _shapes(true: Any) -> Iterator[tuple[int, ...]]:
    """The shapes of what a call gives; a pair inside of what it gives stands as one, with an axis before."""
    if isinstance(true, torch.Tensor):
        yield tuple(true.shape)
        return
    for part in true:
        yield tuple(part.shape) if isinstance(part, torch.Tensor) else (len(part), *part[0].shape)
