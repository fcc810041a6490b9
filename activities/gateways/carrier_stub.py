"""All carriers on PostgreSQL, told beforehand what happens to a parcel and how to behave. Their book is their own."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import asyncpg
from pydantic import Field

from activities.gateways.carrier import Carrier, CarrierUnreachable
from activities.gateways.stub_books import stub_transaction
from activities.postgres.connection import Connection
from workflows.messages.message import CarrierCode, Input, Message, TrackingNo
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent


class Mode(StrEnum):
    """How the stub answers when it is asked, or how it announces a journey by itself."""

    ANSWER = "answer"
    """Tell all at once. How it answers when nothing else is said."""
    ANSWER_SLOWLY = "answer_slowly"
    """Answer only after ``answer_after_seconds`` of real time."""
    UNREACHABLE = "unreachable"
    """Break the connection instead of answering."""
    ANNOUNCE = "announce"
    """Tell each event when it happens. How it announces when nothing else is said."""
    ANNOUNCE_LATE = "announce_late"
    """Tell each event ``late_after_seconds`` after it happened."""
    ANNOUNCE_TWICE = "announce_twice"
    """Tell each event when it happens, and once more."""
    ANNOUNCE_NEVER = "announce_never"
    """Tell only who asks."""
    ANNOUNCE_OUT_OF_ORDER = "announce_out_of_order"
    """Tell all events when the last one has happened, the last one first."""


_WHEN_ASKED: Final = frozenset({Mode.ANSWER, Mode.ANSWER_SLOWLY, Mode.UNREACHABLE})
_BY_ITSELF: Final = frozenset(Mode) - _WHEN_ASKED


class Behaviour(Input):
    """How the stub treats the parcels that match; what is left None matches all.

    How it answers and how it announces are chosen apart. Where several match, the one that names the parcel
    wins, then the one that names the carrier, then the latest.
    """

    mode: Mode
    carrier: CarrierCode | None = None
    tracking_no: TrackingNo | None = None
    late_after_seconds: Annotated[int, Field(ge=0)] = 172_800
    """Business time from an event to its late announcement."""
    answer_after_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    """Real time before a slow answer."""
    uses_left: Annotated[int, Field(ge=1)] | None = None
    """For how many questions, or how many journeys, it holds; None for all."""


class DueEvent(Message):
    """An event that is to be announced, and the number to tell `CarrierStub.mark_delivered`."""

    id: int
    event: CarrierEvent


class CarrierStub(Carrier):
    """A `Carrier` on the schema ``carrier``, with a pool of its own: its commits do not hang on ours."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def track(self, parcel: Parcel, asked_at: datetime) -> tuple[CarrierEvent, ...]:
        """What has happened to the parcel by ``asked_at``, told as the behaviour that matches says."""
        async with stub_transaction(self._pool, CarrierUnreachable) as connection:
            behaviour = await _choose(connection, parcel, _WHEN_ASKED)
            rows = await connection.fetch(
                """
                SELECT * FROM carrier.events
                WHERE carrier = $1 AND tracking_no = $2 AND happened_at <= $3 ORDER BY happened_at, id
                """,
                parcel.carrier,
                parcel.tracking_no,
                asked_at,
            )
        match behaviour:
            case Behaviour(mode=Mode.UNREACHABLE):
                raise CarrierUnreachable
            case Behaviour(mode=Mode.ANSWER_SLOWLY):
                await asyncio.sleep(behaviour.answer_after_seconds)
            case _:
                pass
        return tuple(_event(row) for row in rows)

    async def ping(self) -> str:
        """Whether the stub's database answers."""
        async with stub_transaction(self._pool, CarrierUnreachable) as connection:
            await connection.fetchval("SELECT 1")
        return "a stand-in: it knows what it was told"

    async def set_journey(
        self, parcel: Parcel, stops: Iterable[tuple[ParcelEvent, timedelta]], *, begins_at: datetime
    ) -> None:
        """Tell beforehand what happens to a parcel, each thing so long after ``begins_at`` (business time).

        Another journey of the same parcel replaces what would have happened from its ``begins_at`` on: so a
        parcel that is under way is called back. How the events are announced is settled here.
        """
        async with stub_transaction(self._pool, CarrierUnreachable) as connection:
            await connection.execute(
                "DELETE FROM carrier.events WHERE carrier = $1 AND tracking_no = $2 AND happened_at >= $3",
                parcel.carrier,
                parcel.tracking_no,
                begins_at,
            )
            events: list[tuple[int, datetime]] = []
            for event, after in sorted(stops, key=lambda stop: stop[1]):
                row = await connection.fetchrow(
                    """
                    INSERT INTO carrier.events (carrier, tracking_no, event, happened_at)
                    VALUES ($1, $2, $3, $4) RETURNING id, happened_at
                    """,
                    parcel.carrier,
                    parcel.tracking_no,
                    event,
                    begins_at + after,
                )
                assert row is not None
                events.append((row["id"], row["happened_at"]))
            behaviour = await _choose(connection, parcel, _BY_ITSELF)
            await connection.executemany(
                "INSERT INTO carrier.announcements (event, due_at) VALUES ($1, $2)", _announcements(behaviour, events)
            )

    async def set_behaviour(self, behaviour: Behaviour) -> None:
        """Treat the parcels that match like this: questions, and journeys set, from now on."""
        async with stub_transaction(self._pool, CarrierUnreachable) as connection:
            await connection.execute(
                """
                INSERT INTO carrier.behaviours (carrier, tracking_no, mode, late_after_seconds, answer_after_seconds,
                                                uses_left)
                VALUES ($1, $2, $3, $4, $5, $6)
                """,
                behaviour.carrier,
                behaviour.tracking_no,
                behaviour.mode,
                behaviour.late_after_seconds,
                behaviour.answer_after_seconds,
                behaviour.uses_left,
            )

    async def clear_behaviours(self) -> None:
        """Forget how to behave; journeys, and how they are announced, stay."""
        async with stub_transaction(self._pool, CarrierUnreachable) as connection:
            await connection.execute("DELETE FROM carrier.behaviours")

    async def next_event_at(self, parcels: Collection[Parcel]) -> datetime | None:
        """When the first announcement about these parcels is due that nobody has delivered; None without one."""
        async with stub_transaction(self._pool, CarrierUnreachable) as connection:
            return await connection.fetchval(
                """
                SELECT min(due_at) FROM carrier.announcements JOIN carrier.events ON events.id = announcements.event
                WHERE delivered_at IS NULL
                  AND (carrier, tracking_no) IN (SELECT * FROM unnest($1::text[], $2::text[]))
                """,
                *_columns(parcels),
            )

    async def due_events(
        self, at: datetime, *, limit: int = 100, parcels: Collection[Parcel] | None = None
    ) -> tuple[DueEvent, ...]:
        """The announcements due by this moment of business time that nobody has delivered yet, by due time.

        ``parcels`` leaves out all others: each case has a business time of its own when clocks are moved.
        """
        carriers, tracking_nos = _columns(parcels or ())
        async with stub_transaction(self._pool, CarrierUnreachable) as connection:
            rows = await connection.fetch(
                """
                SELECT events.*, announcements.id AS announcement
                FROM carrier.announcements JOIN carrier.events ON events.id = announcements.event
                WHERE delivered_at IS NULL AND due_at <= $1
                  AND ($3 OR (carrier, tracking_no) IN (SELECT * FROM unnest($4::text[], $5::text[])))
                ORDER BY due_at, announcements.id LIMIT $2
                """,
                at,
                limit,
                parcels is None,
                carriers,
                tracking_nos,
            )
        return tuple(DueEvent(id=row["announcement"], event=_event(row)) for row in rows)

    async def mark_delivered(self, announcement: int, at: datetime) -> None:
        """Do not announce this again."""
        async with stub_transaction(self._pool, CarrierUnreachable) as connection:
            await connection.execute(
                "UPDATE carrier.announcements SET delivered_at = $2 WHERE id = $1 AND delivered_at IS NULL",
                announcement,
                at,
            )


