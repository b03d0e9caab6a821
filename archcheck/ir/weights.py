"""The learned tensors of a model that was instantiated, as data: what they hold before training, and which are one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Initial:
    """What a learned tensor holds before training.

    `fan_in` and `fan_out` are the sizes that a matrix or kernel maps from and to, as Glorot and Bengio (2010) count
    them; 0 for a vector. `thirds` are those of a tensor that is three of one size along its outputs, such as the maps
    of queries, keys and values in one matrix; empty where it cannot be.
    """

    name: str  # its first place in the module tree: "encoder.layers.0.attention.output.weight"
    shape: tuple[int, ...]
    count: int
    mean: float
    std: float  # over its entries, around their mean
    minimum: float
    maximum: float
    zeros: int
    ones: int
    fan_in: int
    fan_out: int
    layer: str = ""  # qualified class of the module that owns it
    thirds: tuple[Initial, ...] = ()

    @property
    def constant(self) -> float | None:
        """The value of all its entries, if they have one."""
        return self.minimum if self.count and self.minimum == self.maximum else None


def by_name(rows: Iterable[object]) -> dict[str, Initial]:
    """Every name of every learned tensor -> what it holds.

    Args:
        rows: as a traced model's process gives them: the fields of `Initial`, and `names`, which lists all places of
            the tensor where it has several.

    Raises:
        ValueError: a row is none.
    """
    found: dict[str, Initial] = {}
    for row in rows:
        one = _initial(row)
        names = row.get("names") if isinstance(row, Mapping) else None
        if not (names is None or (isinstance(names, list) and all(isinstance(name, str) for name in names))):
            raise ValueError(f"the names of {one.name} are no list of names")
        for name in (one.name, *(names or ())):
            found[name] = one
    return found


def _initial(row: object) -> Initial:
    if not isinstance(row, Mapping):
        raise ValueError("a learned tensor is told as a mapping")
    name, layer, shape, thirds = row.get("name"), row.get("layer", ""), row.get("shape"), row.get("thirds", [])
    if not isinstance(name, str) or not isinstance(layer, str):
        raise ValueError("a learned tensor has no name")
    if not isinstance(shape, list) or not isinstance(thirds, list):
        raise ValueError(f"the shape of {name} cannot be read")
    return Initial(
        name,
        tuple(_count(size, name) for size in shape),
        count=_count(row.get("count"), name),
        mean=_figure(row.get("mean"), name),
        std=_figure(row.get("std"), name),
        minimum=_figure(row.get("minimum"), name),
        maximum=_figure(row.get("maximum"), name),
        zeros=_count(row.get("zeros"), name),
        ones=_count(row.get("ones"), name),
        fan_in=_count(row.get("fan_in"), name),
        fan_out=_count(row.get("fan_out"), name),
        layer=layer,
        thirds=tuple(_initial(third) for third in thirds),
    )


def _count(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"the sizes of {name} cannot be read")
    return value


def _figure(value: object, name: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"the figures of {name} cannot be read")
    return value
