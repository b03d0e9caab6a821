"""What tensors hold that nothing learns: numbers and patterns that decide what is computed, such as a causal mask.

A mask is kept as its numbers, and the code that made it is gone. A tensor that is plainly one of the few patterns that
models keep is written as the call that makes it; of any other, only its shape is told.
"""

from __future__ import annotations

import math
import struct

from archcheck.frontends.torch_script.pickles import TensorData

MOST = 4 * 1024**2  # bytes of one tensor that is looked at
_FORMATS = {
    "FloatStorage": "f", "DoubleStorage": "d", "HalfStorage": "e", "LongStorage": "q", "IntStorage": "i",
    "ShortStorage": "h", "CharStorage": "b", "ByteStorage": "B", "BoolStorage": "?",
}  # fmt: skip
_KINDS = {"BoolStorage": "bool", "LongStorage": "int64", "IntStorage": "int32", "ByteStorage": "uint8"}


def size_of(tensor: TensorData) -> int:
    """How many bytes a tensor's own numbers take; 0 where its kind is not read."""
    code = _FORMATS.get(tensor.storage.dtype)
    return struct.calcsize(f"<{code}") * math.prod(tensor.shape) if code else 0


def written(tensor: TensorData, data: bytes) -> str:
    """A tensor that is not learned, as Python.

    Args:
        tensor: which one.
        data: of its storage; empty where that was not read.
    """
    shape = "".join(f"{size}, " for size in tensor.shape)
    unknown = f"torch.empty(({shape}))"
    code = _FORMATS.get(tensor.storage.dtype)
    if code is None or not data:
        return unknown
    size = struct.calcsize(f"<{code}")
    own = data[tensor.offset * size : tensor.offset * size + size_of(tensor)]
    if not own or len(own) != size_of(tensor) or not _is_plain(tensor):
        return unknown
    if not tensor.shape:
        return f"torch.tensor({_number(struct.unpack(f'<{code}', own)[0])})"
    last = tensor.shape[-1]
    square = len(tensor.shape) > 1 and tensor.shape[-2] == last > 1 and math.prod(tensor.shape) == last * last
    if square and (made := _triangle(own, last, size, code)):
        text = made if len(tensor.shape) == 2 else f"{made}.view({shape.rstrip(', ')})"
        kind = _KINDS.get(tensor.storage.dtype)
        return f"{text}.to(torch.{kind})" if kind else text
    if own == own[:size] * (len(own) // size):
        return f"torch.full(({shape}), {_number(struct.unpack(f'<{code}', own[:size])[0])})"
    if math.prod(tensor.shape) == last and code in "qi" and own == struct.pack(f"<{last}{code}", *range(last)):
        return f"torch.arange({last})" + (f".view({shape.rstrip(', ')})" if len(tensor.shape) > 1 else "")
    return unknown


def _is_plain(tensor: TensorData) -> bool:
    """Whether a tensor's numbers lie in order, one behind the other."""
    step = 1
    for length, stride in zip(reversed(tensor.shape), reversed(tensor.strides), strict=True):
        if length != 1 and stride != step:
            return False
        step *= length
    return True


def _triangle(own: bytes, n: int, size: int, code: str) -> str:
    """A triangle of one number with nothing beside it, as Python; "" for anything else."""
    nothing = bytes(size)
    corner, other = own[(n - 1) * n * size :][:size], own[(n - 1) * size :][:size]  # lower left, upper right
    lower = other == nothing != corner
    one = corner if lower else other
    if one == nothing:
        return ""
    for diagonal in (0, 1) if not lower else (0, -1):
        rows = []
        for row in range(n):
            cut = min(max(row + diagonal + (1 if lower else 0), 0), n)
            rows.append(one * cut + nothing * (n - cut) if lower else nothing * cut + one * (n - cut))
        if b"".join(rows) == own:
            value = struct.unpack(f"<{code}", one)[0]
            full = f"torch.ones({n}, {n})" if value == 1 else f"torch.full(({n}, {n}), {_number(value)})"
            behind = f", diagonal={diagonal}" if diagonal else ""
            return f"torch.{'tril' if lower else 'triu'}({full}{behind})"
    return ""


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else f'float("{value}")'
