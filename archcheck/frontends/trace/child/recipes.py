"""What arguments usually hold: token ids, masks, hidden states, pixels, sound. Shapes come from `sizes`.

For an argument there are several candidates, the likeliest first: what its documentation says, what its name says,
and other layouts of the same numbers. Which of them a call takes is found by trying.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from archcheck.frontends.trace.child.sizes import BATCH, LENGTH, SAMPLES, Sizes, field_of

SIDE = 4  # patches of an image along one side, where images come as patches
GRID = (1, SIDE, SIDE)  # times, rows and columns of patches


def floating(*shape: int) -> Tensor:
    """A tensor with a shape and no numbers."""
    return torch.empty(shape, device="meta")


def ids(most: int, *shape: int) -> Tensor:
    """Ids from 1 on, which differ, below `most`."""
    count = math.prod(shape)
    return (torch.arange(count) % max(most - 2, 1) + 1).clamp(max=max(most - 1, 0)).reshape(shape)


def counting(*shape: int) -> Tensor:
    """Positions 0, 1, 2, ... along the last axis."""
    return torch.arange(shape[-1]).expand(shape).clone()


def places(*shape: int) -> Tensor:
    """Coordinates of patches, [..., patches, axes]: column and row, from 0 on."""
    patches, axes = shape[-2], shape[-1]
    side = max(math.isqrt(patches), 1)
    at = torch.arange(patches)
    columns = torch.stack([at % side, at // side], dim=-1) if axes == 2 else at[:, None].expand(patches, axes)
    return columns.expand(shape).clone()


def boxes(*shape: int) -> Tensor:
    """Boxes left, top, right, bottom, in thousandths of the page; each differs."""
    count = math.prod(shape[:-1])
    left = (torch.arange(count) % 40) * 10 + 10
    return torch.stack([left, left + 10, left + 100, left + 50], dim=-1)[..., : shape[-1]].reshape(shape)


def alternating(*shape: int) -> Tensor:
    """A mask that hides every second place."""
    return (torch.arange(math.prod(shape)) % 2 == 1).reshape(shape)


def holds_tensor(value: Any) -> bool:
    """Whether a tensor stands in `value`."""
    if isinstance(value, (list, tuple)):
        return any(holds_tensor(item) for item in value)
    if isinstance(value, dict):
        return any(holds_tensor(item) for item in value.values())
    return isinstance(value, Tensor)


class Recipes:
    """Candidates for the arguments of one call.

    Args:
        sizes: of the model's inputs.
        documented: argument -> its axes, as the call's documentation names them.
        names: of all parameters of the call.
        required: those that have no default.
        main: the argument that the call is about, where the model says so.
    """

    def __init__(
        self, sizes: Sizes, documented: Mapping[str, list[str]], names: list[str], required: list[str], main: str
    ) -> None:
        self.sizes = sizes
        self.documented = documented
        self.names = names
        self.main = main or next(iter(required or names), "")
        asked = set(required) | {self.main}
        self.packed = bool(
            asked & {"grid_thw", "image_grid_thw", "target_sizes", "spatial_shapes", "grid_hws", "image_grid_hw"}
        )

    def candidates(self, name: str, annotation: Any) -> Iterator[Any]:
        """Values for an argument, the likeliest first."""
        text = str(annotation)
        plain = re.fullmatch(r"(?:<class ')?(bool|int|float|str)(?:'>)?(?: \| None)?", text)
        if plain:
            yield _plain(plain[1], name)
            return
        lowered = name.lower()
        seen: set[tuple[int, ...]] = set()
        for value in self._every(lowered, name, text):
            like = tuple(value.shape) if isinstance(value, Tensor) else ()
            if like and like in seen:
                continue
            seen.add(like)
            yield value

    def kind(self, name: str) -> str:
        """What an argument holds: "tokens", "sound", "spectrogram" or "pixels"."""
        lowered = name.lower()
        stem = re.sub(r"_?(attention_|padding_|key_padding_|observed_)*mask$", "", lowered)
        if not stem and lowered != self.main.lower():
            return self.kind(self.main)
        if _is(
            stem,
            "input_values",
            "*_input_values",
            "wave*",
            "audio",
            "audio_values",
            "raw_audio",
            "speech",
            "wav",
            "audios",
        ):
            return "sound"
        if _is(
            stem,
            "input_features",
            "*_features",
            "mel",
            "*mel",
            "mels",
            "spectrogram",
            "audio_features",
            "fbank",
            "*_mel_*",
        ):
            return "spectrogram"
        if _is(stem, "pixel*", "*_pixel_values", "image", "images", "img", "imgs", "video*", "frame", "frames"):
            return "pixels"
        return "tokens"

    # ---- all candidates

    def _every(self, lowered: str, name: str, text: str) -> Iterator[Any]:
        kind = self.kind(name)
        documented = self._documented(name, kind)
        if self.packed and _is(
            lowered, "pixel_values", "hidden_states", "image_patches", "images", "x", "pixel_values_videos"
        ):
            yield from self._patches(documented)
        if self.packed and kind == "pixels" and lowered.endswith("mask"):
            yield torch.ones(BATCH if "spatial_shapes" in self.names else 1, SIDE * SIDE, dtype=torch.long)
        for words, recipe in _FIXED:
            if _is(lowered, *words):
                yield recipe(self, documented)
                return
        filled = self._filling(lowered, text)
        if filled is not None:
            usual: tuple[int, ...] = (BATCH, LENGTH)
            if kind in ("sound", "spectrogram"):
                usual = (BATCH, SAMPLES if kind == "sound" else self.sizes.spectrogram)
            if kind == "pixels":
                usual = (BATCH, *self.sizes.image)
            if documented is not None:
                yield filled(*documented)
            yield filled(*usual)
            if filled is not alternating:
                books = self.sizes.number("num_codebooks", "num_quantizers", "n_codebooks", default=0)
                for count in (books, books + 1) if books else ():
                    yield filled(*usual, count)
                    yield filled(usual[0], count, usual[1])
                yield filled(BATCH)
                yield filled(BATCH, LENGTH, 2)
            if _is(lowered, "*mask"):  # what is added to scores, as a layer is given it
                yield torch.zeros(BATCH, 1, LENGTH, LENGTH)
                yield torch.zeros(LENGTH, LENGTH)
            return
        if documented is not None:
            yield floating(*documented)
        yield from self._floats(lowered, kind, documented)

    def _documented(self, name: str, kind: str) -> tuple[int, ...] | None:
        axes = self.documented.get(name)
        if not axes:
            return None
        found = self.sizes.shape(axes, kind)
        sizes = [size for size in found if size is not None and size > 0]
        return tuple(sizes) if len(sizes) == len(found) and math.prod(sizes) < 1 << 34 else None

    def _filling(self, name: str, text: str) -> Callable[..., Tensor] | None:
        """How an argument of whole numbers or of truth values is filled; None for one of real numbers."""
        for words, filling in _FILLINGS:
            if _is(name, *words):
                return filling
        if _is(name, "*mask"):
            return lambda *shape: torch.ones(shape, dtype=torch.bool if "BoolTensor" in text else torch.long)
        if _is(name, *_TOKENS) or (
            self.sizes.is_discrete() and name in ("x", "input", "inputs", "src", "tgt", "idx", "text")
        ):
            most = self._vocabulary(name)
            return lambda *shape: ids(most, *shape)
        if self.kind(name) != "tokens":  # sound and pictures are real numbers, whatever an annotation says
            return None
        if _is(
            name, "*_ids", "labels", "*_labels", "timesteps", "t", "time", "timestep", "*_lengths", "*_codes"
        ) or any(word in text for word in ("LongTensor", "IntTensor")):
            if "labels" in name and "LongTensor" not in text and len(self.documented.get(name, ())) > 2:
                return None  # what is learned to be given back: spectrograms, pitches
            if "FloatTensor" in text or "float" in text.replace("Tensor", ""):
                return None
            if _is(name, "timestep*", "t", "time"):
                return counting
            if _is(name, "*lengths", "*_lens"):
                return lambda *shape: torch.full(shape, LENGTH)
            most = self._count(name)
            return lambda *shape: ids(most, *shape) if most > 1 else torch.zeros(shape, dtype=torch.long)
        if "BoolTensor" in text:
            return lambda *shape: torch.ones(shape, dtype=torch.bool)
        return None

    def _vocabulary(self, name: str) -> int:
        stem = name.removesuffix("input_ids").strip("_")
        if stem:
            found = self.sizes.number(f"{stem}_vocab_size", default=0)
            if not found:
                for path in (f"{stem}_config", stem):
                    config = self.sizes.ask(path)
                    value = field_of(config, "vocab_size")
                    found = value if isinstance(value, int) else found
            if found:
                return found
        return self.sizes.vocabulary

    def _count(self, name: str) -> int:
        """How many of something there are of which an argument holds ids: `speaker_ids` of `num_speakers`."""
        stem = re.sub(r"_?(ids|labels|codes)$", "", name)
        if not stem:
            return self.sizes.number("num_labels", "vocab_size", default=2)
        names = [f"{stem}_vocab_size", f"num_{stem}s", f"num_{stem}", f"{stem}_size"]
        if name.endswith("codes"):
            names.append("codebook_size")
        return self.sizes.number(*names, default=1)

    # ---- real numbers

    def _floats(self, name: str, kind: str, documented: tuple[int, ...] | None) -> Iterator[Tensor]:
        sizes = self.sizes
        height, width = sizes.image
        still = floating(BATCH, sizes.channels, height, width)
        moving = floating(BATCH, sizes.frames, sizes.channels, height, width)
        if kind == "sound":
            yield floating(BATCH, SAMPLES)
            yield floating(BATCH, 1, SAMPLES)
            channels = sizes.number("audio_channels", default=1)
            if channels > 1:
                yield floating(BATCH, channels, SAMPLES)
            yield floating(BATCH, sizes.spectrogram, sizes.bins)
            yield floating(BATCH, LENGTH, sizes.hidden)
        elif kind == "spectrogram":
            frames, bins = sizes.spectrogram, sizes.bins
            yield floating(BATCH, bins, frames)
            yield floating(BATCH, frames, bins)
            yield floating(BATCH, 1, frames, bins)
            yield floating(BATCH, 4, frames, bins)
        elif kind == "pixels":
            yield from (moving, still) if name.startswith("video") or "video" in name else (still, moving)
            yield floating(BATCH, 2, sizes.channels, height, width)
            yield floating(BATCH, 1, sizes.channels, height, width)
            yield floating(BATCH, 16, sizes.channels, height, width)
            yield floating(BATCH, sizes.channels, sizes.frames, height, width)
            yield from self._patches(None)
        else:
            features = self._features(name)
            if _is(name, *_STATES):
                yield floating(BATCH, LENGTH, features)
            rank = len(documented) if documented is not None else sizes.first_rank()
            yield self.of_rank(rank)
            if rank == 4:
                yield moving
            yield floating(BATCH, LENGTH, features)
            yield floating(BATCH, features, 64)
            yield floating(BATCH, features)
            yield floating(LENGTH, features)
            yield floating(BATCH, SAMPLES)
            yield still
            yield floating(BATCH, 3, height, width)
            yield floating(BATCH, height, width, 3)

    def _features(self, name: str) -> int:
        stem = re.sub(r"_?(embeds|states?|embeddings?|features?|feats?|latents?)$", "", name)
        near = "vision" if _is(stem, "image*", "vision*", "visual*", "pixel*", "video*") else ""
        if near:
            return self.sizes.number("hidden_size", "embed_dim", near=near, default=self.sizes.hidden)
        if self.sizes.config is None and not self.sizes.arguments:
            return self.sizes.first_features(64)
        return self.sizes.hidden

    def of_rank(self, rank: int) -> Tensor:
        """A tensor of this many axes: features, sequences, images, videos."""
        sizes = self.sizes
        if rank == 4:
            first = sizes.first(torch.nn.Conv2d)
            return floating(BATCH, sizes.channels if first is None else first.in_channels, *sizes.image)
        if rank == 5:
            first = sizes.first(torch.nn.Conv3d)
            if first is not None:
                return floating(BATCH, first.in_channels, max(sizes.frames, first.kernel_size[0]), *sizes.image)
            return floating(BATCH, sizes.frames, sizes.channels, *sizes.image)
        features = sizes.first_features(sizes.hidden)
        first = sizes.first(torch.nn.Conv1d, torch.nn.Linear, torch.nn.LayerNorm, torch.nn.Embedding)
        if rank == 3 and isinstance(first, torch.nn.Conv1d) and first.in_channels == features:
            return floating(BATCH, features, 64)
        shape = [BATCH, LENGTH, features][3 - rank :] if rank <= 3 else [BATCH] * (rank - 3) + [BATCH, LENGTH, features]
        return floating(*shape)

    def _patches(self, documented: tuple[int, ...] | None) -> Iterator[Tensor]:
        """Images that were cut into patches: as many as the grid has, each flat or as a small image."""
        sizes, count = self.sizes, math.prod(GRID)
        first = sizes.first(torch.nn.Conv2d, torch.nn.Conv3d, torch.nn.Linear)
        side = sizes.number("patch_size", near="vision", default=14)
        merge = sizes.number("spatial_merge_size", "merge_size", near="vision", default=2)
        if documented is not None and len(documented) > 3 and documented[0] != BATCH:
            yield floating(count, *documented[1:])
        if first is not None and not isinstance(first, torch.nn.Linear):
            flat = sizes.patch
            channels = int(first.in_channels)
            kernel = first.kernel_size[-1]
            if "spatial_shapes" in self.names:
                yield floating(BATCH, count, flat)
            yield floating(count, flat)
            yield floating(1, count, flat)
            yield floating(count, channels, kernel, kernel)
            yield floating(1, channels, kernel, kernel * count)
            yield floating(count, flat * 2)
        else:
            flat = sizes.patch
            if "spatial_shapes" in self.names:
                yield floating(BATCH, count, flat)
            yield floating(count, flat)
            yield floating(1, count, flat)
            yield floating(count, sizes.channels, side, side)
        yield floating(count, side * merge, side * merge, sizes.channels)

    # ---- arguments with relations between their numbers

    def grid(self, documented: tuple[int, ...] | None) -> Tensor:
        """Sizes of images in patches: times, rows, columns, or the last two."""
        axes = 3 if documented is None else documented[-1]
        count = BATCH if "spatial_shapes" in self.names else 1  # there, each image fills one row of a batch
        return torch.tensor([GRID[-axes:]]).repeat(count, 1)

    def rotary(self, documented: tuple[int, ...] | None) -> tuple[Tensor, Tensor]:
        """Cosines and sines of rotary position embeddings."""
        sizes = self.sizes
        heads = sizes.number("num_attention_heads", "n_head", "num_heads", near="text", default=4)
        size = sizes.number("head_dim", near="text", default=sizes.hidden // max(heads, 1))
        part = sizes.ask("partial_rotary_factor")
        rope = sizes.ask("rope_parameters")
        part = rope.get("partial_rotary_factor", part) if isinstance(rope, dict) else part
        size = int(size * part) if isinstance(part, float) else size
        return floating(BATCH, LENGTH, size), floating(BATCH, LENGTH, size)


def _is(name: str, *words: str) -> bool:
    """Whether a name is one of these words, in which a star stands for anything."""
    return any(
        word == name
        or (word[:1] == "*" and word[-1:] == "*" and word[1:-1] in name)
        or (word[-1:] == "*" and name.startswith(word[:-1]))
        or (word[:1] == "*" and name.endswith(word[1:]))
        for word in words
    )


def _plain(kind: str, name: str) -> Any:
    if kind == "str":
        return ""
    return {"bool": False, "float": 0.1}.get(kind, 1)


_TOKENS = ("input_ids", "*_input_ids", "tokens", "token_ids", "src_tokens", "prev_output_tokens", "input_tokens")
_STATES = (
    "hidden_states", "inputs_embeds", "*_hidden_states", "*_embeds", "hidden_state", "*_hidden_state", "embeddings",
    "query", "key", "value", "*_embeddings", "residual", "memory",
)  # fmt: skip
_FILLINGS: tuple[tuple[tuple[str, ...], Callable[..., Tensor]], ...] = (
    (("bool_masked_pos", "*_masked_pos", "masked_positions"), alternating),
    (("pixel_position_ids", "image_position_ids", "patch_positions", "*_pos_ids"), places),
    (("position_ids", "*_position_ids", "positions", "cache_position", "pos"), counting),
    (("token_type_ids", "*_type_ids", "segment_ids"), lambda *shape: torch.zeros(shape, dtype=torch.long)),
)  # fmt: skip
_FIXED: tuple[tuple[tuple[str, ...], Callable[[Recipes, Any], Any]], ...] = (
    (("grid_thw", "*_grid_thw", "*_grid_hw", "grid_hws", "target_sizes", "spatial_shapes", "tgt_sizes"), Recipes.grid),
    (("merge_sizes",), lambda r, shape: torch.full((1,), r.sizes.number("spatial_merge_size", default=2))),
    (("position_embeddings", "rotary_pos_emb", "position_embedding", "rotary_position_embeddings"), Recipes.rotary),
    (("bbox", "*_bbox", "boxes", "*_boxes"), lambda r, shape: boxes(*(shape or (BATCH, LENGTH, 4)))),
    (("pixel_position_ids", "image_position_ids"), lambda r, shape: places(BATCH, SIDE * SIDE, 2)),
    (("padding_positions",), lambda r, shape: torch.zeros(BATCH, SIDE * SIDE, dtype=torch.bool)),
)  # fmt: skip
