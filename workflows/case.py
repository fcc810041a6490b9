"""What every case has: stages, one decision slot, deadlines, its log, and what operators see.

A kind of case is a page of its own that says which stage comes when; this module carries the stages out:

- ``open`` checks the request against the world and writes the case down;
- ``enter`` goes to a stage: one step, which is one transaction in the case book, and one deadline;
- ``next`` waits in one place for a command that the stage accepts, or for its silence;
- ``close`` writes the last step.

Commands come as updates and as signals of the same name (``workflows.handlers``). Both go through one check
(``rules.admission``) into one slot; a command never fails or stalls the workflow.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, ClassVar, TypeAlias, TypeVar

from pydantic import BaseModel
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows import visibility
from workflows.answers import local_first, until_answered
from workflows.messages import activities
from workflows.messages.actors import CLOCK, Actor, Role, officer
from workflows.messages.addresses import ReturnAddress
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import (
    AddressChoice,
    BalanceChange,
    CaseKey,
    CaseView,
    Clock,
    Due,
    LogEntry,
    NamedAccount,
    Notice,
    NoticeTemplate,
    OpenCase,
    Opened,
    Outcome,
    ParcelWatch,
    Refusal,
    ShipmentClaim,
    Span,
    Step,
    Stepped,
)
from workflows.messages.causes import Cause
from workflows.messages.commands import Command, MoveDeadline, MovePolicy, PausesChanged, SubmitEvidence
from workflows.messages.message import Message
from workflows.messages.money import Money
from workflows.messages.payouts import LegStatus, Payout
from workflows.messages.pieces import CasePieces
from workflows.messages.policy import Policy
from workflows.messages.requests import Request, opener
from workflows.messages.rulings import Ruling
from workflows.messages.scores import ScoreChange
from workflows.messages.stages import Attention, CaseKind, OutcomeKind
from workflows.messages.statements import EvidenceGiven
from workflows.queues import queue_for
from workflows.rules import admission, bilingual
from workflows.rules.admission import Parties
from workflows.rules.answers import found_by_opening, written_as
from workflows.rules.applications import opening_facts
from workflows.rules.evidence import evidence_facts, is_ours, refused_evidence, refused_more_evidence
from workflows.rules.growth import Heard
from workflows.rules.identity import case_id, subject
from workflows.rules.moments import refused_deadline, refused_moment
from workflows.rules.stages import CLOSED, OPENING, STAGES, Stage
from workflows.rules.wording import SILENCE_MEANS

Given = TypeVar("Given")
Found = TypeVar("Found")

TIMER_SLACK = timedelta(milliseconds=1)
"""Timers are kept in whole milliseconds: one that rings a hair early counts as due."""

ENTRIES_SHOWN = 8

_MORE_REFUSED = "more_refused"


STAFF = officer("staff")
"""Whoever of the platform's staff is on duty."""


class Happening(Enum):
    """What ``next`` returns when no command came."""

    SILENCE = "silence"
    """The stage's deadline passed before anybody decided."""
    POLL = "poll"
    """It is time to look again; the stage goes on."""


SILENCE = Happening.SILENCE
POLL = Happening.POLL


