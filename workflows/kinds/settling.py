"""A payment with the gateway: sent, asked about, told of by a callback, paid by hand, until it has arrived (R5)."""

from dataclasses import replace
from datetime import timedelta
from itertools import islice
from types import MappingProxyType
from typing import Final

from workflows.kinds.case import Case
from workflows.kinds.decisions import (
    AskGateway,
    Booked,
    ClosedElsewhere,
    Decision,
    PayByHand,
    StepPlan,
    TakeCallback,
    Wait,
)
from workflows.kinds.payment_stages import PAYING, PAYMENT_ATTENTION, SECTION, SETTLING
from workflows.kinds.payout import (
    amount_of,
    bonus_voided,
    close_unpaid,
    closing_step,
    in_print,
    paid_before,
    payout_of,
    said_reduction,
    told_to_buyer,
    unpaid,
)
from workflows.kinds.stage import CLOSED
from workflows.kinds.state import Decided, State
from workflows.messages.actors import GATEWAY
from workflows.messages.cases import NoticeTemplate, Refusal, Span, Step, StepAnswer
from workflows.messages.commands import CloseCase, GatewayCallback, PayInAdvance, RecordManualTransfer, RetryPayment
from workflows.messages.payouts import ACCOUNT_SHORT, LOST, RETURNED, STRANDED, Ask, LegState, LegStatus, PaidBy
from workflows.messages.settlements import EnterCallback, Settle, Settled, SettleManually
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.rules.closing import as_paid
from workflows.rules.legs import CLOSABLE, OPEN_STATES, AlertKind
from workflows.rules.paying import paid_out
from workflows.rules.polling import gateway_polls

_LIMIT_IS_RENEWED: Final = "arrival-limit-is-renewed"
"""The mark of the release since which the deadline of the arrival follows what the gateway says of it (R5)."""

_BY_ITS_FAILURE: Final = "attention-by-its-failure"
"""The mark of the release since which an officer is told what to do by the failure of a payment."""

_OWN_WAY: Final = MappingProxyType(
    {
        STRANDED: Attention.MONEY_STRANDED,
        AlertKind.NUMBER_CONFLICT.value: Attention.NUMBER_CONFLICT,
        LOST: Attention.REFUND_LOST,
    }
)
"""What to do about an abnormal leg goes by its failure: first what must not simply be paid by hand."""


def ask_again(case: Case) -> Decision:
    """The gateway is asked what has become of the payment."""
    return ask_gateway(case, Ask.INQUIRE)


def arrival_is_overdue(case: Case) -> Decision:
    """R5: the time for the arrival is over; the gateway is asked, and a person called where it cannot say."""
    return ask_gateway(case.but(payout=payout_of(case).but(overdue=True)), Ask.INQUIRE)


def retry_at_gateway(case: Case, command: RetryPayment) -> Decision:
    """Section 10: an officer has what was declined sent again."""
    retried = case.obeyed(command, "payment_retried", reason=command.reason)
    payout = payout_of(case).but(looks=0, retries=Ask.RETRY, partly=command.partly, account=command.account)
    decision = case.but(payout=payout).enter(PAYING, retried, then=retry)
    if not payout.overdue:
        return decision
    anew = case.but(payout=payout.but(overdue=False)).enter(PAYING, retried, then=retry)
    return replace(anew, mark=_LIMIT_IS_RENEWED, before=decision)


def close_if_nothing_moved(case: Case, command: CloseCase) -> Decision:
    """An officer ends it, unless money may have moved."""
    if all(leg.state in CLOSABLE for leg in case.state.legs):
        return close_unpaid(case, command)
    return replace(_go_on(case), refuse=_money_may_have_moved())


