"""Reaching the keys and the vault: which key ring is meant, and where persons' keys are kept."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import asyncpg

from activities.gateways.attachment_files import AttachmentFiles
from activities.gateways.attachments import AttachmentStore
from activities.policies import Policies
from activities.postgres.connecting import connect
from activities.postgres.lookup import LookupKey
from activities.postgres.person_keys import SCHEMA, PersonKeys
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from activities.privacy.keys import FileKeys, FixedKeys, KeyProvider, KeyRingError, new_key, read_keys, unique_id
from starter.adapter_factories import made
from starter.adapter_registry import OWN
from starter.errors import Unreachable
from starter.settings import Settings, SettingsError, variable_name

_DEVELOPMENT_KEY: Final = "development"
_CONNECTIONS: Final = 5


def key_provider(settings: Settings) -> KeyProvider:
    """The key ring that the settings name; beside an embedded server without one, a ring of the state folder's own.

    Where both servers are others' no ring is made: each process would have its own, and what one has sealed no other
    could open.

    Raises:
        SettingsError: the ring is malformed, or must be named and is not.
    """
    if settings.key_ring != OWN:
        return _made(settings.key_ring)
    if settings.keys is not None:
        try:
            return FixedKeys(read_keys(settings.keys.get_secret_value()))
        except KeyRingError as error:
            raise SettingsError(f"{variable_name('keys')}: {error}") from None
    if settings.key_file is None and not (settings.embeds_temporal or settings.embeds_postgres):
        raise SettingsError(
            f"{variable_name('key_file')} or {variable_name('keys')} must name the key ring that all workers and "
            "clients of these servers share: make its first key with `aftersales keys new`"
        )
    path = settings.key_file or _own_ring(settings.state_dir)
    try:
        read_keys(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{variable_name('key_file')}: {path} cannot be read") from None
    except KeyRingError as error:
        raise SettingsError(f"{variable_name('key_file')}: {error}") from None
    return FileKeys(path)


@cache
def _made(name: str) -> KeyProvider:
    """X1: an adapter to a key management service; one of it, which may keep what it has fetched."""
    ring: object = made("key_ring", name)
    if not isinstance(ring, KeyProvider):
        raise SettingsError(f"{variable_name('key_ring')}: what {name} makes is no key ring")
    return ring


def lookup_key(settings: Settings) -> LookupKey:
    """What the keyed hashes are made with by which persons are found (P6)."""
    return LookupKey(settings.lookup_key.get_secret_value().encode(), settings.environment)


def key_store_url(settings: Settings, database_url: str) -> str:
    """Where persons' keys are: as set, or a database of their own beside the main one, called ``<name>_keys``."""
    if settings.key_store_url is not None:
        return settings.key_store_url.get_secret_value()
    parts = urlsplit(database_url)
    return parts._replace(path=f"{parts.path.rstrip('/') or '/postgres'}_keys").geturl()


async def prepare_key_store(settings: Settings, database_url: str) -> bool:
    """Make the key store's database and table where they are missing; whether anything was.

    Raises:
        OSError: the server cannot be reached.
        asyncpg.PostgresError: the server refuses, as where its user may not make a database.
    """
    if await key_store_stands(settings, database_url):
        return False
    url = key_store_url(settings, database_url)
    try:
        connection = await connect(url)
    except asyncpg.InvalidCatalogNameError:
        await _make_database(database_url, unquote(urlsplit(url).path.removeprefix("/")))
        connection = await connect(url)
    try:
        await connection.execute(SCHEMA)
    finally:
        await connection.close()
    return True


async def key_store_stands(settings: Settings, database_url: str) -> bool:
    """Whether the key store's database and its table are there.

    Raises:
        OSError: the server cannot be reached.
    """
    try:
        connection = await connect(key_store_url(settings, database_url))
    except asyncpg.InvalidCatalogNameError:
        return False
    try:
        return bool(await connection.fetchval("SELECT to_regclass('keystore.person_keys') IS NOT NULL"))
    finally:
        await connection.close()


@asynccontextmanager
async def opened_vault(settings: Settings, database_url: str) -> AsyncGenerator[Vault]:
    """The vault for as long as the context lasts; ``prepare_key_store`` comes first.

    Raises:
        SettingsError: the key ring is malformed.
        OSError: the key store cannot be reached.
        asyncpg.PostgresError: its database is missing.
    """
    ring = key_provider(settings)
    url = key_store_url(settings, database_url)
    async with await open_pool(url, max_size=_CONNECTIONS, application_name="aftersales-keys") as pool:
        keys, regions = PersonKeys(pool, ring), _phone_regions(settings)
        yield Vault(keys, lookup_key(settings), attachment_store(settings), regions)


@asynccontextmanager
async def reachable_vault(settings: Settings, database_url: str) -> AsyncGenerator[Vault]:
    """The same, for a client.

    Raises:
        SettingsError: the key ring is malformed.
        Unreachable: the key store does not answer.
    """
    async with AsyncExitStack() as opened:
        try:
            vault = await opened.enter_async_context(opened_vault(settings, database_url))
        except (OSError, asyncpg.PostgresError) as error:
            raise Unreachable("the key store does not answer") from error
        yield vault


def _phone_regions(settings: Settings) -> Callable[[str], str | None]:
    """By profile; the folder is read by whoever keeps recipients, and by nobody else."""

    @cache
    def policies() -> Policies:
        return Policies(settings.policies_dir)

    return lambda profile: policies().phone_region(profile)


def attachment_store(settings: Settings) -> AttachmentStore | None:
    """Where contents of attachments are kept; None for the database (D6, X1).

    Raises:
        SettingsError: the adapter that the settings name cannot be made.
    """
    if settings.attachments == OWN:
        return AttachmentFiles(settings.state_dir / "attachments") if settings.embeds_postgres else None
    store = made("attachments", settings.attachments)
    if not isinstance(store, AttachmentStore):
        raise SettingsError(f"{variable_name('attachments')}: what {settings.attachments} makes keeps no attachments")
    return store


def _own_ring(state_dir: Path) -> Path:
    """A ring of the state folder, made at random when it is first asked for, readable by its owner only."""
    path = state_dir / "keys"
    state_dir.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"keys.{os.getpid()}")
    if not path.exists():
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(new_key(unique_id(_DEVELOPMENT_KEY)) + "\n")
        try:
            path.hardlink_to(draft)  # not a rename: whoever comes second must not replace the first one's keys
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path


async def _make_database(database_url: str, name: str) -> None:
    connection = await connect(database_url)
    try:
        quoted = name.replace('"', '""')
        await connection.execute(f'CREATE DATABASE "{quoted}"')
    except asyncpg.DuplicateDatabaseError:
        pass
    finally:
        await connection.close()
