"""The schema for editors: it explains every key, completes the words of the vocabulary, and catches what it can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from archcheck.cli.app import app
from archcheck.ir.ops import KINDS
from archcheck.spec import schema
from archcheck.spec.words import NOT_CALLED

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft202012Validator(schema.schema())


def specs() -> Iterator[Path]:
    """Every spec in the repository."""
    for folder in ("specs", "tests/discrepancies", "fixtures", "tests"):
        for file in sorted((ROOT / folder).rglob("*.yaml")):
            if file.read_text(encoding="utf-8").find("archcheck: 1\n") >= 0:
                yield file


SPECS = sorted(set(specs()))


@pytest.mark.parametrize("file", SPECS, ids=[file.relative_to(ROOT).as_posix() for file in SPECS])
def test_every_spec_in_the_repository_follows_it(file: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def test_there_are_many_specs() -> None:
    assert len(SPECS) > 50


def test_every_key_is_explained() -> None:
    found = schema.schema()
    for name, shape in [*found["$defs"].items(), ("", found)]:
        for key, own in shape.get("properties", {}).items():
            whole = found["$defs"][own["$ref"].rpartition("/")[2]] if "$ref" in own else own
            assert '"description"' in json.dumps(whole), f"{name}.{key}"


def test_an_editor_completes_every_op_and_attribute() -> None:
    (term,) = schema.schema()["properties"]["terms"]["patternProperties"].values()
    offered = {one["const"]: one["description"] for one in term["anyOf"] if "const" in one}
    assert offered == {kind.name: kind.doc for kind in KINDS if kind.name not in NOT_CALLED}
    stated = schema.schema()["$defs"]["ClaimShape"]["properties"]["attributes"]["additionalProperties"]
    assert set(stated["properties"]) == {decl.name for kind in KINDS for decl in kind.attrs}
    assert all(one["description"] for one in stated["properties"].values())


HEAD: dict[str, Any] = {"archcheck": 1, "id": "a", "title": "A"}
BLOCK = {"where": "Figure 1", "flow": "relu(x)"}
CLAIM = {"id": "c", "where": "Section 3"}


@pytest.mark.parametrize(
    ("own", "at"),
    [
        ({"terms": {"norm": "layernorm"}}, "terms.norm"),
        ({"terms": {"norm": "repeat"}}, "terms.norm"),
        ({"blocks": {"b": {**BLOCK, "repeats": 3}}}, "blocks.b"),
        ({"blocks": {"b": {"flow": "relu(x)"}}}, "blocks.b"),
        ({"blocks": {"b": {**BLOCK, "order": "F a n"}}}, "blocks.b"),
        ({"blocks": {"b": {**BLOCK, "widths": {"n_heads": 8}}}}, "blocks.b.widths"),
        ({"blocks": {"b": {**BLOCK, "strict": ["commuted"]}}}, "blocks.b.strict"),
        (
            {"claims": [{**CLAIM, "attributes": {"conv": {"kernel_size": 3}}}]},
            "claims.0.attributes.conv",
        ),
        ({"claims": [{"id": "c d", "where": "x", "absent": "norm"}]}, "claims.0.id"),
        ({"claims": [{**CLAIM, "init": {"of": "scale", "scheme": "he"}}]}, "claims.0.init"),
        ({"examples": [{"target": "m.py:A", "expects": "matches"}]}, "examples.0.expects"),
        ({"examples": [{"target": "m.py:A"}]}, "examples.0"),
        ({"paper": {"arxiv": "17060.3762"}}, "paper.arxiv"),
        ({"archcheck": 2}, "archcheck"),
        ({"title": None}, "title"),
    ],
)
def test_an_editor_marks_what_a_schema_can_see(own: dict[str, Any], at: str) -> None:
    assert [".".join(map(str, error.absolute_path)) for error in VALIDATOR.iter_errors({**HEAD, **own})] == [at]


@pytest.mark.parametrize("meaning", ["layer_norm", 'gelu(approximate="tanh")', "function", "norm", " rms_norm "])
def test_a_term_may_state_attributes(meaning: str) -> None:
    VALIDATOR.validate({**HEAD, "terms": {"word": meaning}})


def test_a_new_spec_has_its_schema_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "made2026.yaml"
    result = CliRunner().invoke(app, ["spec", "new", "made2026", "-o", str(file)], standalone_mode=False)
    assert result.return_value == 0
    assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=./schema.json\n")
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == schema.text()
    (tmp_path / "schema.json").write_text("{}")
    other = str(tmp_path / "other2026.yaml")
    assert CliRunner().invoke(app, ["spec", "new", "other2026", "-o", other], standalone_mode=False).return_value == 0
    assert (tmp_path / "schema.json").read_text() == "{}"  # a file that is there is left alone
