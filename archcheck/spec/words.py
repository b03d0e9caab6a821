"""What the words of a flow mean: the spec's terms first, then the op vocabulary, then the spec's own blocks."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from archcheck.ir.graph import Attr, AttrValue
from archcheck.ir.ops import BY_NAME, FAMILIES, AttrDecl, OpKind
from archcheck.spec import slips
from archcheck.spec.formula import Sizes, attribute
from archcheck.spec.model import Block, Pattern, Term, What
from archcheck.spec.nodes import Text
from archcheck.spec.problems import Problems, did_you_mean, hints
from archcheck.spec.syntax import Piece, expression

NOT_CALLED = {
    "input": "a name that is read before it is assigned is an input",
    "residual": "write the addition: x = x + f(x)",
    "repeat": "state `repeat:` beside the flow",
}
ENDS = ("input", "output")  # of a path


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word stands for: an op kind with the attributes its term states, or a block of the spec."""

    kind: OpKind | None
    attrs: tuple[Attr, ...] = ()
    block: Block | None = None


@dataclass(frozen=True)
class Lexicon:
    """The words that a spec may use, and the sizes that its formulas may use."""

    terms: Mapping[str, Term]
    blocks: Mapping[str, Block]
    sizes: Sizes
    large: set[str] = field(default_factory=set)  # blocks that ran out of ops, with those that they were calling

    def meaning(self, name: str, problems: Problems) -> Meaning | None:
        """What `name` stands for, or None where nothing is called so."""
        if term := self.terms.get(name):
            return Meaning(term.kind, self._term_attrs(term, problems))
        if kind := BY_NAME.get(name):
            return Meaning(kind)
        if block := self.blocks.get(name):
            return Meaning(None, (), block)
        return None

    def unknown(self, name: str) -> str:
        """The hint for a word that means nothing."""
        word = slips.meant(name)
        if word:
            return f'it is {word} here: write that, or declare the word under terms: "{name}: {word}"'
        near = did_you_mean(name, [*self.terms, *self.blocks, *BY_NAME])
        way = f'declare it under terms: "{name}: function", or as the kind of op it is'
        return hints(near, f"or {way}" if near else way)

    def _term_attrs(self, term: Term, problems: Problems) -> tuple[Attr, ...]:
        if term.kind.name == "function":
            return (Attr("name", term.name),)
        piece = expression(term.text, problems)
        if piece is None or not isinstance(piece.node, ast.Call):
            return ()
        return keyword_attrs(piece.node.keywords, piece, term.kind, self.sizes, problems)


def keyword_attrs(
    keywords: list[ast.keyword], piece: Piece, kind: OpKind, sizes: Sizes, problems: Problems
) -> tuple[Attr, ...]:
    """The attributes that `f(x, name=value, ...)` states, sorted; what `kind` does not have is noted."""
    found: dict[str, AttrValue] = {}
    for keyword in keywords:
        if keyword.arg is None:
            problems.add(piece.span(keyword), "a flow has no **keywords", "write each attribute out")
            continue
        decl = check_attribute(keyword.arg, kind, piece, keyword, problems)
        value = attribute(keyword.value, piece, sizes, problems, decl)
        if isinstance(value, str) and value in slips.NO_TRUTH:
            problems.add(piece.span(keyword.value), f"{value} is a word here", f"write {slips.NO_TRUTH[value]}")
        found[keyword.arg] = value
    return tuple(Attr(name, value) for name, value in sorted(found.items()))


def check_attribute(name: str, kind: OpKind, piece: Piece, node: ast.AST, problems: Problems) -> AttrDecl | None:
    """The declaration of attribute `name` of `kind`, noting that there is none."""
    known = declared(kind)
    if name not in known and kind.name != "function":
        span = piece.span(node)
        problems.add(
            span, f'{kind.name} has no attribute "{name}"', hints(did_you_mean(name, known), _has(kind, known))
        )
    return known.get(name)


def _has(kind: OpKind, known: Mapping[str, AttrDecl]) -> str:
    return f"it has {', '.join(known)}" if known else f"{kind.name} has no attributes"


def declared(kind: OpKind) -> dict[str, AttrDecl]:
    """The attributes that `kind` may state; a generic kind may state those of its whole family."""
    kinds = FAMILIES[kind.family] if kind.generic else (kind,)
    return {decl.name: decl for member in (kind, *kinds) for decl in member.attrs}


def reference(
    text: Text, start: int, end: int, lexicon: Lexicon, problems: Problems, *, ends: bool = False
) -> What | None:
    """The op kind, term or block that `text[start:end]` names, as in `norm` or `pool(scope=global)`.

    Args:
        ends: `input` and `output` name the ends of the model.
    """
    piece = expression(text, problems, start, end)
    if piece is None:
        return None
    node = piece.node
    name = node.func if isinstance(node, ast.Call) else node
    if not isinstance(name, ast.Name) or (isinstance(node, ast.Call) and node.args):
        problems.add(
            piece.span(), f'"{piece.words(node)}" names no op', "name a kind, a term or a block: norm, pool(mode=max)"
        )
        return None
    here = Text(piece.source, piece.span(), text.places[piece.start : piece.start + len(piece.source)])
    meaning = lexicon.meaning(name.id, problems)
    if meaning is None and not (ends and name.id in ENDS):
        blocks = f"the spec's blocks are {', '.join(lexicon.blocks)}" if lexicon.blocks else ""
        hint = hints(lexicon.unknown(name.id), blocks)
        problems.add(piece.span(name), f'no op, term or block is called "{name.id}"', hint)
        return None
    kind = meaning.kind if meaning else None
    if isinstance(node, ast.Call):
        if kind is None:
            problems.add(piece.span(), f"the block {name.id} has no attributes", "name the op inside it")
        else:
            keyword_attrs(node.keywords, piece, kind, lexicon.sizes, problems)
    return What(name.id, kind, name.id if name.id in lexicon.blocks else "", here, piece.span())


def what_attrs(what: What, lexicon: Lexicon, problems: Problems) -> tuple[Attr, ...]:
    """The attributes that `what` asks for: those of its term, and above them those it writes itself."""
    meaning = lexicon.meaning(what.name, problems)
    found = {attr.name: attr for attr in meaning.attrs} if meaning else {}
    piece = expression(what.text, problems)
    if piece is not None and isinstance(piece.node, ast.Call) and what.kind is not None:
        own = keyword_attrs(piece.node.keywords, piece, what.kind, lexicon.sizes, problems)
        found.update({attr.name: attr for attr in own})
    return tuple(found[name] for name in sorted(found))


RELATIONS = ("after", "before", "in")


def pattern(text: Text, lexicon: Lexicon, problems: Problems) -> Pattern | None:
    """`norm after encoder_layer`, `dropout in feed_forward`, or only `norm`."""
    words = text.text
    for relation in RELATIONS:
        head, found, _ = words.partition(f" {relation} ")
        if found:
            what = reference(text, 0, len(head), lexicon, problems)
            where = reference(text, len(head) + len(found), len(words), lexicon, problems)
            return Pattern(what, relation, where, text.span) if what and where else None
    if len(words.split()) > 1 and "(" not in words:
        problems.add(
            text.span,
            f'"{" ".join(words.split())}" cannot be read as a pattern',
            "write WHAT, or WHAT after WHERE, WHAT before WHERE, WHAT in WHERE",
        )
        return None
    what = reference(text, 0, len(words), lexicon, problems)
    return Pattern(what, "", None, text.span) if what else None
