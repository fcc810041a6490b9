"""What the tests of virtual numbers need: orders and cases with a recipient, a provider that obeys, a worker."""

import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from pydantic import SecretStr
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper
from temporalio.worker import Replayer, Worker

from activities.gateways.numbers_stub import Behaviour, Mode, NumbersStub
from activities.postgres import loading
from activities.postgres.vault import Vault
from activities.virtual_numbers import VirtualNumbers as Activities
from starter.virtual_numbers import RefusedNumber, VirtualNumbers, case, order
from starter.worker.operators_page import OperatorsPage
from starter.worker.runner import runner_for
from tests.storage.money import open_case, some_id
from workflows.messages.actors import Actor, merchant, officer
from workflows.messages.addresses import Region
from workflows.messages.persons import Recipient, buyer_person
from workflows.messages.virtual_numbers import (
    NumberStart,
    NumberSubject,
    NumberView,
    ObtainNumber,
    OrderCompleted,
    ReleaseNumber,
    VirtualNumber,
)
from workflows.rules.worker_roles import WorkerRole, queue_of
from workflows.virtual_number import VirtualNumberEntity

HASH_KEY = b"a key of the provider's own"
OFFICER = officer("f-1")
RUNNER = runner_for(sandboxed=False, versioned=False)


@asynccontextmanager
async def keeping_numbers(
    client: Client, pool: asyncpg.Pool, vault: Vault, task_queue: str, *, cached: int = 1000
) -> AsyncGenerator[Worker]:
    """A worker for numbers alone, with so many of them in its cache."""
    activities = Activities(pool, vault, NumbersStub(pool, HASH_KEY), timeout=2)
    worker = Worker(
        client,
        task_queue=task_queue,
        workflows=[VirtualNumberEntity],
        activities=[activities.find_number_subject, activities.keep_number_facts],
        workflow_runner=RUNNER,
        max_cached_workflows=cached,
        interceptors=[OperatorsPage()],
    )
    outside = Worker(
        client,
        task_queue=queue_of(WorkerRole.NOTIFICATIONS, task_queue),
        activities=[activities.bind_number, activities.extend_number, activities.unbind_number],
    )
    async with outside, worker:
        yield worker


