"""Scene -> Mermaid flowchart, as GitHub renders it in Markdown: capped, and with every label escaped."""

from __future__ import annotations

from archcheck.drawing.dot import MARK_COLOURS, MARK_FILLS, ROLE_FILLS
from archcheck.drawing.scene import LEGEND, Cluster, Edge, Frame, Line, Mark, Node, Role, Scene, marked
from archcheck.shown import shorten, shown

MOST_TEXT = 50_000  # GitHub refuses more characters than this, and more than 500 lines between boxes
MOST_LINES = 450
MOST_BOXES = 200  # what a reader can still follow
MOST_CHARACTERS = 120  # of a line in a box

# What Mermaid, Markdown and HTML read as nothing but itself wherever it stands.
_SAFE = frozenset(",(/×÷→⇄≠−·…")
_SHAPES = {
    Mark.NONE: ('["', '"]'),
    Mark.MOVED: ('{{"', '"}}'),
    Mark.MISSING: ('(["', '"])'),
    Mark.EXTRA: ('[["', '"]]'),
    Mark.CHANGED: ('[/"', '"\\]'),
    Mark.UNKNOWN: ('>"', '"]'),
}
_DASHES = {Mark.MISSING: ",stroke-dasharray:6 3", Mark.UNKNOWN: ",stroke-dasharray:2 3"}


def escape(text: str) -> str:
    """`text` as it may stand between Mermaid's quotes: what could be read as markup becomes `#code;`.

    Mermaid reads labels as Markdown, where a list ("1. x", "- x"), a heading or a bare address would lose the text.
    """
    plain = shown(text)
    return "".join(char if _is_safe(plain, at) else f"#{ord(char)};" for at, char in enumerate(plain))


def _is_safe(text: str, at: int) -> bool:
    char = text[at]
    if char in _SAFE or _is_plain(char):
        return True
    inner = 0 < at < len(text) - 1
    if char in "-_:":
        return inner and _is_plain(text[at - 1]) and _is_plain(text[at + 1])
    if char in ".)":
        return not text[:at].isdigit() and text[max(0, at - 3) : at].lower() != "www"
    return char in " =" and inner and bool(text[:at].strip(" ="))


def _is_plain(char: str) -> bool:
    return char.isascii() and char.isalnum()


def to_mermaid(scene: Scene) -> str:
    """The scene as a flowchart, with a newline at the end; beyond GitHub's limits a last box says what is left out.

    Marked boxes and moves are kept first. The dots where residuals leave the stream are drawn as part of the line.
    """
    most = MOST_BOXES
    while len(text := _flowchart(scene, most)) > MOST_TEXT and most:
        most //= 2
    return text


def _flowchart(scene: Scene, most: int) -> str:
    boxes = [node for node in scene.nodes() if node.role is not Role.FORK]
    by_worth = sorted(range(len(boxes)), key=lambda at: (boxes[at].mark is Mark.NONE, at))
    kept = {boxes[at].id for at in by_worth[:most]}
    between = [edge for edge in _without_forks(scene) if edge.tail in kept and edge.head in kept]
    edges = sorted(between, key=lambda edge: edge.line is not Line.MOVED)[:MOST_LINES]
    lines = ["flowchart BT"]
    for item in scene.items:
        _item(item, kept, "  ", lines)
    left_out = _left_out(boxes, kept, len(between) - len(edges))
    if left_out:
        lines.append(f'  left_out["{escape(left_out)}"]')
    legend = ", ".join(LEGEND[mark] for mark in scene.marks())
    if legend:
        lines.append(f'  legend["{escape(legend)}"]')
        lines.append("  style legend fill:none,stroke:none")
    lines += [f"  {edge.tail} {'-.-' if edge.line is Line.MOVED else '-->'} {edge.head}" for edge in edges]
    lines += _styles(scene, kept, edges)
    return "\n".join(lines) + "\n"


