"""The payment activities in memory (section 10): reading and writing, as ``activities.payments`` and its desk do it."""

from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from activities.advancing import Attempt, Heard, bring_forward
from activities.gateway_answers import (
    NumberTaken,
    TurnedAway,
    Unknown,
    answered,
    bounded,
    called_back,
    may_be_paid_by_hand,
    of_another_refund,
)
from activities.gateways.limits import Objection
from activities.gateways.payment import (
    GatewayAnswer,
    GatewayUnreachable,
    NotFound,
    NotSent,
    NumberConflict,
    RefundInstruction,
)
from starter.interpreter.gateway import MemoryGateway
from starter.interpreter.ledger import Ledger
from workflows.messages.cases import Step, Stepped
from workflows.messages.payouts import Ask, LegState, LegStatus
from workflows.messages.requests import BankTransfer
from workflows.messages.settlements import EnterCallback, Settle, Settled, SettleManually
from workflows.rules.allocation import payer_of
from workflows.rules.closing import as_paid
from workflows.rules.legs import GATEWAY, AlertKind, Change, LegEvent, callback_source
from workflows.rules.number_conflicts import number_in_use
from workflows.rules.paying import all_paid, is_paid
from workflows.rules.paying_by_hand import (
    NotByHand,
    paid_by_hand,
    perhaps_paid_beyond,
    refused_by_hand,
    refused_for_room,
)
from workflows.rules.refusals import refused

Found = TypeVar("Found")


class MemoryPayments:
    """The payment activities, around the desk that does one leg at a time."""

    def __init__(self, ledger: Ledger, gateway: MemoryGateway, desk: "MemoryDesk") -> None:
        self._ledger = ledger
        self._gateway = gateway
        self._desk = desk

    def settle(self, settling: Settle) -> Settled:
        """Bring the legs of a reserved payout forward, one after the other."""
        payout = settling.payout
        attempt = Attempt(
            case_id=payout.case_id,
            at=settling.at,
            arrival=settling.arrival,
            closing=settling.closing,
            account=settling.account,
        )
        if settling.ask is Ask.RETRY:
            self._ledger.reserve_again(payout.model_copy(update={"waits": not settling.partly}), attempt.at)
        for leg in self._ledger.legs_of(payout.case_id):
            if closed := _at_once(bring_forward(self._desk, attempt, leg, settling.ask)):
                return closed
        settled = self._desk.conclude(attempt)
        wait = max(attempt.waits, default=None)
        return settled.model_copy(update={"ask_again_after": wait}) if wait and not settled.closed else settled

    def enter_callback(self, entering: EnterCallback) -> Settled:
        """Enter a callback into the ledger; late, repeated and contradicting ones are taken as they come."""
        callback, closing = entering.callback, entering.closing
        found = self._ledger.find(callback.refund_no)
        if found is None or (closing and closing.case.case_id != found.payout.case_id):
            legs = self._ledger.legs_of(closing.case.case_id) if closing else ()
            explanation = "the case has no refund of this number"
            return Settled(legs=legs, refusal=refused("unknown_refund", "refund_no", "section 10", explanation))
        attempt = Attempt(case_id=found.payout.case_id, at=entering.at, arrival=entering.arrival, closing=closing)
        leg = found.status()
        if of_another_refund(callback, leg):
            source = callback_source(callback.key)
            self._ledger.alert(AlertKind.NUMBER_CONFLICT, attempt.case_id, leg.refund_no, source, attempt.at)
            return self._desk.conclude(attempt)
        _, closed = self._desk.enter(attempt, leg, called_back(attempt, leg, callback))
        return closed or self._desk.conclude(attempt)

    def settle_manually(self, settling: SettleManually) -> Settled:
        """Record that an officer, or the platform in advance, pays the legs that have not succeeded."""
        case_id, ledger = settling.payout.case_id, self._ledger
        undecided = Attempt(case_id=case_id, at=settling.at)
        answers: dict[str, GatewayAnswer | NotFound | NumberTaken] = {}
        asked = {leg.refund_no: leg for leg in ledger.legs_of(case_id) if not is_paid(leg)}
        for leg in asked.values():
            answer = answers[leg.refund_no] = self._desk.ask(leg, settling.at)
            match answer:
                case GatewayAnswer():
                    self._desk.enter(undecided, leg, answered(undecided, leg, answer))
                case NumberTaken(other=other):
                    self._desk.keep_conflict(undecided, leg, number_in_use(settling.at, other))
                case NotFound():
                    pass
        others = {
            number: told.other for number, told in answers.items() if isinstance(told, NumberTaken) and told.other
        }
        legs = ledger.legs_of(case_id)
        certain = {
            leg.refund_no
            for leg in legs
            if may_be_paid_by_hand(asked.get(leg.refund_no), leg, answers.get(leg.refund_no))
        }
        against = refused_by_hand(settling, legs, asked, certain, others) or self._pay_by_hand(settling, legs)
        if against:
            if against.alert:
                self._keep_proof(against.alert, settling, against.about)
            return Settled(legs=legs, refusal=against.refusal)
        return self._desk.conclude(Attempt(case_id=case_id, at=settling.at, closing=settling.closing))

    def _pay_by_hand(self, settling: SettleManually, before: Iterable[LegStatus]) -> NotByHand | None:
        """Pay all that is not paid, as far as it is left (R14); why not, where nothing is paid."""
        payout, ledger = settling.payout, self._ledger
        kept = ledger.kept(payout.fund)
        again = ledger.reserve_again(payout, settling.at)
        unpaid = [leg for leg in ledger.legs_of(payout.case_id) if not is_paid(leg)]
        against = refused_for_room(settling, again, unpaid, [leg for leg in before if not is_paid(leg)])
        if against:
            ledger.undo(payout.fund, kept)
            return against
        for leg in unpaid:
            for event in paid_by_hand(settling):
                ledger.record(leg.refund_no, event)
        self._keep_proof(AlertKind.PAID_BEYOND_CAP, settling, perhaps_paid_beyond(settling, again, unpaid))
        return None

    def _keep_proof(self, kind: AlertKind, settling: SettleManually, legs: Iterable[LegStatus]) -> None:
        for leg in legs:
            self._ledger.alert(kind, settling.payout.case_id, leg.refund_no, settling.proof, settling.at)


