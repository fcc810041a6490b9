"""Cases that can be disputed, and their disputes, brought to where a test begins."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.postgres.work_lists import WorkQuery
from starter.client import Case
from starter.errors import RefusedCommand
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import Actor, buyer, merchant, officer
from workflows.messages.cases import LogEntry, Refusal
from workflows.messages.commands import (
    AcceptSettlement,
    AgreeReturn,
    Amend,
    Command,
    ConfirmReceipt,
    EnterTracking,
    OfferSettlement,
    OpenDispute,
    Reject,
    RejectReason,
    Reship,
    Resolve,
    Rule,
    SubmitEvidence,
)
from workflows.messages.parcels import ParcelEvent
from workflows.messages.requests import DisputeReason, DisputeRequest, LineAmount, RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.scores import ScoreCause
from workflows.messages.stages import StageName, WorkList

OFFICER = officer("f-1")

Arrange = Callable[[World], Awaitable[Case]]

# Cases ---------------------------------------------------------------------------------------------------


async def rejected_refund(world: World, *, order_no: str | None = None, **changes: Any) -> Case:
    """A refund of shipped goods that the merchant has rejected (R2)."""
    fields: dict[str, Any] = {"reason": RefundReason.DAMAGED}
    case = await world.refund(order_no=order_no or await world.shipped_order(), **(fields | changes))
    await world.at(case, StageName.SHIPPED_REVIEW)
    await case.act(rejection(world))
    return case


async def rejected_return(world: World) -> Case:
    """A return that the merchant has rejected before anything was sent (T1)."""
    case = await world.returned()
    await case.act(rejection(world))
    return case


async def sent(world: World, *, signed: bool = False, freight_paid: int = 0, **request: Any) -> Case:
    """A return or an exchange whose goods are on their way, or have been signed for (T3, T6)."""
    await world.address()
    case = await world.returned(**request)
    await case.act(AgreeReturn(key="agree", by=merchant(world.merchant)))
    parcel = world.parcel()
    await case.act(EnterTracking(key="sent", by=buyer(world.buyer), parcel=parcel, freight_paid=freight_paid))
    if signed:
        await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
        await world.at(case, StageName.RESHIPMENT if request.get("exchange") else StageName.RETURN_RECEIVED)
    return case


async def received(world: World, **request: Any) -> Case:
    """A return that has been signed for (T6)."""
    return await sent(world, signed=True, **request)


async def rejected_after_receipt(world: World) -> Case:
    """A return that is not as agreed, says the merchant (T6)."""
    case = await received(world)
    await case.act(rejection(world))
    return case


async def overdue_return(world: World, **request: Any) -> Case:
    """A return that nobody has signed for in time (T6)."""
    case = await sent(world, **request)
    await world.forward(case, days=5, minutes=1)
    await world.at(case, StageName.RETURN_DELAYED)
    await world.forward(case, days=5, minutes=1)
    await world.at(case, StageName.RETURN_OVERDUE)
    return case


async def overdue_exchange(world: World) -> Case:
    """An exchange whose goods have not been re-shipped within 72 hours (T8)."""
    case = await received(world, exchange=True)
    await world.forward(case, hours=73)
    await world.at(case, StageName.RESHIP_OVERDUE)
    return case


async def reshipped_exchange(world: World) -> Case:
    """An exchange that the buyer is to confirm (T8)."""
    case = await received(world, exchange=True)
    await case.act(Reship(key="reship", by=merchant(world.merchant), parcel=world.parcel()))
    return case


async def escalated_cancellation(world: World) -> Case:
    """A cancellation that the platform has left unreviewed (R3)."""
    order_no = await world.order(marketplace="jd-self", outbound_at=datetime.now(UTC) - timedelta(hours=1))
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.OUTBOUND_REVIEW)
    await world.forward(case, hours=25)
    await world.at(case, StageName.ESCALATED)
    return case


# Disputes ------------------------------------------------------------------------------------------------


async def disputed(world: World, case: Case) -> Case:
    """The dispute that the buyer opens on ``case``, in negotiation (D1, D2)."""
    view = await case.act(opening(world))
    assert view.dispute
    dispute = world.aftersales.case(view.dispute)
    await world.at(dispute, StageName.NEGOTIATION)
    return dispute


async def intervened(world: World, case: Case, stage: StageName = StageName.EVIDENCE) -> Case:
    """The dispute about ``case``, once the platform has stepped in and the case is locked (D3)."""
    dispute = await disputed(world, case)
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(dispute, stage)
    await world.at(case, StageName.LOCKED)
    return dispute


async def demanded_in_working_hours(world: World) -> tuple[Case, Case]:
    """A case and its dispute, in which the merchant has the working hours of JD (D5)."""
    case = await rejected_refund(world, order_no=await world.shipped_order(marketplace="jd-pop"))
    return case, await intervened(world, case, StageName.EVIDENCE_WORKING_HOURS)


async def apart(world: World, request: DisputeRequest) -> Case:
    """A dispute that carries its ruling out itself, when the platform has stepped in (D1)."""
    dispute = await world.aftersales.open_dispute(request)
    await world.at(dispute, StageName.NEGOTIATION)
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(dispute, StageName.EVIDENCE)
    return dispute


def request(
    world: World, order_no: str, *, about: Case | None = None, amount: int = 10_000, **changes: Any
) -> DisputeRequest:
    """What opens a dispute on an ended case, or on an order without one (D1)."""
    fields: dict[str, Any] = {
        "request_key": world.fresh("k"),
        "order_no": order_no,
        "merchant_id": world.merchant,
        "buyer_id": world.buyer,
        "about": about.id if about else None,
        "lines": (LineAmount(line="1", quantity=1, amount=amount),),
        "reason": RefundReason.NOT_AS_DESCRIBED,
        "dispute_reason": DisputeReason.AMOUNT_TOO_LOW,
    }
    return DisputeRequest(**(fields | changes))


# Commands ------------------------------------------------------------------------------------------------


def rejection(world: World, key: str = "reject") -> Reject:
    return Reject(
        key=key, by=merchant(world.merchant), reason=RejectReason.GOODS_RECEIVED_AS_DESCRIBED, evidence=EVIDENCE
    )


def opening(world: World, key: str = "dispute", **changes: Any) -> OpenDispute:
    return OpenDispute(key=key, by=buyer(world.buyer), reason=DisputeReason.REFUND_REJECTED, **changes)


def resolution(world: World, key: str = "resolve") -> Resolve:
    return Resolve(key=key, by=buyer(world.buyer))


def offer(world: World, amount: int, key: str = "offer", **changes: Any) -> OfferSettlement:
    return OfferSettlement(key=key, by=merchant(world.merchant), lines=lines(amount), **changes)


def accept(world: World, amount: int, key: str = "accept") -> AcceptSettlement:
    return AcceptSettlement(key=key, by=buyer(world.buyer), amount=amount)


def amendment(world: World, amount: int, key: str = "amend") -> Amend:
    return Amend(key=key, by=buyer(world.buyer), lines=lines(amount), reason=RefundReason.DAMAGED)


def evidence(by: Actor, key: str = "evidence", **changes: Any) -> SubmitEvidence:
    return SubmitEvidence.model_validate({"key": key, "by": by, "evidence": EVIDENCE, **changes})


def ruling(
    refund: Award = Award.FULL, amount: int = 0, *, fault: Fault = Fault.MERCHANT, key: str = "rule", **changes: Any
) -> Rule:
    given = lines(amount) if amount else ()
    return Rule(key=key, by=OFFICER, fault=fault, refund=refund, lines=given, reason="goods_inspected", **changes)


def receipt(world: World, key: str = "receipt", **changes: Any) -> ConfirmReceipt:
    return ConfirmReceipt(key=key, by=merchant(world.merchant), **changes)


def lines(amount: int) -> tuple[LineAmount, ...]:
    return (LineAmount(line="1", quantity=1, amount=amount),)


# What came of it -----------------------------------------------------------------------------------------


async def refusal(case: Case, command: Command) -> Refusal:
    """Why ``command`` is refused; the case stands as before."""
    with pytest.raises(RefusedCommand) as refused:
        await case.act(command)
    return refused.value.refusal


async def entry(case: Case, event: str) -> LogEntry:
    """The one line of the case log that tells of ``event``."""
    (found,) = [each for each in await case.log() if each.event == event]
    return found


async def entry_of(world: World, case: Case, event: str) -> LogEntry:
    """The line of the case log that tells of ``event``, once it is there."""
    await until(lambda: world.events(case), lambda events: event in events)
    return await entry(case, event)


async def charged(world: World) -> list[tuple[str, ScoreCause, int]]:
    """What the merchant has lost, the oldest first: the case, why, how many points (D9)."""
    changes = await world.aftersales.desk.score_changes(world.merchant)
    return [(each.case_id, each.cause, each.points) for each in reversed(changes)]


async def in_list(world: World, work_list: WorkList) -> list[str]:
    """The cases in one of the merchant's work lists (section 12)."""
    page = await world.aftersales.work_list(WorkQuery(merchant_id=world.merchant, work_list=work_list))
    return [each.case_id for each in page.items]


async def paid(world: World, order_no: str | None) -> int:
    """What was paid back on an order, on which our ledger and the gateway's book agree; in minor units."""
    assert order_no
    refunded = await world.refunded(order_no)
    assert refunded == await world.paid_by_gateway(order_no)
    return refunded
