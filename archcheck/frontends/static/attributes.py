"""Attributes and items: of instances through their class and its bases, of modules, containers and tensors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.dialects.table import Formula
from archcheck.frontends.static import containers, functional, modules, names, parts, rows
from archcheck.frontends.static.bookkeeping import REGISTERS
from archcheck.frontends.static.inherited import (
    OF_BASES,
    assign_directly,
    bookkeeping,
    fill,
    fill_first,
    inherited,
    mapping_mixin,
    of_base,
)
from archcheck.frontends.static.iteration import item_of
from archcheck.frontends.static.libraries import CONSTANTS
from archcheck.frontends.static.machine import Raised, place_of
from archcheck.frontends.static.natives import container_method, plain_method
from archcheck.frontends.static.opens import Open, Shape
from archcheck.frontends.static.sizes import TOLD_WHEN_CALLED
from archcheck.frontends.static.standard import with_fields
from archcheck.frontends.static.values import (
    INERT,
    Class,
    Data,
    External,
    FieldsInit,
    Function,
    Instance,
    Layer,
    Method,
    ModuleValue,
    Native,
    Partial,
    Super,
    Tensor,
    TensorMethod,
    TensorModel,
    Tensors,
    is_module,
    shown,
)

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

NO_DEFAULT = ...
PER_AXIS = ("kernel_size", "stride", "dilation", "padding", "output_padding")


def get(vm: Machine, owner: Data, name: str, default: Data = NO_DEFAULT) -> Data:
    """`owner.name`; `default` where there is no such attribute, if one is given.

    Raises:
        Raised: AttributeError, where it is certain that there is no such attribute.
    """
    if name == "__doc__":
        return _docstring(owner)
    if isinstance(owner, Instance):
        return _of_instance(vm, owner, name, default)
    if isinstance(owner, (Tensor, Tensors)):
        return _of_tensor(vm, owner, name)
    if isinstance(owner, ModuleValue):
        return _of_module(vm, owner, name, default)
    if owner is INERT:
        return INERT
    if owner is rows.OPS:
        return rows.op_of_kind(name)
    if isinstance(owner, External):
        if f"{owner.name}.{name}" in CONSTANTS:
            return CONSTANTS[f"{owner.name}.{name}"]
        if name in ("__name__", "__qualname__"):
            return owner.name.rpartition(".")[2]
        if name in OF_BASES and (dialects.layer(owner.name) or dialects.base_methods(owner.name)) is not None:
            return of_base(owner, name)
        return External(dialects.canonical(f"{owner.name}.{name}"))
    if isinstance(owner, Class):
        return _of_class(vm, owner, name, default)
    if isinstance(owner, Layer):
        return _of_layer(vm, owner, name, default)
    if isinstance(owner, Super):
        return _of_super(vm, owner, name, default)
    if isinstance(owner, Shape) and name == "as_list":
        return Native(name, lambda machine, args, kwargs: owner)
    if isinstance(owner, Open):
        why = f"{owner.flag}.{name} is not given" if owner.why == f"{owner.flag} is not given" else ""
        inner = owner.about(why or owner.within(after=f".{name}"), vm.here())
        return replace(inner, flag=f"{owner.flag}.{name}") if owner.flag else inner
    if isinstance(owner, TensorModel):
        return functional.attribute(vm, owner, name)
    if isinstance(owner, (Function, Method, Partial)):
        return _of_function(vm, owner, name, default)
    found = plain_method(owner, name)
    if found is not None or (isinstance(owner, rows.NamedParts) and name in owner.empty):
        return found
    if name == "value" and type(owner) is int and not vm.inplace_sums:
        return owner  # a size of TensorFlow 1: `x.shape[-1].value`
    return _absent(vm, owner, name, default)


def _docstring(owner: Data) -> str | None:
    """What stands for readers; code that rewrites it refuses one that lacks what it is to replace."""
    if isinstance(owner, (Method, Partial)):
        return _docstring(owner.function)
    if isinstance(owner, Function) and isinstance(owner.attributes.get("__doc__"), str):
        return str(owner.attributes["__doc__"])
    node = owner.node if isinstance(owner, (Function, Class)) else None
    return None if node is None or isinstance(node, ast.Lambda) else ast.get_docstring(node, clean=False)


def _absent(vm: Machine, owner: Data, name: str, default: Data) -> Data:
    if default is not NO_DEFAULT:
        return default
    raise Raised("AttributeError", f"{shown(owner)} has no attribute {name}", vm.here())


def _of_instance(vm: Machine, owner: Instance, name: str, default: Data) -> Data:
    if name in owner.attributes:
        if vm.invoked:
            owner.used = True  # `self.model.decoder(x)`: what it holds is called in its place
        return owner.attributes[name]
    if owner.cls.late and not owner.filled:
        parts.fill(vm, owner)
        return get(vm, owner, name, default)
    mapped = attribute_map(owner)
    if mapped is not None and mapped.get(name, name) != name:
        return get(vm, owner, mapped[name], default)
    if name == "__class__":
        return owner.cls
    if name == "__module__":
        return owner.cls.file.module
    if name == "__dict__":
        return owner.attributes
    if name == "training" and is_module(owner.cls):
        return vm.training
    found = owner.cls.lookup(name)
    if found is not None:
        if default is NO_DEFAULT:
            return bind_to(vm, found[1], owner)
        vm.trying += 1  # a property that has no value yet is an attribute that is absent
        depth = len(vm.frames)
        try:
            return bind_to(vm, found[1], owner)
        except Raised as error:
            if error.name != "AttributeError":
                raise
            del vm.frames[depth:]
            return default
        finally:
            vm.trying -= 1
    if owner.layer is not None:
        if name == "_modules":
            return containers.Parts(owner)
        if name in REGISTERS:
            return bookkeeping(owner, name)  # on what extends the layer, which looks them up itself
        return _of_layer(vm, owner.layer, name, default)
    if owner.items is not None:
        method = container_method(owner, name)
        if method is not None:
            return method
        if isinstance(owner.items, dict) and name in owner.items:
            return owner.items[name]
    if is_module(owner.cls):
        if name in ("forward", "call") and containers.is_sequential(owner):
            return Native(name, lambda machine, args, kwargs: containers.in_turn(machine, owner, args))
        if name == "_modules":
            return containers.Parts(owner)
        if (method := bookkeeping(owner, name)) is not None:
            return method
        if name in ("forward", "call", "__call__"):
            return _absent(vm, owner, name, default)
        if any(dialects.is_module_metadata(base, name) for base in owner.cls.externals):
            return vm.open(f"the {name} of a layer", metadata=True)
    found = owner.cls.lookup("__getattr__")
    if found is not None and isinstance(found[1], Function):
        try:
            return vm.call(Method(found[1], owner), [name], {})
        except Raised as error:
            if error.name == "AttributeError" and default is not NO_DEFAULT:
                return default
            raise
    if owner.cls.lookup("__getitem__") and (mixin := mapping_mixin(owner, name)) is not None:
        return mixin
    if default is not NO_DEFAULT:
        return default
    if owner.veil and not vm.trying:
        return Open(f"{owner.cls.name}.{name} is not known: {owner.veil}", vm.here(), flag=name)
    unread = next((base for base in owner.cls.externals if not _says_nothing(base)), None)
    if unread is not None and name in ("training", *REGISTERS) and owner.cls.lookup("forward") is not None:
        vm.assume(f"{owner.cls.name}.{name} is that of a module, as {unread.removeprefix('unread.')} is not read")
        return vm.training if name == "training" else bookkeeping(owner, name)
    if unread is not None:
        return Open(f"{owner.cls.name}.{name} comes from {unread}, which is not read", vm.here(), flag=name)
    if owner.bag and not vm.trying and not is_module(owner.cls):
        return Open(f"{owner.cls.name}.{name} is not set", vm.here(), flag=name)
    if name == "replace" and owner.cls.fields:  # of flax.struct.dataclass, and of named tuples
        return Native(name, lambda machine, args, kwargs: with_fields(machine, [owner], kwargs))
    return _absent(vm, owner, name, default)


def _says_nothing(base: str) -> bool:
    """Whether a base class from outside adds no attributes that a model's code would read."""
    return dialects.base_methods(base) is not None or base.partition(".")[0] in ("typing", "abc", "object", "enum")


