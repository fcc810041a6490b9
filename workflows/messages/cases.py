"""A case as others see it, and what it has written down: steps, log entries, notices, views, outcomes."""

from enum import StrEnum

from pydantic import Field

from workflows.messages.actors import Actor, Role
from workflows.messages.commands import GatewayCallback
from workflows.messages.message import Code, Identifier, Instant, Message, Reference
from workflows.messages.money import Minor, Money
from workflows.messages.orders import AllowanceFacts, OrderFacts
from workflows.messages.payouts import Ask, LegStatus, PaidBy, Payout, ReserveResult
from workflows.messages.policy import PaymentPolicy, Policy
from workflows.messages.requests import Request
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName, WorkList


class Refusal(Message):
    """Why something was refused: a code for programs, the field and the rule that it is about."""

    code: Code
    field: str
    rule: str
    explanation: str
    """One English sentence without data of a person."""


class Span(Message):
    """How long a stage may last. Exactly one unit is not zero, or ``until`` is set."""

    minutes: int = 0
    working_days: int = 0
    until: Instant | None = None
    reminder_minutes: int = 0
    """A notice goes when this much is left; 0 for none."""


class Due(Message):
    """A stage's deadline as worked out once, absolute and in UTC."""

    at: Instant
    remind_at: Instant | None = None
    calendar: str = ""
    """The calendar (name and version) that working days were counted by; empty where none was needed."""
    warnings: tuple[Code, ...] = ()


class LogEntry(Message):
    """One line of the case log (售后日志): what happened, who did it, under which rule, when."""

    event: Code
    by: Actor
    rule: str
    at: Instant
    command_key: str = ""
    facts: dict[str, str | int] = Field(default_factory=dict)
    """Codes, ids, references and amounts in minor units. Never a person's data (P6)."""


class NoticeTemplate(StrEnum):
    """What people are told."""

    REQUEST_OPENED = "request_opened"
    DEADLINE_NEAR = "deadline_near"
    REQUEST_REJECTED = "request_rejected"
    NEEDS_RETURN = "needs_return"
    REFUND_SUBMITTED = "refund_submitted"
    REFUND_SUCCEEDED = "refund_succeeded"
    CASE_CLOSED = "case_closed"
    ATTENTION_RAISED = "attention_raised"


class Notice(Message):
    """A message to be sent once its step is recorded; one per case, step, template and recipient."""

    template: NoticeTemplate
    to: Actor
    fields: dict[str, str | int]
    """Typed by the template: see ``activities.notices``."""


class Thaw(StrEnum):
    """What came of giving a frozen balance back (A5, A6)."""

    THAWED = "thawed"
    VALIDITY_ENDED = "validity_ended"
    """It stays frozen: the validity ended meanwhile, and the principal must be paid back."""


class BalanceChange(StrEnum):
    """What a step does to an allowance's balance (A2, A5)."""

    THAW = "thaw"
    VOID = "void"
    """The principal has been paid back; the bonus is void."""


class CaseKey(Message):
    """What every step repeats of its case."""

    case_id: str
    run_id: str


class Step(Message):
    """One transaction of a case: log, work-list row, notices, deadline, reservation, balance.

    Steps of a case are numbered; the same number again is the same step and changes nothing.
    """

    case: CaseKey
    step: int
    """Counts steps from 1; step 0 opens the case."""
    at: Instant
    """The workflow's time."""
    entries: tuple[LogEntry, ...]
    kind: CaseKind
    stage: StageName
    work_list: WorkList | None
    span: Span | None
    attention: Attention | None
    outcome: OutcomeKind | None
    refunded: Minor
    notices: tuple[Notice, ...] = ()
    reserve: Payout | None = None
    balance: BalanceChange | None = None


class Stepped(Message):
    """What a step worked out."""

    due: Due | None = None
    reserved: ReserveResult | None = None
    thaw: Thaw | None = None


class OpenCase(Message):
    """The first step of a case: check the request against the world, take the policy, write it all down."""

    case: CaseKey
    at: Instant
    request: Request


class Opened(Message):
    """What opening found. With a ``refusal`` nothing was opened."""

    refusal: Refusal | None = None
    kind: CaseKind | None = None
    stage: StageName | None = None
    due: Due | None = None
    policy: Policy | None = None
    order: OrderFacts | None = None
    allowance: AllowanceFacts | None = None
    asked: Money | None = None
    postponed_until: Instant | None = None
    """The validity was prolonged: nothing was opened yet (A6)."""
    handed_over_to: str | None = None
    """The open request that pays instead (A6)."""


class Settle(Message):
    """What the payment activity is given. Once all legs have succeeded, ``closing`` is recorded with the result."""

    payout: Payout
    ask: Ask
    at: Instant
    arrival: PaymentPolicy
    closing: Step


class SettleManually(Message):
    """An officer's word on how the legs that have not succeeded were paid (section 10)."""

    payout: Payout
    paid_by: PaidBy
    officer: Actor
    reason: Code
    proof: Reference
    at: Instant
    closing: Step


class EnterCallback(Message):
    """A gateway's callback, to be entered into the ledger; a repeated one changes nothing.

    Its refund number says which payout it is about. One that comes after the case has ended has neither
    ``arrival`` nor ``closing``.
    """

    callback: GatewayCallback
    at: Instant
    arrival: PaymentPolicy | None = None
    closing: Step | None = None


class Settled(Message):
    """How a payout's legs stand after an activity."""

    legs: tuple[LegStatus, ...]
    closed: bool = False
    """All legs have succeeded, and the closing step was recorded in the same transaction."""
    refusal: Refusal | None = None
    """A manual settlement that must not be: ``outcome_open`` while the gateway's answer is, ``already_paid``
    where the gateway has paid every leg. Then nothing was paid by hand and ``closed`` is False."""


class Outcome(Message):
    """How a case ended: the result of its workflow."""

    case_id: str
    kind: CaseKind | None
    outcome: OutcomeKind
    refunded: Money | None
    bonus_voided: Money | None = None
    decided_by: Role | None
    """Who decided; ``clock`` where silence did."""
    rule: str
    refusal: Refusal | None = None
    closed_at: Instant
    legs: tuple[LegStatus, ...] = ()


class OpenCommand(Message):
    """A command that the case takes now, and from whom."""

    name: str
    roles: tuple[Role, ...]


class CaseView(Message):
    """A case at one moment."""

    case_id: str
    kind: CaseKind | None
    stage: StageName
    rule: str
    merchant_id: Identifier
    buyer_id: Identifier | None
    order_no: Identifier | None = None
    allowance_id: Identifier | None = None
    asked: Money | None
    refunded: Money | None
    opened_at: Instant
    due: Instant | None
    no_deadline_because: str = ""
    on_silence: Silence
    commands: tuple[OpenCommand, ...]
    attention: Attention | None
    outcome: OutcomeKind | None
    legs: tuple[LegStatus, ...]
    policy: str
    """Name and version: ``douyin/1``."""
    warnings: tuple[Code, ...]
    log: tuple[LogEntry, ...]
    """The last entries, oldest first; the whole log is in the case book."""
