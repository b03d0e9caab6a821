"""A spec as the rest of the program sees it: frozen data, checked once where it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from archcheck.errors import ArchcheckError
from archcheck.ir.graph import Unknown
from archcheck.ir.ops import OpKind
from archcheck.ir.span import Span
from archcheck.spec.formula import Amount, Expression, settle
from archcheck.spec.nodes import Text
from archcheck.spec.problems import Problems, did_you_mean, hints


@dataclass(frozen=True, slots=True)
class Citation:
    """Where the paper says something, and its own words, exactly, where the spec gives them."""

    where: str = ""  # "Figure 1 (left); Section 3.1"
    quote: str = ""
    span: Span | None = None  # of the statement in the spec
    quote_span: Span | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """What identifies the paper; "" and 0 where the spec does not say."""

    arxiv: str = ""
    year: int = 0
    doi: str = ""
    url: str = ""
    venue: str = ""
    version: str = ""  # the version of the paper that the claims are taken from
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the paper and what it means: a kind, a kind with attributes, or a function of the paper's own."""

    name: str
    kind: OpKind
    text: Text  # as the spec writes it: `gelu(approximate="tanh")`
    span: Span


@dataclass(frozen=True, slots=True)
class What:
    """Something that a claim speaks of: an op kind, a term, or a block of the spec."""

    name: str
    kind: OpKind | None  # None: only a block or an end of the model is called so
    block: str  # id of the block of that name, or ""
    text: Text  # as written, with attributes
    span: Span

    def __str__(self) -> str:
        return self.text.text.strip()


@dataclass(frozen=True, slots=True)
class Pattern:
    """`norm after encoder_layer`: something, and where it stands. `relation` is "", "after", "before" or "in"."""

    what: What
    relation: str
    where: What | None
    span: Span

    def __str__(self) -> str:
        return f"{self.what} {self.relation} {self.where}" if self.where else str(self.what)


@dataclass(frozen=True, slots=True)
class Stated:
    """An attribute of ops: `heads: 8`, or `self_attention.heads: 8` where `what` names the ops."""

    what: Pattern | None
    attr: str
    value: Expression
    span: Span

    def __str__(self) -> str:
        of = f" of {self.what}" if self.what else ""
        return f"{self.attr}{of} is {self.value}"


# ---- what a block states


@dataclass(frozen=True, slots=True)
class Flow:
    """Equations, as one would write them in Python."""

    text: Text

    def __str__(self) -> str:
        lines = [line.strip() for line in self.text.text.split("\n")]
        return "; ".join(line for line in lines if line and not line.startswith("#"))


@dataclass(frozen=True, slots=True)
class Letter:
    """One step of a sublayer signature; `by` is the factor of an `s` or `S`, where it is stated."""

    letter: str
    span: Span
    by: Expression | None = None


@dataclass(frozen=True, slots=True)
class OrderedSublayer:
    """A sublayer function and the steps around it, in execution order."""

    call: Text  # `self_attention`, or `cross_attention(x, memory)`
    letters: tuple[Letter, ...]

    def __str__(self) -> str:
        return f"{self.call.text.strip()}: {' '.join(letter.letter for letter in self.letters)}"


