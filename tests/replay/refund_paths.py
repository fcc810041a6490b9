"""Refunds, allowances, and the money leg."""

from datetime import timedelta

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.schedules import wanted
from tests.replay.registry import (
    CARRIER,
    HOUR,
    LARGE,
    OFFICER,
    PROOF,
    Handle,
    act,
    at,
    ended,
    forward,
    now,
    path,
    quiet,
)
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import (
    AgreeReturn,
    Amend,
    Approve,
    CloseCase,
    MoveDeadline,
    PausesChanged,
    PayInAdvance,
    PayOut,
    RecordManualTransfer,
    RefundDirectly,
    Reject,
    RejectReason,
    ReportParcel,
    Retain,
    RetryPayment,
    ShippingProof,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.parcels import ParcelEvent
from workflows.messages.pauses import DeclarePause, PauseReason
from workflows.messages.requests import (
    ExpiryRequest,
    LineAmount,
    MerchantRefundRequest,
    OriginalRoute,
    RefundReason,
)
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.identity import case_id, workflow_name

# Refunds -----------------------------------------------------------------------------------------------


@path("Unshipped refund, the merchant approves", "R1", OutcomeKind.REFUNDED)
async def unshipped_approved(world: World) -> Handle:
    case = await _reviewed(world)
    return await act(case, Approve(key="c1", by=merchant(world.merchant)))


@path("Unshipped refund, decided by a standing order of the merchant's", "G4", OutcomeKind.REFUNDED)
async def unshipped_by_standing_order(world: World) -> Handle:
    await world.standing_order(kinds=("unshipped_refund",), up_to=10_000, most_a_day=10_000)
    return await ended(await world.refund(order_no=await world.order()))


@path("Unshipped refund, silence for 48 hours", "R1", OutcomeKind.REFUNDED)
async def unshipped_by_silence(world: World) -> Handle:
    case = await _reviewed(world)
    await forward(world, case, hours=49)
    return await ended(case)


@path("Unshipped refund, an officer moves the deadline, then silence", "section 12", OutcomeKind.REFUNDED)
async def unshipped_deadline_set(world: World) -> Handle:
    case = await _reviewed(world)
    await case.act(MoveDeadline(key="c1", by=OFFICER, until=now() + timedelta(hours=72), reason="typhoon"))
    await forward(world, case, hours=73)
    return await ended(case)


@path("Unshipped refund, the buyer withdraws", "R6", OutcomeKind.WITHDRAWN)
async def unshipped_withdrawn(world: World) -> Handle:
    case = await _reviewed(world)
    return await act(case, Withdraw(key="c1", by=buyer(world.buyer)))


@path("Unshipped refund, refused with proof of shipment, becomes a return, refunded", "R1", OutcomeKind.REFUNDED)
async def unshipped_refused_with_proof(world: World) -> Handle:
    case = await _reviewed(world)
    shipped = ShippingProof(carrier="carrier-1", tracking_no="T1", shipped_at=now())
    await case.act(
        Reject(
            key="c1",
            by=merchant(world.merchant),
            reason=RejectReason.GOODS_SHIPPED,
            evidence=EVIDENCE,
            shipping=shipped,
        )
    )
    return await act(case, RefundDirectly(key="c2", by=merchant(world.merchant)))


@path("Unshipped refund, the goods ship meanwhile, become a return that is not sent", "R7", OutcomeKind.NOT_RETURNED)
async def unshipped_became_return(world: World) -> Handle:
    await world.address()
    case = await _reviewed(world)
    await case.tell(_parcel("f1", ParcelEvent.SHIPPED))
    await at(world, case, StageName.RETURN_REVIEW)
    await case.act(AgreeReturn(key="c1", by=merchant(world.merchant)))
    await forward(world, case, days=7, hours=1)
    return await ended(case)


@path("Unshipped refund, the goods ship meanwhile, are stopped and come back", "R7", OutcomeKind.REFUNDED)
async def unshipped_intercepted(world: World) -> Handle:
    case = await _intercepted(world)
    await case.tell(_parcel("f2", ParcelEvent.RETURNED_TO_WAREHOUSE))
    return await ended(case)


@path("Unshipped refund, the parcel is not stopped in time, an officer closes it", "R7", OutcomeKind.CLOSED_BY_OFFICER)
async def unshipped_intercept_overdue(world: World) -> Handle:
    case = await _intercepted(world)
    await forward(world, case, days=15, hours=1)
    await at(world, case, StageName.ESCALATED)
    return await act(case, CloseCase(key="c1", by=OFFICER, reason="returned_in_store", proof=PROOF))


@path("Unshipped refund, a pause is declared, silence decides later", "section 9", OutcomeKind.REFUNDED)
async def unshipped_paused(world: World) -> Handle:
    case = await _reviewed(world)
    starts = now() + timedelta(hours=1)
    pause = DeclarePause(
        id=f"pause-{world.merchant}",
        starts_at=starts,
        ends_at=starts + timedelta(hours=24),
        by=OFFICER,
        reason=PauseReason.SPRING_FESTIVAL,
        kinds=(CaseKind.UNSHIPPED_REFUND,),
    )
    await world.declare_pause(pause)
    await case.tell(PausesChanged(key="p1", by=OFFICER, window=pause.id))
    await quiet(case)
    await forward(world, case, hours=73)
    await world.lift_pause(pause.id, OFFICER)
    return await ended(case)


@path("Unshipped refund, two tenders paid back one after the other", "R4", OutcomeKind.REFUNDED)
async def unshipped_two_tenders(world: World) -> Handle:
    order_no = await world.order(tenders=[("t1", "wallet", 4_000), ("t2", "credit_card", 6_000)])
    case = await world.refund(order_no=order_no)
    await at(world, case, StageName.MERCHANT_REVIEW)
    return await act(case, Approve(key="c1", by=merchant(world.merchant)))


@path("Unshipped refund, a signal that does not fit, then approved", "section 11", OutcomeKind.REFUNDED)
async def refused_signal(world: World) -> Handle:
    case = await _reviewed(world)
    stranger = Approve(key="c1", by=merchant("m-somebody-else"))
    await case.handle.signal(stranger.command_name(), stranger)  # our own client would not send it
    await quiet(case)
    return await act(case, Approve(key="c2", by=merchant(world.merchant)))


@path("Refund only, jd: overdue, the right to intervention is not used", "G3", OutcomeKind.UNDECIDED, counted=False)
async def shipped_overdue_undecided(world: World) -> Handle:
    case = await world.refund(order_no=await world.order(marketplace="jd-pop", shipped_at=now()))
    await at(world, case, StageName.SHIPPED_REVIEW)
    await forward(world, case, hours=49)
    await at(world, case, StageName.MERCHANT_OVERDUE)
    await forward(world, case, days=7, hours=1)
    return await ended(case)


@path("Refund only, the merchant approves after evidence was added", "R2", OutcomeKind.REFUNDED)
async def shipped_approved(world: World) -> Handle:
    case = await _reviewed(world, shipped=True)
    await case.act(SubmitEvidence(key="c1", by=buyer(world.buyer), evidence=EVIDENCE))
    return await act(case, Approve(key="c2", by=merchant(world.merchant)))


@path("Refund only, silence for 48 hours", "R2", OutcomeKind.REFUNDED)
async def shipped_by_silence(world: World) -> Handle:
    case = await _reviewed(world, shipped=True)
    await forward(world, case, hours=49)
    return await ended(case)


@path("Refund only, rejected, the buyer lets it be", "R6", OutcomeKind.REJECTED)
async def shipped_rejected_closed(world: World) -> Handle:
    case = await _rejected(world)
    await forward(world, case, days=7, hours=1)
    return await ended(case)


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
    return await act(case, Approve(key="c3", by=merchant(world.merchant)))


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
    return await ended(case)


@path("Cancellation after outbound, escalated, an operator approves", "R3", OutcomeKind.REFUNDED)
async def cancellation_escalated(world: World) -> Handle:
    order_no = await world.order(marketplace="jd-self", outbound_at=now())
    case = await _cancellation(world, order_no, StageName.OUTBOUND_REVIEW)
    await forward(world, case, hours=25)
    await at(world, case, StageName.ESCALATED)
    return await act(case, Approve(key="c1", by=OFFICER))


@path("Cancellation on the way, intercepted and back in the warehouse", "R3", OutcomeKind.REFUNDED)
async def cancellation_intercepted(world: World) -> Handle:
    order_no = await world.order(marketplace="jd-self", outbound_at=now(), shipped_at=now())
    case = await _cancellation(world, order_no, StageName.INTERCEPTING)
    await case.tell(_parcel("f1", ParcelEvent.RETURNED_TO_WAREHOUSE))
    return await ended(case)


# Refunds that the merchant opens -------------------------------------------------------------------------


@path("Merchant's own refund, small, agreed to at once", "R9", OutcomeKind.REFUNDED)
async def merchant_refund_at_once(world: World) -> Handle:
    return await ended(await _merchant_refund(world, 10_000))


@path("Merchant's own refund, an officer approves", "R9", OutcomeKind.REFUNDED)
async def merchant_refund_by_officer(world: World) -> Handle:
    case = await _merchant_refund(world, LARGE)
    await at(world, case, StageName.OFFICER_REVIEW)
    return await act(case, Approve(key="c1", by=OFFICER))


@path("Merchant's own refund, silence for 24 hours", "R9", OutcomeKind.REFUNDED)
async def merchant_refund_by_silence(world: World) -> Handle:
    case = await _merchant_refund(world, LARGE)
    await at(world, case, StageName.OFFICER_REVIEW)
    await forward(world, case, hours=25)
    return await ended(case)


@path("Merchant's own refund, an officer rejects", "R9", OutcomeKind.REJECTED)
async def merchant_refund_rejected(world: World) -> Handle:
    case = await _merchant_refund(world, LARGE)
    await at(world, case, StageName.OFFICER_REVIEW)
    return await act(case, Reject(key="c1", by=OFFICER, reason=RejectReason.OUT_OF_TERMS, evidence=EVIDENCE))


# Allowances --------------------------------------------------------------------------------------------


@path("Withdrawal, nothing spent", "A2", OutcomeKind.REFUNDED)
async def withdrawal_unspent(world: World) -> Handle:
    return await ended(await world.withdrawal(await world.allowance()))


@path("Withdrawal, silence for 48 hours", "A3", OutcomeKind.REFUNDED)
async def withdrawal_by_silence(world: World) -> Handle:
    case = await _retention(world)
    await forward(world, case, hours=49)
    return await ended(case)


@path("Withdrawal, retained at hour 47, the buyer takes it back", "A3", OutcomeKind.RETAINED)
async def withdrawal_retained(world: World) -> Handle:
    case = await _retention(world)
    await forward(world, case, hours=47)
    await case.act(Retain(key="c1", by=merchant(world.merchant)))
    return await act(case, Withdraw(key="c2", by=buyer(world.buyer)))


@path("Withdrawal, the merchant pays out at once", "A3", OutcomeKind.REFUNDED)
async def withdrawal_paid_out(world: World) -> Handle:
    return await act(await _retention(world), PayOut(key="c1", by=merchant(world.merchant)))


@path("Withdrawal, taken back after the validity ended", "A6", OutcomeKind.REFUNDED)
async def withdrawal_back_too_late(world: World) -> Handle:
    allowance_id = await world.allowance(spent=1_000, days=1)
    case = await world.withdrawal(allowance_id)
    await at(world, case, StageName.RETENTION)
    expiry = await _expiry(world, allowance_id, days=1)
    await forward(world, expiry, days=1, minutes=1)
    await expiry.outcome()
    return await act(case, Withdraw(key="c1", by=buyer(world.buyer)))


@path("Expiry, the principal goes back", "A6", OutcomeKind.REFUNDED)
async def expiry_paid(world: World) -> Handle:
    case = await _expiry(world, await world.allowance(days=30), days=30)
    await forward(world, case, days=30, minutes=1)
    return await ended(case)


@path("Expiry, an open withdrawal pays instead", "A6", OutcomeKind.HANDED_OVER)
async def expiry_handed_over(world: World) -> Handle:
    allowance_id = await world.allowance(spent=1_000, days=1)
    await at(world, await world.withdrawal(allowance_id), StageName.RETENTION)
    case = await _expiry(world, allowance_id, days=1)
    await forward(world, case, days=1, minutes=1)
    return await ended(case)


@path("Expiry, the validity was prolonged once", "A6", OutcomeKind.REFUNDED)
async def expiry_postponed(world: World) -> Handle:
    allowance_id = await world.allowance(days=30)
    case = await _expiry(world, allowance_id, days=30)
    await world.prolong(allowance_id, now() + timedelta(days=60))
    await forward(world, case, days=61)
    return await ended(case)


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
    await world.call_back()
    return await ended(case)


@path("Payment settled, found out by asking", "section 10", OutcomeKind.REFUNDED)
async def settled_by_polling(world: World) -> Handle:
    case = await _approved(world, Mode.CALL_BACK_NEVER, settle_after_seconds=HOUR)
    await at(world, case, StageName.SETTLING)
    await forward(world, case, hours=3)
    return await ended(case)


@path("The gateway paid and its answer was lost", "section 10", OutcomeKind.REFUNDED)
async def answer_lost(world: World) -> Handle:
    case = await _approved(world, Mode.LOSE_ANSWER)
    await at(world, case, StageName.SETTLING)
    await forward(world, case, minutes=2)
    return await ended(case)


@path("The answer was lost, then the gateway names the arrival", "R5", OutcomeKind.REFUNDED, counted=False)
async def answer_lost_accepted(world: World) -> Handle:
    order_no = await world.order(tenders=[("t1", "credit_card", 10_000)])
    await world.behave(Behaviour(mode=Mode.CALL_BACK_NEVER, order_no=order_no, settle_after_seconds=12 * HOUR))
    await world.behave(Behaviour(mode=Mode.LOSE_REQUEST, order_no=order_no, uses_left=1))
    case = await world.refund(order_no=order_no)
    await at(world, case, StageName.MERCHANT_REVIEW)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    await at(world, case, StageName.SETTLING)
    await forward(world, case, hours=20)
    return await ended(case)


@path("Overdue, declined, and sent anew by an officer", "R5", OutcomeKind.REFUNDED, counted=False)
async def overdue_retried(world: World) -> Handle:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.CALL_BACK_NEVER, order_no=order_no, settle_after_seconds=HOUR // 2))
    await world.behave(
        Behaviour(mode=Mode.DECLINE_LATER, order_no=order_no, uses_left=1, settle_after_seconds=3 * HOUR)
    )
    case = await world.refund(order_no=order_no)
    await at(world, case, StageName.MERCHANT_REVIEW)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    await at(world, case, StageName.SETTLING)
    await forward(world, case, hours=9)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    await case.act(RetryPayment(key="c2", by=OFFICER, reason="card_renewed"))
    await forward(world, case, hours=2)
    return await ended(case)


@path("The merchant's account is short, an officer retries", "section 10", OutcomeKind.REFUNDED)
async def attention_retried(world: World) -> Handle:
    case = await _approved(world, Mode.ACCOUNT_SHORT, uses_left=1)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    return await act(case, RetryPayment(key="c2", by=OFFICER, reason="account_filled"))


@path("The merchant's account is short, the platform pays in advance", "section 10", OutcomeKind.PAID_BY_PLATFORM)
async def attention_paid_in_advance(world: World) -> Handle:
    case = await _approved(world, Mode.ACCOUNT_SHORT)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    return await act(case, PayInAdvance(key="c2", by=OFFICER, reason="buyer_waits", proof=PROOF))


@path("The gateway declines, an officer transfers by hand", "section 10", OutcomeKind.PAID_MANUALLY)
async def attention_paid_manually(world: World) -> Handle:
    case = await _approved(world, Mode.DECLINE)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    done = RecordManualTransfer(key="c2", by=OFFICER, reason="card_closed", proof=PROOF, transferred_at=now())
    return await act(case, done)


@path("The gateway declines, an officer closes unpaid", "section 10", OutcomeKind.CLOSED_BY_OFFICER)
async def attention_closed(world: World) -> Handle:
    case = await _approved(world, Mode.DECLINE)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    return await act(case, CloseCase(key="c2", by=OFFICER, reason="settled_in_store", proof=PROOF))


@path("The payment is overdue, then the callback comes", "R5", OutcomeKind.REFUNDED)
async def overdue_then_callback(world: World) -> Handle:
    case = await _approved(world, Mode.SETTLE_LATER, settle_after_seconds=7 * 24 * HOUR)
    await at(world, case, StageName.SETTLING)
    await forward(world, case, days=2)
    await at(world, case, StageName.PAYMENT_ATTENTION)
    await world.call_back()
    return await ended(case)


@path("Others have been refunded what this case asked for", "R8", OutcomeKind.NOTHING_LEFT)
async def nothing_left(world: World) -> Handle:
    order_no = await world.order()
    first, second = await world.refund(order_no=order_no), await world.refund(order_no=order_no)
    await at(world, second, StageName.MERCHANT_REVIEW)
    await first.act_and_wait(Approve(key="c1", by=merchant(world.merchant)))
    return await act(second, Approve(key="c1", by=merchant(world.merchant)))


@path("Another payment in flight holds the room, then fails", "R8", OutcomeKind.REFUNDED)
async def room_awaited(world: World) -> Handle:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.DECLINE_LATER, order_no=order_no, uses_left=1))
    first, second = await world.refund(order_no=order_no), await world.refund(order_no=order_no)
    for case in (first, second):
        await at(world, case, StageName.MERCHANT_REVIEW)
        await case.act(Approve(key="c1", by=merchant(world.merchant)))
    await at(world, second, StageName.AWAITING_ROOM)
    await world.call_back()
    await at(world, first, StageName.PAYMENT_ATTENTION)
    await forward(world, second, minutes=11)
    return await ended(second)


