"""Makes the arguments of a call: what the user gives, else what is usual for a parameter of that name.

Where nobody says what an argument is, its name and then trying decide: tokens, features, an image.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from archcheck.frontends.trace.jax_child.building import Built, CannotBuildError, names_of, parameters_of

BATCH, LENGTH, IMAGE, WIDTH = 2, 7, 64, 64
MOST_TRIES = 24
_WIDTHS = (
    "hidden_dim", "d_model", "hidden_size", "embed_dim", "embedding_dim", "emb_dim", "dim", "model_dim", "width",
    "features", "qkv_dim", "num_features", "in_features",
)  # fmt: skip
_ON, _OFF = (
    ("train", "training", "is_training", "is_train"),
    ("deterministic", "use_running_average", "eval_mode", "is_eval"),
)
_IMAGES = ("image_size", "img_size", "resolution")
_DTYPES = {"int": "int32", "float": "float32", "bool": "bool"}
_SHAPE = re.compile(r"(\d+(?:x\d+)*)(?::(\w+))?")


@dataclass(frozen=True)
class Wanted:
    """A tensor that is to be made."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))}:{self.dtype}"


class Arguments:
    """The arguments of one call, with tensors to be filled in.

    Args:
        named: by parameter.
        first: parameters that are given by position.
    """

    def __init__(self, named: Mapping[str, Any], first: list[str]) -> None:
        self.named = named
        self.first = first
        found: list[tuple[str, Wanted]] = []
        for name, value in named.items():
            _find(value, name, found)
        self.names = [name for name, _ in found]
        self.tensors = [jax.ShapeDtypeStruct(one.shape, np.dtype(one.dtype)) for _, one in found]

    @property
    def has_images(self) -> bool:
        """Whether a tensor has two axes of space."""
        return any(len(one.shape) == 4 for one in self.tensors)

    def __call__(self, tensors: Any) -> tuple[list[Any], dict[str, Any]]:
        """What is given by position and by name."""
        given = iter(self.tensors if tensors is None else tensors)
        filled = {name: _filled(value, given) for name, value in self.named.items()}
        return [filled[name] for name in self.first], {
            name: value for name, value in filled.items() if name not in self.first
        }

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.named.items())


def _find(value: Any, name: str, found: list[tuple[str, Wanted]]) -> None:
    if isinstance(value, Wanted):
        found.append((name, value))
    elif isinstance(value, (list, tuple)):
        for at, one in enumerate(value):
            _find(one, f"{name}[{at}]", found)


def _filled(value: Any, tensors: Iterator[Any]) -> Any:
    if isinstance(value, Wanted):
        return next(tensors)
    if isinstance(value, (list, tuple)):
        return type(value)(_filled(one, tensors) for one in value)
    return value


def ways(built: Built, given: Mapping[str, str], wanted: list[str], training: bool) -> Iterator[Arguments]:
    """The arguments of a call, the likeliest first.

    Args:
        built: what is called.
        given: name -> text of `--input`: a shape `2x7x64`, a shape with a dtype `2x7:int32`, or an expression.
        wanted: optional arguments that are given too.
        training: the mode.
    """
    parameters = parameters_of(built.call)
    names = names_of(parameters)
    open_ended = any(one.kind == one.VAR_KEYWORD for one in parameters)
    values: dict[str, Any] = dict(built.fixed)
    for name in names:
        if name in _ON or name in _OFF:
            values.setdefault(name, training if name in _ON else not training)
    for name, text in given.items():
        if name not in names and not open_ended:
            raise CannotBuildError(
                f"--input {name}: the call has no such parameter", hint=f"it takes {', '.join(names) or 'none'}"
            )
        values[name] = _given(name, text)
    required = [one.name for one in parameters if one.name in names and one.default is inspect.Parameter.empty]
    asked = [name for name in names if name not in values and (name in required or name in wanted)]
    if not asked and not any(name in required for name in names) and names and names[0] not in values:
        asked = names[:1]
    first = [one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    width = next((built.arguments[name] for name in _WIDTHS if type(built.arguments.get(name)) is int), None)
    width = width or next(
        (found for name in _WIDTHS if type(found := getattr(_config(built), name, None)) is int), WIDTH
    )
    sizes = (built.arguments, vars(_config(built)) if hasattr(_config(built), "__dict__") else {})
    image = next((one[name] for one in sizes for name in _IMAGES if type(one.get(name)) is int), IMAGE)
    choices = [list(_candidates(name, at == 0, width, image)) for at, name in enumerate(asked)]
    ranks = itertools.product(*(range(len(one)) for one in choices))
    for rank in itertools.islice(sorted(itertools.islice(ranks, 4_096), key=sum), MOST_TRIES):
        named = {**values, **{name: one[at] for name, one, at in zip(asked, choices, rank, strict=True)}}
        order = {name: at for at, name in enumerate(names)}
        named = dict(sorted(named.items(), key=lambda one: order.get(one[0], len(order))))
        leading = list(itertools.takewhile(named.__contains__, first))
        yield Arguments(named, leading)


def _config(built: Built) -> Any:
    return next((built.arguments[name] for name in ("config", "cfg", "args") if name in built.arguments), None)


def _candidates(name: str, first: bool, width: int, size: int) -> Iterator[Any]:
    """What an argument of this name may be, the likeliest first."""
    lowered = name.lower()
    features, tokens = Wanted((BATCH, LENGTH, width)), Wanted((BATCH, LENGTH), "int32")
    image, flat = Wanted((BATCH, size, size, 3)), Wanted((BATCH, width))
    if "mask" in lowered:
        masks = (Wanted((BATCH, LENGTH), "int32"), Wanted((BATCH, 1, LENGTH, LENGTH), "bool"))
        yield from (None, *masks) if "head" in lowered else (*masks, None)
        return
    if any(word in lowered for word in ("ids", "token", "position", "segment", "labels", "targets")):
        yield from (tokens, features)
        return
    if any(word in lowered for word in ("image", "pixel", "img")):
        yield from (image, features)
        return
    if first or any(
        word in lowered
        for word in ("x", "input", "hidden", "query", "key", "value", "q", "k", "v", "memory", "context", "encod")
    ):
        yield from (features, tokens, image, flat)
        return
    yield from (None, features, tokens)


def _given(name: str, text: str) -> Any:
    match = _SHAPE.fullmatch(text.strip())
    if match is not None and ("x" in match[1] or match[2]):
        dtype = _DTYPES.get(match[2] or "float", match[2] or "float32")
        try:
            np.dtype(dtype)
        except TypeError:
            raise CannotBuildError(f"--input {name}={text}: there is no type {dtype}") from None
        return Wanted(tuple(int(one) for one in match[1].split("x")), dtype)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise CannotBuildError(f"--input {name}={text}: neither a shape, as in 2x7x64, nor a literal") from None
