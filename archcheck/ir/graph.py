"""The op graph that claims and code share: frozen, hashable, with nothing in it but what was stated or read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from archcheck.ir.ops import OpKind
from archcheck.ir.span import Setting, Span


def _setters(cls: type) -> tuple[Callable[[object, object], None], ...]:
    """What sets each slot of a frozen class, in order.

    Passes make ops by the thousand, and the constructor that `dataclass` writes for a frozen class takes twice as long.
    """
    return tuple(vars(cls)[name].__set__ for name in vars(cls)["__slots__"])


@dataclass(frozen=True, slots=True)
class Unknown:
    """What archcheck could not find out, and why. Never a pass, never a violation."""

    why: str
    span: Span | None = None

    def __bool__(self) -> bool:
        raise TypeError(f"an Unknown has no truth value: {self.why}")


@dataclass(frozen=True, slots=True)
class Size(Unknown):
    """How many entries a value has along an axis, raised to a power: no number until the model runs."""

    axes: tuple[int, ...] = ()  # names of the axis: from the front, from the end
    power: float = 1.0
    of: Value | None = None  # the value; None where that is not known


AttrValue = None | bool | int | float | str | Unknown | tuple["AttrValue", ...]


@dataclass(frozen=True, slots=True, init=False)
class Attr:
    """A stated attribute; one that is absent was not stated."""

    name: str
    value: AttrValue

    def __init__(self, name: str, value: AttrValue) -> None:
        _set_name(self, name)
        _set_value(self, value)


_set_name, _set_value = _setters(Attr)


class Value(NamedTuple):
    """What an op gives and another reads: output `index` of the op at path `op`.

    A tuple, since every pass looks values up by the thousand: it is hashed and compared without a call of Python's.
    """

    op: str
    index: int = 0  # type: ignore[assignment]  # in place of a method of tuples, which looks for an item


@dataclass(frozen=True, slots=True, init=False)
class Op:
    """One operation as it stands in a model; `body` holds the ops inside a sublayer, a residual or a repeat.

    Ops in a body read values of enclosing scopes by path, as in a nested function. What the op reads from outside
    is also listed in its own `reads`, so an op can be moved or compared without looking inside.
    """

    path: str  # place in the model, unique in its graph: "encoder.layers.0/2.layer_norm"
    kind: OpKind
    reads: tuple[Value, ...] = ()  # in argument order
    attrs: tuple[Attr, ...] = ()  # sorted by name; one that is absent was not stated
    body: tuple[Op, ...] = ()
    gives: tuple[Value, ...] = ()  # what of the body comes out; empty: the value of its last op
    claim: str = ""  # id of the claim that put it here; empty in graphs made from code
    span: Span | None = None  # where a reader finds it, in code or in a spec
    because: tuple[Setting, ...] = ()  # settings that decided it stands here, innermost last

    def __init__(
        self,
        path: str,
        kind: OpKind,
        reads: tuple[Value, ...] = (),
        attrs: tuple[Attr, ...] = (),
        body: tuple[Op, ...] = (),
        gives: tuple[Value, ...] = (),
        claim: str = "",
        span: Span | None = None,
        because: tuple[Setting, ...] = (),
    ) -> None:
        _set_path(self, path)
        _set_kind(self, kind)
        _set_reads(self, reads)
        _set_attrs(self, attrs)
        _set_body(self, body)
        _set_gives(self, gives)
        _set_claim(self, claim)
        _set_span(self, span)
        _set_because(self, because)

    def attr(self, name: str, default: AttrValue = None) -> AttrValue:
        """The stated value of attribute `name`, or `default` where it was not stated."""
        for attr in self.attrs:
            if attr.name == name:
                return attr.value
        return default

    def states(self, name: str) -> bool:
        """Whether attribute `name` was stated."""
        return any(attr.name == name for attr in self.attrs)

    @property
    def results(self) -> tuple[Value, ...]:
        """The values inside `body` that come out of this op, in output order."""
        if self.gives or not self.body:
            return self.gives
        return (Value(self.body[-1].path),)

    def walk(self) -> Iterator[Op]:
        """This op and all ops inside it, outer before inner, in program order."""
        stack = [self]
        while stack:
            op = stack.pop()
            yield op
            stack.extend(reversed(op.body))


(_set_path, _set_kind, _set_reads, _set_attrs, _set_body, _set_gives, _set_claim, _set_span, _set_because) = _setters(
    Op
)


def attrs(**values: AttrValue) -> tuple[Attr, ...]:
    """Attributes in the order in which a graph keeps them."""
    return tuple(Attr(name, value) for name, value in sorted(values.items()))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a graph comes from: `frontend` ("static", "spec", ...), entry point, train or eval mode."""

    frontend: str = ""
    entry: str = ""
    mode: str = "train"


@dataclass(frozen=True, slots=True)
class OpGraph:
    """Ops in program order, what they give in the end, and where they come from."""

    ops: tuple[Op, ...]
    results: tuple[Value, ...] = ()
    origin: Origin = Origin()

    def walk(self) -> Iterator[Op]:
        """All ops, outer before inner, in program order."""
        for op in self.ops:
            yield from op.walk()

    def __len__(self) -> int:
        return sum(1 for _ in self.walk())
