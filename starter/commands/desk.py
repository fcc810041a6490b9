"""``aftersales addresses``, ``flags``, ``remarks`` and ``score``: what a merchant's back end keeps beside the cases."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.table import Table
from rich.text import Text

from starter.commands import talk, viewing, wording
from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from workflows.messages.addresses import ReturnAddress, SaveAddress
from workflows.messages.flags import AddRemark, Colour, SetFlag
from workflows.messages.persons import Contact
from workflows.rules.local_time import local

addresses = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="A merchant's return addresses 退货地址 (T2)."
)
flags = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Flags 插旗: one for an order or allowance, shared by all its cases.",
)
remarks = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Remarks 备注 at an order or allowance, shared by all its cases, or at one case.",
)

_NO_FLAG = "none"

Merchant = Annotated[str, typer.Option(help="The merchant's id.")]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The address's id in the merchant's address book.")]
Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="The order's number, or the allowance's id.")]
Noted = Annotated[
    str, typer.Argument(metavar="SUBJECT", help="The order's number, the allowance's id, or the case's id.")
]
By = Annotated[str, typer.Option("--as", help="Who does it: merchant:m-1, or platform:o-1.")]
Key = Annotated[str | None, typer.Option(help="The same key is the same change. By default a new one.")]


@addresses.command("save")
def save(
    address: Address,
    merchant: Merchant,
    province: Annotated[str, typer.Option(help="省")],
    city: Annotated[str, typer.Option(help="市")],
    details: Annotated[
        str | None, typer.Option(help="Where contact, phone and street are kept: vault:..., or see --contact-file.")
    ] = None,
    contact_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with a JSON object of name, phone and street: kept in the vault; - for standard input.",
            allow_dash=True,
        ),
    ] = None,
    district: Annotated[str | None, typer.Option(help="区; left out where a city has none.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Make it the one that is taken unasked.")] = False,
    as_json: Json = False,
) -> int:
    """Add an address, or change it. Cases that were given it keep the version that they were given.

    Example: [cyan]aftersales addresses save A-1 --merchant m-1 --province 广东省 --city 广州市 --district 天河区
    --contact-file contact.json --default[/]
    """
    if (details is None) == (contact_file is None):
        raise UsageError("say who takes parcels in: either --contact-file or --details", "--contact-file")
    contact = wording.read(Contact, _text_of(contact_file)) if contact_file else None
    body: dict[str, object] = {
        "merchant_id": merchant,
        "address_id": address,
        "region": {"province": province, "city": city, "district": district},
        "details": details or "vault:not-yet-kept",
        "is_default": default,
    }
    wish = wording.built(SaveAddress, body)

    async def keep() -> int:
        async with service() as aftersales:
            if contact:
                kept = await aftersales.privacy.keep_contact(merchant, f"cli-{uuid4().hex[:16]}", contact)
                saved = await aftersales.desk.save_address(wording.built(SaveAddress, {**body, "details": kept}))
            else:
                saved = await aftersales.desk.save_address(wish)
            answer(as_json, saved, _addresses((saved,)))
            return 0

    return asyncio.run(keep())


def _text_of(file: Path) -> str:
    return wording.text(None if str(file) == "-" else file, "--contact-file")


@addresses.command("list")
def list_addresses(merchant: Merchant, as_json: Json = False) -> int:
    """The merchant's address book, the default first.

    Example: [cyan]aftersales addresses list --merchant m-1[/]
    """

    async def look() -> int:
        async with service() as aftersales:
            book = await aftersales.desk.address_book(merchant)
            answer(as_json, {"addresses": book}, _addresses(book))
            return 0

    return asyncio.run(look())


@addresses.command("remove")
def remove(address: Address, merchant: Merchant, as_json: Json = False) -> int:
    """Take an address out of the book; the default only as the last one. Cases that have it keep it.

    Example: [cyan]aftersales addresses remove A-1 --merchant m-1[/]
    """

    async def take_out() -> int:
        async with service() as aftersales:
            if not await aftersales.desk.remove_address(merchant, address):
                raise UsageError(f"{merchant} has no address {address}", "ADDRESS")
            answer(as_json, {"merchant_id": merchant, "removed": address}, Text(f"removed {address}"))
            return 0

    return asyncio.run(take_out())


@flags.command("set")
def set_flag(
    subject: Subject,
    colour: Annotated[str, typer.Argument(metavar="COLOUR", help=f"{', '.join(Colour)}; {_NO_FLAG} takes it down.")],
    merchant: Merchant,
    by: By,
    key: Key = None,
    as_json: Json = False,
) -> int:
    """Put a flag up, change its colour, or take it down.

    Example: [cyan]aftersales flags set O-1 red --merchant m-1 --as merchant:m-1[/]
    """
    wish = wording.built(
        SetFlag, _marking(subject, merchant, by, key) | {"colour": None if colour == _NO_FLAG else colour}
    )

    async def put() -> int:
        async with service() as aftersales:
            change = await aftersales.desk.set_flag(wish)
            answer(as_json, change, Text(f"{subject}: {change.colour or 'no flag'}"))
            return 0

    return asyncio.run(put())


@flags.command("show")
def show_flag(subject: Subject, merchant: Merchant, as_json: Json = False) -> int:
    """The flag that an order or allowance has now.

    Example: [cyan]aftersales flags show O-1 --merchant m-1[/]
    """

    async def look() -> int:
        async with service() as aftersales:
            colour = await aftersales.desk.flag(merchant, subject)
            document = {"subject": subject, "merchant_id": merchant, "colour": colour}
            answer(as_json, document, Text(f"{subject}: {colour or 'no flag'}"))
            return 0

    return asyncio.run(look())


@remarks.command("add")
def add_remark(
    subject: Noted,
    merchant: Merchant,
    by: By,
    file: Annotated[
        Path | None, typer.Option("--file", help="Where the text is; by default standard input.", dir_okay=False)
    ] = None,
    key: Key = None,
    as_json: Json = False,
) -> int:
    """Note something down. The text is read from a file or standard input, so that no shell remembers it.

    Example: [cyan]echo "called back at noon" | aftersales remarks add O-1 --merchant m-1 --as merchant:m-1[/]
    """
    wish = wording.built(AddRemark, _marking(subject, merchant, by, key) | {"text": wording.text(file, "--file")})

    async def note() -> int:
        async with service() as aftersales:
            added = await aftersales.desk.add_remark(wish)
            answer(as_json, {"subject": added.subject, "key": added.key, "at": added.at}, Text(f"noted at {subject}"))
            return 0

    return asyncio.run(note())


@remarks.command("list")
def list_remarks(
    subject: Noted,
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's; without, for the platform, all.")] = None,
    as_json: Json = False,
) -> int:
    """The remarks at an order or allowance, oldest first; of a case its own and those of its order.

    Example: [cyan]aftersales remarks list O-1 --merchant m-1[/]
    """

    async def look() -> int:
        async with service() as aftersales:
            found = await aftersales.desk.remarks(merchant, subject)
            zone = await viewing.zone_of(aftersales, subject)
            document = [talk.remark_in_clear(each) for each in found]
            answer(as_json, {"remarks": document}, talk.remarks_table(found, zone=zone))
            return 0

    return asyncio.run(look())


def score(
    merchant: Annotated[str, typer.Argument(metavar="MERCHANT", help="The merchant's id.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many changes at most.")] = 50,
    as_json: Json = False,
) -> int:
    """The points that a merchant has lost over disputes, and each change with its case, the newest first (D9).

    Example: [cyan]aftersales score m-1[/]
    """

    async def look() -> int:
        async with service() as aftersales:
            lost = await aftersales.desk.score(merchant)
            changes = await aftersales.desk.score_changes(merchant, limit)
            table = Table("when", "points", "cause", "case")
            for each in changes:
                table.add_row(local(each.at), str(each.points), each.cause, each.case_id)
            document = {"merchant_id": merchant, "points_lost": lost, "changes": changes}
            answer(as_json, document, table, Text(f"{merchant} has lost {lost} points", style="bold"))
            return 0

    return asyncio.run(look())


def _marking(subject: str, merchant: str, by: str, key: str | None) -> dict[str, object]:
    return {
        "subject": subject,
        "merchant_id": merchant,
        "by": wording.actor(by),
        "key": key or f"cli-{uuid4().hex[:16]}",
    }


def _addresses(book: tuple[ReturnAddress, ...]) -> Table:
    table = Table("address", "region", "details", "version", "default")
    for each in book:
        default = "default" if each.is_default else ""
        table.add_row(each.address_id, viewing.region(each.region), each.details, str(each.version), default)
    return table
