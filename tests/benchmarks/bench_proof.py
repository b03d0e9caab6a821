"""A proof of a norm, an activation, a rotation and an attention, beside the textbook's formula under numpy alone.

    python -m tests.benchmarks.bench_proof [--check]

Both are timed in one process, in turns. A proof draws tensors, evaluates the body op by op under every assumption that
is not recorded (axes that are kept, layouts of heads) and compares; the baseline evaluates the formula on as many
tensors of the same sizes. Bars: ratios as below, and 5 ms a proof on an idle machine.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import process_time

import numpy as np

from archcheck.ir.text import parse
from archcheck.passes.raise_activations import RaiseActivations
from archcheck.passes.raise_attention import RaiseAttention
from archcheck.passes.raise_norms import RaiseNorms
from archcheck.passes.raise_rope import RaiseRope
from archcheck.proof import Outcome, confirm
from archcheck.proof.activations import gelu
from archcheck.proof.attentions import Form as Attention
from archcheck.proof.attentions import Given
from archcheck.proof.norms import stated_form
from archcheck.proof.rotations import HALF, turned
from tests.benchmarks.harness import Bar, finish, parser

DRAWS = 3
MOST_MS = 5.0


@dataclass(frozen=True)
class Case:
    """A body as code spells it, and the textbook's formula on tensors of the sizes that its proof draws."""

    name: str
    text: str
    formula: Callable[[], object]
    most: float  # times the formula alone


def cases() -> tuple[Case, ...]:
    """What is measured."""
    draw = np.random.default_rng(0)
    wide, narrow = draw.normal(size=(2, 3, 4096)), draw.normal(size=(3, 5, 7))
    weights = {size: draw.normal(size=size) for size in (7, 4096)}
    points = draw.normal(size=600)
    heads = draw.normal(size=(2, 5, 7, 16))
    table = draw.normal(size=(7, 16))
    query, key = draw.normal(size=(2, 3, 5, 11)), draw.normal(size=(2, 3, 7, 11))
    given = Given(query, key, draw.normal(size=(2, 3, 7, 13)), (draw.normal(size=(2, 3, 5, 7)),))
    rms = stated_form("rms_norm")
    squares = "%x = input\n%p = pow %x exponent=2\n%m = mean %p axis=-1\n%e = add %m by=1e-06\n%r = rsqrt %e\n"
    weight = '%n = mul %x, %r\n%w = parameter name="w"{0}\n%o = mul %n, %w\n'
    return (
        Case(
            "rms_norm",
            squares + weight.format(""),
            lambda: [rms.of(narrow, (-1,), 1e-6) * weights[7] for _ in range(DRAWS)],
            30,
        ),
        Case(
            "rms_norm of 4096 features",
            squares + weight.format(" shape=(4096,)"),
            lambda: [rms.of(wide, (-1,), 1e-6) * weights[4096] for _ in range(DRAWS)],
            20,
        ),
        Case(
            "gelu",
            "%x = input\n%d = div %x by=1.4142135623730951\n%e = erf %d\n%a = add %e by=1.0\n%h = mul %x by=0.5\n"
            "%o = mul %h, %a\n",
            lambda: [gelu(points) for _ in range(DRAWS)],
            12,
        ),
        Case(
            "rope",
            '%x = input\n%c = input name="cos"\n%s = input name="sin"\n'
            "%a = select %x index=('...', ('slice', None, 8, None,),)\n"
            "%b = select %x index=('...', ('slice', 8, None, None,),)\n%n = neg %b\n%r = concat %n, %a axis=-1\n"
            "%p = mul %x, %c\n%q = mul %r, %s\n%z = add %p, %q\n",
            lambda: [turned(HALF, HALF)(heads, table, table) for _ in range(DRAWS)],
            25,
        ),
        Case(
            "attention",
            '%q = input name="q"\n%k = input name="k"\n%v = input name="v"\n%m = input name="mask"\n'
            "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%c = mul %s by=0.125\n%a = add %c, %m\n"
            "%p = softmax %a axis=-1\nmatmul %p, %v\n",
            lambda: [Attention(0.125).of(given) for _ in range(DRAWS)],
            40,
        ),
    )


def seconds(work: Callable[[], object]) -> float:
    """The CPU time of one call."""
    start = process_time()
    work()
    return process_time() - start


def main() -> int:
    """Measure and print; the exit code."""
    options = parser("a proof against the textbook's formula alone", runs=200).parse_args()
    bars: list[Bar] = []
    print(f"{'':28}{'proof':>10}{'formula':>10}")
    for case in cases():
        graph = parse(case.text)
        for step in (RaiseNorms(), RaiseActivations(), RaiseRope(), RaiseAttention()):
            graph = step.run(graph)
        proofs = confirm(graph)
        assert [proof.outcome for proof in proofs] == [Outcome.CONFIRMED], case.name
        rows = [(seconds(lambda graph=graph: confirm(graph)), seconds(case.formula)) for _ in range(options.runs)]  # type: ignore[misc]
        proof, formula = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{case.name:28}{1000 * proof:8.2f}ms{1000 * formula:8.3f}ms")
        bars.append(Bar(f"{case.name}: proof / formula alone", proof / formula, case.most))
        bars.append(Bar(f"{case.name}: proof", 1000 * proof, MOST_MS, "ms"))
    return finish(bars, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
