"""What loops see and what assignments take apart, of values of which some are tensors and some are not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcheck.frontends.static import bounds, sizes
from archcheck.frontends.static.machine import OutOfFuel, Raised
from archcheck.frontends.static.opens import OpenRange, Several, Shape, Told
from archcheck.frontends.static.values import (
    Class,
    Data,
    Inert,
    Instance,
    Tensor,
    Tensors,
    is_metadata,
    is_open,
    reason,
    shown,
)
from archcheck.ir.graph import Value

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

MOST_ENTRIES = 16  # of a tensor, over which a loop is followed entry by entry


def iterate(vm: Machine, value: Data) -> list[Data]:
    """What a loop over `value` sees; over something unknown, one element that is unknown."""
    if isinstance(value, Instance):
        if value.cls.lookup("__iter__"):
            return vm.iterate(vm.call(vm.get(value, "__iter__"), [], {}))
        if value.items is not None:
            return list(value.items)
        if value.cls.lookup("__getitem__") and value.cls.lookup("__len__"):
            length = vm.call(vm.get(value, "__len__"), [], {})
            if isinstance(length, int):
                if length > vm.limits.iterations:
                    raise OutOfFuel(f"a loop over more than {vm.limits.iterations:,} items is not followed")
                return [vm.item(value, at) for at in range(length)]
    if isinstance(value, Inert):
        return []
    vm.complete(value)
    if isinstance(value, Class) and value.members:
        return list(dict.fromkeys(value.members.values()))  # a second name of a member is no other one
    if isinstance(value, range) and len(value[: bounds.LARGEST + 1]) <= bounds.LARGEST:
        return list(value)
    if isinstance(value, (list, tuple, dict, set, frozenset, str, bytes)) and len(value) <= bounds.LARGEST:
        return list(value)
    if isinstance(value, (list, tuple, dict, set, frozenset, str, range, bytes)):
        raise OutOfFuel(f"a loop over more than {bounds.LARGEST:,} items is not followed")
    if isinstance(value, Tensor):
        if isinstance(value.data, (list, tuple)):
            return list(value.data)
        if (numbers := counted(vm, value)) is not None:
            return list(numbers)
        size = sizes.along(vm, value, 0)
        if size is not None and 0 < size <= MOST_ENTRIES:
            return [vm.emit("select", (value,), {"index": at}) for at in range(size)]
        vm.assume("a loop over the entries of a tensor is read once")
        return [
            Tensor(vm.emit("select", (value,), {"index": vm.open("which entry the loop is at", metadata=True)}).value)
        ]
    if isinstance(value, Tensors):
        if value.count:
            return [item_of(value, at) for at in range(value.count)]
        vm.unknown("loop", "the loop is over parts of a tensor of which there may be any number; its body is read once")
        return [item_of(value, 0)]
    if isinstance(value, OpenRange):
        return _rounds(vm, value)
    why = reason(value)
    vm.unknown("loop", f"the loop is over {why}; its body is read once")
    return [vm.open(f"an element of {why}", metadata=is_metadata(value))]


def counted(vm: Machine, value: Data) -> range | None:
    """The numbers in a tensor that counts up, as `tf.range(6)` does, where they are known."""
    op = vm.recorder.by_path.get(value.value.op) if isinstance(value, Tensor) else None
    if op is None or op.kind.name != "constant" or op.attr("value") != "arange":
        return None
    start, end, step = op.attr("start", 0), op.attr("end"), op.attr("step", 1)
    if type(start) is not int or type(end) is not int or type(step) is not int or not step:
        return None
    found = range(start, end, step)
    return found if len(found[: bounds.LARGEST + 1]) <= bounds.LARGEST else None


def _rounds(vm: Machine, value: OpenRange) -> list[Data]:
    """Two rounds for a loop that may have any number, so that what repeats is seen to; one where loops are nested."""
    vm.unknown("loop", f"the loop is over {value.why}; two rounds of it are read, and their number is left open")
    number = vm.open(f"an element of {value.why}", flag=value.flag)
    return [number] if vm.open_rounds else [number, number]


def item_of(tensors: Tensors, index: int) -> Tensor:
    """Tensor number `index` of several that one op gives."""
    return Tensor(Value(tensors.op, index))


def _spread(parts: list[Data], count: int) -> list[Data]:
    """`b, n, _, h = *x.shape, heads`: what is laid out without being counted gives as many values as are missing."""
    lists = [at for at, part in enumerate(parts) if isinstance(part, Several)]
    if len(lists) != 1:
        return parts
    at = lists[0]
    missing = count - len(parts) + 1
    each = [parts[at].about(parts[at].within(f"part {number} of ")) for number in range(missing)]
    return [*parts[:at], *each, *parts[at + 1 :]]


def unpack(vm: Machine, value: Data, count: int, star: int | None) -> list[Data]:
    """`value` as the `count` parts that an assignment asks for.

    Raises:
        Raised: it has another number of parts.
    """
    if isinstance(value, Tensors):
        return [item_of(value, at) for at in range(count)]
    if isinstance(value, Tensor) and not isinstance(value.data, (list, tuple)):
        return [vm.emit("select", (value,), {"index": at}) for at in range(count)]
    if isinstance(value, Shape) and star is None:
        if value.of is not None:
            vm.recorder.ranks[value.of] = count
        return [sizes.entry(vm, value, (at, at - count)) for at in range(count)]
    if isinstance(value, Told):
        return [
            [] if at == star else Told(f"part {at} of {value.why}", vm.here(), metadata=True) for at in range(count)
        ]
    if is_open(value):
        return [
            [] if at == star else vm.open(f"part {at} of {reason(value)}", metadata=is_metadata(value))
            for at in range(count)
        ]
    if value is None or isinstance(value, (bool, int, float)):
        raise Raised("TypeError", f"{shown(value)} cannot be unpacked", vm.here())
    parts = vm.iterate(value)
    if len(parts) < (count if star is None else count - 1):
        parts = _spread(parts, count if star is None else count - 1)
    if star is None and len(parts) != count:
        raise Raised("ValueError", f"{len(parts)} values for {count} names", vm.here())
    if star is not None and len(parts) < count - 1:
        raise Raised("ValueError", f"{len(parts)} values for at least {count - 1} names", vm.here())
    return parts
