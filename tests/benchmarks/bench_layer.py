"""One layer of transformers, read and judged from process start, beside importing torch and that model.

    python -m tests.benchmarks.bench_layer [--torch-python PATH] [--check]

Bar: at most 0.15 of the import's CPU time. PATH is an interpreter that has torch and transformers; the default is the
one that runs this, if it can import torch.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from tests.benchmarks.harness import Bar, audit, bench, finish, parser
from tests.packages import unpacked

MOST = 0.15
RELEASE = "transformers==5.23.0"


@dataclass(frozen=True)
class Case:
    """A layer, the paper it is held against, and the import of the model that it is part of."""

    model: str
    layer: str
    spec: str
    imported: str

    @property
    def module(self) -> str:
        return f"transformers.models.{self.model}.modeling_{self.model}"


CASES = (
    Case("llama", "LlamaDecoderLayer", "touvron2023", "LlamaModel"),
    Case("bert", "BertLayer", "devlin2018", "BertModel"),
)


def imports_torch(python: str) -> bool:
    """Whether the interpreter at `python` can import torch."""
    found = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    return found.returncode == 0


def main() -> int:
    """Measure and print; the exit code."""
    arguments = parser("one layer against importing torch", runs=5)
    arguments.add_argument("--torch-python", default=sys.executable, help="an interpreter with torch and transformers")
    options = arguments.parse_args()
    sources = unpacked(RELEASE)
    commands: dict[str, tuple[str, ...]] = {}
    torch = imports_torch(options.torch_python)
    for case in CASES:
        file = sources / f"{case.module.replace('.', '/')}.py"
        commands[f"{case.layer} against {case.spec}"] = audit(f"{file}:{case.layer}", case.spec)
        if torch:
            program = f"import torch; from {case.module} import {case.imported}"
            commands[f"import {case.imported}"] = (options.torch_python, "-c", program)
    with bench() as timer:
        costs = timer.medians(commands, options.runs)
    print(f"{'':38}{'CPU':>8}{'wall':>9}")
    for name, cost in costs.items():
        print(f"{name:38}{cost.cpu:7.3f}s{cost.wall:8.3f}s")
    if not torch:
        print(f"\nno baseline: {options.torch_python} cannot import torch")
        print(f"`pip install torch==2.13.0 {RELEASE}` in an environment, and name its Python with --torch-python")
        return int(options.check)
    bars = [
        Bar(
            f"{case.layer} / import {case.imported}, CPU",
            costs[f"{case.layer} against {case.spec}"].cpu / costs[f"import {case.imported}"].cpu,
            MOST,
        )
        for case in CASES
    ]
    return finish(bars, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
