"""Comparing our ledger with the payment provider's statement, day by day as it is published (X5).

A day is read as a stream, compared once and kept as compared. What comes later has a path of its own:

- A day that is not published yet is asked for again by the next run.
- A refund that fails after it had succeeded stands on the statement of the day on which it failed.
- A line that our ledger has otherwise is kept, the last of each attempt, and compared in every run with how our ledger
  stands now. A difference vanishes when no line shows it any more, or becomes another one: an attempt that the gateway
  has paid, and that had failed by our ledger, is paid twice once the next attempt has been paid.
- What we have down as paid, and stood on no statement two days later, is a difference; it vanishes when it is stated.
- A difference that an officer has accepted is looked at as well, in all that differs: where either book has it
  otherwise by then, it is another difference, and open.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import asyncpg

from activities.differing import bears_out, differing, of_another_refund
from activities.gateways.payment import NotPublished, PaymentGateway, StatementLine
from activities.measures import Measures
from activities.postgres import differences, stated_otherwise, statement_days, whole_ledger
from activities.postgres.connection import Connection
from activities.postgres.differences import Difference, Found
from activities.postgres.stated_otherwise import Kept
from activities.postgres.whole_ledger import BookedLeg
from workflows.messages.commands import GatewayResult
from workflows.messages.reconciliation import DifferenceKind, ReconcileReport, ReconcileRequest

_BATCH: Final = 500


class StatementComparison:
    """Compares one day for each call, the earliest that has not been; and what is open, once no day is left."""

    def __init__(self, pool: asyncpg.Pool, gateway: PaymentGateway, measures: Measures) -> None:
        self._pool = pool
        self._gateway = gateway
        self._measures = measures

    async def compare(self, request: ReconcileRequest) -> ReconcileReport:
        """The next day, or the last page: what stays open.

        Raises:
            Exception: the statement cannot be read; what was found so far is recorded, and the day is read again.
            asyncpg.PostgresError, OSError: the database failed.
        """
        async with self._pool.acquire() as connection:
            day = await statement_days.next_day(connection, request.at)
        if day is not None:
            try:
                return await self._day(request, day)
            except NotPublished:
                pass
        return await self._what_is_open(request)

    async def _day(self, request: ReconcileRequest, day: date) -> ReconcileReport:
        report, batch, lines = ReconcileReport(next_after=day.isoformat()), list[StatementLine](), 0
        with self._measures.call("payment", "statement"):
            async for line in self._gateway.statement(day):
                batch.append(line)
                lines += 1
                if len(batch) == _BATCH:
                    report = report.plus(await self._lines(request, day, batch))
                    batch = []
        report = report.plus(await self._lines(request, day, batch))
        async with self._pool.acquire() as connection:
            await statement_days.keep(connection, day, lines, request.at)
        return report

    async def _lines(self, request: ReconcileRequest, day: date, lines: Sequence[StatementLine]) -> ReconcileReport:
        numbers = sorted({line.refund_no for line in lines})
        async with self._pool.acquire() as connection, connection.transaction():
            ours = await statement_days.legs_of(connection, numbers)
            # Without its moment: a day is compared once, so a callback on its way is a difference until it comes.
            last = {
                (line.refund_no, line.attempt): line.model_copy(update={"settled_at": None})
                for line in lines
                if not ((leg := ours.get(line.refund_no)) and of_another_refund(leg, line))
            }
            borne_out = [leg for line in last.values() if (leg := ours.get(line.refund_no)) and bears_out(leg, line)]
            await statement_days.stated(connection, borne_out, day)
            found, alike, otherwise = list[Found](), list[StatementLine](), list[StatementLine]()
            for line in last.values():
                of_line = _stated(request, ours.get(line.refund_no), line)
                found += of_line
                (otherwise if of_line else alike).append(line)
            await stated_otherwise.keep(connection, otherwise, alike, day)
            found += await _overpaid(connection, sorted({leg.fund for leg in ours.values()}))
            new = await differences.record(connection, found, request.at)
        return ReconcileReport(compared=len(numbers), new=new, next_after=day.isoformat())

    async def _what_is_open(self, request: ReconcileRequest) -> ReconcileReport:
        """What was found by how our ledger stands now, what no statement has told, and what takes too long."""
        since = request.at - timedelta(hours=request.comparison.open_hours)
        async with self._pool.acquire() as connection, connection.transaction():
            again = await _look_again(connection, request)
            await differences.resolve(connection, again.gone, request.at)
            await differences.end(connection, again.ended, request.at)
            found = again.found
            found += [
                Found(DifferenceKind.OURS_PAID_GATEWAY_NOT, leg.refund_no, leg.state, leg.amount, attempt=leg.attempt)
                for leg in await statement_days.unstated(connection)
            ]
            found += [
                Found(DifferenceKind.LEG_OVERDUE, leg.refund_no, leg.state, leg.amount)
                for leg in await statement_days.open_too_long(connection, since)
            ]
            new = await differences.record(connection, found, request.at)
            standing = Counter(DifferenceKind(each.kind) for each in await differences.all_open(connection))
        return ReconcileReport(
            differences=dict(standing), new=new, resolved=len(again.gone) + len(again.ended), next_after=None
        )


def found_of(request: ReconcileRequest, ours: BookedLeg | None, theirs: StatementLine | None) -> Iterator[Found]:
    """What differs in one refund."""
    for kind in differing(request, ours, theirs):
        number = ours.refund_no if ours else theirs.refund_no if theirs else ""
        yield Found(
            kind,
            number,
            ours=ours.state if ours else None,
            ours_amount=ours.amount if ours else None,
            theirs=theirs.result if theirs else None,
            theirs_amount=theirs.amount if theirs else None,
            theirs_currency=theirs.currency if theirs else None,
            attempt=theirs.attempt if theirs else None,
        )


def _stated(request: ReconcileRequest, ours: BookedLeg | None, line: StatementLine) -> list[Found]:
    """What differs in a line of the statement; what takes too long is looked for among all that is open."""
    return [each for each in found_of(request, ours, line) if each.kind is not DifferenceKind.LEG_OVERDUE]


@dataclass(frozen=True)
class _Again:
    """What another look at what is known has shown."""

    found: list[Found]
    gone: list[int]
    """Of what was open, what has vanished."""
    ended: list[int]
    """Of what was accepted, what does not stand like that any more."""


async def _look_again(connection: Connection, request: ReconcileRequest) -> _Again:
    """What the lines show now that our ledger had otherwise, and what has become of the known differences."""
    known, accepted = await differences.all_open(connection), await differences.all_accepted(connection)
    kept = await stated_otherwise.every_one(connection)
    subjects = {each.subject for each in (*known, *accepted)} | {each.line.refund_no for each in kept}
    legs = await statement_days.legs_of(connection, sorted(subjects))
    found = list[Found]()
    for each in kept:
        found += (of_line := _stated(request, legs.get(each.line.refund_no), each.line))
        if not of_line:
            await _agreed(connection, each, legs.get(each.line.refund_no))
    stated = {each.line.refund_no for each in kept}
    funds = {each.subject for each in (*known, *accepted) if each.kind == DifferenceKind.FUND_OVERPAID}
    found += await _overpaid(connection, sorted(funds))

    def stays(each: Difference) -> bool:
        return _stays(request, each, legs.get(each.subject), by_line=each.subject in stated)

    found += [_as_it_is(each, legs.get(each.subject)) for each in accepted if stays(each)]
    as_accepted, as_shown = {each.as_found() for each in accepted}, set(found)
    shown = {(each.subject, each.kind) for each in as_shown - as_accepted}
    gone = [
        each.id
        for each in known
        # Accepted, and yet open: a worker of an older release has recorded it anew.
        if each.as_found() in as_accepted or ((each.subject, each.kind) not in shown and not stays(each))
    ]
    return _Again(found, gone, ended=[each.id for each in accepted if each.as_found() not in as_shown])


async def _agreed(connection: Connection, kept: Kept, leg: BookedLeg | None) -> None:
    """Our ledger has by now what a line says: it need not be kept, and its day was that of the leg."""
    if leg and leg.stated_on is None and bears_out(leg, kept.line):
        await statement_days.stated(connection, [leg], kept.day)
    await stated_otherwise.drop(connection, kept.line)


def _stays(request: ReconcileRequest, known: Difference, leg: BookedLeg | None, *, by_line: bool) -> bool:
    """Whether a difference that no kept line shows is one still; ``by_line``: lines of its refund are kept."""
    match known.kind:
        case DifferenceKind.FUND_OVERPAID:
            return False
        case _ if leg is None:
            return not by_line
        case DifferenceKind.LEG_OVERDUE:
            return known.kind in set(differing(request, leg, None))
        case _ if known.theirs is None:  # it stood on no statement
            same = known.attempt in {None, leg.attempt}
            return same and leg.stated_on is None and known.kind in set(differing(request, leg, None))
        case _ if by_line:
            return False
        case _:  # found by a release that kept no lines
            said = StatementLine(
                refund_no=leg.refund_no,
                amount=known.theirs_amount or leg.amount,
                currency=leg.currency,
                result=GatewayResult(known.theirs),
            )
            return known.kind in set(differing(request, leg, said))


def _as_it_is(known: Difference, leg: BookedLeg | None) -> Found:
    """A difference that no line shows, by how our ledger has the refund now."""
    found = known.as_found()
    return replace(found, ours=leg.state, ours_amount=leg.amount) if leg else found


async def _overpaid(connection: Connection, funds: Sequence[str]) -> list[Found]:
    return [
        Found(DifferenceKind.FUND_OVERPAID, fund, part, used, theirs="paid", theirs_amount=paid)
        for fund, part, paid, used in await whole_ledger.overpaid(connection, funds)
    ]
