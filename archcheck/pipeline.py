"""The one module that knows the order: load, canonicalise, align, judge; and describe, which stops half-way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import Enum

from archcheck import witnesses
from archcheck.align import Alignment, Edit, EditKind, align
from archcheck.describe.description import Description, HParamsSet, describe_variants
from archcheck.describe.regions import layers
from archcheck.describe.survey import Entry, entry_of, unread
from archcheck.errors import ArchcheckError
from archcheck.findings import Finding, Place, Report, Undetermined, Verdict
from archcheck.frontends.static.library import Library, SourceFile
from archcheck.frontends.static.reader import Limits, Reading, read, takes_argument
from archcheck.frontends.targets import Target, in_release, parse_target, resolve
from archcheck.ir.graph import OpGraph
from archcheck.ir.span import Span
from archcheck.ir.verify import verify
from archcheck.judging import Judge, fitting_preset
from archcheck.judging.binding import is_equation
from archcheck.judging.modes import dropouts, is_evaluated, without_rates
from archcheck.judging.together import OfClass, told_once
from archcheck.judging.undecided import distinct
from archcheck.passes import EVALUATED, as_compared, canonicalise
from archcheck.passes.kinds import named
from archcheck.rules import explain
from archcheck.rules.case import Case
from archcheck.spec import Spec, load, to_graph
from archcheck.spec.model import Init, OwnWeights, SameWeights
from archcheck.store import Store
from archcheck.sweep import Kept, Progress, Read, Request, canonical, over_classes, read_symbol, silent


def resolved(request: Request, progress: Progress = silent) -> Target:
    """The sources that a request is about, with what gin files bind in them.

    Raises:
        TargetError: the target or a gin file cannot be found or read.
    """
    target = resolve(parse_target(request.target), progress=progress)
    if request.gin:
        from archcheck.frontends.static.gin import load as load_gin

        folders = {path: in_release(path, progress=progress) for path in request.gin}
        target.library.gin = load_gin(request.gin, target.library, folders)
    return target


def load_target(request: Request, progress: Progress = silent) -> tuple[Read, ...]:
    """Every symbol that a target names, read.

    Raises:
        TargetError: the target cannot be found or read.
    """
    target = resolved(request, progress)
    if target.symbol:
        assert target.source is not None
        return (read_symbol(target, target.source.module, target.symbol, request, progress),)
    _refuse_whole(request)
    found = over_classes(target, request, lambda one: one, progress, jobs=1)
    return tuple(one for one in found if isinstance(one, Read))


def places(library: Library, spec: Spec | None = None) -> Callable[[Span], Place]:
    """A function that gives the text of a span's line, from the sources or from the spec."""

    def place(span: Span) -> Place:
        if spec is not None and span.file == spec.file:
            line = spec.lines[span.line - 1] if 0 < span.line <= len(spec.lines) else ""
            return Place(span, line)
        source = library.shown(span.file)
        return Place(span, source.line(span.line) if source is not None else "")

    return place


def check(request: Request, reference: str, progress: Progress = silent, *, jobs: int = 1) -> tuple[Report, ...]:
    """Every symbol of the target held against a spec; of a file, what its classes have in common is told once.

    Args:
        request: what to read, and how.
        reference: a citation key of the library or a file, with `#block` for one block of it.
        progress: is told what is being read.
        jobs: processes at most, for a file or folder.

    Raises:
        SpecError: the spec has mistakes.
        TargetError: the target cannot be found or read.
    """
    spec, block = load(reference)
    only = frozenset({block.id}) if block is not None else frozenset()
    _refuse_unknown("--size", request.preset.sizes, spec.values(), spec, "size")
    shared = [
        place for one in spec.claims if isinstance(one.states, (SameWeights, OwnWeights)) for place in one.states.places
    ]
    bindable = [*(one.id for one in spec.blocks), *shared]
    words = [term.name for term in spec.terms if term.kind.name == "function"]
    _refuse_unknown("--bind", request.preset.pinned, [*bindable, *words], spec, "block")
    parts = {word: request.preset.pinned[word] for word in words if word in request.preset.pinned}
    request = replace(request, parts=parts)
    if request.running is not None and any(isinstance(claim.states, Init) for claim in spec.claims):
        request = replace(request, running=replace(request.running, initial=True))
    target = resolved(request, progress)
    if target.symbol:
        assert target.source is not None
        if request.both and request.running is not None and target.program is None:
            two = witnesses.both(target, target.source.module, target.symbol, request, request.running, progress)
            read, ran = (report_of(one, spec, reference, only, request) for one in two.reads)
            return (witnesses.report(two, read, ran, places(target.library, spec)),)
        one = read_symbol(target, target.source.module, target.symbol, request, progress)
        return (report_of(one, spec, reference, only, request),)
    _refuse_whole(request)
    if not spec.claims:
        stated = Judge(spec, places(target.library, spec), request.preset).expected.values()
        request = replace(request, small=any(map(is_equation, stated)))

    def judged(one: Read) -> OfClass:
        within = frozenset(place.span for variant in one.reading.variants for place in variant.places)
        return OfClass(one.symbol, one.reading.span, report_of(one, spec, reference, only, request), within)

    found = over_classes(target, request, judged, progress, jobs)
    return told_once(
        [OfClass(one.what, one.span, unread=one.why) if isinstance(one, Undetermined) else one for one in found]
    )


