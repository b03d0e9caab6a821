from __future__ import annotations

import pytest
from pass_asserts import assert_left, shown

from archcheck.ir.text import parse
from archcheck.ir.verify import verify
from archcheck.passes import canonicalise
from archcheck.passes.raise_rope import RaiseRope

PASS = RaiseRope()
ANGLES = '%x = input\n%c = input name="cos"\n%s = input name="sin"\n'
FIRST = (
    "%a = select %x index=('...', ('slice', None, 32, None,),)\n"
    "%b = select %x index=('...', ('slice', 32, None, None,),)\n"
)
EVERY = "%a = select %x index=('...', ('slice', 0, None, 2,),)\n%b = select %x index=('...', ('slice', 1, None, 2,),)\n"
WHOLE = "%n = neg %b\n%r = {join} %n, %a axis=-1\n{view}%p = mul %x, %c\n%q = mul {turned}, %s\nadd %p, %q\n"
HALVES = (
    "%p = mul %a, %c\n%q = mul %b, %s\n%u = sub %p, %q\n%v = mul %b, %c\n%w = mul %a, %s\n%z = add %v, %w\n"
    "{join} %u, %z axis=-1\n"
)

FORMS = {
    "halves turned as a whole": (FIRST + WHOLE.format(join="concat", view="", turned="%r"), False),
    "neighbours turned as a whole": (
        EVERY + WHOLE.format(join="stack", view="%y = reshape %r form='flatten'\n", turned="%y"),
        True,
    ),
    "halves one by one": (FIRST + HALVES.format(join="concat"), False),
    "neighbours one by one": (EVERY + HALVES.format(join="stack"), True),
    "neighbours one by one, joined in halves": (EVERY + HALVES.format(join="concat"), True),
    "parts of a split": (
        "%a = split %x sections=2 axis=-1\n" + HALVES.format(join="concat").replace("%b", "%a.1"),
        False,
    ),
    "complex numbers": ("%y = as_real %x inverse=True\n%z = mul %y, %c\nas_real %z\n", True),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_a_turn(form: str) -> None:
    ops, interleaved = FORMS[form]
    found = verify(PASS.run(parse(ANGLES + ops)), "raise_rope")
    lines = [line for line in shown(found).splitlines() if line.startswith("%")]
    assert len(lines) == 4
    assert lines[3].startswith("%3 = rope %0, %1")
    assert f"interleaved={interleaved}" in lines[3]
    assert PASS.run(found) == found


@pytest.mark.parametrize(
    ("why", "ops"),
    [
        ("no sign", FIRST + "%r = concat %b, %a axis=-1\n%p = mul %x, %c\n%q = mul %r, %s\nadd %p, %q\n"),
        (
            "another tensor",
            "%y = input\n" + (FIRST + WHOLE.format(join="concat", view="", turned="%r")).replace("mul %x", "mul %y"),
        ),
        ("both subtracted", FIRST + HALVES.format(join="concat").replace("add %v", "sub %v")),
    ],
)
def test_near_misses_are_left(why: str, ops: str) -> None:
    assert_left(PASS, ANGLES + ops)


def test_angles_that_are_two_parts_of_one_tensor_are_told_from_features() -> None:
    text = (
        "%x = input\n%e = input\n%c = select %e index=0\n%s = select %e index=1\n%l = linear %x\n"
        "%a = split %l sections=2 axis=-1\n" + HALVES.format(join="concat").replace("%b", "%a.1")
    )
    found = PASS.run(parse(text))
    assert shown(found).splitlines()[5] == "%5 = rope %4, %2, %3 interleaved=False:"


def test_angles_that_are_turned_by_what_should_be_are_no_rotation() -> None:
    text = """
    %x = input
    %cos = input
    %sin = input
    %q = linear %x in_features=8 out_features=8
    %p = mul A, B
    %h = split A axis=-1 sections=2
    %n = neg %h.1
    %r = concat %n, %h axis=-1
    %t = mul %r, %sin
    add %p, %t
    """
    for turned, angle, count in (("%q", "%cos", 1), ("%cos", "%q", 0)):
        graph = canonicalise(parse(text.replace("A", turned).replace("B", angle).replace("\n    ", "\n")))
        assert sum(op.kind.name == "rope" for op in graph.walk()) == count


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("first", "count"), [("%e = reshape %c form='view'\n", 1), ("%t = tanh %c\n%e = reshape %t form='view'\n", 0)]
)
def test_what_an_activation_was_applied_to_is_no_angle(form: str, first: str, count: int) -> None:
    ops, _ = FORMS[form]
    graph = PASS.run(parse(ANGLES + first + ops.replace(", %c", ", %e")))
    assert sum(op.kind.name == "rope" for op in graph.walk()) == count
