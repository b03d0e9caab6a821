"""Shapes of products and of what is written as a pattern: matrix products, Einstein's convention, einops."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from archcheck.ir.shapes.dims import Dims, Given, NotKnown, agreed, axes_of, broadcast, is_open, size, total

# ---- matrix products


def matmul(one: Dims, other: Dims) -> Dims:
    """The shape of a matrix product [..., n, k] x [..., k, m]; a vector is a row before, a column behind.

    Raises:
        NotKnown: they do not fit.
    """
    if not one or not other:
        raise NotKnown
    inner = one[-1], other[-2] if len(other) > 1 else other[-1]
    if None not in inner and inner[0] != inner[1]:
        raise NotKnown
    lead = broadcast(one[:-2], other[:-2])
    return (*lead, *(one[-2:-1] if len(one) > 1 else ()), *(other[-1:] if len(other) > 1 else ()))


def _matmul(given: Given) -> Dims:
    one, other = given.operand(), given.operand(1)
    if given.flag("transpose_b") and "transpose_a" not in given.attrs:  # torch.inner: over the last axis of both
        if len(one) == 0 or len(other) == 0 or len(other) > 2:
            raise NotKnown
        return (*one[:-1], *other[:-1])
    if given.flag("transpose_a"):
        one = _turned(one)
    if given.flag("transpose_b"):
        other = _turned(other)
    return matmul(one, other)


def _turned(dims: Dims) -> Dims:
    if len(dims) < 2:
        raise NotKnown
    return (*dims[:-2], dims[-1], dims[-2])


def _matmul_add(given: Given) -> Dims:
    return matmul(given.operand(1), given.operand(2))


def _outer(given: Given) -> Dims:
    one, other = given.operand(), given.operand(1)
    if len(one) != 1 or len(other) != 1:
        raise NotKnown
    return one + other


def _tensordot(given: Given) -> Dims:
    one, other = given.operand(), given.operand(1)
    axes = given.get("axes")
    count = size(axes)
    if count is not None:
        if not 0 <= count <= min(len(one), len(other)):
            raise NotKnown
        return one[: len(one) - count] + other[count:]
    if not isinstance(axes, (tuple, list)) or len(axes) != 2:
        raise NotKnown
    first, second = axes_of(axes[0], len(one)), axes_of(axes[1], len(other))
    if len(first) != len(second):
        raise NotKnown
    return (
        *(entry for at, entry in enumerate(one) if at not in first),
        *(entry for at, entry in enumerate(other) if at not in second),
    )


# ---- Einstein's convention

_DOTS = "..."


def _einsum(given: Given) -> Dims:
    """Names of axes are single letters, or words between spaces in einops' way: what both ways agree on is known."""
    equation = given.get("equation")
    if not isinstance(equation, str):
        raise NotKnown
    operands = [given.operand(at) for at in range(len(given.operands))]
    found: list[Dims] = []
    for read in (_letters, _words):
        try:
            found.append(_contracted(equation, operands, read))
        except _NoReading:
            continue
    if len(set(found)) != 1:
        raise NotKnown
    return found[0]


class _NoReading(Exception):
    """A pattern does not fit the tensors when it is read in this way."""


def _letters(term: str) -> list[str]:
    found = re.findall(r"\.\.\.|[A-Za-z]|\S", term)
    if any(one != _DOTS and not one.isalpha() for one in found):
        raise _NoReading
    return found


def _words(term: str) -> list[str]:
    found = term.split()
    if any(one != _DOTS and not one.isidentifier() for one in found):
        raise _NoReading
    return found


def _contracted(equation: str, operands: Sequence[Dims], read: Callable[[str], list[str]]) -> Dims:
    left, arrow, right = equation.partition("->")
    terms = [read(term) for term in left.split(",")]
    if len(terms) != len(operands):
        raise _NoReading
    entries: dict[str, Dims] = {}
    rest: list[Dims] = []
    for term, dims in zip(terms, operands, strict=True):
        for name, one in _assigned(term, dims):
            if name == _DOTS:
                rest.append(one)
                continue
            try:
                entries[name] = broadcast(entries[name], one) if name in entries else one
            except NotKnown:
                raise _NoReading from None
    common = broadcast(*rest)
    wanted = read(right) if arrow else _implied(terms)
    if any(name != _DOTS and name not in entries for name in wanted) or len(set(wanted)) < len(wanted):
        raise _NoReading
    return tuple(one for name in wanted for one in (common if name == _DOTS else entries[name]))


