"""One run of a case: what happens is fed to its kind, and what its kind decides is carried out.

Commands and facts come through the intake into one slot and one queue; a command never fails or stalls the case. What
carries the run is the host's matter (``workflows.shell.host``): nothing here knows Temporal.
"""

import asyncio
from dataclasses import replace
from datetime import datetime

from workflows.kinds import dispute_end, disputed, every_case, open_proposals, order_money, resuming
from workflows.kinds.decisions import Decision, OwedSince, TellCase
from workflows.kinds.events import DeadlinePassed, DisputeEnded, Event, TimeToLook
from workflows.kinds.kind import Kind
from workflows.kinds.resuming import resumed_state
from workflows.messages.cases import Outcome, Resumed
from workflows.messages.commands import Command, LookAtBook, MoveDeadline, MovePolicy, PausesChanged
from workflows.messages.requests import Request
from workflows.messages.stages import OutcomeKind
from workflows.shell.book import Book, BookIsAheadError, FencedError
from workflows.shell.clock import Clock, Rings
from workflows.shell.effects import Effects
from workflows.shell.following import Following
from workflows.shell.host import Host, RunIsLongError
from workflows.shell.intake import Intake
from workflows.shell.mailbox import Mailbox
from workflows.shell.opening import Opening
from workflows.shell.running import RunningCase
from workflows.shell.undisturbed import undisturbed
from workflows.shell.writer import Writer


