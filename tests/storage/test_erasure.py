"""Forgetting a person (section 8): nothing of theirs opens again, and what is not theirs stays."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.postgres import erasure, flags, ledger, loading, statements
from activities.postgres.lookup import name_lookup, phone_lookup
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.errors import UnknownCase
from starter.privacy import MOST_BYTES, AttachmentTooLarge, Privacy
from starter.virtual_numbers import VirtualNumbers
from tests.storage.money import NOON, open_case, some_id
from tests.storage.test_vault import ACCOUNT, RECIPIENT
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.evidence import MediaType
from workflows.messages.flags import AddRemark
from workflows.messages.persons import in_clear
from workflows.messages.statements import Statement, WriteStatement

BY = officer("f-1")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=10, application_name="tests") as opened:
        yield opened


@dataclass
class Customer:
    """A buyer with an order, an account, a statement and a remark about them."""

    buyer_id: str
    order_no: str
    merchant_id: str
    account: str
    statement: str

    @property
    def person(self) -> str:
        return f"buyer/{self.buyer_id}"


async def customer(pool: asyncpg.Pool, vault: Vault) -> Customer:
    order_no, merchant_id, buyer_id = some_id("o"), some_id("m"), some_id("b")
    order = {
        "order_no": order_no,
        "marketplace": "douyin",
        "merchant_id": merchant_id,
        "buyer_id": buyer_id,
        "currency": "CNY",
        "lines": [{"line": "1", "sku": "tea", "quantity": 1, "paid": 900}],
        "tenders": [{"tender": "w", "kind": "wallet", "paid": 900}],
        "paid_at": NOON.isoformat(),
        "recipient": in_clear(RECIPIENT),
    }
    async with pool.acquire() as connection, connection.transaction():
        assert not (await loading.load_orders(connection, [json.dumps(order)], vault)).problems
        account = await vault.keep_bank_account(connection, buyer_id, "k", ACCOUNT, NOON)
        wish = {
            "case_id": f"refund/{order_no}/k",
            "by": merchant(merchant_id),
            "text": "2026年12月1日前退款",
            "key": "k",
        }
        written = await statements.write(
            connection, vault.keys, WriteStatement.model_validate(wish), f"buyer/{buyer_id}", NOON
        )
        assert isinstance(written, Statement)
        noted = {
            "subject": order_no,
            "merchant_id": merchant_id,
            "by": merchant(merchant_id),
            "key": "k",
            "text": "回电",
        }
        await flags.add_remark(connection, vault.keys, AddRemark.model_validate(noted), NOON)
    return Customer(buyer_id, order_no, merchant_id, account, written.reference)


async def test_after_it_nothing_of_the_person_opens(pool: asyncpg.Pool, vault: Vault) -> None:
    gone, other = await customer(pool, vault), await customer(pool, vault)
    async with pool.acquire() as connection:
        done = await erasure.forget(connection, vault, gone.person, by=BY, reason="asked", at=NOON)
        assert done.complete
        assert (done.keys_destroyed, done.sealed_for_good, done.readable) == (1, 2, 0)
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
    """The proof can fail: a text that was sealed under another person's key is found."""
    gone, other = await customer(pool, vault), await customer(pool, vault)
    async with pool.acquire() as connection:
        await connection.execute("ALTER TABLE shop.remarks DISABLE TRIGGER keep")
        await connection.execute(
            "UPDATE shop.remarks SET sealed = (SELECT sealed FROM shop.remarks WHERE subject = $2) WHERE subject = $1",
            gone.order_no,
            other.order_no,
        )
        await connection.execute("ALTER TABLE shop.remarks ENABLE TRIGGER keep")
        done = await erasure.forget(connection, vault, gone.person, by=BY, reason="asked", at=NOON)
    assert (done.readable, done.complete) == (1, False)


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
    kept = await privacy.keep_attachment(wish.case_id, "k-1", MediaType.PNG, b"\x89PNG")
    assert (kept.bytes, kept.media_type) == (4, MediaType.PNG)
    assert kept.sha256 == "0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543"
    assert await privacy.read_attachment(kept.uri) == b"\x89PNG"
    buyer_id = await pool.fetchval("SELECT buyer_id FROM casebook.cases WHERE case_id = $1", wish.case_id)
    await privacy.forget(f"buyer/{buyer_id}", by=BY, reason="asked")
    assert await privacy.read_attachment(kept.uri) is None
    with pytest.raises(UnknownCase):
        await privacy.keep_attachment("refund/none/k", "k-1", MediaType.PNG, b"x")
    for content in (b"", b"x" * (MOST_BYTES + 1)):
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
