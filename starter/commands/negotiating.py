"""``aftersales propose``, ``say`` and ``thread``: both sides of a case talk before one of them decides (N1 to N5)."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.text import Text

from starter.client import Aftersales
from starter.commands import acting, viewing, wording
from starter.commands.failures import UsageError
from starter.commands.log_lines import thread_table
from starter.commands.opening_options import Evidence, EvidenceFile, WordsFile
from starter.commands.printing import Json, answer, in_words
from starter.commands.reaching import service
from starter.commands.typed_request import DEFAULT_CURRENCY, MOST_PLACES
from starter.commands.viewing import CaseId
from starter.commands.words_file import WordsToKeep
from workflows.messages.actors import Actor
from workflows.messages.commands import Propose, Say
from workflows.messages.proposals import ProposalKind
from workflows.messages.statements import Purpose, WriteStatement
from workflows.messages.threads import ThreadItem

By = Annotated[str, typer.Option("--as", help="Who speaks: buyer:b-1, merchant:m-1, platform:o-1.")]
Key = Annotated[str | None, typer.Option(help="One key, one command, however often it is sent. By default a new one.")]


def propose(
    case: CaseId,
    terms: Annotated[ProposalKind, typer.Argument(metavar="TERMS", help="What is proposed.")],
    by: By,
    line: Annotated[
        list[str] | None, typer.Option("--line", help="LINE:QUANTITY:AMOUNT, the amount in decimals.")
    ] = None,
    freight: Annotated[str | None, typer.Option(help="Freight beside the lines, in decimals.")] = None,
    amount: Annotated[str | None, typer.Option(help="Of a compensation, in decimals.")] = None,
    piece: Annotated[list[str] | None, typer.Option("--piece", help="LINE:QUANTITY to be sent again.")] = None,
    wanted: Annotated[str | None, typer.Option(help="Of more proof: a code, such as photo_of_the_label.")] = None,
    words: Annotated[
        str | None, typer.Option(help="What was written with it: statement:..., or see --words-file.")
    ] = None,
    words_file: WordsFile = None,
    key: Key = None,
    as_json: Json = False,
) -> int:
    """Propose another way to the other side; it takes the place of your open proposal (N1).

    It is answered with accept_proposal or decline_proposal and its number; unanswered it lapses (N2).

    [cyan]aftersales propose return/O-1/k-1 keep_goods --as merchant:m-1 --line 1:1:11.80[/]

    [cyan]aftersales act return/O-1/k-1 accept_proposal --as buyer:b-1 --number 1[/]
    """
    said: dict[str, Any] = {"kind": terms}
    if line:
        said["lines"] = wording.lines(line)
    if freight:
        said["freight"] = wording.amount(freight, "--freight")
    if amount:
        said["amount"] = wording.amount(amount, "--amount")
    if piece:
        said["pieces"] = [wording.quantity(each, "--piece") for each in piece]
    if wanted:
        said["wanted"] = wanted
    body = {"key": key or _new_key(), "by": wording.actor(by), "terms": said, **({"words": words} if words else {})}
    to_keep = WordsToKeep(words_file, Propose, body, case) if words_file else None
    acting.made(Propose, body, MOST_PLACES)
    return asyncio.run(_propose(case, body, to_keep, as_json))


async def _propose(identifier: str, body: dict[str, Any], words: WordsToKeep | None, as_json: bool) -> int:
    async with service() as aftersales:
        case = aftersales.case(identifier)
        shown = await case.view()
        if shown.seen:  # R11
            body = {**body, "expects": shown.seen.model_dump()}
        if words:
            body = await words.kept(aftersales, body)
        currency = shown.asked.currency if shown.asked else DEFAULT_CURRENCY
        view = await case.act(acting.made(Propose, body, currency))
        answer(as_json, view, viewing.case_page(view, datetime.now(UTC)))
    return 0


def say(
    case: CaseId,
    by: By,
    file: Annotated[
        Path | None, typer.Option("--file", help="Where the words are; - for standard input.", allow_dash=True)
    ] = None,
    evidence: Evidence = None,
    evidence_file: EvidenceFile = None,
    key: Key = None,
    as_json: Json = False,
) -> int:
    """Leave words, pictures, or both for the other side; they stand in the thread of the case (N5).

    The words are read from a file or standard input, so that no shell remembers them; they are kept in the vault.

    [cyan]aftersales say refund/O-1/k-1 --as merchant:m-1 --file reply.txt[/]
    """
    actor = wording.actor(by)
    key = key or _new_key()
    text = None if file is None else wording.text(None if str(file) == "-" else file, "--file")
    pictures = wording.evidence(evidence or [], evidence_file or [])
    if text is None and not pictures:
        raise UsageError("say something: --file, --evidence or --evidence-file", "--file")
    wish = {"case_id": case, "by": actor, "text": text, "key": key, "purpose": Purpose.REPLY}
    statement = wording.built(WriteStatement, wish) if text is not None else None

    async def send() -> int:
        async with service() as aftersales:
            written = await aftersales.desk.write_statement(statement) if statement else None
            body = {"key": key, "by": actor, "evidence": pictures, "words": written.reference if written else None}
            view = await aftersales.case(case).act(wording.built(Say, body))
            answer(as_json, view, viewing.case_page(view, datetime.now(UTC)))
        return 0

    return asyncio.run(send())


def thread(
    case: CaseId,
    by: Annotated[
        str | None,
        typer.Option("--as", help="Whose words are read as: buyer:b-1, merchant:m-1, platform:o-1; it is recorded."),
    ] = None,
    as_json: Json = False,
) -> int:
    """What both sides and the platform have said and proposed, oldest first (N5).

    With --as the words themselves are shown, to whoever may read the case; each reading is recorded (P2).

    [cyan]aftersales thread refund/O-1/k-1 --as platform:o-1[/]
    """
    reader = wording.built(Actor, wording.actor(by or "platform:operator"))

    async def look() -> int:
        async with service() as aftersales:
            items = await aftersales.desk.thread(case, reader)
            words = await _words(aftersales, items, reader) if by else {}
            zone, currency = await viewing.zone_of(aftersales, case), await aftersales.currency_of(case)
        document = [{**each.model_dump(mode="json"), "text": words.get(each.words or "")} for each in items]
        nothing = Text("nothing has been said or proposed", style="dim")
        page = thread_table(items, words, zone, currency) if items else nothing
        answer(as_json, {"case_id": case, "thread": document}, page)
        return 0

    return asyncio.run(look())


async def _words(aftersales: Aftersales, items: Sequence[ThreadItem], reader: Actor) -> dict[str, str]:
    read = {each.words: await aftersales.desk.read_statement(each.words, reader) for each in items if each.words}
    return {reference: in_words(found.text) for reference, found in read.items() if found}


def _new_key() -> str:
    return f"cli-{uuid4().hex[:16]}"
