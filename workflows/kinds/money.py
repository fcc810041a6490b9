"""A payment from its reservation to its end: the same for every kind of case (section 10, R5, R8, R14)."""

from dataclasses import replace
from datetime import timedelta
from itertools import islice

from workflows.kinds.case import Case, thawing
from workflows.kinds.decisions import (
    AskGateway,
    Booked,
    ClosedElsewhere,
    Decision,
    PayByHand,
    StepPlan,
    TakeCallback,
    Then,
    Wait,
)
from workflows.kinds.process import Table, answered, hears, looks, silence, takes
from workflows.kinds.stage import CLOSED, PLATFORM, Stage, days, hours
from workflows.kinds.state import Decided, PayoutState
from workflows.kinds.steps import kept, planned, step_of
from workflows.messages.actors import GATEWAY, Actor, Role
from workflows.messages.cases import (
    BalanceChange,
    CaseKey,
    EnterCallback,
    LogEntry,
    Notice,
    NoticeTemplate,
    Reduction,
    Refusal,
    Settle,
    Settled,
    SettleManually,
    Span,
    Step,
    StepAnswer,
)
from workflows.messages.commands import (
    CloseCase,
    GatewayCallback,
    PayInAdvance,
    RecordManualTransfer,
    RetryPayment,
)
from workflows.messages.money import Money
from workflows.messages.payouts import Ask, LegState, LegStatus, PaidBy, Part, Payer, Payout, Remainder, Reservation
from workflows.messages.pieces import CasePieces
from workflows.messages.requests import Method
from workflows.messages.scores import ScoreChange
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName, WorkList
from workflows.rules.closing import as_paid
from workflows.rules.legs import CLOSABLE, OPEN_STATES
from workflows.rules.polling import gateway_polls, overdue_room_polls, room_polls

SECTION = "section 10"

PAYING = Stage(
    StageName.PAYING,
    SECTION,
    "正在退款 · decided; the payment is being sent",
    waits_for=Role.GATEWAY,
    silence=Silence.ASK_GATEWAY,
    no_deadline="几秒：正在付款，直到网关或账本答复"
    " · seconds: the payment is being sent, and sent again until the gateway or the books answer",
    work_list=WorkList.PAYMENTS,
)

AWAITING_ROOM = Stage(
    StageName.AWAITING_ROOM,
    "R8",
    "等待额度 · other payments in flight hold what is left to refund",
    waits_for=Role.GATEWAY,
    silence=Silence.RAISE_ATTENTION,
    span=lambda policy: days(policy.refund.room_wait_days),
    work_list=WorkList.PAYMENTS,
    pausable=False,
)

ROOM_OVERDUE = Stage(
    StageName.ROOM_OVERDUE,
    "R8",
    "等待额度超时 · other payments have held what is left to refund for too long",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    no_deadline="占用额度的在途付款迟迟未结束，由专员决定；期间继续复查"
    " · the payments that hold the room do not end: an officer decides; it is looked at again meanwhile",
    work_list=WorkList.ATTENTION,
)

SETTLING = Stage(
    StageName.SETTLING,
    "R5",
    "退款处理中 · the gateway has the payment; its result is awaited",
    waits_for=Role.GATEWAY,
    silence=Silence.ASK_GATEWAY,
    span=lambda policy: hours(policy.payment.unknown_attention_hours),
    work_list=WorkList.PAYMENTS,
    pausable=False,
)

PAYMENT_ATTENTION = Stage(
    StageName.PAYMENT_ATTENTION,
    SECTION,
    "退款异常，待人工处理 · the payment needs an officer",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    no_deadline="付款结果不作猜测，由专员决定；期间继续查询网关"
    " · no outcome of a payment is ever guessed: an officer decides; the gateway is asked on meanwhile",
    work_list=WorkList.ATTENTION,
)


def table() -> Table:
    """The money leg, the same for every kind that pays."""
    arrived = {"refund_succeeded": OutcomeKind.REFUNDED, "compensation_paid": OutcomeKind.COMPENSATED}
    nothing_more = {"nothing_left": OutcomeKind.NOTHING_LEFT, "covered": OutcomeKind.COVERED}
    raised = {"attention_raised": PAYMENT_ATTENTION}
    waiting_for_room = (
        takes(
            RetryPayment,
            PLATFORM,
            _look_for_room_at_once,
            payment_retried=(PAYING, OutcomeKind.NOTHING_LEFT, OutcomeKind.COVERED),
        ),
        takes(CloseCase, PLATFORM, _close_unpaid, closed_by_officer=OutcomeKind.CLOSED_BY_OFFICER),
        looks(_look_for_room, room_found=PAYING, **nothing_more),
    )
    return {
        PAYING: (
            answered(
                **arrived,
                refund_submitted=SETTLING,
                **raised,
                room_awaited=AWAITING_ROOM,
                nothing_to_pay=OutcomeKind.NOTHING_TO_PAY,
                **nothing_more,
            ),
        ),
        AWAITING_ROOM: (*waiting_for_room, silence(_room_is_overdue, room_overdue=ROOM_OVERDUE)),
        ROOM_OVERDUE: waiting_for_room,
        SETTLING: (
            hears(GatewayCallback, take_callback, **arrived, **raised),
            looks(_ask_again, **arrived, **raised),
            silence(_arrival_is_overdue, **arrived, **raised),
        ),
        PAYMENT_ATTENTION: (
            takes(RetryPayment, PLATFORM, _retry_at_gateway, payment_retried=PAYING),
            takes(PayInAdvance, PLATFORM, _pay_by_hand, paid_in_advance=OutcomeKind.PAID_BY_PLATFORM),
            takes(RecordManualTransfer, PLATFORM, _pay_by_hand, paid_manually=OutcomeKind.PAID_MANUALLY),
            takes(CloseCase, PLATFORM, _close_if_nothing_moved, closed_by_officer=OutcomeKind.CLOSED_BY_OFFICER),
            hears(GatewayCallback, take_callback, refund_submitted=SETTLING, **arrived),
            looks(_ask_again, refund_submitted=SETTLING, **arrived),
        ),
    }


STAGES = frozenset(
    {
        StageName.PAYING,
        StageName.AWAITING_ROOM,
        StageName.ROOM_OVERDUE,
        StageName.SETTLING,
        StageName.PAYMENT_ATTENTION,
    }
)
"""Where a case stands while it pays."""


# Deciding to pay ----------------------------------------------------------------------------------------


def pay(
    case: Case,
    *decided: LogEntry,
    fund: str,
    wanted: tuple[Part, ...],
    method: Method,
    by: Actor,
    rule: str,
    balance: BalanceChange | None = None,
    bonus_voided: Money | None = None,
    payer: Payer = Payer.MERCHANT,
    remainder: Remainder | None = None,
    compensates: bool = False,
    charges: tuple[ScoreChange, ...] = (),
    notices: tuple[Notice, ...] = (),
    pieces: CasePieces | None = None,
    if_refused: Then | None = None,
) -> Decision:
    """Pay what is left of ``wanted`` out of ``fund`` and end the case (R14); ``by`` decided it under ``rule``.

    With ``remainder`` only what is missing of it (D8); ``compensates`` where it is no refund (L3). ``charges``,
    ``notices`` and ``pieces`` go with the decision (D9, R13).
    """
    payout = Payout(
        case_id=case.case_id,
        number=1,
        fund=fund,
        merchant_id=case.parties.merchant_id,
        currency=case.asked.currency,
        method=method,
        wanted=wanted,
        tender_order=case.policy.payment.tender_order,
        payer=payer,
        remainder=remainder,
    )
    state = PayoutState(
        payout=payout,
        by=by,
        rule=rule,
        balance=balance,
        bonus_voided=bonus_voided,
        compensates=compensates,
        submitted_at=case.now,
    )
    paying = case.but(payout=state)
    return paying.enter(
        PAYING,
        *decided,
        reserve=payout if wanted else None,
        charges=charges,
        notices=notices,
        pieces=pieces,
        then=_reserved if wanted else _nothing_to_pay,  # R13: what cost nothing is done, and nobody is asked to pay
        if_refused=if_refused,
    )


