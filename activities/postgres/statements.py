"""What the parties of a case wrote (D6, D7).

The words are here and nowhere else; a command, the case log and an officer's page carry the reference (P6).
Whether somebody may write about a case at all is for the caller to know.
"""

import hashlib
from datetime import datetime

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.actors import Actor, Role
from workflows.messages.statements import Statement, VagueStatement, WriteStatement
from workflows.rules.vague_words import names_a_time, vague_words


class OtherTextUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The writer has used the key in this case for another text; that one stands."""


async def write(connection: Connection, wish: WriteStatement, at: datetime) -> Statement | VagueStatement:
    """Keep a statement; the same key and text of the same writer is the same statement.

    What a merchant writes must name a concrete time and hold no vague words; else it is not kept, and the
    answer says why (D7).

    Raises:
        OtherTextUnderKey: the key stands for another text.
    """
    if wish.by.role is Role.MERCHANT and (finding := _vagueness(wish.text.get_secret_value())):
        return finding
    reference = _reference(wish)
    await connection.execute(
        """
        INSERT INTO disputes.statements (reference, case_id, actor_role, actor_id, at, text)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (reference) DO NOTHING
        """,
        reference,
        wish.case_id,
        wish.by.role,
        wish.by.id,
        at,
        wish.text.get_secret_value(),
    )
    kept = await read(connection, reference)
    if kept is None or kept.text != wish.text:
        raise OtherTextUnderKey(f"key {wish.key} stands for another text in {wish.case_id}")
    return kept


async def check(connection: Connection, reference: str, case_id: str, by: Actor) -> bool:
    """Whether there is such a statement, and it is about this case and was written by this actor."""
    return bool(
        await connection.fetchval(
            """
            SELECT true FROM disputes.statements
            WHERE reference = $1 AND case_id = $2 AND actor_role = $3 AND actor_id = $4
            """,
            reference,
            case_id,
            by.role,
            by.id,
        )
    )


async def read(connection: Connection, reference: str) -> Statement | None:
    """The statement of this reference, or None. Who may read the case may read it."""
    row = await connection.fetchrow(
        "SELECT reference, case_id, actor_role, actor_id, at, text FROM disputes.statements WHERE reference = $1",
        reference,
    )
    return _statement(row) if row else None


def _vagueness(text: str) -> VagueStatement | None:
    finding = VagueStatement(words=vague_words(text), names_a_time=names_a_time(text))
    return finding if finding.words or not finding.names_a_time else None


def _reference(wish: WriteStatement) -> str:
    """Made of what makes the statement one, so that no retry can make another."""
    source = f"{wish.case_id} {wish.by.role} {wish.by.id} {wish.key}"
    return f"statement:{hashlib.sha256(source.encode()).hexdigest()[:32]}"


def _statement(row: asyncpg.Record) -> Statement:
    return Statement(
        reference=row["reference"],
        case_id=row["case_id"],
        by=Actor(role=row["actor_role"], id=row["actor_id"]),
        text=row["text"],
        at=row["at"],
    )
