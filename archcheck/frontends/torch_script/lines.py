"""Lines of the archive's code → the lines that the model's author wrote, as the archive remembers them.

Beside each file of code lies a pickle of where its parts come from: of a script, a piece of source text with the file
and line where it starts; of a trace, the calls that were running. It may be missing, and whatever in it makes no sense
is passed over: it decides no more than which line a report shows.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from archcheck.errors import TargetError
from archcheck.frontends.torch_export.archive import Archive
from archcheck.frontends.torch_export.program import Frame
from archcheck.frontends.torch_script.code import CodeFile
from archcheck.frontends.torch_script.pickles import PickleError, loads
from archcheck.frontends.trace.wire import Site

_RUNNING = re.compile(r"(.{1,4096})\((\d{1,9})\): (.{1,400})")
_FORM = "FORMAT_WITH_STRING_TABLE"
MOST = 400_000  # records of one file

Sites = Callable[[Sequence[Frame]], Site | None]


class Lines:
    """Where the code of an archive comes from.

    Args:
        archive: open for as long as lines are asked for.
        sites: gives the place of a line of code, as reports show it.
    """

    def __init__(self, archive: Archive, sites: Sites) -> None:
        self.archive = archive
        self.sites = sites
        self.traced = False  # whether some of it was traced
        self._known: dict[str, tuple[list[int], list[list[Frame]]]] = {}

    def site(self, file: CodeFile, node: ast.AST) -> Site | None:
        """The line of which a node was made; None where that is not told."""
        starts, frames = self._of(file)
        if not starts or not isinstance(node, ast.stmt):
            return None
        begin = file.starts[node.lineno - 1] + node.col_offset
        body = getattr(node, "body", None)
        if isinstance(body, list) and body:  # of a block, the line that opens it
            end = file.starts[body[0].lineno - 1]
        else:
            end = file.starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        for at in range(bisect_left(starts, begin), len(starts)):
            if starts[at] >= end:
                break
            if frames[at]:
                return self.sites(frames[at])
        around = bisect_right(starts, begin) - 1  # one that starts before it and goes on
        return self.sites(frames[around]) if around >= 0 and frames[around] else None

    def _of(self, file: CodeFile) -> tuple[list[int], list[list[Frame]]]:
        if file.entry not in self._known:
            try:
                self._known[file.entry] = self._read(f"{file.entry}.debug_pkl")
            except (PickleError, TargetError, LookupError, TypeError, ValueError, AttributeError):
                self._known[file.entry] = [], []
        return self._known[file.entry]

    def _read(self, entry: str) -> tuple[list[int], list[list[Frame]]]:
        if entry not in self.archive.entries:
            return [], []
        form, texts, records = loads(self.archive.read(entry), entry)[:3]
        if form != _FORM or len(records) > MOST:
            return [], []
        known: dict[Any, list[Frame]] = {}
        found = []
        for offset, source, *_ in records:
            key = (id(source[0]), source[1])
            if key not in known:
                known[key] = self._frames(texts, source)
            found.append((int(offset), known[key]))
        found.sort(key=lambda one: one[0])
        return [one[0] for one in found], [one[1] for one in found]

    def _frames(self, texts: Sequence[str], source: Any) -> list[Frame]:
        (parts, file, line), start, _ = source[:3]
        pieces = [texts[part] for part in parts if isinstance(texts[part], str) and texts[part]]
        if not pieces:
            return []
        calls = [_RUNNING.fullmatch(piece.rstrip("\n")) for piece in pieces]
        if all(calls):
            self.traced = True
            told = [Frame(one[1], int(one[2]), one[3], "") for one in reversed(calls) if one is not None]
            return [frame for frame in told if "/torch/jit/" not in frame.file.replace("\\", "/")]
        left, at = int(start), int(line)
        for piece in pieces:
            if left < len(piece):
                break
            left -= len(piece)
            at += 1
        name = texts[file]
        return [Frame(name, at, "", "")] if isinstance(name, str) and at > 0 and name else []
