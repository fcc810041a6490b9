"""A case book as a busy marketplace has it: a few large merchants, many small ones, and what is open at any time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from activities.postgres.connection import Connection
from tests.storage.money import POLICY
from workflows.messages.actors import CLOCK
from workflows.messages.cases import CaseKey, NewEntry, Step
from workflows.messages.money import Money
from workflows.messages.openings import Opened
from workflows.messages.stages import CaseKind, StageName, WorkList

LARGE: Final = "m-large-1"
"""A merchant with a tenth of all cases."""
MIDDLING: Final = "m-middling-1"
"""One with a hundredth of them."""
SMALL: Final = "m-small-1"
"""One of very many, with a handful."""
BEFORE_WORK_LISTS: Final = "0013"
"""The schema on which ``fill`` works: the one before the indexes of the work lists."""


@dataclass(frozen=True)
class StageShare:
    """Where a share of all open cases stands, in thousandths, and how long that stage may take."""

    share: int
    kind: CaseKind
    stage: StageName
    work_list: WorkList
    lasts: timedelta | None
    attention: str | None = None


_H: Final = timedelta(hours=1)
_D: Final = timedelta(days=1)
SHARES: Final = (
    StageShare(185, CaseKind.UNSHIPPED_REFUND, StageName.MERCHANT_REVIEW, WorkList.UNSHIPPED_REFUNDS, 48 * _H),
    StageShare(120, CaseKind.SHIPPED_REFUND, StageName.SHIPPED_REVIEW, WorkList.REFUND_ONLY, 48 * _H),
    StageShare(100, CaseKind.RETURN, StageName.RETURN_REVIEW, WorkList.RETURNS_TO_DECIDE, 48 * _H),
    StageShare(150, CaseKind.RETURN, StageName.AWAITING_RETURN, WorkList.AWAITING_RETURN, 9 * _D),
    StageShare(150, CaseKind.RETURN, StageName.RETURN_IN_TRANSIT, WorkList.AWAITING_RECEIPT, 14 * _D),
    StageShare(40, CaseKind.EXCHANGE, StageName.RESHIPMENT, WorkList.RESHIPMENTS, 12 * _D),
    StageShare(60, CaseKind.SHIPPED_REFUND, StageName.REJECTED, WorkList.AWAITING_BUYER, 9 * _D),
    StageShare(55, CaseKind.LATE_SHIPMENT, StageName.CLAIMABLE, WorkList.AWAITING_BUYER, 30 * _D),
    StageShare(5, CaseKind.LATE_SHIPMENT, StageName.CLAIM_REVIEW, WorkList.LATE_SHIPMENTS, 20 * _D),
    StageShare(30, CaseKind.DISPUTE, StageName.NEGOTIATION, WorkList.NEGOTIATIONS, 24 * _H),
    StageShare(15, CaseKind.DISPUTE, StageName.EVIDENCE, WorkList.EVIDENCE_DUE, 24 * _H),
    StageShare(10, CaseKind.DISPUTE, StageName.RULING, WorkList.RULINGS, 48 * _H),
    StageShare(20, CaseKind.SHIPPED_REFUND, StageName.LOCKED, WorkList.RULINGS, None),
    StageShare(10, CaseKind.WITHDRAWAL, StageName.RETENTION, WorkList.WITHDRAWALS, 48 * _H),
    StageShare(5, CaseKind.CANCELLATION, StageName.WAREHOUSE_REVIEW, WorkList.PLATFORM_REVIEW, _H / 2),
    StageShare(20, CaseKind.UNSHIPPED_REFUND, StageName.SETTLING, WorkList.PAYMENTS, 5 * _D),
    StageShare(5, CaseKind.RETURN, StageName.PAYING, WorkList.PAYMENTS, None),
    StageShare(10, CaseKind.SHIPPED_REFUND, StageName.PAYMENT_ATTENTION, WorkList.ATTENTION, None, "refund_declined"),
    StageShare(10, CaseKind.RETURN, StageName.RETURN_OVERDUE, WorkList.ATTENTION, None, "return_overdue"),
)


async def fill(connection: Connection, now: datetime, *, open_cases: int, closed_cases: int) -> None:
    """Fill an empty case book, the flags and the vault's look-ups. The same numbers give the same cases.

    A third of all cases belongs to 3 large merchants, a third to 30 middling ones, the rest to one merchant for each
    25 open cases. One case in fifty is of a flagged order. Every order is found by its recipient's name and phone;
    some names are far more common than others.
    """
    opened = Opened(
        kind=CaseKind.UNSHIPPED_REFUND,
        stage=StageName.MERCHANT_REVIEW,
        policy=POLICY,
        asked=Money(amount=5900, currency="CNY"),
    )
    standings = [each for each in SHARES for _ in range(each.share)]
    # Filling an index at once is many times faster than row by row.
    indexes = await connection.fetch(
        """
        SELECT format('%I.%I', schemaname, indexname) AS name, indexdef FROM pg_indexes
        WHERE (schemaname, tablename) IN (('casebook', 'cases'), ('vault', 'lookups')) AND indexdef NOT LIKE '%UNIQUE%'
        """
    )
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute("SELECT setseed(0.5)")
    await connection.execute(
        """
        CREATE TEMPORARY TABLE standings AS
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::interval[], $5::text[])
        WITH ORDINALITY AS standings (kind, stage, work_list, lasts, attention, number)
        """,
        [each.kind for each in standings],
        [each.stage for each in standings],
        [each.work_list for each in standings],
        [each.lasts for each in standings],
        [each.attention for each in standings],
    )
    # Taken from a table it is compressed already, once instead of a million times.
    await connection.execute("CREATE TEMPORARY TABLE findings (opened jsonb)")
    await connection.execute("INSERT INTO findings VALUES ($1::text::jsonb)", opened.model_dump_json())
    await connection.execute("CREATE INDEX ON standings (number)")
    await connection.execute("ANALYZE standings")
    await connection.execute(
        """
        INSERT INTO casebook.cases (
            case_id, run_id, kind, merchant_id, buyer_id, order_no, allowance_id, currency, asked, policy,
            stage, work_list, attention, outcome, opened_at, due_at, closed_at, step, log_length, opened
        )
        SELECT
            'refund/' || subject || '/' || left(md5(number::text), 12), gen_random_uuid()::text, kind, merchant_id,
            'b-' || (hashint8(number) & 1048575) % ($1::bigint / 2 + 1),
            CASE WHEN kind <> 'withdrawal' THEN subject END, CASE WHEN kind = 'withdrawal' THEN subject END,
            'CNY', 5900, 'douyin/1',
            CASE WHEN open THEN stage ELSE 'closed' END, CASE WHEN open THEN work_list END,
            CASE WHEN open THEN attention END, CASE WHEN open THEN NULL ELSE 'refunded' END,
            since - age, CASE WHEN open THEN since - age + lasts END,
            CASE WHEN open THEN NULL ELSE since END, 1, 2, opened
        FROM (
            SELECT drawn.number, open, standings.kind, stage, work_list, lasts, attention, subject, merchant_id,
                   CASE WHEN open THEN $3::timestamptz ELSE $3 - interval '30 days' END AS since,
                   coalesce(lasts, interval '3 days') * share_of_time AS age
            FROM (
                SELECT number, number <= $1::bigint AS open,
                    'DY' || 20260000000000 + number - number % 20 / 19 AS subject,
                    CASE
                        WHEN of_size < 1/3.0 THEN 'm-large-' || 1 + floor(random() * 3)
                        WHEN of_size < 2/3.0 THEN 'm-middling-' || 1 + floor(random() * 30)
                        ELSE 'm-small-' || 1 + floor(random() * ($1::bigint / 25))
                    END AS merchant_id,
                    1 + floor(random() * 1000) AS standing, share_of_time
                FROM (
                    SELECT number, random() AS of_size, random() AS share_of_time
                    FROM generate_series(1, $1::bigint + $2::bigint) AS number
                ) AS numbers
            ) AS drawn JOIN standings ON standings.number = standing
        ) AS cases, findings
        """,
        open_cases,
        closed_cases,
        now,
    )
    await connection.execute("DROP TABLE standings, findings")
    await connection.execute(
        """
        INSERT INTO shop.flags (merchant_id, subject, colour)
        SELECT DISTINCT ON (merchant_id, coalesce(order_no, allowance_id))
            merchant_id, coalesce(order_no, allowance_id),
            (ARRAY['red', 'red', 'red', 'yellow', 'green', 'blue'])[1 + floor(random() * 6)]
        FROM casebook.cases WHERE random() < 0.02
        """
    )
    await connection.execute(
        """
        INSERT INTO vault.lookups (merchant_id, hash, subject, field, person)
        SELECT merchant_id, encode(sha256((field || CASE field WHEN 'name' THEN name ELSE buyer_id END)::bytea), 'hex'),
               subject, field, 'buyer/' || buyer_id
        FROM (
            SELECT DISTINCT ON (coalesce(order_no, allowance_id)) merchant_id, buyer_id,
                   coalesce(order_no, allowance_id) AS subject, floor(power(random(), 1.5) * 20000)::text AS name
            FROM casebook.cases
        ) AS subjects, unnest(ARRAY['name', 'phone']) AS field
        """
    )
    for index in indexes:
        await connection.execute(index["indexdef"])
    await connection.execute("ANALYZE casebook.cases, shop.flags, vault.lookups")


def passing_step(row: asyncpg.Record, at: datetime, work_list: WorkList) -> Step:
    """The next step of a case, as it is approved: ``row`` has its ``case_id``, ``run_id``, ``step`` and ``kind``."""
    return Step(
        case=CaseKey(case_id=row["case_id"], run_id=row["run_id"]),
        step=row["step"] + 1,
        at=at,
        entries=(NewEntry(event="approved", by=CLOCK, rule="R1", at=at),),
        kind=row["kind"],
        stage=StageName.PAYING,
        work_list=work_list,
        span=None,
        attention=None,
        outcome=None,
        refunded=0,
    )
