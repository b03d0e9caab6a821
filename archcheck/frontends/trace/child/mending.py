"""What to try next after a call failed: an exception and the code that raised it tell what is missing or misshapen.

Nothing here runs the model. Each proposal is a set of arguments to give, to change or to leave out; which of them
gets the call further is found by trying, in `inputs`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from archcheck.frontends.trace.child import recipes, settings
from archcheck.frontends.trace.child.settings import Setting
from archcheck.frontends.trace.child.sizes import Sizes
from archcheck.frontends.trace.child.stack import lines

MOST_SIZE = 1 << 20  # of an axis, that is taken from a message
MOST_TOKENS = 4096  # along an axis


@dataclass
class Proposal:
    """Arguments that are given otherwise than before.

    Attributes:
        given: argument -> value.
        dropped: arguments that are given no more.
        settings: fields of the configuration that get a value.
        cost: of two proposals for calls that got equally far, the one with less cost is tried first.
    """

    given: dict[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    cost: float = 1.0


class Mender:
    """Proposes.

    Args:
        free: parameter -> annotation, of those that may be given; what the user gives is not among them.
        required: those of them that must be given.
        candidates: values for a parameter, the likeliest first.
        sizes: of the model's inputs.
        completes: whether fields of the configuration may be set.
    """

    def __init__(
        self,
        free: Mapping[str, Any],
        required: frozenset[str],
        candidates: Callable[[str], list[Any]],
        sizes: Sizes,
        *,
        completes: bool,
    ) -> None:
        self.free = free
        self.required = required
        self.candidates = candidates
        self.sizes = sizes
        self.completes = completes

    def proposals(self, error: BaseException, values: Mapping[str, Any]) -> Iterator[Proposal]:
        """What to try instead of `values`, with which a call failed; the likeliest first."""
        text = str(error)
        made = {name: value for name, value in values.items() if name in self.free}
        if self.completes:
            for one in (*settings.completing(error, self.sizes), *settings.resplit(error, self.sizes)):
                yield Proposal(settings=(one,), cost=0.5)
        yield from self._missing(text, error, values)
        yield from self._placeholders(text, made)
        yield from self._resizing(text, made)
        suspects = sorted(made, key=lambda name: _suspicion(made[name], name, error))
        for name in suspects:
            for at, value in enumerate(self.candidates(name)):
                if not _alike(value, made[name]):
                    yield Proposal({name: value}, cost=1.5 + at / 2)
        yield from self._settings(text, error, values)
        for name in made:
            if name not in self.required and len(made) > 1:
                yield Proposal(dropped=(name,), cost=4)

    # ---- what is missing

    def _missing(self, text: str, error: BaseException, values: Mapping[str, Any]) -> Iterator[Proposal]:
        absent = [name for name in self.free if name not in values and self._may_be_tensor(name)]
        if "labels" in text and (labels := [name for name in absent if "labels" in name]):
            yield self._giving(labels)
            if self._giving([*labels, *[name for name in absent if name.endswith("attention_mask")]]).given:
                yield self._giving([*labels, *[name for name in absent if name.endswith("attention_mask")]])
        words = re.findall(r"\b[a-z]\w+\b", text)
        spoken = [name for name in absent for word in words if name.endswith(f"_{word}") and len(word) > 5]
        spoken += [name for name in absent if name in words]
        code = list(lines(error))
        spoken += [name for name in absent for line, frame in code if self._is_read(name, line, frame)]
        first = [name for name in dict.fromkeys(spoken) if name not in ("past_key_values", "labels")]
        for name in first:  # hidden states instead of ids would leave the embedding out
            yield self._giving([name], 3 if name.endswith("inputs_embeds") else 1)
        if len(first) > 1:
            yield self._giving(first, 3)
        if "NoneType" in text or "None" in text or "specify" in text or "provide" in text.lower():
            for name in absent:
                if name not in first and name not in ("past_key_values", "labels"):
                    yield self._giving([name], 4)

    def _giving(self, names: list[str], cost: float = 1.0) -> Proposal:
        found: dict[str, Any] = {}
        for name in names:
            value = next(iter(self.candidates(name)), None)
            if value is not None:
                found[name] = value
        return Proposal(found, cost=cost)

    def _may_be_tensor(self, name: str) -> bool:
        text = str(self.free[name])
        if name.endswith("outputs") or name.startswith(("use_", "return_", "output_", "is_", "do_", "past_key")):
            return False
        return "Tensor" in text or "Any" in text or "empty" in text

    @staticmethod
    def _is_read(name: str, line: str, frame: FrameType) -> bool:
        return bool(re.search(rf"\b{re.escape(name)}\b", line)) and frame.f_locals.get(name, None) is None

    # ---- tokens that stand for an image, a video or a sound

    def _placeholders(self, text: str, made: Mapping[str, Any]) -> Iterator[Proposal]:
        match = re.search(r"tokens?: (\d+),.*?features:? (\d+)", text)
        name = next((one for one in ("input_ids",) if isinstance(made.get(one), Tensor)), None)
        if match is None or name is None:
            return
        wanted = int(match[2])
        for word in ("image", "video", "audio"):
            token = next((value for value in self._tokens(word) if isinstance(value, int)), None)
            if token is None or word not in text.lower():
                continue
            tensor = made[name]
            each, rest = divmod(wanted, tensor.shape[0])
            if not rest and each < 1 << 14:
                row = torch.full((tensor.shape[0], each), token)
                yield Proposal({name: torch.cat([tensor[:, :1], row, tensor[:, 1:]], dim=1)})

    def _tokens(self, word: str) -> list[Any]:
        return [self.sizes.ask(f"{word}_token_id"), self.sizes.ask(f"{word}_token_index")]

    # ---- sizes

    def _resizing(self, text: str, made: Mapping[str, Any]) -> Iterator[Proposal]:
        tensors = {name: value for name, value in made.items() if isinstance(value, Tensor) and value.dim()}
        if match := re.search(r"multiples? of[^\d]{0,60}?(\d+)|divisible by[^\d]{0,60}?(\d+)", text):
            yield from _rounded(tensors, int(match[1] or match[2]), text)
        if match := re.search(r"shape '\[([^\]]*)\]' is invalid for input of size (\d+)", text):
            known = [int(number) for number in re.findall(r"(?<![-\d])\d+", match[1])]
            for number in dict.fromkeys([*known, math.prod(known[-2:] or [1]), math.prod(known[-3:] or [1])]):
                if 3 < number < 4096:
                    yield from _rounded(tensors, number, text)
        if "scalar types: Long, Int" in text or "tensors used as indices must be long" in text:
            for name, tensor in tensors.items():
                if tensor.is_floating_point():
                    yield Proposal({name: torch.zeros(tensor.shape[:2], dtype=torch.long)})
        yield from _broadcast(text, tensors)
        for got, wanted, cost in _told(text):
            yield from _together(tensors, got, wanted, cost)
            for name, tensor in tensors.items():
                for axes in _fitting(tensor, got, wanted):
                    factor = got // tensor.shape[axes[0]]
                    yield from _resized(name, tensor, axes, wanted // factor, cost)
        if match := re.search(
            r"Expected (\d)D \(unbatched\) or (\d)D|[Ee]xpected (\d)D|must be (?:a )?(\d)-?[dD]", text
        ):
            rank = int(next(number for number in reversed(match.groups()) if number))
            for name, tensor in tensors.items():
                if tensor.is_floating_point() and tensor.dim() != rank:
                    for value in self.candidates(name):
                        if isinstance(value, Tensor) and value.dim() == rank:
                            yield Proposal({name: value})
                    if rank > tensor.dim():
                        shape = [*tensor.shape[:1], *[1] * (rank - tensor.dim()), *tensor.shape[1:]]
                        yield Proposal({name: recipes.floating(*shape)})
        if re.search(r"[Kk]ernel size can't be greater|too small|Output size is too small|should be at least", text):
            for name, tensor in tensors.items():
                if tensor.is_floating_point():
                    at = list(range(1, tensor.dim()))[-2:] if tensor.dim() > 3 else [tensor.dim() - 1]
                    shape = [size * 4 if axis in at else size for axis, size in enumerate(tensor.shape)]
                    yield Proposal({name: recipes.floating(*shape)}, cost=2)

    # ---- settings

    def _settings(self, text: str, error: BaseException, values: Mapping[str, Any]) -> Iterator[Proposal]:
        if "use_cache" in self.free and "use_cache" not in values:
            code = [frame.f_code.co_filename + line for line, frame in lines(error)]
            if any("cache" in one for one in code):
                yield Proposal({"use_cache": False})


def _broadcast(text: str, tensors: Mapping[str, Tensor]) -> Iterator[Proposal]:
    """Where a product of two tensors fails: those behind the first of that shape are sized like what they meet, over
    its last two axes: angles of rotary positions, a bias, a scale."""
    told = re.search(r"had torch\.Size\(\[([\d, ]+)\]\).*broadcastable to \[([\d, ]+)\]", text)
    if told is None:
        return
    met, like = (tuple(int(size) for size in re.findall(r"\d+", part)) for part in told.groups())
    names = [name for name, tensor in tensors.items() if tensor.is_floating_point() and tuple(tensor.shape) == met]
    for shape in (like[-2:], like[-1:], (like[0], *like[-2:])):
        if len(names) > 1:
            yield Proposal({name: recipes.floating(*shape) for name in names[1:]}, cost=0.8)
        for name in names[1:]:
            yield Proposal({name: recipes.floating(*shape)}, cost=1.2)


def _suspicion(value: Any, name: str, error: BaseException) -> int:
    """Lower for arguments that are likelier to be why a call failed: real numbers that the code had at hand."""
    if not isinstance(value, Tensor):
        return 3
    held = any(one is value for _, frame in lines(error) for one in frame.f_locals.values())
    return (0 if value.is_floating_point() else 1) + (0 if held else 1)


def _alike(value: Any, other: Any) -> bool:
    if isinstance(value, Tensor) and isinstance(other, Tensor):
        return value.shape == other.shape and value.dtype == other.dtype
    return type(value) is type(other) and not isinstance(value, Tensor)


_SIZES_TOLD: tuple[tuple[str, bool], ...] = (  # what came and what was wanted; whether the other way round
    (r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)", False),
    (r"must have same reduction dim, but got \[.*?(\d+)\] X \[(\d+), \d+\]", False),
    (r"normalized_shape=\[(?:\d+, )*(\d+)\].*input of size\[(?:\d+, )*(\d+)\]", True),
    (r"to have (\d+) channels, but got (\d+) channels", True),
    (r"running_mean should contain (\d+) elements not (\d+)", False),
    (r"Expected (\d+),? (?:but )?got (\d+)", True),
    (r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)", False),
    (r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)", True),
)


def _told(text: str) -> list[tuple[int, int, float]]:
    """Pairs of sizes in a message: what came, what was wanted, and the cost of taking the message so."""
    found: dict[tuple[int, int], float] = {}
    for pattern, reversed_ in _SIZES_TOLD:
        if match := re.search(pattern, text):
            pair = int(match[1]), int(match[2])
            found.setdefault(pair[::-1] if reversed_ else pair, 1.0)
    numbers = [int(number) for number in re.findall(r"\b\d+\b|(?<=x)\d+", text)][:12]
    for got in dict.fromkeys(numbers):
        for wanted in dict.fromkeys(numbers):
            if got > 3 and wanted > 3:
                found.setdefault((got, wanted), 2.5)
    return [(a, b, cost) for (a, b), cost in found.items() if max(a, b) < MOST_SIZE and a != b][:40]


def _fitting(tensor: Tensor, got: int, wanted: int) -> Iterator[tuple[int, ...]]:
    """Axes, but for that of the batch, whose size came as `got`; height and width together, where they are equal."""
    for axis in reversed(range(1, tensor.dim())):
        size = tensor.shape[axis]
        if size < 2 or got % size or wanted % (got // size):
            continue
        if tensor.dim() >= 4 and axis == tensor.dim() - 1 and tensor.shape[-2] == size:
            yield (axis, axis - 1)
        if tensor.dim() < 4 or axis >= tensor.dim() - 2 or got == size:
            yield (axis,)


def _together(tensors: Mapping[str, Tensor], got: int, wanted: int, cost: float) -> Iterator[Proposal]:
    """All arguments that have an axis of a size get another there, where they are several."""
    found: dict[str, Any] = {}
    for name, tensor in tensors.items():
        axes = sorted(
            (one for one in _fitting(tensor, got, wanted) if len(one) == 1), key=lambda at: -tensor.shape[at[0]]
        )
        if axes:
            size = wanted // (got // tensor.shape[axes[0][0]])
            for proposal in _resized(name, tensor, axes[0], size, cost):
                found |= proposal.given
    if len(found) > 1:
        yield Proposal(found, cost=cost)


def _resized(name: str, tensor: Tensor, axes: tuple[int, ...], size: int, cost: float) -> Iterator[Proposal]:
    shape = [size if at in axes else old for at, old in enumerate(tensor.shape)]
    if size < 1 or math.prod(shape) > 1 << 34:
        return
    if tensor.is_meta:
        yield Proposal({name: torch.empty(shape, dtype=tensor.dtype, device="meta")}, cost=cost)
    elif math.prod(shape) <= 1 << 22 and (tensor.is_floating_point() or size <= MOST_TOKENS):
        for axis in axes:
            tensor = torch.cat([tensor] * -(-size // tensor.shape[axis]), dim=axis).narrow(axis, 0, size)
        yield Proposal({name: tensor.clone()}, cost=cost)


def _rounded(tensors: Mapping[str, Tensor], number: int, text: str) -> Iterator[Proposal]:
    """Sizes rounded up to a multiple: of an axis that the message tells, of the last one, of height and width."""
    told = {int(one) for one in re.findall(r"\d+", text)}
    every: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if tensor.dim() >= 4 and tensor.is_floating_point():
            shape = [size if axis < tensor.dim() - 2 else _up(size, number) for axis, size in enumerate(tensor.shape)]
            yield Proposal({name: recipes.floating(*shape)})
        axes = [axis for axis in range(1, tensor.dim()) if tensor.shape[axis] in told] or [tensor.dim() - 1]
        for axis in axes:
            if axis and tensor.shape[axis] % number:
                for proposal in _resized(name, tensor, (axis,), _up(tensor.shape[axis], number), 1.5):
                    every |= proposal.given
                    yield proposal
    if len(every) > 1:
        yield Proposal(every)


def _up(size: int, number: int) -> int:
    return -(-size // number) * number
