"""WeChat Pay's callbacks: only genuine and fresh ones are read, with real keys (X3)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.gateways.callbacks import CallbackRefused, CallbackRequest, Refused
from activities.gateways.wechatpay import WeChatPayRefunds
from tests.gateways.conftest import REFUND_NO, instruction
from tests.gateways.wechatpay_server import WeChatPayServer, signature
from workflows.messages.commands import GatewayResult

NUMBER = instruction(attempt=2).number


@pytest.fixture
async def server(wechatpay: WeChatPayRefunds, wechatpay_server_running: WeChatPayServer) -> WeChatPayServer:
    """With a second attempt that has been paid."""
    wechatpay_server_running.first_state = "SUCCESS"
    await wechatpay.submit(instruction(attempt=2))
    return wechatpay_server_running


async def refused(wechatpay: WeChatPayRefunds, request: CallbackRequest) -> Refused:
    with pytest.raises(CallbackRefused) as caught:
        await wechatpay.read_callback(request)
    return caught.value.why


async def test_a_genuine_one_tells_of_the_refund_and_the_attempt(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    read = await wechatpay.read_callback(server.callback(NUMBER))
    assert read.key == "EV-2026112800000001"
    assert read.answer is not None
    assert (read.answer.refund_no, read.answer.attempt) == (REFUND_NO, 2)
    assert read.answer.result is GatewayResult.SUCCEEDED
    assert read.answer.gateway_ref == server.refunds[NUMBER].refund_id
    assert read.answer.settled_at is not None
    assert abs(read.said_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert (read.reply.status, read.reply.body) == (200, b"")
    assert read.amount == 500


@pytest.mark.parametrize(("state", "result"), [("CLOSED", GatewayResult.CLOSED), ("ABNORMAL", GatewayResult.STRANDED)])
async def test_one_that_tells_of_a_failure(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer, state: str, result: GatewayResult
) -> None:
    read = await wechatpay.read_callback(server.callback(NUMBER, state=state))
    assert read.answer is not None
    assert (read.answer.result, read.answer.raw, read.answer.settled_at) == (result, state, None)


async def test_the_same_again_has_the_same_key(wechatpay: WeChatPayRefunds, server: WeChatPayServer) -> None:
    """WeChat Pay repeats a notification with its id, signed anew."""
    first, again = server.callback(NUMBER), server.callback(NUMBER)
    assert first.headers["wechatpay-nonce"] != again.headers["wechatpay-nonce"]
    assert (await wechatpay.read_callback(first)).key == (await wechatpay.read_callback(again)).key


async def test_out_of_order_each_tells_its_own_moment(wechatpay: WeChatPayRefunds, server: WeChatPayServer) -> None:
    late = server.callback(NUMBER, notification="EV-1", state="ABNORMAL", at=datetime.now(UTC) - timedelta(minutes=2))
    newer = await wechatpay.read_callback(server.callback(NUMBER, notification="EV-2"))
    older = await wechatpay.read_callback(late)
    assert older.said_at < newer.said_at
    assert older.key != newer.key


async def test_forged_ones_are_refused(wechatpay: WeChatPayRefunds, server: WeChatPayServer) -> None:
    genuine = server.callback(NUMBER)
    headers = dict(genuine.headers)
    forged = [
        server.callback(NUMBER, key=server.keys.other),
        server.callback(NUMBER, key_id="PUB_KEY_ID_0100000000000000000000"),
        replace(genuine, body=genuine.body.replace(b"REFUND.SUCCESS", b"REFUND.CLOSED ")),
        replace(genuine, headers=headers | {"wechatpay-nonce": "another"}),
        replace(genuine, headers=headers | {"wechatpay-timestamp": str(int(headers["wechatpay-timestamp"]) + 1)}),
        # What WeChat Pay itself sends now and then, to see whether it is refused.
        replace(genuine, headers=headers | {"wechatpay-signature": "WECHATPAY/SIGNTEST/" + "A" * 325}),
        replace(genuine, headers={name: text for name, text in headers.items() if name != "wechatpay-signature"}),
        replace(genuine, headers={}),
    ]
    assert [await refused(wechatpay, each) for each in forged] == [Refused.FORGED] * len(forged)


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_one_that_is_played_again_later_is_stale(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer, minutes: int
) -> None:
    told = server.callback(NUMBER, at=datetime.now(UTC) - timedelta(minutes=minutes))
    assert await refused(wechatpay, told) is Refused.STALE
    fresh = server.callback(NUMBER, at=datetime.now(UTC) - timedelta(minutes=minutes / 2))
    assert (await wechatpay.read_callback(fresh)).answer is not None


async def test_one_that_another_key_encrypted_cannot_be_read(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    told = server.callback(NUMBER, api_v3_key="v" * 32)
    assert await refused(wechatpay, told) is Refused.UNREADABLE


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "x" * 65},
        {"create_time": "yesterday"},
        {"resource": None},
        {"resource": {"algorithm": "AES_CBC", "ciphertext": "AAAA", "nonce": "n"}},
        {"resource": {"algorithm": "AEAD_AES_256_GCM", "ciphertext": "%%%", "nonce": "0123456789ab"}},
    ],
    ids=str,
)
async def test_a_signed_one_without_sense_cannot_be_read(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer, change: dict[str, Any]
) -> None:
    genuine = server.callback(NUMBER)
    body = json.dumps(json.loads(genuine.body) | change).encode()
    headers = signature(server.keys.platform, body, genuine.headers["wechatpay-serial"])
    signed = CallbackRequest(body, {name.lower(): text for name, text in headers.items()}, datetime.now(UTC))
    assert await refused(wechatpay, signed) is Refused.UNREADABLE


async def test_a_state_that_nobody_knows_cannot_be_read(wechatpay: WeChatPayRefunds, server: WeChatPayServer) -> None:
    assert await refused(wechatpay, server.callback(NUMBER, state="REVIEWING")) is Refused.UNREADABLE


async def test_one_about_something_else_is_answered_and_forgotten(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    paid = await wechatpay.read_callback(server.callback(NUMBER, event="TRANSACTION.SUCCESS"))
    assert paid.answer is None
    server.refunds["another-systems-1"] = server.refunds[NUMBER]
    others = await wechatpay.read_callback(server.callback("another-systems-1"))
    assert others.answer is None
