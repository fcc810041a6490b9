"""A refund that had arrived and came back, days later perhaps: its case is opened again, before an officer."""

from collections.abc import Iterable
from datetime import datetime

import asyncpg

from activities.postgres import allowances, casebook, closed_cases, ledger, resuming
from activities.postgres.connection import Connection
from workflows.kinds.case import Case
from workflows.kinds.resuming import resumed_state
from workflows.kinds.settling import given_up, opened_again
from workflows.kinds.state import State
from workflows.kinds.steps import kept, planned, step_of
from workflows.messages.cases import CaseKey
from workflows.messages.openings import Opened, OpenedBy
from workflows.messages.reading import read_own
from workflows.messages.stages import CaseKind, OutcomeKind
from workflows.rules.paid_before import Covered, has_counted
from workflows.rules.paying import is_paid


async def open_again(connection: Connection, case_id: str, number: int, at: datetime) -> bool:
    """Write the step by which a case waits for an officer whose payout ``number`` came back; whether it was written.

    What an officer had given up before, with the case, stays given up: its legs are retired. It does not where it was
    paid after all, and another case has ended because of it: nobody has had what that was to pay (A5, A6, D8).

    A case of before states were kept stays closed, and one whose month is in the archive alone: the alert tells of it.
    """
    legs = await ledger.lock_payout(connection, case_id, number)
    await closed_cases.bring_back(connection, case_id)
    row = await connection.fetchrow(
        """
        SELECT case_id, run_id, opened, request, about, order_no, allowance_id FROM casebook.cases
        WHERE case_id = $1 FOR UPDATE
        """,
        case_id,
    )
    resumed = await resuming.resumed(connection, case_id)
    if row is None or resumed is None or resumed.closed_at is None or row["request"] is None:
        return False
    given = given_up(read_own(State, resumed.state))
    counted = await _counted(connection, row, given) if given else frozenset[str]()
    unwanted = given - counted
    opened_by = read_own(OpenedBy, row["request"])
    state = resumed_state(resumed)
    if state.payout is None:
        return False
    case = Case(
        case_id=case_id,
        request=opened_by.request,
        opened=read_own(Opened, row["opened"]),
        state=state.but(
            outcome=None,
            ended=None,
            refunded=0,
            compensated=0,
            legs=tuple(leg for leg in legs if is_paid(leg) or leg.refund_no not in unwanted),
        ),
        now=at,
        carried_out_by=opened_by.carried_out_by,
    )
    plan = opened_again(case)
    if plan is None:
        return False
    await ledger.retire(connection, unwanted, at)
    if counted and row["allowance_id"]:
        await allowances.owe_again(connection, row["allowance_id"], case_id)
    step = step_of(case, plan, CaseKey(case_id=case_id, run_id=row["run_id"]))
    written = await casebook.write_step(
        connection, step.model_copy(update={"state": kept(planned(case, plan, "", None))})
    )
    return written.written


async def _counted(connection: Connection, row: asyncpg.Record, refund_nos: Iterable[str]) -> frozenset[str]:
    """Which of these legs of a case had been paid, and were counted by another one that has ended because of it."""
    of = "allowance_id" if row["allowance_id"] else "order_no"
    covered = await connection.fetch(
        f"""
        SELECT case_id, kind, about, closed_at FROM casebook.every_case
        WHERE {of} = $1 AND outcome = $2 AND closed_at IS NOT NULL
        """,  # noqa: S608 -- a column
        row[of],
        OutcomeKind.COVERED,
    )
    known = [
        Covered(each["case_id"], CaseKind(each["kind"]), each["about"], closed_at=each["closed_at"]) for each in covered
    ]
    paid = await _first_paid(connection, refund_nos)
    return frozenset(
        number
        for number, paid_at in paid.items()
        if any(has_counted(each, row["case_id"], row["about"], paid_at) for each in known)
    )


async def _first_paid(connection: Connection, refund_nos: Iterable[str]) -> dict[str, datetime]:
    """When it was first said of each of these legs that it has succeeded; without those of which it never was."""
    rows = await connection.fetch(
        """
        SELECT refund_no, min(at) AS at FROM ledger.leg_events
        WHERE refund_no = ANY ($1) AND says = 'succeeded' GROUP BY refund_no
        """,
        list(refund_nos),
    )
    return {row["refund_no"]: row["at"] for row in rows}
