"""What libraries' names do that record no op: bookkeeping of modules, the standard library's small functions.

Ops are the business of the dialect tables. Here stand the names that move values about: `functools.partial`,
`register_buffer`, checkpointing, `tf.get_variable`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from archcheck.frontends.static import bounds, functional
from archcheck.frontends.static.environment import ENVIRONMENT, INSTALLED
from archcheck.frontends.static.hparams import named_values
from archcheck.frontends.static.machine import place_of
from archcheck.frontends.static.named import AUTO, named_tuple
from archcheck.frontends.static.values import (
    Class,
    Data,
    Function,
    Instance,
    Layer,
    Method,
    Native,
    Partial,
    Scope,
    Tensor,
    Tensors,
)

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

Args = list[Data]
Kwargs = dict[str, Data]
Handler = Callable[["Machine", Args, Kwargs], Data]
Bookkeeping = Callable[["Machine", "Instance | Layer", Args, Kwargs], Data]

# ---- modules


def learned(vm: Machine, name: str, attributes: dict[str, Data] | None = None) -> Tensor:
    """A learned tensor."""
    tensor = vm.emit("parameter", (), {"name": name, **(attributes or {})})
    tensor.learned = True
    return tensor


def _parameter(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    shape = None
    if args and isinstance(args[0], Tensor):
        producer = vm.recorder.by_path.get(args[0].value.op)
        shape = producer.attr("shape") if producer is not None else None
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


def _weights_of(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    return [vm.open("a weight of a module", metadata=True)]


def _children(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    if not isinstance(module, Instance):
        return []
    held = list(module.attributes.values())
    if module.items is not None:
        held = list(module.items.values()) if isinstance(module.items, dict) else list(module.items)
    return [value for value in held if _is_part(value)]


def _named_children(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    if not isinstance(module, Instance):
        return []
    held = module.attributes if module.items is None else module.items
    pairs = held.items() if isinstance(held, dict) else enumerate(held)
    return [(str(name), value) for name, value in pairs if _is_part(value)]


def _is_part(value: Data) -> bool:
    """Whether a module that holds `value` has it among its children: a configuration is none."""
    from archcheck.frontends.static.attributes import is_module

    return isinstance(value, Layer) or (
        isinstance(value, Instance) and (is_module(value.cls) or value.items is not None)
    )


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
    return learned(vm, f"{place_of(module)}.{name}", _shaped(kwargs.get("shape", shapes[0] if shapes else None)))


def _shaped(shape: Data) -> dict[str, Data]:
    return {"shape": tuple(shape)} if isinstance(shape, (list, tuple)) else {}


def _shape_of(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    return vm.open("the shape of what a layer gives", metadata=True)


def _config_of(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    return vm.open("the configuration of a layer")


def _hook(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> None:
    """A hook may replace what a module is given or gives; which hooks still stand when it runs is not followed."""
    module.veil = "a forward hook"


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
    "register_forward_hook": _hook,
    "register_forward_pre_hook": _hook,
    "register_full_backward_hook": _nothing_of,
    "register_load_state_dict_post_hook": _nothing_of,
    "register_state_dict_pre_hook": _nothing_of,
    "_register_load_state_dict_pre_hook": _nothing_of,
    "_register_state_dict_hook": _nothing_of,
    "load_state_dict": _nothing_of,
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

# ---- names of libraries


def _given_tensor(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`keras.Input(...)`: a tensor that the caller of the model gives."""
    name = kwargs.get("name")
    return vm.emit("input", (), {"name": name if isinstance(name, str) else "input"})


