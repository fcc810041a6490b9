"""What the commands that open a case have in common: their options, and what is made of them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict

from starter.client import Aftersales, Case
from starter.commands import wording
from starter.merchant_desk import Asked
from workflows.messages.statements import StatementText

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
    typer.Option(
        "--line", help="LINE:QUANTITY:AMOUNT, the amount in decimals of the order's currency; once for each line."
    ),
]
Freight = Annotated[str, typer.Option(help="Freight to pay back, in decimals.")]
BankAccount = Annotated[
    str | None,
    typer.Option(help="Pay to the account kept under this reference (vault:...), instead of the original route."),
]
Key = Annotated[
    str | None,
    typer.Option(help="The request's key: one key, one case. By default made of what is asked for."),
]
Evidence = Annotated[
    list[str] | None,
    typer.Option(help="An attachment: uri,media/type,bytes,sha256; several times, as many as the profile takes."),
]
EvidenceFile = Annotated[
    list[Path] | None, typer.Option(help="A local file to measure: its type, size and SHA-256 are the attachment.")
]
WordsFile = Annotated[
    Path | None,
    typer.Option(help="A file with what is to be said about it in words 申请说明: kept in the vault.", dir_okay=False),
]
Reason = Annotated[str, typer.Option(help="Why it is asked for: a code of the profile, such as damaged (G1).")]


class Words(BaseModel):
    """What is said about an application (R10)."""

    model_config = ConfigDict(hide_input_in_errors=True)

    words: StatementText


def worded(
    open_it: Callable[[Aftersales, Asked], Awaitable[Case]], file: Path | None
) -> Callable[[Aftersales, Asked], Awaitable[Case]]:
    """Open a request, and keep before what is said about it in words, if anything is (R10)."""
    if file is None:
        return open_it
    text = wording.built(Words, {"words": wording.text(file, "--words-file")}).words

    async def keep_and_open(aftersales: Aftersales, request: Asked) -> Case:
        return await open_it(aftersales, await aftersales.desk.in_words(request, text))

    return keep_and_open


def whose(order: str | None, merchant: str | None, buyer: str | None) -> dict[str, Any]:
    """Which order it is about, and whose that is."""
    return {"order_no": order, "merchant_id": merchant, "buyer_id": buyer}


def application_of(
    line: list[str] | None,
    freight: str,
    reason: str,
    evidence: list[str] | None,
    evidence_file: list[Path] | None,
) -> dict[str, Any]:
    """What is asked for, and why.

    Raises:
        UsageError: something is not typed as its option says.
    """
    return {
        "lines": wording.lines(line or []),
        "freight": wording.amount(freight, "--freight"),
        "reason": reason,
        "evidence": wording.evidence(evidence or [], evidence_file or []),
    }
