"""``aftersales doctor --deep``: whether what was restored is whole, and whether its parts belong together."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import asyncpg

from activities.gateways.archive_store import ArchiveDamaged, ArchiveUnreachable
from activities.postgres import archives, wholeness
from activities.postgres.connecting import connect as to_database
from activities.postgres.connection import Connection
from activities.postgres.pool import open_pool
from activities.postgres.wholeness import QUESTIONS, Question
from starter.archive_place import archive_of
from starter.commands.finding import Problem
from starter.connection import discover
from starter.settings import Settings, SettingsError
from starter.vault import attachment_store, key_store_url

_SECONDS: Final = 3600
"""For one statement: it may read all there is."""
_LOOKED_AT: Final = 200
"""Attachments, the newest: those that a backup taken too early lacks."""
_LATER_BACKUP: Final = "restore a backup of it that is not older than the database's (docs/operations.md)"


def deep(settings: Settings) -> Sequence[tuple[str, Callable[[], Awaitable[str]]]]:
    """The checks, each by what it is about."""
    return [
        *((f"deep: {name}", partial(_asked, settings, question)) for name, question in QUESTIONS.items()),
        ("deep: persons' keys", partial(_keys, settings)),
        ("deep: forgotten persons", partial(_forgotten, settings)),
        ("deep: attachments", partial(_attachments, settings)),
        ("deep: archive", partial(_archive, settings)),
    ]


async def _asked(settings: Settings, question: Question) -> str:
    async with _database(settings) as pool, pool.acquire() as connection:
        found = await wholeness.ask(connection, question)
    if found.number:
        raise Problem(f"{found.number:,} {question.wrong}: {', '.join(found.subjects)}", question.remedy)
    return f"no {question.wrong}"


async def _keys(settings: Settings) -> str:
    """Each text is under a key that the key store has, or had and destroyed."""
    async with _database(settings) as pool, pool.acquire() as connection:
        used = await wholeness.keys_of_texts(connection)
    async with _key_store(settings) as keys:
        known = await keys.fetch("SELECT id FROM keystore.person_keys WHERE id = ANY ($1)", list(used))
    if lacking := sorted({used[key] for key in used.keys() - {row["id"] for row in known}}):
        named = ", ".join(lacking[: wholeness.SHOWN])
        raise Problem(
            f"{len(lacking):,} persons' texts are under keys that the key store never had: {named}", _LATER_BACKUP
        )
    return f"{len(used):,} keys of texts are known"


async def _forgotten(settings: Settings) -> str:
    """Nobody who was forgotten has a key again that is older than that."""
    async with _database(settings) as pool, pool.acquire() as connection:
        forgotten = await wholeness.forgotten_persons(connection)
    async with _key_store(settings) as keys:
        rows = await keys.fetch(
            """
            SELECT k.person FROM keystore.person_keys k
            JOIN unnest($1::text[], $2::timestamptz[]) AS f (person, at) ON f.person = k.person AND k.made_at < f.at
            WHERE k.destroyed_at IS NULL ORDER BY 1
            """,
            list(forgotten),
            list(forgotten.values()),
        )
    if rows:
        named = ", ".join(row["person"] for row in rows[: wholeness.SHOWN])
        raise Problem(
            f"{len(rows):,} forgotten persons have their keys again: {named}",
            "the key store is from before they were forgotten: `aftersales forget` each of them again",
        )
    return f"{len(forgotten):,} forgotten persons stay so"


async def _attachments(settings: Settings) -> str:
    async with _database(settings) as pool, pool.acquire() as connection:
        names = await wholeness.stored_attachments(connection, _LOOKED_AT)
    store = attachment_store(settings)
    if store is None:
        return "in the database"
    lacking = [name for name in names if await store.get(name) is None]
    if lacking:
        raise Problem(f"{len(lacking)} of the {len(names)} newest attachments are not in their store", _LATER_BACKUP)
    return f"the {len(names)} newest are there"


async def _archive(settings: Settings) -> str:
    async with _database(settings) as pool:
        async with pool.acquire() as connection:
            parts = await archives.parts(connection)
        if not parts:
            return "no month is in it"
        try:
            archive = archive_of(settings, pool)
        except SettingsError as error:
            raise Problem(
                f"{len(parts)} parts of months are in an archive that is not set up here", str(error)
            ) from None
        for month in sorted({each.month for each in parts}):
            try:
                await archive.verify(month)
            except (ArchiveDamaged, ArchiveUnreachable) as error:
                raise Problem(f"{month:%Y-%m}: {error}", _LATER_BACKUP) from None
    return f"{len(parts)} parts of months were read back"


@asynccontextmanager
async def _database(settings: Settings) -> AsyncGenerator[asyncpg.Pool]:
    url = discover(settings).database_url
    async with await open_pool(
        url, max_size=2, application_name="aftersales-doctor", statement_timeout=_SECONDS
    ) as pool:
        yield pool


@asynccontextmanager
async def _key_store(settings: Settings) -> AsyncGenerator[Connection]:
    keys = await to_database(key_store_url(settings, discover(settings).database_url))
    try:
        yield keys
    finally:
        await keys.close()
