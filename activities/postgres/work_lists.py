"""The work lists 售后工作台: open cases with the time that is left (section 12).

A list is read page by page: each page begins after the last case of the one before, found in an index, so that the
hundredth page costs what the first one does. docs/work-lists.md says which index answers which question.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    model_validator,
)

from activities.postgres.connection import Connection
from workflows.messages.applications import ApplicationVersion
from workflows.messages.flags import Colour
from workflows.messages.message import CaseId, Code, Identifier, Moment, Sha256
from workflows.messages.proposals import Talk
from workflows.messages.seen import Seen
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName, WorkList

_CASE_ID: Final = TypeAdapter[str](CaseId)
_LAST_DEADLINE: Final = datetime(2900, 1, 1, tzinfo=UTC)
"""Before all ranks of cases without a deadline."""


@dataclass(frozen=True)
class PageKey:
    """Where a page ends: behind this rank (``due_rank``) and, of the cases with the same, behind this one."""

    rank: datetime
    case_id: str

    def __str__(self) -> str:
        """As it travels: letters, digits, ``-`` and ``_``, which no URL and no shell changes."""
        plain = f"{self.rank.astimezone(UTC).isoformat()} {self.case_id}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that ``text`` is.

        Raises:
            ValueError: it is none that was given out.
        """
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
            rank, _, case_id = plain.partition(" ")
            key = cls(datetime.fromisoformat(rank), _CASE_ID.validate_python(case_id))
            if str(key) == text:  # one spelling only; a moment without an offset is none of ours either
                return key
        except (ValueError, OverflowError):
            pass
        raise ValueError("must be the key of a page, as the page before it gave it")


def _page_key(text: str) -> str:
    PageKey.parse(text)
    return text


class WorkQuery(BaseModel):
    """Which cases to list: those to which all of it applies. ``work_counts`` passes over ``after`` and ``limit``.

    Raises:
        ValidationError: a field is wrong, a malformed page key included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    merchant_id: Identifier | None = None
    """Without it those of all merchants: for the platform only."""
    work_list: WorkList | None = None
    kind: CaseKind | None = None
    order_no: Identifier | None = None
    buyer_id: Identifier | None = None
    customer: Sha256 | None = None
    """The keyed hash of the customer's name, phone or account name (A4), see ``activities.postgres.lookup``."""
    flag: Colour | None = None
    """The flag of the order or the allowance, as its own merchant has put it up."""
    attention: Attention | None = None
    """Only cases that a person must look at for this reason."""
    needs_attention: bool = False
    """Only cases that a person must look at, for whatever reason."""
    opened_from: Moment | None = None
    opened_until: Moment | None = None
    """Opened before this moment, and from ``opened_from`` on."""
    due_before: Moment | None = None
    """Only cases whose deadline is before this moment; those without one are none of them."""
    with_closed: bool = False
    """Closed cases as well, for one order, buyer or customer: of a merchant all are read. They have no deadline."""
    after: Annotated[str, AfterValidator(_page_key)] | None = None
    """The page after the one that gave this key as its ``next``; the rest of the query must be the same."""
    limit: int = Field(default=50, ge=1, le=1000)

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.opened_from and self.opened_until and self.opened_from >= self.opened_until:
            raise ValueError("opened_until must be after opened_from")
        return self


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
    """By the current version of the application (R10)."""
    version: int = 1
    """Of the application: the request is 1, each amendment the next (R10)."""
    reason: Code | None = None
    """Why it is asked for; None where nothing is applied for, as for an allowance (R4)."""
    application: ApplicationVersion | None = None
    """All of the current version: lines, freight, method, words and evidence as references (R10)."""
    talk: Annotated[Talk, BeforeValidator(lambda kept: kept or Talk())] = Talk()
    """Open proposals, with the time until which each stands, and the number of messages (N1, N5)."""
    refunded: int
    policy: str
    opened_at: datetime
    due_at: datetime | None
    attention: Attention | None
    outcome: OutcomeKind | None
    flag: Colour | None
    """What its merchant has put up at the order or the allowance."""

    @property
    def seen(self) -> Seen:
        """What a decision on what is shown here names (R11)."""
        return Seen(version=self.version, amount=self.asked)