def attribute_map(owner: Instance) -> dict[str, str] | None:
    """Names under which an object keeps other names, where its class redirects look-ups by such a table."""
    if owner.cls.lookup("__getattribute__") is None:
        return None
    found = owner.cls.lookup("attribute_map")
    return found[1] if found is not None and isinstance(found[1], dict) else None


def bind_to(vm: Machine, value: Data, owner: Instance) -> Data:
    """A class's attribute as its instance sees it."""
    if isinstance(value, Function):
        if value.role == "property":
            return vm.call(Method(value, owner), [], {})
        if value.role == "static":
            return value
        return Method(value, owner.cls if value.role == "class" else owner)
    return value


def _of_class(vm: Machine, owner: Class, name: str, default: Data) -> Data:
    found = owner.lookup(name)
    if found is not None:
        value = found[1]
        if isinstance(value, Function) and value.role == "class":
            return Method(value, owner)
        return value
    if name in ("__name__", "__qualname__"):
        return owner.name
    if name == "__bases__":
        return owner.bases
    if name == "__module__":
        return owner.file.module
    if name == "__mro__":
        return owner.mro
    if name == "__dict__":
        return owner.scope.vars
    if name == "__dataclass_fields__" and any(isinstance(base, Class) and base.fields for base in owner.mro):
        from archcheck.frontends.static.standard import fields

        return fields(vm, owner)
    if name == "__members__" and owner.members:
        return owner.members
    if name == "__init__" and any(isinstance(base, Class) and base.fields for base in owner.mro):
        return FieldsInit(name, lambda vm, args, kwargs: fill_first(vm, owner, args, kwargs), owner)
    if name == "apply":
        # torch.autograd.Function: its forward takes a context first
        forward = owner.lookup("forward")
        if forward is not None:
            return Partial(forward[1], (INERT,), {})
    if default is not NO_DEFAULT:
        return default
    unread = next(iter(owner.externals), None)
    if unread is not None:
        return Open(f"{owner.name}.{name} comes from {unread}, which is not read", vm.here())
    return _absent(vm, owner, name, default)


