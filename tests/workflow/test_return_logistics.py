"""T3, T6, T7 and T10: goods on their way back, what carriers say of them, and what sending them costs."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import EventType

from activities.gateways.carrier_stub import Behaviour, CarrierStub, Mode
from starter.client import Case
from starter.errors import RefusedCommand, UnknownCase
from tests.workflow.disputes import entry, in_list, paid, refusal
from tests.workflow.goods import (
    agreed,
    agreement,
    delayed,
    direct_refund,
    extension,
    on_its_way,
    overdue,
    receipt,
    report,
    signed_for,
    tracking,
)
from tests.workflow.world import Working, World, until
from workflows.messages.actors import Role, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import CloseCase, MoveDeadline, RefundDirectly
from workflows.messages.money import Money
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.requests import RefundReason
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName, WorkList

pytestmark = pytest.mark.in_memory


OFFICER = officer("f-1")
FAULT = RefundReason.QUALITY_FAULT


async def times(world: World, case: Case, event: str) -> int:
    """How often the case log tells of ``event``."""
    return (await world.events(case)).count(event)


def insurance(world: World, case: Case) -> Case:
    return world.aftersales.case(f"freight-insurance/{case.id}")


def return_freight(world: World, case: Case) -> Case:
    return world.aftersales.case(f"return-freight/{case.id}")


# T3: the tracking number ---------------------------------------------------------------------------------


async def test_without_a_tracking_number_the_case_closes_after_7_days(world: World) -> None:  # T3
    case = await agreed(world)

    await world.forward(case, days=6, hours=23, minutes=59)
    before = await case.view()
    await world.forward(case, minutes=2)
    outcome = await case.outcome()

    assert (before.stage, before.on_silence) == (StageName.AWAITING_RETURN, Silence.CLOSE_NOT_RETURNED)
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.NOT_RETURNED, Role.CLOCK, "T3")
    assert await paid(world, before.order_no) == 0
    assert await world.notices(case, NoticeTemplate.CASE_CLOSED) == 2


async def test_with_a_tracking_number_the_merchant_awaits_the_goods(world: World) -> None:  # T3
    case = await agreed(world)
    parcel = world.parcel()

    view = await case.act(tracking(world, parcel, freight_paid=1_200))

    line = await entry(case, "tracking_entered")
    assert (view.stage, view.due) == (StageName.RETURN_IN_TRANSIT, line.at + timedelta(days=5))
    assert line.facts == {"carrier": parcel.carrier, "tracking_no": parcel.tracking_no, "freight_paid": 1_200}
    assert (await in_list(world, WorkList.AWAITING_RETURN), await in_list(world, WorkList.AWAITING_RECEIPT)) == (
        [],
        [case.id],
    )


@pytest.mark.on_servers
async def test_a_corrected_number_counts_and_the_mistyped_one_no_more(world: World) -> None:  # T3, T6
    case, mistyped = await on_its_way(world)
    before = await case.view()
    await world.forward(case, days=1)
    right = world.parcel()

    corrected = await case.act(tracking(world, right, "again"))
    await world.carrier_tells(mistyped, ParcelEvent.SIGNED, await world.now(case))
    await case.act(report(mistyped, ParcelEvent.SIGNED, await world.now(case), "told-anyway"))
    unmoved = await case.view()
    await world.carrier_tells(right, ParcelEvent.SIGNED, await world.now(case))
    received = await world.at(case, StageName.RETURN_RECEIVED)

    assert (corrected.stage, corrected.due) == (StageName.RETURN_IN_TRANSIT, before.due)
    assert unmoved.stage is StageName.RETURN_IN_TRANSIT
    assert received.log[-1].facts["tracking_no"] == right.tracking_no
    assert await times(world, case, "goods_signed") == 2  # the carrier's word on the mistyped one went nowhere


async def test_a_number_is_corrected_within_the_time_that_is_left(world: World) -> None:  # T3, T7
    case, _ = await delayed(world)
    before = await case.view()

    view = await case.act(tracking(world, world.parcel(), "again"))

    assert (view.stage, view.due) == (StageName.RETURN_DELAYED, before.due)


async def test_a_number_that_is_corrected_when_time_is_over_gives_new_time(world: World) -> None:  # T3, T6
    case, _ = await overdue(world)

    view = await case.act(tracking(world, world.parcel(), "again"))

    assert (view.stage, view.attention) == (StageName.RETURN_IN_TRANSIT, None)
    assert view.due == view.log[-1].at + timedelta(days=5)


# T6: sign-off, whenever it is told -----------------------------------------------------------------------


async def test_the_carriers_sign_off_brings_the_goods_to_the_merchant(world: World) -> None:  # T6
    case, parcel = await on_its_way(world)
    signed_at = await world.now(case)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, signed_at)
    view = await world.at(case, StageName.RETURN_RECEIVED)

    line = await entry(case, "goods_signed")
    assert (line.by.role, line.by.id) == (Role.CARRIER, parcel.carrier)
    assert (view.due, view.on_silence) == (signed_at + timedelta(days=10), Silence.REFUND)
    assert await world.notices(case, NoticeTemplate.RETURN_SIGNED) == 1
    assert await paid(world, view.order_no) == 0


@pytest.mark.on_servers
async def test_a_sign_off_before_the_number_is_entered_is_kept_and_matched(world: World) -> None:  # section 11, T6
    case = await agreed(world)
    parcel = world.parcel()
    signed_at = await world.now(case)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, signed_at)
    await world.forward(case, days=2)
    before = await case.view()

    await case.act(tracking(world, parcel))
    view = await world.at(case, StageName.RETURN_RECEIVED)

    assert before.stage is StageName.AWAITING_RETURN
    assert view.due == signed_at + timedelta(days=10)
    assert await world.events(case) == ["opened", "return_agreed", "tracking_entered", "goods_signed"]


@pytest.mark.parametrize("mistyped", [False, True])
async def test_a_sign_off_that_only_the_case_was_told_of_is_kept_as_well(world: World, mistyped: bool) -> None:
    """T6: before any number is entered, or while a mistyped one stands."""
    case = await agreed(world)
    parcel = world.parcel()
    if mistyped:
        await case.act(tracking(world, world.parcel(), "mistyped"))
    now = await world.now(case)
    await case.act(report(parcel, ParcelEvent.SIGNED, now, "p1"))
    early = await case.act(report(parcel, ParcelEvent.SIGNED, now - timedelta(days=3), "p0"))

    await case.act(tracking(world, parcel, "right"))
    view = await world.at(case, StageName.RETURN_RECEIVED)

    assert early.stage is (StageName.RETURN_IN_TRANSIT if mistyped else StageName.AWAITING_RETURN)
    assert view.due == now + timedelta(days=10)


@pytest.mark.on_servers
@pytest.mark.parametrize("told_first", [False, True])
async def test_a_sign_off_finds_its_parcel_however_the_number_was_typed(world: World, told_first: bool) -> None:  # T13
    number = world.fresh("SF")
    case = await agreed(world)
    entered = tracking(world, Parcel(carrier="SF", tracking_no=f"\u202d{number.lower()}\u202c"))
    signed = Parcel(carrier="sf", tracking_no=number.upper().replace("-", " "))
    if not told_first:
        await case.act(entered)

    await world.carrier_tells(signed, ParcelEvent.SIGNED, await world.now(case))
    if told_first:
        await case.act(entered)

    await world.at(case, StageName.RETURN_RECEIVED)


async def test_a_repeated_sign_off_changes_nothing(world: World) -> None:  # T6, T10
    order_no = await world.shipped_order(freight_insured=500)
    case, parcel = await on_its_way(world, order_no=order_no)
    signed_at = await world.now(case)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, signed_at, key=world.fresh("ev"))
    first = await world.at(case, StageName.RETURN_RECEIVED)

    again = world.fresh("ev")
    for _ in range(2):
        await world.carrier_tells(parcel, ParcelEvent.SIGNED, signed_at + timedelta(hours=1), key=again)
    await until(lambda: times(world, case, "goods_signed"), lambda count: count == 2)
    view = await case.view()
    await insurance(world, case).outcome()

    assert (view.stage, view.due) == (StageName.RETURN_RECEIVED, first.due)
    assert await world.notices(case, NoticeTemplate.RETURN_SIGNED) == 1
    assert await world.compensated(f"freight-insurance/{case.id}") == 500


@pytest.mark.on_servers
async def test_the_same_event_sent_twice_is_one(world: World) -> None:  # T6, section 11
    case, parcel = await on_its_way(world)
    key, signed_at = world.fresh("ev"), await world.now(case)

    for _ in range(3):
        await world.carrier_tells(parcel, ParcelEvent.SIGNED, signed_at, key=key)
    await world.at(case, StageName.RETURN_RECEIVED)
    await case.act_and_wait(receipt(world))

    assert await times(world, case, "goods_signed") == 1


async def test_events_may_come_out_of_order(world: World) -> None:  # T6
    case, parcel = await on_its_way(world)
    picked_up_at = await world.now(case)
    await world.forward(case, days=2)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    signed = await world.at(case, StageName.RETURN_RECEIVED)
    for event in (ParcelEvent.IN_TRANSIT, ParcelEvent.PICKED_UP, ParcelEvent.ON_DELIVERY_RUN):
        await world.carrier_tells(parcel, event, picked_up_at)
    view = await case.view()

    assert (view.stage, view.due) == (signed.stage, signed.due)


@pytest.mark.on_servers
async def test_what_was_signed_for_before_the_return_was_agreed_does_not_count(world: World) -> None:
    """T6: it is the order's own parcel, say, which the buyer has signed for."""
    parcel = world.parcel()
    await world.address()
    case = await world.returned()
    signed_at = await world.now(case)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, signed_at)
    await world.forward(case, hours=1)
    await case.act(agreement(world))

    await case.act(tracking(world, parcel))
    told_again = await case.act(report(parcel, ParcelEvent.SIGNED, signed_at, "p1"))
    await world.forward(case, days=5, minutes=1)
    await world.at(case, StageName.RETURN_DELAYED)
    await world.forward(case, days=5, minutes=1)
    view = await world.at(case, StageName.RETURN_OVERDUE)  # the carrier has been asked, and knew of nothing else

    assert told_again.stage is StageName.RETURN_IN_TRANSIT
    assert view.attention is Attention.RETURN_OVERDUE
    assert await paid(world, view.order_no) == 0


