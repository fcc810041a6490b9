"""A worker process: settings → connections → activities with their gateways → workers, until it is told to stop.

``aftersales worker`` runs it, in one role or several; tests and the demo run the same inside their own process.
"""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final

import asyncpg
from temporalio.client import Client

from activities.calendar import working_days
from activities.calendar.overrides import CalendarError
from activities.casebook import CaseBook
from activities.clocks import Clocks
from activities.gateways.bank_accounts import TransfersToAccounts
from activities.notices.addresses import VaultAddresses
from activities.notices.own_texts import BUILT_IN, OwnTexts, TextsError, own_texts
from activities.notices.resend import NoticeActivities
from activities.notices.sender import NoticeSender
from activities.old_events import OldEvents
from activities.opening import Opening
from activities.parcels import Parcels
from activities.payments import Payments
from activities.policies import Policies
from activities.postgres import schema
from activities.postgres.pool import open_pool
from activities.postgres.schema_mismatch import SETUP_COMMAND, SchemaMismatch
from activities.postgres.vault import VaultAccounts
from activities.privacy.keys import KeyRingError
from activities.reconciliation import Reconciliation as ReconciliationActivities
from activities.virtual_numbers import VirtualNumbers
from starter.adapters import Adapters, payment_limits
from starter.archive_place import closed_cases
from starter.connection import connect, discover, temporal_config
from starter.logs import to_standard_error
from starter.nexus import nexus_services
from starter.settings import Settings, SettingsError, load_settings, variable_name
from starter.telemetry import exported, measures_of, standing_told
from starter.telemetry.failures import CountedFailures
from starter.vault import opened_vault
from starter.webhooks import webhooks_delivered
from starter.worker.draining import Stop
from starter.worker.health import Health, answering, what_work_needs
from starter.worker.renewing import renewed
from starter.worker.repeated_attempts import RepeatedAttempts
from starter.worker.roles import Workers, workers_for
from starter.worker.runner import runner_for
from workflows.closed_cases import ClosedCases
from workflows.definitions.every_kind import CASES
from workflows.late_callback import LateCallback
from workflows.messages.sealed import require_sealed
from workflows.notices import NoticeResend
from workflows.pauses import PauseReach
from workflows.reconciliation import Reconciliation
from workflows.rules.worker_roles import WorkerRole
from workflows.virtual_number import VirtualNumberEntity

WORKFLOWS = (
    *CASES,
    VirtualNumberEntity,
    LateCallback,
    PauseReach,
    NoticeResend,
    Reconciliation,
    ClosedCases,
)

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop  # a twelfth of a worker's processor time less than asyncio's own loop

_COLLECTED_AFTER: Final = 20_000
"""Values that were made and not freed: some forty cases' worth (Python's own: 700)."""


def _texts(settings: Settings) -> OwnTexts:
    try:
        return own_texts(settings.notice_texts) if settings.notice_texts else BUILT_IN
    except TextsError as error:
        raise SettingsError(f"{variable_name('notice_texts')}: {error}") from error


