"""What a configuration says becomes ops, in each of the forms in which Keras writes it."""

from __future__ import annotations

import base64
import json
import marshal
from pathlib import Path
from typing import Any

import pytest
from configurations import Json, given, layer, model, old, operation, saved, sequence, tensor

from archcheck import pipeline
from archcheck.errors import TargetError
from archcheck.findings import Verdict
from archcheck.frontends.targets import parse_target, resolve
from archcheck.ir.graph import Op, OpGraph
from archcheck.sweep import Read, Request, read_symbol


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(told: Json, *, training: bool = True, name: str = "model.keras") -> Read:
    Path(name).write_bytes(json.dumps(told).encode() if name.endswith(".json") else saved(told))
    target = resolve(parse_target(name))
    return read_symbol(target, "", target.symbol, Request(name, training=training))


def raw(told: Json, *, training: bool = True) -> OpGraph:
    """The graph before anything is made of it."""
    return load(told, training=training).reading.variants[0].graph


def lines(graph: OpGraph) -> list[str]:
    """Each op with what it reads, ops by their number."""
    numbers = {op.path: at for at, op in enumerate(graph.ops)}
    shown = []
    for op in graph.ops:
        name = f" {op.attr('name')}" if op.kind.name in ("input", "opaque") else ""
        shown.append(" ".join([op.kind.name + name, *(str(numbers[value.op]) for value in op.reads)]))
    return shown


def only(graph: OpGraph, kind: str) -> Op:
    (found,) = (op for op in graph.ops if op.kind.name == kind)
    return found


def x(name: str, rank: int = 3, node: int = 0, at: int = 0) -> list[Any]:
    return [tensor(name, rank, node, at)]


BLOCK = model(
    given(),
    layer("LayerNormalization", "norm", x("x"), axis=[2], epsilon=1e-6),
    layer("Dense", "up", x("norm"), units=64, activation="gelu"),
    layer("Dense", "down", x("up"), units=16),
    layer("Dropout", "drop", {"args": x("down"), "kwargs": {"training": False}}, rate=0.1),
    layer("Add", "add", [[tensor("x"), tensor("drop")]]),
)
OLD_BLOCK = {
    "class_name": "Functional",
    "config": {
        "name": "block",
        "layers": [
            old("InputLayer", "x", batch_input_shape=[None, None, 16]),
            old("LayerNormalization", "norm", [["x", 0, 0, {}]], axis=[2], epsilon=1e-6),
            old("Dense", "up", [["norm", 0, 0, {}]], units=64, activation="gelu"),
            old("Dense", "down", [["up", 0, 0, {}]], units=16),
            old("Dropout", "drop", [["down", 0, 0, {}]], rate=0.1),
            old("Add", "add", [["x", 0, 0, {}], ["drop", 0, 0, {}]]),
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["add", 0, 0]],
    },
}


@pytest.mark.parametrize("told", [BLOCK, OLD_BLOCK], ids=["new", "old"])
def test_both_forms_are_one_graph(told: Json) -> None:
    graph = raw(told)
    assert lines(graph) == [
        "input x",
        "layer_norm 0",
        "linear 1",
        "gelu 2",
        "linear 3",
        "dropout 4",
        "add 0 5",
    ]
    assert only(graph, "layer_norm").attr("axis") == -1  # counted from the front once a layer is built
    assert only(graph, "layer_norm").attr("eps") == 1e-6
    assert only(graph, "layer_norm").path == "norm/0.layer_norm"


