"""``aftersales http``: the service that takes callbacks and orders and shows events, and tokens for it."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.text import Text
from temporalio.runtime import Runtime

from activities.postgres.pool import open_pool
from starter.access_tokens import Unauthenticated, UnusableKey
from starter.adapters import HttpAdapters
from starter.client import connected
from starter.commands import wording
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer, answer_unwrapped, json_line
from starter.commands.stopping import told_to_stop
from starter.connection import discover
from starter.http_service import HttpService, HttpServiceSettings, Role, minted, running
from starter.http_service.configuration import development_secret
from starter.http_service.health import ServiceHealth
from starter.logs import to_standard_error
from starter.settings import Settings, load_settings
from starter.telemetry import exported
from starter.vault import key_provider
from starter.worker.health import State, answering

http = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="The HTTP service: callbacks of providers, orders and their changes, the feed of events (X2, X3, X4).",
)


@http.command("serve")
def serve(as_json: Json = False) -> int:
    """Run the HTTP service until SIGTERM or Ctrl-C. What was taken by then is kept, and worked on by the next one.

    Example: [cyan]aftersales http serve[/]
    """
    with exported():
        asyncio.run(_serve(load_settings(), as_json))
    return Exit.OK


@http.command("token")
def token(
    role: Annotated[Role, typer.Option(help="What its bearer may do.")],
    subject: Annotated[str, typer.Option("--as", help="Who its bearer is: the id of a system, no personal name.")],
    lifetime: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long it counts: 30m, 24h.")] = "1h",
    as_json: Json = False,
) -> int:
    """Make a token for the HTTP service, where these are signed under a secret. Whoever has it may use it.

    Example: [cyan]aftersales http token --role orders --as shop[/]
    """
    length = wording.duration(lifetime)
    service = asyncio.run(_settings(load_settings()))
    if service.token_secret is None:
        raise UsageError(
            "tokens come from the identity provider whose public key is set", "AFTERSALES_HTTP_TOKEN_PUBLIC_KEY"
        )
    if length > service.longest_token:
        raise UsageError(f"{service.longest_token_hours} hours at most", "--for")
    made = minted(service, role, subject, length)
    try:
        service.tokens().claims(made)
    except Unauthenticated as error:
        raise UsageError(str(error), "--as") from error
    document = {"token": made, "role": role, "subject": subject, "until": datetime.now(UTC) + length}
    answer_unwrapped(as_json, document, made)
    return Exit.OK


async def _serve(settings: Settings, as_json: bool) -> None:
    to_standard_error(settings.log_level, settings.log_format)
    stop = told_to_stop()
    told = await _settings(settings)
    url = discover(settings).database_url
    health = ServiceHealth(url)
    async with (
        answering(health, settings.health_listen),
        await open_pool(url, max_size=settings.database_pool_size, application_name="aftersales-http") as pool,
        await open_pool(url, max_size=2, application_name="aftersales-stubs") as outside,
        # Temporal may be away: what comes is kept, and handed on once it is back.
        connected(settings, lazy=True) as aftersales,
        AsyncExitStack() as stack,
    ):
        adapters = await HttpAdapters.opened(settings, stack, outside)
        service = HttpService(
            told,
            pool,
            aftersales.vault,
            aftersales,
            adapters.payments,
            adapters.carriers,
            meter=Runtime.default().metric_meter,
            orders=adapters.orders,
        )
        async with running(service) as address:
            health.state = State.RUNNING
            if as_json:
                json_line({"status": "up", "http": address})
            else:
                answer(False, None, Text(f"HTTP service on {address}; Ctrl-C stops it", style="bold green"))
            await stop.wait()
            health.state = State.DRAINING


async def _settings(settings: Settings) -> HttpServiceSettings:
    """As the settings say; in development the token secret follows from the key ring unless one is set.

    Raises:
        UsageError: production has no way to know tokens, or a setting is wrong.
    """
    host, _, port = settings.http_listen.rpartition(":")
    secret, public_key = settings.http_token_secret, settings.http_token_public_key
    if secret is None and public_key is None:
        if not settings.development:
            raise UsageError("AFTERSALES_HTTP_TOKEN_PUBLIC_KEY or AFTERSALES_HTTP_TOKEN_SECRET must be set")
        secret = await development_secret(key_provider(settings))
    try:
        service = HttpServiceSettings(
            host=host,
            port=int(port),
            token_secret=secret,
            token_public_key=public_key,
            issuer=settings.http_token_issuer,
            audience=settings.http_token_audience,
            longest_token_hours=settings.http_token_hours,
            proxies=settings.http_proxies,
        )
    except ValidationError as error:
        problems = [each["msg"].removeprefix("Value error, ") for each in error.errors(include_input=False)]
        raise UsageError("; ".join(problems), "AFTERSALES_HTTP_...") from None
    try:
        service.tokens()
    except UnusableKey as error:
        raise UsageError(str(error), "AFTERSALES_HTTP_TOKEN_PUBLIC_KEY") from None
    return service
