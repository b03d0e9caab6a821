"""What the names of frameworks mean, looked up by qualified name; the tables are data, one file or more a framework.

Names may be passed in any spelling: `canonical` is applied (`torch.nn.modules.linear.Linear` is `torch.nn.Linear`).
A dialect's tables are built when one of its names is first looked up, so that importing this package costs little.
"""

from __future__ import annotations

from functools import cache

from archcheck.frontends.dialects.table import Dialect, Formula, LayerRow, Parameter, Row
from archcheck.ir.graph import AttrValue

__all__ = [
    "ARRAYS",
    "DIALECTS",
    "HELD",
    "Dialect",
    "Formula",
    "LayerRow",
    "Parameter",
    "Row",
    "activation",
    "answer",
    "base_methods",
    "canonical",
    "container",
    "defaults",
    "formula",
    "function",
    "is_callable",
    "is_class",
    "is_ignored",
    "is_metadata",
    "is_module_metadata",
    "is_numbered",
    "is_record",
    "is_transparent",
    "keeps_attributes",
    "keyword",
    "known",
    "late",
    "layer",
    "may_be_read",
    "may_tie",
    "method",
    "method_formula",
    "model_of",
    "modes",
    "prepares",
    "presets",
    "property_row",
    "spelled",
    "tied_by",
    "trains",
]

DIALECTS: tuple[Dialect, ...]  # built on first use: `__getattr__`

# Top-level package -> name of the dialect that speaks for it.
_PACKAGES = {
    "torch": "torch",
    "logging": "torch",
    "labml": "torch",
    "warnings": "torch",
    "tensorflow": "tensorflow",
    "gin": "tensorflow",
    "keras": "keras",
    "tf_keras": "keras",
    "keras_core": "keras",
    "einops": "einops",
    "jax": "jax",
    "chex": "jax",
    "flax": "flax",
    "haiku": "haiku",
    "numpy": "numpy",
    "tensor2tensor": "tensor2tensor",
    "mesh_tensorflow": "mesh_tensorflow",
    "contextvars": "python",
    "huggingface_hub": "weights",
    "safetensors": "weights",
    "inspect": "python",
    "onnx": "onnx",
    "tflite": "tflite",
    **dict.fromkeys(("apex", "causal_conv1d", "flash_attn", "flash_attn_interface", "mamba_ssm", "torchvision", "transformers", "xformers"), "kernels"),
}
# (dialect, attribute of its arrays) -> the class, spelled by the dialect, of what it gives.
ARRAYS = {("jax", "at"): "jax.Array.At"}
# (dialect, attribute of its variables) that is the tensor which the variable holds: `nnx.Param.value`.
HELD = frozenset({("jax", "value"), ("jax", "raw_value")})
# Where two dialects name a method of tensors, the first one's row counts.
_ORDER = ("torch", "tensorflow", "keras", "einops", "kernels", "numpy", "tensor2tensor", "python", "jax", "flax", "haiku", "onnx", "tflite", "weights", "mesh_tensorflow")


def __getattr__(name: str) -> tuple[Dialect, ...]:
    if name == "DIALECTS":
        return tuple(_dialect(dialect) for dialect in _ORDER)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _dialect(name: str) -> Dialect:
    if name == "torch":
        from archcheck.frontends.dialects.torch import TORCH

        return TORCH
    if name == "tensorflow":
        from archcheck.frontends.dialects.tensorflow_v1 import TENSORFLOW

        return TENSORFLOW
    if name == "keras":
        from archcheck.frontends.dialects.keras import KERAS

        return KERAS
    if name == "tensor2tensor":
        from archcheck.frontends.dialects.tensor2tensor import TENSOR2TENSOR

        return TENSOR2TENSOR
    if name == "mesh_tensorflow":
        from archcheck.frontends.dialects.mesh_tensorflow import MESH_TENSORFLOW

        return MESH_TENSORFLOW
    if name == "jax":
        from archcheck.frontends.dialects.jax import JAX

        return JAX
    if name == "flax":
        from archcheck.frontends.dialects.flax import FLAX

        return FLAX
    if name == "haiku":
        from archcheck.frontends.dialects.haiku import HAIKU

        return HAIKU
    if name == "einops":
        from archcheck.frontends.dialects.einops import EINOPS

        return EINOPS
    if name == "weights":
        from archcheck.frontends.dialects.weights import WEIGHTS

        return WEIGHTS
    if name == "python":
        from archcheck.frontends.dialects.python import PYTHON

        return PYTHON
    if name == "onnx":
        from archcheck.frontends.dialects.onnx import ONNX

        return ONNX
    if name == "tflite":
        from archcheck.frontends.dialects.tflite import TFLITE

        return TFLITE
    from archcheck.frontends.dialects.kernels import KERNELS, NUMPY

    return {"kernels": KERNELS, "numpy": NUMPY}[name]


def has_package(name: str) -> bool:
    """Whether a dialect speaks for names of this top-level package."""
    return name in _PACKAGES


