"""The op vocabulary: each kind of operation once, with its tier, its attributes and where it comes from.

Three tiers. *Primitive* ops are what frameworks compute with; *layer* ops are what papers name (a norm, an
activation, an attention), whether a framework has a class for them or the code spells them out; *structure* ops hold
others in their body (a sublayer, a residual, a repeat).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Tier(Enum):
    PRIMITIVE = "primitive"
    LAYER = "layer"
    STRUCTURE = "structure"


@dataclass(frozen=True, slots=True)
class AttrDecl:
    """An attribute that an op may state; `unit` says what its value counts or measures."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True, eq=False)
class OpKind:
    """One entry of the vocabulary. Kinds are compared by identity: there is one object for each name."""

    name: str
    tier: Tier
    doc: str
    attrs: tuple[AttrDecl, ...] = ()
    family: str = ""  # kinds of one family answer to one word: "norm", "activation", "attention", ...
    generic: bool = False  # stands in a claim for any kind of its family
    commutes: bool = False  # the order of its operands does not matter
    cites: str = ""

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[object, ...]:
        return kind, (self.name,)

    def covers(self, other: OpKind) -> bool:
        """Whether a claim that says `self` is met by `other`."""
        return self is other or (self.generic and self.family == other.family)


def _attrs(*rows: str) -> tuple[AttrDecl, ...]:
    return tuple(AttrDecl(*row.split(": ", 1)) for row in rows)


P, L, S = Tier.PRIMITIVE, Tier.LAYER, Tier.STRUCTURE

_EPS = "eps: added to the variance before the root"
_EPS_PLACE = "eps_place: where eps stands if not under the root: 'outside', added to it, 'bound', its least value, 'bound_inside', the variance's"
_DIM = "dim: size in elements of the normalised axis"
_AXIS = "axis: axis or tuple of axes, counted from the front, or from the back if negative"
_CONV = _attrs(
    "in_features: channels read",
    "out_features: channels given",
    "kernel: size in elements, one number or one for each axis",
    "stride: step in elements",
    "dilation: step between kernel taps in elements",
    "padding: elements added on each side, or 'same', 'valid' or 'causal'",
    "groups: count",
    "bias: whether a bias is added",
    "padding_mode: what the added elements hold: 'zeros', 'reflect', 'replicate' or 'circular'",
    "channels_last: features are the last axis",
)
_ATTENTION = _attrs(
    "heads: count of query heads",
    "kv_heads: count of key and value heads",
    "head_dim: size in elements",
    "scale: factor on the scores",
    "causal: whether keys after the query are masked",
    "hides: whether keys are hidden where a mask of truths is true, rather than seen",
    "dropout: probability of dropping an attention weight, in [0, 1]",
    "bias: what is added to the scores",
    "window: keys visible to a query, in elements",
    "projected: whether the projections of query, key, value and output are part of it",
    "projection_bias: whether those add a bias",
    "out_features: size in elements of what comes out of the last of them",
    "key_features: size in elements of what the key is projected from, if not out_features",
    "value_features: size in elements of what the value is projected from, if not out_features",
    "batch_first: axes are [batch, sequence, features] rather than [sequence, batch, features]",
    "layout: axes of query, key and value, such as 'b h s d': batch, heads, sequence, features; t: tokens of all sequences",
    "softcap: bound of the scores, which go through a scaled tanh",
    "axis: of the softmax, where it is not that of the keys",
    "sink: whether a score that leads nowhere, mostly a learned one, is added to the softmax",
)
_RECURRENT = _attrs(
    "units: size in elements",
    "bidirectional: both directions",
    "in_features: size in elements",
    "layers: count",
    "bias: whether a bias is added",
    "dropout: probability between layers, in [0, 1]",
    "batch_first: axes are [batch, sequence, features] rather than [sequence, batch, features]",
    "cell: one step only",
    "activation: kind",
)

