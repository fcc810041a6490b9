"""``aftersales privacy``: what a merchant's back end sees of persons, and who looked (P1, P2, P5)."""

import asyncio
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast
from uuid import uuid4

import typer
from pydantic import BaseModel, SecretStr
from pydantic_core import to_jsonable_python
from rich.table import Table
from rich.text import Text

from activities.postgres.looks import Looker
from starter.commands import exporting, wording
from starter.commands.export_files import private
from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer, secrets_shown
from starter.commands.reaching import service
from workflows.messages.actors import Actor, Role
from workflows.messages.disclosures import BuyQuota, Reveal, RevealField
from workflows.messages.persons import Reach
from workflows.messages.surfaces import Surface
from workflows.rules.local_time import local
from workflows.rules.masking import SHOWN_IN_FULL

application = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Persons' data 隐私: what is shown, revealed with a record, and exported in bulk.",
)

application.command("export")(exporting.export)
application.command("export-orders")(exporting.export_orders)

By = Annotated[str, typer.Option("--as", help="Who asks: merchant:m-1, or platform:o-1.")]
Key = Annotated[str | None, typer.Option(help="The same key is the same request. By default a new one.")]
Output = Annotated[
    Path | None, typer.Option("--file", help="Write it in clear to this new file, for its owner only.", dir_okay=False)
]
InClear = Annotated[bool, typer.Option("--print", help="Print it in clear.")]


@application.command("show")
def show(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's number.")],
    by: Annotated[str, typer.Option("--as", help="Who looks: merchant:m-1, buyer:b-1, or platform:o-1.")],
    surface: Annotated[Surface, typer.Option(help=f"Where it is shown: {', '.join(Surface)}.")] = Surface.DEFAULT,
    file: Output = None,
    in_clear: InClear = False,
    as_json: Json = False,
) -> int:
    """The recipient of an order as a surface shows it. What is shown in full is recorded, and needs --print or --file.

    Real phones and streets count against the hourly limit of reveals (P8); a waybill shows them once it was made.

    Example: [cyan]aftersales privacy show O-1 --as merchant:m-1[/]
    """
    viewer = wording.built(Actor, wording.actor(by))
    if SHOWN_IN_FULL.get((surface, viewer.role)):
        _has_place(file, in_clear)

    async def look() -> BaseModel:
        async with service() as aftersales:
            return await aftersales.disclosures.show(order, surface, viewer)

    with _output(file) as output:
        _give(asyncio.run(look()), output, as_json)
    return 0


@application.command("reveal")
def reveal(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The order's number, or the case's id.")],
    by: By,
    why: Annotated[str, typer.Option(help="The reason, one word such as buyer_called; it is recorded.")],
    field: Annotated[list[RevealField], typer.Option("--field", help=f"{', '.join(RevealField)}; may stand often.")],
    key: Key = None,
    file: Output = None,
    in_clear: InClear = False,
    as_json: Json = False,
) -> int:
    """Reveal real name, address or a virtual number at an own order or case. Each field is recorded (P2).

    Example: [cyan]aftersales privacy reveal O-1 --as merchant:m-1 --field name --why buyer_called --print[/]
    """
    _has_place(file, in_clear)
    wish = wording.built(
        Reveal,
        {"key": key or _new_key(), "by": wording.actor(by), "subject": subject, "fields": field, "why": why},
    )

    async def ask() -> BaseModel:
        async with service() as aftersales:
            return await aftersales.disclosures.reveal(wish)

    with _output(file) as output:
        _give(asyncio.run(ask()), output, as_json)
    return 0


@application.command("reach")
def reach(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="merchant:m-1 or buyer:b-1.")],
    as_json: Json = False,
) -> int:
    """Keep under what a merchant or a buyer is told of cases; it replaces what was kept, and goes into the vault.

    Standard input has it, so that no list of processes shows it: a line of JSON with e_mail, phone, or both.

    Example: [cyan]aftersales privacy reach merchant:m-1 < reach.json[/]
    """
    actor = wording.built(Actor, wording.actor(person))
    if actor.role not in {Role.BUYER, Role.MERCHANT}:
        raise UsageError("only buyers and merchants are told by e-mail and SMS", "PERSON")
    try:
        given: Any = json.loads(typer.get_text_stream("stdin").readline())
    except ValueError:
        raise UsageError("standard input must have one line of JSON", "standard input") from None
    if not isinstance(given, dict):
        raise UsageError("standard input must have one line of JSON", "standard input")
    kept = wording.built(Reach, cast("dict[str, Any]", given))

    async def keep() -> None:
        async with service() as aftersales:
            await aftersales.privacy.keep_reach(actor, kept)

    asyncio.run(keep())
    answer(as_json, {"person": person, "kept": sorted(kept.model_fields_set)}, Text(f"kept for {person}"))
    return 0


