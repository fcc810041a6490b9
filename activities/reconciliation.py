"""Comparing our ledger with the payment gateway's book, one page at a time (section 10)."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import asyncpg
from temporalio import activity

from activities.gateways.payment import OpenBook, StatementLine
from activities.measures import Measures
from activities.postgres import differences, ledger
from activities.postgres.differences import Found, Range
from activities.postgres.ledger import BookedLeg
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.reconciliation import DifferenceKind, ReconcileReport, ReconcileRequest, reconcile
from workflows.rules.legs import in_flight


class Reconciliation:
    """The activity that compares the books. It records what differs, and puts nothing right by itself."""

    def __init__(self, pool: asyncpg.Pool, book: OpenBook, measures: Measures | None = None) -> None:
        self._measures = measures or Measures()
        self._pool = pool
        self._book = book

    @activity.defn(name=reconcile.__name__)
    async def reconcile(self, request: ReconcileRequest) -> ReconcileReport:
        """Compare a page of both books, record each difference once, and resolve those that have vanished.

        Raises:
            GatewayUnreachable: the gateway does not answer; nothing was recorded.
            asyncpg.PostgresError, OSError: the database failed.
        """
        size = request.comparison.page
        # Ours first: what the gateway pays in between is then no difference, and within the time of grace.
        async with self._pool.acquire() as connection:
            ours = await ledger.page(connection, request.after, size)
        with self._measures.call("payment", "statement"):
            theirs = await self._book.page(request.after, size, request.at)
        ends = [page[-1].refund_no for page in (ours, theirs) if len(page) == size]
        upto = min(ends, default=None)
        our_legs = {leg.refund_no: leg for leg in ours if upto is None or leg.refund_no <= upto}
        their_lines = {line.refund_no: line for line in theirs if upto is None or line.refund_no <= upto}
        async with self._pool.acquire() as connection, connection.transaction():
            for number in their_lines.keys() - our_legs.keys():
                # Made since we read our page: the next comparison looks at it.
                if await ledger.payout_of(connection, number):
                    del their_lines[number]
            found = [
                each
                for number in sorted(our_legs.keys() | their_lines.keys())
                for each in _compare(request, our_legs.get(number), their_lines.get(number))
            ]
            funds = sorted({leg.fund for leg in our_legs.values()})
            for fund, part, paid, used in await ledger.overpaid(connection, funds):
                found.append(Found(DifferenceKind.FUND_OVERPAID, fund, part, used, theirs="paid", theirs_amount=paid))
            new, resolved = await differences.write(connection, Range(request.after, upto, funds), found, request.at)
        return ReconcileReport(
            compared=len(our_legs.keys() | their_lines.keys()),
            differences=dict(Counter(each.kind for each in found)),
            new=new,
            resolved=resolved,
            next_after=upto,
        )


def _compare(request: ReconcileRequest, ours: BookedLeg | None, theirs: StatementLine | None) -> Iterator[Found]:
    for kind in _kinds(request, ours, theirs):
        number = ours.refund_no if ours else theirs.refund_no if theirs else ""
        yield Found(
            kind,
            number,
            ours=ours.state if ours else None,
            ours_amount=ours.amount if ours else None,
            theirs=theirs.result if theirs else None,
            theirs_amount=theirs.amount if theirs else None,
        )


def _kinds(request: ReconcileRequest, ours: BookedLeg | None, theirs: StatementLine | None) -> Iterator[DifferenceKind]:
    if ours is None:
        yield DifferenceKind.UNKNOWN_TO_US
        return
    opened_before = request.at - timedelta(hours=request.comparison.open_hours)
    if in_flight(ours.state) and ours.reserved_at <= opened_before:
        yield DifferenceKind.LEG_OVERDUE
    by_gateway = ours.paid_by is PaidBy.GATEWAY
    if theirs is None:
        if by_gateway:
            yield DifferenceKind.OURS_PAID_GATEWAY_NOT
        elif ours.state is LegState.PROCESSING:
            yield DifferenceKind.UNKNOWN_TO_GATEWAY
        return
    if (ours.amount, ours.currency) != (theirs.amount, theirs.currency):
        yield DifferenceKind.AMOUNT_DIFFERS
    match ours.state, theirs.result:
        case LegState.SUCCEEDED, GatewayResult.SUCCEEDED:
            if not by_gateway:
                yield DifferenceKind.PAID_TWICE
        case LegState.SUCCEEDED, _:
            if by_gateway:
                yield DifferenceKind.OURS_PAID_GATEWAY_NOT
        case _, GatewayResult.SUCCEEDED:
            told_by = request.at - timedelta(minutes=request.comparison.grace_minutes)
            if theirs.settled_at is None or theirs.settled_at <= told_by:
                yield DifferenceKind.GATEWAY_PAID_OURS_NOT
        case LegState.FAILED, GatewayResult.PROCESSING:
            yield DifferenceKind.OURS_FAILED_GATEWAY_OPEN
        case _:
            pass
