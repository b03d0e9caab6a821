"""The tree of objects in a SavedModel: what variables are called, which training changes, what functions hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from archcheck.frontends.tensorflow_graph.nodes import Variable
from archcheck.frontends.tensorflow_graph.wire import Wire

MAX_OBJECTS = 200_000

# Attributes under which Keras and its like keep lists of what stands elsewhere in the tree too.
_LISTS = frozenset({
    "variables", "trainable_variables", "non_trainable_variables", "regularization_losses", "keras_api", "layers",
    "metrics", "layer_metrics", "layer_regularization_losses", "signatures", "optimizer", "loss",
})  # fmt: skip


@dataclass(frozen=True)
class Objects:
    """What the tree tells.

    Args:
        captures: function -> its last arguments: variables, None for what is no variable.
        functions: name of an attribute of the model -> the function that it is.
    """

    captures: Mapping[str, tuple[Variable | None, ...]] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Object:
    children: list[tuple[str, int]]
    variable: Variable | None = None
    functions: tuple[str, ...] = ()


def objects(wire: Wire, at: int, end: int) -> Objects:
    """The tree that is written there."""
    found: list[_Object] = []
    bound: dict[str, tuple[int, ...]] = {}
    for number, form, start, after in wire.fields(at, end):
        if form != 2:
            continue
        if number == 1 and len(found) < MAX_OBJECTS:
            found.append(_object(wire, start, after))
        elif number == 2:
            name, place = wire.entry(start, after)
            bound[name] = _bound(wire, *place)
    named = _named(found)
    captures = {
        name: tuple(named.get(one) if 0 <= one < len(found) else None for one in of) for name, of in bound.items()
    }
    functions: dict[str, str] = {}
    for name, child in found[0].children if found else ():
        called = found[child].functions if 0 <= child < len(found) else ()
        for count, one in enumerate(called):
            functions[name if len(called) == 1 else f"{name}_{count}"] = one
    return Objects(captures, functions)


def _bound(wire: Wire, at: int, end: int) -> tuple[int, ...]:
    found: list[int] = []
    for number, form, start, after in wire.fields(at, end):
        if number == 2:
            found += wire.varints(start, after) if form == 2 else [start]
    return tuple(found)


def _object(wire: Wire, at: int, end: int) -> _Object:
    found = _Object([])
    for number, form, start, after in wire.fields(at, end):
        if form != 2:
            continue
        if number == 1:
            child, name = 0, ""
            for inner, how, first, last in wire.fields(start, after):
                if inner == 1 and how == 0:
                    child = first
                elif inner == 2 and how == 2:
                    name = wire.text(first, last)
            found.children.append((name, child))
        elif number == 6:
            found.functions = tuple(wire.text(*one) for one in wire.messages(start, after, 1))
        elif number == 7:
            trains, name, shape = False, "", None
            for inner, how, first, last in wire.fields(start, after):
                if inner == 3 and how == 0:
                    trains = bool(first)
                elif inner == 2 and how == 2:
                    shape = wire.shape(first, last)
                elif inner == 6 and how == 2:
                    name = wire.text(first, last)
            found.variable = Variable(name, trains, shape)
    return found


def _named(found: list[_Object]) -> dict[int, Variable]:
    """The variables by the number of their object: named after the scopes in which they were made, where they tell any,
    else after the attributes by which the model holds them."""
    paths = _paths(found)
    named: dict[int, Variable] = {}
    for number, one in enumerate(found):
        if one.variable is not None:
            own = one.variable.name.removesuffix(":0")
            path = paths.get(number)
            name = own.replace("/", ".") if "/" in own or path is None else path
            named[number] = Variable(name, one.variable.trains, one.variable.shape)
    return named


def _paths(found: list[_Object]) -> dict[int, str]:
    """The shortest way to each object through attributes that are its own."""
    paths, waiting = {0: ""}, deque([0])
    while waiting:
        number = waiting.popleft()
        before = paths[number]
        for name, child in found[number].children if number < len(found) else ():
            if child in paths or name in _LISTS or name.startswith("_") or not 0 <= child < len(found):
                continue
            paths[child] = f"{before}.{name}" if before else name
            waiting.append(child)
    return paths
