"""The layers that a configuration lists, and the calls of each: both forms in which Keras writes them become one.

Keras 3 writes a call as `{"args": [...], "kwargs": {...}}`, in which a tensor tells the layer that gave it; Keras 2 as
a list of `[layer, call, tensor, keyword arguments]`. Everything is checked here: it was written by whoever wrote the
file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archcheck.ir.shapes import Dims

MAX_DEPTH = 24  # of values in each other
MAX_LAYERS = 20_000  # of one model
MAX_NODES = 50_000  # calls of the layers of one model
MAX_RANK = 32
MOST_TENSORS = 256  # of one call


class NonsenseError(Exception):
    """What is wrong with a configuration, in words."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A tensor: which result of which call of which layer; its shape, where the file tells."""

    layer: str
    node: int
    tensor: int
    dims: Dims | None = None


@dataclass(frozen=True, slots=True)
class Custom:
    """An object that a file tells only by the name of its class, or not at all."""

    name: str


@dataclass(frozen=True, slots=True)
class Node:
    """A call of a layer; `Ref` stands for tensors in its arguments."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    old: bool  # written by Keras 2

    def refs(self) -> Iterator[Ref]:
        """The tensors that it is given, in order."""
        return refs([self.args, dict(self.kwargs)])


@dataclass(frozen=True, slots=True)
class Entry:
    """A layer, or a model among layers.

    Attributes:
        name: in its model.
        cls: the name of its class.
        module: the module that defines the class; "" in files that say it of no class.
        registered: the name under which its author registered the class, or "".
        config: what its constructor is given.
        nodes: its calls.
        dims: the shape of its input, where the file tells.
    """

    name: str
    cls: str
    module: str
    registered: str
    config: Any
    nodes: tuple[Node, ...] = ()
    dims: Dims | None = None

    @property
    def is_own(self) -> bool:
        """Whether the class is one of Keras's, as far as the file tells."""
        top = self.module.partition(".")[0]
        return top in ("", "keras", "tf_keras", "keras_core", "tensorflow") and not self.registered

    @property
    def is_graph(self) -> bool:
        """Whether it is a model whose configuration lists the calls of its layers."""
        return isinstance(self.config, dict) and {"layers", "input_layers", "output_layers"} <= self.config.keys()

    @property
    def is_sequence(self) -> bool:
        """Whether it is a model whose layers run one after another."""
        return self.is_own and self.cls == "Sequential"


def entry_of(told: object, name: str = "") -> Entry:
    """A layer, as a configuration tells it.

    Raises:
        NonsenseError: it is none.
    """
    if not isinstance(told, dict) or not isinstance(told.get("class_name"), str):
        raise NonsenseError("something is listed as a layer that names no class")
    config = told.get("config")
    if config is None:
        config = {}
    own = config.get("name") if isinstance(config, dict) else None
    called = next((word for word in (told.get("name"), own, name) if isinstance(word, str) and word), "")
    nodes = told.get("inbound_nodes")
    if nodes is not None and not isinstance(nodes, list):
        raise NonsenseError(f'the calls of "{_cut(called)}" are no list')
    return Entry(
        name=called or told["class_name"],
        cls=told["class_name"],
        module=_module(told),
        registered=_registered(told),
        config=config,
        nodes=tuple(_node(one, called) for one in nodes or ()),
        dims=_dims_of(told, config),
    )


