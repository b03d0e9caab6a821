"""A formula holds for any width: `q @ k.T / sqrt(d_k)` with the code's d_k, where nobody pins the paper's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archcheck.ir.graph import OpGraph, Unknown
from archcheck.spec import Block, Spec
from archcheck.spec.formula import Amount

UNTOLD = Unknown("how many features a head has in the code was not found out")


def of_the_code(spec: Spec, block: Block, kind: str, graph: OpGraph) -> Iterator[dict[str, Amount]]:
    """Sizes for the formula of an attention in which each of its names in turn is the code's number of features of a
    head; an Unknown where the code does not tell it, since then no scale can be called wrong.

    Other claims are about the paper's own numbers.
    """
    if kind != "attention":
        return
    widths = {op.attr("head_dim") for op in graph.walk() if op.kind.name == "attention"}
    found = widths.pop() if len(widths) == 1 else None
    width = found if isinstance(found, int) and not isinstance(found, bool) else UNTOLD
    for name, _ in spec.sizes:
        if re.search(rf"\b{re.escape(name)}\b", block.says):
            yield {name: width}
