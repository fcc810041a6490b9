"""Notices as e-mails, by SMTP."""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Final, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.notices.channels import Channel, ChannelName, ChannelUnavailable, NoticeRefused, OutgoingNotice
from activities.notices.smtp_connections import IDLE_SECONDS, BoundedSMTP, BoundedSMTPS, Connections

_SECONDS: Final = 4.0
"""Of each exchange; the sender gives a channel five in all."""
_AT_ONCE: Final = 4
_PERMANENT: Final = range(500, 600)


class SmtpSettings(BaseSettings):
    """Which server takes e-mails, and as whom we send them."""

    model_config = SettingsConfigDict(env_prefix="AFTERSALES_SMTP_", hide_input_in_errors=True, env_ignore_empty=True)

    host: str = Field(description="The server that takes e-mails.")
    port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    sender: str = Field(pattern=r"^[^\s<>@]+@[^\s<>@]+$", description="The address that e-mails come from.")
    encryption: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is encrypted: `starttls`, `tls` or `none`."
    )
    user: str | None = Field(default=None, description="As whom to log in; nobody without it.")
    password: SecretStr | None = Field(default=None, description="The password of that user.")


class SmtpChannel:
    """Sends each notice as an e-mail of its own, over connections that are used again for a while.

    An e-mail whose answer was lost is sent again, for SMTP knows no key; ``dedup_key`` is in its Message-ID, by which
    mail programs see repeats.
    """

    wants_address: Final = True
    settings = SmtpSettings

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._turns = asyncio.Semaphore(_AT_ONCE)
        # Not the threads of all: whoever waits for a mail server that is slow keeps one, also when given up.
        self._threads = ThreadPoolExecutor(_AT_ONCE, "smtp")
        self._connections = Connections(self._connected)
        self._closing: asyncio.TimerHandle | None = None

    async def ping(self) -> str:
        """Greet the server, and log in."""
        async with self._turns:
            await self._in_thread(self._greet)
        return f"{self._settings.host} takes e-mails"

    async def send(self, message: OutgoingNotice) -> None:
        """See ``Channel``."""
        if message.address is None:
            raise ChannelUnavailable("no_address")
        try:
            mail = composed(message, self._settings.sender, message.address.get_secret_value())
        except ValueError:
            raise NoticeRefused("malformed_address") from None
        async with self._turns:
            try:
                await self._in_thread(lambda: self._send(mail))
            finally:
                self._close_later()

    def _close_later(self) -> None:
        """Let go of connections once nobody sends any more."""
        loop = asyncio.get_running_loop()
        if self._closing:
            self._closing.cancel()
        self._closing = loop.call_later(
            IDLE_SECONDS, lambda: loop.run_in_executor(self._threads, self._connections.close_idle)
        )

    async def close(self) -> None:
        """Let go of all connections that no e-mail is under way on."""
        if self._closing:
            self._closing.cancel()
        await self._in_thread(lambda: self._connections.close_idle(idle_seconds=0))
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, do: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, do)

    def _greet(self) -> None:
        with self._connections.one():
            pass

    def _send(self, mail: EmailMessage) -> None:
        # What a server says of an address may quote it: only its number goes on.
        try:
            with self._connections.one() as server:
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            refused = NoticeRefused if all(code in _PERMANENT for code in codes) else ChannelUnavailable
            raise refused("address_refused") from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            refused = NoticeRefused if error.smtp_code in _PERMANENT else ChannelUnavailable
            raise refused("mail_refused") from None
        except (smtplib.SMTPException, OSError, ValueError):  # the last of a log-in that nobody can read
            raise ChannelUnavailable from None

    def _connected(self) -> smtplib.SMTP:
        of = self._settings
        encrypted = ssl.create_default_context()
        if of.encryption == "tls":
            server: smtplib.SMTP = BoundedSMTPS(of.host, of.port, timeout=_SECONDS, context=encrypted)
        else:
            server = BoundedSMTP(of.host, of.port, timeout=_SECONDS)
        try:
            if of.encryption == "starttls":
                server.starttls(context=encrypted)
            if of.user is not None and of.password is not None:
                server.login(of.user, of.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def composed(message: OutgoingNotice, sender: str, to: str) -> EmailMessage:
    """The e-mail of a notice.

    Raises:
        ValueError: the address or the subject would add a line to the head.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = message.subject
    mail["Date"] = formatdate(usegmt=True)
    mail["Message-ID"] = f"<{message.dedup_key}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html")
    return mail


def smtp() -> AbstractAsyncContextManager[Mapping[ChannelName, Channel]]:
    """E-mail by SMTP, as its settings have it."""
    return _opened(SmtpSettings())  # pyright: ignore[reportCallIssue] -- from the environment


@asynccontextmanager
async def _opened(settings: SmtpSettings) -> AsyncGenerator[Mapping[ChannelName, Channel]]:
    channel = SmtpChannel(settings)
    try:
        yield {ChannelName.E_MAIL: channel}
    finally:
        await channel.close()


smtp.settings = SmtpSettings  # pyright: ignore[reportFunctionMemberAccess] -- by which misspelt variables are found
