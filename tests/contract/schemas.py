"""The published schemas as somebody else's program has them: read from ``docs/contract``."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs

from starter.contract.files import FOLDER

MESSAGES = "messages.schema.json"
HTTP = "http.schema.json"


@cache
def bundle(file: str = MESSAGES) -> Mapping[str, Any]:
    """A published file."""
    return json.loads((FOLDER / file).read_text(encoding="utf-8"))


@cache
def named(name: str, file: str = MESSAGES) -> jsonschema_rs.Draft202012Validator:
    """What checks messages of this type, formats included."""
    schema = {"$ref": f"#/$defs/{name}", "$defs": bundle(file)["$defs"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def type_of(workflow: str, part: str, command: str = "") -> str:
    """The type that the map of a workflow names: of its ``request`` or ``result``, or of one of its commands."""
    found = bundle()["$defs"][f"{workflow}Workflow"]["properties"][part]
    reference: str = (found["properties"][command] if command else found)["$ref"]
    return reference.removeprefix("#/$defs/")
