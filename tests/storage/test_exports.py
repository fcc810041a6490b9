"""Bulk export: the same rows however often it is interrupted, and a quota that is debited once (P5)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError

import starter.disclosures
from activities.postgres import exports, flags, looks
from activities.postgres.exports import ExportOver, OtherExportUnderKey, OtherPurchaseUnderKey, QuotaTooSmall
from activities.postgres.looks import Looker
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.disclosures import Disclosures
from tests.storage.money import NOON, minutes, some_id
from tests.storage.shop import MASKED, NAME, PHONE, STREET, case_of, sent_order
from workflows.messages.actors import Actor, buyer, merchant, officer
from workflows.messages.cases import Refusal
from workflows.messages.disclosures import BuyQuota, Export, ExportKind, ExportRow, StartExport
from workflows.messages.flags import AddRemark
from workflows.messages.stages import StageName, WorkList
from workflows.rules.refusals import refused

PAGE = 3


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=16) as opened:
        yield opened


@pytest.fixture
def merchant_id() -> str:
    return some_id("m")


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter.disclosures, "_PAGE", PAGE)


class Numbers:
    """A number for each order, but for those that ``refuse`` names."""

    def __init__(self, *, before: Callable[[], Awaitable[object]] | None = None) -> None:
        self.asked: list[str] = []
        self.refuse: set[str] = set()
        self.broken = False
        self._before = before

    async def obtain(self, subject: str, by: Actor) -> SecretStr | Refusal:
        self.asked.append(subject)
        if self._before:
            await self._before()
        if self.broken:
            raise ConnectionError("the provider does not answer")
        if subject in self.refuse:
            return refused("pool_dry", "subject", "P3", "no number is free")
        return SecretStr(f"number of {subject}")


class ClosedVault(Vault):
    """Fails whoever reads it."""

    async def recipients(self, connection: Any, order_nos: Any) -> Any:
        raise AssertionError("the vault was read")


def desk(pool: asyncpg.Pool, vault: Vault, numbers: Numbers | None = None) -> Disclosures:
    return Disclosures(pool, vault, numbers or Numbers(), 9)


def wish(merchant_id: str, kind: ExportKind = ExportKind.WITHOUT_CONTACT, **more: object) -> StartExport:
    body: dict[str, object] = {
        "key": some_id("k"),
        "merchant_id": merchant_id,
        "by": merchant(merchant_id),
        "kind": kind,
    }
    return StartExport.model_validate(body | more)


def numbered(merchant_id: str) -> StartExport:
    return wish(merchant_id, ExportKind.VIRTUAL_NUMBERS)


def purchase(merchant_id: str, amount: int, **more: object) -> BuyQuota:
    body: dict[str, object] = {"key": some_id("k"), "merchant_id": merchant_id, "by": officer("f-1"), "amount": amount}
    return BuyQuota.model_validate(body | more)


async def cases(pool: asyncpg.Pool, vault: Vault, merchant_id: str, count: int) -> list[str]:
    """So many orders with a case each, one opened after the other; the orders' numbers."""
    orders = [await sent_order(pool, vault, merchant_id) for _ in range(count)]
    for number, order_no in enumerate(orders):
        await case_of(pool, merchant_id, order_no, opened_at=minutes(number))
    return orders


async def all_rows(desk: Disclosures, wish: StartExport, after: int = 0) -> list[ExportRow]:
    return [row async for row in desk.export(wish, after=after)]


async def receive(rows: AsyncGenerator[ExportRow], received: list[ExportRow], most: int = 100) -> None:
    """Take rows in until there are no more, or so many that somebody pulls the plug."""
    async with aclosing(rows):
        async for row in rows:
            received.append(row)
            if len(received) == most:
                break


async def some_rows(desk: Disclosures, wish: StartExport, count: int, after: int = 0) -> list[ExportRow]:
    received: list[ExportRow] = []
    await receive(desk.export(wish, after=after), received, count)
    return received


async def left(pool: asyncpg.Pool, merchant_id: str) -> int:
    """The quota's balance, which must be the sum of its movements."""
    async with pool.acquire() as connection:
        balance = (await exports.quota_of(connection, merchant_id)).left
    booked = await pool.fetchval("SELECT sum(amount) FROM exports.movements WHERE merchant_id = $1", merchant_id)
    assert balance == (booked or 0)
    return balance


