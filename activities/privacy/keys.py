"""Where the service's own keys come from: a ring of several live keys, one of which is the current one.

A ring lets keys change without a pause: add the new key behind the current one everywhere, make it the first
everywhere, and take the old one away once nothing is under it any more.
"""

import asyncio
import base64
import binascii
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

KEY_BYTES: Final = 32
_LOOK_AGAIN_SECONDS: Final = 5
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,47}")


class UnknownKey(Exception):  # noqa: N818 -- it is a finding, not a fault
    """Something is under a key that the ring does not hold: it was taken away too early, or never came here."""

    def __init__(self, key_id: str) -> None:
        called = repr(key_id) if _ID.fullmatch(key_id) else "of this id"  # what is no id may be anything
        super().__init__(f"there is no key {called} in the key ring")
        self.key_id = key_id


class KeyRingError(Exception):
    """A key ring cannot be read. The text says where and why, and never holds any of a key."""


@dataclass(frozen=True)
class Key:
    """One key of the ring: 256 bits under an id that is no secret."""

    id: str
    secret: bytes = field(repr=False)


@runtime_checkable
class KeyProvider(Protocol):
    """What keeps the ring: a file or the environment here; a key management service fits as well."""

    async def current(self) -> Key:
        """The key for what is encrypted now.

        Raises:
            KeyRingError: the ring cannot be read.
        """
        ...

    async def named(self, key_id: str) -> Key:
        """The key under which something was encrypted.

        Raises:
            UnknownKey: the ring does not hold it.
            KeyRingError: the ring cannot be read.
        """
        ...


class FixedKeys:
    """A ring that never changes, such as the one of an environment variable."""

    def __init__(self, keys: Iterable[Key]) -> None:
        """``keys`` with the current one first; at least one."""
        ring = tuple(keys)
        self._current = ring[0]
        self._by_id = {key.id: key for key in ring}

    async def current(self) -> Key:
        """See ``KeyProvider``."""
        return self._current

    async def named(self, key_id: str) -> Key:
        """See ``KeyProvider``."""
        try:
            return self._by_id[key_id]
        except KeyError:
            raise UnknownKey(key_id) from None


class FileKeys:
    """A ring in a file, one ``id:base64`` a line, the current key first. A changed file is taken up by itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ring: FixedKeys | None = None
        self._version: tuple[int, int] | None = None
        self._looked_at = 0.0

    async def current(self) -> Key:
        """See ``KeyProvider``."""
        return await (await self._fresh(within=_LOOK_AGAIN_SECONDS)).current()

    async def named(self, key_id: str) -> Key:
        """See ``KeyProvider``."""
        try:
            return await (await self._fresh(within=_LOOK_AGAIN_SECONDS)).named(key_id)
        except UnknownKey:
            # It may have been added a moment ago.
            return await (await self._fresh(within=0)).named(key_id)

    async def _fresh(self, *, within: float) -> FixedKeys:
        if self._ring is None or time.monotonic() - self._looked_at >= within:
            self._ring = await asyncio.to_thread(self._read, self._ring)
            self._looked_at = time.monotonic()
        return self._ring

    def _read(self, known: FixedKeys | None) -> FixedKeys:
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_ino)
            if known is not None and version == self._version:
                return known
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise KeyRingError(f"the key file {self._path} cannot be read: {type(error).__name__}") from error
        ring = FixedKeys(read_keys(text))
        self._version = version
        return ring


def read_keys(text: str) -> tuple[Key, ...]:
    """The keys of a ring, written ``id:base64`` with commas or line ends between; ``#`` begins a comment line.

    Raises:
        KeyRingError: there is none, one is malformed, or an id stands twice.
    """
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
    words = [word.strip() for line in lines for word in line.split(",") if word.strip()]
    keys = tuple(_key(number, word) for number, word in enumerate(words, start=1))
    if not keys:
        raise KeyRingError("a key ring must hold at least one key")
    if len({key.id for key in keys}) != len(keys):
        raise KeyRingError("a key's id stands more than once in the key ring")
    return keys


def unique_id(name: str) -> str:
    """An id for a new key that no other ring has: under one id, two keys could not be told apart."""
    return f"{name}-{secrets.token_hex(4)}"


def new_key(key_id: str) -> str:
    """A new random key as a ring holds it: ``id:base64``. ``unique_id`` makes the id of one that is to be kept."""
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def _key(number: int, word: str) -> Key:
    key_id, _, encoded = word.partition(":")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        secret = b""
    if not _ID.fullmatch(key_id) or len(secret) != KEY_BYTES:
        raise KeyRingError(f"key {number} of the key ring must be `id:base64` of {KEY_BYTES} bytes")
    return Key(key_id, secret)
