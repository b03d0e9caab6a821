"""Models that are made of tensors: `keras.Model(inputs, outputs)`, and classes whose constructor calls it.

Their ops are recorded while the constructor runs, on the tensors that `keras.Input` gives. Called on other tensors,
such a model computes the same ops again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcheck.frontends.static.machine import flatten_tensors
from archcheck.frontends.static.values import INERT, Data, Instance, Tensor, TensorModel, Tensors
from archcheck.ir.graph import Op, Value

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

IDLE = ("compile", "summary", "fit", "build", "load_weights", "save_weights", "save", "predict", "evaluate")
INPUTS, OUTPUTS = ("inputs", "input"), ("outputs", "output")


def model_of(args: list[Data], kwargs: dict[str, Data]) -> TensorModel | None:
    """The model that these arguments of `keras.Model` make; None where they name no tensors."""
    given = dict(zip(("inputs", "outputs"), args, strict=False)) | kwargs
    if "inputs" not in given or "outputs" not in given:
        return None
    return TensorModel(given["inputs"], given["outputs"])


def initialise(instance: Instance, args: list[Data], kwargs: dict[str, Data]) -> bool:
    """Make `instance` the model of the tensors that its class hands to the framework's constructor, if it does."""
    model = model_of(args, kwargs)
    if model is None or not any(base in ("keras.Model", "keras.Functional") for base in instance.cls.externals):
        return False
    instance.tensors = model
    return True


def attribute(vm: Machine, owner: TensorModel, name: str) -> Data:
    """`model.outputs`; training and printing it computes nothing of the model."""
    if name in INPUTS:
        return owner.inputs
    if name in OUTPUTS:
        return owner.outputs
    return INERT if name in IDLE else vm.open(f"{name} of a keras.Model")


def call(vm: Machine, model: TensorModel, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """What a model gives for other tensors: for its own inputs its outputs, otherwise its ops once more."""
    given = list(flatten_tensors(args[0] if args else kwargs.get("inputs", kwargs.get("x"))))
    own = list(flatten_tensors(model.inputs))
    if isinstance(model.inputs, dict) and isinstance(args[0] if args else None, dict):
        pairs = [(model.inputs[key], value) for key, value in args[0].items() if key in model.inputs]
        own, given = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    known: dict[Value, Value] = {}
    fits = len(own) == len(given) == len(list(flatten_tensors(model.inputs)))
    for before, now in zip(own, given, strict=False):
        if not isinstance(before, Tensor) or not isinstance(now, Tensor):
            fits = False
        elif before.value != now.value:
            known[before.value] = now.value
    if not fits:
        why = "a model that is made of tensors is called on others that do not fit its inputs"
        tensors = list(flatten_tensors([args, kwargs]))
        return vm.opaque("keras.Model", tensors, why) if tensors else vm.open(why)
    return _mapped(model.outputs, _again(vm, known) if known else {})


def _again(vm: Machine, known: dict[Value, Value]) -> dict[Value, Value]:
    """Record every op once more that depends on the values in `known`; the old values with the new ones."""
    renamed: dict[str, str] = {}
    recorded: list[Op] = list(vm.recorder.ops)
    for op in recorded:
        if not any(value in known or value.op in renamed for value in op.reads):
            continue
        reads = [known.get(value) or Value(renamed.get(value.op, value.op), value.index) for value in op.reads]
        place = op.path.rpartition("/")[0]
        attributes = {attr.name: attr.value for attr in op.attrs}
        renamed[op.path] = vm.recorder.emit(
            op.kind.name, reads, attributes, place=place, span=op.span, because=op.because
        )
    return known | {Value(old): Value(new) for old, new in renamed.items()}


def _mapped(value: Data, known: dict[Value, Value]) -> Data:
    """`value` with its tensors replaced."""
    if isinstance(value, Tensor):
        for old in (value.value, Value(value.value.op)):
            if old in known:
                return Tensor(Value(known[old].op, value.value.index if old != value.value else known[old].index))
        return value
    if isinstance(value, Tensors):
        return Tensors(known[Value(value.op)].op, value.count) if Value(value.op) in known else value
    if isinstance(value, (list, tuple)):
        parts = [_mapped(item, known) for item in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {key: _mapped(item, known) for key, item in value.items()}
    return value
