"""The specs that ship: all of them load, give graphs, follow the schema, and say what their papers say."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from spec_text import HEAD, ops, shown

import archcheck
from archcheck.errors import ArchcheckError, SpecError
from archcheck.ir.graph import Unknown
from archcheck.ir.text import dump, parse
from archcheck.ir.verify import verify
from archcheck.spec import find, guard, library, listing, load, schema, to_graph
from archcheck.spec.build import read
from archcheck.spec.model import Attributes, Spec

KEYS = library.keys()


def plain(path: Path) -> object:
    """A spec as an editor's validator sees it."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("key", KEYS)
def test_a_shipped_spec_loads_and_gives_graphs(key: str) -> None:
    made, block = load(key)
    assert block is None
    assert made.id == key
    assert made.file == f"specs/{key}.yaml"
    assert made.lines[0] == schema.MODELINE
    for reading in ("", *(reading.id for reading in made.readings)):
        under = made.reading(reading) if reading else made
        for one in under.blocks:
            for preset in ("", *(name for name, _ in made.presets)):
                graph = verify(to_graph(under, one.id, made.values(preset)))
                assert graph.results
                assert parse(dump(graph)) == graph
                assert all(op.claim == one.id and op.span and op.span.file == made.file for op in graph.walk())
            assert one.citation.where
            assert one.citation.span


@pytest.mark.parametrize("key", KEYS)
def test_a_shipped_spec_follows_the_schema(key: str) -> None:
    jsonschema.Draft202012Validator(schema.schema()).validate(plain(find(key)))


def test_the_shipped_schema_is_current() -> None:
    """Write it anew with: python -c "from archcheck.spec import schema; print(schema.text(), end='')"."""
    assert (library.library() / "schema.json").read_text(encoding="utf-8") == schema.text()
    jsonschema.Draft202012Validator.check_schema(schema.schema())
    assert '"null"' in schema.text()  # a size may be left open, and nothing else
    assert schema.text().count('"null"') == 1


@given(
    st.fixed_dictionaries(
        {"archcheck": st.sampled_from([1, 2, "1"]), "id": st.sampled_from(["a", "a b", 3]), "title": st.just("b")},
        optional={
            "paper": st.sampled_from([{}, {"year": 2017}, {"year": "2017"}, {"arxiv": "1706.03762"}, {"arxiv": 1.5}]),
            "terms": st.sampled_from([{}, {"n": "relu"}, {"n": 3}, {"n m": "relu"}]),
            "sizes": st.sampled_from([{}, {"N": None}, {"N": 6}, {"N": "2*3"}, {"N": []}]),
            "blocks": st.sampled_from(
                [
                    {"b": {"where": "x", "flow": "relu(x)"}},
                    {"b": {"where": "x", "flow": "relu(x)", "repeat": None}},
                    {"b": {"where": "x", "order": "F d a n"}},
                    {"b": {"where": "x", "order": {"pre": "none", "post": "dan"}}},
                    {"b": {"where": "x", "order": {"self_attention": {"signature": "F a", "nonsense": 1}}}},
                    {"b": {"where": "x", "order": [{"feed_forward": "n F a"}]}},
                    {"b": {"flow": "relu(x)"}},
                    {"b": {"where": "x"}},
                ]
            ),
            "claims": st.sampled_from([[], [{"id": "c", "where": "x", "absent": "norm"}], [{"id": "c"}], {}]),
            "not_checked": st.sampled_from([[], ["x"], [{"what": "x"}], [3]]),
            "other": st.just(1),
        },
    )
)
def test_the_schema_and_the_reader_agree(data: dict[str, object]) -> None:
    validator = jsonschema.Draft202012Validator(schema.schema())
    try:
        made: Spec | None = read(json.dumps(data).encode(), "f.yaml")
    except SpecError:
        made = None
    assert validator.is_valid(data) == (made is not None)


def test_the_list_ignores_what_is_no_spec() -> None:
    entries = {entry.id: entry for entry in listing()}
    assert tuple(entries) == KEYS
    assert "schema" not in entries
    assert entries["vaswani2017"].title == "Attention Is All You Need"
    assert entries["vaswani2017"].year == 2017
    assert {"encoder_layer", "tied-embeddings"} <= set(entries["vaswani2017"].claims)


