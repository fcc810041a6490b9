"""What others are told of cases (X4): one event for each step that matters to them, and pages of a feed of them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from workflows.messages.actors import Role
from workflows.messages.message import CaseId, Code, Identifier, Input, Instant, Message
from workflows.messages.money import Money
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName
from workflows.messages.words import Word

Cursor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}-[0-9]{1,19}$")]
"""A place in the feed, as a page or an event gave it. Programs keep it and take nothing from its digits."""

EventId = Annotated[str, StringConstraints(pattern=r"^evt_[0-9a-f]{26}$")]


class EventType(Word):
    """What a step did to its case; the first of these that is true."""

    OPENED = "case.opened"
    CLOSED = "case.closed"
    """The case has ended; `outcome` tells how."""
    REOPENED = "case.reopened"
    """A case that had ended goes on: its refund came back, say."""
    MOVED = "case.moved"
    """It is in another stage."""
    ATTENTION = "case.attention"
    """In the same stage, it calls for a person for another reason than before, or no longer does."""
    NOTED = "case.noted"
    """In the same stage, something has happened; `lines` tell what."""


class EventLine(Message):
    """A line of the case log that the step wrote, without what names a person."""

    event: Code
    by: Role
    rule: str


class Event(Message):
    """How a case stood once a step was written. It names no person, nor what a person wrote (P6).

    Events of one case come in the order of their `sequence`; some come more than once, under the same `id`.
    """

    id: EventId
    """The same each time that the same event is told."""
    type: EventType
    case_id: CaseId
    sequence: int
    """The number of the step: it grows within a case, and leaves numbers out."""
    at: Instant
    """The moment of the step, in business time."""
    kind: CaseKind
    merchant_id: Identifier
    order_no: Identifier | None = None
    allowance_id: Identifier | None = None
    stage: StageName
    due: Instant | None = None
    """When the stage's deadline passes; none where it has none."""
    attention: Attention | None = None
    """Why the case calls for a person."""
    outcome: OutcomeKind | None = None
    asked: Money | None = None
    refunded: Money | None = None
    """What has been paid back, once it has arrived."""
    compensated: Money | None = None
    """What has been paid beside refunds (L3)."""
    lines: tuple[EventLine, ...] = ()


class FeedEvent(Message):
    """An event and its place in the feed."""

    cursor: Cursor
    """To read on from behind this event."""
    event: Event


class FeedQuery(Input):
    """Which page of the feed is wanted."""

    after: Cursor | None = None
    """The place that the page begins behind; the oldest event that is kept, without it."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """How many events are looked at, at most."""
    types: tuple[EventType, ...] = ()
    """Only events of these types; all of them where none is named."""
    merchant_id: Identifier | None = None
    """Only events of this merchant's cases."""


class FeedPage(Message):
    """Some events, in the order in which they were committed."""

    events: tuple[FeedEvent, ...]
    next: Cursor
    """What to read on from. It goes on where all events of a page were left out, too."""
    more: bool
    """There are more events already."""
