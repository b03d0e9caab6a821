"""Answers for questions about the content of tensors that have none. Each is told, as something taken for granted."""

from __future__ import annotations

import dis
import re
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor

from archcheck.frontends.trace.child import stack

Told = Callable[[str, str], None]
AS_FOR_ZEROS = "as many entries as zeros would"
NUMBERS = frozenset({"tolist", "item", "__int__", "__index__"})  # what is asked for to get whole numbers


_META = re.compile(r"\b(register_)?meta\b", re.IGNORECASE)  # as torch says where a tensor lives that has a shape only


class NoNumbersError(RuntimeError):
    """Code asks for what only numbers can answer."""


def is_of_tracing(error: Exception) -> bool:
    """Whether an exception is raised since tensors have shapes only: on numbers there would be none."""
    return isinstance(error, NoNumbersError) or _META.search(str(error)) is not None


def content(asked: str, args: tuple[Any, ...]) -> Any:
    """What `bool(x)`, `x.item()` and their like are taken to give: false, and 1."""
    tensor = args[0]
    if asked in ("__bool__", "equal", "allclose", "is_nonzero", "__contains__"):
        return False
    if asked in ("__int__", "__index__"):
        return 1
    if asked == "__float__":
        return 1.0
    if asked == "__format__" and tensor.dim():
        return "tensor"
    one = False if tensor.dtype == torch.bool else 1.0 if tensor.is_floating_point() else 1
    if asked == "tolist":
        return _nested(one, tuple(tensor.shape))
    if asked == "numpy":
        raise NoNumbersError("a tensor has no numbers while it is traced")
    return format(one, args[1] if len(args) > 1 else "") if asked == "__format__" else one


def is_usual(lineage: list[str]) -> bool:
    """Whether what is asked for is as a rule the case: that all numbers are finite.

    Args:
        lineage: names of the calls that the asked tensor comes from, the last first.
    """
    short = [name.rpartition(".")[2] for name in lineage]
    return short[:2] == ["all", "isfinite"]


def is_raised_otherwise(frame: FrameType | None) -> bool:
    """Whether the code that asks raises an exception when the answer is false: an `assert`, `if not ...: raise`.

    Args:
        frame: the innermost one outside of the recorder.
    """
    while frame is not None and stack.is_own(frame.f_code.co_filename):
        frame = frame.f_back
    for _ in range(6):
        if frame is None:
            return False
        code = frame.f_code
        if code.co_name.startswith(("_check", "_assert", "torch_compilable_check")):
            return True
        if not stack.is_torch(code.co_filename):
            return _raises_if_false(code, frame.f_lasti)
        frame = frame.f_back
    return False


def _raises_if_false(code: CodeType, at: int) -> bool:
    """Whether the instruction at this offset, or one soon after, jumps on a condition, and false leads to `raise`."""
    instructions = [one for one in dis.get_instructions(code) if one.offset >= at]
    negated = False
    for one in instructions[:6]:
        name = one.opname
        if name == "UNARY_NOT":
            negated = not negated
        if "JUMP" in name and "IF_" in name and "NONE" not in name:
            jumps_if_true = "IF_TRUE" in name
            follows = instructions[instructions.index(one) + 1 :]
            target = [later for later in instructions if later.offset >= one.argval]
            false_path = follows if jumps_if_true != negated else target
            return _raises(false_path)
        if "JUMP" in name or name.startswith("RETURN"):
            return False
    return False


def _raises(path: list[dis.Instruction]) -> bool:
    for one in path[:120]:
        if one.opname == "RAISE_VARARGS":
            return True
        if "JUMP" in one.opname or one.opname.startswith(("RETURN", "STORE", "FOR_ITER", "RERAISE")):
            return False
    return False


def _nested(one: Any, shape: tuple[int, ...]) -> Any:
    return one if not shape else [_nested(one, shape[1:]) for _ in range(min(shape[0], 64))]


def shaped(asked: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], tell: Told) -> tuple[Any] | None:
    """What functions give whose result has as many entries as the content says; None for all others.

    One entry is taken to be chosen where a place is asked for (`nonzero`), all where values are (`masked_select`).
    """
    first = args[0] if args else kwargs.get("input")
    if not isinstance(first, Tensor):
        return None
    if asked in ("nonzero", "argwhere") or (asked == "where" and len(args) == 1 and not kwargs):
        if not first.is_meta:
            return None
        tell(asked, "one entry")
        rank = max(first.dim(), 1)
        if asked == "where" or kwargs.get("as_tuple"):
            return (tuple(torch.empty((1,), dtype=torch.long, device="meta") for _ in range(rank)),)
        return (torch.empty((1, rank), dtype=torch.long, device="meta"),)
    if asked == "masked_select":
        tell(asked, "all entries")
        return (torch.empty((first.numel(),), dtype=first.dtype, device="meta"),)
    if asked in ("unique", "unique_consecutive") and first.is_meta:
        tell(asked, "all differ")
        parts: list[Tensor] = [torch.empty((first.numel(),), dtype=first.dtype, device="meta")]
        if kwargs.get("return_inverse"):
            parts.append(torch.empty(first.shape, dtype=torch.long, device="meta"))
        if kwargs.get("return_counts"):
            parts.append(torch.empty((first.numel(),), dtype=torch.long, device="meta"))
        return (tuple(parts) if len(parts) > 1 else parts[0],)
    if asked == "one_hot" and first.is_meta and (kwargs.get("num_classes", -1) == -1 and len(args) < 2):
        tell(asked, "one class")
        return (torch.empty((*first.shape, 1), dtype=torch.long, device="meta"),)
    if asked == "__getitem__":
        return _by_mask(first, args[1], tell)
    return None


