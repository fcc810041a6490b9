"""Refunds through WeChat Pay (API v3), by the asynchronous form of PyPI ``wechatpayv3`` (X1, X3, X5, X6).

The SDK signs, sends, and verifies answers that say yes. What this module adds, and why:

- Answers that say no are not verified by it, and any proxy can say 404. Only JSON with a code of WeChat Pay's counts.
- A refusal is believed only once WeChat Pay knows no refund of that number: it asks that a refund which may have been
  taken up be repeated under the same number, and ours changes after a confirmed failure.
- Before a number is changed, the numbers before it are asked about for the same reason.
- An answer about another amount or another payment than ours means that the number is somebody else's.

``docs/adapters-wechatpay.md`` tells how it is set up.
"""

import hashlib
import importlib
import json
import logging
import tempfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time, timedelta
from io import TextIOWrapper
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final, Self, cast
from urllib.parse import urlsplit

from pydantic import ValidationError

from activities.gateways import wechatpay_callbacks
from activities.gateways.beijing_time import BEIJING
from activities.gateways.bounded_answers import bounded, lines_of
from activities.gateways.callbacks import CallbackReply, CallbackRequest, ReadCallback
from activities.gateways.limits import Limits
from activities.gateways.payment import (
    Charge,
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
from activities.gateways.wechatpay_answers import (
    ACCOUNT_SHORT,
    FAILURES,
    LIMITS,
    NOT_FOUND,
    STATES,
    Refund,
    answer_of,
    bank_type,
    error_code,
)
from activities.gateways.wechatpay_bill import BilledRefund, BillUnreadableError, refunds
from activities.gateways.wechatpay_settings import WeChatPaySettings
from workflows.messages.commands import GatewayResult
from workflows.rules.number_conflicts import OtherRefund

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS: Final = 1.5
READ_SECONDS: Final = 3.0
"""Together below the time after which the service gives a call up."""
PUBLISHED_AT: Final = time(10, tzinfo=BEIJING)
"""When a day's bill can be had, on the day after it."""
LARGEST_BILL: Final = 2 << 30
"""Bytes, unpacked: so much has to fit into the temporary folder, for nothing is read before the hash is known."""
_KEPT_IN_MEMORY: Final = 4 << 20
_BILLS: Final = "/v3/billdownload"


class WeChatPayRefunds(PaymentGateway):
    """A `PaymentGateway` on WeChat Pay. It is entered before it is used.

    Args:
        settings: Read from the environment where left out.
        clock: The real time, for which days are published.
    """

    limits: Limits = LIMITS
    refusal: CallbackReply = wechatpay_callbacks.REFUSAL
    settings: ClassVar[type[WeChatPaySettings]] = WeChatPaySettings

    def __init__(
        self, settings: WeChatPaySettings | None = None, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings or WeChatPaySettings()  # pyright: ignore[reportCallIssue] -- from the environment
        self._clock = clock
        self._keys = self._settings.verifying_keys
        self._sdk: Any = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the connections.

        Raises:
            ModuleNotFoundError: the extra ``wechatpay`` is not installed.
        """
        from wechatpayv3 import WeChatPayType  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs]
        from wechatpayv3.async_ import AsyncWeChatPay  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs]

        # It would log each address, and the address of a bill holds the token that opens it.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        settings = self._settings
        made: Any = AsyncWeChatPay(
            wechatpay_type=WeChatPayType.JSAPI,  # of payments; refunds have none
            mchid=settings.mchid,
            private_key=settings.private_key,
            cert_serial_no=settings.certificate_serial,
            appid="",
            apiv3_key=settings.api_v3_key.decode(),
            notify_url=settings.notify_url,
            cert_dir=str(settings.certificates_folder) if settings.certificates_folder else None,
            partner_mode=settings.partner,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            public_key=settings.public_key_file.read_text() if settings.public_key_file else None,
            public_key_id=settings.public_key_id,
        )
        made._core._gate_way = settings.base_url  # the SDK has no argument for it
        self._sdk = await self._stack.enter_async_context(made)
        client: Any = made._core._client
        client.headers["accept-encoding"] = "identity"  # what comes packed could not be measured before it is unpacked
        client.event_hooks = {"response": [_bound]}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._stack.aclose()

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Apply for the refund; see `PaymentGateway.submit`."""
        charge = instruction.charge
        if charge is None or (self._settings.partner and charge.account is None):
            return _refused(instruction, "charge_unknown", None)  # nothing was sent
        for earlier in range(1, instruction.attempt):
            answer = await self.inquire(instruction.model_copy(update={"attempt": earlier}))
            if isinstance(answer, GatewayAnswer) and answer.result is not GatewayResult.CLOSED:
                return answer
        status, body = await self._call(
            self._sdk.refund(
                out_refund_no=instruction.number,
                transaction_id=charge.transaction,
                amount={"refund": instruction.amount, "total": charge.total, "currency": instruction.currency},
                sub_mchid=charge.account,
            )
        )
        if status == 200:
            return _read(instruction, body)
        code = error_code(status, body)
        if code == ACCOUNT_SHORT:
            return GatewayAnswer(
                refund_no=instruction.refund_no,
                result=GatewayResult.ABNORMAL,
                attempt=instruction.attempt,
                failure="merchant_account_short",
                raw=code,
            )
        if code not in FAILURES:
            raise GatewayUnreachable(code)
        known = await self.inquire(instruction)
        return known if isinstance(known, GatewayAnswer) else _refused(instruction, FAILURES[code], code)

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        """Query the refund of this attempt; see `PaymentGateway.inquire`."""
        found = await self._query(instruction.number, instruction.charge)
        if found is None:
            return NotFound(refund_no=instruction.refund_no)
        return _read(instruction, found)

    async def redirect(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Send the money of an ``ABNORMAL`` refund to a debit card of the buyer's; any other stays as it is."""
        account = instruction.bank_account
        if account is None:
            raise NotSent("no_account", unasked=True)
        bank = bank_type(account.bank.get_secret_value())
        if bank is None:
            raise NotSent("bank_not_taken", unasked=True)
        stands = await self.inquire(instruction)
        if not isinstance(stands, GatewayAnswer):
            raise NotSent(NOT_FOUND)
        if stands.result is not GatewayResult.STRANDED:
            return stands
        status, body = await self._call(
            self._sdk.abnormal_refund(
                refund_id=stands.gateway_ref,
                out_refund_no=instruction.number,
                type="USER_BANK_CARD",
                bank_type=bank,
                bank_account=account.number.get_secret_value(),
                real_name=account.holder.get_secret_value(),
                sub_mchid=instruction.charge.account if instruction.charge else None,
            )
        )
        if status == 200:
            return _read(instruction, body)
        raise NotSent(error_code(status, body))

    async def read_callback(self, request: CallbackRequest) -> ReadCallback:
        """See ``wechatpay_callbacks``."""
        return wechatpay_callbacks.read(request, self._keys, self._settings.api_v3_key)

    async def ping(self) -> str:
        """Ask for a refund that there is not: the answer shows that WeChat Pay knows our key."""
        charge = Charge(transaction="none", total=1, currency="CNY", account=self._settings.mchid)
        try:
            await self._query("RF_PING", charge)
        except GatewayUnreachable as error:
            if error.code.startswith("http_"):
                raise
        kind = "service provider" if self._settings.partner else "merchant"
        return f"WeChat Pay {kind} {self._settings.mchid}"

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """The refunds that were applied for on a day in Beijing; those that were open next morning as they stand now.

        The whole bill is fetched, and its sum compared, before the first line is given: it lies in a temporary file.
        """
        if self._clock() < datetime.combine(day + timedelta(days=1), PUBLISHED_AT):
            raise NotPublished
        status, body = await self._call(
            self._sdk.trade_bill(bill_date=day.isoformat(), bill_type="REFUND", tar_type="GZIP")
        )
        if status != 200:
            match error_code(status, body):
                case "NO_STATEMENT_EXIST":  # what it says of a day without any refund
                    return
                case "STATEMENT_CREATING":
                    raise NotPublished
                case code:
                    raise GatewayUnreachable(code)
        where = cast("dict[str, Any]", body)
        with tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY) as bill:
            await self._download(str(where["download_url"]), str(where["hash_value"]), bill)
            for billed in refunds(lines_of(TextIOWrapper(bill, encoding="utf-8", newline="\n"))):
                yield await self._line(billed)

    async def _line(self, billed: BilledRefund) -> StatementLine:
        ours = read_number(billed.number)
        result, settled_at = STATES.get(billed.state, GatewayResult.UNKNOWN), billed.settled_at
        if ours and result is not GatewayResult.SUCCEEDED:
            charge = Charge(transaction="none", total=1, currency=billed.currency, account=billed.sub_merchant)
            if found := await self._query(billed.number, charge):
                refund = Refund.model_validate(found)
                result, settled_at = STATES.get(refund.status, GatewayResult.UNKNOWN), refund.success_time
        refund_no, attempt = ours or (readable(billed.number), None)
        return StatementLine(
            refund_no=refund_no,
            attempt=attempt,
            amount=billed.amount,
            currency=billed.currency,
            result=result,
            gateway_ref=billed.refund_id,
            settled_at=settled_at if result is GatewayResult.SUCCEEDED else None,
        )

    async def _download(self, url: str, sha1: str, into: IO[bytes]) -> None:
        """Fetch a bill as a stream; its answer bears no signature, only the hash that was told before.

        The SDK's own ``download_bill`` reads it into memory as a whole.
        """
        signing: Any = importlib.import_module("wechatpayv3.async_.utils")
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        core: Any = self._sdk._core
        told = signing.build_authorization(path, "GET", core._mchid, core._cert_serial_no, core._private_key)
        unpacking, found, size = zlib.decompressobj(wbits=31), hashlib.sha1(usedforsecurity=False), 0
        async with core._client.stream(
            "GET", self._settings.base_url + path, headers={"Authorization": told}
        ) as answer:
            if answer.status_code != 200:
                raise GatewayUnreachable(f"http_{answer.status_code}")
            async for packed in answer.aiter_raw():
                for plain in _unpacked(unpacking, packed):
                    size += len(plain)
                    if size > LARGEST_BILL:
                        raise BillUnreadableError("it is larger than any bill")
                    found.update(plain)
                    into.write(plain)
        if not unpacking.eof or found.hexdigest() != sha1.lower():
            raise BillUnreadableError("its hash is not the one that was told")
        into.seek(0)

    async def _query(self, number: str, charge: Charge | None) -> object | None:
        """The refund of a number as WeChat Pay answers it; None where it has none."""
        account = charge.account if charge else None
        if self._settings.partner and account is None:
            raise GatewayUnreachable("sub_merchant_unknown")
        status, body = await self._call(self._sdk.query_refund(number, sub_mchid=account))
        if status == 200:
            return body
        code = error_code(status, body)
        if code == NOT_FOUND and status == 404:
            return None
        raise GatewayUnreachable(code)

    async def _call(self, asked: Awaitable[tuple[int, str | bytes]]) -> tuple[int, object]:
        """One request. Only a connection that never came about is known not to have sent it."""
        import httpx  # noqa: PLC0415 -- comes with the extra

        try:
            status, text = await asked
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSent("not_connected") from error
        try:
            return status, json.loads(text) if text else None
        except (ValueError, RecursionError):
            return status, None


async def _bound(answer: "httpx.Response") -> None:
    """The SDK reads answers as a whole: no more of one than any has. A bill is read as a stream, elsewhere."""
    import httpx  # noqa: PLC0415

    if answer.request.url.path.startswith(_BILLS):
        return
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise GatewayUnreachable("packed_answer")

    class Bounded(httpx.AsyncByteStream):
        def __init__(self, whole: httpx.AsyncByteStream) -> None:
            self._whole = whole

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in bounded(self._whole):
                yield piece

        async def aclose(self) -> None:
            await self._whole.aclose()

    answer.stream = Bounded(cast("httpx.AsyncByteStream", answer.stream))


def _unpacked(unpacking: Any, packed: bytes) -> Iterator[bytes]:
    """In pieces of a bounded size, however much there is in it."""
    left = packed
    while plain := unpacking.decompress(left, _KEPT_IN_MEMORY):
        yield plain
        left = unpacking.unconsumed_tail


def _read(instruction: RefundInstruction, body: object) -> GatewayAnswer:
    """An answer about this attempt.

    Raises:
        GatewayUnreachable: it cannot be read, or is about another number: nothing is known.
        NumberConflict: the number is another refund's.
    """
    try:
        refund = Refund.model_validate(body)
    except ValidationError as error:
        raise GatewayUnreachable("unreadable") from error
    if refund.out_refund_no != instruction.number:
        raise GatewayUnreachable("about_another_number")
    charge = instruction.charge
    same_payment = charge is None or refund.transaction_id == charge.transaction
    amount = refund.amount
    if (amount.refund, amount.currency) != (instruction.amount, instruction.currency) or not same_payment:
        raise NumberConflict(
            found=OtherRefund(
                amount=amount.refund,
                currency=amount.currency,
                result=STATES.get(refund.status, GatewayResult.UNKNOWN),
                same_payment=same_payment,
                gateway_ref=refund.refund_id,
            )
        )
    return answer_of(
        instruction.refund_no,
        instruction.attempt,
        state=refund.status,
        refund_id=refund.refund_id,
        success_time=refund.success_time,
    )


def _refused(instruction: RefundInstruction, failure: str, code: str | None) -> GatewayAnswer:
    return GatewayAnswer(
        refund_no=instruction.refund_no,
        result=GatewayResult.FAILED,
        attempt=instruction.attempt,
        failure=failure,
        raw=code,
    )
