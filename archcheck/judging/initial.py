"""Initial values: what a paper's weights are before training, held against those of an instance of the code.

Reading shows none: without a trace every such claim is UNDETERMINED. The instance may be a small copy of the model,
with fewer layers and other widths, so a formula is computed at the copy's own sizes: `fan_in` and `fan_out` of each
weight, and sizes that `repeat: N` ties to the number of layers. A formula over other sizes is not judged on a copy that
is smaller.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archcheck.describe.regions import Region
from archcheck.findings import Finding, Place, Verdict
from archcheck.ir.graph import Op, Unknown
from archcheck.ir.weights import Initial
from archcheck.judging import laws, modes, parts
from archcheck.judging.laws import Family, Law, shown
from archcheck.judging.learned import Learned, Owned
from archcheck.judging.parts import Targets
from archcheck.passes.kinds import REPEAT
from archcheck.spec.formula import FUNCTIONS, Amount, Expression
from archcheck.spec.model import Init, Part, Start
from archcheck.spec.starts import FORMULAS, OF_THE_WEIGHT

if TYPE_CHECKING:
    from archcheck.judging.judge import Judge, Subject

SMALLER = "the values are those of a smaller copy"
MOST_TOLD = 6  # tensors that a finding names
_NAME = re.compile(r"\b[^\W\d]\w*")
_FAMILIES = {"normal": Family.NORMAL, "uniform": Family.UNIFORM}


def judged(judge: Judge, states: Init, targets: Targets, subject: Subject) -> list[Finding]:
    """What is to be said of a claim about initial values: nothing where it holds."""
    if subject.initial is None:
        named = ", ".join(dict.fromkeys(str(part) for start in states.starts for part in start.of))
        message, fix = f"the initial values of {named} are not known from reading", "run with --trace"
        if subject.graph.origin.frontend == "trace":
            message, fix = f"the initial values of {named} are not known: the trace made no instance with values", ""
        return [parts.untold(message, fix, parts.at(judge, subject.span))]
    values = Values(judge, targets, subject, Learned(subject.graph, subject.initial))
    return [finding for start in states.starts for finding in values.findings(start)]


@dataclass(frozen=True)
class Sample:
    """One learned tensor of a part: its values, and what tells the sizes of formulas."""

    owned: Owned
    name: str
    values: Initial

    def __str__(self) -> str:
        return self.name if self.owned.third is None else f"{self.name}[{self.owned.third + 1}/3]"


class Values:
    """Judges statements on the initial values of one subject."""

    def __init__(self, judge: Judge, targets: Targets, subject: Subject, learned: Learned) -> None:
        self.judge = judge
        self.targets = targets
        self.subject = subject
        self.learned = learned
        self.told = self._layers()
        self.sizes = judge.spec.values(judge.preset.name, {**judge.preset.sizes, **self.told})

    # ---- what a statement is about

    def findings(self, start: Start) -> Iterator[Finding]:
        """What is to be said of one statement, part by part."""
        for part in start.of:
            alone = replace(start, of=(part,), weight=None, bias=None)
            if start.weight is not None:
                yield from self._part(Start((part,), weight=start.weight), part, "weight")
            elif start.scheme or start.std is not None or start.ratio is not None:
                yield from self._part(alone, part, "weight")
            if start.bias is not None:
                yield from self._part(Start((part,), bias=start.bias), part, "bias")

    def _part(self, start: Start, part: Part, tensor: str) -> Iterator[Finding]:
        if self.judge.evaluated and modes.is_about_dropout(part.what, part.where):
            yield modes.untold(f"how the {tensor} of {part} starts")
            return
        graphs = parts.graphs(part.where, self.targets, self.subject)
        inside = self.targets.get(part.what.block, ()) if part.what.block else None
        if inside is not None:
            graphs = [target.graph for target in inside]
        if not graphs:
            yield parts.nowhere(part.what if inside is not None else part.where, self.subject)
            return
        ops = {op.path: op for graph in graphs for op in self.learned.ops(part, graph)}
        if not ops:
            message = f"{self.subject.symbol} holds no {part} that could be read"
            yield parts.untold(message, parts.AUDIT_THE_HOLDER, parts.at(self.judge, self.subject.span))
            return
        found = False
        silent: list[Op] = []
        for op in ops.values():
            owned = self.learned.owned(op, tensor)
            found = found or bool(owned)
            if not owned and (tensor == "weight" or op.attr("bias") is True):
                silent.append(op)
            for one in owned:
                yield from self._owned(start, part, tensor, one)
        if silent or not found:
            of = (silent or list(ops.values()))[0]
            message = f"the {tensor} of {part} at {self._place(of)} was not found among what the instance learns"
            yield parts.untold(message, "", parts.at(self.judge, of.span))

    def _place(self, op: Op) -> str:
        return op.path.rpartition("/")[0] or self.subject.symbol

    def samples(self, owned: Owned) -> Iterator[Sample | str]:
        """The tensor of an op, round after round; why there is none where its values are not known."""
        assert self.subject.initial is not None
        for name in owned.names:
            values = self.subject.initial.get(name)
            if values is None:
                yield f"the instance has no values of {name}"
            elif values.constant is not None:
                yield Sample(owned, name, values)  # so is each part of it
            elif owned.cut or (owned.third is not None and owned.third >= len(values.thirds)):
                yield f"it is a part of {name}, of which only the whole was looked at"
            else:
                yield Sample(owned, name, values if owned.third is None else values.thirds[owned.third])

    def _owned(self, start: Start, part: Part, tensor: str, owned: Owned) -> Iterator[Finding]:
        """What is to be said of one op's tensor in all rounds."""
        places = parts.at(self.judge, owned.op.span) or parts.at(self.judge, self.subject.span)
        untold: list[tuple[str, str]] = []  # why, and how to settle it
        apart: list[tuple[Sample, laws.Departure]] = []
        few: list[tuple[Sample, Law]] = []
        judged: list[tuple[Sample, Law]] = []
        for sample in self.samples(owned):
            law = sample if isinstance(sample, str) else self.law(start, sample)
            if isinstance(sample, str) or isinstance(law, Unknown):
                untold.append(_why(law))
                continue
            assert isinstance(law, Law)
            answer = laws.judge(law, sample.values)
            judged.append((sample, law))
            if isinstance(answer, laws.TooFew):
                few.append((sample, law))
            elif answer is not None:
                apart.append((sample, answer))
        together = None if apart else self._together(judged)
        if isinstance(together, laws.Departure):
            apart = [(sample, together) for sample, _ in judged]
        elif few and together is not None:
            sample = few[0][0]
            why = f"{sample.name} has {sample.values.count} entries, and a spread needs {laws.ENTRIES}"
            untold.append((why, ""))
        if apart:
            yield self._violated(start, part, tensor, owned, apart, len(judged), places)
        if untold:
            why, fix = untold[0]
            more = f"; so in {len(untold)} layers" if len(untold) > 1 else ""
            yield parts.untold(f"how the {tensor} of {part} starts cannot be judged: {why}{more}", fix, places)

    def _together(self, judged: list[tuple[Sample, Law]]) -> laws.Departure | laws.TooFew | None:
        """All rounds as one sample, which tells a smaller departure than each of them."""
        rows = [(sample, law) for sample, law in judged if law.family is not Family.CONSTANT and law.spread > 0]
        pooled = laws.pooled((sample.values, law.spread) for sample, law in rows)
        if pooled is None:
            return None
        law = rows[0][1]
        compared = sum(law.compared for _, law in rows)
        answer = laws.judge(replace(law, spread=1.0, compared=compared), pooled)
        if not isinstance(answer, laws.Departure) or len(rows) == 1:
            return answer
        return laws.Departure(f"{shown(pooled.std)} times the standard deviation that is stated, taken together", "")

    def _violated(
        self,
        start: Start,
        part: Part,
        tensor: str,
        owned: Owned,
        apart: list[tuple[Sample, laws.Departure]],
        rounds: int,
        places: tuple[Place, ...],
    ) -> Finding:
        first, departure = apart[0]
        names = [str(sample) for sample, _ in apart]
        which = f", not {departure.stated}" if departure.stated else ""
        if rounds > 1:
            which += f", in all {rounds} layers" if len(apart) == rounds else f", in {len(apart)} of {rounds} layers"
        some = ", ".join(names[:MOST_TOLD]) + (", ..." if len(names) > MOST_TOLD else "")
        values = first.values
        ends = f"between {shown(values.minimum)} and {shown(values.maximum)}"
        figures = f"entries {ends}, with mean {shown(values.mean)} and standard deviation {shown(values.std)}"
        if values.constant is not None:
            figures = f"entries of {shown(values.constant)}"
        return Finding(
            "initial-values",
            Verdict.VIOLATED,
            f"the {tensor} of {part} starts with {departure.found}{which}",
            f"The paper: {start}{self._sizes(start, first)}.",
            f"In the code, {some} {'start' if len(names) > 1 else 'starts'} so: {first} has {values.count:,} "
            f"{figures}.",
            "initialise it as the paper does; or, if the code is meant, state its values in the spec",
            places,
        )

    # ---- the law

    def law(self, start: Start, sample: Sample) -> Law | Unknown:
        """What a statement says of one tensor: numbers in place of formulas."""
        values = {name: self._number(start, name, sample) for name in FORMULAS}
        for value in values.values():
            if isinstance(value, Unknown):
                return value
        number = {name: float(value) for name, value in values.items() if isinstance(value, (int, float))}
        if (constant := number.get("weight", number.get("bias"))) is not None:
            return Law(Family.CONSTANT, constant)
        law = Law(Family.ANY, 0.0, start.tolerance, number.get("cut", 0.0))
        if "ratio" in number:
            return self._ratio(law, start, sample, number["ratio"])
        scheme, _, family = start.scheme.partition("_")
        if scheme in ("xavier", "kaiming"):
            return self._scheme(replace(law, family=_FAMILIES.get(family, Family.ANY)), start, sample, number)
        if scheme == "uniform":
            return replace(law, family=Family.UNIFORM, spread=number["bound"] / laws.ROOT_3)
        kinds = {"normal": Family.NORMAL, "truncated": Family.TRUNCATED}
        return _sound(replace(law, family=kinds.get(scheme, Family.ANY), spread=number["std"]))

    def _scheme(self, law: Law, start: Start, sample: Sample, number: Mapping[str, float]) -> Law | Unknown:
        """Glorot and Bengio 2010, Equations 12 and 16; He et al. 2015, Equations 10 and 14."""
        fan_in, fan_out = sample.values.fan_in, sample.values.fan_out
        if not fan_in or not fan_out:
            return Unknown(f"{sample.name} is no matrix, and {start.scheme} is about matrices")
        if start.scheme.startswith("xavier"):
            return _sound(replace(law, spread=number.get("gain", 1.0) * math.sqrt(2 / (fan_in + fan_out))))
        fan = fan_in if start.fan == "in" else fan_out
        return _sound(replace(law, spread=number.get("gain", math.sqrt(2)) / math.sqrt(fan)))

    def _ratio(self, law: Law, start: Start, sample: Sample, ratio: float) -> Law | Unknown:
        """The spread that the parts under `to:` have in the same round, times the ratio."""
        rows = [row for part in start.to for row in self._others(part, sample)]
        whys = [row for row in rows if isinstance(row, str)]
        if whys or not rows:
            return Unknown(whys[0] if whys else f"{self.subject.symbol} holds no {', '.join(map(str, start.to))}")
        pooled = laws.pooled((row.values, 1.0) for row in rows if isinstance(row, Sample))
        if pooled is None or pooled.std == 0 or pooled.count < laws.ENTRIES:
            return Unknown(f"{', '.join(map(str, start.to))} show no spread to compare with")
        return _sound(replace(law, spread=ratio * pooled.std, compared=pooled.count))

    def _others(self, part: Part, sample: Sample) -> Iterator[Sample | str]:
        """The tensors of another part: those of the same round, where it stands in as many."""
        graphs = parts.graphs(part.where, self.targets, self.subject)
        if part.what.block:
            graphs = [target.graph for target in self.targets.get(part.what.block, ())]
        at = sample.owned.names.index(sample.name)
        for op in {op.path: op for graph in graphs for op in self.learned.ops(part, graph)}.values():
            for owned in self.learned.owned(op, "weight"):
                alike = len(owned.names) == len(sample.owned.names)
                yield from self.samples(replace(owned, names=owned.names[at : at + 1]) if alike else owned)

    # ---- sizes

    def _number(self, start: Start, name: str, sample: Sample) -> Amount | None:
        formula = getattr(start, name)
        if not isinstance(formula, Expression):
            return None
        if why := self._of_another_size(formula, sample):
            return Unknown(why)
        return parts.amount(self.judge, formula, {**self._of_weight(sample), **self.sizes})

    def _of_weight(self, sample: Sample) -> dict[str, Amount]:
        numbers = [int(step) for step in sample.name.split(".") if step.isdecimal()]
        layer = numbers[0] + 1 if len(numbers) == 1 else Unknown(f"which layer {sample.name} is in is not told")
        fans = {"fan_in": sample.values.fan_in, "fan_out": sample.values.fan_out}
        flat = Unknown(f"{sample.name} is no matrix: it has no fan")
        return {"layer": layer, **{name: fan or flat for name, fan in fans.items()}}

    def _sizes(self, start: Start, sample: Sample) -> str:
        """ ", where N = 4": the sizes in a statement's formulas, as they were taken."""
        formulas = [value for name in FORMULAS if (value := getattr(start, name))]
        sizes = {**self._of_weight(sample), **self.sizes}
        names = dict.fromkeys(name for formula in formulas for name in self._names(formula) if name in sizes)
        if start.scheme.startswith(("xavier", "kaiming")):
            names |= dict.fromkeys(("fan_in", "fan_out"))
        told = [f"{name} = {sizes[name]}" for name in names if not isinstance(sizes[name], Unknown)]
        return f", where {', '.join(told)}" if told else ""

    def _of_another_size(self, formula: Expression, sample: Sample) -> str:
        """Why a formula cannot be computed for a copy of the model that has other sizes; "" where it can."""
        if not self._is_smaller(sample):
            return ""
        open_ones = [
            name
            for name in self._names(formula)
            if isinstance(self.sizes.get(name), int) and name not in self.told and name not in OF_THE_WEIGHT
        ]
        if not open_ones:
            return ""
        name = open_ones[0]
        return f"{SMALLER}, and what {name} is there is not told"

    def _names(self, formula: Expression) -> list[str]:
        """The sizes that a formula needs, also through the formulas of other sizes; those only that have none."""
        own: dict[str, Expression | None] = dict(self.judge.spec.sizes)
        own |= dict(dict(self.judge.spec.presets).get(self.judge.preset.name, ()))
        given = {*self.judge.preset.sizes, *self.told}
        found: dict[str, None] = {}
        waiting = [formula]
        seen: set[str] = set()
        while waiting:
            for name in _NAME.findall(str(waiting.pop())):
                if name in seen or name in FUNCTIONS:
                    continue
                seen.add(name)
                of = own.get(name)
                if of is not None and not of.is_constant and name not in given:
                    waiting.append(of)
                else:
                    found[name] = None
        return list(found)

    def _is_smaller(self, sample: Sample) -> bool:
        """Whether the instance has other sizes than the graph: another number of layers, or other widths."""
        owned = sample.owned
        if owned.rounds is not None and len(owned.names) != owned.rounds:
            return True
        features = [owned.op.attr(name) for name in ("in_features", "out_features")]
        shape = sample.values.shape
        told = all(isinstance(size, int) for size in features) and len(shape) == 2 and owned.op.kind.name == "linear"
        return told and sorted(shape) != sorted(map(int, features))  # type: ignore[arg-type]

    def _layers(self) -> dict[str, Amount]:
        """What `repeat: N` says of the instance: how many layers it has."""
        found: dict[str, set[int | None]] = {}
        for block in self.judge.spec.blocks:
            name = str(block.repeat) if block.repeat is not None else ""
            if name.isidentifier():
                stated = len(self.judge.expected[block.id].sublayers)
                counts = {self._rounds(target.region, stated) for target in self.targets.get(block.id, ())}
                found.setdefault(name, set()).update(counts)
        told = {name: counts.pop() for name, counts in found.items() if len(counts) == 1}
        return {name: count for name, count in told.items() if count is not None}

    def _rounds(self, region: Region, stated: int) -> int | None:
        """How many layers a part of the code is; None where that is not told.

        Args:
            stated: sublayers of one layer.
        """
        periods = max(1, len(region.sublayers) // max(1, stated))
        if region.op is None or region.op.kind is not REPEAT:
            return periods if periods > 1 else None
        for inner in region.op.walk():
            for owned in self.learned.owned(inner, "weight") if inner is not region.op else ():
                if owned.names[0] in self.learned.initial:
                    rounds = self.learned.layers(owned.names[0], region.op)
                    return None if rounds is None else rounds * periods
        return None


def _sound(law: Law) -> Law | Unknown:
    """A law whose spread is a spread."""
    return law if law.spread >= 0 and law.cut >= 0 else Unknown("the formula gives a negative spread")


def _why(law: object) -> tuple[str, str]:
    """Why a tensor cannot be judged, and what would settle it."""
    if isinstance(law, Unknown) and SMALLER in law.why:
        return law.why, "state it over fan_in and fan_out of each weight, or over the N of a `repeat: N`"
    if isinstance(law, Unknown):
        return law.why, parts.GIVE_THE_SIZE if "gives no value" in law.why or "preset" in law.why else ""
    return str(law), ""
