"""Claims and code as they print, and what the aligner says of them."""

import pytest

from archcheck.align import EVERYTHING, EditKind, align
from archcheck.errors import GraphError
from archcheck.ir.graph import Op, OpGraph, Unknown, Value
from archcheck.ir.ops import kind
from archcheck.ir.text import parse
from archcheck.ir.verify import verify


def run(expected, actual, **options):
    return align(verify(parse(expected)), verify(parse(actual)), **options)


def told(alignment):
    """Edits as short words: kind, aspect, op of the claim, op of the code."""
    return [
        (
            edit.kind.value + (" " + edit.aspect if edit.aspect else ""),
            edit.expected.kind.name if edit.expected else None,
            edit.actual.kind.name if edit.actual else None,
        )
        for edit in alignment.edits
    ]


POST = """\
%x = input
%r = residual %x:
  %a = self_attention %x
%n = layer_norm %r
%s = residual %n:
  %f = feed_forward %n
%m = layer_norm %s
"""
PRE = """\
%x = input name="hidden_states"
%mask = input name="mask"
%r = residual %x, %mask:
  %n = layer_norm %x eps=1e-05
  %a = self_attention %n, %mask heads=8
  %d = dropout %a p=0.1
%s = residual %r:
  %m = layer_norm %r eps=1e-05
  %f = feed_forward %m:
    %1 = linear %m
    %2 = relu
    %3 = linear
  %e = dropout %f p=0.1
"""
PLAIN_PRE = """\
%x = input
%r = residual %x:
  %n = layer_norm %x
  %a = self_attention %n
%s = residual %r:
  %m = layer_norm %r
  %f = feed_forward %m
"""


# ---- where the norm stands


def test_post_norm_against_pre_norm_is_two_moves():
    alignment = run(POST, PRE)
    assert told(alignment) == [("moved", "layer_norm", "layer_norm")] * 2
    first, second = alignment.edits
    residuals = [op for op in parse(PRE).ops if op.kind.name == "residual"]
    assert first.actual in residuals[0].body
    assert second.actual in residuals[1].body
    assert [edit.expected.path for edit in alignment.edits] == ["3.layer_norm", "6.layer_norm"]
    assert first.before.path == residuals[0].path  # where the claim would have it
    assert first.after.path == residuals[1].path
    assert alignment.equivalences == ("unstated dropout",)


def test_pre_norm_against_post_norm_is_two_moves():
    alignment = run(PLAIN_PRE, POST)
    assert told(alignment) == [("moved", "layer_norm", "layer_norm")] * 2
    assert [edit.before.kind.name for edit in alignment.edits] == ["input", "residual"]


def test_a_norm_taken_before_the_residual_is_one_move():
    before = "%x = input\n%n = layer_norm %x\n%r = residual %n:\n  %a = self_attention %n\n"
    inside = "%x = input\n%r = residual %x:\n  %n = layer_norm %x\n  %a = self_attention %n\n"
    assert told(run(inside, before)) == [("moved", "layer_norm", "layer_norm")]
    assert told(run(before, inside)) == [("moved", "layer_norm", "layer_norm")]


def test_a_norm_moved_and_replaced_is_both():
    alignment = run(POST, PRE.replace("layer_norm", "rms_norm"))
    assert (
        sorted(told(alignment))
        == [("changed kind", "layer_norm", "rms_norm")] * 2 + [("moved", "layer_norm", "rms_norm")] * 2
    )


def test_the_final_norm_of_a_pre_norm_stack_is_extra():
    body = "\n".join("  " + line for line in PLAIN_PRE.splitlines()[1:])
    stack = f"%x = input\n%l = repeat %x count=6:\n{body}\n"
    assert told(run(stack, stack + "%z = layer_norm %l\n")) == [("extra", None, "layer_norm")]
    assert told(run(stack + "%z = layer_norm %l\n", stack)) == [("missing", "layer_norm", None)]


