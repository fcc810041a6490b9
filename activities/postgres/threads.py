"""The thread of a case, as the case book has it: it is append-only, as the log is (N5)."""

from collections.abc import Iterator
from typing import Final

from activities.postgres import case_rows, evidence
from activities.postgres.connection import Connection
from workflows.messages.cases import LogEntry
from workflows.messages.evidence import Evidence
from workflows.messages.threads import ThreadItem

_SAID: Final = "said"
_ACCEPTED: Final = "proposal_accepted"
THREAD: Final = frozenset(
    {
        _SAID,
        "proposed",
        _ACCEPTED,
        "proposal_closed",
        "proposal_declined",
        "proposal_lapsed",
        "proposal_withdrawn",
    }
)
"""Lines of the log that are part of the thread."""


async def thread_of(connection: Connection, case_id: str) -> tuple[ThreadItem, ...]:
    """What was said and proposed in a case, oldest first; nothing of an unknown one."""
    entries = [each for each in await case_rows.log_of(connection, case_id) if each.event in THREAD]
    if not entries:
        return ()
    given = await evidence.evidence_of(connection, case_id)
    pictures = iter([each.attachments for each in given if each.event == _SAID])
    return tuple(_item(case_id, each, pictures) for each in entries)


def _item(case_id: str, entry: LogEntry, pictures: Iterator[tuple[Evidence, ...]]) -> ThreadItem:
    # What is agreed on makes a version with the words of the request: this line says nothing of its own (N3).
    words = None if entry.event == _ACCEPTED else entry.facts.get("words")
    return ThreadItem(
        case_id=case_id,
        at=entry.at,
        by=entry.by,
        event=entry.event,
        words=str(words) if words else None,
        attachments=next(pictures, ()) if entry.event == _SAID else (),  # each message is kept with its line
        facts={name: value for name, value in entry.facts.items() if not name.startswith(("words", "evidence_"))},
    )
