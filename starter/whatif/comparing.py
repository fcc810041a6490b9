"""What a story came to, told under two sets of rules, case by case (G7)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from activities.postgres.past_cases import PastCase, PastStory
from starter.whatif.telling import ToldAgain, Unheard
from workflows.messages.actors import Role
from workflows.messages.cases import LogEntry
from workflows.messages.message import CaseId
from workflows.messages.payouts import LegState, PaidBy, Payer
from workflows.messages.stages import CaseKind
from workflows.rules.legs import in_flight

NOT_OPENED: Final = "not_opened"
BY_THE_WAY: Final = frozenset(
    {
        "deadline_near",
        "deadline_moved",
        "policy_moved",
        "command_refused",
        "book_behind",
        "pauses_changed",
        "look_at_book",
        "gateway_callback",
    }
)
"""Lines that decide nothing, and that depend on what is not told again: refused signals, say."""
_THE_SAME_MOMENT: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class End:
    """How a case stands at last."""

    kind: CaseKind
    outcome: str
    """How it ended; ``open:`` and its stage while it goes on; ``not_opened``."""
    refunded: int = 0
    compensated: int = 0
    closed_at: datetime | None = None
    refusal: str = ""
    """Why it was not opened."""

    def same_as(self, other: "End") -> bool:
        """Whether both are one, whenever they came."""
        mine = (self.outcome, self.refunded, self.compensated)
        return mine == (other.outcome, other.refunded, other.compensated)


@dataclass(frozen=True)
class Paid:
    """What a case has paid to the buyer, in minor units of its currency."""

    merchant: int = 0
    """Out of the merchant's account."""
    platform: int = 0
    """Out of the platform's, or in advance."""
    on_its_way: int = 0
    """Reserved or sent, and not known to have arrived."""

    def __sub__(self, other: "Paid") -> "Paid":
        """By how much this is more."""
        return Paid(self.merchant - other.merchant, self.platform - other.platform, self.on_its_way - other.on_its_way)


@dataclass(frozen=True)
class Difference:
    """The first line at which two logs part; None for a log that has ended there."""

    was: LogEntry | None
    would_be: LogEntry | None


@dataclass(frozen=True)
class Compared:
    """One case under both rules."""

    case_id: CaseId
    kind: CaseKind
    merchant_id: str
    currency: str
    was: End
    would: End
    paid: Paid
    would_pay: Paid
    parts_at: Difference | None
    unheard: tuple[Unheard, ...]
    told_later: int
    """Commands that are told later than they came, because the case had not come so far."""
    assumed: int
    """Refunds that are taken for paid, because the book knows nothing of them."""

    @property
    def otherwise(self) -> bool:
        """Whether it ends otherwise, or pays otherwise."""
        return not self.was.same_as(self.would) or self.paid != self.would_pay

    @property
    def silence_first(self) -> LogEntry | None:
        """The deadline that decides before a command came that was obeyed; None without one."""
        line = self.parts_at.would_be if self.parts_at else None
        if line is None or line.by.role is not Role.CLOCK:
            return None
        return line if any(each.at >= line.at for each in self.unheard) else None

    @property
    def more_time(self) -> bool:
        """Whether a deadline that has decided comes later, or is not over yet: somebody could have acted."""
        line = self.parts_at.was if self.parts_at else None
        silent = line is not None and line.by.role is Role.CLOCK
        return (silent and not self.unheard) or self.later > _THE_SAME_MOMENT

    @property
    def later(self) -> timedelta:
        """By how much the same end comes later; negative where sooner, zero where it is another end."""
        if self.otherwise or self.was.closed_at is None or self.would.closed_at is None:
            return timedelta()
        moved = self.would.closed_at - self.was.closed_at
        return moved if abs(moved) > _THE_SAME_MOMENT else timedelta()


