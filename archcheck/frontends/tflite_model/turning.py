"""Operators of TensorFlow Lite as ops of TensorFlow's graphs, over which the reader of those goes on.

The dialect says which op an operator is. What is turned here is laid out otherwise: filters have their outputs first,
what is computed from a result stands in the operator, numbers that never change are options.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from archcheck.frontends.bounded import MERGED
from archcheck.frontends.dialects.tflite import FUSED, PREFIX, REASONS, SAME
from archcheck.frontends.tensorflow_graph.nodes import Function, Graph, Held, Node, NonsenseError, Stored
from archcheck.frontends.tensorflow_graph.wire import Type
from archcheck.frontends.tflite_model import schema
from archcheck.frontends.tflite_model.flex import node_in
from archcheck.frontends.tflite_model.folding import unfolded
from archcheck.frontends.tflite_model.model import Info, Model, Operator, Subgraph
from archcheck.frontends.tflite_model.operators import NOT_TOLD, OPTIONAL, OWN, called

_NO_NAME = re.compile(r"[^\w.\-/ ]")
# of TensorFlow's own, those that run functions or keep tensors, which the file tells otherwise
_RUNNING = frozenset({
    "PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "While", "StatelessWhile", "VarHandleOp",
    "Const", "ReadVariableOp", "Placeholder", "Variable", "VariableV2", "Switch", "Merge", "Enter", "Exit",
    "NextIteration",
})  # fmt: skip
_INSIDE = frozenset({"UNIDIRECTIONAL_SEQUENCE_LSTM"})  # whose activation is of a state, and not of the result
_HOLDING = frozenset({"DEQUANTIZE", "DENSIFY"})  # a tensor of the file as it is, in another form


def graph_of(model: Model, number: int, inputs: dict[str, int], outputs: dict[str, int]) -> Graph:
    """One graph of a model, with the others as functions.

    Args:
        model: what the file tells.
        number: of the graph.
        inputs: names for what comes in, by its tensors.
        outputs: likewise for what goes out.
    """
    functions = {called(at): Turner(model, at).function() for at in _reached(model, number)}
    turner = Turner(model, number)
    nodes = unfolded(turner.nodes_of())
    given = {name: turner.given[at] for name, at in inputs.items() if at in turner.given}
    results = {name: turner.find(at) for name, at in outputs.items()}
    return Graph(nodes, functions, given, results, frozen=True, converted=True)


def _reached(model: Model, number: int) -> list[int]:
    """The graphs that one calls, and those that these call."""
    found: list[int] = []
    waiting = [number]
    while waiting:
        for operator in model.graphs[waiting.pop()].operators:
            for option in _CALLING.get(operator.code, ()):
                other = (operator.options or {}).get(option, -1)
                if not isinstance(other, int) or not 0 <= other < len(model.graphs):
                    raise NonsenseError(f"an operator calls a graph that is not there: {other}")
                if other not in found:
                    found.append(other)
                    waiting.append(other)
    return found


_CALLING = {"IF": ("then", "otherwise"), "WHILE": ("test", "body"), "CALL": ("graph",)}


class Turner:
    """Turns one graph.

    Args:
        model: what the file tells.
        number: of the graph.
    """

    def __init__(self, model: Model, number: int) -> None:
        self.told: Subgraph = model.graphs[number]
        self.names: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.nodes: dict[str, Node] = {}
        self.values: dict[int, str] = {}  # tensor -> what gives it
        self.given: dict[int, str] = {}
        self.constants: dict[tuple[int, tuple[int, ...]], str] = {}
        self.same: dict[int, int] = {}  # tensor -> the tensor of the file that it is
        self.uses = Counter(one for operator in self.told.operators for one in operator.inputs)
        self.base = ""

    def nodes_of(self) -> dict[str, Node]:
        for at in self.told.inputs:
            info = self.told.tensors[at]
            name = self.name(info.name or f"input_{at}")
            self.values[at] = self.given[at] = name
            shape = {} if info.shape is None else {"shape": info.shape}
            self.nodes[name] = Node(name, "Placeholder", (), shape)
        for operator in self.told.operators:
            self._turn(operator)
        return self.nodes

    def function(self) -> Function:
        """The graph as a function of what comes in."""
        nodes = unfolded(self.nodes_of())
        arguments = tuple(self.given[at] for at in self.told.inputs)
        for name in arguments:
            del nodes[name]
        return Function("", arguments, tuple(self.find(at) for at in self.told.outputs), nodes)

    # ---- names and values

    def name(self, told: str) -> str:
        """A name for a node: what the file calls its tensor, of which several ops may have become one."""
        plain = found = _NO_NAME.sub("_", told.partition(";")[0]).strip("/") or "tensor"
        while found in self.names:
            self.counts[plain] += 1
            found = f"{plain}_{self.counts[plain] + 1}"
        self.names.add(found)
        return found

    def info(self, at: int) -> Info:
        return self.told.tensors[at]

    def rank(self, at: int) -> int | None:
        shape = self.info(at).shape
        return None if shape is None else len(shape)

    def holds(self, at: int) -> bool:
        """Whether a tensor is one of the file."""
        return at in self.same or (at not in self.values and bool(self.info(at).buffer))

    def find(self, at: int) -> str:
        """What gives a tensor.

        Raises:
            NonsenseError: nothing before does.
        """
        if at in self.values:
            return self.values[at]
        if self.holds(at):
            return self.laid_out(at, ())
        info = self.info(at)
        if info.kept:  # what a run before has left in it
            self.values[at] = self.put(info.name, Node("", PREFIX + "VARIABLE", (), why=REASONS["VAR_HANDLE"]))
            return self.values[at]
        raise NonsenseError(f'the tensor "{info.name[:80]}" is read, and nothing before gives it')

    def laid_out(self, at: int, axes: tuple[int, ...], shape: tuple[int, ...] = ()) -> str:
        """A tensor of the file with its axes in another order, and then of another shape.

        Small ones are one for each that reads them: equal ones are kept as one.
        """
        info = self.info(self.same.get(at, at))
        stored = info.stored
        if axes and len(axes) != len(stored.shape):
            raise NonsenseError(f'the filter "{info.name[:80]}" has {len(stored.shape)} axes')
        if axes:
            stored = _moved(stored, axes)
        if shape:
            stored = replace(stored, shape=shape, numbers=None)
        shared = stored.real and 1 < math.prod(stored.shape) <= MERGED and self.uses[at] > 1
        key = (info.buffer, (*axes, -1, *stored.shape))
        if shared or key not in self.constants:
            name = self.name(info.name)
            self.nodes[name] = Node(name, "Const", (), {"value": replace(stored, name=name), "dtype": Type(info.type)})
            self.constants[key] = name
        return self.constants[key]

    def number(self, values: Any, *, real: bool = False) -> str:
        """Numbers that an option tells."""
        listed = isinstance(values, (list, tuple))
        flat = tuple(values) if listed else (values,)
        shape = (len(flat),) if listed else ()
        return self.add("Const", (), value=Stored("", shape, real, Held(shape, flat, real)))

    def add(self, op: str, inputs: Sequence[str], attrs: Mapping[str, Any] | None = None, **more: Any) -> str:
        """A node, by its name; it stands where its operator stands."""
        return self.put(self.base, Node("", op, tuple(inputs), {**(attrs or {}), **more}))

    def put(self, told: str, node: Node) -> str:
        """A node under a name that no other has."""
        name = self.name(told)
        self.nodes[name] = replace(node, name=name)
        return name

    # ---- operators

    def _turn(self, operator: Operator) -> None:
        if not operator.outputs:
            return  # it changes what is kept, which nothing is known of
        info = self.info(operator.outputs[0])
        self.base = info.name
        if operator.code in _HOLDING and len(operator.inputs) == 1 and self.holds(operator.inputs[0]):
            self.same[operator.outputs[0]] = self.same.get(operator.inputs[0], operator.inputs[0])
            return
        before = len(self.nodes)
        try:
            found = self._op(operator)
        except (IndexError, KeyError, ValueError, TypeError) as error:
            for name in list(self.nodes)[before:]:
                self.names.discard(name)
                del self.nodes[name]
            found = self.opaque(operator, f"it is given what it does not take ({type(error).__name__})")
        activation = (operator.options or {}).get("activation", 0)
        if activation and operator.code not in _INSIDE:
            known = type(activation) is int and 0 < activation < len(schema.ACTIVATIONS)
            code = schema.ACTIVATIONS[activation] if known and type(activation) is int else "UNKNOWN"
            why = "" if code in FUSED else "what it computes from its result is not known"
            found = self.put(self.base, Node("", FUSED.get(code, PREFIX + code), (found,), why=why))
        for place, at in enumerate(operator.outputs):
            if at in self.values:
                raise NonsenseError(f'the tensor "{self.info(at).name[:80]}" is given twice')
            self.values[at] = f"{found}:{place}" if place else found
        shapes = [one.shape for one in map(self.info, operator.outputs)]
        node = self.nodes[found]  # what an op of TensorFlow tells of its own shapes is less
        self.nodes[found] = replace(node, attrs={**node.attrs, "_output_shapes": shapes})

    def _op(self, operator: Operator) -> str:
        code = operator.code
        flows = [at for at in operator.inputs if at >= 0 and not self.holds(at)]
        if any(self.info(at).rounded for at in (*flows, *operator.outputs)):
            return self.opaque(operator, REASONS["QUANTIZE"])
        if operator.custom:
            op = operator.custom.removeprefix("Flex")
            node = node_in(operator.flex, op) if operator.flex and operator.custom not in REASONS else None
            if node is None or node.op in _RUNNING:
                return self.opaque(operator)
            return self.add(op, tuple(self.find(at) for at in operator.inputs), node.attrs)
        if code in REASONS:
            return self.opaque(operator)
        own = OWN.get(code)
        if operator.options is None and code not in OPTIONAL:
            return self.opaque(operator, NOT_TOLD)
        if own is not None:
            return own(self, operator)
        inputs = tuple(self.find(at) for at in operator.inputs)
        same = SAME.get(code)
        if same is None:
            return self.add(PREFIX + code, inputs)
        options = operator.options or {}
        attrs = {name: options[option] for name, option in same.options.items()}
        return self.add(same.op, tuple(inputs[at] for at in same.order) or inputs, attrs)

    def opaque(self, operator: Operator, why: str = "") -> str:
        name = _NO_NAME.sub("_", operator.custom).replace("/", "_")[:80] or operator.code
        inputs = tuple(self.find(at) for at in operator.inputs if at >= 0)
        reason = why or REASONS.get(name) or f"{PREFIX}{name} is not in the dialect"
        return self.put(self.base, Node("", PREFIX + name, inputs, why=reason))

    def filter(self, at: int, axes: tuple[int, ...]) -> str:
        """A filter with its axes in TensorFlow's order, whether it is of the file or computed."""
        if self.holds(at):
            return self.laid_out(at, axes)
        return self.add("Transpose", (self.find(at), self.number(list(axes))))

    def shifted(self, operator: Operator, found: str, at: int) -> str:
        """What an operator adds to its result, if it is given that."""
        if len(operator.inputs) <= at or operator.inputs[at] < 0:
            return found
        return self.add("BiasAdd", (found, self.find(operator.inputs[at])))


def _moved(stored: Stored, axes: tuple[int, ...]) -> Stored:
    """A tensor with its axes in another order."""
    if sorted(axes) != list(range(len(stored.shape))):
        raise NonsenseError("axes that a tensor does not have")
    shape = tuple(stored.shape[axis] for axis in axes)
    if stored.numbers is None:
        return replace(stored, shape=shape)
    steps = [math.prod(stored.shape[axis + 1 :]) for axis in range(len(stored.shape))]
    places = [0]
    for axis in axes:
        places = [place + at * steps[axis] for place in places for at in range(stored.shape[axis])]
    flat = stored.numbers.flat
    return replace(stored, shape=shape, numbers=Held(shape, tuple(flat[one] for one in places), stored.real))
