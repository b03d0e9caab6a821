"""What a part of the code computes, as an equation in the words of the claim that it is held against."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archcheck.align.agree import DEFAULT_FREE, SOURCES, free_kinds
from archcheck.align.edits import Alignment
from archcheck.ir.graph import AttrValue, Op, OpGraph, Unknown, Value
from archcheck.ir.span import Span
from archcheck.passes.write_out import written_out
from archcheck.spec.model import Block, Flow
from archcheck.spec.problems import Problems
from archcheck.spec.syntax import statements

MOST_OPS = 60  # of a part; what is longer is no equation that anybody reads
LONGEST = 60  # characters of one term that is not given a name
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "matmul": "@", "scale": "*", "pow": "**"}
_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "@": 2, "neg": 3, "**": 4, "": 5}  # how strongly


def equation(stated: OpGraph, found: OpGraph, alignment: Alignment, names: Mapping[Span, str]) -> tuple[str, ...]:
    """`found` in lines, its values under the claim's names where they are the claim's; empty where it is too long.

    Args:
        stated: the claim.
        found: what it was held against.
        alignment: of the two.
        names: of the claim's values, by the place of what they are given.
    """
    claim, flat = written_out(stated), written_out(found)
    if sum(op.kind.name not in SOURCES for op in flat.ops) > MOST_OPS:
        return ()
    called = {op.path: str(op.attr("name")) for op in claim.ops if op.kind.name == "input" and op.states("name")}
    called |= {op.path: names[op.span] for op in claim.ops if op.span is not None and op.span in names}
    twins = {other.path: called[one.path] for one, other in alignment.pairs if one.path in called}
    asked: dict[str, set[str]] = {}
    for op in claim.ops:
        asked.setdefault(op.kind.name, set()).update(attr.name for attr in op.attrs)
    free = free_kinds([op.kind for op in claim.ops], DEFAULT_FREE, ()) - SOURCES
    return tuple(_Writing(flat, twins, asked, free, set(called.values())).lines())


def names_of(block: Block) -> dict[Span, str]:
    """The names that a block gives to values, by the place of what they are given."""
    if not isinstance(block.content, Flow):
        return {}
    found: dict[Span, str] = {}
    for line in statements(block.content.text, Problems("", ())):
        if line is not None and isinstance(line.node, ast.Assign) and isinstance(line.node.targets[0], ast.Name):
            found[line.span(line.node.value)] = line.node.targets[0].id
    return found


@dataclass
class _Writing:
    graph: OpGraph
    twins: Mapping[str, str]  # path -> the claim's name for what it gives
    asked: Mapping[str, set[str]]  # kind -> the attributes that the claim states of it
    free: frozenset[str]
    taken: set[str]  # names
    names: dict[Value, str] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """One for each value that has a name, and one for what comes out."""
        ops = {op.path: op for op in self.graph.ops}
        results = [self._plain(value, ops) for value in self.graph.results]
        uses = Counter(results)
        needed = {value.op for value in results}
        for op in reversed(self.graph.ops):
            if op.path in needed and op.kind.name not in self.free:
                reads = [self._plain(read, ops) for read in op.reads]
                needed |= {read.op for read in reads}
                uses.update(reads)
        self.terms: dict[Value, tuple[str, int]] = {}
        for op in self.graph.ops:
            if op.path not in needed or op.kind.name in self.free:
                continue
            reads = [self._plain(read, ops) for read in op.reads]
            text, strength = self._source(op) if not reads else self._term(op, reads)
            here = Value(op.path)
            name = self.twins.get(op.path, "")
            often = uses[here] > 1 or len(text) > LONGEST
            if reads and here not in results and (name or often):
                name = self._unused(name)
                yield f"{name} = {text}"
                text, strength = name, _BINDS[""]
            self.terms[here] = text, strength
        yield ", ".join(self._of(value)[0] for value in results)

    def _plain(self, value: Value, ops: Mapping[str, Op]) -> Value:
        while ops[value.op].kind.name in self.free and ops[value.op].reads:
            value = ops[value.op].reads[0]
        return value

    def _unused(self, name: str) -> str:
        """`name`, or a letter where a value has none, which nothing else is called."""
        if name and name not in self.names.values():
            self.names[Value(name)] = name
            return name
        letters = (letter + "'" * times for times in range(9) for letter in "abcdefgijkmnoprstuw")
        found = next(one for one in letters if one not in self.taken)
        self.taken.add(found)
        return found

    def _source(self, op: Op) -> tuple[str, int]:
        name = self.twins.get(op.path) or op.attr("name")
        if op.kind.name == "constant":
            name = _shown(op.attr("value"))
        if not isinstance(name, str) or not name:
            return self._unused(""), _BINDS[""]
        return name.rpartition(".")[2], _BINDS[""]

    def _of(self, value: Value) -> tuple[str, int]:
        text, strength = self.terms[Value(value.op)]
        return (f"{text}[{value.index}]", _BINDS[""]) if value.index else (text, strength)

    def _term(self, op: Op, reads: list[Value]) -> tuple[str, int]:
        operands = [self._of(read) for read in reads]
        name = op.kind.name
        if name == "neg" and len(operands) == 1:
            return f"-{_within(operands[0], _BINDS['neg'])}", _BINDS["neg"]
        constant = op.attr("exponent" if name == "pow" else "by")
        if name in _SIGNS and isinstance(constant, int | float | Unknown) and len(operands) == 1:
            leads = name == "scale" or op.attr("reverse") is True
            operands.insert(0 if leads else 1, (_shown(constant), _BINDS[""]))
        if name in _SIGNS and len(operands) > 1:
            sign = _SIGNS[name]
            strength = _BINDS[sign]
            first, *rest = operands
            parts = [_within(first, strength + (sign == "**")), *(_within(one, strength + 1) for one in rest)]
            return f" {sign} ".join(parts), strength
        if name in ("function", "opaque"):
            name = str(op.attr("name")).rpartition(".")[2] + "?" * (name == "opaque")
        wanted = self.asked.get(op.kind.name, set())
        stated = [f"{attr.name}={_shown(attr.value)}" for attr in op.attrs if attr.name in wanted - {"name"}]
        return f"{name}({', '.join([*(text for text, _ in operands), *stated])})", _BINDS[""]


def _within(term: tuple[str, int], strength: int) -> str:
    return term[0] if term[1] >= strength else f"({term[0]})"


def _shown(value: AttrValue) -> str:
    if isinstance(value, Unknown):
        return "?"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_shown, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


__all__ = ["equation", "names_of"]
