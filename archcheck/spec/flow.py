"""Equations -> ops: the language in which a spec states wiring.

    x = norm(x + dropout(self_attention(x)))

Names that are read before they are assigned are the block's inputs. What comes out is the last line's value where that
line is a bare expression; else the inputs' names as they were last assigned (the residual streams), in the order in
which they were first read; else the last assigned value.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archcheck.ir.graph import Attr, AttrValue, Op, OpGraph, Origin, Unknown, Value, attrs
from archcheck.ir.ops import BY_NAME, OpKind, Tier
from archcheck.ir.span import Span
from archcheck.spec import slips
from archcheck.spec.formula import FUNCTIONS, Amount, apply, combine
from archcheck.spec.model import Block, Flow, Order
from archcheck.spec.problems import Problems
from archcheck.spec.syntax import Piece, statements
from archcheck.spec.words import NOT_CALLED, Lexicon, Meaning, declared, keyword_attrs

MAX_OPS = 5_000  # of one block with the blocks it calls
MAX_CALLS = 1_000  # of blocks while one block is read: a block without ops could be called for ever
MAX_NESTED = 32  # blocks inside blocks

# Kinds with several outputs, so that `a, b = split(x)` may name them.
SEVERAL = frozenset(
    {"function", "opaque", "split", "sort", "topk", "routing", "lstm", "gru", "rnn", "branch", "meshgrid"}
)


@dataclass(frozen=True, slots=True)
class Several:
    """What `a, b` is: values side by side."""

    items: tuple[Given, ...]


Given = Value | Amount | Several | None  # None: a mistake was noted; whatever is made from it is None too


@dataclass
class Scope:
    """The names of one block while its equations are read.

    Args:
        args: what the block was called with, in order; None at the top, where every input becomes an op.
    """

    names: dict[str, Given] = field(default_factory=dict)
    inputs: dict[str, Given] = field(default_factory=dict)  # in the order of their first reading
    args: list[Value] | None = None
    call: Span | None = None  # where the block was called
    broken: bool = False  # a line could not be parsed: what it reads and gives is not known


class Lowering:
    """Lowers one block, and the blocks that it calls, to the ops of one graph.

    Args:
        lexicon: what words mean, and the values of sizes.
        problems: where mistakes are noted; with any of them the graph is not to be used.
        claim: id that every op carries.
    """

    def __init__(self, lexicon: Lexicon, problems: Problems, claim: str) -> None:
        self.lexicon = lexicon
        self.problems = problems
        self.claim = claim
        self.inputs: list[Op] = []
        self.ops: list[Op] = []
        self.calls: list[str] = []
        self.parsed: dict[Span, list[Piece | None]] = {}  # of flows that were met before
        self.called = 0  # blocks, so far
        self.complete = True  # nothing that the block gives was lost to a mistake

    def graph(self, block: Block) -> OpGraph:
        """The ops of `block`: its inputs in the order of their first reading, then the rest as it is computed."""
        scope = Scope()
        given = self.lower(block, scope)
        self.complete = not scope.broken and None not in given
        results = [value for value in given if isinstance(value, Value)]
        paths = {op.path: f"{at}.{op.kind.name}" for at, op in enumerate((*self.inputs, *self.ops))}
        ops = tuple(
            Op(paths[op.path], op.kind, _moved(op.reads, paths), op.attrs, claim=op.claim, span=op.span)
            for op in (*self.inputs, *self.ops)
        )
        return OpGraph(ops, _moved(results, paths), Origin("spec", block.id))

    # ---- blocks and lines

    def lower(self, block: Block, scope: Scope) -> tuple[Given, ...]:
        """The ops of `block`; what comes out of it."""
        from archcheck.spec.order import lower_order  # it calls back into this class

        self.calls.append(block.id)
        content = block.content
        results = lower_order(self, content, scope) if isinstance(content, Order) else self.flow(content, scope)
        self.calls.pop()
        return results

    def flow(self, flow: Flow, scope: Scope) -> tuple[Given, ...]:
        if flow.text.span not in self.parsed:
            self.parsed[flow.text.span] = statements(flow.text, self.problems)
        lines = self.parsed[flow.text.span]
        if not lines:
            self.problems.add(flow.text.span, "the flow is empty", "write an equation: x = norm(x + f(x))")
        last: tuple[Given, ...] = ()
        scope.broken = not lines
        for number, line in enumerate(lines):
            if line is None:
                scope.broken = True
                last = (None,)
                continue
            node = line.node
            if isinstance(node, ast.Expr):
                value = self.value(node.value, line, scope)
                if number + 1 == len(lines):
                    return tuple(self.results(value, line))
                self.problems.add(line.span(), "this value is not used", "give it a name, or make it the last line")
            else:
                last = self.assign(node, line, scope)
        streams = [scope.names[name] for name in scope.inputs if name in scope.names]
        given = streams if any(_is_tensor(value) for value in streams) else last
        return tuple(value for value in given if _is_tensor(value))

    def results(self, value: Given, line: Piece) -> list[Given]:
        if isinstance(value, Several):
            return [out for item in value.items for out in self.results(item, line)]
        if isinstance(value, (int, float, Unknown)):
            self.problems.add(line.span(), "a number comes out of this block, not a tensor")
            return [None]
        return [value]

    def assign(self, node: ast.AST, line: Piece, scope: Scope) -> tuple[Given, ...]:
        """Carry out an assignment; the values that it names."""
        if isinstance(node, ast.AugAssign):
            targets: list[ast.expr] = [node.target]
            value = self.value(
                ast.copy_location(
                    ast.BinOp(ast.copy_location(_loaded(node.target), node.target), node.op, node.value), node
                ),
                line,
                scope,
            )
        elif isinstance(node, ast.Assign):
            targets = node.targets
            value = self.value(node.value, line, scope)
        else:
            self.problems.add(
                line.span(), "this is not an equation", "a line assigns names or is an expression: x = norm(x + f(x))"
            )
            return (None,)
        given: list[Given] = []
        for target in targets:
            if isinstance(target, (ast.Tuple, ast.List)):
                parts = self.unpack(value, target, line)
                for item, part in zip(target.elts, parts, strict=True):
                    given += self.bind(item, part, line, scope)
            else:
                given += self.bind(target, value, line, scope)
        return tuple(given)

    def bind(self, target: ast.expr, value: Given, line: Piece, scope: Scope) -> list[Given]:
        if not isinstance(target, ast.Name):
            self.problems.add(line.span(target), f'"{line.words(target)}" cannot be assigned', "assign to a plain name")
            return [None]
        scope.names[target.id] = value
        return [value]

    def unpack(self, value: Given, target: ast.Tuple | ast.List, line: Piece) -> list[Given]:
        """The parts of `value`, one for each name."""
        count = len(target.elts)
        if isinstance(value, Several):
            if len(value.items) == count:
                return list(value.items)
            self.problems.add(line.span(target), f"{len(value.items)} values for {count} names")
        elif isinstance(value, Value) and value.index == 0 and self.kind_of(value) in SEVERAL:
            return [Value(value.op, index) for index in range(count)]
        elif value is not None:
            self.problems.add(
                line.span(target), f"one value for {count} names", "only functions, splits and the like give several"
            )
        return [None] * count

    def kind_of(self, value: Value) -> str:
        return next((op.kind.name for op in reversed(self.ops) if op.path == value.op), "input")

    # ---- expressions

    def value(self, node: ast.AST, line: Piece, scope: Scope) -> Given:
        """What `node` computes, left to right; None after noting a mistake."""
        match node:
            case ast.Constant(value=bool() | str() | None):
                self.problems.add(line.span(node), "only numbers and names stand in an equation")
            case ast.Constant(value=int() | float()):
                return node.value  # type: ignore[return-value]
            case ast.Name():
                return self.read(node.id, line.span(node), scope)
            case ast.BinOp():
                if (word := self.dashed(node, scope)) is not None:
                    self.problems.add(line.span(node), "this reads as a difference, with a minus", word)
                    return None
                left, right = self.value(node.left, line, scope), self.value(node.right, line, scope)
                return self.arithmetic(node, left, right, line)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.value(node.operand, line, scope)
            case ast.UnaryOp(op=ast.USub()):
                value = self.value(node.operand, line, scope)
                if isinstance(value, (int, float, Unknown)):
                    return combine(ast.Sub(), 0, value)
                return self.emit("neg", [self.tensor(value, node, line)], (), line.span(node))
            case ast.Tuple() | ast.List():
                return Several(tuple(self.value(item, line, scope) for item in node.elts))
            case ast.Attribute(attr="T"):
                value = self.tensor(self.value(node.value, line, scope), node, line)
                return self.emit("permute", [value], attrs(axis=-2, other_axis=-1), line.span(node))
            case ast.Call():
                return self.call(node, line, scope)
            case _:
                hint = "select(x, index=...) takes a part" if isinstance(node, ast.Subscript) else ""
                hint = "one = gives a value its name: y = relu(x)" if isinstance(node, ast.Compare) else hint
                self.problems.add(
                    line.span(node),
                    f'"{line.words(node)}" is not part of the equation language',
                    hint or "it has names, numbers, calls, + - * / ** and @",
                )
        return None

    def dashed(self, node: ast.BinOp, scope: Scope) -> str | None:
        """The hint for a dash in a word, `self-attention(x)`, where no value of the word's first half is known."""
        word, half = slips.dashed(node, self.lexicon.terms, self.lexicon.blocks)
        known = half in scope.names or half in self.lexicon.sizes
        return f"the op is called {word}" if word and not known else None

    def read(self, name: str, span: Span, scope: Scope) -> Given:
        """The value of a name: assigned, a size, or an input."""
        if name in scope.names:
            return scope.names[name]
        if name in scope.inputs:
            return scope.inputs[name]
        if name in self.lexicon.sizes:
            return self.lexicon.sizes[name]
        kind = BY_NAME.get(name)
        if name in self.lexicon.terms or name in self.lexicon.blocks or (kind and kind.tier is not Tier.PRIMITIVE):
            self.problems.add(span, f"{name} is an operation and stands here as a value", f"call it: {name}(x)")
            return None
        if scope.args is None:
            value: Given = Value(f"in {name}")
            op = Op(f"in {name}", BY_NAME["input"], (), attrs(name=name), claim=self.claim, span=span)
            self.inputs.append(op)
        elif scope.args:
            value = scope.args.pop(0)
        else:
            value = None
            self.problems.add(scope.call or span, f"{self.calls[-1]} also reads {name}, and is called without it")
        scope.inputs[name] = value
        return value

    def tensor(self, value: Given, node: ast.AST, line: Piece) -> Value | None:
        if isinstance(value, Value) or value is None:
            return value
        what = f"{len(value.items)} values" if isinstance(value, Several) else "a number"
        self.problems.add(line.span(node), f"{what} where one tensor is needed")
        return None

    def arithmetic(self, node: ast.BinOp, left: Given, right: Given, line: Piece) -> Given:
        span = line.span(node)
        operator = node.op
        if type(operator) not in _KINDS:
            self.problems.add(span, "an equation has no such operation", slips.operation_hint(operator))
            return None
        if left is None or right is None:
            return None
        numbers = (int, float, Unknown)
        if isinstance(left, numbers) and isinstance(right, numbers):
            if isinstance(operator, ast.MatMult):
                self.problems.add(span, "@ multiplies tensors, and these are numbers")
                return None
            return combine(operator, left, right)
        if isinstance(operator, ast.MatMult) and (isinstance(left, numbers) or isinstance(right, numbers)):
            self.problems.add(span, "@ multiplies tensors", "write a product with a number with *")
            return None
        if isinstance(left, numbers):
            tensor = self.tensor(right, node.right, line)
            kind, stated = _with_number_first(operator, left)
            return self.emit(kind, [tensor], stated, span)
        if isinstance(right, numbers):
            tensor = self.tensor(left, node.left, line)
            kind, stated = _with_number_last(operator, right)
            return self.emit(kind, [tensor], stated, span)
        reads = [self.tensor(left, node.left, line), self.tensor(right, node.right, line)]
        return self.emit(_KINDS[type(operator)], reads, (), span)

    # ---- calls

    def call(self, node: ast.Call, line: Piece, scope: Scope) -> Given:
        args = [self.value(arg, line, scope) for arg in node.args]
        if not isinstance(node.func, ast.Name):
            hint = slips.call_hint(node.func)
            self.problems.add(line.span(node.func), f'"{line.words(node.func)}" cannot be called', hint)
            return None
        name = node.func.id
        numbers = [arg for arg in args if isinstance(arg, (int, float, Unknown))]
        if name in FUNCTIONS and name not in self.lexicon.terms and args and len(numbers) == len(args):
            return apply(name, numbers)
        meaning = self.lexicon.meaning(name, self.problems)
        if meaning is None:
            self.problems.add(line.span(node.func), f'no op is called "{name}"', self.lexicon.unknown(name))
            return None
        if name in NOT_CALLED and meaning.kind is BY_NAME[name]:
            self.problems.add(line.span(node.func), f"{name} is not called in a flow", NOT_CALLED[name])
            return None
        if meaning.block is not None:
            return self.inline(meaning.block, node, args, line)
        return self.op(meaning, node, args, line)

    def op(self, meaning: Meaning, node: ast.Call, args: Sequence[Given], line: Piece) -> Given:
        """An op of the vocabulary, with the operands and attributes of the call."""
        kind = meaning.kind
        assert kind is not None
        sound = True
        reads: list[Value | None] = []
        own: dict[str, AttrValue] = {attr.name: attr.value for attr in meaning.attrs}
        for arg, item in zip(node.args, args, strict=True):
            if isinstance(item, Several):
                reads += [self.tensor(part, arg, line) for part in item.items]
            elif isinstance(item, (int, float, Unknown)):
                if "by" in declared(kind) and "by" not in own:
                    own["by"] = item
                    if not reads and "reverse" in declared(kind):
                        own["reverse"] = True
                else:
                    first = next(iter(declared(kind)), "")
                    hint = f"name the attribute: {first}={line.words(arg)}" if first else ""
                    self.problems.add(line.span(arg), f"{line.words(arg)} is a number where a tensor is needed", hint)
                    sound = False
            else:
                reads.append(item)
        kind = _attention_kind(kind, len(reads))
        keywords = keyword_attrs(node.keywords, line, kind, self.lexicon.sizes, self.problems)
        own.update({attr.name: attr.value for attr in keywords})
        if not sound:
            return None
        if problem := _arity(kind, len(reads), "by" in own):
            name = line.words(node.func)
            summed = kind.family in _ONE and len(reads) > 1
            hint = f"a sum is written out: {name}({' + '.join(map(line.words, node.args))})" if summed else ""
            self.problems.add(line.span(node), f"{name} {problem}, and is given {len(reads)}", hint)
            return None
        return self.emit(kind.name, reads, attrs(**own), line.span(node))

    def inline(self, block: Block, node: ast.Call, args: Sequence[Given], line: Piece) -> Given:
        """The ops of another block of the spec, fed with the operands of the call."""
        span = line.span(node)
        if block.id in self.calls:
            circle = " -> ".join([*self.calls[self.calls.index(block.id) :], block.id])
            self.problems.add(span, f"the block {block.id} is made of itself: {circle}")
            return None
        self.called += 1
        if block.id in self.lexicon.large:  # it was told where it was met first
            self.lexicon.large.update(self.calls)
            return None
        if len(self.calls) >= MAX_NESTED or len(self.ops) >= MAX_OPS or self.called > MAX_CALLS:
            self.lexicon.large.update(self.calls)
            most = f"{MAX_OPS:,} ops, {MAX_CALLS:,} calls or {MAX_NESTED} levels"
            self.problems.add(span, f"blocks call each other for more than {most}")
            return None
        if node.keywords:
            self.problems.add(line.span(node.keywords[0]), f"the block {block.id} has no attributes")
        values = [self.tensor(arg, item, line) for arg, item in zip(args, node.args, strict=True)]
        if None in values:
            return None
        scope = Scope(args=[value for value in values if value is not None], call=span)
        results = self.lower(block, scope)
        if scope.broken:
            return None
        if scope.args:
            count = len(scope.inputs)
            self.problems.add(span, f"{block.id} reads {count} tensors ({', '.join(scope.inputs)}), not {len(values)}")
        if any(value is None for value in results):
            return None
        return results[0] if len(results) == 1 else Several(results)

    def word(self, name: str, reads: Sequence[Value | None], span: Span, **own: AttrValue) -> Given:
        """An op called by a word of the vocabulary that the spec's terms may have given a meaning."""
        meaning = self.lexicon.meaning(name, self.problems)
        if meaning is None or meaning.kind is None:
            return None
        stated = {attr.name: attr.value for attr in meaning.attrs} | own
        return self.emit(meaning.kind.name, reads, attrs(**stated), span)

    def emit(self, kind: str, reads: Sequence[Value | None], stated: Sequence[Attr], span: Span) -> Value | None:
        """One more op of the graph."""
        given = tuple(value for value in reads if value is not None)
        if len(given) < len(reads):
            return None
        path = f"#{len(self.ops)}"
        self.ops.append(Op(path, BY_NAME[kind], given, tuple(stated), claim=self.claim, span=span))
        return Value(path)


