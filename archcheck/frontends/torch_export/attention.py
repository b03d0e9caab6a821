"""`torch.nn.MultiheadAttention`, whose projections and heads an exported program spells, as one layer again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archcheck.frontends import dialects
from archcheck.frontends.torch_export.aten import base_of
from archcheck.frontends.torch_export.program import Node, Tensor
from archcheck.frontends.trace.replay import CONSTRUCTED
from archcheck.frontends.trace.wire import Encoded

_CLASS = "torch.nn.MultiheadAttention"
_KERNEL = "scaled_dot_product_attention"
_PASSED = frozenset({"transpose", "contiguous", "view", "clone", "permute"})
MOST_PIECES = 96  # of one call
Whole = tuple[int, list[Encoded], dict[str, Encoded], Encoded]  # where it ends, arguments, keywords, what it gives


def whole_attention(
    nodes: Sequence[Node],
    at: int,
    tensors: Sequence[Tensor],
    learned: Mapping[int, tuple[str, ...]],
    real: Callable[[Encoded], Encoded],
) -> Whole | None:
    """The call of the layer that starts at a node; None where none starts there, or not all about it is plain."""
    node = nodes[at]
    if not node.modules or dialects.canonical(node.modules[-1][1]) != _CLASS:
        return None
    path = node.place
    end = at
    while end < len(nodes) and nodes[end].place == path:
        end += 1
        if end - at > MOST_PIECES:
            return None
    try:
        return _Layer(nodes[at:end], tensors, learned, path, real).call(end)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None


class _Layer:
    """The nodes of one layer's call."""

    def __init__(
        self,
        nodes: Sequence[Node],
        tensors: Sequence[Tensor],
        learned: Mapping[int, tuple[str, ...]],
        path: str,
        real: Callable[[Encoded], Encoded],
    ) -> None:
        self.nodes = nodes
        self.tensors = tensors
        self.real = real
        self.own = {
            number: name.rpartition(".")[2]
            if not name.endswith(("out_proj.weight", "out_proj.bias"))
            else name[len(path) :].lstrip(".")
            for number, names in learned.items()
            for name in names
            if name.startswith(f"{path}." if path else "")
        }
        self.givers = {number: node for node in nodes for number in _numbers([node.given])}

    def call(self, end: int) -> Whole | None:
        """The layer's call. Raises LookupError, TypeError or ValueError where the nodes are of another form."""
        kernel = next((node for node in self.nodes if base_of(node.target) == _KERNEL), None)
        sources = self._sources()
        outside = {
            number
            for node in self.nodes
            for number in _numbers([self.real(arg) for arg in (*node.args, *node.kwargs.values())])
            if number not in self.givers and number not in self.own
        }
        last = self.nodes[-1]
        if kernel is None or not sources or outside != set(sources):
            return None  # masks, or weights that are asked for
        query, key, value = (sources * 3)[:3] if len(sources) == 1 else (*sources, sources[-1])[:3]
        size = self.tensors[{name: number for number, name in self.own.items()}["out_proj.weight"]].shape[0]
        head = self.tensors[_numbers([kernel.args[0]])[0]].shape[-1]
        given = [*kernel.args, *([None] * 3)]
        if given[3] is not None or given[5]:
            return None
        first = self.nodes[0]
        batch_first = base_of(first.target) == "transpose" and sorted(map(int, first.args[1:3])) == [0, 1]
        attributes: list[Encoded] = [
            "d", "embed_dim", size, "num_heads", size // head, "dropout", given[4] or 0.0,
            "bias", "in_proj_bias" in self.own.values(), "batch_first", batch_first,
        ]  # fmt: skip
        constructed: Encoded = ["d", "args", None, "kwargs", None, "attributes", attributes]
        kwargs: dict[str, Encoded] = {"need_weights": False, CONSTRUCTED: constructed}
        return end, [["t", query], ["t", key], ["t", value]], kwargs, ["u", last.given, None]

    def _sources(self) -> list[int]:
        """What the projections read, in the order of query, key and value."""
        return [
            self._before(node.args[0])
            for node in self.nodes
            if base_of(node.target) == "linear" and self._weight(node.args[1]).startswith("in_proj")
        ]

    def _weight(self, value: Encoded) -> str:
        """The name of the learned tensor that a value is, or is cut from."""
        number = _numbers([self.real(value)])[0]
        while number in self.givers:
            number = _numbers([self.real(self.givers[number].args[0])])[0]
        return self.own.get(number, "")

    def _before(self, value: Encoded) -> int:
        """The tensor that a value is another layout of, given from outside."""
        number = _numbers([self.real(value)])[0]
        while number in self.givers:
            if base_of(self.givers[number].target) not in _PASSED:
                raise ValueError("what is projected is computed within")
            number = _numbers([self.real(self.givers[number].args[0])])[0]
        return number


def _numbers(values: Sequence[Encoded]) -> list[int]:
    found: list[int] = []
    for value in values:
        if type(value) is list:
            if value[0] == "t":
                found.append(value[1])
            elif value[0] != "x":
                found += _numbers(value[1:])
    return found
