"""Spells one linear map whose output is cut into parts as one linear map for each part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from archcheck.ir.graph import Attr, AttrValue, Op, Unknown, Value, attrs
from archcheck.ir.ops import BY_NAME
from archcheck.passes.kinds import ATTENTIONS, CONVS, LINEAR, VIEWS, named
from archcheck.passes.layout import Layout, cut, given_by, viewed
from archcheck.passes.respell import Respelled, RespellPass, copied
from archcheck.passes.scope import RESULT, Paths, Scope

_RESHAPE, _PERMUTE = BY_NAME["reshape"], BY_NAME["permute"]
_CUTS = named("split", "select")
_JOINS = named("concat", "stack")
_ENDS = ATTENTIONS | CONVS | named("linear", "matmul", "einsum", "softmax")
_STEPS = 64  # ops behind a part that are looked at for a join; more say no more


@dataclass(slots=True)
class _Part:
    """A part of what a fused map gives."""

    cut: int  # slot of the op that cuts it off
    output: int
    views: tuple[int, ...]  # slots from the map to the cut
    layout: Layout  # of the part
    shape: tuple[AttrValue, ...]  # sizes of the axes of tokens, as code wrote them down


class SplitFused(RespellPass):
    """Give each part of a fused projection a linear map of its own; the fused one and the cut are kept in its body.

    before                                      after
      %x = input                                  input
      linear %x out_features=2304                 linear %0 out_features=768:
      %p = split axis=-1 sections=3                 linear %0 out_features=2304
      attention %p, %p.1, %p.2                      split axis=-1 sections=3
                                                  ... (twice more)
                                                  attention %1, %4, %7

    The cut may stand behind reshapes and permutations, as where heads come first and q, k and v are cut from each: the
    rows of the map are followed through them (`layout`), and the part is the map with those rows, in a heads-first
    order if need be. What the part was laid out like is then put back by a reshape and a permute.

    Left alone: a map that is also read whole; one of which a single part is read; a cut along tokens, or one that
    cannot be followed; parts that are joined again, which are pieces of one projection (partial rotary positions).
    """

    name = "split_fused"

    def applies(self, ops: tuple[Op, ...]) -> bool:
        """Whether there is a map that is cut, perhaps behind views, and that nothing else reads."""
        maps: dict[str, str] = {}  # path of a map, or of a view of what it gives -> path of the map
        cut: set[str] = set()
        read: set[str] = set()
        for op in ops:
            kind = op.kind
            for value in op.reads:
                found = maps.get(value.op)
                if found is None:
                    continue
                if kind in _CUTS:
                    cut.add(found)
                elif kind in VIEWS:
                    maps[op.path] = found
                else:
                    read.add(found)
            if kind is LINEAR:
                maps[op.path] = op.path
        return not cut <= read

    def respell(self, scope: Scope, paths: Paths) -> Respelled:
        """The parts of the fused maps of one scope."""
        found = Respelled()
        for slot in scope.of_kinds({LINEAR}):
            if not _leads_to_cuts(scope, slot):
                continue
            parts = _parts(scope, slot)
            if parts and not _joined(scope, parts):
                _spell(scope, slot, parts, paths, found)
        return found


# ---- finding


def _leads_to_cuts(scope: Scope, slot: int) -> bool:
    """Whether views and cuts are all that reads a map, and there is a cut: at a glance, without layouts."""
    cuts = False
    stack = [slot]
    while stack:
        for reader in scope.readers(stack.pop()):
            kind = scope.ops[reader].kind if reader != RESULT else None
            if kind in _CUTS:
                cuts = True
            elif kind in VIEWS:
                stack.append(reader)
            else:
                return False
    return cuts


def _parts(scope: Scope, slot: int) -> list[_Part]:
    """The parts into which the value of a map is cut, at least two; empty where it is not cut, or also read whole."""
    parts: list[_Part] = []
    start = given_by(scope.ops[slot])
    waiting: list[tuple[int, tuple[int, ...], Layout, tuple[AttrValue, ...]]] = [(slot, (), start, ())]
    while waiting:
        at, views, layout, shape = waiting.pop()
        for reader in scope.readers(at):
            op = scope.ops[reader] if reader != RESULT else None
            if op is None or len(op.reads) != 1:
                return []
            if op.kind in _CUTS:
                found = cut(layout, op, list(_outputs(scope, reader)))
                if found is None:
                    return []
                parts += [_Part(reader, one.output, views, one.layout, shape) for one in found]
                continue
            behind = viewed(layout, op) if op.kind in VIEWS else None
            if behind is None:
                return []
            stated = op.attr("shape")
            own = stated[: len(stated) - len(behind.digits)] if isinstance(stated, tuple) else shape
            waiting.append((reader, (*views, reader), behind, own))
    return sorted(parts, key=lambda part: (part.cut, part.output)) if len(parts) > 1 else []


def _outputs(scope: Scope, slot: int) -> Iterator[int]:
    """The outputs of an op that anything reads."""
    path = scope.ops[slot].path
    read = {value.index for value in scope.results if value.op == path}
    for reader in scope.readers(slot):
        if reader != RESULT:
            read |= {value.index for value in scope.ops[reader].reads if value.op == path}
    yield from sorted(read)


def _joined(scope: Scope, parts: list[_Part]) -> bool:
    """Whether two parts are laid side by side again before anything maps or mixes them."""
    met: set[int] = set()
    for part in parts:
        value = Value(scope.ops[part.cut].path, part.output)
        seen: set[int] = set()
        stack = [slot for slot in scope.readers(part.cut) if slot != RESULT and value in scope.ops[slot].reads]
        while stack and len(seen) < _STEPS:
            slot = stack.pop()
            if slot == RESULT or slot in seen or scope.ops[slot].kind in _ENDS:
                continue
            seen.add(slot)
            stack.extend(scope.readers(slot))
        joins = {slot for slot in seen if scope.ops[slot].kind in _JOINS}
        if joins & met:
            return True
        met |= joins
    return False


# ---- spelling


def _spell(scope: Scope, slot: int, parts: list[_Part], paths: Paths, found: Respelled) -> None:
    fused = scope.ops[slot]
    found.instead[slot] = ()
    for part in parts:
        for view in part.views:
            found.instead[view] = ()
        cutting = scope.ops[part.cut]
        made = list(_spelled(fused, [scope.ops[view] for view in part.views], cutting, part, paths))
        found.instead[part.cut] = (*found.instead.get(part.cut, ()), *made)
        found.names[Value(cutting.path, part.output)] = Value(made[-1].path)


def _spelled(fused: Op, views: list[Op], cutting: Op, part: _Part, paths: Paths) -> Iterator[Op]:
    """The map that gives a part, and the views that lay its value out as it was."""
    body, _ = copied((fused, *views, cutting), paths)
    given = Value(body[-1].path, part.output)
    layout = part.layout
    digits = layout.digits
    order: tuple[int, ...] = ()
    if len(digits) > 1:  # laid out under several axes: the map itself gives one axis of features
        order = tuple(sorted(range(len(layout.axes)), key=lambda place: _rank(layout, place)))
        for op in _flattened(given, order, layout.tokens, body[-1], paths):
            body = (*body, op)
            given = Value(op.path)
    width = layout.width
    stated = [attr for attr in fused.attrs if attr.name != "out_features"]
    if width is not None:
        stated.append(Attr("out_features", width))
    path = paths.fresh(fused.path, LINEAR)
    made = replace(
        fused,
        path=path,
        attrs=tuple(sorted(stated, key=lambda attr: attr.name)),
        body=body,
        gives=() if given == Value(body[-1].path) else (given,),
    )
    yield made
    if order:
        yield from _laid_out(Value(path), part, order, cutting, paths)


def _rank(layout: Layout, place: int) -> tuple[bool, int, int]:
    """Sorts axes of tokens to the front, then those of features, the most significant first."""
    digit = layout.axes[place]
    return (False, 0, place) if digit is None else (True, -digit.stride, place)


def _flattened(given: Value, order: tuple[int, ...], tokens: int, cutting: Op, paths: Paths) -> Iterator[Op]:
    """The axes of a part in the order of its features, then those of features as one."""
    if order != tuple(range(len(order))):
        permuted = _like(cutting, paths.fresh(cutting.path, _PERMUTE), given, axes=order)
        yield replace(permuted, kind=_PERMUTE)
        given = Value(permuted.path)
    yield _like(cutting, paths.fresh(cutting.path, _RESHAPE), given, form="flatten", axis=tokens, end=-1)


def _laid_out(given: Value, part: _Part, order: tuple[int, ...], cutting: Op, paths: Paths) -> Iterator[Op]:
    """The features of a part under several axes again, in the order in which the cut gave them."""
    layout = part.layout
    tokens = part.shape or tuple(Unknown("an axis of tokens", cutting.span) for _ in range(layout.tokens))
    sizes = tuple(_size(layout, place, cutting) for place in order[layout.tokens :])
    shaped = _like(cutting, paths.fresh(cutting.path, _RESHAPE), given, shape=(*tokens, *sizes))
    yield shaped
    if order != tuple(range(len(order))):
        back = tuple(order.index(place) for place in range(len(order)))
        permuted = _like(cutting, paths.fresh(cutting.path, _PERMUTE), Value(shaped.path), axes=back)
        yield replace(permuted, kind=_PERMUTE)


def _size(layout: Layout, place: int, cutting: Op) -> AttrValue:
    digit = layout.axes[place]
    size = None if digit is None else digit.size
    return Unknown("the size of a part", cutting.span) if size is None else size


def _like(cutting: Op, path: str, given: Value, **stated: AttrValue) -> Op:
    return Op(
        path, _RESHAPE, (given,), attrs(**stated), claim=cutting.claim, span=cutting.span, because=cutting.because
    )
