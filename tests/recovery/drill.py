"""Temporal is lost with thousands of open cases; they are raised on another server, while the old one wakes up again.

The books stay: that is all that ``aftersales recover`` needs. The old server is frozen (SIGSTOP) with payouts on their
way and its workers gone; the gateway's callbacks come while nobody carries the cases; the recovery is broken off twice,
by Ctrl-C and by kill -9. Later the old server wakes up with a worker by mistake.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from pathlib import Path
from typing import Any, Final

import asyncpg
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.gateways.payment_stub import PaymentGatewayStub
from activities.policies import Policies
from activities.postgres import schema
from activities.postgres.books import side_by_side
from activities.postgres.pool import open_pool
from activities.privacy.keys import new_key, unique_id
from starter.client import Aftersales, Case
from starter.connection import connect
from starter.errors import AftersalesError, RefusedCommand, Unreachable
from starter.settings import PREFIX, Settings
from starter.stack import Stack, embedded_stack
from starter.vault import opened_vault, prepare_key_store
from tests.recovery.endings import driven
from tests.recovery.overpaid import paid_beyond
from tests.recovery.plans import BEING_SENT, PLANS, Plan, announced
from tests.workflow.world import World, until
from worker import running_worker
from workflows.messages.commands import GatewayResult
from workflows.messages.search_attributes import declarations

ROOT: Final = Path(__file__).parents[2]
_OPENED_AT_ONCE: Final = 8
_DRIVEN_AT_ONCE: Final = 12
_LATER: Final = timedelta(days=400)


@dataclass(frozen=True)
class Scale:
    """How much of it."""

    cases: int = 2000
    being_sent: int = 40
    announced: int = 20
    rate: float = 200.0
    """Cases a second that are raised at most."""
    woken: int = 20
    """Cases whose clocks are moved on the old server, once it has woken up."""
    close_look: int = 5
    """Of so many cases one is looked at a minute before its deadline."""


@dataclass
class Life:
    """One case, and what it was like before Temporal was lost."""

    plan: Plan
    world: World
    case: Case
    due: datetime | None = None
    stage: str = ""


@dataclass
class Report:
    """What was done, and all that is not as it must be."""

    opened: int = 0
    open_rows: int = 0
    by_kind: dict[str, int] = field(default_factory=dict[str, int])
    by_leg: dict[str, int] = field(default_factory=dict[str, int])
    """Legs of payouts on their way when Temporal was lost, by state."""
    callbacks: dict[str, int] = field(default_factory=dict[str, int])
    """What the gateway was answered that called back while nobody carried the cases."""
    runs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Each run of ``aftersales recover``: how it ended, how many it raised, how many a second."""
    fenced: int = 0
    woken: int = 0
    ended: dict[str, int] = field(default_factory=dict[str, int])
    paid: dict[str, int] = field(default_factory=dict[str, int])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    differences: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Side:
    """One Temporal server, and the client that reaches it."""

    stack: Stack
    settings: Settings
    skipper: TimeSkipper
    aftersales: Aftersales


async def drill(folder: Path, scale: Scale, say: Callable[[str], None]) -> Report:
    """The whole of it, on servers of its own in ``folder``."""
    report = Report()
    ring = folder / "keys"
    ring.write_text(new_key(unique_id("drill")) + "\n", encoding="utf-8")
    usual = {"key_file": ring, "task_queue": "recovery", "workflow_sandbox": False}
    old = Settings.model_validate({**usual, "state_dir": folder / "old"})
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(embedded_stack(old, search_attributes=declarations(), headless=True))
        url = first.database_url
        await schema.upgrade(url)
        await prepare_key_store(old, url)
        pool = await stack.enter_async_context(await open_pool(url, max_size=20, application_name="drill"))
        before = await stack.enter_async_context(_side(old, first, pool))
        clock = _Clock(report, say)
        with clock.takes("open"):
            lives, waiting, given_up = await _opened(before, pool, scale)
        report.opened = len(lives)
        with clock.takes("lose"):
            pid = _lost(before)
        try:
            await _look(pool, lives, report)
            fresh = Settings.model_validate({**usual, "state_dir": folder / "new", "database_url": url})
            second = await stack.enter_async_context(
                embedded_stack(fresh, search_attributes=declarations(), headless=True)
            )
            after = await stack.enter_async_context(_side(fresh, second, pool))
            await _call_back(after, pool, report)
            async with running_worker(fresh, after.skipper.client, url):
                with clock.takes("recover"):
                    await _recover(after, url, report, scale, say)
                await _compare(after, pool, lives, waiting, report)
                os.kill(pid, signal.SIGCONT)
                with clock.takes("wake the old one"):
                    await _woken(before, lives, report, scale)
                os.kill(pid, signal.SIGSTOP)
                with clock.takes("end"):
                    await _end(after, pool, lives, report, scale)
                await _call_back(after, pool, report)
            with clock.takes("compare the books"):
                await _books(pool, given_up, report)
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)  # or it could not be stopped
    return report


