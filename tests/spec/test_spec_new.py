"""A graph written back as equations, and specs to start from."""

from __future__ import annotations

from dataclasses import replace
from textwrap import indent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_text import with_flow

from archcheck.errors import GraphError
from archcheck.ir.graph import Op, OpGraph, Value, attrs
from archcheck.ir.ops import kind
from archcheck.ir.text import parse
from archcheck.spec import library, load, to_graph
from archcheck.spec.build import read
from archcheck.spec.new import exactly, flow_of, starter
from archcheck.spec.plain import plainly


def bare(graph: OpGraph) -> OpGraph:
    """`graph` without places, claims and origin."""
    return OpGraph(tuple(replace(op, span=None, claim="") for op in graph.ops), graph.results)


def written_back(graph: OpGraph) -> OpGraph:
    return bare(to_graph(with_flow(flow_of(graph)), "b"))


@pytest.mark.parametrize("key", library.keys())
def test_flows_of_the_library_survive(key: str) -> None:
    made, _ = load(key)
    filled = {name: 6 for name, value in made.sizes if value is None}
    sizes = made.values(made.presets[0][0] if made.presets else "", filled)
    words = "".join(f"  {term.name}: function\n" for term in made.terms if term.kind.name == "function")
    head = "archcheck: 1\nid: back2020\ntitle: Written back\n" + (f"terms:\n{words}" if words else "")
    for block in made.blocks:
        graph = to_graph(made, block.id, sizes)
        flow = indent(flow_of(graph), "      ")
        back = read(f"{head}blocks:\n  b:\n    where: Section 1\n    flow: |\n{flow}\n".encode(), "back.yaml")
        assert bare(to_graph(back, "b")) == bare(graph)


@pytest.mark.parametrize(
    ("flow", "written"),
    [
        ("x = norm(x + dropout(attention(x)))", "layer_norm(x + dropout(self_attention(x)))"),
        (
            "x = x + attention(norm(x)); x = x + mlp(norm(x))",
            "x = x + self_attention(layer_norm(x))\nx = x + feed_forward(layer_norm(x))",
        ),
        ("h = norm(x); x = x + attention(h) + mlp(h)", "h = layer_norm(x)\nx + self_attention(h) + feed_forward(h)"),
        ("x = (x - y) / (x * y) ** 2 - (-x)", "(x - y) / (x * y) ** 2 - -x"),
        ("x = x - (y - (x + y) - 1)", "x - (y - (x + y) - 1)"),
        ("a, b = disentangle(x); b", "_, h = function(x, name='disentangle')\nh"),
        ("x = conv(x, kernel=(3, 3), padding=same, bias=True)", "conv(x, bias=True, kernel=(3, 3), padding='same')"),
        ("x = masked_fill(x, m, by=-inf)", "masked_fill(x, m, by=-inf)"),
        ("x = scale(x, by=learned)", "scale(x, by='learned')"),
        ("x = relu(tanh(x)) * -2", "relu(tanh(x)) * -2"),
        ("x", "x"),
        ("y, x", "y, x"),
    ],
)
def test_how_a_graph_is_written(flow: str, written: str) -> None:
    graph = to_graph(with_flow(flow), "b")
    found = flow_of(graph)
    assert found.splitlines()[-1 * len(written.splitlines()) :] == written.splitlines()
    assert written_back(graph) == bare(graph)


NESTED = """
%0 = input name='x'
%1 = residual %0:
  %2 = layer_norm %0
  %3 = residual %2:
    %4 = self_attention %2 heads=8
    %5 = dropout %4 p=0.1
  %6 = linear %3
%7 = layer_norm %1
%8 = residual %7:
  %9 = feed_forward %7:
    %10 = linear %7
    %11 = relu %10
    %12 = linear %11
"""


def test_residuals_are_written_as_additions_and_sublayers_by_name() -> None:
    graph = parse(NESTED + "give %8\n")
    assert flow_of(graph) == (
        "h = layer_norm(x)\n"
        "x = layer_norm(x + linear(h + dropout(self_attention(h, heads=8), p=0.1)))\n"
        "x = x + feed_forward(x)"
    )
    flat = [op.kind.name for op in written_back(graph).ops]
    assert " ".join(flat) == ("input layer_norm self_attention dropout add linear add layer_norm feed_forward add")


def test_learned_tensors_are_part_of_their_layer() -> None:
    graph = parse("%0 = input name='x'\n%1 = parameter name='w'\n%2 = linear %0, %1\n%3 = mul %2, %1\ngive %3\n")
    assert flow_of(graph) == "h = parameter(name='w')\nlinear(x) * h"


def test_names_that_a_flow_cannot_use_are_replaced() -> None:
    graph = parse(
        "%0 = input name='lambda'\n%1 = input name='softmax'\n%2 = input name='a b'\n%3 = concat %0, %1, %2\n"
    )
    assert "concat(x, y, z)" in flow_of(graph)


def test_a_repeat_inside_cannot_be_written() -> None:
    graph = parse("%0 = input name='x'\n%1 = repeat %0 count=2:\n  %2 = relu %0\n%3 = tanh %1\ngive %3\n")
    with pytest.raises(GraphError, match="repeats its body"):
        flow_of(graph)


ARITY = {
    **dict.fromkeys(("layer_norm", "self_attention", "relu", "neg", "scale"), 1),
    **dict.fromkeys(("add", "sub", "mul", "div", "pow", "matmul", "cross_attention"), 2),
    "concat": 3,
}


