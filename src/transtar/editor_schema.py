"""JSON schemas of files of settings, for editors: from the same dataclasses that `transtar.schema` checks the files by."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .schema import type_adapter


def editor_schema(kind: type, what: str, references: bool = False) -> dict[str, Any]:
    """Describe a file as JSON schema, by which an editor completes keys, explains them and marks mistakes.

    Parameters
    ----------
    kind : type
        The `Section` that the file is.
    what : str
        What such a file is, such as 'study'.
    references : bool
        Whether a text ``$NAME`` may stand wherever a value may.

    Returns
    -------
    dict
        Of plain data. A file that extends another one may leave out what that one says.
    """
    made = type_adapter(kind).json_schema()
    # What is required stands in the file or in the one that it extends; the items of a list are all in one.
    items = re.findall(r'"items": {"\$ref": "#/\$defs/(\w+)"', json.dumps(made))
    required = {name: {"required": made["$defs"][name]["required"]} for name in items}
    shared: dict[str, Any] = {}
    properties = {
        "extends": {"type": "string", "description": f"Name or file of another {what}, which this file changes."}
    }
    parts = _trimmed(made["$defs"], references, shared)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"transtar {what}",
        "description": made["description"],
        "type": "object",
        "properties": properties | _trimmed(made["properties"], references, shared),
        "additionalProperties": False,
        "anyOf": [{"required": ["extends"]}, {"required": made["required"]}],
        "$defs": {name: part | required.get(name, {}) for name, part in parts.items()} | shared,
    }


def _trimmed(schemas: Mapping[str, Any], references: bool, shared: dict[str, Any]) -> dict[str, Any]:
    """JSON schemas by name, without what is the same everywhere; long lists of names go to `shared`."""
    return {name: _trim(schema, references, shared) for name, schema in schemas.items()}


def _trim(schema: Any, references: bool, shared: dict[str, Any]) -> Any:
    if not isinstance(schema, dict):
        return schema
    empty = schema.get("default") in (None, "") or schema.get("default") == []
    dropped = {"title", "required"} | ({"default"} if empty else set())
    out = {key: part for key, part in schema.items() if key not in dropped}
    for key in out.keys() & {"properties"}:
        out[key] = _trimmed(out[key], references, shared)
    for key in out.keys() & {"items", "additionalProperties", "propertyNames"}:
        out[key] = _trim(out[key], references and key != "propertyNames", shared)
    for key in out.keys() & {"anyOf"}:
        out[key] = [_trim(one, references, shared) for one in out[key]]
    if len(out.get("enum", ())) > 10:
        name = next((name for name, one in shared.items() if one["enum"] == out["enum"]), f"Names{len(shared) + 1}")
        shared[name] = {"enum": out.pop("enum")}
        out = {key: part for key, part in out.items() if key != "type"} | {"$ref": f"#/$defs/{name}"}
    if references and (out.get("type") in ("number", "integer", "boolean") or out.keys() & {"enum", "const"}):
        about = {key: out.pop(key) for key in ("description", "default") if key in out}
        out = about | {"anyOf": [out, {"type": "string", "pattern": "^\\$"}]}
    return out
