"""Reads a canonical graph as papers speak of it: blocks, sublayers, their signatures and topology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import OpKind
from archcheck.passes.kinds import (
    ACTIVATIONS,
    ADD,
    CROSS_ATTENTION,
    DROPOUT,
    FEED_FORWARD,
    FUNCTION,
    INPUT,
    MASKED_FILL,
    NORMS,
    OPAQUE,
    PEELED,
    REPEAT,
    RESIDUAL,
    SCALE,
    SELF_ATTENTION,
    STOCHASTIC_DEPTH,
    SUBLAYERS,
    VIEWS,
)

KIND_WORDS = {
    "self_attention": "self_attention",
    "cross_attention": "cross_attention",
    "feed_forward": "ffn",
    "moe": "moe",
    "convolution": "conv",
    "ssm": "ssm",
}
_RANK = ("self_attention", "cross_attention", "moe", "ssm", "recurrence", "feed_forward", "convolution")
_LONGEST = 64  # ops between a norm and the sublayer that it prepares; far above what any released model has
_BETWEEN_MAPS = frozenset({SELF_ATTENTION, CROSS_ATTENTION, FEED_FORWARD})
_CORES = SUBLAYERS | {FUNCTION, OPAQUE}


@dataclass(frozen=True, slots=True)
class Token:
    """One letter of a signature and the op behind it."""

    letter: str
    op: Op


@dataclass(frozen=True, slots=True)
class Sublayer:
    """One sublayer: its function F and what stands around it, in the order in which it is computed.

    `residual` is the op whose body it stands in, None where it stands on the stream itself. Sublayers that stand side
    by side in one residual share it.
    """

    kind: str  # self_attention, cross_attention, ffn, moe, conv, ssm or other
    tokens: tuple[Token, ...]
    core: Op | None
    residual: Op | None
    count: int = 1  # how often it stands one after the other, in a repeat within its block

    @property
    def signature(self) -> str:
        """Letters in execution order: n d a s S p N around F."""
        return " ".join(token.letter for token in self.tokens)

    @property
    def norm(self) -> str:
        """Name of the kind of its first norm, or ""."""
        return next((token.op.kind.name for token in self.tokens if token.letter in "nN"), "")

    def ops(self, letter: str) -> tuple[Op, ...]:
        """The ops behind `letter`."""
        return tuple(token.op for token in self.tokens if token.letter == letter)


@dataclass(frozen=True, slots=True)
class Block:
    """A layer as papers draw it: what is repeated, or the whole graph."""

    ops: tuple[Op, ...]
    op: Op | None  # the repeat, None where nothing repeats
    repeat: int
    sublayers: tuple[Sublayer, ...]

    @property
    def topology(self) -> str:
        """sequential, parallel, macaron or other."""
        return topology(self.sublayers)


def letter_of(kind: OpKind) -> str:
    """The letter of an op around F, or ""."""
    if kind in NORMS:
        return "n"
    if kind is DROPOUT:
        return "d"
    if kind is SCALE:
        return "s"
    if kind is OPAQUE:
        return "?"  # could not be read: a norm may hide in it
    return "p" if kind is STOCHASTIC_DEPTH else ""


def blocks(graph: OpGraph) -> tuple[Block, ...]:
    """The blocks of a canonical graph: each repeat, each run of sublayers beside them; the whole graph if no repeat."""
    if not any(op.kind is REPEAT for op in graph.ops):
        return (Block(graph.ops, None, 1, sublayers(graph)),)
    found: list[Block] = []
    beside: list[Op] = []
    for op in (*graph.ops, None):
        if op is not None and op.kind is not REPEAT:
            beside.append(op)
            continue
        if any(other.kind is RESIDUAL for other in beside):
            run = _from_first_residual(beside)
            found.append(Block(run, None, 1, sublayers(run)))
        beside = []
        if op is not None:
            count = op.attr("count")
            found.append(Block(op.body, op, count if isinstance(count, int) else 1, sublayers(op.body)))
    return tuple(found)


def _from_first_residual(ops: Sequence[Op]) -> tuple[Op, ...]:
    first = next(place for place, op in enumerate(ops) if op.kind is RESIDUAL)
    return tuple(ops[first:])


def topology(found: Sequence[Sublayer]) -> str:
    """How sublayers follow each other: sequential, parallel, macaron (between two feed-forwards), or other."""
    residuals = [sublayer.residual for sublayer in found if sublayer.residual is not None]
    if len({op.path for op in residuals}) < len(residuals):
        return "parallel"
    if any(sublayer.residual is None and "a" in sublayer.signature for sublayer in found):
        return "other"
    if any(inner.kind is RESIDUAL for op in residuals for inner in op.walk() if inner is not op):
        return "other"  # a residual around others: MobileBERT's bottleneck
    kinds = [sublayer.kind for sublayer in found]
    halves = len(found) > 2 and all("a" in one.signature.split() for one in (found[0], found[-1]))  # lu2019
    if halves and kinds[0] == kinds[-1] == "ffn" and any(kind not in ("ffn", "moe") for kind in kinds):
        return "macaron"
    return "sequential"


# ---- reading


@dataclass(slots=True)
class _Draft:
    kind: str
    tokens: list[Token]
    core: Op | None
    residual: Op | None
    count: int = 1
    behind: str = ""  # the add behind which its last letters stand

    def done(self) -> Sublayer:
        return Sublayer(self.kind, tuple(self.tokens), self.core, self.residual, self.count)


@dataclass(slots=True)
class _Stream:
    """Ops of one level, with who gives and who reads."""

    ops: Sequence[Op]
    at: dict[str, Op] = field(default_factory=dict)
    readers: dict[str, list[Op]] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)  # what stands behind an add with which a branch joins a stream

    def __post_init__(self) -> None:
        for op in self.ops:
            self.at[op.path] = op
            for path in dict.fromkeys(value.op for value in op.reads):
                self.readers.setdefault(path, []).append(op)

    def behind_views(self, value: Value) -> str:
        """The path of what gives `value`, views left out."""
        path = value.op
        while (op := self.at.get(path)) is not None and op.kind in VIEWS and op.reads:
            path = op.reads[0].op
        return path


def sublayers(source: OpGraph | Sequence[Op]) -> tuple[Sublayer, ...]:
    """The sublayers of a canonical graph or body, in program order."""
    ops = source.ops if isinstance(source, OpGraph) else source
    stream = _Stream(ops)
    drafts: list[_Draft] = []
    lead: list[Token] = []
    tails: dict[str, list[_Draft]] = {}
    for op in ops:
        if op.kind is RESIDUAL:
            new = _of_residual(op, stream)
            drafts += new
            tails[op.path] = new[-1:] if not _is_parallel(new) else new
        elif op.kind is REPEAT:
            rounds = op.attr("count")
            count = rounds if isinstance(rounds, int) else 1
            held = sublayers(op.body)
            drafts += [_Draft(sub.kind, list(sub.tokens), sub.core, sub.residual, sub.count * count) for sub in held]
            tails[op.path] = []  # what stands behind the last round is not part of every round
        elif op.kind in SUBLAYERS or op.kind is FUNCTION:
            draft = _Draft(word(op), [*_before(op, stream), Token("F", op)], op, None)
            drafts.append(draft)
            tails[op.path] = [draft]
        else:
            _attach(op, stream, tails, lead)
    _leading(lead, drafts, stream)
    return tuple(draft.done() for draft in drafts)


def word(op: Op) -> str:
    """What the F of a signature is called."""
    return KIND_WORDS.get(op.kind.name, "other")


def _is_parallel(drafts: Sequence[_Draft]) -> bool:
    return len({id(draft.residual) for draft in drafts}) == 1


def _attach(op: Op, stream: _Stream, tails: dict[str, list[_Draft]], lead: list[Token]) -> None:
    """Give an op on the stream to the sublayer whose value it reads."""
    if op.kind in VIEWS:
        if op.reads and (drafts := tails.get(op.reads[0].op)):
            tails[op.path] = drafts
            if op.reads[0].op in stream.joined:
                stream.joined[op.path] = stream.joined[op.reads[0].op]
        return
    if op.kind is ADD and len(op.reads) == 2:
        for value in op.reads:
            path = stream.behind_views(value)
            if path in stream.joined:
                continue
            branches = [draft for draft in tails.get(path, []) if draft.residual is None]
            for draft in branches:
                if "a" not in _letters(draft):  # a branch may join two streams, in either order
                    draft.tokens.append(Token("a", op))
            if branches:
                tails[op.path] = branches
                stream.joined[op.path] = op.path
        return
    letter = letter_of(op.kind)
    if not letter or not op.reads or op.reads[0].index or _is_before(op, stream) or _on_skip(op, stream):
        return  # a further output, such as attention weights, is not the stream
    path = stream.behind_views(op.reads[0])
    join = stream.joined.get(path, "")
    for draft in tails.get(path, []):
        if join and draft.behind not in ("", join):
            continue  # of two streams that a branch joins, the signature is that of the one that is normed first
        draft.behind = join
        draft.tokens.append(Token(letter, op))
    if path in tails:
        tails[op.path] = tails[path]
        if join:
            stream.joined[op.path] = join
    elif letter == "n" and not tails:
        lead.append(Token("N", op))


def _letters(draft: _Draft) -> list[str]:
    return [token.letter for token in draft.tokens]


def _is_before(op: Op, stream: _Stream) -> bool:
    """Whether an op on the stream only prepares what a sublayer without a residual reads."""
    for _ in range(_LONGEST):
        readers = stream.readers.get(op.path, [])
        if len(readers) != 1:
            return False
        op = readers[0]
        if op.kind in SUBLAYERS or op.kind is FUNCTION:
            return True
        if op.kind not in PEELED:
            return False
    return False


def _before(op: Op, stream: _Stream) -> list[Token]:
    tokens: list[Token] = []
    while op.reads and (giver := stream.at.get(stream.behind_views(op.reads[0]))) is not None:
        letter = letter_of(giver.kind)
        if not letter or len(stream.readers.get(giver.path, [])) != 1:
            break
        tokens.append(Token(letter, giver))
        op = giver
    return tokens[::-1]


def _on_skip(op: Op, stream: _Stream) -> bool:
    """Whether an op stands on the skip of a residual whose branch starts before it: DeepNorm's factor, a shortcut."""
    readers = stream.readers.get(op.path, [])
    return len(readers) == 1 and readers[0].kind is RESIDUAL and _is_beside(readers[0], op)


