"""`describe`: a target's layers, facts and variants, as data, as JSON and as text.

The JSON is a public contract, version 1: target, frontend, mode, blocks (name, symbol, file, line, repeat, topology,
sublayers with kind, signature, norm, line, attrs), wiring where sublayers do not tell most of it (chains with name,
steps in words, of, line; results), facts, variants (when, blocks, wiring, facts), hparams sets where the file registers
them, assumptions, and undetermined with what, why, file and line. A fact that is not known is null and listed under
undetermined.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from archcheck.describe.fact import Fact
from archcheck.describe.facts import FACTS, facts, plain
from archcheck.describe.regions import Region, convolutions, layers, stated
from archcheck.describe.wiring import Wiring, wiring
from archcheck.findings import Undetermined
from archcheck.frontends.static.reader import Reading, Variant
from archcheck.ir.graph import AttrValue, OpGraph
from archcheck.ir.span import Span
from archcheck.passes.structure import Sublayer, topology

VERSION = 1
CORPUS_KINDS = {"feed_forward": "ffn", "convolution": "conv"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One variant: where flags have these values, these layers and facts."""

    when: tuple[tuple[str, AttrValue], ...]
    default: bool
    layers: tuple[Region, ...]
    facts: tuple[Fact, ...]
    graph: OpGraph
    error: str = ""  # why the code could not be read to its end; then there are no layers and no facts
    wiring: Wiring | None = None  # where sublayers do not tell most of what it computes


@dataclass(frozen=True, slots=True)
class HParamsSet:
    """A registered set of hyper-parameters and the order that it asks for; "" where the codes are not in it."""

    name: str
    function: str
    order: str
    pre: str
    post: str
    set_at: tuple[str, ...] = ()  # file:line of what set each code
    why: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What a target is."""

    target: str
    mode: str
    pictures: tuple[Picture, ...]  # the default one first
    assumptions: tuple[str, ...]
    undetermined: tuple[Undetermined, ...]
    hparams: tuple[HParamsSet, ...] = ()
    symbol: str = ""  # class or function that was read
    span: Span | None = None  # where it is defined
    frontend: str = "static"  # "trace" where the code was run; another where a saved model was read
    isolation: str = ""  # what stood around it while it ran
    proofs: tuple[str, ...] = ()  # what recognised formulas are, evaluated on random numbers

    @property
    def default(self) -> Picture:
        """The variant that stands when nothing is said; without layers where only hparams sets are described."""
        if not self.pictures:
            return Picture((), True, (), (), OpGraph(()))
        return next((picture for picture in self.pictures if picture.default), self.pictures[0])


def describe_variants(
    target: str, reading: Reading, graphs: tuple[OpGraph, ...], undetermined: tuple[Undetermined, ...]
) -> Description:
    """What the variants of a reading are; those whose layers and facts are the default's are left out."""
    pictures = [_picture(variant, graph, reading) for variant, graph in zip(reading.variants, graphs, strict=True)]
    first = next((picture for picture in pictures if picture.default), pictures[0])
    kept = [first]
    for picture in pictures:
        if all(_gist(picture) != _gist(other) for other in kept):
            kept.append(picture)
    mode = graphs[0].origin.mode if graphs else "train"
    unknown = [
        *undetermined,
        *(
            Undetermined(fact.name, fact.why, reading.span)
            for fact in first.facts
            if fact.value is None and not first.error
        ),
    ]
    return Description(
        target, mode, tuple(kept), reading.assumptions, tuple(unknown), symbol=reading.symbol, span=reading.span
    )


def _picture(variant: Variant, graph: OpGraph, reading: Reading) -> Picture:
    if variant.error:  # what was read so far is a part, and tells nothing about the whole
        unknown = tuple(Fact(name, None, "the code could not be read to its end") for name in FACTS)
        return Picture(variant.when, variant.default, (), unknown, graph, variant.error)
    found = layers(graph, variant.places, reading.symbol, reading.span)
    known = facts(graph, found, dict(variant.weights), variant.tied)
    wired = wiring(graph, found, variant.places)
    return Picture(variant.when, variant.default, found, known, graph, wiring=wired)


