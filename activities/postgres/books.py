"""Both books side by side: our ledger and the payment gateway's, for people who want to see every fen."""

from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias

import asyncpg

from activities.differing import of_another_refund, same_attempt
from activities.gateways.payment import NotPublished, OpenBook, PaymentGateway, StatementLine
from activities.postgres import statement_days, whole_ledger
from activities.postgres.whole_ledger import BookedLeg
from workflows.messages.commands import GatewayResult
from workflows.messages.message import Message
from workflows.messages.money import Currency, Minor
from workflows.messages.payouts import LegState, PaidBy
from workflows.rules.compensation import is_compensation

_Lines: TypeAlias = dict[tuple[str, int | None], StatementLine]
"""By refund number and attempt."""

_PAGE: Final = 500
MOST: Final = 50_000
"""Refunds that are held side by side at once."""


class TooManyLines(Exception):  # noqa: N818 -- it is a finding, not a fault
    """There are more refunds than can be held side by side: fewer days must be asked for."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most:,} refunds")


class BookLine(Message):
    """One refund number on both books; None for the book that does not have it. Amounts in minor units."""

    refund_no: str
    attempt: int | None = None
    """Only of a line of the gateway's about another attempt than our ledger's, which has come to nothing by that."""
    case_id: str | None
    currency: Currency
    ours: Minor | None
    our_state: LegState | None
    paid_by: PaidBy | None
    compensation: bool = False
    """Not a refund (L3)."""
    theirs: Minor | None
    their_result: GatewayResult | None
    awaited: bool = False
    """The gateway has paid it, says our ledger, on a day of which not all is published yet: it counts as equal."""
    equal: bool
    """Both say that the gateway has paid this amount, or both say that it has not; or an officer has paid ours, after
    having seen that the gateway's is another refund under the number."""


class BookTotal(Message):
    """What was paid in one currency, in minor units."""

    currency: Currency
    ours: Minor
    """By the gateway, says our ledger."""
    by_hand: Minor
    """By the platform or an officer; the gateway knows nothing of it."""
    to_allowances: Minor = 0
    """Back in the allowances that it was spent of; the gateway knows nothing of it either (A7)."""
    lost_bonus: Minor = 0
    """Bonus of allowances that are no more, which nobody got (A7)."""
    compensation: Minor = 0
    """What of ``ours`` and ``by_hand`` is compensation; the rest are refunds (L3)."""
    awaited: Minor = 0
    """What of ``ours`` may stand on a day that is not published yet."""
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
    theirs = [line async for line in _their_lines(gateway, as_of)]
    return _beside(ours, theirs)


async def one_day(pool: asyncpg.Pool, gateway: PaymentGateway, day: date, most: int = MOST) -> Books:
    """One day of the provider's statement, and what our ledger has under the same refund numbers (X5).

    Raises:
        NotPublished: there is none yet.
        TooManyLines: more than ``most`` refunds stand on it.
        Exception: the statement cannot be read.
    """
    theirs: _Lines = {}
    await _read(gateway, day, theirs, most)
    return _beside(await _ours(pool, theirs), theirs.values(), all_of_ours=False)


async def of_days(
    pool: asyncpg.Pool,
    gateway: PaymentGateway,
    first: date,
    last: date,
    *,
    stated_within: timedelta = statement_days.STATED_WITHIN,
    most: int = MOST,
) -> Books:
    """The days of the provider's statement that are published, and what our ledger reserved on these or has there (X5).

    Of an attempt that stands on several days the last line counts. What the gateway has paid by our ledger, and may
    stand on a day that was not read, is awaited: it was paid on the first day, whose calendar may differ, or less than
    ``stated_within`` before the last published one was over.

    Raises:
        TooManyLines: there are more than ``most`` refunds on either book.
        Exception: a statement cannot be read.
    """
    theirs: _Lines = {}
    published: date | None = None
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        try:
            await _read(gateway, day, theirs, most)
        except NotPublished:
            continue
        published = day
    async with pool.acquire() as connection:
        reserved = await statement_days.reserved_on(connection, first, last, most + 1)
    if len(reserved) > most:
        raise TooManyLines(most)
    due = statement_days.due_between(first, published, stated_within)
    ours = reserved | await _ours(pool, theirs)
    return _beside(ours, theirs.values(), due)


async def _read(gateway: PaymentGateway, day: date, theirs: _Lines, most: int) -> None:
    async for line in gateway.statement(day):
        theirs[line.refund_no, line.attempt] = line
        if len(theirs) > most:
            raise TooManyLines(most)


