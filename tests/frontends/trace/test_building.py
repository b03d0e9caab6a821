"""What a symbol stands for, what it is constructed with, and what a user is told where that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")

from trace_sources import ask, model  # torch may be missing

if TYPE_CHECKING:
    from trace_sources import Sources

MAKE = """
    def make(width=16):
        return nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU())

    def make_all(width, depth):
        return nn.Sequential(*[nn.Linear(width, width) for _ in range(depth)])

    class Builder:
        def build(self, width=8):
            return nn.Linear(width, width)
"""
SCALED = """
    def scaled(x, factor=2.0, shift=None):
        return x * factor if shift is None else x * factor + shift

    def relu(x=None):
        return torch.relu(x)
"""


def _weights(answer: dict[str, Any]) -> dict[str, list[int]]:
    assert answer["error"] == "", answer
    return {name: answer["shapes"][answer["shape_of"][number]][0] for name, number, _ in answer["weights"]}


# ---- functions that build


@pytest.mark.parametrize(
    ("symbol", "arguments", "weight"),
    [
        ("make", {}, [32, 16]),
        ("make", {"width": "3"}, [6, 3]),
        ("make_all", {"width": "5", "depth": "2"}, [5, 5]),
        ("Builder.build", {}, [8, 8]),
        ("Builder.build", {"width": "4"}, [4, 4]),
    ],
)
def test_a_function_that_gives_a_module_builds_it(
    traces: Sources, symbol: str, arguments: dict[str, str], weight: list[int]
) -> None:
    answer = traces.ask(MAKE, symbol, arguments=arguments)
    name = "weight" if "." in symbol else "0.weight"
    assert _weights(answer)[name] == weight
    assert any(not building for *_, building in answer["calls"])


def test_a_function_that_builds_of_what_is_not_given_says_what_to_give(traces: Sources) -> None:
    answer = traces.ask(MAKE, "make_all", arguments={"width": "5"})
    assert answer["error"] == "make_all builds a Sequential of what it is given"
    assert answer["hint"].endswith("--arg NAME=EXPR: width, depth")
    answer = traces.ask(MAKE, "make_all")
    assert answer["error"].startswith("make_all builds layers of what it is given, and fails: TypeError")
    assert answer["at"][1:3] == ["make_all.<locals>.<listcomp>", 10]


def test_a_function_that_computes_is_called(traces: Sources) -> None:
    assert "torch.relu" in traces.ask(SCALED, "relu")["names"]
    assert traces.ask(SCALED, "scaled")["error"] == ""


def test_a_function_that_fails_is_told_where(traces: Sources) -> None:
    answer = traces.ask("def make(width=16):\n    return nn.Linear(width, wdith)\n", "make")
    assert answer["error"] == "NameError: name 'wdith' is not defined"
    assert answer["at"][2:4] == [6, 28]


# ---- arguments of the call


def test_arguments_that_no_constructor_takes_are_those_of_the_call(traces: Sources) -> None:
    source = model("return x * factor if causal else x.relu()", given="x, factor=2.0, causal=False")
    given = traces.ask(source, arguments={"causal": "True", "factor": "3.0"})
    assert given["names"] == ["torch.Tensor.mul"]
    assert given["calls"][0][3][1] == 3.0
    assert given["assumed"] == []
    assert traces.ask(source)["names"] == ["torch.Tensor.relu"]
    assert traces.ask(source, "Model.forward", arguments={"causal": "True"})["names"] == ["torch.Tensor.mul"]


def test_arguments_of_a_function_are_given_to_it(traces: Sources) -> None:
    answer = traces.ask(SCALED, "scaled", arguments={"factor": "7.0", "shift": "torch.ones(7, 64)"})
    assert answer["calls"][0][3][1] == 7.0
    assert [name for name, _ in answer["inputs"]] == ["x", "shift"]


def test_what_is_given_is_not_mended(traces: Sources) -> None:
    source = model("return x.view(x.shape[0], parts, -1)", given="x, parts")
    assert "invalid for input" in traces.ask(source, arguments={"parts": "11"}, inputs={"x": "2x7x64"})["error"]


@pytest.mark.parametrize(
    ("symbol", "takes"), [("Model", "width, x, factor"), ("make", "width, input"), ("scaled", "x, factor, shift")]
)
def test_an_argument_that_nothing_takes_names_those_there_are(traces: Sources, symbol: str, takes: str) -> None:
    source = """
        class Model(nn.Module):
            def __init__(self, width=3):
                super().__init__()

            def forward(self, x, factor=2.0, **kwargs):
                return x * factor

        def make(width=16):
            return nn.Linear(width, width)

        def scaled(x, factor=2.0, shift=None):
            return x * factor
    """
    answer = traces.ask(source, symbol, arguments={"wdith": "3"})
    assert answer["error"] == f"{symbol} has no parameter wdith"
    assert answer["hint"] == f"it takes {takes}"


def test_an_argument_is_not_given_twice(traces: Sources) -> None:
    answer = traces.ask(model("return x"), arguments={"x": "torch.ones(2)"}, inputs={"x": "2x3"})
    assert answer["error"] == "x is given twice, with --arg and with --input"


# ---- what cannot be built


BROKEN = """
    class Model(nn.Module):
        def __init__(self, heads, width=3):
            super().__init__()
            self.check(width)

        def check(self, width):
            raise ValueError(f"width {width} is not divisible by 4")

    class Plain:
        pass

    class Exits(nn.Module):
        def __init__(self):
            raise SystemExit(3)

    NUMBER = 3
    NOTHING = None