def _refuse_whole(request: Request) -> None:
    """Say that what is run must be named.

    Raises:
        ArchcheckError: it is not.
    """
    if request.running is not None:
        hint = f"name a class or a function: {request.target}:Model"
        raise ArchcheckError("--trace runs one symbol, and the target names none", hint=hint)


def _refuse_unknown(option: str, given: Iterable[str], known: Iterable[str], spec: Spec, what: str) -> None:
    """Say that an option names something that the spec does not have: it would decide nothing.

    Raises:
        ArchcheckError: it does.
    """
    known = tuple(known)
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f'did you mean "{near[0]}"?' if near else f"it has {', '.join(known)}" if known else ""
            raise ArchcheckError(f'{option} {name}: {spec.id} has no {what} "{name}"', hint=hint)


def report_of(one: Read, spec: Spec, reference: str, only: frozenset[str], request: Request) -> Report:
    """What a spec says of one symbol that was read or run."""
    place = places(one.target.library, spec)
    subjects = tuple(one.subjects(request.parts))
    default = next((subject for subject in subjects if subject.default), subjects[0])
    preset = fitting_preset(spec, place, request.preset, default)
    judge = Judge(spec, place, preset, only)
    variants = tuple(judge.variant(subject) for subject in subjects)
    assumptions = one.reading.assumptions
    if preset.name and not request.preset.name:
        assumptions = (*assumptions, f"the preset is {preset.name}, the only one that the sizes in the code fit")
    return Report(
        target=one.name,
        spec=f"{spec.id}#{next(iter(only))}" if only else spec.id,
        title=spec.title,
        frontend=one.frontend,
        isolation=one.isolation,
        proofs=one.proofs if request.prove else (),
        variants=distinct(variants),
        not_checked=tuple(note.what for note in spec.not_checked) if not only else (),
        assumptions=assumptions,
        undetermined=undetermined(one.reading),
    )


def undetermined(reading: Reading) -> tuple[Undetermined, ...]:
    """What could not be read, each once: runs that stopped, then ops and names."""
    found: dict[Undetermined, None] = {}
    for variant in reading.variants:
        if variant.error:
            found[Undetermined(reading.symbol, f"reading stopped: {variant.error}", variant.error_span)] = None
        for op in variant.graph.walk():
            if op.kind.name == "opaque":
                found[Undetermined(str(op.attr("name")), str(op.attr("why")), op.span)] = None
    return tuple(found)


