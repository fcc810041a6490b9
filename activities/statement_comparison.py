"""Comparing our ledger with the payment provider's statement, day by day as it is published (X5).

A day is read as a stream, compared once and kept as compared. What comes later has a path of its own:

- A day that is not published yet is asked for again by the next run.
- A refund that fails after it had succeeded stands on the statement of the day on which it failed.
- A difference that was found is looked at again in every run, by how our ledger stands now, until it has vanished.
- What we have down as paid, and stood on no statement two days later, is a difference; it vanishes when it is stated.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

import asyncpg

from activities.differing import differing
from activities.gateways.payment import NotPublished, PaymentGateway, StatementLine
from activities.measures import Measures
from activities.postgres import differences, statement_days, whole_ledger
from activities.postgres.connection import Connection
from activities.postgres.differences import Difference, Found
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
        by_number = {line.refund_no: line for line in lines}
        async with self._pool.acquire() as connection, connection.transaction():
            ours = await statement_days.legs_of(connection, list(by_number))
            await statement_days.stated(connection, list(ours), day)
            found = [
                each
                for number, line in by_number.items()
                # Without its moment: a day is compared once, so a callback on its way is a difference until it comes.
                for each in found_of(request, ours.get(number), line.model_copy(update={"settled_at": None}))
                if each.kind is not DifferenceKind.LEG_OVERDUE  # looked for among all that is open
            ]
            found += await _overpaid(connection, sorted({leg.fund for leg in ours.values()}))
            new = await differences.record(connection, found, request.at)
        return ReconcileReport(compared=len(by_number), new=new, next_after=day.isoformat())

    async def _what_is_open(self, request: ReconcileRequest) -> ReconcileReport:
        """Known differences by how our ledger stands now, what no statement has told, and what takes too long."""
        since = request.at - timedelta(hours=request.comparison.open_hours)
        async with self._pool.acquire() as connection, connection.transaction():
            known = await differences.all_open(connection)
            gone = [each.id for each in known if not await _stays(connection, request, each)]
            await differences.resolve(connection, gone, request.at)
            found = [
                Found(DifferenceKind.OURS_PAID_GATEWAY_NOT, leg.refund_no, leg.state, leg.amount)
                for leg in await statement_days.unstated(connection)
            ]
            found += [
                Found(DifferenceKind.LEG_OVERDUE, leg.refund_no, leg.state, leg.amount)
                for leg in await statement_days.open_too_long(connection, since)
            ]
            new = await differences.record(connection, found, request.at)
            standing = Counter(DifferenceKind(each.kind) for each in await differences.all_open(connection))
        return ReconcileReport(differences=dict(standing), new=new, resolved=len(gone), next_after=None)


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
        )


async def _overpaid(connection: Connection, funds: Sequence[str]) -> list[Found]:
    return [
        Found(DifferenceKind.FUND_OVERPAID, fund, part, used, theirs="paid", theirs_amount=paid)
        for fund, part, paid, used in await whole_ledger.overpaid(connection, funds)
    ]


async def _stays(connection: Connection, request: ReconcileRequest, known: Difference) -> bool:
    """Whether a difference is one still, by what the provider had said then and how our ledger stands now."""
    if known.kind == DifferenceKind.FUND_OVERPAID:
        return bool(await whole_ledger.overpaid(connection, [known.subject]))
    leg = (await statement_days.legs_of(connection, [known.subject])).get(known.subject)
    if leg is None:
        return True
    if known.kind == DifferenceKind.LEG_OVERDUE:
        return known.kind in set(differing(request, leg, None))
    if known.theirs is None:  # it stood on no statement
        return leg.stated_on is None and known.kind in set(differing(request, leg, None))
    said = StatementLine(
        refund_no=leg.refund_no,
        amount=known.theirs_amount or leg.amount,
        currency=leg.currency,
        result=GatewayResult(known.theirs),
    )
    return known.kind in set(differing(request, leg, said))
