"""Cases of the book as stories, order by order: what opened them, what was told to them, and what came of it (G7).

Read-only, a page at a time by order number or allowance id; no transaction lasts longer than a page's statements.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from activities.postgres.connection import Connection
from activities.postgres.ledger import leg_event
from workflows.messages.cases import LogEntry, StepAnswer
from workflows.messages.message import CaseId
from workflows.messages.openings import Opened, OpenedBy
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelPurpose
from workflows.messages.policy import Policy
from workflows.messages.reading import read_own, read_own_json
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.legs import LegEvent


@dataclass(frozen=True)
class Scope:
    """Which cases are asked about: opened from ``since`` on and before ``until``."""

    since: datetime
    until: datetime
    merchant_id: str | None = None
    kind: CaseKind | None = None


@dataclass(frozen=True)
class PastLine:
    """A line of the log."""

    entry: LogEntry
    step: int
    stage: StageName | None
    """Where the case stood after it."""
    command: Mapping[str, Mapping[str, Any]] | None
    """See ``NewEntry.command``."""


@dataclass(frozen=True)
class PastCase:
    """A case as the book has it."""

    case_id: CaseId
    kind: CaseKind
    merchant_id: str
    currency: str
    request: OpenedBy | None
    """What opened it; None where the book does not have that."""
    opened: Opened
    opened_at: datetime
    stage: StageName
    outcome: OutcomeKind | None
    refunded: int
    compensated: int
    closed_at: datetime | None
    answers: Mapping[int, StepAnswer]
    """What those steps gave that moved the case to a policy, chose an address, or came to a standing order."""
    lines: tuple[PastLine, ...]


@dataclass(frozen=True)
class PastParcel:
    """A parcel that a case or an order watched, and what carriers have told of it, with when that was recorded."""

    parcel: Parcel
    purpose: ParcelPurpose
    case_id: CaseId | None
    events: tuple[tuple[datetime, CarrierEvent], ...]


@dataclass(frozen=True)
class PastStory:
    """All cases of an order or an allowance, in the order of their opening, and what happened beside them."""

    subject: str
    cases: tuple[PastCase, ...]
    legs: Mapping[str, tuple[LegEvent, ...]]
    """What was said of each refund, by its number, in the order in which it was entered."""
    parcels: tuple[PastParcel, ...] = ()
    away: tuple[CaseId, ...] = ()
    """Cases of which no more is here than that they were: the rest is in the archive alone."""


async def policies_in(connection: Connection, scope: Scope) -> dict[str, int]:
    """How many cases of the scope go by which profile and version: ``douyin/1``."""
    rows = await connection.fetch(
        f"SELECT policy, count(*) AS cases FROM casebook.every_case WHERE {_IN_SCOPE} GROUP BY policy ORDER BY policy",  # noqa: S608
        *_arguments(scope),
    )
    return {row["policy"]: row["cases"] for row in rows}


async def profile_of(connection: Connection, name: str, version: int) -> Policy | None:
    """The profile of this name and version as some case has kept it, or None."""
    found = await connection.fetchval(
        """
        SELECT (opened -> 'policy')::text FROM casebook.whole_case
        WHERE policy = $1 AND (opened -> 'policy' ->> 'version')::int = $2 LIMIT 1
        """,
        f"{name}/{version}",
        version,
    )
    return read_own_json(Policy, found) if found else None


_IN_SCOPE: Final = """
opened_at >= $1 AND opened_at < $2 AND ($3::text IS NULL OR merchant_id = $3) AND ($4::text IS NULL OR kind = $4)
"""


def _arguments(scope: Scope) -> tuple[object, ...]:
    return (scope.since, scope.until, scope.merchant_id, scope.kind)


async def subjects(connection: Connection, scope: Scope, column: str, after: str, limit: int) -> list[str]:
    """A page of orders, or of allowances, that have a case in the scope, by their ids.

    Args:
        connection: Where to read.
        scope: Which cases.
        column: ``order_no`` or ``allowance_id``.
        after: The last id of the page before.
        limit: How many.
    """
    # Each table by its own index, and no further than this page.
    pages = " UNION ".join(
        f"""
        (SELECT DISTINCT {column} AS subject FROM casebook.{table}
         WHERE {column} > $5 AND {_IN_SCOPE} ORDER BY 1 LIMIT $6)
        """  # noqa: S608 -- one of two columns of one of two tables
        for table in ("cases", "closed_keys")
    )
    rows = await connection.fetch(
        f"SELECT subject FROM ({pages}) AS pages ORDER BY 1 LIMIT $6",  # noqa: S608 -- the same
        *_arguments(scope),
        after,
        limit,
    )
    return [row["subject"] for row in rows]


async def subject_of(connection: Connection, case_id: str) -> tuple[str, str] | None:
    """The column and the id that say what a case is about; None for an unknown case."""
    row = await connection.fetchrow(
        "SELECT order_no, allowance_id FROM casebook.every_case WHERE case_id = $1", case_id
    )
    if row is None:
        return None
    return ("order_no", row["order_no"]) if row["order_no"] else ("allowance_id", row["allowance_id"])


async def stories(connection: Connection, column: str, ids: Sequence[str]) -> list[PastStory]:
    """The stories of these orders or allowances."""
    known = await connection.fetch(
        f"SELECT case_id, {column} AS subject FROM casebook.every_case WHERE {column} = ANY ($1)",  # noqa: S608
        list(ids),
    )
    rows = await connection.fetch(
        f"""
        SELECT {column} AS subject, case_id, kind, merchant_id, currency, request::text, opened::text, opened_at, stage,
               outcome, refunded, compensated, closed_at,
               (
                   SELECT jsonb_object_agg(key, value)::text FROM jsonb_each(coalesce(stepped, '{{}}'))
                   WHERE value -> 'policy' <> 'null' OR value -> 'address' <> 'null'
                       OR value -> 'standing_order' <> 'null'
               ) AS answers
        FROM casebook.whole_case WHERE case_id = ANY ($1) ORDER BY opened_at, case_id
        """,  # noqa: S608 -- one of two columns
        [each["case_id"] for each in known],
    )
    cases = [row["case_id"] for row in rows]
    away: dict[str, list[CaseId]] = {}
    for each in known:
        if each["case_id"] not in cases:
            away.setdefault(each["subject"], []).append(each["case_id"])
    lines = await _lines(connection, cases)
    legs = await _legs(connection, cases)
    parcels = await _parcels(connection, cases, list(ids))
    found: dict[str, list[PastCase]] = {each["subject"]: [] for each in known}
    for row in rows:
        found.setdefault(row["subject"], []).append(_case(row, lines.get(row["case_id"], ())))
    return [
        PastStory(
            subject=subject,
            cases=tuple(of_subject),
            legs={number: said for each in of_subject for number, said in legs.get(each.case_id, {}).items()},
            parcels=(
                *parcels.get(subject, ()),
                *(parcel for each in of_subject for parcel in parcels.get(each.case_id, ())),
            ),
            away=tuple(away.get(subject, ())),
        )
        for subject, of_subject in found.items()
    ]


def _case(row: asyncpg.Record, lines: Sequence[PastLine]) -> PastCase:
    answers: dict[str, object] = _json(row["answers"]) or {}
    return PastCase(
        case_id=row["case_id"],
        kind=CaseKind(row["kind"]),
        merchant_id=row["merchant_id"],
        currency=row["currency"],
        request=read_own_json(OpenedBy, row["request"]) if row["request"] else None,
        opened=read_own_json(Opened, row["opened"]),
        opened_at=row["opened_at"],
        stage=StageName(row["stage"]),
        outcome=OutcomeKind(row["outcome"]) if row["outcome"] else None,
        refunded=row["refunded"],
        compensated=row["compensated"],
        closed_at=row["closed_at"],
        answers={int(number): read_own(StepAnswer, answer) for number, answer in answers.items()},
        lines=tuple(lines),
    )


async def _lines(connection: Connection, cases: Sequence[str]) -> dict[str, list[PastLine]]:
    rows = await connection.fetch(
        """
        SELECT case_id, step, event, actor_role, actor_id, rule, at, command_key, command_digest, facts::text,
               stage, command::text
        FROM casebook.whole_log WHERE case_id = ANY ($1) ORDER BY case_id, position
        """,
        cases,
    )
    found: dict[str, list[PastLine]] = {}
    for row in rows:
        entry = LogEntry.model_validate(
            {
                "by": {"role": row["actor_role"], "id": row["actor_id"]},
                "facts": _json(row["facts"]),
                **{name: row[name] for name in ("event", "rule", "at", "command_key", "command_digest")},
            }
        )
        found.setdefault(row["case_id"], []).append(
            PastLine(entry, row["step"], StageName(row["stage"]) if row["stage"] else None, _json(row["command"]))
        )
    return found


async def _legs(connection: Connection, cases: Sequence[str]) -> dict[str, dict[str, tuple[LegEvent, ...]]]:
    legs = await connection.fetch("SELECT refund_no, case_id FROM ledger.every_leg WHERE case_id = ANY ($1)", cases)
    case_of: dict[str, str] = {leg["refund_no"]: leg["case_id"] for leg in legs}
    rows = await connection.fetch(
        "SELECT * FROM ledger.every_leg_event WHERE refund_no = ANY ($1) ORDER BY refund_no, seq", list(case_of)
    )
    found: dict[str, dict[str, tuple[LegEvent, ...]]] = {}
    for row in rows:
        of_case = found.setdefault(case_of[row["refund_no"]], {})
        of_case[row["refund_no"]] = (*of_case.get(row["refund_no"], ()), leg_event(row))
    return found


async def _parcels(
    connection: Connection, cases: Sequence[str], orders: Sequence[str]
) -> dict[str, tuple[PastParcel, ...]]:
    """By the case, or by the order, that watches them."""
    rows = await connection.fetch(
        """
        SELECT id, purpose, case_id, order_no, watches.carrier, watches.tracking_no, event_key, event, happened_at,
               recorded_at
        FROM logistics.watches LEFT JOIN logistics.events USING (carrier, tracking_no)
        WHERE case_id = ANY ($1) OR order_no = ANY ($2) ORDER BY id, happened_at, arrival
        """,
        cases,
        orders,
    )
    watches: dict[int, tuple[asyncpg.Record, Parcel, list[tuple[datetime, CarrierEvent]]]] = {}
    for row in rows:
        parcel = Parcel.made_of(carrier=row["carrier"], tracking_no=row["tracking_no"])
        _, _, events = watches.setdefault(row["id"], (row, parcel, []))
        if row["event_key"]:
            event = CarrierEvent.made_of(
                key=row["event_key"],
                parcel=parcel,
                event=ParcelEvent(row["event"]),
                happened_at=row["happened_at"],
            )
            events.append((row["recorded_at"], event))
    found: dict[str, tuple[PastParcel, ...]] = {}
    for row, parcel, events in watches.values():
        watched = PastParcel(parcel, ParcelPurpose(row["purpose"]), row["case_id"], tuple(events))
        by = row["case_id"] or row["order_no"]
        found[by] = (*found.get(by, ()), watched)
    return found


def _json(text: Any) -> Any:
    """A column of the type jsonb, whether or not the connection has decoded it already."""
    return json.loads(text) if isinstance(text, str) else text
