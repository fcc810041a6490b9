"""Open cases of every kind, wherever one can stand for long; and how each is brought to its end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from tests.workflow import disputes, goods, repairs, resends
from tests.workflow.price_protection import fallen
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.commands import (
    Approve,
    ClaimCompensation,
    CloseCase,
    Command,
    ConfirmReceipt,
    ConvertToRefund,
    RefundDirectly,
    RetryPayment,
    Rule,
)
from workflows.messages.parcels import ParcelEvent
from workflows.messages.requests import ExpiryRequest, MerchantRefundRequest, RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import OutcomeKind, StageName

Begin = Callable[[World], Awaitable[Case]]

OFFICER: Final = officer("o-1")
O = OutcomeKind  # noqa: E741


@dataclass(frozen=True)
class Plan:
    """One kind of case, and where it stands when Temporal is lost."""

    name: str
    begin: Begin
    ends: frozenset[OutcomeKind]
    weight: int = 1
    """How many there are for each of the rarest."""
    stages: frozenset[StageName] = frozenset()
    """Where it rests; empty where it is under way."""


PLANS: list[Plan] = []


def plan(*ends: OutcomeKind, weight: int = 1, rests: tuple[StageName, ...] = ()) -> Callable[[Begin], Begin]:
    def add(begin: Begin) -> Begin:
        PLANS.append(Plan(getattr(begin, "__name__", ""), begin, frozenset(ends), weight, frozenset(rests)))
        return begin

    return add


def approval(world: World) -> Approve:
    return Approve(key="a-1", by=merchant(world.merchant))


# Refunds -------------------------------------------------------------------------------------------------


@plan(O.REFUNDED, weight=4, rests=(StageName.MERCHANT_REVIEW,))
async def unshipped_refund(world: World) -> Case:
    return await world.refund()


@plan(O.REFUNDED, weight=2, rests=(StageName.SHIPPED_REVIEW,))
async def shipped_refund(world: World) -> Case:
    return await world.refund(order_no=await world.shipped_order())


@plan(O.REFUNDED, rests=(StageName.WAREHOUSE_REVIEW,))
async def cancellation(world: World) -> Case:
    return await world.refund(order_no=await world.order(marketplace="jd-self"))


@plan(O.REFUNDED, rests=(StageName.OFFICER_REVIEW,))
async def merchant_refund(world: World) -> Case:
    order_no = await world.order(lines={"1": 30_000})
    lines = world.refund_request(order_no, 30_000).lines
    request = MerchantRefundRequest(
        request_key=world.fresh("k"),
        order_no=order_no,
        merchant_id=world.merchant,
        lines=lines,
        reason=world.refund_request(order_no).reason,
    )
    return await world.aftersales.open_merchant_refund(request)


@plan(O.REFUNDED, rests=(StageName.PRICE_REVIEW,))
async def price_protection(world: World) -> Case:
    return await fallen(world, await world.order())


@plan(O.NOT_RETURNED, rests=(StageName.REPAIR_REVIEW,))
async def repair_asked_for(world: World) -> Case:
    await world.address()
    return await repairs.asked(world)


@plan(O.REFUNDED, rests=(StageName.REPAIRING,))
async def repair_received(world: World) -> Case:
    return await repairs.received(world)


@plan(O.REFUNDED, rests=(StageName.RESEND_REVIEW,))
async def resend_asked_for(world: World) -> Case:
    return await resends.asked(world)


@plan(O.RESENT, rests=(StageName.RESEND_UNDERWAY,))
async def resend_sent(world: World) -> Case:
    case, parcel = await resends.sent(world)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    return case


# With the gateway ----------------------------------------------------------------------------------------


async def paid_so(world: World, mode: Mode, stage: StageName | None, **more: Any) -> Case:
    order_no = await world.order()
    await world.behave(Behaviour(mode=mode, order_no=order_no, **more))
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    if stage is None:
        await case.tell(approval(world))
    else:
        await case.act(approval(world))
        await world.at(case, stage)
    return case


@plan(O.REFUNDED, weight=2, rests=(StageName.SETTLING,))
async def accepted_by_the_gateway(world: World) -> Case:
    return await paid_so(world, Mode.SETTLE_LATER, StageName.SETTLING, settle_after_seconds=3600)


@plan(O.REFUNDED, rests=(StageName.SETTLING,))
async def answer_of_the_gateway_lost(world: World) -> Case:
    return await paid_so(world, Mode.LOSE_ANSWER, StageName.SETTLING, uses_left=1)


@plan(O.REFUNDED, rests=(StageName.PAYMENT_ATTENTION,))
async def declined_by_the_gateway(world: World) -> Case:
    return await paid_so(world, Mode.DECLINE, StageName.PAYMENT_ATTENTION, uses_left=1)


async def being_sent(world: World) -> Case:
    """The gateway has it and has not answered when the worker is gone."""
    return await paid_so(world, Mode.ANSWER_SLOWLY, None, answer_after_seconds=4.0)


BEING_SENT: Final = Plan("being_sent", being_sent, frozenset({O.REFUNDED}))


# Goods that come back ------------------------------------------------------------------------------------


@plan(O.NOT_RETURNED, rests=(StageName.RETURN_REVIEW,))
async def return_asked_for(world: World) -> Case:
    await world.address()
    return await world.returned()


@plan(O.REFUNDED, weight=2, rests=(StageName.RETURN_IN_TRANSIT,))
async def return_sent(world: World) -> Case:
    return await disputes.sent(world)


@plan(O.REFUNDED, rests=(StageName.RETURN_RECEIVED,))
async def return_signed_for(world: World) -> Case:
    order_no = await world.shipped_order(freight_insured=800)
    return await disputes.received(world, order_no=order_no)


@plan(O.REFUNDED, rests=(StageName.RESHIPMENT,))
async def exchange_received(world: World) -> Case:
    return await disputes.received(world, exchange=True)


# Disputes ------------------------------------------------------------------------------------------------


@plan(O.REFUNDED, O.REJECTED, weight=2, rests=(StageName.DISPUTED,))
async def disputed(world: World) -> Case:
    case = await disputes.rejected_refund(world, order_no=await world.shipped_order(marketplace="jd-pop"))
    await disputes.disputed(world, case)
    return case


@plan(O.REFUNDED, rests=(StageName.LOCKED,))
async def locked(world: World) -> Case:
    case = await disputes.rejected_refund(world)
    await case.act(disputes.opening(world))  # D2: on Douyin the platform steps in at once
    await world.at(case, StageName.LOCKED)
    return case


# Beside refunds, and stored value ------------------------------------------------------------------------


@plan(O.COMPENSATED, rests=(StageName.SETTLING,))
async def freight_insurance_on_its_way(world: World) -> Case:
    await on_its_way(world, 800)
    case, _ = await goods.signed_for(world, order_no=await world.shipped_order(freight_insured=800))
    return await owed_by(world, case, "freight-insurance")


@plan(O.COMPENSATED, rests=(StageName.SETTLING,))
async def return_freight_on_its_way(world: World) -> Case:
    await on_its_way(world, 1_200)
    case, _ = await goods.signed_for(world, freight_paid=1_200, reason=RefundReason.DAMAGED)
    return await owed_by(world, case, "return-freight")


async def on_its_way(world: World, amount: int) -> None:
    """The gateway accepts what it is told to pay of this amount, and pays it later."""
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, merchant_id=world.merchant, amount=amount))


async def owed_by(world: World, case: Case, what: str) -> Case:
    """What a return that has ended owes beside its refund."""
    await case.act(goods.receipt(world))
    await case.outcome()
    return world.aftersales.case(f"{what}/{case.id}")


@plan(O.COMPENSATED, O.UNCLAIMED, rests=(StageName.CLAIMABLE,))
async def late_shipment(world: World) -> Case:
    return await late(world)


@plan(O.COMPENSATED, rests=(StageName.CLAIM_REVIEW,))
async def late_shipment_claimed(world: World) -> Case:
    case = await late(world)
    await case.act(ClaimCompensation(key="c-1", by=buyer(world.buyer)))
    return case


async def late(world: World) -> Case:
    case = await world.aftersales.order_paid(await world.order(paid_at=datetime.now(UTC) - timedelta(days=5)))
    await world.at(case, StageName.CLAIMABLE)
    return case


@plan(O.REFUNDED, weight=2, rests=(StageName.RETENTION,))
async def withdrawal(world: World) -> Case:
    case = await world.withdrawal(await world.allowance(spent=1_000))
    await world.at(case, StageName.RETENTION)
    return case


@plan(O.REFUNDED, rests=(StageName.SETTLING,))
async def withdrawal_on_its_way(world: World) -> Case:
    allowance_id = await world.allowance()
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=allowance_id))
    case = await world.withdrawal(allowance_id)
    await world.at(case, StageName.SETTLING)
    return case


@plan(O.REFUNDED, rests=(StageName.SETTLING,))
async def expiry_on_its_way(world: World) -> Case:
    allowance_id = await world.allowance(days=0)
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=allowance_id))
    case = await scheduled(world, allowance_id, datetime.now(UTC))
    await world.at(case, StageName.SETTLING)
    return case


# What has no case yet ------------------------------------------------------------------------------------


async def scheduled(world: World, allowance_id: str, until: datetime) -> Case:
    request = ExpiryRequest(
        allowance_id=allowance_id, merchant_id=world.merchant, buyer_id=world.buyer, valid_until=until
    )
    return await world.aftersales.schedule_expiry(request)


async def announced(world: World) -> tuple[Case, Case]:
    """An allowance that ends in 30 days, and an order that was paid just now."""
    expiry = await scheduled(world, await world.allowance(days=30), datetime.now(UTC) + timedelta(days=30))
    return expiry, await world.aftersales.order_paid(await world.order(paid_at=datetime.now(UTC)))


# Where a case waits for somebody -------------------------------------------------------------------------


def what_helps(world: World, stage: StageName, turn: int) -> Command | None:
    """The command of somebody who is waited for without a deadline; where two must agree, each in its ``turn``."""
    key = f"h-{uuid4().hex}"  # of no other attempt, also where a book has forgotten what an older one obeyed
    match stage:
        case StageName.PAYMENT_ATTENTION:
            return RetryPayment(key=key, by=OFFICER, reason="asked_for")
        case (
            StageName.RESHIP_OVERDUE
            | StageName.RESHIP_FAILED
            | StageName.RESEND_OVERDUE
            | StageName.REPAIR_OVERDUE
            | StageName.REPAIR_FAILED
        ):
            by = merchant(world.merchant) if turn % 2 else buyer(world.buyer)
            return ConvertToRefund(key=key, by=by)
        case StageName.ESCALATED:
            return Approve(key=key, by=OFFICER)
        case StageName.ADDRESS_MISSING | StageName.RETURN_REFUSED | StageName.GOODS_HELD | StageName.RESEND_FAILED:
            return RefundDirectly(key=key, by=merchant(world.merchant))
        case StageName.ROOM_OVERDUE:
            return CloseCase(key=key, by=OFFICER, reason="looked_at", proof="ticket:1")
        case StageName.RETURN_OVERDUE:
            return ConfirmReceipt(key=key, by=merchant(world.merchant))
        case StageName.RULING | StageName.RULING_OVERDUE:
            return Rule(key=key, by=OFFICER, fault=Fault.MERCHANT, refund=Award.FULL, reason="goods_at_fault")
        case _:
            return None
