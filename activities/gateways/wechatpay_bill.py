"""The trade bill of WeChat Pay: a day's refunds as text, with its quirks (X5). Pure, and read as a stream.

The first line names the columns. In the lines after it a backtick stands before each value, and a comma within a value
is no separator. Two lines of sums end it. Amounts are yuan as text, moments those of Beijing without saying so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, DecimalException
from typing import Final

from activities.gateways.beijing_time import moment

_SUMS: Final = "总交易单数"


class BillUnreadableError(Exception):
    """The bill is not what WeChat Pay says that it is: nothing may be concluded from it."""


@dataclass(frozen=True)
class BilledRefund:
    """One line of a bill. Its state is that of the morning after the day, and is never brought up to date."""

    number: str
    """``out_refund_no``."""
    refund_id: str
    amount: int
    """In fen: what was applied for."""
    currency: str
    state: str
    sub_merchant: str | None
    settled_at: datetime | None


def refunds(lines: Iterable[str]) -> Iterator[BilledRefund]:
    """The refunds of a bill.

    Raises:
        BillUnreadableError: a column is missing, a line cannot be read, or it has not as many lines as it says.
    """
    each = _read(lines)
    columns = [name.strip() for name in next(each, "").lstrip("\ufeff").strip().split(",")]
    count = 0
    for line in each:
        text = line.strip()
        if text.startswith(_SUMS):
            _check(next(each, ""), count)
            return
        if text:
            count += 1
            yield _refund(dict(zip(columns, text.removeprefix("`").split(",`"), strict=False)))
    raise BillUnreadableError("it ends without its sums")


def fen(yuan: str) -> int:
    """An amount of the bill in fen.

    Raises:
        BillUnreadableError: it is no amount of whole fen.
    """
    try:
        amount = Decimal(yuan) * 100
    except DecimalException as error:
        raise BillUnreadableError("an amount is no number") from error
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise BillUnreadableError("an amount is not in whole fen")
    return int(amount)


def _read(lines: Iterable[str]) -> Iterator[str]:
    try:
        yield from lines
    except ValueError as error:
        raise BillUnreadableError("a line cannot be read") from error


def _refund(row: dict[str, str]) -> BilledRefund:
    try:
        applied_for = row.get("申请退款金额") or row["退款金额"]  # old accounts have only the latter
        sub_merchant = row["特约商户号"] if "特约商户号" in row else row.get("子商户号", "0")
        settled = row["退款成功时间"].strip()
        return BilledRefund(
            number=row["商户退款单号"],
            refund_id=row["微信退款单号"],
            amount=fen(applied_for),
            currency=row["货币种类"],
            state=row["退款状态"],
            sub_merchant=sub_merchant if sub_merchant.strip("0") else None,
            settled_at=moment(settled) if settled else None,
        )
    except (KeyError, ValueError) as error:
        raise BillUnreadableError("a line lacks a column, or cannot be read") from error


def _check(sums: str, count: int) -> None:
    told = sums.strip().removeprefix("`").split(",`")[0]
    if told != str(count):
        raise BillUnreadableError("it has not as many lines as its sums say")