@path("The case book does not answer for a while", "section 10", OutcomeKind.REFUNDED, counted=False)
async def case_book_slow(world: World) -> Handle:
    order_no = await world.order()
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE casebook.cases IN EXCLUSIVE MODE")
        case = await world.refund(order_no=order_no)
        await until(lambda: _pending_activities(case), lambda pending: pending == ["open_case"])
    await at(world, case, StageName.MERCHANT_REVIEW)
    return await act(case, Approve(key="c1", by=merchant(world.merchant)))


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
    return await act(case, Approve(key="c1", by=merchant(world.merchant)))


# Beside the cases --------------------------------------------------------------------------------------


@path("A callback that comes after its case has ended", "section 10", None)
async def late_callback(world: World) -> Handle:
    case = await _approved(world, Mode.CALL_BACK_LATE, settle_after_seconds=60)
    await at(world, case, StageName.SETTLING)
    await forward(world, case, minutes=5)
    await case.outcome()
    callback = await world.call_back()
    handle: Handle = world.aftersales.temporal.get_workflow_handle(callback)
    await handle.result()
    return handle


@path("One round of sending notices again", "section 10", None)
async def notice_resend(world: World) -> Handle:
    return await _scheduled(world, "NoticeResend")


@path("One comparison of the books", "section 10", None)
async def reconciliation(world: World) -> Handle:
    return await _scheduled(world, "Reconciliation")


