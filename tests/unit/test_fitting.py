"""Tables on narrow terminals: what people copy or add up is never cut."""

import io
import re

import pytest
from rich.console import Console, Group
from rich.table import Table

from starter.commands.fitting import WHOLE, fitted

CASE = "exchange/O-20261128-000012345/0123456789abcdef0123456789abcdef"
REFUND = "R-0123456789abcdef01234567-1-1"


def cases() -> Table:
    table = Table("case", "stage", "remaining", "asked", "merchant", "list", "flag", "attention")
    table.add_row(CASE, "merchant_review", "1 d 23 h left", "1234567.89 CNY", "m-laurel-flagship", "a_list", "red", "")
    return table


def books() -> Table:
    table = Table(
        "refund no.", "case", "ours", "our state", "paid by", "gateway's", "its result", "", title="two books"
    )
    table.add_row(REFUND, CASE, "1234567.89 CNY", "succeeded", "gateway", "1234567.89 CNY", "succeeded", "=")
    return table


def log() -> Table:
    table = Table("when", "event", "by", "rule", "facts", title="case log")
    table.add_row("2026-11-28 16:00 北京时间", "refund_succeeded", "gateway gateway", "section 10", "fact " * 60)
    return table


def printed(page: Table | Group, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(fitted(page))
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160, 220])
@pytest.mark.parametrize("table", [cases, books, log])
def test_no_width_loses_anything(table: type[Table], width: int) -> None:
    text = printed(table(), width)

    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    whole = re.sub(r"[\s│┃]", "", text)
    wanted = [str(cell) for column in table().columns for cell in column.cells]
    if width >= 80:
        assert not [each for each in wanted if each in (CASE, REFUND) and each not in text]
    for column in table().columns:
        if str(column.header) in WHOLE:
            assert not [each for each in column.cells if re.sub(r"\s", "", str(each)) not in whole]


def test_where_there_is_room_it_is_a_table() -> None:
    assert "┃ case" in printed(cases(), 220)
    assert "┃" not in printed(cases(), 80)


def test_a_table_within_a_page_fits_as_well() -> None:
    assert CASE in printed(Group("", Group(cases())), 80)
