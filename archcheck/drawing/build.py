"""OpGraph, or two and their Alignment -> Scene."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from archcheck.align.edits import Alignment, Edit, EditKind
from archcheck.drawing.labels import joins, label, line, place, role, times, value, writes
from archcheck.drawing.scene import LEGEND, Cluster, Edge, Frame, Line, Mark, Node, Role, Scene
from archcheck.errors import ArchcheckError, GraphError
from archcheck.ir.graph import AttrValue, Op, OpGraph, Value
from archcheck.ir.span import Span
from archcheck.shown import shown

_MARKS = {
    EditKind.MOVED: Mark.MOVED,
    EditKind.MISSING: Mark.MISSING,
    EditKind.EXTRA: Mark.EXTRA,
    EditKind.CHANGED: Mark.CHANGED,
    EditKind.UNKNOWN: Mark.UNKNOWN,
}
_MOST_LISTED = 60  # boxes named one by one in a description
_OPEN_KINDS = frozenset({"residual", "repeat"})


@dataclass(slots=True)
class _Note:
    """What a difference writes on one op: its mark, and lines below the op's own."""

    mark: Mark
    lines: list[str] = field(default_factory=list)


def scene_of(graph: OpGraph, *, title: str = "", inside: bool = False) -> Scene:
    """One graph as a scene.

    Args:
        graph: in canonical form; any other is drawn too, op by op.
        title: what the drawing is called; "": the graph's entry point.
        inside: also draw what sublayers and folded ops hold.

    Raises:
        ArchcheckError: the graph has no ops; a blank picture would look like an answer.
    """
    if not graph.ops:
        raise ArchcheckError(
            "there is nothing to draw: the graph has no ops", hint="`archcheck describe` says what could not be read"
        )
    column = _Column(0, 0, {}, everything=inside)
    items = column.draw(graph)
    name = title or graph.origin.entry or "op graph"
    return Scene(shown(name), f"Data flow of {shown(name)}: {_listed(items)}.", items, tuple(column.edges))


def scene_of_difference(
    expected: OpGraph,
    actual: OpGraph,
    alignment: Alignment,
    *,
    titles: tuple[str, str] = ("paper", "code"),
    places: Mapping[str, Span] = MappingProxyType({}),
) -> Scene:
    """Two graphs side by side, the paper left and the code right, with what differs marked.

    Ops that correspond stand at one height; a dashed line joins the two places of an op that moved. An op that holds
    others is drawn open where something inside it differs.

    Args:
        places: op of the code -> the line to show on it, where another line than its own decided that it differs.

    Raises:
        GraphError: the alignment names an op that its graph does not hold.
    """
    left_notes, right_notes = _notes(alignment.edits, places)
    _spread(expected, left_notes, {mine.path for mine, _ in alignment.pairs})
    _spread(actual, right_notes, {other.path for _, other in alignment.pairs})
    opened = (_opened(expected, left_notes), _opened(actual, right_notes))
    for mine, other in alignment.pairs:
        if mine.path in opened[0] or other.path in opened[1]:
            opened[0].add(mine.path)
            opened[1].add(other.path)
    left = _Column(0, 1, left_notes, opened=opened[0])
    left_items = left.draw(expected)
    right = _Column(left.next_node, left.next_cluster + 1, right_notes, opened=opened[1])
    right_items = right.draw(actual)
    for side, notes in ((left, left_notes), (right, right_notes)):
        lost = next((path for path in notes if path not in side.shown_at), None)
        if lost is not None:
            raise GraphError(f"the alignment names {lost}, which its graph does not hold")
    moved = dict.fromkeys(
        Edge(left.shown_at[mine.path], right.shown_at[other.path], Line.MOVED)
        for edit in alignment.edits
        if edit.kind is EditKind.MOVED
        for mine, other in ((edit.expected, edit.actual), *edit.also)
        if mine is not None and other is not None
    )
    columns = (
        Cluster("c0", (line(titles[0]),), Frame.COLUMN, left_items),
        Cluster(f"c{left.next_cluster}", (line(titles[1]),), Frame.COLUMN, right_items),
    )
    return Scene(
        f"{shown(titles[0])} against {shown(titles[1])}",
        _describe(alignment.edits),
        columns,
        (*left.edges, *right.edges, *moved),
        _level(alignment, left, right),
    )


class _Column:
    """Draws one graph: numbers its boxes, and knows which box gives a value."""

    def __init__(
        self,
        first_node: int,
        first_cluster: int,
        notes: dict[str, _Note],
        *,
        opened: set[str] | None = None,
        everything: bool = False,
    ) -> None:
        self.next_node = first_node
        self.next_cluster = first_cluster
        self.notes = notes
        self.opened = opened or set()
        self.everything = everything
        self.edges: list[Edge] = []
        self.shown_at: dict[str, str] = {}  # path of an op -> id of the box that stands for it
        self.outputs: list[str] = []  # ids of the boxes "output"
        self._gives: dict[Value, str] = {}
        self._joined: set[tuple[str, str]] = set()

    def draw(self, graph: OpGraph) -> tuple[Node | Cluster, ...]:
        """The boxes and frames of `graph`; its lines are added to `edges`."""
        items = self._body(graph.ops)
        results = graph.results or tuple(Value(op.path) for op in graph.ops[-1:] if op.kind.name != "input")
        for result in results:
            node = self._node(("output",), Role.OUTPUT)
            self._line(self._source(result), node.id)
            self.outputs.append(node.id)
            items.append(node)
        return tuple(items) or (self._node(("(no ops)",), Role.OUTPUT),)

    def _body(self, ops: tuple[Op, ...]) -> list[Node | Cluster]:
        items: list[Node | Cluster] = []
        for op in ops:
            if op.kind.name == "residual" and op.body and op.reads:
                items += self._residual(op)
            elif op.body and (op.kind.name in _OPEN_KINDS or self.everything or op.path in self.opened):
                items.append(self._frame(op))
            else:
                items.append(self._box(op))
        return items

    def _box(self, op: Op) -> Node:
        sign = joins(op)
        note = self.notes.get(op.path)
        node = self._node(
            self._label((sign,) if sign and note is None else label(op), note),
            role(op) if note is None or not sign else Role.OTHER,
            note.mark if note else Mark.NONE,
        )
        for read in dict.fromkeys(op.reads):
            self._line(self._source(read), node.id)
        self.shown_at[op.path] = node.id
        self._give(op, [node.id])
        return node

    def _residual(self, op: Op) -> list[Node | Cluster]:
        """The branch, a dot where it leaves the stream, and the circle where the two are added."""
        stream = op.reads[0]
        source = self._source(stream)
        items: list[Node | Cluster] = []
        if any(stream in inner.reads for body in op.body for inner in body.walk()):
            fork = self._node((), Role.FORK)
            self._line(source, fork.id)
            items.append(fork)
            self._gives[stream] = fork.id
            items += self._body(op.body)
            self._gives[stream] = source
            source = fork.id
        else:
            items += self._body(op.body)
        note = self.notes.get(op.path)
        total = self._node(
            self._label(("+",) if note is None else label(op), note),
            Role.JOIN if note is None else Role.OTHER,
            note.mark if note else Mark.NONE,
        )
        for result in op.results:
            self._line(self._source(result), total.id)
        self._line(source, total.id, Line.SKIP)
        self.shown_at[op.path] = total.id
        self._give(op, [total.id])
        return [*items, total]

    def _frame(self, op: Op) -> Cluster:
        number = self.next_cluster
        self.next_cluster += 1
        first = self.next_node
        items = self._body(op.body)
        repeats = op.kind.name == "repeat"
        note = self.notes.get(op.path)
        self.shown_at[op.path] = f"n{first}"
        self._give(op, [self._source(result) for result in op.results])
        return Cluster(
            f"c{number}",
            self._label((times(op),) if repeats else label(op) if note else label(op)[:1], note),
            Frame.REPEAT if repeats else Frame.INSIDE,
            tuple(items),
            note.mark if note else Mark.NONE,
        )

    def _label(self, own: tuple[str, ...], note: _Note | None) -> tuple[str, ...]:
        return (*own, *(line(text) for text in note.lines)) if note else own

    def _node(self, text: tuple[str, ...], node_role: Role, mark: Mark = Mark.NONE) -> Node:
        node = Node(f"n{self.next_node}", text, node_role, mark)
        self.next_node += 1
        return node

    def _give(self, op: Op, ids: list[str]) -> None:
        for index, given in enumerate(ids):
            self._gives[Value(op.path, index)] = given

    def _source(self, read: Value) -> str:
        """The box that gives a value; all outputs of an op drawn as one box come from that box."""
        found = self._gives.get(read) or self._gives.get(Value(read.op))
        if found is None:
            raise GraphError(f"{read.op} is read before it is given")
        return found

    def _line(self, tail: str, head: str, kind: Line = Line.FLOW) -> None:
        if (tail, head) not in self._joined or kind is Line.SKIP:
            self._joined.add((tail, head))
            self.edges.append(Edge(tail, head, kind))


def _listed(items: tuple[Node | Cluster, ...]) -> str:
    """The boxes in program order, or how many there are of each name where that list would be long."""
    boxes = [node for node in Scene("", "", items, ()).nodes() if node.role not in (Role.FORK, Role.JOIN)]
    if len(boxes) <= _MOST_LISTED:
        return ", ".join(" ".join(node.label) for node in boxes)
    counted = Counter(node.label[0] for node in boxes)
    listed = ", ".join(f"{count} {name}" for name, count in counted.most_common(_MOST_LISTED))
    return f"{len(boxes)} boxes, of them {listed}"


