"""The shape of a spec file: which keys there are and what may stand under them. The JSON Schema is made from it.

Only the shape is checked here; what words and formulas mean is checked in `build`. Importing this module imports
pydantic, so it is imported where a spec is read and nowhere else.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from archcheck.ir.span import Span
from archcheck.spec.examples import EXPECTED, MODES
from archcheck.spec.nodes import Document, Mapping, Node, Scalar, Sequence
from archcheck.spec.problems import Problems, did_you_mean, hints
from archcheck.spec.slips import KEYS, NO_TRUTH
from archcheck.spec.starts import FANS, SCHEMES

WORD = r"^[^\W\d]\w*$"  # a name that a flow can use
ID = r"^[^\W\d][\w.-]*$"
PLACE = r"^[^\W\d][\w-]*(\.[\w*-]+|\[(\d+|\*)\])*$"

Word = Annotated[str, Field(pattern=WORD)]
Id = Annotated[str, Field(pattern=ID)]
Formula = Annotated[int | float | str, Field(description="A number, or a formula over the sizes: 4*d_model.")]
Value = Annotated[
    bool | int | float | str | list[bool | int | float | str],
    Field(description="A number, a formula over the sizes, true or false, a word, or a list of these."),
]
Where = Annotated[str, Field(min_length=1, description="Where the paper says it: Figure 1 (left); Section 3.1.")]
Quote = Annotated[str, Field(min_length=1, max_length=600, description="The paper's own words, exactly and briefly.")]
Presets = Annotated[Word | list[Word], Field(description="The presets for which it is stated; all, if left out.")]
Strict = Annotated[
    bool | list[Annotated[str, Field(min_length=1)]],
    Field(description="Equivalences that do not count here, by their names in reports; true: none of them counts."),
]
Only = Annotated[
    bool | list[str],
    Field(description="Closes the list: true for nothing but what is stated, or what else may stand there."),
]


def _may(**words: Any) -> Any:
    """A key that may be left out; where it is written, something of its type stands behind it."""
    return Field(None, **words)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PaperShape(_Shape):
    """What identifies the paper."""

    arxiv: str = _may(
        pattern=r"^([a-z-]+(\.[A-Z]{2})?/\d{7}|\d{4}\.\d{4,5})$", description='As in "1706.03762", in quotes.'
    )
    year: int = _may(ge=1900, le=2200, description="Of publication.")
    doi: str = _may(description="10.48550/arXiv.1706.03762.")
    url: str = _may(description="Where it can be read.")
    venue: str = _may(description="Where it was published: NIPS 2017.")
    version: str = _may(description="The version of the paper that the claims are taken from: v5.")
    authors: list[str] = _may(description="Their names, in the paper's order.")


class SublayerShape(_Shape):
    """A sublayer's steps: a signature, or tensor2tensor's pre- and postprocessing strings."""

    signature: str = _may(description="Letters in execution order: F d a n is post-norm.")
    pre: str = _may(description='layer_preprocess_sequence: "none", or letters of n and d.')
    post: str = _may(description="layer_postprocess_sequence: letters of d, a, n.")
    s: Formula = _may(description="The factor on the branch.")
    S: Formula = _may(description="The factor on the residual.")


class PairShape(_Shape):
    """tensor2tensor's own pair, for all sublayers."""

    pre: str = _may(description='layer_preprocess_sequence: "none", or letters of n and d.')
    post: str = _may(description="layer_postprocess_sequence: letters of d, a, n.")
    sublayers: list[str] = _may(description="The sublayer functions, in order.")


def _order_form(value: object) -> str:
    """Which form of `order` is meant, so that mistakes are told for that one only."""
    if isinstance(value, list):
        return "list"
    if isinstance(value, dict):
        return "pair" if value.keys() & {"pre", "post", "sublayers"} else "mapping"
    return "text"


_Sublayers = dict[str, str | SublayerShape]
OrderShape = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[PairShape, Tag("pair")]
    | Annotated[_Sublayers, Tag("mapping")]
    | Annotated[list[_Sublayers], Tag("list")],
    Discriminator(_order_form),
    Field(
        description="Sublayer signatures. n norm, d dropout, a residual add, s scale on the branch, S scale on the "
        "residual, p stochastic depth, N norm before the residual is taken, around F, the sublayer function."
    ),
]
Flow = Annotated[str, Field(description="Equations, as one would write them in Python: x = norm(x + attention(x)).")]
Widths = Annotated[dict[str, Formula], Field(description="Attributes of its ops: d_ff: 2048, self_attention.heads: 8.")]


