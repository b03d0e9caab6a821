"""The JSON Schema of the spec language, made from the models that check specs, for editors to complete by."""

from __future__ import annotations

import json
from typing import Any

from archcheck.spec.shape import SpecShape

MODELINE = "# yaml-language-server: $schema=./schema.json"


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    found = SpecShape.model_json_schema(by_alias=True)
    found = _tidied(found)
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for name in ("BlockShape",):  # a block states its wiring once; a block of a reading does, too
        found["$defs"][name]["oneOf"] = _exactly_one("flow", "order")
    found["$defs"]["ReadingBlockShape"]["oneOf"] = _exactly_one("flow", "order")
    return dict(sorted(found.items(), key=lambda row: (not row[0].startswith("$s"), row[0])))


def text() -> str:
    """The schema as the file that ships."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _exactly_one(*names: str) -> list[dict[str, list[str]]]:
    return [{"required": [name]} for name in names]


def _tidied(node: Any) -> Any:
    """`node` without what pydantic adds for its own use: titles of fields, `default: null`, the branch for None.

    A discriminated union is `oneOf` there, and its branches overlap for a schema that does not see the discriminator.
    """
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _tidied(value) for key, value in node.items() if key not in ("default", "discriminator")}
    if isinstance(found.get("title"), str) and "properties" not in found:
        del found["title"]
    branches = found.pop("oneOf", None) or found.pop("anyOf", None)
    if branches is not None:
        if "default" in node:  # it may be left out; written, it is never null
            branches = [branch for branch in branches if branch != {"type": "null"}]
        if len(branches) == 1:
            found = {**branches[0], **found}
        else:
            found["anyOf"] = branches
    return found
