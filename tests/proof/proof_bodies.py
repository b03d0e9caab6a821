"""What tests of proofs share: bodies as printed graphs, raised by the passes or by hand, and what is proved of them."""

from __future__ import annotations

from collections.abc import Mapping

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.text import parse
from archcheck.passes import canonicalise
from archcheck.passes.raise_activations import RaiseActivations
from archcheck.passes.raise_attention import RaiseAttention
from archcheck.passes.raise_norms import RaiseNorms
from archcheck.passes.raise_rope import RaiseRope
from archcheck.passes.raise_softmax import RaiseSoftmax
from archcheck.proof import Proof, confirm, nearest

RAISING = (RaiseNorms(), RaiseActivations(), RaiseSoftmax(), RaiseRope(), RaiseAttention())

X = "%x = input\n"
RMS = (
    "%p = pow %x exponent=2\n%m = mean %p axis=-1\n%e = add %m by=1e-06\n%r = rsqrt %e\n%n = mul %x, %r\n"
    '%w = parameter name="w"\n%o = mul %n, %w\n'
)
RMS_1P = (
    "%p = pow %x exponent=2\n%m = mean %p axis=-1\n%e = add %m by=1e-06\n%r = rsqrt %e\n%n = mul %x, %r\n"
    '%w = parameter name="w" shape=(24,)\n%v = add %w by=1.0\n%o = mul %n, %v\n'
)
RMS_LENGTH = (
    "%l = vector_norm %x axis=-1\n%s = mul %l by=0.04419417382415922\n%e = add %s by=1e-08\n%n = div %x, %e\n"
    '%w = parameter name="w" shape=(512,)\n%o = mul %n, %w\n'
)
LAYER = (
    "%m = mean %x axis=-1\n%c = sub %x, %m\n%p = mul %c, %c\n%v = mean %p axis=-1\n%e = add %v by=1e-05\n"
    '%s = sqrt %e\n%n = div %c, %s\n%w = parameter name="w"\n%o = mul %n, %w\n%b = parameter name="b"\n'
    "%o2 = add %o, %b\n"
)
LAYER_SQUARES = (
    "%p = pow %x exponent=2\n%q = mean %p axis=-1\n%m = mean %x axis=-1\n%mm = pow %m exponent=2\n"
    "%v = sub %q, %mm\n%e = add %v by=1e-05\n%r = rsqrt %e\n%c = sub %x, %m\n%n = mul %c, %r\n"
)
LAYER_STD = (
    "%m = mean %x axis=-1\n%c = sub %x, %m\n%v = std %x axis=-1 correction=1\n%e = add %v by=1e-06\n"
    '%w = parameter name="w"\n%g = mul %w, %c\n%o = div %g, %e\n%b = parameter name="b"\n%o2 = add %o, %b\n'
)
LAYER_CHANNELS = (
    "%m = mean %x axis=1\n%c = sub %x, %m\n%p = pow %c exponent=2\n%v = mean %p axis=1\n%e = add %v by=1e-06\n"
    "%s = sqrt %e\n%n = div %c, %s\n"
)
NORMS = {
    "rms": RMS,
    "rms, 1 + w": RMS_1P,
    "rms by the length": RMS_LENGTH,
    "layer": LAYER,
    "layer by squares": LAYER_SQUARES,
    "layer by std": LAYER_STD,
    "layer over channels": LAYER_CHANNELS,
}

ERF = "%d = div %x by=1.4142135623730951\n%e = erf %d\n%a = add %e by=1.0\n%h = mul %x by=0.5\n%o = mul %h, %a\n"
TANH = (
    "%p = pow %x exponent=3.0\n%q = mul %p by=0.044715\n%a = add %x, %q\n%m = mul %a by=0.7978845608028654\n"
    "%t = tanh %m\n%o = add %t by=1.0\n%h = mul %x by=0.5\n%z = mul %h, %o\n"
)
ACTIVATIONS = {
    "erf": ERF,
    "erf to eight digits": ERF.replace("1.4142135623730951", "1.41421356"),
    "tanh": TANH,
    "tanh to eight digits": TANH.replace("0.7978845608028654", "0.79788456"),
    "quick": "%h = mul %x by=1.702\n%s = sigmoid %h\nmul %x, %s\n",
    "swish": "%s = sigmoid %x\nmul %s, %x\n",
    "swish with a factor": "%h = mul %x by=1.5\n%s = sigmoid %h\nmul %s, %x\n",
    "squared": "%r = relu %x\npow %r exponent=2\n",
    "where": "%c = compare %x relation='gt' by=0\nwhere %c, %x no=0.0\n",
    "bounded": "clamp %x min=0 max=6\n",
    "leaky": "%y = mul %x by=0.2\nmaximum %x, %y\n",
    "mish": "%s = softplus %x\n%t = tanh %s\nmul %t, %x\n",
    "softplus": "%e = exp %x\n%a = add %e by=1\nlog %a\n",
    "sigmoid": "%n = neg %x\n%e = exp %n\n%a = add %e by=1\ndiv %a by=1 reverse=True\n",
}

