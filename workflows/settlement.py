"""The money leg: a payout from its reservation to its end (section 10, R5, R8, R14)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow

from workflows.case import SILENCE, CaseWorkflow, Happening
from workflows.messages import activities
from workflows.messages.actors import GATEWAY, Actor
from workflows.messages.cases import (
    BalanceChange,
    EnterCallback,
    LogEntry,
    Notice,
    NoticeTemplate,
    Outcome,
    Reduction,
    Refusal,
    Settle,
    Settled,
    SettleManually,
    Span,
    Step,
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
from workflows.messages.requests import Method
from workflows.messages.scores import ScoreChange
from workflows.messages.stages import Attention, OutcomeKind
from workflows.rules.answers import settled_for
from workflows.rules.closing import as_paid
from workflows.rules.legs import CLOSABLE, OPEN_STATES
from workflows.rules.polling import gateway_polls, overdue_room_polls, room_polls
from workflows.rules.stages import AWAITING_ROOM, CLOSED, PAYING, PAYMENT_ATTENTION, ROOM_OVERDUE, SETTLING

SECTION = "section 10"
Given = TypeVar("Given", Settle, SettleManually)


class AccountRefusedError(Exception):
    """The account that a payout was to go to is not the buyer's; nothing was written down (R17)."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Settlement:
    """Pays one payout of a case and ends the case with the result."""

    def __init__(
        self,
        case: CaseWorkflow,
        *,
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
    ) -> None:
        """Who decided (``by``) and under which ``rule`` go into the outcome."""
        self._case = case
        self._by = by
        self._rule = rule
        self._balance = balance
        self._bonus_voided = bonus_voided
        self._compensates = compensates
        self._overdue = False
        self._ended: Outcome | None = None
        self._submitted_at = workflow.now()
        self._unsaid: tuple[LogEntry, ...] = ()
        """What an officer has done and no step has said yet."""
        self._told: int | None = None
        """What both sides believe is paid, in minor units; None before anything is reserved (R14)."""
        self._payout = Payout(
            case_id=workflow.info().workflow_id,
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

    async def pay(
        self, *decided: LogEntry, charges: tuple[ScoreChange, ...] = (), notices: tuple[Notice, ...] = ()
    ) -> Outcome:
        """Reserve, submit, wait, ask, call an officer where needed; until the money has arrived for certain.

        Raises:
            AccountRefusedError: it cannot go to that account, and the case stands where it stood.
        """
        case = self._case
        if not self._payout.wanted:  # R13: what cost nothing is done, and the gateway is asked for nothing
            await case.enter(PAYING, *decided, charges=charges, notices=notices)
            return await self._unpaid(OutcomeKind.NOTHING_TO_PAY, "R13")
        reservation = await self._reserve(*decided, charges=charges, notices=notices)
        if reservation is Reservation.CONTENDED:
            reservation = await self._await_room()
        match reservation:
            case Outcome() as closed:
                return closed
            case Reservation.EXHAUSTED:
                return await self._unpaid(OutcomeKind.NOTHING_LEFT, "R14")
            case Reservation.COVERED:
                return await self._unpaid(OutcomeKind.COVERED, "D8")
            case _:
                pass
        await self._ask(Ask.SUBMIT)
        polls = gateway_polls(case.policy.payment)
        while self._ended is None:
            if not case.legs:  # R14: others have been paid all that was declined
                return await self._unpaid(OutcomeKind.NOTHING_LEFT, "R14")
            if all(leg.state is LegState.SUCCEEDED for leg in case.legs):
                await self._ask(Ask.INQUIRE)
                continue
            await self._show_where_it_stands()
            asking = any(leg.state in OPEN_STATES for leg in case.legs)
            event = await case.next(GatewayCallback, poll=next(polls) if asking else None)
            match event:
                case GatewayCallback():
                    await self.enter_callback(event)
                case RetryPayment():
                    await case.enter(PAYING, case.obeyed(event, "payment_retried", reason=event.reason))
                    await self._ask(Ask.RETRY, partly=event.partly)
                    polls = gateway_polls(case.policy.payment)
                case PayInAdvance() | RecordManualTransfer():
                    await self._settle_manually(event)
                case CloseCase() if self._nothing_more_can_move():
                    return await self._close_unpaid(event)
                case CloseCase():
                    case.answer(event, _money_may_have_moved())
                case _:
                    self._overdue = self._overdue or event is SILENCE
                    await self._ask(Ask.INQUIRE)
        return self._ended

    async def enter_callback(self, callback: GatewayCallback) -> None:
        """Write what the gateway tells into the ledger; late and repeated callbacks change nothing."""
        case = self._case
        closing = None if case.stage is CLOSED else self._closing()
        entering = EnterCallback(callback=callback, at=workflow.now(), arrival=case.policy.payment, closing=closing)
        summary = f"gateway callback: {callback.result}"
        # After the end a callback may be about any case: whatever it came to is entered, and changes nothing here.
        fits = settled_for(case.case_id if closing else None)
        settled = await case.outside(activities.enter_callback, entering, seconds=30, summary=summary, fits=fits)
        if closing:
            self._take(settled, closing)
        case.answer(callback)

    async def _reserve(
        self,
        *entries: LogEntry,
        charges: tuple[ScoreChange, ...] = (),
        notices: tuple[Notice, ...] = (),
        waits: bool = True,
        only_with_room: bool = False,
    ) -> Reservation:
        """R8: the room is taken under the fund's lock, in the transaction of the decision."""
        payout = self._payout.model_copy(update={"waits": waits})
        stepped = await self._case.enter(
            PAYING, *entries, reserve=payout, charges=charges, notices=notices, only_with_room=only_with_room
        )
        if stepped.refusal:
            raise AccountRefusedError(stepped.refusal)
        if stepped.reserved is None:
            raise ValueError("a step that reserves tells what came of it")
        if stepped.reserved.reservation is Reservation.RESERVED:
            self._case.legs = stepped.reserved.legs
            self._told = self._payout.amount if stepped.reserved.due is None else stepped.reserved.due
        return stepped.reserved.reservation

    async def _await_room(self) -> Reservation | Outcome:
        """R8: until payments in flight give their room back or have used it up; a person is called when that is long.

        A look that finds no room is written down nowhere: it may happen a thousand times.
        """
        case = self._case
        await case.enter(AWAITING_ROOM, case.entry("room_awaited", GATEWAY, "R8"))
        looks = room_polls(case.policy.refund)
        while True:
            event = await case.next(poll=next(looks))
            match event:
                case CloseCase():
                    return await self._close_unpaid(event)
                case RetryPayment():
                    found = case.obeyed(event, "payment_retried", reason=event.reason)
                    reservation = await self._reserve(found, waits=not event.partly, only_with_room=True)
                    if reservation is Reservation.CONTENDED:
                        case.answer(event, _room_is_held())
                    elif reservation is not Reservation.RESERVED:
                        self._unsaid = (found,)
                case Happening.SILENCE:
                    reservation = Reservation.CONTENDED
                    looks = overdue_room_polls(case.policy)
                    await case.enter(ROOM_OVERDUE, case.silent("room_overdue"), attention=Attention.ROOM_OVERDUE)
                case _:
                    found = case.entry("room_found", GATEWAY, "R8")
                    reservation = await self._reserve(found, only_with_room=True)
            if reservation is not Reservation.CONTENDED:
                return reservation

    async def _ask(self, ask: Ask, *, partly: bool = False) -> None:
        closing = self._closing(may_change=ask is Ask.RETRY)
        settling = Settle(
            payout=self._payout,
            ask=ask,
            at=workflow.now(),
            arrival=self._case.policy.payment,
            closing=closing,
            partly=partly,
        )
        summary = f"{ask} refund of {self._in_print()}"
        settled = await self._settled(activities.settle, settling, summary)
        self._take(settled, closing)

    async def _settle_manually(self, command: PayInAdvance | RecordManualTransfer) -> None:
        case = self._case
        transferred_at = None
        match command:
            case PayInAdvance():
                event, outcome, paid_by = "paid_in_advance", OutcomeKind.PAID_BY_PLATFORM, PaidBy.PLATFORM
            case RecordManualTransfer():
                event, outcome, paid_by = "paid_manually", OutcomeKind.PAID_MANUALLY, PaidBy.OFFICER
                transferred_at = command.transferred_at
        when = {"transferred_at": transferred_at.isoformat()} if transferred_at else {}
        done = case.obeyed(command, event, reason=command.reason, proof=command.proof, **when)
        closing = self._closing(outcome, done, may_change=True)
        settling = SettleManually(
            payout=self._payout,
            paid_by=paid_by,
            officer=command.by,
            reason=command.reason,
            proof=command.proof,
            at=workflow.now(),
            transferred_at=transferred_at,
            closing=closing,
            amount=command.amount if isinstance(command, RecordManualTransfer) else None,
        )
        summary = f"{event}: {self._in_print()}"
        settled = await self._settled(activities.settle_manually, settling, summary)
        self._take(settled, closing)
        case.answer(command, settled.refusal)

    async def _settled(self, activity: Callable[[Given], Awaitable[Settled]], given: Given, summary: str) -> Settled:
        case = self._case
        fits = settled_for(case.case_id)
        return await case.outside(activity, given, seconds=self._patience(), summary=summary, fits=fits)

    def _take(self, settled: Settled, closing: Step) -> None:
        self._case.legs = settled.legs
        if settled.closed:
            closed = as_paid(closing, sum(leg.amount for leg in settled.legs))
            self._ended = self._case.closed(
                closed, rule=self._rule, by=self._by, bonus_voided=self._bonus_voided, number=settled.number
            )

    def _closing(self, by_hand: OutcomeKind | None = None, *entries: LogEntry, may_change: bool = False) -> Step:
        """The last step, written in the transaction in which the last leg succeeds.

        What was reserved is paid, unless it ``may_change`` with what is left of legs that have failed (R14).
        """
        case = self._case
        event = "compensation_paid" if self._compensates else "refund_succeeded"
        paid = case.entry(event, GATEWAY, SECTION, amount=self._amount, currency=self._payout.currency)
        by_gateway = OutcomeKind.COMPENSATED if self._compensates else OutcomeKind.REFUNDED
        step = case.step(
            CLOSED,
            entries if by_hand else (*entries, paid),
            notices=self._tell_paid(self._amount),
            outcome=by_hand or by_gateway,
            refunded=0 if self._compensates else self._amount,
            compensated=self._amount if self._compensates else 0,
            balance=self._balance,
        )
        told = self._amount if self._told is None else self._told
        if not may_change and self._amount >= told:
            return step
        reduction = Reduction(told=told, entry=self._reduced(), notices=self._tell_both(told))
        return step.model_copy(update={"reduction": reduction})

    def _reduced(self) -> LogEntry:
        """R14: what was asked, and what is paid of it."""
        asked = self._amount if self._told is None else self._told
        facts: dict[str, str | int] = {"asked": asked, "paid": self._amount, "currency": self._payout.currency}
        return self._case.entry("payment_reduced", GATEWAY, "R14", None, **facts)

    def _tell_both(self, asked: int) -> tuple[Notice, ...]:
        currency = self._payout.currency
        return self._case.notice_to_both(
            NoticeTemplate.PAYMENT_REDUCED, asked=asked, amount=self._amount, currency=currency
        )

    def _say_reduction(self) -> tuple[tuple[LogEntry, ...], tuple[Notice, ...]]:
        """R14: told with the next step, where less is paid than was told before."""
        if self._told is None or self._amount >= self._told:
            return (), ()
        said = (self._reduced(),), self._tell_both(self._told)
        self._told = self._amount
        return said

    async def _show_where_it_stands(self) -> None:
        """SETTLING while the gateway may answer by itself, PAYMENT_ATTENTION where an officer is needed."""
        case = self._case
        trouble = attention_for(case.legs, overdue=self._overdue)
        stage = PAYMENT_ATTENTION if trouble else SETTLING
        if (case.stage, case.attention) == (stage, trouble):
            return
        reduced, both = self._say_reduction()
        if trouble:
            raised = case.entry("attention_raised", GATEWAY, SECTION, attention=trouble)
            await case.enter(stage, raised, *reduced, notices=both, attention=trouble)
        else:
            await case.enter(
                stage,
                case.entry("refund_submitted", GATEWAY, "R5", amount=self._amount),
                *reduced,
                notices=(*self._tell(NoticeTemplate.REFUND_SUBMITTED), *both),
                span=self._limit(),
            )

    def _limit(self) -> Span:
        """R5: when the money must have arrived; for an outcome not known, when a person is called."""
        payment = self._case.policy.payment
        unknown = self._submitted_at + timedelta(hours=payment.unknown_attention_hours)
        grace = timedelta(minutes=payment.arrival_grace_minutes)
        limits = [
            Span(until=leg.arrives_until + grace, arrival=leg.arrives_until)
            if leg.arrives_until
            else Span(until=unknown)
            for leg in self._case.legs
            if leg.state in OPEN_STATES
        ]
        return max(limits, key=lambda limit: limit.until or unknown, default=Span(until=unknown))

    def _patience(self) -> int:
        """Seconds for one attempt: two calls of five seconds for each leg, and the books.

        No longer, because a worker that is killed in the middle is found missing only after this.
        """
        return 15 + 10 * len(self._case.legs)

    def _nothing_more_can_move(self) -> bool:
        return all(leg.state in CLOSABLE for leg in self._case.legs)

    async def _unpaid(self, outcome: OutcomeKind, rule: str) -> Outcome:
        """Nothing is left (R14), all that was ruled had been paid (D8), or what was asked for cost nothing (R13)."""
        case = self._case
        return await case.close(
            outcome,
            *self._unsaid,
            case.entry(outcome, GATEWAY, rule, amount=self._payout.amount),
            rule=rule,
            by=self._by,
            notices=case.closed_notices(outcome),
            balance=self._balance_unless_paid(0),
        )

    async def _close_unpaid(self, command: CloseCase) -> Outcome:
        """An officer ends it: what has been paid stays paid, what was declined is given up."""
        case = self._case
        paid = sum(leg.amount for leg in case.legs if leg.state is LegState.SUCCEEDED)
        facts: dict[str, str | int] = {"reason": command.reason, "proof": command.proof}
        if paid:
            facts |= {"asked": self._payout.amount, "paid": paid, "currency": self._payout.currency}
        return await case.close(
            OutcomeKind.CLOSED_BY_OFFICER,
            case.obeyed(command, "closed_by_officer", **facts),
            rule=SECTION,
            by=command.by,
            notices=(*case.closed_notices(OutcomeKind.CLOSED_BY_OFFICER), *(self._tell_paid(paid) if paid else ())),
            balance=self._balance_unless_paid(paid),
            refunded=0 if self._compensates else paid,
            compensated=paid if self._compensates else 0,
        )

    def _balance_unless_paid(self, paid: int) -> BalanceChange | None:
        """A5: a balance whose payout does not happen is given back."""
        return BalanceChange.THAW if self._balance and not paid else self._balance

    def _tell_paid(self, amount: int) -> tuple[Notice, ...]:
        template = NoticeTemplate.COMPENSATION_PAID if self._compensates else NoticeTemplate.REFUND_SUCCEEDED
        return self._case.notice(template, self._case.buyer, amount=amount, currency=self._payout.currency)

    def _tell(self, template: NoticeTemplate) -> tuple[Notice, ...]:
        case = self._case
        return case.notice(template, case.buyer, amount=self._amount, currency=self._payout.currency)

    @property
    def _amount(self) -> int:
        """What is paid: what was left or missing, which is known once it is reserved (R14, D8)."""
        return sum(leg.amount for leg in self._case.legs) or self._payout.amount

    def _in_print(self) -> str:
        return str(Money(amount=self._amount, currency=self._payout.currency))


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
