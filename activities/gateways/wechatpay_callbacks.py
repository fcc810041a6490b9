"""Callbacks of WeChat Pay: verified over the bytes as they came, then decrypted (X3). Nothing is written."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import BaseModel, ConfigDict, ValidationError

from activities.gateways.callbacks import CallbackRefused, CallbackReply, CallbackRequest, ReadCallback, Refused
from activities.gateways.payment import GatewayUnreachable
from activities.gateways.refund_numbers import read_number
from activities.gateways.wechatpay_answers import answer_of
from workflows.messages.message import Moment
from workflows.messages.money import PositiveMinor

PLAYED_AGAIN_AFTER: Final = timedelta(minutes=5)
"""WeChat Pay signs each delivery anew, with its own moment."""
REFUSAL: Final = CallbackReply(b'{"code": "FAIL", "message": "refused"}', "application/json", 400)
_ALGORITHM: Final = "AEAD_AES_256_GCM"
_KEY: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Resource(_Lenient):
    algorithm: str
    ciphertext: str
    nonce: str
    associated_data: str = ""


class _Notification(_Lenient):
    id: str
    create_time: Moment
    event_type: str
    resource: _Resource


class _Amount(_Lenient):
    refund: PositiveMinor


class _Refunded(_Lenient):
    out_refund_no: str
    refund_id: str
    refund_status: str
    success_time: Moment | None = None
    amount: _Amount | None = None


def read(request: CallbackRequest, keys: Mapping[str, RSAPublicKey], api_v3_key: bytes) -> ReadCallback:
    """What a callback says; ``keys`` are WeChat Pay's, by serial number or id.

    Raises:
        CallbackRefused: it is forged, stale or cannot be read.
    """
    _verify(request, keys)
    try:
        told = _Notification.model_validate_json(request.body)
    except ValidationError as error:
        raise CallbackRefused(Refused.UNREADABLE, "body") from error
    if _KEY.fullmatch(told.id) is None:
        raise CallbackRefused(Refused.UNREADABLE, "id")
    said_at = told.create_time.astimezone(UTC)
    if not told.event_type.startswith("REFUND."):
        return ReadCallback(told.id, None, said_at)
    try:
        refunded = _Refunded.model_validate_json(_decrypted(told.resource, api_v3_key))
    except (InvalidTag, ValueError, binascii.Error) as error:  # among them what pydantic raises
        raise CallbackRefused(Refused.UNREADABLE, "resource") from error
    ours = read_number(refunded.out_refund_no)
    if ours is None:
        return ReadCallback(told.id, None, said_at)
    refund_no, attempt = ours
    try:
        answer = answer_of(
            refund_no,
            attempt,
            state=refunded.refund_status,
            refund_id=refunded.refund_id,
            success_time=refunded.success_time,
        )
    except (GatewayUnreachable, ValidationError) as error:
        raise CallbackRefused(Refused.UNREADABLE, "refund_status") from error
    return ReadCallback(told.id, answer, said_at, amount=refunded.amount.refund if refunded.amount else None)


def _verify(request: CallbackRequest, keys: Mapping[str, RSAPublicKey]) -> None:
    headers = request.headers
    stamp, nonce = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-nonce", "")
    key = keys.get(headers.get("wechatpay-serial", "").upper().lstrip("0"))
    if key is None:
        raise CallbackRefused(Refused.FORGED, "wechatpay-serial")
    signed = f"{stamp}\n{nonce}\n".encode() + request.body + b"\n"
    try:
        # WeChat Pay sends false ones, too, to see whether they are refused: ``WECHATPAY/SIGNTEST/...``.
        signature = base64.b64decode(headers.get("wechatpay-signature", ""), validate=True)
        key.verify(signature, signed, PKCS1v15(), SHA256())
    except (binascii.Error, ValueError, InvalidSignature) as error:
        raise CallbackRefused(Refused.FORGED, "wechatpay-signature") from error
    if not re.fullmatch(r"[0-9]{1,11}", stamp):
        raise CallbackRefused(Refused.UNREADABLE, "wechatpay-timestamp")
    if abs(request.received_at - datetime.fromtimestamp(int(stamp), UTC)) > PLAYED_AGAIN_AFTER:
        raise CallbackRefused(Refused.STALE, "wechatpay-timestamp")


def _decrypted(resource: _Resource, key: bytes) -> bytes:
    if resource.algorithm != _ALGORITHM:
        raise ValueError("algorithm")
    sealed = base64.b64decode(resource.ciphertext, validate=True)
    return AESGCM(key).decrypt(resource.nonce.encode(), sealed, resource.associated_data.encode())
