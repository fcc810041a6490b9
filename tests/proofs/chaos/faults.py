"""What breaks: each fault is made, lasts, and is over when its function returns."""

import asyncio
import random
import shutil
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import psutil
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, ResetWorkflowExecutionRequest
from temporalio.service import RPCError

from activities.postgres.connecting import connect
from starter.vault import key_store_url
from tests.patience import PATIENCE
from tests.proofs.chaos import stores
from tests.proofs.chaos.ground import FAKETIME, Ground
from tests.proofs.chaos.people import People
from tests.workflow.world import until


@dataclass
class Scene:
    """What a fault can reach."""

    ground: Ground
    people: People
    dice: random.Random
    behind: timedelta
    """To how long ago a store is restored."""
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a process is killed, and while a store is put back."""
    comparing: "asyncio.Task[None] | None" = None
    """What an operator does after Temporal was restored, while everything goes on."""


Fault = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    name: str
    make: Fault
    weight: int
    kills: bool
    """Whether a process is killed."""
    rare: bool
    """Made so many times, at even distances, and not by the dice."""


KINDS: list[Kind] = []
_SKEWS: Final = ("-25m", "-90s", "+90s", "+25m")


def fault(name: str, weight: int = 0, *, kills: bool = False) -> Callable[[Fault], Fault]:
    def add(make: Fault) -> Fault:
        KINDS.append(Kind(name, make, weight, kills, rare=not weight))
        return make

    return add


async def _last(scene: Scene, least: float, most: float) -> None:
    await asyncio.sleep(scene.dice.uniform(least, most))


# Processes -----------------------------------------------------------------------------------------------


@fault("worker killed", 8, kills=True)
async def worker_killed(scene: Scene) -> None:
    # What sees to the workers starts it again.
    await scene.dice.choice(scene.ground.workers).kill()


@fault("worker rolled (SIGTERM)", 3)
async def worker_rolled(scene: Scene) -> None:
    worker = scene.dice.choice(scene.ground.workers)
    worker.send(signal.SIGTERM)
    if worker.process:
        await worker.process.wait()


@fault("worker stopped (SIGSTOP)", 3)
async def worker_stopped(scene: Scene) -> None:
    worker = scene.dice.choice(scene.ground.workers)
    worker.send(signal.SIGSTOP)
    await _last(scene, 2, 12)  # longer than a workflow task's ten seconds, now and then
    worker.send(signal.SIGCONT)


@fault("worker with a skewed clock", 2, kills=True)
async def worker_skewed(scene: Scene) -> None:
    worker = scene.dice.choice(scene.ground.workers)
    skew = scene.dice.choice(_SKEWS)
    worker.held = True
    await worker.kill()
    await worker.start(skew=skew)
    worker.held = False
    if not FAKETIME:
        scene.ground.met["clock could not be skewed: faketime is not installed"] += 1
    await _last(scene, 6, 10)
    await worker.kill()


@fault("Temporal killed", 3, kills=True)
async def temporal_killed(scene: Scene) -> None:
    scene.ground.kill_temporal()
    await scene.ground.stack.restart_temporal()


@fault("PostgreSQL killed", 3, kills=True)
async def postgres_killed(scene: Scene) -> None:
    scene.ground.kill_postgres()
    await scene.ground.stack.restart_postgres()


@fault("Temporal stopped (SIGSTOP)", 1)
async def temporal_stopped(scene: Scene) -> None:
    process = psutil.Process(scene.ground.stack.temporal_pid)
    process.suspend()
    await _last(scene, 1, 6)
    process.resume()


@fault("PostgreSQL stopped (SIGSTOP)", 1)
async def postgres_stopped(scene: Scene) -> None:
    postmaster = psutil.Process(scene.ground.stack.postgres_pid)
    processes = [postmaster, *postmaster.children()]
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.suspend()
    await _last(scene, 1, 6)
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.resume()


# Networks ------------------------------------------------------------------------------------------------


@fault("connections to Temporal cut", 2)
async def temporal_cut(scene: Scene) -> None:
    scene.ground.met["connections to Temporal broken off"] += scene.ground.temporal.cut()


@fault("connections to PostgreSQL cut", 2)
async def postgres_cut(scene: Scene) -> None:
    scene.ground.met["connections to PostgreSQL broken off"] += scene.ground.postgres.cut()


@fault("network silent", 2)
async def network_silent(scene: Scene) -> None:
    proxy = scene.dice.choice((scene.ground.temporal, scene.ground.postgres))
    proxy.hold()
    await _last(scene, 1, 8)
    proxy.heal()


@fault("network slow", 2)
async def network_slow(scene: Scene) -> None:
    proxy = scene.dice.choice((scene.ground.temporal, scene.ground.postgres))
    proxy.slow(scene.dice.uniform(0.02, 0.3))
    await _last(scene, 2, 6)
    proxy.heal()


# The database's own ----------------------------------------------------------------------------------------


@fault("connections used up", 2)
async def connections_used_up(scene: Scene) -> None:
    async with AsyncExitStack() as held:
        with suppress(asyncpg.PostgresError, OSError):
            while True:
                connection = await connect(scene.ground.stack.database_url)
                held.push_async_callback(connection.close)
        await _last(scene, 1, 4)


@fault("key store lost for a while", 2)
async def key_store_lost(scene: Scene) -> None:
    server = scene.ground.stack.database_url
    name = await _name_of(key_store_url(scene.ground.settings, server))
    await _allow_connections(server, name, allow=False)
    await _last(scene, 2, 6)
    # The server itself may be killed meanwhile, and have to come back first.
    await until(lambda: _allow_connections(server, name, allow=True), lambda done: done, PATIENCE)


async def _allow_connections(server: str, database: str, *, allow: bool) -> bool:
    """Whether the server could be told; where it is not allowed, those that are there end."""
    try:
        connection = await connect(server)
    except (asyncpg.PostgresError, OSError):
        if not allow:
            raise
        return False
    try:
        await connection.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS {str(allow).lower()}')
        if not allow:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database
            )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        if not allow:
            raise
        return False
    else:
        return True
    finally:
        connection.terminate()


async def _name_of(url: str) -> str:
    connection = await connect(url)
    try:
        return await connection.fetchval("SELECT current_database()")
    finally:
        await connection.close()


# Buttons in the Web UI -------------------------------------------------------------------------------------


async def _some_running(scene: Scene) -> tuple[str, str] | None:
    rows = await scene.ground.pool.fetch(
        "SELECT case_id FROM casebook.cases WHERE closed_at IS NULL ORDER BY random() LIMIT 1"
    )
    for row in rows:
        handle = scene.ground.direct.temporal.get_workflow_handle(row["case_id"])
        described = await handle.describe()
        return row["case_id"], described.run_id
    return None


@fault("workflow terminated", 2)
async def workflow_terminated(scene: Scene) -> None:
    if found := await _some_running(scene):
        await scene.ground.direct.temporal.get_workflow_handle(found[0]).terminate("by a hand that slipped")


@fault("workflow deleted", 2)
async def workflow_deleted(scene: Scene) -> None:
    if found := await _some_running(scene):
        client = scene.ground.direct.temporal
        execution = WorkflowExecution(workflow_id=found[0], run_id=found[1])
        await client.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
        )


@fault("workflow reset to its first task", 2)
async def workflow_reset(scene: Scene) -> None:
    if found := await _some_running(scene):
        client = scene.ground.direct.temporal
        history = await client.get_workflow_handle(found[0], run_id=found[1]).fetch_history()
        first = next((e.event_id for e in history.events if e.HasField("workflow_task_completed_event_attributes")), 0)
        if first:
            await client.workflow_service.reset_workflow_execution(
                ResetWorkflowExecutionRequest(
                    namespace=client.namespace,
                    workflow_execution=WorkflowExecution(workflow_id=found[0], run_id=found[1]),
                    reason="by a hand that slipped",
                    workflow_task_finish_event_id=first,
                    request_id=f"reset-{scene.dice.getrandbits(64):x}",
                )
            )


@fault("lost workflows raised", 1)
async def raised(scene: Scene) -> None:
    """No fault: what an operator does now and then."""
    code, _ = await scene.ground.command("recover", "--start", "--rate", "100", "--json")
    scene.ground.met[f"aftersales recover --start ended with {code}"] += 1


# Stores ---------------------------------------------------------------------------------------------------


@fault("Temporal restored to an earlier moment", kills=True)
async def temporal_restored(scene: Scene) -> None:
    ground = scene.ground
    copy = ground.folder / "temporal.copy"
    await compared(scene)
    async with scene.alone:
        await asyncio.to_thread(stores.copy_of_temporal, ground, copy)
        await asyncio.sleep(scene.behind.total_seconds())
        await scene.people.pause()
        await ground.stop_workers(signal.SIGKILL)
        await stores.put_temporal_back(ground, copy)
        copy.unlink()
        ground.let_workers()
        scene.people.go_on()
    scene.comparing = asyncio.create_task(stores.compare(ground))


@fault("case book restored to an earlier moment", kills=True)
async def book_restored(scene: Scene) -> None:
    ground = scene.ground
    copy = ground.folder / "book.copy"
    await compared(scene)
    async with scene.alone:
        since = datetime.now(UTC) - timedelta(seconds=1)
        await stores.copy_of_book(ground, copy)
        await asyncio.sleep(scene.behind.total_seconds())
        # "Stop what opens cases", and what works on them.
        await scene.people.pause()
        await ground.stop_workers(signal.SIGTERM)
        await stores.put_book_back(ground, copy)
        await asyncio.to_thread(shutil.rmtree, copy)
        ground.let_workers()
        for life in scene.people.lives:
            # What carriers told meanwhile, and what somebody answered to a step of the clock's, is not told again.
            life.as_planned = False
        await stores.rebuild(ground, since)
        scene.people.go_on()


async def compared(scene: Scene) -> None:
    """Returns once the operator is through with what the last restored store wants."""
    if scene.comparing:
        await scene.comparing
        scene.comparing = None


async def make(kind: Kind, scene: Scene) -> None:
    """Make one fault; that it could not be made now is met too."""
    scene.ground.faults[kind.name] += 1
    try:
        await kind.make(scene)
    except (RPCError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, psutil.NoSuchProcess) as error:
        if kind.rare:
            raise
        scene.ground.met[f"while making a fault: {type(error).__name__}"] += 1
    finally:
        scene.ground.temporal.heal()
        scene.ground.postgres.heal()
