"""OpGraph, or two and their Alignment -> pictures: SVG, PNG, DOT and Mermaid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from archcheck.align.edits import Alignment
from archcheck.drawing.build import scene_of, scene_of_difference
from archcheck.drawing.dot import to_dot
from archcheck.drawing.mermaid import to_mermaid
from archcheck.drawing.scene import Scene
from archcheck.drawing.svg import to_png, to_svg
from archcheck.errors import ArchcheckError
from archcheck.ir.graph import OpGraph
from archcheck.ir.span import Span

__all__ = ["FORMATS", "draw", "draw_difference"]

WRITERS: dict[str, Callable[[Scene], bytes]] = {
    "svg": to_svg,
    "png": to_png,
    "dot": lambda scene: to_dot(scene).encode("utf-8"),
    "mmd": lambda scene: to_mermaid(scene).encode("utf-8"),
}
FORMATS = tuple(WRITERS)


def draw(graph: OpGraph, format: str, *, title: str = "", inside: bool = False) -> bytes:
    """A drawing of one graph.

    Args:
        graph: in canonical form.
        format: one of `FORMATS`: "svg", "png", "dot" or "mmd" (Mermaid).
        title: what the drawing is called; "": the graph's entry point.
        inside: also draw what sublayers hold, in a frame each.

    Returns:
        The file's content; text formats are UTF-8 and end in a newline. The same graph gives the same bytes.

    Raises:
        ArchcheckError: there is no such format, the graph has no ops, pygraphviz is missing (svg, png), or
            the graph is too large for it.
    """
    return _writer(format)(scene_of(graph, title=title, inside=inside))


def draw_difference(
    expected: OpGraph,
    actual: OpGraph,
    alignment: Alignment,
    format: str,
    *,
    titles: tuple[str, str] = ("paper", "code"),
    places: Mapping[str, Span] = MappingProxyType({}),
) -> bytes:
    """A drawing of two graphs side by side, with what differs marked.

    Args:
        expected: what the paper states; the left column.
        actual: what the code computes; the right column.
        alignment: of the two.
        format: one of `FORMATS`.
        titles: what stands above the columns.
        places: path of an op of the code -> the line to show on it, where another than its own decided.

    Returns:
        As `draw`.

    Raises:
        ArchcheckError: as `draw`; `GraphError` where the alignment names an op that its graph does not hold.
    """
    return _writer(format)(scene_of_difference(expected, actual, alignment, titles=titles, places=places))


def _writer(name: str) -> Callable[[Scene], bytes]:
    writer = WRITERS.get(name)
    if writer is None:
        raise ArchcheckError(f'cannot draw "{name}"', hint=f"formats: {', '.join(FORMATS)}")
    return writer
