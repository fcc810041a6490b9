"""A payment from its reservation to its end: the same for every kind of case (section 10, R5, R8, R14)."""

from dataclasses import replace
from itertools import islice

from workflows.kinds.case import Case
from workflows.kinds.decisions import (
    Decision,
    Then,
    Wait,
)
from workflows.kinds.payment_stages import AWAITING_ROOM, PAYING, PAYMENT_ATTENTION, ROOM_OVERDUE, SETTLING
from workflows.kinds.payout import close_unpaid, looking_anew, paid_before, payout_of, unpaid
from workflows.kinds.process import Leads, Table, answered, hears, looks, silence, takes
from workflows.kinds.settling import (
    arrival_is_overdue,
    ask_again,
    ask_gateway,
    close_if_nothing_moved,
    pay_by_hand,
    retry,
    retry_at_gateway,
    take_callback,
)
from workflows.kinds.stage import CLOSED, PLATFORM
from workflows.kinds.state import PayoutState
from workflows.messages.actors import GATEWAY, Actor
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate, Refusal, StepAnswer
from workflows.messages.commands import (
    CloseCase,
    GatewayCallback,
    PayInAdvance,
    RecordManualTransfer,
    RetryPayment,
)
from workflows.messages.money import Money
from workflows.messages.payouts import Ask, Part, Payer, Payout, Remainder, Reservation
from workflows.messages.pieces import CasePieces
from workflows.messages.requests import Method
from workflows.messages.scores import ScoreChange
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.messages.step_parts import BalanceChange
from workflows.rules.polling import overdue_room_polls, room_polls


