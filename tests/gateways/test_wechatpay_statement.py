"""A day of WeChat Pay's trade bill: fetched, its hash compared, and read with its quirks (X5)."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from activities.gateways.beijing_time import BEIJING
from activities.gateways.payment import GatewayUnreachable, NotPublished, StatementLine
from activities.gateways.wechatpay import WeChatPayRefunds
from activities.gateways.wechatpay_bill import BilledRefund, BillUnreadableError, fen, refunds
from tests.gateways.conftest import REFUND_NO, instruction
from tests.gateways.wechatpay_server import COLUMNS, SUMS, Fault, WeChatPayServer
from workflows.messages.commands import GatewayResult

NUMBER = instruction().number
TODAY = datetime.now(UTC).astimezone(BEIJING).date()


@pytest.fixture
def server(wechatpay_server_running: WeChatPayServer) -> WeChatPayServer:
    return wechatpay_server_running


@pytest.fixture
def next_morning(wechatpay: WeChatPayRefunds, monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime.combine(TODAY + timedelta(days=1), time(10), BEIJING)
    monkeypatch.setattr(wechatpay, "_clock", lambda: at)


async def lines(wechatpay: WeChatPayRefunds, day: date = TODAY) -> list[StatementLine]:
    return [line async for line in wechatpay.statement(day)]


@pytest.mark.usefixtures("next_morning")
async def test_a_day_tells_each_refund_with_our_number_and_its_attempt(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    server.first_state = "SUCCESS"
    await wechatpay.submit(instruction(amount=1234, attempt=2))
    (line,) = await lines(wechatpay)
    kept = server.refunds[instruction(attempt=2).number]
    assert (line.refund_no, line.attempt, line.amount, line.currency) == (REFUND_NO, 2, 1234, "CNY")
    assert (line.result, line.gateway_ref) == (GatewayResult.SUCCEEDED, kept.refund_id)
    assert line.settled_at == at_second(kept.success_at)
    assert server.asked[-1] == "GET /v3/bill/tradebill"


@pytest.mark.usefixtures("next_morning")
async def test_what_the_bill_still_calls_open_is_asked_for(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bill keeps the state of the morning after; a card is credited up to three days later."""
    await wechatpay.submit(instruction())
    billed = server.bill_text(TODAY.isoformat())

    def of_the_morning_after(_: str) -> str:
        return billed

    monkeypatch.setattr(server, "bill_text", of_the_morning_after)
    server.settle(NUMBER, "SUCCESS")
    (line,) = await lines(wechatpay)
    assert (line.result, line.settled_at) == (GatewayResult.SUCCEEDED, at_second(server.refunds[NUMBER].success_at))
    server.settle(NUMBER, "ABNORMAL")
    (line,) = await lines(wechatpay)
    assert (line.result, line.settled_at) == (GatewayResult.STRANDED, None)


def at_second(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(microsecond=0)


@pytest.mark.usefixtures("next_morning")
async def test_refunds_of_other_systems_are_told_under_their_own_numbers(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    await wechatpay.submit(instruction())
    server.refunds["*other@system|1"] = server.refunds.pop(NUMBER)
    server.refunds["*other@system|1"].number = "*other@system|1"
    (line,) = await lines(wechatpay)
    assert (line.refund_no, line.attempt, line.result) == ("XotherXsystemX1", None, GatewayResult.PROCESSING)


async def test_a_day_is_published_at_ten_the_next_morning(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wechatpay.submit(instruction())
    early = datetime.combine(TODAY + timedelta(days=1), time(9, 59, 59), BEIJING)
    monkeypatch.setattr(wechatpay, "_clock", lambda: early)
    with pytest.raises(NotPublished):
        await lines(wechatpay)
    monkeypatch.setattr(wechatpay, "_clock", lambda: early + timedelta(seconds=1))
    assert len(await lines(wechatpay)) == 1
    server.creating_bill = True
    with pytest.raises(NotPublished):
        await lines(wechatpay)


@pytest.mark.usefixtures("next_morning")
async def test_a_day_without_refunds_is_an_error_of_the_providers_and_empty_here(wechatpay: WeChatPayRefunds) -> None:
    assert await lines(wechatpay) == []


@pytest.mark.usefixtures("next_morning")
async def test_a_bill_that_is_not_the_one_that_was_told_says_nothing(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    await wechatpay.submit(instruction())
    server.spoilt_bill = True
    with pytest.raises(BillUnreadableError, match="hash"):
        await lines(wechatpay)
    server.spoilt_bill = False
    server.faults.append(Fault.HTML_502)
    with pytest.raises(GatewayUnreachable):
        await lines(wechatpay)


def bill(*rows: str, count: int | None = None) -> list[str]:
    return [f"\ufeff{COLUMNS}", *rows, SUMS, f"`{len(rows) if count is None else count},`0.00,`0.00"]


def row(**told: str) -> str:
    values = {
        "特约商户号": "0",
        "货币种类": "CNY",
        "退款成功时间": "2026-11-28 00:00:01",
        "微信退款单号": "5030",
        "商户退款单号": "RF00112233445566778899_1_1",
        "退款金额": "4.00",
        "退款状态": "SUCCESS",
        "商品名称": "红茶,500g",
        "申请退款金额": "5.00",
    } | told
    return "`" + ",`".join(values.get(column, "") for column in COLUMNS.split(","))


def test_a_line_is_read_by_its_columns_whatever_commas_a_product_has() -> None:
    """What was applied for counts, not what a coupon left of it; midnight is Beijing's."""
    assert list(refunds(bill(row()))) == [
        BilledRefund(
            number="RF00112233445566778899_1_1",
            refund_id="5030",
            amount=500,
            currency="CNY",
            state="SUCCESS",
            sub_merchant=None,
            settled_at=datetime(2026, 11, 27, 16, 0, 1, tzinfo=UTC),
        )
    ]
    (partners,) = refunds(bill(row(特约商户号="1900000777", 退款成功时间="")))
    assert (partners.sub_merchant, partners.settled_at) == ("1900000777", None)


def test_old_accounts_name_the_amount_otherwise() -> None:
    lines = bill(row())
    cut = [",".join(lines[0].split(",")[:-2]), ",`".join(lines[1].split(",`")[:-2]), *lines[2:]]
    assert [each.amount for each in refunds(cut)] == [400]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        bill(row())[:2],
        bill(row(), count=2),
        bill(row(申请退款金额="5.001")),
        bill(row(申请退款金额="five")),
        bill(row(退款成功时间="28.11.2026")),
        [COLUMNS.replace("商户退款单号", "单号"), *bill(row())[1:]],
        bill("`2026-11-28"),
    ],
    ids=["empty", "cut off", "a line lost", "part of a fen", "no number", "no moment", "no column", "short"],
)
def test_a_bill_with_something_amiss_says_nothing(lines: list[str]) -> None:
    with pytest.raises(BillUnreadableError):
        list(refunds(lines))


@pytest.mark.parametrize(("yuan", "expected"), [("0.00", 0), ("0.1", 10), ("12345678.90", 1_234_567_890), ("1", 100)])
def test_yuan_are_read_without_losing_a_fen(yuan: str, expected: int) -> None:
    assert fen(yuan) == expected
