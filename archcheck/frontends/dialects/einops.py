"""einops: one op for each pattern. The pattern is a fixed string, so it is stated rather than taken apart."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect, Formula, LayerRow, Row

_SIZES = {"pattern": "pattern", "sizes": "axes_lengths"}

EINOPS = Dialect(
    name="einops",
    functions={
        "einops.rearrange": Row("rearrange", "tensor!, pattern, **axes_lengths", _SIZES),
        "einops.repeat": Row("rearrange", "tensor!, pattern, **axes_lengths", _SIZES, {"repeats": True}),
        "einops.reduce": Row("rearrange", "tensor!, pattern, reduction, **axes_lengths", _SIZES | {"reduction": "reduction"}),
        "einops.asnumpy": Row("identity", "tensor!"),
    },
    layers={
        "einops.layers.torch.Rearrange": LayerRow("rearrange", "pattern, **axes_lengths", attrs=_SIZES),
        "einops.layers.torch.Reduce": LayerRow("rearrange", "pattern, reduction, **axes_lengths", attrs=_SIZES | {"reduction": "reduction"}),
    },
    aliases={
        "einops.einops.": "einops.",
        "einops.layers.keras.": "einops.layers.torch.",
        "einops.layers.tensorflow.": "einops.layers.torch.",
        "einops.layers.flax.": "einops.layers.torch.",
    },
    formulas={
        # the pattern comes last: einsum(q, k, "b h i d, b h j d -> b h i j")
        "einops.einsum": Formula("lambda *tensors_and_pattern: op.einsum(*tensors_and_pattern[:-1], equation=tensors_and_pattern[-1])"),
        # tensors whose axes at "*" are joined into one, behind which they stand side by side
        "einops.pack": Formula("lambda tensors, pattern: (op.concat(*tensors, axis=pattern.split().index('*')) if len(tensors) > 1 else op.reshape(tensors[0], form='pack'), [one.shape for one in tensors])"),
        "einops.unpack": Formula("lambda tensor, packed_shapes, pattern: list(torch.split(tensor, [unknown('the size of a packed tensor') for one in packed_shapes], pattern.split().index('*'))) if len(packed_shapes) > 1 else [op.reshape(tensor, form='unpack')]"),
        "einops.parse_shape": Formula("lambda x, pattern: {name: x.shape[place] for place, name in enumerate(pattern.split()) if name != '_'}"),
    },
)  # fmt: skip