@asynccontextmanager
async def running_worker(settings: Settings, client: Client, database_url: str) -> AsyncGenerator[Workers]:
    """What the settings' roles do, with its activities and gateways, for as long as the context lasts.

    Leaving the context lets activities end within ``settings.graceful_shutdown_seconds``.

    Raises:
        SchemaMismatch: the database has a schema that this code does not know.
        CalendarError: the file of own working days is wrong.
        SettingsError: the key ring is malformed, or production would work with a stub.
        OSError: the database or the key store cannot be reached.
        asyncpg.PostgresError: the key store has no database yet.
    """
    await schema.check(database_url, newer_fits=settings.versioned)
    require_sealed(settings.requires_sealed)
    working_days.bring_into_force(settings.calendar_overrides)
    working_days.load()
    async with (
        await open_pool(database_url, max_size=settings.database_pool_size, application_name="aftersales") as pool,
        await open_pool(database_url, max_size=5, application_name="aftersales-stubs") as outside,
        opened_vault(settings, database_url) as vault,
        AsyncExitStack() as stack,
    ):
        outward = await Adapters.opened(settings, stack, outside, vault.lookup_key)
        measures = measures_of(client)
        sender = NoticeSender(
            pool,
            outward.channels,
            settings.language,
            poll_seconds=settings.notice_poll_seconds,
            measures=measures,
            addresses=VaultAddresses(pool, vault),
            texts=_texts(settings),
            give_up=timedelta(days=settings.notice_days),
        )
        policies = Policies(settings.policies_dir)
        # Where another process sends the notices, waking does nothing: that one looks by itself.
        opening = Opening(pool, policies, sender.wake, measures, payment_limits(settings))
        casebook = CaseBook(pool, policies, sender.wake, measures)
        gateway = TransfersToAccounts(outward.payments, VaultAccounts(pool, vault))
        payments = Payments(pool, gateway, sender.wake, measures=measures, per_second=settings.payments_per_second)
        reconciliation = ReconciliationActivities(pool, outward.payments, measures)
        closed = closed_cases(settings, pool)
        notices = NoticeActivities(sender)
        parcels = Parcels(pool, outward.carriers, measures=measures)
        clocks = Clocks(pool, policies)
        numbers = VirtualNumbers(pool, vault, outward.numbers, measures=measures, policies=policies)
        workers = workers_for(
            settings,
            client,
            workflows=WORKFLOWS,
            runner=runner_for(sandboxed=settings.sandboxed, versioned=settings.versioned),
            activities=[
                opening.open_case,
                casebook.record_step,
                payments.settle,
                payments.settle_manually,
                payments.enter_callback,
                parcels.ask_carrier,
                clocks.find_clocks,
                numbers.find_number_subject,
                numbers.keep_number_facts,
                numbers.bind_number,
                numbers.extend_number,
                numbers.unbind_number,
                reconciliation.reconcile,
                closed.move_closed_cases,
                closed.archive_month,
                notices.resend_notices,
            ],
            interceptors=[CountedFailures(measures), RepeatedAttempts(pool)],
            nexus_services=nexus_services(settings, client, pool, opening),
        )
        if WorkerRole.NOTIFICATIONS in settings.roles:
            await stack.enter_async_context(sender.running())
            await stack.enter_async_context(webhooks_delivered(settings, pool, measures))
            await stack.enter_async_context(OldEvents(pool, timedelta(days=settings.event_days)).running())
        await stack.enter_async_context(standing_told(pool, client))
        async with workers.running():
            yield workers


async def serve(settings: Settings) -> None:
    """Run a worker until SIGTERM or Ctrl-C; a second one ends the process at once.

    Raises:
        ConnectionError: Temporal, the database or the embedded stack cannot be reached, or refuses: it is still
            starting, say, or the password is wrong.
        SchemaMismatch: see ``running_worker``.
        OSError: the address of the probes is taken.
    """
    to_standard_error(settings.log_level, settings.log_format)
    stop = Stop(settings.graceful_shutdown_seconds)
    stop.listen()
    health = Health()
    with exported():
        async with answering(health, settings.health_listen) as address:
            configured = temporal_config(settings)
            client = await connect(settings)
            url = discover(settings).database_url
            with _database_told():
                async with running_worker(settings, client, url) as workers, renewed(settings, workers, configured):
                    health.runs(workers, what_work_needs(settings, workers, url))
                    _collect_seldom()
                    probes = f", probes on {address}" if address else ""
                    print(f"worker on task queue {', '.join(workers.queues)}{probes}: running", flush=True)
                    await stop.asked()
                    health.drains()
                    print(f"worker: ending within {settings.graceful_shutdown_seconds} s", flush=True)
    print("worker: stopped", flush=True)


def _collect_seldom() -> None:
    """Garbage in cycles is looked for less often, and never again in what stands by now.

    A worker keeps some hundred values for each case in its cache. Python's own pace looks through them all over and
    over: a twentieth of the processor's time with 500 cases, and more with more. Hardly anything of ours is in cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER, 10, 20)


@contextmanager
def _database_told() -> Generator[None]:
    """What a database says that is there and does not serve, in one line; one that is missing has a remedy."""
    try:
        yield
    except asyncpg.InvalidCatalogNameError:
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ConnectionError(f"the database refuses: {error} ({type(error).__name__})") from error


def main() -> int:
    """The process's entry point: 0 after a clean stop, 2 for a wrong setting, 3 where a server is missing."""
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(load_settings()))
    except (SettingsError, CalendarError, KeyRingError) as error:
        print(error, file=sys.stderr)
        return 2
    except asyncpg.InvalidCatalogNameError:
        print(f"a database is missing, the key store perhaps: run `{SETUP_COMMAND}`", file=sys.stderr)
        return 3
    except (ConnectionError, OSError, SchemaMismatch) as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    code = main()
    # The interpreter may abort while it tears the SDK's threads down: everything is done, so leave.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
