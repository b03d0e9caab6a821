"""Tracing a model of Keras beside building and calling it in a graph with nothing that records.

    python -m tests.benchmarks.bench_keras --python PYTHON [--check]

PYTHON is the interpreter of an environment that holds tensorflow and keras, and perhaps keras-hub. Times are CPU
seconds of runs that alternate in one process, and of each model the median ratio counts. Bar: at most 1.5 times.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from archcheck.frontends.trace.frameworks import TENSORFLOW
from archcheck.frontends.trace.tracer import tables
from tests.benchmarks.harness import ROOT, Bar

MOST = 1.5
_BASE = {"vocabulary_size": 1000, "num_layers": 12, "num_heads": 12, "hidden_dim": 768, "intermediate_dim": 3072}
MODELS = [
    ("ResNet50", "keras.src.applications.resnet", "ResNet50", {"weights": None}),
    ("BERT", "keras_hub.src.models.bert.bert_backbone", "BertBackbone", _BASE),
    ("GPT-2", "keras_hub.src.models.gpt2.gpt2_backbone", "GPT2Backbone", _BASE),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--check", action="store_true", help="fail where the bar is missed")
    asked = parser.parse_args()
    hub = list(asked.python.parent.parent.glob("lib/python3*/site-packages/keras_hub"))
    request = {"tables": tables(TENSORFLOW), "models": MODELS if hub else MODELS[:1]}
    done = subprocess.run(
        [asked.python, "-m", "tests.benchmarks.keras_child"],
        input=json.dumps(request), capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    bars = []
    for line in done.stdout.splitlines():
        if line.startswith("["):
            name, bare, traced = json.loads(line)
            bars.append(Bar(f"{name}, traced in {traced:.1f} s and bare in {bare:.1f} s", traced / bare, MOST))
    print("\n".join(map(str, bars)))
    return 1 if asked.check and (not bars or any(bar.missed for bar in bars)) else 0


if __name__ == "__main__":
    sys.exit(main())
