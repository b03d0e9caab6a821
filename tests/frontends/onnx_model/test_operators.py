"""What ONNX's operators become: one graph each, of a few nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphs import kinds, model, node, number, only, raw, read, tensor, value, whole
from onnx import helper

from archcheck import pipeline
from archcheck.findings import Verdict
from archcheck.ir.graph import Size, Unknown
from archcheck.sweep import Request

X = value("x", 2, 7, 16)


@pytest.mark.parametrize(
    ("op", "attributes", "kind", "stated"),
    [
        ("Relu", {}, "relu", {}),
        ("Gelu", {"approximate": "tanh"}, "gelu", {"approximate": "tanh"}),
        ("LeakyRelu", {"alpha": 0.2}, "leaky_relu", {"slope": 0.2}),
        ("Elu", {}, "elu", {"alpha": 1.0}),
        ("HardSigmoid", {"alpha": 1 / 6}, "hard_sigmoid", {}),
        ("HardSigmoid", {}, "clamp", {"min": 0.0, "max": 1.0}),
        ("Softmax", {"axis": 1}, "softmax", {"axis": 1}),
        ("Transpose", {"perm": [0, 2, 1]}, "permute", {"axis": 1, "other_axis": 2}),
        ("Reciprocal", {}, "pow", {"exponent": -1}),
        ("GlobalAveragePool", {}, "pool", {"mode": "mean", "size": 1, "axes": 1}),
    ],
)
def test_an_operator_of_one_input(
    tmp_path: Path, op: str, attributes: dict[str, Any], kind: str, stated: dict[str, Any]
) -> None:
    found = only(raw(model([node(op, ["x"], ["y"], **attributes)], [X]), tmp_path), kind)
    assert {name: found.attr(name) for name in stated} == stated


@pytest.mark.parametrize(
    ("axis", "opset", "stated"),
    [(1, 13, 1), (1, 12, (1, 2)), (2, 12, -1), (-1, 11, -1), (None, 12, (1, 2)), (None, 13, -1)],
)
def test_softmax_means_another_thing_before_opset_13(tmp_path: Path, axis: Any, opset: int, stated: Any) -> None:
    one = node("Softmax", ["x"], ["y"], **({} if axis is None else {"axis": axis}))
    assert only(raw(model([one], [X], opset=opset), tmp_path), "softmax").attr("axis") == stated


def test_an_old_softmax_over_axes_that_nobody_counts_is_not_known(tmp_path: Path) -> None:
    free = helper.make_tensor_value_info("x", 1, None)
    found = only(raw(model([node("Softmax", ["x"], ["y"], axis=1)], [free], opset=12), tmp_path), "softmax")
    assert isinstance(found.attr("axis"), Unknown)


@pytest.mark.parametrize("opset", [11, 13])
def test_axes_are_an_attribute_or_an_input(tmp_path: Path, opset: int) -> None:
    if opset < 13:
        told = model([node("ReduceSum", ["x"], ["y"], axes=[1], keepdims=0)], [X], opset=opset)
    else:
        told = model([node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)], [X], [whole("axes", 1)], opset=opset)
    assert only(raw(told, tmp_path), "sum").attr("axis") in (1, (1,))


def test_what_computes_a_shape_is_no_op(tmp_path: Path) -> None:
    """`x.view(x.shape[0], -1, 4, 4)`, spelled out."""
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["first"], axis=0),
        node("Unsqueeze", ["first", "axes"], ["one"]),
        node("Concat", ["one", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["y"]),
    ]
    held = [helper.make_tensor("zero", 7, [], [0]), whole("axes", 0), whole("rest", -1, 4, 4)]
    for first in (2, "batch"):
        graph = raw(model(nodes, [value("x", first, 7, 16)], held), tmp_path)
        assert kinds(graph) == ["reshape"]
        size, *rest = only(graph, "reshape").attr("shape")  # type: ignore[misc]
        assert isinstance(size, Size)
        assert rest == [-1, 4, 4]


def test_a_zero_in_a_shape_keeps_a_size(tmp_path: Path) -> None:
    told = model([node("Reshape", ["x", "s"], ["y"])], [value("x", "b", "s", 16)], [whole("s", 0, 0, 2, 8)])
    first, second, *rest = only(raw(told, tmp_path), "reshape").attr("shape")  # type: ignore[misc]
    assert isinstance(first, Size)
    assert isinstance(second, Size)
    assert rest == [2, 8]


def test_a_shape_that_a_tensor_decides_is_not_known(tmp_path: Path) -> None:
    told = model([node("Reshape", ["x", "s"], ["y"])], [X, helper.make_tensor_value_info("s", 7, [3])])
    assert isinstance(only(raw(told, tmp_path), "reshape").attr("shape"), Unknown)


def test_maps_with_learned_matrices_are_linear(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["m"]),
        node("Add", ["m", "b"], ["a"]),
        node("Flatten", ["a"], ["f"]),
        node("Gemm", ["f", "v", "c"], ["y"], transB=1),
    ]
    nodes[-1].metadata_props.add(key="pkg.torch.onnx.class_hierarchy", value="['aten.linear.default']")
    held = [tensor("w", 16, 32), tensor("b", 32), tensor("v", 10, 224), tensor("c", 10)]
    graph = read(model(nodes, [X], held), tmp_path)
    first, second = (op for op in graph.ops if op.kind.name == "linear")
    assert [first.attr(name) for name in ("in_features", "out_features", "bias")] == [16, 32, True]
    assert [second.attr(name) for name in ("in_features", "out_features", "bias")] == [224, 10, True]


@pytest.mark.parametrize(
    ("attributes", "padding", "padded"),
    [
        ({"pads": [1, 1, 1, 1]}, 1, None),
        ({"pads": [1, 0, 1, 0]}, (1, 0), None),
        ({"auto_pad": "SAME_UPPER"}, "same", None),
        ({"auto_pad": "VALID"}, 0, None),
        ({"pads": [0, 1, 2, 3]}, 0, (1, 3, 0, 2)),
    ],
)
def test_pads_of_a_convolution(tmp_path: Path, attributes: dict[str, Any], padding: Any, padded: Any) -> None:
    told = model(
        [node("Conv", ["x", "w"], ["y"], strides=[2, 2], **attributes)],
        [value("x", 1, 4, 8, 8)],
        [tensor("w", 6, 4, 3, 3)],
    )
    graph = raw(told, tmp_path)
    found = only(graph, "conv")
    assert [found.attr(name) for name in ("in_features", "out_features", "kernel", "stride")] == [4, 6, 3, 2]
    assert found.attr("padding") == padding
    pads = [op.attr("amount") for op in graph.ops if op.kind.name == "pad"]
    assert pads == ([] if padded is None else [padded])


def test_a_norm_that_may_be_folded_into_a_convolution_is_not_known(tmp_path: Path) -> None:
    image, held = value("x", 1, 4, 8, 8), [tensor("w", 6, 4, 3, 3), tensor("b", 6)]
    graph = raw(model([node("Conv", ["x", "w", "b"], ["y"])], [image], held), tmp_path)
    assert "a batch norm may have been folded into it" in str(only(graph, "opaque").attr("why"))
    assert isinstance(only(graph, "conv").attr("bias"), Unknown)
    held += [tensor(name, 6) for name in ("s", "c", "m", "v")]
    behind = [node("Conv", ["x", "w", "b"], ["h"]), node("BatchNormalization", ["h", "s", "c", "m", "v"], ["y"])]
    assert kinds(raw(model(behind, [image], held), tmp_path)) == ["conv", "batch_norm"]
    assert kinds(raw(model([node("Conv", ["x", "w"], ["y"])], [image], held), tmp_path)) == ["conv"]


def test_norms_that_are_spelled_out_are_norms(tmp_path: Path) -> None:
    nodes = [
        node("Pow", ["x", "two"], ["p"]),
        node("ReduceMean", ["p", "axes"], ["m"]),
        node("Add", ["m", "eps"], ["e"]),
        node("Sqrt", ["e"], ["r"]),
        node("Div", ["x", "r"], ["n"]),
        node("Mul", ["n", "g"], ["y"]),
    ]
    held = [number("two", 2.0), whole("axes", -1), tensor("g", 16)]
    eps = node("Constant", [], ["eps"], value=number("", 1e-6))
    found = only(read(model([eps, *nodes], [X], held), tmp_path), "rms_norm")
    assert (found.attr("eps"), found.attr("dim")) == (1e-6, 16)
    open_eps = only(read(model(nodes, [X], [*held, number("eps", 1e-6)]), tmp_path), "rms_norm").attr("eps")
    assert isinstance(open_eps, Unknown)  # it may be learned, as in FRN


def test_dropout_is_there_in_train_mode_only(tmp_path: Path) -> None:
    held = [number("p", 0.25), helper.make_tensor("t", 9, [], [True])]
    trained = raw(model([node("Dropout", ["x", "p", "t"], ["y"])], [X], held), tmp_path)
    assert (only(trained, "dropout").attr("p"), trained.origin.mode) == (0.25, "train")
    saved = raw(model([node("Dropout", ["x", "p"], ["y"])], [X], held), tmp_path)
    assert (kinds(saved), saved.origin.mode) == (["identity"], "eval")


def test_slices_are_told_as_python_tells_them(tmp_path: Path) -> None:
    held = [whole("s", 1), whole("e", 2**63 - 1), whole("a", -1), whole("t", 2)]
    told = model([node("Slice", ["x", "s", "e", "a", "t"], ["y"])], [X], held)
    last = only(raw(told, tmp_path), "select").attr("index")
    assert last[-1] == ("slice", 1, None, 2)  # type: ignore[index]


def test_attention_and_rotary_embedding_are_single_operators(tmp_path: Path) -> None:
    heads = [value(name, 2, 4, 7, 8) for name in "qkv"]
    nodes = [
        node("RotaryEmbedding", ["q", "cos", "sin"], ["r"], interleaved=1),
        node("Attention", ["r", "k", "v"], ["y"], is_causal=1, scale=0.5),
    ]
    tables = [value("cos", 2, 7, 4), value("sin", 2, 7, 4)]
    graph = raw(model(nodes, [*heads, *tables], opset=23), tmp_path)
    assert only(graph, "rope").attr("interleaved") is True
    found = only(graph, "attention")
    assert (found.attr("causal"), found.attr("scale"), len(found.reads)) == (True, 0.5, 3)


def test_a_table_that_no_input_reads_may_be_computed(tmp_path: Path) -> None:
    """What is added to all tokens alike may be a learned table or a computed one: the file does not tell."""
    added = raw(model([node("Add", ["x", "pe"], ["y"])], [X], [tensor("pe", 7, 16)]), tmp_path)
    assert isinstance(only(added, "constant").attr("value"), Unknown)
    ids = helper.make_tensor_value_info("ids", 7, [2, 7])
    looked_up = raw(model([node("Gather", ["t", "ids"], ["y"])], [ids], [tensor("t", 99, 16)]), tmp_path)
    assert only(looked_up, "embedding").attr("frozen") is None
    assert only(looked_up, "parameter").attr("shape") == (99, 16)


def test_functions_of_the_model_are_spelled_out(tmp_path: Path) -> None:
    body = [node("Mul", ["a", "a"], ["s"]), node("Relu", ["s"], ["b"])]
    own = helper.make_function("mine", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 20)])
    nodes = [node("Twice", ["x"], ["h"], domain="mine"), node("Twice", ["h"], ["y"], domain="mine")]
    assert kinds(raw(model(nodes, [X], functions=[own]), tmp_path)) == ["mul", "relu", "mul", "relu"]


def test_a_branch_that_numbers_decide_is_the_one_that_runs(tmp_path: Path) -> None:
    sides = [helper.make_graph([node(op, ["x"], ["o"])], op, [], [value("o")]) for op in ("Relu", "Tanh")]
    choice = node("If", ["c"], ["y"], then_branch=sides[0], else_branch=sides[1])
    known = model([choice], [X], [helper.make_tensor("c", 9, [], [False])])
    assert kinds(raw(known, tmp_path)) == ["tanh"]
    free = raw(model([choice], [X, helper.make_tensor_value_info("c", 9, [])]), tmp_path)
    assert only(free, "opaque").attr("why") == "it runs one of two graphs, by what a tensor holds"
    assert len(only(free, "opaque").reads) == 2  # what its graphs read from outside, too


def test_what_is_not_listed_is_opaque_with_a_reason(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", ["x", "s"], ["q"]),
        node("Mystery", ["q"], ["m"], domain="acme"),
        node("SkipLayerNormalization", ["m", "x", "g"], ["y"], domain="com.microsoft"),
    ]
    graph = raw(model(nodes, [X], [number("s", 0.1), tensor("g", 16)]), tmp_path)
    told = {op.attr("name"): op.attr("why") for op in graph.ops if op.kind.name == "opaque"}
    assert told["onnx.QuantizeLinear"] == "it computes with rounded numbers, of which no paper's equation speaks"
    assert told["acme.Mystery"] == "acme.Mystery is not in the dialect"
    assert only(graph, "layer_norm").attr("dim") == (16,)


def test_one_tensor_read_twice_is_tied_if_it_is_large(tmp_path: Path) -> None:
    """Exporters keep small tensors that are equal, as norms of a new model are, as one."""
    nodes = [
        node("MatMul", ["x", "w"], ["h"]),
        node("Mul", ["h", "g"], ["k"]),
        node("MatMul", ["k", "w"], ["m"]),
        node("Mul", ["m", "g"], ["y"]),
    ]
    graph = raw(model(nodes, [value("x", 2, 7, 64)], [tensor("w", 64, 64), tensor("g", 64)]), tmp_path)
    shapes = [op.attr("shape") for op in graph.ops if op.kind.name == "parameter"]
    assert shapes == [(64, 64), (64,), (64,)]


SPEC = """
archcheck: 1
id: mine
title: "A residual block of convolutions"
paper: {arxiv: "1512.03385", year: 2015}
blocks:
  block:
    where: Figure 2
    flow: |
      h = relu(batch_norm(conv(x)))
      x = relu(x + batch_norm(conv(h)))