"""


def test_a_constructor_that_raises_is_told_with_its_place_and_what_it_was_given(traces: Sources) -> None:
    answer = traces.ask(BROKEN)
    assert answer["error"] == "constructing Model failed: ValueError: width 3 is not divisible by 4"
    assert answer["at"][1:4] == ["Model.check", 12, 8]
    assert answer["hint"] == "nobody said what it is given, and it got heads=4; --arg NAME=EXPR gives it something else"
    answer = traces.ask(BROKEN, arguments={"heads": "2"})
    assert answer["hint"] == "--arg NAME=EXPR gives it something else; it takes heads, width"


@pytest.mark.parametrize(
    ("symbol", "told", "hint"),
    [
        ("Plain", "a Plain cannot be called", "name a method: Plain.METHOD"),
        ("Plain.run", "Plain has no run", ""),
        ("NUMBER", "NUMBER is int, which computes nothing", "name a class or a function"),
        ("NOTHING", "NOTHING is NoneType, which computes nothing", "name a class or a function"),
        ("Exits", "constructing Exits failed: SystemExit: 3", ""),
    ],
)
def test_what_computes_nothing_is_told(traces: Sources, symbol: str, told: str, hint: str) -> None:
    answer = traces.ask(BROKEN, symbol)
    assert (answer["error"], answer["hint"], answer["stage"]) == (told, hint, "build")


@pytest.mark.parametrize(
    ("expression", "told"),
    [("3 +", "--arg width=3 +: invalid syntax"), ("nn.Nope(3)", "AttributeError"), ("wdith", "NameError")],
)
def test_an_expression_that_has_no_value_is_told(traces: Sources, expression: str, told: str) -> None:
    answer = traces.ask(BROKEN, arguments={"width": expression})
    assert told in answer["error"]
    assert answer["stage"] == "build"


def test_a_module_that_cannot_be_imported_is_told_with_the_line(traces: Sources) -> None:
    answer = traces.ask("import nothing_of_this_name\n")
    assert answer["error"].endswith("ModuleNotFoundError: No module named 'nothing_of_this_name'")
    assert answer["at"][2:4] == [5, 0]
    assert "--python" in answer["hint"]


@pytest.mark.parametrize("body", ["return None", "x.exp()", "return [3, 'x']"])
def test_a_call_that_gives_no_tensor_has_not_come_to_its_end(traces: Sources, body: str) -> None:
    answer = traces.ask(model(body))
    assert answer["error"].startswith("what it gives holds no tensor: ")
    assert answer["stage"] == "run"


def test_a_script_that_ends_when_it_is_imported_is_told_where(traces: Sources) -> None:
    answer = traces.ask("import argparse\n\nargparse.ArgumentParser().parse_args(['--nothing'])\n")
    assert answer["error"].endswith("failed: SystemExit: 2")
    assert answer["at"][2] == 7
    assert "__main__" in answer["hint"]


def test_a_name_that_the_module_does_not_have_is_looked_for_near_it(traces: Sources) -> None:
    package = traces.folder / "near_package"
    for name, text in {
        "__init__.py": "from near_package import other\n",
        "other.py": "class Sizes:\n    width = 3\n    def __init__(self):\n        raise ValueError('too many')\n",
        "inner/__init__.py": "from near_package.inner import sizes\n",
        "inner/sizes.py": "class Sizes:\n    width = 5\n",
        "inner/model.py": "from torch import nn\n\nclass Model(nn.Module):\n    def __init__(self, sizes):\n"
        "        super().__init__()\n        self.out = nn.Linear(sizes.width, 2)\n\n"
        "    def forward(self, x):\n        return self.out(x)\n",
    }.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    asked = {"roots": [str(traces.folder)], "arguments": {"sizes": "Sizes()"}}
    assert _weights(ask("near_package.inner.model", "Model", **asked))["out.weight"] == [2, 5]
    answer = ask("near_package.inner.model", "Model", **{**asked, "arguments": {"sizes": "Nowhere()"}})
    assert answer["error"] == "--arg sizes=Nowhere(): NameError: name 'Nowhere' is not defined"


def test_numbers_that_a_tensor_is_made_of_are_not_taken_for_sizes(traces: Sources) -> None:
    text = """
        import torch
        from torch import nn

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                widths = torch.unique(torch.tensor([24, 24, 368, 152, 368], device="cpu")).tolist()
                self.layers = nn.ModuleList(nn.Linear(8, width) for width in widths)

            def forward(self, x):
                return [layer(x) for layer in self.layers]
        """
    _, found = traces.trace(text)
    widths = [op.attr("out_features") for op in found.graph.walk() if op.kind.name == "linear"]
    assert widths == [24, 152, 368]
    assert not found.assumptions
