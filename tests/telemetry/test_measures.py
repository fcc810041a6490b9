"""What happened counts once, after it was committed, however often an activity is tried."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    MetricBuffer,
    Runtime,
    TelemetryConfig,
)

from activities.gateways.payment_stub import Mode, PaymentGatewayStub
from activities.measures import Measures
from activities.payments import Payments
from activities.postgres.casebook import write_step
from activities.postgres.pool import open_pool
from activities.tally import Tally, Written
from tests.storage.money import NOON, by_hand, closing, open_case, settle, told
from workflows.messages.actors import CLOCK, Actor, merchant
from workflows.messages.cases import NewEntry, Step
from workflows.messages.stages import StageName


class Counts:
    """Counters of a runtime of their own, as they add up."""

    def __init__(self) -> None:
        self._buffer = MetricBuffer(10_000)
        self._runtime = Runtime(telemetry=TelemetryConfig(metrics=self._buffer))
        self.measures = Measures(self._runtime.metric_meter)
        self._sums: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}

    def of(self, name: str, **labels: str) -> float:
        for update in self._buffer.retrieve_updates():
            if update.metric.kind == BUFFERED_METRIC_KIND_COUNTER:
                key = update.metric.name, frozenset((k, str(v)) for k, v in update.attributes.items())
                self._sums[key] = self._sums.get(key, 0) + update.value
        return sum(
            value for (counter, have), value in self._sums.items() if counter == name and set(labels.items()) <= have
        )


@pytest.fixture(scope="module")
def counts() -> Counts:
    return Counts()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=4, application_name="tests") as opened:
        yield opened


async def test_a_payment_that_is_settled_again_counts_once(pool: asyncpg.Pool, counts: Counts) -> None:
    payments = Payments(pool, PaymentGatewayStub(pool), lambda: None, measures=counts.measures)
    wish = await open_case(pool)

    for _ in range(3):
        await payments.settle(settle(wish))

    assert counts.of("aftersales_money_legs", state="succeeded", paid_by="gateway") == 1
    assert counts.of("aftersales_money_minor_units", state="succeeded", currency="CNY") == wish.amount
    assert counts.of("aftersales_cases_ended", kind="unshipped_refund", outcome="refunded") == 1


async def test_paying_by_hand_counts_who_pays(pool: asyncpg.Pool, counts: Counts) -> None:
    gateway = PaymentGatewayStub(pool)
    payments = Payments(pool, gateway, lambda: None, measures=counts.measures)
    wish = await open_case(pool)
    await told(gateway, wish, Mode.DECLINE)
    await payments.settle(settle(wish))

    for _ in range(2):
        await payments.settle_manually(by_hand(wish))

    assert counts.of("aftersales_money_legs", state="failed") == 1
    assert counts.of("aftersales_money_legs", state="succeeded", paid_by="officer") == 1
    assert counts.of("aftersales_cases_ended", outcome="paid_manually") == 1


async def test_what_is_rolled_back_is_not_told(pool: asyncpg.Pool) -> None:
    wish = await open_case(pool)
    step = closing(wish)
    first, again = Tally(), Tally()

    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await write_step(connection, step, tally=first)
        await transaction.rollback()
    async with pool.acquire() as connection, connection.transaction():
        await write_step(connection, step, tally=again)
        await write_step(connection, step, tally=again)

    # Whoever fails throws the tally away with the exception; whoever succeeds has each step in it once.
    assert [each.step for each in again.steps] == [step]
    assert again.steps[0].since == NOON


HOURS = timedelta(hours=1)


@dataclass(frozen=True)
class Left:
    """A step that leaves ``stage``, which is due after 48 hours."""

    stage: StageName
    by: Actor
    after: timedelta

    def written(self, step: Step) -> Written:
        at = NOON + self.after
        entry = NewEntry(event="left", by=self.by, rule="R1", at=at)
        changes = {"at": at, "stage": StageName.PAYING, "outcome": None, "entries": (entry,)}
        return Written(step.model_copy(update=changes), self.stage, since=NOON, due=NOON + 48 * HOURS)


@pytest.mark.parametrize(
    ("left", "decided_by", "missed"),
    [
        pytest.param(Left(StageName.MERCHANT_REVIEW, merchant("m-1"), 1 * HOURS), "merchant", 0, id="a person"),
        pytest.param(Left(StageName.MERCHANT_REVIEW, CLOCK, 48 * HOURS), "silence", 1, id="silence"),
        # A dispute that ends speaks as the clock, too; that is no deadline.
        pytest.param(Left(StageName.MERCHANT_REVIEW, CLOCK, 1 * HOURS), "clock", 0, id="a child"),
        pytest.param(Left(StageName.SETTLING, CLOCK, 48 * HOURS), None, 1, id="nobody is waited for"),
    ],
)
async def test_who_decided(left: Left, decided_by: str | None, missed: int, pool: asyncpg.Pool) -> None:
    counts = Counts()
    written = left.written(closing(await open_case(pool)))

    counts.measures.committed(Tally(steps=[written]))

    assert counts.of("aftersales_decisions") == (1 if decided_by else 0)
    if decided_by:
        assert counts.of("aftersales_decisions", by=decided_by, stage="merchant_review") == 1
    assert counts.of("aftersales_deadlines_missed") == missed


async def test_a_word_after_the_end_counts_nothing(counts: Counts, pool: asyncpg.Pool) -> None:
    step = closing(await open_case(pool))
    ended = counts.of("aftersales_cases_ended")

    counts.measures.committed(Tally(steps=[Written(step, StageName.CLOSED, since=NOON, due=None)]))

    assert counts.of("aftersales_decisions") == 0
    assert counts.of("aftersales_cases_ended") == ended
