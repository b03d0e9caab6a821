"""`torch.vmap`: a function of one entry, run on all of them at once.

Inside of it tensors are wrapped, and are others than those outside. What is recorded is what the code says: an entry is
taken of each tensor that is mapped over, the function is called once, and what it gives is stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from archcheck.frontends.trace.child.recorder import Recorder

ENTRY, STACKED = "torch.vmap.entry", "torch.vmap.stacked"
_PLACES = (torch, torch.func)


@contextmanager
def told(recorder: Recorder) -> Iterator[None]:
    """Calls of functions that `torch.vmap` gives are recorded."""
    original = torch.vmap

    @wraps(original)
    def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, *more: Any, **options: Any) -> Any:
        def mapped(*args: Any, **kwargs: Any) -> Any:
            inner = _Inner(recorder, func, args, in_dims)
            result = original(inner, in_dims, out_dims, *more, **options)(*args, **kwargs)
            inner.gives(result, out_dims)
            return result

        return mapped

    for place in _PLACES:
        place.vmap = vmap
    try:
        yield
    finally:
        for place in _PLACES:
            place.vmap = original


class _Inner:
    """The function of one entry, which notes what it is given and gives."""

    def __init__(self, recorder: Recorder, func: Callable[..., Any], args: tuple[Any, ...], in_dims: Any) -> None:
        self.recorder = recorder
        self.func = func
        self.args = args
        self.in_dims = in_dims if isinstance(in_dims, (tuple, list)) else (in_dims,) * len(args)
        self.result: Any = None

    def __call__(self, *entries: Any, **kwargs: Any) -> Any:
        for entry, whole, axis in zip(entries, self.args, self.in_dims, strict=False):
            if isinstance(entry, Tensor) and entry is not whole and isinstance(axis, int):
                self.recorder.tell(ENTRY, (whole, axis), entry)
        with self.recorder.concrete.uncached():
            self.result = self.func(*entries, **kwargs)
        return self.result

    def gives(self, result: Any, out_dims: Any) -> None:
        """Note what all calls of it give together."""
        alone = isinstance(result, Tensor)
        parts, wholes = ((self.result,), (result,)) if alone else (self.result, result)
        if not isinstance(parts, (tuple, list)) or not isinstance(wholes, (tuple, list)):
            return  # what it gives was made by something that is not recorded, and says so
        axes = out_dims if isinstance(out_dims, (tuple, list)) else (out_dims,) * len(wholes)
        for part, whole, axis in zip(parts, wholes, axes, strict=False):
            if isinstance(part, Tensor) and isinstance(whole, Tensor):
                self.recorder.tell(STACKED, (part, axis), whole)
