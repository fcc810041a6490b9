"""Running a cluster: the servers, the load, the roll within its time, the checks, the report."""

import asyncio
import secrets
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.policies import Policies
from activities.postgres import schema
from activities.postgres.pool import open_pool
from starter.client import Aftersales
from starter.cluster import check
from starter.cluster.deployment import Deployment
from starter.cluster.load import Life, Load, problems
from starter.cluster.processes import Fleet
from starter.cluster.report import ClusterReport, WorkerReport
from starter.cluster.roll import BadRelease, Event, Roll
from starter.cluster.watching import Alerts, alerts_on
from starter.connection import connect
from starter.settings import Settings
from starter.stack import Stack, embedded_stack
from starter.vault import opened_vault, prepare_key_store
from workflows.messages.search_attributes import declarations

_BAD: Final = "bad"
_THINKS: Final = 6.0
"""Seconds within which each case is acted on: long enough for cases to be open whatever happens to the workers."""


class UsedUp(Exception):  # noqa: N818 -- named after what happened
    """All cases had ended before the roll was over: its end was not under load."""


@dataclass(frozen=True)
class Scale:
    """How much of it."""

    versions: int = 3
    cases: int = 800
    """At most."""
    at_a_time: int = 10
    """Cases that are open side by side."""
    named_within: float = 180
    """Seconds within which somebody must be told of a release that fails."""
    seconds: int = 300
    """After which it is given up, and what is not done by then is a difference."""


async def run_cluster(settings: Settings, scale: Scale, say: Callable[[Event], None]) -> ClusterReport:
    """Roll a cluster on the servers that the settings name, or on servers of its own where they name none.

    Raises:
        StackError: a server or a worker does not come up.
        SchemaMismatch: a database of the user's lacks this release's schema.
    """
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    with tempfile.TemporaryDirectory(prefix="aftersales-cluster-", ignore_cleanup_errors=True) as folder:
        if settings.embeds_postgres and settings.embeds_temporal:
            settings = settings.model_copy(update={"state_dir": Path(folder)})
        async with embedded_stack(settings, search_attributes=declarations(), headless=True) as stack:
            if settings.embeds_postgres:
                await schema.upgrade(stack.database_url)
                await prepare_key_store(settings, stack.database_url)
            return await roll_on(settings, stack, scale, say)


async def roll_on(settings: Settings, stack: Stack, scale: Scale, say: Callable[[Event], None]) -> ClusterReport:
    """Roll a cluster on ``stack``, on task queues of its own. Errors as in ``run_cluster``."""
    began = time.monotonic()
    run = f"cluster-{secrets.token_hex(4)}"
    settings = settings.model_copy(update={"task_queue": run})
    builds = tuple(f"v{number}" for number in range(1, scale.versions + 1))
    events: list[Event] = []

    def tell(event: Event) -> None:
        events.append(event)
        say(event)

    async with _reached(settings, stack) as (aftersales, skipper):
        load = Load(aftersales, skipper, run, cases=scale.cases, thinks=_THINKS)
        await load.prepare()
        deployment = Deployment(aftersales.temporal, run, run)
        unsent = 0
        late: tuple[str, ...] = ()
        bad: BadRelease | None = None
        with _fleet(settings, run) as fleet:
            roll = Roll(fleet, deployment, load, tell)
            try:
                async with asyncio.timeout(scale.seconds), alerts_on(fleet.targets, fleet.targets.parent) as alerts:
                    await roll.begin(builds[0])
                    bad = await _under_load(_all_of(roll, builds, alerts), load, scale.at_a_time)
                    unsent = await check.unsent_notices(aftersales.pool, load.lives)
                    await roll.end(builds[-1])
            except UsedUp:
                late = (f"all {scale.cases} cases had ended before the roll was over: more of them are needed",)
            except TimeoutError:
                late = (f"not done within {scale.seconds} s: {events[-1].what if events else 'nothing'} was the last",)
            workers = tuple(fleet.all)
            ended = check.exits(workers)
            reports = tuple(
                WorkerReport(name=each.name, ending=each.ending, exit_code=each.exit_code) for each in workers
            )
        found = await _looked_up(aftersales, deployment, load.lives, builds)
        return ClusterReport(
            events=tuple(events),
            workers=reports,
            opened=load.opened,
            outcomes=dict(load.outcomes),
            plans=dict(Counter(each.plan.value for each in load.lives if each.case)),
            versions=dict(Counter(those[0] for those in found.told.builds.values() if len(those) == 1)),
            bad_release=bad,
            moved=sum(those == (_BAD, builds[-1]) for those in found.told.builds.values()),
            money=found.money,
            workflow_tasks=found.told.report(),
            activities_again=found.told.again,
            unsent_notices=unsent,
            differences=(
                *late,
                *(check.noticed(bad, scale.named_within) if bad else ()),
                *ended,
                *found.differences,
                *([f"{unsent} notices were not sent"] if unsent else []),
            ),
            seconds=round(time.monotonic() - began, 1),
        )


