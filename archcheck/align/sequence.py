"""Longest common subsequences in near-linear time: Myers' algorithm with a cap, and windows where it gives up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Run = tuple[int, int, int]  # start in the first sequence, start in the second, length

MAX_EDITS = 256  # Myers' D; time grows with its square
WINDOW = 48  # tokens looked ahead where two sequences part
_CHUNK = 16


def common(first: Sequence[int], second: Sequence[int], windows: dict[object, list[Run]] | None = None) -> list[Run]:
    """Runs of equal tokens that make up a common subsequence of two lists, in order.

    It is a longest one (Myers 1986) where the two differ in at most `MAX_EDITS` insertions and deletions; beyond, one
    that is found by looking `WINDOW` tokens ahead wherever they part, in time linear in their lengths.

    Args:
        windows: what was found for pairs of windows so far; a difference that repeats is solved once.
    """
    begin = _ahead(first, 0, second, 0)
    end = _behind(first, second, begin)
    runs: list[Run] = [(0, 0, begin)] if begin else []
    left, right = first[begin : len(first) - end], second[begin : len(second) - end]
    if left and right:
        inner = myers(left, right, MAX_EDITS)
        if inner is None:
            inner = _windowed(left, right, {} if windows is None else windows)
        runs += [(i + begin, j + begin, length) for i, j, length in inner]
    if end:
        runs.append((len(first) - end, len(second) - end, end))
    return runs


def _ahead(first: Sequence[int], i: int, second: Sequence[int], j: int) -> int:
    """How many tokens from `i` and `j` on are equal."""
    most = min(len(first) - i, len(second) - j)
    if most <= 0 or first[i] != second[j]:
        return 0
    length = 1
    step = _CHUNK
    while length + step <= most and first[i + length : i + length + step] == second[j + length : j + length + step]:
        length += step
        step = min(step * 2, 4096)
    while length < most and first[i + length] == second[j + length]:
        length += 1
        if length % _CHUNK == 0 and length + _CHUNK <= most:
            while first[i + length : i + length + _CHUNK] == second[j + length : j + length + _CHUNK]:
                length += _CHUNK
                if length + _CHUNK > most:
                    break
    return length


def _behind(first: Sequence[int], second: Sequence[int], begin: int) -> int:
    """How many tokens at the ends are equal, leaving `begin` at the start of each."""
    most = min(len(first), len(second)) - begin
    length = 0
    n, m = len(first), len(second)
    while length + _CHUNK <= most:
        if first[n - length - _CHUNK : n - length] != second[m - length - _CHUNK : m - length]:
            break
        length += _CHUNK
    while length < most and first[n - length - 1] == second[m - length - 1]:
        length += 1
    return length


def myers(first: Sequence[int], second: Sequence[int], cap: int) -> list[Run] | None:
    """Myers' greedy algorithm; None where more than `cap` edits, or work out of proportion, would be needed."""
    n, m = len(first), len(second)
    if abs(n - m) > cap:
        return None
    work = 8 * (n + m) + cap * cap
    reach = {1: 0}
    trail: list[dict[int, int]] = []
    for edits in range(min(cap, n + m) + 1):
        trail.append({})
        here = trail[-1]
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and reach.get(k - 1, -1) < reach.get(k + 1, -1))
            x = reach[k + 1] if down else reach[k - 1] + 1
            if x > n or x - k > m:
                here[k] = reach[k] = x
                continue
            step = _ahead(first, x, second, x - k)
            here[k] = reach[k] = x + step
            work -= step // _CHUNK + 1
            if x + step >= n and x + step - k >= m:
                return _walk(trail, n, m)
        if work < 0:
            return None
    return None


def _walk(trail: list[dict[int, int]], x: int, y: int) -> list[Run]:
    runs: list[Run] = []
    for edits in range(len(trail) - 1, 0, -1):
        before = trail[edits - 1]
        k = x - y
        down = k == -edits or (k != edits and before.get(k - 1, -1) < before.get(k + 1, -1))
        start = before[k + 1] if down else before[k - 1] + 1
        if x > start:
            runs.append((start, start - k, x - start))
        x = start if down else start - 1
        y = start - k - 1 if down else start - k
    if x:
        runs.append((0, 0, x))
    runs.reverse()
    return runs


def _windowed(first: Sequence[int], second: Sequence[int], windows: dict[object, list[Run]]) -> list[Run]:
    runs: list[Run] = []
    i = j = 0
    while i < len(first) and j < len(second):
        length = _ahead(first, i, second, j)
        if length:
            runs.append((i, j, length))
            i, j = i + length, j + length
            continue
        left, right = tuple(first[i : i + WINDOW]), tuple(second[j : j + WINDOW])
        steps = windows.get((left, right))
        if steps is None:
            steps = windows[left, right] = _near_half(myers(left, right, 2 * WINDOW) or [])
        for x, y, length in steps:
            runs.append((i + x, j + y, length))
        if steps:
            x, y, length = steps[-1]
            i, j = i + x + length, j + y + length
        else:  # nothing in common as far as one can see
            i, j = i + WINDOW // 2, j + WINDOW // 2
    return runs


def _near_half(runs: list[Run]) -> list[Run]:
    """The runs in the nearer half of a window: further on, what lies behind the window may decide otherwise."""
    near = [run for run in runs if min(run[0], run[1]) < WINDOW // 2]
    return near or runs[:1]


def heaviest(rows: int, columns: int, weight: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """The pairs of an order-preserving matching of greatest total weight (Needleman and Wunsch 1970).

    Args:
        weight: of matching a row with a column; not positive where they cannot be matched.
    """
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    taken = [[False] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            value = max(best[i + 1][j], best[i][j + 1])
            gain = weight(i, j)
            if gain > 0 and gain + best[i + 1][j + 1] > value:
                value = gain + best[i + 1][j + 1]
                taken[i][j] = True
            best[i][j] = value
    pairs = []
    i = j = 0
    while i < rows and j < columns:
        if taken[i][j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs
