"""Calls of modules: a library's layer by its row, an instance by the method that its framework runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static import containers, functional, hooks, inplace, parts, rows, signatures, sizes
from archcheck.frontends.static.decorators import veiled
from archcheck.frontends.static.machine import Raised, flatten_tensors, place_of
from archcheck.frontends.static.opens import Open, Shape
from archcheck.frontends.static.values import Data, Function, Instance, Layer, Method, Tensor, Tensors
from archcheck.ir.graph import Value
from archcheck.ir.span import origin

if TYPE_CHECKING:
    from archcheck.frontends.static.calls import Given
    from archcheck.frontends.static.machine import Machine


def call_layer(vm: Machine, layer: Layer, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """A library layer's call, with what stands around it: a hook, another `forward` that was set on it."""
    layer.used = True
    args, kwargs = hooks.enter(vm, layer, args, kwargs)
    if "forward" in layer.attributes:
        result = vm.call(layer.attributes["forward"], args, kwargs)
    else:
        with vm.within(layer.rounds):
            result = _call_row(vm, layer, args, kwargs)
    return hooks.leave(vm, layer, args, kwargs, result)


def _call_row(vm: Machine, layer: Layer, args: list[Data], kwargs: dict[str, Data]) -> Data:
    row = layer.row
    place = place_of(layer)
    frame = vm.frames[-1]
    outer = frame.place
    frame.place = place or outer
    try:
        bound = (
            signatures.bind(row.call_parameters, args, kwargs)
            or signatures.bind(row.call_parameters, args, kwargs, strict=False)
            or {}
        )
        reads = signatures.ordered_operands(vm, row, bound)
        everything = {**layer.arguments, **_set_since(layer), **bound}
        if row.plain and not signatures.fits(everything, (*row.init_parameters, *row.call_parameters), row.plain):
            spelled = _spelled(vm, layer)
            if spelled is not None:
                return call_module(vm, spelled, args, kwargs)
            return vm.opaque(layer.name, reads, "it is used with arguments that its dialect row does not describe")
        told = {key: value for key, value in bound.items() if value is not None}
        if reads and rows.switched_off(vm, row, {**layer.arguments, **told}):
            return reads[0]
        if row.kind in rows.IDENTITY_LIKE and not vm.training and reads:
            return reads[0]
        if row.kind == "identity" and bound and not isinstance(given := next(iter(bound.values())), (Tensor, Tensors)):
            return given  # whatever it is
        if not reads:
            unknown = next((value for value in bound.values() if isinstance(value, Open)), None)
            if unknown is None and next(iter(bound.values()), ...) is None:
                raise Raised("TypeError", f"{layer.name} is given None", vm.here())
            why = "it is given no tensor" if unknown is None else unknown.why
            return vm.open(f"{layer.name}: {why}")
        path = vm.emit_path(row.kind, reads, signatures.stated(row, row.init_parameters, everything), everything)
        vm.recorder.layers[origin(path)] = layer
        return inplace.settled(vm, layer.arguments, reads, _layer_result(vm, layer, path))
    finally:
        frame.place = outer


def _set_since(layer: Layer) -> dict[str, Data]:
    """What code has made of a layer's weights since it was built: `linear.bias = nn.Parameter(...)` gives it one."""
    optional = [name for name in layer.row.weights if isinstance(layer.arguments.get(name), bool)]
    return {name: layer.attributes[name] is not None for name in optional if name in layer.attributes}


def _spelled(vm: Machine, layer: Layer) -> Instance | None:
    """An instance of the class that a dialect spells, for a library's layer in a use that its row does not describe."""
    from archcheck.frontends.static import definitions, instances

    cls = definitions.spelled_class(vm, layer.name)
    if cls is None:
        return None
    if layer.spelled is None:
        given = {p.name: layer.arguments[p.name] for p in layer.row.init_parameters if not p.double_star}
        made = instances.instantiate(vm, cls, [], given)
        layer.spelled = made if isinstance(made, Instance) else None
        if layer.spelled is not None:
            layer.spelled.owner = layer.owner
    return layer.spelled


def _layer_result(vm: Machine, layer: Layer, path: str) -> Data:
    row = layer.row
    if row.outputs > 1:
        return tuple(Tensor(Value(path, index)) for index in range(row.outputs))
    return rows.activated(vm, row, layer.arguments, Tensor(Value(path)))


