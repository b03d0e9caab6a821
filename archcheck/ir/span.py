"""Places in files: where a reader finds an op, a claim or the line that set a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A region of a text file.

    Lines and columns count from 1; `end_column` is exclusive. `file` is relative to the folder, package or
    archive that was read, with `/` between its parts, so that two machines print the same.
    """

    file: str
    line: int
    column: int = 1
    end_line: int = 0  # 0: same as `line`
    end_column: int = 0  # 0: to the end of the line

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trail: the function that was running, and the line that it had reached."""

    function: str
    span: Span


@dataclass(frozen=True, slots=True)
class Setting:
    """A configuration value that decided something about the graph, and the line that set it.

    `name` is how a user would say it (`norm_first`, `hparams.layer_preprocess_sequence`); `trail` holds the calls
    that led to `span`, outermost first.
    """

    name: str
    value: str  # as Python would print it
    span: Span | None = None
    trail: tuple[Step, ...] = ()
