"""Figures of all that is open, for gauges: worked out by one process, read by all.

Each figure comes from an index that holds open things only, so it costs with what is open and not with what has ever
been.
"""

from datetime import timedelta
from typing import Final

from activities.postgres import kept_figures, open_counts
from activities.postgres.connection import Connection
from activities.postgres.feed import LAGS
from activities.postgres.kept_figures import Figure
from activities.postgres.open_counts import OpenCounts
from activities.postgres.overdue import PAST_DEADLINE, PAYING_TOO_LONG

_WAITING_FOR: Final = "waiting"


_WAITING = {
    "overdue": f"""
        SELECT work_list, count(*) AS overdue, extract(epoch FROM now() - min(since)) AS most_overdue
        FROM ({PAST_DEADLINE} UNION ALL {PAYING_TOO_LONG}) AS overdue GROUP BY work_list
    """,  # noqa: S608 -- of constants
    "attention": """
        SELECT attention AS reason, count(*) AS cases,
               extract(epoch FROM now() - min(coalesce(stage_since, opened_at))) AS oldest
        FROM casebook.cases WHERE attention IS NOT NULL AND closed_at IS NULL GROUP BY attention
    """,
    "money": """
        SELECT state, currency, count(*) AS legs, sum(amount) AS amount,
               extract(epoch FROM now() - min(reserved_at)) AS oldest
        FROM ledger.legs WHERE state NOT IN ('succeeded', 'failed') GROUP BY state, currency
    """,
    "notices": """
        SELECT channel, count(*) AS unsent, extract(epoch FROM now() - min(queued_at)) AS oldest
        FROM notices.outbox WHERE sent_at IS NULL AND undeliverable_at IS NULL GROUP BY channel
    """,
    "feed": """
        SELECT coalesce(extract(epoch FROM now() - min(recorded_at)), 0) AS held_back
        FROM events.feed WHERE position >= events.horizon()
    """,
    "readers": f"""
        SELECT name AS reader, coalesce(extract(epoch FROM now() - oldest), 0) AS lag FROM ({LAGS}) AS lags
    """,  # noqa: S608 -- of constants
    "inbox": """
        SELECT source, count(*) FILTER (WHERE dead_at IS NULL) AS waiting,
               count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead,
               coalesce(extract(epoch FROM now() - min(received_at) FILTER (WHERE dead_at IS NULL)), 0) AS oldest
        FROM inbox.messages WHERE done_at IS NULL GROUP BY source
    """,
    "webhooks": """
        SELECT endpoint, count(*) FILTER (WHERE dead_at IS NULL) AS waiting, count(dead_at) AS dead,
               coalesce(extract(epoch FROM now() - min(since) FILTER (WHERE dead_at IS NULL)), 0) AS oldest
        FROM webhooks.waiting GROUP BY endpoint
    """,
    "statement": """
        SELECT greatest(extract(epoch FROM now() - (max(day) + 1)::timestamp AT TIME ZONE 'UTC'), 0) AS behind
        FROM ledger.statement_days HAVING max(day) IS NOT NULL
    """,
    "differences": """
        SELECT kind, count(*) AS open FROM ledger.differences WHERE resolved_at IS NULL GROUP BY kind
    """,
    "alerts": """
        SELECT kind, count(*) AS open FROM ledger.alerts WHERE resolved_at IS NULL GROUP BY kind
    """,
}

_GAUGES = {
    "overdue": {
        "overdue": "aftersales_cases_overdue",
        "most_overdue": "aftersales_cases_most_overdue_seconds",
    },
    "attention": {
        "cases": "aftersales_cases_attention",
        "oldest": "aftersales_cases_attention_oldest_seconds",
    },
    "money": {
        "legs": "aftersales_money_in_flight_legs",
        "amount": "aftersales_money_in_flight_minor_units",
        "oldest": "aftersales_money_in_flight_oldest_seconds",
    },
    "notices": {"unsent": "aftersales_notices_unsent", "oldest": "aftersales_notices_unsent_oldest_seconds"},
    "feed": {"held_back": "aftersales_events_held_back_seconds"},
    "readers": {"lag": "aftersales_events_reader_lag_seconds"},
    "inbox": {
        "waiting": "aftersales_inbox_waiting",
        "oldest": "aftersales_inbox_oldest_seconds",
        "dead": "aftersales_inbox_dead",
    },
    "webhooks": {
        "waiting": "aftersales_webhooks_waiting",
        "dead": "aftersales_webhooks_dead",
        "oldest": "aftersales_webhooks_waiting_oldest_seconds",
    },
    "statement": {"behind": "aftersales_statement_behind_seconds"},
    "differences": {"open": "aftersales_reconciliation_differences"},
    "alerts": {"open": "aftersales_money_alerts"},
}


async def figures(connection: Connection, *, every: timedelta) -> tuple[tuple[Figure, ...], float]:
    """The figures, and how many seconds old they are; measured anew by whoever finds them older than ``every``.

    While one process measures, the others are given what was measured before. Counting all open cases is done more
    rarely where it takes long; its age counts in proportion.
    """
    waiting = await kept_figures.renewed(connection, _WAITING_FOR, every, lambda: measure(connection))
    counts = await open_counts.renewed(connection, every)
    if waiting is None or counts is None:
        return (), float("inf")
    return (*waiting.figures, *_open(counts)), max(waiting.age, counts.age * (every / counts.renewed_after(every)))


def _open(counts: OpenCounts) -> list[Figure]:
    return [
        Figure(name="aftersales_cases_open", value=cases, labels={"work_list": work_list or "none"})
        for work_list, cases in counts.per_list().items()
    ]


async def measure(connection: Connection) -> tuple[Figure, ...]:
    """The figures of what waits, now. Ages are by the database's clock; what lies in the future is 0 seconds old."""
    measured: list[Figure] = []
    for subject, statement in _WAITING.items():
        gauges = _GAUGES[subject]
        for row in await connection.fetch(statement):
            labels = {name: str(row[name] or "none") for name in row.keys() if name not in gauges}  # noqa: SIM118
            measured += [
                Figure(name=gauge, value=max(float(row[column]), 0.0), labels=labels)
                for column, gauge in gauges.items()
            ]
    return tuple(measured)
