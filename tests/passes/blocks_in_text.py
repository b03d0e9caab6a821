"""Writes printed graphs of blocks: attentions, feed-forwards and what stands around them, for tests of folds."""

from __future__ import annotations


class Writer:
    """Collects ops; each method gives the name of a value."""

    def __init__(self) -> None:
        self.lines: list[str] = ["%x = input"]

    def op(self, kind: str, *reads: str, attrs: str = "") -> str:
        name = f"%v{len(self.lines)}"
        operands = ", ".join(reads) if reads or kind in ("input", "parameter", "constant") else "()"
        self.lines.append(" ".join(f"{name} = {kind} {operands} {attrs}".split()))
        return name

    def norm(self, x: str) -> str:
        return self.op("layer_norm", x)

    def add(self, *terms: str) -> str:
        total = terms[0]
        for term in terms[1:]:
            total = self.op("add", total, term)
        return total

    def attention(self, x: str, memory: str = "") -> str:
        q, k, v = (self.op("linear", source) for source in (x, memory or x, memory or x))
        scores = self.op("matmul", q, k, attrs="transpose_b=True")
        weights = self.op("dropout", self.op("softmax", scores, attrs="axis=-1"))
        return self.op("linear", self.op("matmul", weights, v))

    def feed_forward(self, x: str) -> str:
        return self.op("linear", self.op("relu", self.op("linear", x)))

    def gated(self, x: str) -> str:
        gate = self.op("silu", self.op("linear", x))
        return self.op("linear", self.op("mul", gate, self.op("linear", x)))

    def learned(self, name: str = "w") -> str:
        return self.op("parameter", attrs=f'name="{name}"')

    def text(self, *gives: str) -> str:
        ending = [f"give {', '.join(gives)}"] if gives else []
        return "\n".join([*self.lines, *ending]) + "\n"
