"""What a library spells in several nodes and means as one thing: dropout, norms by way of others, maps of flat tokens.

They are known by their structure, never by a name. A node that ends such a spelling is put in another's place; what it
no longer reads falls away, since a graph is read from its outputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from archcheck.frontends.dialects.tensorflow_raw import RANDOM
from archcheck.frontends.tensorflow_graph.nodes import Held, Node, Stored, ref

DROPOUT = "~dropout"  # reads what is dropped, and the shape of the random numbers; states the rate
LAYER_NORM = "~layer_norm"  # reads what is normalised, and the shapes that it was given before and behind; states eps
BATCH_NORM = "~batch_norm"  # reads what is normalised, mean, variance, scale and shift; "" for one that is left out
WRAPPED = "~wrapped"  # an attribute of a gather: its last input is where an index that is negative counts from
FACTOR = "~factor"  # reads what is multiplied by a number that went into weights
LOST_SCALE = "~lost_scale"  # reads what is multiplied by a vector that may have gone into a map behind it
LOST_SHIFT = "~lost_shift"  # the same of one that is added
SHIFTED_MAP = "~shifted_map"  # reads rows, a matrix and a shift
FLAT_MAP = "~flat_map"  # reads tokens, a matrix, and the shapes that they were given before and behind
NORMS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_UNIFORM = frozenset(op for op in RANDOM if "Uniform" in op and "Int" not in op)
_SAME = frozenset({"Identity", "Cast", "StopGradient"})
_WINDOWS = frozenset({"Conv2D", "DepthwiseConv2dNative", "MaxPool"})
_CLOSE = 1e-5

Nodes = Mapping[str, Node]


def raised(nodes: Nodes) -> Nodes:
    """The nodes of one graph, with those in the places of others that mean more."""
    found: dict[str, Node] = {}
    for node in nodes.values():
        make = _MAKES.get(node.op)
        made = make(nodes, node) if make is not None else None
        if made is not None:
            found[node.name] = made
    return {**nodes, **found} if found else nodes


def draws(node: Node) -> bool:
    """Whether a node does what only training does: it gives random numbers, or takes the statistics of a batch."""
    return (
        node.op == DROPOUT
        or node.op in RANDOM
        or (node.op in (*NORMS, BATCH_NORM) and bool(node.attrs.get("is_training", True)))
    )


def _giver(nodes: Nodes, text: str, through: frozenset[str] = frozenset()) -> Node | None:
    """The node whose first output an input is, behind those that change nothing."""
    for _ in range(8):
        told = ref(text)
        node = nodes.get(told.name)
        if node is None or told.index:
            return None
        if node.op not in through or not node.inputs:
            return node
        text = node.inputs[0]
    return None


def held(nodes: Nodes, text: str) -> Held | None:
    """The numbers that an input is, where it is a constant."""
    node = _giver(nodes, text, frozenset({"Identity"}))
    told: Any = node.attrs.get("value") if node is not None and node.op == "Const" else None
    return told.numbers if isinstance(told, Stored) else None


def _number(nodes: Nodes, text: str) -> float | None:
    numbers = held(nodes, text)
    only = numbers.flat[0] if numbers is not None and numbers.single else None
    return float(only) if isinstance(only, (int, float)) else None


def _is_all(nodes: Nodes, text: str, value: float) -> bool:
    """Whether an input is this number everywhere."""
    node = _giver(nodes, text, _SAME)
    if node is None:
        return False
    if node.op == "Fill" and len(node.inputs) == 2:
        return _number(nodes, node.inputs[1]) == value
    if node.op in ("ZerosLike", "OnesLike"):
        return value == (node.op == "OnesLike")
    numbers = held(nodes, text)
    return numbers is not None and bool(numbers.flat) and all(one == value for one in numbers.flat)


# ---- dropout


def _by_select(nodes: Nodes, node: Node) -> Node | None:
    """`where(random >= rate, x / (1 - rate), 0)`."""
    if len(node.inputs) != 3 or not _is_all(nodes, node.inputs[2], 0):
        return None
    kept = _kept(nodes, node.inputs[0])
    return None if kept is None else _dropped(nodes, node, node.inputs[1], *kept)


def _by_product(nodes: Nodes, node: Node) -> Node | None:
    """`x / (1 - rate) * (random >= rate)`, the older spelling; or `* floor(random + 1 - rate)`, the oldest."""
    if len(node.inputs) != 2:
        return None
    for at in (1, 0):
        kept = _kept(nodes, node.inputs[at]) or _floored(nodes, node.inputs[at])
        if kept is not None:
            return _dropped(nodes, node, node.inputs[1 - at], *kept)
    return None


def _kept(nodes: Nodes, text: str) -> tuple[float, str] | None:
    """The rate, and the shape of the random numbers, of a mask of what is kept."""
    test = _giver(nodes, text, _SAME)
    if test is None or test.op != "GreaterEqual" or len(test.inputs) != 2:
        return None
    rate, shape = _number(nodes, test.inputs[1]), _uniform(nodes, test.inputs[0])
    return None if rate is None or shape is None or not 0 <= rate < 1 else (rate, shape)


def _floored(nodes: Nodes, text: str) -> tuple[float, str] | None:
    floor = _giver(nodes, text, _SAME)
    total = _giver(nodes, floor.inputs[0]) if floor is not None and floor.op == "Floor" and floor.inputs else None
    if total is None or total.op not in ("Add", "AddV2") or len(total.inputs) != 2:
        return None
    for at in (0, 1):
        keep, shape = _number(nodes, total.inputs[at]), _uniform(nodes, total.inputs[1 - at])
        if keep is not None and shape is not None and 0 < keep <= 1:
            return round(1 - keep, 9), shape
    return None


def _uniform(nodes: Nodes, text: str) -> str | None:
    """The shape of random numbers between 0 and 1; they may be spelled `random * (1 - 0) + 0`."""
    node = _giver(nodes, text, _SAME)
    if node is not None and node.op in ("Add", "AddV2") and _is_all(nodes, node.inputs[1], 0):
        node = _giver(nodes, node.inputs[0])
    if node is not None and node.op == "Mul" and _is_one(nodes, node.inputs[1]):
        node = _giver(nodes, node.inputs[0])
    return node.inputs[0] if node is not None and node.op in _UNIFORM and node.inputs else None


def _is_one(nodes: Nodes, text: str) -> bool:
    node = _giver(nodes, text)
    if node is not None and node.op == "Sub":
        return _number(nodes, node.inputs[0]) == 1 and _number(nodes, node.inputs[1]) == 0
    return _number(nodes, text) == 1


def _dropped(nodes: Nodes, node: Node, text: str, rate: float, shape: str) -> Node | None:
    """Dropout of what was divided by the part that is kept; None where it was divided by something else."""
    scaled = _giver(nodes, text)
    if rate == 0 or scaled is None:
        return None
    for at in (1, 0) if scaled.op == "Mul" else (1,) if scaled.op == "RealDiv" else ():
        factor = _number(nodes, scaled.inputs[at])
        if factor is None:
            continue
        left = factor * (1 - rate) if scaled.op == "Mul" else factor / (1 - rate)
        if math.isclose(left, 1, abs_tol=_CLOSE):
            return Node(node.name, DROPOUT, (scaled.inputs[1 - at], shape), {"rate": rate})
    return None


# ---- layer norm


def _by_batch_norm(nodes: Nodes, node: Node) -> Node | None:
    """Each token as a channel of a batch of one, normalised by its own statistics, and laid out as before.

    Keras normalises so where eps is no less than the fused op takes: `reshape(x, [1, tokens, features, 1])`.
    """
    norm = _giver(nodes, node.inputs[0]) if len(node.inputs) == 2 else None
    if norm is None or norm.op not in NORMS or len(norm.inputs) < 3 or not norm.attrs.get("is_training", True):
        return None
    if norm.attrs.get("data_format") != "NCHW" or ref(node.inputs[0]).output not in ("", "y"):
        return None
    if not _is_all(nodes, norm.inputs[1], 1) or not _is_all(nodes, norm.inputs[2], 0):
        return None
    laid_out = _giver(nodes, norm.inputs[0])
    if laid_out is None or laid_out.op != "Reshape" or len(laid_out.inputs) != 2:
        return None
    return Node(
        node.name, LAYER_NORM, (laid_out.inputs[0], laid_out.inputs[1], node.inputs[1]),
        {"eps": norm.attrs.get("epsilon", 1e-4)},
    )  # fmt: skip


# ---- batch norm


def _by_formula(nodes: Nodes, node: Node) -> Node | None:
    """`x * inv + (shift - mean * inv)`, where inv is `rsqrt(variance + eps) * scale`, with statistics that are not
    computed from x, or computed over its batch."""
    if len(node.inputs) != 2:
        return None
    for at in (0, 1):
        scaled, rest = _giver(nodes, node.inputs[at]), _giver(nodes, node.inputs[1 - at])
        if scaled is None or rest is None or scaled.op != "Mul" or rest.op not in ("Sub", "Neg"):
            continue
        product = _giver(nodes, rest.inputs[-1])
        if product is None or product.op != "Mul":
            continue
        for one in (0, 1):
            for other in (0, 1):
                if scaled.inputs[one] == product.inputs[other]:
                    shift = rest.inputs[0] if rest.op == "Sub" else ""
                    made = _of_formula(
                        nodes, node, scaled.inputs[1 - one], product.inputs[1 - other], scaled.inputs[one], shift
                    )
                    if made is not None:
                        return made
    return None


def _of_formula(nodes: Nodes, node: Node, text: str, mean: str, inverse: str, shift: str) -> Node | None:
    scale, root = "", _giver(nodes, inverse)
    if root is not None and root.op == "Mul":
        for at in (0, 1):
            inner = _giver(nodes, root.inputs[at])
            if inner is not None and inner.op == "Rsqrt":
                scale, root = root.inputs[1 - at], inner
                break
    total = _giver(nodes, root.inputs[0]) if root is not None and root.op == "Rsqrt" else None
    if total is None or total.op not in ("Add", "AddV2"):
        return None
    eps, variance = _number(nodes, total.inputs[1]), total.inputs[0]
    if eps is None:
        return None
    axes = _of_batch(nodes, text, mean, variance)
    if axes is None and not (_is_kept(nodes, mean) and _is_kept(nodes, variance)):
        return None
    given = tuple(one for one in (text, mean, variance, scale, shift) if one)
    attrs = {"eps": eps, "is_training": axes is not None, "axes": axes, "scaled": bool(scale), "shifted": bool(shift)}
    return Node(node.name, BATCH_NORM, given, attrs)


def _is_kept(nodes: Nodes, text: str) -> bool:
    """Whether a value is read from a variable."""
    node = _giver(nodes, text, frozenset({"Identity", "Cast", "Reshape"}))
    if node is None:
        return False
    return node.op == "ReadVariableOp" or (node.op == "Const" and _number(nodes, text) is None)


def _of_batch(nodes: Nodes, text: str, mean: str, variance: str) -> tuple[int, ...] | None:
    """The axes over which statistics are taken; None where they are not those of the batch."""
    one, other = (_giver(nodes, told, frozenset({"Squeeze"})) for told in (mean, variance))
    if one is None or other is None or one.op != "Mean" or other.op != "Mean":
        return None
    axes = [held(nodes, node.inputs[1]) for node in (one, other)]
    square = _giver(nodes, other.inputs[0])
    if axes[0] is None or axes[1] is None or axes[0].flat != axes[1].flat or 0 not in axes[0].flat:
        return None
    if one.inputs[0] != text or square is None or square.op != "SquaredDifference":
        return None
    centre = _giver(nodes, square.inputs[1], frozenset({"StopGradient"}))
    return (
        tuple(axes[0].whole()) if square.inputs[0] == text and centre is not None and centre.name == one.name else None
    )


# ---- maps of tokens that are laid out flat


def _by_matmul(nodes: Nodes, node: Node) -> Node | None:
    """`reshape(matmul(reshape(x, [-1, features]), w), [*tokens, outputs])`."""
    product = _giver(nodes, node.inputs[0]) if len(node.inputs) == 2 else None
    if product is None or product.op != "MatMul":
        return _by_batch_norm(nodes, node)
    if product.attrs.get("transpose_a") or product.attrs.get("transpose_b"):
        return None
    flat = _giver(nodes, product.inputs[0])
    if flat is None or flat.op != "Reshape":
        return None
    return Node(node.name, FLAT_MAP, (flat.inputs[0], product.inputs[1], flat.inputs[1], node.inputs[1]))


# ---- rows of a table


def _by_wrapped(nodes: Nodes, node: Node) -> Node | None:
    """An index that is counted from the end where it is negative, `where(i < 0, i + rows, i)`, names the same row."""
    index = _giver(nodes, node.inputs[1]) if len(node.inputs) > 1 else None
    if index is None or index.op != "SelectV2":
        return None
    test, total = (_giver(nodes, one) for one in index.inputs[:2])
    plain = index.inputs[2]
    if test is None or total is None or test.op != "Less" or total.op not in ("Add", "AddV2"):
        return None
    if test.inputs[0] != plain or total.inputs[0] != plain or _number(nodes, test.inputs[1]) != 0:
        return None
    inputs = (node.inputs[0], plain, *node.inputs[2:], total.inputs[1])
    return Node(node.name, node.op, inputs, {**node.attrs, WRAPPED: True})


# ---- padding


def _padded(nodes: Nodes, node: Node) -> Node | None:
    """A window over what was padded on both sides of its axes of space, as one that pads itself.

    A maximum is taken over what is less than all numbers, a sum of products over zeros.
    """
    if node.attrs.get("padding") != "VALID" or not node.inputs:
        return None
    pad = _giver(nodes, node.inputs[0])
    if pad is None or pad.op not in ("Pad", "PadV2") or len(pad.inputs) < 2:
        return None
    by = 0.0 if pad.op == "Pad" else _number(nodes, pad.inputs[2])
    if by != (-math.inf if node.op == "MaxPool" else 0.0):
        return None
    sides = held(nodes, pad.inputs[1])
    if sides is None or sides.shape != (4, 2):
        return None
    amounts = sides.whole()
    pairs = [(amounts[2 * at], amounts[2 * at + 1]) for at in range(4)]
    space = (1, 2) if str(node.attrs.get("data_format", "NHWC")) == "NHWC" else (2, 3)
    if any(pairs[at] != (0, 0) for at in range(4) if at not in space) or any(one != two for one, two in pairs):
        return None
    attrs = {**node.attrs, "padding": "EXPLICIT", "explicit_paddings": amounts}
    return Node(node.name, node.op, (pad.inputs[0], *node.inputs[1:]), attrs)


_MAKES = {
    "Select": _by_select,
    "SelectV2": _by_select,
    "Mul": _by_product,
    "Reshape": _by_matmul,
    **dict.fromkeys(("Add", "AddV2"), _by_formula),
    **dict.fromkeys(("Gather", "GatherV2", "ResourceGather"), _by_wrapped),
    **dict.fromkeys(_WINDOWS, _padded),
}
