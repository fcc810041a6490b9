"""The profile ``eu``: withdrawal within 14 days, confirmed, refunded with its freight (G6)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow.goods import tracking
from tests.workflow.world import World
from workflows.messages.cases import NoticeTemplate
from workflows.messages.parcels import ParcelEvent
from workflows.messages.stages import OutcomeKind, StageName

pytestmark = pytest.mark.in_memory


async def delivered(world: World, *, days_ago: int, **changes: Any) -> str:
    """An order of the profile, signed for some days ago."""
    order_no = await world.order(marketplace="eu", currency="EUR", **changes)
    parcel, at = world.parcel(), datetime.now(UTC) - timedelta(days=days_ago)
    await world.aftersales.logistics.order_shipped(order_no, parcel, at - timedelta(days=2))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, at)
    return order_no


async def withdrawn(world: World, order_no: str, **changes: Any) -> Case:
    return await world.returned(order_no=order_no, reason="withdrawal", **changes)


async def test_a_withdrawal_is_confirmed_and_paid_with_its_freight(world: World) -> None:  # G6
    await world.address()
    order_no = await delivered(world, days_ago=13, freight=490)

    case = await withdrawn(world, order_no, freight=490)

    assert await world.notices(case, NoticeTemplate.REQUEST_CONFIRMED) == 1
    first = await world.at(case, StageName.RETURN_REVIEW)
    assert first.time_zone == "Europe/Berlin"
    await world.forward(case, hours=25)
    await world.at(case, StageName.AWAITING_RETURN)  # nobody has to agree to it
    parcel = world.parcel()
    await case.act(tracking(world, parcel))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    view = await world.at(case, StageName.RETURN_RECEIVED)
    assert view.application is not None
    assert view.due is not None
    assert view.due <= view.application.at + timedelta(days=14)  # CRD 13(1)
    await world.forward(case, days=14)
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == 10_490


async def test_goods_that_come_back_late_are_paid_for_at_once(world: World) -> None:  # G6: CRD 13(3)
    await world.address()
    case = await withdrawn(world, await delivered(world, days_ago=1))
    await world.forward(case, hours=25)
    parcel = world.parcel()
    await world.forward(case, days=13)
    await case.act(tracking(world, parcel))
    await world.forward(case, days=2)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    await world.forward(case, minutes=1)

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


async def test_after_fourteen_days_a_fault_can_still_be_asked_about(world: World) -> None:  # G2, G6
    order_no = await delivered(world, days_ago=20)

    with pytest.raises(RefusedRequest) as caught:
        await withdrawn(world, order_no)

    assert (caught.value.refusal.code, caught.value.refusal.rule) == ("window_over", "G2")


async def test_an_order_in_another_currency_is_none_of_the_profiles(world: World) -> None:  # G6
    order_no = await world.shipped_order(marketplace="eu", currency="USD")

    with pytest.raises(RefusedRequest) as caught:
        await withdrawn(world, order_no)

    assert (caught.value.refusal.code, caught.value.refusal.field) == ("wrong_currency", "order_no")


async def test_nobody_in_china_is_told_so(world: World) -> None:  # G6
    case = await world.returned()

    assert await world.notices(case, NoticeTemplate.REQUEST_CONFIRMED) == 0