"""


@pytest.mark.parametrize(("bias", "verdict"), [(True, Verdict.UNDETERMINED), (False, Verdict.VIOLATED)])
def test_a_paper_s_batch_norm_is_missed_only_where_none_can_be_folded(
    tmp_path: Path, bias: bool, verdict: Verdict
) -> None:
    more = ["b"] if bias else []
    nodes = [
        node("Conv", ["x", "w", *more], ["c"], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("Conv", ["r", "v", *more], ["d"], pads=[1, 1, 1, 1]),
        node("Add", ["x", "d"], ["a"]),
        node("Relu", ["a"], ["y"]),
    ]
    held = [tensor("w", 4, 4, 3, 3), tensor("v", 4, 4, 3, 3), tensor("b", 4)]
    (tmp_path / "model.onnx").write_bytes(model(nodes, [value("x", 1, 4, 8, 8)], held).SerializeToString())
    (tmp_path / "mine.yaml").write_text(SPEC)
    (report,) = pipeline.check(Request(str(tmp_path / "model.onnx")), str(tmp_path / "mine.yaml"))
    assert report.verdict is verdict


SCALED = """
archcheck: 1
id: scaled
title: "A scale"
paper: {arxiv: "2003.04887", year: 2020}
blocks:
  block:
    where: Equation 1
    flow: |
      x = scale(relu(x), by=STATED)
