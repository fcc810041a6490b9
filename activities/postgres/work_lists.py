"""The work lists 售后工作台: open cases with the time that is left (section 12).

A list is read page by page: each page begins after the last case of the one before, found in an index, so that the
hundredth page costs what the first one does. docs/work-lists.md says which index answers which question.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from activities.postgres import flags, open_counts
from activities.postgres.connection import Connection
from activities.postgres.page_keys import PageKey, PageKeyText
from workflows.messages.applications import ApplicationVersion
from workflows.messages.flags import Colour
from workflows.messages.message import Code, Identifier, Moment, Sha256
from workflows.messages.place import TimeZone
from workflows.messages.policy import Policy
from workflows.messages.proposals import Talk
from workflows.messages.seen import Seen
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName, WorkList
from workflows.rules.reasons import label_of

_LAST_DEADLINE: Final = datetime(2900, 1, 1, tzinfo=UTC)
"""Before all ranks of cases without a deadline."""


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
    after: PageKeyText | None = None
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
    reason_label: str | None = None
    """The same in words, as the profile in force has them, in its language (G1, G6)."""
    application: ApplicationVersion | None = None
    """All of the current version: lines, freight, method, words and evidence as references (R10)."""
    talk: Annotated[Talk, BeforeValidator(lambda kept: kept or Talk())] = Talk()
    """Open proposals, with the time until which each stands, and the number of messages (N1, N5)."""
    refunded: int
    policy: str
    opened_at: datetime
    time_zone: TimeZone | None = None
    """In which people read the case's moments, as the profile in force has it (G6); None for Asia/Shanghai."""
    due_at: datetime | None
    attention: Attention | None
    outcome: OutcomeKind | None
    flag: Colour | None
    """What its merchant has put up at the order or the allowance."""
    remarks: int = 0
    """How many are noted at the case itself; ``desk.remarks`` reads them (section 12)."""
    order_remarks: int = 0
    """How many are noted at its order or allowance."""

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
_PAGE: Final = frozenset({"after", "limit"})
_COUNTED: Final = frozenset({"work_list", "kind", "attention", "needs_attention"})
"""By what ``open_counts`` can tell open cases apart."""

_READ: Final = f"SELECT {_PLAIN}, closed_at, application FROM {{cases}}"  # noqa: S608 -- constants
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
        arguments += [key.rank, key.of]
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
    noted = await flags.counted_remarks(connection, [row["case_id"] for row in shown])
    items = tuple(WorkItem.model_validate({**row, **noted[row["case_id"]]}) for row in shown)
    return WorkPage(items=items, next=str(key) if key else None)


class WorkCounts(BaseModel):
    """How many cases are in each work list; lists without any are left out, closed cases are in the list ``closed``."""

    model_config = ConfigDict(frozen=True)

    lists: dict[str, int]
    counted_at: datetime | None = None
    """When they were counted, in UTC; None where they were counted for this answer, and are exact.

    So old are only counts of all merchants together, where many cases are open: see docs/work-lists.md.
    """

    @property
    def in_all(self) -> int:
        """All of them together."""
        return sum(self.lists.values())


def with_labels(page: WorkPage, policy_now: Callable[[str], Policy | None]) -> WorkPage:
    """The page with each reason in words and each zone (G1, G6); ``policy_now`` gives a profile as it is in force."""
    items: list[WorkItem] = []
    for item in page.items:
        policy = policy_now(item.policy.partition("/")[0])
        told = {"reason_label": label_of(item.reason, policy), "time_zone": policy.time_zone if policy else None}
        items.append(item.model_copy(update=told))
    return page.model_copy(update={"items": tuple(items)})


async def count_work(connection: Connection, query: WorkQuery, *, exact: bool = False) -> WorkCounts:
    """How many cases of ``query`` are in each work list.

    ``exact`` has them counted anew where they would otherwise be of the last minutes.
    """
    narrowed = query.model_dump(exclude_defaults=True).keys() - _PAGE
    if not exact and narrowed <= _COUNTED and (kept := await open_counts.told(connection)):
        counted = kept.per_list(kind=query.kind, attention=query.attention, needs_attention=query.needs_attention)
        wanted = counted if query.work_list is None else {query.work_list: counted.get(query.work_list, 0)}
        lists = {name or "closed": cases for name, cases in wanted.items() if cases}
        return WorkCounts(lists=lists, counted_at=kept.counted_at)
    statement, arguments = counts_sql(query)
    rows = await connection.fetch(statement, *arguments)
    return WorkCounts(lists={row["work_list"] or "closed": row["cases"] for row in rows})


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
    cases = "casebook.every_case" if query.with_closed else "casebook.cases"
    if query.customer:
        lookups = f"hash = {argument(query.customer)}"
        if query.merchant_id:
            lookups += f" AND merchant_id = {argument(query.merchant_id)}"
        cases = _OF_CUSTOMER.format(lookups=lookups, cases=cases)
    if not query.with_closed:
        conditions.append("closed_at IS NULL")
    return cases, " AND ".join(conditions) or "true", arguments


def _literal(moment: datetime) -> str:
    return f"timestamptz '{moment.isoformat()}'"