def _nothing_to_pay(case: Case, _: StepAnswer) -> Decision:
    return _unpaid(case, OutcomeKind.NOTHING_TO_PAY, "R13")


def _reserved(case: Case, stepped: StepAnswer) -> Decision:
    """R8: the room was taken under the fund's lock, in the transaction of the decision; or it is waited for."""
    if _came_to(stepped) is Reservation.CONTENDED:
        waiting = _looking_anew(case)
        return waiting.enter(AWAITING_ROOM, case.entry("room_awaited", GATEWAY, "R8"), then=_wait_for_room)
    return _with_room(case, stepped)


def _with_room(case: Case, stepped: StepAnswer) -> Decision:
    match _came_to(stepped):
        case Reservation.EXHAUSTED:
            return _unpaid(case, OutcomeKind.NOTHING_LEFT, "R14")
        case Reservation.COVERED:
            return _unpaid(case, OutcomeKind.COVERED, "D8")
        case _:
            return _ask(_looking_anew(case), Ask.SUBMIT)


def _came_to(stepped: StepAnswer) -> Reservation:
    if stepped.reserved is None:
        raise ValueError("a step that reserves tells what came of it")
    return stepped.reserved.reservation


# R8: waiting for room -----------------------------------------------------------------------------------


# Until payments in flight give their room back or have used it up; a person is called when that is long.


def _room_is_overdue(case: Case) -> Decision:
    return _looking_anew(case).enter(
        ROOM_OVERDUE, case.silent("room_overdue"), attention=Attention.ROOM_OVERDUE, then=_wait_for_room
    )


def _look_for_room(case: Case) -> Decision:
    """A look that finds no room is written down nowhere: it may happen a thousand times."""
    return _reserve(case, case.entry("room_found", GATEWAY, "R8"), then=_looked_for_room)


def _looked_for_room(case: Case, stepped: StepAnswer) -> Decision:
    return _wait_for_room(case) if _came_to(stepped) is Reservation.CONTENDED else _with_room(case, stepped)


def _look_for_room_at_once(case: Case, command: RetryPayment) -> Decision:
    found = case.obeyed(command, "payment_retried", reason=command.reason)

    def looked(case: Case, stepped: StepAnswer) -> Decision:
        match _came_to(stepped):
            case Reservation.CONTENDED:
                return replace(_wait_for_room(case), refuse=_room_is_held())
            case Reservation.RESERVED:
                return _with_room(case, stepped)
            case _:
                return _with_room(case.but(payout=_payout(case).but(unsaid=(found,))), stepped)

    return _reserve(case, found, waits=not command.partly, then=looked)


def _reserve(case: Case, found: LogEntry, *, then: Then, waits: bool = True) -> Decision:
    payout = _payout(case).payout.model_copy(update={"waits": waits})
    return case.enter(PAYING, found, reserve=payout, only_with_room=True, then=then)


def _wait_for_room(case: Case, _: StepAnswer | None = None) -> Decision:
    overdue = case.state.stage is StageName.ROOM_OVERDUE
    waits = overdue_room_polls(case.policy) if overdue else room_polls(case.policy.refund)
    payout = _payout(case)
    wait = next(islice(waits, payout.looks, None))
    return Decision(state=case.but(payout=payout.but(looks=payout.looks + 1)).state, wait=Wait(wait))


# With the gateway ---------------------------------------------------------------------------------------


def _ask_again(case: Case) -> Decision:
    return _ask(case, Ask.INQUIRE)


def _arrival_is_overdue(case: Case) -> Decision:
    return _ask(case.but(payout=_payout(case).but(overdue=True)), Ask.INQUIRE)


def _retry_at_gateway(case: Case, command: RetryPayment) -> Decision:
    retried = case.obeyed(command, "payment_retried", reason=command.reason)
    payout = _payout(case).but(looks=0, retries=Ask.RETRY, partly=command.partly)
    return case.but(payout=payout).enter(PAYING, retried, then=_retry)


def _close_if_nothing_moved(case: Case, command: CloseCase) -> Decision:
    if all(leg.state in CLOSABLE for leg in case.state.legs):
        return _close_unpaid(case, command)
    return replace(_go_on(case), refuse=_money_may_have_moved())


