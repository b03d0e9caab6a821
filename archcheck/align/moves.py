"""What ops are on small tensors: the shape that they give, and its entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from string import ascii_lowercase

from archcheck.align.field import Element, NoValueError, number
from archcheck.align.interpretation import RULES as ARITHMETIC
from archcheck.align.interpretation import World, arithmetic
from archcheck.align.meaning import meaning
from archcheck.align.sizes import ONE, NoShapeError, Size, Sizes, fixed, times
from archcheck.align.tensors import (
    Shape,
    Tensor,
    along,
    contracted,
    each,
    joined,
    permuted,
    places,
    taken,
    total,
)
from archcheck.ir.graph import AttrValue, Op, Unknown, Value
from archcheck.ir.graph import Size as OfAxis
from archcheck.ir.ops import FAMILIES

Compute = Callable[[World, list[Tensor], Shape], Tensor]


@dataclass(frozen=True, slots=True)
class Made:
    """What an op gives: its shape, and how its entries come of those that it reads."""

    shape: list[Size]
    compute: Compute


@dataclass(frozen=True, slots=True)
class Frame:
    """What a rule may ask beside the op.

    Attributes:
        sizes: of axes.
        name: of a learned op, the same on both sides.
        stays: whether axes that are added up stay, with one entry; None: not known.
        axis: that the op states, or for a claim that states none, that of the code.
        shapes: of values that have been given.
    """

    sizes: Sizes
    name: str
    stays: bool | None
    axis: AttrValue
    shapes: Mapping[Value, list[Size]]

    def at(self, axis: AttrValue, rank: int) -> int:
        """An axis counted from the front."""
        if not isinstance(axis, int) or isinstance(axis, bool) or not -rank <= axis < rank:
            raise NoShapeError(f"no axis {axis} of {rank}")
        return axis % rank

    def axes(self, rank: int) -> list[int]:
        """The axes that the op states, in order; all of them where it states none."""
        stated = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return sorted({self.at(axis, rank) for axis in stated}) if self.axis is not None else list(range(rank))


def drawn(*key: object) -> Compute:
    """A tensor of random numbers."""
    return lambda world, tensors, shape: Tensor(shape, [world.number(*key, place) for place in places(shape)])


Rule = Callable[[Frame, Op, list[list[Size]]], Made]


def _each(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    """Entry by entry."""

    def rule(world: World) -> Callable[[list[Element]], Element]:
        def one(elements: list[Element]) -> Element:
            found = arithmetic(world, op, elements)
            if found is None:
                if (key := meaning(op)) is None:
                    raise NoValueError(f"what {op.kind.name} is, is not known")
                found = world.function(key, elements)
            return found

        return one

    return Made(frame.sizes.spread(shapes), lambda world, tensors, shape: each(shape, tensors, rule(world)))


def _as_it_is(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    return Made(shapes[0], lambda world, tensors, shape: tensors[0])


def _learned(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    """A learned function of the vectors along the last axis."""
    if len(shapes) != 1 or not shapes[0]:
        raise NoShapeError("it reads more than one tensor")
    last = shapes[0][-1]
    if op.kind.name == "linear":
        if isinstance(taken_in := op.attr("in_features"), int):
            frame.sizes.join(last, fixed(taken_in))
        last = frame.sizes.letter(f"{frame.name} out")
        if isinstance(given := op.attr("out_features"), int):
            frame.sizes.join(last, fixed(given))

    def compute(world: World, tensors: list[Tensor], shape: Shape) -> Tensor:
        def rule(vector: list[Element]) -> list[Element]:
            return world.functions(("learned", frame.name), vector, shape[-1])

        return along(tensors[0], len(shape) - 1, rule)

    return Made([*shapes[0][:-1], last], compute)


def _softmax(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    axis = frame.at(frame.axis, len(shapes[0]))

    def compute(world: World, tensors: list[Tensor], shape: Shape) -> Tensor:
        def rule(vector: list[Element]) -> list[Element]:
            powers = [world.exponential(one) for one in vector]
            share = total(powers).inverse()
            return [one * share for one in powers]

        return along(tensors[0], axis, rule)

    return Made(shapes[0], compute)


def _reduced(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    axes = frame.axes(len(shapes[0]))
    if frame.stays is None:
        raise NoShapeError("whether its axes stay is not known")
    kept = [ONE if at in axes else size for at, size in enumerate(shapes[0])]
    shape = kept if frame.stays else [size for at, size in enumerate(kept) if at not in axes]

    def rule(world: World, vector: list[Element]) -> list[Element]:
        if op.kind.name in ("sum", "mean"):
            share = number(len(vector)) if op.kind.name == "mean" else None
            return [total(vector) * share.inverse() if share is not None else total(vector)]
        return [world.function(op.kind.name, sorted(vector, key=lambda one: one.value))]

    def compute(world: World, tensors: list[Tensor], given: Shape) -> Tensor:
        found = tensors[0]
        if len(axes) > 1:  # all of them at once: a maximum of maxima is one, a function of both is not
            rest = [at for at in range(len(found.shape)) if at not in axes]
            found = permuted(found, [*rest, *axes])
            outer = found.shape[: len(rest)]
            found = Tensor((*outer, len(found.entries) // prod(outer)), found.entries)
            found = along(found, len(rest), lambda vector: rule(world, vector))
        elif axes:
            found = along(found, axes[0], lambda vector: rule(world, vector))
        return Tensor(given, found.entries)

    return Made(shape, compute)


def _matmul(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    if len(shapes) != 2 or min(map(len, shapes)) < 2:
        raise NoShapeError("no matrices")
    turned = [op.attr("transpose_a") is True, op.attr("transpose_b") is True]
    left, right = (
        [*shape[:-2], shape[-1], shape[-2]] if turn else shape for shape, turn in zip(shapes, turned, strict=True)
    )
    frame.sizes.join(left[-1], right[-2])
    batch = frame.sizes.spread([left[:-2], right[:-2]])

    def compute(world: World, tensors: list[Tensor], shape: Shape) -> Tensor:
        matrices = [
            permuted(tensor, [*range(len(tensor.shape) - 2), len(tensor.shape) - 1, len(tensor.shape) - 2])
            if turn
            else tensor
            for tensor, turn in zip(tensors, turned, strict=True)
        ]
        wide = [
            Tensor((*shape[:-2], *matrix.shape[-2:]), matrix.spread((*shape[:-2], *matrix.shape[-2:])))
            for matrix in matrices
        ]
        letters = ascii_lowercase[: len(shape) - 2]
        return contracted(wide, (f"{letters}xy", f"{letters}yz"), f"{letters}xz")

    return Made([*batch, left[-2], right[-1]], compute)


def _einsum(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    written = op.attr("equation")
    if not isinstance(written, str) or "..." in written or "->" not in written:
        raise NoShapeError("its axes are not named")
    left, given = "".join(written.split()).split("->")
    letters = left.split(",")
    if [len(term) for term in letters] != [len(shape) for shape in shapes]:
        raise NoShapeError("it names other axes")
    known: dict[str, Size] = {}
    for term, shape in zip(letters, shapes, strict=True):
        if len(set(term)) < len(term):
            raise NoShapeError("a diagonal")
        for letter, size in zip(term, shape, strict=True):
            frame.sizes.join(known.setdefault(letter, size), size)
    return Made([known[letter] for letter in given], lambda world, tensors, shape: contracted(tensors, letters, given))


def _permute(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    rank = len(shapes[0])
    axes = op.attr("axes")
    order = list(range(rank))
    if op.attr("batch_apart") is True or op.states("source"):
        raise NoShapeError("axes that are counted otherwise")
    if isinstance(axes, tuple):
        order = [frame.at(axis, rank) for axis in axes]
        if sorted(order) != list(range(rank)):
            raise NoShapeError("no permutation")
    elif axes == "reversed":
        order.reverse()
    else:
        one, other = frame.at(op.attr("axis"), rank), frame.at(op.attr("other_axis"), rank)
        order[one], order[other] = order[other], order[one]
    return Made([shapes[0][at] for at in order], lambda world, tensors, shape: permuted(tensors[0], order))


def _reshape(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    if op.attr("batch_apart") is True:
        raise NoShapeError("the batch stays")
    form, shape = op.attr("form"), shapes[0]
    if form == "squeeze":
        gone = frame.axes(len(shape)) if op.states("axis") else _single(frame, shape)
        if any(frame.sizes.plain(shape[at]) != ONE for at in gone):
            raise NoShapeError("an axis of more entries, perhaps")
        made = [size for at, size in enumerate(shape) if at not in gone]
    elif form == "unsqueeze":
        at = frame.at(op.attr("axis"), len(shape) + 1)
        made = [*shape[:at], ONE, *shape[at:]]
    elif form == "flatten":
        first, last = frame.at(op.attr("axis"), len(shape)), frame.at(op.attr("end", -1), len(shape))
        made = [*shape[:first], times(shape[first : last + 1]), *shape[last + 1 :]]
    elif form == "unflatten":
        at = frame.at(op.attr("axis"), len(shape))
        made = [*shape[:at], *_stated(frame, op.attr("shape")), *shape[at + 1 :]]
    else:
        made = _stated(frame, op.attr("shape"))
    frame.sizes.join(times(map(frame.sizes.plain, made)), times(map(frame.sizes.plain, shape)))
    return Made(made, lambda world, tensors, given: Tensor(given, tensors[0].entries))


def _single(frame: Frame, shape: Sequence[Size]) -> list[int]:
    return [at for at, size in enumerate(shape) if frame.sizes.plain(size) == ONE]


def _stated(frame: Frame, shape: AttrValue) -> list[Size]:
    """The sizes that a shape states: numbers, those of axes of other values, and one that follows from the rest."""
    if not isinstance(shape, tuple):
        raise NoShapeError("no shape is stated")
    found: list[Size] = []
    for entry in shape:
        if isinstance(entry, OfAxis) and entry.power == 1 and entry.axes and entry.of and entry.of in frame.shapes:
            of = frame.shapes[entry.of]
            found.append(of[frame.at(entry.axes[0], len(of))])
        elif isinstance(entry, int) and entry > 0:
            found.append(fixed(entry))
        elif entry == -1:
            found.append(frame.sizes.letter())
        else:
            raise NoShapeError("a size that is not known")
    return found


def _expand(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    stated = op.attr("shape")
    if not isinstance(stated, tuple):
        raise NoShapeError("it repeats entries")
    shape = [ONE] * (len(stated) - len(shapes[0])) + shapes[0]
    sizes = [size if entry == -1 else _stated(frame, (entry,))[0] for entry, size in zip(stated, shape, strict=True)]
    wide = frame.sizes.spread([sizes, shape])
    return Made(wide, lambda world, tensors, given: Tensor(given, tensors[0].spread(given)))


def _concat(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    new = op.kind.name == "stack"
    rank = len(shapes[0])
    at = frame.at(frame.axis, rank + new)
    if {len(shape) for shape in shapes} != {rank}:
        raise NoShapeError("tensors of other ranks")
    whole = [[*shape[:at], ONE, *shape[at:]] for shape in shapes] if new else shapes
    for other in whole[1:]:
        for axis, (one, two) in enumerate(zip(whole[0], other, strict=True)):
            if axis != at:
                frame.sizes.join(one, two)
    made = [*whole[0][:at], frame.sizes.added([shape[at] for shape in whole]), *whole[0][at + 1 :]]

    def compute(world: World, tensors: list[Tensor], given: Shape) -> Tensor:
        parts = [Tensor((*one.shape[:at], 1, *one.shape[at:]), one.entries) for one in tensors] if new else tensors
        return joined(parts, at)

    return Made(made, compute)


def _select(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    index, rank = op.attr("index"), len(shapes[0])
    if not op.states("axis") or not isinstance(index, int) or isinstance(index, bool) or len(shapes) != 1:
        raise NoShapeError("a part of an axis")
    at = frame.at(op.attr("axis"), rank)
    if index not in (0, -1):
        raise NoShapeError("an entry that small tensors may lack")
    made = [*shapes[0][:at], *shapes[0][at + 1 :]]
    return Made(made, lambda world, tensors, given: taken(tensors[0], at, index % tensors[0].shape[at]))


def _made(frame: Frame, op: Op, shapes: list[list[Size]]) -> Made:
    """A learned tensor, or a constant that is one number throughout."""
    shape = _stated(frame, op.attr("shape")) if op.states("shape") or op.kind.name == "parameter" else []
    if op.kind.name == "parameter":
        return Made(
            shape,
            lambda world, tensors, given: Tensor(
                given, [world.number("learned", frame.name, at) for at in places(given)]
            ),
        )
    value = number(op.attr("value"))
    if value is None or isinstance(op.attr("value"), Unknown):
        raise NoShapeError("a constant of many numbers")
    return Made(shape, lambda world, tensors, given: Tensor(given, [value for _ in places(given)]))


_ENTRYWISE = {one.name for one in FAMILIES["activation"]} - {"activation", "glu", "prelu", "rrelu"}
_ENTRYWISE |= {"sqrt", "log", "abs", "erf", "sin", "cos", "clamp", "maximum", "minimum", "sign", "round"}
_ENTRYWISE |= {"compare", "logical", "where", "masked_fill", *ARITHMETIC} - {"identity"}
RULES: dict[str, Rule] = {
    **dict.fromkeys(_ENTRYWISE, _each),
    **dict.fromkeys(("identity", "dropout", "stochastic_depth"), _as_it_is),
    **dict.fromkeys(("linear", "layer_norm", "rms_norm"), _learned),
    **dict.fromkeys(("sum", "mean", "reduce_max", "reduce_min"), _reduced),
    **dict.fromkeys(("concat", "stack"), _concat),
    **dict.fromkeys(("parameter", "constant"), _made),
    "softmax": _softmax,
    "matmul": _matmul,
    "einsum": _einsum,
    "permute": _permute,
    "reshape": _reshape,
    "expand": _expand,
    "select": _select,
}
