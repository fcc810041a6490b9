"""``aftersales attachments``: keep the content of a piece of evidence, and read it (D6)."""

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from starter.commands import wording
from starter.commands.export_files import private
from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.commands.viewing import CaseId
from workflows.messages.actors import Actor
from workflows.messages.evidence import MAX_ATTACHMENT_BYTES, Evidence, MediaType
from workflows.rules.media_types import is_of_type

attachments = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Contents of evidence 凭证, kept sealed, read with a record (D6).",
)

Subject = Annotated[str, typer.Option("--at", help="The order's number, for a request; or the case's id.")]


@attachments.command("upload")
def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The picture, film or document.", dir_okay=False)],
    subject: Subject,
    media_type: Annotated[
        MediaType | None, typer.Option("--type", help="What it is; by default what it begins like.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="The same key and content is the same attachment. By default its SHA-256.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Keep a file as evidence, and print what [cyan]--evidence[/] takes: its reference, type, size and SHA-256.

    It is sealed under the key of the buyer; its size and type are checked. Only cases of that order can name it.

    Example: [cyan]aftersales attachments upload lid.jpg --at DY-1001[/]
    """
    content = _content(file)
    kind = media_type or _type_of(content)
    name = key or f"cli-{hashlib.sha256(content).hexdigest()[:32]}"

    async def keep() -> int:
        async with service() as aftersales:
            kept = await aftersales.privacy.keep_attachment(subject, name, kind, content)
        text = ",".join((kept.uri, kept.media_type, str(kept.bytes), kept.sha256))
        answer(as_json, kept.model_dump(mode="json") | {"evidence": text}, _page(kept))
        if not as_json:
            # Not through the page's console: what is wrapped cannot be copied.
            typer.echo(f"--evidence {text}")
        return 0

    return asyncio.run(keep())


@attachments.command("download")
def download(
    case: CaseId,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="Of the case's evidence: vault:evidence/...")],
    by: Annotated[str, typer.Option("--as", help="Who reads it: merchant:m-1, buyer:b-1, or platform:o-1.")],
    file: Annotated[Path, typer.Option("--file", help="Where to, for its owner only; a new file.", dir_okay=False)],
    why: Annotated[str, typer.Option(help="Why, for the record: a code.")] = "evidence",
    as_json: Json = False,
) -> int:
    """Read an attachment of a case, for its merchant, its buyer or the platform; each reading is recorded (P2).

    Example: [cyan]aftersales attachments download refund/O-1/k-1 vault:evidence/... --as platform:o-1 --file lid.jpg[/]
    """
    reader = wording.built(Actor, wording.actor(by))
    if file.exists():
        raise UsageError("exists already: name a new file", "--file")

    async def read() -> int:
        async with service() as aftersales:
            content = await aftersales.privacy.read_attachment(case, reference, reader, why=why)
        if content is None:
            raise UsageError("nothing is kept under it in this case, or it was forgotten", "REFERENCE")
        with private(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, "--file") as output:
            output.write(content)
        digest = hashlib.sha256(content).hexdigest()
        document = {"file": str(file), "bytes": len(content), "sha256": digest}
        answer(as_json, document, Text(f"{len(content)} bytes in {file}, SHA-256 {digest}"))
        return 0

    return asyncio.run(read())


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_ATTACHMENT_BYTES:
            raise UsageError(f"is larger than {MAX_ATTACHMENT_BYTES} bytes", "FILE")
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", "FILE") from error


def _type_of(content: bytes) -> MediaType:
    """What it begins like.

    Raises:
        UsageError: it is none of the types that are taken.
    """
    found = next((each for each in MediaType if is_of_type(content, each)), None)
    if found is None:
        raise UsageError(f"must be a file of one of these types: {', '.join(MediaType)}", "FILE")
    return found


def _page(kept: Evidence) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in (("reference", kept.uri), ("type", kept.media_type), ("bytes", str(kept.bytes))):
        table.add_row(name, Text(value))
    table.add_row("SHA-256", Text(kept.sha256))
    return table
