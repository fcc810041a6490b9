"""Refunds through Alipay's open platform (X1, X3, X5, X6): ``alipay.trade.refund`` and what belongs to it.

It speaks to Alipay itself, by aiohttp and cryptography: ``docs/adapters-alipay.md`` tells why no SDK is used.

- One number for the life of a refund (``out_request_no``): the same again pays once, and answers ``fund_change`` N.
- ``refund_fee`` in answers is all that was ever paid back of the trade, and no amount of this refund.
- What was just sent may not be found yet: "not found" leads to the same number being sent again, and to nothing else.
"""

import json
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time, timedelta
from types import TracebackType
from typing import IO, Any, ClassVar, Final, Self

import aiohttp

from activities.gateways import alipay_bill, alipay_callbacks
from activities.gateways.alipay_answers import (
    ACCOUNT_SHORT,
    FAILURES,
    LIMITS,
    OTHER_CONTENT,
    TEN_SECONDS,
    business_code,
    fen,
    moment,
    yuan,
)
from activities.gateways.alipay_settings import AlipaySettings
from activities.gateways.alipay_signatures import UnverifiedError, signature, verified_answer
from activities.gateways.beijing_time import BEIJING
from activities.gateways.bounded_answers import read_whole
from activities.gateways.callbacks import CallbackReply, CallbackRequest, ReadCallback
from activities.gateways.limits import Limits
from activities.gateways.payment import (
    GatewayAnswer,
    GatewayUnreachable,
    NotFound,
    NotPublished,
    NotSent,
    NumberConflict,
    PaymentGateway,
    RefundInstruction,
    StatementLine,
)
from activities.gateways.refund_numbers import read_number, readable
from workflows.messages.commands import GatewayResult
from workflows.rules.number_conflicts import OtherRefund

CONNECT_SECONDS: Final = 1.5
TOTAL_SECONDS: Final = 2.2
"""Of one request; a refusal takes two, and together they lie below the time after which the service gives up."""
PUBLISHED_AT: Final = time(10, tzinfo=BEIJING)
_BILL_SECONDS: Final = 600.0
LARGEST_BILL: Final = 1 << 30
"""Bytes, packed: so much has to fit into the temporary folder, for a ZIP is read from its end."""
_KEPT_IN_MEMORY: Final = 4 << 20


