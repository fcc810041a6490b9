"""``aftersales list``: the work lists 售后工作台 (section 12)."""

import asyncio
import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from activities.postgres.lookup import LOOKUPS, Kind
from activities.postgres.work_lists import WorkItem, WorkQuery
from starter.commands import wording
from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.commands.viewing import remaining
from starter.commands.work_rows import age_of, amount_of_version, in_print
from starter.settings import load_settings
from starter.vault import lookup_key
from workflows.messages.flags import Colour
from workflows.messages.stages import Attention, CaseKind, Stopped, WorkList
from workflows.rules.phone_numbers import HOME, in_full, is_region

_MOMENT: Final = "day or moment (Shanghai time where no offset is given)"
_LOOKUPS: Final[Mapping[str, Kind]] = {"--account": "account", "--name": "name", "--phone": "phone"}


def list_cases(
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's cases.")] = None,
    work_list: Annotated[WorkList | None, typer.Option("--list", help="Only this list.")] = None,
    kind: Annotated[CaseKind | None, typer.Option(help="Only cases of this kind.")] = None,
    order: Annotated[str | None, typer.Option(help="Only cases of this order.")] = None,
    buyer: Annotated[str | None, typer.Option(help="Only cases of this buyer's id.")] = None,
    account: Annotated[
        str | None,
        typer.Option(
            help="Only cases of allowances of this account name (A4), by its keyed hash; - reads it from standard "
            "input, so that no shell and no list of processes shows it (P6)."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Only cases of this customer's name, by its keyed hash; or -.")
    ] = None,
    phone: Annotated[
        str | None, typer.Option(help="Only cases of this customer's phone, by its keyed hash; or -.")
    ] = None,
    phone_region: Annotated[
        str, typer.Option(help="Country of a phone that has no country code (ISO 3166); a work list has no profile.")
    ] = HOME,
    customer: Annotated[
        str | None, typer.Option(metavar="HASH", help="The keyed hash itself, as the command for the next page has it.")
    ] = None,
    flag: Annotated[Colour | None, typer.Option(help="Only cases whose order or allowance has this flag 插旗.")] = None,
    attention: Annotated[Attention | None, typer.Option(help="Only cases that need attention for this reason.")] = None,
    needs_attention: Annotated[
        bool, typer.Option("--needs-attention", help="Only cases that need attention, for whatever reason.")
    ] = False,
    opened_from: Annotated[str | None, typer.Option(help=f"Only cases opened from this {_MOMENT} on.")] = None,
    opened_until: Annotated[str | None, typer.Option(help=f"Only cases opened before this {_MOMENT}.")] = None,
    due_within: Annotated[
        str | None, typer.Option(help="Only cases due within this time, or overdue: 12h, 2d.")
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Closed cases as well.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="KEY", help="The next page: the key that a page ends with.")
    ] = None,
    as_json: Json = False,
) -> int:
    """The work lists: open cases by the time that is left, the most urgent first, with a count for each list.

    Example: [cyan]aftersales list --merchant m-1 --list unshipped_refunds --due-within 12h[/]
    """
    if not is_region(phone_region):
        raise UsageError("no country by ISO 3166 that has phones, such as DE", "--phone-region")
    who = _customer({"--customer": customer, "--account": account, "--name": name, "--phone": phone}, phone_region)
    since = wording.moment_or_day(opened_from, "--opened-from") if opened_from else None
    before = wording.moment_or_day(opened_until, "--opened-until") if opened_until else None
    fields = {
        "merchant_id": merchant,
        "work_list": work_list,
        "kind": kind,
        "order_no": order,
        "buyer_id": buyer,
        "customer": who,
        "flag": flag,
        "attention": attention,
        "needs_attention": needs_attention,
        "opened_from": since.isoformat() if since else None,
        "opened_until": before.isoformat() if before else None,
        "due_before": from_now(due_within).isoformat() if due_within else None,
        "with_closed": closed,
        "after": after,
        "limit": limit,
    }
    again: dict[str, object] = {
        "--merchant": merchant,
        "--list": work_list,
        "--kind": kind,
        "--order": order,
        "--buyer": buyer,
        "--customer": who,
        "--flag": flag,
        "--attention": attention,
        "--needs-attention": needs_attention,
        "--opened-from": opened_from,
        "--opened-until": opened_until,
        "--due-within": due_within,
        "--closed": closed,
        "--limit": limit,
    }
    return asyncio.run(_list(wording.built(WorkQuery, fields), again, as_json))


def from_now(text: str) -> datetime:
    """The moment that lies so far ahead: ``12h``.

    Raises:
        UsageError: it is no such time.
    """
    try:
        return datetime.now(UTC) + wording.duration(text, "--due-within")
    except OverflowError:
        raise UsageError("is longer than the calendar", "--due-within") from None


def _customer(asked: dict[str, str | None], phone_region: str) -> str | None:
    given = {option: value for option, value in asked.items() if value is not None}
    if len(given) > 1:
        raise UsageError("a customer is searched for by one of account, name and phone", next(iter(given)))
    if "--customer" in given:
        return given["--customer"]
    key = lookup_key(load_settings())
    for option, value in given.items():
        typed = wording.text(None, option) if value == "-" else value
        try:
            return LOOKUPS[_LOOKUPS[option]](key, in_full(typed, phone_region) if option == "--phone" else typed)
        except ValueError as error:
            raise UsageError(str(error), option) from error
    return None


async def _list(query: WorkQuery, again: dict[str, object], as_json: bool) -> int:
    async with service() as aftersales:
        page = await aftersales.work_list(query)
        counts = await aftersales.work_counts(query)
        stopped = await aftersales.runs.stopped_of([item.case_id for item in page.items if not item.outcome])
    shown = "  ".join(f"{name}: {number}" for name, number in sorted(counts.lists.items())) or "no cases"
    document = {"cases": page.items, "counts": counts.lists, "next": page.next, "stopped": stopped}
    document |= {"counted_at": counts.counted_at}
    shown += age_of(counts, datetime.now(UTC))
    answer(as_json, document, _table(page.items, stopped), Text(shown, style="bold"))
    if page.next and not as_json:
        # Not through the page's console: a command that is wrapped cannot be copied.
        typer.echo(f"next page: {_command(again | {'--after': page.next})}")
    return 0


def _command(options: dict[str, object]) -> str:
    """As it can be typed. It never holds what a customer was searched by (P6)."""
    words = ["aftersales", "list"]
    for option, value in options.items():
        if value is True:
            words.append(option)
        elif value:
            words += [option, str(value)]
    return shlex.join(words)


def _table(items: Iterable[WorkItem], stopped: Mapping[str, Stopped]) -> Table:
    now = datetime.now(UTC)
    table = Table("case", "stage", "remaining", "asked", "why", "merchant", "list", "flag", "attention")
    for item in items:
        asked = amount_of_version(item)
        left = Text(item.outcome, style="dim") if item.outcome else remaining(item.due_at, now)
        stands_still = stopped.get(item.case_id)  # such a case looks open in the book, and nothing moves it
        attention = Text(f"workflow {stands_still}" if stands_still else item.attention or "", style="bold red")
        lists = (in_print(item.work_list or ""), item.flag or "")
        why = item.reason_label or item.reason or ""
        table.add_row(item.case_id, in_print(item.stage), left, asked, why, item.merchant_id, *lists, attention)
    return table
