"""Control flow: what runs, how often, and what stays open."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources, ops


def chosen(sources: Sources, body: str) -> str:
    """What `k` is after the lines of `body`, told by the op that multiplies by it."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    return sources.computes(f"def f(x):\n{lines}    return x * k\n").removeprefix("%1 = mul %0 by=")


@pytest.mark.parametrize(
    ("body", "k"),
    [
        ("k = 0\nfor i in range(4):\n    k += i", 6),
        ("k = 0\nfor i in range(9):\n    if i == 3:\n        break\n    k = i", 2),
        ("k = 0\nfor i in range(5):\n    if i % 2:\n        continue\n    k += i", 6),
        ("k = 0\nfor i in range(3):\n    pass\nelse:\n    k = 7", 7),
        ("k = 0\nfor i in range(3):\n    break\nelse:\n    k = 7", 0),
        ("k = 0\nfor i, (a, b) in enumerate(zip((1, 2), (3, 4)), start=10):\n    k += i * a * b", 10 * 3 + 11 * 8),
        ("k = 0\nfor i in reversed(range(3)):\n    k = k * 10 + i", 210),
        ("k = 1\nwhile k < 50:\n    k *= 3", 81),
        ("k = 1\nwhile True:\n    k += 1\n    if k > 4:\n        break\nelse:\n    k = 99", 5),
        ("k = 3\nwhile k:\n    k -= 1\nelse:\n    k = 99", 99),
        ("for i in range(3):\n    for j in range(3):\n        if j == 1:\n            break\nk = i * 10 + j", 21),
    ],
)
def test_loops(sources: Sources, body: str, k: int) -> None:
    assert chosen(sources, body) == str(k)


@pytest.mark.parametrize(
    ("body", "k"),
    [
        ("try:\n    k = {}['a']\nexcept KeyError:\n    k = 1", 1),
        ("try:\n    k = [][3]\nexcept (TypeError, LookupError):\n    k = 2", 2),
        ("try:\n    raise ValueError('no')\nexcept Exception as error:\n    k = 3", 3),
        ("try:\n    k = 4\nexcept KeyError:\n    k = 9\nelse:\n    k += 1", 5),
        ("try:\n    k = 4\nfinally:\n    k = 6", 6),
        (
            "try:\n    try:\n        raise KeyError\n    except TypeError:\n        k = 1\nexcept KeyError:\n    k = 7",
            7,
        ),
        ("try:\n    try:\n        raise KeyError('a')\n    finally:\n        j = 8\nexcept KeyError:\n    k = j", 8),
        ("try:\n    k = int('9')\nexcept ValueError:\n    k = 1", 9),
        ("try:\n    raise NotImplementedError\nexcept RuntimeError:\n    k = 10", 10),
        ("class Mine(ValueError):\n    pass\ntry:\n    raise Mine('x')\nexcept ValueError:\n    k = 11", 11),
    ],
)
def test_exceptions(sources: Sources, body: str, k: int) -> None:
    assert chosen(sources, body) == str(k)


@pytest.mark.parametrize(
    ("subject", "k"),
    [("'a'", 1), ("'b'", 2), ("'c'", 2), ("None", 3), ("[4, 5]", 9), ("{'key': 6}", 6), ("8", 16), ("'z'", 0)],
)
def test_match(sources: Sources, subject: str, k: int) -> None:
    body = f"""
match {subject}:
    case "a":
        k = 1
    case "b" | "c":
        k = 2
    case None:
        k = 3
    case [one, other]:
        k = one + other
    case {{"key": value}}:
        k = value
    case int(number) if number > 7:
        k = number * 2
    case _:
        k = 0
"""
    assert chosen(sources, body) == str(k)


def test_a_conditional_expression_and_an_assignment_inside(sources: Sources) -> None:
    assert chosen(sources, "k = a if (a := 4) > 3 else 9") == "4"
    assert chosen(sources, "k = 1 if 2 < 1 else 3") == "3"


def test_an_exception_reaches_the_caller_that_catches_it(sources: Sources) -> None:
    text = """
        def g(x, kind):
            if kind not in ("a", "b"):
                raise ValueError(f"no {kind}")
            return x * 2

        def f(x):
            try:
                return g(x, "c")
            except ValueError:
                return x * 3
        """
    assert sources.computes(text) == "%1 = mul %0 by=3"


# ---- three truths


@pytest.mark.parametrize(
    ("test", "k"),
    [
        ("unknown and False", 2),
        ("False and unknown", 2),
        ("unknown or True", 1),
        ("True or unknown", 1),
        ("not (unknown or True)", 2),
        ("(unknown == 1) and 1 > 2", 2),
        ("1 < 2 < 3 < 2 < unknown", 2),
        ("any([unknown, True])", 1),
        ("all([unknown, False])", 2),
    ],
)
def test_what_is_known_decides_beside_what_is_not(sources: Sources, test: str, k: int) -> None:
    text = f"""
        class Model(nn.Module):
            def __init__(self, unknown):
                super().__init__()
                self.k = 1 if {test} else 2
            def forward(self, x):
                return x * self.k
        """
    assert sources.computes(text, "Model") == f"%1 = mul %0 by={k}"