def _is_beside(residual: Op, op: Op) -> bool:
    return residual.reads[0].op == op.path and not any(
        value.op == op.path for inner in residual.body for value in inner.reads
    )


def _leading(lead: list[Token], drafts: list[_Draft], stream: _Stream) -> None:
    """Norms of the stream that stand before each residual, not after it: move them to the sublayer that follows."""
    if not lead or not drafts or any(draft.residual is None for draft in drafts):
        return
    giver = stream.at.get(stream.behind_views(lead[0].op.reads[0]))
    if len(lead) > 1 or (giver is not None and giver.kind is not INPUT):
        return  # it belongs to what computes the stream: a convolution's own norm
    first = drafts[0].residual
    trailing = [_trailing_norm(draft) for draft in drafts]
    if first is None or first.reads[0].op != lead[-1].op.path or trailing[-1] is not None:
        return
    drafts[0].tokens[:0] = lead
    for draft, later, norm in zip(drafts, drafts[1:], trailing, strict=False):
        if norm is not None:
            draft.tokens.remove(norm)
            later.tokens.insert(0, Token("N", norm.op))


def _trailing_norm(draft: _Draft) -> Token | None:
    last = draft.tokens[-1]
    return last if last.letter == "n" and "a" in _letters(draft) else None


# ---- one residual


