"""The address book: one default, versions that stay, nobody else's addresses (T2)."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from pydantic import ValidationError

from activities.postgres import addresses
from activities.postgres.addresses import ContactOfOthers, DefaultAddressNeeded
from activities.postgres.pool import open_pool
from tests.storage.money import NOON, minutes
from tests.storage.own_keys import vault
from workflows.messages.addresses import Region, ReturnAddress, SaveAddress
from workflows.messages.persons import Contact

GUANGZHOU = Region(province="广东省", city="广州市", district="天河区")
DONGGUAN = Region(province="440000", city="441900")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=10)
    yield pool
    await pool.close()


@pytest.fixture
def merchant_id() -> str:
    return f"m-{uuid4().hex}"


def wish(
    merchant_id: str, address_id: str, *, details: str = "vault:a/1", region: Region = GUANGZHOU, default: bool = False
) -> SaveAddress:
    return SaveAddress(
        merchant_id=merchant_id, address_id=address_id, region=region, details=details, is_default=default
    )


async def save(pool: asyncpg.Pool, address: SaveAddress) -> ReturnAddress:
    async with pool.acquire() as connection, connection.transaction():
        return await addresses.save(connection, address, NOON)


async def remove(pool: asyncpg.Pool, merchant_id: str, address_id: str) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        return await addresses.remove(connection, merchant_id, address_id, minutes(9))


async def choose(pool: asyncpg.Pool, merchant_id: str, address_id: str | None = None) -> ReturnAddress | None:
    async with pool.acquire() as connection:
        return await addresses.choose(connection, merchant_id, address_id)


async def book(pool: asyncpg.Pool, merchant_id: str) -> list[tuple[str, int, bool]]:
    async with pool.acquire() as connection:
        found = await addresses.address_book(connection, merchant_id)
    return [(each.address_id, each.version, each.is_default) for each in found]


async def test_the_first_address_is_the_default(pool: asyncpg.Pool, merchant_id: str) -> None:  # T2
    first = await save(pool, wish(merchant_id, "b"))
    await save(pool, wish(merchant_id, "a", region=DONGGUAN))

    assert first == ReturnAddress(
        merchant_id=merchant_id, address_id="b", region=GUANGZHOU, details="vault:a/1", is_default=True, version=1
    )
    assert await choose(pool, merchant_id) == first
    assert await book(pool, merchant_id) == [("b", 1, True), ("a", 1, False)]
    other = await choose(pool, merchant_id, "a")
    assert other is not None
    assert other.region == DONGGUAN


async def test_a_new_default_takes_the_old_ones_place(pool: asyncpg.Pool, merchant_id: str) -> None:  # T2
    await save(pool, wish(merchant_id, "a"))
    await save(pool, wish(merchant_id, "b", default=True))
    assert await book(pool, merchant_id) == [("b", 1, True), ("a", 1, False)]
    assert (chosen := await choose(pool, merchant_id)) is not None
    assert chosen.address_id == "b"

    assert (await save(pool, wish(merchant_id, "a", default=True))).version == 1, "its content is the same"
    assert await book(pool, merchant_id) == [("a", 1, True), ("b", 1, False)]
    assert (chosen := await choose(pool, merchant_id)) is not None
    assert chosen.address_id == "a"

    assert (await save(pool, wish(merchant_id, "a"))).is_default, "the default moves to another one, or stays"


async def test_an_edit_leaves_the_old_version_to_the_cases_that_have_it(
    pool: asyncpg.Pool, merchant_id: str
) -> None:  # T2
    await save(pool, wish(merchant_id, "a"))
    await save(pool, wish(merchant_id, "a", details="vault:a/2"))
    edited = await save(pool, wish(merchant_id, "a", details="vault:a/2", region=DONGGUAN))
    assert (edited.version, edited.is_default) == (3, True)
    assert await choose(pool, merchant_id, "a") == edited
    assert await remove(pool, merchant_id, "a")

    async with pool.acquire() as connection:
        old = [await addresses.version_of(connection, merchant_id, "a", version) for version in (1, 2, 3, 4)]
    assert [each and (each.details, each.region, each.removed) for each in old] == [
        ("vault:a/1", GUANGZHOU, True),
        ("vault:a/2", GUANGZHOU, True),
        ("vault:a/2", DONGGUAN, True),
        None,
    ]


async def test_the_same_again_changes_nothing(pool: asyncpg.Pool, merchant_id: str) -> None:
    first = await save(pool, wish(merchant_id, "a"))
    assert await save(pool, wish(merchant_id, "a")) == first


async def test_the_default_goes_last(pool: asyncpg.Pool, merchant_id: str) -> None:  # T2
    await save(pool, wish(merchant_id, "a"))
    await save(pool, wish(merchant_id, "b"))

    with pytest.raises(DefaultAddressNeeded):
        await remove(pool, merchant_id, "a")
    assert await remove(pool, merchant_id, "b")
    assert not await remove(pool, merchant_id, "b")
    assert await choose(pool, merchant_id, "b") is None
    assert await remove(pool, merchant_id, "a"), "there are no others any more"
    assert await book(pool, merchant_id) == []
    assert await choose(pool, merchant_id) is None


async def test_an_address_that_was_removed_can_come_back(pool: asyncpg.Pool, merchant_id: str) -> None:
    await save(pool, wish(merchant_id, "a"))
    await remove(pool, merchant_id, "a")
    back = await save(pool, wish(merchant_id, "a", details="vault:a/9"))
    assert (back.version, back.is_default, back.removed) == (2, True, False)
    assert await choose(pool, merchant_id) == back


async def test_nobody_gets_another_merchants_address(pool: asyncpg.Pool, merchant_id: str) -> None:  # section 12
    await save(pool, wish(merchant_id, "a"))
    stranger = f"{merchant_id}-2"

    assert await choose(pool, stranger, "a") is None
    assert await choose(pool, stranger) is None
    assert not await remove(pool, stranger, "a")
    await save(pool, wish(stranger, "z", default=True))
    assert await book(pool, merchant_id) == [("a", 1, True)]


async def test_addresses_saved_at_once_have_one_default(pool: asyncpg.Pool, merchant_id: str) -> None:
    await asyncio.gather(*(save(pool, wish(merchant_id, f"a-{each}", default=each % 2 > 0)) for each in range(8)))

    found = await book(pool, merchant_id)
    assert len(found) == 8
    assert [is_default for _, _, is_default in found] == [True] + [False] * 7


async def test_a_version_is_never_rewritten(pool: asyncpg.Pool, merchant_id: str) -> None:
    await save(pool, wish(merchant_id, "a"))
    with pytest.raises(asyncpg.RestrictViolationError):
        await pool.execute("UPDATE shop.return_address_versions SET details = 'vault:x' WHERE address_id = 'a'")


@pytest.mark.parametrize("part", ["", "13800000000", "天河路12号", "天河区 ", "x" * 33, "王小明 138"])
def test_a_region_has_no_room_for_a_person(part: str) -> None:  # P6
    with pytest.raises(ValidationError):
        Region(province="广东省", city="广州市", district=part)


async def test_an_address_has_no_other_merchants_contact(pool: asyncpg.Pool, merchant_id: str) -> None:  # T2
    contact = Contact.model_validate({"name": "李四", "phone": "02012345678", "street": "仓库3"})
    async with pool.acquire() as connection:
        own, others = [
            await vault().keep_contact(connection, each, "k", contact, NOON)
            for each in (merchant_id, f"{merchant_id}-2")
        ]

    for details in (others, "vault:address/unknown"):
        with pytest.raises(ContactOfOthers) as caught:
            await save(pool, wish(merchant_id, "a-1", details=details))
        assert "李四" not in str(caught.value)
    assert await book(pool, merchant_id) == []
    await save(pool, wish(merchant_id, "a-1", details=own))
    with pytest.raises(ContactOfOthers):
        await save(pool, wish(merchant_id, "a-1", details=others))

    assert await book(pool, merchant_id) == [("a-1", 1, True)]
