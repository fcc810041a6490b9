"""The points that a merchant loses over disputes (D9)."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import scores
from activities.postgres.pool import open_pool
from tests.storage.money import minutes
from workflows.messages.scores import ChargedScore, ScoreCause, ScoreChange


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=10)
    yield pool
    await pool.close()


@pytest.fixture
def merchant_id() -> str:
    return f"m-{uuid4().hex}"


@pytest.fixture
def case_id() -> str:
    return f"dispute/{uuid4().hex}/k-1"


async def charge(
    pool: asyncpg.Pool, case_id: str, merchant_id: str, cause: ScoreCause, points: int, *, at: int = 0
) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        change = ScoreChange(merchant_id=merchant_id, cause=cause, points=points)
        return await scores.charge(connection, case_id, change, minutes(at))


async def score(pool: asyncpg.Pool, merchant_id: str) -> int:
    async with pool.acquire() as connection:
        return await scores.score_of(connection, merchant_id)


async def changes(
    pool: asyncpg.Pool, merchant_id: str, limit: int, before: int | None = None
) -> tuple[ChargedScore, ...]:
    async with pool.acquire() as connection:
        return await scores.changes_of(connection, merchant_id, limit, before)


async def test_each_cause_costs_once_in_a_case(pool: asyncpg.Pool, case_id: str, merchant_id: str) -> None:  # D9
    assert await charge(pool, case_id, merchant_id, ScoreCause.INTERVENTION, 2)
    assert not await charge(pool, case_id, merchant_id, ScoreCause.INTERVENTION, 3)
    assert await charge(pool, case_id, merchant_id, ScoreCause.RULING_LOST, 4)
    assert await charge(pool, f"{case_id}-2", merchant_id, ScoreCause.INTERVENTION, 2)
    assert await score(pool, merchant_id) == 8


async def test_a_charge_sent_twice_at_once_counts_once(pool: asyncpg.Pool, case_id: str, merchant_id: str) -> None:
    charged = await asyncio.gather(
        *(charge(pool, case_id, merchant_id, ScoreCause.EVIDENCE_TIMEOUT, 5) for _ in range(6))
    )
    assert sum(charged) == 1
    assert await score(pool, merchant_id) == 5


async def test_points_are_lost_by_their_merchant_and_can_be_given_back(
    pool: asyncpg.Pool, case_id: str, merchant_id: str
) -> None:
    await charge(pool, case_id, merchant_id, ScoreCause.RULING_LOST, 6)
    await charge(pool, f"{case_id}-2", merchant_id, ScoreCause.RULING_LOST, -6)
    assert await score(pool, merchant_id) == 0
    assert await score(pool, f"{merchant_id}-2") == 0


async def test_changes_are_read_page_by_page(pool: asyncpg.Pool, case_id: str, merchant_id: str) -> None:  # D9
    for number in range(5):
        await charge(pool, f"{case_id}-{number}", merchant_id, ScoreCause.INTERVENTION, number, at=number)
        await charge(pool, f"{case_id}-{number}", f"{merchant_id}-2", ScoreCause.RULING_LOST, 1)

    first = await changes(pool, merchant_id, 2)
    second = await changes(pool, merchant_id, 2, first[-1].position)
    third = await changes(pool, merchant_id, 2, second[-1].position)

    assert [each.points for each in (*first, *second, *third)] == [4, 3, 2, 1, 0]
    assert (first[0].case_id, first[0].cause, first[0].at) == (f"{case_id}-4", ScoreCause.INTERVENTION, minutes(4))
    assert {each.merchant_id for each in first} == {merchant_id}


@pytest.mark.parametrize(
    "statement",
    ["UPDATE shop.score_changes SET points = 0", "DELETE FROM shop.score_changes", "TRUNCATE shop.score_changes"],
)
async def test_a_change_is_never_rewritten(pool: asyncpg.Pool, statement: str) -> None:  # D9
    with pytest.raises(asyncpg.RestrictViolationError):
        await pool.execute(statement)
