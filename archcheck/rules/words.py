"""How rules call ops, attributes and lists of things: the field's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archcheck.ir.graph import AttrValue, Op, Unknown
from archcheck.ir.ops import OpKind

_NAMES = {
    "self_attention": "self-attention",
    "cross_attention": "cross-attention",
    "feed_forward": "feed-forward",
    "moe": "mixture of experts",
    "ssm": "state-space",
    "add": "add",
    "layer_norm": "layer norm",
    "rms_norm": "RMS norm",
    "l2_norm": "L2 norm",
    "relu": "ReLU",
    "relu2": "squared ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "prelu": "PReLU",
    "rrelu": "RReLU",
    "elu": "ELU",
    "selu": "SELU",
    "celu": "CELU",
    "gelu": "GELU",
    "quick_gelu": "quick GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "glu": "GLU",
    "rope": "rotary positions",
    "sinusoid": "sinusoidal positions",
    "alibi": "ALiBi",
    "relative_bias": "relative position bias",
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn": "RNN",
    "conv": "convolution",
    "conv_transpose": "transposed convolution",
    "residual": "residual add",
    "stochastic_depth": "stochastic depth",
    "matmul": "matrix product",
    "sub": "difference",
    "mul": "product",
    "div": "quotient",
    "concat": "concatenation",
    "pool": "pooling",
}


def kind_words(kind: OpKind) -> str:
    """What the field calls a kind: "self-attention", "RMS norm", "GELU"."""
    return _NAMES.get(kind.name, kind.name.replace("_", " "))


def called(op: Op) -> str:
    """What to call an op: its kind in words, or its own name where the vocabulary has none for it."""
    if op.kind.name in ("opaque", "function", "branch"):
        name = op.attr("name")
        if isinstance(name, str) and name:
            return name
    if op.kind.name == "gelu" and op.attr("approximate") == "tanh":
        return "tanh GELU"
    return kind_words(op.kind)


def token(op: Op, *, exact: bool = False) -> str:
    """An op in a sequence; a norm is "norm" unless `exact`, since its place matters more than its kind."""
    if op.kind.family == "norm" and not exact and op.kind.name not in ("affine", "weight_norm"):
        return "norm"
    if op.kind.name == "opaque":
        return "?" + called(op)
    if op.kind.name == "residual":
        return "add"
    return called(op)


def a(words: str) -> str:
    """`words` with their indefinite article."""
    spelled = words[:2].isupper() and words[0] in "FHLMNRSX"  # an RMS norm, an LSTM; but a ReLU, a GELU
    spelled = spelled and not words.startswith(("ReLU", "RReLU", "SELU", "SiLU"))
    return f"an {words}" if spelled or words[:1].lower() in "aeiou" else f"a {words}"


def listed(words: Iterable[str]) -> str:
    """ "a, b and c"; each word once, in order."""
    items = list(dict.fromkeys(words))
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def shown_value(value: AttrValue) -> str:
    """A value inside a sentence."""
    if isinstance(value, Unknown):
        return f"unknown ({value.why})"
    if isinstance(value, tuple):
        return "(" + ", ".join(shown_value(item) for item in value) + ("," if len(value) == 1 else "") + ")"
    return value if isinstance(value, str) else repr(value)


def sentence(words: str) -> str:
    """`words` with a capital and a full stop."""
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def times(count: int) -> str:
    """ "" for one, " (6 times)" for six."""
    return "" if count < 2 else f" ({count} times)"


def in_sublayers(names: Sequence[str]) -> str:
    """ ", in self-attention and feed-forward", with how often where they repeat."""
    names = [name for name in names if name]
    if not names:
        return ""
    once = list(dict.fromkeys(names))
    counts = {names.count(name) for name in once}
    words = f", in {listed(once)}"
    if counts == {1}:
        return words
    if len(counts) == 1:
        return f"{words} of {counts.pop()} layers"
    return f"{words} ({len(names)} places)"
