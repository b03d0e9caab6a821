"""What a converter has moved: factors into the weights of maps, shifts behind the layout of what maps give.

Scores of attention have a factor, which is on queries or on scores. Where none is seen, it is not known: on queries it
goes into the weights of their map. So it is where a product of two tensors that are computed, one of them by a map,
goes into a softmax and no number on the way multiplies it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from archcheck.frontends.tensorflow_graph.nodes import Held, Node, Stored, ref
from archcheck.frontends.tensorflow_graph.patterns import FACTOR, SHIFTED_MAP
from archcheck.frontends.tflite_model.norms import restored

_PRODUCTS = frozenset({"BatchMatMulV2", "MatMul"})
_FACTORS = frozenset({"Mul", "RealDiv"})
_BEHIND = frozenset({
    "Transpose", "Reshape", "AddV2", "Sub", "SelectV2", "Select", "Maximum", "Cast", "ExpandDims", "Squeeze",
})  # fmt: skip
_BEFORE = frozenset(
    {"Transpose", "Reshape", "BiasAdd", "AddV2", "StridedSlice", "Slice", "Split", "Squeeze", "ExpandDims"}
)
_MOST_STEPS = 64

Nodes = Mapping[str, Node]


def unfolded(nodes: Nodes) -> dict[str, Node]:
    """The nodes, with shifts at their maps, whole norms, and a factor that is not known where one may be."""
    found = restored(_shifted(nodes))
    for node in list(found.values()):
        product = _product(found, node.inputs[0]) if node.op == "Softmax" and node.inputs else None
        if product is not None:
            plain, given = f"{product}~", found[product]
            found[plain] = replace(given, name=plain)
            found[product] = Node(product, FACTOR, (plain,))
    return found


def _product(nodes: Nodes, text: str) -> str | None:
    """The product of tensors that gives scores without a factor; None where there is one, or no such product."""
    waiting, seen = [ref(text).name], set[str]()
    while waiting and len(seen) < _MOST_STEPS:
        name = waiting.pop()
        node = nodes.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if node.op in _PRODUCTS and not any(_is_stored(nodes, one) for one in node.inputs):
            given = [_given_by(nodes, one) for one in node.inputs]
            return name if "map" in given and "factor" not in given else None
        if node.op in _BEHIND:
            waiting += [ref(one).name for one in node.inputs]
    return None


def _given_by(nodes: Nodes, text: str) -> str:
    """Whether a value, laid out otherwise, is what a "map" gives, or a number multiplies it: a "factor"; else ""."""
    waiting, seen, found = [ref(text).name], set[str](), ""
    while waiting and len(seen) < _MOST_STEPS:
        name = waiting.pop()
        node = nodes.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if node.op in _FACTORS and any(_is_number(nodes, one) for one in node.inputs):
            return "factor"
        if node.op in (*_PRODUCTS, SHIFTED_MAP, "Conv2D") and any(_is_stored(nodes, one) for one in node.inputs):
            found = "map"
        elif node.op in _BEFORE:
            waiting += [ref(one).name for one in node.inputs]
    return found


def _stored(nodes: Nodes, text: str) -> Stored | None:
    node = nodes.get(ref(text).name)
    told = node.attrs.get("value") if node is not None and node.op == "Const" else None
    return told if isinstance(told, Stored) else None


def _is_stored(nodes: Nodes, text: str) -> bool:
    return _stored(nodes, text) is not None


def _is_number(nodes: Nodes, text: str) -> bool:
    told = _stored(nodes, text)
    return told is not None and told.real and math.prod(told.shape) == 1


# ---- shifts


def _shifted(nodes: Nodes) -> dict[str, Node]:
    """`reshape(x w, [..., heads, size]) + shift`, with a shift [heads, size], as `reshape(x w + shift, ...)`."""
    found = dict(nodes)
    readers = Counter(ref(one).name for node in nodes.values() for one in node.inputs)
    for node in nodes.values():
        if node.op != "AddV2" or len(node.inputs) != 2:
            continue
        for at in (0, 1):
            moved = _moved(found, node, at, readers)
            if moved is not None:
                found |= moved
                break
    return found


def _moved(nodes: Nodes, node: Node, at: int, readers: Counter[str]) -> dict[str, Node] | None:
    shift, laid = _stored(nodes, node.inputs[1 - at]), nodes.get(ref(node.inputs[at]).name)
    if shift is None or not shift.real or len(shift.shape) < 2 or laid is None or laid.op != "Reshape":
        return None
    if readers[laid.name] != 1:
        return None
    mapped, shape = nodes.get(ref(laid.inputs[0]).name), (laid.attrs.get("_output_shapes") or [None])[0]
    if mapped is None or mapped.op not in _PRODUCTS or shape is None or shape[-len(shift.shape) :] != shift.shape:
        return None
    weight, size = _stored(nodes, mapped.inputs[1]), math.prod(shift.shape)
    if weight is None or not weight.shape or weight.shape[-1] != size or 1 in shift.shape[:1]:
        return None
    one, other = f"{node.name}~shift", f"{node.name}~shifted"
    flat = None if shift.numbers is None else Held((size,), shift.numbers.flat, True)
    told = Node(one, "Const", (), {"value": Stored(one, (size,), True, flat)})
    return {
        one: told,
        other: Node(other, "BiasAdd", (laid.inputs[0], one)),
        node.name: Node(node.name, "Reshape", (other, laid.inputs[1]), node.attrs),
    }
