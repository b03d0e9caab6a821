from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t2t_sources import one

from archcheck.frontends.static.t2t import HParamsSet, Limits, Symbol, Table
from archcheck.frontends.static.t2t.results import ResolvedValue
from archcheck.ir.graph import Unknown


def value(found: HParamsSet, name: str = "a") -> object:
    got = found.get(name)
    assert isinstance(got, ResolvedValue), got
    return got.value


def why(found: HParamsSet, name: str = "a") -> str:
    got = value(found, name)
    assert isinstance(got, Unknown), got
    assert got in found.unknowns
    return got.why


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("hp.a = 'dan'.replace('a', '')", "dn"),
        ("hp.a = hp.hidden_size * 2 + 1", 129),
        ("hp.a = 7 / 2", 3.5),
        ("hp.a = 7 // 2", 3),
        ("hp.a = -2 ** 2", -4),
        ("hp.a = ('one' 'two'\n  'three')", "onetwothree"),
        ("hp.a = 'x%d-%s' % (3, 'y')", "x3-y"),
        ("hp.a = '{}/{b}'.format(1, b=2)", "1/2"),
        ("n = 3\nhp.a = f'w{n}{{}}'", "w3{}"),
        ("hp.a = int('12') + len([1, 2]) + max(1, 5)", 19),
        ("hp.a = [x * 2 for x in range(4) if x % 2]", (2, 6)),
        ("hp.a = {k: v for k, v in zip('ab', (1, 2))}", Table((("a", 1), ("b", 2)))),
        ("hp.a = 1 if hp.norm_type == 'layer' else 2", 1),
        ("hp.a = 0 or 'x' and 'y'", "y"),
        ("hp.a = 1 < 2 < 3", True),
        ("hp.a = 'n' in hp.layer_preprocess_sequence", True),
        ("hp.a = (1, 2, 3)[1:]", (2, 3)),
        ("hp.a = hp.b = 4", 4),
        ("hp.b, hp.a = 1, 2", 2),
        ("hp.a = 1\nhp.a += 2", 3),
        ("hp.a = 0\nfor i in range(5):\n  if i == 1: continue\n  if i == 4: break\n  hp.a += i", 5),
        ("hp.a = 0\nfor i in range(3): pass\nelse: hp.a = i", 2),
        ("n = 3\nhp.a = 1\nwhile n > 0:\n  n -= 1\n  hp.a *= 2", 8),
        ("with tf.something(): hp.a = 1", 1),
        ("hp.a = 1e-9", 1e-9),
        ("hp.a = None", None),
        ("hp.a = tf.float32", Symbol("tensorflow.float32")),
        ("hp.a = {'targets': tf.identity}", Table((("targets", Symbol("tensorflow.identity")),))),
        ("hp.a = (lambda x, y=2: x + y)(1)", 3),
        ("def inner(x, *rest, **more): return (x, rest, more['k'])\nhp.a = inner(1, 2, 3, k=4)", (1, (2, 3), 4)),
        ("if hp.norm_type == 'batch': hp.a = 1\nelif hp.hidden_size == 64: hp.a = 2\nelse: hp.a = 3", 2),
        ("hp.a = 1\ntf.logging.info(hp)\nprint(hp)", 1),
        ("hp.a = getattr(hp, 'absent', 5) + getattr(hp, 'hidden_size', 0)", 69),
        ("hp.a = hasattr(hp, 'absent')", False),
        ("setattr(hp, 'a', 3)", 3),
        ("x = [1]\ny = x\ny.append(2)\nhp.a = x", (1, 2)),
        ("x = [1]\nx += (2,)\nhp.a = x", (1, 2)),
        ("import copy\nother = copy.copy(hp)\nother.hidden_size = 1\nhp.a = hp.hidden_size", 64),
        ("other = hp\nother.a = 1", 1),
        ("import math\nhp.a = math.sqrt(16)", 4.0),
        ("try:\n  hp.a = 1\nfinally:\n  hp.a = 2", 2),
        ("assert hp.hidden_size\nhp.a = 1\ndel hp.dropout", 1),
    ],
)
def test_expressions_and_statements(body: str, expected: object) -> None:
    found = one(body)
    assert repr(value(found)) == repr(expected)
    assert found.unknowns == ()


