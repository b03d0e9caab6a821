"""Functions as code passes them about: closures, partials, decorators, arguments by position, name and star."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources


def test_a_closure_sees_the_names_around_it(sources: Sources) -> None:
    text = """
        def scaled(factor):
            def inner(x):
                return x * factor
            return inner

        def f(x):
            return scaled(3)(x)
        """
    assert sources.computes(text) == "%1 = mul %0 by=3"


def test_a_closure_sees_a_name_as_it_is_when_called(sources: Sources) -> None:
    text = """
        def f(x):
            factor = 2
            scale = lambda y: y * factor
            factor = 5
            return scale(x)
        """
    assert sources.computes(text) == "%1 = mul %0 by=5"


def test_a_default_keeps_the_value_of_the_loop(sources: Sources) -> None:
    text = """
        def f(x):
            for scale in [lambda y, k=k: y * k for k in (2, 3)]:
                x = scale(x)
            return x
        """
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = mul %1 by=3"


def test_nonlocal_and_global_names_are_bound_outside(sources: Sources) -> None:
    text = """
        count = 2

        def f(x):
            seen = 1
            def note():
                nonlocal seen
                global count
                seen += 10
                count += 1
            note()
            return x * seen + count
        """
    assert sources.computes(text) == "%1 = mul %0 by=11\n%2 = add %1 by=3"


def test_partial_holds_arguments_and_later_ones_win(sources: Sources) -> None:
    text = """
        from functools import partial

        def affine(x, scale, shift=0):
            return x * scale + shift

        def f(x):
            half = partial(affine, shift=4)
            return half(half(x, 2), 3, shift=5)
        """
    expected = "%1 = mul %0 by=2\n%2 = add %1 by=4\n%3 = mul %2 by=3\n%4 = add %3 by=5"
    assert sources.computes(text) == expected


def test_reduce_and_map_call_what_they_are_given(sources: Sources) -> None:
    text = """
        from functools import reduce

        def f(x):
            parts = list(map(lambda k: x * k, (2, 3)))
            return reduce(lambda one, other: one + other, parts)
        """
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = mul %0 by=3\n%3 = add %1, %2"


def test_a_decorator_of_the_same_folder_is_applied(sources: Sources) -> None:
    text = """
        import functools

        def doubled(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs) * 2
            return wrapper

        @doubled
        def f(x):
            return x + 1
        """
    assert sources.computes(text) == "%1 = add %0 by=1\n%2 = mul %1 by=2"


def test_a_decorator_with_arguments_is_applied(sources: Sources) -> None:
    text = """
        def times(factor):
            def decorate(function):
                def wrapper(self, x):
                    return function(self, x) * factor
                return wrapper
            return decorate

        class Model(nn.Module):
            @times(7)
            def forward(self, x):
                return torch.relu(x)
        """
    assert sources.computes(text, "Model") == "%1 = relu %0\n%2 = mul %1 by=7"


def test_a_decorator_that_cannot_be_read_hides_what_it_stands_around(sources: Sources) -> None:
    text = """
        from somewhere import traced

        @traced
        def f(x):
            return x * 2
        """
    [variant] = sources.read(text).variants
    assert [op.kind.name for op in variant.graph.ops] == ["input", "mul", "opaque"]
    assert [unread.why for unread in variant.unread] == ["the decorator traced could not be read"]


def test_a_decorator_that_is_known_changes_nothing(sources: Sources) -> None:
    text = """
        from functools import lru_cache

        @lru_cache(maxsize=None)
        @torch.no_grad()
        def f(x):
            return x * 2
        """
    assert sources.computes(text) == "%1 = mul %0 by=2"


@pytest.mark.parametrize(
    ("call", "by"),
    [
        ("g(x, 2)", 2),
        ("g(x, k=3)", 3),
        ("g(**{'x': x, 'k': 4})", 4),
        ("g(*(x, 5))", 5),
        ("g(*[x], **dict(k=6))", 6),
        ("g(k=7, x=x)", 7),
        ("g(x)", 1),
    ],
)
def test_arguments_arrive_by_position_name_and_star(sources: Sources, call: str, by: int) -> None:
    assert (
        sources.computes(f"def g(x, k=1):\n    return x * k\n\ndef f(x):\n    return {call}\n")
        == f"%1 = mul %0 by={by}"
    )


def test_keywords_are_forwarded_and_taken_off_on_the_way(sources: Sources) -> None:
    text = """
        def inner(x, *, scale, **rest):
            return x * scale + len(rest)

        def outer(x, **kwargs):
            shift = kwargs.pop("shift", 0)
            return inner(x, **kwargs) - shift

        def f(x):
            return outer(x, scale=2, shift=9, other=None)
        """
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = add %1 by=1\n%3 = sub %2 by=9"


def test_positional_only_and_collected_arguments(sources: Sources) -> None:
    text = """
        def g(x, k, /, *more, last=1):
            return x * k + len(more) - last

        def f(x):
            return g(x, 2, "a", "b", last=6)
        """
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = add %1 by=2\n%3 = sub %2 by=6"


def test_a_name_may_be_positional_only_and_a_keyword_of_the_rest(sources: Sources) -> None:
    text = """
        def g(x, k=1, /, **rest):
            return x * k + rest["k"]

        def f(x):
            return g(x, k=5)
        """
    assert sources.computes(text) == "%1 = mul %0 by=1\n%2 = add %1 by=5"


def test_an_argument_too_many_raises(sources: Sources) -> None:
    [variant] = sources.read("def g(x):\n    return x\n\ndef f(x):\n    return g(x, 1)\n").variants
    assert variant.error == "TypeError: g takes 1 arguments, 2 are given"


def test_a_generator_gives_what_it_yields(sources: Sources) -> None:
    text = """
        def scales(n):
            for k in range(n):
                if k == 1:
                    continue
                yield k + 2
            yield from (8, 9)

        def f(x):
            for k in scales(3):
                x = x * k
            return x
        """
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = mul %1 by=4\n%3 = mul %2 by=8\n%4 = mul %3 by=9"


def test_a_generator_expression_is_read_in_its_order(sources: Sources) -> None:
    text = """
        def f(x):
            return sum(x * k for k in (2, 3))
        """
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = mul %0 by=3\n%3 = add %1, %2"


def test_a_context_manager_of_a_class_gives_what_it_enters(sources: Sources) -> None:
    text = """
        class Scale:
            def __init__(self, k):
                self.k = k
            def __enter__(self):
                return self.k
            def __exit__(self, *error):
                return False

        def f(x):
            with Scale(4) as k, torch.no_grad():
                x = x * k
            return x
        """
    assert sources.computes(text) == "%1 = mul %0 by=4"


def test_a_context_manager_of_a_generator_gives_what_it_yields(sources: Sources) -> None:
    text = """
        from contextlib import contextmanager

        @contextmanager
        def scale():
            yield 6

        def f(x):
            with scale() as k:
                return x * k
        """
    assert sources.computes(text) == "%1 = mul %0 by=6"


def test_checkpointing_computes_what_the_function_computes(sources: Sources) -> None:
    text = """
        from torch.utils.checkpoint import checkpoint

        class Model(nn.Module):
            def inner(self, x, k):
                return torch.relu(x) * k
            def forward(self, x):
                return checkpoint(self.inner, x, 3, use_reentrant=False)
        """
    assert sources.computes(text, "Model") == "%1 = relu %0\n%2 = mul %1 by=3"


def test_a_custom_autograd_function_computes_its_forward(sources: Sources) -> None:
    text = """
        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x
            @staticmethod
            def backward(ctx, grad):
                return grad * 99

        def f(x):
            return Square.apply(x) + 1
        """
    assert sources.computes(text) == "%1 = mul %0, %0\n%2 = add %1 by=1"


def test_recursion_that_ends_is_followed(sources: Sources) -> None:
    text = """
        def power(x, n):
            return x if n == 0 else power(x * n, n - 1)

        def f(x):
            return power(x, 3)
        """
    assert sources.computes(text) == "%1 = mul %0 by=3\n%2 = mul %1 by=2\n%3 = mul %2 by=1"


def test_a_table_filled_behind_its_definition_holds_all(sources: Sources) -> None:
    text = """
        TABLE = {"a": 2}
        TABLE["b"] = 3
        TABLE.update({"c": 5})
        for name in ("d",):
            TABLE[name] = 7

        def f(x):
            return x * TABLE["a"] * TABLE["b"] * TABLE["c"] * TABLE["d"]
        """
    assert sources.computes(text) == "%1 = mul %0 by=2\n%2 = mul %1 by=3\n%3 = mul %2 by=5\n%4 = mul %3 by=7"


def test_what_fills_a_table_runs_once(sources: Sources) -> None:
    text = """
        STACK = [2, 3, 5]
        last = STACK.pop()
        COUNTS = {"a": 1}
        COUNTS["a"] += 1

        def f(x):
            return x * last * len(STACK) * COUNTS["a"]
        """
    assert sources.computes(text) == "%1 = mul %0 by=5\n%2 = mul %1 by=2\n%3 = mul %2 by=2"


def test_a_table_bound_anew_forgets_what_it_held(sources: Sources) -> None:
    text = """
        TABLE = {}
        TABLE["a"] = 2
        TABLE = {"b": 3}

        def f(x):
            return x * TABLE.get("a", 7) * TABLE["b"]
        """
    assert sources.computes(text) == "%1 = mul %0 by=7\n%2 = mul %1 by=3"


def test_functions_bear_attributes_and_names(sources: Sources) -> None:
    text = """
        def g(x):
            return x * g.k if g.__name__ == "g" else x

        g.k = 12

        def f(x):
            return g(x)
        """
    assert sources.computes(text) == "%1 = mul %0 by=12"


def test_a_decorator_that_only_writes_docs_changes_nothing_and_one_that_does_more_is_read(sources: Sources) -> None:
    text = """
        REGISTRY = {}

        def documented(text):
            def decorate(function):
                lines = (function.__doc__ or "").split("|")
                lines[0] = text
                if not lines:
                    raise ValueError(f"{function} has no docs")
                function.__doc__ = unknown_formatter(lines)
                return function
            return decorate

        def listed(function):
            REGISTRY["g"] = 5
            function.__doc__ = "listed"
            return function

        def replaced(function):
            function.__doc__ = "replaced"
            function = lambda x: x * 7
            return function

        @documented("docs")
        @listed
        def g(x):
            return x * 3

        @replaced
        def h(x):
            return x * 11

        def f(x):
            return h(g(x)) * REGISTRY["g"]
        """
    factors = [line.split("by=")[1] for line in sources.computes(text).splitlines()]
    assert factors == ["3", "7", "5"]


def test_a_decorator_asks_for_the_names_of_arguments_and_fills_them_from_the_configuration(sources: Sources) -> None:
    """As transformers' models do with fields that stand for arguments; what it changes for the call is put back."""
    text = """
    import functools

    class Config:
        def __init__(self):
            self.act, self.causal = "tanh", True

    def filled(func):
        @functools.wraps(func)
        def wrapper(self, *args, **kwargs):
            for name in ("act", "nothing"):
                index = None
                if name in func.__code__.co_varnames:
                    index = func.__code__.co_varnames.index(name) - 1
                value = getattr(self.config, name, None)
                if index is not None and len(args) > index:
                    args = (*args[:index], value, *args[index + 1:])
                elif value is not None:
                    kwargs[name] = value
            before, self.config.causal = self.config.causal, False
            try:
                return func(self, *args, **kwargs)
            finally:
                self.config.causal = before
        return wrapper

    class Model(nn.Module):
        def __init__(self, config: Config):
            super().__init__()
            self.config = config

        @filled
        def once(self, x, act=None):
            extra = x if self.config.causal else -x
            return torch.tanh(extra) if act == "tanh" else torch.relu(extra)

        def forward(self, x):
            x = self.once(x)
            x = self.once(x, "relu")
            return torch.sigmoid(x) if self.config.causal else x
    """
    variant = next(one for one in sources.read(text, "Model").variants if one.default)
    kinds = [op.kind.name for op in variant.graph.ops]
    assert (variant.unread, kinds) == ((), ["input", "neg", "tanh", "neg", "tanh", "sigmoid"])


def test_the_names_of_a_function_are_its_arguments_and_then_its_other_variables(sources: Sources) -> None:
    text = """
    def g(a, *rest, b, **more):
        for at in rest:
            c = [inner for inner in at]
        def h(d):
            e = d
        return c

    def f(x):
        return torch.tanh(x) if g.__code__.co_varnames[:6] == ("a", "b", "rest", "more", "at", "c") else x
    """
    assert sources.computes(text).endswith("tanh %0")
