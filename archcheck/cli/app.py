"""The commands, each loaded when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from archcheck import __version__

COMMANDS = {
    "audit": ("archcheck.cli.audit", "Hold code against what a paper claims."),
    "bench": ("archcheck.cli.bench", "Judge a list of cases whose outcome is known, and say what was missed."),
    "describe": ("archcheck.cli.describe", "Say what code is: layers, signatures, norms, flags."),
    "diff": ("archcheck.cli.diff", "Compare two targets, or a target and a block of a spec."),
    "draw": ("archcheck.cli.draw", "Draw a graph, or a difference side by side."),
    "explain": ("archcheck.cli.explain", "Show a rule's page."),
    "ops": ("archcheck.cli.ops", "List the op vocabulary, the words of flows."),
    "spec": ("archcheck.cli.spec", "List, show, write and check specs."),
}


class Commands(click.Group):
    """A group whose commands are imported when they are called: starting up costs what one command needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f'; did you mean "{near[0]}"?' if near else f"; commands are {', '.join(COMMANDS)}"
            raise click.UsageError(f'there is no command "{args[0]}"{hint}', ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="archcheck", message="%(prog)s %(version)s")
def app() -> None:
    """Check whether a neural network's code computes what its paper claims.

    Code is read, never imported or run. Exit codes: 0 every claim holds, 1 one is violated, 2 the call, the spec or
    the target is wrong, 3 nothing could be judged.
    """
