"""Reports as an audit would give them, written by hand: what reporters are tested on and read with."""

from __future__ import annotations

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import (
    Bound,
    ClaimResult,
    Finding,
    Place,
    ReadingResult,
    Report,
    Undetermined,
    Variant,
    Verdict,
)
from archcheck.ir.graph import Op, Unknown, attrs
from archcheck.ir.ops import kind
from archcheck.ir.span import Setting, Span, Step

MODEL = "tensor2tensor/models/transformer.py"
SPEC = "specs/vaswani2017.yaml"
PREPROCESS = Setting(
    "hparams.layer_preprocess_sequence",
    "'n'",
    Span(MODEL, 616, 3, 616, 44),
    (Step("transformer_base", Span(MODEL, 628, 10)), Step("transformer_base_v2", Span(MODEL, 616, 3))),
)
POSTPROCESS = Setting(
    "hparams.layer_postprocess_sequence",
    "'da'",
    Span(MODEL, 617, 3, 617, 46),
    (Step("transformer_base", Span(MODEL, 628, 10)), Step("transformer_base_v2", Span(MODEL, 617, 3))),
)
LAYER_NORM = Op("encoder/1.layer_norm", kind("layer_norm"), attrs=attrs(eps=1e-06), span=Span(SPEC, 14, 11))
ENCODER = Bound(
    "encoder_layer",
    "transformer_encoder",
    Span(MODEL, 398, 1),
    "by its sublayers",
    "self_attention: n F d a; feed_forward: n F d a",
    6,
)

MOVED_NORM = ClaimResult(
    "encoder_layer",
    Verdict.VIOLATED,
    "norm(x + dropout(sublayer(x))) around self-attention and feed-forward",
    "Figure 1 (left); Section 5.4",
    "We apply dropout to the output of each sub-layer, before it is added to the sub-layer input and normalized.",
    Place(Span(SPEC, 14, 11, 14, 42), "      x = norm(x + dropout(self_attention(x)))"),
    (ENCODER,),
    (
        Finding(
            "norm-placement",
            Verdict.VIOLATED,
            "the norm moved from after the residual add to before the sublayer, in both sublayers",
            paper="Each sublayer is followed by dropout, the residual add and the norm: post-norm.",
            code="Each sublayer reads a normalised copy of the stream, and nothing is normalised after the add: "
            "pre-norm.",
            fix="set hparams.layer_preprocess_sequence = 'none' and hparams.layer_postprocess_sequence = 'dan', or "
            "state pre-norm in the spec.",
            places=(
                Place(
                    PREPROCESS.span, '  hparams.layer_preprocess_sequence = "n"', "puts the norm before the sublayer"
                ),
                Place(POSTPROCESS.span, '  hparams.layer_postprocess_sequence = "da"', "leaves no norm after the add"),
                Place(Span(MODEL, 426, 15, 426, 54), "              common_layers.layer_preprocess(x, hparams),"),
            ),
            trail=(PREPROCESS, POSTPROCESS),
            expected=("", "self_attention", "dropout", "add", "norm", "", "feed_forward", "dropout", "add", "norm"),
            actual=("norm", "self_attention", "dropout", "add", "", "norm", "feed_forward", "dropout", "add", ""),
            edits=(
                Edit(
                    EditKind.MOVED,
                    LAYER_NORM,
                    Op("encoder/0.layer_norm", kind("layer_norm"), because=(PREPROCESS,)),
                    aspect="",
                ),
            ),
        ),
    ),
)
FINAL_NORM = ClaimResult(
    "no-final-norm",
    Verdict.VIOLATED,
    "no norm after the last encoder layer",
    "Figure 1 (left)",
    spec=Place(Span(SPEC, 31, 5, 31, 31), "    absent: norm after encoder"),
    bound=(Bound("encoder", "transformer_encoder", Span(MODEL, 398, 1), "the target itself"),),
    findings=(
        Finding(
            "extra-op",
            Verdict.VIOLATED,
            "a layer norm follows the last layer",
            code="The output of the stack is normalised once more.",
            fix="return x without layer_preprocess.",
            places=(Place(Span(MODEL, 444, 12, 444, 51), "    return common_layers.layer_preprocess(x, hparams)"),),
            expected=("encoder_layer", ""),
            actual=("encoder_layer", "norm"),
            edits=(Edit(EditKind.EXTRA, actual=Op("encoder/2.layer_norm", kind("layer_norm"))),),
        ),
    ),
    advisory=True,
)
HEADS = ClaimResult(
    "self_attention.scale",
    Verdict.UNDETERMINED,
    "scores are scaled by 1/sqrt(d_k)",
    "Equation 1",
    "softmax(QK^T / sqrt(d_k)) V",
    Place(Span(SPEC, 22, 5), "    flow: matmul(softmax(matmul(q, k) / sqrt(d_k)), v)"),
    (
        Bound(
            "self_attention",
            "multihead_attention",
            Span("tensor2tensor/layers/common_attention.py", 1371, 1),
            "by --bind",
        ),
    ),
    (
        Finding(
            "attribute",
            Verdict.UNDETERMINED,
            "the scale of the attention scores could not be read",
            code="The factor is key_depth_per_head**-0.5 of a depth that the call does not state.",
            fix="give the depth: --arg hparams.attention_key_channels=512.",
            places=(
                Place(
                    Span("tensor2tensor/layers/common_attention.py", 1449, 5, 1449, 34),
                    "    q *= key_depth_per_head**-0.5",
                ),
            ),
            edits=(
                Edit(
                    EditKind.UNKNOWN,
                    aspect="attr:scale",
                    stated=0.125,
                    found=Unknown(
                        "key_depth_per_head is not stated", Span("tensor2tensor/layers/common_attention.py", 1449)
                    ),
                ),
            ),
        ),
    ),
)
HOLDING = (
    ClaimResult(
        "encoder_layer.repeat",
        Verdict.HOLDS,
        "6 identical layers",
        "Section 3.1",
        "The encoder is composed of a stack of N = 6 identical layers.",
        Place(Span(SPEC, 16, 5), "    repeat: 6"),
        (ENCODER,),
    ),
    ClaimResult(
        "feed_forward",
        Verdict.HOLDS,
        "linear(relu(linear(x)))",
        "Equation 2",
        bound=(
            Bound(
                "feed_forward", "conv_hidden_relu", Span("tensor2tensor/layers/common_layers.py", 866, 1), "by its ops"
            ),
        ),
        equivalences=("1x1 convolution is a linear over channels",),
    ),
)
READINGS = (
    ReadingResult(
        "norm-inside-the-residual", 'Figure 1 read upwards as "norm, then add": x + norm(sublayer(x))', Verdict.VIOLATED
    ),
)

