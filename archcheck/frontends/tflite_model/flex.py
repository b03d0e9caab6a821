"""Operators of TensorFlow in a file of TensorFlow Lite: each is told as a node of TensorFlow's graphs.

The bytes beside such an operator are a FlexBuffer, written from the front and read from its end: a list of two texts,
of which the second is the node, as a protocol buffer.
"""

from __future__ import annotations

from archcheck.frontends.tensorflow_graph.file import node_of
from archcheck.frontends.tensorflow_graph.nodes import Node, NonsenseError
from archcheck.frontends.tensorflow_graph.wire import Wire

_WIDTHS = (1, 2, 4, 8)


def node_in(data: bytes, op: str) -> Node | None:
    """The node of an operator; None where there is none that is read, or it is another op than the operator says."""
    try:
        wire = Wire(_second(data))
        node = node_of(wire, 0, len(wire.data))
        dict(node.attrs)  # each is looked into here, where what is wrong with it is known to be the operator's
    except (IndexError, ValueError, NonsenseError):
        return None
    return node if node.op == op else None


def _second(data: bytes) -> bytes:
    """The second text of the list that is told.

    Raises:
        ValueError: no list is told.
    """
    width = data[-1]
    root = len(data) - 2 - width
    if width not in _WIDTHS or root < 0:
        raise ValueError("no list")
    start = root - _number(data, root, width)
    size = 1 << (data[-2] & 3)
    if start - size < 0 or _number(data, start - size, size) != 2:
        raise ValueError("no list of two")
    place = start + size
    kinds = data[start + 2 * size]  # of the first entry; the second's is behind it
    inner = 1 << (data[start + 2 * size + 1] & 3)
    text = place - _number(data, place, size)
    length = _number(data, text - inner, inner)
    if kinds >> 2 != _TEXT or text < 0 or text + length > len(data):
        raise ValueError("no texts")
    return data[text : text + length]


_TEXT = 5


def _number(data: bytes, at: int, width: int) -> int:
    if at < 0 or at + width > len(data):
        raise ValueError("outside")
    return int.from_bytes(data[at : at + width], "little")
