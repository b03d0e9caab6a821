"""What code asks of sizes, and of whole numbers that inputs hold, where one call is given as a sample."""

from __future__ import annotations

from textwrap import dedent

import pytest
from evaluator_sources import Sources

from archcheck.frontends.static.sizes import Nested, Sample
from archcheck.proof.content import content

BODY = """
def f(x, mask=None):
{body}
"""


def asked(sources: Sources, body: str, held: dict[str, Nested] | None = None, given: str = "x") -> str:
    """What a function computes, called with [2, 7, 8] numbers and what else inputs hold."""
    dims = {"x": (2, 7, 8), "mask": (2, 7), "grid": (1, 3), "kinds": (4,)}
    lines = "".join(f"    {line}\n" for line in dedent(body).strip().splitlines())
    sample = Sample({name: dims[name] for name in given.split(", ")}, held or {}, evaluate=content)
    return sources.computes(f"def f({given}):\n{lines}", sample=sample)


@pytest.mark.parametrize(
    "condition",
    [
        "x.shape[1] % 4 != 0",
        "x.shape == (2, 7, 8)",
        "x.dim() == 3 and x.ndim == 3 and len(x.shape) == 3",
        "x.numel() == 112 and len(x) == 2 and x.size(-1) == 8",
        "x.transpose(1, 2).shape[-1] == 7",
        "x.reshape(-1, 4).shape[0] == 28",
        "x.mean(-1).ndim == 2 and x.var(-1, keepdim=True).shape[-1] == 1",
        "x[:, None, 1:].size() == (2, 1, 6, 8)",
        "torch.cat([x, x], dim=1).shape[1] == 14",
        "(x @ x.transpose(1, 2)).shape == (2, 7, 7)",
        "x.chunk(2, dim=-1)[1].shape[-1] == 4",
        "F.pad(x, (0, 1)).shape[-1] == 9",
        "max(4 - x.shape[1] % 4, 0) > 0 and min(x.shape) == 2",
    ],
)
def test_conditions_on_sizes_are_decided(sources: Sources, condition: str) -> None:
    body = """
    if {condition}:
        return torch.relu(x)
    return torch.tanh(x)
    """
    assert asked(sources, body.format(condition=condition)).endswith("relu %0")
    assert asked(sources, body.format(condition=f"not ({condition})")).endswith("tanh %0")


def test_a_loop_goes_round_as_often_as_there_are_entries(sources: Sources) -> None:
    found = asked(
        sources,
        """
        state = x[:, 0]
        for at in range(1, x.shape[1]):
            state = torch.tanh(state + x[:, at])
        return state
        """,
    )
    assert found.count("tanh") == 6


def test_parts_are_told_apart_where_their_number_follows(sources: Sources) -> None:
    assert asked(sources, "a, b = x.split(x.shape[-1] // 2, dim=-1)\nreturn a * b").endswith("mul %1, %1.1")


def test_sizes_stand_as_those_of_axes_where_they_stay_so(sources: Sources) -> None:
    text = asked(sources, "b, n, w = x.shape\nreturn x.view(b, n, 4, w // 4)")
    assert "shape=(unknown('the shape of a tensor[0]', 'model.py:6:12:0:0'),unknown(" in text
    assert text.endswith(",4,2,)")


@pytest.mark.parametrize(
    ("held", "kind"),
    [([[1] * 7, [1] * 7], "tanh"), ([[1] * 7, [1] * 6 + [0]], "relu")],
)
@pytest.mark.parametrize("condition", ["mask.all()", "(mask == 1).all()", "not (mask == 0).any()", "mask.min() > 0"])
def test_what_a_mask_holds_decides(sources: Sources, held: Nested, kind: str, condition: str) -> None:
    body = f"if {condition}:\n    return torch.tanh(x)\nreturn torch.relu(x)"
    assert asked(sources, body, {"mask": held}, "x, mask").splitlines()[-1].partition(" = ")[2].startswith(kind)


