"""T14, T15: what was refused or went back was not received, and goods and money never both stay with the merchant."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from activities.gateways.carrier_stub import Behaviour, CarrierStub, Mode
from starter.client import Case
from tests.workflow.disputes import entry_of, intervened, opening, paid, refusal, rejection, resolution, ruling
from tests.workflow.goods import (
    agreement,
    delayed,
    direct_refund,
    money_instead,
    on_its_way,
    overdue,
    receipt,
    report,
    signed_for,
    tracking,
)
from tests.workflow.world import World, until
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.cases import CaseView, NoticeTemplate
from workflows.messages.commands import CloseCase, Command, ConfirmExchange, Reship, SendBack
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName

pytestmark = pytest.mark.in_memory


SIGNED, REFUSED, RETURNED = ParcelEvent.SIGNED, ParcelEvent.REFUSED, ParcelEvent.RETURNED_TO_WAREHOUSE

Arrange = Callable[..., Awaitable[tuple[Case, Parcel]]]


async def tells(world: World, case: Case, parcel: Parcel, *events: ParcelEvent, hours: float = 0) -> None:
    """The carrier tells of these events, an hour apart, the first so many hours from the case's now."""
    now = await world.now(case)
    for number, event in enumerate(events):
        await world.carrier_tells(parcel, event, now + timedelta(hours=hours + number))


async def asked_only(world: World, case: Case, parcel: Parcel, *events: ParcelEvent) -> None:
    """What the carrier has to tell whoever asks, and does not tell by itself."""
    stub = CarrierStub(world.pool)
    await stub.set_behaviour(Behaviour(mode=Mode.ANNOUNCE_NEVER, tracking_no=parcel.tracking_no))
    journey = [(event, timedelta(hours=number)) for number, event in enumerate(events)]
    await stub.set_journey(parcel, journey, begins_at=await world.now(case))


def called(view: CaseView) -> tuple[StageName, Attention | None, Silence]:
    return view.stage, view.attention, view.on_silence


# T14: goods that come back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [REFUSED, RETURNED])
@pytest.mark.parametrize("arrange", [on_its_way, delayed, overdue])
async def test_a_return_that_was_not_taken_calls_a_person_and_pays_nothing(
    world: World, arrange: Arrange, event: ParcelEvent
) -> None:
    order_no = await world.shipped_order(freight_insured=500)
    case, parcel = await arrange(world, order_no=order_no)

    await tells(world, case, parcel, event, SIGNED)  # the sender signs for what it gets back
    await until(lambda: world.events(case), lambda events: events[-1] == "goods_signed")
    await world.forward(case, days=30)
    view = await case.view()

    assert called(view) == (StageName.RETURN_REFUSED, Attention.RETURN_REFUSED, Silence.NOTHING)
    assert await world.notices(case, NoticeTemplate.ATTENTION_RAISED) >= 1
    assert await world.compensated(f"freight-insurance/{case.id}") == 0
    assert await paid(world, order_no) == 0


@pytest.mark.parametrize("exchange", [False, True])
async def test_a_refusal_that_is_told_late_takes_the_sign_off_back(world: World, exchange: bool) -> None:
    case, parcel = await on_its_way(world, exchange=exchange)
    await world.forward(case, hours=5)
    await tells(world, case, parcel, SIGNED)
    await world.at(case, StageName.RESHIPMENT if exchange else StageName.RETURN_RECEIVED)

    await tells(world, case, parcel, REFUSED, hours=-1)
    view = await world.at(case, StageName.RETURN_REFUSED)

    assert view.attention is Attention.RETURN_REFUSED


async def test_a_refusal_does_not_gainsay_the_merchants_own_word(world: World) -> None:
    case, parcel = await on_its_way(world, exchange=True)
    await case.act(receipt(world))

    await tells(world, case, parcel, REFUSED)
    await entry_of(world, case, "goods_refused")

    assert (await case.view()).stage is StageName.RESHIPMENT


