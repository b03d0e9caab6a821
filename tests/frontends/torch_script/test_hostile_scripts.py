"""Whatever an archive holds, it ends in one clear error within seconds, or is read for what it says; nothing runs."""

from __future__ import annotations

import os
import pickle
import struct
import sys
import time
from pathlib import Path

import pytest
from archives import CODE, MODEL, archive, called, instance, number, tensor, text

from archcheck.errors import ArchcheckError
from archcheck.frontends.targets import parse_target, resolve
from archcheck.frontends.torch_script import pickles, writing
from archcheck.ir.graph import Unknown
from archcheck.sweep import Read, Request, read_symbol

SECONDS = 10.0  # of a shared machine: alone, each takes less than two


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(data: bytes, name: str = "model.pt") -> Read:
    Path(name.partition(":")[0]).write_bytes(data)
    target = resolve(parse_target(name))
    started = time.monotonic()
    try:
        return read_symbol(target, "", target.symbol, Request(name))
    finally:
        assert time.monotonic() - started < SECONDS


def refused(data: bytes, name: str = "model.pt") -> str:
    """What is said about a file: one line, with the file and no control characters."""
    with pytest.raises(ArchcheckError) as raised:
        load(data, name)
    told = str(raised.value)
    assert "model" in told
    assert told.replace("\n", "").isprintable()
    return told


def kinds(data: bytes) -> list[str]:
    return [op.kind.name for op in load(data).graphs[0].ops]


def test_the_archive_that_the_others_are_made_from_is_read() -> None:
    assert kinds(archive()) == ["input", "linear", "relu"]
    assert kinds(archive(packed=True)) == ["input", "linear", "relu"]


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.pt2", "model.ts", "model.torchscript", "model"])
def test_an_archive_is_told_by_its_content(name: str) -> None:
    assert load(archive(), name).reading.symbol == "Model"


def test_torch_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert kinds(archive())[-1] == "relu"


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch harmed",)


def test_what_a_pickle_would_call_is_not_called() -> None:
    for module, name in (("os", "system"), ("posix", "system"), ("builtins", "exec"), ("torch._utils", "anything")):
        call = called(module, name, text("touch harmed"))
        told = refused(archive(model=call))
        assert "holds no module" in told
        assert kinds(archive(constants=call))[-1] == "relu"
        weight = instance("__torch__.Model", weight=call, bias=tensor("1", 4), training=b"\x88")
        found = load(archive(model=weight))
        assert not any(op.kind.name == "linear" and op.attr("out_features") for op in found.graphs[0].ops)
    for protocol in (0, 1, 2, 3, 4, 5):
        refused(archive(files={"data.pkl": pickle.dumps(Harm(), protocol)}))
    assert not Path("harmed").exists()


def test_code_is_not_run() -> None:
    code = "import os\nos.system('touch harmed')\n" + CODE + "os.system('touch harmed')\n"
    assert kinds(archive(code))[-1] == "relu"
    inner = CODE.replace("    bias = self.bias\n", "    bias = self.bias\n    _0 = os.system('touch harmed')\n")
    inner = inner.replace("x: Tensor)", "x: Tensor=__import__('os').system('touch harmed'))")
    load(archive(inner))
    assert not Path("harmed").exists()


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (b"", "damaged"),
        (b"0", "does not write: POP"),
        (b"(" * 1000, "leaves 1000 values"),
        (b"t", "no mark"),
        (b"h\x07", "damaged"),
        (b"]q\x00h\x00a", "holds itself"),
        (b"N" + b"\x85" * 5000, "deeper than 200 levels"),
        (b"}]Ns", "neither text nor number"),
        (b"X\xff\xff\xff\x7f", "damaged"),
        (b"\x8a\xff" + b"\x7f" * 255, "holds no module"),
        (b"\x93", "does not write: STACK_GLOBAL"),
        (b"P123\n", "does not write: PERSID"),
        (tensor("0", -1), "no numbers"),
        (tensor("0", *[1] * 100), "without its numbers"),
        (b"N", "holds no module"),
        (instance("__torch__.Other", training=b"\x88"), 'class "__torch__.Other"'),
        (instance("os.path", training=b"\x88"), 'class "os.path"'),
        (instance("__torch__.<b>bold</b>\x1b[31m", training=b"\x88"), "does not define"),
    ],
)
def test_a_damaged_pickle_is_one_error(steps: bytes, why: str) -> None:
    assert why in refused(archive(model=steps))


def test_a_pickle_of_many_steps_or_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MAX_STEPS", 1000)
    assert "more than 1,000 steps" in refused(archive(model=b"N" * 2000))
    monkeypatch.setattr(pickles, "MAX_BYTES", 100)
    assert "MiB" in refused(archive())


