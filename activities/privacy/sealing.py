"""Authenticated encryption: AES-256-GCM under a key of each message's own.

The message's key is derived from the ring's key and a random salt. So one key of the ring serves any number of
messages: the limit of GCM with random nonces (2^32 messages a key) is not reached.
"""

import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12


class Tampered(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """What is to be opened was not sealed so: other bytes, another context, or another key under the same id."""


def seal(secret: bytes, context: bytes, plain: bytes) -> bytes:
    """Encrypt ``plain``; only the same secret and context open it. 44 bytes longer than ``plain``."""
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    return salt + nonce + AESGCM(_derived(secret, salt)).encrypt(nonce, plain, context)


def unseal(secret: bytes, context: bytes, sealed: bytes) -> bytes:
    """What was sealed.

    Raises:
        Tampered: it was not sealed with this secret and context, or has been changed.
    """
    salt, nonce, rest = (
        sealed[:_SALT_BYTES],
        sealed[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES],
        sealed[_SALT_BYTES + _NONCE_BYTES :],
    )
    try:
        return AESGCM(_derived(secret, salt)).decrypt(nonce, rest, context)
    except (InvalidTag, ValueError) as error:
        raise Tampered("this cannot be opened: it was not sealed so, or has been changed") from error


def _derived(secret: bytes, salt: bytes) -> bytes:
    # HKDF-Expand (RFC 5869, section 2.3) to the length of one SHA-256 is a single HMAC. The library's object for it
    # takes ten times as long, and this is done for each payload.
    return hmac.digest(secret, b"aftersales message key" + salt + b"\x01", "sha256")