KINDS: tuple[OpKind, ...] = (
    # ---- primitive: where values come from
    OpKind("input", P, "A tensor given to the model or block.", _attrs("name: name of the argument")),
    OpKind("parameter", P, "A learned tensor.", _attrs("name: place in the module tree", "shape: sizes in elements")),
    OpKind("constant", P, "A tensor that is not learned and does not depend on an input.", _attrs("value: what it holds", "shape: sizes in elements", "start: first entry of a range", "end: where a range ends", "step: of a range", "steps: count of entries")),
    OpKind("opaque", P, "An operation with no entry here, kept under its framework's name.", _attrs("name: framework's name", "why: why it could not be read")),
    # ---- primitive: arithmetic
    OpKind("add", P, "Sum of two tensors.", _attrs("by: constant that is added"), commutes=True),
    OpKind("sub", P, "First minus second.", _attrs("by: constant operand", "reverse: the constant is the minuend")),
    OpKind("mul", P, "Product of two tensors, element by element.", _attrs("by: constant factor"), commutes=True),
    OpKind("div", P, "First by second.", _attrs("by: constant divisor", "reverse: the constant is the dividend", "rounding: 'floor' or 'trunc' of the quotient")),
    OpKind("neg", P, "Sign changed."),
    OpKind("pow", P, "Power.", _attrs("exponent: the power", "base: a constant base")),
    OpKind("sqrt", P, "Square root."),
    OpKind("rsqrt", P, "One over the square root."),
    OpKind("exp", P, "Exponential."),
    OpKind("log", P, "Natural logarithm."),
    OpKind("abs", P, "Absolute value."),
    OpKind("elementwise", P, "Another function of each element, or of each pair of elements.", _attrs("function: which", "by: constant second operand")),
    OpKind("tensor_function", P, "Another function of whole tensors, in which nothing is learned: a statistic, a decomposition, a loss.", _attrs("function: which", _AXIS)),
    OpKind("erf", P, "Gauss error function."),
    OpKind("sin", P, "Sine."),
    OpKind("cos", P, "Cosine."),
    OpKind("clamp", P, "Values limited from below, above or both.", _attrs("min: lower bound", "max: upper bound")),
    OpKind("maximum", P, "Greater of two tensors, element by element.", _attrs("by: constant operand"), commutes=True),
    OpKind("minimum", P, "Lesser of two tensors, element by element.", _attrs("by: constant operand"), commutes=True),
    OpKind("lerp", P, "Linear interpolation between two tensors.", _attrs("weight: constant weight of the second")),
    OpKind("matmul", P, "Matrix product over the last axis of the first and the one before the last of the second.", _attrs("transpose_a: first is transposed", "transpose_b: second is transposed")),
    OpKind("einsum", P, "Sum of products by Einstein's convention.", _attrs("equation: subscripts")),
    OpKind("matmul_add", P, "beta times the first plus alpha times the matrix product of the second and third.", _attrs("alpha: factor on the product", "beta: factor on the first")),
    OpKind("tensordot", P, "Sum of products over paired axes.", _attrs("axes: count of last axes of the first and first of the second, or the axes of both")),
    OpKind("outer", P, "Outer product."),
    # ---- primitive: reductions
    OpKind("sum", P, "Sum over axes.", _attrs(_AXIS)),
    OpKind("mean", P, "Mean over axes.", _attrs(_AXIS)),
    OpKind("var", P, "Variance over axes.", _attrs(_AXIS, "correction: degrees of freedom taken off")),
    OpKind("std", P, "Standard deviation over axes.", _attrs(_AXIS, "correction: degrees of freedom taken off")),
    OpKind("vector_norm", P, "Length of vectors along an axis.", _attrs(_AXIS, "p: order of the norm")),
    OpKind("reduce_max", P, "Maximum over axes.", _attrs(_AXIS)),
    OpKind("reduce_min", P, "Minimum over axes.", _attrs(_AXIS)),
    OpKind("prod", P, "Product over axes.", _attrs(_AXIS)),
    OpKind("logsumexp", P, "Logarithm of the sum of exponentials over axes.", _attrs(_AXIS)),
    OpKind("reduce_logical", P, "Boolean reduction over axes.", _attrs(_AXIS, "operator: 'any' or 'all'")),
    OpKind("cumsum", P, "Running sum along an axis.", _attrs(_AXIS, "exclusive: an entry is not part of its own sum", "reverse: from the end")),
    OpKind("cumprod", P, "Running product along an axis.", _attrs(_AXIS, "exclusive: an entry is not part of its own product", "reverse: from the end")),
    OpKind("argmax", P, "Index of the maximum.", _attrs(_AXIS)),
    OpKind("argmin", P, "Index of the minimum.", _attrs(_AXIS)),
    OpKind("topk", P, "Largest entries and their indices.", _attrs("k: count", _AXIS, "largest: False for the smallest")),
    OpKind("sort", P, "Sorted entries and their indices.", _attrs(_AXIS, "descending: largest first")),
    # ---- primitive: shape and place
    OpKind("identity", P, "The value itself: a cast, a copy, a device move."),
    OpKind("reshape", P, "The same elements under other axes.", _attrs("shape: sizes in elements", "form: 'squeeze', 'unsqueeze', 'flatten' or 'unflatten' where no shape is given", _AXIS, "end: last axis that is flattened", "batch_apart: the batch axis stays and is not counted")),
    OpKind("permute", P, "Axes in another order.", _attrs("axes: the new order", "axis: one of two axes that change places", "other_axis: the second of them", "source: axes that move", "destination: where they go", "batch_apart: the batch axis stays and axes are counted from 1 behind it")),
    OpKind("rearrange", P, "Axes split, joined, reordered, repeated or reduced as a pattern says.", _attrs("pattern: in einops' notation", "sizes: of named axes, as pairs", "reduction: of axes that the right side lacks", "repeats: axes that the left side lacks are repeated")),
    OpKind("expand", P, "A value repeated along an axis.", _attrs("repeats: count, or one for each axis", _AXIS, "shape: sizes in elements", "interleaved: each entry is followed by its own copies")),
    OpKind("select", P, "Part of a tensor: a slice, an index, an entry by name.", _attrs("index: what is taken", _AXIS, "start: first entry", "length: count of entries", "offset: of a diagonal")),
    OpKind("update", P, "First tensor with a part replaced by the second.", _attrs("index: what is replaced", _AXIS)),
    OpKind("gather", P, "Entries chosen by an index tensor.", _attrs(_AXIS, "whole: an index takes a whole slice", "batch_axes: count of leading axes that index and tensor share", "coordinates: each row of the index names one place")),
    OpKind("scatter", P, "Entries put where an index tensor says.", _attrs(_AXIS, "reduce: how entries for one place are combined", "by: the constant that is put", "whole: an index names a whole slice", "coordinates: each row of the index names one place")),
    OpKind("concat", P, "Tensors joined along an axis.", _attrs(_AXIS)),
    OpKind("stack", P, "Tensors joined along a new axis.", _attrs(_AXIS)),
    OpKind("split", P, "A tensor cut into parts along an axis.", _attrs(_AXIS, "sections: count or sizes", "size: of each part, in elements", "unbind: the axis disappears")),
    OpKind("pad", P, "Elements added at the borders.", _attrs("amount: elements on each side", "mode: 'constant', 'reflect', 'replicate' or 'circular'", "by: the constant")),
    OpKind("roll", P, "Elements shifted around an axis.", _attrs("shift: elements", _AXIS)),
    OpKind("flip", P, "Elements in reverse order along an axis.", _attrs(_AXIS)),
    OpKind("interpolate", P, "Resampling to another size.", _attrs("mode: method", "scale: factor", "size: in elements", "align_corners: whether corner elements keep their place")),
    OpKind("unfold", P, "Sliding windows laid out.", _attrs("kernel: size in elements", "stride: step in elements", "dilation: step between taps in elements", "padding: elements", _AXIS)),
    OpKind("fold", P, "Sliding windows summed back into place.", _attrs("size: in elements", "kernel: size in elements", "stride: step in elements", "dilation: step between taps in elements", "padding: elements")),
    OpKind("pixel_shuffle", P, "Channels laid out in space, or back.", _attrs("factor: of the spatial size", "inverse: space to channels", "channels_last: features are the last axis, and places in a block come before them"), cites="shi2016"),
    OpKind("channel_shuffle", P, "Channels of groups interleaved.", _attrs("groups: count"), cites="zhang2018"),
    OpKind("grid_sample", P, "Values sampled at given places.", _attrs("mode: method", "padding_mode: values outside", "align_corners: whether corner elements keep their place")),
    OpKind("meshgrid", P, "Coordinates of all points of a grid, one tensor for each axis.", _attrs("indexing: 'ij' or 'xy'")),
    OpKind("nonzero", P, "Indices of the entries that are not zero or false."),
    OpKind("one_hot", P, "Index to indicator vector.", _attrs("classes: count", _AXIS)),
    OpKind("compare", P, "Truth of a relation, element by element.", _attrs("relation: which", "by: constant second operand")),
    OpKind("logical", P, "Boolean arithmetic, element by element.", _attrs("operator: which")),
    OpKind("where", P, "Second where the first is true, third elsewhere.", _attrs("yes: constant second", "no: constant third")),
    OpKind("masked_fill", P, "First with a constant where the second is true.", _attrs("by: the constant")),
    OpKind("triangle", P, "Upper or lower triangle of a matrix.", _attrs("upper: which", "diagonal: offset")),
    OpKind("random", P, "Random numbers.", _attrs("distribution: which", "shape: sizes in elements")),
    OpKind("fft", P, "Discrete Fourier transform.", _attrs(_AXIS, "inverse: direction", "axes: count of transformed axes", "real: the input, or the inverse's output, is real", "length: of the transformed axis")),
    OpKind("real", P, "Real part."),
    OpKind("imag", P, "Imaginary part."),
    OpKind("complex", P, "Complex number from two real ones.", _attrs("polar: from length and angle")),
    OpKind("as_real", P, "Complex numbers as pairs, or pairs as complex numbers.", _attrs("inverse: pairs become complex numbers")),
    OpKind("round", P, "Rounded to whole numbers.", _attrs("mode: nearest, floor, ceil or trunc")),
    OpKind("sign", P, "Sign of each element."),
    # ---- layer: learned maps
    OpKind("linear", L, "Affine map of the last axis.", _attrs("in_features: size in elements", "out_features: size in elements", "bias: whether a bias is added"), family="linear"),
    OpKind("bilinear", L, "Bilinear map of two tensors.", _attrs("in_features: size in elements of the first", "other_features: size in elements of the second", "out_features: size in elements", "bias: whether a bias is added"), family="linear"),
    OpKind("embedding", L, "Rows of a learned table chosen by index.", _attrs("rows: count", "dim: size in elements", "padding: row that stands for no token", "frozen: the table is not learned", "combine: 'sum', 'mean' or 'max' over each bag of indices"), family="embedding"),
    OpKind("conv", L, "Convolution.", (*_CONV, AttrDecl("axes", "count of spatial axes")), family="conv"),
    OpKind("conv_transpose", L, "Transposed convolution.", (*_CONV, AttrDecl("axes", "count of spatial axes")), family="conv"),
    OpKind("pool", L, "Pooling.", _attrs("mode: max, mean or lp", "kernel: size in elements", "stride: step in elements", "padding: elements", "dilation: step between taps in elements", "size: of what comes out, in elements", "p: order of an lp pooling", "axes: count of spatial axes", "scope: 'global' where the whole axis is pooled", "channels_last: features are the last axis"), family="pool"),
    OpKind("unpool", L, "Maxima put back in their places.", _attrs("kernel: size in elements", "stride: step in elements", "padding: elements", "axes: count of spatial axes")),
    OpKind("scale", L, "The value times a learned vector or a constant.", _attrs("by: the constant, or 'learned'", "dim: size in elements of a learned one"), family="scale"),
    OpKind("affine", L, "The value times a learned vector plus another: a norm without statistics.", _attrs(_DIM), family="norm"),
    # ---- layer: norms
    OpKind("norm", L, "Any normalisation.", _attrs(_EPS, _DIM), family="norm", generic=True),
    OpKind("layer_norm", L, "Mean and variance of a token's features taken off.", _attrs(_EPS, _EPS_PLACE, "correction: degrees of freedom taken off the variance, if any", _DIM, _AXIS, "elementwise_affine: whether scale and shift are learned", "bias: whether a shift is learned", "offset: added to the learned scale"), family="norm", cites="ba2016"),
    OpKind("rms_norm", L, "Root mean square of a token's features divided out.", _attrs(_EPS, _EPS_PLACE, _DIM, _AXIS, "bias: whether a shift is learned", "elementwise_affine: whether a scale is learned", "offset: added to the learned scale"), family="norm", cites="zhang2019"),
    OpKind("batch_norm", L, "Statistics over the batch.", _attrs(_EPS, _DIM, "momentum: the share that new statistics have in the running ones", "elementwise_affine: whether scale and shift are learned", "bias: whether a shift is learned", _AXIS), family="norm", cites="ioffe2015"),
    OpKind("group_norm", L, "Statistics over groups of channels.", _attrs(_EPS, _DIM, "groups: count", "elementwise_affine: whether scale and shift are learned", "bias: whether a shift is learned", _AXIS), family="norm", cites="wu2018"),
    OpKind("instance_norm", L, "Statistics over each channel of each sample.", _attrs(_EPS, _DIM, "elementwise_affine: whether scale and shift are learned", "bias: whether a shift is learned"), family="norm", cites="ulyanov2016"),
    OpKind("local_response_norm", L, "Divided by the activity of neighbouring channels.", _attrs("size: channels read", "alpha: factor", "beta: exponent", "k: offset"), family="norm", cites="krizhevsky2012, 3.3"),
    OpKind("l2_norm", L, "Divided by its length.", _attrs(_EPS, _AXIS, "p: order of the norm, if not 2"), family="norm"),
    OpKind("weight_norm", L, "A weight split into direction and length.", _attrs(_DIM), family="norm", cites="salimans2016"),
    # ---- layer: activations
    OpKind("activation", L, "Any activation.", family="activation", generic=True),
    OpKind("relu", L, "max(x, 0).", family="activation"),
    OpKind("relu2", L, "max(x, 0) squared.", family="activation", cites="so2021"),
    OpKind("relu6", L, "min(max(x, 0), 6).", family="activation"),
    OpKind("leaky_relu", L, "max(x, slope * x).", _attrs("slope: on the negative side"), family="activation"),
    OpKind("rrelu", L, "Leaky ReLU whose slope is random in training.", _attrs("lower: bound of the slope", "upper: bound of the slope"), family="activation"),
    OpKind("prelu", L, "max(x, a * x), a learned.", _attrs("dim: count of learned slopes", "init: what they start from"), family="activation"),
    OpKind("elu", L, "x or exp(x) - 1.", _attrs("alpha: factor on the negative side"), family="activation"),
    OpKind("selu", L, "Scaled ELU.", family="activation"),
    OpKind("celu", L, "Continuously differentiable ELU.", _attrs("alpha: factor on the negative side"), family="activation"),
    OpKind("gelu", L, "x times the normal distribution function.", _attrs("approximate: 'none' (erf) or 'tanh'"), family="activation", cites="hendrycks2016"),
    OpKind("quick_gelu", L, "x * sigmoid(1.702 x).", family="activation", cites="hendrycks2016"),
    OpKind("silu", L, "x * sigmoid(x), also called swish.", _attrs("beta: factor inside the sigmoid"), family="activation", cites="ramachandran2017"),
    OpKind("mish", L, "x * tanh(softplus(x)).", family="activation"),
    OpKind("sigmoid", L, "1 / (1 + exp(-x)).", family="activation"),
    OpKind("log_sigmoid", L, "log(sigmoid(x)).", family="activation"),
    OpKind("hard_sigmoid", L, "Piecewise linear sigmoid.", family="activation"),
    OpKind("hard_swish", L, "x * hard_sigmoid(x).", family="activation"),
    OpKind("tanh", L, "Hyperbolic tangent.", family="activation"),
    OpKind("softplus", L, "log(1 + exp(x)).", _attrs("beta: factor inside"), family="activation"),
    OpKind("softsign", L, "x / (1 + |x|).", family="activation"),
    OpKind("glu", L, "Half of the features times the sigmoid of the other half.", _attrs("activation: of the gate", "swapped: the first half is the gate", _AXIS), family="gate", cites="dauphin2017"),
    OpKind("softmax", L, "Exponentials divided by their sum along an axis.", _attrs(_AXIS), family="softmax"),
    OpKind("gumbel_softmax", L, "Softmax of scores with Gumbel noise.", _attrs(_AXIS, "temperature: divides the scores", "hard: given as indicator vectors"), family="softmax", cites="jang2017"),
    OpKind("log_softmax", L, "Logarithm of the softmax.", _attrs(_AXIS), family="softmax"),
    # ---- layer: regularisers, active in training only
    OpKind("dropout", L, "Elements set to zero at random, in training.", _attrs("p: probability of zero, in [0, 1]", "axes: axes along which the mask is shared", "alpha: dropped elements take the value that keeps mean and variance under SELU"), family="dropout", cites="srivastava2014"),
    OpKind("stochastic_depth", L, "A branch dropped for a sample at random, in training.", _attrs("p: probability of dropping, in [0, 1]"), family="dropout", cites="huang2016"),
    # ---- layer: attention, positions, recurrence
    OpKind("attention", L, "softmax(scale * q k^T + bias) v over query, key and value heads.", _ATTENTION, family="attention", cites="vaswani2017, 3.2.1"),
    OpKind("linear_attention", L, "Attention whose scores are a product of features, without a softmax over keys.", _ATTENTION, family="attention"),
    OpKind("rope", L, "Pairs of features turned by an angle that grows with the position.", _attrs("base: of the frequencies", "interleaved: neighbouring features form a pair"), family="position", cites="su2021"),
    OpKind("sinusoid", L, "Sines and cosines of the position.", family="position", cites="vaswani2017, 3.5"),
    OpKind("alibi", L, "A bias on the scores that falls with the distance.", family="position", cites="press2021"),
    OpKind("relative_bias", L, "A learned bias on the scores for each distance.", family="position", cites="raffel2020"),
    OpKind("lstm", L, "Long short-term memory.", _RECURRENT, family="recurrent", cites="hochreiter1997"),
    OpKind("gru", L, "Gated recurrent unit.", _RECURRENT, family="recurrent", cites="cho2014"),
    OpKind("rnn", L, "Elman recurrence.", _RECURRENT, family="recurrent"),
    OpKind("selective_scan", L, "State-space recurrence with input-dependent steps.", family="ssm", cites="gu2023"),
    OpKind("routing", L, "Each token's choice of experts.", _attrs("experts: count", "k: experts for each token"), family="moe"),
    # ---- structure: sublayers, as papers draw them
    OpKind("self_attention", S, "An attention sublayer whose query, key and value come from one tensor.", (*_ATTENTION, AttrDecl("qk_norm", "whether queries and keys are normalised")), family="sublayer", cites="vaswani2017, 3.2.3"),
    OpKind("cross_attention", S, "An attention sublayer whose key and value come from another tensor.", (*_ATTENTION, AttrDecl("qk_norm", "whether queries and keys are normalised")), family="sublayer", cites="vaswani2017, 3.2.3"),
    OpKind("feed_forward", S, "Linear maps of each token with an activation between them.", _attrs("activation: kind", "gated: one map multiplies another", "d_model: size in elements", "d_ff: size in elements"), family="sublayer", cites="vaswani2017, 3.3"),
    OpKind("moe", S, "Feed-forward experts chosen for each token.", _attrs("experts: count", "k: experts for each token", "activation: kind", "gated: one map multiplies another"), family="sublayer", cites="shazeer2017"),
    OpKind("convolution", S, "A branch of convolutions.", _attrs("activation: kind", "kernel: size in elements"), family="sublayer"),
    OpKind("ssm", S, "A state-space sublayer.", family="sublayer", cites="gu2023"),
    OpKind("recurrence", S, "A recurrent sublayer.", family="sublayer"),
    OpKind("branch", S, "A residual branch of another kind.", _attrs("name: the paper's or the code's word for it"), family="sublayer"),
    OpKind("sublayer", S, "Any sublayer: the F of a residual branch.", family="sublayer", generic=True),
    OpKind("function", S, "A paper's own word for a part that a claim does not look into.", _attrs("name: the word"), family="function"),
    # ---- structure: wiring
    OpKind("residual", S, "The first value read plus what the body gives.", cites="he2016, Equation 1"),
    OpKind("repeat", S, "The body several times, each fed with what the one before gave.", _attrs("count: how often")),
)

BY_NAME: dict[str, OpKind] = {kind.name: kind for kind in KINDS}
FAMILIES: dict[str, tuple[OpKind, ...]] = {
    family: tuple(kind for kind in KINDS if kind.family == family) for family in sorted({k.family for k in KINDS} - {""})
}


def kind(name: str) -> OpKind:
    """The entry called `name`; `KeyError` if the vocabulary has none."""
    return BY_NAME[name]
