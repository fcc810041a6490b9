"""Opening many cases from a file: one request a line."""

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from rich.console import Group
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from activities.postgres.case_rows import identity
from starter.client import Aftersales
from starter.commands.failures import Exit, UsageError
from starter.commands.opened_lines import OpenedLines, opened_lines
from starter.commands.printing import answer, notes
from starter.commands.reaching import service
from starter.commands.request_lines import Line, lines_of, request_in
from starter.errors import RefusedRequest, Unreachable
from workflows.messages.cases import Refusal

_PAUSES: Final = (0.5, 1, 2, 4, 8)
"""Seconds between attempts at one line while a server does not answer; then the run stops."""


@dataclass(frozen=True)
class ManyRequests:
    """What is to be done."""

    source: Path | None
    """None for standard input."""
    errors: Path
    at_once: int
    check: bool
    again: bool
    as_json: bool


@dataclass
class Count:
    """How the lines fared."""

    lines: int = 0
    opened: int = 0
    opened_before: int = 0
    refused: int = 0


def open_all(wanted: ManyRequests) -> int:
    """Open the cases of all lines; the exit code says whether none is left.

    Raises:
        UsageError: a file cannot be read or written.
        Unreachable: a server did not answer for a while; what is left is left for the next run.
    """
    try:
        return asyncio.run(_open_all(wanted))
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM


async def _open_all(wanted: ManyRequests) -> int:
    task = asyncio.current_task()
    assert task is not None
    # The progress bar hides the cursor: it must come back.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    count = Count()
    async with service() as aftersales:
        with ExitStack() as held:
            source = held.enter_context(_reading(wanted.source))
            note = None
            if wanted.source and not wanted.check:
                async with aftersales.pool.acquire() as connection:
                    case_book = f"{await identity(connection)}/{aftersales.temporal.namespace}"
                note = held.enter_context(opened_lines(wanted.source, case_book, afresh=wanted.again))
            errors = held.enter_context(_writing(wanted.errors))
            progress = held.enter_context(_progress())
            size = os.fstat(source.fileno()).st_size or None
            bar = progress.add_task("", total=size, said="")

            def shown(read: int) -> None:
                progress.update(bar, advance=read, said=_said(count, wanted))

            await _each(wanted, aftersales, source, note, errors, count, shown)
    if not count.refused:
        wanted.errors.unlink()
    left = str(wanted.errors) if count.refused else None
    document = {
        "checked": wanted.check,
        "lines": count.lines,
        "good" if wanted.check else "opened": count.opened,
        "opened_before": count.opened_before,
        "refused": count.refused,
        "errors": left,
    }
    page = [Text(f"{count.lines} lines: {_said(count, wanted)}", style="bold")]
    if left:
        page.append(Text(f"what is wrong with them: {left}; mend these lines and run the same again", style="red"))
    answer(wanted.as_json, document, Group(*page))
    return Exit.NO if count.refused else Exit.OK


def _said(count: Count, wanted: ManyRequests) -> str:
    before = f", {count.opened_before} opened before" if count.opened_before else ""
    return f"{count.opened} {'good' if wanted.check else 'opened'}{before}, {count.refused} refused"


async def _each(
    wanted: ManyRequests,
    aftersales: Aftersales,
    source: IO[bytes],
    note: OpenedLines | None,
    errors: IO[str],
    count: Count,
    shown: Callable[[int], None],
) -> None:
    """All lines, ``at_once`` of them at a time; their errors in the order of the lines."""
    under_way: deque[tuple[Line, asyncio.Task[Refusal | None]]] = deque()

    async def settle() -> None:
        line, task = under_way[0]
        refusal = await task
        under_way.popleft()
        if refusal:
            count.refused += 1
            errors.write(json.dumps({"line": line.number, **refusal.model_dump(mode="json")}, ensure_ascii=False))
            errors.write("\n")
            errors.flush()
        else:
            count.opened += 1
        shown(len(line.text))

    try:
        async for line in lines_of(source):
            count.lines += 1
            if note and note.has(line):
                count.opened_before += 1
                shown(len(line.text))
                continue
            under_way.append((line, asyncio.create_task(_one(wanted, aftersales, line, note))))
            # Also when nothing new comes for a while, as from a pipe, what is done is told.
            while under_way and (len(under_way) >= wanted.at_once or under_way[0][1].done()):
                await settle()
        while under_way:
            await settle()
    except Unreachable as error:
        line = under_way[0][0]
        raise Unreachable(f"stopped at line {line.number}: {error}; run the same again to go on from there") from error
    finally:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)


async def _one(wanted: ManyRequests, aftersales: Aftersales, line: Line, note: OpenedLines | None) -> Refusal | None:
    for pause in (*_PAUSES, None):
        try:
            request = await request_in(line, aftersales)
            await (aftersales.check(request) if wanted.check else aftersales.open(request))
        except RefusedRequest as error:
            return error.refusal
        except Unreachable:
            if pause is None:
                raise
            await asyncio.sleep(pause)
        else:
            break
    if note:
        note.add(line)
    return None


def _reading(file: Path | None) -> IO[bytes]:
    if file is None:
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", "--from") from error


def _writing(file: Path) -> IO[str]:
    try:
        return open(file, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", "--errors") from error


def _progress() -> Progress:
    console = notes()
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[said]}"))
    return Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )
