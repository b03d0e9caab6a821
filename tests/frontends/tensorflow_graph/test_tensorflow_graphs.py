"""What nodes become: graphs of a few nodes, written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorflow_graphs import (
    BOOL,
    INT,
    Const,
    Function,
    Type,
    const,
    entry,
    field,
    function,
    given,
    graph,
    kinds,
    lines,
    node,
    only,
    raw,
    read,
    saved,
    shape,
    variable,
)

from archcheck.errors import TargetError
from archcheck.ir.graph import Unknown

X = given("x", -1, 7, 16)
IMAGE = given("x", -1, 32, 32, 3)


def test_a_frozen_graph_has_learned_what_is_read_as_variables_were(tmp_path: Path) -> None:
    nodes = [X, const("w", None, 16, 4), node("w/read", "Identity", "w"), const("table", None, 7, 16)]
    found = raw(graph(*nodes, node("t", "AddV2", "x", "table"), node("y", "BatchMatMulV2", "t", "w/read")), tmp_path)
    assert [op.attr("name") for op in found.walk() if op.kind.name == "parameter"] == ["w"]
    assert [op.attr("shape") for op in found.walk() if op.kind.name == "constant"] == [(7, 16)]


def test_without_that_trace_what_a_product_reads_has_been_learned(tmp_path: Path) -> None:
    nodes = [X, const("w", None, 16, 4), const("p", None, 7, 16), node("t", "AddV2", "x", "p")]
    found = raw(graph(*nodes, node("y", "BatchMatMulV2", "t", "w")), tmp_path)
    assert [op.attr("name") for op in found.walk() if op.kind.name == "parameter"] == ["w"]


def test_a_saved_model_calls_functions_with_its_variables(tmp_path: Path) -> None:
    dense = function(
        "dense_12", ["a", "w", "b"], {"r": "sum:z:0"},
        node("k", "ReadVariableOp", "w"), node("m", "MatMul", "a", "k:value:0", transpose_a=False),
        node("c", "ReadVariableOp", "b"), node("sum", "BiasAdd", "m:product:0", "c:value:0"),
    )  # fmt: skip
    nodes = [
        given("in_x", -1, 16), variable("net/w", 16, 4), variable("net/b", 4),
        node("call", "StatefulPartitionedCall", "in_x", "net/w", "net/b", f=Function("dense_12")),
    ]  # fmt: skip
    found = read(saved(nodes, {"x": "in_x:0"}, {"y": "call:0"}, [dense]), tmp_path)
    assert lines(found) == ["linear bias=True in_features=16 out_features=4"]
    assert only(found, "input").attr("name") == "x"
    assert {op.attr("name") for op in found.walk() if op.kind.name == "parameter"} == {"net.w", "net.b"}


def test_a_variable_that_is_read_twice_is_one(tmp_path: Path) -> None:
    nodes = [
        given("x", -1, 16), variable("w", 16, 16), node("a", "ReadVariableOp", "w"), node("b", "ReadVariableOp", "w"),
        node("m", "MatMul", "x", "a"), node("y", "MatMul", "m", "b"),
    ]  # fmt: skip
    found = raw(saved(nodes, {"x": "x:0"}, {"y": "y:0"}), tmp_path)
    assert sum(op.kind.name == "parameter" for op in found.walk()) == 1


def test_variables_are_called_by_their_place_and_those_that_no_gradient_changes_are_not_learned(tmp_path: Path) -> None:
    def child(name: str, at: int) -> bytes:
        return field(1, field(1, at) + field(2, name))

    def held(name: str, trains: bool) -> bytes:
        return field(7, field(2, shape(4)) + field(3, int(trains)) + field(6, name))

    root, norm = child("norm", 1), child("mean", 2) + child("scale", 3)
    objects = b"".join(field(1, one) for one in (root, norm, held("v", False), held("v", True)))
    objects += entry(2, "f_1", field(2, b"\x02\x03"))
    called = function(
        "f_1", ["a", "m", "s"], {"r": "p:z:0"}, node("k", "ReadVariableOp", "m"), node("d", "Sub", "a", "k:value:0"),
        node("c", "ReadVariableOp", "s"), node("p", "Mul", "d:z:0", "c:value:0"),
    )  # fmt: skip
    nodes = [given("x", -1, 4), variable("v", 4), variable("v_1", 4)]
    nodes.append(node("y", "PartitionedCall", "x", "v", "v_1", f=Function("f_1")))
    found = raw(saved(nodes, {"x": "x"}, {"y": "y"}, [called], objects=objects), tmp_path)
    assert only(found, "parameter").attr("name") == "norm.scale"
    assert isinstance(only(found, "constant").attr("value"), Unknown)


def test_shapes_that_are_computed_are_no_ops(tmp_path: Path) -> None:
    nodes = [
        X, node("s", "Shape", "x"), const("i", [0]), const("j", [1]), const("one", [1]),
        node("b", "StridedSlice", "s", "i", "j", "one", shrink_axis_mask=1),
        const("n", 7), const("h", 2), const("d", 8), node("to", "Pack", "b", "n", "h", "d"),
        node("r", "Reshape", "x", "to"), const("perm", [0, 2, 1, 3]), node("y", "Transpose", "r", "perm"),
    ]  # fmt: skip
    found = raw(graph(*nodes), tmp_path)
    assert kinds(found) == ["reshape", "permute"]
    shaped = only(found, "reshape").attr("shape")
    assert isinstance(shaped, tuple)
    assert shaped[1:] == (7, 2, 8)


@pytest.mark.parametrize(
    ("masks", "index"),
    [
        ({"begin_mask": 3, "end_mask": 1}, (("slice", None, None, None), ("slice", None, 4, None))),
        ({"shrink_axis_mask": 2, "begin_mask": 1, "end_mask": 1}, (("slice", None, None, None), 2)),
        ({"ellipsis_mask": 1, "shrink_axis_mask": 2}, ("...", 2)),
        ({"new_axis_mask": 1, "begin_mask": 2}, (None, ("slice", None, 4, None))),
    ],
)
def test_masks_of_slices_are_what_was_written(tmp_path: Path, masks: dict[str, int], index: object) -> None:
    nodes = [X, const("a", [0, 2]), const("b", [0, 4]), const("c", [1, 1])]
    found = raw(graph(*nodes, node("y", "StridedSlice", "x", "a", "b", "c", **masks)), tmp_path)
    assert only(found, "select").attr("index") == index


# ---- what several nodes spell


def dropped(rate: float, factor: float, noise: str = "s") -> bytes:
    nodes = [
        X, const("factor", factor), node("scaled", "Mul", "x", "factor"), node("s", "Shape", "x"),
        const("few", [3, 1, 1]), node("r", "RandomUniform", noise), const("rate", rate),
        node("kept", "GreaterEqual", "r", "rate"), const("zero", 0.0), node("y", "SelectV2", "kept", "scaled", "zero"),
    ]  # fmt: skip
    return graph(*nodes)


def test_dropout_is_told_from_its_parts(tmp_path: Path) -> None:
    found = raw(dropped(0.25, 1 / 0.75), tmp_path)
    assert lines(found) == ["dropout p=0.25"]
    assert found.origin.mode == "train"
    assert lines(raw(dropped(0.25, 1 / 0.75, "few"), tmp_path)) == ["stochastic_depth p=0.25"]


def test_what_is_scaled_otherwise_is_no_dropout(tmp_path: Path) -> None:
    assert "dropout" not in kinds(raw(dropped(0.25, 2.0), tmp_path))


def test_the_older_dropouts_are_told(tmp_path: Path) -> None:
    floor = [
        X, const("keep", 0.9), node("s", "Shape", "x"), node("r", "RandomUniform", "s"), node("t", "Add", "keep", "r"),
        node("f", "Floor", "t"), node("d", "RealDiv", "x", "keep"), node("y", "Mul", "d", "f"),
    ]  # fmt: skip
    assert lines(raw(graph(*floor), tmp_path)) == ["dropout p=0.1"]
    mask = [
        X, const("rate", 0.1), const("one", 1 / 0.9), node("s", "Shape", "x"), node("r", "RandomUniform", "s"),
        node("k", "GreaterEqual", "r", "rate"), node("c", "Cast", "k", DstT=Type(1)), node("m", "Mul", "x", "one"),
        node("y", "Mul", "m", "c"),
    ]  # fmt: skip
    assert lines(raw(graph(*mask), tmp_path)) == ["dropout p=0.1"]


def keras_norm(features: int = 16, ones: float = 1.0) -> bytes:
    nodes = [
        X, node("s", "Shape", "x"), const("to", [1, 14, features, 1]), node("r", "Reshape", "x", "to"),
        const("ones", [ones] * 14), const("zeros", [0.0] * 14), const("none", [], 0),
        node("n", "FusedBatchNormV3", "r", "ones", "zeros", "none", "none", data_format="NCHW", epsilon=1e-3),
        node("b", "Reshape", "n", "s"), const("g", None, 16), node("g/read", "Identity", "g"),
        node("m", "Mul", "b", "g/read"), const("h", None, 16), node("h/read", "Identity", "h"),
        node("y", "AddV2", "m", "h/read"),
    ]  # fmt: skip
    return graph(*nodes)


def test_a_layer_norm_by_way_of_a_batch_norm_is_one(tmp_path: Path) -> None:
    found = read(keras_norm(), tmp_path)
    assert lines(found) == ["layer_norm bias=True dim=16 elementwise_affine=True eps=0.001"]
    assert found.origin.mode == "eval"  # its statistics are those of each token


def test_what_is_laid_out_otherwise_is_no_layer_norm(tmp_path: Path) -> None:
    assert "layer_norm" not in kinds(read(keras_norm(features=8), tmp_path))
    assert "layer_norm" not in kinds(read(keras_norm(ones=2.0), tmp_path))


def batch_norm(trains: bool, axes: list[int]) -> bytes:
    names = ("scale", "shift") if trains else ("mean", "variance", "scale", "shift")
    nodes = [IMAGE, *(one for name in names for one in (const(name, None, 3), node(name + "/v", "Identity", name)))]
    mean, variance = "mean/v", "variance/v"
    if trains:
        nodes += [
            const("axes", axes), node("mu", "Mean", "x", "axes"), node("stop", "StopGradient", "mu"),
            node("sq", "SquaredDifference", "x", "stop"), node("var", "Mean", "sq", "axes"),
        ]  # fmt: skip
        mean, variance = "mu", "var"
    nodes += [
        const("eps", 1e-3), node("e", "AddV2", variance, "eps"), node("root", "Rsqrt", "e"),
        node("inv", "Mul", "root", "scale/v"), node("a", "Mul", "x", "inv"), node("b", "Mul", mean, "inv"),
        node("c", "Sub", "shift/v", "b"), node("y", "AddV2", "a", "c"),
    ]  # fmt: skip
    return graph(*nodes)


@pytest.mark.parametrize("trains", [False, True])
def test_a_batch_norm_by_formula_is_one(tmp_path: Path, trains: bool) -> None:
    found = read(batch_norm(trains, [0, 1, 2]), tmp_path)
    (norm,) = (op for op in found.ops if op.kind.name == "batch_norm")
    assert (norm.attr("eps"), norm.attr("dim"), norm.attr("bias"), norm.attr("axis")) == (0.001, 3, True, -1)
    assert found.origin.mode == ("train" if trains else "eval")


@pytest.mark.parametrize("axes", [[0], [0, 1], [0, 3]])
def test_statistics_of_other_axes_are_no_batch_norm(tmp_path: Path, axes: list[int]) -> None:
    assert "batch_norm" not in kinds(read(batch_norm(True, axes), tmp_path))


def test_a_shape_of_another_tensor_is_not_its_own(tmp_path: Path) -> None:
    other, free = given("z", -1, -1, 16), given("x", -1, -1, 16)
    for of, left in (("x", []), ("z", ["reshape"])):
        nodes = [
            free, other, node("s", "Shape", of),
            const("at", [0]), const("to", [1]), const("end", [2]), const("step", [1]),
            node("b", "StridedSlice", "s", "at", "to", "step", shrink_axis_mask=1),
            node("t", "StridedSlice", "s", "to", "end", "step", shrink_axis_mask=1), const("h", 16),
            node("shape", "Pack", "b", "t", "h"), node("r", "Reshape", "x", "shape"), node("y", "Relu", "r"),
        ]  # fmt: skip
        assert [kind for kind in kinds(read(graph(*nodes), tmp_path)) if kind == "reshape"] == left


def test_tokens_that_are_laid_out_flat_for_a_map_stay_tokens(tmp_path: Path) -> None:
    nodes = [
        X, const("w", None, 16, 4), node("w/v", "Identity", "w"), node("s", "Shape", "x"), const("free", [0, 1]),
        const("axis", 0), node("lead", "GatherV2", "s", "free", "axis"), const("first", [0]),
        node("count", "Prod", "lead", "first"), const("k", 16), node("flat", "Pack", "count", "k"),
        node("r", "Reshape", "x", "flat"), node("m", "MatMul", "r", "w/v"), const("out", [4]),
        node("back", "ConcatV2", "lead", "out", "axis"), node("y", "Reshape", "m", "back"),
    ]  # fmt: skip
    assert lines(read(graph(*nodes), tmp_path)) == ["linear bias=False in_features=16 out_features=4"]


# ---- windows


def conv(op: str, kernel: tuple[int, ...], **more: object) -> list[bytes]:
    attrs = {"strides": [1, 2, 2, 1], "padding": "SAME", "data_format": "NHWC", **more}
    return [IMAGE, const("w", None, *kernel), node("w/v", "Identity", "w"), node("y", op, "x", "w/v", **attrs)]


def test_convolutions_state_what_their_filters_are(tmp_path: Path) -> None:
    told = (
        "conv axes=2 bias=False channels_last=True dilation=1 groups={} in_features=3 kernel={} out_features={} "
        "padding={} stride=2"
    )
    found = read(graph(*conv("Conv2D", (3, 3, 3, 8))), tmp_path)
    assert lines(found) == [told.format(1, 3, 8, "same")]
    found = read(graph(*conv("DepthwiseConv2dNative", (3, 5, 3, 2))), tmp_path)
    assert lines(found) == [told.format(3, (3, 5), 6, "same")]


def test_padding_in_front_of_a_window_is_its_own(tmp_path: Path) -> None:
    nodes = conv("Conv2D", (3, 3, 3, 8), padding="VALID")
    sides = const("sides", [0, 0, 1, 1, 1, 1, 0, 0], 4, 2)
    padded = [*nodes[:-1], sides, node("p", "Pad", "x", "sides")]
    padded.append(node("y", "Conv2D", "p", "w/v", strides=[1, 2, 2, 1], padding="VALID", data_format="NHWC"))
    assert "padding=1" in lines(read(graph(*padded), tmp_path))[0]
    pool = [IMAGE, sides, node("p", "Pad", "x", "sides")]
    pool.append(node("y", "MaxPool", "p", ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding="VALID"))
    assert kinds(raw(graph(*pool), tmp_path)) == ["pad", "pool"]  # zeros may be the maximum


def test_a_shift_behind_a_convolution_of_a_frozen_graph_may_be_a_norm(tmp_path: Path) -> None:
    nodes = [*conv("Conv2D", (3, 3, 3, 8)), const("b", None, 8), node("b/v", "Identity", "b")]
    nodes.append(node("z", "BiasAdd", "y", "b/v"))
    assert "may have been folded" in str(only(raw(graph(*nodes), tmp_path), "opaque").attr("why"))


def test_a_mean_over_space_is_a_pool_behind_a_convolution_alone(tmp_path: Path) -> None:
    mean = [const("axes", [1, 2]), node("z", "Mean", "y", "axes")]
    assert kinds(raw(graph(*conv("Conv2D", (3, 3, 3, 8)), *mean), tmp_path)) == ["conv", "pool"]
    alone = [IMAGE, const("axes", [1, 2]), node("z", "Mean", "x", "axes")]
    assert kinds(raw(graph(*alone), tmp_path)) == ["mean"]


# ---- tables


def test_an_index_that_counts_from_the_end_is_the_row_that_it_names(tmp_path: Path) -> None:
    def rows(count: int) -> bytes:
        return graph(
            node("i", "Placeholder", shape=(-1, 7), dtype=Type(INT)), const("t", None, 100, 16), const("axis", 0),
            node("t/v", "Identity", "t"), node("zero", "Const", value=Const(0)), node("n", "Const", value=Const(count)),
            node("less", "Less", "i", "zero"), node("sum", "AddV2", "i", "n"),
            node("j", "SelectV2", "less", "sum", "i"), node("y", "GatherV2", "t/v", "j", "axis"),
        )  # fmt: skip

    assert kinds(read(rows(100), tmp_path)) == ["embedding"]
    assert kinds(read(rows(50), tmp_path)) == ["opaque"]


# ---- control


def loop(rounds: int) -> bytes:
    test = function("test", ["i", "v"], {"r": "less:z:0"}, const("n", rounds), node("less", "Less", "i", "n:output:0"))
    body = function(
        "body", ["i", "v"], {"i_out": "next:z:0", "v_out": "t:y:0"},
        const("one", 1), node("next", "AddV2", "i", "one:output:0"), node("t", "Tanh", "v"),
    )  # fmt: skip
    nodes = [
        X,
        const("start", 0),
        node("w", "StatelessWhile", "start", "x", cond=Function("test"), body=Function("body")),
    ]
    return saved(nodes, {"x": "x"}, {"y": "w:1"}, [test, body])


def test_a_loop_of_which_the_rounds_are_known_is_spelled_out(tmp_path: Path) -> None:
    assert kinds(raw(loop(3), tmp_path)) == ["tanh"] * 3
    assert kinds(raw(loop(100_000), tmp_path))[-1] == "opaque"


def test_a_branch_is_followed_where_its_condition_is_known(tmp_path: Path) -> None:
    sides = [function(name, ["a"], {"r": "n:y:0"}, node("n", op, "a")) for name, op in (("t", "Tanh"), ("e", "Exp"))]

    def of(*test: bytes) -> list[str]:
        nodes = [X, *test, node("y", "If", "test", "x", then_branch=Function("t"), else_branch=Function("e"))]
        return kinds(raw(saved(nodes, {"x": "x"}, {"y": "y"}, sides), tmp_path))

    assert of(const("test", 1)) == ["tanh"]
    assert of(const("test", 0)) == ["exp"]
    assert of(const("a", [0, 1, 2]), node("m", "Max", "x", "a"), const("z", 0.0), node("test", "Less", "m", "z")) == [
        "reduce_max", "compare", "opaque",
    ]  # fmt: skip


def test_a_branch_of_tensorflow_1_is_followed_where_its_side_is_known(tmp_path: Path) -> None:
    def of(*side: bytes) -> list[str]:
        nodes = [
            X, *side, node("s", "Switch", "x", "side"), node("no", "Exp", "s"), node("yes", "Tanh", "s:1"),
            node("y", "Merge", "no", "yes"),
        ]  # fmt: skip
        return kinds(raw(graph(*nodes), tmp_path))

    true = node("side", "Const", value=Const([1], (), BOOL), dtype=Type(BOOL))
    assert of(true) == ["tanh"]
    default = node("off", "Const", value=Const([0], (), BOOL), dtype=Type(BOOL))
    assert of(default, node("side", "PlaceholderWithDefault", "off")) == ["exp"]
    assert of(node("side", "Placeholder", dtype=Type(BOOL))) == ["opaque", "exp", "opaque", "tanh", "opaque"]


def test_a_loop_of_tensorflow_1_is_not_known_inside(tmp_path: Path) -> None:
    nodes = [
        X, node("in", "Enter", "x"), node("m", "Merge", "in", "next"), const("n", 3.0), node("less", "Less", "m", "n"),
        node("c", "LoopCond", "less"), node("s", "Switch", "m", "c"), node("t", "Tanh", "s:1"),
        node("next", "NextIteration", "t"), node("y", "Exit", "s"),
    ]  # fmt: skip
    found = raw(saved(nodes, {"x": "x"}, {"y": "y"}), tmp_path)
    assert set(kinds(found)) == {"opaque", "compare"}


def test_an_op_that_nobody_knows_stands_under_its_name_with_all_that_it_gives(tmp_path: Path) -> None:
    body = function("f", ["a"], {"r": "t:z:0"}, node("o", "MyOp", "a"), node("t", "AddV2", "o:left:0", "o:right:0"))
    nodes = [X, node("y", "PartitionedCall", "x", f=Function("f"))]
    found = raw(saved(nodes, {"x": "x"}, {"y": "y"}, [body]), tmp_path)
    assert kinds(found) == ["opaque", "select", "add"]
    assert "tensorflow.raw_ops.MyOp is not in the dialect" in str(only(found, "opaque").attr("why"))


def test_an_attribute_that_no_table_lists_is_not_passed_over(tmp_path: Path) -> None:
    found = raw(graph(X, node("y", "Relu", "x", sideways=True)), tmp_path)
    assert kinds(found) == ["opaque"]


def test_signatures_are_chosen_by_name(tmp_path: Path) -> None:
    data = saved([X, node("y", "Tanh", "x")], {"x": "x"}, {"y": "y"}, signature="encode")
    assert kinds(raw(data, tmp_path)) == kinds(raw(data, tmp_path, "encode")) == ["tanh"]
    with pytest.raises(TargetError, match='no signature "decode"'):
        raw(data, tmp_path, "decode")


def test_only_what_the_outputs_take_is_read(tmp_path: Path) -> None:
    nodes = [X, node("y", "Tanh", "x"), node("save", "SaveV2", "x"), node("z", "Unheard", "x")]
    assert kinds(raw(saved(nodes, {"x": "x"}, {"y": "y"}), tmp_path)) == ["tanh"]
