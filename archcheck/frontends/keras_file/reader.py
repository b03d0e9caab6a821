"""`model.keras`, `model.h5`: a model that Keras saved as a reading, as the static reader gives it."""

from __future__ import annotations

from pathlib import Path

import archcheck.frontends.static.machine  # noqa: F401  # before its parts, which import it
from archcheck.errors import TargetError
from archcheck.frontends.keras_file.building import Builder
from archcheck.frontends.keras_file.contents import config_of
from archcheck.frontends.keras_file.layers import NonsenseError
from archcheck.frontends.saved import Loaded
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.machine import Frame, Limits, Machine
from archcheck.frontends.static.reader import Reading, Unread, Variant
from archcheck.frontends.static.sizes import Sample
from archcheck.frontends.static.sources import SpelledFile
from archcheck.frontends.static.tree import walk
from archcheck.ir.span import Span
from archcheck.ir.verify import verify

NAME = "keras_file"  # of this frontend
_SYMBOL = "Model"


def load(path: Path, library: Library, shown: str, choice: str = "", *, training: bool = True) -> Loaded:
    """The graph of a model that Keras saved; nothing of it runs, and its weights are not read.

    Args:
        path: of the file.
        library: the sources of the project around, of which none is read.
        shown: how reports call the file.
        choice: a name in it; it has none.
        training: the mode that is asked for: the file holds the layers, and those do in each mode what they do.

    Raises:
        TargetError: it is no such file, is refused, or makes no sense.
    """
    if choice:
        raise TargetError(
            "a saved model has no names to choose from", place=shown, hint=f"name the file alone: {shown}"
        )
    config = config_of(path, shown)
    try:
        with library.footprint.of(), library.loaded(frozenset()) as loaded:
            limits = Limits(steps=50_000_000)
            vm = Machine(library, training=training, loaded=loaded, limits=limits, sample=Sample({}))
            vm.frames.append(Frame("", SpelledFile(shown, ""), 1, fixed=True))
            builder = Builder(vm)
            graph = builder.graph(config, NAME)
            places, weights, _ = walk(vm, builder.root)
            verify(graph, NAME)
    except NonsenseError as error:
        raise TargetError(f"the configuration makes no sense: {error}", place=shown) from None
    except RecursionError:
        raise TargetError("the configuration makes no sense: it nests too deeply", place=shown) from None
    variant = Variant(
        when=(),
        default=True,
        graph=graph,
        unread=tuple(Unread(what, why, span) for (what, why), span in vm.notes.unknowns.items()),
        places=places,
        weights=weights,
    )
    name = str(config["class_name"])
    symbol = name if name.isidentifier() else _SYMBOL
    assumptions = tuple(dict.fromkeys(vm.notes.assumptions))
    reading = Reading(symbol, Span(shown, 1), (variant,), assumptions, (), frozenset(builder.inputs))
    return Loaded(reading, training)


__all__ = ["NAME", "load"]
