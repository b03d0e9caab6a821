"""Names the axes of maps of channels in one way, wherever a framework has the channels."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import AttrValue, Op, OpGraph, Value, attrs
from archcheck.passes.compared.tree import Tree
from archcheck.passes.kinds import ACTIVATIONS, CONVS, NORMS, POOL, RESIDUAL, named

_WINDOWS = CONVS | {POOL}
_EACH = (NORMS | ACTIVATIONS) - named("glu")
_EACH |= named("identity", "dropout", "stochastic_depth", "scale", "mul", "add", "sub", "div", "clamp", "neg", "exp")
_ALONG = named("concat", "softmax", "mean", "sum", "split", "glu", "stack", "flip", "l2_norm")
_ALONG |= named("batch_norm", "group_norm")
_SPREAD = named("batch_norm", "group_norm")  # whose axis is that of the channels, where none is stated
_STEPS = 200


class NameChannels:
    """Count axes as where channels come first, if a graph has them last throughout; and do not say where they are.

    before (channels last)                          after
      conv axes=2 channels_last=True kernel=3         conv axes=2 kernel=3
      batch_norm axis=-1                              batch_norm
      concat axis=-1                                  concat axis=1

    A graph whose windows differ in where they take the channels to be stays as it is. What lays out anew the one value
    that is left of each map by pooling over all of space says no more than how many axes of one entry it has, and goes.
    """

    name = "name_channels"

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing changed."""
        tree = Tree(graph)
        windows = [op for op in tree.ops.values() if op.kind in _WINDOWS]
        layouts = {op.attr("channels_last", False) for op in windows}
        if len(layouts) != 1:
            return graph
        (last,) = layouts
        if not isinstance(last, bool):
            return graph
        for op in list(tree.ops.values()):
            self._name(tree, op, last)
        return tree.rebuilt()

    def _name(self, tree: Tree, op: Op, last: bool) -> None:
        if op.kind in _WINDOWS:
            if op.states("channels_last"):
                tree.put(_with(op, "channels_last", None))
        elif op.kind.name == "reshape" and _is_of_one_entry(tree, op):
            tree.forward(Value(op.path), op.reads[0])
        elif op.kind in _ALONG and op.states("axis"):
            rank = next((found for value in op.reads if (found := _rank(tree, value)) is not None), None)
            axis = _named(op.attr("axis"), rank, last) if rank is not None else None
            if axis is not None:
                tree.put(_with(op, "axis", None if op.kind in _SPREAD and axis in (1, (1,)) else axis))


def _with(op: Op, name: str, value: AttrValue) -> Op:
    told = {attr.name: attr.value for attr in op.attrs if attr.name != name}
    return replace(op, attrs=attrs(**told) if value is None else attrs(**{**told, name: value}))


def _named(axis: AttrValue, rank: int, last: bool) -> AttrValue:
    """An axis, or several, as it is counted where channels come first; None where it is no axis of a map."""
    if isinstance(axis, tuple):
        found = [_named(one, rank, last) for one in axis]
        known = [one for one in found if isinstance(one, int)]
        return tuple(sorted(known)) if len(known) == len(found) else None
    if not isinstance(axis, int) or isinstance(axis, bool) or not -rank <= axis < rank:
        return None
    place = axis % rank
    if not last or place == 0:
        return place
    return 1 if place == rank - 1 else place + 1


def _rank(tree: Tree, value: Value) -> int | None:
    """How many axes a map of channels has; None for what is none, as far as can be told."""
    seen: set[Value] = set()
    stack = [value]
    while stack and len(seen) < _STEPS:
        value = tree.resolve(stack.pop())
        op = tree.ops.get(value.op)
        if value in seen or op is None:
            continue
        seen.add(value)
        if op.kind in _WINDOWS:
            axes = op.attr("axes")
            if op.attr("scope") != "global" and isinstance(axes, int):
                return axes + 2
        elif op.kind in _EACH or op.kind is RESIDUAL or op.kind.name in ("concat", "split", "interpolate"):
            stack += op.reads[:2]
            stack += op.results if op.kind is RESIDUAL else ()
        elif op.kind.family == "sublayer" or op.kind.name == "repeat":
            stack += op.results
    return None


def _is_of_one_entry(tree: Tree, op: Op) -> bool:
    """Whether a reshape only takes away, or puts in, axes of one entry behind pooling over all of space."""
    pool = tree.maker(op.reads[0]) if len(op.reads) == 1 else None
    if pool is None or pool.kind is not POOL or pool.attr("scope") != "global":
        return False
    form, shape = op.attr("form"), op.attr("shape")
    if form == "flatten":
        return op.attr("axis") in (1, -3)
    if form is not None:
        return form in ("squeeze", "unsqueeze")
    return isinstance(shape, tuple) and len([size for size in shape if size != 1]) == 2
