"""The architectures of `test_across` again, run instead of read, and exported: PyTorch, Keras and ONNX."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from across_cases import LOST, Case, cases
from saved_graphs import fed
from tensorflow_python import tensorflow_python
from test_across import READ, departures
from torch_python import torch_python

from archcheck.align import Alignment, Edit, EditKind
from archcheck.findings import Verdict
from archcheck.frontends.trace.sandbox import Limits
from archcheck.frontends.trace.tracer import Running
from archcheck.passes.kinds import VIEWS
from archcheck.pipeline import Side, check, comparable, diff, explain_difference, load_side
from archcheck.sweep import Request

ALL = cases()
BY_NAME = {case.name: case for case in ALL}
NAMES = pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
LIMITS = Limits(wall=300, cpu=300, memory=8 << 30)
IMAGES = ("resnet_v1", "resnet_v15", "unet")


@pytest.mark.packages
@NAMES
def test_what_runs_in_pytorch_is_what_is_read(case: Case) -> None:
    ran = replace(READ, running=Running(python=torch_python(), inputs=case.input, limits=LIMITS))
    torch = load_side(case.target("torch"), READ)
    side = load_side(case.target("torch"), ran)
    assert departures(torch, side, frozenset()) == []
    assert departures(side, torch, frozenset()) == []


@pytest.mark.packages
@NAMES
def test_what_runs_in_keras_is_what_is_read_in_pytorch(case: Case) -> None:
    shapes = {}  # a functional model has inputs of its own
    if case.targets["keras"][0].isupper():
        shapes = dict(case.input)
    ran = replace(READ, running=Running(python=tensorflow_python(), inputs=shapes, limits=LIMITS))
    torch, keras = load_side(case.target("torch"), READ), load_side(case.target("keras"), ran)
    assert departures(torch, keras, LOST["keras"]) == []
    assert departures(keras, torch, LOST["keras"]) == []


EXPORT = """
import importlib.util, sys, warnings
warnings.simplefilter("ignore")
import torch
for name, symbol, given in {wanted!r}:
    spec = importlib.util.spec_from_file_location(name, name + ".py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    model = getattr(module, symbol)()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)  # exporters keep tensors that are equal as one
    shape, _, kind = given.partition(":")
    shape = tuple(map(int, shape.split("x")))
    x = torch.randint(0, 9, shape) if kind else torch.randn(shape)
    torch.onnx.export(
        model.train(), (x,), name + ".onnx", dynamo=False, opset_version=17,
        training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False,
    )
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ONNX files of each architecture, and of each with its fault."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "onnx", "onnxscript")):
        pytest.skip("exporting takes torch, onnx and onnxscript")
    folder = tmp_path_factory.mktemp("exported")
    wanted = []
    for case in ALL:
        for name, source in ((case.name, case.source("torch")), (f"{case.name}_faulty", case.faulty("torch"))):
            (folder / f"{name}.py").write_text(source, encoding="utf-8")
            wanted.append((name, case.targets["torch"], next(iter(case.input.values()))))
    code = EXPORT.format(wanted=wanted)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=600, capture_output=True)
    return folder


def held_against(case: Case, file: Path) -> tuple[Side, Side, Alignment]:
    """What is read and what was exported, without what an exporter does beforehand or lays out anew.

    What is computed from constants alone (tables of positions) is a table in the file, and heads are laid out in one
    tensor with the batch where PyTorch does so within a call.
    """
    one, other = comparable(load_side(case.target("torch"), READ), load_side(str(file), READ))
    alignment, _ = diff(one, other)
    left, right = fed(one.graph), fed(other.graph)

    def counts(edit: Edit) -> bool:
        ops = ((edit.expected, left), (edit.actual, right))
        views = all(op is None or op.kind in VIEWS for op, _ in ops)
        return not views and any(op is not None and op.path in known for op, known in ops)

    return one, other, replace(alignment, edits=tuple(edit for edit in alignment.edits if counts(edit)))


@pytest.mark.packages
@NAMES
def test_what_is_exported_is_what_is_read(case: Case, exported: Path) -> None:
    """But for what a graph of one call has lost."""
    _, file, alignment = held_against(case, exported / f"{case.name}.onnx")
    assert len(fed(file.graph)) > 3
    assert [edit for edit in alignment.edits if edit.kind is not EditKind.UNKNOWN] == []


@pytest.mark.packages
@NAMES
def test_papers_judge_what_is_exported_as_what_is_read(case: Case, exported: Path) -> None:
    for spec, claims in case.verdicts.items():
        (report,) = check(Request(str(exported / f"{case.name}.onnx"), explore=False), spec)
        found = {claim.claim: claim.verdict.value for claim in report.default.claims if claim.claim in claims}
        assert found == claims, spec


@pytest.mark.packages
@NAMES
def test_a_fault_is_told_by_the_same_rule_in_an_exported_graph(case: Case, exported: Path) -> None:
    findings = explain_difference(*held_against(case, exported / f"{case.name}_faulty.onnx"))
    told = sorted({finding.rule for finding in findings if finding.verdict is Verdict.VIOLATED})
    assert told == sorted(case.rules), [(finding.rule, finding.message) for finding in findings]
