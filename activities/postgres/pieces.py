"""Which case has what to do with the pieces of an order (R13).

Whoever takes pieces for a case, by opening it or by a step, holds the order's lock until the commit and looks at the
other cases afterwards, so that two cases never have the same piece. Giving pieces back needs no lock.
"""

from collections.abc import Collection, Iterable

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.cases import Refusal, Step
from workflows.messages.openings import Opened
from workflows.messages.pieces import CasePieces
from workflows.messages.reading import read_own
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.pieces import Holder
from workflows.rules.step_checks import refused_claim_of_pieces


async def lock(connection: Connection, order_no: str) -> None:
    """Wait until nobody else takes pieces of this order, and keep others waiting until the commit."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 2))", f"pieces/{order_no}")


async def holders(connection: Connection, order_no: str, *, besides: Iterable[str] = ()) -> tuple[Holder, ...]:
    """The cases of an order that name pieces, open and ended; ``besides`` these others are sought."""
    rows = await connection.fetch(
        """
        SELECT case_id, kind, stage, outcome, pieces FROM casebook.every_case
        WHERE order_no = $1 AND pieces IS NOT NULL AND case_id <> ALL ($2)
        """,
        order_no,
        list(besides),
    )
    return tuple(map(_holder, rows))


async def holders_of(connection: Connection, order_nos: Collection[str]) -> dict[str, tuple[Holder, ...]]:
    """The same of each of these orders: for whoever reads, and takes no pieces."""
    rows = await connection.fetch(
        """
        SELECT case_id, kind, stage, outcome, pieces, order_no FROM casebook.every_case
        WHERE order_no = ANY ($1) AND pieces IS NOT NULL
        """,
        list(order_nos),
    )
    found: dict[str, tuple[Holder, ...]] = dict.fromkeys(order_nos, ())
    for row in rows:
        found[row["order_no"]] += (_holder(row),)
    return found


def _holder(row: asyncpg.Record) -> Holder:
    return Holder(
        case_id=row["case_id"],
        kind=CaseKind(row["kind"]),
        stage=StageName(row["stage"]),
        outcome=OutcomeKind(row["outcome"]) if row["outcome"] else None,
        pieces=read_own(CasePieces, row["pieces"]),
    )


async def refused_claim(connection: Connection, step: Step) -> Refusal | None:
    """Why a step cannot have the pieces that it claims, or None; the order stays locked until the commit."""
    if step.pieces is None or not step.claims:
        return None
    case_id = step.case.case_id
    row = await connection.fetchrow("SELECT order_no, opened FROM casebook.cases WHERE case_id = $1", case_id)
    opened = read_own(Opened, row["opened"]) if row else Opened()
    if row is None or opened.order is None:
        return None
    await lock(connection, row["order_no"])
    others = await holders(connection, row["order_no"], besides=[case_id])
    return refused_claim_of_pieces(step.pieces, opened.order, others)