def describe(request: Request, progress: Progress = silent, *, jobs: int = 1) -> tuple[Description, ...]:
    """What the symbols of a target are; for a file, also the hparams sets that it registers.

    Args:
        request: what to read, and how.
        progress: is told what is being read.
        jobs: processes at most, for a file or folder.

    Raises:
        TargetError: the target cannot be found or read.
    """
    from archcheck.describe.hparams import registers

    target = resolved(request, progress)
    source = target.source
    sets = registers(source) if source is not None and not target.symbol else False
    if sets and source is not None:  # its models take a set: which one is the reader's choice, --arg hparams=SET()
        return (Description(target.name, "train", (), (), (), _hparams(target, source, request, progress)),)

    def described(one: Read) -> Description:
        found = describe_variants(one.name, one.reading, one.described, undetermined(one.reading))
        proofs = one.proofs if request.prove else ()
        return replace(found, frontend=one.frontend, isolation=one.isolation, proofs=proofs)

    if source is not None and target.symbol:
        return (described(read_symbol(target, source.module, target.symbol, request, progress)),)
    _refuse_whole(request)
    found = over_classes(target, request, described, progress, jobs)
    return tuple(one for one in found if isinstance(one, Description))


class Extent(Enum):
    """What a target is."""

    ONE = "one symbol, or a file that registers hparams sets"
    FILE = "a file, for its classes"
    FOLDER = "a folder, for the classes of its files"


def extent(request: Request, progress: Progress = silent) -> Extent:
    """What a target is.

    Raises:
        TargetError: it cannot be found.
    """
    from archcheck.describe.hparams import registers

    target = resolved(request, progress)
    if target.source is None:
        return Extent.FOLDER
    return Extent.ONE if target.symbol or registers(target.source) else Extent.FILE


def survey(
    request: Request, progress: Progress = silent, *, jobs: int = 1, store: Store | None = None
) -> tuple[Entry, ...]:
    """Every class of a file or folder that holds a layer, with what could not be told about it, in order.

    Args:
        request: what to read, and how.
        progress: is told what is being read.
        jobs: processes at most.
        store: where what was found is kept between runs, and found again while all that it depends on is the same.

    Raises:
        TargetError: the target cannot be found, or holds no layer.
    """
    from archcheck.describe.text import as_text

    _refuse_whole(request)
    target = resolved(request, progress)
    whole = target.source is not None

    def entry(one: Read) -> Entry:
        described = describe_variants(one.name, one.reading, one.described, undetermined(one.reading))
        return entry_of(one.symbol, one.reading.span, described, as_text(described) if whole else "")

    what = json.dumps(["survey", request.target if whole else "", request.training])
    kept = None if store is None else Kept(store, what, Entry)
    found = over_classes(target, request, entry, progress, jobs, kept)
    return tuple(unread(one) if isinstance(one, Undetermined) else one for one in found)


