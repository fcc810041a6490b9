"""The live work list on a terminal's screen."""

import asyncio
import signal
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from rich.console import Group, RenderableType
from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static
from textual.worker import Worker

from activities.postgres.work_lists import WorkCounts, WorkItem, WorkPage, WorkQuery
from starter.commands.log_lines import log_table
from starter.commands.viewing import Known, known_page, timeline_table
from starter.commands.watching import Away, Desk, Written
from starter.commands.work_rows import Column, Layout, cell, in_print, layout
from workflows.messages.stages import WorkList
from workflows.rules.local_time import clock

_EVERY_SECOND: Final = 1.0
_SCROLLBAR: Final = 1


class Board(App[int | Exception]):
    """The work lists, and a page for each case; all of it is read only."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit_with(0)", "quit"),
        Binding("ctrl+c", f"quit_with({128 + signal.SIGINT})", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False),
    ]
    CSS = f"""
    #head, #trouble {{ height: auto; max-height: 8; padding: 0 1 0 0; }}
    #trouble {{ color: ansi_bright_red; text-style: bold; display: none; }}
    DataTable > .datatable--header {{ background: ansi_default; color: ansi_default; text-style: bold underline; }}
    DataTable {{ height: 1fr; scrollbar-size-vertical: {_SCROLLBAR}; scrollbar-size-horizontal: 0; }}
    VerticalScroll {{ height: 1fr; scrollbar-size-vertical: {_SCROLLBAR}; }}
    """

    def __init__(self, desk: Desk, query: WorkQuery, every: float) -> None:
        """``every`` so many seconds the desk is asked again."""
        super().__init__(ansi_color=True)
        self._first = Lists(self, desk, query, every)

    async def ended(self) -> int:
        """Show it until it is left. The result is the exit code; an error of ours is raised, the terminal restored."""
        # Without the mouse, so that a terminal's own can still mark an id.
        result = await self.run_async(mouse=False)
        if isinstance(result, Exception):
            raise result
        return result if result is not None else self.return_code or 0

    async def on_mount(self) -> None:
        """Show the lists, and end in order when told to from outside."""
        self.theme = "ansi-dark"
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self.exit, 128 + number)
        await self.push_screen(self._first)

    def action_quit_with(self, code: int) -> None:
        """Leave with this exit code."""
        self.exit(code)


class Asking(Screen[None]):
    """A screen that asks the desk again and again, and lives on when it does not answer."""

    def __init__(self, board: Board, desk: Desk, every: float) -> None:
        super().__init__()
        self.board = board
        self.desk = desk
        self._every = every
        self._asking: Worker[None] | None = None
        self.away_since: datetime | None = None
        self.zone: str | None = None
        """In whose time moments are told (G6); None for Asia/Shanghai."""
        # Held, not looked for: an answer may come when the screen has just been closed.
        self.trouble = Static(id="trouble")

    def on_mount(self) -> None:
        """Begin to ask and to count down."""
        self.ask()
        self.set_interval(self._every, self._ask_again)
        self.set_interval(_EVERY_SECOND, self.count_down)

    def ask(self) -> None:
        """Ask now; an answer that is still awaited is no longer wanted."""
        self._asking = self.run_worker(self._guarded(self.refreshed()), exclusive=True)

    def action_ask(self) -> None:
        """The key for ``ask``."""
        self.ask()

    def _ask_again(self) -> None:
        if self._asking is None or self._asking.is_finished:
            self.ask()

    async def _guarded(self, question: Coroutine[Any, Any, None]) -> None:
        try:
            await question
        except Away as away:
            self.away_since = self.away_since or datetime.now(UTC)
            since = clock(self.away_since, self.zone)
            self.trouble.update(
                Text(f"{str(away).rstrip('.')}. Since {since}; what is shown may be older. Trying again.")
            )
        except Exception as error:  # told once the terminal is the user's again
            self.board.exit(error)
        else:
            self.away_since = None
        self.trouble.display = self.away_since is not None

    async def refreshed(self) -> None:
        """Ask the desk, and show its answer."""
        raise NotImplementedError

    def count_down(self) -> None:
        """Show what a second changes."""
        raise NotImplementedError


class Cases(DataTable[Text]):
    """The rows, with keys that a list of cases wants."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("enter", "select_cursor", "open"),
        Binding("left", "screen.turn_list(-1)", show=False),
        Binding("right", "screen.turn_list(1)", "list", key_display="← →"),
        Binding("home", "scroll_top", show=False),
        Binding("end", "scroll_bottom", show=False),
    ]


