"""A world in memory whose cases can lose the run that carries them, at any moment, and go on from the book.

As on servers after a reset: another run reads how far the case has come, and is told again whatever the lost one was
told. Who had sent the command that was in hand waits for its answer still.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from starter.interpreter.book import CaseRow
from starter.interpreter.host import Answer, MemoryHost
from starter.interpreter.interpreter import KINDS, Interpreter
from workflows.kinds.dispute_end import LEFT_TO_CASE
from workflows.messages.cases import CaseKey, Resumed, Step
from workflows.messages.commands import Command
from workflows.messages.message import CaseId
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.pauses import PauseWindow
from workflows.messages.policy import Policy
from workflows.messages.reading import read_own
from workflows.messages.requests import DisputeRequest
from workflows.messages.rulings import Ruling
from workflows.messages.settlements import EnterCallback, Settle, SettleManually
from workflows.rules.identity import case_id
from workflows.rules.pauses import last_told_of

_LINES: Final = 8
"""Of the log, as a view shows them."""


class LossyHost(MemoryHost):
    """A run that remembers what it was told, and can be lost."""

    resumes = True

    def __init__(self, interpreter: "CrashingInterpreter", *rest: Any, **named: Any) -> None:
        self.successor: LossyHost | None = None
        """The run that carries the case now, once this one was lost."""
        self.was_told: list[tuple[Command, Answer | None]] = []
        super().__init__(interpreter, *rest, **named)
        self.resumes = True

    def take(self, command: Command, answer: Answer | None) -> None:
        """See MemoryHost."""
        if not self.stopped:
            self.was_told.append((command, answer))
        super().take(command, answer)

    def lose(self) -> None:
        """Nothing reaches this run any more, and nobody is told."""
        self.stopped = True

    def inherit(self, lost: "LossyHost") -> None:
        """Take the place of a run that was lost."""
        self.run_id = f"{lost.run_id}+"
        self.parent: CaseId | None = lost.parent
        lost.successor = self

        def tell() -> None:
            lost.outcome = self.outcome

        self._who_waits = [tell, *lost._who_waits]

    def when_ended(self, tell: Callable[[], None]) -> None:
        """See MemoryHost: who waits for a case waits for whichever run carries it."""
        if self.successor:
            self.successor.when_ended(tell)
        else:
            super().when_ended(tell)

    @property
    def to_tell_again(self) -> list[tuple[Command, Answer | None]]:
        """What a server would tell another run: all but what was refused before it was let in."""
        told = [(command, answer) for command, answer in self.was_told if answer is None or not answer.given]
        obeyed = [
            (command, Answer()) for command, answer in self.was_told if answer and answer.given and not answer.refusal
        ]
        return [*obeyed, *told]


class CrashingInterpreter(Interpreter):
    """An interpreter that loses runs: one at ``lose``, or the one that does a certain activity next."""

    def __init__(self, now: datetime, policies: Mapping[str, Policy] | None = None) -> None:
        super().__init__(now, policies)
        self.activities_done = 0
        self.crash_after: int | None = None
        """The number of the activity after which the run that asked for it is lost, before it hears the answer."""
        self.crashed = False
        self._once_written: tuple[CaseId, Callable[[], None]] | None = None
        self._open_anew = self._activities["open_case"]
        self._activities["open_case"] = self._open

    def lose(self, case: CaseId) -> None:
        """Lose the run that carries the case; another one goes on. Does nothing where the case has ended."""
        host = self._hosts[case]
        if isinstance(host, LossyHost) and not host.over:
            self._replace(host)
            self._run()

    def when_written(self, case: CaseId, then: Callable[[], None]) -> None:
        """Have something done once the next step of a case is written, and before the case goes on."""
        self._once_written = (case, then)

    def carry_out(self, activity: str, given: Any) -> Any:
        """See Interpreter."""
        run = _run_of(given)
        host = self._hosts.get(run.case_id) if run else None
        if run and host and host.run_id != run.run_id:  # the book fences off a run that was lost
            return None
        self.activities_done += 1
        done = super().carry_out(activity, given)
        if run and self._once_written and self._once_written[0] == run.case_id:
            (_, then), self._once_written = self._once_written, None
            then()
        if self.crash_after == self.activities_done:
            self.crash_after = None
            if isinstance(host, LossyHost) and not host.over:
                self.crashed = True
                self._replace(host)
        return done

    def _begin(self, host: MemoryHost) -> MemoryHost:
        if isinstance(host, LossyHost):
            return super()._begin(host)
        parent = self._hosts[host.parent] if host.parent else None
        request = host.run.running.request
        return super()._begin(LossyHost(self, request, KINDS[type(request)], parent, ahead=host.ahead))

    def begin_again(self, case: CaseId) -> None:
        """Let another run carry the case, of which no server has told the dispute that its last one had started."""
        host = self._hosts[case]
        assert isinstance(host, LossyHost)
        self._replace(host, told=False)
        self._run()

    def _replace(self, lost: LossyHost, *, told: bool = True) -> None:
        lost.lose()
        for each in self._hosts.values():
            if told and each.parent == lost.case_id and isinstance(each.run.running.request, DisputeRequest):
                each.ask_for_cancellation()
        request = lost.run.running.request
        host = LossyHost(self, request, KINDS[type(request)], None, ahead=lost.ahead)
        host.inherit(lost)
        self._begin(host)
        for command, answer in lost.to_tell_again:
            host.take(command, answer)

    def _open(self, opening: OpenCase) -> Opened:
        row = self.book.cases.get(opening.case.case_id)
        if row is None or (row.resumed and row.resumed.steps == row.steps):
            return self._open_anew(opening)
        before: dict[str, Any] = {"opened_at": row.opened_at, "carried_out_by": opening.carried_out_by}
        if row.state is not None and row.last is not None:
            before["resumed"] = self._resumed(row, opening.carried_out_by)
        before["pauses"] = self._untold_pauses(row)
        before["dispute_intervened"] = self._has_stepped_in((row.state or {}).get("dispute", {}))
        return self._opening.shipped_meanwhile(opening, row.opened.model_copy(update=before))

    def _has_stepped_in(self, dispute: dict[str, Any]) -> bool:
        opening = dispute.get("opening")
        named = case_id(read_own(DisputeRequest, opening)) if opening else dispute.get("current")
        row = self.book.cases.get(named or "")
        return row is not None and row.closed_at is None and any(line.event == "intervened" for line in row.log)

    def _untold_pauses(self, row: CaseRow) -> tuple[PauseWindow, ...]:
        """As ``activities.postgres.pauses`` finds them, but for when the stage began."""
        known = {line.command_key for line in row.log}
        of_kind = [each for each in self.shop.pauses.values() if row.kind in each.kinds and row.closed_at is None]
        return tuple(
            each
            for each in of_kind
            if (each.lifted_at or each.declared_at) > row.opened_at and last_told_of(each).key not in known
        )

    def _resumed(self, row: CaseRow, carried_out_by: CaseId | None) -> Resumed:
        """As ``activities.postgres.resuming`` reads it."""
        assert row.state is not None
        assert row.last is not None
        dispute: dict[str, Any] = row.state.get("dispute", {})
        current = self.book.cases.get(dispute.get("current") or "")
        return Resumed(
            state=row.state,
            last=row.last,
            steps=row.steps,
            commands={line.command_key: line.command_digest for line in row.log if line.command_key},
            log=tuple(row.log[-_LINES:]),
            legs=self.ledger.legs_of(row.case_id),
            closed_at=row.closed_at,
            carried_out_by=carried_out_by,
            dispute_over=current is not None and current.closed_at is not None,
            dispute_ruling=_left_to_case(current),
            refunded=row.refunded,
            compensated=row.compensated,
            outcome=row.outcome,
        )


def _left_to_case(dispute: CaseRow | None) -> Ruling | None:
    if dispute is None or dispute.state is None or dispute.outcome not in LEFT_TO_CASE:
        return None
    ruling = dispute.state.get("ruling")
    return read_own(Ruling, ruling) if ruling else None


def _run_of(given: Any) -> CaseKey | None:
    """Which run asks for an activity; None where that cannot be told."""
    match given:
        case Step() | OpenCase():
            return given.case
        case Settle() | SettleManually() | EnterCallback() if given.closing:
            return given.closing.case
        case _:
            return None