def test_moves_in_layers_written_out_are_told_once():
    def written_out(layer, count):
        lines, stream = ["%x = input"], "%x"
        for number in range(count):
            for line in layer.splitlines()[1:]:
                words = line.replace("%x", "%IN")
                for name in "rnasmf":
                    words = words.replace(f"%{name} ", f"%{name}{number} ").replace(f"%{name}:", f"%{name}{number}:")
                    words = words if not words.endswith(f"%{name}") else words + str(number)
                lines.append(words.replace("%IN", stream))
            last = "m" if layer is POST else "s"
            stream = f"%{last}{number}"
        return "\n".join(lines) + "\n"

    alignment = run(written_out(POST, 6), written_out(PLAIN_PRE, 6))
    assert told(alignment) == [("moved", "layer_norm", "layer_norm")] * 2
    assert [len(edit.also) for edit in alignment.edits] == [5, 5]
    assert all(one.kind is other.kind for edit in alignment.edits for one, other in edit.also)
    few = run(written_out(POST, 2), written_out(PLAIN_PRE, 2))
    assert told(few) == [("moved", "layer_norm", "layer_norm")] * 4  # twice is not yet a repeat


# ---- residuals and sublayers


def test_a_missing_residual_is_one_edit():
    bare = "%x = input\n%n = layer_norm %x\n%a = self_attention %n\n"
    around = "%x = input\n%r = residual %x:\n  %n = layer_norm %x\n  %a = self_attention %n\n"
    assert told(run(around, bare)) == [("missing", "residual", None)]
    assert told(run(bare, around)) == [("extra", None, "residual")]


def test_a_whole_sublayer_is_one_edit():
    cross = POST.replace(
        "%s = residual %n:",
        '%mem = input name="mem"\n%c = residual %n, %mem:\n  %k = cross_attention %n, %mem\n%s = residual %c:',
    ).replace("feed_forward %n", "feed_forward %c")
    assert told(run(POST, cross)) == [("extra", None, "residual")]
    assert told(run(cross, POST)) == [("missing", "residual", None)]


def test_a_skip_from_elsewhere_is_one_edit():
    claim = "%x = input\n%r = residual %x:\n  %n = layer_norm %x\n  %f = linear %n\n"
    code = "%x = input\n%n = layer_norm %x\n%f = linear %n\n%y = add %f, %n\n"
    alignment = run(claim, code)
    assert told(alignment) == [("changed reads:0", "residual", "add")]
    assert (alignment.edits[0].stated, alignment.edits[0].found) == ("the input", "the output of layer_norm")
    assert "residual written as a sum" in alignment.equivalences


def test_another_sublayer_in_its_place():
    code = POST.replace("feed_forward", "moe")
    assert told(run(POST, code)) == [("changed kind", "feed_forward", "moe")]


def test_a_generic_claim_covers_its_family():
    assert run(POST.replace("layer_norm", "norm"), POST.replace("layer_norm", "rms_norm")).edits == ()
    assert run(POST.replace("self_attention", "sublayer"), POST.replace("self_attention", "branch")).edits == ()


def test_swapped_arguments_of_cross_attention():
    claim = '%x = input name="x"\n%m = input name="m"\n%r = residual %x, %m:\n  %c = cross_attention %x, %m\n'
    assert run(claim, claim.replace('"x"', '"hidden"').replace('"m"', '"states"')).edits == ()
    assert told(run(claim, claim.replace("attention %x, %m", "attention %m, %x"))) == [
        ("changed reads:1", "cross_attention", "cross_attention")
    ]


def test_bodies_are_compared_where_both_have_one():
    assert told(run(PRE, PRE.replace("relu", "gelu"))) == [("changed kind", "relu", "gelu")]
    assert told(run(POST, PRE.replace("relu", "gelu"))) == told(run(POST, PRE))


def test_a_body_that_the_code_does_not_show_is_unknown():
    code = PRE[: PRE.index(":\n    %1")] + "\n  %e = dropout %f p=0.1\n"
    assert told(run(PRE, code)) == [("unknown body", "feed_forward", "feed_forward")]


# ---- what is free


def test_a_claim_that_mentions_dropout_closes_it():
    claim = POST.replace("  %a = self_attention %x\n", "  %a = self_attention %x\n  %d = dropout %a\n")
    code = claim.replace("  %f = feed_forward %n\n", "  %f = feed_forward %n\n  %e = dropout %f\n")
    assert told(run(claim, code)) == [("extra", None, "dropout")]
    assert run(POST, code).edits == ()


