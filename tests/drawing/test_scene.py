"""Scenes: what is drawn of a graph and of a difference, before any format."""

from __future__ import annotations

from itertools import pairwise

import pytest
from drawing_samples import (
    CODE,
    DECODER,
    EVERY_MARK,
    MODEL,
    PAPER,
    PARALLEL,
    POST,
    POST_TO_PRE,
    PRE,
    TWO_STREAMS,
    pick,
)

from archcheck.align import Alignment, Edit, EditKind, align
from archcheck.drawing.build import scene_of, scene_of_difference
from archcheck.drawing.labels import label, place
from archcheck.drawing.scene import Frame, Line, Mark, Role, Scene
from archcheck.errors import ArchcheckError, GraphError
from archcheck.ir.graph import OpGraph
from archcheck.ir.span import Span
from archcheck.ir.text import parse

GRAPHS = {
    "post": POST,
    "pre": PRE,
    "parallel": PARALLEL,
    "two_streams": TWO_STREAMS,
    "decoder": DECODER,
    "model": MODEL,
    "paper": PAPER,
    "code": CODE,
}


def lines_of(scene: Scene) -> list[str]:
    """Every line as words: "x -> self-attention"; a dot as ".", a circle as its sign."""
    names = {node.id: node.label[0] if node.label else "." for node in scene.nodes()}
    signs = {Line.FLOW: "->", Line.SKIP: "~>", Line.MOVED: "=>"}
    return [f"{names[edge.tail]} {signs[edge.line]} {names[edge.head]}" for edge in scene.edges]


def test_a_residual_is_a_skip_line_around_its_branch() -> None:
    assert lines_of(scene_of(POST)) == [
        "x -> .",
        ". -> self-attention",
        "self-attention -> dropout",
        "dropout -> +",
        ". ~> +",
        "+ -> layer norm",
        "layer norm -> .",
        ". -> feed-forward",
        "feed-forward -> dropout",
        "dropout -> +",
        ". ~> +",
        "+ -> layer norm",
        "layer norm -> output",
    ]


def test_pre_norm_normalises_inside_the_branch() -> None:
    assert lines_of(scene_of(PRE))[:6] == [
        "x -> .",
        ". -> layer norm",
        "layer norm -> self-attention",
        "self-attention -> dropout",
        "dropout -> +",
        ". ~> +",
    ]


def test_branches_in_parallel_leave_one_norm_and_meet_again() -> None:
    lines = lines_of(scene_of(PARALLEL))
    assert "layer norm -> self-attention" in lines
    assert "layer norm -> feed-forward" in lines
    assert lines.count(". ~> +") == 1


def test_two_streams_are_drawn_as_they_are_wired() -> None:
    lines = lines_of(scene_of(TWO_STREAMS))
    assert lines.count("self-attention -> +") == 2
    assert "dual -> +" in lines


def test_cross_attention_reads_the_memory() -> None:
    assert "memory -> cross-attention" in lines_of(scene_of(DECODER))


def test_repeats_are_frames_and_feed_what_stands_above_them() -> None:
    scene = scene_of(MODEL)
    assert [(cluster.label, cluster.frame) for cluster in scene.clusters()] == [(("× 6",), Frame.REPEAT)] * 2
    assert "layer norm -> cross-attention" in lines_of(scene)
    assert "layer norm -> linear" in lines_of(scene)


def test_a_repeat_of_unknown_length_says_so() -> None:
    scene = scene_of(parse("%0 = input\n%1 = repeat %0 count=unknown('open'):\n  %2 = relu %0\n"))
    assert [cluster.label for cluster in scene.clusters()] == [("× ?",)]


def test_sublayers_are_folded_unless_asked() -> None:
    folded = [node.label[0] for node in scene_of(PAPER).nodes() if node.label]
    opened = scene_of(PAPER, inside=True)
    assert folded.count("linear") == 1
    assert [node.label[0] for node in opened.nodes() if node.label].count("linear") == 3
    assert [cluster.label[0] for cluster in opened.clusters()] == ["× 6", "feed-forward"]
    assert "linear -> dropout" in lines_of(opened)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("inside", [False, True])
