"""A worker process: settings → connections → activities with their gateways → a worker, until it is told to stop.

``aftersales worker`` runs it; tests and the demo run the same worker inside their own process.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.calendar import working_days
from activities.calendar.overrides import CalendarError
from activities.casebook import CaseBook
from activities.clocks import Clocks
from activities.gateways.bank_accounts import TransfersToAccounts
from activities.gateways.carrier_stub import CarrierStub
from activities.gateways.numbers_stub import NumbersStub
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.notices.channel_stubs import stub_channels
from activities.notices.resend import NoticeActivities
from activities.notices.sender import NoticeSender
from activities.opening import Opening
from activities.parcels import Parcels
from activities.payments import Payments
from activities.policies import Policies
from activities.postgres import schema
from activities.postgres.orders import PostgresOrders
from activities.postgres.pool import open_pool
from activities.postgres.schema_mismatch import SETUP_COMMAND, SchemaMismatch
from activities.postgres.vault import VaultAccounts
from activities.privacy.keys import KeyRingError
from activities.reconciliation import Reconciliation as ReconciliationActivities
from activities.virtual_numbers import VirtualNumbers
from starter.connection import connect, discover
from starter.logs import to_standard_error
from starter.settings import Settings, SettingsError, load_settings
from starter.telemetry import CountedFailures, exported, measures_of, standing_told
from starter.vault import opened_vault
from workflows.compensation import Compensation
from workflows.dispute import Dispute
from workflows.late_callback import LateCallback
from workflows.late_shipment import LateShipment
from workflows.merchant_refund import MerchantRefund
from workflows.notices import NoticeResend
from workflows.pauses import PauseReach
from workflows.reconciliation import Reconciliation
from workflows.refund import Refund
from workflows.returns import Return
from workflows.virtual_number import VirtualNumberEntity
from workflows.withdrawal import AllowanceExpiry, AllowanceWithdrawal

WORKFLOWS = (
    Refund,
    MerchantRefund,
    Return,
    Dispute,
    LateShipment,
    Compensation,
    AllowanceWithdrawal,
    AllowanceExpiry,
    VirtualNumberEntity,
    LateCallback,
    PauseReach,
    NoticeResend,
    Reconciliation,
)

WORKFLOW_TASKS_PER_CONNECTION = 4

PASSED_THROUGH = ("workflows.messages", "workflows.rules", "pydantic", "pydantic_core", "annotated_types")
"""Modules that hold no state a workflow could leak through; loading them anew per workflow would cost memory."""


@dataclass(frozen=True)
class Gateways:
    """The outside world that a worker's activities speak to, and what keeps it running."""

    pool: asyncpg.Pool
    payment: PaymentGatewayStub
    notices: NoticeSender


@asynccontextmanager
async def running_worker(settings: Settings, client: Client, database_url: str) -> AsyncGenerator[Worker]:
    """A worker for all kinds of case, with its activities and gateways, for as long as the context lasts.

    Leaving the context lets activities end within ``settings.graceful_shutdown_seconds``.

    Raises:
        SchemaMismatch: the database has a schema that this code does not know.
        CalendarError: the file of own working days is wrong.
        SettingsError: the key ring is malformed.
        OSError: the database or the key store cannot be reached.
        asyncpg.PostgresError: the key store has no database yet.
    """
    await schema.check(database_url)
    working_days.bring_into_force(settings.calendar_overrides)
    async with (
        await open_pool(database_url, max_size=settings.database_pool_size, application_name="aftersales") as pool,
        await open_pool(database_url, max_size=5, application_name="aftersales-stubs") as outside,
        opened_vault(settings, database_url) as vault,
    ):
        measures = measures_of(client)
        sender = NoticeSender(pool, stub_channels(outside), settings.language, measures=measures)
        policies = Policies(settings.policies_dir)
        opening = Opening(pool, PostgresOrders(pool), policies, sender.wake, measures)
        casebook = CaseBook(pool, policies, sender.wake, measures)
        gateway = TransfersToAccounts(PaymentGatewayStub(outside), VaultAccounts(pool, vault))
        payments = Payments(pool, gateway, sender.wake, measures=measures)
        reconciliation = ReconciliationActivities(pool, PaymentGatewayStub(outside), measures)
        notices = NoticeActivities(sender)
        parcels = Parcels(pool, CarrierStub(outside), measures=measures)
        clocks = Clocks(pool)
        numbers = VirtualNumbers(pool, vault, NumbersStub(outside, vault.lookup_key), measures=measures)
        worker = Worker(
            client,
            task_queue=settings.task_queue,
            workflows=WORKFLOWS,
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
                notices.resend_notices,
            ],
            workflow_runner=_runner(sandboxed=settings.sandboxed),
            # A start whose payload does not fit must end with an error instead of being tried for ever.
            workflow_failure_exception_types=[ValidationError],
            max_cached_workflows=settings.max_cached_workflows,
            max_concurrent_activities=settings.max_concurrent_activities,
            # Steps run inside workflow tasks: more of them at once than the database serves would time out together.
            max_concurrent_workflow_tasks=WORKFLOW_TASKS_PER_CONNECTION * settings.database_pool_size,
            max_concurrent_local_activities=WORKFLOW_TASKS_PER_CONNECTION * settings.database_pool_size,
            graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
            interceptors=[CountedFailures(measures)],
        )
        async with sender.running(), standing_told(pool, client), worker:
            yield worker


def _runner(*, sandboxed: bool) -> WorkflowRunner:
    if not sandboxed:
        return UnsandboxedWorkflowRunner()
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


async def serve(settings: Settings) -> None:
    """Run a worker until SIGTERM or Ctrl-C; a second one ends the process at once.

    Raises:
        ConnectionError: Temporal or the embedded stack cannot be reached.
        SchemaMismatch: see ``running_worker``.
    """
    to_standard_error(settings.log_level, settings.log_format)
    stop = asyncio.Event()

    def asked_to_stop() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    with exported():
        client = await connect(settings)
        async with running_worker(settings, client, discover(settings).database_url):
            print(f"worker on task queue {settings.task_queue}: running", flush=True)
            await stop.wait()
    print("worker: stopped", flush=True)


def main() -> int:
    """The process's entry point: 0 after a clean stop, 2 for a wrong setting, 3 where a server is missing."""
    try:
        asyncio.run(serve(load_settings()))
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
