"""DBOS as one side: the same case with our own activities as its steps, on the PostgreSQL of another side.

It runs in an environment of its own, which has DBOS and what the product needs: ``python -m … URL STATE_DIR PID``. One
process is its worker and its client, as DBOS has it. What it does not do: search attributes and details for operators,
encryption of what is kept, updates that are refused by who may not send them.
"""

# DBOS is not among the project's packages.
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedFunctionDecorator=false

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
import psutil
from dbos import DBOS, DBOSConfig, SetWorkflowID

from activities.casebook import CaseBook
from activities.gateways.bank_accounts import TransfersToAccounts
from activities.opening import Opening
from activities.payments import Payments
from activities.policies import Policies
from activities.postgres.loading import load_orders
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault, VaultAccounts
from starter.adapters import Adapters
from starter.interpreter.book import MemoryBook
from starter.interpreter.example import approved_refund, refund_of
from starter.interpreter.payments import MemoryPayments
from starter.settings import Settings
from starter.vault import opened_vault
from tests.benchmarks.paired.side import serve
from workflows.messages.cases import CaseKey, Step
from workflows.messages.openings import OpenCase
from workflows.messages.settlements import Settle

_APPROVAL: Final = "approval"
_ORDER: Final = "O-1"


class _Doing:
    """What the steps are carried out by: of each event loop its own, for DBOS goes on with cases on a loop of its."""

    settings: Settings
    url: str
    _by_loop: ClassVar[dict[asyncio.AbstractEventLoop, "asyncio.Future[_Doing]"]] = {}

    def __init__(self, pool: asyncpg.Pool, vault: Vault, adapters: Adapters) -> None:
        policies = Policies()
        self.pool = pool
        self.vault = vault
        self.opening = Opening(pool, policies, lambda: None, limits=adapters.payments.limits)
        self.casebook = CaseBook(pool, policies, lambda: None)
        gateway = TransfersToAccounts(adapters.payments, VaultAccounts(pool, vault))
        self.payments = Payments(pool, gateway, lambda: None)

    @classmethod
    async def here(cls) -> "_Doing":
        """Those of the loop that runs."""
        loop = asyncio.get_running_loop()
        if loop not in cls._by_loop:
            cls._by_loop[loop] = loop.create_future()
            stack = AsyncExitStack()
            pool = await open_pool(cls.url, max_size=10)
            outside = await open_pool(cls.url, max_size=5)
            vault = await stack.enter_async_context(opened_vault(cls.settings, cls.url))
            adapters = await Adapters.opened(cls.settings, stack, outside, vault.lookup_key)
            cls._by_loop[loop].set_result(cls(pool, vault, adapters))
            _open_until_the_end.append(stack)
        return await cls._by_loop[loop]


_open_until_the_end: Final[list[AsyncExitStack]] = []


def _templates() -> tuple[str, str]:
    """The step and the payout that a case of ours comes to, as JSON, of the order ``O-1``."""
    steps: list[Step] = []
    payouts: list[Settle] = []
    write, settle = MemoryBook.write_step, MemoryPayments.settle

    def written(book: MemoryBook, step: Step) -> Any:
        steps.append(step)
        return write(book, step)

    def settled(payments: MemoryPayments, settling: Settle) -> Any:
        payouts.append(settling)
        return settle(payments, settling)

    with patch.object(MemoryBook, "write_step", written), patch.object(MemoryPayments, "settle", settled):
        approved_refund(datetime.now(UTC))
    return steps[0].model_dump_json(), payouts[0].model_dump_json()


_STEP, _PAYOUT = _templates()