async def test_the_orders_own_parcel_is_not_the_return(world: World) -> None:  # T6, R7
    own, order_no = world.parcel(), await world.shipped_order()
    await world.aftersales.logistics.order_shipped(order_no, own, datetime.now(UTC))
    case, _ = await on_its_way(world, order_no=order_no)

    await world.carrier_tells(own, ParcelEvent.SIGNED, await world.now(case))
    await until(lambda: times(world, case, "goods_signed"), lambda count: count == 1)

    assert (await case.view()).stage is StageName.RETURN_IN_TRANSIT


# T6: the time is over ------------------------------------------------------------------------------------


async def keeping_quiet(world: World, parcel: Parcel, signed_at: datetime | None) -> None:
    """The carrier tells only who asks."""
    stub = CarrierStub(world.pool)
    await stub.set_behaviour(Behaviour(mode=Mode.ANNOUNCE_NEVER, tracking_no=parcel.tracking_no))
    if signed_at:
        await stub.set_journey(parcel, [(ParcelEvent.SIGNED, timedelta(0))], begins_at=signed_at)


@pytest.mark.on_servers
async def test_the_carrier_is_asked_before_a_person_is_called(world: World) -> None:  # T6
    case, parcel = await delayed(world)
    signed_at = await world.now(case) + timedelta(days=1)
    await keeping_quiet(world, parcel, signed_at)

    await world.forward(case, days=4, hours=23)
    before = await case.view()
    await world.forward(case, hours=2)
    view = await world.at(case, StageName.RETURN_RECEIVED)

    assert (before.stage, before.on_silence) == (StageName.RETURN_DELAYED, Silence.ASK_CARRIER)
    assert (view.attention, view.due) == (None, signed_at + timedelta(days=10))
    assert (await entry(case, "goods_signed")).by.role is Role.CLOCK
    assert await world.notices(case, NoticeTemplate.RETURN_SIGNED) == 1


