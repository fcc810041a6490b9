"""A refund that had arrived and came back: its case is opened again, as in ``activities.returned`` (section 10)."""

from dataclasses import replace
from datetime import datetime

from starter.interpreter.book import MemoryBook
from starter.interpreter.host import MemoryHost
from workflows.kinds.settling import ARRIVED, opened_again
from workflows.kinds.steps import kept, planned, step_of
from workflows.messages.cases import Resumed, StepAnswer
from workflows.messages.payouts import LegState
from workflows.messages.settlements import Settled


def open_again(book: MemoryBook, ended: MemoryHost, settled: Settled, at: datetime) -> bool:
    """Write the step by which a case that had ended as paid waits for an officer; whether it was written."""
    running, row = ended.run.running, book.cases[ended.case_id]
    paid = all(leg.state is LegState.SUCCEEDED for leg in settled.legs)
    if paid or row.closed_at is None or row.outcome not in ARRIVED or running.state.payout is None:
        return False
    state = running.state.but(outcome=None, ended=None, refunded=0, compensated=0)
    case = replace(running.case, state=state, now=at)
    plan = opened_again(case)
    stepped = book.write_step(step_of(case, plan, running.key))
    row.resumed = Resumed(
        state=kept(planned(case, plan, "", None)),
        last=StepAnswer(step=stepped.step, due=stepped.due),
        steps=row.steps,
        commands={line.command_key: line.command_digest for line in row.log if line.command_key},
        log=tuple(row.log),
        legs=settled.legs,
    )
    return True