@given(
    st.recursive(st.integers(-999, 999), lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner), max_leaves=12)
)
def test_arithmetic_is_python_s(tree: object) -> None:
    def text(node: object) -> str:
        return f"({text(node[0])} {node[1]} {text(node[2])})" if isinstance(node, tuple) else f"({node})"

    assert value(one(f"hp.a = {text(tree)}")) == eval(text(tree))


@given(
    st.one_of(
        st.text(max_size=20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        st.lists(st.integers(), min_size=1),
    )
)
def test_literals_are_read_and_printed_as_python_prints_them(literal: object) -> None:
    resolved = one(f"hp.a = {literal!r}").get("a")
    assert isinstance(resolved, ResolvedValue)
    assert resolved.setting.value == repr(literal)
    assert resolved.value == (tuple(literal) if isinstance(literal, list) else literal)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("hp.add_hparam('a', 1)", 1),
        ("hp.add_hparam(name='a', value=1)\nhp.set_hparam('a', 2)", 2),
        ("hp.set_hparam('dropout', 1)\nhp.a = hp.dropout", 1.0),  # cast to what it was declared as
        ("hp.override_from_dict({'hidden_size': 3})\nhp.a = hp.hidden_size", 3),
        ("hp = hp.override_from_dict(dict(hidden_size=3))\nhp.a = hp.hidden_size", 3),
        (
            "hp.parse('hidden_size=5, norm_type=batch,sizes=[3,4]')\nhp.a = [hp.hidden_size, hp.norm_type, hp.sizes]",
            (5, "batch", (3, 4)),
        ),
        ("hp.parse_json('{\"hidden_size\": 6}')\nhp.a = hp.hidden_size", 6),
        ("hp.add_hparam('flag', True)\nhp.parse('flag=false,dropout=1')\nhp.a = (hp.flag, hp.dropout)", (False, 1.0)),
        ("hp.del_hparam('dropout')\nhp.a = hasattr(hp, 'dropout')", False),
        ("hp.a = hp.get('absent', 3)", 3),
        ("hp.a = hp.get('hidden_size')", 64),
        ("hp.a = 'hidden_size' in hp and 'absent' not in hp.values()", True),
        ("hp.a = 0\nfor k, v in sorted(hp.values().items()):\n  if k == 'hidden_size': hp.a = v", 64),
        ("hp = tf.contrib.training.HParams(**hp.values())\nhp.a = hp.hidden_size", 64),
    ],
)
def test_the_hparams_object_behaves_as_the_library_s(body: str, expected: object) -> None:
    found = one(body)
    assert repr(value(found)) == repr(expected)
    assert found.unknowns == ()


def test_helpers_change_the_object_that_they_are_given() -> None:
    before = """
        import six
        def update(hparams, other):
            for key, value in six.iteritems(other):
                if key in hparams.values():
                    hparams.set_hparam(key, value)
                else:
                    hparams.add_hparam(key, value)
    """
    found = one("update(hp, {'hidden_size': 1, 'a': 2})", before=before)
    assert (value(found, "hidden_size"), value(found)) == (1, 2)
    setting = found.values["a"].setting
    assert [(step.function, step.span.line) for step in setting.trail] == [("tried", 16)]
    assert setting.span is not None
    assert setting.span.line == 11
    assert found.unknowns == ()


def test_class_attributes_and_module_constants_are_read() -> None:
    before = """
        import enum
        class Kind(object):
            LOCAL = "local"
            BOTH = LOCAL + "_global"
            def method(self): pass
        class Real(enum.Enum):
            ONE = 1
        WIDTH, DEPTH = 4, 2
    """
    found = one("hp.a = (Kind.BOTH, WIDTH * DEPTH, Real.ONE)", before=before)
    assert value(found) == ("local_global", 8, Symbol("zoo.models.model.Real.ONE"))


def test_an_item_of_an_hparam_is_set_on_its_own_line() -> None:
    found = one("hp.a = {}\nhp.a['x'] = 1")
    assert value(found) == Table((("x", 1),))
    assert found.values["a"].setting.span is not None
    assert found.values["a"].setting.span.line == 9


def test_two_sets_do_not_share_what_a_third_gave_them() -> None:
    found = one("hp.sizes.append(3)\nother = common.basic()\nhp.a = other.sizes")
    assert value(found) == (1, 2)
    assert value(found, "sizes") == (1, 2, 3)