def test_numbers_of_a_grid_are_taken_as_such(sources: Sources) -> None:
    body = """
    for t, h, w in grid.tolist():
        for at in range(t * h):
            x = torch.tanh(x)
    if int(grid[:, 1:].prod()) == 12:
        x = torch.relu(x)
    return x
    """
    found = asked(sources, body, {"grid": [[1, 3, 4]]}, "x, grid")
    assert (found.count("tanh"), found.count("relu")) == (3, 1)


@pytest.mark.parametrize("cast", ["clone()", "long()", "to(torch.int64)", "to(mask.device)", "float()", "bfloat16()"])
def test_a_cast_that_keeps_what_is_held_keeps_it_known(sources: Sources, cast: str) -> None:
    body = f"for at in range(int(kinds.{cast}.sum())):\n    x = torch.tanh(x)\nreturn x"
    assert asked(sources, body, {"kinds": [0, 0, 2, 1]}, "x, kinds, mask").count("tanh") == 3


@pytest.mark.parametrize(
    ("cast", "held"),
    [
        ("bool()", [0, 0, 2, 1]),  # two are true
        ("type(torch.bool)", [0, 0, 2, 1]),
        ("to(mask.dtype)", [0, 0, 2, 1]),
        ("type_as(mask)", [0, 0, 2, 1]),
        ("byte()", [0, 0, -1, 1]),
        ("div(2).long()", [0, 0, 3, 1]),
        ("bfloat16()", [0, 0, 257, 1]),
    ],
)
def test_a_cast_that_may_change_what_is_held_leaves_it_open(sources: Sources, cast: str, held: Nested) -> None:
    body = f"if kinds.{cast}.sum() == 2:\n    return torch.tanh(x)\nreturn torch.relu(x)"
    dims = {"x": (2, 7, 8), "kinds": (4,), "mask": (2, 7)}
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    sample = Sample(dims, {"kinds": held}, evaluate=content)
    reading = sources.read(f"def f(x, kinds, mask):\n{lines}", sample=sample)
    assert any(".sum() == 2` is" in one for one in reading.assumptions)


def test_neighbours_that_are_alike_are_grouped(sources: Sources) -> None:
    body = """
    import itertools
    for kind, group in itertools.groupby(enumerate(kinds.tolist()), lambda pair: pair[1]):
        x = torch.tanh(x) if kind == 0 else torch.relu(x)
    return x
    """
    found = asked(sources, body, {"kinds": [0, 0, 1, 0]}, "x, kinds")
    assert [line.split()[2] for line in found.splitlines()[-3:]] == ["tanh", "relu", "tanh"]


def test_what_does_not_follow_stays_open(sources: Sources) -> None:
    """A size that content decides, and content that no input of whole numbers tells."""
    body = """
    chosen = x[x > 0]
    if chosen.shape[0] > 3:
        x = torch.relu(x)
    if (x > 0).all():
        x = torch.tanh(x)
    return x
    """
    dims = {"x": (2, 7, 8)}
    lines = "".join(f"    {line}\n" for line in dedent(body).strip().splitlines())
    reading = sources.read(f"def f(x):\n{lines}", sample=Sample(dims, evaluate=content))
    told = " ".join(reading.assumptions)
    assert "`chosen.shape[0] > 3` is false" in told
    assert "`(x > 0).all()` is false" in told


def test_without_a_sample_lists_with_an_open_size_are_not_taken_to_differ(sources: Sources) -> None:
    body = "if x.shape[:1] + (4,) != (x.shape[0], 4):\n    x = torch.relu(x)\nreturn torch.tanh(x)"
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    assert "relu" not in sources.computes(f"def f(x):\n{lines}")


def test_fields_that_had_to_be_set_are_set(sources: Sources) -> None:
    text = """
    class Config:
        def __init__(self, width=8, depth=None):
            self.width, self.depth = width, depth

    class Model(nn.Module):
        def __init__(self, config: Config):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(config.width, config.width) for _ in range(config.depth or 1))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x
    """
    plain = sources.computes(text, "Model", sample=Sample({"x": (2, 8)}))
    deeper = sources.computes(text, "Model", sample=Sample({"x": (2, 8)}, {}, (("depth", (None,), 3),)))
    other = sources.computes(text, "Model", sample=Sample({"x": (2, 8)}, {}, (("width", (None,), 3),)))
    assert (plain.count("linear"), deeper.count("linear")) == (1, 3)
    assert other == plain  # a field of that name which is something else already is another one


