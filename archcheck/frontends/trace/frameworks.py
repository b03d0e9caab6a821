"""Which framework a target runs on: told by the imports of its file and of those that it imports, read and not run."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from archcheck.errors import TargetError
from archcheck.frontends.static.sources import SourceFile
from archcheck.frontends.targets import Target

MOST_FILES = 200  # that are looked at


@dataclass(frozen=True)
class Framework:
    """What a framework's models are run with.

    Args:
        name: of the extra that installs it.
        entry: module of the traced side.
        dialects: that speak for what runs.
        whole: of these, the one whose functions the traced side records by itself, without a list.
        packages: that are imported before the target.
        imports: top-level packages that a target imports which runs on it.
    """

    name: str
    entry: str
    dialects: tuple[str, ...]
    whole: tuple[str, ...]
    packages: tuple[str, ...]
    imports: frozenset[str]


TORCH = Framework(
    "torch",
    "archcheck.frontends.trace.child.main",
    ("torch", "einops", "kernels"),
    ("torch",),
    (),
    frozenset({"torch"}),
)
TENSORFLOW = Framework(
    "tensorflow",
    "archcheck.frontends.trace.tensorflow_child.main",
    ("tensorflow", "keras", "einops"),
    (),
    ("keras",),
    frozenset({"tensorflow", "keras", "tf_keras", "keras_hub", "keras_nlp", "keras_cv", "tensorflow_addons"}),
)
JAX = Framework(
    "jax",
    "archcheck.frontends.trace.jax_child.main",
    (),
    (),
    (),
    frozenset({"jax", "flax", "haiku"}),
)
_ALL = (TORCH, TENSORFLOW, JAX)


def framework_of(target: Target) -> Framework:
    """The framework that the target's file imports, or else the nearest of the files that it imports; torch by default.

    A file that imports several runs on the one that it imports first.
    """
    assert target.source is not None
    waiting: deque[SourceFile] = deque([target.source])
    seen = {target.source.path}
    looked = 0
    while waiting and looked < MOST_FILES:
        source = waiting.popleft()
        looked += 1
        names = list(_imports(source))
        for name in names:
            found = next((one for one in _ALL if name.partition(".")[0] in one.imports), None)
            if found is not None:
                return found
        for name in names:
            try:
                other = target.library.module(name)
            except TargetError:
                continue
            if other is not None and other.path not in seen:
                seen.add(other.path)
                waiting.append(other)
    return TORCH


def _imports(source: SourceFile) -> Iterator[str]:
    """The modules that a file imports, in order, those that it imports inside of functions too."""
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    package = source.module.split(".")
    if not source.is_package:
        package = package[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            if module:
                yield module
            yield from (f"{module}.{one.name}" if module else one.name for one in node.names)