@dataclass(frozen=True)
class _Found:
    told: check.Told
    money: check.MoneyPaid
    differences: tuple[str, ...]


async def _looked_up(
    aftersales: Aftersales, deployment: Deployment, lives: Sequence[Life], builds: Sequence[str]
) -> _Found:
    told = await check.histories(lives)
    paid, wrongly = await check.money(aftersales.pool, lives)
    failed = sum(number for case, number in told.failed.items() if told.builds[case][:1] != (_BAD,))
    there, opened = await deployment.all_cases(), sum(each.case is not None for each in lives)
    return _Found(
        told,
        paid,
        (
            *problems(lives),
            *wrongly,
            *await check.case_book(aftersales.pool, lives),
            *check.on_versions(told.builds, builds, moved=(_BAD, builds[-1])),
            *([f"{failed} workflow tasks failed"] if failed else []),
            *([f"{opened} cases were opened, Temporal has {there}"] if there != opened else []),
        ),
    )


async def _all_of(roll: Roll, builds: Sequence[str], alerts: Alerts | None) -> BadRelease:
    await roll.through(builds)
    return await roll.undo(builds[-1], _BAD, alerts)


async def _under_load(whole: Coroutine[None, None, BadRelease], load: Load, at_a_time: int) -> BadRelease:
    """Roll while cases go on, and wait for their ends; an error on one side ends the other.

    Raises:
        UsedUp: there were no cases left before the roll was over.
    """
    async with asyncio.TaskGroup() as group:
        cases = group.create_task(load.run(at_a_time), name="cases")
        rolling = group.create_task(whole, name="roll")
        await asyncio.wait((cases, rolling), return_when=asyncio.FIRST_COMPLETED)
        if not rolling.done():
            rolling.cancel()
        load.stop()
    if rolling.cancelled():
        raise UsedUp
    return rolling.result()


@asynccontextmanager
async def _reached(settings: Settings, stack: Stack) -> AsyncGenerator[tuple[Aftersales, TimeSkipper]]:
    """The typed client, and what moves the clocks of cases that it opens."""
    client = await connect(settings, target=stack.temporal_address)
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    url = stack.database_url
    async with (
        await open_pool(url, max_size=settings.database_pool_size, application_name="aftersales-cluster") as pool,
        opened_vault(settings, url) as vault,
    ):
        policies = Policies(settings.policies_dir)
        yield Aftersales(skipper.client, settings.task_queue, pool, vault, policies), skipper


@contextmanager
def _fleet(settings: Settings, deployment: str) -> Generator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="aftersales-workers-", ignore_cleanup_errors=True) as logs:
        fleet = Fleet(settings, deployment, Path(logs))
        try:
            yield fleet
        finally:
            fleet.give_up()
