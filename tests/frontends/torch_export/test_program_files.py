"""`model.pt2` is read as a file: what it says becomes the graph that its source would give."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest
from programs import HERE, Json, block, meta, node, packed, program, tensor

from archcheck import pipeline
from archcheck.align import EditKind
from archcheck.errors import TargetError
from archcheck.findings import Verdict
from archcheck.frontends.static.library import Library
from archcheck.frontends.torch_export.reader import load
from archcheck.frontends.trace.sandbox import Limits
from archcheck.frontends.trace.tracer import Running
from archcheck.ir.equivalences import NO_DROPOUT
from archcheck.ir.graph import OpGraph
from archcheck.passes import canonicalise
from archcheck.sweep import Read, Request
from archcheck.witnesses import compared

SOURCE = """
from torch import nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(8, 32)
        self.down = nn.Linear(32, 8)
        self.norm = nn.LayerNorm(8)
        self.drop = nn.Dropout(0.1)
    def forward(self, x):
        return self.norm(x + self.drop(self.down(self.up(x).relu())))
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(HERE / "block.pt2", tmp_path)
    (tmp_path / "block.py").write_text(SOURCE)
    return tmp_path


def read(target: str, **options: object) -> Read:
    (found,) = pipeline.load_target(Request(target, explore=False, **options))  # type: ignore[arg-type]
    return found


def graph_of(told: Json) -> OpGraph:
    Path("other.pt2").write_bytes(packed(told))
    return canonicalise(load(Path("other.pt2"), Library([]), "other.pt2").reading.variants[0].graph)


def test_a_saved_program_and_its_source_are_one_graph() -> None:
    saved, source = read("block.pt2"), read("block.py:Block")
    assert saved.frontend == "torch_export"
    assert saved.symbol == "Block"
    assert not [edit for edit in compared(source.graphs[0], saved.graphs[0]).edits if edit.kind is not EditKind.UNKNOWN]


def test_the_checked_in_file_is_what_the_script_writes() -> None:
    assert Path("block.pt2").read_bytes() == packed(block())


def test_it_is_audited_described_compared_and_drawn() -> None:
    (report,) = pipeline.check(Request("block.pt2"), "vaswani2017#feed_forward")
    assert report.frontend == "torch_export"
    assert {claim.verdict for claim in report.default.claims} <= {Verdict.HOLDS, Verdict.UNDETERMINED}
    (described,) = pipeline.describe(Request("block.pt2"))
    assert described.mode == "train"
    sides = [pipeline.load_side(one, Request(one)) for one in ("block.pt2", "block.py:Block")]
    assert not pipeline.diff(*sides)[0].edits
    assert pipeline.picture(Request("block.pt2"), None, "dot").startswith(b"digraph")


def test_ops_stand_in_modules_and_at_lines_without_the_folders_of_who_saved_it() -> None:
    found = read("block.pt2").reading.variants[0]
    assert [(one.path, one.symbol, one.span.file, one.span.line) for one in found.places] == [
        ("", "Block", "block.py", 10)
    ]
    linear = next(op for op in found.graph.ops if op.kind.name == "linear")
    assert linear.path.startswith("up/")
    assert linear.span is not None
    assert (linear.span.file, linear.span.line) == ("block.py", 10)
    assert found.weights[0] == ("down.bias", "down.bias")


def test_the_mode_is_that_of_the_file() -> None:
    Path("eval.pt2").write_bytes(packed(block(train=False)))
    saved = read("eval.pt2")
    assert saved.graphs[0].origin is not None
    assert saved.graphs[0].origin.mode == "eval"
    assert not [op for op in saved.graphs[0].walk() if op.kind.name == "dropout"]
    assert any("eval mode" in one for one in saved.reading.assumptions)
    with pytest.raises(TargetError, match="saved in train mode"):
        read("block.pt2", training=False)


def test_one_dropout_that_is_always_on_makes_no_train_mode() -> None:
    told = block(train=False)
    graph = told["graph_module"]["graph"]
    on: Json = {"p": {"as_float": 0.1}, "train": {"as_bool": True}}
    graph["nodes"].insert(-1, node("dropout.default", "always", "", "", 14, input=tensor("add"), **on))
    graph["nodes"][-1]["inputs"][0]["arg"] = tensor("always")
    graph["tensor_values"]["always"] = meta(2, 5, 8)
    Path("mixed.pt2").write_bytes(packed(told))
    saved = read("mixed.pt2").graphs[0]
    assert saved.origin.mode == "eval"
    assert [op.span.line for op in saved.walk() if op.kind.name == "dropout" and op.span] == [14]


SPEC = """
archcheck: 1
id: a2026
title: A
blocks:
  layer:
    where: Section 3
    flow: FLOW
claims:
  - {id: rate, where: Section 3, attributes: {dropout: {p: 0.1}}}
"""


@pytest.mark.parametrize(
    ("flow", "trained", "evaluated"),
    [
        ("x = layer_norm(x + dropout(feed_forward(x)))", Verdict.HOLDS, Verdict.HOLDS),
        ("x = layer_norm(dropout(x + feed_forward(x)))", Verdict.VIOLATED, Verdict.HOLDS),
        ("x = x + dropout(feed_forward(layer_norm(x)))", Verdict.VIOLATED, Verdict.VIOLATED),
    ],
)
def test_a_program_in_eval_mode_is_held_against_a_claim_without_its_dropouts(
    flow: str, trained: Verdict, evaluated: Verdict
) -> None:
    Path("spec.yaml").write_text(SPEC.replace("FLOW", flow))
    Path("eval.pt2").write_bytes(packed(block(train=False)))
    for file, layer, rate in (
        ("block.pt2", trained, Verdict.HOLDS),
        ("eval.pt2", evaluated, Verdict.UNDETERMINED),
    ):
        (report,) = pipeline.check(Request(file), "spec.yaml")
        assert [claim.verdict for claim in report.default.claims] == [layer, rate]
        assert any(NO_DROPOUT in claim.equivalences for claim in report.default.claims) is (file == "eval.pt2")


