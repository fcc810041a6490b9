"""Alipay's bill of a day: a zip of CSV in GBK, with its quirks (X5). Pure, and read as a stream.

Lines that begin with ``#`` are no data; the names of columns come after one of them; values end in tabs; refunds are
lines with negative amounts, and a line behind the data tells how many there are.
"""

import csv
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from io import TextIOWrapper
from typing import IO, Final

from activities.gateways.alipay_answers import fen, moment
from activities.gateways.bounded_answers import lines_of

_LARGEST: Final = 2 << 30
_COUNT: Final = re.compile(r"#退款合计[\uff1a:]\s*([0-9]+)\s*笔")


class BillUnreadableError(Exception):
    """The bill is not what Alipay says that it is: nothing may be concluded from it."""


@dataclass(frozen=True)
class BilledRefund:
    """A refund that was paid on the day."""

    number: str
    """``out_request_no``."""
    trade: str
    amount: int
    """In fen."""
    settled_at: datetime


def lines(archive: IO[bytes]) -> Iterator[str]:
    """The lines of the file with the details, the sums of which lie in another one.

    Raises:
        BillUnreadableError: there is none, or it is larger than any bill.
    """
    try:
        # Names in it are GBK, too, and do not say so.
        with zipfile.ZipFile(archive, metadata_encoding="gbk") as opened:
            (details,) = [each for each in opened.infolist() if each.filename.endswith("业务明细.csv")]
            if details.file_size > _LARGEST:
                raise BillUnreadableError("it is larger than any bill")
            with opened.open(details) as file:
                yield from lines_of(TextIOWrapper(file, encoding="gb18030", newline=""))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BillUnreadableError("it is no zip with details") from error


def refunds(text: Iterable[str]) -> Iterator[BilledRefund]:
    """The refunds of a bill.

    Raises:
        BillUnreadableError: a line cannot be read, or there are not as many as it says.
    """
    columns: list[str] | None = None
    count, told = 0, None
    for line in text:
        if line.startswith("#"):
            told = int(found[1]) if (found := _COUNT.match(line)) else told
            continue
        values = _values(line)
        if columns is None:
            columns = values
        elif (row := dict(zip(columns, values, strict=False))).get("业务类型") == "退款":
            count += 1
            yield _refund(row)
    if told != count:
        raise BillUnreadableError("it has not as many refunds as it says")


def _values(line: str) -> list[str]:
    try:
        return [value.strip() for value in next(csv.reader([line]), [""])]
    except csv.Error as error:
        raise BillUnreadableError("a line cannot be read") from error


def _refund(row: dict[str, str]) -> BilledRefund:
    try:
        return BilledRefund(
            number=row["退款批次号/请求号"],
            trade=row["支付宝交易号"],
            amount=-fen(row["订单金额（元）"]),
            settled_at=moment(row["完成时间"]),
        )
    except (KeyError, ValueError) as error:
        raise BillUnreadableError("a line lacks a column, or cannot be read") from error
