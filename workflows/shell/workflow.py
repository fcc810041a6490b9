"""A case as a Temporal workflow: its handlers, and a run on Temporal as its host."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Final, cast

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from workflows.kinds import details
from workflows.kinds.kind import Kind
from workflows.messages.cases import CaseView, Outcome
from workflows.messages.causes import Cause
from workflows.messages.commands import (
    CloseCase,
    Command,
    GatewayCallback,
    LookAtBook,
    MoveDeadline,
    MovePolicy,
    PausesChanged,
    PayInAdvance,
    RecordManualTransfer,
    ReportParcel,
    RetryPayment,
)
from workflows.messages.converter import AWAITED_OUTSIDE, for_outside
from workflows.messages.requests import Request
from workflows.rules import admission, bilingual
from workflows.shell.book import FencedError
from workflows.shell.case import CaseRun
from workflows.shell.handlers import OTHER_SIGNALS_ARE_LOGGED, update
from workflows.shell.host import RunIsLongError
from workflows.shell.intake import Intake
from workflows.shell.refusing import refused_command
from workflows.shell.temporal import IS_FOLLOWED, TemporalHost

_SHOWN_BEFORE: Final = "shown_before"
"""The name of the memo with the view that the run before has left."""


class CaseWorkflow:
    """The base of every kind of case: what the platform may ask of each, what the world tells, and how each is paid.

    A kind's own commands stand in its class, as ``approve = update(Approve)``; ``takes`` adds the signals of the same
    names (``workflows.shell.handlers``).
    """

    started_with: ClassVar[type[BaseModel]]
    """The message that starts it (``workflows.starts``)."""
    started_by: BaseModel
    """That message, as it was read."""
    unreadable: ApplicationError | None
    """Why it could not be read; there is no other state then."""
    case_kind: ClassVar[Kind]
    """What decides."""
    awaited_outside = False
    """Whether a service in another namespace waits for the outcome. A memo of the same name says it from the start."""
    commands: ClassVar[tuple[type[Command], ...]] = ()
    """What it takes, as updates and as signals."""

    move_policy = update(MovePolicy)
    move_deadline = update(MoveDeadline)
    report_parcel = update(ReportParcel)
    gateway_callback = update(GatewayCallback)
    pauses_changed = update(PausesChanged)
    look_at_book = update(LookAtBook)
    close_case = update(CloseCase)
    retry_payment = update(RetryPayment)
    pay_in_advance = update(PayInAdvance)
    record_manual_transfer = update(RecordManualTransfer)

    def __init__(self, request: Request) -> None:
        """Build all state: a command may be handled before ``run`` begins."""
        self.carried = CaseRun(TemporalHost(), request, self.case_kind)

    @property
    def intake(self) -> Intake:
        """What a command meets before it is carried out."""
        return self.carried.intake

    @property
    def cause(self) -> Cause | None:
        """Why the case does what it does at the moment; for traces."""
        return None if self.unreadable else self.carried.running.cause

    async def conduct(self) -> Outcome:
        """Carry the case from its opening to its outcome: in clear, where another namespace waits for it.

        Where the server takes little more of this run, another one goes on with the same start and finds the book.
        """
        try:
            outcome = await self.carried.conduct()
            if self.awaited_outside or AWAITED_OUTSIDE in workflow.info().raw_memo:
                return cast("Outcome", for_outside(outcome))
            return outcome
        except RunIsLongError:
            memo: dict[str, object] = {_SHOWN_BEFORE: self.carried.running.view()}
            if self.awaited_outside or AWAITED_OUTSIDE in workflow.info().raw_memo:
                memo[AWAITED_OUTSIDE] = True
            workflow.continue_as_new(self.started_by, memo=memo)
        except FencedError:
            raise ApplicationError("another run carries the case now", type="Fenced", non_retryable=True) from None

    def operators_page(self, at: datetime) -> str:
        """The case's page in the Web UI, in Markdown; written when somebody asks for it, at ``at`` (section 12)."""
        if self.unreadable:
            return ""
        running = self.carried.running
        now = max(at, workflow.now())  # a case's own time has been moved ahead in tests
        return details.page(self._view(), running.request, bilingual.in_force(), now)

    @workflow.query(name="view", description="The case as it stands.")
    def view_query(self) -> CaseView:
        """The case as it stands."""
        if self.unreadable:
            raise self.unreadable
        return self._view()

    def _view(self) -> CaseView:
        """The case as it stands; in a run that goes on for another one, as that has left it until the book is read."""
        if self.carried.running.opened is None and _SHOWN_BEFORE in workflow.info().raw_memo:
            return workflow.memo_value(_SHOWN_BEFORE, type_hint=CaseView)
        return self.carried.running.view()

    @workflow.signal(name=AWAITED_OUTSIDE, description="A service in another namespace waits for the outcome.")
    def is_awaited_outside(self, *values: object) -> None:
        """The outcome is to be readable without our keys."""
        del values
        self.awaited_outside = True

    @workflow.signal(name=IS_FOLLOWED, description="A run of the disputed case asks whether the dispute runs.")
    def is_followed(self, *values: object) -> None:
        """That it has come says so."""
        del values

    # What the kind does not take is answered and written down like all that does not fit. Without these two an update
    # gets an error of the SDK's, and a signal waits unseen until the case ends.

    @workflow.update(dynamic=True)
    async def other_update(self, name: str, values: Sequence[RawValue]) -> CaseView:
        """Refuse a command that the kind does not take."""
        del values
        raise refused_command(admission.not_taken(name), None)  # nobody knows who asks

    @other_update.validator
    def _refuse_other_update(self, name: str, values: Sequence[RawValue]) -> None:
        del values
        raise refused_command(admission.not_taken(name), None)

    @workflow.signal(dynamic=True)
    async def other_signal(self, name: str, values: Sequence[RawValue]) -> None:
        """Write down that a command was refused which the kind does not take."""
        del values
        if self.unreadable:
            return
        if workflow.patched(OTHER_SIGNALS_ARE_LOGGED):  # a case that was sent one before has left it where it was
            self.carried.intake.note_refused(admission.known_name(name), admission.not_taken(name))
