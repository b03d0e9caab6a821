"""Scene -> DOT, as text: no binary is needed. Every label is quoted and escaped; every id is made up."""

from __future__ import annotations

from archcheck.drawing.scene import LEGEND, Cluster, Edge, Frame, Line, Mark, Node, Role, Scene, marked
from archcheck.shown import shown

# Colours of Okabe and Ito 2008, told apart by readers with any colour vision; the marks are also signs and outlines.
INK = "#1A1A1A"  # text on a fill
GREY = "#767676"  # lines and text on the page itself: 4.5:1 against white and against black
MARK_COLOURS = {
    Mark.NONE: GREY,
    Mark.MOVED: "#0072B2",
    Mark.MISSING: "#D55E00",
    Mark.EXTRA: "#009E73",
    Mark.CHANGED: "#CC79A7",
    Mark.UNKNOWN: "#E69F00",
}
MARK_FILLS = {
    Mark.NONE: "#F2F2F2",
    Mark.MOVED: "#CDE6F5",
    Mark.MISSING: "#FBE0D0",
    Mark.EXTRA: "#CDEFE4",
    Mark.CHANGED: "#F7E3EE",
    Mark.UNKNOWN: "#FCEFCF",
}
ROLE_FILLS = {
    Role.ATTENTION: "#FBE3CC",
    Role.FEED_FORWARD: "#D6ECF8",
    Role.NORM: "#F8F3C4",
    Role.EMBEDDING: "#F7E1EC",
}
FONT = "Helvetica,Arial,sans-serif"

MOVED_LINE = {"constraint": "false", "style": "dashed", "color": MARK_COLOURS[Mark.MOVED], "penwidth": "2"}

_MARK_SHAPES: dict[Mark, dict[str, str]] = {
    Mark.NONE: {},
    Mark.MOVED: {"shape": "hexagon", "style": "filled", "penwidth": "2.2", "margin": "0,0.02"},
    Mark.MISSING: {"shape": "box", "style": "filled,dashed", "penwidth": "2.2"},
    Mark.EXTRA: {"shape": "box", "style": "filled", "peripheries": "2", "penwidth": "1.6"},
    Mark.CHANGED: {"shape": "octagon", "style": "filled", "penwidth": "2.2", "margin": "0.02,0.02"},
    Mark.UNKNOWN: {"shape": "ellipse", "style": "filled,dotted", "penwidth": "2.2", "margin": "0.02,0.02"},
}


