"""A case as its handlers see it, and the decisions that every kind makes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workflows.kinds.decisions import Decision, StepPlan, Then, Ticks
from workflows.kinds.stage import CLOSED, STAGES, Stage
from workflows.kinds.state import Decided, State
from workflows.messages.actors import CLOCK, Actor, Role
from workflows.messages.cases import LogEntry, NewEntry, Notice, NoticeTemplate, Span
from workflows.messages.commands import Command, SubmitEvidence
from workflows.messages.message import CaseId
from workflows.messages.money import Money
from workflows.messages.openings import Opened
from workflows.messages.orders import AllowanceFacts, OrderFacts
from workflows.messages.policy import Policy
from workflows.messages.requests import Application, Request
from workflows.messages.stages import CaseKind, OutcomeKind, Silence
from workflows.messages.statements import EvidenceGiven
from workflows.messages.step_parts import BalanceChange
from workflows.rules import admission, told_again
from workflows.rules.admission import Parties
from workflows.rules.identity import subject
from workflows.rules.opening import told_as
from workflows.rules.silence import silence_of


@dataclass(frozen=True)
class Case:
    """One case at one moment: what it was opened with, its state, and what time it is."""

    case_id: CaseId
    request: Request
    opened: Opened
    state: State
    now: datetime
    """The case's own time, in UTC."""
    carried_out_by: CaseId | None = None
    """The case that carries a dispute's ruling out, and has started it (D8)."""
    detached: bool = False
    """Whether the run that waits for its result may be no more (D8)."""
    resumes: bool = True
    """Whether another run may go on from what is written: the state goes along with each step then."""

    # What it is about ---------------------------------------------------------------------------------

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        return STAGES[self.state.stage]

    @property
    def kind(self) -> CaseKind:
        """What it is about now."""
        if self.state.kind is None:
            raise ValueError("the case is not open")
        return self.state.kind

    @property
    def policy(self) -> Policy:
        """The rulebook's numbers: as they were when it opened, or since it has been moved (section 2)."""
        policy = self.state.policy or self.opened.policy
        if policy is None:
            raise ValueError("the case is not open")
        return policy

    @property
    def order(self) -> OrderFacts:
        """The order as it was when the case opened, and what has been reported since."""
        order = self.state.order or self.opened.order
        if order is None:
            raise ValueError("the case has no order")
        return order

    @property
    def allowance(self) -> AllowanceFacts:
        """The allowance as it was frozen: nothing is spent while a request is open (A5)."""
        if self.opened.allowance is None:
            raise ValueError("the case has no allowance")
        return self.opened.allowance

    @property
    def application(self) -> Application:
        """What is applied for now (R6)."""
        applied = self.state.amended or self.request
        if not isinstance(applied, Application):
            raise ValueError("nothing is applied for")
        return applied

    @property
    def asked(self) -> Money:
        """All that is asked for, by the current version (R10)."""
        if self.opened.asked is None:
            raise ValueError("the case is not open")
        asked, applied = self.opened.asked, self.state.applied
        if applied is None or asked.amount == (amount := applied.amount):
            return asked
        return asked.model_copy(update={"amount": amount})

    @property
    def version(self) -> int:
        """Of the application; 1 where nothing is applied for, as for an allowance (R10)."""
        return self.state.applied.version if self.state.applied else 1

    @property
    def parties(self) -> Parties:
        """Whose case it is."""
        return parties_of(self.request, self.opened)

    @property
    def merchant(self) -> Actor:
        """The case's merchant."""
        return Actor.made_of(role=Role.MERCHANT, id=self.parties.merchant_id)

    @property
    def buyer(self) -> Actor | None:
        """The case's buyer, where known."""
        return Actor.made_of(role=Role.BUYER, id=self.parties.buyer_id) if self.parties.buyer_id else None

    @property
    def due(self) -> datetime | None:
        """When silence decides, in UTC."""
        return self.state.clock.due.at if self.state.clock.due else None

    @property
    def on_silence(self) -> Silence:
        """What happens at the deadline, by the profile where it is the profile's to say (G3).

        Nobody gains a right to an intervention once the platform has ruled (D10): then an officer is called.
        """
        policy = self.state.policy or self.opened.policy
        if policy is None:
            return self.stage.silence
        applied = self.state.amended or self.request
        application = applied if isinstance(applied, Application) else None
        silence = silence_of(self.stage.name, policy, application) or self.stage.silence
        ruled = self.state.ruling is not None and silence is Silence.RIGHT_TO_INTERVENTION
        return Silence.RAISE_ATTENTION if ruled else silence

    @property
    def running(self) -> Span | None:
        """The clock that runs, and since when; None where there is no deadline."""
        clock = self.state.clock
        return clock.span.model_copy(update={"since": clock.began_at}) if clock.span and clock.due else None

    def but(self, **changed: Any) -> "Case":
        """The same case with these fields of its state changed."""
        made = object.__new__(Case)
        made.__dict__.update(self.__dict__, state=self.state.but(**changed))
        return made

    # Log lines and notices ----------------------------------------------------------------------------

    def entry(
        self, event: str, by: Actor, rule: str, because: Command | None = None, /, **facts: str | int
    ) -> LogEntry:
        """A line for the case log, and the command that has brought it about."""
        return NewEntry.made_of(
            event=event,
            by=by,
            rule=rule,
            at=self.now,
            command_key=because.key if because else "",
            command_digest=admission.fingerprint(because) if because else "",
            facts=facts,
            command=told_again.content(because) if because else None,
        )

    def obeyed(self, command: Command, event: str, **facts: str | int) -> LogEntry:
        """The log line of a command that is carried out."""
        return self.entry(event, command.by, self.stage.rule, command, **facts)

    def silent(self, event: str) -> LogEntry:
        """The log line of a deadline that decided."""
        return self.entry(event, CLOCK, self.stage.rule)

    def notice(self, template: NoticeTemplate, to: Actor | None, **fields: str | int) -> tuple[Notice, ...]:
        """A notice about this case; none where the recipient is not known."""
        if to is None:
            return ()
        policy = self.state.policy or self.opened.policy
        told = {"subject": subject(self.request), **told_as(policy, self.opened.order, to), **fields}
        return (Notice.made_of(template=template, to=to, fields=told),)

    def notice_to_both(self, template: NoticeTemplate, **fields: str | int) -> tuple[Notice, ...]:
        """A notice about this case to the buyer and to the merchant."""
        return tuple(each for to in (self.buyer, self.merchant) for each in self.notice(template, to, **fields))

    def notice_to_others(self, by: Actor, template: NoticeTemplate, **fields: str | int) -> tuple[Notice, ...]:
        """A notice about this case to each side that is not ``by`` (N6)."""
        others = (to for to in (self.buyer, self.merchant) if to and to.role is not by.role)
        return tuple(each for to in others for each in self.notice(template, to, **fields))

    def closed_notices(self, outcome: OutcomeKind) -> tuple[Notice, ...]:
        """Tell both sides how the case ended."""
        return self.notice_to_both(NoticeTemplate.CASE_CLOSED, outcome=outcome)

    # Decisions ----------------------------------------------------------------------------------------

    def enter(
        self,
        stage: Stage,
        *entries: LogEntry,
        then: Then | None = None,
        follow_up: str = "",
        if_refused: Then | None = None,
        **planned: Any,
    ) -> Decision:
        """Go to ``stage``, where a clock begins to run: its own, or the ``span`` that is given. See ``StepPlan``."""
        plan = StepPlan(stage, entries, **planned)
        return Decision(step=plan, state=self.state, then=then, follow_up=follow_up, if_refused=if_refused)

    def stay(
        self,
        *entries: LogEntry,
        then: Then | None = None,
        follow_up: str = "",
        if_refused: Then | None = None,
        **planned: Any,
    ) -> Decision:
        """Write down what changes neither the stage nor its clock."""
        planned = {"attention": self.state.attention, **planned}
        if self.stage is CLOSED:  # how it ended stands beside every line that comes after
            state = self.state
            planned |= {"outcome": state.outcome, "refunded": state.refunded, "compensated": state.compensated}
        return self.enter(
            self.stage, *entries, ticks=Ticks.ON, then=then, follow_up=follow_up, if_refused=if_refused, **planned
        )

    def close(
        self,
        outcome: OutcomeKind,
        *entries: LogEntry,
        rule: str,
        by: Actor,
        **planned: Any,
    ) -> Decision:
        """The last step of a case that ends without a payment, or with what had been paid before."""
        plan = StepPlan(CLOSED, entries, outcome=outcome, **planned)
        return Decision(step=plan, state=self.state, verdict=Decided.made_of(rule=rule, by=by))

    # Evidence -----------------------------------------------------------------------------------------

    def given(self, command: Command, event: str) -> EvidenceGiven | None:
        """What comes with ``command`` as evidence, to be kept with the line ``event`` (R2, R10); None for nothing."""
        submitted = command if isinstance(command, SubmitEvidence) else None
        attachments = getattr(command, "evidence", ())
        key = f"command-{admission.fingerprint(command)}"
        if not (attachments or submitted) or key in self.state.kept_evidence:
            return None
        amount = submitted.amount if submitted else None
        return EvidenceGiven(
            key=key,
            by=command.by,
            attachments=attachments,
            statement=submitted.statement if submitted else None,
            amount=amount,
            currency=self.asked.currency if amount is not None else None,
            final=submitted.final if submitted else False,
            adds=True,
            event=event,
        )


def parties_of(request: Request, opened: Opened | None) -> Parties:
    """Whose case it is; the buyer of a merchant's request is known once the order is."""
    buyer_id = getattr(request, "buyer_id", None)
    if buyer_id is None and opened and opened.order:
        buyer_id = opened.order.buyer_id
    return Parties(merchant_id=request.merchant_id, buyer_id=buyer_id)


def thawing(balance: BalanceChange | None, paid: int) -> BalanceChange | None:
    """A5: a balance whose payout does not happen is given back."""
    return BalanceChange.THAW if balance and not paid else balance
