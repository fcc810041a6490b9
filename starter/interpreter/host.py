"""Memory as the host of a case: a loop of its own, a clock of its own, and an interpreter that carries out the rest."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from starter.interpreter.loop import CaseLoop
from workflows.kinds.case import Case
from workflows.kinds.kind import Kind
from workflows.messages.cases import Outcome, Refusal
from workflows.messages.commands import Command
from workflows.messages.message import CaseId
from workflows.messages.requests import CompensationRequest, DisputeRequest, Request
from workflows.rules.identity import case_id
from workflows.shell.case import CaseRun

if TYPE_CHECKING:
    from starter.interpreter.interpreter import Interpreter

Given = TypeVar("Given")
Found = TypeVar("Found")


class Answer:
    """What came of a command: nothing yet, a refusal, or that it was carried out."""

    def __init__(self) -> None:
        self.given = False
        self.refusal: Refusal | None = None

    def give(self, refusal: Refusal | None) -> None:
        """Tell whoever has sent the command."""
        self.given, self.refusal = True, refusal


class MemoryHost:
    """See ``Host``. What others must do is put into the interpreter's queue, and done in the order of asking."""

    def __init__(
        self,
        interpreter: "Interpreter",
        request: Request,
        kind: Kind,
        parent: "MemoryHost | None",
        *,
        ahead: timedelta | None = None,
    ) -> None:
        self._interpreter = interpreter
        self.case_id = case_id(request)
        self.run_id = "run-1"
        self.resumes = False
        self.parent = parent.case_id if parent else None
        self.loop = CaseLoop()
        self.ahead = parent.ahead if parent else ahead or timedelta()
        """By how much the case's clock is ahead of the interpreter's: at first by as much as that of who starts it."""
        self._timers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._unanswered = 0
        self._task: asyncio.Task[None] | None = None
        self._is_asked_to_end = False
        self._is_let_go = False
        self._who_waits: list[Callable[[], None]] = []
        self.outcome: Outcome | None = None
        """How the case ended; None while it goes on."""
        self.stopped = False
        """Whether somebody has stopped it from outside: then it never ends."""
        self.held = False
        """Whether no worker carries the case at present: what happens meanwhile is looked at all at once later."""
        self._for_later: list[tuple[Command, Answer | None]] = []
        """What the case was given while nobody carried it."""
        self.run = CaseRun(self, request, kind)

    # What drives it -------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether nothing reaches the case any more."""
        return self.stopped or self.outcome is not None

    def go_on(self) -> None:
        """Go on as far as the case can.

        Raises:
            Exception: what the case has failed with, with a note of which case it is: a fault of ours.
        """
        if self.held or self.stopped:
            return
        try:
            for command, answer in self._for_later:
                self.loop.create_task(self._taken(command, answer))
            self._for_later.clear()
            self.loop.run_ready()
        except Exception as error:
            error.add_note(f"the case is {self.case_id}")
            raise

    def stop(self) -> None:
        """Stop the case from outside; whoever waits for its end is told that it has none."""
        self.stopped = True
        for tell in self._who_waits:
            tell()

    def ask_for_cancellation(self, *, lets_go: bool = False) -> None:
        """Ask for the end of the case, as a server does of a child whose parent was stopped: once, however often.

        ``lets_go`` where the case that has started this one asks, and means that it is to be told of the end.
        """
        if self._task and not self.over and not self._is_asked_to_end:
            self._is_asked_to_end, self._is_let_go = True, lets_go
            self._task.cancel()
            self.go_on()

    def begin(self) -> None:
        """Begin to carry the case."""
        self._task = self.loop.create_task(self._conduct())
        self.go_on()

    def take(self, command: Command, answer: Answer | None) -> None:
        """Give the case a command, with whom to tell what came of it; as a signal, with nobody."""
        if self.stopped:
            return
        self._unanswered += 1
        self._for_later.append((command, answer))
        self.go_on()

    def next_timer(self) -> datetime | None:
        """When the case is to be woken next, by its own clock."""
        while self._timers and self._timers[0][2].done():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def ring(self) -> None:
        """Wake the case for all that is due by now."""
        now = self.now()
        while (at := self.next_timer()) is not None and at <= now:
            heapq.heappop(self._timers)[2].set_result(None)
        self.go_on()

    async def wait_for(self, other: "MemoryHost") -> Outcome | None:
        """Wait for the end of a case that this one has started; None where it was stopped from outside."""
        future: asyncio.Future[Outcome | None] = self.loop.create_future()

        def tell() -> None:
            future.set_result(other.outcome)
            self.go_on()

        other.when_ended(lambda: self._interpreter.do_next(tell))
        return await future

    def when_ended(self, tell: Callable[[], None]) -> None:
        """Have ``tell`` called once the case has ended."""
        if self.over:
            tell()
        else:
            self._who_waits.append(tell)

    async def _conduct(self) -> None:
        self.outcome = await self.run.conduct()
        self._task = None  # it is kept no longer than it goes on
        for tell in self._who_waits:
            tell()

    async def _taken(self, command: Command, answer: Answer | None) -> None:
        intake = self.run.intake
        refusal = (intake.refused_on_sight(command) if answer is None else None) or await intake.take(command)
        if answer:
            answer.give(refusal)
        elif refusal:
            intake.note_refused(command.command_name(), refusal)
        self._unanswered -= 1

    # What the case asks of it ---------------------------------------------------------------------------

    def now(self) -> datetime:
        """See Host."""
        return self._interpreter.now + self.ahead

    async def wait_until(
        self, condition: Callable[[], bool], *, at_most: timedelta | None = None, summary: str = ""
    ) -> None:
        """See Host."""
        del summary
        if at_most is not None and at_most <= timedelta():
            return
        future = self.loop.when(condition)
        if at_most is not None:
            self._wake(future, self.now() + at_most)
        await future

    def all_handlers_finished(self) -> bool:
        """See Host."""
        return not self._unanswered

    def has_run_long(self) -> bool:
        """See Host: memory takes whatever comes."""
        return False

    def finds_dispute_again(self) -> bool:
        """See Host."""
        return True

    def holds(self, mark: str) -> bool:
        """See Host: no run is older than its release."""
        return True

    async def soon_answered(
        self,
        activity: Callable[[Given], Awaitable[Found]],
        given: Given,
        *,
        fits: Callable[[Found], bool],
        tell: Callable[[str, str], None],
        mends: bool = False,
    ) -> Found:
        """See Host."""
        del fits, tell, mends
        return await self._soon(lambda: self._interpreter.carry_out(activity.__name__, given))

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
        """See Host."""
        del seconds, summary, fits, tell, mends
        return await self._soon(lambda: self._interpreter.carry_out(activity.__name__, given))

    async def start_case(self, request: DisputeRequest | CompensationRequest) -> "StartedInMemory":
        """See Host."""
        return StartedInMemory(self, await self._soon(lambda: self._interpreter.start(request, parent=self.case_id)))

    def reckons_left_anew(self) -> bool:
        """See Host."""
        return True

    def looks_after_dispute(self) -> bool:
        """See Host."""
        return True

    def looks_for_started_dispute(self) -> bool:
        """See Host."""
        return True

    def was_reset(self) -> bool:
        """See Host: nobody resets what is carried in memory."""
        return False

    def was_let_go(self) -> bool:
        """See Host."""
        return self._is_let_go

    async def let_go(self, case: CaseId) -> bool:
        """See Host."""
        return await self._soon(lambda: self._interpreter.let_go(case))

    async def tell_case(self, case: CaseId, fact: Command) -> bool:
        """See Host."""
        return await self._soon(lambda: self._interpreter.hand_on(case, fact))

    def show(self, case: Case) -> None:
        """See Host: there are no lists to be found in."""

    def _wake(self, future: "asyncio.Future[None]", at: datetime) -> None:
        heapq.heappush(self._timers, (at, self._interpreter.next_number(), future))
        self._interpreter.expect(self)

    async def _soon(self, do: Callable[[], Any]) -> Any:
        future: asyncio.Future[Any] = self.loop.create_future()

        def done() -> None:
            try:
                found = do()
            except Exception as error:  # whoever has asked is told
                future.set_exception(error)
            else:
                future.set_result(found)
            self.go_on()

        self._interpreter.do_next(done)
        return await future


class StartedInMemory:
    """See ``StartedCase``."""

    def __init__(self, asking: MemoryHost, host: MemoryHost) -> None:
        self._asking = asking
        self._host = host
        self.id = host.case_id

    async def outcome(self) -> Outcome | None:
        """See StartedCase."""
        return await self._asking.wait_for(self._host)