async def debited(pool: asyncpg.Pool, merchant_id: str) -> list[str]:
    rows = await pool.fetch(
        "SELECT order_no FROM exports.movements WHERE merchant_id = $1 AND amount = -1 ORDER BY id", merchant_id
    )
    return [row["order_no"] for row in rows]


def number(row: ExportRow) -> str | None:
    return row.contact.virtual_number.get_secret_value() if row.contact and row.contact.virtual_number else None


class TestTheRows:
    async def test_are_the_merchants_cases_oldest_first(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5, section 12
        orders = await cases(pool, vault, merchant_id, 2 * PAGE + 1)
        await cases(pool, vault, some_id("m"), 1)

        rows = await all_rows(desk(pool, vault), wish(merchant_id))

        assert [row.order_no for row in rows] == orders
        assert [row.row for row in rows] == [1, 2, 3, 4, 5, 6, 7]
        assert (rows[1].opened_at, rows[1].paid_at, rows[1].asked) == (minutes(1), NOON, 5900)
        assert (rows[0].stage, rows[0].work_list) == (StageName.MERCHANT_REVIEW, WorkList.UNSHIPPED_REFUNDS)

    async def test_say_how_much_is_noted_and_never_what(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # section 12, P5
        noted_at, plain = await cases(pool, vault, merchant_id, 2)
        noted = {"subject": noted_at, "merchant_id": merchant_id, "text": "13912345678", "key": "k"}
        async with pool.acquire() as connection, connection.transaction():
            wished = AddRemark.model_validate({**noted, "by": merchant(merchant_id)})
            await flags.add_remark(connection, vault.keys, wished, NOON)

        rows = await all_rows(desk(pool, vault), wish(merchant_id))

        assert {each.order_no: (each.remarks, each.order_remarks) for each in rows} == {noted_at: (0, 1), plain: (0, 0)}
        assert "13912345678" not in "".join(each.model_dump_json() for each in rows)

    async def test_are_none_where_there_are_no_cases(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
        mine = desk(pool, vault)

        assert await all_rows(mine, wish(merchant_id)) == []
        assert (await mine.start_export(wish(merchant_id))).rows == 0

    async def test_are_chosen_by_stage_list_and_date(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
        for minute, stage, work_list in (
            (0, StageName.CLOSED, None),
            (1, StageName.RETENTION, WorkList.WITHDRAWALS),
            (2, StageName.RETENTION, WorkList.PAYMENTS),
            (3, StageName.CLOSED, None),
        ):
            await case_of(pool, merchant_id, None, stage=stage, work_list=work_list, opened_at=minutes(minute))

        async def chosen(**filters: object) -> list[datetime]:
            rows = await all_rows(desk(pool, vault), wish(merchant_id, ExportKind.WITHOUT_CONTACT, **filters))
            return [row.opened_at for row in rows]

        assert await chosen(stage="retention") == [minutes(1), minutes(2)]
        assert await chosen(work_list="payments") == [minutes(2)]
        assert await chosen(opened_from=minutes(1), opened_until=minutes(3)) == [minutes(1), minutes(2)]
        assert await chosen(opened_from=minutes(2), stage="closed") == [minutes(3)]

    async def test_stay_the_same_whatever_happens_to_the_cases(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5
        await cases(pool, vault, merchant_id, 5)
        mine, same = desk(pool, vault), wish(merchant_id, stage="merchant_review")
        first = await some_rows(mine, same, 2)

        await pool.execute("UPDATE casebook.cases SET stage = 'closed' WHERE merchant_id = $1", merchant_id)
        await case_of(pool, merchant_id, None, opened_at=minutes(-9))
        rest = await all_rows(mine, same, after=2)

        assert [row.row for row in first + rest] == [1, 2, 3, 4, 5]
        assert {row.stage for row in rest} == {StageName.MERCHANT_REVIEW}
        assert await all_rows(mine, same) == first + rest

    @pytest.mark.parametrize("kind", ExportKind)
    async def test_go_on_after_any_of_them(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, kind: ExportKind
    ) -> None:  # P5
        await cases(pool, vault, merchant_id, 7)
        mine, same = desk(pool, vault), wish(merchant_id, kind)
        await mine.buy_quota(purchase(merchant_id, 7))
        whole = await all_rows(mine, same)

        for cut in range(1, 8):
            assert await some_rows(mine, same, cut) + await all_rows(mine, same, after=cut) == whole
        assert await all_rows(mine, same, after=99) == []


class TestContact:
    async def test_is_left_out_and_not_even_read(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5
        await cases(pool, vault, merchant_id, 1)
        mine = desk(pool, ClosedVault(vault.keys, vault.lookup_key))

        (row,) = await all_rows(mine, wish(merchant_id))

        assert (row.contact, row.number_refused) == (None, None)

    async def test_is_masked_for_nothing(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:  # P1, P5
        numbers = Numbers()
        (order_no,) = await cases(pool, vault, merchant_id, 1)

        (row,) = await all_rows(desk(pool, vault, numbers), wish(merchant_id, ExportKind.MASKED_CONTACT))

        assert row.contact is not None
        contact = (row.contact.name, row.contact.phone, row.contact.address)
        assert tuple(each.get_secret_value() for each in contact) == MASKED
        assert (number(row), row.number_refused, numbers.asked) == (None, None, [])
        assert await self.looks(pool, order_no) == []

    async def test_of_the_forgotten_is_gone_from_an_export_that_had_begun(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:
        buyer_id = some_id("b")
        await case_of(pool, merchant_id, await sent_order(pool, vault, merchant_id, buyer_id=buyer_id))
        mine, same = desk(pool, vault), wish(merchant_id, ExportKind.MASKED_CONTACT)
        await mine.start_export(same)

        await vault.keys.destroy(f"buyer/{buyer_id}")

        assert [row.contact for row in await all_rows(mine, same)] == [None]

    async def test_with_a_number_is_masked_and_leaves_a_record(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P1, P2, P5
        (order_no,) = await cases(pool, vault, merchant_id, 1)
        mine = desk(pool, vault)
        await mine.buy_quota(purchase(merchant_id, 1))

        (row,) = await all_rows(mine, numbered(merchant_id))

        assert row.contact is not None
        assert (row.contact.name.get_secret_value(), number(row)) == (MASKED[0], f"number of {order_no}")
        assert await self.looks(pool, order_no) == [("virtual_number", "export", merchant(merchant_id))]

    async def test_is_nowhere_in_what_is_kept_of_an_export(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P6
        await cases(pool, vault, merchant_id, 2)
        mine = desk(pool, vault)
        await mine.buy_quota(purchase(merchant_id, 2))
        rows = await all_rows(mine, numbered(merchant_id))

        kept = await pool.fetch(
            """
            SELECT jobs::text AS line FROM exports.jobs UNION ALL SELECT rows::text FROM exports.rows
            UNION ALL SELECT movements::text FROM exports.movements
            """
        )

        text = "\n".join([*(row["line"] for row in kept), repr(rows), rows[0].model_dump_json()])
        assert rows[0].case_id in text
        assert not [secret for secret in (NAME, PHONE, STREET, *MASKED, "number of") if secret in text]

    async def looks(self, pool: asyncpg.Pool, order_no: str) -> list[tuple[str, str, Actor | Looker]]:
        async with pool.acquire() as connection:
            found = await looks.looks(connection, None, subject=order_no)
        return [(each.field, each.surface, each.by) for each in found]


class TestOneKey:
    async def test_is_one_export(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
        await cases(pool, vault, merchant_id, 2)
        same = wish(merchant_id, opened_from=NOON)

        begun = await asyncio.gather(*(desk(pool, vault).start_export(same) for _ in range(6)))

        assert len({each.id for each in begun}) == 1
        assert {each.rows for each in begun} == {2}

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": ExportKind.MASKED_CONTACT},
            {"stage": StageName.CLOSED},
            {"opened_from": NOON},
            {"by": officer("f-1")},
        ],
    )
    async def test_with_another_body_is_refused(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, change: dict[str, Any]
    ) -> None:
        first = wish(merchant_id)
        await desk(pool, vault).start_export(first)

        with pytest.raises(OtherExportUnderKey):
            await all_rows(desk(pool, vault), first.model_copy(update=change))

    async def test_of_another_merchant_is_another(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
        await cases(pool, vault, merchant_id, 1)
        first = wish(merchant_id)
        assert len(await all_rows(desk(pool, vault), first)) == 1

        assert await all_rows(desk(pool, vault), wish(some_id("m"), key=first.key)) == []

    async def test_is_one_purchase(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
        mine, same = desk(pool, vault), purchase(merchant_id, 5)

        bought = await asyncio.gather(*(mine.buy_quota(each) for each in (same, same, purchase(merchant_id, 2), same)))

        assert max(each.left for each in bought) == 7
        assert (await mine.quota(merchant_id)).left == await left(pool, merchant_id) == 7

    @pytest.mark.parametrize("change", [{"amount": 6}, {"by": officer("f-2")}])
    async def test_of_another_purchase_is_refused(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, change: dict[str, Any]
    ) -> None:
        first = purchase(merchant_id, 5)
        await desk(pool, vault).buy_quota(first)

        with pytest.raises(OtherPurchaseUnderKey):
            await desk(pool, vault).buy_quota(first.model_copy(update=change))
        assert await left(pool, merchant_id) == 5

    @pytest.mark.parametrize("by", [merchant("m-2"), buyer("m-1")])
    def test_is_for_the_merchant_itself_and_the_platform(self, by: Actor) -> None:  # section 12
        with pytest.raises(ValidationError, match="section 12"):
            wish("m-1", by=by)

    @pytest.mark.parametrize("by", [merchant("m-1"), merchant("m-2"), buyer("m-1")])
    def test_and_quota_is_added_by_the_platform_alone(self, by: Actor) -> None:  # P5
        with pytest.raises(ValidationError, match="P5"):
            purchase("m-1", 1, by=by)

    def test_and_dates_that_are_the_wrong_way_round_are_refused(self) -> None:
        with pytest.raises(ValidationError, match="opened_from"):
            wish("m-1", opened_from=NOON, opened_until=NOON)


class TestTheEnd:
    async def test_comes_after_a_week(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
        await cases(pool, vault, merchant_id, 2)
        export = await self.start(pool, wish(merchant_id), NOON)

        async with pool.acquire() as connection:
            last = export.ends_at - timedelta(microseconds=1)
            assert len(await exports.page(connection, vault, export, ExportRow, 0, 9, last)) == 2
            with pytest.raises(ExportOver):
                await exports.page(connection, vault, export, ExportRow, 0, 9, export.ends_at)
        assert export.ends_at == NOON + timedelta(days=7)

    async def test_takes_the_rows_along_when_the_next_begins(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:
        await cases(pool, vault, merchant_id, 2)
        old = await self.start(pool, wish(merchant_id), NOON)
        young = await self.start(pool, wish(merchant_id), NOON + timedelta(minutes=1))
        other = await self.start(pool, wish(some_id("m")), NOON)
        await pool.execute("INSERT INTO exports.rows VALUES ($1, 1, NULL, '{}')", other.id)

        await self.start(pool, wish(merchant_id), old.ends_at)

        kept = await pool.fetch("SELECT DISTINCT export FROM exports.rows WHERE export = ANY($1)", [old.id, young.id])
        assert [row["export"] for row in kept] == [young.id]
        assert await pool.fetchval("SELECT count(*) FROM exports.rows WHERE export = $1", other.id) == 1

    async def start(self, pool: asyncpg.Pool, wish: StartExport, at: datetime) -> Export:
        async with pool.acquire() as connection, connection.transaction():
            return await exports.start(connection, wish, at)


class TestTheQuota:
    async def test_pays_one_for_each_order(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:  # P5
        orders = await cases(pool, vault, merchant_id, 4)
        # A second case of an order, on the same page and on another one.
        await case_of(pool, merchant_id, orders[0], opened_at=minutes(0.5))
        await case_of(pool, merchant_id, orders[0], opened_at=minutes(9))
        mine = desk(pool, vault)
        await mine.buy_quota(purchase(merchant_id, 10))

        rows = await all_rows(mine, numbered(merchant_id))

        assert [number(row) for row in rows] == [f"number of {row.order_no}" for row in rows]
        assert len(rows) == 6
        assert sorted(await debited(pool, merchant_id)) == sorted(orders)
        assert await left(pool, merchant_id) == 6

    async def test_pays_once_however_often_a_page_is_fetched(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5
        await cases(pool, vault, merchant_id, PAGE)
        mine, same = desk(pool, vault), numbered(merchant_id)
        await mine.buy_quota(purchase(merchant_id, PAGE))

        first = await all_rows(mine, same)
        assert await left(pool, merchant_id) == 0
        again = await asyncio.gather(*(all_rows(mine, same) for _ in range(4)))

        assert again == [first] * 4
        assert await left(pool, merchant_id) == 0

    async def test_pays_again_for_another_export(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
        await cases(pool, vault, merchant_id, 1)
        mine = desk(pool, vault)
        await mine.buy_quota(purchase(merchant_id, 5))

        for _ in range(2):
            await all_rows(mine, numbered(merchant_id))

        assert await left(pool, merchant_id) == 3

    async def test_pays_once_for_a_page_that_is_fetched_twice_at_once(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5
        await cases(pool, vault, merchant_id, PAGE)
        same = numbered(merchant_id)
        await desk(pool, vault).buy_quota(purchase(merchant_id, PAGE))

        rows = await asyncio.gather(*(all_rows(desk(pool, vault), same) for _ in range(6)))

        assert [len(each) for each in rows] == [PAGE] * 6
        assert await left(pool, merchant_id) == 0

    async def test_that_is_too_small_gives_nothing_of_the_page(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5
        orders = await cases(pool, vault, merchant_id, 2 * PAGE + 2)
        numbers = Numbers()
        mine, same = desk(pool, vault, numbers), numbered(merchant_id)
        await mine.buy_quota(purchase(merchant_id, PAGE + 1))
        received: list[ExportRow] = []

        with pytest.raises(QuotaTooSmall) as refusal:
            await receive(mine.export(same), received)

        assert [row.order_no for row in received] == orders[:PAGE]
        assert (refusal.value.missing, refusal.value.missing_in_all) == (2, 4)
        assert sorted(numbers.asked) == sorted(orders[:PAGE])  # none was bound that could not be given
        assert await left(pool, merchant_id) == 1

        await mine.buy_quota(purchase(merchant_id, refusal.value.missing_in_all))
        rest = await all_rows(mine, same, after=received[-1].row)
        assert [row.order_no for row in rest] == orders[PAGE:]
        assert await left(pool, merchant_id) == 0

    async def test_is_needed_from_the_first_number_on(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5
        await cases(pool, vault, merchant_id, 1)

        with pytest.raises(QuotaTooSmall, match="1 are missing"):
            await all_rows(desk(pool, vault), numbered(merchant_id))

    async def test_is_never_overdrawn_by_two_exports_at_once(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5
        """Both have seen that there is enough before either of them debits."""
        await cases(pool, vault, merchant_id, PAGE)
        both = asyncio.Barrier(2 * PAGE)
        numbers = Numbers(before=both.wait)
        await desk(pool, vault).buy_quota(purchase(merchant_id, 2 * PAGE - 1))

        results = await asyncio.gather(
            *(all_rows(desk(pool, vault, numbers), numbered(merchant_id)) for _ in range(2)), return_exceptions=True
        )

        assert sorted(type(each).__name__ for each in results) == ["QuotaTooSmall", "list"]
        assert len(await debited(pool, merchant_id)) == PAGE
        assert await left(pool, merchant_id) == PAGE - 1

    async def test_pays_nothing_for_a_number_that_could_not_be_had(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5
        buyer_id = some_id("b")
        had, dry = await cases(pool, vault, merchant_id, 2)
        forgotten = await sent_order(pool, vault, merchant_id, buyer_id=buyer_id)
        unknown = await sent_order(pool, vault, merchant_id, known=False)
        for order_no in (forgotten, unknown, None):
            await case_of(pool, merchant_id, order_no, opened_at=minutes(5))
        await vault.keys.destroy(f"buyer/{buyer_id}")
        numbers = Numbers()
        numbers.refuse = {dry}
        mine, same = desk(pool, vault, numbers), numbered(merchant_id)
        await mine.buy_quota(purchase(merchant_id, 2))

        rows = await all_rows(mine, same)

        assert {(row.order_no, row.number_refused) for row in rows} == {
            (had, None),
            (dry, "pool_dry"),
            (forgotten, "no_recipient"),
            (unknown, "no_recipient"),
            (None, "no_recipient"),
        }
        assert [number(row) for row in rows if row.number_refused] == [None] * 4
        assert await debited(pool, merchant_id) == [had]
        assert await left(pool, merchant_id) == 1
        # A number that is there the next time is debited then.
        numbers.refuse.clear()
        await all_rows(mine, same)
        assert await debited(pool, merchant_id) == [had, dry]

    async def test_pays_nothing_where_numbers_cannot_be_asked_for(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:
        await cases(pool, vault, merchant_id, PAGE)
        numbers = Numbers()
        mine, same = desk(pool, vault, numbers), numbered(merchant_id)
        await mine.buy_quota(purchase(merchant_id, PAGE))

        numbers.broken = True
        with pytest.raises(ConnectionError):
            await all_rows(mine, same)
        assert await left(pool, merchant_id) == PAGE

        numbers.broken = False
        assert len(await all_rows(mine, same)) == PAGE
        assert await left(pool, merchant_id) == 0

    async def test_that_was_debited_for_a_page_nobody_received_is_not_debited_again(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # P5
        """The process dies between the debit and the first row."""
        orders = await cases(pool, vault, merchant_id, PAGE + 1)
        mine, same = desk(pool, vault), numbered(merchant_id)
        await mine.buy_quota(purchase(merchant_id, PAGE + 1))

        class KilledError(BaseException):
            pass

        def die(*_: object) -> None:
            raise KilledError

        with monkeypatch.context() as patched:
            patched.setattr(starter.disclosures, "_numbered", die)
            with pytest.raises(KilledError):
                await all_rows(mine, same)
        assert await left(pool, merchant_id) == 1

        rows = await all_rows(mine, same)
        assert [number(row) for row in rows] == [f"number of {each}" for each in orders]
        assert await left(pool, merchant_id) == 0

    async def test_pays_once_for_what_was_lost_in_the_middle_of_a_page(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5
        await cases(pool, vault, merchant_id, 2 * PAGE)
        mine, same = desk(pool, vault), numbered(merchant_id)
        await mine.buy_quota(purchase(merchant_id, 2 * PAGE))

        received: list[ExportRow] = []
        while rows := await some_rows(mine, same, 1, after=len(received)):
            received += rows

        assert [row.row for row in received] == [1, 2, 3, 4, 5, 6]
        assert await left(pool, merchant_id) == 0


class TestTheBook:
    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE exports.movements SET amount = 1000",
            "DELETE FROM exports.movements",
            "TRUNCATE exports.movements",
            "UPDATE exports.jobs SET started_at = now()",
            "DELETE FROM exports.jobs",
        ],
    )
    async def test_is_append_only(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, change: str) -> None:
        await desk(pool, vault).buy_quota(purchase(merchant_id, 1))

        with pytest.raises(asyncpg.RestrictViolationError):
            await pool.execute(change)

    async def test_cannot_be_overdrawn_by_hand(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
        await desk(pool, vault).buy_quota(purchase(merchant_id, 1))

        with pytest.raises(asyncpg.CheckViolationError):
            await pool.execute("UPDATE exports.accounts SET balance = -1 WHERE merchant_id = $1", merchant_id)

    async def test_has_one_debit_of_an_order_in_an_export(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P5
        await cases(pool, vault, merchant_id, 1)
        mine = desk(pool, vault)
        await mine.buy_quota(purchase(merchant_id, 5))
        await all_rows(mine, numbered(merchant_id))

        with pytest.raises(asyncpg.UniqueViolationError):
            await pool.execute(
                """
                INSERT INTO exports.movements (merchant_id, amount, export, order_no, actor_role, actor_id, at)
                SELECT merchant_id, -1, export, order_no, actor_role, actor_id, at
                FROM exports.movements WHERE merchant_id = $1 AND amount = -1
                """,
                merchant_id,
            )
