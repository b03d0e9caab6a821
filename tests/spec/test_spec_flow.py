"""Equations: what each form of the language gives, and where its ops point."""

from __future__ import annotations

import pytest
from spec_text import HEAD, marked, ops, places, shown, spec, with_flow

from archcheck.errors import ArchcheckError
from archcheck.ir.graph import Unknown
from archcheck.ir.verify import verify
from archcheck.spec import to_graph


@pytest.mark.parametrize(
    ("flow", "graph"),
    [
        (
            """
            x = norm(x + dropout(self_attention(x)))
            x = norm(x + dropout(mlp(x)))
            """,
            """
            %0 = input name='x'
            %1 = self_attention %0
            %2 = dropout %1
            %3 = add %0, %2
            %4 = layer_norm %3
            %5 = feed_forward %4
            %6 = dropout %5
            %7 = add %4, %6
            %8 = layer_norm %7
            give %8
            """,
        ),
        (  # intermediate names, `;`, a parallel block
            "h = norm(x); x = x + attention(h) + mlp(h)",
            """
            %0 = input name='x'
            %1 = layer_norm %0
            %2 = self_attention %1
            %3 = add %0, %2
            %4 = feed_forward %1
            %5 = add %3, %4
            give %5
            """,
        ),
        (  # two streams come out in the order in which they were first read
            """
            h = sublayer(x)
            d += h
            x = norm(x + h)
            """,
            """
            %0 = input name='x'
            %1 = input name='d'
            %2 = sublayer %0
            %3 = add %1, %2
            %4 = add %0, %2
            %5 = layer_norm %4
            give %5, %3
            """,
        ),
        (  # arithmetic with numbers on either side
            "x = 1 - x * 0.5 + 2 ** x - x ** 2 / 4 + 1 / x - (-x) + (3 - 1)",
            """
            %0 = input name='x'
            %1 = scale %0 by=0.5
            %2 = sub %1 by=1 reverse=True
            %3 = pow %0 base=2
            %4 = add %2, %3
            %5 = pow %0 exponent=2
            %6 = scale %5 by=0.25
            %7 = sub %4, %6
            %8 = div %0 by=1 reverse=True
            %9 = add %7, %8
            %10 = neg %0
            %11 = sub %9, %10
            %12 = add %11 by=2
            give %12
            """,
        ),
        (  # tensors with tensors
            "x = x * g / (x - y) ** z @ w.T",
            """
            %0 = input name='x'
            %1 = input name='g'
            %2 = input name='y'
            %3 = input name='z'
            %4 = input name='w'
            %5 = mul %0, %1
            %6 = sub %0, %2
            %7 = pow %6, %3
            %8 = div %5, %7
            %9 = permute %4 axis=-2 other_axis=-1
            %10 = matmul %8, %9
            give %10
            """,
        ),
        (  # attributes: numbers, sizes, formulas, words, tuples, constants
            "softmax(conv(x, kernel=(3, 2*heads), dilation=2, bias=True, padding=same), axis=keys)",
            """
            %0 = input name='x'
            %1 = conv %0 bias=True dilation=2 kernel=(3,8,) padding='same'
            %2 = softmax %1 axis='keys'
            give %2
            """,
        ),
        (  # a generic kind may state what its family may
            "norm(activation(x), bias=False)",
            """
            %0 = input name='x'
            %1 = activation %0
            %2 = layer_norm %1 bias=False
            give %2
            """,
        ),
        (  # attention of one, two and three tensors
            "attention(attention(x, causal=True), attention(x, m), cross_attention(x, m))",
            """
            %0 = input name='x'
            %1 = input name='m'
            %2 = self_attention %0 causal=True
            %3 = cross_attention %0, %1
            %4 = cross_attention %0, %1
            %5 = attention %2, %3, %4
            give %5
            """,
        ),
        (  # terms: a kind with attributes, a function of the paper's own with two outputs
            "v, i = disentangle(act(x), depth=2)\nx = concat([v, i, x], axis=-1)",
            """
            %0 = input name='x'
            %1 = gelu %0 approximate='tanh'
            %2 = function %1 depth=2 name='disentangle'
            %3 = concat %2, %2.1, %0 axis=-1
            give %3
            """,
        ),
        (  # a call's attribute stands above its term's
            "act(x, approximate=none)",
            """
            %0 = input name='x'
            %1 = gelu %0 approximate='none'
            give %1
            """,
        ),
        (  # formulas over sizes; functions of numbers are numbers, of tensors ops
            "s = sqrt(d_k); x = sqrt(x / s) * alpha",
            """
            %0 = input name='x'
            %1 = scale %0 by=0.25
            %2 = sqrt %1
            %3 = scale %2 by=2.0
            give %3
            """,
        ),
        (  # a tuple as the last line; values side by side
            "a, b = relu(x), tanh(y)\na, b, x",
            """
            %0 = input name='x'
            %1 = input name='y'
            %2 = relu %0
            %3 = tanh %1
            give %2, %3, %0
            """,
        ),
        (  # a comment, a blank line, a line that goes on inside brackets
            "# first\n\nx = norm(\n  x  # here\n  + relu(x)\n)",
            """
            %0 = input name='x'
            %1 = relu %0
            %2 = add %0, %1
            %3 = layer_norm %2
            give %3
            """,
        ),
        (  # an operand by position where the kind has a constant one
            "y = maximum(x, 0)",
            """
            %0 = input name='x'
            %1 = maximum %0 by=0
            give %1
            """,
        ),
        ("x", "%0 = input name='x'\ngive %0"),
        ("y = z = relu(x)\ny + z", "%0 = input name='x'\n%1 = relu %0\n%2 = add %1, %1\ngive %2"),
    ],
)
def test_equations_give_ops(flow: str, graph: str) -> None:
    made = with_flow(flow)
    verify(to_graph(made, "b"))
    assert ops(made) == shown(graph)


