"""The clock of a case: what is due now, and sleep until something is."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, auto

from workflows.rules import bilingual
from workflows.rules.wording import SILENCE_MEANS
from workflows.shell.running import RunningCase

TIMER_SLACK = timedelta(milliseconds=1)
"""Timers are kept in whole milliseconds: one that rings a hair early counts as due."""


class Rings(Enum):
    """What a clock can tell that it is time for."""

    DEADLINE = auto()
    """Silence decides."""
    LOOK = auto()
    """Look again at what nobody tells."""
    REMINDER = auto()
    """The notice that the deadline is near (R1)."""
    PROPOSAL = auto()
    """A proposal lapses (N2)."""


class Clock:
    """Deadline, reminder and the next look of the stage that the case is in."""

    def __init__(self, running: RunningCase) -> None:
        self._running = running
        self.look_after: timedelta | None = None
        """How long from the beginning of the waiting to the next look; None where nothing is looked at."""

    def next_look(self) -> datetime | None:
        """When the next look is due, for a waiting that begins now."""
        return self._running.host.now() + self.look_after if self.look_after else None

    def rings(self, look_at: datetime | None) -> Rings | None:
        """What is due now; the deadline comes first."""
        now = self._running.host.now() + TIMER_SLACK
        due = self._running.state.clock.due
        remind_at = self._remind_at()
        if due and now >= due.at:
            return Rings.DEADLINE
        if look_at and now >= look_at:
            return Rings.LOOK
        lapses_at = self._lapses_at()
        if lapses_at and now >= lapses_at:
            return Rings.PROPOSAL
        return Rings.REMINDER if remind_at and now >= remind_at else None

    async def sleep(self, look_at: datetime | None, stirred: Callable[[], bool]) -> None:
        """Until the next moment at which something is to be done, or until there is something to look at."""
        stage = self._running.stage
        due = self._running.state.clock.due
        moments = {
            "临近截止，发送提醒 · the notice that the deadline is near": self._remind_at(),
            "再次查看 · look again": look_at,
            "协商方案失效 · a proposal lapses": self._lapses_at(),
            SILENCE_MEANS[self._running.case.on_silence]: due.at if due else None,
        }
        wake_at, what = min(((moment, what) for what, moment in moments.items() if moment), default=(None, ""))
        why = f"{stage.name} ({stage.rule}): {bilingual.said(what, bilingual.in_force())}"
        host = self._running.host
        await host.wait_until(stirred, at_most=wake_at - host.now() if wake_at else None, summary=why)

    def _lapses_at(self) -> datetime | None:
        proposals = self._running.state.talk.proposals
        return min(each.until for each in proposals) if proposals else None

    def _remind_at(self) -> datetime | None:
        clock = self._running.state.clock
        return clock.due.remind_at if clock.due and not clock.reminded else None
