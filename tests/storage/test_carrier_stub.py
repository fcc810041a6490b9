"""The carriers' stub: what is told beforehand happens, and is told as badly as carriers tell it (T6, section 11)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from activities.gateways.carrier import CarrierUnreachable
from activities.gateways.carrier_stub import Behaviour, CarrierStub, Mode
from activities.gateways.kits.carriers import Ground, promises
from activities.gateways.kits.promise import Promise
from activities.postgres import parcels
from activities.postgres.pool import open_pool
from starter.carrier_events import CarrierPump
from starter.errors import NotCarried, Unreachable
from tests.patience import PATIENCE
from tests.storage.money import NOON, some_id
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent

SHIPPED, IN_TRANSIT, SIGNED = ParcelEvent.SHIPPED, ParcelEvent.IN_TRANSIT, ParcelEvent.SIGNED
JOURNEY = (SHIPPED, IN_TRANSIT, SIGNED)


def hours(count: float) -> datetime:
    return NOON + timedelta(hours=count)


@pytest_asyncio.fixture(loop_scope="session")
async def carrier(database: str) -> AsyncIterator[CarrierStub]:
    pool = await open_pool(database)
    stub = CarrierStub(pool)
    yield stub
    await stub.clear_behaviours()
    await pool.close()


@pytest.fixture
def parcel() -> Parcel:
    """A parcel of a carrier that no other test has."""
    return Parcel(carrier=some_id("c"), tracking_no="T1")


async def sent(carrier: CarrierStub, parcel: Parcel, *behaviours: Behaviour) -> None:
    """Shipped at noon, in transit an hour later, signed for at two, told as the behaviours say."""
    for behaviour in behaviours:
        await carrier.set_behaviour(behaviour)
    stops = [(event, timedelta(hours=hour)) for hour, event in enumerate(JOURNEY)]
    await carrier.set_journey(parcel, stops, begins_at=NOON)


def of(parcel: Parcel, mode: Mode, **parameters: object) -> Behaviour:
    return Behaviour.model_validate({"mode": mode, "carrier": parcel.carrier, **parameters})


async def tracked(carrier: CarrierStub, parcel: Parcel, at: float = 2) -> list[ParcelEvent]:
    return [each.event for each in await carrier.track(parcel, hours(at))]


async def announced(carrier: CarrierStub, parcel: Parcel, at: float = 2) -> list[ParcelEvent]:
    """What is due, without marking it."""
    return [each.event.event for each in await carrier.due_events(hours(at), parcels=[parcel])]


@pytest.mark.parametrize("promise", promises("lose_next_answer"), ids=str)
async def test_the_stand_in_keeps_its_promises(promise: Promise[Ground], carrier: CarrierStub) -> None:
    async def on_its_way() -> Parcel:
        new = Parcel(carrier=some_id("c"), tracking_no="T1")
        stops = [(event, timedelta(hours=hour)) for hour, event in enumerate(JOURNEY)]
        await carrier.set_journey(new, stops, begins_at=datetime.now(UTC) - timedelta(days=1))
        return new

    async def lose(of_parcel: Parcel) -> None:
        await carrier.set_behaviour(of(of_parcel, Mode.UNREACHABLE, uses_left=1))

    ground = Ground(
        carrier=carrier,
        parcel=on_its_way,
        unseen=lambda: Parcel(carrier=some_id("c"), tracking_no="T0"),
        lose_next_answer=lose,
    )
    await promise(ground)


async def test_only_what_has_happened_is_told(carrier: CarrierStub, parcel: Parcel) -> None:
    await sent(carrier, parcel)
    for hour in range(3):
        assert await tracked(carrier, parcel, hour) == list(JOURNEY[: hour + 1])
        assert await announced(carrier, parcel, hour) == list(JOURNEY[: hour + 1])
    assert await tracked(carrier, parcel, -0.1) == await announced(carrier, parcel, -0.1) == []


async def test_an_event_is_announced_until_it_is_delivered(carrier: CarrierStub, parcel: Parcel) -> None:
    await sent(carrier, parcel)
    assert await carrier.next_event_at([parcel]) == NOON
    first, second, third = await carrier.due_events(hours(2), parcels=[parcel])
    assert await carrier.due_events(hours(2), limit=1, parcels=[parcel]) == (first,)

    await carrier.mark_delivered(first.id, NOON)
    await carrier.mark_delivered(third.id, NOON)

    assert await carrier.due_events(hours(2), parcels=[parcel]) == (second,)
    assert await carrier.next_event_at([parcel]) == hours(1)
    await carrier.mark_delivered(second.id, NOON)
    assert await carrier.next_event_at([parcel]) is None


async def test_asked_or_by_itself_an_event_has_one_key(carrier: CarrierStub, parcel: Parcel) -> None:
    await sent(carrier, parcel)
    due = await carrier.due_events(hours(2), parcels=[parcel])
    assert tuple(each.event for each in due) == await carrier.track(parcel, hours(2))
    assert len({each.event.key for each in due}) == 3


async def test_parcels_are_kept_apart(carrier: CarrierStub, parcel: Parcel) -> None:
    other = parcel.model_copy(update={"tracking_no": "T2"})
    await sent(carrier, parcel)
    await carrier.set_journey(other, [(SIGNED, timedelta(0))], begins_at=NOON)

    assert await tracked(carrier, other) == await announced(carrier, other) == [SIGNED]
    assert await tracked(carrier, parcel) == list(JOURNEY)
    everybodys = [each.event.parcel for each in await carrier.due_events(hours(2), limit=1000)]
    assert parcel in everybodys
    assert other in everybodys
    assert await carrier.due_events(hours(2), parcels=[]) == ()


async def test_a_parcel_under_way_is_called_back(carrier: CarrierStub, parcel: Parcel) -> None:  # R3
    await sent(carrier, parcel)

    await carrier.set_journey(parcel, [(ParcelEvent.RETURNED_TO_WAREHOUSE, timedelta(hours=5))], begins_at=hours(1))

    assert await tracked(carrier, parcel, 6) == [SHIPPED, ParcelEvent.RETURNED_TO_WAREHOUSE]
    assert await announced(carrier, parcel, 6) == [SHIPPED, ParcelEvent.RETURNED_TO_WAREHOUSE]


async def test_told_late(carrier: CarrierStub, parcel: Parcel) -> None:
    await sent(carrier, parcel, of(parcel, Mode.ANNOUNCE_LATE, late_after_seconds=7200))
    assert await announced(carrier, parcel, 1.9) == []
    assert await announced(carrier, parcel, 3) == [SHIPPED, IN_TRANSIT]
    (first, *_) = await carrier.due_events(hours(2), parcels=[parcel])
    assert first.event.happened_at == NOON
    assert await tracked(carrier, parcel, 0) == [SHIPPED]


async def test_told_twice_with_one_key(carrier: CarrierStub, parcel: Parcel) -> None:
    await sent(carrier, parcel, of(parcel, Mode.ANNOUNCE_TWICE))
    first, again, *_ = await carrier.due_events(hours(2), parcels=[parcel])
    assert first.event == again.event
    await carrier.mark_delivered(first.id, NOON)
    assert await announced(carrier, parcel) == [SHIPPED, IN_TRANSIT, IN_TRANSIT, SIGNED, SIGNED]
    assert await tracked(carrier, parcel) == list(JOURNEY)


async def test_told_only_who_asks(carrier: CarrierStub, parcel: Parcel) -> None:
    await sent(carrier, parcel, of(parcel, Mode.ANNOUNCE_NEVER))
    assert await carrier.next_event_at([parcel]) is None
    assert await tracked(carrier, parcel) == list(JOURNEY)


async def test_told_out_of_order(carrier: CarrierStub, parcel: Parcel) -> None:
    await sent(carrier, parcel, of(parcel, Mode.ANNOUNCE_OUT_OF_ORDER))
    assert await announced(carrier, parcel, 1.9) == []
    assert await announced(carrier, parcel) == [SIGNED, IN_TRANSIT, SHIPPED]


async def test_unreachable_so_many_times(carrier: CarrierStub, parcel: Parcel) -> None:
    await sent(carrier, parcel, of(parcel, Mode.UNREACHABLE, uses_left=2))
    for _ in range(2):
        with pytest.raises(CarrierUnreachable):
            await tracked(carrier, parcel)
    assert await tracked(carrier, parcel) == list(JOURNEY)


async def test_how_it_answers_and_how_it_announces_are_told_apart(carrier: CarrierStub, parcel: Parcel) -> None:
    await sent(carrier, parcel, of(parcel, Mode.UNREACHABLE), of(parcel, Mode.ANNOUNCE_NEVER, uses_left=1))
    with pytest.raises(CarrierUnreachable):
        await tracked(carrier, parcel)
    assert await announced(carrier, parcel) == []


async def test_who_names_the_parcel_is_heard_first(carrier: CarrierStub, parcel: Parcel) -> None:
    await carrier.set_behaviour(of(parcel, Mode.ANSWER, tracking_no=parcel.tracking_no))
    await sent(carrier, parcel, of(parcel, Mode.UNREACHABLE))
    assert await tracked(carrier, parcel) == list(JOURNEY)
    with pytest.raises(CarrierUnreachable):
        await tracked(carrier, parcel.model_copy(update={"tracking_no": "T2"}))
    await carrier.set_behaviour(of(parcel, Mode.ANSWER))
    assert await tracked(carrier, parcel.model_copy(update={"tracking_no": "T2"})) == []
    assert await tracked(carrier, Parcel(carrier=some_id("c"), tracking_no="T1")) == []


async def test_behaviours_can_be_forgotten(carrier: CarrierStub, parcel: Parcel) -> None:
    await sent(carrier, parcel, of(parcel, Mode.UNREACHABLE))
    await carrier.clear_behaviours()
    assert await tracked(carrier, parcel) == list(JOURNEY)


async def test_without_its_database_a_carrier_does_not_answer(database: str, parcel: Parcel) -> None:
    pool = await open_pool(database)
    await pool.close()
    with pytest.raises(CarrierUnreachable):
        await CarrierStub(pool).track(parcel, NOON)


# ---------------------------------------------------------------------------- handing on


class Book:
    """Takes what carriers tell into our book; while it is out, nothing at all."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.heard: list[ParcelEvent] = []
        self.outages = 0
        self.deaf: set[ParcelEvent] = set()
        """What a case that is stopped cannot hear."""
        self.told = asyncio.Queue[Parcel]()

    async def carrier_event(self, event: CarrierEvent) -> None:
        if self.outages:
            self.outages -= 1
            raise Unreachable
        async with self._pool.acquire() as connection, connection.transaction():
            await parcels.record_event(connection, event, NOON)
        if event.event in self.deaf:
            raise NotCarried(["refund/stopped"])
        self.heard.append(event.event)
        self.told.put_nowait(event.parcel)

    async def knows(self, parcel: Parcel) -> list[ParcelEvent]:
        async with self._pool.acquire() as connection:
            return [each.event for each in (await parcels.history(connection, parcel)).events]