def test_closed_kinds_are_extra():
    assert told(run(PLAIN_PRE, PRE.replace(", %mask heads=8", ""), closed=EVERYTHING)) == [
        ("extra", None, "dropout"),
        ("extra", None, "dropout"),
    ]


def test_what_only_a_mask_passes_through_is_free():
    claim = "%x = input\n%a = self_attention %x\n"
    code = '%x = input\n%m = input name="mask"\n%c = compare %m\n%w = where %c, %m, %m\n%a = self_attention %x, %w\n'
    assert run(claim, code).edits == ()


def test_what_is_computed_and_not_used_is_free():
    claim = "%x = input\n%a = linear %x\n"
    assert run(claim, claim + "%b = softmax %a\ngive %a, %b\n").equivalences == ("outputs left out",)
    assert run(claim, claim + "%b = softmax %a\ngive %a\n").edits == ()
    assert told(run(claim, claim + "%b = softmax %a\n")) == [("extra", None, "softmax")]


def test_an_input_of_the_claim_may_be_made_by_the_code():
    claim = '%x = input name="x"\n%p = input name="positions"\n%n = linear %x\n%y = add %n, %p\n'
    code = '%i = input name="ids"\n%x = input name="x"\n%p = embedding %i\n%n = linear %x\n%y = add %n, %p\n'
    assert run(claim, code).edits == ()
    alone = '%x = input name="x"\n%n = linear %x\n%y = add %n, %x\n'
    assert told(run(claim, alone)) == [("changed reads:1", "add", "add")]


# ---- operands


def test_a_commuted_sum_is_named():
    claim = "%x = input\n%f = linear %x\n%y = add %x, %f\n"
    alignment = run(claim, claim.replace("add %x, %f", "add %f, %x"))
    assert alignment.edits == ()
    assert alignment.equivalences == ("commuted operands",)


def test_a_difference_does_not_commute():
    claim = "%x = input\n%f = linear %x\n%y = sub %x, %f\n"
    assert [edit.aspect for edit in run(claim, claim.replace("sub %x, %f", "sub %f, %x")).edits] == [
        "reads:0",
        "reads:1",
    ]


def test_an_output_from_elsewhere():
    claim = "%x = input\n%f = linear %x\n%g = relu %f\ngive %g\n"
    alignment = run(claim, claim.replace("give %g", "give %f"))
    assert told(alignment) == [("changed gives:0", "relu", "linear")]
    assert (alignment.edits[0].stated, alignment.edits[0].found) == ("the output of relu", "the output of linear")


def test_another_output_of_one_op():
    claim = "%x = input\n%s = split %x sections=2\n%g = relu %s.0\n"
    assert told(run(claim, claim.replace("%s.0", "%s.1"))) == [("changed reads:0", "relu", "relu")]
    assert run(claim, claim).edits == ()


def test_the_order_of_queries_keys_and_values_does_not_matter():
    claim = "%x = input\n%q = linear %x\n%k = linear %x\n%v = linear %x\n%r = rope %q\n%a = attention %r, %k, %v\n"
    code = "%x = input\n%v = linear %x\n%k = linear %x\n%q = linear %x\n%r = rope %q\n%a = attention %r, %k, %v\n"
    assert run(claim, code).edits == ()
    wrong = code.replace("%r = rope %q", "%r = rope %k").replace("%r, %k", "%r, %q")
    assert run(claim, wrong).edits == ()  # only the names differ
    (edit,) = run(claim, code.replace("%r, %k, %v", "%r, %v, %v")).edits
    assert edit.aspect in ("reads:1", "reads:2")  # which of the two is the wrong one cannot be told


def test_equal_branches_are_matched_each_with_its_own():
    claim = (
        "%x = input\n%a = linear %x\n%b = relu %a\n%c = linear %x\n%d = gelu %c\n%e = linear %b\n%f = linear %d\n"
        "%y = add %e, %f\n"
    )
    code = (
        "%x = input\n%c = linear %x\n%d = gelu %c\n%f = linear %d\n%a = linear %x\n%b = relu %a\n%e = linear %b\n"
        "%y = add %f, %e\n"
    )
    assert run(claim, code).edits == ()