@dataclass(frozen=True, slots=True)
class Order:
    """Sublayer signatures, in the order in which the sublayers run."""

    sublayers: tuple[OrderedSublayer, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.sublayers))


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the model, and what the paper states about it."""

    id: str
    citation: Citation
    content: Flow | Order
    span: Span  # of its name in the spec
    repeat: Expression | None = None
    widths: tuple[Stated, ...] = ()
    only: tuple[What, ...] | None = None  # closes the list: besides what is stated, only these may stand there
    advisory: bool = False
    strict: tuple[str, ...] = ()  # equivalences that do not count here; ("*",): none of them counts
    presets: tuple[str, ...] = ()  # empty: holds for all

    @property
    def says(self) -> str:
        """What it states, in one line."""
        return str(self.content)


# ---- claims beyond wiring


@dataclass(frozen=True, slots=True)
class SameWeights:
    """Learned tensors that are one and the same: tied embeddings, layers that share."""

    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.places)} share their weights"


@dataclass(frozen=True, slots=True)
class OwnWeights:
    """Parts that have learned tensors of their own: modules, or all ops of a kind."""

    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.places)}: each with weights of its own"


@dataclass(frozen=True, slots=True)
class Absent:
    patterns: tuple[Pattern, ...]

    def __str__(self) -> str:
        return f"no {', no '.join(map(str, self.patterns))}"


@dataclass(frozen=True, slots=True)
class Present:
    patterns: tuple[Pattern, ...]

    def __str__(self) -> str:
        return f"there is {' and '.join(map(str, self.patterns))}"


@dataclass(frozen=True, slots=True)
class Count:
    counts: tuple[tuple[Pattern, Expression], ...]

    def __str__(self) -> str:
        return ", ".join(f"{pattern}: {count} times" for pattern, count in self.counts)


@dataclass(frozen=True, slots=True)
class Path:
    """A sequence along the data flow; None stands for a gap (`...`)."""

    steps: tuple[What | None, ...]
    only: tuple[What, ...] | None = None  # what may stand in gaps and between steps; None: anything
    absent: tuple[What, ...] = ()  # what may stand nowhere on it

    def __str__(self) -> str:
        words = " -> ".join("..." if step is None else str(step) for step in self.steps)
        if self.only is not None:
            words += f", with nothing else but {', '.join(map(str, self.only))}" if self.only else ", with nothing else"
        return words + "".join(f", without {what}" for what in self.absent)


@dataclass(frozen=True, slots=True)
class Repeat:
    counts: tuple[tuple[str, Expression], ...]  # (block, how often)

    def __str__(self) -> str:
        return ", ".join(f"{block} stands {count} times in a row" for block, count in self.counts)


@dataclass(frozen=True, slots=True)
class Attributes:
    stated: tuple[Stated, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.stated))


@dataclass(frozen=True, slots=True)
class Part:
    """What learns: `linear in feed_forward`, `attention.value in decoder_layer`, `residual.last_norm`.

    `role` says which ops of `what` are meant. "": `what` itself. "query", "key", "value": the maps that feed an
    attention; "output": the map behind it, or the last one of another sublayer. "all", "first" and "last": ops of kind
    `of` inside.
    """

    what: What
    role: str
    of: OpKind | None  # what `role` counts
    where: What | None
    text: Text

    def __str__(self) -> str:
        return " ".join(self.text.text.split())


@dataclass(frozen=True, slots=True)
class Start:
    """What the weights of some parts are before training: one value, a spread, a scheme, or a multiple of others'.

    Formulas may use `fan_in` and `fan_out`, the sizes that a weight maps from and to, and `layer`, from 1.
    """

    of: tuple[Part, ...]
    weight: Expression | None = None  # all are this value
    bias: Expression | None = None
    std: Expression | None = None
    scheme: str = ""
    gain: Expression | None = None
    fan: str = "in"
    bound: Expression | None = None  # of a uniform distribution around 0
    cut: Expression | None = None  # where a normal distribution is cut off, in its standard deviations
    ratio: Expression | None = None  # their standard deviation over that of `to`
    to: tuple[Part, ...] = ()
    tolerance: float = 0.05  # relative, beside what the size of a sample asks for

    def __str__(self) -> str:
        rows = [f"{name} {value}" for name in ("weight", "bias") if (value := getattr(self, name)) is not None]
        spread = [self.scheme.replace("_", " ")] if self.scheme else []
        spread += [f"fan {self.fan}"] if self.fan != "in" else []
        words = {"gain": "gain", "std": "standard deviation", "bound": "bound", "cut": "cut at"}
        spread += [f"{word} {value}" for name, word in words.items() if (value := getattr(self, name)) is not None]
        if self.ratio is not None:
            spread.append(f"{self.ratio} times the standard deviation of {', '.join(map(str, self.to))}")
        rows += [", ".join(spread)] if spread else []
        return f"{', '.join(map(str, self.of))} start with {' and '.join(rows)}"


@dataclass(frozen=True, slots=True)
class Init:
    """What learned tensors are before training."""

    starts: tuple[Start, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.starts))


Statement = SameWeights | OwnWeights | Absent | Present | Count | Path | Repeat | Attributes | Init


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of the paper beyond the wiring of a block."""

    id: str
    citation: Citation
    states: Statement
    span: Span
    advisory: bool = False
    strict: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """What it states, in one line."""
        return str(self.states)


