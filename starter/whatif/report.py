"""The report on what would have happened: counts, money, and what it rests on (G7). Amounts in minor units."""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from starter.whatif.comparing import NOT_OPENED, Compared, ComparedStory, Difference, End
from workflows.messages.cases import LogEntry
from workflows.rules.local_time import local

LIMITS: Final = (
    "People would have acted otherwise. Commands, carriers and the gateway are told again when they came; nobody says "
    "anything sooner or instead. Only what comes before a case is so far under these rules is told as soon as it is.\n"
    "What never came into the book is not in the report: requests and commands that were refused, orders that shipped "
    "in time, what would have been asked for under other rules.\n"
    "A refund of which the ledger knows nothing is taken for paid at once, out of the account that usually pays.\n"
    "What a merchant's standing orders have decided they decide again where the profile still allows it; what they "
    "count in a day is not counted anew (G4).\n"
    "A case that an officer moved to another version of the profile stays with the one that is tried."
).splitlines()
"""What the report cannot know."""


@dataclass(frozen=True)
class Change:
    """So many cases of a kind that end otherwise in the same way."""

    kind: str
    was: str
    would_be: str
    cases: int


@dataclass(frozen=True)
class Money:
    """What buyers are paid in a currency, and whose money that is; under the rules as they were and as tried."""

    currency: str
    was: int
    """All that was paid by cases that could be told again."""
    would_be: int
    more_for_buyers: int
    """Paid more to buyers; negative where less."""
    more_from_merchants: int
    more_from_platform: int
    moved: int
    """The amounts of all cases that pay more or less, without their signs."""
    more_on_its_way: int
    """Reserved or sent, and not known to have arrived, beyond what was before."""


@dataclass(frozen=True)
class Deadline:
    """A deadline that decides before a command came that was obeyed."""

    kind: str
    rule: str
    event: str
    """The log line of the decision."""
    cases: int
    otherwise: int
    """How many of them end otherwise."""
    least_late_minutes: int
    """By how much the command came too late, in the case in which it was least."""
    most_late_minutes: int


@dataclass(frozen=True)
class NotHeard:
    """Commands that were obeyed and would not be."""

    command: str
    code: str
    """Of the refusal."""
    commands: int
    in_cases_that_end_otherwise: int


@dataclass(frozen=True)
class Untold:
    """Cases that cannot be told again: their own rules, told again, do not come to what the book says."""

    reason: str
    cases: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """A case that ends otherwise."""

    case_id: str
    was: str
    would_be: str
    more: int
    """Paid more to the buyer; negative where less."""
    currency: str
    because: str
    """Where both ways part."""
    unheard: tuple[str, ...]
    """The commands that were obeyed and would not be."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was tried, and on which cases."""

    profile: str | None
    """What was tried: ``douyin/2``; None where only pauses were."""
    pauses: tuple[str, ...]
    since: datetime
    until: datetime
    told_until: datetime
    """Open cases, and those that last longer, are told until then."""
    other_profiles: dict[str, int]
    """Cases of that time that go by other profiles: nothing is tried on them."""


@dataclass(frozen=True, kw_only=True)
class Report(Asked):
    """What would have happened."""

    cases: int
    """All in question: of the profile that is tried, opened in that time."""
    told: int
    same: int
    otherwise: int
    sooner: int
    """The same end comes sooner."""
    later: int
    not_opened: int
    """Of those that end otherwise: they would not be opened at all."""
    changes: tuple[Change, ...]
    money: tuple[Money, ...]
    deadlines: tuple[Deadline, ...]
    not_heard: tuple[NotHeard, ...]
    rest_on_unheard: int
    """Of those that end otherwise: somebody had said, or asked for, something that would not be obeyed."""
    given_more_time: int
    """A deadline comes later than it did, or is not over: nobody knows who would have used that time."""
    told_later: int
    """Commands that are told later than they came, because the case had not come so far under the rules tried."""
    assumed_paid: int
    """Refunds that are taken for paid, because the ledger knows nothing of them."""
    untold: tuple[Untold, ...]
    examples: tuple[Example, ...]
    """Cases that end otherwise, those that move most money first."""
    limits: tuple[str, ...] = tuple(LIMITS)


@dataclass
class _Late:
    cases: int = 0
    otherwise: int = 0
    least: timedelta = timedelta.max
    most: timedelta = timedelta()