async def _choose(connection: Connection, parcel: Parcel, modes: Collection[Mode]) -> Behaviour | None:
    row = await connection.fetchrow(
        """
        SELECT * FROM carrier.behaviours
        WHERE coalesce(carrier = $1, true) AND coalesce(tracking_no = $2, true) AND mode = ANY ($3)
              AND uses_left IS DISTINCT FROM 0
        ORDER BY tracking_no IS NULL, carrier IS NULL, id DESC
        LIMIT 1 FOR UPDATE
        """,
        parcel.carrier,
        parcel.tracking_no,
        list(modes),
    )
    if row is None:
        return None
    await connection.execute("UPDATE carrier.behaviours SET uses_left = uses_left - 1 WHERE id = $1", row["id"])
    return Behaviour.model_validate({name: row[name] for name in Behaviour.model_fields})


def _announcements(
    behaviour: Behaviour | None, events: Sequence[tuple[int, datetime]]
) -> Sequence[tuple[int, datetime]]:
    """What is announced when, in this order; ``events`` come by the moments at which they happen."""
    match behaviour:
        case Behaviour(mode=Mode.ANNOUNCE_LATE, late_after_seconds=seconds):
            return [(event, happens_at + timedelta(seconds=seconds)) for event, happens_at in events]
        case Behaviour(mode=Mode.ANNOUNCE_TWICE):
            return [each for each in events for _ in range(2)]
        case Behaviour(mode=Mode.ANNOUNCE_NEVER):
            return []
        case Behaviour(mode=Mode.ANNOUNCE_OUT_OF_ORDER):
            return [(event, events[-1][1]) for event, _ in reversed(events)]
        case _:
            return events


def _columns(parcels: Collection[Parcel]) -> tuple[list[str], list[str]]:
    return [each.carrier for each in parcels], [each.tracking_no for each in parcels]


def _event(row: asyncpg.Record) -> CarrierEvent:
    return CarrierEvent(
        key=f"EV-{row['id']}",
        parcel=Parcel(carrier=row["carrier"], tracking_no=row["tracking_no"]),
        event=ParcelEvent(row["event"]),
        happened_at=row["happened_at"],
    )
