"""A payment as its case knows it: what it comes to, who is told of it, and how it ends (section 10, R14)."""

from dataclasses import replace

from workflows.kinds.case import Case, thawing
from workflows.kinds.decisions import Decision, StepPlan
from workflows.kinds.payment_stages import SECTION
from workflows.kinds.stage import CLOSED
from workflows.kinds.state import Decided, PayoutState
from workflows.kinds.steps import kept, planned, step_of
from workflows.messages.actors import GATEWAY
from workflows.messages.cases import CaseKey, LogEntry, Notice, NoticeTemplate, Reduction, Step
from workflows.messages.commands import CloseCase
from workflows.messages.money import Money
from workflows.messages.payouts import LegState
from workflows.messages.stages import OutcomeKind
from workflows.rules.closing import of_allowances
from workflows.rules.paying import amount_of as sum_of
from workflows.rules.paying import paid_out


def payout_of(case: Case) -> PayoutState:
    """The payment that has been decided; ValueError where there is none."""
    if case.state.payout is None:
        raise ValueError("nothing is being paid")
    return case.state.payout


def amount_of(case: Case) -> int:
    """What is paid: what was left or missing, which is known once it is reserved (R14, D8); no lost bonus (A7)."""
    return paid_out(case.state.legs) if case.state.legs else payout_of(case).payout.amount


def used_of_order(case: Case) -> int:
    """What of the order is done with by this payment: what is paid, and bonus that is lost (A7)."""
    return sum_of(case.state.legs) or payout_of(case).payout.amount


def bonus_voided(case: Case) -> Money | None:
    """What bonus the buyer loses: with its allowance (A2), or of what was paid with one that is no more (A7)."""
    payout, legs = payout_of(case), case.state.legs
    lost = sum_of(legs) - paid_out(legs)
    return Money.made_of(amount=lost, currency=payout.payout.currency) if lost else payout.bonus_voided


def in_print(case: Case) -> str:
    """The amount as people read it."""
    return str(Money.made_of(amount=amount_of(case), currency=payout_of(case).payout.currency))


def looking_anew(case: Case) -> Case:
    """The case, with the intervals between looks counted from now on."""
    payout = payout_of(case)
    return case.but(payout=payout.but(looks=0)) if payout.looks else case


def told_to_buyer(case: Case, template: NoticeTemplate, **fields: str) -> tuple[Notice, ...]:
    """A notice to the buyer about this amount."""
    currency = payout_of(case).payout.currency
    return case.notice(template, case.buyer, amount=amount_of(case), currency=currency, **fields)


def told_as_paid(case: Case, amount: int) -> tuple[Notice, ...]:
    """R5, L3: the buyer learns that the money has arrived."""
    payout = payout_of(case)
    template = NoticeTemplate.COMPENSATION_PAID if payout.compensates else NoticeTemplate.REFUND_SUCCEEDED
    return case.notice(template, case.buyer, amount=amount, currency=payout.payout.currency)


def closing_step(case: Case, by_hand: OutcomeKind | None = None, *entries: LogEntry, may_change: bool = False) -> Step:
    """The last step, written in the transaction in which the last leg succeeds.

    What was reserved is paid, unless it ``may_change`` with what is left of legs that have failed (R14).
    """
    payout, amount = payout_of(case), amount_of(case)
    event = "compensation_paid" if payout.compensates else "refund_succeeded"
    paid = case.entry(event, GATEWAY, SECTION, amount=amount, currency=payout.payout.currency)
    by_gateway = OutcomeKind.COMPENSATED if payout.compensates else OutcomeKind.REFUNDED
    plan = StepPlan(
        CLOSED,
        entries if by_hand else (*entries, paid),
        notices=told_as_paid(case, amount),
        outcome=by_hand or by_gateway,
        refunded=0 if payout.compensates else amount,
        compensated=amount if payout.compensates else 0,
        balance=payout.balance,
    )
    decided = Decided.made_of(rule=payout.rule, by=payout.by, bonus_voided=payout.bonus_voided)
    step = step_of(case, plan, CaseKey.made_of(case_id=case.case_id, run_id=""))
    if case.resumes:
        step = step.model_copy(update={"state": kept(planned(case, plan, "", decided))})
    told = used_of_order(case) if payout.told is None else payout.told
    if not may_change and used_of_order(case) >= told:
        return step
    reduction = Reduction(told=told, entry=reduced(case), notices=told_to_both(case, told))
    return step.model_copy(update={"reduction": reduction})