@st.composite
def graphs(draw: st.DrawFn) -> OpGraph:
    """Any wiring of a few inputs: values read once, often or never, in any order."""
    count = draw(st.integers(1, 3))
    made = [Op(f"{at}.input", kind("input"), (), attrs(name="xyz"[at])) for at in range(count)]
    for at in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(sorted(ARITY)))
        picks = [draw(st.integers(0, len(made) - 1)) for _ in range(ARITY[name])]
        stated = attrs(by=draw(st.sampled_from([2, -0.5]))) if name == "scale" else ()
        path = f"{count + at}.{name}"
        made.append(Op(path, kind(name), tuple(Value(made[pick].path) for pick in picks), stated))
    outs = draw(st.lists(st.integers(count, len(made) - 1), min_size=1, max_size=3, unique=True))
    graph = OpGraph(tuple(made), tuple(Value(made[out].path) for out in outs))
    read = {value for op in made for value in op.reads}
    return replace(graph, ops=tuple(op for op in made if op.kind.name != "input" or Value(op.path) in read))


def by_name(graph: OpGraph) -> OpGraph:
    """`graph` with its inputs sorted: equations have them in the order in which they read them."""
    inputs = sorted((op for op in graph.ops if op.kind.name == "input"), key=lambda op: str(op.attr("name")))
    ops = [*inputs, *(op for op in graph.ops if op.kind.name != "input")]
    paths = {op.path: f"{at}.{op.kind.name}" for at, op in enumerate(ops)}
    moved = tuple(
        replace(op, path=paths[op.path], reads=tuple(Value(paths[value.op]) for value in op.reads)) for op in ops
    )
    return OpGraph(moved, tuple(Value(paths[value.op]) for value in graph.results))


@given(graphs())
@settings(max_examples=300)
def test_any_graph_is_written_so_that_it_reads_back(graph: OpGraph) -> None:
    assert by_name(written_back(graph)) == by_name(graph)


def test_a_starter_is_a_spec() -> None:
    made = read(starter("he2016", title='Deep "Residual" Learning: one').encode(), "he2016.yaml")
    assert made.id == "he2016"
    assert made.title == 'Deep "Residual" Learning: one'
    assert made.lines[0].startswith("# yaml-language-server: $schema=")
    assert to_graph(made, "encoder_layer").results


def test_the_examples_in_a_starters_comments_are_right() -> None:
    text = starter("he2016").replace("# where the", "where the")
    lines = []
    for line in text.splitlines():
        head, _, rest = line.partition("# ")
        commented = rest.startswith(("claims:", "  - {", "not_checked:", "sizes:")) and not head.strip()
        lines.append(rest if commented else line)
    made = read("\n".join(lines).replace("where the paper says it", "").encode(), "he2016.yaml")
    assert [claim.id for claim in made.claims] == [
        *("final-norm", "no-dropout", "norms", "head", "tied", "heads", "zero-init", "scaled-init")
    ]
    assert made.not_checked
    assert dict(made.sizes)


def test_a_starter_holds_the_flows_of_given_graphs() -> None:
    layer = parse(NESTED + "give %8\n")
    stack = parse("%0 = input name='x'\n%1 = repeat %0 count=6:\n  %2 = residual %0:\n    %3 = relu %0\ngive %1\n")
    blocks = {"layer": exactly(layer), "stack": exactly(stack)}
    made = read(starter("made2020", blocks=blocks).encode(), "made2020.yaml")
    assert bare(to_graph(made, "layer")) == written_back(layer)
    assert [op.kind.name for op in to_graph(made, "stack").ops] == ["input", "relu", "add"]
    repeat = made.block("stack").repeat
    assert repeat is not None
    assert repeat.constant == 6


PLAIN = """
%0 = input name='hidden_states'
%1 = input name='position_embeddings'
%2 = input name='mask'
%3 = residual %0:
  %4 = rms_norm %0 dim=64 eps=1e-05
  %5 = self_attention %4, %1, %2 head_dim=16 heads=4 kv_heads=2 scale=0.25
%6 = residual %3:
  %7 = rms_norm %3 dim=64 eps=1e-05
  %8 = feed_forward %7 activation='silu' d_ff=256 d_model=64 gated=True:
    %9 = linear %7 in_features=64 out_features=256
    %10 = silu %9
    %11 = linear %7 in_features=64 out_features=256
    %12 = mul %10, %11
    %13 = linear %12 in_features=256 out_features=64
  %14 = dropout %8 p=0
give %6
"""


def test_what_a_person_would_write_of_a_layer() -> None:
    found = plainly(parse(PLAIN))
    assert found.flow == "x = x + self_attention(norm(x))\nx = x + feed_forward(norm(x))"
    assert found.widths == (("self_attention.heads", 4), ("self_attention.kv_heads", 2))
    assert found.terms == (("norm", "rms_norm"),)
    assert found.feed_forward is not None
    assert found.feed_forward.flow == "linear(silu(linear(x)) * linear(x))"
    assert found.feed_forward.widths == (("d_model", 64), ("d_ff", 256))


def test_norms_that_differ_are_told_apart_and_so_are_feed_forwards() -> None:
    text = PLAIN.replace("%7 = rms_norm", "%7 = layer_norm")
    found = plainly(parse(text), apart=False)
    assert found.flow == (
        "x = x + self_attention(rms_norm(x))\nx = x + feed_forward(layer_norm(x), activation='silu', gated=True)"
    )
    assert dict(found.widths)["feed_forward.d_ff"] == 256
    assert found.terms == ()


def test_few_rounds_are_written_one_after_another() -> None:
    text = (
        "%0 = input name='x'\n%1 = repeat %0 count={count}:\n  %2 = conv %0 kernel=3 stride=1\n%3 = tanh %1\ngive %3\n"
    )
    assert plainly(parse(text.format(count=2))).flow == "tanh(conv(conv(x, kernel=3), kernel=3))"
    with pytest.raises(GraphError, match="repeats its body"):
        plainly(parse(text.format(count=1000)))
