"""Places and settings: the line that decided stands first, what decided everything is left out."""

from __future__ import annotations

from dataclasses import replace

from rule_cases import POST, PRE, case_of, changed, findings

from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.span import Setting, Span, Step
from archcheck.ir.text import parse
from archcheck.rules import explain
from archcheck.rules.words import a, in_sublayers, listed

FILE = "models/transformer.py"


def setting(name: str, value: str, line: int) -> Setting:
    trail = (Step("transformer_base", Span(FILE, 600)), Step("transformer_base_v2", Span(FILE, line)))
    return Setting(f"hparams.{name}", value, Span(FILE, line, 3), trail)


LAYERS = setting("num_hidden_layers", "6", 610)
PRE_SEQUENCE = setting("layer_preprocess_sequence", "'n'", 616)
POST_SEQUENCE = setting("layer_postprocess_sequence", "'da'", 617)
NORM_TYPE = setting("norm_type", "'layer'", 618)
FFN = setting("ffn_layer", "'conv_hidden_relu'", 619)
BECAUSE = {
    "layer_norm": (LAYERS, PRE_SEQUENCE, NORM_TYPE),
    "dropout": (LAYERS, POST_SEQUENCE),
    "add": (LAYERS, POST_SEQUENCE),
    "linear": (LAYERS, FFN),
    "relu": (LAYERS, FFN),
    "rms_norm": (LAYERS, PRE_SEQUENCE, setting("norm_type", "'rms'", 618)),
}


def decided(text: str) -> OpGraph:
    """A graph as tensor2tensor's code gives it: each op knows the settings that put it there, and its line."""
    graph = parse(text)
    ops = tuple(_decided(op, number) for number, op in enumerate(graph.ops))
    return replace(graph, ops=ops)


def _decided(op: Op, number: int) -> Op:
    because = () if op.kind.name == "input" else BECAUSE.get(op.kind.name, (LAYERS,))
    return replace(op, because=because, span=Span("layers/common.py", 100 + number, 5))


def stated(text: str) -> OpGraph:
    graph = parse(text)
    return replace(graph, ops=tuple(replace(op, span=Span("spec.yaml", 40 + n)) for n, op in enumerate(graph.ops)))


def test_a_norm_that_moved_points_at_the_line_that_set_its_place() -> None:
    (found,) = explain(case_of(stated(POST), decided(PRE)))
    assert found.rule == "norm-placement"
    assert found.places[0].span == PRE_SEQUENCE.span
    assert found.places[0].text == f"line 616 of {FILE}"
    assert found.places[1].span == POST_SEQUENCE.span
    assert found.trail == (PRE_SEQUENCE, POST_SEQUENCE)
    assert [place.span.file for place in found.places[2:]] == ["layers/common.py"] * 2 + ["spec.yaml"] * 2
    assert "hparams.layer_preprocess_sequence (transformer.py:616)" in found.fix
    assert "'none'" not in found.fix  # no value is invented


def test_a_setting_that_only_holds_others_is_left_out() -> None:
    given = Setting("hparams", "transformer_base()")
    code = decided(PRE)
    ops = (replace(op, because=(given, *op.because)) if op.kind.name == "layer_norm" else op for op in code.ops)
    (found,) = explain(case_of(stated(POST), replace(code, ops=tuple(ops))))
    assert found.trail == (PRE_SEQUENCE, POST_SEQUENCE)


def test_a_setting_that_was_given_is_to_be_given_otherwise() -> None:
    given = Setting("norm_first", "True")
    code = parse(PRE)
    ops = (replace(op, because=(given,)) if op.kind.name == "layer_norm" else op for op in code.ops)
    (found,) = explain(case_of(stated(POST), replace(code, ops=tuple(ops))))
    assert found.trail == (given,)
    assert "give another norm_first" in found.fix


def test_the_kind_of_a_norm_points_at_the_line_that_named_it() -> None:
    (found,) = explain(case_of(stated(PRE), decided(changed(PRE, ("layer_norm", "rms_norm")))))
    assert found.rule == "norm-kind"
    assert [one.name for one in found.trail] == ["hparams.norm_type"]
    assert found.places[0].span == Span(FILE, 618, 3)


def test_without_settings_the_line_of_code_comes_first_and_the_spec_behind() -> None:
    code = decided(changed(POST, ("%g = linear %r", "%g = linear %r bias=False")))
    bare = replace(code, ops=tuple(replace(op, because=()) for op in code.ops))
    (found,) = explain(case_of(stated(changed(POST, ("%g = linear %r", "%g = linear %r bias=True"))), bare))
    assert found.trail == ()
    assert [place.span.file for place in found.places] == ["layers/common.py", "spec.yaml"]
    assert "change the line" not in found.fix


def test_what_is_missing_points_at_what_stands_next_to_it() -> None:
    code = changed(POST, ("%d = dropout %a\n%s = add %x, %d", "%s = add %x, %a"))
    (found,) = explain(case_of(stated(POST), decided(code)))
    assert found.rule == "dropout-placement"
    assert any(place.says == "next to it" for place in found.places)
    assert found.places[-1].span.file == "spec.yaml"


def test_a_reason_stands_first_where_it_is_known() -> None:
    code = changed(POST, ("heads=8", 'heads=unknown("not given", "config.py:7:1:0:0")'))
    (found,) = findings(POST, code)
    assert found.places[0].span == Span("config.py", 7, 1)


def test_words() -> None:
    assert listed(["a", "b", "a", "c"]) == "a, b and c"
    assert in_sublayers(["x", "y"]) == ", in x and y"
    assert in_sublayers(["x", "y", "x", "y"]) == ", in x and y of 2 layers"
    assert in_sublayers(["x", "y", "y"]) == ", in x and y (3 places)"
    assert [a(word) for word in ("RMS norm", "layer norm", "GELU", "ReLU", "LSTM", "embedding")] == [
        *("an RMS norm", "a layer norm", "a GELU", "a ReLU", "an LSTM", "an embedding"),
    ]
