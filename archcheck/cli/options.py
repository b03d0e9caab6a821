"""Options that several commands take, and what they mean."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archcheck.cli.entry import colours
from archcheck.errors import ArchcheckError
from archcheck.judging import Preset
from archcheck.sweep import Progress, Request

if TYPE_CHECKING:
    from archcheck.store import Store

Command = Callable[..., Any]


def option(*flags: str, **words: Any) -> Any:
    """A field of a group of options, and how it is typed: as in `click.option`, but for its name, the field's own."""
    return field(metadata={"flags": flags, "words": words})


def bundled(group: type[Any], name: str) -> Callable[[Command], Command]:
    """A decorator that gives a command the options of `group`; the command takes them as one object called `name`.

    Args:
        group: a dataclass whose fields are options.
        name: of the command's keyword.
    """
    options = fields(group)

    def decorate(function: Command) -> Command:
        @wraps(function)
        def command(**given: Any) -> Any:
            own = {one.name: given.pop(one.name) for one in options}
            return function(**given, **{name: group(**own)})

        for one in reversed(options):
            click.option(one.name, *one.metadata["flags"], **one.metadata["words"])(command)
        return command

    return decorate


@dataclass(frozen=True)
class Reading:
    """How the target is read."""

    arguments: tuple[str, ...] = option(
        "--arg", multiple=True, metavar="NAME=EXPR",
        help="A constructor or call argument, a Python expression in the module's own words. Repeatable.",
    )  # fmt: skip
    gin: tuple[str, ...] = option(
        "--gin", multiple=True, metavar="FILE",
        help="A gin file that binds parameters of the target's functions and classes; it is read as data. Repeatable: "
        "the last binding counts. A file inside of the target's package is found too.",
    )  # fmt: skip
    mode: str = option(
        "--mode", type=click.Choice(["train", "eval"]), default="train", show_default=True,
        help="Train mode has dropout, eval mode has not.",
    )  # fmt: skip


@dataclass(frozen=True)
class Tracing:
    """Whether the target is run, and how."""

    trace: bool = option(
        "--trace", is_flag=True,
        help="Run the target's code in a sandbox and record what it computes, instead of reading it.",
    )  # fmt: skip
    prove: bool = option(
        "--prove", is_flag=True,
        help="Evaluate recognised formulas (norms, activations, rotary positions, attention) on random numbers, "
        "against the textbook's.",
    )  # fmt: skip
    both: bool = option("--both", is_flag=True, help="Read it and run it, and hold the two against each other.")
    interpreter: str = option(
        "--python", default="", metavar="PATH",
        help="The Python of the environment that holds torch and what the model needs; by default this one.",
    )  # fmt: skip
    inputs: tuple[str, ...] = option(
        "--input", multiple=True, metavar="NAME=SHAPE",
        help="An argument of the call that is run: 2x7x64, 2x7:int64, or a number, text or list. Repeatable.",
    )  # fmt: skip
    isolation: int = option(
        "--require-isolation", type=click.IntRange(0, 3), is_flag=False, flag_value=3, default=0, show_default=True,
        help="Refuse to run with less: 1 process, 2 and landlock, 3 and namespaces (without a number).",
    )  # fmt: skip
    timeout: float = option(
        "--timeout", type=click.FloatRange(min=1), default=120.0, show_default=True, metavar="SECONDS",
        help="How long the code may run.",
    )  # fmt: skip


@dataclass(frozen=True)
class Beside:
    """What is said beside the spec."""

    preset: str = option("--preset", default="", metavar="NAME", help="Which of the spec's presets the sizes are.")
    sizes: tuple[str, ...] = option(
        "--size", multiple=True, metavar="NAME=NUMBER", help="A size of the spec. Repeatable."
    )
    pinned: tuple[str, ...] = option(
        "--bind", multiple=True, metavar="BLOCK=CLASS",
        help="Which class, function or module a block of the spec is. Repeatable.",
    )  # fmt: skip


reading_options = bundled(Reading, "reading")
tracing_options = bundled(Tracing, "tracing")
spec_options = bundled(Beside, "beside")


