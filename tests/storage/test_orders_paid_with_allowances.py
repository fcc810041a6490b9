"""A7: orders that are paid with an allowance spend it; what cannot have been paid so is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from activities.gateways.order_records import OrderRecord
from activities.postgres import allowances, order_payments, orders
from activities.postgres.loading import LoadReport, load_allowances, load_orders
from activities.postgres.order_changes import Outcome, RefusedChange
from activities.postgres.pool import open_pool
from tests.storage import test_allowances
from tests.storage.money import some_id
from tests.storage.own_keys import vault
from tests.storage.test_order_changes import found, open_fund_of, order, push
from workflows.messages.orders import OrderFacts


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=20)
    yield pool
    await pool.close()


async def granted(pool: asyncpg.Pool, record: dict[str, Any], **changes: object) -> str:
    """An allowance of the order's buyer: 80.00 paid in, 100.00 got."""
    whose = {"buyer_id": record["buyer_id"], **changes}
    line = test_allowances.record(transaction=some_id("tx"), **whose)
    async with pool.acquire() as connection:
        assert (await load_allowances(connection, [json.dumps(line)], vault())).loaded == 1
    return line["allowance_id"]


def paid_with(record: dict[str, Any], allowance_id: str, amount: int = 2_500) -> dict[str, Any]:
    """The order, with its first tender's part and ``amount`` of the others' from the allowance."""
    total = sum(each["paid"] for each in record["lines"]) + record["freight"]
    rest = [{"tender": "t-1", "kind": "debit_card", "paid": total - amount}]
    spent = {"tender": "t-2", "kind": "allowance", "paid": amount, "allowance_id": allowance_id}
    return {**record, "tenders": [spent, *rest]}


async def spent_of(pool: asyncpg.Pool, allowance_id: str) -> int:
    async with pool.acquire() as connection:
        facts = await allowances.facts(connection, allowance_id)
    assert facts is not None
    return facts.spent


async def load(pool: asyncpg.Pool, record: dict[str, Any]) -> LoadReport:
    async with pool.acquire() as connection:
        return await load_orders(connection, [json.dumps(record)], vault())


async def test_an_order_spends_its_allowance_once_however_often_it_is_told(pool: asyncpg.Pool) -> None:
    allowance_id = await granted(pool, record := order(), spent=100)
    record = paid_with(record, allowance_id)

    outcomes = [taken.outcome for taken in await asyncio.gather(*(push(pool, record) for _ in range(3)))]
    loaded = await load(pool, record)

    assert sorted(outcomes) == [Outcome.NEW, Outcome.UNCHANGED, Outcome.UNCHANGED]
    assert (loaded.unchanged, loaded.problems) == (1, ())
    assert await spent_of(pool, allowance_id) == 2_600
    assert (await found(pool, record)).allowances == {"t-2": allowance_id}


async def test_a_change_spends_or_gives_back_the_difference(pool: asyncpg.Pool) -> None:
    allowance_id, other = await granted(pool, record := order()), await granted(pool, record)
    await push(pool, paid_with(record, allowance_id))

    await push(pool, paid_with(record, allowance_id, 4_000), version=2)
    more = await spent_of(pool, allowance_id)
    await push(pool, paid_with(record, allowance_id, 1), version=3)
    less = await spent_of(pool, allowance_id)
    await push(pool, paid_with(record, other, 700), version=4)

    assert (more, less) == (4_000, 1)
    assert (await spent_of(pool, allowance_id), await spent_of(pool, other)) == (0, 700)


async def test_once_money_was_asked_for_what_was_spent_stays(pool: asyncpg.Pool) -> None:  # R8
    allowance_id = await granted(pool, record := order())
    await push(pool, paid_with(record, allowance_id))
    await open_fund_of(pool, await found(pool, record))

    with pytest.raises(RefusedChange, match=r"tenders.0: .* \(R8\)"):
        await push(pool, paid_with(record, allowance_id, 2_000), version=2)

    assert await spent_of(pool, allowance_id) == 2_500