def test_ids_are_made_up_unique_and_every_line_joins_two_boxes(name: str, inside: bool) -> None:
    scene = scene_of(GRAPHS[name], inside=inside)
    ids = [node.id for node in scene.nodes()] + [cluster.id for cluster in scene.clusters()]
    assert len(set(ids)) == len(ids)
    assert {edge.tail for edge in scene.edges} | {edge.head for edge in scene.edges} <= set(ids)
    assert all(int(edge.tail[1:]) < int(edge.head[1:]) for edge in scene.edges)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("self_attention () heads=8 kv_heads=8 causal=True", ("self-attention", "8 heads, causal")),
        ("self_attention () heads=8 kv_heads=2", ("self-attention", "8 heads, 2 kv heads")),
        ("self_attention () heads=unknown('open')", ("self-attention", "heads ?")),
        ("feed_forward () activation='silu' gated=True d_ff=11008", ("feed-forward", "SiLU, d_ff 11008, gated")),
        ("linear () in_features=512 out_features=2048 bias=True", ("linear", "512 → 2048")),
        ("conv () kernel=(3,3) stride=1 dilation=2", ("conv", "kernel 3×3, dilation 2")),
        ("layer_norm () eps=1e-05", ("layer norm",)),
        ("rms_norm ()", ("RMS norm",)),
        ("gelu () approximate='none'", ("GELU",)),
        ("gelu () approximate='tanh'", ("GELU", "tanh")),
        ("dropout () p=0.1", ("dropout", "p = 0.1")),
        ("opaque () name='flash_attn' why='x'", ("flash_attn",)),
        ("input name='x'", ("x",)),
        ("softmax ()", ("softmax",)),
    ],
)
def test_labels(text: str, lines: tuple[str, ...]) -> None:
    assert label(parse(text).ops[0]) == lines


def test_a_long_name_is_cut_and_a_hidden_character_is_shown() -> None:
    (first,) = label(parse(f"opaque () name={'x' * 10_000!r}").ops[0])
    assert len(first) == 44
    assert label(parse("opaque () name='a\\x1b\\u202eb'").ops[0]) == ("a\\u001b\\u202eb",)


def test_places_are_short() -> None:
    assert place(Span("model.py", 7)) == "model.py:7"
    assert place(Span("tensor2tensor/models/transformer.py", 616)) == "transformer.py:616"
    assert len(place(Span("x" * 10_000, 1))) <= 44


def test_a_moved_norm_is_marked_on_both_sides_joined_and_placed() -> None:
    moved = [edit.actual for edit in POST_TO_PRE.edits if edit.actual is not None]
    decided = {op.path: op.because[-1].span for op in moved if op.because[-1].span is not None}
    scene = scene_of_difference(POST, PRE, POST_TO_PRE, titles=("paper", "tensor2tensor"), places=decided)
    assert [cluster.label for cluster in scene.clusters()] == [("paper",), ("tensor2tensor",)]
    assert [node.label for node in scene.nodes() if node.mark is Mark.MOVED] == [
        ("layer norm",),
        ("layer norm",),
        ("layer norm", "transformer.py:616"),
        ("layer norm", "transformer.py:616"),
    ]
    assert {node.mark for node in scene.nodes()} == {Mark.NONE, Mark.MOVED}
    assert lines_of(scene)[-2:] == ["layer norm => layer norm"] * 2
    names = {node.id: node.label[0] for node in scene.nodes() if node.label}
    assert [(names[left], names[right]) for left, right in scene.level] == [
        (name, name) for name in ("x", "self-attention", "dropout", "+", "feed-forward", "dropout", "+", "output")
    ]
    assert "layer norm: moved (tensor2tensor/models/transformer.py:426)." in scene.description


def test_a_description_lists_boxes_and_counts_them_where_there_are_many() -> None:
    assert scene_of(PARALLEL, title="block").description == (
        "Data flow of block: x, layer norm, self-attention 16 heads, feed-forward GELU, output."
    )
    many = parse("input name='x'\n" + "relu\n" * 98 + "softmax\n")
    assert scene_of(many, title="m").description == (
        "Data flow of m: 101 boxes, of them 98 ReLU, 1 x, 1 softmax, 1 output."
    )


def test_every_mark_stands_on_its_op_and_open_frames_show_the_ones_inside() -> None:
    scene = scene_of_difference(PAPER, CODE, EVERY_MARK)
    left, right = scene.items
    sides = [
        [(node.mark.value, *node.label) for node in Scene("", "", (side,), ()).nodes() if node.mark is not Mark.NONE]
        for side in (left, right)
    ]
    assert sides == [
        [
            ("?", "self-attention", "8 heads"),
            ("−", "dropout", "p = 0.1"),
            ("≠", "layer norm", "eps = 1e-06"),
            ("≠", "ReLU"),
        ],
        [
            ("?", "flash_attn_func", "model.py:31"),
            ("≠", "layer norm", "eps = 1e-05", "model.py:33"),
            ("≠", "GELU", "model.py:40"),
            ("+", "scale", "by 0.5", "modeling_thing.py:52"),
        ],
    ]
    frames = [(cluster.mark.value, *cluster.label) for cluster in scene.clusters()]
    assert frames == [
        ("", "paper"),
        ("≠", "× 6"),
        ("", "feed-forward"),
        ("", "code"),
        ("≠", "× 12"),
        ("", "feed-forward"),
    ]
    assert scene.marks() == (Mark.MISSING, Mark.EXTRA, Mark.CHANGED, Mark.UNKNOWN)