jobs_option = click.option(
    "--jobs", "-j", type=click.IntRange(min=0), default=0, metavar="N",
    help="Processes that read the classes of a file; by default one for each core.",
)  # fmt: skip


cache_option = click.option(
    "--cache/--no-cache", default=True,
    help="Keep what was read of files and folders, and use it while nothing that it depends on has changed.",
)  # fmt: skip


def store(cache: bool) -> Store | None:
    """Where results are kept between runs, if they shall be."""
    from archcheck.frontends.releases import default_cache_dir
    from archcheck.store import Store

    return Store(default_cache_dir()) if cache else None


def pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    """`NAME=VALUE` options as a dict.

    Raises:
        ArchcheckError: one has no `=`, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            hint = f"write it as in {option} {name or 'NAME'}=VALUE"
            raise ArchcheckError(f"{option} {text}: no NAME=VALUE", hint=hint)
        if name.strip() in found:
            raise ArchcheckError(f"{option} {name.strip()} is given twice")
        found[name.strip()] = value
    return found


def request_of(target: str, reading: Reading, beside: Beside | None = None, tracing: Tracing | None = None) -> Request:
    """What is asked about a target.

    Raises:
        ArchcheckError: a size is no number, a NAME=VALUE is none, or options say how to run what is not to be run.
    """
    preset = Preset() if beside is None else _preset_of(beside)
    request = Request(
        target, pairs(reading.arguments, "--arg"), reading.mode == "train", preset=preset, gin=reading.gin
    )
    return request if tracing is None else _traced(request, tracing)


def _preset_of(beside: Beside) -> Preset:
    numbers: dict[str, int | float] = {}
    for name, text in pairs(beside.sizes, "--size").items():
        try:
            numbers[name] = int(text) if text.strip().lstrip("-").isdigit() else float(text)
        except ValueError:
            raise ArchcheckError(f"--size {name}={text}: not a number") from None
    return Preset(beside.preset, numbers, pairs(beside.pinned, "--bind"))


def _traced(request: Request, tracing: Tracing) -> Request:
    """`request` with how the target is run, where that is asked for."""
    request = replace(request, prove=tracing.prove)
    if not (tracing.trace or tracing.both):
        if tracing.interpreter or tracing.inputs or tracing.isolation:
            raise ArchcheckError("nothing is run without --trace or --both", hint="reading is the default, and is safe")
        return request
    if request.gin:
        raise ArchcheckError("--gin is for reading", hint="code that is run binds its parameters itself")
    from archcheck.frontends.trace.sandbox import Limits
    from archcheck.frontends.trace.tracer import Running

    running = Running(
        python=Path(tracing.interpreter or sys.executable),
        inputs=pairs(tracing.inputs, "--input"),
        isolation=tracing.isolation,
        limits=Limits(wall=tracing.timeout, cpu=math.ceil(tracing.timeout)),
    )
    return replace(request, running=running, both=tracing.both)


def progress() -> Progress:
    """Shows what is going on, on one line of a terminal; nothing where nobody watches."""
    if not sys.stderr.isatty():
        return lambda message: None

    def show(message: str) -> None:
        click.echo(f"\r\033[K{message[:78]}", err=True, nl=False)

    return show


def clear_progress() -> None:
    """Take the line of `progress` off the terminal."""
    if sys.stderr.isatty():
        click.echo("\r\033[K", err=True, nl=False)


def write(text: str | bytes, path: str | None) -> None:
    """Write to a file, or to standard output.

    Raises:
        ArchcheckError: the file cannot be written.
    """
    if path is None or path == "-":
        try:
            if isinstance(text, bytes):
                sys.stdout.buffer.write(text)
                sys.stdout.buffer.flush()
            else:
                click.echo(text, nl=False, color=colours(sys.stdout))
        except BrokenPipeError:
            # Nobody reads on (`| head`): the verdict stands, and so does the exit code that tells it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    try:
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        Path(path).write_bytes(data)
    except OSError as error:
        raise ArchcheckError(f"cannot write {path}: {error.strerror}") from None
