"""What a case needs of whatever carries it: time, its book and other activities, other cases, somebody who looks.

There are two hosts: Temporal (``workflows.shell.temporal``), and the interpreter's, which runs in memory with a clock
of its own (``starter.interpreter``). All else of the shell is the same for both, and knows neither.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from workflows.kinds.case import Case
from workflows.messages.cases import Outcome
from workflows.messages.commands import Command
from workflows.messages.message import CaseId
from workflows.messages.requests import CompensationRequest, DisputeRequest

Given = TypeVar("Given")
Found = TypeVar("Found")


class CaseExistsError(Exception):
    """There is, or was, a case of this id: it is not started a second time."""


class LastStepMissingError(Exception):
    """The book lacks the last step that this run has taken, and whoever asked can write it again."""


class RunIsLongError(Exception):
    """The host takes little more of this run: another one goes on from the book."""


class StartedCase(Protocol):
    """A case that was started by another one."""

    @property
    def id(self) -> CaseId:
        """Its id."""
        ...

    async def outcome(self) -> Outcome | None:
        """Wait for its end; None where it was stopped from outside."""
        ...


class Host(Protocol):
    """Carries one run of one case. Tasks of the run are asyncio's, on the host's own loop."""

    @property
    def case_id(self) -> CaseId:
        """The case's id, as the host knows it."""
        ...

    @property
    def run_id(self) -> str:
        """The first run's id: a reset gives the case a new run, and it is the same case."""
        ...

    @property
    def parent(self) -> CaseId | None:
        """The case that has started this one, if one has."""
        ...

    @property
    def resumes(self) -> bool:
        """Whether another run may go on from what this one writes: its state goes along with each step then."""
        ...

    def now(self) -> datetime:
        """The case's time, in UTC."""
        ...

    async def wait_until(
        self, condition: Callable[[], bool], *, at_most: timedelta | None = None, summary: str = ""
    ) -> None:
        """Wait until ``condition`` holds, and no longer than ``at_most``; ``summary`` says for operators what for."""
        ...

    def all_handlers_finished(self) -> bool:
        """Whether everybody who has sent a command has been answered."""
        ...

    def has_run_long(self) -> bool:
        """Whether the host takes little more of this run: another one is to go on from the book, once all is quiet."""
        ...

    def finds_dispute_again(self) -> bool:
        """Whether a case and its dispute find each other by their ids, whichever run carries either (D8).

        Not in a run that was there before this was so: it waits for the end of the dispute that it has started.
        """
        ...

    def holds(self, mark: str) -> bool:
        """Whether what a release decides otherwise than the one before, by its ``mark``, holds for this run.

        Not in a run that has come past there before this was so: it goes on as it did.
        """
        ...

    async def soon_answered(
        self,
        activity: Callable[[Given], Awaitable[Found]],
        given: Given,
        *,
        fits: Callable[[Found], bool],
        tell: Callable[[str, str], None],
        mends: bool = False,
    ) -> Found:
        """A short step of the case book: at once while it answers, else for as long as it takes (``answered``)."""
        ...

    async def answered(
        self,
        activity: Callable[[Given], Awaitable[Found]],
        given: Given,
        *,
        seconds: int,
        summary: str,
        fits: Callable[[Found], bool],
        tell: Callable[[str, str], None],
        mends: bool = False,
    ) -> Found:
        """Have ``activity`` carried out until it gives an answer that ``fits``.

        ``seconds`` is the time for one attempt. ``tell`` learns of the activity's name and why, whenever it is begun
        anew: ``failed``, or ``unfit`` for an answer that does not fit.

        Raises:
            LastStepMissingError: the book lacks the last step, where the caller ``mends`` that.
        """
        ...

    async def start_case(self, request: DisputeRequest | CompensationRequest) -> StartedCase:
        """Start the case that ``request`` opens, as a service would; it goes on should this one be stopped.

        A dispute learns of that by a request to cancel it: who was to carry its ruling out may be gone (D8). Other
        cases carry themselves out.

        Raises:
            CaseExistsError: there is, or was, such a case.
        """
        ...

    def reckons_left_anew(self) -> bool:
        """Whether a pause window counts for a clock that stands still; asked by a case of which one does."""
        ...

    def looks_after_dispute(self) -> bool:
        """Whether a run tells the dispute that it leaves of that first, and looks for one when asked to look (D8).

        Not in a run that has left, or looked, before this was so.
        """
        ...

    def looks_for_started_dispute(self) -> bool:
        """Whether a case that cannot start its dispute, because there is one, goes on with that if it runs (D8).

        Not in a run that has said before this was so that it has broken off.
        """
        ...

    def was_reset(self) -> bool:
        """Whether somebody has reset the case: the request to tell its end itself may be of the run before (D8).

        Not in a run that had ended its case before this was so.
        """
        ...

    async def let_go(self, case: CaseId) -> bool:
        """Have a case that an earlier run has started tell its end by itself; False where it does not run."""
        ...

    def was_let_go(self) -> bool:
        """Whether a run of the case that has started this one has asked for that, and nobody for its end."""
        ...

    async def tell_case(self, case: CaseId, fact: Command) -> bool:
        """Send a fact to another case; False where it has ended."""
        ...

    def show(self, case: Case) -> None:
        """Bring what operators find the case by up to date (section 12)."""
        ...
