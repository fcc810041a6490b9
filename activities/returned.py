"""A refund that had arrived and came back, days later perhaps: its case is opened again, before an officer."""

from datetime import datetime

from activities.postgres import casebook, closed_cases, ledger, resuming
from activities.postgres.connection import Connection
from workflows.kinds.case import Case
from workflows.kinds.resuming import resumed_state
from workflows.kinds.settling import given_up, opened_again
from workflows.kinds.state import State
from workflows.kinds.steps import kept, planned, step_of
from workflows.messages.cases import CaseKey
from workflows.messages.openings import Opened, OpenedBy
from workflows.messages.reading import read_own
from workflows.rules.paying import is_paid


async def open_again(connection: Connection, case_id: str, number: int, at: datetime) -> bool:
    """Write the step by which a case waits for an officer whose payout ``number`` came back; whether it was written.

    What an officer had given up before, with the case, stays given up: its legs are retired.

    A case of before states were kept stays closed, and one whose month is in the archive alone: the alert tells of it.
    """
    legs = await ledger.lock_payout(connection, case_id, number)
    await closed_cases.bring_back(connection, case_id)
    row = await connection.fetchrow(
        "SELECT run_id, opened, request FROM casebook.cases WHERE case_id = $1 FOR UPDATE", case_id
    )
    resumed = await resuming.resumed(connection, case_id)
    if row is None or resumed is None or resumed.closed_at is None or row["request"] is None:
        return False
    unwanted = given_up(read_own(State, resumed.state))
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
    step = step_of(case, plan, CaseKey(case_id=case_id, run_id=row["run_id"]))
    written = await casebook.write_step(
        connection, step.model_copy(update={"state": kept(planned(case, plan, "", None))})
    )
    return written.written
