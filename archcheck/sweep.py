"""The classes of a file or folder: those that hold a layer are read, on all cores, and kept between runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from archcheck import workers
from archcheck.describe.regions import layers
from archcheck.errors import NoModelError, TargetError
from archcheck.findings import Undetermined
from archcheck.frontends.static.footprint import Question
from archcheck.frontends.static.library import SourceFile
from archcheck.frontends.static.reader import Reading, Variant, read
from archcheck.frontends.targets import Program, Target
from archcheck.ir.graph import OpGraph, Value
from archcheck.ir.span import Span
from archcheck.ir.weights import Initial
from archcheck.judging import Preset, Subject
from archcheck.passes import as_described, canonicalise
from archcheck.passes.name_parts import name_parts
from archcheck.passes.open_counts import leave_open
from archcheck.store import Store

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from archcheck.frontends.static.sizes import Sample
    from archcheck.frontends.trace.tracer import Running, Trace

MISTAKE = "archcheck failed on it"
KEPT_FOLDERS = 2  # for which a module that nobody asks for any more stays parsed

Progress = Callable[[str], None]
Result = TypeVar("Result")
Form = TypeVar("Form")


def silent(message: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Request:
    """What a user asks about a target.

    Args:
        target: as typed.
        arguments: parameter -> Python expression in the module's own words.
        training: train mode, in which dropout is active; eval mode otherwise.
        explore: also read the other side of flags.
        gin: files of gin that bind parameters of functions and classes, in order.
        given: optional arguments of the call that are given a tensor, and no others; None: what it needs.
        sample: the call against which what is read is held; None: its inputs may be any.
        running: how the code is run; None where it is read.
        prove: whether recognised formulas are evaluated on random numbers, against the textbook's.
        both: whether it is read and run, and the two are held against each other.
        preset: what is said beside the spec.
        parts: a paper's own word -> the class, the function, or the place in the module tree that it is.
        small: whether classes of a file count that hold no layer, as an equation may be about any.
    """

    target: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    training: bool = True
    explore: bool = True
    preset: Preset = field(default_factory=Preset)
    gin: tuple[str, ...] = ()
    given: frozenset[str] | None = None
    sample: Sample | None = None
    running: Running | None = None
    both: bool = False
    prove: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    small: bool = False


@dataclass(frozen=True)
class Read:
    """One symbol of a target, read or traced, and brought into canonical form."""

    target: Target
    symbol: str
    reading: Reading
    graphs: tuple[OpGraph, ...]  # canonical, one for each variant of the reading
    frontend: str = "static"  # "trace" where the code was run; another where a saved model was read
    isolation: str = ""  # what stood around the code while it ran
    shapes: Mapping[Value, tuple[int, ...]] = field(default_factory=dict)  # of values, where the code was run
    initial: Mapping[str, Initial] | None = None  # what learned tensors hold before training, where that was looked at

    @property
    def name(self) -> str:
        """How reports call it."""
        return self.target.name if self.target.symbol else f"{self.target.name}:{self.symbol}"

    @property
    def proofs(self) -> tuple[str, ...]:
        """What the recognised formulas of the default variant are, evaluated on random numbers."""
        from archcheck.proof import confirm, near_misses, summary

        graph = self.graphs[0]
        return summary((*confirm(graph, self.shapes), *near_misses(graph, self.shapes)))

    @property
    def described(self) -> tuple[OpGraph, ...]:
        """Its graphs with what the code writes and a setting leaves out."""
        pairs = zip(self.reading.variants, self.graphs, strict=True)
        return tuple(leave_open(as_described(variant.graph, graph), variant.rounds) for variant, graph in pairs)

    def subjects(self, parts: Mapping[str, str] | None = None) -> Iterator[Subject]:
        """Its variants, as they are judged; with `parts` under the paper's own words, where it binds some."""
        for variant, graph in zip(self.reading.variants, self.graphs, strict=True):
            yield Subject(
                graph,
                self.symbol,
                self.reading.span,
                variant.places,
                variant.when,
                variant.default,
                variant.error,
                variant.error_span,
                variant.weights,
                variant.rounds,
                self.initial,
                variant.reached,
                bool(self.target.symbol),
                variant.ranks,
                _named(variant, parts) if parts else None,
            )


