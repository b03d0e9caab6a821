"""Leaves out what a framework states that is so where nothing is stated."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import Attr, AttrValue, Op, OpGraph
from archcheck.ir.ops import FAMILIES
from archcheck.passes.compared.tree import Tree

_USUAL: dict[str, dict[str, tuple[AttrValue, ...]]] = {
    "conv": {"groups": (1,), "dilation": (1,), "padding_mode": ("zeros",)},
    "pool": {"dilation": (1,), "padding": (0,)},
    "norm": {"axis": (-1, (-1,)), "offset": (0,), "correction": (0, None)},
    "embedding": {"padding": (None,), "combine": (None,), "frozen": (False,)},
    "attention": {
        "dropout": (0,), "causal": (False,), "softcap": (None,), "window": (None,), "sink": (False,),
        "batch_first": (True,), "projected": (False,), "bias": (None, False),
    },
    "silu": {"beta": (1,)},
    "softplus": {"beta": (1,)},
    "elu": {"alpha": (1,)},
    "softmax": {"axis": (-1,)},
    "dropout": {"axes": ((), None), "alpha": (False, None)},
}  # fmt: skip
_USUAL["self_attention"] = _USUAL["cross_attention"] = _USUAL["attention"]
_TOLD = {name: family for family, kinds in FAMILIES.items() for name in (kind.name for kind in kinds)}


class DropUsual:
    """Leave out attributes that state the usual: one group, no dilation, no dropout of weights, features last.

    before                                            after
      input                                             input
      conv groups=1 dilation=(1, 1) kernel=3            conv kernel=3
      pool kernel=2 stride=(2, 2) dilation=1            pool kernel=2

    Frameworks state it or have no word for it. What is not usual stays, and differs from what is not stated.
    """

    name = "drop_usual"

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing changed."""
        tree = Tree(graph)
        changed = False
        for op in list(tree.ops.values()):
            kept = tuple(attr for attr in op.attrs if not _is_usual(op, attr))
            if len(kept) < len(op.attrs):
                tree.put(replace(op, attrs=kept))
                changed = True
        return tree.rebuilt() if changed else graph


def _is_usual(op: Op, attr: Attr) -> bool:
    table = _USUAL.get(op.kind.name) or _USUAL.get(_TOLD.get(op.kind.name, ""), {})
    if op.kind.name == "pool" and attr.name == "stride" and _same(attr.value, op.attr("kernel")):
        return True
    return any(_same(attr.value, usual) for usual in table.get(attr.name, ()))


def _same(value: AttrValue, usual: AttrValue) -> bool:
    """Whether a value is the usual one, or that for each axis."""
    if isinstance(value, tuple) and not isinstance(usual, tuple) and value:
        return all(_same(one, usual) for one in value)
    if isinstance(usual, tuple) and not isinstance(value, tuple) and usual:
        return all(_same(value, one) for one in usual)
    if isinstance(value, bool) is not isinstance(usual, bool):
        return False
    return value == usual
