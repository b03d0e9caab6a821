"""The graph in a file: a SavedModel, whose signatures say what comes in and goes out, or a frozen graph.

Of a SavedModel the first part with the tag "serve" is read, else the first: its nodes, its functions, its signatures,
and of the tree of its objects what variables are called and which of them training changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archcheck.errors import TargetError
from archcheck.frontends.bounded import MAX_NODES
from archcheck.frontends.skimming import Form, skimmed
from archcheck.frontends.tensorflow_graph.nodes import Called, Function, Graph, Node, NonsenseError, ref
from archcheck.frontends.tensorflow_graph.objects import Objects, objects
from archcheck.frontends.tensorflow_graph.wire import Attributes, Wire

MODEL = "saved_model.pb"
_TENSOR = frozenset({4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17})  # what it holds
_GRAPH = {
    "graph": {1: "node", 2: "library"},
    "library": {1: "function"},
    "function": {3: "node"},
    "node": {5: "entry"},
    "entry": {2: "attribute"},
    "attribute": {1: "list", 8: "tensor"},
    "list": {8: "tensor"},
}
_MOST = 256 * 1024**2
_SAVED = Form(
    "SavedModel", "saved", {"saved": {2: "meta"}, "meta": {2: "graph"}, **_GRAPH}, {"tensor": _TENSOR},
    dropped={"meta": frozenset({3, 4, 6})}, most=_MOST, counted=False,
)  # fmt: skip
_FROZEN = Form("graph of TensorFlow", "graph", _GRAPH, {"tensor": _TENSOR}, most=_MOST, counted=False)
_INIT = "__saved_model_"  # before what is no signature
_DEFAULT = "serving_default"
NAMELESS = "graph"


@dataclass(frozen=True)
class File:
    """What a file tells.

    Args:
        graphs: name -> how to ask for it.
        default: the name of the one that is meant where none is named; "" where there is none.
        frozen: whether its variables have become constants.
        release: of TensorFlow that wrote it; "" where it is not told.
    """

    graphs: Mapping[str, Graph]
    default: str
    frozen: bool
    release: str = ""
    written: Mapping[str, str] = field(default_factory=dict)

    @property
    def nameless(self) -> bool:
        """Whether it has one graph, of which it does not tell the name."""
        return self.frozen and tuple(self.graphs) == (NAMELESS,)


class Functions(Mapping[str, Function]):
    """The functions of a graph by name, each looked into when it is called."""

    def __init__(self, wire: Wire, places: dict[str, tuple[int, int]]) -> None:
        self._wire = wire
        self._places = places
        self._known: dict[str, Function] = {}

    def __getitem__(self, name: str) -> Function:
        if name not in self._known:
            self._known[name] = _function(self._wire, name, *self._places[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def file_of(path: Path, shown: str) -> File:
    """What the file, or the folder of a SavedModel, at `path` holds.

    Raises:
        TargetError: it cannot be read, or makes no sense.
    """
    folder = path.is_dir()
    own = path / MODEL if folder else path
    saved = folder or path.name == MODEL or _is_saved(own)
    data = skimmed(own, shown, _SAVED if saved else _FROZEN)
    wire = Wire(data)
    try:
        return _saved(wire) if saved else _frozen(wire)
    except NonsenseError as error:
        raise TargetError(
            f"this is no {'SavedModel' if saved else 'graph of TensorFlow'} that can be read: {error}", place=shown
        ) from None


def _is_saved(path: Path) -> bool:
    """Whether a file starts as SavedModels do, with the number of their form."""
    try:
        with path.open("rb") as file:
            return file.read(3) == b"\x08\x01\x12"
    except OSError:
        return False


def _saved(wire: Wire) -> File:
    parts = list(wire.messages(0, len(wire.data), 2))
    if not parts:
        raise NonsenseError("it has no graph")
    tagged = [one for one in parts if "serve" in _tags(wire, *one)]
    start, after = (tagged or parts)[0]
    graph: tuple[int, int] | None = None
    signatures: dict[str, tuple[int, int]] = {}
    tree, release = Objects(), ""
    for number, form, at, end in wire.fields(start, after):
        if form != 2:
            continue
        if number == 1:
            release = next((wire.text(*one) for one in wire.messages(at, end, 5)), "")
        elif number == 2:
            graph = (at, end)
        elif number == 5:
            name, place = wire.entry(at, end)
            signatures[name] = place
        elif number == 7:
            tree = objects(wire, at, end)
    if graph is None:
        raise NonsenseError("it has no graph")
    nodes, functions = _graph(wire, *graph)
    graphs = {}
    for name, place in signatures.items():
        if not name.startswith(_INIT):
            graphs[name] = Graph(nodes, functions, *_signature(wire, *place), tree.captures)
    for name, called in tree.functions.items():
        if called in functions and name not in graphs:
            graphs[name] = _called(functions, called, tree)
    default = _DEFAULT if _DEFAULT in graphs else next(iter(graphs), "")
    return File(graphs, default, False, release)


def _tags(wire: Wire, at: int, end: int) -> list[str]:
    return [wire.text(*one) for info in wire.messages(at, end, 1) for one in wire.messages(*info, 4)]


def _signature(wire: Wire, at: int, end: int) -> tuple[dict[str, str], dict[str, str]]:
    """Inputs and outputs of a signature, each as the name of what gives it."""
    found: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for number, form, start, after in wire.fields(at, end):
        if number in (1, 2) and form == 2:
            name, place = wire.entry(start, after)
            found[number - 1][name] = next((wire.text(*one) for one in wire.messages(*place, 1)), "")
    inputs = {name: ref(told).name for name, told in found[0].items() if told}
    return inputs, {name: told for name, told in found[1].items() if told}


def _called(functions: Functions, name: str, tree: Objects) -> Graph:
    """A function of the tree of objects as a graph of its own: its variables are those that it has captured."""
    function = functions[name]
    captured = tree.captures.get(name, ())
    free = function.arguments[: len(function.arguments) - len(captured)]
    held = function.arguments[len(free) :]
    known = {at: {"shape": shape} for at, shape in function.shapes.items()}
    nodes = {one: Node(one, "Placeholder", (), known.get(at, {})) for at, one in enumerate(free)}
    handles = {}
    for one, variable in zip(held, captured, strict=False):
        op = "Placeholder" if variable is None else "VarHandleOp"
        handles[one] = Node(one, op, ())
    call = Node("call", "StatefulPartitionedCall", (*free, *held), {"f": Called(name)})
    outputs = {f"output_{at}": f"call:{at}" for at in range(len(function.results))}
    return Graph({**nodes, **handles, "call": call}, functions, {one: one for one in free}, outputs, tree.captures)


def _frozen(wire: Wire) -> File:
    nodes, functions = _graph(wire, 0, len(wire.data))
    if not nodes:
        raise NonsenseError("it has no nodes")
    inputs = {node.name: node.name for node in nodes.values() if node.op in ("Placeholder", "PlaceholderWithDefault")}
    read = {ref(one).name for node in nodes.values() for one in node.inputs}
    ends = [one for one in nodes.values() if one.name not in read and one.op not in _NO_ENDS]
    frozen = not any(one.op in _VARIABLES for one in nodes.values())
    return File(
        {NAMELESS: Graph(nodes, functions, inputs, {one.name: one.name for one in ends}, frozen=frozen)},
        NAMELESS,
        frozen,
    )


_VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
_NO_ENDS = frozenset({"NoOp", "Const", "Placeholder", "Assert", "SaveV2", "AssignVariableOp", "Assign"})


def _graph(wire: Wire, at: int, end: int) -> tuple[dict[str, Node], Functions]:
    nodes: dict[str, Node] = {}
    functions: dict[str, tuple[int, int]] = {}
    for number, form, start, after in wire.fields(at, end):
        if number == 1 and form == 2:
            _add(nodes, node_of(wire, start, after))
        elif number == 2 and form == 2:
            for one in wire.messages(start, after, 1):
                functions[_name_of(wire, *one)] = one
    return nodes, Functions(wire, functions)


def _add(nodes: dict[str, Node], node: Node) -> None:
    if node.name in nodes:
        raise NonsenseError(f'"{node.name[:80]}" is given twice')
    if len(nodes) >= MAX_NODES:
        raise NonsenseError(f"it has more than {MAX_NODES:,} nodes")
    nodes[node.name] = node


def _name_of(wire: Wire, at: int, end: int) -> str:
    """The name of a function, from its signature."""
    for place in wire.messages(at, end, 1):
        return next((wire.text(*one) for one in wire.messages(*place, 1)), "")
    return ""


def _function(wire: Wire, name: str, at: int, end: int) -> Function:
    arguments: list[str] = []
    results: list[str] = []
    nodes: dict[str, Node] = {}
    given: dict[str, str] = {}
    shapes: dict[int, tuple[int, ...]] = {}
    for number, form, start, after in wire.fields(at, end):
        if form != 2:
            continue
        if number == 1:
            for inner, how, first, last in wire.fields(start, after):
                if inner in (2, 3) and how == 2:
                    told = next((wire.text(*one) for one in wire.messages(first, last, 1)), "")
                    (arguments if inner == 2 else results).append(told)
        elif number == 3:
            _add(nodes, node_of(wire, start, after))
        elif number == 4:
            key, place = wire.entry(start, after)
            given[key] = wire.text(*place)
        elif number == 7:
            argument, shape = _argument(wire, start, after)
            if shape is not None:
                shapes[argument] = shape
    if any(one not in given for one in results):
        raise NonsenseError(f'the function "{name[:80]}" does not say what it gives')
    return Function(name, tuple(arguments), tuple(given[one] for one in results), nodes, shapes)


def _argument(wire: Wire, at: int, end: int) -> tuple[int, tuple[int, ...] | None]:
    """The number of an argument, and its shape where it is told."""
    argument, shape = 0, None
    for number, form, start, after in wire.fields(at, end):
        if number == 1 and form == 0:
            argument = start
        elif number == 2 and form == 2:
            for key, place in wire.entries(start, after, 1):
                told = wire.attribute(*place, "") if key == "_output_shapes" else None
                shape = told[0] if isinstance(told, list) and told and isinstance(told[0], tuple) else shape
    return argument, shape


def node_of(wire: Wire, at: int, end: int) -> Node:
    """A node.

    Raises:
        NonsenseError: it is none.
    """
    name = op = ""
    inputs: list[str] = []
    places: dict[str, tuple[int, int]] = {}
    for number, form, start, after in wire.fields(at, end):
        if form != 2:
            continue
        if number == 1:
            name = wire.text(start, after)
        elif number == 2:
            op = wire.text(start, after)
        elif number == 3:
            told = wire.text(start, after)
            if not told.startswith("^"):  # what only has to run before
                inputs.append(told)
        elif number == 5:
            key, place = wire.entry(start, after)
            places[key] = place
    if "." in op or op.startswith("~"):
        raise NonsenseError(f'"{op[:80]}" is no name of an op')
    return Node(name, op, tuple(inputs), Attributes(wire, name, places))