def _gist(picture: Picture) -> object:
    """What two variants must differ in to be told apart."""
    return (
        tuple(
            (layer.signature, topology(layer.sublayers), layer.repeat, tuple(_told(one) for one in layer.sublayers))
            for layer in picture.layers
        ),
        tuple((fact.name, fact.value) for fact in picture.facts),
        None if picture.wiring is None else [(chain.steps, chain.of) for chain in picture.wiring.chains],
    )


def _told(sublayer: Sublayer) -> object:
    """What is said of a sublayer beside its signature."""
    return sublayer.norm, sublayer.count, stated(sublayer.core), convolutions(sublayer.core)


# ---- JSON


def _hparams_set(one: HParamsSet) -> dict[str, object]:
    return {
        "name": one.name,
        "function": one.function,
        "order": one.order or None,
        "pre": one.pre,
        "post": one.post,
        "set_at": list(one.set_at),
        "why": one.why or None,
    }


def as_json(descriptions: tuple[Description, ...]) -> str:
    """One object for one target, a list for several."""
    data = [as_object(description) for description in descriptions]
    return json.dumps(data[0] if len(data) == 1 else data, indent=2, ensure_ascii=False, sort_keys=False) + "\n"


def as_object(description: Description) -> dict[str, object]:
    """A description as what JSON holds: plain data."""
    default = description.default
    found: dict[str, object] = {
        "version": VERSION,
        "target": description.target,
        "frontend": description.frontend,
        "mode": description.mode,
        "blocks": [_block(layer) for layer in default.layers],
        **_wiring(default),
        "facts": {fact.name: fact.value for fact in default.facts},
        "variants": [
            {
                "when": {name: plain(value) for name, value in picture.when},
                "blocks": [_block(layer) for layer in picture.layers],
                **_wiring(picture),
                "facts": {fact.name: fact.value for fact in picture.facts},
            }
            for picture in description.pictures
            if picture is not default
        ],
    }
    if description.hparams:
        found["hparams_sets"] = [_hparams_set(one) for one in description.hparams]
    if description.proofs:
        found["proofs"] = list(description.proofs)
    found["assumptions"] = list(description.assumptions)
    found["undetermined"] = [
        {
            "what": one.what,
            "why": one.why,
            "file": one.span.file if one.span else None,
            "line": one.span.line if one.span else None,
        }
        for one in description.undetermined
    ]
    return found


def _wiring(picture: Picture) -> dict[str, object]:
    if picture.wiring is None:
        return {}
    chains = [
        {"name": chain.name, "steps": list(chain.steps), "of": list(chain.of), "line": chain.line}
        for chain in picture.wiring.chains
    ]
    return {"wiring": {"chains": chains, "results": list(picture.wiring.results)}}


def _block(layer: Region) -> dict[str, object]:
    return {
        "name": layer.place,
        "symbol": layer.symbol,
        "file": layer.span.file if layer.span else None,
        "line": layer.span.line if layer.span else None,
        "repeat": plain(layer.repeat),
        "topology": topology(layer.sublayers),
        "sublayers": [
            {
                "kind": CORPUS_KINDS.get(sublayer.kind, sublayer.kind),
                "signature": sublayer.signature,
                "norm": sublayer.norm or None,
                "count": sublayer.count,
                "line": _line(sublayer),
                "attrs": {attr.name: plain(attr.value) for attr in (sublayer.core.attrs if sublayer.core else ())},
                **({"convolutions": windows} if (windows := list(convolutions(sublayer.core))) else {}),
            }
            for sublayer in layer.sublayers
        ],
    }


def _line(sublayer: object) -> int | None:
    """The line of the residual add, or of the sublayer itself."""
    residual = getattr(sublayer, "residual", None)
    core = getattr(sublayer, "core", None)
    for op in (residual, core):
        if op is not None and op.span is not None:
            return int(op.span.line)
    return None
