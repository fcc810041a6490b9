"""A refund that had arrived and came back, days later perhaps: its case is opened again, before an officer."""

from datetime import datetime

from activities.postgres import casebook, closed_cases, resuming
from activities.postgres.connection import Connection
from workflows.kinds.case import Case
from workflows.kinds.resuming import resumed_state
from workflows.kinds.settling import ARRIVED, opened_again
from workflows.kinds.steps import kept, planned, step_of
from workflows.messages.cases import CaseKey
from workflows.messages.openings import Opened, OpenedBy
from workflows.messages.reading import read_own


async def open_again(connection: Connection, case_id: str, at: datetime) -> bool:
    """Write the step by which a case that had ended as paid waits for an officer; whether it was written.

    A case of before states were kept stays closed, and one whose month is in the archive alone: the alert tells of it.
    """
    await closed_cases.bring_back(connection, case_id)
    row = await connection.fetchrow(
        "SELECT run_id, opened, request, outcome FROM casebook.cases WHERE case_id = $1 FOR UPDATE", case_id
    )
    resumed = await resuming.resumed(connection, case_id)
    if row is None or resumed is None or resumed.closed_at is None or row["request"] is None:
        return False
    if row["outcome"] not in ARRIVED:
        return False
    opened_by = read_own(OpenedBy, row["request"])
    state = resumed_state(resumed)
    if state.payout is None:
        return False
    case = Case(
        case_id=case_id,
        request=opened_by.request,
        opened=read_own(Opened, row["opened"]),
        state=state.but(outcome=None, ended=None, refunded=0, compensated=0),
        now=at,
        carried_out_by=opened_by.carried_out_by,
    )
    plan = opened_again(case)
    step = step_of(case, plan, CaseKey(case_id=case_id, run_id=row["run_id"]))
    written = await casebook.write_step(
        connection, step.model_copy(update={"state": kept(planned(case, plan, "", None))})
    )
    return written.written