_KINDS: Mapping[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
}


def _with_number_first(operator: ast.operator, number: Amount) -> tuple[str, tuple[Attr, ...]]:
    match operator:
        case ast.Add():
            return "add", attrs(by=number)
        case ast.Mult():
            return "scale", attrs(by=number)
        case ast.Sub():
            return "sub", attrs(by=number, reverse=True)
        case ast.Div():
            return "div", attrs(by=number, reverse=True)
        case _:
            return "pow", attrs(base=number)


def _with_number_last(operator: ast.operator, number: Amount) -> tuple[str, tuple[Attr, ...]]:
    match operator:
        case ast.Add():
            return "add", attrs(by=number)
        case ast.Mult():
            return "scale", attrs(by=number)
        case ast.Sub():
            return "sub", attrs(by=number)
        case ast.Div():  # a division by a constant is a scale, as papers read it: scores / sqrt(d_k)
            return "scale", attrs(by=combine(ast.Div(), 1, number))
        case _:
            return "pow", attrs(exponent=number)


def _attention_kind(kind: OpKind, reads: int) -> OpKind:
    """`attention` of one tensor is self-attention, of two cross-attention, of three the function itself."""
    if kind is BY_NAME["attention"] and reads in (1, 2):
        return BY_NAME["self_attention" if reads == 1 else "cross_attention"]
    return kind


