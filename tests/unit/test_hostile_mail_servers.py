"""X1, P6: whatever a mail server says, an e-mail is sent, is refused, or is to be sent again; nobody waits for ever.

A server that never ends its reply keeps none but the threads that wait for mail servers.
"""

import asyncio
import logging
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from pydantic import SecretStr

from activities.notices import smtp
from activities.notices.channels import ChannelName, ChannelUnavailable, NoticeRefused, OutgoingNotice
from activities.notices.smtp import SmtpChannel, SmtpSettings
from activities.notices.smtp_connections import Replies
from tests.patience import PATIENCE
from tests.proofs.hostile_answers import ENOUGH, Piece, serving
from tests.proofs.hostile_values import MARK
from workflows.messages.actors import buyer
from workflows.messages.cases import NoticeTemplate

INPUTS: Final = int(os.environ.get("PROOFS_INPUTS", "42"))
AT_ONCE: Final = 6
NOTICE: Final = OutgoingNotice(
    dedup_key="n-1",
    channel=ChannelName.E_MAIL,
    recipient=buyer("b-1"),
    template=NoticeTemplate.CASE_CLOSED,
    language="en",
    text="closed",
    subject="closed",
    address=SecretStr("a@example.com"),
)
USUAL: Final = {
    b"": b"220 here\r\n",
    b"EHLO": b"250-here\r\n250-SIZE 1\r\n250-AUTH CRAM-MD5 LOGIN PLAIN\r\n250 8BITMIME\r\n",
    b"AUTH": b"334 " + b"Zm9v\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
CODES: Final = (200, 220, 250, 252, 334, 354, 421, 450, 451, 500, 503, 535, 550, 552, 554, 999, 0)
LAST: Final = (
    "",
    " ",
    " ok",
    "-",
    "- more",
    f" {MARK} <a@example.com>",
    " \x00",
    " =?=",
    " 你好",
    "-250",
    " " + "x" * 9_000,
)


def odd_reply(dice: random.Random, line: bytes) -> Iterator[Piece]:
    """What is said to a line; mostly what a server says that takes e-mails."""
    usual = USUAL.get(line[:4].upper().strip(), b"250 ok\r\n")
    match dice.randrange(24):
        case 0:
            yield f"{dice.choice(CODES)}{dice.choice(LAST)}\r\n".encode()
        case 1:
            yield from [b"250-more\r\n" * 1_000] * (ENOUGH // 10_000)
        case 2:
            yield from [b"2" * 65_536] * (ENOUGH // 65_536)
        case 3:
            yield dice.randbytes(200) + b"\r\n"
        case 4:
            yield from (piece for letter in usual * 50 for piece in (bytes([letter]), 0.1))
        case 5:
            yield 30.0
        case 6:
            yield b"\r\n" + usual
        case 7:
            yield usual[:2]
        case 8:
            yield usual * 3
        case _:
            yield usual


@pytest.mark.parametrize("user", [None, "u"])
async def test_whatever_a_mail_server_says(
    user: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    monkeypatch.setattr(smtp, "_SECONDS", 0.2)
    dice, told = random.Random(f"mail {user}"), Counter[str]()

    async def send(channel: SmtpChannel) -> None:
        try:
            await asyncio.wait_for(channel.send(NOTICE), PATIENCE)
        except (NoticeRefused, ChannelUnavailable) as error:
            told[error.code] += 1
        else:
            told["sent"] += 1

    async with serving(lambda line: odd_reply(dice, line), greets=True) as (port, sent):
        channel = SmtpChannel(
            SmtpSettings.model_validate(
                {"host": "127.0.0.1", "port": port, "sender": "s@example.com", "encryption": "none"}
                | ({"user": user, "password": "p"} if user else {})
            )
        )
        for _ in range(0, INPUTS, AT_ONCE):
            await asyncio.gather(*(send(channel) for _ in range(AT_ONCE)))
        await asyncio.wait_for(channel.close(), PATIENCE)

    record_property("inputs", sum(told.values()))
    assert "channel_unavailable" in told, told
    assert user or "sent" in told, told
    assert set(told) <= {"sent", "channel_unavailable", "mail_refused", "address_refused"}, told
    assert sent.most < ENOUGH / 2, "it does not take in what has no end"
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING or MARK in each.getMessage()]


async def test_who_waits_for_a_mail_server_keeps_nobody_elses_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "_SECONDS", 0.3)
    others: set[str] = set()
    started = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        others.add(thread.name)
        started(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    async with serving(lambda _: iter([30.0]), greets=True) as (port, _):
        channel = SmtpChannel(
            SmtpSettings.model_validate(
                {"host": "127.0.0.1", "port": port, "sender": "s@example.com", "encryption": "none"}
            )
        )
        with pytest.raises(ChannelUnavailable):
            await channel.send(NOTICE)
        await channel.close()

    assert {each.rpartition("_")[0] for each in others} == {"smtp"}


class Dripping:
    """A connection on which a letter comes a second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def settimeout(self, seconds: float) -> None:
        self.waits.append(seconds)

    def recv(self, _: int) -> bytes:
        self.now += 1
        return b"2"


def test_a_reply_that_comes_letter_by_letter_is_given_up_on_time() -> None:
    connection = Dripping()
    replies = Replies(connection, lambda: connection.now)  # type: ignore[arg-type]
    replies.begin(4)

    with pytest.raises(TimeoutError):
        replies.readline(8_193)

    assert connection.waits == [4, 3, 2, 1]
