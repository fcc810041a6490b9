"""How the case of a story of the model is opened, and where the model begins."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starter.client import Case
from tests.proofs import rules_model as rules
from tests.proofs.moves import PAID, Setting
from tests.workflow.world import World
from workflows.messages.actors import Actor, Role
from workflows.messages.pauses import DeclareExemption, ExemptionReason
from workflows.messages.requests import LineAmount, MerchantRefundRequest, RefundReason
from workflows.messages.stages import StageName


@dataclass(frozen=True)
class Beginning:
    """An open case, from which fund it pays, and the model's stages and first stage."""

    case: Case
    fund: str
    stages: Mapping[str, rules.Stage]
    first: str
    exemption: str = "peak"


async def refund(world: World, setting: Setting) -> Beginning:
    """R1, R2, R3."""
    order_no = await _order(world, setting)
    case = await world.refund(setting.asked, order_no=order_no, reason=RefundReason.QUALITY_FAULT)
    if setting.profile == "jd-self":
        first = "outbound_review" if setting.outbound else "warehouse_review"
        return Beginning(case, f"order/{order_no}", rules.cancellation(), first)
    first = "shipped_review" if setting.shipped else "merchant_review"
    return Beginning(case, f"order/{order_no}", rules.refund(setting.profile, converts=not setting.shipped), first)


async def goods_back(world: World, setting: Setting) -> Beginning:
    """T1, T8."""
    order_no, exchange = await _order(world, setting), setting.kind == "exchange"
    reason = RefundReason.QUALITY_FAULT
    case = await world.returned(setting.asked, order_no=order_no, exchange=exchange, reason=reason)
    return Beginning(case, f"order/{order_no}", rules.returning(setting.profile, exchange=exchange), "return_review")


async def withdrawal(world: World, setting: Setting) -> Beginning:
    """A3."""
    del setting
    allowance = await world.allowance(spent=1_000)
    return Beginning(await world.withdrawal(allowance), f"allowance/{allowance}", rules.withdrawal(), "retention")


async def merchant_refund(world: World, setting: Setting) -> Beginning:
    """R9."""
    order_no = await _order(world, setting)
    request = MerchantRefundRequest(
        request_key=world.fresh("k"),
        order_no=order_no,
        merchant_id=world.merchant,
        lines=(LineAmount(line="1", quantity=1, amount=setting.asked),),
        reason=RefundReason.PRICE_ADJUSTMENT,
    )
    case = await world.aftersales.open_merchant_refund(request)
    return Beginning(case, f"order/{order_no}", rules.merchant_refund(), "officer_review")


async def late_shipment(world: World, setting: Setting) -> Beginning:
    """L1."""
    now = datetime.now(UTC)
    order_no = await _order(world, setting, paid_at=now - timedelta(hours=50))
    declared = DeclareExemption(
        id=world.fresh("peak"),
        reason=ExemptionReason.PROMOTION_PEAK,
        starts_at=now - timedelta(days=30),
        ends_at=now + timedelta(days=30),
        merchants=(world.merchant,),
        by=Actor(role=Role.PLATFORM, id="f-1"),
    )
    exemption = (await world.aftersales.declarations.declare_exemption(declared)).id
    case = await world.aftersales.order_paid(order_no)
    await world.at(case, StageName.CLAIMABLE)
    return Beginning(case, f"late-shipment/{order_no}", rules.late_shipment(), "claimable", exemption)


async def _order(world: World, setting: Setting, **more: Any) -> str:
    sent = datetime.now(UTC) - timedelta(days=5)
    facts: dict[str, Any] = {"marketplace": setting.profile, "lines": {"1": PAID}, **more}
    facts.setdefault("paid_at", sent - timedelta(days=1))
    if setting.outbound:
        facts["outbound_at"] = sent
    if setting.shipped:
        facts |= {"shipped_at": sent, "outbound_at": sent}
    return await world.order(**facts)


OPENED: Final[Mapping[str, Callable[[World, Setting], Awaitable[Beginning]]]] = {
    "refund": refund,
    "return": goods_back,
    "exchange": goods_back,
    "withdrawal": withdrawal,
    "merchant_refund": merchant_refund,
    "late_shipment": late_shipment,
}
