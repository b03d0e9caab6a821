from __future__ import annotations

import pytest
from t2t_sources import finder, one, sets

from archcheck.errors import TargetError
from archcheck.frontends.static.t2t import layer_codes, registered
from archcheck.frontends.static.t2t.results import ResolvedValue
from archcheck.frontends.static.t2t.source import Library, Unreadable, read
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Span, Step

CHAIN = """
@registry.register_hparams
def bird_v1():
    hparams = common.basic()
    hparams.hidden_size = 512
    hparams.add_hparam("num_heads", 8)
    return hparams

@registry.register_hparams
def bird_v2():
    hparams = bird_v1()
    hparams.layer_preprocess_sequence = "n"
    hparams.layer_postprocess_sequence = "da"
    return hparams

@registry.register_hparams("the_bird")
def bird():
    return bird_v2()
"""


def value(of: object) -> object:
    assert isinstance(of, ResolvedValue)
    return of.value


def test_a_chain_of_functions_is_followed_and_the_last_write_wins() -> None:
    found = sets(CHAIN)
    assert [(each.name, each.function) for each in found.values()] == [
        ("bird_v1", "bird_v1"),
        ("bird_v2", "bird_v2"),
        ("the_bird", "bird"),
    ]
    bird = found["bird"]
    assert bird.unknowns == ()
    assert bird.rest is None
    assert {name: each.value for name, each in bird.values.items()} == {
        "dropout": 0.2,
        "hidden_size": 512,
        "layer_postprocess_sequence": "da",
        "layer_preprocess_sequence": "n",
        "norm_type": "layer",
        "num_heads": 8,
        "shared": 0,
        "sizes": (1, 2),
    }


def test_each_value_has_the_line_that_set_it_and_the_calls_that_led_there() -> None:
    found = sets(CHAIN)
    pre = found["bird"].values["layer_preprocess_sequence"].setting
    path = "zoo/models/model.py"
    assert pre.name == "hparams.layer_preprocess_sequence"
    assert pre.value == "'n'"
    assert pre.span == Span(path, 15, 5, 15, 44)
    assert pre.trail == (Step("bird", Span(path, 21, 12, 21, 21)),)
    size = found["bird"].values["hidden_size"].setting
    assert [(step.function, step.span.line) for step in size.trail] == [("bird", 21), ("bird_v2", 14)]
    dropout = found["bird_v1"].values["dropout"].setting
    assert dropout.span == Span("zoo/layers/common.py", 9, 9, 9, 20)
    assert dropout.trail == (Step("bird_v1", Span(path, 7, 15, 7, 29)),)
    assert found["bird"].values["sizes"].setting.value == "[1, 2]"


def test_columns_count_characters_and_lines_are_those_of_the_file() -> None:
    text = 'x = "\u00e9\u00e9\u2028\f"; y = 1\r\n\r\n@registry.register_hparams\r\n'
    text += 'def tried():\r\n    s = "\u00e9"; h = tf.HParams(a=y, b=s)\r\n    return h\r\n'
    found = sets(text)["tried"]
    assert [each.value for each in found.values.values()] == [1, "\u00e9"]
    assert found.values["a"].setting.span == Span("zoo/models/model.py", 8, 29, 8, 32)


def test_modules_are_reached_through_every_kind_of_import() -> None:
    base = """
        from zoo.utils import registry
        import tensorflow as tf
        def start(**more):
            return tf.HParams(a=1, **more)
    """
    model = """
        import zoo.layers.base
        import zoo.layers.base as second
        from zoo.layers.base import start as third
        from ..layers import base as fourth
        from zoo.layers.every import *
        @registry.register_hparams
        def one(): return zoo.layers.base.start(b=1)
        @registry.register_hparams
        def two(): return second.start(b=2)
        @registry.register_hparams
        def three(): return third(b=3)
        @registry.register_hparams
        def four(): return fourth.start(b=4)
        @registry.register_hparams
        def five():
            from zoo.layers.base import start as inner
            from . import neighbour
            return inner(b=neighbour.FIVE)
        @registry.register_hparams
        def six(): return start(b=6)
    """
    found = sets(
        model, layers__base=base, layers__every="from zoo.layers.base import start", models__neighbour="FIVE = 2 + 3"
    )
    assert [value(each.get("b")) for each in found.values()] == [1, 2, 3, 4, 5, 6]
    assert all(value(each.get("a")) == 1 and not each.unknowns for each in found.values())


def test_a_package_may_import_its_own_modules_by_name() -> None:
    def find(module: str) -> tuple[str, str] | None:
        return {
            "zoo": ("zoo/__init__.py", ""),
            "zoo.models": ("zoo/models/__init__.py", "from zoo.models import bird\n"),
            "zoo.models.bird": ("zoo/models/bird.py", "import tensorflow as tf\ndef base(): return tf.HParams(a=1)\n"),
            "zoo.models.wren": (
                "zoo/models/wren.py",
                "from zoo.models import bird\nfrom zoo.utils import registry\n"
                "@registry.register_hparams\ndef wren(): return bird.base()\n",
            ),
        }.get(module)

    (wren,) = registered(find, "zoo.models.wren")
    assert value(wren.get("a")) == 1


