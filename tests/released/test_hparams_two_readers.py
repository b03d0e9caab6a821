"""Two readers of tensor2tensor's hparams, the LibCST parser of the registry and the evaluator, hold each other."""

from __future__ import annotations

import pytest
from released_code import library

from archcheck.errors import TargetError
from archcheck.frontends.static.entry import Call, _Runner
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.machine import Frame, Machine
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.t2t import HParamsSet, registered
from archcheck.frontends.static.values import Instance
from archcheck.ir.graph import Unknown

pytestmark = pytest.mark.packages

MODULE = "tensor2tensor.models.transformer"
NAMES = (
    "layer_preprocess_sequence",
    "layer_postprocess_sequence",
    "norm_type",
    "num_hidden_layers",
    "hidden_size",
)
Facts = dict[str, tuple[object, str]]  # hparam -> its value, and the line that sets it


def by_parser(sources: Library) -> dict[str, Facts]:
    def find(module: str) -> tuple[str, str] | None:
        found = sources.module(module)
        return None if found is None else (found.shown, found.text)

    return {each.function: _parsed(each) for each in registered(find, MODULE)}


def _parsed(each: HParamsSet) -> Facts:
    facts: Facts = {}
    for name in NAMES:
        resolved = each.get(name)
        assert not isinstance(resolved, Unknown), f"{each.function}: {resolved}"
        span = resolved.setting.span
        assert span is not None
        facts[name] = (resolved.value, f"{span.file}:{span.line}")
    return facts


def by_evaluator(sources: Library, function: str) -> Facts:
    """What `--arg hparams=FUNCTION()` evaluates to."""
    machine = Machine(sources, own_package=MODULE)
    module = machine.module(MODULE)
    assert module is not None
    machine.frames.append(Frame("", module.file, 1))
    text = f"{function}()"
    made = _Runner(machine, module, Call(MODULE, "", {})).expression("hparams", text)
    assert isinstance(made, Instance), text
    facts: Facts = {}
    for name in NAMES:
        value = made.attributes[name]
        assert not isinstance(value, Open), f"{text}: {name} is not known: {value.why}"
        spans = [setting.span for setting in made.settings.get(name, ()) if setting.span is not None]
        facts[name] = (value, f"{spans[-1].file}:{spans[-1].line}" if spans else "")
    return facts


# Where the two differ, and in what. From 1.13 on tensor2tensor has an HParams class of its own, whose constructor takes
# everything as `**kwargs`: the evaluator reads it as it stands and knows the values, but not the keywords' lines.
_OLD = ("transformer_base_v1", "transformer_prepend_v1")
_KEYWORDS = {f"{function}.{name}" for function in _OLD for name in NAMES[:2]}
WITHOUT_A_LINE: dict[str, set[str]] = {"1.2.4": set(), "1.2.5": set(), "1.15.7": _KEYWORDS}


@pytest.mark.parametrize(("version", "count"), [("1.2.4", 38), ("1.2.5", 40), ("1.15.7", 95)])
def test_both_readers_give_the_same_values_and_lines(version: str, count: int) -> None:
    sources = library(f"tensor2tensor=={version}")
    parsed = by_parser(sources)
    assert len(parsed) == count
    values, lines = {}, {}
    for function, facts in parsed.items():
        evaluated = by_evaluator(sources, function)
        for name, ((value, line), (other_value, other_line)) in _pairs(facts, evaluated).items():
            if value != other_value:
                values[f"{function}.{name}"] = (value, other_value)
            if line != other_line:
                lines[f"{function}.{name}"] = (line, other_line)
    assert values == {}
    assert set(lines) == WITHOUT_A_LINE[version]
    assert {other for _, other in lines.values()} <= {""}  # a line that is told is the right one


def _pairs(one: Facts, other: Facts) -> dict[str, tuple[tuple[object, str], tuple[object, str]]]:
    return {name: (one[name], other[name]) for name in NAMES}


def test_a_set_that_is_not_there_is_an_error() -> None:
    with pytest.raises(TargetError):
        by_evaluator(library("tensor2tensor==1.2.4"), "transformer_of_nobody")
