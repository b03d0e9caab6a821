"""Layers that are recorded whole, those for which the dialects have a row, and where all the others stand.

Which they are is told from outside, by qualified name. A layer's constructor arguments are noted when it is built.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import tensorflow as tf

from archcheck.frontends.trace.tensorflow_child.encoding import tensors, variable_of
from archcheck.frontends.trace.tensorflow_child.recorder import Recorder

GIVEN = "_archcheck_given"
_PACKAGES = ("keras", "tf_keras")
_MISSING = object()
Changed = list[tuple[Any, str, Any]]


class Leaf:
    """A class of layers.

    Args:
        name: by which the dialects list it.
        cls: the class.
        parameters: names of its constructor's parameters.
        plain: parameters that must have their default for the row to be what is computed, with the defaults.
        names: functions by identity, with the public names that the dialects know.
    """

    def __init__(
        self, name: str, cls: Any, parameters: list[str], plain: Mapping[str, Any], names: Mapping[int, str]
    ) -> None:
        self.name = name
        self.cls = cls
        self.parameters = parameters
        self.plain = plain
        self.names = names
        self.call: Callable[..., Any] = cls.call
        self._call_parameters = list(inspect.signature(self.call).parameters)[1:]

    def given(self, layer: Any) -> dict[str, Any] | None:
        """What the constructor was given, functions by their public names; None where one has no such name.

        A function of the model's own is computed by its own code, and so the layer is not recorded whole.
        """
        args, kwargs = layer.__dict__.get(GIVEN, (None, None))
        attributes: dict[str, Any] = {}
        if args is None:
            config = layer.get_config()
            attributes = {name: config[name] for name in self.parameters if name in config}
        told = [self._told(value) for value in args or ()]
        named = {name: self._told(value) for name, value in (kwargs or {}).items() if not _decides_nothing(name)}
        attributes = {name: self._told(value) for name, value in attributes.items() if not _decides_nothing(name)}
        if _MISSING in told or any(value is _MISSING for value in (*named.values(), *attributes.values())):
            return None
        return {"args": None if args is None else tuple(told), "kwargs": named, "attributes": attributes}

    def _told(self, value: Any) -> Any:
        if id(value) in self.names:
            return _Named(self.names[id(value)])
        if isinstance(value, tf.Module) or type(value).__name__ == "method":
            return _MISSING
        module = type(value).__module__.partition(".")[0]
        if callable(value) and not isinstance(value, type) and module not in _PACKAGES:
            return _MISSING
        return value

    def fits(self, given: Mapping[str, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether the row says what this call computes."""
        if not self.plain:
            return True
        constructed = dict(given["attributes"]) | given["kwargs"]
        constructed |= dict(zip(self.parameters, given["args"] or (), strict=False))
        called = dict(zip(self._call_parameters, args, strict=False)) | dict(kwargs)
        for name, default in self.plain.items():
            value = called.get(name, constructed.get(name, default))
            if isinstance(value, _Named):
                value = value.name.rpartition(".")[2]
            if isinstance(value, tf.Tensor) or value != default:
                return False
        return True


def _decides_nothing(name: str) -> bool:
    """Whether an argument of a constructor only tells how weights start or are kept small."""
    return name.endswith(("_initializer", "_regularizer", "_constraint")) or name in ("name", "dtype", "seed")