async def test_what_came_back_before_its_number_was_entered_is_known_then(world: World) -> None:
    case, _ = await on_its_way(world)
    parcel = world.parcel()
    await tells(world, case, parcel, REFUSED, SIGNED)

    await case.act(tracking(world, parcel, "corrected"))

    await world.at(case, StageName.RETURN_REFUSED)


@pytest.mark.on_servers
async def test_the_carrier_that_is_asked_tells_that_it_came_back(world: World) -> None:
    case, parcel = await delayed(world)
    await asked_only(world, case, parcel, REFUSED, SIGNED)

    await world.forward(case, days=5, minutes=1)

    await world.at(case, StageName.RETURN_REFUSED)


@pytest.mark.on_servers
async def test_from_there_the_goods_are_sent_again(world: World) -> None:
    case, parcel = await on_its_way(world)
    await tells(world, case, parcel, REFUSED)
    await world.at(case, StageName.RETURN_REFUSED)
    again = world.parcel()

    underway = await case.act(tracking(world, again, "again"))
    await tells(world, case, again, SIGNED)
    received = await world.at(case, StageName.RETURN_RECEIVED)

    assert (underway.stage, underway.attention) == (StageName.RETURN_IN_TRANSIT, None)
    assert received.on_silence is Silence.REFUND


@pytest.mark.parametrize("act", [receipt, direct_refund])
async def test_from_there_the_merchant_may_still_pay(world: World, act: Callable[[World], Command]) -> None:
    order_no = await world.shipped_order()
    case, parcel = await on_its_way(world, order_no=order_no)
    await tells(world, case, parcel, RETURNED)
    await world.at(case, StageName.RETURN_REFUSED)

    outcome = await case.act_and_wait(act(world))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000


async def test_a_sign_off_after_a_refusal_under_the_lock_pays_no_insurance(world: World) -> None:  # D3, T10
    case, parcel = await overdue(world, order_no=await world.shipped_order(freight_insured=500))
    dispute = await intervened(world, case)
    now = await world.now(case)
    await case.act(report(parcel, REFUSED, now, "p1"))
    await case.act(report(parcel, SIGNED, now + timedelta(hours=1), "p2"))

    await dispute.act(ruling(Award.FULL))
    await case.outcome()

    assert await world.compensated(f"freight-insurance/{case.id}") == 0


# T14: goods that were to be stopped, or to be sent back ---------------------------------------------------------


async def to_be_stopped(world: World, marketplace: str) -> tuple[Case, Parcel]:
    """An order that shipped while its refund was asked for: the parcel is to be stopped, or must come back."""
    case = await world.refund(order_no=await world.order(marketplace=marketplace))
    parcel = world.parcel()
    await until(case.view, lambda view: view.stage is not StageName.OPENING)
    order_no = (await case.view()).order_no
    assert order_no
    await world.aftersales.logistics.order_shipped(order_no, parcel, await world.now(case))
    await until(lambda: world.events(case), lambda events: "goods_shipped" in events)
    return case, parcel


@pytest.mark.parametrize("marketplace", ["jd-pop", "jd-self"])
@pytest.mark.parametrize("late", [False, True])
async def test_a_stopped_parcel_that_is_refused_and_signed_for_calls_a_person(
    world: World, marketplace: str, late: bool
) -> None:  # R3, R7
    await world.address()
    case, parcel = await to_be_stopped(world, marketplace)
    if late:
        await world.forward(case, days=15, minutes=1)
        await world.at(case, StageName.ESCALATED)

    await tells(world, case, parcel, REFUSED, SIGNED)
    await until(case.view, lambda view: view.attention is Attention.GOODS_CONTRADICTED)
    await world.forward(case, days=60)
    view = await case.view()

    assert called(view) == (StageName.ESCALATED, Attention.GOODS_CONTRADICTED, Silence.NOTHING)
    assert await paid(world, view.order_no) == 0