# ---- against Python itself, on programs that name nothing foreign

SIMPLE = st.sampled_from(
    [
        "hp.a = hp.a + 1",
        "hp.b = hp.a * 2 - hp.b",
        "hp.c = hp.c + 'dan'[hp.a % 3]",
        "hp.c = hp.c.replace('d', 'na')[:9]",
        "hp.d = hp.d[-3:] + [hp.b % 5]",
        "hp.d.append(len(hp.c))",
        "hp.a, hp.b = hp.b % 7, hp.a",
        "hp = bump(hp, by=hp.a % 3)",
        "same = hp.d; same += (hp.a,); hp.d = same[-4:]",
        "hp.b = sum(x for x in hp.d if x % 2)",
        "hp.e = {**hp.e, hp.a % 4: hp.b % 3}",
        "hp.a = sorted(hp.e.items())[-1][0] + 1 if hp.e else 0",
    ]
)


def nested(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    tests = st.sampled_from(["if hp.a % 2:", "if 'n' in hp.c:", "for i in range(3):", "for i in hp.d[:2]:", "if hp.d:"])
    blocks = st.tuples(tests, inner).map(lambda pair: [pair[0], *("  " + line for line in pair[1])])
    return st.lists(st.one_of(blocks, inner), min_size=1, max_size=3).map(lambda parts: [x for p in parts for x in p])


HELPER = """
def bump(hparams, by=1, *rest, **more):
    for _ in range(by):
        if hparams.a > 50: break
        hparams.a += by
    else:
        hparams.b = 0
    return hparams
"""
START = "hp.a = 1; hp.b = 2; hp.c = 'dan'; hp.d = [1]; hp.e = {}"


@given(st.recursive(SIMPLE.map(lambda line: [line]), nested, max_leaves=12))
def test_a_program_gives_what_python_gives(body: list[str]) -> None:
    found = one("\n".join([START, *body]), before=HELPER)
    scope: dict[str, object] = {}
    exec(HELPER, scope)
    expected = SimpleNamespace()
    scope["hp"] = expected
    exec("\n".join([START, *body]), scope)
    assert {name: found.values[name].setting.value for name in "abcde"} == {
        k: repr(v) for k, v in vars(expected).items()
    }
    assert found.unknowns == ()


# ---- what is not known


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("hp.a = tf.f(1)", "tensorflow.f is called"),
        ("hp.a = hp.absent", "hparams.absent is read before it is set"),
        ("hp.a = common.ABSENT", "zoo/layers/common.py binds no ABSENT"),
        ("hp.a = undefined", "the name undefined is not bound"),
        ("if tf.x: hp.a = 1\nelse: hp.a = 2", "depends on a condition"),
        ("hp.a = 1\nif tf.x: hp.a = 2", "depends on a condition"),
        ("hp.a = 1 if tf.x else 2", "depends on a condition"),
        ("hp.a = tf.x or 1", "depends on a condition"),
        ("hp.a = 1\nfor x in tf.x: hp.a = 2", "set in a loop"),
        ("hp.a = 1\nwhile tf.x: hp.a = 2", "set in a loop"),
        ("try: hp.a = 1\nexcept ValueError: hp.a = 2", "exception"),
        ("hp.a = 1 + tf.f()", "tensorflow.f is called"),
        ("hp.a = [1][5]", "IndexError"),
        ("hp.a = 1 / 0", "ZeroDivisionError"),
        ("x = [1]\ntf.f(x)\nhp.a = x", "tensorflow.f is called"),
        ("x = [1]\nif tf.x: x.append(2)\nhp.a = x", "depends on a condition"),
        ("class C: pass\nhp.a = C()", "class C"),
        ("with tf.f() as x: hp.a = x", "tensorflow.f is called"),
    ],
)
def test_what_cannot_be_evaluated_says_why_and_leaves_the_rest_alone(body: str, reason: str) -> None:
    found = one(body)
    assert reason in why(found)
    assert value(found, "hidden_size") == 64
    assert found.rest is None


def test_branches_that_agree_leave_a_value_known() -> None:
    found = one("if tf.x:\n  hp.a = 1\n  hp.b = 1\nelse:\n  hp.a = 1\nhp.c = 3")
    assert value(found) == 1
    assert value(found, "c") == 3
    assert "depends on a condition" in why(found, "b")


