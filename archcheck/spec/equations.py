"""A graph -> the equations that state it: the inverse of `flow`."""

from __future__ import annotations

import keyword
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from archcheck.errors import GraphError
from archcheck.ir.graph import AttrValue, Op, OpGraph, Value
from archcheck.ir.ops import BY_NAME, Tier
from archcheck.spec.words import declared

_DEEP = 6  # calls inside each other on one line
_STREAMS = ("x", "y", "z")
_ADDS, _PRODUCTS, _SIGN, _POWER, _CALL = range(1, 6)  # how tightly an expression binds
_OPERATORS = {
    "add": ("+", _ADDS),
    "sub": ("-", _ADDS),
    "mul": ("*", _PRODUCTS),
    "div": ("/", _PRODUCTS),
    "matmul": ("@", _PRODUCTS),
    "pow": ("**", _POWER),
}
_OF_ONE = frozenset({"norm", "activation", "softmax", "dropout"})  # families whose kinds read one tensor


def flow_of(graph: OpGraph) -> str:
    """The equations whose raw graph is `graph`, one a line, without a newline at the end.

    A `residual` is written as the addition that it is; of a sublayer or another op with a body, only the op itself; the
    learned tensors of a layer are part of it. An attribute that is Unknown is left out: it is not stated.

    Raises:
        GraphError: it holds a `repeat`, which equations cannot say.
    """
    return _Writer(graph).text()


@dataclass(frozen=True)
class _Words:
    """An expression that is written and stands on no line yet."""

    text: str
    binds: int
    depth: int = 0
    names: tuple[str, ...] = ()  # that it reads, from left to right

    def under(self, binds: int) -> str:
        """The text as an operand of an operator that binds so tightly."""
        return self.text if self.binds >= binds else f"({self.text})"


