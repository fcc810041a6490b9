"""Pause windows and exemptions: what is declared, and that no deadline falls beside it (section 9, L2)."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import pauses
from activities.postgres.connection import Connection
from activities.postgres.pauses import DeclaredOtherwise
from activities.postgres.pool import open_pool
from tests.patience import PATIENCE
from tests.storage.money import NOON
from workflows.messages.actors import officer
from workflows.messages.pauses import (
    DeclareExemption,
    DeclarePause,
    Exemption,
    ExemptionReason,
    PauseReason,
    PauseWindow,
)
from workflows.messages.stages import CaseKind

T = TypeVar("T")
F1, F2 = officer("f-1"), officer("f-2")
REFUND, WITHDRAWAL = CaseKind.UNSHIPPED_REFUND, CaseKind.WITHDRAWAL


def days(count: float) -> datetime:
    """So many days after NOON."""
    return NOON + timedelta(days=count)


def pause(name: str = "w-1", starts: float = 1, ends: float = 9, *kinds: CaseKind) -> DeclarePause:
    return DeclarePause(
        id=name,
        reason=PauseReason.SPRING_FESTIVAL,
        kinds=kinds or (REFUND,),
        starts_at=days(starts),
        ends_at=days(ends),
        by=F1,
    )


def peak() -> DeclareExemption:
    return DeclareExemption(
        id="e-1",
        reason=ExemptionReason.PROMOTION_PEAK,
        merchants=("m-2", "m-1"),
        starts_at=days(1),
        ends_at=days(9),
        by=F1,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def connection(database: str) -> AsyncIterator[Connection]:
    """A connection in a transaction of which nothing stays: windows would move the deadlines of other tests."""
    pool = await open_pool(database, max_size=1)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("DELETE FROM declarations.pauses")
        yield connection
        await transaction.rollback()
    await pool.close()


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to a database of its own: what these tests declare is committed."""
    pool = await open_pool(own_database, max_size=4, statement_timeout=PATIENCE)
    yield pool
    await pool.close()


async def ids(connection: Connection, kind: CaseKind = REFUND, after: datetime = NOON) -> list[str]:
    return [each.id for each in await pauses.windows_for(connection, kind, after)]


async def test_a_window_is_what_was_declared(connection: Connection) -> None:
    declared = await pauses.declare(connection, pause("w-1", 1, 9, WITHDRAWAL, REFUND), NOON)

    assert declared == PauseWindow(
        id="w-1",
        reason=PauseReason.SPRING_FESTIVAL,
        kinds=(REFUND, WITHDRAWAL),
        starts_at=days(1),
        ends_at=days(9),
        declared_by=F1,
        declared_at=NOON,
    )
    for kind in (REFUND, WITHDRAWAL):
        assert await pauses.windows_for(connection, kind, NOON) == (declared,)
    assert await pauses.windows_for(connection, CaseKind.SHIPPED_REFUND, NOON) == ()


async def test_the_same_declaration_again_changes_nothing(connection: Connection) -> None:
    first = await pauses.declare(connection, pause("w-1", 1, 9, WITHDRAWAL, REFUND), NOON)

    assert await pauses.declare(connection, pause("w-1", 1, 9, REFUND, WITHDRAWAL, REFUND), days(1)) == first
    lifted = await pauses.lift(connection, "w-1", F2, days(2))
    assert await pauses.declare(connection, pause("w-1", 1, 9, REFUND, WITHDRAWAL), days(3)) == lifted
    assert len(await pauses.list_pauses(connection)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": PauseReason.OUTAGE}, "reason"),
        ({"kinds": (REFUND, WITHDRAWAL)}, "kinds"),
        ({"starts_at": days(2)}, "starts_at"),
        ({"ends_at": days(10)}, "ends_at"),
        ({"by": F2}, "by"),
    ],
)
async def test_another_declaration_under_a_used_id_is_refused(
    connection: Connection, changes: dict[str, object], field: str
) -> None:
    first = await pauses.declare(connection, pause(), NOON)

    with pytest.raises(DeclaredOtherwise, match=f"w-1 .* {field}$"):
        await pauses.declare(connection, pause().model_copy(update=changes), NOON)
    assert await pauses.list_pauses(connection) == (first,)


async def test_a_clock_is_given_what_can_still_stop_it(connection: Connection) -> None:
    for name, starts, ends in [
        ("later", 5, 6),
        ("over", -9, -1.5),
        ("ends-now", -3, 0),
        ("runs", -2, 1),
        ("next", 5, 7),
    ]:
        await pauses.declare(connection, pause(name, starts, ends), NOON)

    assert await ids(connection) == ["runs", "later", "next"]
    assert await ids(connection, after=days(-1.5)) == ["ends-now", "runs", "later", "next"]
    assert [each.id for each in await pauses.list_pauses(connection, limit=3)] == ["later", "next", "runs"]


async def test_a_lifted_window_counts_up_to_its_lifting(connection: Connection) -> None:
    await pauses.declare(connection, pause("w-1", 1, 9), NOON)

    lifted = await pauses.lift(connection, "w-1", F2, days(3))

    assert lifted is not None
    assert (lifted.lifted_by, lifted.lifted_at, lifted.ends_at, lifted.resumes_at) == (F2, days(3), days(9), days(3))
    assert await pauses.windows_for(connection, REFUND, days(2.9)) == (lifted,)
    assert await ids(connection, after=days(3)) == []
    # The first lifting stands.
    assert await pauses.lift(connection, "w-1", F1, days(2)) == lifted


