"""A provider's whole book, put together of its statements by day."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta

from activities.gateways.payment import NotPublished, OpenBook, PaymentGateway, StatementLine

SomeDayBefore = Callable[[], Awaitable[date | None]]
"""The day before which nothing of ours can have been paid; None where nothing was."""


class DailyBook(OpenBook):
    """The `OpenBook` of a gateway that publishes statements by day; each ``as_of`` reads all days once.

    Days that are not published yet are left out. Of a refund that is on several days the last line counts.
    """

    def __init__(self, gateway: PaymentGateway, first_day: SomeDayBefore) -> None:
        self._gateway = gateway
        self._first_day = first_day
        self._read: tuple[datetime, list[StatementLine]] | None = None

    async def page(self, after: str, limit: int, as_of: datetime) -> tuple[StatementLine, ...]:
        """See `OpenBook`."""
        if self._read is None or self._read[0] != as_of:
            self._read = as_of, await self._all(as_of.date())
        return tuple([line for line in self._read[1] if line.refund_no > after][:limit])

    async def _all(self, last: date) -> list[StatementLine]:
        lines: dict[str, StatementLine] = {}
        day = await self._first_day() or last
        while day <= last:
            try:
                async for line in self._gateway.statement(day):
                    lines[line.refund_no] = line
            except NotPublished:
                pass
            day += timedelta(days=1)
        return [lines[number] for number in sorted(lines)]
