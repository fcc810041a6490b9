"""``aftersales open``: what is asked for about goods that come back, or that are sent again."""

import asyncio
from typing import Annotated

import typer

from starter.client import Aftersales
from starter.commands import wording
from starter.commands.opening_options import (
    BankAccount,
    Buyer,
    Evidence,
    EvidenceFile,
    Freight,
    From,
    Key,
    Lines,
    Merchant,
    Order,
    Reason,
    WordsFile,
    application_of,
    whose,
    worded,
)
from starter.commands.printing import Json
from starter.commands.typed_request import Typed, open_typed
from workflows.messages.requests import RefundReason, RepairRequest, ResendRequest, ReturnRequest

application = typer.Typer(rich_markup_mode="rich")


@application.command("return")
def return_(
    order: Order = None,
    merchant: Merchant = None,
    buyer: Buyer = None,
    line: Lines = None,
    freight: Freight = "0",
    reason: Reason = RefundReason.NO_LONGER_WANTED,
    bank_account: BankAccount = None,
    evidence: Evidence = None,
    evidence_file: EvidenceFile = None,
    words_file: WordsFile = None,
    key: Key = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """A buyer sends goods back for money 退货退款 (T1 to T7, T10, T11).

    Example: [cyan]aftersales open return --order O-1 --merchant m-1 --buyer b-1 --line L1:1:72.00[/]
    """
    body = whose(order, merchant, buyer) | application_of(line, freight, reason, evidence, evidence_file)
    typed = Typed(ReturnRequest, body, file, key, bank_account)
    return asyncio.run(open_typed(typed, worded(Aftersales.open_return, words_file), as_json))


@application.command("exchange")
def exchange(
    order: Order = None,
    merchant: Merchant = None,
    buyer: Buyer = None,
    line: Lines = None,
    replacement: Annotated[
        list[str] | None, typer.Option(help="LINE:SKU: other goods for this line; without, the same goods.")
    ] = None,
    reason: Reason = RefundReason.WRONG_GOODS,
    evidence: Evidence = None,
    evidence_file: EvidenceFile = None,
    words_file: WordsFile = None,
    key: Key = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """A buyer sends goods back for others 换货 (T8, T9). The amounts are what it is worth as a refund.

    Example: [cyan]aftersales open exchange --order O-1 --merchant m-1 --buyer b-1 --line L1:1:72.00
    --replacement L1:boots-43[/]
    """
    body = whose(order, merchant, buyer) | application_of(line, "0", reason, evidence, evidence_file)
    body |= {"exchange": True, "replacements": wording.replacements(replacement or [])}
    return asyncio.run(
        open_typed(Typed(ReturnRequest, body, file, key), worded(Aftersales.open_return, words_file), as_json)
    )


@application.command("resend")
def resend(
    order: Order = None,
    merchant: Merchant = None,
    buyer: Buyer = None,
    line: Lines = None,
    part: Annotated[
        list[str] | None,
        typer.Option(help="LINE:SKU: the part of this line that is to be sent; else whole pieces."),
    ] = None,
    reason: Reason = RefundReason.MISSING_PARTS,
    evidence: Evidence = None,
    evidence_file: EvidenceFile = None,
    words_file: WordsFile = None,
    key: Key = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """A buyer wants what is missing or damaged sent again 补寄 (C1 to C6). The amounts are its worth as a refund.

    Example: [cyan]aftersales open resend --order O-1 --merchant m-1 --buyer b-1 --line L1:1:9.00 --part L1:charger[/]
    """
    body = whose(order, merchant, buyer) | application_of(line, "0", reason, evidence, evidence_file)
    body |= {"parts": wording.parts(part or [])}
    return asyncio.run(
        open_typed(Typed(ResendRequest, body, file, key), worded(Aftersales.open_resend, words_file), as_json)
    )


@application.command("repair")
def repair(
    order: Order = None,
    merchant: Merchant = None,
    buyer: Buyer = None,
    line: Lines = None,
    reason: Reason = RefundReason.QUALITY_FAULT,
    evidence: Evidence = None,
    evidence_file: EvidenceFile = None,
    words_file: WordsFile = None,
    key: Key = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """A buyer sends goods in to be mended 维修 (M1 to M5). The amounts are what they are worth as a refund.

    Example: [cyan]aftersales open repair --order O-1 --merchant m-1 --buyer b-1 --line L1:1:72.00[/]
    """
    body = whose(order, merchant, buyer) | application_of(line, "0", reason, evidence, evidence_file)
    typed = Typed(RepairRequest, body, file, key)
    return asyncio.run(open_typed(typed, worded(Aftersales.open_repair, words_file), as_json))