def test_a_paper_is_held_against_a_file() -> None:
    spec = """
archcheck: 1
id: doe2026
title: A Block
terms: {norm: layer_norm}
blocks:
  block:
    where: Equation 1
    flow: x = x + dropout(feed_forward(norm(x)))
  feed_forward:
    where: Equation 2
    flow: linear(gelu(linear(x)))
"""
    Path("right.yaml").write_text(spec)
    Path("wrong.yaml").write_text(
        spec.replace("x + dropout(feed_forward(norm(x)))", "norm(x + dropout(feed_forward(x)))")
    )
    Path("model.keras").write_bytes(saved(BLOCK))
    verdicts = []
    for name in ("right.yaml", "wrong.yaml"):
        (report,) = pipeline.check(Request("model.keras", explore=False), f"{name}#block")
        assert report.frontend == "keras_file"
        verdicts.append(report.verdict)
    assert verdicts == [Verdict.HOLDS, Verdict.VIOLATED]


def test_dropout_does_nothing_in_eval_mode() -> None:
    assert "dropout 4" not in lines(raw(BLOCK, training=False))


def test_json_alone_is_a_model() -> None:
    assert lines(load(BLOCK, name="model.json").reading.variants[0].graph) == lines(raw(BLOCK))
    Path("other.json").write_text('{"class_name": 3}')
    with pytest.raises(TargetError, match="not a Python file"):
        resolve(parse_target("other.json"))


def test_layers_in_turn() -> None:
    told = sequence(
        given(rank=4),
        layer("Conv2D", "conv", filters=8, kernel_size=[3, 3], strides=[1, 1], padding="same", activation="relu"),
        layer("BatchNormalization", "norm", axis=3),
        layer("Flatten", "flat"),
        layer("Dense", "head", units=10, activation="softmax"),
    )
    graph = raw(told)
    assert lines(graph) == ["input x", "conv 0", "relu 1", "batch_norm 2", "reshape 3", "linear 4", "softmax 5"]
    assert only(graph, "batch_norm").attr("axis") == -1
    assert only(graph, "conv").attr("kernel") == (3, 3)


def test_a_layer_that_is_called_twice_is_one_layer() -> None:
    told = model(
        given("x"),
        given("y"),
        layer("Dense", "dense", x("x"), x("y"), units=8),
        layer("Add", "add", [[tensor("dense"), tensor("dense", node=1)]]),
    )
    graph = raw(told)
    assert lines(graph) == ["input x", "input y", "linear 0", "linear 1", "add 2 3"]
    assert [op.path.rpartition("/")[0] for op in graph.ops if op.kind.name == "linear"] == ["dense", "dense"]
    assert load(told).reading.variants[0].weights == (("dense.bias", "dense.bias"), ("dense.kernel", "dense.kernel"))


def test_calls_run_behind_what_they_read_however_they_are_listed() -> None:
    told = model(
        layer("Add", "add", [[tensor("x"), tensor("last")]]),
        layer("ReLU", "last", x("first")),
        layer("Dense", "first", x("x"), units=8),
        given(),
        ends=["add", 0, 0],
    )
    assert lines(raw(told)) == ["input x", "linear 0", "relu 1", "add 0 2"]


def test_a_model_in_a_model_is_called_through() -> None:
    """Its own first call is its making, so that the calls of others start at 1."""
    inner = model(given("a"), layer("Dense", "dense", x("a"), units=8), name="inner")
    turn = sequence(given("b"), layer("Dense", "dense", units=8), layer("ReLU", "act"), name="turn")
    told = model(
        given(),
        inner | {"inbound_nodes": [{"args": x("x"), "kwargs": {}}, {"args": x("inner", node=1), "kwargs": {}}]},
        turn | {"inbound_nodes": [{"args": x("inner", node=2), "kwargs": {}}]},
        ends=["turn", 0, 0],
    )
    graph = raw(told)
    assert lines(graph) == ["input x", "linear 0", "linear 1", "linear 2", "relu 3"]
    assert [op.path.rpartition("/")[0] for op in graph.ops[1:]] == [
        "inner.dense",
        "inner.dense",
        "turn.dense",
        "turn.act",
    ]