@pytest_asyncio.fixture(loop_scope="session")
async def book(database: str) -> AsyncIterator[Book]:
    pool = await open_pool(database)
    yield Book(pool)
    await pool.close()


async def test_every_due_event_is_handed_on_once(carrier: CarrierStub, parcel: Parcel, book: Book) -> None:
    await sent(carrier, parcel)
    other = parcel.model_copy(update={"tracking_no": "T2"})
    await sent(carrier, other)
    pump = CarrierPump(carrier, book)

    early = await pump.deliver(hours(1), parcels=[parcel])
    late = await pump.deliver(hours(2), parcels=[parcel])

    assert [each.event for each in early] == [SHIPPED, IN_TRANSIT]
    assert [each.event for each in late] == [SIGNED]
    assert book.heard == list(JOURNEY)
    assert await announced(carrier, other) == list(JOURNEY)


@pytest.mark.parametrize("mode", [Mode.ANNOUNCE_TWICE, Mode.ANNOUNCE_OUT_OF_ORDER])
async def test_however_it_is_told_the_book_is_the_same(
    carrier: CarrierStub, parcel: Parcel, book: Book, mode: Mode
) -> None:
    await sent(carrier, parcel, of(parcel, mode))
    await CarrierPump(carrier, book).deliver(hours(2), parcels=[parcel])
    assert len(book.heard) == (6 if mode is Mode.ANNOUNCE_TWICE else 3)
    assert await book.knows(parcel) == list(JOURNEY)


