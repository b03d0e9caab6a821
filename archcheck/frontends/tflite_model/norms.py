"""Norms of which a converter has moved the scale and the shift into the maps behind them.

`W (n * g + b) + c` is `W' n + c'` with other numbers. Where something beside the map reads the norm, the map is given
what that reads, since it is the same; where nothing does, it is not known whether there was a scale or a shift.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from archcheck.frontends.tensorflow_graph.nodes import Node, Stored, ref
from archcheck.frontends.tensorflow_graph.patterns import LOST_SCALE, LOST_SHIFT, SHIFTED_MAP

_MAPS = frozenset({"BatchMatMulV2", "MatMul", SHIFTED_MAP})
_DEEPEST = 5  # ops between one over a root and a whole norm
_MOST_STEPS = 24

Nodes = Mapping[str, Node]


def restored(nodes: Nodes) -> dict[str, Node]:
    """The nodes, in which maps read whole norms, and norms say what of them is not known."""
    found = dict(nodes)
    for name in list(found):
        node = found[name]
        if node.op in ("Mul", "AddV2") and len(node.inputs) == 2:
            for at in (0, 1):
                given = ref(node.inputs[at]).name
                if _is_vector(found, node.inputs[1 - at]) and _is_norm(found, given):
                    _given_whole(found, given, name, shifts=node.op == "AddV2")
    readers = _readers(found)
    for name in list(found):
        if _is_norm(found, name) and readers.get(name) and all(_is_map(found, one, readers) for one in readers[name]):
            scaled, shifted = _affine(found, name)
            if not shifted:
                _put_behind(found, name, (() if scaled else (LOST_SCALE,)) + (LOST_SHIFT,))
    return found


def _readers(nodes: Nodes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in nodes.values():
        for one in node.inputs:
            found.setdefault(ref(one).name, []).append(node.name)
    return found


def _stored(nodes: Nodes, text: str) -> Stored | None:
    node = nodes.get(ref(text).name)
    told = node.attrs.get("value") if node is not None and node.op == "Const" else None
    return told if isinstance(told, Stored) else None


def _is_vector(nodes: Nodes, text: str) -> bool:
    """Whether a value is a tensor of the file with a number for each feature."""
    told = _stored(nodes, text)
    return told is not None and told.real and sum(size != 1 for size in told.shape) == 1


def _is_norm(nodes: Nodes, name: str) -> bool:
    """Whether a value is spelled out of one over a root, and something that this multiplies."""
    node = nodes.get(name)
    return node is not None and node.op in ("Mul", "AddV2", "Sub") and _spelled(nodes, name, 0) is not None


def _spelled(nodes: Nodes, name: str, depth: int) -> frozenset[str] | None:
    """The ops by which a vector enters what one over a root is turned to; None where a value is no such thing.

    Products may have anything beside it; sums are of such values and of vectors alone, as no residual is.
    """
    node = nodes.get(name)
    if node is None or depth > _DEEPEST:
        return None
    if node.op == "Rsqrt":
        return frozenset()
    if node.op not in ("Mul", "AddV2", "Sub", "Neg"):
        return None
    parts = [_spelled(nodes, ref(one).name, depth + 1) for one in node.inputs]
    vectors = [_is_vector(nodes, one) for one in node.inputs]
    whole = all(part is not None or vector for part, vector in zip(parts, vectors, strict=True))
    found = [part for part in parts if part is not None]
    if not found or (node.op != "Mul" and not whole):
        return None
    return frozenset({node.op} if any(vectors) else ()).union(*found)


def _affine(nodes: Nodes, name: str) -> tuple[bool, bool]:
    """Whether a norm multiplies by a vector, and whether it adds one."""
    vectors = _spelled(nodes, name, 0) or frozenset()
    return "Mul" in vectors, bool(vectors & {"AddV2", "Sub"})


def _is_map(nodes: Nodes, name: str, readers: Mapping[str, list[str]], *, shifts: bool = False) -> bool:
    """Whether a node is a map by weights of the file, or lays out what such maps read.

    Args:
        nodes: of the graph.
        name: of the node.
        readers: of each node.
        shifts: whether it has to add something of the file to what it gives.
    """
    node = nodes[name]
    if node.op in ("Reshape", "Shape"):
        behind = readers.get(name, [])
        return node.op == "Shape" or (
            bool(behind)
            and all(nodes[one].op != "Reshape" and _is_map(nodes, one, readers, shifts=shifts) for one in behind)
        )
    if node.op not in _MAPS or _stored(nodes, node.inputs[1]) is None:
        return False
    if not shifts or node.op == SHIFTED_MAP:
        return True
    behind = readers.get(name, [])
    while len(behind) == 1 and nodes[behind[0]].op == "Reshape":
        behind = readers.get(behind[0], [])
    return (
        len(behind) == 1
        and nodes[behind[0]].op in ("AddV2", "BiasAdd")
        and any(_is_vector(nodes, one) for one in nodes[behind[0]].inputs)
    )


def _given_whole(nodes: dict[str, Node], given: str, whole: str, *, shifts: bool) -> None:
    """Let the maps that read a part of a norm read the whole of it."""
    readers = _readers(nodes)
    for name in set(readers.get(given, ())) - {whole}:
        if _is_map(nodes, name, readers, shifts=shifts) and not _is_before(nodes, name, whole):
            node = nodes[name]
            inputs = tuple(whole if ref(one).name == given else one for one in node.inputs[:1]) + node.inputs[1:]
            nodes[name] = replace(node, inputs=inputs)


def _is_before(nodes: Nodes, name: str, other: str) -> bool:
    """Whether a node is among those that another is computed from."""
    waiting, seen = [other], set[str]()
    while waiting and len(seen) < _MOST_STEPS:
        node = nodes.get(waiting.pop())
        if node is not None and node.name not in seen:
            seen.add(node.name)
            waiting += [ref(one).name for one in node.inputs]
    return name in seen


def _put_behind(nodes: dict[str, Node], name: str, ops: tuple[str, ...]) -> None:
    """Put ops behind a node, so that what reads it reads the last of them."""
    plain = f"{name}~norm"
    nodes[plain] = replace(nodes[name], name=plain)
    last = plain
    for at, op in enumerate(ops):
        own = name if at == len(ops) - 1 else f"{name}~norm{at}"
        nodes[own] = Node(own, op, (last,))
        last = own
