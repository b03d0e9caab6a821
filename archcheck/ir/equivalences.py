"""Names of what is taken as equal: reports list those that were used, and a claim may bar some (`strict:`)."""

from __future__ import annotations

from archcheck.ir.ops import BY_NAME

COMMUTED = "commuted operands"
OUTPUTS = "outputs left out"
AS_A_SUM = "residual written as a sum"
WRITTEN_OUT = "repeat written out"
POINTWISE = "1x1 convolution as linear"
FUSED = "fused projection"
PADDING = "padding removed"
BORDERS = "borders added before a window"
POOLED = "mean over space as pooling"
MODULE = "attention with its projections in one call"
NO_DROPOUT = "dropout in eval mode"
ALGEBRA = "algebra"
JOINED = "map of joined values as a sum of maps"
EPSILON = "epsilon left out"
GIVEN = "constant as an input"
BIAS = "vector added to a sum as the bias of a map in it"
MADE = "what the code makes of other inputs as an input"
COMPLEMENT = "one minus a learned gate as a gate"
OUTWARD = "product with a matrix before or after a linear map"

ERROR_BITS = 60  # forms that differ count as equal by algebra with a chance below 2 ** -ERROR_BITS
NOTES = {ALGEBRA: f"equal at random points of a prime field, wrong with a chance below 2^-{ERROR_BITS}"}  # for reports


def unstated(kind: str) -> str:
    """An op of this kind that the code has and the claim leaves open."""
    return f"unstated {kind}"


NAMES = (
    COMMUTED, OUTPUTS, AS_A_SUM, WRITTEN_OUT, POINTWISE, FUSED, PADDING, BORDERS, POOLED, MODULE, NO_DROPOUT, ALGEBRA,
    JOINED, EPSILON, GIVEN, BIAS, MADE, COMPLEMENT, OUTWARD,
    *map(unstated, BY_NAME),
)  # fmt: skip
