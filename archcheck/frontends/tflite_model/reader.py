"""`model.tflite` as a reading, as the static reader and the tracer give it."""

from __future__ import annotations

from pathlib import Path

from archcheck.errors import TargetError
from archcheck.frontends.saved import Loaded
from archcheck.frontends.static.library import Library
from archcheck.frontends.tensorflow_graph.file import NAMELESS, File
from archcheck.frontends.tensorflow_graph.nodes import Graph, NonsenseError
from archcheck.frontends.tensorflow_graph.reader import loaded
from archcheck.frontends.tflite_model.model import Model, parsed
from archcheck.frontends.tflite_model.turning import graph_of

_DEFAULT = "serving_default"
_NOTED = (
    "the converter folds what is constant: factors, shifts of zeros and scales of ones may have gone into the weights "
    "behind or before them; what is left is taken to be all that there was",
    "behind maps of tensors with three axes or more no batch norm is taken to have been folded",
    "whether weights are tied is not known: the converter keeps equal ones as one, and others in several layouts",
)


def load(path: Path, library: Library, shown: str, choice: str = "", *, training: bool = True) -> Loaded:
    """The graph of a file; nothing of it runs, and no weight is read.

    Args:
        path: of the file.
        library: the sources among which its lines of code may lie.
        shown: how reports call it.
        choice: a signature; "" for the one that is served.
        training: the mode that is asked for.

    Raises:
        TargetError: it is no such file, is refused, or makes no sense; it has no such signature.
    """
    model = parsed(path, shown)
    try:
        file = _file(model)
    except NonsenseError as error:
        raise TargetError(f"the graph makes no sense: {error}", place=shown) from None
    return loaded(file, library, shown, choice, training=training, noted=_NOTED)


def _file(model: Model) -> File:
    """Its graphs, by the names of their signatures."""
    graphs: dict[str, Graph] = {}
    for one in model.signatures:
        if one.name and one.name not in graphs:
            graphs[one.name] = graph_of(model, one.graph, dict(one.inputs), dict(one.outputs))
    if not graphs:
        first = model.graphs[0]
        inputs = {first.tensors[at].name or f"input_{at}": at for at in first.inputs}
        outputs = {first.tensors[at].name or f"output_{at}": at for at in first.outputs}
        graphs[NAMELESS] = graph_of(model, 0, inputs, outputs)
    default = _DEFAULT if _DEFAULT in graphs else next(iter(graphs))
    return File(graphs, default, True)
