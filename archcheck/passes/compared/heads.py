"""Takes the laying out of heads out of the way, where it is shown to be what attention over heads needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archcheck.ir.graph import AttrValue, Op, OpGraph, Value, attrs
from archcheck.passes.compared.axes import BATCH, TOKENS, Axes, Features, given_by, viewed
from archcheck.passes.compared.tables import without_views
from archcheck.passes.compared.tree import Tree
from archcheck.passes.kinds import ATTENTION, LINEAR, NORMS, VIEWS, named

_ROPE = named("rope")
_THROUGH = _ROPE | NORMS | named("dropout", "scale")
_STEPS = 24
_FUSED = {
    "b h s d": ("ABqd,ABkd->ABqk", "ABqk,ABke->ABqe"),
    "b s h d": ("AqBd,AkBd->ABqk", "ABqk,AkBe->AqBe"),
}
Labels = tuple[str, ...]


@dataclass
class _Way:
    """What stands between a projection and an attention, or behind it.

    Attributes:
        value: what the attention is to read instead.
        axes: of the value that it reads now.
        changed: ops in their new form.
        views: what reads a view is to read what the view reads.
    """

    value: Value
    axes: Axes
    changed: list[Op] = field(default_factory=list)
    views: list[tuple[Value, Value]] = field(default_factory=list)


class FoldHeads:
    """Let attention read the projections and give what the output is projected from, where code lays out heads.

    before                                               after
      %q = linear out_features=512                         linear out_features=512
      %r = reshape %q shape=(b, s, 8, 64)                  ... (keys, values)
      %h = permute %r axis=1 other_axis=2                  attention %q, %k, %v heads=8 head_dim=64
      ... (keys, values)                                   linear
      %a = attention %h, %i, %j heads=8 head_dim=64
      %p = permute %a axis=1 other_axis=2
      %c = reshape %p shape=(b, s, 512)
      linear %c

    That is what an attention is that brings its projections along, and one whose heads stand at another axis. Every
    axis is followed by name (batch, tokens, heads, features of a head) from the projections through the products and
    back: where one of them is not where the products need it, or that cannot be told, all stays as code has it, and
    differs. A norm or a rotation of queries and keys between is followed too, and has to read the axes that it is made
    for.
    """

    name = "fold_heads"

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing changed."""
        tree = Tree(graph)
        found = [op for op in tree.ops.values() if op.kind is ATTENTION and len(op.reads) > 2 and len(op.results) < 2]
        changed = [_fold(tree, op) for op in found]
        return tree.rebuilt() if any(changed) else graph


def _fold(tree: Tree, op: Op) -> bool:
    heads, size = op.attr("heads"), op.attr("head_dim")
    keys = op.attr("kv_heads", heads)
    if not (isinstance(heads, int) and isinstance(size, int) and isinstance(keys, int)):
        return False
    ways = [_towards(tree, value) for value in op.reads[:3]]
    equations = _equations(op)
    if equations is None or any(way is None for way in ways):
        return False
    known = [way for way in ways if way is not None]
    labels = [_labels(way.axes, count, size) for way, count in zip(known, (heads, keys, keys), strict=True)]
    out = _given(equations, [one for one in labels if one is not None])
    if out is None or heads != keys:
        return False
    places: dict[str, str | Features] = {"b": BATCH, "s": TOKENS, "h": Features(heads, size), "d": Features(size)}
    behind = _behind(tree, Value(op.path), tuple(places[one] for one in out))
    if behind is None:
        return False
    for way in (*known, behind):
        for one in way.changed:
            tree.put(one)
        for value, to in way.views:
            tree.forward(value, to)
    kept = [attr for attr in op.attrs if attr.name not in ("layout", "projected", "batch_first")]
    reads = (*(way.value for way in known), *op.reads[3:])
    tree.put(replace(op, reads=reads, attrs=tuple(kept), body=(), gives=()))
    return True


def _labels(axes: Axes, heads: int, size: int) -> Labels | None:
    """The axes as letters: batch, tokens, heads, features of a head."""
    named_ = {Features(heads, size): "h", Features(size): "d"}
    found = tuple(axis if isinstance(axis, str) else named_.get(axis, "") for axis in axes)
    return found if sorted(found) == ["b", "d", "h", "s"] else None


# ---- from the projections


