"""Lines that a step adds to its case's log (section 12)."""

import json
from collections.abc import Sequence
from typing import Final

from workflows.messages.cases import LogEntry, NewEntry

_TYPES: Final = ("integer", "text", "text", "text", "text", "timestamptz", "text", "text", "text", "text")
ARGUMENTS: Final = len(_TYPES)
"""How many arguments of a statement the lines are."""


def insertion(first: int, *, case_id: str, step: str, kind: str, stage: str) -> str:
    """SQL that adds the lines that are given from the argument of number ``first`` on (``arguments``).

    It is a part of the statement that writes the case's row: each statement of a step costs a way to the server and
    back, while the row is locked.
    """
    given = ", ".join(f"${first + index}::{name}[]" for index, name in enumerate(_TYPES))
    return f"""
        INSERT INTO casebook.log
            (case_id, position, step, event, actor_role, actor_id, rule, at, command_key, command_digest, facts,
             kind, stage, command)
        SELECT {case_id}, position, {step}, event, actor_role, actor_id, rule, at, command_key, command_digest,
               facts::jsonb, {kind}, {stage}, command::jsonb
        FROM unnest({given})
            AS line (position, event, actor_role, actor_id, rule, at, command_key, command_digest, facts, command)
    """  # noqa: S608 -- numbers of arguments


def arguments(entries: Sequence[LogEntry], length: int) -> tuple[list[object], ...]:
    """The lines as arguments of ``insertion``, for a log that has ``length`` lines before them."""
    return (
        [*range(length + 1, length + 1 + len(entries))],
        [entry.event for entry in entries],
        [entry.by.role for entry in entries],
        [entry.by.id for entry in entries],
        [entry.rule for entry in entries],
        [entry.at for entry in entries],
        [entry.command_key for entry in entries],
        [entry.command_digest for entry in entries],
        [json.dumps(entry.facts) for entry in entries],
        [_command(entry) for entry in entries],
    )


def _command(entry: LogEntry) -> str | None:
    return json.dumps(entry.command) if isinstance(entry, NewEntry) and entry.command else None