@pytest.mark.parametrize("sides", [("block.py:Block", "eval.pt2"), ("eval.pt2", "block.py:Block")])
def test_dropout_is_not_compared_with_a_program_in_eval_mode(sides: tuple[str, str]) -> None:
    Path("eval.pt2").write_bytes(packed(block(train=False)))
    one, other = pipeline.load_sides(*sides, Request(""))
    assert [one.stripped, other.stripped] == [side.endswith("Block") for side in sides]
    assert pipeline.diff(one, other)[0].edits == ()
    one, other = pipeline.load_sides("block.py:Block", "block.pt2", Request(""))
    assert not one.stripped
    assert not other.stripped


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"running": Running(limits=Limits())}, "--trace is for code"),
        ({"arguments": {"x": "1"}}, "--arg is for code"),
        ({"running": Running(), "both": True}, "--trace is for code"),
    ],
)
def test_what_is_for_code_is_refused(options: dict[str, object], why: str) -> None:
    with pytest.raises(TargetError, match=why):
        pipeline.check(Request("block.pt2", **options), "vaswani2017")  # type: ignore[arg-type]


def test_a_program_is_chosen_by_its_name() -> None:
    Path("two.pt2").write_bytes(packed(block(), **{"block/models/other.json": json.dumps(block(p=0.5)).encode()}))
    with pytest.raises(TargetError, match=r"holds several programs\n.*two\.pt2:NAME, of model, other"):
        read("two.pt2")
    assert [op.attr("p") for op in read("two.pt2:other").graphs[0].walk() if op.kind.name == "dropout"] == [0.5]
    with pytest.raises(TargetError, match='no program in it is called "third"'):
        read("two.pt2:third")


def test_the_form_of_torch_up_to_2_6_and_any_ending_serve() -> None:
    Path("model.bin").write_bytes(packed(block(), entry="serialized_exported_program.json"))
    assert read("model.bin").symbol == "Block"


def test_indexing_is_put_together_again() -> None:
    whole = {"start": {"as_int": 0}, "end": {"as_int": 2**63 - 1}}
    nodes = [
        node("slice.Tensor", "a", "", "", 1, self=tensor("x"), dim={"as_int": 0}, **whole),
        node("select.int", "b", "", "", 1, self=tensor("a"), dim={"as_int": 1}, index={"as_int": 0}),
    ]
    for one in nodes:
        one["metadata"]["torch_fn"] = "__getitem___1;wrapper_descriptor.__getitem__"
    found = graph_of(program(nodes, {"x": meta(2, 5, 8), "a": meta(2, 5, 8), "b": meta(2, 8)}, ["x"], None, ["b"]))
    (select,) = [op for op in found.ops if op.kind.name == "select"]
    assert select.attr("index") == (("slice", None, None, None), 0)


def test_what_is_written_in_place_and_sizes_that_are_free() -> None:
    nodes = [
        node("relu_.default", "y", "", "", 1, self=tensor("x")),
        node("add_.Tensor", "z", "", "", 2, self=tensor("y"), other={"as_float": 1.0}),
        node("sin.default", "s", "", "", 3, self=tensor("x")),
    ]
    free = {"as_expr": {"expr_str": "Symbol('s77', positive=True)", "hint": {"as_int": 3}}}
    values = {name: {**meta(0, 8), "sizes": [free, {"as_int": 8}]} for name in "xyzs"}
    told = program(nodes, values, ["x"], None, ["s"])
    assert [op.kind.name for op in graph_of(told).ops] == ["input", "relu", "add", "sin"]
    found = load(Path("other.pt2"), Library([]), "other.pt2").reading
    assert found.assumptions == ("the size s77 is free, and was saved as 3",)


def test_what_no_table_lists_is_opaque_under_its_name() -> None:
    nodes = [
        node("not_an_op.default", "y", "", "", 1, self=tensor("x")),
        {**node("x", "z", "", "", 2, pred=tensor("y")), "target": "torch.ops.higher_order.cond"},
        {**node("x", "w", "", "", 2, self=tensor("z")), "target": "torch.ops.mine.special.default"},
    ]
    found = graph_of(program(nodes, {name: meta(2, 3) for name in "xyzw"}, ["x"], None, ["w"]))
    told = [(op.attr("name"), op.attr("why")) for op in found.ops if op.kind.name == "opaque"]
    assert [name for name, _ in told] == ["aten.not_an_op", "torch.ops.higher_order.cond", "mine.special"]
    assert told[1][1] == "it runs one of two graphs, by what a tensor holds"


def test_nothing_in_the_frontend_unpickles_or_imports_torch() -> None:
    for path in (Path(__file__).parents[3] / "archcheck" / "frontends" / "torch_export").glob("*.py"):
        for one in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in one.names] if isinstance(one, ast.Import) else []
            names += [one.module or ""] if isinstance(one, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & {"pickle", "torch", "marshal", "zipfile", "shelve"}