@dataclass
class NumberDesk:
    """One merchant and its buyer, unknown to every other test."""

    skipper: TimeSkipper
    pool: asyncpg.Pool
    vault: Vault
    task_queue: str
    merchant: str = field(default_factory=lambda: some_id("m"))
    buyer: str = field(default_factory=lambda: some_id("b"))
    phone: SecretStr = field(default_factory=lambda: SecretStr(f"139{secrets.randbelow(10**8):08}"))
    asked: list[NumberSubject] = field(default_factory=list[NumberSubject])

    @property
    def numbers(self) -> VirtualNumbers:
        return VirtualNumbers(self.skipper.client, self.task_queue)

    @property
    def provider(self) -> NumbersStub:
        return NumbersStub(self.pool, HASH_KEY)

    def handle(self, subject: NumberSubject) -> WorkflowHandle[Any, NumberView]:
        return self.skipper.client.get_workflow_handle(subject.workflow_id, result_type=NumberView)

    async def order(
        self, order_no: str | None = None, *, recipient: bool = True, marketplace: str = "douyin"
    ) -> NumberSubject:
        """An order in the directory, and its recipient in the vault."""
        order_no = order_no or some_id("o")
        record = {
            "order_no": order_no,
            "marketplace": marketplace,
            "merchant_id": self.merchant,
            "buyer_id": self.buyer,
            "currency": "CNY",
            "lines": [{"line": "1", "sku": "sku-1", "quantity": 1, "paid": 100}],
            "tenders": [{"tender": "t1", "kind": "wallet", "paid": 100}],
            "paid_at": "2026-01-01T00:00:00Z",
        }
        async with self.pool.acquire() as connection:
            report = await loading.load_orders(connection, [json.dumps(record)], self.vault)
        assert not report.problems
        if recipient:
            await self.keep_recipient(order_no)
        return order(order_no)

    async def case(self) -> NumberSubject:
        """A case in the case book, about an order whose recipient is known."""
        opened = await open_case(self.pool)
        self.merchant = opened.merchant_id
        await self.keep_recipient(opened.fund.removeprefix("order/"))
        return case(opened.case_id)

    async def keep_recipient(self, order_no: str, phone: SecretStr | None = None) -> None:
        recipient = Recipient(
            name=SecretStr("欧阳小明"),
            phone=phone or self.phone,
            region=Region(province="广东省", city="广州市", district="天河区"),
            street=SecretStr("体育西路 1 号"),
        )
        async with self.pool.acquire() as connection:
            await self.vault.keep_recipient(
                connection, order_no, self.merchant, self.buyer, recipient, datetime.now(UTC)
            )

    async def forget(self) -> None:
        """Destroy the buyer's key, as an erasure does."""
        await self.vault.keys.destroy(buyer_person(self.buyer))

    async def obtain(self, subject: NumberSubject, *, key: str | None = None, by: Actor | None = None) -> NumberView:
        self.asked.append(subject)
        request = ObtainNumber(key=key or some_id("k"), by=by or merchant(self.merchant), subject=subject)
        return await self.numbers.obtain(request)

    async def number(self, subject: NumberSubject, *, key: str | None = None) -> VirtualNumber:
        """The number that is obtained."""
        view = await self.obtain(subject, key=key)
        assert view.number
        return view.number

    async def refused(self, subject: NumberSubject, **changes: Any) -> str:
        """The code with which obtaining is refused."""
        try:
            view = await self.obtain(subject, **changes)
        except RefusedNumber as error:
            return error.refusal.code
        raise AssertionError(f"not refused: {view}")

    async def completed(
        self, subject: NumberSubject, at: datetime | None = None, *, unclaimed: bool = False
    ) -> NumberView:
        """The order completes, at the workflow's own time unless said."""
        self.asked.append(subject)
        fact = OrderCompleted(
            key=some_id("k"),
            by=OFFICER,
            subject=subject,
            completed_at=at or await self.now(subject),
            closed_unclaimed=unclaimed,
        )
        return await self.numbers.order_completed(fact)

    async def release(self, subject: NumberSubject) -> NumberView:
        self.asked.append(subject)
        return await self.numbers.release(
            ReleaseNumber(key=some_id("k"), by=OFFICER, subject=subject, reason="person_forgotten")
        )

    async def view(self, subject: NumberSubject) -> NumberView:
        view = await self.numbers.view(subject)
        assert view
        return view

    async def now(self, subject: NumberSubject) -> datetime:
        """The workflow's own time."""
        return await self.skipper.get_current_time(self.handle(subject))

    async def forward(self, subject: NumberSubject, **duration: float) -> None:
        """Move the clock of one number; one whose workflow has ended meanwhile has none any more."""
        try:
            await self.skipper.fast_forward(self.handle(subject), timedelta(**duration))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def behave(self, subject: NumberSubject, mode: Mode, **parameters: Any) -> None:
        """Tell the provider how to treat one subject."""
        await self.provider.set_behaviour(Behaviour(mode=mode, subject=subject.name, **parameters))

    async def well_again(self, subject: NumberSubject) -> None:
        await self.provider.clear_behaviours(subject.name)

    async def leads_here(self, number: VirtualNumber) -> bool:
        """Whether whoever calls the number reaches the recipient."""
        return await self.provider.leads_to(number, self.phone)

    async def bound_by_provider(self, subject: NumberSubject) -> list[VirtualNumber]:
        """The numbers that the provider's own book has for a subject at present."""
        rows = await self.pool.fetch(
            """
            SELECT number, extension FROM numbers.bindings
            WHERE subject = $1 AND number IS NOT NULL AND unbound_at IS NULL
            """,
            subject.name,
        )
        return [VirtualNumber(number=row["number"], extension=row["extension"]) for row in rows]

    async def ever_bound_by_provider(self, subject: NumberSubject) -> int:
        return await self.pool.fetchval(
            "SELECT count(*) FROM numbers.bindings WHERE subject = $1 AND number IS NOT NULL", subject.name
        )

    async def start(self, subject: NumberSubject, *, events_per_run: int) -> None:
        """Begin a subject whose runs are short."""
        self.asked.append(subject)
        await self.skipper.client.start_workflow(
            "VirtualNumber",
            NumberStart(subject=subject, events_per_run=events_per_run),
            id=subject.workflow_id,
            task_queue=self.task_queue,
        )

    async def histories(self, subject: NumberSubject) -> list[WorkflowHistory]:
        """The histories of all runs since the subject's workflow began last, the newest first."""
        found: list[WorkflowHistory] = []
        run_id: str | None = None
        while True:
            handle = self.skipper.client.get_workflow_handle(subject.workflow_id, run_id=run_id)
            history = await handle.fetch_history()
            found.append(history)
            run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
            if not run_id:
                return found

    async def replay_everything(self) -> None:
        """Today's code goes the way of every history that the test has made, none of which has failed a task."""
        replayer = Replayer(
            workflows=[VirtualNumberEntity],
            workflow_runner=RUNNER,
            data_converter=self.skipper.client.data_converter,
        )
        for subject in {each.name: each for each in self.asked}.values():
            for history in await self.histories(subject):
                assert not [event for event in history.events if failed_task(event)]
                if any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in history.events):
                    await replayer.replay_workflow(history)  # else it has gone no way yet, and a replay never ends


def failed_task(event: HistoryEvent) -> bool:
    """Whether a workflow task has failed, but for what came while it was ending its run."""
    if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
        return False
    unhandled = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    return event.workflow_task_failed_event_attributes.cause != unhandled