class Lists(Asking):
    """One work list, the counts of all of them above it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "turn_page(1)", "next page"),
        Binding("p", "turn_page(-1)", "page back"),
        Binding("r", "ask", "refresh"),
        *(Binding(str(number), f"choose_list({number})", show=False) for number in range(10)),
    ]

    def __init__(self, board: Board, desk: Desk, query: WorkQuery, every: float) -> None:
        super().__init__(board, desk, every)
        self._query = query
        self._keys: list[str | None] = [None]
        """The keys of the pages from the first one to this."""
        self._page: WorkPage | None = None
        self._counts = WorkCounts(lists={})
        self._asked: tuple[WorkList | None, str | None] | None = None
        """What the page that is shown was asked for."""
        self._layout: Layout | None = None
        self._head = Static(id="head")
        self._table = Cases(cursor_type="row", cell_padding=0, zebra_stripes=False)

    def compose(self) -> ComposeResult:
        """Head, rows, keys."""
        yield self._head
        yield self.trouble
        yield self._table
        yield Footer()

    async def refreshed(self) -> None:
        """Read the page and the counts; a page that has emptied meanwhile gives way to the one before it."""
        wanted = (self._query.work_list, self._keys[-1])
        page = await self.desk.page(self._query.model_copy(update={"after": self._keys[-1]}))
        self._counts = await self.desk.counts(self._query)
        if not page.items and len(self._keys) > 1:
            self._keys.pop()
            self.call_later(self.ask)
            return
        stays = self._asked == wanted
        self._page, self._asked, self.zone = page, wanted, _zone_of(page)
        self._show_head()
        self._show_rows(keep_place=stays)

    def count_down(self) -> None:
        """The head's clock, and what is left of each case's time."""
        self._show_head()
        if self._page and self._layout:
            table, now = self._table, datetime.now(UTC)
            for item in self._page.items:
                table.update_cell(item.case_id, Column.LEFT, cell(item, Column.LEFT, self._layout, now))

    def on_resize(self, event: events.Resize) -> None:
        """As many columns as the terminal has room for."""
        shape = layout(event.size.width - _SCROLLBAR)
        if shape != self._layout:
            self._layout = shape
            table = self._table
            place = table.cursor_row
            table.clear(columns=True)
            for column, wide in shape.widths.items():
                table.add_column(Text(column), width=wide, key=column)
            self._show_rows(keep_place=False)
            table.move_cursor(row=place)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Open the case's page."""
        if event.row_key.value:
            self.board.push_screen(OneCase(self.board, self.desk, self._every, event.row_key.value))

    def action_turn_list(self, by: int) -> None:
        """To the list beside this one."""
        lists = self._lists()
        self._choose(lists[(lists.index(self._query.work_list) + by) % len(lists)])

    def action_choose_list(self, number: int) -> None:
        """To the list with this number."""
        lists = self._lists()
        if number < len(lists):
            self._choose(lists[number])

    def action_turn_page(self, by: int) -> None:
        """Forward where there is more, or back."""
        if by > 0 and self._page and self._page.next and self._asked == (self._query.work_list, self._keys[-1]):
            self._keys.append(self._page.next)
        elif by < 0 and len(self._keys) > 1:
            self._keys.pop()
        else:
            return
        self.ask()

    def _choose(self, work_list: WorkList | None) -> None:
        self._query = self._query.model_copy(update={"work_list": work_list})
        self._keys = [None]
        self._show_head()
        self.ask()

    def _lists(self) -> list[WorkList | None]:
        """All cases first, then the lists that have any, and the one that is shown."""
        return [None, *(each for each in WorkList if self._counts.lists.get(each) or each is self._query.work_list)]

    def _show_head(self) -> None:
        query = self._query
        whose = f"merchant {query.merchant_id}" if query.merchant_id else "all merchants"
        asked = (query.kind, query.attention, "needs attention" if query.needs_attention else None)
        whose += "".join(f" · {in_print(each)}" for each in asked if each)
        page = f" · page {len(self._keys)}" if len(self._keys) > 1 or (self._page and self._page.next) else ""
        now = f" · {clock(datetime.now(UTC), self.zone)}"
        if counted_at := self._counts.counted_at:
            now += f" · counted at {clock(counted_at, self.zone)}"
        head = Text.assemble((whose, "bold"), page, (now, "dim"), "\n")
        every = sum(number for name, number in self._counts.lists.items() if name != "closed")
        column = 0
        for number, each in enumerate(self._lists()):
            count = self._counts.lists.get(each, 0) if each else every
            label = f" {f'{number} ' if number < 10 else ''}{in_print(each) if each else 'all'} {count} "
            # Broken between lists only: a name and its count stay together.
            if column and column + len(label) > self.size.width:
                head.append("\n")
                column = 0
            head.append(label, "reverse" if each is query.work_list else "")
            column += len(label)
        self._head.update(head)

    def _show_rows(self, *, keep_place: bool) -> None:
        if self._page is None or self._layout is None:
            return
        table, shape, now = self._table, self._layout, datetime.now(UTC)
        items = self._page.items
        with self.board.batch_update():
            if [row.value for row in table.rows] == [item.case_id for item in items]:
                for item in items:
                    for column in shape.widths:
                        table.update_cell(item.case_id, column, cell(item, column, shape, now))
                return
            chosen, place = _chosen(table), table.cursor_row
            top = table.scroll_y
            table.clear()
            for item in items:
                table.add_row(*_cells(item, shape, now), key=item.case_id)
            if keep_place:
                places = {item.case_id: number for number, item in enumerate(items)}
                table.move_cursor(row=places.get(chosen or "", min(place, max(len(items) - 1, 0))), scroll=False)
                table.scroll_to(y=top, animate=False, force=True)