@pytest.mark.on_servers
async def test_where_the_carrier_knows_nothing_a_person_is_called_and_nothing_paid(world: World) -> None:  # T6
    case, parcel = await delayed(world)
    await keeping_quiet(world, parcel, None)

    await world.forward(case, days=5, minutes=1)
    view = await world.at(case, StageName.RETURN_OVERDUE)
    await world.forward(case, days=60)
    later = await case.view()

    assert (view.attention, view.due, view.on_silence) == (Attention.RETURN_OVERDUE, None, Silence.NOTHING)
    assert later == view
    assert await world.notices(case, NoticeTemplate.ATTENTION_RAISED) == 1
    assert await in_list(world, WorkList.ATTENTION) == [case.id]
    assert await paid(world, view.order_no) == 0


@pytest.mark.on_servers
async def test_what_was_signed_for_before_the_return_was_agreed_does_not_count_when_asked(world: World) -> None:  # T6
    await world.address()
    case = await world.returned()
    signed_at = await world.now(case)
    await world.forward(case, hours=1)
    await case.act(agreement(world))
    parcel = world.parcel()
    await case.act(tracking(world, parcel))
    await world.forward(case, days=5, minutes=1)
    await world.at(case, StageName.RETURN_DELAYED)
    await keeping_quiet(world, parcel, signed_at)

    await world.forward(case, days=5, minutes=1)
    view = await world.at(case, StageName.RETURN_OVERDUE)

    assert view.attention is Attention.RETURN_OVERDUE


