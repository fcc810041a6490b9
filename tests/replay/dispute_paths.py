"""Disputes, and the cases that they are about."""

from starter.client import Case
from tests.replay.registry import OFFICER, Handle, act, at, ended, forward, path, quiet
from tests.replay.return_paths import returned, signed
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.commands import (
    AcceptSettlement,
    AgreeReturn,
    Approve,
    ConfirmProposal,
    ConfirmReceipt,
    DemandEvidence,
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
from workflows.messages.parcels import Parcel
from workflows.messages.requests import DisputeReason, DisputeRequest, LineAmount, RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import OutcomeKind, StageName


@path("Dispute, the merchant gives no evidence: upheld", "D4", OutcomeKind.RULED)
async def dispute_upheld(world: World) -> Handle:
    case, dispute = await _intervened(world)
    await forward(world, dispute, hours=25)
    await case.outcome()
    return await ended(dispute)


@path("Refund only, rejected, disputed, upheld: the case", "D8", OutcomeKind.REFUNDED)
async def disputed_case_upheld(world: World) -> Handle:
    case, dispute = await _intervened(world)
    await forward(world, dispute, hours=25)
    await dispute.outcome()
    return await ended(case)


@path("Dispute, an officer demands evidence of the buyer, ruled on as things stand", "D4", OutcomeKind.RULED)
async def dispute_evidence_of_buyer(world: World) -> Handle:
    case, dispute = await _intervened(world)
    await dispute.act(SubmitEvidence(key="e1", by=merchant(world.merchant), evidence=EVIDENCE, final=True))
    wanted = await world.written(dispute, OFFICER, "请提供开箱照片")
    await dispute.act(DemandEvidence(key="e2", by=OFFICER, of=(Role.BUYER,), wanted=wanted))
    await forward(world, dispute, hours=25)
    await at(world, dispute, StageName.RULING)
    await dispute.act_and_wait(Rule(key="r1", by=OFFICER, fault=Fault.BUYER, refund=Award.NOTHING, reason="not_shown"))
    await case.outcome()
    return dispute.handle


@path("Dispute, resolved by the buyer in the negotiation", "D2", OutcomeKind.RESOLVED)
async def dispute_resolved(world: World) -> Handle:
    case, dispute = await _disputed(world)
    await dispute.act_and_wait(Resolve(key="r1", by=buyer(world.buyer)))
    await at(world, case, StageName.REJECTED)
    return dispute.handle


@path("Refund only, rejected, disputed, resolved, the window passes: the case", "D2", OutcomeKind.REJECTED)
async def disputed_case_resolved(world: World) -> Handle:
    case, dispute = await _disputed(world)
    await dispute.act_and_wait(Resolve(key="r1", by=buyer(world.buyer)))
    await at(world, case, StageName.REJECTED)
    await forward(world, case, days=7, hours=1)
    return await ended(case)


@path("Dispute, the merchant grants the case in the negotiation", "D2", OutcomeKind.RESOLVED)
async def dispute_granted(world: World) -> Handle:
    case, dispute = await _disputed(world)
    await case.act(Approve(key="c3", by=merchant(world.merchant)))
    await case.outcome()
    return await ended(dispute)


@path("Dispute, settled by an offer", "D2", OutcomeKind.SETTLED)
async def dispute_settled(world: World) -> Handle:
    case, dispute = await _disputed(world)
    lines = (LineAmount(line="1", quantity=1, amount=4_000),)
    await dispute.act(OfferSettlement(key="o1", by=merchant(world.merchant), lines=lines))
    await dispute.act_and_wait(AcceptSettlement(key="o2", by=buyer(world.buyer), amount=4_000))
    await case.outcome()
    return dispute.handle


@path("Dispute, evidence given finally, ruled in part", "D8", OutcomeKind.RULED)
async def dispute_ruled(world: World) -> Handle:
    case, dispute = await _intervened(world)
    await dispute.act(SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE))
    await dispute.act(SubmitEvidence(key="e2", by=merchant(world.merchant), evidence=EVIDENCE, final=True))
    await at(world, dispute, StageName.RULING)
    ruling = Rule(
        key="r1",
        by=OFFICER,
        fault=Fault.BOTH,
        refund=Award.PARTIAL,
        lines=(LineAmount(line="1", quantity=1, amount=5_000),),
        reason="both_at_fault",
    )
    await dispute.act_and_wait(ruling)
    await case.outcome()
    return dispute.handle


@path("Refund only, rejected, disputed, nothing awarded: the case", "D8", OutcomeKind.DISMISSED)
async def disputed_case_dismissed(world: World) -> Handle:
    case, dispute = await _intervened(world)
    await dispute.act_and_wait(Rule(key="r1", by=OFFICER, fault=Fault.BUYER, refund=Award.NOTHING, reason="goods_used"))
    return await ended(case)