@dataclass(frozen=True)
class ComparedStory:
    """All cases of a story that are in question."""

    cases: tuple[Compared, ...] = ()
    cannot: str = ""
    """Why it cannot be told again; empty where it can."""
    named: tuple[CaseId, ...] = field(default=())
    """The cases in question, where it cannot."""


def end_in_book(case: PastCase) -> End:
    """How a case stands by the book."""
    outcome = case.outcome.value if case.outcome else f"open:{case.stage}"
    return End(case.kind, outcome, case.refunded, case.compensated, case.closed_at)


def end_as_told(told: ToldAgain, case: PastCase) -> End:
    """How it stands when it has been told again."""
    row = told.row(case.case_id)
    if row is None:
        started = case.case_id in told.interpreter.cases()
        outcome = told.interpreter.outcome(case.case_id) if started else None
        refusal = outcome.refusal.code if outcome and outcome.refusal else ""
        return End(case.kind, NOT_OPENED, refusal=refusal)
    ended = row.outcome.value if row.outcome else f"open:{row.stage}"
    return End(row.kind, ended, row.refunded, row.compensated, row.closed_at)


def why_not_the_same(story: PastStory, told: ToldAgain) -> str:
    """Where a story that was told again under its own rules goes another way than the book says; empty for nowhere."""
    for case in story.cases:
        was, now = end_in_book(case), end_as_told(told, case)
        parts = parting([line.entry for line in case.lines], told.interpreter.log(case.case_id))
        if parts:
            return f"{_event(parts.was)} in the book, {_event(parts.would_be)} when told again"
        if not was.same_as(now):
            return f"{was.outcome} in the book, {now.outcome} when told again"
    return ""


def compared(story: PastStory, case: PastCase, was: ToldAgain, would: ToldAgain) -> Compared:
    """One case of a story under the rules that it had, and under others."""
    unheard = [each for each in would.unheard if each.case_id == case.case_id]
    before = {(each.case_id, each.event, each.at) for each in was.unheard}
    return Compared(
        case_id=case.case_id,
        kind=case.kind,
        merchant_id=case.merchant_id,
        currency=case.currency,
        was=end_as_told(was, case),
        would=end_as_told(would, case),
        paid=_paid(was, case.case_id),
        would_pay=_paid(would, case.case_id),
        parts_at=parting(was.interpreter.log(case.case_id), would.interpreter.log(case.case_id)),
        unheard=tuple(each for each in unheard if (each.case_id, each.event, each.at) not in before),
        told_later=would.later[case.case_id],
        assumed=len(_refunds(would, case.case_id) & (would.assumed - story.legs.keys())),
    )


def parting(was: Sequence[LogEntry], would: Sequence[LogEntry]) -> Difference | None:
    """Where two logs part, lines by the way left out; None where they tell the same."""
    one, other = ([line for line in log if line.event not in BY_THE_WAY] for log in (was, would))
    for index in range(max(len(one), len(other))):
        mine = one[index] if index < len(one) else None
        theirs = other[index] if index < len(other) else None
        if mine is None or theirs is None or (mine.event, mine.by) != (theirs.event, theirs.by):
            return Difference(mine, theirs)
    return None


def _paid(told: ToldAgain, case: CaseId) -> Paid:
    sums = {"merchant": 0, "platform": 0, "on_its_way": 0}
    for each in told.interpreter.ledger.booked_of(case):
        if each.standing.state is LegState.SUCCEEDED:
            by_platform = each.payout.payer is Payer.PLATFORM or each.standing.paid_by is PaidBy.PLATFORM
            sums["platform" if by_platform else "merchant"] += each.leg.amount
        elif in_flight(each.standing.state):
            sums["on_its_way"] += each.leg.amount
    return Paid(**sums)


def _refunds(told: ToldAgain, case: CaseId) -> set[str]:
    return {leg.refund_no for leg in told.interpreter.ledger.legs_of(case)}


def _event(line: LogEntry | None) -> str:
    return line.event if line else "nothing more"
