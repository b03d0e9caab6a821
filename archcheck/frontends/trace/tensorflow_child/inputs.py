"""Makes the arguments of a call: what the user gives, what a functional model says of its inputs, else what is usual.

Where nobody says what an argument is, its name and then trying decide: tokens, features, an image. Each attempt is a
model of its own, as layers take the sizes of what they are called with first.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from archcheck.frontends.trace.tensorflow_child.building import (
    Built,
    CannotBuildError,
    is_layer,
    names_of,
    parameters_of,
)

BATCH, LENGTH, IMAGE, WIDTH = 2, 7, 64, 64
MOST_TRIES = 24
_UNNAMED = re.compile(r"(keras_tensor|input_layer|inputs?)(_\d+)?$")  # how Keras calls an input that code gives no name
_WIDTHS = (
    "hidden_dim", "d_model", "hidden_size", "embed_dim", "embedding_dim", "dim", "model_dim", "width", "units",
    "projection_dim", "filters", "hidden_units",
)  # fmt: skip
_MODES = ("training",)
_DTYPES = {"int": tf.int32, "float": tf.float32, "bool": tf.bool}


@dataclass(frozen=True)
class Wanted:
    """A tensor that is to be made.

    Args:
        shape: sizes in elements.
        dtype: of its entries.
        name: that a functional model gives it, "" where it is that of the argument.
    """

    shape: tuple[int, ...]
    dtype: Any = tf.float32
    name: str = ""

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))}:{self.dtype.name}"


class Inputs:
    """The arguments of a call; each of `attempts` is one way to give them.

    Args:
        built: what is called.
        given: name -> text of `--input`: a shape `2x7x64`, a shape with a dtype `2x7:int32`, or an expression.
        wanted: optional arguments that are given too.
        training: the mode.
    """

    def __init__(self, built: Built, given: Mapping[str, str], wanted: list[str], training: bool) -> None:
        self.built = built
        self.training = training
        parameters = parameters_of(built.call)
        names = names_of(parameters)
        open_ended = any(one.kind == one.VAR_KEYWORD for one in parameters)
        self.values: dict[str, Any] = dict(built.fixed)
        self.structure = _structure(built.call)
        for name, text in given.items():
            if name not in names and not open_ended and self.structure is None:
                hint = f"it takes {', '.join(names) or 'none'}"
                raise CannotBuildError(f"--input {name}: the call has no such parameter", hint=hint)
            self.values[name] = _given(name, text)
        required = [one.name for one in parameters if one.name in names and one.default is inspect.Parameter.empty]
        asked = [name for name in names if name in required or name in wanted]
        self.open = [name for name in asked if name not in self.values and name not in _MODES]
        if self.structure is not None:
            self.open = []
        elif not self.open and not self.values and names:
            self.open = names[:1]
        self.names = names

    def attempts(self) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        """Positional and keyword arguments, with `Wanted` for tensors; the likeliest first."""
        if self.structure is not None:
            values = dict(self.values)
            yield [_filled(self.structure, values)], {}
            return
        choices = [list(_candidates(name, at == 0, self._width())) for at, name in enumerate(self.open)]
        for chosen in itertools.islice(_by_likelihood(choices), MOST_TRIES):
            named = {**self.values, **dict(zip(self.open, chosen, strict=True))}
            order = {name: at for at, name in enumerate(self.names)}
            yield [], dict(sorted(named.items(), key=lambda one: order.get(one[0], len(order))))

    def _width(self) -> int:
        """Features of what goes through the model, as its constructor was told or keeps them."""
        for name in _WIDTHS:
            for owner in (self.built.arguments, vars(self.built.model) if self.built.model is not None else {}):
                value = owner.get(name)
                if isinstance(value, int) and not isinstance(value, bool):
                    return value
        return WIDTH


def _by_likelihood(choices: list[list[Any]]) -> Iterator[tuple[Any, ...]]:
    """All combinations, those first whose parts stand early."""
    ranks = itertools.product(*(range(len(one)) for one in choices))
    for rank in sorted(itertools.islice(ranks, 4_096), key=sum):
        yield tuple(one[at] for one, at in zip(choices, rank, strict=True))


def _structure(call: Any) -> Any:
    """The inputs of a functional model; None where the model does not say them."""
    if not is_layer(call):
        return None
    for name in ("_inputs_struct", "_nested_inputs"):
        found = getattr(call, name, None)
        if found is None and (inner := getattr(call, "_functional", None)) is not None:
            found = getattr(inner, name, None)
        if found is not None:
            return found
    shape = getattr(call, "_build_input_shape", None) or getattr(call, "batch_input_shape", None)
    return None if not isinstance(shape, (tuple, list)) else tf.TensorSpec(shape, name="inputs")


def _filled(structure: Any, given: dict[str, Any], name: str = "inputs", many: bool = True) -> Any:
    """The inputs of a functional model with sizes where it leaves them open."""
    if isinstance(structure, dict):
        return {key: _filled(one, given, str(key)) for key, one in structure.items()}
    if isinstance(structure, (list, tuple)):
        if len(structure) == 1 and isinstance(structure, tuple):
            return _filled(structure[0], given, name)
        return [_filled(one, given, _name_of(one, name)) for one in structure]
    for word in (name, _name_of(structure, name)):
        if word in given:
            return given[word]
    shape = list(structure.shape)
    dtype = tf.as_dtype(getattr(structure.dtype, "name", None) or structure.dtype)
    free = IMAGE if len(shape) >= 4 and dtype.is_floating else LENGTH
    sizes = [size if size is not None else (BATCH if at == 0 else free) for at, size in enumerate(shape)]
    own = _name_of(structure, name)
    return Wanted(tuple(int(one) for one in sizes), dtype, "input" if _UNNAMED.match(own) else own)


def _name_of(tensor: Any, default: str) -> str:
    name = getattr(tensor, "name", None)
    return str(name).partition(":")[0] if name else default


def _candidates(name: str, first: bool, width: int) -> Iterator[Any]:
    """What an argument of this name may be, the likeliest first."""
    lowered = name.lower()
    features = Wanted((BATCH, LENGTH, width))
    tokens = Wanted((BATCH, LENGTH), tf.int32)
    image, flat = Wanted((BATCH, IMAGE, IMAGE, 3)), Wanted((BATCH, width))
    if "mask" in lowered:
        yield from (Wanted((BATCH, LENGTH, LENGTH), tf.bool), Wanted((BATCH, LENGTH), tf.bool), None)
    elif lowered.endswith(("ids", "tokens", "token")) or lowered in ("tar", "inp", "source", "target"):
        yield from (tokens, features)
    elif "image" in lowered or "pixel" in lowered:
        yield from (image, Wanted((BATCH, 32, 32, 3)))
    else:
        yield from (features, tokens, image, flat, Wanted((BATCH, 16, 16, width)))
        if first:
            yield from ([tokens, tokens], [features, features], (tokens, tokens))
            yield {"token_ids": tokens, "segment_ids": tokens, "padding_mask": tokens}


def _given(name: str, text: str) -> Any:
    shape, _, kind = text.partition(":")
    if (shape.replace("x", "").isdigit() and "x" in shape) or (kind and shape.isdigit()):
        try:
            dtype = _DTYPES.get(kind) or (tf.as_dtype(kind) if kind else tf.float32)
        except TypeError:
            raise CannotBuildError(f"--input {name}={text}: there is no dtype {kind}") from None
        return Wanted(tuple(int(size) for size in shape.split("x") if size), dtype)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        hint = "give a shape, 2x7x64 or 2x7:int32, or a literal"
        raise CannotBuildError(f"--input {name}={text} is neither a shape nor a literal", hint=hint) from None


def made(value: Any, name: str, found: list[tuple[str, Any]]) -> Any:
    """A value with tensors made of what is wanted; they are noted in `found`, by name."""
    if isinstance(value, Wanted):
        if value.name:
            name = value.name
            taken = sum(one == name or one.startswith(f"{name}_") for one, _ in found)
            name += f"_{taken}" if taken else ""
        tensor = tf.compat.v1.placeholder(value.dtype, value.shape, name=_graph_name(name))
        found.append((name, tensor))
        return tensor
    if isinstance(value, (list, tuple)):
        return type(value)(made(one, f"{name}[{at}]", found) for at, one in enumerate(value))
    if isinstance(value, dict):
        return {key: made(one, f"{name}[{key}]", found) for key, one in value.items()}
    return value


def _graph_name(name: str) -> str:
    cleaned = "".join(one if one.isalnum() or one == "_" else "_" for one in name).strip("_")
    return cleaned or "x"
