"""`--trace`: the target is run in a sandbox; what it computed comes back as a reading, as from the static reader."""

from __future__ import annotations

import ast
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from archcheck.errors import ArchcheckError, TargetError, excerpt
from archcheck.frontends import dialects
from archcheck.frontends.static.reader import Reading, Unread, Variant
from archcheck.frontends.static.sizes import Sample
from archcheck.frontends.static.tree import ModulePlace
from archcheck.frontends.targets import Target
from archcheck.frontends.trace import wanted
from archcheck.frontends.trace.frameworks import TORCH, Framework, framework_of
from archcheck.frontends.trace.replay import Places, Replayed, replay
from archcheck.frontends.trace.sandbox import LATE, Job, Limits, TraceError, run
from archcheck.frontends.trace.wire import Failure, Recording, parse, parse_many
from archcheck.ir.graph import Value
from archcheck.ir.span import Span

ANSWERING = 1.0  # seconds before its end in which a process tells what it was doing


@dataclass(frozen=True)
class Running:
    """How code is run.

    Args:
        python: the interpreter of the environment that holds what the model needs; the running one by default.
        inputs: argument of the call -> shape, shape with dtype, or literal.
        given: optional arguments of the call that are given.
        isolation: the lowest rung of isolation that is accepted.
        limits: bounds on the traced process.
        initial: whether an instance with values is made too, to look at what learned tensors hold before training.
        cache: whether shapes of equal calls are kept; without it each call of torch is made.
    """

    python: Path = field(default_factory=lambda: Path(sys.executable))
    inputs: Mapping[str, str] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    isolation: int = 0
    limits: Limits = field(default_factory=Limits)
    initial: bool = False
    cache: bool = True


@dataclass(frozen=True)
class Trace:
    """What running a target showed."""

    reading: Reading
    shapes: Mapping[Value, tuple[int, ...]]
    isolation: str
    recording: Recording

    @property
    def made(self) -> Mapping[str, str]:
        """Constructor arguments that nobody gave -> the literals that they were taken to be."""
        return self.recording.made

    @property
    def sample(self) -> Sample:
        """What the call was given: shapes of tensors, and what those of whole numbers hold."""
        recording = self.recording
        dims = {name: recording.shapes[number] for name, number in recording.inputs}
        held = {name: recording.held[number] for name, number in recording.inputs if number in recording.held}
        return Sample(dims, held, recording.settings)


@dataclass(frozen=True)
class Wanted:
    """One of several symbols that are run, with the optional arguments that it is given."""

    target: Target
    module: str
    symbol: str
    given: frozenset[str] = frozenset()
    arguments: Mapping[str, str] = field(default_factory=dict)


def trace(
    target: Target,
    module: str,
    symbol: str,
    arguments: Mapping[str, str],
    running: Running,
    *,
    training: bool = True,
    progress: Callable[[str], None] = lambda message: None,
) -> Trace:
    """The op graph that really ran.

    Raises:
        TraceError: the code cannot be run, or does not come back.
        TargetError: it cannot be built.
    """
    framework = framework_of(target)
    request = {**tables(framework), **request_of(target, module, symbol, arguments, running, training)}
    wall = running.limits.wall
    request |= {"seconds": wall, "until": time.time() + max(wall - ANSWERING, wall / 2)}
    answer = run(_job(target, framework, request, running), progress)
    return _traced(target, symbol, parse(answer.data), answer.isolation, training)


def trace_many(
    targets: Sequence[Wanted],
    running: Running,
    *,
    seconds: float = 60.0,
    training: bool = True,
    progress: Callable[[str], None] = lambda message: None,
) -> list[Trace | ArchcheckError]:
    """Several symbols of one library, run in one process one after the other.

    Args:
        seconds: that each may take.

    Raises:
        TraceError: the process does not come back.
    """
    requests = [
        {
            **request_of(one.target, one.module, one.symbol, one.arguments, running, training),
            "given": sorted(one.given),
            "seconds": seconds,
        }
        for one in targets
    ]
    framework = framework_of(targets[0].target)
    answer = run(_job(targets[0].target, framework, {"common": tables(framework), "many": requests}, running), progress)
    found: list[Trace | ArchcheckError] = []
    for one, recording in zip(targets, parse_many(answer.data, len(targets)), strict=True):
        if isinstance(recording, ArchcheckError):
            found.append(recording)
            continue
        try:
            found.append(_traced(one.target, one.symbol, recording, answer.isolation, training))
        except TraceError as error:
            found.append(error)
    return found


def _job(target: Target, framework: Framework, request: Mapping[str, Any], running: Running) -> Job:
    readable = tuple(root.path for root in target.library.roots)
    return Job(
        running.python, framework.entry, json.dumps(request).encode(), readable, running.limits, running.isolation
    )


def _traced(target: Target, symbol: str, recording: Recording | Failure, isolation: str, training: bool) -> Trace:
    if isinstance(recording, Failure):
        raise _error(recording, target)
    assert target.source is not None
    replayed = replay(recording, target.library, target.source, training)
    return Trace(reading_of(recording, replayed, target, symbol), replayed.shapes, isolation, recording)


