"""The partial evaluator's state, and the few operations through which its parts reach each other.

Reading a model means evaluating its code over symbolic tensors: numbers, strings and containers are computed, tensors
only recorded. What cannot be computed is an `Open` value that says why. Nothing of the code ever runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from archcheck.frontends.static import bounds, sizes
from archcheck.frontends.static.library import Library, SourceFile
from archcheck.frontends.static.loaded import Loaded, Toll
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.outcomes import OutOfFuel, Raised
from archcheck.frontends.static.recorder import Control, Recorder
from archcheck.frontends.static.signals import Signal
from archcheck.frontends.static.sizes import Sample, Sizes
from archcheck.frontends.static.values import Class, Data, Instance, Layer, ModuleValue, Scope, Tensor, Tensors
from archcheck.ir.graph import Value
from archcheck.ir.ranks import REDUCTIONS
from archcheck.ir.span import Caller, Setting, Span, Step, origin


@dataclass(frozen=True, slots=True)
class Limits:
    """How much evaluation may cost before it gives up; far above what any released model needs."""

    steps: int = 500_000
    depth: int = 120
    iterations: int = 16_384  # of one loop; a model may have thousands of layers
    forks: int = 16


@dataclass(slots=True)
class Frame:
    """A function of the code that is read, running."""

    function: str
    file: SourceFile
    line: int
    column: int = 1
    place: str = ""  # module path of the instance whose method runs
    control: Control | None = None  # where the frame began, to tell its own decisions from its caller's
    receiver: Data = None  # the instance whose method runs
    call: ast.Call | None = None  # the call that it has reached
    fixed: bool = False  # a dialect's formula: its ops stand where it is called
    node: ast.AST | None = None  # the function
    statement: ast.stmt | None = None  # that it has reached
    caller: Caller | None = None  # where it was called; None: by nothing that is read
    absent: dict[str, None] = field(default_factory=dict)  # names held against None, in the order in which they were

    def reach(self, node: ast.expr | ast.stmt) -> None:
        """Note that evaluation has come to `node`."""
        if not self.fixed:
            self.line = node.lineno
            self.column = node.col_offset + 1


@dataclass(frozen=True, slots=True)
class Decision:
    """An open condition that was decided one way, to be tried the other way in another run."""

    flag: str  # what would decide it, as a user would pass it
    value: bool  # the truth that was assumed for the flag's test
    why: str
    span: Span | None


@dataclass
class Notes:
    """What a reader must know about one evaluation."""

    assumptions: dict[str, Span | None] = field(default_factory=dict)
    unknowns: dict[tuple[str, str], Span | None] = field(default_factory=dict)  # (what, why)
    consulted: dict[str, Setting] = field(default_factory=dict)  # settings on which control depended
    refused: bool = False  # the constructor of a part raised
    tied: bool = False  # something that is not read may have made weights one
    tested_for_none: dict[str, Span | None] = field(default_factory=dict)  # arguments whose absence decided something

    def add(self, more: Notes) -> None:
        """What `more` has noted comes behind what these have."""
        for text, span in more.assumptions.items():
            self.assumptions.setdefault(text, span)
        for what, span in more.unknowns.items():
            self.unknowns.setdefault(what, span)
        for name, setting in more.consulted.items():
            self.consulted.setdefault(name, setting)
        for name, span in more.tested_for_none.items():
            self.tested_for_none.setdefault(name, span)
        self.refused = self.refused or more.refused
        self.tied = self.tied or more.tied

    def __bool__(self) -> bool:
        texts = self.assumptions or self.unknowns or self.consulted or self.tested_for_none
        return bool(texts) or self.refused or self.tied


LAID_OUT = ("reshape", "expand")


class Machine:
    """One evaluation.

    Args:
        library: where sources are found.
        training: whether modules are in training mode, in which dropout is active.
        decisions: truths of the first open conditions, in the order in which they are met.
        limits: bounds on the work.
        own_package: package or module that the target belongs to; it is read even if a dialect speaks for it.
        loaded: what modules hold, where others have come before.
        sample: the one call as which sizes, and what inputs hold, are taken; None: they may be any.
    """

    def __init__(
        self,
        library: Library,
        *,
        training: bool = True,
        decisions: tuple[bool, ...] = (),
        limits: Limits | None = None,
        own_package: str = "",
        loaded: Loaded | None = None,
        sample: Sample | None = None,
    ) -> None:
        self.library = library
        self.loaded = loaded or Loaded()
        self.loaded.vm = self
        self.paid: set[Toll] = set()  # of what is evaluated once
        self.charged: dict[Toll, None] = {}  # those of which the work has been counted
        self.charged_steps = 0
        self.training = training
        self.decisions = decisions
        self.limits = limits or Limits()
        self.recorder = Recorder()
        self.sizes = None if sample is None else Sizes(sample, self.recorder.by_path)
        self.notes = Notes()
        self.taken: list[Decision] = []
        self.decided: dict[str, bool] = {}
        self.frames: list[Frame] = []
        self.spans: dict[tuple[str, int, int], Span] = {}  # places reached: loops come to the same ones again
        self.touched: list[Setting] = []  # settings that the expression being evaluated has read
        self.control: Control | None = None
        self.steps = 0
        self.gin_scopes: tuple[str, ...] = ()  # those of gin that hold
        self.loading = 0  # statements of modules that are being evaluated
        self.registered: set[SourceFile] = set()  # files whose registrations have run
        self.sought: set[tuple[str, str]] = set()  # packages in which a name was looked for that is registered
        self.modules_built: list[Instance | Layer] = []  # in the order of construction, to find those never used
        # Namespaces whose sources are read all the same.
        self.opened = {names.opened_by(own_package)} if own_package else set[str]()
        self.container_classes: dict[str, Class] = {}
        self.unused_overrides = False  # a setting was to be overridden and is not among what the caller gives
        self.by_number = False  # a random number decided the condition that is being evaluated
        self.building = 0  # constructors around
        self.trying = 0  # try blocks around, whose handlers must see what is raised
        self.handled: list[tuple[str | None, Raised]] = []  # what handlers around have caught, under which names
        self.invoked = False  # the target has been built and runs
        self.entry: tuple[ast.AST, ...] = ()  # the functions that take the target's arguments
        self.wanted: dict[str, None] = {}  # arguments of the target for want of which something failed
        self.ran: dict[ast.AST, Class | None] = {}  # functions that have run since, and whose they are
        self.stored: dict[ast.AST, list[Tensor]] = {}  # what the target last kept in its own attributes, by statement
        self.target: Data = None  # the instance or function that is read; what it raises itself is not contained
        self.open_rounds: list[Open] = []  # loops around of which the number of rounds is not known
        self.stands: Span | None = None  # where the layer that a container calls was built
        self.arrays = ""  # the dialect whose tensors have the methods that the target calls, if it is not PyTorch
        self.inplace_sums = True  # `x += y` changes the tensor itself, as in PyTorch; TensorFlow binds the name anew

    @contextmanager
    def apart(self) -> Iterator[Machine]:
        """Another evaluation of the same sources, which leaves no trace in this one."""
        loaded = None if self.loaded.is_busy else self.loaded
        made = Machine(self.library, training=self.training, limits=self.limits, loaded=loaded)
        made.opened = self.opened
        try:
            yield made
        finally:
            self.loaded.vm = self
            if loaded is not None:
                loaded.compare(made)

    def set_out(self, file: SourceFile) -> None:
        """Note from now on what is met as if evaluation had begun at the top of `file`."""
        self.notes, self.frames = Notes(), [Frame("", file, 1)]

    # ---- the parts, imported late because they import this module

    def execute(self, body: list[ast.stmt], scope: Scope) -> Signal | None:
        return statements.execute(self, body, scope)

    def evaluate(self, node: ast.expr, scope: Scope) -> Data:
        return expressions.evaluate(self, node, scope)

    def call(self, function: Data, args: list[Data], kwargs: dict[str, Data], given: calls.Given | None = None) -> Data:
        return calls.call(self, function, args, kwargs, given)

    def get(self, owner: Data, name: str, default: Data = ...) -> Data:
        return attributes.get(self, owner, name, default)

    def set(self, owner: Data, name: str, value: Data) -> None:
        attributes.assign(self, owner, name, value)

    def item(self, owner: Data, index: Data) -> Data:
        return items.item(self, owner, index)

    def truth(self, value: Data, test: ast.expr | None = None) -> bool:
        return conditions.truth(self, value, test)

    def iterate(self, value: Data) -> list[Data]:
        return iteration.iterate(self, value)

    def module(self, dotted: str) -> ModuleValue | None:
        return names.module(self, dotted)

    def complete(self, value: Data, key: Data = None) -> bool:
        return registries.complete(self, value, key)

    def new_mapping(self, found: dict[Data, Data]) -> dict[Data, Data]:
        return registries.made(self, found)

    # ---- places

    def frame_receiver(self) -> Data:
        """The instance whose method runs."""
        return self.frames[-1].receiver if self.frames else None

    def keyword_span(self, name: str) -> Span | None:
        """Where the call that is running writes the keyword `name`."""
        node = self.frames[-1].call if self.frames else None
        for keyword in node.keywords if node is not None else ():
            if keyword.arg == name:
                return self.at(keyword)
        return self.here()

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def at(self, node: ast.AST) -> Span:
        """The place of `node` in the file that is being evaluated."""
        if self.frame.fixed:  # what is spelled has no lines of its own
            return Span(self.frame.file.shown, self.frame.line, self.frame.column)
        line: int = getattr(node, "lineno", self.frame.line)
        column: int = getattr(node, "col_offset", 0)
        end_line: int = getattr(node, "end_lineno", 0) or 0
        end_column: int = getattr(node, "end_col_offset", 0) or 0
        return Span(self.frame.file.shown, line, column + 1, end_line, end_column + 1 if end_column else 0)

    def here(self) -> Span | None:
        """The place that evaluation has reached."""
        if not self.frames:
            return None
        frame = self.frames[-1]
        place = (frame.file.shown, frame.line, frame.column)
        span = self.spans.get(place)
        if span is None:
            span = self.spans[place] = Span(*place)
        return span

    def caller(self, function: str = "", place: str = "") -> Caller | None:
        """The call that is being made, and those around it."""
        here = self.here()
        return None if here is None or not self.frame.function else Caller(here, self.frame.caller, function, place)

    @contextmanager
    def within(self, rounds: Open | None) -> Iterator[None]:
        """What is built and recorded within stands in a loop of which the number of rounds is not known."""
        if rounds is None:
            yield
            return
        self.open_rounds.append(rounds)
        try:
            yield
        finally:
            self.open_rounds.pop()

    @contextmanager
    def standing(self, span: Span | None) -> Iterator[None]:
        """Ops recorded within stand at `span`, if any: what a container runs is decided where it is built."""
        before, self.stands = self.stands, span
        try:
            yield
        finally:
            self.stands = before

    def trail(self) -> tuple[Step, ...]:
        """The functions that are running, outermost first, each with the line that it has reached."""
        return tuple(
            Step(frame.function, Span(frame.file.shown, frame.line, frame.column))
            for frame in self.frames
            if frame.function
        )

    def step(self, cost: int = 1) -> None:
        """Count work.

        Raises:
            OutOfFuel: the limit is reached.
        """
        self.steps += cost
        if self.steps > self.limits.steps:
            raise OutOfFuel(f"evaluation was stopped after {self.limits.steps:,} steps")

    @property
    def own_steps(self) -> int:
        """Work besides that on what is evaluated once, which may have been done before."""
        return self.steps - self.charged_steps

    # ---- what is not known

    def open(self, why: str, *, flag: str = "", metadata: bool = False) -> Open:
        """A value that could not be found out here."""
        return Open(why, self.here(), flag, metadata)

    def not_known(self, value: Data, why: str, *, metadata: bool = False) -> Open:
        """What follows from `value`: itself where it is open, else open for the reason `why`."""
        return value if isinstance(value, Open) else self.open(why, metadata=metadata)

    def assume(self, what: str) -> None:
        """Note something that is taken for granted."""
        self.notes.assumptions.setdefault(what, self.here())

    def unknown(self, what: str, why: str) -> None:
        """Note something that could not be read."""
        self.notes.unknowns.setdefault((what, why), self.here())

    # ---- recording

    def emit(
        self, kind: str, reads: Iterable[Tensor | Tensors], attributes: Mapping[str, Data] | None = None
    ) -> Tensor:
        """Record one op and give its tensor."""
        return Tensor(Value(self.emit_path(kind, reads, attributes)))

    def emit_path(
        self,
        kind: str,
        reads: Iterable[Tensor | Tensors],
        attributes: Mapping[str, Data] | None = None,
        arguments: Mapping[str, Data] | None = None,
    ) -> str:
        """Record one op and give its path; `arguments` are those of the call, which tell more of shapes."""
        attributes, reads = attributes or {}, list(reads)
        path = self.recorder.emit(
            kind,
            reads,
            self._laid_out(reads, attributes) if self.sizes is not None and kind in LAID_OUT else attributes,
            place=self.frames[-1].place if self.frames else "",
            span=self.stands or self.here(),
            because=self.control.flat() if self.control else (),
        )
        if self.sizes is not None:
            self.sizes.note(path, kind, reads, attributes, arguments)
        if kind in REDUCTIONS and arguments is not None:
            stays = arguments.get("keepdim", arguments.get("keepdims"))
            if stays is None or isinstance(stays, bool):
                self.recorder.kept[path] = bool(stays)
        caller = self.caller() if self.stands else self.frames[-1].caller if self.frames else None
        if caller is not None:
            self.recorder.called[origin(path)] = caller
        if self.open_rounds:
            self.recorder.rounds[path] = self.open_rounds[-1].as_unknown()
        return path

    def emit_source(self, kind: str, attributes: Mapping[str, Data], *, place: str = "", span: Span | None) -> Tensor:
        """Record an input or a weight, which stands where it comes from and not where code is."""
        path = self.recorder.emit(kind, (), attributes, place=place, span=span)
        if self.sizes is not None:
            self.sizes.note(path, kind, (), attributes)
        return Tensor(Value(path))

    def _laid_out(self, reads: list[Tensor | Tensors], attributes: Mapping[str, Data]) -> Mapping[str, Data]:
        """The attributes of an op that lays a tensor out in other sizes."""
        asked, tensor = attributes.get("shape"), reads[0] if reads else None
        if not isinstance(asked, (tuple, list)) or not isinstance(tensor, Tensor) or attributes.get("form"):
            return attributes
        own = sizes.known(self, tensor)
        return attributes if own is None else {**attributes, "shape": sizes.laid_out(self, tensor, own, asked)}

    def opaque(self, name: str, reads: Iterable[Tensor | Tensors], why: str) -> Tensor:
        """Record an op that could not be read, and give its tensor."""
        self.unknown(name, why)
        return self.emit("opaque", reads, {"name": name, "why": why})

    # ---- settings

    def touch(self, settings: tuple[Setting, ...]) -> None:
        """Note that the value of the expression being evaluated depends on `settings`."""
        self.touched.extend(settings)

    def decide(self, settings: tuple[Setting, ...]) -> None:
        """From here on, control depends on `settings`; whoever calls this puts `control` back."""
        for setting in settings:
            self.notes.consulted.setdefault(setting.name, setting)
        self.control = Control(settings, self.control)

    def since(self, mark: int) -> tuple[Setting, ...]:
        """The settings read since `touched` had `mark` entries, each once; they are taken off."""
        if len(self.touched) == mark:
            return ()
        last = self.touched[mark:]
        found = tuple({id(setting): setting for setting in last}.values()) if len(last) > 1 else tuple(last)
        del self.touched[mark:]
        return found


def place_of(module: Instance | Layer) -> str:
    """The place of `module` in the module tree: "layers.0.attention"."""
    parts: list[str] = []
    at: Instance | Layer = module
    while at.owner is not None and len(parts) < 64:
        at, name = at.owner
        parts.append(name)
    return ".".join(reversed(parts))


def span_of(file: SourceFile, node: ast.expr | ast.stmt | ast.arg) -> Span:
    """The place of `node`, which stands in `file`."""
    return Span(file.shown, node.lineno, node.col_offset + 1, node.end_lineno or 0, (node.end_col_offset or 0) + 1)


def flatten_tensors(value: Data) -> Iterator[Tensor | Tensors]:
    """The tensors in `value`, in order, through lists, tuples, dicts and slices."""
    stack = [value]
    met = 0
    while stack:
        item = stack.pop()
        met += 1
        if met > bounds.MOST_PARTS and bounds.has_many_parts(value):
            raise OutOfFuel(f"a value of more than {bounds.MOST_PARTS:,} parts is not followed")
        if isinstance(item, Tensors) and item.count:
            yield from (Tensor(Value(item.op, at)) for at in range(item.count))
        elif isinstance(item, (Tensor, Tensors)):
            yield item
        elif isinstance(item, (list, tuple)):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            stack.extend(reversed(list(item.values())))
        elif isinstance(item, slice):
            stack.extend((item.step, item.stop, item.start))


__all__ = [
    "Decision",
    "Frame",
    "Limits",
    "Machine",
    "Notes",
    "OutOfFuel",
    "Raised",
    "flatten_tensors",
    "place_of",
    "span_of",
]

from archcheck.frontends.static import (  # noqa: E402
    attributes,
    calls,
    conditions,
    expressions,
    items,
    iteration,
    names,
    registries,
    statements,
)
