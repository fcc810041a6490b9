"""The book of parcels: nothing a carrier tells is lost, whoever knows the parcel when (T6, section 11)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import asyncpg
import pytest
import pytest_asyncio

from activities.gateways.carrier_stub import Behaviour, CarrierStub, Mode
from activities.parcels import Parcels
from activities.postgres import parcels
from activities.postgres.connection import Connection
from activities.postgres.parcels import EventKeyReused, Recorded, Watch
from activities.postgres.pool import open_pool
from tests.patience import PATIENCE
from tests.storage.money import NOON, minutes, some_id
from workflows.messages.parcels import AskCarrier, CarrierEvent, Parcel, ParcelEvent, ParcelHistory, ParcelPurpose

ORDER, RETURN, RESHIPMENT = ParcelPurpose.ORDER, ParcelPurpose.RETURN, ParcelPurpose.RESHIPMENT
T = TypeVar("T")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database)
    yield pool
    await pool.close()


@pytest.fixture
def parcel() -> Parcel:
    """A parcel of a carrier that no other test has."""
    return Parcel(carrier=some_id("c"), tracking_no="T1")


def told(
    parcel: Parcel, event: ParcelEvent = ParcelEvent.SIGNED, at: float = 0, *, key: str | None = None
) -> CarrierEvent:
    return CarrierEvent(key=key or f"{event}-{at}", parcel=parcel, event=event, happened_at=minutes(at))


async def in_transaction(pool: asyncpg.Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    async with pool.acquire() as connection, connection.transaction():
        return await work(connection)


async def record(pool: asyncpg.Pool, event: CarrierEvent) -> Recorded:
    return await in_transaction(pool, lambda c: parcels.record_event(c, event, NOON))


async def watch(
    pool: asyncpg.Pool, parcel: Parcel, case_id: str = "case-1", *, purpose: ParcelPurpose = RETURN
) -> tuple[CarrierEvent, ...]:
    return await in_transaction(pool, lambda c: parcels.watch(c, parcel, purpose=purpose, at=NOON, case_id=case_id))


async def watch_for_order(pool: asyncpg.Pool, parcel: Parcel, order_no: str) -> tuple[CarrierEvent, ...]:
    return await in_transaction(pool, lambda c: parcels.watch(c, parcel, purpose=ORDER, at=NOON, order_no=order_no))


async def history(pool: asyncpg.Pool, parcel: Parcel) -> ParcelHistory:
    return await in_transaction(pool, lambda c: parcels.history(c, parcel))


async def test_signed_for_before_tracking_is_entered(pool: asyncpg.Pool, parcel: Parcel) -> None:  # T6, section 11
    signed = told(parcel)

    assert await record(pool, signed) == Recorded(is_new=True, watchers=())
    assert await watch(pool, parcel) == (signed,)
    assert await history(pool, parcel) == ParcelHistory(parcel=parcel, events=(signed,))


async def test_who_watches_is_to_be_told(pool: asyncpg.Pool, parcel: Parcel) -> None:  # R7, T6
    order_no = some_id("o")
    assert await watch(pool, parcel) == ()
    await watch(pool, parcel, "case-2", purpose=RESHIPMENT)
    await watch_for_order(pool, parcel, order_no)
    await watch(pool, parcel.model_copy(update={"tracking_no": "T2"}), "case-3")
    await watch(pool, parcel.model_copy(update={"carrier": some_id("c")}), "case-4")

    recorded = await record(pool, told(parcel))

    assert recorded.watchers == (
        Watch("case-1", None, RETURN),
        Watch("case-2", None, RESHIPMENT),
        Watch(None, order_no, ORDER),
    )


async def test_the_same_event_again_is_handed_on_again(pool: asyncpg.Pool, parcel: Parcel) -> None:  # section 11
    await watch(pool, parcel)
    watchers = (Watch("case-1", None, RETURN),)

    assert await record(pool, told(parcel)) == Recorded(is_new=True, watchers=watchers)
    assert await record(pool, told(parcel)) == Recorded(is_new=False, watchers=watchers)
    assert len((await history(pool, parcel)).events) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"event": ParcelEvent.REFUSED},
        {"happened_at": NOON + timedelta(microseconds=1)},
        {"parcel": "T2"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_another_event_under_a_used_key_is_refused(
    pool: asyncpg.Pool, parcel: Parcel, changes: dict[str, object]
) -> None:
    signed = told(parcel)
    await record(pool, signed)
    if "parcel" in changes:
        changes = {"parcel": parcel.model_copy(update={"tracking_no": changes["parcel"]})}
    other = signed.model_copy(update=changes)

    with pytest.raises(EventKeyReused):
        await record(pool, other)

    assert (await history(pool, parcel)).events == (signed,)
    if other.parcel != parcel:
        assert (await history(pool, other.parcel)).events == ()


async def test_carriers_number_their_events_apart(pool: asyncpg.Pool, parcel: Parcel) -> None:
    elsewhere = parcel.model_copy(update={"carrier": some_id("c")})
    await record(pool, told(parcel, key="1"))
    assert (await record(pool, told(elsewhere, ParcelEvent.REFUSED, key="1"))).is_new


async def test_what_happened_comes_in_order_whenever_it_was_told(pool: asyncpg.Pool, parcel: Parcel) -> None:
    events = [
        told(parcel, ParcelEvent.SIGNED, 30, key="a"),
        told(parcel, ParcelEvent.IN_TRANSIT, 10, key="c"),
        told(parcel, ParcelEvent.IN_TRANSIT, 10, key="b"),
        told(parcel, ParcelEvent.PICKED_UP, 0, key="d"),
    ]
    for event in events:
        await record(pool, event)

    known = await watch(pool, parcel)

    assert [each.key for each in known] == ["d", "c", "b", "a"]
    assert (await history(pool, parcel)).events == known


async def test_watching_again_is_the_same_watch_and_tells_what_is_known_by_then(
    pool: asyncpg.Pool, parcel: Parcel
) -> None:
    for _ in range(2):
        await watch(pool, parcel)
        await watch_for_order(pool, parcel, "o-1")
    signed = told(parcel)

    assert len((await record(pool, signed)).watchers) == 2
    assert await watch(pool, parcel) == (signed,)


@pytest.mark.parametrize("names", [{}, {"case_id": "case-1", "order_no": "o-1"}])
async def test_a_parcel_is_watched_by_a_case_or_by_an_order(
    pool: asyncpg.Pool, parcel: Parcel, names: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="case or by an order"):
        await in_transaction(pool, lambda c: parcels.watch(c, parcel, purpose=ORDER, at=NOON, **names))


async def test_a_corrected_tracking_number_is_watched_no_more(pool: asyncpg.Pool, parcel: Parcel) -> None:  # T3
    await watch(pool, parcel)
    await watch(pool, parcel, purpose=ORDER)
    await watch(pool, parcel, "case-2")
    signed = told(parcel)
    await record(pool, signed)

    await in_transaction(pool, lambda c: parcels.unwatch(c, parcel, "case-1"))

    left = (Watch("case-1", None, ORDER), Watch("case-2", None, RETURN))
    assert (await record(pool, told(parcel, ParcelEvent.REFUSED, 1))).watchers == left
    assert await in_transaction(pool, lambda c: parcels.watchers(c, parcel)) == left
    assert (await watch(pool, parcel))[0] == signed


async def test_the_parcel_of_an_order_is_the_one_registered_last(pool: asyncpg.Pool, parcel: Parcel) -> None:
    order_no = some_id("o")
    second = parcel.model_copy(update={"tracking_no": "T2"})

    async def found() -> Parcel | None:
        return await in_transaction(pool, lambda c: parcels.parcel_of_order(c, order_no))

    assert await found() is None
    await watch_for_order(pool, parcel, order_no)
    await watch_for_order(pool, second, some_id("o"))
    assert await found() == parcel
    await watch_for_order(pool, second, order_no)
    await watch_for_order(pool, parcel, order_no)
    assert await found() == second


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE logistics.events SET event = 'refused'",
        "DELETE FROM logistics.events",
        "TRUNCATE logistics.events",
    ],
)
async def test_nobody_can_take_an_event_back(pool: asyncpg.Pool, parcel: Parcel, change: str) -> None:
    await record(pool, told(parcel))
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await pool.execute(change)


# ---------------------------------------------------------------------------- at the same time (section 11)


async def until_blocked(connection: Connection) -> None:
    """Wait until another session waits for a lock."""
    async with asyncio.timeout(PATIENCE):
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.005)


async def test_registered_while_an_event_is_being_recorded(pool: asyncpg.Pool, parcel: Parcel) -> None:
    signed = told(parcel)
    async with pool.acquire() as connection, connection.transaction():
        recorded = await parcels.record_event(connection, signed, NOON)
        watching = asyncio.create_task(watch(pool, parcel))
        await until_blocked(connection)
    assert recorded.watchers == ()
    assert await watching == (signed,)


async def test_recorded_while_a_parcel_is_being_registered(pool: asyncpg.Pool, parcel: Parcel) -> None:
    async with pool.acquire() as connection, connection.transaction():
        known = await parcels.watch(connection, parcel, purpose=RETURN, at=NOON, case_id="case-1")
        recording = asyncio.create_task(record(pool, told(parcel)))
        await until_blocked(connection)
    assert known == ()
    assert (await recording).watchers == (Watch("case-1", None, RETURN),)


async def test_a_registration_that_fails_loses_nothing(pool: asyncpg.Pool, parcel: Parcel) -> None:
    async def broken_step(connection: Connection) -> None:
        await parcels.watch(connection, parcel, purpose=RETURN, at=NOON, case_id="case-1")
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await in_transaction(pool, broken_step)
    assert await record(pool, told(parcel)) == Recorded(is_new=True, watchers=())
    assert await watch(pool, parcel) == (told(parcel),)


async def test_of_many_tellings_at_once_one_is_new(pool: asyncpg.Pool, parcel: Parcel) -> None:
    results = await asyncio.gather(*(record(pool, told(parcel)) for _ in range(8)))
    assert sum(each.is_new for each in results) == 1


# ---------------------------------------------------------------------------- asking the carrier (R3, T6)


@pytest_asyncio.fixture(loop_scope="session")
async def carrier(database: str) -> AsyncIterator[CarrierStub]:
    theirs = await open_pool(database, application_name="carrier")
    yield CarrierStub(theirs)
    await theirs.close()


async def set_journey(carrier: CarrierStub, parcel: Parcel) -> None:
    """Picked up at once, signed for an hour later."""
    stops = [(ParcelEvent.PICKED_UP, timedelta(0)), (ParcelEvent.SIGNED, timedelta(hours=1))]
    await carrier.set_journey(parcel, stops, begins_at=NOON)


def what(known: ParcelHistory) -> tuple[bool, list[ParcelEvent]]:
    return known.answered, [each.event for each in known.events]


async def test_asking_tells_what_was_never_announced(pool: asyncpg.Pool, carrier: CarrierStub, parcel: Parcel) -> None:
    await set_journey(carrier, parcel)
    asking = Parcels(pool, carrier)

    early = await asking.ask_carrier(AskCarrier(parcel=parcel, at=minutes(59)))
    late = await asking.ask_carrier(AskCarrier(parcel=parcel, at=minutes(60)))

    assert what(early) == (True, [ParcelEvent.PICKED_UP])
    assert what(late) == (True, [ParcelEvent.PICKED_UP, ParcelEvent.SIGNED])
    assert (await history(pool, parcel)).events == late.events
    assert not (await record(pool, late.events[1])).is_new


async def test_a_parcel_that_nobody_has_seen(pool: asyncpg.Pool, carrier: CarrierStub, parcel: Parcel) -> None:
    known = await Parcels(pool, carrier).ask_carrier(AskCarrier(parcel=parcel, at=NOON))
    assert known == ParcelHistory(parcel=parcel, events=(), answered=True)


@pytest.mark.parametrize("mode", [Mode.UNREACHABLE, Mode.ANSWER_SLOWLY])
async def test_without_an_answer_the_book_tells_what_it_has(
    pool: asyncpg.Pool, carrier: CarrierStub, parcel: Parcel, mode: Mode
) -> None:
    await set_journey(carrier, parcel)
    known = told(parcel, ParcelEvent.SHIPPED)
    await record(pool, known)
    await carrier.set_behaviour(Behaviour(mode=mode, carrier=parcel.carrier, answer_after_seconds=600, uses_left=1))
    hasty, patient = Parcels(pool, carrier, timeout=0.5), Parcels(pool, carrier, timeout=60)

    unanswered = await hasty.ask_carrier(AskCarrier(parcel=parcel, at=minutes(60)))
    answered = await patient.ask_carrier(AskCarrier(parcel=parcel, at=minutes(60)))

    assert unanswered == ParcelHistory(parcel=parcel, events=(known,), answered=False)
    assert len(answered.events) == 3
    assert answered.answered


async def test_one_contradiction_does_not_hide_the_rest(
    pool: asyncpg.Pool, carrier: CarrierStub, parcel: Parcel
) -> None:
    await set_journey(carrier, parcel)
    first, signed = await carrier.track(parcel, minutes(60))
    otherwise = first.model_copy(update={"event": ParcelEvent.IN_TRANSIT})
    await record(pool, otherwise)

    known = await Parcels(pool, carrier).ask_carrier(AskCarrier(parcel=parcel, at=minutes(60)))

    assert known.events == (otherwise, signed)


async def test_a_carrier_whose_answer_cannot_be_read_has_not_answered(
    pool: asyncpg.Pool, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:  # R18
    await record(pool, told(parcel))
    carrier = CarrierStub(pool)

    async def not_set(asked_about: Parcel, _: datetime) -> tuple[CarrierEvent, ...]:
        event = {"key": "e1", "parcel": asked_about, "event": "signed", "happened_at": "0001-01-01T00:00:00Z"}
        return (CarrierEvent.model_validate(event),)

    monkeypatch.setattr(carrier, "track", not_set)
    known = await Parcels(pool, carrier).ask_carrier(AskCarrier(parcel=parcel, at=NOON))

    assert (known.answered, [each.event for each in known.events]) == (False, [ParcelEvent.SIGNED])


async def test_what_was_taken_before_moments_had_bounds_is_not_read(pool: asyncpg.Pool, parcel: Parcel) -> None:  # R18
    """Else it would fail whoever watches the parcel, for ever."""
    await record(pool, told(parcel, at=1, key="right"))
    await pool.execute(
        """
        INSERT INTO logistics.events (carrier, event_key, tracking_no, event, happened_at, recorded_at)
        VALUES ($1, 'wrong', $2, 'signed', '0001-01-01', now()), ($1, 'endless', $2, 'signed', '9999-12-31', now())
        """,
        parcel.carrier,
        parcel.tracking_no,
    )

    assert [each.key for each in await watch(pool, parcel)] == ["right"]
    with pytest.raises(EventKeyReused):
        await record(pool, told(parcel, key="wrong"))
