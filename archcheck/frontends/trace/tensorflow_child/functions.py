"""Public functions that are recorded whole, and the two that run code of the model: a branch, a `tf.function`.

Functions are found by name and put in place wherever a module of the model or of Keras holds them; the insides of
TensorFlow keep their own.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx
from tensorflow.python.autograph.impl import api
from tensorflow.python.eager.polymorphic_function.polymorphic_function import Function as _Function
from tensorflow.python.ops import cond as cond_module

from archcheck.frontends.trace.tensorflow_child.layers import Layers, _as_it_is
from archcheck.frontends.trace.tensorflow_child.recorder import Recorder

_UNDER = ("", "math.", "linalg.", "signal.", "compat.v1.")  # where a name of the dialect may stand
_KERAS_HOLDS = ("ALL_OBJECTS", "ALL_OBJECTS_DICT")  # tables of its activations by name


class Functions:
    """All of them.

    Args:
        recorder: that is told.
        names: of the functions, qualified.
        layers: are told which functions go by which name.
    """

    def __init__(self, recorder: Recorder, names: Sequence[str], layers: Layers) -> None:
        self.recorder = recorder
        self.names = names
        self.layers = layers

    def _found(self) -> dict[int, tuple[str, Any]]:
        """The functions, by identity; where one goes by several names, the longest, which says most, is its own."""
        found: dict[int, tuple[str, Any]] = {}
        for name in sorted(self.names, key=len, reverse=True):
            package, _, rest = name.partition(".")
            under = _UNDER if package == "tensorflow" else ("",)
            for package_of in (package,) if package == "tensorflow" else (package, f"tf_{package}"):
                for before in under:
                    value = _followed(sys.modules.get(package_of), before + rest)
                    if callable(value) and not isinstance(value, type):
                        own = f"tensorflow.{before}{rest}" if before == "compat.v1." else name
                        found.setdefault(id(value), (own, value))
                        break
        return found

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within, calls of these functions are recorded whole."""
        found = self._found()
        recorded: dict[int, Any] = {}
        for identity, (name, original) in found.items():
            recorded[identity] = _recorded(name, original, self.recorder)
            self.layers.names[identity] = self.layers.names[id(recorded[identity])] = name
        self.layers.public = set(self.layers.names.values())
        recorded[id(cond_module.cond)] = cond = _branches(cond_module.cond, self.recorder)
        changed: list[tuple[Any, str, Any]] = [
            (cond_module, "cond", cond_module.cond),
            (_Function, "__call__", _Function.__call__),
        ]
        cond_module.cond = cond
        _Function.__call__ = _inlined(_Function.__call__, self.recorder)
        for name, module in list(sys.modules.items()):
            if name.startswith("tensorflow.python") or name.startswith("archcheck."):
                continue
            held = getattr(module, "__dict__", None)
            for attribute, value in list(held.items()) if isinstance(held, dict) else ():
                other = recorded.get(id(value))
                if other is not None and other is not value:
                    changed.append((module, attribute, value))
                    held[attribute] = other  # type: ignore[index]
        try:
            with _tables(recorded):
                yield
        finally:
            for owner, attribute, original in reversed(changed):
                setattr(owner, attribute, original)


@contextmanager
def _tables(recorded: dict[int, Any]) -> Iterator[None]:
    """Keras looks up activations by name in tables of its own."""
    changed: list[tuple[dict[Any, Any], Any, Any]] = []
    for name in ("keras.src.activations", "tf_keras.src.activations"):
        for table in _KERAS_HOLDS:
            held = getattr(sys.modules.get(name), table, None)
            if not isinstance(held, dict):
                continue
            for key, value in list(held.items()):
                if id(value) in recorded:
                    changed.append((held, key, value))
                    held[key] = recorded[id(value)]
    try:
        yield
    finally:
        for held, key, value in reversed(changed):
            held[key] = value


def _followed(owner: Any, path: str) -> Any:
    for part in path.split("."):
        try:
            owner = getattr(owner, part, None)
        except Exception:  # a module that is loaded when it is asked for, and is not there
            return None
    return owner


def _recorded(name: str, original: Any, recorder: Recorder) -> Any:
    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        return recorder.function(name, original, args, kwargs)

    return _as_it_is(function)


def _inlined(original: Any, recorder: Recorder) -> Any:
    """A `tf.function` that another one calls is run as the code that it is."""

    @functools.wraps(original)
    def __call__(function: Any, *args: Any, **kwargs: Any) -> Any:
        if not recorder.listening:
            return original(function, *args, **kwargs)
        return converted(function)(*args, **kwargs)

    return _as_it_is(__call__)


def converted(function: Any) -> Callable[..., Any]:
    """The code of a `tf.function`, rewritten by AutoGraph where it asks for that."""
    inner = function.python_function
    if not getattr(function, "_autograph", True):
        return inner
    return api.tf_convert(inner, ag_ctx.ControlStatusCtx(status=ag_ctx.Status.ENABLED), user_requested=True)


def _branches(original: Any, recorder: Recorder) -> Any:
    """A branch by what a tensor holds: both sides are run, and of each value the one that is right is taken."""

    @functools.wraps(original)
    def cond(pred: Any, true_fn: Any = None, false_fn: Any = None, *args: Any, **kwargs: Any) -> Any:
        if not recorder.listening or args or true_fn is None or false_fn is None:
            return original(pred, true_fn, false_fn, *args, **kwargs)
        known = recorder.raw.static(pred) if isinstance(pred, tf.Tensor) else pred
        if known is not None:
            return true_fn() if bool(known) else false_fn()
        mark = len(recorder.calls)
        yes, no = true_fn(), false_fn()
        if not any(call[6] for call in recorder.calls[mark:]):
            try:
                with recorder.silence():
                    taken = tf.nest.map_structure(lambda a, b: a if a is b else tf.where(pred, a, b), yes, no)
            except (TypeError, ValueError):
                taken = None
            if taken is not None:
                return taken
        changed = sorted({number for call in recorder.calls[mark:] for number in call[6] or ()})
        del recorder.calls[mark:]
        with recorder.silence():
            out = original(pred, true_fn, false_fn, *args, **kwargs)
        for number in changed:  # a variable that one of the sides writes into
            recorder.add("tensorflow.raw_ops.If", [("t", number)], {}, ("t", number), written=[number])
        return out

    return _as_it_is(cond)
