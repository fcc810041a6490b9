"""G1, G2: which reasons a profile takes, with what, and until when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from starter.errors import RefusedCommand, RefusedRequest
from tests.workflow.disputes import rejection
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import buyer, merchant
from workflows.messages.cases import Refusal
from workflows.messages.commands import Amend, DeclineProposal, Propose
from workflows.messages.parcels import ParcelEvent
from workflows.messages.proposals import AnotherAmount
from workflows.messages.requests import LineAmount
from workflows.messages.stages import StageName

pytestmark = pytest.mark.in_memory


async def refused(world: World, reason: str, *, returned: bool = False, **changes: Any) -> Refusal:
    """Why a request under cn-2026 is not opened, about a shipped order unless another is named."""
    order_no = changes.pop("order_no", None) or await world.shipped_order(marketplace="cn-2026")
    make = world.return_request if returned else world.refund_request
    request = make(order_no, reason=reason, **changes)
    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open(request)
    return caught.value.refusal


async def test_an_unknown_code_is_refused_with_the_list(world: World) -> None:  # G1
    refusal = await refused(world, "too_blue")

    assert (refusal.code, refusal.field, refusal.rule) == ("unknown_reason", "reason", "G1")
    assert {"damaged", "counterfeit", "not_received"} <= set(refusal.explanation.replace(",", "").split())


async def test_the_list_is_that_of_the_kind_and_of_what_was_received(world: World) -> None:  # G1
    only = await refused(world, "no_longer_wanted", goods_received=True)  # a refund without the goods
    back = await refused(world, "not_received", returned=True)

    assert only.code == back.code == "unknown_reason"
    assert "not_received" not in only.explanation  # the buyer has said that it has them
    assert "no_longer_wanted" in back.explanation


async def test_a_reason_that_needs_evidence(world: World) -> None:  # G1
    refusal = await refused(world, "damaged")
    case = await world.refund(
        order_no=await world.shipped_order(marketplace="cn-2026"), reason="damaged", evidence=EVIDENCE
    )

    assert (refusal.code, refusal.field, refusal.rule) == ("evidence_missing", "evidence", "G1")
    view = await world.at(case, StageName.SHIPPED_REVIEW)
    assert view.reason is not None
    assert (view.reason.label.zh, view.reason.label.en, view.reason.fault) == ("商品破损", "damaged", "merchant")


async def test_whoever_bears_the_freight_can_be_asked_for_it(world: World) -> None:  # G1, R4
    order_no = await world.shipped_order(marketplace="cn-2026", freight=800)

    await world.refund(order_no=order_no, freight=800, reason="not_received")  # cn-2026: the merchant's
    refusal = await refused(world, "other", order_no=order_no, freight=800)

    assert refusal.code == "freight_not_refundable"


async def test_an_amendment_is_looked_at_likewise(world: World) -> None:  # G1, R12
    order_no = await world.shipped_order(marketplace="cn-2026")
    case = await world.refund(order_no=order_no, reason="other")
    await world.at(case, StageName.SHIPPED_REVIEW)
    terms = AnotherAmount(lines=(LineAmount(line="1", quantity=1, amount=1_000),))
    await case.act(Propose(key="offer", by=merchant(world.merchant), terms=terms))  # N4: talk comes first
    await case.act(DeclineProposal(key="no", by=buyer(world.buyer), number=1))
    await case.act(rejection(world))
    lines = (LineAmount(line="1", quantity=1, amount=10_000),)
    refusals: list[Refusal] = []
    for number, reason in enumerate(("too_blue", "damaged")):
        amend = Amend(key=f"n{number}", by=buyer(world.buyer), reason=reason, lines=lines)
        with pytest.raises(RefusedCommand) as caught:
            await case.act(amend)
        refusals.append(caught.value.refusal)

    await case.act(Amend(key="n9", by=buyer(world.buyer), reason="damaged", lines=lines, evidence=EVIDENCE))

    assert [each.code for each in refusals] == ["unknown_reason", "evidence_missing"]
    view = await world.at(case, StageName.SHIPPED_REVIEW)
    assert view.reason is not None
    assert view.reason.code == "damaged"


@pytest.mark.parametrize(("days", "over"), [(6, False), (8, True)])
@pytest.mark.parametrize("signed", [True, False])
async def test_a_window_counts_from_the_sign_off_that_is_known(
    world: World, days: int, over: bool, signed: bool
) -> None:  # G2
    order_no = await world.order(marketplace="cn-2026")
    parcel = world.parcel()
    at = datetime.now(UTC) - timedelta(days=days)
    await world.aftersales.logistics.order_shipped(order_no, parcel, at - timedelta(days=2))
    if signed:
        await world.carrier_tells(parcel, ParcelEvent.SIGNED, at)

    if over and signed:
        refusal = await refused(world, "no_longer_wanted", order_no=order_no, returned=True)
        assert (refusal.code, refusal.rule) == ("window_over", "G2")
        await world.returned(order_no=order_no, reason="damaged", evidence=EVIDENCE)  # a fault has 15 days
    else:
        await world.returned(order_no=order_no)


@pytest.mark.on_servers
async def test_a_sign_off_is_known_in_our_copy_of_the_orders_too(world: World) -> None:  # G2
    order_no = await world.order(marketplace="cn-2026")
    parcel = world.parcel()
    at = datetime.now(UTC) - timedelta(days=8)
    await world.aftersales.logistics.order_shipped(order_no, parcel, at - timedelta(days=2))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, at)

    refusal = await refused(world, "no_longer_wanted", order_no=order_no, returned=True)

    assert (refusal.code, refusal.rule) == ("window_over", "G2")


async def test_the_usual_catalogue_takes_every_reason_with_everything(world: World) -> None:  # G1, R4
    case = await world.refund(order_no=await world.shipped_order(), reason="damaged")

    view = await world.at(case, StageName.SHIPPED_REVIEW)

    assert view.reason is not None
    assert (view.reason.evidence, view.reason.freight) == (False, "merchant")
