"""Collects the ops that evaluation meets, in program order, with where they stand and which settings put them there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import Data, External, Layer, Tensor, Tensors
from archcheck.frontends.static.widths import Widths
from archcheck.ir.graph import Attr, AttrValue, Op, Unknown, Value
from archcheck.ir.ops import BY_NAME, FAMILIES
from archcheck.ir.span import Caller, Setting, Span

MOST_SETTINGS = 12  # settings kept with an op; the innermost ones matter


class Control:
    """The settings on which it depends that control is where it is: a list that grows inwards."""

    __slots__ = ("_flat", "outer", "settings")

    def __init__(self, settings: tuple[Setting, ...], outer: Control | None) -> None:
        self.settings = settings
        self.outer = outer
        self._flat: tuple[Setting, ...] | None = None

    def flat(self) -> tuple[Setting, ...]:
        """All settings, innermost last, each once."""
        if self._flat is None:
            inherited = self.outer.flat() if self.outer else ()
            # A setting that decides again here is innermost here.
            own = {id(setting) for setting in self.settings}
            kept = tuple(setting for setting in inherited if id(setting) not in own)
            self._flat = (kept + self.settings)[-MOST_SETTINGS:]
        return self._flat


_EACH = frozenset(FAMILIES["norm"] + FAMILIES["activation"] + FAMILIES["dropout"]) - {BY_NAME["glu"]}  # sizes stay
_FEATURES = {"conv": 1, "conv_transpose": 1, "linear": -1}  # the axis that has `out_features` entries
_MADE = ("parameter", "constant", "random")  # ops whose attribute `shape` is that of what they give


class Recorder:
    """Ops in program order; `path` of each is the module's place and its number there."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.by_path: dict[str, Op] = {}
        self.positions: dict[str, int] = {}  # of parameters, which are named in the end
        self.widths = Widths(self.by_path)
        self.rounds: dict[str, Unknown] = {}  # of ops in a loop: why the number of its rounds is not known
        self.kept: dict[str, bool] = {}  # ops that reduce axes -> whether these stay
        self.ranks: dict[Value, int] = {}  # of values of which code counts the axes
        self.called: dict[str, Caller] = {}  # ops -> the call of the function in which they stand
        self.layers: dict[str, Layer] = {}  # ops -> the layer that was called
        self._numbers: dict[str, int] = {}

    def emit(
        self,
        kind: str,
        reads: Iterable[Tensor | Tensors | Value],
        attributes: Mapping[str, Data],
        *,
        place: str,
        span: Span | None,
        because: tuple[Setting, ...] = (),
    ) -> str:
        """Add one op and give its path."""
        number = self._numbers.get(place, 0)
        self._numbers[place] = number + 1
        path = f"{place}/{number}.{kind}" if place else f"{number}.{kind}"
        op = Op(
            path=path,
            kind=BY_NAME[kind],
            reads=tuple([_value(read) for read in reads]),
            attrs=tuple([Attr(name, attr_value(value)) for name, value in sorted(attributes.items())]),
            span=span,
            because=because,
        )
        if kind == "parameter":
            self.positions[path] = len(self.ops)
        self.ops.append(op)
        self.by_path[path] = op
        return path

    def size_of(self, path: str, axis: int) -> int | None:
        """How many entries what the op at `path` gives has along an axis; None where its shape is not stated.

        Axes are counted as in PyTorch: a convolution states the size of axis 1, a linear map that of the last.
        """
        op = self.by_path.get(path)
        while op is not None and op.kind in _EACH and op.reads and not op.reads[0].index:
            op = self.by_path.get(op.reads[0].op)
        if op is None:
            return None
        size: AttrValue = None
        if op.kind.name in _MADE:
            shape = op.attr("shape")
            if isinstance(shape, tuple) and -len(shape) <= axis < len(shape):
                size = shape[axis]
        elif axis == _FEATURES.get(op.kind.name):
            size = op.attr("out_features")
        return size if isinstance(size, int) and not isinstance(size, bool) else None

    def name_parameter(self, path: str, name: str) -> None:
        """Give the learned tensor at `path` its name, where it has none yet."""
        op = self.by_path.get(path)
        if op is None or op.kind.name != "parameter" or op.attr("name"):
            return
        kept = tuple(attr for attr in op.attrs if attr.name != "name")
        named = replace(op, attrs=tuple(sorted((*kept, Attr("name", name)), key=lambda attr: attr.name)))
        self.ops[self.positions[path]] = self.by_path[path] = named


def _value(read: Tensor | Tensors | Value) -> Value:
    if isinstance(read, Tensor):
        return read.value
    if isinstance(read, Tensors):
        return Value(read.op)
    return read


def attr_value(value: Data, depth: int = 4) -> AttrValue:
    """`value` as an attribute: plain data as it is, everything else as an Unknown that says what it was."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Open):
        return value.as_unknown()
    if isinstance(value, Unknown):
        return value
    if isinstance(value, (list, tuple)) and depth and len(value) <= 64:
        return tuple(attr_value(item, depth - 1) for item in value)
    if isinstance(value, (range, set, frozenset)) and depth and len(value) <= 64:
        return tuple(attr_value(item, depth - 1) for item in sorted(value, key=repr))
    if isinstance(value, slice):
        return ("slice", *(attr_value(item, depth - 1) for item in (value.start, value.stop, value.step)))
    if value is Ellipsis:
        return "..."
    if isinstance(value, External):
        return value.name
    if isinstance(value, (Tensor, Tensors)):
        return Unknown("depends on a tensor")
    return Unknown(f"is {type(value).__name__.lower()}")