# ---- repeats


REPEAT = """\
%x = input
%l = repeat %x count=4:
  %r = residual %x:
    %n = layer_norm %x
    %a = self_attention %n
"""


def layers(count, norms=()):
    lines, stream = ["%x = input"], "%x"
    for number in range(count):
        norm = dict(norms).get(number, "layer_norm")
        lines += [f"%r{number} = residual {stream}:", f"  %n{number} = {norm} {stream}"]
        lines.append(f"  %a{number} = self_attention %n{number}")
        stream = f"%r{number}"
    return "\n".join(lines) + "\n"


def test_another_count():
    alignment = run(REPEAT, REPEAT.replace("4", "12"))
    assert told(alignment) == [("changed attr:count", "repeat", "repeat")]
    assert (alignment.edits[0].stated, alignment.edits[0].found) == (4, 12)
    assert told(run(REPEAT, REPEAT.replace("count=4", "count=unknown('config')"))) == [
        ("unknown attr:count", "repeat", "repeat")
    ]


def test_a_repeat_against_layers_written_out():
    alignment = run(REPEAT, layers(4))
    assert alignment.edits == ()
    assert alignment.equivalences == ("repeat written out",)
    assert run(layers(4), REPEAT).edits == ()


def test_one_layer_of_a_repeat_differs():
    alignment = run(REPEAT, layers(4, {2: "rms_norm"}.items()))
    assert told(alignment) == [("changed kind", "layer_norm", "rms_norm")]
    assert told(run(REPEAT, layers(3))) == [("missing", "residual", None)]


# ---- what cannot be told


def test_an_opaque_op_in_the_place_of_a_stated_one():
    code = POST.replace("%a = self_attention %x", "%a = opaque %x name='pkg.attend' why='its source was not found'")
    alignment = run(POST, code)
    assert told(alignment) == [("unknown kind", "self_attention", "opaque")]
    found = alignment.edits[0].found
    assert isinstance(found, Unknown)
    assert found.why == "pkg.attend: its source was not found"


def test_an_opaque_op_on_the_way():
    assert told(run(POST, POST + "%z = opaque %m name='pkg.f'\n")) == [("unknown kind", None, "opaque")]


def test_an_opaque_op_aside():
    code = POST.replace("%r = residual", "%o = opaque () name='log'\n%r = residual")
    assert run(POST, code).edits == ()


def test_a_branch_that_was_not_recognised():
    clear = POST.replace("%a = self_attention %x", "%a = branch %x:\n    %k = linear %x")
    assert told(run(POST, clear)) == [("changed kind", "self_attention", "branch")]
    blind = POST.replace("%a = self_attention %x", "%a = branch %x:\n    %k = opaque %x name='pkg.f'")
    assert told(run(POST, blind)) == [("unknown kind", "self_attention", "branch")]


def test_what_may_be_inside_an_unrecognised_branch_is_unknown():
    claim = "%x = input\n%r = residual %x:\n  %n = layer_norm %x\n  %a = self_attention %n\n"
    code = "%x = input\n%r = residual %x:\n  %b = branch %x:\n    %k = opaque %x name='pkg.f'\n"
    assert told(run(claim, code)) == [
        ("unknown kind", "layer_norm", "branch"),
        ("unknown kind", "self_attention", "branch"),
    ]


MADE = "%x = input\n%c = conv %x\n%r = relu %c\n"
UNREAD = "%x = opaque () name='operand' why='what it is'\n"


def test_a_tensor_of_which_nothing_is_known_may_be_the_input():
    assert {kind for kind, *_ in told(run(MADE, MADE.replace("%x = input\n", UNREAD)))} <= {
        "unknown kind",
        "unknown reads:0",
    }


def test_a_tensor_of_which_nothing_is_known_hides_nothing_behind_what_was_read():
    """Not what the paper has between ops that were read, and nothing at all where it leads nowhere."""
    code = UNREAD + "%y = opaque () name='operand' why='what it is'\n%c = conv %y\n"
    assert ("missing", "relu", None) in told(run(MADE, code))