FORK = """
    class Model(nn.Module):
        def __init__(self, wide):
            super().__init__()
            self.wide = wide
        def forward(self, x):
            if self.wide:
                x = x * 2
            else:
                x = x * 3
            return x + 1 if self.wide else x + 4
    """


def test_an_open_condition_gives_both_sides_and_no_default(sources: Sources) -> None:
    reading = sources.read(FORK, "Model")
    told = {variant.when: ops(variant) for variant in reading.variants}
    assert told == {
        (("wide", False),): "%1 = mul %0 by=3\n%2 = add %1 by=4",
        (("wide", True),): "%1 = mul %0 by=2\n%2 = add %1 by=1",
    }
    assert not any(variant.default for variant in reading.variants)


def test_an_argument_closes_the_condition(sources: Sources) -> None:
    assert sources.computes(FORK, "Model", {"wide": "True"}) == "%1 = mul %0 by=2\n%2 = add %1 by=1"


def test_sides_that_compute_the_same_are_one(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self, fast):
                super().__init__()
                self.fast = fast
            def forward(self, x):
                if self.fast:
                    return torch.relu(x)
                return F.relu(x)
        """
    assert sources.computes(text, "Model") == "%1 = relu %0"


def test_a_flag_is_turned_to_show_its_other_side(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self, gated=False, k=2):
                super().__init__()
                self.gated = gated
            def forward(self, x):
                if self.gated:
                    x = torch.sigmoid(x)
                return x * 2
        """
    reading = sources.read(text, "Model")
    assert {(v.when, v.default, ops(v)) for v in reading.variants} == {
        ((), True, "%1 = mul %0 by=2"),
        ((("gated", True),), False, "%1 = sigmoid %0\n%2 = mul %1 by=2"),
    }
    assert [setting.name for setting in reading.consulted] == ["gated"]


def test_a_flag_that_is_given_is_not_turned(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self, gated=False):
                super().__init__()
                self.gated = gated
            def forward(self, x):
                return torch.sigmoid(x) if self.gated else x * 2
        """
    assert sources.computes(text, "Model", {"gated": "True"}) == "%1 = sigmoid %0"


def test_a_branch_that_only_complains_is_not_taken(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self, size):
                super().__init__()
                if size % 8 != 0:
                    raise ValueError("no multiple of 8")
                assert size > 0
            def forward(self, x):
                if x.shape[-1] != 4:
                    raise ValueError("the size")
                return x * 2
        """
    assert sources.computes(text, "Model") == "%1 = mul %0 by=2"


def test_a_test_of_a_shape_is_assumed_false_and_told(sources: Sources) -> None:
    text = """
        def f(x):
            if x.dim() == 2:
                return x * 2
            return x * 3
        """
    reading = sources.read(text)
    assert ops(reading.variants[0]) == "%1 = mul %0 by=3"
    assert any("`x.dim() == 2` is false" in text for text in reading.assumptions)


