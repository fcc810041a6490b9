"""A refund that had arrived and came back: its case is opened again, as in ``activities.returned`` (section 10)."""

from dataclasses import replace
from datetime import datetime

from starter.interpreter.book import CaseRow, MemoryBook
from starter.interpreter.host import MemoryHost
from starter.interpreter.ledger import Ledger
from starter.interpreter.shop import Shop
from workflows.kinds.settling import given_up, opened_again
from workflows.kinds.steps import kept, planned, step_of
from workflows.messages.cases import Resumed, StepAnswer
from workflows.messages.payouts import LegState
from workflows.messages.stages import OutcomeKind
from workflows.rules.paid_before import Covered, has_counted
from workflows.rules.paying import is_paid


def open_again(book: MemoryBook, ledger: Ledger, shop: Shop, ended: MemoryHost, at: datetime) -> bool:
    """Write the step by which a case that had ended waits for an officer; whether it was written."""
    running, row = ended.run.running, book.cases[ended.case_id]
    if row.closed_at is None or running.state.payout is None:
        return False
    given = given_up(running.state)
    counted = frozenset(number for number in given if _is_counted(book, ledger, row, number))
    unwanted = given - counted
    legs = tuple(leg for leg in ledger.legs_of(row.case_id) if is_paid(leg) or leg.refund_no not in unwanted)
    state = running.state.but(outcome=None, ended=None, refunded=0, compensated=0, legs=legs)
    case = replace(running.case, state=state, now=at)
    plan = opened_again(case)
    if plan is None:
        return False
    ledger.retire(unwanted, at)
    if counted and row.allowance_id:
        shop.owe_again(row.allowance_id, row.case_id)
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


def _is_counted(book: MemoryBook, ledger: Ledger, row: CaseRow, refund_no: str) -> bool:
    """Whether a leg had been paid, and was counted by another case that has ended because of it (A5, A6, D8)."""
    booked = ledger.find(refund_no)
    paid = [each.at for each in booked.events if each.says is LegState.SUCCEEDED] if booked else []
    return bool(paid) and any(
        has_counted(each, row.case_id, row.about, min(paid)) for each in _covered_beside(book, row)
    )


def _covered_beside(book: MemoryBook, own: CaseRow) -> list[Covered]:
    """The cases of the same order, or allowance, that have ended because what they were to pay had been paid."""
    return [
        Covered(row.case_id, row.kind, row.about, closed_at=row.closed_at)
        for row in book.cases.values()
        if row.outcome is OutcomeKind.COVERED and row.closed_at
        if (row.order_no, row.allowance_id) == (own.order_no, own.allowance_id)
    ]