class MemoryDesk:
    """See ``Desk``. Nothing here waits: who calls it has its answer at once (``_at_once``)."""

    def __init__(
        self,
        ledger: Ledger,
        gateway: MemoryGateway,
        write_step: Callable[[Step], Stepped],
        buyer_of: Callable[[str], str | None],
    ) -> None:
        self._ledger = ledger
        self._gateway = gateway
        self._write_step = write_step
        self._buyer_of = buyer_of

    async def rest(self, leg: LegStatus) -> timedelta | None:
        """See Desk: it never rests."""
        del leg

    async def objection(self, leg: LegStatus, at: datetime) -> Objection | None:
        """See Desk: it has no limits."""
        del leg, at

    async def inquire(self, leg: LegStatus, at: datetime) -> GatewayAnswer | NotFound | NumberTaken | Unknown:
        """See Desk."""
        return self.ask(leg, at)

    async def submit(self, leg: LegStatus, at: datetime) -> Heard:
        """See Desk."""
        return _heard(self._gateway.submit, self._instruction(leg), at)

    async def redirect(self, attempt: Attempt, leg: LegStatus, account: str) -> Heard:
        """See Desk."""
        told = {"account": account, "buyer_id": self._buyer_of(attempt.case_id)}  # R17
        return _heard(self._gateway.redirect, self._instruction(leg).model_copy(update=told), attempt.at)

    async def record(self, attempt: Attempt, leg: LegStatus, event: LegEvent) -> tuple[Change, Settled | None]:
        """See Desk."""
        return self.enter(attempt, leg, event)

    async def report_conflict(self, attempt: Attempt, leg: LegStatus, event: LegEvent) -> None:
        """See Desk."""
        self.keep_conflict(attempt, leg, event)

    def keep_conflict(self, attempt: Attempt, leg: LegStatus, event: LegEvent) -> None:
        """Enter that the number is another refund's."""
        self._ledger.record(leg.refund_no, event)
        evidence = event.raw or GATEWAY
        self._ledger.alert(AlertKind.NUMBER_CONFLICT, attempt.case_id, leg.refund_no, evidence, attempt.at)

    def ask(self, leg: LegStatus, at: datetime) -> GatewayAnswer | NotFound | NumberTaken:
        """How the gateway says that a leg stands."""
        try:
            return self._gateway.inquire(self._instruction(leg), at)
        except NumberConflict as error:
            return NumberTaken(error.found)

    def enter(self, attempt: Attempt, leg: LegStatus, event: LegEvent) -> tuple[Change, Settled | None]:
        """Enter an event; with the last success, the closing step."""
        change = self._ledger.record(leg.refund_no, event)
        closes = change.moved and change.standing.state is LegState.SUCCEEDED
        return change, self._close(attempt) if closes else None

    def conclude(self, attempt: Attempt) -> Settled:
        """How the payout stands. If all was paid before, the closing step may be missing still."""
        return self._close(attempt) or Settled(legs=self._ledger.legs_of(attempt.case_id))

    def _close(self, attempt: Attempt) -> Settled | None:
        """Record the closing step if all legs have succeeded."""
        legs = self._ledger.legs_of(attempt.case_id)
        if attempt.closing is None or not all_paid(legs):
            return None
        stepped = self._write_step(as_paid(attempt.closing, legs))  # R14
        return Settled.made_of(legs=legs, closed=stepped.written, number=stepped.number)

    def _instruction(self, leg: LegStatus) -> RefundInstruction:
        booked = self._ledger.find(leg.refund_no)
        if booked is None:
            raise KeyError(leg.refund_no)
        payout = booked.payout
        method = payout.method
        account = method.account if isinstance(method, BankTransfer) and leg.tender is None else None
        return RefundInstruction.made_of(
            refund_no=leg.refund_no,
            attempt=booked.standing.attempt,
            merchant_id=payout.merchant_id,
            fund=payout.fund,
            tender=leg.tender,
            buyer_id=self._buyer_of(payout.case_id) if account else None,
            account=account,
            amount=leg.amount,
            currency=payout.currency,
            payer=payer_of(payout, booked.leg),
        )


def _heard(
    tell: Callable[[RefundInstruction, datetime], GatewayAnswer], instruction: RefundInstruction, at: datetime
) -> Heard:
    """What is known after the gateway was told something, as ``PaymentCalls`` says it."""
    try:
        return tell(instruction, at)
    except NumberConflict as error:
        return NumberTaken(error.found)
    except NotSent as error:
        return TurnedAway(error.code, bounded(error.retry_after))
    except GatewayUnreachable as error:
        return Unknown(bounded(error.retry_after))


def _at_once(doing: Coroutine[Any, Any, Found]) -> Found:
    """What comes of something that waits for nothing."""
    try:
        doing.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("it waits, and there is nothing to wait for")
