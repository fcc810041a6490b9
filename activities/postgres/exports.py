"""Bulk exports of a merchant's cases or orders, and the quota of virtual numbers that they debit (P5).

An export's rows are chosen and written down when it begins, with the cases or orders as they stand at that moment:
however often it is interrupted, and whatever happens meanwhile, it gives the same rows. Contacts are not written
down; they are read from the vault for each page, so that nobody who was forgotten comes out of an old export.

A number is debited once for each order of an export. A page that was debited and never arrived costs nothing when
it is fetched again.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, TypeAlias, TypeVar

import asyncpg

from activities.postgres import disclosures, flags, looks, orders
from activities.postgres.connection import Connection
from activities.postgres.flags import COUNTED_REMARKS
from activities.postgres.vault import Vault
from workflows.messages.actors import Actor, Role
from workflows.messages.disclosures import (
    BuyQuota,
    Export,
    ExportContact,
    ExportKind,
    ExportRow,
    OrderExportRow,
    Quota,
    RevealField,
    StartExport,
    StartOrderExport,
)
from workflows.messages.reading import read_own
from workflows.messages.surfaces import Surface
from workflows.messages.words import shown_as_written

FETCHED_FOR: Final = timedelta(days=7)
"""For how long after its start an export can be fetched."""
MOST_ROWS: Final = 100_000
"""So many rows an export has at most [G]: one statement chooses them all."""

Wish: TypeAlias = StartExport | StartOrderExport
RowT = TypeVar("RowT", ExportRow, OrderExportRow)


class OtherExportUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The merchant has used the key for another export; that one stands."""


class OtherPurchaseUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The merchant has used the key for another purchase; that one stands."""


class ExportOver(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The export began too long ago; a new one has to be started under a new key."""


