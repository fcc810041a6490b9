"""Temporal's payloads under encryption: arguments, results, memos, summaries, details, failures (P6)."""

import asyncio
import dataclasses
import hashlib
import zlib
from collections.abc import Sequence
from typing import Final, Self

from google.protobuf.message import DecodeError
from nexusrpc import HandlerError
from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    NexusSerializationContext,
    PayloadCodec,
    PayloadConverter,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from temporalio.exceptions import ApplicationError

from activities.privacy.keys import KeyProvider, UnknownKey
from activities.privacy.sealing import Tampered, seal, unseal
from workflows.messages.converter import (
    FOR_OUTSIDE,
    SEALED,
    UNOPENED,
    WHY,
    MessageConverter,
    ShowingConverter,
    data_converter,
)
from workflows.messages.problems import UNREADABLE, problems, said
from workflows.messages.sealed import Sealed

ENCODING: Final = b"binary/aes-256-gcm"
KEY_ID: Final = "encryption-key-id"
CASE: Final = "encryption-case"
"""The workflow that a payload is bound to. It is authenticated: what is sealed for one case opens in no other."""
REFUSED: Final = "Refused."
"""What the types of failures begin with that say why a command is refused."""
_CONTEXT: Final = b"temporal payload "
_PLAIN, _DEFLATED = b"\0", b"\1"
# Below, what deflate saves is about what it costs.
_WORTH_DEFLATING: Final = 256
_LARGE: Final = 256 * 1024
"""Bytes. What is larger is deflated and inflated in a thread of its own, so that nothing else waits for it."""
MOST_INFLATED: Final = 16 * 1024 * 1024
"""Bytes of one payload at most. Temporal's own limit is far below."""