def test_values_that_share_their_parts_do_not_grow() -> None:
    doubled = b"]q\x00" + b"".join(
        b"](h" + bytes([at]) + b"h" + bytes([at]) + b"eq" + bytes([at + 1]) for at in range(60)
    )
    state = instance("__torch__.Model", weight=doubled, bias=tensor("1", 4), training=b"\x88")
    # what lies on the stack below is dropped with its tuple
    told = refused(archive(model=state))
    assert "more than 400,000 values" in told or "damaged" in told


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    assert "100 times its size" in refused(archive(CODE + "#" * 3_000_000, packed=True))
    assert "MiB" in refused(archive(CODE + "#" * 70_000_000, packed=True))
    assert "characters" in refused(archive(CODE + "#" * 300_000))


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (CODE.replace("relu(", "relu("), ""),
        ("class Model(Module:\n", "cannot be parsed"),
        ("class Other(Module):\n  pass\n", 'class "__torch__.Model"'),
        ("def Model():\n  pass\n", 'class "__torch__.Model"'),
        ("class Model(Module):\n  weight : Tensor\n", 'no method "forward"'),
        (CODE.replace("torch.relu(", "(" * 3000), "cannot be parsed"),
        (CODE.replace("torch.linear(x, weight, bias)", "-" * 30_000 + "x"), "nest"),
        ("\0" + CODE, "cannot be parsed"),
    ],
)
def test_code_that_is_none(code: str, why: str) -> None:
    if not why:
        assert kinds(archive(code))[-1] == "relu"
        return
    assert why in refused(archive(code))


def test_code_that_is_no_text() -> None:
    assert "no text" in refused(archive(files={"code/__torch__.py": b"\xff\xfe\x00"}))


@pytest.mark.parametrize("kept", [3, 30, 200, -30, -1])
def test_a_file_that_is_cut_off(kept: int) -> None:
    assert refused(archive()[:kept])


@pytest.mark.parametrize("depth", [80, 98])
def test_blocks_within_blocks(depth: int) -> None:
    deep = "".join("    " + "  " * at + "if self.training:\n" for at in range(depth))
    code = CODE.replace("    bias = self.bias\n", deep + "    " + "  " * depth + "y = 1\n    bias = self.bias\n")
    if depth > 90:
        assert "too many levels of indentation" in refused(archive(code))
    else:
        assert kinds(archive(code))[-1] == "relu"


def test_what_is_not_known_is_opaque_and_says_so() -> None:
    for word in ("torch.some_new_op(x)", "ops.mine.op(x)", "ops.prim.unheard_of(x)", "__torch__.missing(x)"):
        graph = load(archive(CODE.replace("torch.linear(x, weight, bias)", word))).graphs[0]
        (opaque,) = (op for op in graph.ops if op.kind.name == "opaque")
        assert opaque.attr("why")


def test_a_loop_without_an_end_is_bounded() -> None:
    code = CODE.replace(
        "    bias = self.bias\n", "    y = x\n    while True:\n      y = torch.add(y, 1)\n    bias = self.bias\n"
    )
    found = load(archive(code))
    assert found.reading.variants[0].error or found.reading.variants[0].rounds or found.reading.variants[0].unread


def test_a_name_of_torch_proves_nothing() -> None:
    """A class that calls itself torch's linear map, or attention, is what its code computes."""
    code = CODE.replace("class Model", "class Linear").replace(
        "__torch__.Model", "__torch__.torch.nn.modules.linear.Linear"
    )
    other = code.replace("torch.relu(torch.linear(x, weight, bias))", "torch.tanh(torch.linear(x, weight, bias))")
    model = MODEL.replace(b"c__torch__\nModel", b"c__torch__.torch.nn.modules.linear\nLinear")
    assert kinds(archive(model=model, files={"code/__torch__/torch/nn/modules/linear.py": other}))[-1] == "tanh"
    code = other.replace("modules.linear.Linear", "modules.activation.MultiheadAttention")
    code = code.replace("class Linear", "class MultiheadAttention")
    model = MODEL.replace(b"c__torch__\nModel", b"c__torch__.torch.nn.modules.activation\nMultiheadAttention")
    assert kinds(archive(model=model, files={"code/__torch__/torch/nn/modules/activation.py": code}))[-1] == "tanh"


def test_a_torn_debug_file_decides_nothing() -> None:
    for data in (b"", b"\x80\x02.", b"garbage", b"\x80\x02" + called("os", "system", text("touch harmed")) + b"."):
        assert kinds(archive(files={"code/__torch__.py.debug_pkl": data}))[-1] == "relu"
    assert not Path("harmed").exists()


def test_a_method_is_named_behind_a_colon() -> None:
    assert 'no method "forwards"' in refused(archive(), "model.pt:forwards")
    assert "it has forward" in refused(archive(), "model.pt:nothing") or "did you mean" in refused(archive())


