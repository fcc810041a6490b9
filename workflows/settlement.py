"""The money leg: a payout from its reservation to its end (SPEC section 10, R5, R8)."""

from datetime import datetime, timedelta

from temporalio import workflow

from workflows.case import SILENCE, CaseWorkflow
from workflows.messages import activities
from workflows.messages.actors import GATEWAY, Actor
from workflows.messages.cases import (
    BalanceChange,
    EnterCallback,
    LogEntry,
    Notice,
    NoticeTemplate,
    Outcome,
    Refusal,
    Settle,
    Settled,
    SettleManually,
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
from workflows.rules.polling import gateway_polls, room_polls
from workflows.rules.stages import AWAITING_ROOM, CLOSED, PAYING, PAYMENT_ATTENTION, SETTLING, Stage

SECTION = "section 10"

OPEN_STATES = frozenset({LegState.RESERVED, LegState.SUBMITTED, LegState.PROCESSING, LegState.UNKNOWN})
"""What the gateway may still tell us about."""


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
        reservation = await self._reserve(PAYING, *decided, charges=charges, notices=notices)
        looks = room_polls(case.policy.refund)
        while reservation is Reservation.CONTENDED:
            if case.stage is not AWAITING_ROOM:
                await case.enter(AWAITING_ROOM, case.entry("room_awaited", GATEWAY, "R8"))
            event = await case.next(poll=next(looks))
            if isinstance(event, CloseCase):
                return await self._close_unpaid(event)
            reservation = await self._reserve(AWAITING_ROOM)
        match reservation:
            case Reservation.EXHAUSTED:
                return await self._unpaid(OutcomeKind.NOTHING_LEFT, "R8")
            case Reservation.COVERED:
                return await self._unpaid(OutcomeKind.COVERED, "D8")
            case _:
                pass
        await self._ask(Ask.SUBMIT)
        polls = gateway_polls(case.policy.payment)
        while self._ended is None:
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
                    await self._ask(Ask.RETRY)
                    polls = gateway_polls(case.policy.payment)
                case PayInAdvance() | RecordManualTransfer():
                    await self._settle_manually(event)
                case CloseCase() if self._nothing_can_have_moved():
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
        settled = await case.outside(activities.enter_callback, entering, seconds=30, summary=summary)
        if closing:
            self._take(settled, closing)
        case.answer(callback)

    async def _reserve(
        self,
        stage: Stage,
        *entries: LogEntry,
        charges: tuple[ScoreChange, ...] = (),
        notices: tuple[Notice, ...] = (),
    ) -> Reservation:
        """R8: the room is taken under the fund's lock, in the transaction of the decision."""
        stepped = await self._case.enter(stage, *entries, reserve=self._payout, charges=charges, notices=notices)
        if stepped.refusal:
            raise AccountRefusedError(stepped.refusal)
        if stepped.reserved is None:
            raise ValueError("a step that reserves tells what came of it")
        self._case.legs = stepped.reserved.legs
        return stepped.reserved.reservation

    async def _ask(self, ask: Ask) -> None:
        closing = self._closing()
        settling = Settle(
            payout=self._payout,
            ask=ask,
            at=workflow.now(),
            arrival=self._case.policy.payment,
            closing=closing,
        )
        summary = f"{ask} refund of {self._in_print()}"
        settled = await self._case.outside(activities.settle, settling, seconds=self._patience(), summary=summary)
        self._take(settled, closing)

    async def _settle_manually(self, command: PayInAdvance | RecordManualTransfer) -> None:
        case = self._case
        match command:
            case PayInAdvance():
                event, outcome, paid_by = "paid_in_advance", OutcomeKind.PAID_BY_PLATFORM, PaidBy.PLATFORM
            case RecordManualTransfer():
                event, outcome, paid_by = "paid_manually", OutcomeKind.PAID_MANUALLY, PaidBy.OFFICER
        done = case.obeyed(command, event, reason=command.reason, proof=command.proof)
        closing = self._closing(outcome, done)
        settling = SettleManually(
            payout=self._payout,
            paid_by=paid_by,
            officer=command.by,
            reason=command.reason,
            proof=command.proof,
            at=workflow.now(),
            closing=closing,
        )
        summary = f"{event}: {self._in_print()}"
        settled = await case.outside(activities.settle_manually, settling, seconds=self._patience(), summary=summary)
        self._take(settled, closing)
        case.answer(command, settled.refusal)

    def _take(self, settled: Settled, closing: Step) -> None:
        self._case.legs = settled.legs
        if settled.closed:
            self._ended = self._case.closed(closing, rule=self._rule, by=self._by, bonus_voided=self._bonus_voided)

    def _closing(self, by_hand: OutcomeKind | None = None, *entries: LogEntry) -> Step:
        """The last step, written in the transaction in which the last leg succeeds."""
        case = self._case
        event = "compensation_paid" if self._compensates else "refund_succeeded"
        paid = case.entry(event, GATEWAY, SECTION, amount=self._amount, currency=self._payout.currency)
        by_gateway = OutcomeKind.COMPENSATED if self._compensates else OutcomeKind.REFUNDED
        return case.step(
            CLOSED,
            entries if by_hand else (*entries, paid),
            notices=self._tell(
                NoticeTemplate.COMPENSATION_PAID if self._compensates else NoticeTemplate.REFUND_SUCCEEDED
            ),
            outcome=by_hand or by_gateway,
            refunded=0 if self._compensates else self._amount,
            compensated=self._amount if self._compensates else 0,
            balance=self._balance,
        )

    async def _show_where_it_stands(self) -> None:
        """SETTLING while the gateway may answer by itself, PAYMENT_ATTENTION where an officer is needed."""
        case = self._case
        trouble = attention_for(case.legs, overdue=self._overdue)
        stage = PAYMENT_ATTENTION if trouble else SETTLING
        if (case.stage, case.attention) == (stage, trouble):
            return
        if trouble:
            await case.enter(
                stage, case.entry("attention_raised", GATEWAY, SECTION, attention=trouble), attention=trouble
            )
        else:
            await case.enter(
                stage,
                case.entry("refund_submitted", GATEWAY, "R5", amount=self._amount),
                notices=self._tell(NoticeTemplate.REFUND_SUBMITTED),
                until=self._limit(),
            )

    def _limit(self) -> datetime:
        """R5: when the money must have arrived; for an outcome not known, when a person is called."""
        payment = self._case.policy.payment
        unknown = self._submitted_at + timedelta(hours=payment.unknown_attention_hours)
        grace = timedelta(minutes=payment.arrival_grace_minutes)
        limits = [
            leg.arrives_until + grace if leg.arrives_until else unknown
            for leg in self._case.legs
            if leg.state in OPEN_STATES
        ]
        return max(limits, default=unknown)

    def _patience(self) -> int:
        """Seconds for one attempt: two calls of five seconds for each leg, and the books.

        No longer, because a worker that is killed in the middle is found missing only after this.
        """
        return 15 + 10 * len(self._case.legs)

    def _nothing_can_have_moved(self) -> bool:
        return all(leg.state is LegState.FAILED for leg in self._case.legs)

    async def _unpaid(self, outcome: OutcomeKind, rule: str) -> Outcome:
        """Others have been refunded what this case asked for (R8), or all that was ruled had been paid (D8)."""
        case = self._case
        return await case.close(
            outcome,
            case.entry(outcome, GATEWAY, rule, amount=self._payout.amount),
            rule=rule,
            by=self._by,
            notices=case.closed_notices(outcome),
            balance=self._unpaid_balance(),
        )

    async def _close_unpaid(self, command: CloseCase) -> Outcome:
        case = self._case
        return await case.close(
            OutcomeKind.CLOSED_BY_OFFICER,
            case.obeyed(command, "closed_by_officer", reason=command.reason, proof=command.proof),
            rule=SECTION,
            by=command.by,
            notices=case.closed_notices(OutcomeKind.CLOSED_BY_OFFICER),
            balance=self._unpaid_balance(),
        )

    def _unpaid_balance(self) -> BalanceChange | None:
        """A5: a balance whose payout does not happen is given back."""
        return BalanceChange.THAW if self._balance else None

    def _tell(self, template: NoticeTemplate) -> tuple[Notice, ...]:
        case = self._case
        return case.notice(template, case.buyer, amount=self._amount, currency=self._payout.currency)

    @property
    def _amount(self) -> int:
        """What is paid: of a ruling only what was missing, which is known once it is reserved (D8)."""
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


def _money_may_have_moved() -> Refusal:
    return Refusal(
        code="outcome_open",
        field="command",
        rule=SECTION,
        explanation="part of the payment may have been made or still be made: it cannot be closed as unpaid",
    )
