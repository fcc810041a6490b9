"""What the probes tell, and that they tell no secret."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.postgres import schema
from activities.postgres.schema_mismatch import SchemaMismatch
from activities.privacy.keys import new_key
from starter.settings import Settings
from starter.worker.health import Health, answering, what_work_needs
from starter.worker.roles import Workers
from tests.worker.processes import probe
from tests.workflow.world import until
from worker import running_worker

FINE: tuple[int, dict[str, Any]] = (200, {"ok": True, "state": "running", "reasons": []})
PASSWORD = "hunter2-geheim"


@activity.defn
async def nothing() -> None:
    raise NotImplementedError


@asynccontextmanager
async def probed(health: Health) -> AsyncGenerator[str]:
    async with answering(health, "127.0.0.1:0") as address:
        assert address is not None
        yield address


async def test_a_worker_from_its_start_to_its_end(client: Client, own_settings: Settings, database: str) -> None:
    health = Health()
    async with probed(health) as address:
        starting = [await probe(address, path) for path in ("/startupz", "/livez", "/readyz")]
        async with running_worker(own_settings, client, database) as workers:
            health.runs(workers, what_work_needs(own_settings, workers, database))
            await until(lambda: probe(address, "/startupz"), lambda found: found == FINE)
            running = [await probe(address, path) for path in ("/livez", "/readyz")]
            health.drains()
            draining = [await probe(address, path) for path in ("/startupz", "/livez", "/readyz")]
    assert [status for status, _ in starting] == [503, 200, 503]
    assert starting[2][1] == {"ok": False, "state": "starting", "reasons": ["starting: not connected yet"]}
    assert running == [FINE, FINE]
    assert [status for status, _ in draining] == [200, 200, 503]


async def test_a_worker_that_ended_by_itself_is_not_alive(client: Client, own_settings: Settings) -> None:
    worker = Worker(client, task_queue=own_settings.task_queue, activities=[nothing])
    workers, health = Workers(client, {own_settings.task_queue: worker}), Health()
    async with workers.running():
        health.runs(workers, {})
        await until(health.readiness, lambda reasons: reasons == [])
        assert await health.liveness() == []
        await worker.shutdown()
        assert await health.liveness() == [f"worker: the one on queue {own_settings.task_queue} has ended"]
        assert await health.readiness() == [f"worker: queue {own_settings.task_queue} is not asked for work"]


async def found(settings: Settings, client: Client, url: str) -> dict[str, str]:
    """What readiness would say, by what it is about."""
    health = Health()
    workers = Workers(client, {})
    health.runs(workers, what_work_needs(settings, workers, url))
    reasons = await health.readiness()
    assert PASSWORD not in "".join(reasons)
    return dict(reason.split(": ", 1) for reason in reasons)


async def test_schema_and_key_store_that_are_missing(settings: Settings, client: Client, empty_database: str) -> None:
    reasons = await found(settings, client, empty_database)
    assert set(reasons) == {"database", "key store"}
    assert "no schema yet" in reasons["database"]
    assert reasons["key store"] == "is missing: run `aftersales setup`"


async def test_a_worker_that_runs_goes_on_as_a_newer_schema_comes(
    settings: Settings, client: Client, empty_database: str
) -> None:
    """Whether one without a version starts on it is another question: it does not."""
    connection = await asyncpg.connect(empty_database)
    await connection.execute("CREATE TABLE alembic_version (version_num varchar(32)); ")
    await connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    await connection.close()
    assert "database" not in await found(settings, client, empty_database)
    with pytest.raises(SchemaMismatch, match="newer than"):
        async with running_worker(settings, client, empty_database):
            pass
    await schema.check(empty_database, newer_fits=True)  # as one with a version asks


async def test_a_database_that_is_gone_or_hangs(settings: Settings, client: Client, tmp_path: Path) -> None:
    gone = await found(settings, client, f"postgresql://u:{PASSWORD}@127.0.0.1:1/d")
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(tmp_path / ".s.PGSQL.5432"))
        hanging.listen()
        hung = await found(settings, client, f"postgresql://u:{PASSWORD}@/d?host={tmp_path}")
    assert gone == dict.fromkeys(("database", "key store"), "does not answer (ConnectionRefusedError)")
    assert hung == dict.fromkeys(("database", "key store"), "no answer within 2 s")


async def test_keys_that_are_taken_away(settings: Settings, client: Client, database: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    with_file = settings.model_copy(update={"key_file": file})
    file.write_text(new_key("k1"))
    await until(lambda: found(with_file, client, database), lambda reasons: reasons == {})
    file.unlink()
    await until(lambda: found(with_file, client, database), lambda reasons: set(reasons) == {"keys"})
