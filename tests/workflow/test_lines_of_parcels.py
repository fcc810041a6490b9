"""R15, R7, L1: a parcel is about the lines and pieces in it, and so is what happens to it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.postgres import orders
from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow.disputes import paid, refusal
from tests.workflow.goods import agreement, tracking
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.commands import Amend, ClaimCompensation, ProveShipment, Reject, RejectReason, ShippingProof
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.pieces import LineQuantity
from workflows.messages.requests import LineAmount, RefundReason
from workflows.messages.stages import CaseKind, OutcomeKind, StageName

NOW = datetime.now(UTC).replace(microsecond=0)
TWO_LINES = {"1": 6_000, "2": 4_000}


async def ships(
    world: World,
    order_no: str,
    lines: Mapping[str, int] | None = None,
    *,
    parcel: Parcel | None = None,
    at: datetime = NOW,
) -> Parcel:
    """A parcel leaves, with so many pieces of these lines."""
    parcel = parcel or world.parcel()
    named = [LineQuantity(line=line, quantity=pieces) for line, pieces in (lines or {}).items()]
    await world.aftersales.logistics.order_shipped(order_no, parcel, at, named)
    return parcel


def asking(*lines: tuple[str, int, int]) -> tuple[LineAmount, ...]:
    """Line, pieces and minor units."""
    return tuple(LineAmount(line=line, quantity=pieces, amount=amount) for line, pieces, amount in lines)


ON_ONE, ON_TWO = asking(("1", 1, 6_000)), asking(("2", 1, 4_000))


async def in_review(world: World, order_no: str, lines: tuple[LineAmount, ...]) -> Case:
    """An unshipped refund that the merchant is to decide on."""
    case = await world.refund(order_no=order_no, lines=lines)
    await world.at(case, StageName.MERCHANT_REVIEW)
    return case


async def standing(world: World, case: Case) -> StageName:
    """Where a case stands in the case book."""
    stage = await world.pool.fetchval("SELECT stage FROM casebook.cases WHERE case_id = $1", case.id)
    return StageName(stage)


# Which cases are told ------------------------------------------------------------------------------------


async def test_only_the_case_about_what_is_in_the_parcel_converts(world: World) -> None:  # R7, R15
    order_no = await world.order(lines=TWO_LINES)
    on_one, on_two = await in_review(world, order_no, ON_ONE), await in_review(world, order_no, ON_TWO)

    parcel = await ships(world, order_no, {"1": 1})
    await world.carrier_tells(parcel, ParcelEvent.ON_DELIVERY_RUN, NOW + timedelta(hours=1))
    await world.at(on_one, StageName.RETURN_REVIEW)
    await world.forward(on_two, hours=48, minutes=1)
    outcome = await on_two.outcome()

    assert (outcome.kind, outcome.outcome) == (CaseKind.UNSHIPPED_REFUND, OutcomeKind.REFUNDED)
    assert not [event for event in await world.events(on_two) if event.startswith("goods_")]
    assert await paid(world, order_no) == 4_000


async def test_what_is_signed_for_has_left_though_nobody_told_of_that(world: World) -> None:  # R7, R15
    order_no = await world.order(lines=TWO_LINES)
    on_one, on_two = await in_review(world, order_no, ON_ONE), await in_review(world, order_no, ON_TWO)
    parcel = await world.announced(order_no)
    async with world.pool.acquire() as connection:
        await orders.pack(connection, order_no, parcel, [LineQuantity(line="1", quantity=1)])

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, NOW)
    await world.at(on_one, StageName.RETURN_REVIEW)
    with pytest.raises(RefusedRequest) as refused:
        await world.returned(order_no=order_no, lines=ON_TWO)

    assert await standing(world, on_two) is StageName.MERCHANT_REVIEW
    assert refused.value.refusal.code == "not_shipped"


async def test_a_parcel_that_names_no_lines_is_about_all_of_the_order(world: World) -> None:  # R15
    order_no = await world.order(lines=TWO_LINES)
    cases = [await in_review(world, order_no, lines) for lines in (ON_ONE, ON_TWO)]

    await ships(world, order_no)

    for case in cases:
        await world.at(case, StageName.RETURN_REVIEW)


async def test_a_case_is_about_the_pieces_that_are_still_here(world: World) -> None:
    """R15: six of ten pieces ship: who wants four back can have those that are left, who wants five cannot."""
    order_no = await world.order(pieces=10)
    other_order = await world.order(pieces=10)
    four = await in_review(world, order_no, asking(("1", 4, 4_000)))
    five = await in_review(world, other_order, asking(("1", 5, 5_000)))

    await ships(world, order_no, {"1": 6})
    await ships(world, other_order, {"1": 6})
    await world.at(five, StageName.RETURN_REVIEW)

    assert await standing(world, four) is StageName.MERCHANT_REVIEW


async def test_lines_that_are_named_later_are_added_to_the_parcel(world: World) -> None:  # R15
    order_no = await world.order(lines=TWO_LINES)
    case = await in_review(world, order_no, ON_TWO)
    parcel = await ships(world, order_no, {"1": 1})
    before = await standing(world, case)

    await ships(world, order_no, {"2": 1}, parcel=parcel)
    await world.at(case, StageName.RETURN_REVIEW)

    assert before is StageName.MERCHANT_REVIEW


@pytest.mark.parametrize(
    ("lines", "code", "field"),
    [
        ((LineQuantity(line="1", quantity=1), LineQuantity(line="9", quantity=1)), "unknown_line", "lines.1.line"),
        ((LineQuantity(line="1", quantity=0),), "nothing_in_it", "lines.0.quantity"),
        ((LineQuantity(line="1", quantity=1), LineQuantity(line="1", quantity=1)), "line_twice", "lines.1.line"),
    ],
)
async def test_a_parcel_with_what_the_order_has_not_is_refused(
    world: World, lines: tuple[LineQuantity, ...], code: str, field: str
) -> None:  # R15
    order_no = await world.order(lines=TWO_LINES)
    case = await in_review(world, order_no, ON_ONE)

    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.logistics.order_shipped(order_no, world.parcel(), NOW, lines)

    assert (refused.value.refusal.code, refused.value.refusal.field, refused.value.refusal.rule) == (code, field, "R15")
    assert await standing(world, case) is StageName.MERCHANT_REVIEW
    assert not await world.pool.fetchval("SELECT count(*) FROM shop.parcel_lines WHERE order_no = $1", order_no)


# What a request finds ------------------------------------------------------------------------------------


async def test_a_request_is_shipped_or_not_by_its_own_lines(world: World) -> None:  # R1, R2, R4, R15
    order_no = await world.order(lines=TWO_LINES, freight=1_000)
    await ships(world, order_no, {"1": 1})

    shipped = await world.refund(order_no=order_no, lines=ON_ONE)
    unshipped = await world.refund(order_no=order_no, lines=ON_TWO, freight=1_000)

    assert (await world.at(shipped, StageName.SHIPPED_REVIEW)).kind is CaseKind.SHIPPED_REFUND
    assert (await world.at(unshipped, StageName.MERCHANT_REVIEW)).kind is CaseKind.UNSHIPPED_REFUND
    with pytest.raises(RefusedRequest) as refused:
        await world.refund(order_no=order_no, lines=ON_ONE, freight=1_000)
    assert refused.value.refusal.code == "freight_not_refundable"


async def test_what_has_not_been_sent_does_not_come_back(world: World) -> None:  # T1, R15
    order_no = await world.order(lines=TWO_LINES)
    await ships(world, order_no, {"1": 1})
    await world.returned(order_no=order_no, lines=ON_ONE)

    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_return(world.return_request(order_no, lines=ON_TWO))

    assert (refused.value.refusal.code, refused.value.refusal.field) == ("not_shipped", "lines.0.quantity")


async def test_a_return_is_not_amended_to_what_was_not_sent(world: World) -> None:  # T1, R6, R15
    order_no = await world.order(lines=TWO_LINES)
    await ships(world, order_no, {"1": 1})
    case = await world.returned(order_no=order_no, lines=ON_ONE)
    by = merchant(world.merchant)
    await case.act(Reject(key="r1", by=by, reason=RejectReason.OTHER, evidence=EVIDENCE))

    why = await refusal(case, Amend(key="a1", by=buyer(world.buyer), reason=RefundReason.DAMAGED, lines=ON_TWO))

    assert (why.code, why.field) == ("not_shipped", "lines.0.quantity")


async def test_a_cancellation_follows_its_own_goods(world: World) -> None:  # R3, R15
    order_no = await world.order(marketplace="jd-self", lines=TWO_LINES)
    on_one = await world.refund(order_no=order_no, lines=ON_ONE)
    on_two = await world.refund(order_no=order_no, lines=ON_TWO)
    await world.at(on_two, StageName.WAREHOUSE_REVIEW)

    await ships(world, order_no, {"1": 1})
    await world.at(on_one, StageName.INTERCEPTING)
    later = await world.refund(order_no=order_no, lines=ON_TWO)

    assert (await world.at(later, StageName.WAREHOUSE_REVIEW)).kind is CaseKind.CANCELLATION
    assert await standing(world, on_two) is StageName.WAREHOUSE_REVIEW


# Goods in several parcels --------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
async def test_goods_in_two_parcels_are_refunded_once_both_are_back(world: World, named: bool) -> None:  # R7, R15
    order_no = await world.order(marketplace="jd-pop", lines=TWO_LINES)
    case = await in_review(world, order_no, (*ON_ONE, *ON_TWO))
    first = await ships(world, order_no, {"1": 1} if named else {})
    second = await ships(world, order_no, {"2": 1} if named else {})
    await until(lambda: world.events(case), lambda events: events.count("goods_shipped") == 2)

    await world.carrier_tells(first, ParcelEvent.RETURNED_TO_WAREHOUSE, NOW + timedelta(days=1))
    await until(lambda: world.events(case), lambda events: "goods_returned_to_warehouse" in events)
    half_back = (await case.view()).stage, await paid(world, order_no)
    await world.carrier_tells(second, ParcelEvent.RETURNED_TO_WAREHOUSE, NOW + timedelta(days=2))
    outcome = await case.outcome()

    assert half_back == (StageName.PARCEL_INTERCEPT, 0)
    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "R7")
    assert await paid(world, order_no) == 10_000


async def test_a_cancellation_knows_the_parcels_that_left_before_it(world: World) -> None:  # R3, R15
    order_no = await world.order(marketplace="jd-self", lines=TWO_LINES)
    parcels = [await ships(world, order_no, {"1": 1}), await ships(world, order_no, {"2": 1})]
    case = await world.refund(order_no=order_no, lines=(*ON_ONE, *ON_TWO))
    await world.at(case, StageName.INTERCEPTING)

    await world.carrier_tells(parcels[0], ParcelEvent.RETURNED_TO_WAREHOUSE, NOW + timedelta(days=1))
    await until(lambda: world.events(case), lambda events: "goods_returned_to_warehouse" in events)
    half_back = (await case.view()).stage
    await world.carrier_tells(parcels[1], ParcelEvent.RETURNED_TO_WAREHOUSE, NOW + timedelta(days=2))
    outcome = await case.outcome()

    assert half_back is StageName.INTERCEPTING
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CARRIER)


# The parcel that proves a rejection ----------------------------------------------------------------------


def proven(world: World, parcel: Parcel, key: str = "p1", at: datetime = NOW) -> Reject:
    proof = ShippingProof(carrier=parcel.carrier, tracking_no=parcel.tracking_no, shipped_at=at)
    by = merchant(world.merchant)
    return Reject(key=key, by=by, reason=RejectReason.GOODS_SHIPPED, evidence=EVIDENCE, shipping=proof)


async def test_the_parcel_of_a_proof_is_watched(world: World) -> None:  # R1, R7, R15
    order_no, parcel = await world.order(marketplace="jd-pop"), world.parcel()
    case = await in_review(world, order_no, asking(("1", 1, 10_000)))
    await case.act(proven(world, parcel))
    await world.at(case, StageName.PARCEL_INTERCEPT)

    await world.carrier_tells(parcel, ParcelEvent.RETURNED_TO_WAREHOUSE, NOW + timedelta(days=1))
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "R7")
    assert await paid(world, order_no) == 10_000


async def test_what_was_told_of_the_parcel_of_a_proof_before_counts_once(world: World) -> None:  # R7, section 11
    await world.address()
    order_no, parcel = await world.order(marketplace="jd-pop"), world.parcel()
    key, at = world.fresh("ev"), NOW + timedelta(hours=1)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, at, key=key)
    case = await in_review(world, order_no, asking(("1", 1, 10_000)))

    await case.act(proven(world, parcel))
    await world.at(case, StageName.RETURN_REVIEW)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, at, key=key)  # the carrier calls again
    await world.carrier_tells(parcel, ParcelEvent.REFUSED, at + timedelta(minutes=1))
    events = await until(lambda: world.events(case), lambda events: "goods_refused" in events)

    assert events.count("goods_signed") == 1
    assert await paid(world, order_no) == 0


async def test_the_parcel_of_a_proof_is_not_the_one_that_comes_back(world: World) -> None:  # T3, R15
    await world.address()
    order_no, parcel = await world.order(), world.parcel()
    case = await in_review(world, order_no, asking(("1", 1, 10_000)))
    await case.act(proven(world, parcel))
    await case.act(agreement(world))

    why = await refusal(case, tracking(world, parcel))

    assert (why.code, why.field) == ("own_parcel", "parcel")


async def test_what_the_carrier_has_told_of_the_parcel_stands_against_the_proof(world: World) -> None:  # R1, R18
    order_no, parcel = await world.order(), world.parcel()
    left_at = NOW - timedelta(hours=1)
    await world.carrier_tells(parcel, ParcelEvent.SHIPPED, left_at)
    case = await in_review(world, order_no, asking(("1", 1, 10_000)))

    why = await refusal(case, proven(world, parcel, at=left_at - timedelta(seconds=1)))
    stood = await case.view()
    taken = await case.act(proven(world, parcel, "p2", at=left_at))

    assert (why.code, why.field, why.rule) == ("known_otherwise", "shipping.shipped_at", "R18")
    assert (stood.stage, stood.kind) == (StageName.MERCHANT_REVIEW, CaseKind.UNSHIPPED_REFUND)
    assert taken.stage is StageName.RETURN_REVIEW
    (rejected,) = [each for each in await case.log() if each.event == "rejected"]
    assert rejected.facts["evidence_1"]


@pytest.mark.parametrize(
    ("ordered", "packed", "wanted"),
    [
        pytest.param({"lines": TWO_LINES}, {"1": 1}, ON_TWO, id="another line"),
        pytest.param({"pieces": 10}, {"1": 6}, asking(("1", 4, 4_000)), id="other pieces"),
    ],
)
async def test_a_parcel_with_other_goods_proves_nothing(
    world: World, ordered: dict[str, Any], packed: dict[str, int], wanted: tuple[LineAmount, ...]
) -> None:  # R1, R15
    order_no = await world.order(**ordered)
    case = await in_review(world, order_no, wanted)
    others = await ships(world, order_no, packed)

    why = await refusal(case, proven(world, others))
    await world.forward(case, hours=48, minutes=1)
    outcome = await case.outcome()

    assert (why.code, why.field) == ("not_in_it", "shipping.tracking_no")
    assert (outcome.kind, outcome.outcome) == (CaseKind.UNSHIPPED_REFUND, OutcomeKind.REFUNDED)


async def test_the_orders_own_parcel_shows_that_it_has_shipped(world: World) -> None:  # R2
    order_no = await world.order()
    own = await ships(world, order_no)
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.SHIPPED_REVIEW)

    view = await case.act(proven(world, own))

    assert view.stage is StageName.REJECTED


# L1: shipped when all of it is ---------------------------------------------------------------------------


async def test_an_order_has_shipped_in_time_when_all_of_its_lines_have(world: World) -> None:  # L1, R15
    paid_at = datetime.now(UTC) - timedelta(hours=60)
    half, whole = [await world.order(lines=TWO_LINES, paid_at=paid_at) for _ in range(2)]
    for order_no in (half, whole):
        await ships(world, order_no, {"1": 1}, at=paid_at + timedelta(hours=1))
    await ships(world, whole, {"2": 1}, at=paid_at + timedelta(hours=2))

    late = await world.aftersales.order_paid(half)
    in_time = await world.aftersales.order_paid(whole)
    view = await world.at(late, StageName.CLAIMABLE)
    await late.act(ClaimCompensation(key="c1", by=buyer(world.buyer)))

    assert view.asked
    assert view.asked.amount == 3_000
    assert (await in_time.outcome()).outcome is OutcomeKind.SHIPPED_IN_TIME


async def test_a_line_that_ships_too_late_makes_the_order_late(world: World) -> None:  # L1, R15
    paid_at = datetime.now(UTC) - timedelta(hours=60)
    order_no = await world.order(lines=TWO_LINES, paid_at=paid_at)
    await ships(world, order_no, {"1": 1}, at=paid_at + timedelta(hours=1))
    await ships(world, order_no, {"2": 1}, at=paid_at + timedelta(hours=49))

    late = await world.aftersales.order_paid(order_no)

    await world.at(late, StageName.CLAIMABLE)


async def test_a_parcel_with_a_part_of_the_order_proves_nothing(world: World) -> None:  # L2, R15
    paid_at = datetime.now(UTC) - timedelta(hours=60)
    order_no = await world.order(lines=TWO_LINES, paid_at=paid_at)
    shipped_at = paid_at + timedelta(hours=1)
    known = await ships(world, order_no, {"1": 1}, at=shipped_at)
    case = await world.aftersales.order_paid(order_no)
    await world.at(case, StageName.CLAIMABLE)
    await case.act(ClaimCompensation(key="c1", by=buyer(world.buyer)))

    def proof(key: str, parcel: Parcel) -> ProveShipment:
        by = merchant(world.merchant)
        return ProveShipment(key=key, by=by, parcel=parcel, shipped_at=shipped_at, evidence=EVIDENCE)

    why = await refusal(case, proof("p1", known))
    still = await case.view()
    outcome = await case.act_and_wait(proof("p2", world.parcel()))  # of which nobody knows what is in it

    assert (why.code, why.field) == ("not_all_of_it", "parcel")
    assert (still.stage, still.outcome) == (StageName.CLAIM_REVIEW, None)
    assert outcome.outcome is OutcomeKind.EXEMPT
