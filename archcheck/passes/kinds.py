"""What passes need to know about kinds of ops: which move data, which learn, which a signature has a letter for."""

from __future__ import annotations

from archcheck.ir.ops import BY_NAME, FAMILIES, OpKind, Tier


def named(*names: str) -> frozenset[OpKind]:
    """The kinds called `names`; `KeyError` where the vocabulary has none."""
    return frozenset(BY_NAME[name] for name in names)


INPUT, PARAMETER, CONSTANT, RANDOM = (BY_NAME[name] for name in ("input", "parameter", "constant", "random"))
OPAQUE, FUNCTION = BY_NAME["opaque"], BY_NAME["function"]
ADD, MUL, SCALE = BY_NAME["add"], BY_NAME["mul"], BY_NAME["scale"]
AFFINE = BY_NAME["affine"]
LINEAR, ATTENTION = BY_NAME["linear"], BY_NAME["attention"]
RESIDUAL, REPEAT = BY_NAME["residual"], BY_NAME["repeat"]
SELF_ATTENTION, CROSS_ATTENTION = BY_NAME["self_attention"], BY_NAME["cross_attention"]
FEED_FORWARD, MOE, BRANCH = BY_NAME["feed_forward"], BY_NAME["moe"], BY_NAME["branch"]
CONVOLUTION, SSM, RECURRENCE = BY_NAME["convolution"], BY_NAME["ssm"], BY_NAME["recurrence"]
DROPOUT, STOCHASTIC_DEPTH = BY_NAME["dropout"], BY_NAME["stochastic_depth"]
DROPOUTS = frozenset(FAMILIES["dropout"])
MASKED_FILL = BY_NAME["masked_fill"]

SUBLAYERS = frozenset(FAMILIES["sublayer"])
NORMS = frozenset(FAMILIES["norm"])
ACTIVATIONS = frozenset(FAMILIES["activation"])
CONV, POOL = BY_NAME["conv"], BY_NAME["pool"]
CONVS = frozenset(FAMILIES["conv"])
RECURRENT = frozenset(FAMILIES["recurrent"])
ATTENTIONS = frozenset(FAMILIES["attention"])

# The same elements under other axes or in another place: data flow goes through them as if they were not there.
VIEWS = named("identity", "reshape", "permute", "expand")
# Part of a tensor, or a tensor with something beside it. Data flow goes through the first operand, but the op matters.
PARTS = named("select", "split", "gather", "pad", "roll", "flip", "unfold")

# Around the core of a branch: what a signature has letters for besides F and a.
PEELED = NORMS | named("dropout", "stochastic_depth", "scale")

# A branch is a sublayer only if it computes something that is learned or mixes tokens. A sum without any of these is a
# position added to an embedding, a mask added to scores, a bias.
BEARING = (
    SUBLAYERS
    | ATTENTIONS
    | CONVS
    | RECURRENT
    | named("linear", "function", "opaque", "selective_scan", "routing", "residual", "repeat", "fft", "pool")
)

STRUCTURE = frozenset(kind for kind in BY_NAME.values() if kind.tier is Tier.STRUCTURE)
SOURCES = named("input", "parameter", "constant", "random")
