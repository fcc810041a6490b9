"""A provider that publishes a statement day by day, and our ledger beside it, for the tests that compare both (X5)."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import asyncpg

from activities.gateways.passing_on import PassingOn
from activities.gateways.payment import NotPublished, StatementLine
from activities.gateways.payment_stub import Mode, PaymentGatewayStub
from activities.payments import Payments
from activities.postgres.differences import open_differences
from activities.postgres.pool import open_pool
from activities.reconciliation import Reconciliation
from tests.storage.money import NOON, entering, open_case, settle, some_id, told
from workflows.messages.commands import GatewayCallback, GatewayResult
from workflows.messages.payouts import Ask, Payout
from workflows.messages.reconciliation import ReconcileReport, ReconcileRequest

DAY = NOON.date()


class Daily(PassingOn):
    """A provider that publishes a day on the next one, and counts what is fetched."""

    def __init__(self, stub: PaymentGatewayStub) -> None:
        super().__init__(stub)
        self.stub = stub
        self.days: dict[date, list[StatementLine]] = {}
        self.published = DAY
        self.fetched: list[date] = []
        self.breaks_after: int | None = None

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        if day > self.published:
            raise NotPublished
        self.fetched.append(day)
        for number, line in enumerate(self.days.get(day, [])):
            if number == self.breaks_after:
                raise ConnectionResetError
            yield line

    def states(self, refund_no: str, day: date = DAY, **changes: object) -> None:
        fields = {"amount": 10_000, "currency": "CNY", "result": GatewayResult.SUCCEEDED, "settled_at": NOON}
        line = StatementLine.model_validate({"refund_no": refund_no, **fields, **changes})
        self.days.setdefault(day, []).append(line)


@dataclass
class Bench:
    pool: asyncpg.Pool
    gateway: Daily
    payments: Payments
    reconciliation: Reconciliation

    async def paid(self, mode: Mode = Mode.SUCCEED, **parameters: object) -> tuple[Payout, str]:
        wish = await open_case(self.pool)
        await told(self.gateway.stub, wish, mode, **parameters)
        settled = await self.payments.settle(settle(wish))
        return wish, settled.legs[0].refund_no

    async def compare(self, days_later: float = 1.0) -> ReconcileReport:
        at = NOON + timedelta(days=days_later)
        report = ReconcileReport(next_after="")
        while report.next_after is not None:
            report = report.plus(await self.reconciliation.reconcile(ReconcileRequest(at=at, after=report.next_after)))
        return report

    async def kinds(self) -> dict[str, str]:
        async with self.pool.acquire() as connection:
            return {each.subject: each.kind for each in await open_differences(connection)}

    async def retried(self, wish: Payout, days_later: float) -> None:
        """What has failed is sent again, under the number of the next attempt."""
        await self.payments.settle(settle(wish, Ask.RETRY, at=NOON + timedelta(days=days_later)))

    async def called_back(
        self, wish: Payout, number: str, result: GatewayResult, days_later: float, attempt: int | None = None
    ) -> None:
        """The gateway tells of a moment so long after noon, and is heard at once."""
        at = NOON + timedelta(days=days_later)
        callback = GatewayCallback.model_validate(
            {
                "key": some_id("cb"),
                "by": {"role": "gateway", "id": "gateway"},
                "refund_no": number,
                "result": result,
                "settled_at": at,
                "attempt": attempt,
            }
        )
        await self.payments.enter_callback(entering(wish, callback, at=at))


@asynccontextmanager
async def open_bench(database: str) -> AsyncGenerator[Bench]:
    """All of it, on an empty database."""
    async with await open_pool(database) as pool, await open_pool(database) as theirs:
        stub = PaymentGatewayStub(theirs)
        gateway = Daily(stub)
        yield Bench(pool, gateway, Payments(pool, stub, lambda: None), Reconciliation(pool, gateway))
