"""A server that speaks the part of Alipay's open platform that refunds need, signed (RSA2), and that can misbehave.

Written from the API's reference, not from the adapter.
"""

import asyncio
import base64
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, auto
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from activities.gateways.callbacks import CallbackRequest
from tests.gateways.wechatpay_server import Keys

APP_ID = "2014072300007148"
BEIJING = timezone(timedelta(hours=8))
COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,"
    "卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)


class Fault(Enum):
    """How the next request goes wrong, after it has been carried out."""

    LOSE_ANSWER = auto()
    WRONG_KEY = auto()
    NO_SIGNATURE = auto()
    CHANGED = auto()
    HTML_502 = auto()
    SLOW = auto()
    SYSTEM_ERROR = auto()
    UNKNOWN_SERVICE = auto()
    NOT_YET = auto()
    """It says ``fund_change`` N of a refund that has only just been made."""


class RefusedError(Exception):
    """A signed answer that says no."""

    def __init__(self, sub_code: str, code: str = "40004") -> None:
        self.code, self.sub_code = code, sub_code


@dataclass
class Kept:
    number: str
    trade: str
    amount: Decimal
    paid_at: datetime
    seen: bool = True
    """Whether a query finds it yet."""


@dataclass
class AlipayServer:
    keys: Keys
    trades: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    refunds: dict[tuple[str, str], Kept] = field(default_factory=dict[tuple[str, str], Kept])
    balance: Decimal = Decimal(1_000_000)
    faults: list[Fault | None] = field(default_factory=list["Fault | None"])
    refuse: str | None = None
    """The code that every refund is refused with."""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    no_bill: bool = False
    clocks_apart: timedelta = timedelta(minutes=10)
    """How far the moment of a request may lie from its own clock."""
    spoilt_bill: Callable[[str], str] = str
    url: str = ""

    def reset(self) -> None:
        """As new, at the same address."""
        self.__dict__ |= vars(AlipayServer(self.keys, url=self.url))

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/gateway.do", self._serve)
        app.router.add_get("/downloadBillFile.resource", self._download)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        told = {name: str(value) for name, value in (await request.post()).items()}
        fault = self.faults.pop(0) if self.faults else None
        try:
            self._check(told)
            content = json.loads(told["biz_content"])
            self.asked.append((told["method"], content))
            answer = {
                "alipay.trade.refund": self._refund,
                "alipay.trade.fastpay.refund.query": self._query,
                "alipay.trade.query": self._trade,
                "alipay.data.dataservice.bill.downloadurl.query": self._bill,
            }[told["method"]](content)
            said = {"code": "10000", "msg": "Success"} | answer
        except RefusedError as refusal:
            said = {"code": refusal.code, "msg": "Business Failed", "sub_code": refusal.sub_code, "sub_msg": "说明}{"}
        match fault:
            case Fault.LOSE_ANSWER:
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            case Fault.HTML_502:
                return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")
            case Fault.SLOW:
                await asyncio.sleep(0.6)
            case Fault.SYSTEM_ERROR:
                said = {"code": "40004", "msg": "Business Failed", "sub_code": "ACQ.SYSTEM_ERROR"}
            case Fault.UNKNOWN_SERVICE:
                said = {"code": "20000", "msg": "Service Currently Unavailable", "sub_code": "isp.unknow-error"}
            case Fault.NOT_YET:
                for kept in self.refunds.values():
                    kept.seen = False
                said |= {"fund_change": "N"}
            case _:
                pass
        return self._signed(told.get("method", ""), said, fault)

    def _signed(self, method: str, said: dict[str, Any], fault: Fault | None) -> web.Response:
        node = json.dumps(said, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
        key = self.keys.other if fault is Fault.WRONG_KEY else self.keys.platform
        sign = _sign(key, node)
        if fault is Fault.CHANGED:
            node = node.replace('"10000"', '"10000" ')
        members = f'"{method.replace(".", "_")}_response":{node}'
        body = f"{{{members}}}" if fault is Fault.NO_SIGNATURE else f'{{{members},"sign":"{sign}"}}'
        return web.Response(text=body, content_type="text/html", charset="utf-8")

    def _check(self, told: dict[str, str]) -> None:
        signed = "&".join(f"{name}={value}" for name, value in sorted(told.items()) if name != "sign")
        try:
            self.keys.merchant.public_key().verify(
                base64.b64decode(told.get("sign", "")), signed.encode(), PKCS1v15(), SHA256()
            )
        except InvalidSignature as error:
            raise RefusedError("isv.invalid-signature", "40002") from error
        if told["app_id"] != APP_ID or told["sign_type"] != "RSA2" or told["version"] != "1.0":
            raise RefusedError("isv.invalid-app-id", "40002")
        at = datetime.strptime(told["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
        if abs(datetime.now(UTC) - at) > self.clocks_apart:
            raise RefusedError("isv.invalid-timestamp", "40002")

    def _refund(self, content: dict[str, Any]) -> dict[str, Any]:
        trade, number, amount = content["trade_no"], content["out_request_no"], Decimal(content["refund_amount"])
        if self.refuse:
            raise RefusedError(self.refuse)
        if trade not in self.trades:
            raise RefusedError("ACQ.TRADE_NOT_EXIST")
        known = self.refunds.get((trade, number))
        if known is not None and known.amount != amount:
            raise RefusedError("ACQ.DISCORDANT_REPEAT_REQUEST")
        if known is None:
            if self._paid_back(trade) + amount > self.trades[trade]:
                raise RefusedError("ACQ.REASON_TRADE_REFUND_FEE_ERR")
            if amount > self.balance:
                raise RefusedError("ACQ.SELLER_BALANCE_NOT_ENOUGH")
            self.balance -= amount
            self.refunds[trade, number] = Kept(number, trade, amount, datetime.now(UTC))
        return {
            "trade_no": trade,
            "out_trade_no": "T/1",
            "buyer_logon_id": "159****5620",
            "fund_change": "N" if known else "Y",
            "refund_fee": f"{self._paid_back(trade)}",
            "gmt_refund_pay": plain(self.refunds[trade, number].paid_at),
        }

    def _paid_back(self, trade: str) -> Decimal:
        return sum((each.amount for each in self.refunds.values() if each.trade == trade), Decimal(0))

    def _query(self, content: dict[str, Any]) -> dict[str, Any]:
        if content["trade_no"] not in self.trades:
            raise RefusedError("ACQ.TRADE_NOT_EXIST")
        kept = self.refunds.get((content["trade_no"], content["out_request_no"]))
        if kept is None or not kept.seen:
            return {}
        told = {
            "trade_no": kept.trade,
            "out_request_no": kept.number,
            "refund_amount": f"{kept.amount}",
            "total_amount": f"{self.trades[kept.trade]}",
            "refund_status": "REFUND_SUCCESS",
        }
        return told | ({"gmt_refund_pay": plain(kept.paid_at)} if "gmt_refund_pay" in content["query_options"] else {})

    def _trade(self, content: dict[str, Any]) -> dict[str, Any]:
        raise RefusedError("ACQ.TRADE_NOT_EXIST")

    def _bill(self, content: dict[str, Any]) -> dict[str, Any]:
        if self.no_bill:
            raise RefusedError("isp.bill_not_exist")
        return {"bill_download_url": f"{self.url}/downloadBillFile.resource?bizDates={content['bill_date']}"}

    def bill_text(self) -> str:
        now = plain(datetime.now(UTC))
        paid = (
            f"2026112822001\t,T-0\t,交易\t,红茶\t,{now}\t,{now}\t,,,,,*雷(159****5620)\t,100.00,100.00,0.00,0.00,"
            "0.00,0.00,0.00,,0.00,0.00,,-0.60,0.00,"
        )
        back = [
            f"{kept.trade}\t,T-1\t,退款\t,红茶\t,{plain(kept.paid_at)}\t,{plain(kept.paid_at)}\t,,,,,*雷(159****5620)\t,"
            f"-{kept.amount},-{kept.amount},0.00,0.00,0.00,0.00,0.00,,0.00,0.00,{kept.number}\t,0.00,0.00,"
            for kept in self.refunds.values()
        ]
        head = ["#支付宝业务明细查询", "#账号：[20885016245603350156]", "#---------业务明细列表---------", COLUMNS]
        sums = [
            "#---------业务明细列表结束---------",
            "#交易合计：1笔，商家实收共100.00元，商家优惠共0.00元",
            f"#退款合计：{len(back)}笔，商家实收退款共-{sum(kept.amount for kept in self.refunds.values())}元",
            "#导出时间：[2026年11月29日 09:21:44]",
        ]
        return self.spoilt_bill("".join(f"{line}\r\n" for line in [*head, paid, *back, *sums]))

    async def _download(self, request: web.Request) -> web.Response:
        stem = f"20885016245603350156_{request.query['bizDates'].replace('-', '')}_业务明细"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            # Its names are GBK without a flag that says so: written as the letters that those bytes are in cp437.
            archive.writestr(_name(f"{stem}(汇总).csv"), "#汇总\r\n".encode("gbk"))
            archive.writestr(_name(f"{stem}.csv"), self.bill_text().encode("gbk"))
        return web.Response(body=packed.getvalue(), content_type="application/zip")

    def callback(self, *, key: RSAPrivateKey | None = None, at: datetime | None = None, **told: str) -> CallbackRequest:
        """The notification about the trade of the first refund that Alipay would send at this moment."""
        kept = next(iter(self.refunds.values()))
        at = at or datetime.now(UTC)
        fields = {
            "notify_time": plain(at),
            "notify_type": "trade_status_sync",
            "notify_id": "ac05099524730693a8b330c5ecf72da978",
            "app_id": APP_ID,
            "trade_no": kept.trade,
            "out_trade_no": "T-1",
            "out_biz_no": kept.number,
            "trade_status": "TRADE_SUCCESS",
            "refund_fee": f"{self._paid_back(kept.trade)}",
            "gmt_refund": f"{plain(kept.paid_at)}.320",
            "subject": "红茶 & 100% + 绿茶",
            "empty": "",
        } | told
        signed = "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if value)
        fields |= {"sign": _sign(key or self.keys.platform, signed), "sign_type": "RSA2"}
        return CallbackRequest(urlencode(fields).encode(), {}, datetime.now(UTC))


def plain(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _sign(key: RSAPrivateKey, text: str) -> str:
    return base64.b64encode(key.sign(text.encode(), PKCS1v15(), SHA256())).decode()


class _GbkName(zipfile.ZipInfo):
    """A name whose bytes are GBK."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def _name(name: str) -> zipfile.ZipInfo:
    return _GbkName(name)
