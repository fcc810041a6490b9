"""A stage of a case: what it is called, whom it waits for and for how long, and what silence comes to.

Each kind's module defines its own stages, beside what is done in them (``workflows.kinds.process``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from workflows.messages.actors import Role
from workflows.messages.cases import Span
from workflows.messages.policy import Policy
from workflows.messages.stages import Silence, StageName, WorkList

BUYER: Final = frozenset({Role.BUYER})
MERCHANT: Final = frozenset({Role.MERCHANT})
PLATFORM: Final = frozenset({Role.PLATFORM})
PARTIES: Final = frozenset({Role.BUYER, Role.MERCHANT})
MERCHANT_OR_PLATFORM: Final = MERCHANT | PLATFORM

_DEFINED: Final[dict[StageName, "Stage"]] = {}

STAGES: Final[Mapping[StageName, "Stage"]] = MappingProxyType(_DEFINED)
"""Every stage of every kind. Complete, because the package ``workflows.kinds`` imports them all."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage. Either ``span`` gives its length under a policy, or ``no_deadline`` is the reason for having none."""

    name: StageName
    rule: str
    title: str
    """In Chinese and in English, with ``·`` between."""
    waits_for: Role | None
    silence: Silence
    """At the deadline; what a profile says otherwise is ``Case.on_silence`` (G3)."""
    span: Callable[[Policy], Span] | None = None
    no_deadline: str = ""
    work_list: WorkList | None = None
    pausable: bool = True
    """Whether a pause window stops its clock: where silence decides, and not where money is on its way (section 9)."""

    def __post_init__(self) -> None:
        """Keep it under its name.

        Raises:
            ValueError: there is another of this name; it has a deadline and a reason for having none, or neither; or
                nothing is said of what silence does at its deadline.
        """
        if self.name in _DEFINED:
            raise ValueError(f"there are two stages {self.name}")
        if (self.span is None) != bool(self.no_deadline):
            raise ValueError(f"{self.name} has a deadline, or a written reason for having none")
        if self.span is not None and self.silence is Silence.NOTHING:
            raise ValueError(f"{self.name} has a deadline, and must say what silence does")
        _DEFINED[self.name] = self


@cache
def hours(count: int, reminder: int = 0) -> Span:
    """So many hours, with a notice so many hours before the end (R1)."""
    return Span(minutes=count * 60, reminder_minutes=reminder * 60)


@cache
def days(count: int) -> Span:
    """So many days of 24 hours."""
    return Span(minutes=count * 24 * 60)


OPENING: Final = Stage(
    StageName.OPENING,
    "R4",
    "正在建单 · opening",
    waits_for=None,
    silence=Silence.NOTHING,
    no_deadline="几秒：正在校验并登记 · seconds: the request is being checked and written down",
)

CLOSED: Final = Stage(
    StageName.CLOSED,
    "section 1",
    "已完结 · closed",
    waits_for=None,
    silence=Silence.NOTHING,
    no_deadline="案件已结束 · the case has ended",
)

PASSING: Final = frozenset({StageName.OPENING, StageName.PAYING})
"""Stages that last seconds: nobody is waited for."""

INTERNAL: Final = frozenset({StageName.AWAITING_ROOM, StageName.ROOM_OVERDUE})
"""Stages in which payments of ours wait for each other (R8): neither side has to do with them, or is told (N6)."""
