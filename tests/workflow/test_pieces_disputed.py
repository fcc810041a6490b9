"""R13, C6, D1: what is disputed beside other cases about the same pieces, and what a ruling makes of the pieces."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow import repairs
from tests.workflow.disputes import disputed, intervened, rejected_after_receipt, rejection, request, ruling
from tests.workflow.resends import CHARGER, asked, sent
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import ConfirmExchange, SendBack, Withdraw
from workflows.messages.parcels import ParcelEvent
from workflows.messages.requests import LineAmount, PriceFall, PriceProtectionRequest, RefundReason
from workflows.messages.rulings import Award
from workflows.messages.stages import OutcomeKind, StageName

pytestmark = pytest.mark.in_memory


async def sent_again(world: World, order_no: str) -> None:
    case, _ = await sent(world, order_no=order_no)
    await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))


async def ruled_on(world: World, case: Case, amount: int) -> None:
    dispute = await intervened(world, case)
    await dispute.act(ruling(Award.PARTIAL, amount))
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


# D1: whatever else the pieces are in --------------------------------------------------------------------


@pytest.mark.on_servers
async def test_who_sends_back_what_was_sent_again_may_have_the_platform_decide(world: World) -> None:  # C6, D1
    order_no = await world.shipped_order()
    await sent_again(world, order_no)
    case = await world.returned(order_no=order_no)
    await case.act(rejection(world))

    dispute = await intervened(world, case)
    await dispute.act(ruling())

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == 10_000


async def test_money_for_what_was_sent_again_is_the_platforms_to_give(world: World) -> None:  # C6, D1
    order_no = await world.shipped_order()
    await sent_again(world, order_no)

    dispute = await world.aftersales.open_dispute(request(world, order_no))

    await world.at(dispute, StageName.NEGOTIATION)


async def test_a_part_is_disputed_while_its_piece_comes_back(world: World) -> None:  # C6, D1
    order_no = await world.shipped_order()
    case = await asked(world, order_no=order_no, amount=900, parts=CHARGER)
    await world.returned(order_no=order_no)
    await case.act(rejection(world))

    await disputed(world, case)


@pytest.mark.on_servers
async def test_a_refund_is_disputed_while_its_piece_comes_back(world: World) -> None:  # R13, D1
    order_no = await world.shipped_order()
    case = await world.refund(order_no=order_no, reason=RefundReason.DAMAGED)
    await world.at(case, StageName.SHIPPED_REVIEW)
    returned = await world.returned(order_no=order_no)
    await case.act(rejection(world))

    await ruled_on(world, case, 4_000)
    outcome = await returned.act_and_wait(Withdraw(key="w", by=buyer(world.buyer)))

    assert outcome.outcome is OutcomeKind.WITHDRAWN
    assert await world.refunded(order_no) == 4_000


async def test_an_ended_case_is_not_disputed_about_pieces_that_others_have_since(world: World) -> None:  # R13
    order_no = await world.shipped_order()
    case = await world.refund(order_no=order_no, reason=RefundReason.DAMAGED)
    await case.act(Withdraw(key="w", by=buyer(world.buyer)))
    await world.returned(order_no=order_no, exchange=True)

    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open_dispute(request(world, order_no, about=case))

    assert caught.value.refusal.code == "quantity_too_high"


# R13, C6: what becomes of the pieces --------------------------------------------------------------------


async def rejected_part(world: World, order_no: str) -> Case:
    return await asked(world, order_no=order_no, amount=900, parts=CHARGER)


async def rejected_protection(world: World, order_no: str) -> Case:
    paid_at = datetime.now(UTC) - timedelta(days=3)
    fields = {
        "request_key": "k",
        "order_no": order_no,
        "merchant_id": world.merchant,
        "buyer_id": world.buyer,
        "lines": (LineAmount(line="1", quantity=1, amount=900),),
        "falls": (PriceFall(line="1", price=9_100, fell_at=paid_at + timedelta(hours=1)),),
    }
    return await world.aftersales.open_price_protection(PriceProtectionRequest.model_validate(fields))


@pytest.mark.parametrize("opened", [rejected_part, rejected_protection])
async def test_what_is_ruled_on_an_ended_case_adjusts_the_price_as_the_case_would(
    world: World, opened: Callable[[World, str], Awaitable[Case]]
) -> None:  # R13, C6, B2
    now = datetime.now(UTC)
    order_no = await world.order(paid_at=now - timedelta(days=3), shipped_at=now - timedelta(days=2))
    case = await opened(world, order_no)
    await case.act(rejection(world))
    await world.forward(case, days=7, hours=1)
    assert (await case.outcome()).outcome is OutcomeKind.REJECTED

    dispute = await world.aftersales.open_dispute(request(world, order_no, about=case, amount=900))
    await world.forward(dispute, hours=25)
    await world.at(dispute, StageName.EVIDENCE)
    await dispute.act(ruling())

    assert (await dispute.outcome()).outcome is OutcomeKind.REFUNDED
    mended = await repairs.opened(world, order_no=order_no, amount=9_100)
    await world.at(mended, StageName.REPAIR_REVIEW)


async def mended_and_sent(world: World) -> Case:
    return (await repairs.sent_back(world))[0]


async def rejected_and_sent_back(world: World) -> Case:
    case = await rejected_after_receipt(world)
    await case.act(SendBack(key="back", by=merchant(world.merchant), parcel=world.parcel()))
    return case


@pytest.mark.parametrize("opened", [mended_and_sent, rejected_and_sent_back])
async def test_what_goes_to_the_buyer_again_can_come_back_after_a_ruling_on_a_part(
    world: World, opened: Callable[[World], Awaitable[Case]]
) -> None:  # R13, M5, T15
    case = await opened(world)
    order_no = str((await case.view()).order_no)

    await ruled_on(world, case, 1_000)

    await world.returned(9_000, order_no=order_no, reason=RefundReason.QUALITY_FAULT)


async def test_what_the_buyer_has_not_taken_is_with_the_merchant(world: World) -> None:  # R13, T14
    case, parcel = await repairs.sent_back(world)
    order_no = str((await case.view()).order_no)
    dispute = await intervened(world, case)
    await world.carrier_tells(parcel, ParcelEvent.REFUSED, await world.now(case))
    await dispute.act(ruling(Award.PARTIAL, 1_000))
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED

    with pytest.raises(RefusedRequest) as caught:
        await world.returned(9_000, order_no=order_no, reason=RefundReason.QUALITY_FAULT)

    assert caught.value.refusal.code == "quantity_too_high"
