"""Bulk export of orders: each once, with or without cases, at the price of contacts that P5 sets."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError

from activities.postgres import exports, flags
from activities.postgres.exports import ExportTooLarge, OtherExportUnderKey, QuotaTooSmall
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.disclosures import Disclosures
from tests.storage.money import NOON, some_id
from tests.storage.shop import MASKED, PHONE, case_of, sent_order
from tests.storage.test_exports import PAGE, Numbers, debited, desk, left, purchase, small_pages, wish
from workflows.messages.actors import Actor, buyer, merchant
from workflows.messages.disclosures import (
    ExportedOrders,
    ExportKind,
    OrderExportRow,
    StartOrderExport,
)
from workflows.messages.flags import AddRemark, Colour, SetFlag

__all__ = ["small_pages"]


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=16) as opened:
        yield opened


@pytest.fixture
def merchant_id() -> str:
    return some_id("m")


def of_orders(merchant_id: str, kind: ExportKind = ExportKind.WITHOUT_CONTACT, **more: object) -> StartOrderExport:
    return StartOrderExport.model_validate(
        {"key": some_id("k"), "merchant_id": merchant_id, "by": merchant(merchant_id), "kind": kind} | more
    )


async def rows_of(desk: Disclosures, wish: StartOrderExport, after: int = 0) -> list[OrderExportRow]:
    return [row async for row in desk.export_orders(wish, after=after)]


async def test_each_order_is_in_it_once_with_what_its_cases_came_to(
    pool: asyncpg.Pool, vault: Vault, merchant_id: str
) -> None:
    plain, twice = [await sent_order(pool, vault, merchant_id) for _ in range(2)]
    await sent_order(pool, vault, some_id("m"))
    open_case, closed = [await case_of(pool, merchant_id, twice) for _ in range(2)]
    await pool.execute("UPDATE casebook.cases SET refunded = 700 WHERE case_id = $1", open_case)
    await pool.execute(
        "UPDATE casebook.cases SET refunded = 200, compensated = 30, stage = 'closed', work_list = NULL,"
        " outcome = 'refunded', closed_at = $2 WHERE case_id = $1",
        closed,
        NOON,
    )
    mark = {"merchant_id": merchant_id, "subject": twice, "by": merchant(merchant_id), "key": "k"}
    async with pool.acquire() as connection, connection.transaction():
        await flags.set_flag(connection, SetFlag.model_validate({**mark, "colour": "red"}), NOON)
        await flags.add_remark(connection, vault.keys, AddRemark.model_validate({**mark, "text": PHONE}), NOON)

    found = {row.order_no: row for row in await rows_of(desk(pool, vault), of_orders(merchant_id))}

    assert found.keys() == {plain, twice}
    told = found[twice]
    assert (told.paid, told.freight, told.currency, told.marketplace) == (5900, 0, "CNY", "douyin")
    assert (told.cases, told.open_cases, told.refunded, told.compensated) == (2, 1, 900, 30)
    assert (told.flag, told.order_remarks, told.contact) == (Colour.RED, 1, None)
    assert (found[plain].cases, found[plain].refunded, found[plain].flag) == (0, 0, None)
    assert PHONE not in "".join(row.model_dump_json() for row in found.values())


async def test_they_are_chosen_by_when_they_were_paid_and_by_their_cases(
    pool: asyncpg.Pool, vault: Vault, merchant_id: str
) -> None:
    with_case, without = [await sent_order(pool, vault, merchant_id) for _ in range(2)]
    await case_of(pool, merchant_id, with_case)
    mine = desk(pool, vault)

    async def chosen(**more: Any) -> set[str]:
        return {row.order_no for row in await rows_of(mine, of_orders(merchant_id, **more))}

    assert await chosen(orders=ExportedOrders.ALL) == {with_case, without}
    assert await chosen(orders=ExportedOrders.WITH_CASES) == {with_case}
    assert await chosen(orders=ExportedOrders.WITHOUT_CASES) == {without}
    assert await chosen(paid_from=NOON, paid_until=NOON + timedelta(seconds=1)) == {with_case, without}
    assert await chosen(paid_until=NOON) == set()
    assert await chosen(paid_from=NOON + timedelta(seconds=1)) == set()


async def test_it_goes_on_after_any_row_and_stays_the_same(pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
    orders = sorted([await sent_order(pool, vault, merchant_id) for _ in range(2 * PAGE)])
    mine, same = desk(pool, vault), of_orders(merchant_id)
    first = await mine.start_order_export(same)
    await sent_order(pool, vault, merchant_id)

    assert first.rows == 2 * PAGE
    for after in range(2 * PAGE + 1):
        rest = await rows_of(mine, same, after)
        assert [(row.row, row.order_no) for row in rest] == list(enumerate(orders, start=1))[after:]


async def test_contacts_are_masked_for_nothing_and_numbers_debit_each_order_once(
    pool: asyncpg.Pool, vault: Vault, merchant_id: str
) -> None:  # P1, P5
    orders = [await sent_order(pool, vault, merchant_id) for _ in range(PAGE + 1)]
    for order_no in orders:
        await case_of(pool, merchant_id, order_no)
        await case_of(pool, merchant_id, order_no)
    unknown = await sent_order(pool, vault, merchant_id, known=False)
    mine = desk(pool, vault)

    masked = await rows_of(mine, of_orders(merchant_id, ExportKind.MASKED_CONTACT))
    same = of_orders(merchant_id, ExportKind.VIRTUAL_NUMBERS)
    with pytest.raises(QuotaTooSmall):
        await rows_of(mine, same)
    await mine.buy_quota(purchase(merchant_id, PAGE + 1))
    numbered = await rows_of(mine, same)
    again = await rows_of(mine, same)

    of_the_known = {row.contact and row.contact.name.get_secret_value() for row in masked if row.order_no != unknown}
    assert of_the_known == {MASKED[0]}
    numbers = {row.order_no: row.contact and row.contact.virtual_number for row in numbered}
    assert numbers == {order_no: SecretStr(f"number of {order_no}") for order_no in orders} | {unknown: None}
    assert again == numbered
    assert sorted(await debited(pool, merchant_id)) == sorted(orders)
    assert await left(pool, merchant_id) == 0


async def test_the_quota_is_not_overdrawn_by_orders_and_cases_at_once(
    pool: asyncpg.Pool, vault: Vault, merchant_id: str
) -> None:  # P5
    """Both exports have seen that there is enough before either debits."""
    for _ in range(PAGE):
        await case_of(pool, merchant_id, await sent_order(pool, vault, merchant_id))
    both = asyncio.Barrier(2 * PAGE)
    mine = desk(pool, vault, Numbers(before=both.wait))
    await mine.buy_quota(purchase(merchant_id, 2 * PAGE - 1))

    async def cases() -> int:
        return len([row async for row in mine.export(wish(merchant_id, ExportKind.VIRTUAL_NUMBERS))])

    async def orders() -> int:
        return len(await rows_of(mine, of_orders(merchant_id, ExportKind.VIRTUAL_NUMBERS)))

    results = await asyncio.gather(cases(), orders(), return_exceptions=True)

    assert sorted(type(each).__name__ for each in results) == ["QuotaTooSmall", "int"]
    assert await left(pool, merchant_id) == PAGE - 1


async def test_a_key_is_an_export_of_orders_or_of_cases(pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
    mine = desk(pool, vault)
    orders, cases = of_orders(merchant_id), wish(merchant_id)
    await mine.start_order_export(orders)
    await mine.start_export(cases)

    with pytest.raises(OtherExportUnderKey):
        await mine.start_export(cases.model_copy(update={"key": orders.key}))
    with pytest.raises(OtherExportUnderKey):
        await mine.start_order_export(orders.model_copy(update={"key": cases.key}))


async def test_what_is_too_large_is_not_begun(
    pool: asyncpg.Pool, vault: Vault, merchant_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is cut before it is written, and the key stays free for a shorter time."""
    for _ in range(3):
        await case_of(pool, merchant_id, await sent_order(pool, vault, merchant_id))
    monkeypatch.setattr(exports, "MOST_ROWS", 2)
    mine, orders, cases = desk(pool, vault), of_orders(merchant_id), wish(merchant_id)

    with pytest.raises(ExportTooLarge, match="2 rows at most"):
        await mine.start_order_export(orders)
    with pytest.raises(ExportTooLarge):
        await mine.start_export(cases)
    monkeypatch.setattr(exports, "MOST_ROWS", 3)

    assert len(await rows_of(mine, orders)) == 3


@pytest.mark.parametrize("by", [merchant("m-2"), buyer("b-1")])
def test_it_is_for_the_merchant_itself_and_the_platform(by: Actor) -> None:  # section 12
    with pytest.raises(ValidationError, match="section 12"):
        of_orders("m-1", by=by)


async def test_an_order_is_told_in_json_as_it_is(pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
    order_no = await sent_order(pool, vault, merchant_id)
    (row,) = await rows_of(desk(pool, vault), of_orders(merchant_id))

    told = json.loads(row.model_dump_json())

    assert (told["order_no"], told["paid_at"], told["shipped_at"]) == (order_no, *["2026-11-23T04:00:00Z"] * 2)
