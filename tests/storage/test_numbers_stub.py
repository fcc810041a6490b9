"""The stand-in of the provider of virtual numbers: a finite pool, and answers as badly as providers give them (P3)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from activities.gateways.kits.numbers import Ground, promises
from activities.gateways.kits.promise import Promise
from activities.gateways.numbers import NotBound, PoolDry, ProviderUnreachable
from activities.gateways.numbers_stub import Behaviour, Mode, NumbersStub
from activities.postgres.pool import open_pool
from tests.storage.money import NOON, minutes, some_id
from workflows.messages.virtual_numbers import VirtualNumber

PHONE, OTHER_PHONE = SecretStr("13800138000"), SecretStr("13900139000")
TRUNK = "10000000009"


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    """A database of the test's own: three numbers are all that there are."""
    async with await open_pool(own_database) as pool:
        await pool.execute("DELETE FROM numbers.pool")
        yield pool


@pytest_asyncio.fixture(loop_scope="session")
async def provider(pool: asyncpg.Pool) -> NumbersStub:
    stub = NumbersStub(pool, b"a key of the provider's own")
    await stub.stock(TRUNK, 1, 3)
    return stub


async def bind(
    provider: NumbersStub,
    subject: str,
    key: str = "1",
    *,
    phone: SecretStr = PHONE,
    wanted: VirtualNumber | None = None,
) -> VirtualNumber:
    return await provider.bind(subject, key, phone, until=None, at=NOON, wanted=wanted)


def numbered(extension: int) -> VirtualNumber:
    return VirtualNumber(number=TRUNK, extension=f"{extension:04}")


def different(numbers: list[VirtualNumber]) -> int:
    return len(set(numbers))


@pytest_asyncio.fixture(loop_scope="session")
async def shared(database: str) -> AsyncIterator[NumbersStub]:
    """The stack's database: the kit asks about subjects of its own, and needs no other."""
    async with await open_pool(database) as pool:
        yield NumbersStub(pool, b"a key of the provider's own")


@pytest.mark.parametrize("promise", promises(), ids=str)
async def test_the_stand_in_keeps_its_promises(promise: Promise[Ground], shared: NumbersStub) -> None:
    async def lose(subject: str, mode: Mode) -> None:
        await shared.set_behaviour(Behaviour(mode=mode, subject=subject, uses_left=1))

    @asynccontextmanager
    async def dry() -> AsyncGenerator[None]:
        await shared.set_behaviour(Behaviour(mode=Mode.DRY))
        try:
            yield
        finally:
            await shared.clear_behaviours()

    ground = Ground(
        provider=shared,
        subject=lambda: some_id("order"),
        phone=PHONE,
        leads_to=shared.leads_to,
        dry=dry,
        lose_next_answer=lambda subject: lose(subject, Mode.LOSE_ANSWER),
        lose_next_request=lambda subject: lose(subject, Mode.UNREACHABLE),
    )
    await promise(ground)


async def test_a_number_leads_to_its_phone_until_it_is_unbound(provider: NumbersStub) -> None:
    number = await bind(provider, "order/1")

    assert await provider.leads_to(number, PHONE)
    assert await provider.leads_to(number, SecretStr("+86 138-0013-8000"))
    assert not await provider.leads_to(number, OTHER_PHONE)

    await provider.unbind("order/1", "1", at=minutes(1))

    assert not await provider.leads_to(number, PHONE)


async def test_the_same_binding_is_the_same_number_and_another_is_another(provider: NumbersStub) -> None:
    first = await bind(provider, "order/1")

    assert await bind(provider, "order/1") == first
    assert different([first, await bind(provider, "order/1", "2"), await bind(provider, "order/2")]) == 3


async def test_the_pool_runs_dry_and_is_filled_again(provider: NumbersStub) -> None:
    bound = [await bind(provider, f"order/{each}") for each in range(3)]
    assert sorted(each.extension for each in bound) == ["0001", "0002", "0003"]

    with pytest.raises(PoolDry):
        await bind(provider, "order/3")
    assert await bind(provider, "order/0") == bound[0]  # has its number already

    await provider.unbind("order/1", "1", at=NOON)
    assert await bind(provider, "order/3") == bound[1]
    with pytest.raises(PoolDry):
        await bind(provider, "order/4")
    await provider.stock(TRUNK, 1, 4)
    assert await bind(provider, "order/4") == numbered(4)


async def test_many_at_once_share_the_pool_without_meeting(provider: NumbersStub) -> None:
    found = await asyncio.gather(*(bind(provider, f"order/{each}") for each in range(8)), return_exceptions=True)

    numbers = [each for each in found if isinstance(each, VirtualNumber)]
    assert len(numbers) == different(numbers) == 3
    assert [type(each) for each in found if not isinstance(each, VirtualNumber)] == [PoolDry] * 5


async def test_the_same_at_the_same_time_is_one(provider: NumbersStub) -> None:
    assert different(await asyncio.gather(*(bind(provider, "order/1") for _ in range(6)))) == 1


