"""What readers of saved graphs share: how much of a file is followed, and numbers as somebody wrote them."""

from __future__ import annotations

import struct

MAX_NODES = 100_000  # of a graph, with what it calls spelled out
MAX_NAME = 512  # characters
MAX_RANK = 16  # axes of a tensor
KEPT_NUMBERS = 512  # of one tensor that are told
MOST_ENTRIES = 4_096  # of an array that is worked out
MOST_ROUNDS = 256  # of a loop that are spelled out
MERGED = 1_024  # entries of a tensor up to which tools keep equal ones as one


def shortest(number: float, form: str = "f") -> float:
    """The number that somebody wrote, of which a file keeps 32 bits, or 16: 1e-05 for 9.999999747378752e-06.

    Args:
        number: as the file holds it.
        form: "f" for 32 bits, "e" for 16, as `struct` calls them.
    """
    try:
        wanted = struct.pack("<" + form, number)
    except OverflowError:
        return number
    for digits in range(1, 9):
        found = float(f"{number:.{digits}g}")
        try:
            if struct.pack("<" + form, found) == wanted:
                return found
        except OverflowError:  # rounded up beyond the greatest
            continue
    return float(f"{number:.9g}")