def _notes(edits: tuple[Edit, ...], places: Mapping[str, Span]) -> tuple[dict[str, _Note], dict[str, _Note]]:
    left: dict[str, _Note] = {}
    right: dict[str, _Note] = {}
    for edit in edits:
        for expected, actual in ((edit.expected, edit.actual), *edit.also):
            for notes, op, said in ((left, expected, edit.stated), (right, actual, edit.found)):
                if op is None:
                    continue
                note = notes.setdefault(op.path, _Note(_MARKS[edit.kind]))
                lines = _lines(op, edit.aspect, said)
                span = places.get(op.path, op.span)
                if notes is right and span is not None:
                    lines.append(place(span))
                note.lines += [text for text in lines if text not in note.lines]
    return left, right


def _lines(op: Op, aspect: str, said: AttrValue) -> list[str]:
    """What a box has to say below its own lines so that the aspect that differs can be read off it."""
    what, _, name = aspect.partition(":")
    if what == "attr" and not (writes(op, name) and value(said) == value(op.attr(name))):
        return [f"{name} = {value(said)}"]
    if what in ("reads", "gives") and isinstance(said, str):
        return [f"{what} {said}"]
    return ["differs inside"] if what == "body" and not op.body else []


def _spread(graph: OpGraph, notes: dict[str, _Note], paired: set[str]) -> None:
    """Mark also what a missing or extra residual or repeat holds: the edit is told once, for the whole."""
    stack = [(op, Mark.NONE) for op in graph.ops]
    while stack:
        op, outer = stack.pop()
        if outer is not Mark.NONE and op.path not in paired:
            notes.setdefault(op.path, _Note(outer))
        note = notes.get(op.path)
        mark = note.mark if note is not None and note.mark in (Mark.MISSING, Mark.EXTRA) else Mark.NONE
        if op.kind.name in _OPEN_KINDS:
            stack += [(inner, mark) for inner in op.body]
        else:
            stack += [(inner, Mark.NONE) for inner in op.body]


def _opened(graph: OpGraph, notes: dict[str, _Note]) -> set[str]:
    """Paths of the ops that have to be drawn open so that each op in `notes` can be seen."""
    opened: set[str] = set()

    def visit(op: Op) -> bool:
        inside = [visit(inner) for inner in op.body]
        if any(inside):
            opened.add(op.path)
        return any(inside) or op.path in notes

    for op in graph.ops:
        visit(op)
    return opened


def _level(alignment: Alignment, left: _Column, right: _Column) -> tuple[tuple[str, str], ...]:
    """The longest run of corresponding boxes that rises in both columns: those can share a height."""
    moved = {
        mine.path
        for edit in alignment.edits
        if edit.kind is EditKind.MOVED
        for mine, _ in ((edit.expected, edit.actual), *edit.also)
        if mine is not None
    }
    pairs = {
        (int(left.shown_at[mine.path][1:]), int(right.shown_at[other.path][1:]))
        for mine, other in alignment.pairs
        if mine.path in left.shown_at and other.path in right.shown_at and mine.path not in moved
    }
    if len(left.outputs) == len(right.outputs):
        pairs |= {(int(mine[1:]), int(other[1:])) for mine, other in zip(left.outputs, right.outputs, strict=True)}
    tails: list[int] = []  # least last right-hand number of a rising run of each length
    links: list[tuple[tuple[int, int], int]] = []  # (pair, its predecessor in `links` or -1)
    at: list[int] = []
    for pair in sorted(pairs, key=lambda pair: (pair[0], -pair[1])):
        spot = bisect_left(tails, pair[1])
        links.append((pair, at[spot - 1] if spot else -1))
        tails[spot : spot + 1] = [pair[1]]
        at[spot : spot + 1] = [len(links) - 1]
    run: list[tuple[str, str]] = []
    link = at[-1] if at else -1
    while link >= 0:
        pair, link = links[link]
        run.append((f"n{pair[0]}", f"n{pair[1]}"))
    return tuple(reversed(run))


def _describe(edits: tuple[Edit, ...]) -> str:
    """Every difference in a sentence, for a reader who does not see the drawing."""
    if not edits:
        return "No difference."
    sentences = []
    for edit in edits:
        op = edit.expected or edit.actual
        what = " ".join(label(op)) if op is not None else "an op"
        words = LEGEND[_MARKS[edit.kind]].partition(" ")[2]
        text = f"{what}: {words}"
        if edit.aspect:
            text += f", {edit.aspect.partition(':')[2] or edit.aspect}"
        if edit.stated is not None or edit.found is not None:
            text += f", {value(edit.stated)} in the paper, {value(edit.found)} in the code"
        code = edit.actual
        if code is not None and code.span is not None:
            text += f" ({code.span.file}:{code.span.line})"
        if edit.also:
            text += f", and at {len(edit.also)} more places"
        sentences.append(shown(text) + ".")
    return " ".join(sentences)
