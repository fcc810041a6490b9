"""Attachments are named and read in cases of their own order and person, and nowhere else (D6, P2)."""

import hashlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.postgres import looks
from activities.postgres.lookup import LookupKey
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault, missing_attachment
from starter.errors import UnknownCase, UnknownOrder
from starter.privacy import Privacy
from starter.virtual_numbers import VirtualNumbers
from tests.storage.money import NOON, open_case, some_id
from tests.storage.test_vault import ACCOUNT
from workflows.messages.actors import CLOCK, GATEWAY, Actor, buyer, carrier, merchant, officer
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.persons import buyer_person

PICTURE = b"\x89PNG\r\n\x1a\n a scratched lid"
BUYER = "b-with-pictures"
ABOUT = buyer_person(BUYER)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=5) as opened:
        yield opened


@pytest.fixture
def privacy(pool: asyncpg.Pool, vault: Vault, client: Client) -> Privacy:
    return Privacy(pool, vault, VirtualNumbers(client, "unused"))


async def whose(pool: asyncpg.Pool, case_id: str) -> tuple[Actor, Actor, str]:
    row = await pool.fetchrow("SELECT merchant_id, buyer_id, order_no FROM casebook.cases WHERE case_id = $1", case_id)
    assert row
    return merchant(row["merchant_id"]), buyer(row["buyer_id"]), row["order_no"]


async def test_only_a_cases_own_read_its_attachments_and_each_reading_is_recorded(
    pool: asyncpg.Pool, vault: Vault, privacy: Privacy
) -> None:
    case_id = (await open_case(pool, buyer_id=BUYER)).case_id
    shop, person, _ = await whose(pool, case_id)
    kept = await privacy.keep_attachment(case_id, "k-1", MediaType.PNG, PICTURE)
    readers = [shop, person, officer("o-1")]

    for reader in readers:
        assert await privacy.read_attachment(case_id, kept.uri, reader, why="to_decide") == PICTURE
    for stranger in (merchant(person.id), buyer(shop.id), buyer("b-2"), carrier(shop.id), GATEWAY, CLOCK):
        with pytest.raises(UnknownCase):
            await privacy.read_attachment(case_id, kept.uri, stranger)

    async with pool.acquire() as connection:
        recorded = await looks.looks(connection, None, subject=case_id)
    assert [(each.by, each.subject, each.field, each.reason, each.person) for each in recorded] == [
        (reader, case_id, "attachment", "to_decide", ABOUT) for reader in readers
    ]


async def test_a_reference_opens_nothing_in_another_case(pool: asyncpg.Pool, privacy: Privacy) -> None:
    own, other = [(await open_case(pool, {"line:1": 1}, buyer_id=BUYER)).case_id for _ in range(2)]
    shop, person, order_no = await whose(pool, other)
    kept = await privacy.keep_attachment(own, "k-1", MediaType.PNG, PICTURE)
    of_same_order = (await open_case(pool, {"line:1": 1}, buyer_id=BUYER, order_no=order_no)).case_id
    shared = await privacy.keep_attachment(other, "k-1", MediaType.PNG, PICTURE)

    for reader in (shop, person, officer("o-1")):
        assert await privacy.read_attachment(other, kept.uri, reader) is None
    assert await privacy.read_attachment(of_same_order, shared.uri, officer("o-1")) == PICTURE
    with pytest.raises(UnknownCase):
        await privacy.read_attachment("refund/none/k", kept.uri, officer("o-1"))


async def test_evidence_names_what_is_kept_for_its_order_and_person(pool: asyncpg.Pool, privacy: Privacy) -> None:
    case_id = (await open_case(pool, buyer_id=BUYER)).case_id
    _, _, order_no = await whose(pool, case_id)
    kept = await privacy.keep_attachment(case_id, "k-1", MediaType.PNG, PICTURE)

    def evidence(uri: str = kept.uri, sha256: str = kept.sha256) -> Evidence:
        return Evidence(uri=uri, media_type=MediaType.PNG, bytes=len(PICTURE), sha256=sha256)

    async def missing(*attachments: Evidence, subject: str = order_no, person: str = ABOUT) -> int | None:
        async with pool.acquire() as connection:
            return await missing_attachment(connection, attachments, subject, person)

    elsewhere = evidence("shop:pictures/1")
    nowhere = evidence(f"vault:evidence/{'ab' * 16}")
    account = await privacy.keep_bank_account(BUYER, some_id("k"), ACCOUNT)
    assert await missing() is None
    assert await missing(elsewhere, evidence()) is None, "what other stores keep they must be asked for"
    assert await missing(elsewhere, nowhere) == 1
    assert await missing(evidence(), subject="o-other") == 0
    assert await missing(evidence(), person="buyer/b-2") == 0
    assert await missing(evidence(sha256=hashlib.sha256(b"another").hexdigest())) == 0
    assert await missing(evidence(account), person=ABOUT) == 0, "an account is no evidence"


async def test_a_reference_cannot_be_made_by_who_knows_what_it_is_of(pool: asyncpg.Pool, vault: Vault) -> None:
    key = some_id("k")
    others = [
        Vault(vault.keys, LookupKey(b"another secret of somebody else", vault.lookup_key.environment)),
        Vault(vault.keys, LookupKey(vault.lookup_key.secret, "elsewhere")),
    ]
    async with pool.acquire() as connection:
        made = [
            await each.keep_attachment(connection, ABOUT, key, PICTURE, NOON, subject="o-1")
            for each in (vault, vault, *others)
        ]

    assert made[0] == made[1], "so that no retry makes another"
    assert len(set(made)) == 3
    for source in (f"evidence {ABOUT} {key}", f"{ABOUT} {key}", key):
        assert hashlib.sha256(source.encode()).hexdigest()[:32] not in made[0]


async def test_of_an_order_that_nobody_knows_nothing_is_kept(privacy: Privacy) -> None:
    with pytest.raises(UnknownOrder):
        await privacy.keep_attachment("o-none", "k-1", MediaType.PNG, PICTURE)
