"""What `tests.agreement --keras` compares: the models of keras.applications, the backbones and layers of keras-hub."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from archcheck.frontends.targets import parse_target, resolve
from archcheck.frontends.trace.tracer import Wanted

MODELS = (("keras/src/applications", "*.py"), ("keras_hub/src/models", "*/*_backbone.py"))
LAYERS = (("keras_hub/src/layers/modeling", "*.py"), ("keras_hub/src/models", "*/*.py"))
_ENDINGS = ("Layer", "Block", "Attention", "Encoder", "Decoder", "MLP", "Embedding", "Norm", "Bottleneck")


def chosen(packages: Path, models: bool, names: set[str]) -> list[Wanted]:
    """The functions and classes of an environment's packages that are compared, in order."""
    found: list[Wanted] = []
    for folder, pattern in MODELS if models else LAYERS:
        for file in sorted((packages / folder).glob(pattern)):
            if file.name.endswith("_test.py") or file.name == "__init__.py":
                continue
            target = resolve(parse_target(str(file)))
            assert target.source is not None
            module = target.source.module
            wanted = [name for name in _named(file, models) if not names or name in names]
            found += [Wanted(replace(target, symbol=name), module, name) for name in wanted]
            target.source.release()
    return found


def _named(file: Path, models: bool) -> Iterator[str]:
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef) and models and "applications" in file.parts:
            takes = {one.arg for one in node.args.args}
            if {"weights", "include_top"} <= takes and node.decorator_list and "block_type" not in takes:
                yield node.name
        if isinstance(node, ast.ClassDef):
            backbone = node.name.endswith("Backbone") and "applications" not in file.parts
            layer = node.name.endswith(_ENDINGS) and any(_is_layer(base) for base in node.bases)
            if backbone if models else layer:
                yield node.name


def _is_layer(base: ast.expr) -> bool:
    return ast.unparse(base).endswith(("layers.Layer", "keras.Layer", "Model"))