class _Named:
    """A function that goes by a public name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.__qualname__ = name.rpartition(".")[2]
        self.__module__ = name.rpartition(".")[0]

    def __call__(self) -> None:
        """It is told as what can be called is."""


class Layers:
    """All of them.

    Args:
        recorder: that is told.
        layers: name -> (constructor's parameters, plain parameters with their defaults).
        names: functions by identity, with their public names.
    """

    def __init__(self, recorder: Recorder, layers: Mapping[str, tuple[list[str], Mapping[str, Any]]]) -> None:
        self.recorder = recorder
        self.layers = layers
        self.names: dict[int, str] = {}
        self.public: set[str] = set()  # the names of functions that are recorded whole
        self._noted: set[type] = set()
        self._leaves: list[Leaf] = []

    def note_constructors(self) -> None:
        """From now on, what constructors of these layers are given is noted."""
        for name, cls in self._classes():
            if cls not in self._noted:
                self._noted.add(cls)
                _note(cls)
                self._leaves.append(Leaf(name, cls, *self.layers[name], self.names))

    def _classes(self) -> Iterator[tuple[str, Any]]:
        for package in _PACKAGES:
            root = sys.modules.get(package)
            for name in self.layers if root is not None else ():
                value: Any = root
                for part in name.split(".")[1:]:
                    value = getattr(value, part, None)
                if isinstance(value, type) and hasattr(value, "call"):
                    yield name, value

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within, calls of these layers are recorded whole, and all others tell where they stand."""
        changed: Changed = []

        def change(owner: Any, attribute: str, value: Any) -> None:
            changed.append((owner, attribute, owner.__dict__.get(attribute, _MISSING)))
            setattr(owner, attribute, value)

        for leaf in self._leaves:
            change(leaf.cls, "call", self._through(leaf))
        for base, operation, node, loop in _machinery():
            change(base, "__call__", self._placed(base.__call__))
            change(base, "_maybe_build", self._silently(base._maybe_build))
            if node is not None:
                change(node, "__init__", self._sited(node.__init__))
                self.recorder.loops[loop] = "node"
            if operation is not None:
                change(operation, "__call__", self._operation(operation.__call__, base))
        try:
            yield
        finally:
            for owner, attribute, original in reversed(changed):
                if original is _MISSING:
                    delattr(owner, attribute)
                else:
                    setattr(owner, attribute, original)

    def _through(self, leaf: Leaf) -> Any:
        recorder, original = self.recorder, leaf.call

        @functools.wraps(original)
        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if not recorder.listening:
                return original(layer, *args, **kwargs)
            given = leaf.given(layer)
            if given is None or not leaf.fits(given, args, kwargs):
                return original(layer, *args, **kwargs)
            return recorder.layer(leaf.name, layer, original, args, kwargs, given)

        return _as_it_is(call)

    def _placed(self, original: Any) -> Any:
        recorder = self.recorder

        @functools.wraps(original)
        def __call__(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if not recorder.listening:
                return original(layer, *args, **kwargs)
            with recorder.within(layer):
                return original(layer, *args, **kwargs)

        return _as_it_is(__call__)

    def _silently(self, original: Any) -> Any:
        recorder = self.recorder

        @functools.wraps(original)
        def _maybe_build(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if layer.built or not recorder.listening:
                return original(layer, *args, **kwargs)
            with recorder.silence():
                return original(layer, *args, **kwargs)

        return _as_it_is(_maybe_build)

    def _sited(self, original: Any) -> Any:
        """Where the code of a functional model writes down a call."""
        recorder = self.recorder

        @functools.wraps(original)
        def __init__(node: Any, *args: Any, **kwargs: Any) -> None:
            original(node, *args, **kwargs)
            recorder.nodes[id(node)] = recorder.here()

        return __init__

    def _operation(self, original: Any, base: Any) -> Any:
        """Calls of a functional model that are functions and no layers: each is told as the function that it is of."""
        recorder = self.recorder

        @functools.wraps(original)
        def __call__(operation: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(operation, base) or not recorder.listening:
                return original(operation, *args, **kwargs)
            found = _as_function(operation, args, kwargs)
            if found is None or found[0] not in self.public:
                return original(operation, *args, **kwargs)
            name, called = found
            return recorder.function(name, lambda **given: original(operation, *args, **kwargs), (), called)

        return _as_it_is(__call__)


def _as_function(operation: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The function of `keras.ops` that an operation is of, and its arguments; None where they do not all show."""
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(operation).__name__).lower()
    function = getattr(getattr(sys.modules.get("keras"), "ops", None), word, None)
    if function is None:
        return None
    try:
        called = dict(inspect.signature(operation.call).bind(*args, **kwargs).arguments)
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    given: dict[str, Any] = {}
    for name, parameter in parameters.items():
        value = called.pop(name, _MISSING)
        if value is _MISSING:
            value = operation.__dict__.get(name, _MISSING)
        if value is _MISSING or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            return None
        given[name] = value
    if any(True for _ in tensors(list(called.values()))) or variable_of(called) is not None:
        return None
    return f"keras.ops.{word}", given


def _machinery() -> Iterator[tuple[Any, Any, Any, Any]]:
    """Of each Keras that is imported: the base of layers, that of operations, nodes, and the code that calls them."""
    if "keras.src.layers.layer" in sys.modules:
        from keras.src.layers.layer import Layer
        from keras.src.ops.function import Function
        from keras.src.ops.node import Node
        from keras.src.ops.operation import Operation

        yield Layer, Operation, Node, Function._run_through_graph.__code__
    if "tf_keras.src.engine.base_layer" in sys.modules:
        from tf_keras.src.engine.base_layer import Layer as OldLayer
        from tf_keras.src.engine.functional import Functional
        from tf_keras.src.engine.node import Node as OldNode

        yield OldLayer, None, OldNode, Functional._run_internal_graph.__code__
        if "tf_keras.src.engine.base_layer_v1" in sys.modules:  # what it makes in a graph
            from tf_keras.src.engine.base_layer_v1 import Layer as GraphLayer

            yield GraphLayer, None, None, None


def _as_it_is(function: Any) -> Any:
    """AutoGraph is to call it as it is: it is the recorder's, and no code of the model."""
    function.autograph_info__ = {}
    with suppress(TypeError, ValueError):
        function.__signature__ = inspect.signature(function.__wrapped__)  # Keras and TensorFlow look at it
    return function


def _note(cls: Any) -> None:
    original = cls.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if GIVEN not in self.__dict__:
            self.__dict__[GIVEN] = (args, kwargs)
        original(self, *args, **kwargs)

    init.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]  # Keras looks at it
    cls.__init__ = init
