"""The promises of a store of attachments (D6, P6): see `activities.gateways.kits.promise` for how they are tried."""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from activities.gateways.attachments import AttachmentStore, StoreUnreachable
from activities.gateways.kits.promise import AT_ONCE, Kit, raised
from workflows.messages.evidence import MAX_ATTACHMENT_BYTES

LARGEST: Final = MAX_ATTACHMENT_BYTES + 60
"""Bytes of the largest content, once it is sealed."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A store and what can be arranged for it."""

    store: AttachmentStore
    unreachable: AttachmentStore | None = None
    """Another one of the same adapter, whose far side does not answer or refuses us."""
    largest: int = LARGEST
    """Less than that only tries less, where the far side is slow."""


_KIT = Kit[Ground]()
promises = _KIT.promises
run = _KIT.run


@_KIT.promise()
async def what_was_put_comes_back_equal(ground: Ground) -> None:
    """Bytes are bytes: no encoding, no line ends, nothing cut off at a zero."""
    content = bytes(range(256)) * 8 + b"\r\n\n\0"
    name = _name()
    await ground.store.put(name, content)
    for _ in range(2):
        assert await ground.store.get(name) == content
    await ground.store.delete(name)


@_KIT.promise()
async def put_again_it_is_there_once(ground: Ground) -> None:
    """An answer was lost, or the step is carried out again: the same name, the same bytes, many at the same moment."""
    name, content = _name(), os.urandom(4_096)
    await asyncio.gather(*(ground.store.put(name, content) for _ in range(AT_ONCE)))
    assert await ground.store.get(name) == content
    await ground.store.delete(name)
    assert await ground.store.get(name) is None, "it was deleted"


@_KIT.promise()
async def names_are_kept_apart(ground: Ground) -> None:
    """Also those that differ in one letter, and when one of them is deleted."""
    name = _name()
    other = name[:-1] + ("0" if name[-1] != "0" else "1")
    await ground.store.put(name, b"one" * 20)
    await ground.store.put(other, b"two" * 20)
    await ground.store.delete(name)
    assert await ground.store.get(name) is None
    assert await ground.store.get(other) == b"two" * 20
    await ground.store.delete(other)


@_KIT.promise()
async def what_was_never_put_is_none(ground: Ground) -> None:
    """No error: only so is what is gone told from a store that does not answer."""
    assert await ground.store.get(_name()) is None


@_KIT.promise()
async def to_delete_twice_is_no_error(ground: Ground) -> None:
    """A person is forgotten in steps that may be carried out again."""
    name = _name()
    await ground.store.delete(name)
    await ground.store.put(name, b"x" * 61)
    await ground.store.delete(name)
    await ground.store.delete(name)
    assert await ground.store.get(name) is None


@_KIT.promise()
async def the_largest_content_is_kept_whole(ground: Ground) -> None:
    """Of 50 MiB, sealed; and the smallest, of one byte."""
    for size in (61, ground.largest):
        name, content = _name(), os.urandom(size)
        await ground.store.put(name, content)
        kept = await ground.store.get(name)
        await ground.store.delete(name)
        assert kept == content, f"of {size} bytes, {'none' if kept is None else len(kept)} came back"


@_KIT.promise("unreachable")
async def a_store_that_does_not_answer_says_so(ground: Ground) -> None:
    """`StoreUnreachable`, of each call: ``None`` would mean that the content is gone."""
    assert ground.unreachable
    name, why = _name(), "the store does not answer"
    calls: tuple[Callable[[AttachmentStore], Awaitable[object]], ...] = (
        lambda store: store.put(name, b"x" * 61),
        lambda store: store.get(name),
        lambda store: store.delete(name),
    )
    for call in calls:
        await raised(StoreUnreachable, call(ground.unreachable), why)


def _name() -> str:
    return secrets.token_hex(16)
