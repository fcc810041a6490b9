"""``aftersales statements`` and ``evidence``: what the parties of a dispute have to say."""

import asyncio
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.table import Table
from rich.text import Text

from starter.commands import wording
from starter.commands.failures import UsageError
from starter.commands.printing import CommandLine, Json, answer, in_words
from starter.commands.reaching import service
from starter.commands.viewing import CaseId, zone_of
from workflows.messages.actors import Actor, Role
from workflows.messages.money import Money
from workflows.messages.statements import GivenEvidence, Purpose, WriteStatement
from workflows.rules.local_time import local

statements = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Statements: what the parties write; in a case they are a reference (D6, D7).",
)


@statements.command("write")
def write(
    case: CaseId,
    by: Annotated[str, typer.Option("--as", help="Who writes: buyer:b-1, merchant:m-1, platform:o-1.")],
    file: Annotated[
        Path | None, typer.Option("--file", help="Where the text is; by default standard input.", dir_okay=False)
    ] = None,
    purpose: Annotated[
        Purpose, typer.Option("--for", help="reply: to the other side; evidence: for whoever decides, needs no time.")
    ] = Purpose.REPLY,
    key: Annotated[str | None, typer.Option(help="The same key is the same statement. By default a new one.")] = None,
    as_json: Json = False,
) -> int:
    """Write down what a case needs to know.

    A merchant's reply to the buyer in a dispute must name a concrete time, without vague words (D7).

    The text is read from a file or standard input, so that no shell remembers it.

    Example: [cyan]aftersales statements write dispute/refund/O-1/k-1/d1 --as merchant:m-1 --file reply.txt[/]
    """
    wish = wording.built(
        WriteStatement,
        {
            "case_id": case,
            "by": wording.actor(by),
            "text": wording.text(file, "--file"),
            "key": key or f"cli-{uuid4().hex[:16]}",
            "purpose": purpose,
        },
    )

    async def keep() -> int:
        async with service() as aftersales:
            written = await aftersales.desk.write_statement(wish)
        answer(
            as_json,
            {"case_id": case, "reference": written.reference, "key": wish.key, "at": written.at},
            Text.assemble("written ", (written.reference, "bold")),
            CommandLine(f"next: {_used(case, by, written.reference)}", style="dim"),
        )
        return 0

    return asyncio.run(keep())


def _used(case: str, by: str, reference: str) -> str:
    """The command that names a statement, for whoever wrote it: officers rule on evidence, and give none (D6)."""
    if by.startswith(f"{Role.PLATFORM}:"):
        return f"aftersales act {case} demand_evidence --as {by} --of merchant --wanted {reference}"
    return f"aftersales act {case} submit_evidence --as {by} --statement {reference}"


@statements.command("read")
def read(
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="The statement's: statement:...")],
    by: Annotated[str, typer.Option("--as", help="Who reads: buyer:b-1, merchant:m-1, platform:o-1; it is recorded.")],
    as_json: Json = False,
) -> int:
    """Show a statement's words, to whoever may read the case; each reading is recorded (P2).

    Example: [cyan]aftersales statements read statement:0123456789abcdef0123456789abcdef --as platform:o-1[/]
    """
    reader = wording.built(Actor, wording.actor(by))

    async def look() -> int:
        async with service() as aftersales:
            found = await aftersales.desk.read_statement(reference, reader)
            zone = await zone_of(aftersales, found.case_id) if found else None
        if found is None:
            raise UsageError(f"there is no statement {reference}", "REFERENCE")
        # A secret does not write itself; here it is shown to whoever may read it.
        words = in_words(found.text)
        who = Text(f"{found.by.role} {found.by.id} about {found.case_id}, {local(found.at, zone)}", style="dim")
        answer(as_json, found.model_dump(mode="json") | {"text": words if found.text else None}, who, Text(words))
        return 0

    return asyncio.run(look())


def evidence(case: CaseId, as_json: Json = False) -> int:
    """All evidence of a dispute 举证, oldest first; what was replaced or came late is marked as such (D6).

    Example: [cyan]aftersales evidence dispute/refund/O-1/k-1/d1[/]
    """

    async def look() -> int:
        async with service() as aftersales:
            given = await aftersales.desk.evidence(case)
            if not given:
                await aftersales.case(case).log()  # an unknown case is an error, one without evidence is not
            zone = await zone_of(aftersales, case)
        answer(as_json, {"case_id": case, "evidence": given}, givings_table(given, zone=zone))
        return 0

    return asyncio.run(look())


def givings_table(given: tuple[GivenEvidence, ...], title: str = "evidence", zone: str | None = None) -> Table:
    """What the parties gave, oldest first."""
    table = Table("no.", "when", "by", "standing", "attachments", "statement", "amount", title=title)
    for each in given:
        table.add_row(*_giving(each, zone))
    return table


def _giving(each: GivenEvidence, zone: str | None) -> tuple[Any, ...]:
    amount = str(Money(amount=each.amount, currency=each.currency)) if each.amount is not None and each.currency else ""
    replaced = f" by {each.replaced_by}" if each.replaced_by else ""
    attachments = "\n".join(attachment.uri for attachment in each.attachments)
    by = f"{each.by.role} {each.by.id}"
    return str(each.seq), local(each.at, zone), by, each.standing + replaced, attachments, each.statement or "", amount
