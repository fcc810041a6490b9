"""The dispute that is open about a case: how whichever run carries the case comes to know of its end (D8)."""

from workflows.kinds.events import DisputeEnded
from workflows.messages.cases import Resumed
from workflows.messages.message import CaseId
from workflows.rules.dispute import ruling_key
from workflows.shell.book import Book
from workflows.shell.effects import Effects
from workflows.shell.mailbox import Mailbox
from workflows.shell.running import RunningCase


class Following:
    """What a run knows of that dispute, and tells it.

    A dispute that this run has started is the server's child of this run alone, and lives on without it: it is asked to
    tell the case how it ends, as after a reset.
    """

    def __init__(self, running: RunningCase, book: Book, effects: Effects, mailbox: Mailbox) -> None:
        self._running = running
        self._host = running.host
        self._book = book
        self._effects = effects
        self._mailbox = mailbox
        self._may_leave = False
        self._left: CaseId | None = None

    @property
    def _dispute(self) -> CaseId | None:
        return self._running.state.dispute.current

    @property
    def ended(self) -> DisputeEnded | None:
        """The end of the dispute that is open; of one that has told the case itself how it ends, nothing more."""
        ended = self._effects.dispute_ended
        return ended if ended and ended.dispute == self._dispute else None

    async def take_up(self, resumed: Resumed) -> None:
        """Find the dispute of an earlier run by its id, where the book knows of no end."""
        if self._dispute is None or resumed.dispute_over or self._running.outcome:
            return
        if self._host.finds_dispute_again():
            await self._look()

    async def look_again(self) -> None:
        """Somebody asks the case to look at its book: it looks for the dispute of an earlier run as well."""
        if self._dispute and not self._effects.follows_dispute and self._host.looks_after_dispute():
            await self._look()

    async def _look(self) -> None:
        """Have the dispute tell its end by itself; of one that runs no more the book tells, if it knows of it."""
        if self._dispute and not await self._host.let_go(self._dispute):
            self.hear(await self._book.read(), runs=False)

    def hear(self, resumed: Resumed, *, runs: bool = True) -> None:
        """The book knows of the dispute's end: what it has told the case itself counts, if it has.

        A dispute that does not run, and of which the book has nothing, never tells anything: it has broken off (D1).
        """
        dispute = self._dispute
        if dispute is None or self.ended:
            return
        if resumed.dispute_unknown and not runs:
            self._effects.dispute_ended = DisputeEnded(None, dispute=dispute)
        if not resumed.dispute_over:
            return
        told = any(each.key == ruling_key(dispute) for each in self._mailbox.facts)
        if not told or not self._host.finds_dispute_again():
            self._effects.dispute_ended = DisputeEnded(resumed.dispute_ruling, dispute=dispute)

    def leave(self) -> None:
        """Another run is to go on, also where a dispute is open that this one has started."""
        if self._effects.follows_dispute and not self._may_leave:
            self._may_leave = self._host.finds_dispute_again()

    @property
    def may_be_left(self) -> bool:
        """Whether this run may end with the dispute that is open."""
        return self._may_leave or not self._effects.follows_dispute

    async def is_left(self) -> bool:
        """Whether the dispute that this run leaves knows of it; once it is told, look at what came meanwhile.

        The server would ask for its cancellation too, and could not say why.
        """
        dispute = self._dispute if self._effects.follows_dispute else None
        if dispute is None or dispute == self._left or not self._host.looks_after_dispute():
            return True
        self._left = dispute
        await self._host.let_go(dispute)
        return False
