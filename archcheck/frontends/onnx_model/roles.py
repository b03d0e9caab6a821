"""What part the tensors have that a file holds: it does not tell which of them are learned.

A matrix that is multiplied with, a kernel, a scale, a shift are; a table of positions may be learned or computed, and
so may a mask. Only the first are told as learned, the others as constants of which that is not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from archcheck.ir.shapes import Dims

MOST_STEPS = 64  # from a tensor to where it is used

_VIEWS = frozenset({"Transpose", "Reshape", "Slice", "Split", "Squeeze", "Unsqueeze", "Cast", "CastLike", "Identity"})
_VIEWS |= {"Concat", "Flatten", "DequantizeLinear"}
_MAPS = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum", "PRelu", "LSTM", "GRU", "RNN", "FusedMatMul"})
_MAPS |= {"LayerNormalization", "RMSNormalization", "BatchNormalization", "GroupNormalization", "DeformConv"}
_MAPS |= {"InstanceNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization", "BiasGelu", "FastGelu"}
_MAPS |= {"SkipSimplifiedLayerNormalization"}


@dataclass
class Roles:
    """Who reads what in one graph.

    Attributes:
        uses: of a value -> how many nodes read it.
        shapes: of values, as the file tells them.
    """

    readers: dict[str, list[Any]]
    uses: Counter[str]
    shapes: dict[str, Dims | None] = field(default_factory=dict)

    def learns(self, name: str, shape: tuple[int, ...]) -> bool:
        """Whether a tensor is used as only learned ones are."""
        if sum(size != 1 for size in shape) <= 1:
            return True  # a shift, a scale, a token
        waiting, seen = [name], {name}
        while waiting and len(seen) < MOST_STEPS:
            for node in self.readers.get(waiting.pop(), ()):
                if node.op_type in _MAPS or (node.op_type == "Gather" and node.input and node.input[0] in seen):
                    return True
                if node.op_type in _VIEWS:
                    fresh = [one for one in node.output if one not in seen]
                    waiting += fresh
                    seen.update(fresh)
        return False


def of(nodes: Iterable[Any]) -> Roles:
    """The roles of the values that these nodes read."""
    readers: dict[str, list[Any]] = {}
    uses: Counter[str] = Counter()
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
            uses[name] += 1
    return Roles(readers, uses)
