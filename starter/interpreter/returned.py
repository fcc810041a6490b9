"""A refund that had arrived and came back: its case is opened again, as in ``activities.returned`` (section 10)."""

from dataclasses import replace
from datetime import datetime

from starter.interpreter.book import MemoryBook
from starter.interpreter.host import MemoryHost
from starter.interpreter.ledger import Ledger
from workflows.kinds.settling import given_up, opened_again
from workflows.kinds.steps import kept, planned, step_of
from workflows.messages.cases import Resumed, StepAnswer
from workflows.rules.paying import is_paid


def open_again(book: MemoryBook, ledger: Ledger, ended: MemoryHost, at: datetime) -> bool:
    """Write the step by which a case that had ended waits for an officer; whether it was written."""
    running, row = ended.run.running, book.cases[ended.case_id]
    if row.closed_at is None or running.state.payout is None:
        return False
    unwanted = given_up(running.state)
    legs = tuple(leg for leg in ledger.legs_of(row.case_id) if is_paid(leg) or leg.refund_no not in unwanted)
    state = running.state.but(outcome=None, ended=None, refunded=0, compensated=0, legs=legs)
    case = replace(running.case, state=state, now=at)
    plan = opened_again(case)
    if plan is None:
        return False
    ledger.retire(unwanted, at)
    stepped = book.write_step(step_of(case, plan, running.key))
    row.resumed = Resumed(
        state=kept(planned(case, plan, "", None)),
        last=StepAnswer(step=stepped.step, due=stepped.due),
        steps=row.steps,
        commands={line.command_key: line.command_digest for line in row.log if line.command_key},
        log=tuple(row.log),
        legs=legs,
    )
    return True