def _of(qualified: str) -> Dialect | None:
    """The dialect that lists `qualified`, which is canonical."""
    name = _PACKAGES.get(qualified.partition(".")[0])
    return None if name is None else _dialect(name)


@cache
def _alias_lengths(dialect: str) -> tuple[int, ...]:
    return tuple(sorted({len(prefix) for prefix in _dialect(dialect).aliases}, reverse=True))


@cache
def canonical(qualified: str) -> str:
    """The name under which the tables list `qualified`: aliases applied until none is left, the longest prefix first."""
    seen = {qualified}
    while True:
        dialect = _of(qualified)
        if dialect is None:
            return qualified
        for length in _alias_lengths(dialect.name):
            prefix = qualified[:length]
            target = dialect.aliases.get(prefix)
            # a prefix without a dot at its end is a whole name: `keras.layers.Layer` is no `LayerNormalization`
            if target is not None and (prefix.endswith(".") or qualified[length : length + 1] in ("", ".")):
                qualified = target + qualified[len(prefix) :]
                break
        else:
            return qualified
        if qualified in seen:  # an alias of a name to itself keeps that name out of a shorter prefix's reach
            return qualified
        seen.add(qualified)


@cache
def function(qualified: str) -> Row | None:
    """The row of a function; None if no dialect lists it."""
    name = canonical(qualified)
    dialect = _of(name)
    if dialect is None:
        return None
    row = dialect.functions.get(name)
    if row is None and dialect.tensor and name.startswith(dialect.tensor):
        return dialect.methods.get(name[len(dialect.tensor) :])
    return row


@cache
def formula(qualified: str) -> Formula | None:
    """The formula of a function, for calls that its row does not fit or that has none."""
    name = canonical(qualified)
    dialect = _of(name)
    if dialect is None:
        return None
    found = dialect.formulas.get(name)
    if found is None and dialect.tensor and name.startswith(dialect.tensor):
        return dialect.method_formulas.get(name[len(dialect.tensor) :])
    return found


@cache
def layer(qualified: str) -> LayerRow | None:
    """The row of a layer class; None if no dialect lists it."""
    name = canonical(qualified)
    dialect = _of(name)
    return None if dialect is None else dialect.layers.get(name)


@cache
def spelled(qualified: str) -> str:
    """The definition, in Python, of a class that other code extends and looks into; "" where there is none."""
    name = canonical(qualified)
    dialect = _of(name)
    return "" if dialect is None else dialect.classes.get(name, "")


@cache
def base_methods(qualified: str) -> tuple[str, ...] | None:
    """Methods that calling an instance of this base class runs, in order of preference; None if it is no such base."""
    name = canonical(qualified)
    dialect = _of(name)
    return None if dialect is None else dialect.bases.get(name)


def prepares(qualified: str) -> tuple[str, ...]:
    """Methods that the first call of an instance of this base class runs before, with the shape of its input."""
    name = canonical(qualified)
    dialect = _of(name)
    return dialect.prepares if dialect is not None and name in dialect.bases else ()


def late(qualified: str) -> tuple[str, ...]:
    """Methods that fill an instance of this base class when it is first called or looked into."""
    name = canonical(qualified)
    dialect = _of(name)
    return dialect.late if dialect is not None and name in dialect.bases else ()


def trains(qualified: str) -> dict[str, bool]:
    """Arguments and fields of a target by which its caller says whether it is trained -> what they are in training."""
    name = canonical(qualified)
    dialect = _of(name)
    return dialect.trains if dialect is not None and name in dialect.bases else {}


def is_numbered(qualified: str) -> bool:
    """Whether modules of this name, made while a method of another runs, are its parts."""
    dialect = _of(canonical(qualified))
    return dialect is not None and dialect.numbered


def modes(qualified: str) -> tuple[str, ...]:
    """Arguments of a call of such an instance that say whether a model is trained, filled in where they are left out."""
    name = canonical(qualified)
    dialect = _of(name)
    return dialect.modes if dialect is not None and name in dialect.bases else ()


@cache
def container(qualified: str) -> str | None:
    """`sequential`, `sequence` or `mapping` for a container class of layers; None for other names."""
    name = canonical(qualified)
    dialect = _of(name)
    return None if dialect is None else dialect.containers.get(name)


@cache
def is_class(qualified: str) -> bool:
    """Whether a name is that of a framework's class of layers or models."""
    return any(known(qualified) is not None for known in (layer, base_methods, container))


@cache
def is_callable(qualified: str) -> bool:
    """Whether a name is that of a framework's class or function."""
    return is_class(qualified) or function(qualified) is not None or formula(qualified) is not None


@cache
def keeps_attributes(qualified: str) -> bool:
    """Whether modules that become attributes of such a container are among its items."""
    name = canonical(qualified)
    dialect = _of(name)
    return dialect is not None and name in dialect.keeping