def _go_on(case: Case) -> Decision:
    """What is next, as the legs stand now."""
    legs = case.state.legs
    if not legs:  # R14: others have been paid all that was declined
        return _unpaid(case, OutcomeKind.NOTHING_LEFT, "R14")
    if all(leg.state is LegState.SUCCEEDED for leg in legs):
        return _ask(case, Ask.INQUIRE)
    payout = _payout(case)
    trouble = attention_for(legs, overdue=payout.overdue)
    stage = PAYMENT_ATTENTION if trouble else SETTLING
    if (case.stage, case.state.attention) == (stage, trouble):
        return _wait_for_gateway(case)
    reduced, both, said = _say_reduction(case)
    if trouble:
        raised = case.entry("attention_raised", GATEWAY, SECTION, attention=trouble)
        return said.enter(stage, raised, *reduced, notices=both, attention=trouble, then=_wait_for_gateway)
    submitted = case.entry("refund_submitted", GATEWAY, "R5", amount=_amount(case))
    told = _tell(case, NoticeTemplate.REFUND_SUBMITTED)
    return said.enter(stage, submitted, *reduced, notices=(*told, *both), span=_limit(case), then=_wait_for_gateway)


def _wait_for_gateway(case: Case, _: StepAnswer | None = None) -> Decision:
    """SETTLING while the gateway may answer by itself, PAYMENT_ATTENTION where an officer is needed."""
    if not any(leg.state in OPEN_STATES for leg in case.state.legs):
        return Decision(state=case.state, wait=Wait())
    payout = _payout(case)
    wait = next(islice(gateway_polls(case.policy.payment), payout.looks, None))
    return Decision(state=case.but(payout=payout.but(looks=payout.looks + 1)).state, wait=Wait(wait))


def go_on_paying(case: Case, stepped: StepAnswer) -> Decision:
    """What follows where another run was paying: the gateway is asked before anything is sent again."""
    match case.state.stage:
        case StageName.PAYING if not _payout(case).payout.wanted:
            return _nothing_to_pay(case, stepped)
        case StageName.PAYING if _payout(case).retries:
            return _retry(case, stepped)
        case StageName.PAYING:
            return _reserved(case, stepped)
        case StageName.AWAITING_ROOM | StageName.ROOM_OVERDUE:
            return _wait_for_room(_looking_anew(case))
        case _:
            return _ask(_looking_anew(case), Ask.INQUIRE)


def _retry(case: Case, _: StepAnswer) -> Decision:
    payout = _payout(case)
    return _ask(case.but(payout=payout.but(retries=None, partly=False)), Ask.RETRY, partly=payout.partly)


def _ask(case: Case, ask: Ask, *, partly: bool = False) -> Decision:
    closing = _closing(case, may_change=ask is Ask.RETRY)
    settling = Settle(
        payout=_payout(case).payout,
        ask=ask,
        at=case.now,
        arrival=case.policy.payment,
        closing=closing,
        partly=partly,
    )
    effect = AskGateway(settling, f"{ask} refund of {_in_print(case)}", _patience(case))
    return Decision(effect=effect, state=case.state, then=_took)


def _pay_by_hand(case: Case, command: PayInAdvance | RecordManualTransfer) -> Decision:
    transferred_at = None
    match command:
        case PayInAdvance():
            event, outcome, paid_by = "paid_in_advance", OutcomeKind.PAID_BY_PLATFORM, PaidBy.PLATFORM
        case RecordManualTransfer():
            event, outcome, paid_by = "paid_manually", OutcomeKind.PAID_MANUALLY, PaidBy.OFFICER
            transferred_at = command.transferred_at
    when = {"transferred_at": transferred_at.isoformat()} if transferred_at else {}
    done = case.obeyed(command, event, reason=command.reason, proof=command.proof, **when)
    closing = _closing(case, outcome, done, may_change=True)
    settling = SettleManually(
        payout=_payout(case).payout,
        paid_by=paid_by,
        officer=command.by,
        reason=command.reason,
        proof=command.proof,
        at=case.now,
        transferred_at=transferred_at,
        closing=closing,
        amount=command.amount if isinstance(command, RecordManualTransfer) else None,
    )
    effect = PayByHand(settling, f"{event}: {_in_print(case)}", _patience(case))

    return Decision(effect=effect, state=case.state, then=_took_by_hand)


