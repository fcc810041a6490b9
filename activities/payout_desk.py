"""The gateway and the ledger in PostgreSQL, as payments use them: each entry a transaction of its own (section 10).

No transaction is open while the gateway is called.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import asyncpg

from activities.advancing import Attempt, Heard
from activities.gateway_answers import NumberTaken, Unknown
from activities.gateways.limits import NO_LIMITS, Considered, Limits, Objection, objection
from activities.gateways.payment import GatewayAnswer, NotFound, RefundInstruction
from activities.measures import Measures
from activities.payment_calls import PaymentCalls
from activities.postgres import alerts, case_rows, casebook, ledger
from activities.postgres.connection import Connection
from activities.postgres.instructions import instruction
from activities.postgres.repeated_steps import AnotherWay
from activities.tally import Tally
from workflows.messages.cases import Step
from workflows.messages.payouts import LegState, LegStatus, Payout
from workflows.messages.settlements import Settled
from workflows.rules.closing import as_paid
from workflows.rules.legs import GATEWAY, AlertKind, Change, LegEvent
from workflows.rules.paying import all_paid


class PayoutDesk:
    """See ``Desk``.

    Args:
        pool: Our database.
        gateway: Who pays.
        limits: What the provider takes (X6).
        measures: Counts what was paid.
        wake_notices: Called after a commit that has queued notices; must not block or raise.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        gateway: PaymentCalls,
        limits: Limits,
        measures: Measures,
        wake_notices: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._gateway = gateway
        self._limits = limits
        self._measures = measures
        self._wake_notices = wake_notices

    async def legs(self, payout: Payout, closing: Step) -> tuple[LegStatus, ...]:
        """How the legs of a reserved payout stand; none where nothing is left of it.

        Raises:
            LedgerContradiction: it was never reserved.
            StepOutOfOrder: the book lacks steps before ``closing``.
        """
        async with self._pool.acquire() as connection:
            legs = await ledger.legs_if_reserved(connection, payout.case_id, payout.number)
            if legs is None:
                await casebook.nothing_is_missing(connection, closing)
                raise ledger.LedgerContradiction(f"payout {payout.number} of {payout.case_id} is not reserved")
        return legs

    async def rest(self, leg: LegStatus) -> timedelta | None:
        """See Desk."""
        return None if self._gateway.unhindered else self._gateway.rest(await self._instruction(leg))

    async def objection(self, leg: LegStatus, at: datetime) -> Objection | None:
        """See Desk."""
        if self._limits is NO_LIMITS:
            return None
        return objection(self._limits, _considered(await self._instruction(leg)), at)

    async def inquire(
        self, leg: LegStatus, at: datetime, *, pressing: bool = False
    ) -> GatewayAnswer | NotFound | NumberTaken | Unknown:
        """See Desk; a ``pressing`` inquiry is made whatever rests."""
        return await self._gateway.inquire(await self._instruction(leg), at, pressing=pressing)

    async def submit(self, leg: LegStatus, at: datetime) -> Heard:
        """See Desk."""
        return await self._gateway.submit(await self._instruction(leg), at)

    async def redirect(self, attempt: Attempt, leg: LegStatus, account: str) -> Heard:
        """See Desk."""
        async with self._pool.acquire() as connection:
            told = await instruction(connection, leg.refund_no)
            case = await case_rows.find(connection, attempt.case_id)
        # R17: whose account it must be, by our own book.
        update = {"account": account, "buyer_id": case.buyer_id if case else None}
        return await self._gateway.redirect(told.model_copy(update=update), attempt.at)

    async def report_conflict(self, attempt: Attempt, leg: LegStatus, event: LegEvent) -> None:
        """See Desk."""
        tally, kind = Tally(), AlertKind.NUMBER_CONFLICT
        async with self._pool.acquire() as connection, connection.transaction():
            await ledger.record(connection, leg.refund_no, event, tally)
            evidence = event.raw or GATEWAY
            await alerts.raise_alert(connection, kind, attempt.case_id, leg.refund_no, evidence, attempt.at)
        self._measures.committed(tally)

    async def tell_of_conflict(self, attempt: Attempt, leg: LegStatus, source: str) -> None:
        """Raise the alert that the number is another refund's; the leg stays as it is until the gateway is asked."""
        async with self._pool.acquire() as connection, connection.transaction():
            kind = AlertKind.NUMBER_CONFLICT
            await alerts.raise_alert(connection, kind, attempt.case_id, leg.refund_no, source, attempt.at)

    async def record(self, attempt: Attempt, leg: LegStatus, event: LegEvent) -> tuple[Change, Settled | None]:
        """See Desk; both are one transaction."""
        closed: Settled | None = None
        out_of_order: casebook.StepOutOfOrder | None = None
        tally = Tally()
        async with self._pool.acquire() as connection, connection.transaction():
            change = await ledger.record(connection, leg.refund_no, event, tally)
            if change.moved and change.standing.state is LegState.SUCCEEDED and attempt.closing:
                try:
                    closed = await close(connection, attempt.case_id, attempt.number, attempt.closing, tally)
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

    async def conclude(self, attempt: Attempt) -> Settled:
        """How the payout stands. If all was paid before, the closing step may be missing still."""
        closed: Settled | None = None
        tally = Tally()
        async with self._pool.acquire() as connection, connection.transaction():
            legs = await ledger.lock_payout(connection, attempt.case_id, attempt.number)
            if attempt.closing:
                closed = await close(connection, attempt.case_id, attempt.number, attempt.closing, tally)
        self._measures.committed(tally)
        if closed:
            self._wake_notices()
        return closed or Settled(legs=legs)

    async def _instruction(self, leg: LegStatus) -> RefundInstruction:
        async with self._pool.acquire() as connection:
            return await instruction(connection, leg.refund_no)


async def close(
    connection: Connection, case_id: str, number: int, closing: Step, tally: Tally | None = None
) -> Settled | None:
    """Record the closing step if all legs have succeeded. Who records a success holds the fund's lock."""
    legs = await ledger.legs_of(connection, case_id, number)
    if not all_paid(legs):
        return None
    stepped = await casebook.write_step(connection, as_paid(closing, legs), tally=tally)  # R14
    return Settled(legs=legs, closed=stepped.written, number=stepped.number, ahead=stepped.ahead, fenced=stepped.fenced)


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
