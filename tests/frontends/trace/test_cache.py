"""What is kept of calls changes nothing that is recorded: with it and without, the calls are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402  # torch may be missing
from torch import Tensor, nn  # noqa: E402

from archcheck.frontends.trace.child.leaves import Leaves  # noqa: E402
from archcheck.frontends.trace.child.recorder import Recorder  # noqa: E402

_LAYERS: dict[str, Any] = {
    "torch.nn.Linear": (["in_features", "out_features", "bias"], {}),
    "torch.nn.LayerNorm": (["normalized_shape", "eps"], {}),
    "torch.nn.Dropout": (["p", "inplace"], {}),
    "torch.nn.Identity": ([], {}),
    "torch.nn.BatchNorm1d": (["num_features", "eps", "momentum"], {}),
    "torch.nn.ReLU": (["inplace"], {}),
}
_ROUNDS = 3  # the first is always made


def recorded(model: nn.Module, args: tuple[Any, ...], *, cache: bool, layers: bool = True) -> tuple[Any, Recorder]:
    """What a call recorded, as plain data."""
    torch.manual_seed(0)
    recorder = Recorder(Leaves(_LAYERS if layers else {}, []), cache=cache)
    recorder.settle(model)
    with torch.no_grad(), recorder.watching(), recorder:
        model(*args)
    shapes = [(tuple(one.shape), one.stride(), one.dtype, one.is_meta) for one in recorder.values.kept]
    guessed = list(recorder.concrete.guessed)
    return (
        recorder.calls,
        list(recorder.names),
        recorder.sites_told(),
        recorder.values.found,
        shapes,
        guessed,
    ), recorder


class _Repeated(nn.Module):
    """A body that is run several times, on its own output where that has its input's shape."""

    def __init__(self, body: Callable[..., Any], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.body = body

    def forward(self, x: Tensor, *more: Any) -> Tensor:
        for _ in range(_ROUNDS):
            found = self.body(x, *self.layers, *more)
            x = found if isinstance(found, Tensor) and found.shape == x.shape else x
        return x


def _meta(*shape: int, dtype: Any = None) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def _loop(x: Tensor) -> Tensor:
    return torch.stack([row * 2 for row in x])


def _write_into_view(x: Tensor) -> Tensor:
    x = x + 1
    x[:, :2].add_(1)
    x.transpose(0, 1).mul_(2)
    return x


def _change_shape_in_place(x: Tensor) -> Tensor:
    y = x * 2
    y.unsqueeze_(0)
    return y.sum(0)


def _same_twice(x: Tensor) -> Tensor:
    y = x.float()  # gives x itself, as a value of its own
    y.add_(1)
    return x.contiguous() + y


def _asked(x: Tensor) -> Tensor:
    if (x > 0).any():
        x = x - 1
    return x if (x > 0).any() else x + 1


def _mask(x: Tensor) -> Tensor:
    return x[x > 0].sum() + x


def _many(x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=-1)
    values, places = x.topk(2, dim=-1)
    found, where = x.max(dim=-1)
    return torch.cat([a, b], dim=-1) + values.sum() + places.sum() + found.sum() + where.sum()


def _sizes(x: Tensor) -> Tensor:
    rows = torch.tensor(x.shape[0])
    return x.reshape(rows, -1).view(x.shape).expand(3, *x.shape)[1]


def _mixed(x: Tensor) -> Tensor:
    places = torch.arange(x.shape[-1])
    keep = places % 2 == 0
    return x.masked_fill(~keep, 0.0) + x[:, keep].sum() + x[:, places] * torch.tensor(2.0)


def _data(x: Tensor) -> Tensor:
    y = x * 2
    y.data = y.reshape(2, -1)
    return (y * 2).view(x.shape)


def _one_entry(x: Tensor) -> Tensor:
    return x + x[x[:, 0].argmax()] + x[:, x[0].argmax()].sum()


def _vmapped(x: Tensor) -> Tensor:
    return torch.vmap(lambda row: row.view(2, -1).flatten() * 2)(x)


BODIES: dict[str, Callable[..., Any]] = {
    "views": lambda x: x.view(2, 2, -1).transpose(0, 1)[..., :4].permute(1, 0, 2).flatten(1).repeat(1, 2),
    "a function and one alike but for a type": lambda x: torch.clamp(torch.clamp(x, 1), 1.0) + x.sum(1, True) * 1,
    "a number and one that is equal": lambda x: x.long() * 1 + x.long() * 1.0 + x.long() * True,
    "data that is set": _data,
    "an entry that is not known": _one_entry,
    "dtypes": lambda x: x.to(torch.bfloat16).float() + x.to(torch.float32) + x.half().to(x).type_as(x),
    "keywords": lambda x: F.layer_norm(x, x.shape[-1:], weight=None, eps=1e-3) + x.softmax(dim=-1, dtype=torch.float32),
    "a device": lambda x: x.to(device="cpu") + torch.zeros(4, 8, device=x.device) + x.new_zeros(x.shape),
    "a loop over a tensor": _loop,
    "a view that is written into": _write_into_view,
    "a shape that is changed in place": _change_shape_in_place,
    "what is given comes back": _same_twice,
    "questions": _asked,
    "a mask": _mask,
    "several tensors": _many,
    "sizes that are tensors": _sizes,
    "numbers and shapes": _mixed,
    "vmap": _vmapped,
    "out": lambda x: torch.add(x, x, out=torch.empty_like(x)),
}


@pytest.mark.parametrize("body", BODIES)
def test_functions_are_recorded_the_same(body: str) -> None:
    model = _Repeated(BODIES[body])
    cached, recorder = recorded(model, (_meta(4, 8),), cache=True)
    uncached, _ = recorded(model, (_meta(4, 8),), cache=False)
    assert cached == uncached
    assert recorder.calls


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layers", [True, False])
def test_layers_are_recorded_the_same(training: bool, layers: bool) -> None:
    def body(x: Tensor, *of: nn.Module) -> Tensor:
        for layer in of:
            x = layer(x)
        return x

    parts = [
        nn.Linear(8, 8),
        nn.Linear(8, 8, bias=False),
        nn.LayerNorm(8),
        nn.LayerNorm((8,), eps=1e-3),
        nn.Dropout(0.0),
    ]
    parts += [nn.Dropout(0), nn.Dropout(), nn.Identity(), nn.BatchNorm1d(8), nn.ReLU(), nn.ReLU(inplace=True)]
    model = _Repeated(body, *parts).to("meta").train(training)
    cached, recorder = recorded(model, (_meta(4, 8),), cache=True, layers=layers)
    uncached, _ = recorded(model, (_meta(4, 8),), cache=False, layers=layers)
    assert cached == uncached
    assert {recorder.places[call[1]] for call in recorder.calls} >= {f"layers.{at}" for at in (0, 2, 6, 8, 9)}


def test_layers_are_told_as_they_were_constructed() -> None:
    model = nn.Sequential(nn.Dropout(0.0), nn.Dropout(0), nn.Dropout(0.0), nn.Dropout(False))
    _, recorder = recorded(model, (_meta(4, 8),), cache=True)
    told = [call[4]["*"][-1][2] for call in recorder.calls]
    assert [(type(p), p) for p in told] == [(float, 0.0), (int, 0), (float, 0.0), (bool, False)]


def test_numbers_are_never_taken_from_another_call() -> None:
    def body(x: Tensor, drawn: list[Tensor]) -> Tensor:
        for one in drawn:
            if one < 0.5:
                x = x + 1
        return x * 2

    drawn = [torch.tensor(0.7), torch.tensor(0.2), torch.tensor(0.9), torch.tensor(0.1)]
    _, recorder = recorded(_Repeated(body), (_meta(4, 8), drawn), cache=True)
    assert sum(list(recorder.names)[call[0]] == "torch.Tensor.add" for call in recorder.calls) == 2 * _ROUNDS
    assert not recorder.concrete.guessed


def test_guesses_are_told_for_each_place() -> None:
    def body(x: Tensor) -> Tensor:
        first = x.nonzero()
        return x + first.sum() + x.nonzero().sum()

    _, recorder = recorded(_Repeated(body), (_meta(4, 8),), cache=True)
    assert len(recorder.concrete.guessed) == 2


def test_hooks_are_run() -> None:
    model = _Repeated(lambda x, layer: layer(x), nn.Linear(8, 8)).to("meta")
    model.layers[0].register_forward_hook(lambda module, args, output: output.exp())
    cached, recorder = recorded(model, (_meta(4, 8),), cache=True)
    assert cached == recorded(model, (_meta(4, 8),), cache=False)[0]
    assert sum(list(recorder.names)[call[0]] == "torch.Tensor.exp" for call in recorder.calls) == _ROUNDS


def test_what_inference_mode_does_not_count_is_written_into() -> None:
    def body(x: Tensor) -> Tensor:
        with torch.inference_mode():
            return (x * 2).add_(1)

    _, recorder = recorded(_Repeated(body), (_meta(4, 8),), cache=True)
    written = [call[6] for call in recorder.calls if list(recorder.names)[call[0]] == "torch.Tensor.add_"]
    assert len(written) == _ROUNDS
    assert all(written)
