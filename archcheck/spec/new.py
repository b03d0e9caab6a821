"""A spec to start from: empty and commented, or written down from the canonical graphs of code."""

from __future__ import annotations

import json
from collections.abc import Mapping

from archcheck.ir.graph import Op, OpGraph
from archcheck.spec.equations import flow_of
from archcheck.spec.schema import MODELINE

__all__ = ["flow_of", "starter"]


def starter(key: str, *, title: str = "", graphs: Mapping[str, OpGraph] | None = None) -> str:
    """The text of a spec file for citation key `key`.

    Args:
        key: such as `vaswani2017`.
        title: of the paper.
        graphs: name of a block -> its graph, whose flow is written down; without any, one example block.

    Raises:
        GraphError: a graph cannot be written as equations.
    """
    blocks = [_block(name, graph) for name, graph in (graphs or {}).items()] or [_EXAMPLE]
    return (
        _HEAD.format(modeline=MODELINE, key=key, title=json.dumps(title or key, ensure_ascii=False))
        + "".join(blocks)
        + _TAIL
    )


_HEAD = """\
{modeline}
archcheck: 1
id: {key}
title: {title}
# paper: {{arxiv: "0000.00000", year: 2017, version: v1}}

# What the paper's words mean. `archcheck ops` lists the kinds; `function` is a part not looked into.
terms:
  norm: layer_norm
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


def _block(name: str, graph: OpGraph) -> str:
    """The entries of one block. If it is one `repeat`, the block is a round of it and `repeat:` says how often."""
    lines = [f"  {name}:", "    where: TODO  # where the paper says it"]
    body = [op for op in graph.ops if op.kind.name != "input"]
    if len(body) == 1 and body[0].kind.name == "repeat":
        repeat, graph = body[0], _inside(body[0], graph)
        count = repeat.attr("count")
        if isinstance(count, int):
            lines.append(f"    repeat: {count}")
    lines += ["    flow: |", *(f"      {line}" for line in flow_of(graph).splitlines())]
    return "\n".join(lines) + "\n"


def _inside(repeat: Op, graph: OpGraph) -> OpGraph:
    """The graph of one round of `repeat`."""
    inputs = tuple(op for op in graph.ops if op.kind.name == "input")
    return OpGraph((*inputs, *repeat.body), repeat.results, graph.origin)
