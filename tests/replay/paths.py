"""Every way a case can go, walked through the public client: recorded, replayed and counted.

Each path is walked by a merchant of its own, and always in the same way, so that its history has the same events
every time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from activities.gateways.payment_stub import Behaviour, Mode
from activities.postgres import allowances
from starter.client import Case
from starter.schedules import wanted
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import buyer, carrier, merchant, officer
from workflows.messages.commands import (
    Amend,
    Approve,
    CloseCase,
    Command,
    ParcelEvent,
    PayInAdvance,
    PayOut,
    RecordManualTransfer,
    Reject,
    RejectReason,
    ReportParcel,
    Retain,
    RetryPayment,
    ShippingProof,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.requests import (
    ExpiryRequest,
    LineAmount,
    MerchantRefundRequest,
    OriginalRoute,
    RefundReason,
)
from workflows.messages.stages import OutcomeKind, StageName
from workflows.rules.identity import case_id, workflow_name

Handle = WorkflowHandle[Any, Any]
Walk = Callable[[World], Awaitable[Handle]]

OFFICER = officer("officer-1")
CARRIER = carrier("carrier-1")
PROOF = "vault:proof/1"
HOUR = 3600
LARGE = 30_000
"""More than the platform agrees to at once when a merchant opens the refund (R9)."""


@dataclass(frozen=True)
class Path:
    """One way from the opening to the end of a workflow, which ``walk`` waits for."""

    name: str
    title: str
    rule: str
    ends: OutcomeKind | None
    """How the case ends; None for a workflow that is no case."""
    walk: Walk
    counted: bool = True
    """Whether its cost is worth telling: not where it is the price of an outage."""


PATHS: dict[str, Path] = {}


def path(title: str, rule: str, ends: OutcomeKind | None, *, counted: bool = True) -> Callable[[Walk], Walk]:
    """Add a path under the name of the function that walks it."""

    def add(walk: Walk) -> Walk:
        name = getattr(walk, "__name__", "")
        PATHS[name] = Path(name, title, rule, ends, walk, counted)
        return walk

    return add


def merchant_of(name: str) -> str:
    """The merchant who walks the path of this name, where its history is kept."""
    return f"m-{name.replace('_', '-')}"


# Refunds -----------------------------------------------------------------------------------------------


@path("Unshipped refund, the merchant approves", "R1", OutcomeKind.REFUNDED)
async def unshipped_approved(world: World) -> Handle:
    case = await _reviewed(world)
    return await _act(case, Approve(key="c1", by=merchant(world.merchant)))


@path("Unshipped refund, silence for 48 hours", "R1", OutcomeKind.REFUNDED)
async def unshipped_by_silence(world: World) -> Handle:
    case = await _reviewed(world)
    await forward(world, case, hours=49)
    return await _ended(case)


@path("Unshipped refund, the buyer withdraws", "R6", OutcomeKind.WITHDRAWN)
async def unshipped_withdrawn(world: World) -> Handle:
    case = await _reviewed(world)
    return await _act(case, Withdraw(key="c1", by=buyer(world.buyer)))


@path("Unshipped refund, refused with proof of shipment, an officer approves", "R1", OutcomeKind.REFUNDED)
async def unshipped_refused_with_proof(world: World) -> Handle:
    case = await _reviewed(world)
    shipped = ShippingProof(carrier="carrier-1", tracking_no="T1", shipped_at=_now())
    await case.act(
        Reject(
            key="c1",
            by=merchant(world.merchant),
            reason=RejectReason.GOODS_SHIPPED,
            evidence=EVIDENCE,
            shipping=shipped,
        )
    )
    return await _act(case, Approve(key="c2", by=OFFICER))


@path("Unshipped refund, the goods ship meanwhile, an officer closes it", "R7", OutcomeKind.CLOSED_BY_OFFICER)
async def unshipped_converted_closed(world: World) -> Handle:
    case = await _reviewed(world)
    await case.tell(_parcel("f1", ParcelEvent.SHIPPED))
    await at(world, case, StageName.NEEDS_RETURN)
    return await _act(case, CloseCase(key="c1", by=OFFICER, reason="returned_in_store", proof=PROOF))


@path("Unshipped refund, two tenders paid back one after the other", "R4", OutcomeKind.REFUNDED)
async def unshipped_two_tenders(world: World) -> Handle:
    order_no = await world.order(tenders=[("t1", "wallet", 4_000), ("t2", "credit_card", 6_000)])
    case = await world.refund(order_no=order_no)
    await at(world, case, StageName.MERCHANT_REVIEW)
    return await _act(case, Approve(key="c1", by=merchant(world.merchant)))


@path("Unshipped refund, a signal that does not fit, then approved", "section 11", OutcomeKind.REFUNDED)
async def refused_signal(world: World) -> Handle:
    case = await _reviewed(world)
    await case.tell(Approve(key="c1", by=merchant("m-somebody-else")))
    await quiet(case)
    return await _act(case, Approve(key="c2", by=merchant(world.merchant)))


@path("Refund only, the merchant approves after evidence was added", "R2", OutcomeKind.REFUNDED)
async def shipped_approved(world: World) -> Handle:
    case = await _reviewed(world, shipped=True)
    await case.act(SubmitEvidence(key="c1", by=buyer(world.buyer), evidence=EVIDENCE))
    return await _act(case, Approve(key="c2", by=merchant(world.merchant)))


@path("Refund only, silence for 48 hours", "R2", OutcomeKind.REFUNDED)
async def shipped_by_silence(world: World) -> Handle:
    case = await _reviewed(world, shipped=True)
    await forward(world, case, hours=49)
    return await _ended(case)


@path("Refund only, rejected, the buyer lets it be", "R6", OutcomeKind.REJECTED)
async def shipped_rejected_closed(world: World) -> Handle:
    case = await _rejected(world)
    await forward(world, case, days=7, hours=1)
    return await _ended(case)


@path("Refund only, rejected, amended, approved", "R6", OutcomeKind.REFUNDED)
async def shipped_amended_approved(world: World) -> Handle:
    case = await _rejected(world)
    await case.act(
        Amend(
            key="c2",
            by=buyer(world.buyer),
            lines=(LineAmount(line="1", quantity=1, amount=5_000),),
            reason=RefundReason.QUALITY_FAULT,
            method=OriginalRoute(),
        )
    )
    return await _act(case, Approve(key="c3", by=merchant(world.merchant)))


@path("A request that does not fit its order, past the client's check", "R8", OutcomeKind.REFUSED)
async def refused_request(world: World) -> Handle:
    request = world.refund_request(await world.order(), 10_001)
    handle = await world.aftersales.temporal.start_workflow(
        workflow_name(request), request, id=case_id(request), task_queue=world.task_queue
    )
    await handle.result()
    return handle


# Cancellations of orders that the platform ships ---------------------------------------------------------


@path("Cancellation before outbound, silence for 30 minutes", "R3", OutcomeKind.REFUNDED)
async def cancellation_by_silence(world: World) -> Handle:
    case = await _cancellation(world, await world.order(marketplace="jd-self"), StageName.WAREHOUSE_REVIEW)
    await forward(world, case, minutes=31)
    return await _ended(case)


@path("Cancellation after outbound, escalated, an operator approves", "R3", OutcomeKind.REFUNDED)
async def cancellation_escalated(world: World) -> Handle:
    order_no = await world.order(marketplace="jd-self", outbound_at=_now())
    case = await _cancellation(world, order_no, StageName.OUTBOUND_REVIEW)
    await forward(world, case, hours=25)
    await at(world, case, StageName.ESCALATED)
    return await _act(case, Approve(key="c1", by=OFFICER))


@path("Cancellation on the way, intercepted and back in the warehouse", "R3", OutcomeKind.REFUNDED)
async def cancellation_intercepted(world: World) -> Handle:
    order_no = await world.order(marketplace="jd-self", outbound_at=_now(), shipped_at=_now())
    case = await _cancellation(world, order_no, StageName.INTERCEPTING)
    await case.tell(_parcel("f1", ParcelEvent.RETURNED_TO_WAREHOUSE))
    return await _ended(case)


# Refunds that the merchant opens -------------------------------------------------------------------------


@path("Merchant's own refund, small, agreed to at once", "R9", OutcomeKind.REFUNDED)
async def merchant_refund_at_once(world: World) -> Handle:
    return await _ended(await _merchant_refund(world, 10_000))


@path("Merchant's own refund, an officer approves", "R9", OutcomeKind.REFUNDED)
async def merchant_refund_by_officer(world: World) -> Handle:
    case = await _merchant_refund(world, LARGE)
    await at(world, case, StageName.OFFICER_REVIEW)
    return await _act(case, Approve(key="c1", by=OFFICER))


@path("Merchant's own refund, silence for 24 hours", "R9", OutcomeKind.REFUNDED)
async def merchant_refund_by_silence(world: World) -> Handle:
    case = await _merchant_refund(world, LARGE)
    await at(world, case, StageName.OFFICER_REVIEW)
    await forward(world, case, hours=25)
    return await _ended(case)


@path("Merchant's own refund, an officer rejects", "R9", OutcomeKind.REJECTED)
async def merchant_refund_rejected(world: World) -> Handle:
    case = await _merchant_refund(world, LARGE)
    await at(world, case, StageName.OFFICER_REVIEW)
    return await _act(case, Reject(key="c1", by=OFFICER, reason=RejectReason.OUT_OF_TERMS, evidence=EVIDENCE))


# Allowances --------------------------------------------------------------------------------------------


@path("Withdrawal, nothing spent", "A2", OutcomeKind.REFUNDED)
async def withdrawal_unspent(world: World) -> Handle:
    return await _ended(await world.withdrawal(await world.allowance()))


@path("Withdrawal, silence for 48 hours", "A3", OutcomeKind.REFUNDED)
async def withdrawal_by_silence(world: World) -> Handle:
    case = await _retention(world)
    await forward(world, case, hours=49)
    return await _ended(case)


@path("Withdrawal, retained at hour 47, the buyer takes it back", "A3", OutcomeKind.RETAINED)
async def withdrawal_retained(world: World) -> Handle:
    case = await _retention(world)
    await forward(world, case, hours=47)
    await case.act(Retain(key="c1", by=merchant(world.merchant)))
    return await _act(case, Withdraw(key="c2", by=buyer(world.buyer)))


@path("Withdrawal, the merchant pays out at once", "A3", OutcomeKind.REFUNDED)
async def withdrawal_paid_out(world: World) -> Handle:
    return await _act(await _retention(world), PayOut(key="c1", by=merchant(world.merchant)))


@path("Withdrawal, taken back after the validity ended", "A6", OutcomeKind.REFUNDED)
async def withdrawal_back_too_late(world: World) -> Handle:
    allowance_id = await world.allowance(spent=1_000, days=1)
    case = await world.withdrawal(allowance_id)
    await at(world, case, StageName.RETENTION)
    expiry = await _expiry(world, allowance_id, days=1)
    await forward(world, expiry, days=1, minutes=1)
    await expiry.outcome()
    return await _act(case, Withdraw(key="c1", by=buyer(world.buyer)))


@path("Expiry, the principal goes back", "A6", OutcomeKind.REFUNDED)
async def expiry_paid(world: World) -> Handle:
    case = await _expiry(world, await world.allowance(days=30), days=30)
    await forward(world, case, days=30, minutes=1)
    return await _ended(case)


@path("Expiry, an open withdrawal pays instead", "A6", OutcomeKind.HANDED_OVER)
async def expiry_handed_over(world: World) -> Handle:
    allowance_id = await world.allowance(spent=1_000, days=1)
    await at(world, await world.withdrawal(allowance_id), StageName.RETENTION)
    case = await _expiry(world, allowance_id, days=1)
    await forward(world, case, days=1, minutes=1)
    return await _ended(case)


@path("Expiry, the validity was prolonged once", "A6", OutcomeKind.REFUNDED)
async def expiry_postponed(world: World) -> Handle:
    allowance_id = await world.allowance(days=30)
    case = await _expiry(world, allowance_id, days=30)
    async with world.pool.acquire() as connection:
        assert await allowances.prolong(connection, allowance_id, _now() + timedelta(days=60))
    await forward(world, case, days=61)
    return await _ended(case)


@path("Expiry, nothing was left", "A6", OutcomeKind.REFUSED)
async def expiry_of_nothing(world: World) -> Handle:
    allowance_id = await world.allowance(days=30)
    case = await _expiry(world, allowance_id, days=30)
    await (await world.withdrawal(allowance_id)).outcome()
    await forward(world, case, days=30, minutes=1)
    await case.handle.result()
    return case.handle


# The money leg -----------------------------------------------------------------------------------------


@path("Payment settled by the gateway's callback", "section 10", OutcomeKind.REFUNDED)
async def settled_by_callback(world: World) -> Handle:
    case = await _approved(world, Mode.SETTLE_LATER)
    await at(world, case, StageName.SETTLING)
    await _call_back(world)
    return await _ended(case)


@path("Payment settled, found out by asking", "section 10", OutcomeKind.REFUNDED)
async def settled_by_polling(world: World) -> Handle:
    case = await _approved(world, Mode.CALL_BACK_NEVER, settle_after_seconds=HOUR)
    await at(world, case, StageName.SETTLING)
    await forward(world, case, hours=3)
    return await _ended(case)


@path("The gateway paid and its answer was lost", "section 10", OutcomeKind.REFUNDED)
async def answer_lost(world: World) -> Handle:
    case = await _approved(world, Mode.LOSE_ANSWER)
    await at(world, case, StageName.SETTLING)
    await forward(world, case, minutes=2)
    return await _ended(case)


@path("The merchant's account is short, an officer retries", "section 10", OutcomeKind.REFUNDED)
async def attention_retried(world: World) -> Handle:
    case = await _approved(world, Mode.ACCOUNT_SHORT, uses_left=1)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    return await _act(case, RetryPayment(key="c2", by=OFFICER, reason="account_filled"))


@path("The merchant's account is short, the platform pays in advance", "section 10", OutcomeKind.PAID_BY_PLATFORM)
async def attention_paid_in_advance(world: World) -> Handle:
    case = await _approved(world, Mode.ACCOUNT_SHORT)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    return await _act(case, PayInAdvance(key="c2", by=OFFICER, reason="buyer_waits", proof=PROOF))


@path("The gateway declines, an officer transfers by hand", "section 10", OutcomeKind.PAID_MANUALLY)
async def attention_paid_manually(world: World) -> Handle:
    case = await _approved(world, Mode.DECLINE)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    done = RecordManualTransfer(key="c2", by=OFFICER, reason="card_closed", proof=PROOF, transferred_at=_now())
    return await _act(case, done)


@path("The gateway declines, an officer closes unpaid", "section 10", OutcomeKind.CLOSED_BY_OFFICER)
async def attention_closed(world: World) -> Handle:
    case = await _approved(world, Mode.DECLINE)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    return await _act(case, CloseCase(key="c2", by=OFFICER, reason="settled_in_store", proof=PROOF))


@path("The payment is overdue, then the callback comes", "R5", OutcomeKind.REFUNDED)
async def overdue_then_callback(world: World) -> Handle:
    case = await _approved(world, Mode.SETTLE_LATER, settle_after_seconds=7 * 24 * HOUR)
    await at(world, case, StageName.SETTLING)
    await forward(world, case, days=2)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    await _call_back(world)
    return await _ended(case)


@path("Others have been refunded what this case asked for", "R8", OutcomeKind.NOTHING_LEFT)
async def nothing_left(world: World) -> Handle:
    order_no = await world.order()
    first, second = await world.refund(order_no=order_no), await world.refund(order_no=order_no)
    await at(world, second, StageName.MERCHANT_REVIEW)
    await first.act_and_wait(Approve(key="c1", by=merchant(world.merchant)))
    return await _act(second, Approve(key="c1", by=merchant(world.merchant)))


@path("Another payment in flight holds the room, then fails", "R8", OutcomeKind.REFUNDED)
async def room_awaited(world: World) -> Handle:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.DECLINE_LATER, order_no=order_no, uses_left=1))
    first, second = await world.refund(order_no=order_no), await world.refund(order_no=order_no)
    for case in (first, second):
        await at(world, case, StageName.MERCHANT_REVIEW)
        await case.act(Approve(key="c1", by=merchant(world.merchant)))
    await at(world, second, StageName.AWAITING_ROOM)
    await _call_back(world)
    await at(world, first, StageName.PAYMENT_ATTENTION)
    await forward(world, second, minutes=11)
    return await _ended(second)


@path("The case book does not answer for a while", "section 10", OutcomeKind.REFUNDED, counted=False)
async def case_book_slow(world: World) -> Handle:
    order_no = await world.order()
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE casebook.cases IN EXCLUSIVE MODE")
        case = await world.refund(order_no=order_no)
        await until(lambda: _pending_activities(case), lambda pending: pending == ["open_case"])
    await at(world, case, StageName.MERCHANT_REVIEW)
    return await _act(case, Approve(key="c1", by=merchant(world.merchant)))


@path("The case book fails for a while", "section 10", OutcomeKind.REFUNDED, counted=False)
async def case_book_failing(world: World) -> Handle:
    order_no = await world.order()
    await world.pool.execute("ALTER TABLE casebook.log RENAME TO log_away")
    try:
        case = await world.refund(order_no=order_no)
        await until(lambda: _pending_activities(case), lambda pending: pending == ["open_case"])
    finally:
        await world.pool.execute("ALTER TABLE casebook.log_away RENAME TO log")
    await at(world, case, StageName.MERCHANT_REVIEW)
    return await _act(case, Approve(key="c1", by=merchant(world.merchant)))


# Beside the cases --------------------------------------------------------------------------------------


@path("A callback that comes after its case has ended", "section 10", None)
async def late_callback(world: World) -> Handle:
    case = await _approved(world, Mode.CALL_BACK_LATE, settle_after_seconds=60)
    await at(world, case, StageName.SETTLING)
    await forward(world, case, minutes=5)
    await case.outcome()
    callback = await _call_back(world)
    handle: Handle = world.aftersales.temporal.get_workflow_handle(callback)
    await handle.result()
    return handle


@path("One round of sending notices again", "section 10", None)
async def notice_resend(world: World) -> Handle:
    return await _scheduled(world, "NoticeResend")


@path("One comparison of the books", "section 10", None)
async def reconciliation(world: World) -> Handle:
    return await _scheduled(world, "Reconciliation")


# What they share ---------------------------------------------------------------------------------------


def _now() -> datetime:
    return datetime.now(UTC)


async def quiet(case: Case) -> None:
    """Wait until nothing is under way in the case.

    The server is asked and not the case: a query that comes while a workflow task runs can end it early, and
    the history would have other events each time.
    """

    async def under_way() -> bool:
        raw = (await case.handle.describe()).raw_description
        return raw.HasField("pending_workflow_task") or bool(raw.pending_activities)

    await until(under_way, lambda busy: not busy)


async def _pending_activities(case: Case) -> list[str]:
    raw = (await case.handle.describe()).raw_description
    return [each.activity_type.name for each in raw.pending_activities]


async def at(world: World, case: Case, stage: StageName) -> None:
    """Wait until the case has come to this stage and waits there."""
    stages = "SELECT stage FROM casebook.cases WHERE case_id = $1"
    await until(lambda: world.pool.fetchval(stages, case.id), lambda found: found == stage)
    await quiet(case)


async def forward(world: World, case: Case, **duration: float) -> None:
    """Move the case's clock, and wait until it has done what was due."""
    await world.forward(case, **duration)
    await quiet(case)