def _by_mask(tensor: Tensor, index: Any, tell: Told) -> tuple[Any] | None:
    """A part of a tensor that a mask without content chooses: all of it."""
    parts = index if isinstance(index, tuple) else (index,)
    masks = [part for part in parts if isinstance(part, Tensor) and part.dtype == torch.bool and part.is_meta]
    if not masks or len(parts) != 1:
        return None
    tell("a mask", "all entries")
    rest = tensor.shape[masks[0].dim() :]
    return (torch.empty((masks[0].numel(), *rest), dtype=tensor.dtype, device="meta"),)


def by_value(
    asked: str, args: Any, kwargs: dict[str, Any], vague: set[int], tell: Told, *, guessed: bool
) -> tuple[Any, dict[str, Any]]:
    """The arguments with numbers in the place of tensors that hold some and decide a shape.

    Args:
        asked: what is called.
        args: with what.
        kwargs: and by name.
        vague: tensors whose numbers mean nothing, by identity.
        tell: of a guess.
        guessed: whether numbers were guessed before, which may be among the arguments.
    """
    if asked == "__getitem__":
        index = args[1]
        parts = tuple(_index(part, tell) for part in (index if isinstance(index, tuple) else (index,)))
        flat = tuple(one for part in parts for one in (part if isinstance(part, _Several) else (part,)))
        return (args[0], flat if isinstance(index, tuple) or len(flat) > 1 else flat[0]), kwargs
    if asked == "repeat_interleave":
        repeats = args[1] if len(args) > 1 else kwargs.get("repeats")
        if isinstance(repeats, Tensor) and not repeats.is_meta and repeats.dim() and id(repeats) not in vague:
            count = int(repeats.sum())
            if repeats.numel() == 1:
                dim = args[2] if len(args) > 2 else kwargs.get("dim")
                count *= args[0].numel() if dim is None else args[0].shape[dim]
            return args, {**kwargs, "output_size": count}
    if asked in ("split", "split_with_sizes", "tensor_split"):
        numbers = tuple(one.tolist() if isinstance(one, Tensor) and not one.is_meta else one for one in args[1:])
        listed = tuple(
            [int(item) for item in one] if isinstance(one, (list, tuple)) and len(one) else one for one in numbers
        )
        return (args[0], *(_fitting(args[0], listed, kwargs, asked, tell) if guessed else listed)), kwargs
    return args, kwargs


def _fitting(tensor: Tensor, sizes: tuple[Any, ...], kwargs: dict[str, Any], asked: str, tell: Told) -> tuple[Any, ...]:
    """Sizes of parts that were guessed to be 1 each are made so that the parts are the whole."""
    parts = sizes[0] if sizes else None
    dim = sizes[1] if len(sizes) > 1 else kwargs.get("dim", 0)
    if not isinstance(parts, list) or not parts or set(parts) != {1} or not isinstance(dim, int):
        return sizes
    whole = tensor.shape[dim]
    if whole <= len(parts):
        return sizes
    tell(asked, "parts that make the whole")
    each, rest = divmod(whole, len(parts))
    return [each + (at < rest) for at in range(len(parts))], *sizes[1:]


class _Several(tuple[Any, ...]):
    """Indices in the place of one mask."""

    __slots__ = ()


def _index(part: Any, tell: Told) -> Any:
    if isinstance(part, Tensor) and part.is_meta:
        return 0 if part.dim() == 0 and part.dtype != torch.bool else part  # one entry, whichever it is
    if isinstance(part, Tensor):
        if part.dtype == torch.bool:
            return _Several(part.nonzero(as_tuple=True))
        return int(part) if part.dim() == 0 else part
    if isinstance(part, slice):
        return slice(*(_bound(one, tell) for one in (part.start, part.stop, part.step)))
    return part


def _bound(value: Any, tell: Told) -> Any:
    if not isinstance(value, Tensor):
        return value
    if value.is_meta:
        tell("the bound of a slice", "1")
        return 1
    return int(value)
