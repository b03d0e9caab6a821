"""From the outputs of a graph back to the nodes that they take, each behind what it reads."""

from __future__ import annotations

import heapq
from collections.abc import Container, Mapping, Sequence

from archcheck.frontends.tensorflow_graph.nodes import Node, NonsenseError, Ref, ref


def ordered(nodes: Mapping[str, Node], given: Container[str], wanted: Sequence[Ref]) -> list[tuple[Node, list[int]]]:
    """The nodes that are needed, each behind all that it reads, else in the order of the file, with those of its
    results that are read.

    Raises:
        NonsenseError: a node reads what nothing gives, or what follows from itself.
    """
    used: dict[str, set[int]] = {}
    waiting = list(dict.fromkeys(one.name for one in wanted if one.name not in given))
    for one in wanted:
        used.setdefault(one.name, set()).add(one.index)
    readers: dict[str, list[str]] = {}
    open_inputs: dict[str, int] = {}
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        node = nodes.get(name)
        if node is None:
            raise NonsenseError(f'"{name[:80]}" is read, and nothing gives it')
        open_inputs[name] = 0
        for one in read_by(nodes, node):
            used.setdefault(one.name, set()).add(one.index)
            if one.name in given:
                continue
            readers.setdefault(one.name, []).append(name)
            open_inputs[name] += 1
            if one.name not in seen:
                seen.add(one.name)
                waiting.append(one.name)
    order = {name: at for at, name in enumerate(nodes)} if len(open_inputs) > 1 else dict.fromkeys(open_inputs, 0)
    ready = [(order[name], name) for name, count in open_inputs.items() if not count]
    heapq.heapify(ready)
    found: list[tuple[Node, list[int]]] = []
    while ready:
        _, name = heapq.heappop(ready)
        found.append((nodes[name], sorted(used.get(name, ()))))
        for reader in readers.get(name, ()):
            open_inputs[reader] -= 1
            if not open_inputs[reader]:
                heapq.heappush(ready, (order[reader], reader))
    if len(found) != len(open_inputs):
        raise NonsenseError("its nodes read each other in a circle")
    return found


def read_by(nodes: Mapping[str, Node], node: Node) -> list[Ref]:
    """What a node reads; where a loop of TensorFlow 1 begins, what comes into it, and not what it gives back."""
    found = [ref(told) for told in node.inputs]
    return [one for one in found if not is_given_back(nodes, node, one)]


def is_given_back(nodes: Mapping[str, Node], node: Node, one: Ref) -> bool:
    """Whether an input of a node is what a loop of TensorFlow 1 gives back."""
    giver = nodes.get(one.name)
    return node.op in ("Merge", "RefMerge") and giver is not None and giver.op in ("NextIteration", "RefNextIteration")