def _of_super(vm: Machine, owner: Super, name: str, default: Data) -> Data:
    receiver = owner.receiver
    cls = receiver.cls if isinstance(receiver, Instance) else receiver if isinstance(receiver, Class) else owner.cls
    order = list(cls.mro)
    behind = order[order.index(owner.cls) + 1 :] if owner.cls in order else order[1:]
    for base in behind:
        if isinstance(base, Class) and name in base.scope.vars:
            value = base.scope.vars[name]
            if isinstance(value, Function) and value.role == "":
                return Method(value, receiver)
            return bind_to(vm, value, receiver) if isinstance(receiver, Instance) else _bound_class(value, cls)
    if isinstance(receiver, Instance):
        read = [base for base in behind if isinstance(base, Class)]
        if name == "__init__" and any(base.fields for base in read) and not is_module(receiver.cls):
            return Native(name, lambda machine, args, kwargs: fill(machine, read[0], receiver, args, kwargs))
        if (found := inherited(vm, receiver, name)) is not None:
            return found
    if default is not NO_DEFAULT:
        return default
    why = f"super().{name} of {cls.name}, which no class that is read has"
    return Native(name, lambda machine, args, kwargs: machine.open(why))


def _bound_class(value: Data, cls: Class) -> Data:
    return Method(value, cls) if isinstance(value, Function) and value.role == "class" else value


def _of_module(vm: Machine, owner: ModuleValue, name: str, default: Data) -> Data:
    value = names.member(vm, owner.file.module, name)
    if isinstance(value, External) and default is not NO_DEFAULT:
        return default
    return value


