"""``aftersales codec``: the codec server by itself, and tokens for it."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.text import Text

from activities.postgres.pool import open_pool
from starter.codec_server import (
    CodecServerSettings,
    NotAllowed,
    Role,
    Unauthenticated,
    UnusableKey,
    development_settings,
    minted,
    running,
)
from starter.commands import wording
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer, answer_unwrapped, json_line
from starter.commands.stopping import told_to_stop
from starter.connection import discover, temporal_config
from starter.logs import to_standard_error
from starter.settings import Settings, load_settings
from starter.stack.state_folder import Embedded, StateFolder
from starter.vault import key_provider, opened_vault
from workflows.rules.bilingual import Language, speak

codec = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="The codec server, by which the Web UI and Temporal's command line read what is encrypted (P6).",
)


@codec.command("token")
def token(
    role: Annotated[Role, typer.Option(help="As what its bearer asks.")],
    subject: Annotated[str, typer.Option("--as", help="Who its bearer is: an id, no personal name.")],
    lifetime: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long it counts: 30m, 8h.")] = "30m",
    reason: Annotated[str | None, typer.Option(help="Why an auditor looks; stands beside each recorded look.")] = None,
    as_json: Json = False,
) -> int:
    """Make a token for the codec server. Whoever has it may use it.

    The Web UI takes it as part of the endpoint (the glasses at the top right, "Use my browser setting");
    Temporal's command line as [cyan]--codec-endpoint URL --codec-auth "Bearer TOKEN"[/].

    Example: [cyan]aftersales codec token --role auditor --as a-17 --reason "complaint 4711" --for 30m[/]
    """
    if (role is Role.AUDITOR) != bool(reason and reason.strip()):
        raise UsageError("an auditor says why, and nobody else does", "--reason")
    settings = load_settings()
    length = wording.duration(lifetime)
    server = asyncio.run(_server(settings))
    if server.token_secret is None:
        raise UsageError(
            "tokens come from the identity provider whose public key is set", "AFTERSALES_CODEC_TOKEN_PUBLIC_KEY"
        )
    if length > server.longest_token:
        raise UsageError(f"{server.longest_token_hours} hours at most", "--for")
    made = minted(
        server.token_secret.get_secret_value(),
        server.issuer,
        server.audience,
        role=role,
        subject=subject,
        lifetime=length,
        reason=reason,
    )
    try:
        server.tokens().caller(made)
    except Unauthenticated as error:
        raise UsageError(str(error), "--as") from error
    except NotAllowed as error:
        raise UsageError(str(error), "--reason") from error
    address = (StateFolder(settings.state_dir.resolve()).published() or Embedded()).codec_address
    document = {
        "token": made,
        "endpoint": f"{address}/as/{made}" if address else None,
        "role": role,
        "subject": subject,
        "until": datetime.now(UTC) + length,
    }
    facts = [("token", made)]
    if address:
        facts += [("codec server", address), ("endpoint with it", f"{address}/as/{made}")]
    answer_unwrapped(as_json, document, "\n".join(f"{name:<16}  {value}" for name, value in facts))
    return Exit.OK


@codec.command("serve")
def serve(as_json: Json = False) -> int:
    """Run the codec server until SIGTERM or Ctrl-C. [cyan]aftersales up[/] runs one by itself.

    Example: [cyan]aftersales codec serve[/]
    """
    asyncio.run(_serve(load_settings(), as_json))
    return Exit.OK


async def _serve(settings: Settings, as_json: bool) -> None:
    to_standard_error(settings.log_level, settings.log_format)
    stop = told_to_stop()
    server = await _server(settings)
    speak(Language(settings.operators_language))
    url = discover(settings).database_url
    async with (
        await open_pool(url, max_size=settings.database_pool_size, application_name="aftersales-codec") as pool,
        opened_vault(settings, url) as vault,
        running(server, key_provider(settings), pool, vault) as address,
    ):
        if as_json:
            json_line({"status": "up", "codec": address})
        else:
            answer(False, None, Text(f"codec server on {address}; Ctrl-C stops it", style="bold green"))
        await stop.wait()


async def _server(settings: Settings) -> CodecServerSettings:
    """As the settings say; in development the token secret follows from the key ring unless one is set.

    Raises:
        UsageError: production has no way to know tokens, or a setting is wrong.
    """
    host, _, port = settings.codec_listen.rpartition(":")
    published = StateFolder(settings.state_dir.resolve()).published() or Embedded()
    derived = await development_settings(
        key_provider(settings),
        port=int(port),
        namespace=temporal_config(settings).get("namespace", "default"),
        ui_address=published.ui_address,
    )
    secret, public_key = settings.codec_token_secret, settings.codec_token_public_key
    if secret is None and public_key is None:
        if not settings.development:
            raise UsageError("AFTERSALES_CODEC_TOKEN_PUBLIC_KEY or AFTERSALES_CODEC_TOKEN_SECRET must be set")
        secret = derived.token_secret
    origins = (settings.codec_ui_origins or "").replace(" ", "")
    try:
        server = CodecServerSettings(
            host=host,
            port=int(port),
            namespaces=derived.namespaces,
            ui_origins=tuple(origins.split(",")) if origins else derived.ui_origins,
            token_secret=secret,
            token_public_key=public_key,
            issuer=settings.codec_token_issuer,
            audience=settings.codec_token_audience,
            longest_token_hours=settings.codec_token_hours,
            reveals_per_hour=settings.reveals_per_hour,
        )
    except ValidationError as error:
        problems = [each["msg"].removeprefix("Value error, ") for each in error.errors(include_input=False)]
        raise UsageError("; ".join(problems), "AFTERSALES_CODEC_...") from None
    try:
        server.tokens()
    except UnusableKey as error:
        raise UsageError(str(error), "AFTERSALES_CODEC_TOKEN_PUBLIC_KEY") from None
    return server
