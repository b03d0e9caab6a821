"""What is written on a box: an op's name as papers write it, and the attributes that tell one layer from another."""

from __future__ import annotations

from archcheck.drawing.scene import Role
from archcheck.ir.graph import AttrValue, Op, Unknown
from archcheck.ir.span import Span
from archcheck.shown import shorten, shown

_LIMIT = 44  # characters on a line of a box

_WORDS = {
    "self_attention": "self-attention",
    "cross_attention": "cross-attention",
    "feed_forward": "feed-forward",
    "moe": "mixture of experts",
    "ssm": "state space",
    "rms_norm": "RMS norm",
    "relu": "ReLU",
    "relu2": "ReLU²",
    "gelu": "GELU",
    "silu": "SiLU",
    "glu": "GLU",
    "rope": "RoPE",
    "alibi": "ALiBi",
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn": "RNN",
    "residual": "residual add",
}

_SIGNS = {"add": "+", "residual": "+", "mul": "×", "sub": "−", "div": "÷"}

_FAMILY_ROLES = {
    "norm": Role.NORM,
    "attention": Role.ATTENTION,
    "embedding": Role.EMBEDDING,
    "position": Role.EMBEDDING,
    "dropout": Role.DROPOUT,
}
_KIND_ROLES = {
    "input": Role.INPUT,
    "parameter": Role.INPUT,
    "constant": Role.INPUT,
    "opaque": Role.OPAQUE,
    "self_attention": Role.ATTENTION,
    "cross_attention": Role.ATTENTION,
    "feed_forward": Role.FEED_FORWARD,
    "moe": Role.FEED_FORWARD,
}

# attribute -> how it reads; `{}` is its value. In the order in which they are written.
_DETAILS = {
    "heads": "{} heads",
    "kv_heads": "{} kv heads",
    "activation": "{}",
    "d_ff": "d_ff {}",
    "experts": "{} experts",
    "k": "top {}",
    "p": "p = {}",
    "by": "by {}",
    "kernel": "kernel {}",
    "stride": "stride {}",
    "dilation": "dilation {}",
    "groups": "{} groups",
    "units": "{} units",
    "window": "window {}",
    "axis": "axis {}",
    "mode": "{}",
    "approximate": "{}",
    "alpha": "alpha {}",
    "exponent": "{}",
    "equation": "{}",
}
_NEUTRAL: dict[str, AttrValue] = {"stride": 1, "dilation": 1, "groups": 1, "approximate": "none"}
_REVERSED = {"sub": "from {}", "div": "{} by it"}  # the constant is the minuend, or the dividend
_TRUTHS = ("causal", "gated", "bidirectional", "qk_norm")


def writes(op: Op, name: str) -> bool:
    """Whether the box of `op` tells the value of attribute `name` anyway."""
    if name in ("in_features", "out_features"):
        return op.states("out_features")
    return op.states(name) and (name in _DETAILS or name == "count") and not joins(op)


def joins(op: Op) -> str:
    """The sign of an op that joins values, drawn as a circle; "" for one that is drawn as a box."""
    if op.kind.name != "residual" and (len(op.reads) < 2 or op.states("by")):
        return ""
    return _SIGNS.get(op.kind.name, "")


def role(op: Op) -> Role:
    """What kind of box an op is drawn as."""
    if joins(op):
        return Role.JOIN
    return _KIND_ROLES.get(op.kind.name) or _FAMILY_ROLES.get(op.kind.family, Role.OTHER)


def label(op: Op) -> tuple[str, ...]:
    """The lines on an op's box: its name, then its details if it states any."""
    details = _details(op)
    return (line(_name(op)), line(details)) if details else (line(_name(op)),)


def line(text: str) -> str:
    """One line of a box: escaped for reading, and cut in the middle where it is long."""
    return shorten(shown(text), _LIMIT)


def value(found: AttrValue) -> str:
    """An attribute's value as a drawing writes it."""
    if isinstance(found, Unknown):
        return "?"
    if isinstance(found, tuple):
        return "×".join(value(item) for item in found)
    if isinstance(found, float):
        return f"{found:.6g}"
    return str(found)


def times(op: Op) -> str:
    """How often a repeat runs: "× 6"."""
    count = op.attr("count")
    return line(f"× {value(count) if op.states('count') else '?'}")


def place(span: Span) -> str:
    """`file:line`, the file without folders where that is long."""
    text = shown(f"{span.file}:{span.line}")
    return text if len(text) <= _LIMIT // 2 else line(text.rpartition("/")[2])


def _name(op: Op) -> str:
    word = _WORDS.get(op.kind.name, op.kind.name.replace("_", " "))
    name = op.attr("name")
    if op.kind.name in ("input", "opaque", "function", "branch", "parameter") and isinstance(name, str) and name:
        return name
    return word


def _details(op: Op) -> str:
    words: list[str] = []
    if op.states("in_features") and op.states("out_features"):
        words.append(f"{value(op.attr('in_features'))} → {value(op.attr('out_features'))}")
    elif op.states("out_features"):
        words.append(f"→ {value(op.attr('out_features'))}")
    if op.states("rows") and op.states("dim"):
        words.append(f"{value(op.attr('rows'))} × {value(op.attr('dim'))}")
    for name, text in _DETAILS.items():
        if not op.states(name):
            continue
        found = op.attr(name)
        if isinstance(found, Unknown):
            words.append(f"{name} ?")
        elif (
            found is not None and found != _NEUTRAL.get(name) and not (name == "kv_heads" and found == op.attr("heads"))
        ):
            form = _REVERSED.get(op.kind.name, text) if name == "by" and op.attr("reverse") is True else text
            words.append(form.format(_WORDS.get(value(found), value(found)) if name == "activation" else value(found)))
    for name in _TRUTHS:
        found = op.attr(name)
        if isinstance(found, Unknown):
            words.append(f"{name} ?")
        elif found is True:
            words.append(name.replace("_", " "))
    return ", ".join(words)