def _tensor_model(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`keras.Model(inputs, outputs)`."""
    return functional.model_of(args, kwargs) or vm.open("a keras.Model without inputs and outputs")


def _with_fields(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`dataclasses.replace(config, act_layer="gelu")`."""
    if not isinstance(args[0], Instance):
        return vm.open("an object with other fields")
    twin = Instance(args[0].cls, {**args[0].attributes}, {**args[0].settings})
    for name, value in kwargs.items():
        vm.set(twin, name, value)
        twin.settings.pop(name, None)
    return twin


def _partial(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return Partial(args[0], tuple(args[1:]), kwargs)


def _first(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return args[0] if args else Native("decorator", _first)


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


def _fields(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`dataclasses.fields`: objects that tell the names."""
    cls = args[0].cls if isinstance(args[0], Instance) else args[0]
    if not isinstance(cls, Class):
        return vm.open("the fields of something that is not read", metadata=True)
    names = [name for base in reversed(cls.mro) if isinstance(base, Class) for name in base.fields]
    made = []
    for name in dict.fromkeys(names):
        field = Instance(Class("Field", (), Scope(cls.file), None))
        field.attributes.update(name=name, default=None)
        made.append(field)
    return made


def _checkpointed(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """Gradient checkpointing computes what the function computes."""
    own = {"use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug"}
    return vm.call(args[0], args[1:], {key: value for key, value in kwargs.items() if key not in own})


def _mapping(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    made: dict[Data, Data] = {}
    source = args[0] if args else None
    if isinstance(source, Instance):
        source = source.items
    if isinstance(source, dict):
        made.update(source)
    elif isinstance(source, (list, tuple)):
        made.update({pair[0]: pair[1] for pair in source if isinstance(pair, (list, tuple)) and len(pair) == 2})
    made.update(kwargs)
    return made


def _default_mapping(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return {}


def _sequence(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return vm.iterate(args[0]) if args else []


def _chain(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return [item for argument in args for item in vm.iterate(argument)]


def _repeat(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    count = args[1] if len(args) > 1 else kwargs.get("times")
    return [args[0]] * (count if isinstance(count, int) else 1)


def _product(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    import itertools

    return list(itertools.islice(itertools.product(*(vm.iterate(argument) for argument in args)), 4096))


def _reduce(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    values = vm.iterate(args[1])
    total = args[2] if len(args) > 2 else values.pop(0) if values else vm.open("reduce over nothing")
    for value in values:
        total = vm.call(args[0], [total, value], {})
    return total


def _signature(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`inspect.signature`: an object whose `parameters` has the names."""
    function = args[0].function if isinstance(args[0], Method) else args[0]
    if isinstance(function, Class):
        found = function.lookup("__init__")
        function = found[1] if found else None
    elif isinstance(function, Instance):
        found = function.cls.lookup("forward")
        function = found[1] if found else None
    if not isinstance(function, Function):
        return vm.open("the signature of something that is not read", metadata=True)
    spec = function.node.args
    names = [parameter.arg for parameter in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]]
    made = Instance(Class("Signature", (), Scope(function.file), None))
    made.attributes["parameters"] = {name: vm.open("a parameter", metadata=True) for name in names if name != "self"}
    made.attributes["args"] = names
    return made


def _number(name: str) -> Handler:
    plain = getattr(math, name)

    def number(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        if any(isinstance(value, (Tensor, Tensors)) for value in args):
            return vm.open(f"math.{name} of a tensor", metadata=True)
        unknown = next((value for value in args if not isinstance(value, (int, float, list, tuple))), None)
        if unknown is not None:
            return vm.not_known(unknown, f"math.{name} of {unknown}", metadata=True)
        if bounds.number_too_large(name, args):
            return vm.open(f"math.{name} is too large to build", metadata=True)
        try:
            return plain(*args)
        except (TypeError, ValueError, ArithmeticError):
            return vm.open(f"math.{name} of {args}")

    return number


def _numpy_number(name: str) -> Handler:
    inner = _number(name)

    def number(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        if len(args) == 1 and isinstance(args[0], (int, float)):
            return inner(vm, args, kwargs)
        return vm.open(f"numpy.{name}", metadata=True)

    return number


def _linspace(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`linspace` and `arange` keep the numbers, which code turns into lists (drop-path rates, layer indices)."""
    start, stop = args[0], args[1] if len(args) > 1 else kwargs.get("end", kwargs.get("stop"))
    steps = args[2] if len(args) > 2 else kwargs.get("steps", kwargs.get("num", 50))
    tensor = vm.emit("constant", (), {"value": "linspace"})
    if all(isinstance(value, (int, float)) for value in (start, stop)) and isinstance(steps, int) and 0 < steps <= 4096:
        step = (stop - start) / (steps - 1) if steps > 1 else 0.0
        tensor.data = [start + step * at for at in range(steps)]
    return tensor


def _tensor_list(vm: Machine, tensor: Tensor, args: Args, kwargs: Kwargs) -> Data:
    if tensor.data is not None:
        return tensor.data
    return vm.open("the content of a tensor", metadata=True)


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


def _count(vm: Machine, tensor: Tensor, args: Args, kwargs: Kwargs) -> Data:
    return vm.open("a number of a tensor", metadata=True)


def _entry(vm: Machine, tensor: Tensor, args: Args, kwargs: Kwargs) -> Data:
    """`features.get("inputs")`: an argument that the code uses as a mapping of tensors."""
    return vm.emit("select", (tensor,), {"index": args[0]}) if args and isinstance(args[0], str) else NotImplemented


TENSOR_METHODS: dict[str, Callable[[Machine, Tensor, Args, Kwargs], Data]] = {
    "tolist": _tensor_list,
    "split": _known_parts,
    "item": lambda vm, tensor, args, kwargs: vm.open("the content of a tensor", metadata=True),
    "get": _entry,
    "size": _count,
    "dim": _count,
    "numel": _count,
    "backward": lambda vm, tensor, args, kwargs: None,
    "register_hook": lambda vm, tensor, args, kwargs: None,
    "set_shape": lambda vm, tensor, args, kwargs: None,
}


def _get_variable(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    name = args[0] if args else kwargs.get("name", "")
    return learned(vm, name if isinstance(name, str) else "")


def _cond(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`tf.cond`: both sides are functions; which one runs is decided by a tensor."""
    bound = dict(zip(("pred", "true_fn", "false_fn"), args, strict=False)) | kwargs
    true_fn, false_fn = bound.get("true_fn", bound.get("fn1")), bound.get("false_fn", bound.get("fn2"))
    pred = bound.get("pred")
    if isinstance(pred, bool):
        return vm.call(true_fn if pred else false_fn, [], {})
    vm.assume("the condition of a tf.cond is false")
    return vm.call(false_fn, [], {})


def _whole_range(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    known = all(isinstance(value, int) for value in args)
    return range(*args) if known else vm.open("a range", metadata=True)


def _of_code(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`types.FunctionType(f.__code__, ...)`: another function of the same code."""
    code = args[0] if args else None
    return code.again() if isinstance(code, Function) else vm.open("a function made from code that is not read")


LIBRARY: dict[str, Handler] = {
    **ENVIRONMENT,
    "dataclasses.fields": _fields,
    "dataclasses.replace": _with_fields,
    "dataclasses.is_dataclass": lambda vm, args, kwargs: isinstance(args[0], (Instance, Class)),
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    "functools.wraps": _first,
    "functools.update_wrapper": _first,
    "functools.lru_cache": _first,
    "functools.cache": _first,
    "copy.copy": _copied,
    "copy.deepcopy": _copied,
    "collections.OrderedDict": _mapping,
    "collections.defaultdict": _default_mapping,
    "collections.deque": _sequence,
    "collections.namedtuple": named_tuple,
    "enum.auto": lambda vm, args, kwargs: AUTO,
    "itertools.chain": _chain,
    "itertools.chain.from_iterable": lambda vm, args, kwargs: _chain(vm, vm.iterate(args[0]), {}),
    "itertools.repeat": _repeat,
    "itertools.product": _product,
    "inspect.signature": _signature,
    "inspect.getfullargspec": _signature,
    "types.FunctionType": _of_code,
    "typing.cast": lambda vm, args, kwargs: args[1],
    "types.SimpleNamespace": named_values,
    "argparse.Namespace": named_values,
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
    "torch.nn.Parameter": _parameter,
    "torch.nn.Buffer": lambda vm, args, kwargs: args[0] if args else None,
    "torch.linspace": _linspace,
    "numpy.linspace": _linspace,
    "torch.utils.checkpoint.checkpoint": _checkpointed,
    "torch.cond": _cond,
    "tensorflow.cond": _cond,
    "tensorflow.get_variable": _get_variable,
    "tensorflow.Variable": _get_variable,
    "tensorflow.contrib.training.HParams": named_values,
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
LIBRARY.update(
    {f"math.{name}": _number(name) for name in dir(math) if callable(getattr(math, name)) and name[0] != "_"}
)
LIBRARY.update(
    {f"numpy.{name}": _numpy_number(name) for name in ("sqrt", "log", "log2", "exp", "ceil", "floor", "prod")}
)
CONSTANTS: dict[str, Data] = {
    "torch.__version__": INSTALLED["torch"],
    "typing.TYPE_CHECKING": False,
    "math.pi": math.pi,
    "math.inf": math.inf,
    "math.e": math.e,
    "numpy.pi": math.pi,
    "numpy.inf": math.inf,
}