def _assigned(term: list[str], dims: Dims) -> Iterator[tuple[str, Dims]]:
    """The axes of a tensor by their names."""
    many = term.count(_DOTS)
    hidden = len(dims) - len(term) + many
    if many > 1 or hidden < 0 or (not many and hidden):
        raise _NoReading
    at = 0
    for name in term:
        step = hidden if name == _DOTS else 1
        yield name, dims[at : at + step]
        at += step


def _implied(terms: list[list[str]]) -> list[str]:
    """What comes out where an equation does not say: the names that stand once, in the order of the alphabet."""
    names = [name for term in terms for name in term]
    dots = [_DOTS] if _DOTS in names else []
    return dots + sorted(name for name in set(names) if name != _DOTS and names.count(name) == 1)


# ---- einops

_TOKEN = re.compile(r"\(|\)|\.\.\.|…|[A-Za-z_]\w*|\d+|\S")
_Group = list[str]


def _rearrange(given: Given) -> Dims:
    pattern = given.get("pattern")
    if not isinstance(pattern, str) or pattern.count("->") != 1:
        raise NotKnown
    left, right = (_groups(side) for side in pattern.split("->"))
    dims = _one_tensor(given)
    named = _sizes(given.get("sizes"))
    entries: dict[str, int | None] = dict(named)
    dots: dict[str, Dims] = {}
    for group, own in _laid(left, dims):
        if group == [_DOTS]:
            dots[_DOTS] = own
        elif len(own) != 1 or _DOTS in group:
            raise NotKnown
        else:
            _divide(group, own[0], entries)
    found: list[int | None] = []
    for group in right:
        if group == [_DOTS]:
            if _DOTS not in dots:
                raise NotKnown
            found += dots[_DOTS]
        else:
            found.append(total(part for name in group for part in _entries(name, entries, dots)))
    return tuple(found)


def _one_tensor(given: Given) -> Dims:
    """The operand; several that are given as one list have a first axis in common."""
    if len(given.operands) == 1:
        return given.operand()
    shapes = [given.operand(at) for at in range(len(given.operands))]
    return (len(shapes), *agreed(*shapes))


def _groups(side: str) -> list[_Group]:
    """`b (h d) ...` -> [["b"], ["h", "d"], ["..."]]."""
    found: list[_Group] = []
    inside = False
    for token in _TOKEN.findall(side):
        if token in "()":
            if inside == (token == "("):
                raise NotKnown
            inside = token == "("
            if inside:
                found.append([])
        elif inside:
            found[-1].append(_DOTS if token == "…" else token)
        else:
            found.append([_DOTS if token == "…" else token])
    if inside or any(not (name in (_DOTS, "1") or name.isidentifier()) for group in found for name in group):
        raise NotKnown
    return found


def _sizes(value: object) -> dict[str, int | None]:
    if value is None:
        return {}
    if not isinstance(value, (tuple, list)):
        raise NotKnown
    found: dict[str, int | None] = {}
    for pair in value:
        if is_open(pair) or not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise NotKnown
        found[pair[0]] = size(pair[1])
    return found


def _laid(groups: list[_Group], dims: Dims) -> Iterator[tuple[_Group, Dims]]:
    """The axes of a tensor by the groups of a pattern's left side."""
    many = sum(group == [_DOTS] for group in groups)
    hidden = len(dims) - len(groups) + many
    if many > 1 or hidden < 0 or (not many and hidden):
        raise NotKnown
    at = 0
    for group in groups:
        step = hidden if group == [_DOTS] else 1
        yield group, dims[at : at + step]
        at += step


def _divide(group: _Group, own: int | None, entries: dict[str, int | None]) -> None:
    """Learn the sizes of the axes that are joined in one of `own` entries."""
    names = [name for name in group if name != "1"]
    open_ = [name for name in names if entries.get(name) is None]
    rest = total(entries[name] for name in names if name not in open_)
    if not open_:
        if own is not None and rest != own:
            raise NotKnown
        return
    for name in open_:
        entries[name] = None
    if len(open_) == 1 and own is not None and rest:
        if own % rest:
            raise NotKnown
        entries[open_[0]] = own // rest


def _entries(name: str, entries: dict[str, int | None], dots: dict[str, Dims]) -> Dims:
    if name == "1":
        return (1,)
    if name == _DOTS and _DOTS in dots:
        return dots[_DOTS]
    if name not in entries:
        raise NotKnown
    return (entries[name],)


ONE: dict[str, Callable[[Given], Dims]] = {
    "matmul": _matmul,
    "matmul_add": _matmul_add,
    "outer": _outer,
    "tensordot": _tensordot,
    "einsum": _einsum,
    "rearrange": _rearrange,
}
