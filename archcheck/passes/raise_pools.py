"""Raises a mean over all of space to the pooling that it is, and gives pooling to one element one name."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import AttrValue, Op, Size, Value, attrs
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import ACTIVATIONS, CONVS, NORMS, POOL, named
from archcheck.passes.scope import Scope

_MEAN = named("mean")
_MAPS = CONVS | {POOL}
_SUMS = named("add", "mul")
_KEEPING = (NORMS | ACTIVATIONS | named("identity", "dropout", "stochastic_depth", "scale")) - named("glu")
_STEPS = 64
_WINDOW = frozenset({"kernel", "stride", "padding", "dilation", "ceil_mode", "count_include_pad"})


class RaisePools(ScopePass):
    """Call a mean over each map of channels what it is: `scope='global'`.

    before                             after
      %x = input                         input
      conv axes=2 channels_last=True     conv axes=2 channels_last=True
      mean axis=(1, 2)                   pool axes=2 channels_last=True mode='mean' scope='global':
                                           mean axis=(1, 2)
      pool axes=2 mode='mean' size=1     pool axes=2 mode='mean' scope='global'
      pool axes=2 kernel=(rows of %x, columns of %x)
                                         pool axes=2 scope='global'

    A mean is such a one where it is taken over the axes of space, all of them, of what a convolution or a window gives,
    behind which stand only ops that act on each element or on features: which axes are those of space, the convolution
    tells. A mean over other axes is left alone, as is one of what comes from elsewhere.
    """

    name = "raise_pools"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Respell pooling to one element, then fold the means."""
        for slot in scope.of_kinds({POOL}):
            op = scope.ops[slot]
            size = op.attr("size")
            if op.states("size") and not op.states("scope") and _is_one(size):
                told = {attr.name: attr.value for attr in op.attrs if attr.name != "size"}
                scope.replace(slot, replace(op, attrs=attrs(**told, scope="global")))
            elif not op.states("scope") and _is_whole(op):
                kept = {attr.name: attr.value for attr in op.attrs if attr.name not in _WINDOW}
                scope.replace(slot, replace(op, attrs=attrs(**kept, scope="global")))
        for slot in scope.of_kinds(_MEAN):
            _raise(scope, slot)


def _is_whole(op: Op) -> bool:
    """Whether a window is as large as what it reads: its sizes are those of the axes of space, one by one."""
    kernel, axes, last = op.attr("kernel"), op.attr("axes"), op.attr("channels_last", False)
    if not isinstance(kernel, tuple) or not isinstance(axes, int) or len(kernel) != axes or not isinstance(last, bool):
        return False
    if op.attr("padding", 0) not in (0, "valid", (0,) * axes) or op.attr("dilation", 1) not in (1, (1,) * axes):
        return False
    first = 1 if last else 2
    return all(
        isinstance(one, Size)
        and one.of == op.reads[0]
        and one.power == 1
        and (first + at in one.axes or first + at - axes - 2 in one.axes)
        for at, one in enumerate(kernel)
    )


def _is_one(size: AttrValue) -> bool:
    sizes = size if isinstance(size, tuple) else (size,)
    return bool(sizes) and all(one == 1 and isinstance(one, int) and not isinstance(one, bool) for one in sizes)


def _raise(scope: Scope, slot: int) -> None:
    op = scope.ops[slot]
    window = (_map_of(scope, op.reads[0]) or _reader_of(scope, slot)) if len(op.reads) == 1 else None
    axes = window.attr("axes") if window is not None else None
    if window is None or not isinstance(axes, int):
        return
    last = window.attr("channels_last")
    given = op.attr("axis")
    over = {one % (axes + 2) for one in given if isinstance(one, int)} if isinstance(given, tuple) else set()
    if isinstance(given, int) and axes == 1:
        over = {given % 3}
    space = set(range(1, axes + 1)) if last is True else set(range(2, axes + 2))
    if over != space or (isinstance(given, tuple) and len(given) != axes):
        return
    told: dict[str, AttrValue] = {"mode": "mean", "axes": axes, "scope": "global"}
    if isinstance(last, bool):
        told["channels_last"] = last
    scope.fold({slot}, POOL, attrs(**told), first=op.reads)


def _map_of(scope: Scope, value: Value) -> Op | None:
    """The window that made a map of channels, behind which the axes stayed what they are."""
    for _ in range(_STEPS):
        op = scope.maker(value)
        if op is None or value.index:
            return None
        if op.kind in _MAPS:
            return op if op.attr("scope") != "global" and not op.states("size") else None
        if op.kind not in _KEEPING and not (op.kind in _SUMS and len(op.reads) <= 2):
            return None
        # of a sum, the side that a window made; a factor for each channel is no map
        value = next((one for one in op.reads if _leads(scope, one)), op.reads[0])
    return None


def _reader_of(scope: Scope, slot: int) -> Op | None:
    """The convolution that reads a mean: it kept its axes, then, and what it was taken of is a map of channels too."""
    for _ in range(_STEPS):
        reader = scope.only_reader(slot)
        if reader is None or (op := scope.ops[reader]).kind not in _KEEPING | CONVS or len(op.reads) != 1:
            return None
        if op.kind in CONVS:
            return op
        slot = reader
    return None


def _leads(scope: Scope, value: Value) -> bool:
    op = scope.maker(value)
    return op is not None and (op.kind in _MAPS or op.kind in _KEEPING or op.kind in _SUMS)
