from __future__ import annotations

import math

import pytest
from proof_bodies import (
    ACTIVATIONS,
    ANGLES,
    ATTENTIONS,
    INPUTS,
    NORMS,
    RMS,
    ROPES,
    X,
    canonical_proofs,
    proof_of,
    raised,
    stated,
)

from archcheck.ir.graph import Value
from archcheck.ir.text import parse
from archcheck.proof import Outcome, confirm, explain


@pytest.mark.parametrize("form", NORMS)
def test_norms_as_passes_raise_them_are_confirmed(form: str) -> None:
    proof = proof_of(X + NORMS[form])
    assert proof.outcome is Outcome.CONFIRMED, explain(proof)
    assert proof.error < 1e-12
    assert proof.draws >= 3


@pytest.mark.parametrize("form", ACTIVATIONS)
def test_activations_as_passes_raise_them_are_confirmed(form: str) -> None:
    proof = proof_of(X + ACTIVATIONS[form])
    assert proof.outcome is Outcome.CONFIRMED, explain(proof)
    assert proof.error < 1e-6


@pytest.mark.parametrize("form", ROPES)
def test_rotations_as_passes_raise_them_are_confirmed(form: str) -> None:
    proof = proof_of(ANGLES + ROPES[form])
    assert proof.outcome is Outcome.CONFIRMED, explain(proof)


@pytest.mark.parametrize("form", ATTENTIONS)
def test_attentions_as_passes_raise_them_are_confirmed(form: str) -> None:
    proof = proof_of(INPUTS + ATTENTIONS[form])
    assert proof.outcome is Outcome.CONFIRMED, explain(proof)


def test_proofs_stand_in_the_order_of_the_graph_and_inside_of_structure() -> None:
    one = "%p{0} = pow %x{0} exponent=2\n%m{0} = mean %p{0} axis=-1\n%e{0} = add %m{0} by=1e-06\n%r{0} = rsqrt %e{0}\n"
    one += '%n{0} = mul %x{0}, %r{0}\n%w{0} = parameter name="w{0}"\n%o{0} = mul %n{0}, %w{0}\n'
    text = "%x1 = input\n" + one.format(1) + "%l1 = linear %o1\n%g = silu_\n".replace("%g = silu_\n", "")
    text += "%s = sigmoid %l1\n%a = mul %l1, %s\n%l2 = linear %a\n%x2 = add %x1, %l2\n" + one.format(2)
    proofs = canonical_proofs(text)
    assert [(proof.kind, proof.outcome) for proof in proofs] == [
        ("rms_norm", Outcome.CONFIRMED),
        ("silu", Outcome.CONFIRMED),
        ("rms_norm", Outcome.CONFIRMED),
    ]
    assert len({proof.path for proof in proofs}) == 3


def test_bodies_that_differ_in_paths_alone_are_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    module = sys.modules["archcheck.proof.confirm"]
    asked: list[str] = []
    prove = module.prove

    def counted(subject: object) -> object:
        asked.append(str(subject))
        return prove(subject)

    monkeypatch.setattr(module, "prove", counted)
    again = RMS.replace("%x", "%h").replace("%", "%z").replace("%zh", "%y")
    proofs = confirm(raised(X + RMS + "%y = linear %o\n" + again))
    assert len(proofs) == 2
    assert len(asked) == 1


def test_without_numpy_nothing_is_proved_and_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys.modules["archcheck.proof.confirm"], "find_spec", lambda name: None)
    proof = proof_of(X + RMS)
    assert proof.outcome is Outcome.NOT_PROVED
    assert proof.why == "numpy is not installed"


def test_an_op_that_holds_its_weights_alone_spells_nothing() -> None:
    text = '%x = input\nlayer_norm %x elementwise_affine=True eps=1e-05:\n  %w = parameter name="w"\n'
    assert not confirm(parse(text + "  layer_norm %x, %w eps=1e-05\n"))
    assert not confirm(parse('%x = input\nlinear %x:\n  %w = parameter name="w"\n  matmul %x, %w\n'))