@pytest.mark.parametrize("marketplace", ["jd-pop", "jd-self"])
async def test_a_refusal_that_is_told_after_the_sign_off_calls_a_person_too(
    world: World, marketplace: str
) -> None:  # R3, R7
    case, parcel = await to_be_stopped(world, marketplace)
    await tells(world, case, parcel, SIGNED)
    await world.at(case, StageName.RETURN_REVIEW)

    await tells(world, case, parcel, REFUSED)
    view = await world.at(case, StageName.RETURN_REFUSED)

    assert called(view) == (StageName.RETURN_REFUSED, Attention.RETURN_REFUSED, Silence.NOTHING)


async def test_who_is_found_to_have_a_contradicted_parcel_decides(world: World) -> None:  # R7
    case, parcel = await to_be_stopped(world, "jd-pop")
    await tells(world, case, parcel, REFUSED, SIGNED)
    await world.at(case, StageName.ESCALATED)

    await tells(world, case, parcel, RETURNED, hours=2)
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "R7")


@pytest.mark.parametrize("agreed", [False, True])
@pytest.mark.parametrize("event", [REFUSED, RETURNED])
async def test_what_the_buyer_has_never_taken_is_not_awaited_from_it(
    world: World, event: ParcelEvent, agreed: bool
) -> None:  # T3, T15: the merchant would have the goods and the money
    await world.address()
    case, parcel = await to_be_stopped(world, "douyin")
    await world.at(case, StageName.RETURN_REVIEW)
    if agreed:
        await case.act(agreement(world))

    await tells(world, case, parcel, event)
    view = await world.at(case, StageName.RETURN_REFUSED)
    await world.forward(case, days=30)
    outcome = await case.act_and_wait(receipt(world))

    assert called(view) == (StageName.RETURN_REFUSED, Attention.RETURN_REFUSED, Silence.NOTHING)
    assert outcome.outcome is OutcomeKind.REFUNDED


async def test_goods_that_the_buyer_has_all_the_same_can_still_come_back(world: World) -> None:  # T3, T6
    case, parcel = await to_be_stopped(world, "douyin")
    await world.at(case, StageName.RETURN_REVIEW)
    await tells(world, case, parcel, REFUSED)
    await world.at(case, StageName.RETURN_REFUSED)
    back = world.parcel()

    await case.act(tracking(world, back))
    await tells(world, case, back, SIGNED)

    await world.at(case, StageName.RETURN_RECEIVED)


# T14: goods of an exchange ---------------------------------------------------------------------------------


async def reshipped(world: World) -> tuple[Case, Parcel]:
    case, _ = await signed_for(world, exchange=True)
    parcel = world.parcel()
    await case.act(Reship(key="reship", by=merchant(world.merchant), parcel=parcel))
    return case, parcel


@pytest.mark.parametrize("events", [(REFUSED,), (RETURNED,), (REFUSED, SIGNED), (SIGNED, RETURNED)])
async def test_an_exchange_whose_goods_came_back_is_not_done(world: World, events: tuple[ParcelEvent, ...]) -> None:
    case, parcel = await reshipped(world)

    await tells(world, case, parcel, *events)
    await world.at(case, StageName.RESHIP_FAILED)
    await world.forward(case, days=30)

    assert called(await case.view()) == (StageName.RESHIP_FAILED, Attention.RESHIP_FAILED, Silence.NOTHING)


@pytest.mark.parametrize("by_buyer", [True, False])
async def test_who_wanted_money_before_the_goods_were_sent_says_so_anew(world: World, by_buyer: bool) -> None:  # T9
    case, _ = await signed_for(world, exchange=True)
    await case.act(money_instead(world, by_buyer=not by_buyer))
    parcel = world.parcel()
    await case.act(Reship(key="reship", by=merchant(world.merchant), parcel=parcel))
    await tells(world, case, parcel, REFUSED)
    await world.at(case, StageName.RESHIP_FAILED)

    await case.act(money_instead(world, by_buyer=by_buyer))

    assert (await case.view()).stage is StageName.RESHIP_FAILED
    assert await paid(world, (await case.view()).order_no) == 0


