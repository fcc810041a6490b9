"""``aftersales up``, ``worker`` and ``setup``: what runs, and what must be there first."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

import worker as worker_process
from activities.gateways.carrier_stub import CarrierStub
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.policies import Policies
from activities.postgres import schema
from activities.postgres.granting import script
from activities.postgres.pool import open_pool
from starter.archive_place import archived_cases
from starter.carrier_events import CarrierPump
from starter.client import Aftersales
from starter.codec_server import development_settings, ui_endpoint
from starter.codec_server import running as codec_server
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer, json_line, notes
from starter.commands.stopping import told_to_stop
from starter.connection import connect, discover
from starter.gateway_callbacks import CallbackPump
from starter.preparation import Lacking, lacking, prepare
from starter.settings import Settings, load_settings
from starter.stack import Stack, embedded_stack, ports
from starter.stack.state_folder import StateFolder
from starter.telemetry import exported
from starter.vault import key_provider, opened_vault
from starter.worker.health import Health, answering, what_work_needs
from workflows.messages.search_attributes import declarations


def up(as_json: Json = False) -> int:
    """Run everything in one process: Temporal with its Web UI, PostgreSQL, a worker, the stubs' callbacks and events.

    Ctrl-C stops all of it; cases and data stay in the state folder for the next time.

    Example: [cyan]aftersales up[/]
    """
    with exported():
        return asyncio.run(_up(load_settings(), as_json))


def worker(as_json: Json = False) -> int:
    """Run a worker until SIGTERM or Ctrl-C; what it is doing is finished first.

    Example: [cyan]DATABASE_URL=postgresql://... TEMPORAL_ADDRESS=temporal:7233 aftersales worker[/]
    """
    settings = load_settings()
    if not as_json:
        asyncio.run(worker_process.serve(settings))
        return 0
    json_line({"status": "starting", "task_queue": settings.task_queue})
    with contextlib.redirect_stdout(sys.stderr):
        asyncio.run(worker_process.serve(settings))
    json_line({"status": "stopped"})
    return 0


def setup(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what differs; exit code 1 if anything does.")
    ] = False,
    print_roles: Annotated[
        bool,
        typer.Option("--print-roles", help="Only print the SQL of the databases' roles, for whoever may make roles."),
    ] = False,
    as_json: Json = False,
) -> int:
    """Bring schema, database roles, search attributes and schedules up to this release. Again, it changes nothing.

    Example: [cyan]aftersales setup --dry-run[/]
    """
    if print_roles:
        return _print_roles(load_settings(), as_json)
    return asyncio.run(_setup(load_settings(), dry_run=dry_run, as_json=as_json))


def _print_roles(settings: Settings, as_json: bool) -> int:
    if settings.role_prefix is None:
        raise UsageError("AFTERSALES_DATABASE_ROLES is none", "--print-roles")
    sql = script(settings.role_prefix)
    if as_json:
        json_line({"sql": sql})
    else:
        print(sql)
    return Exit.OK


async def _setup(settings: Settings, *, dry_run: bool, as_json: bool) -> int:
    client = await connect(settings)
    url = discover(settings).database_url
    find = lacking if dry_run else prepare
    try:
        found = await find(settings, client, url)
    except ValueError as error:
        # A search attribute of another type is nothing that this command may put right.
        raise ConnectionError(str(error)) from error
    document = {
        "changed": not dry_run and not found.nothing,
        "schema": {"was": found.schema, "is": schema.head()} if found.schema else None,
        "key_store": found.key_store,
        "vault": found.vault,
        "roles": found.roles,
        "search_attributes": found.search_attributes,
        "schedules": [each.id for each in found.schedules],
        "nexus_endpoints": found.nexus_endpoints,
        "retention": {"was": found.retention[0], "is": found.retention[1]} if found.retention else None,
    }
    answer(as_json, document, _differences(found, done=not dry_run))
    return Exit.NO if dry_run and not found.nothing else Exit.OK


def _differences(found: Lacking, *, done: bool) -> RenderableType:
    if found.nothing:
        return Text("all is as it should be", style="green")
    table = Table("what", "was", "is now" if done else "should be")
    if found.schema:
        table.add_row("database schema", found.schema, schema.head())
    if found.key_store:
        table.add_row("key store", "missing", "ready")
    for form in found.vault:
        table.add_row(f"{form} of the vault", "in an earlier form", "written anew")
    for name in found.roles:
        table.add_row(f"database role {name}", "missing or other rights", "as stated")
    for name in found.search_attributes:
        table.add_row(f"search attribute {name}", "missing", declarations()[name])
    for each in found.schedules:
        table.add_row(f"schedule {each.id}", "missing or different", f"{each.workflow} every {each.every}")
    for name in found.nexus_endpoints:
        table.add_row(f"Nexus endpoint {name}", "missing", "leads to the task queue of the cases")
    if found.retention:
        was, is_now = found.retention
        table.add_row("histories of ended cases are kept for", f"{was.days} days", f"{is_now.days} days")
    return table


async def _up(settings: Settings, as_json: bool) -> int:
    stop = told_to_stop()
    Policies(settings.policies_dir)  # one that is wrong is told before anything is started
    if not as_json:
        notes().print("starting Temporal and PostgreSQL", style="dim")
    keys = key_provider(settings)
    port = ports.choose(["codec"], StateFolder.at(settings.state_dir).ports)["codec"]
    # Before Temporal starts: its Web UI must know where to ask.
    endpoint = ui_endpoint(port) if settings.embeds_temporal else None
    health = Health()
    async with (
        answering(health, settings.health_listen) as probes,
        embedded_stack(settings, search_attributes=declarations(), codec_endpoint=endpoint) as stack,
    ):
        client = await connect(settings, target=stack.temporal_address)
        codec = await development_settings(keys, port=port, ui_address=stack.ui_address)
        async with (
            serving(settings, client, stack, health) as (aftersales, pump),
            codec_server(codec, keys, aftersales.pool, aftersales.vault),
        ):
            carriers = CarrierPump(CarrierStub(aftersales.pool), aftersales.logistics)
            delivering = (
                asyncio.create_task(pump.run(), name="gateway callbacks"),
                asyncio.create_task(carriers.run(), name="events of carriers"),
            )
            try:
                _announce(settings, stack, probes, as_json)
                await stop.wait()
            finally:
                health.drains()
                for each in delivering:
                    each.cancel()
                await asyncio.wait(delivering)
        if not as_json:
            notes().print("stopping", style="dim")
    if as_json:
        json_line({"status": "stopped"})
    return 0


@asynccontextmanager
async def serving(
    settings: Settings, client: Client, stack: Stack, health: Health | None = None
) -> AsyncGenerator[tuple[Aftersales, CallbackPump]]:
    """A prepared stack with a worker in this process, the typed client, and the gateway's callbacks.

    ``health`` answers for the worker from then on.
    """
    url = stack.database_url
    await prepare(settings, client, url)
    async with (
        await open_pool(url, max_size=settings.database_pool_size, application_name="aftersales-cli") as pool,
        opened_vault(settings, url) as vault,
        worker_process.running_worker(settings, client, url) as workers,
    ):
        if health is not None:
            health.runs(workers, what_work_needs(settings, workers, url))
        aftersales = Aftersales(
            client,
            settings.task_queue,
            pool,
            vault,
            Policies(settings.policies_dir),
            settings.reveals_per_hour,
            archived=archived_cases(settings, pool),
        )
        yield aftersales, CallbackPump(PaymentGatewayStub(pool), aftersales)


def _announce(settings: Settings, stack: Stack, probes: str | None, as_json: bool) -> None:
    folder = settings.state_dir.resolve()
    # One that is not ours may hold a password.
    url = stack.database_url if settings.embeds_postgres else "as DATABASE_URL says"
    document = {
        "status": "up",
        "web_ui": stack.ui_address,
        "temporal": stack.temporal_address,
        "database": url,
        "state_dir": folder,
        "task_queue": settings.task_queue,
        "probes": probes,
    }
    if as_json:
        json_line(document)
        return
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    facts.add_row("Web UI", Text(stack.ui_address or "where the Temporal server has it", style="bold cyan"))
    facts.add_row("Temporal", stack.temporal_address)
    facts.add_row("database", url)
    facts.add_row("state folder", str(folder))
    if probes:
        facts.add_row("probes", f"{probes}/readyz")
    answer(False, document, facts, Text("up; Ctrl-C stops everything", style="bold green"))
    sys.stdout.flush()