def _towards(tree: Tree, value: Value) -> _Way | None:
    """The way from a projection to what attention reads."""
    chain: list[Op] = []
    at = value
    for _ in range(_STEPS):
        op = tree.maker(at)
        if op is None or at.index:
            return None
        if op.kind is LINEAR:
            break
        if (op.kind not in VIEWS and op.kind not in _THROUGH) or not op.reads or tree.only_reader(at) is None:
            return None
        chain.append(op)
        at = op.reads[0]
    else:
        return None
    axes = given_by(op)
    found = _Way(at, axes or ())
    for step in reversed(chain):
        if axes is None:
            return None
        if step.kind in VIEWS:
            axes = viewed(axes, step)
            found.views.append((Value(step.path), found.value))
            continue
        changed = _through(tree, step, axes)
        if changed is None:
            return None
        found.changed.append(replace(changed, reads=(found.value, *changed.reads[1:])))
        found.value = Value(step.path)
    if axes is None:
        return None
    found.axes = axes
    return found


def _through(tree: Tree, op: Op, axes: Axes) -> Op | None:
    """An op that acts on the axes that it is made for, as it stands where heads are not laid out."""
    last = axes[-1]
    if op.kind in _ROPE:
        if not isinstance(last, Features) or last.stride != 1 or TOKENS not in axes:
            return None
        tables = [without_views(tree, value, axes.index(TOKENS) - len(axes)) for value in op.reads[1:]]
        known = [value for value in tables if value is not None]
        return replace(op, reads=(op.reads[0], *known), body=(), gives=()) if len(known) == len(tables) else None
    if op.kind in NORMS:
        if op.kind.name not in ("layer_norm", "rms_norm", "l2_norm") or op.attr("axis", -1) not in (-1, (-1,)):
            return None
        if not isinstance(last, Features):
            return None
        told: dict[str, AttrValue] = {attr.name: attr.value for attr in op.attrs if attr.name != "axis"}
        if op.kind.name != "l2_norm":
            told.setdefault("dim", last.size)  # of each head, or of all together
        return replace(op, attrs=attrs(**told), body=(), gives=(), reads=op.reads[:1])
    return replace(op, body=(), gives=()) if len(op.reads) == 1 else None


# ---- through the products


def _equations(op: Op) -> tuple[str, str] | None:
    """The products of queries and keys, and of weights and values, as einsums of four axes each."""
    if not op.body:
        layout = op.attr("layout")
        return _FUSED.get(layout) if isinstance(layout, str) else None
    own = {inner.path: inner for inner in op.body}
    products = [inner for inner in op.body if inner.kind.name in ("matmul", "einsum") and len(inner.reads) == 2]
    if len(products) != 2:
        return None
    scores, weighing = products
    first = _root(own, scores.reads[0]) == op.reads[0] and _root(own, scores.reads[1]) == op.reads[1]
    if not first or weighing.reads[1] != op.reads[2] or not _comes_from(own, weighing.reads[0], scores.path):
        return None
    one, other = _equation(own, scores, "ABqd,ABkd->ABqk"), _equation(own, weighing, "ABqk,ABke->ABqe")
    return (one, other) if one is not None and other is not None else None


def _root(own: dict[str, Op], value: Value) -> Value:
    """What a value inside comes from, through first operands."""
    for _ in range(_STEPS):
        op = own.get(value.op)
        if op is None or not op.reads:
            break
        value = op.reads[0]
    return value


def _comes_from(own: dict[str, Op], value: Value, path: str) -> bool:
    """Whether a value is computed from the one at `path`."""
    seen: set[str] = set()
    stack = [value.op]
    while stack:
        at = stack.pop()
        if at == path:
            return True
        if at in own and at not in seen:
            seen.add(at)
            stack += [one.op for one in own[at].reads]
    return False


def _turns(own: dict[str, Op], value: Value) -> int | None:
    """How often the last two axes are turned before `value`; None where axes are moved in another way."""
    count = 0
    while (op := own.get(value.op)) is not None and op.reads:
        if op.kind.name in ("reshape", "expand", "gather", "select"):
            return None
        if op.kind.name == "permute":
            swapped = {op.attr("axis"), op.attr("other_axis")} in ({-1, -2}, {2, 3})
            if not swapped and op.attr("axes") not in ((0, 1, 3, 2), (0, 1, -1, -2)):
                return None
            count += 1
        value = op.reads[0]
    return count