@pytest.mark.on_servers
@pytest.mark.parametrize("known", [(), (REFUSED, SIGNED)])
async def test_silence_on_goods_that_nobody_has_signed_for_calls_a_person(
    world: World, known: tuple[ParcelEvent, ...]
) -> None:
    case, parcel = await reshipped(world)
    await asked_only(world, case, parcel, *known)

    await world.forward(case, days=10, minutes=1)
    view = await world.at(case, StageName.RESHIP_FAILED)

    assert view.attention is Attention.RESHIP_FAILED


@pytest.mark.on_servers
async def test_the_carrier_is_asked_before_a_person_is_called(world: World) -> None:
    case, parcel = await reshipped(world)
    await asked_only(world, case, parcel, SIGNED)

    await world.forward(case, days=10, minutes=1)

    assert (await case.outcome()).outcome is OutcomeKind.EXCHANGED


async def test_lost_goods_are_found_sent_again_or_confirmed(world: World) -> None:
    found, parcel = await reshipped(world)
    again, _ = await reshipped(world)
    for case in (found, again):
        await world.forward(case, days=10, minutes=1)
        await world.at(case, StageName.RESHIP_FAILED)

    await tells(world, found, parcel, SIGNED)
    underway = await world.at(found, StageName.EXCHANGE_UNDERWAY)
    resent = await again.act(Reship(key="again", by=merchant(world.merchant), parcel=world.parcel()))
    confirmed = await again.act_and_wait(ConfirmExchange(key="c", by=buyer(world.buyer)))

    assert (underway.attention, resent.stage) == (None, StageName.EXCHANGE_UNDERWAY)
    assert confirmed.outcome is OutcomeKind.EXCHANGED


async def test_goods_that_did_not_arrive_are_turned_into_money(world: World) -> None:  # T9
    case, parcel = await reshipped(world)
    await tells(world, case, parcel, REFUSED)
    await world.at(case, StageName.RESHIP_FAILED)
    await case.act(money_instead(world, by_buyer=True))

    outcome = await case.act_and_wait(money_instead(world, by_buyer=False))

    assert outcome.outcome is OutcomeKind.REFUNDED


async def test_the_parcel_that_came_is_not_the_one_that_goes(world: World) -> None:
    """Its sign-off by the merchant would count as the buyer's."""
    case, parcel = await signed_for(world, exchange=True)

    why = await refusal(case, Reship(key="reship", by=merchant(world.merchant), parcel=parcel))

    assert (why.code, why.field) == ("own_parcel", "parcel")
    assert (await case.view()).stage is StageName.RESHIPMENT


# T15: goods that were rejected -------------------------------------------------------------------------------


def sent_back(world: World, parcel: Parcel, key: str = "back") -> SendBack:
    return SendBack(key=key, by=merchant(world.merchant), parcel=parcel)


async def rejected(world: World, *, exchange: bool = False) -> Case:
    case, _ = await signed_for(world, exchange=exchange)
    await case.act(rejection(world))
    return case


@pytest.mark.parametrize("exchange", [False, True])
async def test_silence_after_a_rejection_on_receipt_calls_a_person(world: World, exchange: bool) -> None:
    case = await rejected(world, exchange=exchange)

    await world.forward(case, days=7, minutes=1)
    view = await world.at(case, StageName.GOODS_HELD)
    await world.forward(case, days=60)

    assert view.attention is Attention.GOODS_HELD
    assert (await case.view()).outcome is None
    assert await world.notices(case, NoticeTemplate.ATTENTION_RAISED) == 1


