"""`archcheck ops`: the op vocabulary."""

from __future__ import annotations

import click

from archcheck.cli import options


@click.command("ops")
@click.argument("name", required=False)
def command(name: str | None) -> int:
    """List the op kinds, which are the words of flows; with NAME, one of them with its attributes."""
    from archcheck.errors import ArchcheckError
    from archcheck.ir.ops import BY_NAME, KINDS

    if name is not None:
        kind = BY_NAME.get(name)
        if kind is None:
            raise ArchcheckError(f'no op is called "{name}"', hint="`archcheck ops` lists them all")
        lines = [f"{kind.name} ({kind.tier.value}{f', {kind.family}' if kind.family else ''}): {kind.doc}"]
        lines += [f"  {attr.name:<20} {attr.unit}" for attr in kind.attrs]
        if kind.cites:
            lines.append(f"  from {kind.cites}")
        options.write("\n".join(lines) + "\n", None)
        return 0
    width = max(len(kind.name) for kind in KINDS)
    options.write("".join(f"{kind.name:<{width}}  {kind.doc}\n" for kind in KINDS), None)
    return 0
