"""The money leg: sending, asking, retrying, and paying by hand (section 10).

What keeps a payout from being paid twice:

- Each leg has one refund number for life, and the gateway takes a number once. Two attempts at the same
  time, or one after a crash, therefore pay once, whatever they do.
- ``submitted`` is committed before the gateway is called. Whoever finds a leg submitted that it has not marked
  itself asks first, and sends again, under the same number, only what the gateway does not know.
- No answer is written down as ``unknown``. It is never taken for a failure, so its room stays taken (R8).

A provider that is down is left alone: what is to be sent to it then stays as it is, not marked as sent and under the
same attempt's number, and the activity is tried again when the provider is.

No transaction is open while the gateway is called.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities import missing_steps
from activities.gateway_answers import answered, is_stranded, may_be_paid_by_hand, said, sending, unanswered
from activities.gateways.limits import NO_LIMITS, Considered, Objection, objection
from activities.gateways.payment import (
    GIVE_UP_AFTER,
    GatewayAnswer,
    NotFound,
    PaymentGateway,
    RefundInstruction,
)
from activities.measures import Measures
from activities.payment_calls import PaymentCalls, TurnedAway, Unknown
from activities.postgres import alerts, casebook, ledger, reservations
from activities.postgres.connection import Connection
from activities.postgres.instructions import instruction
from activities.postgres.repeated_steps import AnotherWay
from activities.returned import open_again
from activities.tally import Tally
from workflows.messages.activities import enter_callback, settle, settle_manually
from workflows.messages.cases import EnterCallback, Refusal, Settle, Settled, SettleManually, Step
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import Ask, LegState, LegStatus, PaidBy, Payout
from workflows.messages.policy import PaymentPolicy
from workflows.rules.closing import as_paid
from workflows.rules.legs import (
    GATEWAY,
    US,
    AlertKind,
    Change,
    LegEvent,
    callback_source,
    officer_source,
)

RESTS_FOR: Final = timedelta(minutes=10)
"""So long the activity waits for a provider that is left alone. Then the case goes on: it hears commands and callbacks,
and asks again later."""
_ENDED: Final = frozenset({LegState.SUCCEEDED, LegState.FAILED})


class _RefusedError(Exception):
    """Undoes the reservations made so far."""

    def __init__(self, refusal: Refusal, *, beyond_cap: bool) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.beyond_cap = beyond_cap
        """Whether more has moved than may be booked, if money has moved (R8)."""


@dataclass(frozen=True, kw_only=True)
class _Entering:
    case_id: str
    number: int
    """Which of the case's payouts."""
    at: datetime
    arrival: PaymentPolicy | None = None
    closing: Step | None = None
    """What to record when the last leg succeeds; None where the case has ended, or decides it later."""


@dataclass(frozen=True, kw_only=True)
class _Attempt(_Entering):
    payout: Payout
    account: str | None = None
    """Where an officer has stranded money sent on to."""
    waits: list[timedelta] = field(default_factory=list[timedelta])
    """What the gateway has said of when to ask again."""


