"""What is told of layers from shapes alone is what torch gives, and a call that fails is left to torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # torch may be missing

from archcheck.frontends.trace.child.simple import told  # noqa: E402

_LINEAR, _NORM = nn.Linear.forward, nn.LayerNorm.forward


def _values(features: int, dtype: Any = torch.float32) -> Iterator[Tensor]:
    with torch.device("meta"):
        for shape in ((features,), (3, features), (1, 1, features), (2, 7, features), (2, 3, 5, features)):
            value = torch.empty(shape, dtype=dtype)
            yield value
            yield value.transpose(0, -1).contiguous().transpose(0, -1)
            yield torch.empty((*shape[:-1], 2 * features), dtype=dtype)[..., ::2]
            yield torch.empty((*shape, 1), dtype=dtype)[..., 0]
            yield torch.empty((2, *shape), dtype=dtype)[:1]
        yield torch.empty_strided((1, 7, features), (99, features, 1), dtype=dtype)
        yield torch.empty((4, features), dtype=dtype).expand(3, 4, features)


def _layers(dtype: Any) -> Iterator[tuple[Any, nn.Module]]:
    with torch.device("meta"):
        yield _LINEAR, nn.Linear(6, 4, dtype=dtype)
        yield _LINEAR, nn.Linear(6, 6, bias=False, dtype=dtype)
        yield _NORM, nn.LayerNorm(6, dtype=dtype)
        yield _NORM, nn.LayerNorm(6, elementwise_affine=False)
        yield _NORM, nn.LayerNorm(6, bias=False, dtype=dtype)
        yield _NORM, nn.LayerNorm((3, 6), dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_what_is_told_is_what_torch_gives(dtype: Any) -> None:
    answers = {_LINEAR: 0, _NORM: 0}
    for forward, layer in _layers(dtype):
        for value in _values(6, dtype):
            with torch.no_grad():
                found = told(forward, layer, (value,), {})
                if found is None:
                    continue
                wanted = layer(value)
            answers[forward] += 1
            assert (found.shape, found.stride(), found.dtype) == (wanted.shape, wanted.stride(), wanted.dtype)
            assert found.is_meta
            assert not found.requires_grad
    assert min(answers.values()) > 10


def test_what_is_not_plain_is_left_to_torch() -> None:
    value = torch.empty(2, 6, device="meta")
    linear, norm = nn.Linear(6, 4, device="meta"), nn.LayerNorm(6, device="meta")
    assert told(_LINEAR, linear, (value,), {}) is not None

    class Own(nn.Linear):
        pass

    others: list[tuple[Any, nn.Module, tuple[Any, ...], dict[str, Any]]] = [
        (_LINEAR, linear, (torch.empty(2, 5, device="meta"),), {}),  # which fails
        (_NORM, norm, (torch.empty(2, 5, device="meta"),), {}),
        (_LINEAR, linear, (value.half(),), {}),
        (_LINEAR, linear, (value.long(),), {}),
        (_LINEAR, linear, (value[:0],), {}),
        (_LINEAR, linear, (value,), {"more": 1}),
        (_LINEAR, linear, (torch.zeros(2, 6),), {}),
        (_LINEAR, Own(6, 4, device="meta"), (value,), {}),
        (_LINEAR, nn.Linear(6, 4), (value,), {}),
        (lambda module, x: x, linear, (value,), {}),
    ]
    assert [told(*other) for other in others] == [None] * len(others)
