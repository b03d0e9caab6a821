"""Modules: what stands at their top level, how they import each other, and configurations that are found."""

from __future__ import annotations

from textwrap import dedent

from evaluator_sources import Sources, ops


def test_the_branch_of_the_top_level_that_runs_binds(sources: Sources) -> None:
    text = """
        import sys
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            k = 1
        else:
            k = 2

        try:
            from nowhere_at_all import fast
        except ImportError:
            fast = None

        try:
            {}["a"]
            j = 1
        except KeyError:
            j = 5

        def f(x):
            return x * k * j
        """
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = mul %1 by=5"


def test_modules_may_import_each_other(sources: Sources) -> None:
    sources.write("pkg/__init__.py", "")
    sources.write("pkg/one.py", "from pkg import two\nA = 2\n\ndef scale(x):\n    return x * two.B\n")
    sources.write("pkg/two.py", "from pkg.one import A\nB = A + 3\n")
    text = "from pkg.one import scale\n\ndef f(x):\n    return scale(x)\n"
    assert sources.computes(text) == "%1 = mul %0 by=5"


def test_a_name_defined_in_terms_of_itself_is_not_known(sources: Sources) -> None:
    sources.write("one.py", "from two import k\n")
    sources.write("two.py", "from one import k\n")
    [variant] = sources.read("from one import k\n\ndef f(x):\n    return x * k\n").variants
    assert "unknown('k is defined in terms of itself'" in ops(variant)


def test_a_name_may_be_bound_to_something_made_from_what_it_was(sources: Sources) -> None:
    sources.write("pkg/__init__.py", "")
    sources.write("pkg/base.py", "TABLE = {'a': 2}\n")
    text = """
        from pkg.base import TABLE

        TABLE.update({"b": 3})
        TABLE = dict(TABLE, c=5)
        TABLE["d"] = 7

        def twice(function):
            def both(x):
                return function(function(x))
            return both

        def g(x):
            return x * TABLE["a"] * TABLE["b"] * TABLE["c"] * TABLE["d"]

        g = twice(g)

        def f(x):
            return g(x)
        """
    factors = [line.split("by=")[1] for line in sources.computes(text).splitlines()]
    assert factors == ["2", "3", "5", "7"] * 2


def test_a_module_of_a_package_comes_before_what_its_stars_bring(sources: Sources) -> None:
    sources.write("pkg/__init__.py", "from .other import *\nown = 2\n")
    sources.write("pkg/other.py", "part = 9\nown = 9\n")
    sources.write("pkg/part.py", "k = 3\n")
    sources.write("pkg/own.py", "")
    text = "from pkg import own, part\n\ndef f(x):\n    return x * own * part.k\n"
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = mul %1 by=3"


def test_a_module_may_be_imported_by_a_name_made_at_run_time(sources: Sources) -> None:
    sources.write("pkg/__init__.py", "")
    sources.write("pkg/sub/__init__.py", "")
    sources.write("pkg/sub/one.py", "k = 2\n")
    sources.write("pkg/two.py", "k = 3\n")
    text = """
        import importlib

        def f(x):
            part = "one"
            near = importlib.import_module(f".{part}", "pkg.sub")
            far = importlib.import_module("..two", package="pkg.sub")
            return x * near.k * far.k * getattr(importlib.import_module("pkg.two"), "k")
        """
    factors = [line.split("by=")[1] for line in sources.computes(text).splitlines()]
    assert factors == ["2", "3", "3"]


def test_star_imports_are_looked_through(sources: Sources) -> None:
    sources.write("pkg/__init__.py", "from .inner import *\n")
    sources.write("pkg/inner.py", "from .deeper import *\nk = 2\n_hidden = 3\n")
    sources.write("pkg/deeper.py", "j = 4\n")
    text = "from pkg import *\n\ndef f(x):\n    return x * k * j\n"
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = mul %1 by=4"
    [variant] = sources.read("from pkg import *\n\ndef f(x):\n    return x * _hidden\n").variants
    assert "unknown('the name _hidden is not defined'" in ops(variant)


def test_a_name_that_a_package_exports_lazily_is_found(sources: Sources) -> None:
    sources.write("pkg/__init__.py", "import sys\nsys.modules[__name__] = object()\n")
    sources.write("pkg/inner.py", "def scale(x):\n    return x * 6\n")
    assert sources.computes("from pkg import scale\n\ndef f(x):\n    return scale(x)\n") == "%1 = mul %0 by=6"