class CaseRun:
    """Carries one case on one host, from its opening to its outcome.

    All state is there once it is built: a command may come before ``conduct`` begins.
    """

    def __init__(self, host: Host, request: Request, kind: Kind) -> None:
        self._host = host
        self._kind = kind
        self.running = RunningCase(host, request, kind)
        """The case as it stands."""
        self.mailbox = Mailbox(host)
        self._book = Book(self.running, self.mailbox.heard)
        self.intake = Intake(self.running, self.mailbox, self._book, self._hands_over)
        """Takes commands and facts in."""
        self._clock = Clock(self.running)
        self._writer = Writer(self.running, self._book, self._clock, self.mailbox)
        self._effects = Effects(self.running, self._book)
        self._following = Following(self.running, self._book, self._effects, self.mailbox)
        self._opening = Opening(self.running, self._book, self.mailbox)
        self._asides: list[asyncio.Task[None]] = []
        self._long = False
        """Whether the host takes little more of this run."""

    # The life of a case -----------------------------------------------------------------------------------

    async def conduct(self) -> Outcome:
        """Carry the case from its opening to its outcome.

        A cancellation from outside does not end a case: whoever wants that sends a command. When the case has ended,
        every fact, log line and handler that is left is seen to before the run ends.

        Raises:
            FencedError: another run carries the case; this one has left it all to that.
            RunIsLongError: another run is to carry the case from where the book stands; nobody waits for this one.
        """
        try:
            outcome = await undisturbed(self._live_and_leave(), self._ignore_cancellation)
        except FencedError:
            await self._give_up()
            raise
        return outcome

    def _ignore_cancellation(self) -> None:
        self.running.cancellations += 1
        if self._host.was_let_go():  # it tells its case how it ends, whichever run carries that (D8)
            return
        self._book.unwritten.append(self.running.line("cancellation_ignored", "section 11"))

    async def _give_up(self) -> None:
        """Another run carries the case: this one ends, and leaves it all to that."""
        self.mailbox.abandon()
        await self._host.wait_until(self._host.all_handlers_finished)

    async def _live_and_leave(self) -> Outcome:
        outcome = await self._live()
        await self._leave_nothing_behind()
        return outcome

    async def _live(self) -> Outcome:
        opened = await self._opening.open()
        if opened.refusal:
            return self._opening.unopened(OutcomeKind.REFUSED, rule=opened.refusal.rule, refusal=opened.refusal)
        if opened.nothing_owed:  # L1: quietly
            return self._opening.unopened(OutcomeKind.SHIPPED_IN_TIME, rule="L1")
        if opened.opened_at:
            self._effects.taken_over()
        if not opened.resumed:
            self.intake.look_at_early()
        decision = await self._take_up(opened.resumed) if opened.resumed else self._kind.begin(self.running.case)
        self._hear_what_was_missed()
        while self.running.outcome is None:
            try:
                await self._carry_out(decision)
                decision = await self._decide()
            except BookIsAheadError as found:
                decision = await self._take_up(found.resumed)
        for aside in self._asides:
            await aside
        return self.running.outcome

    async def _decide(self) -> Decision:
        """What is to happen next; nothing where the case has ended."""
        if self.running.outcome is not None:
            return Decision()
        if kept_event := disputed.kept_event(self.running.case):
            case, event = kept_event
            self.running.state = case.state
        elif (woken_by := await self._next()) is None:
            return Decision()
        else:
            event = woken_by
        return self._kind.handle(self.running.case, event)

    async def _take_up(self, resumed: Resumed) -> Decision:
        """Go on where the book stands, and find the dispute that is open about the case by its id (D8)."""
        decision = self._resume(await self._with_all_that_waits(resumed))
        await self._following.take_up(resumed)
        return decision

    def _hear_what_was_missed(self) -> None:
        """R7, D3, section 9: what was told while no run carried the case is told again, late or never."""
        for fact in resuming.missed(self.running.case) if self.running.outcome is None else ():
            self.mailbox.hear(fact)

    async def _with_all_that_waits(self, resumed: Resumed) -> Resumed:
        """R16: of a case that has carried out very many commands, also those of them that have come here again."""
        if not resumed.more_commands:
            return resumed
        self.mailbox.forgets = True
        asked = tuple(key for key in self.mailbox.waiting() if key not in resumed.commands)
        older = (await self._book.read(asked)).commands if asked else {}
        return resumed.model_copy(update={"commands": {**older, **resumed.commands}})

    def _resume(self, resumed: Resumed) -> Decision:
        """Go on where the book stands: what was carried out is not carried out again (section 11)."""
        running = self.running
        running.state = resumed_state(resumed)
        running.carried_out_by = resumed.carried_out_by or running.carried_out_by
        running.log = list(resumed.log)
        self._clock.look_after = None
        self._book.unwritten.clear()
        half_done = running.state.half_done
        carried_out = {key: digest for key, digest in resumed.commands.items() if key not in half_done}
        left = self.mailbox.resume(carried_out)
        running.arrive()
        if resumed.closed_at and running.state.ended:
            running.ended(running.state.ended, resumed.closed_at)
        if left and (refusal := self.intake.refusal(left)) is not None:
            self.mailbox.answer(left, refusal)
        elif left:
            self.mailbox.slot = left
        self.intake.look_at_early()
        self._effects.taken_over()
        self._following.hear(resumed)
        return Decision() if running.outcome else resuming.go_on(running.case, resumed.last)

    async def _leave_nothing_behind(self) -> None:
        running = self.running
        if told := order_money.tell_settled(running.case):
            running.state = running.state.but(dispute=running.state.dispute.but(told_settled=True))
            await self._effects.tell_dispute(told)
        await self._effects.dispute_over()
        if ended := self._following.ended:
            line = disputed.said_after_end(running.case, ended)
            self._book.unwritten += [line] if line else []
        self._effects.dispute_ended = None
        running.state = running.state.but(dispute=running.state.dispute.but(current=None))
        while True:
            try:
                if await self._nothing_left():
                    return
            except BookIsAheadError as found:  # an earlier run has said more after the end
                self._resume(await self._with_all_that_waits(found.resumed))

    async def _nothing_left(self) -> bool:
        """See to one thing that is left; True where nothing is."""
        self._book.woken = True
        opened = self.running.state.kind is not None
        if not opened:  # there is no log to write to
            for fact in self.mailbox.facts:
                self.mailbox.answer(fact)
            self.mailbox.facts.clear()
            self._book.unwritten.clear()
        if self.mailbox.facts:
            await self._note(self.mailbox.facts[0])
        elif self._book.unwritten or (opened and self._book.has_more_to_say()):
            self.running.because("log")
            await self._carry_out(self.running.case.stay())
        elif (told := self._ruling_to_tell()) and self._host.finds_dispute_again():
            claim = self.running.state.claim.but(told_ruling=True)
            self.running.state = self.running.state.but(claim=claim)
            await self._effects.tell(told)
        elif self._host.all_handlers_finished():
            return True
        else:
            await self._host.wait_until(
                lambda: self._host.all_handlers_finished() or bool(self.mailbox.facts or self._book.unwritten)
            )
        return False

    def _ruling_to_tell(self) -> TellCase | None:
        """D8: a dispute that was reset may have forgotten that it is to tell its case how it ends."""
        case = self.running.case
        told = dispute_end.untold(replace(case, detached=True))
        return told if told and (case.detached or self._host.was_reset()) else None

    # Waiting ----------------------------------------------------------------------------------------------

    async def _next(self) -> Event | None:
        """Wait for a command that the stage accepts, a fact that it waits for, the time to look, or the deadline.

        None where the case has ended meanwhile. After waking, the decision is looked at first and the deadline second,
        in whatever order the host told of them (section 11: the first recorded wins).
        """
        look_at = self._clock.next_look()
        running, mailbox = self.running, self.mailbox
        mailbox.free()
        while running.outcome is None:
            self._book.woken = True
            self._look_at_length()
            if (command := mailbox.next_command()) is not None:
                running.because_of(command)
                match command:
                    case MovePolicy():
                        await self._carry_out(every_case.move_policy(running.case, command))
                    case MoveDeadline():
                        await self._carry_out(every_case.move_deadline(running.case, command))
                    case _:
                        return command
                mailbox.free()
            elif ended := self._end_to_look_at():
                self._effects.dispute_ended = None
                mailbox.taken = True
                running.because("ruling")
                return ended
            elif mailbox.facts:
                fact = mailbox.facts[0]
                if isinstance(fact, PausesChanged):
                    running.because_of(fact)
                    await self._carry_out(self._reckoned_anew(fact))
                    mailbox.dealt_with(fact)
                elif self._kind.awaits(running.case, fact):
                    running.because_of(fact)
                    mailbox.taken = True
                    mailbox.facts.pop(0)
                    mailbox.take_in_hand(fact)
                    return fact
                else:
                    await self._note(fact)
            elif self._book.unwritten or (self._can_hand_over() and self._book.has_more_to_say()):
                running.because("log")
                await self._carry_out(running.case.stay())
            elif self._can_hand_over():
                if await self._following.is_left():
                    raise RunIsLongError
            elif (woken_by := await self._until_it_is_time(look_at)) is not None:
                return woken_by
        return None

    def _reckoned_anew(self, changed: PausesChanged) -> Decision:
        """Section 9: the clock that runs, or what is left of the one that stands still (D3)."""
        case = self.running.case
        if (stands := every_case.reckon_left_anew(case, changed)).step and self._host.reckons_left_anew():
            return stands
        return every_case.reckon_anew(case, changed)

    async def _until_it_is_time(self, look_at: datetime | None) -> Event | None:
        """What is due now, or None after a sleep or a reminder: then it is looked again."""
        match self._clock.rings(look_at):
            case Rings.DEADLINE:
                self.mailbox.taken = True
                self.running.because("silence")
                return DeadlinePassed()
            case Rings.LOOK:
                self.mailbox.taken = True
                self.running.because("poll")
                return TimeToLook()
            case Rings.REMINDER:
                self.running.because("reminder")
                await self._carry_out(every_case.remind(self.running.case))
            case Rings.PROPOSAL:
                self.running.because("proposal")
                await self._carry_out(open_proposals.lapse(self.running.case))
            case None:
                await self._clock.sleep(look_at, self._stirred)
        return None

    def _stirred(self) -> bool:
        """Whether there is something to look at."""
        mailbox, unwritten = self.mailbox, self._book.unwritten
        return bool(mailbox.slot or mailbox.facts or unwritten or self._end_to_look_at() or self._can_hand_over())

    def _can_hand_over(self) -> bool:
        """Whether the run is long, and nothing is under way that the next one would not find in the book."""
        self._look_at_length()
        quiet = self._host.all_handlers_finished() and all(aside.done() for aside in self._asides)
        return quiet and self._hands_over()

    def _look_at_length(self) -> None:
        self._long = self._long or self._host.has_run_long()
        if self._long:
            self._following.leave()

    def _hands_over(self) -> bool:
        """Whether another run is to go on as soon as all is quiet."""
        return self._long and self._following.may_be_left

    def _end_to_look_at(self) -> DisputeEnded | None:
        """The dispute's end, where it counts by now; what is being paid is finished first (section 11)."""
        return self._following.ended if self._kind.ended_dispute_counts(self.running.state) else None

    # Carrying out -----------------------------------------------------------------------------------------

    async def _carry_out(self, decision: Decision) -> None:
        """What was decided, and what is decided on the answers to it; whoever asked is answered by its end."""
        following: Decision | None = decision
        while following is not None:
            following = await self._do(following)
        self.mailbox.answer_in_hand()

    async def _do(self, decision: Decision) -> Decision | None:
        """Carry one decision out; what is decided on the answer to it."""
        running, decided_at = self.running, self._host.now()
        if decision.before and not self._host.holds(decision.mark):
            decision = decision.as_before()
        if decision.refuse or decision.answered:
            self.mailbox.answer_in_hand(decision.refuse)
        for each in decision.first:
            match each:
                case TellCase():
                    await self._effects.tell(each)
                case OwedSince():
                    for owed in each.owed if self._host.holds(each.mark) else each.before:
                        await self._effects.owe(owed)
                case _:
                    await self._effects.owe(each)
        if decision.aside:
            self._asides.append(asyncio.create_task(self._effects.tell_dispute(decision.aside)))
        answer: object = None
        if decision.step:
            stepped = await self._writer.write(decision, decided_at)
            if stepped.refusal and decision.if_refused:
                return decision.if_refused(running.case, stepped.refusal)
            if stepped.refusal:
                self.mailbox.answer_in_hand(stepped.refusal)
                return None
            answer = stepped
        elif decision.state:
            running.state = decision.state
        for fact in decision.hear:
            self.mailbox.hear(fact)
        if decision.wait:
            self._clock.look_after = decision.wait.look_after
        if decision.closed and decision.verdict:
            self._writer.closed(decision.closed, decision.verdict)
        if decision.effect:
            answer = await self._effects.perform(decision.effect)
        return decision.then(running.case, answer) if decision.then else None

    async def _note(self, fact: Command) -> None:
        """A fact that no stage waits for."""
        self.running.because_of(fact)
        await self._carry_out(self._kind.note(self.running.case, fact))
        if isinstance(fact, LookAtBook):
            await self._following.look_again()
        self.mailbox.dealt_with(fact)
