"""R18: moments that others tell, held against what a case knows."""

from datetime import UTC, date, datetime, timedelta

import pytest

from activities.calendar import working_days
from activities.calendar.working_days import Calendar, Day
from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.errors import RefusedCommand, RefusedRequest
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import GATEWAY, buyer, merchant, officer
from workflows.messages.cases import CaseView
from workflows.messages.commands import (
    Approve,
    ClaimCompensation,
    Command,
    GatewayCallback,
    GatewayResult,
    MoveDeadline,
    ProveShipment,
    RecordManualTransfer,
    Reject,
    RejectReason,
    ShippingProof,
)
from workflows.messages.parcels import ParcelEvent
from workflows.messages.payouts import LegState
from workflows.messages.stages import OutcomeKind, StageName

OFFICER = officer("f-1")
LATE = timedelta(hours=60)


async def settling(world: World) -> tuple[Case, CaseView]:
    """A refund to a card that the gateway has accepted and does not make."""
    order_no = await world.order(tenders=[("card", "credit_card", 10_000)])
    await world.behave(Behaviour(mode=Mode.NEVER_SETTLE, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    return case, await world.at(case, StageName.SETTLING)


async def refused_line(case: Case) -> list[tuple[str, str]]:
    """What the case's log says of refused signals: the command and the code."""
    return [
        (str(entry.facts["command"]), str(entry.facts["code"]))
        for entry in await case.log()
        if entry.event == "command_refused"
    ]


async def refusal(case: Case, command: Command) -> tuple[str, str, str]:
    with pytest.raises(RefusedCommand) as refused:
        await case.act(command)
    told = refused.value.refusal
    return told.code, told.field, told.rule


# Callbacks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settled_at", "code"),
    [
        pytest.param("0001-01-01T00:00:00Z", "malformed", id="not set"),
        pytest.param("9999-12-31T23:59:59Z", "malformed", id="no end"),
        pytest.param("2099-01-01T00:00:00Z", "not_yet", id="in the future"),
        pytest.param("2001-01-01T00:00:00Z", "before_payment", id="before the order was paid"),
    ],
)
async def test_an_impossible_callback_is_a_line_in_the_log_and_the_right_one_is_taken(
    world: World, settled_at: str, code: str
) -> None:  # R18
    """Sent past the client, as a gateway's adapter in another language would."""
    case, view = await settling(world)
    number = view.legs[0].refund_no
    told = {"by": {"role": "gateway", "id": "gateway"}, "refund_no": number, "result": "succeeded"}

    await case.handle.signal("gateway_callback", {**told, "key": "cb1", "settled_at": settled_at})
    await until(lambda: refused_line(case), bool)
    stood = await case.view()
    paid_at = datetime.now(UTC)
    right = GatewayCallback(key="cb2", by=GATEWAY, refund_no=number, result=GatewayResult.SUCCEEDED, settled_at=paid_at)
    await world.aftersales.gateway_callback(right)
    outcome = await case.outcome()

    assert await refused_line(case) == [("gateway_callback", code)]
    assert (stood.stage, stood.due, stood.legs) == (view.stage, view.due, view.legs)
    assert (outcome.outcome, outcome.legs[0].settled_at) == (OutcomeKind.REFUNDED, paid_at)


async def test_a_failure_that_is_dated_in_whole_seconds_is_taken(world: World) -> None:  # R18
    case, view = await settling(world)
    sent_at = view.legs[0].submitted_at
    assert sent_at
    failed = GatewayCallback(
        key="cb1",
        by=GATEWAY,
        refund_no=view.legs[0].refund_no,
        result=GatewayResult.FAILED,
        failure="account_closed",
        settled_at=sent_at.replace(microsecond=0),
    )

    await world.aftersales.gateway_callback(failed)
    flagged = await world.at(case, StageName.PAYMENT_ATTENTION)

    assert (flagged.legs[0].state, flagged.legs[0].failure) == (LegState.FAILED, "account_closed")


# Deadlines ------------------------------------------------------------------------------------------------


async def test_no_deadline_is_set_beyond_what_the_policy_allows(world: World) -> None:  # R18, section 12
    case = await world.refund()
    view = await world.at(case, StageName.MERCHANT_REVIEW)
    now = await world.now(case)

    def move(days: int, key: str) -> MoveDeadline:
        return MoveDeadline(key=key, by=OFFICER, until=now + timedelta(days=days), reason="typhoon")

    assert await refusal(case, move(181, "m1")) == ("deadline_too_far", "until", "R18")
    assert (await case.view()).due == view.due
    assert (await case.act(move(179, "m2"))).due == now + timedelta(days=179)


class Unpublished(Calendar):
    """As on the last working days of a year, before the next one is published."""

    def day(self, day: date) -> Day:
        return Day(works=day.weekday() < 5, known=False)


async def test_the_deadline_of_a_payment_says_by_which_calendar_it_was_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:  # R5, section 9
    calendar = Unpublished()
    monkeypatch.setattr(working_days, "_chosen", [calendar])

    _, view = await settling(world)

    assert view.warnings == ("calendar_unknown_year",)
    assert view.clock
    assert view.clock.calendar == calendar.version
    assert view.clock.span.arrival == view.legs[0].arrives_until


# Transfers by hand ----------------------------------------------------------------------------------------


async def declined(world: World) -> Case:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    await world.at(case, StageName.PAYMENT_ATTENTION)
    return case


def by_hand(transferred_at: datetime) -> RecordManualTransfer:
    return RecordManualTransfer(
        key="t1", by=OFFICER, reason="card_closed", proof="bank:slip/1", transferred_at=transferred_at
    )


async def test_a_transfer_by_hand_is_booked_and_logged_as_of_when_it_was_made(world: World) -> None:  # R18
    case = await declined(world)
    made_at = (await world.now(case)).replace(microsecond=0) + timedelta(hours=3)
    await world.forward(case, days=2)

    outcome = await case.act_and_wait(by_hand(made_at))

    assert [leg.settled_at for leg in outcome.legs] == [made_at]
    assert outcome.closed_at > made_at + timedelta(days=1)
    assert (await case.log())[-1].facts["transferred_at"] == made_at.isoformat()


async def test_a_transfer_by_hand_has_been_made_and_not_before_the_payment(world: World) -> None:  # R18
    case = await declined(world)
    now = await world.now(case)

    for at, code in ((now + timedelta(hours=1), "not_yet"), (now - timedelta(days=31), "before_payment")):
        assert await refusal(case, by_hand(at)) == (code, "transferred_at", "R18")
    assert (await case.view()).stage is StageName.PAYMENT_ATTENTION


# Shipment -------------------------------------------------------------------------------------------------


async def test_a_proof_of_shipment_names_a_moment_after_the_payment(world: World) -> None:  # R18, R1
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    shipping = ShippingProof(
        carrier="sf", tracking_no=world.fresh("SF"), shipped_at=datetime.now(UTC) - timedelta(days=31)
    )
    rejection = Reject(
        key="r",
        by=merchant(world.merchant),
        reason=RejectReason.GOODS_SHIPPED,
        evidence=EVIDENCE,
        shipping=shipping,
    )

    assert await refusal(case, rejection) == ("before_payment", "shipping.shipped_at", "R18")
    assert (await case.view()).stage is StageName.MERCHANT_REVIEW


async def claimed(world: World) -> tuple[Case, str, datetime]:
    """Late shipment that the buyer has claimed: the case, the order, and when it was paid."""
    paid_at = datetime.now(UTC) - LATE
    order_no = await world.order(paid_at=paid_at)
    case = await world.aftersales.order_paid(order_no)
    await world.at(case, StageName.CLAIMABLE)
    await case.act(ClaimCompensation(key="claim", by=buyer(world.buyer)))
    return case, order_no, paid_at


def proof(world: World, at: datetime) -> ProveShipment:
    return ProveShipment(key="p", by=merchant(world.merchant), parcel=world.parcel(), shipped_at=at, evidence=EVIDENCE)


async def test_a_late_parcel_is_not_proved_to_have_been_in_time(world: World) -> None:  # R18, L2
    """What the order system has told of the order, before the case opened or since, stands."""
    case, order_no, paid_at = await claimed(world)
    in_time = proof(world, paid_at + timedelta(hours=40))
    await world.aftersales.logistics.order_shipped(order_no, world.parcel(), paid_at + timedelta(hours=55))
    await until(lambda: world.events(case), lambda events: "goods_shipped" in events)

    late_order = await world.order(paid_at=paid_at, shipped_at=paid_at + timedelta(hours=55))
    told_before = await world.aftersales.order_paid(late_order)
    await world.at(told_before, StageName.CLAIMABLE)
    await told_before.act(ClaimCompensation(key="claim", by=buyer(world.buyer)))

    for each in (case, told_before):
        assert await refusal(each, in_time) == ("known_otherwise", "shipped_at", "R18")
        assert (await each.view()).stage is StageName.CLAIM_REVIEW


async def test_nothing_ships_before_it_is_paid_whoever_says_so(world: World) -> None:  # R18, L2
    case, order_no, paid_at = await claimed(world)
    too_early = paid_at - timedelta(hours=1)

    with pytest.raises(RefusedRequest) as shop:
        await world.aftersales.logistics.order_shipped(order_no, world.parcel(), too_early)

    assert (shop.value.refusal.code, shop.value.refusal.field) == ("before_payment", "shipped_at")
    assert await refusal(case, proof(world, too_early)) == ("before_payment", "shipped_at", "R18")
    shipped_at = await world.pool.fetchval("SELECT shipped_at FROM shop.orders WHERE order_no = $1", order_no)
    assert shipped_at is None


async def test_what_happened_to_a_parcel_before_the_payment_is_another_parcels(world: World) -> None:  # R18, R7
    """Carriers use their numbers again."""
    paid_at = datetime.now(UTC) - timedelta(days=1)
    order_no = await world.order(paid_at=paid_at)
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    parcel = world.parcel()
    await world.carrier_tells(parcel, ParcelEvent.ON_DELIVERY_RUN, paid_at - timedelta(days=400))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, paid_at - timedelta(days=399))

    await world.aftersales.logistics.order_shipped(order_no, parcel, datetime.now(UTC))
    await world.at(case, StageName.RETURN_REVIEW)

    on_its_way = await world.pool.fetchval("SELECT on_delivery_run_at FROM shop.orders WHERE order_no = $1", order_no)
    assert on_its_way is None
    assert (await world.events(case)).count("goods_signed") == 0
    assert len((await world.aftersales.logistics.history(parcel)).events) == 3
