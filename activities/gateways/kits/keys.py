"""The promises of a key provider (P6): see `activities.gateways.kits.promise` for how they are tried."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from activities.gateways.kits.promise import AT_ONCE, Kit, raised, tells_nothing_of
from activities.privacy.keys import KEY_BYTES, Key, KeyProvider, KeyRingError, UnknownKey, read_keys, unique_id
from activities.privacy.sealing import Tampered, seal, unseal

_NO_IDS: Final = ("", " ", "../keys", "a:b", "no\nid", "k" * 1_000, "钥匙")
"""What may stand where an id was, once somebody has changed what was sealed."""
_CONTEXT: Final = b"kit"


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A key provider and what can be arranged at the far side for it."""

    provider: KeyProvider
    renew: Callable[[], Awaitable[str]] | None = None
    """Put a new key before the others; its id."""
    unreadable: Callable[[], AbstractAsyncContextManager[None]] | None = None
    """While it is entered, what keeps the ring does not answer, and nothing that was read before counts."""


_KIT = Kit[Ground]()
promises = _KIT.promises
run = _KIT.run


@_KIT.promise()
async def the_current_key_is_found_by_its_id(ground: Ground) -> None:
    """The same key each time, also for many at the same moment."""
    current = await ground.provider.current()
    named = await asyncio.gather(*(ground.provider.named(current.id) for _ in range(AT_ONCE)))
    assert all(key == current for key in named), "the current key has another secret when it is asked for by its id"
    assert await ground.provider.current() == current


@_KIT.promise()
async def a_key_is_as_a_ring_holds_it(ground: Ground) -> None:
    """256 bits under an id of 48 of A-Z a-z 0-9 _ . - at most; it shows nothing of itself."""
    current = await ground.provider.current()
    assert len(current.secret) == KEY_BYTES, f"a key must have {KEY_BYTES} bytes"
    encoded = _encoded(current)
    try:
        read_keys(f"{current.id}:{encoded}")
    except KeyRingError as error:
        raise AssertionError("the current key's id cannot stand in a ring") from error
    assert encoded not in repr(current)
    assert repr(current.secret) not in repr(current), "a key must not show its secret"


@_KIT.promise()
async def what_was_sealed_can_be_opened(ground: Ground) -> None:
    """By the id that stands beside it; not in another context."""
    current = await ground.provider.current()
    sealed = seal(current.secret, _CONTEXT, b"plain")
    secret = (await ground.provider.named(current.id)).secret
    assert unseal(secret, _CONTEXT, sealed) == b"plain"
    try:
        unseal(secret, b"elsewhere", sealed)
    except Tampered:
        return
    raise AssertionError("it was opened where it was not sealed for")


@_KIT.promise()
async def a_key_that_is_not_there_is_refused(ground: Ground) -> None:
    """`UnknownKey`, never another key: what is under it cannot be read here, and nothing must be sealed anew."""
    for key_id in (unique_id("kit"), *_NO_IDS):
        error = await raised(UnknownKey, ground.provider.named(key_id), "there is no such key")
        assert isinstance(error, UnknownKey)
        assert error.key_id == key_id
        tells_nothing_of(error, *(each for each in _NO_IDS if each.strip()))


@_KIT.promise("renew")
async def an_older_key_opens_what_is_under_it(ground: Ground) -> None:
    """A renewal takes effect without a restart, and the one before goes on opening what was sealed with it."""
    assert ground.renew
    before = await ground.provider.current()
    sealed = seal(before.secret, _CONTEXT, b"plain")
    new_id = await ground.renew()
    assert new_id != before.id
    assert (await ground.provider.named(new_id)).secret != before.secret, "a new key has a secret of its own"
    assert (await ground.provider.current()).id == new_id, "once a process knows the new key, it is the current one"
    assert unseal((await ground.provider.named(before.id)).secret, _CONTEXT, sealed) == b"plain"


@_KIT.promise("unreadable")
async def a_ring_that_cannot_be_read_is_told_apart(ground: Ground) -> None:
    """`KeyRingError`, not `UnknownKey`: nothing is lost. The text holds none of a key, and afterwards it goes on."""
    assert ground.unreadable
    current = await ground.provider.current()
    async with ground.unreadable():
        for asked in (ground.provider.current(), ground.provider.named(current.id)):
            error = await raised(KeyRingError, asked, "the ring cannot be read")
            tells_nothing_of(error, _encoded(current), repr(current.secret))
    assert await ground.provider.current() == current


def _encoded(key: Key) -> str:
    return base64.b64encode(key.secret).decode()