def test_a_weight_of_a_called_norm_is_read() -> None:
    """Nemotron calls layer_norm with 1 + weight."""
    text = (
        "%x = input\nlayer_norm %x elementwise_affine=True bias=False eps=1e-05{0}:\n"
        '  %w = parameter name="w" shape=(8,)\n  %v = add %w by=1.0\n  layer_norm %x, %v dim=8 eps=1e-05\n'
    )
    assert stated(text.format(" offset=1")).outcome is Outcome.CONFIRMED
    assert stated(text.format("")).is_ == "layer_norm with 1 + weight"


def test_an_epsilon_that_could_not_be_read_stands_for_any() -> None:
    text = "%x = input\n%p = pow %x exponent=2\n%m = mean %p axis=-1\n%e = add %m by=unknown('config.eps')\n"
    assert proof_of(text + "%r = rsqrt %e\n%n = mul %x, %r\n").outcome is Outcome.CONFIRMED
    body = text.replace("%x = input\n", "").replace("\n", "\n  ") + "%f = add %e by=unknown('config.eps')\n  rsqrt %f\n"
    proof = stated("%x = input\nrms_norm %x eps=unknown('config.eps'):\n  " + body + "  mul %x, %6\n")
    assert proof.outcome is Outcome.NOT_PROVED
    assert "config.eps" in proof.why


def test_a_number_of_features_that_only_the_pass_states_is_no_evidence() -> None:
    """sqrt(512) in the code makes it an RMSNorm of 512 features; that there are 512 stands nowhere."""
    ops = "%l = l2_norm %x axis=-1 eps=0.0\n%n = mul %l by=22.627416997969522\n"
    weight = '%w = parameter name="w"{0}\n%o = mul %n, %w\n'
    proof = proof_of(X + ops + weight.format(""))
    assert proof.outcome is Outcome.NOT_PROVED
    assert "number of features" in proof.why
    assert proof_of(X + ops + weight.format(" shape=(512,)")).outcome is Outcome.CONFIRMED
    graph = raised(X + ops + weight.format(""))
    (proof,) = confirm(graph, {Value(graph.ops[0].path): (2, 4, 512)})
    assert proof.outcome is Outcome.CONFIRMED


def test_a_bound_of_the_length_is_none_of_the_root_mean_square() -> None:
    ops = '%l = l2_norm %x axis=-1 eps=1e-12\n%n = mul %l by=22.627416997969522\n%w = parameter name="w" shape=(512,)\n'
    assert proof_of(X + ops + "%o = mul %n, %w\n").outcome is Outcome.CONFIRMED
    body = (ops + "mul %n, %w").replace("\n", "\n  ")
    said = f"{X}rms_norm %x elementwise_affine=True eps=1e-12 eps_place='bound':\n  {body}\n"
    assert stated(said).is_ == "rms_norm with eps at the length rather than at the root mean square"


SINK = (
    "%c = concat %s, %m axis=-1\n%p = softmax %c axis=-1\n%d = select %p index=('...', ('slice', None, -1, None,),)\n"
)


def test_a_sink_is_proved_where_it_is_stated() -> None:
    ops = "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n" + SINK + "matmul %d, %v"
    assert proof_of(INPUTS + ops + "\n").outcome is Outcome.CONFIRMED
    body = ops.replace("\n", "\n  ")
    said = f"{INPUTS}attention %q, %k, %v, %m scale=1{{}}:\n  {body}\n"
    assert stated(said.format(" sink=True")).outcome is Outcome.CONFIRMED
    assert stated(said.format("")).is_ == "attention with a sink: one more score that no value answers to"
    body = "%t = permute %k axis=-2 other_axis=-1\n  %s = matmul %q, %t\n  %p = softmax %s axis=-1\n  matmul %p, %v\n"
    assert stated(f"{INPUTS}attention %q, %k, %v scale=1 sink=True:\n  {body}").is_ == "attention with no sink"


OPEN = (
    "%a = select %x index=('...', ('slice', None, unknown('x.shape[-1] // 2'), None,),)\n"
    "%b = select %x index=('...', ('slice', unknown('x.shape[-1] // 2'), None, None,),)\n"
)


