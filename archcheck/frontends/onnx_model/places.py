"""Where the nodes of an ONNX graph stand in the code that was exported, as far as the file tells.

PyTorch's exporter writes modules, classes and lines of code beside each node; its older one puts the module's path into
the node's name. Both are texts that somebody wrote: they show a reader the way, and decide nothing.
"""

from __future__ import annotations

import ast
import re

from archcheck.frontends import dialects
from archcheck.frontends.onnx_model.model import Model, Node
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.tree import ModulePlace
from archcheck.frontends.torch_export.parsing import frames_in
from archcheck.frontends.torch_export.program import Frame, is_torchs
from archcheck.frontends.torch_export.sites import sites
from archcheck.frontends.trace.replay import Places
from archcheck.frontends.trace.wire import Site
from archcheck.ir.span import Span

MOST_TEXT = 65_536  # of what is told beside one node
_TOLD = "pkg.torch.onnx."
_PLACE = re.compile(r"[^\w.\-]")
_SCOPED = re.compile(r"/(?:[\w.\-]+/)+[\w.\-]+")


class Tree:
    """The module tree, as nodes tell it.

    Args:
        model: the file.
        library: the sources among which its lines of code may lie.
    """

    def __init__(self, model: Model, library: Library) -> None:
        self.site = sites(library)
        self.spans = Places(library)
        self.symbol = "graph"
        self.found: dict[str, tuple[str, Site]] = {}
        self._known: dict[str, tuple[list[Frame], Span | None]] = {}

    def place_of(self, node: Node) -> tuple[str | None, Span | None]:
        """The module that a node stands in, None where the file tells none, and the line of code that it comes from."""
        scopes = _texts(node.metadata.get(_TOLD + "name_scopes", ""))
        if scopes is None:
            scoped = _SCOPED.fullmatch(node.name)
            if scoped is None:
                return None, None
            parts = [part for part in node.name.split("/")[1:-1] if part]
            return _joined(parts), None
        frames, span = self._line(node.metadata.get(_TOLD + "stack_trace", "")[:MOST_TEXT])
        classes = _texts(node.metadata.get(_TOLD + "class_hierarchy", "")) or []
        modules = list(zip(scopes, classes, strict=False))[:-1]  # the last one is the operator
        self._learn(modules, frames)
        place = modules[-1][0] if modules else ""
        return _PLACE.sub("_", place)[:512], span

    def _line(self, text: str) -> tuple[list[Frame], Span | None]:
        if text not in self._known:
            frames = frames_in(text)
            self._known[text] = (frames, self.spans.span(self.site(frames)))
        return self._known[text]

    def _learn(self, modules: list[tuple[str, str]], frames: list[Frame]) -> None:
        """Note the classes around a node, each with the line of its call, where the lines tell as many calls."""
        if modules and not modules[0][0] and self.symbol == "graph":
            name = modules[0][1].rpartition(".")[2]
            self.symbol = name if name.isidentifier() else "graph"
        own = [(path, cls) for path, cls in modules if not _is_layer(cls)]
        code = [frame for frame in frames if not is_torchs(frame)]
        calls = [frame for frame in code if frame.function.rpartition(".")[2] == "forward"]
        for at, (path, cls) in enumerate(own):
            if len(calls) == len(own):
                line = self.site([calls[at]])
            else:
                line = self.site(code[:1] if at == 0 else code[-1:]) if at in (0, len(own) - 1) else None
            if line is not None and (path not in self.found or line.line < self.found[path][1].line):
                self.found[path] = (cls.rpartition(".")[2], line)

    def places(self) -> tuple[ModulePlace, ...]:
        """The classes of the model, each at the first of its lines that computes something."""
        return tuple(
            ModulePlace(_PLACE.sub("_", path)[:512], name, span)
            for path, (name, line) in sorted(self.found.items())
            if name.isidentifier() and (span := self.spans.span(line)) is not None
        )


def is_unsure(node: Node, calls: tuple[str, ...]) -> bool:
    """Whether a map may be more than that: the exporter does not say that it was called as one of `calls`."""
    classes = _texts(node.metadata.get(_TOLD + "class_hierarchy", ""))
    return not classes or not classes[-1].startswith(calls)


def _texts(told: str) -> list[str] | None:
    """A list of texts, written as Python writes it; None where there is none."""
    if not told or len(told) > MOST_TEXT or not told.startswith("["):
        return None
    try:
        found = ast.literal_eval(told)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else None


def _joined(parts: list[str]) -> str:
    """The path of a module: `/encoder/layers.0/encoder.layers.0.norm/Add` tells each step, or the whole path anew."""
    path = ""
    for part in parts:
        path = part if path and part.startswith(f"{path}.") else f"{path}.{part}" if path else part
    return _PLACE.sub("_", path)[:512]


def _is_layer(cls: str) -> bool:
    """Whether a class is a layer or a container of torch, which is no part of the code that is looked at."""
    return dialects.layer(cls) is not None or dialects.container(cls) is not None
