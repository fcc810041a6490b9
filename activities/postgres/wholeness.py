"""Whether the books are whole: what no step ever writes, and what a restored, cut or edited database shows.

Each question reads tables from end to end. It is asked of a database that was just restored, or at night.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from activities.postgres.connection import Connection

SHOWN: Final = 5
"""Of what is wrong, so many are named."""


@dataclass(frozen=True)
class Question:
    """What must not be: the statement finds ``subject`` of each that is."""

    wrong: str
    """Of what is found, in words behind its number."""
    remedy: str
    statement: str


@dataclass(frozen=True)
class Found:
    """What a question has found."""

    number: int
    subjects: tuple[str, ...]
    """Some of them."""


_RESTORE: Final = "the database was restored in part, cut off, or edited: restore it anew (docs/operations.md)"
_LOG_OF: Final = """
    SELECT c.case_id AS subject FROM casebook.{cases} AS c LEFT JOIN (
        SELECT case_id, count(*) AS lines, max(position) AS last FROM casebook.{log} GROUP BY case_id
    ) AS l USING (case_id)
    WHERE (coalesce(lines, 0), coalesce(last, 0)) <> (log_length, log_length)
"""

QUESTIONS: Final[Mapping[str, Question]] = {
    "logs": Question("cases whose log lacks lines", _RESTORE, _LOG_OF.format(cases="cases", log="log")),
    "moved logs": Question(
        "moved cases whose log lacks lines", _RESTORE, _LOG_OF.format(cases="closed_cases", log="closed_log")
    ),
    "moved cases": Question(
        "cases that are twice or in half where closed cases are",
        _RESTORE,
        """
        SELECT case_id AS subject FROM casebook.cases JOIN casebook.closed_keys USING (case_id)
        UNION ALL
        SELECT case_id FROM casebook.closed_cases AS month
        WHERE NOT EXISTS (
            SELECT FROM casebook.closed_keys AS kept
            WHERE kept.case_id = month.case_id AND kept.closed_at = month.closed_at
        )
        UNION ALL
        SELECT case_id FROM casebook.closed_keys AS kept
        WHERE NOT EXISTS (
            SELECT FROM casebook.closed_cases AS month
            WHERE month.case_id = kept.case_id AND month.closed_at = kept.closed_at
        ) AND NOT EXISTS (
            SELECT FROM casebook.archives
            WHERE month = date_trunc('month', kept.closed_at AT TIME ZONE 'UTC')::date AND dropped_at IS NOT NULL
        )
        """,
    ),
    "states": Question(
        "open cases that no run could go on from: their last step is not in the book",
        _RESTORE,
        """
        SELECT case_id AS subject FROM casebook.cases
        WHERE closed_at IS NULL AND step > 0 AND state IS NOT NULL AND NOT coalesce(stepped, '{}') ? step::text
        """,
    ),
    "cap": Question(
        "parts of orders of which more was paid back than was paid (R8)",
        "let nobody pay on them, and look into `aftersales books`",
        """
        SELECT fund || ' ' || part AS subject FROM (
            SELECT legs.fund, leg_parts.part, sum(leg_parts.amount) AS used
            FROM ledger.legs JOIN ledger.leg_parts USING (refund_no) WHERE state <> 'failed' GROUP BY 1, 2
        ) AS used LEFT JOIN ledger.fund_parts USING (fund, part) WHERE used > coalesce(paid, 0)
        """,
    ),
    "legs": Question(
        "refunds whose parts or events are missing",
        _RESTORE,
        """
        SELECT refund_no AS subject FROM ledger.legs
        LEFT JOIN (
            SELECT refund_no, sum(amount) FILTER (WHERE part LIKE 'tender:%') AS tenders,
                   sum(amount) FILTER (WHERE part NOT LIKE 'tender:%') AS goods
            FROM ledger.leg_parts GROUP BY 1
        ) AS parts USING (refund_no)
        LEFT JOIN (SELECT refund_no, count(*) AS events, max(seq) AS last FROM ledger.leg_events GROUP BY 1) AS said
            USING (refund_no)
        WHERE amount <> coalesce(tenders, 0) OR amount <> coalesce(goods, 0)
           OR coalesce(events, 0) <> coalesce(last, 0)
        """,
    ),
    "past funds": Question(
        "funds that are twice or in half where those are of which nothing is paid back any more",
        _RESTORE,
        """
        SELECT fund AS subject FROM ledger.funds JOIN ledger.past_funds USING (fund)
        UNION ALL
        SELECT refund_no FROM ledger.past_legs WHERE NOT EXISTS (
            SELECT FROM ledger.past_funds WHERE past_funds.fund = past_legs.fund
        )
        """,
    ),
    "feed": Question(
        "places in the feed that lie ahead of this server's transactions (X4)",
        "run `aftersales setup`",
        """
        SELECT 'position ' || max(position) AS subject FROM events.feed HAVING max(position) >= events.horizon() + 1000
        """,
    ),
}


async def ask(connection: Connection, question: Question) -> Found:
    """How many there are of what must not be, and some of them."""
    rows = await connection.fetch(
        f"SELECT subject, count(*) OVER () AS number FROM ({question.statement}) AS wrong LIMIT {SHOWN}"  # noqa: S608
    )
    return Found(rows[0]["number"] if rows else 0, tuple(row["subject"] for row in rows))


async def keys_of_texts(connection: Connection) -> dict[UUID, str]:
    """The persons' keys under which texts are, each with a person that it is of."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (key) key, person FROM (
            SELECT substr(sealed, 1, 16) AS key, person FROM vault.recipients
            UNION ALL SELECT substr(sealed, 1, 16), person FROM vault.items
            UNION ALL SELECT substr(sealed, 1, 16), person FROM disputes.statements
        ) AS texts
        """
    )
    return {UUID(bytes=row["key"]): row["person"] for row in rows}


async def forgotten_persons(connection: Connection) -> dict[str, object]:
    """Who was forgotten, each with the moment of the last time."""
    rows = await connection.fetch("SELECT person, max(at) AS at FROM vault.erasures GROUP BY person")
    return {row["person"]: row["at"] for row in rows}


async def stored_attachments(connection: Connection, limit: int) -> list[str]:
    """Under which names contents of attachments are in their store, some of them, the newest first."""
    rows = await connection.fetch(
        "SELECT stored_as FROM vault.items WHERE stored_as IS NOT NULL ORDER BY ctid DESC LIMIT $1", limit
    )
    return [row["stored_as"] for row in rows]
