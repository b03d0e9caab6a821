"""Calls of torch that an export has spelled out in smaller ops; it keeps which call each of these belongs to.

`F.normalize` always comes in pieces, products and linear maps do where a program was decomposed. Only what is plainly
one call is put together: its pieces are those that it has, and each tensor from outside has its part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archcheck.frontends.torch_export.aten import Called, base_of
from archcheck.frontends.torch_export.program import Node
from archcheck.frontends.trace.wire import Encoded

Spelled = tuple[int, str, list[Encoded], dict[str, Encoded], Encoded]  # end, name, arguments, keywords, what it gives
MOST_PIECES = 16  # of one call
Real = Callable[[Encoded], Encoded]

_LAID_OUT = frozenset(
    ["view", "_unsafe_view", "reshape", "expand", "clone", "unsqueeze", "squeeze", "permute", "t", "transpose"]
)
_PRODUCTS = frozenset({"bmm", "mm"})
_MAPS = frozenset({"addmm", "mm"})


def spelled_call(nodes: Sequence[Node], at: int, real: Real, learned: Mapping[int, tuple[str, ...]]) -> Spelled | None:
    """The call whose pieces start at a node; None where there is none, or not all about it is plain.

    Args:
        nodes: of the graph.
        at: where.
        real: gives a value with each tensor under the first of its numbers.
        learned: numbers of learned tensors.
    """
    first = nodes[at]
    word = first.function.rpartition(".")[2]
    if word not in ("normalize", "matmul", "__matmul__", "linear"):
        return None
    end = at
    while end < len(nodes) and nodes[end].function == first.function and nodes[end].place == first.place:
        end += 1
        if end - at > MOST_PIECES:
            return None
    pieces = nodes[at:end]
    bases = [base_of(node.target) for node in pieces]
    try:
        if word == "normalize":
            return _normalize(pieces, bases, end, real)
        return _product(pieces, bases, end, real, learned, is_map=word == "linear")
    except (LookupError, TypeError, ValueError):
        return None


def as_written(node: Node, call: Called) -> Called:
    """A call under the name by which the code calls it, where an op computes that for some arguments only."""
    word, base = node.function.rpartition(".")[2], base_of(node.target)
    if word == "chunk" and base in ("split", "split_with_sizes") and isinstance(node.given, list):
        return Called("torch.chunk", [node.args[0], len(node.given) - 1, *node.args[2:3]], {})
    if word.startswith("adaptive_avg_pool") and base == "mean":
        return Called(f"torch.nn.functional.{word}", [node.args[0], 1], {})
    return call


def _normalize(pieces: Sequence[Node], bases: list[str], end: int, real: Real) -> Spelled | None:
    if bases not in (
        ["linalg_vector_norm", "clamp_min", "expand_as", "div"],
        ["linalg_vector_norm", "clamp", "expand", "div"],
    ):
        return None
    norm, clamp, _, ratio = pieces
    if real(ratio.args[0]) != real(norm.args[0]):
        return None
    axes = norm.args[2]
    axis = axes[1] if isinstance(axes, list) and len(axes) == 2 else axes
    kwargs: dict[str, Encoded] = {"p": norm.args[1], "dim": axis, "eps": clamp.args[1]}
    return end, "torch.nn.functional.normalize", [real(norm.args[0])], kwargs, ratio.given


def _product(
    pieces: Sequence[Node],
    bases: list[str],
    end: int,
    real: Real,
    learned: Mapping[int, tuple[str, ...]],
    *,
    is_map: bool,
) -> Spelled | None:
    """`matmul` as a batched product, `linear` as a product with a turned matrix, each between other layouts."""
    wanted = _MAPS if is_map else _PRODUCTS
    products = [node for node, base in zip(pieces, bases, strict=True) if base in wanted]
    if len(products) != 1 or not set(bases) <= _LAID_OUT | wanted:
        return None
    givers = {node.given[1]: node for node in pieces if node.given[0] == "t"}

    def outside(value: Encoded) -> Encoded:
        value = real(value)
        while value[0] == "t" and value[1] in givers:
            value = real(givers[value[1]].args[0])
        if value[0] != "t":
            raise TypeError("an operand is no tensor")
        return value

    operands = [outside(value) for value in products[0].args]
    if not is_map:
        turned = {"permute", "t", "transpose"} & set(bases)
        return None if turned else (end, "torch.matmul", operands, {}, pieces[-1].given)
    bias = operands[:1] if len(operands) == 3 else []
    if operands[-1][1] not in learned or not {"permute", "t"} & set(bases):
        return None
    return end, "linear", [operands[-2], operands[-1], *bias], {}, pieces[-1].given