def table(
    *,
    compensates: bool = False,
    also_compensates: bool = False,
    shared: bool = False,
    rest: bool = False,
    free: bool = False,
) -> Table:
    """The money leg of a kind.

    It ``compensates`` where what it pays is no refund (L3), or ``also_compensates`` beside refunds (L5). The fund is
    ``shared`` where other cases pay out of it, so that room is waited for (R8) and may be used up (R14). It may pay the
    ``rest`` of what has been paid already (D8, A6), and what it grants may be ``free`` (R13).
    """
    arrived: Leads = {"refund_succeeded": OutcomeKind.REFUNDED}
    if compensates:
        arrived = {"compensation_paid": OutcomeKind.COMPENSATED}
    if also_compensates:
        arrived = {**arrived, "compensation_paid": OutcomeKind.COMPENSATED}
    raised: Leads = {"attention_raised": PAYMENT_ATTENTION}
    used_up: Leads = {"nothing_left": OutcomeKind.NOTHING_LEFT} if shared else {}
    covered: Leads = {"covered": OutcomeKind.COVERED} if rest else {}
    nothing: Leads = {"nothing_to_pay": OutcomeKind.NOTHING_TO_PAY} if free else {}
    awaited: Leads = {"room_awaited": AWAITING_ROOM} if shared else {}
    paying = answered(**arrived, refund_submitted=SETTLING, **raised, **awaited, **nothing, **used_up, **covered)
    retried = (PAYING, OutcomeKind.NOTHING_LEFT, *((OutcomeKind.COVERED,) if rest else ()))
    waiting_for_room = (
        takes(RetryPayment, PLATFORM, _look_for_room_at_once, payment_retried=retried),
        takes(CloseCase, PLATFORM, close_unpaid, closed_by_officer=OutcomeKind.CLOSED_BY_OFFICER),
        looks(_look_for_room, room_found=PAYING, **used_up, **covered),
    )
    for_room: Table = {
        AWAITING_ROOM: (*waiting_for_room, silence(_room_is_overdue, room_overdue=ROOM_OVERDUE)),
        ROOM_OVERDUE: waiting_for_room,
    }
    return {
        PAYING: (paying,),
        **(for_room if shared else {}),
        SETTLING: (
            hears(GatewayCallback, take_callback, **arrived, **raised),
            looks(ask_again, **arrived, **raised),
            silence(arrival_is_overdue, **arrived, **raised),
        ),
        PAYMENT_ATTENTION: (
            takes(RetryPayment, PLATFORM, retry_at_gateway, payment_retried=PAYING),
            takes(PayInAdvance, PLATFORM, pay_by_hand, paid_in_advance=OutcomeKind.PAID_BY_PLATFORM),
            takes(RecordManualTransfer, PLATFORM, pay_by_hand, paid_manually=OutcomeKind.PAID_MANUALLY),
            takes(CloseCase, PLATFORM, close_if_nothing_moved, closed_by_officer=OutcomeKind.CLOSED_BY_OFFICER),
            hears(GatewayCallback, take_callback, refund_submitted=SETTLING, **arrived),
            looks(ask_again, refund_submitted=SETTLING, **arrived),
        ),
        CLOSED: (
            answered(refund_returned=PAYMENT_ATTENTION),
        ),  # what had arrived and came back (settling.opened_again)
    }


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
    payout = Payout.made_of(
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
    state = PayoutState.made_of(
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
    return unpaid(case, OutcomeKind.NOTHING_TO_PAY, "R13")


def _reserved(case: Case, stepped: StepAnswer) -> Decision:
    """R8: the room was taken under the fund's lock, in the transaction of the decision; or it is waited for."""
    if _came_to(stepped) is Reservation.CONTENDED:
        waiting, holder = looking_anew(case), stepped.reserved.held_by if stepped.reserved else None
        awaited = case.entry("room_awaited", GATEWAY, "R8")
        if holder:  # A7: a withdrawal pays what its decider was shown; what comes back waits until it has ended
            awaited = case.entry("room_awaited", GATEWAY, "A7", None, held_by=holder)
        return waiting.enter(AWAITING_ROOM, awaited, notices=_told_of_withdrawal(case, holder), then=_wait_for_room)
    return _with_room(case, stepped)


def _told_of_withdrawal(case: Case, holder: str | None) -> tuple[Notice, ...]:
    """N6: the parties can do something about a withdrawal that is waited for, and nothing about payments of ours."""
    if holder is None:
        return ()
    stage = {"stage": AWAITING_ROOM.name, "on_silence": AWAITING_ROOM.silence}
    return case.notice_to_both(NoticeTemplate.STAGE_CHANGED, **stage)


def _with_room(case: Case, stepped: StepAnswer) -> Decision:
    match _came_to(stepped):
        case Reservation.EXHAUSTED:
            return unpaid(case, OutcomeKind.NOTHING_LEFT, "R14")
        case Reservation.COVERED:
            return paid_before(case)
        case _:
            return ask_gateway(looking_anew(case), Ask.SUBMIT)


def _came_to(stepped: StepAnswer) -> Reservation:
    if stepped.reserved is None:
        raise ValueError("a step that reserves tells what came of it")
    return stepped.reserved.reservation


# R8: waiting for room -----------------------------------------------------------------------------------


# Until payments in flight give their room back or have used it up; a person is called when that is long.


def _room_is_overdue(case: Case) -> Decision:
    return looking_anew(case).enter(
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
                return _with_room(case.but(payout=payout_of(case).but(unsaid=(found,))), stepped)

    return _reserve(case, found, waits=not command.partly, then=looked)


def _reserve(case: Case, found: LogEntry, *, then: Then, waits: bool = True) -> Decision:
    payout = payout_of(case).payout.model_copy(update={"waits": waits})
    return case.enter(PAYING, found, reserve=payout, only_with_room=True, then=then)


def _wait_for_room(case: Case, _: StepAnswer | None = None) -> Decision:
    overdue = case.state.stage is StageName.ROOM_OVERDUE
    waits = overdue_room_polls(case.policy) if overdue else room_polls(case.policy.refund)
    payout = payout_of(case)
    wait = next(islice(waits, payout.looks, None))
    return Decision(state=case.but(payout=payout.but(looks=payout.looks + 1)).state, wait=Wait(wait))


# With the gateway ---------------------------------------------------------------------------------------


def go_on_paying(case: Case, stepped: StepAnswer) -> Decision:
    """What follows where another run was paying: the gateway is asked before anything is sent again."""
    match case.state.stage:
        case StageName.PAYING if not payout_of(case).payout.wanted:
            return _nothing_to_pay(case, stepped)
        case StageName.PAYING if payout_of(case).retries:
            return retry(case, stepped)
        case StageName.PAYING:
            return _reserved(case, stepped)
        case StageName.AWAITING_ROOM | StageName.ROOM_OVERDUE:
            return _wait_for_room(looking_anew(case))
        case _:
            return ask_gateway(looking_anew(case), Ask.INQUIRE)


# Ending -------------------------------------------------------------------------------------------------


def _room_is_held() -> Refusal:
    return Refusal(
        code="no_room",
        field="command",
        rule="R8",
        explanation="payments in flight still hold the room; partly pays what there is room for now",
    )
