"""The JSON Schema of the spec language, made from the models that check specs, for editors to complete by."""

from __future__ import annotations

import json
from typing import Any

from archcheck.spec.shape import SpecShape

MODELINE = "# yaml-language-server: $schema=./schema.json"


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    found = _tidied(SpecShape.model_json_schema())
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for name in ("BlockShape", "ReadingBlockShape"):  # a block states its wiring once
        found["$defs"][name]["oneOf"] = [{"required": ["flow"]}, {"required": ["order"]}]
    return dict(sorted(found.items(), key=lambda row: (not row[0].startswith("$s"), row[0])))


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