"""


def judged(told: Any, spec: str, folder: Path, claim: str = "") -> Verdict:
    """Of the whole spec, or of one claim."""
    (folder / "model.onnx").write_bytes(told.SerializeToString())
    (folder / "mine.yaml").write_text(spec)
    (report,) = pipeline.check(Request(str(folder / "model.onnx")), str(folder / "mine.yaml"))
    return next((one.verdict for one in report.default.claims if one.claim == claim), report.verdict)


def marked(told: Any, **kinds: str) -> Any:
    """The model, with what PyTorch's exporter tells beside its tensors."""
    for name, kind in kinds.items():
        about = told.graph.value_info.add(name=name)
        about.metadata_props.add(key="pkg.torch.export.graph_signature.InputSpec.kind", value=kind)
    return told


@pytest.mark.parametrize("stated", ["'learned'", "0.5"])
@pytest.mark.parametrize("name", ["s", "block.s"])
def test_whether_one_number_is_learned_is_not_judged(tmp_path: Path, name: str, stated: str) -> None:
    told = model([node("Relu", ["x"], ["r"]), node("Mul", ["r", name], ["y"])], [X], [number(name, 0.5)])
    assert judged(told, SCALED.replace("STATED", stated), tmp_path) is Verdict.UNDETERMINED
    assert "does not tell whether it is learned" in str(only(raw(told, tmp_path), "mul").attr("by"))


