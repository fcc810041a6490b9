"""The case book in PostgreSQL: a case's row for the work lists, and its log (SPEC section 12).

Whoever writes a step does so inside a transaction of its own, so that log, work list, notices, reservation
and balance stand or fall together.
"""

from collections.abc import Iterable
from datetime import datetime

from activities.deadlines import due
from activities.notices import outbox
from activities.postgres import alerts, allowances, ledger
from activities.postgres.connection import Connection
from workflows.messages.cases import BalanceChange, Due, LogEntry, OpenCase, Opened, Step, Stepped, Thaw
from workflows.messages.stages import StageName, WorkList
from workflows.rules.legs import AlertKind


class StepOutOfOrder(Exception):  # noqa: N818 -- it is a finding, not a fault
    """A step that is neither the next one nor an earlier one again. Steps are never skipped or rewritten."""


async def opened_before(connection: Connection, opening: OpenCase) -> tuple[str, Opened] | None:
    """The run that opened this case and what it found, or None; the case is locked against another opening."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", opening.case.case_id)
    row = await connection.fetchrow(
        "SELECT run_id, opened FROM casebook.cases WHERE case_id = $1", opening.case.case_id
    )
    return (row["run_id"], Opened.model_validate(row["opened"])) if row else None


async def write_opening(
    connection: Connection,
    opening: OpenCase,
    opened: Opened,
    *,
    entry: LogEntry,
    work_list: WorkList | None,
    buyer_id: str | None,
) -> None:
    """Step 0: the case's row and the first line of its log."""
    case, request = opening.case, opening.request
    if opened.kind is None or opened.stage is None or opened.asked is None or opened.policy is None:
        raise ValueError("a refused request is not written down")
    deadline = opened.due
    await connection.execute(
        """
        INSERT INTO casebook.cases (
            case_id, run_id, kind, merchant_id, buyer_id, order_no, allowance_id, currency, asked, policy,
            stage, work_list, opened_at, due_at, step, log_length, opened
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 1, $15)
        """,
        case.case_id,
        case.run_id,
        opened.kind,
        request.merchant_id,
        buyer_id,
        getattr(request, "order_no", None),
        getattr(request, "allowance_id", None),
        opened.asked.currency,
        opened.asked.amount,
        f"{opened.policy.name}/{opened.policy.version}",
        opened.stage,
        work_list,
        opening.at,
        deadline.at if deadline else None,
        opened.model_dump(mode="json"),
    )
    await _append(connection, case.case_id, 0, 0, (entry,))


async def write_step(connection: Connection, step: Step) -> Stepped:
    """Write a step down; a step that was written before gives what it gave the first time.

    Not only the last one: a workflow task that takes several steps may be lost as a whole, and is then done
    again from its first step on.

    Raises:
        StepOutOfOrder: the step does not follow the last one, or belongs to another run of the workflow.
    """
    case = step.case
    row = await connection.fetchrow(
        "SELECT run_id, step, log_length, stepped FROM casebook.cases WHERE case_id = $1 FOR UPDATE",
        case.case_id,
    )
    if row is None or row["run_id"] != case.run_id:
        raise StepOutOfOrder(f"{case.case_id} was not opened by this run")
    written: dict[str, object] = row["stepped"] or {}
    if str(step.step) in written:
        return Stepped.model_validate(written[str(step.step)])
    if step.step != row["step"] + 1:
        raise StepOutOfOrder(f"{case.case_id} is at step {row['step']}, not before step {step.step}")
    await _append(connection, case.case_id, step.step, row["log_length"], step.entries)
    await outbox.queue(connection, case.case_id, step.step, step.notices, step.at)
    deadline = due(step.span, step.at) if step.span else None
    stepped = Stepped(
        due=deadline,
        reserved=await ledger.reserve(connection, step.reserve, step.at) if step.reserve else None,
        thaw=await _change_balance(connection, step),
    )
    await _update(connection, step, deadline, stepped, log_length=row["log_length"] + len(step.entries))
    return stepped


async def _update(
    connection: Connection, step: Step, deadline: Due | None, stepped: Stepped, *, log_length: int
) -> None:
    closes = step.stage is StageName.CLOSED
    await connection.execute(
        """
        UPDATE casebook.cases
        SET kind = $2, stage = $3, work_list = $4, attention = $5, outcome = $6, refunded = $7,
            due_at = $8, step = $9, log_length = $10, stepped = coalesce(stepped, '{}') || $11,
            closed_at = CASE WHEN $12 THEN coalesce(closed_at, $13) END
        WHERE case_id = $1
        """,
        step.case.case_id,
        step.kind,
        step.stage,
        step.work_list,
        step.attention,
        step.outcome,
        step.refunded,
        deadline.at if deadline else None,
        step.step,
        log_length,
        {str(step.step): stepped.model_dump(mode="json")},
        closes,
        step.at,
    )


async def _change_balance(connection: Connection, step: Step) -> Thaw | None:
    """A5: a balance is thawed or voided together with the step that says so."""
    if step.balance is None:
        return None
    case_id = step.case.case_id
    allowance_id = await connection.fetchval("SELECT allowance_id FROM casebook.cases WHERE case_id = $1", case_id)
    match step.balance:
        case BalanceChange.THAW:
            return await allowances.thaw(connection, allowance_id, case_id)
        case BalanceChange.VOID:
            voiding = await allowances.void(connection, allowance_id, case_id, step.at)
            if voiding is not allowances.Voiding.VOIDED:  # the money has moved: a person must look, not a rollback
                for leg in await ledger.last_legs(connection, case_id):
                    kind = AlertKind.BALANCE_NOT_HELD
                    await alerts.raise_alert(connection, kind, case_id, leg.refund_no, voiding, step.at)
            return None


async def _append(connection: Connection, case_id: str, step: int, length: int, entries: Iterable[LogEntry]) -> None:
    await connection.executemany(
        """
        INSERT INTO casebook.log
            (case_id, position, step, event, actor_role, actor_id, rule, at, command_key, facts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        [
            (
                case_id,
                position,
                step,
                entry.event,
                entry.by.role,
                entry.by.id,
                entry.rule,
                entry.at,
                entry.command_key,
                entry.facts,
            )
            for position, entry in enumerate(entries, start=length + 1)
        ],
    )


async def log_of(connection: Connection, case_id: str) -> list[LogEntry]:
    """The whole log of a case, oldest first; empty for an unknown one."""
    rows = await connection.fetch(
        """
        SELECT event, actor_role, actor_id, rule, at, command_key, facts
        FROM casebook.log WHERE case_id = $1 ORDER BY position
        """,
        case_id,
    )
    return [_entry(dict(row)) for row in rows]


def _entry(row: dict[str, str | datetime]) -> LogEntry:
    by = {"role": row.pop("actor_role"), "id": row.pop("actor_id")}
    return LogEntry.model_validate({**row, "by": by})
