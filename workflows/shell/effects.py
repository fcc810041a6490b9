"""What a case does beside writing its book: asks carriers and gateways, starts other cases, tells them facts."""

import asyncio
from contextlib import suppress
from typing import Any

from workflows.kinds.decisions import (
    AskCarrier,
    AskGateway,
    Booked,
    Effect,
    PayByHand,
    StartDispute,
    TakeCallback,
    TellCase,
)
from workflows.kinds.events import DisputeEnded
from workflows.messages import activities
from workflows.messages.cases import Step
from workflows.messages.parcels import AskCarrier as Asking
from workflows.messages.parcels import ask_carrier
from workflows.messages.payouts import Ask
from workflows.messages.requests import CompensationRequest, DisputeRequest
from workflows.messages.settlements import Settle
from workflows.rules.answers import settled_for
from workflows.rules.identity import case_id
from workflows.shell.book import Book, not_overtaken
from workflows.shell.host import CaseExistsError, StartedCase
from workflows.shell.running import RunningCase


class Effects:
    """Carries effects out, each at a time, and follows the dispute that the case has started."""

    def __init__(self, running: RunningCase, book: Book) -> None:
        self._running = running
        self._host = running.host
        self._book = book
        self._following: asyncio.Task[None] | None = None
        self.asks_first = False
        """Whether an earlier run may have sent a refund of which the ledger does not know: the gateway is asked."""
        self.dispute_ended: DisputeEnded | None = None
        """The end of the dispute, until the case has looked at it."""

    async def perform(self, effect: Effect) -> object:
        """Carry ``effect`` out; its answer is what the effect says."""
        match effect:
            case AskCarrier():
                asking = Asking(parcel=effect.parcel, at=self._host.now())
                return await self._book.outside(
                    ask_carrier, asking, seconds=30, summary="ask the carrier for the parcel"
                )
            case AskGateway() | PayByHand():
                return await self._settle(effect)
            case TakeCallback():
                return await self._take_callback(effect)
            case StartDispute():
                return await self._start_dispute(effect.request, again=effect.again)
            case TellCase():
                return await self.tell(effect)

    async def owe(self, request: CompensationRequest) -> None:
        """Start the payment of what is owed; it goes on by itself, and is owed once."""
        with suppress(CaseExistsError):
            await self._host.start_case(request)

    async def tell(self, told: TellCase) -> bool:
        """Send a fact to another case; False where it has ended."""
        return await self._host.tell_case(told.case, told.fact)

    async def tell_dispute(self, told: TellCase) -> None:
        """D2: tell the case's dispute, unless it has ended by itself meanwhile."""
        if self._following is None or not self._following.done():
            await self.tell(told)

    def taken_over(self) -> None:
        """An earlier run has carried the case: ask the gateway before anything is sent (section 10).

        And wait for no dispute that was started here: the server tells its end to the run that was reset, perhaps.
        The dispute knows that, and tells the case how it ends (``RulingTold``).
        """
        self.asks_first = True
        self._following = None  # and not cancelled: that would ask for the dispute's cancellation

    @property
    def follows_dispute(self) -> bool:
        """Whether this run waits for the end of a dispute that it has started."""
        return self._following is not None and not self._following.done()

    async def dispute_over(self) -> None:
        """Section 11: a case does not end before its dispute."""
        if self._following:
            await self._host.wait_until(self._following.done)

    async def _settle(self, effect: AskGateway | PayByHand) -> Booked:
        closing = self._completed(effect.settling.closing)
        settling = effect.settling.model_copy(update={"closing": closing})
        if isinstance(settling, Settle) and settling.ask is Ask.SUBMIT and self.asks_first:
            settling = settling.model_copy(update={"ask": Ask.INQUIRE})
        fits = settled_for(self._host.case_id)
        activity: Any = activities.settle if isinstance(effect, AskGateway) else activities.settle_manually
        settled = await self._book.outside(
            activity, settling, seconds=effect.seconds, summary=effect.summary, fits=fits
        )
        not_overtaken(settled.ahead, fenced=settled.fenced)
        return Booked(settled, closing)

    async def _take_callback(self, effect: TakeCallback) -> Booked:
        closing = self._completed(effect.entering.closing) if effect.entering.closing else None
        entering = effect.entering.model_copy(update={"closing": closing})
        # After the end a callback may be about any case: whatever it came to is entered, and changes nothing here.
        fits = settled_for(self._host.case_id if closing else None)
        summary = f"gateway callback: {entering.callback.result}"
        settled = await self._book.outside(activities.enter_callback, entering, seconds=30, summary=summary, fits=fits)
        not_overtaken(settled.ahead, fenced=settled.fenced)
        return Booked(settled, closing)

    def _completed(self, closing: Step) -> Step:
        entries = (*self._book.lines_to_go(), *closing.entries)
        return closing.model_copy(update={"case": self._running.key, "entries": entries})

    async def _start_dispute(self, request: DisputeRequest, *, again: bool) -> str | None:
        """The id of the dispute that was started; None where there is, or was, such a case.

        One that an earlier run of the case has started tells the case itself how it ends (D8).
        """
        try:
            started = await self._host.start_case(request)
        except CaseExistsError:
            # Its id is this case's own: a run that the book has forgotten, perhaps, has started it.
            dispute = case_id(request)
            looks = self._host.finds_dispute_again if again else self._host.looks_for_started_dispute
            runs = looks() and await self._host.let_go(dispute)
            return dispute if again or runs else None
        self._following = asyncio.create_task(self._follow(started))
        return started.id

    async def _follow(self, dispute: StartedCase) -> None:
        outcome = await dispute.outcome()
        ruling, refused = (outcome.ruling, outcome.refusal is not None) if outcome else (None, False)
        self.dispute_ended = DisputeEnded(ruling, refused, dispute.id)
