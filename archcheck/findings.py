"""What archcheck says about a target: plain data, from which every reporter renders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from archcheck.align.edits import Edit
from archcheck.ir.graph import AttrValue, OpGraph
from archcheck.ir.span import Setting, Span


class Verdict(Enum):
    HOLDS = "HOLDS"
    VIOLATED = "VIOLATED"
    UNDETERMINED = "UNDETERMINED"

    def __bool__(self) -> bool:
        raise TypeError("a Verdict has no truth value: compare it with HOLDS, VIOLATED or UNDETERMINED")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in code or in a spec, with the text of its line and what it shows."""

    span: Span
    text: str = ""  # the line as it stands there, without its newline
    says: str = ""  # what a reader sees there: "the norm before the sublayer"


@dataclass(frozen=True, slots=True)
class Finding:
    """Edits explained once, in the field's words.

    `paper` and `code` are full sentences; `fix` says what would make the two agree. `places` has the line of code
    first (the line that set the value, where a setting decided), then the others. `expected` and `actual` are the two
    sequences in the paper's notation, aligned token by token; "" stands for a gap.
    """

    rule: str  # "norm-placement"
    verdict: Verdict  # VIOLATED or UNDETERMINED
    message: str  # one line: what differs
    paper: str = ""
    code: str = ""
    fix: str = ""
    places: tuple[Place, ...] = ()
    trail: tuple[Setting, ...] = ()  # settings that led here, with the calls that set them
    expected: tuple[str, ...] = ()
    actual: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    reached: tuple[Span, ...] = ()  # calls that lead to the code's places, and those that build the layers there


@dataclass(frozen=True, slots=True)
class Bound:
    """Which part of the code a block of the spec was held against, and how it was found."""

    block: str  # id of the block in the spec
    symbol: str  # class or function in the code, or place in the module tree
    span: Span | None
    how: str  # "by its sublayers", "by --bind", "the target itself"
    signature: str = ""  # of the code: "self_attention: n F d a; feed_forward: n F d a"
    repeat: int | None = 1  # None: not known
    equation: tuple[str, ...] = ()  # lines of what the code computes, where an equation is held against it


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The verdict on one claim. HOLDS has no findings; the other two have at least one."""

    claim: str  # id: "encoder_layer", "encoder_layer.repeat", "tied-embeddings"
    verdict: Verdict
    says: str  # what the paper states, in one line
    where: str = ""  # "Figure 1 (left); Section 3.1"
    quote: str = ""  # the paper's own words
    spec: Place | None = None
    bound: tuple[Bound, ...] = ()
    findings: tuple[Finding, ...] = ()
    advisory: bool = False
    equivalences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadingResult:
    """Whether the code fulfils another reading of the paper's figure."""

    reading: str  # id
    says: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Variant:
    """The verdicts where flags have these values; the first variant of a report is the default one."""

    when: tuple[tuple[str, AttrValue], ...]  # (flag, value), sorted; empty: as it stands
    default: bool
    claims: tuple[ClaimResult, ...]
    readings: tuple[ReadingResult, ...] = ()
    expected: tuple[tuple[str, OpGraph], ...] = ()  # claim id -> what was stated, for drawing
    actual: tuple[tuple[str, OpGraph], ...] = ()  # claim id -> what was found, for drawing


@dataclass(frozen=True, slots=True)
class Undetermined:
    """Something that could not be read, why, and where."""

    what: str
    why: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that one audit found out."""

    target: str  # as the user typed it
    spec: str  # citation key, with "#block" where one was asked for
    title: str  # of the paper
    frontend: str
    variants: tuple[Variant, ...]
    not_checked: tuple[str, ...] = ()  # what the spec records and no graph can show
    assumptions: tuple[str, ...] = ()  # what was taken for granted while reading, sorted
    undetermined: tuple[Undetermined, ...] = ()
    also: tuple[str, ...] = ()  # other classes of the file for which the same was found, and nothing else
    beside: tuple[Undetermined, ...] = ()  # other classes of the file that are not what the spec is about, and why
    unjudged: tuple[Undetermined, ...] = ()  # other classes of the file that could not be judged, and why
    isolation: str = ""  # what stood around the code while it ran, where it was run
    proofs: tuple[str, ...] = ()  # what recognised formulas are, evaluated on random numbers, where that was asked for

    @property
    def default(self) -> Variant:
        """The variant that stands when nothing is said."""
        return next((variant for variant in self.variants if variant.default), self.variants[0])

    @property
    def verdict(self) -> Verdict:
        """Of the default variant: VIOLATED if any claim is, else HOLDS if any was judged, else UNDETERMINED."""
        return overall(claim.verdict for claim in self.default.claims if not claim.advisory)


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """VIOLATED if any is, else HOLDS if any is, else UNDETERMINED."""
    seen = set(verdicts)
    for verdict in (Verdict.VIOLATED, Verdict.HOLDS):
        if verdict in seen:
            return verdict
    return Verdict.UNDETERMINED
