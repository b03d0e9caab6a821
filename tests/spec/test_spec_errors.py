"""Every kind of mistake in a spec at its place, all of them at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_text import HEAD, marked, message, places, spec

from archcheck.errors import ArchcheckError, SpecError
from archcheck.spec.build import read

TEN = """\
archcheck: 1
id: ten2020
titel: Ten mistakes
paper: {arxiv: 1706.03762, year: 2017}
terms: {norm: layernorm}
sizes: {d_ff: 4*d_modle}
blocks:
  encoder_layer:
    flow: |
      x = norm(x + dropuot(self_attention(x)))
    repeat: six()
claims:
  - {id: a, where: here, absent: norm after encodr_layer}
  - {id: a, where: here, present: dropout, count: {norm: 2}}
"""


def test_ten_mistakes_give_ten_errors_in_file_order() -> None:
    assert places(TEN) == [
        '1:1 "title" is missing here',
        '3:1 there is no key "titel" here',
        "4:16 text must stand here",
        '5:15 no op is called "layernorm"',
        '6:17 no size is called "d_modle"',
        '8:3 "where" is missing here',
        '10:20 no op is called "dropuot"',
        '11:13 a formula has no function "six"',
        '13:45 no op, term or block is called "encodr_layer"',
        '14:10 "a" is used twice',
        "14:10 the claim has 2 forms: present, count",
    ]


def test_the_whole_message() -> None:
    assert message(
        "archcheck: 1\nid: a\ntitle: b\nterms: {norm: layernorm}\nblocks:\n  b: {where: x, flow: f(x)}\n"
    ) == (
        'made.yaml:4:15: no op is called "layernorm"\n'
        "   4 | terms: {norm: layernorm}\n"
        "     |               ^^^^^^^^^\n"
        '  hint: did you mean "layer_norm"? "function" names a part that the claims do not look into\n'
        "\n"
        'made.yaml:6:23: no op is called "f"\n'
        "   6 |   b: {where: x, flow: f(x)}\n"
        "     |                       ^\n"
        '  hint: declare it under terms: "f: function", or as the kind of op it is'
    )


BLOCK = "blocks:\n  b: {where: x, flow: x + dropout(self_attention(x))}\n"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        # shape
        ("blocks:\n  b: [x]\n", "[x]: a mapping must stand here"),
        ("blocks:\n  b: {where: x}\n", "b: the block b states nothing"),
        ("blocks:\n  b: {where: x, flow: f(x), order: F}\n", "b: the block b is stated twice"),
        ("blocks:\n  b: {flow: relu(x)}\n", 'b: "where" is missing here'),
        ("blocks:\n  b-c: {where: x, flow: relu(x)}\n", 'b-c: "b-c" cannot stand here'),
        ("blocks:\n  b: {where: x, flow: relu(x), repeat: [6]}\n", "[6]: a number or text must stand here"),
        ("blocks:\n  b: {where: x, flow: relu(x), advisory: 1}\n", "1: true or false must stand here"),
        ("blocks:\n  b: {where: x, flow: relu(x), qoute: y}\n", 'qoute: there is no key "qoute" here'),
        ("blocks:\n  b: {where: x, quote: , flow: relu(x)}\n", ",: text must stand here"),
        ("blocks:\n  b: {where: x, flow: relu(x), for: base}\n", 'base: no preset is called "base"'),
        ("not_checked: [3]\n", "3: text or a mapping must stand here"),
        ("not_checked: [{where: x}]\n", '{where: x}: "what" is missing here'),
        ("not_checked: x\n", "x: a list must stand here"),
        ("terms: x\n", None),
        # terms
        (BLOCK + "claims: [{where: x, absent: dropout}]\n", '{where: x, absent: dropout}: "id" is missing here'),
        # widths, repeat, only
        (BLOCK.replace("}", ", widths: {p: 0.1, k: 2}}"), 'k: "k" is no attribute of an op of b'),
        (BLOCK.replace("}", ", widths: {dropout.q: 2}}"), 'q: "q" is no attribute of dropout'),
        (BLOCK.replace("}", ", widths: {dropuot.p: 2}}"), 'dropuot: no op, term or block is called "dropuot"'),
        (BLOCK.replace("}", ", widths: {p: q}}"), 'q: no size is called "q"'),
        (BLOCK.replace("}", ", only: [nrom]}"), 'nrom: no op, term or block is called "nrom"'),
        # claims
        (BLOCK + "claims: [{id: a, where: x}]\n", "a: the claim states nothing"),
        (BLOCK + "claims: [{id: b, where: x, absent: norm}]\n", 'b: "b" is used twice'),
        (BLOCK + "claims: [{id: a, where: x, absent: norm, only: true}]\n", "only: only: stands beside path:"),
        (
            BLOCK + "claims: [{id: a, where: x, absent: norm behind b}]\n",
            'norm behind b: "norm behind b" cannot be read as a pattern',
        ),
        (BLOCK + "claims: [{id: a, where: x, absent: norm after c}]\n", 'c: no op, term or block is called "c"'),
        (BLOCK + "claims: [{id: a, where: x, present: [nrom in b]}]\n", 'nrom: no op, term or block is called "nrom"'),
        (
            BLOCK + "claims: [{id: a, where: x, present: 'norm(epsilon=1) in b'}]\n",
            'epsilon=1: layer_norm has no attribute "epsilon"',
        ),
        (BLOCK + "claims: [{id: a, where: x, present: b(x)}]\n", 'b(x): "b(x)" names no op'),
        (BLOCK + "claims: [{id: a, where: x, present: b(k=1)}]\n", "b(k=1): the block b has no attributes"),
        (BLOCK + "claims: [{id: a, where: x, count: {norm in b: z}}]\n", 'z: no size is called "z"'),
        (BLOCK + "claims: [{id: a, where: x, count: {norm in z: 2}}]\n", 'z: no op, term or block is called "z"'),
        (BLOCK + "claims: [{id: a, where: x, repeat: {z: 2}}]\n", 'z: no block is called "z"'),
        (BLOCK + "claims: [{id: a, where: x, same_weights: [b]}]\n", "b: one place shares its weights with nothing"),
        (BLOCK + "claims: [{id: a, where: x, same_weights: [b c, d]}]\n", 'b c: "b c" cannot stand here'),
        (
            BLOCK + "claims: [{id: a, where: x, path: pool -> linaer}]\n",
            'linaer: no op, term or block is called "linaer"',
        ),
        (BLOCK + "claims: [{id: a, where: x, path: pool}]\n", "pool: a path has at least two steps"),
        (BLOCK + "claims: [{id: a, where: x, path: pool -> }]\n", " : something must stand here"),
        (
            BLOCK + "claims: [{id: a, where: x, path: pool -> relu, absent: nrom}]\n",
            'nrom: no op, term or block is called "nrom"',
        ),
        (BLOCK + "claims: [{id: a, where: x, attributes: {dropout: {q: 1}}}]\n", 'q: dropout has no attribute "q"'),
        (
            BLOCK + "claims: [{id: a, where: x, attributes: {dropout: {p: z}}}]\n",
            'z: no size is called "z", and p is a number (probability of zero, in [0, 1])',
        ),
        (
            BLOCK + "claims: [{id: a, where: x, strict: 3, absent: norm}]\n",
            "3: true or false or a list must stand here",
        ),
        (
            BLOCK + "claims: [{id: a, where: x, strict: [fused projections], absent: norm}]\n",
            'fused projections: nothing that is taken as equal is called "fused projections"',
        ),
        # readings
        (BLOCK + "readings: [{id: r, says: s, blocks: {c: {flow: relu(x)}}}]\n", 'c: no block is called "c"'),
        (BLOCK + "readings: [{id: r, says: s, blocks: {b: {flow: rleu(x)}}}]\n", 'rleu: no op is called "rleu"'),
        (
            BLOCK + "readings: [{id: r, blocks: {b: {flow: relu(x)}}}]\n",
            '{id: r, blocks: {b: {flow: relu(x)}}}: "says" is missing here',
        ),
        (BLOCK + "readings: [{id: b, says: s, blocks: {b: {flow: relu(x)}}}]\n", 'b: "b" is used twice'),
    ],
)
def test_a_mistake_is_told_at_its_place(more: str, problem: str | None) -> None:
    found = marked(HEAD + more)
    if problem is None:  # HEAD has terms: already
        assert found == ['terms: "terms" stands twice in this mapping']
    else:
        assert found == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a]", "[a]: a spec is a mapping"),
        ("a", "a: a spec is a mapping"),
        ("archcheck: 2\nid: a\ntitle: b\n", "2: this archcheck reads version 1 of the spec language"),
        ("archcheck: 1\nid: a\ntitle: 3\n", "3: text must stand here"),
        ("archcheck: 1\nid: a b\ntitle: b\n", 'a b: "a b" cannot stand here'),
        ("archcheck: 1\nid: a\ntitle: b\nterms: {n: residual}\n", 'residual: no op is called "residual"'),
        (
            "archcheck: 1\nid: a\ntitle: b\nterms: {n: gelu(aproximate=tanh)}\n",
            'aproximate=tanh: gelu has no attribute "aproximate"',
        ),
        ("archcheck: 1\nid: a\ntitle: b\nterms: {n: 'gelu(x)'}\n", 'gelu(x): "gelu(x)" names no op'),
        ("archcheck: 1\nid: a\ntitle: b\nterms: {n-m: relu}\n", 'n-m: "n-m" cannot stand here'),
        (
            "archcheck: 1\nid: a\ntitle: b\nterms: {b: relu}\nblocks: {b: {where: x, flow: tanh(x)}}\n",
            "b: b is a term and a block",
        ),
        ("archcheck: 1\nid: a\ntitle: b\npaper: {arxiv: abc}\n", 'abc: "abc" cannot stand here'),
        ("archcheck: 1\nid: a\ntitle: b\npaper: {year: '2017'}\n", "'2017': a whole number must stand here"),
        ("archcheck: 1\nid: a\ntitle: b\npresets: {base: 3}\n", "3: a mapping must stand here"),
    ],
)
def test_a_mistake_in_the_head_is_told_at_its_place(text: str, problem: str) -> None:
    assert marked(text) == [problem]


def test_a_broken_block_is_known_to_what_speaks_of_it() -> None:
    """No second mistake follows from the first."""
    found = marked(
        HEAD
        + """
