"""From what was decided to what is written: one step, one transaction, and the state that follows from the answer."""

from datetime import datetime

from workflows.kinds.decisions import ClosedElsewhere, Decision
from workflows.kinds.stage import CLOSED
from workflows.kinds.state import Decided
from workflows.kinds.steps import answered, begun, kept, planned, step_of
from workflows.messages.cases import Stepped
from workflows.shell.book import Book
from workflows.shell.clock import Clock
from workflows.shell.mailbox import Mailbox
from workflows.shell.running import RunningCase


class Writer:
    """Writes the steps that are decided on."""

    def __init__(self, running: RunningCase, book: Book, clock: Clock, mailbox: Mailbox) -> None:
        self._running = running
        self._book = book
        self._clock = clock
        self._mailbox = mailbox

    async def write(self, decision: Decision, decided_at: datetime) -> Stepped:
        """Write the step that was decided on. Refused, or without the room that it needs, nothing has changed."""
        running, plan = self._running, decision.step
        if plan is None:
            raise ValueError("there is no step to write")
        case = running.case_at(decision.state or running.state, decided_at)
        lines = self._book.lines_to_go() if self._book.woken else ()
        state = planned(case, plan, decision.follow_up, decision.verdict)
        step = step_of(case, plan, running.key, before=lines)
        if running.host.resumes:
            step = step.model_copy(update={"state": kept(state)})
        stepped = await self._book.write(step)
        if stepped.refusal or not stepped.written:
            return stepped
        ended, before = running.has_ended(), running.state.stage
        running.state = answered(state, stepped, step.step if stepped.number is None else stepped.number)
        if running.state.stage is not before:
            self._clock.look_after = None
        self._book.wrote(step)
        if ended:
            running.log.extend(step.entries)
            return stepped
        if decision.answers:
            self._mailbox.answer_in_hand()
        running.arrive(step.entries)
        if decision.verdict:
            running.ended(decision.verdict, step.at)
        return stepped

    def closed(self, closed: ClosedElsewhere, verdict: Decided) -> None:
        """The closing step has been written elsewhere, with the payment."""
        step, number = closed.step, closed.number
        self._running.state = self._running.state.but(
            stage=CLOSED.name,
            attention=None,
            outcome=step.outcome,
            ended=verdict,
            refunded=step.refunded,
            compensated=step.compensated,
            clock=begun(None, step.at),
            steps=step.step if number is None else number,
        )
        self._book.wrote(step, by_itself=False)
        self._mailbox.answer_in_hand()
        self._running.arrive(step.entries)
        self._running.ended(verdict, step.at)