def test_an_exporter_tells_what_is_learned(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Mul", ["m", "s"], ["h"]), node("Mul", ["h", "c"], ["y"])]
    held = [tensor("w", 16, 16), number("s", 0.5), number("c", 0.25)]
    graph = read(marked(model(nodes, [X], held), w="PARAMETER", s="PARAMETER"), tmp_path)
    assert [op.attr("by") for op in graph.ops if op.kind.name == "scale"] == ["learned", 0.25]
    graph = raw(marked(model(nodes, [X], held), w="BUFFER", s="PARAMETER"), tmp_path)
    assert only(graph, "parameter").attr("name") == "s"


def test_one_number_that_is_worked_upon_is_not_known(tmp_path: Path) -> None:
    nodes = [node("Exp", ["s"], ["e"]), node("Mul", ["x", "e"], ["y"])]
    assert "learned: s" in str(only(raw(model(nodes, [X], [number("s", 0.5)]), tmp_path), "opaque").attr("why"))


@pytest.mark.parametrize("shape", [(1, 7), (7, 7)])
def test_what_is_laid_out_before_a_product_may_be_a_mask(tmp_path: Path, shape: tuple[int, ...]) -> None:
    nodes = [node("Unsqueeze", ["mask", "a"], ["m"]), node("MatMul", ["m", "x"], ["y"])]
    graph = raw(model(nodes, [X], [tensor("mask", *shape), whole("a", 0)]), tmp_path)
    assert "learned: mask" in str(only(graph, "opaque").attr("why"))
    assert not [op for op in graph.ops if op.kind.name == "parameter"]


LINEAR = """
archcheck: 1
id: mine
title: "Two maps"
paper: {arxiv: "1502.03167", year: 2015}
blocks:
  block:
    where: Section 3
    flow: |
      x = linear(relu(NORM(linear(x))))
"""


@pytest.mark.parametrize("spelled", [False, True])
@pytest.mark.parametrize("norm", ["batch_norm", ""])
def test_a_norm_that_may_be_folded_into_a_linear_map_is_not_known(tmp_path: Path, spelled: bool, norm: str) -> None:
    first = [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["h"])]
    nodes = first if spelled else [node("Gemm", ["x", "w", "b"], ["h"])]
    nodes += [node("Relu", ["h"], ["r"]), node("MatMul", ["r", "v"], ["y"])]
    told = model(nodes, [value("x", 2, 16)], [tensor("w", 16, 32), tensor("b", 32), tensor("v", 32, 4)])
    assert judged(told, LINEAR.replace("NORM", norm), tmp_path) is Verdict.UNDETERMINED


