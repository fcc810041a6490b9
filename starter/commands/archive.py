"""``aftersales archive``: months of closed cases that are written to the archive, dropped, and read back."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from activities.gateways.archive_store import ArchiveDamaged, ArchiveUnreachable, NotInArchive
from activities.postgres import archives
from activities.postgres.archives import Part
from starter.archive_place import archive_of
from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import database
from starter.settings import load_settings

if TYPE_CHECKING:
    from activities.archive import Archive

archive = typer.Typer(
    help="Old months of closed cases: to the archive, and back. It needs the database role `archive`.",
    no_args_is_help=True,
)

Month = Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month in which the cases closed, by UTC.")]


@archive.command("list")
def list_months(as_json: Json = False) -> int:
    """Which months the database has, and which are in the archive.

    Example: [cyan]aftersales archive list[/]
    """
    return asyncio.run(_list(as_json))


@archive.command()
def export(month: Month, as_json: Json = False) -> int:
    """Write a month into the archive; the database keeps it.

    Example: [cyan]aftersales archive export 2026-08[/]
    """
    return asyncio.run(_do(lambda kept: kept.export(_month(month), datetime.now(UTC)), "in the archive", as_json))


@archive.command()
def verify(month: Month, as_json: Json = False) -> int:
    """Read a month back from the archive: hashes, counts, and row by row what the database has as well.

    Example: [cyan]aftersales archive verify 2026-08[/]
    """
    return asyncio.run(_do(lambda kept: kept.verify(_month(month)), "found whole", as_json))


@archive.command()
def drop(month: Month, as_json: Json = False) -> int:
    """Compare a month with the archive row by row, and drop it from the database.

    Example: [cyan]aftersales archive drop 2026-08[/]
    """
    return asyncio.run(_do(lambda kept: kept.drop(_month(month), datetime.now(UTC)), "in the archive alone", as_json))


@archive.command()
def restore(month: Month, as_json: Json = False) -> int:
    """Write a month that was dropped into the database again; it stays until it is dropped again.

    Example: [cyan]aftersales archive restore 2026-08[/]
    """
    return asyncio.run(
        _do(lambda kept: kept.restore(_month(month), datetime.now(UTC)), "in the database again", as_json)
    )


@archive.command()
def read(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The id of a case that is in the archive alone.")],
    as_json: Json = False,
) -> int:
    """Read one case out of the archive: its row and its log, as they were. Nothing is written.

    Example: [cyan]aftersales archive read refund/O-1/3f5c[/]
    """
    return asyncio.run(_read(case, as_json))


async def _list(as_json: bool) -> int:
    async with database() as pool, pool.acquire() as connection:
        here, known = await archives.months(connection), await archives.parts(connection)
        counts = {each.month: await archives.counted(connection, each.month) for each in here}
    table = Table("month", "cases", "lines", "where")
    for month, found in counts.items():
        exported = any(each.month == month and each.dropped_at is None for each in known)
        where = "database and archive" if exported else "database"
        table.add_row(f"{month:%Y-%m}", f"{found['closed_cases']:,}", f"{found['closed_log']:,}", where)
    for part in known:
        if part.dropped_at:
            table.add_row(f"{part.month:%Y-%m}/{part.part}", f"{part.cases:,}", f"{part.lines:,}", "archive")
    months = [
        {"month": f"{month:%Y-%m}", "cases": each["closed_cases"], "lines": each["closed_log"]}
        for month, each in counts.items()
    ]
    answer(as_json, {"database": months, "archive": [_told(each) for each in known]}, table)
    return 0


async def _do(what: Callable[["Archive"], Awaitable[Part | list[Part]]], done: str, as_json: bool) -> int:
    async with _archive() as kept:
        try:
            found = await what(kept)
        except (NotInArchive, ArchiveDamaged, ArchiveUnreachable) as error:
            return _failed(error, as_json)
    parts: Sequence[Part] = found if isinstance(found, list) else [found]
    lines = [
        Text(f"{each.month:%Y-%m}/{each.part}: {each.cases:,} cases, {each.lines:,} lines {done}") for each in parts
    ]
    answer(as_json, {"parts": [_told(each) for each in parts]}, *lines)
    return 0


async def _read(case_id: str, as_json: bool) -> int:
    async with _archive() as kept:
        try:
            found = await kept.read(case_id)
        except (NotInArchive, ArchiveDamaged, ArchiveUnreachable) as error:
            return _failed(error, as_json)
    answer(as_json, found, Text(json.dumps(found, ensure_ascii=False, indent=2, default=str)))
    return 0


def _failed(error: NotInArchive | ArchiveDamaged | ArchiveUnreachable, as_json: bool) -> int:
    answer(as_json, {"error": str(error)}, Text(str(error), style="red"))
    if isinstance(error, NotInArchive):
        return 5
    return 1 if isinstance(error, ArchiveDamaged) else 3


@asynccontextmanager
async def _archive() -> AsyncGenerator["Archive"]:
    settings = load_settings()
    async with database(settings) as pool:
        yield archive_of(settings, pool)


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        raise UsageError("a month is written YYYY-MM", "MONTH") from None


def _told(part: Part) -> dict[str, Any]:
    return {**vars(part), "month": f"{part.month:%Y-%m}"}
