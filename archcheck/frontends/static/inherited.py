"""What a class of a library gives the instances of a class that extends it, without being read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static import containers, modules
from archcheck.frontends.static.bookkeeping import MODULE_ATTRIBUTES
from archcheck.frontends.static.machine import Raised
from archcheck.frontends.static.natives import container_method
from archcheck.frontends.static.values import Class, Data, External, Instance, Layer, Native, is_module

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

OF_BASES = frozenset({"__init__", "forward", "call", "__call__"})  # what `Base.name(self, ...)` is followed for


def inherited(vm: Machine, receiver: Instance, name: str) -> Data:
    """What a library's base class gives an instance under `name`."""
    if name in ("__getattribute__", "__getattr__"):
        return Native(name, lambda machine, args, kwargs: machine.get(receiver, args[0]))
    if name == "__setattr__":
        return Native(name, lambda machine, args, kwargs: assign_directly(receiver, args[0], args[1]))
    if name == "__init__":
        return Native(name, lambda machine, args, kwargs: _library_init(machine, receiver, args, kwargs))
    if receiver.layer is not None and name in ("forward", "__call__", "call"):
        layer = receiver.layer
        return Native(name, lambda machine, args, kwargs: modules.call_layer(machine, layer, args, kwargs))
    if containers.is_sequential(receiver) and name in ("forward", "call"):
        return Native(name, lambda machine, args, kwargs: containers.in_turn(machine, receiver, args))
    if name == "__call__":
        return Native(name, lambda machine, args, kwargs: modules.call_module(machine, receiver, args, kwargs))
    if receiver.items is not None:
        if name == "__getitem__":
            return Native(name, lambda machine, args, kwargs: machine.item(receiver.items, args[0]))
        return container_method(receiver, name)
    if receiver.cls.lookup("__getitem__") and (mixin := mapping_mixin(receiver, name)) is not None:
        return mixin
    return bookkeeping(receiver, name) if is_module(receiver.cls) else None


def of_base(base: External, name: str) -> Native:
    """`Base.forward(self, x)`: what `super().forward(x)` is in a class that extends a library's."""

    def method(vm: Machine, args: list[Data], kwargs: dict[str, Data]) -> Data:
        receiver = args[0] if args else None
        if isinstance(receiver, Instance) and base.name in receiver.cls.externals:
            found = inherited(vm, receiver, name)
            if found is not None:
                return vm.call(found, args[1:], kwargs)
        return vm.call(External(dialects.canonical(f"{base.name}.{name}")), args, kwargs)

    return Native(name, method)


def bookkeeping(module: Instance | Layer, name: str) -> Native | None:
    """What every module of a framework has under `name`: `register_buffer`, `to`, `children`."""
    method = MODULE_ATTRIBUTES.get(name)
    return None if method is None else Native(name, lambda vm, args, kwargs: method(vm, module, args, kwargs))


def _library_init(vm: Machine, receiver: Instance, args: list[Data], kwargs: dict[str, Data]) -> None:
    from archcheck.frontends.static import instances

    instances.initialise_from_library(vm, receiver, args, kwargs)


def fill(vm: Machine, cls: Class, receiver: Instance, args: list[Data], kwargs: dict[str, Data]) -> None:
    """The constructor of a dataclass, called by that of a class that extends it."""
    from archcheck.frontends.static import instances

    instances.fill_fields(vm, cls, receiver, args, kwargs, None)


def fill_first(vm: Machine, cls: Class, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """`Base.__init__(self, ...)` of a dataclass."""
    if not args or not isinstance(args[0], Instance):
        return vm.open(f"{cls.name}.__init__ of something that is no instance")
    fill(vm, cls, args[0], args[1:], kwargs)
    return None


def mapping_mixin(receiver: Instance, name: str) -> Data:
    """What collections.abc.Mapping gives a class that defines `__getitem__` and `__iter__`."""
    if name == "get":
        return Native(name, lambda machine, args, kwargs: _mapping_get(machine, receiver, args, kwargs))
    if receiver.cls.lookup("__iter__") is None:
        return None
    if name == "keys":
        return Native(name, lambda machine, args, kwargs: machine.iterate(receiver))
    if name == "values":
        return Native(name, lambda machine, args, kwargs: [value for _, value in _entries(machine, receiver)])
    if name == "items":
        return Native(name, lambda machine, args, kwargs: _entries(machine, receiver))
    return None


def _entries(vm: Machine, receiver: Instance) -> list[tuple[Data, Data]]:
    return [(key, vm.item(receiver, key)) for key in vm.iterate(receiver)]


def _mapping_get(vm: Machine, receiver: Instance, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """`Mapping.get` on top of the class's own `__getitem__`."""
    default = args[1] if len(args) > 1 else kwargs.get("default")
    try:
        return vm.item(receiver, args[0])
    except Raised as error:
        if error.name == "KeyError":
            return default
        raise


def assign_directly(owner: Instance, name: str, value: Data) -> None:
    """Keep `value` under `name`, and note the place in the module tree that it gets by that."""
    before = owner.attributes.get(name)
    owner.attributes[name] = value
    containers.adopt(owner, name, value)
    if owner.items is not None:
        containers.keep(owner, name, value, before)
