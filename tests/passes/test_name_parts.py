"""Parts under a paper's own words: each call is one op; calls that cannot be told apart are opaque."""

from __future__ import annotations

from archcheck.ir.span import Caller, Reached, Span
from archcheck.ir.text import dump, parse
from archcheck.passes.name_parts import name_parts

RAW = """\
# ["static", "Net", "train"]
%0 = input name='x'
%1 = linear %0  @ path="f.up/0.linear"
%2 = relu %1  @ path="f/0.relu"
%3 = linear %2  @ path="f.down/0.linear"
%4 = sigmoid %3  @ path="1.sigmoid"
give %4
"""


def named(raw: str, places: list[str], reached: Reached | None = None) -> list[str]:
    graph = name_parts(parse(raw), {"f": places}, reached or Reached())
    return [line.partition("  @")[0] for line in dump(graph, places=False).splitlines() if line.startswith("%")]


def test_what_a_module_computes_is_one_op() -> None:
    assert named(RAW, ["f"]) == ["%0 = input name='x'", "%1 = function %0 name='f'", "%2 = sigmoid %1"]
    assert len(named(RAW, ["g"])) == 5


def test_calls_are_told_apart_by_who_called() -> None:
    twice = RAW.replace('%4 = sigmoid %3  @ path="1.sigmoid"', '%4 = linear %3  @ path="f.up/1.linear"')
    here = Span("net.py", 1)
    one, two = Caller(here, None, "forward", "f"), Caller(here, None, "forward", "f")
    called = {"f.up/0": one, "f/0": one, "f.down/0": one, "f.up/1": two}
    assert named(twice, ["f"], Reached(called)) == [
        "%0 = input name='x'",
        "%1 = function %0 name='f'",
        "%2 = function %1 name='f'",
    ]


def test_calls_that_cannot_be_told_apart_are_opaque() -> None:
    twice = RAW.replace('%4 = sigmoid %3  @ path="1.sigmoid"', '%4 = linear %3  @ path="f.up/1.linear"')
    (_, op) = named(twice, ["f"])
    assert op.startswith("%1 = opaque %0 name='f' why='calls of f that follow each other")


def test_a_function_is_bound_by_its_name() -> None:
    call = Caller(Span("net.py", 3), None, "squash", "")
    assert named(RAW, ["squash"], Reached({"f/0": call})) == [
        "%0 = input name='x'",
        "%1 = linear %0",
        "%2 = function %1 name='f'",
        "%3 = linear %2",
        "%4 = sigmoid %3",
    ]
