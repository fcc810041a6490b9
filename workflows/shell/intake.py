"""How a case takes commands in: who may send them, which are refused as things stand, and which wait for their turn."""

from collections.abc import Callable

from workflows.kinds.admission import refused_in_stage, refused_stranger
from workflows.messages.cases import CaseView, Refusal
from workflows.messages.commands import Command, PausesChanged
from workflows.rules import admission
from workflows.rules.moments import refused_moment
from workflows.shell.book import Book
from workflows.shell.mailbox import Mailbox
from workflows.shell.running import RunningCase


class Intake:
    """What a command meets before it is carried out."""

    def __init__(self, running: RunningCase, mailbox: Mailbox, book: Book, hands_over: Callable[[], bool]) -> None:
        """``hands_over`` says whether another run is to go on as soon as all is quiet here."""
        self._running = running
        self._mailbox = mailbox
        self._book = book
        self._hands_over = hands_over

    def stranger(self, command: Command) -> Refusal | None:
        """Section 12: who asks is looked at before anything else, the command's key included."""
        running, parties = self._running, self._running.parties
        if running.opened is None and parties.buyer_id is None:  # the order tells whose it is, once the case is open
            return None
        return refused_stranger(command, parties)

    def refused_on_sight(self, command: Command, why: str | None = None) -> Refusal | None:
        """What stands against a command before it is weighed: who sends it, and then for which case it was sealed (P6).

        ``why`` is what is to be said against its envelope. A stranger is not told where its command belongs
        (section 12).
        """
        not_sealed = admission.not_sealed(why) if why else None
        return self.stranger(command) or self.for_another_case(command) or not_sealed

    def for_another_case(self, command: Command) -> Refusal | None:
        """Why a command that names another case is refused."""
        return admission.for_another_case(command, self._running.host.case_id)

    def refusal_now(self, command: Command) -> Refusal | None:
        """Why ``command`` is refused as things stand, or None; while a decision is under way, wait and see."""
        if (stranger := self.stranger(command)) is not None:
            return stranger
        if (flood := self._flood(command)) is not None:
            return flood
        if self._mailbox.was_seen(command):
            return self._mailbox.key_reused(command)
        if self._hands_over():
            return admission.between_runs()
        if self._busy() or self._mailbox.forgets:  # where the book has more keys, it says whether this one came before
            return None
        return self.refusal(command)

    async def take(self, command: Command) -> Refusal | None:
        """Carry ``command`` out once the case can look at it; None when it is written down, else the refusal."""
        mailbox = self._mailbox
        if (refused := self.stranger(command) or self._flood(command)) is not None:
            return refused
        if not mailbox.heard.takes(command):
            return None

        def must_wait() -> bool:
            """Facts need not wait for their turn, and neither does what was heard before."""
            return self._busy() and not command.fact and not mailbox.was_seen(command)

        asked = False
        while must_wait() or (mailbox.forgets and not asked and not mailbox.was_seen(command)):
            if must_wait():  # whoever wakes first closes the slot for the others
                await self._running.host.wait_until(lambda: not must_wait())
            else:
                asked = True
                mailbox.remember((await self._book.read((command.key,))).commands)
        if not mailbox.was_seen(command):
            if (refusal := self.refusal(command)) is not None:
                return refusal
            mailbox.accept(command)
        elif (reused := mailbox.key_reused(command)) is not None:
            return reused
        return await mailbox.answered(command)

    def refusal(self, command: Command) -> Refusal | None:
        """Why ``command`` is refused by a case that looks at it now, or None."""
        running = self._running
        now = running.host.now()
        if running.asleep and not isinstance(command, PausesChanged):  # which may let it open earlier (L1)
            return Refusal(
                code="not_open",
                field="command",
                rule=running.asleep.rule,
                explanation=f"the case opens at {running.asleep.until.isoformat()}, and not before",
            )
        kind = running.state.kind
        refusal = refused_in_stage(command, stage=running.stage, parties=running.parties, now=now, kind=kind)
        if refusal or kind is None:  # nothing was opened: there is nothing to hold the content against
            return refusal
        order = running.opened.order if running.opened else None
        impossible = refused_moment(command, now=now, order=running.state.order or order)  # R18
        return impossible or running.kind.refusal(running.case, command)

    def look_at_early(self) -> None:
        """Refuse what was told before it was known what the case is, and does not fit it (R18)."""
        for fact in [*self._mailbox.facts]:
            if (refusal := self.stranger(fact) or self.refusal(fact)) is not None:
                self._mailbox.facts.remove(fact)
                self._mailbox.answer(fact, refusal)

    def view_for(self, command: Command) -> CaseView | None:
        """The case as it stands, for a refusal; None where the sender may not see it (section 12)."""
        return self._running.view() if admission.may_see(command.by, self._running.parties) else None

    def view(self) -> CaseView:
        """The case as it stands."""
        return self._running.view()

    def note_refused(self, name: str, refusal: Refusal) -> None:
        """Write a refused signal into the log; it changes nothing else."""
        if self._mailbox.heard.tells():
            line = self._running.line("command_refused", refusal.rule, command=name, code=refusal.code)
            self._book.unwritten.append(line)

    def _busy(self) -> bool:
        """A decision, or the opening, is being carried out: what comes now is looked at in a moment.

        Asleep a case may be for months: a command is answered at once instead of waiting for the opening.
        """
        running = self._running
        return not running.asleep and self._mailbox.taken and not running.has_ended()

    def _flood(self, command: Command) -> Refusal | None:
        """R16: no side can fill the case until the other cannot act any more."""
        repeated = self._mailbox.was_seen(command)
        return self._mailbox.heard.refusal(command, self._running.stage.name, repeated=repeated, busy=self._busy())
