"""Returns, exchanges, and what is paid beside them."""

from datetime import timedelta
from typing import Any

from starter.client import Case
from tests.replay.registry import OFFICER, PROOF, Handle, act, at, ended, forward, now, path, quiet
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import buyer, carrier, merchant
from workflows.messages.commands import (
    AgreeReturn,
    CloseCase,
    ConfirmExchange,
    ConfirmReceipt,
    ConvertToRefund,
    EnterTracking,
    ExtendReceipt,
    GiveRefundAccount,
    LineQuantity,
    RefundDirectly,
    Reject,
    RejectReason,
    ReportParcel,
    Reship,
)
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.requests import RefundReason
from workflows.messages.stages import OutcomeKind, StageName


@path("Return, agreed, signed for, receipt confirmed", "T6", OutcomeKind.REFUNDED)
async def return_confirmed(world: World) -> Handle:
    case = await _received(world)
    return await act(case, ConfirmReceipt(key="c3", by=merchant(world.merchant)))


@path("Return, silence agrees to it, and silence after sign-off refunds", "T1", OutcomeKind.REFUNDED)
async def return_by_silence(world: World) -> Handle:
    await world.address()
    case = await returned(world)
    await forward(world, case, hours=49)
    await at(world, case, StageName.AWAITING_RETURN)
    await _sent(world, case)
    await signed(case)
    await at(world, case, StageName.RETURN_RECEIVED)
    await forward(world, case, days=10, hours=1)
    return await ended(case)


@path("Return, refunded directly without the goods", "T1", OutcomeKind.REFUNDED)
async def return_refunded_directly(world: World) -> Handle:
    case = await returned(world)
    return await act(case, RefundDirectly(key="c1", by=merchant(world.merchant)))


@path("Return, rejected, the buyer lets it be", "T1", OutcomeKind.REJECTED)
async def return_rejected_closed(world: World) -> Handle:
    case = await returned(world)
    await case.act(_reject(world, "c1"))
    await forward(world, case, days=7, hours=1)
    return await ended(case)


@path("Return, agreed, the buyer sends nothing", "T3", OutcomeKind.NOT_RETURNED)
async def return_not_sent(world: World) -> Handle:
    case = await _agreed(world)
    await forward(world, case, days=7, hours=1)
    return await ended(case)


@path("Return, refunded before the buyer has entered a tracking number", "T5", OutcomeKind.REFUNDED)
async def return_confirmed_before_tracking(world: World) -> Handle:
    case = await _agreed(world)
    return await act(case, ConfirmReceipt(key="c2", by=merchant(world.merchant)))


@path("Return, signed for before the tracking number is entered", "T6", OutcomeKind.REFUNDED)
async def return_signed_before_tracking(world: World) -> Handle:
    case = await _agreed(world)
    await signed(case)
    await quiet(case)
    await _sent(world, case)
    await at(world, case, StageName.RETURN_RECEIVED)
    return await act(case, ConfirmReceipt(key="c3", by=merchant(world.merchant)))


@path("Return, the parcel is late, extended once, an officer closes it", "T7", OutcomeKind.CLOSED_BY_OFFICER)
async def return_overdue(world: World) -> Handle:
    case = await _agreed(world)
    await _sent(world, case)
    await forward(world, case, days=5, hours=1)
    await at(world, case, StageName.RETURN_DELAYED)
    await case.act(ExtendReceipt(key="c3", by=merchant(world.merchant)))
    await forward(world, case, days=8, hours=1)
    await at(world, case, StageName.RETURN_OVERDUE)
    return await act(case, CloseCase(key="c4", by=OFFICER, reason="lost_by_carrier", proof=PROOF))


@path("Return, fewer pieces accepted than were sent back", "T11", OutcomeKind.REFUNDED)
async def return_partly_accepted(world: World) -> Handle:
    await world.address()
    case = await returned(world, 10_000, quantity=4)
    await _agree_and_receive(world, case)
    accepted = ConfirmReceipt(
        key="c3",
        by=merchant(world.merchant),
        accepted=(LineQuantity(line="1", quantity=3),),
        reason=RejectReason.OTHER,
        evidence=EVIDENCE,
    )
    return await act(case, accepted)


@path("Return, rejected on receipt, the goods stay, an officer closes it", "T15", OutcomeKind.CLOSED_BY_OFFICER)
async def return_receipt_rejected(world: World) -> Handle:
    case = await _received(world)
    await case.act(_reject(world, "c3"))
    await forward(world, case, days=7, hours=1)
    await at(world, case, StageName.GOODS_HELD)
    return await act(case, CloseCase(key="c4", by=OFFICER, reason="settled_elsewhere", proof=PROOF))


@path("Return, agreed by silence without an address, which the merchant then gives", "T2", OutcomeKind.REFUNDED)
async def return_address_missing(world: World) -> Handle:
    case = await returned(world)
    await forward(world, case, hours=49)
    await at(world, case, StageName.ADDRESS_MISSING)
    await world.address()
    await case.act(AgreeReturn(key="c1", by=merchant(world.merchant)))
    return await act(case, ConfirmReceipt(key="c2", by=merchant(world.merchant)))


