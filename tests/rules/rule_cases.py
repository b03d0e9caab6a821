"""Cases for rules, made from graphs in their readable form."""

from __future__ import annotations

import re

from archcheck.align import align
from archcheck.findings import Finding, Place
from archcheck.ir.graph import OpGraph
from archcheck.ir.span import Span
from archcheck.ir.text import parse
from archcheck.passes import CANONICAL, canonicalise
from archcheck.rules import Case, explain

POST = """
%x = input name="x"
%a = self_attention %x heads=8
%d = dropout %a
%s = add %x, %d
%n = layer_norm %s
%f = linear %n
%r = relu %f
%g = linear %r
%e = dropout %g
%t = add %n, %e
%m = layer_norm %t
give %m
"""
PRE = """
%x = input name="x"
%n = layer_norm %x
%a = self_attention %n heads=8
%d = dropout %a
%s = add %x, %d
%m = layer_norm %s
%f = linear %m
%r = relu %f
%g = linear %r
%e = dropout %g
%t = add %s, %e
give %t
"""
PARALLEL = """
%x = input name="x"
%n = layer_norm %x
%a = self_attention %n heads=8
%d = dropout %a
%f = linear %n
%r = relu %f
%g = linear %r
%e = dropout %g
%t = add %d, %e
%s = add %x, %t
give %s
"""


def changed(text: str, *replacements: tuple[str, str]) -> str:
    """`text` with parts replaced; each must be there."""
    for old, new in replacements:
        assert old in text, f"{old!r} is not in the graph"
        text = text.replace(old, new)
    return text


def repeated(text: str, count: int) -> str:
    """The ops of a block between its input and what it gives, as a folded row of layers."""
    body = text.strip().splitlines()[1:-1]
    return f"%x = input\n%y = repeat %x count={count}:\n" + "\n".join("  " + line for line in body)


def place(span: Span) -> Place:
    return Place(span, f"line {span.line} of {span.file}")


def case_of(expected: OpGraph, actual: OpGraph, *, folded: bool = True) -> Case:
    """A case of two graphs; without `folded`, layers that repeat stay written out."""
    passes = tuple(step for step in CANONICAL if folded or step.name != "fold_repeats")
    expected, actual = canonicalise(expected, passes), canonicalise(actual, passes)
    return Case("block", "what it states", "Symbol", expected, actual, align(expected, actual), place)


def findings(claim: str, code: str, *, folded: bool = True) -> tuple[Finding, ...]:
    """What the rules say of a claim and code."""
    return explain(case_of(parse(claim), parse(code), folded=folded))


def stack(block: str, count: int) -> str:
    """A block several times in a row, written out."""
    body = block.strip().splitlines()
    lines, stream = ["%x0 = input"], "%x0"
    for layer in range(count):
        lines += [
            re.sub(r"%\w+", lambda name: stream if name[0] == "%x" else f"{name[0]}_{layer}", line)  # noqa: B023
            for line in body[1:-1]
        ]
        stream = f"{body[-1].split()[1]}_{layer}"
    return "\n".join([*lines, f"give {stream}"])