def read_symbol(target: Target, module: str, symbol: str, request: Request, progress: Progress | None = None) -> Read:
    """One symbol of a target, read, or run where that is asked for.

    Raises:
        TargetError: there is no such symbol, or what it is given cannot be used.
        TraceError: it is to be run, and cannot be.
    """
    if target.program is not None:
        return read_program(target, target.program, request)
    if request.running is not None:
        return run_symbol(target, module, symbol, request, request.running, progress or silent)
    sample = request.sample
    if sample is not None:
        from archcheck.proof.content import content

        sample = replace(sample, evaluate=content)
    reading = read(
        target.library,
        module,
        symbol,
        request.arguments,
        training=request.training,
        explore=request.explore,
        given=request.given,
        sample=sample,
    )
    return Read(target, symbol, reading, tuple(canonical(variant) for variant in reading.variants))


def run_symbol(
    target: Target, module: str, symbol: str, request: Request, running: Running, progress: Progress
) -> Read:
    """One symbol of a target, run.

    Raises:
        TargetError: there is no such symbol.
        TraceError: it cannot be run.
    """
    from archcheck.frontends.trace.tracer import trace

    found = trace(target, module, symbol, request.arguments, running, training=request.training, progress=progress)
    return of_trace(target, symbol, found)


def read_program(target: Target, program: Program, request: Request) -> Read:
    """A saved model, read as a file.

    Raises:
        TargetError: it cannot be read, or is asked for something that it does not have.
    """
    for option, given in (
        ("--trace", request.running is not None),
        ("--arg", bool(request.arguments)),
        ("--gin", bool(request.gin)),
    ):
        if given:
            hint = "name the Python file that builds the model"
            raise TargetError(f"{option} is for code, and this is a saved program", place=target.ref.place, hint=hint)
    kind = program.kind
    found = kind.load(program.path, target.library, target.ref.place, target.ref.symbol, request.training)
    if found.training and not request.training:
        raise TargetError("the program was saved in train mode", place=target.ref.place, hint=kind.evaluated)
    graphs = tuple(canonical(variant) for variant in found.reading.variants)
    return Read(target, found.reading.symbol, found.reading, graphs, kind.frontend)


def of_trace(target: Target, symbol: str, found: Trace) -> Read:
    """What a trace found, in canonical form."""
    graphs = tuple(canonical(variant) for variant in found.reading.variants)
    return Read(target, symbol, found.reading, graphs, "trace", found.isolation, found.shapes, found.recording.initial)


def _named(variant: Variant, parts: Mapping[str, str]) -> OpGraph:
    """The graph of a variant with the modules that a paper has a word for as one op each."""
    places = {
        word: [place.path for place in variant.places if name in (place.symbol, place.path)] or [name]
        for word, name in parts.items()
    }
    return leave_open(canonicalise(name_parts(variant.graph, places, variant.reached)), variant.rounds)


def canonical(variant: Variant) -> OpGraph:
    return leave_open(canonicalise(variant.graph), variant.rounds)


def classes_of(target: Target) -> list[tuple[SourceFile, str]]:
    """The classes of a file or folder, with the files that define them."""
    return [(source, name) for source in target.files for name in _classes_in(target, source)]


def _classes_in(target: Target, source: SourceFile) -> list[str]:
    found = [entry.names[0] for entry in source.index.entries if entry.kind == "class"]
    if target.source is None:
        source.release()  # of a folder's thousands, only those are kept that are being read
    return found


def model_of(target: Target, source: SourceFile, name: str, request: Request) -> Read | Undetermined | None:
    """A class that holds a layer, or any that computes, why it could not be read, or None where it is no such class."""
    try:
        one = read_symbol(target, source.module, name, request)
    except NoModelError:
        return None
    except TargetError as error:  # a class that cannot be parsed must not pass for one that is not there
        return Undetermined(name, error.problem, Span(source.shown, source.index.names[name][-1].line))
    except Exception as error:  # one class must not end the reading of a thousand others, nor be passed over
        why = f"{MISTAKE} ({type(error).__name__}: {error}), which is a mistake of archcheck"
        return Undetermined(name, why, Span(source.shown, source.index.names[name][-1].line))
    variant, graph = one.reading.variants[0], one.graphs[0]
    if layers(graph, variant.places, name, one.reading.span) or (request.small and any(op.reads for op in graph.ops)):
        return one
    return Undetermined(name, variant.error, one.reading.span) if variant.error else None


