"""What Python's standard library does to values that are known: containers, dataclasses, regular expressions, kinds."""

from __future__ import annotations

from textwrap import dedent

import pytest
from evaluator_sources import Sources, ops


def number(sources: Sources, body: str, top: str = "") -> str:
    """What `k` is behind `body`: the reader tells by the factor of a product."""
    text = dedent(top) + "\ndef f(x):\n" + "".join(f"    {line}\n" for line in dedent(body).strip().splitlines())
    return sources.computes(text + "    return x * k\n").removeprefix("%1 = mul %0 by=")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("d = collections.defaultdict(list)\nd['a'].append(2)\nd['a'].append(3)\nk = len(d['a']) + 3", "5"),
        ("d = collections.defaultdict(int)\nd['a'] += 7\nk = d['a']", "7"),
        ("d = collections.deque([3])\nd.appendleft(5)\nk = d[0] * 10 + d.popleft() + d[0]", "58"),
        ("k = int(re.split(r'(\\d.*)', 'ir23')[1])", "23"),
        ("k = len(re.split(r'(\\d.*)', 'noskip')) + 1", "2"),
        ("m = re.match(r'(\\w)(\\d)', 'a7b')\nk = int(m.group(2)) if m else 2", "7"),
        ("m = re.fullmatch(r'(?P<n>\\d)', '9')\nk = int(m['n'] if False else m.groupdict()['n'])", "9"),
        ("k = 3 if re.search('q', 'abc') else 4", "4"),
        ("p = re.compile('l(\\\\d)')\nk = int(p.findall('l3 l5')[1])", "5"),
        ("k = int(re.sub('[a-z]', '', 'e6'))", "6"),
    ],
)
def test_values_are_computed(sources: Sources, body: str, expected: str) -> None:
    assert number(sources, body, "import collections\nimport re") == expected


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(a|a)*\\\\1b", "a*a*a*a*a*a*a*a*a*b", "(x*)*" * 3],
    ids=["nested", "reference", "many", "rows"],
)
def test_a_pattern_that_may_take_forever_is_not_run(sources: Sources, pattern: str) -> None:
    text = f"import re\n\ndef f(x):\n    return x if re.match('{pattern}', 'a' * 5000) else x * 2\n"
    found = sources.read(text)  # comes to an end
    assert any("a pattern that may take very long" in assumption for assumption in found.assumptions)


def test_a_dataclass_as_a_mapping(sources: Sources) -> None:
    top = """
        from dataclasses import asdict, dataclass, field

        @dataclass
        class Inner:
            width: int = 4

        @dataclass
        class Outer:
            inner: Inner = field(default_factory=Inner)
            depth: int = 3

            def __post_init__(self):
                self.made = 9
        """
    assert number(sources, "d = asdict(Outer())\nk = d['inner']['width'] * 10 + len(d)", top) == "42"


def test_modules_are_found_by_the_name_that_functions_have(sources: Sources) -> None:
    text = """
        import sys

        __all__ = ["a", "b"]

        def named(function):
            module = sys.modules[function.__module__]
            if hasattr(module, "__all__"):
                module.__all__.append(function.__name__)
            return function

        @named
        def f(x):
            return x * len(__all__)
        """
    assert sources.computes(text) == "%1 = mul %0 by=3"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("nn.LayerNorm", True),
        ("F.relu", True),
        ("isinstance(nn.LayerNorm, functools.partial)", False),
        ("isinstance(functools.partial(nn.LayerNorm, eps=1), functools.partial)", True),
        ("isinstance(nn.LayerNorm, nn.Module)", False),
        ("isinstance(Own, nn.Module)", False),
        ("isinstance(Own, types.FunctionType)", False),
        ("isinstance(f, types.FunctionType)", True),
        ("isinstance(nn.LayerNorm, types.FunctionType)", False),
        ("isinstance(Own, type)", True),
        ("isinstance(nn.LayerNorm, type)", True),
        ("isinstance(f, type)", False),
        ("callable(nn.LayerNorm)", True),
    ],
)
def test_classes_and_functions_of_a_framework_are_what_they_are(sources: Sources, test: str, expected: bool) -> None:
    text = (
        f"import functools\nimport types\n\nclass Own:\n    pass\n\ndef f(x):\n    return x + 1 if {test} else x - 1\n"
    )
    assert sources.computes(text) == ("%1 = add %0 by=1" if expected else "%1 = sub %0 by=1")


def test_a_function_that_builds_a_model_is_read_as_the_model(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self, depth):
                super().__init__()
                self.parts = nn.Sequential(*[nn.ReLU() for _ in range(depth)])

            def forward(self, images):
                return self.parts(images)

        def small(pretrained=False, **kwargs):
            return Model(**dict(depth=2, **kwargs))
        """
    [variant] = sources.read(text, "small").variants
    assert ops(variant) == "%1 = relu %0\n%2 = relu %1"
    assert [op.attr("name") for op in variant.graph.ops if op.kind.name == "input"] == ["images"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("k = functools.reduce(operator.mul, [2, 3, 4], 1)", "24"),
        ("k = operator.floordiv(9, 2)", "4"),
        ("p = functools.partial(functools.partial(max, 3), 7)\nk = p.func(*p.args, 5)", "7"),
        ("a = 2\nb = 3\nk = locals()['a'] * 10 + locals()['b']", "23"),
    ],
)
def test_functions_of_functions(sources: Sources, body: str, expected: str) -> None:
    assert number(sources, body, "import functools\nimport operator") == expected


def test_what_may_be_left_out_of_a_pattern_is_no_repetition(sources: Sources) -> None:
    test = "re.search('^[^/]+/[^/]+(?:@[^:]+)?(?::.+)?$', 'eager')"
    text = f"import re\n\ndef f(x):\n    return x + 1 if {test} else x - 1\n"
    assert sources.computes(text) == "%1 = sub %0 by=1"


def test_numbers_that_numpy_sums_up_are_known(sources: Sources) -> None:
    text = """
    import numpy as np

    class Model(nn.Module):
        def __init__(self, depths=(1, 2)):
            super().__init__()
            self.ends = (np.cumsum(depths) - 1).tolist()
            self.rates = (torch.linspace(0, 1, 3) * 0.2).tolist()

        def forward(self, x):
            for at, rate in enumerate(self.rates):
                x = F.dropout(x, rate)
                if at in self.ends:
                    x = torch.relu(x)
            return x
    """
    kinds = [line.split()[2] for line in sources.computes(text, "Model").splitlines()]
    assert kinds[-5:] == ["dropout", "relu", "dropout", "dropout", "relu"]
