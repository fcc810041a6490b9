"""Connections to a mail server are used again within bounds, and never where it is not known what became of them."""

import smtplib

import pytest

from activities.notices.smtp_connections import IDLE_SECONDS, MOST_MAILS, Connections


class Server(smtplib.SMTP):
    """One that is connected to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []
        self.knows_us = True

    def rset(self) -> tuple[int, bytes]:
        return (250, b"") if self.knows_us else (421, b"")

    def quit(self) -> tuple[int, bytes]:
        self.ended.append("quit")
        return 221, b""

    def close(self) -> None:
        self.ended.append("closed")


class Bench:
    def __init__(self) -> None:
        self.made: list[Server] = []
        self.now = 0.0
        self.connections = Connections(self._connect, lambda: self.now)

    def _connect(self) -> Server:
        self.made.append(Server())
        return self.made[-1]

    def use(self, error: Exception | None = None) -> smtplib.SMTP:
        with self.connections.one() as server:
            if error:
                raise error
            return server


def test_one_is_used_again_until_it_is_idle_for_too_long() -> None:
    bench = Bench()
    first = bench.use()
    bench.now += IDLE_SECONDS - 1
    assert bench.use() is first
    bench.now += IDLE_SECONDS
    bench.connections.close_idle()
    assert bench.made[0].ended == ["quit", "closed"]
    assert bench.use() is not first


def test_one_sends_so_many_mails_and_is_let_go() -> None:
    bench = Bench()
    for _ in range(MOST_MAILS + 1):
        bench.use()
    assert [each.ended for each in bench.made] == [["quit", "closed"], []]


def test_two_at_once_have_one_each() -> None:
    bench = Bench()
    with bench.connections.one() as one, bench.connections.one() as other:
        assert one is not other
    assert len({id(bench.use()) for _ in range(5)}) == 1
    assert len(bench.made) == 2


@pytest.mark.parametrize("refused", [smtplib.SMTPDataError(554, b"no"), smtplib.SMTPSenderRefused(550, b"no", "x")])
def test_a_refusal_leaves_it_sound(refused: Exception) -> None:
    bench = Bench()
    with pytest.raises(type(refused)):
        bench.use(refused)
    bench.use()
    assert len(bench.made) == 1


@pytest.mark.parametrize("lost", [smtplib.SMTPServerDisconnected(), TimeoutError(), RuntimeError()])
def test_after_anything_else_it_is_closed_without_a_word(lost: Exception) -> None:
    bench = Bench()
    with pytest.raises(type(lost)):
        bench.use(lost)
    bench.use()
    assert [each.ended for each in bench.made] == [["closed"], []]


def test_one_that_the_server_knows_no_more_is_not_used() -> None:
    bench = Bench()
    bench.use()
    bench.made[0].knows_us = False
    assert bench.use() is bench.made[1]
    assert bench.made[0].ended == ["closed"]
