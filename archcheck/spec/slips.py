"""What strangers write for what they mean: words of the field, of other libraries and of TeX; what to write here."""

from __future__ import annotations

import ast
import re
from collections.abc import Container

from archcheck.ir.ops import BY_NAME

# Words of papers and of libraries, in lower case without signs, for entries of the vocabulary.
MEANT = {
    **dict.fromkeys(("ln", "layernorm", "layernormalization"), "layer_norm"),
    **dict.fromkeys(("bn", "batchnorm", "batchnorm2d", "batchnormalization"), "batch_norm"),
    **dict.fromkeys(("gn", "groupnorm"), "group_norm"),
    **dict.fromkeys(("rms", "rmsnorm"), "rms_norm"),
    **dict.fromkeys(("normalize", "normalise", "normalization"), "norm"),
    **dict.fromkeys(("mha", "mhsa", "msa", "sa", "multiheadattention", "multiheadselfattention"), "self_attention"),
    **dict.fromkeys(("selfattention", "selfattn", "attn", "mqa", "gqa"), "self_attention"),
    **dict.fromkeys(("ca", "crossattn", "encdecattention", "encoderdecoderattention"), "cross_attention"),
    **dict.fromkeys(("ffn", "ff", "mlp", "fcn", "feedforward", "positionwisefeedforward"), "feed_forward"),
    **dict.fromkeys(("fc", "dense", "proj", "projection", "affine", "fullyconnected"), "linear"),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolve"), "conv"),
    **dict.fromkeys(("deconv", "convtranspose", "convtranspose2d", "upconv", "transposedconv"), "conv_transpose"),
    **dict.fromkeys(("maxpool", "maxpooling", "maxpool2d"), "pool(mode=max)"),
    **dict.fromkeys(("avgpool", "averagepool", "meanpool", "avgpool2d"), "pool(mode=mean)"),
    **dict.fromkeys(("gap", "globalavgpool", "globalaveragepooling", "globalpool"), "pool(mode=mean, scope=global)"),
    **dict.fromkeys(("globalmaxpool", "globalmaxpooling"), "pool(mode=max, scope=global)"),
    **dict.fromkeys(("swish",), "silu"),
    **dict.fromkeys(("act", "nonlinearity", "sigma"), "activation"),
    **dict.fromkeys(("drop",), "dropout"),
    **dict.fromkeys(("droppath", "stochdepth"), "stochastic_depth"),
    **dict.fromkeys(("cat", "concatenate", "merge"), "concat"),
    **dict.fromkeys(("emb", "embed", "tokenembedding"), "embedding"),
    **dict.fromkeys(("rotary", "rotaryembedding"), "rope"),
    **dict.fromkeys(("logistic",), "sigmoid"),
}

# Keys of other citation styles and tools, for those of a spec.
KEYS = {
    **dict.fromkeys(("section", "sec", "figure", "fig", "equation", "eq", "table", "source", "cite", "page"), "where"),
    **dict.fromkeys(("text", "citation", "says", "words"), "quote"),
    **dict.fromkeys(("equations", "formula", "code", "wiring", "forward"), "flow"),
    **dict.fromkeys(("times", "depth", "layers"), "repeat"),
    **dict.fromkeys(("presets", "only_for"), "for"),
}
NO_TRUTH = {"yes": "true", "on": "true", "no": "false", "off": "false"}  # true and false in YAML 1.1 only

_TEX = re.compile(r"\\(?:mathrm|text|operatorname|mathbf|mathit)\s*\{\s*([^{}]*)\}")


def meant(word: str) -> str:
    """What the vocabulary calls what papers call `word`, or ""."""
    return MEANT.get(re.sub(r"[^a-z0-9]", "", word.lower()), "")


def dashed(node: ast.BinOp, terms: Container[str], blocks: Container[str]) -> tuple[str, str]:
    """The word that `self-attention(x)` means, which Python reads as `self` minus `attention(x)`, and its first half;
    two empty texts where there is no such word."""
    left, right = node.left, node.right.func if isinstance(node.right, ast.Call) else node.right
    while isinstance(left, ast.BinOp):  # x + self-attention(x) is (x + self) - attention(x)
        left = left.right
    if not (isinstance(node.op, ast.Sub) and isinstance(left, ast.Name) and isinstance(right, ast.Name)):
        return "", ""
    word = f"{left.id}_{right.id}"
    return (word, left.id) if word in BY_NAME or word in terms or word in blocks else ("", "")


def untexed(source: str) -> str:
    """The hint for an equation in TeX: the same in Python, where it says no more than words, sums and brackets."""
    text = _TEX.sub(lambda found: meant(found[1]) or found[1].strip(), source)
    text = text.replace("\\left", "").replace("\\right", "").replace("\\cdot", "*").strip(" $")
    return f"write it as in Python: {' '.join(text.split())}" if "\\" not in text else "x = norm(x + f(x))"


def shape_hint(source: str) -> str:
    """The hint for an equation that is no Python."""
    if "->" in source:
        return "a sequence with arrows is a claim: path: a -> b"
    if re.search(r"\d\s*[A-Za-z_(]", source):
        return "a product needs its sign: 2*N"
    if source.count("(") != source.count(")"):
        return "each ( needs its )"
    if re.search(r"[\w)]\s+[A-Za-z_]\w*", source):
        return "a product needs its sign, and a learned map is an op: y = linear(x)"
    return "equations are written as in Python: x = norm(x + f(x))"


def operation_hint(operator: ast.operator) -> str:
    """The hint for an operator that equations do not have."""
    return "a power is **: x ** 2" if isinstance(operator, ast.BitXor) else "it has + - * / ** and @"


def call_hint(called: ast.expr) -> str:
    """The hint for a call of something that is no plain name: a method, a module of a library."""
    if isinstance(called, ast.Call):
        called = called.func
    if isinstance(called, ast.Attribute):
        word = called.attr if called.attr in BY_NAME else meant(called.attr) or called.attr.lower()
        if word in BY_NAME:
            return f"call the op: {word}(x)"
    return "call a plain name: relu(x)"
