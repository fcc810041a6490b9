"""A provider of virtual numbers on PostgreSQL, with a finite pool, told beforehand how to behave (P3).

It keeps no phone: a keyed hash is enough to see where a number leads to.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import asyncpg
from pydantic import Field, SecretStr

from activities.gateways.numbers import NotBound, PoolDry, ProviderUnreachable
from activities.gateways.stub_books import stub_transaction
from activities.postgres.connection import Connection
from activities.postgres.lookup import LookupKey, phone_lookup
from workflows.messages.message import Input
from workflows.messages.virtual_numbers import VirtualNumber


class Mode(StrEnum):
    """How the stub treats what it is asked."""

    ANSWER = "answer"
    """At once. How it behaves when nothing else is said."""
    ANSWER_SLOWLY = "answer_slowly"
    """Do what is asked, and answer only after ``answer_after_seconds`` of real time."""
    LOSE_ANSWER = "lose_answer"
    """Do what is asked, and break the connection instead of answering."""
    UNREACHABLE = "unreachable"
    """Break the connection, and do nothing."""
    DRY = "dry"
    """Have no number free."""


_DONE: Final = frozenset({Mode.ANSWER, Mode.ANSWER_SLOWLY, Mode.LOSE_ANSWER})


class Behaviour(Input):
    """How the stub treats a subject, or all; the one that names the subject wins, then the latest."""

    mode: Mode
    subject: str | None = None
    answer_after_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    """Real time before a slow answer."""
    uses_left: Annotated[int, Field(ge=1)] | None = None
    """For how many questions it holds; None for all."""


class NumbersStub:
    """A `NumberProvider` on the schema ``numbers``, with a pool of its own: its commits do not hang on ours."""

    def __init__(self, pool: asyncpg.Pool, hash_key: LookupKey | bytes) -> None:
        """``hash_key`` is the secret of the hashes that stand for phones."""
        self._pool = pool
        self._hash_key = hash_key

    async def bind(
        self,
        subject: str,
        key: str,
        phone: SecretStr,
        *,
        until: datetime | None,
        at: datetime,
        wanted: VirtualNumber | None = None,
    ) -> VirtualNumber:
        """See ``NumberProvider``. Of the free numbers, the one that has been idle longest is taken."""
        leads_to = phone_lookup(self._hash_key, phone.get_secret_value())
        async with self._asked(subject) as (connection, behaviour):
            binding = await _binding(connection, subject, key)
            if binding["unbound_at"] is not None:
                raise NotBound
            number = _number(binding)
            if number is None:
                number = None if behaviour.mode is Mode.DRY else await _take(connection, wanted)
            if number is None:
                raise PoolDry
            await connection.execute(
                """
                UPDATE numbers.bindings
                SET number = $3, extension = $4, leads_to = $5, until = $6, bound_at = coalesce(bound_at, $7)
                WHERE subject = $1 AND key = $2
                """,
                subject,
                key,
                number.number,
                number.extension,
                leads_to,
                until,
                at,
            )
        return number

    async def extend(self, subject: str, key: str, *, until: datetime, at: datetime) -> None:
        """See ``NumberProvider``."""
        del at
        async with self._asked(subject) as (connection, _):
            extended = await connection.fetchval(
                """
                UPDATE numbers.bindings SET until = $3
                WHERE subject = $1 AND key = $2 AND number IS NOT NULL AND unbound_at IS NULL RETURNING true
                """,
                subject,
                key,
                until,
            )
            if not extended:
                raise NotBound

    async def ping(self) -> str:
        """Whether the stub's database answers."""
        async with stub_transaction(self._pool, ProviderUnreachable) as connection:
            await connection.fetchval("SELECT 1")
        return "a stand-in: its numbers lead nowhere"

    async def unbind(self, subject: str, key: str, *, at: datetime) -> None:
        """See ``NumberProvider``. The hash of the phone goes with it."""
        async with self._asked(subject) as (connection, _):
            binding = await _binding(connection, subject, key)
            if binding["unbound_at"] is not None:
                return
            await connection.execute(
                "UPDATE numbers.bindings SET unbound_at = $3, leads_to = NULL WHERE subject = $1 AND key = $2",
                subject,
                key,
                at,
            )
            await connection.execute(
                """
                UPDATE numbers.pool SET free = true, idle_since = clock_timestamp()
                WHERE (number, extension) = ($1, $2)
                """,
                binding["number"],
                binding["extension"],
            )

    async def leads_to(self, number: VirtualNumber, phone: SecretStr) -> bool:
        """Whether whoever calls this number now reaches this phone."""
        async with stub_transaction(self._pool, ProviderUnreachable) as connection:
            hashed = await connection.fetchval(
                "SELECT leads_to FROM numbers.bindings WHERE (number, extension) = ($1, $2) AND unbound_at IS NULL",
                number.number,
                number.extension,
            )
        return hashed == phone_lookup(self._hash_key, phone.get_secret_value())

    async def stock(self, number: str, first: int, last: int) -> None:
        """Add the extensions from ``first`` to ``last`` of an 11-digit number to the pool."""
        numbers = [VirtualNumber(number=number, extension=f"{each:04}") for each in range(first, last + 1)]
        async with stub_transaction(self._pool, ProviderUnreachable) as connection:
            await connection.executemany(
                "INSERT INTO numbers.pool (number, extension) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                [(each.number, each.extension) for each in numbers],
            )

    async def set_behaviour(self, behaviour: Behaviour) -> None:
        """Treat what matches like this from now on."""
        async with stub_transaction(self._pool, ProviderUnreachable) as connection:
            await connection.execute(
                """
                INSERT INTO numbers.behaviours (mode, subject, answer_after_seconds, uses_left)
                VALUES ($1, $2, $3, $4)
                """,
                behaviour.mode,
                behaviour.subject,
                behaviour.answer_after_seconds,
                behaviour.uses_left,
            )

    async def clear_behaviours(self, subject: str | None = None) -> None:
        """Forget how to behave, or how to treat one subject; what is bound stays."""
        async with stub_transaction(self._pool, ProviderUnreachable) as connection:
            await connection.execute("DELETE FROM numbers.behaviours WHERE $1::text IS NULL OR subject = $1", subject)

    @asynccontextmanager
    async def _asked(self, subject: str) -> AsyncGenerator[tuple[Connection, Behaviour]]:
        """What is done inside is done as the behaviour that matches says, and answered accordingly."""
        async with stub_transaction(self._pool, ProviderUnreachable) as connection:
            behaviour = await _choose(connection, subject)
        if behaviour.mode is Mode.UNREACHABLE:
            raise ProviderUnreachable
        async with stub_transaction(self._pool, ProviderUnreachable) as connection:
            yield connection, behaviour
        match behaviour.mode:
            case Mode.LOSE_ANSWER:
                raise ProviderUnreachable
            case Mode.ANSWER_SLOWLY:
                await asyncio.sleep(behaviour.answer_after_seconds)
            case _:
                pass


