"""What the tests of specs share."""

from __future__ import annotations

from textwrap import dedent, indent

from archcheck.errors import SpecError
from archcheck.ir.text import dump
from archcheck.spec import to_graph
from archcheck.spec.build import read
from archcheck.spec.model import Spec

HEAD = """\
archcheck: 1
id: made2020
title: Made for a test
terms: {norm: layer_norm, mlp: feed_forward, disentangle: function, act: "gelu(approximate=tanh)"}
sizes: {N: 8, M: null, d_model: 64, heads: 4, d_k: d_model/heads, alpha: (2*N)**0.25, gamma: (2*M)**0.25}
"""


def spec(text: str) -> Spec:
    """The spec that `text` holds, read as a file of that content."""
    return read(dedent(text).encode(), "made.yaml")


def with_flow(flow: str, *, more: str = "") -> Spec:
    """A spec whose block `b` has this flow."""
    block = f"  b:\n    where: Section 1\n    flow: |\n{indent(dedent(flow).strip(), '      ')}\n"
    return read((HEAD + "blocks:\n" + block + more).encode(), "made.yaml")


def with_order(order: str) -> Spec:
    """A spec whose block `b` has this order."""
    return read((HEAD + f"blocks:\n  b: {{where: Section 1, order: {order}}}\n").encode(), "made.yaml")


def ops(made: Spec, block: str = "b", **sizes: int) -> str:
    """The graph of a block as text, without places and origin."""
    lines = dump(to_graph(made, block, sizes or None), places=False).splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


def shown(text: str) -> str:
    """Expected lines, as `ops` gives them."""
    return dedent(text).strip()


def places(text: str | bytes) -> list[str]:
    """`line:column problem` of every mistake in a spec; fails if there is none."""
    data = text if isinstance(text, bytes) else dedent(text).encode()
    try:
        read(data, "made.yaml")
    except SpecError as error:
        return [f"{problem.place.removeprefix('made.yaml:')} {problem.problem}" for problem in error.problems]
    raise AssertionError("the spec was read without a mistake")


def marked(text: str) -> list[str]:
    """`marked text: problem` of every mistake in a spec: what the caret marks, and what is said about it."""
    try:
        read(text.encode(), "made.yaml")
    except SpecError as error:
        found = []
        for problem in error.problems:
            row, carets = problem.excerpt.splitlines()
            start = carets.index("^")
            found.append(f"{row[start : start + carets.count('^')]}: {problem.problem}")
        return found
    raise AssertionError("the spec was read without a mistake")


def message(text: str | bytes) -> str:
    """The whole message that a broken spec ends in."""
    data = text if isinstance(text, bytes) else dedent(text).encode()
    try:
        read(data, "made.yaml")
    except SpecError as error:
        return error.render()
    raise AssertionError("the spec was read without a mistake")