def test_behind_maps_of_more_axes_no_batch_norm_is_suspected(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Erf", ["m"], ["e"])]
    nodes += [node("MatMul", ["e", "v"], ["h"]), node("Add", ["h", "b"], ["y"])]
    graph = raw(model(nodes, [X], [tensor("w", 16, 32), tensor("v", 32, 16), tensor("b", 16)]), tmp_path)
    assert kinds(graph) == ["matmul", "erf", "matmul", "add"]


def test_whether_tensors_are_tied_is_not_told(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "a.weight"], ["h"]), node("MatMul", ["h", "b.weight"], ["y"])]
    told = model(nodes, [X], [tensor("a.weight", 16, 16), tensor("b.weight", 16, 16)])
    spec = LINEAR.replace("relu(NORM(linear(x)))", "linear(x)")
    spec += "claims:\n  - {id: tied, where: Section 3, same_weights: [a, b]}\n"
    assert judged(told, spec, tmp_path, "tied") is Verdict.UNDETERMINED


def test_a_loop_that_a_tensor_ends_is_opaque(tmp_path: Path) -> None:
    inner = [helper.make_tensor_value_info(name, kind, []) for name, kind in (("i", 7), ("go", 9))]
    body = helper.make_graph(
        [
            node("Relu", ["h"], ["r"]),
            node("ReduceMax", ["r"], ["top"], keepdims=0),
            node("Cast", ["top"], ["on"], to=9),
        ],
        "body",
        [*inner, value("h")],
        [helper.make_tensor_value_info("on", 9, []), value("r")],
    )
    held = [helper.make_tensor("n", 7, [], [4]), helper.make_tensor("t", 9, [], [True])]
    graph = raw(model([node("Loop", ["n", "t", "x"], ["y"], body=body)], [X], held), tmp_path)
    assert kinds(graph) == ["opaque"]
    assert "it ends by what a tensor holds" in str(only(graph, "opaque").attr("why"))


