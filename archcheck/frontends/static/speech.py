"""Whose arrays a target computes with, and what the caller of a whole model says of training."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static.values import Class, Data, External, Function, Method

if TYPE_CHECKING:
    from archcheck.frontends.static.library import SourceFile
    from archcheck.frontends.static.machine import Machine

MODES = {"TRAIN": "train", "EVAL": "eval", "PREDICT": "infer"}  # of tf.estimator
PACKAGES = ("flax", "haiku", "jax")
IMPORTS = re.compile(r"^[ \t]*(?:import|from)[ \t]+(?:jax|flax|haiku)\b", re.MULTILINE)


def arrays(value: Data, file: SourceFile) -> str:
    """The dialect whose arrays a target computes with, if they are not PyTorch's: its base class tells it, or else what
    its file imports."""
    target = value.receiver if isinstance(value, Method) else value
    for base in target.externals if isinstance(target, Class) else ():
        package = base.partition(".")[0]
        if package in PACKAGES:
            return "jax"
        if package in ("torch", "keras", "tensorflow"):
            return ""
    return "jax" if IMPORTS.search(file.text) and "import torch" not in file.text else ""


def trains(vm: Machine, cls: Class | None, function: Function) -> dict[str, Data]:
    """Arguments by which a JAX model is told whether it is trained, as its caller gives them: `deterministic=False`.

    One that is None by default is told elsewhere: `deterministic` of a module or of its call.
    """
    if vm.arrays != "jax":
        return {}
    bases = ("flax.linen.Module",) if cls is None else cls.externals
    names = {name: truth for base in bases for name, truth in dialects.trains(base).items()}
    spec = function.node.args
    positional = [*spec.posonlyargs, *spec.args]
    missing = [None] * (len(positional) - len(spec.defaults))
    pairs = [
        *zip(positional, [*missing, *spec.defaults], strict=True),
        *zip(spec.kwonlyargs, spec.kw_defaults, strict=True),
    ]
    found: dict[str, Data] = {}
    for parameter, default in pairs:
        name = parameter.arg
        elsewhere = cls is not None and isinstance(default, ast.Constant) and default.value is None
        if name in names and not elsewhere:
            found[name] = names[name] is vm.training
            vm.assume(f"{name} is {found[name]}, as its caller says in {'training' if vm.training else 'evaluation'}")
    return found


def is_mode(left: Data, right: Data) -> bool | None:
    """Whether one of TensorFlow's modes, which are words, is a word; None where they are not compared."""
    for mode, word in ((left, right), (right, left)):
        if isinstance(mode, External) and isinstance(word, str):
            name, _, last = mode.name.rpartition(".")
            if name.endswith(".ModeKeys") and last in MODES:
                return MODES[last] == word
    return None
