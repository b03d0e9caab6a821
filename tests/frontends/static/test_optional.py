"""Optional arguments: which are given so that the layers that were built are used, and how many runs it takes."""

from __future__ import annotations

from evaluator_sources import Sources

from archcheck.frontends.static import optional, reader
from archcheck.frontends.static.entry import Call, Run

DECODER = """
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(8)
            self.cross = nn.Linear(8, 8)
            self.drop = nn.Dropout(0.1)
            self.spare = nn.Linear(8, 8)
        def forward(self, x, mask=None, bias=None, memory=None):
            x = self.norm(x)
            x = nn.functional.dropout(x, self.drop.p)
            if memory is not None:
                x = x + self.cross(memory)
            return x
        def unused(self, x):
            return self.spare(x)
    """


def test_an_argument_is_given_where_a_layer_would_not_be_used_without_it(sources: Sources) -> None:
    reading = sources.read(DECODER, "Layer")
    assert reading.given == {"memory"}
    assert "called with memory" in " ".join(reading.assumptions)
    [variant] = reading.variants
    assert [op.kind.name for op in variant.graph.ops if op.kind.name != "input"] == [
        "layer_norm",
        "dropout",
        "linear",
        "add",
    ]


def test_a_layer_that_no_code_that_runs_mentions_is_not_looked_for(sources: Sources) -> None:
    text = DECODER.replace("x = x + self.cross(memory)", "x = x + memory").replace(
        "self.cross = nn.Linear(8, 8)", "pass"
    )
    runs = _counted(sources, text)
    assert runs == [frozenset()]


def test_a_layer_that_another_replaced_is_not_looked_for(sources: Sources) -> None:
    text = """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.act = nn.Identity()
                self.act = nn.ReLU()
            def forward(self, x, mask=None, bias=None):
                return self.act(x)
        """
    assert _counted(sources, text) == [frozenset()]


def test_what_a_model_holds_may_be_called_in_its_place(sources: Sources) -> None:
    text = """
        class Inner(nn.Module):
            def __init__(self):
                super().__init__()
                self.decoder = nn.Linear(8, 8)
            def forward(self, x):
                return self.decoder(x)

        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.model = Inner()
            def forward(self, x, mask=None, bias=None):
                return self.model.decoder(x)
        """
    assert _counted(sources, text) == [frozenset()]


def test_arguments_that_exclude_each_other_are_told_apart(sources: Sources) -> None:
    text = """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = nn.Embedding(10, 8)
                self.out = nn.Linear(8, 8)
            def forward(self, mask=None, embeds=None, ids=None):
                if (ids is None) == (embeds is None):
                    raise ValueError("one of both")
                return self.out(self.embed(ids) if embeds is None else embeds)
        """
    assert sources.read(text, "Layer").given == {"ids"}


def test_what_a_failure_was_for_want_of_is_given_first(sources: Sources) -> None:
    text = """
        class Stack(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = nn.Embedding(10, 8)
            def forward(self, ids=None, embeds=None, memory=None):
                if (ids is None) == (embeds is None):
                    raise ValueError("one of both")
                return self.embed(ids) if embeds is None else embeds

        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = Stack()
                self.decoder = Stack()
            def forward(self, mask=None, bias=None, ids=None, embeds=None, answer=None, answer_embeds=None, more=None):
                memory = self.encoder(ids, embeds=embeds)
                return self.decoder(**{"memory": memory}, ids=answer, embeds=answer_embeds)
        """
    one, other = frozenset({"ids"}), frozenset({"embeds"})
    assert sources.read(text, "Layer").given == {"ids", "answer"}
    offered = frozenset[str]()  # the first argument of all, the mask, was no help
    assert _counted(sources, text) == [offered, frozenset(), one, other, one | {"answer"}]


def test_an_argument_whose_attribute_is_read_is_wanted(sources: Sources) -> None:
    text = """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.out = nn.Linear(8, 8)
            def forward(self, x, bias=None, mask=None, ids=None):
                shape = ids.shape
                return self.out(ids.float())
        """
    assert _counted(sources, text) == [frozenset(), {"ids"}]


def test_a_call_that_would_be_given_no_tensor_is_given_its_first_argument(sources: Sources) -> None:
    text = """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = nn.Embedding(10, 8)
                self.out = nn.Linear(8, 8)
            def forward(self, ids=None, mask=None, embeds=None):
                if (ids is None) == (embeds is None):
                    raise ValueError("one of both")
                return self.out(self.embed(ids) if embeds is None else embeds)
        """
    assert sources.read(text, "Layer").given == {"ids"}
    assert _counted(sources, text) == [frozenset()]  # the only run


def test_what_is_handed_in_ready_does_not_keep_layers_from_being_read(sources: Sources) -> None:
    text = """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.Linear(8, 8)
                self.out = nn.Linear(8, 8)
            def forward(self, encoded=None, ids=None):
                if encoded is None:
                    encoded = self.encoder(ids.float())
                return self.out(encoded)
        """
    assert sources.read(text, "Layer").given == {"ids"}


