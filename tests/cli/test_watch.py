"""The live work list: its keys and what they show, how it lives without a database, and how it leaves the terminal."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pyte
import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from activities.postgres.timelines import Stay
from activities.postgres.work_lists import WorkCounts, WorkItem, WorkPage, WorkQuery
from starter.commands.board import Board, OneCase
from starter.commands.viewing import Known
from starter.commands.watching import Away, Desk, Written
from tests.cli.shell import Shell
from tests.cli.test_cases import asks, opened, order, written_down
from tests.patience import PATIENCE
from workflows.messages.actors import buyer
from workflows.messages.cases import LogEntry
from workflows.messages.stages import CaseKind, StageName, WorkList

NOW = datetime.now(UTC)


def item(number: int, work_list: WorkList = WorkList.REFUND_ONLY) -> WorkItem:
    return WorkItem(
        case_id=f"refund/O-{number:02}/k-1",
        kind=CaseKind.SHIPPED_REFUND,
        stage=StageName.SHIPPED_REVIEW,
        work_list=work_list,
        merchant_id="m-1",
        buyer_id="b-1",
        order_no=f"O-{number:02}",
        allowance_id=None,
        currency="CNY",
        asked=5900,
        refunded=0,
        policy="douyin/1",
        opened_at=NOW,
        due_at=NOW + timedelta(hours=5, minutes=number),
        attention=None,
        outcome=None,
        flag=None,
    )


@dataclass
class OnPaper(Desk):
    """A desk with these cases in hand, whose pages have three of them."""

    items: list[WorkItem] = field(default_factory=lambda: [item(number) for number in range(7)])
    away: bool = False
    counted_at: datetime | None = None
    fault: Exception | None = None

    async def page(self, query: WorkQuery) -> WorkPage:
        self._answer()
        found = [each for each in self.items if query.work_list in {None, each.work_list}]
        first = int(query.after or 0)
        return WorkPage(items=tuple(found[first : first + 3]), next=str(first + 3) if len(found) > first + 3 else None)

    async def counts(self, query: WorkQuery) -> WorkCounts:
        self._answer()
        lists = [str(each.work_list) for each in self.items]
        return WorkCounts(lists={name: lists.count(name) for name in lists}, counted_at=self.counted_at)

    async def look(self, case_id: str) -> Known:
        raise Away("no worker answers")

    async def written(self, case_id: str) -> Written:
        self._answer()
        stay = Stay(
            stage=StageName.AWAITING_RETURN,
            since=NOW,
            until=None,
            event="opened",
            by=buyer("b-1"),
            rule="R4",
            due=NOW + timedelta(hours=5),
        )
        return Written((LogEntry(event="opened", by=buyer("b-1"), rule="R4", at=NOW),), (stay,), "Asia/Tokyo")

    def _answer(self) -> None:
        if self.away:
            raise Away("the database does not answer")
        if self.fault:
            raise self.fault


@asynccontextmanager
async def board(desk: OnPaper, width: int = 80) -> AsyncGenerator[Pilot[int | Exception]]:
    """A board that asks as often as it is told to by a key, and not by itself."""
    async with Board(desk, WorkQuery(), every=3600).run_test(size=(width, 24)) as pilot:
        await settled(pilot)
        yield pilot


async def settled(pilot: Pilot[Any]) -> None:
    await pilot.pause()
    await cast("Any", pilot.app).workers.wait_for_complete()
    await pilot.pause()


async def pressed(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)


def rows(pilot: Pilot[Any]) -> list[str]:
    return [str(key.value) for key in pilot.app.screen.query_one(DataTable).rows]


def said(pilot: Pilot[Any], where: str) -> str:
    shown = pilot.app.screen.query_one(where, Static)
    return "\n".join(strip.text for strip in shown.render_lines(shown.region.reset_offset)) if shown.display else ""


def place(pilot: Pilot[Any]) -> int:
    return pilot.app.screen.query_one(DataTable).cursor_row


async def test_keys_move_turn_pages_and_change_lists() -> None:
    desk = OnPaper()
    desk.items.append(item(9, WorkList.RETURNS_TO_DECIDE))
    async with board(desk) as pilot:
        assert rows(pilot) == ["refund/O-00/k-1", "refund/O-01/k-1", "refund/O-02/k-1"]
        assert "0 all 8  1 refund only 7  2 returns to decide 1" in said(pilot, "#head")

        await pressed(pilot, "j", "down", "k")
        assert place(pilot) == 1
        await pressed(pilot, "n", "n")
        assert rows(pilot)[0] == "refund/O-06/k-1"
        assert "page 3" in said(pilot, "#head")
        await pressed(pilot, "n")
        assert "page 3" in said(pilot, "#head"), "there is no further one"
        await pressed(pilot, "p")
        assert rows(pilot)[0] == "refund/O-03/k-1"
        await pressed(pilot, "2")
        assert rows(pilot) == ["refund/O-09/k-1"]
        await pressed(pilot, "left")
        assert rows(pilot)[0] == "refund/O-00/k-1"
        await pressed(pilot, "right", "right")
        assert "all 8" in said(pilot, "#head")
        assert len(rows(pilot)) == 3


async def test_counts_of_some_time_ago_say_when_they_were_made() -> None:
    desk = OnPaper()
    async with board(desk, width=160) as pilot:
        exact = said(pilot, "#head")
        desk.counted_at = datetime(2026, 11, 20, 4, 5, 6, tzinfo=UTC)
        await pressed(pilot, "r")
        older = said(pilot, "#head")

    assert "counted at" not in exact
    assert "counted at 12:05:06" in older


async def test_the_clock_is_that_of_the_cases_on_the_page() -> None:  # G6
    desk = OnPaper()
    heads: list[str] = []
    async with board(desk, width=160) as pilot:
        for zones in ((None, None), ("Europe/Berlin", "Europe/Berlin"), ("Europe/Berlin", None)):
            desk.items = [item(number).model_copy(update={"time_zone": zone}) for number, zone in enumerate(zones)]
            await pressed(pilot, "r")
            heads.append(said(pilot, "#head").splitlines()[0])
        desk.items = [item(1)]
        await pressed(pilot, "r")
        await pressed(pilot, "enter")
        written = said(pilot, "#page")

    assert [re.sub(r"\d", "0", head).partition("00:00:00 ")[2].strip() for head in heads] == [
        "北京时间",
        "Europe/Berlin",
        "UTC",
    ]
    assert "Asia/Tokyo" in written


async def test_an_emptied_page_gives_way_to_the_one_before() -> None:
    desk = OnPaper()
    async with board(desk) as pilot:
        await pressed(pilot, "n")
        del desk.items[3:]
        await pressed(pilot, "r")
        await settled(pilot)

        assert rows(pilot) == ["refund/O-00/k-1", "refund/O-01/k-1", "refund/O-02/k-1"]


async def test_the_cursor_stays_with_its_case_when_others_come_and_go() -> None:
    desk = OnPaper()
    async with board(desk) as pilot:
        await pressed(pilot, "j")
        desk.items.insert(0, item(20))
        await pressed(pilot, "r")
        assert place(pilot) == 2
        desk.items.remove(item(1))
        await pressed(pilot, "r")

        assert place(pilot) == 2, "its case is gone: the one that took its place"


async def test_a_case_is_a_key_away_also_when_no_worker_answers() -> None:
    async with board(OnPaper()) as pilot:
        await pressed(pilot, "j", "enter")
        assert isinstance(pilot.app.screen, OneCase)
        page, trouble = said(pilot, "#page"), said(pilot, "#trouble")
        await pressed(pilot, "escape")

        assert "refund/O-01/k-1" in page
        assert "timeline" in page
        assert "the case closes as not returned" in " ".join(page.split())
        assert "no worker answers" in trouble
        assert place(pilot) == 1


async def test_an_answer_that_comes_once_its_page_is_closed_harms_nobody() -> None:
    async with board(OnPaper()) as pilot:
        await pressed(pilot, "enter")
        page = pilot.app.screen
        assert isinstance(page, OneCase)
        await pressed(pilot, "escape")
        with pytest.raises(Away):
            await page.refreshed()

        assert pilot.app.screen is not page
        assert len(rows(pilot)) == 3


async def test_a_database_that_goes_away_and_comes_back() -> None:
    desk = OnPaper()
    async with board(desk) as pilot:
        desk.away = True
        await pressed(pilot, "r")
        away, kept = said(pilot, "#trouble"), rows(pilot)
        desk.away = False
        del desk.items[0]
        await pressed(pilot, "r")

        assert "the database does not answer. Since" in away
        assert len(kept) == 3
        assert said(pilot, "#trouble") == ""
        assert rows(pilot)[0] == "refund/O-01/k-1"


async def test_narrow_terminals_show_what_matters() -> None:
    async with board(OnPaper()) as pilot:
        wide = [str(key.value) for key in pilot.app.screen.query_one(DataTable).columns]
        await pilot.resize_terminal(42, 20)
        await settled(pilot)
        narrow = [str(key.value) for key in pilot.app.screen.query_one(DataTable).columns]

        assert wide == ["left", "case", "stage", "asked"]
        assert narrow == ["left", "case"]
        assert len(rows(pilot)) == 3


async def test_a_fault_of_ours_is_raised_once_the_terminal_is_restored() -> None:
    desk = OnPaper(fault=RuntimeError("ours"))
    async with Board(desk, WorkQuery(), every=3600).run_test() as pilot:
        await settled(pilot)
    assert isinstance(pilot.app.return_value, RuntimeError)


class Terminal:
    """A terminal of 80 columns with the live list in it, and what is on its screen."""

    def __init__(self, terminal: int, columns: int) -> None:
        self.process: asyncio.subprocess.Process
        self._terminal = terminal
        self.mode_before = self.mode()
        self._screen = pyte.Screen(columns, 24)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = bytearray()
        os.set_blocking(terminal, False)

    def mode(self) -> list[Any]:
        return termios.tcgetattr(self._terminal)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    def read(self) -> None:
        # A terminal hands out a few kilobytes at a time.
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._terminal, 1 << 16):
                self.raw += data
                self._stream.feed(data)

    async def until(self, seen: Callable[[str], bool]) -> str:
        async with asyncio.timeout(PATIENCE):
            while not seen(self.text):
                await asyncio.sleep(0.02)
                self.read()
        return self.text

    async def ended(self) -> int:
        ending = asyncio.ensure_future(self.process.wait())
        async with asyncio.timeout(PATIENCE):
            while not ending.done():
                await asyncio.sleep(0.02)
                self.read()
        self.read()
        return ending.result()

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def resize(self, columns: int) -> None:
        self._screen.resize(24, columns)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)


@asynccontextmanager
async def terminal(shell: Shell, *words: str) -> AsyncGenerator[Terminal]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in shell.environment.items() if name != "COLUMNS"}
    seen = Terminal(ours, 80)
    seen.process = process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "starter.commands", *words),
        env=environment | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    try:
        yield seen
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)
        os.close(theirs)


LEFT = re.compile(r"1 d 23:\d\d:\d\d")


@pytest.fixture
def bought() -> dict[str, Any]:
    return order()


async def test_in_a_real_terminal(worker_process: Shell, tmp_path: Path, bought: dict[str, Any]) -> None:
    case = await opened(worker_process, tmp_path, bought, "1.00")
    watching = ("watch", "--merchant", bought["merchant_id"], "--every", "0.5")
    async with terminal(worker_process, *watching) as seen:
        listed = await seen.until(lambda text: LEFT.search(text) is not None)
        (left,) = LEFT.findall(listed)
        await seen.until(lambda text: left not in text)  # it counts down

        await written_down(worker_process, *asks(bought, "2.00"))
        await seen.until(lambda text: "unshipped refunds 2" in text)  # it came by itself

        seen.press(b"\r")
        page = await seen.until(lambda text: "timeline" in text and "on silence" in text)
        seen.press(b"\x1b")
        await seen.until(lambda text: "unshipped refunds 2" in text)

        seen.resize(44)
        await seen.until(lambda text: "asked" not in text and "left" in text)

        seen.process.send_signal(signal.SIGTERM)
        code = await seen.ended()

        assert case in page
        assert code == 128 + signal.SIGTERM
        assert seen.mode() == seen.mode_before
    for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")):
        # The screen that was there before, and the cursor.
        assert 0 <= seen.raw.rfind(on) < seen.raw.rfind(off)


async def test_without_a_terminal_it_prints_once(worker_process: Shell, tmp_path: Path, bought: dict[str, Any]) -> None:
    case = await opened(worker_process, tmp_path, bought, "1.00")

    printed = await worker_process.run("watch", "--merchant", bought["merchant_id"])
    document = await worker_process.json("watch", "--merchant", bought["merchant_id"])

    another = await written_down(worker_process, *asks(bought, "2.00"))
    whose = ("--merchant", bought["merchant_id"])
    paged = await worker_process.json("watch", *whose, "--limit", "1", "--kind", "unshipped_refund")
    none = await worker_process.json("watch", *whose, "--needs-attention")

    assert [each["case_id"] for each in paged["cases"]] == [case] != [another]
    assert paged["next"]
    assert (none["cases"], none["next"]) == ([], None)
    assert printed.code == 0
    assert case in printed.out
    assert "unshipped refunds 1" in printed.out
    assert "\x1b" not in printed.out
    assert ([each["case_id"] for each in document["cases"]], document["next"]) == ([case], None)
