"""A formula holds for any width: `q @ k.T / sqrt(d_k)` with the code's d_k, where nobody pins the paper's.

A size for which a spec gives no number (`tk: null`) is whatever the code has, but one number in all places of a layer:
`conv(conv(x, out_features=tk), groups=tk)` is a depthwise convolution, whatever its width.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from archcheck.align.edits import Edit
from archcheck.ir.graph import OpGraph, Unknown
from archcheck.spec import Block, Spec
from archcheck.spec.formula import Amount

OWN = "head_dim"  # what an attention's own width is called, in specs as in the vocabulary
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


def open_sizes(spec: Spec, edits: Iterable[Edit]) -> dict[str, tuple[int, ...]]:
    """For each size that the spec leaves open, the numbers that the code has where the claim states it, or a multiple
    of it; without those of which the code does not tell one."""
    names = {f"the spec gives no value for {name}": name for name, formula in spec.sizes if formula is None}
    found: dict[str, dict[int, None]] = {}
    untold: set[str] = set()
    for edit in edits:
        if isinstance(edit.stated, Unknown) and (name := names.get(edit.stated.why)) is not None:
            if type(edit.found) is int:
                found.setdefault(name, {})[edit.found] = None
            else:
                untold.add(name)
    return {name: tuple(numbers) for name, numbers in found.items() if name not in untold}


def is_meant(spec: Spec, sizes: dict[str, Amount]) -> bool:
    """Whether these are what a formula is about and nothing else: `head_dim`, to which the spec gives no value.

    Under another name it may be any number that the paper does not tell; then no scale can be called wrong.
    """
    stated = dict(spec.sizes)
    return all(name == OWN and name in stated and stated[name] is None for name in sizes)
