"""Completes configurations that were made with their defaults, where the defaults leave out what the model needs.

Only configurations that the tracer itself made are completed, and each field that is filled is told. A field is filled
only where the code that failed reads it, or the exception names it, and where a size for it follows from others.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from archcheck.frontends.trace.child.sizes import LENGTH, Sizes, field_of
from archcheck.frontends.trace.child.stack import lines

_MISSING = object()


@dataclass(frozen=True, eq=False)
class Setting:
    """A field that gets another value.

    Attributes:
        owners: objects or dicts that have the field.
        name: of the field.
        value: that it gets.
        told: what to call the field, for the user.
    """

    owners: tuple[Any, ...]
    name: str
    value: Any
    told: str

    def apply(self) -> list[Any]:
        """Set the field; what it was, for `undo`."""
        before = [_read(owner, self.name) for owner in self.owners]
        for owner in self.owners:
            _write(owner, self.name, self.value)
        return before

    def undo(self, before: list[Any]) -> None:
        """Set the field to what it was."""
        for owner, value in zip(self.owners, before, strict=True):
            _write(owner, self.name, value)

    @property
    def assumed(self) -> str:
        """For the user."""
        return f"{self.told} is {self.value!r}, as its default cannot be used"


Set = tuple[Setting, list[Any]]  # with what its owners had before


def as_rows(done: Iterable[Set]) -> list[tuple[str, str, str]]:
    """Fields that were set: name, a literal of the values that they had, and one of what they got.

    What has no literal is left out: nobody else could set it.
    """
    rows: list[tuple[str, str, str]] = []
    for setting, before in done:
        had = [value for value in before if value is not _MISSING and is_literal(value)]
        if is_literal(setting.value):
            rows.append((setting.name, repr(had), repr(setting.value)))
    return rows


def is_literal(value: Any) -> bool:
    """Whether a value can be written down, and read back."""
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return False


def completing(error: BaseException, sizes: Sizes) -> Iterator[Setting]:
    """Fields without a value that the code which failed reads, with values."""
    text = str(error)
    match = re.search(r"'(\w+)' object has no attribute '(\w+)'", text)
    if match is not None and match[1].endswith("Config"):
        for config in sizes.configurations():
            if type(config).__name__ == match[1] and (value := _usual(match[2], sizes)) is not None:
                yield Setting((config,), match[2], value, f"{match[1]}.{match[2]}")
    if "config" in text.lower():
        for name in re.findall(r"[`'\"](\w+)[`'\"]", text):
            yield from _filling(name, sizes)
    for line, frame in list(lines(error, above=8))[:4]:
        for path, name in re.findall(r"\b([\w.]*config)\.(\w+)", line):
            config = _followed(path, frame.f_locals)
            if config is not None and field_of(config, name, _MISSING) is None:
                yield from _filling(name, sizes, config)
        owner = frame.f_locals.get("self")
        if isinstance(owner, torch.nn.Module):
            for name in re.findall(r"\bself\.(\w+)", line):
                if field_of(owner, name, _MISSING) is None:
                    yield from _attribute(owner, name, sizes)


def resplit(error: BaseException, sizes: Sizes) -> Iterator[Setting]:
    """Sizes of parts that do not add up to the whole, in proportion."""
    match = re.search(r"split_sizes to sum exactly to (\d+).*split_sizes=\[([\d, ]+)\]", str(error))
    if match is None:
        return
    parts, whole = [int(part) for part in match[2].split(",")], int(match[1])
    if not sum(parts) or whole < len(parts):
        return
    fitting = [max(part * whole // sum(parts), 1) for part in parts]
    fitting[-1] += whole - sum(fitting)
    owners: dict[str, list[Any]] = {}
    modules = list(sizes.model.modules()) if sizes.model is not None else []
    for owner in [*modules, *sizes.configurations()]:
        fields = owner if isinstance(owner, dict) else vars(owner)
        nested = [value for value in fields.values() if type(value) is dict]
        for one in [owner, *nested]:
            for name, value in (one if isinstance(one, dict) else vars(one)).items():
                if isinstance(value, (list, tuple)) and list(value) == parts:
                    owners.setdefault(name, []).append(one)
    for name, found in owners.items():
        if fitting[-1] > 0:
            yield Setting(tuple(found), name, fitting, name)


def _attribute(owner: torch.nn.Module, name: str, sizes: Sizes) -> Iterator[Setting]:
    """An attribute of a module that was taken from a field without a value."""
    try:
        source = inspect.getsource(type(owner))
    except (OSError, TypeError):
        return
    field = re.search(rf"self\.{name}\s*=\s*(?:self\.)?config\.(\w+)", source)
    field = field or re.search(rf"self\.{name}\s*=\s*getattr\((?:self\.)?config,\s*[\"'](\w+)", source)
    if field is None or (value := _usual(field[1], sizes)) is None:
        return
    alike = [one for one in (sizes.model.modules() if sizes.model is not None else ()) if type(one) is type(owner)]
    if owner not in alike:
        yield from _filling(field[1], sizes)
    else:
        yield Setting(tuple(alike), name, value, field[1])


def _filling(name: str, sizes: Sizes, config: Any = None) -> Iterator[Setting]:
    owners = [one for one in sizes.configurations() if field_of(one, name, _MISSING) is None]
    owners = owners if config is None or config in owners else [config, *owners]
    value = _usual(name, sizes)
    if owners and value is not None:
        yield Setting(tuple(owners), name, value, f"{type(owners[0]).__name__}.{name}")


def _usual(name: str, sizes: Sizes) -> Any:
    """A value for a field, from other fields; None where it does not follow."""
    known = sizes.ask(name)
    if isinstance(known, (int, float)):
        return known
    if name.endswith(("_token_id", "_token_index")):
        return sizes.vocabulary - 1 - len(name) % 7
    if name == "head_dim":
        return sizes.hidden // max(sizes.number("num_attention_heads", default=1), 1)
    if name == "num_key_value_heads":
        return sizes.ask("num_attention_heads")
    if name in ("num_experts_per_tok", "moe_topk", "top_k", "topk", "num_experts_per_token"):
        return min(2, sizes.number("n_routed_experts", "num_experts", "num_local_experts", default=2))
    return {
        "prediction_length": LENGTH + 1,
        "context_length": 2 * LENGTH + 2,
        "sliding_window": 4096,
        "vocab_size": 1000,
    }.get(name)


def _followed(path: str, names: dict[str, Any]) -> Any:
    first, *rest = path.split(".")
    value = names.get(first)
    for name in rest:
        value = getattr(value, "__dict__", {}).get(name) if value is not None else None
    return value


def _read(owner: Any, name: str) -> Any:
    return owner.get(name, _MISSING) if isinstance(owner, dict) else field_of(owner, name, _MISSING)


def _write(owner: Any, name: str, value: Any) -> None:
    if isinstance(owner, dict):
        owner[name] = value
    elif value is _MISSING:
        if field_of(owner, name, _MISSING) is not _MISSING:
            delattr(owner, name)
    else:
        try:
            setattr(owner, name, value)  # a configuration may know the field under another name
        except Exception:  # and may be strict about what it holds
            object.__setattr__(owner, name, value)
