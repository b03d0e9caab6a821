"""TorchScript archives as tests write them: code as text, pickles step by step, without torch."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO

CODE = """class Model(Module):
  __parameters__ = ["weight", "bias", ]
  __buffers__ = []
  weight : Tensor
  bias : Tensor
  training : bool
  def forward(self: __torch__.Model,
    x: Tensor) -> Tensor:
    bias = self.bias
    weight = self.weight
    return torch.relu(torch.linear(x, weight, bias))
"""


def text(word: str) -> bytes:
    """A text."""
    data = word.encode()
    return b"X" + struct.pack("<L", len(data)) + data


def number(value: int) -> bytes:
    """A whole number."""
    return b"J" + struct.pack("<i", value)


def called(module: str, name: str, arguments: bytes) -> bytes:
    """What a call gives, where it is made."""
    return f"c{module}\n{name}\n".encode() + b"(" + arguments + b"tR"


def tensor(key: str, *shape: int) -> bytes:
    """A tensor of floats."""
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(1) + b"tQ"
    sizes = b"(" + b"".join(map(number, shape)) + b"t"
    strides = b"(" + b"".join(number(1) for _ in shape) + b"t"
    rest = b"\x89" + called("collections", "OrderedDict", b"")
    return called("torch._utils", "_rebuild_tensor_v2", storage + number(0) + sizes + strides + rest)


def instance(cls: str, **state: bytes) -> bytes:
    """An object of a class of the archive."""
    module, _, name = cls.rpartition(".")
    pairs = b"".join(text(key) + value for key, value in state.items())
    return f"c{module}\n{name}\n".encode() + b")\x81}(" + pairs + b"ub"


def pickled(value: bytes) -> bytes:
    """A pickle of one value."""
    return b"\x80\x02" + value + b"."


MODEL = instance("__torch__.Model", weight=tensor("0", 4, 3), bias=tensor("1", 4), training=b"\x88")


def archive(
    code: str = CODE,
    model: bytes = MODEL,
    constants: bytes = b")",
    *,
    files: dict[str, str | bytes] | None = None,
    packed: bool = False,
) -> bytes:
    """An archive.

    Args:
        code: of `__torch__`.
        model: what `data.pkl` holds.
        constants: what `constants.pkl` holds.
        files: more files, by name.
        packed: whether they are compressed.
    """
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as out:
        entries: dict[str, str | bytes] = {
            "data.pkl": pickled(model), "code/__torch__.py": code, "constants.pkl": pickled(constants), **(files or {}),
        }  # fmt: skip
        for name, data in entries.items():
            kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            out.writestr(zipfile.ZipInfo(f"m/{name}"), data, compress_type=kind)
    return made.getvalue()