class WorkPage(BaseModel):
    """Some cases of a list, the most urgent first; those without a deadline last, the longest open first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[WorkItem, ...]
    next: str | None
    """The key of the page after this one; None where this is the last.

    It names a place, not a case, and so stays valid whatever happens to the cases. Going from page to page, a case
    that stays where it is comes exactly once. One that moves meanwhile can be missed (its deadline came nearer than
    the place that was reached, or it was opened there) or come again (its deadline moved behind that place).
    """


# Clients may read a case's columns but not its state (``activities.postgres.roles``): so never all of them.
_PLAIN: Final = """
    case_id, kind, stage, work_list, merchant_id, buyer_id, order_no, allowance_id, currency, asked, refunded, policy,
    opened_at, due_at, attention, outcome, flag, due_rank, talk"""
_COLUMNS: Final = f"""{_PLAIN},
    coalesce((application ->> 'version')::integer, 1) AS version, application ->> 'reason' AS reason, application
"""

_EQUAL: Final = ("merchant_id", "work_list", "kind", "order_no", "buyer_id", "flag", "attention")
"""Fields that name what the column of the same name must be."""

_READ: Final = f"SELECT {_PLAIN}, closed_at, application FROM casebook.cases"  # noqa: S608 -- constants
# By the order's or the allowance's cases: the offset keeps the planner from any other way.
_OF_CUSTOMER: Final = f"""
    (
        SELECT found.* FROM (
            SELECT DISTINCT merchant_id, subject FROM vault.lookups WHERE {{lookups}}
        ) AS known, LATERAL (
            {_READ} WHERE order_no = known.subject AND merchant_id = known.merchant_id
            UNION ALL
            {_READ} WHERE allowance_id = known.subject AND merchant_id = known.merchant_id
            OFFSET 0
        ) AS found
    ) AS cases
"""  # noqa: S608 -- constants


def page_sql(query: WorkQuery) -> tuple[str, list[object]]:
    """The statement that reads one page, and one row more to see whether there is another; and its arguments."""
    cases, where, arguments = _conditions(query)
    if query.after:
        key = PageKey.parse(query.after)
        arguments += [key.rank, key.case_id]
        where += f" AND (due_rank, case_id) > (${len(arguments) - 1}, ${len(arguments)})"
    arguments.append(query.limit + 1)
    order = f"ORDER BY due_rank, case_id LIMIT ${len(arguments)}"
    return f"SELECT {_COLUMNS} FROM {cases} WHERE {where} {order}", arguments  # noqa: S608 -- constants


def counts_sql(query: WorkQuery) -> tuple[str, list[object]]:
    """The statement that counts the cases in each work list, and its arguments."""
    cases, where, arguments = _conditions(query)
    return f"SELECT work_list, count(*) AS cases FROM {cases} WHERE {where} GROUP BY work_list", arguments  # noqa: S608


async def find_work(connection: Connection, query: WorkQuery) -> WorkPage:
    """One page of the cases of ``query``."""
    statement, arguments = page_sql(query)
    rows = await connection.fetch(statement, *arguments)
    shown = rows[: query.limit]
    key = PageKey(shown[-1]["due_rank"], shown[-1]["case_id"]) if len(rows) > query.limit else None
    return WorkPage(items=tuple(WorkItem.model_validate(dict(row)) for row in shown), next=str(key) if key else None)


async def count_work(connection: Connection, query: WorkQuery) -> dict[str, int]:
    """How many cases of ``query`` are in each work list; closed ones are in the list ``closed``."""
    statement, arguments = counts_sql(query)
    rows = await connection.fetch(statement, *arguments)
    return {row["work_list"] or "closed": row["cases"] for row in rows}


def _conditions(query: WorkQuery) -> tuple[str, str, list[object]]:
    """Where to look, for what, and the arguments.

    Only the conditions that were asked for: the planner then sees which index answers the question.
    """
    conditions: list[str] = []
    arguments: list[object] = []

    def argument(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    equal = [(name, getattr(query, name)) for name in _EQUAL]
    conditions += [f"{name} = {argument(value)}" for name, value in equal if value is not None]
    # Moments not as arguments: how many cases a range holds must be seen by the planner each time.
    if query.opened_from:
        conditions.append(f"opened_at >= {_literal(query.opened_from)}")
    if query.opened_until:
        conditions.append(f"opened_at < {_literal(query.opened_until)}")
    if query.due_before:
        conditions.append(f"due_rank < {_literal(min(query.due_before, _LAST_DEADLINE))}")
    if query.needs_attention and query.attention is None:
        conditions.append("attention IS NOT NULL")
    cases = "casebook.cases"
    if query.customer:
        lookups = f"hash = {argument(query.customer)}"
        if query.merchant_id:
            lookups += f" AND merchant_id = {argument(query.merchant_id)}"
        cases = _OF_CUSTOMER.format(lookups=lookups)
    if not query.with_closed:
        conditions.append("closed_at IS NULL")
    return cases, " AND ".join(conditions) or "true", arguments


def _literal(moment: datetime) -> str:
    return f"timestamptz '{moment.isoformat()}'"