def _cells(item: WorkItem, shape: Layout, now: datetime) -> list[Text]:
    return [cell(item, column, shape, now) for column in shape.widths]


def _zone_of(page: WorkPage) -> str | None:
    """The zone of all cases of a page; UTC where they have several (G6)."""
    zones = {item.time_zone for item in page.items} or {None}
    return next(iter(zones)) if len(zones) == 1 else "UTC"


def _chosen(table: Cases) -> str | None:
    if not table.is_valid_row_index(table.cursor_row):
        return None
    return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value


class OneCase(Asking):
    """A case's page, as ``aftersales show`` prints it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "back"),
        Binding("q", "close", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
        Binding("r", "ask", "refresh"),
    ]

    def __init__(self, board: Board, desk: Desk, every: float, case_id: str) -> None:
        super().__init__(board, desk, every)
        self._case_id = case_id
        self._known: Known | None = None
        self._since = datetime.now(UTC)
        self._page = Static(Text(f"{case_id} …", style="dim"), id="page")

    def compose(self) -> ComposeResult:
        """The page, and the keys."""
        yield self.trouble
        with VerticalScroll():
            yield self._page
        yield Footer()

    async def refreshed(self) -> None:
        """Ask for the case. What is written of it comes first, and must do where no worker answers for the rest."""
        if self._known is None:
            self._show(_written_page(self._case_id, await self.desk.written(self._case_id)))
        self._known, self._since = await self.desk.look(self._case_id), datetime.now(UTC)
        self.count_down()

    def count_down(self) -> None:
        """The page, by the case's own clock."""
        if self._known:
            self._show(known_page(_later(self._known, datetime.now(UTC) - self._since)))

    def action_close(self) -> None:
        """Back to the list."""
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        """A line on or back."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def _show(self, page: RenderableType) -> None:
        self._page.update(page)


def _later(known: Known, passed: timedelta) -> Known:
    return replace(known, now=known.now + passed)


def _written_page(case_id: str, written: Written) -> RenderableType:
    timeline = timeline_table(written.timeline, datetime.now(UTC), zone=written.zone)
    return Group(Text(case_id, style="bold"), "", timeline, "", log_table(written.log, written.zone, written.currency))
