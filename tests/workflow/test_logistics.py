"""R7, T6, L1 and section 11: what carriers and shops tell of parcels, and which cases learn of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from activities.gateways.order_records import OrderChange
from activities.postgres import parcels
from activities.postgres.orders import PostgresOrders
from activities.postgres.parcels import EventKeyReused
from starter.client import Case
from starter.errors import NotCarried, UnknownOrder, Unreachable
from starter.recovery import stranded
from tests.workflow.world import World, until
from workflows.messages.actors import buyer, carrier, merchant
from workflows.messages.commands import AgreeReturn, EnterTracking, Withdraw
from workflows.messages.orders import OrderFacts
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent
from workflows.messages.requests import LineAmount
from workflows.messages.stages import CaseKind, OutcomeKind, StageName

NOW = datetime.now(UTC).replace(microsecond=0)


def minutes(count: float) -> datetime:
    """So many minutes after NOW."""
    return NOW + timedelta(minutes=count)


async def found(world: World, order_no: str) -> OrderFacts:
    """The order as the directory knows it."""
    order = await PostgresOrders(world.pool).find(order_no)
    assert order
    return order


async def reviewed(world: World, order_no: str, amount: int = 5_000) -> Case:
    """A refund that the merchant is to decide on, before anything has shipped."""
    case = await world.refund(amount, order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    return case


async def told(world: World, parcel: Parcel) -> list[tuple[ParcelEvent, datetime]]:
    """What is kept of a parcel."""
    history = await world.aftersales.logistics.history(parcel)
    assert history.parcel == parcel
    return [(each.event, each.happened_at) for each in history.events]


async def signals(case: Case) -> int:
    """How often the case was told something."""
    kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    return len([each async for each in case.handle.fetch_history_events() if each.event_type == kind])


async def logged(world: World, case: Case, event: str) -> list[str]:
    """The case log, once it tells of ``event``."""
    return await until(lambda: world.events(case), lambda events: event in events)


async def down(*_: Any, **__: Any) -> None:
    raise RPCError("no connection", RPCStatusCode.UNAVAILABLE, b"")


# Parcels -------------------------------------------------------------------------------------------------


async def test_what_is_told_of_a_parcel_that_nobody_knows_is_kept(world: World) -> None:  # section 11
    parcel = world.parcel()

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, minutes(5))
    await world.carrier_tells(parcel, ParcelEvent.PICKED_UP, minutes(1))

    assert await told(world, parcel) == [(ParcelEvent.PICKED_UP, minutes(1)), (ParcelEvent.SIGNED, minutes(5))]


async def test_the_first_word_under_a_key_stands(world: World) -> None:
    order_no = await world.order()
    case = await reviewed(world, order_no)
    parcel = world.parcel()
    await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, minutes(9), key=(key := world.fresh("ev")))
    await logged(world, case, "goods_signed")

    with pytest.raises(EventKeyReused):
        await world.carrier_tells(parcel, ParcelEvent.REFUSED, minutes(9), key=key)

    assert await told(world, parcel) == [(ParcelEvent.SHIPPED, minutes(0)), (ParcelEvent.SIGNED, minutes(9))]
    assert await signals(case) == 2


@pytest.mark.parametrize("event", [ParcelEvent.PICKED_UP, ParcelEvent.IN_TRANSIT])
async def test_what_no_rule_asks_about_is_kept_and_costs_the_case_nothing(world: World, event: ParcelEvent) -> None:
    order_no = await world.order()
    case = await reviewed(world, order_no)
    parcel = world.parcel()
    await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))
    before = await logged(world, case, "goods_shipped")

    await world.carrier_tells(parcel, event, minutes(1))

    assert (event, minutes(1)) in await told(world, parcel)
    assert await signals(case) == 1
    assert await world.events(case) == before


# An order's goods ----------------------------------------------------------------------------------------


async def test_an_order_that_ships_is_told_to_its_open_cases(world: World) -> None:  # R7
    order_no = await world.order()
    case = await reviewed(world, order_no)
    parcel = world.parcel()

    await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))
    view = await world.at(case, StageName.RETURN_REVIEW)

    assert (await found(world, order_no)).shipped_at == minutes(0)
    assert await told(world, parcel) == [(ParcelEvent.SHIPPED, minutes(0))]
    (entry,) = [each for each in view.log if each.event == "goods_shipped"]
    assert (entry.by, entry.facts["tracking_no"]) == (carrier("sf"), parcel.tracking_no)
    assert await world.refunded(order_no) == 0


async def test_shipping_that_is_told_twice_is_one(world: World) -> None:  # R7
    order_no = await world.order()
    case = await reviewed(world, order_no)
    parcel = world.parcel()

    for _ in range(2):
        await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))
    before = await told(world, parcel)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, minutes(60))
    events = await logged(world, case, "goods_signed")  # whatever came before has been looked at

    assert before == [(ParcelEvent.SHIPPED, minutes(0))]
    assert await signals(case) == 3
    assert events == ["opened", "goods_shipped", "goods_signed"]


async def test_an_order_may_ship_in_several_parcels(world: World) -> None:  # R7
    order_no = await world.order()
    case = await reviewed(world, order_no)
    first, second = world.parcel(), world.parcel()

    await world.aftersales.logistics.order_shipped(order_no, first, minutes(0))
    await world.aftersales.logistics.order_shipped(order_no, second, minutes(60))
    await until(lambda: world.events(case), lambda events: events.count("goods_shipped") == 2)

    assert (await found(world, order_no)).shipped_at == minutes(0)
    assert await told(world, second) == [(ParcelEvent.SHIPPED, minutes(60))]


async def test_a_parcel_ships_once(world: World) -> None:
    order_no, parcel = await world.order(), world.parcel()
    await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))

    with pytest.raises(EventKeyReused):
        await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(60))

    assert (await found(world, order_no)).shipped_at == minutes(0)
    assert await told(world, parcel) == [(ParcelEvent.SHIPPED, minutes(0))]


async def test_an_order_that_is_not_known_does_not_ship(world: World) -> None:
    parcel = world.parcel()

    with pytest.raises(UnknownOrder):
        await world.aftersales.logistics.order_shipped(world.fresh("o"), parcel, minutes(0))

    assert await told(world, parcel) == []
    async with world.pool.acquire() as connection:
        assert await parcels.watchers(connection, parcel) == ()


async def test_what_was_told_before_the_order_shipped_is_handed_on(world: World) -> None:  # R7, section 11
    order_no = await world.order()
    case = await reviewed(world, order_no)
    parcel = world.parcel()
    await world.carrier_tells(parcel, ParcelEvent.OUTBOUND, minutes(-5))
    await world.carrier_tells(parcel, ParcelEvent.ON_DELIVERY_RUN, minutes(90))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, minutes(120))

    await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))
    events = await logged(world, case, "goods_signed")

    assert sorted(events[1:]) == ["goods_on_delivery_run", "goods_outbound", "goods_shipped", "goods_signed"]
    order = await found(world, order_no)
    moments = (order.outbound_at, order.shipped_at, order.on_delivery_run_at)
    assert moments == (minutes(-5), minutes(0), minutes(90))


async def test_the_order_directory_learns_how_far_the_goods_are(world: World) -> None:  # R3
    order_no, parcel = await world.order(marketplace="jd-self"), world.parcel()
    await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))

    await world.carrier_tells(parcel, ParcelEvent.ON_DELIVERY_RUN, minutes(30))
    case = await world.refund(order_no=order_no)

    assert (await found(world, order_no)).on_delivery_run_at == minutes(30)
    await world.at(case, StageName.INTERCEPTING)


@pytest.mark.parametrize(
    ("event", "stage"),
    [
        (ParcelEvent.IN_TRANSIT, StageName.RETURN_REVIEW),
        (ParcelEvent.SIGNED, StageName.RETURN_REVIEW),
        (ParcelEvent.REFUSED, StageName.PARCEL_INTERCEPT),
    ],
)
async def test_whatever_word_of_a_carrier_comes_first_nothing_is_refunded_blindly(
    world: World, event: ParcelEvent, stage: StageName
) -> None:
    """R7, R1, T1, L1: what the carrier tells first of the parcel may be how its journey went on, or ended."""
    order_no = await world.order(paid_at=minutes(-3_600))
    case = await reviewed(world, order_no, 10_000)
    parcel = await world.announced(order_no)

    await world.carrier_tells(parcel, event, minutes(-3_000))
    await world.at(case, stage)
    await world.forward(case, hours=49)

    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 0
    assert (await found(world, order_no)).on_delivery_run_at == minutes(-3_000)


async def test_what_the_order_system_says_of_the_order_itself_is_told_to_its_cases(world: World) -> None:  # R7, X2
    order_no = await world.order()
    case = await reviewed(world, order_no)
    order = await found(world, order_no)
    known = order.model_dump(
        mode="json", include={"order_no", "marketplace", "merchant_id", "buyer_id", "currency", "freight", "paid_at"}
    )
    lines = [each.model_dump(include={"line", "sku", "quantity", "paid"}) for each in order.lines]
    tenders = [each.model_dump(mode="json", include={"tender", "kind", "paid"}) for each in order.tenders]
    change = {**known, "lines": lines, "tenders": tenders, "version": 1, "shipped_at": minutes(-5).isoformat()}

    for _ in range(2):
        await world.aftersales.orders.take(change)
    await world.at(case, StageName.RETURN_REVIEW)
    await world.forward(case, hours=49)

    (line,) = [each for each in await case.log() if each.event == "goods_shipped"]
    assert line.facts == {"carrier": "directory", "tracking_no": "UNKNOWN"}
    assert await world.refunded(order_no) == 0


async def test_an_order_that_was_signed_for_has_shipped(world: World) -> None:
    """R2, T1, L1: whether or not the carrier has told of its way there."""
    order_no = await world.order(paid_at=minutes(-3_600), lines={"1": 6_000, "2": 4_000})
    await world.carrier_tells(await world.announced(order_no), ParcelEvent.SIGNED, minutes(-3_000))

    refund = await world.refund(order_no=order_no, lines=(LineAmount(line="1", quantity=1, amount=6_000),))
    back = await world.returned(order_no=order_no, lines=(LineAmount(line="2", quantity=1, amount=4_000),))
    late = await world.aftersales.order_paid(order_no)

    await world.at(refund, StageName.SHIPPED_REVIEW)
    await world.at(back, StageName.RETURN_REVIEW)
    assert (await late.outcome()).outcome is OutcomeKind.SHIPPED_IN_TIME


async def test_later_scans_on_the_way_cost_the_case_nothing(world: World) -> None:  # R7
    order_no = await world.order()
    case = await reviewed(world, order_no)
    parcel = await world.announced(order_no)

    for minute in range(3):
        await world.carrier_tells(parcel, ParcelEvent.IN_TRANSIT, minutes(minute - 60))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, minutes(0))

    assert await logged(world, case, "goods_signed") == ["opened", "goods_in_transit", "goods_signed"]
    assert await signals(case) == 2


# Who is told ---------------------------------------------------------------------------------------------


async def test_every_open_case_of_the_order_is_told_and_no_other(world: World) -> None:  # R7
    order_no, other_order = await world.order(), await world.order()
    cases = [await reviewed(world, order_no) for _ in range(2)]
    ended, stranger = await reviewed(world, order_no), await reviewed(world, other_order)
    await ended.act_and_wait(Withdraw(key="w1", by=buyer(world.buyer)))
    parcel = world.parcel()

    await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, minutes(60))

    for case in cases:
        assert await logged(world, case, "goods_signed") == ["opened", "goods_shipped", "goods_signed"]
    assert (await signals(ended), await signals(stranger)) == (0, 0)


async def test_a_case_is_told_once_though_several_watch_the_parcel(world: World) -> None:  # T6, R7
    await world.address()
    order_no, parcel = await world.shipped_order(), world.parcel()
    case = await world.returned(order_no=order_no)
    await case.act(AgreeReturn(key="a1", by=merchant(world.merchant)))
    await case.act(EnterTracking(key="t1", by=buyer(world.buyer), parcel=parcel))  # by the parcel it came with
    async with world.pool.acquire() as connection, connection.transaction():
        await parcels.watch(connection, parcel, purpose=parcels.ParcelPurpose.ORDER, at=minutes(0), order_no=order_no)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    await world.at(case, StageName.RETURN_RECEIVED)

    assert await signals(case) == 1


async def test_two_orders_in_one_parcel_are_both_told(world: World) -> None:  # R7
    orders, parcel = [await world.order() for _ in range(2)], world.parcel()
    cases = [await reviewed(world, order_no) for order_no in orders]
    for order_no in orders:
        await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))

    await world.carrier_tells(parcel, ParcelEvent.REFUSED, minutes(60))

    for case in cases:
        await logged(world, case, "goods_refused")


async def test_the_same_event_again_is_one_line_of_the_log(world: World) -> None:
    order_no = await world.order()
    case = await reviewed(world, order_no)
    parcel = world.parcel()
    await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))

    key = world.fresh("ev")
    for _ in range(2):
        await world.carrier_tells(parcel, ParcelEvent.SIGNED, minutes(60), key=key)
    await world.carrier_tells(parcel, ParcelEvent.REFUSED, minutes(61))
    events = await logged(world, case, "goods_refused")  # whatever came before has been looked at

    assert await signals(case) == 4
    assert events.count("goods_signed") == 1


# What fails ----------------------------------------------------------------------------------------------


async def test_what_temporal_did_not_take_is_told_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order_no = await world.order()
    case = await reviewed(world, order_no)
    parcel = world.parcel()

    with monkeypatch.context() as broken:
        broken.setattr(WorkflowHandle, "signal", down)
        with pytest.raises(Unreachable):
            await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))
    untold = await signals(case)
    await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))
    await world.at(case, StageName.RETURN_REVIEW)

    assert untold == 0
    assert await told(world, parcel) == [(ParcelEvent.SHIPPED, minutes(0))]


async def test_an_event_that_temporal_did_not_take_is_told_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order_no = await world.order()
    case = await reviewed(world, order_no)
    parcel = world.parcel()
    await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))
    event = CarrierEvent(key=world.fresh("ev"), parcel=parcel, event=ParcelEvent.SIGNED, happened_at=minutes(60))

    with monkeypatch.context() as broken:
        broken.setattr(WorkflowHandle, "signal", down)
        with pytest.raises(Unreachable):
            await world.aftersales.logistics.carrier_event(event)
    kept = await told(world, parcel)
    await world.aftersales.logistics.carrier_event(event)

    assert (ParcelEvent.SIGNED, minutes(60)) in kept
    await logged(world, case, "goods_signed")


async def test_what_a_stopped_case_did_not_hear_is_told_again_and_kept_from_no_other(world: World) -> None:  # R7
    order_no = await world.order(lines={"1": 5_000, "2": 5_000})
    stopped = await reviewed(world, order_no)
    other = await world.refund(order_no=order_no, lines=(LineAmount(line="2", quantity=1, amount=5_000),))
    await world.at(other, StageName.MERCHANT_REVIEW)
    await stopped.handle.terminate("by an operator")
    parcel = world.parcel()

    with pytest.raises(NotCarried, match=stopped.id):
        await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))
    converted = await world.at(other, StageName.RETURN_REVIEW)
    with pytest.raises(NotCarried):
        await world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0))

    assert converted.kind is CaseKind.RETURN
    assert (await world.events(other)).count("goods_shipped") == 1


async def test_a_change_that_a_stopped_case_did_not_hear_is_told_again(world: World) -> None:  # R7, X2
    order_no = await world.order()
    stopped = await reviewed(world, order_no, 10_000)
    await stopped.handle.terminate("by an operator")
    order = (await found(world, order_no)).model_dump(
        mode="json", exclude_none=True, include=set(OrderChange.model_fields) - {"lines", "tenders"}
    )
    change = order | {
        "version": 1,
        "lines": [{"line": "1", "sku": "sku-1", "quantity": 1, "paid": 10_000}],
        "tenders": [{"tender": "t1", "kind": "wallet", "paid": 10_000}],
        "parcels": [{**world.parcel().model_dump(), "shipped_at": minutes(0).isoformat()}],
    }

    for _ in range(2):  # and as long as it stands
        with pytest.raises(NotCarried, match=stopped.id):
            await world.aftersales.orders.take(change)
    async for each in stranded(world.pool, world.aftersales.runs, 1, [stopped.id]):
        assert await world.aftersales.take_up(each)
    await world.aftersales.orders.take(change)

    assert (await world.at(stopped, StageName.RETURN_REVIEW)).kind is CaseKind.RETURN


async def test_a_database_that_does_not_answer_is_unreachable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(parcels, "record_event", refused)
    monkeypatch.setattr(parcels, "watch", refused)
    monkeypatch.setattr(parcels, "history", refused)

    with pytest.raises(Unreachable):
        await world.carrier_tells(world.parcel(), ParcelEvent.SIGNED, minutes(0))
    with pytest.raises(Unreachable):
        await world.aftersales.logistics.order_shipped(await world.order(), world.parcel(), minutes(0))
    with pytest.raises(Unreachable):
        await world.aftersales.logistics.history(world.parcel())


async def test_the_shop_and_the_carrier_do_not_wait_for_each_other(world: World) -> None:
    order_no, parcel = await world.order(), world.parcel()

    async with world.pool.acquire() as carrier_connection, carrier_connection.transaction():
        event = CarrierEvent(key=world.fresh("ev"), parcel=parcel, event=ParcelEvent.SHIPPED, happened_at=minutes(0))
        await parcels.record_event(carrier_connection, event, minutes(0))  # the carrier holds the parcel
        shipping = asyncio.create_task(world.aftersales.logistics.order_shipped(order_no, parcel, minutes(0)))
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        await until(lambda: world.pool.fetchval(waiting), bool)
        await carrier_connection.execute("SELECT 1 FROM shop.orders WHERE order_no = $1 FOR UPDATE NOWAIT", order_no)
    await shipping

    assert (await found(world, order_no)).shipped_at == minutes(0)
