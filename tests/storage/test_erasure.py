"""Forgetting a person (section 8): nothing of theirs opens again, and what is not theirs stays."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from temporalio.client import Client

from activities.postgres import erasure, flags, ledger, loading, statements
from activities.postgres.flags import OtherMarkingUnderKey
from activities.postgres.lookup import name_lookup, phone_lookup
from activities.postgres.pool import open_pool
from activities.postgres.statements import OtherTextUnderKey
from activities.postgres.vault import Vault
from activities.privacy.sealing import Tampered
from starter.errors import UnknownCase
from starter.privacy import AttachmentTooLarge, Privacy
from starter.settings import Settings
from starter.vault import opened_vault
from starter.virtual_numbers import VirtualNumbers
from tests.storage.money import NOON, open_case, some_id
from tests.storage.test_vault import ACCOUNT, RECIPIENT
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.evidence import MAX_ATTACHMENT_BYTES, MediaType
from workflows.messages.flags import AddRemark
from workflows.messages.persons import in_clear
from workflows.messages.statements import Statement, WriteStatement

BY = officer("f-1")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=10, application_name="tests") as opened:
        yield opened


@dataclass
class Books:
    """What services do with one buyer's data, each in a transaction of its own."""

    pool: asyncpg.Pool
    vault: Vault
    order_no: str = field(default_factory=lambda: some_id("o"))
    merchant_id: str = field(default_factory=lambda: some_id("m"))
    buyer_id: str = field(default_factory=lambda: some_id("b"))
    allowance_id: str = field(default_factory=lambda: some_id("a"))
    account: str = ""
    statement: str = ""

    @property
    def person(self) -> str:
        return f"buyer/{self.buyer_id}"

    async def load(self) -> None:
        order = {
            "order_no": self.order_no,
            "marketplace": "douyin",
            "merchant_id": self.merchant_id,
            "buyer_id": self.buyer_id,
            "currency": "CNY",
            "lines": [{"line": "1", "sku": "tea", "quantity": 1, "paid": 900}],
            "tenders": [{"tender": "w", "kind": "wallet", "paid": 900}],
            "paid_at": NOON.isoformat(),
            "recipient": in_clear(RECIPIENT),
        }
        async with self.pool.acquire() as connection:
            assert not (await loading.load_orders(connection, [json.dumps(order)], self.vault)).problems

    async def load_allowance(self) -> None:
        allowance = {
            "allowance_id": self.allowance_id,
            "marketplace": "douyin",
            "merchant_id": self.merchant_id,
            "buyer_id": self.buyer_id,
            "currency": "CNY",
            "principal": 8000,
            "bonus": 2000,
            "tender_kind": "wallet",
            "valid_until": "2027-06-01T00:00:00Z",
            "account_name": "欧阳小明",
        }
        async with self.pool.acquire() as connection:
            assert not (await loading.load_allowances(connection, [json.dumps(allowance)], self.vault)).problems

    async def keep_account(self) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            self.account = await self.vault.keep_bank_account(connection, self.buyer_id, "k", ACCOUNT, NOON)

    async def write(self) -> None:
        wish = {
            "case_id": f"refund/{self.order_no}/k",
            "by": merchant(self.merchant_id),
            "text": "2026年12月1日前退款",
            "key": "k",
        }
        async with self.pool.acquire() as connection, connection.transaction():
            # Of words that were forgotten nobody knows whether they are the same ones.
            with suppress(OtherTextUnderKey):
                written = await statements.write(
                    connection, self.vault.keys, WriteStatement.model_validate(wish), self.person, NOON
                )
                assert isinstance(written, Statement)
                self.statement = written.reference

    async def remark(self) -> None:
        await self._remark(self.merchant_id)

    async def remark_of_another_merchant(self) -> None:
        await self._remark("m-of-nobody-here")

    async def forget(self) -> erasure.Erasure:
        async with self.pool.acquire() as connection:
            return await erasure.forget(connection, self.vault, self.person, by=BY, reason="asked", at=NOON)

    async def _remark(self, merchant_id: str) -> None:
        noted = {
            "subject": self.order_no,
            "merchant_id": merchant_id,
            "by": merchant(merchant_id),
            "key": "k",
            "text": "回电",
        }
        async with self.pool.acquire() as connection, connection.transaction():
            with suppress(OtherMarkingUnderKey):
                await flags.add_remark(connection, self.vault.keys, AddRemark.model_validate(noted), NOON)

    async def readable(self) -> list[str]:
        """What can be read of the buyer, as those read it who may."""
        async with self.pool.acquire() as connection:
            read = await statements.read(connection, self.vault.keys, self.statement)
            found: dict[str, object] = {
                "recipient": await self.vault.recipient(connection, self.order_no),
                "account": await self.vault.bank_account(connection, self.account),
                "statement": read and read.text,
                "remark": [
                    each.text
                    for each in await flags.remarks_of(connection, self.vault.keys, None, self.order_no)
                    if each.text
                ],
                "lookup": await connection.fetch(
                    "SELECT FROM vault.lookups WHERE subject = ANY($1)", [self.order_no, self.allowance_id]
                ),
                "account name": await connection.fetchval(
                    "SELECT account_lookup FROM shop.allowances WHERE allowance_id = $1", self.allowance_id
                ),
            }
        return sorted(name for name, what in found.items() if what)


