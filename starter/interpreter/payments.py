"""The money leg in memory: sending, asking, retrying, paying by hand; as in ``activities.payments`` (section 10)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities.gateway_answers import answered, is_stranded, may_be_paid_by_hand, said, sending, unanswered
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
from workflows.messages.cases import EnterCallback, Refusal, Settle, Settled, SettleManually, Step, Stepped
from workflows.messages.payouts import Ask, LegState, LegStatus, PaidBy
from workflows.messages.policy import PaymentPolicy
from workflows.messages.requests import BankTransfer
from workflows.rules.closing import as_paid
from workflows.rules.legs import GATEWAY, AlertKind, Change, LegEvent, callback_source, officer_source


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    case_id: str
    at: datetime
    arrival: PaymentPolicy | None = None
    closing: Step | None = None
    account: str | None = None
    """Where an officer has stranded money sent on to."""
    waits: list[timedelta] = field(default_factory=list[timedelta])
    """What the gateway has said of when to ask again."""


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal, *, beyond_cap: bool) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.beyond_cap = beyond_cap


class MemoryPayments:
    """The payment activities. ``write_step`` writes the closing step; ``buyer_of`` tells whose case it is (R17)."""

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

    def settle(self, settling: Settle) -> Settled:
        """Bring the legs of a reserved payout forward, one after the other."""
        payout = settling.payout
        attempt = _Attempt(
            case_id=payout.case_id,
            at=settling.at,
            arrival=settling.arrival,
            closing=settling.closing,
            account=settling.account,
        )
        if settling.ask is Ask.RETRY:
            self._ledger.reserve_again(payout.model_copy(update={"waits": not settling.partly}), attempt.at)
        for leg in self._ledger.legs_of(payout.case_id):
            if closed := self._advance(attempt, leg, settling.ask):
                return closed
        settled = self._conclude(attempt)
        wait = max(attempt.waits, default=None)
        return settled.model_copy(update={"ask_again_after": wait}) if wait and not settled.closed else settled

    def enter_callback(self, entering: EnterCallback) -> Settled:
        """Enter a callback into the ledger; late, repeated and contradicting ones are taken as they come."""
        callback, closing = entering.callback, entering.closing
        found = self._ledger.find(callback.refund_no)
        if found is None or (closing and closing.case.case_id != found.payout.case_id):
            legs = self._ledger.legs_of(closing.case.case_id) if closing else ()
            explanation = "the case has no refund of this number"
            return Settled(legs=legs, refusal=_refusal("unknown_refund", "refund_no", explanation))
        attempt = _Attempt(case_id=found.payout.case_id, at=entering.at, arrival=entering.arrival, closing=closing)
        answer = GatewayAnswer(
            refund_no=callback.refund_no,
            result=callback.result,
            attempt=callback.attempt,
            gateway_ref=callback.gateway_ref,
            failure=callback.failure,
            raw=callback.raw,
        )
        source = callback_source(callback.key)
        event = said(attempt, found.status(), answer, source=source, as_of=callback.settled_at)
        _, closed = self._record(attempt, callback.refund_no, event)
        return closed or self._conclude(attempt)

    def settle_manually(self, settling: SettleManually) -> Settled:
        """Record that an officer, or the platform in advance, pays the legs that have not succeeded."""
        case_id, ledger = settling.payout.case_id, self._ledger
        undecided = _Attempt(case_id=case_id, at=settling.at)
        answers: dict[str, GatewayAnswer | NotFound | None] = {}
        asked = {leg.refund_no: leg for leg in ledger.legs_of(case_id) if not _paid(leg)}
        for leg in asked.values():
            answer = self._gateway.inquire(self._instruction(leg), settling.at)
            answers[leg.refund_no] = answer
            if isinstance(answer, GatewayAnswer):
                self._record(undecided, leg.refund_no, answered(undecided, leg, answer))
        legs = ledger.legs_of(case_id)
        left = [leg for leg in legs if not _paid(leg)]
        paid_meanwhile = [leg for leg in legs if _paid(leg) and leg.refund_no in asked]
        transferred = settling.paid_by is PaidBy.OFFICER
        if not left or (paid_meanwhile and transferred):
            if transferred:
                self._keep_proof(AlertKind.PAID_TWICE, settling, paid_meanwhile or legs)
            explanation = "the gateway or another officer has paid meanwhile"
            return Settled(legs=legs, refusal=_refusal("already_paid", "command", explanation))
        if any(is_stranded(leg) for leg in left):
            explanation = "the gateway holds the money: retry_payment with an account sends it on"
            return Settled(legs=legs, refusal=_refusal("money_stranded", "command", explanation))
        if not all(may_be_paid_by_hand(asked.get(leg.refund_no), leg, answers.get(leg.refund_no)) for leg in left):
            explanation = "the gateway may still pay: ask it again before paying by hand"
            return Settled(legs=legs, refusal=_refusal("outcome_open", "command", explanation))
        before = ledger.kept(settling.payout.fund)
        try:
            less = self._pay_by_hand(settling)
        except _RefusedError as refused:
            ledger.undo(settling.payout.fund, before)
            if transferred and refused.beyond_cap:
                self._keep_proof(AlertKind.PAID_BEYOND_CAP, settling, left)
            return Settled(legs=legs, refusal=refused.refusal)
        if less and transferred and settling.amount is None:  # what the page showed may have been transferred
            self._keep_proof(AlertKind.PAID_BEYOND_CAP, settling, less)
        return self._conclude(_Attempt(case_id=case_id, at=settling.at, closing=settling.closing))

    def _advance(self, attempt: _Attempt, leg: LegStatus, ask: Ask) -> Settled | None:
        match leg.state, ask:
            case LegState.RESERVED, Ask.INQUIRE:
                return self._ask_before_sending(attempt, leg)
            case LegState.RESERVED, _:
                return self._submit(attempt, leg)
            case ((LegState.SUBMITTED | LegState.UNKNOWN), _):
                return self._find_out(attempt, leg)
            case LegState.ABNORMAL, Ask.RETRY if is_stranded(leg):
                return self._redirect(attempt, leg)
            case LegState.ABNORMAL, Ask.RETRY:
                return self._submit(attempt, leg)
            case ((LegState.PROCESSING | LegState.ABNORMAL), (Ask.INQUIRE | Ask.RETRY)):
                return self._find_out(attempt, leg)
            case _:
                return None

    def _ask_before_sending(self, attempt: _Attempt, leg: LegStatus) -> Settled | None:
        match self._gateway.inquire(self._instruction(leg), attempt.at):
            case NotFound():
                return self._submit(attempt, leg)
            case answer:
                self._record(attempt, leg.refund_no, sending(attempt))
                return self._take(attempt, leg, answer)

    def _submit(self, attempt: _Attempt, leg: LegStatus) -> Settled | None:
        change, _ = self._record(attempt, leg.refund_no, sending(attempt))
        return self._send(attempt, leg) if change.moved else None

    def _find_out(self, attempt: _Attempt, leg: LegStatus) -> Settled | None:
        match self._gateway.inquire(self._instruction(leg), attempt.at):
            case GatewayAnswer() as answer:
                return self._take(attempt, leg, answer)
            case NotFound() if leg.state is LegState.PROCESSING:
                # It had taken it. Nothing is guessed: a person sends it again, or pays by hand.
                at = attempt.at
                event = LegEvent(says=LegState.ABNORMAL, source=GATEWAY, at=at, as_of=at, failure="not_found")
                self._record(attempt, leg.refund_no, event)
                return None
            case NotFound():
                change, _ = self._record(attempt, leg.refund_no, sending(attempt))
                return self._send(attempt, leg) if change.standing.state is LegState.SUBMITTED else None

    def _send(self, attempt: _Attempt, leg: LegStatus) -> Settled | None:
        try:
            answer = self._gateway.submit(self._instruction(leg), attempt.at)
        except NumberConflict:
            kind = AlertKind.NUMBER_CONFLICT
            event = LegEvent(says=LegState.ABNORMAL, source=GATEWAY, at=attempt.at, as_of=attempt.at, failure=kind)
            self._record(attempt, leg.refund_no, event)
            self._ledger.alert(kind, attempt.case_id, leg.refund_no, GATEWAY, attempt.at)
            return None
        except NotSent as error:  # it stays marked as sent, and whoever comes next asks first
            attempt.waits.extend([error.retry_after] if error.retry_after else [])
            return None
        except GatewayUnreachable:
            _, closed = self._record(attempt, leg.refund_no, unanswered(attempt))
            return closed
        return self._take(attempt, leg, answer)

    def _redirect(self, attempt: _Attempt, leg: LegStatus) -> Settled | None:
        """Send money on that the gateway holds; where nobody has said where to, only ask how it stands."""
        if attempt.account is None:
            return self._find_out(attempt, leg)
        told = {"account": attempt.account, "buyer_id": self._buyer_of(attempt.case_id)}  # R17
        try:
            answer = self._gateway.redirect(self._instruction(leg).model_copy(update=told), attempt.at)
        except NotSent:
            return self._find_out(attempt, leg)
        return self._take(attempt, leg, answer)

    def _take(self, attempt: _Attempt, leg: LegStatus, answer: GatewayAnswer) -> Settled | None:
        _, closed = self._record(attempt, leg.refund_no, answered(attempt, leg, answer))
        return closed

    def _instruction(self, leg: LegStatus) -> RefundInstruction:
        booked = self._ledger.find(leg.refund_no)
        if booked is None:
            raise KeyError(leg.refund_no)
        payout = booked.payout
        account = payout.method.account if isinstance(payout.method, BankTransfer) else None
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
            payer=payout.payer,
        )

    def _record(self, attempt: _Attempt, refund_no: str, event: LegEvent) -> tuple[Change, Settled | None]:
        """Enter an event; with the last success, the closing step."""
        change = self._ledger.record(refund_no, event)
        closes = change.moved and change.standing.state is LegState.SUCCEEDED and attempt.closing
        return change, self._close(attempt) if closes else None

    def _conclude(self, attempt: _Attempt) -> Settled:
        closed = self._close(attempt) if attempt.closing else None
        return closed or Settled(legs=self._ledger.legs_of(attempt.case_id))

    def _close(self, attempt: _Attempt) -> Settled | None:
        """Record the closing step if all legs have succeeded."""
        legs = self._ledger.legs_of(attempt.case_id)
        if attempt.closing is None or not legs or not all(_paid(leg) for leg in legs):
            return None
        stepped = self._write_step(as_paid(attempt.closing, _sum(legs)))  # R14
        return Settled.made_of(legs=legs, closed=stepped.written, number=stepped.number)

    def _pay_by_hand(self, settling: SettleManually) -> list[LegStatus]:
        """Pay all that is not paid, as far as it is left (R14); those legs that pay less than what has failed."""
        payout, ledger = settling.payout, self._ledger
        again = ledger.reserve_again(payout, settling.at)
        if again.held:
            explanation = "payments in flight hold what is left"
            raise _RefusedError(_refusal("no_room", "command", explanation, rule="R8"), beyond_cap=True)
        unpaid = [leg for leg in ledger.legs_of(payout.case_id) if not _paid(leg)]
        if not unpaid:
            explanation = "others have been paid all of it meanwhile: retry_payment or close_case ends the case"
            raise _RefusedError(_refusal("no_room", "command", explanation, rule="R14"), beyond_cap=True)
        if settling.amount is not None and settling.amount != _sum(unpaid):
            refusal = _refusal("amount_differs", "amount", f"{_sum(unpaid)} minor units are left to pay", rule="R14")
            raise _RefusedError(refusal, beyond_cap=settling.amount > _sum(unpaid))
        sent_at = settling.transferred_at or settling.at  # R18: what is told is booked as told
        for leg in unpaid:
            for state, as_of, paid_by in (
                (LegState.MANUAL, settling.at, None),
                (LegState.SUCCEEDED, sent_at, settling.paid_by),
            ):
                event = LegEvent(
                    says=state,
                    source=officer_source(settling.officer.id),
                    at=settling.at,
                    as_of=as_of,
                    paid_by=paid_by,
                    reason=settling.reason,
                    proof=settling.proof,
                )
                ledger.record(leg.refund_no, event)
        instead = {leg.refund_no for leg in again.instead}
        return [leg for leg in unpaid if leg.refund_no in instead] if again.retired else []

    def _keep_proof(self, kind: AlertKind, settling: SettleManually, legs: Iterable[LegStatus]) -> None:
        for leg in legs:
            self._ledger.alert(kind, settling.payout.case_id, leg.refund_no, settling.proof, settling.at)


def _sum(legs: Iterable[LegStatus]) -> int:
    return sum(leg.amount for leg in legs)


def _paid(leg: LegStatus) -> bool:
    return leg.state is LegState.SUCCEEDED


def _refusal(code: str, field: str, explanation: str, *, rule: str = "section 10") -> Refusal:
    return Refusal(code=code, field=field, rule=rule, explanation=explanation)
