"""Small models for the tracer: written into a folder, and traced in this process."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from archcheck.frontends.targets import parse_target, resolve
from archcheck.frontends.trace.child.main import told
from archcheck.frontends.trace.replay import Replayed, replay
from archcheck.frontends.trace.tracer import Running, request_of, tables
from archcheck.frontends.trace.wire import Failure, Recording, parse
from archcheck.ir.text import dump
from archcheck.passes import canonicalise

IMPORTS = "import torch\nfrom torch import Tensor, nn\nimport torch.nn.functional as F\n\n"
NOTHING: dict[str, Any] = {"layers": {}, "functions": [], "presets": {}, "defaults": {}, "silent": []}
_NUMBERS = itertools.count()  # a module is imported once in a process


def model(forward: str, given: str = "x", **layers: str) -> str:
    """The source of a class `Model`.

    Args:
        forward: the body of its `forward`.
        given: the parameters of that.
        layers: attribute -> the expression that its constructor sets it to.
    """
    built = "".join(f"        self.{name} = {value}\n" for name, value in layers.items())
    head = "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    return f"{head}{built}\n    def forward(self, {given}):\n{indent(dedent(forward).strip(), ' ' * 8)}\n"


def ask(module: str, symbol: str, tables: Mapping[str, Any] = NOTHING, **asked: Any) -> dict[str, Any]:
    """The answer of the traced side to a request, which says what differs from the plainest."""
    plainest = {
        "roots": [], "arguments": {}, "configs": {}, "factory": False, "inputs": {}, "given": [], "training": True,
        "cache": True,
    }  # fmt: skip
    return told({**tables, **plainest, **asked, "module": module, "symbol": symbol})


class Sources:
    """A folder of modules, each traced once; `torch`, `nn`, `F` and `Tensor` stand at the top of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str) -> Path:
        """A module of its own with this text."""
        file = self.folder / f"traced_{next(_NUMBERS)}.py"
        file.write_text(IMPORTS + dedent(text))
        return file

    def ask(self, text: str, symbol: str = "Model", **asked: Any) -> dict[str, Any]:
        """The answer of the traced side for `symbol` of a module with this text."""
        file = self.write(text)
        return ask(file.stem, symbol, roots=[str(self.folder)], **asked)

    def trace(self, text: str, *, training: bool = True, cache: bool = True) -> tuple[Recording, Replayed]:
        """What is recorded of `Model` of a module with this text, and its graph."""
        target = resolve(parse_target(f"{self.write(text)}:Model"))
        assert target.source is not None
        request = request_of(target, target.source.module, "Model", {}, Running(cache=cache), training)
        recording = parse(json.dumps(told({**tables(), **request})).encode())
        assert not isinstance(recording, Failure), recording
        assert not recording.error, recording.error
        return recording, replay(recording, target.library, target.source, training)

    def graph(self, text: str, *, training: bool = True) -> str:
        """The canonical graph of `Model`, as it prints."""
        return graph(self.trace(text, training=training)[1])


def graph(found: Replayed) -> str:
    """The canonical graph, as it prints."""
    return "\n".join(dump(canonicalise(found.graph), places=False).splitlines()[1:])
