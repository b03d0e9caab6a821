"""An exported program as a recording: each node becomes a call, as the tracer would have told it.

So that the same tables and the same evaluator serve. What the export has spelled out is put together again where the
file tells that it was one call: indexing, layers of torch, attention with its projections. In-place operations keep
their meaning: what they give is the tensor that they write into.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archcheck.frontends import dialects
from archcheck.frontends.torch_export import attention, indexing, spelled
from archcheck.frontends.torch_export.aten import Called, base_of, called, is_check, is_inplace, is_view, takes
from archcheck.frontends.torch_export.layers import weights_of, whole_layer
from archcheck.frontends.torch_export.program import Frame, Graph, Node, Program, Tensor
from archcheck.frontends.trace.replay import CONSTRUCTED
from archcheck.frontends.trace.wire import Call, Encoded, Recording, Site, Weight

MOST_NUMBERS = 64  # of a constant that are told
_INLINED = {"wrap_with_set_grad_enabled": 2, "wrap_with_autocast": 5}  # arguments before the operands, the graph last
_HIGHER = "torch.ops.higher_order."
_FORMATS = {1: "B", 2: "b", 3: "h", 4: "i", 5: "q", 7: "f", 8: "d", 12: "?"}  # of dtypes


@dataclass
class Saved:
    """What lies beside the program in its archive.

    Attributes:
        aliases: name of a learned tensor -> the names that are the same tensor, the first one first.
        numbers: reads the bytes of a constant, by its name; None where they are not told as plain numbers.
    """

    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    numbers: Callable[[str], bytes | None] = lambda name: None


def recording_of(
    program: Program, symbol: str, saved: Saved, site: Callable[[Sequence[Frame]], Site | None]
) -> Recording:
    """The calls of a program, in order.

    Args:
        program: as parsed.
        symbol: what it is called.
        saved: what lies beside it.
        site: gives the place that reports show for lines of code, outermost first.
    """
    return _Recorder(program, saved, site).recording(symbol)


class _Recorder:
    def __init__(self, program: Program, saved: Saved, site: Callable[[Sequence[Frame]], Site | None]) -> None:
        self.program = program
        self.saved = saved
        self.site = site
        self.same: dict[int, int] = {}  # a tensor -> the one that it is
        self.calls: list[Call] = []
        self.zeros: set[int] = set()
        self.plain: dict[int, Encoded] = {}  # constants that are one number
        self.learned = {number: tuple(saved.aliases.get(name, (name,))) for number, name in program.parameters.items()}

    def recording(self, symbol: str) -> Recording:
        program = self.program
        self._constants()
        self._graph(program.graph)
        weights = [Weight(names[0], number, learned=True) for number, names in self.learned.items()]
        weights += [Weight(name, number, learned=False) for number, name in program.buffers.items()]
        weights += [Weight(name, number, learned=False) for number, name in program.constants.items()]
        return Recording(
            symbol=symbol,
            calls=tuple(self.calls),
            inputs=tuple(program.inputs),
            weights=tuple(weights),
            results=tuple(self._resolved(number) for number in program.results),
            shapes=tuple(one.shape for one in program.tensors),
            modules=(),
            guesses=(),
            assumed=tuple(program.sizes.values()),
            given=(),
            error="",
            times={},
        )

    # ---- values

    def _resolved(self, number: int) -> int:
        while number in self.same:
            number = self.same[number]
        return number

    def _real(self, value: Encoded) -> Encoded:
        """A value in which each tensor goes by the first of its numbers."""
        if type(value) is not list:
            return value
        if value[0] == "t":
            return ["t", self._resolved(value[1])]
        if value[0] == "x":
            return value
        return [value[0], *(self._real(one) for one in value[1:])]

    def _told(self, value: Encoded) -> Tensor | None:
        is_tensor = type(value) is list and value[0] == "t"
        return self.program.tensors[self._resolved(value[1])] if is_tensor else None

    def _rank(self, value: Encoded) -> int:
        told = self._told(value)
        return len(told.shape) if told is not None else 0

    def _contiguous(self, value: Encoded) -> bool:
        told = self._told(value)
        if told is None:
            return False
        step, expected = 1, []
        for size in reversed(told.shape):
            expected.append(step)
            step *= max(size, 1)
        return tuple(reversed(expected)) == told.strides

    def _constants(self) -> None:
        """Constants whose numbers are told are calls of `torch.tensor`."""
        for number, name in list(self.program.constants.items()):
            told = self.program.tensors[number]
            count = 1
            for size in told.shape:
                count *= size
            form = _FORMATS.get(told.dtype)
            data = self.saved.numbers(name) if form is not None and 0 < count <= MOST_NUMBERS else None
            if form is None or data is None or len(data) != count * struct.calcsize("<" + form):
                continue
            if not self._contiguous(["t", number]):
                continue
            numbers = list(struct.unpack(f"<{count}{form}", data))
            del self.program.constants[number]
            if not told.shape:
                self.plain[number] = numbers[0]
            self.calls.append(
                Call("torch.tensor", "", None, [_nested(numbers, told.shape)], {}, ["t", number], (), (), False)
            )

    # ---- calls

    def _graph(self, graph: Graph) -> None:
        nodes = [node for node in graph.nodes if not is_check(node.target) and node.given is not None]
        at = 0
        while at < len(nodes):
            at = self._step(nodes, at)

    def _step(self, nodes: Sequence[Node], at: int) -> int:
        """Tell the call that starts at a node; where it ends."""
        node = nodes[at]
        found = attention.whole_attention(nodes, at, self.program.tensors, self.learned, self._real)
        if found is not None:
            end, args, kwargs, given = found
            self._add(node, "torch.nn.MultiheadAttention", args, kwargs, given)
            return end
        call = spelled.spelled_call(nodes, at, self._real, self.learned)
        if call is not None:
            end, name, args, kwargs, given = call
            last = replace(node, given=given, kwargs={})
            if name != "linear" or not self._whole(last, name, args):
                self._add(node, f"torch.nn.functional.{name}" if name == "linear" else name, args, kwargs, given)
            return end
        put = indexing.assignment(nodes, at, self._rank)
        if put is not None:
            end, tensor, index, value = put
            real = self._real(tensor)
            value = self.plain.get(_number(value), value)
            self._add(node, "torch.Tensor.__setitem__", [real, index, value], {}, real, written=(real[1],))
            for one in nodes[at:end]:
                self._alias(one.given, real[1])
            return end
        if indexing.is_part(node) and node.args:
            return self._indexing(nodes, at)
        if node.target.startswith(_HIGHER):
            self._higher(node)
        else:
            self._plain(node)
        return at + 1

    def _indexing(self, nodes: Sequence[Node], at: int) -> int:
        end = indexing.chain(nodes, at)
        node, last = nodes[at], nodes[end - 1]
        try:
            index = indexing.index_of(nodes[at:end], self._rank(node.args[0]))
        except (ValueError, TypeError, IndexError):
            end, last = at + 1, node
            try:
                index = indexing.index_of([node], self._rank(node.args[0]))
            except (ValueError, TypeError, IndexError):
                self._plain(node)
                return end
        tensor = self._real(node.args[0])
        if index == ["e"]:
            self._add(node, "torch.detach", [tensor], {}, last.given, of=tensor)
            return end
        looks = None if base_of(last.target) == "index" else tensor
        self._add(node, "torch.Tensor.__getitem__", [tensor, index], {}, last.given, of=looks)
        return end

    def _higher(self, node: Node) -> None:
        word = node.target[len(_HIGHER) :]
        before = _INLINED.get(word, 0)
        inner = [
            arg for arg in node.args if isinstance(arg, list) and arg[0] == "x" and str(arg[1]).startswith("graph ")
        ]
        if before and len(inner) == 1:
            graph = self.program.graphs[int(inner[0][1].partition(" ")[2])]
            operands = node.args[node.args.index(inner[0]) + 1 :]
            tensors = [arg[1] for arg in _flat(operands)]
            if len(tensors) == len(graph.inputs):
                for number, operand in zip(graph.inputs, tensors, strict=True):
                    self.same[number] = self._resolved(operand)
                self._graph(graph)
                given = [one[1] for one in _flat([node.given])]
                outputs = [one[1] for one in _flat(list(graph.outputs))]
                for number, output in zip(given, outputs, strict=False):
                    self.same[number] = self._resolved(output)
                return
        args = [arg for arg in node.args if arg not in inner]
        self._add(node, f"torch.ops.higher_order.{word}", args, node.kwargs, node.given)

    def _plain(self, node: Node) -> None:
        base = base_of(node.target)
        if self._whole(node, base, node.args):
            return
        if base == "zeros":
            self.zeros |= {one[1] for one in _flat([node.given])}
        call = called(node.target, node.args, dict(node.kwargs), self._rank)
        given = node.given
        if call.first and isinstance(given, list) and given[0] in ("u", "l"):
            given = given[1]
        part = replace(node, given=given, kwargs=call.kwargs)
        if not call.name.endswith(f".{base}") and self._whole(part, call.name.rpartition(".")[2], call.args):
            return
        call = spelled.as_written(node, call)
        if not takes(base, call.args):  # no torch writes that
            call = Called(f"aten.{base}" if base else node.target, call.args, {}, call.first)
        first = self._real(node.args[0]) if node.args else None
        of = first if is_view(node.target, self._contiguous(first)) else None
        written: tuple[int, ...] = ()
        if is_inplace(node.target) and isinstance(first, list) and first[0] == "t":
            written, of = (first[1],), None
            self._alias(given, first[1])
            given = first
        self._add(node, call.name, call.args, call.kwargs, given, of=of, written=written)

    def _alias(self, given: Encoded, number: int) -> None:
        for one in _flat([given]):
            if one[1] != number:
                self.same[one[1]] = number

    def _whole(self, node: Node, base: str, arguments: Sequence[Encoded]) -> bool:
        """Tell the call of a layer, if an op is all that a layer of torch computes; whether it is."""
        if not node.modules or node.kwargs:
            return False
        path, cls = node.modules[-1]
        name = dialects.canonical(cls)
        args = [self._real(arg) for arg in arguments]
        built = whole_layer(name, base, args, self._told)
        if built is None or dialects.layer(name) is None:
            return False
        for word, weight in weights_of(base, args).items():
            if weight is not None and f"{path}.{word}".lstrip(".") not in self.learned.get(_number(weight), ()):
                return False
        tensors, attributes = built
        given = node.given
        if base == "lstm":
            given = ["u", given[1], ["u", *given[2:]]]
        if len(tensors) == 2 and all(one[1] in self.zeros for one in _flat(tensors[1:])):
            del tensors[1]  # what it starts from where it is given nothing
        constructed: list[Encoded] = ["d", "args", None, "kwargs", None, "attributes", ["d", *_pairs(attributes)]]
        self._add(node, name, tensors, {CONSTRUCTED: constructed}, given)
        return True

    def _add(
        self,
        node: Node,
        name: str,
        args: Sequence[Encoded],
        kwargs: Mapping[str, Encoded],
        given: Encoded,
        *,
        of: Encoded = None,
        written: tuple[int, ...] = (),
    ) -> None:
        given = self._real(given)
        views: tuple[tuple[int, int], ...] = ()
        if isinstance(of, list) and of[0] == "t":
            views = tuple((one[1], of[1]) for one in _flat([given]) if one[1] != of[1])
        real = {key: self._real(value) for key, value in kwargs.items()}
        args = [self._real(arg) for arg in args]
        self.calls.append(Call(name, node.place, self.site(node.frames), args, real, given, written, views, False))


def _number(value: Encoded) -> int:
    return value[1] if isinstance(value, list) and value[0] == "t" else -1


def _pairs(found: Mapping[str, Encoded]) -> list[Encoded]:
    return [part for pair in found.items() for part in pair]


def _flat(values: Sequence[Encoded]) -> list[Any]:
    """The tensors in values, in order."""
    found: list[Any] = []
    for value in values:
        if type(value) is not list:
            continue
        if value[0] == "t":
            found.append(value)
        elif value[0] != "x":
            found += _flat(value[1:])
    return found


def _nested(numbers: list[Any], shape: Sequence[int]) -> Encoded:
    """Numbers as nested lists of a shape."""
    if not shape:
        return numbers[0]
    step = len(numbers) // max(shape[0], 1)
    return ["l", *(_nested(numbers[at : at + step], shape[1:]) for at in range(0, len(numbers), step))]
