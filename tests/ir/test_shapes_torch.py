"""Shapes as torch gives them: each call runs on the meta device, and the rules must say the same, or less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

pytest.importorskip("torch")

import torch  # it may be missing
from torch_calls import Ran, call, ids, item, layer, meta, truths

from archcheck.frontends import dialects
from archcheck.ir.graph import Size, Unknown
from archcheck.ir.shapes import Dims, Shaped, shapes_of

X = meta(2, 3, 4)
ROWS = meta(5, 4)
IMAGE = meta(2, 6, 9, 11)
SOUND = meta(2, 6, 17)
VOLUME = meta(2, 6, 9, 11, 7)

POINTWISE = [
    call("relu", X),
    call("add", X, meta(4)),
    call("mul", meta(2, 1, 4), meta(3, 1)),
    call("sub", X, 2),
    call("pow", X, 2),
    call("pow", 2, X),
    call("pow", X, meta(3, 1)),
    call("maximum", X, meta(5, 1, 1, 4)),
    call("div", X, meta(1), rounding_mode="floor"),
    call("eq", X, meta(3, 1)),
    call("lt", X, 0),
    call("logical_and", truths(2, 3), truths(3)),
    call("logical_not", truths(2, 3)),
    call("atan2", X, meta(4)),
    call("log1p", X),
    call("nan_to_num", X),
    call("clamp", X, 0, 1),
    call("clamp", meta(3, 1), meta(2, 1, 1), meta(4)),
    call("lerp", X, meta(4), 0.5),
    call("lerp", X, meta(4), meta(5, 1, 1, 1)),
    call("where", truths(3, 1), X, meta(4)),
    call("where", truths(3, 1), X, 0.0),
    call("where", truths(3, 1), 1.0, 0.0),
    call("masked_fill", meta(3, 1), truths(2, 1, 4), 0.0),
    call("masked_fill", X, truths(4), meta()),
    call("isclose", X, meta(4)),
    call("tril", ROWS),
    call("cumsum", X, 1),
    call("softmax", X, -1),
    call("log_softmax", X, 1),
    call("complex", X, X),
    call("view_as_real", meta(2, 3, dtype=torch.complex64)),
    call("view_as_complex", meta(2, 3, 2)),
    call("polar", X, X),
    call("nn.functional.glu", X),
    call("nn.functional.glu", X, 2),
    call("nn.functional.prelu", IMAGE, meta(6)),
    call("nn.functional.normalize", X),
    call("nn.functional.gumbel_softmax", X),
    call("nn.functional.layer_norm", X, (4,), meta(4), meta(4)),
    call("native_layer_norm", X, (3, 4), meta(3, 4), meta(3, 4), 1e-5),
    call("nn.functional.group_norm", IMAGE, 2, meta(6), meta(6)),
    call("nn.functional.batch_norm", IMAGE, meta(6), meta(6)),
    call("nn.functional.rms_norm", X, (4,)),
    call("nn.functional.dropout", X, 0.1, True),
    call("lgamma", X),
    call("minimum", X, meta(4)),
    call("imag", meta(2, 3, dtype=torch.complex64)),
    call("cumprod", X, 1),
    call("nn.functional.instance_norm", IMAGE),
    call("nn.functional.local_response_norm", IMAGE, 3),
    call("roll", X, 1),
    call("flip", X, (0, 1)),
    call("nn.functional.channel_shuffle", IMAGE, 3),
    call(".clone", X),
    call(".copy_", meta(2, 3), meta(3)),
    call(".to", X, "meta"),
]
REDUCTIONS = [
    call("sum", X),
    call("sum", X, 1),
    call("sum", X, (0, -1), keepdim=True),
    call("mean", X, dim=-1, keepdim=True),
    call(".mean", X, (1, 2)),
    call("amax", X, 1),
    call("prod", X, 1),
    call("amin", X, (0, 2)),
    call("logsumexp", X, (0, 1)),
    call("all", truths(2, 3), 1),
    call("any", truths(2, 3)),
    call("argmax", X, -1),
    call("argmax", X),
    call("argmin", X, 0, keepdim=True),
    call("norm", X, dim=-1, keepdim=True),
    call("norm", X),
    call("linalg.vector_norm", X, 2, -1),
    call("linalg.norm", ROWS),
    call(".sum_to_size", X, 3, 1),
    call("nansum", X, 1),
    call("median", X, 1, keepdim=True),
    call("cummax", X, 1),
    call("topk", X, 2),
    call("topk", X, 2, 1),
    call("sort", X, 0),
    call("nn.functional.cross_entropy", meta(5, 7), ids(5)),
    call("nn.functional.mse_loss", X, X, reduction="sum"),
]
LAYOUT = [
    call(".view", X, 2, -1),
    call(".view", X, 6, 2, 2),
    call(".reshape", X, (4, 6)),
    call("reshape", X, (-1,)),
    call(".view_as", X, meta(6, 4)),
    call("flatten", X),
    call("flatten", X, 1),
    call("flatten", IMAGE, 1, 2),
    call("flatten", meta()),
    call("ravel", X),
    call("unflatten", X, 2, (2, -1)),
    call(".unflatten", X, -1, (2, 2)),
    call("squeeze", meta(1, 3, 1)),
    call("squeeze", meta(1, 3, 1), 0),
    call("squeeze", meta(1, 3, 1), 1),
    call("squeeze", meta(1, 3, 1), (0, 2)),
    call(".squeeze", meta(1, 3, 1)),
    call(".squeeze", meta(1, 3, 1), -1),
    call("unsqueeze", X, 0),
    call("unsqueeze", X, -1),
    call(".unsqueeze", X, -2),
    call("permute", X, (2, 0, 1)),
    call(".permute", X, 0, -1, 1),
    call("transpose", X, 0, -1),
    call(".t", ROWS),
    call(".t", meta(3)),
    call("swapaxes", X, 1, 2),
    call("movedim", X, 0, -1),
    call("movedim", X, (0, 1), (2, 0)),
    call("adjoint", X),
    call(".expand", meta(3, 1), 2, -1, 4),
    call(".expand_as", meta(3, 1), X),
    call("broadcast_to", meta(3, 1), (2, 3, 4)),
    call("broadcast_tensors", meta(3, 1), meta(2, 1, 4)),
    call(".repeat", X, 2, 1, 1, 3),
    call("tile", X, (2,)),
    call("tile", X, (2, 1, 1, 2)),
    call("repeat_interleave", X, 3),
    call("repeat_interleave", X, 3, dim=1),
    call("repeat_interleave", X, ids(3), dim=1, output_size=7),
    call("nn.functional.pixel_shuffle", meta(2, 8, 3, 5), 2),
    call("nn.functional.pixel_unshuffle", meta(2, 8, 4, 6), 2),
    call("nn.functional.pad", X, (1, 2)),
    call("nn.functional.pad", X, (1, 2, 0, -1)),
    call("nn.functional.pad", IMAGE, (1, 2, 3, 4), mode="reflect"),
    call("nn.functional.pad", X, (0, 0, 1, 0), value=0),
    call("meshgrid", meta(3), meta(4), indexing="ij"),
    call("meshgrid", meta(3), meta(4), meta(5), indexing="xy"),
    call("meshgrid", [meta(3), meta()], indexing="ij"),
    call("cat", [X, X], 1),
    call("cat", [X, meta(2, 1, 4), meta(2, 5, 4)], dim=-2),
    call("cat", [meta(3), meta(4)]),
    call("cat", [meta(0), X], 1),
    call("stack", [X, X]),
    call("concatenate", [X, X], axis=2),
    call("split", X, 3, -1),
    call("split", X, (1, 2), dim=1),
    call(".split", X, 2),
    call("chunk", X, 2, -1),
    call("chunk", meta(5, 3), 4),
    call("chunk", meta(5, 3), 3),
    call("tensor_split", meta(8, 3), 3),
    call("tensor_split", meta(8, 3), (2, 5)),
    call("tensor_split", meta(8, 3), (2, 6)),
    call("unbind", X, 1),
]
PARTS = [
    call("select", X, 1, 2),
    call("narrow", X, 1, 1, 2),
    call("diagonal", ROWS),
    call("diagonal", ROWS, 2),
    call("diagonal", ROWS, -2),
    call("diagonal", X, 1, 2, 0),
    call("linalg.diagonal", X),
    call("gather", X, 1, ids(2, 5, 4)),
    call("gather", X, 1, ids(1, 5, 2)),
    call("take_along_dim", X, ids(1, 5, 1), 1),
    call("take_along_dim", X, ids(3, 5)),
    call("index_select", X, 1, ids(7)),
    call("index_select", X, 1, ids()),
    call("scatter", X, 1, ids(2, 5, 4), 1.0),
    call("scatter_add", X, 1, ids(2, 3, 4), X),
    call("index_add", X, 1, ids(2), meta(2, 2, 4)),
    call(".index_fill", X, 1, ids(2), 0.0),
    call("masked_scatter", X, truths(2, 3, 4), meta(24)),
    call("select_scatter", X, meta(2, 4), 1, 0),
    call(".index_put", X, (ids(2),), meta()),
    call("nn.functional.one_hot", ids(2, 7), 10),
    call("take", X, ids(3, 2)),
    item(X, 0),
    item(X, -1),
    item(X, (0, slice(None))),
    item(X, (slice(None), 1)),
    item(X, (slice(1, None), slice(None, -1), slice(None, None, 2))),
    item(X, (Ellipsis, 0)),
    item(X, (Ellipsis, slice(0, 2))),
    item(X, (slice(None), None, Ellipsis, None)),
    item(X, None),
    item(X, Ellipsis),
    item(X, ids(7)),
    item(X, ids(5, 7)),
    item(X, (slice(None), ids(7))),
    item(X, (slice(None), slice(None), ids(5, 1))),
    item(X, (ids(5, 1), ids(7))),
    item(X, (ids(7), slice(None), ids(7))),
    item(X, (0, slice(None), ids(7))),
    item(X, (slice(None), ids(7), None, ids(7))),
    item(X, (ids(7), None, 0)),
    item(X, (slice(None), [0, 2])),
    item(torch.zeros(2, 3, 4), (slice(None), [True, False, True])),
    item(X, (slice(None), [[0, 1], [2, 1]])),
    item(X, (Ellipsis, [0, 1, 3], None)),
    item(meta(5, 6, 7), (slice(None, 9), slice(-3, None), slice(5, 2))),
]
PRODUCTS = [
    call("matmul", X, meta(4, 5)),
    call("matmul", X, meta(4)),
    call("matmul", meta(3), X),
    call("matmul", meta(2, 1, 3, 4), meta(5, 4, 6)),
    call("bmm", X, meta(2, 4, 5)),
    call("dot", meta(3), meta(3)),
    call("mv", ROWS, meta(4)),
    call("inner", X, ROWS),
    call("inner", X, meta(4)),
    call("outer", meta(3), meta(4)),
    call("addmm", meta(6), ROWS, meta(4, 6)),
    call("baddbmm", meta(1), X, meta(2, 4, 5)),
    call("addmv", meta(5), ROWS, meta(4)),
    call("einsum", "bij,bkj->bik", X, meta(2, 5, 4)),
    call("einsum", "b i j, b k j -> b i k", X, meta(2, 5, 4)),
    call("einsum", "...j,kj", X, ROWS),
    call("einsum", "bii->bi", meta(2, 3, 3)),
    call("einsum", "bij->", X),
    call("einsum", "bij,j->bi", X, meta(1)),
    call("tensordot", X, meta(4, 5), dims=1),
    call("tensordot", X, meta(4, 3, 5), dims=([1, 2], [1, 0])),
    call("kron", ROWS, meta(3)),
    call("linalg.cross", meta(2, 3), meta(2, 3)),
    call("linalg.det", meta(2, 3, 3)),
    call("nn.functional.linear", X, ROWS, meta(5)),
    call("nn.functional.linear", X, meta(4)),
    call("nn.functional.bilinear", X, meta(2, 3, 6), meta(5, 4, 6)),
    call("nn.functional.embedding", ids(2, 7), ROWS),
    call("embedding", ROWS, ids(2, 7)),
    call("nn.functional.embedding", ids(7), ROWS),
    call("fft.fft", X),
    call("fft.fft", X, n=9, dim=1),
    call("fft.rfft", X),
    call("fft.rfft", X, n=9),
    call("fft.irfft", X),
    call("fft.irfft", X, n=9),
    call("fft.fft2", X),
    call("fft.rfft2", X),
    call("fft.rfft2", X, s=(5, 9)),
    call("fft.irfft2", X),
    call("fft.fftn", X),
    call("fft.rfftn", X, dim=(0, 1)),
    call("fft.irfftn", X, s=(5, 9), dim=(1, 2)),
    call("nn.functional.scaled_dot_product_attention", meta(2, 4, 7, 8), meta(2, 4, 9, 8), meta(2, 4, 9, 16)),
    call(
        "nn.functional.scaled_dot_product_attention",
        meta(2, 4, 7, 8),
        meta(2, 2, 9, 8),
        meta(2, 2, 9, 8),
        enable_gqa=True,
    ),
    call("nn.functional.scaled_dot_product_attention", meta(2, 7, 8), meta(2, 9, 8), meta(2, 9, 8), truths(7, 9)),
]
WINDOWS_AND_LAYERS = [
    call("nn.functional.conv1d", SOUND, meta(8, 6, 3)),
    call("nn.functional.conv1d", SOUND, meta(8, 2, 3), meta(8), 2, 1, 2, 3),
    call("nn.functional.conv1d", meta(6, 17), meta(8, 6, 3), padding="same"),
    call("nn.functional.conv2d", IMAGE, meta(8, 6, 3, 5), stride=(2, 1), padding=(1, 2)),
    call("nn.functional.conv2d", IMAGE, meta(8, 6, 3, 5), padding="valid"),
    call("nn.functional.conv3d", VOLUME, meta(8, 6, 3, 5, 1)),
    call("conv_tbc", meta(17, 2, 6), meta(3, 6, 8), meta(8), 1),
    call("nn.functional.conv_transpose1d", SOUND, meta(6, 4, 3), None, 2, 1, 1, 2),
    call("nn.functional.conv_transpose2d", IMAGE, meta(6, 8, 3, 5), stride=2, dilation=2),
    call("nn.functional.max_pool1d", SOUND, 2),
    call("nn.functional.max_pool2d", IMAGE, 3, 2, 1),
    call("nn.functional.max_pool2d", IMAGE, 2, ceil_mode=True),
    call("nn.functional.max_pool2d", IMAGE, (2, 3), (2, 3), (1, 0), ceil_mode=True),
    call("nn.functional.max_pool2d_with_indices", IMAGE, 2, dilation=2),
    call("nn.functional.avg_pool2d", IMAGE, 2, 3, 1),
    call("nn.functional.avg_pool3d", VOLUME, (2, 3, 1)),
    call("nn.functional.lp_pool1d", SOUND, 2, 3),
    call("nn.functional.adaptive_avg_pool2d", IMAGE, 5),
    call("nn.functional.adaptive_max_pool2d_with_indices", IMAGE, (5, 3)),
    call("nn.functional.unfold", IMAGE, 3, 1, 1, 2),
    call("nn.functional.unfold", meta(6, 9, 11), (3, 2)),
    call("nn.functional.fold", meta(2, 54, 63), (9, 11), 3),
    call(".unfold", SOUND, 2, 5, 3),
    call("nn.functional.interpolate", IMAGE, scale_factor=2),
    call("nn.functional.interpolate", IMAGE, scale_factor=(0.5, 1.7), mode="bilinear"),
    call("nn.functional.interpolate", IMAGE, size=(5, 6)),
    call("nn.functional.interpolate", SOUND, size=5),
    call("nn.functional.grid_sample", IMAGE, meta(2, 5, 7, 2), align_corners=False),
    layer("Linear", 4, 7)(X),
    layer("Bilinear", 4, 6, 7)(X, meta(2, 3, 6)),
    layer("Embedding", 10, 7)(ids(2, 3)),
    layer("EmbeddingBag", 10, 7)(ids(2, 3)),
    layer("EmbeddingBag", 10, 7)(ids(9), ids(4)),
    layer("Conv1d", 6, 8, 3, padding="same")(SOUND),
    layer("Conv2d", 6, 8, 3, stride=2, padding=1, padding_mode="reflect")(IMAGE),
    layer("Conv3d", 6, 8, (3, 1, 2), dilation=(2, 1, 1), groups=2)(VOLUME),
    layer("ConvTranspose2d", 6, 8, 3, stride=2, output_padding=1)(IMAGE),
    layer("ConvTranspose1d", 6, 8, 3, stride=2, padding=1)(meta(6, 17)),
    layer("MaxPool2d", 2)(IMAGE),
    layer("AvgPool1d", 3, 2, 1, ceil_mode=True)(SOUND),
    layer("AdaptiveAvgPool2d", 1)(IMAGE),
    layer("AdaptiveAvgPool1d", 1)(meta(6, 17)),
    layer("MaxUnpool2d", 2)(torch.zeros(2, 6, 3, 4), torch.zeros(2, 6, 3, 4, dtype=torch.long)),
    call("nn.functional.max_unpool1d", torch.zeros(6, 3), torch.zeros(6, 3, dtype=torch.long), 3, 2),
    layer("Flatten")(X),
    layer("Unflatten", 2, (2, 2))(X),
    layer("Unfold", 3)(IMAGE),
    layer("PixelShuffle", 2)(meta(2, 8, 3, 5)),
    layer("Upsample", scale_factor=2.0)(IMAGE),
    layer("ZeroPad2d", (1, 2, 3, 4))(IMAGE),
    layer("GLU")(X),
    layer("LayerNorm", 4)(X),
    layer("GroupNorm", 2, 6)(IMAGE),
    layer("BatchNorm2d", 6)(IMAGE),
    layer("MultiheadAttention", 8, 2)(meta(7, 2, 8), meta(9, 2, 8), meta(9, 2, 8)),
    layer("MultiheadAttention", 8, 2, batch_first=True)(
        meta(2, 7, 8), meta(2, 9, 8), meta(2, 9, 8), average_attn_weights=False
    ),
    layer("MultiheadAttention", 8, 2)(meta(7, 8), meta(9, 8), meta(9, 8)),
    layer("LSTM", 4, 6)(meta(5, 3, 4)),
    layer("LSTM", 4, 6, 2, batch_first=True, bidirectional=True)(meta(5, 3, 4)),
    layer("LSTM", 4, 6)(meta(5, 4)),
    layer("GRU", 4, 6, 2)(meta(5, 3, 4), meta(2, 3, 6)),
    layer("GRU", 4, 6, 2, batch_first=True)(meta(5, 3, 4)),
    layer("RNN", 4, 6)(meta(5, 3, 4)),
    layer("LSTMCell", 4, 6)(meta(3, 4)),
    layer("GRUCell", 4, 6)(meta(3, 4), meta(3, 6)),
    call("gru_cell", meta(3, 4), meta(3, 6), meta(18, 4), meta(18, 6)),
    call("lstm_cell", meta(3, 4), (meta(3, 6), meta(3, 6)), meta(24, 4), meta(24, 6)),
]
SOURCES = [
    call("zeros", 2, 3),
    call("zeros", (2, 3)),
    call("ones", ()),
    call("full", (2, 3), 1.0),
    call("zeros_like", X),
    call("full_like", X, 2.0),
    call(".new_zeros", X, 5, 6),
    call(".new_full", X, (5, 6), 1),
    call(".new_tensor", meta(3), [1, 2]),
    call(".fill_", meta(2, 3), 0),
    call(".zero_", meta(2, 3)),
    call("tensor", [[1, 2, 3], [4, 5, 6]]),
    call("tensor", 3),
    call("eye", 3),
    call("eye", 3, 5),
    call("linspace", 0, 1, 5),
    call("logspace", 0, 1, 5),
    call("hann_window", 7),
    call("triu_indices", 4, 6),
    call("triu_indices", 4, 6, 2),
    call("tril_indices", 6, 4, -1),
    call("rand", 2, 3),
    call("randn", (2, 3)),
    call("rand_like", X),
    call("randint", 5, (2, 3)),
    call("randint", 1, 5, (2, 3)),
    call("randperm", 7),
    call("multinomial", ROWS, 2),
    call("bernoulli", X),
    call(".normal_", meta(2, 3)),
    call(".bernoulli_", meta(2, 3), 0.5),
    call("normal", 0.0, 1.0, (2, 3)),
    call("normal", X, X),
    call("bucketize", X, meta(5)),
    call("searchsorted", meta(5), X),
    call("as_strided", X, (2, 2), (1, 2)),
]
_ALIKE = "sin cos exp log sqrt rsqrt neg abs sign erf round real sigmoid tanh"
_ACTIVATIONS = "relu6 elu celu selu gelu silu mish softplus softsign logsigmoid hardsigmoid hardswish leaky_relu rrelu"
POINTWISE += [call(name, X) for name in _ALIKE.split()]
POINTWISE += [call(f"nn.functional.{name}", X) for name in _ACTIVATIONS.split()]
KNOWN = {str(one): one for one in (*POINTWISE, *REDUCTIONS, *LAYOUT, *PARTS, *PRODUCTS, *WINDOWS_AND_LAYERS, *SOURCES)}

# what torch must look at a tensor's content for, or attributes cannot tell: the number of axes is known all the same
_PARTLY = [
    call("cat", [X]),  # an operand alone may be a list that stands as one value
    call("stack", [X], -1),
    item(X, ids(2)),
    item(X, (0, ids(3))),
    call("nonzero", torch.ones(2, 3)),
    call("argwhere", torch.ones(2, 3)),
    layer("ReflectionPad2d", 1)(IMAGE),
    layer("AdaptiveAvgPool2d", (None, 1))(IMAGE),
]
PARTLY = {str(one): one for one in _PARTLY}
EITHER = {**KNOWN, **PARTLY}
NEED_ARGUMENTS = (".copy_",)  # without them it is a cast like any other


def _contradicts(found: Dims | None, true: tuple[int, ...]) -> bool:
    return found is not None and (
        len(found) != len(true) or any(one not in (None, size) for one, size in zip(found, true, strict=True))
    )


def _told(ran: Ran) -> tuple[Dims | None, ...]:
    return shapes_of(ran.kind, ran.attrs, ran.operands, len(ran.true), arguments=ran.arguments)


@pytest.mark.parametrize("name", KNOWN)
def test_a_call_gives_what_torch_gives(name: str) -> None:
    ran = KNOWN[name].run()
    assert _told(ran) == ran.true


@pytest.mark.parametrize("name", PARTLY)
def test_of_some_calls_only_the_number_of_axes_is_known(name: str) -> None:
    ran = PARTLY[name].run()
    (found,) = _told(ran)
    assert found is not None
    assert None in found
    assert not _contradicts(found, ran.true[0])


@pytest.mark.parametrize("name", EITHER)
def test_what_is_hidden_leads_to_nothing_wrong(name: str) -> None:
    ran = EITHER[name].run()
    for what, hidden in _hidden(ran, bare=EITHER[name].name not in NEED_ARGUMENTS):
        for found, true in zip(_told(hidden), ran.true, strict=True):
            assert not _contradicts(found, true), what


_OPEN, _SIZE = Unknown("hidden"), Size("hidden")


def _hidden(ran: Ran, *, bare: bool) -> Iterator[tuple[str, Ran]]:
    """The same op with something less that is known of it; `bare`: the arguments of the call may be hidden."""
    for base in (ran, replace(ran, arguments=None)) if bare else (ran,):
        yield "nothing or the arguments", base
        yield "all sizes", replace(base, operands=tuple((None,) * len(one or ()) for one in base.operands))
        for at, dims in enumerate(base.operands):
            for shape in (None, *_with_one_open(dims or ())):
                hidden = (*base.operands[:at], shape, *base.operands[at + 1 :])
                yield f"operand {at}: {shape}", replace(base, operands=hidden)
        for name, value in base.attrs.items():
            for less in _less(value) if name not in _CONSTANT else ():
                if name == "index" and less is _OPEN and len(base.operands) > 1:
                    continue  # that is how an index tensor is stated
                yield f"{name}={less}", replace(base, attrs={**base.attrs, name: less})
    for name, value in (ran.arguments or {}).items():
        told = {**(ran.arguments or {}), name: Shaped(None) if isinstance(value, Shaped) else _OPEN}
        yield f"argument {name}", replace(ran, arguments=told)


_CONSTANT = (
    "form",
    "layout",
    "distribution",
    "function",
    "interleaved",
    "whole",
    "unbind",
    "cell",
    "projected",
    "upper",
)


def _with_one_open(dims: Dims) -> Iterator[Dims]:
    for at in range(len(dims)):
        yield (*dims[:at], None, *dims[at + 1 :])


def _less(value: object) -> Iterator[object]:
    """An attribute of which one number is hidden, or all."""
    if isinstance(value, tuple):
        for at, part in enumerate(value):
            for less in _less(part) if not isinstance(part, Unknown) else ():
                if less is not _OPEN:
                    yield (*value[:at], less, *value[at + 1 :])
    elif isinstance(value, int) and not isinstance(value, bool):
        yield _SIZE
    if not isinstance(value, (Unknown, str)) and value is not None:
        yield _OPEN


def test_every_kind_that_torch_has_is_called() -> None:
    dialect = next(one for one in dialects.DIALECTS if one.name == "torch")
    tables = (dialect.functions, dialect.methods, dialect.layers)
    kinds = {row.kind for table in tables for row in table.values()}
    assert kinds == {one.run().kind for one in EITHER.values()}