@path("Dispute, jd: silence in working hours, fault proposed and confirmed", "D5", OutcomeKind.RULED)
async def dispute_proposed(world: World) -> Handle:
    case, dispute = await _intervened(world, "jd-pop", StageName.EVIDENCE_WORKING_HOURS)
    await forward(world, dispute, days=12)
    await at(world, dispute, StageName.RULING_OVERDUE)
    await dispute.act_and_wait(ConfirmProposal(key="r1", by=OFFICER, reason="merchant_silent"))
    await case.outcome()
    return dispute.handle


@path("Exchange, overdue, disputed, locked, resolved, re-shipped: the case", "D3", OutcomeKind.EXCHANGED)
async def exchange_locked_and_unlocked(world: World) -> Handle:
    await world.address()
    case = await returned(world, exchange=True)
    await case.act(AgreeReturn(key="c1", by=merchant(world.merchant)))
    parcel = Parcel(carrier="sf", tracking_no="T1")
    await case.act(EnterTracking(key="c2", by=buyer(world.buyer), parcel=parcel))
    await case.act(ConfirmReceipt(key="c3", by=merchant(world.merchant)))
    await quiet(case)
    await forward(world, case, hours=73)
    await at(world, case, StageName.RESHIP_OVERDUE)
    view = await case.act(OpenDispute(key="d1", by=buyer(world.buyer), reason=DisputeReason.EXCHANGE_NOT_RESHIPPED))
    dispute = world.aftersales.case(str(view.dispute))
    await at(world, case, StageName.LOCKED)
    await dispute.act_and_wait(Resolve(key="r1", by=buyer(world.buyer)))
    await at(world, case, StageName.RESHIP_OVERDUE)
    await case.act(Reship(key="c4", by=merchant(world.merchant), parcel=Parcel(carrier="sf", tracking_no="T2")))
    await signed(case, "f2", "T2")
    await forward(world, case, days=10, hours=1)
    return await ended(case)


@path("Dispute on an ended case, ruled: only the remainder is paid", "D8", OutcomeKind.REFUNDED)
async def dispute_of_ended_case(world: World) -> Handle:
    order_no = await world.shipped_order()
    refund = await world.refund(4_000, order_no=order_no)
    await at(world, refund, StageName.SHIPPED_REVIEW)
    await refund.act_and_wait(Approve(key="c1", by=merchant(world.merchant)))
    dispute = await _opened(world, order_no, about=refund.id)
    return await act(dispute, await _full(world, dispute))


@path("Dispute on an order without a case, nothing awarded", "D1", OutcomeKind.DISMISSED)
async def dispute_of_order(world: World) -> Handle:
    dispute = await _opened(world, await world.shipped_order(), about=None)
    return await act(dispute, Rule(key="r1", by=OFFICER, fault=Fault.BUYER, refund=Award.NOTHING, reason="no_fault"))


# What they share -----------------------------------------------------------------------------------------


async def _disputed(world: World, marketplace: str = "jd-pop") -> tuple[Case, Case]:
    """A refund that was rejected and disputed, and the dispute."""
    case = await world.refund(order_no=await world.shipped_order(marketplace=marketplace))
    await at(world, case, StageName.SHIPPED_REVIEW)
    rejected = Reject(
        key="c1", by=merchant(world.merchant), reason=RejectReason.GOODS_RECEIVED_AS_DESCRIBED, evidence=EVIDENCE
    )
    await case.act(rejected)
    view = await case.act(OpenDispute(key="c2", by=buyer(world.buyer), reason=DisputeReason.REFUND_REJECTED))
    dispute = world.aftersales.case(str(view.dispute))
    if marketplace != "douyin":  # D2
        await at(world, dispute, StageName.NEGOTIATION)
    await quiet(case)
    return case, dispute


async def _intervened(
    world: World, marketplace: str = "douyin", stage: StageName = StageName.EVIDENCE
) -> tuple[Case, Case]:
    case, dispute = await _disputed(world, marketplace)
    if marketplace != "douyin":
        await forward(world, dispute, hours=25)
    await at(world, dispute, stage)
    await at(world, case, StageName.LOCKED)
    return case, dispute


async def _opened(world: World, order_no: str, *, about: str | None) -> Case:
    dispute = await world.aftersales.open_dispute(
        DisputeRequest(
            request_key=world.fresh("k"),
            order_no=order_no,
            merchant_id=world.merchant,
            buyer_id=world.buyer,
            about=about,
            lines=(LineAmount(line="1", quantity=1, amount=10_000),),
            reason=RefundReason.NOT_AS_DESCRIBED,
            dispute_reason=DisputeReason.AMOUNT_TOO_LOW,
        )
    )
    await at(world, dispute, StageName.EVIDENCE)
    return dispute


async def _full(world: World, dispute: Case) -> Rule:
    await at(world, dispute, StageName.EVIDENCE)
    return Rule(key="r1", by=OFFICER, fault=Fault.MERCHANT, refund=Award.FULL, reason="not_as_described")
