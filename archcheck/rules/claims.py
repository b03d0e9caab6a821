"""The pages of findings that come from a claim itself, not from an edit of an alignment."""

from __future__ import annotations

from textwrap import fill

from archcheck.rules.page import SECTIONS, Page


def _page(id: str, title: str, summary: str, *sections: str) -> Page:
    filled = ("\n".join(fill(line, 100) for line in section.split("\n")) for section in sections)
    return Page(id, title, summary, tuple(zip(SECTIONS, filled, strict=True)))


PAGES: tuple[Page, ...] = (
    _page(
        "not-found",
        "no part of the code is what a block is about",
        "Says that nothing in the code could be told to be the part that a block of the spec describes.",
        "Blocks are found by structure: the sublayers of a layer, the kind of an op. No name decides.",
        "A claim about a part that was not found is neither fulfilled nor violated.",
        "The paper:    a block with self-attention, cross-attention, feed-forward\nUndetermined: an encoder is audited",
        "Which class the author meant: --bind BLOCK=CLASS names it.",
        "vaswani2017, section 3.1.",
    ),
    _page(
        "open-choice",
        "nothing decides which way the code goes",
        "Says that the code computes what is claimed only on one side of a condition that nothing decides.",
        "Each side of a condition on an argument that nobody gave, or on a tensor's shape, type or device where it "
        "chooses between modules, is read and judged.",
        "A claim that holds under one value of a flag only is a claim about that value.",
        "The paper:    x = norm(x + self_attention(x))\nUndetermined: `if self.post:`, and post has no default",
        "Values that only a run would give. An argument decides: --arg post=True.",
        "xiong2020, section 3.",
    ),
    _page(
        "strict",
        "equal only by an equivalence that the claim rules out",
        "Says that code and claim agree by an equivalence which `strict:` forbids.",
        "The names of the equivalences that the alignment used, against those that the claim lists.",
        "Some claims are about how something is written, such as three projections and not a fused one.",
        "The paper:  strict: [fused projection]\nDeparts:    one map for queries, keys and values",
        "Equivalences of the canonical form that have no name.",
        "vaswani2017, section 3.2.2.",
    ),
    _page(
        "missing",
        "something that a claim says is present is not",
        "Says that an op which `present:` states stands nowhere where the claim says.",
        "The ops in, before or after a block, or anywhere in the target.",
        "A final norm behind the last pre-norm layer is the usual case: without it the stream is never normalised.",
        "The paper:  present: norm after layer\nDeparts:    the last layer's sum is what comes out",
        "Attributes of the op, and code that could not be read: both are UNDETERMINED.",
        "xiong2020, Figure 1 (b).",
    ),
    _page(
        "extra",
        "something that a claim says is absent is there",
        "Says that an op which `absent:` excludes stands where the claim says that it does not.",
        "The ops in, before or after a block, or anywhere in the target.",
        "What a paper takes out is often its contribution: a norm, a bias, a dropout.",
        "The paper:  absent: norm after layer\nDeparts:    a layer norm behind the stack",
        "Attributes of the op, and code that could not be read: both are UNDETERMINED.",
        "xiong2020, Figure 1 (a).",
    ),
    _page(
        "count",
        "another number of ops or layers than stated",
        "Says that something stands another number of times than `count:` or `repeat:` states.",
        "Ops of a kind, counted through repeats; layers in a row, folded or written out.",
        "Depth is the first of a model's sizes.",
        "The paper:  repeat: 6\nDeparts:    a loop over range(12)",
        "Numbers from a configuration that was not given; code that could not be read.",
        "vaswani2017, section 3.1.",
    ),
    _page(
        "path",
        "a sequence along the data flow is not there",
        "Says that no ops follow each other along the data flow in the order that `path:` states.",
        "Readers of each value in turn, through sublayers, residuals and the rounds of a repeat. Between two steps "
        "only dropout and changes of layout may stand; `...` lets anything stand there but what `absent:` excludes.",
        "Figures are sequences: embedding, layers, norm, projection.",
        "The paper:  path: embedding -> ... -> layer_norm -> linear -> output\nDeparts:    no norm before it",
        "Attributes of its steps, and blocks as steps: UNDETERMINED.",
        "vaswani2017, Figure 1.",
    ),
    _page(
        "shared-weights",
        "weights that a paper shares are not shared",
        "Says that places which `same_weights:` names hold learned tensors of their own.",
        "Whether the modules that the places are bound to hold one and the same parameter.",
        "Sharing halves the parameters of a small model and changes what is learned.",
        "The paper:  same_weights: [embedding, projection]\nDeparts:    two matrices of one shape",
        "Weights that are tied outside the code that was read.",
        "vaswani2017, section 3.4.",
    ),
    _page(
        "own-weights",
        "parts that a paper keeps apart share weights",
        "Says that parts which `own_weights:` names hold one and the same learned tensor.",
        "Modules, or all ops of a kind: two of them that are computed with one parameter, as where a module is called "
        "twice.",
        "Two layers that are one have half the parameters, and one gradient.",
        "The paper:  own_weights: [feed_forward]\nDeparts:    x = x + ffn(x); x = x + attention(x); x = x + ffn(x)",
        "Layers in a repeat that is folded, and weights that were not read: both are UNDETERMINED.",
        "gulati2020, Equation 1.",
    ),
    _page(
        "initial-values",
        "weights that start with other values than stated",
        "Says that the weights of an instance of the code start with other values than `init:` states.",
        "One value (zero, one), or the spread of a sample: its standard deviation, within the claim's tolerance "
        "(5 %) and four standard errors of the sample, in each layer and in all together; whether it is normal, "
        "uniform or cut off, where the claim names it. Which weights are meant is decided by structure: the value map "
        "of an attention is the linear that feeds its third operand.",
        "Deep networks train or diverge by the scale of their residual branches at the start: zero-initialised "
        "(goyal2017, zhang2019fixup), divided by the root of their number (radford2019), or multiplied by a factor of "
        "the depth (wang2022).",
        "The paper:  init: {of: attention.value, scheme: xavier_normal, gain: (8*N)**(-1/4)}\n"
        "Departs:    nn.init.xavier_normal_(self.v_proj.weight)\n"
        "Agrees:     nn.init.xavier_normal_(self.v_proj.weight, gain=(8 * layers) ** -0.25)",
        "Anything without an instance: reading is UNDETERMINED, and --trace settles it. A spread of fewer than 64 "
        "entries; the maps of queries, keys and values in one matrix, unless they are its thirds; weights that are "
        "loaded or changed after the constructor; on a copy with fewer layers, formulas over sizes that no `repeat:` "
        "ties to it.",
        "glorot2010, Equations 12 and 16; he2015, Equations 10 and 14; wang2022, Figure 2; radford2019, section 2.3.",
    ),
)