def graph_of(config: Mapping[str, Any]) -> list[Entry]:
    """The layers of a model, in the order in which they are listed.

    Raises:
        NonsenseError: they make no sense.
    """
    told = config["layers"]
    if not isinstance(told, list) or len(told) > MAX_LAYERS:
        raise NonsenseError(f"its layers are no list of at most {MAX_LAYERS:,}")
    found = [entry_of(one) for one in told]
    names = [entry.name for entry in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise NonsenseError(f'two layers are called "{_cut(twice)}"')
    if sum(len(entry.nodes) for entry in found) > MAX_NODES:
        raise NonsenseError(f"its layers are called more than {MAX_NODES:,} times")
    return found


def ends_of(told: object) -> Any:
    """The inputs or outputs of a model: `Ref`s, alone, in lists or in tables.

    Raises:
        NonsenseError: they make no sense.
    """
    return _old_value(told, 0)


def refs(value: Any) -> Iterator[Ref]:
    """The tensors in arguments, in order."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from refs(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from refs(one)


# ---- calls


def _node(told: object, name: str) -> Node:
    if isinstance(told, dict) and "args" in told:
        args, kwargs = told["args"], told.get("kwargs") or {}
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise NonsenseError(f'a call of "{_cut(name)}" has no arguments')
        found = Node(tuple(_value(one, 0) for one in args), {key: _value(one, 0) for key, one in kwargs.items()}, False)
    else:
        kwargs = {}
        first = _old_first(told, kwargs, 0)
        found = Node((first,), {key: _old_value(one, 0) for key, one in kwargs.items()}, True)
    if sum(1 for _ in found.refs()) > MOST_TENSORS:
        raise NonsenseError(f'a call of "{_cut(name)}" is given more than {MOST_TENSORS} tensors')
    return found


def _value(told: Any, depth: int) -> Any:
    """An argument as Keras 3 writes it."""
    if depth > MAX_DEPTH:
        raise NonsenseError("its values nest too deeply")
    if isinstance(told, list):
        return [_value(one, depth + 1) for one in told]
    if not isinstance(told, dict):
        return told
    config = told.get("config")
    word = told.get("class_name")
    if not isinstance(word, str):
        return {key: _value(one, depth + 1) for key, one in told.items()}
    if word == "__keras_tensor__" and isinstance(config, dict):
        return _ref(config.get("keras_history"), _dims(config.get("shape")))
    if word == "__slice__" and isinstance(config, dict):
        return slice(*(_value(config.get(key), depth + 1) for key in ("start", "stop", "step")))
    if word == "__ellipsis__":
        return ...
    if word == "__tuple__" and isinstance(config, dict):
        return tuple(_value(config.get("items", config.get("value")) or [], depth + 1))
    if word == "__numpy__" and isinstance(config, dict):
        return _value(config.get("value"), depth + 1)
    return Custom(word)


def _old_first(told: Any, kwargs: dict[str, Any], depth: int) -> Any:
    """The first argument of a call as Keras 2 writes it; the other ones stand beside each tensor."""
    if depth > MAX_DEPTH:
        raise NonsenseError("its values nest too deeply")
    if isinstance(told, dict):
        return {key: _old_first(one, kwargs, depth + 1) for key, one in told.items()}
    if not isinstance(told, list) or not told:
        raise NonsenseError("a call tells no tensor that it is given")
    if isinstance(told[0], str):
        more = told[3] if len(told) > 3 else {}
        if not isinstance(more, dict):
            raise NonsenseError("a call has arguments without names")
        kwargs.update(more)
        return told[2] if told[0] == "_CONSTANT_VALUE" and len(told) > 2 else _ref(told[:3], None)
    found = [_old_first(one, kwargs, depth + 1) for one in told]
    return found[0] if len(found) == 1 else found


def _old_value(told: Any, depth: int) -> Any:
    """A keyword argument as Keras 2 writes it, and the ends of a model in either form."""
    if depth > MAX_DEPTH:
        raise NonsenseError("its values nest too deeply")
    if isinstance(told, dict):
        if told.keys() == {"start", "stop", "step"}:
            return slice(*(_old_value(told[key], depth + 1) for key in ("start", "stop", "step")))
        word = told.get("class_name")
        if isinstance(word, str):
            return ... if word == "__ellipsis__" else Custom(word)
        return {key: _old_value(one, depth + 1) for key, one in told.items()}
    if not isinstance(told, list):
        return told
    if len(told) in (3, 4) and isinstance(told[0], str) and all(type(one) is int for one in told[1:3]):
        return _ref(told[:3], None)
    return [_old_value(one, depth + 1) for one in told]


def _ref(told: Any, dims: Dims | None) -> Ref:
    if not isinstance(told, list) or len(told) != 3:
        raise NonsenseError("a tensor does not tell what gives it")
    layer, node, tensor = told
    if not isinstance(layer, str) or type(node) is not int or type(tensor) is not int:
        raise NonsenseError("a tensor does not tell what gives it")
    if not 0 <= node <= MAX_NODES or not 0 <= tensor < MOST_TENSORS:
        raise NonsenseError(f'there is no result {tensor} of call {node} of "{_cut(layer)}"')
    return Ref(layer, node, tensor, dims)


# ---- what a layer tells about itself


def _text(told: object) -> str:
    return told if isinstance(told, str) else ""


def _module(told: Mapping[str, Any]) -> str:
    """Older files tell no modules; newer ones leave it out for the classes of a script."""
    module = told.get("module", "")
    return module if isinstance(module, str) else "__main__"


def _registered(told: Mapping[str, Any]) -> str:
    """The name that its author gave a class; Keras's own are registered under their own name, or none."""
    name = _text(told.get("registered_name")) or told["class_name"]
    return name if name != told["class_name"] or ">" in name else ""


def _dims_of(told: Mapping[str, Any], config: Any) -> Dims | None:
    built = told.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    if shape is None and isinstance(config, dict):
        shape = next((config[key] for key in ("batch_shape", "batch_input_shape") if key in config), None)
    return _dims(shape)


def _dims(shape: object) -> Dims | None:
    """A shape, with None where a size is open."""
    if not isinstance(shape, list) or len(shape) > MAX_RANK:
        return None
    if any(one is not None and (type(one) is not int or one < 0) for one in shape):
        return None
    return tuple(shape)


def _cut(name: str) -> str:
    return name[:80]
