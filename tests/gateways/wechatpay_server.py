"""A server that speaks the part of WeChat Pay's API v3 that refunds need, with signatures, and that can misbehave.

Written from the API's reference, not from the adapter: it checks and refuses what the real one does.
"""

import asyncio
import base64
import gzip
import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, auto
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from activities.gateways.callbacks import CallbackRequest

MCHID = "1900000109"
SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000001092026112800"
API_V3_KEY = "0123456789abcdefghijklmnopqrstuv"
BEIJING = timezone(timedelta(hours=8))
COLUMNS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,"
    "商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


class Fault(Enum):
    """How a request goes wrong; mostly after it has been carried out."""

    LOSE_ANSWER = auto()
    WRONG_KEY = auto()
    """The signature is by another key, under the right id."""
    FOREIGN_ID = auto()
    """The signature is by another key, under its own id."""
    NO_SIGNATURE = auto()
    HTML_502 = auto()
    GARBLED = auto()
    SLOW = auto()
    SYSTEM_ERROR = auto()
    RATE_LIMIT = auto()
    """Refused before it was carried out."""
    HTML_404 = auto()
    """A proxy in between answers."""


class Keys:
    """The keys of both sides, and of somebody else."""

    def __init__(self) -> None:
        self.merchant, self.platform, self.other = (generate_private_key(65537, 2048) for _ in range(3))

    @staticmethod
    def private(key: RSAPrivateKey) -> str:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @staticmethod
    def public(key: RSAPrivateKey) -> str:
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass
class Trade:
    total: int
    paid_at: datetime
    sub_mchid: str | None = None


@dataclass
class Kept:
    number: str
    transaction: str
    refund: int
    total: int
    sub_mchid: str | None
    refund_id: str
    asked_at: datetime
    state: str = "PROCESSING"
    success_at: datetime | None = None
    sent_on_to: tuple[str, str, str] | None = None

    @property
    def content(self) -> tuple[str, int, int, str | None]:
        return self.transaction, self.refund, self.total, self.sub_mchid


class RefusedError(Exception):
    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code


