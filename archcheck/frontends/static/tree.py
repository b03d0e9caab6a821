"""The module tree of a target when it is whole: where its classes stand, which weights are one, what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archcheck.frontends.static.machine import flatten_tensors
from archcheck.frontends.static.values import Data, Instance, Layer, Method, Tensor, TensorModel, is_module
from archcheck.ir.graph import Value
from archcheck.ir.span import Reached, Span

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


@dataclass(frozen=True, slots=True)
class ModulePlace:
    """A class of the code at its place in the module tree; "" is the target itself."""

    path: str
    symbol: str
    span: Span


MOST_AGAIN = 10_000  # modules met at another place; they may nest, and places multiply


def walk(vm: Machine, function: Data) -> tuple[tuple[ModulePlace, ...], tuple[tuple[str, str], ...], Reached]:
    """The classes in the module tree, which tensors are one, and how evaluation came to the ops.

    Tensors get their names here, when the tree is whole.
    """
    root = function.receiver if isinstance(function, Method) else function
    found: list[ModulePlace] = []
    first: dict[object, str] = {}  # learned tensor -> its first place
    weights: dict[str, str] = {}
    seen: set[int] = set()
    visits = 0
    stack: list[tuple[str, Data, tuple[int, ...]]] = [("", root, ())]
    while stack:
        place, value, around = stack.pop()
        if isinstance(value, Layer):  # in a list
            weights |= _weights(value, place, first)
        if id(value) in around or not isinstance(value, (Instance, list, dict)):
            continue
        again = id(value) in seen  # a module at another place: its tensors have one name more
        visits += again
        if again and visits > MOST_AGAIN:
            continue
        seen.add(id(value))
        around = (*around, id(value))
        if isinstance(value, list):
            stack += [(f"{place}.{at}", item, around) for at, item in enumerate(value)]
            continue
        if isinstance(value, Instance) and value.layer is not None:
            weights |= _weights(value.layer, place, first)
        if isinstance(value, Instance) and value.cls.node is not None and not again:
            node = value.cls.node
            found.append(
                ModulePlace(place, value.cls.name, Span(value.cls.file.shown, node.lineno, node.col_offset + 1))
            )
        held = value if isinstance(value, dict) else {**value.made, **value.attributes}
        for name, item in held.items():
            inner = f"{place}.{name}" if place else str(name)
            if isinstance(item, Tensor) and item.learned:
                vm.recorder.name_parameter(item.value.op, inner)
                weights[inner] = first.setdefault(item.value, inner)
            elif isinstance(item, Layer):
                weights |= _weights(item, inner, first)
            elif is_owned(value, item):
                stack.append((inner, item, around))
        if isinstance(value, Instance) and value.items is not None:
            stack.append((place, value.items, around))
    return tuple(sorted(found, key=lambda one: one.path)), tuple(sorted(weights.items())), _reached(vm, first)


def _weights(layer: Layer, place: str, first: dict[object, str]) -> dict[str, str]:
    """The learned tensors of a layer, each with the first place that it has."""
    return {
        f"{place}.{weight}": first.setdefault(_key(layer, weight), f"{place}.{weight}") for weight in layer.row.weights
    }


def _key(layer: Layer, weight: str) -> object:
    """What identifies a tensor of a layer: itself, where code has given it one."""
    held = layer.attributes.get(weight)
    return held.value if isinstance(held, Tensor) else (id(layer), weight)


def _reached(vm: Machine, first: dict[object, str]) -> Reached:
    """How evaluation came to each op, and which tensors the layers hold that were called there."""
    layers = vm.recorder.layers
    built = {at: layer.built for at, layer in layers.items() if layer.built is not None}
    held = {
        at: tuple([first.setdefault(_key(layer, weight), f"{at}.{weight}") for weight in layer.row.weights])
        for at, layer in layers.items()
        if layer.row.weights
    }
    return Reached(vm.recorder.called, built, held)


def is_owned(owner: Data, item: Data) -> bool:
    """Whether `item` is part of the module tree below `owner`, and not a configuration or a back reference."""
    if isinstance(item, Instance) and isinstance(owner, Instance):
        return item.owner is not None and item.owner[0] is owner and is_module(item.cls)
    return isinstance(item, (Instance, list, dict))


def outputs(result: Data, depth: int = 6) -> list[Tensor]:
    """The tensors that come out, in order; objects with fields give theirs."""
    found: list[Tensor] = []
    if isinstance(result, TensorModel):
        return outputs(result.outputs, depth)
    if isinstance(result, Instance) and depth:
        for item in result.attributes.values():
            found += outputs(item, depth - 1)
        if isinstance(result.items, (list, dict)):
            found += outputs(result.items, depth - 1)
    elif isinstance(result, (list, tuple)) and depth:
        for item in result:
            found += outputs(item, depth - 1)
    elif isinstance(result, dict) and depth:
        for item in result.values():
            found += outputs(item, depth - 1)
    else:
        found += [tensor for tensor in flatten_tensors(result) if isinstance(tensor, Tensor)]
    return found


def kept(vm: Machine) -> tuple[Value, ...]:
    """What comes out of a method that gives nothing, as those that build a graph: of the tensors that it computes and
    keeps in its object, those of which no other one of them was computed, but by what could not be read (a loss, what
    trains by it)."""
    values = dict.fromkeys(tensor.value for tensors in vm.stored.values() for tensor in tensors)
    ops = vm.recorder.by_path
    read, waiting = set[str](), [one.op for one in values]
    while waiting:
        op = ops[waiting.pop()]
        found = {value.op for value in op.reads if op.kind.name != "opaque"} - read
        read |= found
        waiting += found
    return tuple(one for one in values if one.op not in read and ops[one.op].reads)