def test_every_op_points_at_its_own_expression() -> None:
    made = with_flow("x = norm(x\n         + dropout(disentangle(x), p=0.1))")
    graph = to_graph(made, "b")
    said = {}
    for op in graph.walk():
        assert op.span is not None
        assert op.claim == "b"
        assert op.span.file == "made.yaml"
        rows = made.lines[op.span.line - 1 : op.span.end_line]
        rows = (*rows[:-1], rows[-1][: op.span.end_column - 1])
        said[op.kind.name] = "\n".join((rows[0][op.span.column - 1 :], *rows[1:]))
    assert said["input"] == "x"
    assert said["function"] == "disentangle(x)"
    assert said["dropout"] == "dropout(disentangle(x), p=0.1)"
    assert said["add"] == "x\n               + dropout(disentangle(x), p=0.1)"
    assert said["layer_norm"] == "norm(" + said["add"] + ")"


def test_places_count_characters_not_bytes() -> None:
    [found] = places(HEAD + 'blocks:\n  b: {where: x, flow: "αβ = relu(x); y = αβ + nrm(αβ)"}\n')
    assert found == '7:47 no op is called "nrm"'


def test_a_number_that_needs_an_unknown_size_is_unknown_with_the_reason() -> None:
    graph = to_graph(with_flow("x = norm(x * gamma + relu(x))"), "b")
    by = graph.ops[1].attr("by")
    assert isinstance(by, Unknown)
    assert by.why == "the spec gives no value for M"
    assert by.span is not None
    assert by.span.line == 5
    given = to_graph(with_flow("x = norm(x * gamma + relu(x))"), "b", {"M": 8})
    assert given.ops[1].attr("by") == 2.0


def test_a_size_that_presets_disagree_about_is_unknown_until_one_is_chosen() -> None:
    made = spec("""
        archcheck: 1
        id: a
        title: b
        sizes: {d_k: d/h}
        presets: {base: {d: 512, h: 8}, big: {d: 1024, h: 16}}
        blocks: {b: {where: x, flow: x / d_k * d}}
    """)
    first, second = to_graph(made, "b").ops[1:]
    assert first.attr("by") == 1 / 64  # both presets agree on it
    by = second.attr("by")
    assert isinstance(by, Unknown)
    assert by.why == "d depends on the preset (base: 512, big: 1024)"
    assert to_graph(made, "b", made.values("big")).ops[2].attr("by") == 1024
    with pytest.raises(ArchcheckError, match='no preset "bigg"'):
        made.values("bigg")