async def _ours(pool: asyncpg.Pool, theirs: _Lines) -> dict[str, BookedLeg]:
    ours: dict[str, BookedLeg] = {}
    async with pool.acquire() as connection:
        wanted = sorted({number for number, _ in theirs})
        for begin in range(0, len(wanted), _PAGE):
            ours |= await statement_days.legs_of(connection, wanted[begin : begin + _PAGE])
    return ours


def _beside(
    ours: Mapping[str, BookedLeg],
    theirs: Collection[StatementLine],
    due: statement_days.Due | None = None,
    *,
    all_of_ours: bool = True,
) -> Books:
    """Each leg beside the line of its own attempt, and by themselves the lines that no leg stands beside.

    Without ``all_of_ours`` a leg is left out that no line stands beside: it may stand on another day.
    """
    lines, beside = list[BookLine](), dict[str, BookedLeg]()
    for line in theirs:
        leg = ours.get(line.refund_no)
        if leg is None:
            lines.append(_line(None, line, due))
        elif same_attempt(leg, line):
            beside[leg.refund_no] = leg
            lines.append(_line(leg, line, due))
        else:
            lines.append(_of_another_attempt(leg, line))
    if all_of_ours:
        lines += [_line(leg, None, due) for number, leg in ours.items() if number not in beside]
    counted = ours if all_of_ours else beside
    lines.sort(key=lambda line: (line.refund_no, line.attempt or 0))
    currencies = sorted({line.currency for line in lines})
    return Books(
        lines=tuple(lines),
        totals=tuple(_total(currency, counted.values(), theirs, lines) for currency in currencies),
        equal=all(line.equal for line in lines),
    )


async def _our_legs(pool: asyncpg.Pool) -> AsyncGenerator[BookedLeg]:
    after = ""
    while True:
        async with pool.acquire() as connection:
            page = await whole_ledger.page(connection, after, _PAGE)
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


def _of_another_attempt(ours: BookedLeg, theirs: StatementLine) -> BookLine:
    return BookLine(
        refund_no=theirs.refund_no,
        attempt=theirs.attempt,
        case_id=ours.case_id,
        currency=theirs.currency,
        ours=None,
        our_state=None,
        paid_by=None,
        compensation=is_compensation(ours.fund),
        theirs=theirs.amount,
        their_result=theirs.result,
        equal=_paid(theirs) is None,
    )


def _line(ours: BookedLeg | None, theirs: StatementLine | None, due: statement_days.Due | None) -> BookLine:
    known = ours or theirs
    assert known is not None
    paid = _paid_by_gateway(ours)
    awaited = bool(due and ours and paid and theirs is None and not due.holds(ours))
    return BookLine(
        refund_no=known.refund_no,
        case_id=ours.case_id if ours else None,
        currency=known.currency,
        ours=ours.amount if ours else None,
        our_state=ours.state if ours else None,
        paid_by=ours.paid_by if ours else None,
        compensation=ours is not None and is_compensation(ours.fund),
        theirs=theirs.amount if theirs else None,
        their_result=theirs.result if theirs else None,
        awaited=awaited,
        equal=awaited or paid == _paid(theirs) or bool(ours and theirs and of_another_refund(ours, theirs)),
    )


def _paid_by_gateway(leg: BookedLeg | None) -> tuple[int, str] | None:
    return (leg.amount, leg.currency) if leg and leg.paid_by is PaidBy.GATEWAY else None


def _paid(line: StatementLine | None) -> tuple[int, str] | None:
    return (line.amount, line.currency) if line and line.result is GatewayResult.SUCCEEDED else None


def _total(
    currency: str, ours: Iterable[BookedLeg], theirs: Iterable[StatementLine], lines: Iterable[BookLine]
) -> BookTotal:
    own = [leg for leg in ours if leg.currency == currency]
    return BookTotal(
        currency=currency,
        ours=sum(leg.amount for leg in own if leg.paid_by is PaidBy.GATEWAY),
        by_hand=sum(leg.amount for leg in own if leg.paid_by in {PaidBy.PLATFORM, PaidBy.OFFICER}),
        to_allowances=sum(leg.amount for leg in own if leg.paid_by is PaidBy.ALLOWANCE),
        lost_bonus=sum(leg.amount for leg in own if leg.paid_by is PaidBy.LOST_BONUS),
        compensation=sum(leg.amount for leg in own if leg.paid_by and is_compensation(leg.fund)),
        awaited=sum(line.ours or 0 for line in lines if line.currency == currency and line.awaited),
        theirs=sum(
            line.amount for line in theirs if line.currency == currency and line.result is GatewayResult.SUCCEEDED
        ),
    )
