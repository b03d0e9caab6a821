"""The architectures of `fixtures/across`: each written in several frameworks, with what is to be said about it.

A folder holds a file for each framework, as its users write it, and an `across.yaml`:

    targets: {torch: Encoder, keras: Encoder, tf1: encoder}  # a name in torch_model.py, keras_model.py ...
    input: {x: 2x7x512}                                      # of the model in PyTorch, as --input takes it
    verdicts: {vaswani2017: {encoder_layer: HOLDS}}          # of claims, in all frameworks
    fault:
      what: the norm stands inside the residual branch
      rules: [norm-placement]                                # of all findings, in all frameworks
      replace: {torch: {"old text": "new text"}}             # each occurs once
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

FIXTURES = Path(__file__).parents[2] / "fixtures" / "across"

# What is not stated because the framework takes it from what a layer is given, or the code asks its input for it.
# Nothing else may be undetermined.
_BUILT = frozenset({"in_features", "dim", "d_model", "d_ff"})  # layers that are built when they are called
_ASKED = frozenset({"out_features"})  # `layers.Dense(input_shape[-1])`
_HEADS = frozenset({"head_dim", "kv_heads", "scale"})  # attention whose heads share out what is given, whatever that is
LOST: dict[str, frozenset[str]] = {
    "torch": frozenset(),
    "keras": _BUILT | _ASKED,
    "tf1": _BUILT,
    "linen": _BUILT | _ASKED | _HEADS,
    "nnx": frozenset(),
}


@dataclass(frozen=True)
class Case:
    """One architecture."""

    name: str
    targets: dict[str, str]
    input: dict[str, str]
    verdicts: dict[str, dict[str, str]]
    rules: tuple[str, ...]
    replaced: dict[str, dict[str, str]]

    def target(self, framework: str) -> str:
        """As it is given on a command line."""
        return f"{FIXTURES / self.name / framework}_model.py:{self.targets[framework]}"

    def source(self, framework: str) -> str:
        """What is written."""
        return (FIXTURES / self.name / f"{framework}_model.py").read_text(encoding="utf-8")

    def faulty(self, framework: str) -> str:
        """The same with the fault in it.

        Raises:
            AssertionError: a text that is to be replaced is not there once.
        """
        source = self.source(framework)
        for old, new in self.replaced[framework].items():
            assert source.count(old) == 1, f"{self.name}, {framework}: {source.count(old)} times: {old}"
            source = source.replace(old, new)
        assert source != self.source(framework)
        return source


def cases() -> tuple[Case, ...]:
    """Every architecture, by name."""
    found = []
    for file in sorted(FIXTURES.glob("*/across.yaml")):
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
        fault = told["fault"]
        found.append(
            Case(
                file.parent.name,
                told["targets"],
                told["input"],
                told.get("verdicts", {}),
                tuple(fault["rules"]),
                fault["replace"],
            )
        )
    return tuple(found)
