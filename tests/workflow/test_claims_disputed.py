"""L5: claims for late shipment that were answered as exempt or disproved can be disputed; no refund (L3)."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow.disputes import OFFICER, apart, request, ruling
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Approve, ClaimCompensation, ProveShipment, Rule
from workflows.messages.requests import DisputeReason, DisputeRequest, LineAmount
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import OutcomeKind, StageName
from workflows.rules.compensation import late_shipment_fund

pytestmark = pytest.mark.in_memory

OWED = 3_000
"""30 % of 100.00."""


async def disproved(world: World) -> tuple[Case, str]:
    """A claim that the merchant has answered with a parcel that had left in time (L2)."""
    order_no, case = await claimed(world)
    shipped = ProveShipment(
        key="prove",
        by=merchant(world.merchant),
        parcel=world.parcel(),
        shipped_at=datetime.now(UTC) - timedelta(hours=60),
        evidence=EVIDENCE,
    )
    await case.act_and_wait(shipped)
    return case, order_no


async def claimed(world: World) -> tuple[str, Case]:
    order_no = await world.order(paid_at=datetime.now(UTC) - timedelta(hours=72))
    case = await world.aftersales.order_paid(order_no)
    await world.at(case, StageName.CLAIMABLE)
    await case.act(ClaimCompensation(key="claim", by=buyer(world.buyer)))
    return order_no, case


def dispute_of(world: World, order_no: str, case: Case, compensation: int = OWED) -> DisputeRequest:
    why = DisputeReason.COMPENSATION_REFUSED
    return request(world, order_no, about=case, lines=(), compensation=compensation, dispute_reason=why)


async def test_a_disproved_claim_is_disputed_and_paid_from_what_late_shipment_owes(world: World) -> None:  # L3, L5, D8
    case, order_no = await disproved(world)
    assert (await case.outcome()).outcome is OutcomeKind.EXEMPT
    dispute = await apart(world, dispute_of(world, order_no, case))

    outcome = await dispute.act_and_wait(ruling())

    assert outcome.outcome is OutcomeKind.COMPENSATED
    assert outcome.compensated
    assert outcome.compensated.amount == OWED
    assert await world.compensated(late_shipment_fund(order_no)) == OWED
    assert await world.refunded(order_no) == 0


async def test_a_part_of_it_can_be_ruled(world: World) -> None:  # L5, D8
    case, order_no = await disproved(world)
    dispute = await apart(world, dispute_of(world, order_no, case))

    part = Rule(
        key="rule", by=OFFICER, fault=Fault.BOTH, refund=Award.PARTIAL, compensation=1_000, reason="shipped_late"
    )
    await dispute.act_and_wait(part)

    assert await world.compensated(late_shipment_fund(order_no)) == 1_000


async def test_the_merchants_silence_upholds_the_claim(world: World) -> None:  # L5, D4
    case, order_no = await disproved(world)
    dispute = await apart(world, dispute_of(world, order_no, case))

    await world.forward(dispute, hours=24, minutes=1)

    assert (await dispute.outcome()).outcome is OutcomeKind.COMPENSATED
    assert await world.compensated(late_shipment_fund(order_no)) == OWED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"compensation": OWED + 1}, "amount_too_high"),
        ({"compensation": 0, "lines": (LineAmount(line="1", quantity=1, amount=100),)}, "no_refund"),
    ],
)
async def test_nothing_else_is_disputed_of_a_claim(world: World, changes: dict[str, object], code: str) -> None:  # L5
    case, order_no = await disproved(world)

    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_dispute(dispute_of(world, order_no, case).model_copy(update=changes))

    assert (refused.value.refusal.code, refused.value.refusal.rule) == (code, "L5")


async def test_a_claim_that_was_paid_is_not_disputed(world: World) -> None:  # L5
    order_no, case = await claimed(world)
    await case.act_and_wait(Approve(key="pay", by=merchant(world.merchant)))

    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_dispute(dispute_of(world, order_no, case))

    assert refused.value.refusal.code == "not_answered"


async def test_a_claim_is_disputed_once(world: World) -> None:  # D10, L5
    case, order_no = await disproved(world)
    dispute = await apart(world, dispute_of(world, order_no, case))
    await dispute.act_and_wait(ruling(Award.NOTHING, fault=Fault.BUYER))

    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_dispute(dispute_of(world, order_no, case))

    assert refused.value.refusal.code == "ruled_before"


async def test_compensation_is_no_part_of_another_dispute(world: World) -> None:  # L3, L5
    order_no = await world.shipped_order()
    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_dispute(request(world, order_no, lines=(), compensation=100))
    assert refused.value.refusal.code == "no_compensation"


def test_a_dispute_claims_money_of_one_kind(world: World) -> None:  # L3, L5
    with pytest.raises(ValidationError, match="L5"):
        request(world, "O-1", compensation=100)
    with pytest.raises(ValidationError, match="R13"):
        request(world, "O-1", lines=())
