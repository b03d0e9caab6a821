"""Two sequences, token under token, and below them what moved, is missing, was added or differs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from archcheck.shown import cells, pad, shown

GAP = "·"
_BETWEEN = 2  # blanks between two tokens


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the comparison: `who` is "paper", "code" or "" for marks."""

    who: str
    text: str


@dataclass(frozen=True, slots=True)
class _Mark:
    """What happened between two columns of the sequences: `head` is where the code has it, `tail` where the paper."""

    head: int
    tail: int
    says: str


def side_by_side(
    expected: tuple[str, ...], actual: tuple[str, ...], *, moves: bool = True, width: int = 84
) -> tuple[Line, ...]:
    """The two sequences as lines of at most `width` columns (one token may be wider), cut into strips where needed.

        paper  ·  F  d  a  n
        code   n  F  d  a  ·
               ^-----------'  n moved

    Args:
        expected: the paper's sequence; "" stands for a gap.
        actual: the code's, aligned with it.
        moves: whether a token that stands opposite a gap in both sequences moved (else: is missing, and added).
        width: columns of a terminal.
    """
    columns = [(shown(left), shown(right)) for left, right in zip_longest(expected, actual, fillvalue="")]
    marks = _marks(columns, moves=moves)
    widths = [max(cells(left or GAP), cells(right or GAP)) for left, right in columns]
    lines: list[Line] = []
    for start, end in _strips(widths, width):
        lines.append(Line("paper", _tokens([left for left, _ in columns[start:end]], widths[start:end])))
        lines.append(Line("code", _tokens([right for _, right in columns[start:end]], widths[start:end])))
        lines += [Line("", text) for text in _mark_lines(marks, widths, (start, end), width)]
    return tuple(lines)


def _marks(columns: list[tuple[str, str]], *, moves: bool) -> list[_Mark]:
    missing = [at for at, (left, right) in enumerate(columns) if left and not right]
    extra = [at for at, (left, right) in enumerate(columns) if right and not left]
    marks: list[_Mark] = []
    for head, tail in _moves(columns, missing, extra) if moves else ():
        marks.append(_Mark(head, tail, f"{columns[tail][0]} moved"))
        missing.remove(tail)
        extra.remove(head)
    marks += [_Mark(at, at, f"{columns[at][0]}: not in the code") for at in missing]
    marks += [_Mark(at, at, f"{columns[at][1]}: not in the paper") for at in extra]
    for at, (left, right) in enumerate(columns):
        if left and right and left != right:
            says = "not known" if right.startswith("?") else f"{left} in the paper, {right} in the code"
            marks.append(_Mark(at, at, says))
    return sorted(marks, key=lambda mark: (min(mark.head, mark.tail), max(mark.head, mark.tail), mark.says))


def _moves(columns: list[tuple[str, str]], missing: list[int], extra: list[int]) -> list[tuple[int, int]]:
    """(head, tail) of each token that stands opposite a gap on both sides: in order where that pairs all of them."""
    moved: list[tuple[int, int]] = []
    for token in dict.fromkeys(columns[at][0] for at in missing):
        tails = [at for at in missing if columns[at][0] == token]
        heads = [at for at in extra if columns[at][1] == token]
        if len(tails) == len(heads):
            moved += zip(heads, tails, strict=True)
            continue
        nearest = sorted((abs(head - tail), tail, head) for head in heads for tail in tails)
        for _, tail, head in nearest:
            if tail in tails and head in heads:
                moved.append((head, tail))
                tails.remove(tail)
                heads.remove(head)
    return moved


def _strips(widths: list[int], width: int) -> list[tuple[int, int]]:
    strips: list[tuple[int, int]] = []
    start = used = 0
    for at, size in enumerate(widths):
        if at > start and used + size > width:
            strips.append((start, at))
            start, used = at, 0
        used += size + _BETWEEN
    return [*strips, (start, len(widths))] if widths else []


def _tokens(tokens: list[str], widths: list[int]) -> str:
    padded = (pad(token or GAP, size) for token, size in zip(tokens, widths, strict=True))
    return (" " * _BETWEEN).join(padded).rstrip()


def _mark_lines(marks: list[_Mark], widths: list[int], strip: tuple[int, int], width: int) -> list[str]:
    """Marks of one strip: those that say the same share a line as long as they do not overlap."""
    start, end = strip
    at = [0]
    for size in widths[start:end]:
        at.append(at[-1] + size + _BETWEEN)
    rows: list[tuple[str, list[str], int]] = []  # what it says, its characters, how many marks it holds
    for mark in marks:
        low, high = sorted((mark.head, mark.tail))
        if high < start or low >= end:
            continue
        first = at[max(low, start) - start]
        last = at[min(high, end - 1) - start] + (0 if high < end else widths[end - 1] - 1)
        drawn = _drawn(mark, first, last, widths, whole=low >= start, complete=high < end)
        for number, (says, canvas, count) in enumerate(rows):
            if says == mark.says and len(canvas) < first:
                rows[number] = (says, canvas + list(drawn.rjust(first - len(canvas) + len(drawn))), count + 1)
                break
        else:
            rows.append((mark.says, list(" " * first + drawn), 1))
    lines: list[str] = []
    for says, canvas, count in rows:
        words = says + (f" ({count} times)" if count > 1 else "")
        drawn = "".join(canvas)
        if len(drawn) + _BETWEEN + cells(words) <= width:
            lines.append(f"{drawn}  {words}")
        else:
            first = len(drawn) - len(drawn.lstrip())
            lines += [drawn, " " * min(first, max(0, width - cells(words))) + words]
    return lines


def _drawn(mark: _Mark, first: int, last: int, widths: list[int], *, whole: bool, complete: bool) -> str:
    if mark.head == mark.tail:
        return "^" * max(1, widths[mark.head])
    left, right = ("^", "'") if mark.head < mark.tail else ("'", "^")
    left, right = left if whole else "-", right if complete else "-"
    if first == last:  # a strip of one narrow column shows one end of the arrow, or its shaft
        return left if whole else right
    return left + "-" * (last - first - 1) + right