def call_module(
    vm: Machine, instance: Instance, args: list[Data], kwargs: dict[str, Data], given: Given | None = None
) -> Data:
    """A call of an instance, with what stands around it: a hook, a decorator of its class."""
    if instance.owner is None:
        _place(vm, instance)
    if instance.veil and (tensors := list(flatten_tensors([args, kwargs]))):
        return vm.opaque(instance.cls.name, tensors, f"{instance.veil}, so what it computes is not known")
    with vm.within(instance.rounds):
        args, kwargs = hooks.enter(vm, instance, args, kwargs)
        result = _called(vm, instance, args, kwargs, given)
        result = hooks.leave(vm, instance, args, kwargs, result)
    instance.numbers.clear()
    return veiled(vm, result, instance.cls.veil) if instance.cls.veil else result


def _place(vm: Machine, instance: Instance) -> None:
    """Note where a module stands that was put into a list after the list became an attribute of the caller."""
    caller = vm.frame_receiver()
    for name, held in caller.attributes.items() if isinstance(caller, Instance) else ():
        if isinstance(held, list) and any(item is instance for item in held):
            containers.adopt(caller, name, held)


def _called(vm: Machine, instance: Instance, args: list[Data], kwargs: dict[str, Data], given: Given | None) -> Data:
    """Its own `__call__`, or the method that its framework runs; one set on the instance itself comes first."""
    instance.used = True
    parts.fill(vm, instance)
    prepare(vm, instance, args, kwargs)
    for name in ("forward", "call"):
        if name in instance.attributes and is_module_like(instance):
            return vm.call(instance.attributes[name], args, kwargs, given)
    own = instance.cls.lookup("__call__")
    if own is not None and isinstance(own[1], Function) and vm.frame_receiver() is not instance:
        return vm.call(Method(own[1], instance), args, kwargs, given)
    for base in instance.cls.externals:
        for name in dialects.base_methods(base) or ():
            found = instance.cls.lookup(name)
            if found is not None and isinstance(found[1], Function):
                filled = modes(vm, instance, found[1], args, kwargs)
                kwargs = _taken(instance, found[1], kwargs)
                return vm.call(Method(found[1], instance), args, {**kwargs, **filled}, given)
    if instance.tensors is not None:
        return functional.call(vm, instance.tensors, args, kwargs)
    if instance.layer is not None:
        for name in ("forward", "call"):  # a class that extends a library's layer may compute something else
            found = instance.cls.lookup(name)
            if found is not None and isinstance(found[1], Function):
                return vm.call(Method(found[1], instance), args, kwargs, given)
        if instance.layer.owner is None:
            instance.layer.owner = instance.owner
        return call_layer(vm, instance.layer, args, kwargs)
    if containers.is_sequential(instance):
        return containers.in_turn(vm, instance, args)
    if own is not None:
        return vm.call(Method(own[1], instance), args, kwargs, given)
    forward = instance.cls.lookup("forward")
    unread = [base for base in instance.cls.externals if not dialects.known(base) and base != "builtins.object"]
    if unread and forward is not None and isinstance(forward[1], Function):
        vm.assume(f"calling a {instance.cls.name} runs its forward, as {unread[0].removeprefix('unread.')} is not read")
        return vm.call(Method(forward[1], instance), args, kwargs, given)
    tensors = list(flatten_tensors([args, kwargs]))
    why = f"{instance.cls.name} has no method that a call runs"
    return vm.opaque(instance.cls.name, tensors, why) if tensors else vm.open(why)


def modes(
    vm: Machine, instance: Instance, function: Function, args: Sequence[Data], kwargs: Mapping[str, Data]
) -> dict[str, Data]:
    """Arguments that the framework fills from the call around: whether the model is trained."""
    names = {name for base in instance.cls.externals for name in dialects.modes(base)}
    if not names:
        return {}
    spec = function.node.args
    given = {parameter.arg for parameter in [*spec.posonlyargs, *spec.args][: len(args) + 1]} | kwargs.keys()
    return {p.arg: vm.training for p in [*spec.args, *spec.kwonlyargs] if p.arg in names and p.arg not in given}


