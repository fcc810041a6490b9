"""Comparing our ledger with what the payment gateway says that it has paid (section 10, X5)."""

from collections import Counter

import asyncpg
from temporalio import activity

from activities.gateways.payment import OpenBook, PaymentGateway
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.measures import Measures
from activities.postgres import differences, ledger, whole_ledger
from activities.postgres.differences import Found, Range
from activities.statement_comparison import StatementComparison, found_of
from workflows.messages.reconciliation import DifferenceKind, ReconcileReport, ReconcileRequest, reconcile


class Reconciliation:
    """The activity that compares the books. It records what differs, and puts nothing right by itself."""

    def __init__(self, pool: asyncpg.Pool, gateway: PaymentGateway, measures: Measures | None = None) -> None:
        self._measures = measures or Measures()
        self._pool = pool
        self._days = StatementComparison(pool, gateway, self._measures)
        self._book = gateway if isinstance(gateway, PaymentGatewayStub) else None

    @activity.defn(name=reconcile.__name__)
    async def reconcile(self, request: ReconcileRequest) -> ReconcileReport:
        """Compare the next day of the statement, record each difference once, and resolve those that have vanished.

        The stand-in lives in the virtual time of cases and has no days: its whole book is compared, page by page.

        Raises:
            GatewayUnreachable: the gateway does not answer; nothing was recorded.
            asyncpg.PostgresError, OSError: the database failed.
        """
        if self._book is None:
            return await self._days.compare(request)
        return await self._page(self._book, request)

    async def _page(self, book: OpenBook, request: ReconcileRequest) -> ReconcileReport:
        size = request.comparison.page
        # Ours first: what the gateway pays in between is then no difference, and within the time of grace.
        async with self._pool.acquire() as connection:
            ours = await whole_ledger.page(connection, request.after, size)
        with self._measures.call("payment", "statement"):
            theirs = await book.page(request.after, size, request.at)
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
                for each in found_of(request, our_legs.get(number), their_lines.get(number))
            ]
            funds = sorted({leg.fund for leg in our_legs.values()})
            for fund, part, paid, used in await whole_ledger.overpaid(connection, funds):
                found.append(Found(DifferenceKind.FUND_OVERPAID, fund, part, used, theirs="paid", theirs_amount=paid))
            written = await differences.write(connection, Range(request.after, upto, funds), found, request.at)
        return ReconcileReport(
            compared=len(our_legs.keys() | their_lines.keys()),
            differences=dict(Counter(each.kind for each in written.open)),
            new=written.new,
            resolved=written.resolved,
            next_after=upto,
        )
