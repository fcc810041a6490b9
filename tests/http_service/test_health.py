"""The service is ready as long as the database takes what comes; Temporal is not asked."""

import asyncpg
import pytest

from starter.http_service.health import ServiceHealth
from starter.worker.health import State


async def test_it_is_ready_once_it_listens_and_until_it_is_to_end(as_client: str) -> None:
    health = ServiceHealth(as_client)
    assert await health.startup() == await health.readiness() == ["starting: it does not listen yet"]

    health.state = State.RUNNING
    assert [await health.startup(), await health.readiness(), await health.liveness()] == [[], [], []]

    health.state = State.DRAINING
    assert await health.readiness() == ["draining: asked to stop, nothing new is taken"]
    assert await health.liveness() == []


async def test_without_the_database_it_is_alive_and_not_ready() -> None:
    health = ServiceHealth("postgresql://nobody@127.0.0.1:1/none")
    health.state = State.RUNNING

    (reason,) = await health.readiness()
    assert reason.startswith("database: does not answer")
    assert await health.liveness() == []


@pytest.mark.parametrize(("found", "reasons"), [("9999", 0), ("0001", 1)])
async def test_a_former_release_is_ready_on_a_newer_schema_and_a_newer_one_waits_for_setup(
    empty_database: str, found: str, reasons: int
) -> None:
    """After a step back behind a migration, and while a release is rolled out; no version is told to it."""
    connection = await asyncpg.connect(empty_database)
    await connection.execute("CREATE TABLE alembic_version (version_num varchar(32))")
    await connection.execute("INSERT INTO alembic_version VALUES ($1)", found)
    await connection.close()
    health = ServiceHealth(empty_database)
    health.state = State.RUNNING

    said = await health.readiness()

    assert len(said) == reasons, said
    assert all("older than" in each for each in said)