async def test_a_window_can_be_called_off_before_it_starts(connection: Connection) -> None:
    await pauses.declare(connection, pause("w-1", 1, 9), days(-2))
    await pauses.declare(connection, pause("w-2", 1, 9), days(-2))
    await pauses.lift(connection, "w-1", F1, days(0.5))
    await pauses.lift(connection, "w-2", F1, days(1))

    assert await ids(connection, after=days(-2)) == []


async def test_a_window_that_is_over_stays_as_it_is(connection: Connection) -> None:
    declared = await pauses.declare(connection, pause("w-1", 1, 9), NOON)

    assert await pauses.lift(connection, "w-1", F2, days(9)) == declared
    assert await pauses.lift(connection, "nobody-knows", F2, NOON) is None


async def test_an_exemption_is_what_was_declared(connection: Connection) -> None:  # L2
    declared = await pauses.declare_exemption(connection, peak(), NOON)

    assert declared == Exemption(
        id="e-1",
        reason=ExemptionReason.PROMOTION_PEAK,
        merchants=("m-1", "m-2"),
        starts_at=days(1),
        ends_at=days(9),
        declared_by=F1,
        declared_at=NOON,
    )
    assert await pauses.exemption(connection, "e-1") == declared
    assert await pauses.exemption(connection, "e-2") is None
    assert await pauses.declare_exemption(connection, peak(), days(1)) == declared


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": ExemptionReason.EPIDEMIC_CLOSURE}, "reason"),
        ({"merchants": ()}, "merchants"),
        ({"starts_at": days(2)}, "starts_at"),
        ({"ends_at": days(10)}, "ends_at"),
        ({"by": F2}, "by"),
    ],
)
async def test_another_exemption_under_a_used_id_is_refused(
    connection: Connection, changes: dict[str, object], field: str
) -> None:
    first = await pauses.declare_exemption(connection, peak(), NOON)

    with pytest.raises(DeclaredOtherwise, match=f"e-1 .* {field}$"):
        await pauses.declare_exemption(connection, peak().model_copy(update=changes), NOON)
    assert await pauses.exemption(connection, "e-1") == first


async def waits(pool: asyncpg.Pool, waiting: Connection, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start work on a connection, and come back once it is over or waits for a lock of another."""
    pid = waiting.get_server_pid()
    task = asyncio.create_task(work)
    while not task.done() and not await pool.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid):
        pass
    return task


async def declare_and_commit(connection: Connection, declaration: DeclarePause) -> PauseWindow:
    async with connection.transaction():
        return await pauses.declare(connection, declaration, NOON)


async def lift_and_commit(connection: Connection) -> PauseWindow | None:
    async with connection.transaction():
        return await pauses.lift(connection, "w-1", F1, NOON)


async def windows_in_a_transaction(connection: Connection) -> list[str]:
    async with connection.transaction():
        return await ids(connection)


async def test_a_declaration_waits_for_the_deadlines_that_are_worked_out_without_it(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as case, pool.acquire() as platform:
        async with case.transaction():
            assert await ids(case) == []
            declaring = await waits(pool, platform, declare_and_commit(platform, pause()))
            assert not declaring.done()
        # What the case has written is committed: whoever declared finds it among the open cases.
        assert (await declaring).id == "w-1"
        assert await windows_in_a_transaction(case) == ["w-1"]


async def test_a_deadline_waits_for_the_declaration_and_sees_it(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as case, pool.acquire() as platform:
        async with platform.transaction():
            await pauses.declare(platform, pause(), NOON)
            working_out = await waits(pool, case, windows_in_a_transaction(case))
            assert not working_out.done()
        assert await working_out == ["w-1"]


async def test_a_lifting_and_deadlines_wait_for_each_other(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as case, pool.acquire() as platform:
        await declare_and_commit(platform, pause())
        async with case.transaction():
            assert await ids(case) == ["w-1"]
            lifting = await waits(pool, platform, lift_and_commit(platform))
            assert not lifting.done()
        assert await lifting is not None
        async with platform.transaction():
            await pauses.declare(platform, pause("w-2"), NOON)
            await pauses.lift(platform, "w-2", F1, NOON)
            working_out = await waits(pool, case, windows_in_a_transaction(case))
            assert not working_out.done()
        assert await working_out == []


async def test_deadlines_do_not_wait_for_each_other(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as case, pool.acquire() as other, case.transaction():
        await ids(case)
        assert await windows_in_a_transaction(other) == []


async def test_a_declaration_that_is_rolled_back_was_never_made(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as case, pool.acquire() as platform:
        transaction = platform.transaction()
        await transaction.start()
        await pauses.declare(platform, pause(), NOON)
        working_out = await waits(pool, case, windows_in_a_transaction(case))
        await transaction.rollback()
        assert await working_out == []


async def test_declaring_once_at_the_same_time_is_one_window(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as other:
        same = await asyncio.gather(declare_and_commit(one, pause()), declare_and_commit(other, pause()))
        assert same[0] == same[1]
        assert len(await pauses.list_pauses(one)) == 1


@pytest.mark.parametrize(
    "change",
    [
        "kinds = '{}'",
        "ends_at = starts_at",
        "ends_at = starts_at + interval '60 days 1 second'",
        "lifted_at = now()",
        "lifted_by = 'f-1'",
        "lifted_by = 'f-1', lifted_at = ends_at",
    ],
)
async def test_the_database_itself_refuses_what_cannot_be_a_window(connection: Connection, change: str) -> None:
    await pauses.declare(connection, pause(), NOON)
    with pytest.raises(asyncpg.CheckViolationError):
        async with connection.transaction():
            await connection.execute(f"UPDATE declarations.pauses SET {change}")
