"""The payment activities: bringing a payout forward, entering callbacks, paying by hand (section 10).

How a leg is brought forward says ``activities.advancing``. A provider that is down is left alone: what is to be sent to
it then stays as it is, not marked as sent and under the same attempt's number, and the activity is tried again when the
provider is.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities import missing_steps
from activities.advancing import Attempt, bring_forward
from activities.gateway_answers import (
    NumberTaken,
    Unknown,
    answered,
    called_back,
    may_be_paid_by_hand,
    of_another_refund,
)
from activities.gateways.payment import GIVE_UP_AFTER, GatewayAnswer, NotFound, PaymentGateway
from activities.measures import Measures
from activities.payment_calls import PaymentCalls
from activities.payout_desk import PayoutDesk, close
from activities.postgres import alerts, ledger, reservations
from activities.postgres.connection import Connection
from activities.returned import open_again
from activities.tally import Tally
from workflows.messages.activities import enter_callback, settle, settle_manually
from workflows.messages.cases import Step
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import Ask, LegStatus
from workflows.messages.settlements import EnterCallback, Settle, Settled, SettleManually
from workflows.rules.legs import AlertKind, callback_source
from workflows.rules.number_conflicts import number_in_use
from workflows.rules.paying import is_ended, is_paid
from workflows.rules.paying_by_hand import (
    NotByHand,
    paid_by_hand,
    perhaps_paid_beyond,
    refused_by_hand,
    refused_for_room,
)
from workflows.rules.refusals import refused

RESTS_FOR: Final = timedelta(minutes=10)
"""So long the activity waits for a provider that is left alone. Then the case goes on: it hears commands and callbacks,
and asks again later."""


class _NoRoomError(Exception):
    """Undoes the reservations made so far."""

    def __init__(self, against: NotByHand) -> None:
        super().__init__(against.refusal.code)
        self.against = against


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
        self._gateway = PaymentCalls(
            gateway, self._measures, gateway_timeout, per_second=per_second or gateway.limits.per_second
        )
        self._wake_notices = wake_notices
        self._desk = PayoutDesk(pool, self._gateway, gateway.limits, self._measures, wake_notices)

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
        legs = await self._desk.legs(settling.payout, settling.closing)
        rests = [await self._desk.rest(leg) for leg in legs if not is_ended(leg) or (again and not is_paid(leg))]
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
        attempt = Attempt(
            case_id=payout.case_id,
            number=payout.number,
            at=settling.at,
            arrival=settling.arrival,
            closing=settling.closing,
            account=settling.account,
        )
        ask = Ask.INQUIRE if settling.ask is Ask.SUBMIT and _was_reset(settling.closing) else settling.ask
        if settling.ask is Ask.RETRY:
            retried, tally = payout.model_copy(update={"waits": not settling.partly}), Tally()
            async with self._pool.acquire() as connection, connection.transaction():
                await reservations.reserve_again(connection, retried, attempt.at, tally)
            self._measures.committed(tally)
        for leg in await self._desk.legs(payout, settling.closing):
            if closed := await bring_forward(self._desk, attempt, leg, ask):
                return closed
        settled = await self._desk.conclude(attempt)
        wait = max(attempt.waits, default=None)
        return settled.model_copy(update={"ask_again_after": wait}) if wait and not settled.closed else settled

    @activity.defn(name=enter_callback.__name__)
    async def enter_callback(self, entering: EnterCallback) -> Settled:
        """Enter a callback into the ledger. Late, repeated and contradicting ones are taken as they come.

        One of another amount is about another refund that has our number, and raises an alert (``number_conflict``):
        the case finds that out when it asks. A refund number that we never gave, or gave to another case than the one
        that closes, is refused (``unknown_refund``), and changes nothing.

        Raises:
            asyncpg.PostgresError, OSError: the database failed.
        """
        callback, closing = entering.callback, entering.closing
        async with self._pool.acquire() as connection:
            found = await ledger.payout_of(connection, callback.refund_no)
            if found is None or (closing and closing.case.case_id != found[0]):
                legs = await ledger.last_legs(connection, closing.case.case_id) if closing else ()
                explanation = "the case has no refund of this number"
                return Settled(legs=legs, refusal=refused("unknown_refund", "refund_no", "section 10", explanation))
            leg = await ledger.leg_of(connection, callback.refund_no)
        assert leg is not None
        case_id, number, _ = found
        attempt = Attempt(case_id=case_id, number=number, at=entering.at, arrival=entering.arrival, closing=closing)
        async with missing_steps.told(self._pool, case_id):
            if of_another_refund(callback, leg):
                await self._desk.tell_of_conflict(attempt, leg, callback_source(callback.key))
                return await self._desk.conclude(attempt)
            _, closed = await self._desk.record(attempt, leg, called_back(attempt, leg, callback))
            settled = closed or await self._desk.conclude(attempt)
        if entering.late and callback.result is GatewayResult.RETURNED:
            await self._open_again(case_id, number, settled, entering.at)
        return settled

    async def _open_again(self, case_id: str, number: int, settled: Settled, at: datetime) -> None:
        """Let an officer find another way for what came back, unless that was long ago and it is paid since."""
        if all(map(is_paid, settled.legs)):
            return
        async with self._pool.acquire() as connection, connection.transaction():
            opened = await open_again(connection, case_id, number, at)
        if opened:
            self._wake_notices()

    @activity.defn(name=settle_manually.__name__)
    async def settle_manually(self, settling: SettleManually) -> Settled:
        """Record that an officer, or the platform in advance (先行赔付), pays the legs that have not succeeded.

        The gateway is asked about each of them first, because what it pays must not be paid a second time:

        - It has paid: that is recorded. A manual transfer is refused (``already_paid``) and raises the alert
          ``paid_twice`` with its proof. An advance covers what is left, and is refused if nothing is.
        - It cannot say, or an attempt may be sending: refused (``outcome_open``).
        - It has another refund under the number: refused (``number_in_use``), unless the officer has seen what that is,
          and says whose. What the buyer has of it counts; more than there is to pay raises ``paid_beyond_cap``.
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
        undecided = Attempt(case_id=case_id, number=number, at=settling.at)
        if earlier := await self._carried_out_before(settling):
            return earlier
        answers: dict[str, GatewayAnswer | NotFound | NumberTaken | Unknown] = {}
        legs = await self._desk.legs(settling.payout, settling.closing)
        asked = {leg.refund_no: leg for leg in legs if not is_paid(leg)}
        for leg in asked.values():
            answer = await self._desk.inquire(leg, settling.at, pressing=True)
            answers[leg.refund_no] = answer
            match answer:
                case GatewayAnswer():
                    await self._desk.record(undecided, leg, answered(undecided, leg, answer))
                case NumberTaken(other=other):
                    await self._desk.report_conflict(undecided, leg, number_in_use(settling.at, other))
                case _:
                    pass
        others = {
            number: told.other for number, told in answers.items() if isinstance(told, NumberTaken) and told.other
        }
        tally = Tally()
        async with self._pool.acquire() as connection, connection.transaction():
            legs = await ledger.lock_payout(connection, case_id, number)
            certain = {
                leg.refund_no
                for leg in legs
                if may_be_paid_by_hand(asked.get(leg.refund_no), leg, answers.get(leg.refund_no))
            }
            against = refused_by_hand(settling, legs, asked, certain, others)
            if against is None:
                try:
                    async with connection.transaction():
                        await _pay_by_hand(connection, settling, legs, tally)
                except _NoRoomError as error:
                    against = error.against
            if against:
                if against.alert:
                    await _keep_proof(connection, against.alert, settling, against.about)
                return Settled(legs=legs, refusal=against.refusal)
            settled = await close(connection, case_id, number, settling.closing, tally)
        self._measures.committed(tally)
        self._wake_notices()
        assert settled is not None
        return settled

    async def _carried_out_before(self, settling: SettleManually) -> Settled | None:
        """What an earlier attempt of this activity came to, whose answer was lost."""
        case_id, number = settling.payout.case_id, settling.payout.number
        async with self._pool.acquire() as connection, connection.transaction():
            legs = await ledger.lock_payout(connection, case_id, number)
            if await ledger.paid_with(connection, case_id, number, settling.proof):
                return await close(connection, case_id, number, settling.closing) or Settled(legs=legs)
            if await alerts.raised(connection, case_id, settling.proof, settling.at):
                explanation = "the proof is kept with an alert"
                return Settled(legs=legs, refusal=refused("already_paid", "command", "section 10", explanation))
        return None