def _of_residual(op: Op, stream: _Stream) -> list[_Draft]:
    body = _Stream(op.body)
    ending = [Token("a", op)]
    skip = stream.at.get(op.reads[0].op)
    if skip is not None and skip.kind is SCALE and _is_beside(op, skip):
        ending.insert(0, Token("S", skip))
    nested = any(inner.kind in (RESIDUAL, REPEAT) for inner in op.body)
    if nested:
        inner = [_Draft(sub.kind, list(sub.tokens), sub.core, sub.residual, sub.count) for sub in sublayers(op.body)]
        after, _ = _after(op.results[0], body)
        return [*inner, _Draft("other", [Token("F", op), *after, *ending], None, op)]
    after, end = _after(op.results[0], body)
    arms = _arms(end, body)
    drafts: list[_Draft] = []
    for arm in arms:
        own_after, exit_value = _after(arm, body) if len(arms) > 1 else ([], arm)
        core, cores = _core(exit_value, body)
        named = [one for one in cores if one.kind is not OPAQUE]
        before = _before_arm(named[0] if named else core, body)
        kind = word(core) if core is not None else "other"
        drafts.append(_Draft(kind, [*before, Token("F", core or op), *own_after, *after, *ending], core, op))
    place = {inner.path: number for number, inner in enumerate(op.body)}
    return sorted(drafts, key=lambda draft: place[draft.core.path] if draft.core is not None else len(place))