# A second operand of these is a slip: `norm(x, f(x))` for `norm(x + f(x))`.
_ONE = frozenset({"norm", "activation", "gate", "softmax", "dropout", "linear", "pool", "scale"})
_TWO = frozenset({"add", "sub", "mul", "div", "maximum", "minimum"})


def _arity(kind: OpKind, reads: int, by: bool) -> str:
    """What is wrong with the number of operands, or ""."""
    if kind.family in _ONE:
        return "" if reads == 1 else "reads one tensor"
    if kind.name == "cross_attention":
        return "" if reads > 1 else "reads two tensors"
    if kind.name == "attention":  # of one or two tensors it is a sublayer
        return "" if reads > 2 else "reads query, key and value"
    if kind.name in _TWO:
        return "" if reads + by == 2 or (kind.commutes and reads > 1) else "has two operands"
    if kind.name in ("parameter", "constant", "function", "opaque", "random", "sinusoid"):
        return ""
    return "" if reads else "reads at least one tensor"


def _is_tensor(value: Given) -> bool:
    """Whether a value is a tensor, or would be one but for a mistake."""
    return value is None or isinstance(value, Value)


def _loaded(target: ast.expr) -> ast.expr:
    """The target of `x += y`, as it is read."""
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target


def _moved(values: Sequence[Value], paths: Mapping[str, str]) -> tuple[Value, ...]:
    return tuple(Value(paths[value.op], value.index) for value in values)
