"""The stack ends with whoever started it, and comes back with its data, whatever was killed."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil
import pytest
from temporalio.client import Client

from starter.connection import connect, discover, ensure_search_attributes
from starter.settings import Settings
from starter.stack import Stack, StackError, embedded_stack
from starter.stack.lingering import lives, postgres_processes, temporal_servers
from starter.stack.state_folder import StateFolder

# Long enough for a machine that does much else at the time.
PATIENCE_SECONDS = 60

# A shell has its background jobs ignore Ctrl-C, and what they start inherits that: tests in the background would wait
# for an end that never comes.
STARTER = """
import asyncio, json, pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from starter.settings import Settings
from starter.stack import embedded_stack

async def main():
    async with embedded_stack(Settings(state_dir=pathlib.Path(sys.argv[1])), headless=True) as stack:
        pids = {"keeper": stack.keeper_pid, "temporal": stack.temporal_pid, "postgres": stack.postgres_pid}
        print(json.dumps(pids), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@dataclass(frozen=True)
class Elsewhere:
    """A stack that another process started."""

    starter: asyncio.subprocess.Process
    keeper: int
    temporal: int
    postgres: int


@asynccontextmanager
async def started_elsewhere(state_dir: Path) -> AsyncGenerator[Elsewhere]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTER, str(state_dir)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield Elsewhere(process, **json.loads(await process.stdout.readline()))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await eventually(lambda: not servers_on(state_dir))


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.05)


def living(*pids: int | None) -> set[int]:
    """Those of the processes that still run."""
    found: set[int] = set()
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            if pid is not None and lives(psutil.Process(pid)):
                found.add(pid)
    return found


def servers_on(state_dir: Path) -> list[int]:
    folder = StateFolder.at(state_dir)
    return [process.pid for process in [*temporal_servers(folder), *postgres_processes(folder)]]


async def remember(stack: Stack, word: str) -> None:
    connection = await asyncpg.connect(stack.database_url)
    await connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
    await connection.execute("INSERT INTO words VALUES ($1)", word)
    await connection.close()


async def remembered(stack: Stack) -> list[str]:
    connection = await asyncpg.connect(stack.database_url)
    rows = await connection.fetch("SELECT word FROM words ORDER BY word")
    await connection.close()
    return [row["word"] for row in rows]


async def start_workflow(client: Client, name: str) -> None:
    # Nobody works on it: it stays as it was started.
    await client.start_workflow("Anything", id=name, task_queue="nobody")


async def test_two_stacks_do_not_meet(stack: Stack, state_dir: Path) -> None:
    async with embedded_stack(Settings(state_dir=state_dir)) as other:
        addresses = {
            *(stack.temporal_address, other.temporal_address),
            *(stack.ui_address, other.ui_address),
            *(stack.metrics_address, other.metrics_address),
            *(stack.database_url, other.database_url),
        }
        assert len(addresses) == 8
        await remember(other, "here")
        connection = await asyncpg.connect(stack.database_url)
        assert await connection.fetchval("SELECT to_regclass('words')") is None
        await connection.close()
    assert not servers_on(state_dir)


async def test_a_folder_in_use_names_who_uses_it(stack: Stack, settings: Settings) -> None:
    with pytest.raises(StackError, match=f"is in use by process {os.getpid()} "):
        async with embedded_stack(settings):
            pass
    connection = await asyncpg.connect(stack.database_url)
    assert await connection.fetchval("SELECT true")
    await connection.close()


async def test_a_running_stack_is_found_by_its_folder(state_dir: Path) -> None:
    settings = Settings(state_dir=state_dir)
    with pytest.raises(ConnectionError, match="no stack with Temporal runs on .*`aftersales up`"):
        discover(settings)
    async with embedded_stack(settings, headless=True) as running:
        assert discover(settings) == running.addresses
        assert running.ui_address is None
        await connect(settings)
    with pytest.raises(ConnectionError, match="no stack with Temporal runs on"):
        discover(settings)