def _of_layer(vm: Machine, owner: Layer, name: str, default: Data) -> Data:
    if name in owner.attributes:
        return owner.attributes[name]
    if vm.invoked and (name in owner.row.weights or name in owner.arguments):
        owner.used = True  # `F.linear(x, self.dense.weight)`, `F.dropout(x, self.dropout.p)`
    if name in owner.row.weights:
        if owner.arguments.get(name) is False or owner.arguments.get(f"use_{name}") is False:
            return None
        place = place_of(owner)
        shape = modules.weight_shape(owner, name)
        stated = {"name": f"{place}.{name}", **({} if shape is None else {"shape": shape})}
        tensor = owner.attributes[name] = vm.emit_source("parameter", stated, place=place, span=owner.span)
        tensor.learned = name not in owner.row.counted
        return tensor
    if name in owner.arguments:
        value = owner.arguments[name]
        axes = owner.row.const.get("axes")
        if name in PER_AXIS and isinstance(value, int) and isinstance(axes, int):
            return (value,) * axes  # torch keeps one for each axis
        return value
    if name in owner.row.methods:
        spelled = Formula(owner.row.methods[name])
        return Native(name, lambda vm, args, kwargs: rows.evaluate_formula(vm, spelled, [owner, *args], kwargs))
    if name in ("forward", "call", "__call__"):
        return Native(name, lambda machine, args, kwargs: modules.call_layer(machine, owner, args, kwargs))
    if name == "training":
        return vm.training
    if name == "__class__":
        return External(owner.name)
    if (method := bookkeeping(owner, name)) is not None:
        return method
    if default is not NO_DEFAULT:
        return default
    return vm.open(f"{owner.name}.{name} is not in the dialect", metadata=True)


def _of_tensor(vm: Machine, owner: Tensor | Tensors, name: str) -> Data:
    if isinstance(owner, Tensors):
        owner = item_of(owner, 0)
    if vm.arrays and (spelled := dialects.ARRAYS.get((vm.arrays, name))) is not None:
        return vm.call(External(spelled), [owner], {})
    if vm.arrays and (vm.arrays, name) in dialects.HELD:
        return owner
    row = dialects.property_row(name)
    if row is not None:
        return rows.apply(vm, name, row, [owner], {})
    if dialects.is_metadata(name) and name not in TOLD_WHEN_CALLED:
        return rows.metadata(vm, name, owner)
    return TensorMethod(owner, name)


def _of_function(vm: Machine, owner: Data, name: str, default: Data) -> Data:
    function = owner.function if isinstance(owner, (Method, Partial)) else owner
    if isinstance(owner, Partial):
        found = {"func": owner.function, "args": owner.args, "keywords": dict(owner.kwargs)}.get(name)
        if found is not None:
            return found
    if isinstance(function, Function):
        if name in function.attributes:
            return function.attributes[name]
        if name in ("__name__", "__qualname__"):
            return function.name
        if name in ("__func__", "__code__"):
            return function
        if name == "co_varnames":
            return tuple(_variables(function.node))
        if name == "__module__":
            return function.file.module
        if name == "__self__" and isinstance(owner, Method):
            return owner.receiver
        if name == "__wrapped__":
            return _absent(vm, owner, name, default)
    if default is not NO_DEFAULT:
        return default
    return vm.open(f"{name} of a function", metadata=True)


def _variables(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[str]:
    """What a function calls its arguments, in the order in which they are given, and then its other variables."""
    given = node.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [one.arg for one in (given.vararg, given.kwarg) if one is not None]
    waiting: list[ast.AST] = [] if isinstance(node, ast.Lambda) else list(reversed(node.body))
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            names.append(inner.id)
        elif not isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            waiting.extend(reversed(list(ast.iter_child_nodes(inner))))
    return iter(dict.fromkeys(names))


def assign(vm: Machine, owner: Data, name: str, value: Data) -> None:
    """`owner.name = value`."""
    if isinstance(owner, Instance):
        setter = owner.cls.lookup(f"{name}.setter")
        if setter is not None:
            vm.call(Method(setter[1], owner), [value], {})
            return
        mapped = attribute_map(owner)
        if mapped is not None:
            name = mapped.get(name, name)
        own = owner.cls.lookup("__setattr__") if isinstance(owner.items, dict) else None
        if own is not None and isinstance(own[1], Function):  # a mapping whose entries are its attributes
            vm.call(Method(own[1], owner), [name, value], {})
            return
        assign_directly(owner, name, value)
    elif isinstance(owner, Layer):
        owner.attributes[name] = value
    elif isinstance(owner, (Class, ModuleValue)):
        if not isinstance(owner, Class) or owner.made_by is not vm.loaded.current:
            vm.loaded.spoil(f"{name} of a class or module was set")
        if isinstance(owner, Class) and name == "__bases__" and isinstance(value, tuple):
            owner.extend(value)
        else:
            owner.scope.vars[name] = value
    elif isinstance(owner, Function):
        owner.attributes[name] = value
    elif isinstance(owner, Tensor) and name == "data" and isinstance(value, Tensor):
        owner.value = value.value
