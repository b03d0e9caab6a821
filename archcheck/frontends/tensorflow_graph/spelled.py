"""What several nodes have spelled (`patterns.py`), held against the sizes of what they are given."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archcheck.frontends.static.opens import Shape
from archcheck.frontends.static.values import Data, Tensor
from archcheck.frontends.tensorflow_graph import patterns
from archcheck.frontends.tensorflow_graph.layouts import is_axis, is_own, laid_out

if TYPE_CHECKING:
    from archcheck.frontends.tensorflow_graph.calls import Call


def dropout(call: Call) -> Data:
    """Dropout; where the random numbers are fewer than the entries, which axes share them."""
    call.builder.trains = True
    tensor, rate = call.tensor(0), call.attrs["rate"]
    shape, dims = call.number(1), call.dims()
    told: dict[str, Data] = {"p": rate}
    whole = isinstance(shape, Shape) and shape.of == tensor.value
    if isinstance(shape, list):
        shared = [
            at
            for at, size in enumerate(shape)
            if size == 1 and not (dims is not None and len(dims) == len(shape) and dims[at] == 1)
        ]
        if shared and shared == list(range(1, len(shape))):
            return call.vm.emit("stochastic_depth", (tensor,), told)
        same = dims if dims is not None and len(dims) == len(shape) else None
        if same is None or not all(at in shared or is_own(one, tensor, at, same) for at, one in enumerate(shape)):
            told["axes"] = call.vm.open("which entries are dropped together is not known", metadata=True)
        elif shared:
            told["axes"] = tuple(shared)
    elif not whole:
        told["axes"] = call.vm.open("which entries are dropped together is not known", metadata=True)
    return call.vm.emit("dropout", (tensor,), told)


def layer_norm(call: Call) -> Data:
    """Statistics of the last axes, as many as were laid out as features; laid out as before."""
    vm, tensor, dims = call.vm, call.tensor(0), call.dims()
    laid, back = call.number(1), call.number(2)
    as_before = isinstance(back, Shape) and back.of == tensor.value
    if isinstance(back, list) and dims is not None and len(back) == len(dims):
        as_before = all(is_own(one, tensor, at, dims) for at, one in enumerate(back))
    axis = None
    if isinstance(laid, list) and len(laid) == 4 and laid[0] == 1 and laid[3] == 1:
        features = laid[2]
        for count in range(1, len(dims or ()) + 1):
            sizes_of = (dims or ())[-count:]
            if isinstance(features, int) and None not in sizes_of and prod(one or 0 for one in sizes_of) == features:
                axis = -1 if count == 1 else tuple(range(-count, 0))
                break
        if dims is not None and is_axis(features, tensor, len(dims) - 1, len(dims)):
            axis = -1
    if axis is None or not as_before:
        return vm.opaque("tensorflow.raw_ops.FusedBatchNormV3", (tensor,), "what it normalises is not known")
    mean = call.does("tensorflow.reduce_mean", tensor, axis, keepdims=True)
    centred = call.does("tensorflow.subtract", tensor, mean)
    variance = call.does("tensorflow.reduce_mean", call.does("tensorflow.square", centred), axis, keepdims=True)
    inverse = call.does("tensorflow.rsqrt", call.does("tensorflow.add", variance, call.attrs["eps"]))
    return call.does("tensorflow.multiply", centred, inverse)  # as it is spelled elsewhere, with scale and shift behind


def flat_map(call: Call) -> Data:
    """A map of each token, where the tokens were laid out flat and come out as they were."""
    vm, dims, matrix = call.vm, call.dims(), call.dims(1)
    flat, back = call.number(2), call.number(3)
    tensor, weight = call.tensor(0), call.tensor(1)
    if dims is not None and matrix is not None and isinstance(flat, list) and isinstance(back, list) and len(flat) == 2:
        leads = len(back) == len(dims) and all(is_own(one, tensor, at, dims) for at, one in enumerate(back[:-1]))
        fits = dims[-1] is not None and flat[1] == dims[-1] == matrix[0] and back[-1:] in ([matrix[1]], [-1])
        if len(dims) > 1 and leads and fits:
            return call.does("tensorflow.matmul", tensor, weight)
    laid = laid_out(call, tensor, flat)
    product = call.does("tensorflow.matmul", laid, weight)
    assert isinstance(product, Tensor)
    return (
        laid_out(call, product, back)
        if isinstance(back, list)
        else vm.emit("reshape", (product,), {"shape": vm.open("its shape is computed from a tensor", metadata=True)})
    )


def factor(call: Call) -> Data:
    """A number of which it is not known whether it is there, or what it is."""
    why = "a factor may have gone into the weights of a map before it, as tools do that convert a graph"
    return call.vm.emit("scale", (call.tensor(0),), {"by": call.vm.open(why)})


def lost(call: Call) -> Data:
    """A scale or a shift of a norm of which it is not known whether it is there."""
    why = "it may have gone into the weights of the map behind it, as tools do that convert a graph"
    tensor, dims = call.tensor(0), call.dims()
    shape = {"shape": dims[-1:]} if dims and dims[-1] is not None else {}
    made = call.vm.emit("parameter", (), {"name": call.vm.open(why), **shape})
    made.learned = True
    return call.vm.emit("mul" if call.node.op == patterns.LOST_SCALE else "add", (tensor, made))