async def test_what_nobody_took_stays_due(carrier: CarrierStub, parcel: Parcel, book: Book) -> None:
    await sent(carrier, parcel)
    book.outages = 1
    pump = CarrierPump(carrier, book)

    with pytest.raises(Unreachable):
        await pump.deliver(hours(2), parcels=[parcel])

    assert [each.event for each in await pump.deliver(hours(2), parcels=[parcel])] == list(JOURNEY)


async def test_a_contradiction_does_not_hold_up_the_rest(carrier: CarrierStub, parcel: Parcel, book: Book) -> None:
    await sent(carrier, parcel)
    first, *_ = await carrier.track(parcel, NOON)
    await book.carrier_event(first.model_copy(update={"event": ParcelEvent.REFUSED}))

    delivered = await CarrierPump(carrier, book).deliver(hours(2), parcels=[parcel])

    assert [each.event for each in delivered] == [IN_TRANSIT, SIGNED]
    assert await announced(carrier, parcel) == []
    assert await book.knows(parcel) == [ParcelEvent.REFUSED, IN_TRANSIT, SIGNED]


async def test_what_a_stopped_case_cannot_hear_stays_due_and_holds_nothing_up(  # section 11
    carrier: CarrierStub, parcel: Parcel, book: Book
) -> None:
    await sent(carrier, parcel)
    book.deaf = {IN_TRANSIT}

    delivered = await CarrierPump(carrier, book).deliver(hours(2), parcels=[parcel])
    left = await announced(carrier, parcel)
    book.deaf = set()
    later = await CarrierPump(carrier, book).deliver(hours(2), parcels=[parcel])

    assert [each.event for each in delivered] == [SHIPPED, SIGNED]
    assert left == [IN_TRANSIT]
    assert [each.event for each in later] == [IN_TRANSIT]


async def test_outages_are_waited_out(carrier: CarrierStub, parcel: Parcel, book: Book) -> None:
    await carrier.set_journey(parcel, [(SIGNED, timedelta(0))], begins_at=datetime.now(UTC) - timedelta(days=1))
    book.outages = 3

    running = asyncio.create_task(CarrierPump(carrier, book).run(every=0))
    async with asyncio.timeout(PATIENCE):
        while await book.told.get() != parcel:
            pass
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
