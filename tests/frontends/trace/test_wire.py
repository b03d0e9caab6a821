"""What comes out of a sandbox was written by code that nobody trusts: it is checked, and never believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archcheck.frontends.trace.wire import Failure, Recording, WireError, parse, parse_many

GOOD: dict[str, Any] = {
    "version": 1,
    "symbol": "Model",
    "names": ["torch.relu"],
    "places": ["", "layer"],
    "sites": [["/m/model.py", "Model.forward", 3, 4, 3, 9]],
    "calls": [[0, 1, 0, [["t", 0]], None, ["t", 1], None, None, False]],
    "inputs": [["x", 0]],
    "settings": [["width", "[None]", "64"]],
    "held": [[0, [[1, 2], [True, 0]]]],
    "weights": [["layer.weight", 2, True]],
    "found": [],
    "shapes": [[[2, 3], "torch.float32"]],
    "shape_of": [0, 0, 0],
    "modules": [["", "m", "Model", "/m/model.py"]],
    "results": [1],
    "guesses": [["item", 0, "1"]],
    "caught": [],
    "assumed": [],
    "made": {"heads": "4"},
    "given": ["x"],
    "error": "",
    "times": {"run": 0.1},
}


def _bytes(**changed: Any) -> bytes:
    return json.dumps({**GOOD, **changed}).encode()


def test_a_recording_is_what_was_told() -> None:
    found = parse(_bytes())
    assert isinstance(found, Recording)
    (call,) = found.calls
    assert (call.name, call.place, call.args, call.given) == ("torch.relu", "layer", [["t", 0]], ["t", 1])
    assert call.site is not None
    assert (call.site.line, call.site.column) == (3, 5)
    assert found.made == {"heads": "4"}


def test_a_failure_is_told_with_its_stage() -> None:
    found = parse(b'{"version": 1, "error": "no torch", "stage": "torch"}')
    assert found == Failure("no torch", "torch")


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"calls": [[0, 1, 0, [["t", 9]], None, ["t", 1], None, None, False]]},
        {"calls": [[7, 1, 0, [], None, None, None, None, False]]},
        {"calls": [[0, 9, 0, [], None, None, None, None, False]]},
        {"calls": [[0, 1, 9, [], None, None, None, None, False]]},
        {"calls": [[0, 1, 0, [["q", 1]], None, None, None, None, False]]},
        {"calls": [[0, 1, 0, [{"t": 1}], None, None, None, None, False]]},
        {"calls": [[0, 1, 0]]},
        {"calls": "all of them"},
        {"results": [-1]},
        {"results": ["1"]},
        {"inputs": [["x", True]]},
        {"held": [[0, [0.5]]]},
        {"held": [[0, ["text"]]]},
        {"held": [[9, [1]]]},
        {"held": [[0, [1] * 50_000]]},
        {"shape_of": [4]},
        {"shapes": [["no", "numbers"]]},
        {"names": [3]},
        {"symbol": None},
        {"sites": [["/m/model.py", "f", "three", 0, 0, 0]]},
        {"weights": [["w"]]},
        {"times": {"run": "long"}},
        {"caught": [["item", 9, "RuntimeError"]]},
        {"made": ["heads"]},
        {"made": {"heads": 4}},
        {"made": {"a b": "4"}},
        {"made": {"heads": "open('/etc/passwd')"}},
        {"made": {"heads": "4 4"}},
        {"made": {"heads": "'" + 300 * "x" + "'"}},
        {"made": {f"a{number}": "4" for number in range(100)}},
        {"initial": {"rows": [{"name": "w"}], "note": ""}},
    ],
)
def test_what_makes_no_sense_is_an_error(changed: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        parse(_bytes(**changed))


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[]", b"null", b"[" * 100_000, b'{"version": 1'])
def test_what_is_no_answer_is_an_error(data: bytes) -> None:
    with pytest.raises(WireError):
        parse(data)


def test_a_value_that_nests_too_deeply_is_an_error() -> None:
    value: Any = 1
    for _ in range(40):
        value = ["l", value]
    with pytest.raises(WireError):
        parse(_bytes(calls=[[0, 1, 0, [value], None, None, None, None, False]]))


def test_one_of_many_that_makes_no_sense_does_not_spoil_the_others() -> None:
    many = json.dumps({"version": 1, "many": [GOOD, {"version": 3}, {"version": 1, "error": "e", "stage": "build"}]})
    good, bad, failed = parse_many(many.encode(), 3)
    assert isinstance(good, Recording)
    assert isinstance(bad, WireError)
    assert failed == Failure("e", "build")
    with pytest.raises(WireError):
        parse_many(many.encode(), 2)
