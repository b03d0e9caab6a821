"""The readable form of a graph: what tests are written in and `archcheck describe --graph` prints.

One op a line, bodies indented by two spaces, values named by their order:

    %0 = input name="x"
    %1 = residual %0:
      %2 = layer_norm %0 eps=1e-05
      %3 = self_attention %2 heads=8
    %4 = layer_norm %1
    give %4

An op that states no operands reads the line above, outside of its own body; `()` says that it reads nothing. `give`
names what comes out where that is not the last op's value. Behind `@` stand the path, the claim and the place, each
only where it is not the one that would be made up for it. `parse(dump(graph)) == graph`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator

from archcheck.errors import GraphError, excerpt
from archcheck.ir.graph import Attr, AttrValue, Op, OpGraph, Origin, Unknown, Value
from archcheck.ir.ops import BY_NAME
from archcheck.ir.span import Setting, Span, Step

NO_OPERANDS = frozenset({"input", "parameter", "constant"})


def dump(graph: OpGraph, *, places: bool = True) -> str:
    """`graph` as text, one op a line, with a newline at the end.

    Args:
        places: also print paths, claims, spans and settings, without which the text parses to an equal graph only
            where those were never set.
    """
    names = {op.path: f"%{number}" for number, op in enumerate(graph.walk())}
    lines: list[str] = []
    if graph.origin != Origin():
        lines.append("# " + json.dumps([graph.origin.frontend, graph.origin.entry, graph.origin.mode]))
    _dump_body(graph.ops, graph.results, names, "", lines, places)
    return "\n".join(lines) + "\n"


def _dump_body(
    ops: tuple[Op, ...], gives: tuple[Value, ...], names: dict[str, str], indent: str, lines: list[str], places: bool
) -> None:
    for op in ops:
        words = [f"{names[op.path]} = {op.kind.name}"]
        if op.reads:
            words.append(", ".join(_name(value, names) for value in op.reads))
        elif op.kind.name not in NO_OPERANDS:
            words.append("()")
        words += [f"{attr.name}={_dump_attr(attr.value)}" for attr in op.attrs]
        line = indent + " ".join(words) + (":" if op.body else "")
        if places:
            line += _dump_place(op, names[op.path])
        lines.append(line)
        if op.body:
            _dump_body(op.body, op.gives, names, indent + "  ", lines, places)
    if gives:
        lines.append(indent + "give " + ", ".join(_name(value, names) for value in gives))


def _name(value: Value, names: dict[str, str]) -> str:
    name = names.get(value.op, json.dumps("%" + value.op))
    return f"{name}.{value.index}" if value.index else name


def _dump_attr(value: AttrValue) -> str:
    if isinstance(value, Unknown):
        place = "" if value.span is None else ", " + _dump_span(value.span)
        return f"unknown({value.why!r}{place})"
    if isinstance(value, tuple):
        return "(" + "".join(_dump_attr(item) + "," for item in value) + ")"
    return repr(value)


def _dump_span(span: Span) -> str:
    return repr(f"{span.file}:{span.line}:{span.column}:{span.end_line}:{span.end_column}")


def _dump_place(op: Op, name: str) -> str:
    words = []
    if op.path != _default_path(op.kind.name, name):
        words.append("path=" + json.dumps(op.path))
    if op.claim:
        words.append("claim=" + json.dumps(op.claim))
    if op.span:
        words.append("from=" + json.dumps(_flat_span(op.span)))
    if op.because:
        words.append("because=" + json.dumps([_flat_setting(setting) for setting in op.because]))
    return "  @ " + " ".join(words) if words else ""


def _default_path(kind: str, name: str) -> str:
    return f"{name[1:]}.{kind}"


def _flat_span(span: Span | None) -> list[str | int] | None:
    return None if span is None else [span.file, span.line, span.column, span.end_line, span.end_column]


def _flat_setting(setting: Setting) -> list[object]:
    trail = [[step.function, _flat_span(step.span)] for step in setting.trail]
    return [setting.name, setting.value, _flat_span(setting.span), trail]


_OP = re.compile(r"(?:(?P<name>%\w+)\s*=\s*)?(?P<kind>[a-z_0-9]+)")
_OPERAND = re.compile(
    r'\s*(?:(?P<name>%\w+)(?:\.(?P<index>\d+))?|(?P<quoted>"(?:[^"\\]|\\.)*")(?:\.(?P<qindex>\d+))?)\s*,?'
)
_ATTR = re.compile(r"\s*(?P<name>[a-z_0-9]+)=")
_WORD = re.compile(r"\s*(?P<name>path|claim|from|because)=")


def parse(text: str) -> OpGraph:
    """The graph that `text` shows.

    Raises:
        GraphError: a line is not an op, names an unknown kind or value, or is indented under no op.
    """
    reader = _Reader(text.splitlines())
    ops, gives = reader.block(0, "", {})
    reader.expect_end()
    return OpGraph(ops, gives, reader.origin)


class _Reader:
    """Recursive descent over indented lines; `at` is the next line to read."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0
        self.origin = Origin()
        self.count = 0
        if lines and lines[0].startswith("# ["):
            self.origin = Origin(*json.loads(lines[0][2:]))

    def fail(self, problem: str, column: int = 1) -> GraphError:
        line = self.lines[min(self.at, len(self.lines) - 1)] if self.lines else ""
        return GraphError(problem, place=f"{self.at + 1}:{column}", excerpt=excerpt(line, self.at + 1, column))

    def skip_blank(self) -> None:
        while self.at < len(self.lines) and (
            not self.lines[self.at].strip() or self.lines[self.at].lstrip().startswith("#")
        ):
            self.at += 1

    def expect_end(self) -> None:
        self.skip_blank()
        if self.at < len(self.lines):
            raise self.fail("this line is indented under no op")

    def indent(self) -> int:
        line = self.lines[self.at]
        return len(line) - len(line.lstrip(" "))

    def block(self, depth: int, above: str, names: dict[str, str]) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
        ops: list[Op] = []
        gives: tuple[Value, ...] = ()
        self.skip_blank()
        base = self.indent() if self.at < len(self.lines) else depth
        if base < depth:
            raise self.fail("an op ending in ':' needs an indented body")
        while True:
            self.skip_blank()
            if self.at >= len(self.lines) or self.indent() < base:
                return tuple(ops), gives
            if self.indent() > base:
                raise self.fail("unexpected indentation", self.indent() + 1)
            line = self.lines[self.at]
            if line.strip().startswith("give "):
                gives, rest = self.operands(line.strip()[5:], names)
                if rest.strip():
                    raise self.fail("only values can be given")
                self.at += 1
                continue
            op = self.op(line, base, above, names)
            ops.append(op)
            above = op.path

    def op(self, line: str, depth: int, above: str, names: dict[str, str]) -> Op:
        match = _OP.match(line, depth)
        if match is None:
            raise self.fail("this is not an op", depth + 1)
        kind = BY_NAME.get(match["kind"])
        if kind is None:
            raise self.fail(f'no op is called "{match["kind"]}"', match.start("kind") + 1)
        number = self.count
        self.count += 1
        name = match["name"] or f"%{number}"
        head, place = _cut_place(line[match.end() :])
        nothing = head.strip().startswith("()")
        reads, rest = ((), head.strip()[2:]) if nothing else self.operands(head, names)
        stated, nested = self.attributes(rest)
        words = self.place(place)
        path = str(words.get("path", _default_path(kind.name, f"%{number}")))
        if not reads and not nothing and kind.name not in NO_OPERANDS:
            if not above:
                raise self.fail("no line above to read from")
            reads = (Value(above),)
        self.at += 1
        body: tuple[Op, ...] = ()
        gives: tuple[Value, ...] = ()
        if nested:
            body, gives = self.block(depth + 1, reads[0].op if reads else above, names)
            if not body:
                raise self.fail("an op ending in ':' needs an indented body")
        names[name] = path
        names[f"%{number}"] = path
        return Op(
            path,
            kind,
            reads,
            stated,
            body,
            gives,
            claim=str(words.get("claim", "")),
            span=_read_span(words.get("from")),
            because=tuple(_read_settings(words.get("because", []))),
        )

    def operands(self, text: str, names: dict[str, str]) -> tuple[tuple[Value, ...], str]:
        reads: list[Value] = []
        at = 0
        while match := _OPERAND.match(text, at):
            if match["quoted"]:
                path = json.loads(match["quoted"])[1:]
            elif match["name"] in names:
                path = names[match["name"]]
            else:
                raise self.fail(f"{match['name']} is read before it is given")
            reads.append(Value(path, int(match["index"] or match["qindex"] or 0)))
            at = match.end()
            if not match[0].rstrip().endswith(","):
                break
        return tuple(reads), text[at:]

    def attributes(self, text: str) -> tuple[tuple[Attr, ...], bool]:
        stated: list[Attr] = []
        at = 0
        while match := _ATTR.match(text, at):
            end = _literal_end(text, match.end())
            try:
                value = _read_attr(ast.parse(text[match.end() : end], mode="eval").body)
            except (SyntaxError, ValueError) as error:
                raise self.fail(f"the value of {match['name']} cannot be read: {error}") from None
            stated.append(Attr(match["name"], value))
            at = end
        rest = text[at:].strip()
        if rest not in ("", ":"):
            raise self.fail(f'cannot read "{rest}"')
        return tuple(sorted(stated, key=lambda attr: attr.name)), rest == ":"

    def place(self, text: str) -> dict[str, object]:
        words: dict[str, object] = {}
        at = 0
        decoder = json.JSONDecoder()
        while match := _WORD.match(text, at):
            words[match["name"]], at = decoder.raw_decode(text, match.end())
        if text[at:].strip():
            raise self.fail(f'cannot read "{text[at:].strip()}" behind "@"')
        return words


