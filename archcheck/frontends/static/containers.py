"""Containers of modules: what they are given, what is kept in them by name, and what a call of one runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import Class, Data, External, Instance, Layer, Scope, Tensor, is_module, is_open

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


def container(vm: Machine, name: str, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """A library's container of modules."""
    form = dialects.container(name)
    cls = _container_class(vm, name)
    instance = Instance(cls, items={} if form == "mapping" else [])
    fill_container(vm, instance, args, kwargs)
    return instance


def bare(vm: Machine, name: str) -> Instance:
    """A library's module of which code makes an object that holds others: `down = nn.Module(); down.block = ...`."""
    return Instance(_container_class(vm, name))


def _container_class(vm: Machine, name: str) -> Class:
    """A class that stands for a library's container: one for each name."""
    found = vm.container_classes.get(name)
    if found is None:
        scope = Scope(vm.frame.file)
        found = vm.container_classes[name] = Class(name.rpartition(".")[2], (External(name),), scope, None)
    return found


def fill_container(vm: Machine, instance: Instance, args: list[Data], kwargs: dict[str, Data]) -> None:
    """Put what a container's constructor is given into it."""
    form = next((form for base in instance.cls.externals if (form := dialects.container(base))), None)
    given = args[0] if len(args) == 1 else None
    if isinstance(given, Instance) and given.items is not None and (form != "sequential" or not is_part(given)):
        given = given.items
    if isinstance(instance.items, dict):
        if isinstance(given, dict):
            instance.items.update(given)
        elif isinstance(given, (list, tuple)):
            instance.items.update(
                {pair[0]: pair[1] for pair in given if isinstance(pair, (list, tuple)) and len(pair) == 2}
            )
        elif is_open(given):
            vm.unknown(instance.cls.name, "what it holds is not known")
        instance.items.update(kwargs)
    elif form == "sequential":
        if isinstance(given, dict):
            for at, (key, value) in enumerate(given.items()):
                name = str(at if isinstance(key, Open) else key)
                instance.attributes[name] = value
                adopt(instance, name, value)
            instance.items.extend(given.values())
        elif isinstance(given, (list, tuple)):
            instance.items.extend(given)
        else:
            instance.items.extend(args or vm.iterate(kwargs.get("layers", ())))
    elif args:
        first = kwargs.get("modules", args[0])
        instance.items.extend(vm.iterate(first))
    elif "modules" in kwargs:
        instance.items.extend(vm.iterate(kwargs["modules"]))
    number_items(instance)


def number_items(instance: Instance) -> None:
    """Give each item of a container its place in the module tree."""
    pairs = instance.items.items() if isinstance(instance.items, dict) else enumerate(instance.items)
    for at, (key, value) in enumerate(pairs):
        adopt(instance, str(at if isinstance(key, Open) else key), value)


def keep(owner: Instance, name: str, value: Data, before: Data) -> None:
    """Where a framework's containers keep the modules that become attributes of them among their items, do so.

    Args:
        owner: a container.
        name: of the attribute.
        value: what it is now.
        before: what it was.
    """
    if not any(dialects.keeps_attributes(base) for base in owner.cls.externals):
        return
    if isinstance(owner.items, dict):
        if is_part(value):
            owner.items[name] = value
        else:
            owner.items.pop(name, None)
    elif isinstance(owner.items, list):
        at = next((at for at, item in enumerate(owner.items) if item is before), None)
        if at is None and name.isdecimal() and int(name) < len(owner.items):
            at = int(name)
        if at is None:
            owner.items += [value] if is_part(value) else []
        else:
            owner.items[at : at + 1] = [value] if is_part(value) else []


class Parts(dict[str, Data]):
    """`module._modules`: the modules that one holds, by name; what is put there is an attribute of it."""

    def __init__(self, of: Instance) -> None:
        super().__init__(named_parts(of))
        self.of = of


def named_parts(module: Instance) -> list[tuple[str, Data]]:
    """The modules that one holds, in the order in which it got them."""
    if module.items is None:
        return [(name, value) for name, value in module.attributes.items() if is_part(value)]
    if isinstance(module.items, dict):
        return [(str(name), value) for name, value in module.items.items() if value is not None]
    called = {id(value): name for name, value in module.attributes.items()}
    return [(called.get(id(value), str(at)), value) for at, value in enumerate(module.items) if value is not None]


def is_part(value: Data) -> bool:
    """Whether a module that holds `value` has it among its children: a configuration is none."""

    return isinstance(value, Layer) or (
        isinstance(value, Instance) and (is_module(value.cls) or value.items is not None)
    )


def adopt(owner: Instance, name: str, value: Data) -> None:
    """Note that `value` is first reached as `owner.name`; lists of modules give each its number."""
    if isinstance(value, (Instance, Layer)):
        lasting = isinstance(value, Instance) and value.lasting
        if value.owner is None and not lasting and value is not owner and not _above(owner, value):
            value.owner = (owner, name)
    elif isinstance(value, (list, tuple)):
        for number, part in enumerate(value):
            if isinstance(part, (Instance, Layer)) and part.owner is None and part is not owner:
                part.owner = (owner, f"{name}.{number}")


def _above(owner: Instance, value: Instance | Layer) -> bool:
    at: Instance | Layer = owner
    for _ in range(64):
        if at is value:
            return True
        if at.owner is None:
            return False
        at = at.owner[0]
    return True


def is_sequential(instance: Instance) -> bool:
    """Whether a call of a container runs its items one after the other."""
    if not isinstance(instance.items, (list, dict)):
        return False
    return any(dialects.container(base) == "sequential" for base in instance.cls.externals)


def in_turn(vm: Machine, instance: Instance, args: list[Data]) -> Data:
    """`Sequential`: each item is given what the one before returned."""
    value: Data = args[0] if args else vm.open("a Sequential is called without an argument")
    items = instance.items.values() if isinstance(instance.items, dict) else instance.items
    for item in items:
        if isinstance(item, Tensor):
            continue  # `keras.Input` stands first and tells the shape
        with vm.standing(item.span if isinstance(item, Layer) else None):
            value = vm.call(item, [value], {})
    return value