@dataclass(frozen=True)
class Kept(Generic[Result]):
    """Results that are kept between runs, file by file, with the state of all sources on which they depended.

    Args:
        store: where.
        what: which results, of what settings.
        kind: their type.
    """

    store: Store
    what: str
    kind: type[Result]

    def all(self, target: Target) -> list[Result | Undetermined] | None:
        """What came of all classes of the target; None where that is not known, or something has changed."""
        record = self._get(self._key(target, target.ref.text), _All)
        if record is None or record.files != [str(source.path) for source in target.files]:
            return None
        return record.found if target.library.footprint.stands(record.evidence) else None

    def keep_all(self, target: Target, found: list[Result | Undetermined]) -> None:
        """Keep what came of all classes of the target."""
        footprint = target.library.footprint
        record: _All[Result] = _All([str(source.path) for source in target.files], footprint.evidence(), found)
        self._put(self._key(target, target.ref.text), record, target, found)

    def of(self, target: Target, source: SourceFile) -> list[Result | Undetermined] | None:
        """What came of the classes of a file; None where that is not known, or no longer."""
        record = self._get(self._key(target, str(source.path)), _Record)
        footprint = target.library.footprint
        if record is None or record.file != footprint.digest(source) or record.state != footprint.state(record.asked):
            return None
        return record.found

    def keep(
        self, target: Target, source: SourceFile, asked: set[Question], found: list[Result | Undetermined]
    ) -> None:
        """Keep what came of the classes of a file."""
        footprint = target.library.footprint
        record: _Record[Result] = _Record(footprint.digest(source), sorted(asked), footprint.state(asked), found)
        self._put(self._key(target, str(source.path)), record, target, found)

    def _get(self, key: str, form: type[Form]) -> Form | None:
        data = self.store.get(key)
        try:
            return None if data is None else self._form(form).validate_json(data)
        except ValueError:
            return None

    def _put(self, key: str, record: Any, target: Target, found: list[Result | Undetermined]) -> None:
        failed = any(isinstance(one, Undetermined) and one.why.startswith(MISTAKE) for one in found)
        if not target.library.footprint.changed and not failed:  # it may have been for want of memory
            self.store.put(key, self._form(type(record)).dump_json(record))

    def _form(self, form: Any) -> TypeAdapter[Any]:
        return _form(form, self.kind)  # type: ignore[arg-type]  # classes are hashable

    def _key(self, target: Target, what: str) -> str:
        gin = target.library.gin
        bound = "" if gin is None else gin.digest
        return "\0".join([self.what, what, bound, *(str(root.path) for root in target.library.roots)])


@dataclass
class _Record(Generic[Result]):
    """Of one file: asked again are the questions that the reading of its classes asked."""

    file: str  # digest
    asked: list[Question]
    state: str
    found: list[Result | Undetermined]


@dataclass
class _All(Generic[Result]):
    """Of a whole target: while nothing that was looked at has changed, nothing need be asked."""

    files: list[str]
    evidence: dict[str, str]
    found: list[Result | Undetermined]