class PayloadTooLarge(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """A payload grows beyond what any payload of ours holds."""


class SealedForAnother(Tampered):
    """It is bound to another case than the one that it has come to."""


class EncryptionCodec(PayloadCodec, WithSerializationContext):
    """Encrypts with the ring's current key, whose id stands in the metadata; decrypts with whichever was used.

    What belongs to a workflow is bound to its id, where the SDK tells whose it is. Larger payloads are compressed
    first. What is not encrypted is passed on as it is: it was written before there was encryption, or by a program that
    has no key.
    """

    def __init__(self, keys: KeyProvider, case: str | None = None, *, seals: bool = True) -> None:
        """``case`` is the id of the workflow whose payloads these are; None where that is not known.

        Without ``seals`` what is encoded stays in clear.
        """
        self._keys = keys
        self._case = case
        self._seals = seals

    def with_context(self, context: SerializationContext) -> Self:
        """See base class."""
        match context:
            case WorkflowSerializationContext(workflow_id=case) | ActivitySerializationContext(workflow_id=case):
                return type(self)(self._keys, case)
            case NexusSerializationContext():  # it goes to another namespace, which has none of our keys
                return type(self)(self._keys, seals=False)
            case _:
                return self

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt payloads; one that is encrypted already stays as it is."""
        if not self._seals:
            return list(payloads)
        key = await self._keys.current()
        return [
            each if is_encrypted(each) else await _encrypted(each, key.id, key.secret, self._case) for each in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt payloads.

        Raises:
            UnknownKey: one is under a key that the ring does not hold.
            SealedForAnother: one is bound to another workflow than this one.
            Tampered: one was changed on its way.
        """
        return [await self._decrypted(each) if is_encrypted(each) else each for each in payloads]

    async def _decrypted(self, payload: Payload) -> Payload:
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        key = await self._keys.named(key_id)
        bound_to = payload.metadata.get(CASE)
        marked = unseal(key.secret, _context(key_id, bound_to), payload.data)
        if self._case and bound_to is not None and not _is_of(bound_to.decode(), self._case):
            raise SealedForAnother("it was sealed for another case")
        plain = await _inflated(marked[1:]) if marked[:1] == _DEFLATED else marked[1:]
        return Payload.FromString(plain)


class OpeningCodec(EncryptionCodec):
    """The codec of clients and workers: what it cannot open it replaces by a mark that says why.

    An error here would fail the whole workflow task, which is tried again for ever: one start, update or signal that
    was sealed with a foreign ring would stall a case for good. So whoever needs the value decides: a workflow refuses
    a start or a command, and everything else is an error as before (``MessageConverter``).
    """

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt payloads, but for those that are written for another namespace."""
        outside = [FOR_OUTSIDE in each.metadata for each in payloads]
        sealed = iter(await super().encode([each for each, out in zip(payloads, outside, strict=True) if not out]))
        return [each if out else next(sealed) for each, out in zip(payloads, outside, strict=True)]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt payloads.

        Raises:
            KeyRingError: the ring cannot be read at present.
        """
        return [await self._opened(each) if is_encrypted(each) else _without_marks(each) for each in payloads]

    async def _opened(self, payload: Payload) -> Payload:
        try:
            opened = _without_marks(await self._decrypted(payload))
            opened.metadata[SEALED] = (Sealed.BOUND if CASE in payload.metadata else Sealed.UNBOUND).encode()
            return opened
        except SealedForAnother as error:
            why = str(error)
        except UnknownKey as error:
            why = f"it cannot be opened: {error}"
        except (Tampered, PayloadTooLarge, DecodeError, zlib.error):
            why = "it cannot be opened: it was changed, or sealed with another key under the same id"
        return _closed(payload, why)


def _without_marks(payload: Payload) -> Payload:
    """The payload without what only ``OpeningCodec`` may note on it: whoever sends one could write the same there."""
    if payload.metadata.get("encoding") == UNOPENED:
        return _closed(payload, "it cannot be opened: it is no payload of ours")
    if SEALED not in payload.metadata:
        return payload
    return Payload(
        metadata={name: value for name, value in payload.metadata.items() if name != SEALED}, data=payload.data
    )


def _closed(payload: Payload, why: str) -> Payload:
    """What stands in the place of a payload that cannot be opened."""
    return Payload(metadata={"encoding": UNOPENED, WHY: why.encode()}, data=hashlib.sha256(payload.data).digest()[:8])


class EncryptedFailures(DefaultFailureConverterWithEncodedAttributes):
    """Failures with their texts and stack traces encrypted.

    Of a refused command, and of a start that cannot be read, the sentence stays in clear as well: it is ours to the
    last word (a rule, a field's name), and the Web UI shows it to whoever sent it without decoding it.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """See base class."""
        super().to_failure(exception, payload_converter, failure)
        match exception:
            case ApplicationError(type=str(kind), message=message) if kind == UNREADABLE or kind.startswith(REFUSED):
                failure.message = message
            case HandlerError(message=message):  # told to another namespace: nothing of its cause is
                failure.message, failure.stack_trace = message, ""
                failure.ClearField("encoded_attributes")
                failure.ClearField("cause")
            case ValidationError():
                failure.message = said(problems(exception))
            case _:
                pass


def is_encrypted(payload: Payload) -> bool:
    """Whether the payload is one that ``EncryptionCodec`` made."""
    return payload.metadata.get("encoding") == ENCODING


def encrypting_converter(keys: KeyProvider, *, shows: bool = False) -> DataConverter:
    """The data converter of every client and worker: our messages, encrypted, failures' texts included (P6).

    With ``shows`` words that a newer release has added are read as they were written: for who decides nothing.
    """
    return dataclasses.replace(
        data_converter,
        payload_converter_class=ShowingConverter if shows else MessageConverter,
        payload_codec=OpeningCodec(keys),
        failure_converter_class=EncryptedFailures,
    )


async def _encrypted(payload: Payload, key_id: str, secret: bytes, case: str | None) -> Payload:
    plain = payload.SerializeToString()
    deflated = await _deflated(plain)
    marked = _DEFLATED + deflated if len(deflated) < len(plain) else _PLAIN + plain
    bound_to = case.encode() if case else None
    return Payload(
        metadata={"encoding": ENCODING, KEY_ID: key_id.encode(), **({CASE: bound_to} if bound_to else {})},
        data=seal(secret, _context(key_id, bound_to), marked),
    )


def _context(key_id: str, bound_to: bytes | None) -> bytes:
    """What is authenticated beside the payload."""
    return _CONTEXT + key_id.encode() + (b"" if bound_to is None else b" of " + bound_to)


def _is_of(bound_to: str, case: str) -> bool:
    """A schedule seals for the beginning of its workflows' ids; a case's id, which has a slash, stands for itself."""
    return bound_to == case or ("/" not in bound_to and case.startswith(f"{bound_to}-"))


async def _deflated(plain: bytes) -> bytes:
    if len(plain) < _WORTH_DEFLATING:
        return plain
    if len(plain) < _LARGE:
        return zlib.compress(plain, 6)
    return await asyncio.to_thread(zlib.compress, plain, 6)


async def _inflated(deflated: bytes) -> bytes:
    inflater = zlib.decompressobj()
    if len(deflated) < _LARGE // 16:
        plain = inflater.decompress(deflated, MOST_INFLATED)
    else:
        plain = await asyncio.to_thread(inflater.decompress, deflated, MOST_INFLATED)
    if inflater.unconsumed_tail:
        raise PayloadTooLarge(f"a payload holds more than {MOST_INFLATED} bytes")
    return plain
