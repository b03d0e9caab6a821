"""DOT, Mermaid, SVG and PNG: hostile text stays text, output is deterministic, and what is missing is said."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from xml.etree import ElementTree

import pydot
import pytest
from drawing_samples import CODE, DECODER, EVERY_MARK, MODEL, PAPER, PARALLEL, POST, POST_TO_PRE, PRE, TWO_STREAMS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archcheck.align.edits import Alignment
from archcheck.drawing import FORMATS, draw, draw_difference, svg
from archcheck.drawing.dot import to_dot
from archcheck.drawing.mermaid import MOST_CHARACTERS, escape, to_mermaid
from archcheck.drawing.scene import Cluster, Edge, Frame, Line, Mark, Node, Role, Scene, marked
from archcheck.errors import ArchcheckError
from archcheck.ir.graph import Op, OpGraph, attrs
from archcheck.ir.ops import kind
from archcheck.shown import shorten, shown

Golden = Callable[[str, str], None]
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "<b>x</b>",
    "A:B",
    'quote " and \\',
    "\\",
    '\\"',
    "\\N\\l\\G",
    "&amp;&lt;&#x202e;&",
    "line\nbreak\r\n",
    "\x00\x07\x1b[31m\x7f\x85",
    "\u202egnp.exe\u2066\u200f",
    "}; subgraph x { a -> b",
    "<<table><tr><td>html</td></tr></table>>",
    "</svg><script>alert(1)</script>",
    "javascript:alert(1)",
    '"]; click n0 href "https://example.org"',
    "%%{init: {'theme': 'x'}}%%",
    "1. list",
    "- list",
    "1) list",
    "=====",
    "www.example.org",
    "end",
    "`code` **bold** _it_ [a](b)",
    "#quot;#35;ﬂ°°35¶ß",
    "]]>",
    "\ud800 \uffff \U000e0001",
    "注意 é ⇄ 👩‍🔬",
    "x" * 10_000,
    " ",
)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pydot")
names = st.text(st.characters(exclude_categories=()), min_size=1)


def scene_with(name: str, mark: Mark = Mark.NONE) -> Scene:
    """Two boxes in a frame, both called `name`, and a line between them."""
    boxes = (Node("n0", (name,), mark=mark), Node("n1", (name, name), Role.OTHER, mark))
    return Scene(name, name, (Cluster("c0", (name,), Frame.REPEAT, boxes, mark),), (Edge("n0", "n1"),))


def from_dot(label: str) -> tuple[str, ...]:
    """The lines that Graphviz shows for a label as it stands in a DOT file."""
    assert label.startswith('"')
    assert label.endswith('"')
    lines = [""]
    for escaped, plain in re.findall(r"\\(.)|([^\\])", label[1:-1]):
        if escaped == "n":
            lines.append("")
        else:
            assert escaped in ("", "\\", '"')
            lines[-1] += escaped or plain
    assert not any(re.search(r"&(?!amp;)", line) for line in lines)
    return tuple(line.replace("&amp;", "&") for line in lines)


def hostile_examples(test: Callable[..., None]) -> Callable[..., None]:
    for name in HOSTILE:
        test = example(name, Mark.NONE)(test)
    return test


@hostile_examples
@settings(max_examples=40)  # pydot's parser is slow
@given(names, st.sampled_from(Mark))
def test_dot_parses_back_to_the_escaped_text(name: str, mark: Mark) -> None:
    (graph,) = pydot.graph_from_dot_data(to_dot(scene_with(name, mark)))
    assert {node.get_name() for node in graph.get_nodes()} == {"graph", "node", "edge"}  # the defaults
    (frame,) = graph.get_subgraphs()
    labels = {box.get_name(): from_dot(box.get("label")) for box in frame.get_nodes()}
    one = marked((shown(name),), mark)
    assert labels == {"graph": one, "n0": one, "n1": (*one, shown(name))}
    assert [(edge.get_source(), edge.get_destination()) for edge in graph.get_edges()] == [("n0", "n1")]


@hostile_examples
@given(names, st.sampled_from(Mark))
def test_mermaid_holds_the_escaped_text_and_nothing_else(name: str, mark: Mark) -> None:
    text = to_mermaid(scene_with(name, mark))
    labels = dict(re.findall(r'^\s*(?:subgraph )?(\w+)\W{1,2}"([^"\n]*)"', text, re.MULTILINE))

    def lines(*label: str) -> str:
        return "\n".join(shorten(shown(line), MOST_CHARACTERS) for line in marked(label, mark))

    plain = {
        box: "\n".join(re.sub(r"#(\d+);", lambda code: chr(int(code[1])), part) for part in label.split("<br/>"))
        for box, label in labels.items()
    }
    legend = {"legend"} if mark is not Mark.NONE else set()
    assert set(labels) == {"c0", "n0", "n1"} | legend
    assert plain["n0"] == plain["c0"] == lines(name)
    assert plain["n1"] == lines(name, name)
    bare = re.sub(r"#\d+;|<br/>", "", "".join(labels.values()))
    assert not re.search(r"[<>&#;`*\[\]{}|\\\"%@!?~^$+']", bare)


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        ("self-attention", "self-attention"),
        ("transformer.py:616", "transformer.py:616"),
        ("p = 0.1", "p = 0.1"),
        ("512 → 2048", "512 → 2048"),
        ("d_ff", "d_ff"),
        ("- x", "#45; x"),
        ("_x_", "#95;x#95;"),
        ("1. x", "1#46; x"),
        ("12) x", "12#41; x"),
        ("== x", "#61;#61;#32;x"),
        (" x", "#32;x"),
        ("www.x.org", "www#46;x.org"),
        ("https://x", "https#58;//x"),
    ],
)
def test_mermaid_escapes_what_markdown_would_take(raw: str, escaped: str) -> None:
    assert escape(raw) == escaped


def as_seen(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Lines as a reader sees them: Graphviz leaves out blank ones, and writes a second blank in a row as U+00A0."""
    return tuple(line.replace("\xa0", " ") for line in lines if line.strip())


