"""The files that are generated, and what they must hold now."""

import json
from pathlib import Path
from typing import Any, Final

from starter.contract import client_reference, messages, reference
from starter.contract.names import names
from starter.contract.workflows import contracts

FOLDER: Final = Path(__file__).parents[2] / "docs" / "contract"


def files() -> dict[str, str]:
    """The text of each generated file, by its name."""
    found = contracts()
    return {
        "messages.schema.json": _json(messages.schema(found)),
        "events.schema.json": _json(messages.events()),
        "http.schema.json": _json(messages.http()),
        "nexus.schema.json": _json(messages.nexus()),
        "workflows.json": _json(names(found)),
        "reference.md": reference.page(found),
        "../client-reference.md": client_reference.page(),
    }


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