def _counted(sources: Sources, text: str) -> list[frozenset[str]]:
    """The optional arguments of each run that reading takes."""
    given: list[frozenset[str]] = []
    before = reader.optional.complete

    def complete(once: optional.Once, call: Call, first: Run) -> tuple[Call, Run]:
        def noted(one: Call) -> Run:
            given.append(one.given)
            return once(one)

        given.append(call.given)
        return before(noted, call, first)

    reader.optional.complete = complete  # type: ignore[assignment]
    try:
        sources.read(text, "Layer")
    finally:
        reader.optional.complete = before
    return given


CHAIN = """
    class Rotation(nn.Module):
        def __init__(self):
            super().__init__()
            self.query = nn.Linear(8, 8)
        def forward(self, x, angles=None, places=None):
            x = self.query(x)
            cos, sin = angles
            return turn(
                x * cos,
                places.shape,
            ) + sin

    def turn(x, shape):
        return x.reshape(shape)

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Rotation()
            self.out = nn.Linear(8, 8)
        def forward(self, x, mask=None, angles=None, places=None):
            return self.out(self.inner(x, angles=angles, places=places))
    """


def test_what_is_wanted_one_after_the_other_is_given_together(sources: Sources) -> None:
    reading = sources.read(CHAIN, "Layer")
    assert reading.given == {"angles", "places"}
    assert not reading.variants[0].unread


GIVEN_NONE = """
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.map = nn.Linear(8, 8)
            self.relative = nn.Linear(8, 8)
        def forward(self, x, mask=None, positions=None):
            return self.scores(self.map(x), positions)
        def scores(self, x, positions):
            return x @ self.relative(positions)
    """


def test_a_layer_of_a_library_must_be_given_something(sources: Sources) -> None:
    reading = sources.read(GIVEN_NONE, "Layer")
    assert reading.given == {"positions"}
    plain = sources.read(GIVEN_NONE.replace(", positions=None", "").replace(", positions)", ", None)", 1), "Layer")
    assert plain.variants[0].error == "TypeError: torch.nn.Linear is given None"


PYRAMID = """
    from typing import List

    class Pyramid(nn.Module):
        def __init__(self):
            super().__init__()
            self.high, self.low = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3)
        def forward(self, features: List[torch.Tensor]):
            high, low = features[-2:]
            return torch.stack([self.high(high), self.low(low)]).sum(0)
    """


def test_a_list_of_tensors_is_given_as_one(sources: Sources) -> None:
    (variant,) = sources.read(PYRAMID, "Pyramid").variants
    assert [op.kind.name for op in variant.graph.ops if op.kind.name != "select"] == [
        "input",
        "conv",
        "conv",
        "stack",
        "sum",
    ]
    (stack,) = [op for op in variant.graph.ops if op.kind.name == "stack"]
    assert len(stack.reads) == 2


def test_a_list_of_what_is_not_known_is_not_known(sources: Sources) -> None:
    (variant,) = sources.read(PYRAMID.replace("List[torch.Tensor]", "dict"), "Pyramid").variants
    assert variant.error.startswith("what it gives is not known: ")
    assert "features is not given" in variant.error


def test_an_argument_that_is_only_good_with_another_is_given_with_it(sources: Sources) -> None:
    """An encoder of sound needs the mask beside the features; either alone does not help."""
    text = """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = nn.Embedding(10, 8)
                self.listen = nn.Linear(8, 8)
                self.norm = nn.LayerNorm(8)
            def forward(self, ids, features=None, mask=None, other=None):
                x = self.embed(ids)
                if features is not None:
                    x = x + self.listen(features) * mask.sum(-1)
                return self.norm(x)
        """
    assert sources.read(text, "Model").given == {"features", "mask"}


def test_what_is_wanted_is_known_through_a_wrapper(sources: Sources) -> None:
    """A method that is called as `f(self, *args, **kwargs)` names its arguments as its caller does."""
    text = """
        def wrapped(function):
            def wrapper(self, *args, **kwargs):
                return function(self, *args, **kwargs)
            return wrapper

        class Decoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed, self.norm = nn.Embedding(10, 8), nn.LayerNorm(8)
            @wrapped
            def forward(self, ids=None, embeds=None, more=None):
                if (ids is None) ^ (embeds is not None):
                    raise ValueError("one of both")
                return self.norm(self.embed(ids) if embeds is None else embeds)

        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder, self.decoder = nn.Linear(8, 8), Decoder()
            def forward(self, x, mask=None, decoder_ids=None, decoder_embeds=None):
                return self.decoder(ids=decoder_ids, embeds=decoder_embeds) + self.encoder(x)
        """
    assert _counted(sources, text) == [frozenset(), {"decoder_ids"}]


def test_tensors_that_are_given_under_names(sources: Sources) -> None:
    text = """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.map = nn.Linear(8, 8)
            def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
                x = self.map(features["words"]) + features["words"]
                if "weights" in features:
                    x = x * features["weights"]
                features.update({"sentence": torch.relu(x)})
                return features
        """
    [variant] = sources.read(text, "Layer").variants
    kinds = [(op.kind.name, op.attr("name")) for op in variant.graph.ops]
    assert kinds == [("input", "features[words]"), ("linear", None), ("add", None), ("relu", None)]