class ExportTooLarge(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """More rows were asked for than an export has; nothing was begun, and the key is free."""

    def __init__(self) -> None:
        super().__init__(f"an export has {MOST_ROWS} rows at most: ask for a shorter time")


class QuotaTooSmall(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The quota does not cover the orders of the next page; nothing of it was given or debited (P5).

    Attributes:
        missing: How many numbers have to be bought for this page.
        missing_in_all: How many at most for the rest of the export.
    """

    def __init__(self, *, needed: int, needed_in_all: int, left: int) -> None:
        self.missing = needed - left
        self.missing_in_all = needed_in_all - left
        super().__init__(
            f"the next rows need {needed} virtual numbers, the quota has {left}: {self.missing} are missing, "
            f"{self.missing_in_all} at most for the rest of the export"
        )


async def buy(connection: Connection, wish: BuyQuota, at: datetime) -> Quota:
    """Add what a merchant has bought; the same key once more adds nothing.

    Raises:
        OtherPurchaseUnderKey: the key stands for another amount, or somebody else's purchase.
    """
    await _locked_balance(connection, wish.merchant_id)
    inserted = await connection.fetchval(
        """
        INSERT INTO exports.movements (merchant_id, amount, key, actor_role, actor_id, at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (merchant_id, key) DO NOTHING RETURNING true
        """,
        wish.merchant_id,
        wish.amount,
        wish.key,
        wish.by.role,
        wish.by.id,
        at,
    )
    if inserted:
        await _change_balance(connection, wish.merchant_id, wish.amount)
    elif not await connection.fetchval(
        """
        SELECT (amount, actor_role, actor_id) = ($3, $4, $5) FROM exports.movements WHERE merchant_id = $1 AND key = $2
        """,
        wish.merchant_id,
        wish.key,
        wish.amount,
        wish.by.role,
        wish.by.id,
    ):
        raise OtherPurchaseUnderKey(f"key {wish.key} stands for another purchase of {wish.merchant_id}")
    return await quota_of(connection, wish.merchant_id)


async def quota_of(connection: Connection, merchant_id: str) -> Quota:
    """What is left of all that the merchant has bought."""
    left = await connection.fetchval("SELECT balance FROM exports.accounts WHERE merchant_id = $1", merchant_id)
    return Quota(merchant_id=merchant_id, left=left or 0)


async def start(connection: Connection, wish: Wish, at: datetime) -> Export:
    """Choose the rows of an export, in the caller's transaction; the same key once more is the same export.

    Raises:
        OtherExportUnderKey: the key stands for another request.
        ExportTooLarge: it would have more than ``MOST_ROWS``; the transaction must be rolled back.
    """
    asked = wish.model_dump(mode="json") | {"of": _of(wish)}
    identifier = await connection.fetchval(
        """
        INSERT INTO exports.jobs (merchant_id, key, kind, asked, started_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (merchant_id, key) DO NOTHING RETURNING id
        """,
        wish.merchant_id,
        wish.key,
        wish.kind,
        asked,
        at,
    )
    if identifier is not None:
        match wish:
            case StartExport():
                await _choose_cases(connection, identifier, wish)
            case StartOrderExport():
                await _choose_orders(connection, identifier, wish)
        await _forget_ended(connection, wish.merchant_id, at)
    job = await connection.fetchrow(
        "SELECT id, asked, started_at FROM exports.jobs WHERE merchant_id = $1 AND key = $2",
        wish.merchant_id,
        wish.key,
    )
    assert job is not None
    # Older exports, of cases, do not say what they are of.
    if job["asked"].get("of", "cases") != _of(wish) or read_own(type(wish), job["asked"]) != wish:
        raise OtherExportUnderKey(f"key {wish.key} stands for another export of {wish.merchant_id}")
    rows = await connection.fetchval("SELECT max(position) FROM exports.rows WHERE export = $1", job["id"])
    if rows and rows > MOST_ROWS:
        raise ExportTooLarge
    return Export(
        id=job["id"],
        merchant_id=wish.merchant_id,
        kind=wish.kind,
        rows=rows or 0,
        started_at=job["started_at"],
        ends_at=job["started_at"] + FETCHED_FOR,
    )


async def page(
    connection: Connection, vault: Vault, export: Export, shape: type[RowT], after: int, limit: int, at: datetime
) -> list[RowT]:
    """Up to ``limit`` rows behind row ``after``, without virtual numbers; none at the end. ``shape`` is what they are.

    Raises:
        ExportOver: it can be fetched no longer.
    """
    if at >= export.ends_at:
        raise ExportOver(f"the export could be fetched until {export.ends_at.isoformat()}; start another")
    rows = await connection.fetch(
        """
        SELECT position, order_no, facts FROM exports.rows
        WHERE export = $1 AND position > $2 ORDER BY position LIMIT $3
        """,
        export.id,
        after,
        limit,
    )
    contacts = await _contacts(connection, vault, export, {row["order_no"] for row in rows if row["order_no"]})
    return [_row(row, shape, export.kind, contacts.get(row["order_no"])) for row in rows]


async def require_quota(connection: Connection, export: Export, order_nos: Collection[str]) -> None:
    """Make sure, as far as can be seen now, that the quota covers these orders.

    Raises:
        QuotaTooSmall: it does not.
    """
    await _due(connection, export, order_nos, (await quota_of(connection, export.merchant_id)).left)


async def debit(connection: Connection, export: Export, order_nos: Collection[str], by: Actor, at: datetime) -> None:
    """Debit one for each of these orders that this export has not debited yet; all of them or none (P5).

    That their numbers are handed out is recorded, each time (P2). What is debited may be given once this
    transaction stands.

    Raises:
        QuotaTooSmall: another export was faster.
    """
    left = await _locked_balance(connection, export.merchant_id)
    due = await _due(connection, export, order_nos, left)
    await _change_balance(connection, export.merchant_id, -len(due))
    await connection.executemany(
        """
        INSERT INTO exports.movements (merchant_id, amount, export, order_no, actor_role, actor_id, at)
        VALUES ($1, -1, $2, $3, $4, $5, $6)
        """,
        [(export.merchant_id, export.id, order_no, by.role, by.id, at) for order_no in due],
    )
    fields = [RevealField.VIRTUAL_NUMBER]
    orders = sorted(order_nos)
    await looks.record(connection, by, export.merchant_id, orders, fields, looks.EXPORT, export.kind, at)


def _of(wish: Wish) -> str:
    return "cases" if isinstance(wish, StartExport) else "orders"


async def _choose_cases(connection: Connection, identifier: int, wish: StartExport) -> None:
    chosen = (wish.merchant_id, wish.stage, wish.work_list, wish.opened_from, wish.opened_until)
    numbers = await connection.fetch(
        f"SELECT DISTINCT c.order_no FROM casebook.every_case c WHERE c.order_no IS NOT NULL AND {_CHOSEN}",  # noqa: S608
        *chosen,
    )
    of_orders = await orders.moments(connection, [row["order_no"] for row in numbers])
    await connection.execute(
        f"""
        INSERT INTO exports.rows (export, position, order_no, facts)
        SELECT $6, row_number() OVER (ORDER BY opened_at, case_id), order_no, to_jsonb(listed)
        FROM (
            SELECT c.case_id, c.kind, c.stage, c.work_list, c.attention, c.outcome, c.buyer_id, c.order_no,
                   c.allowance_id, c.currency, c.asked, c.refunded, c.compensated, c.opened_at, c.due_at, c.closed_at,
                   coalesce((c.application ->> 'version')::integer, 1) AS version, c.application ->> 'reason' AS reason,
                   c.application, c.policy, coalesce(c.talk, '{{}}') AS talk, o.paid_at, o.shipped_at, {COUNTED_REMARKS}
            FROM casebook.every_case c
            LEFT JOIN unnest($7::text[], $8::timestamptz[], $9::timestamptz[]) AS o (order_no, paid_at, shipped_at)
                ON o.order_no = c.order_no
            WHERE {_CHOSEN}
            ORDER BY c.opened_at, c.case_id LIMIT {MOST_ROWS + 1}
        ) AS listed
        """,  # noqa: S608 -- a constant
        *chosen,
        identifier,
        *([each[name] for each in of_orders] for name in ("order_no", "paid_at", "shipped_at")),
    )


async def _choose_orders(connection: Connection, identifier: int, wish: StartOrderExport) -> None:
    await connection.execute(
        f"""
        INSERT INTO exports.rows (export, position, order_no, facts)
        SELECT $5, row_number() OVER (ORDER BY paid_at, order_no), order_no, to_jsonb(listed)
        FROM (
            SELECT o.*, of_order.cases, of_order.open_cases, of_order.refunded, of_order.compensated, {flags.OF_ORDER}
            FROM {orders.PAID_TO_MERCHANT} AS o
            CROSS JOIN LATERAL (
                SELECT count(*) AS cases, count(*) FILTER (WHERE closed_at IS NULL) AS open_cases,
                       coalesce(sum(refunded), 0) AS refunded, coalesce(sum(compensated), 0) AS compensated
                FROM casebook.every_case WHERE order_no = o.order_no
            ) AS of_order
            WHERE $4::text = 'all' OR ($4 = 'with_cases') = (of_order.cases > 0)
            ORDER BY o.paid_at, o.order_no LIMIT {MOST_ROWS + 1}
        ) AS listed
        """,  # noqa: S608 -- constants
        wish.merchant_id,
        wish.paid_from,
        wish.paid_until,
        wish.orders,
        identifier,
    )


_CHOSEN: Final = """
c.merchant_id = $1
AND ($2::text IS NULL OR c.stage = $2)
AND ($3::text IS NULL OR c.work_list = $3)
AND ($4::timestamptz IS NULL OR c.opened_at >= $4)
AND ($5::timestamptz IS NULL OR c.opened_at < $5)
"""


async def _forget_ended(connection: Connection, merchant_id: str, at: datetime) -> None:
    """Drop the rows of the merchant's exports that nobody can fetch any more."""
    await connection.execute(
        """
        DELETE FROM exports.rows USING exports.jobs
        WHERE rows.export = jobs.id AND jobs.merchant_id = $1 AND jobs.started_at <= $2
        """,
        merchant_id,
        at - FETCHED_FOR,
    )


async def _contacts(
    connection: Connection, vault: Vault, export: Export, order_nos: Collection[str]
) -> dict[str, ExportContact]:
    if export.kind is ExportKind.WITHOUT_CONTACT:
        return {}
    recipients = await vault.recipients(connection, sorted(order_nos))
    return {
        order_no: ExportContact(**disclosures.as_shown(recipient, Surface.DEFAULT, Role.MERCHANT))
        for order_no, recipient in recipients.items()
    }


def _row(row: asyncpg.Record, shape: type[RowT], kind: ExportKind, contact: ExportContact | None) -> RowT:
    refused = disclosures.NO_RECIPIENT if kind is ExportKind.VIRTUAL_NUMBERS and contact is None else None
    added = {"row": row["position"], "contact": contact, "number_refused": refused}
    with shown_as_written():
        return read_own(shape, {**row["facts"], **added})


async def _locked_balance(connection: Connection, merchant_id: str) -> int:
    """The balance, which nobody else changes before this transaction ends; an account is made where there is none."""
    return await connection.fetchval(
        """
        INSERT INTO exports.accounts (merchant_id, balance) VALUES ($1, 0)
        ON CONFLICT (merchant_id) DO UPDATE SET balance = accounts.balance RETURNING balance
        """,
        merchant_id,
    )


async def _change_balance(connection: Connection, merchant_id: str, amount: int) -> None:
    await connection.execute(
        "UPDATE exports.accounts SET balance = balance + $2 WHERE merchant_id = $1", merchant_id, amount
    )


async def _due(connection: Connection, export: Export, order_nos: Collection[str], left: int) -> list[str]:
    """Those of the orders that this export has not debited yet; ``QuotaTooSmall`` where that is more than ``left``."""
    debited = await connection.fetch(
        "SELECT order_no FROM exports.movements WHERE export = $1 AND order_no = ANY($2)", export.id, list(order_nos)
    )
    due = sorted(set(order_nos) - {row["order_no"] for row in debited})
    if len(due) > left:
        in_all = await connection.fetchval(
            """
            SELECT count(*) FROM (
                SELECT order_no FROM exports.rows WHERE export = $1 AND order_no IS NOT NULL
                EXCEPT SELECT order_no FROM exports.movements WHERE export = $1
            ) AS due
            """,
            export.id,
        )
        raise QuotaTooSmall(needed=len(due), needed_in_all=in_all, left=left)
    return due