@dataclass
class Totals:
    """Adds cases up as they come; takes no more memory however many."""

    most_examples: int
    told: int = 0
    otherwise: int = 0
    sooner: int = 0
    later: int = 0
    not_opened: int = 0
    rest_on_unheard: int = 0
    given_more_time: int = 0
    told_later: int = 0
    assumed_paid: int = 0
    changes: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    money: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    deadlines: dict[tuple[str, str, str], _Late] = field(default_factory=dict[tuple[str, str, str], _Late])
    not_heard: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    not_heard_otherwise: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    untold: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict[str, tuple[int, tuple[str, ...]]])
    _examples: list[tuple[int, str, Example]] = field(default_factory=list[tuple[int, str, Example]])

    def add(self, stories: Iterable[ComparedStory]) -> None:
        """Add what these stories have come to."""
        for story in stories:
            if story.cannot:
                cases, examples = self.untold.get(story.cannot, (0, ()))
                examples = (*examples, *story.named)[: self.most_examples]
                self.untold[story.cannot] = (cases + len(story.named), examples)
            for case in story.cases:
                self._add(case)

    def _add(self, case: Compared) -> None:
        self.told += 1
        self.told_later += case.told_later
        self.assumed_paid += case.assumed
        self.sooner += case.later < timedelta()
        self.later += case.later > timedelta()
        self.given_more_time += case.more_time
        self._add_money(case)
        for each in case.unheard:
            self.not_heard[each.command, each.code] += 1
            self.not_heard_otherwise[each.command, each.code] += case.otherwise
        if decided := case.silence_first:
            late = self.deadlines.setdefault((case.kind, decided.rule, decided.event), _Late())
            by = min(each.at - decided.at for each in case.unheard if each.at >= decided.at)
            late.cases, late.otherwise = late.cases + 1, late.otherwise + case.otherwise
            late.least, late.most = min(late.least, by), max(late.most, by)
        if not case.otherwise:
            return
        self.otherwise += 1
        never = case.would.outcome == NOT_OPENED
        self.not_opened += never
        self.rest_on_unheard += never or bool(case.unheard)
        self.changes[case.kind, said_of(case.was), said_of(case.would)] += 1
        example = _example(case)
        kept = (abs(example.more), case.case_id, example)
        if len(self._examples) < self.most_examples:
            heapq.heappush(self._examples, kept)
        elif self.most_examples:
            heapq.heappushpop(self._examples, kept)

    def _add_money(self, case: Compared) -> None:
        sums, more = self.money.setdefault(case.currency, Counter()), case.would_pay - case.paid
        sums["was"] += case.paid.merchant + case.paid.platform
        sums["would_be"] += case.would_pay.merchant + case.would_pay.platform
        sums["merchant"] += more.merchant
        sums["platform"] += more.platform
        sums["on_its_way"] += more.on_its_way
        sums["moved"] += abs(more.merchant + more.platform)

    def report(self, asked: Asked) -> Report:
        """The report, with what was asked for."""
        untold = sum(cases for cases, _ in self.untold.values())
        return Report(
            profile=asked.profile,
            pauses=asked.pauses,
            since=asked.since,
            until=asked.until,
            told_until=asked.told_until,
            other_profiles=asked.other_profiles,
            cases=self.told + untold,
            told=self.told,
            same=self.told - self.otherwise,
            otherwise=self.otherwise,
            sooner=self.sooner,
            later=self.later,
            not_opened=self.not_opened,
            changes=tuple(Change(*change, cases) for change, cases in self.changes.most_common()),
            money=tuple(
                Money(
                    currency=currency,
                    was=sums["was"],
                    would_be=sums["would_be"],
                    more_for_buyers=sums["would_be"] - sums["was"],
                    more_from_merchants=sums["merchant"],
                    more_from_platform=sums["platform"],
                    moved=sums["moved"],
                    more_on_its_way=sums["on_its_way"],
                )
                for currency, sums in sorted(self.money.items())
            ),
            deadlines=tuple(
                Deadline(*what, late.cases, late.otherwise, _minutes(late.least), _minutes(late.most))
                for what, late in sorted(self.deadlines.items(), key=lambda item: -item[1].cases)
            ),
            not_heard=tuple(
                NotHeard(*what, commands, self.not_heard_otherwise[what])
                for what, commands in self.not_heard.most_common()
            ),
            rest_on_unheard=self.rest_on_unheard,
            given_more_time=self.given_more_time,
            told_later=self.told_later,
            assumed_paid=self.assumed_paid,
            untold=tuple(
                Untold(reason, cases, examples)
                for reason, (cases, examples) in sorted(self.untold.items(), key=lambda item: -item[1][0])
            ),
            examples=tuple(each for _, _, each in sorted(self._examples, key=lambda kept: (-kept[0], kept[1]))),
        )


def said_of(end: End) -> str:
    """How a case stands at last, with why where it was not opened: ``refunded``, ``not_opened: window_over``."""
    return f"{end.outcome}: {end.refusal}" if end.refusal else end.outcome


def _example(case: Compared) -> Example:
    more = case.would_pay - case.paid
    return Example(
        case_id=case.case_id,
        was=said_of(case.was),
        would_be=said_of(case.would),
        more=more.merchant + more.platform,
        currency=case.currency,
        because=_because(case.parts_at),
        unheard=tuple(f"{each.command} ({each.code})" for each in case.unheard),
    )


def _because(parts: Difference | None) -> str:
    return f"{_line(parts.would_be)} instead of {_line(parts.was)}" if parts else ""


def _line(line: LogEntry | None) -> str:
    return f"{line.event} ({line.rule}) at {local(line.at)}" if line else "nothing more"


def _minutes(duration: timedelta) -> int:
    return int(duration.total_seconds() // 60)