async def test_only_the_missing_half_is_embedded(
    stack: Stack, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", stack.database_url)
    async with embedded_stack(Settings(state_dir=state_dir), headless=True) as half:
        assert half.database_url == stack.database_url
        assert half.postgres_pid is None
        assert half.temporal_pid is not None
        assert discover(Settings(state_dir=state_dir)) == half.addresses
        assert stack.database_url not in (state_dir / "stack.json").read_text()
        assert "postgres" not in {path.name for path in state_dir.iterdir()}
        monkeypatch.setenv("TEMPORAL_ADDRESS", half.temporal_address)
        async with embedded_stack(Settings(state_dir=state_dir)) as nothing:
            assert nothing.keeper_pid is None
            assert nothing.addresses.temporal_address == half.temporal_address
            assert discover(Settings(state_dir=state_dir)) == nothing.addresses


async def test_what_a_stack_keeps_is_nobody_elses(state_dir: Path) -> None:
    folder = state_dir / "made"
    async with embedded_stack(Settings(state_dir=folder), headless=True, codec_endpoint="http://127.0.0.1:1/ui"):
        pass
    assert not stat.S_IMODE(folder.stat().st_mode) & 0o066
    kept = [*folder.glob("temporal.db*"), *(folder / "logs").iterdir()]
    assert {each.name for each in kept} >= {"temporal.db", "temporal.log", "postgres.log", "keeper.log"}
    assert {stat.S_IMODE(each.stat().st_mode) for each in kept} == {0o600}
    # What an earlier release has left open is closed.
    for each in kept:
        each.chmod(0o644)
    async with embedded_stack(Settings(state_dir=folder), headless=True):
        assert {stat.S_IMODE(each.stat().st_mode) for each in kept if each.exists()} == {0o600}


async def test_data_and_addresses_are_the_same_after_a_clean_end(state_dir: Path) -> None:
    settings = Settings(state_dir=state_dir)
    async with embedded_stack(settings, search_attributes={"First": "Keyword"}) as before:
        await remember(before, "kept")
        await start_workflow(await connect(settings), "kept")
        addresses = before.addresses
    assert not servers_on(state_dir)
    async with embedded_stack(settings, search_attributes={"First": "Keyword", "Later": "Int"}) as after:
        assert after.addresses == addresses
        assert await remembered(after) == ["kept"]
        client = await connect(settings)
        await client.get_workflow_handle("kept").describe()
        # The second one was new to a database that was there already.
        assert await ensure_search_attributes(client, {"First": "Keyword", "Later": "Int"}) == []
        with pytest.raises(ValueError, match="Later exists with another type"):
            await ensure_search_attributes(client, {"Later": "Bool"})


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_nothing_is_left_when_the_starter_ends(how: signal.Signals, state_dir: Path) -> None:
    async with started_elsewhere(state_dir) as elsewhere:
        pids = (elsewhere.keeper, elsewhere.temporal, elsewhere.postgres)
        assert living(*pids) == set(pids)
        elsewhere.starter.send_signal(how)
        await elsewhere.starter.wait()
        await eventually(lambda: not living(*pids))
        assert not servers_on(state_dir)
    # And the folder is as good as ever.
    async with embedded_stack(Settings(state_dir=state_dir), headless=True) as again:
        await remember(again, "still works")


async def test_a_new_start_waits_for_a_keeper_that_clears_up(state_dir: Path) -> None:
    async with started_elsewhere(state_dir) as elsewhere:
        elsewhere.starter.kill()
        await elsewhere.starter.wait()
        async with embedded_stack(Settings(state_dir=state_dir), headless=True) as again:
            assert again.keeper_pid != elsewhere.keeper


async def test_what_a_killed_keeper_left_is_stopped_by_the_next_start(state_dir: Path) -> None:
    settings = Settings(state_dir=state_dir)
    async with started_elsewhere(state_dir) as elsewhere:
        client = await connect(settings)
        await start_workflow(client, "kept")
        connection = await asyncpg.connect(discover(settings).database_url)
        await connection.execute("CREATE TABLE words (word text)")
        await connection.execute("INSERT INTO words VALUES ('kept')")
        os.kill(elsewhere.keeper, signal.SIGKILL)
        elsewhere.starter.kill()
        await elsewhere.starter.wait()
        assert {elsewhere.temporal, elsewhere.postgres} <= set(servers_on(state_dir))

        async with embedded_stack(settings, headless=True) as again:
            assert not living(elsewhere.temporal, elsewhere.postgres)
            assert await remembered(again) == ["kept"]
            await (await connect(settings)).get_workflow_handle("kept").describe()
        connection.terminate()


async def test_a_starter_clears_up_after_its_own_keeper(state_dir: Path) -> None:
    async with embedded_stack(Settings(state_dir=state_dir), headless=True) as running:
        assert running.keeper_pid is not None
        os.kill(running.keeper_pid, signal.SIGKILL)
        with pytest.raises(StackError, match="the keeper of the stack has ended"):
            await running.restart_postgres()
        assert servers_on(state_dir)
    assert not servers_on(state_dir)


async def test_a_killed_postgres_comes_back_where_it_was(state_dir: Path) -> None:
    async with embedded_stack(Settings(state_dir=state_dir), headless=True) as running:
        await remember(running, "kept")
        before = running.postgres_pid
        assert before is not None
        # A backend that is busy outlives its server for a moment.
        busy = await asyncpg.connect(running.database_url)
        query = asyncio.create_task(busy.execute("SELECT pg_sleep(3600)"))
        os.kill(before, signal.SIGKILL)
        await running.restart_postgres()
        assert running.postgres_pid not in {None, before}
        assert await remembered(running) == ["kept"]
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await query


async def test_a_killed_temporal_comes_back_where_it_was(state_dir: Path) -> None:
    settings = Settings(state_dir=state_dir)
    async with embedded_stack(settings, headless=True) as running:
        client = await connect(settings)
        await start_workflow(client, "kept")
        before = running.temporal_pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await running.restart_temporal()
        assert running.temporal_pid not in {None, before}
        # The connection of before finds it again.
        await client.get_workflow_handle("kept").describe()


async def test_a_server_that_does_not_start_says_why(state_dir: Path) -> None:
    settings = Settings(state_dir=state_dir)
    async with embedded_stack(settings, headless=True):
        pass
    (state_dir / "postgres" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(StackError, match=r"PostgreSQL ended with code 1(.|\n)*initialized by PostgreSQL version"):
        async with embedded_stack(settings, headless=True):
            pass
    assert not servers_on(state_dir)


async def test_a_path_too_long_for_a_socket_does(state_dir: Path) -> None:
    deep = state_dir / ("long" * 30)
    async with embedded_stack(Settings(state_dir=deep), headless=True) as running:
        await remember(running, "fits")
        sockets = Path(parse_qs(urlsplit(running.database_url).query)["host"][0])
        assert sockets.exists()
    assert not sockets.exists()


async def test_an_old_pid_file_stops_nobody(state_dir: Path) -> None:
    settings = Settings(state_dir=state_dir)
    async with embedded_stack(settings, headless=True):
        pass
    # As after a restart of a container: the ids of before belong to others now, here to this very test.
    (state_dir / "lock").write_text(f"{os.getpid()} 1.0")
    (state_dir / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{state_dir}/postgres\n1\n5432\n")
    async with embedded_stack(settings, headless=True) as running:
        await remember(running, "started")


async def test_nobody_at_the_address_is_said_in_one_line(state_dir: Path) -> None:
    with pytest.raises(ConnectionError, match=r"^Temporal at 127.0.0.1:9 cannot be reached"):
        await connect(Settings(state_dir=state_dir), target="127.0.0.1:9")
