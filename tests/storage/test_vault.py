"""The vault and persons' keys (section 8), on the real key store."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres.person_keys import Forgotten, PersonKeys
from activities.postgres.pool import open_pool
from activities.postgres.vault import OtherItemUnderKey, Vault, VaultAccounts, is_account_of, is_contact_of
from activities.privacy.keys import FixedKeys, UnknownKey, new_key, read_keys
from activities.privacy.sealing import Tampered
from starter.settings import Settings
from starter.vault import key_store_url
from tests.storage.money import NOON, some_id
from workflows.messages.persons import BankAccount, Contact, Recipient

RECIPIENT = Recipient.model_validate(
    {
        "name": "欧阳小明",
        "phone": "13912345678",
        "region": {"province": "广东省", "city": "广州市", "district": "天河区"},
        "street": "体育东路1号",
    }
)
ACCOUNT = BankAccount.model_validate({"holder": "欧阳小明", "number": "6222020000000001234", "bank": "ICBC"})


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=10, application_name="tests") as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def key_store(settings: Settings, database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(key_store_url(settings, database), max_size=5, application_name="tests") as opened:
        yield opened


@pytest.fixture
def person() -> str:
    return f"buyer/{some_id('b')}"


async def test_only_the_person_and_the_purpose_open_a_text(vault: Vault, person: str) -> None:
    sealed = await vault.keys.seal(person, "statement", b"the words")
    assert b"words" not in sealed
    assert await vault.keys.unseal("statement", sealed) == b"the words"
    with pytest.raises(Tampered):
        await vault.keys.unseal("remark", sealed)
    other = await vault.keys.seal(f"{person}-2", "statement", b"others")
    with pytest.raises(Tampered):
        await vault.keys.unseal("statement", other[:16] + sealed[16:])
    with pytest.raises(Tampered):
        await vault.keys.unseal("statement", b"short")


async def test_the_key_store_alone_tells_no_key(vault: Vault, key_store: asyncpg.Pool, person: str) -> None:
    sealed = await vault.keys.seal(person, "statement", b"the words")
    current = await key_store.fetchval("SELECT ring_key FROM keystore.person_keys WHERE person = $1", person)
    stranger = PersonKeys(key_store, FixedKeys(read_keys(new_key(current))))
    with pytest.raises(Tampered):
        await stranger.unseal("statement", sealed)
    with pytest.raises(UnknownKey):
        await PersonKeys(key_store, FixedKeys(read_keys(new_key("other")))).unseal("statement", sealed)


async def test_a_destroyed_key_never_comes_back(vault: Vault, key_store: asyncpg.Pool, person: str) -> None:
    before = await vault.keys.seal(person, "statement", b"old words")
    assert await vault.keys.destroy(person) == 1
    assert await vault.keys.destroy(person) == 0
    with pytest.raises(Forgotten):
        await vault.keys.unseal("statement", before)
    after = await vault.keys.seal(person, "statement", b"new words")
    assert await vault.keys.unseal("statement", after) == b"new words"
    assert await vault.keys.can_be_opened([before, after]) == 1
    rows = await key_store.fetch("SELECT wrapped FROM keystore.person_keys WHERE person = $1 ORDER BY made_at", person)
    assert [row["wrapped"] is None for row in rows] == [True, False]


async def test_keys_are_put_under_a_new_ring_key_while_texts_stay_as_they_are(
    key_store: asyncpg.Pool, person: str
) -> None:
    old, new = read_keys(f"{new_key('r-old')},{new_key('r-new')}")
    sealed = await PersonKeys(key_store, FixedKeys([old])).seal(person, "statement", b"the words")
    rotating = PersonKeys(key_store, FixedKeys([new, old]))
    # Other tests' keys are under rings that this one does not hold: they are not to be touched here.
    await key_store.execute("DELETE FROM keystore.person_keys WHERE person <> $1 AND ring_key = 'r-old'", person)
    others = await key_store.fetchval("SELECT min(ring_key) FROM keystore.person_keys WHERE ring_key NOT LIKE 'r-%'")
    await key_store.execute(
        "UPDATE keystore.person_keys SET ring_key = 'r-new' WHERE ring_key NOT IN ('r-old', 'r-new')"
    )
    try:
        assert await rotating.rewrap() == 1
        assert await rotating.rewrap() == 0
    finally:
        await key_store.execute(
            "UPDATE keystore.person_keys SET ring_key = $2 WHERE ring_key = 'r-new' AND person <> $1",
            person,
            others,
        )
    assert await PersonKeys(key_store, FixedKeys([new])).unseal("statement", sealed) == b"the words"


async def test_two_who_make_a_persons_key_at_once_have_one(vault: Vault, person: str) -> None:
    sealed = await asyncio.gather(*(vault.keys.seal(person, "remark", str(n).encode()) for n in range(8)))
    assert len({each[:16] for each in sealed}) == 1
    assert await vault.keys.can_be_opened(sealed) == 8
    assert [await vault.keys.unseal("remark", each) for each in sealed] == [str(n).encode() for n in range(8)]


async def test_a_recipient_is_kept_sealed_and_replaced(pool: asyncpg.Pool, vault: Vault) -> None:
    order, merchant, buyer = some_id("o"), some_id("m"), some_id("b")
    moved = RECIPIENT.model_copy(update={"region": RECIPIENT.region.model_copy(update={"district": "越秀区"})})
    async with pool.acquire() as connection:
        for each in (RECIPIENT, moved):
            await vault.keep_recipient(connection, order, merchant, buyer, each, NOON)
        assert await vault.recipient(connection, order) == moved
        assert await vault.recipient(connection, "unknown") is None
        row = await connection.fetchrow("SELECT * FROM vault.recipients WHERE order_no = $1", order)
    assert row
    for plain in ("欧阳小明", "13912345678", "体育东路", "广州"):
        assert plain.encode() not in row["sealed"]


async def test_an_item_is_known_by_a_reference_that_tells_nothing(pool: asyncpg.Pool, vault: Vault) -> None:
    buyer, merchant = some_id("b"), some_id("m")
    contact = Contact.model_validate({"name": "李四", "phone": "02012345678", "street": "仓库3"})
    async with pool.acquire() as connection:
        account = await vault.keep_bank_account(connection, buyer, "k-1", ACCOUNT, NOON)
        assert await vault.keep_bank_account(connection, buyer, "k-1", ACCOUNT, NOON) == account
        assert account.startswith("vault:account/")
        assert buyer not in account
        assert await vault.bank_account(connection, account) == ACCOUNT
        other = ACCOUNT.model_copy(update={"bank": ACCOUNT.holder})
        with pytest.raises(OtherItemUnderKey) as refused:
            await vault.keep_bank_account(connection, buyer, "k-1", other, NOON)
        assert "欧阳" not in str(refused.value)
        address = await vault.keep_contact(connection, merchant, "k-1", contact, NOON)
        assert await vault.contact(connection, address) == contact
        assert await vault.bank_account(connection, address) is None, "each kind is read as what it is"
        evidence = await vault.keep_attachment(connection, f"buyer/{buyer}", "k-1", b"\x89PNG...", NOON)
        assert await vault.attachment(connection, evidence) == b"\x89PNG..."
    kept = VaultAccounts(pool, vault)
    assert await kept.bank_account(account, buyer) == ACCOUNT
    assert [await kept.bank_account(account, other) for other in (some_id("b"), merchant, None)] == [None] * 3  # R17


async def test_what_the_vault_keeps_is_used_as_what_it_is_and_by_its_person(pool: asyncpg.Pool, vault: Vault) -> None:
    buyer, merchant = some_id("b"), some_id("m")
    contact = Contact.model_validate({"name": "李四", "phone": "02012345678", "street": "仓库3"})
    async with pool.acquire() as connection:
        account = await vault.keep_bank_account(connection, buyer, "k-1", ACCOUNT, NOON)
        address = await vault.keep_contact(connection, merchant, "k-1", contact, NOON)
        accounts = {
            (reference, person): await is_account_of(connection, reference, person)
            for reference in (account, address, "vault:account/unknown", "bank:elsewhere/1")
            for person in (buyer, merchant)
        }
        contacts = [await is_contact_of(connection, address, each) for each in (merchant, buyer, some_id("m"))]

    assert [pair for pair, usable in accounts.items() if usable] == [
        (account, buyer),  # R17
        ("bank:elsewhere/1", buyer),
        ("bank:elsewhere/1", merchant),
    ]
    assert contacts == [True, False, False]  # T2
