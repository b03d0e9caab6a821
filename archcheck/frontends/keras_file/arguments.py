"""What a layer's constructor was given, as its configuration tells it, in the words of the dialect tables."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from archcheck.frontends import dialects
from archcheck.frontends.keras_file.layers import MAX_DEPTH, Custom, NonsenseError

# They decide what weights start from, what is added to the loss, how numbers are stored, and what things are called.
_BESIDE = ("_initializer", "_regularizer", "_constraint")
_HARMLESS = frozenset({
    "name", "trainable", "dtype", "dtype_policy", "autocast", "seed", "batch_shape", "batch_input_shape", "input_shape",
    "build_config", "build_input_shape", "query_shape", "key_shape", "value_shape", "implementation", "input_length",
    "use_cudnn", "unroll", "time_major", "fused", "momentum", "synchronized", "sparse", "ragged", "mask_zero",
    "unit_forget_bias", "zero_output_for_mask", "flash_attention", "output_axes", "input_axes", "weights",
    "supports_masking",
})  # fmt: skip
_RENAMED = {"alpha": "negative_slope"}  # by Keras 3
_NORMS = frozenset({"layer_norm", "rms_norm", "batch_norm", "group_norm", "l2_norm"})


class NotReadError(Exception):
    """Why it is not known what a layer computes."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """Of a constructor, and what comes behind its op.

    Attributes:
        given: by name.
        activation: an activation that is told in another way than by its name; None where there is none.
    """

    given: dict[str, Any]
    activation: Any = None


def arguments_of(name: str, config: Any, rank: int | None) -> Arguments:
    """The arguments of a layer's constructor.

    Args:
        name: of the class, as dialects list it.
        config: as the file tells it.
        rank: how many axes the layer's input has, where that is known.

    Raises:
        NotReadError: the configuration says something of which the tables know nothing.
    """
    if not isinstance(config, dict):
        raise NotReadError(f"the configuration of a {name} is no table")
    takes = taken_by(name)
    given: dict[str, Any] = {}
    activation = None
    for key, told in config.items():
        if key.endswith(_BESIDE) or (key in _HARMLESS and key not in takes):
            continue
        word = key if key in takes else _RENAMED.get(key, key)
        value = plain(told)
        if word not in takes:
            if told not in (None, False, 0, "", [], {}):
                raise NotReadError(f"it is built with {key}={str(told)[:40]}, of which nothing is known")
            continue
        if key == "activation" and value is not None and not isinstance(value, str):
            row = dialects.layer(name)
            if row is not None and "activation" not in row.attrs:
                raise NotReadError("its activation is a function that the file only names")
            activation, value = told, "linear"
        elif isinstance(value, Custom):
            raise NotReadError(f"its {key} is {value.name}, which the file only names")
        given[word] = value
    return Arguments(_from_behind(name, given, config, rank), activation)


@cache
def taken_by(name: str) -> frozenset[str]:
    """The names of a constructor's arguments, as far as the tables know them."""
    row, formula = dialects.layer(name), dialects.formula(name)
    if row is not None:
        return frozenset(one.name for one in row.init_parameters if not one.double_star)
    if formula is not None:
        return _names(formula.tree.args)
    for node in ast.walk(ast.parse(dialects.spelled(name))):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return _names(node.args) - {"self"}
    return frozenset()


def _names(spec: ast.arguments) -> frozenset[str]:
    return frozenset(one.arg for one in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs])


def plain(told: Any, depth: int = 0) -> Any:
    """A value of a configuration: lists are tuples, as Keras's own defaults are; objects are `Custom`."""
    if depth > MAX_DEPTH:
        raise NonsenseError("its values nest too deeply")
    if isinstance(told, list):
        return tuple(plain(one, depth + 1) for one in told)
    if isinstance(told, dict):
        word = told.get("class_name")
        if word == "__lambda__":
            return Custom("a function in compiled code")
        if isinstance(word, str):
            return Custom(str(told["config"]) if word == "function" and isinstance(told.get("config"), str) else word)
        if "value" in told and len(told) == 1:  # compiled code
            return Custom("a function in compiled code")
        return {key: plain(one, depth + 1) for key, one in told.items()}
    return told


def _from_behind(name: str, given: dict[str, Any], config: Mapping[str, Any], rank: int | None) -> dict[str, Any]:
    """Axes as code writes them: once a layer is built, Keras counts those of norms and of attention from the front."""
    row = dialects.layer(name)
    if row is None:
        return given
    axis = given.get("axis")
    if row.kind in _NORMS and axis is not None:
        axes = axis if isinstance(axis, tuple) else (axis,)
        if any(type(one) is not int for one in axes):
            raise NotReadError(f"its axis is {str(axis)[:40]}")
        if any(one > 1 for one in axes) and rank is None:
            raise NotReadError("its axis is counted from the front, and the file does not tell how many axes there are")
        counted = tuple(one - rank if rank is not None and one > 1 and one < rank else one for one in axes)
        if rank == 2 and counted == (1,):
            counted = (-1,)
        given["axis"] = counted[0] if len(counted) == 1 else counted
    if "attention_axes" in given:
        shape = config.get("query_shape")
        rank = len(shape) if isinstance(shape, list) else rank
        if rank is not None and given["attention_axes"] == tuple(range(1, rank - 1)):
            given["attention_axes"] = None
    return given