def test_two_that_share_their_numbers_are_one() -> None:
    model = instance("__torch__.Model", weight=tensor("0", 4, 4), bias=tensor("0", 4, 4), training=b"\x88")
    weights = dict(load(archive(model=model)).reading.variants[0].weights)
    assert len(weights) == 2
    assert len(set(weights.values())) == 1
    assert number(3) == b"J\x03\x00\x00\x00"


def test_methods_that_python_would_call_are_not_called() -> None:
    other = "\n  def __call__(self: __torch__.Model,\n    x: Tensor) -> Tensor:\n    return torch.tanh(x)\n"
    other += "\n  def __init__(self: __torch__.Model,\n    x: Tensor) -> Tensor:\n    return torch.tanh(x)\n"
    assert kinds(archive(CODE + other)) == ["input", "linear", "relu"]


def test_an_attention_that_runs_its_parts_is_read() -> None:
    """A layer that has torch's name, weights and ops, and runs code of a part of it, is not taken for torch's."""
    code = """class MultiheadAttention(Module):
  __parameters__ = ["in_proj_weight", ]
  in_proj_weight : Tensor
  num_heads : int
  embed_dim : int
  dropout : float
  out_proj : __torch__.Model
  def forward(self: __torch__.torch.nn.modules.activation.MultiheadAttention,
    x: Tensor) -> Tensor:
    out_proj = self.out_proj
    w = self.in_proj_weight
    q, k, v, = torch.chunk(torch.linear(x, w), 3, -1)
    y = torch.scaled_dot_product_attention(q, k, v)
    z = torch.softmax(y, -1)
    return {last}
"""
    model = instance(
        "__torch__.torch.nn.modules.activation.MultiheadAttention",
        in_proj_weight=tensor("0", 12, 4), num_heads=number(2), embed_dim=number(4), dropout=b"G" + bytes(8),
        out_proj=instance("__torch__.Model", weight=tensor("1", 4, 4), bias=tensor("2", 4), training=b"\x88"),
        training=b"\x88",
    )  # fmt: skip
    whole = instance("__torch__.Model", weight=model, bias=tensor("3", 4), training=b"\x88")
    outer = CODE.replace("torch.relu(torch.linear(x, weight, bias))", "(weight).forward(x, )")
    for last, taken in (("(out_proj).forward(y, )", False), ("torch.linear(y, out_proj.weight)", True)):
        files = {"code/__torch__/torch/nn/modules/activation.py": code.replace("{last}", last)}
        found = load(archive(outer, whole, files=files))  # type: ignore[arg-type]
        assert any("torch.nn.MultiheadAttention" in one for one in found.reading.assumptions) is taken


def test_steps_of_an_index_stay_what_they_were_of() -> None:
    """A name that is bound anew between two steps is another value."""
    lines = ("_1 = torch.slice(x, 1, 0, 2)", "x = torch.tanh(x)", "_2 = torch.slice(_1, 0, 0, 1)", "return _2")
    ops = load(archive(CODE.split("    bias = ")[0] + "".join(f"    {line}\n" for line in lines))).graphs[0].ops
    (first, *_) = (op for op in ops if op.kind.name == "select")
    assert first.reads[0].op == next(op.path for op in ops if op.kind.name == "input")


def test_a_check_is_passed_over_where_it_cannot_be_made() -> None:
    check = (
        '    if torch.eq(torch.dim(x), 3):\n      pass\n    else:\n      ops.prim.RaiseException("AssertionError: ")\n'
    )
    found = load(archive(CODE.replace("    bias = self.bias\n", check + "    bias = self.bias\n")))
    assert [op.kind.name for op in found.graphs[0].ops] == ["input", "linear", "relu"]
    assert not found.reading.variants[0].error


def test_wide_lists_that_share_a_wide_list() -> None:
    inner = b"](" + b"K\x01" * 20_000 + b"eq\x00"
    wide = b"](" + inner + b"h\x00" * 20_000 + b"e"
    assert "more than 400,000 values" in refused(archive(model=instance("__torch__.Model", weight=wide)))


def test_masks_beyond_the_bound_have_a_shape_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    code = CODE.replace('["weight", "bias", ]', "[]").replace("torch.linear(x, weight, bias)", "torch.mul(x, weight)")
    model = instance("__torch__.Model", weight=tensor("0", 1, 1), bias=tensor("1", 4), training=b"\x88")
    files = {"data/0": struct.pack("<f", 2.0)}
    whole = archive(code, model, files=files)  # type: ignore[arg-type]
    (held,) = (op for op in load(whole).graphs[0].ops if op.kind.name == "constant")
    assert held.attr("value") == 2.0
    monkeypatch.setattr(writing, "MAX_HELD", 3)
    (held,) = (op for op in load(whole).graphs[0].ops if op.kind.name == "constant")
    assert isinstance(held.attr("value"), Unknown)