def _go_on(case: Case) -> Decision:
    """What is next, as the legs stand now."""
    legs = case.state.legs
    if not legs:  # R14: others have been paid all that was declined
        if payout_of(case).balance:  # A5: of an allowance that is its principal, and no other payment uses it up
            return paid_before(case)
        return unpaid(case, OutcomeKind.NOTHING_LEFT, "R14")
    if all(leg.state is LegState.SUCCEEDED for leg in legs):
        return ask_gateway(case, Ask.INQUIRE)
    if _limit_is_renewed(case):
        in_time = case.but(payout=payout_of(case).but(overdue=False))
        return replace(_wait_for_arrival(in_time), mark=_LIMIT_IS_RENEWED, before=_wait_on(case))
    return _wait_on(case)


def _wait_on(case: Case) -> Decision:
    """Nothing is written where the case waits as before."""
    overdue = payout_of(case).overdue
    trouble, was = (find(case.state.legs, overdue=overdue) for find in (attention_for, _attention_before))
    decision = _wait_with(case, trouble)
    return decision if trouble is was else replace(decision, mark=_BY_ITS_FAILURE, before=_wait_with(case, was))


def _wait_with(case: Case, trouble: Attention | None) -> Decision:
    stage = PAYMENT_ATTENTION if trouble else SETTLING
    if (case.stage, case.state.attention) == (stage, trouble):
        return _wait_for_gateway(case)
    if trouble is None:
        return _wait_for_arrival(case)
    reduced, both, said = said_reduction(case)
    raised = case.entry("attention_raised", GATEWAY, SECTION, attention=trouble)
    return said.enter(stage, raised, *reduced, notices=both, attention=trouble, then=_wait_for_gateway)


def _wait_for_arrival(case: Case) -> Decision:
    """R5: the buyer is told when the money arrives, as far as the gateway has said; that is its deadline."""
    reduced, both, said = said_reduction(case)
    event = "refund_accepted" if case.stage is SETTLING else "refund_submitted"
    entry = case.entry(event, GATEWAY, "R5", amount=amount_of(case))
    told = told_to_buyer(case, NoticeTemplate.REFUND_SUBMITTED, **_arrival(case.state.legs))
    return said.enter(SETTLING, entry, *reduced, notices=(*told, *both), span=_limit(case), then=_wait_for_gateway)


def _limit_is_renewed(case: Case) -> bool:
    """R5: whether a case that waits for the gateway is to wait anew, and nobody is needed.

    That is where the gateway has said only now when the money arrives, or that it arrives later, and this lies ahead.
    """
    limit, known = _limit(case), case.state.clock.span
    if limit.arrival is None or limit.until is None or limit.until <= case.now:
        return False
    if attention_for(case.state.legs, overdue=False):
        return False
    if case.stage is SETTLING:
        return known is None or known.arrival is None or limit.arrival > known.arrival
    return case.stage is PAYMENT_ATTENTION and payout_of(case).overdue


def _arrival(legs: tuple[LegStatus, ...]) -> dict[str, str]:
    """R5: between which moments all of it arrives, as far as the gateway has accepted it."""
    begins = [each.arrives_from for each in legs if each.arrives_from]
    ends = [each.arrives_until for each in legs if each.arrives_until]
    return {"arrives_from": min(begins).isoformat(), "arrives_until": max(ends).isoformat()} if begins and ends else {}


def _wait_for_gateway(case: Case, _: StepAnswer | None = None) -> Decision:
    """SETTLING while the gateway may answer by itself, PAYMENT_ATTENTION where an officer is needed."""
    if not any(leg.state in OPEN_STATES for leg in case.state.legs):
        return Decision(state=case.state, wait=Wait())
    payout = payout_of(case)
    wait = next(islice(gateway_polls(case.policy.payment), payout.looks, None))
    if payout.ask_again_at:
        wait = max(wait, payout.ask_again_at - case.now)
    return Decision(state=case.but(payout=payout.but(looks=payout.looks + 1)).state, wait=Wait(wait))


def retry(case: Case, _: StepAnswer) -> Decision:
    """What has been declined is sent again, and what is unknown asked about first."""
    payout = payout_of(case)
    once = payout.but(retries=None, partly=False, account=None)
    return ask_gateway(case.but(payout=once), Ask.RETRY, partly=payout.partly, account=payout.account)