def test_a_branch_that_raises_is_not_taken() -> None:
    found = one("if tf.x:\n  hp.a = 2\n  raise ValueError('no')\nelse:\n  hp.a = 1")
    assert value(found) == 1


@pytest.mark.parametrize(
    "body",
    [
        "tf.change(hp)",
        "tf.change([hp])",
        "hp.unheard_of_method()",
        "hp.set_hparam(tf.name, 1)",
        "hp.override_from_dict(tf.values)",
        "hp.parse(tf.flags)",
        "if tf.x: return hp",
        "(lambda h: tf.change(h))(hp)",
        "global thing\nmatch hp:\n  case _: pass",
    ],
)
def test_what_may_change_every_hparam_makes_every_one_unknown(body: str) -> None:
    found = one("hp.before = 1\n" + body + "\nhp.a = 1")
    if found.values:
        assert isinstance(value(found, "before"), Unknown)
        assert isinstance(value(found, "layer_preprocess_sequence"), Unknown)
    assert found.rest is not None
    assert isinstance(found.get("never_heard_of"), Unknown)


def test_what_is_set_after_that_is_known_again() -> None:
    found = one("tf.change(hp)\nhp.a = 1")
    assert value(found) == 1


def test_changed_and_ambiguous_globals_are_not_trusted() -> None:
    before = """
        LIST = [1]
        LIST.append(2)
        if tf.x:
            WIDTH = 1
        else:
            WIDTH = 2
        for N in range(3): LAST = N
    """
    found = one("hp.a = LIST\nhp.b = WIDTH\nhp.c = LAST", before=before)
    assert "changed after it was set" in why(found)
    assert "more than one branch" in why(found, "b")
    assert "in a loop" in why(found, "c")


def test_what_the_library_refuses_is_noted() -> None:
    found = one("hp.add_hparam('hidden_size', 1)")
    assert value(found, "hidden_size") == 1  # the last write
    assert any("add_hparam refuses 'hidden_size'" in each.why for each in found.unknowns)
    for body in (
        "hp.set_hparam('absent', 1)",
        "hp.set_hparam('hidden_size', 'x')",
        "hp.parse('hidden_size=x')",
        "hp.parse('=')",
    ):
        found = one(body)
        assert found.rest is not None
        assert "refuses this" in found.rest.why


# ---- bounds


@pytest.mark.parametrize(
    ("before", "body", "reason"),
    [
        ("def f(): return f()", "hp.a = f()", "f calls itself"),
        ("def f(n): return f(n + 1)", "hp.a = f(0)", "nested more than"),
        ("def f(): return g()\ndef g(): return f()", "hp.a = f()", "calls itself"),
        ("A = B\nB = A", "hp.a = A", "defined by itself"),
        ("", "hp.a = 2 ** 10 ** 9", "too large"),
        ("", "hp.a = 1 << 10 ** 9", "too large"),
        ("", "hp.a = 'x' * 10 ** 9", "too large"),
        ("", "hp.a = list(range(10 ** 12))", "not evaluated on these values"),
        ("", "hp.a = range(10 ** 30)", "not evaluated on these values"),
        ("", "hp.a = '%1000000000d' % 1", "format is not evaluated"),
        ("", "hp.a = '{:1000000000}'.format(1)", "not evaluated"),
        ("", "hp.a = ('x' * 90000).replace('x', 'yyyyyyyy')", "not evaluated"),
        ("", "x = [1]\nfor i in range(40): x = [x, x]\nhp.a = x", "more than 2,000 items"),
    ],
)
def test_what_would_not_end_or_fit_is_an_unknown(before: str, body: str, reason: str) -> None:
    found = one(body, before=before)
    got = found.get("a")
    unknown = got if isinstance(got, Unknown) else got.value
    assert isinstance(unknown, Unknown)
    assert reason in unknown.why


@pytest.mark.parametrize("body", ["while True: pass", "for i in range(99999):\n  for j in range(99999): hp.a = j"])
def test_a_set_that_does_not_end_is_stopped(body: str) -> None:
    found = one(body, limits=Limits(steps=2_000))
    assert found.values == {}
    assert found.rest is not None
    assert "stopped after 2,000 steps" in found.rest.why


def test_a_set_that_calls_itself_is_an_unknown() -> None:
    found = one("hp = tried()")
    assert found.rest is not None
    assert "tried calls itself" in found.rest.why
