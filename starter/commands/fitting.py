"""Tables on a terminal that is too narrow for them: ids, amounts and moments stay whole, whatever else has to give."""

from collections.abc import Iterable
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

WHOLE: Final = frozenset(
    {"address", "amount", "asked", "case", "gateway's", "key", "ours", "refund no.", "remaining", "statement", "when"}
)
"""Columns of what people copy or add up: cut or broken, it is of no use."""
_NARROWEST: Final = 10
"""Cells that any other column needs to be read."""


class Fitting:
    """A table; where its whole columns leave too little room for the others, one block for each row instead."""

    def __init__(self, table: Table) -> None:
        self._table = table
        for column in table.columns:
            if _name(column) in WHOLE:
                column.no_wrap = True
            else:
                column.overflow = "fold"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See rich."""
        if self._needed(console, options) <= options.max_width:
            yield self._table
            return
        if self._table.title:
            yield Text(str(self._table.title), style="italic")
        for number in range(self._table.row_count):
            yield from self._block(number)

    def _needed(self, console: Console, options: ConsoleOptions) -> int:
        wide = options.update(width=10_000)
        natural = [
            max(Measurement.get(console, wide, cell).maximum for cell in (column.header, *column.cells))
            for column in self._table.columns
        ]
        room = (
            width if column.no_wrap else min(width, _NARROWEST)
            for column, width in zip(self._table.columns, natural, strict=True)
        )
        between = 3 * len(natural) + 1
        return sum(room) + between

    def _block(self, number: int) -> Iterable[RenderableType]:
        first, *rest = self._table.columns
        head = _text(list(first.cells)[number])
        head.stylize("bold")
        yield head
        told = [(_name(column), _text(list(column.cells)[number])) for column in rest]
        facts = [Text.assemble((f"{name} " if name else "", "dim"), text) for name, text in told if text]
        yield Padding(Text(" · ", style="dim").join(facts), (0, 0, 0, 4))


def fitted(page: RenderableType) -> RenderableType:
    """The page, with every table in it such that nothing that is needed is cut."""
    match page:
        case Table() if page.show_header:
            return Fitting(page)
        case Table():
            for column in page.columns:
                column.overflow = "fold"
            return page
        case Group():
            return Group(*(fitted(each) for each in page.renderables))
        case _:
            return page


def _name(column: Column) -> str:
    return str(column.header)


def _text(cell: RenderableType) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))