def test_every_way_to_register_is_found_and_none_is_invented() -> None:
    found = sets("""
        from zoo.utils.registry import register_hparams as enrol

        @registry.register_hparams
        def PlainBird1(): return tf.HParams(a=1)

        @registry.register_hparams()
        def empty(): return tf.HParams(a=2)

        @registry.register_hparams(name="by_keyword")
        def keyword(): return tf.HParams(a=3)

        @enrol("aliased")
        def alias(): return tf.HParams(a=4)

        NAME = "computed" + "_name"
        @registry.register_hparams(NAME)
        def computed(): return tf.HParams(a=5)

        def helper(): return tf.HParams(a=6)
        registry.register_hparams("called")(helper)

        @registry.register_ranged_hparams
        def ranged(rhp): rhp.set_float("a", 0.0, 1.0)

        @registry.register_model
        class Model: pass

        if tf.VERSION > 1:
            @registry.register_hparams
            def guarded(): return tf.HParams(a=7)
    """)
    assert {each.name: value(each.get("a")) for each in found.values()} == {
        "plain_bird1": 1,
        "empty": 2,
        "by_keyword": 3,
        "aliased": 4,
        "computed_name": 5,
        "called": 6,
        "guarded": 7,
    }


def test_a_set_registered_by_a_function_is_listed_with_what_is_open() -> None:
    found = sets("""
        def enrol(name, width):
            @registry.register_hparams(name)
            def made(): return tf.HParams(width=width, depth=2)
            return made

        for n in (1, 2):
            @registry.register_hparams
            def looped(): return tf.HParams(a=1)
    """)
    made = found["enrol.made"]
    assert isinstance(made.name, Unknown)
    assert made.name.why == "name is decided when enrol is called"
    width = value(made.get("width"))
    assert isinstance(width, Unknown)
    assert "enrol" in width.why
    assert value(made.get("depth")) == 2
    assert made.unknowns != ()
    assert isinstance(found["looped"].name, Unknown)


def test_two_functions_of_one_name_are_two_sets() -> None:
    text = "@registry.register_hparams('a')\ndef f(): return tf.HParams(x=1)\n"
    text += "@registry.register_hparams('b')\ndef f(): return tf.HParams(x=2)\n"
    from t2t_sources import HEAD

    found = registered(finder(models__model=HEAD + text), "zoo.models.model")
    assert [(each.name, value(each.get("x"))) for each in found] == [("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@registry.register_hparams\ndef tried(): pass\n", "does not return an hparams object"),
        ("@registry.register_hparams\ndef tried(size): return tf.HParams(a=size)\n", "without its argument size"),
        ("@registry.register_hparams\n@cached\ndef tried(): return tf.HParams(a=1)\n", "decorated with cached"),
        ("@registry.register_hparams\nasync def tried(): return tf.HParams(a=1)\n", "asynchronous"),
        ("@registry.register_hparams\ndef tried():\n  yield tf.HParams(a=1)\n", "generator"),
        ("@registry.register_hparams\ndef tried(): raise ValueError('x')\n", "raises an exception: ValueError"),
        ("@registry.register_hparams\ndef tried(): return nowhere()\n", "the name nowhere is not bound"),
        ("@registry.register_hparams\ndef tried(): return other.thing()\n", "the name other is not bound"),
        ("import other\n@registry.register_hparams\ndef tried(): return other.thing()\n", "other.thing is called"),
    ],
)
def test_a_set_that_cannot_be_resolved_says_why(text: str, why: str) -> None:
    found = sets(text)["tried"]
    assert found.rest is not None
    assert why in found.rest.why
    assert found.rest in found.unknowns
    assert found.values == {}
    missing = found.get("a")
    assert isinstance(missing, Unknown)
    assert missing.why == found.rest.why
    assert isinstance(layer_codes(found), Unknown)


def test_a_syntax_error_is_shown_with_its_place_and_line() -> None:
    with pytest.raises(TargetError) as caught:
        registered(finder(models__model="x = 1\ny = (1,\n"), "zoo.models.model")
    assert caught.value.place == "zoo/models/model.py:2:5"
    assert "y = (1," in caught.value.excerpt
    assert "^" in caught.value.excerpt


@pytest.mark.parametrize("text", ["(" * 100_000, "x = " + "-" * 100_000 + "1", "x = 1\0", "x" * (5 << 20)])
def test_what_is_no_python_or_too_much_of_it_is_one_clear_error(text: str) -> None:
    with pytest.raises(TargetError) as caught:
        registered(finder(models__model=text), "zoo.models.model")
    assert caught.value.place.startswith("zoo/models/model.py")


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(TargetError, match=r"no module zoo\.models\.absent"):
        registered(finder(), "zoo.models.absent")


def test_a_broken_neighbour_is_an_unknown_with_its_place() -> None:
    found = one("hp.a = 1\nfrom zoo.layers import broken\nhp.b = broken.f()", layers__broken="def f(:\n")
    assert value(found.get("a")) == 1
    b = value(found.get("b"))
    assert isinstance(b, Unknown)
    assert "zoo/layers/broken.py:1:" in b.why


def test_each_module_is_asked_for_once_and_foreign_ones_never() -> None:
    asked: list[str] = []
    inner = finder(
        models__model="from zoo.layers import common\nfrom zoo.utils import registry\nimport tensorflow as tf\n" + CHAIN
    )

    def find(module: str) -> tuple[str, str] | None:
        asked.append(module)
        return inner(module)

    assert len(registered(find, "zoo.models.model")) == 3
    assert len(asked) == len(set(asked))
    assert all(module.split(".")[0] == "zoo" for module in asked)


def test_a_statement_nested_too_deeply_is_not_given_to_libcst() -> None:
    module = read("zoo.m", "zoo/m.py", "x = " + "not " * 500 + "1\n")
    with pytest.raises(Unreadable, match="nested more than"):
        module.segment(module.tree.body[0])
    found = one(f"hp.a = {'not ' * 500}1")
    assert found.rest is not None
    assert "nested more than" in found.rest.why


def test_no_more_than_so_many_modules_are_read() -> None:
    library = Library(lambda name: (name, ""), "zoo")
    for number in range(300):
        library.module(f"zoo.m{number}")
    assert any("256" in why for why in library.refused.values())
