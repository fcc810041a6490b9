"""How the payment gateway's stub signs its callbacks, and how they are read: as a provider's are (X3)."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import ValidationError

from activities.gateways.callbacks import CallbackRefused, CallbackReply, CallbackRequest, ReadCallback, Refused
from activities.gateways.payment import GatewayAnswer
from workflows.messages.commands import GatewayCallback
from workflows.messages.reading import read_json

SIGNATURE: Final = "stub-signature"
"""The header: ``t=<seconds since 1970>,v1=<HMAC-SHA256 of the seconds, a full stop and the body>``."""
PLAYED_AGAIN_AFTER: Final = timedelta(minutes=5)
_SECRET: Final = b"for development only: not a secret"


def signed(callback: GatewayCallback, sent_at: datetime, secret: bytes = _SECRET) -> CallbackRequest:
    """The request that the stub would send at this moment of real time."""
    body = callback.model_dump_json().encode()
    seconds = str(int(sent_at.timestamp()))
    return CallbackRequest(body, {SIGNATURE: f"t={seconds},v1={_mac(secret, seconds, body)}"}, sent_at)


def read(request: CallbackRequest) -> ReadCallback:
    """What a callback of the stub says.

    Raises:
        CallbackRefused: it is forged, stale or cannot be read.
    """
    seconds, _, mac = request.headers.get(SIGNATURE, "").removeprefix("t=").partition(",v1=")
    if not hmac.compare_digest(mac.encode(), _mac(_SECRET, seconds, request.body).encode()):
        raise CallbackRefused(Refused.FORGED, "signature")
    sent_at = datetime.fromtimestamp(int(seconds), UTC)
    if abs(request.received_at - sent_at) > PLAYED_AGAIN_AFTER:
        raise CallbackRefused(Refused.STALE, "signature")
    try:
        said = read_json(GatewayCallback, request.body.decode())
    except (ValidationError, UnicodeDecodeError) as error:
        raise CallbackRefused(Refused.UNREADABLE, "body") from error
    answer = GatewayAnswer(
        refund_no=said.refund_no,
        attempt=said.attempt,
        result=said.result,
        gateway_ref=said.gateway_ref,
        failure=said.failure,
        raw=said.raw,
        settled_at=said.settled_at,
    )
    return ReadCallback(said.key, answer, said.settled_at, CallbackReply(b"success"), said.amount)


def _mac(secret: bytes, seconds: str, body: bytes) -> str:
    return hmac.new(secret, seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