def test_a_bare_module_holds_what_is_put_into_it(sources: Sources) -> None:
    text = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.ModuleList()
            for _ in range(2):
                stage = nn.Module()
                stage.block = nn.ModuleList([nn.Linear(8, 8)])
                self.down.append(stage)

        def forward(self, x):
            for stage in self.down:
                x = stage.block[0](x)
            return x
    """
    assert sources.computes(text, "Model").count("linear") == 2


def test_vmap_takes_entries_calls_once_and_stacks(sources: Sources) -> None:
    text = """
    def f(x):
        return torch.vmap(torch.relu, in_dims=1, out_dims=1)(x)
    """
    sample = Sample({"x": (2, 7, 8)})
    assert [line.split()[2] for line in sources.computes(text, sample=sample).splitlines()] == [
        "select",
        "relu",
        "stack",
    ]
    asks = "def f(x):\n    y = torch.vmap(torch.relu)(x)\n    return torch.tanh(y) if y.shape == (2, 7, 8) else y\n"
    assert "tanh" in sources.computes(asks, sample=sample)


def test_shapes_that_broadcast_are_told(sources: Sources) -> None:
    body = """
    if torch.broadcast_shapes(x.shape, (8,), (5, 1, 1, 1)) == (5, 2, 7, 8):
        return torch.tanh(x)
    return torch.relu(x)
    """
    assert asked(sources, body).endswith("tanh %0")


def test_a_field_is_set_under_the_name_that_its_class_keeps_it_by(sources: Sources) -> None:
    text = """
    class Config:
        attribute_map = {"depth": "n_layer"}

        def __getattribute__(self, key):
            if key != "attribute_map" and key in super().__getattribute__("attribute_map"):
                key = super().__getattribute__("attribute_map")[key]
            return super().__getattribute__(key)

        def __init__(self, n_layer=None):
            self.n_layer = n_layer

    class Model(nn.Module):
        def __init__(self, config: Config):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(config.depth or 1))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x
    """
    deeper = sources.computes(text, "Model", sample=Sample({"x": (2, 4)}, {}, (("depth", (None,), 3),)))
    assert deeper.count("linear") == 3


KERAS = """
import keras
from keras import ops

class Split(keras.layers.Layer):
    def __init__(self, heads):
        super().__init__()
        self.heads = heads

    def build(self, given_shape):
        width = given_shape[-1] // self.heads
        self.query = keras.layers.EinsumDense("btd,dnh->btnh", (None, self.heads, width), bias_axes="nh")

    def call(self, given):
        query = self.query(given)
        if len(query.shape) == 4 and query.shape[-1] == 4:
            return ops.relu(query)
        return ops.tanh(query)

class Model(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.split = Split(2)

    def call(self, x):
        return self.split(given=x)
"""


def test_layers_of_keras_are_built_for_the_sizes_that_they_are_given(sources: Sources) -> None:
    """By keyword as well; a bias has the sizes of the axes that it is for."""
    found = sources.computes(KERAS, "Model", top="", sample=Sample({"x": (2, 7, 8)}))
    assert "shape=(8,2,4,)" in found
    assert "shape=(2,4,)" in found
    assert found.splitlines()[-1].split()[2] == "relu"


ATTENDS = """
import keras

class Attends(keras.layers.MultiHeadAttention):
    def call(self, query):
        return self._output_dense(self._query_dense(query))

class Model(keras.layers.Layer):
    def build(self, given_shape):
        self.attends = Attends(2, 4)
        self.attends.build(given_shape, given_shape)

    def call(self, x):
        return self.attends(x)
"""


def test_attention_gives_the_width_of_what_it_is_given(sources: Sources) -> None:
    found = sources.computes(ATTENDS, "Model", top="", sample=Sample({"x": (2, 7, 6)}))
    assert "shape=(6,2,4,)" in found
    assert "shape=(2,4,6,)" in found
