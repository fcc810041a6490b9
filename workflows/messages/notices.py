"""Sending notices again that could not be sent: the scheduled workflow's messages and its activity."""

from typing import Annotated

from pydantic import Field

from workflows.messages.message import Input, Instant, Message

Limit = Annotated[int, Field(ge=1, le=10_000)]


class NoticeResendRequest(Input):
    """What the schedule starts the workflow with."""

    limit: Limit = 500
    """How many notices one run sends at most; the next run takes the rest."""


class ResendNotices(Message):
    """What the activity is given."""

    at: Instant
    limit: Limit


class SendReport(Message):
    """What came of sending, in numbers of notices."""

    sent: int
    failed: int
    """They stay in the outbox and are tried again later."""
    undeliverable: int
    """They cannot be put into words and are never tried again."""
    more: bool
    """The limit was reached: there may be more that are due."""


async def resend_notices(resending: ResendNotices) -> SendReport:
    """Send the notices that are due and still unsent."""
    raise NotImplementedError
