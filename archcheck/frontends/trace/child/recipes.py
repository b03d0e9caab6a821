"""What tensors of a name usually look like: token ids, hidden states, pixels, sound. Sizes come from the model."""

from __future__ import annotations

import linecache
import math
from typing import Any

import torch
from torch import Tensor

BATCH, LENGTH = 2, 7


def floating(*shape: int) -> Tensor:
    """A tensor with a shape and no numbers."""
    return torch.empty(shape, device="meta")


def holds_tensor(value: Any) -> bool:
    """Whether a tensor stands in `value`."""
    if isinstance(value, (list, tuple)):
        return any(holds_tensor(item) for item in value)
    if isinstance(value, dict):
        return any(holds_tensor(item) for item in value.values())
    return isinstance(value, Tensor)


class Sizes:
    """Sizes that inputs must have, looked up in a configuration and, where it does not say, in the modules."""

    def __init__(self, model: torch.nn.Module | None, config: Any) -> None:
        self.model = model
        self.config = config

    def ask(self, *names: str, default: Any = None) -> Any:
        """The first of these fields that the configuration, or one inside it, has."""
        for config in self._configs():
            for name in names:
                value = getattr(config, name, None)
                if value is not None and not callable(value):
                    return value
        return default

    def _configs(self) -> list[Any]:
        found = [self.config] if self.config is not None else []
        for value in list(getattr(self.config, "__dict__", {}).values()):
            if type(value).__name__.endswith("Config"):
                found.append(value)
        return found

    @property
    def hidden(self) -> int:
        """Features of the residual stream: of the first norm or linear map that the model has, else 64."""
        for name in ("hidden_size", "d_model", "n_embd", "embed_dim", "dim", "hidden_dim"):
            value = getattr(self.config, name, None)
            if isinstance(value, int):
                return value
        return self.first_features(64)

    def first_features(self, default: int) -> int:
        """Features that the first layer reads that says so."""
        for module in self.model.modules() if self.model is not None else ():
            for name in ("in_features", "normalized_shape", "in_channels", "embed_dim", "input_size", "num_features"):
                value = getattr(module, name, None)
                if isinstance(value, (tuple, list)) and value:
                    value = value[-1]
                if isinstance(value, int) and not isinstance(value, bool):
                    return value
        return default

    def image(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        channels = self.ask("num_channels", "in_channels", "in_chans", "num_input_channels", default=3)
        size = self.ask("image_size", "img_size", default=224)
        if isinstance(size, dict):
            size = (size.get("height", 224), size.get("width", 224))
        height, width = (size[0], size[-1]) if isinstance(size, (list, tuple)) else (size, size)
        channels = channels[0] if isinstance(channels, (list, tuple)) else channels
        return int(channels), int(height), int(width)

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


def ids(most: int, *shape: int) -> Tensor:
    """Ids from 1 on, which differ, below `most`."""
    count = math.prod(shape)
    return (torch.arange(count) % max(most - 2, 1) + 1).clamp(max=max(most - 1, 0)).reshape(shape)


def of_rank(rank: int, sizes: Sizes) -> Tensor:
    """A tensor of this many axes: features, sequences, images, videos."""
    if rank == 4:
        channels, height, width = sizes.image()
        first = (
            next((m for m in sizes.model.modules() if isinstance(m, torch.nn.Conv2d)), None) if sizes.model else None
        )
        return floating(BATCH, channels if first is None else first.in_channels, height, width)
    if rank == 5:
        return floating(BATCH, sizes.image()[0], 4, *sizes.image()[1:])
    features = sizes.first_features(sizes.hidden)
    first_conv = (
        next((m for m in sizes.model.modules() if isinstance(m, torch.nn.Conv1d)), None) if sizes.model else None
    )
    if rank == 3 and first_conv is not None and first_conv.in_channels == features:
        return floating(BATCH, features, 64)
    return floating(
        *[BATCH, LENGTH, features][3 - rank :] if rank <= 3 else [BATCH] * (rank - 3) + [BATCH, LENGTH, features]
    )


def make(name: str, annotation: Any, sizes: Sizes) -> Any:
    """A value for the argument `name` of a call."""
    lowered = name.lower()
    text = str(annotation)
    if annotation in (bool, int, float, str) or (text in ("bool", "int", "float", "str")):
        return _plain(lowered, text)
    for words, recipe in _RECIPES:
        if any(
            word == lowered
            or (word.endswith("*") and lowered.startswith(word[:-1]))
            or (word.startswith("*") and lowered.endswith(word[1:]))
            for word in words
        ):
            return recipe(sizes)
    if "LongTensor" in text or "IntTensor" in text:
        return ids(int(sizes.ask("vocab_size", default=100)), BATCH, LENGTH)
    if "BoolTensor" in text:
        return torch.ones(BATCH, LENGTH, dtype=torch.bool)
    if sizes.is_discrete():
        first = (
            next((m for m in sizes.model.modules() if isinstance(m, torch.nn.Embedding)), None) if sizes.model else None
        )
        return ids(first.num_embeddings if first is not None else 100, BATCH, LENGTH)
    return of_rank(sizes.first_rank(), sizes)


def _plain(name: str, kind: str) -> Any:
    if "bool" in kind:
        return False
    if "str" in kind:
        return ""
    return 0.1 if "float" in kind else 1


def _vocabulary(sizes: Sizes) -> int:
    value = sizes.ask("vocab_size", "decoder_vocab_size", default=None)
    if isinstance(value, int):
        return value
    first = next((m for m in sizes.model.modules() if isinstance(m, torch.nn.Embedding)), None) if sizes.model else None
    return first.num_embeddings if first is not None else 100


def _mel(sizes: Sizes) -> Tensor:
    bins = int(sizes.ask("num_mel_bins", "feature_size", "input_feat_per_channel", "num_mel_filters", default=80))
    frames = sizes.ask("max_source_positions")
    return floating(BATCH, bins, int(frames) * 2 if isinstance(frames, int) and frames < 4000 else 64)


def _rotary(sizes: Sizes) -> tuple[Tensor, Tensor]:
    heads = int(sizes.ask("num_attention_heads", "n_head", "num_heads", default=4))
    size = int(sizes.ask("head_dim", default=sizes.hidden // max(heads, 1)))
    part = sizes.ask("partial_rotary_factor", default=None)
    rope = sizes.ask("rope_parameters", default=None)
    if isinstance(rope, dict):
        part = rope.get("partial_rotary_factor", part)
    size = int(size * part) if isinstance(part, float) else size
    return floating(BATCH, LENGTH, size), floating(BATCH, LENGTH, size)


_RECIPES: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("input_ids", "decoder_input_ids", "*_input_ids", "tokens", "token_ids", "src_tokens", "prev_output_tokens"), lambda s: ids(_vocabulary(s), BATCH, LENGTH)),
    (("token_type_ids", "*_token_type_ids", "segment_ids"), lambda s: torch.zeros(BATCH, LENGTH, dtype=torch.long)),
    (("position_ids", "positions", "cache_position"), lambda s: torch.arange(LENGTH)[None].expand(BATCH, LENGTH)),
    (("attention_mask", "decoder_attention_mask", "encoder_attention_mask", "padding_mask", "*_padding_mask"), lambda s: torch.ones(BATCH, LENGTH, dtype=torch.long)),
    (("position_embeddings", "rotary_pos_emb", "position_embedding", "rotary_position_embeddings"), _rotary),
    (("hidden_states", "inputs_embeds", "encoder_hidden_states", "decoder_inputs_embeds", "*_embeds", "encoder_outputs_states", "hidden_state"), lambda s: floating(BATCH, LENGTH, s.hidden)),
    (("pixel_values_videos", "video*"), lambda s: floating(BATCH, 4, *s.image())),
    (("pixel_values", "*_pixel_values", "pixel_*", "image", "images", "img", "imgs"), lambda s: floating(BATCH, *s.image())),
    (("pixel_mask",), lambda s: torch.ones(BATCH, *s.image()[1:], dtype=torch.long)),
    (("input_features", "mel", "spectrogram"), _mel),
    (("input_values", "waveform", "audio", "audio_values", "raw_audio"), lambda s: floating(BATCH, 16_000)),
    (("bbox", "boxes"), lambda s: torch.tensor([10, 20, 30, 40]).expand(BATCH, LENGTH, 4)),
    (("image_grid_thw", "grid_thw", "video_grid_thw"), lambda s: torch.tensor([[1, 4, 4]])),
    (("timestep", "timesteps", "t", "time"), lambda s: torch.ones(BATCH, dtype=torch.long)),
)  # fmt: skip


def failing_code(error: BaseException) -> str:
    """The line of code that raised, outside of torch."""
    found = ""
    at = error.__traceback__
    while at is not None:
        name = at.tb_frame.f_code.co_filename
        if "/torch/" not in name and "archcheck" not in name:
            found = linecache.getline(name, at.tb_lineno)
        at = at.tb_next
    return found
