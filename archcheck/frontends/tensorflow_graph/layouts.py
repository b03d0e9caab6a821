"""Ops that take parts of tensors, put tensors together, or lay them out under other axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcheck.frontends.static import rows, sizes
from archcheck.frontends.static.opens import Shape, SizeOf
from archcheck.frontends.static.values import Data, Tensor
from archcheck.frontends.tensorflow_graph import patterns
from archcheck.frontends.tensorflow_graph.nodes import Held
from archcheck.ir.graph import Value
from archcheck.ir.shapes import Dims

if TYPE_CHECKING:
    from archcheck.frontends.tensorflow_graph.calls import Call


MOST_PARTS = 4_096  # into which a tensor is cut


def _few(count: object) -> int:
    """A count of parts.

    Raises:
        ValueError: nobody cuts a tensor into so many.
    """
    if not isinstance(count, int) or not 0 < count <= MOST_PARTS:
        raise ValueError("a count of parts that no tensor is cut into")
    return count


def stack(call: Call) -> Data:
    tensors = [call.tensor(at) for at in range(len(call.given))]
    axis = int(call.attrs.get("axis", 0))
    found = call.does("tensorflow.stack", tensors, axis)
    sizes.within(call.vm, found, tensors[0], axis, len(tensors))
    return found


def concat(call: Call) -> Data:
    return call.does(
        "tensorflow.concat", [call.tensor(at) for at in range(len(call.given) - 1)], call.scalar(len(call.given) - 1)
    )


def unstack(call: Call) -> Data:
    axis, count = int(call.attrs.get("axis", 0)), _few(call.attrs.get("num"))
    index = (*[slice(None)] * axis,) if axis >= 0 else (...,)
    after = (*[slice(None)] * (-axis - 1),) if axis < 0 else ()
    return [call.vm.item(call.tensor(0), _alone((*index, at, *after))) for at in range(count)]


def split(call: Call) -> Data:
    if call.node.op == "Split":
        axis, tensor, parts = call.scalar(0), call.tensor(1), call.attrs.get("num_split")
        count = _few(parts)
    else:
        tensor, parts, axis = call.tensor(0), call.number(1), call.scalar(2)
        count = len(parts) if isinstance(parts, list) else _few(call.attrs.get("num_split"))
    if not isinstance(axis, int):
        return rows.UNLISTED
    path = call.vm.emit_path(
        "split", (tensor,), {"sections": tuple(parts) if isinstance(parts, list) else parts, "axis": axis}
    )
    return [Tensor(Value(path, at)) for at in range(count)]


# ---- parts and layouts


def _alone(index: tuple[Data, ...]) -> Data:
    return index[0] if len(index) == 1 else index


def strided(call: Call) -> Data:
    """`x[...]`, whose bits say what was written."""
    parts = [call.number(at) for at in (1, 2, 3)]
    if not all(isinstance(one, list) for one in parts):
        index = call.vm.open("where it starts and ends is computed", metadata=True)
        return call.vm.emit("select", (call.tensor(0),), {"index": index})
    masks = {
        name: int(call.attrs.get(name + "_mask", 0)) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    found: list[Data] = []
    for at, (first, last, step) in enumerate(zip(*parts, strict=True)):
        bit = 1 << at
        if masks["ellipsis"] & bit:
            found.append(...)
        elif masks["new_axis"] & bit:
            found.append(None)
        elif masks["shrink_axis"] & bit:
            found.append(first)
        else:
            start = None if masks["begin"] & bit or (first == 0 and step == 1) else first
            found.append(slice(start, None if masks["end"] & bit else last, None if step == 1 else step))
    while len(found) > 1 and found[-1] == slice(None) and ... not in found:
        found.pop()
    if found == [slice(None)] or found == [...]:
        return call.does("tensorflow.identity", call.tensor(0))
    return call.vm.item(call.tensor(0), _alone(tuple(found)))


def part(call: Call) -> Data:
    starts, counts, dims = call.number(1), call.number(2), call.dims()
    if not isinstance(starts, list) or not isinstance(counts, list):
        index = call.vm.open("where it starts and ends is computed", metadata=True)
        return call.vm.emit("select", (call.tensor(0),), {"index": index})
    found: list[Data] = []
    for at, (start, count) in enumerate(zip(starts, counts, strict=True)):
        whole = start == 0 and (count == -1 or (dims is not None and at < len(dims) and count == dims[at]))
        if whole:
            found.append(slice(None))
        elif isinstance(start, int) and isinstance(count, int):
            found.append(slice(start or None, None if count == -1 else start + count))
        elif start == 0:
            found.append(slice(None, count))
        else:
            found.append(call.vm.open("which part it is is computed", metadata=True))
    while len(found) > 1 and found[-1] == slice(None):
        found.pop()
    if found == [slice(None)]:
        return call.does("tensorflow.identity", call.tensor(0))
    return call.vm.item(call.tensor(0), _alone(tuple(found)))


def gather(call: Call) -> Data:
    table, index = call.given[0], call.given[1]
    axis = call.scalar(2) if call.node.op == "GatherV2" else 0
    batch = int(call.attrs.get("batch_dims", 0))
    if isinstance(table, Shape):
        return call.vm.open("a part of a shape", metadata=True)
    _check_rows(call, axis)
    if (
        isinstance(index, Held)
        and not index.shape
        and isinstance(index.only(), int)
        and type(axis) is int
        and not batch
    ):
        before: tuple[Data, ...] = (slice(None),) * axis if axis >= 0 else (...,)
        return call.vm.item(
            call.tensor(0), _alone((*before, index.only(), *((slice(None),) * (-axis - 1) if axis < 0 else ())))
        )
    if axis == 0 and not batch and call.builder.is_table(table):
        return call.does("tensorflow.nn.embedding_lookup", call.tensor(0), call.tensor(1))
    return call.does("tensorflow.gather", call.tensor(0), call.tensor(1), axis=axis, batch_dims=batch)


def _check_rows(call: Call, axis: Data) -> None:
    """Make sure that an index counts from the end of its own table.

    Raises:
        ValueError: it does not.
    """
    if patterns.WRAPPED not in call.attrs:
        return
    rows_of, dims = call.scalar(len(call.given) - 1), call.dims()
    if dims is None or not isinstance(axis, int) or dims[axis] is None or dims[axis] != rows_of:
        raise ValueError("an index that counts from elsewhere than the end of its table")


def looked_up(call: Call) -> Data:
    _check_rows(call, 0)
    return call.does("tensorflow.nn.embedding_lookup", call.tensor(0), call.tensor(1))


def reshape(call: Call) -> Data:
    tensor = call.tensor(0)
    return laid_out(call, tensor, call.number(1))


def laid_out(call: Call, tensor: Tensor, shape: Data) -> Data:
    vm, dims = call.vm, sizes.known(call.vm, tensor)
    if not isinstance(shape, list):
        return vm.emit("reshape", (tensor,), {"shape": vm.open("its shape is computed from a tensor", metadata=True)})
    if (
        dims is not None
        and len(shape) == len(dims)
        and all(is_own(one, tensor, at, dims) for at, one in enumerate(shape))
    ):
        return call.does("tensorflow.identity", tensor)  # as it was
    if (
        dims is not None
        and len(dims) > len(shape) > 1
        and shape[1:] == list(dims[1 - len(shape) :])
        and not isinstance(shape[0], int)
    ):
        # all that comes before the last axes is one axis, whatever its sizes
        return call.does("torch.flatten", tensor, 0, len(dims) - len(shape))
    return call.does("tensorflow.reshape", tensor, tuple(shape))


def is_own(size: Data, tensor: Tensor, at: int, dims: Dims) -> bool:
    """Whether a size is that of this axis of the tensor: by its number, or as many entries."""
    return is_axis(size, tensor, at, len(dims)) or (size is not None and size == dims[at])


def is_axis(size: Data, tensor: Tensor, at: int, rank: int) -> bool:
    """Whether a size is that of an axis of this very tensor, by its number."""
    return (
        isinstance(size, SizeOf)
        and size.power == 1
        and size.of in (None, tensor.value)
        and (at in size.axes or at - rank in size.axes)
    )


def transpose(call: Call) -> Data:
    axes = call.number(1)
    if not isinstance(axes, list) or any(type(one) is not int for one in axes):
        return call.vm.emit(
            "permute", (call.tensor(0),), {"axes": call.vm.open("the order of its axes", metadata=True)}
        )
    moved = [at for at, axis in enumerate(axes) if at != axis]
    if not moved:
        return call.does("tensorflow.identity", call.tensor(0))
    if len(moved) == 2:
        return call.does("torch.transpose", call.tensor(0), *moved)
    return call.does("torch.permute", call.tensor(0), tuple(axes))


def squeeze(call: Call) -> Data:
    axes = list(call.attrs.get("squeeze_dims") or call.attrs.get("axis") or [])
    if not axes:
        dims = call.dims()
        if dims is None or None in dims:
            return call.vm.emit("reshape", (call.tensor(0),), {"form": "squeeze"})
        axes = [at for at, size in enumerate(dims) if size == 1]
        if not axes:
            return call.does("tensorflow.identity", call.tensor(0))
    return call.does("torch.squeeze", call.tensor(0), axes[0] if len(axes) == 1 else tuple(axes))
