"""What libraries' names do that record no op: copies, checkpointing, numbers in tensors.

Ops are the business of the dialect tables. Here stand the names that move values about: `copy.deepcopy`,
`tf.get_variable`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate
from typing import TYPE_CHECKING

from archcheck.frontends.static import functional, parts, sizes
from archcheck.frontends.static.bookkeeping import learned, new_parameter
from archcheck.frontends.static.environment import ENVIRONMENT, INSTALLED
from archcheck.frontends.static.gin.bound import config_scope
from archcheck.frontends.static.hparams import named_values
from archcheck.frontends.static.standard import STANDARD
from archcheck.frontends.static.transforms import TRANSFORMS
from archcheck.frontends.static.values import Args, Data, External, Handler, Instance, Kwargs, Layer, Tensor

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


# ---- names of libraries


def _given_tensor(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`keras.Input(...)`: a tensor that the caller of the model gives."""
    name = kwargs.get("name")
    return vm.emit("input", (), {"name": name if isinstance(name, str) else "input"})


def _placeholder(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`tf.placeholder(dtype, shape)`: a tensor that a run feeds; a truth or a single number is a setting of the run."""
    dtype = args[0] if args else kwargs.get("dtype")
    shape = args[1] if len(args) > 1 else kwargs.get("shape")
    alone = isinstance(shape, (list, tuple)) and not shape
    if alone or (isinstance(dtype, External) and dtype.name.rpartition(".")[2] == "bool"):
        return vm.open("it is fed when the graph is run")
    name = args[2] if len(args) > 2 else kwargs.get("name")
    return vm.emit("input", (), {"name": name if isinstance(name, str) else "placeholder"})


def _tensor_model(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`keras.Model(inputs, outputs)`."""
    return functional.model_of(args, kwargs) or vm.open("a keras.Model without inputs and outputs")


def _copied(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """A copy; modules are copied with what they hold, so that each has a place of its own."""
    return copy_value(vm, args[0], {})


def copy_value(vm: Machine, value: Data, seen: dict[int, Data]) -> Data:
    """A deep copy of modules, tensors, lists and dicts, with weights of its own; classes and functions are shared."""
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, Tensor):
        tensor = Tensor(value.value, data=value.data, learned=value.learned)
        op = vm.recorder.by_path.get(value.value.op)
        if value.learned and op is not None and op.kind.name == "parameter":
            tensor.value = vm.emit("parameter", (), {at.name: at.value for at in op.attrs if at.name != "name"}).value
        seen[id(value)] = tensor
        return tensor
    if isinstance(value, Layer):
        made = Layer(value.row, value.name, dict(value.arguments), value.span)
        made.built = value.built
        made.rounds = vm.open_rounds[-1] if vm.open_rounds else value.rounds
        made.attributes = {name: item for name, item in value.attributes.items() if not isinstance(item, Tensor)}
        seen[id(value)] = made
        return made
    if isinstance(value, Instance):
        twin = Instance(value.cls, settings=dict(value.settings))
        twin.bag = value.bag
        twin.rounds = vm.open_rounds[-1] if vm.open_rounds else value.rounds
        seen[id(value)] = twin
        twin.attributes = {name: copy_value(vm, item, seen) for name, item in value.attributes.items()}
        twin.items = copy_value(vm, value.items, seen)
        twin.layer = copy_value(vm, value.layer, seen)
        for item in [*twin.attributes.items(), *_numbered(twin.items)]:
            if isinstance(item[1], (Instance, Layer)) and item[1].owner is None:
                item[1].owner = (twin, str(item[0]))
        return twin
    if isinstance(value, list):
        copied = seen[id(value)] = [copy_value(vm, item, seen) for item in value]
        return copied
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(copy_value(vm, item, seen) for item in value)
    if isinstance(value, dict):
        copied_dict = seen[id(value)] = {key: copy_value(vm, item, seen) for key, item in value.items()}
        return copied_dict
    return value


def _numbered(items: Data) -> list[tuple[Data, Data]]:
    if isinstance(items, dict):
        return list(items.items())
    return list(enumerate(items)) if isinstance(items, list) else []


def _checkpointed(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """Gradient checkpointing computes what the function computes."""
    own = {"use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug"}
    return vm.call(args[0], args[1:], {key: value for key, value in kwargs.items() if key not in own})


def _linspace(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`linspace` and `arange` keep the numbers, which code turns into lists (drop-path rates, layer indices)."""
    start: Data = args[0] if args else kwargs.get("start")
    stop: Data = args[1] if len(args) > 1 else kwargs.get("end", kwargs.get("stop"))
    steps = args[2] if len(args) > 2 else kwargs.get("steps", kwargs.get("num", 50))
    if kwargs.get("endpoint", True) is not True or len(args) > 3:
        return vm.emit("constant", (), {"value": "linspace"})
    if any(isinstance(value, Tensor) for value in (start, stop, steps)):
        return vm.emit("constant", (), {"value": "linspace"})
    tensor = vm.emit("constant", (), {"value": "linspace", "start": start, "end": stop, "steps": steps})
    if all(isinstance(value, (int, float)) for value in (start, stop)) and isinstance(steps, int) and 0 < steps <= 4096:
        step = (stop - start) / (steps - 1) if steps > 1 else 0.0
        tensor.data = [start + step * at for at in range(steps)]
    return tensor


def _running_sum(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`numpy.cumsum` of numbers, by which code tells where its stages end."""
    numbers = args[0] if args else None
    if not isinstance(numbers, (list, tuple)) or not all(type(one) in (int, float) for one in numbers):
        return vm.open("numpy.cumsum", metadata=True)
    tensor = vm.emit("constant", (), {"value": tuple(accumulate(numbers))})
    tensor.data = list(accumulate(numbers))
    return tensor


def _tensor_list(vm: Machine, tensor: Tensor, args: Args, kwargs: Kwargs) -> Data:
    if tensor.data is not None:
        return tensor.data
    if (held := sizes.content(vm, tensor)) is not None:
        return held
    return vm.open("the content of a tensor", metadata=True)


def _tensor_number(vm: Machine, tensor: Tensor, args: Args, kwargs: Kwargs) -> Data:
    found = sizes.number(vm, tensor)
    return vm.open("the content of a tensor", metadata=True) if found is None else found


def _known_parts(vm: Machine, tensor: Tensor, args: Args, kwargs: Kwargs) -> Data:
    """`split` of a vector of known numbers, as rates of stochastic depth are handed out to stages."""
    bound = dict(zip(("split_size", "dim"), args, strict=False)) | kwargs
    sizes = bound.get("split_size", bound.get("split_size_or_sections"))
    if not isinstance(tensor.data, list) or bound.get("dim", 0) != 0:
        return NotImplemented
    if isinstance(sizes, int) and not isinstance(sizes, bool) and sizes > 0:
        sizes = [min(sizes, len(tensor.data) - at) for at in range(0, len(tensor.data), sizes)]
    if not isinstance(sizes, (list, tuple)) or not all(type(size) is int and size >= 0 for size in sizes):
        return NotImplemented
    parts: list[Data] = []
    at = 0
    for size in sizes:
        part = vm.emit("select", (tensor,), {"index": slice(at, at + size)})
        part.data = tensor.data[at : at + size]
        parts.append(part)
        at += size
    return tuple(parts)


def _size(vm: Machine, tensor: Tensor, args: Args, kwargs: Kwargs) -> Data:
    shape = sizes.shape_of(vm, tensor)
    axis = args[0] if args else kwargs.get("dim")
    if axis is None:
        return shape
    return vm.item(shape, axis) if isinstance(axis, int) else vm.open("a size of a tensor", metadata=True)


def _told(name: str) -> Callable[[Machine, Tensor, Args, Kwargs], Data]:
    return lambda vm, tensor, args, kwargs: sizes.told(vm, tensor, name)


def _entry(vm: Machine, tensor: Tensor, args: Args, kwargs: Kwargs) -> Data:
    """`features.get("inputs")`: an argument that the code uses as a mapping of tensors."""
    return vm.emit("select", (tensor,), {"index": args[0]}) if args and isinstance(args[0], str) else NotImplemented


def _set_shape(vm: Machine, tensor: Tensor, args: Args, kwargs: Kwargs) -> Data:
    """`x.set_shape([None, None, features])`: from here on it is known."""
    _state_shape(vm, tensor, args[0] if args else kwargs.get("shape"))
    return None


def _state_shape(vm: Machine, tensor: Tensor, shape: Data) -> None:
    if isinstance(shape, (list, tuple)) and shape and type(shape[-1]) is int:
        vm.recorder.widths.told[tensor.value] = shape[-1]


TENSOR_METHODS: dict[str, Callable[[Machine, Tensor, Args, Kwargs], Data]] = {
    "tolist": _tensor_list,
    "split": _known_parts,
    "item": _tensor_number,
    "get": _entry,
    "size": _size,
    **{name: _told(name) for name in sizes.TOLD_WHEN_CALLED if name != "size"},
    "backward": lambda vm, tensor, args, kwargs: None,
    "register_hook": lambda vm, tensor, args, kwargs: None,
    "set_shape": _set_shape,
}


def _ensure_shape(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`tf.ensure_shape(x, shape)` gives `x`, of which the shape is known from there on."""
    bound = dict(zip(("x", "shape"), args, strict=False)) | kwargs
    tensor = bound.get("x")
    if isinstance(tensor, Tensor):
        _state_shape(vm, tensor, bound.get("shape"))
    return tensor


def _get_variable(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`tf.get_variable(name, shape)`; the second argument of `tf.Variable` is another one."""
    name = args[0] if args else kwargs.get("name", "")
    shape = args[1] if len(args) > 1 else kwargs.get("shape")
    known = isinstance(name, str) and isinstance(shape, (list, tuple)) and all(type(size) is int for size in shape)
    stated: dict[str, Data] = {"shape": tuple(shape)} if known and isinstance(shape, (list, tuple)) else {}
    return learned(vm, name if isinstance(name, str) else "", stated)


def _variable(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`tf.Variable(value)`: of the shape of the value, if that is known."""
    name = kwargs.get("name", "")
    value = args[0] if args else kwargs.get("initial_value")
    maker = vm.recorder.by_path.get(value.value.op) if isinstance(value, Tensor) else None
    shape = maker.attr("shape") if maker is not None and maker.kind.name in ("constant", "random") else None
    return learned(vm, name if isinstance(name, str) else "", {} if shape is None else {"shape": shape})


def _named_variable(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """mesh-tensorflow's variable of a name and sizes.

    One of the same name in the same scope is the same one, and scopes are not followed: which are shared is not known.
    """
    vm.notes.tied = True
    name, dims = args
    known = isinstance(dims, list) and all(isinstance(size, int) for size in dims)
    return learned(vm, name if isinstance(name, str) else "", {"shape": tuple(dims)} if known else None)


def _whole_range(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    known = all(isinstance(value, int) for value in args)
    return range(*args) if known else vm.open("a range", metadata=True)


def _cond(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`tf.cond`: both sides are functions; which one runs is decided by a tensor."""
    bound = dict(zip(("pred", "true_fn", "false_fn"), args, strict=False)) | kwargs
    true_fn, false_fn = bound.get("true_fn", bound.get("fn1")), bound.get("false_fn", bound.get("fn2"))
    pred = bound.get("pred")
    if isinstance(pred, bool):
        return vm.call(true_fn if pred else false_fn, [], {})
    vm.assume("the condition of a tf.cond is false")
    return vm.call(false_fn, [], {})


LIBRARY: dict[str, Handler] = {
    **ENVIRONMENT,
    **STANDARD,
    **TRANSFORMS,
    "copy.copy": _copied,
    "copy.deepcopy": _copied,
    "six.moves.range": _whole_range,
    "six.moves.xrange": _whole_range,
    "six.moves.zip": lambda vm, args, kwargs: list(zip(*(vm.iterate(a) for a in args), strict=False)),
    "six.iteritems": lambda vm, args, kwargs: list(args[0].items()) if isinstance(args[0], dict) else vm.open("items"),
    "six.itervalues": lambda vm, args, kwargs: (
        list(args[0].values()) if isinstance(args[0], dict) else vm.open("values")
    ),
    "keras.Input": _given_tensor,
    "keras.layers.Input": _given_tensor,
    "keras.Model": _tensor_model,
    "torch.nn.Parameter": new_parameter,
    "torch.nn.Buffer": lambda vm, args, kwargs: args[0] if args else None,
    "torch.linspace": _linspace,
    "numpy.linspace": _linspace,
    "numpy.cumsum": _running_sum,
    "keras.ops.linspace": _linspace,
    "tensorflow.linspace": _linspace,
    "torch.utils.checkpoint.checkpoint": _checkpointed,
    "flax.learned": parts.learned,
    "flax.weight": parts.weight,
    "flax.parameter": new_parameter,
    "torch.cond": _cond,
    "tensorflow.cond": _cond,
    "tensorflow.placeholder": _placeholder,
    "tensorflow.get_variable": _get_variable,
    "tensorflow.Variable": _variable,
    "tensorflow.ensure_shape": _ensure_shape,
    "tensorflow.contrib.training.HParams": named_values,
    "gin.config_scope": config_scope,
    "mesh_tensorflow.variable": _named_variable,
}
LIBRARY.update(
    {
        name: lambda vm, args, kwargs: vm.emit("random", (), {"distribution": "uniform"})
        for name in (
            "random.random",
            "random.uniform",
            "numpy.random.rand",
            "numpy.random.random",
            "numpy.random.uniform",
        )
    }
)
CONSTANTS: dict[str, Data] = {
    "torch.__version__": INSTALLED["torch"],
    "typing.TYPE_CHECKING": False,
    "torch.pi": math.pi,
    "torch.e": math.e,
    "torch.inf": math.inf,
    "math.pi": math.pi,
    "math.inf": math.inf,
    "math.e": math.e,
    "numpy.pi": math.pi,
    "numpy.newaxis": None,
    "numpy.inf": math.inf,
    "jax.numpy.newaxis": None,
    "jax.numpy.pi": math.pi,
    "jax.numpy.inf": math.inf,
    "jax.numpy.nan": math.nan,
    "jax.numpy.e": math.e,
    "jax.__version__": INSTALLED["jax"],
    "flax.linen.broadcast": None,
}
