"""Options that several commands take, and what they mean."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archcheck.cli.entry import colours
from archcheck.errors import ArchcheckError
from archcheck.judging import Preset
from archcheck.sweep import Progress, Request

if TYPE_CHECKING:
    from archcheck.store import Store

Function = TypeVar("Function", bound=Callable[..., Any])


def reading_options(function: Function) -> Function:
    """`--arg` and `--mode`: how the target is read."""
    decorators = (
        click.option(
            "--arg", "arguments", multiple=True, metavar="NAME=EXPR",
            help="A constructor or call argument, a Python expression in the module's own words. Repeatable.",
        ),
        click.option(
            "--mode", type=click.Choice(["train", "eval"]), default="train", show_default=True,
            help="Train mode has dropout, eval mode has not.",
        ),
    )  # fmt: skip
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def running_options(function: Function) -> Function:
    """`--trace` and what belongs to it: how the target is run."""
    decorators = (
        click.option(
            "--trace", is_flag=True,
            help="Run the target's code in a sandbox and record what it computes, instead of reading it.",
        ),
        click.option(
            "--prove", is_flag=True,
            help="Evaluate recognised formulas (norms, activations, rotary positions, attention) on random numbers, "
            "against the textbook's.",
        ),
        click.option("--both", is_flag=True, help="Read it and run it, and hold the two against each other."),
        click.option(
            "--python", "interpreter", default="", metavar="PATH",
            help="The Python of the environment that holds torch and what the model needs; by default this one.",
        ),
        click.option(
            "--input", "inputs", multiple=True, metavar="NAME=SHAPE",
            help="An argument of the call that is run: 2x7x64, 2x7:int64, or a number, text or list. Repeatable.",
        ),
        click.option(
            "--require-isolation", "isolation", type=click.IntRange(0, 3), default=0, show_default=True,
            help="Refuse to run with less: 1 process, 2 and landlock, 3 and namespaces.",
        ),
        click.option(
            "--timeout", type=click.FloatRange(min=1), default=120.0, show_default=True, metavar="SECONDS",
            help="How long the code may run.",
        ),
    )  # fmt: skip
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def spec_options(function: Function) -> Function:
    """`--preset`, `--size` and `--bind`: what is said beside the spec."""
    decorators = (
        click.option("--preset", default="", metavar="NAME", help="Which of the spec's presets the sizes are."),
        click.option("--size", "sizes", multiple=True, metavar="NAME=NUMBER", help="A size of the spec. Repeatable."),
        click.option(
            "--bind", "pinned", multiple=True, metavar="BLOCK=CLASS",
            help="Which class, function or module a block of the spec is. Repeatable.",
        ),
    )  # fmt: skip
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


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


def preset_of(preset: str, sizes: tuple[str, ...], pinned: tuple[str, ...]) -> Preset:
    """What a user says beside the spec.

    Raises:
        ArchcheckError: a size is no number.
    """
    numbers: dict[str, int | float] = {}
    for name, text in pairs(sizes, "--size").items():
        try:
            numbers[name] = int(text) if text.strip().lstrip("-").isdigit() else float(text)
        except ValueError:
            raise ArchcheckError(f"--size {name}={text}: not a number") from None
    return Preset(preset, numbers, pairs(pinned, "--bind"))


def request_of(target: str, arguments: tuple[str, ...], mode: str, preset: Preset | None = None) -> Request:
    """What is asked about a target."""
    return Request(target, pairs(arguments, "--arg"), mode == "train", True, preset or Preset())


def running_of(
    request: Request,
    trace: bool,
    prove: bool,
    both: bool,
    interpreter: str,
    inputs: tuple[str, ...],
    isolation: int,
    timeout: float,
) -> Request:
    """`request` with how the target is run, where that is asked for.

    Raises:
        ArchcheckError: options say how to run, and nothing is to be run.
    """
    request = replace(request, prove=prove)
    if not (trace or both):
        if interpreter or inputs or isolation:
            raise ArchcheckError("nothing is run without --trace or --both", hint="reading is the default, and is safe")
        return request
    from archcheck.frontends.trace.sandbox import Limits
    from archcheck.frontends.trace.tracer import Running

    running = Running(
        python=Path(interpreter or sys.executable),
        inputs=pairs(inputs, "--input"),
        isolation=isolation,
        limits=Limits(wall=timeout, cpu=math.ceil(timeout)),
    )
    return replace(request, running=running, both=both)


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
