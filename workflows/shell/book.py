"""How a case writes to its book, and calls other activities (section 11)."""

import zlib
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

from workflows.kinds.resuming import just_opened
from workflows.messages import activities
from workflows.messages.cases import LogEntry, Resumed, Step, Stepped
from workflows.messages.openings import OpenCase
from workflows.messages.reading import read_own_json
from workflows.rules.answers import found_by_opening, written_as
from workflows.rules.growth import Heard
from workflows.shell.host import LastStepMissingError
from workflows.shell.running import RunningCase

Given = TypeVar("Given")
Found = TypeVar("Found")

_BEGUN_ANEW = "activity_begun_anew"
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
        self.opening: OpenCase | None = None
        """With what the case was opened, once it was."""
        self._last = b""
        """The last step that this run has had written, packed; none where another activity than that has written it."""
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
            host, tell = self._running.host, self.begun_anew
            try:
                stepped = await host.soon_answered(
                    activities.record_step, step, fits=fits, tell=tell, mends=bool(self._last)
                )
            except LastStepMissingError:
                await self._mend()
        not_overtaken(stepped.ahead, fenced=stepped.fenced)
        return stepped

    def wrote(self, step: Step, *, by_itself: bool = True) -> None:
        """The lines that ``step`` has taken along are written; ``by_itself`` as ``record_step`` has written it."""
        kept = by_itself and self._running.host.resumes
        self._last = zlib.compress(step.model_dump_json().encode(), 1) if kept else b""
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
        """A regular activity, tried until its answer ``fits``; each time that it is begun anew is a log line.

        Raises:
            BookIsAheadError: the book lacked the last step, which is written by now: the case goes on from there.
        """
        host, tell = self._running.host, self.begun_anew
        try:
            found = await host.answered(
                activity, given, seconds=seconds, summary=summary, fits=fits, tell=tell, mends=bool(self._last)
            )
        except LastStepMissingError:
            await self._mend()
        self.woken = False
        return found

    async def _mend(self) -> NoReturn:
        """The book lacks the last step, though an answer said that it was written: it is, and the case goes on from it.

        Somebody has completed the activity by hand, and made its answer up. What followed from that may be wrong, so
        the case is read from the book, which has worked the answer out by now, or has refused the step.

        Raises:
            BookIsAheadError: always, with how far the case has come.
        """
        host, tell = self._running.host, self.begun_anew
        last, self._last = read_own_json(Step, zlib.decompress(self._last)), b""
        name = activities.record_step.__name__
        told = self._running.line(_BEGUN_ANEW, "section 11", activity=name, why="missing")
        stepped = await host.answered(
            activities.record_step,
            last.model_copy(update={"entries": (*last.entries, told)}),
            seconds=30,
            summary="the case book lacks this step: it is written again",
            fits=written_as(last),
            tell=tell,
        )
        not_overtaken(stepped.ahead, fenced=stepped.fenced)
        raise BookIsAheadError(await self.read())

    async def read(self, asked: tuple[str, ...] = ()) -> Resumed:
        """How far the case has come by its book; with the commands of the keys that are ``asked`` about, if any are."""
        if self.opening is None:
            raise ValueError("a case has no step before its opening")
        opened = await self._running.host.answered(
            activities.open_case,
            self.opening.model_copy(update={"asks_about": asked}) if asked else self.opening,
            seconds=30,
            summary="how far the case has come by its book",
            fits=found_by_opening,
            tell=self.begun_anew,
        )
        return opened.resumed or just_opened(self.opening.request, opened, self.opening.at)

    def begun_anew(self, activity: str, why: str) -> None:
        """Section 11: an activity has failed for good, or was answered with what only a person can have made up."""
        self.unwritten.append(self._running.line(_BEGUN_ANEW, "section 11", activity=activity, why=why))
