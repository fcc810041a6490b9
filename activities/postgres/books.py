"""Both books side by side: our ledger and the payment gateway's, for people who want to see every fen."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import date, datetime, timedelta

import asyncpg

from activities.gateways.daily_book import DailyBook
from activities.gateways.payment import OpenBook, PaymentGateway, StatementLine
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres import ledger, statement_days
from activities.postgres.ledger import BookedLeg
from workflows.messages.commands import GatewayResult
from workflows.messages.message import Message
from workflows.messages.money import Currency, Minor
from workflows.messages.payouts import LegState, PaidBy
from workflows.rules.compensation import is_compensation

_PAGE = 500


class BookLine(Message):
    """One refund number on both books; None for the book that does not have it. Amounts in minor units."""

    refund_no: str
    case_id: str | None
    currency: Currency
    ours: Minor | None
    our_state: LegState | None
    paid_by: PaidBy | None
    compensation: bool = False
    """Not a refund (L3)."""
    theirs: Minor | None
    their_result: GatewayResult | None
    equal: bool
    """Both say that the gateway has paid this amount, or both say that it has not."""


class BookTotal(Message):
    """What was paid in one currency, in minor units."""

    currency: Currency
    ours: Minor
    """By the gateway, says our ledger."""
    by_hand: Minor
    """By the platform or an officer; the gateway knows nothing of it."""
    compensation: Minor = 0
    """What of ``ours`` and ``by_hand`` is compensation; the rest are refunds (L3)."""
    theirs: Minor
    """By the gateway, says the gateway."""


class Books(Message):
    """Both books at one moment."""

    lines: tuple[BookLine, ...]
    totals: tuple[BookTotal, ...]
    equal: bool
    """Every line is."""


async def side_by_side(pool: asyncpg.Pool, gateway: OpenBook, as_of: datetime) -> Books:
    """Both books in full, by refund number; the gateway's as they stand at ``as_of`` (business time, UTC).

    Raises:
        GatewayUnreachable: the gateway does not answer.
    """
    ours = {leg.refund_no: leg async for leg in _our_legs(pool)}
    theirs = {line.refund_no: line async for line in _their_lines(gateway, as_of)}
    return _beside(ours, theirs)


async def one_day(pool: asyncpg.Pool, gateway: PaymentGateway, day: date) -> Books:
    """One day of the provider's statement, and what our ledger has under the same refund numbers (X5).

    Raises:
        NotPublished: there is none yet.
        Exception: the statement cannot be read.
    """
    theirs = {line.refund_no: line async for line in gateway.statement(day)}
    async with pool.acquire() as connection:
        ours = await statement_days.legs_of(connection, list(theirs))
    return _beside(ours, theirs)


def _beside(ours: Mapping[str, BookedLeg], theirs: Mapping[str, StatementLine]) -> Books:
    lines = tuple(_line(number, ours.get(number), theirs.get(number)) for number in sorted({*ours, *theirs}))
    currencies = sorted({line.currency for line in lines})
    return Books(
        lines=lines,
        totals=tuple(_total(currency, ours.values(), theirs.values()) for currency in currencies),
        equal=all(line.equal for line in lines),
    )


def book_of(pool: asyncpg.Pool, gateway: PaymentGateway) -> OpenBook:
    """The gateway's whole book: as it can be read by number, or else as it is published by day."""
    if isinstance(gateway, PaymentGatewayStub):
        return gateway
    return DailyBook(gateway, lambda: _day_of_first_leg(pool))


async def _day_of_first_leg(pool: asyncpg.Pool) -> date | None:
    """A day early, because the provider's calendar may be behind ours."""
    first: datetime | None = await pool.fetchval("SELECT min(reserved_at) FROM ledger.legs")
    return first and (first - timedelta(days=1)).date()


async def _our_legs(pool: asyncpg.Pool) -> AsyncGenerator[BookedLeg]:
    after = ""
    while True:
        async with pool.acquire() as connection:
            page = await ledger.page(connection, after, _PAGE)
        for leg in page:
            yield leg
        if len(page) < _PAGE:
            return
        after = page[-1].refund_no


async def _their_lines(gateway: OpenBook, as_of: datetime) -> AsyncGenerator[StatementLine]:
    after = ""
    while True:
        page = await gateway.page(after, _PAGE, as_of)
        for line in page:
            yield line
        if len(page) < _PAGE:
            return
        after = page[-1].refund_no


def _line(number: str, ours: BookedLeg | None, theirs: StatementLine | None) -> BookLine:
    known = ours or theirs
    assert known is not None
    return BookLine(
        refund_no=number,
        case_id=ours.case_id if ours else None,
        currency=known.currency,
        ours=ours.amount if ours else None,
        our_state=ours.state if ours else None,
        paid_by=ours.paid_by if ours else None,
        compensation=ours is not None and is_compensation(ours.fund),
        theirs=theirs.amount if theirs else None,
        their_result=theirs.result if theirs else None,
        equal=_paid_by_gateway(ours) == _paid(theirs),
    )


def _paid_by_gateway(leg: BookedLeg | None) -> tuple[int, str] | None:
    return (leg.amount, leg.currency) if leg and leg.paid_by is PaidBy.GATEWAY else None


def _paid(line: StatementLine | None) -> tuple[int, str] | None:
    return (line.amount, line.currency) if line and line.result is GatewayResult.SUCCEEDED else None


def _total(currency: str, ours: Iterable[BookedLeg], theirs: Iterable[StatementLine]) -> BookTotal:
    own = [leg for leg in ours if leg.currency == currency]
    return BookTotal(
        currency=currency,
        ours=sum(leg.amount for leg in own if leg.paid_by is PaidBy.GATEWAY),
        by_hand=sum(leg.amount for leg in own if leg.paid_by in {PaidBy.PLATFORM, PaidBy.OFFICER}),
        compensation=sum(leg.amount for leg in own if leg.paid_by and is_compensation(leg.fund)),
        theirs=sum(
            line.amount for line in theirs if line.currency == currency and line.result is GatewayResult.SUCCEEDED
        ),
    )