def _cut_place(text: str) -> tuple[str, str]:
    """`text` cut at the ` @ ` outside of quotes."""
    for at, inside in _outside_quotes(text):
        if not inside and text.startswith(" @ ", at):
            return text[:at], text[at + 3 :]
    return text, ""


def _outside_quotes(text: str) -> Iterator[tuple[int, bool]]:
    quote = ""
    escaped = False
    for at, char in enumerate(text):
        yield at, bool(quote)
        if quote:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char


def _literal_end(text: str, start: int) -> int:
    depth = 0
    for at, inside in _outside_quotes(text[start:]):
        char = text[start + at]
        if inside or char in "\"'":
            continue
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif depth == 0 and char in " :":
            return start + at
    return len(text)


def _read_attr(node: ast.expr) -> AttrValue:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "unknown":
        why, *place = [ast.literal_eval(arg) for arg in node.args]
        if not place:
            return Unknown(why)
        file, *numbers = place[0].rsplit(":", 4)
        return Unknown(why, Span(file, *(int(number) for number in numbers)))
    if isinstance(node, ast.Tuple):
        return tuple(_read_attr(item) for item in node.elts)
    if isinstance(node, ast.Name) and node.id in ("inf", "nan"):
        return float(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Name):
        return -float(node.operand.id)
    value: AttrValue = ast.literal_eval(node)
    return value


def _read_span(flat: object) -> Span | None:
    return Span(*flat) if isinstance(flat, list) else None


def _read_settings(flat: object) -> Iterator[Setting]:
    rows: Iterable[list[object]] = flat if isinstance(flat, list) else ()
    for name, value, span, trail in rows:
        steps = trail if isinstance(trail, list) else []
        walked = tuple(Step(function, place) for function, flat_place in steps if (place := _read_span(flat_place)))
        yield Setting(str(name), str(value), _read_span(span), walked)
