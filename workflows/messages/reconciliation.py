"""Comparing our ledger with the payment gateway's book (section 10)."""

from typing import Annotated

from pydantic import Field

from workflows.messages.message import Instant, Message
from workflows.messages.policy import Hours, Minutes
from workflows.messages.words import Word


class DifferenceKind(Word):
    """How the books can differ."""

    GATEWAY_PAID_OURS_NOT = "gateway_paid_ours_not"
    OURS_PAID_GATEWAY_NOT = "ours_paid_gateway_not"
    """Ours says that the gateway has paid; the gateway does not."""
    PAID_TWICE = "paid_twice"
    """Ours was paid by hand or under another number, and the gateway has paid this as well."""
    OURS_FAILED_GATEWAY_OPEN = "ours_failed_gateway_open"
    """It has failed by our ledger, or was paid otherwise, and the gateway may still pay."""
    AMOUNT_DIFFERS = "amount_differs"
    """In amount or in currency."""
    UNKNOWN_TO_US = "unknown_to_us"
    UNKNOWN_TO_GATEWAY = "unknown_to_gateway"
    """Ours says that the gateway has accepted; the gateway has never seen the number."""
    LEG_OVERDUE = "leg_overdue"
    """Neither paid nor failed for longer than it should take."""
    FUND_OVERPAID = "fund_overpaid"
    """More was promised or paid back on a part of a fund than was paid on it (R8)."""


class AcceptedFor(Word):
    """Why an officer accepts a difference as it stands."""

    TAKEN_BACK_ELSEWHERE = "taken_back_elsewhere"
    """The money has come back, or was set off, on a way that the statement does not show."""
    WRITTEN_OFF = "written_off"
    """The money is not asked for again: somebody bears the loss."""
    NOT_OURS = "not_ours"
    """The refund was made outside of this service."""
    CONFIRMED = "confirmed"
    """The provider was asked: the money is right, and only its statement tells it otherwise."""


class Comparison(Message):
    """What counts as a difference, and how much is compared at a time."""

    page: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Refunds for each activity."""
    grace_minutes: Minutes = 60
    """So long after the gateway paid, its callback may still be on its way."""
    open_hours: Hours = 24 * 10
    """A leg that is open for longer is overdue."""


class ReconcileRequest(Message):
    """One page: the refunds whose numbers come after ``after``, as they stand at ``at`` (business time)."""

    at: Instant
    after: str = ""
    comparison: Comparison = Comparison()


class ReconcileReport(Message):
    """What the comparison of one page, or of all pages, came to."""

    compared: int = 0
    """Refunds on either book."""
    differences: dict[DifferenceKind, int] = Field(default_factory=dict[DifferenceKind, int])
    """How many of each kind there are now, known ones included."""
    new: int = 0
    """How many of them were not known before."""
    resolved: int = 0
    """How many that were known have vanished."""
    next_after: str | None = None
    """Where the next page begins; None after the last one."""

    def plus(self, page: "ReconcileReport") -> "ReconcileReport":
        """The report of both: what was compared before, and the page that follows."""
        kinds = {*self.differences, *page.differences}
        return ReconcileReport(
            compared=self.compared + page.compared,
            differences={kind: self.differences.get(kind, 0) + page.differences.get(kind, 0) for kind in sorted(kinds)},
            new=self.new + page.new,
            resolved=self.resolved + page.resolved,
            next_after=page.next_after,
        )


class ReconciliationRun(Message):
    """What the workflow is started with: a comparison, and after many pages what it has come to so far."""

    comparison: Comparison = Comparison()
    at: Instant | None = None
    """The business time of the comparison; the workflow's own when it begins with the first page."""
    so_far: ReconcileReport = ReconcileReport(next_after="")


async def reconcile(request: ReconcileRequest) -> ReconcileReport:
    """Compare one page of both books, and record what differs."""
    raise NotImplementedError
