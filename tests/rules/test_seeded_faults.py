"""From a graph that conforms, one thing is swapped: the rule that guards it speaks, once, and no other."""

from __future__ import annotations

import pytest
from rule_cases import PARALLEL, POST, PRE, changed, findings, repeated, stack

from archcheck.findings import Verdict

GATED = changed(POST, ("%r = relu %f\n%g = linear %r", "%q = linear %n\n%r = silu %f\n%u = mul %r, %q\n%g = linear %u"))
SCALED = changed(
    POST, ("%a = self_attention", "%y = scale %x by=3.0\n%a = self_attention"), ("add %x, %d", "add %y, %d")
)
SANDWICH = changed(
    PRE,
    ("%d = dropout %a", "%h = layer_norm %a\n%d = dropout %h"),
    ("%e = dropout %g", "%k = layer_norm %g\n%e = dropout %k"),
)
CROSS = changed(POST, ("give %m", "%c = cross_attention %m, %x\n%v = add %m, %c\n%w = layer_norm %v\ngive %w"))
SWAPPED = """
%n = input name="x"
%f = linear %n
%r = relu %f
%g = linear %r
%e = dropout %g
%t = add %n, %e
%m = layer_norm %t
%a = self_attention %m heads=8
%d = dropout %a
%s = add %m, %d
%o = layer_norm %s
give %o
"""
FAULTS = {
    "post-norm to pre-norm": (POST, PRE, "norm-placement", "from after the residual add to before the sublayer"),
    "pre-norm to post-norm": (PRE, POST, "norm-placement", "from before the sublayer to after the residual add"),
    "pre-norm to sandwich": (PRE, SANDWICH, "norm-placement", "a norm is added between the sublayer and the residual"),
    "sandwich to pre-norm": (
        SANDWICH,
        PRE,
        "norm-placement",
        "the norm between the sublayer and the residual add is mi",
    ),
    "one norm dropped": (
        PRE,
        changed(PRE, ("%m = layer_norm %s\n", ""), ("linear %m", "linear %s")),
        "norm-placement",
        "the norm before the sublayer is missing, in feed-forward",
    ),
    "a final norm": (
        PRE,
        changed(PRE, ("give %t", "%z = layer_norm %t\ngive %z")),
        "norm-placement",
        "a norm is added after the residual add",
    ),
    "post-norm to pre-norm with a final norm": (
        POST,
        changed(PRE, ("give %t", "%z = layer_norm %t\ngive %z")),
        "norm-placement",
        "in self-attention and feed-forward, and one more norm follows the last sublayer",
    ),
    "in a row of layers": (repeated(POST, 6), repeated(PRE, 6), "norm-placement", "in self-attention and feed-forward"),
    "the kind of norm": (POST, changed(POST, ("layer_norm", "rms_norm")), "norm-kind", "an RMS norm, not a layer norm"),
    "another activation": (POST, changed(POST, ("relu", "gelu")), "activation", "GELU, not ReLU, in feed-forward"),
    "one activation more": (
        POST,
        changed(POST, ("%e = dropout %g", "%h = relu %g\n%e = dropout %h")),
        "activation",
        "the activation ReLU is added, in feed-forward",
    ),
    "an activation behind attention": (
        POST,
        changed(POST, ("%d = dropout %a", "%h = relu %a\n%d = dropout %h")),
        "activation",
        "the activation ReLU is added, in self-attention",
    ),
    "no residual": (
        POST,
        changed(POST, ("%t = add %n, %e\n%m = layer_norm %t", "%m = layer_norm %e")),
        "residual",
        "the residual is missing, in feed-forward",
    ),
    "no residual around a pre-norm sublayer": (
        PRE,
        changed(PRE, ("%t = add %s, %e\ngive %t", "give %e")),
        "residual",
        "the residual is missing, in feed-forward",
    ),
    "a residual added": (
        changed(PRE, ("%t = add %s, %e\ngive %t", "give %e")),
        PRE,
        "residual",
        "a residual is added, in feed-forward",
    ),
    "a residual from the input": (
        POST,
        changed(POST, ("%t = add %n, %e", "%t = add %x, %e")),
        "residual",
        "the residual is taken from the block's input, not the output of the norm, in feed-forward",
    ),
    "a residual from before the norm": (
        POST,
        changed(POST, ("%t = add %n, %e", "%t = add %s, %e")),
        "residual",
        "from the sum behind self-attention, not the output of the norm, in feed-forward",
    ),
    "a residual from the norm": (
        PRE,
        changed(PRE, ("%t = add %s, %e", "%t = add %m, %e")),
        "residual",
        "from the output of the norm, not the sum behind self-attention, in feed-forward",
    ),
    "each residual from its norm": (
        PRE,
        changed(PRE, ("%t = add %s, %e", "%t = add %m, %e"), ("add %x, %d", "add %n, %d")),
        "residual",
        "in self-attention and feed-forward",
    ),
    "the factor on the other side": (
        SCALED,
        changed(POST, ("%d = dropout %a", "%b = scale %a by=3.0\n%d = dropout %b")),
        "residual-scale",
        "the factor multiplies the branch, not the residual, in self-attention",
    ),
    "no factor": (SCALED, POST, "residual-scale", "the factor on the residual is missing"),
    "a factor added": (POST, SCALED, "residual-scale", "a factor on the residual is added"),
    "another factor": (SCALED, changed(SCALED, ("3.0", "2.0")), "residual-scale", "2.0, not 3.0"),
    "a gate dropped": (GATED, changed(POST, ("relu", "silu")), "gating", "the feed-forward is not gated"),
    "a gate added": (changed(POST, ("relu", "silu")), GATED, "gating", "the feed-forward is gated"),
    "other heads": (
        POST,
        changed(POST, ("heads=8", "heads=16")),
        "attention-attributes",
        "heads of self-attention is 16",
    ),
    "dropout behind the add": (
        POST,
        changed(
            POST,
            (
                "%d = dropout %a\n%s = add %x, %d\n%n = layer_norm %s",
                "%s = add %x, %a\n%d = dropout %s\n%n = layer_norm %d",
            ),
        ),
        "dropout-placement",
        "to after the residual add, in self-attention",
    ),
    "a dropout dropped": (
        POST,
        changed(POST, ("%d = dropout %a\n%s = add %x, %d", "%s = add %x, %a")),
        "dropout-placement",
        "is missing, in self-attention",
    ),
    "parallel": (PRE, PARALLEL, "parallel-sublayers", "in parallel, not one behind the other"),
    "sequential": (PARALLEL, PRE, "parallel-sublayers", "one behind the other, not in parallel"),
    "a sublayer more": (POST, CROSS, "sublayers", "cross-attention is added"),
    "a sublayer less": (CROSS, POST, "sublayers", "the cross-attention is missing"),
    "sublayers in another order": (POST, SWAPPED, "sublayers", "another order"),
    "more layers": (repeated(POST, 6), repeated(POST, 12), "repeat", "12 times, not 6"),
    "another rate": (
        changed(POST, ("dropout %a", "dropout %a p=0.1")),
        changed(POST, ("dropout %a", "dropout %a p=0.3")),
        "attribute",
        "the rate of dropout is 0.3, not 0.1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_rule_that_guards_it_speaks_once(fault: str) -> None:
    claim, code, rule, message = FAULTS[fault]
    assert findings(claim, claim) == ()
    found = findings(claim, code)
    assert [(one.rule, one.verdict) for one in found] == [(rule, Verdict.VIOLATED)], [one.message for one in found]
    assert message in found[0].message
    assert found[0].edits
    for words in (found[0].paper, found[0].code, found[0].fix):
        assert words.endswith(".")
        assert words[0] == words[0].upper() or words == found[0].fix
    assert "\n" not in found[0].message


def test_the_sequences_stand_under_each_other() -> None:
    (found,) = findings(POST, PRE)
    assert found.expected == (
        *("", "self-attention", "dropout", "add", "norm"),
        *("", "feed-forward", "dropout", "add", "norm"),
    )
    assert found.actual == (
        *("norm", "self-attention", "dropout", "add", ""),
        *("norm", "feed-forward", "dropout", "add", ""),
    )


def test_two_faults_are_two_findings() -> None:
    code = changed(PRE, ("relu", "gelu"), ("heads=8", "heads=4"))
    assert [one.rule for one in findings(POST, code)] == ["norm-placement", "activation", "attention-attributes"]


def test_a_gate_and_its_activation_are_told_apart() -> None:
    assert [one.rule for one in findings(POST, GATED)] == ["gating", "activation"]


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (changed(POST, ("heads=8", 'heads=unknown("config.heads was not given")')), "config.heads was not given"),
        (changed(POST, ("%n = layer_norm %s", '%n = opaque %s name="tf.foo" why="no row"')), "tf.foo"),
    ],
)
def test_what_could_not_be_read_is_undetermined_and_nothing_else(code: str, what: str) -> None:
    (found,) = findings(POST, code)
    assert (found.rule, found.verdict) == ("not-determined", Verdict.UNDETERMINED)
    assert what in found.message
    assert what in found.code


