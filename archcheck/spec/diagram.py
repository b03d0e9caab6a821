"""A diagram -> the graph that it draws: labels are matched to the vocabulary, arrows are the wiring.

A node without a word of its own (a point where lines part) hands on what it gets; a word that is no op and has no arrow
into it is an input, one with no arrow out of it an output. Another word that is no op is a part that the paper calls
so, and is told, with what it may be meant for: nothing is guessed.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from archcheck.errors import ArchcheckError
from archcheck.ir.graph import Attr, AttrValue, Op, OpGraph, Origin, Value
from archcheck.ir.ops import BY_NAME, Tier
from archcheck.ir.span import Span
from archcheck.spec import slips
from archcheck.spec.dot import Arrow, Diagram, Node
from archcheck.spec.problems import did_you_mean, hints
from archcheck.spec.words import NOT_CALLED, declared

_SIGNS = {
    **dict.fromkeys(("+", "⊕", "∑", "sum", "residual_add", "plus", "addition", "element_wise_add"), "add"),
    **dict.fromkeys(("×", "⊗", "⊙", "*", "·", "∘", "multiply", "product", "hadamard"), "mul"),
    **dict.fromkeys(("−", "-", "⊖", "subtract", "minus"), "sub"),
    **dict.fromkeys(("÷", "/"), "div"),
    **dict.fromkeys(("σ", "sigma"), "sigmoid"),
    **dict.fromkeys(("@",), "matmul"),
    **dict.fromkeys(("mixture_of_experts",), "moe"),
    **dict.fromkeys(("state_space",), "ssm"),
    **dict.fromkeys(("relu²",), "relu2"),
}
_JOINS = frozenset({"add", "mul", "sub", "div", "maximum", "minimum"})
_ONE = frozenset({"norm", "activation", "softmax", "dropout", "linear", "pool", "scale", "conv"})
_ENDS = ("output", "outputs", "out", "result", "y")
_INPUTS = ("input", "inputs", "in", "x")
# "3x3 conv, 64, /2", as convolutions stand in figures: kernel, channels, stride.
_CONV = re.compile(
    r"(?P<kernel>\d+)\s*[x×]\s*(?P=kernel)\s+conv\w*(?:\s*,\s*(?P<channels>\d+))?(?:\s*,\s*/(?P<stride>\d+))?", re.I
)
_FC = re.compile(r"(?:fc|linear|dense)[\s-]+(?P<width>\d+)(?:-d)?", re.I)
_DETAIL = re.compile(
    r"(?P<name>[A-Za-z_]\w*)\s*(?:=|:|\s)\s*(?P<value>-?\d+(?:\.\d+)?(?:e-?\d+)?|true|false|[a-z_]\w*)", re.I
)
_COUNTED = re.compile(r"(?P<value>\d+)\s+(?P<name>heads|experts|groups|kv heads)", re.I)
_TIMES = re.compile(r"(?:[x×]\s*(?P<after>\d+)|(?P<before>\d+)\s*[x×])", re.I)
_MASKED = re.compile(r"(masked|causal)\s+", re.I)
_REVERSED = re.compile(r"from (?P<minuend>\S+)|(?P<dividend>\S+) by it")
_SELF = re.compile(r"\bself\b", re.I)
_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a diagram states.

    Args:
        graph: its ops.
        repeat: how often it stands in a row, where a frame around all of it says so.
        terms: words that are no ops, each with a name that flows can use.
        misses: what is said about them, with their places.
        ignored: lines of labels that were not understood.
    """

    graph: OpGraph
    repeat: int | None
    terms: tuple[str, ...]
    misses: tuple[ArchcheckError, ...]
    ignored: tuple[str, ...]


def drawn(diagram: Diagram) -> Drawn:
    """The graph that a diagram draws.

    Raises:
        SpecError: its arrows go round, it draws nothing, or a sign has too few or too many arrows into it.
    """
    return _Reader(diagram).drawn()


@dataclass(frozen=True, slots=True)
class _Step:
    """One op of a node: its kind, attributes, and for a word that is no op the word."""

    kind: str
    attrs: tuple[tuple[str, AttrValue], ...] = ()
    itself: bool = False  # an attention that says that it is one of a tensor with itself