T2T = Report(
    "tensor2tensor==1.2.5/tensor2tensor/models/transformer.py:transformer_encoder",
    "vaswani2017",
    "Attention Is All You Need",
    "static",
    (Variant((), True, (*HOLDING, MOVED_NORM, HEADS, FINAL_NORM), READINGS),),
    not_checked=(
        "Section 5.3: Adam with beta2 = 0.98 and a warm-up of 4000 steps",
        "Section 5.4: label smoothing of 0.1",
    ),
    assumptions=("hparams is transformer_base()", "the mode is training: dropout is applied"),
    undetermined=(
        Undetermined(
            "attention_bias_to_padding(encoder_self_attention_bias)",
            "the argument encoder_self_attention_bias is not given",
            Span(MODEL, 419, 11),
        ),
    ),
)

TORCH = "torch/nn/modules/transformer.py"
POST_LN = ClaimResult(
    "post_ln",
    Verdict.HOLDS,
    "norm(x + sublayer(x))",
    "Figure 1 (a)",
    spec=Place(Span("specs/xiong2020.yaml", 9, 11), "      x = norm(x + attention(x))"),
    bound=(Bound("post_ln", "TransformerEncoderLayer", Span(TORCH, 660, 1), "the target itself"),),
)
POST_LN_VIOLATED = ClaimResult(
    POST_LN.claim,
    Verdict.VIOLATED,
    POST_LN.says,
    POST_LN.where,
    spec=POST_LN.spec,
    bound=POST_LN.bound,
    findings=(
        Finding(
            "norm-placement",
            Verdict.VIOLATED,
            "the norm moved from after the residual add to before the sublayer, in both sublayers",
            paper="Post-LN: each residual add is followed by a norm.",
            code="Pre-LN: each sublayer reads a normalised copy of the stream.",
            fix="pass norm_first=False.",
            places=(
                Place(
                    Span(TORCH, 943, 13, 945, 14), "            x = x + self._sa_block(", "runs when norm_first is true"
                ),
            ),
            trail=(Setting("norm_first", "True"),),
            expected=("", "F", "d", "a", "n"),
            actual=("n", "F", "d", "a", ""),
            edits=(Edit(EditKind.MOVED, LAYER_NORM, LAYER_NORM),),
        ),
    ),
)
FLAGGED = Report(
    "torch.nn:TransformerEncoderLayer",
    "xiong2020#post_ln",
    "On Layer Normalization in the Transformer Architecture",
    "static",
    (
        Variant((("norm_first", False),), True, (POST_LN,)),
        Variant((("norm_first", True),), False, (POST_LN_VIOLATED,)),
    ),
)

EVIL = "\x1b[31m\u202e<b>x</b>\n::error::A:B\r\t\u200b\x00" + "9" * 300


def hostile(text: str) -> Report:
    """A report in which every string from outside is `text`."""
    span = Span(text, 3, 2, 3, 9)
    place = Place(span, text, text)
    setting = Setting(text, text, span, (Step(text, span), Step(text, Span("model.py", 1))))
    op = Op(text, kind("opaque"), attrs=attrs(name=text, why=Unknown(text, span)), span=span, because=(setting,))
    edit = Edit(EditKind.UNKNOWN, op, op, "attr:" + text, text, Unknown(text, span), op, op)
    finding = Finding(
        "opaque-op",
        Verdict.UNDETERMINED,
        text,
        text,
        text,
        text,
        (place, place),
        (setting,),
        (text, ""),
        ("", text),
        (edit,),
    )
    bound = Bound(text, text, span, text, text, 2)
    claim = ClaimResult(text, Verdict.UNDETERMINED, text, text, text, place, (bound,), (finding,), False, (text,))
    held = ClaimResult(text, Verdict.HOLDS, text, text, text, place, (bound,), (), True, (text,))
    variants = (
        Variant(((text, text),), True, (claim, held), (ReadingResult(text, text, Verdict.HOLDS),)),
        Variant(((text, (text, Unknown(text))),), False, (held, claim)),
    )
    return Report(text, text, text, text, variants, (text,), (text,), (Undetermined(text, text, span),))