@pytest.mark.on_servers
async def test_a_carrier_that_cannot_be_reached_holds_nothing_up(world: World) -> None:  # T6
    case, parcel = await delayed(world)
    stub = CarrierStub(world.pool)
    await stub.set_behaviour(Behaviour(mode=Mode.UNREACHABLE, tracking_no=parcel.tracking_no))

    await world.forward(case, days=5, minutes=1)
    view = await world.at(case, StageName.RETURN_OVERDUE)

    assert view.attention is Attention.RETURN_OVERDUE


async def test_a_sign_off_that_comes_after_all_carries_the_case_on(world: World) -> None:  # T6
    case, parcel = await overdue(world)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    view = await world.at(case, StageName.RETURN_RECEIVED)

    assert view.attention is None


async def test_a_person_decides_on_a_lost_return(world: World) -> None:  # T1, T6
    order_no = await world.shipped_order()
    refunded, _ = await overdue(world, order_no=order_no)
    closed, _ = await overdue(world)

    paid_out = await refunded.act_and_wait(RefundDirectly(key="c1", by=OFFICER))
    unpaid = await closed.act_and_wait(CloseCase(key="c1", by=OFFICER, reason="never_sent", proof="ticket:7"))

    assert (paid_out.outcome, paid_out.decided_by) == (OutcomeKind.REFUNDED, Role.PLATFORM)
    assert await paid(world, order_no) == 10_000
    assert unpaid.outcome is OutcomeKind.CLOSED_BY_OFFICER


# T7: more time -------------------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_more_time_is_offered_when_5_days_have_passed_and_not_before(world: World) -> None:  # T7
    case, _ = await on_its_way(world)

    await world.forward(case, days=4, hours=23)
    early = await case.view()
    why = await refusal(case, extension(world, "early"))
    told_early = await world.notices(case, NoticeTemplate.EXTENSION_OFFERED)
    await world.forward(case, hours=2)
    view = await world.at(case, StageName.RETURN_DELAYED)

    assert (early.stage, early.on_silence) == (StageName.RETURN_IN_TRANSIT, Silence.OFFER_EXTENSION)
    assert (why.code, why.field, told_early) == ("not_open", "command", 0)
    assert view.due == (await entry(case, "extension_offered")).at + timedelta(days=5)
    assert await world.notices(case, NoticeTemplate.EXTENSION_OFFERED) == 1
    recipients = await world.pool.fetch(
        "SELECT DISTINCT recipient_id FROM notices.outbox WHERE case_id = $1 AND template = $2",
        case.id,
        NoticeTemplate.EXTENSION_OFFERED,
    )
    assert [row["recipient_id"] for row in recipients] == [world.merchant]


@pytest.mark.parametrize("days", [1, 4])
async def test_the_receipt_is_extended_by_3_days(world: World, days: int) -> None:  # T7
    """However early it is used: what was left stays, and the 3 days come on top."""
    case, _ = await delayed(world)
    offered = await case.view()
    await world.forward(case, days=days)

    view = await case.act(extension(world))
    await world.forward(case, days=7 - days, hours=23)
    before = await case.view()
    await world.forward(case, hours=2)
    await world.at(case, StageName.RETURN_OVERDUE)

    assert offered.due
    assert (view.stage, view.on_silence) == (StageName.RETURN_EXTENDED, Silence.ASK_CARRIER)
    assert view.due == offered.due + timedelta(days=3)
    assert before.stage is StageName.RETURN_EXTENDED


async def test_a_deadline_that_an_officer_has_set_is_extended_as_well(world: World) -> None:  # T7, section 12
    case, _ = await delayed(world)
    until = (await world.now(case)).replace(microsecond=0) + timedelta(days=9)
    await case.act(MoveDeadline(key="m", by=OFFICER, until=until, reason="storm"))

    view = await case.act(extension(world))

    assert view.due == until + timedelta(days=3)


