"""What every module of a framework has under its own names: `register_buffer`, `to`, `children`, `add_weight`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from archcheck.frontends.static import containers, hooks, sizes
from archcheck.frontends.static.machine import place_of
from archcheck.frontends.static.values import INERT, Args, Data, Instance, Kwargs, Layer, Tensor
from archcheck.ir.graph import Unknown

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

Bookkeeping = Callable[["Machine", "Instance | Layer", Args, Kwargs], Data]


def learned(vm: Machine, name: str, attributes: dict[str, Data] | None = None) -> Tensor:
    """A learned tensor."""
    tensor = vm.emit("parameter", (), {"name": name, **(attributes or {})})
    tensor.learned = True
    return tensor


def new_parameter(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`torch.nn.Parameter(tensor)`."""
    shape = None
    if args and isinstance(args[0], Tensor):
        producer = vm.recorder.by_path.get(args[0].value.op)
        shape = producer.attr("shape") if producer is not None else None
        if shape is None or (isinstance(shape, tuple) and -1 in shape):  # what a reshape leaves to be worked out
            shape = sizes.known(vm, args[0])
    return learned(vm, "", {} if shape is None else {"shape": shape})


def _register(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> None:
    name = args[0] if args else kwargs.get("name")
    value = args[1] if len(args) > 1 else kwargs.get("tensor", kwargs.get("param", kwargs.get("module")))
    if isinstance(name, str):
        vm.set(module, name, value)


def _itself(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    return module


def _nothing_of(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> None:
    return None


def _keys_that_differ(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    return INERT


def _weights_of(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    return [vm.open("a weight of a module", metadata=True)]


def _children(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    if not isinstance(module, Instance):
        return []
    return [value for _, value in containers.named_parts(module)]


def _named_children(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    if not isinstance(module, Instance):
        return []
    return containers.named_parts(module)


def _submodule(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    value: Data = module
    for part in str(args[0]).split("."):
        value = vm.item(value, int(part)) if part.isdigit() else vm.get(value, part)
    return value


def _empty(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    return []


def _add_weight(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    named_first = bool(args) and isinstance(args[0], str)  # tf.keras; Keras 3 has the shape first
    name = kwargs.get("name", args[0] if named_first else "weight")
    shapes = args[1:2] if named_first else args[:1]
    shape = _shaped(kwargs.get("shape", shapes[0] if shapes else None))
    if kwargs.get("trainable") is False:
        return vm.emit("constant", (), {**shape, "value": Unknown(f"the content of {name}, which is not trained")})
    return learned(vm, f"{place_of(module)}.{name}", shape)


def _shaped(shape: Data) -> dict[str, Data]:
    return {"shape": tuple(shape)} if isinstance(shape, (list, tuple)) else {}


def _shape_of(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    return vm.open("the shape of what a layer gives", metadata=True)


def _config_of(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    return vm.open("the configuration of a layer")


REGISTERS = ("register_buffer", "register_parameter", "register_module", "add_module")
MODULE_ATTRIBUTES: dict[str, Bookkeeping] = {
    "register_buffer": _register,
    "register_parameter": _register,
    "register_module": _register,
    "add_module": _register,
    "add_weight": _add_weight,
    "apply": _itself,
    "eval": _itself,
    "train": _itself,
    "to": _itself,
    "half": _itself,
    "float": _itself,
    "cuda": _itself,
    "cpu": _itself,
    "bfloat16": _itself,
    "requires_grad_": _itself,
    "to_empty": _itself,
    "compile": _nothing_of,
    "build": _nothing_of,
    "zero_grad": _nothing_of,
    "extra_repr": _nothing_of,
    "reset_parameters": _nothing_of,
    "register_forward_hook": hooks.after,
    "register_forward_pre_hook": hooks.before,
    "register_full_backward_hook": _nothing_of,
    "register_load_state_dict_post_hook": _nothing_of,
    "register_state_dict_pre_hook": _nothing_of,
    "_register_load_state_dict_pre_hook": _nothing_of,
    "_register_state_dict_hook": _nothing_of,
    "load_state_dict": _keys_that_differ,
    "state_dict": _empty,
    "parameters": _weights_of,
    "buffers": _empty,
    "named_parameters": _empty,
    "named_buffers": _empty,
    "named_modules": _empty,
    "modules": _children,
    "children": _children,
    "named_children": _named_children,
    "get_submodule": _submodule,
    "_get_name": _nothing_of,
    "_flatten_layers": _children,
    "compute_output_shape": _shape_of,
    "compute_output_spec": _shape_of,
    "compute_mask": _nothing_of,
    "add_loss": _nothing_of,
    "add_metric": _nothing_of,
    "count_params": _shape_of,
    "get_config": _config_of,
}
