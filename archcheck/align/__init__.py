"""(expected, actual) -> Alignment of pairs and edits."""

from archcheck.align.agree import DEFAULT_FREE, EVERYTHING
from archcheck.align.aligner import align
from archcheck.align.edits import Alignment, Edit, EditKind

__all__ = ["DEFAULT_FREE", "EVERYTHING", "Alignment", "Edit", "EditKind", "align"]