def test_a_permute_that_also_lays_out_heads_is_the_keys_own(tmp_path: Path) -> None:
    """`axes=(0, 2, 3, 1)` is the layout of heads and the turn of the keys in one."""
    four = [value(name, 2, 7, 4, 8) for name in "qkv"]
    nodes = [node("Transpose", [name], [f"{name}t"], perm=[0, 2, 1, 3]) for name in "qv"]
    nodes += [node("Transpose", ["k"], ["kt"], perm=[0, 2, 3, 1]), node("MatMul", ["qt", "kt"], ["s"])]
    nodes += [node("Softmax", ["s"], ["p"], axis=-1), node("MatMul", ["p", "vt"], ["y"])]
    graph = read(model(nodes, four), tmp_path)
    layouts = [(op.attr("axis"), op.attr("other_axis")) for op in graph.ops if op.kind.name == "permute"]
    assert layouts == [(1, 2)] * 3
    assert only(graph, "attention").reads[1].op in {op.path for op in graph.ops if op.kind.name == "permute"}


def test_a_table_that_an_exporter_calls_learned_is(tmp_path: Path) -> None:
    nodes = [node("Gather", ["t", "at"], ["g"]), node("Add", ["x", "g"], ["y"])]
    told = model(nodes, [X], [tensor("t", 99, 16), whole("at", 0, 1, 2, 3, 4, 5, 6)])
    assert isinstance(only(raw(told, tmp_path), "embedding").attr("frozen"), Unknown)
    assert only(raw(marked(told, t="PARAMETER"), tmp_path), "embedding").attr("frozen") is None
