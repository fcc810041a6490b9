"""Our copy of the orders: what it finds (R8, R9), how it is loaded, what parcels do (R3, R7)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import orders
from activities.postgres.loading import LineProblem, LoadReport, load_orders
from activities.postgres.lookup import name_lookup
from activities.postgres.orders import (
    PostgresOrders,
    UnknownOrderLine,
    carried,
    mark_on_delivery_run,
    mark_outbound,
    mark_shipped,
    pack,
)
from activities.postgres.pool import open_pool
from tests.storage.own_keys import vault
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.parcels import Parcel
from workflows.messages.payouts import TenderKind
from workflows.messages.pieces import LineQuantity

PAID_AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database)
    yield pool
    await pool.close()


@pytest.fixture
def directory(pool: asyncpg.Pool) -> PostgresOrders:
    return PostgresOrders(pool)


def order(**changes: object) -> dict[str, Any]:
    return {
        "order_no": f"o-{uuid4().hex}",
        "marketplace": "douyin",
        "merchant_id": "m-1",
        "buyer_id": "b-1",
        "currency": "CNY",
        "lines": [
            {"line": "2", "sku": "sku-b", "quantity": 1, "paid": 3000},
            {"line": "1", "sku": "sku-a", "quantity": 3, "paid": 9000},
        ],
        "freight": 500,
        "tenders": [
            {"tender": "t-2", "kind": "wallet", "paid": 2500},
            {"tender": "t-1", "kind": "credit_card", "paid": 10000},
        ],
        "paid_at": "2026-03-01T17:30:00+08:00",
        **changes,
    }


async def load(pool: asyncpg.Pool, *lines: dict[str, Any] | str) -> LoadReport:
    async with pool.acquire() as connection:
        return await load_orders(
            connection, [line if isinstance(line, str) else json.dumps(line) for line in lines], vault()
        )


async def test_a_loaded_order_is_found_with_every_fact(pool: asyncpg.Pool, directory: PostgresOrders) -> None:
    record = order()
    assert await load(pool, record) == LoadReport(loaded=1, unchanged=0, problems=())
    assert await directory.find(record["order_no"]) == OrderFacts(
        order_no=record["order_no"],
        marketplace="douyin",
        merchant_id="m-1",
        buyer_id="b-1",
        currency="CNY",
        lines=(
            OrderLine(line="2", sku="sku-b", quantity=1, paid=3000),
            OrderLine(line="1", sku="sku-a", quantity=3, paid=9000),
        ),
        freight=500,
        tenders=(
            Tender(tender="t-2", kind=TenderKind.WALLET, paid=2500),
            Tender(tender="t-1", kind=TenderKind.CREDIT_CARD, paid=10000),
        ),
        paid_at=PAID_AT,
    )


async def test_finds_a_buyers_orders_at_one_merchant_latest_first(
    pool: asyncpg.Pool, directory: PostgresOrders
) -> None:  # R9
    buyer = f"b-{uuid4().hex}"
    early = order(buyer_id=buyer, paid_at="2026-03-01T00:00:00Z")
    late = order(buyer_id=buyer, paid_at="2026-03-02T00:00:00Z")
    elsewhere = order(buyer_id=buyer, merchant_id="m-2")
    somebody_elses = order(buyer_id=f"b-{uuid4().hex}")
    await load(pool, early, late, elsewhere, somebody_elses)
    assert await directory.of_buyer("m-1", buyer) == [late["order_no"], early["order_no"]]


async def test_loading_again_changes_nothing(pool: asyncpg.Pool, directory: PostgresOrders) -> None:
    record = order()
    await load(pool, record)
    before = await directory.find(record["order_no"])
    assert await load(pool, record, "", record) == LoadReport(loaded=0, unchanged=2, problems=())
    assert await directory.find(record["order_no"]) == before


async def test_good_lines_are_loaded_beside_bad_ones(pool: asyncpg.Pool, directory: PostgresOrders) -> None:
    first, last = order(), order()
    report = await load(pool, first, "", "{not json", order(freight=-1), order(order_no="张三 13800000000"), last)
    assert report.loaded == 2
    assert [(problem.line, problem.field) for problem in report.problems] == [
        (3, ""),
        (4, "freight"),
        (5, "order_no"),
    ]
    assert await directory.find(first["order_no"]) is not None
    assert await directory.find(last["order_no"]) is not None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param(
            {"freight": 501},
            ("tenders", "the tenders do not sum to the lines and the freight"),
            id="tenders-do-not-sum",
        ),
        pytest.param(
            {"lines": [{"line": "1", "sku": "s", "quantity": 1, "paid": 6000}] * 2},
            ("lines", "a line stands more than once"),
            id="line-twice",
        ),
        pytest.param(
            {"tenders": [{"tender": "t", "kind": "wallet", "paid": 6250}] * 2},
            ("tenders", "a tender stands more than once"),
            id="tender-twice",
        ),
        pytest.param(
            {"shipped_at": "2026-03-01T17:29:59+08:00"},
            ("shipped_at", "the goods cannot have left before they were paid for"),
            id="shipped-before-paid",
        ),
        pytest.param({"freight": 5.5}, ("freight", "Input should be a valid integer"), id="float"),
        pytest.param(
            {"paid_at": "2026-03-01T17:30:00"},
            ("paid_at", "Input should have timezone info"),
            id="no-offset",
        ),
        pytest.param({"paid_at": 1772357400}, ("paid_at", "Input should be a valid datetime"), id="number"),
        pytest.param(
            {"outbound_when": "x"}, ("?", "there is no field of this name; perhaps outbound_at is meant"), id="misspelt"
        ),
        pytest.param({"王五 139": "x"}, ("?", "there is no field of this name"), id="personal-field-name"),
        pytest.param({"wangwu": "x"}, ("?", "there is no field of this name"), id="personal-field-name-in-latin"),
    ],
)
async def test_says_which_field_is_wrong_and_why(
    pool: asyncpg.Pool, changes: dict[str, object], problem: tuple[str, str]
) -> None:
    report = await load(pool, order(**changes))
    assert (report.loaded, report.unchanged) == (0, 0)
    assert report.problems == (LineProblem(1, *problem),)


async def test_a_report_repeats_nothing_of_the_line(pool: asyncpg.Pool) -> None:  # P6
    secret = "李四 13912345678"
    report = await load(pool, order(buyer_id=secret, currency=secret, lines=secret), f'"{secret}', secret)
    assert len(report.problems) >= 5
    for word in secret.split():
        assert word not in repr(report)


@pytest.mark.parametrize("phone", ["-", "()", "+86", "\u2060"])
async def test_who_has_no_phone_is_found_by_name(pool: asyncpg.Pool, phone: str) -> None:  # P7
    region = {"province": "上海市", "city": "上海市", "district": "黄浦区"}
    name = f"王{uuid4().hex}"
    told = order(recipient={"name": name, "phone": phone, "region": region, "street": "南京东路 1"})

    assert (await load(pool, told)).loaded == 1
    query = "SELECT field, hash FROM vault.lookups WHERE subject = $1"
    found = [tuple(row) for row in await pool.fetch(query, told["order_no"])]
    assert found == [("name", name_lookup(vault().lookup_key, name))]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": "USD"}, "currency"),
        ({"merchant_id": "m-9"}, "merchant_id"),
        ({"paid_at": "2026-03-01T17:30:01+08:00"}, "paid_at"),
        ({"tenders": [{"tender": "t-1", "kind": "credit_card", "paid": 12500}]}, "tenders"),
        (
            {
                "lines": [
                    {"line": "2", "sku": "sku-b", "quantity": 1, "paid": 2999},
                    {"line": "1", "sku": "sku-a", "quantity": 3, "paid": 9001},
                ]
            },
            "lines",
        ),
    ],
)
async def test_a_line_that_contradicts_the_store_is_a_problem_and_changes_nothing(
    pool: asyncpg.Pool, directory: PostgresOrders, changes: dict[str, object], field: str
) -> None:
    record = order()
    await load(pool, record)
    before = await directory.find(record["order_no"])
    report = await load(pool, {**record, **changes, "shipped_at": "2026-03-02T08:00:00Z"})
    assert report == LoadReport(
        loaded=0,
        unchanged=0,
        problems=(LineProblem(1, field, "contradicts what was loaded before"),),
    )
    assert await directory.find(record["order_no"]) == before


async def test_loading_again_adds_shipping_facts_and_forgets_none(
    pool: asyncpg.Pool, directory: PostgresOrders
) -> None:
    record = order()
    await load(pool, record)
    moments = {
        name: datetime(2026, 3, 2, hour, tzinfo=UTC)
        for hour, name in enumerate(("outbound_at", "shipped_at", "on_delivery_run_at"))
    }
    for name, moment in moments.items():
        report = await load(pool, {**record, name: moment.isoformat()})
        assert (report.unchanged, report.problems) == (1, ())
    await load(pool, record)
    found = await directory.find(record["order_no"])
    assert found is not None
    assert {name: getattr(found, name) for name in moments} == moments
    for name in moments:
        moved = await load(pool, {**record, name: "2026-03-03T10:00:00Z"})
        assert [problem.field for problem in moved.problems] == [name]


async def test_two_loads_at_once_load_each_order_once(pool: asyncpg.Pool) -> None:
    records = [order() for _ in range(10)]
    reports = await asyncio.gather(load(pool, *records), load(pool, *records), load(pool, *records))
    assert sum(report.loaded for report in reports) == 10
    assert sum(report.unchanged for report in reports) == 20
    assert [report.problems for report in reports] == [(), (), ()]


async def test_parcel_events_are_kept_as_first_told(pool: asyncpg.Pool, directory: PostgresOrders) -> None:
    record = order()
    await load(pool, record)
    marks = (mark_outbound, mark_shipped, mark_on_delivery_run)
    async with pool.acquire() as connection:
        for hour, mark in enumerate(marks):
            assert await mark(connection, record["order_no"], datetime(2026, 3, 2, hour, tzinfo=UTC))
        for mark in marks:
            assert await mark(connection, record["order_no"], datetime(2026, 3, 3, tzinfo=UTC))
            assert not await mark(connection, "o-unknown", datetime(2026, 3, 3, tzinfo=UTC))
    found = await directory.find(record["order_no"])
    assert found is not None
    assert (found.outbound_at, found.shipped_at, found.on_delivery_run_at) == (
        datetime(2026, 3, 2, 0, tzinfo=UTC),
        datetime(2026, 3, 2, 1, tzinfo=UTC),
        datetime(2026, 3, 2, 2, tzinfo=UTC),
    )


async def test_what_others_ask_of_orders_is_asked_by_number_or_buyer(pool: asyncpg.Pool) -> None:  # X2
    """Of what is not known nothing is told."""
    buyer = f"b-{uuid4().hex}"
    waiting, gone_ = order(buyer_id=buyer), order(buyer_id=buyer, shipped_at="2026-03-02T00:00:00Z")
    nearly_there = order(on_delivery_run_at="2026-03-02T00:00:00Z")
    await load(pool, waiting, gone_, nearly_there)
    numbers = [waiting["order_no"], gone_["order_no"]]

    async with pool.acquire() as connection:
        assert sorted(await orders.all_of_buyer(connection, buyer)) == sorted(numbers)
        assert await orders.parties(connection, [*numbers, "o-unknown"]) == dict.fromkeys(numbers, ("m-1", buyer))
        assert [await orders.have_left(connection, each) for each in numbers] == [False, True]
        assert await orders.have_left(connection, nearly_there["order_no"])
        told = {each["order_no"]: each["shipped_at"] for each in await orders.moments(connection, numbers)}
        assert told == {numbers[0]: None, numbers[1]: datetime(2026, 3, 2, tzinfo=UTC)}
        assert await orders.marketplace_of(connection, numbers[0]) == "douyin"
        assert (await orders.buyer_of(connection, "o-unknown"), await orders.parties(connection, [])) == (None, {})
        # Numbers of these tests are random: behind the one just before it, an order is the next one.
        (first,) = await orders.unshipped(connection, numbers[0][:-1], 1)
        assert (first.order_no, first.buyer_id) == (numbers[0], buyer)


# What is in which parcel ---------------------------------------------------------------------------------


def parcel() -> Parcel:
    return Parcel(carrier="sf", tracking_no=f"SF{uuid4().hex}")


def hours(count: float) -> datetime:
    """So many hours after the order was paid."""
    return PAID_AT + timedelta(hours=count)


async def packed(pool: asyncpg.Pool, order_no: str, **lines: int) -> Parcel:
    """A parcel with so many pieces of these lines: ``line_1=2``."""
    made = parcel()
    named = [LineQuantity(line=name.removeprefix("line_"), quantity=pieces) for name, pieces in lines.items()]
    async with pool.acquire() as connection, connection.transaction():
        await pack(connection, order_no, made, named)
    return made


async def gone(directory: PostgresOrders, order_no: str) -> dict[str, tuple[int, int]]:
    """How many pieces of each line are out of the warehouse, and with carriers."""
    found = await directory.find(order_no)
    assert found
    return {each.line: (each.pieces_outbound, each.pieces_sent) for each in found.lines}


async def test_pieces_go_parcel_by_parcel_and_the_order_with_the_last(
    pool: asyncpg.Pool, directory: PostgresOrders
) -> None:  # R15, L1
    record = order()
    await load(pool, record)
    no = record["order_no"]
    parcels = [await packed(pool, no, line_1=2), await packed(pool, no, line_1=1), await packed(pool, no, line_2=1)]
    seen: list[tuple[dict[str, tuple[int, int]], datetime | None]] = []

    async with pool.acquire() as connection:
        await mark_outbound(connection, no, hours(1), parcels[0])
        for number, each in enumerate(parcels):
            await mark_shipped(connection, no, hours(5 - number), each)
            found = await directory.find(no)
            assert found
            seen.append((await gone(directory, no), found.shipped_at))

    assert seen == [
        ({"1": (2, 2), "2": (0, 0)}, None),
        ({"1": (3, 3), "2": (0, 0)}, None),
        ({"1": (3, 3), "2": (1, 1)}, hours(5)),
    ]
    found = await directory.find(no)
    assert found
    assert [each.sent_at for each in found.lines] == [hours(3), hours(5)]
    assert found.outbound_at is None


async def test_a_parcel_that_names_no_lines_stands_for_all(pool: asyncpg.Pool, directory: PostgresOrders) -> None:
    """R15: also where others name theirs."""
    record = order()
    await load(pool, record)
    no = record["order_no"]
    await packed(pool, no, line_1=1)

    async with pool.acquire() as connection:
        await mark_shipped(connection, no, hours(1), parcel())

    found = await directory.find(no)
    assert found
    assert found.shipped_at == hours(1)


async def test_what_is_in_a_parcel_is_noted_once_and_added_to(pool: asyncpg.Pool, directory: PostgresOrders) -> None:
    """R15: the larger number of pieces stands, and never more than were bought."""
    record = order()
    await load(pool, record)
    no, made = record["order_no"], parcel()

    async with pool.acquire() as connection:
        for lines in ({"1": 2}, {"1": 1}, {"2": 9}, {}):
            named = [LineQuantity(line=line, quantity=pieces) for line, pieces in lines.items()]
            await pack(connection, no, made, named)
        contents = await carried(connection, no, made)
        with pytest.raises(UnknownOrderLine) as unknown:
            await pack(connection, no, made, [LineQuantity(line="1", quantity=1), LineQuantity(line="3", quantity=1)])
        known = await mark_shipped(connection, f"o-{uuid4().hex}", hours(1), made)

    assert contents == {"1": 2, "2": 1}
    assert unknown.value.number == 1
    assert not known
    assert await gone(directory, no) == {"2": (0, 0), "1": (0, 0)}


async def test_two_parcels_that_leave_at_once_complete_the_order(pool: asyncpg.Pool, directory: PostgresOrders) -> None:
    """R15, section 11: each sees the other, or waits for it."""
    record = order()
    await load(pool, record)
    no = record["order_no"]
    parcels = [await packed(pool, no, line_1=3), await packed(pool, no, line_2=1)]

    async def leaves(each: Parcel) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await mark_shipped(connection, no, hours(2), each)

    await asyncio.gather(*map(leaves, parcels))

    found = await directory.find(no)
    assert found
    assert found.shipped_at == hours(2)


async def test_an_order_that_ships_in_parcels_is_loaded_again_unchanged(pool: asyncpg.Pool) -> None:  # R15
    record = order()
    await load(pool, record)
    no = record["order_no"]
    made = await packed(pool, no, line_1=3, line_2=1)
    async with pool.acquire() as connection:
        await mark_shipped(connection, no, hours(2), made)

    assert await load(pool, record) == LoadReport(loaded=0, unchanged=1, problems=())
