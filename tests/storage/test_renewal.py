"""What earlier releases kept in another form is written anew, once, however often it breaks off."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import flags, renewal, statements
from activities.postgres.loading import load_allowances
from activities.postgres.lookup import account_lookup, name_lookup, phone_lookup
from activities.postgres.person_keys import PersonKeys
from activities.postgres.pool import open_pool
from activities.postgres.vault import RECIPIENT as RECIPIENT_CONTEXT
from activities.postgres.vault import Vault
from activities.privacy.sealing import Tampered
from tests.storage.money import NOON, some_id
from tests.storage.shop import NAME, PHONE, sent_order
from workflows.messages.actors import merchant
from workflows.messages.flags import AddRemark
from workflows.messages.statements import Statement, WriteStatement

ACCOUNT_NAME = "欧阳小明的店"


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(own_database, max_size=3) as opened:
        yield opened


async def in_the_old_form(pool: asyncpg.Pool, keys: PersonKeys, vault: Vault, buyer_id: str) -> tuple[str, str]:
    """An order with a recipient, a statement and a remark, and an allowance, as an earlier release kept them; the
    order's number and the statement's reference."""
    order_no = await sent_order(pool, vault, "m-1", buyer_id=buyer_id)
    person = f"buyer/{buyer_id}"
    allowance = {
        "allowance_id": f"a-{order_no}",
        "marketplace": "douyin",
        "merchant_id": "m-1",
        "buyer_id": buyer_id,
        "currency": "CNY",
        "principal": 8000,
        "bonus": 2000,
        "tender_kind": "wallet",
        "valid_until": "2027-06-01T00:00:00Z",
        "account_name": ACCOUNT_NAME,
    }
    async with pool.acquire() as connection, connection.transaction():
        await load_allowances(connection, [json.dumps(allowance)], vault)
        wish = {"case_id": f"refund/{order_no}/k", "by": merchant("m-1"), "text": "2026年12月1日前退款", "key": "k"}
        written = await statements.write(connection, keys, WriteStatement.model_validate(wish), person, NOON)
        noted = {"subject": order_no, "merchant_id": "m-2", "by": merchant("m-2"), "key": "k", "text": "回电"}
        await flags.add_remark(connection, keys, AddRemark.model_validate(noted), NOON)
    assert isinstance(written, Statement)
    async with pool.acquire() as connection, connection.transaction():
        recipient = await vault.recipient(connection, order_no)
        assert recipient
        plain = {
            "vault.recipients": (RECIPIENT_CONTEXT, person, "order_no", order_no),
            "disputes.statements": ("statement", person, "reference", written.reference),
            # Of an order that was not known, or not the merchant's.
            "shop.remarks": ("remark", "merchant/m-2", "subject", order_no),
        }
        for table, (context, whose, key, value) in plain.items():
            row = await connection.fetchrow(f"SELECT * FROM {table} WHERE {key} = $1", value)
            assert row
            place = f"m-2/{order_no}/k" if table == "shop.remarks" else value
            (text,) = await keys.unseal_many(context, {place: row["sealed"]})
            assert text
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            await connection.execute(
                f"UPDATE {table} SET sealed = $2, person = $3 WHERE {key} = $1",
                value,
                await keys.seal(whose, context, text),
                whose,
            )
            await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        secret = vault.lookup_key.secret

        def old(text: str) -> str:
            return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()

        hashes = {"name": old(NAME), "phone": old(PHONE), "account": old(ACCOUNT_NAME)}
        for field, value in hashes.items():
            await connection.execute(
                "UPDATE vault.lookups SET hash = $3 WHERE subject IN ($1, 'a-' || $1) AND field = $2",
                order_no,
                field,
                value,
            )
        await connection.execute("UPDATE shop.allowances SET account_lookup = $1", hashes["account"])
    return order_no, written.reference


async def found_by(pool: asyncpg.Pool, hashed: str) -> list[str]:
    return [row["subject"] for row in await pool.fetch("SELECT subject FROM vault.lookups WHERE hash = $1", hashed)]


async def test_texts_and_hashes_are_written_anew_once(pool: asyncpg.Pool, vault: Vault) -> None:
    buyer_id = some_id("b")
    order_no, reference = await in_the_old_form(pool, vault.keys, vault, buyer_id)
    async with pool.acquire() as connection:
        with pytest.raises(Tampered):
            await vault.recipient(connection, order_no)
        assert await renewal.wanted(connection) == (), "a new database has nothing of an earlier release"
        await connection.execute("DELETE FROM vault.renewals")
        assert await renewal.wanted(connection) == ("texts", "lookups")

        assert await renewal.renew(connection, vault) == {"texts": 3, "lookups": 3}

        assert await renewal.wanted(connection) == ()
        assert await renewal.renew(connection, vault) == {}
        recipient = await vault.recipient(connection, order_no)
        assert recipient
        assert recipient.name.get_secret_value() == NAME
        read = await statements.read(connection, vault.keys, reference)
        assert read
        assert read.text
        (remark,) = await flags.remarks_of(connection, vault.keys, None, order_no)
        assert remark.text
        whose = await connection.fetchval("SELECT person FROM shop.remarks WHERE subject = $1", order_no)
        assert whose == f"buyer/{buyer_id}", "a remark is the buyer's whom it tells of"
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute("UPDATE disputes.statements SET sealed = 'x'")
    key = vault.lookup_key
    assert await found_by(pool, name_lookup(key, NAME)) == [order_no]
    assert await found_by(pool, phone_lookup(key, f"+86 {PHONE}")) == [order_no]
    assert await found_by(pool, account_lookup(key, ACCOUNT_NAME)) == [f"a-{order_no}"]
    assert await pool.fetchval("SELECT account_lookup FROM shop.allowances") == account_lookup(key, ACCOUNT_NAME)


async def test_what_broke_off_goes_on(pool: asyncpg.Pool, vault: Vault) -> None:
    order_no, _ = await in_the_old_form(pool, vault.keys, vault, some_id("b"))
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM vault.renewals")
        await renewal.renew(connection, vault)
        # As if it had ended before it could say that it was done.
        await connection.execute("DELETE FROM vault.renewals WHERE form = 'texts'")

        assert await renewal.renew(connection, vault) == {"texts": 0}
        assert await vault.recipient(connection, order_no)


async def test_what_was_forgotten_stays_so(pool: asyncpg.Pool, vault: Vault) -> None:
    buyer_id = some_id("b")
    order_no, _ = await in_the_old_form(pool, vault.keys, vault, buyer_id)
    await vault.keys.destroy(f"buyer/{buyer_id}")
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM vault.renewals")

        await renewal.renew(connection, vault)

        assert await vault.recipient(connection, order_no) is None
