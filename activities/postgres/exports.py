"""Bulk exports of a merchant's cases, and the quota of virtual numbers that they debit (P5).

An export's rows are chosen and written down when it begins, with the cases as they stand at that moment: however
often it is interrupted, and whatever happens to the cases meanwhile, it gives the same rows. Contacts are not written
down; they are read from the vault for each page, so that nobody who was forgotten comes out of an old export.

A number is debited once for each order of an export. A page that was debited and never arrived costs nothing when
it is fetched again.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from activities.postgres import disclosures, looks, orders
from activities.postgres.connection import Connection
from activities.postgres.vault import Vault
from workflows.messages.actors import Actor, Role
from workflows.messages.disclosures import (
    BuyQuota,
    Export,
    ExportContact,
    ExportKind,
    ExportRow,
    Quota,
    RevealField,
    StartExport,
)
from workflows.messages.reading import read_own
from workflows.messages.surfaces import Surface
from workflows.messages.words import shown_as_written

FETCHED_FOR: Final = timedelta(days=7)
"""For how long after its start an export can be fetched."""


class OtherExportUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The merchant has used the key for another export; that one stands."""


class OtherPurchaseUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The merchant has used the key for another purchase; that one stands."""


class ExportOver(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The export began too long ago; a new one has to be started under a new key."""


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


async def start(connection: Connection, wish: StartExport, at: datetime) -> Export:
    """Choose the rows of an export; the same key once more is the same export.

    Raises:
        OtherExportUnderKey: the key stands for another request.
    """
    asked = wish.model_dump(mode="json")
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
        await _choose_rows(connection, identifier, wish)
        await _forget_ended(connection, wish.merchant_id, at)
    job = await connection.fetchrow(
        "SELECT id, asked, started_at FROM exports.jobs WHERE merchant_id = $1 AND key = $2",
        wish.merchant_id,
        wish.key,
    )
    assert job is not None
    if read_own(StartExport, job["asked"]) != wish:
        raise OtherExportUnderKey(f"key {wish.key} stands for another export of {wish.merchant_id}")
    rows = await connection.fetchval("SELECT max(position) FROM exports.rows WHERE export = $1", job["id"])
    return Export(
        id=job["id"],
        merchant_id=wish.merchant_id,
        kind=wish.kind,
        rows=rows or 0,
        started_at=job["started_at"],
        ends_at=job["started_at"] + FETCHED_FOR,
    )


async def page(
    connection: Connection, vault: Vault, export: Export, after: int, limit: int, at: datetime
) -> list[ExportRow]:
    """Up to ``limit`` rows behind row ``after``, without virtual numbers; none at the end.

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
    return [_row(row, export.kind, contacts.get(row["order_no"])) for row in rows]


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


async def _choose_rows(connection: Connection, identifier: int, wish: StartExport) -> None:
    chosen = (wish.merchant_id, wish.stage, wish.work_list, wish.opened_from, wish.opened_until)
    numbers = await connection.fetch(
        f"SELECT DISTINCT c.order_no FROM casebook.cases c WHERE c.order_no IS NOT NULL AND {_CHOSEN}",  # noqa: S608
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
                   c.application, o.paid_at, o.shipped_at
            FROM casebook.cases c
            LEFT JOIN unnest($7::text[], $8::timestamptz[], $9::timestamptz[]) AS o (order_no, paid_at, shipped_at)
                ON o.order_no = c.order_no
            WHERE {_CHOSEN}
        ) AS listed
        """,  # noqa: S608 -- a constant
        *chosen,
        identifier,
        *([each[name] for each in of_orders] for name in ("order_no", "paid_at", "shipped_at")),
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


def _row(row: asyncpg.Record, kind: ExportKind, contact: ExportContact | None) -> ExportRow:
    refused = disclosures.NO_RECIPIENT if kind is ExportKind.VIRTUAL_NUMBERS and contact is None else None
    added = {"row": row["position"], "contact": contact, "number_refused": refused}
    with shown_as_written():
        return read_own(ExportRow, {**row["facts"], **added})


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
