"""Running the demo: servers of its own, the data, the cases side by side, the report."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.gateways.order_records import OrderRecord
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres import loading
from activities.postgres.alerts import open_alerts
from activities.postgres.books import Books, of_days, side_by_side
from activities.postgres.loading import AllowanceRecord, LoadReport
from starter.adapter_registry import STUB
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import answer, notes
from starter.commands.processes import serving
from starter.commands.stopping import told_to_stop
from starter.connection import connect
from starter.demo import script, shop
from starter.demo.play import Theatre, play
from starter.demo.played import Played, expectations
from starter.demo.providers import Provider, opened_provider, playable
from starter.demo.report import CaseReport, DemoReport, page, whole_differences
from starter.demo.script import Script
from starter.settings import Settings, load_settings, variable_name
from starter.settings_of_others import TEMPORAL_VARIABLES
from starter.stack import Stack, embedded_stack
from starter.stack.state_folder import StateFolder
from workflows.messages.persons import in_clear
from workflows.messages.reconciliation import ReconcileReport, ReconciliationRun
from workflows.messages.search_attributes import declarations

_MARK: Final = "aftersales-demo"
"""A file that says: this folder is the demo's own, and may be emptied."""
_AFTER_ALL: Final = timedelta(days=60)
"""Later than the virtual end of every case, and before the wall clock calls any of it overdue."""
_NOTICE_SECONDS: Final = 15
_AT_A_TIME: Final = 10
"""Groups of cases that are played side by side: more of them only wait for each other on a small machine."""


async def run_demo(*, keep: bool, state_dir: Path | None, as_json: bool, payments: str = STUB) -> int:
    """Play the demo and print its report: 0 where all came as expected, else 1.

    Raises:
        UsageError: ``state_dir`` holds something that is not the demo's, or the provider's server is not here.
        StackError: a server does not come up.
    """
    _forget_other_servers()
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    began = time.monotonic()
    with _folder(state_dir) as folder:
        async with AsyncExitStack() as servers:
            provider = (
                None if payments == STUB else await servers.enter_async_context(opened_provider(payments, folder))
            )
            settings = load_settings(
                state_dir=folder, environment="development", policies_dir=None, task_queue="demo", payments=payments
            )
            notes().print("starting Temporal and PostgreSQL for the demo", style="dim")
            stack = await servers.enter_async_context(
                embedded_stack(settings, search_attributes=declarations(), headless=not keep)
            )
            theatre = await servers.enter_async_context(opened_theatre(settings, stack, provider))
            played = await play_all(theatre)
            report = await _report(theatre, played, began)
            answer(as_json, report, page(report))
            if keep:
                await _keep(stack, folder)
    return Exit.OK if report.ok else Exit.NO


def _forget_other_servers() -> None:
    """The demo never touches servers that the environment points at: it moves clocks and makes up money."""
    elsewhere = ("database_url", "key_store_url", "keys", "key_file", "role", "deployment_name", "build_id")
    for name in (*TEMPORAL_VARIABLES, *map(variable_name, elsewhere)):
        os.environ.pop(name, None)


@contextmanager
def _folder(state_dir: Path | None) -> Generator[Path]:
    """An empty folder: a temporary one that vanishes, or one that the user names and that is the demo's own."""
    if state_dir is None:
        with tempfile.TemporaryDirectory(prefix="aftersales-demo-", ignore_cleanup_errors=True) as name:
            yield Path(name)
        return
    if state_dir.exists() and any(state_dir.iterdir()):
        if not (state_dir / _MARK).exists():
            raise UsageError(f"{state_dir} is not empty and not the demo's: name another folder", "--state-dir")
        for each in state_dir.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                each.unlink()
    StateFolder.at(state_dir)
    (state_dir / _MARK).touch()
    yield state_dir


@asynccontextmanager
async def opened_theatre(settings: Settings, stack: Stack, provider: Provider | None = None) -> AsyncGenerator[Theatre]:
    """The service on ``stack``, with the demo's orders and persons loaded, for as long as the context lasts."""
    client = await connect(settings, target=stack.temporal_address)
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    async with serving(settings, skipper.client, stack) as (aftersales, pump):
        start = datetime.now(UTC)
        orders, allowances = shop.orders(start), shop.allowances(start)
        if provider:
            orders = tuple(map(provider.paid_through, orders))
            allowances = tuple(map(provider.paid_through, allowances))
        async with aftersales.pool.acquire() as connection:
            vault = aftersales.vault
            _all_loaded(
                await loading.load_allowances(connection, [json.dumps(in_clear(each)) for each in allowances], vault)
            )
            _all_loaded(await loading.load_orders(connection, [json.dumps(in_clear(each)) for each in orders], vault))
        keep = aftersales.privacy
        references: dict[str, str] = {}
        for account in shop.accounts():
            kept = await keep.keep_bank_account(account.buyer_id, account.key, account.account)
            references[f"vault:account/{account.key}"] = kept
        for contact in shop.contacts():
            kept = await keep.keep_contact(contact.merchant_id, contact.key, contact.contact)
            references[f"vault:address/{contact.key}"] = kept
        for remark in shop.remarks():
            await aftersales.desk.add_remark(remark)
        for address in shop.addresses():
            details = references.get(address.details, address.details)
            await aftersales.desk.save_address(address.model_copy(update={"details": details}))
        for exemption in shop.exemptions(start):
            await aftersales.declarations.declare_exemption(exemption)
        yield Theatre(
            aftersales=aftersales,
            skipper=skipper,
            gateway=PaymentGatewayStub(aftersales.pool),
            pump=pump,
            subjects={each.order_no: each for each in orders} | {each.allowance_id: each for each in allowances},
            references=references,
            provider=provider,
        )


