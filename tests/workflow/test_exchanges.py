"""T8 and T9: goods against other goods, and when money takes their place."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from starter.client import Case
from tests.workflow.disputes import entry, in_list, opening, paid, refusal, rejection
from tests.workflow.goods import (
    accepting,
    agreed,
    delayed,
    direct_refund,
    money_instead,
    on_its_way,
    overdue,
    receipt,
    report,
    signed_for,
)
from tests.workflow.world import World, until
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import ConfirmExchange, Reship
from workflows.messages.money import Money
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.requests import RefundReason
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName, WorkList

pytestmark = pytest.mark.in_memory


Reached = Callable[[World, str], Awaitable[Case]]
"""Brings an exchange on this order to a stage."""


def reshipment(world: World, parcel: Parcel | None = None, key: str = "reship") -> Reship:
    return Reship(key=key, by=merchant(world.merchant), parcel=parcel or world.parcel())


def confirmation(world: World, key: str = "confirm") -> ConfirmExchange:
    return ConfirmExchange(key=key, by=buyer(world.buyer))


async def received(world: World, **request: Any) -> Case:
    """An exchange of which the merchant has the goods (T8)."""
    case, _ = await signed_for(world, exchange=True, **request)
    return case


async def late(world: World, **request: Any) -> Case:
    """An exchange that was not re-shipped in time (T8)."""
    case = await received(world, **request)
    await world.forward(case, hours=72, minutes=1)
    await world.at(case, StageName.RESHIP_OVERDUE)
    return case


async def reshipped(world: World, **request: Any) -> Case:
    """An exchange that the buyer is to confirm (T8)."""
    case = await received(world, **request)
    await case.act(reshipment(world))
    return case


async def at_agreed(world: World, order_no: str) -> Case:
    return await agreed(world, exchange=True, order_no=order_no)


async def at_in_transit(world: World, order_no: str) -> Case:
    return (await on_its_way(world, exchange=True, order_no=order_no))[0]


async def at_delayed(world: World, order_no: str) -> Case:
    return (await delayed(world, exchange=True, order_no=order_no))[0]


async def at_overdue(world: World, order_no: str) -> Case:
    return (await overdue(world, exchange=True, order_no=order_no))[0]


async def at_reshipment(world: World, order_no: str) -> Case:
    return await received(world, order_no=order_no)


async def at_reship_overdue(world: World, order_no: str) -> Case:
    return await late(world, order_no=order_no)


BEFORE_RECEIPT = [at_agreed, at_in_transit, at_delayed, at_overdue]
AFTER_RECEIPT = [at_reshipment, at_reship_overdue]


# T8: goods against goods ---------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_an_exchange_that_the_buyer_confirms(world: World) -> None:  # T8
    order_no = await world.shipped_order()
    case = await received(world, order_no=order_no)
    owed = await case.view()
    listed = await in_list(world, WorkList.RESHIPMENTS)
    parcel = world.parcel()

    sent = await case.act(reshipment(world, parcel))
    outcome = await case.act_and_wait(confirmation(world))

    assert (owed.kind, owed.stage, owed.on_silence) == (
        CaseKind.EXCHANGE,
        StageName.RESHIPMENT,
        Silence.RIGHT_TO_INTERVENTION,
    )
    assert listed == [case.id]
    assert sent.stage is StageName.EXCHANGE_UNDERWAY
    assert sent.due == sent.log[-1].at + timedelta(days=10)
    assert sent.log[-1].facts == {"carrier": parcel.carrier, "tracking_no": parcel.tracking_no}
    assert await world.notices(case, NoticeTemplate.EXCHANGE_SHIPPED) == 1
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.EXCHANGED, Role.BUYER, "T8")
    assert outcome.refunded == Money(amount=0, currency="CNY")
    assert await paid(world, order_no) == 0


async def test_an_exchange_that_was_signed_for_and_nobody_confirms_counts_as_confirmed(world: World) -> None:  # T8
    case = await received(world)
    parcel = world.parcel()
    await case.act(reshipment(world, parcel))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))

    await world.forward(case, days=9, hours=23)
    before = await case.view()
    await world.forward(case, hours=2)
    outcome = await case.outcome()

    assert (before.stage, before.on_silence) == (StageName.EXCHANGE_UNDERWAY, Silence.CLOSE_AS_EXCHANGED)
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.EXCHANGED, Role.CLOCK)
    assert await paid(world, before.order_no) == 0


async def test_the_72_hours_count_from_the_sign_off_however_late_it_is_told(world: World) -> None:  # T8
    case, parcel = await on_its_way(world, exchange=True)
    signed_at = await world.now(case)
    await world.forward(case, hours=30)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, signed_at)
    view = await world.at(case, StageName.RESHIPMENT)

    assert view.due == signed_at + timedelta(hours=72)


async def test_a_sign_off_that_is_told_after_the_72_hours_gives_the_right_at_once(world: World) -> None:  # T8
    case, parcel = await on_its_way(world, exchange=True)
    signed_at = await world.now(case)
    await world.forward(case, hours=80)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, signed_at)
    view = await world.at(case, StageName.RESHIP_OVERDUE)

    assert view.attention is Attention.RESHIP_OVERDUE


@pytest.mark.parametrize("reach", BEFORE_RECEIPT)
async def test_the_merchant_can_confirm_receipt_of_an_exchange(world: World, reach: Reached) -> None:
    """T5, T8: other goods are owed then, from now on, and no money."""
    case = await reach(world, await world.shipped_order())

    view = await case.act(receipt(world))

    assert view.stage is StageName.RESHIPMENT
    assert view.due == (await entry(case, "receipt_confirmed")).at + timedelta(hours=72)
    assert await paid(world, view.order_no) == 0


@pytest.mark.parametrize("reach", BEFORE_RECEIPT)
async def test_who_has_confirmed_receipt_of_an_exchange_cannot_reject_it(
    world: World, reach: Reached
) -> None:  # T6, T8
    case = await reach(world, await world.shipped_order())
    view = await case.act(receipt(world))

    why = await refusal(case, rejection(world))

    assert (why.code, why.field, why.rule) == ("receipt_confirmed", "command", "T6")
    assert (await case.view()).stage is view.stage is StageName.RESHIPMENT


async def test_an_exchange_that_only_the_carrier_calls_received_can_be_rejected(world: World) -> None:  # T6
    case = await received(world)

    view = await case.act(rejection(world))

    assert view.stage is StageName.RECEIPT_REJECTED


async def test_an_exchange_is_for_all_of_it(world: World) -> None:  # T8, T11
    case, _ = await on_its_way(world, exchange=True, quantity=2)

    why = await refusal(case, accepting(world, line_1=1))

    assert (why.code, why.field) == ("partial_exchange", "accepted")
    assert (await case.view()).stage is StageName.RETURN_IN_TRANSIT


async def test_reshipping_late_gives_the_buyer_a_right_and_decides_nothing(world: World) -> None:  # T8
    case = await received(world)
    early = await refusal(case, opening(world, "early"))

    await world.forward(case, hours=71)
    before = await case.view()
    await world.forward(case, hours=2)
    view = await world.at(case, StageName.RESHIP_OVERDUE)
    await world.forward(case, days=90)
    much_later = await case.view()

    assert early.code == "not_open"
    assert before.stage is StageName.RESHIPMENT
    assert (view.attention, view.due, view.outcome) == (Attention.RESHIP_OVERDUE, None, None)
    assert much_later == view
    assert {"open_dispute", "reship"} <= {each.name for each in view.commands}
    assert await world.notices(case, NoticeTemplate.DEADLINE_NEAR) == 1
    assert await world.notices(case, NoticeTemplate.INTERVENTION_OPEN) == 1
    assert await paid(world, view.order_no) == 0


async def test_the_merchant_may_still_reship_when_it_is_late(world: World) -> None:  # T8
    case = await late(world)

    view = await case.act(reshipment(world))
    outcome = await case.act_and_wait(confirmation(world))

    assert (view.stage, view.attention) == (StageName.EXCHANGE_UNDERWAY, None)
    assert outcome.outcome is OutcomeKind.EXCHANGED


async def test_what_the_carrier_says_of_the_new_goods_confirms_nothing(world: World) -> None:  # T8
    case = await received(world)
    parcel = world.parcel()
    sent = await case.act(reshipment(world, parcel))

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    await until(lambda: world.events(case), lambda events: events.count("goods_signed") == 2)
    view = await case.view()

    assert (view.stage, view.due) == (StageName.EXCHANGE_UNDERWAY, sent.due)


async def test_goods_of_an_exchange_that_are_not_as_agreed_are_rejected(world: World) -> None:  # T6, T8
    case = await received(world)

    rejected = await case.act(rejection(world))
    owed = await case.act(receipt(world))

    assert rejected.stage is StageName.RECEIPT_REJECTED
    assert owed.stage is StageName.RESHIPMENT
    assert owed.due == (await entry(case, "receipt_confirmed")).at + timedelta(hours=72)


async def test_an_exchange_that_is_rejected_ends_without_goods_or_money(world: World) -> None:  # T1, T8
    case = await world.returned(exchange=True)
    await case.act(rejection(world))

    await world.forward(case, days=7, minutes=1)
    outcome = await case.outcome()

    assert (outcome.kind, outcome.outcome) == (CaseKind.EXCHANGE, OutcomeKind.REJECTED)


async def test_silence_agrees_to_an_exchange(world: World) -> None:  # T1, T8
    await world.address()
    case = await world.returned(exchange=True)

    await world.forward(case, hours=48, minutes=1)
    view = await world.at(case, StageName.AWAITING_RETURN)

    assert view.kind is CaseKind.EXCHANGE
    assert await paid(world, view.order_no) == 0


async def test_an_exchange_can_be_refunded_directly(world: World) -> None:  # T1
    order_no = await world.shipped_order()
    case = await world.returned(exchange=True, order_no=order_no)

    outcome = await case.act_and_wait(direct_refund(world))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000


async def test_the_insurance_pays_for_an_exchange_as_well(world: World) -> None:  # T8, T10
    case = await received(world, order_no=await world.shipped_order(freight_insured=500))

    outcome = await world.aftersales.case(f"freight-insurance/{case.id}").outcome()

    assert outcome.compensated == Money(amount=500, currency="CNY")
    assert (await case.view()).stage is StageName.RESHIPMENT


# T9: money instead ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("buyer_first", [True, False])
@pytest.mark.parametrize("reach", [*BEFORE_RECEIPT, *AFTER_RECEIPT])
async def test_one_side_alone_changes_nothing(world: World, reach: Reached, buyer_first: bool) -> None:  # T9
    order_no = await world.shipped_order()
    case = await reach(world, order_no)
    before = await case.view()

    view = await case.act(money_instead(world, by_buyer=buyer_first))
    again = await refusal(case, money_instead(world, by_buyer=buyer_first).model_copy(update={"key": "again"}))

    assert (view.kind, view.stage, view.due, view.attention) == (
        CaseKind.EXCHANGE,
        before.stage,
        before.due,
        before.attention,
    )
    assert (again.code, again.rule) == ("said_before", "T9")
    assert await paid(world, order_no) == 0


@pytest.mark.parametrize("buyer_first", [True, False])
@pytest.mark.parametrize("reach", AFTER_RECEIPT)
async def test_goods_that_the_merchant_has_are_paid_back_once_both_agree(
    world: World, reach: Reached, buyer_first: bool
) -> None:  # T9
    order_no = await world.shipped_order()
    case = await reach(world, order_no)
    await case.act(money_instead(world, by_buyer=buyer_first))

    outcome = await case.act_and_wait(money_instead(world, by_buyer=not buyer_first))

    assert (outcome.kind, outcome.outcome, outcome.rule) == (CaseKind.RETURN, OutcomeKind.REFUNDED, "T9")
    assert outcome.decided_by is (Role.MERCHANT if buyer_first else Role.BUYER)
    assert await paid(world, order_no) == 10_000


@pytest.mark.parametrize("reach", BEFORE_RECEIPT)
async def test_an_exchange_that_both_turn_into_a_refund_still_wants_the_goods(world: World, reach: Reached) -> None:
    """T9: it goes on as a return, with the clock that runs; the receipt then pays."""
    order_no = await world.shipped_order()
    case = await reach(world, order_no)
    before = await case.view()
    await case.act(money_instead(world, by_buyer=True))

    view = await case.act(money_instead(world, by_buyer=False))
    paid_before = await paid(world, order_no)
    why = await refusal(case, money_instead(world, by_buyer=True).model_copy(update={"key": "again"}))
    outcome = await case.act_and_wait(receipt(world))

    assert (view.kind, view.stage, view.due) == (CaseKind.RETURN, before.stage, before.due)
    assert paid_before == 0
    assert (why.code, why.rule) == ("no_exchange", "T9")
    assert (outcome.kind, outcome.outcome) == (CaseKind.RETURN, OutcomeKind.REFUNDED)
    assert await paid(world, order_no) == 10_000


async def test_what_one_side_said_on_the_way_counts_when_the_other_agrees_later(world: World) -> None:  # T9
    case, parcel = await on_its_way(world, exchange=True)
    await case.act(money_instead(world, by_buyer=True))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    await world.at(case, StageName.RESHIPMENT)

    outcome = await case.act_and_wait(money_instead(world, by_buyer=False))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "T9")


async def test_a_converted_exchange_is_received_like_a_return(world: World) -> None:  # T6, T9
    case, parcel = await on_its_way(world, exchange=True)
    for by_buyer in (True, False):
        await case.act(money_instead(world, by_buyer=by_buyer))

    await case.act(report(parcel, ParcelEvent.SIGNED, await world.now(case), "p1"))
    view = await case.view()

    assert (view.stage, view.on_silence) == (StageName.RETURN_RECEIVED, Silence.REFUND)


@pytest.mark.on_servers
async def test_an_exchange_at_fault_pays_the_freight_of_what_was_sent_in(world: World) -> None:  # T8, T10
    case = await reshipped(world, reason=RefundReason.QUALITY_FAULT, freight_paid=800)

    outcome = await case.act_and_wait(confirmation(world))
    await world.aftersales.case(f"return-freight/{case.id}").outcome()

    assert outcome.outcome is OutcomeKind.EXCHANGED
    assert await world.compensated(f"return-freight/{case.id}") == 800


async def test_an_exchange_at_fault_that_is_converted_pays_the_freight(world: World) -> None:  # T9, T10
    case = await received(world, reason=RefundReason.DAMAGED, freight_paid=1_200)
    await case.act(money_instead(world, by_buyer=True))

    await case.act_and_wait(money_instead(world, by_buyer=False))
    await world.aftersales.case(f"return-freight/{case.id}").outcome()

    assert await world.compensated(f"return-freight/{case.id}") == 1_200


@pytest.mark.parametrize("by_buyer", [True, False])
async def test_only_an_exchange_that_was_agreed_and_not_yet_reshipped_is_converted(
    world: World, by_buyer: bool
) -> None:  # T9
    undecided = await world.returned(exchange=True)
    underway = await reshipped(world)

    for case in (undecided, underway):
        why = await refusal(case, money_instead(world, by_buyer=by_buyer))
        assert (why.code, why.field) == ("not_open", "command")


async def test_a_return_is_no_exchange(world: World) -> None:  # T9
    case, _ = await on_its_way(world)

    why = await refusal(case, money_instead(world, by_buyer=True))

    assert (why.code, why.rule) == ("no_exchange", "T9")
