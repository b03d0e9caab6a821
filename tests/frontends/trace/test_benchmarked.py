"""What the benchmark asks of the process beside torch is answered, for one small model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archcheck.frontends.targets import parse_target, resolve
from archcheck.frontends.trace.tracer import Running, request_of, tables

if TYPE_CHECKING:
    from trace_sources import Sources

ROOT = Path(__file__).parents[3]


def test_a_model_is_measured_and_its_calls_are_the_same_without_the_cache(traces: Sources) -> None:
    from trace_sources import model

    forward = "return x + self.drop(self.one(self.norm(x)))"
    layers = {"norm": "nn.LayerNorm(8)", "one": "nn.Linear(8, 8)", "drop": "nn.Dropout(0.1)"}
    target = resolve(parse_target(f"{traces.write(model(forward, given='x: Tensor', **layers))}:Model"))
    assert target.source is not None
    running = Running(inputs={"x": "2x3x8"})
    request = request_of(target, target.source.module, "Model", {}, running, training=True)
    line = json.dumps({**tables(), **request, "runs": 1, "peers": False, "paths": []})
    command = [sys.executable, "-m", "tests.benchmarks.trace_child"]
    done = subprocess.run(command, cwd=ROOT, input=f"{line}\n", capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert "error" not in answer, answer["error"] + done.stderr
    assert answer["same"]
    assert answer["calls"] == answer["sited"] == answer["placed"] == 4
    assert answer["record"] > 0
    assert answer["forward"] > 0
