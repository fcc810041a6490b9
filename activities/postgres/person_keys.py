"""A key for each person, in a database of their own: who destroys the key, forgets the person.

Whatever we keep of a person, its names, addresses and free text, is encrypted under the person's key. The keys
are not in the database that holds the texts, so that no backup of that one can be read without this one, and
they are themselves encrypted under the service's key ring, so that this one alone tells nothing either.

A destroyed key never comes back. A person who returns gets a new one; what was under the old one stays closed.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from activities.postgres.connection import Connection
from activities.privacy.keys import KEY_BYTES, KeyProvider
from activities.privacy.sealing import Tampered, seal, unseal

_CONTEXT: Final = b"person key "
_ID_BYTES: Final = 16

SCHEMA: Final = """
CREATE SCHEMA IF NOT EXISTS keystore;
CREATE TABLE IF NOT EXISTS keystore.person_keys (
    id uuid PRIMARY KEY,
    person text NOT NULL,
    ring_key text,
    wrapped bytea,
    made_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK ((wrapped IS NULL) = (ring_key IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS person_keys_in_force ON keystore.person_keys (person) WHERE destroyed_at IS NULL;
CREATE INDEX IF NOT EXISTS person_keys_by_ring_key ON keystore.person_keys (ring_key) WHERE destroyed_at IS NULL;
COMMENT ON TABLE keystore.person_keys IS
    'to be replicated, never backed up beside the texts: a copy of a destroyed key would undo the forgetting';
"""


class Forgotten(Exception):  # noqa: N818 -- it is a finding, not a fault
    """What is to be read was a forgotten person's: its key is destroyed, nobody can read it again."""


class PersonKeys:
    """Seals and opens what belongs to a person, who is named ``buyer/<id>`` or ``merchant/<id>``."""

    def __init__(self, pool: asyncpg.Pool, ring: KeyProvider) -> None:
        """``pool`` reaches the key store, not the database of the texts."""
        self._pool = pool
        self._ring = ring

    async def seal(self, person: str, context: str, plain: bytes, *, place: str = "") -> bytes:
        """Encrypt under the person's key, which is made where there is none.

        Args:
            person: Whose it is.
            context: What it is, such as ``statement``; it opens as that only.
            plain: The text itself.
            place: Where it is kept: an order's number, a reference. It opens there only, so that nobody who can write
                into the database can move it.
        """
        key_id, secret = await self._in_force(person)
        return key_id.bytes + seal(secret, _bound(context, place), plain)

    async def unseal(self, context: str, sealed: bytes, *, place: str = "") -> bytes:
        """What was sealed as this, for this place.

        Raises:
            Forgotten: the person's key has been destroyed.
            Tampered: it was not sealed as this.
            UnknownKey: the key itself is under a key that the service's ring does not hold.
        """
        (plain,) = await self.unseal_many(context, {place: sealed})
        if plain is None:
            raise Forgotten("the person was forgotten")
        return plain

    async def unseal_many(self, context: str, sealed: Mapping[str, bytes]) -> list[bytes | None]:
        """The same for many at once, by their places, with one question to the key store.

        None for what was a forgotten person's.
        """
        keys = await self._living(sealed.values())
        return [
            unseal(secret, _bound(context, place), each[_ID_BYTES:]) if (secret := keys.get(each[:_ID_BYTES])) else None
            for place, each in sealed.items()
        ]

    async def can_be_opened(self, sealed: Sequence[bytes]) -> int:
        """How many of these are under a key that is still there, whatever they are and wherever they belong."""
        keys = await self._living(sealed)
        return sum(each[:_ID_BYTES] in keys for each in sealed)

    async def _living(self, sealed: Iterable[bytes]) -> dict[bytes, bytes]:
        """The keys under which these are, by their ids, as far as they were not destroyed."""
        ids: set[UUID] = set()
        for each in sealed:
            if len(each) < _ID_BYTES:
                raise Tampered("this was never sealed")
            ids.add(UUID(bytes=each[:_ID_BYTES]))
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT id, ring_key, wrapped FROM keystore.person_keys WHERE id = ANY($1) AND wrapped IS NOT NULL",
                list(ids),
            )
        return {row["id"].bytes: await self._unwrapped(row) for row in rows}

    async def destroy(self, person: str) -> int:
        """Destroy the person's key for good; how many there were (0 or 1)."""
        async with self._pool.acquire() as connection:
            destroyed = await connection.fetch(
                """
                UPDATE keystore.person_keys SET wrapped = NULL, ring_key = NULL, destroyed_at = now()
                WHERE person = $1 AND destroyed_at IS NULL RETURNING id
                """,
                person,
            )
            # The row's former version, the key in it, must not wait in the file for the next automatic clean-up.
            await connection.execute("VACUUM keystore.person_keys")
        return len(destroyed)

    async def rewrap(self, limit: int = 1000) -> int:
        """Put up to ``limit`` keys that are under an older key of the ring under its current one; how many.

        Once it answers 0, the older keys of the ring wrap nothing here.
        """
        current = await self._ring.current()
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                """
                SELECT id, ring_key, wrapped FROM keystore.person_keys
                WHERE destroyed_at IS NULL AND ring_key <> $1 LIMIT $2 FOR UPDATE SKIP LOCKED
                """,
                current.id,
                limit,
            )
            for row in rows:
                wrapped = seal(current.secret, _CONTEXT + row["id"].bytes, await self._unwrapped(row))
                await connection.execute(
                    "UPDATE keystore.person_keys SET ring_key = $2, wrapped = $3 WHERE id = $1",
                    row["id"],
                    current.id,
                    wrapped,
                )
        return len(rows)

    async def _in_force(self, person: str) -> tuple[UUID, bytes]:
        async with self._pool.acquire() as connection:
            row = await _find(connection, person)
            if row is None:
                await self._make(connection, person)
                row = await _find(connection, person)
        if row is None:
            raise Forgotten("the person is being forgotten at this moment")
        return row["id"], await self._unwrapped(row)

    async def _make(self, connection: Connection, person: str) -> None:
        ring_key, key_id = await self._ring.current(), uuid4()
        # Somebody else may make it at the same time: then theirs counts.
        await connection.execute(
            """
            INSERT INTO keystore.person_keys (id, person, ring_key, wrapped) VALUES ($1, $2, $3, $4)
            ON CONFLICT (person) WHERE destroyed_at IS NULL DO NOTHING
            """,
            key_id,
            person,
            ring_key.id,
            seal(ring_key.secret, _CONTEXT + key_id.bytes, secrets.token_bytes(KEY_BYTES)),
        )

    async def _unwrapped(self, row: asyncpg.Record) -> bytes:
        key = await self._ring.named(row["ring_key"])
        return unseal(key.secret, _CONTEXT + row["id"].bytes, row["wrapped"])


def sealed_for_nobody() -> bytes:
    """What stands for a text that nobody can open any more: its key is in no key store."""
    return uuid4().bytes


def _bound(context: str, place: str) -> bytes:
    return f"{context} {place}".encode() if place else context.encode()


async def _find(connection: Connection, person: str) -> asyncpg.Record | None:
    return await connection.fetchrow(
        "SELECT id, ring_key, wrapped FROM keystore.person_keys WHERE person = $1 AND destroyed_at IS NULL", person
    )