class _Writer:
    """Writes ops in their order. An expression waits until it is read.

    Where nothing else reads it, and what waits behind it is read with it, it stays inside the reader's expression, else
    it gets a name. So Python's order of evaluation, left to right and inside out, is the order of the graph.
    """

    def __init__(self, graph: OpGraph) -> None:
        flat, alias = _flat(graph.ops)
        self.results = [_follow(value, alias) for value in graph.results]
        kinds = {op.path: op.kind.name for op in flat}
        moved = [replace(op, reads=tuple(_follow(value, alias) for value in op.reads)) for op in flat]
        read_by_hand = {value.op for op in moved for value in _stated_reads(op, kinds)} | {v.op for v in self.results}
        self.ops = [
            replace(op, reads=_stated_reads(op, kinds))
            for op in moved
            if op.kind.name not in ("parameter", "constant") or op.path in read_by_hand
        ]
        self.left: dict[Value, int] = {}  # how often a value is still to be read
        for value in [*(value for op in self.ops for value in op.reads), *self.results]:
            self.left[value] = self.left.get(value, 0) + 1
        self.outputs: dict[str, int] = {}
        for value in self.left:
            self.outputs[value.op] = max(self.outputs.get(value.op, 1), value.index + 1)
        self.names: dict[Value, str] = {}
        self.inputs: list[str] = []
        self.first_reads: list[str] = []  # names of inputs, as the equations read them
        self.assigned: set[str] = set()  # names of inputs that were given another value
        self.used: set[str] = set()
        self.waiting: list[tuple[Value, _Words]] = []
        self.lines: list[str] = []

    def text(self) -> str:
        for op in self.ops:
            if op.kind.name == "input":
                self.input(op)
        for op in self.ops:
            if op.kind.name != "input":
                self.write(op)
        self.finish()
        return "\n".join(self.lines)

    def input(self, op: Op) -> None:
        stated = op.attr("name")
        wanted = (stated,) if isinstance(stated, str) and _can_name(stated) else ()
        name = next(word for word in chain(wanted, _STREAMS, _numbered("x")) if word not in self.used)
        self.used.add(name)
        self.inputs.append(name)
        self.names[Value(op.path)] = name

    def write(self, op: Op) -> None:
        inside = self.inside(op.reads)
        waiting = dict(self.waiting[len(self.waiting) - inside :])
        del self.waiting[len(self.waiting) - inside :]
        words = _expression(op, [waiting.get(value) or self.read(value) for value in op.reads])
        for value in op.reads:
            self.left[value] -= 1
        result = Value(op.path)
        self.waiting.append((result, words))
        if self.outputs.get(op.path, 1) > 1:
            self.give_names(op)
        elif self.left.get(result, 0) != 1 or (words.depth >= _DEEP and result not in self.results):
            self.name_all()

    def inside(self, reads: tuple[Value, ...]) -> int:
        """How many waiting expressions stand inside an op with these operands: the last ones, in their order.

        Where the op reads them in another order, the first ones get names until the rest is in order.
        """
        while True:
            waiting = [value for value, _ in self.waiting]
            wanted = [value for value in reads if value in waiting]
            if wanted == waiting[len(waiting) - len(wanted) :]:
                return len(wanted)
            self.give_name()

    def name_all(self) -> None:
        while self.waiting:
            self.give_name()

    def read(self, value: Value) -> _Words:
        return _Words(self.names[value], _CALL, 0, (self.names[value],))

    def line(self, left: str, words: _Words) -> None:
        """One more line of the text."""
        new = [name for name in dict.fromkeys(words.names) if name in self.inputs and name not in self.assigned]
        self.first_reads += [name for name in new if name not in self.first_reads]
        self.lines.append(left + words.text)

    def give_name(self) -> None:
        """Put the first waiting expression on a line of its own."""
        value, words = self.waiting.pop(0)
        name = (self.free_stream(words) if self.left.get(value) else None) or self.fresh()
        self.names = {held: word for held, word in self.names.items() if word != name} | {value: name}
        self.line(f"{name} = ", words)
        if name in self.inputs:
            self.assigned.add(name)

    def free_stream(self, words: _Words) -> str | None:
        """An input that `words` reads and nothing else will, so that its name can go on with another value."""
        busy = {name for held, name in self.names.items() if self.left.get(held)}
        busy |= {name for _, others in self.waiting for name in others.names}
        return next((name for name in words.names if name in self.inputs and name not in busy), None)

    def give_names(self, op: Op) -> None:
        """Put the last waiting expression, which gives several values, on a line of its own."""
        while len(self.waiting) > 1:
            self.give_name()
        _, words = self.waiting.pop()
        values = [Value(op.path, at) for at in range(self.outputs[op.path])]
        names = [self.fresh() if self.left.get(value) else "_" for value in values]
        self.names.update(zip(values, names, strict=True))
        self.line(f"{', '.join(names)} = ", words)

    def fresh(self) -> str:
        name = next(word for word in chain(("h",), _numbered("h")) if word not in self.used)
        self.used.add(name)
        return name

    def finish(self) -> None:
        """End with what comes out, saying it where the streams do not say it by themselves."""
        last = [value for value, _ in self.waiting]
        if len(last) == 1 and last == self.results and not self.assigned:
            self.line("", self.waiting[0][1])
            return
        self.name_all()
        streams = [value for name in self.first_reads for value, word in self.names.items() if word == name]
        streams = [value for value in streams if self.names[value] in self.assigned]
        if self.results and (not streams or streams != self.results):
            self.lines.append(", ".join(self.names[value] for value in self.results))


def _stated_reads(op: Op, kinds: dict[str, str]) -> tuple[Value, ...]:
    """The operands that an equation writes: not the learned tensors of a layer, nor the constants in its formula."""
    if op.kind.tier is Tier.PRIMITIVE:
        return op.reads
    if op.kind.family in _OF_ONE:
        return op.reads[:1]
    return tuple(value for value in op.reads if kinds.get(value.op) != "parameter")


