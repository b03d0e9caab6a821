"""A description as text: what a reader wants to know about a model at one look."""

from __future__ import annotations

import textwrap

from archcheck.describe.description import Description, HParamsSet, Picture
from archcheck.describe.regions import Region, convolutions, stated
from archcheck.frontends.static.reader import GIVEN
from archcheck.ir.graph import Op, Unknown
from archcheck.passes.structure import topology
from archcheck.shown import shown

WIDTH = 110  # columns of a line of wiring
_JOINED = "\x1f"
MOST_CHAINS = 60  # that are printed
LETTERS = "n norm, d dropout, a add, s scale of the branch, S scale of the residual, p stochastic depth, F the sublayer"


def as_text(description: Description) -> str:
    """What the target is, layer by layer, with variants and what could not be told."""
    lines = [description.target, ""]
    default = description.default
    for layer in default.layers:
        lines += _layer(layer)
    if description.hparams:
        lines[-1:] = []
    stop = next((one for one in description.undetermined if default.error and one.why.endswith(default.error)), None)
    if default.error:
        where = f" ({stop.span})" if stop is not None and stop.span else ""
        lines.append(f"could not be read to its end: {default.error}{where}")
    elif not default.layers and default.wiring is None and not description.hparams:
        lines.append("no residual sublayers were found")
    if default.wiring is not None and not default.layers:
        lines += _head(description)
    lines += _wiring(default, bool(default.layers))
    told = [fact for fact in default.facts if fact.value is not None]
    if told and default.layers:
        lines += ["", *(f"  {fact.name.replace('_', ' '):<16} {_word(fact.value)}" for fact in told)]
    for picture in description.pictures:
        if picture is not default:
            lines += ["", f"with {_when(picture)}:", *(line for layer in picture.layers for line in _layer(layer))]
            lines += _wiring(picture, bool(picture.layers))
            lines += [f"  {name:<16} {value}" for name, value in _differing(default, picture)]
    if description.hparams:
        lines += hparams_table(description.hparams)
        lines += ["", "describe or audit a model of the file with --arg 'hparams=SET()'"]
    if description.isolation:
        lines += ["", f"the code was run, contained by {description.isolation}"]
    if description.proofs:
        lines += ["", "formulas, evaluated on random numbers:", *(f"  {text}" for text in description.proofs)]
    if description.assumptions:
        lines += ["", "taken for granted:", *(f"  {text}" for text in description.assumptions)]
    hidden = default.wiring is not None and not default.layers  # facts are about layers
    facts = {fact.name for fact in default.facts} if hidden else set()
    unknown = [one for one in description.undetermined if one.what not in facts and one is not stop]
    if unknown:
        lines += ["", "not determined:"]
        lines += [f"  {one.what}: {one.why}{f' ({one.span})' if one.span else ''}" for one in unknown]
    if default.layers:
        lines += ["", f"({LETTERS})"]
    return "\n".join(map(shown, lines)) + "\n"


def _head(description: Description) -> list[str]:
    """What stands where no layer is named: the target's own class or function, and its place."""
    span = description.span
    return [f"{description.symbol}  {span.file}:{span.line}"] if span is not None else []


def _wiring(picture: Picture, behind: bool) -> list[str]:
    """What feeds what, a chain a line."""
    if picture.wiring is None:
        return []
    width = max(len(chain.name) for chain in picture.wiring.chains)
    lines = ["", "wiring:"] if behind else ["wiring:"]
    for chain in picture.wiring.chains[:MOST_CHAINS]:
        of = f" of {', '.join(chain.of)}" if chain.of else ""
        steps = ", ".join(step.replace(" ", _JOINED) for step in chain.steps)  # a line ends between steps
        wrapped = textwrap.wrap(
            f"{steps}{of}",
            WIDTH,
            initial_indent=f"  {chain.name:<{width}} = ",
            subsequent_indent=" " * (width + 7),
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += [line.replace(_JOINED, " ") for line in wrapped]
    if more := len(picture.wiring.chains) - MOST_CHAINS if len(picture.wiring.chains) > MOST_CHAINS else 0:
        lines.append(f"  and {more} more chains, which --format json has")
    return [*lines, f"  result: {', '.join(picture.wiring.results)}"]


def _layer(layer: Region) -> list[str]:
    place = f" at {layer.place}" if layer.place else ""
    where = f"  {layer.span.file}:{layer.span.line}" if layer.span else ""
    shape = topology(layer.sublayers)
    times = "n" if isinstance(layer.repeat, Unknown) else layer.repeat
    head = f"{times} x {layer.symbol}" if times != 1 else layer.symbol
    lines = [f"{head}{place}{'' if shape == 'sequential' else f', {shape}'}{where}"]
    kinds = [f"{one.count} x {one.kind}" if one.count > 1 else one.kind for one in layer.sublayers]
    width = max([16, *map(len, kinds)])
    for sublayer, kind in zip(layer.sublayers, kinds, strict=True):
        norm = f"  {sublayer.norm.replace('_', ' ')}" if sublayer.norm else ""
        lines.append(f"  {kind:<{width}} {sublayer.signature:<12}{norm}{_details(sublayer.core)}")
        windows = convolutions(sublayer.core) if sublayer.kind == "conv" else ()
        if windows:
            lines.append(f"  {'':<{width}} {', '.join(windows)}")
    return lines


def _details(core: Op | None) -> str:
    words = ["gated" if name == "gated" else f"{name}={value}" for name, value in stated(core)]
    return f"  ({', '.join(words)})" if words else ""


def _word(value: bool | str | None) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _when(picture: Picture) -> str:
    said = (f"{name} given" if value == GIVEN else f"{name}={value}" for name, value in picture.when)
    return ", ".join(said) or "other decisions"


def _differing(default: Picture, other: Picture) -> list[tuple[str, str]]:
    before = {fact.name: fact.value for fact in default.facts}
    return [
        (fact.name.replace("_", " "), _word(fact.value)) for fact in other.facts if fact.value != before.get(fact.name)
    ]


def hparams_table(sets: tuple[HParamsSet, ...]) -> list[str]:
    """The registered hyper-parameter sets, one a line: order, codes, and the lines that set them."""
    width = max(len(one.name) for one in sets)
    lines = [f"{len(sets)} hparams sets are registered:"]
    for one in sets:
        order = one.order or "-"
        codes = f"pre={one.pre!r} post={one.post!r}" if one.post else one.why or "by the model's own code"
        where = f"  {', '.join(one.set_at)}" if one.set_at else ""
        lines.append(f"  {one.name:<{width}}  {order:<8}  {codes}{where}")
    return lines
