"""What ops with several outputs call them, in order: a function's nodes read them by these names."""

from __future__ import annotations

_BATCH = ("y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2")

RESULTS: dict[str, tuple[str, ...]] = {
    "FusedBatchNorm": _BATCH,
    "FusedBatchNormV2": _BATCH,
    "FusedBatchNormV3": (*_BATCH, "reserve_space_3"),
    "TopK": ("values", "indices"),
    "TopKV2": ("values", "indices"),
    "Switch": ("output_false", "output_true"),
    "RefSwitch": ("output_false", "output_true"),
    "Merge": ("output", "value_index"),
    "RefMerge": ("output", "value_index"),
    "MaxPoolWithArgmax": ("output", "argmax"),
    "Unique": ("y", "idx"),
    "UniqueV2": ("y", "idx"),
}
