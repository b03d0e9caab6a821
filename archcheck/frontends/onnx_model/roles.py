"""What part the tensors have that a file holds: it does not tell which of them are learned.

A matrix that is multiplied with, a kernel, a scale, a shift are; a table of positions may be learned or computed, and
so may a mask. Only the first are told as learned, the others as constants of which that is not known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archcheck.ir.shapes import Dims

_KIND = "pkg.torch.export.graph_signature.InputSpec.kind"
_MADE = "pkg.onnxscript.optimizer.folded_from"
MOST_STEPS = 64  # from a tensor to where it is used

_VIEWS = frozenset({"Transpose", "Reshape", "Slice", "Split", "Squeeze", "Unsqueeze", "Cast", "CastLike", "Identity"})
_VIEWS |= {"Concat", "Flatten", "DequantizeLinear"}
_TURNS = frozenset({"Transpose", "Split", "Cast", "CastLike", "Identity", "DequantizeLinear"})  # of matrices
_PRODUCTS = frozenset({"MatMul", "Einsum", "FusedMatMul"})
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

    def learns(self, name: str, shape: tuple[int, ...]) -> bool | None:
        """Whether a tensor is used as only learned ones are; None where it looks as one that may be.

        What is laid out anew in front of a product may be a mask, or a table such as the frequencies of positions.
        """
        line = sum(size != 1 for size in shape) <= 1  # a shift, a scale, a token
        if math.prod(shape) == 1:
            return None
        waiting, seen = [name], {name}
        laid: set[str] = set()  # of those seen, which went through more than turns
        found = line
        while waiting and len(seen) < MOST_STEPS:
            at = waiting.pop()
            for node in self.readers.get(at, ()):
                if node.op_type in _PRODUCTS:
                    if at in laid or (line and at != name):
                        return None
                    found = True
                elif node.op_type in _MAPS or (node.op_type == "Gather" and node.input and node.input[0] in seen):
                    found = True
                elif node.op_type in _VIEWS:
                    fresh = [one for one in node.output if one not in seen]
                    waiting += fresh
                    seen.update(fresh)
                    if at in laid or node.op_type not in _TURNS:
                        laid.update(fresh)
        return found


@dataclass(frozen=True, slots=True)
class Marks:
    """What PyTorch's exporter tells beside tensors.

    Args:
        kinds: of a tensor -> "PARAMETER", "BUFFER", "CONSTANT_TENSOR".
        made: tensors that were worked out of others.
        speaks: whether the file tells this of its tensors.
    """

    kinds: Mapping[str, str]
    made: frozenset[str]
    speaks: bool

    def learned(self, name: str) -> bool | None:
        """Whether a tensor is learned; None where the file does not tell."""
        kind = self.kinds.get(name)
        if kind is not None:
            return kind == "PARAMETER"
        return False if self.speaks and name not in self.made else None


def marks(graph: Any) -> Marks:
    """What is told beside the tensors of a graph; a file is taken to tell all once it tells of one that is learned."""
    held = {one.name for one in graph.initializer}
    kinds, made = {}, set()
    for one in graph.value_info:
        if one.name in held:
            told = {entry.key: entry.value for entry in one.metadata_props}
            if _KIND in told:
                kinds[one.name] = told[_KIND]
            if _MADE in told:
                made.add(one.name)
    return Marks(kinds, frozenset(made), "PARAMETER" in kinds.values())


def of(nodes: Iterable[Any]) -> Roles:
    """The roles of the values that these nodes read."""
    readers: dict[str, list[Any]] = {}
    uses: Counter[str] = Counter()
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
            uses[name] += 1
    return Roles(readers, uses)
