"""`archcheck spec new --from FILE.dot`: what diagrams draw, what is wrong in them, and files that mean harm."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from archcheck.cli.app import app
from archcheck.cli.entry import run
from archcheck.errors import SpecError
from archcheck.spec.build import read
from archcheck.spec.diagram import Drawn, drawn
from archcheck.spec.dot import MAX_BYTES, parse
from archcheck.spec.new import Stated, flow_of, from_diagram, starter, worded

FIXTURES = Path(__file__).parents[2] / "fixtures"


def of(text: str) -> Drawn:
    return drawn(parse(text.encode(), "figure.dot"))


def flow(text: str) -> str:
    return flow_of(of(text).graph)


FIGURE = """\
// Figure 1 (left) of Vaswani et al. 2017, as drawn by hand
digraph encoder {
  rankdir=BT; node [shape=box];
  x [label="Inputs"];
  mha [label="Multi-Head\\nAttention"]; an1 [label="Add & Norm"];
  ff [label=<Feed<BR/>Forward>]; an2 [label="Add & Norm"];
  subgraph cluster_0 {
    label="N = 6 x";
    x -> {mha an1}; mha -> an1:w; an1 -> ff -> an2; an1 -> an2
  }
  an2 -> out;  /* to the
  decoder */
# a line of a preprocessor
  out [label="Output"]
}
"""


def test_a_papers_figure() -> None:
    found = of(FIGURE)
    assert flow_of(found.graph) == (
        "inputs = norm(inputs + self_attention(inputs))\ninputs = norm(inputs + feed_forward(inputs))"
    )
    assert (found.repeat, found.misses, found.ignored) == (6, (), ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('digraph { x -> "LayerNorm" -> "Masked Self-Attention" -> y }', "self_attention(layer_norm(x), causal=True)"),
        ("digraph { x -> relu -> tanh }", "tanh(relu(x))"),
        ("strict digraph G { relu [label=ReLU] ; x->relu ; }", "relu(x)"),
        ('digraph { a [label="nn.Conv2d(3, 64)"]; x -> a -> b; b [label="MaxPool"] }', "pool(conv(x), mode='max')"),
        ('digraph { a [label="3x3 conv, 64, /2"]; x -> a }', "conv(x, kernel=3, out_features=64, stride=2)"),
        ('digraph { a [label="fc 1000"]; x -> a }', "linear(x, out_features=1000)"),
        ('digraph { a [label="conv\\nkernel 3, stride=2"]; x -> a }', "conv(x, kernel=3, stride=2)"),
        ('digraph { a [label="+"]; p [shape=point, label=""]; x -> p; p -> relu; relu -> a; p -> a }', "x + relu(x)"),
        ('digraph { a [label="×"]; x -> a; x -> SiLU -> a; y -> a }', "x * y * h"),
        ('digraph { a [label="−"]; y -> a; x -> a }', "y - x"),
        ('digraph { c [label=concat]; x -> c; h -> c; c -> "σ" }', "sigmoid(concat(x, h))"),
        ('digraph { q -> attn; m -> attn; attn [label="Multi-Head Attention"] }', "cross_attention(q, m)"),
        ('digraph { n [shape=record, label="{<f0> Conv|kernel 3}"]; x -> n:f0:n }', "conv(x, kernel=3)"),
        ("digraph { n [label=<<TABLE><TR><TD>Layer&#32;Norm</TD></TR></TABLE>>]; x -> n }", "layer_norm(x)"),
        ('digraph { x -> relu; relu -> b [style=invis]; t [label="Figure 2"]; b [label=tanh]; x -> b }', "h, x"),
        ("digraph { relu -> out }", "relu(x)"),
        ('digraph { label = "the \\"best\\" model"; graph [x=1] edge [color=red]; "x" + "" -> relu }', "relu(x)"),
    ],
)
def test_what_diagrams_draw(text: str, expected: str) -> None:
    found = flow(text)
    assert ", ".join(line for line in found.splitlines()) == expected or found.splitlines()[-1] == expected


def test_a_table_of_torchview() -> None:
    """Its labels are tables of HTML that also tell depths and shapes."""
    cell = '{0} [label=<<TABLE BORDER="0"><TR><TD ROWSPAN="2">{1}<BR/>depth:1</TD><TD>(1, 64)</TD></TR></TABLE>>]\n'
    nodes = (cell.format(at, name) for at, name in enumerate(("input-tensor", "Linear", "relu", "output-tensor")))
    found = of(f"strict digraph model {{ node [shape=plaintext]\n{''.join(nodes)} 0 -> 1\n1 -> 2\n2 -> 3 }}")
    assert flow_of(found.graph) == "relu(linear(input_tensor))"
    assert "depth:1" in found.ignored


def test_words_that_are_no_ops_are_told_with_their_places(tmp_path: Path) -> None:
    file = tmp_path / "figure.dot"
    file.write_text('digraph {\n  x -> "Spectral Mixer" -> a -> out\n  a [label="layer nrom\\n64 channels"]\n}\n')
    text, misses = from_diagram(file, "made2026")
    assert [(miss.problem, miss.place.rpartition("figure.dot")[2]) for miss in misses] == [
        ('no op is called "Spectral Mixer"', ":2:8"),
        ('no op is called "layer nrom 64 channels"', ":3:12"),
    ]
    assert misses[1].hint.startswith('did you mean "layer_norm"?')
    made = read(text.encode(), "made2026.yaml")
    assert [term.name for term in made.terms] == ["spectral_mixer", "layer_nrom_channels"]
    assert made.block("figure").says == "layer_nrom_channels(spectral_mixer(x))"


def test_which_arrow_is_taken_as_the_minuend_is_told() -> None:
    assert of('digraph { a [label="−"]; y -> a; x -> a }').ignored == ("− takes off what its later arrow brings",)


def test_lines_of_labels_that_are_not_understood_are_told(tmp_path: Path) -> None:
    file = tmp_path / "figure.dot"
    file.write_text('digraph { x -> a; a [label="Linear\\n8 → 16, depth:2"] }')
    text, misses = from_diagram(file, "made2026")
    assert "    # of the diagram: depth:2\n" in text
    assert "flow: linear(x, in_features=8, out_features=16)" in text or "in_features=8, out_features=16" in text
    assert not misses


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("digraph { x -> relu -> tanh -> relu }", "the arrows go round, through relu", "1:21"),
        ("digraph { x -> x }", "the arrows go round, through x", "1:13"),
        ("graph { x -- relu }", "this line has no direction", "1:11"),
        ("digraph { x -> relu", "this is not DOT: a } is missing at its end", "1:16"),
        ('digraph { x -> "relu }', "this is not DOT: this text has no end", "1:16"),
        ("digraph { x [label=<<b>relu</b>] }", "this is not DOT: the HTML of this label has no end", "1:20"),
        ("digraph { x -> ! }", 'this is not DOT: "!" cannot stand here', "1:16"),
        ("x -> relu", "this is not DOT: it does not begin with digraph", "1:1"),
        ("", "this is not DOT: it does not begin with digraph", "1:1"),
        ("digraph { }", "the diagram draws no op", "1:1"),
        ("digraph { x -> ; }", "this is not DOT: a name must stand here", "1:16"),
        ("digraph { x -> relu; y -> relu }", '"relu" has 2 arrows into it', "1:16"),
        ('digraph { x -> a; a [label="+"] }', '"+" has one arrow into it', "1:28"),
        (
            'digraph { p [label=""]; x -> relu -> p; x -> p; p -> tanh }',
            '"p" has no word, and 2 arrows into it',
            "1:20",
        ),
        ("digraph " + "{" * 60, "this is not DOT: more than 32 subgraphs are inside each other", "1:42"),
        ("digraph { a [label=<" + "<" * 60 + ">] }", "this is not DOT: the HTML of this label has no end", "1:20"),
    ],
)
def test_what_is_wrong_in_a_diagram(text: str, problem: str, place: str) -> None:
    with pytest.raises(SpecError) as caught:
        of(text)
    found = caught.value.problems[0]
    assert (found.problem, found.place) == (problem, f"figure.dot:{place}")


@pytest.mark.parametrize(
    "text",
    [
        "digraph {" + "relu;" * 10 + "x" * (MAX_BYTES + 1),
        "digraph {" + "".join(f"n{at} -> n{at + 1};" for at in range(30_000)) + "}",
        "digraph {{" + " ".join(f"a{at}" for at in range(900)) + "} -> {b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11}}",
        "digraph { a [label=<" + "<a>" * 200_000 + "] }",
        "digraph { " + "[" * 100_000,
        'digraph { a [label="' + "\\\\" * 200_000,
        "digraph { /*" + "*" * 400_000,
        "\0" * 1000,
        "digraph { a" + ":b" * 200_000 + "}",
    ],
    ids=["large", "nodes", "arrows", "html", "brackets", "escapes", "comment", "nul", "ports"],
)
def test_a_hostile_diagram_is_one_error_soon(text: str) -> None:
    start = time.process_time()
    with pytest.raises(SpecError):
        of(text)
    assert time.process_time() - start < 20  # quadratic readers take minutes


LABELS = (
    *("relu", "Add & Norm", "+", "×", "−", "LayerNorm", "Self-Attention", "Masked Attention", "Feed Forward", "concat"),
    *("Foo Bar", "linear", "lstm", "3x3 conv, 64", "dropout\\np = 0.1", "pool\\nmax", "split", "x", "1 fish", "é"),
    *("class", "self", "norm after", "input", "constant", "lambda", "where", "softmax\\naxis keys", "h2", "log", ""),
)


@given(st.data())
@settings(max_examples=300)
def test_any_diagram_becomes_a_spec_or_an_error(data: st.DataObject) -> None:
    labels = data.draw(st.lists(st.sampled_from(LABELS), min_size=2, max_size=7))
    pairs = [(one, other) for one in range(len(labels)) for other in range(one + 1, len(labels))]
    arrows = data.draw(st.lists(st.sampled_from(pairs), unique=True))
    nodes = " ".join(f'n{at} [label="{label}"]' for at, label in enumerate(labels))
    text = f"digraph {{ {nodes} {' '.join(f'n{one} -> n{other}' for one, other in arrows)} }}"
    try:
        found = of(text)
    except SpecError:
        return
    blocks, terms = {"block": Stated(flow_of(worded(found.graph)))}, dict.fromkeys(found.terms, "function")
    written = starter("made2026", blocks=blocks, terms=terms)
    assert read(written.encode(), "made2026.yaml").block("block")


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(SpecError, match="this is not UTF-8"):
        parse(b"digraph { \xff }", "figure.dot")


@pytest.mark.parametrize(
    ("target", "spec"),
    [
        ("vaswani2017/handwritten_norm/model.py:EncoderLayer", "vaswani2017#encoder_layer"),
        ("xie2023/helper/model.py:Layer", "xie2023#encoder_layer"),
        ("touvron2023/by_hand/model.py:Block", "touvron2023#decoder_layer"),
    ],
)
def test_what_is_drawn_is_read_back(target: str, spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a spec and of code: draw, new, validate, audit; and what departs from the picture is told."""
    code = str(FIXTURES / target)
    for number, source in enumerate((code, spec)):
        dot, made = str(tmp_path / f"layer{number}.dot"), str(tmp_path / f"made{number}.yaml")
        assert run(["draw", source, "-o", dot]) == 0
        assert run(["spec", "new", f"made{number}", "--from", dot, "-o", made]) == 0
        assert run(["spec", "validate", made]) == 0
        assert run(["audit", code, "--spec", made]) == 0, capsys.readouterr().out
        other = FIXTURES / ("xiong2020/plain" if "vaswani" in target else "vaswani2017/handwritten_norm") / "model.py"
        symbol = "Encoder" if "vaswani" in target else "EncoderLayer"
        assert run(["audit", f"{other}:{symbol}", "--spec", made]) == 1
    capsys.readouterr()


def test_a_gate_is_read_back_with_its_minuend(tmp_path: Path) -> None:
    spec = tmp_path / "gate.yaml"
    head = "archcheck: 1\nid: gate\ntitle: Gate\nblocks:\n  gate:\n    where: x\n    flow: |\n"
    spec.write_text(head + "      z = sigmoid(linear(concat(x, h)))\n      h = (1 - z) * h + z * tanh(x)\n")
    result = CliRunner().invoke(app, ["draw", f"{spec}#gate", "--format", "dot"], standalone_mode=False)
    assert "from 1" in result.output
    assert "1 - " in flow(result.output)
