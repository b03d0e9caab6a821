"""The order of the encoder's sublayers in each release of tensor2tensor: a line a release, and what changed when.

    python tests/tensor2tensor_order.py [VERSION ...]

Without versions, all that have a wheel, oldest first. They are fetched once, unpacked and read, never installed or
imported. The exit code is 1 where an order is not the one that `expected` tells, or was not found.
"""

from __future__ import annotations

import sys
import time

from packages import unpacked

from archcheck import workers
from archcheck.errors import ArchcheckError
from archcheck.pipeline import check
from archcheck.sweep import Request

MODEL = "tensor2tensor/models/transformer.py"
SPEC, BLOCK = "vaswani2017#encoder_layer", "encoder_layer"
POST, PRE = "F d a n", "n F d a"
FIRST_PRE = (1, 2, 5)
FIRST_FUNCTION = (1, 1, 7)  # before, the order is a closure inside the model
RELEASES = (
    *(f"1.0.{at}" for at in range(1, 15)),
    *(f"1.1.{at}" for at in range(10)),
    *(f"1.2.{at}" for at in range(10)),
    *(f"1.3.{at}" for at in range(3)),
    *(f"1.4.{at}" for at in range(5)),
    *(f"1.5.{at}" for at in range(8)),
    *(f"1.6.{at}" for at in (0, 1, 2, 3, 5, 6)),
    *(f"1.{at}.0" for at in range(7, 13)),
    "1.13.4",
    "1.14.1",
    "1.15.7",
)  # fmt: skip


def main() -> int:
    """Print a line for each release; the exit code."""
    started = time.monotonic()
    versions = tuple(sys.argv[1:]) or RELEASES
    found = list(workers.each(order, versions, workers.cores()))
    wrong = 0
    for version, told in zip(versions, found, strict=True):
        right = told == expected(version)
        wrong += not right
        print(f"{version:8} {told}{'' if right else f'   EXPECTED {expected(version)}'}")
    runs: list[tuple[str, list[str]]] = []
    for version, told in zip(versions, found, strict=True):
        if not runs or runs[-1][0] != told:
            runs.append((told, []))
        runs[-1][1].append(version)
    for told, those in runs:
        print(f"{those[0]} to {those[-1]}: {told}")
    print(f"{len(versions) - wrong} of {len(versions)} as expected, {time.monotonic() - started:.1f} s")
    return int(wrong > 0)


def expected(version: str) -> str:
    """The order that is known of a release: that of the paper's figure until 1.2.4."""
    one = PRE if _numbers(version) >= FIRST_PRE else POST
    return f"self_attention: {one}; ffn: {one}"


def order(version: str) -> str:
    """The signatures of the encoder's sublayers as a release has them, or why they were not found."""
    symbol = "transformer_encoder" if _numbers(version) >= FIRST_FUNCTION else "Transformer"
    try:
        place = unpacked(f"tensor2tensor=={version}") / MODEL
        request = Request(f"{place}:{symbol}", arguments={"hparams": "transformer_base()"}, explore=False)
        (report,) = check(request, SPEC)
    except (ArchcheckError, RuntimeError, ValueError) as error:
        return f"not found: {str(error)[:160]}"
    claim = next(one for one in report.default.claims if one.claim == BLOCK)
    return "; ".join(bound.signature for bound in claim.bound) or "not found: nothing is bound to the encoder's layer"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


if __name__ == "__main__":
    sys.exit(main())