def _flat(ops: Iterable[Op]) -> tuple[list[Op], dict[Value, Value]]:
    """`ops` with each residual written out as its branch and an add, and which value stands for which."""
    flat: list[Op] = []
    alias: dict[Value, Value] = {}
    for op in ops:
        if op.kind.name == "repeat":
            raise GraphError(f"{op.path} repeats its body, which equations cannot say: state repeat: beside the flow")
        if op.kind.name != "residual":
            flat.append(op)
            continue
        inner, within = _flat(op.body)
        flat += inner
        alias.update(within)
        flat.append(Op(op.path, BY_NAME["add"], (op.reads[0], op.results[0]), claim=op.claim, span=op.span))
    return flat, alias


def _follow(value: Value, alias: dict[Value, Value]) -> Value:
    while value in alias:
        value = alias[value]
    return value


# ---- one op


def _expression(op: Op, operands: list[_Words]) -> _Words:
    names = tuple(name for words in operands for name in words.names)
    depth = 1 + max((words.depth for words in operands), default=0)
    text, binds = _operator(op, operands) or (_call(op, operands), _CALL)
    return _Words(text, binds, depth, names)


def _operator(op: Op, operands: list[_Words]) -> tuple[str, int] | None:
    """The op as Python writes it with a sign, where that says all that it states."""
    stated = {attr.name: attr.value for attr in op.attrs}
    kind = op.kind.name
    if kind == "neg" and not stated and len(operands) == 1:
        return f"-{operands[0].under(_POWER)}", _SIGN
    if kind in _OPERATORS and not stated and len(operands) == 2:
        return _binary(kind, operands[0], operands[1])
    if len(operands) != 1:
        return None
    reverse = stated.pop("reverse", False)
    (name, number), *more = stated.items() if stated else (("", None),)
    if more or (amount := _number(number)) is None:
        return None
    match kind, name, reverse:
        case "scale", "by", False:
            return _binary("mul", operands[0], amount)
        case (("add" | "sub"), "by", False):
            return _binary(kind, operands[0], amount)
        case (("sub" | "div"), "by", True):
            return _binary(kind, amount, operands[0])
        case "pow", "exponent", False:
            return _binary("pow", operands[0], amount)
        case "pow", "base", False:
            return _binary("pow", amount, operands[0])
    return None


def _binary(kind: str, left: _Words, right: _Words) -> tuple[str, int]:
    sign, binds = _OPERATORS[kind]
    power = kind == "pow"
    first, second = left.under(binds + power), right.under(binds + (not power))
    return f"{first} {sign} {second}", binds


def _number(value: AttrValue) -> _Words | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return _Words(repr(value), _CALL if value >= 0 else _SIGN)


def _call(op: Op, operands: list[_Words]) -> str:
    known = declared(op.kind)
    stated = [
        f"{attr.name}={text}"
        for attr in op.attrs
        if (attr.name in known or op.kind.name == "function") and (text := _attribute(attr.value)) is not None
    ]
    return f"{op.kind.name}({', '.join([*(words.text for words in operands), *stated])})"


def _attribute(value: AttrValue) -> str | None:
    """An attribute's value as a flow writes it, or None where it cannot."""
    if isinstance(value, tuple):
        items = [_attribute(item) for item in value]
        return None if None in items else f"({', '.join(item for item in items if item)}{',' * (len(items) == 1)})"
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value is None or isinstance(value, (bool, int, float, str)):
        text = repr(value)
        return None if "\\" in text or text == "nan" else text
    return None


def _can_name(name: str) -> bool:
    kind = BY_NAME.get(name)
    plain = name.isidentifier() and not keyword.iskeyword(name)
    return plain and (kind is None or kind.tier is Tier.PRIMITIVE)


def _numbered(stem: str) -> Iterator[str]:
    number = 2
    while True:
        yield f"{stem}{number}"
        number += 1
