"""Items: of instances through their class, of containers, tensors and plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static import sizes
from archcheck.frontends.static.attributes import bind_to
from archcheck.frontends.static.iteration import item_of
from archcheck.frontends.static.machine import Raised, flatten_tensors
from archcheck.frontends.static.opens import Open, Shape, Told
from archcheck.frontends.static.standard import Defaulting
from archcheck.frontends.static.values import (
    Class,
    Data,
    External,
    Instance,
    Layer,
    Native,
    Registry,
    Tensor,
    Tensors,
    holds_tensor,
    shown,
)

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


def item(vm: Machine, owner: Data, index: Data) -> Data:
    """`owner[index]`.

    Raises:
        Raised: KeyError or IndexError, where it is certain that there is no such item.
    """
    if isinstance(owner, Instance):
        found = owner.cls.lookup("__getitem__")
        if found is not None:
            return vm.call(bind_to(vm, found[1], owner), [index], {})
        if owner.items is not None:
            return _of_container(vm, owner, index)
        if owner.cls.fields and isinstance(index, int):
            values = [owner.attributes.get(field) for field in owner.cls.fields]
            given = [value for value in values if value is not None]
            if -len(given) <= index < len(given):
                return given[index]  # a dataclass that is also a tuple of what is not None (ModelOutput)
        if isinstance(index, str) and index in owner.attributes:
            return owner.attributes[index]
        return vm.open(f"{shown(owner)}[{shown(index)}]")
    if isinstance(owner, Tensor):
        known = owner.data if isinstance(owner.data, (list, tuple)) and not vm.invoked else None
        if known is not None and isinstance(index, int):
            return _plain(vm, known, index)
        if index is Ellipsis and vm.arrays:
            return owner  # all of it: `parameter[...]` of nnx
        chosen = list(flatten_tensors(index))
        result = vm.emit("select", (owner, *chosen), {"index": index})
        parts = index if isinstance(index, tuple) else (index,)
        copies = chosen or any(isinstance(part, list) for part in parts)  # indices that are tensors or lists copy
        result.base = owner if vm.inplace_sums and not copies else None
        if known is not None and isinstance(index, slice):
            part = _plain(vm, known, index)
            result.data = list(part) if isinstance(part, (list, tuple)) else None
        return result
    if isinstance(owner, Tensors):
        return _part(vm, owner, index)
    if isinstance(owner, Class) and owner.members:
        return _plain(vm, owner.members, index)
    if isinstance(owner, (Class, Native)):
        return owner  # Generic[...]
    if isinstance(owner, External):
        if owner.name == "sys.modules" and isinstance(index, str) and (module := vm.module(index)) is not None:
            return module
        if isinstance(index, str) and dialects.known(f"{owner.name}.{index}"):
            return External(f"{owner.name}.{index}")  # an entry of a library's table
        generic = owner.name.startswith(("typing.", "collections."))
        return owner if generic else vm.open(f"{owner.name}[{shown(index)}]", metadata=True)
    if isinstance(owner, Shape) and isinstance(index, int):
        return sizes.entry(vm, owner, (index,))
    if isinstance(owner, Told):
        return Told(f"{owner.why}[{shown(index)}]", vm.here(), owner.flag, owner.metadata)
    if isinstance(owner, Open):
        return owner.about(f"{owner.why}[{shown(index)}]", vm.here())
    if isinstance(owner, Layer):
        return vm.open(f"{owner.name}[{shown(index)}]")
    return _plain(vm, owner, index)


def _part(vm: Machine, owner: Tensors, index: Data) -> Data:
    """One or several of the tensors that an op gives; from the end only where it is known how many there are."""
    if isinstance(index, int) and index >= 0:
        return item_of(owner, index)
    if owner.count and isinstance(index, int) and index >= -owner.count:
        return item_of(owner, index + owner.count)
    if isinstance(index, slice) and owner.count:
        bounds = (index.start, index.stop, index.step)
        if all(bound is None or isinstance(bound, int) for bound in bounds) and index.step != 0:
            return [item_of(owner, at) for at in range(owner.count)[index]]
    return vm.open("a part of a tensor")


def _of_container(vm: Machine, owner: Instance, index: Data) -> Data:
    if isinstance(index, slice) and isinstance(owner.items, list):
        part = _plain(vm, owner.items, index)
        if not isinstance(part, list):
            return part
        return Instance(owner.cls, owner=owner.owner, items=part)
    return _plain(vm, owner.items, index)


def _plain(vm: Machine, owner: Data, index: Data) -> Data:
    if isinstance(index, Open):
        if isinstance(owner, (list, tuple)) and _are_one(owner):
            return owner[0]
        if isinstance(owner, (list, tuple)) and (chosen := _in_two_dimensions(owner)) is not None:
            vm.assume(
                f"{index.why}: of {', '.join(one.name.rpartition('.')[2] for one in owner)}, {chosen.name} is taken"
            )
            return chosen
        return index.about(f"an item at {index.why}", vm.here())
    if holds_tensor(index) or (
        isinstance(index, slice) and any(isinstance(part, Open) for part in (index.start, index.stop, index.step))
    ):
        if isinstance(index, slice) and isinstance(owner, (list, tuple)):
            if not owner:
                return owner
            return vm.open("a slice whose bounds are not known", metadata=True)
        return vm.open("an item at an index that a tensor decides", metadata=True)
    if owner is None or isinstance(owner, (bool, int, float)):
        raise Raised("TypeError", f"{shown(owner)} has no items", vm.here())
    try:
        if isinstance(owner, Defaulting) and owner.factory is not None and index not in owner:
            owner[index] = vm.call(owner.factory, [], {})
        if isinstance(owner, Registry) and index not in owner:
            vm.complete(owner, index)
        return owner[index]
    except (KeyError, IndexError) as error:
        raise Raised(type(error).__name__, str(error), vm.here()) from None
    except (TypeError, ValueError) as error:
        return vm.open(f"{shown(owner)}[{shown(index)}]: {error}")


def _in_two_dimensions(values: list[Data] | tuple[Data, ...]) -> External | None:
    """Of a library's layers in one, two and three dimensions, `(nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]`, that
    in two; None where they are anything else. They differ in nothing but the number of axes."""
    rows = [dialects.layer(value.name) if isinstance(value, External) else None for value in values]
    known = [row for row in rows if row is not None]
    if len(known) < len(rows) or len(rows) != 3 or any(isinstance(row.const.get("axes"), tuple) for row in known):
        return None
    first = known[0]
    same = all((row.kind, row.init, row.attrs) == (first.kind, first.init, first.attrs) for row in known)
    found: External = values[1]
    return found if same else None


def _are_one(values: list[Data] | tuple[Data, ...]) -> bool:
    """Whether it does not matter which of `values` is taken: there is one, or all are the same plain value."""
    first = values[0] if values else None
    plain = isinstance(first, (str, int, float, bool)) and all(
        type(one) is type(first) and one == first for one in values
    )
    return len(values) == 1 or plain
