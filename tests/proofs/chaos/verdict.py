"""What must be true afterwards, looked up in every book."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres.books import side_by_side
from tests.proofs.chaos.ground import Ground
from tests.proofs.chaos.people import Life
from tests.recovery.overpaid import paid_beyond
from workflows.messages.commands import GatewayResult
from workflows.rules.allocation import refund_number

_LATER: Final = timedelta(days=1000)
_RUNS: Final = "its workflow runs"
_PROMISES: Final = ("expiry/", "late-shipment/")
"""What waits for its day, and is a case from then on (A6, L1)."""


async def money(ground: Ground, *, restored: bool) -> tuple[list[str], dict[str, int]]:
    """Both books agree to the minor unit, no number and no case is paid twice, and nothing beyond what was paid in.

    Where the case book was ``restored``, it may have forgotten a refund of a case that was decided otherwise the second
    time: ``aftersales books`` tells it to a person, and it is counted.
    """
    pool, wrong = ground.pool, list[str]()
    books = await side_by_side(pool, PaymentGatewayStub(pool), datetime.now(UTC) + _LATER)
    funds = {row["refund_no"]: row["fund"] for row in await pool.fetch("SELECT refund_no, fund FROM gateway.refunds")}
    told = (await ground.command("books", "--json"))[1]
    left = 0
    for line in books.lines:
        if restored and line.ours is None and line.refund_no in told:
            left += 1
        elif not line.equal:
            wrong.append(f"{line.refund_no} of {funds.get(line.refund_no)}: the books differ: {line}")
    paid: Counter[str] = Counter()
    for line in books.lines:
        if line.case_id and line.their_result is GatewayResult.SUCCEEDED:
            paid[line.case_id] += line.theirs or 0
    rows = await pool.fetch("SELECT case_id, refunded, compensated FROM casebook.cases")
    by_hand = await pool.fetch(
        """
        SELECT case_id, sum(amount)::bigint AS amount FROM ledger.legs
        WHERE state IN ('succeeded', 'manual') AND paid_by <> 'gateway' GROUP BY case_id
        """
    )
    others = {row["case_id"]: row["amount"] for row in by_hand}
    for row in rows:
        says, found = row["refunded"] + row["compensated"], paid[row["case_id"]] + others.get(row["case_id"], 0)
        if says != found:
            wrong.append(f"{row['case_id']}: says {says}, paid {found}")
    unknown = set(paid) - {row["case_id"] for row in rows}
    wrong += [f"{case}: the gateway has paid {paid[case]}, and there is no such case" for case in sorted(unknown)]
    wrong += await paid_beyond(pool)
    return wrong, {
        "refunds": len(books.lines),
        "paid by the gateway": sum(paid.values()),
        "forgotten by a restored book, and told by `aftersales books`": left,
    }


async def logs(ground: Ground) -> list[str]:
    """Each log is whole, in order, and ends with the case; each command stands in it once."""
    rows = await ground.pool.fetch(
        """
        SELECT case_id, log_length, closed_at, array_agg(position ORDER BY position) AS positions,
               array_agg(command_key) FILTER (WHERE command_key IS NOT NULL) AS keys
        FROM casebook.cases JOIN casebook.log USING (case_id) GROUP BY case_id
        """
    )
    wrong = [
        f"{row['case_id']}: its log has the positions {row['positions']} of 1 to {row['log_length']}"
        for row in rows
        if row["positions"] != [*range(1, row["log_length"] + 1)]
    ]
    bare = await ground.pool.fetchval(
        """
        SELECT count(*) FROM casebook.cases
        WHERE NOT EXISTS (SELECT FROM casebook.log WHERE log.case_id = cases.case_id)
        """
    )
    return [*wrong, *([f"{bare} cases have no log"] if bare else [])]


async def workflows(ground: Ground, cases: Iterable[str]) -> list[str]:
    """No case that has ended is carried by a workflow, or lies there as a failed one without reason."""
    runs = ground.direct.runs
    return [
        f"{case}: has ended, and its workflow runs"
        for case in cases
        if await runs.status(case) == Status.WORKFLOW_EXECUTION_STATUS_RUNNING
    ]


async def strangers(ground: Ground) -> list[str]:
    """Workflows of cases that the book does not have, unless they were refused, and nothing was paid for them."""
    rows = await ground.pool.fetch("SELECT case_id FROM casebook.cases")
    known = {row["case_id"] for row in rows}
    listed = [each.id async for each in ground.direct.temporal.list_workflows("CaseStage IS NOT NULL")]
    told = {each: await _in_temporal(ground, each) for each in sorted({*listed} - known)}
    paid = {row["refund_no"] for row in await ground.pool.fetch("SELECT refund_no FROM gateway.refunds")}
    return [
        f"{case}: not in the book; {there}"
        for case, there in told.items()
        if ("'outcome': 'refused'" not in there or refund_number(case, 1, 1) in paid)
        and not (there == _RUNS and case.startswith(_PROMISES))
    ]


async def plans(ground: Ground, lives: Iterable[Life]) -> list[str]:
    """Where nobody but those of its plan has acted, a case has ended as planned."""
    rows = await ground.pool.fetch("SELECT case_id, outcome FROM casebook.cases")
    ends = {row["case_id"]: row["outcome"] for row in rows}
    wrong: list[str] = []
    for life in lives:
        if life.case and life.case.id not in ends:
            wrong.append(
                f"{life.case.id} ({life.plan.name}): not in the book; {await _in_temporal(ground, life.case.id)}"
            )
        elif life.as_planned and life.case and not life.given_up and ends[life.case.id] not in life.plan.ends:
            wrong.append(f"{life.case.id} ({life.plan.name}): ended as {ends[life.case.id]}")
    return wrong


async def _in_temporal(ground: Ground, case: str) -> str:
    """How its last run stands."""
    handle = ground.direct.temporal.get_workflow_handle(case)
    try:
        described = await handle.describe()
        if described.close_time is None:
            return _RUNS
        return f"its workflow has ended: {await handle.result()}"
    except (RPCError, WorkflowFailureError) as error:
        return f"{type(error).__name__}: {error} {error.__cause__}"


async def told(ground: Ground) -> tuple[list[str], dict[str, int]]:
    """No notice is left unsent; how many times one was tried again, and said again in the same words."""
    unsent = await ground.pool.fetchval("SELECT count(*) FROM notices.outbox WHERE sent_at IS NULL")
    sent = await ground.pool.fetchval("SELECT count(*) FROM channels.sent")
    again = await ground.pool.fetchval("SELECT count(*) FROM notices.outbox WHERE attempts > 1")
    twice = await ground.pool.fetchval(
        """
        SELECT coalesce(sum(times - 1), 0)::bigint FROM (
            SELECT count(*) AS times FROM channels.sent
            GROUP BY channel, recipient_role, recipient_id, template, text
        ) AS same
        """
    )
    wrong = [f"{unsent} notices were not sent"] if unsent else []
    return wrong, {"sent": sent, "tried again": again, "the same words again": twice}


async def whole(ground: Ground) -> list[str]:
    """What ``aftersales doctor --deep`` and ``aftersales stuck`` say."""
    wrong: list[str] = []
    code, out = await ground.command("doctor", "--deep", "--json")
    found: dict[str, Any] = json.loads(out)
    wrong += [f"doctor --deep: {each}" for each in found["checks"] if not each["ok"]] if code else []
    code, out = await ground.command("stuck", "--json")
    wrong += [f"stuck: {out.strip()}"] if code else []
    return wrong