class BlockShape(_Shape):
    """A part of the model and what the paper states about its wiring."""

    where: Where
    quote: Quote = _may()
    flow: Flow = _may()
    order: OrderShape = _may()
    repeat: Formula = _may(description="How often the block stands in a row.")
    widths: Widths = _may()
    only: Only = _may()
    advisory: bool = _may(description="Reported, never failing.")
    strict: Strict = _may()
    presets: Presets = _may(alias="for")


class ReadingBlockShape(BlockShape):
    """A block under another reading; what it leaves out is as in the block of the same name."""

    where: Where = _may()


def _init_form(value: object) -> str:
    """Which form of `init` is meant, so that mistakes are told for that one only."""
    return "list" if isinstance(value, list) else "one"


_Parts = str | list[str]


class InitShape(_Shape):
    """What learned tensors are before training. Formulas may use fan_in, fan_out and layer (from 1)."""

    of: _Parts = Field(description="The parts: attention.value, residual.last_norm, linear in feed_forward, embedding.")
    weight: Formula = _may(description="The one value of all their weights: 0.")
    bias: Formula = _may(description="The one value of all their biases.")
    std: Formula = _may(description="Standard deviation of their weights: 0.02 / (2*N)**0.5.")
    scheme: str = _may(description="How they are drawn.", json_schema_extra={"enum": list(SCHEMES)})
    gain: Formula = _may(description="Factor on a xavier or kaiming standard deviation.")
    fan: str = _may(description="Which side a kaiming scheme keeps.", json_schema_extra={"enum": list(FANS)})
    bound: Formula = _may(description="A uniform distribution lies between -bound and bound.")
    cut: Formula = _may(description="Where a truncated normal is cut off, in standard deviations.")
    ratio: Formula = _may(description="Their standard deviation over that of the parts under to:.")
    to: _Parts = _may(description="The parts that ratio: compares with.")
    tolerance: int | float | str = _may(description="How far a spread may be off, beside the noise of a sample: 5%.")


class ClaimShape(_Shape):
    """One statement of the paper beyond the wiring of a block, in one of its forms."""

    id: Id = Field(description="A name for the claim, as reports give it: final-norm.")
    where: Where
    quote: Quote = _may()
    same_weights: list[Annotated[str, Field(pattern=PLACE)]] = _may(
        min_length=1, description="Places that share their learned tensors; or a kind of ops, all of which share them."
    )
    own_weights: list[Annotated[str, Field(pattern=PLACE)]] = _may(
        min_length=1, description="Places, or kinds of ops, that have learned tensors of their own."
    )
    absent: str | list[str] = _may(description="norm after encoder_layer; beside path: what stands nowhere on it.")
    present: str | list[str] = _may(description="dropout in feed_forward.")
    count: dict[str, Formula] = _may(min_length=1, description="How many: {norm in encoder_layer: 2}.")
    path: str = _may(description="A sequence along the data flow: pool -> linear -> ... -> output.")
    only: Only = _may(description="Beside path: what else may stand on it; true: nothing.")
    repeat: dict[Word, Formula] = _may(min_length=1, description="How often blocks stand in a row.")
    attributes: dict[str, dict[Word, Value]] = _may(
        min_length=1, description="{self_attention in decoder_layer: {causal: true}}."
    )
    init: Annotated[
        Annotated[InitShape, Tag("one")] | Annotated[list[InitShape], Tag("list")], Discriminator(_init_form)
    ] = _may(description="Values before training: {of: residual.last_norm, weight: 0}.")
    advisory: bool = _may(description="Reported, never failing.")
    strict: Strict = _may()
    presets: Presets = _may(alias="for")


class ReadingShape(_Shape):
    """Another way to read a figure."""

    id: Id = Field(description="A name for the reading.")
    says: str = Field(min_length=1, description="How the figure is read, in a sentence.")
    where: Where = _may()
    quote: Quote = _may()
    blocks: dict[Word, ReadingBlockShape] = Field(min_length=1, description="The blocks as this reading has them.")


class NoteShape(_Shape):
    """Something that the paper states and no graph can show."""

    what: str = Field(min_length=1, description="What the paper states: the learning-rate schedule.")
    where: Where = _may()
    quote: Quote = _may()


_Settings = dict[str, bool | int | float | str]