class Payments:
    """The payment activities.

    Args:
        pool: Our database.
        gateway: Who pays.
        wake_notices: Called after a commit that has queued notices; must not block or raise.
        gateway_timeout: Seconds that one call of the gateway may take; after that its outcome is unknown.
        measures: Counts what was paid.
        per_second: How often one account at the provider is called by this process; else as its limits say.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        gateway: PaymentGateway,
        wake_notices: Callable[[], None],
        *,
        gateway_timeout: float = GIVE_UP_AFTER.total_seconds(),
        measures: Measures | None = None,
        per_second: float | None = None,
    ) -> None:
        self._measures = measures or Measures()
        self._pool = pool
        self._limits = gateway.limits
        self._gateway = PaymentCalls(
            gateway, self._measures, gateway_timeout, per_second=per_second or gateway.limits.per_second
        )
        self._wake_notices = wake_notices

    @activity.defn(name=settle.__name__)
    async def settle(self, settling: Settle) -> Settled:
        """Bring the legs of a reserved payout forward, one after the other, each failing alone.

        Whatever is asked: what was never sent is sent, and what may have been sent is asked about.
        ``INQUIRE`` also asks about legs that the gateway has accepted or calls abnormal, and before it sends one.
        ``RETRY`` takes room anew for failed legs, as much as is left (R14), and sends them and the abnormal ones again.
        Legs whose room payments in flight hold stay failed, with the failure ``no_room``; where nothing is left of a
        leg it is retired. Without any leg left the answer has none, and the case decides how it ends.

        Raises:
            LedgerContradiction: the payout was never reserved.
            StepOutOfOrder, LastStepMissing: the book lacks steps that the case has taken.
            ApplicationError: the provider is left alone for a while; the error says when to try again.
            asyncpg.PostgresError, OSError: the database failed; the next attempt goes on from what is recorded.
        """
        async with missing_steps.told(self._pool, settling.payout.case_id):
            await self._wait_for_provider(settling)
            return await self._settle(settling)

    async def _wait_for_provider(self, settling: Settle) -> None:
        """Before anything is written: a retry that was begun must not be begun anew each time."""
        if self._gateway.unhindered or not activity.in_activity():
            return
        if datetime.now(UTC) - activity.info().scheduled_time > RESTS_FOR:
            return
        again = settling.ask is Ask.RETRY
        legs = [leg for leg in await self._legs(settling.payout, settling.closing) if leg.state not in _ENDED or again]
        rests = [self._gateway.rest(await self._instruction(leg)) for leg in legs if not _paid(leg)]
        rest = max((each for each in rests if each), default=None)
        if rest:
            # Not all at the same moment.
            delay = rest * random.uniform(1.0, 1.3)  # noqa: S311 -- no secret
            raise ApplicationError(
                f"the payment provider does not answer and is left alone: tried again in {delay.total_seconds():.0f} s",
                type="ProviderRests",
                category=ApplicationErrorCategory.BENIGN,
                next_retry_delay=delay,
            )

    async def _settle(self, settling: Settle) -> Settled:
        payout = settling.payout
        attempt = _Attempt(
            case_id=payout.case_id,
            number=payout.number,
            at=settling.at,
            arrival=settling.arrival,
            closing=settling.closing,
            payout=payout,
            account=settling.account,
        )
        ask = Ask.INQUIRE if settling.ask is Ask.SUBMIT and _was_reset(settling.closing) else settling.ask
        if settling.ask is Ask.RETRY:
            await self._reserve_failed(attempt, waits=not settling.partly)
        for leg in await self._legs(settling.payout, settling.closing):
            if closed := await self._advance(attempt, leg, ask):
                return closed
        settled = await self._conclude(attempt)
        wait = max(attempt.waits, default=None)
        return settled.model_copy(update={"ask_again_after": wait}) if wait and not settled.closed else settled

    @activity.defn(name=enter_callback.__name__)
    async def enter_callback(self, entering: EnterCallback) -> Settled:
        """Enter a callback into the ledger. Late, repeated and contradicting ones are taken as they come.

        A refund number that we never gave, or gave to another case than the one that closes, is refused
        (``unknown_refund``), and changes nothing.

        Raises:
            asyncpg.PostgresError, OSError: the database failed.
        """
        callback, closing = entering.callback, entering.closing
        async with self._pool.acquire() as connection:
            found = await ledger.payout_of(connection, callback.refund_no)
            if found is None or (closing and closing.case.case_id != found[0]):
                legs = await ledger.last_legs(connection, closing.case.case_id) if closing else ()
                explanation = "the case has no refund of this number"
                return Settled(legs=legs, refusal=_refusal("unknown_refund", "refund_no", explanation))
            leg = await ledger.leg_of(connection, callback.refund_no)
        assert leg is not None
        case_id, number = found
        attempt = _Entering(case_id=case_id, number=number, at=entering.at, arrival=entering.arrival, closing=closing)
        answer = GatewayAnswer(
            refund_no=callback.refund_no,
            result=callback.result,
            attempt=callback.attempt,
            gateway_ref=callback.gateway_ref,
            failure=callback.failure,
            raw=callback.raw,
        )
        event = said(attempt, leg, answer, source=callback_source(callback.key), as_of=callback.settled_at)
        async with missing_steps.told(self._pool, case_id):
            _, closed = await self._record(attempt, leg, event)
            settled = closed or await self._conclude(attempt)
        if entering.late and callback.result is GatewayResult.RETURNED:
            await self._open_again(case_id, settled, entering.at)
        return settled

    async def _open_again(self, case_id: str, settled: Settled, at: datetime) -> None:
        """Let an officer find another way for what came back, unless that was long ago and it is paid since."""
        if all(_paid(leg) for leg in settled.legs):
            return
        async with self._pool.acquire() as connection, connection.transaction():
            opened = await open_again(connection, case_id, at)
        if opened:
            self._wake_notices()

    @activity.defn(name=settle_manually.__name__)
    async def settle_manually(self, settling: SettleManually) -> Settled:
        """Record that an officer, or the platform in advance (先行赔付), pays the legs that have not succeeded.

        The gateway is asked about each of them first, because what it pays must not be paid a second time:

        - It has paid: that is recorded. A manual transfer is refused (``already_paid``) and raises the alert
          ``paid_twice`` with its proof. An advance covers what is left, and is refused if nothing is.
        - It cannot say, or an attempt may be sending: refused (``outcome_open``).
        - Of a leg that has failed what is left is paid (R14). A manual transfer of it raises the alert
          ``paid_beyond_cap`` with its proof, unless the officer has named the amount: more may have moved.
        - Nothing is left of it, or payments in flight hold it: refused (``no_room``), for a manual transfer with that
          alert.
        - The officer has named another amount than there is to pay: refused (``amount_differs``), with that alert
          where it is more.

        All open legs are paid or none. The same word with the same proof again changes nothing.

        Raises:
            LedgerContradiction: the payout was never reserved.
        """
        async with missing_steps.told(self._pool, settling.payout.case_id):
            return await self._settle_by_hand(settling)

    async def _settle_by_hand(self, settling: SettleManually) -> Settled:
        case_id, number = settling.payout.case_id, settling.payout.number
        undecided = _Entering(case_id=case_id, number=number, at=settling.at)
        if earlier := await self._carried_out_before(settling):
            return earlier
        answers: dict[str, GatewayAnswer | NotFound | Unknown] = {}
        asked = {leg.refund_no: leg for leg in await self._legs(settling.payout, settling.closing) if not _paid(leg)}
        for leg in asked.values():
            answer = await self._gateway.inquire(await self._instruction(leg), settling.at, pressing=True)
            answers[leg.refund_no] = answer
            if isinstance(answer, GatewayAnswer):
                await self._record(undecided, leg, answered(undecided, leg, answer))
        tally = Tally()
        async with self._pool.acquire() as connection, connection.transaction():
            legs = await ledger.lock_payout(connection, case_id, number)
            left = [leg for leg in legs if not _paid(leg)]
            paid_meanwhile = [leg for leg in legs if _paid(leg) and leg.refund_no in asked]
            transferred = settling.paid_by is PaidBy.OFFICER
            if not left or (paid_meanwhile and transferred):
                if transferred:
                    await self._keep_proof(connection, AlertKind.PAID_TWICE, settling, paid_meanwhile or list(legs))
                explanation = "the gateway or another officer has paid meanwhile"
                return Settled(legs=legs, refusal=_refusal("already_paid", "command", explanation))
            if any(is_stranded(leg) for leg in left):
                explanation = "the gateway holds the money: retry_payment with an account sends it on"
                return Settled(legs=legs, refusal=_refusal("money_stranded", "command", explanation))
            if not all(may_be_paid_by_hand(asked.get(leg.refund_no), leg, answers.get(leg.refund_no)) for leg in left):
                explanation = "the gateway may still pay: ask it again before paying by hand"
                return Settled(legs=legs, refusal=_refusal("outcome_open", "command", explanation))
            try:
                async with connection.transaction():
                    less = await _pay_by_hand(connection, settling, tally)
            except _RefusedError as refused:
                if transferred and refused.beyond_cap:
                    await self._keep_proof(connection, AlertKind.PAID_BEYOND_CAP, settling, left)
                return Settled(legs=legs, refusal=refused.refusal)
            if less and transferred and settling.amount is None:  # what the page showed may have been transferred
                await self._keep_proof(connection, AlertKind.PAID_BEYOND_CAP, settling, less)
            settled = await _close(connection, case_id, number, settling.closing, tally)
        self._measures.committed(tally)
        self._wake_notices()
        assert settled is not None
        return settled

    async def _legs(self, payout: Payout, closing: Step) -> tuple[LegStatus, ...]:
        async with self._pool.acquire() as connection:
            legs = await ledger.legs_of(connection, payout.case_id, payout.number)
            if not legs and not await ledger.was_reserved(connection, payout.case_id, payout.number):
                await casebook.nothing_is_missing(connection, closing)
                raise ledger.LedgerContradiction(f"payout {payout.number} of {payout.case_id} is not reserved")
        return legs

    async def _reserve_failed(self, attempt: _Attempt, *, waits: bool) -> None:
        payout = attempt.payout.model_copy(update={"waits": waits})
        async with self._pool.acquire() as connection, connection.transaction():
            await reservations.reserve_again(connection, payout, attempt.at)

    async def _advance(self, attempt: _Attempt, leg: LegStatus, ask: Ask) -> Settled | None:
        if leg.state not in _ENDED and not self._gateway.unhindered:
            rest = self._gateway.rest(await self._instruction(leg))
            if rest:  # it stays as it is: nothing was sent, and no number is used up
                attempt.waits.append(rest)
                return None
        match leg.state, ask:
            case LegState.RESERVED, Ask.INQUIRE:
                return await self._ask_before_sending(attempt, leg)
            case LegState.RESERVED, _:
                return await self._submit(attempt, leg)
            case ((LegState.SUBMITTED | LegState.UNKNOWN), _):
                return await self._find_out(attempt, leg)
            case LegState.ABNORMAL, Ask.RETRY if is_stranded(leg):
                return await self._redirect(attempt, leg)
            case LegState.ABNORMAL, Ask.RETRY:
                return await self._submit(attempt, leg)
            case ((LegState.PROCESSING | LegState.ABNORMAL), (Ask.INQUIRE | Ask.RETRY)):
                return await self._find_out(attempt, leg)
            case _:
                return None

    async def _ask_before_sending(self, attempt: _Attempt, leg: LegStatus) -> Settled | None:
        """A ledger that was restored to an earlier moment may have forgotten that this leg was sent."""
        match await self._gateway.inquire(await self._instruction(leg), attempt.at):
            case NotFound():
                return await self._submit(attempt, leg)
            case heard:
                await self._record(attempt, leg, sending(attempt))
                return await self._take(attempt, leg, heard)

    async def _submit(self, attempt: _Attempt, leg: LegStatus) -> Settled | None:
        if leg.state is LegState.RESERVED and (against := await self._objection(leg, attempt.at)):
            await self._record(attempt, leg, _not_taken(attempt, against))
            return None
        change, _ = await self._record(attempt, leg, sending(attempt))
        match change:
            case Change(moved=True):
                return await self._send(attempt, leg)
            case Change(standing=standing) if standing.state is LegState.SUBMITTED:
                # Another attempt was quicker, and may be sending at this moment.
                return await self._find_out(attempt, leg)
            case _:
                return None

    async def _find_out(self, attempt: _Attempt, leg: LegStatus) -> Settled | None:
        match await self._gateway.inquire(await self._instruction(leg), attempt.at):
            case GatewayAnswer() as answer:
                return await self._take(attempt, leg, answer)
            case NotFound() if leg.state is LegState.PROCESSING:
                # It had taken it. Nothing is guessed: a person sends it again, or pays by hand.
                event = LegEvent(
                    says=LegState.ABNORMAL, source=GATEWAY, at=attempt.at, as_of=attempt.at, failure="not_found"
                )
                await self._record(attempt, leg, event)
                return None
            case NotFound():
                change, _ = await self._record(attempt, leg, sending(attempt))
                return await self._send(attempt, leg) if change.standing.state is LegState.SUBMITTED else None
            case Unknown() as unknown:
                return await self._take(attempt, leg, unknown)

    async def _send(self, attempt: _Attempt, leg: LegStatus) -> Settled | None:
        return await self._take(attempt, leg, await self._gateway.submit(await self._instruction(leg), attempt.at))

    async def _redirect(self, attempt: _Attempt, leg: LegStatus) -> Settled | None:
        """Send money on that the gateway holds; where nobody has said where to, only ask how it stands."""
        if attempt.account is None:
            return await self._find_out(attempt, leg)
        told = (await self._instruction(leg)).model_copy(update={"account": attempt.account})
        told = told.model_copy(update={"buyer_id": await self._buyer_of(attempt)})  # R17
        match await self._gateway.redirect(told, attempt.at):
            case GatewayAnswer() as answer:
                return await self._take(attempt, leg, answer)
            case _:  # the money lies where it lay: nothing is put down, and it is asked about
                return await self._find_out(attempt, leg)

    async def _take(
        self, attempt: _Attempt, leg: LegStatus, heard: GatewayAnswer | TurnedAway | Unknown
    ) -> Settled | None:
        """Write down what was heard, and keep in mind when to ask again."""
        if heard.retry_after:
            attempt.waits.append(heard.retry_after)
        match heard:
            case GatewayAnswer():
                event = answered(attempt, leg, heard)
            case TurnedAway(number_is_used=True):
                return await self._conflict(attempt, leg)
            case TurnedAway():  # it stays marked as sent, and whoever comes next asks first
                return None
            case Unknown():
                event = unanswered(attempt)
        _, closed = await self._record(attempt, leg, event)
        return closed

    async def _objection(self, leg: LegStatus, at: datetime) -> Objection | None:
        """X6: what the provider is known not to take is not sent to it, and gives its room back."""
        if self._limits is NO_LIMITS:
            return None
        return objection(self._limits, _considered(await self._instruction(leg)), at)

    async def _instruction(self, leg: LegStatus) -> RefundInstruction:
        async with self._pool.acquire() as connection:
            return await instruction(connection, leg.refund_no)

    async def _buyer_of(self, attempt: _Entering) -> str | None:
        """R17: whose account it must be, by our own book."""
        async with self._pool.acquire() as connection:
            case = await casebook.find(connection, attempt.case_id)
        return case.buyer_id if case else None

    async def _conflict(self, attempt: _Entering, leg: LegStatus) -> None:
        """A person must look: the number is another refund's, so neither trying again nor a new one is right."""
        kind = AlertKind.NUMBER_CONFLICT
        event = LegEvent(says=LegState.ABNORMAL, source=GATEWAY, at=attempt.at, as_of=attempt.at, failure=kind)
        tally = Tally()
        async with self._pool.acquire() as connection, connection.transaction():
            await ledger.record(connection, leg.refund_no, event, tally)
            await alerts.raise_alert(connection, kind, attempt.case_id, leg.refund_no, GATEWAY, attempt.at)
        self._measures.committed(tally)

    async def _record(self, attempt: _Entering, leg: LegStatus, event: LegEvent) -> tuple[Change, Settled | None]:
        """Enter an event; with the last success, the closing step in the same transaction."""
        closed: Settled | None = None
        out_of_order: casebook.StepOutOfOrder | None = None
        tally = Tally()
        async with self._pool.acquire() as connection, connection.transaction():
            change = await ledger.record(connection, leg.refund_no, event, tally)
            if change.moved and change.standing.state is LegState.SUCCEEDED and attempt.closing:
                try:
                    closed = await _close(connection, attempt.case_id, attempt.number, attempt.closing, tally)
                except casebook.StepOutOfOrder as error:
                    if not isinstance(error.__cause__, AnotherWay):
                        raise
                    out_of_order = error  # nothing of the step was written; what was said of the money stays
        self._measures.committed(tally)
        if out_of_order:
            raise out_of_order
        if closed:
            self._wake_notices()
        return change, closed

    async def _conclude(self, attempt: _Entering) -> Settled:
        """How the payout stands. If all was paid before, the closing step may be missing still."""
        closed: Settled | None = None
        tally = Tally()
        async with self._pool.acquire() as connection, connection.transaction():
            legs = await ledger.lock_payout(connection, attempt.case_id, attempt.number)
            if attempt.closing:
                closed = await _close(connection, attempt.case_id, attempt.number, attempt.closing, tally)
        self._measures.committed(tally)
        if closed:
            self._wake_notices()
        return closed or Settled(legs=legs)

    async def _carried_out_before(self, settling: SettleManually) -> Settled | None:
        """What an earlier attempt of this activity came to, whose answer was lost."""
        case_id, number = settling.payout.case_id, settling.payout.number
        async with self._pool.acquire() as connection, connection.transaction():
            legs = await ledger.lock_payout(connection, case_id, number)
            if await ledger.paid_with(connection, case_id, number, settling.proof):
                return await _close(connection, case_id, number, settling.closing) or Settled(legs=legs)
            if await alerts.raised(connection, case_id, settling.proof, settling.at):
                explanation = "the proof is kept with an alert"
                return Settled(legs=legs, refusal=_refusal("already_paid", "command", explanation))
        return None

    async def _keep_proof(
        self, connection: Connection, kind: AlertKind, settling: SettleManually, legs: list[LegStatus]
    ) -> None:
        for leg in legs:
            await alerts.raise_alert(
                connection, kind, settling.payout.case_id, leg.refund_no, settling.proof, settling.at
            )