async def test_the_receipt_is_extended_once(world: World) -> None:  # T7
    case, _ = await delayed(world)
    await case.act(extension(world))

    why = await refusal(case, extension(world, "again"))

    assert (why.code, why.field) == ("not_open", "command")


async def test_a_new_parcel_is_no_reason_to_extend_again(world: World) -> None:  # T7
    case, _ = await delayed(world)
    await case.act(extension(world))
    await world.forward(case, days=8, minutes=1)
    await world.at(case, StageName.RETURN_OVERDUE)
    await case.act(tracking(world, world.parcel(), "another"))
    await world.forward(case, days=5, minutes=1)
    before = await world.at(case, StageName.RETURN_DELAYED)

    why = await refusal(case, extension(world, "again"))

    assert (why.code, why.rule) == ("extended_before", "T7")
    assert await case.view() == before
    assert await world.notices(case, NoticeTemplate.EXTENSION_OFFERED) == 1


@pytest.mark.parametrize("extended", [False, True])
async def test_a_late_parcel_that_is_signed_for_goes_on(world: World, extended: bool) -> None:  # T6, T7
    case, parcel = await delayed(world)
    if extended:
        await case.act(extension(world))

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    view = await world.at(case, StageName.RETURN_RECEIVED)

    assert view.on_silence is Silence.REFUND


async def timers_fired(case: Case) -> int:
    events = [each.event_type async for each in case.handle.fetch_history_events()]
    return events.count(EventType.EVENT_TYPE_TIMER_FIRED)


@pytest.mark.on_servers
async def test_an_extension_in_the_last_second_counts(shop: World, working: Working) -> None:  # section 11, T7
    async with working():
        case, _ = await delayed(shop)
        await shop.forward(case, days=4, hours=23, minutes=58, seconds=58)
        fired = await timers_fired(case)
    await case.tell(extension(shop))
    await until(lambda: timers_fired(case), lambda count: count == fired + 1)

    async with working():
        view = await shop.at(case, StageName.RETURN_EXTENDED)

    assert view.due
    assert await times(shop, case, "return_overdue") == 0


async def test_an_extension_after_the_time_is_over_is_refused(world: World) -> None:  # section 11, T7
    case, _ = await overdue(world)

    why = await refusal(case, extension(world))

    assert why.code == "not_open"


# T10: what sending the goods back costs ------------------------------------------------------------------


async def payers(world: World, case: Case) -> list[str]:
    """Whose accounts the payments of a case were taken from."""
    rows = await world.pool.fetch("SELECT payer FROM ledger.legs WHERE case_id = $1", case.id)
    return [row["payer"] for row in rows]


@pytest.mark.on_servers
async def test_the_insurance_pays_at_sign_off_as_a_case_of_its_own(world: World) -> None:  # T10, L3
    order_no = await world.shipped_order(freight_insured=500)
    case, _ = await signed_for(world, order_no=order_no)

    outcome = await insurance(world, case).outcome()

    assert (outcome.kind, outcome.outcome, outcome.rule) == (
        CaseKind.FREIGHT_INSURANCE,
        OutcomeKind.COMPENSATED,
        "T10",
    )
    assert outcome.compensated
    assert (outcome.compensated.amount, outcome.refunded) == (500, Money(amount=0, currency="CNY"))
    assert await world.compensated(f"freight-insurance/{case.id}") == 500
    assert await payers(world, insurance(world, case)) == ["platform"]
    assert await paid(world, order_no) == 0
    assert (await case.view()).stage is StageName.RETURN_RECEIVED


@pytest.mark.on_servers
async def test_the_insurance_takes_nothing_of_the_orders_room(world: World) -> None:  # T10, L3, R8
    order_no = await world.shipped_order(freight_insured=500)
    case, _ = await signed_for(world, order_no=order_no, freight_paid=1_200, reason=FAULT)
    await insurance(world, case).outcome()

    outcome = await case.act_and_wait(receipt(world))
    freight = await return_freight(world, case).outcome()

    assert outcome.refunded == Money(amount=10_000, currency="CNY")
    assert freight.compensated == Money(amount=700, currency="CNY")
    assert await paid(world, order_no) == 10_000
    assert await payers(world, return_freight(world, case)) == ["merchant"]


