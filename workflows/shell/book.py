"""How a case writes to its book, and calls other activities (section 11)."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from workflows.messages import activities
from workflows.messages.cases import LogEntry, Resumed, Step, Stepped
from workflows.rules.answers import written_as
from workflows.rules.growth import Heard
from workflows.shell.running import RunningCase

Given = TypeVar("Given")
Found = TypeVar("Found")

_MORE_REFUSED = "more_refused"


class FencedError(Exception):
    """Another run has taken the case over: this one writes nothing any more (section 11)."""


class BookIsAheadError(Exception):
    """The book has come further, or another way, than this run: it goes on from there (section 11)."""

    def __init__(self, resumed: Resumed) -> None:
        super().__init__()
        self.resumed = resumed


def not_overtaken(ahead: Resumed | None, *, fenced: bool) -> None:
    """Go on only where this run is the one that carries the case, as far as its book has come.

    Raises:
        BookIsAheadError: the book has come further.
        FencedError: another run has taken the case over.
    """
    if fenced:
        raise FencedError
    if ahead:
        raise BookIsAheadError(ahead)


class Book:
    """The case's side of its book: which steps go there how, and the log lines that wait for the next one."""

    def __init__(self, running: RunningCase, heard: Heard) -> None:
        self._running = running
        self._heard = heard
        self.woken = False
        """Whether a command or a deadline has brought about what happens now, and no activity is in the history yet."""
        self.unwritten: list[LogEntry] = []
        """Log lines that the next step takes along."""

    def has_more_to_say(self) -> bool:
        """Whether lines are left that no step has taken along."""
        return bool(self.unwritten or self._heard.left_out)

    def lines_to_go(self) -> tuple[LogEntry, ...]:
        """What the next step takes along, if a regular activity is given it."""
        # R16: what came beyond the lines that are written of refused signals, in one line.
        more = self._running.line(_MORE_REFUSED, "R16", count=self._heard.left_out) if self._heard.left_out else None
        return (*self.unwritten, *((more,) if more else ()))

    async def write(self, step: Step) -> Stepped:
        """Write ``step`` down: as a regular activity where a command or a deadline has brought it about.

        A local activity is carried out before the server has heard of it. If its workflow task is then lost, the
        task is done again, perhaps with a command that was not there before, and the case would go another way
        than its book. A regular activity is in the history first. What follows from the history alone may be
        written locally, which costs half.

        Only a regular one takes along the log lines that signals have left: a step that is done again after a lost
        workflow task must be the same, while more signals may have come.
        """
        fits = written_as(step)
        if self.woken:
            summary = f"record: {step.stage}"
            stepped = await self.outside(activities.record_step, step, seconds=30, summary=summary, fits=fits)
        else:
            host = self._running.host
            stepped = await host.soon_answered(activities.record_step, step, fits=fits, tell=self.begun_anew)
        not_overtaken(stepped.ahead, fenced=stepped.fenced)
        return stepped

    def wrote(self, step: Step) -> None:
        """The lines that ``step`` has taken along are written."""
        self.unwritten = [entry for entry in self.unwritten if entry not in step.entries]
        self._heard.left_out -= sum(int(each.facts["count"]) for each in step.entries if each.event == _MORE_REFUSED)

    async def outside(
        self,
        activity: Callable[[Given], Awaitable[Found]],
        given: Given,
        *,
        seconds: int,
        summary: str,
        fits: Callable[[Found], bool] = lambda _: True,
    ) -> Found:
        """A regular activity, tried until its answer ``fits``; each time that it is begun anew is a log line."""
        found = await self._running.host.answered(
            activity, given, seconds=seconds, summary=summary, fits=fits, tell=self.begun_anew
        )
        self.woken = False
        return found

    def begun_anew(self, activity: str, why: str) -> None:
        """Section 11: an activity has failed for good, or was answered with what only a person can have made up."""
        self.unwritten.append(self._running.line("activity_begun_anew", "section 11", activity=activity, why=why))
