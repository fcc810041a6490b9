"""How a case opens: checked against the world, and written down as step 0; or at a moment long after its start."""

from datetime import datetime, timedelta

from workflows.kinds.kind import beginning
from workflows.kinds.resuming import opened_state
from workflows.kinds.stage import CLOSED, OPENING
from workflows.messages import activities
from workflows.messages.cases import LogEntry, Outcome, Refusal
from workflows.messages.commands import PausesChanged
from workflows.messages.message import lean
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.requests import ExpiryRequest, LateShipmentRequest, Request, opener
from workflows.messages.stages import OutcomeKind
from workflows.rules.answers import found_by_opening
from workflows.rules.applications import opening_facts
from workflows.rules.identity import case_id
from workflows.shell.book import Book
from workflows.shell.mailbox import Mailbox
from workflows.shell.running import Asleep, RunningCase


def opens(request: Request) -> Asleep | None:
    """When a case opens that is started long before (A6, L1); None for one that opens at once."""
    match request:
        case LateShipmentRequest(ships_until=until):
            return Asleep(until, "L1")
        case ExpiryRequest(valid_until=until):
            return Asleep(until, "A6")
        case _:
            return None


class Opening:
    """Opens the case."""

    def __init__(self, running: RunningCase, book: Book, mailbox: Mailbox) -> None:
        self._running = running
        self._book = book
        self._mailbox = mailbox

    async def open(self) -> Opened:
        """Check the request against the world and write the case down; at its moment, which may be moved meanwhile.

        The start delay has usually brought us there already.
        """
        sleep = opens(self._running.request)
        while True:
            if sleep:
                await self._sleep(sleep)
            opened = await self._open()
            if sleep is None or opened.refusal or opened.postponed_until is None:
                return opened
            sleep = Asleep(opened.postponed_until, sleep.rule)

    def unopened(self, outcome: OutcomeKind, *, rule: str, refusal: Refusal | None = None) -> Outcome:
        """The outcome where nothing was opened, and so nothing written down."""
        running = self._running
        running.state = running.state.but(stage=CLOSED.name, outcome=outcome)
        running.arrive()
        return Outcome(
            case_id=case_id(running.request),
            kind=None,
            outcome=outcome,
            refunded=None,
            decided_by=None,
            rule=rule,
            refusal=refusal,
            closed_at=running.host.now(),
        )

    async def _sleep(self, sleep: Asleep) -> None:
        host = self._running.host
        wait: timedelta = sleep.until - host.now()
        if wait.total_seconds() > 0:
            self._running.asleep = sleep
            summary = f"until the case opens ({sleep.rule})"
            await host.wait_until(lambda: bool(self._changed_pauses()), at_most=wait, summary=summary)
            self._running.asleep = None
            self._running.opened_at = host.now()
            for changed in self._changed_pauses():  # it is looked again, with the windows as they are
                self._mailbox.facts.remove(changed)
                self._mailbox.answer(changed)

    def _changed_pauses(self) -> list[PausesChanged]:
        return [fact for fact in self._mailbox.facts if isinstance(fact, PausesChanged)]

    async def _open(self) -> Opened:
        running, host = self._running, self._running.host
        expected = case_id(running.request)
        if host.case_id != expected:
            running.opened = Opened(
                refusal=Refusal(
                    code="wrong_case_id",
                    field="workflow_id",
                    rule="section 11",
                    explanation=f"the workflow id of this request must be {expected}",
                )
            )
            return running.opened
        opening = OpenCase(case=running.key, at=host.now(), request=running.request, carried_out_by=host.parent)
        self._book.opening = opening
        fits, tell = found_by_opening, self._book.begun_anew
        running.opened = lean(await host.soon_answered(activities.open_case, opening, fits=fits, tell=tell))
        running.opened_at = running.opened.opened_at or running.opened_at
        running.carried_out_by = running.opened.carried_out_by or running.carried_out_by
        if running.opened.stage and not running.opened.resumed:
            self._enter_first_stage(running.opened, running.opened.opened_at or opening.at)
        return running.opened

    def _enter_first_stage(self, opened: Opened, at: datetime) -> None:
        running = self._running
        if opened.stage is None:
            raise ValueError("nothing was opened")
        facts = opening_facts(running.request, at)
        entry = LogEntry.made_of(event="opened", by=opener(running.request), rule=OPENING.rule, at=at, facts=facts)
        running.state = opened_state(beginning(running.request, at), opened, at)  # also where that was long ago
        running.arrive((entry,))