def _equation(own: dict[str, Op], product: Op, usual: str) -> str | None:
    if product.kind.name == "einsum":
        # how the operands were turned before, nobody asks: it would have to be followed
        plain = _turns(own, product.reads[1]) == 0
        equation = product.attr("equation")
        return equation.replace(" ", "").replace("...", "A") if isinstance(equation, str) and plain else None
    if product.attr("transpose_a") is True:
        return None
    operands, arrow, result = usual.partition("->")
    left, _, right = operands.partition(",")
    turned = _turns(own, product.reads[1])
    if turned is None:
        return None
    flips = turned % 2 == (product.attr("transpose_b") is not True)  # whether rows of the operand are contracted
    scores = usual.endswith("qk")
    if (scores and not flips) or (not scores and flips):
        right = right[:-2] + right[-1] + right[-2]
    return f"{left},{right}{arrow}{result}"


def _given(equations: tuple[str, str], labels: Sequence[Labels]) -> Labels | None:
    """The axes of what comes out, where each of those that go in is where the products need it; None elsewhere."""
    if len(labels) != 3:
        return None
    query, key, value = labels
    weights = _of_scores(equations[0], query, key)
    if weights is None:
        return None
    operands, _, result = equations[1].partition("->")
    left, _, right = operands.partition(",")
    if not len(left) == len(weights) == len(right) == len(value) == len(result):
        return None
    of_left, of_right = dict(zip(left, weights, strict=True)), dict(zip(right, value, strict=True))
    gone = [letter for letter in left if letter not in result]
    if [of_left[letter] for letter in gone] != ["k"] or any(of_right.get(letter) != "s" for letter in gone):
        return None
    if any(of_left[letter] != of_right[letter] for letter in left if letter in right and letter not in gone):
        return None
    out = {**of_left, **of_right}
    found = tuple({"q": "s"}.get(out.get(letter, ""), out.get(letter, "")) for letter in result)
    return found if sorted(found) == ["b", "d", "h", "s"] else None


def _of_scores(equation: str, query: Labels, key: Labels) -> Labels | None:
    """The axes of scores: batch, heads, queries and keys."""
    operands, _, result = equation.partition("->")
    left, _, right = operands.partition(",")
    if not len(left) == len(query) == len(right) == len(key) == len(result):
        return None
    of_left, of_right = dict(zip(left, query, strict=True)), dict(zip(right, key, strict=True))
    if len(of_left) != 4 or len(of_right) != 4:
        return None
    found: dict[str, str] = {}
    for letter in {*left, *right}:
        one, other = of_left.get(letter), of_right.get(letter)
        if letter not in result:
            if (one, other) != ("d", "d"):
                return None
        elif one is not None and other is not None:
            if one != other or one not in ("b", "h"):
                return None
            found[letter] = one
        elif "s" not in (one, other):
            return None
        else:
            found[letter] = "q" if one is not None else "k"
    return tuple(found[letter] for letter in result) if all(letter in found for letter in result) else None


# ---- to the projection of what comes out


def _behind(tree: Tree, value: Value, axes: Axes) -> _Way | None:
    """The way from attention to where its heads are one axis again, or to a map that takes them as they are."""
    found = _Way(value, axes)
    at = value
    for _ in range(_STEPS):
        if len(axes) == 3:
            flat = axes[:2] == (BATCH, TOKENS) and isinstance(axes[2], Features) and axes[2].stride == 1
            return found if flat else None
        reader = tree.only_reader(at)
        if reader is None:
            return None
        if reader.kind is LINEAR:
            return found if _takes(reader, axes) else None
        if reader.kind not in VIEWS:
            return None
        seen = viewed(axes, reader)
        if seen is None:
            return None
        axes = seen
        at = Value(reader.path)
        found.views.append((at, value))
    return None


def _takes(linear: Op, axes: Axes) -> bool:
    """Whether a map by a matrix of more axes sums over heads and their features."""
    for product in linear.body:
        equation = product.attr("equation")
        if product.kind.name != "einsum" or not isinstance(equation, str):
            continue
        operands, _, result = equation.replace(" ", "").partition("->")
        tensor = operands.partition(",")[0].replace("...", "")
        if len(tensor) > len(axes):
            return False
        behind = axes[len(axes) - len(tensor) :]
        gone = {axis for letter, axis in zip(tensor, behind, strict=True) if letter not in result}
        return gone == {axis for axis in axes if isinstance(axis, Features)}
    return False
