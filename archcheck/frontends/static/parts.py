"""Modules that are made while another one runs: Flax's compact calls, Haiku's functions, and what fills one late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static.machine import Frame, place_of
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import Args, Data, External, Function, Instance, Kwargs, Layer, Method, Tensor

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

FILLING = ("setup", "__init__", "__post_init__")  # what is made in these gets its name where it is assigned


def take(vm: Machine, made: Instance | Layer, class_name: str, name: Data) -> Instance | Layer:
    """A module as a part of the one whose method runs, by its name there; the one that has that name, where an earlier
    call has made it: its weights are the same."""
    bases = made.cls.externals if isinstance(made, Instance) else (made.name,)
    if not vm.frames or not any(dialects.is_numbered(base) for base in bases):
        return made
    frame = _running(vm)
    if frame is None or frame.receiver is made or frame.function in FILLING:
        return made
    owner: Instance = frame.receiver
    if not isinstance(name, str):
        number = owner.numbers.get(class_name, 0)
        owner.numbers[class_name] = number + 1
        name = f"{class_name}_{number}"
    before = owner.made.get(name)
    if type(before) is type(made) and _alike(before, made):
        return before
    owner.made[name] = made
    made.owner = (owner, name)
    return made


def _alike(before: Data, made: Instance | Layer) -> bool:
    """Whether both are of one class: what else stands under the name is another function's."""
    if isinstance(made, Layer):
        return bool(before.name == made.name)
    return bool(before.cls is made.cls)


def _running(vm: Machine) -> Frame | None:
    """The innermost frame in which a method of a framework's module runs."""
    for frame in reversed(vm.frames):
        held = frame.receiver
        if isinstance(held, Instance) and any(dialects.is_numbered(base) for base in held.cls.externals):
            return frame
    return None


def fill(vm: Machine, instance: Instance) -> None:
    """Run what fills an instance when it is first called or looked into, once."""
    if instance.filled:
        return
    instance.filled = True
    for name in instance.cls.late:
        found = instance.cls.lookup(name)
        if found is not None and isinstance(found[1], Function):
            vm.call(Method(found[1], instance), [], {})


def learned(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """A learned tensor of a module, under a name: the same one in every call. Arguments: module, name, shape."""
    module, name, shape = args
    owner = module if isinstance(module, Instance) else None
    if owner is None:
        running = _running(vm)
        owner = running.receiver if running is not None else None
    if owner is not None and isinstance(name, str) and isinstance(owner.made.get(name), Tensor):
        return owner.made[name]
    place = place_of(owner) if owner is not None else ""
    named = f"{place}.{name}" if place else name
    known = isinstance(shape, (tuple, list)) and all(type(size) is int or isinstance(size, Open) for size in shape)
    stated = {"name": named if isinstance(name, str) else "", **({"shape": tuple(shape)} if known else {})}
    tensor = vm.emit_source("parameter", stated, place=place, span=vm.here())
    tensor.learned = True
    if owner is not None and isinstance(name, str):
        owner.made[name] = tensor
    return tensor


def weight(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """A learned tensor of a module by its name, or what the part of that name holds. Arguments: module, name."""
    module, name = args
    if isinstance(module, Layer):
        known = name in module.row.weights
        return vm.get(module, name) if known else vm.open(f"the weight {name} of {module.name}", metadata=True)
    if not isinstance(module, Instance) or not isinstance(name, str):
        return vm.open("a weight of a module", metadata=True)
    fill(vm, module)
    found = module.made.get(name, module.attributes.get(name))
    if isinstance(found, (Instance, Layer)):
        return vm.call(External("flax.linen.Weights"), [found], {})
    return found if isinstance(found, Tensor) else vm.open(f"the weights called {name} of {module.cls.name}")
