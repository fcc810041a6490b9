"""T13: merchant, carrier and officer may enter the tracking number for the buyer, whose word stands."""

import pytest

from starter.client import Case
from starter.errors import NotYours
from tests.workflow.disputes import OFFICER, refusal
from tests.workflow.world import World
from workflows.messages.actors import Actor, Role, buyer, carrier, merchant
from workflows.messages.commands import AgreeReturn, EnterTracking
from workflows.messages.parcels import Parcel
from workflows.messages.stages import StageName

pytestmark = pytest.mark.in_memory

OTHERS = (Role.MERCHANT, Role.CARRIER, Role.PLATFORM)


def actor(world: World, role: Role) -> Actor:
    return {
        Role.BUYER: buyer(world.buyer),
        Role.MERCHANT: merchant(world.merchant),
        Role.CARRIER: carrier("sf"),
        Role.PLATFORM: OFFICER,
    }[role]


async def agreed(world: World, **order: object) -> Case:
    await world.address()
    case = await world.returned(order_no=await world.shipped_order(**order))
    await case.act(AgreeReturn(key="agree", by=merchant(world.merchant)))
    return case


@pytest.mark.parametrize("role", OTHERS)
async def test_others_may_enter_the_number_for_the_buyer(world: World, role: Role) -> None:  # T13
    case = await agreed(world)

    view = await case.act(EnterTracking(key="t", by=actor(world, role), parcel=world.parcel()))

    assert view.stage is StageName.RETURN_IN_TRANSIT
    assert view.log[-1].by.role is role


async def test_a_carrier_is_told_whose_number_there_is(world: World) -> None:  # T13
    case = await agreed(world)
    await case.act(EnterTracking(key="t1", by=actor(world, Role.MERCHANT), parcel=world.parcel()))

    refused = await refusal(case, EnterTracking(key="t2", by=actor(world, Role.CARRIER), parcel=world.parcel()))

    assert refused.explanation == "the merchant has entered another parcel, and the buyer may correct it"


@pytest.mark.parametrize("role", [Role.MERCHANT, Role.CARRIER])
async def test_the_buyers_own_number_is_not_replaced_by_others(world: World, role: Role) -> None:  # T13
    case = await agreed(world)
    await case.act(EnterTracking(key="t1", by=actor(world, Role.BUYER), parcel=world.parcel()))

    refused = await refusal(case, EnterTracking(key="t2", by=actor(world, role), parcel=world.parcel()))

    assert (refused.code, refused.rule) == ("number_of_buyer", "T13")


async def test_the_buyer_corrects_what_others_have_entered(world: World) -> None:  # T3, T13
    case = await agreed(world)
    await case.act(EnterTracking(key="t1", by=actor(world, Role.MERCHANT), parcel=world.parcel()))
    right = world.parcel()

    view = await case.act(EnterTracking(key="t2", by=actor(world, Role.BUYER), parcel=right, freight_paid=900))

    assert view.log[-1].facts["tracking_no"] == right.tracking_no
    assert view.log[-1].facts["freight_paid"] == 900


@pytest.mark.parametrize(
    ("said", "field"), [({"freight_paid": 900}, "freight_paid"), ({"refund_account": "vault:a/1"}, "refund_account")]
)
async def test_what_sending_has_cost_and_the_account_are_the_buyers_to_say(
    world: World, said: dict[str, object], field: str
) -> None:  # T4, T10, T13
    case = await agreed(world)
    entered = EnterTracking.model_validate(
        {"key": "t", "by": actor(world, Role.MERCHANT), "parcel": world.parcel(), **said}
    )
    if field == "refund_account":
        assert (await refusal(case, entered)).code in ("word_of_buyer", "not_cash_on_delivery")
    else:
        assert (await refusal(case, entered)).code == "word_of_buyer"


async def test_a_merchant_of_other_cases_enters_nothing(world: World) -> None:  # T13, section 12
    case = await agreed(world)
    stranger = EnterTracking(key="t", by=merchant("m-other"), parcel=Parcel(carrier="sf", tracking_no="T-9"))
    with pytest.raises(NotYours):
        await case.act(stranger)
