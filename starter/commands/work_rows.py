"""How a case looks in one row of a work list, in as many columns as there is room for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from activities.postgres.work_lists import WorkCounts, WorkItem
from starter.commands.viewing import urgency
from workflows.messages.money import Money


class Column(StrEnum):
    """What a row can tell."""

    LEFT = "left"
    CASE = "case"
    STAGE = "stage"
    ASKED = "asked"
    REASON = "reason"
    MERCHANT = "merchant"
    ATTENTION = "attention"


WIDTHS: Final = {
    Column.LEFT: 14,
    Column.STAGE: 18,
    Column.ASKED: 15,
    Column.REASON: 26,
    Column.MERCHANT: 16,
    Column.ATTENTION: 22,
}
"""Cells with the gap behind them. A case's id takes what is left."""

_WANTED: Final = (Column.LEFT, Column.STAGE, Column.ASKED, Column.MERCHANT, Column.REASON, Column.ATTENTION)
_IDENTIFIER: Final = 30
"""Less of an id says nothing, unless there is nothing beside it but the time that is left."""


@dataclass(frozen=True)
class Layout:
    """The columns of a row, and how wide each is."""

    widths: dict[Column, int]

    @property
    def attention_in_stage(self) -> bool:
        """Whether a case's attention stands where its stage would."""
        return Column.ATTENTION not in self.widths


def layout(width: int, identifier: int = _IDENTIFIER) -> Layout:
    """What fits into so many cells, with so many of them for a case's id."""
    taken: list[Column] = []
    room = width - identifier
    for column in _WANTED:
        if column is not Column.LEFT and room < WIDTHS[column]:
            break
        taken.append(column)
        room -= WIDTHS[column]
    left = max(width - sum(WIDTHS[each] for each in taken), 1)
    widths = {column: left if column is Column.CASE else WIDTHS.get(column, 0) for column in Column}
    return Layout({column: wide for column, wide in widths.items() if column is Column.CASE or column in taken})


def countdown(due: datetime | None, now: datetime) -> Text:
    """The time that is left, to the second, in the colour of its urgency: ``1 d 23:59:58``, ``-00:12:10`` when over."""
    if due is None:
        return Text("no deadline", style="dim")
    left = due - now
    seconds = int(abs(left).total_seconds())
    days, seconds = divmod(seconds, 86_400)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    text = f"{'-' if due < now else ''}{f'{days} d ' if days else ''}{clock}"
    return Text(text, style=urgency(left))


def cell(item: WorkItem, column: Column, shape: Layout, now: datetime) -> Text:
    """What stands in one column of a case's row."""
    match column:
        case Column.LEFT:
            return Text(item.outcome, style="dim") if item.outcome else countdown(item.due_at, now)
        case Column.CASE:
            return Text(shortened(item.case_id, shape.widths[column] - 1))
        case Column.STAGE if item.attention and shape.attention_in_stage:
            return Text(shortened(f"! {in_print(item.attention)}", WIDTHS[column] - 1), style="bold red")
        case Column.STAGE:
            proposed = "⇄ " if item.talk.proposals else ""  # N1: both sides talk
            noted = "✎ " if item.remarks or item.order_remarks else ""  # section 12: somebody has noted something down
            return Text(shortened(f"{proposed}{noted}{in_print(item.stage)}", WIDTHS[column] - 1))
        case Column.ASKED:
            amount = str(Money(amount=item.asked, currency=item.currency))
            versioned = amount_of_version(item)
            return Text((versioned if len(versioned) < WIDTHS[column] else amount).rjust(WIDTHS[column] - 1))
        case Column.REASON:
            why = Text(item.reason_label or item.reason or "")  # G1: its words, as the profile has them
            why.truncate(WIDTHS[column] - 1, overflow="ellipsis")
            return why
        case Column.MERCHANT:
            return Text(shortened(item.merchant_id, WIDTHS[column] - 1))
        case Column.ATTENTION:
            return Text(shortened(in_print(item.attention or ""), WIDTHS[column] - 1), style="bold red")


def amount_of_version(item: WorkItem) -> str:
    """What is asked for, and of an amended application by which version (R10): ``59.00 CNY v2``."""
    version = f" v{item.version}" if item.version > 1 else ""
    return f"{Money(amount=item.asked, currency=item.currency)}{version}"


def shortened(text: str, width: int) -> str:
    """At most ``width`` cells of an id: its ends tell it from others, so the middle goes."""
    if len(text) <= width:
        return text
    end = max((width - 1) // 3, 0)
    return f"{text[: max(width - 1 - end, 0)]}…{text[len(text) - end :]}"


def in_print(name: str) -> str:
    """A stage's or a list's name as a person reads it."""
    return name.replace("_", " ")


def printed(items: Sequence[WorkItem], width: int, now: datetime) -> Table:
    """A page of a work list, for paper: its ids are whole, which nobody can make out otherwise."""
    shape = layout(width, max((len(item.case_id) + 1 for item in items), default=_IDENTIFIER))
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for column, wide in shape.widths.items():
        table.add_column(column, width=wide, no_wrap=True)
    for item in items:
        table.add_row(*(cell(item, column, shape, now) for column in shape.widths))
    return table


def age_of(counts: WorkCounts, now: datetime) -> str:
    """How old counts are, to be printed behind them; nothing where they are of this moment."""
    return f"  (counted {(now - counts.counted_at).total_seconds():.0f} s ago)" if counts.counted_at else ""
