"""``aftersales open``: one sub-command for each kind of request."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from starter.client import Aftersales
from starter.commands import opening_goods, wording
from starter.commands.failures import Exit, UsageError
from starter.commands.opening_many import ManyRequests, open_all
from starter.commands.opening_options import (
    Allowance,
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
from starter.commands.reaching import service
from starter.commands.typed_request import Typed, open_directly, open_typed, said, text_of
from workflows.messages.requests import (
    DisputeReason,
    DisputeRequest,
    ExpiryRequest,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundReason,
    RefundRequest,
    WithdrawalRequest,
)

application = typer.Typer(rich_markup_mode="rich")
application.add_typer(opening_goods.application)


@application.callback(invoke_without_command=True)
def many(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Open the cases of a file of JSON Lines; - for standard input."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say which lines would be refused; open nothing.")
    ] = False,
    errors: Annotated[
        Path | None,
        typer.Option(help="Where refused lines are told of. By default FILE.errors.jsonl.", dir_okay=False),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="How many cases are being opened at a time.")] = 16,
    again: Annotated[bool, typer.Option("--again", help="Ask for lines again that were opened before.")] = False,
    as_json: Json = False,
) -> int:
    r"""Open a case, or all cases of a file. Amounts are decimals here (72.00); in JSON files minor units (7200).

    A file has one request a line: the fields of its kind of request, and beside them [cyan]request[/], which is one of
    the words below:

    [cyan]{"request": "refund", "request_key": "k-1", "order_no": "O-1", "merchant_id": "m-1", "buyer_id": "b-1",
    "lines": \[{"line": "L1", "quantity": 1, "amount": 7200}], "reason": "damaged"}[/]

    What is refused stands in FILE.errors.jsonl, by the number of its line: code, field, rule, explanation. Mend these
    lines in FILE and run the same again: FILE.opened remembers which lines are open, also when a run was killed, and
    a request key is one case, however often it is asked for. Exit code 0 once all lines are open, 1 while some are
    refused.

    Example: [cyan]aftersales open --from requests.jsonl --check[/]
    """
    if context.invoked_subcommand:
        if source or check or errors or again or as_json:
            raise UsageError(f"options of {context.invoked_subcommand} stand behind it")
        return Exit.OK
    if source is None:
        raise UsageError("what is to be opened? One of the words of `aftersales open --help`, or a file", "--from")
    file = None if source == "-" else Path(source)
    beside = file.with_name(f"{file.name}.errors.jsonl") if file else Path("stdin.errors.jsonl")
    return open_all(ManyRequests(file, errors or beside, at_once, check, again, as_json))


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
    words_file: WordsFile = None,
    key: Key = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """A buyer asks for money back, no goods returned (R1 to R8). The order says which rules apply.

    Example: [cyan]aftersales open refund --order O-1 --merchant m-1 --buyer b-1 --line L1:1:72.00[/]
    """
    body = whose(order, merchant, buyer) | application_of(line, freight, reason, evidence, evidence_file)
    typed = Typed(RefundRequest, body, file, key, bank_account)
    return asyncio.run(open_typed(typed, worded(Aftersales.open_refund, words_file), as_json))


@application.command("dispute")
def dispute(
    why: Annotated[DisputeReason, typer.Option("--why", help="Why the platform is to decide.")] = DisputeReason.OTHER,
    about: Annotated[
        str | None, typer.Option(metavar="CASE", help="The ended case that is disputed: whose it is, it knows itself.")
    ] = None,
    order: Order = None,
    merchant: Merchant = None,
    buyer: Buyer = None,
    line: Lines = None,
    freight: Freight = "0",
    compensation: Annotated[
        str | None,
        typer.Option(help="Of a claim for late shipment: all that is claimed, in decimals (L5)."),
    ] = None,
    reason: Reason = RefundReason.OTHER,
    bank_account: BankAccount = None,
    evidence: Evidence = None,
    evidence_file: EvidenceFile = None,
    key: Key = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """A buyer asks the platform to decide on an ended case, or on an order without one (D1).

    The lines, or the compensation, say what the buyer claims to have in all. An open case is disputed by
    [cyan]act CASE open_dispute[/].

    Example: [cyan]aftersales open dispute --about refund/O-1/k-1 --why amount_too_low --line L1:1:72.00[/]
    """
    body = whose(order, merchant, buyer) | application_of(line, freight, reason, evidence, evidence_file)
    body |= {"about": about, "dispute_reason": why}
    body["compensation"] = None if compensation is None else wording.amount(compensation, "--compensation")
    if about and None in (order, merchant, buyer):
        body = asyncio.run(_whose_case(about)) | said(body)
    typed = Typed(DisputeRequest, body, file, key, bank_account)
    return asyncio.run(open_typed(typed, Aftersales.open_dispute, as_json))


@application.command("late-shipment")
def late_shipment(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The number of an order that has been paid.")],
    as_json: Json = False,
) -> int:
    """See to it that late shipment of an order is compensated (L1): once per order, to be done when it is paid.

    Example: [cyan]aftersales open late-shipment O-1[/]
    """
    return asyncio.run(open_directly(lambda aftersales: aftersales.order_paid(order), as_json))


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
    typed = Typed(MerchantRefundRequest, body, file, key, bank_account)
    return asyncio.run(open_typed(typed, Aftersales.open_merchant_refund, as_json))


@application.command("price-protection")
def price_protection(
    order: Order = None,
    merchant: Merchant = None,
    buyer: Buyer = None,
    line: Lines = None,
    price: Annotated[
        list[str] | None,
        typer.Option("--price", help="LINE:PRICE, what a piece costs now, in decimals; once for each line."),
    ] = None,
    fell_at: Annotated[str | None, typer.Option(help="Since when: ISO 8601 with offset.")] = None,
    evidence: Evidence = None,
    evidence_file: EvidenceFile = None,
    key: Key = None,
    file: From = None,
    as_json: Json = False,
) -> int:
    """A buyer wants back what the price of bought goods has fallen by 保价 (B1 to B3).

    Example: [cyan]aftersales open price-protection --order O-1 --merchant m-1 --buyer b-1 --line L1:2:20.00
    --price L1:90.00 --fell-at 2026-11-11T00:00+08:00[/]
    """
    body = whose(order, merchant, buyer) | {
        "lines": wording.lines(line or []),
        "falls": [{**each, "fell_at": fell_at} for each in wording.prices(price or [])],
        "evidence": wording.evidence(evidence or [], evidence_file or []),
    }
    return asyncio.run(
        open_typed(Typed(PriceProtectionRequest, body, file, key), Aftersales.open_price_protection, as_json)
    )


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
    return asyncio.run(open_typed(Typed(WithdrawalRequest, body, file, key), Aftersales.open_withdrawal, as_json))


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
    request = wording.read(ExpiryRequest, text_of(file)) if file else wording.built(ExpiryRequest, said(body))
    return asyncio.run(open_directly(lambda aftersales: aftersales.schedule_expiry(request), as_json))


async def _whose_case(identifier: str) -> dict[str, Any]:
    """The order of a case, and whose it is."""
    async with service() as aftersales:
        view = await aftersales.case(identifier).view()
    return whose(view.order_no, view.merchant_id, view.buyer_id)
