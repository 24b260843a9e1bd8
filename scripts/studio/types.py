"""Types of the page from the server's OpenAPI document: `python -m scripts.studio.types`.

In: the schemas of `/openapi.json`. Out: `model/web/static/types.d.ts`, one interface a schema, with the
descriptions as comments. A test holds the file against the server.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[2] / "model" / "web" / "static" / "types.d.ts"
_HEAD = (
    "// Made by `python -m scripts.studio.types` from the server's OpenAPI document; not edited by hand.\n"
)
_SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def type_of(schema: dict[str, Any]) -> str:
    """TypeScript for one JSON schema."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    for key, sign in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
        if key in schema:
            return sign.join(dict.fromkeys(type_of(one) for one in schema[key]))
    kind = schema.get("type")
    if kind == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(type_of(one) for one in schema['prefixItems'])}]"
        inner = type_of(schema.get("items", {}))
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if kind == "object" and "properties" not in schema:
        more = schema.get("additionalProperties")
        return f"Record<string, {type_of(more) if isinstance(more, dict) and more else 'any'}>"
    if kind == "object":
        return f"{{\n{fields(schema)}}}"
    return _SIMPLE.get(str(kind), "any")


def fields(schema: dict[str, Any], *, sent: bool = False) -> str:
    """The lines of an interface. What has a default may be left out of what is sent; answers have it all."""
    needed = schema.get("required", []) if sent else schema["properties"]
    return "".join(
        f"  {name}{'' if name in needed else '?'}: {type_of(one)};\n"
        for name, one in schema["properties"].items()
    )


def requested(document: dict[str, Any]) -> set[str]:
    """The schemas that requests have as their bodies, and those within them."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    routes = [route for path in document["paths"].values() for route in path.values()]
    seen: set[str] = set()
    open_: list[Any] = [route.get("requestBody", {}) for route in routes]
    while open_:
        for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(open_.pop())):
            if name not in seen:
                seen.add(name)
                open_.append(schemas[name])
    return seen


def comment(schema: dict[str, Any]) -> str:
    """The description as a comment."""
    words = re.sub(r"\s+", " ", schema.get("description", "")).strip()
    return f"/** {words} */\n" if words else ""


def declarations(document: dict[str, Any]) -> str:
    """The whole file."""
    schemas: dict[str, dict[str, Any]] = document["components"]["schemas"]
    sent = requested(document)
    parts = [_HEAD]
    for name, schema in sorted(schemas.items()):
        if "properties" in schema:
            parts.append(
                f"{comment(schema)}export interface {name} {{\n{fields(schema, sent=name in sent)}}}\n"
            )
        else:
            parts.append(f"{comment(schema)}export type {name} = {type_of(schema)};\n")
    return "\n".join(parts)


def document() -> dict[str, Any]:
    """The server's OpenAPI document; nothing is served."""
    from model.web.app import openapi_document

    return openapi_document()


if __name__ == "__main__":
    TARGET.write_text(declarations(document()), "utf-8")