def _all_loaded(report: LoadReport) -> None:
    if report.problems:
        first = report.problems[0]
        raise ValueError(f"the demo's data, line {first.line}, {first.field}: {first.reason}")


async def play_all(theatre: Theatre) -> tuple[Played, ...]:
    """All groups, side by side; progress goes to standard error."""
    scripts = tuple(each.referring(theatre.references) for each in script.scripts())
    if theatre.provider:
        scripts = playable(scripts, theatre.paid_on_delivery)
    places = asyncio.Semaphore(_AT_A_TIME)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = notes()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("playing cases", total=len(scripts))

        async def played(group: tuple[Script, ...]) -> tuple[Played, ...]:
            async with places:
                ended = await play(theatre, group)
            for each in ended:
                progress.advance(bar)
                progress.console.print(f"  {each.script.name}: {each.found.outcome or each.found.refused}", style="dim")
            return ended

        groups = await asyncio.gather(*(played(group) for group in script.groups(scripts)))
    order = [each.name for each in scripts]
    return tuple(sorted((each for group in groups for each in group), key=lambda each: order.index(each.script.name)))


async def _report(theatre: Theatre, played: Sequence[Played], began: float) -> DemoReport:
    after_all = datetime.now(UTC) + _AFTER_ALL
    unsent = await _all_notices_sent(theatre)
    cases = _cases(played)
    if theatre.provider:
        books, reconciliation = await _by_statements(theatre, theatre.provider), ReconcileReport()
    else:
        books = await side_by_side(theatre.pool, theatre.gateway, after_all)
        reconciliation = await _reconcile(theatre.skipper.client, after_all)
    async with theatre.pool.acquire() as connection:
        alerts = await open_alerts(connection)
        sent = await connection.fetch(
            "SELECT channel, count(*) AS number FROM notices.outbox WHERE sent_at IS NOT NULL GROUP BY channel"
        )
    kinds = Counter(type(each) for each in theatre.subjects.values())
    return DemoReport(
        cases=cases,
        orders=kinds[OrderRecord],
        allowances=kinds[AllowanceRecord],
        books=books,
        alerts=alerts,
        reconciliation=reconciliation,
        notices={row["channel"]: row["number"] for row in sent},
        unsent=unsent,
        differences=whole_differences(cases, books, reconciliation, unsent),
        real_seconds=round(time.monotonic() - began, 1),
        virtual_seconds=round(sum(each.virtual_seconds for each in cases)),
    )


def _cases(played: Sequence[Played]) -> tuple[CaseReport, ...]:
    reports: dict[str, CaseReport] = {}
    for group in script.groups([each.script for each in played]):
        members = [each for each in played if each.script in group]
        for each, expected in zip(members, expectations(members), strict=True):
            reports[each.script.name] = CaseReport(
                name=each.script.name,
                title=each.script.title,
                rules=each.script.rules,
                case_id=each.case_id,
                expected=expected,
                found=each.found,
                differences=each.differences(expected),
                virtual_seconds=each.virtual_seconds,
            )
    return tuple(reports[each.script.name] for each in played)


async def _by_statements(theatre: Theatre, provider: Provider) -> Books:
    """Our ledger beside what the provider itself has published."""
    async with AsyncExitStack() as stack:
        gateway: Any = provider.statements()
        await stack.enter_async_context(gateway)
        today = datetime.now(UTC).date()
        # A day early and late: the provider's calendar is not ours.
        first, last = today - timedelta(days=1), today + timedelta(days=1)
        return await of_days(theatre.pool, gateway, first, last, stated_within=timedelta(0))


async def _reconcile(client: Client, at: datetime) -> ReconcileReport:
    """The comparison that a schedule makes every hour, once for all."""
    return await client.execute_workflow(
        "Reconciliation",
        ReconciliationRun(at=at),
        id="demo-reconciliation",
        task_queue="demo",
        result_type=ReconcileReport,
    )


async def _all_notices_sent(theatre: Theatre) -> int:
    """How many notices are still unsent after the sender had time for them."""
    deadline = time.monotonic() + _NOTICE_SECONDS
    while True:
        unsent = await theatre.pool.fetchval("SELECT count(*) FROM notices.outbox WHERE sent_at IS NULL")
        if not unsent or time.monotonic() > deadline:
            return unsent
        await asyncio.sleep(0.05)


async def _keep(stack: Stack, folder: Path) -> None:
    stop = told_to_stop()
    console = notes()
    console.print(Text.assemble("Web UI: ", (stack.ui_address or "", "bold cyan")))
    console.print(f"look at a case: AFTERSALES_STATE_DIR={folder} AFTERSALES_TASK_QUEUE=demo aftersales list --closed")
    console.print("Ctrl-C stops everything", style="bold green")
    await stop.wait()