def _took_by_hand(case: Case, booked: Booked) -> Decision:
    return _answered(_took(case, booked), booked.settled.refusal)


def take_callback(case: Case, callback: GatewayCallback) -> Decision:
    """Write what the gateway tells into the ledger; late and repeated callbacks change nothing."""
    closing = None if case.stage is CLOSED else _closing(case)
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
    case = case.but(legs=booked.settled.legs)
    if booked.settled.closed and booked.closing:
        return _closed(case, booked.settled, booked.closing)
    return _go_on(case)


def _closed(case: Case, settled: Settled, closing: Step) -> Decision:
    closed = as_paid(closing, sum(leg.amount for leg in settled.legs))
    payout = _payout(case)
    return Decision(
        state=case.state,
        closed=ClosedElsewhere(closed, settled.number),
        verdict=Decided(rule=payout.rule, by=payout.by, bonus_voided=payout.bonus_voided),
    )


def _answered(decision: Decision, refusal: Refusal | None) -> Decision:
    """What comes next, whoever asked being answered before it."""
    return replace(decision, refuse=refusal, answered=True)


# Ending -------------------------------------------------------------------------------------------------


def _closing(case: Case, by_hand: OutcomeKind | None = None, *entries: LogEntry, may_change: bool = False) -> Step:
    """The last step, written in the transaction in which the last leg succeeds.

    What was reserved is paid, unless it ``may_change`` with what is left of legs that have failed (R14).
    """
    payout, amount = _payout(case), _amount(case)
    event = "compensation_paid" if payout.compensates else "refund_succeeded"
    paid = case.entry(event, GATEWAY, SECTION, amount=amount, currency=payout.payout.currency)
    by_gateway = OutcomeKind.COMPENSATED if payout.compensates else OutcomeKind.REFUNDED
    plan = StepPlan(
        CLOSED,
        entries if by_hand else (*entries, paid),
        notices=_tell_paid(case, amount),
        outcome=by_hand or by_gateway,
        refunded=0 if payout.compensates else amount,
        compensated=amount if payout.compensates else 0,
        balance=payout.balance,
    )
    decided = Decided(rule=payout.rule, by=payout.by, bonus_voided=payout.bonus_voided)
    state = planned(case, plan, "", decided)
    step = step_of(case, plan, CaseKey(case_id=case.case_id, run_id="")).model_copy(update={"state": kept(state)})
    told = amount if payout.told is None else payout.told
    if not may_change and amount >= told:
        return step
    reduction = Reduction(told=told, entry=_reduced(case), notices=_tell_both(case, told))
    return step.model_copy(update={"reduction": reduction})


def _reduced(case: Case) -> LogEntry:
    """R14: what was asked, and what is paid of it."""
    payout, amount = _payout(case), _amount(case)
    asked = amount if payout.told is None else payout.told
    facts: dict[str, str | int] = {"asked": asked, "paid": amount, "currency": payout.payout.currency}
    return case.entry("payment_reduced", GATEWAY, "R14", None, **facts)


def _tell_both(case: Case, asked: int) -> tuple[Notice, ...]:
    currency = _payout(case).payout.currency
    return case.notice_to_both(NoticeTemplate.PAYMENT_REDUCED, asked=asked, amount=_amount(case), currency=currency)


def _say_reduction(case: Case) -> tuple[tuple[LogEntry, ...], tuple[Notice, ...], Case]:
    """R14: told with the next step, where less is paid than was told before."""
    payout, amount = _payout(case), _amount(case)
    if payout.told is None or amount >= payout.told:
        return (), (), case
    return (_reduced(case),), _tell_both(case, payout.told), case.but(payout=payout.but(told=amount))