@dataclass(frozen=True, slots=True)
class Reading:
    """Another way to read a figure: `blocks` stand in for the blocks of the same ids."""

    id: str
    says: str
    citation: Citation
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Something that the paper states and no graph can show."""

    what: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class Example:
    """Code of which a user knows whether it is what the paper states; it tests the spec, and states nothing itself."""

    target: str  # as `archcheck audit` takes it; a file is found beside the one that lists the example
    holds: bool
    of: tuple[str, ...]  # ids of the claims that are meant; empty: any
    why: str
    span: Span
    arguments: tuple[tuple[str, str], ...] = ()
    bind: tuple[tuple[str, str], ...] = ()
    sizes: tuple[tuple[str, int | float], ...] = ()
    preset: str = ""
    mode: str = "train"


@dataclass(frozen=True)
class Spec:
    """One paper: what it states about its model, and where."""

    id: str
    title: str
    paper: Paper
    terms: tuple[Term, ...]
    sizes: tuple[tuple[str, Expression | None], ...]  # None: declared without a value
    presets: tuple[tuple[str, tuple[tuple[str, Expression], ...]], ...]
    blocks: tuple[Block, ...]
    claims: tuple[Claim, ...]
    readings: tuple[Reading, ...]
    not_checked: tuple[NotChecked, ...]
    file: str
    lines: tuple[str, ...]
    examples: tuple[Example, ...] = ()

    def block(self, id: str) -> Block:
        """The block called `id`.

        Raises:
            ArchcheckError: there is none.
        """
        for block in self.blocks:
            if block.id == id:
                return block
        ids = [block.id for block in self.blocks]
        raise ArchcheckError(
            f'{self.id} has no block "{id}"', place=self.file, hint=hints(did_you_mean(id, ids), f"it has {_list(ids)}")
        )

    def reading(self, id: str) -> Spec:
        """This spec with the blocks of reading `id` in place of its own.

        Raises:
            ArchcheckError: there is no such reading.
        """
        for reading in self.readings:
            if reading.id == id:
                read = {block.id: block for block in reading.blocks}
                return replace(self, blocks=tuple(read.get(block.id, block) for block in self.blocks))
        ids = [reading.id for reading in self.readings]
        raise ArchcheckError(
            f'{self.id} has no reading "{id}"', place=self.file, hint=hints(did_you_mean(id, ids), _list(ids))
        )

    def values(self, preset: str = "", given: Mapping[str, Amount] | None = None) -> dict[str, Amount]:
        """Every size with its value.

        Args:
            preset: one of the spec's presets; without it, a size that differs between presets is Unknown.
            given: sizes from elsewhere (a command line, a model's configuration); they stand above the spec's own,
                and formulas follow them.

        Raises:
            ArchcheckError: no such preset.
        """
        given = given or {}
        if preset or not self.presets:
            return self._values(preset, given)
        each = {name: self._values(name, given) for name, _ in self.presets}
        names = dict.fromkeys(name for values in each.values() for name in values)
        return {name: _agreed(name, {preset: values.get(name) for preset, values in each.items()}) for name in names}

    def _values(self, preset: str, given: Mapping[str, Amount]) -> dict[str, Amount]:
        formulas: dict[str, Expression | Amount] = {
            name: Unknown(f"the spec gives no value for {name}") if formula is None else formula
            for name, formula in self.sizes
        }
        if preset:
            presets = dict(self.presets)
            if preset not in presets:
                raise ArchcheckError(
                    f'{self.id} has no preset "{preset}"',
                    place=self.file,
                    hint=hints(did_you_mean(preset, presets), _list(list(presets))),
                )
            formulas.update(presets[preset])
        formulas.update(given)
        return settle(formulas, Problems(self.file, self.lines))


def _agreed(name: str, values: Mapping[str, Amount | None]) -> Amount:
    """The value that all presets give `name`, or an Unknown that lists them."""
    known = [value for value in values.values() if value is not None]
    first = known[0]
    if len(known) == len(values) and all(type(v) is type(first) and v == first for v in known):
        return first
    if whys := [value for value in known if isinstance(value, Unknown)]:
        return whys[0]
    shown = ", ".join(f"{preset}: {'-' if value is None else value}" for preset, value in values.items())
    return Unknown(f"{name} depends on the preset ({shown})")


def _list(names: list[str]) -> str:
    return ", ".join(names) if names else "none"