ANGLES = '%x = input\n%c = input name="cos"\n%s = input name="sin"\n'
FIRST = (
    "%a = select %x index=('...', ('slice', None, 8, None,),)\n"
    "%b = select %x index=('...', ('slice', 8, None, None,),)\n"
)
EVERY = "%a = select %x index=('...', ('slice', 0, None, 2,),)\n%b = select %x index=('...', ('slice', 1, None, 2,),)\n"
WHOLE = "%n = neg %b\n%r = {join} %n, %a axis=-1\n{view}%p = mul %x, %c\n%q = mul {turned}, %s\n%z = add %p, %q\n"
HALVES = (
    "%p = mul %a, %c\n%q = mul %b, %s\n%u = sub %p, %q\n%v = mul %b, %c\n%w = mul %a, %s\n%y = add %v, %w\n"
    "%z = {join} %u, %y axis=-1\n"
)
HALF_WHOLE = FIRST + WHOLE.format(join="concat", view="", turned="%r")
NEIGHBOURS_WHOLE = EVERY + WHOLE.format(
    join="stack", view="%f = reshape %r form='flatten' axis=-2 end=-1\n", turned="%f"
)
ROPES = {
    "halves turned as a whole": HALF_WHOLE,
    "neighbours turned as a whole": NEIGHBOURS_WHOLE,
    "halves one by one": FIRST + HALVES.format(join="concat"),
    "neighbours one by one": EVERY + HALVES.format(join="stack"),
    "parts of a split": "%a = split %x sections=2 axis=-1\n" + HALVES.format(join="concat").replace("%b", "%a.1"),
    "complex numbers": "%i = as_real %x inverse=True\n%z = mul %i, %c\nas_real %z\n",
}

INPUTS = '%q = input name="q"\n%k = input name="k"\n%v = input name="v"\n%m = input name="mask"\n'
TURNED = "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n"
ATTENTIONS = {
    "scaled scores": TURNED + "%c = mul %s by=0.125\n%p = softmax %c axis=-1\n%d = dropout %p p=0.1\nmatmul %d, %v\n",
    "scaled queries and a mask": (
        "%c = mul %q by=0.125\n%s = matmul %c, %k transpose_b=True\n%a = add %s, %m\n%p = softmax %a axis=-1\n"
        "matmul %p, %v\n"
    ),
    "subscripts": (
        "%s = einsum %q, %k equation='bhid,bhjd->bhij'\n%c = div %s by=8\n%f = masked_fill %c, %m by=-1e9\n"
        "%p = softmax %f axis=-1\neinsum %p, %v equation='bhij,bhjd->bhid'\n"
    ),
    "bias and product in one": (
        "%t = permute %k axis=-2 other_axis=-1\n%s = matmul_add %m, %q, %t alpha=0.125\n%p = softmax %s axis=-1\n"
        "matmul %p, %v\n"
    ),
    "where": TURNED + "%w = where %m, %s no=-1e9\n%p = softmax %w axis=-1\nmatmul %p, %v\n",
    "bounded scores": (
        TURNED + "%c = mul %s by=0.125\n%e = div %c by=50\n%h = tanh %e\n%l = mul %h by=50\n%p = softmax %l axis=-1\n"
        "matmul %p, %v\n"
    ),
    "keys come first": (
        "%s = einsum %k, %q equation='aecd,abcd->acbe'\n%p = softmax %s axis=-1\n"
        "einsum %p, %v equation='acbe,aecd->abcd'\n"
    ),
    "turned by numbers": (
        "%t = permute %k axis=2 other_axis=3\n%s = matmul %q, %t\n%p = softmax %s axis=-1\n%o = matmul %p, %v\n"
        "%b = permute %o axis=1 other_axis=2\n"
    ),
    "one tensor for all": "%s = matmul %q, %q transpose_b=True\n%p = softmax %s axis=-1\nmatmul %p, %q\n",
    "a scale that was not read": (
        TURNED + "%c = div %s by=unknown('config.scale')\n%p = softmax %c axis=-1\nmatmul %p, %v\n"
    ),
}

# Keys and values have a head for each group of queries (ainslie2023, section 2.2), repeated within the formula.
SHARED = (
    "%j = expand %k repeats=4 axis=1 interleaved=True\n%w = expand %v repeats=4 axis=1 interleaved=True\n"
    "%t = permute %j axis=-2 other_axis=-1\n%s = matmul %q, %t\n%c = mul %s by=0.125\n%p = softmax %c axis=-1\n"
    "matmul %p, %w\n"
)


def raised(text: str, kind: str = "") -> OpGraph:
    """The graph of `text` after the passes that raise formulas, run one by one so that nothing else changes it."""
    graph = parse(text)
    for step in RAISING:
        graph = step.run(graph)
    assert not kind or any(op.kind.name == kind for op in graph.ops), "the passes do not raise it"
    return graph


def proof_of(text: str, shapes: Mapping[Value, tuple[int, ...]] | None = None) -> Proof:
    """The proof of the one formula that passes raise in `text`."""
    (proof,) = confirm(raised(text), shapes)
    return proof


def canonical_proofs(text: str) -> tuple[Proof, ...]:
    """The proofs of a graph that went through all passes."""
    return confirm(canonicalise(parse(text)))


def stated(text: str) -> Proof:
    """The proof of a graph whose raised op is written by hand: what it states need not be what its body does."""
    (proof,) = confirm(parse(text))
    return proof


def nearest_of(text: str, flowing: int | None = None) -> Proof:
    """What `nearest` says of a chain; its first `flowing` inputs flow in, all of them if None."""
    graph = parse(text)
    inputs = [Value(op.path) for op in graph.ops if op.kind.name == "input"]
    return nearest([op for op in graph.ops if op.kind.name != "input"], inputs[:flowing], Value(graph.ops[-1].path))


def body_of(graph: OpGraph) -> Op:
    """The first op of a graph that holds a body."""
    return next(op for op in graph.ops if op.body)
