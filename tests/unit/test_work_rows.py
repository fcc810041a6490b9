"""A case in one row of a work list: what fits, and what its remaining time looks like."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from activities.postgres.work_lists import WorkItem
from starter.commands.work_rows import Column, cell, countdown, layout, printed, shortened
from workflows.messages.stages import Attention, CaseKind, StageName, WorkList

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
ITEM = WorkItem(
    case_id="refund/O-20261127-000001/application-0001",
    kind=CaseKind.SHIPPED_REFUND,
    stage=StageName.SHIPPED_REVIEW,
    work_list=WorkList.REFUND_ONLY,
    merchant_id="m-1",
    buyer_id="b-1",
    order_no="O-20261127-000001",
    allowance_id=None,
    currency="CNY",
    asked=5900,
    refunded=0,
    policy="douyin/1",
    opened_at=NOW,
    due_at=NOW + timedelta(hours=3),
    reason="quality_fault",
    reason_label="质量问题 · a quality fault, of whichever kind",
    attention=Attention.ARRIVAL_OVERDUE,
    outcome=None,
    flag=None,
)


@given(st.integers(1, 400))
def test_a_row_fits_and_tells_how_long_which_case_has(width: int) -> None:
    shape = layout(width)

    assert {Column.LEFT, Column.CASE} <= shape.widths.keys()
    assert sum(shape.widths.values()) == max(width, 15)
    assert all(cell(ITEM, column, shape, NOW).cell_len <= wide for column, wide in shape.widths.items() if wide > 1)


def test_wider_terminals_tell_more() -> None:
    assert [len(layout(width).widths) for width in (40, 62, 80, 100, 160)] == [2, 3, 4, 5, 7]


def test_on_paper_ids_are_whole_and_say_what_else_there_is_room_for() -> None:
    console = Console(width=150, record=True)

    console.print(printed([ITEM], 150, NOW))

    page = console.export_text()
    assert ITEM.case_id in page
    assert "质量问题 · a quality" in page
    assert "! arrival over" in page, "for which there is a column in wider pages"


def test_a_row_has_the_words_of_its_reason_and_else_its_code() -> None:  # G1
    shape = layout(160)

    assert cell(ITEM, Column.REASON, shape, NOW).plain.startswith("质量问题 · a quality")
    unknown = ITEM.model_copy(update={"reason_label": None})
    assert cell(unknown, Column.REASON, shape, NOW).plain == "quality_fault"


def test_a_case_that_needs_somebody_says_so_in_every_width() -> None:
    for width in (80, 160):
        shape = layout(width)
        row = " ".join(cell(ITEM, column, shape, NOW).plain for column in shape.widths)
        assert "arrival over" in row, row


@given(st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400)))
def test_a_countdown_is_the_time_that_is_left_to_the_second(left: timedelta) -> None:
    text = countdown(NOW + left, NOW).plain

    sign, _, rest = text.rpartition("-")
    days, _, clock = rest.rpartition(" d ")
    hours, minutes, seconds = map(int, clock.split(":"))
    said = timedelta(days=int(days or 0), hours=hours, minutes=minutes, seconds=seconds)
    assert timedelta(0) <= abs(left) - said < timedelta(seconds=1)
    assert text.startswith("-") == (left < timedelta(0))
    assert not sign


def test_colours_follow_urgency() -> None:
    styles = [countdown(NOW + timedelta(hours=hours), NOW).style for hours in (-1, 1, 11, 13)]

    assert styles == ["bold red", "red", "yellow", "green"]


@given(st.text(min_size=1, max_size=60), st.integers(1, 60))
def test_a_shortened_id_keeps_its_ends(text: str, width: int) -> None:
    short = shortened(text, width)

    assert len(short) <= width
    assert short == text or "…" in short
    if len(text) > width > 4:
        assert (short[0], short[-1]) == (text[0], text[-1])
