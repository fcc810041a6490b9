"""Callbacks of Alipay: a form whose decoded fields are signed (X3). Nothing is written."""

import hashlib
import re
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from activities.gateways.alipay_answers import moment
from activities.gateways.alipay_signatures import UnverifiedError, verify_fields
from activities.gateways.callbacks import CallbackRefused, CallbackReply, CallbackRequest, ReadCallback, Refused
from activities.gateways.payment import GatewayAnswer
from activities.gateways.refund_numbers import read_number
from workflows.messages.commands import GatewayResult

PLAYED_AGAIN_AFTER: Final = timedelta(hours=26)
"""Alipay repeats a notification for 25 hours, until it reads ``success``; the same one bears the same id."""
REPLY: Final = CallbackReply(b"success")
REFUSAL: Final = CallbackReply(b"fail", status=400)
_KEY: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MOST_FIELDS: Final = 100


def read(request: CallbackRequest, key: RSAPublicKey, app_id: str) -> ReadCallback:
    """What a callback says.

    A notification about a trade tells of a refund when it bears ``gmt_refund``; ``out_biz_no`` is the refund's number.

    Raises:
        CallbackRefused: it is forged, stale or cannot be read.
    """
    try:
        fields = dict(
            parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
        )
        verify_fields(fields, key)
    except (UnverifiedError, ValueError) as error:
        raise CallbackRefused(Refused.FORGED, "sign") from error
    if fields.get("app_id") != app_id:
        raise CallbackRefused(Refused.FORGED, "app_id")
    try:
        said_at = moment(fields["notify_time"])
        notification = fields["notify_id"]
        settled_at = moment(fields["gmt_refund"]) if fields.get("gmt_refund") else None
    except (KeyError, ValueError) as error:
        raise CallbackRefused(Refused.UNREADABLE, "notify_time, notify_id or gmt_refund") from error
    if abs(request.received_at - said_at) > PLAYED_AGAIN_AFTER:
        raise CallbackRefused(Refused.STALE, "notify_time")
    name = notification if _KEY.fullmatch(notification) else hashlib.sha256(notification.encode()).hexdigest()
    ours = read_number(fields.get("out_biz_no", ""))
    if ours is None or settled_at is None:
        return ReadCallback(name, None, said_at, REPLY)
    answer = GatewayAnswer(refund_no=ours[0], result=GatewayResult.SUCCEEDED, settled_at=settled_at)
    return ReadCallback(name, answer, settled_at, REPLY)
