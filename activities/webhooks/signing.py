"""Signatures of what we send, by the Standard Webhooks specification: HMAC with SHA-256 over id, moment and body."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

PREFIX: Final = "whsec_"
TOLERANCE_SECONDS: Final = 300
"""How far a receiver lets our clock and its own differ."""

_SHORTEST, _LONGEST = 24, 64
_NEW: Final = 32


def new_secret() -> str:
    """A secret to sign with, as both sides write it down."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_NEW)).decode()


def key_of(secret: str) -> bytes:
    """The key that a written secret stands for.

    Raises:
        ValueError: it is none; the text does not repeat it.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"a secret is {PREFIX} and {_SHORTEST} to {_LONGEST} bytes in base64")
    return key


def signed(keys: Sequence[bytes], id: str, moment: int, body: bytes) -> Mapping[str, str]:
    """The headers of a request: one signature for each key, so that a receiver may know the old secret or the new one.

    ``moment`` is in seconds since 1970, of this attempt.
    """
    return {
        "webhook-id": id,
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(f"v1,{_signature(key, id, str(moment), body)}" for key in keys),
    }


def is_ours(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a request was signed with this secret, not long ago: what a receiver asks, as docs/events.md has it."""
    moment = headers.get("webhook-timestamp", "")
    if not moment.isdecimal() or abs(now - int(moment)) > TOLERANCE_SECONDS:
        return False
    wanted = f"v1,{_signature(key_of(secret), headers.get('webhook-id', ''), moment, body)}"
    return any(hmac.compare_digest(wanted, each) for each in headers.get("webhook-signature", "").split())


def _signature(key: bytes, id: str, moment: str, body: bytes) -> str:
    return base64.b64encode(hmac.digest(key, f"{id}.{moment}.".encode() + body, hashlib.sha256)).decode()