async def test_a_number_given_back_waits_behind_the_others(provider: NumbersStub) -> None:
    number = await bind(provider, "order/1")
    await provider.unbind("order/1", "1", at=NOON)

    others = [await bind(provider, f"order/{each}") for each in (2, 3)]

    assert number not in others
    assert await bind(provider, "order/4") == number


async def test_the_number_that_is_wanted_is_given_if_it_is_free(provider: NumbersStub) -> None:
    number = await bind(provider, "order/1", wanted=numbered(3))
    assert number == numbered(3)

    assert await bind(provider, "order/2", wanted=number) != number
    await provider.unbind("order/1", "1", at=NOON)
    assert await bind(provider, "order/1", "2", wanted=number) == number


async def test_what_was_unbound_stays_so_whatever_comes_late(provider: NumbersStub) -> None:
    await bind(provider, "order/1")
    for key in ("1", "2"):  # the second was never heard of
        await provider.unbind("order/1", key, at=NOON)
        await provider.unbind("order/1", key, at=NOON)
        with pytest.raises(NotBound):
            await bind(provider, "order/1", key)
        with pytest.raises(NotBound):
            await provider.extend("order/1", key, until=minutes(9), at=NOON)
    with pytest.raises(NotBound):
        await provider.extend("order/2", "1", until=minutes(9), at=NOON)


async def test_until_when(provider: NumbersStub, pool: asyncpg.Pool) -> None:
    await provider.bind("order/1", "1", PHONE, until=minutes(1), at=NOON)
    await provider.bind("order/1", "1", PHONE, until=minutes(2), at=NOON)
    await provider.extend("order/1", "1", until=minutes(3), at=NOON)

    assert await pool.fetchval("SELECT until FROM numbers.bindings") == minutes(3)


async def test_no_phone_is_kept(provider: NumbersStub, pool: asyncpg.Pool) -> None:  # P6
    await bind(provider, "order/1")
    kept = await pool.fetchval("SELECT string_agg(kept::text, ' ') FROM numbers.bindings kept")
    assert TRUNK in kept
    assert PHONE.get_secret_value() not in kept

    await provider.unbind("order/1", "1", at=NOON)

    assert await pool.fetchval("SELECT leads_to FROM numbers.bindings") is None


async def test_an_answer_is_lost_after_the_binding(provider: NumbersStub) -> None:
    await provider.set_behaviour(Behaviour(mode=Mode.LOSE_ANSWER, uses_left=1))

    with pytest.raises(ProviderUnreachable):
        await bind(provider, "order/1")

    assert await provider.leads_to(numbered(1), PHONE)
    assert await bind(provider, "order/1") == numbered(1)


async def test_an_unreachable_provider_does_nothing(provider: NumbersStub, pool: asyncpg.Pool) -> None:
    await provider.set_behaviour(Behaviour(mode=Mode.UNREACHABLE, subject="order/1"))

    for asked in (
        bind(provider, "order/1"),
        provider.extend("order/1", "1", until=minutes(1), at=NOON),
        provider.unbind("order/1", "1", at=NOON),
    ):
        with pytest.raises(ProviderUnreachable):
            await asked

    assert await pool.fetchval("SELECT count(*) FROM numbers.bindings") == 0
    assert await bind(provider, "order/2")  # somebody else is answered
    await provider.clear_behaviours("order/1")
    assert await bind(provider, "order/1")


async def test_a_slow_answer_comes_after_the_binding(provider: NumbersStub) -> None:
    await provider.set_behaviour(Behaviour(mode=Mode.ANSWER_SLOWLY, answer_after_seconds=60, uses_left=1))
    asking = asyncio.create_task(bind(provider, "order/1"))
    while not await provider.leads_to(numbered(1), PHONE):
        assert not asking.done()

    assert await bind(provider, "order/1") == numbered(1)

    assert not asking.done()
    asking.cancel()


async def test_a_dry_pool_on_request(provider: NumbersStub) -> None:
    number = await bind(provider, "order/1")
    await provider.set_behaviour(Behaviour(mode=Mode.DRY))

    with pytest.raises(PoolDry):
        await bind(provider, "order/2")
    assert await bind(provider, "order/1") == number

    await provider.clear_behaviours()
    assert await bind(provider, "order/2")


async def test_a_subjects_own_behaviour_goes_before(provider: NumbersStub) -> None:
    await provider.set_behaviour(Behaviour(mode=Mode.ANSWER, subject="order/1"))
    await provider.set_behaviour(Behaviour(mode=Mode.UNREACHABLE))

    assert await bind(provider, "order/1")
    with pytest.raises(ProviderUnreachable):
        await bind(provider, "order/2")


async def test_a_database_that_is_gone_is_a_provider_that_is(own_database: str) -> None:
    pool = await open_pool(own_database)
    await pool.close()
    with pytest.raises(ProviderUnreachable):
        await bind(NumbersStub(pool, b"key"), some_id("order"))