def _after(value: Value, body: _Stream) -> tuple[list[Token], Value]:
    """The letters behind F, and the value that F gives; an activation behind its last map is no part of F."""
    tokens: list[Token] = []
    before: tuple[list[Token], Value] | None = None
    while (op := body.at.get(body.behind_views(value))) is not None and op.reads:
        if letter := letter_of(op.kind):
            tokens.append(Token(letter, op))
        elif op.kind in ACTIVATIONS:
            before = before or (tokens[::-1], value)
        elif op.kind is not MASKED_FILL or op.attr("by") != 0:  # what is masked is left out, and nothing else happens
            break
        value = op.reads[0]
    if before is not None and (op is None or op.kind not in _BETWEEN_MAPS):
        return before
    return tokens[::-1], value


def _arms(value: Value, body: _Stream) -> list[Value]:
    """The values whose sum is `value`, where each is computed by a sublayer; otherwise it alone."""
    leaves: list[Value] = []
    stack = [value]
    while stack:
        top = stack.pop()
        op = body.at.get(top.op)
        if op is not None and op.kind is ADD and len(op.reads) == 2:
            stack.extend(reversed(op.reads))
        else:
            leaves.append(top)
    if len(leaves) > 1 and all(_core(leaf, body)[0] is not None for leaf in leaves):
        return leaves
    return [value]


def _core(value: Value, body: _Stream) -> tuple[Op | None, list[Op]]:
    """The sublayer op from which `value` is computed, and all of them in program order."""
    found: dict[str, Op] = {}
    seen: set[str] = set()
    stack = [value.op]
    while stack:
        op = body.at.get(stack.pop())
        if op is None or op.path in seen:
            continue
        seen.add(op.path)
        if op.kind in _CORES:
            found[op.path] = op
        stack.extend(inner.op for inner in op.reads)
    cores = [op for op in body.ops if op.path in found]
    ranked = sorted(cores, key=lambda op: _RANK.index(op.kind.name) if op.kind.name in _RANK else len(_RANK))
    return (ranked[0] if ranked else None), cores


def _before_arm(core: Op | None, body: _Stream) -> list[Token]:
    """The letters in front of F."""
    tokens: list[Token] = []
    between = core is not None and core.kind in _BETWEEN_MAPS
    while core is not None and core.reads:
        op = body.at.get(body.behind_views(core.reads[0]))
        if op is None or (not (letter := letter_of(op.kind)) and not (between and op.kind in ACTIVATIONS)):
            break
        tokens += [Token(letter, op)] if letter else []
        core = op
    return tokens[::-1]
