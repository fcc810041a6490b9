"""What a step tells others of its case (X4): composed with the step, and written in its transaction.

Only what names no person goes in: ids of the case, its order and its merchant, codes, amounts, moments. Who acted is
told by role, and what stands in a line's facts stays in the case log (P6).
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import asyncpg

from activities.postgres.repeated_steps import BY_THE_WAY
from workflows.messages.actors import Role
from workflows.messages.cases import LogEntry, Step
from workflows.messages.events import Event, EventLine, EventType
from workflows.messages.money import Money
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.stages import Attention, CaseKind, StageName


def of_opening(opening: OpenCase, opened: Opened, entry: LogEntry) -> str:
    """The event of a case that is opened, as JSON."""
    request = opening.request
    assert opened.kind is not None
    assert opened.stage is not None
    return _written(
        Event.made_of(
            id=_id(opening.case.case_id, 0, EventType.OPENED, opening.at),
            type=EventType.OPENED,
            case_id=opening.case.case_id,
            sequence=0,
            at=opening.at,
            kind=opened.kind,
            merchant_id=request.merchant_id,
            order_no=getattr(request, "order_no", None),
            allowance_id=getattr(request, "allowance_id", None),
            stage=opened.stage,
            due=opened.due.at if opened.due else None,
            asked=opened.asked,
            lines=_lines((entry,)),
        )
    )


def of_step(step: Step, due: datetime | None, before: asyncpg.Record) -> str | None:
    """The event of a step, as JSON; None for one that changes nothing that others see, and has no line for them.

    ``before`` is the case's row as it stood.
    """
    lines = _lines(step.entries)
    as_before = (step.stage, step.attention, step.outcome) == (before["stage"], before["attention"], before["outcome"])
    if as_before and not lines:
        return None
    kind, case_id, currency = _type(step, before), step.case.case_id, before["currency"]
    asked = step.application.amount if step.application else before["asked"]
    return _written(
        Event.made_of(
            id=_id(case_id, step.step, kind, step.at),
            type=kind,
            case_id=case_id,
            sequence=step.step,
            at=step.at,
            kind=step.kind,
            merchant_id=before["merchant_id"],
            order_no=before["order_no"],
            allowance_id=before["allowance_id"],
            stage=step.stage,
            due=due,
            attention=step.attention,
            outcome=step.outcome,
            asked=_money(asked, currency),
            refunded=_money(step.refunded, currency) if step.refunded else None,
            compensated=_money(step.compensated, currency) if step.compensated else None,
            lines=lines,
        )
    )


def of_attention(row: asyncpg.Record) -> str:
    """The event of a case that calls for a person because its book lacks steps, or no longer does (section 11).

    No step is written then: it has the number of the last one that the book has. ``row`` is the case's as it stands
    now, with the moment ``at``.
    """
    case_id, currency, attention = row["case_id"], row["currency"], row["attention"]
    behind = EventLine.made_of(event=Attention.BOOK_BEHIND.value, by=Role.CLOCK, rule="section 11")
    return _written(
        Event.made_of(
            id=_id(case_id, row["step"], EventType.ATTENTION, row["at"]),
            type=EventType.ATTENTION,
            case_id=case_id,
            sequence=row["step"],
            at=row["at"],
            kind=CaseKind(row["kind"]),
            merchant_id=row["merchant_id"],
            order_no=row["order_no"],
            allowance_id=row["allowance_id"],
            stage=StageName(row["stage"]),
            due=row["due_at"],
            attention=Attention(attention) if attention else None,
            asked=_money(row["asked"], currency),
            refunded=_money(row["refunded"], currency) if row["refunded"] else None,
            compensated=_money(row["compensated"], currency) if row["compensated"] else None,
            lines=(behind,) if attention == Attention.BOOK_BEHIND else (),
        )
    )


def _type(step: Step, before: asyncpg.Record) -> EventType:
    was_closed, closes = before["stage"] == StageName.CLOSED, step.stage is StageName.CLOSED
    if closes and not was_closed:
        return EventType.CLOSED
    if was_closed and not closes:
        return EventType.REOPENED
    if step.stage != before["stage"]:
        return EventType.MOVED
    return EventType.ATTENTION if step.attention != before["attention"] else EventType.NOTED


def _lines(entries: Iterable[LogEntry]) -> tuple[EventLine, ...]:
    return tuple(
        EventLine.made_of(event=each.event, by=each.by.role, rule=each.rule)
        for each in entries
        if each.event not in BY_THE_WAY
    )


def _money(amount: int, currency: str) -> Money:
    return Money.made_of(amount=amount, currency=currency)


def _id(case_id: str, sequence: int, kind: EventType, at: datetime) -> str:
    """The same for the same step; another where a book that was restored takes another way from there."""
    source = f"{case_id}\n{sequence}\n{kind}\n{at.isoformat()}"
    return f"evt_{hashlib.sha256(source.encode()).hexdigest()[:26]}"


def _written(event: Event) -> str:
    return event.model_dump_json(exclude_none=True)
