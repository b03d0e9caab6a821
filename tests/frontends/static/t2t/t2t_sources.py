"""A small package in tensor2tensor's manner, for tests."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

from archcheck.frontends.static.t2t import HParamsSet, Limits, registered

COMMON = """
    from zoo.utils import registry
    import tensorflow as tf

    @registry.register_hparams("basic")
    def basic():
        return tf.contrib.training.HParams(
            hidden_size=64,
            dropout=0.2,
            layer_preprocess_sequence="none",
            layer_postprocess_sequence="dan",
            norm_type="layer",
            sizes=[1, 2],
            shared=int(False),
        )
"""


def finder(**files: str) -> Callable[[str], tuple[str, str] | None]:
    """`find` over modules of a package `zoo`, given as `layers__common="…"`; `layers.common` is always there."""
    texts = {"zoo.layers.common": dedent(COMMON)}
    texts.update({"zoo." + name.replace("__", "."): dedent(text) for name, text in files.items()})

    def find(module: str) -> tuple[str, str] | None:
        text = texts.get(module)
        return None if text is None else (module.replace(".", "/") + ".py", text)

    return find


HEAD = "from zoo.layers import common\nfrom zoo.utils import registry\nimport tensorflow as tf\n"


def sets(text: str, *, limits: Limits = Limits(), **files: str) -> dict[str, HParamsSet]:  # noqa: B008 - frozen
    """The sets that module `zoo.models.model`, made of three imports and `text`, registers, by function."""
    found = registered(finder(models__model=HEAD + dedent(text), **files), "zoo.models.model", limits)
    return {each.function: each for each in found}


def one(body: str, *, limits: Limits = Limits(), before: str = "", **files: str) -> HParamsSet:  # noqa: B008 - frozen
    """The set of one function `tried`, which starts from `hp = common.basic()`, runs `body` and returns `hp`."""
    lines = ["hp = common.basic()", *dedent(body).strip().splitlines(), "return hp"]
    text = dedent(before) + "\n@registry.register_hparams\ndef tried():\n" + "".join(f"    {line}\n" for line in lines)
    return sets(text, limits=limits, **files)["tried"]