def _of(template: str, case: CaseKey, order_no: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(template.replace(_ORDER, order_no))
    for part in (value, value.get("closing", {})):
        if "case" in part:
            part["case"]["run_id"] = case.run_id
    return value


@DBOS.step()
async def opened(order_no: str, case: dict[str, str]) -> dict[str, Any]:
    """Our opening."""
    request = refund_of(order_no)
    found = await (await _Doing.here()).opening.open_case(
        OpenCase(case=CaseKey.model_validate(case), at=datetime.now(UTC), request=request)
    )
    if found.refusal:
        raise ValueError(found.refusal.code)
    return found.model_dump(mode="json")


@DBOS.step()
async def recorded(order_no: str, case: dict[str, str]) -> dict[str, Any]:
    """Our step, with its reservation."""
    step = Step.model_validate(_of(_STEP, CaseKey.model_validate(case), order_no) | {"at": datetime.now(UTC)})
    return (await (await _Doing.here()).casebook.record_step(step)).model_dump(mode="json")


@DBOS.step()
async def paid(order_no: str, case: dict[str, str]) -> dict[str, Any]:
    """Our payout, with the closing step."""
    settling = Settle.model_validate(_of(_PAYOUT, CaseKey.model_validate(case), order_no) | {"at": datetime.now(UTC)})
    return (await (await _Doing.here()).payments.settle(settling)).model_dump(mode="json")


@DBOS.workflow()
async def refund(order_no: str) -> str:
    """Open, wait for the approval for 48 hours at most, write, pay."""
    case = {"case_id": f"refund/{order_no}/k-{order_no}", "run_id": str(DBOS.workflow_id)}
    await opened(order_no, case)
    await DBOS.recv_async(_APPROVAL, timeout_seconds=timedelta(hours=48).total_seconds())
    await recorded(order_no, case)
    await DBOS.set_event_async(_APPROVAL, True)
    return json.dumps(await paid(order_no, case))


class DbosSide:
    """See ``Side``. A case is its workflow's id."""

    def __init__(self, doing: _Doing, postgres: psutil.Process, command: Sequence[str]) -> None:
        self._vault = doing.vault
        self._pool = doing.pool
        self._postgres = postgres
        self._command = command
        self._handles: dict[str, Any] = {}

    async def prepared(self, count: int) -> Sequence[str]:
        """See Side."""
        numbers = [f"d-{uuid4().hex[:12]}" for _ in range(count)]
        paid_at = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        records = [
            json.dumps(
                {
                    "order_no": number,
                    "marketplace": "douyin",
                    "merchant_id": "M-1",
                    "buyer_id": "B-1",
                    "currency": "CNY",
                    "lines": [{"line": "1", "sku": "boots-42", "quantity": 1, "paid": 10_000}],
                    "freight": 0,
                    "tenders": [{"tender": "t1", "kind": "wallet", "paid": 10_000}],
                    "paid_at": paid_at,
                }
            )
            for number in numbers
        ]
        async with self._pool.acquire() as connection:
            report = await load_orders(connection, records, self._vault)
        if report.problems:
            raise ValueError(report.problems)
        return numbers

    async def open(self, subject: str) -> str:
        """See Side."""
        with SetWorkflowID(subject):
            self._handles[subject] = await DBOS.start_workflow_async(refund, subject)
        return subject

    async def parked(self, cases: Sequence[str]) -> None:
        """See Side."""
        ids = [f"refund/{each}/k-{each}" for each in cases]
        query = "SELECT count(*) FROM casebook.cases WHERE case_id = ANY ($1) AND due_at IS NOT NULL"
        while await self._pool.fetchval(query, ids) < len(ids):
            await asyncio.sleep(0.02)

    async def decide(self, case: str) -> None:
        """See Side: the answer is the event that its workflow sets once the decision is written."""
        await DBOS.send_async(case, True, _APPROVAL)
        if not await DBOS.get_event_async(case, _APPROVAL, timeout_seconds=60):
            raise TimeoutError(case)

    async def ended(self, case: str) -> None:
        """See Side."""
        await self._handles.pop(case).get_result()

    async def decide_after_restart(self, case: str) -> None:
        """See Side: in a process of its own, for this one cannot end."""
        DBOS.destroy()
        process = await asyncio.create_subprocess_exec(*self._command, case, stdout=subprocess.DEVNULL)
        if code := await process.wait():
            raise RuntimeError(f"it ended with {code}")

    def processes(self) -> Mapping[str, psutil.Process]:
        """See Side: worker and client are one."""
        return {"worker": psutil.Process(os.getpid()), "postgres": self._postgres}


def _address(url: str) -> str:
    """The database ``dbos_bench`` beside ours, as SQLAlchemy writes it."""
    parts = urlsplit(url)
    host = parse_qs(parts.query).get("host")
    where = f"/dbos_bench?host={host[0]}" if host else "/dbos_bench"
    return f"postgresql://{parts.netloc}{where}"


async def main(url: str, state_dir: str, pid: str, first: str | None = None) -> None:
    """Serve until there is nothing more to do; with ``first``, only decide that case, which waits."""
    settings = Settings(state_dir=Path(state_dir))
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": _address(url),
        "executor_id": "bench",
        "application_version": "bench",
        "log_level": "ERROR",
    }
    _Doing.settings, _Doing.url = settings, url
    DBOS(config=config)
    DBOS.launch()
    command = (sys.executable, "-m", "tests.benchmarks.paired.dbos_side", url, state_dir, pid)
    side = DbosSide(await _Doing.here(), psutil.Process(int(pid)), command)
    if first:
        await side.decide(first)
    else:
        await serve(side, {})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
    sys.stdout.flush()
    os._exit(0)
