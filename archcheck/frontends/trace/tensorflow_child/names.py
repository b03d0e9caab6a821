"""Where layers and variables stand in a model: the attributes that lead to them, as in the code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from archcheck.frontends.trace.tensorflow_child.encoding import variable_of

DEEPEST = 64
# What the frameworks keep beside the attributes that code sets.
_OWN = frozenset({
    "_layers", "_operations", "_operations_by_depth", "_nodes", "_nodes_by_depth", "_inbound_nodes", "_outbound_nodes",
    "_inbound_nodes_value", "_outbound_nodes_value", "_tracker", "_trainable_variables", "_non_trainable_variables",
    "_trainable_weights", "_non_trainable_weights", "_seed_generators", "_losses", "_metrics", "_functional",
    "_tracked",
    "_self_tracked_trackables", "_self_unconditional_checkpoint_dependencies", "_obj_reference_counts_dict",
    "_self_unconditional_dependency_names", "_unconditional_checkpoint_dependencies", "_output_layers", "_input_layers",
    "_input_coordinates", "_output_coordinates", "_flattened_layers", "_archcheck_given", "_thread_local", "optimizer",
    "_layer_call_argspecs", "_undeleted", "_handle_name_to_trackable", "_optimizer", "_callable_losses",
})  # fmt: skip


def walk(model: Any) -> Iterator[tuple[str, Any, bool]]:
    """Each layer and variable with its place, and whether it is a variable; the model itself comes first, at "".

    One that is reached in several ways is given for each. A layer of a functional model to which no attribute leads has
    its name for a place, with a `/` before it.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, Any, int]] = [("", model, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        if variable_of(value) is not None:
            yield path, value, True
            continue
        if isinstance(value, (list, tuple)):
            waiting += [(_under(path, at), one, depth) for at, one in reversed(list(enumerate(value)))]
            continue
        if isinstance(value, dict):
            waiting += [(_under(path, key), one, depth) for key, one in reversed(list(value.items()))]
            continue
        if not isinstance(value, tf.Module) and not _is_layer(value):
            continue
        yield path, value, False
        if id(value) in seen or depth >= DEEPEST:
            continue
        seen.add(id(value))
        found = [(name, one) for name, one in list(vars(value).items()) if name not in _OWN and _holds(one)]
        known = {id(one) for _, one in found} | {id(one) for _, many in found if isinstance(many, list) for one in many}
        kept = getattr(value, "_layers", None) or getattr(value, "_self_tracked_trackables", None) or ()
        listed = [one for one in kept if id(one) not in known and _is_layer(one)]
        found += [(f"/{getattr(one, 'name', at)}", one) for at, one in enumerate(listed)]
        waiting += [(_under(path, _public(value, name)), one, depth + 1) for name, one in reversed(found)]


def _public(owner: Any, name: str) -> str:
    """The name under which code reads an attribute: `kernel` is what `_kernel` is kept for."""
    public = name.lstrip("_")
    return public if public and isinstance(getattr(type(owner), public, None), property) else name


def _under(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


_PLAIN = frozenset({str, int, float, bool, type(None), set, bytes})  # asked first: most attributes are such


def _is_layer(value: Any) -> bool:
    return hasattr(type(value), "call") and hasattr(value, "built")


def _holds(value: Any, depth: int = 3) -> bool:
    """Whether layers or variables may stand in an attribute."""
    if type(value) in _PLAIN:
        return False
    if isinstance(value, (list, tuple)):
        return bool(depth) and any(_holds(one, depth - 1) for one in value)
    if isinstance(value, dict):
        return bool(depth) and any(_holds(one, depth - 1) for one in value.values())
    return variable_of(value) is not None or isinstance(value, tf.Module) or _is_layer(value)


def named_variables(model: Any) -> Iterator[tuple[str, Any, bool]]:
    """Each variable with its places, and whether it is learned."""
    for path, value, is_variable in walk(model):
        if is_variable and not path.rpartition(".")[2].startswith("seed_generator"):
            yield path.replace("/", ""), value, bool(getattr(value, "trainable", False))


class Places:
    """The places of a model's layers, looked up by identity; layers that are made later are looked for then."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._places: dict[int, str | None] = {}
        self._kept: list[Any] = []
        self._look()

    def _look(self) -> None:
        for path, value, is_variable in walk(self.model):
            if not is_variable and self._places.get(id(value)) is None:
                self._places[id(value)] = path if "/" not in path else None
                self._kept.append(value)

    def of(self, layer: Any) -> str | None:
        """The place of a layer; None for one that no attribute leads to."""
        if id(layer) not in self._places:
            self._look()
            self._places.setdefault(id(layer), None)
            self._kept.append(layer)
        return self._places[id(layer)]