def check_svg(name: str, mark: Mark) -> None:
    written = svg.to_svg(scene_with(name, mark))
    root = ElementTree.fromstring(written)
    boxes = {group.get("id"): group for group in root.iter(f"{SVG}g") if group.get("class") == "node"}
    assert len(boxes) == 2
    texts = sorted(as_seen(tuple(text.text or "" for text in group.iter(f"{SVG}text"))) for group in boxes.values())
    assert texts == sorted((as_seen(marked((shown(name),), mark)), as_seen(marked((shown(name), shown(name)), mark))))
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "polygon", "path", "text", "ellipse", "polyline"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not any("href" in name or name.startswith("on") for name in attributes)
    assert root.findtext(f"{SVG}title") == shown(name)
    assert root.findtext(f"{SVG}desc") == shown(name)


@pytest.mark.parametrize("name", [name[:400] for name in HOSTILE])
def test_svg_shows_hostile_text_as_text(name: str) -> None:
    check_svg(name, Mark.NONE)


@settings(max_examples=40)
@given(names, st.sampled_from(Mark))
def test_svg_shows_any_text_as_text(name: str, mark: Mark) -> None:
    check_svg(name, mark)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_graph_of_hostile_names_is_drawn(name: str, file_format: str) -> None:
    ops = (
        Op(name, kind("opaque"), attrs=attrs(name=name, why=name)),
        Op(name + "!", kind("function"), attrs=attrs(name=name)),
    )
    assert draw(OpGraph(ops), file_format, title=name)


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_same_graph_gives_the_same_bytes(file_format: str) -> None:
    first, second = (draw_difference(PAPER, CODE, EVERY_MARK, file_format) for _ in range(2))
    assert first == second
    assert draw(MODEL, file_format) == draw(MODEL, file_format)


@pytest.mark.parametrize("graph", [POST, PRE, PARALLEL, TWO_STREAMS, DECODER, MODEL])
def test_every_box_is_in_every_format(graph: OpGraph) -> None:
    dot = draw(graph, "dot").decode()
    (parsed,) = pydot.graph_from_dot_data(dot)
    assert parsed is not None
    root = ElementTree.fromstring(draw(graph, "svg"))
    drawn = [group for group in root.iter(f"{SVG}g") if group.get("class") == "node"]
    assert len(drawn) == len(re.findall(r"^ *n\d+ \[", dot, re.MULTILINE))
    boxes = re.findall(r"^ *n\d+ \[(?!shape=\"point\")", dot, re.MULTILINE)
    assert len(boxes) == len(re.findall(r"^ *n\d+\W+\"", draw(graph, "mmd").decode(), re.MULTILINE))
    assert draw(graph, "png").startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize("file_format", ["dot", "mmd"])