def test_blocks_stand_with_their_ops_where_they_are_called() -> None:
    made = spec(
        HEAD
        + """
blocks:
  inner: {where: x, flow: "a = relu(a + q)"}
  feed_forward: {where: x, flow: linear(relu(linear(x)))}
  outer: {where: x, flow: "x = inner(norm(x), y) + feed_forward(x)"}
"""
    )
    assert ops(made, "outer") == shown("""
        %0 = input name='x'
        %1 = input name='y'
        %2 = layer_norm %0
        %3 = add %2, %1
        %4 = relu %3
        %5 = feed_forward %0
        %6 = add %4, %5
        give %6
    """)
    inner = to_graph(made, "outer").ops[4]
    assert inner.claim == "outer"
    assert inner.span is not None
    assert inner.span.line == 8  # of the block it was written in


def test_a_block_may_give_several_values() -> None:
    made = spec(
        HEAD
        + """
blocks:
  two: {where: x, flow: "a = relu(a); b = b + a"}
  outer: {where: x, flow: "p, q = two(x, y); p * q"}
"""
    )
    assert ops(made, "outer").splitlines()[-3:] == ["%3 = add %1, %2", "%4 = mul %2, %3", "give %4"]


@pytest.mark.parametrize(
    ("flow", "problem"),
    [
        ("x = nrom(x)", 'nrom: no op is called "nrom"'),
        ("x = norm", "norm: norm is an operation and stands here as a value"),
        ("x = norm(x, x)", "norm(x, x): norm reads one tensor, and is given 2"),
        ("x = cross_attention(x)", "cross_attention(x): cross_attention reads two tensors, and is given 1"),
        ("x = relu()", "relu(): relu reads one tensor, and is given 0"),
        ("x = add(x)", "add(x): add has two operands, and is given 1"),
        ("x = conv(x, kernal=3)", 'kernal=3: conv has no attribute "kernal"'),
        ("x = relu(x, k=3)", 'k=3: relu has no attribute "k"'),
        (
            "x = self_attention(x, heads=hads)",
            'hads: no size is called "hads", and heads is a number (count of query heads)',
        ),
        ("x = dropout(x, 0.1)", "0.1: 0.1 is a number where a tensor is needed"),
        ("x = residual(x)", "residual: residual is not called in a flow"),
        ("x = x[0]", 'x[0]: "x[0]" is not part of the equation language'),
        ("x = lambda y: y", 'lambda y: y: "lambda y: y" is not part of the equation language'),
        ("x = x if y else z", 'x if y else z: "x if y else z" is not part of the equation language'),
        ("x = relu(*x)", '*x: "*x" is not part of the equation language'),
        ("x = 'a' + x", "'a': only numbers and names stand in an equation"),
        ("x = x // y", "x // y: an equation has no such operation"),
        ("x = x.f(x)", 'x.f: "x.f" cannot be called'),
        ("x.y = relu(x)", 'x.y: "x.y" cannot be assigned'),
        ("a, b = relu(x)", "a, b: one value for 2 names"),
        ("a, b = x, y, z", "a, b: 3 values for 2 names"),
        ("relu(x); x = norm(x)", "relu(x): this value is not used"),
        ("for i in x: y = i", "for i in x: y = i: this is not an equation"),
        ("import os", "import os: this is not an equation"),
        ("x = norm((x, y) + x)", "(x, y): 2 values where one tensor is needed"),
        ("x = relu(x, **y)", "**y: a flow has no **keywords"),
        ("x = 3", "b: nothing comes out of the block b"),
        ("3", "3: a number comes out of this block, not a tensor"),
        ("x = x @ 3", "x @ 3: @ multiplies tensors"),
        ("x = relu(x", "(: this equation cannot be read: '(' was never closed"),
        ("x = 2x", "2: this equation cannot be read: invalid decimal literal"),
        ("x = \\alpha x", "\\: equations are written in Python's syntax: no backslash can stand here"),
        ("# nothing", "|: the flow is empty"),
        ("x = " + "(" * 100 + "x" + ")" * 100, "(: more than 32 brackets are open here"),
        ("x = " + "+".join("x" * 400), ": this equation is more than 100 operations deep"),
        ("x = " + "-" * 900 + "x", ": this equation is more than 100 operations deep"),
        ("x = " + "not " * 900 + "x", ": this equation is more than 100 operations deep"),
        ("x = " + "+".join("x" * 9_000), ": a flow or formula may have at most 16,384 characters"),
        ("x = " + ",".join("x" * 2_000), ": one equation may have at most 1,000 words and signs"),
    ],
)
def test_a_mistake_is_told_at_its_place(flow: str, problem: str) -> None:
    found = marked(HEAD + f"blocks:\n  b:\n    where: x\n    flow: |\n      {flow}\n")
    assert [row for row in found if row == problem or (problem.startswith(": ") and row.endswith(problem))]
    assert len(found) == 1


