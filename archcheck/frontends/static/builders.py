"""Where a package builds a class whose constructor takes ready-made modules: what they are is decided there.

A layer that is handed its attention and its norms (`Layer(attn, mlp, norm)`) computes what its builder hands it. The
functions of its own module, and of the modules beside it, that call the class are such builders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from archcheck.errors import NoModelError
from archcheck.frontends.static import instances
from archcheck.frontends.static.values import Data, Instance, Layer, Method, is_module

if TYPE_CHECKING:
    from archcheck.frontends.static.entry import Run
    from archcheck.frontends.static.library import Library, SourceFile
    from archcheck.frontends.static.machine import Machine

MOST_BUILDERS = 4  # functions that are tried
MOST_MODULES = 80  # beside the class's own that are looked through
NOT_GIVEN = re.compile(r"what is called is not known: (?:\w+ of \w+|\w+) is not given")


def lacks_parts(one: Run) -> bool:
    """Whether something that was called is an argument of a constructor that was not given."""
    return any(NOT_GIVEN.match(why) for _, why in one.machine.notes.unknowns)


def builders(library: Library, module: str, symbol: str) -> Iterator[tuple[str, str]]:
    """Functions that build the class `symbol` of `module`, as module and name, those of its own module first."""
    own = library.module(module)
    if own is None or "." in symbol:
        return
    beside = (library.module(dotted) for dotted in library.modules(own.package)[:MOST_MODULES]) if own.package else ()
    found = 0
    for file in (own, *(file for file in beside if file is not None and file is not own)):
        for name in _callers(file, symbol):
            yield file.module, name
            found += 1
            if found == MOST_BUILDERS:
                return


def _callers(file: SourceFile, symbol: str) -> Iterator[str]:
    """The functions of a file in whose text the class is called."""
    calls = [file.text.count("\n", 0, match.start()) + 1 for match in re.finditer(rf"(?<![\w.]){symbol}\(", file.text)]
    entries = sorted(file.index.entries, key=lambda entry: entry.line)
    for entry, later in zip(entries, [*(one.line for one in entries[1:]), float("inf")], strict=False):
        if entry.kind == "def" and any(entry.line < line < later for line in calls):
            yield entry.names[0]


def parts_of(instance: Instance) -> list[Instance | Layer]:
    """A module and all that it holds."""

    found: list[Instance | Layer] = []
    stack: list[Data] = [instance]
    while stack:
        value = stack.pop()
        if isinstance(value, (list, tuple)):
            stack += value
        elif isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, (Instance, Layer)) and not any(value is one for one in found):
            if isinstance(value, Layer):
                found.append(value)
            elif is_module(value.cls) or value.items is not None:
                found.append(value)
                stack += [*value.attributes.values(), value.items]
    return found


def graph_of(vm: Machine, instance: Instance, entry: Callable[[], Data]) -> Method | None:
    """The constructor of a class that has nothing that a call runs, where it has built a graph on placeholders, as code
    for TensorFlow 1 does; None for any other.

    Args:
        entry: gives what a call runs.
    """
    if any(op.kind.name == "input" for op in vm.recorder.ops):
        try:
            entry()
        except NoModelError:
            init = instances.constructor_of(instance.cls)
            if init is not None:
                return Method(init, instance)
    vm.stored.clear()
    return None
