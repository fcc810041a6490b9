"""What the parties of a case wrote (D6, D7).

The words are here and nowhere else, under the key of the buyer whom the case is about, whoever wrote them: what a
merchant writes tells of the buyer too. A command, the case log and an officer's page carry the reference (P6).
Whether somebody may write about a case at all is for the caller to know.
"""

import hashlib
from datetime import datetime
from typing import Final

import asyncpg
from pydantic import SecretStr

from activities.postgres import limits, person_locks
from activities.postgres.connection import Connection
from activities.postgres.person_keys import PersonKeys
from workflows.messages.actors import Actor, Role
from workflows.messages.policy import LimitsPolicy
from workflows.messages.statements import Purpose, Statement, VagueStatement, WriteStatement
from workflows.rules.vague_words import names_a_time, vague_words

STATEMENT: Final = "statement"
"""As what it is sealed."""


class OtherTextUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The writer has used the key in this case for another text; that one stands."""


async def write(
    connection: Connection,
    keys: PersonKeys,
    wish: WriteStatement,
    person: str,
    at: datetime,
    *,
    in_dispute: bool = True,
    most: int = LimitsPolicy().evidence_of_a_party,
) -> Statement | VagueStatement:
    """Keep a statement; the same key and text of the same writer is the same statement.

    What a merchant replies to the buyer in a dispute must name a concrete time and hold no vague words; else it is not
    kept, and the answer says why (D7). Plain evidence needs no time, nor does what is written outside a dispute.

    Args:
        connection: In a transaction.
        keys: Persons' keys.
        wish: What is written.
        person: Whose key it is put under.
        at: When.
        in_dispute: Whether the case is a dispute.
        most: How many statements a party may write about a case.

    Raises:
        OtherTextUnderKey: the key stands for another text.
        LimitReached: the party has written ``most`` others about the case (R16).
    """
    by_merchant = wish.by.role is Role.MERCHANT
    finding = _vagueness(wish.text.get_secret_value()) if by_merchant else None
    if finding and in_dispute and wish.purpose is Purpose.REPLY:
        return finding
    reference = _reference(wish)
    await person_locks.hold(connection, person)
    await limits.check_statements(connection, wish.case_id, wish.by, reference, most)
    await connection.execute(
        """
        INSERT INTO disputes.statements (reference, case_id, actor_role, actor_id, at, person, sealed, timely)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (reference) DO NOTHING
        """,
        reference,
        wish.case_id,
        wish.by.role,
        wish.by.id,
        at,
        person,
        await keys.seal(person, STATEMENT, wish.text.get_secret_value().encode(), place=reference),
        finding is None if by_merchant else None,
    )
    kept = await read(connection, keys, reference)
    if kept is None or kept.text != wish.text:
        raise OtherTextUnderKey(f"key {wish.key} stands for another text in {wish.case_id}")
    return kept


async def check(
    connection: Connection, reference: str, case_id: str, by: Actor, *, or_about: str | None = None
) -> bool:
    """Whether there is such a statement of this actor about this case, or about the case ``or_about`` (D1)."""
    return bool(
        await connection.fetchval(
            """
            SELECT true FROM disputes.statements
            WHERE reference = $1 AND case_id IN ($2, $5) AND actor_role = $3 AND actor_id = $4
            """,
            reference,
            case_id,
            by.role,
            by.id,
            or_about,
        )
    )


async def puts_off(connection: Connection, reference: str) -> bool:
    """Whether this statement is a merchant's that names no time: evidence, and no reply to the buyer (D7)."""
    return bool(await connection.fetchval("SELECT NOT timely FROM disputes.statements WHERE reference = $1", reference))


async def read(connection: Connection, keys: PersonKeys, reference: str) -> Statement | None:
    """The statement of this reference, or None. Who may read the case may read it."""
    row = await connection.fetchrow(
        "SELECT reference, case_id, actor_role, actor_id, at, sealed FROM disputes.statements WHERE reference = $1",
        reference,
    )
    if row is None:
        return None
    (plain,) = await keys.unseal_many(STATEMENT, {reference: row["sealed"]})
    return _statement(row, plain)


def _vagueness(text: str) -> VagueStatement | None:
    finding = VagueStatement(words=vague_words(text), names_a_time=names_a_time(text))
    return finding if finding.words or not finding.names_a_time else None


def _reference(wish: WriteStatement) -> str:
    """Made of what makes the statement one, so that no retry can make another."""
    source = f"{wish.case_id} {wish.by.role} {wish.by.id} {wish.key}"
    return f"statement:{hashlib.sha256(source.encode()).hexdigest()[:32]}"


def _statement(row: asyncpg.Record, plain: bytes | None) -> Statement:
    return Statement(
        reference=row["reference"],
        case_id=row["case_id"],
        by=Actor(role=row["actor_role"], id=row["actor_id"]),
        text=None if plain is None else SecretStr(plain.decode()),
        at=row["at"],
    )
