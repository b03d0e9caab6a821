"""What a stranger writes wrongly, and what is said about it: one golden file with every mistake and its message."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from spec_text import message

from archcheck.spec import slips
from archcheck.spec.blocks import BY_NAME
from archcheck.spec.build import read

HEAD = "archcheck: 1\nid: me2026\ntitle: Mine\n"
BLOCKS = "blocks:\n  layer:\n    where: Figure 1\n    flow: |\n"


def flow(*rows: str) -> str:
    return HEAD + BLOCKS + "".join(f"      {row}\n" for row in rows)


def claim(*rows: str) -> str:
    return flow("x = layer_norm(x + self_attention(x))") + "claims:\n" + "".join(f"  - {{{row}}}\n" for row in rows)


def block(*rows: str) -> str:
    return HEAD + "blocks:\n  layer:\n" + "".join(f"    {row}\n" for row in rows)


MISTAKES = {
    "a misspelt op": flow("x = layer_norm(x + self_atention(x))"),
    "words of the field": flow("x = LN(x + MHA(x))", "x = LayerNorm(x + FFN(x))"),
    "a dash in a word": flow("x = x + self-attention(x)"),
    "too many operands": flow("x = layer_norm(x, self_attention(x))"),
    "no assignment": flow("x + self_attention(x)", "x + feed_forward(x)"),
    "brackets": flow("x = layer_norm(x + self_attention(x)"),
    "TeX": flow(r"x = \mathrm{LayerNorm}(x + \mathrm{FFN}(x))"),
    "arrows": flow("input -> conv -> relu"),
    "an attribute of another library": flow("x = conv(x, kernel_size=3)"),
    "an op as a value": flow("x = x + self_attention"),
    "a power": flow("x = x^2"),
    "a method": flow("x = x.relu()"),
    "a layer of a library": flow("x = nn.Linear(512, 512)(x)"),
    "a slice": flow("x = x[:, 0]"),
    "a product without a sign": flow("x = 2x"),
    "a matrix beside a vector": flow("y = W x + b"),
    "two signs of equality": flow("x == relu(x)"),
    "a truth of YAML 1.1 in a flow": flow("x = self_attention(x, causal=yes)"),
    "another word for where": block("section: 3.1", "flow: relu(x)"),
    "two forms": block("where: Figure 1", "flow: relu(x)", "order: {self_attention: F d a n}"),
    "a truth of YAML 1.1": block("where: Figure 1", "flow: relu(x)", "advisory: on"),
    "a name that is nowhere": claim("id: final-norm, where: Section 3, present: norm after encoder"),
    "an id twice": claim("id: a, where: S 1, absent: dropout", "id: a, where: S 2, absent: rope"),
    "a truth as a word": claim("id: a, where: S 1, attributes: {self_attention: {causal: yes}}"),
    "a number as a word": claim('id: a, where: S 1, count: {layer_norm: "two"}'),
    "no form": claim("id: a, where: S 1"),
    "no version": flow("x = relu(x)").removeprefix("archcheck: 1\n"),
    "a number for a text": HEAD + "paper: {arxiv: 1706.03762}\n",
    "a list of blocks": HEAD + "blocks:\n  - layer: {where: Figure 1, flow: relu(x)}\n",
}


def test_every_mistake_has_its_message(golden: Callable[[str, str], None]) -> None:
    told = (f"## {name}\n\n{message(text)}\n" for name, text in MISTAKES.items())
    golden("spec_mistakes.txt", "\n".join(told))


@pytest.mark.parametrize("name", MISTAKES)
def test_each_says_the_way_out(name: str) -> None:
    assert "\n  hint: " in message(MISTAKES[name])


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (HEAD + "blocks:\n  layer:\n    where: Figure 1\n   flow: relu(x)\n", "begin in the same column"),
        (HEAD + "blocks:\n\tlayer:\n\t\twhere: Figure 1\n", "indent with blanks, not with tabs"),
        (block("where: Figure 1", "quote: the layer: a norm", "flow: relu(x)"), 'quote a text that holds ": "'),
    ],
)
def test_what_is_no_yaml_says_what_would_be(text: str, hint: str) -> None:
    assert hint in message(text)  # the words before it are those of the parser, of which there are two


@pytest.mark.parametrize("equations", ["self = relu(y); x = self - attention(x)", "x = y - attention(x)"])
def test_a_difference_may_still_be_written(equations: str) -> None:
    assert read(flow(equations).encode(), "made.yaml").block("layer")


def test_the_words_of_the_field_mean_ops() -> None:
    for word in {*slips.MEANT.values()}:
        assert word.partition("(")[0] in BY_NAME
    assert slips.meant("Multi-Head Attention") == "self_attention"
    assert slips.meant("thing") == ""
