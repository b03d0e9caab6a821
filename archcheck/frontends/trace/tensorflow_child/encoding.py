"""Values as they leave the sandbox, with the tensors and variables of TensorFlow told by numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy
import tensorflow as tf

MOST_ITEMS = 512  # of a list that is told
MOST_TEXT = 512
MOST_HELD = 256  # entries of a constant that is told as numbers
_PLAIN = (bool, int, str, type(None))


class Encoder:
    """Numbers tensors by identity, and variables by theirs. They are kept, so that no other gets their identity.

    Args:
        explain: is told of a tensor that nothing recorded gave; it records what did, or gives what it holds.
    """

    def __init__(self, explain: Callable[[Any], Any]) -> None:
        self.explain = explain
        self.numbers: dict[int, int] = {}
        self.kept: list[Any] = []
        self.found: list[int] = []  # what was read before anything that was recorded gave it

    def number(self, value: Any) -> int:
        """The number of a tensor or variable that is read."""
        number = self.numbers.get(id(value))
        if number is None:
            number = self.add(value)
            self.found.append(number)
        return number

    def add(self, value: Any) -> int:
        """The number of one that is new."""
        number = self.numbers[id(value)] = len(self.kept)
        self.kept.append(value)
        return number

    def encode(self, value: Any, depth: int = 8) -> Any:
        """A value that is read."""
        kind = type(value)
        if kind in _PLAIN:
            return value if kind is not str or len(value) <= MOST_TEXT else value[:MOST_TEXT]
        if kind is float:
            return value
        if (variable := variable_of(value)) is not None:
            return ("t", self.number(variable))
        if isinstance(value, tf.Tensor):
            number = self.numbers.get(id(value))
            return ("t", number) if number is not None else self.explain(value)
        return self._other(value, kind, depth)

    def _other(self, value: Any, kind: type, depth: int) -> Any:
        if depth == 0:
            return ("x", kind.__name__)
        if isinstance(value, tf.TensorShape):
            return self.encode(tuple(value.as_list()) if value.rank is not None else None, depth)
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
        if isinstance(value, tf.DType):
            return ("x", value.name)
        if isinstance(value, range):
            return ("l", *list(value)[:MOST_ITEMS])
        if isinstance(value, (numpy.ndarray, numpy.generic)) and value.size <= MOST_HELD and value.dtype.kind in "biuf":
            return plain(value)
        name = getattr(value, "__qualname__", None) if callable(value) else None
        if name is not None:
            return ("x", f"{getattr(value, '__module__', '')}.{name}"[:MOST_TEXT])
        return ("x", f"{kind.__module__}.{kind.__qualname__}"[:MOST_TEXT])

    def encode_result(self, value: Any, depth: int = 6) -> Any:
        """A value that is given: tensors that were not known are new."""
        if isinstance(value, tf.Tensor):
            number = self.numbers.get(id(value))
            return ("t", self.add(value) if number is None else number)
        if isinstance(value, (list, tuple)) and depth:
            return ("l", *[self.encode_result(item, depth - 1) for item in value[:MOST_ITEMS]])
        if isinstance(value, dict) and depth:
            return ("l", *[self.encode_result(item, depth - 1) for item in list(value.values())[:MOST_ITEMS]])
        return None


def variable_of(value: Any) -> Any:
    """The variable of TensorFlow that a value is, or that a variable of Keras stands on; None for anything else."""
    if isinstance(value, tf.Variable):
        return value
    inner = getattr(value, "_value", None) if type(value).__module__.startswith("keras.") else None
    return inner if isinstance(inner, tf.Variable) else None


def plain(array: Any) -> Any:
    """Numbers as nested lists; those of single precision as one would write them, `1e-05` and not its 24 bits."""
    if array.ndim:
        return ("l", *[plain(one) for one in array])
    if array.dtype.kind == "f":
        return float(str(array.item() if array.dtype.itemsize == 8 else array))
    return array.item()


def tensors(value: Any, depth: int = 6) -> Iterator[Any]:
    """The tensors in `value`, through lists, tuples and dicts."""
    if isinstance(value, tf.Tensor):
        yield value
    elif isinstance(value, (list, tuple)) and depth:
        for item in value:
            yield from tensors(item, depth - 1)
    elif isinstance(value, dict) and depth:
        for item in value.values():
            yield from tensors(item, depth - 1)


def outputs(result: Any, depth: int = 6) -> list[Any]:
    """The tensors that come out of a model, in order; objects with fields give theirs, as when a model is read."""
    if isinstance(result, tf.Tensor):
        return [result]
    if isinstance(result, (str, bytes, int, float)) or result is None or not depth:
        return []
    if isinstance(result, dict):
        return [tensor for item in result.values() for tensor in outputs(item, depth - 1)]
    if isinstance(result, (list, tuple)):
        return [tensor for item in result for tensor in outputs(item, depth - 1)]
    if isinstance(result, (tf.Module, type)):
        return []
    return [tensor for item in getattr(result, "__dict__", {}).values() for tensor in outputs(item, depth - 1)]
