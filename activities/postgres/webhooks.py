"""Webhooks' own books (X4): which process delivers to an endpoint, and what it has not taken yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from activities.postgres import feed
from activities.postgres.connection import Connection
from activities.postgres.feed import Place

READER = "webhook:"
"""What the names of endpoints begin with where they stand among the readers of the feed."""


@dataclass(frozen=True)
class Lease:
    """The right to deliver to an endpoint, for a while."""

    endpoint: str
    token: UUID
    failures: int
    """Rounds in a row in which nothing was taken."""


@dataclass(frozen=True)
class Waiting:
    """An event that an endpoint has not taken."""

    place: Place
    case_id: str
    event: str
    attempts: int = 0


@dataclass(frozen=True)
class Failed:
    """An attempt that was not taken."""

    place: Place
    code: str
    again_in: timedelta


async def lease(connection: Connection, endpoint: str, token: UUID, lasts: timedelta) -> Lease | None:
    """The right to deliver to an endpoint; None where another has it, or the endpoint is left in peace for a while."""
    failures = await connection.fetchval(
        """
        INSERT INTO webhooks.endpoints AS e (name, lease, lease_until) VALUES ($1, $2, now() + $3)
        ON CONFLICT (name) DO UPDATE SET lease = $2, lease_until = now() + $3
        WHERE e.lease_until <= now() AND e.rests_until <= now()
        RETURNING failures
        """,
        endpoint,
        token,
        lasts,
    )
    return None if failures is None else Lease(endpoint, token, failures)


async def give_back(connection: Connection, held: Lease, failures: int, rest: timedelta) -> bool:
    """Let others deliver to the endpoint once it has rested; False where the lease had ended before."""
    ours = await connection.fetchval(
        """
        UPDATE webhooks.endpoints SET lease_until = '-infinity', failures = $3, rests_until = now() + $4
        WHERE name = $1 AND lease = $2 RETURNING true
        """,
        held.endpoint,
        held.token,
        failures,
        rest,
    )
    return ours is not None


async def holds(connection: Connection, held: Lease) -> bool:
    """Whether a lease is still ours; it stays so until the transaction ends."""
    found = await connection.fetchval(
        "SELECT true FROM webhooks.endpoints WHERE name = $1 AND lease = $2 FOR UPDATE", held.endpoint, held.token
    )
    return found is not None


async def due(connection: Connection, endpoint: str, limit: int) -> list[Waiting]:
    """Of each case the first event that waits, where it is to be tried again now."""
    rows = await connection.fetch(
        """
        SELECT * FROM (
            SELECT DISTINCT ON (case_id) position, id, case_id, event, attempts, next_attempt_at, dead_at
            FROM webhooks.waiting WHERE endpoint = $1 ORDER BY case_id, position, id
        ) AS first
        WHERE dead_at IS NULL AND next_attempt_at <= now() ORDER BY next_attempt_at, position, id LIMIT $2
        """,
        endpoint,
        limit,
    )
    return [Waiting(Place(row["position"], row["id"]), row["case_id"], row["event"], row["attempts"]) for row in rows]


async def held_up(connection: Connection, endpoint: str, cases: Sequence[str]) -> set[str]:
    """Those of these cases of which something waits already: what comes later waits behind it."""
    rows = await connection.fetch(
        "SELECT DISTINCT case_id FROM webhooks.waiting WHERE endpoint = $1 AND case_id = ANY ($2)", endpoint, cases
    )
    return {row["case_id"] for row in rows}


async def put_aside(connection: Connection, endpoint: str, events: Iterable[Waiting]) -> None:
    """Have these events wait."""
    await connection.executemany(
        """
        INSERT INTO webhooks.waiting (endpoint, position, id, case_id, event) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING
        """,
        [(endpoint, each.place.position, each.place.id, each.case_id, each.event) for each in events],
    )


async def taken(connection: Connection, endpoint: str, places: Iterable[Place]) -> None:
    """The endpoint has taken what waited."""
    await connection.executemany(
        "DELETE FROM webhooks.waiting WHERE endpoint = $1 AND position = $2 AND id = $3",
        [(endpoint, place.position, place.id) for place in places],
    )


async def failed(connection: Connection, endpoint: str, attempts: Iterable[Failed], give_up: timedelta) -> int:
    """Note attempts that were not taken; how many events are given up with them, having failed for so long."""
    dead = 0
    for each in attempts:
        dead += bool(
            await connection.fetchval(
                """
                UPDATE webhooks.waiting
                SET attempts = attempts + 1, last_failure = $4, next_attempt_at = now() + $5,
                    failed_since = coalesce(failed_since, now()),
                    dead_at = CASE WHEN coalesce(failed_since, now()) <= now() - $6::interval THEN now() END
                WHERE endpoint = $1 AND position = $2 AND id = $3 RETURNING dead_at IS NOT NULL
                """,
                endpoint,
                each.place.position,
                each.place.id,
                each.code,
                each.again_in,
                give_up,
            )
        )
    return dead


@dataclass(frozen=True)
class Letter:
    """An event that was given up, and holds up its case at the endpoint."""

    endpoint: str
    case_id: str
    event: str
    attempts: int
    last_failure: str | None
    dead_at: datetime
    behind: int
    """How many later events of the case wait behind it."""


async def dead(connection: Connection, endpoint: str | None, limit: int) -> list[Letter]:
    """What was given up, the oldest first; of one endpoint, or of all."""
    rows = await connection.fetch(
        """
        SELECT endpoint, case_id, event, attempts, last_failure, dead_at, (
            SELECT count(*) FROM webhooks.waiting AS later
            WHERE later.endpoint = dead.endpoint AND later.case_id = dead.case_id
              AND (later.position, later.id) > (dead.position, dead.id)
        ) AS behind
        FROM webhooks.waiting AS dead
        WHERE dead_at IS NOT NULL AND ($1::text IS NULL OR endpoint = $1) ORDER BY dead_at, position, id LIMIT $2
        """,
        endpoint,
        limit,
    )
    return [Letter(**dict(row)) for row in rows]


async def replay(connection: Connection, endpoint: str, case_id: str | None) -> int:
    """Try again what was given up, of one case or of all; how many events that is."""
    rows = await connection.fetch(
        """
        UPDATE webhooks.waiting SET dead_at = NULL, failed_since = NULL, next_attempt_at = '-infinity'
        WHERE endpoint = $1 AND dead_at IS NOT NULL AND ($2::text IS NULL OR case_id = $2) RETURNING id
        """,
        endpoint,
        case_id,
    )
    await connection.execute(
        "UPDATE webhooks.endpoints SET failures = 0, rests_until = '-infinity' WHERE name = $1", endpoint
    )
    return len(rows)


async def discard(connection: Connection, endpoint: str, case_id: str) -> int:
    """Deliver what was given up of a case no more, so that its later events go on; how many events that is."""
    rows = await connection.fetch(
        "DELETE FROM webhooks.waiting WHERE endpoint = $1 AND case_id = $2 AND dead_at IS NOT NULL RETURNING id",
        endpoint,
        case_id,
    )
    return len(rows)


async def forget(connection: Connection, endpoint: str) -> bool:
    """Drop all that is known of an endpoint which is told nothing any more; whether there was anything."""
    async with connection.transaction():
        read = await feed.forget(connection, f"{READER}{endpoint}")
        waited = await connection.fetch("DELETE FROM webhooks.waiting WHERE endpoint = $1 RETURNING id", endpoint)
        stood = await connection.fetchval("DELETE FROM webhooks.endpoints WHERE name = $1 RETURNING true", endpoint)
    return bool(read or waited or stood)


@dataclass(frozen=True)
class EndpointStanding:
    """How it stands with an endpoint."""

    name: str
    failures: int
    rests_until: datetime | None
    """Until when nothing is tried; None where it does not rest."""
    oldest: datetime | None
    """When the oldest event was recorded that it was not told once yet; None where there is none."""
    waiting: int
    """Events that it has not taken, those behind them included, without those that were given up."""
    dead: int


async def standing(connection: Connection) -> list[EndpointStanding]:
    """All endpoints that were ever told anything."""
    rows = await connection.fetch(
        f"""
        SELECT endpoints.name, failures, CASE WHEN rests_until > now() THEN rests_until END AS rests_until, lags.oldest,
               count(waiting.id) FILTER (WHERE dead_at IS NULL) AS waiting, count(dead_at) AS dead
        FROM webhooks.endpoints
        LEFT JOIN ({feed.LAGS}) AS lags ON lags.name = '{READER}' || endpoints.name
        LEFT JOIN webhooks.waiting ON waiting.endpoint = endpoints.name
        GROUP BY endpoints.name, failures, rests_until, lags.oldest ORDER BY endpoints.name
        """  # noqa: S608 -- of constants
    )
    return [EndpointStanding(**dict(row)) for row in rows]
