"""Places in files: where a reader finds an op, a claim or the line that set a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


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


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a call stands, what it calls, and where the function around it was called; None: nowhere that is read."""

    span: Span
    outer: Caller | None = None
    function: str = ""  # that is called
    place: str = ""  # of the module whose method it is

    def spans(self) -> Iterable[Span]:
        """The places of the calls, innermost first."""
        one: Caller | None = self
        while one is not None:
            yield one.span
            one = one.outer

    def first(self, name: str, place: str) -> Caller | None:
        """The outermost call of a function, or of a method of the module at a place."""
        found: Caller | None = None
        one: Caller | None = self
        while one is not None:
            if (name and one.function == name) or (place and one.place == place):
                found = one
            one = one.outer
        return found


def origin(path: str) -> str:
    """What passes keep of an op's path: the place and the number of the op that was read, not its kind."""
    place, slash, name = path.rpartition("/")
    return f"{place}{slash}{name.partition('.')[0].rstrip(_MARK)}"


_MARK = "'"  # of the second, third, ... op that a pass makes of one


@dataclass(frozen=True)
class Reached:
    """How code comes to its ops: the calls on the way, and those that built the layers. Both by `origin`."""

    called: Mapping[str, Caller] = field(default_factory=dict)
    built: Mapping[str, Caller] = field(default_factory=dict)
    held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # names of the tensors of a layer

    def by(self, paths: Iterable[str]) -> tuple[Span, ...]:
        """The places at which ops are reached and their layers are built, each once."""
        found: dict[Span, None] = {}
        for path in map(origin, paths):
            for callers in (self.built, self.called):
                if (caller := callers.get(path)) is not None:
                    found.update(dict.fromkeys(caller.spans()))
        return tuple(found)