async def customer(pool: asyncpg.Pool, vault: Vault) -> Books:
    """A buyer with an order, an account, a statement and a remark about them."""
    books = Books(pool, vault)
    for each in (books.load, books.keep_account, books.write, books.remark):
        await each()
    return books


async def test_after_it_nothing_of_the_person_opens(pool: asyncpg.Pool, vault: Vault) -> None:
    gone, other = await customer(pool, vault), await customer(pool, vault)
    async with pool.acquire() as connection:
        done = await erasure.forget(connection, vault, gone.person, by=BY, reason="asked", at=NOON)
        assert done.complete
        assert (done.keys_destroyed, done.sealed_for_good, done.readable, done.searchable) == (1, 2, 0, 0)
        assert done.deleted == 4, "recipient, account, and the hashes of name and phone"

        assert await vault.recipient(connection, gone.order_no) is None
        assert await vault.bank_account(connection, gone.account) is None
        read = await statements.read(connection, vault.keys, gone.statement)
        assert read is not None
        assert read.text is None, "that something was written stays, what was written does not"
        assert [each.text for each in await flags.remarks_of(connection, vault.keys, None, gone.order_no)] == [None]
        assert not await connection.fetch("SELECT FROM vault.lookups WHERE subject = $1", gone.order_no)

        assert await vault.recipient(connection, other.order_no) == RECIPIENT
        assert await vault.bank_account(connection, other.account) == ACCOUNT
        kept = await statements.read(connection, vault.keys, other.statement)
        assert kept is not None
        assert kept.text is not None, "others stay"


async def test_a_backup_from_before_cannot_be_read_either(pool: asyncpg.Pool, vault: Vault) -> None:
    gone = await customer(pool, vault)
    async with pool.acquire() as connection:
        backup = await connection.fetchrow("SELECT * FROM vault.recipients WHERE order_no = $1", gone.order_no)
        assert backup
        await erasure.forget(connection, vault, gone.person, by=BY, reason="asked", at=NOON)
        # Restored, as a backup of this database would be; the keys are in no backup of it.
        await connection.execute(
            "INSERT INTO vault.recipients (order_no, merchant_id, person, sealed, at) VALUES ($1, $2, $3, $4, $5)",
            *backup.values(),
        )
        assert await vault.recipient(connection, gone.order_no) is None


async def test_doing_it_again_does_no_harm_and_proves_it_again(pool: asyncpg.Pool, vault: Vault) -> None:
    gone = await customer(pool, vault)
    async with pool.acquire() as connection:
        for destroyed in (1, 0):
            done = await erasure.forget(connection, vault, gone.person, by=BY, reason="asked", at=NOON)
            assert (done.keys_destroyed, done.sealed_for_good, done.readable) == (destroyed, 2, 0)
        rows = await connection.fetch("SELECT asked_by, reason FROM vault.erasures WHERE person = $1", gone.person)
    assert [tuple(row) for row in rows] == [("platform:f-1", "asked")] * 2


