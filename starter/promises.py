"""What is promised and has no case yet, so that no case book tells of it: its workflow waits for its moment.

The end of an allowance's validity (A6), compensation for late shipment (L1), a virtual number's end (P3). Where
Temporal has lost them, they are announced anew from our own books.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.policies import Policies
from activities.postgres import allowances, bindings, orders
from starter.database import reading
from starter.recovery import started
from starter.running import Runs, stopped_by
from workflows.messages import search_attributes as attributes
from workflows.messages.requests import ExpiryRequest, LateShipmentRequest
from workflows.messages.stages import Stopped
from workflows.messages.virtual_numbers import NumberStart, NumberSubject, Scope
from workflows.rules.identity import case_id
from workflows.rules.virtual_numbers import summary

_PAGE: Final = 100
_UNANNOUNCED: Final = timedelta(days=3)
"""An order that ought to have shipped longer ago, and has no case, was never announced, or nothing is owed for it."""


@dataclass(frozen=True)
class Promised:
    """What has no case yet, and no workflow that would open it."""

    workflow_id: str
    why: Stopped
    of: ExpiryRequest | LateShipmentRequest | NumberSubject


async def promised(pool: asyncpg.Pool, policies: Policies, runs: Runs, limit: int) -> AsyncIterator[Promised]:
    """What is promised and nobody keeps, ``limit`` at most.

    Raises:
        Unreachable: the database does not answer.
        RPCError: Temporal does not answer.
    """
    found = 0
    async for of in _all(pool, policies):
        workflow_id = of.workflow_id if isinstance(of, NumberSubject) else case_id(of)
        why = stopped_by(await runs.status(workflow_id))
        if why is None or why is Stopped.PAUSED:
            continue
        yield Promised(workflow_id, why, of)
        found += 1
        if found == limit:
            return


async def _all(
    pool: asyncpg.Pool, policies: Policies
) -> AsyncIterator[ExpiryRequest | LateShipmentRequest | NumberSubject]:
    after = ""
    while True:
        async with reading(pool) as connection:
            valid = await allowances.valid(connection, after, _PAGE)
        for each in valid:
            yield each
        if len(valid) < _PAGE:
            break
        after = valid[-1].allowance_id
    after = ""
    while True:
        async with reading(pool) as connection:
            unshipped = await orders.unshipped(connection, after, _PAGE)
        for each in unshipped:
            policy = policies.get(each.marketplace)
            if policy is None:
                continue
            ships_until = each.paid_at + timedelta(hours=policy.late_shipment.ship_hours)
            if ships_until < datetime.now(UTC) - _UNANNOUNCED:
                continue
            yield LateShipmentRequest(
                order_no=each.order_no, merchant_id=each.merchant_id, buyer_id=each.buyer_id, ships_until=ships_until
            )
        if len(unshipped) < _PAGE:
            break
        after = unshipped[-1].order_no
    async with reading(pool) as connection:
        bound = await bindings.bound_subjects(connection)
    for subject in bound:
        yield subject


async def announce(temporal: Client, task_queue: str, promise: Promised) -> bool:
    """Start its workflow anew, for when it begins; False where it runs by now.

    Raises:
        RPCError: Temporal does not answer.
    """
    match promise.of:
        case ExpiryRequest() as request:
            return await started(temporal, task_queue, request, begins=request.valid_until)
        case LateShipmentRequest() as request:
            return await started(temporal, task_queue, request, begins=request.ships_until)
        case NumberSubject() as subject:
            return await _kept(temporal, task_queue, subject)


async def _kept(temporal: Client, task_queue: str, subject: NumberSubject) -> bool:
    of_order = [] if subject.scope is Scope.CASE else [SearchAttributePair(attributes.ORDER, subject.id)]
    try:
        await temporal.start_workflow(
            "VirtualNumber",
            NumberStart(subject=subject),
            id=subject.workflow_id,
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=TypedSearchAttributes(of_order),
            static_summary=summary(subject),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True