@pytest.mark.parametrize(
    ("insured", "stated", "owed"),
    [
        pytest.param(0, 1_200, 1_200, id="what-was-stated"),
        pytest.param(0, 9_900, 2_500, id="no-more-than-the-policy-lets"),
        pytest.param(500, 9_900, 2_000, id="less-what-the-insurance-pays"),
    ],
)
async def test_at_fault_the_merchant_owes_the_return_freight(
    world: World, insured: int, stated: int, owed: int
) -> None:  # T10
    order_no = await world.shipped_order(freight_insured=insured)
    case, _ = await signed_for(world, order_no=order_no, freight_paid=stated, reason=FAULT)

    await case.act_and_wait(receipt(world))
    outcome = await return_freight(world, case).outcome()

    assert (outcome.kind, outcome.outcome) == (CaseKind.RETURN_FREIGHT, OutcomeKind.COMPENSATED)
    assert await world.compensated(f"return-freight/{case.id}") == owed
    assert await paid(world, order_no) == 10_000


@pytest.mark.on_servers
@pytest.mark.parametrize(
    ("insured", "stated", "reason"),
    [
        pytest.param(0, 1_200, RefundReason.NO_LONGER_WANTED, id="nobody-at-fault"),
        pytest.param(1_200, 1_200, FAULT, id="the-insurance-pays-all"),
        pytest.param(0, 0, FAULT, id="it-cost-nothing"),
    ],
)
async def test_otherwise_the_merchant_owes_no_freight(
    world: World, insured: int, stated: int, reason: RefundReason
) -> None:  # T10
    order_no = await world.shipped_order(freight_insured=insured)
    case, _ = await signed_for(world, order_no=order_no, freight_paid=stated, reason=reason)

    await case.act_and_wait(receipt(world))

    with pytest.raises(UnknownCase):
        await return_freight(world, case).view()


async def test_silence_after_sign_off_pays_the_freight_by_fault_as_well(world: World) -> None:  # T6, T10
    case, _ = await signed_for(world, freight_paid=1_200, reason=FAULT)

    await world.forward(case, days=10, minutes=1)
    await case.outcome()
    await return_freight(world, case).outcome()

    assert await world.compensated(f"return-freight/{case.id}") == 1_200


async def test_what_the_merchant_confirms_has_been_signed_for(world: World) -> None:  # T5, T10
    order_no = await world.shipped_order(freight_insured=500)
    case, _ = await on_its_way(world, order_no=order_no, freight_paid=1_200, reason=FAULT)

    await case.act_and_wait(receipt(world))
    await insurance(world, case).outcome()
    await return_freight(world, case).outcome()

    assert await world.compensated(f"freight-insurance/{case.id}") == 500
    assert await world.compensated(f"return-freight/{case.id}") == 700


@pytest.mark.on_servers
async def test_without_a_parcel_nothing_was_insured(world: World) -> None:  # T5, T10
    case = await agreed(world, order_no=await world.shipped_order(freight_insured=500))

    await case.act_and_wait(receipt(world))

    with pytest.raises(UnknownCase):
        await insurance(world, case).view()


@pytest.mark.on_servers
async def test_faulty_goods_that_were_lost_have_cost_the_buyer_freight(world: World) -> None:
    """T10: nobody signed for them, so that no insurance pays and nothing is taken off."""
    order_no = await world.shipped_order(freight_insured=500)
    case, _ = await overdue(world, order_no=order_no, freight_paid=1_200, reason=FAULT)

    await case.act_and_wait(direct_refund(world))
    await return_freight(world, case).outcome()

    assert await world.compensated(f"return-freight/{case.id}") == 1_200
    with pytest.raises(UnknownCase):
        await insurance(world, case).view()
    assert await paid(world, order_no) == 10_000


@pytest.mark.on_servers
async def test_the_orders_own_parcel_is_no_return(world: World) -> None:  # T3, T6
    """Else its sign-off, should it come late, would have silence refund goods that the buyer keeps."""
    order_no, outgoing = await world.shipped_order(), world.parcel()
    await world.aftersales.logistics.order_shipped(order_no, outgoing, datetime.now(UTC))
    case = await agreed(world, order_no=order_no)

    with pytest.raises(RefusedCommand) as refused:
        await case.act(tracking(world, outgoing))
    await world.carrier_tells(outgoing, ParcelEvent.SIGNED, await world.now(case))
    right = world.parcel()
    view = await case.act(tracking(world, right, key="right"))

    assert (refused.value.refusal.code, refused.value.refusal.field) == ("own_parcel", "parcel")
    assert view.stage is StageName.RETURN_IN_TRANSIT
