"""What operators become: graphs of a few operators, written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lite_files import HALF, INT8, Lite, lines, model, only, raw, read, signature

from archcheck.errors import TargetError
from archcheck.frontends.dialects import tflite
from archcheck.frontends.tflite_model import operators, schema
from archcheck.ir.graph import OpGraph, Unknown

FOLDED = "a batch norm may have been folded into it"
SAME, VALID = 0, 1
RELU6 = 3


def tokens(**more: Any) -> Lite:
    return Lite(x=(-1, 7, 16), **more)


def image() -> Lite:
    return Lite(x=(-1, 32, 32, 8))


def of(lite: Lite, out: str, folder: Path) -> list[str]:
    return lines(raw(model(lite, out), folder))


def why(found: OpGraph) -> list[str]:
    return [str(op.attr("why")) for op in found.walk() if op.kind.name == "opaque"]


def test_every_operator_is_known_and_has_a_meaning_or_a_reason() -> None:
    told = {*tflite.SAME, *operators.OWN, *tflite.REASONS}
    rows = {name.removeprefix(tflite.PREFIX) for name in (*tflite.TFLITE.functions, *tflite.TFLITE.formulas)}
    plain = {code for code in told if not code.startswith("Flex")}
    assert plain <= set(schema.OPERATORS)
    assert rows <= set(schema.OPERATORS)
    assert len(schema.OPERATORS) == len(set(schema.OPERATORS)) == 209
    assert all(code in schema.OPERATORS for code in schema.OPTIONS)
    for code, same in tflite.SAME.items():
        options = {field[0] for field in schema.OPTIONS[code][1]} if code in schema.OPTIONS else set()
        assert set(same.options.values()) <= options, code


@pytest.mark.parametrize(
    ("code", "options", "expected"),
    [
        ("RELU", {}, "relu"),
        ("RELU6", {}, "relu6"),
        ("RELU_N1_TO_1", {}, "clamp max=1.0 min=-1.0"),
        ("LOGISTIC", {}, "sigmoid"),
        ("TANH", {}, "tanh"),
        ("HARD_SWISH", {}, "hard_swish"),
        ("GELU", {"approximate": True}, "gelu approximate=tanh"),
        ("GELU", {"approximate": False}, "gelu approximate=none"),
        ("LEAKY_RELU", {"alpha": 0.1}, "leaky_relu slope=0.1"),
        ("SOFTMAX", {"beta": 1.0}, "softmax axis=-1"),
        ("L2_NORMALIZATION", {}, "l2_norm axis=-1"),
        ("DEPTH_TO_SPACE", {"block": 2}, "pixel_shuffle channels_last=True factor=2 inverse=False"),
    ],
)
def test_operators_of_one_tensor(tmp_path: Path, code: str, options: dict[str, Any], expected: str) -> None:
    lite = image()
    assert of(lite, lite.op(code, "x", **options), tmp_path) == [expected]


def test_a_temperature_is_a_factor_before_its_softmax(tmp_path: Path) -> None:
    lite = tokens()
    assert of(lite, lite.op("SOFTMAX", "x", beta=0.5), tmp_path) == ["mul by=0.5", "softmax axis=-1"]


def test_what_is_computed_from_a_result_is_an_op_behind_it(tmp_path: Path) -> None:
    lite = tokens(y=(-1, 7, 16))
    assert of(lite, lite.op("ADD", "x", "y", activation=RELU6), tmp_path) == ["add", "relu6"]
    lite = tokens(y=(-1, 7, 16))
    found = raw(model(lite, lite.op("MUL", "x", "y", activation=5)), tmp_path)
    assert lines(found) == ["mul", "opaque name=tflite.SIGN_BIT"]


def test_convolutions_are_laid_out_as_tensorflow_lays_them_out(tmp_path: Path) -> None:
    lite = image()
    lite.held("w", (12, 3, 5, 8))
    found = raw(model(lite, lite.op("CONV_2D", "x", "w", padding=SAME, stride_w=1, stride_h=2)), tmp_path)
    conv = only(found, "conv")
    told = {name: conv.attr(name) for name in ("kernel", "stride", "in_features", "out_features", "groups", "padding")}
    assert isinstance(told.pop("padding"), Unknown)  # one before it, of other amounts, may have become its own
    assert told == {"kernel": (3, 5), "stride": (2, 1), "in_features": 8, "out_features": 12, "groups": 1}
    assert only(found, "parameter").attr("shape") == (3, 5, 8, 12)


def test_a_depthwise_filter_has_as_many_channels_as_its_input(tmp_path: Path) -> None:
    lite = image()
    lite.held("w", (1, 3, 3, 16))
    out = lite.op("DEPTHWISE_CONV_2D", "x", "w", padding=VALID, stride_w=1, stride_h=1, dilation_w=2, dilation_h=2)
    conv = only(raw(model(lite, out), tmp_path), "conv")
    assert [conv.attr(name) for name in ("groups", "in_features", "out_features", "dilation")] == [8, 8, 16, 2]
    lite = Lite(x=(-1, -1, -1, -1))
    lite.held("w", (1, 3, 3, 16))
    found = raw(model(lite, lite.op("DEPTHWISE_CONV_2D", "x", "w", stride_w=1, stride_h=1)), tmp_path)
    assert why(found)[-1] == "how many filters each channel has is not known"


def test_a_transposed_convolution_has_its_outputs_first(tmp_path: Path) -> None:
    lite = image()
    lite.held("w", (4, 3, 3, 8))
    lite.ints("size", (1, 64, 64, 4))
    conv = only(
        raw(model(lite, lite.op("TRANSPOSE_CONV", "size", "w", "x", padding=SAME, stride_w=2, stride_h=2)), tmp_path),
        "conv_transpose",
    )
    assert [conv.attr(name) for name in ("in_features", "out_features", "kernel", "stride")] == [8, 4, 3, 2]


def test_a_shift_behind_a_convolution_may_be_a_batch_norm(tmp_path: Path) -> None:
    lite = image()
    lite.held("w", (12, 1, 1, 8))
    lite.held("b", (12,))
    found = raw(model(lite, lite.op("CONV_2D", "x", "w", "b", stride_w=1, stride_h=1, activation=1)), tmp_path)
    assert [line.split()[0] for line in lines(found)] == ["conv", "opaque", "relu"]
    assert isinstance(only(found, "conv").attr("bias"), Unknown)
    assert FOLDED in why(found)[0]


def test_so_may_a_product_with_a_vector_of_a_map_over_space(tmp_path: Path) -> None:
    lite = image()
    lite.held("w", (8,))
    assert FOLDED in why(raw(model(lite, lite.op("MUL", "x", "w")), tmp_path))[0]
    lite = tokens()
    lite.held("w", (16,))
    assert of(lite, lite.op("MUL", "x", "w"), tmp_path) == ["mul"]


def test_a_map_of_rows_may_be_followed_by_a_batch_norm_one_of_tokens_is_not(tmp_path: Path) -> None:
    lite = Lite(x=(-1, 16))
    lite.held("w", (4, 16))
    lite.held("b", (4,))
    found = raw(model(lite, lite.op("FULLY_CONNECTED", "x", "w", "b")), tmp_path)
    assert [line.split()[0] for line in lines(found)] == ["linear", "opaque"]
    assert (only(found, "linear").attr("in_features"), only(found, "linear").attr("out_features")) == (16, 4)
    lite = tokens()
    lite.held("w", (4, 16))
    lite.held("b", (4,))
    found = read(model(lite, lite.op("FULLY_CONNECTED", "x", "w", "b", keep_dims=True)), tmp_path)
    assert lines(found) == ["linear bias=True in_features=16 out_features=4"]


def test_what_has_more_axes_is_laid_out_as_rows(tmp_path: Path) -> None:
    lite = tokens()
    lite.held("w", (4, 112))
    assert of(lite, lite.op("FULLY_CONNECTED", "x", "w"), tmp_path) == ["reshape shape=(-1, 112)", "matmul"]


def test_a_shift_of_heads_is_that_of_their_map(tmp_path: Path) -> None:
    lite = tokens()
    lite.held("w", (16, 16))
    lite.held("b", (4, 4))
    lite.ints("s", (-1, 7, 4, 4))
    rows = lite.op("FULLY_CONNECTED", "x", "w", keep_dims=True, shape=(-1, 7, 16))
    out = lite.op("ADD", lite.op("RESHAPE", rows, "s", shape=(-1, 7, 4, 4)), "b")
    assert of(lite, out, tmp_path) == ["matmul", "add", "reshape shape=(-1, 7, 4, 4)"]


def test_a_factor_that_scores_do_not_show_is_not_known(tmp_path: Path) -> None:
    def scores(factor: bool) -> list[str]:
        lite = tokens()
        for name in "qkv":
            lite.held(name, (16, 16))
        q, k, v = (lite.op("FULLY_CONNECTED", "x", one, keep_dims=True, shape=(-1, 7, 16)) for one in "qkv")
        if factor:
            q = lite.op("MUL", q, lite.held("f", (), [0.25]), shape=(-1, 7, 16))
        found = lite.op("SOFTMAX", lite.op("BATCH_MATMUL", q, k, adj_y=True, shape=(-1, 7, 7)), beta=1.0)
        out = lite.op("BATCH_MATMUL", found, v, shape=(-1, 7, 16))
        attention = only(read(model(lite, out), tmp_path), "attention")
        return [str(attention.attr("scale"))]

    assert scores(True) == ["0.25"]
    assert "may have gone into the weights" in scores(False)[0]


def test_positions_that_are_added_may_be_learned_or_not(tmp_path: Path) -> None:
    lite = tokens()
    lite.held("p", (7, 16))
    found = raw(model(lite, lite.op("ADD", "x", "p")), tmp_path)
    assert why(found) == ["the file does not tell whether it is learned"]
    lite = tokens()
    lite.held("m", (7, 16), [float(at % 2) * -1e9 for at in range(112)])
    assert of(lite, lite.op("ADD", "x", "m"), tmp_path) == ["add"]


def test_rows_of_a_table_that_an_input_names_are_an_embedding(tmp_path: Path) -> None:
    lite = Lite(ids=(-1, 7))
    lite.held("table", (100, 16))
    assert of(lite, lite.op("EMBEDDING_LOOKUP", "ids", "table"), tmp_path)[0].startswith("embedding")
    lite = Lite(ids=(-1, 7))
    lite.held("table", (100, 16))
    assert of(lite, lite.op("GATHER", "table", "ids", axis=0), tmp_path)[0].startswith("embedding")


def test_weights_of_half_the_bits_or_of_rounded_numbers_are_weights(tmp_path: Path) -> None:
    lite = tokens()
    lite.held("h", (4, 16), kind=HALF)
    weight = lite.op("DEQUANTIZE", "h", shape=(4, 16))
    assert of(lite, lite.op("FULLY_CONNECTED", "x", weight, keep_dims=True), tmp_path) == ["matmul"]
    lite = tokens()
    lite.held("r", (4, 16), kind=INT8, rounded=True)
    found = raw(model(lite, lite.op("FULLY_CONNECTED", "x", "r", keep_dims=True)), tmp_path)
    assert lines(found) == ["matmul"]
    assert only(found, "parameter").attr("shape") == (16, 4)


def test_what_computes_with_rounded_numbers_is_not_read(tmp_path: Path) -> None:
    lite = tokens()
    lite.held("r", (4, 16), kind=INT8, rounded=True)
    q = lite.op("QUANTIZE", "x", kinds={"kind": INT8, "rounded": True}, shape=(-1, 7, 16))
    out = lite.op("FULLY_CONNECTED", q, "r", keep_dims=True, kinds={"kind": INT8, "rounded": True})
    found = raw(model(lite, out), tmp_path)
    assert [line for line in lines(found) if "tflite" in line] == [
        "opaque name=tflite.QUANTIZE",
        "opaque name=tflite.FULLY_CONNECTED",
    ]
    assert "rounded numbers" in why(found)[-1]


def test_equal_tensors_that_are_kept_as_one_are_not_tied(tmp_path: Path) -> None:
    lite = tokens()
    lite.held("g", (16,))
    lite.held("w", (16, 16 * 16))
    once = lite.op("MUL", lite.op("MUL", "x", "g", shape=(-1, 7, 16)), "g", shape=(-1, 7, 16))
    found = raw(model(lite, once), tmp_path)
    assert len([op for op in found.walk() if op.kind.name == "parameter"]) == 2
    lite = tokens()
    lite.held("w", (64, 64))
    both = lite.op("ADD", lite.op("FULLY_CONNECTED", "x", "w"), lite.op("FULLY_CONNECTED", "x", "w"))
    assert only(raw(model(lite, both), tmp_path), "parameter").attr("shape") == (64, 64)


def test_operators_of_tensorflow_are_told_as_nodes(tmp_path: Path) -> None:
    lite = tokens()
    erf = lite.op("CUSTOM", "x", custom="FlexErf", beside=flex("Erf"))
    assert of(lite, erf, tmp_path) == ["erf"]
    for custom, beside in (
        ("FlexErf", b""),
        ("FlexErf", flex("Tanh")),
        ("MyOp", flex("Erf")),
        ("FlexErf", b"\xff" * 9),
    ):
        lite = tokens()
        found = raw(model(lite, lite.op("CUSTOM", "x", custom=custom, beside=beside)), tmp_path)
        assert lines(found) == [f"opaque name=tflite.{custom}"], custom


def flex(op: str) -> bytes:
    """A node, as it stands beside an operator: a list of two texts, each with its length before it."""
    node = b"\x0a\x01n\x12" + bytes([len(op)]) + op.encode()
    found, places = b"", []
    for text in (op.encode(), node):
        places.append(len(found) + 1)
        found += bytes([len(text)]) + text + b"\0"
    start = len(found) + 1
    found += bytes([2]) + bytes(start + at - place for at, place in enumerate(places)) + bytes([5 << 2, 5 << 2])
    return found + bytes([len(found) - start, 10 << 2, 1])


def test_options_that_are_not_the_operator_s_are_not_guessed(tmp_path: Path) -> None:
    lite = tokens()
    found = raw(model(lite, lite.op("SOFTMAX", "x", untold=True)), tmp_path)
    assert why(found) == ["its options are not told"]


def test_a_loop_whose_rounds_are_told_is_spelled_out(tmp_path: Path) -> None:
    def part(last: str) -> Lite:
        body = Lite(i=(), x=(-1, 7, 16))
        body.held("n", (), [3.0] if last == "LESS" else [1.0])
        return body

    test, body = part("LESS"), part("ADD")
    lite = tokens()
    lite.held("zero", (), [0.0])
    lite.op("WHILE", "zero", "x", out="i", test=1, body=2)
    lite.operators[-1][1][schema.OPERATOR_OUTPUTS].values.append(lite.tensor("y", (-1, 7, 16)))
    going = test.op("LESS", "i", "n")
    step = body.op("ADD", "i", "n")
    turned = body.op("TANH", "x", shape=(-1, 7, 16))
    data = model(lite, "y", others=[(test, [going]), (body, [step, turned])])
    assert lines(raw(data, tmp_path)) == ["tanh"] * 3


def test_a_sequence_of_states_by_gates_is_an_lstm(tmp_path: Path) -> None:
    def lstm(**options: Any) -> list[str]:
        lite = tokens()
        for at in range(4):
            lite.held(f"w{at}", (8, 16))
            lite.held(f"r{at}", (8, 8))
            lite.held(f"b{at}", (8,))
        for name in ("h", "c"):
            lite.tensor(name, (1, 8), kept=True)
        maps = [f"{one}{at}" for one in "wr" for at in range(4)]
        given = ["x", *maps, "", "", "", *(f"b{at}" for at in range(4)), "", "", "h", "c"]
        told = {"activation": 4, "cell_clip": 0.0, **options}
        return of(lite, lite.op("UNIDIRECTIONAL_SEQUENCE_LSTM", *given, **told), tmp_path)

    assert lstm() == ["lstm batch_first=True bias=True units=8"]
    assert lstm(time_major=True) == ["lstm batch_first=False bias=True units=8"]
    assert lstm(cell_clip=1.0)[0].startswith("opaque")
    assert lstm(activation=1)[0].startswith("opaque")


def test_signatures_are_chosen_by_name(tmp_path: Path) -> None:
    lite = tokens()
    one, other = lite.op("RELU", "x"), lite.op("TANH", "x")
    told = [
        signature("a", {"given": 0}, {"y": lite.places[one]}),
        signature("b", {"given": 0}, {"y": lite.places[other]}),
    ]
    data = model(lite, one, signatures=told)
    assert lines(raw(data, tmp_path)) == ["relu"]
    assert lines(raw(data, tmp_path, "b")) == ["tanh"]
    assert only(raw(data, tmp_path, "b"), "input").attr("name") == "given"
    with pytest.raises(TargetError, match='no signature "c"'):
        raw(data, tmp_path, "c")
    with pytest.raises(TargetError, match="no signature"):
        raw(model(tokens(), "x"), tmp_path, "c")
