"""What is known of calls that were made before: the shapes of what they gave, and which tensors share memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

META = torch.device("meta")
empty = torch.empty_strided


class Signature:
    """Shape, strides and dtype of tensors that are alike, and whether they hold numbers."""

    __slots__ = ("dtype", "meta", "shape", "stride")

    def __init__(self, tensor: Tensor) -> None:
        self.shape = tensor.shape
        self.stride = tensor.stride()
        self.dtype = tensor.dtype
        self.meta = tensor.is_meta


class Kept:
    """What is known of what a call gives, from an equal call before.

    Attributes:
        kind: of the tuple or list that it gives; None where it gives one tensor.
        shapes: of the tensors.
        signature: of the first tensor.
        pairs: which outputs are views of which of the tensors that are given; the call is then made again, unasked.
        same: which of them it gives as it was given; -1 for none.
    """

    __slots__ = ("kind", "pairs", "same", "shapes", "signature")

    def __init__(
        self, kind: Any, shapes: tuple[Any, ...], signature: Signature, pairs: Any = None, same: int = -1
    ) -> None:
        self.kind = kind
        self.shapes = shapes
        self.signature = signature
        self.pairs = pairs
        self.same = same


class Kinds:
    """Signatures of tensors: one for all that are alike."""

    def __init__(self) -> None:
        self._alike: dict[Any, Signature] = {}

    def of(self, tensor: Tensor) -> Signature:
        """The signature of a tensor as it is now."""
        like = (tensor.shape, tensor.stride(), tensor.dtype, tensor.is_meta)
        found = self._alike.get(like)
        if found is None:
            found = self._alike[like] = Signature(tensor)
        return found


def kept(kinds: Kinds, out: Any, views: Any, given: list[Tensor], *, asis: bool) -> Kept | bool:
    """What is to be known of an equal call; False where it must be made each time.

    Args:
        kinds: all signatures.
        out: what it gave.
        views: which outputs are views of what.
        given: the tensors that it was given.
        asis: whether it was made with the arguments that the code gives.
    """
    kind = None if type(out) is Tensor else type(out)
    outs = [out] if kind is None else list(out) if _is_sequence(kind) else []
    if not outs or not all(type(one) is Tensor and one.is_meta for one in outs):
        return False
    shapes = tuple((one.shape, one.stride(), one.dtype) for one in outs)
    if not views:
        return Kept(kind, shapes, kinds.of(outs[0]))
    pairs = tuple((_place(one, outs), _place(of, given)) for one, of in views)
    same = [of for one, of in pairs if outs[one] is given[of]]
    if same:
        return Kept(None, (), kinds.of(outs[0]), pairs, same[0]) if kind is None else False
    return Kept(kind, (), kinds.of(outs[0]), pairs) if asis else False


def made_again(kept: Kept) -> Any:
    """Tensors of these shapes."""
    outs = [empty(size, stride, dtype=dtype, device=META) for size, stride, dtype in kept.shapes]
    return outs[0] if kept.kind is None else kept.kind(outs)


def _is_sequence(kind: type) -> bool:
    return kind is tuple or kind is list or kind.__module__ == "torch.return_types"


def _place(tensor: Tensor, among: list[Tensor]) -> int:
    return next(at for at, one in enumerate(among) if one is tensor)