async def test_what_still_opens_is_counted(pool: asyncpg.Pool, vault: Vault) -> None:
    """The proof can fail: it goes by the person's orders as well, not by whose a text says that it is."""
    gone, other = await customer(pool, vault), await customer(pool, vault)
    async with pool.acquire() as connection, connection.transaction():
        sealed = await vault.keys.seal(other.person, flags.REMARK, b"text", place=f"m-9/{gone.order_no}/k")
        await connection.execute(
            """
            INSERT INTO shop.remarks (merchant_id, subject, key, actor_role, actor_id, at, person, sealed)
            VALUES ('m-9', $1, 'k', 'merchant', 'm-9', $2, $3, $4)
            """,
            gone.order_no,
            NOON,
            other.person,
            sealed,
        )

    done = await gone.forget()

    assert (done.readable, done.complete) == (1, False)


ORDERS_OF_WORK = (
    "remark remark_of_another_merchant load forget",
    "remark load remark_of_another_merchant forget load remark forget",
    "load load_allowance forget load load_allowance forget",
    "forget remark load_allowance write keep_account load forget",
    "remark forget load forget",
    "keep_account write remark forget keep_account write load forget",
)


@pytest.mark.parametrize("work", ORDERS_OF_WORK)
async def test_in_whatever_order_all_is_done_nothing_is_left(pool: asyncpg.Pool, vault: Vault, work: str) -> None:
    books = Books(pool, vault)
    *before, last = work.split()
    for each in before:
        await getattr(books, each)()

    assert last == "forget"
    assert (await books.forget()).complete
    assert await books.readable() == []


def test_in_any_order(database: str, settings: Settings) -> None:
    """What is kept last is forgotten last, however the steps follow each other."""
    steps = ["load", "load_allowance", "keep_account", "write", "remark", "remark_of_another_merchant", "forget"]

    @given(st.lists(st.sampled_from(steps), min_size=1, max_size=12))
    @hypothesis_settings(max_examples=25, deadline=None)
    def forgotten(work: list[str]) -> None:
        asyncio.run(in_a_loop_of_its_own(work))

    async def in_a_loop_of_its_own(work: list[str]) -> None:
        async with (
            await open_pool(database, max_size=2, application_name="tests") as pool,
            opened_vault(settings, database) as vault,
        ):
            books = Books(pool, vault)
            for each in work:
                await getattr(books, each)()
            done = await books.forget()
            left = await books.readable()
            assert (done.readable, done.searchable) == (0, 0)
            # Whose order it is that a remark is about, nobody knows before it is loaded.
            assert left == [] or (left == ["remark"] and "load" not in work)
            await books.load()
            assert await books.readable() == []

    forgotten()


async def test_who_writes_at_the_same_moment_waits_or_is_waited_for(pool: asyncpg.Pool, vault: Vault) -> None:
    """An order that was paid before brings nobody back, whichever of the two came first."""
    for _ in range(10):
        books = Books(pool, vault)
        done, *_ = await asyncio.gather(
            books.forget(), books.load(), books.remark(), books.keep_account(), books.write(), books.forget()
        )

        assert done.complete
        assert not {"recipient", "lookup"} & set(await books.readable())
        assert (await books.forget()).complete
        assert await books.readable() == []


async def test_forgetting_waits_for_what_is_being_written(pool: asyncpg.Pool, vault: Vault) -> None:
    books = Books(pool, vault)
    async with pool.acquire() as connection:
        writing = connection.transaction()
        await writing.start()
        await vault.keep_recipient(connection, books.order_no, books.merchant_id, books.buyer_id, RECIPIENT, NOON)
        forgetting = asyncio.create_task(books.forget())
        while not await pool.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
        ):
            assert not forgetting.done()
        await writing.commit()

    assert (await forgetting).deleted == 3, "the recipient, and the hashes of name and phone"
    assert await books.readable() == []


async def test_an_order_that_is_told_again_does_not_bring_its_buyer_back(pool: asyncpg.Pool, vault: Vault) -> None:
    gone = await customer(pool, vault)
    await gone.load_allowance()
    await gone.forget()

    await gone.load()
    await gone.load_allowance()

    assert await gone.readable() == []


async def test_a_remark_follows_its_order_to_the_buyer(pool: asyncpg.Pool, vault: Vault) -> None:
    books = Books(pool, vault)
    await books.remark()
    assert await pool.fetchval("SELECT person FROM shop.remarks WHERE subject = $1", books.order_no) == (
        f"merchant/{books.merchant_id}"
    )

    await books.load()

    assert await pool.fetchval("SELECT person FROM shop.remarks WHERE subject = $1", books.order_no) == books.person
    assert "remark" in await books.readable()
    with pytest.raises(asyncpg.RestrictViolationError):
        await pool.execute("UPDATE shop.remarks SET sealed = 'x' WHERE subject = $1", books.order_no)