def _was_reset(closing: Step) -> bool:
    """Whether an earlier run may have sent what this one is about to send: the case names its first run."""
    return activity.in_activity() and activity.info().workflow_run_id != closing.case.run_id


async def _close(
    connection: Connection, case_id: str, number: int, closing: Step, tally: Tally | None = None
) -> Settled | None:
    """Record the closing step if all legs have succeeded. Who records a success holds the fund's lock."""
    legs = await ledger.legs_of(connection, case_id, number)
    if not legs or not all(_paid(leg) for leg in legs):
        return None
    stepped = await casebook.write_step(connection, as_paid(closing, _sum(legs)), tally=tally)  # R14
    return Settled(legs=legs, closed=stepped.written, number=stepped.number, ahead=stepped.ahead, fenced=stepped.fenced)


async def _pay_by_hand(connection: Connection, settling: SettleManually, tally: Tally) -> list[LegStatus]:
    """Pay all that is not paid, as far as it is left (R14); those legs that pay less than what has failed.

    Raises:
        _RefusedError: nothing is left or payments in flight hold it, or another amount was transferred.
    """
    payout = settling.payout
    again = await reservations.reserve_again(connection, payout, settling.at)
    if again.held:
        explanation = "payments in flight hold what is left"
        raise _RefusedError(_refusal("no_room", "command", explanation, rule="R8"), beyond_cap=True)
    legs = await ledger.legs_of(connection, payout.case_id, payout.number)
    unpaid = [leg for leg in legs if not _paid(leg)]
    if not unpaid:
        explanation = "others have been paid all of it meanwhile: retry_payment or close_case ends the case"
        raise _RefusedError(_refusal("no_room", "command", explanation, rule="R14"), beyond_cap=True)
    if settling.amount is not None and settling.amount != _sum(unpaid):
        explanation = f"{_sum(unpaid)} minor units are left to pay"
        refusal = _refusal("amount_differs", "amount", explanation, rule="R14")
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
            await ledger.record(connection, leg.refund_no, event, tally)
    instead = {leg.refund_no for leg in again.instead}
    return [leg for leg in unpaid if leg.refund_no in instead] if again.retired else []


def _sum(legs: Iterable[LegStatus]) -> int:
    return sum(leg.amount for leg in legs)


def _paid(leg: LegStatus) -> bool:
    return leg.state is LegState.SUCCEEDED


def _not_taken(attempt: _Entering, against: Objection) -> LegEvent:
    """Nothing was sent. It counts only while nobody has."""
    return LegEvent(says=LegState.FAILED, source=US, at=attempt.at, as_of=attempt.at, failure=against.code)


def _considered(told: RefundInstruction) -> Considered:
    charge = told.charge
    return Considered(
        amount=told.amount,
        currency=told.currency,
        original_route=told.account is None,
        charge_known=charge is not None,
        paid_at=charge.paid_at if charge else None,
        refunds=charge.refunds if charge else 0,
    )


def _refusal(code: str, field: str, explanation: str, *, rule: str = "section 10") -> Refusal:
    return Refusal(code=code, field=field, rule=rule, explanation=explanation)