def test_imports_are_relative_to_their_package(sources: Sources) -> None:
    sources.write("pkg/__init__.py", "")
    sources.write("pkg/sub/__init__.py", "")
    sources.write("pkg/base.py", "k = 3\n")
    sources.write(
        "pkg/sub/inner.py", "from ..base import k\nfrom .. import base as b\n\ndef g(x):\n    return x * k * b.k\n"
    )
    text = "import pkg.sub.inner as inner\n\ndef f(x):\n    return inner.g(x)\n"
    assert sources.computes(text) == "%1 = mul %0 by=3\n%2 = mul %1 by=3"


def test_a_module_is_an_object(sources: Sources) -> None:
    sources.write("settings.py", "k = 4\n")
    text = """
        import settings

        def f(x):
            return x * settings.k * getattr(settings, "k") * getattr(settings, "absent", 2)
        """
    assert sources.computes(text) == "%1 = mul %0 by=4\n%2 = mul %1 by=4\n%3 = mul %2 by=2"


# ---- configurations

CONFIG = """
    class ModelConfig:
        def __init__(self, hidden=8, act="relu", wide=False):
            self.hidden = hidden
            self.act = act
            self.wide = wide

    class OtherConfig:
        def __init__(self, rate=0.5):
            self.rate = rate
    """
MODEL = """
    class Model(nn.Module):
        def __init__(self, config%s):
            super().__init__()
            self.config = config
            self.k = config.hidden
        def forward(self, x):
            return torch.relu(x) * self.k if self.config.act == "relu" else x
    """


def test_a_required_config_is_found_by_its_annotation(sources: Sources) -> None:
    sources.write("configs.py", CONFIG)
    text = "from configs import ModelConfig\n" + dedent(MODEL % ": ModelConfig")
    assert sources.computes(text, "Model") == "%1 = relu %0\n%2 = mul %1 by=8"


def test_a_required_config_is_found_by_what_is_read_from_it(sources: Sources) -> None:
    sources.write("configs.py", CONFIG)
    text = "from configs import ModelConfig, OtherConfig\n" + dedent(MODEL % "")
    assert sources.computes(text, "Model") == "%1 = relu %0\n%2 = mul %1 by=8"


def test_a_config_may_be_given_in_the_modules_own_words(sources: Sources) -> None:
    sources.write("configs.py", CONFIG)
    text = "from configs import ModelConfig\n" + dedent(MODEL % "")
    assert sources.computes(text, "Model", {"config": "ModelConfig(hidden=3)"}) == "%1 = relu %0\n%2 = mul %1 by=3"


def test_a_flag_of_a_config_is_turned(sources: Sources) -> None:
    sources.write("configs.py", CONFIG)
    text = "from configs import ModelConfig\n" + dedent(
        """
        class Model(nn.Module):
            def __init__(self, config: ModelConfig):
                super().__init__()
                self.config = config
            def forward(self, x):
                return x * (2 if self.config.wide else 3)
        """
    )
    reading = sources.read(text, "Model")
    assert {(variant.when, ops(variant)) for variant in reading.variants} == {
        ((), "%1 = mul %0 by=3"),
        ((("wide", True),), "%1 = mul %0 by=2"),
    }


def test_a_configuration_is_of_the_class_that_the_body_of_the_model_annotates(sources: Sources) -> None:
    text = """
        class Settings:
            def __init__(self, k=4):
                self.k = k

        class Base(nn.Module):
            config: Settings
            def __init__(self, config):
                super().__init__()
                self.held = config

        class Model(Base):
            def __init__(self, config):
                super().__init__(config)
            def forward(self, x):
                return x * self.held.k
        """
    assert sources.computes(text, "Model") == "%1 = mul %0 by=4"


def test_a_configuration_is_found_by_what_those_read_to_which_it_is_passed_on(sources: Sources) -> None:
    text = """
        class Settings:
            def __init__(self, k=4):
                self.k = k

        class Inner(nn.Module):
            def __init__(self, config):
                super().__init__()
                self.k = config.k
            def forward(self, x):
                return x * self.k

        class Model(nn.Module):
            def __init__(self, config):
                super().__init__()
                self.inner = Inner(config)
            def forward(self, x):
                return self.inner(x)
        """
    assert sources.computes(text, "Model") == "%1 = mul %0 by=4"


def test_a_function_that_makes_a_module_is_about_the_module(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self, k):
                super().__init__()
                self.k = k
            def forward(self, x):
                return x * self.k

        def built(vocabulary: int, k: int = 3) -> Model:
            return Model(k)

        def sequence(d: int = 4) -> nn.Module:
            return nn.Sequential(nn.Linear(d, d), nn.ReLU())
        """
    assert sources.computes(text, "built") == "%1 = mul %0 by=3"
    assert sources.computes(text, "built", {"k": "7"}) == "%1 = mul %0 by=7"
    assert [line.split()[2] for line in sources.computes(text, "sequence").splitlines()] == ["linear", "relu"]
