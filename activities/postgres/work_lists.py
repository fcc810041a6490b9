"""The work lists 售后工作台: open cases with the time that is left (SPEC section 12)."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from activities.postgres.connection import Connection
from workflows.messages.flags import Colour
from workflows.messages.message import Identifier, Sha256
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName, WorkList


class WorkQuery(BaseModel):
    """Which cases to list. Without ``merchant_id`` those of all merchants: for the platform only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    merchant_id: Identifier | None = None
    work_list: WorkList | None = None
    order_no: Identifier | None = None
    buyer_id: Identifier | None = None
    customer: Sha256 | None = None
    """The keyed hash of the customer's name, phone or account name (A4), see ``activities.postgres.lookup``."""
    flag: Colour | None = None
    """The flag of the order or the allowance, as its own merchant has put it up."""
    with_closed: bool = False
    limit: int = Field(default=50, ge=1, le=1000)


class WorkItem(BaseModel):
    """One case in a list. Amounts are minor units, moments UTC."""

    model_config = ConfigDict(frozen=True)

    case_id: str
    kind: CaseKind
    stage: StageName
    work_list: WorkList | None
    merchant_id: str
    buyer_id: str | None
    order_no: str | None
    allowance_id: str | None
    currency: str
    asked: int
    refunded: int
    policy: str
    opened_at: datetime
    due_at: datetime | None
    attention: Attention | None
    outcome: OutcomeKind | None
    flag: Colour | None
    """What its merchant has put up at the order or the allowance."""


_CASES = """
    (
        SELECT cases.*, flags.colour AS flag
        FROM casebook.cases LEFT JOIN shop.flags
        ON flags.merchant_id = cases.merchant_id AND flags.subject = coalesce(cases.order_no, cases.allowance_id)
    ) AS cases
"""

_WHERE = """
    ($1::text IS NULL OR merchant_id = $1)
    AND ($2::text IS NULL OR work_list = $2)
    AND ($3::text IS NULL OR order_no = $3)
    AND ($4::text IS NULL OR buyer_id = $4)
    AND ($5::text IS NULL OR coalesce(order_no, allowance_id) IN (
        SELECT subject FROM vault.lookups WHERE hash = $5
    ))
    AND ($6::text IS NULL OR flag = $6)
    AND ($7 OR closed_at IS NULL)
"""


async def find_work(connection: Connection, query: WorkQuery) -> list[WorkItem]:
    """The cases of ``query``, the most urgent first; cases without a deadline come last."""
    rows = await connection.fetch(
        f"""
        SELECT case_id, kind, stage, work_list, merchant_id, buyer_id, order_no, allowance_id, currency, asked,
               refunded, policy, opened_at, due_at, attention, outcome, flag
        FROM {_CASES} WHERE {_WHERE}
        ORDER BY due_at NULLS LAST, case_id LIMIT $8
        """,  # noqa: S608 -- constants
        *_arguments(query),
        query.limit,
    )
    return [WorkItem.model_validate(dict(row)) for row in rows]


async def count_work(connection: Connection, query: WorkQuery) -> dict[str, int]:
    """How many cases of ``query`` are in each work list."""
    rows = await connection.fetch(
        f"""
        SELECT coalesce(work_list, 'closed') AS list, count(*) AS cases
        FROM {_CASES} WHERE {_WHERE} GROUP BY 1
        """,  # noqa: S608 -- constants
        *_arguments(query),
    )
    return {row["list"]: row["cases"] for row in rows}


def _arguments(query: WorkQuery) -> tuple[object, ...]:
    return (
        query.merchant_id,
        query.work_list,
        query.order_no,
        query.buyer_id,
        query.customer,
        query.flag,
        query.with_closed,
    )
