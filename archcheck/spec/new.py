"""A spec to start from: empty and commented, or stating what code does or a diagram shows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from archcheck.errors import ArchcheckError
from archcheck.ir.graph import OpGraph
from archcheck.ir.ops import BY_NAME
from archcheck.spec.equations import flow_of
from archcheck.spec.plain import Plain, unrolled
from archcheck.spec.schema import MODELINE

__all__ = ["Stated", "exactly", "flow_of", "starter"]


@dataclass(frozen=True, slots=True)
class Stated:
    """What a block of a new spec states; `notes` are comments above its flow."""

    flow: str
    repeat: int | None = None
    widths: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, plain: Plain, repeat: int | None = None) -> Stated:
        """What `plain` says, of a block that stands so often in a row."""
        return cls(plain.flow, repeat, plain.widths)


def exactly(graph: OpGraph, repeat: int | None = None) -> Stated:
    """What `graph` does, with every attribute that code tells. If it is one `repeat`, a round of it is stated.

    Raises:
        GraphError: it cannot be written as equations.
    """
    body = [op for op in graph.ops if op.kind.name != "input"]
    if len(body) == 1 and body[0].kind.name == "repeat":
        inputs = tuple(op for op in graph.ops if op.kind.name == "input")
        count = body[0].attr("count")
        repeat = count if isinstance(count, int) else repeat
        graph = OpGraph((*inputs, *body[0].body), body[0].results, graph.origin)
    return Stated(flow_of(unrolled(graph)), repeat)


def from_diagram(path: Path, key: str, title: str = "") -> tuple[str, tuple[ArchcheckError, ...]]:
    """The text of a spec whose one block states what a DOT file draws, and what is said about words that are no ops.

    Raises:
        SpecError: the diagram has mistakes.
        ArchcheckError: it cannot be read.
    """
    from archcheck.spec.diagram import drawn
    from archcheck.spec.dot import MAX_BYTES, parse

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ArchcheckError(f"the diagram cannot be read: {error.strerror}", place=str(path)) from None
    found = drawn(parse(data, path.as_posix()))
    ignored = dict.fromkeys(found.ignored)
    notes = (f"of the diagram: {'; '.join(list(ignored)[:8])}",) if ignored else ()
    name = "_".join(re.findall(r"\w+", path.stem.lower())) or "figure"
    name = name if name[0].isalpha() and name not in BY_NAME else f"figure_{name}"
    flow = flow_of(worded(found.graph))
    block = Stated(flow, found.repeat, notes=notes)
    terms = dict.fromkeys(found.terms, "function")
    return starter(key, title=title, blocks={name: block}, terms=terms), found.misses


def worded(graph: OpGraph) -> OpGraph:
    """`graph` with its words as they are called: `rotate(x)` rather than `function(x, name="rotate")`."""
    ops = tuple(
        replace(op, kind=replace(op.kind, name=str(op.attr("name"))), attrs=()) if op.kind.name == "function" else op
        for op in graph.ops
    )
    return replace(graph, ops=ops)


def starter(
    key: str, *, title: str = "", blocks: Mapping[str, Stated] | None = None, terms: Mapping[str, str] | None = None
) -> str:
    """The text of a spec file for citation key `key`.

    Args:
        key: such as `vaswani2017`.
        title: of the paper.
        blocks: name of a block -> what it states; without any, one example block.
        terms: the paper's words that the blocks use, and what they mean.
    """
    words = terms if blocks else {"norm": "layer_norm"}
    head = _HEAD.format(
        modeline=MODELINE,
        key=key,
        title=json.dumps(title or key, ensure_ascii=False),
        terms="".join(f"\n  {word}: {meaning}" for word, meaning in (words or {}).items()),
        commented="" if words else "# ",
    )
    found = "\n".join(_block(name, stated) for name, stated in (blocks or {}).items()) or _EXAMPLE
    return head + found + _TAIL


_HEAD = """\
{modeline}
archcheck: 1
id: {key}
title: {title}
# paper: {{arxiv: "0000.00000", year: 2017, version: v1}}

# What the paper's words mean. `archcheck ops` lists the kinds; `function` is a part not looked into.
{commented}terms:{terms}
  # mlp: feed_forward

# Numbers, formulas over others, or nothing where the paper leaves them open.
# sizes: {{d_model: 512, d_ff: 4*d_model, heads: 8}}

blocks:
"""

_EXAMPLE = """\
  encoder_layer:
    where: Figure 1; Section 3  # where the paper says it
    # quote: its own words, exactly and briefly
    flow: |
      x = norm(x + self_attention(x))
      x = norm(x + feed_forward(x))
    # or, instead of flow, as sublayer signatures:
    # order: {self_attention: F a n, feed_forward: F a n}
    # repeat: 6
"""

_TAIL = """
# Statements beyond wiring, each in one of these forms:
# claims:
#   - {id: final-norm, where: Section 3, present: norm after encoder_layer}
#   - {id: no-dropout, where: Section 3, absent: dropout in encoder_layer}
#   - {id: norms, where: Figure 1, count: {norm in encoder_layer: 2}}
#   - {id: head, where: Section 4, path: "pool(mode=mean) -> linear -> output", only: true}
#   - {id: tied, where: Section 3, same_weights: [embedding, output]}
#   - {id: heads, where: Section 3, attributes: {self_attention: {heads: 8}}}
#   - {id: zero-init, where: Section 5, init: {of: residual.last_norm, weight: 0}}
#   - {id: scaled-init, where: Section 5, init: {of: attention.output, std: 0.02 / (2*6)**0.5}}

# What the paper states and no graph can show:
# not_checked: [the learning-rate schedule]
"""


def _block(name: str, stated: Stated) -> str:
    """The entries of one block."""
    lines = [f"  {name}:", *(f"    # {note}" for note in stated.notes), "    where: TODO  # where the paper says it"]
    rows = stated.flow.splitlines()
    if len(rows) == 1 and "=" not in rows[0]:
        lines.append(f"    flow: {rows[0]}")
    else:
        lines += ["    flow: |", *(f"      {row}" for row in rows)]
    if stated.widths:
        lines.append(f"    widths: {{{', '.join(f'{width}: {value}' for width, value in stated.widths)}}}")
    if stated.repeat is not None:
        lines.append(f"    repeat: {stated.repeat}")
    return "\n".join(lines) + "\n"