def _error(failure: Failure, target: Target) -> TraceError:
    """A failure, with the line of code that it comes from, or else with the name of the target."""
    hint = failure.hint
    if failure.stage in ("torch", "tensorflow", "jax"):
        hint = f"pip install 'nn-archcheck[{failure.stage}]', or name another interpreter with --python"
    if failure.stage == "time":
        hint = LATE
    places = Places(target.library)
    span = places.span(failure.at)
    if span is None or failure.at is None:
        return TraceError(failure.why, place=target.name, hint=hint)
    file = places.file(failure.at.file)
    line = "" if file is None else file.line(span.line)
    width = (span.end_column if span.end_line == span.line else len(line) + 1) - span.column
    shown = excerpt(line, span.line, span.column, width) if line else ""
    return TraceError(failure.why, place=str(span), excerpt=shown, hint=hint)


def request_of(
    target: Target, module: str, symbol: str, arguments: Mapping[str, str], running: Running, training: bool
) -> dict[str, Any]:
    """What the traced process is asked."""
    configs, factory = wanted.of(target, module, symbol)
    return {
        "version": 1,
        "roots": [str(root.path) for root in target.library.roots if not _is_installed(root.path)],
        "module": module,
        "symbol": symbol,
        "arguments": dict(arguments),
        "configs": configs,
        "factory": factory,
        "inputs": dict(running.inputs),
        "given": list(running.given),
        "training": training,
        "cache": running.cache,
        "initial": running.initial,
    }


def _is_installed(path: Path) -> bool:
    """Whether a folder belongs to an environment: which packages are installed is for the traced interpreter to say."""
    return path.name in ("site-packages", "dist-packages") or path == Path(sys.prefix)


@cache
def tables(framework: Framework = TORCH) -> dict[str, Any]:
    """What the dialects ask to be recorded whole: layers with their parameters, and functions."""
    layers: dict[str, Any] = {}
    functions: list[str] = []
    presets: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    silent: list[str] = []
    for dialect in dialects.DIALECTS:
        if dialect.name not in framework.dialects:
            continue
        for name, row in dialect.layers.items():
            usual = {one.name: one.default for one in (*row.init_parameters, *row.call_parameters)}
            layers[name] = [[one.name for one in row.init_parameters], {one: usual.get(one) for one in row.plain}]
        layers |= {name: [names, {}] for name, names in _spelled_layers(dialect)}
        presets |= dialect.presets
        defaults |= dialect.defaults
        silent += dialect.ties
        if dialect.name not in framework.whole:
            functions += [one for one in (*dialect.functions, *dialect.formulas) if one not in layers]
    return {
        "layers": layers, "functions": functions, "presets": presets, "defaults": defaults, "silent": silent,
        "packages": list(framework.packages),
    }  # fmt: skip


def _spelled_layers(dialect: dialects.Dialect) -> Iterator[tuple[str, list[str]]]:
    """Layers that a dialect spells as a function which gives a function, with their constructor's parameters.

    Those that are given layers, or code, are followed instead.
    """
    for name, formula in dialect.formulas.items():
        if isinstance(formula.tree.body, ast.Lambda) and name.rpartition(".")[2][:1].isupper():
            names = [one.arg for one in formula.tree.args.args]
            if not {"layer", "function"}.intersection(names):
                yield name, names


def reading_of(recording: Recording, replayed: Replayed, target: Target, symbol: str) -> Reading:
    """A recording in the form that the static reader gives."""
    places = Places(target.library)
    first: dict[int, str] = {}
    weights = tuple(
        sorted((one.name, first.setdefault(one.tensor, one.name)) for one in recording.weights if one.learned)
    )
    variant = Variant(
        when=(),
        default=True,
        graph=replayed.graph,
        unread=tuple(Unread(what, why, span) for (what, why), span in replayed.unread.items()),
        error=f"running it failed: {recording.error}" if recording.error else "",
        error_span=places.span(recording.error_at),
        places=tuple(_module_places(recording, places)),
        weights=weights,
    )
    noted = [recording.note] if recording.note else []
    for name, site, why in recording.caught if not recording.error else ():
        where = f" (at {places.span(site)})" if site is not None else ""
        noted.append(f"{name} raised {why}, which the code caught{where}")
    assumptions = tuple(dict.fromkeys((*replayed.assumptions, *noted)))
    given = frozenset(name.partition("[")[0] for name, _ in recording.inputs)
    return Reading(symbol, _symbol_span(target, symbol), (variant,), assumptions, (), given)


def _module_places(recording: Recording, places: Places) -> list[ModulePlace]:
    found: list[ModulePlace] = []
    for one in recording.modules:
        if dialects.is_class(f"{one.module}.{one.name}"):
            continue  # a library's layer or container: the reader reads none of its code
        file = places.file(one.file)
        name = one.name.rpartition(".")[2]
        entry = None if file is None else next(iter(file.index.names.get(name, ())), None)
        if file is not None and entry is not None and entry.kind == "class":
            found.append(ModulePlace(one.place, name, Span(file.shown, entry.parse().lineno, 1)))
    return sorted(found, key=lambda one: one.path)


def _symbol_span(target: Target, symbol: str) -> Span | None:
    if target.source is None:
        return None
    try:
        entries = target.source.index.names.get(symbol.partition(".")[0], ())
    except TargetError:
        return None
    return Span(target.source.shown, entries[-1].line, 1) if entries else None


__all__ = ["Running", "Trace", "TraceError", "Wanted", "trace", "trace_many"]
