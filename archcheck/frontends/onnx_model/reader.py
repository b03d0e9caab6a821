"""`model.onnx` as a reading, as the static reader and the tracer give it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import archcheck.frontends.static.machine  # noqa: F401  # before its parts, which import it
from archcheck.errors import TargetError
from archcheck.frontends.onnx_model.building import Builder
from archcheck.frontends.onnx_model.model import Model, NonsenseError, dims, parsed
from archcheck.frontends.onnx_model.places import Tree
from archcheck.frontends.saved import Loaded
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.machine import Frame, Limits, Machine
from archcheck.frontends.static.reader import Reading, Unread, Variant
from archcheck.frontends.static.sizes import Sample
from archcheck.frontends.static.sources import SpelledFile
from archcheck.ir.span import Span
from archcheck.ir.verify import verify

NAME = "onnx_model"  # of this frontend
_EVAL = "the graph was saved for inference, from which dropout is gone: what it says of dropout is not known"
_LEARNED = "the file does not tell what is learned: matrices, kernels, scales and shifts are taken to be"
_MERGED = "whether small tensors that several operators read are tied is not known: exporters keep equal ones as one"


def load(path: Path, library: Library, shown: str, choice: str = "", *, training: bool = True) -> Loaded:
    """The graph of an ONNX file; nothing of it runs, and its weights are not read.

    Args:
        path: of the file.
        library: the sources among which its lines of code may lie.
        shown: how reports call the file.
        choice: a name in it; it has none.
        training: the mode that is asked for.

    Raises:
        TargetError: it is no such file, is refused, or makes no sense.
    """
    if choice:
        raise TargetError("a graph has no names to choose from", place=shown, hint=f"name the file alone: {shown}")
    model = parsed(path, shown)
    mode = _drops(model)
    tree = Tree(model, library)
    try:
        with library.footprint.of(), library.loaded(frozenset()) as loaded:
            sample = Sample({one.name: size for one in model.graph.input if (size := dims(one)) is not None})
            limits = Limits(steps=50_000_000)
            vm = Machine(library, training=mode, loaded=loaded, limits=limits, sample=sample)
            vm.frames.append(Frame("", SpelledFile(shown, ""), 1, fixed=True))
            builder = Builder(vm, model, tree.place_of)
            graph = verify(builder.graph(NAME), NAME)
    except NonsenseError as error:
        raise TargetError(f"the graph makes no sense: {error}", place=shown) from None
    assumptions = [*vm.notes.assumptions, *([] if mode else [_EVAL]), _LEARNED, *([_MERGED] if builder.merged else [])]
    variant = Variant(
        when=(),
        default=True,
        graph=graph,
        unread=tuple(Unread(what, why, span) for (what, why), span in vm.notes.unknowns.items()),
        places=tree.places(),
        weights=tuple((name, "") for name in sorted(builder.weights)),  # which of them are one is not known
    )
    given = frozenset(one.name for one in model.graph.input)
    reading = Reading(tree.symbol, Span(shown, 1), (variant,), tuple(dict.fromkeys(assumptions)), (), given)
    return Loaded(reading, mode)


def _drops(model: Model) -> bool:
    """Whether the graph drops anything, as it does in train mode only."""
    held = {one.name: one for one in model.graph.initializer}
    for node in model.graph.node:
        switch = node.input[2] if node.op_type == "Dropout" and len(node.input) > 2 else ""
        if switch and _is_true(model, held, switch):
            return True
        if node.op_type == "BatchNormalization" and _trains(node):
            return True
    return False


def _trains(node: Any) -> bool:
    return any(one.name == "training_mode" and one.i for one in node.attribute)


def _is_true(model: Model, held: dict[str, Any], name: str) -> bool:
    from archcheck.frontends.onnx_model.model import stored

    told = held.get(name)
    for node in model.graph.node if told is None else ():
        if node.op_type == "Constant" and name in node.output:
            told = next((one.t for one in node.attribute if one.name == "value"), None)
    numbers = None if told is None else stored(told).numbers
    return numbers is not None and numbers.single and bool(numbers.only())
