"""How large a value may become: told before it is computed, so that code which is read cannot fill memory or time."""

from __future__ import annotations

import re
from typing import Any

LARGEST = 10_000_000  # elements of a list or characters of a string that evaluation may build
MOST_BITS = 10_000  # of a whole number: some 3,000 digits; Python itself does not write down more than 4,300
MOST_PARTS = 100_000  # in a value that is walked: two lists in a list, sixty times over, are 2**60 parts in no memory
_WIDE = re.compile(r"\d{6,}|\*")  # a width in a format, or one that an argument gives
_WIDE_FIELD = re.compile(r"\{[^{}]*:[^{}]*(?:\d{6,}|\{)")
_PADDING = frozenset({"ljust", "rjust", "center", "zfill", "expandtabs", "to_bytes"})
_GROWING = frozenset({"factorial", "comb", "perm", "pow", "prod", "lcm"})

Sequence = (str, bytes, list, tuple)


def result_too_large(operator: str, left: Any, right: Any) -> bool:
    """Whether `left operator right` would be larger than evaluation may build.

    Args:
        operator: name of the node in `ast`: "Mult".
    """
    if operator == "Mult":
        for one, other in ((left, right), (right, left)):
            if isinstance(one, Sequence) and isinstance(other, int):
                return len(one) * max(other, 0) > LARGEST
        return _bits(left) + _bits(right) > MOST_BITS
    if operator == "Add":
        return isinstance(left, Sequence) and isinstance(right, Sequence) and len(left) + len(right) > LARGEST
    if operator == "Pow":
        return isinstance(right, int) and _bits(left) * max(right, 0) > MOST_BITS
    if operator == "LShift":
        return isinstance(right, int) and _bits(left) + right > MOST_BITS
    if operator == "Mod":
        text = left.decode("latin-1") if isinstance(left, bytes) else left
        return isinstance(text, str) and any(_WIDE.search(part) for part in re.findall(r"%[^a-zA-Z%]*", text))
    return False


def call_too_large(owner: Any, name: str, args: list[Any]) -> bool:
    """Whether `owner.name(*args)`, a method of a string or a number, would be larger than evaluation may build."""
    if name in _PADDING:
        return any(isinstance(value, int) and value > LARGEST for value in args)
    if not isinstance(owner, (str, bytes)):
        return False
    if name in ("format", "format_map"):
        return isinstance(owner, str) and _WIDE_FIELD.search(owner) is not None
    if name == "replace" and len(args) > 1 and isinstance(args[0], Sequence) and isinstance(args[1], Sequence):
        return (len(owner) // max(len(args[0]), 1) + 1) * len(args[1]) > LARGEST
    if name == "join" and args and isinstance(args[0], (list, tuple)):
        return sum(len(part) + len(owner) for part in args[0] if isinstance(part, (str, bytes))) > LARGEST
    return False


def number_too_large(name: str, args: list[Any]) -> bool:
    """Whether the function `name` of numbers would give a larger one than evaluation may build."""
    if name == "pow":
        return len(args) == 2 and result_too_large("Pow", args[0], args[1])  # with a modulus it stays small
    if name not in _GROWING:
        return False
    flat = [item for value in args for item in (value if isinstance(value, (list, tuple)) else (value,))]
    if name in ("prod", "lcm"):
        return sum(_bits(item) for item in flat) > MOST_BITS
    return any(isinstance(item, int) and item > 10_000 for item in flat)


def has_many_parts(value: Any, most: int = MOST_PARTS) -> bool:
    """Whether a walk through lists, tuples, dicts and sets in `value` meets more than `most` parts, or never ends."""
    stack = [value]
    count = 0
    while stack:
        item = stack.pop()
        count += 1
        if count > most:
            return True
        if isinstance(item, (list, tuple, set, frozenset)):
            if len(item) > most:
                return True
            stack.extend(item)
        elif isinstance(item, dict):
            stack.extend(item.values())
    return False


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 0
