"""Shapes of what is computed element by element, and of what keeps its first operand's shape."""

from __future__ import annotations

from collections.abc import Callable

from archcheck.ir.shapes.dims import Dims, Given, NotKnown, axis_of, broadcast, is_number, replaced, size, total, words

_ACTIVATIONS = (
    "relu relu2 relu6 leaky_relu rrelu prelu elu selu celu gelu quick_gelu silu mish sigmoid log_sigmoid hard_sigmoid "
    "hard_swish tanh softplus softsign softmax gumbel_softmax log_softmax"
)
_NORMS = "rms_norm batch_norm group_norm instance_norm local_response_norm l2_norm"
_SAME = (
    "neg sqrt rsqrt exp log abs erf sin cos sign round real imag triangle roll flip channel_shuffle dropout "
    f"stochastic_depth rope selective_scan {_ACTIVATIONS} {_NORMS}"
)
# functions of each pair of elements; all others that go by `elementwise` are of one
PAIRS = frozenset(
    words(
        "remainder fmod atan2 hypot copysign xlogy igamma igammac gcd lcm ldexp heaviside nextafter bitwise_left_shift "
        "bitwise_right_shift bitwise_shift logaddexp logaddexp2 divide_no_nan multiply_no_nan xdivy zeta"
    )
)
_OTHER = ("other", "x2", "y", "exponent")  # what rows call a second operand


def _same(given: Given) -> Dims:
    return given.operand()


def _identity(given: Given) -> Dims:
    if given.takes("src"):  # `x.copy_(y)` reads y alone, and gives x
        return given.shaped("self")
    if given.spelled:  # it may mean no more than the same numbers: `torch.atleast_2d`, `pad_packed_sequence`
        raise NotKnown
    return given.operand()


def _numbers(given: Given, *names: str) -> int:
    """How many of these attributes state a number, which takes the place of an operand.

    Raises:
        NotKnown: one of them states what may be a tensor.
    """
    stated = [given.attrs[name] for name in names if name in given.attrs]
    if not all(is_number(value) for value in stated):
        raise NotKnown
    return len(stated)


def _stretched(given: Given, numbers: int, arity: int) -> Dims:
    """The operands and `numbers` constants against each other, `arity` in all or more."""
    if len(given.operands) + numbers < arity:
        raise NotKnown
    if given.takes("inputs") and len({len(given.operand(at)) for at in range(len(given.operands))}) > 1:
        raise NotKnown  # Keras' merging layers put new axes behind that of the batch
    if given.takes("bias") and given.takes("value"):
        return given.operand()  # tf.nn.bias_add: the bias is over the channels, wherever they are
    return broadcast(*(given.operand(at) for at in range(len(given.operands))))


def _pair(*names: str) -> Callable[[Given], Dims]:
    def rule(given: Given) -> Dims:
        numbers = _numbers(given, *names)
        if len(given.operands) == 1 and not numbers and given.takes(*_OTHER):
            numbers = sum(is_number(given.argument(name)) for name in _OTHER if given.takes(name))
        return _stretched(given, numbers, 2)

    return rule


def _compare(given: Given) -> Dims:
    return given.operand() if given.get("relation") == "isin" else _pair("by")(given)


def _logical(given: Given) -> Dims:
    return given.operand() if given.get("operator") == "not" else _pair()(given)


def _elementwise(given: Given) -> Dims:
    function = given.get("function")
    if not isinstance(function, str):
        raise NotKnown
    if function in PAIRS:
        return _pair("by")(given)
    _numbers(given, "by")
    if len(given.operands) != 1:
        raise NotKnown
    return given.operand()


def _clamp(given: Given) -> Dims:
    return _stretched(given, _numbers(given, "min", "max"), 1)


def _where(given: Given) -> Dims:
    numbers = _numbers(given, "yes", "no")
    if len(given.operands) + numbers != 3:
        raise NotKnown
    return _stretched(given, numbers, 3)


def _masked_fill(given: Given) -> Dims:
    return _stretched(given, 0, 2)  # what is filled in has no axes


def _lerp(given: Given) -> Dims:
    return _stretched(given, _numbers(given, "weight"), 3)


def _glu(given: Given) -> Dims:
    dims = given.operand()
    axis = axis_of(given.attrs.get("axis", -1), len(dims))
    halved = dims[axis]
    return replaced(dims, axis, None if halved is None else halved // 2)


def _along(given: Given) -> Dims:
    """A running sum: of what has several axes and is given none, Keras makes one axis first."""
    dims = given.operand()
    if "axis" in given.attrs or len(dims) == 1:
        return dims
    return (total(dims),)


def _layer_norm(given: Given) -> tuple[Dims | None, ...]:
    """torch.native_layer_norm gives mean and reciprocal deviation too, with one entry for what they are of."""
    dims = given.operand()
    if given.outputs == 1:
        return (dims,)
    over = given.get("dim")
    count = len(over) if isinstance(over, (tuple, list)) else 1 if size(over) is not None else 0
    if not 0 < count <= len(dims):
        return (dims,)
    kept = (*dims[:-count], *(1,) * count)
    return dims, kept, kept


ONE: dict[str, Callable[[Given], Dims]] = {
    **dict.fromkeys(words(_SAME), _same),
    "identity": _identity,
    **dict.fromkeys(("add", "sub", "mul", "div", "maximum", "minimum"), _pair("by")),
    "pow": _pair("exponent", "base"),
    "compare": _compare,
    "logical": _logical,
    "elementwise": _elementwise,
    "complex": _pair(),
    "clamp": _clamp,
    "where": _where,
    "masked_fill": _masked_fill,
    "lerp": _lerp,
    "glu": _glu,
    "cumsum": _along,
    "cumprod": _along,
}
SEVERAL: dict[str, Callable[[Given], tuple[Dims | None, ...]]] = {"layer_norm": _layer_norm}