def test_several_inputs_and_outputs_in_a_table() -> None:
    told = model(
        given("a"),
        given("b"),
        operation("Subtract", "less", tensor("b"), tensor("a")),
        operation("Multiply", "half", tensor("less"), 0.5),
        starts={"first": ["a", 0, 0], "second": ["b", 0, 0]},
        ends={"one": ["less", 0, 0], "other": ["half", 0, 0]},
    )
    graph = raw(told)
    assert lines(graph) == ["input a", "input b", "sub 1 0", "scale 2"] or lines(graph)[:3] == [
        "input a",
        "input b",
        "sub 1 0",
    ]
    assert len(graph.results) == 2


def test_functions_with_what_they_were_given() -> None:
    graph = raw(
        model(
            given(),
            operation("Mean", "mean", tensor("x"), axis=-1, keepdims=True),
            operation("GetItem", "part", tensor("mean"), [{"class_name": "__slice__", "config": {}}, 0]),
            operation("Relu", "relu", tensor("part", 2), module="nn"),
            operation("Frobnicate", "what", tensor("relu", 2)),
        )
    )
    assert lines(graph) == ["input x", "mean 0", "select 1", "relu 2", "opaque keras.ops.frobnicate 3"]
    assert only(graph, "mean").attr("axis") == -1


def test_without_modules_an_add_is_a_function_or_a_layer() -> None:
    """HDF5 files name no modules; what a layer is built with tells whether it is trained."""
    told = model(
        given("x"),
        given("y"),
        operation("Add", "sum", tensor("x"), tensor("y")),
        layer("Add", "add", [[tensor("sum"), tensor("x")]]),
    )
    for one in told["config"]["layers"]:
        del one["module"], one["registered_name"]
    del told["module"], told["registered_name"]
    assert lines(raw(told)) == ["input x", "input y", "add 0 1", "add 2 0"]


def test_functions_of_tensorflow_that_keras_2_calls_layers() -> None:
    def function(name: str, *call: Any) -> Json:
        return old("TFOpLambda", name.rpartition(".")[2], list(call), function=name)

    part = {"slice_spec": [{"start": None, "stop": None, "step": None}, 0]}
    told = model(
        old("InputLayer", "x", batch_input_shape=[None, 8]),
        function("__operators__.add", "x", 0, 0, {"y": ["x", 0, 0], "name": None}),
        function("nn.relu", "add", 0, 0, {"name": None}),
        old("SlicingOpLambda", "part", ["relu", 0, 0, part], function="__operators__.getitem"),
        old("TFOpLambda", "bad", ["part", 0, 0, {}], function="__import__('os').system"),
    )
    graph = raw(told)
    assert lines(graph)[:4] == ["input x", "add 0 0", "relu 1", "select 2"]
    assert graph.ops[-1].attr("why") == "it is a function that the file does not name"


def test_attention_in_each_form() -> None:
    new = layer(
        "MultiHeadAttention",
        "attention",
        {"args": [tensor("x"), tensor("x")], "kwargs": {"use_causal_mask": True}},
        num_heads=4,
        key_dim=8,
        value_dim=8,
        attention_axes=[1],
        rms_scaling=False,
    )
    before = old(
        "MultiHeadAttention",
        "attention",
        [["x", 0, 0, {"value": ["x", 0, 0], "use_causal_mask": True}]],
        num_heads=4,
        key_dim=8,
        attention_axes=[1],
        query_shape=[None, None, 16],
    )
    for one, start in ((new, given()), (before, old("InputLayer", "x", batch_input_shape=[None, None, 16]))):
        op = only(raw(model(start, one)), "attention")
        assert (op.attr("heads"), op.attr("head_dim"), op.attr("causal"), len(op.reads)) == (4, 8, True, 3)


# ---- what stays opaque


CODE = base64.b64encode(marshal.dumps((lambda t: t + 1).__code__)).decode()


def why(told: Json) -> str:
    """The reason of the only op that is opaque."""
    return str(only(raw(told), "opaque").attr("why"))


