"""Small sources for the evaluator: written into a folder, read, and given back as the text of what they compute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from archcheck.frontends.static.library import Library
from archcheck.frontends.static.reader import Limits, Reading, Variant, read
from archcheck.frontends.static.sizes import Sample
from archcheck.ir.text import dump

TORCH = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"


class Sources:
    """A folder of modules. The one that is read is `model`; `import torch`, `nn` and `F` stand at its top."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, path: str, text: str) -> None:
        """Put a file beside the model."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")

    def read(
        self,
        text: str,
        symbol: str = "f",
        arguments: Mapping[str, str] | None = None,
        *,
        top: str = TORCH,
        training: bool = True,
        limits: Limits | None = None,
        sample: Sample | None = None,
    ) -> Reading:
        """What the reader finds out about `symbol` of a module with this text."""
        self.write("model.py", top + dedent(text))
        library = Library([self.folder])
        return read(library, "model", symbol, arguments, training=training, limits=limits, sample=sample)

    def computes(
        self,
        text: str,
        symbol: str = "f",
        arguments: Mapping[str, str] | None = None,
        *,
        top: str = TORCH,
        training: bool = True,
        sample: Sample | None = None,
    ) -> str:
        """The ops of the only variant behind its inputs, one a line; reading came to its end and left nothing out."""
        reading = self.read(text, symbol, arguments, top=top, training=training, sample=sample)
        assert len(reading.variants) == 1, [variant.when for variant in reading.variants]
        [variant] = reading.variants
        assert (variant.error, variant.unread, variant.default) == ("", (), True)
        return ops(variant)


def ops(variant: Variant) -> str:
    """The ops of a variant behind its inputs, one a line; what comes out where it is not the last op's value."""
    lines = [line for line in dump(variant.graph, places=False).splitlines() if " = input" not in line]
    lines = [line for line in lines if not line.startswith("# ")]
    if len(lines) > 1 and lines[-1] == f"give {lines[-2].split()[0]}":
        lines.pop()
    return "\n".join(lines)