class ExampleShape(_Shape):
    """Code of which it is known whether it is what the paper states, for `archcheck spec test`."""

    target: str = Field(min_length=1, description="As audit takes it: model.py:Layer, found beside this file.")
    expects: str = Field(
        description="holds, or departs: one of the claims is violated.", json_schema_extra={"enum": list(EXPECTED)}
    )
    of: str | list[str] = _may(description="The claims that are meant, by their ids: encoder_layer. Left out: any.")
    why: str = _may(min_length=1, description="How the code departs, in a sentence.")
    args: _Settings = _may(description="Constructor and call arguments, as --arg: {config: LlamaConfig()}.")
    bind: dict[str, str] = _may(description="Which class, function or module a block is, as --bind.")
    sizes: dict[Word, int | float] = _may(description="Sizes of the spec, as --size.")
    preset: Word = _may(description="One of the spec's presets, as --preset.")
    mode: str = _may(description="train, with dropout, or eval.", json_schema_extra={"enum": list(MODES)})


class ExamplesShape(_Shape):
    """Examples of a spec, in a file of their own."""

    spec: str = Field(min_length=1, description="A citation key of the library, or a path beside this file.")
    examples: list[ExampleShape] = Field(min_length=1)


class SpecShape(_Shape):
    """What one paper states about its model, in archcheck's spec language."""

    model_config = ConfigDict(title="archcheck spec")

    archcheck: Literal[1] = Field(description="Version of the spec language.")
    id: Id = Field(description="Citation key: vaswani2017. The file is named by it.")
    title: str = Field(min_length=1, description="Of the paper.")
    paper: PaperShape = _may(description="What identifies the paper.")
    terms: dict[Word, str] = _may(
        description="What the paper's words mean: norm: layer_norm, mlp: feed_forward, disentangle: function."
    )
    sizes: dict[Word, int | float | str | None] = _may(
        description="Numbers, formulas over other sizes, or nothing where the paper leaves them open."
    )
    presets: dict[Word, dict[Word, Formula]] = _may(description="Sizes that differ between the paper's models.")
    blocks: dict[Word, BlockShape] = _may(description="Parts of the model, by name, each with its wiring.")
    claims: list[ClaimShape] = _may(description="Statements beyond wiring, each with an id, where, and one form.")
    readings: list[ReadingShape] = _may(description="Other ways to read a figure.")
    not_checked: list[str | NoteShape] = _may(description="What the paper states and no graph can show.")
    examples: list[ExampleShape] = _may(description="Code that is known to match or to depart, for spec test.")


# ---- mistakes in shape, said in a user's words


def check(document: Document, shape: type[BaseModel] = SpecShape) -> None:
    """Note in the document's problems everything in it that does not have the shape of a spec, or another one."""
    if not isinstance(document.root, Mapping):
        document.problems.add(document.root.span, "a spec is a mapping", "begin with: archcheck: 1")
        return
    try:
        shape.model_validate(_plain(document.root))
    except ValidationError as error:
        rows = error.errors(include_url=False, include_context=True, include_input=False)
    else:
        return
    places = [_find(document.root, row["loc"], shape, missing=row["type"] == "missing") for row in rows]
    kinds: dict[Span, list[str]] = {}
    for row, place in zip(rows, places, strict=True):
        noun = _NOUNS.get(row["type"])
        if noun and any(place.node in other.holders for other in places):
            continue  # another branch of a union took this node, and tells what is wrong inside it
        if row["type"] == "missing":
            name = str(row["loc"][-1])
            document.problems.add(place.owner, f'"{name}" is missing here', _described(place.shape, name))
        elif row["type"] == "extra_forbidden":
            _note_unknown_key(str(row["loc"][-1]), place, document.problems)
        elif noun:
            kinds.setdefault(place.node.span, []).append(noun)
        elif row["type"] == "literal_error":
            document.problems.add(
                place.node.span, "this archcheck reads version 1 of the spec language", "archcheck: 1"
            )
        elif row["type"] == "string_pattern_mismatch":
            value = place.node.text if isinstance(place.node, Scalar) else ""
            document.problems.add(place.node.span, f'"{value}" cannot stand here', _pattern_hint(place, row["loc"]))
        else:
            document.problems.add(place.node.span, f"this cannot stand here: {row['msg'].lower()}")
    for span, nouns in kinds.items():
        told = [noun for noun in dict.fromkeys(nouns) if noun != "a whole number" or "a number" not in nouns]
        document.problems.add(span, f"{' or '.join(told)} must stand here", _quote_hint(span, document))


_NOUNS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


@dataclass(frozen=True)
class _Place:
    """A node of the tree, and what is around it."""

    node: Node
    owner: Span  # of the key under which the node stands
    shape: type[BaseModel] | None  # of the innermost mapping
    holders: tuple[Node, ...]  # the nodes that hold something wrong in this place


