from __future__ import annotations

from blocks_in_text import Writer
from pass_asserts import canonical, signatures

from archcheck.passes.structure import blocks, sublayers, topology


def test_letters_point_at_their_ops() -> None:
    write = Writer()
    write.norm(write.add("%x", write.op("dropout", write.feed_forward("%x"), attrs="p=0.1")))
    (sublayer,) = sublayers(canonical(write.text()))
    assert [(token.letter, token.op.kind.name) for token in sublayer.tokens] == [
        ("F", "feed_forward"),
        ("d", "dropout"),
        ("a", "residual"),
        ("n", "layer_norm"),
    ]
    assert (sublayer.norm, sublayer.kind, sublayer.residual) == ("layer_norm", "ffn", sublayer.tokens[2].op)


def test_stochastic_depth_has_a_letter() -> None:
    write = Writer()
    write.add("%x", write.op("stochastic_depth", write.feed_forward(write.norm("%x"))))
    assert signatures(write.text()) == ["ffn: n F p a"]


def test_a_macaron_is_a_layer_between_two_halves_of_a_feed_forward() -> None:
    write = Writer()
    x = write.add("%x", write.op("mul", write.feed_forward(write.norm("%x")), attrs="by=0.5"))
    x = write.add(x, write.attention(write.norm(x)))
    x = write.add(x, write.op("mul", write.feed_forward(write.norm(x)), attrs="by=0.5"))
    write.norm(x)
    found = sublayers(canonical(write.text()))
    assert [sublayer.signature for sublayer in found] == ["n F s a", "n F a", "n F s a n"]
    assert topology(found) == "macaron"


def test_between_feed_forwards_that_are_added_to_nothing_there_is_no_macaron() -> None:
    write = Writer()
    x = write.op("relu", write.feed_forward("%x"))
    x = write.add(x, write.attention(write.norm(x)))
    write.norm(write.feed_forward(x))
    found = sublayers(canonical(write.text()))
    assert [(sublayer.kind, sublayer.signature) for sublayer in found][::2] == [("ffn", "F"), ("ffn", "F n")]
    assert topology(found) != "macaron"


def test_a_shortcut_has_no_letters() -> None:
    write = Writer()
    skip = write.op("batch_norm", write.op("conv", "%x", attrs="kernel=1"))
    inner = write.op("relu", write.op("conv", "%x", attrs="kernel=3"))
    write.add(write.op("conv", inner, attrs="kernel=3"), skip)
    assert signatures(write.text()) == ["conv: F a"]


def test_a_norm_in_front_of_the_layers_is_none_of_theirs() -> None:
    write = Writer()
    x = write.norm(write.op("embedding", "%x"))
    for f in (write.attention, write.feed_forward):
        x = write.norm(write.add(x, f(x)))
    assert signatures(write.text()) == ["self_attention: F a n", "ffn: F a n"]


def test_the_blocks_of_a_model_are_its_repeats_and_what_stands_between() -> None:
    write = Writer()
    x = "%x"
    for f in (write.feed_forward, write.gated, write.gated, write.gated):
        x = write.add(x, f(write.norm(x)))
    write.norm(x)
    found = blocks(canonical(write.text()))
    assert [(block.repeat, [sublayer.signature for sublayer in block.sublayers]) for block in found] == [
        (1, ["n F a"]),
        (3, ["n F a"]),
    ]


def test_without_a_repeat_the_graph_is_the_block() -> None:
    write = Writer()
    write.add("%x", write.attention(write.norm("%x")), write.feed_forward(write.norm("%x")))
    (block,) = blocks(canonical(write.text()))
    assert (block.repeat, block.op, block.topology) == (1, None, "parallel")


def test_sublayers_side_by_side_come_in_program_order() -> None:
    write = Writer()
    normed = write.norm("%x")
    weighed, mapped = write.attention(normed), write.feed_forward(normed)
    write.add(write.add(mapped, weighed), "%x")
    assert signatures(write.text()) == ["self_attention: n F a", "ffn: n F a"]