class _Clock:
    """How long each part takes."""

    def __init__(self, report: Report, say: Callable[[str], None]) -> None:
        self._report, self._say = report, say

    def takes(self, what: str) -> "_Part":
        self._say(f"{datetime.now(UTC):%H:%M:%S} {what}")
        return _Part(self._report, what)


class _Part:
    def __init__(self, report: Report, what: str) -> None:
        self._report, self._what, self._began = report, what, time.monotonic()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._report.seconds[self._what] = round(time.monotonic() - self._began, 1)


@asynccontextmanager
async def _side(settings: Settings, stack: Stack, pool: asyncpg.Pool) -> AsyncGenerator[Side]:
    client = await connect(settings, target=stack.temporal_address)
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    async with opened_vault(settings, stack.database_url) as vault:
        aftersales = Aftersales(skipper.client, settings.task_queue, pool, vault, Policies(settings.policies_dir))
        yield Side(stack, settings, skipper, aftersales)


def _world(side: Side, pool: asyncpg.Pool) -> World:
    return World(side.aftersales, side.skipper, pool, task_queue=side.settings.task_queue)


# Before ---------------------------------------------------------------------------------------------------


async def _opened(side: Side, pool: asyncpg.Pool, scale: Scale) -> tuple[list[Life], list[str], list[str]]:
    """So many cases of all kinds, each where its plan says; the ids of what has no case yet; merchants to pass over."""
    lives: list[Life] = []
    given_up: list[str] = []
    left = count()
    mix = cycle([plan for plan in PLANS for _ in range(plan.weight)])
    # Settled to end within a second: what is on its way to the gateway then is cut off.
    settings = side.settings.model_copy(update={"graceful_shutdown_seconds": 1})
    async with running_worker(settings, side.skipper.client, side.stack.database_url):

        async def open_some() -> None:
            while next(left) < scale.cases - scale.being_sent:
                plan, world = next(mix), _world(side, pool)
                try:
                    case = await plan.begin(world)
                    if plan.stages:
                        await until(case.view, lambda view, plan=plan: view.stage in plan.stages, seconds=120)
                except (Unreachable, AssertionError):  # a machine that has too much to do
                    given_up.append(world.merchant)
                else:
                    lives.append(Life(plan, world, case))

        await asyncio.gather(*(open_some() for _ in range(_OPENED_AT_ONCE)))
        waiting = [case.id for _ in range(scale.announced) for case in await announced(_world(side, pool))]
        worlds = [_world(side, pool) for _ in range(scale.being_sent)]
        sent = await asyncio.gather(*(BEING_SENT.begin(world) for world in worlds))
        lives += [Life(BEING_SENT, world, case) for world, case in zip(worlds, sent, strict=True)]
        query = "SELECT count(*) FROM ledger.legs WHERE state = 'submitted'"
        await until(lambda: pool.fetchval(query), lambda submitted: submitted > 0)
    return lives, waiting, given_up


def _lost(side: Side) -> int:
    """Freeze the server: nobody reaches it any more, and nothing in it moves. Its process id."""
    pid = side.stack.temporal_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    return pid


async def _look(pool: asyncpg.Pool, lives: Sequence[Life], report: Report) -> None:
    """How all stands in the books, now that nothing moves."""
    rows = await pool.fetch("SELECT case_id, kind, stage, due_at FROM casebook.cases WHERE closed_at IS NULL")
    found = {row["case_id"]: row for row in rows}
    report.open_rows = len(rows)
    report.by_kind = dict(Counter(row["kind"] for row in rows))
    legs = await pool.fetch("SELECT state, count(*) AS number FROM ledger.legs GROUP BY state")
    report.by_leg = {row["state"]: row["number"] for row in legs if row["state"] != "succeeded"}
    for life in lives:
        if row := found.get(life.case.id):
            life.due, life.stage = row["due_at"], row["stage"]