def test_a_spec_is_found_by_key_path_and_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, block = load("vaswani2017#encoder_layer")
    assert block == made.block("encoder_layer")
    mine = tmp_path / "mine.yaml"
    mine.write_text(HEAD + "blocks:\n  b: {where: x, flow: relu(x)}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for reference in (str(mine), "mine.yaml", "./mine.yaml#b"):
        found, _ = load(reference)
        assert found.file == "mine.yaml"
    assert load("./mine.yaml#b")[1] == load("mine.yaml")[0].block("b")


@pytest.mark.parametrize(
    ("reference", "problem", "hint"),
    [
        ("vaswani2018", 'no spec is called "vaswani2018"', 'did you mean "vaswani2017"?'),
        ("vaswani2017#encoder", 'vaswani2017 has no block "encoder"', 'did you mean "encoder_layer"?'),
        ("vaswani2018.yaml", "the spec vaswani2018.yaml does not exist", 'did you mean "vaswani2017"?'),
        ("no/such.yaml", "the spec no/such.yaml does not exist", "`archcheck spec list` lists the library"),
        ("no-such", 'no spec is called "no-such"', "the library has "),
    ],
)
def test_what_is_not_found_is_told(reference: str, problem: str, hint: str) -> None:
    with pytest.raises(ArchcheckError) as caught:
        load(reference)
    assert caught.value.problem == problem
    assert caught.value.hint.startswith(hint)


def test_an_installed_library_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a wheel the specs stand inside the package."""
    package = tmp_path / "site" / "archcheck"
    (package / "library").mkdir(parents=True)
    (package / "library" / "made2020.yaml").write_text(HEAD + "blocks:\n  b: {where: x, flow: relu(x)}\n")
    (package / "library" / "schema.json").write_text("{}")
    monkeypatch.setattr(archcheck, "__file__", str(package / "__init__.py"))
    assert library.keys() == ("made2020",)
    assert load("made2020")[0].file == "specs/made2020.yaml"


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (guard.MAX_BYTES * 2))
    with pytest.raises(SpecError, match="at most 1,048,576 bytes"):
        load(str(large))


# ---- what the papers state


@pytest.mark.parametrize(
    ("reference", "graph"),
    [
        (
            "vaswani2017#encoder_layer",
            """
            %0 = input name='x'
            %1 = self_attention %0
            %2 = dropout %1
            %3 = add %0, %2
            %4 = layer_norm %3
            %5 = feed_forward %4
            %6 = dropout %5
            %7 = add %4, %6
            %8 = layer_norm %7
            give %8
            """,
        ),
        (
            "xiong2020#pre_ln",
            """
            %0 = input name='x'
            %1 = layer_norm %0
            %2 = self_attention %1
            %3 = add %0, %2
            %4 = layer_norm %3
            %5 = feed_forward %4
            %6 = add %3, %5
            give %6
            """,
        ),
        (
            "xie2023#residual_block",
            """
            %0 = input name='x'
            %1 = input name='d'
            %2 = sublayer %0
            %3 = add %0, %2
            %4 = layer_norm %3
            %5 = add %1, %2
            give %4, %5
            """,
        ),
        (
            "touvron2023#feed_forward",
            """
            %0 = input name='x'
            %1 = linear %0
            %2 = silu %1
            %3 = linear %0
            %4 = mul %2, %3
            %5 = linear %4
            give %5
            """,
        ),
    ],
)
def test_the_papers_equations(reference: str, graph: str) -> None:
    made, block = load(reference)
    assert block is not None
    assert ops(made, block.id) == shown(graph)


def test_attention_is_scaled_by_the_root_of_the_key_size() -> None:
    made, _ = load("vaswani2017")
    [scale] = [op for op in to_graph(made, "attention").walk() if op.kind.name == "scale"]
    assert scale.attr("by") == 1 / 8  # d_k is 64 in both of the paper's models


def test_the_other_reading_of_figure_1_keeps_what_it_does_not_change() -> None:
    made, _ = load("vaswani2017")
    other = made.reading("norm-then-add")
    kinds = [op.kind.name for op in to_graph(other, "encoder_layer").walk()]
    assert kinds[1:5] == ["layer_norm", "self_attention", "dropout", "add"]
    assert other.block("encoder_layer").repeat == made.block("encoder_layer").repeat
    assert other.block("encoder_layer").citation.quote == made.block("encoder_layer").citation.quote
    assert other.block("feed_forward") == made.block("feed_forward")


@pytest.mark.parametrize(
    ("block", "sizes", "alpha"),
    [
        ("encoder_only_layer", {"N": 8}, 2.0),
        ("decoder_only_layer", {"M": 128}, 4.0),
        ("encoder_layer", {"N": 18, "M": 18}, 0.81 * (18**5) ** (1 / 16)),
        ("decoder_layer", {"M": 27}, 3.0),
    ],
)
def test_deepnorm_multiplies_the_residual_by_alpha(block: str, sizes: dict[str, int], alpha: float) -> None:
    made, _ = load("wang2022")
    for op in to_graph(made, block, sizes).ops:
        if op.kind.name == "scale":
            assert op.attr("by") == pytest.approx(alpha)
            assert op.reads[0].op.endswith(("input", "layer_norm"))  # the stream, not the branch
    unknown = [op.attr("by") for op in to_graph(made, block).ops if op.kind.name == "scale"]
    assert all(isinstance(by, Unknown) for by in unknown)


def test_the_paper_of_bert_states_its_widths_by_formula() -> None:
    made, _ = load("devlin2018")
    width = made.block("feed_forward").widths[1]
    assert width.attr == "d_ff"
    assert made.values("base")["d_ff"] == 3072
    assert made.values("large")["d_ff"] == 4096
    states = next(claim.states for claim in made.claims if claim.id == "bidirectional")
    assert isinstance(states, Attributes)
    assert states.stated[0].value.constant is False