def ask_gateway(case: Case, ask: Ask, *, partly: bool = False, account: str | None = None) -> Decision:
    """Submit, ask about or retry the payment, and close the case in the same transaction where it has arrived."""
    closing = closing_step(case, may_change=ask is Ask.RETRY)
    settling = Settle.made_of(
        payout=payout_of(case).payout,
        ask=ask,
        at=case.now,
        arrival=case.policy.payment,
        closing=closing,
        partly=partly,
        account=account,
    )
    effect = AskGateway(settling, f"{ask} refund of {in_print(case)}", _patience(case))
    return Decision(effect=effect, state=case.state, then=_took)


def pay_by_hand(case: Case, command: PayInAdvance | RecordManualTransfer) -> Decision:
    """Section 10: an officer has paid, or has the platform advance, what the gateway could not."""
    transferred_at, amount, number_holds = None, None, None
    seen: dict[str, str | int] = {}
    match command:
        case PayInAdvance():
            event, outcome, paid_by = "paid_in_advance", OutcomeKind.PAID_BY_PLATFORM, PaidBy.PLATFORM
        case RecordManualTransfer():
            event, outcome, paid_by = "paid_manually", OutcomeKind.PAID_MANUALLY, PaidBy.OFFICER
            transferred_at, amount, number_holds = command.transferred_at, command.amount, command.number_holds
    if number_holds:
        seen = {"number_holds": number_holds.amount, "whose": number_holds.whose}
    when = {"transferred_at": transferred_at.isoformat()} if transferred_at else {}
    done = case.obeyed(command, event, reason=command.reason, proof=command.proof, **when, **seen)
    closing = closing_step(case, outcome, done, may_change=True)
    settling = SettleManually(
        payout=payout_of(case).payout,
        paid_by=paid_by,
        officer=command.by,
        reason=command.reason,
        proof=command.proof,
        at=case.now,
        transferred_at=transferred_at,
        closing=closing,
        amount=amount,
        number_holds=number_holds,
    )
    effect = PayByHand(settling, f"{event}: {in_print(case)}", _patience(case))

    return Decision(effect=effect, state=case.state, then=_took_by_hand)


def _took_by_hand(case: Case, booked: Booked) -> Decision:
    return _answered(_took(case, booked), booked.settled.refusal)


def take_callback(case: Case, callback: GatewayCallback) -> Decision:
    """Write what the gateway tells into the ledger; late and repeated callbacks change nothing."""
    closing = None if case.stage is CLOSED else closing_step(case)
    entering = EnterCallback(callback=callback, at=case.now, arrival=case.policy.payment, closing=closing)
    return Decision(effect=TakeCallback(entering), state=case.state, then=_took_callback)


def _took_callback(case: Case, booked: Booked) -> Decision:
    if booked.closing is None:
        return Decision()
    if case.state.stage in (StageName.SETTLING, StageName.PAYMENT_ATTENTION):
        return _answered(_took(case, booked), None)
    case = case.but(legs=booked.settled.legs)
    return _closed(case, booked.settled, booked.closing) if booked.settled.closed else Decision(state=case.state)


def _took(case: Case, booked: Booked) -> Decision:
    after = booked.settled.ask_again_after
    payout = payout_of(case).but(ask_again_at=case.now + after if after else None)
    case = case.but(legs=booked.settled.legs, payout=payout)
    if booked.settled.closed and booked.closing:
        return _closed(case, booked.settled, booked.closing)
    return _go_on(case)


def _closed(case: Case, settled: Settled, closing: Step) -> Decision:
    closed = as_paid(closing, settled.legs)
    payout = payout_of(case)
    return Decision(
        state=case.state,
        closed=ClosedElsewhere(closed, settled.number),
        verdict=Decided.made_of(rule=payout.rule, by=payout.by, bonus_voided=bonus_voided(case)),
    )