@pytest.mark.parametrize(
    ("changes", "amount", "refused"),
    [
        ({"buyer_id": "b-another"}, 2_500, r"tenders\.0\.allowance_id: it is another buyer's allowance \(A7\)"),
        ({"merchant_id": "m-another"}, 2_500, r"tenders\.0\.allowance_id: .* another shop \(A7\)"),
        ({"currency": "USD"}, 2_500, r"tenders\.0\.allowance_id: .* another currency \(A7\)"),
        ({"valid_until": "2026-02-28T00:00:00Z"}, 2_500, r"tenders\.0\.allowance_id: .* validity had ended .*\(A6\)"),
        ({}, 10_001, r"tenders\.0\.paid: more than the allowance's balance \(A7\)"),
        ({"spent": 7_501}, 2_500, r"tenders\.0\.paid: more than the allowance's balance \(A7\)"),
    ],
)
async def test_what_an_allowance_cannot_have_paid_is_refused(
    pool: asyncpg.Pool, changes: dict[str, object], amount: int, refused: str
) -> None:
    allowance_id = await granted(pool, record := order(), **changes)
    before = await spent_of(pool, allowance_id)

    with pytest.raises(RefusedChange, match=refused):
        await push(pool, record := paid_with(record, allowance_id, amount))
    report = await load(pool, record)

    assert [problem.field for problem in report.problems] == [refused.replace("\\", "").split(":")[0]]
    assert await spent_of(pool, allowance_id) == before
    async with pool.acquire() as connection:
        assert await orders.find_order(connection, record["order_no"]) is None


async def test_an_allowance_that_there_is_not_is_refused(pool: asyncpg.Pool) -> None:
    with pytest.raises(RefusedChange, match=r"tenders\.0\.allowance_id: there is no such allowance \(A7\)"):
        await push(pool, paid_with(order(), "a-none"))


async def test_while_a_withdrawal_is_open_nothing_is_spent_and_nothing_put_back(pool: asyncpg.Pool) -> None:  # A5
    allowance_id = await granted(pool, record := order())
    await push(pool, known := paid_with(record, allowance_id))
    await test_allowances.freeze(pool, allowance_id, "withdrawal/1")

    for number, amount in enumerate((2_501, 2_499), start=2):
        with pytest.raises(RefusedChange, match=r"tenders\.0\.allowance_id: .* frozen .*\(A5\)"):
            await push(pool, paid_with(record, allowance_id, amount), version=number)
    with pytest.raises(RefusedChange, match=r"tenders: .* frozen .*\(A5\)"):
        await push(pool, record, version=4)
    assert (await push(pool, known, freight_insured=5, version=5)).outcome is Outcome.CHANGED
    assert await spent_of(pool, allowance_id) == 2_500

    await test_allowances.void(pool, allowance_id, "withdrawal/1")
    with pytest.raises(RefusedChange, match=r"tenders\.0\.allowance_id: .* paid out, .*\(A7\)"):
        await push(pool, paid_with(record, allowance_id, 2_499), version=6)


async def test_two_orders_at_once_never_spend_more_than_there_is(pool: asyncpg.Pool) -> None:  # section 11
    record = order()
    allowance_id = await granted(pool, record)
    each_takes = [paid_with({**record, "order_no": some_id("o")}, allowance_id, 6_000) for _ in range(4)]

    ends = await asyncio.gather(*(push(pool, each) for each in each_takes), return_exceptions=True)

    assert sum(isinstance(end, RefusedChange) for end in ends) == 3
    assert await spent_of(pool, allowance_id) == 6_000


@pytest.mark.parametrize(
    ("tender", "reason"),
    [
        ({"kind": "wallet"}, "names its allowance"),
        ({"allowance_id": None}, "names its allowance"),
        ({"transaction": "tx-1"}, "stands with the allowance"),
        ({"paid": 2_501}, "do not sum"),
    ],
)
def test_a_tender_that_is_not_whole_is_not_read(tender: dict[str, object], reason: str) -> None:  # R8
    record = paid_with(order(), "a-1")
    record["tenders"][0] |= tender

    with pytest.raises(ValueError, match=reason):
        OrderRecord.model_validate_json(json.dumps(record))


def test_an_allowance_pays_with_one_tender() -> None:
    record = paid_with(order(), "a-1", 6_250)
    twice = [{**record["tenders"][0], "tender": name} for name in ("t-2", "t-1")]

    with pytest.raises(ValueError, match="an allowance stands more than once"):
        OrderRecord.model_validate_json(json.dumps({**record, "tenders": twice}))


async def test_behind_what_was_spent_is_the_payment_of_the_principal(pool: asyncpg.Pool) -> None:  # X6
    allowance_id = await granted(pool, record := order())
    await push(pool, paid_with(record, allowance_id))
    facts: OrderFacts = await found(pool, record)

    async with pool.acquire() as connection:
        behind = await order_payments.payment_of(connection, f"order/{facts.order_no}", "t-2")
        principal = await order_payments.payment_of(connection, f"allowance/{allowance_id}", "principal")
        card = await order_payments.payment_of(connection, f"order/{facts.order_no}", "t-1")

    assert behind is not None
    assert behind == principal
    assert behind.total == 8_000
    assert card is None