def _was_reset(closing: Step) -> bool:
    """Whether an earlier run may have sent what this one is about to send: the case names its first run."""
    return activity.in_activity() and activity.info().workflow_run_id != closing.case.run_id


async def _pay_by_hand(
    connection: Connection, settling: SettleManually, before: Sequence[LegStatus], tally: Tally
) -> None:
    """Pay all that is not paid, as far as it is left (R14).

    Raises:
        _NoRoomError: nothing is left or payments in flight hold it, or another amount was transferred.
    """
    payout = settling.payout
    again = await reservations.reserve_again(connection, payout, settling.at, tally)
    legs = await ledger.legs_of(connection, payout.case_id, payout.number)
    unpaid = [leg for leg in legs if not is_paid(leg)]
    if against := refused_for_room(settling, again, unpaid, [leg for leg in before if not is_paid(leg)]):
        raise _NoRoomError(against)
    for leg in unpaid:
        for event in paid_by_hand(settling):
            await ledger.record(connection, leg.refund_no, event, tally)
    await _keep_proof(connection, AlertKind.PAID_BEYOND_CAP, settling, perhaps_paid_beyond(settling, again, unpaid))


async def _keep_proof(
    connection: Connection, kind: AlertKind, settling: SettleManually, legs: Sequence[LegStatus]
) -> None:
    for leg in legs:
        await alerts.raise_alert(connection, kind, settling.payout.case_id, leg.refund_no, settling.proof, settling.at)
