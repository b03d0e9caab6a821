"""Which constants of a graph were variables: a graph that was frozen holds both alike.

Freezing leaves a trace: what was a variable is read through an `Identity`, as its value was, or rows of it are looked
up. Where no constant is read so, a tool has taken the trace away; then those are taken to be learned that are used as
only learned tensors are.
"""

from __future__ import annotations

from collections.abc import Mapping

from archcheck.frontends.tensorflow_graph.nodes import Node, Stored, ref
from archcheck.frontends.tensorflow_graph.patterns import SHIFTED_MAP

MOST_STEPS = 64  # from a tensor to where it is used

_VIEWS = frozenset({"Transpose", "Reshape", "Squeeze", "ExpandDims", "Cast", "Identity", "StridedSlice"})
_MAPS = frozenset({
    "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "Conv2D", "Conv3D", "DepthwiseConv2dNative",
    "Conv2DBackpropInput", "BiasAdd", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3",
    SHIFTED_MAP, "tflite.PRELU", "tflite.UNIDIRECTIONAL_SEQUENCE_LSTM",
})  # fmt: skip
_TABLES = frozenset({"Gather", "GatherV2"})


class Roles:
    """Who reads what in one graph.

    Args:
        nodes: of the graph.
        frozen: whether its variables are constants.
    """

    def __init__(self, nodes: Mapping[str, Node], frozen: bool) -> None:
        self._nodes = nodes
        self._frozen = frozen
        self._readers: dict[str, list[Node]] | None = None
        self._marked: bool | None = None

    def readers(self, name: str) -> list[Node]:
        """The nodes that read one."""
        if self._readers is None:
            self._readers = {}
            for node in self._nodes.values():
                for told in node.inputs:
                    self._readers.setdefault(ref(told).name, []).append(node)
        return self._readers.get(name, [])

    def learns(self, name: str) -> bool:
        """Whether a constant was a variable."""
        if not self._frozen:
            return False
        if self._marked is None:
            self._marked = any(self._is_marked(node.name) for node in self._nodes.values() if _is_large(node))
        if self._marked:
            return self._is_marked(name) or self._is_table(name, {name})
        return self._is_used(name)

    def _is_marked(self, name: str) -> bool:
        readers = self.readers(name)
        return bool(readers) and all(node.op == "Identity" for node in readers)

    def _is_table(self, name: str, known: set[str]) -> bool:
        return any(node.op in _TABLES and ref(node.inputs[0]).name in known for node in self.readers(name))

    def _is_used(self, name: str) -> bool:
        waiting, seen = [name], {name}
        while waiting and len(seen) < MOST_STEPS:
            one = waiting.pop()
            for node in self.readers(one):
                if node.op in _MAPS or self._is_table(one, seen):
                    return True
                if node.op in _VIEWS and node.name not in seen:
                    seen.add(node.name)
                    waiting.append(node.name)
        shape = _shape(self._nodes.get(name))
        return shape is not None and sum(size != 1 for size in shape) == 1  # a shift, a scale


def _shape(node: Node | None) -> tuple[int, ...] | None:
    told = node.attrs.get("value") if node is not None and node.op == "Const" else None
    return told.shape if isinstance(told, Stored) else None


def _is_large(node: Node) -> bool:
    """Whether a node is a constant of more than one number."""
    told = node.attrs.get("value") if node.op == "Const" else None
    return isinstance(told, Stored) and told.real and told.shape not in ((), (1,))