async def _ended(case: Case) -> Handle:
    await case.outcome()
    return case.handle


async def _act(case: Case, command: Command) -> Handle:
    await case.act_and_wait(command)
    return case.handle


async def _reviewed(world: World, *, shipped: bool = False) -> Case:
    order_no = await world.order(shipped_at=_now()) if shipped else await world.order()
    case = await world.refund(order_no=order_no)
    await at(world, case, StageName.SHIPPED_REVIEW if shipped else StageName.MERCHANT_REVIEW)
    return case


async def _rejected(world: World) -> Case:
    case = await _reviewed(world, shipped=True)
    reject = Reject(
        key="c1", by=merchant(world.merchant), reason=RejectReason.GOODS_RECEIVED_AS_DESCRIBED, evidence=EVIDENCE
    )
    await case.act(reject)
    return case


async def _cancellation(world: World, order_no: str, stage: StageName) -> Case:
    case = await world.refund(order_no=order_no)
    await at(world, case, stage)
    return case


async def _merchant_refund(world: World, amount: int) -> Case:
    request = MerchantRefundRequest(
        request_key=world.fresh("k"),
        order_no=await world.order(lines={"1": amount}),
        merchant_id=world.merchant,
        lines=(LineAmount(line="1", quantity=1, amount=amount),),
        reason=RefundReason.PRICE_ADJUSTMENT,
    )
    return await world.aftersales.open_merchant_refund(request)


