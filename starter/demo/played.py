"""What came of a case that was played, and in what it differs from what is expected of it."""

from collections.abc import Sequence
from datetime import datetime
from itertools import permutations

import asyncpg

from activities.postgres import evidence, scores
from activities.postgres.alerts import open_alerts
from starter.demo.script import Result, Script
from workflows.messages.cases import Outcome
from workflows.messages.message import Message
from workflows.messages.stages import CaseKind
from workflows.rules.legs import AlertKind


class Played(Message):
    """A case after it was played."""

    script: Script
    case_id: str
    found: Result
    remarks: tuple[str, ...]
    """Steps that did not go as written."""
    virtual_seconds: float

    def differences(self, expected: Result) -> tuple[str, ...]:
        """In what the case differs from what is expected of it; nothing is good."""
        fields = (
            f"{name}: expected {_plain(wanted)}, found {_plain(came)}"
            for name in Result.model_fields
            if (wanted := getattr(expected, name)) != (came := getattr(self.found, name))
        )
        return (*self.remarks, *fields)


def expectations(played: Sequence[Played]) -> tuple[Result, ...]:
    """What is expected of each case of a group; where a race decides, what fits best of what is expected of all."""
    own = tuple(each.script.expected for each in played)
    if not all(each.script.either_way for each in played):
        return own
    return min(
        permutations(own),
        key=lambda order: sum(len(each.differences(wanted)) for each, wanted in zip(played, order, strict=True)),
    )


async def came_of(
    pool: asyncpg.Pool, identifier: str, merchant_id: str, ended: Outcome | None
) -> tuple[Result, list[datetime]]:
    """What the books say of a case, and when the disputes about it have ended."""
    followers = await pool.fetch(
        """
        SELECT case_id, kind, outcome, compensated, closed_at FROM casebook.cases
        WHERE about = $1 ORDER BY opened_at
        """,
        identifier,
    )
    disputes = [each for each in followers if each["kind"] == CaseKind.DISPUTE]
    cases = [identifier, *(each["case_id"] for each in followers)]
    async with pool.acquire() as connection:
        raised = await open_alerts(connection, limit=1000)
        charged = await scores.changes_of(connection, merchant_id, limit=1000)
        given = await evidence.evidence_of(connection, disputes[-1]["case_id"] if disputes else identifier)
        notices = await connection.fetch(
            "SELECT DISTINCT template || '>' || recipient_role AS told FROM notices.outbox WHERE case_id = ANY($1)",
            cases,
        )
    compensated = ended.compensated.amount if ended and ended.compensated else 0
    found = Result(
        outcome=ended.outcome if ended else None,
        refunded=ended.refunded.amount if ended and ended.refunded else 0,
        compensated=compensated + sum(each["compensated"] for each in followers),
        bonus_void=ended.bonus_voided.amount if ended and ended.bonus_voided else None,
        decided_by=ended.decided_by if ended else None,
        legs=len(ended.legs) if ended else 0,
        dispute=disputes[-1]["outcome"] if disputes else None,
        fault=ended.ruling.fault if ended and ended.ruling else None,
        score=sum(each.points for each in charged if each.case_id in cases),
        evidence=tuple(f"{each.by.role}:{each.standing}" for each in given if not each.adds),
        alerts=tuple(AlertKind(each.kind) for each in raised if each.case_id == identifier),
        notices=tuple(sorted(row["told"] for row in notices)),
    )
    return found, [each["closed_at"] for each in disputes if each["closed_at"]]


def _plain(value: object) -> str:
    match value:
        case tuple():
            return ", ".join(str(each) for each in value) or "none"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case None:
            return "none"
        case _:
            return str(value)