async def _call_back(side: Side, pool: asyncpg.Pool, report: Report) -> None:
    """The gateway tells what it has paid, of every refund that is due by now and in a day."""
    gateway, at = PaymentGatewayStub(pool), datetime.now(UTC) + timedelta(days=1)
    answers = Counter[str]()
    for due in await gateway.due_callbacks(at, limit=10_000):
        try:
            await side.aftersales.gateway_callback(due.callback)
        except RefusedCommand as refused:
            answers[f"refused: {refused.refusal.code}"] += 1
        except AftersalesError as error:
            answers[type(error).__name__] += 1
        else:
            answers["taken"] += 1
            await gateway.mark_delivered(due.id, at)
    report.callbacks |= {what: report.callbacks.get(what, 0) + number for what, number in answers.items()}


# Raising them ---------------------------------------------------------------------------------------------


async def _recover(side: Side, url: str, report: Report, scale: Scale, say: Callable[[str], None]) -> None:
    """``aftersales recover``, broken off twice; the third time it is let to its end."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "TEMPORAL_"))},
        f"{PREFIX}STATE_DIR": str(side.settings.state_dir),
        f"{PREFIX}KEY_FILE": str(side.settings.key_file),
        f"{PREFIX}TASK_QUEUE": side.settings.task_queue,
        "TEMPORAL_ADDRESS": side.stack.temporal_address,
        "DATABASE_URL": url,
        "PYTHONPATH": str(ROOT),
    }

    async def run(*words: str, until_raised: int | None = None, by: signal.Signals = signal.SIGINT) -> dict[str, Any]:
        log = side.settings.state_dir / f"raised-{secrets.token_hex(4)}.jsonl"
        program = (sys.executable, "-m", "starter.commands", "recover", "--announce", *words, "--json")
        process = await asyncio.create_subprocess_exec(
            *program, "--report", str(log), env=environment, stdout=asyncio.subprocess.PIPE
        )
        if until_raised is not None:

            async def raised() -> int:
                assert process.returncode is None, "it had ended before it was to be broken off"
                return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0

            await until(raised, lambda number: number >= until_raised, seconds=120)
            process.send_signal(by)
        out, _ = await process.communicate()
        number = len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0
        document: dict[str, Any] = json.loads(out) if out.strip() else {}
        ending = "let to its end" if until_raised is None else by.name
        told = {"ended": ending, "code": process.returncode, "raised": number, "document": document}
        say(f"  recover {' '.join(words)}: {ending}, {number} raised, {document.get('per_second', '?')} a second")
        return told

    dry = await run()
    report.runs.append({"dry run": len(dry["document"]["found"]), "by_reason": dry["document"]["by_reason"]})
    quarter = max(len(dry["document"]["found"]) // 4, 1)
    # So slowly that a quarter is noticed before all is done, however busy the machine.
    slowly = str(min(scale.rate, max(quarter // 5, 1)))
    for told in (
        await run("--start", "--rate", slowly, until_raised=quarter, by=signal.SIGINT),
        await run("--start", "--rate", slowly, until_raised=quarter, by=signal.SIGKILL),
        await run("--start", "--rate", str(scale.rate)),
    ):
        document = told.pop("document")
        report.runs.append(
            {
                **told,
                "per_second": document.get("per_second"),
                "left": document.get("left", []),
                "broken_off": document.get("broken_off"),
            }
        )
    left = await run()
    report.runs.append({"dry run": len(left["document"]["found"])})
    for found in left["document"]["found"]:
        report.differences.append(f"{found['case_id']}: {found['why']} after the recovery")


async def _compare(
    side: Side, pool: asyncpg.Pool, lives: Sequence[Life], waiting: Sequence[str], report: Report
) -> None:
    """Each case that rests stands where it stood, until the moment until which it did; what is to come will."""
    rows = await pool.fetch("SELECT case_id, stage, due_at FROM casebook.cases")
    found = {row["case_id"]: row for row in rows}
    for life in lives:
        row = found[life.case.id]
        if not life.stage:
            continue  # it had ended before
        same = row["stage"] == life.stage
        if same and life.plan is not BEING_SENT and row["due_at"] != life.due:
            report.differences.append(f"{life.case.id}: due {row['due_at']}, and before {life.due}")
        paying = {"settling", "payment_attention", "paying", "closed"}
        if not same and not {life.stage, row["stage"]} <= paying:
            report.differences.append(f"{life.case.id}: in {row['stage']}, and before in {life.stage}")
    for case_id in waiting:
        status = await side.aftersales.runs.status(case_id)
        if status != Status.WORKFLOW_EXECUTION_STATUS_RUNNING or case_id in found:
            report.differences.append(f"{case_id}: is not waited for any more")


async def _woken(side: Side, lives: Sequence[Life], report: Report, scale: Scale) -> None:
    """The old server wakes up, its worker with it, and there it becomes late in some cases."""
    woken = [life for life in lives if life.stage in {"merchant_review", "shipped_review", "retention"}][: scale.woken]
    settings = side.settings.model_copy(update={"graceful_shutdown_seconds": 1})
    async with running_worker(settings, side.skipper.client, side.stack.database_url):

        async def passes(life: Life) -> bool:
            handle = side.skipper.client.get_workflow_handle(life.case.id)
            with suppress(RPCError):
                await side.skipper.fast_forward(handle, timedelta(hours=49))
            described = await until(handle.describe, lambda found: found.close_time is not None)
            return described.status is not None and described.status.name == "FAILED"

        fenced = await asyncio.gather(*(passes(life) for life in woken))
    report.woken, report.fenced = len(woken), sum(fenced)
    if not all(fenced) or not fenced:
        report.differences.append(f"{len(woken) - sum(fenced)} runs of the old server were not fenced off")


# After ----------------------------------------------------------------------------------------------------


async def _end(side: Side, pool: asyncpg.Pool, lives: Sequence[Life], report: Report, scale: Scale) -> None:
    """Each case to its end, as its rules say, by clock or by whoever is waited for."""
    ended = Counter[str]()
    todo = list(enumerate(lives))

    async def some() -> None:
        while todo:
            number, life = todo.pop()
            world = World(side.aftersales, side.skipper, pool, merchant=life.world.merchant, buyer=life.world.buyer)
            case = side.aftersales.case(life.case.id)
            try:
                await driven(world, case, report.differences, closely=number % scale.close_look == 0)
                outcome = await case.outcome()
            except (AssertionError, AftersalesError, RPCError) as error:
                report.differences.append(f"{case.id} ({life.plan.name}): {type(error).__name__}: {error}")
                continue
            ended[f"{life.plan.name}: {outcome.outcome}"] += 1
            if outcome.outcome not in life.plan.ends:
                report.differences.append(f"{case.id} ({life.plan.name}): ended as {outcome.outcome}")

    await asyncio.gather(*(some() for _ in range(_DRIVEN_AT_ONCE)))
    report.ended = dict(sorted(ended.items()))


async def _books(pool: asyncpg.Pool, given_up: Sequence[str], report: Report) -> None:
    """Both books agree; by the gateway's, nothing is paid twice, and each case has paid what it says."""
    books = await side_by_side(pool, PaymentGatewayStub(pool), datetime.now(UTC) + _LATER)
    report.differences += [f"{line.refund_no}: the books differ" for line in books.lines if not line.equal]
    paid: dict[str, int] = Counter()
    for line in books.lines:
        if line.case_id and line.their_result is GatewayResult.SUCCEEDED:
            paid[line.case_id] += line.theirs or 0
    query = "SELECT case_id, refunded, compensated, closed_at FROM casebook.cases WHERE merchant_id <> ALL ($1)"
    rows = await pool.fetch(query, list(given_up))
    for row in rows:
        says = row["refunded"] + row["compensated"]
        if row["closed_at"] is None:
            report.differences.append(f"{row['case_id']}: is still open")
        elif says != paid.get(row["case_id"], 0):
            report.differences.append(f"{row['case_id']}: says {says}, the gateway paid {paid.get(row['case_id'], 0)}")
    report.differences += await paid_beyond(pool)
    alerts = await pool.fetch("SELECT kind, case_id FROM ledger.alerts")
    report.differences += [f"{row['case_id']}: alert {row['kind']}" for row in alerts]
    report.paid = {"refunds": len(books.lines), "gateway": sum(paid.values())}