def _left_out(boxes: list[Node], kept: set[str], lines: int) -> str:
    words = []
    if len(boxes) > len(kept):
        hidden = sum(1 for node in boxes if node.id not in kept and node.mark is not Mark.NONE)
        words.append(f"{len(boxes) - len(kept)} more boxes" + (f" ({hidden} of them marked)" if hidden else ""))
    if lines:
        words.append(f"{lines} more lines")
    return " and ".join(words) + " are not drawn" if words else ""


def _item(item: Node | Cluster, kept: set[str], indent: str, lines: list[str]) -> None:
    if isinstance(item, Cluster):
        lines.append(f'{indent}subgraph {item.id}["{_label(marked(item.label, item.mark))}"]')
        for inner in item.items:
            _item(inner, kept, indent + "  ", lines)
        lines.append(f"{indent}end")
    elif item.id in kept:
        opening, closing = _SHAPES[item.mark]
        if item.role is Role.JOIN and item.mark is Mark.NONE:
            opening, closing = '(("', '"))'
        lines.append(f"{indent}{item.id}{opening}{_label(marked(item.label, item.mark))}{closing}")


def _label(lines: tuple[str, ...]) -> str:
    return "<br/>".join(escape(shorten(shown(line), MOST_CHARACTERS)) for line in lines)


def _without_forks(scene: Scene) -> list[Edge]:
    """The lines between boxes proper; a move runs from the lower box to the higher.

    Mermaid puts the end of a line above its start, so a move drawn downwards would push the columns apart.
    """
    forks = {node.id for node in scene.nodes() if node.role is Role.FORK}
    source = {edge.head: edge.tail for edge in scene.edges if edge.head in forks}
    height: dict[str, int] = {}
    for edge in scene.edges:  # in program order: what a line starts from has been reached before
        if edge.line is not Line.MOVED:
            height[edge.head] = max(height.get(edge.head, 0), height.get(edge.tail, 0) + 1)

    def origin(box: str) -> str:
        while box in source:
            box = source[box]
        return box

    straight: dict[Edge, None] = {}
    for edge in scene.edges:
        if edge.line is Line.MOVED:
            low, high = sorted((edge.tail, edge.head), key=lambda box: height.get(box, 0))
            straight[Edge(low, high, Line.MOVED)] = None
        elif edge.head not in forks:
            straight[Edge(origin(edge.tail), edge.head, edge.line)] = None
    return list(straight)


def _styles(scene: Scene, kept: set[str], edges: list[Edge]) -> list[str]:
    """One class for each mark and tint that is used, and the line style of moves."""
    classes: dict[str, tuple[str, list[str]]] = {}
    plain = scene.compares
    for node in scene.nodes():
        if node.id not in kept:
            continue
        if node.mark is not Mark.NONE:
            name = node.mark.name.lower()
            look = f"fill:{MARK_FILLS[node.mark]},stroke:{MARK_COLOURS[node.mark]},stroke-width:3px"
            look += _DASHES.get(node.mark, "")
        elif node.role in ROLE_FILLS and not plain:
            name, look = node.role.value, f"fill:{ROLE_FILLS[node.role]},stroke:{MARK_COLOURS[Mark.NONE]}"
        elif node.role in (Role.INPUT, Role.OUTPUT):
            name, look = "ends", "fill:none,stroke:none"
        else:
            name, look = "plain", f"fill:{MARK_FILLS[Mark.NONE]},stroke:{MARK_COLOURS[Mark.NONE]}"
        colour = "" if name == "ends" else ",color:#1A1A1A"
        classes.setdefault(name, (look + colour, []))[1].append(node.id)
    lines = [f"  classDef {name} {look}" for name, (look, _) in classes.items()]
    lines += [f"  class {','.join(ids)} {name}" for name, (_, ids) in classes.items()]
    for cluster in scene.clusters():
        colour = MARK_COLOURS[cluster.mark]
        edge = "none" if cluster.frame is Frame.COLUMN else colour
        lines.append(f"  style {cluster.id} fill:none,stroke:{edge}")
    moved = [str(at) for at, edge in enumerate(edges) if edge.line is Line.MOVED]
    if moved:
        lines.append(f"  linkStyle {','.join(moved)} stroke:{MARK_COLOURS[Mark.MOVED]},stroke-width:3px")
    return lines
