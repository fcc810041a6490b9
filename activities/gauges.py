"""Gauges of all that is open: cases, attention, money in flight, notices, differences between the books."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import asyncpg
from temporalio.common import MetricMeter

from activities.notices.channels import ChannelName
from activities.postgres import standing
from activities.postgres.inbox import SOURCES
from workflows.messages.reconciliation import DifferenceKind
from workflows.messages.stages import Attention, WorkList
from workflows.rules.legs import AlertKind

DESCRIPTIONS: Final[Mapping[str, str]] = {
    "aftersales_cases_open": "Open cases, by work list; counted every minute, more rarely where that takes long.",
    "aftersales_cases_overdue": "Open cases 5 minutes past their deadline, or paying for an hour: promises not kept.",
    "aftersales_cases_most_overdue_seconds": "How long ago the earliest of these limits passed.",
    "aftersales_cases_attention": "Open cases that a person must look at, by reason.",
    "aftersales_cases_attention_oldest_seconds": "How long the case that has waited longest is in its stage.",
    "aftersales_money_in_flight_legs": "Refund legs that are neither paid nor failed, by state and currency.",
    "aftersales_money_in_flight_minor_units": "Their amounts, in minor units of the currency.",
    "aftersales_money_in_flight_oldest_seconds": "How long ago the oldest of them was reserved.",
    "aftersales_notices_unsent": "Notices that wait to be sent, by channel.",
    "aftersales_notices_unsent_oldest_seconds": "How long the oldest of them waits.",
    "aftersales_events_held_back_seconds": "How long the oldest event waits for older transactions to end (X4).",
    "aftersales_events_reader_lag_seconds": "How long the oldest event waits that a named reader has not confirmed.",
    "aftersales_inbox_waiting": "Callbacks and events of parcels that cases were not told of yet, by source.",
    "aftersales_inbox_oldest_seconds": "How long the oldest of them waits.",
    "aftersales_inbox_dead": "Those that are not tried again: a person must look.",
    "aftersales_webhooks_waiting": "Events that an endpoint has not taken, and later ones of their cases (X4).",
    "aftersales_webhooks_waiting_oldest_seconds": "How long the oldest of them waits.",
    "aftersales_webhooks_dead": "Events that were given up and wait for an operator, by endpoint.",
    "aftersales_statement_behind_seconds": "How long ago the last day of the provider's statement compared ended (X5).",
    "aftersales_reconciliation_differences": "Open differences between our ledger and the gateway's book, by kind.",
    "aftersales_money_alerts": "Open alerts of the ledger that a person must resolve, by kind.",
}
AGE: Final = "aftersales_standing_age_seconds"

_Labels = tuple[tuple[str, str], ...]

_log = logging.getLogger(__name__)


def _each(name: str, label: str, values: list[str]) -> dict[tuple[str, _Labels], float]:
    return {(name, ((label, value),)): 0.0 for value in values}


_NOTHING: Final[Mapping[tuple[str, _Labels], float]] = {
    **_each("aftersales_cases_open", "work_list", list(WorkList)),
    **_each("aftersales_cases_overdue", "work_list", list(WorkList)),
    **_each("aftersales_cases_most_overdue_seconds", "work_list", list(WorkList)),
    **_each("aftersales_cases_attention", "reason", list(Attention)),
    **_each("aftersales_cases_attention_oldest_seconds", "reason", list(Attention)),
    **_each("aftersales_notices_unsent", "channel", list(ChannelName)),
    **_each("aftersales_notices_unsent_oldest_seconds", "channel", list(ChannelName)),
    ("aftersales_events_held_back_seconds", ()): 0.0,
    **_each("aftersales_inbox_waiting", "source", SOURCES),
    **_each("aftersales_inbox_oldest_seconds", "source", SOURCES),
    **_each("aftersales_inbox_dead", "source", SOURCES),
    **_each("aftersales_reconciliation_differences", "kind", list(DifferenceKind)),
    **_each("aftersales_money_alerts", "kind", list(AlertKind)),
}
"""What is told of where nothing is open: a gauge that is missing cannot be told from one that is zero."""


class OpenWorkGauges:
    """Sets the gauges every minute, in every process alike: take the ``max`` of them, never the sum."""

    def __init__(self, pool: asyncpg.Pool, meter: MetricMeter, *, every: timedelta = timedelta(minutes=1)) -> None:
        self._pool = pool
        self._every = every
        self._gauges = {name: meter.create_gauge_float(name, what) for name, what in DESCRIPTIONS.items()}
        self._age = meter.create_gauge_float(AGE, "How old the other gauges of open things are.")
        self._told: dict[tuple[str, _Labels], float] = dict(_NOTHING)

    async def tell(self) -> None:
        """Set every gauge once; what was told before and is no more is told as zero.

        Raises:
            asyncpg.PostgresError, OSError: the database does not answer.
        """
        async with self._pool.acquire() as connection:
            found, age = await standing.figures(connection, every=self._every)
        self._told = dict.fromkeys(self._told, 0.0)
        self._told.update({(each.name, tuple(sorted(each.labels.items()))): each.value for each in found})
        for (name, labels), value in self._told.items():
            self._gauges[name].set(value, dict(labels))
        self._age.set(age)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Tell for as long as the context lasts. A database that does not answer is told by the gauges' age."""
        task = asyncio.create_task(self._run(), name="gauges of what is open")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        failing = 0.0
        while True:
            try:
                await self.tell()
                failing = 0.0
            except Exception as error:
                failing += self._every.total_seconds()
                self._age.set(failing)
                _log.warning("figures of open cases cannot be read (%s)", type(error).__name__)
            await asyncio.sleep(self._every.total_seconds())
