"""Where the command starts: answers `--version` at once, and turns every end into an exit code."""

from __future__ import annotations

import gc
import os
import sys

from archcheck import __version__

HOLDS, VIOLATED, FAILED, NOTHING_JUDGED = 0, 1, 2, 3
# Reading makes many small objects that live to the end; looking through them for garbage took a third of the time.
COLLECTED_AT = 100_000, 50, 50


def main() -> None:
    """Run the command line; never returns."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        # Before anything else is imported: scripts ask for the version often, and the command line is slow to build.
        print(f"archcheck {__version__}")
        sys.exit(HOLDS)
    gc.set_threshold(*COLLECTED_AT)
    status = run(arguments)
    gc.freeze()  # all memory goes back at once: nothing is gained by looking through it a last time
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """The exit code of the command line `arguments`."""
    import click

    from archcheck.cli.app import app
    from archcheck.errors import ArchcheckError

    try:
        result = app.main(args=arguments, prog_name="archcheck", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return FAILED
    except click.Abort:
        click.echo("stopped", err=True)
        return FAILED
    except ArchcheckError as error:
        click.echo(click.style("error: ", fg="red", bold=True) + str(error), err=True, color=colours(sys.stderr))
        return FAILED
    except BrokenPipeError:  # before there was a verdict: nobody may take the end for one
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("archcheck failed; this is a mistake of archcheck, not of the model or the spec", err=True)
        return FAILED
    return result if isinstance(result, int) else HOLDS


def colours(stream: object) -> bool:
    """Whether to write colours to `stream`, by NO_COLOR, FORCE_COLOR and whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return bool(getattr(stream, "isatty", lambda: False)())