def _hparams(target: Target, source: SourceFile, request: Request, progress: Progress) -> tuple[HParamsSet, ...]:
    """The registered sets of a file; the order of one without layer codes is that of the file's model under it."""
    from archcheck.describe.hparams import registered_sets

    models = [
        entry.names[0]
        for entry in source.index.entries
        if entry.kind == "class" and takes_argument(target.library, source.module, entry.names[0], "hparams")
    ]

    def order_of(function: str) -> str:
        progress(f"reading {models[0] if models else source.shown} with {function}()")
        orders = set()
        for model in models[:1]:
            arguments = {"hparams": f"{function}()"}
            reading = read(target.library, source.module, model, arguments, explore=False, limits=Limits(forks=1))
            variant = reading.variants[0]
            for layer in layers(canonical(variant), variant.places, model, reading.span):
                orders |= {sublayer.signature for sublayer in layer.sublayers}
        return orders.pop() if len(orders) == 1 else ""

    return registered_sets(target.library, source, order_of)


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a target's graph, or what a block of a spec states.

    Of a side beside one in eval mode, which shows no dropout, the graph is without its own: it is `stripped`.
    """

    name: str
    graph: OpGraph
    library: Library | None = None
    stripped: bool = False


def load_sides(expected: str, actual: str, request: Request, progress: Progress = silent) -> tuple[Side, Side]:
    """Two sides, as they can be compared.

    Raises:
        ArchcheckError: one is neither a target nor `SPEC#block`, or names more than one thing.
    """
    return comparable(*(load_side(text, request, progress) for text in (expected, actual)))


def comparable(one: Side, other: Side) -> tuple[Side, Side]:
    """Two sides as they can be compared: code with code without what frameworks only spell differently."""
    found = _beside(one, other), _beside(other, one)
    if any(side.library is None for side in found):
        return found  # a block of a spec, which has no layout
    one, other = (replace(side, graph=verify(as_compared(side.graph), "as_compared")) for side in found)
    return one, other


def _beside(side: Side, other: Side) -> Side:
    """A side, as it is compared with another."""
    if is_evaluated(side.graph) or not is_evaluated(other.graph) or not dropouts(side.graph.ops):
        return side
    return replace(side, graph=canonicalise(side.graph, EVALUATED), stripped=True)


def load_side(text: str, request: Request, progress: Progress = silent) -> Side:
    """A target, or `SPEC#block`, in canonical form.

    Raises:
        ArchcheckError: it is neither, or names more than one thing.
    """
    if "#" in text or _is_spec(text):
        spec, block = load(text)
        chosen = block or spec.blocks[0]
        values = spec.values(request.preset.name, request.preset.sizes)
        return Side(f"{spec.id}#{chosen.id}", canonicalise(to_graph(spec, chosen.id, values)))
    reads = load_target(replace(request, target=text, explore=False), progress)
    if len(reads) > 1:
        names = ", ".join(read.symbol for read in reads[:8])
        raise ArchcheckError(f"{text} holds several models", hint=f"name one of {names}")
    return Side(reads[0].name, reads[0].graphs[0], reads[0].target.library)


def _is_spec(text: str) -> bool:
    from archcheck.spec.library import keys

    return text.endswith((".yaml", ".yml")) or text in keys()


LAYOUT = named("reshape", "permute", "expand", "select", "split", "constant")


def diff(expected: Side, actual: Side) -> tuple[Alignment, int]:
    """How the second side departs from the first, and how many sizes of layouts could not be compared.

    The sizes of a reshape follow from the input's in most code and are not known from reading; that they are not
    compared is said once, not once for each reshape.
    """
    evaluated = {"expected": is_evaluated(expected.graph), "actual": is_evaluated(actual.graph)}
    found, _ = without_rates(align(expected.graph, actual.graph), **evaluated)
    kept = tuple(edit for edit in found.edits if not _is_layout(edit))
    return replace(found, edits=kept), len(found.edits) - len(kept)


def _is_layout(edit: Edit) -> bool:
    return (
        edit.kind is EditKind.UNKNOWN
        and edit.aspect.startswith("attr:")
        and edit.expected is not None
        and edit.expected.kind in LAYOUT
    )


def explain_difference(expected: Side, actual: Side, alignment: Alignment) -> tuple[Finding, ...]:
    """The edits of a comparison in the field's words."""
    library = actual.library or expected.library
    place = places(library) if library is not None else Place
    return explain(Case(expected.name, expected.name, actual.name, expected.graph, actual.graph, alignment, place))


def picture(
    request: Request, against: str | None, form: str, *, inside: bool = False, progress: Progress = silent
) -> bytes:
    """A drawing of a target, or of how it departs from another.

    Against a whole spec, the first block that is about a part of the target is drawn beside that part.
    """
    from archcheck.drawing import draw, draw_difference
    from archcheck.spec.library import keys

    if against is None:
        side = load_side(request.target, request, progress)
        return draw(side.graph, form, title=side.name, inside=inside)
    if "#" in against or against in keys() or against.endswith((".yaml", ".yml")):
        report = check(request, against, progress)[0]
        variant = report.default
        if not variant.expected:
            raise ArchcheckError(
                f"no part of {report.target} is what {against} is about", hint="--bind BLOCK=CLASS names it"
            )
        violated = [claim.claim for claim in variant.claims if claim.verdict is Verdict.VIOLATED]
        chosen = next((id for id, _ in variant.expected if id in violated), variant.expected[0][0])
        expected, actual = dict(variant.expected)[chosen], dict(variant.actual)[chosen]
        titles = (f"{report.title}: {chosen}", report.target)
        claim = next(claim for claim in variant.claims if claim.claim == chosen)
        decided = {
            edit.actual.path: finding.places[0].span
            for finding in claim.findings
            if finding.trail and finding.places
            for edit in finding.edits
            if edit.actual is not None
        }
        return draw_difference(expected, actual, align(expected, actual), form, titles=titles, places=decided)
    one, other = load_sides(against, request.target, request, progress)
    return draw_difference(one.graph, other.graph, diff(one, other)[0], form, titles=(one.name, other.name))
