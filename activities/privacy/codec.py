"""Temporal's payloads under encryption: arguments, results, memos, summaries, details, failures (P6)."""

import dataclasses
import zlib
from collections.abc import Sequence
from typing import Final

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec

from activities.privacy.keys import KeyProvider
from activities.privacy.sealing import seal, unseal
from workflows.messages.converter import data_converter

ENCODING: Final = b"binary/aes-256-gcm"
KEY_ID: Final = "encryption-key-id"
_CONTEXT: Final = b"temporal payload "
_PLAIN, _DEFLATED = b"\0", b"\1"
# Below, what deflate saves is about what it costs.
_WORTH_DEFLATING: Final = 256
MOST_INFLATED: Final = 16 * 1024 * 1024
"""Bytes of one payload at most. Temporal's own limit is far below."""


class PayloadTooLarge(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """A payload grows beyond what any payload of ours holds."""


class EncryptionCodec(PayloadCodec):
    """Encrypts with the ring's current key, whose id stands in the metadata; decrypts with whichever was used.

    Larger payloads are compressed first. What is not encrypted is passed on as it is: it was written before there
    was encryption, or by a program that has no key.
    """

    def __init__(self, keys: KeyProvider) -> None:
        self._keys = keys

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt payloads; one that is encrypted already stays as it is."""
        key = await self._keys.current()
        return [each if is_encrypted(each) else _encrypted(each, key.id, key.secret) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt payloads.

        Raises:
            UnknownKey: one is under a key that the ring does not hold.
            Tampered: one was changed on its way.
        """
        return [await self._decrypted(each) if is_encrypted(each) else each for each in payloads]

    async def _decrypted(self, payload: Payload) -> Payload:
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        key = await self._keys.named(key_id)
        marked = unseal(key.secret, _CONTEXT + key_id.encode(), payload.data)
        plain = _inflated(marked[1:]) if marked[:1] == _DEFLATED else marked[1:]
        return Payload.FromString(plain)


def is_encrypted(payload: Payload) -> bool:
    """Whether the payload is one that ``EncryptionCodec`` made."""
    return payload.metadata.get("encoding") == ENCODING


def encrypting_converter(keys: KeyProvider) -> DataConverter:
    """The data converter of every client and worker: our messages, encrypted, failures' texts included."""
    return dataclasses.replace(
        data_converter,
        payload_codec=EncryptionCodec(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def _encrypted(payload: Payload, key_id: str, secret: bytes) -> Payload:
    plain = payload.SerializeToString()
    deflated = zlib.compress(plain, level=6) if len(plain) >= _WORTH_DEFLATING else plain
    marked = _DEFLATED + deflated if len(deflated) < len(plain) else _PLAIN + plain
    return Payload(
        metadata={"encoding": ENCODING, KEY_ID: key_id.encode()},
        data=seal(secret, _CONTEXT + key_id.encode(), marked),
    )


def _inflated(deflated: bytes) -> bytes:
    inflater = zlib.decompressobj()
    plain = inflater.decompress(deflated, MOST_INFLATED)
    if inflater.unconsumed_tail:
        raise PayloadTooLarge(f"a payload holds more than {MOST_INFLATED} bytes")
    return plain
