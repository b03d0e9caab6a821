"""`archcheck explain RULE`: a rule's page."""

from __future__ import annotations

import click

from archcheck.cli import options
from archcheck.errors import ArchcheckError


@click.command("explain")
@click.argument("rule", required=False)
def command(rule: str | None) -> int:
    """Show the page of RULE: what it checks, why it matters, an example, what it cannot see.

    Without RULE, list them.
    """
    from difflib import get_close_matches

    from archcheck.rules import RULES
    from archcheck.rules.claims import PAGES
    from archcheck.rules.page import page

    pages = {one.id: one for one in (*map(page, RULES), *PAGES)}
    if rule is None:
        width = max(map(len, pages))
        options.write("".join(f"{one.id:<{width}}  {one.title}\n" for one in pages.values()), None)
        return 0
    if rule not in pages:
        near = get_close_matches(rule, pages, 1)
        hint = f'did you mean "{near[0]}"?' if near else "`archcheck explain` lists them all"
        raise ArchcheckError(f'there is no rule "{rule}"', hint=hint)
    options.write(pages[rule].text(), None)
    return 0
