"""Confirms what the passes recognised: the body of each raised op is evaluated against the textbook's formula.

A pass decides that a chain of primitives is, say, an RMSNorm; that decision is checked here by other means. Nothing is
imported from the passes, a body is evaluated as tensors with distinct axes rather than as one token's features, with
random weights, an extreme epsilon and points beyond every number in it, and to a relative difference of 1e-9 on
independent draws. What is not recorded (how many axes, whether a reduction keeps its axis, a bound that is open) is
tried in every way that can run, and a body is only confirmed where it is the formula in all of them.

Needs numpy (extra `proof`). Without it every proof says so, and no other part of archcheck is affected.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from importlib.util import find_spec

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import FAMILIES, Tier
from archcheck.proof.outcome import Found, Outcome, Proof, not_proved
from archcheck.proof.subject import Subject, chain_of, subject_of

Prove = Callable[[Subject], Found]

NO_NUMPY = "numpy is not installed"
_NORMS = ("rms_norm", "layer_norm", "l2_norm")
_ACTIVATIONS = frozenset(kind.name for kind in FAMILIES["activation"] if not kind.generic)
_BESIDE = frozenset({"parameter", "constant", "identity"})


def confirm(graph: OpGraph, shapes: Mapping[Value, tuple[int, ...]] | None = None) -> tuple[Proof, ...]:
    """A proof for each raised formula of a graph, in program order, those inside of structure too.

    A raised formula is an op of a kind that the textbook has (a norm, an activation, softmax, rotary positions,
    attention) whose body spells it. An op that only holds its own weights spells nothing, and a product with
    something learned (`linear`, `scale`, `affine`) is what its body says: neither is proved.

    Args:
        graph: in canonical form.
        shapes: sizes of values, where a trace recorded them.
    """
    givers = {op.path: op for op in graph.walk()}
    recorded = shapes or {}
    known: dict[Hashable, Found] = {}
    proofs: list[Proof] = []
    for op in graph.walk():
        if not is_formula(op):
            continue
        subject = subject_of(op, givers, recorded)
        key = subject.key()
        found = known.get(key)
        if found is None:
            found = known[key] = prove(subject)
        proofs.append(_proof(op, found))
    return tuple(proofs)


def is_formula(op: Op) -> bool:
    """Whether an op is a raised formula of the textbook, spelled in its body."""
    if not op.body or op.kind.tier is not Tier.LAYER or _prover(op.kind.name) is None:
        return False
    return any(inner.kind is not op.kind and inner.kind.name not in _BESIDE for inner in op.body)


def prove(subject: Subject) -> Found:
    """What evaluation says of a body that is said to be a formula."""
    from archcheck.proof.evaluate import undefined

    if find_spec("numpy") is None:
        return not_proved(NO_NUMPY)
    prover = _prover(subject.kind)
    if prover is None:
        return not_proved(f"the textbook has no formula for {subject.kind}")
    if subject.kind != "attention" and (why := undefined(subject.ops)):
        return not_proved(why)
    return prover(subject)


def _prover(kind: str) -> Prove | None:
    if kind in _NORMS:
        from archcheck.proof.prove_norms import prove_norm

        return prove_norm
    if kind in _ACTIVATIONS:
        from archcheck.proof.prove_pointwise import prove_activation

        return prove_activation
    if kind == "softmax":
        from archcheck.proof.prove_pointwise import prove_softmax

        return prove_softmax
    if kind == "rope":
        from archcheck.proof.prove_rope import prove_rope

        return prove_rope
    if kind == "attention":
        from archcheck.proof.prove_attention import prove_attention

        return prove_attention
    return None


def _proof(op: Op, found: Found) -> Proof:
    return Proof(
        op.path, op.kind.name, op.span, found.outcome, found.error, found.is_, found.why, found.near, found.draws
    )


def nearest(
    ops: Sequence[Op],
    reads: Sequence[Value],
    result: Value,
    shapes: Mapping[Value, tuple[int, ...]] | None = None,
) -> Proof:
    """What a chain of primitives is that no pass raised: the near miss.

    Args:
        ops: in program order, with the learned tensors and constants that they read.
        reads: the tensors that flow in: tokens; features, cosines and sines; queries, keys and values.
        result: the value that comes out.
        shapes: sizes of values, where a trace recorded them.

    Returns:
        CONFIRMED where it is a formula of the textbook, whose kind is then that of the proof; DIFFERS with the name of
        the near miss in `is_`; NOT_PROVED where it is none of those that have a name.
    """
    last = next((op for op in ops if op.path == result.op), ops[-1])
    if find_spec("numpy") is None:
        return _proof(last, not_proved(NO_NUMPY))
    whys: list[str] = []
    for kind, found in _searched(ops, reads, result, shapes or {}):
        if found.outcome is Outcome.CONFIRMED or (found.outcome is Outcome.DIFFERS and found.is_):
            name = found.is_.partition(" ")[0].rstrip(",") if kind == "activation" else kind
            return Proof(last.path, name, last.span, found.outcome, found.error, found.is_, "", found.near, found.draws)
        if found.why:
            whys.append(found.why)
    why = whys[0] if whys else "it is none of the formulas of the textbook, nor a near miss that has a name"
    return Proof(last.path, last.kind.name, last.span, Outcome.NOT_PROVED, why=why)


def _searched(
    ops: Sequence[Op], reads: Sequence[Value], result: Value, shapes: Mapping[Value, tuple[int, ...]]
) -> Iterator[tuple[str, Found]]:
    """What each family that could be meant says, the likeliest first."""
    from dataclasses import replace

    from archcheck.ir.graph import attrs
    from archcheck.proof.evaluate import undefined
    from archcheck.proof.prove_attention import prove_attention
    from archcheck.proof.prove_norms import prove_norm
    from archcheck.proof.prove_pointwise import prove_activation, prove_softmax
    from archcheck.proof.prove_rope import prove_rope

    kinds = {op.kind.name for op in ops}
    plain = replace(chain_of(ops, reads, result), shapes=dict(shapes))
    if kinds & {"matmul", "einsum", "matmul_add"} and "softmax" in kinds:
        yield "attention", prove_attention(replace(plain, kind="attention"), searched=True)
        return
    if why := undefined(ops):
        yield "", not_proved(why)
        return
    if kinds & {"concat", "stack", "as_real"}:
        both = [prove_rope(replace(plain, kind="rope", attrs=attrs(interleaved=one))) for one in (False, True)]
        yield "rope", min(both, key=lambda one: (one.outcome is not Outcome.CONFIRMED, not one.is_, len(one.is_)))
        return
    if kinds & {"exp", "softmax"} and kinds & {"sum", "logsumexp"}:
        yield "softmax", prove_softmax(replace(plain, kind="softmax"), searched=True)
    if kinds & {"mean", "var", "std", "vector_norm", "l2_norm", "sum"}:
        for kind in _likely(kinds):
            for eps in _epsilons(ops):
                subject = replace(
                    plain, kind=kind, attrs=attrs(eps=eps, eps_place="bound" if kind == "l2_norm" else "")
                )
                found = prove_norm(subject, searched=True)
                yield kind, found
                if found.outcome is Outcome.DIFFERS and found.is_:
                    return
    elif len(plain.reads) == 1:
        yield "activation", prove_activation(replace(plain, kind="activation"), searched=True)


def _likely(kinds: set[str]) -> tuple[str, ...]:
    if "sub" in kinds or kinds & {"var", "std"}:
        return ("layer_norm", "rms_norm")
    return ("rms_norm", "l2_norm") if "mean" in kinds else ("l2_norm", "rms_norm")


def _epsilons(ops: Sequence[Op]) -> list[float]:
    """The small numbers of a chain, any of which may be its epsilon; 0 where there is none."""
    from archcheck.proof.subject import numbers_in

    return list(dict.fromkeys(number for _, _, number in numbers_in(ops) if 0 < number < 0.1)) or [0.0]
