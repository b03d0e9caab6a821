"""Start-up: `archcheck --version` beside `python -c pass`, and audits of one file, cold.

    python -m tests.benchmarks.bench_startup [--check]

Bars: the version within 3 times an empty Python; an audit of one file within 1.5 s by the clock on two cores.
"""

from __future__ import annotations

import sys

from tests.benchmarks.harness import ARCHCHECK, ROOT, Bar, audit, bench, finish, parser
from tests.packages import unpacked

MOST_STARTS = 3.0
MOST_SECONDS = 1.5


def main() -> int:
    """Measure and print; the exit code."""
    options = parser("start-up and one-file audits", runs=9).parse_args()
    fixture = ROOT / "fixtures/vaswani2017/module_list/model.py"
    transformer = unpacked("tensor2tensor==1.2.5") / "tensor2tensor/models/transformer.py"
    models = unpacked("transformers==5.23.0") / "transformers/models"
    base = ("--arg", "hparams=transformer_base()")
    audits = {
        "one class": audit(f"{fixture}:Encoder", "vaswani2017"),
        "small file": audit(str(fixture), "vaswani2017"),
        "modeling_llama.py": audit(f"{models}/llama/modeling_llama.py", "touvron2023#decoder_layer"),
        "modeling_bert.py": audit(f"{models}/bert/modeling_bert.py", "devlin2018#encoder_layer"),
        "modeling_gpt2.py": audit(f"{models}/gpt2/modeling_gpt2.py", "radford2019"),
        "tensor2tensor encoder": audit(f"{transformer}:transformer_encoder", "vaswani2017", *base),
        "tensor2tensor model": audit(f"{transformer}:Transformer", "vaswani2017", *base),
    }
    empty, version = "python -c pass", "archcheck --version"
    with bench() as timer:
        python = (sys.executable, "-c", "pass")
        starts = timer.medians({empty: python, version: (*ARCHCHECK, "--version")}, options.runs)
        costs = timer.medians({empty: python, **audits}, max(3, options.runs // 2))
    print(f"{'':26}{'CPU':>8}{'wall':>9}  wall / {empty}")
    for name, cost in [*starts.items(), *((name, costs[name]) for name in audits)]:
        base_wall = (starts if name in starts else costs)[empty].wall
        print(f"{name:26}{cost.cpu:7.3f}s{cost.wall:8.3f}s {cost.wall / base_wall:8.1f}x")
    bars = [Bar(f"{version} / {empty}, wall", starts[version].wall / starts[empty].wall, MOST_STARTS)]
    bars += [Bar(f"audit of {name}, wall", costs[name].wall, MOST_SECONDS, "s") for name in audits]
    return finish(bars, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