def test_the_sublayer_that_corresponds_to_an_open_one_is_open_too() -> None:
    extra = Alignment(
        ((pick(PAPER, "feed_forward"), pick(CODE, "feed_forward")),), (Edit(EditKind.EXTRA, actual=pick(CODE, "gelu")),)
    )
    frames = [cluster.label for cluster in scene_of_difference(PAPER, CODE, extra).clusters()]
    assert frames.count(("feed-forward",)) == 2


def test_a_missing_residual_is_marked_where_it_would_be_added_with_what_it_holds() -> None:
    attention = (pick(POST, "self_attention"), pick(PRE, "self_attention"))
    missing = Alignment((attention,), (Edit(EditKind.MISSING, pick(POST, "residual")),))
    marked = [node for node in scene_of_difference(POST, PRE, missing).nodes() if node.mark is Mark.MISSING]
    assert [(node.label[0], node.role) for node in marked] == [("dropout", Role.DROPOUT), ("residual add", Role.OTHER)]


def test_a_missing_sublayer_stays_folded() -> None:
    missing = Alignment((), (Edit(EditKind.MISSING, pick(PAPER, "feed_forward")),))
    scene = scene_of_difference(PAPER, CODE, missing)
    assert [node.label[0] for node in scene.nodes() if node.mark is Mark.MISSING] == ["feed-forward"]


def test_wiring_that_differs_is_said_on_both_sides() -> None:
    rewired = Alignment(
        (),
        (
            Edit(
                EditKind.CHANGED,
                pick(POST, "feed_forward"),
                pick(PRE, "feed_forward"),
                "reads:0",
                "the output of layer_norm",
                "the input",
            ),
        ),
    )
    marked = [node.label[-1] for node in scene_of_difference(POST, PRE, rewired).nodes() if node.mark is Mark.CHANGED]
    assert marked == ["reads the output of layer_norm", "reads the input"]


def test_an_edit_that_repeats_is_marked_and_joined_at_every_place() -> None:
    norms = [(pick(POST, "layer_norm", number), pick(PRE, "layer_norm", number)) for number in (0, 1)]
    (first, second) = norms
    scene = scene_of_difference(POST, PRE, Alignment((), (Edit(EditKind.MOVED, *first, also=(second, (None, None))),)))
    assert sum(node.mark is Mark.MOVED for node in scene.nodes()) == 4
    assert lines_of(scene)[-2:] == ["layer norm => layer norm"] * 2
    assert "and at 2 more places" in scene.description


@pytest.mark.parametrize(
    ("expected", "actual", "marks"),
    [
        (POST, PRE, (Mark.MOVED,)),
        (PRE, POST, (Mark.MOVED,)),
        (POST, POST, ()),
        (PAPER, CODE, (Mark.EXTRA, Mark.CHANGED, Mark.UNKNOWN)),
    ],
)
def test_what_align_finds_is_drawn(expected: OpGraph, actual: OpGraph, marks: tuple[Mark, ...]) -> None:
    alignment = align(expected, actual)
    scene = scene_of_difference(expected, actual, alignment)
    assert scene.marks() == marks
    moves = sum(1 + len(edit.also) for edit in alignment.edits if edit.kind is EditKind.MOVED)
    assert sum(edge.line is Line.MOVED for edge in scene.edges) == moves


@pytest.mark.parametrize("expected", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("actual", GRAPHS.values(), ids=GRAPHS)
def test_any_two_graphs_can_be_drawn_side_by_side(expected: OpGraph, actual: OpGraph) -> None:
    scene = scene_of_difference(expected, actual, align(expected, actual))
    heights = [(int(left[1:]), int(right[1:])) for left, right in scene.level]
    assert all(one[0] < two[0] and one[1] < two[1] for one, two in pairwise(heights))


def test_graphs_that_agree_have_no_marks() -> None:
    scene = scene_of_difference(POST, POST, Alignment(tuple((op, op) for op in POST.walk()), ()))
    assert scene.marks() == ()
    assert scene.description == "No difference."
    assert len(scene.level) == len(list(POST.walk())) + 1


def test_an_empty_graph_is_said_not_drawn_blank() -> None:
    with pytest.raises(ArchcheckError, match="nothing to draw"):
        scene_of(OpGraph(()))
    missing = Alignment((), tuple(Edit(EditKind.MISSING, op) for op in POST.ops))
    scene = scene_of_difference(POST, OpGraph(()), missing)
    assert [node.label for node in Scene("", "", scene.items[1:], ()).nodes()] == [("(no ops)",)]


def test_an_edit_that_cannot_be_shown_is_never_dropped() -> None:
    stray = parse('%0 = relu ()  @ path="elsewhere"\n').ops[0]
    with pytest.raises(GraphError, match="elsewhere, which its graph does not hold"):
        scene_of_difference(POST, PRE, Alignment((), (Edit(EditKind.EXTRA, actual=stray),)))
