"""Graphs to draw, and alignments written by hand."""

from __future__ import annotations

from archcheck.align.edits import Alignment, Edit, EditKind
from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.text import parse

FILE = '"tensor2tensor/models/transformer.py"'
SETTING = """["hparams.layer_preprocess_sequence", "'n'", [FILE, 616, 3, 0, 0], []]"""

POST = parse(
    """\
%0 = input name="x"
%1 = residual %0:
  %2 = self_attention %0 heads=8
  %3 = dropout %2 p=0.1
%4 = layer_norm %1
%5 = residual %4:
  %6 = feed_forward %4 activation="relu" d_ff=2048
  %7 = dropout %6 p=0.1
%8 = layer_norm %5
"""
)
PRE = parse(
    """\
%0 = input name="x"
%1 = residual %0:
  %2 = layer_norm %0  @ from=[FILE, 426, 15, 0, 0] because=[SETTING]
  %3 = self_attention %2 heads=8
  %4 = dropout %3 p=0.1
%5 = residual %1:
  %6 = layer_norm %1  @ from=[FILE, 439, 15, 0, 0] because=[SETTING]
  %7 = feed_forward %6 activation="relu" d_ff=2048
  %8 = dropout %7 p=0.1
""".replace("SETTING", SETTING).replace("FILE", FILE)
)
PARALLEL = parse(
    """\
%0 = input name="x"
%1 = residual %0:
  %2 = layer_norm %0
  %3 = self_attention %2 heads=16
  %4 = feed_forward %2 activation="gelu"
  %5 = add %3, %4
"""
)
TWO_STREAMS = parse(
    """\
%0 = input name="x"
%1 = input name="dual"
%2 = self_attention %0 heads=8
%3 = add %0, %2
%4 = layer_norm %3
%5 = add %1, %2
%6 = feed_forward %4 activation="relu"
%7 = add %4, %6
%8 = layer_norm %7
%9 = add %5, %6
%10 = layer_norm %9
%11 = add %8, %10
"""
)
DECODER = parse(
    """\
%0 = input name="y"
%1 = input name="memory"
%2 = residual %0:
  %3 = self_attention %0 heads=8 causal=True
%4 = layer_norm %2
%5 = residual %4, %1:
  %6 = cross_attention %4, %1 heads=8
%7 = layer_norm %5
%8 = residual %7:
  %9 = feed_forward %7 activation="relu"
%10 = layer_norm %8
"""
)
MODEL = parse(
    """\
%0 = input name="tokens"
%1 = embedding %0 rows=37000 dim=512
%2 = sinusoid %0
%3 = add %1, %2
%4 = repeat %3 count=6:
  %5 = residual %3:
    %6 = self_attention %3 heads=8
  %7 = layer_norm %5
  %8 = residual %7:
    %9 = feed_forward %7 activation="relu" d_ff=2048
  %10 = layer_norm %8
%11 = input name="shifted outputs"
%12 = embedding %11 rows=37000 dim=512
%13 = sinusoid %11
%14 = add %12, %13
%15 = repeat %14, %4 count=6:
  %16 = residual %14:
    %17 = self_attention %14 heads=8 causal=True
  %18 = layer_norm %16
  %19 = residual %18, %4:
    %20 = cross_attention %18, %4 heads=8
  %21 = layer_norm %19
  %22 = residual %21:
    %23 = feed_forward %21 activation="relu" d_ff=2048
  %24 = layer_norm %22
%25 = linear %15 in_features=512 out_features=37000
%26 = softmax %25
"""
)


def pick(graph: OpGraph, kind: str, number: int = 0) -> Op:
    """The `number`-th op of a kind, in program order."""
    return [op for op in graph.walk() if op.kind.name == kind][number]


def pairs(expected: OpGraph, actual: OpGraph, *kinds: str) -> tuple[tuple[Op, Op], ...]:
    """Ops of these kinds, paired in order."""
    sides = [[op for op in graph.walk() if op.kind.name in kinds] for graph in (expected, actual)]
    return tuple(zip(*sides, strict=True))


POST_TO_PRE = Alignment(
    pairs(POST, PRE, "input", "residual", "self_attention", "feed_forward", "dropout"),
    tuple(Edit(EditKind.MOVED, pick(POST, "layer_norm", number), pick(PRE, "layer_norm", number)) for number in (0, 1)),
)

PAPER = parse(
    """\
%0 = input name="x"
%1 = repeat %0 count=6:
  %2 = residual %0:
    %3 = self_attention %0 heads=8
    %4 = dropout %3 p=0.1
  %5 = layer_norm %2 eps=1e-06
  %6 = residual %5:
    %7 = feed_forward %5 activation="relu":
      %8 = linear %5 in_features=512 out_features=2048
      %9 = relu %8
      %10 = linear %9 in_features=2048 out_features=512
    %11 = dropout %7 p=0.1
  %12 = layer_norm %6 eps=1e-06
%13 = linear %1 out_features=37000
"""
)
CODE = parse(
    """\
%0 = input name="x"
%1 = repeat %0 count=12:
  %2 = residual %0:
    %3 = opaque %0 name="flash_attn_func" why="no source"  @ from=["model.py", 31, 9, 0, 0]
  %5 = layer_norm %2 eps=1e-05  @ from=["model.py", 33, 9, 0, 0]
  %6 = residual %5:
    %7 = feed_forward %5 activation="gelu":
      %8 = linear %5 in_features=512 out_features=2048
      %9 = gelu %8  @ from=["model.py", 40, 9, 0, 0]
      %10 = linear %9 in_features=2048 out_features=512
    %11 = dropout %7 p=0.1
  %12 = layer_norm %6 eps=1e-06
  %13 = scale %12 by=0.5  @ from=["some/long/package/folder/modeling_thing.py", 52, 9, 0, 0]
%14 = linear %1 out_features=37000
"""
)
EVERY_MARK = Alignment(
    (
        *pairs(PAPER, CODE, "input", "repeat", "residual", "feed_forward", "linear", "layer_norm"),
        (pick(PAPER, "self_attention"), pick(CODE, "opaque")),
        (pick(PAPER, "dropout", 1), pick(CODE, "dropout")),
        (pick(PAPER, "relu"), pick(CODE, "gelu")),
    ),
    (
        Edit(EditKind.CHANGED, pick(PAPER, "repeat"), pick(CODE, "repeat"), "attr:count", 6, 12),
        Edit(EditKind.UNKNOWN, pick(PAPER, "self_attention"), pick(CODE, "opaque"), "kind"),
        Edit(EditKind.MISSING, pick(PAPER, "dropout")),
        Edit(EditKind.CHANGED, pick(PAPER, "layer_norm"), pick(CODE, "layer_norm"), "attr:eps", 1e-06, 1e-05),
        Edit(EditKind.CHANGED, pick(PAPER, "relu"), pick(CODE, "gelu"), "kind", "relu", "gelu"),
        Edit(EditKind.EXTRA, actual=pick(CODE, "scale")),
    ),
)