def test_what_differs_in_many_ways_in_one_place_is_told_at_once() -> None:
    code = changed(
        POST, ("%f = linear %n\n%r = relu %f", "%c = cumsum %n\n%f = conv %c kernel=1\n%q = fft %f\n%r = relu %q")
    )
    found = [one for one in findings(POST, code) if one.rule == "operations"]
    assert len(found) == 1
    assert "several operations differ, in feed-forward" in found[0].message


@pytest.mark.parametrize("folded", [True, False])
def test_layers_in_a_row_are_told_in_one_finding(folded: bool) -> None:
    five, often = stack(POST, 5), "" if folded else " of 5 layers"
    (found,) = findings(five, stack(PRE, 5), folded=folded)
    assert found.rule == "norm-placement"
    assert found.message.endswith(f"in self-attention and feed-forward{often}")
    assert found.actual[0] == "norm"
    (kinds,) = findings(five, changed(five, ("layer_norm", "rms_norm")), folded=folded)
    assert kinds.rule == "norm-kind"
    assert kinds.message.endswith(f"in self-attention and feed-forward{often}")


def test_a_fault_in_one_layer_of_many_is_told_once() -> None:
    five = stack(POST, 5)
    code = changed(five, ("%t_2 = add %n_2, %e_2\n%m_2 = layer_norm %t_2", "%m_2 = layer_norm %e_2"))
    found = findings(five, code, folded=False)
    assert [(one.rule, one.message) for one in found] == [("residual", "the residual is missing, in feed-forward")]