@pytest.mark.parametrize(
    "value", [{"value": [CODE, None, None]}, {"class_name": "__lambda__", "config": {"code": CODE}}]
)
def test_compiled_code_is_never_decoded(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(marshal, "loads", never)
    monkeypatch.setattr(base64, "b64decode", never)
    assert "never decoded" in why(model(given(), layer("Lambda", "code", x("x"), function=value, arguments={})))
    told = model(given(), layer("Dense", "dense", x("x"), units=8, activation=value))
    assert "never decoded" in why(told)
    assert lines(raw(told)) == ["input x", "linear 0", "opaque activation 1"]


@pytest.mark.parametrize(
    "more", [{"module": "tiny"}, {"module": None}, {"registered_name": "tiny>Dense"}, {"class_name": "Tiny>Dense"}]
)
def test_a_class_of_somebody_else_is_opaque_whatever_its_name(more: Json) -> None:
    assert "is no class of Keras" in why(model(given(), layer("Dense", "dense", x("x"), units=8) | more))


def test_what_a_class_is_not_known_to_take_makes_it_opaque() -> None:
    told = model(given(), layer("LayerNormalization", "norm", x("x"), axis=-1, epsilon=1e-3, rms_scaling=True))
    assert why(told) == "it is built with rms_scaling=True, of which nothing is known"


def test_a_call_that_gives_more_than_is_known_makes_it_opaque() -> None:
    told = model(given(), layer("ZeroPadding1D", "pad", [tensor("x"), tensor("x")], padding=1))
    assert why(told) == "it is called with arguments of which nothing is known"


def test_an_axis_from_the_front_without_a_number_of_axes_is_not_guessed() -> None:
    start = old("InputLayer", "x")
    norm = old("LayerNormalization", "norm", [["x", 0, 0, {}]], axis=[2])
    assert "counted from the front" in why(model(start, norm))


def test_an_activation_that_is_a_layer_runs_behind() -> None:
    leaky = {"module": "keras.layers", "class_name": "LeakyReLU", "config": {"negative_slope": 0.2}}
    graph = raw(model(given(), layer("Dense", "dense", x("x"), units=8, activation=leaky)))
    assert lines(graph) == ["input x", "linear 0", "leaky_relu 1"]
    assert only(graph, "leaky_relu").attr("slope") == 0.2


def test_a_function_of_somebody_else_is_no_activation_of_keras() -> None:
    mine = {"module": "builtins", "class_name": "function", "config": "gelu", "registered_name": "function"}
    told = model(given(), layer("Dense", "dense", x("x"), units=8, activation=mine))
    assert why(told) == "the activation is gelu, which the file only names"


def test_a_model_that_is_only_named_is_one_opaque_op() -> None:
    told = {"module": None, "class_name": "MyModel", "config": {"width": 8}, "registered_name": "MyModel"}
    assert "is no class of Keras" in why(told)


def test_names_with_markup_stay_apart_and_harmless() -> None:
    told = model(
        given("<b>x</b>"),
        layer("Dense", "a/b", x("<b>x</b>"), units=8),
        layer("Dense", "a.b", x("a/b"), units=8),
        layer("Dense", "a b\n\x1b[31m", x("a.b"), units=8),
    )
    assert [op.path for op in raw(told).ops[1:]] == ["a_b/0.linear", "a_b_2/0.linear", "a_b___31m/0.linear"]


@pytest.mark.parametrize("dims", [[None, 32, 32, 12], [None, None, None, 12]])
def test_sizes_that_the_file_tells_are_followed(dims: list[int | None]) -> None:
    start = given(rank=4) | {"config": {"batch_shape": dims, "name": "x"}}
    deep = layer("DepthwiseConv2D", "deep", x("x", 4), kernel_size=[3, 3], strides=[1, 1], padding="same")
    op = only(raw(model(start, deep)), "conv")
    assert (op.attr("groups"), op.attr("out_features")) == (12, 12)
