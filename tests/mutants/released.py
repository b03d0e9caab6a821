"""Layers of released models and the specs that they fulfil: read and run where transformers is installed."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from archcheck.judging import Preset

from .fixtures import Source, bound, departing
from .truth import Subject

SPECS = Path(__file__).parent / "specs"
STATES = "torch.randn(2, 5, 64)"
ROTATED = f"{STATES}, None, None, None, False, (torch.randn(2, 5, 16), torch.randn(2, 5, 16))"
SMALL = "hidden_size=64, num_attention_heads=4, intermediate_size=96, attn_implementation='eager'"


@dataclass(frozen=True)
class Released:
    """A layer of a released model.

    Attributes:
        model: folder and file in `transformers/models`.
        symbol: the class that is audited and run.
        spec: of the library, or a file of `specs` here.
        config: the call that makes the configuration that it is run with.
        call: its arguments.
        build: what it is built with, beside the configuration.
        arguments: of the audit, in the file's words.
        sizes: those that the paper gives by letters, in the model that is audited.
    """

    model: str
    symbol: str
    spec: str
    config: str
    call: str = STATES
    build: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)


RELEASED = (
    Released("bert", "BertLayer", "devlin2018", f"BertConfig({SMALL})"),
    Released("electra", "ElectraLayer", "devlin2018", f"ElectraConfig({SMALL})"),
    Released("gpt2", "GPT2Block", "radford2019", "GPT2Config(n_embd=64, n_head=4, attn_implementation='eager')"),
    Released(
        "llama", "LlamaDecoderLayer", "touvron2023", f"LlamaConfig({SMALL})", ROTATED,
        "0",
    ),
    Released("vit", "ViTLayer", "dosovitskiy2020.yaml", f"ViTConfig({SMALL})"),
    Released("deit", "DeiTLayer", "dosovitskiy2020.yaml", f"DeiTConfig({SMALL})"),
    Released(
        "convnext", "ConvNextLayer", "liu2022.yaml", "ConvNextConfig()", "torch.randn(2, 64, 9, 9)", "64",
        {"dim": "64"}, {"width": 64},
    ),
    Released(
        "bart", "BartEncoderLayer", "lewis2019.yaml",
        "BartConfig(d_model=64, encoder_attention_heads=4, encoder_ffn_dim=96, attn_implementation='eager')",
        f"{STATES}, None",
    ),
    Released(
        "whisper", "WhisperEncoderLayer", "radford2022.yaml",
        "WhisperConfig(d_model=64, encoder_attention_heads=4, encoder_ffn_dim=96, attn_implementation='eager')",
        f"{STATES}, None",
    ),
    Released(
        "olmo2", "Olmo2DecoderLayer", "olmo2024.yaml", f"Olmo2Config({SMALL})", ROTATED,
        "0",
    ),
)  # fmt: skip


def package() -> Path | None:
    """Where transformers is installed."""
    found = importlib.util.find_spec("transformers")
    return Path(found.origin).parent if found is not None and found.origin else None


def released() -> Iterator[Source]:
    """The layers, each within a tree in which its file is the only one that is written anew."""
    root = package()
    for one in RELEASED if root is not None else ():
        path = root / f"models/{one.model}/modeling_{one.model}.py"
        text = path.read_text(encoding="utf-8")
        spec = str(SPECS / one.spec) if one.spec.endswith(".yaml") else one.spec
        build = f"{one.symbol}({one.config}{', ' * bool(one.build)}{one.build})"
        subject = Subject(one.symbol, {}, 64, package=f"transformers.models.{one.model}", build=build, call=one.call)
        preset = Preset("", one.sizes)
        source = Source(f"transformers/{one.symbol}", text, spec, preset, one.arguments, subject, path=path, root=root)
        source = replace(bound(source), parts=_parts(source))
        yield replace(source, departs=departing(source, source.text))


def _parts(source: Source) -> frozenset[str]:
    """The classes of the file that the layer is made of: those that it names, and those that these name."""
    tree = ast.parse(source.text)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    found: set[str] = set()
    waiting = [source.subject.symbol]
    while waiting:
        name = waiting.pop()
        if name in found or name not in classes:
            continue
        found.add(name)
        waiting += [node.id for node in ast.walk(classes[name]) if isinstance(node, ast.Name)]
    return frozenset(found)
