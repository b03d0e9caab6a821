"""Configurations get what nobody set; what the user sets stays."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from trace_sources import ask  # torch may be missing

from archcheck.frontends.trace.child.presets import Presets
from archcheck.frontends.trace.tracer import tables


class Config:
    """Stands for a library's base class."""

    def __init__(self, use_cache: bool = True, attention: str | None = None, inner: Any = None) -> None:
        self.use_cache = use_cache
        self.attention = attention
        self.inner = inner


NAME = f"{__name__}.Config"
PRESETS = Presets({NAME: {"attention": "eager"}}, {NAME: {"use_cache": False}})
TOLD = "use_cache is False, which is not its default"


@pytest.fixture(autouse=True)
def watched() -> None:
    PRESETS.watch()


def test_what_nobody_set_is_set_and_told() -> None:
    config = Config()
    assert list(PRESETS.apply(config)) == [TOLD]
    assert (config.use_cache, config.attention) == (False, "eager")
    assert list(PRESETS.apply(config)) == []


def test_what_the_user_sets_stays() -> None:
    config = Config(use_cache=True, attention="sdpa", inner=Config(attention="flash"))
    assert list(PRESETS.apply(config)) == [TOLD]  # for the inner one
    assert (config.use_cache, config.attention) == (True, "sdpa")
    assert (config.inner.use_cache, config.inner.attention) == (False, "flash")


def test_a_class_that_is_defined_later_is_watched_too() -> None:
    class Later(Config):
        def __init__(self, depth: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)

    config = Later(3, use_cache=True)
    assert PRESETS.is_config(Later)
    assert list(PRESETS.apply(config)) == []
    assert config.use_cache


def test_a_field_that_a_class_does_not_have_is_not_set_by_a_default() -> None:
    config = Config()
    del config.use_cache
    assert list(PRESETS.apply(config)) == []
    assert not hasattr(config, "use_cache")


@pytest.mark.parametrize(
    ("given", "softmax", "assumed"),
    [("", True, True), (", attn_implementation='sdpa'", False, True), (", use_cache=True", True, False)],
)
def test_a_released_configuration_is_the_users(given: str, softmax: bool, assumed: bool) -> None:
    pytest.importorskip("transformers")
    sizes = "vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2"
    arguments = {"config": f"LlamaConfig({sizes}{given})"}
    answer = ask("transformers.models.llama.modeling_llama", "LlamaModel", tables(), arguments=arguments)
    assert answer["error"] == ""
    assert ("torch.nn.functional.softmax" in answer["names"]) is softmax
    assert (TOLD in answer["assumed"]) is assumed
