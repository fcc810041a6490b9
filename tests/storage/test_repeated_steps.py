"""Steps that come a second time, from a lost workflow task or a run that was reset (section 11)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import case_rows, casebook
from activities.postgres.casebook import StepOutOfOrder
from activities.postgres.pool import open_pool
from tests.storage.money import NOON, some_id
from tests.storage.shop import case_of
from workflows.messages.actors import CLOCK, Actor, merchant
from workflows.messages.cases import CaseKey, NewEntry, Step, Stepped
from workflows.messages.stages import CaseKind, StageName, WorkList

SHOP = merchant("m-1")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=2) as pool:
        yield pool


@pytest_asyncio.fixture(loop_scope="session")
async def case(pool: asyncpg.Pool) -> str:
    case = await case_of(pool, some_id("m"), some_id("o"))
    await pool.execute(
        """
        INSERT INTO casebook.log (case_id, position, step, event, actor_role, actor_id, rule, at, command_key, facts,
            kind, stage)
        VALUES ($1, 1, 0, 'opened', 'buyer', 'b-1', 'R2', $2, '', '{}', 'shipped_refund', 'shipped_review')
        """,
        case,
        NOON,
    )
    await pool.execute("UPDATE casebook.cases SET log_length = 1, step = 0 WHERE case_id = $1", case)
    return case


def step(case: str, number: int, event: str, key: str = "", *, by: Actor = CLOCK, **changes: Any) -> Step:
    at = NOON + timedelta(hours=number)
    fields: dict[str, Any] = {
        "case": CaseKey(case_id=case, run_id="r-1"),
        "step": number,
        "at": at,
        "entries": (NewEntry(event=event, by=by, rule="R2", at=at, command_key=key),),
        "kind": CaseKind.SHIPPED_REFUND,
        "stage": StageName.SHIPPED_REVIEW,
        "work_list": WorkList.REFUND_ONLY,
        "span": None,
        "attention": None,
        "outcome": None,
        "refunded": 0,
    }
    return Step(**(fields | changes))


async def write(pool: asyncpg.Pool, given: Step) -> Stepped:
    async with pool.acquire() as connection, connection.transaction():
        return await casebook.write_step(connection, given)


async def events(pool: asyncpg.Pool, case: str) -> list[str]:
    async with pool.acquire() as connection:
        return [each.event for each in await case_rows.log_of(connection, case)]


async def test_the_same_step_again_is_found(pool: asyncpg.Pool, case: str) -> None:
    first = await write(pool, step(case, 1, "evidence_submitted", "e1", by=SHOP))

    assert await write(pool, step(case, 1, "evidence_submitted", "e1", by=SHOP)) == first
    assert await events(pool, case) == ["opened", "evidence_submitted"]


async def test_what_the_clock_did_is_passed_over(pool: asyncpg.Pool, case: str) -> None:
    await write(pool, step(case, 1, "deadline_near"))
    await write(pool, step(case, 2, "approved_by_silence", stage=StageName.PAYING, work_list=None))

    again = await write(pool, step(case, 1, "approved_by_silence", stage=StageName.PAYING, work_list=None))

    assert again.number == 2
    assert await events(pool, case) == ["opened", "deadline_near", "approved_by_silence"]


async def test_a_new_command_comes_behind_what_the_clock_did(pool: asyncpg.Pool, case: str) -> None:
    await write(pool, step(case, 1, "deadline_near"))
    approved = step(case, 1, "approved", "a1", by=SHOP, stage=StageName.PAYING, work_list=None)

    first = await write(pool, approved)

    assert first.number == 2
    assert await write(pool, approved) == first, "an attempt whose answer was lost"
    assert await events(pool, case) == ["opened", "deadline_near", "approved"]


@pytest.mark.parametrize(
    "before",
    [("evidence_submitted", "e1", StageName.SHIPPED_REVIEW), ("approved_by_silence", "", StageName.PAYING)],
    ids=["somebody_decided", "the_case_has_moved"],
)
async def test_another_way_than_the_books_is_not_written(
    pool: asyncpg.Pool, case: str, before: tuple[str, str, StageName]
) -> None:
    event, key, stage = before
    await write(pool, step(case, 1, event, key, stage=stage, work_list=None))

    with pytest.raises(StepOutOfOrder, match=f"has withdrawn, the book {event}"):
        await write(pool, step(case, 1, "withdrawn", "w1", by=SHOP, stage=StageName.REJECTED, work_list=None))

    assert await events(pool, case) == ["opened", event]


async def test_the_same_event_by_another_command_is_another_way(pool: asyncpg.Pool, case: str) -> None:
    await write(pool, step(case, 1, "evidence_submitted", "e1", by=SHOP))

    with pytest.raises(StepOutOfOrder):
        await write(pool, step(case, 1, "evidence_submitted", "e2", by=SHOP))


async def test_a_refused_signal_makes_no_step_another(pool: asyncpg.Pool, case: str) -> None:
    refused = step(case, 1, "command_refused")
    await write(pool, refused)
    evidence = step(case, 2, "evidence_submitted", "e1", by=SHOP)
    await write(pool, evidence)
    together = evidence.model_copy(update={"step": 1, "entries": (*refused.entries, *evidence.entries)})

    assert (await write(pool, together)).number == 2
    assert (await write(pool, refused.model_copy(update={"step": 2}))).number == 1, "the book has it elsewhere"
    assert await events(pool, case) == ["opened", "command_refused", "evidence_submitted"]
