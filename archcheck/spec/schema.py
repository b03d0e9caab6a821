"""The JSON Schema of the spec language, made from the models that check specs, for editors to complete by."""

from __future__ import annotations

import json
from typing import Any

from archcheck.ir.equivalences import NAMES
from archcheck.ir.ops import KINDS
from archcheck.spec.shape import SpecShape
from archcheck.spec.words import NOT_CALLED

FILE = "schema.json"  # beside the specs that it is for
MODELINE = f"# yaml-language-server: $schema=./{FILE}"


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    found = _tidied(SpecShape.model_json_schema())
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for name in ("BlockShape", "ReadingBlockShape"):  # a block states its wiring once
        found["$defs"][name]["oneOf"] = [{"required": ["flow"]}, {"required": ["order"]}]
    _vocabulary(found)
    return dict(sorted(found.items(), key=lambda row: (not row[0].startswith("$s"), row[0])))


def _vocabulary(found: dict[str, Any]) -> None:
    """Let an editor complete, explain and check the words of the vocabulary where they stand alone."""
    kinds = [kind for kind in KINDS if kind.name not in NOT_CALLED]
    documented = [{"const": kind.name, "description": kind.doc} for kind in kinds]
    names = "|".join(kind.name for kind in kinds)
    term = found["properties"]["terms"]
    term["patternProperties"] = {
        pattern: {"anyOf": [*documented, {"type": "string", "pattern": rf"^\s*({names})\s*(\(|$)"}]}
        for pattern in term["patternProperties"]
    }
    attributes: dict[str, str] = {}
    for kind in KINDS:
        for decl in kind.attrs:
            attributes.setdefault(decl.name, f"{decl.unit} ({kind.name})")
    stated = found["$defs"]["ClaimShape"]["properties"]["attributes"]["additionalProperties"]
    (value,) = stated.pop("patternProperties").values()
    stated["properties"] = {name: {"description": told, **value} for name, told in sorted(attributes.items())}
    stated["additionalProperties"] = False
    width = {"pattern": rf"^(.*\.)?({'|'.join(sorted(attributes))})$"}
    for name in ("BlockShape", "ReadingBlockShape"):
        found["$defs"][name]["properties"]["widths"]["propertyNames"] = width
    for shape in ("BlockShape", "ReadingBlockShape", "ClaimShape"):
        for one in found["$defs"][shape]["properties"]["strict"]["anyOf"]:
            if one.get("type") == "array":
                one["items"] = {"enum": sorted(NAMES)}


def text() -> str:
    """The schema as the file that ships."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _tidied(node: Any) -> Any:
    """`node` without what pydantic adds for its own use: titles of fields and `default: null`.

    A discriminated union is `oneOf` there, and its branches overlap for a schema that does not see the discriminator.
    """
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _tidied(value) for key, value in node.items() if key not in ("default", "discriminator")}
    if isinstance(found.get("title"), str) and "properties" not in found:
        del found["title"]
    if "patternProperties" in found:  # pydantic refuses other names, and its schema does not say so
        found["additionalProperties"] = False
    if "oneOf" in found:
        found["anyOf"] = found.pop("oneOf")
    return found