blocks:
  b: {where: x, flow: relu(}
  c: {where: x, flow: "norm(b(x, y))"}
claims: [{id: a, where: x, absent: norm after b}, {id: d, where: x, repeat: {b: 2}}]
"""
    )
    assert found == ["(: this equation cannot be read: '(' was never closed"]


def test_a_comma_in_braces_is_explained() -> None:
    said = message(HEAD + "blocks:\n  b: {where: x, flow: conv(x, kernel=3)}\n")
    assert "hint: inside { } a text with commas stands in quotes" in said


def test_many_mistakes_are_cut_off() -> None:
    blocks = "".join(f"  b{n}: {{where: x, flow: f{n}(x)}}\n" for n in range(150))
    with pytest.raises(SpecError) as caught:
        spec(HEAD + "blocks:\n" + blocks)
    assert len(caught.value.problems) == 101
    assert caught.value.problems[-1].problem == "and 50 more mistakes"


def test_asking_for_what_is_not_there() -> None:
    made = spec(HEAD + BLOCK + "readings: [{id: other, says: s, blocks: {b: {flow: relu(x)}}}]\n")
    with pytest.raises(ArchcheckError, match='has no block "c"'):
        made.block("c")
    with pytest.raises(ArchcheckError, match='has no reading "othre"') as caught:
        made.reading("othre")
    assert 'did you mean "other"?' in caught.value.hint


@given(
    st.lists(
        st.sampled_from([*TEN.splitlines(keepends=True), "  - x\n", "blocks:\n", "{", "]", "\t", ": "]), max_size=20
    )
)
def test_any_shuffle_of_lines_is_a_spec_or_a_spec_error(lines: list[str]) -> None:
    try:
        found: object = read("".join(lines).encode(), "f.yaml").lines
    except SpecError as error:
        found = error.problems
    assert found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("claims: {}", "a list must stand here"),
        ("not_checked: {}", "a list must stand here"),
        ("sizes: {N: {}}", "a number or text must stand here"),
        ("blocks: {b: {where: x, flow: relu(x), repeat: {}}}", "a number or text must stand here"),
        ("blocks: {b: {where: x, flow: relu(x), only: {}}}", "true or false or a list must stand here"),
        ("blocks: {b: {where: x, flow: relu(x), for: {}}}", "text or a list must stand here"),
    ],
)
def test_an_empty_mapping_where_something_else_must_stand(text: str, said: str) -> None:
    assert said in message(f"archcheck: 1\nid: a\ntitle: b\n{text}\n")
