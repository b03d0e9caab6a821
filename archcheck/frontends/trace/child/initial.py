"""What the learned tensors of a model hold before training, and which of them are one: plain data, for claims to judge.

This runs beside the model, in its process, where nothing of archcheck's own needs is installed: the standard library
only. `archcheck.ir.weights.by_name` reads the rows on the other side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

MOST_NAMES = 1_000_000  # a module tree with more of them goes in a circle
ENTRIES_AT_ONCE = 1 << 20  # in double precision: 8 MiB


def initial_values(model: Any) -> list[dict[str, Any]]:
    """The figures of every learned tensor of a `torch.nn.Module`, each once.

    Args:
        model: as its constructor left it. Seeds are the caller's to set; the figures depend on them as samples do.

    Returns:
        A row for each tensor, in the order of the module tree: the fields of `Initial`, and `names`, all the places
        where it stands. What has no values gives no row: a tensor on the meta device, one that is not made yet (lazy),
        one with entries that are not finite (`torch.empty`), one of whole or complex numbers, an empty one.
    """
    rows = []
    for names, parameter, owner in _learned(model):
        row = _row(names[0], parameter, owner)
        if row is not None:
            rows.append({**row, "names": names})
    return rows


def tied(model: Any) -> list[list[str]]:
    """The places of each learned tensor that stands in several, by identity; also on the meta device."""
    return [names for names, _, _ in _learned(model) if len(names) > 1]


def _learned(model: Any) -> list[tuple[list[str], Any, Any]]:
    """(places, tensor, the first module that owns it) of every learned tensor."""
    found: dict[int, tuple[list[str], Any, Any]] = {}
    for count, (name, parameter, owner) in enumerate(_named(model, "", ())):
        if count == MOST_NAMES:
            break
        found.setdefault(id(parameter), ([], parameter, owner))[0].append(name)
    return list(found.values())


def _named(module: Any, place: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any, Any]]:
    """Every place of every learned tensor: a module that stands in two places is walked through twice."""
    if id(module) in above:
        return
    for name, parameter in module._parameters.items():
        if parameter is not None:
            yield f"{place}{name}", parameter, module
    for name, inner in module._modules.items():
        if inner is not None:
            yield from _named(inner, f"{place}{name}.", (*above, id(module)))


def _row(name: str, parameter: Any, owner: Any) -> dict[str, Any] | None:
    try:
        tensor, shape = parameter.detach(), [int(size) for size in parameter.shape]
        if tensor.device.type == "meta" or not tensor.is_floating_point() or not tensor.numel():
            return None
        transposed = _is_transposed(owner, shape)
        row = _figures(tensor, name, shape, transposed)
        if row is None:
            return None
        fused = _outputs(owner, shape, transposed)
        thirds = [] if fused is None else tensor.chunk(3, fused)
        row["thirds"] = [
            _figures(third, f"{name}[{number}/3]", [int(size) for size in third.shape], transposed)
            for number, third in enumerate(thirds, 1)
        ]
        row["layer"] = f"{type(owner).__module__}.{type(owner).__qualname__}"
    except (RuntimeError, TypeError, ValueError, NotImplementedError):  # lazy, quantised, distributed: no plain numbers
        return None
    return row


def _figures(tensor: Any, name: str, shape: list[int], transposed: bool) -> dict[str, Any] | None:
    """What `Initial` tells of a tensor; None where its entries are not finite."""
    count = int(tensor.numel())
    pieces = tensor.reshape(-1).split(ENTRIES_AT_ONCE)
    mean = math.fsum(float(piece.double().sum()) for piece in pieces) / count
    if not math.isfinite(mean):
        return None
    squares = math.fsum(float((piece.double() - mean).square().sum()) for piece in pieces)
    fan_in, fan_out = _fans(shape, transposed)
    return {
        "name": name,
        "shape": shape,
        "count": count,
        "mean": mean,
        "std": math.sqrt(squares / count),
        "minimum": float(tensor.min()),
        "maximum": float(tensor.max()),
        "zeros": int((tensor == 0).sum()),
        "ones": int((tensor == 1).sum()),
        "fan_in": fan_in,
        "fan_out": fan_out,
    }


def _fans(shape: list[int], transposed: bool) -> tuple[int, int]:
    """The sizes that a matrix or kernel maps from and to, as `torch.nn.init` counts them; 0 for a vector."""
    if len(shape) < 2:
        return 0, 0
    taps = math.prod(shape[2:])
    outputs, inputs = (shape[1], shape[0]) if transposed else (shape[0], shape[1])
    return inputs * taps, outputs * taps


def _is_transposed(owner: Any, shape: list[int]) -> bool:
    """Whether a matrix has its inputs first, as GPT-2's `Conv1D` keeps it: `nf` is what that calls its outputs."""
    return len(shape) == 2 and getattr(owner, "nf", None) == shape[1] and getattr(owner, "nx", shape[0]) == shape[0]


def _outputs(owner: Any, shape: list[int], transposed: bool) -> int | None:
    """The axis of the outputs, where there are three times as many as fit one map; None for other tensors."""
    axis = 1 if transposed else 0
    return axis if len(shape) in (1, 2) and shape[axis] % 3 == 0 and shape[axis] > 3 else None