@dataclass
class _Reader:
    diagram: Diagram
    into: dict[str, list[Arrow]] = field(default_factory=dict)
    leaving: dict[str, int] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    inputs: list[Op] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)  # what each node gives
    terms: dict[str, None] = field(default_factory=dict)
    misses: list[ArchcheckError] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def drawn(self) -> Drawn:
        for arrow in self.diagram.arrows:
            self.into.setdefault(arrow.head, []).append(arrow)
            self.leaving[arrow.tail] = self.leaving.get(arrow.tail, 0) + 1
        order = list(self.order())
        results: list[Value] = []
        for node in order:
            steps = list(self.steps(node))
            alone = not self.into.get(node.name) and not self.leaving.get(node.name)
            if alone and all(step.kind == "function" for step in steps):
                continue  # a title, or a remark
            if self.is_end(node, steps):
                results += [self.values[arrow.tail] for arrow in self.into[node.name]]
                continue
            self.values[node.name] = self.given(node, steps)
            if not self.leaving.get(node.name):
                results.append(self.values[node.name])
        problems = self.diagram.problems
        if not self.ops:
            raise problems.fail(Span(problems.file, 1), "the diagram draws no op", 'x -> "layer norm" -> output')
        problems.raise_any()
        given = tuple(dict.fromkeys(results))
        graph = OpGraph((*self.inputs, *self.needed(given)), given, Origin("diagram", problems.file))
        return Drawn(graph, self.repeat(), tuple(self.terms), tuple(self.misses), tuple(self.ignored))

    def roots(self) -> Iterator[Node]:
        """The nodes without an arrow into them."""
        return (node for node in self.diagram.nodes if not self.into.get(node.name))

    def needed(self, results: tuple[Value, ...]) -> tuple[Op, ...]:
        """The ops that lead to what comes out."""
        wanted = {value.op for value in results}
        kept = []
        for op in reversed(self.ops):
            if op.path in wanted:
                kept.append(op)
                wanted |= {value.op for value in op.reads}
        return tuple(reversed(kept))

    def order(self) -> Iterator[Node]:
        """The nodes, each behind all that it reads; of those that may come first, the first in the file."""
        nodes = {node.name: node for node in self.diagram.nodes}
        left = {name: len(self.into.get(name, ())) for name in nodes}
        heads: dict[str, list[str]] = {}
        for arrow in self.diagram.arrows:
            heads.setdefault(arrow.tail, []).append(arrow.head)
        ready = [name for name in nodes if not left[name]]
        number = {name: at for at, name in enumerate(nodes)}
        while ready:
            ready.sort(key=number.__getitem__)
            name = ready.pop(0)
            yield nodes[name]
            del left[name]
            for head in heads.get(name, ()):
                left[head] -= 1
                if not left[head]:
                    ready.append(head)
        if left:
            arrow = next(one for one in self.diagram.arrows if one.tail in left and one.head in left)
            hint = "a block states one round: repeat: says how often it stands in a row, and a state is an input"
            raise self.diagram.problems.fail(arrow.span, f"the arrows go round, through {arrow.tail}", hint)

    def is_end(self, node: Node, steps: list[_Step]) -> bool:
        """Whether a node only names what comes out."""
        if self.leaving.get(node.name) or not self.into.get(node.name):
            return False
        word = _word(" ".join(node.lines))
        return word in _ENDS or [step.kind for step in steps] == ["function"]

    # ---- what a label says

    def steps(self, node: Node) -> Iterator[_Step]:
        """The ops that a label names: several where it joins them, as "Add & Norm" does."""
        if not node.lines:
            return
        whole = " ".join(node.lines)
        lines = (whole,) if self.kind_of(re.sub(_MASKED, "", whole)) else node.lines
        node, first = replace(node, lines=lines), lines[0]
        masked = _MASKED.match(first)
        text = first[masked.end() :] if masked else first
        parts = [text] if self.kind_of(text) else re.split(r"\s*(?:&|\band\b|\s\+\s)\s*", text, flags=re.I)
        found = [self.kind_of(part) for part in parts if part.strip()]
        if not all(found) or not found:
            yield self.unknown(node)
            return
        details = dict(self.details(found[-1] or ("", {}), node))
        for kind, own in (one for one in found if one):
            stated = {**own, **({"causal": True} if masked and "attention" in kind else {})}
            known = declared(BY_NAME[kind])
            stated |= {name: value for name, value in details.items() if name in known}
            yield _Step(kind, tuple(sorted(stated.items())), bool(_SELF.search(first)))

    def kind_of(self, text: str) -> tuple[str, dict[str, AttrValue]] | None:
        """The kind that a text names, with the attributes that it states: "3x3 conv, 64", "Linear(512)", "+"."""
        text = text.strip()
        if match := _CONV.fullmatch(text):
            names = {"kernel": "kernel", "channels": "out_features", "stride": "stride"}
            return "conv", {name: int(match[group]) for group, name in names.items() if match[group]}
        if match := _FC.fullmatch(text):
            return "linear", {"out_features": int(match["width"])}
        name = text.partition("(")[0].rpartition(".")[2].strip() if re.match(r"[\w.]+\s*(\(|$)", text) else text
        for word in (_word(name), _word(text)):
            kind = _SIGNS.get(word) or (word if word in BY_NAME and word not in NOT_CALLED else "")
            if kind:
                return kind, {}
        if meant := slips.meant(name) or slips.meant(text):
            kind, _, stated = meant.partition("(")
            values = dict(re.findall(r"(\w+)=(\w+)", stated))
            return kind, dict(values)
        return None

    def details(self, found: tuple[str, dict[str, AttrValue]], node: Node) -> Iterator[tuple[str, AttrValue]]:
        """The attributes that further lines of a label state: "axis -1", "8 heads", "192 → 128"."""
        kind = BY_NAME[found[0]]
        known = declared(kind)
        for detail in (part.strip() for line in node.lines[1:] for part in line.split(",")):
            if match := re.fullmatch(r"(?:(?P<read>\d+)\s*)?(?:→|->)\s*(?P<given>\d+)", detail):
                if match["read"] and "in_features" in known:
                    yield "in_features", int(match["read"])
                if "out_features" in known:
                    yield "out_features", int(match["given"])
            elif (match := _REVERSED.fullmatch(detail)) and "reverse" in known:
                yield from (("by", _value(match["minuend"] or match["dividend"])), ("reverse", True))
            elif match := _COUNTED.fullmatch(detail):
                yield match["name"].lower().replace(" ", "_"), int(match["value"])
            elif (match := _DETAIL.fullmatch(detail)) and match["name"].lower() in known:
                yield match["name"].lower(), _value(match["value"])
            elif detail.lower() in ("causal", "gated", "bidirectional") and detail.lower() in known:
                yield detail.lower(), True
            elif "activation" in known and (activation := self.kind_of(detail)):
                yield "activation", activation[0]
            elif "mode" in known and detail in ("max", "mean"):
                yield "mode", detail
            elif detail:
                self.ignored.append(detail)

    def unknown(self, node: Node) -> _Step:
        """A part that the paper calls by a word of its own."""
        text = " ".join(node.lines)
        name = "_".join(_WORD.findall(text.lower())) or f"part_{len(self.terms) + 1}"
        sources = {"_".join(_WORD.findall(" ".join(one.lines[:1]).lower())) for one in self.roots()}
        if name in BY_NAME or name in sources or keyword.iskeyword(name) or re.fullmatch(r"[a-z]\d*", name):
            name = f"the_{name}"
        if self.leaving.get(node.name) and self.into.get(node.name):
            self.terms[name] = None
            near = did_you_mean(_word(node.lines[0]), BY_NAME)
            hint = hints(near, f'the spec has it as "{name}: function", a part that is not looked into')
            self.misses.append(ArchcheckError(f'no op is called "{text}"', place=str(node.span), hint=hint))
        return _Step("function", (("name", name),))

    # ---- what a node gives

    def given(self, node: Node, steps: list[_Step]) -> Value:
        """The value of a node, after its ops."""
        reads = list(dict.fromkeys(self.values[arrow.tail] for arrow in self.into.get(node.name, ())))
        if not reads and (not steps or steps[0].kind in ("function", *_INPUTS)):
            return self.input(node)
        if not reads:
            if BY_NAME[steps[0].kind].tier is Tier.PRIMITIVE and steps[0].kind in _JOINS:
                self.complain(node, "has no arrow into it")
            reads = [self.input(Node("x", ("x",), "", node.span))]
        if not steps:
            if len(reads) > 1:
                what = f"has no word, and {len(reads)} arrows into it"
                self.complain(node, what, "draw the + or the concat that joins")
            return reads[0]
        for step in steps:
            reads = [self.op(step, reads, node)]
        return reads[0]

    def op(self, step: _Step, reads: list[Value], node: Node) -> Value:
        kind = BY_NAME[step.kind]
        by = any(name == "by" for name, _ in step.attrs)
        if kind.name == "self_attention" and len(reads) > 1:
            if step.itself:  # what else it gets are positions and masks
                self.ignored.append(f"{len(reads) - 1} more arrows into {' '.join(node.lines[:1])}")
                reads = reads[:1]
            else:
                kind = BY_NAME["cross_attention"]
        if kind.name in _JOINS and len(reads) + by < 2:
            self.complain(node, "has one arrow into it", "a sign joins two: draw the other, or write by 2 below it")
        if kind.family in _ONE and len(reads) > 1:
            hint = f"{kind.name} reads one: draw the + that joins them"
            self.complain(node, f"has {len(reads)} arrows into it", hint)
        if kind.name in ("sub", "div") and len(reads) > 2:
            self.complain(node, f"has {len(reads)} arrows into it", f"{kind.name} reads two")
        if kind.name in ("sub", "div") and len(reads) == 2:
            does = "takes off" if kind.name == "sub" else "divides by"
            self.ignored.append(f"{' '.join(node.lines[:1])} {does} what its later arrow brings")
        if kind.commutes:  # the stream, which stands first, is written first
            number = {op.path: at for at, op in enumerate((*self.inputs, *self.ops))}
            reads = sorted(reads, key=lambda value: number[value.op])
        value = reads[0]
        rest = reads[1:] if kind.name in ("add", "mul") and len(reads) > 2 else []
        first = (tuple(reads[:2]) if rest else tuple(reads), *((one,) for one in rest[1:]))
        for at, own in enumerate(first):
            path = f"{len(self.ops)}.{kind.name}"
            self.ops.append(Op(path, kind, own if not at else (value, *own), _attrs(step.attrs), span=node.span))
            value = Value(path)
        return value

    def input(self, node: Node) -> Value:
        name = "_".join(_WORD.findall(" ".join(node.lines[:1]).lower())) or "x"
        taken = {str(op.attr("name")): Value(op.path) for op in self.inputs}
        if name in taken:
            return taken[name]
        path = f"in {name}"
        self.inputs.append(Op(path, BY_NAME["input"], (), (Attr("name", name),), span=node.span))
        return Value(path)

    def complain(self, node: Node, what: str, hint: str = "") -> None:
        word = " ".join(node.lines) or node.name
        self.diagram.problems.add(node.span, f'"{word}" {what}', hint or "each op reads what an arrow brings")

    def repeat(self) -> int | None:
        """How often all of it stands in a row, as a frame around its ops says: "6 x", "× 6"."""
        own = {node.name for node in self.diagram.nodes if self.into.get(node.name) and self.leaving.get(node.name)}
        for cluster in self.diagram.clusters:
            match = _TIMES.search(cluster.label)
            if match and own <= cluster.nodes:
                return int(match["after"] or match["before"])
        return None


def _word(text: str) -> str:
    """A text as the vocabulary writes words: "Layer Norm" is layer_norm."""
    return re.sub(r"[\s-]+", "_", text.strip()).lower() if len(text.strip()) > 1 else text.strip()


def _value(text: str) -> AttrValue:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _attrs(stated: Iterable[tuple[str, AttrValue]]) -> tuple[Attr, ...]:
    return tuple(Attr(name, value) for name, value in sorted(stated))
