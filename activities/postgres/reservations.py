"""Taking room in a fund: a payout's first reservation, and that of legs that have failed (R8, R14).

Every function works inside the caller's transaction and holds the fund's row lock until the commit.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from activities.postgres import allowances, matters, past_funds, pieces
from activities.postgres.connection import Connection
from activities.postgres.ledger import LedgerContradiction, legs_if_reserved, legs_of, parts_of, record, retire
from activities.postgres.purses import purses_of
from activities.tally import Tally
from workflows.messages.payouts import (
    Leg,
    LegState,
    PaidBy,
    Part,
    Payout,
    Reservation,
    ReserveResult,
    TenderKind,
)
from workflows.messages.pieces import PieceUse
from workflows.messages.requests import BankTransfer
from workflows.rules.allocation import (
    Again,
    FundPart,
    held_by,
    missing_parts,
    payer_of,
    plan_again,
    plan_legs,
    still_owed,
    without_own,
)
from workflows.rules.identity import order_of_fund
from workflows.rules.legs import US, LegEvent
from workflows.rules.paid_before import but_for_goods_back, disputes_that_count

NO_ROOM = "no_room"
"""The failure of a leg that was to be tried again and whose room others have, or hold, meanwhile (R8)."""


async def reserve(connection: Connection, payout: Payout, at: datetime, tally: Tally | None = None) -> ReserveResult:
    """Take the room that a payout needs in its fund, as far as there is any (R8, R14).

    Of a payout with a ``remainder`` that is what is missing under the fund's lock (D8); nothing is taken where
    nothing is. Reserving the same payout again gives its legs as they stand, whatever has been paid since.

    What was paid with an allowance is back in it with this, and its leg has succeeded; while a withdrawal of it is open
    it is waited for (A7).

    Raises:
        LedgerContradiction: the fund is not open or has another currency, or the payout was reserved with
            another amount.
    """
    await _lock_fund(connection, payout)
    legs = await legs_if_reserved(connection, payout.case_id, payout.number)
    if legs:
        if sum(leg.amount for leg in legs) > payout.amount:
            raise LedgerContradiction(f"payout {payout.number} of {payout.case_id} has another amount")
        return ReserveResult(reservation=Reservation.RESERVED, legs=legs)
    if legs is not None:  # nothing was left of it since
        return ReserveResult(reservation=Reservation.EXHAUSTED)
    fund = await _with_purses(connection, payout, await parts_of(connection, payout.fund))
    counted = await _counted(connection, payout, fund)
    match plan_legs(payout, fund, counted):
        case Reservation.CONTENDED:
            return ReserveResult(reservation=Reservation.CONTENDED, held_by=held_by(fund))
        case Reservation() as refused:
            return ReserveResult(reservation=refused)
        case planned:
            await _take(connection, payout, planned, fund, at, tally)
    return ReserveResult(
        reservation=Reservation.RESERVED,
        due=sum(missing_parts(payout.model_copy(update={"waits": True}), counted).values()),
        legs=await legs_of(connection, payout.case_id, payout.number),
    )


async def reserve_again(connection: Connection, payout: Payout, at: datetime, tally: Tally | None = None) -> Again:
    """Take the room anew of a payout's legs that have failed, as far as there is any (R8, R14, section 10).

    A leg whose room is there is reserved under its number. One of which less is left is retired, and what is left is
    reserved by new legs. Where payments in flight hold the room, the leg stays as it is, with the failure ``no_room``,
    unless the payout does not wait.
    """
    await _lock_fund(connection, payout)
    rows = await connection.fetch(
        """
        SELECT refund_no, part, leg_parts.amount, (SELECT count(*) FROM ledger.legs AS all_legs
               WHERE all_legs.case_id = $1 AND all_legs.payout = $2)::integer AS legs
        FROM ledger.legs JOIN ledger.leg_parts USING (refund_no)
        WHERE case_id = $1 AND payout = $2 AND state = 'failed' AND retired_at IS NULL
        ORDER BY leg, part
        """,
        payout.case_id,
        payout.number,
    )
    failed: dict[str, list[Part]] = {}
    for row in rows:
        failed.setdefault(row["refund_no"], []).append(Part(name=row["part"], amount=row["amount"]))
    if not failed:
        return Again()
    fund = await parts_of(connection, payout.fund)
    own = await parts_of(connection, payout.fund, [payout.case_id])
    counted = await _counted(connection, payout, fund)
    owed = still_owed(payout, counted, own)
    parts = await _with_purses(connection, payout, without_own(fund, own))
    again = plan_again(payout, failed, parts, owed=owed, first=rows[0]["legs"] + 1)
    for number in again.kept:
        await record(connection, number, LegEvent(says=LegState.RESERVED, source=US, at=at, as_of=at))
    for number in (*again.held, *again.retired):
        await record(connection, number, LegEvent(says=LegState.FAILED, source=US, at=at, as_of=at, failure=NO_ROOM))
    await retire(connection, again.retired, at)
    await _take(connection, payout, again.instead, parts, at, tally)
    return again


async def _counted(connection: Connection, payout: Payout, fund: tuple[FundPart, ...]) -> tuple[FundPart, ...]:
    """The fund, with what counts as paid already of a remainder (D8): see ``Remainder``."""
    order_no = order_of_fund(payout.fund)
    if payout.remainder is None or order_no is None:
        return fund
    if counts := payout.remainder.counts:
        others = await matters.of_order(connection, order_no, besides=[payout.case_id])
        return await parts_of(connection, payout.fund, [counts, *disputes_that_count(counts, others)])
    holders = await pieces.holders(connection, order_no, besides=[payout.case_id])
    back = [each for each in holders if each.pieces.use is PieceUse.BACK]
    paid = {each.case_id: await parts_of(connection, payout.fund, [each.case_id]) for each in back}
    return but_for_goods_back(fund, ((each.pieces, paid[each.case_id]) for each in back))


async def _with_purses(connection: Connection, payout: Payout, parts: Iterable[FundPart]) -> tuple[FundPart, ...]:
    """The parts, with how the allowances stand that the order was paid with; these are locked (A7)."""
    parts = tuple(parts)
    order_no = order_of_fund(payout.fund)
    if order_no is None or all(part.tender_kind is not TenderKind.ALLOWANCE for part in parts):
        return parts
    purses = await purses_of(connection, order_no, for_update=True)
    return tuple(replace(part, purse=purses.get(part.tender)) if part.tender else part for part in parts)


async def _take(
    connection: Connection,
    payout: Payout,
    legs: Iterable[Leg],
    parts: Iterable[FundPart],
    at: datetime,
    tally: Tally | None,
) -> None:
    """Reserve legs; of those that no provider is told of, do what they say (A7)."""
    purses = {part.tender: part.purse for part in parts if part.purse}
    for leg in legs:
        await _insert_leg(connection, payout, leg, at)
        if leg.booked is None:
            continue
        purse = purses[leg.tender]
        if leg.booked is PaidBy.ALLOWANCE:
            await allowances.give_back(connection, purse, leg.amount)
        done = LegEvent(says=LegState.SUCCEEDED, source=US, at=at, as_of=at, paid_by=leg.booked)
        await record(connection, leg.refund_no, done, tally)


async def _lock_fund(connection: Connection, payout: Payout) -> None:
    locking = "SELECT currency FROM ledger.funds WHERE fund = $1 FOR UPDATE"
    currency = await connection.fetchval(locking, payout.fund)
    if currency is None and await past_funds.bring_back(connection, payout.fund):
        currency = await connection.fetchval(locking, payout.fund)
    if currency != payout.currency:
        raise LedgerContradiction(f"no fund {payout.fund} in {payout.currency} is open")


async def _insert_leg(connection: Connection, payout: Payout, leg: Leg, at: datetime) -> None:
    transfer = payout.method if isinstance(payout.method, BankTransfer) and leg.tender is None else None
    reserved = LegEvent(says=LegState.RESERVED, source=US, at=at, as_of=at)
    await connection.execute(
        """
        WITH its_parts AS (
            INSERT INTO ledger.leg_parts (refund_no, part, amount)
            SELECT $1, part, amount FROM unnest($14::text[], $15::bigint[]) AS given (part, amount)
        ), said AS (
            INSERT INTO ledger.leg_events (refund_no, seq, says, source, at, as_of, attempt, returned)
            VALUES ($1, 1, $16, $17, $13, $13, $18, $19)
        )
        INSERT INTO ledger.legs (refund_no, case_id, payout, leg, fund, merchant_id, currency, amount, route,
                                 tender, tender_kind, account_ref, payer, state, reserved_at, principal)
        VALUES ($1, $2, $3, (SELECT count(*) + 1 FROM ledger.legs WHERE case_id = $2 AND payout = $3),
                $4, $5, $6, $7, $8, $9, $10, $11, $12, $16, $13, $20)
        """,
        leg.refund_no,
        payout.case_id,
        payout.number,
        payout.fund,
        payout.merchant_id,
        payout.currency,
        leg.amount,
        transfer.route if transfer else "original",
        leg.tender,
        leg.tender_kind,
        transfer.account if transfer else None,
        payer_of(payout, leg),
        at,
        [part.name for part in leg.parts],
        [part.amount for part in leg.parts],
        reserved.says,
        reserved.source,
        reserved.attempt,
        reserved.returned,
        leg.principal,
    )
