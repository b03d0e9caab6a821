"""Where reading ends early, and what an op says about why it is there: never agreement by silence."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources, ops

from archcheck.frontends.static import reader
from archcheck.frontends.static.reader import Limits


def test_endless_recursion_stops_with_a_reason(sources: Sources) -> None:
    [variant] = sources.read("def g(x):\n    return g(x * 2)\n\ndef f(x):\n    return g(x)\n").variants
    assert variant.error == "calls nest deeper than 120"


def test_an_endless_loop_stops_with_a_reason(sources: Sources) -> None:
    text = "def f(x):\n    while True:\n        x = x * 2\n    return x\n"
    [variant] = sources.read(text, limits=Limits(steps=500)).variants
    assert variant.error == "evaluation was stopped after 500 steps"


def test_a_loop_that_is_cut_stops_the_reading(sources: Sources) -> None:
    text = "def f(x):\n    for i in range(50):\n        x = x * 2\n    return x\n"
    [variant] = sources.read(text, limits=Limits(iterations=10)).variants
    assert variant.error == "a loop of more than 10 rounds is not followed"


def test_a_while_loop_that_is_too_long_stops_with_a_reason(sources: Sources) -> None:
    text = "def f(x):\n    k = 0\n    while k >= 0:\n        k += 1\n    return x * k\n"
    [variant] = sources.read(text, limits=Limits(iterations=10)).variants
    assert variant.error == "a while loop did not end within 10 rounds"


def test_numbers_and_lists_do_not_grow_without_bound(sources: Sources) -> None:
    text = "def f(x):\n    k = 10 ** 10 ** 10\n    many = [0] * (1 << 60)\n    return x * k * len(many)\n"
    [variant] = sources.read(text).variants
    assert ops(variant).count("too large to build") == 2


def test_a_callee_that_raises_is_an_opaque_op_with_the_reason(sources: Sources) -> None:
    text = """
        def g(x):
            y = x * 2
            raise RuntimeError("no kernel")

        def f(x):
            return g(x) + 1
        """
    [variant] = sources.read(text).variants
    assert variant.error == ""
    [opaque] = [op for op in variant.graph.ops if op.kind.name == "opaque"]
    assert (opaque.attr("name"), opaque.attr("why")) == ("g", "reading it raised RuntimeError: no kernel")
    assert opaque.span is not None
    assert variant.graph.ops[-1].reads[0].op == opaque.path
    assert ("g", "reading it raised RuntimeError: no kernel") in [(one.what, one.why) for one in variant.unread]


def test_a_target_that_raises_gives_an_error_and_its_place(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def forward(self, x):
                x = x * 2
                raise NotImplementedError("in a subclass")
        """
    [variant] = sources.read(text, "Model").variants
    assert variant.error == "NotImplementedError: in a subclass"
    assert variant.error_span is not None
    assert (variant.error_span.file, variant.error_span.line) == ("model.py", 8)


def test_a_constructor_that_raises_gives_an_error(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self, heads=3):
                super().__init__()
                if 8 % heads:
                    raise ValueError(f"{heads} heads")
            def forward(self, x):
                return x * 2
        """
    [variant] = sources.read(text, "Model").variants
    assert variant.error == "ValueError: 3 heads"
    assert sources.computes(text, "Model", {"heads": "4"}) == "%1 = mul %0 by=2"


def test_a_call_of_something_unknown_is_opaque_with_the_reason(sources: Sources) -> None:
    text = "from somewhere import kernel\n\ndef f(x):\n    return kernel(x, 2)\n"
    [variant] = sources.read(text).variants
    [opaque] = [op for op in variant.graph.ops if op.kind.name == "opaque"]
    assert opaque.attr("name") == "somewhere.kernel"
    assert opaque.attr("why") == "somewhere.kernel is not in the dialect and its source is not installed"


def test_an_op_names_the_setting_its_line_and_the_trail(sources: Sources) -> None:
    sources.write(
        "configs.py",
        """
        class Config:
            def __init__(self, act="tanh"):
                self.act = act

        def base():
            config = Config()
            config.act = "relu"
            return config

        def small():
            config = base()
            return config
        """,
    )
    text = """
        from configs import small

        class Model(nn.Module):
            def __init__(self, config):
                super().__init__()
                self.act = torch.relu if config.act == "relu" else torch.tanh
            def forward(self, x):
                return self.act(x) * 2
        """
    [variant] = sources.read(text, "Model", {"config": "small()"}).variants
    by_kind = {op.kind.name: op for op in variant.graph.ops}
    [setting] = by_kind["relu"].because
    assert (setting.name, setting.value) == ("config.act", "'relu'")
    assert setting.span is not None
    assert (setting.span.file, setting.span.line) == ("configs.py", 8)
    assert [step.function for step in setting.trail] == ["small", "base"]
    assert by_kind["mul"].because == ()  # it stands whatever the setting says


def test_a_branch_names_the_setting_that_chose_it(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self, norm_first=True):
                super().__init__()
                self.norm_first = norm_first
            def forward(self, x):
                if self.norm_first:
                    x = torch.relu(x)
                return x * 2
        """
    reading = sources.read(text, "Model")
    default = next(variant for variant in reading.variants if variant.default)
    by_kind = {op.kind.name: op for op in default.graph.ops}
    assert [(one.name, one.value) for one in by_kind["relu"].because] == [("norm_first", "True")]
    assert by_kind["mul"].because == ()


def test_a_formula_written_by_hand_stands_at_its_own_line(sources: Sources) -> None:
    [variant] = sources.read("def f(x):\n    y = x * 2\n    return y + 1\n").variants
    lines = [op.span.line for op in variant.graph.ops if op.span is not None]
    assert lines == [5, 6]


def test_a_run_that_took_all_steps_is_not_made_again(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the other side of an open condition nor an optional argument is tried: it would stop there too."""
    runs: list[object] = []
    once = reader._Reader.once
    monkeypatch.setattr(reader._Reader, "once", lambda *given: runs.append(given) or once(*given))
    text = """
        from elsewhere import mystery
        def f(x, mask=None, flag=True):
            if mystery():
                x = torch.tanh(x)
            for _ in range(9999):
                x = torch.relu(x)
            return x
        """
    [variant] = sources.read(text, limits=Limits(steps=3000)).variants
    assert "stopped after 3,000 steps" in variant.error
    assert len(runs) == 1
