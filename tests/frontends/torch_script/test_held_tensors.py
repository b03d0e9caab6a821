"""What tensors hold that nothing learns: a mask is what its numbers are, and nothing that is merely near to it."""

from __future__ import annotations

import struct

import pytest

from archcheck.frontends.torch_script import held
from archcheck.frontends.torch_script.pickles import Storage, TensorData


def tensor(kind: str, *shape: int, strides: tuple[int, ...] = ()) -> TensorData:
    steps = [1]
    for size in reversed(shape[1:]):
        steps.insert(0, steps[0] * size)
    return TensorData(Storage(kind, "0"), 0, shape, strides or tuple(steps[: len(shape)]))


def floats(rows: list[list[float]]) -> bytes:
    return b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)


INF = float("inf")


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([[1, 0, 0], [1, 1, 0], [1, 1, 1]], "torch.tril(torch.ones(3, 3))"),
        ([[0, 0, 0], [1, 0, 0], [1, 1, 0]], "torch.tril(torch.ones(3, 3), diagonal=-1)"),
        ([[1, 1, 1], [0, 1, 1], [0, 0, 1]], "torch.triu(torch.ones(3, 3))"),
        ([[0, -INF, -INF], [0, 0, -INF], [0, 0, 0]], 'torch.triu(torch.full((3, 3), float("-inf")), diagonal=1)'),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], "torch.full((3, 3, ), 0.0)"),
        ([[1, 0, 0], [1, 1, 0], [1, 1, 0]], "torch.empty((3, 3, ))"),
        ([[1, 0, 0], [1, 1, 0.5], [1, 1, 1]], "torch.empty((3, 3, ))"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], "torch.empty((3, 3, ))"),
    ],
)
def test_a_triangle_is_one_where_all_of_it_is(rows: list[list[float]], text: str) -> None:
    assert held.written(tensor("FloatStorage", 3, 3), floats(rows)) == text


def test_kinds_shapes_and_ranges() -> None:
    mask = bytes([1, 0, 1, 1])
    assert held.written(tensor("BoolStorage", 1, 2, 2), mask) == (
        "torch.tril(torch.ones(2, 2)).view(1, 2, 2).to(torch.bool)"
    )
    assert held.written(tensor("LongStorage", 4), struct.pack("<4q", 0, 1, 2, 3)) == "torch.arange(4)"
    assert held.written(tensor("LongStorage", 1, 3), struct.pack("<3q", 0, 1, 2)) == "torch.arange(3).view(1, 3)"
    assert held.written(tensor("LongStorage", 4), struct.pack("<4q", 0, 1, 3, 2)) == "torch.empty((4, ))"
    assert held.written(tensor("DoubleStorage"), struct.pack("<d", 0.5)) == "torch.tensor(0.5)"


def test_what_is_cut_off_turned_or_not_read_has_a_shape_alone() -> None:
    lower = floats([[1, 0], [1, 1]])
    assert held.written(tensor("FloatStorage", 2, 2), lower[:-1]) == "torch.empty((2, 2, ))"
    assert held.written(tensor("FloatStorage", 2, 2, strides=(1, 2)), lower) == "torch.empty((2, 2, ))"
    assert held.written(tensor("FloatStorage", 2, 2), b"") == "torch.empty((2, 2, ))"
    assert held.written(tensor("QInt8Storage", 2, 2), lower) == "torch.empty((2, 2, ))"
