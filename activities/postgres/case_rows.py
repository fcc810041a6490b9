"""The case book in PostgreSQL, as it is read: a case's row, its log, the cases of an order (section 12)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from activities.postgres import resuming
from activities.postgres.connection import Connection
from workflows.kinds.stage import STAGES
from workflows.messages.cases import LogEntry
from workflows.messages.openings import OpenedBy
from workflows.messages.pieces import CasePieces
from workflows.messages.policy import Policy
from workflows.messages.reading import read_own
from workflows.messages.requests import PriceFall, PriceProtectionRequest
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.dispute import STANDS_STILL


@dataclass(frozen=True)
class Row:
    """A case's row, as far as other cases need it."""

    case_id: str
    kind: CaseKind
    stage: StageName
    outcome: OutcomeKind | None
    merchant_id: str
    buyer_id: str | None
    order_no: str | None
    allowance_id: str | None
    closed_at: datetime | None
    return_freight: int
    """In minor units (T10)."""
    asked: int
    """All that was asked for, in minor units."""
    pieces: CasePieces | None = None
    """None where it is about no lines of its order, or about all of them (R15)."""


async def find(connection: Connection, case_id: str) -> Row | None:
    """The case of this id, or None."""
    rows = await _rows(connection, "case_id = $1", case_id)
    return rows[0] if rows else None


async def policies_of(connection: Connection, case_id: str) -> tuple[Policy, ...]:
    """The policies that a case has gone by: the one it was opened under, and those that it was moved to."""
    row = await connection.fetchrow("SELECT opened, stepped FROM casebook.whole_case WHERE case_id = $1", case_id)
    if row is None:
        return ()
    steps: dict[str, dict[str, object]] = row["stepped"] or {}
    found = (row["opened"].get("policy"), *(step.get("policy") for step in steps.values()))
    return tuple(read_own(Policy, each) for each in found if each)


async def falls_of(connection: Connection, case_id: str) -> tuple[PriceFall, ...]:
    """The prices that have fallen, of a case of price protection (B1); none of one whose request was not kept."""
    request = await connection.fetchval("SELECT request FROM casebook.whole_case WHERE case_id = $1", case_id)
    asked = read_own(OpenedBy, request).request if request else None
    return asked.falls if isinstance(asked, PriceProtectionRequest) else ()


async def currency_of(connection: Connection, case_id: str) -> str | None:
    """The currency of a case's amounts; None where there is no such case."""
    return await connection.fetchval("SELECT currency FROM casebook.every_case WHERE case_id = $1", case_id)


async def matter_of(connection: Connection, case_id: str) -> str | None:
    """The case that a dispute is about; None for all others."""
    return await connection.fetchval("SELECT about FROM casebook.every_case WHERE case_id = $1", case_id)


async def disputes_about(connection: Connection, case_id: str) -> list[Row]:
    """The disputes about a case, open and ended ones."""
    return await _rows(connection, "about = $1 AND kind = 'dispute'", case_id)


async def open_cases_of_order(connection: Connection, order_no: str) -> list[Row]:
    """The order's open cases, whatever they are about."""
    return await _rows(connection, "order_no = $1 AND closed_at IS NULL", order_no)


async def with_running_clock(connection: Connection, kinds: Sequence[CaseKind], after: str, limit: int) -> list[str]:
    """A page of open cases of these kinds that a pause window can move, by their ids, after the one named (section 9).

    Also those whose clock stands still under a dispute: what is left of it may change (D3). Whether the window was
    declared before is not asked: telling a case twice changes nothing.
    """
    statement, arguments = clocks_sql(kinds, after, limit)
    return [row["case_id"] for row in await connection.fetch(statement, *arguments)]


def clocks_sql(kinds: Sequence[CaseKind], after: str, limit: int) -> tuple[str, list[object]]:
    """The statement that finds them, and its arguments: each half by an index of its own."""
    statement = """
        SELECT case_id FROM (
            (
                SELECT case_id FROM casebook.cases
                WHERE kind = ANY ($1) AND closed_at IS NULL AND due_at IS NOT NULL AND case_id > $2
                  AND stage = ANY ($4)
                ORDER BY case_id LIMIT $3
            )
            UNION ALL
            (
                SELECT case_id FROM casebook.cases
                WHERE work_list = ANY ($6) AND closed_at IS NULL AND kind = ANY ($1) AND case_id > $2
                  AND stage = ANY ($5)
                ORDER BY case_id LIMIT $3
            )
        ) AS clocks
        ORDER BY case_id LIMIT $3
        """
    running = [stage.name for stage in STAGES.values() if stage.pausable and stage.name not in STANDS_STILL]
    lists = {STAGES[name].work_list for name in STANDS_STILL}
    return statement, [list(kinds), after, limit, running, sorted(STANDS_STILL), sorted(filter(None, lists))]


async def _rows(connection: Connection, where: str, argument: str) -> list[Row]:
    rows = await connection.fetch(
        f"""
        SELECT case_id, kind, stage, outcome, merchant_id, buyer_id, order_no, allowance_id, closed_at, return_freight,
               asked, pieces
        FROM casebook.every_case WHERE {where} ORDER BY case_id
        """,  # noqa: S608 -- one of the constants above
        argument,
    )
    return [
        Row(
            case_id=row["case_id"],
            kind=CaseKind(row["kind"]),
            stage=StageName(row["stage"]),
            outcome=OutcomeKind(row["outcome"]) if row["outcome"] else None,
            merchant_id=row["merchant_id"],
            buyer_id=row["buyer_id"],
            order_no=row["order_no"],
            allowance_id=row["allowance_id"],
            closed_at=row["closed_at"],
            return_freight=row["return_freight"],
            asked=row["asked"],
            pieces=read_own(CasePieces, row["pieces"]) if row["pieces"] else None,
        )
        for row in rows
    ]


async def open_cases_beginning(connection: Connection, beginning: str, limit: int) -> list[str]:
    """The ids of open cases that begin so, in their order."""
    rows = await connection.fetch(
        """
        SELECT case_id FROM casebook.cases WHERE starts_with(case_id, $1) AND closed_at IS NULL
        ORDER BY case_id LIMIT $2
        """,
        beginning,
        limit,
    )
    return [row["case_id"] for row in rows]


async def identity(connection: Connection) -> str:
    """Which case book this is: the same wherever it is reached from, another for every other one."""
    return await connection.fetchval(
        """
        SELECT system_identifier || '/' || oid FROM pg_control_system(), pg_database WHERE datname = current_database()
        """
    )


async def log_of(connection: Connection, case_id: str) -> list[LogEntry]:
    """The whole log of a case, oldest first; empty for an unknown one."""
    rows = await connection.fetch(
        """
        SELECT event, actor_role, actor_id, rule, at, command_key, command_digest, facts
        FROM casebook.whole_log WHERE case_id = $1 ORDER BY position
        """,
        case_id,
    )
    return [resuming.entry_of(dict(row)) for row in rows]