@pytest.mark.parametrize("table", ["recipients", "items"])
async def test_what_was_sealed_for_one_place_does_not_open_in_another(
    pool: asyncpg.Pool, vault: Vault, table: str
) -> None:
    """Who can write into the database, and not open anything, can also move nothing between one person's orders."""
    one = await customer(pool, vault)
    other = Books(pool, vault, buyer_id=one.buyer_id)
    await other.load()
    async with pool.acquire() as connection, connection.transaction():
        second = await vault.keep_bank_account(connection, one.buyer_id, "k-2", ACCOUNT, NOON)
    moves = {
        "recipients": ("order_no", one.order_no, other.order_no),
        "items": ("reference", one.account, second),
    }
    key, source, target = moves[table]
    await pool.execute(
        f"UPDATE vault.{table} SET sealed = (SELECT sealed FROM vault.{table} WHERE {key} = $1) WHERE {key} = $2",
        source,
        target,
    )

    async with pool.acquire() as connection:
        read = vault.recipient if table == "recipients" else vault.bank_account
        with pytest.raises(Tampered):
            await read(connection, target)
        await erasure.forget(connection, vault, one.person, by=BY, reason="asked", at=NOON)


async def test_the_money_books_stay_whole(pool: asyncpg.Pool, vault: Vault) -> None:
    wish = await open_case(pool)
    buyer_id = await pool.fetchval("SELECT buyer_id FROM casebook.cases WHERE case_id = $1", wish.case_id)
    async with pool.acquire() as connection:
        before = await ledger.legs_of(connection, wish.case_id, wish.number)
        done = await erasure.forget(connection, vault, f"buyer/{buyer_id}", by=BY, reason="asked", at=NOON)
        assert await ledger.legs_of(connection, wish.case_id, wish.number) == before
    assert wish.case_id in done.open_cases


async def test_attachments_go_under_the_buyers_key(pool: asyncpg.Pool, vault: Vault, client: Client) -> None:  # D6
    privacy = Privacy(pool, vault, VirtualNumbers(client, "unused"))
    wish = await open_case(pool)
    kept = await privacy.keep_attachment(wish.case_id, "k-1", MediaType.PNG, b"\x89PNG\r\n\x1a\n")
    assert (kept.bytes, kept.media_type) == (8, MediaType.PNG)
    assert kept.sha256 == "4c4b6a3be1314ab86138bef4314dde022e600960d8689a2c8f8631802d20dab6"
    assert await privacy.read_attachment(wish.case_id, kept.uri, BY) == b"\x89PNG\r\n\x1a\n"
    buyer_id = await pool.fetchval("SELECT buyer_id FROM casebook.cases WHERE case_id = $1", wish.case_id)
    await privacy.forget(f"buyer/{buyer_id}", by=BY, reason="asked")
    assert await privacy.read_attachment(wish.case_id, kept.uri, BY) is None
    with pytest.raises(UnknownCase):
        await privacy.keep_attachment("refund/none/k", "k-1", MediaType.PNG, b"\x89PNG\r\n\x1a\n")
    for content in (b"", b"x" * (MAX_ATTACHMENT_BYTES + 1)):
        with pytest.raises(AttachmentTooLarge):
            await privacy.keep_attachment(wish.case_id, "k-2", MediaType.PNG, content)


async def test_a_customer_is_found_by_name_and_phone_however_they_are_written(
    pool: asyncpg.Pool, vault: Vault
) -> None:  # section 12
    known = await customer(pool, vault)
    for found_by in (
        name_lookup(vault.lookup_key, " 欧阳 小明"),
        phone_lookup(vault.lookup_key, "+86 139-1234-5678"),
        phone_lookup(vault.lookup_key, "１３９１２３４５６７８"),
    ):
        subjects = await pool.fetch(
            "SELECT subject FROM vault.lookups WHERE hash = $1 AND merchant_id = $2", found_by, known.merchant_id
        )
        assert [row["subject"] for row in subjects] == [known.order_no]
    assert phone_lookup(b"another key", "13912345678") != phone_lookup(vault.lookup_key, "13912345678")
    assert buyer(known.buyer_id).id not in found_by