class ClosingRefusedError(Exception):
    """A case cannot end so: nothing was written down."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


@dataclass(frozen=True)
class DisputeEnded:
    """What ``next`` returns when the dispute about the case has ended (D8)."""

    ruling: Ruling | None
    """None where its workflow was stopped from outside, or nothing was opened."""
    refused: bool = False
    """Nothing was opened: another dispute was quicker (D10)."""


Event: TypeAlias = Command | Happening | DisputeEnded
"""What a case can be woken by."""


class CaseWorkflow:
    """The base of every kind of case."""

    started_with: ClassVar[type[BaseModel]]
    """The message that starts it (``workflows.starts``)."""
    unreadable: ApplicationError | None
    """Why it could not be read; there is no other state then."""
    commands: ClassVar[tuple[type[Command], ...]] = ()
    """What it takes, as updates and as signals (``workflows.handlers``)."""

    def __init__(self, request: Request) -> None:
        """Build all state: a command may be handled before ``run`` begins."""
        self.request = request
        self.opened_at = workflow.now()
        self.opened: Opened | None = None
        self.kind: CaseKind | None = None
        self.stage: Stage = OPENING
        self.attention: Attention | None = None
        self.outcome: OutcomeKind | None = None
        self.refunded = 0
        self.legs: tuple[LegStatus, ...] = ()
        self.log: list[LogEntry] = []
        self.compensated = 0
        self.ruling: Ruling | None = None
        self.return_address: ReturnAddress | None = None
        self.pieces: CasePieces | None = None
        """What the next step is to say of the case's pieces; None where nothing has changed (R13)."""
        self.claims = False
        """Whether that step takes pieces which other cases may have (R13)."""
        self._due: Due | None = None
        self._span: Span | None = None
        self._began_at = self.opened_at
        self._reminded = False
        self._steps = 0
        self._slot: Command | None = None
        self._taken = True
        self._woken = False
        self._in_hand: Command | None = None
        self._facts: deque[Command] = deque()
        self._unwritten: list[LogEntry] = []
        self.cancellations = 0
        """How often somebody has asked for the workflow's cancellation."""
        self.heard = Heard()
        self._seen: dict[str, str] = {}
        self._answers: dict[str, Refusal | None] = {}
        self._evidence: Counter[Role] = Counter()
        """How often each party has given evidence (R16)."""
        self._kept_evidence: set[str] = set()
        """The keys under which evidence is kept already."""
        self._evidence_in_hand: EvidenceGiven | None = None
        """To be kept with the next step, and dropped where that is refused."""
        self.cause = Cause(0, "opening", OPENING.name)
        """Why the case does what it does at the moment."""

    # What a kind of case says of itself -------------------------------------------------------------

    def content_refusal(self, command: Command) -> Refusal | None:
        """What is to be said against a command's content; for every kind too much evidence (D6, R16).

        Also that a deadline is set too far ahead (R18).
        """
        if isinstance(command, SubmitEvidence):
            most = self.policy.limits.evidence_of_a_party
            if refusal := refused_more_evidence(self._evidence[command.by.role], most):
                return refusal
        return refused_deadline(command, now=workflow.now(), policy=self.policy) or refused_evidence(
            getattr(command, "evidence", ()), self.policy.dispute
        )

    def own_event(self) -> "DisputeEnded | None":
        """What has happened inside the case and ``next`` is to return; nothing by default."""
        return None

    async def fact_outside_its_stage(self, fact: Command) -> None:
        """A fact that no stage waits for: written in the log, and nothing else, by default."""
        await self.note(self.obeyed(fact, fact.command_name()))
        self.answer(fact)

    # What a kind of case calls ----------------------------------------------------------------------

    async def conduct(self, process: Coroutine[Any, Any, Outcome]) -> Outcome:
        """The shell around every case.

        A cancellation from outside does not end a case: whoever wants that sends a command. When the process
        has ended, every fact, log line and handler that is left is seen to before the workflow ends.
        """
        task = asyncio.create_task(process)
        while True:
            try:
                outcome = await asyncio.shield(task)
                break
            except asyncio.CancelledError:
                if task.done():
                    raise
                self.cancellations += 1
                self._unwritten.append(self.entry("cancellation_ignored", CLOCK, "section 11"))
        await self._leave_nothing_behind()
        return outcome

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
        parent = workflow.info().parent
        opening = OpenCase(
            case=self._key(),
            at=workflow.now(),
            request=self.request,
            carried_out_by=parent.workflow_id if parent else None,
        )
        self.opened = await local_first(activities.open_case, opening, fits=found_by_opening, tell=self._begun_anew)
        if self.opened.stage:
            self.kind = self.opened.kind
            facts = opening_facts(self.request, opening.at)
            entry = LogEntry(event="opened", by=opener(self.request), rule=OPENING.rule, at=opening.at, facts=facts)
            stage = STAGES[self.opened.stage]
            self._begin(opening.at, stage.span(self.policy) if stage.span else None)
            self._arrive(stage, self.opened.due, None, (entry,))
        return self.opened

    async def enter(
        self,
        stage: Stage,
        *entries: LogEntry,
        notices: tuple[Notice, ...] = (),
        attention: Attention | None = None,
        until: datetime | None = None,
        span: Span | None = None,
        keep_deadline: bool = False,
        reserve: Payout | None = None,
        balance: BalanceChange | None = None,
        address: AddressChoice | None = None,
        watch: ParcelWatch | None = None,
        evidence: EvidenceGiven | None = None,
        charges: tuple[ScoreChange, ...] = (),
        disputes: bool = False,
        account: NamedAccount | None = None,
        exemption: str | None = None,
        stops: Span | None = None,
        application: ApplicationVersion | None = None,
        only_with_room: bool = False,
    ) -> Stepped:
        """Go to ``stage`` in one step: log, work list, deadline, notices, and what must be atomic with them.

        ``until`` sets the deadline outright, ``span`` instead of the stage's own; ``keep_deadline`` leaves the one
        that runs. With a refusal in the answer, or no room where the step is ``only_with_room``, nothing was written,
        and the case stands where it stood.
        """
        if keep_deadline:
            asked = Span(until=self._due.at) if self._due else None
        elif until:
            asked = Span(until=until)
        else:
            asked = span or (stage.span(self.policy) if stage.span else None)
        step = self.step(
            stage,
            entries,
            span=asked,
            notices=(*notices, *self._call_staff(attention)),
            attention=attention,
            reserve=reserve,
            balance=balance,
            recorded=self._woken,
        ).model_copy(
            update={
                "address": address,
                "watch": watch,
                "charges": charges,
                "disputes": disputes,
                "account": account,
                "exemption": exemption,
                "stops": stops,
                "application": application,
                "only_with_room": only_with_room,
                **({"evidence": evidence} if evidence else {}),
            }
        )
        stepped = await self._write(step)
        if stepped.refusal or not stepped.written:
            return stepped
        if not keep_deadline:
            self._begin(step.at, asked)
        self._arrive(stage, self._due if keep_deadline else stepped.due, attention, step.entries)
        return stepped

    async def next(self, *facts: type[Command], poll: timedelta | None = None) -> "Event":
        """Wait for a command that the stage accepts, one of ``facts``, the poll, or the deadline.

        After waking, the decision is looked at first and the deadline second, in whatever order the server
        told of them (section 11: the first recorded wins).
        """
        poll_at = workflow.now() + poll if poll else None
        self._taken = False
        self._woken = True
        while True:
            if self._slot:
                self._in_hand, self._slot = self._slot, None
                self._because_of(self._in_hand)
                match self._in_hand:
                    case MovePolicy():
                        await self._move_policy(self._in_hand)
                    case MoveDeadline():
                        await self._move_deadline(self._in_hand)
                    case _:
                        return self._in_hand
                self._taken = False
                self._woken = True
                continue
            if (ended := self.own_event()) is not None:
                self._taken = True
                self._because("ruling")
                return ended
            if self._facts:
                fact = self._facts.popleft()
                self._because_of(fact)
                if isinstance(fact, PausesChanged):
                    await self._reckon_anew(fact)
                    self._woken = True
                    continue
                if isinstance(fact, facts):
                    self._taken = True
                    self._in_hand = fact
                    return fact
                await self.fact_outside_its_stage(fact)
                self._woken = True
                continue
            if self._unwritten:
                self._because("log")
                await self.note()
                self._woken = True
                continue
            now = workflow.now() + TIMER_SLACK
            if self._due and now >= self._due.at:
                self._taken = True
                self._because("silence")
                return SILENCE
            if poll_at and now >= poll_at:
                self._taken = True
                self._because("poll")
                return POLL
            remind_at = self._remind_at()
            if remind_at and now >= remind_at:
                self._because("reminder")
                await self._remind()
                self._woken = True
                continue
            await self._sleep(remind_at, poll_at)

    def count_evidence(self, command: SubmitEvidence) -> None:
        """R16: one more giving of this party's; to be called once it is kept."""
        self._evidence[command.by.role] += 1

    def given(self, command: Command, event: str) -> EvidenceGiven | None:
        """What comes with ``command`` as evidence, to be kept with the line ``event`` (R2, R10); None for nothing."""
        submitted = command if isinstance(command, SubmitEvidence) else None
        attachments = getattr(command, "evidence", ())
        key = f"command-{admission.fingerprint(command)}"
        if not (attachments or submitted) or key in self._kept_evidence:
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

    def bring(self, command: Command, event: str) -> None:
        """Keep what comes with ``command`` together with the next step, or refuse both (R2, R10, D6)."""
        self._evidence_in_hand = self.given(command, event)

    async def keeps_evidence(self, command: Command, event: str) -> bool:
        """See to what comes with a command that does more than its next step; False where it is refused, and answered.

        What might be refused is kept before anything else is done; else it is kept with the next step.
        """
        given = self.given(command, event)
        if given is None:
            return True
        if not any(is_ours(each) for each in given.attachments):
            self._evidence_in_hand = given
            return True
        given = given.model_copy(update={"event": "evidence_submitted"})
        in_hand, self._in_hand = self._in_hand, None  # whoever sent it is answered once it is carried out
        entry = self.obeyed(command, given.event, **evidence_facts(given.attachments))
        stepped = await self.enter(self.stage, entry, evidence=given, keep_deadline=True, attention=self.attention)
        self._in_hand = in_hand
        if stepped.refusal:
            self.answer(command, stepped.refusal)
        return stepped.refusal is None

    async def note(self, *entries: LogEntry) -> None:
        """Write down what changes nothing: the stage and its clock go on."""
        if self.stage is not CLOSED:
            await self.enter(self.stage, *entries, keep_deadline=True, attention=self.attention)
            return
        step = self.step(
            CLOSED,
            entries,
            outcome=self.outcome,
            refunded=self.refunded,
            compensated=self.compensated,
            recorded=self._woken,
        )
        await self._write(step)
        self.log.extend(step.entries)

    async def close(
        self,
        outcome: OutcomeKind,
        *entries: LogEntry,
        rule: str,
        by: Actor,
        notices: tuple[Notice, ...] = (),
        balance: BalanceChange | None = None,
        charges: tuple[ScoreChange, ...] = (),
        refunded: int = 0,
        compensated: int = 0,
        proof: ShipmentClaim | None = None,
        exemption: str | None = None,
    ) -> Outcome:
        """The last step of a case that ends without a payment, or with what had been paid before, in minor units.

        Raises:
            ClosingRefusedError: it is no ``proof`` that the order has shipped, or no ``exemption`` covers it (L2); the
                case is open as before.
        """
        step = self.step(
            CLOSED,
            entries,
            notices=notices,
            outcome=outcome,
            balance=balance,
            refunded=refunded,
            compensated=compensated,
            recorded=self._woken,
        )
        step = step.model_copy(update={"charges": charges, "proof": proof, "exemption": exemption})
        stepped = await self._write(step)
        if stepped.refusal:
            raise ClosingRefusedError(stepped.refusal)
        return self.closed(step, rule=rule, by=by, number=stepped.number)

    def closed(
        self, step: Step, *, rule: str, by: Actor, bonus_voided: Money | None = None, number: int | None = None
    ) -> Outcome:
        """The outcome of the case, whose closing ``step`` has been written, under another ``number`` perhaps."""
        if step.outcome is None:
            raise ValueError("a closing step has an outcome")
        self._written(step, number)
        self.outcome = step.outcome
        self.refunded = step.refunded
        self.compensated = step.compensated
        self._arrive(CLOSED, None, None, step.entries)
        return Outcome(
            case_id=case_id(self.request),
            kind=step.kind,
            outcome=step.outcome,
            refunded=Money(amount=step.refunded, currency=self.asked.currency),
            compensated=self._money(step.compensated) if step.compensated else None,
            bonus_voided=bonus_voided,
            ruling=self.ruling,
            decided_by=by.role,
            rule=rule,
            closed_at=step.at,
            legs=self.legs,
        )

    def refused(self, refusal: Refusal) -> Outcome:
        """The outcome of a request that did not fit: nothing was opened."""
        return self.unopened(OutcomeKind.REFUSED, rule=refusal.rule, refusal=refusal)

    def unopened(self, outcome: OutcomeKind, *, rule: str, refusal: Refusal | None = None) -> Outcome:
        """The outcome where nothing was opened, and so nothing written down."""
        self.outcome = outcome
        self._arrive(CLOSED, None, None, ())
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

    def step(
        self,
        stage: Stage,
        entries: tuple[LogEntry, ...],
        *,
        span: Span | None = None,
        notices: tuple[Notice, ...] = (),
        attention: Attention | None = None,
        outcome: OutcomeKind | None = None,
        refunded: int = 0,
        compensated: int = 0,
        reserve: Payout | None = None,
        balance: BalanceChange | None = None,
        recorded: bool = True,
    ) -> Step:
        """The case's next step. It counts once it is written.

        ``recorded`` says that a regular activity is given it, so that it is in the history before it is carried
        out. Only such a step takes log lines along that signals have left: one that is done again after a lost
        workflow task must be the same, while more signals may have come.
        """
        if self.kind is None:
            raise ValueError("the case is not open")
        return Step(
            case=self._key(),
            step=self._steps + 1,
            at=workflow.now(),
            entries=(*self._unwritten, *self._summed_up(), *entries) if recorded else entries,
            kind=self.kind,
            stage=stage.name,
            work_list=stage.work_list,
            span=span,
            attention=attention,
            outcome=outcome,
            refunded=refunded,
            compensated=compensated,
            notices=notices,
            reserve=reserve,
            balance=balance,
            pieces=self.pieces,
            claims=self.claims,
            evidence=self._evidence_in_hand if recorded else None,
        )

    def answer(self, command: Command, refusal: Refusal | None = None) -> None:
        """Tell whoever sent ``command`` that it is done, or why it was not."""
        self._answers[command.key] = refusal
        if self._in_hand is command:
            self._in_hand = None

    def hold_answer(self) -> Command | None:
        """The command that is being carried out, to be answered later than with the next step; None where none is."""
        held, self._in_hand = self._in_hand, None
        return held

    def answer_in_hand(self, refusal: Refusal) -> None:
        """Refuse the command that is being carried out, if one is: nothing of it was written down."""
        if self._in_hand:
            self.answer(self._in_hand, refusal)

    def entry(
        self, event: str, by: Actor, rule: str, because: Command | None = None, /, **facts: str | int
    ) -> LogEntry:
        """A line for the case log, at the workflow's time, and the command that has brought it about."""
        return LogEntry(
            event=event,
            by=by,
            rule=rule,
            at=workflow.now(),
            command_key=because.key if because else "",
            command_digest=admission.fingerprint(because) if because else "",
            facts=facts,
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
        return (Notice(template=template, to=to, fields={"subject": subject(self.request), **fields}),)

    def closed_notices(self, outcome: OutcomeKind) -> tuple[Notice, ...]:
        """Tell both sides how the case ended."""
        return self.notice_to_both(NoticeTemplate.CASE_CLOSED, outcome=outcome)

    def notice_to_both(self, template: NoticeTemplate, **fields: str | int) -> tuple[Notice, ...]:
        """A notice about this case to the buyer and to the merchant."""
        return tuple(each for to in (self.buyer, self.merchant) for each in self.notice(template, to, **fields))

    @property
    def case_id(self) -> str:
        """The case's id, which is its workflow's."""
        return workflow.info().workflow_id

    @property
    def steps(self) -> int:
        """How many steps have been written down since the opening."""
        return self._steps

    @property
    def policy(self) -> Policy:
        """The rulebook's numbers as they were when the case opened."""
        if self.opened is None or self.opened.policy is None:
            raise ValueError("the case is not open")
        return self.opened.policy

    @property
    def applied(self) -> ApplicationVersion | None:
        """The current version of what is applied for; None where the kind has no such thing (R10)."""
        return None

    @property
    def asked(self) -> Money:
        """What is asked for in all; what was when the case opened, where a kind cannot be amended."""
        if self.opened is None or self.opened.asked is None:
            raise ValueError("the case is not open")
        return self.opened.asked

    @property
    def parties(self) -> Parties:
        """Whose case it is."""
        buyer_id = getattr(self.request, "buyer_id", None)
        if buyer_id is None and self.opened and self.opened.order:
            buyer_id = self.opened.order.buyer_id
        return Parties(merchant_id=self.request.merchant_id, buyer_id=buyer_id)

    @property
    def merchant(self) -> Actor:
        """The case's merchant."""
        return Actor(role=Role.MERCHANT, id=self.parties.merchant_id)

    @property
    def buyer(self) -> Actor | None:
        """The case's buyer, where known."""
        return Actor(role=Role.BUYER, id=self.parties.buyer_id) if self.parties.buyer_id else None

    @property
    def dispute(self) -> str | None:
        """The open dispute about this case, or the case that a dispute is about."""
        return None

    @property
    def running(self) -> Span | None:
        """The clock that runs, and since when; None where there is no deadline."""
        return self._span.model_copy(update={"since": self._began_at}) if self._span and self._due else None

    @property
    def due(self) -> datetime | None:
        """When silence decides, in UTC."""
        return self._due.at if self._due else None

    # What the handlers call -------------------------------------------------------------------------

    def stranger(self, command: Command) -> Refusal | None:
        """Section 12: who asks is looked at before anything else, the command's key included."""
        if self.opened is None and self.parties.buyer_id is None:  # the order tells whose it is, once the case is open
            return None
        return admission.refused_stranger(command, self.parties)

    def refusal_now(self, command: Command) -> Refusal | None:
        """Why ``command`` is refused as things stand, or None; while a decision is under way, wait and see."""
        if (stranger := self.stranger(command)) is not None:
            return stranger
        if (flood := self._flood(command)) is not None:
            return flood
        if command.key in self._seen:
            return self._key_reused(command)
        if self._busy():
            return None
        return self._refusal(command)

    async def take(self, command: Command) -> Refusal | None:
        """Carry ``command`` out once the case can look at it; None when it is written down, else the refusal."""
        if (refused := self.stranger(command) or self._flood(command)) is not None:
            return refused
        if not self.heard.takes(command):
            return None

        def must_wait() -> bool:
            """Facts need not wait for their turn, and neither does what was heard before."""
            return self._busy() and not command.fact and command.key not in self._seen

        while must_wait():  # whoever wakes first closes the slot for the others
            await workflow.wait_condition(lambda: not must_wait())
        if command.key not in self._seen:
            if (refusal := self._refusal(command)) is not None:
                return refusal
            self._seen[command.key] = admission.fingerprint(command)
            if command.fact:
                self._facts.append(command)
            else:
                self._slot = command
                self._taken = True
        if (reused := self._key_reused(command)) is not None:
            return reused
        await workflow.wait_condition(lambda: command.key in self._answers)
        return self._answers[command.key]

    def view_for(self, command: Command) -> CaseView | None:
        """The case as it stands, for a refusal; None where the sender may not see it (section 12)."""
        return self.view() if admission.may_see(command.by, self.parties) else None

    def hear(self, fact: Command) -> None:
        """Take in a fact that the case has found itself; told again from outside it is the same fact."""
        if fact.key not in self._seen:
            self._seen[fact.key] = admission.fingerprint(fact)
            self._facts.append(fact)

    def note_refused(self, name: str, refusal: Refusal) -> None:
        """Write a refused signal into the log; it changes nothing else."""
        if self.heard.tells():
            self._unwritten.append(self.entry("command_refused", CLOCK, refusal.rule, command=name, code=refusal.code))

    def view(self) -> CaseView:
        """The case as it stands."""
        opened = self.opened
        order_no = getattr(self.request, "order_no", None)
        return CaseView(
            case_id=workflow.info().workflow_id,
            kind=self.kind,
            stage=self.stage.name,
            rule=self.stage.rule,
            merchant_id=self.parties.merchant_id,
            buyer_id=self.parties.buyer_id,
            order_no=order_no,
            allowance_id=getattr(self.request, "allowance_id", None),
            asked=self.asked if opened and opened.asked else None,
            application=self.applied if opened and opened.asked else None,
            refunded=self._money(self.refunded) if opened and opened.asked else None,
            compensated=self._money(self.compensated) if self.compensated else None,
            return_address=self.return_address,
            dispute=self.dispute,
            ruling=self.ruling,
            opened_at=self.opened_at,
            due=self.due,
            clock=self._clock(),
            no_deadline_because="" if self._due else self.stage.no_deadline,
            on_silence=self.stage.silence,
            commands=admission.open_commands(self.stage),
            attention=self.attention,
            outcome=self.outcome,
            legs=self.legs,
            policy=f"{opened.policy.name}/{opened.policy.version}" if opened and opened.policy else "",
            steps=self._steps,
            warnings=self._due.warnings if self._due else (),
            log=tuple(self.log[-ENTRIES_SHOWN:]),
        )

    # Inside -----------------------------------------------------------------------------------------

    def _key(self) -> CaseKey:
        info = workflow.info()
        # A reset gives the case a new run, and it is the same case: its book is the one that the first run opened.
        return CaseKey(case_id=info.workflow_id, run_id=info.original_execution_run_id)

    def _busy(self) -> bool:
        """A decision, or the opening, is being carried out: what comes now is looked at in a moment."""
        return self._taken and self.stage is not CLOSED

    def _money(self, amount: int) -> Money:
        return Money(amount=amount, currency=self.asked.currency)

    def _clock(self) -> Clock | None:
        if self._due is None or self._span is None:
            return None
        return Clock(since=self._began_at, span=self._span, calendar=self._due.calendar)

    def _flood(self, command: Command) -> Refusal | None:
        """R16: no side can fill the case until the other cannot act any more."""
        return self.heard.refusal(command, self.stage.name, repeated=command.key in self._seen, busy=self._busy())

    def _refusal(self, command: Command) -> Refusal | None:
        refusal = admission.refusal(command, stage=self.stage, parties=self.parties, now=workflow.now())
        if refusal or self.kind is None:  # nothing was opened: there is nothing to hold the content against
            return refusal
        order = self.opened.order if self.opened else None
        impossible = refused_moment(command, now=workflow.now(), order=order)  # R18
        return impossible or self.content_refusal(command)

    def _key_reused(self, command: Command) -> Refusal | None:
        if self._seen.get(command.key) in (None, admission.fingerprint(command)):
            return None
        return Refusal(
            code="key_reused",
            field="key",
            rule="section 11",
            explanation="another command has been sent under this key",
        )

    def _written(self, step: Step, number: int | None = None) -> None:
        self._steps = step.step if number is None else number
        self.pieces, self.claims = None, False
        if step.evidence:
            self._kept_evidence.add(step.evidence.key)
            self._evidence_in_hand = None
        self._unwritten = [entry for entry in self._unwritten if entry not in step.entries]
        self.heard.left_out -= sum(int(each.facts["count"]) for each in step.entries if each.event == _MORE_REFUSED)

    def _summed_up(self) -> tuple[LogEntry, ...]:
        """R16: what came beyond the lines that are written of refused signals, in one line."""
        if not self.heard.left_out:
            return ()
        return (self.entry(_MORE_REFUSED, CLOCK, "R16", count=self.heard.left_out),)

    def _because_of(self, command: Command) -> None:
        self._because(command.command_name(), command.key)

    def _because(self, what: str, command_key: str | None = None) -> None:
        self.cause = Cause(self.cause.number + 1, what, self.stage.name, command_key)

    def _begin(self, at: datetime, span: Span | None) -> None:
        """A clock begins to run, of which a notice goes out once."""
        self._span = span
        self._began_at = span.since or at if span else at
        self._reminded = False

    def _arrive(
        self, stage: Stage, due: Due | None, attention: Attention | None, entries: tuple[LogEntry, ...]
    ) -> None:
        """Be in ``stage``: for the handlers, the view, the Web UI and whoever waits for an answer."""
        self.stage = stage
        self._due = due
        self.attention = attention
        self.log.extend(entries)
        if self._in_hand:
            self.answer(self._in_hand)
        visibility.show(self.view(), self.request, self.opened.customer if self.opened else ())

    def _call_staff(self, attention: Attention | None) -> tuple[Notice, ...]:
        """Tell the platform's staff once that a case has come to need a person."""
        if attention is None or attention is self.attention:
            return ()
        return self.notice(NoticeTemplate.ATTENTION_RAISED, STAFF, attention=attention)

    def _remind_at(self) -> datetime | None:
        return self._due.remind_at if self._due and not self._reminded else None

    async def _remind(self) -> None:
        """R1: a notice goes out once when the deadline is near."""
        self._reminded = True
        if self._due is None:
            return
        to = self.merchant if self.stage.waits_for is Role.MERCHANT else self.buyer
        await self.enter(
            self.stage,
            self.silent("deadline_near"),
            notices=self.notice(
                NoticeTemplate.DEADLINE_NEAR,
                to,
                due=self._due.at.isoformat(),
                on_silence=self.stage.silence,
            ),
            attention=self.attention,
            keep_deadline=True,
        )

    async def _reckon_anew(self, changed: PausesChanged) -> None:
        """Section 9: a pause window was declared or lifted; a clock that silence decides by moves accordingly."""
        if self._span is None or self._span.until or not self.stage.pausable or self._due is None:
            self.answer(changed)
            return
        step = self.step(
            self.stage,
            (self.entry("deadline_moved", changed.by, "section 9", changed, window=changed.window),),
            span=self.running,
            attention=self.attention,
        )
        stepped = await self._write(step)
        self._arrive(self.stage, stepped.due, self.attention, step.entries)
        self.answer(changed)

    async def _move_policy(self, command: MovePolicy) -> None:
        """Section 2: the case goes on under the version in force; its clock counts from when the stage began."""
        own = self.stage.span(self.policy) if self.stage.span else None
        running = self._span.model_copy(update={"since": None}) if self._span else None
        counted_by_policy = own is not None and own == running
        span = Span(since=self._began_at) if counted_by_policy else Span(until=self._due.at) if self._due else None
        entry = self.obeyed(command, "policy_moved", version=command.version, reason=command.reason)
        step = self.step(self.stage, (entry,), span=span, attention=self.attention)
        stepped = await self._write(step.model_copy(update={"policy_version": command.version}))
        if stepped.refusal or stepped.policy is None or self.opened is None:
            self.answer(command, stepped.refusal)
            return
        self.opened = self.opened.model_copy(update={"policy": stepped.policy})
        if counted_by_policy and self.stage.span:
            self._span = self.stage.span(stepped.policy)
        due = stepped.due if counted_by_policy else self._due
        self._arrive(self.stage, due, self.attention, step.entries)

    async def _move_deadline(self, command: MoveDeadline) -> None:
        """Section 12: silence decides at another moment; the notice before it goes out unless it has gone."""
        near = self._span.reminder_minutes if self._span and not self._reminded else 0
        await self.enter(
            self.stage,
            self.obeyed(command, "deadline_set", until=command.until.isoformat(), reason=command.reason),
            attention=self.attention,
            span=Span(until=command.until, reminder_minutes=near),
        )

    async def _sleep(self, remind_at: datetime | None, poll_at: datetime | None) -> None:
        """Until the next moment at which something is to be done, or until there is something to look at."""
        moments = {
            "临近截止，发送提醒 · the notice that the deadline is near": remind_at,
            "再次查看 · look again": poll_at,
            SILENCE_MEANS[self.stage.silence]: self.due,
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
        return bool(self._slot or self._facts or self._unwritten)

    async def _leave_nothing_behind(self) -> None:
        while True:
            self._woken = True
            if self.kind is None:  # nothing was opened: there is no log to write to
                for fact in self._facts:
                    self.answer(fact)
                self._facts.clear()
                self._unwritten.clear()
            if self._facts:
                fact = self._facts.popleft()
                self._because_of(fact)
                await self.fact_outside_its_stage(fact)
            elif self._unwritten or (self.kind is not None and self.heard.left_out):
                self._because("log")
                await self.note()
            elif workflow.all_handlers_finished():
                return
            else:
                await workflow.wait_condition(
                    lambda: workflow.all_handlers_finished() or bool(self._facts or self._unwritten)
                )

    async def _write(self, step: Step) -> Stepped:
        """Write ``step`` down: as a regular activity where a command or a deadline has brought it about.

        A local activity is carried out before the server has heard of it. If its workflow task is then lost, the
        task is done again, perhaps with a command that was not there before, and the case would go another way
        than its book. A regular activity is in the history first. What follows from the history alone may be
        written locally, which costs half.
        """
        fits = written_as(step)
        if self._woken:
            summary = f"record: {step.stage}"
            stepped = await self.outside(activities.record_step, step, seconds=30, summary=summary, fits=fits)
        else:
            stepped = await local_first(activities.record_step, step, fits=fits, tell=self._begun_anew)
        if stepped.refusal is None and stepped.written:
            self._written(step, stepped.number)
        else:
            self._evidence_in_hand = None
        return stepped

    async def outside(
        self,
        activity: Callable[[Given], Awaitable[Found]],
        given: Given,
        *,
        seconds: int,
        summary: str,
        fits: Callable[[Found], bool] = lambda _: True,
    ) -> Found:
        """A regular activity, tried until its answer ``fits``; each time that it is begun anew is a log line."""
        found = await until_answered(
            activity,
            given,
            seconds=seconds,
            summary=summary,
            task_queue=queue_for(activity),
            fits=fits,
            tell=self._begun_anew,
        )
        self._woken = False
        return found

    def _begun_anew(self, activity: str, why: str) -> None:
        """Section 11: an activity has failed for good, or was answered with what only a person can have made up."""
        self._unwritten.append(self.entry("activity_begun_anew", CLOCK, "section 11", activity=activity, why=why))


def refused_command(refusal: Refusal, view: Message | None) -> ApplicationError:
    """The failure of an update that is refused: the refusal, and how things stand (section 11).

    Without ``view`` for a stranger, who is told nothing else (section 12).
    """
    why = f"{refusal.explanation} ({refusal.field}; {refusal.rule})"
    details = (refusal,) if view is None else (refusal, view)
    return ApplicationError(why, *details, type=f"Refused.{refusal.code}", non_retryable=True)