@cache
def _form(form: Any, kind: type[Any]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(form[kind])


def over_classes(
    target: Target,
    request: Request,
    then: Callable[[Read], Result],
    progress: Progress,
    jobs: int,
    kept: Kept[Result] | None = None,
) -> list[Result | Undetermined]:
    """What `then` makes of each class of a file or folder that holds a layer, or why one could not be read, in the
    order in which they stand.

    Raises:
        TargetError: no class holds a layer.
    """
    if request.arguments:
        raise TargetError("--arg says what one class or function is given", hint="name it: FILE:Class")
    found = kept.all(target) if kept is not None else None
    if found is not None:
        _tell_known(target, len(target.files), progress)
    else:
        found = _file_by_file(target, request, then, progress, jobs, kept)
        if kept is not None:
            kept.keep_all(target, found)
    if all(isinstance(one, Undetermined) for one in found):
        for source in target.files:
            source.index.check()  # in a file that is no Python, that is what the user has to hear
        why = next((f"{one.what}: {one.why}" for one in found if isinstance(one, Undetermined)), "")
        raise _no_model(target, why, request)
    return found


def _file_by_file(
    target: Target,
    request: Request,
    then: Callable[[Read], Result],
    progress: Progress,
    jobs: int,
    kept: Kept[Result] | None,
) -> list[Result | Undetermined]:
    by_file: dict[SourceFile, list[Result | Undetermined]] = {}
    classes: list[tuple[SourceFile, str]] = []
    open_files: dict[SourceFile, _OpenFile[Result]] = {}
    for source in target.files:
        known = kept.of(target, source) if kept is not None else None
        by_file[source] = known or []
        if known is None:
            try:
                names = _classes_in(target, source)
            except TargetError as error:  # one file must not end the reading of a thousand others
                if target.source is not None:
                    raise
                names, by_file[source] = [], [Undetermined(source.shown, error.problem, Span(source.shown, 1))]
            classes += [(source, name) for name in names]
            if names:
                open_files[source] = _OpenFile(len(names))
            elif kept is not None:
                kept.keep(target, source, set(), by_file[source])
    _tell_known(target, len(target.files) - len(open_files), progress)
    work = _Work(target, replace(request, explore=False), then, classes)
    for done, (number, one) in enumerate(workers.as_done(work, range(len(classes)), jobs), 1):
        source, name = classes[number]
        progress(f"read {source.shown}:{name} ({done} of {len(classes)} classes)")
        target.library.footprint.learn(one.digests)
        file = open_files[source]
        file.take(number, one)
        if len(file.found) == file.classes:
            by_file[source] = file.in_order()
            if kept is not None:
                kept.keep(target, source, file.asked, by_file[source])
            del open_files[source]
    return [one for source in target.files for one in by_file[source]]


@dataclass
class _OpenFile(Generic[Result]):
    """A file of which some classes are still to be read."""

    classes: int
    found: dict[int, Result | Undetermined | None] = field(default_factory=dict)
    asked: set[Question] = field(default_factory=set)

    def take(self, number: int, one: _Done[Result]) -> None:
        self.found[number] = one.found
        self.asked |= one.asked

    def in_order(self) -> list[Result | Undetermined]:
        return [found for _, found in sorted(self.found.items(), key=lambda pair: pair[0]) if found is not None]


def _tell_known(target: Target, files: int, progress: Progress) -> None:
    if len(target.files) > 1 and files:
        progress(f"{files} of {len(target.files)} files were read before")


@dataclass(frozen=True)
class _Done(Generic[Result]):
    """What came of one class, and what that depended on."""

    found: Result | Undetermined | None
    asked: frozenset[Question]
    digests: dict[str, str]  # of files that were first read for it


class _Work(Generic[Result]):
    """Reads one class after the other, in whatever process."""

    def __init__(
        self, target: Target, request: Request, then: Callable[[Read], Result], classes: list[tuple[SourceFile, str]]
    ) -> None:
        self.target = target
        self.request = request
        self.then = then
        self.classes = classes
        self.folder: Path | None = None
        self.turn = 0  # of folders
        self.used: dict[str, int] = {}  # modules that were asked for -> the last turn
        self.told = 0  # of the digests in the footprint

    def __call__(self, number: int) -> _Done[Result]:
        source, name = self.classes[number]
        library = self.target.library
        if self.folder is not None and self.folder != source.path.parent:
            library.release(self.folder)
            self.turn += 1
            stale = [module for module, turn in self.used.items() if turn < self.turn - KEPT_FOLDERS]
            library.release_modules(stale)
            for module in stale:
                del self.used[module]
        self.folder = source.path.parent
        with library.footprint.of() as asked:
            one = model_of(self.target, source, name, self.request)
            found = self.then(one) if isinstance(one, Read) else one
        self.used.update((name, self.turn) for what, name in asked if what == "module")
        digests = dict(islice(library.footprint.digests.items(), self.told, None))
        self.told += len(digests)
        return _Done(found, frozenset(asked), digests)


def _no_model(target: Target, why: str, request: Request) -> TargetError:
    if why:
        return TargetError(f"no class of {target.name} that holds a layer could be read; {why}")
    what = "computes" if request.small else "computes with sublayers"
    return TargetError(f"{target.name} defines no class that {what}", hint="name one: FILE:Class")