@dataclass
class WeChatPayServer:
    keys: Keys
    partner: bool = False
    trades: dict[str, Trade] = field(default_factory=dict[str, Trade])
    refunds: dict[str, Kept] = field(default_factory=dict[str, Kept])
    balance: int = 10**9
    faults: list[Fault | None] = field(default_factory=list["Fault | None"])
    first_state: str = "PROCESSING"
    apart: timedelta = timedelta(minutes=1)
    """How far two refunds of one payment must lie apart."""
    user_account_closed: bool = False
    ahead: timedelta = timedelta(0)
    """By how much its clock is ahead: so that minutes pass without waiting."""
    asked: list[str] = field(default_factory=list[str])
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    spoilt_bill: bool = False
    creating_bill: bool = False
    url: str = ""

    def reset(self) -> None:
        """As new, at the same address: opening another connection costs more than a test."""
        self.__dict__ |= vars(WeChatPayServer(self.keys, url=self.url))

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/v3/refund/domestic/refunds", self._served(self._apply))
        app.router.add_get("/v3/refund/domestic/refunds/{number}", self._served(self._query))
        app.router.add_post("/v3/refund/domestic/refunds/{id}/apply-abnormal-refund", self._served(self._redirect))
        app.router.add_get("/v3/bill/tradebill", self._served(self._bill))
        app.router.add_get("/v3/billdownload/file", self._download)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def _served(self, carry_out: Any) -> Any:
        async def handler(request: web.Request) -> web.StreamResponse:
            body = await request.text()
            self.asked.append(f"{request.method} {request.path}")
            fault = self.faults.pop(0) if self.faults else None
            if fault is Fault.HTML_404:
                return web.Response(status=404, text="<html>404 not found</html>", content_type="text/html")
            try:
                if fault is Fault.RATE_LIMIT:
                    raise RefusedError(429, "RATELIMIT_EXCEEDED")
                self._check_signature(request, body)
                answer = carry_out(request, json.loads(body) if body else {})
            except RefusedError as refusal:
                if fault is Fault.HTML_502:
                    return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")
                return self._signed({"code": refusal.code, "message": "说明"}, status=refusal.status)
            return await self._spoilt(request, fault, answer)

        return handler

    async def _spoilt(self, request: web.Request, fault: Fault | None, answer: dict[str, Any]) -> web.StreamResponse:
        match fault:
            case Fault.LOSE_ANSWER:
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            case Fault.WRONG_KEY:
                return self._signed(answer, key=self.keys.other)
            case Fault.FOREIGN_ID:
                return self._signed(answer, key=self.keys.other, key_id="PUB_KEY_ID_0100000000000000000000")
            case Fault.NO_SIGNATURE:
                return web.json_response(answer)
            case Fault.HTML_502:
                return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")
            case Fault.GARBLED:
                return self._signed({"half": "an answer"})
            case Fault.SLOW:
                await asyncio.sleep(1)
                return self._signed(answer)
            case Fault.SYSTEM_ERROR:
                return self._signed({"code": "SYSTEM_ERROR", "message": "系统错误"}, status=500)
            case _:
                return self._signed(answer)

    def _signed(
        self,
        answer: dict[str, Any],
        *,
        status: int = 200,
        key: RSAPrivateKey | None = None,
        key_id: str = PUBLIC_KEY_ID,
    ) -> web.Response:
        body = json.dumps(answer, ensure_ascii=False)
        headers = signature(key or self.keys.platform, body.encode(), key_id)
        return web.Response(status=status, text=body, content_type="application/json", charset="utf-8", headers=headers)

    def _check_signature(self, request: web.Request, body: str) -> None:
        kind, _, rest = request.headers.get("Authorization", "").partition(" ")
        told = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if kind != "WECHATPAY2-SHA256-RSA2048" or (told.get("mchid"), told.get("serial_no")) != (MCHID, SERIAL):
            raise RefusedError(401, "SIGN_ERROR")
        signed = f"{request.method}\n{request.path_qs}\n{told['timestamp']}\n{told['nonce_str']}\n{body}\n"
        try:
            self.keys.merchant.public_key().verify(
                base64.b64decode(told["signature"]), signed.encode(), PKCS1v15(), SHA256()
            )
        except InvalidSignature as error:
            raise RefusedError(401, "SIGN_ERROR") from error
        if abs(time.time() - int(told["timestamp"])) > 300:
            raise RefusedError(401, "SIGN_ERROR")

    def _apply(self, _: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        self.bodies.append(body)
        trade = self._trade(body)
        amount, number = body.get("amount", {}), str(body.get("out_refund_no", ""))
        if not re.fullmatch(r"[A-Za-z0-9_|*@-]{1,64}", number) or amount.get("currency") != "CNY":
            raise RefusedError(400, "PARAM_ERROR")
        if amount.get("total") != trade.total:
            raise RefusedError(400, "INVALID_REQUEST")
        kept = Kept(
            number, body["transaction_id"], amount["refund"], amount["total"], body.get("sub_mchid"), "", self.now()
        )
        if (known := self.refunds.get(number)) is not None:
            if known.content != kept.content:
                raise RefusedError(400, "INVALID_REQUEST")
            return self._told(known)  # one number is refunded once
        same = [each for each in self.refunds.values() if each.transaction == kept.transaction]
        if self.user_account_closed:
            raise RefusedError(403, "USER_ACCOUNT_ABNORMAL")
        if self.now() > trade.paid_at + timedelta(days=365) or len(same) >= 50:
            raise RefusedError(400, "INVALID_REQUEST")
        if sum(each.refund for each in same if each.state != "CLOSED") + kept.refund > trade.total:
            raise RefusedError(400, "INVALID_REQUEST")
        if any(self.now() - each.asked_at < self.apart for each in same):
            raise RefusedError(429, "FREQUENCY_LIMITED")
        if kept.refund > self.balance:
            raise RefusedError(403, "NOT_ENOUGH")
        self.balance -= kept.refund
        kept.refund_id = f"5030{len(self.refunds):024}"
        self.refunds[number] = kept
        self.settle(number, self.first_state)
        return self._told(kept)

    def _query(self, request: web.Request, _: dict[str, Any]) -> dict[str, Any]:
        kept = self.refunds.get(request.match_info["number"])
        if self.partner and not request.query.get("sub_mchid"):
            raise RefusedError(400, "PARAM_ERROR")
        if kept is None or kept.sub_mchid != request.query.get("sub_mchid"):
            raise RefusedError(404, "RESOURCE_NOT_EXISTS")
        return self._told(kept)

    def _redirect(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        kept = self.refunds.get(body.get("out_refund_no", ""))
        if kept is None or kept.refund_id != request.match_info["id"]:
            raise RefusedError(404, "RESOURCE_NOT_EXISTS")
        if kept.state != "ABNORMAL":
            raise RefusedError(400, "INVALID_REQUEST")
        if request.headers.get("Wechatpay-Serial") != PUBLIC_KEY_ID or body.get("type") != "USER_BANK_CARD":
            raise RefusedError(400, "PARAM_ERROR")
        kept.sent_on_to = body["bank_type"], self._opened(body["bank_account"]), self._opened(body["real_name"])
        kept.state = "PROCESSING"
        return self._told(kept)

    def _opened(self, sealed: str) -> str:
        padding = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)
        return self.keys.platform.decrypt(base64.b64decode(sealed), padding).decode()

    def _trade(self, body: Mapping[str, Any]) -> Trade:
        trade = self.trades.get(body.get("transaction_id", ""))
        if trade is None or trade.sub_mchid != body.get("sub_mchid"):
            raise RefusedError(404, "RESOURCE_NOT_EXISTS")
        return trade

    def settle(self, number: str, state: str) -> None:
        """What becomes of a refund."""
        kept = self.refunds[number]
        kept.state = state
        kept.success_at = self.now() if state == "SUCCESS" else None

    def _told(self, kept: Kept) -> dict[str, Any]:
        told: dict[str, Any] = {
            "refund_id": kept.refund_id,
            "out_refund_no": kept.number,
            "transaction_id": kept.transaction,
            "out_trade_no": "T-1",
            "channel": "ORIGINAL",
            "user_received_account": "支付用户零钱",
            "create_time": _beijing(kept.asked_at),
            "status": kept.state,
            "amount": {"total": kept.total, "refund": kept.refund, "payer_refund": kept.refund, "currency": "CNY"},
        }
        return told | ({"success_time": _beijing(kept.success_at)} if kept.success_at else {})

    # ── bills ──

    def bill_text(self, day: str) -> str:
        rows = [
            [
                *(_plain(kept.asked_at), "wx1", MCHID, kept.sub_mchid or "0", "", kept.transaction, "T-1", "oUser"),
                *("JSAPI", "REFUND", "CMB_CREDIT", "CNY", f"{kept.total / 100:.2f}", "0.00", _plain(kept.asked_at)),
                *(_plain(kept.success_at) if kept.success_at else "", kept.refund_id, kept.number),
                *(f"{kept.refund / 100:.2f}", "0.00", "ORIGINAL", kept.state, "红茶, 500g", "", "0.00000", "0.60%"),
                *(f"{kept.total / 100:.2f}", f"{kept.refund / 100:.2f}", ""),
            ]
            for kept in self.refunds.values()
            if _plain(kept.asked_at).startswith(day)
        ]
        lines = [
            COLUMNS,
            *("`" + ",`".join(row) for row in rows),
            SUMS,
            f"`{len(rows)},`0.00,`0.00,`0.00,`0.00,`0.00,`0.00",
        ]
        return "\ufeff" + "".join(f"{line}\r\n" for line in lines)

    def _bill(self, request: web.Request, _: dict[str, Any]) -> dict[str, Any]:
        day = request.query["bill_date"]
        if self.creating_bill:
            raise RefusedError(400, "STATEMENT_CREATING")
        if not any(_plain(each.asked_at).startswith(day) for each in self.refunds.values()):
            raise RefusedError(400, "NO_STATEMENT_EXIST")
        digest = hashlib.sha1(self.bill_text(day).encode(), usedforsecurity=False).hexdigest()
        token = f"https://api.mch.weixin.qq.com/v3/billdownload/file?token={day}&tartype=gzip"
        return {"hash_type": "SHA1", "hash_value": digest, "download_url": token}

    async def _download(self, request: web.Request) -> web.Response:
        try:
            self._check_signature(request, "")
        except RefusedError as refusal:
            return web.json_response({"code": refusal.code}, status=refusal.status)
        text = self.bill_text(request.query["token"])
        if self.spoilt_bill:
            text = text.replace("0.60%", "0.61%")
        return web.Response(body=gzip.compress(text.encode()), content_type="application/octet-stream")

    # ── callbacks ──

    def callback(
        self,
        number: str,
        *,
        state: str | None = None,
        at: datetime | None = None,
        key: RSAPrivateKey | None = None,
        key_id: str = PUBLIC_KEY_ID,
        notification: str = "EV-2026112800000001",
        event: str | None = None,
        api_v3_key: str = API_V3_KEY,
    ) -> CallbackRequest:
        """What WeChat Pay would send about a refund at this moment."""
        kept, at = self.refunds[number], at or datetime.now(UTC)
        state = state or kept.state
        resource = {
            "mchid": MCHID,
            "transaction_id": kept.transaction,
            "out_refund_no": number,
            "refund_id": kept.refund_id,
            "refund_status": state,
            "user_received_account": "招商银行信用卡0403",
            "amount": {"total": kept.total, "refund": kept.refund},
        } | ({"success_time": _beijing(kept.success_at)} if kept.success_at and state == "SUCCESS" else {})
        nonce = secrets.token_hex(6)
        sealed = AESGCM(api_v3_key.encode()).encrypt(nonce.encode(), json.dumps(resource).encode(), b"refund")
        body = json.dumps(
            {
                "id": notification,
                "create_time": _beijing(at),
                "resource_type": "encrypt-resource",
                "event_type": event or f"REFUND.{state}",
                "summary": "退款成功",
                "resource": {
                    "original_type": "refund",
                    "algorithm": "AEAD_AES_256_GCM",
                    "ciphertext": base64.b64encode(sealed).decode(),
                    "associated_data": "refund",
                    "nonce": nonce,
                },
            },
            ensure_ascii=False,
        ).encode()
        headers = signature(key or self.keys.platform, body, key_id, at)
        return CallbackRequest(body, {name.lower(): value for name, value in headers.items()}, datetime.now(UTC))


def signature(key: RSAPrivateKey, body: bytes, key_id: str, at: datetime | None = None) -> dict[str, str]:
    """The headers that sign a body."""
    stamp, nonce = str(int((at or datetime.now(UTC)).timestamp())), secrets.token_hex(16)
    signed = key.sign(f"{stamp}\n{nonce}\n".encode() + body + b"\n", PKCS1v15(), SHA256())
    return {
        "Wechatpay-Signature": base64.b64encode(signed).decode(),
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        "Wechatpay-Timestamp": stamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": key_id,
    }


def _beijing(moment: datetime) -> str:
    return moment.astimezone(BEIJING).isoformat(timespec="seconds")


def _plain(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
