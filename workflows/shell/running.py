"""What one run knows of its case: shared by the parts of the shell."""

from dataclasses import dataclass
from datetime import datetime

from workflows.kinds.case import Case, parties_of
from workflows.kinds.kind import Kind, beginning
from workflows.kinds.stage import CLOSED, OPENING, STAGES, Stage
from workflows.kinds.state import Decided, State
from workflows.kinds.view import view_of
from workflows.messages.actors import CLOCK, Actor
from workflows.messages.cases import CaseKey, CaseView, LogEntry, Outcome
from workflows.messages.causes import Cause
from workflows.messages.commands import Command
from workflows.messages.message import lean
from workflows.messages.money import Money
from workflows.messages.openings import Opened
from workflows.messages.requests import Request
from workflows.rules.admission import Parties
from workflows.rules.identity import case_id
from workflows.shell.host import Host

_NOT_OPENED = Opened()


@dataclass(frozen=True)
class Asleep:
    """A case that has been started and opens later (A6, L1)."""

    until: datetime
    rule: str


class RunningCase:
    """The case as this run has it: built before anything happens, for a command may come first."""

    def __init__(self, host: Host, request: Request, kind: Kind) -> None:
        self.host = host
        self.request = lean(request)
        self.kind = kind
        self.opened_at = host.now()
        self.opened: Opened | None = None
        self.state: State = beginning(request, self.opened_at)
        self.log: list[LogEntry] = []
        self.outcome: Outcome | None = None
        self.asleep: Asleep | None = None
        self.carried_out_by = host.parent
        """The case that carries a dispute's ruling out, and has started it (D8)."""
        self.cancellations = 0
        """How often somebody has asked for the run's cancellation."""
        self.cause = Cause(0, "opening", OPENING.name)
        """Why the case does what it does at the moment; for traces."""

    @property
    def case(self) -> Case:
        """The case at this moment, as its kind sees it."""
        return self.case_at(self.state, self.host.now())

    def case_at(self, state: State, now: datetime) -> Case:
        """The same with another state, or at another moment."""
        return Case(
            case_id=self.host.case_id,
            request=self.request,
            opened=self.opened or _NOT_OPENED,
            state=state,
            now=now,
            carried_out_by=self.carried_out_by,
            detached=self.is_detached,
            resumes=self.host.resumes,
        )

    @property
    def is_detached(self) -> bool:
        """Whether the run that has started this one may not be the one that carries its case now (D8).

        After a reset nobody knows whether an earlier run was told that; so another run looks for the case itself.
        """
        resumed = self.opened is not None and self.opened.opened_at is not None
        return resumed or bool(self.cancellations) or self.host.parent is None

    @property
    def key(self) -> CaseKey:
        """What every step repeats of its case."""
        return CaseKey.made_of(case_id=self.host.case_id, run_id=self.host.run_id)

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        return STAGES[self.state.stage]

    @property
    def parties(self) -> Parties:
        """Whose case it is."""
        return parties_of(self.request, self.opened)

    def view(self) -> CaseView:
        """The case as it stands."""
        return view_of(self.case, self.log, self.opened_at, self.kind.refusal)

    def arrive(self, entries: tuple[LogEntry, ...] = ()) -> None:
        """Be where the state says: for the handlers, the view, and whoever looks."""
        self.log.extend(entries)
        self.host.show(self.case)

    def ended(self, verdict: Decided, closed_at: datetime) -> None:
        """The case has ended, as its state says."""
        state, currency = self.state, self.case.asked.currency
        if state.outcome is None:
            raise ValueError("a case that has ended has an outcome")
        self.outcome = Outcome.made_of(
            case_id=case_id(self.request),
            kind=state.kind,
            outcome=state.outcome,
            refunded=Money.made_of(amount=state.refunded, currency=currency),
            compensated=Money(amount=state.compensated, currency=currency) if state.compensated else None,
            bonus_voided=verdict.bonus_voided,
            ruling=state.ruling,
            decided_by=verdict.by.role,
            rule=verdict.rule,
            closed_at=closed_at,
            legs=state.legs,
        )

    def has_ended(self) -> bool:
        """Whether the case is closed."""
        return self.stage is CLOSED

    def line(self, event: str, rule: str, by: Actor = CLOCK, **facts: str | int) -> LogEntry:
        """A log line that no command has brought about."""
        return self.case.entry(event, by, rule, None, **facts)

    def because_of(self, command: Command) -> None:
        """What the case does from now on, it does because of ``command``."""
        self.because(command.command_name(), command.key)

    def because(self, what: str, command_key: str | None = None) -> None:
        """The same of whatever else has happened."""
        self.cause = Cause(self.cause.number + 1, what, self.stage.name, command_key)