class AlipayRefunds(PaymentGateway):
    """A `PaymentGateway` on Alipay. It is entered before it is used.

    Args:
        settings: Read from the environment where left out.
        clock: The real time, for the moment of requests and for which days are published.
    """

    limits: Limits = LIMITS
    refusal: CallbackReply = alipay_callbacks.REFUSAL
    settings: ClassVar[type[AlipaySettings]] = AlipaySettings

    def __init__(
        self, settings: AlipaySettings | None = None, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings or AlipaySettings()  # pyright: ignore[reportCallIssue] -- from the environment
        self._clock = clock
        self._private_key, self._public_key = self._settings.private_key, self._settings.public_key
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the connections."""
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._stack.aclose()

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Refund; see `PaymentGateway.submit`."""
        if instruction.charge is None:
            return _told(instruction, GatewayResult.FAILED, failure="charge_unknown")  # nothing was sent
        said = await self._ask(
            "alipay.trade.refund",
            {
                "trade_no": instruction.charge.transaction,
                "refund_amount": yuan(instruction.amount),
                "out_request_no": instruction.lasting_number,
            },
        )
        code = business_code(said)
        if code is None:
            if said.get("fund_change") == "Y":
                paid_at = said.get("gmt_refund_pay")
                return _told(instruction, GatewayResult.SUCCEEDED, settled_at=moment(paid_at) if paid_at else None)
            known = await self.inquire(instruction)  # N: nothing moved by this call; by one before it, perhaps
            if isinstance(known, GatewayAnswer):
                return known
            return _told(instruction, GatewayResult.PROCESSING, raw="fund_change=N", retry_after=TEN_SECONDS)
        if code == ACCOUNT_SHORT:
            return _told(instruction, GatewayResult.ABNORMAL, failure="merchant_account_short", raw=code)
        if code != OTHER_CONTENT and code not in FAILURES:
            raise GatewayUnreachable(code)
        known = await self.inquire(instruction)
        if isinstance(known, GatewayAnswer):
            return known
        if code == OTHER_CONTENT:
            raise NumberConflict(code)
        return _told(instruction, GatewayResult.FAILED, failure=FAILURES[code], raw=code)

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        """Query the refund, for which Alipay wants its trade, too; see `PaymentGateway.inquire`."""
        if instruction.charge is None:
            return NotFound(refund_no=instruction.refund_no)  # none was ever sent
        said = await self._ask(
            "alipay.trade.fastpay.refund.query",
            {
                "trade_no": instruction.charge.transaction,
                "out_request_no": instruction.lasting_number,
                "query_options": ["gmt_refund_pay"],
            },
        )
        match business_code(said):
            case None:
                pass
            case "ACQ.TRADE_NOT_EXIST":
                return NotFound(refund_no=instruction.refund_no)
            case code:
                raise GatewayUnreachable(code)
        amount = said.get("refund_amount")
        if not amount:
            return NotFound(refund_no=instruction.refund_no)
        if said.get("out_request_no") != instruction.lasting_number or said.get("refund_status") not in {
            None,
            "REFUND_SUCCESS",
        }:
            raise GatewayUnreachable("unknown_state")
        if fen(str(amount)) != instruction.amount:
            raise NumberConflict(
                found=OtherRefund(
                    amount=fen(str(amount)),
                    currency="CNY",
                    result=GatewayResult.SUCCEEDED,
                    same_payment=True,  # Alipay keeps our numbers by trade
                )
            )
        paid_at = said.get("gmt_refund_pay")
        return _told(instruction, GatewayResult.SUCCEEDED, settled_at=moment(paid_at) if paid_at else None)

    async def read_callback(self, request: CallbackRequest) -> ReadCallback:
        """See ``alipay_callbacks``."""
        return alipay_callbacks.read(request, self._public_key, self._settings.app_id)

    async def ping(self) -> str:
        """Ask for a trade that there is not: a verified answer shows that both sides know each other's key."""
        said = await self._ask("alipay.trade.query", {"trade_no": "0"})
        business_code(said)
        return f"Alipay application {self._settings.app_id}"

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """The refunds that were paid on a day in Beijing, from ten o'clock of the next day on."""
        if self._clock() < datetime.combine(day + timedelta(days=1), PUBLISHED_AT):
            raise NotPublished
        said = await self._ask(
            "alipay.data.dataservice.bill.downloadurl.query", {"bill_type": "trade", "bill_date": day.isoformat()}
        )
        match business_code(said):
            case None:
                pass
            case "isp.bill_not_exist":  # what it says of a day without any trade
                return
            case code:
                raise GatewayUnreachable(code)
        with tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY) as archive:
            await self._download(str(said["bill_download_url"]), archive)
            for billed in alipay_bill.refunds(alipay_bill.lines(archive)):
                ours = read_number(billed.number)
                yield StatementLine(
                    refund_no=ours[0] if ours else readable(billed.number or billed.trade),
                    amount=billed.amount,
                    currency="CNY",
                    result=GatewayResult.SUCCEEDED,
                    settled_at=billed.settled_at,
                )

    async def _download(self, url: str, into: IO[bytes]) -> None:
        timeout = aiohttp.ClientTimeout(total=_BILL_SECONDS, sock_connect=CONNECT_SECONDS)
        size = 0
        async with self._session.get(url, timeout=timeout) as answer:
            if answer.status != 200:
                raise GatewayUnreachable(f"http_{answer.status}")
            async for chunk in answer.content.iter_chunked(1 << 16):
                size += len(chunk)
                if size > LARGEST_BILL:
                    raise alipay_bill.BillUnreadableError("it is larger than any bill")
                into.write(chunk)
        into.seek(0)

    async def _ask(self, method: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """One request, and what its verified answer says. Only a connection that never came about has sent nothing."""
        parameters = {
            "app_id": self._settings.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": f"{self._clock().astimezone(BEIJING):%Y-%m-%d %H:%M:%S}",
            "version": "1.0",
            "biz_content": json.dumps(content, separators=(",", ":")),
        }
        parameters["sign"] = signature(parameters, self._private_key)
        timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS)
        url = f"{self._settings.gateway_url}?charset=utf-8"
        try:
            async with self._session.post(url, data=parameters, timeout=timeout) as answer:
                if answer.status != 200:
                    raise GatewayUnreachable(f"http_{answer.status}")
                body = (await read_whole(answer.content.iter_any())).decode()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent("not_connected") from error
        try:
            return verified_answer(body, method, self._public_key).said
        except UnverifiedError as error:
            raise GatewayUnreachable("not_verified") from error


def _told(
    instruction: RefundInstruction,
    result: GatewayResult,
    *,
    failure: str | None = None,
    raw: str | None = None,
    settled_at: datetime | None = None,
    retry_after: timedelta | None = None,
) -> GatewayAnswer:
    """Alipay knows a refund by our number alone, and does not tell attempts apart."""
    return GatewayAnswer(
        refund_no=instruction.refund_no,
        result=result,
        gateway_ref=instruction.lasting_number,
        failure=failure,
        raw=raw,
        settled_at=settled_at,
        retry_after=retry_after,
    )
