"""The same layers in PyTorch, Flax linen and Flax nnx: one canonical graph, and one verdict for each paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from archcheck.ir.graph import Op, Unknown
from archcheck.pipeline import check, describe, diff, load_sides
from archcheck.sweep import Request

TWINS = Path(__file__).parent / "jax_twins"
SEQUENCES = ("PostNorm", "PreNorm", "Sandwich", "Parallel", "LlamaLike")
IMAGES = ("Bottleneck", "BottleneckV15", "UNet")
FLAX = pytest.mark.parametrize("flax", ["linen", "nnx"])


def target(framework: str, name: str) -> str:
    return f"{TWINS / framework}_twins.py:{name}"


def outline(framework: str, name: str) -> list[tuple[str, ...]]:
    """The kinds of a canonical graph's sublayers and of what stands between them, with what they state in common."""
    one, _ = load_sides(target(framework, name), target("torch", name), Request("", explore=False))
    return [line for op in one.graph.ops for line in lines(op) if op.kind.name != "input"]


def lines(op: Op) -> list[tuple[str, ...]]:
    # widths that Flax takes from its input are not stated, and where heads are laid out is no part of an outline
    stated = tuple(
        f"{attr.name}={attr.value}"
        for attr in op.attrs
        if attr.name in ("activation", "gated", "heads", "head_dim", "eps", "p", "scale", "causal")
        and not isinstance(attr.value, Unknown)
    )
    inner = [line for part in op.body for line in lines(part)] if op.kind.name in ("residual", "repeat") else []
    return [(op.kind.name, *stated), *inner]


@FLAX
@pytest.mark.parametrize("name", SEQUENCES)
def test_layers_have_one_outline(flax: str, name: str) -> None:
    assert outline(flax, name) == outline("torch", name)


@FLAX
@pytest.mark.parametrize("name", ["LlamaLike", *IMAGES])
def test_nothing_departs(flax: str, name: str) -> None:
    request = Request("", explore=False)
    alignment, _ = diff(*load_sides(target("torch", name), target(flax, name), request))
    assert [edit for edit in alignment.edits if edit.kind.name != "UNKNOWN"] == []


def test_where_a_block_strides_is_seen() -> None:
    request = Request("", explore=False)
    alignment, _ = diff(*load_sides(target("torch", "Bottleneck"), target("linen", "BottleneckV15"), request))
    changed = {edit.aspect for edit in alignment.edits if edit.kind.name == "CHANGED"}
    assert changed == {"attr:stride"}


@FLAX
@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("spec", ["vaswani2017#encoder_layer", "xiong2020", "touvron2023"])
def test_papers_judge_them_alike(flax: str, name: str, spec: str) -> None:
    def verdicts(framework: str) -> dict[str, Verdict]:
        (report,) = check(Request(target(framework, name), explore=False), spec)
        return {claim.claim: claim.verdict for claim in report.default.claims}

    assert verdicts(flax) == verdicts("torch")


@pytest.mark.parametrize("framework", ["torch", "linen", "nnx"])
@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("PostNorm", ["F d a n", "F d a n"]),
        ("PreNorm", ["n F d a", "n F d a"]),
        ("Sandwich", ["n F n a", "n F n a"]),
        ("LlamaLike", ["n F a", "n F a"]),
    ],
)
def test_signatures(framework: str, name: str, letters: list[str]) -> None:
    (found,) = describe(Request(target(framework, name), explore=False))
    assert [one.signature for one in found.default.layers[0].sublayers] == letters
