"""The nodes of an ONNX graph become ops, each looked up in the dialect tables as reading and tracing look names up.

Names are given their values in the order of the nodes, so that no graph runs in a circle; functions of the model are
spelled out where they are called. What tells shapes and axes is worked out as numbers (`numbers.py`), and is no op.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import archcheck.frontends.static.machine  # noqa: F401  # before its parts, which import it
from archcheck.frontends.bounded import MAX_NODES, MERGED, MOST_ROUNDS
from archcheck.frontends.dialects.onnx import MICROSOFT, OLDER, REASONS
from archcheck.frontends.onnx_model import calls, roles, windows
from archcheck.frontends.onnx_model.model import MAX_DEPTH, Function, Model, Node, NonsenseError, Stored
from archcheck.frontends.onnx_model.model import dims as told_dims
from archcheck.frontends.onnx_model.model import nodes as nodes_of
from archcheck.frontends.onnx_model.model import stored as stored_of
from archcheck.frontends.onnx_model.numbers import Held, held, worked_out
from archcheck.frontends.onnx_model.places import is_unsure
from archcheck.frontends.static import rows
from archcheck.frontends.static.machine import Machine, OutOfFuel, Raised
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import Data, Tensor, Tensors
from archcheck.ir.graph import OpGraph, Origin, Unknown, Value
from archcheck.ir.span import Span

_NOT_TOLD = "the file does not tell whether it is learned"
_ENORMOUS = 1e30  # no weight is as large: it hides scores
_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Where", "PRelu"})
_POWERS = frozenset({2.0, 0.5, -1.0, -0.5})  # that formulas write


@dataclass
class Scope:
    """The names of one graph or function."""

    values: dict[str, Any]
    opsets: Mapping[str, int]
    roles: roles.Roles
    attributes: Mapping[str, Any] = field(default_factory=dict)  # of the call, in a function
    place: str = ""
    calls: tuple[tuple[str, str, str], ...] = ()  # functions that are being spelled out
    depth: int = 0
    outer: Scope | None = None

    def find(self, name: str) -> Any:
        """The value of a name.

        Raises:
            NonsenseError: nothing before gives it.
        """
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.outer
        raise NonsenseError(f'"{name[:80]}" is read, and nothing before gives it')


class Builder:
    """Gives the graph of a model.

    Args:
        vm: records ops.
        model: what the file tells.
        place_of: where a node stands in the module tree, and in which line of code.
    """

    def __init__(self, vm: Machine, model: Model, place_of: Callable[[Node], tuple[str | None, Span | None]]) -> None:
        self.vm = vm
        self.model = model
        self.place_of = place_of
        self.left = MAX_NODES
        self.tensors: dict[tuple[str, int], Tensor] = {}  # of the file, by name and, of small ones, by who reads it
        self.weights: list[str] = []
        self.merged = False
        self.marks = roles.Marks({}, frozenset(), False)
        self.fed: set[str] = set()  # ops that are known to be computed from an input
        self.node = 0
        self.stands = vm.here()
        self.current: roles.Roles | None = None

    def graph(self, name: str) -> OpGraph:
        """The whole graph."""
        told = self.model.graph
        self.marks = roles.marks(told)
        scope = Scope({}, self.model.opsets, roles.of(told.node))
        self._sources(told, scope)
        self.vm.invoked = True
        self._run(told.node, scope)
        results = [self.tensor(scope.find(one.name)).value for one in told.output]
        mode = "train" if self.vm.training else "eval"
        return OpGraph(tuple(self.vm.recorder.ops), tuple(dict.fromkeys(results)), Origin(name, "", mode))

    def _sources(self, told: Any, scope: Scope) -> None:
        for one in told.initializer:
            self._give(scope, one.name, self._held(stored_of(one)))
        for one in told.input:
            if one.name in scope.values:
                continue  # older files list what they hold among their inputs
            with self.vm.standing(self.stands):
                self._give(scope, one.name, self.vm.emit("input", (), {"name": one.name}))
        for one in told.value_info:
            if one.name not in scope.values:
                scope.roles.shapes[one.name] = told_dims(one)

    def _give(self, scope: Scope, name: str, value: Any) -> None:
        if not name:
            return
        if name in scope.values:
            raise NonsenseError(f'"{name[:80]}" is given twice')
        scope.values[name] = value
        if isinstance(value, Tensor) and self.vm.sizes is not None and self.vm.sizes.shape(value.value) is None:
            dims = scope.roles.shapes.get(name)
            if dims is not None:
                self.vm.sizes.know(value.value, dims)

    # ---- nodes

    def _run(self, told: Iterable[Any], scope: Scope) -> None:
        for node in nodes_of(told):
            self.left -= 1
            if self.left < 0:
                raise NonsenseError(f"it has more than {MAX_NODES:,} nodes; its own functions are spelled out")
            self.node += 1
            self._node(node, scope)

    def _node(self, node: Node, scope: Scope) -> None:
        given = [scope.find(name) if name else None for name in node.inputs]
        attributes = dict(node.attributes)
        for name, outer in node.references.items():
            if outer in scope.attributes:
                attributes[name] = scope.attributes[outer]
        place, span = self.place_of(node)
        frame = self.vm.frames[-1]
        frame.place = scope.place if place is None else place
        self.vm.stands = span or self.stands
        self.current = scope.roles
        key = (node.domain, node.op, node.overload)
        function = self.model.functions.get(key)
        if function is not None:
            found = self._inlined(function, key, node, given, attributes, scope)
        else:
            found = self._results(node, given, attributes, scope)
        for name, value in zip(node.outputs, found, strict=False):
            self._give(scope, name, value)
        for name in node.outputs[len(found) :]:
            self._give(scope, name, self.opaque(node, given, "it has more results than its operator"))

    def _inlined(
        self,
        function: Function,
        key: tuple[str, str, str],
        node: Node,
        given: list[Any],
        attributes: Mapping[str, Any],
        scope: Scope,
    ) -> list[Any]:
        if key in scope.calls or scope.depth >= MAX_DEPTH:
            raise NonsenseError(f'the function "{node.op[:80]}" runs itself, or stands too deep in others')
        place = self.vm.frames[-1].place
        inner = Scope(
            dict(zip(function.inputs, [*given, *[None] * len(function.inputs)], strict=False)),
            function.opsets,
            roles.of(function.nodes),
            {**function.defaults, **attributes},
            place,
            (*scope.calls, key),
            scope.depth + 1,
        )
        self._run(function.nodes, inner)
        return [inner.find(name) for name in function.outputs]

    def _results(self, node: Node, given: list[Any], attributes: dict[str, Any], scope: Scope) -> list[Any]:
        """What an operator gives, one value for each of its outputs."""
        if node.domain in ("", "ai.onnx.ml") and node.op == "Constant":
            return [self._constant(attributes)]
        if node.graphs:
            found = self._of_graphs(node, given, scope)
            return found if found is not None else self._opaques(node, self._with_captured(node, given, scope), None)
        if not node.domain:
            numbers = [_number_of(one) for one in given]
            number = worked_out(self.vm, node.op, numbers, _plain(attributes))
            if number is not None:
                return [number]
        try:
            result = self._computed(node, given, attributes, scope)
        except (Raised, OutOfFuel) as error:
            return self._opaques(node, given, str(error))
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError) as error:
            why = f"it is given what it does not take ({type(error).__name__}: {str(error)[:80]})"
            return self._opaques(node, given, why)
        if node.op == "Add" and not node.domain:
            result = windows.added(calls.Call(self, node, "onnx.Add", given, attributes, 0), result)
        if result is rows.UNLISTED or result is None:
            return self._opaques(node, given, None)
        parts = list(result) if isinstance(result, (tuple, list)) else [result]
        if isinstance(result, Tensors):
            parts = [Tensor(Value(result.op, at)) for at in range(len(node.outputs))]
        return [
            self.opaque(node, given, part.why) if isinstance(part, Open) and name else part
            for part, name in zip(parts, [*node.outputs, *[""] * len(parts)], strict=False)
        ]

    def _computed(self, node: Node, given: list[Any], attributes: dict[str, Any], scope: Scope) -> Data:
        opset = scope.opsets.get("", 1)
        last = OLDER.get(node.op, 0) if not node.domain else 0
        if node.domain == "com.microsoft":
            name = MICROSOFT + node.op
        elif node.domain:
            return rows.UNLISTED
        else:
            name = f"onnx.until{last}.{node.op}" if opset <= last else f"onnx.{node.op}"
        call = calls.Call(self, node, name, given, attributes, opset)
        return calls.computed(call)

    # ---- graphs that operators are given

    def _of_graphs(self, node: Node, given: list[Any], scope: Scope) -> list[Any] | None:
        """What a branch or a loop gives of which the numbers tell what it runs; None for any other."""
        if node.domain or scope.depth >= MAX_DEPTH:
            return None
        if node.op == "If" and isinstance(given[0], Held) and isinstance(given[0].only(), (bool, int)):
            body = node.graphs["then_branch" if given[0].only() else "else_branch"]
            return self._spelled(body, {}, scope)
        if node.op == "Loop" and len(given) >= 2:
            count, body = given[0], node.graphs["body"]
            rounds = count.only() if isinstance(count, Held) else None
            keeps = given[1] is None or (isinstance(given[1], Held) and given[1].only() is True)
            names = [one.name for one in body.input]
            carried = given[2:]
            if not isinstance(rounds, int) or not 0 < rounds <= MOST_ROUNDS or not keeps:
                return None
            if len(names) != len(carried) + 2 or len(node.outputs) != len(carried):
                return None  # it gathers what its rounds give
            before = len(self.vm.recorder.ops), len(self.weights)
            for at in range(rounds):
                found = self._spelled(body, dict(zip(names, [held(at), held(True), *carried], strict=True)), scope)
                ends = found[0].only() if isinstance(found[0], Held) else None
                if ends is False and at + 1 < rounds:
                    return list(found[1:])  # it is known to end here
                if ends is not True and at + 1 < rounds:
                    self.undo(*before)
                    given_too = self._with_captured(node, given, scope)
                    return self._opaques(
                        node, given_too, "it ends by what a tensor holds, and how often it runs is not known"
                    )
                carried = found[1:]
            return list(carried)
        return None

    def _spelled(self, body: Any, values: dict[str, Any], scope: Scope) -> list[Any]:
        inner = Scope(
            values,
            scope.opsets,
            roles.of(body.node),
            scope.attributes,
            scope.place,
            scope.calls,
            scope.depth + 1,
            scope,
        )
        for one in body.initializer:
            self._give(inner, one.name, self._held(stored_of(one)))
        self._run(body.node, inner)
        return [inner.find(one.name) for one in body.output]

    def undo(self, ops: int, weights: int) -> None:
        """Take off what was recorded since there were so many ops and names."""
        recorder = self.vm.recorder
        gone = {op.path for op in recorder.ops[ops:]}
        del recorder.ops[ops:], self.weights[weights:]
        for path in gone:
            recorder.by_path.pop(path)
            recorder.positions.pop(path, None)
        self.fed -= gone
        self.tensors = {key: one for key, one in self.tensors.items() if one.value.op not in gone}

    def _with_captured(self, node: Node, given: list[Any], scope: Scope) -> list[Any]:
        """What an operator is given, with what its graphs read from outside."""
        found = list(given)
        stack = [(body, 0) for body in node.graphs.values()]
        seen: set[str] = set()
        while stack:
            body, depth = stack.pop()
            for inner in body.node:
                self.left -= 1
                for name in inner.input:
                    if name not in seen:
                        seen.add(name)
                        try:
                            found.append(scope.find(name))
                        except NonsenseError:
                            continue  # it is given inside
                stack += [(one.g, depth + 1) for one in inner.attribute if one.type == 5 and depth < MAX_DEPTH]
            if self.left < 0:
                raise NonsenseError(f"it has more than {MAX_NODES:,} nodes")
        return found

    # ---- values

    def _held(self, one: Stored) -> Any:
        """A tensor of the file: numbers where it is whole numbers, or one number that no layer has learned."""
        if one.numbers is None or (one.real and one.given and not one.numbers.single):
            return one
        if one.real and one.given and self.marks.learned(one.name) is not False and not _is_extreme(one.numbers.only()):
            return one
        return one.numbers

    def factor(self, one: Stored, node: Node, at: int) -> Data:
        """One number that an operator reads, open where it is not known whether it is learned; None for the rest."""
        if not one.real or not one.given or one.numbers is None or not one.numbers.single:
            return None
        if node.op not in _ARITHMETIC or node.domain or self.marks.learned(one.name) is True:
            return None
        number = one.numbers.only()
        if node.op == "Pow" and at == 1 and number in _POWERS:
            return number
        return self.vm.open(f"{_NOT_TOLD}: {one.name}")

    def _constant(self, attributes: Mapping[str, Any]) -> Any:
        told = next(iter(attributes.values()), None)
        if isinstance(told, Stored):
            return self._held(told)
        if isinstance(told, (int, float)) or (
            isinstance(told, list) and all(isinstance(one, (int, float)) for one in told)
        ):
            return held(told, isinstance(told, float) or any(isinstance(one, float) for one in _listed(told)))
        return self.vm.opaque("onnx.Constant", (), "it holds what is no number")

    def tensor(self, value: Any) -> Tensor:
        """A value as a tensor."""
        if isinstance(value, Tensor):
            return value
        if isinstance(value, Stored):
            return self._stored(value)
        if isinstance(value, Held):
            shape = tuple(value.array.shape)
            return self.vm.emit("constant", (), {"shape": shape, "value": value.plain()})
        if isinstance(value, Open):
            return self.vm.opaque("size", (), value.why)
        return self.vm.opaque("value", (), "what it is is not known")

    def may_be_folded(self, node: Node, calls: tuple[str, ...] = ("aten.conv",)) -> bool:
        """Whether a map of a graph for inference may be two in the code: itself, and a batch norm behind it."""
        if self.vm.training or self.current is None:
            return False
        readers = [one for name in node.outputs for one in self.current.readers.get(name, ())]
        return not (readers and all(one.op_type == "BatchNormalization" for one in readers)) and is_unsure(node, calls)

    def depends(self, value: Value) -> bool:
        """Whether a value is computed from an input."""
        waiting, seen = [value.op], {value.op}
        while waiting:
            path = waiting.pop()
            if path in self.fed:
                self.fed.add(value.op)
                return True
            op = self.vm.recorder.by_path[path]
            if op.kind.name == "input":
                self.fed.update((path, value.op))
                return True
            fresh = [read.op for read in op.reads if read.op not in seen]
            waiting += fresh
            seen.update(fresh)
        return False

    def _stored(self, value: Stored) -> Tensor:
        small = 1
        for size in value.shape:
            small *= size
        uses = self.current.uses.get(value.name, 0) if self.current is not None else 0
        shared = small <= MERGED and uses > 1 and value.given
        key = (value.name, self.node if shared else 0)
        if key not in self.tensors:
            self.tensors[key] = self._emitted(value, shared)
        return self.tensors[key]

    def _emitted(self, value: Stored, shared: bool) -> Tensor:
        vm = self.vm
        frame, stands = vm.frames[-1], vm.stands
        place, vm.stands = frame.place, self.stands
        if not shared:
            frame.place = calls.place_of_name(value.name)
        try:
            learned = value.given and value.real
            mark = self.marks.learned(value.name)
            learns = mark if mark is not None else self.current is None or self.current.learns(value.name, value.shape)
            if learned and learns is None:
                return vm.opaque("onnx.initializer", (), f"{_NOT_TOLD}: {value.name}")
            if learned and learns:
                self.merged = self.merged or shared
                if not shared:
                    self.weights.append(value.name)
                named = (
                    {"shape": value.shape} if shared or not value.name else {"shape": value.shape, "name": value.name}
                )
                made = vm.emit("parameter", (), named)
                made.learned = True
                return made
            why = Unknown(f"{_NOT_TOLD}: {value.name}" if learned else "what it holds is much")
            plain = value.numbers.plain() if value.numbers is not None and not learned else why
            return vm.emit("constant", (), {"shape": value.shape, "value": plain})
        finally:
            frame.place, vm.stands = place, stands

    # ---- what is not read

    def opaque(self, node: Node, given: Iterable[Any], why: str) -> Tensor:
        """An op that stands under its operator's name."""
        name = f"{node.domain or 'onnx'}.{node.op}"
        return self.vm.opaque(name, [self.tensor(one) for one in given if isinstance(one, (Tensor, Stored))], why)

    def _opaques(self, node: Node, given: list[Any], why: str | None) -> list[Any]:
        if why is None:
            reason = REASONS.get(node.op) if not node.domain else None
            why = reason or f"{node.domain or 'onnx'}.{node.op} is not in the dialect"
        first = self.opaque(node, given, why)
        if len(node.outputs) <= 1:
            return [first]
        return [first, *(self.vm.emit("select", (first,), {"index": at}) for at in range(1, len(node.outputs)))]


def _is_extreme(number: Any) -> bool:
    return isinstance(number, float) and not abs(number) < _ENORMOUS


def _number_of(value: Any) -> Any:
    return value.numbers if isinstance(value, Stored) and value.numbers is not None and not value.real else value


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        numbers = value.numbers if isinstance(value, Stored) else None
        found[name] = numbers.only() if numbers is not None and numbers.single else value
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
