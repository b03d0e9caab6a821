"""Reads the axes of arguments out of documentation: `x (torch.Tensor of shape (batch_size, length))` and its like."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

_LINE = re.compile(r"^[ \t]*(?::param )?[*`]{0,3}(\w+)[*`]{0,3}[ \t]*(?:[:(]|--|-)(.*)$", re.MULTILINE)
_SHAPE = re.compile(
    r"(?:of shape|shape:?|with shape|:|Tensor|^)[ \t]*`{0,2}\s*[\[(](\[?[^`\])]*(?:\([^)`]*\)[^`\])]*)*)[\])]"
)
_AXIS = re.compile(r"[\w.]+(?:[ ]*(?:\*\*|\*|\+|-|//)[ ]*[\w.()]+)*(?:\([\w.]+\))?")


def shapes(function: Callable[..., Any]) -> dict[str, list[str]]:
    """Argument -> its axes, for those of which the documentation of a call tells them."""
    found: dict[str, list[str]] = {}
    text = getattr(function, "__doc__", None) or ""
    for match in _LINE.finditer(text):
        axes = _axes(match[2])
        if axes:
            found.setdefault(match[1], axes)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return found
    for parameter in parameters:
        named = getattr(parameter.annotation, "dim_str", None)  # Float[Tensor, "batch length features"]
        if isinstance(named, str) and named.split() and not set(named) & set("*.#="):
            found[parameter.name] = named.split()
    return found


def kinds(function: Callable[..., Any]) -> dict[str, str]:
    """Argument -> what the documentation of a call says it holds: `FloatTensor`, `LongTensor`, and their like."""
    text = getattr(function, "__doc__", None) or ""
    found = {match[1]: re.search(r"\b(Float|Long|Int|Bool)Tensor\b", match[2]) for match in _LINE.finditer(text)}
    return {name: match[0] for name, match in found.items() if match is not None}


def _axes(text: str) -> list[str]:
    """The axes in a line such as `torch.FloatTensor of shape (batch_size, sequence_length, hidden_size)`, if any."""
    match = _SHAPE.search(text)
    if match is None:
        return []
    inner = match[1].strip().strip("[]").strip()
    parts = [part.strip() for part in _split(inner.rstrip(","))]
    if not parts or not all(_AXIS.fullmatch(part) for part in parts):
        return []
    return parts if len(parts) > 1 or inner.endswith(",") or "of shape" in text else []


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts
