"""What the cases of an order are about (D10, R16). Whoever decides by it holds the order's lock, as for its pieces."""

from collections.abc import Collection, Iterable

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.applications import ApplicationVersion
from workflows.messages.reading import read_own
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.matters import Matter


async def of_order(connection: Connection, order_no: str, *, besides: Iterable[str | None] = ()) -> tuple[Matter, ...]:
    """The cases of an order, open and ended, without ``besides`` these."""
    rows = await connection.fetch(
        """
        SELECT case_id, kind, stage, opened_in, outcome, about, asked, refunded, application
        FROM casebook.every_case WHERE order_no = $1 AND case_id <> ALL ($2) ORDER BY case_id
        """,
        order_no,
        [each for each in besides if each],
    )
    return tuple(map(_matter, rows))


async def of_orders(connection: Connection, order_nos: Collection[str]) -> dict[str, tuple[Matter, ...]]:
    """The cases of each of these orders, open and ended: for whoever reads, and decides nothing by it."""
    rows = await connection.fetch(
        """
        SELECT case_id, kind, stage, opened_in, outcome, about, asked, refunded, application,
               order_no
        FROM casebook.every_case WHERE order_no = ANY ($1) ORDER BY case_id
        """,
        list(order_nos),
    )
    found: dict[str, tuple[Matter, ...]] = dict.fromkeys(order_nos, ())
    for row in rows:
        found[row["order_no"]] += (_matter(row),)
    return found


def _matter(row: asyncpg.Record) -> Matter:
    return Matter(
        case_id=row["case_id"],
        kind=CaseKind(row["kind"]),
        stage=StageName(row["stage"]),
        opened_in=StageName(row["opened_in"] or row["stage"]),
        outcome=OutcomeKind(row["outcome"]) if row["outcome"] else None,
        about=row["about"],
        asked=row["asked"],
        refunded=row["refunded"],
        application=read_own(ApplicationVersion, row["application"]) if row["application"] else None,
    )
