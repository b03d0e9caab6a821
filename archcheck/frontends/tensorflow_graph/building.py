"""The nodes of a graph become ops, from its outputs back, each looked up in the dialect tables as reading and tracing
look names up.

Functions are spelled out where they are called; what tells shapes and axes is worked out as numbers (`numbers.py`), and
is no op. A variable is one learned tensor, however often it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import archcheck.frontends.static.machine  # noqa: F401  # before its parts, which import it
from archcheck.frontends.bounded import MAX_NODES, MOST_ROUNDS
from archcheck.frontends.dialects.tensorflow_raw import REASONS
from archcheck.frontends.static import rows
from archcheck.frontends.static.machine import Machine, OutOfFuel, Raised
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import Tensor, Tensors
from archcheck.frontends.tensorflow_graph import calls, folded, patterns
from archcheck.frontends.tensorflow_graph.names import RESULTS
from archcheck.frontends.tensorflow_graph.nodes import (
    MAX_DEPTH,
    Called,
    Function,
    Graph,
    Held,
    Node,
    NonsenseError,
    Ref,
    Rough,
    Stored,
    Variable,
    dims_of,
    ref,
)
from archcheck.frontends.tensorflow_graph.numbers import worked_out
from archcheck.frontends.tensorflow_graph.order import ordered, read_by
from archcheck.frontends.tensorflow_graph.roles import Roles
from archcheck.ir.graph import OpGraph, Origin, Unknown, Value

_PLACE = re.compile(r"[^\w.\-]")
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_BRANCHES = frozenset({"If", "StatelessIf"})
_LOOPS = frozenset({"While", "StatelessWhile"})
_HANDLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
_SAME = frozenset({
    "Identity", "StopGradient", "PreventGradient", "CheckNumerics", "EnsureShape", "Snapshot", "ReadVariableOp",
    "CheckNumericsV2", "DebugIdentityV2", "DisableCopyOnRead", "RefIdentity", "IdentityN", "Print", "PrintV2",
})  # fmt: skip
_MEETING = frozenset({"Merge", "RefMerge"})
_DEAD = object()  # what a branch gives that is not taken
_SEQUENCES = ("TensorList", "EmptyTensorList", "TensorArray", "tflite.FlexTensorList", "tflite.FlexEmptyTensorList")


@dataclass(eq=False)
class Handle:
    """A variable, which is read when something asks what it holds."""

    name: str
    shape: tuple[int, ...] | None
    variable: Variable | None = None
    tensor: Tensor | None = None


@dataclass
class Parts:
    """What a node gives, by number; of an op that is not known by the names of its outputs."""

    values: list[Any]
    named: dict[str, Any] = field(default_factory=dict)


@dataclass
class Scope:
    """The values of one graph or function."""

    nodes: Mapping[str, Node]
    values: dict[str, Parts]
    roles: Roles
    place: str = ""
    calls: tuple[str, ...] = ()  # functions that are being spelled out


class Builder:
    """Gives the graph of what a file tells.

    Args:
        vm: records ops.
        told: the graph.
    """

    def __init__(self, vm: Machine, told: Graph) -> None:
        self.vm = vm
        self.told = told
        self.left = MAX_NODES
        self.trains = False  # whether it does what only training does
        self.handles: dict[str, Handle] = {}
        self.stored: dict[tuple[str, str], Tensor] = {}
        self.weights: list[str] = []
        self.fed: set[str] = set()
        self.folded: set[str] = set()  # ops that may be more than they say
        self.sequences: set[str] = set()  # ops that give lists of tensors
        self.stands = vm.here()
        self.current: Scope | None = None
        self.known: dict[int, Mapping[str, Node]] = {}  # the nodes of functions, raised
        self.inputs = {node: name for name, node in told.inputs.items()}

    def graph(self, name: str) -> OpGraph:
        """The whole graph."""
        nodes = patterns.raised(self.told.nodes)
        scope = Scope(nodes, {}, Roles(nodes, self.told.frozen))
        self.vm.invoked = True
        for node in self.inputs:
            if node not in nodes:
                raise NonsenseError(f'the input "{node[:80]}" is no node')
            self._input(nodes[node], scope)
        wanted = [ref(one) for one in self.told.outputs.values()]
        if not wanted:
            raise NonsenseError("it gives nothing")
        self._run(scope, wanted)
        self.current = scope
        results = [self.tensor(self._find(scope, one)).value for one in wanted]
        mode = "train" if self.trains else "eval"
        return OpGraph(tuple(self.vm.recorder.ops), tuple(dict.fromkeys(results)), Origin(name, "", mode))

    # ---- the nodes of one graph

    def _run(self, scope: Scope, wanted: Sequence[Ref]) -> None:
        """Give the values that are wanted, and those that they take, in the order of the file as far as it goes."""
        before, self.current = self.current, scope
        for node, used in ordered(scope.nodes, scope.values, wanted):
            self.left -= 1
            if self.left < 0:
                raise NonsenseError(f"it has more than {MAX_NODES:,} nodes, with its functions spelled out")
            frame = self.vm.frames[-1]
            frame.place = _joined(scope.place, node.name)
            self.vm.stands = self.stands
            given = [self._find(scope, one) for one in read_by(scope.nodes, node)]
            scope.values[node.name] = Parts(self._node(node, given, scope, used))
        self.current = before

    def _find(self, scope: Scope, one: Ref) -> Any:
        parts = scope.values.get(one.name)
        if parts is None:
            raise NonsenseError(f'"{one.name[:80]}" is read, and nothing before gives it')
        node = scope.nodes.get(one.name)
        listed = RESULTS.get(node.op) if node is not None else None
        if one.output and listed and one.output in listed:
            at = listed.index(one.output) + one.index
        elif one.output and parts.named is not None and node is not None and self._is_opaque(parts):
            return self._named(parts, one)
        else:
            at = one.index
        if parts.values and parts.values[0] is _DEAD and len(parts.values) == 1:
            return _DEAD
        while at >= len(parts.values):
            first = parts.values[0] if parts.values else None
            if not isinstance(first, Tensor) or at > 4_096:
                raise NonsenseError(f'"{one.name[:80]}" does not give as many values')
            parts.values.append(self.vm.opaque("part", (first,), "it is a result of which nothing is known"))
        return parts.values[at]

    def _is_opaque(self, parts: Parts) -> bool:
        first = parts.values[0] if parts.values else None
        return isinstance(first, Tensor) and self.vm.recorder.by_path[first.value.op].kind.name == "opaque"

    def _named(self, parts: Parts, one: Ref) -> Any:
        """A result of an op that is not known: the first name that is asked for is the op's own."""
        key = f"{one.output}:{one.index}"
        if key not in parts.named:
            first = parts.values[0]
            parts.named[key] = first if not parts.named else self.vm.emit("select", (first,), {"index": key})
        return parts.named[key]

    def _node(self, node: Node, given: list[Any], scope: Scope, used: Sequence[int]) -> list[Any]:
        if any(one is _DEAD for one in given) and node.op not in _MEETING:
            return [_DEAD]
        if node.op in _SAME and given:
            return [self.read(one) if node.op == "ReadVariableOp" else one for one in given]
        if node.op == "Const":
            return [self._constant(node, scope)]
        if node.op in ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault"):
            return self._input_value(node, given)
        if node.op in _HANDLES:
            return [self._handle(node)]
        if node.op in _CALLS:
            return self._called(node, given, scope, used)
        if node.op in _BRANCHES or node.op in _LOOPS:
            found = (self._branch if node.op in _BRANCHES else self._loop)(node, given, scope, used)
            return found if found is not None else [self.opaque(node, given, None)]
        if node.op in (*_MEETING, "Switch", "RefSwitch"):
            return self._of_old_branches(node, given)
        given = [self.read(one) for one in given]
        if node.why:
            found = [self.opaque(node, given, None)]
            self._shaped(node, found)
            return found
        number = worked_out(self.vm, node.op, [_number_of(one) for one in given], node.attrs)
        if number is not None:
            return [number]
        return self._results(node, given, scope)

    def _results(self, node: Node, given: list[Any], scope: Scope) -> list[Any]:
        if folded.may_be(self, node, given):
            made = [self.vm.opaque(calls.qualified(node.op), [self.tensor(one) for one in given], folded.WHY)]
            self.folded.add(made[0].value.op)
            self._shaped(node, made)
            return list(made)
        try:
            result = calls.computed(calls.Call(self, node, given))
        except (Raised, OutOfFuel) as error:
            return [self.opaque(node, given, str(error))]
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError) as error:
            why = f"it is given what it does not take ({type(error).__name__}: {str(error)[:80]})"
            return [self.opaque(node, given, why)]
        if result is rows.UNLISTED or result is None:
            return [self.opaque(node, given, None)]
        if isinstance(result, Open):
            return [self.opaque(node, given, result.why)]
        if isinstance(result, Tensors):
            result = [Tensor(Value(result.op, at)) for at in range(result.count or 1)]
        parts = list(result) if isinstance(result, (tuple, list)) else [result]
        self._shaped(node, parts)
        return parts

    def _shaped(self, node: Node, parts: list[Any]) -> None:
        """What the file tells of the shapes of what comes out, where it does not follow."""
        if "_output_shapes" not in node.attrs or self.vm.sizes is None:
            return
        told = node.attrs["_output_shapes"]
        for part, one in zip(parts, told if isinstance(told, list) else (), strict=False):
            dims = dims_of(one)
            if dims is not None and isinstance(part, Tensor) and self.vm.sizes.shape(part.value) is None:
                self.vm.sizes.know(part.value, dims)

    # ---- functions

    def _called(self, node: Node, given: list[Any], scope: Scope, used: Sequence[int]) -> list[Any]:
        return self._function(_name_of(node, "f"), given, scope, used, _joined(scope.place, node.name))

    def _function(self, name: str, given: list[Any], scope: Scope, used: Sequence[int], place: str) -> list[Any]:
        """What a function gives; None for results that nobody reads.

        Raises:
            NonsenseError: it is not in the file, runs itself, or is given something else than it takes.
        """
        function = self._looked_up(name)
        if name in scope.calls or len(scope.calls) >= MAX_DEPTH:
            raise NonsenseError(f'the function "{name[:80]}" runs itself, or stands too deep in others')
        if len(given) != len(function.arguments):
            raise NonsenseError(f'the function "{name[:80]}" is given {len(given)} values, and takes others')
        captured = self.told.captures.get(name, ())
        for handle, variable in zip(given[len(given) - len(captured) :], captured, strict=True):
            if isinstance(handle, Handle) and handle.variable is None:
                handle.variable = variable
        nodes = self.known.get(id(function))
        if nodes is None:
            nodes = self.known[id(function)] = patterns.raised(function.nodes)
        values = {argument: Parts([value]) for argument, value in zip(function.arguments, given, strict=True)}
        inner = Scope(nodes, values, Roles(nodes, False), place, (*scope.calls, name))
        wanted = {at: ref(function.results[at]) for at in used if at < len(function.results)}
        self._run(inner, tuple(wanted.values()))
        return [self._find(inner, wanted[at]) if at in wanted else None for at in range(len(function.results))]

    def _looked_up(self, name: str) -> Function:
        if name not in self.told.functions:
            raise NonsenseError(f'the function "{name[:80]}" is called, and is not in the file')
        return self.told.functions[name]

    def _branch(self, node: Node, given: list[Any], scope: Scope, used: Sequence[int]) -> list[Any] | None:
        test = _number_of(given[0])
        if not isinstance(test, Held) or not test.single or not isinstance(test.only(), (bool, int)):
            return None
        name = _name_of(node, "then_branch" if test.only() else "else_branch")
        return self._function(name, given[1:], scope, used, _joined(scope.place, node.name))

    def _loop(self, node: Node, given: list[Any], scope: Scope, used: Sequence[int]) -> list[Any] | None:
        """A loop of which the numbers tell how often it goes round, spelled out; one over a sequence is not."""
        if any(isinstance(one, Tensor) and one.value.op in self.sequences for one in given):
            return None
        place = _joined(scope.place, node.name)
        test, body, carried = _name_of(node, "cond"), _name_of(node, "body"), list(given)
        if len(self._looked_up(body).results) != len(carried):
            raise NonsenseError(f'the loop "{node.name[:80]}" does not give back what it is given')
        everything = range(len(carried))
        for _ in range(MOST_ROUNDS):
            (going,) = self._function(test, carried, scope, (0,), place)
            going = _number_of(going)
            if not isinstance(going, Held) or not isinstance(going.only(), (bool, int)):
                return [self.opaque(node, carried, None)] * len(carried) if carried is not given else None
            if not going.only():
                return carried
            carried = self._function(body, carried, scope, everything, place)
        return None

    def _of_old_branches(self, node: Node, given: list[Any]) -> list[Any]:
        """Branches of TensorFlow 1, whose side is known or not; where a loop begins, it is not known what comes."""
        if node.op not in _MEETING and len(given) == 2:
            side = _number_of(given[1])
            if isinstance(side, Held) and side.single and isinstance(side.only(), (bool, int)):
                return [_DEAD if side.only() else given[0], given[0] if side.only() else _DEAD]
        alive = [one for one in given if one is not _DEAD]
        if node.op in _MEETING and len(alive) == 1 < len(given):
            return [alive[0], self.vm.open("which branch was taken")]
        return [_DEAD] if not alive else [self.opaque(node, alive, None)]

    # ---- values

    def _input(self, node: Node, scope: Scope) -> None:
        if node.op == "PlaceholderWithDefault":
            return  # when its default is known
        scope.values[node.name] = Parts(self._input_value(node, []))

    def _input_value(self, node: Node, given: list[Any]) -> list[Any]:
        default = _number_of(given[0]) if given else None
        if isinstance(default, Held) and default.single:
            self.vm.assume(f"the input {node.name} has its default, {default.only()}")
            return [default]
        with self.vm.standing(self.stands):
            self.vm.frames[-1].place = ""
            made = self.vm.emit("input", (), {"name": self.inputs.get(node.name, node.name)})
        dims = dims_of(node.attrs.get("shape"))
        if dims is not None and self.vm.sizes is not None:
            self.vm.sizes.know(made.value, dims)
        return [made]

    def _handle(self, node: Node) -> Handle:
        if node.name not in self.handles:
            shape = node.attrs.get("shape")
            self.handles[node.name] = Handle(node.name, shape if isinstance(shape, tuple) else None)
        return self.handles[node.name]

    def read(self, value: Any) -> Any:
        """What a value holds: of a variable the learned tensor."""
        if not isinstance(value, Handle):
            return value
        if value.tensor is None:
            told = value.variable
            name = _PLACE.sub("_", (told.name if told is not None else value.name).replace("/", "."))[:512]
            shape = value.shape if value.shape is not None else told.shape if told is not None else None
            known = {} if shape is None else {"shape": shape}
            if told is not None and not told.trains:
                why = Unknown("it starts from what the file holds, and no gradient changes it")
                value.tensor = self._made("constant", name, {**known, "value": why})
            else:
                value.tensor = self._made("parameter", name, {**known, "name": name})
                self.weights.append(name)
        return value.tensor

    def _made(self, kind: str, name: str, told: Mapping[str, Any]) -> Tensor:
        frame, stands = self.vm.frames[-1], self.vm.stands
        place, self.vm.stands = frame.place, self.stands
        frame.place = name.rpartition(".")[0]
        made = self.vm.emit(kind, (), told)
        made.learned = kind == "parameter"
        frame.place, self.vm.stands = place, stands
        return made

    def _constant(self, node: Node, scope: Scope) -> Any:
        told = node.attrs.get("value")
        if not isinstance(told, Stored):
            return self.vm.opaque("tensorflow.raw_ops.Const", (), "it holds what is no number")
        if told.numbers is not None and told.numbers.single and isinstance(told.numbers.only(), Rough):
            return Held(told.shape, (self.vm.open(f"it was rounded to 16 bits, as {told.numbers.only()}"),), True)
        if told.numbers is not None and (
            not told.real
            or told.shape in ((), (1,))
            or not (scope.roles.learns(node.name) or (self.told.converted and not folded.is_mask(told.numbers)))
        ):
            return told.numbers
        return Stored(node.name, told.shape, told.real, told.numbers)

    def tensor(self, value: Any) -> Tensor:
        """A value as a tensor."""
        if isinstance(value, Tensor):
            return value
        if isinstance(value, Handle):
            found = self.read(value)
            assert isinstance(found, Tensor)
            return found
        if isinstance(value, Stored):
            return self._stored(value)
        if isinstance(value, Held):
            return self.vm.emit("constant", (), {"shape": value.shape, "value": value.plain()})
        if isinstance(value, Open):
            return self.vm.opaque("size", (), value.why)
        return self.vm.opaque("value", (), "what it is is not known")

    def _stored(self, value: Stored) -> Tensor:
        assert self.current is not None
        key = (self.current.place, value.name)
        if key not in self.stored:
            name = _PLACE.sub("_", _of_variable(value.name).replace("/", "."))[:512]
            if value.real and self.current.roles.learns(value.name):
                self.weights.append(name)
                self.stored[key] = self._made("parameter", name, {"shape": value.shape, "name": name})
            else:
                if self.told.converted and value.real and not folded.is_mask(value.numbers):
                    self.stored[key] = self.vm.opaque("constant", (), folded.NOT_TOLD)
                    return self.stored[key]
                held = value.numbers.plain() if value.numbers is not None else Unknown("what it holds is much")
                self.stored[key] = self._made("constant", name, {"shape": value.shape, "value": held})
        return self.stored[key]

    def is_table(self, value: Any) -> bool:
        """Whether rows of a value are looked up as those of an embedding are: it is learned."""
        if isinstance(value, Stored):
            return self.tensor(value).learned
        return isinstance(value, Tensor) and value.learned

    def is_fed(self, value: Any) -> bool:
        """Whether a value is computed from an input."""
        if not isinstance(value, Tensor):
            return False
        waiting, seen = [value.value.op], {value.value.op}
        while waiting:
            op = self.vm.recorder.by_path[waiting.pop()]
            if op.kind.name == "input":
                return True
            fresh = [one.op for one in op.reads if one.op not in seen]
            waiting += fresh
            seen.update(fresh)
        return False

    # ---- what is not read

    def opaque(self, node: Node, given: Iterable[Any], why: str | None) -> Tensor:
        """An op that stands under its own name."""
        name = calls.qualified(node.op.lstrip("~"))
        why = why or node.why or REASONS.get(node.op) or f"{name} is not in the dialect"
        made = self.vm.opaque(
            name, [self.tensor(one) for one in given if isinstance(one, (Tensor, Stored, Handle))], why
        )
        if node.op.startswith(_SEQUENCES):
            self.sequences.add(made.value.op)
        return made


def _joined(place: str, name: str) -> str:
    """The place of a node: the scopes in its name, in those around."""
    scopes = _PLACE.sub("_", name.rpartition("/")[0].replace("/", "."))
    return (f"{place}.{scopes}" if place and scopes else place or scopes)[:512]


def _of_variable(name: str) -> str:
    """The name of a variable that has become a constant, which is read as the variable was."""
    return name.removesuffix("/resource").removesuffix("/ReadVariableOp")


def _name_of(node: Node, attribute: str) -> str:
    told = node.attrs.get(attribute)
    if not isinstance(told, Called):
        raise NonsenseError(f'"{node.name[:80]}" does not say which function it runs')
    return told.name


def _number_of(value: Any) -> Any:
    return value.numbers if isinstance(value, Stored) and value.numbers is not None and not value.real else value