def test_golden_difference(file_format: str, golden: Golden) -> None:
    titles = ("Attention Is All You Need", "tensor2tensor 1.2.5")
    golden(f"difference.{file_format}", draw_difference(POST, PRE, POST_TO_PRE, file_format, titles=titles).decode())


def test_svg_is_accessible_and_refers_to_nothing() -> None:
    written = draw_difference(POST, PRE, POST_TO_PRE, "svg", titles=("paper", "code")).decode()
    root = ElementTree.fromstring(written)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "archcheck-title archcheck-desc"
    assert [(child.tag.removeprefix(SVG), child.get("id")) for child in root][:2] == [
        ("title", "archcheck-title"),
        ("desc", "archcheck-desc"),
    ]
    assert root.findtext(f"{SVG}title") == "paper against code"
    assert "layer norm: moved" in (root.findtext(f"{SVG}desc") or "")
    assert re.findall(r"https?://[^\"']*", written) == ["http://www.w3.org/2000/svg"]
    assert "<!DOCTYPE" not in written
    dashed = [group for group in root.iter(f"{SVG}path") if group.get("stroke-dasharray")]
    assert len(dashed) == 2
    filled = {element.get("fill") for element in root.iter(f"{SVG}polygon")}
    assert "white" not in filled


def test_a_move_is_drawn_from_the_left_box_to_the_right_one() -> None:
    root = ElementTree.fromstring(draw_difference(POST, PRE, POST_TO_PRE, "svg"))
    for path in root.iter(f"{SVG}path"):
        if path.get("stroke-dasharray"):
            numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path.get("d") or "")]
            assert numbers[0] < numbers[-2]
            assert numbers[1] < numbers[-1]  # from above to below: SVG counts downwards


def test_marks_are_told_by_text_and_outline_not_by_colour_alone() -> None:
    dot = to_dot(Scene("", "", tuple(Node(f"n{at}", ("op",), mark=mark) for at, mark in enumerate(Mark)), ()))
    rows = re.findall(r"^  n\d+ \[(.*)\];$", dot, re.MULTILINE)
    outlines = {tuple(re.findall(r'(?:shape|style|peripheries)="[^"]*"', row)) for row in rows}
    assert len(outlines) == len(Mark)
    assert [re.search(r'label="(.*)"', row)[1] for row in rows] == ["op", "⇄ op", "− op", "+ op", "≠ op", "? op"]


def test_mermaid_is_capped_and_keeps_what_is_marked() -> None:
    boxes = tuple(Node(f"n{at}", ("op",), mark=Mark.EXTRA if at == 999 else Mark.NONE) for at in range(1000))
    text = to_mermaid(Scene("", "", boxes, tuple(Edge(f"n{at}", f"n{at + 1}") for at in range(999))))
    assert len(re.findall(r"^  n\d+\W+\"", text, re.MULTILINE)) == 200
    assert 'n999[["#43; op"]]' in text
    assert 'left_out["800 more boxes are not drawn"]' in text
    assert len(text) < 50_000
    assert len(re.findall("-->", text)) == 198


def test_mermaid_stays_within_what_github_renders() -> None:
    many = tuple(Node(f"n{at}", ("x" * 10_000, "\u202e" * 100), mark=Mark.EXTRA) for at in range(300))
    text = to_mermaid(Scene("", "", many, tuple(Edge("n0", f"n{at % 299 + 1}", Line.FLOW) for at in range(600))))
    assert len(text) <= 50_000
    assert re.search(r"(\d+) more boxes \(\1 of them marked\)", text)


def test_too_many_boxes_are_refused_where_they_would_be_laid_out() -> None:
    boxes = tuple(Node(f"n{at}", ("op",)) for at in range(svg.MOST_BOXES + 1))
    scene = Scene("", "", boxes, ())
    with pytest.raises(ArchcheckError, match="1501 boxes are too many to lay out"):
        svg.to_svg(scene)
    assert to_dot(scene).count("label=") == len(boxes) + 1


@pytest.mark.parametrize("file_format", ["svg", "png"])
def test_without_pygraphviz_the_way_out_is_named(file_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(ArchcheckError, match=r"pip install 'nn-archcheck\[draw\]'"):
        draw(POST, file_format)
    assert draw(POST, "dot")
    assert draw(POST, "mmd")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ArchcheckError, match='cannot draw "gif"'):
        draw(POST, "gif")
    with pytest.raises(ArchcheckError, match="svg, png, dot, mmd"):
        draw_difference(POST, PRE, Alignment((), ()), "")
