"""X3: whatever a provider signs is read, or refused as what it is; no other error leaves an adapter.

Who holds the key is not always right: a release of the provider's, a proxy, a test account.
"""

import base64
import json
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from activities.gateways import beijing_time
from activities.gateways.alipay import AlipayRefunds
from activities.gateways.callbacks import CallbackRefused, CallbackRequest, ReadCallback, Refused
from activities.gateways.wechatpay import WeChatPayRefunds
from activities.gateways.wechatpay_bill import BillUnreadableError, fen
from tests.gateways.alipay_server import AlipayServer
from tests.gateways.conftest import instruction
from tests.gateways.test_stripe_callbacks import STRIPE, events, request
from tests.gateways.wechatpay_server import API_V3_KEY, WeChatPayServer, signature
from tests.proofs.hostile_values import MOMENTS, NUMBERS, TEXTS, Sender

INPUTS: Final = int(os.environ.get("PROOFS_INPUTS", "300"))


async def came_to(read: Callable[[CallbackRequest], Awaitable[ReadCallback]], request: CallbackRequest) -> str:
    """What becomes of a callback: read, of something else, or why it is refused."""
    try:
        told = await read(request)
    except CallbackRefused as refused:
        return str(refused.why)
    assert 0 < len(told.key) <= 64
    return "read" if told.answer else "of something else"


async def test_whatever_stripe_signs(record_property: Callable[[str, object], None]) -> None:
    sender, told = Sender(random.Random("stripe")), Counter[str]()
    genuine = events("failed", failure_reason="lost_or_stolen_card") + events("succeeded")

    for number in range(INPUTS):
        text = sender.text(genuine[number % len(genuine)])
        told[await came_to(STRIPE.read_callback, request(text))] += 1

    record_property("inputs", INPUTS)
    assert set(told) <= {"read", "of something else", *map(str, Refused)}
    assert len(told) > 1, told


async def test_whatever_wechat_pay_signs_and_encrypts(
    wechatpay: WeChatPayRefunds,
    wechatpay_server_running: WeChatPayServer,
    record_property: Callable[[str, object], None],
) -> None:
    server = wechatpay_server_running
    server.first_state = "SUCCESS"
    await wechatpay.submit(instruction(attempt=2))
    sender, dice, told = Sender(random.Random("wechat")), random.Random("wechat"), Counter[str]()
    genuine = server.callback(instruction(attempt=2).number)
    outer: dict[str, Any] = json.loads(genuine.body)
    sealed, nonce = base64.b64decode(outer["resource"]["ciphertext"]), outer["resource"]["nonce"].encode()
    inner: dict[str, Any] = json.loads(AESGCM(API_V3_KEY.encode()).decrypt(nonce, sealed, b"refund"))

    for _ in range(INPUTS):
        body = sender.text(outer)
        if dice.random() < 0.6:
            text = AESGCM(API_V3_KEY.encode()).encrypt(nonce, sender.text(inner), b"refund")
            resource = outer["resource"] | {"ciphertext": base64.b64encode(text).decode()}
            body = json.dumps(outer | {"resource": resource}).encode()
        headers = signature(server.keys.platform, body, genuine.headers["wechatpay-serial"])
        signed = CallbackRequest(body, {name.lower(): text for name, text in headers.items()}, datetime.now(UTC))
        told[await came_to(wechatpay.read_callback, signed)] += 1

    record_property("inputs", INPUTS)
    assert set(told) <= {"read", "of something else", *map(str, Refused)}
    assert len(told) > 1, told


async def test_whatever_alipay_signs(
    alipay: AlipayRefunds, alipay_server_running: AlipayServer, record_property: Callable[[str, object], None]
) -> None:
    await alipay.submit(instruction())
    dice, told = random.Random("alipay"), Counter[str]()
    names = (
        "notify_time",
        "notify_id",
        "trade_no",
        "out_biz_no",
        "trade_status",
        "refund_fee",
        "gmt_refund",
        "subject",
    )
    texts = [str(each).encode("utf-8", "replace").decode() for each in (*TEXTS, *NUMBERS, *MOMENTS) if each != "\x00"]

    for _ in range(INPUTS):
        fields: dict[str, Any] = {dice.choice(names): dice.choice(texts) for _ in range(dice.choice((1, 1, 2)))}
        told[await came_to(alipay.read_callback, alipay_server_running.callback(**fields))] += 1

    record_property("inputs", INPUTS)
    assert set(told) <= {"read", "of something else", *map(str, Refused)}
    assert len(told) > 1, told


@pytest.mark.parametrize("text", ["0001-01-01 00:00:00", "9999-12-31 23:59:60", "now", "", "2026-02-30 00:00:00"])
def test_a_moment_that_cannot_be_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        beijing_time.moment(text)


@pytest.mark.parametrize("amount", ["1E+999999", "NaN", "-Infinity", "0.001", "一"])
def test_an_amount_that_cannot_be_makes_a_bill_unreadable(amount: str) -> None:  # X5
    with pytest.raises(BillUnreadableError):
        fen(amount)
