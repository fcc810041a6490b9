"""R7: goods that ship while a refund or a cancellation is open, by policy: a return, or an intercept."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from tests.workflow.disputes import entry, in_list, paid, refusal
from tests.workflow.goods import agreement, receipt, tracking
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import Role, buyer, merchant, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import (
    Approve,
    CloseCase,
    ConfirmReceipt,
    Reject,
    RejectReason,
    ShippingProof,
    Withdraw,
)
from workflows.messages.money import Money
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName, WorkList

pytestmark = pytest.mark.in_memory


OFFICER = officer("f-1")
SHIPPED_AT = datetime.now(UTC)


async def shipped_meanwhile(world: World, marketplace: str) -> tuple[Case, str, Parcel]:
    """An unshipped refund whose goods the shop then hands to a carrier, in the parcel that is told."""
    order_no = await world.order(marketplace=marketplace)
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    parcel = world.parcel()
    await world.aftersales.logistics.order_shipped(order_no, parcel, SHIPPED_AT)
    return case, order_no, parcel


async def intercepting(world: World) -> tuple[Case, str, Parcel]:
    """jd-pop: the parcel is to be stopped."""
    case, order_no, parcel = await shipped_meanwhile(world, "jd-pop")
    await world.at(case, StageName.PARCEL_INTERCEPT)
    return case, order_no, parcel


async def escalated(world: World) -> tuple[Case, str, Parcel]:
    """jd-pop: the parcel is not back in time."""
    case, order_no, parcel = await intercepting(world)
    await world.forward(case, days=15, minutes=1)
    await world.at(case, StageName.ESCALATED)
    return case, order_no, parcel


# Policy "return": douyin ---------------------------------------------------------------------------------


async def test_the_refund_becomes_a_return_on_which_the_merchant_decides(world: World) -> None:  # R7, T1
    case, order_no, parcel = await shipped_meanwhile(world, "douyin")

    view = await world.at(case, StageName.RETURN_REVIEW)

    line = await entry(case, "goods_shipped")
    assert (view.kind, view.on_silence) == (CaseKind.RETURN, Silence.AGREE_TO_RETURN)
    assert (view.due, view.asked) == (line.at + timedelta(hours=48), Money(amount=10_000, currency="CNY"))
    assert line.facts == {"carrier": parcel.carrier, "tracking_no": parcel.tracking_no}
    assert await world.notices(case, NoticeTemplate.GOODS_UNDERWAY) == 2
    assert await in_list(world, WorkList.RETURNS_TO_DECIDE) == [case.id]
    assert await paid(world, order_no) == 0


@pytest.mark.on_servers
async def test_the_goods_go_to_the_buyer_and_back_before_anything_is_paid(world: World) -> None:  # R7, T6
    await world.address()
    case, order_no, parcel = await shipped_meanwhile(world, "douyin")
    await world.at(case, StageName.RETURN_REVIEW)
    back = world.parcel()

    await case.act(agreement(world))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    await until(lambda: world.events(case), lambda events: "goods_signed" in events)
    with_buyer = await case.view()
    await case.act(tracking(world, back))
    await world.carrier_tells(back, ParcelEvent.SIGNED, await world.now(case))
    await world.at(case, StageName.RETURN_RECEIVED)
    paid_before = await paid(world, order_no)
    outcome = await case.act_and_wait(receipt(world))

    assert (with_buyer.stage, paid_before) == (StageName.AWAITING_RETURN, 0)
    assert (outcome.kind, outcome.outcome, outcome.rule) == (CaseKind.RETURN, OutcomeKind.REFUNDED, "T6")
    assert await paid(world, order_no) == 10_000


@pytest.mark.on_servers
async def test_shipping_that_is_told_twice_converts_once(world: World) -> None:  # R7
    case, order_no, parcel = await shipped_meanwhile(world, "douyin")
    before = await world.at(case, StageName.RETURN_REVIEW)
    await world.forward(case, hours=5)

    await world.aftersales.logistics.order_shipped(order_no, parcel, SHIPPED_AT)
    await world.carrier_tells(parcel, ParcelEvent.ON_DELIVERY_RUN, datetime.now(UTC))
    await until(lambda: world.events(case), lambda events: "goods_on_delivery_run" in events)
    after = await case.view()

    assert (after.stage, after.due) == (before.stage, before.due)
    assert await world.notices(case, NoticeTemplate.GOODS_UNDERWAY) == 2


async def test_goods_that_ship_once_the_money_is_in_flight_change_nothing(world: World) -> None:  # R7, section 11
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="approve", by=merchant(world.merchant)))
    await world.at(case, StageName.SETTLING)

    await world.aftersales.logistics.order_shipped(order_no, world.parcel(), SHIPPED_AT)
    log = await until(case.log, lambda log: log[-1].by.role is Role.CARRIER)
    view = await case.view()

    assert [line.by.role for line in log].count(Role.CARRIER) == 1
    assert (view.stage, view.kind) == (StageName.SETTLING, CaseKind.UNSHIPPED_REFUND)


async def first_word(world: World, marketplace: str, event: ParcelEvent) -> tuple[Case, str, Parcel]:
    """An unshipped refund of whose parcel the carrier first tells this: SHIPPED is late, or lost (R7)."""
    order_no = await world.order(marketplace=marketplace)
    case = await world.refund(order_no=order_no)
    parcel = await world.announced(order_no)
    await world.carrier_tells(parcel, event, await world.now(case))
    return case, order_no, parcel


@pytest.mark.parametrize("marketplace", ["douyin", "jd-pop"])
async def test_goods_that_are_signed_for_come_back_first(world: World, marketplace: str) -> None:  # R7, T1
    await world.address()
    case, order_no, _ = await first_word(world, marketplace, ParcelEvent.SIGNED)
    view = await world.at(case, StageName.RETURN_REVIEW)
    await case.act(agreement(world))
    unpaid = await paid(world, order_no)
    outcome = await case.act_and_wait(receipt(world))

    assert (view.kind, view.asked) == (CaseKind.RETURN, Money(amount=10_000, currency="CNY"))
    assert await world.notices(case, NoticeTemplate.GOODS_UNDERWAY) == 2
    assert (unpaid, outcome.outcome, await paid(world, order_no)) == (0, OutcomeKind.REFUNDED, 10_000)


@pytest.mark.parametrize("marketplace", ["douyin", "jd-pop"])
async def test_goods_that_are_refused_are_refunded_once_they_are_back(world: World, marketplace: str) -> None:  # R7
    case, order_no, parcel = await first_word(world, marketplace, ParcelEvent.REFUSED)
    await world.forward(case, hours=49)
    waiting = await world.at(case, StageName.PARCEL_INTERCEPT)
    unpaid = await paid(world, order_no)
    await world.carrier_tells(parcel, ParcelEvent.SHIPPED, await world.now(case))  # late
    await world.carrier_tells(parcel, ParcelEvent.RETURNED_TO_WAREHOUSE, await world.now(case))
    outcome = await case.outcome()

    assert (waiting.kind, waiting.on_silence) == (CaseKind.SHIPPED_REFUND, Silence.ESCALATE)
    assert (unpaid, outcome.outcome, await paid(world, order_no)) == (0, OutcomeKind.REFUNDED, 10_000)


async def test_goods_that_are_back_are_paid_back_at_once(world: World) -> None:  # R7
    case, order_no, _ = await first_word(world, "douyin", ParcelEvent.RETURNED_TO_WAREHOUSE)
    outcome = await case.outcome()

    assert (outcome.kind, outcome.outcome, outcome.rule) == (CaseKind.SHIPPED_REFUND, OutcomeKind.REFUNDED, "R7")
    assert await paid(world, order_no) == 10_000


async def test_a_sign_off_after_a_refusal_calls_a_person(world: World) -> None:  # R7, T14
    case, order_no, parcel = await first_word(world, "douyin", ParcelEvent.REFUSED)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    view = await world.at(case, StageName.ESCALATED)

    assert (view.attention, await paid(world, order_no)) == (Attention.GOODS_CONTRADICTED, 0)


async def test_a_parcel_says_nothing_of_freight_alone(world: World) -> None:  # R13
    order_no = await world.order(marketplace="douyin", freight=500)
    case = await world.refund(0, order_no=order_no, lines=(), freight=500)
    parcel = await world.announced(order_no)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))

    await world.at(case, StageName.MERCHANT_REVIEW)


# Policy "intercept": jd-pop ------------------------------------------------------------------------------


async def test_the_merchant_has_the_parcel_stopped_and_silence_refunds_nothing(world: World) -> None:  # R7
    case, order_no, _ = await intercepting(world)
    before = await case.view()

    await world.forward(case, days=14, hours=23)
    still = await case.view()

    assert (before.kind, before.on_silence) == (CaseKind.SHIPPED_REFUND, Silence.ESCALATE)
    assert before.due == (await entry(case, "goods_shipped")).at + timedelta(days=15)
    assert still.stage is StageName.PARCEL_INTERCEPT
    assert await world.notices(case, NoticeTemplate.GOODS_UNDERWAY) == 2
    assert await paid(world, order_no) == 0


async def test_proof_of_shipping_has_the_parcel_stopped_as_well(world: World) -> None:  # R1, R7
    order_no = await world.order(marketplace="jd-pop")
    case = await world.refund(order_no=order_no)
    proof = ShippingProof(carrier="sf", tracking_no="SF100", shipped_at=datetime.now(UTC))

    view = await case.act(
        Reject(
            key="c1",
            by=merchant(world.merchant),
            reason=RejectReason.GOODS_SHIPPED,
            evidence=EVIDENCE,
            shipping=proof,
        )
    )

    assert (view.stage, view.kind) == (StageName.PARCEL_INTERCEPT, CaseKind.SHIPPED_REFUND)


@pytest.mark.parametrize("late", [False, True])
async def test_an_intercepted_parcel_is_refunded_once_it_is_back(world: World, late: bool) -> None:  # R7
    case, order_no, parcel = await (escalated if late else intercepting)(world)

    await world.carrier_tells(parcel, ParcelEvent.REFUSED, await world.now(case))
    await until(lambda: world.events(case), lambda events: "goods_refused" in events)
    paid_before = await paid(world, order_no)
    await world.carrier_tells(parcel, ParcelEvent.RETURNED_TO_WAREHOUSE, await world.now(case))
    outcome = await case.outcome()

    assert paid_before == 0
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.CARRIER, "R7")
    assert await paid(world, order_no) == 10_000


@pytest.mark.parametrize("late", [False, True])
async def test_a_parcel_that_the_buyer_has_signed_for_must_come_back_first(world: World, late: bool) -> None:
    """R7, T1: the merchant decides on a return then, and silence refunds nothing."""
    await world.address()
    case, order_no, parcel = await (escalated if late else intercepting)(world)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    view = await world.at(case, StageName.RETURN_REVIEW)
    await world.forward(case, hours=48, minutes=1)
    await world.at(case, StageName.MERCHANT_OVERDUE)  # G3: jd-pop
    agreed = await case.act(agreement(world))

    assert (view.kind, view.attention) == (CaseKind.RETURN, None)
    assert view.due == view.log[-1].at + timedelta(hours=48)
    assert agreed.return_address
    assert await paid(world, order_no) == 0


async def test_a_parcel_that_is_neither_back_nor_signed_for_calls_a_person(world: World) -> None:  # R7
    case, order_no, _ = await escalated(world)
    view = await case.view()
    await world.forward(case, days=60)

    assert (view.attention, view.due, view.on_silence) == (Attention.INTERCEPT_OVERDUE, None, Silence.NOTHING)
    assert await world.notices(case, NoticeTemplate.ATTENTION_RAISED) == 1
    assert await case.view() == view
    assert await paid(world, order_no) == 0


async def test_a_person_decides_on_a_parcel_that_is_lost(world: World) -> None:  # R7
    approved, order_no, _ = await escalated(world)
    closed, unpaid_order, _ = await escalated(world)

    refunded = await approved.act_and_wait(Approve(key="c1", by=OFFICER))
    ended = await closed.act_and_wait(CloseCase(key="c1", by=OFFICER, reason="buyer_has_it", proof="ticket:7"))

    assert (refunded.outcome, refunded.decided_by) == (OutcomeKind.REFUNDED, Role.PLATFORM)
    assert await paid(world, order_no) == 10_000
    assert ended.outcome is OutcomeKind.CLOSED_BY_OFFICER
    assert await paid(world, unpaid_order) == 0


async def test_the_merchant_may_refund_without_waiting_for_the_parcel(world: World) -> None:  # R7
    case, order_no, _ = await intercepting(world)

    outcome = await case.act_and_wait(Approve(key="c1", by=merchant(world.merchant)))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "R7")
    assert await paid(world, order_no) == 10_000


async def test_the_buyer_may_keep_what_has_shipped(world: World) -> None:  # R6, R7
    case, order_no, _ = await intercepting(world)

    outcome = await case.act_and_wait(Withdraw(key="c1", by=buyer(world.buyer)))

    assert outcome.outcome is OutcomeKind.WITHDRAWN
    assert await paid(world, order_no) == 0


async def test_nothing_is_received_before_it_is_a_return(world: World) -> None:  # T5, R7
    case, _, _ = await intercepting(world)

    why = await refusal(case, ConfirmReceipt(key="c1", by=merchant(world.merchant)))

    assert (why.code, why.field) == ("not_open", "command")


@pytest.mark.on_servers
async def test_another_orders_parcel_says_nothing(world: World) -> None:  # R7
    case, order_no, _ = await intercepting(world)
    other, _, others = await intercepting(world)

    await world.carrier_tells(others, ParcelEvent.RETURNED_TO_WAREHOUSE, await world.now(other))
    await other.outcome()

    assert (await case.view()).stage is StageName.PARCEL_INTERCEPT
    assert await paid(world, order_no) == 0


# jd-self: a cancellation whose parcel the buyer signs for ------------------------------------------------


@pytest.mark.parametrize("late", [False, True])
async def test_a_cancelled_parcel_that_the_buyer_has_signed_for_becomes_a_return(world: World, late: bool) -> None:
    """R3, R7: whether it is being intercepted, or nobody has managed to for 15 days."""
    await world.address()
    order_no = await world.order(marketplace="jd-self")
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.WAREHOUSE_REVIEW)
    parcel = world.parcel()
    await world.aftersales.logistics.order_shipped(order_no, parcel, SHIPPED_AT)
    await world.at(case, StageName.INTERCEPTING)
    if late:
        await world.forward(case, days=15, minutes=1)
        await world.at(case, StageName.ESCALATED)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    view = await world.at(case, StageName.RETURN_REVIEW)
    await case.act(agreement(world))
    unpaid = await paid(world, order_no)
    outcome = await case.act_and_wait(receipt(world))

    assert (view.kind, view.attention, view.on_silence) == (CaseKind.RETURN, None, Silence.RIGHT_TO_INTERVENTION)
    assert await world.notices(case, NoticeTemplate.GOODS_UNDERWAY) == 2
    assert unpaid == 0
    assert (outcome.kind, outcome.outcome) == (CaseKind.RETURN, OutcomeKind.REFUNDED)
    assert await paid(world, order_no) == 10_000


@pytest.mark.on_servers
async def test_goods_that_ship_while_the_case_is_being_opened_are_not_missed(world: World) -> None:  # R7, section 11
    """The opening has read the order and cannot be seen yet: whoever ships finds nobody to tell."""
    await world.address()
    order_no = await world.order()
    async with world.pool.acquire() as holder:
        writing = holder.transaction()
        await writing.start()
        await holder.execute("LOCK TABLE casebook.cases IN EXCLUSIVE MODE")
        case = await world.refund(order_no=order_no)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'casebook.cases'::regclass"
        await until(lambda: world.pool.fetchval(waiting), lambda found: found > 0)
        await world.aftersales.logistics.order_shipped(order_no, world.parcel(), datetime.now(UTC))
        await writing.rollback()

    view = await world.at(case, StageName.RETURN_REVIEW)
    await world.forward(case, hours=49)
    await world.at(case, StageName.AWAITING_RETURN)

    assert view.kind is CaseKind.RETURN
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 0
