"""What the parties of a case gave as evidence (R2, R10, D6).

What is given with an application, a rejection or a receipt, and whenever evidence is open there, adds up. In a dispute
each party has one giving that counts: a draft, which its next one replaces, or what it called final. What came late is
kept beside it and replaces nothing.
"""

from datetime import datetime

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.actors import Actor, Role
from workflows.messages.evidence import Evidence
from workflows.messages.reading import read_own
from workflows.messages.statements import EvidenceGiven, EvidenceStanding, GivenEvidence


class OtherEvidenceUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The key was used in this case for other evidence; that stands."""


class FinalEvidenceGiven(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The party has called its evidence final; only what comes late is still kept (D6)."""


async def give(connection: Connection, case_id: str, given: EvidenceGiven, at: datetime) -> int:
    """Keep what a party gives, and answer its number in the case; the same once more changes nothing.

    Unless it is late, or adds to what is there, it takes the place of the party's draft (D6).

    Raises:
        OtherEvidenceUnderKey: the key stands for other evidence.
        FinalEvidenceGiven: what the party gave before was final, and this does not count as late.
    """
    # Numbers are counted, and a party may have given nothing yet that could be locked.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('disputes.evidence/' || $1, 0))", case_id)
    before = await evidence_of(connection, case_id)
    if again := next((each for each in before if each.key == given.key), None):
        if _as_given(again) != given:
            raise OtherEvidenceUnderKey(f"key {given.key} stands for other evidence in {case_id}")
        return again.seq
    seq = len(before) + 1
    if not (given.late or given.adds):
        await _replace_draft(connection, case_id, given, seq, before)
    await connection.execute(
        """
        INSERT INTO disputes.evidence
            (case_id, seq, key, party, actor_id, attachments, statement, amount, currency, final, late, at, adds, event)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        case_id,
        seq,
        given.key,
        given.by.role,
        given.by.id,
        [each.model_dump(mode="json") for each in given.attachments],
        given.statement,
        given.amount,
        given.currency,
        given.final,
        given.late,
        at,
        given.adds,
        given.event,
    )
    return seq


async def evidence_of(connection: Connection, case_id: str) -> tuple[GivenEvidence, ...]:
    """All that was given in a case, oldest first, what was replaced or came late included (D6)."""
    rows = await connection.fetch(
        """
        SELECT seq, key, party, actor_id, attachments, statement, amount, currency, final, late, at, replaced_by,
               adds, event
        FROM disputes.evidence WHERE case_id = $1 ORDER BY seq
        """,
        case_id,
    )
    return tuple(_given(row) for row in rows)


async def _replace_draft(
    connection: Connection, case_id: str, given: EvidenceGiven, seq: int, before: tuple[GivenEvidence, ...]
) -> None:
    own = [each for each in before if each.by.role is given.by.role and not each.adds]
    if any(each.standing is EvidenceStanding.FINAL for each in own):
        raise FinalEvidenceGiven(f"the evidence of the {given.by.role} in {case_id} is final")
    await connection.execute(
        """
        UPDATE disputes.evidence SET replaced_by = $3
        WHERE case_id = $1 AND party = $2 AND replaced_by IS NULL AND NOT late AND NOT adds
        """,
        case_id,
        given.by.role,
        seq,
    )


def _as_given(kept: GivenEvidence) -> EvidenceGiven:
    return EvidenceGiven.model_validate({name: getattr(kept, name) for name in EvidenceGiven.model_fields})


def _given(row: asyncpg.Record) -> GivenEvidence:
    return GivenEvidence(
        key=row["key"],
        by=Actor(role=Role(row["party"]), id=row["actor_id"]),
        attachments=tuple(read_own(Evidence, each) for each in row["attachments"]),
        statement=row["statement"],
        amount=row["amount"],
        currency=row["currency"],
        final=row["final"],
        late=row["late"],
        adds=row["adds"],
        event=row["event"],
        seq=row["seq"],
        standing=_standing(row),
        replaced_by=row["replaced_by"],
        at=row["at"],
    )


def _standing(row: asyncpg.Record) -> EvidenceStanding:
    if row["late"]:
        return EvidenceStanding.LATE
    if row["replaced_by"] is not None:
        return EvidenceStanding.REPLACED
    return EvidenceStanding.FINAL if row["final"] or row["adds"] else EvidenceStanding.DRAFT