def reduced(case: Case) -> LogEntry:
    """R14: what was asked, and what is paid of it."""
    payout, amount = payout_of(case), amount_of(case)
    asked = amount if payout.told is None else payout.told
    facts: dict[str, str | int] = {"asked": asked, "paid": amount, "currency": payout.payout.currency}
    return case.entry("payment_reduced", GATEWAY, "R14", None, **facts)


def told_to_both(case: Case, asked: int) -> tuple[Notice, ...]:
    """R14: both sides learn that less is paid than they were told before."""
    currency = payout_of(case).payout.currency
    return case.notice_to_both(NoticeTemplate.PAYMENT_REDUCED, asked=asked, amount=amount_of(case), currency=currency)


def said_reduction(case: Case) -> tuple[tuple[LogEntry, ...], tuple[Notice, ...], Case]:
    """R14: told with the next step, where less is paid than was told before."""
    payout, used = payout_of(case), used_of_order(case)
    if payout.told is None or used >= payout.told:
        return (), (), case
    return (reduced(case),), told_to_both(case, payout.told), case.but(payout=payout.but(told=used))


def unpaid(case: Case, outcome: OutcomeKind, rule: str) -> Decision:
    """Nothing is left (R14), what is to be paid had been paid (D8, A6), or what was asked for cost nothing (R13).

    A5: an allowance whose principal had been paid back is void, as if this case had paid it; any other one is given
    back.
    """
    payout, before = payout_of(case), outcome is OutcomeKind.COVERED
    ended = case.close(
        outcome,
        *payout.unsaid,
        case.entry(outcome, GATEWAY, rule, amount=payout.payout.amount),
        rule=rule,
        by=payout.by,
        notices=case.closed_notices(outcome),
        balance=payout.balance if before else thawing(payout.balance, 0),
    )
    if not before or payout.bonus_voided is None:
        return ended
    return replace(ended, verdict=Decided.made_of(rule=rule, by=payout.by, bonus_voided=payout.bonus_voided))


def paid_before(case: Case) -> Decision:
    """What is to be paid had been paid before: an allowance's principal (A6), or all that was ruled (D8)."""
    return unpaid(case, OutcomeKind.COVERED, "A6" if payout_of(case).balance else "D8")


def close_unpaid(case: Case, command: CloseCase) -> Decision:
    """An officer ends it: what has been paid stays paid, what was declined is given up.

    A5: the balance thaws, unless another case has paid the principal back meanwhile (``balances.thawed``).
    """
    payout = payout_of(case)
    settled = [leg for leg in case.state.legs if leg.state is LegState.SUCCEEDED]
    paid = paid_out(settled)
    facts: dict[str, str | int] = {"reason": command.reason, "proof": command.proof}
    if paid:
        facts |= {"asked": payout.payout.amount, "paid": paid, "currency": payout.payout.currency}
    outcome, told = OutcomeKind.CLOSED_BY_OFFICER, told_as_paid(case, paid) if paid else ()
    entries, notices = of_allowances(settled, told, case.now)
    return case.close(
        outcome,
        case.obeyed(command, "closed_by_officer", **facts),
        *entries,
        rule=SECTION,
        by=command.by,
        notices=(*case.closed_notices(outcome), *told, *notices),
        balance=thawing(payout.balance, paid),
        refunded=0 if payout.compensates else paid,
        compensated=paid if payout.compensates else 0,
    )