def test_opaque_ops_on_both_sides_are_not_taken_for_equal():
    graph = "%x = input\n%o = opaque %x name='pkg.f'\n"
    assert told(run(graph, graph)) == [("unknown kind", "opaque", "opaque")]


def test_an_unknown_attribute():
    alignment = run(PRE, PRE.replace("p=0.1", "p=unknown('config')"))
    assert told(alignment) == [("unknown attr:p", "dropout", "dropout")] * 2


# ---- the rest


def test_pairs_stand_in_the_order_of_the_claim():
    alignment = run(POST, PRE)
    assert [one.path for one, _ in alignment.pairs] == [op.path for op in parse(POST).walk()]


def test_a_graph_that_reads_what_it_does_not_give():
    broken = OpGraph((Op("a", kind("relu"), (Value("nowhere"),)),))
    with pytest.raises(GraphError, match="a reads nowhere"):
        align(broken, broken)


def test_empty_graphs():
    assert align(OpGraph(()), OpGraph(())).edits == ()
    assert told(align(parse("%x = input\n%y = relu %x\n"), OpGraph(()))) == [("missing", "relu", None)]


def test_kinds_of_edits_are_those_of_the_contract():
    assert {kind.value for kind in EditKind} == {"missing", "extra", "moved", "changed", "unknown"}


def test_equal_branches_of_several_ops_are_exchanged_whole():
    expected = "%x = input\n%a = relu %x\n%b = relu %a\n%c = relu %x\n%d = relu %c\n%e = relu %a\n"
    actual = "%x = input\n%c = relu %x\n%d = relu %c\n%a = relu %x\n%b = relu %a\n%e = relu %a\n"
    assert run(expected, actual).edits == ()


BRANCHES = """\
%x = input
%p = {before} %x
%a = conv %p kernel={first}{more}
%b = batch_norm %a
%c = conv %p kernel={second}{more}
%d = batch_norm %c
%e = add %b, %d
%f = relu %e
"""


@pytest.mark.parametrize("before", ["relu", "gelu", "tanh", "silu", "sigmoid"])
@pytest.mark.parametrize("more", ["", " stride=1", " groups=1 dilation=1"])
def test_equal_branches_are_told_apart_by_what_they_state(before, more):
    """A sum says nothing of the order of what it adds, and neither does what comes before it."""
    claim = BRANCHES.format(before="relu", first=3, second=1, more="")
    edits = run(claim, BRANCHES.format(before=before, first=1, second=3, more=more)).edits
    assert [edit for edit in edits if edit.aspect == "attr:kernel"] == []
    wider = run(claim, BRANCHES.format(before=before, first=1, second=5, more=more)).edits
    assert [(edit.stated, edit.found) for edit in wider if edit.aspect == "attr:kernel"] == [(3, 5)]


def test_layers_that_alternate_may_be_folded_from_another_one_on():
    """What is not known in each layer must not outweigh that nothing differs."""
    local = "%{0} = residual %{1}:\n  %a{0} = layer_norm %{1}\n  %b{0} = linear %a{0} out_features={2}\n"
    wide = "%{0} = residual %{1}:\n  %a{0} = rms_norm %{1}\n  %b{0} = linear %a{0} out_features={2}\n"

    def folded(head, body, tail, count, size):
        lines = ["%x = input"]
        at = "x"
        for name, layer in enumerate(head):
            lines.append(layer.format(f"h{name}", at, size).rstrip())
            at = f"h{name}"
        inner, inside = [], at
        for name, layer in enumerate(body):
            inner.append(layer.format(f"r{name}", inside, size).rstrip())
            inside = f"r{name}"
        lines.append(f"%rep = repeat %{at} count={count}:")
        lines += ["  " + line for part in inner for line in part.splitlines()]
        at = "rep"
        for name, layer in enumerate(tail):
            lines.append(layer.format(f"t{name}", at, size).rstrip())
            at = f"t{name}"
        return "\n".join(lines) + "\n"

    known = folded([], [local, wide], [], 4, 8)
    shifted = folded([local], [wide, local], [wide], 3, "unknown('not told')")
    edits = run(known, shifted).edits
    assert {edit.kind for edit in edits} == {EditKind.UNKNOWN}
