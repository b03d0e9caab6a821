"""`init:` as a spec states it: forms, how they are told, and mistakes at their places."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from spec_text import HEAD, marked, message, spec

from archcheck.spec.model import Init, Start
from archcheck.spec.schema import schema

BLOCK = "blocks:\n  b: {where: x, flow: x + dropout(self_attention(x))}\n"


def claim(init: str) -> str:
    return HEAD + BLOCK + f"claims: [{{id: a, where: x, init: {init}}}]\n"


def start(init: str) -> Start:
    (found,) = starts(init)
    return found


def starts(init: str) -> tuple[Start, ...]:
    states = spec(claim(init)).claims[0].states
    assert isinstance(states, Init)
    return states.starts


@pytest.mark.parametrize(
    ("init", "says"),
    [
        ("{of: residual.last_norm, weight: 0}", "residual.last_norm start with weight 0"),
        ("{of: [linear, mlp], weight: 0, bias: 0}", "linear, mlp start with weight 0 and bias 0"),
        (
            "{of: [attention.value in b, b.output], scheme: xavier_normal, gain: (8*N)**(-1/4)}",
            "attention.value in b, b.output start with xavier normal, gain (8*N)**(-1/4)",
        ),
        (
            "{of: mlp.linear, scheme: kaiming_uniform, fan: out, gain: 1}",
            "mlp.linear start with kaiming uniform, fan out, gain 1",
        ),
        (
            "{of: attention.output, std: 0.02 / (2*N)**0.5}",
            "attention.output start with standard deviation 0.02 / (2*N)**0.5",
        ),
        (
            "{of: linear, bound: 1/sqrt(fan_in)}",
            "linear start with uniform, bound 1/sqrt(fan_in)",
        ),
        (
            "{of: embedding, scheme: truncated_normal, std: 0.02, cut: 2}",
            "embedding start with truncated normal, standard deviation 0.02, cut at 2",
        ),
        (
            "{of: attention.value, ratio: (8*N)**(-1/4), to: [attention.query, attention.key]}",
            "attention.value start with (8*N)**(-1/4) times the standard deviation of attention.query, attention.key",
        ),
        (
            "[{of: mlp.last_linear, weight: 0}, {of: scale, weight: 1}]",
            "mlp.last_linear start with weight 0; scale start with weight 1",
        ),
    ],
)
def test_what_it_says(init: str, says: str) -> None:
    assert spec(claim(init)).claims[0].says == says


def test_parts_have_roles() -> None:
    found = start("{of: [attention.value, act, mlp.last_linear in b, residual.first_norm, residual.act], weight: 0}")
    roles = [(part.what.name, part.role, part.of.name if part.of else "") for part in found.of]
    assert roles == [
        ("attention", "value", ""),
        ("act", "", ""),
        ("mlp", "last", "linear"),
        ("residual", "first", "layer_norm"),  # terms are followed
        ("residual", "all", "gelu"),
    ]
    assert [part.where.name if part.where else "" for part in found.of] == ["", "", "b", "", ""]


@pytest.mark.parametrize(("text", "value"), [("10%", 0.1), ("0.02", 0.02), ("'1 %'", 0.01), ("1", 1)])
def test_tolerances(text: str, value: float) -> None:
    assert start(f"{{of: linear, std: 1, tolerance: {text}}}").tolerance == pytest.approx(value)


def test_the_usual_tolerance() -> None:
    assert start("{of: linear, std: 1}").tolerance == 0.05


@pytest.mark.parametrize(
    ("init", "problem"),
    [
        ("{weight: 0}", 'init: "of" is missing here'),
        ("3", "3: a mapping must stand here"),
        ("[]", "[]: the claim states no initial values"),
        ("{of: linear}", "{of: linear}: no initial values are stated"),
        ("{of: linear, gain: 2}", "{of: linear, gain: 2}: no initial values are stated"),
        ("{of: linaer, weight: 0}", 'linaer: no op, term or block is called "linaer"'),
        ("{of: linear in c, weight: 0}", 'c: no op, term or block is called "c"'),
        ("{of: mlp.value, weight: 0}", "value: mlp has no value"),
        ("{of: attention.vlaue, weight: 0}", 'vlaue: "vlaue" is no part of attention'),
        ("{of: residual.last_nrom, weight: 0}", 'last_nrom: "last_nrom" is no part of residual'),
        ("{of: norm before b, weight: 0}", 'norm before b: "norm before b" names no part'),
        ("{of: linear, wieght: 0, bias: 0}", 'wieght: there is no key "wieght" here'),
        ("{of: linear, weight: z}", 'z: no size is called "z"'),
        ("{of: linear, std: fan_on**-0.5}", 'fan_on: no size is called "fan_on"'),
        ("{of: linear, scheme: xavier_nromal}", 'xavier_nromal: no scheme is called "xavier_nromal"'),
        ("{of: linear, scheme: kaiming, fan: on}", 'on: no fan is called "on"'),
        ("{of: linear, scheme: 3}", "3: text must stand here"),
        ("{of: linear, scheme: normal}", "scheme: normal needs std:"),
        ("{of: linear, scheme: uniform}", "scheme: uniform needs bound:"),
        ("{of: linear, scheme: truncated_normal, cut: 2}", "scheme: truncated_normal needs std:"),
        ("{of: linear, scheme: xavier, std: 1}", "std: std: is no part of xavier"),
        ("{of: linear, scheme: normal, std: 1, gain: 2}", "gain: gain: is no part of normal"),
        ("{of: linear, scheme: xavier, fan: in}", "fan: fan: is no part of xavier"),
        ("{of: linear, scheme: normal, std: 1, cut: 2}", "cut: cut: is no part of normal"),
        ("{of: linear, std: 1, bound: 2}", "std: std: is no part of uniform"),
        ("{of: linear, weight: 0, std: 1}", "std: weight: is one value, and std: a spread of them"),
        ("{of: linear, std: 1, ratio: 2, to: embedding}", "std: std: and ratio: say the same"),
        ("{of: linear, ratio: 2}", "ratio: ratio: needs to:"),
        ("{of: linear, std: 2, to: embedding}", "to: to: needs ratio:"),
        ("{of: linear, std: 1, tolerance: 10}", "10: a tolerance lies between 0 and 1"),
        ("{of: linear, std: 1, tolerance: some}", "some: a tolerance lies between 0 and 1"),
        ("{of: linear, weight: 0}, absent: norm", "a: the claim has 2 forms: absent, init"),
    ],
)
def test_a_mistake_is_told_at_its_place(init: str, problem: str) -> None:
    assert marked(claim(init))[:1] == [problem]


def test_the_whole_message() -> None:
    assert message(claim("{of: attention.vlaue, weight: 0}")) == (
        'made.yaml:8:49: "vlaue" is no part of attention\n'
        "   8 | claims: [{id: a, where: x, init: {of: attention.vlaue, weight: 0}}]\n"
        "     |                                                 ^^^^^\n"
        '  hint: did you mean "value"? it may be query, key, value, output, a kind of op, first_KIND or last_KIND'
    )


def test_a_mistake_in_a_list_is_told_for_the_list() -> None:
    assert marked(claim("[{of: linear, weight: 0}, {of: 3, weight: 0}]")) == ["3: text or a list must stand here"]


@pytest.mark.parametrize("init", [{"of": "linear", "weight": 0}, [{"of": ["linear"], "std": "1/N", "tolerance": "5%"}]])
def test_the_schema_accepts_what_is_right(init: Any) -> None:
    made = {"archcheck": 1, "id": "a", "title": "a", "claims": [{"id": "a", "where": "x", "init": init}]}
    jsonschema.validate(made, schema())


def test_the_schema_refuses_what_is_wrong() -> None:
    made = {"archcheck": 1, "id": "a", "title": "a", "claims": [{"id": "a", "where": "x", "init": {"of": "b", "x": 1}}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schema())
    assert "xavier_normal" in json.dumps(schema())