@cache
def is_module_metadata(base: str, name: str) -> bool:
    """Whether layers that extend this framework's class have an attribute that tells nothing of what they compute."""
    dialect = _of(base)
    return dialect is not None and name in dialect.module_metadata


def tied_by(qualified: str) -> str:
    """The attribute of a library's configuration that says whether input and output embeddings are one; "" if none."""
    dialect = _of(qualified)
    return "" if dialect is None else dialect.tied_by.get(qualified, "")


def presets(qualified: str) -> dict[str, AttrValue]:
    """Attributes that a library sets on instances of this class where it builds a model."""
    dialect = _of(qualified)
    return {} if dialect is None else dialect.presets.get(qualified, {})


def defaults(qualified: str) -> dict[str, AttrValue]:
    """Attributes that instances of this class are taken to have where nobody gives them."""
    dialect = _of(qualified)
    return {} if dialect is None else dialect.defaults.get(qualified, {})


def answer(qualified: str) -> tuple[AttrValue, str] | None:
    """What a function is taken to answer that asks what a tensor holds, and the assumption; None for any other."""
    dialect = _of(qualified)
    return None if dialect is None else dialect.answers.get(qualified)


def model_of(qualified: str) -> Dialect | None:
    """The dialect of a class of models that extends no base; it says how a model is called. None for other classes."""
    dialect = _of(qualified)
    return dialect if dialect is not None and qualified in dialect.models else None


@cache
def may_be_read(qualified: str) -> bool:
    """Whether a name that no table lists is looked up in its framework's source: its machinery is not."""
    dialect = _of(qualified)
    return dialect is None or dialect.readable is None or qualified.startswith(dialect.readable)


def is_transparent(qualified: str) -> bool:
    """Whether a decorator of this name leaves what it decorates as it is."""
    dialect = _of(qualified)
    return dialect is not None and qualified.startswith(dialect.transparent)


def is_record(qualified: str) -> bool:
    """Whether a class of this name only holds what its instances are given."""
    dialect = _of(qualified)
    return dialect is not None and qualified.startswith(dialect.records or ("\0",))


def may_tie(qualified: str) -> bool:
    """Whether calling this name is not read and may make weights of a model one."""
    dialect = _of(qualified)
    return dialect is not None and qualified in dialect.ties


@cache
def is_ignored(qualified: str) -> bool:
    """Whether calling this name computes nothing: logging, checks, profiling."""
    name = canonical(qualified)
    dialect = _of(name)
    return dialect is not None and name.startswith(dialect.ignored) and not _listed(dialect, name)


@cache
def known(qualified: str) -> bool:
    """Whether a dialect says what this name means."""
    name = canonical(qualified)
    dialect = _of(name)
    return dialect is not None and (
        _listed(dialect, name) or name.startswith(dialect.ignored) or function(name) is not None or formula(name) is not None
    )


def _listed(dialect: Dialect, name: str) -> bool:
    tables = (dialect.functions, dialect.formulas, dialect.layers, dialect.classes, dialect.bases, dialect.containers)
    return f"{name}." == dialect.tensor or any(name in table for table in tables)


@cache
def method(name: str, first: str = "") -> Row | None:
    """The row of a method of tensors: that of the first dialect, in the order of `DIALECTS` behind the one called
    `first`, that lists the method at all; None where that dialect has but a formula."""
    for dialect in (first, *_ORDER) if first else _ORDER:
        table = _dialect(dialect)
        if name in table.methods or name in table.method_formulas:
            return table.methods.get(name)
    return None


@cache
def method_formula(name: str, first: str = "") -> Formula | None:
    """The formula of a method of tensors, for calls that its row does not fit or that has none."""
    order = [dialect for dialect in (first, *_ORDER) if dialect]
    return next((found for dialect in order if (found := _dialect(dialect).method_formulas.get(name))), None)


@cache
def property_row(name: str) -> Row | None:
    """The row of an attribute of tensors that computes something when it is read (`x.T`)."""
    return next((row for dialect in _ORDER if (row := _dialect(dialect).properties.get(name))), None)


@cache
def is_metadata(name: str) -> bool:
    """Whether this attribute or method of a tensor only tells about it."""
    return any(name in _dialect(dialect).metadata for dialect in _ORDER)


def is_of_tensors(name: str) -> bool:
    """Whether a dialect lists an attribute or method of tensors under this name."""
    listed = method(name) or method_formula(name) or property_row(name)
    return listed is not None or is_metadata(name)


@cache
def keyword(name: str) -> tuple[str, ...]:
    """Parameter names that a framework may mean by the keyword `name`, for a parameter list that lacks it: `axis` -> `dim`."""
    return tuple(
        dict.fromkeys(found for dialect in _ORDER if (found := _dialect(dialect).keywords.get(name)) is not None)
    )


def activation(name: str) -> str:
    """The qualified name of the function that Keras means by `activation="relu"`."""
    return f"keras.activations.{name}"
