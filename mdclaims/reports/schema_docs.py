"""Turns the JSON report's schema into its documentation, ``docs/json.md``; a test keeps the file up to date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

_HEAD = """\
# The JSON report, schema version 1

`mdclaims check --format json` writes this. The schema is `mdclaims/data/schema/check.schema.json`, and this page
is made from it: `python -m mdclaims.reports.schema_docs > docs/json.md`. Within version 1 keys are only ever
added. The formats for people (text, HTML) promise no stability.
"""


def check_schema() -> dict[str, Any]:
    """Return the JSON Schema of the report."""
    source = files("mdclaims") / "data" / "schema" / "check.schema.json"
    schema: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return schema


def schema_markdown() -> str:
    """Return the documentation of every key, field by field."""
    return "\n".join([_HEAD, *_sections("report", check_schema(), 2)]).rstrip() + "\n"


def _sections(name: str, node: dict[str, Any], level: int) -> Iterator[str]:
    yield f"{'#' * min(level, 5)} `{name}`\n"
    yield f"{node['description']}\n"
    yield "| key | type | meaning |\n|---|---|---|"
    below: list[tuple[str, dict[str, Any]]] = []
    prefix = "" if name == "report" else f"{name}."
    for key, value in node["properties"].items():
        yield f"| `{key}` | {_type(value)} | {value.get('description', '')} |"
        if _has_own_keys(value):
            below.append((f"{prefix}{key}", value))
        elif _has_own_keys(value.get("items", {})):
            below.append((f"{prefix}{key}[]", value["items"]))
    yield ""
    for child, value in below:
        yield from _sections(child, value, level + 1)


def _has_own_keys(node: dict[str, Any]) -> bool:
    """Return whether a node is an object whose keys are described (scores per label are not)."""
    return any("description" in value for value in node.get("properties", {}).values())


def _type(node: dict[str, Any]) -> str:
    if "enum" in node:
        return "one of " + ", ".join(f"`{json.dumps(value)}`" for value in node["enum"])
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    kind = node.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


if __name__ == "__main__":
    print(schema_markdown(), end="")  # noqa: T201