@path("One round of moving closed cases", "section 11", None)
async def closed_cases(world: World) -> Handle:
    return await _scheduled(world, "ClosedCases")


# What they share ---------------------------------------------------------------------------------------


async def _pending_activities(case: Case) -> list[str]:
    raw = (await case.handle.describe()).raw_description
    return [each.activity_type.name for each in raw.pending_activities]


async def _reviewed(world: World, *, shipped: bool = False) -> Case:
    order_no = await world.order(shipped_at=now()) if shipped else await world.order()
    case = await world.refund(order_no=order_no)
    await at(world, case, StageName.SHIPPED_REVIEW if shipped else StageName.MERCHANT_REVIEW)
    return case


async def _intercepted(world: World) -> Case:
    """A refund of a marketplace whose merchants stop the parcel."""
    case = await world.refund(order_no=await world.order(marketplace="jd-pop"))
    await at(world, case, StageName.MERCHANT_REVIEW)
    await case.tell(_parcel("f1", ParcelEvent.SHIPPED))
    await at(world, case, StageName.PARCEL_INTERCEPT)
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
    valid_until = await world.valid_until(allowance_id)
    assert valid_until > now() + timedelta(days=days - 1)
    return await world.aftersales.schedule_expiry(
        ExpiryRequest(
            allowance_id=allowance_id,
            merchant_id=world.merchant,
            buyer_id=world.buyer,
            valid_until=valid_until,
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


def _parcel(key: str, event: ParcelEvent) -> ReportParcel:
    return ReportParcel(key=key, by=CARRIER, event=event, carrier=CARRIER.id, tracking_no="T1", happened_at=now())


async def _scheduled(world: World, workflow: str) -> Handle:
    """One run of what a schedule starts, started by hand."""
    (schedule,) = (each for each in wanted(world.task_queue) if each.workflow == workflow)
    handle = await world.aftersales.temporal.start_workflow(
        schedule.workflow, schedule.argument, id=f"{schedule.id}/{world.merchant}", task_queue=schedule.task_queue
    )
    await handle.result()
    return handle