def _find(root: Mapping, loc: tuple[int | str, ...], whole: type[BaseModel], *, missing: bool) -> _Place:
    """The node that pydantic's `loc` means; parts that name a branch of a union are passed over.

    Args:
        whole: the shape of the root.
        missing: the last part names a key that is not there.
    """
    node: Node = root
    owner = Span(root.span.file, root.span.line, root.span.column, root.span.line, root.span.column + 1)
    key: Scalar = _may()
    annotation: Any = whole
    shape: type[BaseModel] | None = whole
    holders: list[Node] = []
    for part in loc:
        if isinstance(node, Mapping) and isinstance(part, str):
            here = node.key(part)
            if here is None:
                continue
            key, owner = here, here.span
            inner = node.get(part)
        elif isinstance(node, Sequence) and isinstance(part, int):
            inner = node.items[part]
            owner = inner.span
        else:
            continue
        holders.append(node)
        annotation = _inside(annotation, part)
        node = node if inner is None else inner
        shape = _model(annotation) or shape
    if loc and loc[-1] == "[key]" and key is not None:
        return _Place(key, owner, shape, tuple(holders))
    if missing:
        holders.append(node)
    return _Place(node, owner, shape, tuple(holders))


def _members(annotation: Any) -> Iterator[Any]:
    """The types that `annotation` allows, without Annotated and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _model(annotation: Any) -> type[BaseModel] | None:
    models = [m for m in _members(annotation) if isinstance(m, type) and issubclass(m, BaseModel)]
    return models[0] if models else None


def _inside(annotation: Any, part: str | int) -> Any:
    """The annotation of what stands under `part`."""
    found: Any = None
    for member in _members(annotation):
        origin = get_origin(member)
        if origin is list and isinstance(part, int):
            found = found or get_args(member)[0]
        elif origin is dict and isinstance(part, str):
            found = found or get_args(member)[1]
        elif isinstance(member, type) and issubclass(member, BaseModel):
            for name, field in member.model_fields.items():
                if part == (field.alias or name):
                    return field.annotation
    return found


def _note_unknown_key(name: str, place: _Place, problems: Problems) -> None:
    if place.shape is None:
        problems.add(place.owner, f'there is no key "{name}" here')
        return
    known = [field.alias or name for name, field in place.shape.model_fields.items()]
    meant = KEYS.get(name.lower(), "")
    near = f'did you mean "{meant}"?' if meant in known else did_you_mean(name, known)
    hint = hints(near, "it may be " + ", ".join(known))
    if any(sign in name for sign in "=()"):  # `{flow: f(x, p=0.1)}`: YAML ends the text at the comma
        hint = "inside { } a text with commas stands in quotes"
    problems.add(place.owner, f'there is no key "{name}" here', hint)


def _described(shape: type[BaseModel] | None, name: str) -> str:
    if shape is None or name not in shape.model_fields:
        return ""
    return _EXAMPLES.get(name, "")


_EXAMPLES = {
    "archcheck": "a spec begins with: archcheck: 1",
    "id": "the citation key, or a name for the claim",
    "title": "the title of the paper",
    "where": "say where the paper states it: where: Section 3.1",
    "says": "say in one sentence how the figure is read",
    "what": "say what is not checked",
    "target": "the code: target: model.py:Layer",
    "expects": "say what is known of it: expects: holds, or expects: departs",
    "spec": "say of which spec these are examples: spec: vaswani2017, or a file beside this one",
    "examples": "list them: - {target: model.py:Layer, expects: holds}",
    "of": "name the parts: of: residual.last_norm",
    "blocks": "the blocks as this reading has them",
}


def _pattern_hint(place: _Place, loc: tuple[int | str, ...]) -> str:
    if "arxiv" in loc:
        return 'an arXiv number, in quotes: "1706.03762"'
    if "same_weights" in loc or "own_weights" in loc:
        return "a place in the model: encoder.embedding, layers[*].attention"
    if "[key]" in loc or "for" in loc:
        return "a name of letters, digits and _ that a flow can use"
    return "a name of letters, digits, _, - and ."


def _quote_hint(span: Span, document: Document) -> str:
    line = document.lines[span.line - 1] if span.line <= len(document.lines) else ""
    word = line[span.column - 1 : span.end_column - 1].strip() if span.end_line in (0, span.line) else ""
    if word.lower() in NO_TRUTH:
        return f"it is text in this version of YAML: write {NO_TRUTH[word.lower()]}"
    if line[span.column - 1 :].startswith("- ") or line.strip().startswith("- "):
        return "name each in a line of its own, NAME: {...}, without a dash"
    return 'put it in quotes: arxiv: "1706.03762"' if "arxiv:" in line[: span.column] else ""


def _plain(node: Node) -> Any:
    """The tree as Python data, for pydantic."""
    if isinstance(node, Mapping):
        return {key.text: _plain(value) for key, value in node.items}
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    return node.value