def test_an_optional_argument_is_given_where_layers_would_be_unused(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.cross = nn.Tanh()
            def forward(self, x, memory=None, mask=None):
                if mask is not None:
                    x = x * 9
                if memory is not None:
                    x = x + self.cross(memory)
                return x * 2
        """
    reading = sources.read(text, "Model")
    [variant] = reading.variants
    inputs = [op.attr("name") for op in variant.graph.ops if op.kind.name == "input"]
    assert inputs == ["x", "memory"]
    assert [op.kind.name for op in variant.graph.ops if op.kind.name != "input"] == ["tanh", "add", "mul"]
    assert any("called with memory" in text for text in reading.assumptions)


def test_an_optional_argument_without_layers_stays_away(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def forward(self, x, mask=None):
                return x * 2 if mask is None else x * mask
        """
    assert sources.computes(text, "Model") == "%1 = mul %0 by=2"


_LAYERS = """
    class Model(nn.Module):
        def __init__(self, p=0.1):
            super().__init__()
            self.a, self.b, self.p = nn.Linear(8, 8), nn.LayerNorm(8), p
        def forward(self, x):
            {body}
    """


@pytest.mark.parametrize(
    "body",
    [
        "return x if self.training and torch.rand(1) < self.p else self.a(x)",
        "return self.a(x) if torch.rand(1) < 1 - self.p else x",
        "return self.a(x) if not (self.training and torch.rand(1) > 1 - self.p) else x",
        "skip = torch.rand([]) < self.p\n            return x if skip else self.a(x)",
    ],
)
def test_what_is_dropped_at_random_is_kept(sources: Sources, body: str) -> None:
    reading = sources.read(_LAYERS.format(body=body), "Model")
    assert [op.kind.name for op in reading.variants[0].graph.ops][-1] == "linear"
    assert len(reading.variants) == 1
    assert "what is dropped at random is kept" in reading.assumptions


@pytest.mark.parametrize("test", ["torch.rand(1) < 0.5", "self.training and torch.rand(1) > self.p"])
def test_a_random_choice_between_two_layers_is_read_on_both_sides(sources: Sources, test: str) -> None:
    reading = sources.read(_LAYERS.format(body=f"return self.a(x) if {test} else self.b(x)"), "Model")
    last = {[op.kind.name for op in variant.graph.ops][-1] for variant in reading.variants}
    assert last == {"linear", "layer_norm"}
    assert not any(variant.default for variant in reading.variants)


def test_a_handler_with_layers_of_its_own_is_an_assumption(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Linear(8, 8), nn.LayerNorm(8)
            def forward(self, x):
                try:
                    return self.a(x)
                except RuntimeError:
                    return {handler}
        """
    told = "what a `try` runs does not fail, and no handler calls its layers"
    assert told in sources.read(text.format(handler="self.b(x)"), "Model").assumptions
    assert told not in sources.read(text.format(handler="x"), "Model").assumptions


SIZES = {
    "x.shape[1] != 1": "relu",
    "x.shape[1] == 1": "tanh",
    "x.size(0) > 1": "relu",
    "1 < x.size(0)": "relu",
    "x.shape[0] <= 1": "tanh",
    "not x.shape[0] == 1": "relu",
    "3 > 2 and x.shape[0] > 0": "relu",
    "x.shape[0] == 1 or x.shape[1] > 1": "relu",
    "x.shape[0] > 1 and x.shape[1] % 2 == 0": "tanh",  # nothing is known of whether a size is even
    "x.shape[1] % 2 == 0 and x.shape[0] > 1": "tanh",
    "x.shape[1] % 2 == 0 or x.shape[0] > 1": "relu",
    "x.shape[1] % 7 != 0": "tanh",
    "x.shape[1] > 512": "tanh",
}


@pytest.mark.parametrize("condition", SIZES)
def test_a_size_is_taken_to_be_more_than_one(sources: Sources, condition: str) -> None:
    text = f"def f(x):\n    if {condition}:\n        return torch.relu(x)\n    return torch.tanh(x)\n"
    reading = sources.read(text)
    [variant] = reading.variants
    assert SIZES[condition] in ops(variant)
    assert any(
        f"`{condition}` is {'true' if SIZES[condition] == 'relu' else 'false'}" in one for one in reading.assumptions
    )


def test_both_sides_are_read_where_a_size_chooses_between_modules(sources: Sources) -> None:
    text = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.one, self.many = nn.Linear(8, 8), nn.LayerNorm(8)
            def forward(self, x):
                return self.many(x) if x.shape[1] > 1 else self.one(x)
        """
    first, second = sources.read(text, "Model").variants
    assert "layer_norm" in ops(first)
    assert "linear" in ops(second)


def test_a_mask_of_ones_is_known_to_hide_nothing(sources: Sources) -> None:
    text = """
        import torch

        def f(x, mask=None):
            if mask is None:
                mask = torch.ones(x.shape[:2])
            mask = mask.to(dtype=torch.bool)[None].expand(2, 3) if False else mask.to(dtype=torch.bool)
            if not mask.all():
                x = x * mask
            if torch.zeros(3).any():
                x = x * 5
            return x + 1
        """
    assert "mul" not in sources.computes(text)


@pytest.mark.parametrize(
    "condition", ['x.device.type != "cuda"', 'not x.device.type == "cuda"', '"xpu" != x.device.type']
)
def test_a_model_runs_without_an_accelerator(sources: Sources, condition: str) -> None:
    reading = sources.read(f"def f(x):\n    return torch.tanh(x) if {condition} else torch.relu(x)")
    [variant] = reading.variants
    assert variant.graph.ops[-1].kind.name == "tanh"


@pytest.mark.parametrize("again", ["raise", "raise error", "raise error from None"])
def test_what_a_handler_raises_anew_is_what_it_caught(sources: Sources, again: str) -> None:
    text = f"""
    def inner(log):
        try:
            raise AttributeError("gone")
        except AttributeError as error:
            log.append("inner")
            {again}
        finally:
            log.append("at last")

    def f(x):
        log = []
        try:
            inner(log)
        except KeyError:
            return torch.sigmoid(x)
        except AttributeError:
            return torch.tanh(x) if log == ["inner", "at last"] else x
        return torch.relu(x)
    """
    assert sources.computes(text).endswith("tanh %0")


def test_a_return_of_finally_lets_nothing_else_out(sources: Sources) -> None:
    text = """
    def inner(x):
        try:
            raise ValueError("lost")
        finally:
            return torch.tanh(x)

    def f(x):
        return torch.relu(inner(x))
    """
    assert sources.computes(text) == "%1 = tanh %0\n%2 = relu %1"
