"""Graphs for tests and benchmarks of the aligner: layers written out or folded, and edits made at random."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from archcheck.ir.graph import Attr, Op, OpGraph, Value
from archcheck.ir.ops import kind

Nodes = list[Op]


class Builder:
    """Adds one op after another; a scope is a list of ops."""

    def __init__(self) -> None:
        self.count = 0

    def op(self, scope: Nodes, kind_name: str, /, *reads: str, **attrs: object) -> str:
        path = f"{self.count}.{kind_name}"
        self.count += 1
        stated = tuple(Attr(key, value) for key, value in sorted(attrs.items()))  # type: ignore[arg-type]
        scope.append(Op(path, kind(kind_name), tuple(Value(read) for read in reads), stated))
        return path

    def residual(self, scope: Nodes, skip: str, fill: Callable[[Nodes], str]) -> str:
        path = f"{self.count}.residual"
        self.count += 1
        body: Nodes = []
        given = fill(body)
        scope.append(Op(path, kind("residual"), (Value(skip),), (), tuple(body), (Value(given),)))
        return path


def llama(layers: int) -> OpGraph:
    """Pre-norm layers of 17 ops each, flat, down to linear maps and sums."""
    build = Builder()
    ops: Nodes = []
    tokens = build.op(ops, "input", name="tokens")
    x = build.op(ops, "embedding", tokens, dim=64)
    for _ in range(layers):
        n = build.op(ops, "rms_norm", x, eps=1e-5)
        q = build.op(ops, "rope", build.op(ops, "linear", n, out_features=64))
        k = build.op(ops, "rope", build.op(ops, "linear", n, out_features=16))
        v = build.op(ops, "linear", n, out_features=16)
        a = build.op(ops, "linear", build.op(ops, "attention", q, k, v, causal=True), out_features=64)
        x = build.op(ops, "add", build.op(ops, "dropout", a, p=0.1), x)
        n = build.op(ops, "rms_norm", x, eps=1e-5)
        up = build.op(ops, "linear", n, out_features=256)
        gate = build.op(ops, "silu", build.op(ops, "linear", n, out_features=256))
        f = build.op(ops, "linear", build.op(ops, "mul", gate, up), out_features=64)
        x = build.op(ops, "add", build.op(ops, "dropout", f, p=0.1), x)
    build.op(ops, "linear", build.op(ops, "rms_norm", x, eps=1e-5), out_features=1000)
    return OpGraph(tuple(ops))


def encoder(layers: int, order: str) -> OpGraph:
    """Layers of two sublayers in residuals, written out; `order` is "pre" or "post"."""
    build = Builder()
    ops: Nodes = []
    x = build.op(ops, "input")
    for _ in range(layers):
        for sublayer in ("self_attention", "feed_forward"):

            def fill(body: Nodes, skip: str = x, name: str = sublayer) -> str:
                read = build.op(body, "layer_norm", skip, eps=1e-5) if order == "pre" else skip
                return build.op(body, "dropout", build.op(body, name, read), p=0.1)

            x = build.residual(ops, x, fill)
            if order == "post":
                x = build.op(ops, "layer_norm", x, eps=1e-5)
    return OpGraph(tuple(ops))


def without(graph: OpGraph, name: str) -> OpGraph:
    """A flat graph with all ops of a kind left out."""
    instead: dict[str, Value] = {}
    ops = []
    for op in graph.ops:
        reads = tuple(instead.get(value.op, value) for value in op.reads)
        if op.kind.name == name:
            instead[op.path] = reads[0]
        else:
            ops.append(replace(op, reads=reads))
    return OpGraph(tuple(ops), tuple(instead.get(value.op, value) for value in graph.results))


UNARY = ("dropout", "rms_norm", "silu", "rope")
EDITS = ("missing", "extra", "replaced", "rewired", "moved")


def mutate(graph: OpGraph, edits: tuple[str, ...], rng: random.Random) -> OpGraph:
    """A flat graph after edits at random places, each on ops that no other edit touched."""
    ops = list(graph.ops)
    touched: set[str] = set()
    fresh = 0

    def replace_reads(old: str, new: str, but: str = "") -> None:
        for at, op in enumerate(ops):
            if op.path != but and any(value.op == old for value in op.reads):
                ops[at] = replace(op, reads=tuple(Value(new) if v.op == old else v for v in op.reads))

    def pick(names: tuple[str, ...]) -> int:
        readers: dict[str, set[str]] = {}
        for op in ops:
            for value in op.reads:
                readers.setdefault(value.op, set()).add(op.path)
        choices = [at for at, op in enumerate(ops) if op.kind.name in names]
        while True:
            at = rng.choice(choices)
            op = ops[at]
            around = {op.path, *readers.get(op.path, ()), *(value.op for value in op.reads)}
            if not around & touched:
                touched.update(around)
                return at

    def insert(op: Op, after: int) -> None:
        """Put an op of one operand behind the op at `after`, on all paths from there."""
        source = ops[after].path
        replace_reads(source, op.path)
        ops.insert(after + 1, replace(op, reads=(Value(source),)))

    for edit in edits:
        if edit == "rewired":
            at = pick(("add",))
            earlier = [op.path for op in ops[:at] if op.kind.name == "rms_norm"]
            ops[at] = replace(ops[at], reads=(ops[at].reads[0], Value(earlier[-1])))
            touched.add(earlier[-1])
            continue
        at = pick(UNARY)
        op = ops[at]
        if edit == "replaced":
            ops[at] = replace(op, kind=kind("tanh"), attrs=())
        elif edit == "extra":
            fresh += 1
            insert(Op(f"new{fresh}", kind("gelu")), at)
        else:
            replace_reads(op.path, op.reads[0].op)
            del ops[at]
            if edit == "moved":
                there = pick(("add",))
                while ops[there].path == op.reads[0].op:
                    there = pick(("add",))
                insert(op, there)
    return OpGraph(tuple(ops), graph.results)
