"""Values as they leave the sandbox: numbers and text as they are, everything else as a tagged list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

MOST_ITEMS = 512  # of a list that is told
MOST_TEXT = 512
_PLAIN = (bool, int, str, type(None))


class Encoder:
    """Numbers tensors by identity. They are kept, so that no other gets their identity."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.kept: list[Tensor] = []
        self.found: list[int] = []  # tensors that were read before anything that was recorded gave them

    def number(self, tensor: Tensor) -> int:
        """The number of a tensor that is read."""
        number = self.numbers.get(id(tensor))
        if number is None:
            number = self.add(tensor)
            self.found.append(number)
        return number

    def add(self, tensor: Tensor) -> int:
        """The number of a tensor that is new."""
        number = self.numbers[id(tensor)] = len(self.kept)
        self.kept.append(tensor)
        return number

    def same(self, tensor: Tensor, other: Tensor) -> None:
        """`other` takes the place of `tensor`."""
        if id(tensor) in self.numbers:
            self.numbers[id(other)] = self.numbers[id(tensor)]
            self.kept.append(other)

    def encode(self, value: Any, depth: int = 8) -> Any:
        """A value that is read."""
        kind = type(value)
        if kind in _PLAIN:
            return value if kind is not str or len(value) <= MOST_TEXT else value[:MOST_TEXT]
        if isinstance(value, Tensor):
            return ("t", self.number(value))
        if kind is float:
            return value
        return self._other(value, kind, depth)

    def _other(self, value: Any, kind: type, depth: int) -> Any:
        if depth == 0:
            return ("x", kind.__name__)
        if isinstance(value, (list, tuple)):
            tag = "u" if isinstance(value, tuple) else "l"
            return (tag, *[self.encode(item, depth - 1) for item in value[:MOST_ITEMS]])
        if isinstance(value, dict):
            items = list(value.items())[:MOST_ITEMS]
            return ("d", *[part for key, item in items for part in (str(key), self.encode(item, depth - 1))])
        if kind is slice:
            return ("s", *[self.encode(part, depth - 1) for part in (value.start, value.stop, value.step)])
        if value is Ellipsis:
            return ("e",)
        if isinstance(value, bool):
            return bool(value)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, (torch.dtype, torch.device)):
            return ("x", str(value))
        if isinstance(value, range):
            return ("l", *list(value)[:MOST_ITEMS])
        item = getattr(value, "item", None)
        if kind.__module__ == "numpy" and callable(item) and getattr(value, "size", 0) == 1:
            return self.encode(item(), depth - 1)
        return ("x", f"{kind.__module__}.{kind.__qualname__}"[:MOST_TEXT])

    def encode_result(self, value: Any, depth: int = 6) -> Any:
        """A value that is given: tensors that were not known are new."""
        if isinstance(value, Tensor):
            number = self.numbers.get(id(value))
            return ("t", self.add(value) if number is None else number)
        if isinstance(value, (list, tuple)) and depth:
            return ("l", *[self.encode_result(item, depth - 1) for item in value[:MOST_ITEMS]])
        if isinstance(value, dict) and depth:
            return ("l", *[self.encode_result(item, depth - 1) for item in list(value.values())[:MOST_ITEMS]])
        return None

    @staticmethod
    def holds_tensor(value: Any, depth: int = 6) -> bool:
        """Whether a tensor stands anywhere in `value`."""
        if isinstance(value, Tensor):
            return True
        if not depth:
            return False
        if isinstance(value, (list, tuple)):
            return any(Encoder.holds_tensor(item, depth - 1) for item in value)
        if isinstance(value, dict):
            return any(Encoder.holds_tensor(item, depth - 1) for item in value.values())
        return False


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in `value`, through lists, tuples, dicts and slices."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, slice):
        yield from tensors((value.start, value.stop, value.step))


def outputs(result: Any, depth: int = 6) -> list[Tensor]:
    """The tensors that come out of a model, in order; objects with fields give theirs, as when a model is read."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, str | bytes | int | float) or result is None or not depth:
        return []
    if isinstance(result, dict):
        return [tensor for item in result.values() for tensor in outputs(item, depth - 1)]
    if isinstance(result, (list, tuple)):
        return [tensor for item in result for tensor in outputs(item, depth - 1)]
    if isinstance(result, torch.nn.Module | type):
        return []
    slots = [name for cls in type(result).__mro__ for name in cls.__dict__.get("__slots__", ())]
    fields = [*getattr(result, "__dict__", {}).values(), *(getattr(result, name, None) for name in slots)]
    return [tensor for item in fields for tensor in outputs(item, depth - 1)]
