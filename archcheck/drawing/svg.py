"""Scene -> SVG and PNG, laid out by Graphviz through pygraphviz (extra `draw`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol
from xml.etree import ElementTree

from archcheck.drawing.dot import MOVED_LINE, to_dot
from archcheck.drawing.scene import Line, Scene, marked
from archcheck.errors import ArchcheckError
from archcheck.shown import shown

MOST_BOXES = 1500  # beyond this the layout takes minutes and nobody can read it

_SVG = "http://www.w3.org/2000/svg"


def to_svg(scene: Scene) -> bytes:
    """The scene as one SVG file in UTF-8: with title and description, without script, style sheet or remote address.

    The page behind the boxes is transparent and what stands on it is mid-grey, so it reads on dark and on light.

    Raises:
        ArchcheckError: pygraphviz is missing, or the scene has too many boxes to lay out.
    """
    drawn = _lay_out(scene, "svg")
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(drawn)  # Graphviz's output, from escaped labels; comments and DOCTYPE fall away
    root.set("role", "img")
    root.set("aria-labelledby", "archcheck-title archcheck-desc")
    title = ElementTree.Element(f"{{{_SVG}}}title", {"id": "archcheck-title"})
    title.text = shown(scene.title)
    description = ElementTree.Element(f"{{{_SVG}}}desc", {"id": "archcheck-desc"})
    description.text = shown(scene.description)
    names = {item.id: " ".join(marked(item.label, item.mark)) for item in scene.nodes() if item.label}
    names |= {f"cluster_{item.id}": " ".join(marked(item.label, item.mark)) for item in scene.clusters()}
    for group in root.iter(f"{{{_SVG}}}g"):
        for element in group.findall(f"{{{_SVG}}}title"):  # what a browser shows on hovering: the text, not the id
            if element.text in names:
                element.text = shown(names[element.text])
            else:
                group.remove(element)
    root[:0] = [title, description]
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def to_png(scene: Scene) -> bytes:
    """The scene as a PNG on white, 160 dots an inch: sharp on a slide.

    Raises:
        ArchcheckError: pygraphviz is missing, or the scene has too many boxes to lay out.
    """
    return _lay_out(scene, "png", background="white", dpi=160)


def _lay_out(scene: Scene, file_format: str, *, background: str = "transparent", dpi: int = 0) -> bytes:
    boxes = sum(1 for _ in scene.nodes())
    if boxes > MOST_BOXES:
        raise ArchcheckError(
            f"{boxes} boxes are too many to lay out (at most {MOST_BOXES})",
            hint="draw one block of the model, or write DOT with -o out.dot and lay it out yourself",
        )
    try:
        import pygraphviz
    except ImportError:
        raise ArchcheckError(
            f"drawing {file_format} needs pygraphviz, which is not installed",
            hint="pip install 'nn-archcheck[draw]', or write -o out.dot or out.mmd, which need nothing",
        ) from None
    data_flow = replace(scene, edges=tuple(edge for edge in scene.edges if edge.line is not Line.MOVED))
    graph = pygraphviz.AGraph(string=to_dot(data_flow, background=background, dpi=dpi))
    graph.layout(prog="dot")
    # Moves are drawn over the finished layout: dot would lead them around a column's boxes, not between the columns.
    for edge in scene.edges:
        if edge.line is Line.MOVED:
            course = _across(_box(graph.get_node(edge.tail)), _box(graph.get_node(edge.head)))
            graph.add_edge(edge.tail, edge.head, key=f"{edge.tail}-{edge.head}", pos=course, **MOVED_LINE)
    drawn: bytes = graph.draw(format=file_format, prog="nop2")
    return drawn


class _LaidOut(Protocol):
    attr: Mapping[str, str]


def _box(node: _LaidOut) -> tuple[float, float, float]:
    """Left edge, right edge and middle height of a box, in points."""
    x, y = (float(number) for number in node.attr["pos"].split(","))
    half = float(node.attr["width"]) * 36
    return x - half, x + half, y


def _across(tail: tuple[float, float, float], head: tuple[float, float, float]) -> str:
    """The course of a line that leaves a box of the left column and enters one of the right, both sideways."""
    start, end = tail[1], head[0] - 9  # the arrow head takes the last 9 points
    middle = (start + end) / 2
    points = ((start, tail[2]), (middle, tail[2]), (middle, head[2]), (end, head[2]))
    course = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f"e,{head[0]:.2f},{head[2]:.2f} {course}"