def quote(text: str) -> str:
    """`text` as one quoted DOT label that shows it as it is.

    DOT reads escapes (`\\N`, `\\l`) and HTML entities inside of quotes, so backslashes and ampersands are escaped too.
    """
    plain = shown(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def to_dot(scene: Scene, *, background: str = "transparent", dpi: int = 0) -> str:
    """The scene in the DOT language, with a newline at the end.

    Args:
        scene: what to draw.
        background: a colour, or "transparent".
        dpi: dots an inch where the picture is made of dots; 0: the layouter's own.
    """
    graph = {
        "rankdir": "BT",
        "newrank": "true",
        "bgcolor": background,
        "nodesep": "0.35",
        "ranksep": "0.32",
        "pad": "0.2",
        "fontname": FONT,
        "fontcolor": GREY,
        "fontsize": "12",
        "labelloc": "b",
    }
    if dpi:
        graph["dpi"] = str(dpi)
    node = {
        "fontname": FONT,
        "fontsize": "12",
        "fontcolor": INK,
        "color": GREY,
        "margin": "0.14,0.07",
        "height": "0.36",
    }
    legend = "     ".join(LEGEND[mark] for mark in scene.marks())
    lines = ["digraph archcheck {"]
    lines.append(f"  graph [{_attributes(graph)}, label={_label((legend,) if legend else ())}];")
    lines.append(f"  node [{_attributes(node)}];")
    lines.append(f"  edge [{_attributes({'color': GREY, 'arrowsize': '0.7', 'penwidth': '1.2'})}];")
    plain = scene.compares
    for item in scene.items:
        _item(item, plain=plain, indent="  ", lines=lines)
    lines += [f"  {_edge(edge)}" for edge in scene.edges]
    for left, right in scene.level:
        lines.append(f"  {{ rank=same; {left} -> {right} [style=invis, weight=0]; }}")
    lines.append("}")
    return "\n".join(lines) + "\n"


def _item(item: Node | Cluster, *, plain: bool, indent: str, lines: list[str]) -> None:
    if isinstance(item, Node):
        lines.append(f"{indent}{_node(item, plain=plain)}")
        return
    attributes = {"fontname": FONT, "fontcolor": GREY, "color": GREY, "labelloc": "b", "labeljust": "l", "margin": "18"}
    if item.frame is Frame.COLUMN:
        attributes |= {"color": "transparent", "labeljust": "c", "fontsize": "16", "margin": "16"}
    elif item.frame is Frame.REPEAT:
        attributes |= {"style": "rounded", "fontsize": "15", "penwidth": "1.4"}
    else:
        attributes |= {"style": "rounded,dotted", "fontsize": "11", "margin": "10"}
    if item.mark is not Mark.NONE:
        attributes |= {"color": MARK_COLOURS[item.mark], "fontcolor": MARK_COLOURS[item.mark], "penwidth": "2.2"}
    lines.append(f"{indent}subgraph cluster_{item.id} {{")
    lines.append(f"{indent}  graph [{_attributes(attributes)}, label={_label(marked(item.label, item.mark))}];")
    for inner in item.items:
        _item(inner, plain=plain, indent=indent + "  ", lines=lines)
    lines.append(f"{indent}}}")


def _node(node: Node, *, plain: bool) -> str:
    """A box; `plain` leaves tints to the marks, so that in a difference colour means only that."""
    attributes: dict[str, str]
    if node.role is Role.FORK:
        attributes = {"shape": "point", "width": "0.05", "height": "0.05", "fillcolor": GREY}
    elif node.role is Role.JOIN and node.mark is Mark.NONE:
        attributes = {"shape": "circle", "width": "0.26", "height": "0.26", "fixedsize": "true", "fontsize": "15"}
        attributes |= {"style": "filled", "fillcolor": MARK_FILLS[Mark.NONE], "margin": "0"}
    elif node.role in (Role.INPUT, Role.OUTPUT) and node.mark is Mark.NONE:
        attributes = {"shape": "plaintext", "fontcolor": GREY, "height": "0.2", "margin": "0.04"}
    else:
        fill = (
            MARK_FILLS[node.mark]
            if plain or node.mark is not Mark.NONE
            else ROLE_FILLS.get(node.role, MARK_FILLS[Mark.NONE])
        )
        attributes = {"shape": "box", "style": "filled,rounded", "fillcolor": fill, "color": MARK_COLOURS[node.mark]}
        if node.role is Role.OPAQUE:
            attributes |= {"style": "filled,dotted"}
        attributes |= _MARK_SHAPES[node.mark]
    return f"{node.id} [{_attributes(attributes)}, label={_label(marked(node.label, node.mark))}];"


def _edge(edge: Edge) -> str:
    attributes = {"weight": "8"}
    if edge.line is Line.SKIP:
        attributes = {"weight": "0"}
    elif edge.line is Line.MOVED:
        attributes = {
            "tailport": "e",
            "headport": "w",
            "constraint": "false",
            "style": "dashed",
            "color": MARK_COLOURS[Mark.MOVED],
            "penwidth": "2",
        }
    return f"{edge.tail} -> {edge.head} [{_attributes(attributes)}];"


def _attributes(attributes: dict[str, str]) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in attributes.items())


def _label(lines: tuple[str, ...]) -> str:
    return '"' + "\\n".join(quote(line)[1:-1] for line in lines) + '"'