def test_all_mistakes_of_a_flow_come_at_once() -> None:
    flow = "x = nrom(x + dropuot(x))\n      y = 2x\n      x = y + relu(x, x)"
    assert marked(HEAD + f"blocks:\n  b:\n    where: x\n    flow: |\n      {flow}\n") == [
        'nrom: no op is called "nrom"',
        'dropuot: no op is called "dropuot"',
        "2: this equation cannot be read: invalid decimal literal",
        "relu(x, x): relu reads one tensor, and is given 2",
    ]


@pytest.mark.parametrize(
    ("blocks", "problem"),
    [
        ("b: {where: x, flow: b(x)}", "b(x): the block b is made of itself: b -> b"),
        (
            "b: {where: x, flow: c(x)}\n  c: {where: x, flow: relu(b(x))}",
            "b(x): the block b is made of itself: b -> c -> b",
        ),
        (
            "b: {where: x, flow: 'c(x, y, x)'}\n  c: {where: x, flow: a * d}",
            "c(x, y, x): c reads 2 tensors (a, d), not 3",
        ),
        ("b: {where: x, flow: c(x)}\n  c: {where: x, flow: a * d}", "c(x): c also reads d, and is called without it"),
        ("b: {where: x, flow: 'c(x, k=3)'}\n  c: {where: x, flow: relu(x)}", "k=3: the block c has no attributes"),
    ],
)
def test_calls_of_blocks_are_checked(blocks: str, problem: str) -> None:
    assert problem in marked(HEAD + f"blocks:\n  {blocks}\n")


@pytest.mark.parametrize("lowest", ["relu(x)", "x", "relu("])
def test_blocks_that_multiply_end_in_one_error(lowest: str) -> None:
    """Each calls the one below ten times: a bomb without an anchor, whether or not its powder is dry."""
    blocks = f"blocks:\n  b0: {{where: x, flow: {lowest}}}\n" + "".join(
        f"  b{level}: {{where: x, flow: {' + '.join([f'b{level - 1}(x)'] * 10)}}}\n" for level in range(1, 30)
    )
    found = marked(HEAD + blocks)
    assert {row.partition(": ")[2] for row in found} <= {
        "blocks call each other for more than 5,000 ops, 1,000 calls or 32 levels",
        "this equation cannot be read: '(' was never closed",
    }
    assert len(found) < 30


def test_a_value_that_is_a_word_of_python_is_written_as_it_is_said() -> None:
    spec = with_flow("s = pool(u, scope=global, mode=mean); u * s")
    quoted = with_flow("s = pool(u, scope='global', mode=mean); u * s")
    assert [(op.kind, op.attrs) for op in to_graph(spec, "b").ops] == [
        (op.kind, op.attrs) for op in to_graph(quoted, "b").ops
    ]