async def _choose(connection: Connection, subject: str) -> Behaviour:
    row = await connection.fetchrow(
        """
        SELECT * FROM numbers.behaviours
        WHERE coalesce(subject = $1, true) AND uses_left IS DISTINCT FROM 0
        ORDER BY subject IS NULL, id DESC
        LIMIT 1 FOR UPDATE
        """,
        subject,
    )
    if row is None:
        return Behaviour(mode=Mode.ANSWER)
    await connection.execute("UPDATE numbers.behaviours SET uses_left = uses_left - 1 WHERE id = $1", row["id"])
    return Behaviour.model_validate({name: row[name] for name in Behaviour.model_fields})


async def _binding(connection: Connection, subject: str, key: str) -> asyncpg.Record:
    """The binding, locked; whoever asks the same at the same time waits."""
    await connection.execute(
        "INSERT INTO numbers.bindings (subject, key) VALUES ($1, $2) ON CONFLICT DO NOTHING", subject, key
    )
    row = await connection.fetchrow(
        "SELECT * FROM numbers.bindings WHERE subject = $1 AND key = $2 FOR UPDATE", subject, key
    )
    assert row is not None
    return row


async def _take(connection: Connection, wanted: VirtualNumber | None) -> VirtualNumber | None:
    # Idle longest first, so that a number just given back does not lead its callers to somebody else.
    row = await connection.fetchrow(
        """
        UPDATE numbers.pool SET free = false
        WHERE (number, extension) = (
            SELECT number, extension FROM numbers.pool WHERE free
            ORDER BY coalesce((number, extension) = ($1, $2), false) DESC, idle_since NULLS FIRST, number, extension
            LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        RETURNING number, extension
        """,
        wanted.number if wanted else None,
        wanted.extension if wanted else None,
    )
    return _number(row) if row else None


def _number(row: asyncpg.Record) -> VirtualNumber | None:
    return VirtualNumber(number=row["number"], extension=row["extension"]) if row["number"] else None
