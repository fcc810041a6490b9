"""``aftersales open``: one sub-command for each kind of request."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from starter.client import Aftersales, Case
from starter.commands import wording
from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from workflows.messages.requests import (
    ExpiryRequest,
    MerchantRefundRequest,
    RefundReason,
    RefundRequest,
    Request,
    WithdrawalRequest,
)

application = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Open a case. Amounts are decimal yuan here (72.00); in JSON files they are minor units (7200).",
)

From = Annotated[
    Path | None,
    typer.Option("--from", help="Read the whole request from a JSON file, amounts in minor units.", dir_okay=False),
]
Order = Annotated[str | None, typer.Option(help="The order's number.")]
Allowance = Annotated[str | None, typer.Option(help="The allowance's id.")]
Merchant = Annotated[str | None, typer.Option(help="The merchant's id.")]
Buyer = Annotated[str | None, typer.Option(help="The buyer's id.")]
Lines = Annotated[
    list[str] | None,
    typer.Option("--line", help="LINE:QUANTITY:AMOUNT, the amount in decimal yuan; once for each line."),
]
Freight = Annotated[str, typer.Option(help="Freight to pay back, in decimal yuan.")]
BankAccount = Annotated[
    str | None,
    typer.Option(help="Pay to the account kept under this reference (vault:...), instead of the original route."),
]
Key = Annotated[
    str | None,
    typer.Option(help="The request's key: one key, one case. By default made of what is asked for."),
]
Evidence = Annotated[
    list[str] | None, typer.Option(help="An attachment: uri,media/type,bytes,sha256; up to four times.")
]
EvidenceFile = Annotated[
    list[Path] | None, typer.Option(help="A local file to measure: its type, size and SHA-256 are the attachment.")
]
Reason = Annotated[RefundReason, typer.Option(help="Why the money is asked back; a fault frees the freight.")]


@application.command("refund")
def refund(
    order: Order = None,
    merchant: Merchant = None,
    buyer: Buyer = None,
    line: Lines = None,
    freight: Freight = "0",
    reason: Reason = RefundReason.NO_LONGER_WANTED,
    bank_account: BankAccount = None,
    evidence: Evidence = None,
    evidence_file: EvidenceFile = None,
    key: Key = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """A buyer asks for money back, no goods returned (R1 to R8). The order says which rules apply.

    Example: [cyan]aftersales open refund --order O-1 --merchant m-1 --buyer b-1 --line L1:1:72.00[/]
    """
    body = {
        "order_no": order,
        "merchant_id": merchant,
        "buyer_id": buyer,
        "lines": wording.lines(line or []),
        "freight": wording.amount(freight, "--freight"),
        "reason": reason,
        "evidence": wording.evidence(evidence or [], evidence_file or []),
    }
    request = _request(RefundRequest, body, file, key, bank_account)
    return asyncio.run(_open(request, lambda aftersales: aftersales.open_refund(request), as_json))


@application.command("merchant-refund")
def merchant_refund(
    order: Order = None,
    merchant: Merchant = None,
    line: Lines = None,
    freight: Freight = "0",
    reason: Reason = RefundReason.PRICE_ADJUSTMENT,
    bank_account: BankAccount = None,
    key: Key = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """A merchant pays back of its own accord; the platform reviews it (R9).

    Example: [cyan]aftersales open merchant-refund --order O-1 --merchant m-1 --line L1:1:15.00[/]
    """
    body = {
        "order_no": order,
        "merchant_id": merchant,
        "lines": wording.lines(line or []),
        "freight": wording.amount(freight, "--freight"),
        "reason": reason,
    }
    request = _request(MerchantRefundRequest, body, file, key, bank_account)
    return asyncio.run(_open(request, lambda aftersales: aftersales.open_merchant_refund(request), as_json))


@application.command("withdrawal")
def withdrawal(
    allowance: Allowance = None,
    merchant: Merchant = None,
    buyer: Buyer = None,
    key: Key = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """A buyer asks for the unspent principal of an allowance 膨胀金 (A1 to A5).

    Example: [cyan]aftersales open withdrawal --allowance A-1 --merchant m-1 --buyer b-1[/]
    """
    body = {"allowance_id": allowance, "merchant_id": merchant, "buyer_id": buyer}
    request = _request(WithdrawalRequest, body, file, key, None)
    return asyncio.run(_open(request, lambda aftersales: aftersales.open_withdrawal(request), as_json))


@application.command("expiry")
def expiry(
    allowance: Allowance = None,
    merchant: Merchant = None,
    buyer: Buyer = None,
    valid_until: Annotated[str | None, typer.Option(help="When the validity ends: ISO 8601 with offset.")] = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """See to it that unspent principal goes back when an allowance's validity ends (A6): once per allowance.

    Example: [cyan]aftersales open expiry --allowance A-1 --merchant m-1 --buyer b-1 --valid-until 2026-12-31T16:00Z[/]
    """
    body = {"allowance_id": allowance, "merchant_id": merchant, "buyer_id": buyer, "valid_until": valid_until}
    request = wording.read(ExpiryRequest, _text(file)) if file else wording.built(ExpiryRequest, _said(body))
    return asyncio.run(_open(request, lambda aftersales: aftersales.schedule_expiry(request), as_json))


async def _open(request: Request, start: Callable[[Aftersales], Awaitable[Case]], as_json: bool) -> int:
    async with service() as aftersales:
        case = await start(aftersales)
    key = getattr(request, "request_key", None)
    answer(
        as_json,
        {"case_id": case.id, "request_key": key},
        Text.assemble("opened ", (case.id, "bold")),
        Text(f"next: aftersales show {case.id}", style="dim"),
    )
    return 0


def _request(
    model: type[Any], body: dict[str, Any], file: Path | None, key: str | None, bank_account: str | None
) -> Any:
    """The request of a file, or of the options; without a key, with the key of its content."""
    if file:
        return wording.read(model, _text(file))
    if bank_account:
        body["method"] = {"route": "bank_transfer", "account": bank_account}
    said = _said(body)
    return wording.built(model, {**said, "request_key": key or wording.content_key(said)})


def _said(body: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in body.items() if value is not None}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {type(error).__name__}", "--from") from error
