"""A case on Temporal: what happens is fed to its kind, and what its kind decides is carried out.

Commands come as updates and as signals of the same name (``workflows.shell.handlers``). Both go through one check into
one slot; a command never fails or stalls the workflow.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, NoReturn

from pydantic import BaseModel
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows import visibility
from workflows.kinds import disputed, every_case, order_money, resuming
from workflows.kinds.case import Case, parties_of
from workflows.kinds.decisions import Decision, TellCase
from workflows.kinds.events import DeadlinePassed, DisputeEnded, Event, TimeToLook
from workflows.kinds.kind import Kind, beginning
from workflows.kinds.resuming import resumed_state
from workflows.kinds.state import Decided, State
from workflows.kinds.steps import answered, begun, kept, planned, step_of
from workflows.kinds.view import view_of
from workflows.messages import activities
from workflows.messages.actors import CLOCK, Actor
from workflows.messages.cases import CaseView, LogEntry, OpenCase, Opened, Outcome, Refusal, Resumed, Step, Stepped
from workflows.messages.causes import Cause
from workflows.messages.commands import Command, MoveDeadline, MovePolicy, PausesChanged
from workflows.messages.message import Message
from workflows.messages.money import Money
from workflows.messages.requests import Request, opener
from workflows.messages.stages import OutcomeKind
from workflows.rules import admission, bilingual
from workflows.rules.admission import Parties
from workflows.rules.answers import found_by_opening
from workflows.rules.applications import opening_facts
from workflows.rules.identity import case_id
from workflows.rules.moments import refused_moment
from workflows.rules.stages import CLOSED, OPENING, STAGES, Stage
from workflows.rules.wording import SILENCE_MEANS
from workflows.shell.answers import local_first
from workflows.shell.book import Book, BookIsAheadError, FencedError
from workflows.shell.effects import Effects
from workflows.shell.mailbox import Mailbox

TIMER_SLACK = timedelta(milliseconds=1)
"""Timers are kept in whole milliseconds: one that rings a hair early counts as due."""


class CaseWorkflow:
    """The base of every kind of case."""

    started_with: ClassVar[type[BaseModel]]
    """The message that starts it (``workflows.starts``)."""
    unreadable: ApplicationError | None
    """Why it could not be read; there is no other state then."""
    case_kind: ClassVar[Kind]
    """What decides."""
    commands: ClassVar[tuple[type[Command], ...]] = ()
    """What it takes, as updates and as signals (``workflows.shell.handlers``)."""

    def __init__(self, request: Request) -> None:
        """Build all state: a command may be handled before ``run`` begins."""
        self.request = request
        self.opened_at = workflow.now()
        self.opened: Opened | None = None
        self.state: State = beginning(request, self.opened_at)
        self.log: list[LogEntry] = []
        self.cancellations = 0
        """How often somebody has asked for the workflow's cancellation."""
        self.mailbox = Mailbox()
        self.cause = Cause(0, "opening", OPENING.name)
        """Why the case does what it does at the moment; for traces."""
        self._book = Book(self.mailbox.heard, self._line)
        self._effects = Effects(self._book)
        self._carried_out_by = _parent()
        self._outcome: Outcome | None = None
        self._look_after: timedelta | None = None
        self._asides: list[asyncio.Task[None]] = []

    # The life of a case -----------------------------------------------------------------------------------

    async def conduct(self) -> Outcome:
        """Carry the case from its opening to its outcome.

        A cancellation from outside does not end a case: whoever wants that sends a command. When the case has ended,
        every fact, log line and handler that is left is seen to before the workflow ends.
        """
        task = asyncio.create_task(self._live())
        while True:
            try:
                outcome = await asyncio.shield(task)
                break
            except asyncio.CancelledError:
                if task.done():
                    raise
                self.cancellations += 1
                self._book.unwritten.append(self._line("cancellation_ignored", CLOCK, "section 11"))
            except FencedError:
                return await self._give_up()
        try:
            await self._leave_nothing_behind()
        except FencedError:
            return await self._give_up()
        return outcome

    async def _give_up(self) -> NoReturn:
        """Another run carries the case: this one ends, and leaves it all to that."""
        self.mailbox.abandon()
        await workflow.wait_condition(workflow.all_handlers_finished)
        raise ApplicationError("another run carries the case now", type="Fenced", non_retryable=True)

    async def _live(self) -> Outcome:
        opened = await self.open()
        if opened.refusal:
            return self._unopened(OutcomeKind.REFUSED, rule=opened.refusal.rule, refusal=opened.refusal)
        if opened.nothing_owed:  # L1: quietly
            return self._unopened(OutcomeKind.SHIPPED_IN_TIME, rule="L1")
        decision = self._resume(opened.resumed) if opened.resumed else self.case_kind.opened(self.case)
        while self._outcome is None:
            try:
                await self._carry_out(decision)
                decision = await self._decide()
            except BookIsAheadError as found:
                decision = self._resume(found.resumed)
        for aside in self._asides:
            await aside
        return self._outcome

    async def _decide(self) -> Decision:
        """What is to happen next; nothing where the case has ended."""
        if self._outcome is not None:
            return Decision()
        if kept_event := disputed.kept_event(self.case):
            case, event = kept_event
            self.state = case.state
        elif (woken_by := await self._next()) is None:
            return Decision()
        else:
            event = woken_by
        return self.case_kind.handle(self.case, event)

    def _resume(self, resumed: Resumed) -> Decision:
        """Go on where the book stands: what was carried out is not carried out again (section 11)."""
        self.state = resumed_state(resumed)
        self._carried_out_by = resumed.carried_out_by or self._carried_out_by
        self.log = list(resumed.log)
        self._look_after = None
        self._book.unwritten.clear()
        half_done = self.state.half_done
        carried_out = {key: digest for key, digest in resumed.commands.items() if key not in half_done}
        left = self.mailbox.resume(carried_out)
        self._arrive(())
        if resumed.closed_at and self.state.ended:
            self._outcome = self._outcome_of(self.state.ended, resumed.closed_at)
        if left and (refusal := self._refusal(left)) is not None:
            self.mailbox.answer(left, refusal)
        elif left:
            self.mailbox.slot = left
        self._effects.follow_no_more()
        if resumed.dispute_over and self._effects.dispute_ended is None:
            self._effects.dispute_ended = DisputeEnded(None)
        return Decision() if self._outcome else resuming.go_on(self.case, resumed.last)

    async def open(self) -> Opened:
        """Check the request against the world and write the case down: step 0."""
        expected = case_id(self.request)
        if workflow.info().workflow_id != expected:
            self.opened = Opened(
                refusal=Refusal(
                    code="wrong_case_id",
                    field="workflow_id",
                    rule="section 11",
                    explanation=f"the workflow id of this request must be {expected}",
                )
            )
            return self.opened
        opening = OpenCase(
            case=self._book.key,
            at=workflow.now(),
            request=self.request,
            carried_out_by=_parent(),
        )
        fits, tell = found_by_opening, self._book.begun_anew
        self.opened = await local_first(activities.open_case, opening, fits=fits, tell=tell)
        self.opened_at = self.opened.opened_at or self.opened_at
        if self.opened.stage and not self.opened.resumed:
            at = self.opened.opened_at or opening.at
            facts = opening_facts(self.request, at)
            entry = LogEntry(event="opened", by=opener(self.request), rule=OPENING.rule, at=at, facts=facts)
            stage = STAGES[self.opened.stage]
            span = stage.span(self.case.policy) if stage.span else None
            clock = begun(span, at).but(due=self.opened.due)
            self.state = self.state.but(kind=self.opened.kind, stage=stage.name, clock=clock)
            self._arrive((entry,))
        return self.opened

    def _unopened(self, outcome: OutcomeKind, *, rule: str, refusal: Refusal | None = None) -> Outcome:
        """The outcome where nothing was opened, and so nothing written down."""
        self.state = self.state.but(stage=CLOSED.name, outcome=outcome)
        self._arrive(())
        return Outcome(
            case_id=case_id(self.request),
            kind=None,
            outcome=outcome,
            refunded=None,
            decided_by=None,
            rule=rule,
            refusal=refusal,
            closed_at=workflow.now(),
        )

    async def _leave_nothing_behind(self) -> None:
        if told := order_money.tell_settled(self.case):
            self.state = self.state.but(dispute=self.state.dispute.but(told_settled=True))
            await self._effects.tell_dispute(told)
        await self._effects.dispute_over()
        if ended := self._effects.dispute_ended:
            line = disputed.said_after_end(self.case, ended)
            self._book.unwritten += [line] if line else []
        self._effects.dispute_ended = None
        self.state = self.state.but(dispute=self.state.dispute.but(current=None))
        while True:
            try:
                if await self._nothing_left():
                    return
            except BookIsAheadError as found:  # an earlier run has said more after the end
                self._resume(found.resumed)

    async def _nothing_left(self) -> bool:
        """See to one thing that is left; True where nothing is."""
        self._book.woken = True
        if self.state.kind is None:  # nothing was opened: there is no log to write to
            for fact in self.mailbox.facts:
                self.mailbox.answer(fact)
            self.mailbox.facts.clear()
            self._book.unwritten.clear()
        if self.mailbox.facts:
            await self._note(self.mailbox.facts[0])
        elif self._book.unwritten or (self.state.kind is not None and self._book.has_more_to_say()):
            self._because("log")
            await self._carry_out(self.case.stay())
        elif workflow.all_handlers_finished():
            return True
        else:
            await workflow.wait_condition(
                lambda: workflow.all_handlers_finished() or bool(self.mailbox.facts or self._book.unwritten)
            )
        return False

    # Waiting ----------------------------------------------------------------------------------------------

    async def _next(self) -> Event | None:
        """Wait for a command that the stage accepts, a fact that it waits for, the time to look, or the deadline.

        None where the case has ended meanwhile. After waking, the decision is looked at first and the deadline second,
        in whatever order the server told of them (section 11: the first recorded wins).
        """
        look_at = workflow.now() + self._look_after if self._look_after else None
        mailbox = self.mailbox
        mailbox.free()
        while self._outcome is None:
            self._book.woken = True
            if (command := mailbox.next_command()) is not None:
                self._because_of(command)
                match command:
                    case MovePolicy():
                        await self._carry_out(every_case.move_policy(self.case, command))
                    case MoveDeadline():
                        await self._carry_out(every_case.move_deadline(self.case, command))
                    case _:
                        return command
                mailbox.free()
            elif self._dispute_has_ended():
                ended, self._effects.dispute_ended = self._effects.dispute_ended, None
                mailbox.taken = True
                self._because("ruling")
                return ended
            elif mailbox.facts:
                fact = mailbox.facts[0]
                if isinstance(fact, PausesChanged):
                    self._because_of(fact)
                    await self._carry_out(every_case.reckon_anew(self.case, fact))
                    mailbox.dealt_with(fact)
                elif self.case_kind.awaits(self.case, fact):
                    self._because_of(fact)
                    mailbox.taken = True
                    mailbox.facts.popleft()
                    mailbox.take_in_hand(fact)
                    return fact
                else:
                    await self._note(fact)
            elif self._book.unwritten:
                self._because("log")
                await self._carry_out(self.case.stay())
            elif (woken_by := await self._clock(look_at)) is not None:
                return woken_by
        return None

    async def _clock(self, look_at: datetime | None) -> Event | None:
        """What is due now, or sleep until something is."""
        now = workflow.now() + TIMER_SLACK
        clock = self.state.clock
        if clock.due and now >= clock.due.at:
            self.mailbox.taken = True
            self._because("silence")
            return DeadlinePassed()
        if look_at and now >= look_at:
            self.mailbox.taken = True
            self._because("poll")
            return TimeToLook()
        remind_at = clock.due.remind_at if clock.due and not clock.reminded else None
        if remind_at and now >= remind_at:
            self._because("reminder")
            await self._carry_out(every_case.remind(self.case))
            return None
        await self._sleep(remind_at, look_at)
        return None

    async def _sleep(self, remind_at: datetime | None, look_at: datetime | None) -> None:
        """Until the next moment at which something is to be done, or until there is something to look at."""
        moments = {
            "临近截止，发送提醒 · the notice that the deadline is near": remind_at,
            "再次查看 · look again": look_at,
            SILENCE_MEANS[self.stage.silence]: self.case.due,
        }
        wake_at, what = min(((moment, what) for what, moment in moments.items() if moment), default=(None, ""))
        why = f"{self.stage.name} ({self.stage.rule}): {bilingual.said(what, bilingual.in_force())}"
        with suppress(TimeoutError):
            await workflow.wait_condition(
                self._stirred,
                timeout=wake_at - workflow.now() if wake_at else None,
                timeout_summary=why,
            )

    def _stirred(self) -> bool:
        """Whether there is something to look at."""
        return bool(self.mailbox.slot or self.mailbox.facts or self._book.unwritten or self._dispute_has_ended())

    def _dispute_has_ended(self) -> bool:
        """Whether the dispute's end is to be looked at; what is being paid is finished first (section 11)."""
        return self._effects.dispute_ended is not None and self.case_kind.ended_dispute_counts(self.state)

    # Carrying out -----------------------------------------------------------------------------------------

    async def _carry_out(self, decision: Decision) -> None:
        """What was decided, and what is decided on the answers to it; whoever asked is answered by its end."""
        following: Decision | None = decision
        while following is not None:
            following = await self._do(following)
        self.mailbox.answer_in_hand()

    async def _do(self, decision: Decision) -> Decision | None:
        """Carry one decision out; what is decided on the answer to it."""
        decided_at = workflow.now()
        if decision.refuse or decision.answered:
            self.mailbox.answer_in_hand(decision.refuse)
        for each in decision.first:
            if isinstance(each, TellCase):
                await self._effects.tell(each)
            else:
                await self._effects.owe(each)
        if decision.aside:
            self._asides.append(asyncio.create_task(self._effects.tell_dispute(decision.aside)))
        answer: object = None
        if decision.step:
            stepped = await self._write(decision, decided_at)
            if stepped.refusal and decision.if_refused:
                return decision.if_refused(self.case, stepped.refusal)
            if stepped.refusal:
                self.mailbox.answer_in_hand(stepped.refusal)
                return None
            answer = stepped
        elif decision.state:
            self.state = decision.state
        for fact in decision.hear:
            self.mailbox.hear(fact)
        if decision.wait:
            self._look_after = decision.wait.look_after
        if decision.closed and decision.verdict:
            self._closed(decision.closed.step, decision.closed.number, decision.verdict)
        if decision.effect:
            answer = await self._effects.perform(decision.effect)
        return decision.then(self.case, answer) if decision.then else None

    async def _write(self, decision: Decision, decided_at: datetime) -> Stepped:
        """Write the step that was decided on. Refused, or without the room that it needs, nothing has changed."""
        plan = decision.step
        if plan is None:
            raise ValueError("there is no step to write")
        case = replace(self.case, state=decision.state or self.state, now=decided_at)
        lines = self._book.lines_to_go() if self._book.woken else ()
        state = planned(case, plan, decision.follow_up, decision.verdict)
        step = step_of(case, plan, self._book.key, before=lines).model_copy(update={"state": kept(state)})
        stepped = await self._book.write(step)
        if stepped.refusal or not stepped.written:
            return stepped
        ended, before = self.stage is CLOSED, self.state.stage
        self.state = answered(state, stepped, step.step if stepped.number is None else stepped.number)
        if self.state.stage is not before:
            self._look_after = None
        self._book.wrote(step)
        if ended:
            self.log.extend(step.entries)
            return stepped
        self._arrive(step.entries, answers=decision.answers)
        if decision.verdict:
            self._outcome = self._outcome_of(decision.verdict, step.at)
        return stepped

    def _closed(self, step: Step, number: int | None, verdict: Decided) -> None:
        """The closing step has been written elsewhere."""
        self.state = self.state.but(
            stage=CLOSED.name,
            attention=None,
            outcome=step.outcome,
            ended=verdict,
            refunded=step.refunded,
            compensated=step.compensated,
            clock=begun(None, step.at),
            steps=step.step if number is None else number,
        )
        self._book.wrote(step)
        self._arrive(step.entries)
        self._outcome = self._outcome_of(verdict, step.at)

    def _outcome_of(self, verdict: Decided, closed_at: datetime) -> Outcome:
        state, currency = self.state, self.case.asked.currency
        if state.outcome is None:
            raise ValueError("a case that has ended has an outcome")
        return Outcome(
            case_id=case_id(self.request),
            kind=state.kind,
            outcome=state.outcome,
            refunded=Money(amount=state.refunded, currency=currency),
            compensated=Money(amount=state.compensated, currency=currency) if state.compensated else None,
            bonus_voided=verdict.bonus_voided,
            ruling=state.ruling,
            decided_by=verdict.by.role,
            rule=verdict.rule,
            closed_at=closed_at,
            legs=state.legs,
        )

    def _arrive(self, entries: tuple[LogEntry, ...], *, answers: bool = True) -> None:
        """Be where the state says: for the handlers, the view, the Web UI and whoever waits for an answer."""
        self.log.extend(entries)
        if answers:
            self.mailbox.answer_in_hand()
        visibility.show(self.view(), self.request, self.opened.customer if self.opened else ())

    async def _note(self, fact: Command) -> None:
        """A fact that no stage waits for."""
        self._because_of(fact)
        await self._carry_out(self.case_kind.note(self.case, fact))
        self.mailbox.dealt_with(fact)

    # What the handlers call -------------------------------------------------------------------------------

    def stranger(self, command: Command) -> Refusal | None:
        """Section 12: who asks is looked at before anything else, the command's key included."""
        parties = self._parties
        if self.opened is None and parties.buyer_id is None:  # the order tells whose it is, once the case is open
            return None
        return admission.refused_stranger(command, parties)

    def refusal_now(self, command: Command) -> Refusal | None:
        """Why ``command`` is refused as things stand, or None; while a decision is under way, wait and see."""
        if (stranger := self.stranger(command)) is not None:
            return stranger
        if (flood := self._flood(command)) is not None:
            return flood
        if self.mailbox.was_seen(command):
            return self.mailbox.key_reused(command)
        if self._busy():
            return None
        return self._refusal(command)

    async def take(self, command: Command) -> Refusal | None:
        """Carry ``command`` out once the case can look at it; None when it is written down, else the refusal."""
        if (refused := self.stranger(command) or self._flood(command)) is not None:
            return refused
        if not self.mailbox.heard.takes(command):
            return None

        def must_wait() -> bool:
            """Facts need not wait for their turn, and neither does what was heard before."""
            return self._busy() and not command.fact and not self.mailbox.was_seen(command)

        while must_wait():  # whoever wakes first closes the slot for the others
            await workflow.wait_condition(lambda: not must_wait())
        if not self.mailbox.was_seen(command):
            if (refusal := self._refusal(command)) is not None:
                return refusal
            self.mailbox.accept(command)
        if (reused := self.mailbox.key_reused(command)) is not None:
            return reused
        return await self.mailbox.answered(command)

    def view_for(self, command: Command) -> CaseView | None:
        """The case as it stands, for a refusal; None where the sender may not see it (section 12)."""
        return self.view() if admission.may_see(command.by, self._parties) else None

    def note_refused(self, name: str, refusal: Refusal) -> None:
        """Write a refused signal into the log; it changes nothing else."""
        if self.mailbox.heard.tells():
            line = self._line("command_refused", CLOCK, refusal.rule, command=name, code=refusal.code)
            self._book.unwritten.append(line)

    def view(self) -> CaseView:
        """The case as it stands."""
        return view_of(self.case, self.log, self.opened_at)

    # Inside -----------------------------------------------------------------------------------------------

    @property
    def case(self) -> Case:
        """The case at this moment, as its kind sees it."""
        return Case(
            case_id=workflow.info().workflow_id,
            request=self.request,
            opened=self.opened or _NOT_OPENED,
            state=self.state,
            now=workflow.now(),
            carried_out_by=self._carried_out_by,
            detached=bool(self.cancellations) or _parent() is None,
        )

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        return STAGES[self.state.stage]

    @property
    def _parties(self) -> Parties:
        return parties_of(self.request, self.opened)

    def _busy(self) -> bool:
        """A decision, or the opening, is being carried out: what comes now is looked at in a moment."""
        return self.mailbox.taken and self.stage is not CLOSED

    def _flood(self, command: Command) -> Refusal | None:
        """R16: no side can fill the case until the other cannot act any more."""
        repeated = self.mailbox.was_seen(command)
        return self.mailbox.heard.refusal(command, self.stage.name, repeated=repeated, busy=self._busy())

    def _refusal(self, command: Command) -> Refusal | None:
        refusal = admission.refusal(command, stage=self.stage, parties=self._parties, now=workflow.now())
        if refusal or self.state.kind is None:  # nothing was opened: there is nothing to hold the content against
            return refusal
        order = self.opened.order if self.opened else None
        impossible = refused_moment(command, now=workflow.now(), order=self.state.order or order)  # R18
        return impossible or self.case_kind.refusal(self.case, command)

    def _line(self, event: str, by: Actor, rule: str, **facts: str | int) -> LogEntry:
        return self.case.entry(event, by, rule, None, **facts)

    def _because_of(self, command: Command) -> None:
        self._because(command.command_name(), command.key)

    def _because(self, what: str, command_key: str | None = None) -> None:
        self.cause = Cause(self.cause.number + 1, what, self.stage.name, command_key)


_NOT_OPENED = Opened()


def _parent() -> str | None:
    """The case that has started this one, if one has."""
    parent = workflow.info().parent
    return parent.workflow_id if parent else None


def refused_command(refusal: Refusal, view: Message | None) -> ApplicationError:
    """The failure of an update that is refused: the refusal, and how things stand (section 11).

    Without ``view`` for a stranger, who is told nothing else (section 12).
    """
    why = f"{refusal.explanation} ({refusal.field}; {refusal.rule})"
    details = (refusal,) if view is None else (refusal, view)
    return ApplicationError(why, *details, type=f"Refused.{refusal.code}", non_retryable=True)
