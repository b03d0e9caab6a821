"""Registries: what decorators and calls at the top level of modules put into dicts, though no name leads there."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources, ops

BASE = """
import torch
from torch import nn

BLOCKS = {%s}


def register(name, block=None):
    if name in BLOCKS:
        raise KeyError(name + " is taken")

    def decorator(block):
        BLOCKS[name] = block
        return block

    return decorator if block is None else decorator(block)


class Registry:
    _entries = {}

    def __init__(self):
        self.entries = dict()

    @classmethod
    def add(cls, name):
        def decorator(block):
            cls._entries[name] = block
            return block
        return decorator

    def register(self, block):
        self.entries[block.__name__] = block
        return block


ALL = Registry()


class Plain(nn.Module):
    def forward(self, x):
        return x - 1
"""


def computed(sources: Sources, held: str, registering: str, looking: str) -> str:
    sources.write("base.py", BASE % held)
    text = f"""
from base import ALL, BLOCKS, Plain, Registry, register

{registering}
class Shift(nn.Module):
    def forward(self, x):
        return x + 1

{"" if registering else "register('shift', Shift)"}

class Model(nn.Module):
    def __init__(self, kind="shift"):
        super().__init__()
        {looking}

    def forward(self, x):
        return self.block(x)
"""
    return sources.computes(text, "Model")


@pytest.mark.parametrize("held", ["", "'plain': 2"], ids=["empty", "filled"])
@pytest.mark.parametrize("registering", ["@register('shift')", ""], ids=["decorator", "call"])
@pytest.mark.parametrize(
    "looking",
    [
        "self.block = BLOCKS[kind]()",
        "self.block = (BLOCKS.get(kind) or Plain)()",
        "self.block = BLOCKS[kind]() if kind in BLOCKS else Plain()",
        "self.block = [block for name, block in BLOCKS.items() if name == kind][0]()",
        "self.block = {name: block for name, block in BLOCKS.items()}[kind]()",
    ],
)
def test_what_a_module_registers_is_found(sources: Sources, held: str, registering: str, looking: str) -> None:
    assert computed(sources, held, registering, looking) == "%1 = add %0 by=1"


@pytest.mark.parametrize(
    ("registering", "looking"),
    [
        ("@Registry.add('shift')", "self.block = Registry._entries.get(kind)()"),
        ("@ALL.register", "self.block = ALL.entries['Shift']()"),
    ],
)
def test_a_registry_may_be_an_object(sources: Sources, registering: str, looking: str) -> None:
    assert computed(sources, "", registering, looking) == "%1 = add %0 by=1"


def test_a_name_that_nothing_registers_is_an_error(sources: Sources) -> None:
    sources.write("base.py", BASE % "")
    text = """
        from base import BLOCKS, register

        class Model(nn.Module):
            def forward(self, x):
                return BLOCKS["nothing"]()(x)
        """
    [variant] = sources.read(text, "Model").variants
    assert variant.error == "KeyError: 'nothing'"


def test_what_is_given_by_something_unknown_is_no_result(sources: Sources) -> None:
    text = """
        import outside

        class Model(nn.Module):
            def forward(self, x):
                return outside.setting.of
        """
    [variant] = sources.read(text, "Model").variants
    assert variant.error == "what it gives is not known: outside.setting.of"


def test_environment_variables_are_taken_as_not_set(sources: Sources) -> None:
    text = """
        import os

        WAY = os.getenv("WAY", "plain")

        def f(x):
            plain = WAY == "plain" and os.environ.get("OTHER") is None and "THIRD" not in os.environ
            return x + 1 if plain else x - 1
        """
    reading = sources.read(text)
    assert ops(reading.variants[0]) == "%1 = add %0 by=1"
    assert "the environment variable WAY is not set" in reading.assumptions
    assert "the environment variable OTHER is not set" in reading.assumptions
    assert "the environment variable THIRD is not set" in reading.assumptions


REGISTRY = """
_MODELS = {}


def register_model(function):
    _MODELS[function.__name__] = function
    return function


def register_as(name):
    def decorator(function):
        _MODELS[name] = function
        return function
    return decorator


def create_model(name, **kwargs):
    if name.split(".")[0] not in _MODELS:
        raise RuntimeError("no model is called " + name)
    return _MODELS[name.split(".")[0]](**kwargs)
"""
FACTORY = """
from torch import nn
from zoo.registry import register_as, register_model


class Shift(nn.Module):
    def __init__(self, by):
        super().__init__()
        self.by = by

    def forward(self, x):
        return x + self.by


{decorator}
def {name}(by=2):
    return Shift(by)
"""
USER = """
    from zoo import create_model

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = create_model("{asked}")

        def forward(self, x):
            return self.inner(x)
    """


@pytest.mark.parametrize("asked", ["shift", "shift.trained"])
@pytest.mark.parametrize(
    ("decorator", "name"), [("@register_model", "shift"), ("@register_as('shift')", "build")], ids=["name", "text"]
)
def test_a_name_is_found_in_the_module_of_the_package_that_registers_it(
    sources: Sources, decorator: str, name: str, asked: str
) -> None:
    sources.write("zoo/__init__.py", "from .registry import create_model\nfrom .shifts import *\nfrom .others import *")
    sources.write("zoo/registry.py", REGISTRY)
    sources.write("zoo/shifts.py", FACTORY.format(decorator=decorator, name=name))
    sources.write("zoo/others.py", FACTORY.format(decorator="@register_model", name="other"))
    assert sources.computes(USER.format(asked=asked), "Model") == "%1 = add %0 by=2"


@pytest.mark.parametrize(
    ("first", "second"), [("@register_model", "@register_model"), ("@decorated", "")], ids=["twice", "never"]
)
def test_a_name_that_several_register_or_none_is_not_taken(sources: Sources, first: str, second: str) -> None:
    plain = "def decorated(function):\n    return function\n"
    sources.write("zoo/__init__.py", "from .registry import create_model")
    sources.write("zoo/registry.py", REGISTRY)
    for module, decorator in (("shifts", first), ("others", second)):
        sources.write(f"zoo/{module}.py", plain + FACTORY.format(decorator=decorator, name="shift"))
    [variant] = sources.read(USER.format(asked="shift"), "Model").variants
    assert variant.error == "RuntimeError: no model is called shift"