def _taken(instance: Instance, function: Function, kwargs: dict[str, Data]) -> dict[str, Data]:
    """The keywords of a call without those that the framework takes out where a method has no parameter for them."""
    names = {name for base in instance.cls.externals for name in dialects.modes(base)} & kwargs.keys()
    spec = function.node.args
    if not names or spec.kwarg is not None:
        return kwargs
    parameters = {parameter.arg for parameter in [*spec.args, *spec.kwonlyargs]}
    return {key: value for key, value in kwargs.items() if key not in names or key in parameters}


def is_module_like(instance: Instance) -> bool:
    """Whether a call of `instance` runs a framework's method."""
    return instance.layer is not None or any(dialects.base_methods(base) for base in instance.cls.externals)


def prepare(vm: Machine, instance: Instance, args: list[Data], kwargs: dict[str, Data]) -> None:
    """Run what a framework runs before a layer's first call: Keras calls `build` with the shape of the input, or with
    those of all tensors that the call is given, where it has parameters for them (`x_shape` for `x`)."""
    if instance.prepared:
        return
    instance.prepared = True
    for name in dict.fromkeys(name for base in instance.cls.externals for name in dialects.prepares(base)):
        found = instance.cls.lookup(name)
        if found is not None and isinstance(found[1], Function):
            if len(found[1].node.args.args) < 2:
                vm.call(Method(found[1], instance), [], {})
                continue
            more = found[1].node.args.args[2:]
            tensors = _tensors_given(instance, args, kwargs)
            named = ((one.arg, tensors.get(one.arg.removesuffix("_shape"))) for one in more)
            shapes = {name: _shape(vm, tensor) for name, tensor in named if tensor is not None}
            vm.call(Method(found[1], instance), [_shape(vm, next(iter([*args, *kwargs.values()]), None))], shapes)


def _shape(vm: Machine, given: Data) -> Data:
    """The shape of what a layer is called with, in numbers where each of them is known."""
    dims = sizes.known(vm, given) if isinstance(given, Tensor) else None
    if dims is None or None in dims:
        return Shape("the shape of the input", vm.here(), metadata=True)
    return dims


def _tensors_given(instance: Instance, args: list[Data], kwargs: dict[str, Data]) -> dict[str, Tensor]:
    """A call's parameters that are given a tensor, by name."""
    called = next((found for name in ("call", "forward") if (found := instance.cls.lookup(name)) is not None), None)
    parameters = called[1].node.args.args[1:] if called is not None and isinstance(called[1], Function) else []
    bound = dict(zip((one.arg for one in parameters), args, strict=False)) | kwargs
    return {name: value for name, value in bound.items() if isinstance(value, Tensor)}


def weight_shape(layer: Layer, name: str) -> tuple[Data, ...] | None:
    """The shape of the learned tensor `name` of a PyTorch layer; None where the layer's arguments do not tell it.

    Linear maps hold [out, in], convolutions [out, in / groups, *kernel], transposed ones [in, out / groups, *kernel],
    embeddings [rows, features], norms and biases [features].
    """
    if not layer.name.startswith("torch.nn.") or name not in ("weight", "bias"):
        return None
    told = signatures.stated(layer.row, layer.row.init_parameters, layer.arguments)
    kind = layer.row.kind
    if kind in ("linear", "conv", "conv_transpose"):
        given, read = told.get("out_features"), told.get("in_features")
        if name == "bias" or kind == "linear":
            shape: tuple[Data, ...] = (given,) if name == "bias" else (given, read)
        else:
            axes, groups, kernel = told.get("axes"), told.get("groups", 1), told.get("kernel")
            if not isinstance(axes, int) or type(groups) is not int or not groups:
                return None
            kernel = tuple(kernel) if isinstance(kernel, (tuple, list)) else (kernel,) * axes
            first, second = (read, given) if kind == "conv_transpose" else (given, read)
            shape = (first, second // groups if isinstance(second, int) else None, *kernel)
    elif kind == "embedding" and name == "weight":
        shape = (told.get("rows"), told.get("dim"))
    elif layer.row.kind.endswith("_norm"):
        dim = told.get("dim")
        shape = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    else:
        return None
    return shape if all(type(size) is int for size in shape) else None
