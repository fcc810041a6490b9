"""Cases that come by a clock, however long those before them take (open loop), and what each has met.

A call that gets no answer is sent again with the same key, as whoever uses the client must do; its time goes on. So a
latency counts from the moment at which the case was due, and nothing is left out because something else was slow.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from starter.client import Case
from starter.errors import Unanswered, Unreachable
from tests.proofs.chaos.ground import Ground
from tests.proofs.load.shop import Order
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve

Answer = TypeVar("Answer")

_SENT_AGAIN_AFTER: Final = 1.0
_GIVEN_UP_AFTER: Final = 3600.0


@dataclass
class Offered:
    """One case; moments are those of the monotonic clock."""

    order: Order
    due: float
    case: Case | None = None
    opening: float | None = None
    """Seconds from when it was due until its client knew that it is open."""
    sent: float | None = None
    command: float | None = None
    """Seconds from when the merchant approved until it knew."""
    again: int = 0
    """How often something had to be sent again."""


@dataclass
class Sample:
    """How far things were at a moment."""

    at: float
    offered: int
    decided: int
    ended: int


@dataclass
class Traffic:
    """Everything that was offered, and what becomes of it."""

    ground: Ground
    orders: Iterator[Order]
    think: float = 5.0
    """Seconds that a merchant looks at a case before it approves."""
    offered: list[Offered] = field(default_factory=list[Offered])
    samples: list[Sample] = field(default_factory=list[Sample])
    unexpected: list[str] = field(default_factory=list[str])
    met: Counter[str] = field(default_factory=Counter[str])
    """What clients were told instead of an answer."""
    _under_way: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    async def offer(self, rate: float, seconds: float, enough: Callable[[], bool] = lambda: False) -> list[Offered]:
        """So many a second for so long, or until it is ``enough``; returns then, whatever is under way still."""
        began, number = time.monotonic(), 0
        some: list[Offered] = []
        while (due := began + number / rate) < began + seconds and not enough():
            await asyncio.sleep(max(due - time.monotonic(), 0))
            some.append(self.begin(next(self.orders), due))
            number += 1
        await asyncio.sleep(max(began + seconds - time.monotonic(), 0) if not enough() else 0)
        return some

    def begin(self, order: Order, due: float, *, decides: bool = True) -> Offered:
        """One more case, from now on by itself."""
        one = Offered(order, due)
        self.offered.append(one)
        task = asyncio.create_task(self._lived(one, decides=decides))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return one

    async def answered(self) -> None:
        """Until every client knows what it wanted to know."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    async def ended(self, seconds: float) -> bool:
        """Until every case has ended, or so long; whether all have."""
        until = time.monotonic() + seconds
        while await self.look() < len(self.offered):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(1)
        return True

    async def look(self) -> int:
        """Take a sample; how many have ended."""
        mine = "SELECT count(*) FROM casebook.cases WHERE closed_at IS NOT NULL"
        ended = await self.ground.pool.fetchval(mine) - self.ended_before
        decided = sum(1 for each in self.offered if each.command is not None)
        self.samples.append(Sample(time.monotonic(), len(self.offered), decided, ended))
        return ended

    ended_before: int = 0
    """Cases that had ended when this began."""

    async def watched(self) -> None:
        """Take samples, one a second, until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(1)

    async def opened(self, one: Offered) -> Case:
        """Open it, and note how long it took."""
        one.case = await self.answer(one, lambda: self.ground.direct.open_refund(one.order.request))
        one.opening = time.monotonic() - one.due
        return one.case

    async def approved(self, one: Offered) -> None:
        """Approve it, and note how long it took."""
        assert one.case
        case, command = one.case, Approve(key="c1", by=merchant(one.order.merchant))
        one.sent = time.monotonic()
        await self.answer(one, lambda: case.act(command))
        one.command = time.monotonic() - one.sent

    async def answer(self, one: Offered, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Call until there is an answer.

        Raises:
            AftersalesError: the answer is a refusal, or there is none for an hour.
        """
        until = time.monotonic() + _GIVEN_UP_AFTER
        while True:
            try:
                return await call()
            except (Unanswered, Unreachable) as error:
                if time.monotonic() > until:
                    raise
                one.again += 1
                self.met[f"{type(error).__name__}: {error}"] += 1
                await asyncio.sleep(_SENT_AGAIN_AFTER)

    async def _lived(self, one: Offered, *, decides: bool) -> None:
        try:
            await self.opened(one)
            if decides:
                await asyncio.sleep(max(one.due + self.think - time.monotonic(), 0))
                await self.approved(one)
        except Exception as error:
            self.unexpected.append(f"{one.order.number}: {type(error).__name__}: {error}")


def openings(some: Sequence[Offered]) -> list[float]:
    """Seconds that each took which was opened."""
    return [each.opening for each in some if each.opening is not None]


def commands(some: Sequence[Offered]) -> list[float]:
    """Seconds that each took which was approved."""
    return [each.command for each in some if each.command is not None]
