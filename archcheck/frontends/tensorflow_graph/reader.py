"""A SavedModel or a frozen graph as a reading, as the static reader and the tracer give it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import archcheck.frontends.static.machine  # noqa: F401  # before its parts, which import it
from archcheck.errors import TargetError
from archcheck.frontends.saved import Loaded
from archcheck.frontends.static.exports import similar
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.machine import Frame, Limits, Machine
from archcheck.frontends.static.reader import Reading, Unread, Variant
from archcheck.frontends.static.sizes import Sample
from archcheck.frontends.static.sources import SpelledFile
from archcheck.frontends.tensorflow_graph.building import Builder
from archcheck.frontends.tensorflow_graph.file import File, file_of
from archcheck.frontends.tensorflow_graph.nodes import Called, Graph, Node, NonsenseError, ref
from archcheck.frontends.tensorflow_graph.patterns import draws, raised
from archcheck.ir.span import Span
from archcheck.ir.verify import verify

NAME = "tensorflow_graph"  # of this frontend
_EVAL = "the graph was saved for inference, from which dropout is gone: what it says of dropout is not known"
_LEARNED = "the file does not tell what is learned: constants that are read as variables were are taken to be"
_CHOSEN = "of the file's functions the one is read that training runs: {name}"


def load(path: Path, library: Library, shown: str, choice: str = "", *, training: bool = True) -> Loaded:
    """The graph of a file; nothing of it runs, and no weight is read.

    Args:
        path: of a frozen graph, or the folder of a SavedModel.
        library: the sources among which its lines of code may lie.
        shown: how reports call it.
        choice: a signature, or a function that the model has; "" for the one that is served.
        training: the mode that is asked for: where the model has several functions and none is named, one of this mode
            is read.

    Raises:
        TargetError: it is no such file, is refused, or makes no sense; it has no such signature.
    """
    return loaded(file_of(path, shown), library, shown, choice, training=training)


def loaded(
    file: File, library: Library, shown: str, choice: str, *, training: bool, noted: tuple[str, ...] = ()
) -> Loaded:
    """One graph of what a file tells.

    Args:
        file: what it tells.
        library: the sources among which its lines of code may lie.
        shown: how reports call it.
        choice: which graph; "" for the one that is served.
        training: the mode that is asked for.
        noted: what is taken for granted of files of this kind.

    Raises:
        TargetError: it makes no sense, or has no such graph.
    """
    try:
        name = _chosen(file, shown, choice, training)
        told = file.graphs[name]
        with library.footprint.of(), library.loaded(frozenset()) as names:
            limits = Limits(steps=50_000_000)
            vm = Machine(library, training=True, loaded=names, limits=limits, sample=Sample({}))
            vm.inplace_sums = False
            vm.frames.append(Frame("", SpelledFile(shown, ""), 1, fixed=True))
            builder = Builder(vm, told)
            graph = verify(builder.graph(NAME), NAME)
    except NonsenseError as error:
        raise TargetError(f"the graph makes no sense: {error}", place=shown) from None
    taken = [] if choice or name == file.default else [_CHOSEN.format(name=name)]
    assumptions = [
        *taken,
        *vm.notes.assumptions,
        *([] if builder.trains else [_EVAL]),
        *([_LEARNED] if file.frozen else []),
        *noted,
    ]
    variant = Variant(
        when=(),
        default=True,
        graph=graph,
        unread=tuple(Unread(what, why, span) for (what, why), span in vm.notes.unknowns.items()),
        # of a graph that was rewritten it is not known which of them are one
        weights=tuple((one, "" if told.converted else one) for one in sorted(set(builder.weights))),
    )
    symbol = name if name.isidentifier() else "graph"
    reading = Reading(symbol, Span(shown, 1), (variant,), tuple(dict.fromkeys(assumptions)), (), frozenset(told.inputs))
    return Loaded(reading, builder.trains)


def _chosen(file: File, shown: str, choice: str, training: bool) -> str:
    """The name of the graph that is meant."""
    if choice:
        if choice not in file.graphs or file.nameless:
            near = similar(choice, file.graphs) or tuple(file.graphs)[:6]
            hint = f"it has {', '.join(near)}" if not file.nameless else f"name the file alone: {shown}"
            raise TargetError(f'it has no signature "{choice}"', place=shown, hint=hint)
        return choice
    if not file.default:
        raise TargetError("it has no signature, so that nothing says what comes in and goes out", place=shown)
    if training == _trains(file.graphs[file.default]):
        return file.default
    takes = len(file.graphs[file.default].inputs)
    alike = [name for name, one in file.graphs.items() if len(one.inputs) == takes and _trains(one) == training]
    return alike[0] if alike and training else file.default


def _trains(told: Graph) -> bool:
    """Whether what a graph reaches does what only training does."""
    waiting: list[tuple[Mapping[str, Node], Iterable[str]]] = [(told.nodes, told.outputs.values())]
    seen: set[str] = set()
    while waiting:
        own, results = waiting.pop()
        nodes = _reached(raised(own), results)
        if any(draws(node) for node in nodes.values()):
            return True
        for node in nodes.values():
            for attribute in ("f", "then_branch", "else_branch", "body"):
                called = node.attrs.get(attribute)
                if isinstance(called, Called) and called.name in told.functions and called.name not in seen:
                    seen.add(called.name)
                    function = told.functions[called.name]
                    waiting.append((function.nodes, function.results))
    return False


def _reached(nodes: Mapping[str, Node], wanted: Iterable[str]) -> dict[str, Node]:
    """The nodes that what is wanted takes."""
    waiting = [ref(one).name for one in wanted]
    found: dict[str, Node] = {}
    while waiting:
        name = waiting.pop()
        node = nodes.get(name)
        if node is not None and name not in found:
            found[name] = node
            waiting += [ref(one).name for one in node.inputs]
    return found
