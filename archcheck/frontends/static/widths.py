"""How many features a tensor has, where the ops that made it say so: what code asks of the shape of a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archcheck.ir.graph import AttrValue, Op, Value
from archcheck.ir.ops import FAMILIES

_CHANNELS = frozenset({"batch_norm", "group_norm", "instance_norm", "local_response_norm"})
_STATED = {"linear": "out_features", "embedding": "dim", "layer_norm": "dim", "rms_norm": "dim"}
_TAKEN = {"linear": "in_features", "layer_norm": "dim", "rms_norm": "dim"}
_SAME = frozenset(kind.name for family in ("norm", "activation", "dropout", "softmax") for kind in FAMILIES[family])
_SAME |= {"identity", "neg", "clamp", "cumsum", "exp", "log", "sqrt", "rsqrt", "pow", "abs", "triangle"}
_SAME -= {"glu", "weight_norm"}
_WITH_ANOTHER = frozenset({"add", "sub", "mul", "div", "maximum", "minimum", "where", "masked_fill", "scale"})
_MADE = frozenset({"parameter", "constant", "random"})
_MAPS = frozenset({"conv", "conv_transpose"})
_LAST_AND_FIRST = (1, ((-1,), (0,)), (-1, 0))  # axes of a product of features with the rows of a matrix
_DEEPEST = 200


@dataclass
class Widths:
    """Sizes of the last axis, worked out from what ops state.

    Attributes:
        by_path: the ops that are recorded.
        told: sizes that code states of a tensor, as `set_shape` does.
        inputs: those of the model's own inputs, by name, as a first run found them.
        asked: names of inputs of which code asked, and it was not known.
        silent: places in code that are told no number, since at another time they could not be.
    """

    by_path: Mapping[str, Op]
    told: dict[Value, int] = field(default_factory=dict)
    inputs: Mapping[str, int] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    silent: frozenset[str] = frozenset()
    _answers: dict[str, set[bool]] = field(default_factory=dict)
    _known: dict[Value, int] = field(default_factory=dict)

    def last(self, value: Value, depth: int = _DEEPEST) -> int | None:
        """How many entries a value has along its last axis; None where that does not follow."""
        if value in self.told:
            return self.told[value]
        if value in self._known:
            return self._known[value]
        op = self.by_path.get(value.op)
        found = self._of(op, value.index, depth - 1) if op is not None and depth else None
        if found is not None:
            self._known[value] = found
        return found

    def answer(self, value: Value, place: str) -> int | None:
        """What code at a place is told of the last axis of a value."""
        if place in self.silent:
            return None
        found = self.last(value)
        self._answers.setdefault(place, set()).add(found is not None)
        return found

    @property
    def uneven(self) -> frozenset[str]:
        """Places that were told a number at one time and none at another: what is computed there for a model's layers
        would seem to differ, and does not."""
        return frozenset(place for place, known in self._answers.items() if len(known) > 1)

    def found(self) -> dict[str, int]:
        """Sizes of inputs of which code asked, from what reads them in the end: a model's first layer is then known as
        well as the others."""
        names: dict[Value, str] = {}
        sizes: dict[str, set[int]] = {name: set() for name in self.asked}
        for path, op in self.by_path.items():
            if op.kind.name == "input":
                names[Value(path)] = str(op.attr("name"))
            name = names.get(op.reads[0], "") if op.reads else ""
            if name in sizes:
                taken = _whole(op.attr(_TAKEN[op.kind.name])) if op.kind.name in _TAKEN else None
                sizes[name].update(() if taken is None else (taken,))
            if name and (op.kind.name in _SAME or (op.kind.name == "permute" and self._keeps_last(op))):
                names[Value(path)] = name
            for one, other in (op.reads, op.reads[::-1]) if op.kind.name == "add" and len(op.reads) == 2 else ():
                if names.get(one, "") not in sizes:
                    continue
                names.setdefault(Value(path), names[one])  # the stream that begins with the input
                size = self.last(other)
                if size is not None and size > 1:
                    sizes[names[one]].add(size)
        return {name: size.pop() for name, size in sizes.items() if len(size) == 1}

    def channels(self, value: Value, depth: int = _DEEPEST) -> int | None:
        """How many channels a map has that comes from a convolution, wherever they stand."""
        op = self.by_path.get(value.op)
        if op is None or not depth or value.index:
            return None
        name = op.kind.name
        if name in _MAPS:
            return _whole(op.attr("out_features"))
        if name in _CHANNELS and (stated := _whole(op.attr("dim"))) is not None:
            return stated
        if name in _SAME or name == "pool":
            return self.channels(op.reads[0], depth - 1) if op.reads else None
        if name == "add" and len(op.reads) == 2:
            found = {self.channels(one, depth - 1) for one in op.reads}
            return found.pop() if len(found) == 1 else None
        return None

    def _of(self, op: Op, index: int, depth: int) -> int | None:
        name = op.kind.name
        if name == "input" and not index:
            called = str(op.attr("name"))
            if called not in self.inputs:
                self.asked.add(called)
            return self.inputs.get(called)
        if index and name != "split":
            return None
        stated = _whole(op.attr(_STATED[name])) if name in _STATED else None
        if stated is not None or name == "linear" or not op.reads:
            shape = op.attr("shape") if name in _MADE else None
            return _whole(shape[-1]) if isinstance(shape, tuple) and shape else stated
        if name in _SAME or (name == "pool" and op.attr("channels_last") is True):
            return self.last(op.reads[0], depth)
        if name in _WITH_ANOTHER:  # one entry is laid beside each of the other's; more are as many
            sizes = {size for one in op.reads if (size := self.last(one, depth)) is not None and size > 1}
            return sizes.pop() if len(sizes) == 1 else None
        if name in ("matmul", "tensordot") and len(op.reads) == 2:
            by_rows = op.attr("transpose_b") is not True if name == "matmul" else op.attr("axes") in _LAST_AND_FIRST
            return self.last(op.reads[1], depth) if by_rows else None
        if name in _MAPS:
            return _whole(op.attr("out_features")) if op.attr("channels_last") is True else None
        if name == "gather" and op.attr("whole") is True and op.attr("axis") == 0:  # rows of a table
            maker = self.by_path.get(op.reads[0].op)
            shape = maker.attr("shape") if maker is not None and maker.kind.name in _MADE else None
            return _whole(shape[-1]) if isinstance(shape, tuple) and len(shape) > 1 else None
        if name == "concat" and op.attr("axis") == -1:
            parts = [self.last(one, depth) for one in op.reads]
            known = [part for part in parts if part is not None]
            return sum(known) if len(known) == len(parts) else None
        if name == "split" and op.attr("axis") == -1 and op.attr("unbind") is not True:
            return _part(op, index, self.last(op.reads[0], depth))
        if name == "reshape":
            shape = op.attr("shape")
            plain = op.attr("form") is None and isinstance(shape, tuple) and shape
            return _whole(shape[-1]) if plain and isinstance(shape, tuple) else None
        return self.last(op.reads[0], depth) if name == "permute" and self._keeps_last(op) else None

    def _keeps_last(self, op: Op) -> bool:
        """Whether a permutation leaves the last axis where it is."""
        axes, pair = op.attr("axes"), (op.attr("axis"), op.attr("other_axis"))
        if isinstance(axes, tuple) and axes:
            return axes[-1] in (-1, len(axes) - 1)
        if all(isinstance(one, int) and one < -1 for one in pair):
            return True
        maker = self.by_path.get(op.reads[0].op)
        shape = maker.attr("shape") if maker is not None and maker.kind.name == "reshape" else None
        counted = isinstance(shape, tuple) and len(shape) > 2 and all(isinstance(one, int) for one in shape[-2:])
        # sizes that are not known may stand for several axes, so that there are this many at least
        return counted and pair in ((1, 2), (2, 1)) and isinstance(shape, tuple) and len(shape) > 3


def _whole(value: AttrValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _part(op: Op, index: int, whole: int | None) -> int | None:
    sections, size = op.attr("sections"), op.attr("size")
    if isinstance(sections, tuple):
        return _whole(sections[index]) if index < len(sections) else None
    if isinstance(sections, int) and sections > 0 and whole is not None and whole % sections == 0:
        return whole // sections
    if isinstance(size, int) and size > 0 and whole is not None and whole % size == 0 and index < whole // size:
        return size
    return None
