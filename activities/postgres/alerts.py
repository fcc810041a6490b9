"""Money matters that no rule can put right, kept until a person has seen to them (section 10)."""

from datetime import datetime

from activities.postgres.connection import Connection
from workflows.messages.message import Code, Instant, Message
from workflows.messages.words import shown_as_written
from workflows.rules.legs import AlertKind


class Alert(Message):
    """One alert that is open."""

    id: int
    kind: Code
    case_id: str
    refund_no: str
    evidence: str
    """What raised it: the proof that an officer gave, or the source of the contradicting word."""
    at: Instant


async def raise_alert(
    connection: Connection, kind: AlertKind, case_id: str, refund_no: str, evidence: str, at: datetime
) -> None:
    """Raise an alert about a leg; the same one again changes nothing, also once it has been resolved."""
    await connection.execute(
        """
        INSERT INTO ledger.alerts (kind, case_id, refund_no, evidence, at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        kind,
        case_id,
        refund_no,
        evidence,
        at,
    )


async def raised(connection: Connection, case_id: str, evidence: str, at: datetime) -> bool:
    """Whether this evidence raised an alert at this very moment: the same command, already carried out."""
    return bool(
        await connection.fetchval(
            "SELECT true FROM ledger.alerts WHERE case_id = $1 AND evidence = $2 AND at = $3 LIMIT 1",
            case_id,
            evidence,
            at,
        )
    )


async def open_alerts(connection: Connection, *, limit: int = 100) -> tuple[Alert, ...]:
    """The alerts that nobody has resolved, oldest first."""
    rows = await connection.fetch(
        """
        SELECT id, kind, case_id, refund_no, evidence, at FROM ledger.alerts
        WHERE resolved_at IS NULL ORDER BY id LIMIT $1
        """,
        limit,
    )
    with shown_as_written():
        return tuple(Alert.model_validate(dict(row)) for row in rows)


async def resolve_alert(connection: Connection, alert: int, at: datetime) -> bool:
    """Close an alert that a person has seen to; False where there is none that is open."""
    return bool(
        await connection.fetchval(
            "UPDATE ledger.alerts SET resolved_at = $2 WHERE id = $1 AND resolved_at IS NULL RETURNING true",
            alert,
            at,
        )
    )
