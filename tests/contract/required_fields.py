"""``python -m tests.contract.required_fields``: write down which fields every message must have.

A field that a message has today is demanded by this release and not by the one before, which does not write it. So of a
message that is known none is ever added here, whatever the code says: the test tells what to do instead.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.contract.models import MODELS

FILE: Final = Path(__file__).with_suffix(".json")


def required() -> dict[str, list[str]]:
    """The fields without a default of each message, as the code says now."""
    return {
        each.__name__: sorted(name for name, field in each.model_fields.items() if field.is_required())
        for each in MODELS
    }


def kept() -> dict[str, list[str]]:
    """As they are written down."""
    found: dict[str, list[str]] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return found


def written(before: Mapping[str, list[str]], now: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What is to be written down: new messages as they are; of others only what was demanded before."""
    return {name: [each for each in fields if each in before.get(name, fields)] for name, fields in now.items()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(written(kept(), required()), indent=1) + "\n", encoding="utf-8")
