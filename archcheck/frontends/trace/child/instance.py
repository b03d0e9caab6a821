"""An instance of the traced model that has values: what its learned tensors hold before training is evidence.

The traced model has shapes only. A second one is built on the CPU, from the same arguments where it is small enough,
else from its configuration with fewer layers and fewer words: how a layer is initialised does not depend on those.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Mapping
from typing import Any

import torch

from archcheck.frontends.trace.child.building import Built, CannotBuildError, build
from archcheck.frontends.trace.child.initial import initial_values

MOST_ENTRIES = 400_000_000  # of all learned tensors: 1.6 GB
SEED = 0
_FEWER = {2: ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers",
              "num_decoder_layers", "num_encoder_layers", "depth"),
          1_000: ("vocab_size",)}  # fmt: skip


def values_of(asked: Mapping[str, Any], module: types.ModuleType, traced: Built) -> dict[str, Any]:
    """Rows of the initial values, and a note where the instance is smaller or there is none."""
    model = traced.model
    if model is None:
        return {"rows": [], "note": "the target is a function, which has no weights of its own"}
    torch.manual_seed(SEED)
    try:
        if _entries(model) <= MOST_ENTRIES:
            made, note = build(asked, module).model, ""
        else:
            made, note = _smaller(model, traced.config)
    except (CannotBuildError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        return {"rows": [], "note": f"no instance with values could be made: {str(error)[:300]}"}
    return {"rows": initial_values(made) if made is not None else [], "note": note}


def _entries(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _smaller(model: torch.nn.Module, config: Any) -> tuple[torch.nn.Module | None, str]:
    """The model with fewer layers and words."""
    if config is None:
        return None, f"it has {_entries(model):,} weights; give it smaller sizes with --arg"
    smaller = copy.deepcopy(config)
    told = []
    for most, names in _FEWER.items():
        for name in names:
            value = getattr(smaller, name, None)
            if isinstance(value, int) and value > most:
                setattr(smaller, name, most)
                told.append(f"{name}={most}")
    with torch.device("meta"):
        entries = _entries(type(model)(smaller))
    if entries > MOST_ENTRIES:
        return None, f"even with {', '.join(told)} it has {entries:,} weights; give it smaller sizes with --arg"
    return type(model)(smaller), f"initial values are those of an instance with {', '.join(told)}"