@path("Return of a cash-on-delivery order, the account is asked for twice", "T4", OutcomeKind.REFUNDED)
async def return_cash_on_delivery(world: World) -> Handle:
    await world.address()
    case = await returned(world, order_no=await world.shipped_order(tenders=[("t1", "cash", 10_000)]))
    await _agree_and_receive(world, case)
    await case.act(ConfirmReceipt(key="c3", by=merchant(world.merchant)))
    await forward(world, case, days=7, hours=1)
    return await act(case, GiveRefundAccount(key="c4", by=buyer(world.buyer), account="vault:accounts/1"))


@path("Return, insured: the refund", "T10", OutcomeKind.REFUNDED)
async def return_insured(world: World) -> Handle:
    case = await _insured(world)
    await world.aftersales.case(f"freight-insurance/{case.id}").outcome()
    await quiet(case)
    return await act(case, ConfirmReceipt(key="c3", by=merchant(world.merchant)))


@path("Return, insured: the insurance's own case", "T10", OutcomeKind.COMPENSATED)
async def freight_insurance_paid(world: World) -> Handle:
    case = await _insured(world)
    return await ended(world.aftersales.case(f"freight-insurance/{case.id}"))


@path("Return at fault: what the merchant owes for its freight, a case of its own", "T10", OutcomeKind.COMPENSATED)
async def return_freight_paid(world: World) -> Handle:
    await world.address()
    case = await returned(world, reason=RefundReason.QUALITY_FAULT)
    await _agree_and_receive(world, case)
    await case.act_and_wait(ConfirmReceipt(key="c3", by=merchant(world.merchant)))
    return await ended(world.aftersales.case(f"return-freight/{case.id}"))


@path("Exchange, signed for, re-shipped, confirmed", "T8", OutcomeKind.EXCHANGED)
async def exchange_confirmed(world: World) -> Handle:
    case = await _exchange_received(world)
    await case.act(Reship(key="c3", by=merchant(world.merchant), parcel=_parcel("T2")))
    return await act(case, ConfirmExchange(key="c4", by=buyer(world.buyer)))


@path("Exchange, re-shipped too late, confirmed by silence", "T8", OutcomeKind.EXCHANGED)
async def exchange_overdue(world: World) -> Handle:
    case = await _exchange_received(world)
    await forward(world, case, hours=73)
    await at(world, case, StageName.RESHIP_OVERDUE)
    await case.act(Reship(key="c3", by=merchant(world.merchant), parcel=_parcel("T2")))
    await signed(case, "f2", "T2")
    await forward(world, case, days=10, hours=1)
    return await ended(case)


@path("Exchange, converted to a refund by both sides", "T9", OutcomeKind.REFUNDED)
async def exchange_converted(world: World) -> Handle:
    case = await _exchange_received(world)
    await case.act(ConvertToRefund(key="c3", by=buyer(world.buyer)))
    return await act(case, ConvertToRefund(key="c4", by=merchant(world.merchant)))


# What they share -----------------------------------------------------------------------------------------


async def returned(world: World, amount: int = 10_000, *, order_no: str | None = None, **changes: Any) -> Case:
    """A return that the merchant is to decide on. Nobody looks at it meanwhile, which would cost it events."""
    order_no = order_no or await world.shipped_order(pieces=changes.get("quantity", 1))
    case = await world.aftersales.open_return(world.return_request(order_no, amount, **changes))
    await at(world, case, StageName.RETURN_REVIEW)
    return case


async def _agreed(world: World) -> Case:
    await world.address()
    case = await returned(world)
    await case.act(AgreeReturn(key="c1", by=merchant(world.merchant)))
    await quiet(case)
    return case


async def _received(world: World) -> Case:
    await world.address()
    case = await returned(world)
    await _agree_and_receive(world, case)
    return case


async def _exchange_received(world: World) -> Case:
    await world.address()
    case = await returned(world, exchange=True)
    await _agree_and_receive(world, case, StageName.RESHIPMENT)
    return case


async def _insured(world: World) -> Case:
    await world.address()
    order_no = await world.shipped_order(freight_insured=500)
    case = await returned(world, order_no=order_no)
    await _agree_and_receive(world, case)
    return case


async def _agree_and_receive(world: World, case: Case, stage: StageName = StageName.RETURN_RECEIVED) -> None:
    await quiet(case)
    await case.act(AgreeReturn(key="c1", by=merchant(world.merchant)))
    await _sent(world, case)
    await signed(case)
    await at(world, case, stage)


async def _sent(world: World, case: Case) -> None:
    await case.act(EnterTracking(key="c2", by=buyer(world.buyer), parcel=_parcel("T1"), freight_paid=1_200))
    await quiet(case)


async def signed(case: Case, key: str = "f1", tracking_no: str = "T1") -> None:
    """The carrier's word goes straight to the case, so that no other case hears of it."""
    told = ReportParcel(
        key=key,
        by=carrier("sf"),
        event=ParcelEvent.SIGNED,
        carrier="sf",
        tracking_no=tracking_no,
        happened_at=now() + timedelta(days=3),
    )
    await case.tell(told)


def _parcel(tracking_no: str) -> Parcel:
    return Parcel(carrier="sf", tracking_no=tracking_no)


def _reject(world: World, key: str) -> Reject:
    return Reject(key=key, by=merchant(world.merchant), reason=RejectReason.OUT_OF_TERMS, evidence=EVIDENCE)
