"""Sizes that inputs must have: from the configuration, the constructor's arguments, and the layers of the model."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch

BATCH, LENGTH = 2, 7
SAMPLES = 16_000  # of sound: one second at the usual rate
FRAMES = 200  # of a spectrogram: what one second and more becomes, and a multiple of the usual strides

_NEAR = {
    "vision": ("vision", "image", "visual", "vit", "backbone"),
    "audio": ("audio", "speech", "encoder", "acoustic"),
    "text": ("text", "decoder", "llm", "language"),
}
_FEATURES = (
    "hidden_size",
    "d_model",
    "n_embd",
    "embed_dim",
    "dim",
    "hidden_dim",
    "embedding_dim",
    "model_dim",
    "width",
)
_BINS = (
    "num_mel_bins", "feature_size", "input_feat_per_channel", "num_mel_filters", "num_mel_channels", "mel_bins",
    "n_mels", "input_feat_size", "num_banks", "feature_dim", "input_dim", "spectrogram_bins", "audio_num_mel_bins",
)  # fmt: skip


def field_of(owner: Any, name: str, default: Any = None) -> Any:
    """A field of a configuration or of a module; the default where it has none, or where code of its own refuses."""
    try:
        return getattr(owner, name, default)
    except Exception:  # a field may be a property, and say that it must not be read
        return default


class Sizes:
    """Sizes of one model's inputs.

    Args:
        model: its layers tell where the configuration does not.
        config: the configuration, or whatever the model was constructed with.
        arguments: what the model's constructor was given.
    """

    def __init__(self, model: torch.nn.Module | None, config: Any, arguments: Mapping[str, Any] | None = None) -> None:
        self.model = model
        self.config = config
        self.arguments = dict(arguments or {})
        self._found: dict[str, list[Any]] = {}

    # ---- fields

    def ask(self, *names: str, near: str = "", default: Any = None) -> Any:
        """The first of these fields that is known: of the configuration, one inside it, or the constructor.

        Args:
            names: of fields; the first name is looked for everywhere before the second.
            near: "vision", "audio" or "text": configurations of that part come first.
            default: where none is known.
        """
        for name in names:
            for config in self._configs(near):
                value = config.get(name) if isinstance(config, dict) else field_of(config, name)
                if value is not None and not callable(value):
                    return value
        return default

    def number(self, *names: str, near: str = "", default: int) -> int:
        """As `ask`, for a whole number; of several, the first."""
        for name in names:
            value = self.ask(name, near=near)
            if isinstance(value, (list, tuple)) and value:
                value = value[0]
            if isinstance(value, int) and not isinstance(value, bool):
                return value
        return default

    def configurations(self) -> list[Any]:
        """The configuration and those inside it."""
        return [one for _, one in _inside(self.config, 3)] if self.config is not None else []

    def _configs(self, near: str) -> list[Any]:
        if near not in self._found:
            every = list(_inside(self.config, 3)) if self.config is not None else []
            words = _NEAR.get(near, ())
            close = [one for path, one in every if any(word in path for word in words)]
            if any(word in type(self.config).__name__.lower() for word in words):
                close.insert(0, self.config)
            own = [vars(self.model)] if self.model is not None else []
            self._found[near] = [*close, *[one for _, one in every], self.arguments, *own]
        return self._found[near]

    # ---- usual sizes

    @property
    def hidden(self) -> int:
        """Features of the residual stream: of the first norm or linear map that the model has, else 64."""
        for name in _FEATURES:
            value = self.arguments.get(name) if self.config is None else field_of(self.config, name)
            if isinstance(value, int):
                return value
        found = self.number(*_FEATURES, near="text", default=0) if self.config is not None else 0
        return found or self.first_features(64)

    @property
    def vocabulary(self) -> int:
        """Ids that the first embedding takes, as the configuration or the layers say."""
        value = self.number("vocab_size", "decoder_vocab_size", "num_tokens", "num_embeddings", near="text", default=0)
        first = self.first(torch.nn.Embedding)
        return value or (first.num_embeddings if first is not None else 100)

    @property
    def channels(self) -> int:
        """Of images."""
        names = ("num_channels", "in_channels", "in_chans", "num_input_channels", "channels", "image_channels")
        found = self.number(*names, near="vision", default=0)
        first = self.first(torch.nn.Conv2d, torch.nn.Conv3d)
        return found or (first.in_channels if first is not None else 3)

    @property
    def image(self) -> tuple[int, int]:
        """Height and width of images."""
        size = self.ask("image_size", "img_size", "input_resolution", near="vision", default=224)
        if isinstance(size, dict):
            size = (size.get("height", size.get("shortest_edge", 224)), size.get("width", 224))
        height, width = (size[0], size[-1]) if isinstance(size, (list, tuple)) and size else (size, size)
        return (int(height), int(width)) if isinstance(height, int) and isinstance(width, int) else (224, 224)

    @property
    def frames(self) -> int:
        """Of videos."""
        return self.number("num_frames", "video_num_frames", "frames", near="vision", default=4)

    @property
    def bins(self) -> int:
        """Features of a frame of a spectrogram."""
        return self.number(*_BINS, near="audio", default=80)

    @property
    def spectrogram(self) -> int:
        """Frames of a spectrogram; where a model knows sound of one length only, of that length."""
        positions = self.ask("max_source_positions", near="audio")
        if isinstance(positions, int) and positions < 4000 and self.ask("encoder_layers", near="audio") is not None:
            strides = sum(1 for one in self.convolutions(torch.nn.Conv1d) if one.stride[0] == 2)
            return positions * 2 ** min(strides, 1)
        length = self.ask("max_length", near="audio") if self.ask("frequency_stride") is not None else None
        return length if isinstance(length, int) else FRAMES

    def first(self, *classes: type) -> Any:
        """The first layer of these classes."""
        modules = self.model.modules() if self.model is not None else ()
        return next((one for one in modules if isinstance(one, classes)), None)

    def convolutions(self, cls: type) -> list[Any]:
        """The layers of this class that come before the first linear map."""
        found: list[Any] = []
        for one in self.model.modules() if self.model is not None else ():
            if isinstance(one, torch.nn.Linear):
                break
            if isinstance(one, cls):
                found.append(one)
        return found

    def first_features(self, default: int) -> int:
        """Features that the first layer reads that says so."""
        for module in self.model.modules() if self.model is not None else ():
            for name in ("in_features", "normalized_shape", "in_channels", "embed_dim", "input_size", "num_features"):
                value = field_of(module, name)
                if isinstance(value, (tuple, list)) and value:
                    value = value[-1]
                if isinstance(value, int) and not isinstance(value, bool) and value > 0:  # a lazy layer says 0
                    return value
        return default

    @property
    def patch(self) -> int:
        """Numbers in one patch of an image, where patches are cut and flattened before the model."""
        for one in self.model.modules() if self.model is not None else ():
            if isinstance(one, (torch.nn.Conv2d, torch.nn.Conv3d)):
                return int(one.in_channels * math.prod(one.kernel_size))
            if isinstance(one, torch.nn.Linear):
                return int(one.in_features)
        size = self.number("patch_size", near="vision", default=14)
        return self.channels * size * size * self.number("temporal_patch_size", near="vision", default=1)

    def first_rank(self) -> int:
        """Axes of what the first layer reads: 4 where it is a convolution over images, 3 for sequences."""
        for module in self.model.modules() if self.model is not None else ():
            if isinstance(module, torch.nn.Conv2d):
                return 4
            if isinstance(module, torch.nn.Conv3d):
                return 5
            if isinstance(module, (torch.nn.Linear, torch.nn.LayerNorm, torch.nn.Conv1d)):
                return 3
        return 3

    def is_discrete(self) -> bool:
        """Whether the first layer looks rows up: its input is ids."""
        for module in self.model.modules() if self.model is not None else ():
            if isinstance(module, torch.nn.Embedding):
                return True
            if next(module.parameters(recurse=False), None) is not None:
                return False
        return False

    # ---- axes as documentation names them

    def shape(self, axes: list[str], kind: str) -> list[int | None]:
        """The sizes of all axes; of two that are named alike at the end, height comes before width."""
        found = [self.axis(axis, kind, axes) for axis in axes]
        if len(axes) > 2 and axes[-1] == axes[-2] and found[-1] == self.image[1] and kind == "pixels":
            found[-2] = self.image[0]
        return found

    def axis(self, text: str, kind: str, axes: list[str]) -> int | None:
        """The size of an axis that is documented as `text`: a word, a number, or a sum or product of them.

        Args:
            text: of the axis, such as `num_channels * patch_size**2`.
            kind: what the argument holds: "tokens", "sound", "spectrogram" or "pixels".
            axes: the argument's axes, among which this one stands.
        """
        try:
            return self._evaluated(ast.parse(text.strip(), mode="eval").body, kind, axes)
        except (SyntaxError, ValueError):
            return None

    def _evaluated(self, node: ast.expr, kind: str, axes: list[str]) -> int | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.BinOp):
            left, right = self._evaluated(node.left, kind, axes), self._evaluated(node.right, kind, axes)
            operation = _OPERATIONS.get(type(node.op))
            return operation(left, right) if operation and left is not None and right is not None else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len" and node.args:
            value = self.ask(node.args[0].attr) if isinstance(node.args[0], ast.Attribute) else None
            return len(value) if isinstance(value, (list, tuple)) else None
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        return self._named(name, kind, axes) if name else None

    def _named(self, name: str, kind: str, axes: list[str]) -> int | None:
        lowered = name.lower()
        if len(name) == 1:
            return self._letter(name, kind, axes)
        if lowered in ("batch_size", "batch", "bs", "bsz", "num_samples_in_batch"):
            return BATCH
        if lowered in ("num_images", "num_videos", "num_images_or_videos", "num_audios", "num_audio", "num_clips"):
            return 1
        if lowered in ("num_channels", "in_channels", "image_channels") and kind == "pixels":
            return self.channels
        if lowered in ("channels", "audio_channels", "num_channels"):
            return self.number("audio_channels", near="audio", default=1) if kind == "sound" else self.channels
        if lowered in ("height", "h"):
            return self.image[0]
        if lowered in ("width", "w", "image_size", "frame_size", "img_size"):
            return self.image[1]
        if lowered == "num_frames" and kind == "pixels":
            return self.frames
        if lowered in _FRAME_FEATURES and kind in ("spectrogram", "tokens"):
            return self.bins
        if lowered in _LENGTHS or lowered.endswith(("_length", "_len", "_tokens")):
            known = self.ask(name) if lowered in ("context_length", "prediction_length") else None
            lengths = {"sound": SAMPLES, "spectrogram": self.spectrogram}
            return known if isinstance(known, int) else lengths.get(kind, LENGTH)
        if lowered in ("hidden_size", "hidden_dim", "d_model", "dim", "embed_dim", "embedding_dim", "features"):
            return self.hidden
        known = self.ask(name, f"{name}s", default=None)
        return known if isinstance(known, int) and not isinstance(known, bool) else None

    def _letter(self, name: str, kind: str, axes: list[str]) -> int | None:
        if name in "Bb":
            return BATCH
        if "H" in axes and "W" in axes:
            return {"C": self.channels, "H": self.image[0], "W": self.image[1], "T": self.frames}.get(name)
        return {"C": self.hidden, "D": self.hidden, "E": self.hidden, "F": self.hidden}.get(
            name, BATCH if name == axes[0].strip() and len(axes) > 2 else LENGTH if name in "NTLSnmlst" else None
        )


_FRAME_FEATURES = ("feature_dim", "feature_size", "num_mel_bins", "mel_bins", "n_mel_bins", "num_banks", "n_mels")
_LENGTHS = (
    "seqlen", "seq", "time_steps", "num_samples", "frames", "num_frames", "max_length", "time", "length", "timesteps",
)  # fmt: skip
_OPERATIONS: dict[type, Any] = {
    ast.Mult: lambda a, b: a * b,
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.FloorDiv: lambda a, b: a // max(b, 1),
    ast.Pow: lambda a, b: a**b if b < 8 else None,
}


def _inside(config: Any, depth: int, path: str = "") -> Iterator[tuple[str, Any]]:
    """A configuration and those inside it, the outer ones first, with the names of the fields that hold them."""
    level = [(path, config)]
    for _ in range(depth):
        yield from level
        below: list[tuple[str, Any]] = []
        for at, one in level:
            fields = one if isinstance(one, dict) else getattr(one, "__dict__", {})
            for name, value in list(fields.items()):
                if type(value).__name__.endswith("Config") or (name.endswith("_config") and isinstance(value, dict)):
                    below.append((f"{at}.{name}", value))
        level = below
