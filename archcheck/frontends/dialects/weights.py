"""Libraries that fetch and load weights, which reading never does: what they give holds numbers, not layers."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect, Formula

_LOADED = "lambda *args, **kwargs: weights()"

WEIGHTS = Dialect(
    name="weights",
    formulas={
        **{
            f"huggingface_hub.{name}": Formula(_LOADED)
            for name in ("hf_hub_download", "snapshot_download", "cached_download", "hf_hub_url", "try_to_load_from_cache")
        },
        **{f"safetensors.torch.{name}": Formula(_LOADED) for name in ("load_file", "load")},
        "safetensors.safe_open": Formula(_LOADED),
    },
    readable=(),
)