@pytest.mark.parametrize("late", [False, True])
async def test_goods_that_go_back_and_are_signed_for_end_the_case(world: World, late: bool) -> None:
    case = await rejected(world)
    if late:
        await world.forward(case, days=7, minutes=1)
        await world.at(case, StageName.GOODS_HELD)
    parcel = world.parcel()

    view = await case.act(sent_back(world, parcel))
    await tells(world, case, parcel, SIGNED)
    await entry_of(world, case, "sent_back")
    await world.forward(case, days=10, minutes=1)
    outcome = await case.outcome()

    assert (view.stage, view.on_silence, view.attention) == (StageName.SENT_BACK, Silence.CLOSE_AS_REJECTED, None)
    assert await world.notices(case, NoticeTemplate.GOODS_SENT_BACK) == 1
    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REJECTED, "T15")
    assert await paid(world, view.order_no) == 0


@pytest.mark.parametrize("events", [(REFUSED,), ()])
async def test_goods_that_go_back_and_do_not_arrive_call_a_person(
    world: World, events: tuple[ParcelEvent, ...]
) -> None:
    case, parcel = await rejected(world), world.parcel()
    await case.act(sent_back(world, parcel))

    await tells(world, case, parcel, *events)
    if not events:
        await world.forward(case, days=10, minutes=1)
    view = await world.at(case, StageName.GOODS_HELD)
    closed = await case.act_and_wait(CloseCase(key="c", by=officer("f-1"), reason="destroyed", proof="ticket:7"))

    assert view.attention is Attention.GOODS_HELD
    assert closed.outcome is OutcomeKind.CLOSED_BY_OFFICER


@pytest.mark.parametrize("act", [receipt, direct_refund])
async def test_goods_that_the_merchant_keeps_are_paid_for(world: World, act: Callable[[World], Command]) -> None:
    case = await rejected(world)
    await world.forward(case, days=7, minutes=1)
    await world.at(case, StageName.GOODS_HELD)

    outcome = await case.act_and_wait(act(world))

    assert outcome.outcome is OutcomeKind.REFUNDED


async def test_a_dispute_stops_the_clock_of_the_rejection(world: World) -> None:  # D1
    case = await rejected(world)
    before = await case.view()
    await world.forward(case, days=6)

    disputed = await case.act(opening(world))
    assert disputed.dispute
    dispute = world.aftersales.case(disputed.dispute)
    await world.at(dispute, StageName.NEGOTIATION)
    await dispute.act(resolution(world))
    after = await world.at(case, StageName.RECEIPT_REJECTED)

    assert disputed.stage is StageName.DISPUTED
    assert before.due
    assert after.due
    assert after.due >= before.due


@pytest.mark.parametrize("when", ["signed for", "rejected", "not re-shipped"])
async def test_what_need_not_be_paid_for_goes_back(world: World, when: str) -> None:  # D8
    case, _ = await signed_for(world, exchange=when == "not re-shipped")
    if when == "rejected":
        await case.act(rejection(world))
    if when == "not re-shipped":
        await world.forward(case, hours=73)
        await world.at(case, StageName.RESHIP_OVERDUE)
    dispute = await intervened(world, case)
    await dispute.act(ruling(Award.NOTHING, fault=Fault.BUYER))

    view = await world.at(case, StageName.RECEIPT_REJECTED)
    again = await refusal(case, opening(world, "again"))
    parcel = world.parcel()
    await case.act(sent_back(world, parcel))
    await tells(world, case, parcel, SIGNED)
    await world.forward(case, days=10, minutes=1)
    outcome = await case.outcome()

    assert view.ruling
    assert again.code == "ruled_before"  # D10
    assert (outcome.outcome, outcome.ruling) == (OutcomeKind.DISMISSED, view.ruling)
    assert await paid(world, view.order_no) == 0


async def test_what_the_merchant_has_signed_for_under_the_lock_goes_back_as_well(world: World) -> None:  # D3
    case, parcel = await overdue(world)
    dispute = await intervened(world, case)
    await case.act(report(parcel, SIGNED, await world.now(case), "p1"))

    await dispute.act(ruling(Award.NOTHING, fault=Fault.BUYER))

    await world.at(case, StageName.RECEIPT_REJECTED)
