"""Recording a model beside the bare forward of the same model on the meta device.

    python -m tests.benchmarks.bench_trace --python PYTHON [--check] [--peers [--peer-path FOLDER]] [NAME ...]

PYTHON is the interpreter of an environment that holds torch and transformers. Models are whole and of their published
sizes; none has weights. The baseline is the same call of the same model with everything on the meta device and nothing
that records; where that fails because code asks what a tensor holds, such questions are answered and nothing else is
done, and the row says so ("asks"). A recording starts with a recorder that knows nothing. What archcheck does with a
recording (canonical form, alignment with itself, judgement by a spec of the library) is timed in this process, right
after the forward of the same model. All times are CPU seconds of one thread, medians of runs that alternate in one
process; bars are ratios.

Bars: recording at most 0.35 of the forward in the median and 0.8 at worst, 0.25 for Llama of 80 layers; the rest at
most 0.3; the same calls with and without the cache; 25 MB of memory; every call with a line and a module. With
`--peers` (torchview, TorchLens, found in FOLDER: `pip install --target FOLDER torchview torchlens`): at least 5 times
faster than torchview, 40 times than torch.export and 50 times than TorchLens, which needs weights and so runs only on
models below 0.4 billion parameters.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from archcheck.align import align
from archcheck.cli.entry import COLLECTED_AT
from archcheck.frontends.targets import Target, parse_target, resolve
from archcheck.frontends.trace.tracer import Running, _traced, request_of, tables
from archcheck.frontends.trace.wire import parse
from archcheck.judging import Judge
from archcheck.pipeline import places
from archcheck.spec import load
from archcheck.sweep import Request, canonical, of_trace
from tests.benchmarks.harness import ROOT, Bar, finish, parser

MEDIAN, WORST, DEEP, REST, MEGABYTES = 0.35, 0.8, 0.25, 0.3, 25.0
PEERS = {"torchview": 5, "torch.export": 40, "TorchLens": 50}  # at least so many times faster
DEEPEST = "Llama-70B"


@dataclass(frozen=True)
class Model:
    """One of the zoo: a class of transformers, and the configuration that gives it its published size."""

    name: str
    folder: str
    symbol: str
    config: str
    spec: str = "vaswani2017"  # of the library, that it is held against


_LLAMA_70B = "hidden_size=8192, intermediate_size=28672, num_hidden_layers=80, num_attention_heads=64"
_OPT = "hidden_size=4096, ffn_dim=16384, num_hidden_layers=32, num_attention_heads=32, word_embed_proj_dim=4096"
_WHISPER = "d_model=1280, encoder_layers=32, decoder_layers=32, encoder_attention_heads=20, decoder_attention_heads=20"
_NEOX = "hidden_size=6144, intermediate_size=24576, num_hidden_layers=44, num_attention_heads=64"
_T5 = "d_model=768, d_ff=3072, num_layers=12, num_heads=12"
_GEMMA = "hidden_size=3584, intermediate_size=14336, num_hidden_layers=42, num_attention_heads=16"
_TINY = "hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, vocab_size=512"
ZOO = (
    Model("Llama tiny", "llama", "LlamaModel", f"LlamaConfig({_TINY})", "touvron2023"),
    Model(DEEPEST, "llama", "LlamaModel", f"LlamaConfig({_LLAMA_70B}, num_key_value_heads=8)", "touvron2023"),
    Model("BERT", "bert", "BertModel", "BertConfig()", "devlin2018"),
    Model("GPT-2", "gpt2", "GPT2Model", "GPT2Config()", "radford2019"),
    Model("T5-base", "t5", "T5Model", f"T5Config({_T5})"),
    Model("OPT-6.7B", "opt", "OPTModel", f"OPTConfig({_OPT}, layerdrop=0.0)"),
    Model("BLOOM-7B1", "bloom", "BloomModel", "BloomConfig(hidden_size=4096, n_layer=30, n_head=32)"),
    Model("Mixtral-8x7B", "mixtral", "MixtralModel", "MixtralConfig()"),
    Model("DeepSeek-V3", "deepseek_v3", "DeepseekV3Model", "DeepseekV3Config()"),
    Model("Qwen3-MoE", "qwen3_moe", "Qwen3MoeModel", "Qwen3MoeConfig()"),
    Model("Whisper-large", "whisper", "WhisperModel", f"WhisperConfig({_WHISPER})"),
    Model("ViT-base", "vit", "ViTModel", "ViTConfig()"),
    Model("Swin", "swin", "SwinModel", "SwinConfig()"),
    Model("ConvNeXt", "convnext", "ConvNextModel", "ConvNextConfig()"),
    Model("ResNet-50", "resnet", "ResNetModel", "ResNetConfig()"),
    Model("Wav2Vec2", "wav2vec2", "Wav2Vec2Model", "Wav2Vec2Config(layerdrop=0.0, apply_spec_augment=False)"),
    Model("Gemma2-9B", "gemma2", "Gemma2Model", f"Gemma2Config({_GEMMA}, num_key_value_heads=8)"),
    Model("Falcon-7B", "falcon", "FalconModel", "FalconConfig()"),
    Model("GPT-J-6B", "gptj", "GPTJModel", "GPTJConfig()"),
    Model("GPT-NeoX-20B", "gpt_neox", "GPTNeoXModel", f"GPTNeoXConfig({_NEOX})"),
    Model("DeBERTa-v2", "deberta_v2", "DebertaV2Model", "DebertaV2Config()"),
    Model("CLIP", "clip", "CLIPModel", "CLIPConfig()"),
    Model("DINOv2", "dinov2", "Dinov2Model", "Dinov2Config()"),
    Model("BART-large", "bart", "BartModel", "BartConfig()"),
    Model("OLMo2", "olmo2", "Olmo2Model", "Olmo2Config()"),
    Model("Cohere", "cohere", "CohereModel", "CohereConfig()"),
    Model("SegFormer", "segformer", "SegformerModel", "SegformerConfig()"),
)


class Side:
    """The child process, which answers one model after the other."""

    def __init__(self, python: Path) -> None:
        command = [str(python), "-m", "tests.benchmarks.trace_child"]
        self.child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer for one model.

        Raises:
            RuntimeError: the process has ended.
        """
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(json.dumps(request) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"the process beside torch ended with {self.child.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> None:
        """Nothing more is asked."""
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait()


@contextmanager
def _side(python: Path) -> Iterator[Side]:
    side = Side(python)
    try:
        yield side
    finally:
        side.end()


def on_the_host(answer: dict[str, Any], target: Target, model: Model, runs: int) -> dict[str, float]:
    """CPU seconds of what is done with a recording: reading it, replaying it, and canonical form, alignment and
    judgement together."""
    data = json.dumps(answer.pop("recording")).encode()
    parsed, recording = _timed(lambda: parse(data))
    replayed, traced = _timed(lambda: _traced(target, model.symbol, recording, "", True))
    read = of_trace(target, model.symbol, traced)
    spec, _ = load(model.spec)
    judge = Judge(spec, places(target.library, spec), Request(target.ref.text).preset, frozenset())
    rest = []
    for _ in range(runs):
        spent, graph = _timed(lambda: canonical(traced.reading.variants[0]))
        aligned, _ = _timed(partial(align, graph, graph))
        judged, _ = _timed(lambda: [judge.variant(subject) for subject in read.subjects()])
        rest.append((spent, aligned, judged))
    canonicalised, aligned, judged = (statistics.median(column) for column in zip(*rest, strict=True))
    found = {"parse": parsed, "replay": replayed, "canonicalise": canonicalised, "align": aligned, "judge": judged}
    return {**found, "rest": statistics.median(map(sum, rest))}


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = run()
    return time.process_time() - start, found


def measured(options: argparse.Namespace) -> Iterator[tuple[Model, dict[str, Any]]]:
    """What came of each model of the zoo."""
    folder = next(options.python.parent.parent.glob("lib/python3*/site-packages/transformers/models"))
    warm = False
    with _side(options.python) as side:
        for model in ZOO:
            if options.names and model.name not in options.names:
                continue
            target = resolve(parse_target(f"{folder}/{model.folder}/modeling_{model.folder}.py:{model.symbol}"))
            assert target.source is not None
            running = Running(python=options.python)
            arguments = {"config": model.config}
            request = request_of(target, target.source.module, model.symbol, arguments, running, training=True)
            more = {"runs": options.runs, "peers": options.peers, "paths": [str(one) for one in options.peer_path]}
            if not warm:  # the first model of a process pays for what all of them use
                warm = "error" not in side.ask({**tables(), **request, **more})
            answer = side.ask({**tables(), **request, **more})
            if "error" not in answer:
                gc.collect()
                answer |= on_the_host(answer, target, model, min(options.runs, 3))
            yield model, answer


def main() -> int:
    """Run the benchmark and print its table and bars."""
    arguments = parser("recording models beside their bare forward", runs=3)
    arguments.add_argument("names", nargs="*", help="models of the zoo; all by default")
    arguments.add_argument("--python", type=Path, default=Path(sys.executable), help="one with torch and transformers")
    arguments.add_argument("--peers", action="store_true", help="time torchview, torch.export and TorchLens too")
    arguments.add_argument("--peer-path", type=Path, action="append", default=[], help="a folder that holds peers")
    options = arguments.parse_args()
    gc.set_threshold(*COLLECTED_AT)  # as the command does
    print(f"{'':14}{'calls':>6}{'forward':>9}{'recorded':>10}{'uncached':>10}{'replay':>8}{'rest':>7}{'MB':>7}  notes")
    rows = []
    for model, found in measured(options):
        rows.append((model, found))
        print(_row(model, found), flush=True)
    return finish(_bars([(model, found) for model, found in rows if "error" not in found], rows), check=options.check)


def _row(model: Model, found: dict[str, Any]) -> str:
    if "error" in found:
        return f"{model.name:14} failed: {found['error']}"
    bare = found["forward"]
    shares = f"{found['record'] / bare:9.2f}x{found['uncached'] / bare:9.2f}x{found['replay'] / bare:7.1f}x"
    parts = "+".join(f"{found[one] / bare:.2f}" for one in ("canonicalise", "align", "judge"))
    notes = [parts] + ["asks"] * found["answered"] + ["NOT THE SAME UNCACHED"] * (not found["same"])
    for name, cost in found.get("peers", {}).items():
        shown = "not tried" if cost is None else cost if isinstance(cost, str) else f"{cost / found['record']:.0f}x"
        notes.append(f"{name} {shown}")
    head = f"{model.name:14}{found['calls']:6}{bare:8.3f}s{shares}{found['rest'] / bare:6.2f}x{found['megabytes']:7.1f}"
    return f"{head}  {'; '.join(notes)}"


def _bars(done: list[tuple[Model, dict[str, Any]]], rows: list[tuple[Model, dict[str, Any]]]) -> list[Bar]:
    if not done:
        return [Bar("models that failed", len(rows), 0, "")]
    shares = {model.name: found["record"] / found["forward"] for model, found in done}
    found = [
        Bar("models that failed", len(rows) - len(done), 0, ""),
        Bar(f"recording / bare forward, median of {len(done)}", statistics.median(shares.values()), MEDIAN),
        Bar(f"the same at worst ({max(shares, key=shares.__getitem__)})", max(shares.values()), WORST),
    ]
    if DEEPEST in shares:
        found.append(Bar(f"recording / bare forward, {DEEPEST}", shares[DEEPEST], DEEP))
    rest = {model.name: one["rest"] / one["forward"] for model, one in done}
    found += [
        Bar("canonicalising, aligning and judging / bare forward, median", statistics.median(rest.values()), REST),
        Bar("models whose calls differ without the cache", sum(not one["same"] for _, one in done), 0, ""),
        Bar("most memory of a recording", max(one["megabytes"] for _, one in done), MEGABYTES, "MB"),
        Bar("calls without a line", sum(one["calls"] - one["sited"] for _, one in done), 0, ""),
        Bar("calls without a module", sum(one["calls"] - one["placed"] for _, one in done), 0, ""),
    ]
    for name, least in PEERS.items():
        costs = [(one["peers"][name], one["record"]) for _, one in done if one.get("peers", {}).get(name) is not None]
        ran = [cost / record for cost, record in costs if isinstance(cost, float)]
        if costs:
            print(f"{name}: {len(ran)} of {len(costs)} models that were tried")
        if ran:
            found.append(Bar(f"recording / {name}, median", statistics.median(1 / one for one in ran), 1 / least))
    return found


if __name__ == "__main__":
    sys.exit(main())