def given_up(ended: State) -> frozenset[str]:
    """The legs that an officer had given up when a case ended (``close_unpaid``), by their refund numbers."""
    if ended.outcome is not OutcomeKind.CLOSED_BY_OFFICER:
        return frozenset()
    return frozenset(leg.refund_no for leg in ended.legs if leg.state is LegState.FAILED)


def opened_again(case: Case) -> StepPlan | None:
    """Section 10: money that a case had ended with came back. It waits for an officer, as if that had been declined.

    Its legs are those that it had ended with. However it ended, what counts is whether the buyer lacks money of theirs:
    None where that is not so.
    """
    lacking = [leg for leg in case.state.legs if leg.state is LegState.FAILED]
    if not lacking:
        return None
    returned = case.entry("refund_returned", GATEWAY, SECTION, amount=paid_out(lacking))
    return StepPlan(PAYMENT_ATTENTION, (returned,), attention=Attention.REFUND_RETURNED)


def _answered(decision: Decision, refusal: Refusal | None) -> Decision:
    """What comes next, whoever asked being answered before it."""
    return replace(decision, refuse=refusal, answered=True)


def _limit(case: Case) -> Span:
    """R5: when the money must have arrived; for an outcome not known, counted from the sending, a person is called."""
    payment = case.policy.payment
    unknown = timedelta(hours=payment.unknown_attention_hours)
    grace = timedelta(minutes=payment.arrival_grace_minutes)
    limits = [
        Span(until=leg.arrives_until + grace, arrival=leg.arrives_until, place=case.policy.counted_at)
        if leg.arrives_until
        else Span(until=(leg.submitted_at or case.now) + unknown)
        for leg in case.state.legs
        if leg.state in OPEN_STATES
    ]
    return max(limits, key=lambda limit: limit.until or case.now, default=Span(until=case.now + unknown))


def _patience(case: Case) -> int:
    """Seconds for one attempt: two calls of five seconds for each leg, and the books.

    No longer, because a worker that is killed in the middle is found missing only after this.
    """
    return 15 + 10 * len(case.state.legs)


def attention_for(legs: tuple[LegStatus, ...], *, overdue: bool) -> Attention | None:
    """Why a person must look at a payout, or None while the gateway may still answer by itself."""
    states = {leg.state for leg in legs}
    failed = {leg.failure for leg in legs if leg.state is LegState.FAILED}
    abnormal = {leg.failure for leg in legs if leg.state is LegState.ABNORMAL}
    if RETURNED in failed:
        return Attention.REFUND_RETURNED
    if failed - {ACCOUNT_SHORT}:
        return Attention.REFUND_DECLINED
    if found := next((means for failure, means in _OWN_WAY.items() if failure in abnormal), None):
        return found
    if abnormal - {ACCOUNT_SHORT, None}:
        return Attention.REFUND_DECLINED
    if failed or abnormal:
        return Attention.MERCHANT_ACCOUNT_SHORT
    if not overdue:
        return None
    if states & {LegState.UNKNOWN, LegState.SUBMITTED}:
        return Attention.OUTCOME_UNKNOWN
    return Attention.ARRIVAL_OVERDUE


def _attention_before(legs: tuple[LegStatus, ...], *, overdue: bool) -> Attention | None:
    """What the release before has called it."""
    failed = {leg.failure for leg in legs if leg.state is LegState.FAILED}
    if failed:
        return Attention.REFUND_RETURNED if RETURNED in failed else Attention.REFUND_DECLINED
    abnormal = {leg.failure for leg in legs if leg.state is LegState.ABNORMAL}
    if abnormal:
        return Attention.MONEY_STRANDED if STRANDED in abnormal else Attention.MERCHANT_ACCOUNT_SHORT
    return attention_for(legs, overdue=overdue)


def _money_may_have_moved() -> Refusal:
    return Refusal(
        code="outcome_open",
        field="command",
        rule=SECTION,
        explanation="part of the payment may have been made or still be made: it cannot be closed as unpaid",
    )