def _limit(case: Case) -> Span:
    """R5: when the money must have arrived; for an outcome not known, when a person is called."""
    payment = case.policy.payment
    unknown = _payout(case).submitted_at + timedelta(hours=payment.unknown_attention_hours)
    grace = timedelta(minutes=payment.arrival_grace_minutes)
    limits = [
        Span(until=leg.arrives_until + grace, arrival=leg.arrives_until) if leg.arrives_until else Span(until=unknown)
        for leg in case.state.legs
        if leg.state in OPEN_STATES
    ]
    return max(limits, key=lambda limit: limit.until or unknown, default=Span(until=unknown))


def _patience(case: Case) -> int:
    """Seconds for one attempt: two calls of five seconds for each leg, and the books.

    No longer, because a worker that is killed in the middle is found missing only after this.
    """
    return 15 + 10 * len(case.state.legs)


def _unpaid(case: Case, outcome: OutcomeKind, rule: str) -> Decision:
    """Nothing is left (R14), all that was ruled had been paid (D8), or what was asked for cost nothing (R13)."""
    payout = _payout(case)
    return case.close(
        outcome,
        *payout.unsaid,
        case.entry(outcome, GATEWAY, rule, amount=payout.payout.amount),
        rule=rule,
        by=payout.by,
        notices=case.closed_notices(outcome),
        balance=thawing(payout.balance, 0),
    )


def _close_unpaid(case: Case, command: CloseCase) -> Decision:
    """An officer ends it: what has been paid stays paid, what was declined is given up."""
    payout = _payout(case)
    paid = sum(leg.amount for leg in case.state.legs if leg.state is LegState.SUCCEEDED)
    facts: dict[str, str | int] = {"reason": command.reason, "proof": command.proof}
    if paid:
        facts |= {"asked": payout.payout.amount, "paid": paid, "currency": payout.payout.currency}
    outcome = OutcomeKind.CLOSED_BY_OFFICER
    return case.close(
        outcome,
        case.obeyed(command, "closed_by_officer", **facts),
        rule=SECTION,
        by=command.by,
        notices=(*case.closed_notices(outcome), *(_tell_paid(case, paid) if paid else ())),
        balance=thawing(payout.balance, paid),
        refunded=0 if payout.compensates else paid,
        compensated=paid if payout.compensates else 0,
    )


def _tell_paid(case: Case, amount: int) -> tuple[Notice, ...]:
    payout = _payout(case)
    template = NoticeTemplate.COMPENSATION_PAID if payout.compensates else NoticeTemplate.REFUND_SUCCEEDED
    return case.notice(template, case.buyer, amount=amount, currency=payout.payout.currency)


def _tell(case: Case, template: NoticeTemplate) -> tuple[Notice, ...]:
    return case.notice(template, case.buyer, amount=_amount(case), currency=_payout(case).payout.currency)


def _amount(case: Case) -> int:
    """What is paid: what was left or missing, which is known once it is reserved (R14, D8)."""
    return sum(leg.amount for leg in case.state.legs) or _payout(case).payout.amount


def _in_print(case: Case) -> str:
    return str(Money(amount=_amount(case), currency=_payout(case).payout.currency))


def _looking_anew(case: Case) -> Case:
    return case.but(payout=_payout(case).but(looks=0))


def _payout(case: Case) -> PayoutState:
    if case.state.payout is None:
        raise ValueError("nothing is being paid")
    return case.state.payout


def attention_for(legs: tuple[LegStatus, ...], *, overdue: bool) -> Attention | None:
    """Why a person must look at a payout, or None while the gateway may still answer by itself."""
    states = {leg.state for leg in legs}
    if LegState.FAILED in states:
        return Attention.REFUND_DECLINED
    if LegState.ABNORMAL in states:
        return Attention.MERCHANT_ACCOUNT_SHORT
    if not overdue:
        return None
    if states & {LegState.UNKNOWN, LegState.SUBMITTED}:
        return Attention.OUTCOME_UNKNOWN
    return Attention.ARRIVAL_OVERDUE


def _room_is_held() -> Refusal:
    return Refusal(
        code="no_room",
        field="command",
        rule="R8",
        explanation="payments in flight still hold the room; partly pays what there is room for now",
    )


def _money_may_have_moved() -> Refusal:
    return Refusal(
        code="outcome_open",
        field="command",
        rule=SECTION,
        explanation="part of the payment may have been made or still be made: it cannot be closed as unpaid",
    )
