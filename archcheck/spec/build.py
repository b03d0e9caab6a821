"""The tree of a spec file -> `Spec`: what words, formulas and flows mean, with every mistake noted.

Mistakes of shape are `shape`'s to tell. Here a node of the wrong shape is passed over, so that what stands beside it is
still checked and all mistakes come at once.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator
from dataclasses import replace

from archcheck.ir.graph import Unknown
from archcheck.ir.ops import BY_NAME
from archcheck.spec.blocks import Blocks
from archcheck.spec.claims import Claims
from archcheck.spec.examples import Examples
from archcheck.spec.formula import NO_VALUE, Amount, Expression, settle
from archcheck.spec.model import Block, Citation, Claim, Example, NotChecked, Paper, Reading, Spec, Term
from archcheck.spec.nodes import Mapping, Node, Scalar
from archcheck.spec.problems import did_you_mean, hints
from archcheck.spec.source import Source, items, pairs, plain_string
from archcheck.spec.words import NOT_CALLED, Lexicon, reference


def read(data: bytes, file: str, *, shaped: bool = False) -> Spec:
    """The spec in `data`.

    Args:
        data: a file's bytes.
        file: its name, as places give it.
        shaped: these very bytes are known to have the shape of a spec, so that it is not checked again.

    Raises:
        SpecError: with every mistake in it.
    """
    from archcheck.spec import guard  # imports PyYAML

    document = guard.read(data, file)
    if not shaped:
        from archcheck.spec import shape  # imports pydantic, which takes longer than reading a spec and a model

        shape.check(document)
    root = document.root if isinstance(document.root, Mapping) else Mapping((), document.root.span)
    spec = _spec(root, Source(document, Lexicon({}, {}, {})))
    document.problems.raise_any()
    return spec


def _spec(root: Mapping, source: Source) -> Spec:
    _check_names(root, source)
    sizes, presets = _sizes(root, source), _presets(root, source)
    source = replace(source, presets=tuple(name for name, _ in presets))
    source = replace(source, lexicon=Lexicon({}, {}, _settled(sizes, presets, source)))
    nodes = {key.text: node for key, node in pairs(root.get("blocks")) if isinstance(node, Mapping)}
    names = pairs(root.get("blocks"))
    blocks = {key.text: found for key, node in names if (found := Blocks(source).block(key, node))}
    terms = {term.name: term for term in _terms(root, source, blocks)}
    source = replace(source, lexicon=replace(source.lexicon, terms=terms, blocks=blocks))
    blocks = {id: Blocks(source).finish(block, nodes[id]) for id, block in blocks.items()}
    source = replace(source, lexicon=replace(source.lexicon, blocks=blocks))
    claims = [claim for node in items(root.get("claims")) if (claim := Claims(source).claim(node))]
    readings = [reading for node in items(root.get("readings")) if (reading := _reading(node, source))]
    return Spec(
        id=plain_string(root.get("id")),
        title=plain_string(root.get("title")),
        paper=_paper(root.get("paper")),
        terms=tuple(terms.values()),
        sizes=sizes,
        presets=presets,
        blocks=tuple(blocks.values()),
        claims=tuple(claims),
        readings=tuple(readings),
        not_checked=tuple(_note(node, source) for node in items(root.get("not_checked"))),
        file=source.document.file,
        lines=source.document.lines,
        examples=tuple(Examples(source, _ids(blocks.values(), claims)).read(root.get("examples"))),
    )


def read_examples(data: bytes, file: str, spec: Spec) -> tuple[Example, ...]:
    """The examples in a file of their own, `{spec: ..., examples: [...]}`.

    Raises:
        SpecError: with every mistake in it.
    """
    from archcheck.spec import guard, shape

    document = guard.read(data, file)
    shape.check(document, shape.ExamplesShape)
    source = Source(document, Lexicon({}, {}, spec.values()), tuple(name for name, _ in spec.presets))
    root = document.root if isinstance(document.root, Mapping) else Mapping((), document.root.span)
    found = tuple(Examples(source, _ids(spec.blocks, spec.claims)).read(root.get("examples")))
    document.problems.raise_any()
    return found


def _ids(blocks: Iterable[Block], claims: Iterable[Claim]) -> tuple[str, ...]:
    """What examples may be examples of: blocks, what is counted and measured beside them, and claims."""
    own = []
    for block in blocks:
        own += [block.id, *([f"{block.id}.repeat"] if block.repeat is not None else [])]
        own += [f"{block.id}.{width.attr}" for width in block.widths]
    return (*own, *(claim.id for claim in claims))


def _check_names(root: Mapping, source: Source) -> None:
    """Note names that no flow can use, and ids that stand twice."""
    for section in ("terms", "sizes", "blocks"):
        for key, _ in pairs(root.get(section)):
            if keyword.iskeyword(key.text):
                source.problems.add(key.span, f'"{key.text}" is a word of Python\'s own', "choose another name")
    seen = {key.text: key.span for key, _ in pairs(root.get("blocks"))}
    for node in (*items(root.get("claims")), *items(root.get("readings"))):
        id = node.get("id") if isinstance(node, Mapping) else None
        if isinstance(id, Scalar) and isinstance(id.value, str):
            if id.text in seen:
                first = seen[id.text].line
                source.problems.add(id.span, f'"{id.text}" is used twice', f"it first stands in line {first}")
            seen.setdefault(id.text, id.span)


# ---- sizes and terms

_Sizes = tuple[tuple[str, Expression | None], ...]
_Presets = tuple[tuple[str, tuple[tuple[str, Expression], ...]], ...]


def _sizes(root: Mapping, source: Source) -> _Sizes:
    return tuple((key.text, source.expression(node)) for key, node in pairs(root.get("sizes")))


def _presets(root: Mapping, source: Source) -> _Presets:
    return tuple(
        (key.text, tuple((name.text, found) for name, value in pairs(node) if (found := source.expression(value))))
        for key, node in pairs(root.get("presets"))
    )


def _settled(sizes: _Sizes, presets: _Presets, source: Source) -> dict[str, Amount]:
    """Every size, computed under every preset to find the formulas that cannot be."""
    base: dict[str, Expression | Amount] = {}
    for name in [*(name for name, _ in sizes), *(name for _, own in presets for name, _ in own)]:
        base[name] = dict(sizes).get(name) or Unknown(f"the spec gives no value for {name}")
    values: dict[str, Amount] = {}
    for _, own in presets or (("", ()),):
        formulas = {**base, **dict(own)}
        values = settle(formulas, source.problems)
        for name, value in values.items():
            formula = formulas[name]
            if not isinstance(formula, Expression) or not isinstance(value, Unknown):
                continue
            if value.span == formula.text.span and NO_VALUE in value.why:
                source.problems.add(formula.text.span, value.why)
    return values


def _terms(root: Mapping, source: Source, blocks: dict[str, Block]) -> Iterator[Term]:
    for key, node in pairs(root.get("terms")):
        text = source.string(node)
        if text is None:
            continue
        word = text.text.partition("(")[0].strip()
        kind = BY_NAME.get(word)
        if kind is None or word in NOT_CALLED:
            hint = hints(did_you_mean(word, BY_NAME), '"function" names a part that the claims do not look into')
            source.problems.add(text.at(0, len(word)), f'no op is called "{word}"', hint)
            kind = BY_NAME["function"]
        else:
            reference(text, 0, len(text.text), Lexicon({}, {}, source.lexicon.sizes), source.problems)
        if key.text in blocks:
            source.problems.add(key.span, f"{key.text} is a term and a block", "call one of them otherwise")
        yield Term(key.text, kind, text, key.span)


# ---- the rest


def _reading(node: Node, source: Source) -> Reading | None:
    if not isinstance(node, Mapping):
        return None
    read: dict[str, Block] = {}
    nodes: dict[str, Mapping] = {}
    for key, inner in pairs(node.get("blocks")):
        of = source.lexicon.blocks.get(key.text)
        if of is None:
            source.unknown_block(key.text, key.span)
        if (block := Blocks(source).block(key, inner, of)) is not None and isinstance(inner, Mapping):
            read[key.text], nodes[key.text] = block, inner
    under = replace(source, lexicon=replace(source.lexicon, blocks={**source.lexicon.blocks, **read}))
    blocks = tuple(Blocks(under).finish(block, nodes[id]) for id, block in read.items())
    key_node = node.get("id")
    citation = source.citation(node, key_node if isinstance(key_node, Scalar) else None)
    return Reading(plain_string(key_node), plain_string(node.get("says")), citation, blocks)


def _note(node: Node, source: Source) -> NotChecked:
    if isinstance(node, Mapping):
        return NotChecked(plain_string(node.get("what")), source.citation(node, None))
    return NotChecked(plain_string(node), Citation(span=node.span))


def _paper(node: Node | None) -> Paper:
    if not isinstance(node, Mapping):
        return Paper()
    year = node.get("year")
    words = {name: plain_string(node.get(name)) for name in ("arxiv", "doi", "url", "venue", "version")}
    authors = tuple(plain_string(item) for item in items(node.get("authors")))
    return Paper(
        **words, year=year.value if isinstance(year, Scalar) and isinstance(year.value, int) else 0, authors=authors
    )