@application.command("return-address")
def return_address(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The case's id.")],
    by: Annotated[str, typer.Option("--as", help="Who reads: buyer:b-1 or merchant:m-1, whose case it is.")],
    file: Output = None,
    in_clear: InClear = False,
    as_json: Json = False,
) -> int:
    """Where the goods of a return are sent to, for the case's buyer and its merchant. Each reading is recorded (T12).

    Example: [cyan]aftersales privacy return-address return/O-1/k-1 --as buyer:b-1 --print[/]
    """
    _has_place(file, in_clear)
    viewer = wording.built(Actor, wording.actor(by))

    async def look() -> BaseModel:
        async with service() as aftersales:
            return await aftersales.disclosures.return_address(case, viewer)

    with _output(file) as output:
        _give(asyncio.run(look()), output, as_json)
    return 0


@application.command("looks")
def looks(
    by: Annotated[str, typer.Option("--as", help="Who asks: merchant:m-1, for its own, or platform:o-1, for all.")],
    subject: Annotated[
        str | None, typer.Argument(metavar="SUBJECT", help="Only at this order's number, or this case's id.")
    ] = None,
    person: Annotated[str | None, typer.Option(help="Only at this person's data: buyer/b-1, merchant/m-1.")] = None,
    actor: Annotated[
        str | None, typer.Option(help="Only this one's looks: merchant:m-1, platform:o-1, auditor:NAME.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Who looked at a person's data, oldest first: at an order and its cases, a case, a person, or by whom (P2).

    Example: [cyan]aftersales privacy looks O-1 --as platform:o-1[/]
    """
    if subject is None and person is None and actor is None:
        raise UsageError("say of which order, case, person or actor", "SUBJECT")
    asker = wording.built(Actor, wording.actor(by))
    if asker.role not in {Role.MERCHANT, Role.PLATFORM}:
        raise UsageError("the record of looks is for the merchant and the platform", "--as")
    role, _, identifier = (actor or "").partition(":")

    async def look() -> int:
        async with service() as aftersales:
            found = await aftersales.disclosures.looks(
                asker, subject=subject, person=person, actor=Looker(role=role, id=identifier) if actor else None
            )
        table = Table("when", "who", "at", "field", "where", "why")
        for each in found:
            who = f"{each.by.role} {each.by.id}"
            table.add_row(local(each.at), who, each.subject, each.field, each.surface, each.reason)
        answer(as_json, {"subject": subject, "looks": found}, table)
        return 0

    return asyncio.run(look())


@application.command("quota")
def quota(
    merchant: Annotated[str, typer.Argument(metavar="MERCHANT", help="The merchant's id.")],
    buy: Annotated[int | None, typer.Option(help="Add so many, which the merchant has bought.")] = None,
    by: Annotated[str | None, typer.Option("--as", help="Who adds them: platform:o-1, once it is paid for.")] = None,
    key: Key = None,
    as_json: Json = False,
) -> int:
    """How many virtual numbers a merchant can still export, and adding what it has bought (P5).

    Example: [cyan]aftersales privacy quota m-1 --buy 500 --as platform:o-1[/]
    """
    if (buy is None) != (by is None):
        raise UsageError("--buy and --as go together", "--as")
    purchase = {"key": key or _new_key(), "merchant_id": merchant, "amount": buy}
    wish = wording.built(BuyQuota, purchase | {"by": wording.actor(by)}) if by is not None else None

    async def look() -> int:
        async with service() as aftersales:
            desk = aftersales.disclosures
            found = await (desk.quota(merchant) if wish is None else desk.buy_quota(wish))
        answer(as_json, found, Text(f"{merchant}: {found.left} virtual numbers left"))
        return 0

    return asyncio.run(look())


def _has_place(file: Path | None, in_clear: bool) -> None:
    if (file is None) != in_clear:
        raise UsageError("say where a person's data is to go: --file FILE, or --print", "--file")


@contextmanager
def _output(file: Path | None) -> Generator[BinaryIO | None]:
    """The new file, made before anything is read; it is taken away again where nothing comes."""
    if file is None:
        yield None
        return
    with private(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, "--file") as output:
        try:
            yield output
        except BaseException:
            file.unlink()
            raise


def _give(told: BaseModel, output: BinaryIO | None, as_json: bool) -> None:
    clear = secrets_shown(told)
    if output is not None:
        output.write(json.dumps(clear, ensure_ascii=False).encode() + b"\n")
        clear = to_jsonable_python(told)
    table = Table.grid(padding=(0, 2))
    for name, value in clear.items():
        if value is not None:
            words = value["explanation"] if name == "number_refusal" else _in_words(value)
            table.add_row(name.replace("_", " "), Text(words))
    if not any(isinstance(value, SecretStr) for _, value in told):
        table.add_row("", "nobody is known to whom it was sent")
    answer(as_json, clear, table)


def _in_words(value: Any) -> str:
    """What is told, such as 省市区, in one line."""
    parts = cast("dict[str, Any]", value).values() if isinstance(value, dict) else (value,)
    return " ".join(str(each) for each in parts if each is not None)


def _new_key() -> str:
    return f"cli-{uuid4().hex[:16]}"