def test_a_bound_that_could_not_be_read_is_not_assumed() -> None:
    rest = ROPES["halves turned as a whole"].partition("%n = neg")[2]
    proof = proof_of(ANGLES + OPEN + "%n = neg" + rest)
    assert proof.outcome is Outcome.NOT_PROVED
    assert proof.why.endswith("where it is their half, the turn is the textbook's")


def test_no_bound_makes_a_turn_of_what_is_none() -> None:
    rest = ROPES["halves turned as a whole"].partition("%n = neg")[2].replace(" %b", " %a", 1)
    rest = rest.replace("concat %n, %a", "concat %b, %n")
    body = (OPEN + "%n = neg" + rest).replace("\n", "\n  ").rstrip()
    proof = stated(f"{ANGLES}rope %x, %c, %s interleaved=False:\n  {body}\n")
    assert proof.outcome is Outcome.DIFFERS


def test_the_axis_of_a_softmax_depends_on_how_many_axes_there_are() -> None:
    ops = "%t = permute %k axis=-2 other_axis=-1\n%s = matmul %q, %t\n%p = softmax %s axis=2\nmatmul %p, %v\n"
    proof = proof_of(INPUTS + ops)
    assert proof.outcome is Outcome.NOT_PROVED
    assert "number of axes" in proof.why
    graph = raised(INPUTS + ops)
    paths = [Value(op.path) for op in graph.ops[:3]]
    (proof,) = confirm(graph, dict.fromkeys(paths, (2, 5, 8)))
    assert proof.outcome is Outcome.CONFIRMED
    (proof,) = confirm(graph, dict.fromkeys(paths, (2, 4, 5, 8)))
    assert proof.is_ == "attention with the softmax over the queries"


def test_recorded_sizes_tell_how_keys_lie() -> None:
    """Without the transpose it is attention only if keys come transposed."""
    graph = raised(INPUTS + "%s = matmul %q, %k\n%p = softmax %s axis=-1\nmatmul %p, %v\n")
    query, key, value = (Value(op.path) for op in graph.ops[:3])
    assert confirm(graph)[0].outcome is Outcome.CONFIRMED
    turned = {query: (2, 4, 5, 8), key: (2, 4, 8, 7), value: (2, 4, 7, 8)}
    assert confirm(graph, turned)[0].outcome is Outcome.CONFIRMED
    assert confirm(graph, {**turned, key: (2, 4, 7, 8)})[0].outcome is not Outcome.CONFIRMED


def test_sizes_that_are_recorded_are_used() -> None:
    graph = raised(X + RMS)
    (proof,) = confirm(graph, {Value(graph.ops[0].path): (8, 128, 768)})
    assert proof.outcome is Outcome.CONFIRMED
    (proof,) = confirm(graph, {Value(graph.ops[0].path): (8, 1 << 20)})
    assert proof.why == "too many features to evaluate"


def test_what_has_no_definition_is_told() -> None:
    proof = stated("%x = input\nsilu %x:\n  %s = tensor_function %x function='median'\n  mul %x, %s\n")
    assert proof.outcome is Outcome.NOT_PROVED
    assert proof.why == "tensor_function has no definition here"
    assert math.isnan(proof.error)


def test_sentences_for_people() -> None:
    assert explain(proof_of(X + RMS)).startswith("computes RMSNorm: equal to the textbook's within ")
    text = explain(stated("%x = input\nrelu %x:\n  clamp %x min=1e-12\n"))
    assert text == (
        "computes ReLU, kept above 1e-12: equal to it within 0 on 3 random draws; "
        "the textbook ReLU differs by up to 1e-12"
    )
    text = explain(stated("%x = input\nsilu %x:\n  %s = exp %x\n  mul %x, %s\n"))
    assert text.startswith("is not SiLU: on 3 random draws it differs by up to ")
    text = explain(stated("%x = input\nsilu %x:\n  %s = tensor_function %x function='median'\n  mul %x, %s\n"))
    assert text == "not proved to be SiLU: tensor_function has no definition here"
