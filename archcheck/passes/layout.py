"""Where the features of a linear map are while code reshapes, permutes and cuts what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from archcheck.ir.graph import AttrValue, Op, Unknown

_WHOLE = ("slice", None, None, None)


@dataclass(frozen=True, slots=True)
class Digit:
    """An axis that counts features: the feature `offset + stride * i` of the map stands at its index i.

    The place of a feature is the sum over all such axes, as the value of a number is that of its digits.
    """

    size: int | None  # in elements
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """The axes of a value: None for an axis of tokens, a Digit for one of features."""

    axes: tuple[Digit | None, ...]

    @property
    def digits(self) -> tuple[Digit, ...]:
        """The axes of features, the most significant first: the order in which a flat axis lists them."""
        return tuple(sorted((axis for axis in self.axes if axis is not None), key=lambda digit: -digit.stride))

    @property
    def width(self) -> int | None:
        """How many features there are."""
        sizes = [axis.size for axis in self.axes if axis is not None]
        return prod(size for size in sizes if size is not None) if None not in sizes else None

    @property
    def tokens(self) -> int:
        """How many axes of tokens there are."""
        return self.axes.count(None)

    def place(self, axis: AttrValue) -> int | None:
        """An axis counted from the front; the last one where none is stated."""
        if axis is None:
            return len(self.axes) - 1
        if not isinstance(axis, int) or isinstance(axis, bool) or not -len(self.axes) <= axis < len(self.axes):
            return None
        return axis % len(self.axes)


@dataclass(frozen=True, slots=True)
class Cut:
    """One part that a cut gives: what it is laid out like, and which output of the cut it is."""

    layout: Layout
    output: int


def given_by(op: Op) -> Layout:
    """The layout of what a linear map gives: [batch, tokens, features], or as the convolution in its body has it."""
    width = op.attr("out_features")
    features = Digit(width if isinstance(width, int) else None)
    conv = next((inner for inner in op.body if inner.kind.name == "conv"), None)
    axes = conv.attr("axes") if conv is not None else None
    if conv is None or not isinstance(axes, int):
        return Layout((None, None, features))
    if conv.attr("channels_last") is True:
        return Layout((*[None] * (axes + 1), features))
    return Layout((None, features, *[None] * axes))


def viewed(layout: Layout, op: Op) -> Layout | None:
    """The layout behind a view; None where it cannot be told."""
    if op.kind.name == "identity":
        return layout
    if op.kind.name == "permute":
        return _permuted(layout, op)
    if op.kind.name != "reshape" or op.attr("batch_apart") is True:
        return None
    form = op.attr("form")
    if form == "unsqueeze":
        return _unsqueezed(layout, op.attr("axis"))
    if form == "squeeze":
        return _squeezed(layout, op.attr("axis"))
    shape = op.attr("shape")
    if not isinstance(shape, tuple):
        return None
    if form == "unflatten":
        return _unflattened(layout, op.attr("axis"), shape)
    return _reshaped(layout, shape) if form is None else None


def _permuted(layout: Layout, op: Op) -> Layout | None:
    axes = op.attr("axes")
    if op.attr("batch_apart") is True:
        return None
    if isinstance(axes, tuple):
        places = [layout.place(axis) for axis in axes]
        known = [place for place in places if place is not None]
        if sorted(known) != list(range(len(layout.axes))):
            return None
        return Layout(tuple(layout.axes[place] for place in known))
    if not (op.states("axis") and op.states("other_axis")):
        return None
    one, other = layout.place(op.attr("axis")), layout.place(op.attr("other_axis"))
    if one is None or other is None:
        return None
    moved = list(layout.axes)
    moved[one], moved[other] = moved[other], moved[one]
    return Layout(tuple(moved))


def _unsqueezed(layout: Layout, axis: AttrValue) -> Layout | None:
    count = len(layout.axes)
    if not isinstance(axis, int) or not -count - 1 <= axis <= count:
        return None
    place = axis % (count + 1)
    return Layout((*layout.axes[:place], None, *layout.axes[place:]))


def _squeezed(layout: Layout, axis: AttrValue) -> Layout | None:
    gone = [layout.place(one) for one in (axis if isinstance(axis, tuple) else (axis,))]
    if axis is None or any(place is None or layout.axes[place] is not None for place in gone):
        return None
    return Layout(tuple(one for place, one in enumerate(layout.axes) if place not in gone))


def _unflattened(layout: Layout, axis: AttrValue, shape: tuple[AttrValue, ...]) -> Layout | None:
    place = layout.place(axis)
    digit = layout.axes[place] if place is not None else None
    if place is None or digit is None or digit.size is None:
        return None
    sizes = _sizes(shape, digit.size)
    if sizes is None:
        return None
    return Layout((*layout.axes[:place], *_digits(sizes, digit.stride), *layout.axes[place + 1 :]))


def _reshaped(layout: Layout, shape: tuple[AttrValue, ...]) -> Layout | None:
    """Tokens first and features behind them, laid out under other axes: the last sizes whose product is the width."""
    tokens = layout.tokens
    behind = layout.axes[tokens:]
    width = layout.width
    if width is None or None in behind or behind != layout.digits or not _is_dense(layout.digits):
        return None
    stride = layout.digits[-1].stride
    for start in range(len(shape) - 1, 0, -1):
        if _product(shape[start:]) == width and -1 not in shape[start:]:
            return Layout((*[None] * _leading(shape[:start], tokens), *_digits(shape[start:], stride)))
    start = max((place for place, size in enumerate(shape) if isinstance(size, Unknown)), default=-1) + 1
    sizes = _sizes(shape[start:], width) if start and -1 in shape[start:] else None
    if sizes is None:
        return None
    return Layout((*[None] * _leading(shape[:start], tokens), *_digits(sizes, stride)))


def _leading(sizes: tuple[AttrValue, ...], tokens: int) -> int:
    """How many axes `sizes` name: one that is not known may stand for all axes of tokens, as `*x.shape[:-1]` does."""
    return tokens if len(sizes) == 1 and isinstance(sizes[0], Unknown) else len(sizes)


def _is_dense(digits: Sequence[Digit]) -> bool:
    """Whether the digits count neighbouring features without a gap."""
    return all(
        lower.size is not None and upper.stride == lower.stride * lower.size for upper, lower in pairwise(digits)
    )


def _product(sizes: Sequence[AttrValue]) -> int | None:
    known = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool)]
    return prod(known) if len(known) == len(sizes) else None


def _sizes(shape: tuple[AttrValue, ...], width: int) -> tuple[int, ...] | None:
    """`shape` with its -1, if any, told by the product that is `width`."""
    known = [size for size in shape if isinstance(size, int) and not isinstance(size, bool)]
    if len(known) < len(shape) or known.count(-1) > 1:
        return None
    rest = prod(size for size in known if size != -1)
    if rest <= 0 or width % rest or (-1 not in known and rest != width):
        return None
    return tuple(width // rest if size == -1 else size for size in known)


def _digits(sizes: Sequence[AttrValue], stride: int) -> tuple[Digit, ...]:
    found: list[Digit] = []
    for size in reversed(sizes):
        assert isinstance(size, int)
        found.insert(0, Digit(size, stride))
        stride *= size
    return tuple(found)


# ---- cutting


def cut(layout: Layout, op: Op, outputs: Sequence[int]) -> tuple[Cut, ...] | None:
    """The parts into which `op` cuts features; None where it cuts something else, or that cannot be told.

    Args:
        layout: of what it reads.
        op: a split or a select.
        outputs: which parts are asked for.
    """
    if op.kind.name == "split":
        return _split(layout, op, outputs)
    if op.kind.name == "select":
        found = _selected(layout, op)
        return None if found is None else (Cut(found, 0),)
    return None


def _split(layout: Layout, op: Op, outputs: Sequence[int]) -> tuple[Cut, ...] | None:
    place = layout.place(op.attr("axis"))
    digit = layout.axes[place] if place is not None else None
    if place is None or digit is None:
        return None
    if op.attr("unbind") is True:
        left = Layout((*layout.axes[:place], *layout.axes[place + 1 :]))
        return tuple(Cut(left, number) for number in outputs) if left.digits else None
    sizes = _sections(op, digit.size)
    if sizes is None or max(outputs, default=0) >= len(sizes):
        return None
    return tuple(Cut(_with(layout, place, replace(digit, size=sizes[number])), number) for number in outputs)


def _sections(op: Op, width: int | None) -> tuple[int | None, ...] | None:
    """The sizes of the parts of a split."""
    sections, size = op.attr("sections"), op.attr("size")
    if isinstance(size, tuple):  # torch's: a size for all parts, or one for each
        sections = size
    if isinstance(sections, tuple):
        told = [one if isinstance(one, int) and one >= 0 else None for one in sections]
        open_ones = [number for number, one in enumerate(told) if one is None]
        known = sum(one for one in told if one is not None)
        if width is not None and len(open_ones) == 1 and known < width:
            told[open_ones[0]] = width - known
        elif width is not None and (not open_ones and known != width):
            return None
        return tuple(told)
    if isinstance(sections, int) and sections > 0:
        if width is None:
            return (None,) * sections
        return (width // sections,) * sections if width % sections == 0 else None
    if isinstance(size, int) and size > 0 and width is not None and width % size == 0:
        return (size,) * (width // size)
    return None


def _selected(layout: Layout, op: Op) -> Layout | None:
    """One axis of features narrowed by a slice or an index, all others whole."""
    if isinstance(start := op.attr("start"), int) and isinstance(length := op.attr("length"), int):
        return _narrowed(layout, layout.place(op.attr("axis")), ("slice", start, start + length, None))
    index = op.attr("index")
    if op.states("axis"):
        return _narrowed(layout, layout.place(op.attr("axis")), index)
    parts = index if isinstance(index, tuple) and index[:1] != ("slice",) else (index,)
    if parts.count("...") > 1 or len(parts) - parts.count("...") > len(layout.axes):
        return None
    if "..." in parts:
        at = parts.index("...")
        missing = len(layout.axes) - len(parts) + 1
        parts = (*parts[:at], *[_WHOLE] * missing, *parts[at + 1 :])
    narrowed = [place for place, part in enumerate(parts) if part != _WHOLE]
    return _narrowed(layout, narrowed[0], parts[narrowed[0]]) if len(narrowed) == 1 else None


def _narrowed(layout: Layout, place: int | None, part: AttrValue) -> Layout | None:
    digit = layout.axes[place] if place is not None else None
    if place is None or digit is None:
        return None
    if isinstance(part, tuple) and len(part) == 4 and part[0] == "slice":
        return _sliced(layout, place, digit, part)
    if isinstance(part, tuple) and len(part) == 1 and isinstance(part[0], int):  # a list of one index keeps the axis
        return _with(layout, place, replace(digit, size=1))
    if isinstance(part, int) and not isinstance(part, bool):
        left = Layout((*layout.axes[:place], *layout.axes[place + 1 :]))
        return left if left.digits else None
    return None


def _sliced(layout: Layout, place: int, digit: Digit, part: tuple[AttrValue, ...]) -> Layout | None:
    if part[3] not in (None, 1):
        return None
    ends = [0 if part[1] is None else part[1], digit.size if part[2] is None else part[2]]
    if any(isinstance(end, Unknown) or (end is not None and not isinstance(end, int)) for end in ends):
        return _with(layout, place, replace(digit, size=None))
    numbers = [end for end in ends if isinstance(end, int)]
    if digit.size is None:
        plain = len(numbers) == 2 and 0 <= numbers[0] < numbers[1] and part[2] is not None
        return _with(layout, place, replace(digit, size=numbers[1] - numbers[0] if plain else None))
    first, last, _ = slice(*numbers).indices(digit.size)
    return _with(layout, place, replace(digit, size=last - first)) if last > first else None


def _with(layout: Layout, place: int, digit: Digit) -> Layout:
    return Layout((*layout.axes[:place], digit, *layout.axes[place + 1 :]))