async def _retention(world: World) -> Case:
    case = await world.withdrawal(await world.allowance(spent=1_000))
    await at(world, case, StageName.RETENTION)
    return case


async def _expiry(world: World, allowance_id: str, *, days: int) -> Case:
    async with world.pool.acquire() as connection:
        facts = await allowances.facts(connection, allowance_id)
    assert facts is not None
    assert facts.valid_until > _now() + timedelta(days=days - 1)
    return await world.aftersales.schedule_expiry(
        ExpiryRequest(
            allowance_id=allowance_id,
            merchant_id=world.merchant,
            buyer_id=world.buyer,
            valid_until=facts.valid_until,
        )
    )


async def _approved(world: World, mode: Mode, **how: int) -> Case:
    """An unshipped refund that is approved, at a gateway that does not simply pay."""
    order_no = await world.order()
    await world.behave(Behaviour(mode=mode, order_no=order_no).model_copy(update=how))
    case = await world.refund(order_no=order_no)
    await at(world, case, StageName.MERCHANT_REVIEW)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    return case


async def _call_back(world: World) -> str:
    """Deliver the callbacks of this merchant; the id of the workflow that a late one is entered by."""
    far = _now() + timedelta(days=365)
    rows = await world.pool.fetch("SELECT refund_no FROM gateway.refunds WHERE merchant_id = $1", world.merchant)
    numbers = [row["refund_no"] for row in rows]
    (due,) = await world.gateway.due_callbacks(far, refund_nos=numbers)
    await world.aftersales.gateway_callback(due.callback)
    await world.gateway.mark_delivered(due.id, far)
    return f"late-callback/{due.callback.refund_no}/{due.callback.key}"


def _parcel(key: str, event: ParcelEvent) -> ReportParcel:
    return ReportParcel(key=key, by=CARRIER, event=event, carrier=CARRIER.id, tracking_no="T1", happened_at=_now())


async def _scheduled(world: World, workflow: str) -> Handle:
    """One run of what a schedule starts, started by hand."""
    (schedule,) = (each for each in wanted(world.task_queue) if each.workflow == workflow)
    handle = await world.aftersales.temporal.start_workflow(
        schedule.workflow, schedule.argument, id=f"{schedule.id}/{world.merchant}", task_queue=schedule.task_queue
    )
    await handle.result()
    return handle
