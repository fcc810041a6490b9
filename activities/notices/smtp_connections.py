"""Connections to a mail server, used again within bounds: greeting, encryption and login cost more than an e-mail.

What a server says is read within bounds too: the library bounds each line, and neither how many there are in a reply
nor how long one takes that comes letter by letter.
"""

import smtplib
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

IDLE_SECONDS: Final = 20.0
"""A connection that nobody uses for so long is closed: servers hang up on idle ones."""
MOST_MAILS: Final = 100
"""So many e-mails are sent over one connection: servers count them."""

_LONGEST_REPLY: Final = 64 * 1024
"""Bytes: real ones have some hundreds."""
_DONE: Final = 250


class Replies:
    """What a server says, by lines, in the place of the file that the library would make of the connection."""

    def __init__(self, connection: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._clock = clock
        self._held = b""
        self._until = 0.0
        self._left = 0

    def begin(self, seconds: float) -> None:
        """The next reply may take so long."""
        self._until, self._left = self._clock() + seconds, _LONGEST_REPLY

    def readline(self, longest: int) -> bytes:
        """The next line, or as much of it; what is left where the server has hung up.

        Raises:
            OSError: the reply takes too long, has no end, or the connection has broken.
        """
        while b"\n" not in self._held and len(self._held) < longest:
            wait = self._until - self._clock()
            if wait <= 0 or self._left <= 0:
                raise TimeoutError("the reply has no end")
            self._connection.settimeout(wait)
            told = self._connection.recv(4096)
            if not told:
                break
            self._held += told
            self._left -= len(told)
        line, end, _ = self._held.partition(b"\n")
        line = (line + end)[:longest]
        self._held = self._held[len(line) :]
        return line

    def close(self) -> None:
        """The connection is the library's to close."""


class BoundedSMTP(smtplib.SMTP):
    """A connection on which each reply comes whole within its time-out."""

    def getreply(self) -> tuple[int, bytes]:
        """See base class."""
        # pyright knows neither attribute; the library makes ``file`` at the first reply, and anew with encryption.
        mine: Any = self
        if mine.file is None:
            mine.file = Replies(mine.sock)
        mine.file.begin(mine.timeout)
        try:
            return super().getreply()
        finally:
            if mine.sock is not None:
                mine.sock.settimeout(mine.timeout)


class BoundedSMTPS(BoundedSMTP, smtplib.SMTP_SSL):
    """The same, encrypted from its beginning."""


@dataclass
class _Kept:
    server: smtplib.SMTP
    since: float
    mails: int


class Connections:
    """Gives a connection to each thread that asks; those that come back sound are given again."""

    def __init__(self, connect: Callable[[], smtplib.SMTP], clock: Callable[[], float] = time.monotonic) -> None:
        """``connect`` makes one; ``clock`` counts seconds."""
        self._connect = connect
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[_Kept] = []

    @contextmanager
    def one(self) -> Generator[smtplib.SMTP]:
        """A connection on which nothing is under way. An e-mail that is refused leaves it sound; all else closes it.

        Raises:
            smtplib.SMTPException, OSError: none can be made.
        """
        kept = self._sound() or _Kept(self._connect(), 0.0, 0)
        sound = False
        try:
            yield kept.server
            sound = True
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError):
            sound = True
            raise
        finally:
            kept.mails += 1
            if not sound:  # whoever does not answer is not asked to say good-bye
                kept.server.close()
            elif kept.mails >= MOST_MAILS:
                _closed(kept.server)
            else:
                kept.since = self._clock()
                with self._lock:
                    self._idle.append(kept)

    def close_idle(self, *, idle_seconds: float = IDLE_SECONDS) -> None:
        """Close what nobody has used for so long; with 0 seconds all that nobody uses."""
        before = self._clock() - idle_seconds
        with self._lock:
            old = [each for each in self._idle if each.since <= before]
            self._idle = [each for each in self._idle if each.since > before]
        for each in old:
            _closed(each.server)

    def _sound(self) -> _Kept | None:
        """One that was kept, and that the server still knows: asked before an e-mail, so that none is sent twice."""
        while True:
            self.close_idle()
            with self._lock:
                if not self._idle:
                    return None
                kept = self._idle.pop()
            try:
                if kept.server.rset()[0] == _DONE:
                    return kept
            except (smtplib.SMTPException, OSError):
                pass
            kept.server.close()


def _closed(server: smtplib.SMTP) -> None:
    with suppress(smtplib.SMTPException, OSError):
        server.quit()
    server.close()
